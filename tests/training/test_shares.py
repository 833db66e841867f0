import lightgbm as lgb
import numpy as np
import pytest

from training.shares import INTERVAL, LEAST_AT_KNOT, ShareModel, calibrate_share


def drawn(rows, seed):
    """A signal, and shares whose mean and scatter grow with it; a third of the creators have none."""
    rng = np.random.default_rng(seed)
    x = rng.random((rows, 2))
    share = np.clip(x[:, 0] * rng.beta(3, 3, rows), 0, 1) * (rng.random(rows) > 0.33)
    return x, share


@pytest.fixture(scope="module")
def booster():
    x, share = drawn(4000, 0)
    settings = {"objective": "cross_entropy", "verbosity": -1, "num_leaves": 7, "num_threads": 1}
    return lgb.train(settings, lgb.Dataset(x, label=share), num_boost_round=60)


def test_intervals_hold_what_they_say_also_among_alike(booster):
    x, share = drawn(4000, 1)
    model = calibrate_share(booster, np.asarray(booster.predict(x)), share)
    x, share = drawn(20_000, 2)
    middle, low, high = model.read(booster.predict(x))
    assert ((low <= middle) & (middle <= high) & (low >= 0) & (high <= 1)).all()
    inside = (low <= share) & (share <= high)
    assert INTERVAL - 0.03 < inside.mean() < INTERVAL + 0.03
    for part in np.array_split(np.argsort(middle), 4):
        assert inside[part].mean() > INTERVAL - 0.04
    assert np.mean((middle - share) ** 2) < 0.8 * share.var()
    assert middle.mean() == pytest.approx(share.mean(), abs=0.01)


def test_numbers_survive_a_round_trip(booster):
    x, share = drawn(500, 3)
    model = calibrate_share(booster, np.asarray(booster.predict(x)), share)
    again = ShareModel.from_dict(booster, model.to_dict())
    np.testing.assert_array_equal(again.read(booster.predict(x)), model.read(booster.predict(x)))


def test_bad_numbers_and_too_few_creators_are_refused(booster):
    x, share = drawn(LEAST_AT_KNOT - 1, 4)
    with pytest.raises(ValueError, match="at least 40 creators"):
        calibrate_share(booster, np.asarray(booster.predict(x)), share)
    good = {"knots": [0.1, 0.2], "middle": [0.0, 0.1], "low": [0.0, 0.0], "high": [0.1, 0.3]}
    for bad in ({"low": [0.0]}, {"high": [0.3, 0.1]}, {name: [] for name in good}):
        with pytest.raises(ValueError, match="rising lists of one length"):
            ShareModel.from_dict(booster, good | bad)
