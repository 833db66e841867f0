"""Training runs from beginning to end: data, fit, evaluation, MLflow, registry; and promotion through the gates."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from features.histories import latest_knowledge
from features.signals import registry_hash
from features.tables import Tables
from training import plots, tracking
from training.authenticity import AuthenticityModel, ModelMismatchError, load_model
from training.config import AuthenticityConfig
from training.datasets import Dataset, join_datasets, make_dataset
from training.evaluation import Evaluation, compare, evaluate
from training.fitting import fit_authenticity
from training.gates import SIMULATED, Comparison, Gate, check_gates
from training.model_card import model_card
from training.simulation import SIMULATION_AS_OF, are_simulated, simulate_creators

NAME = "authenticity"
#: What a process that only loads the model needs besides this project.
_REQUIREMENTS = ["lightgbm", "numpy", "pandas", "pandera", "pyarrow", "scikit-learn", "scipy"]


class MixedCreatorsError(ValueError):
    """Some creators of one source are simulated and others are not."""


@dataclass(frozen=True)
class Trained:
    """A registered model with what was measured of it."""

    name: str
    version: int
    model: AuthenticityModel
    evaluation: Evaluation


@dataclass(frozen=True)
class Source:
    """Histories to learn from.

    Attributes
    ----------
    name : str
        "simulated", or what real histories are called.
    tables : dict of str to DataFrame
        Checked tables of creators taken to be organic.
    as_of : Timestamp
        Moment of knowledge.
    """

    name: str
    tables: Tables
    as_of: pd.Timestamp


def train_authenticity(
    config: AuthenticityConfig,
    histories: Mapping[str, Tables] | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train, measure and register the authenticity model; its alias becomes `challenger`.

    Parameters
    ----------
    config : AuthenticityConfig
    histories : mapping of str to tables, optional
        By source, checked histories of creators taken to be organic, into which simulated campaigns are injected.
        Simulated creators are learnt from too, unless simulated histories (told by their ids) are among these. The
        model is measured on the real creators where there are any.
    progress : callable
        Told what was done, in words.

    Raises
    ------
    training.fitting.TooFewCreatorsError
        Where there are too few creators to learn from.
    MixedCreatorsError
        Where some creators of one source are simulated and others are not.
    """
    sources = sources_of(config, histories or {})
    for source in sources:
        creators, posts = len(source.tables["creators"]), len(source.tables["posts"])
        progress(f"{creators:,} creators, {posts:,} posts: {source.name}, campaigns simulated")
    data = ", ".join(source.name for source in sources)
    tags = {"registry_hash": registry_hash(), "data": data, **tracking.commit_tag()}
    with tracking.start_run(NAME, f"{NAME} on {data}", config.model_dump(), tags) as run:
        parts = [dataset_of(source, config) for source in sources]
        dataset = join_datasets(parts) if len(parts) > 1 else parts[0]
        progress(f"computed {dataset.signals.shape[1]} signals of {len(dataset.signals):,} histories")
        model = fit_authenticity(dataset, config, progress)
        measured = unseen(dataset)
        evaluation = evaluate(model, dataset, measured, seed=config.data.seed)
        added = {
            "as_of": max(source.as_of for source in sources).isoformat(),
            "false_alarms_target": config.thresholds.false_alarms,
            "compared": _compare_with_champion(model, measured, config.data.seed),
        }
        model = replace(model, metadata={**model.metadata, **evaluation.metadata(), **added})
        progress(f"measured on unseen creators and vendors: {evaluation.source}")
        registered = _register(run, model, evaluation, dataset.digest)
    return Trained(NAME, registered.version, model, evaluation)


def dataset_of(source: Source, config: AuthenticityConfig) -> Dataset:
    """The data set of one source."""
    return make_dataset(source.tables, source.name, config.data, config.splits, as_of=source.as_of)


