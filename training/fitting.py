"""Fit the authenticity model: heads on the training creators, calibrators and thresholds on the calibration slice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from features.tables import HEADS
from training.authenticity import READ, SMALL, AuthenticityModel, Head, assessable, manipulation_logits
from training.calibration import Calibrator, fit_calibrator, resample_calibrator
from training.config import AuthenticityConfig, ModelConfig
from training.datasets import Dataset
from training.metrics import threshold_at_fpr

#: Creators of a platform from which typical ranges are taken; fewer say too little.
LEAST_TYPICAL = 30

Progress = Callable[[str], None]


class TooFewCreatorsError(ValueError):
    """A split holds too few creators of one kind to learn or to calibrate."""


def _boosters(x: np.ndarray, y: np.ndarray, config: ModelConfig, rng: np.random.Generator) -> tuple[lgb.Booster, ...]:
    settings: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least_in_leaf,
        "feature_fraction": config.signals_per_tree,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        # on a few thousand rows threads wait for each other: measured 4 times slower beside other work
        "num_threads": 1 if len(x) < SMALL else 0,
    }
    members = []
    for _ in range(config.members):
        rows = rng.integers(0, len(x), len(x))
        data = lgb.Dataset(x[rows], label=y[rows], feature_name=list(READ))
        seed = int(rng.integers(2**31))
        members.append(lgb.train(settings | {"seed": seed}, data, num_boost_round=config.trees))
    return tuple(members)


def _uncalibrated(scores: np.ndarray) -> np.ndarray:
    return np.asarray(expit(scores.mean(axis=0)))


def _require_both(y: np.ndarray, what: str) -> None:
    if y.size == 0 or y.all() or not y.any():
        message = f"{what}: {int(y.sum())} manipulated of {y.size} creators that carry it; both kinds are needed"
        raise TooFewCreatorsError(message)


def _fit_head(name: str, train: Dataset, calibration: Dataset, config: AuthenticityConfig, seed: int) -> Head:
    rng = np.random.default_rng(seed)
    parts = {}
    for split, part in (("train", train), ("calibration", calibration)):
        known = assessable(part.signals)[name].to_numpy()
        x, y = part.signals[list(READ)].to_numpy()[known], part.truth[name].to_numpy(dtype=bool)[known]
        _require_both(y, f"{name}, {split} split")
        parts[split] = x, y
    x, y = parts["train"]
    members = _boosters(x, y.astype(np.float64), config.model, rng)
    raw = Head(members, Calibrator(), (), np.inf, float(y.mean()), _lone_rate(train, name))
    x_held, y_held = parts["calibration"]
    scores = _uncalibrated(raw.member_logits(x_held))
    calibrator = fit_calibrator(y_held, scores, seed=seed)
    resampled = tuple(resample_calibrator(calibrator, y_held, scores, rng) for _ in members)
    threshold = threshold_at_fpr(y_held, calibrator.apply(scores), fpr=config.thresholds.false_alarms)
    return replace(raw, calibrator=calibrator, resampled=resampled, threshold=float(min(threshold, 1.0)))


def _lone_rate(train: Dataset, name: str) -> float:
    """Share with this kind among the creators with no other."""
    others = train.truth[[head for head in HEADS if head != name]].any(axis=1)
    return float(train.truth.loc[~others, name].mean())


def _fit_composite(
    heads: dict[str, Head], calibration: Dataset, config: AuthenticityConfig
) -> tuple[Calibrator, tuple[Calibrator, ...]]:
    x = calibration.signals[list(READ)].to_numpy()
    assessed = assessable(calibration.signals)
    logits = {name: head.member_logits(x) for name, head in heads.items()}
    known = assessed[list(heads)].any(axis=1).to_numpy()
    truth = calibration.truth["any_manipulation"].to_numpy(dtype=bool)[known]
    scores = _uncalibrated(manipulation_logits(logits, heads, assessed))[known]
    calibrator = fit_calibrator(truth, scores, seed=config.data.seed)
    rng = np.random.default_rng(config.data.seed)
    return calibrator, tuple(resample_calibrator(calibrator, truth, scores, rng) for _ in range(config.model.members))


def typical_ranges(dataset: Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """10 % and 90 % quantiles of each signal over unmanipulated creators, by platform; none from a thin sample."""
    authentic = ~dataset.truth["any_manipulation"].to_numpy(dtype=bool)
    ranges = {}
    for platform, rows in dataset.signals[authentic].groupby(dataset.creators["platform"][authentic]):
        quantiles = rows.quantile([0.1, 0.9])
        enough = quantiles.columns[rows.count() >= LEAST_TYPICAL]
        ranges[str(platform)] = {
            name: (float(quantiles[name].iloc[0]), float(quantiles[name].iloc[1])) for name in enough
        }
    return ranges


def fit_authenticity(
    dataset: Dataset, config: AuthenticityConfig, progress: Progress = lambda _: None
) -> AuthenticityModel:
    """Fit the heads, the composite and the typical ranges.

    Metadata holds `data`, the source, and `base_authenticity`, the share of training creators without manipulation:
    what may be assumed of a creator of whom nothing could be assessed.

    A head for which the histories carry too little is left out; the model then abstains on it.

    Parameters
    ----------
    dataset : Dataset
        Only its "train" and "calibration" splits are touched.
    progress : callable
        Told what was done, in words.

    Raises
    ------
    TooFewCreatorsError
        Where no head can be learnt.
    """
    train, calibration = dataset.part("train"), dataset.part("calibration")
    heads = {}
    for number, name in enumerate(HEADS):
        try:
            heads[name] = _fit_head(name, train, calibration, config, config.data.seed * 100 + number)
        except TooFewCreatorsError as error:
            progress(f"left out head {name}: {error}")
        else:
            progress(f"fitted head {name}")
    if not heads:
        raise TooFewCreatorsError("no head could be fitted: these histories carry too little to learn any of them")
    composite, resampled = _fit_composite(heads, calibration, config)
    progress("calibrated authenticity")
    metadata = {"data": dataset.source, "base_authenticity": 1 - float(train.truth["any_manipulation"].mean())}
    return AuthenticityModel(heads, composite, resampled, typical_ranges(train), metadata)
