"""Where a creator's own rows come from when its page is shown: the tables that the catalogue was scored from.

REALREACH_TABLES names their folder. Reading one creator must not read it all, so an index of it is made once, in
REALREACH_HOME: the same rows in the order of creator ids, in Parquet files of small row groups, of which those of one
creator are found by their statistics. It is made by a process of its own, so that no thread waits for it, and anew when
a file of the folder is another one by its size or time, or a while after it could not be made.
"""

import fcntl
import os
import shutil
import subprocess  # nosec B404 - only this module is run
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.histories import Histories, make_histories
from features.partitions import older_arrow, plan_partitions, to_arrow
from features.tables import REQUIRED_TABLES, TableError, Tables
from training.tracking import home

#: Names the folder of tables.
TABLES = "REALREACH_TABLES"
#: Tables that a creator's page shows rows of.
SHOWN_TABLES = ("creators", "posts", "snapshots", "comments")
#: Rows of a row group, the least that is read of a table for one creator.
GROUP_ROWS = 4_096
#: Seconds that a page waits for the index of a folder to be made, and between two looks; a few thousand creators take
#: one or two.
_PATIENCE, _LOOK_SECONDS = 4.0, 0.1
#: Requests that wait for an index at once; more are told at once that it is being made.
_MOST_WAITING = 16
#: Seconds after which an index that could not be made is tried again: a disk may have been full.
_AGAIN_SECONDS = 60.0
#: Added to the name of an index when what is written into it changes.
_LAYOUT = "2"

#: Why nothing of a creator can be shown but its scores.
Missing = Literal["no_tables", "no_folder", "preparing", "unreadable", "unknown_creator"]


class NoHistoryError(LookupError):
    """A creator's rows cannot be shown.

    Attributes
    ----------
    why : {"no_tables", "no_folder", "preparing", "unreadable", "unknown_creator"}
        "no_tables" where no folder is named, "no_folder" where it is not there, "preparing" while its index is being
        made, "unreadable" where its tables cannot be read, "unknown_creator" where they have no such creator.
    detail : str
        The folder, or what is wrong with the tables.
    """

    def __init__(self, why: Missing, detail: str = "") -> None:
        self.why, self.detail = why, detail
        super().__init__(f"{why}: {detail}" if detail else why)


