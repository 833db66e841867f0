"""Benchmarks whose ratios are measured in one run; seconds by themselves depend on the machine and its other users.

Contenders take turns, `ROUNDS` times after a round to warm up, each in a process of its own that does nothing else: the
median of its times counts, and the most memory the process ever held. A contender whose values are not those of
`features` to 1e-6 has no time. Every one of these processes keeps freed memory, as `realreach` does.
"""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from features.comments import comments_signals
from features.coordination import make_crowd, sketch_comments
from features.engagement import engagement_signals
from features.engines import Engine, signals_by_partition
from features.growth import growth_signals, rounding_unit
from features.histories import Events, Histories, latest_knowledge, make_histories
from features.memory import keep_freed_memory
from features.partitions import plan_partitions, write_frames, write_parts
from features.signals import SIGNALS, compute_signals
from features.sources.columns import import_tables, read_mapping
from features.tables import Tables, check_tables, read_tables, write_tables
from training.bulk import BULK_AS_OF, Lengths, draw_comments, draw_tables
from training.contenders import Contender, contenders, write_rows
from training.simulation import SIMULATION_AS_OF, simulate_creators

#: Times each contender runs, in turn with the others; the median counts.
ROUNDS = 5
#: How far a contender's values may be from ours, relatively.
TOLERANCE = 1e-6
#: Simulated comments under a post, and creators that have them, where no real comments are given.
COMMENTS_A_POST, COMMENTED = 5.0, 200
#: Creators of a part of the simulated crowd that `benchmark_scale` writes and reads.
SCALE_PART = 5_000


@dataclass(frozen=True)
class Section:
    """Figures that belong together.

    Attributes
    ----------
    name : str
        Key in the JSON file.
    title : str
        What was measured, on what.
    figures : DataFrame
        One row a contender or step.
    notes : tuple of str
        What the figures do not say.
    """

    name: str
    title: str
    figures: pd.DataFrame
    notes: tuple[str, ...] = ()


def threads_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_mb() -> float:
    """Most memory this process ever held, in MB: `VmHWM` of Linux, elsewhere `ru_maxrss`.

    Linux's `ru_maxrss` would include what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 1024


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _rounds(steps: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> pd.Series:
    """Median seconds of each step, all run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, run in steps.items():
            seconds[name].append(_timed(run))
    return pd.Series({name: median(values) for name, values in seconds.items()}, dtype="float64")


def _contend(connection: Connection, contender: Contender, folder: Path, creators: int) -> None:
    """Run whenever asked, and say how long it took; the values of the first run go to a file."""
    keep_freed_memory()
    try:
        values = contender.run(folder, creators)
        file = folder / f"{contender.name}.values"
        values.reset_index(drop=True).to_parquet(file)
        connection.send(file)
        del values
        while connection.recv():
            connection.send(_timed(partial(contender.run, folder, creators)))
        connection.send(peak_mb())
    except Exception as error:  # whatever a contender raises is told, and the others go on
        connection.send(f"{type(error).__name__}: {error}".partition("\n")[0])


@dataclass
class _Running:
    """A contender at work in its own process."""

    contender: Contender
    creators: int
    connection: Connection
    process: multiprocessing.process.BaseProcess
    seconds: list[float]
    failed: str = ""

    def answer(self) -> object:
        """What the process says next."""
        try:
            return self.connection.recv()
        except EOFError:
            return "its process ended without an answer"

    def time(self) -> None:
        """One timed run."""
        self.connection.send(True)
        answer = self.answer()
        if isinstance(answer, float):
            self.seconds.append(answer)
        else:
            self.failed = str(answer)

    def end(self) -> float:
        """Peak memory in MB, NaN where the process is gone."""
        with suppress(BrokenPipeError):
            self.connection.send(False)
        peak = self.answer()
        self.connection.close()
        self.process.join()
        return peak if isinstance(peak, float) else np.nan


def _start(contender: Contender, folder: Path, creators: int) -> _Running:
    # a process that is forked would start with the memory of this one
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    count = min(creators, contender.sample or creators)
    process = context.Process(target=_contend, args=(theirs, contender, folder, count), daemon=True)
    process.start()
    theirs.close()
    return _Running(contender, count, ours, process, [])


def seem_rounded(snapshots: pd.DataFrame) -> np.ndarray:
    """Which creators, each of as many snapshots and one after the other, have counts that `features` takes for rounded.

    It then leaves out what rounding may have made; no other engine knows of rounding.
    """
    creators = snapshots["creator_id"].nunique()
    followers = snapshots["followers"].to_numpy(dtype=np.float64, na_value=np.nan).reshape(creators, -1)
    return np.asarray((rounding_unit(followers) > 1).any(axis=1))


