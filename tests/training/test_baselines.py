import numpy as np
import pandas as pd
import pytest

from training.baselines import FLOORS, fit_floors, single_signal_auc
from training.metrics import auc


def creators(rows, seed):
    """Creators whose label shows in an interval of one signal and, inversely, in another with gaps and heavy tails."""
    generator = np.random.default_rng(seed)
    y = generator.random(rows) < 0.3
    frame = pd.DataFrame(
        {
            "noise": generator.normal(size=rows),
            "inverse": np.exp(3 * (generator.normal(size=rows) - 1.2 * y)),
            "inside": np.where(y, generator.uniform(0.4, 0.7, rows), generator.uniform(0, 1, rows)),
            "unknown": np.nan,
            "constant": 1.0,
        },
        index=pd.Index([f"{seed}-{number}" for number in range(rows)], name="creator_id"),
    )
    frame.loc[generator.random(rows) < 0.2, "inverse"] = np.nan
    return frame, y


@pytest.fixture(scope="module")
def floors():
    train, test = creators(1500, 1), creators(1000, 2)
    return fit_floors(*train, *test, draws=50), test


def test_every_floor_is_scored_and_measured(floors):
    found, (X, y) = floors
    assert tuple(found.metrics.index) == tuple(found.scores.columns) == FLOORS
    assert found.scores.index.equals(X.index)
    assert found.scores.map(lambda p: 0 <= p <= 1).all(axis=None)
    for name in FLOORS:
        assert found.metrics.loc[name, "auc"] == auc(y, found.scores[name])
    assert (found.metrics["auc_low"] <= found.metrics["auc"]).all()
    assert (found.metrics["auc_high"] >= found.metrics["auc"]).all()


def test_prevalence_knows_nothing(floors):
    found, _ = floors
    assert found.metrics.loc["prevalence", ["auc", "auc_low", "auc_high"]].tolist() == [0.5, 0.5, 0.5]
    assert found.scores["prevalence"].unique() == pytest.approx([0.3], abs=0.05)


def test_best_signal_is_turned_the_right_way(floors):
    found, (X, y) = floors
    assert found.best_signal == "inverse"
    assert found.metrics.loc["best_signal", "auc"] > 0.7
    known = X["inverse"].notna()
    assert auc(y[known], found.scores.loc[known, "best_signal"]) == pytest.approx(
        auc(y[known], -X.loc[known, "inverse"]), abs=1e-3
    )


def test_depth_two_sees_the_interval_that_a_line_does_not(floors):
    found, _ = floors
    only = ["inside"]
    (X, y), (X_test, y_test) = creators(1500, 1), creators(1000, 2)
    inside = fit_floors(X[only], y, X_test[only], y_test, draws=2).metrics["auc"]
    assert inside["depth_2"] > inside["logistic"] + 0.15
    assert inside["depth_2"] > inside["stump"] + 0.05
    assert found.metrics.loc["logistic", "auc"] > found.metrics.loc["stump", "auc"]


def test_nothing_is_learnt_from_the_test():
    (X, y), (X_test, y_test) = creators(300, 1), creators(200, 2)
    found = fit_floors(X, y, X_test, y_test, draws=2)
    half = fit_floors(X, y, X_test.iloc[:50], y_test[:50], draws=2)
    pd.testing.assert_frame_equal(half.scores, found.scores.iloc[:50])
    turned = fit_floors(X, y, X_test, ~y_test, draws=2)
    pd.testing.assert_frame_equal(turned.scores, found.scores)


def test_without_a_known_signal_every_floor_is_the_prevalence():
    X = pd.DataFrame({"unknown": np.full(40, np.nan)}, index=[f"c{number}" for number in range(40)])
    found = fit_floors(X, [0, 1] * 20, X, [0, 1] * 20, draws=2)
    assert found.best_signal == ""
    assert (found.scores == 0.5).all(axis=None)


def test_bad_input_is_named():
    X, y = creators(50, 1)
    with pytest.raises(ValueError, match=r"only in one: \['noise'\]"):
        fit_floors(X, y, X.drop(columns="noise"), y)
    with pytest.raises(ValueError, match=r"X_test is infinite in \['constant'\]"):
        fit_floors(X, y, X.assign(constant=np.inf), y)
    with pytest.raises(ValueError, match="one class"):
        fit_floors(X, np.zeros(50), X, y)


def test_single_signals_are_measured_where_known():
    X, y = creators(1000, 2)
    table = single_signal_auc(X, y)
    known = X["inverse"].notna()
    assert table.loc["inverse", "auc"] == pytest.approx(auc(y[known], X.loc[known, "inverse"]))
    assert table.loc["inverse", "auc_either_side"] == pytest.approx(1 - table.loc["inverse", "auc"])
    assert table.loc["inverse", "coverage"] == known.mean()
    assert table.loc["constant", "auc_either_side"] == 0.5
    assert table.loc["unknown"].isna().tolist() == [True, True, False]
    assert table.index[0] == "inverse"
    assert table["auc_either_side"].dropna().is_monotonic_decreasing


def test_a_signal_known_in_a_few_rows_is_not_judged():
    y = np.repeat([0, 1], 100)
    X = pd.DataFrame(
        {
            "rare": np.where(np.arange(200) % 100 < 19, y, np.nan),
            "enough": np.where(np.arange(200) % 100 < 20, y, np.nan),
        }
    )
    table = single_signal_auc(X, y)
    assert np.isnan(table.loc["rare", "auc"])
    assert table.loc["enough", "auc"] == 1
