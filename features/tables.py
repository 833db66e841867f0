"""The contract: which tables a history is made of, their columns, and the checks every input goes through.

A folder of Parquet or CSV files is read with `read_tables`, any frames are checked with `check_tables`; both either
return typed frames or raise one `TableError` that lists every problem with its table, column and rows.
"""

import os
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pyarrow import ArrowException

Tables = dict[str, pd.DataFrame]

PLATFORMS = ("instagram", "tiktok", "youtube", "facebook")
HEADS = (
    "bought_followers",
    "bought_likes",
    "bought_views",
    "comment_bots",
    "engagement_pods",
)
POST_KINDS = ("photo", "carousel", "video", "short", "story", "live", "text")
RELATIONS = ("follower", "liker", "commenter")
#: What is known of an account besides its id and platform.
ACCOUNT_COUNTS = ("followers", "following", "posts_count", "bio_length", "username_length", "username_digits")
ACCOUNT_FLAGS = ("has_picture", "is_private", "is_verified", "is_business", "has_external_url")
LABEL_KINDS = (*HEADS, "fake")
#: What analysts decide on a creator that they were shown for a brand; `position` is its place in that list, from 1.
DECISIONS = ("yes", "maybe", "no")
TIERS = ("nano", "micro", "macro", "mega")
#: Followers at which the next tier begins.
TIER_FLOORS = (10_000, 100_000, 1_000_000)

COUNT: Final = "Int64"
MONEY: Final = "float64"
TIME: Final = "datetime64[us, UTC]"
FLAG: Final = "boolean"
TEXT: Final = "str"

_ROWS_SHOWN = 5
_EXPECTED = {
    COUNT: "whole numbers of 0 or more, such as 541200",
    MONEY: "numbers of 0 or more, such as 250.00",
    TIME: "ISO 8601 times, such as 2026-01-31T18:00:00Z",
    FLAG: "true or false",
    TEXT: "text",
}


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a table, in the words a user can act on.

    Attributes
    ----------
    table, column : str
        Where. `column` is empty where the whole table is meant.
    rows : tuple of int
        Rows concerned; 1 is the first row under the header. Empty where every row is meant.
    found, expected : str
        What is there and what would be right.
    """

    table: str
    column: str
    found: str
    expected: str
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = f"{self.table}.{self.column}" if self.column else self.table
        if self.rows:
            shown = ", ".join(str(row) for row in self.rows[:_ROWS_SHOWN])
            more = f" and {len(self.rows) - _ROWS_SHOWN} more" if len(self.rows) > _ROWS_SHOWN else ""
            where += f", {'row' if len(self.rows) == 1 else 'rows'} {shown}{more}"
        return f"{where}: {self.found}; expected {self.expected}"


class TableError(ValueError):
    """Input that does not keep the contract; `problems` holds every `Problem` found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes
    ----------
    schema : pandera.DataFrameSchema
        Column types, ranges and choices.
    key : tuple of str
        Columns that name a row; rows that repeat a key must be equal, and are then kept once.
    """

    name: str
    schema: pa.DataFrameSchema
    key: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Column → dtype, in the order of the contract."""
        return {name: column.metadata["dtype"] for name, column in self.schema.columns.items()}


def _column(
    dtype: str,
    *,
    required: bool = False,
    nullable: bool = True,
    choices: tuple[str, ...] = (),
) -> pa.Column:
    checks = []
    if dtype in (COUNT, MONEY):
        checks.append(pa.Check.ge(0, error=_EXPECTED[dtype]))
    if choices:
        checks.append(pa.Check.isin(choices, error=f"one of {', '.join(choices)}"))
    if dtype == TEXT and required and not nullable:
        checks.append(pa.Check.str_length(min_value=1, error="text that is not empty"))
    # pandera names dtypes in its own way: the contract's name rides along as metadata
    return pa.Column(
        dtype,
        checks=checks,
        required=required,
        nullable=nullable,
        metadata={"dtype": dtype},
    )


def _required(dtype: str, *, nullable: bool = False, choices: tuple[str, ...] = ()) -> pa.Column:
    return _column(dtype, required=True, nullable=nullable, choices=choices)


def _table(name: str, key: tuple[str, ...], /, **columns: pa.Column) -> Table:
    return Table(name, pa.DataFrameSchema(columns), key)


