"""Tables of more creators than fit into memory, read and written by partitions of creators.

A folder of Parquet files is cut into ranges of creator ids. Each partition holds every row of its creators, and reading
it touches only the row groups whose statistics say that they may hold some: files sorted by creator_id, as
`write_parts` writes them, are read once over all partitions. Unsorted files give the same rows, but each partition
scans them whole. CSV has no row groups: a folder with a CSV table is one partition.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ArrowException

from features.histories import latest_knowledge
from features.tables import (
    CONTRACT,
    TIME,
    Problem,
    TableError,
    Tables,
    check_ending,
    check_tables,
    read_tables,
    written_whole,
)

#: Creators of a partition: their posts and snapshots take a few hundred MB while they are checked and laid out.
PARTITION = 5_000
#: Rows of a row group that `write_parts` writes: the least that a partition reads of a file.
GROUP_ROWS = 65_536

_BY_CREATOR = ("creators", "posts", "snapshots", "comments", "audience")


@dataclass(frozen=True)
class Partition:
    """Creators of a folder whose ids lie in [first, end).

    Attributes
    ----------
    folder : Path
        Absolute: workers on other machines open it under the same name.
    first : str
        Lowest id; empty for the first partition, which also reads rows whose id is missing, to complain about them.
    end : str, optional
        Lowest id of the next partition; None for the last.
    now : Timestamp, optional
        When the tables were imported: later times are problems, where `read` is not told another moment.
    """

    folder: Path
    first: str = ""
    end: str | None = None
    now: pd.Timestamp | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the whole folder."""
        return not self.first and self.end is None

    def read(self, *, now: pd.Timestamp | None = None) -> Tables:
        """Read and check the rows of this partition's creators.

        Raises
        ------
        TableError
            As `features.tables.read_tables`; rows are counted within the partition.
        """
        now = self.now if now is None else now
        if self.whole:
            return read_tables(self.folder, now=now)
        try:
            tables = {name: self._rows(name) for name in _BY_CREATOR if _path(self.folder, name).is_file()}
            if "audience" in tables and _path(self.folder, "accounts").is_file():
                ids = pa.array(tables["audience"]["account_id"].dropna().unique(), pa.string())
                tables["accounts"] = _read(self.folder, "accounts", lambda account: account.isin(ids))
            return check_tables(tables, now=now)
        except TableError as error:
            ids_of = (
                f"of creators {self.first!r} to before {self.end!r}" if self.end else f"from creator {self.first!r} on"
            )
            raise TableError(
                [
                    Problem(
                        problem.table, problem.column, f"{problem.found} ({ids_of})", problem.expected, problem.rows
                    )
                    for problem in error.problems
                ]
            ) from error

    def _rows(self, table: str) -> pd.DataFrame:
        def ours(creator: pc.Expression) -> pc.Expression:
            from_here = creator >= self.first
            if self.end is None:
                return from_here
            before_next = creator < self.end
            return from_here & before_next if self.first else creator.is_null() | before_next

        return _read(self.folder, table, ours)


