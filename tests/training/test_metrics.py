from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from training import metrics

Y = np.array([0, 0, 1, 1])
P = np.array([0.1, 0.4, 0.35, 0.8])
EVERY = [metrics.auc, metrics.average_precision, metrics.calibration_slope, partial(metrics.recall_at_fpr, fpr=0.05)]

rows = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])), min_size=2, max_size=30)


def example(rows, seed=0, slope=1.0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=rows)
    truth = 1 / (1 + np.exp(-x))
    return generator.random(rows) < truth, 1 / (1 + np.exp(-slope * x))


def test_ranking_by_hand():
    # three of the four pairs are in order; precision is 1 at the first positive and 2/3 at the second
    assert metrics.auc(Y, P) == 0.75
    assert metrics.average_precision(Y, P) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.recall_at_fpr(Y, P, fpr=0.01) == 0.5
    assert metrics.recall_at_fpr(Y, P, fpr=0.5) == 1
    assert metrics.auc([0, 1], [0.5, 0.5]) == 0.5


@given(rows)
def test_ranking_agrees_with_sklearn(rows):
    y, p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assume(0 < y.sum() < len(y))
    assert metrics.auc(y, p) == pytest.approx(sk.roc_auc_score(y, p))
    assert metrics.average_precision(y, p) == pytest.approx(sk.average_precision_score(y, p))
    flagged, found, _ = sk.roc_curve(y, p, drop_intermediate=False)
    for fpr in (0.0, 0.1, 0.5, 1.0):
        assert metrics.recall_at_fpr(y, p, fpr=fpr) == pytest.approx(found[flagged <= fpr].max())


def test_probability_quality_by_hand():
    assert metrics.brier(Y, P) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert metrics.log_loss(Y, P) == pytest.approx(-np.log([0.9, 0.6, 0.35, 0.8]).mean())
    assert metrics.log_loss([1, 0], [0.0, 1.0]) == pytest.approx(-np.log(metrics.EDGE))
    # four rows in ten bins: each is alone
    assert metrics.ece(Y, P) == pytest.approx((0.1 + 0.4 + 0.65 + 0.2) / 4)
    # equal probabilities share a bin
    assert metrics.ece([0, 1, 0, 1], [0.5] * 4) == 0
    assert metrics.ece([0, 1, 1, 1], [0.5] * 4) == pytest.approx(0.25)


def test_ece_has_equal_mass_bins():
    p = np.linspace(0.005, 0.995, 100)
    # in each bin of ten one row too few is positive
    y = np.concatenate([np.repeat([0, 1], [10 - count, count]) for count in range(10)])
    means = p.reshape(10, 10).mean(axis=1)
    assert metrics.ece(y, p) == pytest.approx(np.abs(means - np.arange(10) / 10).mean())


def test_threshold_holds_the_promised_rate():
    y, p = example(4000)
    threshold = metrics.threshold_at_fpr(y, p, fpr=0.05)
    assert (p[~y] >= threshold).mean() <= 0.05
    assert (p[y] >= threshold).mean() == metrics.recall_at_fpr(y, p, fpr=0.05)
    assert metrics.threshold_at_fpr([0, 1], [0.9, 0.1], fpr=0.05) == np.inf


def test_precision_at_base_rate_by_hand():
    # 1 of 2 positives and 1 of 4 negatives are flagged: 0.1 * 1/2 against 0.9 * 1/4
    y, p = [1, 1, 0, 0, 0, 0], [0.9, 0.1, 0.8, 0.1, 0.1, 0.1]
    found = metrics.precision_at_base_rate(y, p, base_rate=0.1, threshold=0.5)
    assert found == pytest.approx(0.05 / (0.05 + 0.225))
    assert np.isnan(metrics.precision_at_base_rate(y, p, base_rate=0.1, threshold=0.95))


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_calibration_slope_says_how_far_the_odds_are_stretched(slope):
    y, p = example(20_000, slope=slope)
    assert metrics.calibration_slope(y, p) == pytest.approx(1 / slope, rel=0.07)


def test_logistic_line_agrees_with_sklearn():
    y, p = example(500)
    weights = np.random.default_rng(1).integers(0, 4, size=500).astype(float)
    x = 30 * metrics.logit(p) + 100
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(metrics.logit(p)[:, None], y, weights)
    intercept, slope = metrics.logistic_line(y.astype(float), x, weights)
    assert (intercept + 100 * slope, slope * 30) == pytest.approx((model.intercept_[0], model.coef_[0, 0]), rel=1e-4)


def test_calibration_slope_is_absent_where_there_is_none():
    assert np.isnan(metrics.calibration_slope([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]))
    assert np.isnan(metrics.calibration_slope([0, 1, 0, 1], [0.5] * 4))