_text, _count, _money, _time, _flag = (_column(dtype) for dtype in (TEXT, COUNT, MONEY, TIME, FLAG))

_ACCOUNT_COLUMNS = {
    "platform": _column(TEXT, choices=PLATFORMS),
    **dict.fromkeys(ACCOUNT_COUNTS, _count),
    **dict.fromkeys(ACCOUNT_FLAGS, _flag),
}

_BRIEF_COLUMNS = {
    "brand_id": _required(TEXT),
    "name": _required(TEXT),
    "brief": _required(TEXT),
    "niche": _text,
    "platforms": _text,
    "countries": _text,
    "languages": _text,
    "tiers": _text,
    "budget": _money,
    "currency": _text,
    "goal": _text,
}

#: Every table of the contract by name. `followers`, `likes` and `comments` are required columns whose values may be
#: missing: a platform may hide them, and the heads that need them then abstain.
CONTRACT: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "creators",
            ("creator_id",),
            creator_id=_required(TEXT),
            platform=_required(TEXT, choices=PLATFORMS),
            followers=_required(COUNT, nullable=True),
            handle=_text,
            display_name=_text,
            bio=_text,
            language=_text,
            country=_text,
            niche=_text,
            following=_count,
            posts_count=_count,
            is_verified=_flag,
            is_business=_flag,
            created_at=_time,
            observed_at=_time,
            price_per_post=_money,
            currency=_text,
            barter_ok=_flag,
        ),
        _table(
            "posts",
            ("creator_id", "post_id", "observed_at"),
            creator_id=_required(TEXT),
            post_id=_required(TEXT),
            published_at=_required(TIME),
            likes=_required(COUNT, nullable=True),
            comments=_required(COUNT, nullable=True),
            observed_at=_time,
            kind=_column(TEXT, choices=POST_KINDS),
            caption=_text,
            views=_count,
            shares=_count,
            saves=_count,
            is_sponsored=_flag,
            sponsor=_text,
        ),
        _table(
            "snapshots",
            ("creator_id", "observed_at"),
            creator_id=_required(TEXT),
            observed_at=_required(TIME),
            followers=_required(COUNT, nullable=True),
            following=_count,
            posts_count=_count,
            total_views=_count,
        ),
        _table(
            "comments",
            (),
            creator_id=_required(TEXT),
            post_id=_required(TEXT),
            comment_id=_text,
            author_id=_required(TEXT),
            published_at=_required(TIME),
            text=_required(TEXT, nullable=True),
            likes=_count,
        ),
        _table(
            "audience",
            ("creator_id", "account_id", "relation"),
            creator_id=_required(TEXT),
            account_id=_required(TEXT),
            relation=_column(TEXT, choices=RELATIONS),
            **_ACCOUNT_COLUMNS,
        ),
        _table(
            "accounts",
            ("account_id",),
            account_id=_required(TEXT),
            **_ACCOUNT_COLUMNS
            | {name: _required(COUNT, nullable=True) for name in ("followers", "following", "posts_count")},
        ),
        _table("brands", ("brand_id",), **_BRIEF_COLUMNS),
        _table("briefs", (), **_BRIEF_COLUMNS),
        _table(
            "collaborations",
            (),
            brand_id=_required(TEXT),
            creator_id=_required(TEXT),
            started_at=_required(TIME),
            post_ids=_text,
            price=_money,
            currency=_text,
            impressions=_count,
            engagements=_count,
            clicks=_count,
            conversions=_count,
            outcome=_text,
        ),
        _table(
            "decisions",
            (),
            brand_id=_required(TEXT),
            creator_id=_required(TEXT),
            decided_at=_required(TIME),
            decision=_required(TEXT, choices=DECISIONS),
            position=_count,
        ),
        _table(
            "labels",
            (),
            creator_id=_text,
            account_id=_text,
            kind=_required(TEXT, choices=LABEL_KINDS),
            value=_required(MONEY),
            source=_text,
            observed_at=_time,
        ),
    )
}

REQUIRED_TABLES = ("creators", "posts")
#: Tables whose rows belong to a creator of the `creators` table.
_OF_A_CREATOR = ("posts", "snapshots", "comments", "audience")


def of_creators(tables: Tables, ids: pd.Index) -> Tables:
    """Rows of these creators; tables without creators stay whole."""
    return {
        name: frame[frame["creator_id"].isin(ids)] if "creator_id" in frame else frame for name, frame in tables.items()
    }


