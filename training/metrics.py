"""Figures for a binary head: ranking, probability quality, and their intervals over creators.

Every metric takes `y` (rows,) of 0/1 or booleans, `p` (rows,) of scores (probabilities where it says so) and optional
`weights` (rows,) of 0 or more. Where a figure is not defined (one class only, no rows) it is NaN, never a made-up
number; a missing `y` or `p` is an error, because whoever abstained has to be left out knowingly.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Share of creators with a manipulated audience that precision is stated for; published estimates span all of it.
BASE_RATES = (0.01, 0.05, 0.10, 0.20, 0.40)
FALSE_POSITIVE_RATES = (0.01, 0.05)
#: Equal-mass bins of the expected calibration error.
ECE_BINS = 10
DRAWS = 500
#: Probabilities closer than this to 0 or 1 are moved there before a logarithm.
EDGE = 1e-6
#: A rate of exactly the one allowed must not fail by the rounding of a sum.
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Metric(Protocol):
    """A figure of labels and scores."""

    def __call__(self, y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
        """The figure, or NaN where it is not defined."""
        ...


def auc(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Chance that a positive scores above a negative; ties count half."""
    y, p, weights = _checked(y, p, weights)
    if not _two_classes(y, weights):
        return np.nan
    flagged, found, _ = _curve(y, p, weights)
    return float(np.trapezoid(np.append(0, found), np.append(0, flagged)))


