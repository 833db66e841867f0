"""The fit model from collaborations to champion."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import rankdata

from features.fit import Floats
from features.tables import Tables
from training import tracking
from training.benchmark_fit import popularity
from training.config import read_settings
from training.fit import WORKED, FitRanker, brand_folds, fit_ranker
from training.fit_model import INPUTS, FitModel
from training.fit_tables import CollaborationConfig, FitData, fit_data
from training.gates import Gate, check_fit_gates
from training.metrics import ece, logistic_line, logit
from training.promotion import promote_by
from training.ranking_metrics import METRICS, by_brand, differences, interval, summarise

NAME = "fit"
PRIOR, RANKER = "prior", "ranker"
_REQUIREMENTS = ["lightgbm", "numpy", "pandas", "pandera", "pyarrow", "pydantic", "scikit-learn", "scipy"]
#: A higher score is never a lower fit, whatever was measured.
_LEAST_SLOPE = 1e-3
_CHANCE_DRAWS = 100


@dataclass(frozen=True)
class HeldOut:
    """Scores on brands and creators left out.

    Attributes
    ----------
    brands : dict of str to DataFrame
        Figures of each brand by scorer, as `training.ranking_metrics.by_brand` returns them.
    scores, worked, fold : ndarray, shape (pairs,)
        Of the ranker, over all folds.
    """

    brands: dict[str, pd.DataFrame]
    scores: Floats
    worked: np.ndarray
    fold: np.ndarray


def held_out(data: FitData, config: CollaborationConfig, progress: Callable[[str], None] = lambda _: None) -> HeldOut:
    """Leave brands out in turn, with the creators that worked with them, and rank these for them."""
    pairs = data.pairs
    found: dict[str, list[pd.DataFrame]] = {}
    scores, worked, folds = [], [], []
    for number, (seen_briefs, seen_creators, briefs, creators) in enumerate(
        brand_folds(pairs, config.folds, config.ranker.seed)
    ):
        seen, unseen = pairs.take(seen_briefs, seen_creators), pairs.take(briefs, creators)
        ranker = fit_ranker(seen, config.ranker)
        own = ranker.score(unseen.briefs, unseen.creators, unseen.categories, unseen.extras)
        rng = np.random.default_rng(number)
        scorers = {
            "random": rng.random(own.shape),
            "followers": np.tile(data.followers[creators], (len(briefs), 1)),
            "popularity": popularity(seen, unseen),
            PRIOR: (prior := data.prior[np.ix_(briefs, creators)]),
            "prior and followers": rankdata(prior, axis=1) + rankdata(data.followers[creators]),
            RANKER: own,
        }
        for name, values in scorers.items():
            found.setdefault(name, []).append(by_brand(values, unseen.worked, np.array(unseen.categories)))
        scores.append(own.ravel())
        worked.append(unseen.worked.ravel())
        folds.append(np.full(own.size, number))
        progress(f"fold {number + 1} of {config.folds}: {len(briefs)} brands, {len(creators):,} creators left out")
    return HeldOut(
        {name: pd.concat(runs, ignore_index=True) for name, runs in found.items()},
        np.concatenate(scores),
        np.concatenate(worked),
        np.concatenate(folds),
    )


def _line(scores: Floats, worked: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the logistic curve from scores to whom brands worked with, both sides weighing alike."""
    intercept, slope = logistic_line(worked.astype(np.float64), scores, _balanced(worked))
    return (0.0, 1.0) if np.isnan(slope) else (intercept, max(slope, _LEAST_SLOPE))


def _balanced(worked: np.ndarray) -> Floats:
    return np.where(worked, 0.5 / max(worked.sum(), 1), 0.5 / max((~worked).sum(), 1)) * worked.size


def _calibration_error(held: HeldOut, seed: int = 0) -> tuple[float, float]:
    """Calibration error of the fit told on each fold by the curve of the others, chosen and others weighing the same.

    Returns
    -------
    tuple of float
        The error, and what a fit without any would show by chance with as many pairs, in 19 of 20 draws.
    """
    told = np.empty(held.scores.size)
    for fold in np.unique(held.fold):
        own = held.fold == fold
        intercept, slope = _line(held.scores[~own], held.worked[~own])
        told[own] = expit(slope * held.scores[own] + intercept)
    error = ece(held.worked.astype(np.float64), told, _balanced(held.worked))
    rng = np.random.default_rng(seed)
    true = expit(logit(told) + logit(held.worked.mean()))  # at the share of chosen that there is
    drawn = [rng.random(told.size) < true for _ in range(_CHANCE_DRAWS)]
    by_chance = [ece(worked.astype(np.float64), told, _balanced(worked)) for worked in drawn]
    return error, float(np.quantile(by_chance, 0.95))


