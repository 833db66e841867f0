"""Whoever computes: the same bits. Dask runs as real processes on 127.0.0.1."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.engines import (
    Engine,
    EngineError,
    compute_signals_partitioned,
    crowd_of_partitions,
    crowd_of_tables,
    peers_of_partitions,
    signals_by_partition,
)
from features.histories import make_histories
from features.partitions import Partition, plan_partitions, write_frames, write_parts
from features.peers import make_peers
from features.signals import compute_signals, registry_hash
from features.tables import TableError, Tables, write_tables
from training.bulk import BULK_AS_OF, draw_comments, draw_tables

ROOT = Path(__file__).parents[2]
CREATORS, PART = 60, 13


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Creators who comment on each other, too."""
    tables = draw_comments(draw_tables(CREATORS, 5, snapshots=40), 1.0, 5)
    ids = tables["creators"]["creator_id"]
    comments = tables["comments"]
    rng = np.random.default_rng(5)
    writers = np.where(rng.random(len(comments)) < 0.2, ids.sample(len(comments), replace=True, random_state=5), "")
    return {**tables, "comments": comments.assign(author_id=comments["author_id"].mask(writers != "", writers))}


@pytest.fixture(scope="module")
def folder(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "sixty"
    write_tables(tables, folder)
    return folder


@pytest.fixture(scope="module")
def expected(tables: Tables) -> pd.DataFrame:
    crowd = crowd_of_tables(tables, BULK_AS_OF, imported_at=BULK_AS_OF)
    return compute_signals(make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF), crowd)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler and two workers, each a process of its own."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def start(*command: str, **pipes: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]], env=environment, text=True, **pipes
        )

    running = [
        start(
            "dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--dashboard-address",
            "127.0.0.1:0",
            stderr=subprocess.PIPE,
        )
    ]
    try:
        stream = running[0].stderr
        assert stream is not None
        address = next(found[1] for line in stream if (found := re.search(r"Scheduler at:\s+(tcp://\S+)", line)))
        worker = (
            "dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--dashboard-address",
            "127.0.0.1:0",
            "--host",
            "127.0.0.1",
        )
        running += [start(*worker, stderr=subprocess.DEVNULL) for _ in range(2)]
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=120)
            if process.stderr:
                process.stderr.close()


def test_partitions_give_the_bits_of_the_whole(folder, expected):
    for engine in (None, Engine(workers=2)):
        found = compute_signals_partitioned(folder, BULK_AS_OF, imported_at=BULK_AS_OF, engine=engine, creators=PART)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert expected.notna().any().sum() > 80


def test_the_crowd_is_known_across_partitions(folder, expected, monkeypatch):
    monkeypatch.setattr("features.engines.COMMENTS_AT_ONCE", 1_000)  # several shards
    crowd = crowd_of_partitions(plan_partitions(folder, PART), BULK_AS_OF, imported_at=BULK_AS_OF)

    assert crowd is not None
    names = list(crowd.signals)
    pd.testing.assert_frame_equal(crowd.signals, expected[names], check_exact=True)
    assert crowd.signals.notna().to_numpy().any()


def test_a_folder_without_comments_has_no_crowd(tables, tmp_path):
    write_tables({name: frame for name, frame in tables.items() if name != "comments"}, tmp_path / "x")

    for creators in (PART, 1_000):
        partitions = plan_partitions(tmp_path / "x", creators)
        assert crowd_of_partitions(partitions, BULK_AS_OF, imported_at=BULK_AS_OF) is None


@pytest.mark.slow
def test_two_worker_processes_on_this_machine_give_the_same_bits(folder, expected):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    engine = Engine("dask", workers=2)

    found = compute_signals_partitioned(folder, BULK_AS_OF, imported_at=BULK_AS_OF, engine=engine, creators=PART)

    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
