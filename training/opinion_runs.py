"""The models of opinions and safety from labelled texts to champion."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training import tracking
from training.benchmark_opinions import ABOVE, held_out_figures
from training.config import read_settings
from training.gates import Gate, check_class_gates
from training.opinion_sets import LabelledTexts, read_opinion_set
from training.opinions import (
    TASKS,
    OpinionConfig,
    OpinionModel,
    fit_opinions,
    inputs_digest,
    load_opinion_model,
    model_card,
)
from training.promotion import class_metadata, promote_by

_REQUIREMENTS = ["numpy", "pandas", "pandera", "pyarrow", "pydantic", "scikit-learn", "scipy", "sentencepiece"]


@dataclass(frozen=True)
class TrainedOpinions:
    """A registered model with what was measured of models like it on training texts that those had not seen.

    Attributes
    ----------
    figures : DataFrame
        As `training.benchmark_opinions.held_out_figures` returns them.
    """

    name: str
    version: int
    model: OpinionModel
    data: str
    figures: pd.DataFrame


def _digest(one: LabelledTexts) -> str:
    rows = [f"{text}:{label}" for text, label in zip(one.texts, one.labels, strict=True)]
    return hashlib.sha256("|".join(rows).encode()).hexdigest()[:16]


def train_opinions(
    name: str, folder: Path, config_path: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> TrainedOpinions:
    """Train a model, measure it by folds of its training set and register it as challenger.

    The dev part stays closed: to promote by it would be to choose by it.

    Parameters
    ----------
    name : {"opinions", "safety"}
    folder : Path
        Below which the set lies.
    config_path : Path, optional
        TOML settings.
    progress : callable

    Raises
    ------
    ValueError
        Where settings or the set cannot be used; the message names them.
    """
    task, config = TASKS[name], read_settings(OpinionConfig, config_path)
    train = read_opinion_set(task, folder, "train")
    progress(f"{train.name}: {len(train):,} texts; terms: {train.terms}")
    tags = {"registry_hash": inputs_digest(), "data": train.name, **tracking.commit_tag()}
    with tracking.start_run(name, f"{name} on {train.name}", config.model_dump(), tags) as run:
        figures = held_out_figures(task, train, config, progress=progress)
        model = fit_opinions(task, train.texts, train.labels, config, data=train.name, terms=train.terms)
        progress("fitted on all of them")
        metadata = {
            "registry_hash": inputs_digest(),
            "data": train.name,
            "dataset_digest": _digest(train),
            **class_metadata(figures, ABOVE[name]),
            "terms": {train.name: train.terms},
        }
        run.log_metrics({str(row["metric"]): float(row["value"]) for row in figures.to_dict("records")})
        run.log_dataset_digest("training", metadata["dataset_digest"], train.name)
        with tempfile.TemporaryDirectory() as temporary:
            files = Path(temporary)
            model.save(files)
            (files / "model_card.md").write_text(model_card(model, figures), encoding="utf-8")
            registered = tracking.register_model(
                run, name, files, metadata, loader_module="training.opinions", pip_requirements=_REQUIREMENTS
            )
    return TrainedOpinions(name, registered.version, model, train.name, figures)


def promote_opinions(name: str, version: int | None = None) -> tuple[int, list[Gate]]:
    """Hold a version of "opinions" or "safety" against the gates; as `training.promotion.promote_by`."""
    return promote_by(
        name,
        version,
        lambda candidate, champion: check_class_gates(candidate, champion, inputs_digest(), ABOVE[name]),
    )


def load_opinions(name: str) -> tuple[int, OpinionModel]:
    """The champion of "opinions" or "safety": its version and the model.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        Where there is none, or its files are not those that were registered.
    training.opinions.OpinionModelError
        Where it reads other inputs than this version counts.
    """
    registered = tracking.resolve(name, tracking.CHAMPION)
    return registered.version, load_opinion_model(tracking.download(name, registered.version))