@contextmanager
def older_arrow() -> Iterator[None]:
    """Silence what pyarrow does that pandas 4 will not allow, as `DataFrame.to_parquet` does."""
    with catch_warnings():
        simplefilter("ignore", pd.errors.Pandas4Warning)
        yield


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow keeps it, without its index."""
    with older_arrow():
        return pa.Table.from_pandas(frame, preserve_index=False)


def _path(folder: Path, table: str) -> Path:
    return folder / f"{table}.parquet"


def _read(folder: Path, table: str, condition: Callable[[pc.Expression], pc.Expression]) -> pd.DataFrame:
    """Rows of a Parquet table whose id satisfies a condition, of the columns that the contract knows."""
    path = _path(folder, table)
    key = "account_id" if table == "accounts" else "creator_id"
    try:
        schema = pq.read_schema(path)
        if key not in schema.names:
            raise TableError([Problem(table, key, "missing", f"a column {key}")])
        field = pc.field(key)
        if not (pa.types.is_string(schema.field(key).type) or pa.types.is_large_string(schema.field(key).type)):
            field = field.cast(pa.string())
        columns = [name for name in CONTRACT[table].columns if name in schema.names]
        return pd.read_parquet(path, columns=columns, filters=condition(field))
    except (OSError, ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise TableError([Problem(path.name, "", f"unreadable ({reason})", "a Parquet file")]) from error


def plan_partitions(folder: Path, creators: int = PARTITION, *, now: pd.Timestamp | None = None) -> list[Partition]:
    """Cut a folder of tables into ranges of creator ids.

    Parameters
    ----------
    folder : Path
        As `features.tables.read_tables` takes it.
    creators : int
        How many creators a partition has at most.
    now : Timestamp, optional
        When the tables were imported: reading a partition finds later times to be problems.

    Returns
    -------
    list of Partition
        In the order of ids; a single one, the whole folder, where it has no more creators or a table is a CSV file.

    Raises
    ------
    ValueError
        Where `creators` is not at least 1.
    TableError
        Where the creators table is unreadable.
    """
    if creators < 1:
        message = f"a partition of {creators} creators; expected at least 1"
        raise ValueError(message)
    folder = folder.absolute()
    tables = [folder / f"{name}.{ending}" for name in _BY_CREATOR for ending in ("csv", "csv.gz")]
    file = _path(folder, "creators")
    if any(path.is_file() for path in tables) or not file.is_file():
        return [Partition(folder, now=now)]
    try:
        if pq.read_metadata(file).num_rows <= creators or "creator_id" not in pq.read_schema(file).names:
            return [Partition(folder, now=now)]
        ids = pq.read_table(file, columns=["creator_id"])["creator_id"].cast(pa.large_string())
    except (OSError, ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise TableError([Problem(file.name, "", f"unreadable ({reason})", "a Parquet file")]) from error
    distinct = pc.drop_null(pc.unique(ids))
    ordered = distinct.take(pc.sort_indices(distinct))
    bounds = ["", *(ordered[row].as_py() for row in range(creators, len(ordered), creators))]
    return [Partition(folder, first, end, now) for first, end in pairwise([*bounds, None])]


def latest_knowledge_of(partitions: list[Partition], now: pd.Timestamp) -> pd.Timestamp:
    """`features.histories.latest_knowledge` of all partitions, reading only the columns that say it."""
    folder = partitions[0].folder
    if partitions[0].whole:
        return latest_knowledge(partitions[0].read(now=now), now)
    sampled = _path(folder, "audience")
    if sampled.is_file() and pq.read_metadata(sampled).num_rows:
        return now
    latest = []
    for name in ("creators", "posts", "snapshots"):
        if _path(folder, name).is_file():
            for times in _observations(_path(folder, name)):
                if times is None or times.isna().any():
                    return now
                latest.append(times.max())
    return max(latest, default=now)


def _times(values: pd.Series) -> pd.Series:
    """Times of a column that nobody has checked yet: what is none is missing."""
    return pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601").astype(TIME)


def _observations(path: Path) -> Iterator[pd.Series | None]:
    """Times of observation, batch by batch; None for rows that have none. Of creators, those with a count."""
    file = pq.ParquetFile(path)
    columns = [
        name
        for name in ("observed_at", *(["followers"] if path.stem == "creators" else []))
        if name in file.schema_arrow.names
    ]
    if not columns:
        yield from [None] * (file.metadata.num_rows > 0)
        return
    for batch in file.iter_batches(columns=columns):
        with older_arrow():
            rows = batch.to_pandas()
        if path.stem == "creators":
            rows = rows.dropna(subset=["followers"])
        if len(rows):
            yield _times(rows["observed_at"]) if "observed_at" in rows else None


def write_parts(parts: Iterable[Tables], folder: Path) -> None:
    """Write tables that arrive part by part, one file a table; the folder appears whole or not at all.

    Parameters
    ----------
    parts : iterable of dict of str to DataFrame
        Each with all rows of its creators, in the order of creator ids where reading by partitions is to be quick, and
        with the same tables and columns.

    Raises
    ------
    FileExistsError
        Where `folder` exists and is not empty: nothing is ever overwritten.
    TableError
        Where a part breaks the contract.
    """
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is not empty; choose a new folder or remove it first"
        raise FileExistsError(message)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
        staged = Path(name) / "tables"
        staged.mkdir()
        writers: dict[str, pq.ParquetWriter] = {}
        try:
            for tables in parts:
                for table, frame in check_tables(tables).items():
                    rows = to_arrow(frame)
                    if table not in writers:
                        writers[table] = pq.ParquetWriter(_path(staged, table), rows.schema)
                    writers[table].write_table(rows.select(writers[table].schema.names), row_group_size=GROUP_ROWS)
        finally:
            for writer in writers.values():
                writer.close()
        if folder.exists():
            folder.rmdir()
        staged.rename(folder)


def write_frames(frames: Iterable[pd.DataFrame], path: Path) -> int:
    """Write frames that arrive part by part as one Parquet or CSV file, by the ending; it appears whole or not at all.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ValueError
        Where the ending is neither `.parquet` nor `.csv`.
    """
    return write_together(((frame,) for frame in frames), [path])[0]


def write_together(parts: Iterable[Sequence[pd.DataFrame]], paths: Sequence[Path]) -> list[int]:
    """Write frames that arrive part by part, in each part one for each file; all files appear whole, or none.

    Parameters
    ----------
    parts : iterable of sequences of DataFrame
        One frame for each path.
    paths : sequence of Path
        Parquet or CSV files, by their endings.

    Returns
    -------
    list of int
        Rows written to each.

    Raises
    ------
    ValueError
        Where an ending is neither `.parquet` nor `.csv`.
    """
    for path in paths:
        check_ending(path)
    rest = iter(parts)
    first = list(islice(rest, 1))  # what cannot be computed at all leaves no folder behind
    with ExitStack() as whole:
        temporary = [whole.enter_context(written_whole(path)) for path in paths]
        with ExitStack() as files:
            writers = [files.enter_context(closing(_writer(path))) for path in temporary]
            for frames in chain(first, rest):
                for writer, frame in zip(writers, frames, strict=True):
                    writer.append(frame)
    return [writer.rows for writer in writers]


def _writer(path: Path) -> "_ParquetWriter | _CsvWriter":
    return _ParquetWriter(path) if path.suffix == ".parquet" else _CsvWriter(path)


class _ParquetWriter:
    """Appends frames to a Parquet file of the first one's columns."""

    def __init__(self, path: Path) -> None:
        self._path, self.rows = path, 0
        self._file: pq.ParquetWriter | None = None

    def append(self, frame: pd.DataFrame) -> None:
        table = to_arrow(frame)
        if self._file is None:
            self._file = pq.ParquetWriter(self._path, table.schema)
        self._file.write_table(table.cast(self._file.schema))
        self.rows += len(frame)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _CsvWriter:
    """Appends frames to a CSV file under the first one's header."""

    def __init__(self, path: Path) -> None:
        self._file, self.rows = path.open("w", encoding="utf-8", newline=""), 0
        self._begun = False

    def append(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self._file, index=False, header=not self._begun)
        self._begun = True
        self.rows += len(frame)

    def close(self) -> None:
        self._file.close()