def different(values: pd.DataFrame, ours: pd.DataFrame, apart: np.ndarray | None = None) -> list[str]:
    """Names of the signals that both have and that are not equal to `TOLERANCE`; ours may have more rows.

    Rows where `apart`, bool of shape (rows of ours,), is true are not compared.
    """
    names = [str(name) for name in ours.columns.intersection(values.columns)]
    compared = np.ones(len(values), dtype=bool) if apart is None else ~apart[: len(values)]
    theirs, expected = (
        frame[names].to_numpy(dtype=np.float64, na_value=np.nan)[: len(values)][compared] for frame in (values, ours)
    )
    theirs = np.where(np.isfinite(theirs), theirs, np.nan)
    # differences of nearly equal numbers, such as correlations near 0, are not known better than their parts
    equal = np.isclose(theirs, expected, rtol=TOLERANCE, atol=TOLERANCE * 1e-3, equal_nan=True)
    return [name for name, same in zip(names, equal.all(axis=0), strict=True) if not same]


def _first_values(running: _Running, expected: pd.DataFrame | None, apart: np.ndarray) -> pd.DataFrame | None:
    """Wait for the first run and compare what it computed."""
    answer = running.answer()
    if not isinstance(answer, Path):
        running.failed = str(answer)
        return None
    values = pd.read_parquet(answer)
    if expected is not None and running.contender.signals:
        # between threads nothing may differ
        wrong = different(values, expected, None if running.contender.name.startswith("realreach") else apart)
        running.failed = f"values differ: {', '.join(wrong)}" if wrong else ""
    return values


def benchmark_engines(
    creators: int, lengths: Lengths, *, seed: int = 7, only: tuple[str, ...] = (), rounds: int = ROUNDS
) -> Section:
    """Time `features` beside the other engines, on the same simulated rows.

    Parameters
    ----------
    creators : int
        How many.
    lengths : {"equal", "uneven"}
        As in `training.bulk.draw_tables`.
    only : tuple of str
        First words of the contenders to run; all where empty. "reading" and "realreach" always run.
    rounds : int
        Timed rounds.

    Returns
    -------
    Section
        Columns `timed_on` (creators), `creators_per_second`, `signals`, `seconds` (of all creators), `seconds_per_30`
        (signals), `peak_mb`, `per_30_to_reading` (over the seconds that reading the files takes). Who is not installed
        or computes other values is in the notes instead.
    """
    every = [
        contender
        for contender in contenders(threads_here())
        if not only or contender.name.startswith(("reading", "realreach", *only))
    ]
    with tempfile.TemporaryDirectory(prefix="realreach.") as name:
        folder = Path(name)
        tables = draw_tables(creators, seed, lengths=lengths)
        posts, snapshots = len(tables["posts"]), len(tables["snapshots"])
        apart = seem_rounded(tables["snapshots"])
        write_rows(tables, folder)
        del tables
        running, expected = [], None
        for contender in every:
            if contender.installed:
                started = _start(contender, folder, creators)
                values = _first_values(started, expected, apart)
                if contender.signals and expected is None:
                    expected = values
                running.append(started)
        for _ in range(rounds):
            for started in running:
                if not started.failed:
                    started.time()
        rows = {started.contender.name: _figures(started, creators) for started in running}
    failed = {started.contender.name: f"no time: {started.failed}" for started in running if started.failed}
    missing = {
        contender.name: f"skipped: {contender.needs} is not installed; pip install 'realreach[bench]'"
        for contender in every
        if not contender.installed
    }
    figures = pd.DataFrame.from_dict(
        {name: row for name, row in rows.items() if name not in failed}, orient="index"
    ).rename_axis("engine")
    figures["per_30_to_reading"] = figures["seconds_per_30"] / figures["seconds"].iloc[0]
    return Section(
        name=f"engines_{lengths}",
        title=(
            f"From Parquet files to signals: {creators:,} simulated creators, {posts:,} posts ({lengths} numbers), "
            f"{snapshots:,} snapshots; median of {rounds}"
        ),
        figures=figures,
        notes=(
            f"Values are equal to {TOLERANCE:g}, but for {apart.sum()} creators whose followers look rounded to us.",
            "seconds: of all creators, scaled from those timed; and per 30 signals",
            "peak MB: a fresh process with its libraries. polars and DuckDB use all cores, pandas and tsfresh one.",
            *(f"{name}: {why}" for name, why in (failed | missing).items()),
        ),
    )


def _figures(started: _Running, creators: int) -> dict[str, object]:
    peak = started.end()
    if not started.seconds:
        return {}
    seconds, signals = median(started.seconds), started.contender.signals
    scaled = seconds * creators / started.creators
    return {
        "timed_on": started.creators,
        "creators_per_second": started.creators / seconds,
        "signals": signals,
        "seconds": scaled,
        "seconds_per_30": scaled * 30 / signals if signals else np.nan,
        "peak_mb": peak,
    }


