"""The same signals on one thread, on several, and on many machines: only who calls the functions differs.

A creator's row depends on no other creator, to the last bit, so creators may be dealt to partitions, threads and
machines in any way. What creators show together (scope "crowd") takes two stages: every partition counts its comments
(`features.coordination.sketch_comments`), the counts are put together, and the second pass looks creators up.

`local` works through the partitions one after another, or a few at a time on threads, and holds only those in memory.
`dask` sends each partition's name to workers, which read it themselves: the folder has to be there under the same path.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial, reduce
from pathlib import Path
from typing import Any, Literal, TypeVar

import pandas as pd
import pyarrow.parquet as pq

from features.coordination import (
    CommentSketch,
    Crowd,
    keep_shared,
    make_crowd,
    merge_sketches,
    shard_sketch,
    sketch_comments,
)
from features.histories import Histories, make_histories
from features.memory import KEEP_FREED_MEMORY
from features.partitions import PARTITION, Partition, plan_partitions
from features.peers import Peers, PeerSample, merge_samples, peers_of, sample_peers
from features.signals import compute_signals, registry_hash
from features.tables import Problem, TableError, Tables

EngineName = Literal["local", "dask"]
T = TypeVar("T")

#: Comments whose sketches are put together at once: some 100 bytes each.
COMMENTS_AT_ONCE = 10_000_000


#: Of the workers that are started here. Dask's own sets a low MALLOC_TRIM_THRESHOLD_, so that every block of numbers is
#: asked of the system anew: the same signals took twice as long.
_WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    **KEEP_FREED_MEMORY,
}


class EngineError(RuntimeError):
    """An engine that cannot be had, or that would compute something else."""


@dataclass(frozen=True)
class Engine:
    """Who computes.

    Attributes
    ----------
    name : {"local", "dask"}
    scheduler : str, optional
        Address of a Dask scheduler, such as tcp://10.0.0.5:8786; a cluster of this machine's cores where left out.
    workers : int, optional
        Threads of `local` (1 where left out), or processes of the cluster that `dask` starts (one a core).
    """

    name: EngineName = "local"
    scheduler: str | None = None
    workers: int | None = None

    @property
    def threads(self) -> int | None:
        """Threads of one partition: all cores where partitions are computed one after another, else 1."""
        return None if self.name == "local" and not self.workers else 1

    def map(self, function: Callable[[Partition], T], partitions: Iterable[Partition]) -> Iterator[T]:
        """Results of a function over partitions, in their order; few are in memory at a time.

        Raises
        ------
        EngineError
            Where Dask is not installed, no scheduler answers, or a worker's signals are not these.
        Exception
            Whatever `function` raises.
        """
        if self.name == "dask":
            return _dask_map(function, partitions, self.scheduler, self.workers)
        return _local_map(function, partitions, self.workers or 1)


def _local_map(function: Callable[[Any], T], items: Iterable[Any], threads: int) -> Iterator[T]:
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True)
class _Refused:
    """Problems of a partition's tables: carried as a value, for errors with arguments of their own travel badly."""

    problems: tuple[Problem, ...]


def _on_worker(function: Callable[[Partition], T], partition: Partition, expected: str) -> T | _Refused:
    if registry_hash() != expected:
        message = (
            f"a worker computes signals {registry_hash()}, expected {expected}: install the same realreach everywhere"
        )
        raise EngineError(message)
    try:
        return function(partition)
    except TableError as error:
        return _Refused(tuple(error.problems))


def _value(result: Any) -> Any:
    if isinstance(result, _Refused):
        raise TableError(result.problems)
    return result


def _dask_map(
    function: Callable[[Partition], T], partitions: Iterable[Partition], scheduler: str | None, workers: int | None
) -> Iterator[T]:
    try:
        import dask  # noqa: PLC0415 - an extra, and slow to import
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ImportError as error:
        message = "Dask is not installed: pip install 'realreach[dask]'"
        raise EngineError(message) from error
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT}))
        address = scheduler or stack.enter_context(
            LocalCluster(
                n_workers=workers or os.cpu_count() or 1,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            )
        )
        try:
            client = stack.enter_context(Client(address, timeout=20))
        except (OSError, TimeoutError, ValueError) as error:
            message = f"no Dask scheduler answers at {scheduler}: {error}"
            raise EngineError(message) from error
        client.wait_for_workers(1, timeout=60)
        # what every partition shares, such as a model, travels once
        shared = client.scatter(function, broadcast=True, hash=False)
        ahead = 2 * max(1, sum(client.nthreads().values()))
        waiting: deque[Any] = deque()
        for partition in partitions:
            waiting.append(client.submit(_on_worker, shared, partition, registry_hash(), pure=False))
            if len(waiting) > ahead:
                yield _value(waiting.popleft().result())
        while waiting:
            yield _value(waiting.popleft().result())


def _histories_of(partition: Partition, as_of: pd.Timestamp, imported_at: pd.Timestamp) -> Histories:
    return make_histories(partition.read(), as_of, imported_at=imported_at)


