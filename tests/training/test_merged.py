import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.merged import merge_boosters, raw_scores


def booster(rounds, seed, columns=6, objective="binary"):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, columns))
    x[rng.random(x.shape) < 0.2] = np.nan
    y = (np.nan_to_num(x[:, seed % columns]) + rng.normal(size=400) > 0).astype(float)
    given_ = {"objective": objective, "verbosity": -1, "num_leaves": 5, "num_threads": 1, "seed": seed}
    return lgb.train(given_, lgb.Dataset(x, label=y), num_boost_round=rounds)


@pytest.fixture(scope="module")
def boosters():
    return [booster(7, 0), booster(1, 1), booster(12, 2, objective="cross_entropy"), booster(4, 3)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 20))
def test_each_output_is_that_of_its_booster_to_the_last_bit(boosters, seed, rows):
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=3, size=(rows, 6))
    x[rng.random(x.shape) < 0.3] = np.nan
    merged = merge_boosters(boosters)
    assert merged.num_trees() == 4 * 12
    found = np.asarray(merged.predict(x, raw_score=True)).reshape(rows, 4).T
    np.testing.assert_array_equal(found, raw_scores(boosters, x, 1))


def test_one_booster_and_constant_trees():
    constant = lgb.train(
        {"objective": "cross_entropy", "verbosity": -1}, lgb.Dataset(np.ones((60, 6)), label=np.full(60, 0.5))
    )
    x = np.zeros((1, 6))
    for several in ([booster(3, 0)], [constant, booster(3, 0)]):
        found = np.asarray(merge_boosters(several).predict(x, raw_score=True)).reshape(-1)
        np.testing.assert_array_equal(found, raw_scores(several, x, 1)[:, 0])


def test_other_columns_or_several_outputs_are_refused(boosters):
    rng = np.random.default_rng(0)
    classes = {"objective": "multiclass", "num_class": 3, "verbosity": -1}
    several = lgb.train(classes, lgb.Dataset(rng.normal(size=(90, 6)), label=np.arange(90) % 3), num_boost_round=2)
    for other in (booster(2, 0, columns=5), several):
        with pytest.raises(ValueError, match="one output each and the same columns"):
            merge_boosters([boosters[0], other])
