"""Mapping files: which column of an export is which column of the contract.

The package's docstring shows one in full.
"""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from importlib import resources
from pathlib import Path
from typing import Any

from features.sources import values
from features.tables import CONTRACT, COUNT, FLAG, REQUIRED_TABLES, TEXT, TIME

KEEPS = ("first", "last", "max", "latest")
_OTHERWISE = ("error", "keep", "null")


class MappingError(ValueError):
    """A mapping that cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class DurationStep:
    """What something that lasts up to `upto` seconds is; the last step has no limit."""

    name: str
    upto: float = float("inf")


@dataclass(frozen=True)
class Alias:
    """Rows that show two names of one account: where `where` has the value `value`, the id is also called `column`."""

    column: str
    where: str
    value: str


@dataclass(frozen=True)
class HiddenAsZero:
    """A count that is hidden is written as 0: it is unknown where `column` of the same row is at least `least`."""

    column: str
    least: float


@dataclass(frozen=True)
class ColumnRule:
    """Where the values of one column of the contract come from, and how they are written.

    Attributes
    ----------
    name, dtype : str
        The column of the contract.
    column : str
        The column of the file; empty where `constant` or `latest_of` is given.
    constant : str or None
        One text for every row, read as if it stood in the file.
    latest_of : tuple of str
        Table and column whose latest time every row gets; empty where not meant.
    days_later : int
        Days after the written time that are meant.
    filled : bool
        Whether a value, whatever it is, means true and none means false.
    alias : Alias or None
        How the file shows that an id is also known by another name; it then has that name in every row.
    changes : bool
        Whether the values are changes since the row before, to be summed.
    hidden : HiddenAsZero or None
        Where a count of 0 means that it is hidden.
    """

    name: str
    dtype: str
    column: str = ""
    constant: str | None = None
    latest_of: tuple[str, ...] = ()
    value_map: dict[str, str] | None = None
    otherwise: str = "error"
    first_entry: bool = False
    hashtags: str = ""
    by_duration: tuple[DurationStep, ...] = ()
    zone: tzinfo | None = None
    formats: tuple[str, ...] = ()
    unit: str | None = None
    decimal: str = "."
    empty: tuple[str, ...] = ()
    prefix: str = ""
    days_later: int = 0
    filled: bool = False
    alias: Alias | None = None
    changes: bool = False
    hidden: HiddenAsZero | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the file that are read."""
        aliases = (self.alias.column, self.alias.where) if self.alias else ()
        beside = self.hidden.column if self.hidden else ""
        return tuple(name for name in (self.column, self.hashtags, *aliases, beside) if name)


@dataclass(frozen=True)
class Part:
    """Rows of one table from files of one shape."""

    table: str
    files: tuple[str, ...]
    columns: dict[str, ColumnRule]
    unknown: tuple[str, ...] = ()
    drop_empty: dict[str, str] = field(default_factory=dict)
    records: str = ""


@dataclass(frozen=True)
class Conflict:
    """Which of the rows of one key that differ is kept, and why."""

    keep: str
    because: str


@dataclass(frozen=True)
class Mapping:
    """A checked mapping file.

    Attributes
    ----------
    name : str
        Name of the file without its ending.
    about : dict
        The [source] table: title, terms, approximated, address.
    parts : tuple of Part
        In the order of the file.
    conflicts : dict of str to Conflict
        By table.
    without : tuple of str
        Required tables that the source has no rows for.
    """

    name: str
    about: dict[str, Any]
    parts: tuple[Part, ...]
    conflicts: dict[str, Conflict]
    without: tuple[str, ...] = ()
    separator: str = ","
    encoding: str = "utf-8-sig"


def known_mappings() -> tuple[str, ...]:
    """Names of the mappings that are shipped."""
    folder = resources.files("features.sources")
    return tuple(sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".toml")))


