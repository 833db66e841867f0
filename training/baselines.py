"""Floors: what anyone gets without a real model, so that a model's figures mean something.

Five floors, all fitted on the training creators only: the prevalence, the best single signal, a stump, a tree of depth
2 and a logistic regression. In a simulated world they also tell how hard it is: what a stump solves teaches nothing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from training.metrics import DRAWS, Floats, auc, average_precision, bootstrap_interval, log_loss

FLOORS = ("prevalence", "best_signal", "stump", "depth_2", "logistic")
#: Rows of each class in which a signal has to be known before its own AUC is stated.
MIN_ROWS = 20


@dataclass(frozen=True)
class FloorReport:
    """The floors on the test creators.

    Attributes
    ----------
    metrics : DataFrame
        Index `floor` (`FLOORS`); columns `auc`, `auc_low`, `auc_high`, `average_precision`, `log_loss`.
    scores : DataFrame of float
        Probability of a positive for every test row (index as given), one column a floor.
    best_signal : str
        The signal `best_signal` uses; empty where no signal is known in training.
    """

    metrics: pd.DataFrame
    scores: pd.DataFrame
    best_signal: str


def fit_floors(
    X_train: pd.DataFrame,
    y_train: ArrayLike,
    X_test: pd.DataFrame,
    y_test: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> FloorReport:
    """Fit the five floors on the training creators and measure them on the test creators.

    Parameters
    ----------
    X_train, X_test : DataFrame of float
        Signals, index `creator_id`, missing where not computable; the same columns in both.
    y_train, y_test : array-like of 0/1
        Labels, one a row.
    clusters : array-like, optional
        Creator of each test row; the index of `X_test` where absent.
    draws, seed : int
        Of the bootstrap interval of the AUC.

    Raises
    ------
    ValueError
        Where the columns differ, a value is infinite, or training has one class only.
    """
    labels = np.asarray(y_train, dtype=np.float64)
    _check(X_train, X_test, labels)
    known = X_train.columns[X_train.notna().any()]
    scores = pd.DataFrame({"prevalence": np.full(len(X_test), labels.mean())}, index=X_test.index)
    best = _best_signal(X_train[known], labels)
    scores["best_signal"] = _single_signal(X_train, labels, X_test, best) if best else scores["prevalence"]
    models: dict[str, Pipeline | DecisionTreeClassifier] = {
        "stump": DecisionTreeClassifier(max_depth=1, random_state=seed),
        "depth_2": DecisionTreeClassifier(max_depth=2, random_state=seed),
        # By rank, because most signals have heavy tails, and a line through raw values would be too easy to beat.
        "logistic": make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True),
            QuantileTransformer(n_quantiles=min(1000, len(X_train)), random_state=seed),
            StandardScaler(),
            LogisticRegression(max_iter=5000),
        ),
    }
    for name, model in models.items():
        if len(known):
            model.fit(X_train[known].to_numpy(), labels)
            scores[name] = model.predict_proba(X_test[known].to_numpy())[:, 1]
        else:
            scores[name] = scores["prevalence"]
    measured = _measure(scores, np.asarray(y_test), X_test.index if clusters is None else clusters, draws, seed)
    return FloorReport(metrics=measured, scores=scores, best_signal=best)


def single_signal_auc(X: pd.DataFrame, y: ArrayLike) -> pd.DataFrame:
    """AUC of every signal alone, over the rows in which it is known.

    Parameters
    ----------
    X : DataFrame of float
        Signals, one column each.
    y : array-like of 0/1, shape (rows,)
        Labels.

    Returns
    -------
    DataFrame
        Index `signal`; `auc` (high value speaks for a positive), `auc_either_side` (the larger of `auc` and 1 - `auc`:
        an upper bound, since the side is chosen on the very rows it is measured on) and `coverage` (share of rows in
        which the signal is known). Highest bound first; the AUCs are NaN where fewer than `MIN_ROWS` rows of either
        class are known.
    """
    labels = np.asarray(y, dtype=np.float64)
    rows = {name: _known_auc(X[name].to_numpy(dtype=np.float64), labels) for name in X.columns}
    table = pd.DataFrame({"auc": pd.Series(rows, dtype=np.float64), "coverage": X.notna().mean()})
    table.insert(1, "auc_either_side", np.maximum(table["auc"], 1 - table["auc"]))
    return table.rename_axis("signal").sort_values("auc_either_side", ascending=False, kind="stable")


def _check(X_train: pd.DataFrame, X_test: pd.DataFrame, labels: Floats) -> None:
    if list(X_train.columns) != list(X_test.columns):
        differing = sorted(set(X_train.columns) ^ set(X_test.columns))
        raise ValueError(f"X_train and X_test must have the same columns in the same order; only in one: {differing}")
    for name, frame in (("X_train", X_train), ("X_test", X_test)):
        infinite = frame.columns[np.isinf(frame.to_numpy(dtype=np.float64)).any(axis=0)]
        if len(infinite):
            raise ValueError(f"{name} is infinite in {list(infinite)}; a signal is a finite number or missing")
    if len(np.unique(labels)) < 2:
        raise ValueError("y_train has one class only; a floor needs both")


def _best_signal(X: pd.DataFrame, labels: Floats) -> str:
    """Name of the signal whose median-imputed AUC on training is furthest from a half; empty without signals."""
    if X.columns.empty:
        return ""
    distance = {name: abs(auc(labels, column.to_numpy()) - 0.5) for name, column in X.fillna(X.median()).items()}
    return str(max(distance, key=lambda name: distance[name]))


def _single_signal(X_train: pd.DataFrame, labels: Floats, X_test: pd.DataFrame, signal: str) -> Floats:
    """Probabilities by the signal's rank among the training creators.

    A logistic regression on the rank slopes to the side on which the training AUC lies, whatever its tails.
    """
    median = X_train[signal].median()
    ordered = np.sort(X_train[signal].fillna(median).to_numpy())

    def ranks(values: pd.Series) -> Floats:
        filled = values.fillna(median).to_numpy()
        both = np.searchsorted(ordered, filled, side="left") + np.searchsorted(ordered, filled, side="right")
        return np.asarray(both / (2 * len(ordered)))[:, None]

    model = LogisticRegression().fit(ranks(X_train[signal]), labels)
    return np.asarray(model.predict_proba(ranks(X_test[signal]))[:, 1], dtype=np.float64)


def _measure(scores: pd.DataFrame, y: ArrayLike, clusters: ArrayLike, draws: int, seed: int) -> pd.DataFrame:
    rows = {}
    for name, column in scores.items():
        p = column.to_numpy()
        value, low, high = bootstrap_interval(auc, y, p, clusters, draws, seed)
        rows[name] = [value, low, high, average_precision(y, p), log_loss(y, p)]
    columns = ["auc", "auc_low", "auc_high", "average_precision", "log_loss"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("floor")


def _known_auc(values: Floats, labels: Floats) -> float:
    known = ~np.isnan(values)
    positives = labels[known].sum()
    if min(positives, known.sum() - positives) < MIN_ROWS:
        return np.nan
    return auc(labels[known], values[known])
