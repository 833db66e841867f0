"""Models that learn from labels of single rows, accounts and comments: trained, measured, registered, promoted alike.

What is measured is always a source that the model has not seen: each real set in turn is left out, fitted on all
others, and read by the model and by the floors. Without real sets the source is generated anew, under another seed;
that says little of real accounts and comments, and every such figure carries the word "simulated".
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from features.accounts import SIGNALS, account_signals
from features.comment_texts import FORM, form_signals
from training import accounts, comments, tracking
from training.account_sets import read_account_sets, simulate_accounts
from training.baselines import FLOORS, fit_floors
from training.comment_sets import read_comment_sets, simulate_comments
from training.config import read_settings
from training.gates import SIMULATED, Gate, check_label_gates
from training.metrics import auc, average_precision, bootstrap_interval, brier, recall_at_fpr
from training.promotion import promote_by
from training.quantification import em_share, shift_prior

Progress = Callable[[str], None]
DRAWS = 300
#: Generated rows that a model of generated rows alone is measured on, and how far their seed is from its own.
_FRESH, _FRESH_SEED = 6_000, 10_007
_REQUIREMENTS = ["lightgbm", "numpy", "pandas", "pandera", "pyarrow", "pydantic", "scikit-learn", "scipy"]


class NoSetsError(ValueError):
    """A folder in which no labelled set was found."""


@dataclass(frozen=True)
class LabelTask:
    """One of the two models.

    Attributes
    ----------
    name : str
        In the registry and on the command line.
    read_config : callable
        Path of a TOML file or None to settings; raises `training.config.ConfigError`.
    read_sets : callable
        Folder to labelled sets.
    simulate : callable
        Rows and seed to a generated set.
    fit : callable
        Sets (none for generated rows alone) and settings to a model; generated rows are added as the settings say.
    labels, probabilities, signals : callable
        Of a set: bool labels; a model's probabilities at equal numbers, NaN where it abstains; what floors read.
    load : callable
        Folder to model.
    card : callable
        Model and figures to Markdown.
    domain : callable
        Of a set: what its labels mean.
    halves : callable
        Of a set: bool of shape (rows,), rows that belong together on one side.
    inputs : str
        Digest of what the model reads of a row.
    loader : str
        Module that loads the model for MLflow's own tools.
    """

    name: str
    read_config: Callable[[Path | None], Any]
    read_sets: Callable[[Path], list[Any]]
    simulate: Callable[[int, int], Any]
    fit: Callable[[Sequence[Any], Any], Any]
    labels: Callable[[Any], np.ndarray]
    probabilities: Callable[[Any, Any], np.ndarray]
    signals: Callable[[Any], pd.DataFrame]
    load: Callable[[Path], Any]
    card: Callable[[Any, pd.DataFrame], str]
    domain: Callable[[Any], str]
    halves: Callable[[Any], np.ndarray]
    inputs: str
    loader: str


def _fit_accounts(sets: Sequence[Any], config: Any) -> Any:
    generated = [simulate_accounts(config.simulated, config.seed, worlds=config.worlds)] if config.simulated else []
    return accounts.fit_accounts([*sets, *generated], config)


def _account_probabilities(model: Any, one: Any) -> np.ndarray:
    return np.where(model.reasons(one.accounts) == "", model.balanced(one.accounts), np.nan)


def _comment_probabilities(model: Any, one: Any) -> np.ndarray:
    domains = pd.Series(one.domain, index=one.comments.index, dtype="str")
    return np.asarray(model.score(one.comments["text"], domains)["inauthentic_probability"], dtype=np.float64)


def _digest(*parts: object) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]


TASKS: dict[str, LabelTask] = {
    "accounts": LabelTask(
        name="accounts",
        read_config=partial(read_settings, accounts.AccountConfig),
        read_sets=read_account_sets,
        simulate=simulate_accounts,
        fit=_fit_accounts,
        labels=lambda one: np.asarray(one.fake, dtype=bool),
        probabilities=_account_probabilities,
        signals=lambda one: account_signals(one.accounts),
        load=accounts.load_account_model,
        card=accounts.model_card,
        domain=lambda _: "fake",
        halves=lambda one: np.arange(len(one.fake)) % 2 == 0,
        inputs=_digest(*SIGNALS.items(), *((name, edges.tolist()) for name, edges in accounts.GRID.items())),
        loader="training.accounts",
    ),
    "comments": LabelTask(
        name="comments",
        read_config=partial(read_settings, comments.CommentConfig),
        read_sets=read_comment_sets,
        simulate=simulate_comments,
        fit=comments.fit_comments,
        labels=lambda one: np.asarray(one.inauthentic, dtype=bool),
        probabilities=_comment_probabilities,
        signals=lambda one: form_signals(one.comments["text"]),
        load=comments.load_comment_model,
        card=comments.model_card,
        domain=lambda one: str(one.domain),
        # copies of a text stay on one side
        halves=lambda one: pd.util.hash_array(one.comments["text"].to_numpy(dtype=object)) % 2 == 0,
        inputs=_digest(*FORM),
        loader="training.comments",
    ),
}


def _both_kinds(labels: np.ndarray) -> bool:
    return bool(labels.any() and not labels.all())


def _measure(
    task: LabelTask, title: str, trained: Sequence[Any], unseen: Any, model: Any, seed: int
) -> list[dict[str, object]]:
    """Figures of a model on a set that it has not seen, with the floors fitted on what it has seen."""
    y, p = task.labels(unseen), task.probabilities(model, unseen)
    known = ~np.isnan(p)
    y, p = y[known].astype(np.float64), p[known]
    corrected = shift_prior(p, 0.5, min(max(em_share(p), 1e-3), 1 - 1e-3))
    x = pd.concat([task.signals(one) for one in trained], ignore_index=True)
    floors = fit_floors(
        x,
        np.concatenate([task.labels(one) for one in trained]),
        task.signals(unseen)[known].reset_index(drop=True),
        y,
        draws=DRAWS,
        seed=seed,
    )
    base = brier(y, np.full(len(y), y.mean()))

    def row(metric: str, found: tuple[float, float, float], below: dict[str, float]) -> dict[str, object]:
        value, low, high = found
        own = {f"floor_{name}": below.get(name, np.nan) for name in (*FLOORS, "base_rate")}
        shown = {"task": title, "metric": metric, "value": value, "low": low, "high": high, "rows": len(y)}
        return {**shown, "target": np.nan, "reached": None, **own}

    def of_floors(metric: Callable[..., float]) -> dict[str, float]:
        return {str(name): metric(y, column.to_numpy()) for name, column in floors.scores.items()}

    def recall(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
        return recall_at_fpr(y, p, weights, fpr=0.05)

    return [
        row("auc", bootstrap_interval(auc, y, p, draws=DRAWS, seed=seed), dict(floors.metrics["auc"])),
        row(
            "average_precision",
            bootstrap_interval(average_precision, y, p, draws=DRAWS, seed=seed),
            of_floors(average_precision),
        ),
        row("recall_at_5_false_alarms", bootstrap_interval(recall, y, p, draws=DRAWS, seed=seed), of_floors(recall)),
        row("brier", bootstrap_interval(brier, y, corrected, draws=DRAWS, seed=seed), {"base_rate": base}),
        row("assessed_share", (float(known.mean()), np.nan, np.nan), {}),
    ]


def held_out(task: LabelTask, sets: Sequence[Any], config: Any, progress: Progress = lambda _: None) -> pd.DataFrame:
    """Figures on sources left out of training, one at a time.

    Parameters
    ----------
    task : LabelTask
    sets : sequence
        Real sets; those with labels of one kind only are trained on and not left out.
    config
        Settings of the task.
    progress : callable

    Returns
    -------
    DataFrame
        `task` ("unseen: " and the source, or "unseen half: " where no other source has labels of that meaning),
        `metric`, `value` with a 95 % interval (`low`, `high`), `rows`, `target` and `reached` (empty), and
        `floor_<name>` of each floor. The Brier score is that after prior correction by expectation maximisation on the
        unseen source itself, without its labels; beside it stands that of the base rate.
    """
    if not sets:
        fresh = task.simulate(_FRESH, config.seed + _FRESH_SEED)
        model = task.fit([], config)
        seen = task.simulate(_FRESH, config.seed)
        return pd.DataFrame(_measure(task, f"unseen: {SIMULATED}", [seen], fresh, model, config.seed))
    rows: list[dict[str, object]] = []
    generated = task.simulate(_FRESH, config.seed)
    for position, unseen in enumerate(sets):
        if not _both_kinds(task.labels(unseen)):
            continue
        seen = [one for place, one in enumerate(sets) if place != position]
        title, rest = f"unseen: {unseen.name}", unseen
        if task.domain(unseen) not in {task.domain(one) for one in (generated, *seen)}:
            # nothing else says what its labels mean: half of it does
            first = task.halves(unseen)
            title, seen, rest = f"unseen half: {unseen.name}", [*seen, unseen.take(first)], unseen.take(~first)
        progress(title)
        rows += _measure(task, title, [*seen, generated], rest, task.fit(seen, config), config.seed)
    if not rows:
        message = f"{task.name}: no set has labels of both kinds: {', '.join(one.name for one in sets)}"
        raise NoSetsError(message)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class TrainedLabels:
    """A registered model with what was measured of it.

    Attributes
    ----------
    figures : DataFrame
        As `held_out` returns them.
    """

    name: str
    version: int
    model: Any
    data: str
    figures: pd.DataFrame


def _source(title: str) -> str:
    """Source that a task of `held_out` is named for."""
    return title.partition(": ")[2]


def _summary(figures: pd.DataFrame, limit: str = "auc") -> dict[str, dict[str, Any]]:
    """Figures as the gates read them: by source, each metric with its interval."""
    found: dict[str, dict[str, Any]] = {}
    for row in figures.to_dict("records"):
        bounds = {key: None if pd.isna(row[key]) else float(row[key]) for key in ("value", "low", "high")}
        found.setdefault(_source(row["task"]), {})[row["metric"]] = bounds
    return dict(sorted(found.items(), key=lambda item: item[1][limit]["value"]))


def _metadata(task: LabelTask, data: str, sets: Sequence[Any], figures: pd.DataFrame) -> dict[str, Any]:
    heads = _summary(figures)
    floors: dict[str, Any] = {}
    for row in figures[figures["metric"] == "auc"].to_dict("records"):
        source = _source(row["task"])
        floors[source] = {
            name: {"auc": {"value": None if pd.isna(row[f"floor_{name}"]) else float(row[f"floor_{name}"])}}
            for name in FLOORS
        }
    for row in figures[figures["metric"] == "brier"].to_dict("records"):
        heads[_source(row["task"])]["brier_of_base_rate"] = {"value": float(row["floor_base_rate"])}
    digests = [(one.name, len(task.labels(one)), int(task.labels(one).sum())) for one in sets]
    worst = next(iter(heads))
    return {
        "registry_hash": task.inputs,
        "data": data,
        "dataset_digest": _digest(task.name, data, *digests),
        "worst_source": worst,
        "composite": heads[worst],
        "heads": heads,
        "head_floors": floors,
        "terms": {one.name: one.terms for one in sets},
    }


def train_labels(
    name: str, config_path: Path | None = None, folder: Path | None = None, progress: Progress = lambda _: None
) -> TrainedLabels:
    """Train the account or the comment model, measure it on unseen sources and register it as challenger.

    Parameters
    ----------
    name : {"accounts", "comments"}
    config_path : Path, optional
        TOML settings.
    folder : Path, optional
        Where labelled sets lie; generated rows alone where left out.
    progress : callable

    Raises
    ------
    NoSetsError
        Where the folder holds no set that is known.
    ValueError
        Where settings or a set cannot be used; the message names the file.
    """
    task = TASKS[name]
    config = task.read_config(config_path)
    sets = task.read_sets(folder) if folder else []
    if folder and not sets:
        message = f"no labelled {name} below {folder.name}"
        raise NoSetsError(message)
    data = " + ".join(one.name for one in sets) or SIMULATED
    for one in sets:
        labels = task.labels(one)
        progress(
            f"{one.name}: {len(labels):,} {name}, {int(labels.sum()):,} labelled; terms: {one.terms or 'none stated'}"
        )
    progress(f"{name}: {'generated rows beside them' if sets else 'generated rows only (simulated)'}")
    tags = {"registry_hash": task.inputs, "data": data, **tracking.commit_tag()}
    with tracking.start_run(name, f"{name} on {data}", config.model_dump(), tags) as run:
        figures = held_out(task, sets, config, progress)
        model = task.fit(sets, config)
        progress("fitted on all of them")
        metadata = _metadata(task, data, sets, figures)
        shown = figures[figures["value"].notna()]
        run.log_metrics(
            {f"{_source(row['task'])}.{row['metric']}": row["value"] for row in shown.to_dict("records")}
            | {
                f"{source}.floor.{floor}.auc": row["auc"]["value"]
                for source, floors in metadata["head_floors"].items()
                for floor, row in floors.items()
                if row["auc"]["value"] is not None
            }
        )
        run.log_dataset_digest("training", metadata["dataset_digest"], data)
        with tempfile.TemporaryDirectory() as temporary:
            files = Path(temporary)
            model.save(files)
            (files / "model_card.md").write_text(task.card(model, figures), encoding="utf-8")
            registered = tracking.register_model(
                run, name, files, metadata, loader_module=task.loader, pip_requirements=_REQUIREMENTS
            )
    return TrainedLabels(name, registered.version, model, data, figures)


def promote_labels(name: str, version: int | None = None) -> tuple[int, list[Gate]]:
    """Hold a version (the challenger where left out) against the gates; make it champion where every one passes.

    Returns
    -------
    tuple of int and list of Gate

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        As `training.tracking.download`.
    """
    inputs = TASKS[name].inputs
    return promote_by(name, version, lambda candidate, champion: check_label_gates(candidate, champion, inputs))


def load_labels(name: str) -> tuple[int, Any]:
    """The champion: its version and the model.

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        Where there is none, or its files are not those that were registered.
    ValueError
        Where it reads other inputs than this version computes.
    """
    registered = tracking.resolve(name, tracking.CHAMPION)
    return registered.version, TASKS[name].load(tracking.download(name, registered.version))