def read_mapping(source: str | Path | None) -> Mapping:
    """Read and check a mapping file.

    Parameters
    ----------
    source : str or Path
        Path of a TOML file, or the name of a mapping that is shipped (`known_mappings`).

    Raises
    ------
    MappingError
        Where there is none, it is no TOML, or a key or a column is not right: the message names file and key.
    """
    shipped = ", ".join(known_mappings())
    if source is None or not str(source):
        raise MappingError(f"no mapping given: pass --mapping FILE or one of: {shipped}")
    name, path = str(source), Path(source)
    if name in known_mappings():
        text, label = resources.files("features.sources").joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml"
    elif path.is_file():
        try:
            text, label = path.read_text("utf-8"), path.name
        except (OSError, UnicodeDecodeError) as error:
            raise MappingError(f"{path.name}: unreadable ({error})") from error
    else:
        raise MappingError(f"no mapping {name!r}: pass --mapping FILE or one of: {shipped}")
    try:
        keys = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{label}: no valid TOML ({error})") from error
    return _Reader(label).mapping(keys)


def _shape(example: object) -> str:
    return {dict: "a table", list: "a list", bool: "true or false"}.get(type(example), "text in quotes")


class _Reader:
    """Checks the keys of one mapping file; every refusal names the file and the key."""

    def __init__(self, label: str) -> None:
        self.label = label

    def refuse(self, key: str, problem: str) -> MappingError:
        return MappingError(f"{self.label}: {key}: {problem}")

    def check_keys(self, where: str, found: Iterable[str], allowed: Iterable[str], what: str = "key") -> None:
        allowed = tuple(allowed)
        for key in found:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1)
                hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(allowed)}"
                raise self.refuse(f"{where}.{key}" if where else key, f"unknown {what}; {hint}")

    def get(self, where: str, keys: dict[str, Any], key: str, default: Any) -> Any:
        """Value of a key, of the type of its default."""
        value = keys.get(key, default)
        if not isinstance(value, type(default)):
            raise self.refuse(f"{where}.{key}" if where else key, f"found {value!r}; expected {_shape(default)}")
        return value

    def texts(self, where: str, keys: dict[str, Any], key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Texts of a key that takes one or a list."""
        value = keys.get(key, list(default))
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.refuse(f"{where}.{key}" if where else key, f"found {value!r}; expected text or a list of texts")
        return tuple(value)

    def choice(self, where: str, keys: dict[str, Any], key: str, default: str, choices: Iterable[str]) -> str:
        value: str = self.get(where, keys, key, default)
        if value not in choices:
            raise self.refuse(f"{where}.{key}" if where else key, f"found {value!r}; one of {', '.join(choices)}")
        return value

    def zone(self, where: str, keys: dict[str, Any], default: tzinfo | None) -> tzinfo | None:
        name: str = self.get(where, keys, "timezone", "")
        try:
            return values.timezone_of(name) if name else default
        except ValueError as error:
            raise self.refuse(f"{where}.timezone" if where else "timezone", str(error)) from error

    def decimal(self, where: str, keys: dict[str, Any], default: str) -> str:
        return self.choice(where, keys, "decimal", default, (".", ","))

    def mapping(self, keys: dict[str, Any]) -> Mapping:
        """Check a whole file."""
        self.check_keys("", keys, (*CONTRACT, *_SETTINGS), "table or key")
        defaults = _Defaults(
            zone=self.zone("", keys, None),
            decimal=self.decimal("", keys, "."),
            empty=self.texts("", keys, "empty"),
            prefix=self.get("", keys, "id_prefix", ""),
        )
        parts: list[Part] = []
        conflicts: dict[str, Conflict] = {}
        for table in CONTRACT:
            found = keys.get(table, [])
            found = [found] if isinstance(found, dict) else found
            if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
                raise self.refuse(table, f"expected [[{table}]] and the keys of one part under it")
            for part in found:
                parts.append(self.part(table, part, defaults))
                if "on_conflict" in part:
                    self.add_conflict(table, part, conflicts)
        without = self.texts("", keys, "without")
        self.check_keys("without", without, [name for name in REQUIRED_TABLES if name != "creators"], "table")
        self.check_tables(parts, without)
        return Mapping(
            name=Path(self.label).stem,
            about=self.get("", keys, "source", {}),
            parts=tuple(parts),
            conflicts=conflicts,
            without=without,
            separator=self.get("", keys, "separator", ","),
            encoding=self.get("", keys, "encoding", "utf-8-sig"),
        )

    def add_conflict(self, table: str, part: dict[str, Any], conflicts: dict[str, Conflict]) -> None:
        where = f"{table}.on_conflict"
        keys: dict[str, Any] = self.get(table, part, "on_conflict", {})
        self.check_keys(where, keys, ("keep", "because"))
        conflict = Conflict(self.choice(where, keys, "keep", "", KEEPS), self.get(where, keys, "because", ""))
        if not conflict.because:
            raise self.refuse(f"{where}.because", "missing; say why rows that differ may be decided so")
        timed = "observed_at" in CONTRACT[table].columns and "observed_at" not in CONTRACT[table].key
        if conflict.keep == "latest" and not timed:
            raise self.refuse(f"{where}.keep", "latest is for tables that keep one observation, such as creators")
        if conflicts.setdefault(table, conflict) != conflict:
            raise self.refuse(where, f"two parts of {table} decide differently")

    def part(self, table: str, keys: dict[str, Any], defaults: "_Defaults") -> Part:
        """Check one part of a table."""
        self.check_keys(table, keys, _PART_KEYS)
        contract = CONTRACT[table].columns
        columns: dict[str, Any] = self.get(table, keys, "columns", {})
        self.check_keys(f"{table}.columns", columns, contract, f"column of {table}")
        if not columns:
            raise self.refuse(f"{table}.columns", "missing; which column is which?")
        own = _Defaults(
            self.zone(table, keys, defaults.zone),
            self.decimal(table, keys, defaults.decimal),
            self.texts(table, keys, "empty", defaults.empty),
            defaults.prefix,
        )
        rules = {name: self.rule(table, name, columns[name], own) for name in contract if name in columns}
        unknown = self.texts(table, keys, "unknown")
        drop_empty: dict[str, Any] = self.get(table, keys, "drop_empty", {})
        self.check_keys(f"{table}.unknown", unknown, [name for name in contract if name not in columns], "column")
        self.check_keys(f"{table}.drop_empty", drop_empty, columns, "column of this part")
        for name in drop_empty:
            if not self.get(f"{table}.drop_empty", drop_empty, name, ""):
                raise self.refuse(f"{table}.drop_empty.{name}", "say why such rows are left out")
        return Part(
            table=table,
            files=self.texts(table, keys, "files", ("*",)),
            columns=rules,
            unknown=unknown,
            drop_empty=drop_empty,
            records=self.get(table, keys, "records", ""),
        )

    def rule(self, table: str, name: str, value: Any, defaults: "_Defaults") -> ColumnRule:
        """Check what is said about one column."""
        where = f"{table}.columns.{name}"
        dtype = CONTRACT[table].columns[name]
        keys = {"column": value} if isinstance(value, str) else value
        if not isinstance(keys, dict):
            raise self.refuse(where, f'found {value!r}; expected the name of a column, or {{ constant = "…" }}')
        self.check_keys(where, keys, _rule_keys(dtype))
        if sum(key in keys for key in ("column", "constant", "latest_of")) != 1:
            raise self.refuse(where, "expected one of column, constant, latest_of")
        rule = ColumnRule(
            name=name,
            dtype=dtype,
            column=self.get(where, keys, "column", ""),
            constant=_written(keys["constant"]) if "constant" in keys else None,
            latest_of=self.latest_of(where, keys),
            value_map=self.value_map(where, keys),
            otherwise=self.choice(where, keys, "otherwise", "error", _OTHERWISE),
            first_entry=self.get(where, keys, "first_entry", False),
            hashtags=self.get(where, keys, "hashtags", ""),
            by_duration=self.durations(where, keys),
            zone=self.zone(where, keys, defaults.zone),
            formats=self.formats(where, keys),
            unit=self.choice(where, keys, "unit", "s", ("s", "ms", "us")) if "unit" in keys else None,
            decimal=self.decimal(where, keys, defaults.decimal),
            empty=self.texts(where, keys, "empty", defaults.empty),
            prefix=defaults.prefix if name in _PREFIXED else "",
            days_later=self.get(where, keys, "days_later", 0),
            filled=self.get(where, keys, "filled", False),
            alias=self.alias(where, keys),
            changes=self.get(where, keys, "changes", False),
            hidden=self.hidden(where, keys),
        )
        if rule.changes and table != "snapshots":
            raise self.refuse(f"{where}.changes", "only snapshots are in an order in which changes can be summed")
        self.check_results(where, rule, allowed_values(table, name))
        return rule

    def alias(self, where: str, keys: dict[str, Any]) -> Alias | None:
        found: dict[str, Any] = self.get(where, keys, "same_as", {})
        if not found:
            return None
        where = f"{where}.same_as"
        self.check_keys(where, found, ("column", "where"))
        rows: dict[str, Any] = self.get(where, found, "where", {})
        column: str = self.get(where, found, "column", "")
        if not column or len(rows) != 1:
            raise self.refuse(where, 'expected such as { column = "username", where = { is_owner = "1" } }')
        ((name, value),) = rows.items()
        return Alias(column, name, _written(value))

    def hidden(self, where: str, keys: dict[str, Any]) -> HiddenAsZero | None:
        found: dict[str, Any] = self.get(where, keys, "hidden_as_zero", {})
        if not found:
            return None
        where = f"{where}.hidden_as_zero"
        self.check_keys(where, found, ("column", "least"))
        column: str = self.get(where, found, "column", "")
        least = found.get("least")
        if not column or isinstance(least, bool) or not isinstance(least, int | float) or least <= 0:
            raise self.refuse(where, 'expected such as { column = "view_count", least = 200 }')
        return HiddenAsZero(column, float(least))

    def latest_of(self, where: str, keys: dict[str, Any]) -> tuple[str, ...]:
        target: str = self.get(where, keys, "latest_of", "")
        if not target:
            return ()
        table, _, column = target.partition(".")
        if table not in CONTRACT or CONTRACT[table].columns.get(column) != TIME:
            raise self.refuse(f"{where}.latest_of", f"found {target!r}; expected a time such as posts.published_at")
        return table, column

    def value_map(self, where: str, keys: dict[str, Any]) -> dict[str, str] | None:
        if "values" not in keys:
            return None
        found: dict[str, Any] = self.get(where, keys, "values", {})
        return {key: _written(value) for key, value in found.items()}

    def durations(self, where: str, keys: dict[str, Any]) -> tuple[DurationStep, ...]:
        where = f"{where}.by_duration"
        steps = []
        for step in keys.get("by_duration", []):
            if not isinstance(step, dict) or not isinstance(step.get("is"), str):
                raise self.refuse(where, 'expected steps such as { upto = 60, is = "short" }, { is = "video" }')
            self.check_keys(where, step, ("upto", "is"))
            upto = step.get("upto", float("inf"))
            if isinstance(upto, bool) or not isinstance(upto, int | float):
                raise self.refuse(f"{where}.upto", f"found {upto!r}; expected seconds")
            steps.append(DurationStep(step["is"], float(upto)))
        limits = [step.upto for step in steps]
        if steps and (limits[-1] != float("inf") or limits != sorted(set(limits))):
            raise self.refuse(where, "expected rising upto, and a last step without it")
        return tuple(steps)

    def formats(self, where: str, keys: dict[str, Any]) -> tuple[str, ...]:
        formats = self.texts(where, keys, "format")
        for pattern in formats:
            try:
                values.check_format(pattern)
            except ValueError as error:
                raise self.refuse(f"{where}.format", str(error)) from error
        return formats

    def check_results(self, where: str, rule: ColumnRule, allowed: tuple[str, ...]) -> None:
        """Refuse what the contract would refuse in every row."""
        if not allowed:
            return
        results = [rule.constant] if rule.constant is not None and rule.value_map is None else []
        results += [step.name for step in rule.by_duration]
        results += [value for value in (rule.value_map or {}).values() if value]
        for result in results:
            if result not in allowed:
                raise self.refuse(where, f"found {result!r}; one of {', '.join(allowed)}")

    def check_tables(self, parts: list[Part], without: tuple[str, ...]) -> None:
        """Refuse a mapping whose tables could never keep the contract."""
        given = {table: [part for part in parts if part.table == table] for table in CONTRACT}
        for table in REQUIRED_TABLES:
            if given[table] and table in without:
                raise self.refuse("without", f"{table} is among them, and [[{table}]] is there")
            if not given[table] and table not in without:
                hint = "" if table == "creators" else f"; without = [{table!r}] where the source has none"
                raise self.refuse(f"[[{table}]]", f"missing; {' and '.join(REQUIRED_TABLES)} are required{hint}")
        for table, own in given.items():
            columns = CONTRACT[table].schema.columns
            needed = {name for name, column in columns.items() if column.required}
            for part in own:
                for name in (name for name in part.unknown if name in needed and not columns[name].nullable):
                    raise self.refuse(f"{table}.unknown", f"{name} has to be known")
            there = {name for part in own for name in (*part.columns, *part.unknown)}
            missing = [name for name in columns if own and name in needed - there]
            if missing:
                nullable = [name for name in missing if columns[name].nullable]
                hint = f"; unknown = {nullable!r} where the source has none" if nullable else ""
                raise self.refuse(f"{table}.columns", f"missing {', '.join(missing)}{hint}")
        for part in parts:
            for rule in part.columns.values():
                self.check_changes(f"{part.table}.columns.{rule.name}.changes", rule, given[part.table])
                self.check_latest_of(f"{part.table}.columns.{rule.name}.latest_of", rule, given)

    def check_changes(self, where: str, rule: ColumnRule, parts: list[Part]) -> None:
        if any(part.columns[rule.name].changes != rule.changes for part in parts if rule.name in part.columns):
            raise self.refuse(where, "one part of the table has changes there, another has not")

    def check_latest_of(self, where: str, rule: ColumnRule, given: dict[str, list[Part]]) -> None:
        if not rule.latest_of:
            return
        table, column = rule.latest_of
        sources = [part.columns[column] for part in given[table] if column in part.columns]
        if not any(source.column for source in sources):
            raise self.refuse(where, f"{table}.{column} is not read from a column of a file")


@dataclass(frozen=True)
class _Defaults:
    """What holds where a column does not say otherwise."""

    zone: tzinfo | None
    decimal: str
    empty: tuple[str, ...]
    prefix: str


_SETTINGS = ("source", "without", "id_prefix", "timezone", "decimal", "empty", "separator", "encoding")
_PART_KEYS = ("files", "records", "columns", "unknown", "drop_empty", "on_conflict", "timezone", "decimal", "empty")
#: Ids that platforms give: two sources may share them by chance.
_PREFIXED = ("creator_id", "post_id", "comment_id", "author_id", "account_id")


def _rule_keys(dtype: str) -> tuple[str, ...]:
    common = ("column", "constant", "values", "otherwise", "empty")
    special = {
        COUNT: ("decimal", "changes", "hidden_as_zero"),
        TIME: ("latest_of", "timezone", "format", "unit", "days_later"),
        TEXT: ("first_entry", "hashtags", "by_duration", "same_as"),
        FLAG: ("filled",),
    }
    return common + special.get(dtype, ())


def _written(value: object) -> str:
    """A TOML value as it would stand in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def allowed_values(table: str, column: str) -> tuple[str, ...]:
    """Values that the contract allows in a column; empty where any is."""
    checks = CONTRACT[table].schema.columns[column].checks
    return tuple(value for check in checks if check.name == "isin" for value in check.statistics["allowed_values"])
