"""From scores to probabilities: the simplest correction that earns its place on the calibration creators.

A `Calibrator` is a handful of numbers, stored as JSON; nothing has to be unpickled to use it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedGroupKFold

from training.metrics import EDGE, Floats, log_losses, logistic_line, logit

Kind = Literal["none", "sigmoid", "beta", "isotonic", "venn_abers"]
#: Simplest first: a later kind has to beat an earlier one clearly.
KINDS: tuple[Kind, ...] = ("none", "sigmoid", "beta", "isotonic", "venn_abers")
FOLDS = 5
#: Scores at which the two isotonic regressions of Venn-Abers are fitted; between them it is a line.
GRID = 64


@dataclass(frozen=True)
class Calibrator:
    """A map of probabilities to calibrated probabilities that never reach 0 or 1.

    Attributes
    ----------
    kind : {"none", "sigmoid", "isotonic"}
        What the numbers mean.
    intercept, slope : float
        `sigmoid`: the log-odds become intercept + slope · log-odds (Platt 1999, on the log-odds).
    upper : float
        `beta`: the log-odds become intercept + slope · log p - upper · log(1 - p), with slope and upper of 0 or more
        (Kull et al. 2017).
    x, y : tuple of float
        `isotonic`: knots of a rising line, flat outside of them (Zadrozny and Elkan 2002). `venn_abers`: the same, of
        the log-loss mean p1 / (1 - p0 + p1) of the two isotonic regressions in which the score itself is one more row
        that is a 0 and that is a 1 (Vovk, Petej and Fedorova 2015).
    edge : float
        Results are kept this far from 0 and 1.
    """

    kind: Kind = "none"
    intercept: float = 0.0
    slope: float = 1.0
    upper: float = 1.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    edge: float = EDGE

    def apply(self, p: ArrayLike) -> Floats:
        """Calibrated probabilities, shape as `p`; missing stays missing.

        Raises
        ------
        ValueError
            Where a value is outside of [0, 1].
        """
        return apply_each((self,), np.asarray(p, dtype=np.float64)[None])[0]

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON values."""
        return {
            "kind": self.kind,
            "intercept": self.intercept,
            "slope": self.slope,
            "upper": self.upper,
            "x": list(self.x),
            "y": list(self.y),
            "edge": self.edge,
        }

    @classmethod
    def from_dict(cls, numbers: Mapping[str, Any]) -> Self:
        """The calibrator that `to_dict` described.

        Raises
        ------
        ValueError
            Where the kind is unknown, or the knots are not two rising lists of one length.
        """
        kind, x, y = numbers["kind"], tuple(map(float, numbers["x"])), tuple(map(float, numbers["y"]))
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, found {kind!r}")
        rising = all(list(knots) == sorted(knots) for knots in (x, y))
        if not rising or len(x) != len(y) or (kind in ("isotonic", "venn_abers") and not x):
            raise ValueError(f"x and y must be rising knots of one length, found {len(x)} and {len(y)}")
        intercept, slope, upper, edge = (float(numbers[name]) for name in ("intercept", "slope", "upper", "edge"))
        return cls(kind, intercept, slope, upper, x, y, edge)


def column_of(values: Sequence[float], ndim: int) -> Floats:
    """Numbers along the first of so many axes."""
    return np.array(values, dtype=np.float64).reshape(-1, *(1,) * (ndim - 1))


def apply_each(calibrators: Sequence[Calibrator], p: Floats) -> Floats:
    """Calibrated probabilities of several calibrators at once, each of its own row; missing stays missing.

    Parameters
    ----------
    calibrators : sequence of Calibrator
    p : ndarray of float64, shape (calibrators, ...)

    Raises
    ------
    ValueError
        Where a value is outside of [0, 1].
    """
    if ((p < 0) | (p > 1)).any():
        raise ValueError("p must be probabilities in [0, 1]")
    calibrated = p.copy()
    for kind in {one.kind for one in calibrators}:
        rows = [row for row, one in enumerate(calibrators) if one.kind == kind]
        own = [calibrators[row] for row in rows]
        if kind in ("sigmoid", "beta"):
            # a sigmoid weighs log p and -log(1 - p) alike
            numbers = [(one.intercept, one.slope, one.slope if kind == "sigmoid" else one.upper) for one in own]
            intercept, slope, upper = (column_of(values, p.ndim) for values in zip(*numbers, strict=True))
            terms = _beta_terms(p[rows])
            calibrated[rows] = _expit(intercept + slope * terms[..., 0] + upper * terms[..., 1])
        elif kind != "none":
            for row, one in zip(rows, own, strict=True):
                calibrated[row] = np.interp(p[row], one.x, one.y)
    edge = column_of([one.edge for one in calibrators], p.ndim)
    return np.asarray(np.clip(calibrated, edge, 1 - edge))


