"""The niche model from labelled creators to champion, and what serves where there is none."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.niche_texts import read_niche_texts
from features.tables import Tables
from training import tracking
from training.benchmark_niche import NicheSet, figures_of, held_out, read_niche_set
from training.config import read_settings
from training.gates import Gate, check_class_gates
from training.niche import INPUTS, NicheConfig, NicheModel, fit_niches, load_niche_model, model_card
from training.niche_prior import prior_niches
from training.promotion import class_metadata, promote_by

NAME = "niche"
_REQUIREMENTS = ["lightgbm", "numpy", "pandas", "pandera", "pyarrow", "pydantic", "scikit-learn", "scipy"]


@dataclass(frozen=True)
class TrainedNiches:
    """A registered model with what was measured of it on creators that models like it had not seen.

    Attributes
    ----------
    figures : DataFrame
        As `training.benchmark_niche.benchmark_niche` returns them.
    """

    version: int
    model: NicheModel
    data: str
    figures: pd.DataFrame


def _metadata(one: NicheSet, figures: pd.DataFrame) -> dict[str, Any]:
    labelled = "|".join(f"{creator}:{niche}" for creator, niche in zip(one.texts.creators, one.labels, strict=True))
    return {
        "registry_hash": INPUTS,
        "data": one.name,
        "dataset_digest": hashlib.sha256(labelled.encode()).hexdigest()[:16],
        **class_metadata(figures[figures["task"] == "all creators"], ("accuracy", "macro_f1")),
        "terms": {one.name: one.terms},
    }


def train_niches(
    folder: Path, config_path: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> TrainedNiches:
    """Train the niche model, measure it by folds of creators and register it as challenger.

    Parameters
    ----------
    folder : Path
        As for `training.benchmark_niche.read_niche_set`.
    config_path : Path, optional
        TOML settings.
    progress : callable

    Raises
    ------
    ValueError
        Where settings or the set cannot be used; the message names them.
    """
    config = read_settings(NicheConfig, config_path)
    one = read_niche_set(folder)
    progress(f"{one.name}: {len(one):,} creators with a niche; terms: {one.terms or 'none stated'}")
    tags = {"registry_hash": INPUTS, "data": one.name, **tracking.commit_tag()}
    with tracking.start_run(NAME, f"{NAME} on {one.name}", config.model_dump(), tags) as run:
        figures = pd.DataFrame(figures_of(one, held_out(one, config, progress=progress)))
        model = fit_niches(one.texts, one.labels, config, data=one.name, terms=one.terms)
        progress("fitted on all of them")
        metadata = _metadata(one, figures)
        every = figures[figures["task"] == "all creators"]
        run.log_metrics({str(row["metric"]): float(row["value"]) for row in every.to_dict("records")})
        run.log_dataset_digest("training", metadata["dataset_digest"], one.name)
        with tempfile.TemporaryDirectory() as temporary:
            files = Path(temporary)
            model.save(files)
            (files / "model_card.md").write_text(model_card(model, figures), encoding="utf-8")
            registered = tracking.register_model(
                run, NAME, files, metadata, loader_module="training.niche", pip_requirements=_REQUIREMENTS
            )
    return TrainedNiches(registered.version, model, one.name, figures)


def promote_niches(version: int | None = None) -> tuple[int, list[Gate]]:
    """Hold a version (the challenger where left out) against the gates; make it champion where every one passes.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        As `training.tracking.download`.
    """
    return promote_by(NAME, version, lambda candidate, champion: check_class_gates(candidate, champion, INPUTS))


def load_niches() -> tuple[int, NicheModel]:
    """The champion: its version and the model.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        Where there is none, or its files are not those that were registered.
    training.niche.NicheModelError
        Where it reads other inputs than this version counts.
    """
    registered = tracking.resolve(NAME, tracking.CHAMPION)
    return registered.version, load_niche_model(tracking.download(NAME, registered.version))


def assess_niches(tables: Tables, model: NicheModel | None, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """The niche of every creator: by the model, or by the word lists of the taxonomy where there is none.

    Parameters
    ----------
    tables : Tables
    model : NicheModel or None
        From `load_niches`.
    as_of : Timestamp, optional
        Posts and comments published later are left out.

    Returns
    -------
    DataFrame
        Indexed by creator_id: `niche`, `niche_probability` and `reason` as `training.niche.told` returns them.
    """
    return prior_niches(tables, as_of) if model is None else model.predict(read_niche_texts(tables, as_of))
