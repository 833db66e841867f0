"""Files as frames of text: every cell as it is written, so that no id loses digits and no count its unit."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as arrow
import pyarrow.csv as arrow_csv

from features.tables import Problem, TableError

ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
_SAMPLES = 3
_KINDS = ", ".join(ENDINGS) + "; .gz after all but the last"


def ending_of(path: Path) -> str:
    """Ending that tells the format, `.gz` aside; empty where it is none of `ENDINGS`."""
    name = path.name.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    return "" if ending not in ENDINGS or name.endswith(".parquet.gz") else ending


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Readable files among `paths`; a folder stands for the readable files directly in it.

    Raises
    ------
    TableError
        Where a path is missing, has an unknown ending, or nothing readable is there.
    """
    files: list[Path] = []
    problems = []
    for path in paths:
        if path.is_dir():
            files += sorted(file for file in path.iterdir() if file.is_file() and ending_of(file))
        elif not path.is_file():
            problems.append(Problem(str(path), "", "no such file or folder", "a file or folder to import"))
        elif not ending_of(path):
            problems.append(Problem(path.name, "", "a format that cannot be read", f"a file ending in {_KINDS}"))
        else:
            files.append(path)
    if not problems and not files:
        problems.append(Problem("import", "", "no file to read", f"files ending in {_KINDS}"))
    if problems:
        raise TableError(problems)
    return list(dict.fromkeys(files))


def _flatten(record: dict[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            flat[prefix + key] = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, bool):
            flat[prefix + key] = str(value).lower()
        else:
            flat[prefix + key] = "" if value is None else str(value)
    return flat


def _loads(text: str) -> object:
    # numbers stay as written: an id of 19 digits does not survive as a float
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: "")


def _records(text: str, ending: str, key: str) -> list[dict[str, object]]:
    try:
        found = _loads(text) if ending == ".json" else None
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        found = None
    if found is None:
        found = [_loads(line) for line in text.splitlines() if line.strip()]
    for step in key.split(".") if key else ():
        if not isinstance(found, dict) or step not in found:
            raise ValueError(f"no key {step!r} on the way to records = {key!r}")
        found = found[step]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise ValueError('no list of records; records = "key" names where they lie')
    return found


def _read_json(path: Path, ending: str, key: str) -> pd.DataFrame:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw).decode("utf-8-sig")
    rows = [_flatten(record) for record in _records(text, ending, key)]
    return pd.DataFrame(rows, dtype="object").fillna("").astype("str")


def _header(path: Path, separator: str, encoding: str) -> list[str]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding=encoding, newline="") as lines:
        return next(csv.reader(lines, delimiter=separator), [])


def _read_csv(path: Path, separator: str, encoding: str) -> pd.DataFrame:
    names = _header(path, separator, encoding)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"columns {', '.join(map(repr, twice))} stand there twice")
    cut: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        cut.append(row)
        return "skip"

    # pandas would read a row with too few fields, such as the last of a file that was cut off, without a word
    with arrow.input_stream(path, compression="gzip" if path.name.lower().endswith(".gz") else None) as stream:
        table = arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(use_threads=False, encoding=encoding.removesuffix("-sig")),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, arrow.string()), strings_can_be_null=False
            ),
        )
    if cut:
        found = ", ".join(str(count) for count in dict.fromkeys(row.actual_columns for row in cut[:_SAMPLES]))
        found += " field" if found == "1" else " fields"
        # the reader counts the header as row 1
        rows = tuple(int(row.number) - 1 for row in cut)
        raise TableError([Problem(path.name, "", found, f"{len(names)}, as in the header", rows)])
    return table.to_pandas().astype("str")


def _as_text(column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("str").str.lower().mask(column.isna(), "")
    if pd.api.types.is_float_dtype(column.dtype):
        numbers = column.astype("float64")
        if bool(((numbers % 1 == 0) | numbers.isna()).all()) and bool((numbers.abs().fillna(0) < 2**63).all()):
            column = numbers.astype("Int64")
    return column.astype("str").mask(column.isna(), "")


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    lists = [name for name in frame if frame[name].map(lambda value: not pd.api.types.is_scalar(value)).any()]
    for name in lists:
        frame[name] = [
            value if pd.api.types.is_scalar(value) else json.dumps(list(value), ensure_ascii=False, default=str)
            for value in frame[name]
        ]
    return pd.DataFrame({str(name): _as_text(frame[name]) for name in frame}).reset_index(drop=True)


def read_file(path: Path, *, separator: str = ",", encoding: str = "utf-8-sig", records: str = "") -> pd.DataFrame:
    """Every cell of a file as text, empty where there is none.

    Parameters
    ----------
    path : Path
        With one of `ENDINGS`. Keys of JSON objects inside objects are joined by dots.
    separator, encoding : str
        Of CSV files.
    records : str
        Key of a JSON file under which its records lie, dots between keys.

    Returns
    -------
    DataFrame of str, one row a record in the order of the file

    Raises
    ------
    TableError
        Where the file cannot be read.
    """
    ending = ending_of(path)
    if path.stat().st_size == 0:
        raise TableError([Problem(path.name, "", "empty file", f"a {ending} file")])
    try:
        if ending == ".parquet":
            return _read_parquet(path)
        if ending in (".csv", ".tsv"):
            return _read_csv(path, "\t" if ending == ".tsv" else separator, encoding)
        return _read_json(path, ending, records)
    except TableError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        LookupError,
        zlib.error,
        arrow.ArrowException,
        pd.errors.ParserWarning,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError([Problem(path.name, "", f"unreadable ({reason})", f"a {ending} file")]) from error