def _signals_of(
    partition: Partition, as_of: pd.Timestamp, imported_at: pd.Timestamp, crowd: Crowd | None, threads: int | None
) -> pd.DataFrame:
    return compute_signals(_histories_of(partition, as_of, imported_at), crowd, threads=threads)


def _peers_of(
    partition: Partition, as_of: pd.Timestamp, imported_at: pd.Timestamp, crowd: Crowd | None, threads: int | None
) -> PeerSample:
    histories = _histories_of(partition, as_of, imported_at)
    return sample_peers(compute_signals(histories, crowd, threads=threads), histories.creators)


def _shards_of(
    partition: Partition, as_of: pd.Timestamp, imported_at: pd.Timestamp, shards: int
) -> list[CommentSketch]:
    return shard_sketch(sketch_comments(_histories_of(partition, as_of, imported_at)), shards)


def crowd_of_partitions(
    partitions: list[Partition], as_of: pd.Timestamp, *, imported_at: pd.Timestamp, engine: Engine | None = None
) -> Crowd | None:
    """What the creators of all partitions show together; None where the folder has no comments.

    Counts of comments wait on disk, in ranges of authors, and are put together one range at a time: what stays in
    memory are the authors who wrote under several creators.
    """
    folder = partitions[0].folder
    if partitions[0].whole:
        tables = partitions[0].read()
        return crowd_of_tables(tables, as_of, imported_at=imported_at) if "comments" in tables else None
    if not (folder / "comments.parquet").is_file():
        return None
    shards = 1 + pq.read_metadata(folder / "comments.parquet").num_rows // COMMENTS_AT_ONCE
    count = partial(_shards_of, as_of=as_of, imported_at=imported_at, shards=shards)
    with tempfile.TemporaryDirectory(prefix="realreach.") as name:
        for number, sketches in enumerate((engine or Engine()).map(count, partitions)):
            for shard, sketch in enumerate(sketches):
                _put(sketch, Path(name) / str(shard) / str(number))
        kept = []
        for shard in range(shards):
            parts = (_get(Path(name) / str(shard) / str(number)) for number in range(len(partitions)))
            kept.append(keep_shared(merge_sketches(parts)))
        return make_crowd(kept)


def crowd_of_tables(tables: Tables, as_of: pd.Timestamp, *, imported_at: pd.Timestamp) -> Crowd:
    """What all creators of checked tables show together."""
    return make_crowd([sketch_comments(make_histories(tables, as_of, imported_at=imported_at))])


def _put(sketch: CommentSketch, folder: Path) -> None:
    folder.mkdir(parents=True)
    for field in fields(sketch):
        getattr(sketch, field.name).to_parquet(folder / f"{field.name}.parquet", index=False)


def _get(folder: Path) -> CommentSketch:
    return CommentSketch(
        **{field.name: pd.read_parquet(folder / f"{field.name}.parquet") for field in fields(CommentSketch)}
    )


def signals_by_partition(
    partitions: list[Partition],
    as_of: pd.Timestamp,
    *,
    imported_at: pd.Timestamp,
    engine: Engine | None = None,
    crowd: Crowd | None = None,
) -> Iterator[pd.DataFrame]:
    """Signal frames of partitions, one after the other: for more creators than fit into memory."""
    chosen = engine or Engine()
    function = partial(_signals_of, as_of=as_of, imported_at=imported_at, crowd=crowd, threads=chosen.threads)
    return chosen.map(function, partitions)


def peers_of_partitions(
    partitions: list[Partition],
    as_of: pd.Timestamp,
    *,
    imported_at: pd.Timestamp,
    source: str,
    engine: Engine | None = None,
    crowd: Crowd | None = None,
) -> Peers:
    """`features.peers.make_peers` of the creators of all partitions, of whom only samples are in memory at once."""
    chosen = engine or Engine()
    function = partial(_peers_of, as_of=as_of, imported_at=imported_at, crowd=crowd, threads=chosen.threads)
    # one by one: what has been merged is as small as one sample
    merged = reduce(lambda sample, other: merge_samples([sample, other]), chosen.map(function, partitions))
    return peers_of(merged, as_of, source)


def compute_signals_partitioned(
    folder: Path,
    as_of: pd.Timestamp,
    *,
    imported_at: pd.Timestamp,
    engine: Engine | None = None,
    creators: int = PARTITION,
) -> pd.DataFrame:
    """Compute every signal of every creator of a folder, by partitions, with what its creators show together.

    Parameters
    ----------
    folder : Path
        Tables as `features.tables.read_tables` reads them.
    as_of, imported_at : Timestamp
        As in `features.histories.make_histories`.
    engine : Engine, optional
        One thread of this process where left out.
    creators : int
        Creators of a partition.

    Returns
    -------
    DataFrame of float64
        Bit for bit what `compute_signals` returns of the whole folder and its crowd.

    Raises
    ------
    TableError
        Where rows break the contract.
    EngineError
        Where the engine cannot be had.
    """
    partitions = plan_partitions(folder, creators)
    crowd = crowd_of_partitions(partitions, as_of, imported_at=imported_at, engine=engine)
    return pd.concat(signals_by_partition(partitions, as_of, imported_at=imported_at, engine=engine, crowd=crowd))
