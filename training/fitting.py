"""Fit the authenticity model: heads on the training creators, calibrators and thresholds on the calibration slice."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.signals import SIGNALS
from features.tables import HEADS
from training.authenticity import (
    NEEDS,
    READ,
    SHARE_NEEDS,
    SMALL,
    AuthenticityModel,
    Head,
    assessable,
    countable,
    manipulation_logits,
    mean_score,
)
from training.calibration import Calibrator, fit_calibrator, resample_calibrator
from training.config import AuthenticityConfig, ModelConfig, ThresholdConfig
from training.datasets import ODDITY_SPLIT, Dataset
from training.gates import SIMULATED
from training.odd_histories import ODDITIES
from training.shares import ShareModel, calibrate_share

#: Creators of a platform from which typical ranges are taken; fewer say too little.
LEAST_TYPICAL = 30
#: Creators from whom a share is learnt.
LEAST_SHARES = 100
#: Chance that what creators show together is hidden in training.
CROWD_DROPOUT = 0.5
#: What part of the allowed false alarms each head may raise; several heads rarely agree on an innocent.
SHARES_OF_ALARMS = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02)

Progress = Callable[[str], None]


class TooFewCreatorsError(ValueError):
    """A split holds too few creators of one kind to learn or to calibrate."""


def signal_groups() -> dict[str, np.ndarray]:
    """Signals that a history lacks together, of a table or a kind of count: bool of shape (signals,) by name."""
    names = np.array(READ)
    families = np.array([SIGNALS[name].family for name in READ])
    crowd = np.array([SIGNALS[name].scope == "crowd" for name in READ])
    groups = {str(family): families == family for family in np.unique(families) if family != "engagement"}
    groups["crowd"] = crowd
    for count in ("likes", "comments", "views", "shares", "saves", "followers"):
        stem = count.removesuffix("s")
        groups[count] = (families == "engagement") & (np.char.find(names, stem) >= 0)
    # what likes and comments do not explain needs both, and so does what they explain of views
    unexplained = np.char.find(names, "_unexplained_") >= 0
    for count in ("likes", "comments"):
        groups[count] |= unexplained
    return groups


def _hide_families(x: np.ndarray, needed: Sequence[str], rate: float, rng: np.random.Generator) -> np.ndarray:
    """Rows with each group of signals missing by chance; rows that would lose all that the head needs stay whole."""
    hidden = x.copy()
    for name, group in signal_groups().items():
        # a request is of one creator: what many show together is as often unknown as known
        chance = CROWD_DROPOUT if name == "crowd" and rate else rate
        hidden[np.ix_(rng.random(len(x)) < chance, group)] = np.nan
    lost = np.isnan(hidden[:, [READ.index(name) for name in needed]]).all(axis=1)
    hidden[lost] = x[lost]
    return hidden


def _settings(config: ModelConfig, rows: int) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least_in_leaf,
        "feature_fraction": config.signals_per_tree,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        # on a few thousand rows threads wait for each other: measured 4 times slower beside other work
        "num_threads": 1 if rows < SMALL else 0,
    }
    if config.monotone:
        sign = {"high": 1, "low": -1, "none": 0}
        settings["monotone_constraints"] = [sign[SIGNALS[name].direction] for name in READ]
        settings["monotone_constraints_method"] = "intermediate"
    return settings


def _boosters(
    x: np.ndarray, y: np.ndarray, needed: Sequence[str], config: ModelConfig, rng: np.random.Generator
) -> tuple[lgb.Booster, ...]:
    settings = _settings(config, len(x)) | {"objective": "binary"}
    members = []
    for _ in range(config.members):
        rows = rng.integers(0, len(x), len(x))
        hidden = _hide_families(x[rows], needed, config.family_dropout, rng)
        data = lgb.Dataset(hidden, label=y[rows], feature_name=list(READ))
        seed = int(rng.integers(2**31))
        members.append(lgb.train(settings | {"seed": seed}, data, num_boost_round=config.trees))
    return tuple(members)


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
    members = _boosters(x, y.astype(np.float64), NEEDS[name][0], config.model, rng)
    raw = Head(members, Calibrator(), (), np.inf, float(y.mean()), _lone_rate(train, name))
    x_held, y_held = parts["calibration"]
    scores = mean_score(raw.member_logits(x_held))
    calibrator = fit_calibrator(y_held, scores, seed=seed)
    resampled = tuple(resample_calibrator(calibrator, y_held, scores, rng) for _ in members)
    return replace(raw, calibrator=calibrator, resampled=resampled)


def _lone_rate(train: Dataset, name: str) -> float:
    """Share with this kind among the creators with no other."""
    others = train.truth[[head for head in HEADS if head != name]].any(axis=1)
    return float(train.truth.loc[~others, name].mean())


def _with_thresholds(heads: dict[str, Head], honest: Dataset, config: ThresholdConfig) -> dict[str, Head]:
    """Heads with the lowest thresholds at which so few honest creators are flagged by any of them.

    Limits hold in each group by itself, simulated creators, real ones, and those with one oddity: else many would set
    what few pay. Among creators without oddities every head may raise the same part of the false alarms, the largest of
    `SHARES_OF_ALARMS` that keeps to the limit; then thresholds rise as far as each oddity asks for.
    """
    x, assessed = honest.signals[list(READ)].to_numpy(), assessable(honest.signals)
    scores = np.array(
        [np.where(assessed[name], mean_score(head.member_logits(x)), -np.inf) for name, head in heads.items()]
    )
    plain, odd = _honest_groups(honest.creators, config)
    asked = np.array([_thresholds(scores[:, rows], config.false_alarms, creators) for rows, creators in plain])
    everybody = _thresholds(scores, config.false_alarms, honest.creators["creator"].nunique())
    # a head that no group was assessed on is held against everybody
    unknown = np.isnan(asked).all(axis=0)
    thresholds = np.where(
        unknown, np.where(np.isnan(everybody), 1.0, everybody), np.fmax.reduce(asked, axis=0, initial=-np.inf)
    )
    for rows, creators in odd:
        thresholds = _raised(thresholds, scores[:, rows], config.odd_false_alarms, creators)
    return {
        name: replace(head, threshold=min(float(threshold), 1.0))
        for (name, head), threshold in zip(heads.items(), thresholds, strict=True)
    }


def _thresholds(scores: np.ndarray, limit: float, creators: int) -> np.ndarray:
    """Threshold of each head for one group, NaN where nobody was assessed; `scores` of shape (heads, rows)."""
    thresholds = np.full(len(scores), np.nan)
    for share in SHARES_OF_ALARMS:
        thresholds = np.array([_threshold(each, limit * share) for each in scores])
        if _expected_share(_flagged(scores, thresholds), creators) <= limit:
            break
    return thresholds


def _raised(thresholds: np.ndarray, scores: np.ndarray, limit: float, creators: int) -> np.ndarray:
    """Thresholds raised until a group keeps to its limit, each time that of the head which flags most of the group.

    A group without any flag keeps to it (`_honest_groups`), so the end is reached.
    """
    raised = thresholds.copy()
    while _expected_share(_flagged(scores, raised), creators) > limit:
        flags = scores >= raised[:, None]
        most = int(flags.sum(axis=1).argmax())
        raised[most] = np.nextafter(scores[most][flags[most]].min(), 2.0)
    return raised


def _flagged(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return np.asarray(np.any(scores >= thresholds[:, None], axis=0))


def _honest_groups(
    creators: pd.DataFrame, config: ThresholdConfig
) -> tuple[list[tuple[np.ndarray, int]], list[tuple[np.ndarray, int]]]:
    """Rows, and how many creators they are, of the groups without an oddity, and of those with one.

    A group counts by itself where it is large enough for its limit to be shown at all: were none of n creators flagged,
    the next one still would be with a chance of 1 in n + 1.
    """
    simulated = (creators["source"] == SIMULATED).to_numpy()
    odd, oddity = (creators["split"] == ODDITY_SPLIT).to_numpy(), creators["oddity"].to_numpy()
    struck = [odd & (oddity == name) for name in ODDITIES]
    kinds = (
        ([simulated & (oddity == ""), ~simulated & (oddity == "")], config.false_alarms),
        ([*struck, *(rows & ~simulated for rows in struck)], config.odd_false_alarms),
    )
    counted = [
        [
            (rows, number)
            for rows in groups
            if _expected_share(np.zeros(1), number := creators["creator"][rows].nunique()) <= limit
        ]
        for groups, limit in kinds
    ]
    return counted[0] or [(~odd, creators["creator"][~odd].nunique())], counted[1]


def _honest(dataset: Dataset) -> Dataset:
    """The creators by whom thresholds are set: unmanipulated ones of the calibration split, and those with oddities."""
    held = dataset.creators["split"].isin(["calibration", ODDITY_SPLIT])
    return dataset.only(dataset.creators.index[held & ~dataset.truth["any_manipulation"].astype(bool)])


def _expected_share(flagged: np.ndarray, creators: int) -> float:
    """Share of further creators who would be flagged, as if the next one were (split conformal, Vovk et al. 2005)."""
    return (float(flagged.mean()) * creators + 1) / (creators + 1)


def _threshold(scores: np.ndarray, fpr: float) -> float:
    """Lowest threshold at which at most `fpr` of the known scores, all of unmanipulated creators, are flagged."""
    known = np.sort(scores[np.isfinite(scores)])[::-1]
    if not known.size:
        return np.nan
    first = int(fpr * known.size)  # of the highest scores, those that may be flagged
    return float(np.nextafter(known[min(first, known.size - 1)], 2.0))


def _fit_shares(train: Dataset, calibration: Dataset, config: AuthenticityConfig, seed: int) -> dict[str, ShareModel]:
    """A model of the share of each count that enough creators of both splits have."""
    shares = {}
    for number, (count, head) in enumerate(SHARE_NEEDS.items()):
        rng = np.random.default_rng([seed, number])
        parts = {}
        for split, part in (("train", train), ("calibration", calibration)):
            known = countable(part.signals, count)
            x, share = (
                part.signals[list(READ)].to_numpy()[known],
                part.truth[f"inauthentic_{count}_share"].to_numpy()[known],
            )
            parts[split] = x, share
        if min(len(share) for _, share in parts.values()) < LEAST_SHARES or not parts["train"][1].any():
            continue
        x, share = parts["train"]
        hidden = _hide_families(x, NEEDS[head][0][:1], config.model.family_dropout, rng)
        data = lgb.Dataset(hidden, label=share, feature_name=list(READ))
        settings = _settings(config.model, len(x)) | {"objective": "cross_entropy", "seed": int(rng.integers(2**31))}
        booster = lgb.train(settings, data, num_boost_round=2 * config.model.trees)
        x, share = parts["calibration"]
        shares[count] = calibrate_share(booster, np.asarray(booster.predict(x)), share)
    return shares


def _fit_composite(
    heads: dict[str, Head], calibration: Dataset, config: AuthenticityConfig
) -> tuple[Calibrator, tuple[Calibrator, ...]]:
    x = calibration.signals[list(READ)].to_numpy()
    assessed = assessable(calibration.signals)
    logits = {name: head.member_logits(x) for name, head in heads.items()}
    known = assessed[list(heads)].any(axis=1).to_numpy()
    truth = calibration.truth["any_manipulation"].to_numpy(dtype=bool)[known]
    scores = mean_score(manipulation_logits(logits, heads, {name: assessed[name].to_numpy() for name in heads}))[known]
    calibrator = fit_calibrator(truth, scores, seed=config.data.seed)
    rng = np.random.default_rng(config.data.seed)
    return calibrator, tuple(resample_calibrator(calibrator, truth, scores, rng) for _ in range(config.model.members))


def _base_rate(train: Dataset) -> float:
    """Share with some manipulation of the training creators of whom anything can be assessed."""
    return float(train.truth.loc[assessable(train.signals).any(axis=1), "any_manipulation"].mean())


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
        Its "test" split is not touched.
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
    heads = _with_thresholds(heads, _honest(dataset), config.thresholds)
    composite, resampled = _fit_composite(heads, calibration, config)
    progress("calibrated authenticity")
    shares = _fit_shares(train, calibration, config, config.data.seed)
    progress("estimated manufactured shares")
    metadata = {"data": dataset.source, "base_authenticity": 1 - _base_rate(train)}
    return AuthenticityModel(heads, composite, resampled, typical_ranges(train), shares, metadata)