def figures_of(held: HeldOut) -> pd.DataFrame:
    """Figures of every scorer, and of the ranker less each.

    Returns
    -------
    DataFrame
        `scorer`, `metric`, `value`, `low`, `high` (95 %, resampling brands); `gap`, `gap_low`, `gap_high` of the ranker
        less it on the same brands.
    """
    rows = []
    for name, brands in held.brands.items():
        own, bounds = summarise(brands), interval(brands)
        ranker = summarise(held.brands[RANKER])
        gaps = differences(held.brands[RANKER], brands)
        rows += [
            {"scorer": name, "metric": metric, "value": own[metric]}
            | {"low": bounds[metric][0], "high": bounds[metric][1]}
            | {"gap": ranker[metric] - own[metric], "gap_low": gaps[metric][0], "gap_high": gaps[metric][1]}
            for metric in METRICS
        ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class TrainedFit:
    """A registered model with what was measured of models like it on brands and creators they had not seen."""

    version: int
    model: FitModel
    data: str
    brands: int
    pairs: int
    figures: pd.DataFrame
    calibration_error: float


def _metadata(
    name: str, data: FitData, figures: pd.DataFrame, calibration_error: float, by_chance: float
) -> dict[str, Any]:
    by_scorer = {
        str(scorer): {
            str(row["metric"]): {key: _number(row[key]) for key in ("value", "low", "high", "gap", "gap_low")}
            for row in own.to_dict("records")
        }
        for scorer, own in figures.groupby("scorer", sort=False)
    }
    pairs = [f"{data.brands[brand]}|{data.creators[creator]}" for brand, creator in np.argwhere(data.pairs.worked)]
    return {
        "registry_hash": INPUTS,
        "data": name,
        "dataset_digest": hashlib.sha256("\n".join(sorted(pairs)).encode()).hexdigest()[:16],
        "brands": int(data.pairs.worked.any(axis=1).sum()),
        "composite": by_scorer[RANKER] | {"ece": {"value": calibration_error, "by_chance": by_chance}},
        "floors": {scorer: rows for scorer, rows in by_scorer.items() if scorer != RANKER},
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def fit_model(data: FitData, held: HeldOut, config: CollaborationConfig, name: str) -> FitModel:
    """Fit on all brands; what its scores mean comes from brands left out."""
    ranker: FitRanker = fit_ranker(data.pairs, config.ranker, data.decisions)
    intercept, slope = _line(held.scores, held.worked)
    return FitModel(ranker, slope, intercept, data.brands, data.creators, data.pairs.relevance, name)


def train_fit(
    tables: Tables,
    name: str,
    config_path: Path | None,
    *,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
    progress: Callable[[str], None] = lambda _: None,
) -> TrainedFit:
    """Train the fit model on collaborations and decisions, measure it and register it as challenger.

    Parameters
    ----------
    tables : Tables
        As for `training.fit_tables.fit_data`.
    name : str
        What the data is called.
    config_path : Path, optional
        TOML settings, as `CollaborationConfig`.
    as_of, imported_at : Timestamp
    progress : callable

    Raises
    ------
    training.fit_tables.FitTablesError, training.fit.TooFewPairsError
        Where there is too little to learn from.
    training.config.ConfigError
        Where settings cannot be used.
    """
    config = read_settings(CollaborationConfig, config_path)
    data = fit_data(tables, as_of, config, imported_at=imported_at)
    worked = data.pairs.worked
    progress(
        f"{name}: {int(worked.any(axis=1).sum())} brands, {int(worked.sum()):,} collaborations, "
        f"{len(data.creators):,} creators, {len(data.decisions):,} decisions"
    )
    tags = {"registry_hash": INPUTS, "data": name, **tracking.commit_tag()}
    with tracking.start_run(NAME, f"{NAME} on {name}", config.model_dump(), tags) as run:
        held = held_out(data, config, progress)
        figures, (error, by_chance) = figures_of(held), _calibration_error(held)
        model = fit_model(data, held, config, name)
        progress("fitted on all of them")
        metadata = _metadata(name, data, figures, error, by_chance)
        own = figures[(figures["scorer"] == RANKER) & figures["value"].notna()]
        run.log_metrics({str(row["metric"]): float(row["value"]) for row in own.to_dict("records")})
        run.log_dataset_digest("training", metadata["dataset_digest"], name)
        with tempfile.TemporaryDirectory() as temporary:
            files = Path(temporary)
            model.save(files)
            (files / "figures.json").write_text(json.dumps(metadata, indent=1), encoding="utf-8")
            registered = tracking.register_model(
                run, NAME, files, metadata, loader_module="training.fit_model", pip_requirements=_REQUIREMENTS
            )
    pairs = int((data.pairs.relevance >= WORKED).sum())
    return TrainedFit(registered.version, model, name, metadata["brands"], pairs, figures, error)


def promote_fit(version: int | None = None) -> tuple[int, list[Gate]]:
    """Hold a version (the challenger where left out) against the gates; make it champion where every one passes.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        As `training.tracking.download`.
    """
    return promote_by(NAME, version, lambda own, champion: check_fit_gates(own, champion, INPUTS))


def load_fit() -> FitModel:
    """The champion.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        Where there is none, or its files are not those that were registered.
    training.fit_model.FitModelError
        Where it reads other inputs than this version computes.
    """
    registered = tracking.resolve(NAME, tracking.CHAMPION)
    return FitModel.load(tracking.download(NAME, registered.version), str(registered.version))