@pytest.mark.parametrize("metric", EVERY)
@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_gives_nan(metric, y):
    assert np.isnan(metric(y, [0.2, 0.3, 0.4][: len(y)]))


@pytest.mark.parametrize("metric", [metrics.brier, metrics.log_loss, metrics.ece])
def test_no_rows_give_nan(metric):
    assert np.isnan(metric([], []))


@given(rows, st.integers(0, 2**32 - 1))
def test_weights_are_repetitions_and_order_is_irrelevant(rows, seed):
    y, p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    generator = np.random.default_rng(seed)
    times = generator.integers(1, 4, size=len(y))
    order = generator.permutation(times.sum())
    repeated = np.repeat(y, times)[order], np.repeat(p, times)[order]
    precision = partial(metrics.precision_at_base_rate, base_rate=0.1, threshold=0.5)
    for metric in (*EVERY, metrics.brier, metrics.log_loss, precision):
        assert metric(y, p, times) == pytest.approx(metric(*repeated), rel=1e-6, nan_ok=True)
    assert metrics.ece(y, p, times) == pytest.approx(metrics.ece(*repeated), abs=1e-9)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="missing in 1 of 2 rows"):
        metrics.auc([0, 1], [0.5, np.nan])
    with pytest.raises(ValueError, match="0 or 1"):
        metrics.auc([0, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match="probabilities"):
        metrics.brier([0, 1], [0.5, 1.5])
    with pytest.raises(ValueError, match="must be"):
        metrics.auc([0, 1], [0.5])
    with pytest.raises(ValueError, match="clusters"):
        metrics.bootstrap_interval(metrics.auc, Y, P, clusters=["a"])


def test_interval_covers_the_truth():
    # AUC of two normals one standard deviation apart: Phi(1 / sqrt 2)
    truth, hits, repeats = 0.760250, 0, 60
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        y = np.repeat([0, 1], 100)
        low, high = metrics.bootstrap_interval(metrics.auc, y, generator.normal(size=200) + y, draws=100)[1:]
        hits += low <= truth <= high
    # 57 expected; 50 or fewer has a chance below 1 in 200
    assert hits > 50


def test_whole_creators_are_drawn():
    y, p = example(200)
    rows = metrics.bootstrap_interval(metrics.auc, y, p, draws=200)
    repeated = metrics.bootstrap_interval(
        metrics.auc, np.repeat(y, 5), np.repeat(p, 5), clusters=np.repeat(np.arange(200), 5), draws=200
    )
    assert repeated == pytest.approx(rows)
    naive = metrics.bootstrap_interval(metrics.auc, np.repeat(y, 5), np.repeat(p, 5), draws=200)
    assert naive.high - naive.low < 0.6 * (rows.high - rows.low)


def test_interval_is_absent_with_one_creator():
    found = metrics.bootstrap_interval(metrics.auc, Y, P, clusters=["a"] * 4)
    assert found.value == 0.75
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_report_holds_every_figure_and_repeats():
    y, p = example(600)
    found = metrics.report(y, p, clusters=np.arange(600) // 2, draws=50, seed=1)
    assert found.columns.tolist() == ["value", "low", "high"]
    assert found.index.tolist() == [
        *("prevalence", "auc", "average_precision", "recall_at_fpr_1", "recall_at_fpr_5", "brier", "log_loss", "ece"),
        *("calibration_slope", *(f"precision_at_base_rate_{rate}" for rate in (1, 5, 10, 20, 40))),
    ]
    assert found.loc["auc", "value"] == metrics.auc(y, p)
    assert found.loc["recall_at_fpr_5", "value"] == metrics.recall_at_fpr(y, p, fpr=0.05)
    ranked = found.drop(index="ece")
    assert ((ranked["low"] <= ranked["value"]) & (ranked["value"] <= ranked["high"])).all()
    again = metrics.report(y, p, clusters=np.arange(600) // 2, draws=50, seed=1)
    pd.testing.assert_frame_equal(found, again)


def test_report_of_one_class_is_honest():
    found = metrics.report([0] * 30, np.linspace(0, 0.5, 30), draws=20)
    assert found.loc["prevalence", "value"] == 0
    assert np.isnan(found.loc["auc"].to_numpy()).all()
    assert found.loc["brier"].notna().all()


def test_difference_of_two_models_is_paired():
    y = np.arange(200) % 2
    rng = np.random.default_rng(0)
    p = y + rng.normal(size=200)
    same = metrics.auc_difference(y, p, p * 2, draws=50)
    assert same == (0, 0, 0)
    found = metrics.auc_difference(y, p, np.zeros(200), draws=50)
    assert found.value == pytest.approx(metrics.auc(y, p) - 0.5)
    assert 0 < found.low < found.value < found.high