def average_precision(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean precision over the positives, best first; a random order gives the prevalence."""
    y, p, weights = _checked(y, p, weights)
    if not _two_classes(y, weights):
        return np.nan
    flagged, found, _ = _curve(y, p, weights)
    positives, negatives = weights[y == 1].sum(), weights[y == 0].sum()
    precision = found * positives / (found * positives + flagged * negatives)
    return float((np.diff(found, prepend=0) * precision).sum())


def recall_at_fpr(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None, *, fpr: float) -> float:
    """Largest share of positives found while at most `fpr` of the negatives are flagged; nothing is interpolated."""
    y, p, weights = _checked(y, p, weights)
    if not _two_classes(y, weights):
        return np.nan
    flagged, found, _ = _curve(y, p, weights)
    return float(found[flagged <= fpr + _ROUNDING].max(initial=0))


def threshold_at_fpr(y: ArrayLike, p: ArrayLike, *, fpr: float) -> float:
    """Lowest score that may be flagged (`p >= threshold`) with at most `fpr` of the negatives flagged.

    It is infinite where even the highest score would flag too many, and NaN with one class only.
    """
    y, p, weights = _checked(y, p, None)
    if not _two_classes(y, weights):
        return np.nan
    flagged, _, thresholds = _curve(y, p, weights)
    return float(thresholds[flagged <= fpr + _ROUNDING].min(initial=np.inf))


def precision_at_base_rate(
    y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None, *, base_rate: float, threshold: float
) -> float:
    """Share of the flagged (`p >= threshold`) that are positive if positives were `base_rate` of all creators.

    The rates of flagging among positives and among negatives are kept, their mix is replaced. NaN where nothing is
    flagged or one class is missing.
    """
    y, p, weights = _checked(y, p, weights)
    if not _two_classes(y, weights):
        return np.nan
    flagged = p >= threshold
    found = base_rate * np.average(flagged[y == 1], weights=weights[y == 1])
    wrong = (1 - base_rate) * np.average(flagged[y == 0], weights=weights[y == 0])
    return float(found / (found + wrong)) if found + wrong > 0 else np.nan


def brier(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared distance between probability and outcome."""
    y, p, weights = _checked(y, p, weights, probabilities=True)
    return float(np.average((p - y) ** 2, weights=weights)) if weights.sum() > 0 else np.nan


def log_loss(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept `EDGE` away from 0 and 1."""
    y, p, weights = _checked(y, p, weights, probabilities=True)
    return float(np.average(log_losses(y, p), weights=weights)) if weights.sum() > 0 else np.nan


def log_losses(y: ArrayLike, p: ArrayLike) -> Floats:
    """Negative log-likelihood of each row, in nats; shape (rows,)."""
    p = np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE)
    return -np.log(np.where(np.asarray(y) == 1, p, 1 - p))


def ece(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Expected calibration error over `ECE_BINS` equal-mass bins.

    The mean, weighted by mass, of the distance between mean probability and share of positives in a bin. Rows of equal
    probability share a bin (the one their middle falls into), so the order of the rows does not matter.
    """
    y, p, weights = _checked(y, p, weights, probabilities=True)
    if not weights.sum() > 0:
        return np.nan
    _, group = np.unique(p, return_inverse=True)
    mass = np.bincount(group, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bins = np.minimum((middle * ECE_BINS).astype(np.intp), ECE_BINS - 1)[group]
    return float(np.abs(np.bincount(bins, weights * (p - y))).sum() / mass.sum())


def calibration_slope(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Slope of the logistic regression of `y` on logit(`p`): 1 is right, below 1 the probabilities are too extreme.

    NaN where it does not exist: one class, one probability only, or classes that the probability separates.
    """
    y, p, weights = _checked(y, p, weights, probabilities=True)
    return logistic_line(y, logit(p), weights)[1] if _two_classes(y, weights) else np.nan


def logit(p: ArrayLike) -> Floats:
    """Log-odds of a probability, kept `EDGE` away from 0 and 1; shape (rows,)."""
    p = np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))


def logistic_line(y: Floats, x: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of `y` on one variable, without penalty.

    Newton's method on two numbers, because a general solver is too slow for every bootstrap draw. Both are
    NaN where the likelihood has no maximum (separated classes, constant `x`).
    """
    design = np.column_stack([np.ones_like(x), x])
    weights = np.ones_like(x) if weights is None else weights
    line = np.zeros(2)
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(design @ line, -500, 500)))
        curvature = design.T @ (design * (weights * expected * (1 - expected))[:, None])
        if not np.linalg.cond(curvature) < 1e12:
            break
        step = np.linalg.solve(curvature, design.T @ (weights * (y - expected)))
        # A long first step can overshoot from the flat start; steps of at most 3 cannot.
        line += step * min(1.0, 3.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-9:
            return float(line[0]), float(line[1])
    return np.nan, np.nan


def bootstrap_interval(
    metric: Metric,
    y: ArrayLike,
    p: ArrayLike,
    clusters: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Value of a metric and its 95 % percentile interval under resampling of whole creators.

    Parameters
    ----------
    metric : Metric
        Called with weights: how often each row's creator was drawn.
    y, p : array-like, shape (rows,)
        Labels and scores.
    clusters : array-like, shape (rows,), optional
        Creator of each row; each row is its own creator where absent.
    draws, seed : int
        Number of resamples, and seed of the draws.

    Returns
    -------
    Interval
        `low` and `high` are NaN with fewer than two creators, or where the metric is undefined in half of the draws.
    """
    return _intervals({"metric": metric}, y, p, clusters, draws, seed)["metric"]


def auc_difference(y: ArrayLike, p: ArrayLike, other: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """AUC of `p` less AUC of `other` on the same creators, with the 95 % interval of that difference.

    Both are measured on every draw, so what makes a draw easy or hard for both cancels.
    """
    first, second = np.asarray(p, dtype=np.float64), np.asarray(other, dtype=np.float64)

    def difference(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
        rows = np.asarray(p, dtype=np.intp)
        return auc(y, first[rows], weights) - auc(y, second[rows], weights)

    return bootstrap_interval(difference, y, np.arange(len(first)), draws=draws, seed=seed)


def report(
    y: ArrayLike,
    p: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    threshold: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """All figures of a head with their intervals.

    Parameters
    ----------
    y, p, clusters, draws, seed
        As in `bootstrap_interval`; `p` are probabilities.
    threshold : float, optional
        Where precision is measured; by default the lowest threshold with at most 5 % of these negatives flagged. It is
        held fixed over the draws.

    Returns
    -------
    DataFrame
        Index `metric`; float columns `value`, `low`, `high`. Rows: `prevalence`, `auc`, `average_precision`,
        `recall_at_fpr_1`, `recall_at_fpr_5` (per cent), `brier`, `log_loss`, `ece`, `calibration_slope` and
        `precision_at_base_rate_1` to `_40` (per cent).
    """
    if threshold is None:
        threshold = threshold_at_fpr(y, p, fpr=0.05)
    named: dict[str, Metric] = {"prevalence": _prevalence, "auc": auc, "average_precision": average_precision}
    named |= {
        f"recall_at_fpr_{rate:.0%}".rstrip("%"): partial(recall_at_fpr, fpr=rate) for rate in FALSE_POSITIVE_RATES
    }
    named |= {"brier": brier, "log_loss": log_loss, "ece": ece, "calibration_slope": calibration_slope}
    named |= {
        f"precision_at_base_rate_{rate:.0%}".rstrip("%"): partial(
            precision_at_base_rate, base_rate=rate, threshold=threshold
        )
        for rate in BASE_RATES
    }
    found = _intervals(named, y, p, clusters, draws, seed)
    return pd.DataFrame.from_dict(found, orient="index", columns=list(Interval._fields)).rename_axis("metric")


def _prevalence(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of positives."""
    y, p, weights = _checked(y, p, weights)
    return float(np.average(y, weights=weights)) if weights.sum() > 0 else np.nan


def _intervals(
    named: Mapping[str, Metric], y: ArrayLike, p: ArrayLike, clusters: ArrayLike | None, draws: int, seed: int
) -> dict[str, Interval]:
    """Intervals of several metrics over the same draws."""
    y, p, _ = _checked(y, p, None)
    codes = np.arange(len(y)) if clusters is None else pd.factorize(np.asarray(clusters))[0]
    if len(codes) != len(y):
        raise ValueError(f"clusters has {len(codes)} rows, y has {len(y)}")
    creators = int(codes.max(initial=-1)) + 1
    generator = np.random.default_rng(seed)
    sampled = np.full((draws, len(named)), np.nan)
    for draw in range(draws if creators > 1 else 0):
        times = np.bincount(generator.integers(creators, size=creators), minlength=creators)[codes]
        drawn = times > 0
        kept = y[drawn], p[drawn], times[drawn].astype(np.float64)
        sampled[draw] = [metric(*kept) for metric in named.values()]
    return {name: _interval(metric(y, p), sampled[:, i]) for i, (name, metric) in enumerate(named.items())}


def _interval(value: float, sampled: Floats) -> Interval:
    known = sampled[~np.isnan(sampled)]
    if np.isnan(value) or len(known) * 2 < max(len(sampled), 1):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _checked(
    y: ArrayLike, p: ArrayLike, weights: ArrayLike | None, *, probabilities: bool = False
) -> tuple[Floats, Floats, Floats]:
    """The three arrays as float64 of one length, or a ValueError that says what is wrong."""
    labels, scores = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    mass = np.ones_like(labels) if weights is None else np.asarray(weights, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape or labels.shape != mass.shape:
        raise ValueError(f"y, p and weights must be (rows,), found {labels.shape}, {scores.shape} and {mass.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("y must be 0 or 1 in every row")
    if np.isnan(scores).any():
        raise ValueError(f"p is missing in {np.isnan(scores).sum()} of {len(scores)} rows; leave them out first")
    if probabilities and not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("p must be probabilities in [0, 1]")
    return labels, scores, mass


def _curve(y: Floats, p: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Shares of negatives and of positives that score a threshold or more, and the thresholds, highest first.

    As sklearn's `roc_curve`, whose checks of the input alone take ten times as long: too slow for every bootstrap draw.
    """
    present = weights > 0
    order = np.flatnonzero(present)[np.argsort(-p[present], kind="stable")]
    y, p, weights = y[order], p[order], weights[order]
    last = np.flatnonzero(np.append(np.diff(p) != 0, True))
    flagged, found = np.cumsum(weights * (1 - y))[last], np.cumsum(weights * y)[last]
    return flagged / flagged[-1], found / found[-1], p[last]


def _two_classes(y: Floats, weights: Floats) -> bool:
    return bool(weights[y == 1].sum() > 0 and weights[y == 0].sum() > 0)