def unseen(dataset: Dataset) -> Dataset:
    """The creators a model of this data set is measured on: of its test split the real ones where there are any."""
    test = dataset.part("test")
    real = [name for name in test.creators["source"].unique() if name != SIMULATED]
    return test.of_source(*real) if real else test


def sources_of(config: AuthenticityConfig, histories: Mapping[str, Tables]) -> list[Source]:
    """What is learnt from: simulated creators, and these histories; see `train_authenticity`."""
    sources = [
        Source(_called(tables, name), tables, latest_knowledge(tables, pd.Timestamp.now(tz="UTC")))
        for name, tables in histories.items()
    ]
    if any(source.name == SIMULATED for source in sources):
        return sources
    simulated = simulate_creators(config.data.creators, config.data.seed)
    return [Source(SIMULATED, simulated, SIMULATION_AS_OF), *sources]


def _called(tables: Tables, name: str) -> str:
    """What histories are called: simulated ones always by that word, whatever their folder's name."""
    ids = tables["creators"]["creator_id"]
    simulated = are_simulated(ids)
    if simulated.any() and not simulated.all():
        shown = ", ".join(ids[simulated].head(3))
        message = (
            f"creators, creator_id: {int(simulated.sum()):,} of {len(ids):,} creators of {name} are simulated "
            f"({shown}); expected all or none, for figures on a mixture would hold for neither"
        )
        raise MixedCreatorsError(message)
    return SIMULATED if simulated.any() else name


def _compare_with_champion(model: AuthenticityModel, measured: Dataset, seed: int) -> Comparison | None:
    """The champion on the same test creators; none where there is no champion, or not one that reads these signals."""
    try:
        version = tracking.resolve(NAME, tracking.CHAMPION).version
        champion = load_model(tracking.download(NAME, version))
    except (tracking.ModelNotFoundError, tracking.CorruptModelError, ModelMismatchError):
        return None
    return compare(model, champion, version, measured, seed=seed)


def _register(
    run: tracking.Run, model: AuthenticityModel, evaluation: Evaluation, digest: str
) -> tracking.ModelVersion:
    metrics = {
        f"{name}.{metric}": float(value)
        for name, report in evaluation.reports.items()
        for metric, value in report["value"].dropna().items()
    }
    metrics |= {
        f"{head}.{figure}": float(value)
        for figure, column in evaluation.flagged.items()
        for head, value in column.dropna().items()
    }
    metrics |= {
        f"{name}.floor.{floor}.auc": float(value)
        for name, table in evaluation.floors.items()
        for floor, value in table["auc"].dropna().items()
    }
    run.log_metrics(metrics)
    run.log_dataset_digest("training", digest, evaluation.source)
    run.log_dataset_digest("test", evaluation.dataset_digest, evaluation.source, context="test")
    run.log_figure(plots.reliability(evaluation), "reliability")
    run.log_figure(plots.floors(evaluation), "floors")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder)
        (folder / "model_card.md").write_text(model_card(model, evaluation), encoding="utf-8")
        return tracking.register_model(
            run,
            NAME,
            folder,
            dict(model.metadata),
            loader_module="training.authenticity",
            pip_requirements=_REQUIREMENTS,
        )


def promote_authenticity(version: int | None = None) -> tuple[int, list[Gate]]:
    """Hold a version (the challenger where left out) against the gates; make it champion where every one passes.

    Returns
    -------
    tuple of int and list of Gate
        The version and every gate, passed or not.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        As `training.tracking.download`.
    """
    version = version or tracking.resolve(NAME, tracking.CHALLENGER).version
    candidate = tracking.read_metadata(NAME, version)
    try:
        holder = tracking.resolve(NAME, tracking.CHAMPION).version
        champion = tracking.read_metadata(NAME, holder)
    except tracking.ModelNotFoundError:
        holder, champion = None, None
    gates = check_gates(candidate, champion, registry_hash(), holder)
    if all(gate.passed for gate in gates):
        tracking.promote(NAME, version)
    return version, gates
