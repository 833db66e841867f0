"""The front door: the command line of realreach."""

import math
import os
import socket
import sys
from datetime import datetime
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from features.memory import KEEP_FREED_MEMORY, keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from features.engines import Engine
    from features.peers import Peers
    from features.tables import TableError, Tables
    from serving.batches import SignalFrames
    from training.evaluation import Evaluation

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
HOST = "127.0.0.1"
#: Accounts from which on resampling them says something of how uncertain their share of fakes is.
LEAST_SAMPLE = 30
#: Creators whose share of fakes is told.
SHOWN_CREATORS = 20
#: First words of figures that are better the lower they are.
LOWER_IS_BETTER = ("brier", "ece", "errors", "false_alarms", "flagged")

app = typer.Typer(
    name="realreach",
    help="Which micro-influencers are worth a brand's money: signals, calibrated scores, ranked creators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)


class Model(StrEnum):
    """Models that can be trained."""

    accounts = "accounts"
    comments = "comments"
    authenticity = "authenticity"
    fit = "fit"
    niche = "niche"
    opinions = "opinions"
    safety = "safety"
    all = "all"


class Benchmark(StrEnum):
    """What can be measured."""

    accounts = "accounts"
    comments = "comments"
    authenticity = "authenticity"
    evasion = "evasion"
    fit = "fit"
    collaborations = "collaborations"
    briefs = "briefs"
    retrieval = "retrieval"
    niche = "niche"
    opinions = "opinions"
    safety = "safety"
    signals = "signals"
    service = "service"
    review = "review"


class Domain(StrEnum):
    """Where comments stand."""

    social = "social"
    review = "review"


class EngineChoice(StrEnum):
    """Who computes."""

    local = "local"
    dask = "dask"


class Language(StrEnum):
    """Languages that reasons are written in."""

    en = "en"
    vi = "vi"


def _refuse(error: object, hint: str = "") -> NoReturn:
    err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
    if hint:
        err.print(hint, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(REFUSED)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        _say(f"realreach {version('realreach')}")
        raise typer.Exit(DONE)


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Which micro-influencers are worth a brand's money: signals, calibrated scores, ranked creators."""


def _require_free(host: str, port: int) -> None:
    """Refuse an address that something listens on already: two servers on one port would answer in turn."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _refuse(f"{host}:{port} cannot be listened on: {error.strerror}", "Choose another with --host or --port.")


def _now() -> "pd.Timestamp":
    import pandas as pd

    return pd.Timestamp.now(tz="UTC").floor("us")


def _is_day(text: str) -> bool:
    return ":" not in text and "T" not in text.upper()


def _as_of(text: str | None) -> "pd.Timestamp | None":
    import pandas as pd

    if text is None:
        return None
    try:
        moment = pd.Timestamp(datetime.fromisoformat(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO date; write 1 February 2026 as 2026-02-01") from error
    if moment.tz_localize(None) > _now().tz_localize(None) + pd.Timedelta(days=1):
        raise typer.BadParameter(f"{text} has not come yet: nothing can be known as of then")
    if moment.tz is None:
        # a day without a time means its end: what was seen that day counts
        moment = moment + pd.Timedelta(days=1) - pd.Timedelta(1, "us") if _is_day(text) else moment
        return moment.tz_localize("UTC")
    return moment.tz_convert("UTC")


def _check_ending(path: Path | None) -> Path | None:
    if path is not None and path.suffix not in (".parquet", ".csv"):
        raise typer.BadParameter(f"{path.name}: cannot tell the format; use a name that ends in .parquet or .csv")
    return path


def _read(folder: Path) -> "Tables":
    from features.tables import TableError, read_tables

    try:
        return read_tables(folder, now=_now())
    except TableError as error:
        _refuse_tables(error, folder)


def _refuse_tables(error: "TableError", folder: Path) -> NoReturn:
    count = len(error.problems)
    _refuse(error, f"{count} problem{'s' if count > 1 else ''} in {folder}; the contract is in features/tables.py")


def _engine(choice: EngineChoice, scheduler: str | None) -> "Engine":
    from features.engines import Engine

    if scheduler and choice is EngineChoice.local:
        raise typer.BadParameter("--scheduler needs --engine dask")
    return Engine(choice.value, scheduler)


Folder = Annotated[Path, typer.Argument(help="Folder of tables.")]
OutFile = Annotated[Path, typer.Option("--out", help="Parquet or CSV, by its ending.", callback=_check_ending)]
AsOf = Annotated[
    str | None, typer.Option(help="What was known when, such as 2026-01-31; the last observation where left out.")
]
WhichEngine = Annotated[EngineChoice, typer.Option(help="Who computes: this process, or Dask.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask scheduler, such as tcp://10.0.0.5:8786; this machine's cores where left out.")
]
CreatorsAtOnce = Annotated[int, typer.Option(min=1, help="Creators that are read and computed at once.")]


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(help="A mapping that is shipped (features/sources), or `columns` with --mapping.")
    ],
    paths: Annotated[list[Path], typer.Argument(help="Files, or the folder they lie in.")],
    folder: Annotated[Path, typer.Option("--out", help="New folder for the tables.")],
    mapping: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML file that says which column is which.")
    ] = None,
) -> None:
    """Turn exports into tables."""
    from features.sources.columns import import_tables, read_mapping
    from features.tables import TableError, write_tables

    try:
        tables, report = import_tables(read_mapping(mapping or source), paths, now=_now())
        write_tables(tables, folder)
    except (TableError, ValueError, OSError) as error:
        _refuse(error, f"Nothing was written to {folder}.")
    _say(str(report))
    _say(f"{folder}: " + ", ".join(f"{len(frame):,} {name}" for name, frame in tables.items()))


@app.command()
def check(folder: Folder) -> None:
    """Check tables against the contract: every problem named, exit 1 where there is one."""
    tables = _read(folder)
    _say(f"{folder}: " + ", ".join(f"{len(frame):,} {name}" for name, frame in tables.items()) + ": no problems")


def _evaluation_tables(evaluation: "Evaluation") -> list[Table]:
    heads = Table(
        title=f"Unseen: {evaluation.described} (AUC with 95 % interval; * at 5 % FPR)",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("", "creators", "AUC", "recall*", "ECE", "best floor"):
        heads.add_column(column, justify="left" if not column else "right")
    for name, report in evaluation.reports.items():
        figures = report["value"]
        beaten = evaluation.floors[name]["auc"].drop("prevalence")
        heads.add_row(
            name.replace("_", " "),
            f"{len(evaluation.truths[name]):,}",
            "too few cases"
            if math.isnan(figures["auc"])
            else f"{figures['auc']:.3f} ({report['low']['auc']:.3f}–{report['high']['auc']:.3f})",
            "–" if math.isnan(figures["auc"]) else f"{figures['recall_at_fpr_5']:.2f}",
            f"{figures['ece']:.3f}",
            f"{beaten.max():.3f} {str(beaten.idxmax()).replace('_', ' ')}" if beaten.notna().any() else "–",
        )
    floors = Table(title="How hard the world is: AUC on “some manipulation”", title_justify="left", box=SIMPLE_HEAD)
    for column in ("", "AUC", "limit"):
        floors.add_column(column, justify="left" if not column else "right")
    from training.gates import DEPTH_2_CEILING, MODEL_CEILING, SINGLE_SIGNAL_CEILING, STUMP_CEILING

    limits = {"stump": STUMP_CEILING, "depth_2": DEPTH_2_CEILING}
    for floor, auc in evaluation.floors["any_manipulation"]["auc"].items():
        limit = limits.get(str(floor))
        floors.add_row(str(floor).replace("_", " "), f"{auc:.3f}", f"≤ {limit}" if limit else "")
    best = evaluation.signals.iloc[0]
    floors.add_row(f"best single signal ({best.name})", f"{best['auc_either_side']:.3f}", f"≤ {SINGLE_SIGNAL_CEILING}")
    floors.add_row("this model", f"{evaluation.composite_auc:.3f}", f"≤ {MODEL_CEILING}")
    return [heads, floors]


@app.command()
def train(
    model: Annotated[Model, typer.Argument(help="Which model; `all` trains each on simulated or generated data.")],
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help=(
                "authenticity: folder of tables of creators taken to be organic, or of such folders; simulated ones "
                "are learnt from too. accounts, comments: any folder; every labelled set below it that is known, or "
                "has the contract's columns and a label, is trained on. "
                "fit: folder of tables with brands and collaborations (and decisions, where there are any). "
                "opinions, safety: folder below which uit_vsfc or vihsd lies. "
                "Simulated creators, generated accounts and comments where left out."
            ),
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="TOML file of settings.")] = None,
) -> None:
    """Train a model and register it as challenger; figures go to MLflow and to the terminal."""
    if model is Model.all and (data or config):
        raise typer.BadParameter("--data and --config are of one model; name it instead of all")
    if model is Model.niche and data is None:
        raise typer.BadParameter("train niche needs --data: until it is trained, the word lists of the taxonomy serve")
    if model is Model.fit and data is None:
        raise typer.BadParameter("train fit needs --data: until it is trained, the prior ranks (likeness of texts)")
    if model in (Model.opinions, Model.safety) and data is None:
        raise typer.BadParameter(f"train {model.value} needs --data: the folder below which its labelled set lies")
    for one in _models(model):
        if one is Model.authenticity:
            _train_authenticity(data, config)
        elif one is Model.niche and data:
            _train_niches(data, config)
        elif one is Model.fit and data:
            _train_fit(data, config)
        elif one in (Model.opinions, Model.safety) and data:
            _train_opinions(one.value, data, config)
        else:
            _train_labels(one.value, data, config)


def _models(model: Model) -> list[Model]:
    """Models that are meant; `all` are those that can learn from something generated."""
    return [Model.accounts, Model.comments, Model.authenticity] if model is Model.all else [model]


def _train_fit(data: Path, config: Path | None) -> None:
    from features.histories import latest_knowledge
    from training.config import ConfigError
    from training.fit import TooFewPairsError
    from training.fit_runs import train_fit
    from training.fit_tables import FitTablesError

    tables, now = _read(data), _now()
    as_of = latest_knowledge(tables, now)
    try:
        trained = train_fit(tables, data.resolve().name, config, as_of=as_of, imported_at=now, progress=_say)
    except (ConfigError, FitTablesError, TooFewPairsError) as error:
        _refuse(error)
    figures = trained.figures
    wide = figures.pivot_table(index="metric", columns="scorer", values="value", sort=False)
    out.print(_figures_table("Brands and creators left out of training (mean over brands)", wide))
    prior = figures[figures["scorer"] == "prior"][["metric", "gap", "gap_low", "gap_high"]]
    out.print(_figures_table("The ranker less the prior, on the same brands (95 % over brands)", prior))
    _say(f"Fit as a probability, chosen and others weighing the same: off by {trained.calibration_error:.3f} (ECE)")
    _registered("fit", trained.version)


def _train_niches(data: Path, config: Path | None) -> None:
    from training.niche_runs import train_niches

    try:
        trained = train_niches(data, config, _say)
    except ValueError as error:  # settings and tables: each says which file and what would be right
        _refuse(error)
    out.print(_label_figures(f"niche, trained on {trained.data}: by models of other creators", trained.figures))
    _registered("niche", trained.version)


def _train_opinions(name: str, data: Path, config: Path | None) -> None:
    from training.opinion_runs import train_opinions

    try:
        trained = train_opinions(name, data, config, _say)
    except ValueError as error:  # settings and sets: each says which file and what would be right
        _refuse(error)
    out.print(_label_figures(f"{name}, trained on {trained.data}: by models of other texts", trained.figures))
    _registered(name, trained.version)


def _registered(name: str, version: int) -> None:
    _say(f"Registered as challenger: {name} version {version}")
    _say(f"Next: realreach promote {name} {version}")


def _train_authenticity(data: Path | None, config: Path | None) -> None:
    from training.config import ConfigError, read_config
    from training.fitting import TooFewCreatorsError
    from training.runs import MixedCreatorsError, train_authenticity

    try:
        trained = train_authenticity(read_config(config), _read_sources(data) if data else None, progress=_say)
    except (ConfigError, TooFewCreatorsError, MixedCreatorsError) as error:
        _refuse(error)
    for table in _evaluation_tables(trained.evaluation):
        out.print(table)
    if trained.evaluation.too_easy:
        _say("The simulated world is too easy: the model separates it almost perfectly. It cannot be promoted.")
    _registered(trained.name, trained.version)


def _read_sources(data: Path) -> dict[str, "Tables"]:
    """Tables of a folder by its name; where it has no creators table, those of each folder in it that has one."""
    if any(data.glob("creators.*")):
        return {data.resolve().name: _read(data)}
    folders = sorted(path for path in data.iterdir() if path.is_dir() and any(path.glob("creators.*")))
    if not folders:
        _refuse(ValueError(f"{data}: no creators table in it, nor in a folder of it"))
    return {folder.name: _read(folder) for folder in folders}


def _train_labels(name: str, data: Path | None, config: Path | None) -> None:
    from training.label_models import train_labels

    try:
        trained = train_labels(name, config, data, _say)
    except ValueError as error:  # settings and sets: each says which file and what would be right
        _refuse(error)
    out.print(
        _label_figures(f"{name}, trained on {trained.data}: by models that have not seen the source", trained.figures)
    )
    if trained.data == "simulated":
        _say(
            f"Simulated: these figures are of generated {name}; "
            f"`realreach benchmark {name} --data DIR` measures on real ones."
        )
    _registered(trained.name, trained.version)


def _label_figures(title: str, figures: "pd.DataFrame") -> Table:
    """Figures of the account and comment models: value and interval, target, and the best floor."""
    import pandas as pd

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("", "value", "95 %", "target", "best floor"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=column in ("value", "95 %"))
    floors = [str(name) for name in figures.columns if str(name).startswith("floor_")]
    before = ""
    for row in figures.to_dict("records"):
        if row["task"] != before:
            table.add_row(Text(str(row["task"]).replace("_", " "), style="bold"))
            before = row["task"]
        own = {name: float(row[name]) for name in floors if pd.notna(row[name])}
        lower = str(row["metric"]).startswith(LOWER_IS_BETTER)
        best = sorted(own, key=own.__getitem__, reverse=not lower)[:1]
        reached = "" if pd.isna(row["reached"]) else (" reached" if row["reached"] else " MISSED")
        table.add_row(
            f"  {str(row['metric']).replace('_', ' ')}",
            _figure(float(row["value"])),
            f"{_figure(float(row['low']))}–{_figure(float(row['high']))}" if pd.notna(row["low"]) else "",
            "" if pd.isna(row["target"]) else f"{'≤' if lower else '≥'} {_figure(float(row['target']))}{reached}",
            "".join(f"{_figure(own[name])} {name.removeprefix('floor_').replace('_', ' ')}" for name in best),
        )
    return table


@app.command()
def promote(
    model: Annotated[Model, typer.Argument(help="Which model; `all` promotes each one's challenger.")],
    version: Annotated[int | None, typer.Argument(min=1, help="Which version; the challenger where left out.")] = None,
) -> None:
    """Hold a registered version against the gates; where all pass, make it champion."""
    if model is Model.all and version:
        raise typer.BadParameter("a version is of one model; name it instead of all")
    for one in _models(model):
        _promote(one.value, version)


def _promote(name: str, version: int | None) -> None:
    from training.fit_runs import promote_fit
    from training.label_models import TASKS, promote_labels
    from training.niche_runs import promote_niches
    from training.opinion_runs import promote_opinions
    from training.opinions import TASKS as OPINION_TASKS
    from training.runs import promote_authenticity
    from training.tracking import CorruptModelError, ModelNotFoundError

    promoters = {"fit": promote_fit, "niche": promote_niches, "authenticity": promote_authenticity}
    promoters |= {name: partial(promote_labels, name) for name in TASKS}
    promoters |= {name: partial(promote_opinions, name) for name in OPINION_TASKS}
    try:
        promoted, gates = promoters[name](version)
    except (ModelNotFoundError, CorruptModelError) as error:
        _refuse(error, f"Train one with `realreach train {name}`.")
    table = Table(title=f"Gates of {name} version {promoted}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("gate", "passed", "why"):
        table.add_column(column)
    for gate in gates:
        table.add_row(gate.name, "yes" if gate.passed else "NO", gate.words)
    out.print(table)
    if not all(gate.passed for gate in gates):
        _refuse(f"{name} version {promoted} was not promoted: a gate says no")
    _say(f"{name} version {promoted} is champion")


@app.command()
def score(
    folder: Folder,
    file: OutFile,
    as_of: AsOf = None,
    peers: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Peers that `realreach peers` wrote: what is usual in the evidence is then what is usual among them.",
        ),
    ] = None,
    base_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.999,
            help="Share of these creators with some manipulation that probabilities shall assume; that of training "
            "where left out. Flags do not depend on it.",
        ),
    ] = None,
    engine: WhichEngine = EngineChoice.local,
    scheduler: Scheduler = None,
    partition: CreatorsAtOnce = 5_000,
) -> None:
    """Score every creator of a folder with the champion; the file is a catalogue that recommend and serve can read."""
    from features.engines import EngineError
    from features.partitions import write_frames
    from features.peers import PeersError, read_peers
    from features.tables import TableError
    from serving.batches import score_folder
    from serving.models import load_champion
    from training.authenticity import ModelMismatchError
    from training.tracking import CorruptModelError, ModelNotFoundError

    chosen, moment, now = _engine(engine, scheduler), _as_of(as_of), _now()
    told: list[pd.DataFrame] = []
    try:
        loaded = load_champion()
        if base_rate is not None:
            loaded = loaded.assuming(base_rate)
        among = read_peers(peers) if peers else None
        frames = score_folder(folder, loaded, now=now, as_of=moment, peers=among, engine=chosen, creators=partition)
        rows = write_frames((_told(frame, told) for frame in frames), file)
    except (ModelNotFoundError, CorruptModelError, ModelMismatchError) as error:
        _refuse(
            error, "Train and promote one with `realreach train authenticity` and `realreach promote authenticity`."
        )
    except PeersError as error:
        _refuse(error, "Make peers with `realreach peers`.")
    except TableError as error:
        _refuse_tables(error, folder)
    except EngineError as error:
        _refuse(error)
    _say(_summary(told))
    _say(
        f"Wrote {file}: {rows:,} creators, {loaded.name} version {loaded.version}; probabilities assume that "
        f"{loaded.model.base_rate:.1%} of creators are manipulated"
    )


def _told(frame: "pd.DataFrame", told: "list[pd.DataFrame]") -> "pd.DataFrame":
    """The frame; of it, what the summary tells is kept."""
    ends = ("_flagged", "_assessed")
    told.append(frame[["as_of", "model_data", "authenticity", *(name for name in frame if str(name).endswith(ends))]])
    return frame


def _summary(told: "list[pd.DataFrame]") -> str:
    import pandas as pd

    from features.tables import HEADS

    frame = pd.concat(told, ignore_index=True)
    assessed = frame["authenticity"].notna()
    lines = [
        (
            f"As of {frame['as_of'].iloc[0]:%Y-%m-%d}, model trained on {frame['model_data'].iloc[0]} creators: "
            f"{int(assessed.sum()):,} of {len(frame):,} creators assessed"
        )
    ]
    if assessed.any():
        low, middle, high = frame["authenticity"].quantile([0.1, 0.5, 0.9])
        lines.append(f"authenticity: median {middle:.2f}, 10 % below {low:.2f}, 10 % above {high:.2f}")
    for head in HEADS:
        flagged = frame[f"{head}_flagged"].sum()
        lines.append(
            f"signals consistent with {head.replace('_', ' ')}: {int(flagged):,} flagged, "
            f"{int(frame[f'{head}_assessed'].sum()):,} assessed"
        )
    return "\n".join(lines)


@app.command()
def signals(
    folder: Folder,
    file: OutFile,
    as_of: AsOf = None,
    peers: Annotated[
        Path | None,
        typer.Option(help="Peers that `realreach peers` wrote, to place creators among; needs --positions."),
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(
            help="Where creators stand among the peers: Parquet or CSV, one row a creator and signal; needs --peers.",
            callback=_check_ending,
        ),
    ] = None,
    engine: WhichEngine = EngineChoice.local,
    scheduler: Scheduler = None,
    partition: CreatorsAtOnce = 5_000,
) -> None:
    """Write every signal of every creator of a folder, those that creators show together included; needs no model.

    One row a creator: creator_id, platform, niche, followers, tier, as_of, registry_hash, then one column a signal. A
    signal that the history does not carry is null, never 0.

    With --peers and --positions a second file says where each value stands: creator_id, signal, value, percentile (1
    to 99), robust_z, and the peers it was compared with (level, platform, tier, niche, n, p05, p95, as_of, peers_id).
    """
    from features.engines import EngineError
    from features.partitions import write_together
    from features.peers import PeersError, read_peers
    from features.tables import TableError
    from serving.batches import signals_of_folder

    if (peers is None) != (positions is None):
        raise typer.BadParameter("--peers and --positions go together: which peers, and the file to write")
    if positions is not None and positions.resolve() == file.resolve():
        raise typer.BadParameter("--out and --positions are the same file")
    chosen, moment, now = _engine(engine, scheduler), _as_of(as_of), _now()
    paths = [path for path in (file, positions) if path]
    told: list[pd.DataFrame] = []
    try:
        among = read_peers(peers) if peers else None
        frames = signals_of_folder(folder, now=now, as_of=moment, peers=among, engine=chosen, creators=partition)
        rows = write_together(_counted(frames, told), paths)
    except PeersError as error:
        _refuse(error, "Make peers with `realreach peers`.")
    except TableError as error:
        _refuse_tables(error, folder)
    except EngineError as error:
        _refuse(error)
    _say(_signals_summary(told))
    _say(f"Wrote {file}: {rows[0]:,} creators")
    if among and positions:
        _say(f"Wrote {positions}: {rows[1]:,} values among peers {among.id} ({among.source})")


def _counted(frames: "Iterable[SignalFrames]", told: "list[pd.DataFrame]") -> "Iterator[list[pd.DataFrame]]":
    """The frames to write; of the signals, how many creators have each is kept."""
    import pandas as pd

    from features.signals import SIGNALS

    for pair in frames:
        told.append(
            pd.DataFrame({"known": pair.signals[list(SIGNALS)].notna().sum(), "creators": len(pair.signals)}).assign(
                as_of=pair.signals["as_of"].max()
            )
        )
        yield [frame for frame in pair if frame is not None]


def _signals_summary(told: "list[pd.DataFrame]") -> str:
    import pandas as pd

    from features.signals import SIGNALS

    both = pd.concat(told)
    counts = both.groupby(level=0, sort=False)[["known", "creators"]].sum()
    creators = int(counts["creators"].iloc[0])
    lines = [f"As of {both['as_of'].max():%Y-%m-%d}: {len(counts)} signals of {creators:,} creators"]
    counts["family"] = [SIGNALS[str(name)].family for name in counts.index]
    for family, of_family in counts.groupby("family", sort=False):
        there = int((of_family["known"] > 0).sum())
        share = of_family["known"].sum() / max(of_family["creators"].sum(), 1)
        lines.append(f"{family}: {there} of {len(of_family)} signals found, {100 * share:.1f} % of their values known")
    return "\n".join(lines)


@app.command()
def peers(
    folder: Folder,
    file: Annotated[Path, typer.Option("--out", help="Parquet file of the peers.")],
    source: Annotated[str, typer.Option(help="Whose creators these are, such as 'our agency, beauty, Vietnam'.")],
    as_of: AsOf = None,
    engine: WhichEngine = EngineChoice.local,
    scheduler: Scheduler = None,
    partition: CreatorsAtOnce = 5_000,
) -> None:
    """Make peers of the creators of a folder: what is usual by platform, tier and niche, for `signals --peers`.

    The file holds quantiles of every signal by cell, and no creator: cells of fewer than five are left out.
    """
    from features.engines import EngineError
    from features.peers import PeersError, write_peers
    from features.tables import TableError
    from serving.batches import peers_of_folder

    if file.suffix != ".parquet":
        raise typer.BadParameter(f"{file.name}: peers are written as .parquet")
    chosen, moment, now = _engine(engine, scheduler), _as_of(as_of), _now()
    try:
        made = peers_of_folder(folder, source, now=now, as_of=moment, engine=chosen, creators=partition)
    except TableError as error:
        _refuse_tables(error, folder)
    except (PeersError, EngineError) as error:
        _refuse(error)
    write_peers(made, file, built_at=now)
    _say(_peers_summary(made))
    _say(f"Wrote {file}: peers {made.id}")
    _say(f"Next: realreach score {folder} --out catalogue.parquet --peers {file}")
    _say(f"or:   realreach signals {folder} --out signals.parquet --peers {file} --positions positions.parquet")


def _peers_summary(made: "Peers") -> str:
    from features.peers import CELL, LEVELS

    lines = [
        f"As of {made.as_of:%Y-%m-%d}: {len(made.signals)} signals of {made.creators:,} creators, source: {made.source}"
    ]
    for level in LEVELS:
        rows = made.cells[made.cells["level"] == level]
        if len(rows):
            cells = len(rows[list(CELL)].drop_duplicates())
            lines.append(f"{level}: {cells:,} cell{'s' if cells > 1 else ''}, up to {rows['n'].max():,} creators")
    return "\n".join(lines)


RowsFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Parquet or CSV, by its ending.")]


@app.command("score-accounts")
def score_accounts_(
    file: RowsFile,
    scores: OutFile,
    base_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=0.999, help="Share of fakes that probabilities shall assume; the model's own where left out."
        ),
    ] = None,
) -> None:
    """Score accounts (followers, likers, commenters): how likely each is fake, and how many of them all are.

    Needs the column account_id and, of followers, following and posts_count, at least two; whatever else of the
    accounts table is there is read too. A file with creator_id as well is read as an audience table: its rows keep
    creator_id and relation, and the share is estimated for each creator.
    """
    from features.tables import TableError, columns_of, read_table, write_frame
    from training.accounts import score_accounts

    loaded, version_ = _champion("accounts")
    try:
        sampled = "creator_id" in columns_of(file)
        accounts = read_table(
            file, "audience" if sampled else "accounts", ["creator_id", "account_id"] if sampled else ["account_id"]
        )
    except TableError as error:
        _refuse_tables(error, file)
    frame = score_accounts(loaded, accounts, base_rate=base_rate)
    for name in ("relation", "creator_id"):
        if sampled and name in accounts:
            frame.insert(0, name, accounts[name])
    frame.insert(len(frame.columns), "model_data", loaded.metadata["data"])
    write_frame(frame, scores)
    _say(
        f"{int(frame['assessed'].sum()):,} of {len(frame):,} accounts assessed, by a model trained on "
        f"{loaded.metadata['data']} accounts; probabilities assume {base_rate or loaded.base_rate:.1%} fakes"
    )
    groups = frame.groupby("creator_id").groups if sampled else {"": frame.index}
    for creator, rows in list(groups.items())[:SHOWN_CREATORS]:
        _say(_fakes_among(loaded, accounts.loc[rows], frame.loc[rows, "assessed"], str(creator)))
    if len(groups) > SHOWN_CREATORS:
        _say(f"and {len(groups) - SHOWN_CREATORS:,} creators more; split the file for their shares")
    _say(f"Wrote {scores}: accounts version {version_}")


def _fakes_among(loaded: Any, accounts: "pd.DataFrame", assessed: "pd.Series", creator: str) -> str:
    """Share of fakes in a sample, in words."""
    whose = f"{creator}: " if creator else ""
    if assessed.sum() < LEAST_SAMPLE:
        few = f"{int(assessed.sum())} assessed accounts are too few for a share of fakes"
        return f"{whose}{few}: {LEAST_SAMPLE} are needed"
    share = loaded.share(accounts)
    return f"{whose}estimated share of fakes {share.share:.1%} ({share.low:.1%}–{share.high:.1%})"


@app.command("score-comments")
def score_comments_(
    file: RowsFile,
    scores: OutFile,
    domain: Annotated[
        Domain, typer.Option(help="Where the comments stand: under posts, or as reviews of a shop.")
    ] = Domain.social,
) -> None:
    """Score comments: how likely each is advertising, a scam or otherwise inauthentic, by its text.

    Needs the column text; author_id tells copies by several people from one person's, and what else is there is kept.
    """
    from features.tables import TableError, read_table, write_frame
    from training.comments import score_comments

    loaded, version_ = _champion("comments")
    try:
        comments = read_table(file, "comments", ["text"])
    except TableError as error:
        _refuse_tables(error, file)
    frame = score_comments(loaded, comments.assign(domain=domain.value))
    frame.insert(len(frame.columns), "model_data", loaded.metadata["data"])
    write_frame(frame, scores)
    assessed = int(frame["assessed"].sum())
    _say(f"{assessed:,} of {len(frame):,} comments assessed, by a model trained on {loaded.metadata['data']} comments")
    flagged = int(frame["flagged"].fillna(False).sum())
    _say(
        f"{flagged:,} with signals consistent with advertising, scams or bought praise "
        f"(probability of {loaded.threshold:.2f} or more under posts)"
    )
    _say(f"Wrote {scores}: comments version {version_}")


def _champion(name: str) -> tuple[Any, int]:
    """Champion of accounts or comments, and its version."""
    from training.label_models import load_labels
    from training.tracking import CorruptModelError, ModelNotFoundError

    hint = f"Train and promote one with `realreach train {name}` and `realreach promote {name}`."
    try:
        version_, loaded = load_labels(name)
    except (ModelNotFoundError, CorruptModelError, ValueError) as error:
        _refuse(error, hint)
    return loaded, version_


@app.command()
def recommend(
    *,
    brief: Annotated[str, typer.Option(help="The brief in words, or a .txt, .json or .toml file.")],
    catalogue: Annotated[
        list[str] | None,
        typer.Option(help="Score file, or its s3:// address; may be given several times."),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", min=1, max=1000, help="How many creators.  [default: 20]")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="Parquet or CSV, by its ending.", callback=_check_ending)
    ] = None,
    platform: Annotated[list[str] | None, typer.Option(help="Only this platform; may be given several times.")] = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only this tier: nano, micro, macro, mega.")] = None,
    country: Annotated[list[str] | None, typer.Option(help="Only this country, such as VN.")] = None,
    niche: Annotated[list[str] | None, typer.Option(help="Only this niche, such as beauty.")] = None,
    creator_language: Annotated[
        list[str] | None, typer.Option(help="Only creators who write in this language, such as vi.")
    ] = None,
    min_authenticity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Only creators of this authenticity or more; leaves out the not assessed."),
    ] = None,
    language: Annotated[Language, typer.Option(help="Language of the reasons.")] = Language.en,
) -> None:
    """Rank the creators of a catalogue for a brief."""
    from features.tables import write_frame
    from serving.briefs import BriefError, make_brief, read_brief
    from serving.catalogue import CatalogueError, catalogue_places, place_of, read_catalogue
    from serving.models import load_ranker
    from serving.ranking import shortlist
    from serving.words import words_for

    try:
        options = {
            "platforms": platform,
            "tiers": tier,
            "countries": country,
            "niches": niche,
            "languages": creator_language,
            "min_authenticity": min_authenticity,
            "k": k,
        }
        narrowed = {name: value for name, value in options.items() if value not in (None, [])}
        wanted = make_brief({**read_brief(brief).model_dump(exclude_defaults=True), **narrowed})
        creators = read_catalogue(*(map(place_of, catalogue) if catalogue else catalogue_places()))
    except (BriefError, CatalogueError) as error:
        _refuse(error)
    ranker, trouble = load_ranker()
    if trouble:
        err.print(trouble, markup=False, highlight=False, soft_wrap=True)
    found = shortlist(creators, wanted, language.value, ranker)
    if file:
        write_frame(found.frame, file)
        _say(f"Wrote {file}: {len(found.frame):,} creators")
    words = words_for(language.value)
    if len(found.frame):
        _print_shortlist(found.frame, words)
    for line in (found.note(language.value), *_notices(creators.frame, words)):
        if line:
            _say(line)


@app.command()
def similar(
    creators: Annotated[list[str], typer.Argument(help="creator_id of one or more creators of the catalogue.")],
    catalogue: Annotated[
        list[str] | None,
        typer.Option(help="Score file, or its s3:// address; may be given several times."),
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="How many creators.")] = 20,
    min_authenticity: Annotated[
        float, typer.Option(min=0, max=1, help="Only creators of this authenticity or more.")
    ] = 0.5,
    file: Annotated[
        Path | None, typer.Option("--out", help="Parquet or CSV, by its ending.", callback=_check_ending)
    ] = None,
    language: Annotated[Language, typer.Option(help="Language of the reasons.")] = Language.en,
) -> None:
    """Find creators who write about the same as some others, by likeness and authenticity."""
    from features.tables import write_frame
    from serving.catalogue import CatalogueError, Filters, catalogue_places, place_of, read_catalogue
    from serving.ranking import lookalikes
    from serving.words import words_for

    try:
        known = read_catalogue(*(map(place_of, catalogue) if catalogue else catalogue_places()))
        found = lookalikes(known, creators, Filters(min_authenticity=min_authenticity), k=k, language=language.value)
    except CatalogueError as error:
        _refuse(error)
    except KeyError as error:
        _refuse(f"no creator {error} in the catalogue", "`realreach recommend` shows the creator_id of each.")
    words = words_for(language.value)
    if file:
        write_frame(found.frame, file)
        _say(f"Wrote {file}: {len(found.frame):,} creators")
    if len(found.frame):
        _print_shortlist(found.frame, words)
    for line in (found.note(language.value), *_notices(known.frame, words)):
        if line:
            _say(line)


def _notices(frame: "pd.DataFrame", words: Any) -> list[str]:
    return [words.notice(str(data)) for data in frame["model_data"].unique()]


def _print_shortlist(frame: "pd.DataFrame", words: Any) -> None:
    import pandas as pd

    table = Table(box=SIMPLE_HEAD)
    for column in ("#", "creator", "authenticity", "fit", "why"):
        numeric = column in ("#", "authenticity", "fit")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in frame.to_dict("records"):
        interval = f"{row['authenticity']:.2f} ({row['authenticity_low']:.2f}–{row['authenticity_high']:.2f})"
        handle = row["creator_id"] if pd.isna(row["handle"]) else row["handle"]
        size = "?" if pd.isna(row["followers"]) else f"{words.count(row['followers'])} ({row['tier']})"
        table.add_row(
            str(row["rank"]),
            Text(f"{handle}\n{row['platform']}, {size}"),  # what people write is text, never markup
            words.say("not assessed") if pd.isna(row["authenticity"]) else interval,
            "–" if pd.isna(row["fit"]) else f"{row['fit']:.2f}",
            Text(row["reasons"]),
        )
    out.print(table)


@app.command()
def benchmark(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    *,
    creators: Annotated[
        int, typer.Option(min=100, help="signals: simulated creators that the engines are compared on.")
    ] = 20_000,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help=(
                "accounts, comments, opinions, safety: folder below which labelled sets lie. "
                "fit: .npz file of vectors and who worked with whom (training/fit_sets.py says its format). "
                "authenticity, evasion: folder of tables of creators taken to be organic, or of such folders; "
                "simulated where left out. niche: folder of instagram_kim2020, or of tables with creators.niche. "
                "signals: folder of tables with comments; simulated where left out."
            ),
        ),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, help="signals, instead: all signals of so many creators, by partitions.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="authenticity, fit, niche: models, each with splits (and campaigns) of its own.")
    ] = 5,
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="authenticity, evasion, niche, opinions, safety: TOML file of settings."
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            min=20, help="accounts, comments, fit, niche, opinions, safety: draws of each bootstrap interval."
        ),
    ] = 500,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.2,
            help="service, instead: so many minutes at 70 % of its most; promotions and a killed worker under load.",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(dir_okay=False, help="Also write the figures to this file.")] = None,
) -> None:
    """Measure: models on sets that they have not seen; speed on this machine, where ratios say more than seconds."""
    _require_kind(name, data)
    if name is Benchmark.fit:
        _benchmark_fit(data, seeds, draws, json)
        return
    if name is Benchmark.collaborations:
        _benchmark_collaborations(data, config, seeds, json)
        return
    if name in (Benchmark.briefs, Benchmark.retrieval):
        _benchmark_lists(name, data, json)
        return
    if name in (Benchmark.authenticity, Benchmark.evasion):
        _benchmark_authenticity(name, data, config, seeds, json)
        return
    if name in (Benchmark.service, Benchmark.review):
        _benchmark_service(name, minutes, json)
        return
    if name is not Benchmark.signals:
        _benchmark_classes(name, data, config, seeds, draws, json)
        return
    from json import dumps, loads

    from training.benchmark import benchmark_signals

    figures = {}
    for section in benchmark_signals(creators, data=data, scale=scale):
        out.print(_figures_table(section.title, section.figures))
        for note in section.notes:
            _say(note)
        figures[section.name] = loads(section.figures.to_json(orient="index"))
    if json:
        json.write_text(dumps({"benchmark": name.value, **figures}, indent=1), encoding="utf-8")


def _benchmark_service(name: Benchmark, minutes: float | None, json: Path | None) -> None:
    from json import dumps, loads
    from tempfile import TemporaryDirectory

    from serving.benchmark_endurance import benchmark_endurance
    from serving.benchmark_review import benchmark_review
    from serving.benchmark_service import NotReadyError, benchmark_service
    from training.tracking import home

    figures = {}
    folder = home() / "benchmark"
    with TemporaryDirectory(prefix="realreach-review-") as made:
        if name is Benchmark.review:
            sections = benchmark_review(Path(made))
        elif minutes is None:
            sections = benchmark_service(folder, progress=_say)
        else:
            sections = benchmark_endurance(folder, minutes, progress=_say)
        try:
            for section in sections:
                out.print(_figures_table(section.title, section.figures.rename_axis("what")))
                for note in section.notes:
                    _say(note)
                figures[section.name] = loads(section.figures.to_json(orient="index"))
        except NotReadyError as error:
            _refuse(error)
    if json:
        json.write_text(dumps({"benchmark": name.value, **figures}, indent=1), encoding="utf-8")


def _benchmark_classes(
    name: Benchmark, data: Path | None, config: Path | None, seeds: int, draws: int, json: Path | None
) -> None:
    """Measure a model that learns from labels of rows, creators or texts."""
    if data is None:
        raise typer.BadParameter(f"benchmark {name.value} needs --data: the folder below which labelled sets lie")
    if name is Benchmark.niche:
        _benchmark_niche(data, config, seeds, draws, json)
    elif name in (Benchmark.opinions, Benchmark.safety):
        _benchmark_opinions(name.value, data, config, draws, json)
    else:
        _benchmark_labels(name.value, data, draws, json)


def _require_kind(name: Benchmark, data: Path | None) -> None:
    """Refuse a folder where a file is needed, and the other way round."""
    if name is Benchmark.fit and (data is None or not data.is_file()):
        raise typer.BadParameter("benchmark fit needs --data FILE.npz: vectors of both sides and who worked with whom")
    if name is not Benchmark.fit and data is not None and not data.is_dir():
        raise typer.BadParameter(f"benchmark {name.value}: --data is a folder, {data.name} is a file")


def _benchmark_fit(data: Path | None, seeds: int, draws: int, json: Path | None) -> None:
    from json import dumps, loads

    from training.benchmark_fit import benchmark_fit
    from training.fit import TooFewPairsError
    from training.fit_sets import FitSetError

    try:
        found = benchmark_fit(data or Path(), seeds=seeds, draws=draws, progress=_say)
    except (FitSetError, TooFewPairsError) as error:
        _refuse(error)
    tables = {
        "figures": ("Unseen brands and creators (mean over seeds; 95 % over brands)", found.figures),
        "targets": ("Targets", found.targets),
        "gaps": ("The ranker less a floor, on the same brands (95 % over brands)", found.gaps),
    }
    wide = found.figures.pivot_table(index="scorer", columns="metric", values="value", sort=False)
    own = found.figures[found.figures["scorer"] == "ranker"].drop(columns="scorer")
    out.print(_figures_table(tables["figures"][0], wide))
    out.print(_figures_table("The ranker: interval over brands, least and most over seeds", own))
    for name in ("targets", "gaps"):
        out.print(_figures_table(*tables[name]))
    if json:
        figures = {name: loads(frame.to_json(orient="records")) for name, (_, frame) in tables.items()}
        json.write_text(dumps({"benchmark": "fit", **figures}, indent=1), encoding="utf-8")


def _benchmark_collaborations(data: Path | None, config: Path | None, seeds: int, json: Path | None) -> None:
    from json import dumps, loads

    from features.histories import latest_knowledge
    from training.benchmark_collaborations import benchmark_collaborations
    from training.config import read_settings
    from training.fit_tables import CollaborationConfig

    if data is None:
        raise typer.BadParameter("benchmark collaborations needs --data: a folder of tables with creators and posts")
    tables, now = _read(data), _now()
    try:
        settings = read_settings(CollaborationConfig, config)
        as_of = latest_knowledge(tables, now)
        figures = benchmark_collaborations(tables, settings, as_of=as_of, imported_at=now, seeds=seeds, progress=_say)
    except ValueError as error:  # settings and tables: each says what would be right
        _refuse(error)
    wide = figures.pivot_table(index="metric", columns="scorer", values="value", sort=False)
    out.print(_figures_table("Brands and creators left out of training (mean over seeds)", wide))
    prior = figures[figures["scorer"] == "prior"][["metric", "gap", "gap_low", "gap_high"]]
    out.print(_figures_table("The ranker less the prior, on the same brands (95 % over brands, first seed)", prior))
    if json:
        rows = loads(figures.to_json(orient="records"))
        json.write_text(dumps({"benchmark": "collaborations", "figures": rows}, indent=1), encoding="utf-8")


def _benchmark_lists(name: Benchmark, data: Path | None, json: Path | None) -> None:
    from json import dumps, loads

    if name is Benchmark.retrieval:
        from serving.benchmark_retrieval import benchmark_retrieval

        title, figures = "The first 100 of 1,000,000 creators × 256 dimensions, random vectors", benchmark_retrieval()
    else:
        from training.benchmark_briefs import benchmark_briefs

        if data is None:
            raise typer.BadParameter("benchmark briefs needs --data: a folder of tables, or of such folders")
        title = "Twenty briefs in English and Vietnamese (mean over briefs, 95 %)"
        figures = benchmark_briefs(_read_sources(data), progress=_say)
    out.print(_figures_table(title, figures))
    if json:
        rows = loads(figures.to_json(orient="records"))
        json.write_text(dumps({"benchmark": name.value, "figures": rows}, indent=1), encoding="utf-8")


def _benchmark_authenticity(
    name: Benchmark, data: Path | None, config: Path | None, seeds: int, json: Path | None
) -> None:
    from json import dumps, loads

    from training.benchmark_authenticity import benchmark_authenticity
    from training.config import ConfigError, read_config
    from training.evasion import benchmark_evasion
    from training.fitting import TooFewCreatorsError
    from training.runs import MixedCreatorsError

    figures = {}
    try:
        sources, settings = _read_sources(data) if data else None, read_config(config)
        if name is Benchmark.evasion:
            sections = iter([benchmark_evasion(settings, sources, progress=_say)])
        else:
            sections = benchmark_authenticity(settings, sources, seeds=seeds, progress=_say)
        for section in sections:
            out.print(_figures_table(section.title, section.figures))
            for note in section.notes:
                _say(note)
            figures[section.name] = loads(section.figures.to_json(orient="records"))
    except (ConfigError, TooFewCreatorsError, MixedCreatorsError) as error:
        _refuse(error)
    if json:
        json.write_text(dumps({"benchmark": name.value, **figures}, indent=1), encoding="utf-8")


def _benchmark_labels(name: str, data: Path, draws: int, json: Path | None) -> None:
    from json import dumps, loads

    from training.benchmark_accounts import benchmark_accounts
    from training.benchmark_comments import benchmark_comments

    try:
        if name == "accounts":
            figures = benchmark_accounts(data, draws=draws, progress=_say)
        else:
            figures = benchmark_comments(data, draws=draws, progress=_say)
    except ValueError as error:
        _refuse(error)
    out.print(_label_figures(f"{name}: every figure by a model that has not seen the source", figures))
    if json:
        rows = loads(figures.to_json(orient="records"))
        json.write_text(dumps({"benchmark": name, "figures": rows}, indent=1), encoding="utf-8")


def _benchmark_niche(data: Path, config: Path | None, seeds: int, draws: int, json: Path | None) -> None:
    from json import dumps, loads

    from training.benchmark_niche import benchmark_niche
    from training.config import read_settings
    from training.niche import NicheConfig

    try:
        settings = read_settings(NicheConfig, config)
        figures = benchmark_niche(data, settings, seeds=seeds, draws=draws, progress=_say)
    except ValueError as error:  # settings and tables: each says which file and what would be right
        _refuse(error)
    out.print(_label_figures("niche: every figure by a model that has not seen the creator", figures))
    if json:
        rows = loads(figures.to_json(orient="records"))
        json.write_text(dumps({"benchmark": "niche", "figures": rows}, indent=1), encoding="utf-8")


def _benchmark_opinions(name: str, data: Path, config: Path | None, draws: int, json: Path | None) -> None:
    from json import dumps, loads

    from training.benchmark_opinions import benchmark_opinions
    from training.config import read_settings
    from training.opinions import TASKS, OpinionConfig

    try:
        settings = read_settings(OpinionConfig, config)
        figures = benchmark_opinions(TASKS[name], data, settings, draws=draws, progress=_say)
    except ValueError as error:  # settings and sets: each says which file and what would be right
        _refuse(error)
    out.print(_label_figures(f"{name}: every figure on texts that the model has not seen", figures))
    if json:
        rows = loads(figures.to_json(orient="records"))
        json.write_text(dumps({"benchmark": name, "figures": rows}, indent=1), encoding="utf-8")


def _figures_table(title: str, figures: "pd.DataFrame") -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    shown = figures if figures.index.name is None else figures.reset_index()
    for number, column in enumerate(shown.columns):
        heading = str(column).replace("_per_second", "/s").replace("_", " ")
        table.add_column(heading, justify="right" if number and shown[column].dtype != "str" else "left")
    for row in shown.astype("object").fillna("").itertuples(index=False):
        table.add_row(*(_figure(value) for value in row))
    return table


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    open_: Annotated[
        bool, typer.Option("--open", help="Ask for no key; only on a loopback address, to try things out.")
    ] = False,
    tables: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            exists=True,
            help="Folder of tables that the catalogue was scored from: pages show its rows.",
        ),
    ] = None,
) -> None:
    """Serve the endpoint and the review page until interrupted."""
    if open_ and not _is_loopback(host):
        err.print(f"--open answers anybody who can connect, and {host} is not of this machine alone: leave one out.")
        raise typer.Exit(WRONG_USAGE)
    _require_free(host, port)
    if not open_:
        _say_keys()
    told = {"REALREACH_OPEN": str(int(open_)), "REALREACH_WORKERS": str(workers)}
    if tables:
        told["REALREACH_TABLES"] = str(tables.absolute())
    environment = {"BENTOML_DO_NOT_TRACK": "True", **KEEP_FREED_MEMORY, **os.environ, **told}
    command = [
        sys.executable, "-m", "serving.server", "serve", "serving.service:RealReach",
        "--host", host, "--port", str(port),
    ]  # fmt: skip
    _say(f"Review page: http://{host}:{port}/review/   endpoint: http://{host}:{port}/docs   (Ctrl-C to stop)")
    sys.stdout.flush()
    # the server takes this process's place, so that whoever ends it ends the server; no shell reads host or port
    os.execve(sys.executable, command, environment)  # noqa: S606


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _say_keys() -> None:
    """Say how to get in where nobody can."""
    from serving.keys import list_keys
    from serving.store import StoreError

    try:
        if any(key.revoked_at is None for key in list_keys()):
            return
    except StoreError as error:
        _refuse(error, "REALREACH_DATABASE names the database; without it, it is a file in REALREACH_HOME")
    _say(
        "No API key holds yet, so nobody gets in: realreach keys create NAME. To try things out: realreach serve --open"
    )


keys_app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


class KeyScope(StrEnum):
    """What a key may do."""

    read = "read"
    score = "score"
    write = "write"
    admin = "admin"


@keys_app.command("create")
def create_key_(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[
        list[KeyScope] | None, typer.Option(help="What it may do; may be repeated. Without it: read and score.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose it is: what one tenant leaves, no other sees.")] = "default",
    per_minute: Annotated[int, typer.Option(min=1, help="Requests in any minute, of each process.")] = 600,
    per_day: Annotated[int, typer.Option(min=1, help="Requests of a day, UTC.")] = 100_000,
) -> None:
    """Make a key; it is shown once."""
    from serving.keys import SCOPES, create_key
    from serving.store import StoreError

    wanted = {one.value for one in scope or [KeyScope.read, KeyScope.score]}
    scopes = frozenset(one for one in SCOPES if one in wanted)
    try:
        key, sent = create_key(name, scopes, tenant=tenant, per_minute=per_minute, per_day=per_day)
    except StoreError as error:
        _refuse(error)
    _say(f"Key {key.id} of {name}. Keep it now: it is shown once and stored as a digest only.")
    out.print(sent, markup=False, highlight=False, soft_wrap=True)


@keys_app.command("list")
def list_keys_() -> None:
    """List the keys, without their secrets."""
    from serving.keys import SCOPES, list_keys
    from serving.store import StoreError

    try:
        found = list_keys()
    except StoreError as error:
        _refuse(error)
    table = Table("id", "name", "tenant", "scopes", "per minute", "per day", "made", "revoked", box=SIMPLE_HEAD)
    for key in found:
        times = (f"{key.created_at:%Y-%m-%d}", f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else "")
        scopes = " ".join(one for one in SCOPES if one in key.scopes)
        table.add_row(
            key.id, Text(key.name), Text(key.tenant), scopes, f"{key.per_minute:,}", f"{key.per_day:,}", *times
        )
    out.print(table)


@keys_app.command("revoke")
def revoke_key_(key_id: Annotated[str, typer.Argument(help="Id of the key, as `keys list` shows it.")]) -> None:
    """Revoke a key for good; running services notice within seconds."""
    from serving.keys import UnknownKeyError, revoke_key
    from serving.store import StoreError

    try:
        revoke_key(key_id)
    except (UnknownKeyError, StoreError) as error:
        _refuse(error)
    _say(f"Key {key_id} is revoked.")


@app.command()
def feedback(
    out_: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to make.")],
    tenant: Annotated[str | None, typer.Option(help="Whose; everybody's where left out.")] = None,
) -> None:
    """Write the decisions and outcomes that campaign tools and analysts left, as tables to train on."""
    from features.tables import write_frame
    from serving.store import StoreError
    from serving.writes import feedback_tables

    try:
        tables = feedback_tables(tenant)
    except StoreError as error:
        _refuse(error)
    if not tables:
        _refuse("no feedback was left", "campaign tools leave it with POST /v1/feedback, analysts on the review page")
    if out_.exists() and any(out_.iterdir()):
        _refuse(f"{out_} is not empty", "choose a new folder or remove it first")
    out_.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        write_frame(frame, out_ / f"{name}.parquet")
        _say(f"{len(frame):,} {name}")


@app.command()
def bundle(
    catalogue: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Score file (Parquet) to put inside; else named at start."),
    ] = None,
    kubernetes: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a manifest for Kubernetes to this file.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Image that the manifest runs.  [default: the one bentoml containerize makes]")
    ] = None,
) -> None:
    """Make a bento: the service with the champions inside, for machines that have neither realreach nor a registry."""
    from features.tables import written_whole
    from serving.bundle import BundleError, make_bundle
    from serving.kubernetes import manifest
    from training.tracking import CorruptModelError, ModelNotFoundError

    if image and not kubernetes:
        err.print("--image names what a manifest runs: add --kubernetes FILE, or leave it out.")
        raise typer.Exit(WRONG_USAGE)
    try:
        made = make_bundle(catalogue, _say)
        if kubernetes:
            with written_whole(kubernetes) as temporary:
                temporary.write_text(manifest(made, image or made.tag), encoding="utf-8")
    except (BundleError, CorruptModelError) as error:
        _refuse(error)
    except ModelNotFoundError as error:
        _refuse(error, "train and promote one first: realreach train authenticity && realreach promote authenticity")
    _say(f"{made.tag} with {', '.join(f'{name} version {version}' for name, version in made.versions.items())}")
    _say(f"it lies in {made.path}; serve it with: bentoml serve {made.tag}")
    if kubernetes:
        _say(f"Wrote {kubernetes}; it says what to do with it")


@app.command()
def demo(
    creators: Annotated[int, typer.Option(min=200, help="Simulated creators to rank.")] = 2000,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 3000,
) -> None:
    """Simulated creators → models → catalogue → page and endpoint, in one go; everything stays in .realreach/demo."""
    from serving.demo import GatesClosedError, prepare_demo
    from training.tracking import home

    _require_free(HOST, port)
    # the demo keeps a home of its own: it must never replace a model trained on somebody's own data
    os.environ["REALREACH_HOME"] = str(home() / "demo")
    for elsewhere in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "REALREACH_CATALOGUE", "REALREACH_DATABASE"):
        os.environ.pop(elsewhere, None)
    try:
        made = prepare_demo(creators, _say)
    except GatesClosedError as error:
        _refuse(error)
    if made.evaluation:
        for table in _evaluation_tables(made.evaluation):
            out.print(table)
    serve(HOST, port, 1, open_=True, tables=home() / "tables")


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    app()


if __name__ == "__main__":
    main()