def tier_of(followers: pd.Series) -> pd.Series:
    """Tier by followers: nano below 10k, micro below 100k, macro below 1M, mega above; null where unknown.

    Examples
    --------
    >>> tier_of(pd.Series([9_999, 10_000, 2_000_000], dtype="Int64")).tolist()
    ['nano', 'micro', 'mega']
    """
    names = tiers_of(followers.astype("Float64").to_numpy(dtype=float, na_value=np.nan))
    return pd.Series(names, index=followers.index, dtype="str", name="tier")


def tiers_of(followers: np.ndarray) -> np.ndarray:
    """The same of float64 numbers, NaN where unknown; object, None where unknown."""
    names = np.array(TIERS, dtype=object)[np.searchsorted(TIER_FLOORS, np.nan_to_num(followers), side="right")]
    names[np.isnan(followers)] = None
    return names


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, pd.Timestamp) else repr(value)


@dataclass
class _Findings:
    """Problems of one table, gathered row by row of the contract."""

    table: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, column: str, wrong: np.ndarray, values: pd.Series, expected: str) -> None:
        """Note the rows where `wrong` (bool, one a row) holds, with samples of their values."""
        positions = np.flatnonzero(wrong)
        if positions.size:
            samples = ", ".join(_shown(value) for value in values.iloc[positions[:3]].tolist())
            self.problems.append(
                Problem(
                    self.table,
                    column,
                    samples,
                    expected,
                    tuple(int(row) + 1 for row in positions),
                )
            )


#: Above it a count does not fit 64 bits.
_LARGEST_COUNT = 2.0**63