def _sources(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of the files of the tables that are shown."""
    paths = [folder / f"{name}.{ending}" for name in SHOWN_TABLES for ending in ("parquet", "csv", "csv.gz")]
    found = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((path.name, stat.st_size, stat.st_mtime_ns))
    return found


def _has_required(sources: list[tuple[str, int, int]]) -> bool:
    return not {name.partition(".")[0] for name, _, _ in sources}.isdisjoint(REQUIRED_TABLES)


def _places(folder: Path, sources: list[tuple[str, int, int]]) -> tuple[Path, str]:
    """Where the index of a folder with these files lies, and how the names of all indexes of the folder begin."""
    stem = sha256(str(folder).encode()).hexdigest()[:16]
    stamp = sha256(repr((_LAYOUT, sources)).encode()).hexdigest()[:16]
    return home() / "histories" / f"{stem}-{stamp}", stem


def _write_index(folder: Path, staged: Path) -> None:
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for partition in plan_partitions(folder):
            for name, frame in partition.read().items():
                if name not in SHOWN_TABLES:
                    continue
                rows = to_arrow(frame.sort_values("creator_id", kind="stable"))
                if name not in writers:
                    # statistics of other columns would only make the footer larger, which is kept in memory
                    path = staged / f"{name}.parquet"
                    writers[name] = pq.ParquetWriter(path, rows.schema, write_statistics=["creator_id"])
                writers[name].write_table(rows.cast(writers[name].schema), row_group_size=GROUP_ROWS)
    finally:
        for writer in writers.values():
            writer.close()


def index_tables(folder: Path) -> Path:
    """Make the index of a folder of tables, where it is not there yet; it appears whole or not at all.

    Indexes of what the folder held before are removed. Of several processes that make the same, one does.

    Parameters
    ----------
    folder : Path
        As `features.tables.read_tables` takes it.

    Returns
    -------
    Path
        Folder of the index, in REALREACH_HOME.

    Raises
    ------
    features.tables.TableError
        Where the tables cannot be read or break the contract.
    """
    folder = folder.absolute()
    place, stem = _places(folder, _sources(folder))
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f".{stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{stem}.") as name:
                staged = Path(name) / "index"
                staged.mkdir()
                _write_index(folder, staged)
                staged.rename(place)
        for other in place.parent.glob(f"{stem}-*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
    return place


@dataclass(frozen=True)
class IndexFile:
    """A table of an index, its footer read once."""

    path: Path
    metadata: pq.FileMetaData
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def open(cls, path: Path) -> "IndexFile":
        """Read the footer of a file that is sorted by creator_id."""
        metadata = pq.read_metadata(path)
        column = metadata.schema.to_arrow_schema().names.index("creator_id")
        ends = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
        # ids too long for statistics: the group may hold anybody
        known = [(one.min, one.max) if one is not None and one.has_min_max else ("", "\U0010ffff") for one in ends]
        first, last = (np.array([end[side] for end in known], dtype=object) for side in (0, 1))
        return cls(path, metadata, first, last)

    def rows(self, creator_id: str) -> pd.DataFrame:
        """Rows of one creator, typed as `features.tables.check_tables` types them."""
        groups = np.flatnonzero((self.first <= creator_id) & (self.last >= creator_id))
        with pq.ParquetFile(self.path, metadata=self.metadata) as file:
            found = file.read_row_groups([int(group) for group in groups], use_threads=False)
        with older_arrow():
            return found.filter(pc.equal(found["creator_id"], creator_id)).to_pandas()


@dataclass(frozen=True)
class _Index:
    files: dict[str, IndexFile]

    @classmethod
    def open(cls, place: Path) -> "_Index":
        return cls({path.stem: IndexFile.open(path) for path in place.glob("*.parquet")})

    def of(self, creator_id: str) -> Tables:
        return {name: file.rows(creator_id) for name, file in self.files.items()}


@lru_cache(maxsize=2)
def _opened(place: Path) -> _Index:
    return _Index.open(place)


def tables_folder() -> Path | None:
    """The folder of tables that REALREACH_TABLES names; None where it names none."""
    named = os.environ.get(TABLES, "")
    return Path(named).absolute() if named else None


class Shelf:
    """Rows of creators, looked up one by one; for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[Path, subprocess.Popen[bytes]] = {}
        #: What was wrong with an index that could not be made, and when it was tried.
        self._trouble: dict[Path, tuple[str, float]] = {}
        self._waiting = 0

    def prepare(self) -> bool:
        """Begin to make the index of the folder that is named, where there is none; whether it is being made."""
        folder = tables_folder()
        sources = _sources(folder) if folder else []
        if folder is None or not _has_required(sources):
            return False
        return self._is_being_made(folder, _places(folder, sources)[0])

    async def wait(self, seconds: float = _PATIENCE) -> None:
        """Wait a moment for an index that is being made, in no thread that computes; it may not be there after.

        Where many wait already, whoever comes next does not.
        """
        if self._waiting >= _MOST_WAITING:
            return
        self._waiting += 1
        try:
            with anyio.move_on_after(seconds):
                while await anyio.to_thread.run_sync(self.prepare):
                    await anyio.sleep(_LOOK_SECONDS)
        finally:
            self._waiting -= 1

    def stamp(self) -> str:
        """What is another one once the tables are: part of what a page's evidence is kept by."""
        folder = tables_folder()
        return "" if folder is None else _places(folder, _sources(folder))[0].name

    def of(self, creator_id: str, platform: str) -> tuple[Tables, pd.Timestamp]:
        """Rows of a creator, and when its tables were imported.

        Parameters
        ----------
        creator_id : str
            As the catalogue has it: an id that several platforms use is told apart there by its platform.
        platform : str

        Returns
        -------
        tables : dict of str to DataFrame
            As `features.tables.check_tables` types them.
        imported_at : Timestamp
            When the last of the files was written.

        Raises
        ------
        NoHistoryError
        """
        folder = tables_folder()
        if folder is None:
            raise NoHistoryError("no_tables")
        sources = _sources(folder)
        if not _has_required(sources):
            raise NoHistoryError("no_folder", str(folder))
        place = _places(folder, sources)[0]
        if self._is_being_made(folder, place) and not place.is_dir():
            raise NoHistoryError("preparing", str(folder))
        if not place.is_dir():
            raise NoHistoryError("unreadable", self._trouble.get(place, ("",))[0])
        for one in (creator_id, creator_id.removeprefix(f"{platform}:")):
            tables = self._read(place, one)
            if len(tables["creators"]) and tables["creators"]["platform"].iloc[0] == platform:
                imported = max(changed for _, _, changed in sources)
                return tables, pd.Timestamp(imported, unit="ns", tz="UTC")
        raise NoHistoryError("unknown_creator", str(folder))

    def _read(self, place: Path, creator_id: str) -> Tables:
        try:
            return _opened(place).of(creator_id)
        except OSError as error:
            _opened.cache_clear()
            raise NoHistoryError("preparing") from error  # another index took its place at this moment
        except pa.ArrowException as error:
            raise NoHistoryError("unreadable", str(error).partition("\n")[0]) from error

    def _is_being_made(self, folder: Path, place: Path) -> bool:
        """Whether a process makes an index; begun where there is neither an index nor one that failed a moment ago."""
        with self._lock:
            self._note_end(place)
            if place not in self._making:
                failed = place in self._trouble and time.monotonic() - self._trouble[place][1] < _AGAIN_SECONDS
                if failed or place.is_dir():
                    return False
                command = [sys.executable, "-m", "serving.histories", str(folder)]
                self._making[place] = subprocess.Popen(  # noqa: S603  # nosec B603 - no shell reads the folder's name
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
                )
            return True

    def _note_end(self, place: Path) -> None:
        """Forget a process that has done its work, and keep what it says where it failed."""
        making = self._making.get(place)
        if making is None or making.poll() is None:
            return
        said = making.communicate()[1].decode(errors="replace").strip()
        del self._making[place]
        if making.returncode:
            why = said.splitlines()[-1] if said else f"exit code {making.returncode}"
            self._trouble[place] = (why, time.monotonic())


def history_of(shelf: Shelf, creator_id: str, platform: str, as_of: pd.Timestamp, posts: int) -> Histories:
    """What was known of a creator when it was scored.

    Parameters
    ----------
    shelf : Shelf
    creator_id, platform : str
    as_of : Timestamp
        Of its row in the catalogue; nothing later is in the result.
    posts : int
        Posts that its scores stand on. Rows without a time of observation are known from the import on, by the time of
        the files; where that would leave fewer posts, the files were copied later, and such rows count as known.

    Raises
    ------
    NoHistoryError
    """
    tables, imported = shelf.of(creator_id, platform)
    found = make_histories(tables, as_of, imported_at=imported)
    if imported > as_of and int(found.posts.counts[0]) < posts:
        found = make_histories(tables, as_of, imported_at=as_of)
    return found


def main() -> None:
    """Make the index of the folder that the command line names; what is wrong goes to stderr."""
    os.nice(10)  # requests come first
    try:
        index_tables(Path(sys.argv[1]))
    except (TableError, OSError) as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}; realreach check {sys.argv[1]} names every problem\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