def test_a_scheduler_elsewhere_gives_the_same_bits_and_tells_what_is_wrong(folder, expected, scheduler, tmp_path):
    engine = Engine("dask", scheduler)
    found = compute_signals_partitioned(folder, BULK_AS_OF, imported_at=BULK_AS_OF, engine=engine, creators=PART)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)

    with pytest.raises(TableError, match="no such folder"):
        list(signals_by_partition([Partition(tmp_path / "gone")], BULK_AS_OF, imported_at=BULK_AS_OF, engine=engine))


@pytest.mark.slow
def test_workers_of_another_registry_are_refused(folder, scheduler, monkeypatch):
    monkeypatch.setattr("features.engines.registry_hash", lambda: "other")
    partitions = plan_partitions(folder, PART)

    with pytest.raises(EngineError, match=f"computes signals {registry_hash()}, expected other"):
        list(signals_by_partition(partitions, BULK_AS_OF, imported_at=BULK_AS_OF, engine=Engine("dask", scheduler)))


def test_no_scheduler_is_an_error_in_words():
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")

    with pytest.raises(EngineError, match="no Dask scheduler answers at nowhere"):
        list(Engine("dask", "nowhere://127.0.0.1:1").map(len, []))  # type: ignore[arg-type]


def test_without_dask_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(EngineError, match=r"pip install 'realreach\[dask\]'"):
        list(Engine("dask").map(len, []))  # type: ignore[arg-type]


def test_an_error_in_a_partition_reaches_the_caller(folder):
    def fail(partition: Partition) -> None:
        raise KeyError(partition.first)

    for engine in (Engine(), Engine(workers=2)):
        with pytest.raises(KeyError):
            list(engine.map(fail, plan_partitions(folder, PART)))


def test_peers_of_partitions_are_those_of_the_whole(folder, tables, expected):
    creators = make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF).creators
    partitions = plan_partitions(folder, PART)
    crowd = crowd_of_partitions(partitions, BULK_AS_OF, imported_at=BULK_AS_OF)

    found = peers_of_partitions(partitions, BULK_AS_OF, imported_at=BULK_AS_OF, source="bulk", crowd=crowd)

    assert found.id == make_peers(expected, creators, BULK_AS_OF, "bulk").id


MEASURE = """
import sys
from pathlib import Path
from features.engines import signals_by_partition
from features.partitions import plan_partitions, write_frames
from training.bulk import BULK_AS_OF
from training.benchmark import peak_mb
partitions = plan_partitions(Path(sys.argv[1]), 250)
frames = signals_by_partition(partitions, BULK_AS_OF, imported_at=BULK_AS_OF)
write_frames((frame.reset_index() for frame in frames), Path(sys.argv[1] + ".parquet"))
print(peak_mb())
"""


@pytest.mark.slow
def test_memory_stays_flat_while_the_data_grows_fourfold(tmp_path):
    peaks = []
    for creators in (1_000, 4_000):
        parts = partial(draw_tables, 250, 7, snapshots=30)
        write_parts((parts(first=first) for first in range(0, creators, 250)), tmp_path / str(creators))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, tmp_path / str(creators)],
            capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        peaks.append(float(done.stdout))
    whole = sum(path.stat().st_size for path in (tmp_path / "4000").iterdir()) / 2**20
    assert peaks[1] < 1.15 * peaks[0], (peaks, whole)


def test_a_file_of_signals_is_that_of_the_frame(folder, expected, tmp_path):
    partitions = plan_partitions(folder, PART)
    crowd = crowd_of_partitions(partitions, BULK_AS_OF, imported_at=BULK_AS_OF)
    frames = signals_by_partition(partitions, BULK_AS_OF, imported_at=BULK_AS_OF, crowd=crowd)

    write_frames((frame.reset_index() for frame in frames), tmp_path / "signals.parquet")

    read = pd.read_parquet(tmp_path / "signals.parquet").set_index("creator_id")
    pd.testing.assert_frame_equal(read, expected, check_exact=True)