def _as_counts(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64")
    array = numbers.to_numpy(dtype=float, na_value=np.nan)
    size = np.abs(array)
    wrong = (np.isnan(array) & values.notna().to_numpy()) | (np.floor(array) < array) | (size >= _LARGEST_COUNT)
    return numbers.mask(wrong).astype("Int64"), wrong


def _as_money(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    return numbers, (numbers.isna() & values.notna()).to_numpy() | np.isinf(numbers.to_numpy())


def _as_times(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    if pd.api.types.is_numeric_dtype(values):  # an epoch has no unit of its own: only a mapping file can say it
        return pd.Series(pd.NaT, index=values.index, dtype=TIME), values.notna().to_numpy()
    if values.dtype == object:
        epochs = values.map(lambda value: isinstance(value, Real)).astype(bool) & values.notna()
        values = values.mask(epochs, "a number")
    times = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601").astype(TIME)
    return times, (times.isna() & values.notna()).to_numpy()


_FLAGS = {
    "true": True,
    "1": True,
    "1.0": True,
    "yes": True,
    "false": False,
    "0": False,
    "0.0": False,
    "no": False,
}


def _as_flags(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    flags = values.astype("str").str.strip().str.lower().map(_FLAGS).astype("boolean")
    return flags, (flags.isna() & values.notna()).to_numpy()


def _as_text(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    if pd.api.types.is_float_dtype(values) and values.notna().any():
        # 1234567890123456789.0 has already lost digits of the id
        return values.astype("str"), values.notna().to_numpy()
    text = values.astype("str")
    return text.mask(values.isna()), np.zeros(len(values), dtype=bool)


_CONVERTERS: dict[str, Callable[[pd.Series], tuple[pd.Series, np.ndarray]]] = {
    COUNT: _as_counts,
    MONEY: _as_money,
    TIME: _as_times,
    FLAG: _as_flags,
    TEXT: _as_text,
}


def _convert(table: Table, frame: pd.DataFrame, findings: _Findings) -> pd.DataFrame:
    typed = {}
    for name, dtype in table.columns.items():
        if name not in frame:
            continue
        values = frame[name].reset_index(drop=True)
        if str(values.dtype) == dtype != MONEY:  # floats may still be infinite
            typed[name] = values
            continue
        typed[name], wrong = _CONVERTERS[dtype](values)
        findings.add(name, wrong, values, _EXPECTED[dtype])
    return pd.DataFrame(typed)


def _missing_columns(table: Table, frame: pd.DataFrame) -> list[Problem]:
    required = [name for name, column in table.schema.columns.items() if column.required]
    absent = [name for name in required if name not in frame]
    if not absent:
        return []
    there = ", ".join(str(name) for name in frame.columns) or "no columns"
    return [
        Problem(
            table.name,
            ", ".join(absent),
            f"missing; the table has {there}",
            f"columns {', '.join(required)}",
        )
    ]


def _check_values(table: Table, frame: pd.DataFrame, findings: _Findings) -> None:
    try:
        table.schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        unreadable = {(problem.column, row) for problem in findings.problems for row in problem.rows}
        for (column, check), cases in error.failure_cases.groupby(["column", "check"], sort=False):
            wrong = np.zeros(len(frame), dtype=bool)
            wrong[[int(row) for row in cases["index"] if (column, int(row) + 1) not in unreadable]] = True
            expected = "a value in every row" if check == "not_nullable" else str(check)
            findings.add(str(column), wrong, frame[str(column)], expected)


def _drop_repeats(table: Table, frame: pd.DataFrame, findings: _Findings) -> pd.DataFrame:
    """Keep equal rows once; note rows that share a key but differ."""
    key = [name for name in table.key if name in frame]
    if not key:
        return frame
    distinct = frame[~frame.duplicated()] if frame.duplicated(subset=key).any() else frame
    clash = distinct.duplicated(subset=key, keep=False).to_numpy()
    if clash.any():
        wrong = np.zeros(len(frame), dtype=bool)
        wrong[distinct.index[clash]] = True
        findings.add(
            ", ".join(key),
            wrong,
            frame[key[0]],
            "one row for each, or repeated rows with equal values",
        )
    return distinct


def _check_order(table: Table, frame: pd.DataFrame, findings: _Findings, now: pd.Timestamp | None) -> None:
    if table.name == "posts" and "observed_at" in frame:
        early = (frame["published_at"] > frame["observed_at"]).to_numpy(dtype=bool)
        findings.add(
            "observed_at",
            early,
            frame["observed_at"],
            "a time at or after published_at",
        )
    if now is not None:
        for column, dtype in table.columns.items():
            if dtype == TIME and column in frame:
                late = (frame[column] > now).to_numpy(dtype=bool)
                findings.add(
                    column,
                    late,
                    frame[column],
                    f"no time after {now:%Y-%m-%dT%H:%M:%SZ}",
                )


def _check_table(table: Table, frame: pd.DataFrame, now: pd.Timestamp | None) -> tuple[pd.DataFrame, list[Problem]]:
    missing = _missing_columns(table, frame)
    if missing:
        return frame, missing
    findings = _Findings(table.name)
    typed = _convert(table, frame, findings)
    _check_values(table, typed, findings)
    _check_order(table, typed, findings, now)
    distinct = _drop_repeats(table, typed, findings)
    return distinct.reset_index(drop=True), findings.problems


def _check_references(tables: Tables) -> list[Problem]:
    known = tables["creators"]["creator_id"]
    findings = []
    for name in _OF_A_CREATOR:
        if name in tables and len(tables[name]):
            finding = _Findings(name)
            ids = tables[name]["creator_id"]
            finding.add(
                "creator_id",
                ~ids.isin(known).to_numpy(),
                ids,
                "a creator_id of the creators table",
            )
            findings.extend(finding.problems)
    return findings


def check_tables(tables: Tables, *, now: pd.Timestamp | None = None) -> Tables:
    """Check frames against the contract and return typed copies.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Frames by table name; columns that the contract does not know are left out of the result.
    now : Timestamp, optional
        Where given, times after it are problems.

    Returns
    -------
    dict of str to DataFrame
        Counts as `Int64`, times as `datetime64[us, UTC]`, ids and text as `str`, flags as `boolean`, money as
        `float64`; equal repeated rows kept once; a fresh index from 0.

    Raises
    ------
    TableError
        With every problem of every table.
    """
    problems = [
        Problem(name, "", "no such table in the contract", f"one of {', '.join(CONTRACT)}")
        for name in tables
        if name not in CONTRACT
    ]
    problems += [
        Problem(name, "", "missing", f"the tables {' and '.join(REQUIRED_TABLES)}")
        for name in REQUIRED_TABLES
        if name not in tables
    ]
    checked = {}
    for name, frame in tables.items():
        if name in CONTRACT:
            checked[name], found = _check_table(CONTRACT[name], frame, now)
            problems += found
    if not problems and checked["creators"].empty:
        problems.append(Problem("creators", "", "no rows", "at least one creator"))
    if not problems:
        problems = _check_references(checked)
    if problems:
        raise TableError(problems)
    return checked


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        frame = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    except (OSError, EOFError, ValueError, zlib.error, ArrowException) as error:
        first_line = str(error).partition("\n")[0]
        reason = "empty file" if path.stat().st_size == 0 else f"unreadable ({first_line})"
        kind = "Parquet" if path.suffix == ".parquet" else "UTF-8 CSV with a header row"
        raise TableError([Problem(path.name, "", reason, f"a {kind} file")]) from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the first of too many fields for an index
        raise TableError([Problem(path.name, "", "rows with more fields than the header", "a name for each column")])
    return frame


def read_tables(folder: Path, *, now: pd.Timestamp | None = None) -> Tables:
    """Read and check the tables of a folder: `<table>.parquet`, `<table>.csv` or `<table>.csv.gz`.

    Files of other names are left alone.

    Raises
    ------
    TableError
        Where the folder or a required table is missing, a file cannot be read, or rows break the contract.
    """
    if not folder.is_dir():
        raise TableError(
            [
                Problem(
                    str(folder),
                    "",
                    "no such folder",
                    "a folder with creators and posts tables",
                )
            ]
        )
    tables: Tables = {}
    problems: list[Problem] = []
    for name in CONTRACT:
        files = [path for ending in ("parquet", "csv", "csv.gz") if (path := folder / f"{name}.{ending}").is_file()]
        if len(files) > 1:
            found = " and ".join(path.name for path in files)
            problems.append(Problem(name, "", f"two files, {found}", "one file for each table"))
        elif files:
            try:
                tables[name] = _read_table(files[0])
            except TableError as error:
                problems += error.problems
    if problems:
        raise TableError(problems)
    return check_tables(tables, now=now)


def columns_of(path: Path) -> list[str]:
    """Names of the columns of a Parquet or CSV file.

    Raises
    ------
    TableError
        Where the file cannot be read.
    """
    return list(_read_table(path).columns)


def read_table(path: Path, name: str, required: Collection[str], *, now: pd.Timestamp | None = None) -> pd.DataFrame:
    """Read one table from a Parquet or CSV file of any name and check it, holding it to fewer columns.

    Parameters
    ----------
    path : Path
        Ends in `.parquet`, `.csv` or `.csv.gz`.
    name : str
        Table of the contract.
    required : collection of str
        Columns that have to be there, with a value in every row; all others of the contract may be missing.
    now : Timestamp, optional
        Where given, times after it are problems.

    Returns
    -------
    DataFrame
        Typed as by `check_tables`; rows keep their order, equal repeated rows are kept once.

    Raises
    ------
    TableError
        Where the file cannot be read, or rows break the contract.
    """
    table = CONTRACT[name]
    optional = {column: {"required": column in required} for column in table.columns}
    held = replace(table, schema=table.schema.update_columns(optional), key=table.key)
    frame, problems = _check_table(held, _read_table(path), now)
    if not problems and frame.empty:
        problems.append(Problem(name, "", "no rows", "at least one row"))
    if problems:
        raise TableError(problems)
    return frame


def check_ending(path: Path) -> None:
    """Raise ValueError where a path ends neither in `.parquet` nor in `.csv`."""
    if path.suffix not in (".parquet", ".csv"):
        message = f"{path.name}: cannot tell the format by the ending; use .parquet or .csv"
        raise ValueError(message)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end; left early, nothing remains."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet or CSV by the ending of `path`; the file appears whole or not at all.

    Raises
    ------
    ValueError
        Where the ending is neither `.parquet` nor `.csv`.
    """
    check_ending(path)
    with written_whole(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)


def write_tables(tables: Tables, folder: Path) -> None:
    """Write checked tables as `<table>.parquet`; the folder appears whole or not at all.

    Raises
    ------
    FileExistsError
        Where `folder` exists and is not empty: nothing is ever overwritten.
    """
    checked = check_tables(tables)
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is not empty; choose a new folder or remove it first"
        raise FileExistsError(message)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
        staged = Path(name) / "tables"
        staged.mkdir()
        for table, frame in checked.items():
            frame.to_parquet(staged / f"{table}.parquet", index=False)
        if folder.exists():
            folder.rmdir()
        staged.rename(folder)