def benchmark_steps(creators: int = 2_000, seed: int = 7) -> Section:
    """Time each step from the files of the contract to all signals, checks included."""
    tables = simulate_creators(creators, seed)
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    with tempfile.TemporaryDirectory(prefix="realreach.") as name:
        folder = Path(name) / "tables"
        write_tables(tables, folder)
        seconds = _rounds(
            {
                "read the files": lambda: [pd.read_parquet(path) for path in folder.glob("*.parquet")],
                "read and check": lambda: read_tables(folder),
                "cut at as_of and sort": lambda: make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF),
                f"all {len(SIGNALS)} signals": lambda: compute_signals(histories),
            }
        )
    figures = pd.DataFrame({"seconds": seconds, "creators_per_second": creators / seconds}).rename_axis("step")
    return Section("steps", f"{creators:,} simulated creators with captions: each step", figures)


def benchmark_request(calls: int = 200) -> Section:
    """Time the signals of one history of 100 posts and 180 snapshots, after a warm-up."""
    tables = check_tables(draw_tables(1, 7, lengths="equal"))
    histories = make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF)
    steps: dict[str, Callable[[], object]] = {
        "engagement and growth": lambda: (engagement_signals(histories), growth_signals(histories)),
        "all signals": lambda: compute_signals(histories),
        "cut, sort and all signals": lambda: compute_signals(
            make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF)
        ),
    }
    rows = {}
    for name, run in steps.items():
        times = np.array([_timed(run) for _ in range(calls + 20)][20:]) * 1e6
        rows[name] = {"p50_us": float(np.median(times)), "p99_us": float(np.quantile(times, 0.99))}
    figures = pd.DataFrame.from_dict(rows, orient="index").rename_axis("step")
    return Section("request", f"one simulated history of 100 posts and 180 snapshots, {calls} calls", figures)


def _commented(data: Path | None) -> tuple[Histories, str]:
    if data is None:
        tables = check_tables(draw_comments(draw_tables(COMMENTED, 7), COMMENTS_A_POST, 7))
        return make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF), "simulated"
    tables = _tables_of(data)
    as_of = latest_knowledge(tables, pd.Timestamp.now(tz="UTC").floor("us"))
    return make_histories(tables, as_of, imported_at=as_of), data.name


def _tables_of(data: Path) -> Tables:
    """Tables of a folder: those of the contract, or an export whose mapping is shipped under the folder's name."""
    if any(data.glob("creators.*")):
        return read_tables(data)
    return import_tables(read_mapping(data.name), [data], now=pd.Timestamp.now(tz="UTC").floor("us"))[0]


def _slice(events: Events, start: int, stop: int) -> Events:
    first, last = int(events.offsets[start]), int(events.offsets[stop])
    return Events(
        events.offsets[start : stop + 1] - first,
        {name: values[first:last] for name, values in events.columns.items()},
        {name: values.iloc[first:last].reset_index(drop=True) for name, values in events.texts.items()},
    )


def slice_histories(histories: Histories, start: int, stop: int) -> Histories:
    """Histories of the creators at positions [start, stop), as if they alone had been listed."""
    comments = _slice(histories.comments, start, stop)
    moved = dict(comments.columns)
    moved["post"] = moved["post"] - histories.posts.offsets[start]
    writer = moved["author_creator"] - start
    moved["author_creator"] = np.where((writer >= 0) & (writer < stop - start), writer, np.nan)
    return replace(
        histories,
        creators=histories.creators.iloc[start:stop].reset_index(drop=True),
        posts=_slice(histories.posts, start, stop),
        snapshots=_slice(histories.snapshots, start, stop),
        comments=replace(comments, columns=moved),
        audience=_slice(histories.audience, start, stop),
    )


def _part_of(histories: Histories, share: float) -> Histories:
    return slice_histories(histories, 0, max(1, round(len(histories.creators) * share)))


