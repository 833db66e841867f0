import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import Calibrator, _fit, fit_calibrator, resample_calibrator
from training.metrics import ece, log_loss

probabilities = st.floats(0, 1)


def draw(bend, rows=3000, seed=0):
    """Outcomes of known probabilities, and scores that `bend` makes of them."""
    generator = np.random.default_rng(seed)
    truth = generator.beta(0.8, 1.6, size=rows)
    return generator.random(rows) < truth, bend(truth), truth


def overconfident(truth):
    odds = (truth / (1 - truth)) ** 2.5
    return odds / (1 + odds)


def steps(truth):
    """Rising, but far from any sigmoid: half of the creators are squeezed into a sliver of the scale."""
    return np.where(truth < 0.3, truth / 100, 0.9 + truth / 10)


@pytest.mark.parametrize(("bend", "kind"), [(lambda p: p, "none"), (overconfident, "sigmoid"), (steps, "isotonic")])
def test_simplest_sufficient_kind_is_chosen_and_helps(bend, kind):
    y, p, _ = draw(bend)
    found = fit_calibrator(y, p)
    assert found.kind == kind
    y, p, truth = draw(bend, rows=20_000, seed=1)
    calibrated = found.apply(p)
    assert ece(y, calibrated) < 0.03
    assert log_loss(y, calibrated) < log_loss(y, truth) + 0.008


def test_sigmoid_by_hand():
    # log-odds of 0.8 are log 4; doubled, the odds are 16
    found = Calibrator("sigmoid", slope=2.0).apply([0.5, 0.8, np.nan])
    assert found[:2] == pytest.approx([0.5, 16 / 17])
    assert np.isnan(found[2])


def test_beta_by_hand():
    # log-odds: 1 + 2 log 0.5 - (-0.5) log 0.5, that is 1 + 2 · -0.693147 + 0.5 · 0.693147 = -0.0397208
    found = Calibrator("beta", intercept=1.0, slope=2.0, upper=0.5).apply([0.5, np.nan])
    assert found[0] == pytest.approx(1 / (1 + np.exp(0.0397208)), abs=1e-6)
    assert np.isnan(found[1])


def test_beta_is_chosen_where_the_ends_are_bent_apart():
    def one_sided(truth):
        return np.clip(truth**4, 1e-6, 1 - 1e-6)

    y, p, _ = draw(one_sided, rows=6000)
    found = fit_calibrator(y, p)
    assert found.kind == "beta"
    y, p, truth = draw(one_sided, rows=20_000, seed=1)
    assert ece(y, found.apply(p)) < 0.02
    assert log_loss(y, found.apply(p)) < log_loss(y, truth) + 0.005


def test_venn_abers_by_hand():
    # two zeros below, two ones above: at .3 the extra row is pooled with nobody of the other side
    found = _fit("venn_abers", np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.8, 0.9]))
    # at .1 as a 0: p0 = 0; as a 1: with the two zeros, of which one has the same score, p1 = 1/3
    assert found.x[0] == pytest.approx(0.1)
    assert found.y[0] == pytest.approx((1 / 3) / (1 + 1 / 3))
    # at .9 as a 1: p1 = 1; as a 0: with the two ones, p0 = 2/3
    assert found.y[-1] == pytest.approx(1 / (1 - 2 / 3 + 1))


def test_isotonic_by_hand():
    found = Calibrator("isotonic", x=(0.2, 0.6), y=(0.0, 0.5), edge=0.01)
    assert found.apply([0.0, 0.2, 0.4, 0.6, 1.0]) == pytest.approx([0.01, 0.01, 0.25, 0.5, 0.5])


FITTED = st.sampled_from(
    [
        Calibrator(),
        Calibrator("sigmoid", intercept=-3.0, slope=4.0),
        Calibrator("isotonic", x=(0.1, 0.4, 0.8), y=(0.0, 0.5, 1.0), edge=0.01),
    ]
)


@given(FITTED, st.lists(probabilities, min_size=1, max_size=20))
def test_never_certain_never_out_of_order(calibrator, p):
    found = calibrator.apply(sorted(p))
    assert ((found > 0) & (found < 1)).all()
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("bend", [lambda p: p, overconfident, steps])
def test_json_gives_the_same_numbers(bend):
    found = fit_calibrator(*draw(bend)[:2])
    again = Calibrator.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found
    p = np.linspace(0, 1, 50)
    assert (again.apply(p) == found.apply(p)).all()


def test_too_few_creators_change_nothing():
    y, p = [1] * 12 + [0] * 12, [0.2] * 12 + [0.9] * 12
    # twelve rows of a class are enough for five folds, three creators of a class are not
    assert fit_calibrator(y, p, clusters=np.arange(24) // 4).kind == "none"
    assert fit_calibrator([0] * 30, np.linspace(0, 1, 30)).kind == "none"


def test_resampled_calibrators_scatter_as_their_creators_do():
    y, p, _ = draw(overconfident, rows=2000)
    fitted = replace(_fit("sigmoid", y.astype(float), p), edge=0.001)
    rng = np.random.default_rng(0)
    drawn = [resample_calibrator(fitted, y, p, rng) for _ in range(60)]
    assert {(one.kind, one.edge) for one in drawn} == {("sigmoid", 0.001)}
    slopes = [one.slope for one in drawn]
    assert np.mean(slopes) == pytest.approx(fitted.slope, abs=0.02)
    # what other creators would have given
    others = [draw(overconfident, rows=2000, seed=seed)[:2] for seed in range(1, 31)]
    assert np.std(slopes) == pytest.approx(
        np.std([_fit("sigmoid", y.astype(float), p).slope for y, p in others]), rel=0.5
    )


def test_that_nothing_had_to_be_corrected_is_uncertain_too():
    y, p, _ = draw(lambda truth: truth, rows=500)
    assert fit_calibrator(y, p).kind == "none"
    drawn = resample_calibrator(Calibrator(), y, p, np.random.default_rng(0))
    assert drawn.kind == "sigmoid"
    assert drawn.slope == pytest.approx(1, abs=0.3)


def test_scores_upside_down_are_not_turned():
    y, p, _ = draw(lambda truth: 1 - truth)
    assert fit_calibrator(y, p).slope > 0


def test_bad_input_is_named():
    for p in ([0.5, np.nan], [0.5, 1.1]):
        with pytest.raises(ValueError, match="probabilities"):
            fit_calibrator([0, 1], p)
    with pytest.raises(ValueError, match="probabilities"):
        Calibrator().apply([-0.1])
    with pytest.raises(ValueError, match="0 or 1"):
        fit_calibrator([0, 2], [0.5, 0.5])
    whole = Calibrator("isotonic", x=(0.1, 0.2), y=(0.0, 1.0)).to_dict()
    for changed in ({"kind": "platt"}, {"x": [0.2, 0.1]}, {"x": [0.1]}, {"x": [], "y": []}):
        with pytest.raises(ValueError, match="must be"):
            Calibrator.from_dict(whole | changed)