def fit_calibrator(
    y: ArrayLike, p: ArrayLike, clusters: ArrayLike | None = None, *, folds: int = FOLDS, seed: int = 0
) -> Calibrator:
    """Choose none, sigmoid, beta, isotonic or Venn-Abers by cross-validated log-loss and fit the choice on all rows.

    A kind is preferred to a simpler one where its mean log-loss on held-out rows is lower by more than one standard
    error of the difference; where nothing wins, probabilities stay as they are.

    Parameters
    ----------
    y : array-like of 0/1, shape (rows,)
        Labels of creators the model has not been trained on.
    p : array-like, shape (rows,)
        Their probabilities.
    clusters : array-like, shape (rows,), optional
        Creator of each row, held out together.
    folds, seed : int
        Of the cross-validation. With fewer creators of a class than folds, nothing is corrected.

    Raises
    ------
    ValueError
        Where a probability is missing or outside of [0, 1], or a label is not 0 or 1.
    """
    labels, scores = _labels(y), _probabilities(p)
    losses = _held_out_losses(labels, scores, clusters, folds, seed)
    chosen: Kind = "none"
    for kind in KINDS[1:]:
        if kind in losses:
            gain = losses[chosen] - losses[kind]
            if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
                chosen = kind
    # n rows cannot tell 0 from 1 in n + 2 (Laplace's rule of succession): no kind may be surer than that
    return replace(_fit(chosen, labels, scores), edge=1 / (len(labels) + 2))


def resample_calibrator(calibrator: Calibrator, y: ArrayLike, p: ArrayLike, rng: np.random.Generator) -> Calibrator:
    """Fit a calibrator again on as many creators drawn with replacement (Efron 1979): how far the draw moves it.

    Where nothing had to be corrected a sigmoid is drawn, because that no correction was needed is not certain either.

    Parameters
    ----------
    calibrator : Calibrator
        What `fit_calibrator` chose on these rows; its kind and edge are kept.
    y, p : array-like, shape (rows,)
        As in `fit_calibrator`, one row a creator.
    rng : Generator
    """
    labels, scores = _labels(y), _probabilities(p)
    rows = rng.integers(0, len(labels), len(labels))
    kind: Kind = "sigmoid" if calibrator.kind == "none" else calibrator.kind
    return replace(_fit(kind, labels[rows], scores[rows]), edge=calibrator.edge)


def _held_out_losses(
    labels: Floats, scores: Floats, clusters: ArrayLike | None, folds: int, seed: int
) -> dict[Kind, Floats]:
    """Log-loss of each row by a calibrator that has not seen its creator; kinds that fit in no fold are left out."""
    groups = np.arange(len(labels)) if clusters is None else np.asarray(clusters)
    held_out: dict[Kind, Floats] = {"none": log_losses(labels, scores)}
    if min(len(np.unique(groups[labels == value])) for value in (0, 1)) < folds:
        return held_out
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    pairs = list(splitter.split(scores, labels, groups))
    for kind in KINDS[1:]:
        calibrated = np.empty_like(scores)
        for seen, unseen in pairs:
            calibrated[unseen] = _fit(kind, labels[seen], scores[seen]).apply(scores[unseen])
        held_out[kind] = log_losses(labels, calibrated)
    return held_out


def _fit(kind: Kind, labels: Floats, scores: Floats) -> Calibrator:
    if kind == "sigmoid":
        intercept, slope = logistic_line(labels, logit(scores))
        # Without a maximum (separated classes) or upside down, the score itself is the better probability.
        return Calibrator(kind, intercept, slope) if slope > 0 else Calibrator()
    if kind == "isotonic":
        fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
        x, y = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
        return Calibrator(kind, x=tuple(x), y=tuple(y))
    if kind == "beta":
        return _fit_beta(labels, scores)
    if kind == "venn_abers":
        return _fit_venn_abers(labels, scores)
    return Calibrator()


def _beta_terms(p: Floats) -> Floats:
    """Log p and -log(1 - p), shape of `p` with a last axis of 2."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.stack([np.log(p), -np.log1p(-p)], axis=-1)


def _fit_beta(labels: Floats, scores: Floats) -> Calibrator:
    terms = np.column_stack([np.ones(len(labels)), _beta_terms(scores)])

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = terms @ weights
        error = _expit(logits) - labels
        return float(np.mean(np.logaddexp(0, logits) - labels * logits)), terms.T @ error / len(labels)

    found = minimize(loss, np.array([0.0, 1.0, 1.0]), jac=True, bounds=[(None, None), (0, None), (0, None)])
    intercept, slope, upper = (float(weight) for weight in found.x)
    # a flat line would say the same of everybody: as for the sigmoid, the score itself is better
    return Calibrator("beta", intercept, slope, upper) if max(slope, upper) > 0 else Calibrator()


def _fit_venn_abers(labels: Floats, scores: Floats) -> Calibrator:
    at = np.unique(np.quantile(scores, np.linspace(0, 1, GRID)))
    as_zero, as_one = (
        np.array([_isotonic_with(labels, scores, score, value) for score in at.tolist()]) for value in (0.0, 1.0)
    )
    # ties of quantiles and rounding must not make a falling pair of knots
    merged = np.maximum.accumulate(as_one / (1 - as_zero + as_one))
    return Calibrator("venn_abers", x=tuple(at.tolist()), y=tuple(merged.tolist()))


def _isotonic_with(labels: Floats, scores: Floats, score: float, value: float) -> float:
    """Isotonic regression at a score of a row that is `value`, fitted with that row."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit(np.append(scores, score), np.append(labels, value))
    return float(fitted.predict([score])[0])


def _labels(y: ArrayLike) -> Floats:
    labels = np.asarray(y, dtype=np.float64)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("y must be 0 or 1 in every row")
    return labels


def _probabilities(p: ArrayLike) -> Floats:
    scores = np.asarray(p, dtype=np.float64)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("p must be probabilities in [0, 1] in every row")
    return scores


def _expit(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -500, 500))))