def benchmark_comments(data: Path | None = None) -> list[Section]:
    """Time the comment signals, and how coordination grows with the number of comments.

    Parameters
    ----------
    data : Path, optional
        Folder of tables with comments, or of an export whose mapping is shipped under the folder's name; simulated
        comments where left out.
    """
    histories, source = _commented(data)
    rows, stages = {}, {}
    for share in (0.25, 0.5, 1.0):
        part = _part_of(histories, share)
        count = len(part.comments["post"])
        sketch = sketch_comments(part)
        seconds = _rounds(
            {
                "comments": partial(comments_signals, part),
                "sketch": partial(sketch_comments, part),
                "crowd": partial(make_crowd, [sketch]),
            },
            rounds=3,
        )
        creators = len(part.creators)
        rows[f"{count:,}"] = {
            "creators": creators, "seconds": seconds["comments"], "comments_per_second": count / seconds["comments"]
        }  # fmt: skip
        whole = seconds["sketch"] + seconds["crowd"]
        stages[f"{count:,}"] = {
            "creators": creators,
            "sketch_seconds": seconds["sketch"],
            "crowd_seconds": seconds["crowd"],
            "us_a_comment": whole / max(count, 1) * 1e6,
        }
    return [
        Section(
            name,
            f"{what}, {source} comments, median of 3",
            pd.DataFrame.from_dict(part, orient="index").rename_axis("comments"),
        )
        for name, what, part in (
            ("comments", "comment signals", rows),
            ("coordination", "coordination of the crowd", stages),
        )
    ]


def _scaled(connection: Connection, folder: Path, engine: Engine) -> None:
    """Compute all signals of a folder by partitions into a file; say how long it took and what this process held."""
    keep_freed_memory()
    partitions = plan_partitions(folder, SCALE_PART)
    frames = signals_by_partition(partitions, BULK_AS_OF, imported_at=BULK_AS_OF, engine=engine)
    arrived = []

    def rows() -> Iterator[pd.DataFrame]:
        for frame in frames:
            arrived.append(time.perf_counter())
            yield frame.reset_index()

    start = time.perf_counter()
    creators = write_frames(rows(), folder.parent / f"{engine.name}-{engine.workers}.parquet")
    seconds = time.perf_counter() - start
    # each worker's first partition waits for its process to start; the last ones show how quick the others are
    first = engine.workers or 1
    later = len(arrived) - first
    each = (arrived[-1] - arrived[first - 1]) / later if later > first else np.nan
    connection.send((seconds, creators / len(arrived) / each, peak_mb()))


def benchmark_scale(creators: int, *, seed: int = 7, snapshots: int = 30, engines: tuple[Engine, ...] = ()) -> Section:
    """Time all signals of a large simulated crowd that is never in memory at once, on one machine.

    Parameters
    ----------
    creators : int
        How many; a quarter of them is timed too, to see whether memory grows.
    snapshots : int
        Daily snapshots of each.
    engines : tuple of Engine
        Local, then Dask with one and two workers where left out and Dask is installed.
    """
    chosen = engines or (
        Engine(),
        *((Engine("dask", workers=1), Engine("dask", workers=2)) if find_spec("distributed") else ()),
    )
    rows = {}
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="realreach.") as name:
        for count in (max(1, creators // 4), creators):
            folder = Path(name) / str(count)
            starts = range(0, count, SCALE_PART)
            parts = (
                draw_tables(min(SCALE_PART, count - first), seed, first=first, snapshots=snapshots) for first in starts
            )
            writing = _timed(partial(write_parts, parts, folder))
            size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
            rows[f"draw and write {count:,}"] = {
                "seconds": writing,
                "creators_per_second": count / writing,
                "files_mb": size,
            }
            for engine in chosen if count == creators else chosen[:1]:
                ours, theirs = context.Pipe()
                process = context.Process(target=_scaled, args=(theirs, folder, engine))
                process.start()
                theirs.close()
                seconds, later, peak = ours.recv()
                process.join()
                workers = f", {engine.workers} workers" if engine.workers else ""
                rows[f"{engine.name}{workers}, {count:,}"] = {
                    "seconds": seconds,
                    "creators_per_second": count / seconds,
                    "once_started_per_second": later,
                    "peak_mb": peak,
                }
    figures = pd.DataFrame.from_dict(rows, orient="index").rename_axis("step")
    return Section(
        "scale",
        f"{creators:,} simulated creators by partitions of {SCALE_PART:,}, all {len(SIGNALS)} signals, one run",
        figures,
        (
            "Peak memory is of the process that asks; Dask's workers hold the partitions in theirs.",
            "once started: without the first partition of each worker, which waits for its process to start.",
        ),
    )


def benchmark_signals(
    creators: int = 20_000, *, data: Path | None = None, scale: int | None = None
) -> Iterator[Section]:
    """Yield every section of the benchmark of signals, as soon as it is measured.

    Parameters
    ----------
    creators : int
        Creators that the engines are compared on.
    data : Path, optional
        As in `benchmark_comments`.
    scale : int, optional
        Measure `benchmark_scale` on that many creators, and nothing else.
    """
    if scale is not None:
        yield benchmark_scale(scale)
        return
    yield benchmark_request()
    yield benchmark_steps(min(creators, 2_000))
    yield from benchmark_comments(data)
    for lengths in ("equal", "uneven"):
        yield benchmark_engines(creators, lengths)
