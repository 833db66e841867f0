"""Any CSV, JSON or Parquet file becomes tables, by a mapping file.

>>> tables, report = import_tables(read_mapping("tiktok_vn2025"), [Path("exports")])  # doctest: +SKIP

The package's docstring shows a mapping file in full.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd

from features.sources import values
from features.sources.files import list_files, read_file
from features.sources.mappings import (
    Alias,
    ColumnRule,
    Conflict,
    Mapping,
    MappingError,
    Part,
    known_mappings,
    read_mapping,
)
from features.tables import CONTRACT, COUNT, FLAG, MONEY, TEXT, TIME, Problem, TableError, Tables, check_tables

__all__ = ["ImportReport", "MappingError", "TableReport", "import_tables", "known_mappings", "read_mapping"]

# Where a row came from, carried beside its columns until the checks are done.
_FILE, _ROW = "import file", "import row"
# A column for the length of a grouping: with a space, as no column of the contract is named.
_UNTIMED = "counts at no time"
#: Changes that have to end in zeros before counts are taken to be rounded: eight do by chance once in 10^8.
_TELLING = 8


@dataclass
class TableReport:
    """What became of the rows read for one table.

    Attributes
    ----------
    read, kept : int
        Rows.
    dropped : dict of str to int
        Rows left out, by the reason why.
    """

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, rows: int, reason: str) -> None:
        """Count rows that are left out."""
        if rows:
            self.dropped[reason] = self.dropped.get(reason, 0) + rows


@dataclass
class ImportReport:
    """What an import read, what it left out and what it assumed.

    Attributes
    ----------
    mapping : str
        Name of the mapping.
    about : dict
        Its [source] table.
    files : dict of str to int
        Rows by file that was read.
    unused : list of str
        Files that no part of the mapping asks for.
    tables : dict of str to TableReport
    notes : list of str
        What was assumed.
    """

    mapping: str
    about: dict[str, object]
    files: dict[str, int] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    tables: dict[str, TableReport] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"mapping {self.mapping}" + (f": {self.about['title']}" if "title" in self.about else "")]
        if "terms" in self.about:
            lines.append(f"terms: {self.about['terms']}")
        lines += [f"read {name}: {rows:,} rows" for name, rows in self.files.items()]
        lines += [f"not used: {name}" for name in self.unused]
        for name, table in self.tables.items():
            lines.append(f"{name}: {table.kept:,} of {table.read:,} rows kept")
            lines += [f"  {rows:,} left out: {reason}" for reason, rows in table.dropped.items()]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def import_tables(
    mapping: Mapping, paths: Sequence[Path], *, now: pd.Timestamp | None = None
) -> tuple[Tables, ImportReport]:
    """Tables of the contract from files in any shape that the mapping describes.

    Parameters
    ----------
    mapping : Mapping
        From `read_mapping`.
    paths : sequence of Path
        Files, or folders whose files are meant.
    now : Timestamp, optional
        Time of the import, UTC. An `observed_at` that is a day without a clock is the end of that day, or `now` where
        the day has not ended.

    Returns
    -------
    dict of str to DataFrame
        Checked by `features.tables.check_tables`.
    ImportReport
        Rows read, and rows left out with the reason.

    Raises
    ------
    TableError
        With every problem found: the file and its rows (1 is the first under the header), the value and what would be
        right.
    """
    files = list_files(paths)
    report = ImportReport(mapping.name, dict(mapping.about))
    names = _names(files)
    chunks, problems = _read_parts(mapping, files, names, report, now)
    if not problems:
        frames = _join_parts(mapping, chunks, report)
        frames, problems = _decide_repeats(mapping, frames, report)
        frames = _sum_changes(mapping, frames, report)
    else:
        frames = {}
    if problems:
        raise TableError(problems)
    try:
        empty = {name: _empty(name, report) for name in mapping.without}
        tables = check_tables({name: frame.reset_index(drop=True) for name, frame in frames.items()} | empty)
    except TableError as error:
        raise TableError(_in_the_files(error.problems, frames)) from error
    for name, table in tables.items():
        report.tables[name].kept = len(table)
    return tables, report


def _empty(table: str, report: ImportReport) -> pd.DataFrame:
    """A table that the source has no rows for, with the columns that are required."""
    report.tables[table] = TableReport()
    report.notes.append(f"{table}: not in the files, written without rows")
    columns = CONTRACT[table].schema.columns
    return pd.DataFrame(
        {name: pd.Series(dtype=dtype) for name, dtype in CONTRACT[table].columns.items() if columns[name].required}
    )


def _names(files: list[Path]) -> dict[Path, str]:
    """File name of each path, with its folder where two share it."""
    counts = pd.Series([path.name for path in files]).value_counts()
    return {path: path.name if counts[path.name] == 1 else str(path) for path in files}


def _read_parts(
    mapping: Mapping, files: list[Path], names: dict[Path, str], report: ImportReport, now: pd.Timestamp | None
) -> tuple[list[tuple[Part, pd.DataFrame]], list[Problem]]:
    raw: dict[tuple[Path, str], pd.DataFrame] = {}
    chunks: list[tuple[Part, pd.DataFrame]] = []
    problems: list[Problem] = []
    for part in mapping.parts:
        matching = [path for path in files if any(fnmatch(path.name, pattern) for pattern in part.files)]
        if not matching:
            there = ", ".join(names.values())
            problems.append(Problem(part.table, "", f"no such file among {there}", f"a file {' or '.join(part.files)}"))
        for path in matching:
            key = (path, part.records)
            try:
                if key not in raw:
                    raw[key] = read_file(
                        path, separator=mapping.separator, encoding=mapping.encoding, records=part.records
                    )
            except TableError as error:
                problems += [problem for problem in error.problems if problem not in problems]
                continue
            report.files[names[path]] = len(raw[key])
            chunk, found = _convert(part, raw[key], names[path], now)
            chunks.append((part, chunk))
            problems += found
    used = {path for path, _ in raw}
    report.unused = [names[path] for path in files if path not in used]
    return chunks, problems


def _convert(part: Part, raw: pd.DataFrame, file: str, now: pd.Timestamp | None) -> tuple[pd.DataFrame, list[Problem]]:
    """Typed columns of one part from the text of one file."""
    problems = _missing_columns(part, raw, file)
    if problems:
        return pd.DataFrame(), problems
    columns: dict[str, pd.Series] = {}
    for rule in part.columns.values():
        if rule.latest_of:
            columns[rule.name] = pd.Series(pd.NaT, index=raw.index, dtype=rule.dtype)
            continue
        text = raw[rule.column] if rule.column else pd.Series(rule.constant, index=raw.index, dtype="str")
        columns[rule.name], wrong, expected = _parse(rule, text, raw, now)
        problem = _problem(part.table, rule, text, wrong, expected, file)
        if problem:
            problems.append(problem)
    for name in part.unknown:
        columns[name] = pd.Series(pd.NA, index=raw.index, dtype=CONTRACT[part.table].columns[name])
    rows = np.arange(1, len(raw) + 1)
    return pd.DataFrame(columns | {_FILE: pd.Series(file, index=raw.index, dtype="str"), _ROW: rows}), problems


def _missing_columns(part: Part, raw: pd.DataFrame, file: str) -> list[Problem]:
    there = [str(name) for name in raw.columns]
    problems = []
    for rule in part.columns.values():
        for column in rule.columns:
            if column not in there:
                close = get_close_matches(column, there, n=1)
                hint = f"; is it {close[0]}?" if close else ""
                problems.append(
                    Problem(part.table, rule.name, f"{file} has no column {column}{hint}", f"one of {', '.join(there)}")
                )
    return problems


def _parse(
    rule: ColumnRule, raw_text: pd.Series, raw: pd.DataFrame, now: pd.Timestamp | None
) -> tuple[pd.Series, np.ndarray, str]:
    """Typed values of one column, which of them could not be read, and what would be right."""
    text = values.clean(raw_text, rule.dtype, rule.empty)
    if rule.by_duration:
        seconds, wrong = values.parse_durations(values.clean(raw_text, TIME, rule.empty))
        return _by_duration(rule, seconds), wrong, values.EXPECTED_DURATION
    unmapped = np.zeros(len(text), dtype=bool)
    if rule.alias:
        return _renamed(rule, rule.alias, text, raw)
    if rule.filled:
        return text.notna().astype(FLAG), unmapped, values.EXPECTED[FLAG]
    if rule.changes:
        return *values.parse_changes(text), values.EXPECTED_CHANGE
    if rule.first_entry:
        text = _first_entries(rule, text)
    if rule.value_map is not None:
        text, unmapped = _mapped(rule, text)
    parsed, wrong = _seen(rule, text, now) if rule.name == "observed_at" else _typed(rule, text)
    if rule.hidden:
        beside, _ = values.parse_counts(values.clean(raw[rule.hidden.column], COUNT, rule.empty), decimal=rule.decimal)
        parsed = parsed.mask((parsed.eq(0) & beside.ge(rule.hidden.least)).fillna(False))
    if unmapped.any():
        return parsed, unmapped, f"one of {', '.join(rule.value_map or {})}; or otherwise = in the mapping"
    if rule.hashtags:
        tags = values.hashtags(values.clean(raw[rule.hashtags], TEXT, rule.empty))
        joined = (parsed.fillna("") + " " + tags.fillna("")).str.strip()
        parsed = joined.mask(joined == "")
    return parsed, wrong, values.EXPECTED[rule.dtype] if rule.dtype != TEXT else "an id with all its digits"


# an exponent has at most three digits: 3e3966149153 is a hash
_MANGLED = r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}"


def _typed(rule: ColumnRule, text: pd.Series) -> values.Parsed:
    if rule.dtype == COUNT:
        return values.parse_counts(text, decimal=rule.decimal)
    if rule.dtype == TIME:
        times, wrong = values.parse_times(text, zone=rule.zone, formats=rule.formats, unit=rule.unit)
        return times + pd.Timedelta(days=rule.days_later), wrong
    if rule.dtype == FLAG:
        return values.parse_flags(text)
    if rule.dtype == MONEY:
        return values.parse_money(text)
    if rule.name.endswith("_id"):
        # what a spreadsheet makes of a long id: its last digits are lost
        wrong = text.str.fullmatch(_MANGLED, na=False).to_numpy(dtype=bool)
        return (rule.prefix + text if rule.prefix else text), wrong
    return text, np.zeros(len(text), dtype=bool)


def _seen(rule: ColumnRule, text: pd.Series, now: pd.Timestamp | None) -> values.Parsed:
    """Times of observation: a day without a clock is its end, so that nothing is known before it was seen."""
    times, wrong = values.parse_times(text, zone=rule.zone, formats=rule.formats, unit=rule.unit, day_end=True)
    times = times + pd.Timedelta(days=rule.days_later)
    if now is not None and (times > now).any():
        begun, _ = values.parse_times(text, zone=rule.zone, formats=rule.formats, unit=rule.unit)
        times = times.mask((begun <= now) & (times > now), now)
    return times, wrong


def _renamed(rule: ColumnRule, alias: Alias, text: pd.Series, raw: pd.DataFrame) -> tuple[pd.Series, np.ndarray, str]:
    """Ids by the other name that the file shows of them, wherever they stand."""
    ids, wrong = _typed(rule, text)
    others, mangled = _typed(rule, values.clean(raw[alias.column], rule.dtype, rule.empty))
    shown = ids.notna() & others.notna() & values.clean(raw[alias.where], TEXT).eq(alias.value)
    pairs = pd.DataFrame({"id": ids, "other": others})[shown].drop_duplicates()
    doubtful = pairs.loc[pairs["id"].duplicated(keep=False), "id"]
    names = pairs.set_index("id")["other"]
    wrong = wrong | mangled | (shown & ids.isin(doubtful.tolist())).to_numpy(dtype=bool)
    if not doubtful.empty:
        return ids, wrong, f"one {alias.column} for each {rule.column} where {alias.where} is {alias.value}"
    return ids.map(names).astype("str").fillna(ids), wrong, "an id with all its digits"


def _by_duration(rule: ColumnRule, seconds: pd.Series) -> pd.Series:
    limits = np.array([step.upto for step in rule.by_duration])
    names = pd.Series([step.name for step in rule.by_duration], dtype="str")
    steps = np.searchsorted(limits, seconds.fillna(0.0).to_numpy(), side="left")
    return pd.Series(names.to_numpy()[steps], index=seconds.index, dtype="str").mask(seconds.isna())


def _first_entries(rule: ColumnRule, text: pd.Series) -> pd.Series:
    entries = values.list_entries(text)
    first = entries[~entries.index.duplicated()]
    if rule.value_map is not None:
        known = entries[entries.isin(list(rule.value_map))]
        first = known[~known.index.duplicated()].reindex(first.index).fillna(first)
    return first.reindex(text.index)


def _mapped(rule: ColumnRule, text: pd.Series) -> tuple[pd.Series, np.ndarray]:
    rules = rule.value_map or {}
    known = text.isin(list(rules)) | text.isna()
    mapped = text.map(rules).astype("str")
    mapped = mapped.mask(mapped == "")
    if rule.otherwise == "keep":
        return mapped.where(known, text), np.zeros(len(text), dtype=bool)
    unmapped = ~known.to_numpy(dtype=bool)
    return mapped, unmapped & (rule.otherwise == "error")


def _problem(
    table: str, rule: ColumnRule, text: pd.Series, wrong: np.ndarray, expected: str, file: str
) -> Problem | None:
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return None
    samples = ", ".join(repr(value) for value in pd.unique(text.iloc[rows])[:3])
    where = f"in column {rule.column} of {file}" if rule.column else "as the constant of the mapping"
    return Problem(table, rule.name, f"{samples} {where}", expected, tuple(int(row) + 1 for row in rows))


def _join_parts(mapping: Mapping, chunks: list[tuple[Part, pd.DataFrame]], report: ImportReport) -> Tables:
    """One frame a table: the parts one under the other, latest times filled in, empty rows left out."""
    frames = {
        table: pd.concat([chunk for part, chunk in chunks if part.table == table], ignore_index=True)
        for table in dict.fromkeys(part.table for part, _ in chunks)
    }
    latest = {
        rule.latest_of: frames[rule.latest_of[0]][rule.latest_of[1]].max()
        for part in mapping.parts
        for rule in part.columns.values()
        if rule.latest_of
    }
    joined: Tables = {}
    changes = _change_columns(mapping)
    for table in frames:
        table_report = report.tables.setdefault(table, TableReport())
        kept = []
        for part, chunk in chunks:
            if part.table == table:
                table_report.read += len(chunk)
                filled = chunk.assign(
                    **{
                        rule.name: pd.Series(latest[rule.latest_of], index=chunk.index, dtype=rule.dtype)
                        for rule in part.columns.values()
                        if rule.latest_of
                    }
                )
                kept.append(_drop_empty(part, filled, table_report))
        joined[table] = _in_order(table, pd.concat(kept, ignore_index=True), changes.get(table, ()))
    for source, moment in latest.items():
        told = dict.fromkeys(
            f"{part.table}.{rule.name}"
            for part in mapping.parts
            for rule in part.columns.values()
            if rule.latest_of == source
        )
        when = "nothing" if pd.isna(moment) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        report.notes.append(f"{' and '.join(told)}: not in the files, taken as the latest {'.'.join(source)}, {when}")
    return joined


def _drop_empty(part: Part, chunk: pd.DataFrame, report: TableReport) -> pd.DataFrame:
    for column, reason in part.drop_empty.items():
        empty = chunk[column].isna()
        report.drop(int(empty.sum()), f"no {column} ({reason})")
        chunk = chunk[~empty]
    return chunk


def _in_order(table: str, frame: pd.DataFrame, changes: Iterable[str]) -> pd.DataFrame:
    """Columns in the order of the contract, each of its dtype; changes may have a sign and parts."""
    dtypes = {name: dtype for name, dtype in CONTRACT[table].columns.items() if name in frame}
    return frame[[*dtypes, _FILE, _ROW]].astype(dtypes | dict.fromkeys(changes, "Float64"))


def _change_columns(mapping: Mapping) -> dict[str, list[str]]:
    """Columns that hold changes, by table."""
    columns: dict[str, list[str]] = {}
    for part in mapping.parts:
        own = columns.setdefault(part.table, [])
        own += [name for name, rule in part.columns.items() if rule.changes and name not in own]
    return columns


def _sum_changes(mapping: Mapping, frames: Tables, report: ImportReport) -> Tables:
    """Counts from their changes: running sums from the lowest start at which none is negative.

    The start is not in the files, so the counts are the least that they can have been. Where the last changes all end
    in zeros the counts were published rounded, and the start is raised until the last count ends in as many. Over a
    change that is not known the sum goes on without it, and the count is missing there: neighbours still differ by what
    they changed.
    """
    summed = dict(frames)
    for table, columns in _change_columns(mapping).items():
        for column in columns if table in frames else ():
            frame = summed[table]
            ordered = frame.sort_values(["creator_id", "observed_at"], kind="stable")
            levels = ordered.groupby("creator_id")[column].cumsum()
            lowest = levels.groupby(ordered["creator_id"]).transform("min").clip(upper=0)
            counts = (levels - lowest).round().astype(COUNT)
            last = counts.groupby(ordered["creator_id"]).transform("last")
            units = ordered.groupby("creator_id")[column].transform(_unit_of_changes).astype(COUNT)
            summed[table] = frame.assign(**{column: counts + (-last) % units})  # by the index of frame
            unknown = int(frame[column].isna().sum())
            report.notes.append(
                f"{table}.{column}: changes summed from an unknown start, the least that it can have been"
                + (f"; changes that are not known, left out of the sum: {unknown:,}" if unknown else "")
            )
    return summed


def _unit_of_changes(changes: pd.Series) -> int:
    """Largest power of ten of which the last `_TELLING` changes are multiples; 1 of fewer changes than that."""
    moved = changes.dropna().round()
    last = moved[moved != 0].tail(_TELLING).astype("int64")
    divisor = int(np.gcd.reduce(last)) if len(last) == _TELLING else 1
    return 10 ** (len(str(divisor)) - len(str(divisor).rstrip("0")))


def _decide_repeats(mapping: Mapping, frames: Tables, report: ImportReport) -> tuple[Tables, list[Problem]]:
    """Keep equal rows once, and one of the rows of a key that differ where the mapping says which."""
    decided: Tables = {}
    problems: list[Problem] = []
    for table, frame in frames.items():
        key = [name for name in CONTRACT[table].key if name in frame]
        columns = [name for name in frame.columns if name not in (_FILE, _ROW)]
        if not key or not frame.duplicated(subset=key).any():
            decided[table] = frame
            continue
        equal = frame.duplicated(subset=columns)
        report.tables[table].drop(int(equal.sum()), "equal rows, kept once")
        distinct = frame[~equal]
        conflict = mapping.conflicts.get(table)
        clash = distinct.duplicated(subset=key, keep=False)
        if conflict is not None:
            decided[table] = _resolve(distinct, key, conflict)
            lost = len(distinct) - len(decided[table])
            report.tables[table].drop(
                lost, f"several rows of one {', '.join(key)}: {conflict.keep} ({conflict.because})"
            )
        else:
            decided[table] = distinct
            problems += _clashes(table, distinct[clash], key)
    return decided, problems


def _resolve(frame: pd.DataFrame, key: list[str], conflict: Conflict) -> pd.DataFrame:
    if conflict.keep in ("first", "last"):
        return frame[~frame.duplicated(subset=key, keep="first" if conflict.keep == "first" else "last")]
    rows = frame.sort_values("observed_at", na_position="first", kind="stable") if conflict.keep == "latest" else frame
    groups = rows.groupby(key, sort=False, dropna=False)
    if conflict.keep == "latest":
        found = groups.last().reset_index()
    else:
        counts = [name for name in frame.columns if frame[name].dtype == COUNT]
        found = frame[~frame.duplicated(subset=key)].reset_index(drop=True)
        found[counts] = groups[counts].max().reset_index(drop=True)
        if "observed_at" in frame and "observed_at" not in key:
            found["observed_at"] = _latest_of_counts(frame, key, counts)
    return found[frame.columns].astype(frame.dtypes.to_dict())


def _latest_of_counts(frame: pd.DataFrame, key: list[str], counts: list[str]) -> pd.Series:
    """When the last row of each key was seen; null where one with counts does not say: its count may be the largest."""
    untimed = frame["observed_at"].isna() & frame[counts].notna().any(axis=1)
    groups = frame.assign(**{_UNTIMED: untimed}).groupby(key, sort=False, dropna=False)
    return groups["observed_at"].max().mask(groups[_UNTIMED].any()).reset_index(drop=True)


def _clashes(table: str, clashing: pd.DataFrame, key: list[str]) -> list[Problem]:
    """Rows of one key that differ, by file."""
    values_of = clashing.drop(columns=[_FILE, _ROW])
    first = values_of.groupby(key, sort=False, dropna=False).transform("first")
    own = values_of[first.columns]
    same = (first == own).fillna(False).astype(bool) | (first.isna() & own.isna())
    names = ", ".join(key)
    found = ", ".join(str(name) for name in first.columns[~same.all()])
    return [
        Problem(
            table,
            names,
            f"rows of one key in {file} differ in {found}",
            f'one row for each {names}, or on_conflict = {{ keep = "last", because = "…" }} in the mapping',
            tuple(int(row) for row in rows[_ROW]),
        )
        for file, rows in clashing.groupby(_FILE, sort=False)
    ]


def _in_the_files(problems: Iterable[Problem], frames: Tables) -> list[Problem]:
    """Problems with the rows of the files in place of the rows of the tables."""
    told = []
    for problem in problems:
        if not problem.rows or problem.table not in frames:
            told.append(problem)
            continue
        rows = frames[problem.table].iloc[[row - 1 for row in problem.rows]]
        told += [
            Problem(
                problem.table,
                problem.column,
                f"{problem.found} from {file}",
                problem.expected,
                tuple(int(row) for row in own[_ROW]),
            )
            for file, own in rows.groupby(_FILE, sort=False)
        ]
    return told
