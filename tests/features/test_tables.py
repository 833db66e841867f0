import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import tables as module
from features.tables import (
    CONTRACT,
    Problem,
    TableError,
    Tables,
    check_tables,
    read_tables,
    tier_of,
    write_frame,
    write_tables,
)

NOW = pd.Timestamp("2026-03-01T00:00:00Z")


def _raw(**columns: dict[str, list[object]]) -> Tables:
    """Two creators and three posts as text, with columns of a table replaced or added."""
    raw: dict[str, dict[str, list[object]]] = {
        "creators": {
            "creator_id": ["007", "b"],
            "platform": ["instagram", "tiktok"],
            "followers": ["12000", "350"],
        },
        "posts": {
            "creator_id": ["007", "007", "b"],
            "post_id": ["1", "2", "1"],
            "published_at": ["2026-01-01T10:00:00Z", "2026-01-02T10:00:00+07:00", "2026-01-03"],
            "observed_at": ["2026-02-01", "2026-02-01", "2026-02-01"],
            "likes": ["10", "20", "30"],
            "comments": ["1", "2", "3"],
        },
    }
    for table, changed in columns.items():
        raw[table] = raw.get(table, {}) | changed
    return {table: pd.DataFrame(values) for table, values in raw.items()}


def _snapshots(**columns: list[object]) -> dict[str, list[object]]:
    return {"creator_id": ["007"], "observed_at": ["2026-01-01"], "followers": ["1"], **columns}


def _problems(tables: Tables, now: pd.Timestamp | None = None) -> tuple[Problem, ...]:
    with pytest.raises(TableError) as caught:
        check_tables(tables, now=now)
    return caught.value.problems


def test_a_good_input_comes_back_typed() -> None:
    checked = check_tables(_raw(posts={"unheard_of": ["x", "y", "z"], "is_sponsored": ["yes", "0", None]}))
    assert checked["creators"].dtypes.astype(str).to_dict() == {
        "creator_id": "str",
        "platform": "str",
        "followers": "Int64",
    }
    posts = checked["posts"]
    assert "unheard_of" not in posts
    assert posts["published_at"].dtype == "datetime64[us, UTC]"
    assert posts["published_at"].tolist() == [
        pd.Timestamp("2026-01-01T10:00Z"),
        pd.Timestamp("2026-01-02T03:00Z"),
        pd.Timestamp("2026-01-03T00:00Z"),
    ]
    assert posts["is_sponsored"].tolist() == [True, False, pd.NA]
    assert posts["likes"].sum() == 60


def test_the_input_is_not_changed() -> None:
    tables = _raw()
    before = {name: frame.copy() for name, frame in tables.items()}
    check_tables(tables)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(tables[name], frame)


def test_missing_counts_are_no_problem() -> None:
    checked = check_tables(_raw(posts={"likes": [None, np.nan, "3"], "comments": [None, None, None]}))
    assert checked["posts"]["likes"].isna().tolist() == [True, True, False]
    assert checked["posts"]["comments"].dtype == "Int64"


# one bad cell each: table, column, its values, the rows that are wrong, words of the message
BAD_CELLS = [
    ("posts", "likes", ["10", "many", "30"], (2,), "'many'; expected whole numbers"),
    ("posts", "likes", ["10", "-4", "-1"], (2, 3), "-4, -1; expected whole numbers of 0 or more"),
    ("posts", "likes", ["10", "20", "2.5"], (3,), "'2.5'; expected whole numbers"),
    ("posts", "likes", [10, 20, 2.5], (3,), "2.5; expected whole numbers"),
    ("posts", "likes", ["1,200", "20", "30"], (1,), "'1,200'; expected whole numbers"),
    ("posts", "likes", ["inf", "20", "30"], (1,), "'inf'; expected whole numbers"),
    ("posts", "likes", [float("inf"), 20, 30], (1,), "inf; expected whole numbers"),
    ("posts", "likes", ["nan", "20", "30"], (1,), "'nan'; expected whole numbers"),
    ("posts", "likes", ["1e30", "20", "30"], (1,), "'1e30'; expected whole numbers"),
    ("posts", "likes", ["20", "9223372036854775808", "3"], (2,), "'9223372036854775808'; expected whole numbers"),
    ("posts", "published_at", ["2026-01-01", "yesterday", "2026-01-01"], (2,), "'yesterday'; expected ISO 8601"),
    ("posts", "published_at", ["2026-01-01", "31/12/2025", "2026-01-01"], (2,), "'31/12/2025'; expected ISO 8601"),
    ("posts", "published_at", [1767225600, 1767225600, 1767225600], (1, 2, 3), "expected ISO 8601"),
    ("posts", "published_at", ["2026-01-01", 1767225600, "2026-01-01"], (2,), "1767225600; expected ISO 8601"),
    ("posts", "published_at", ["2026-01-01", None, "2026-01-01"], (2,), "expected a value in every row"),
    ("posts", "observed_at", ["2026-02-01", "2025-12-31", "2026-02-01"], (2,), "a time at or after published_at"),
    ("posts", "post_id", ["1", "", "1"], (2,), "expected text that is not empty"),
    ("posts", "post_id", ["1", None, "1"], (2,), "expected a value in every row"),
    ("posts", "kind", ["photo", "film", None], (2,), "'film'; expected one of photo, carousel, video"),
    ("posts", "is_sponsored", ["yes", "perhaps", None], (2,), "'perhaps'; expected true or false"),
    ("posts", "creator_id", ["007", "7", "b"], (2,), "'7'; expected a creator_id of the creators table"),
    ("creators", "platform", ["instagram", "myspace"], (2,), "'myspace'; expected one of instagram, tiktok, youtube"),
    ("creators", "price_per_post", ["12.50", "-1"], (2,), "-1.0; expected numbers of 0 or more"),
    ("creators", "price_per_post", [12.5, np.inf], (2,), "inf; expected numbers of 0 or more"),
    ("creators", "creator_id", [7.0, 8.0], (1, 2), "7.0, 8.0; expected text"),
]


@pytest.mark.parametrize(("table", "column", "values", "rows", "words"), BAD_CELLS)
def test_a_bad_cell_is_named_by_table_column_and_row(
    table: str, column: str, values: list[object], rows: tuple[int, ...], words: str
) -> None:
    problems = [problem for problem in _problems(_raw(**{table: {column: values}})) if problem.column == column]
    assert [(problem.table, problem.rows) for problem in problems] == [(table, rows)]
    message = str(problems[0])
    assert words in message
    assert f"{table}.{column}, row" in message
    assert ", ".join(str(row) for row in rows) in message


def test_an_error_shows_few_rows_and_counts_the_rest() -> None:
    posts = {name: values[:1] * 9 for name, values in _raw()["posts"].to_dict("list").items()}
    posts |= {"post_id": list("abcdefghi"), "likes": ["-1"] * 9}
    (problem,) = _problems(_raw(posts=posts))
    assert problem.rows == tuple(range(1, 10))
    assert str(problem).startswith("posts.likes, rows 1, 2, 3, 4, 5 and 4 more: -1, -1, -1; expected")


def test_every_problem_of_every_table_is_told_at_once() -> None:
    tables = _raw(
        creators={"platform": ["instagram", "x"]},
        posts={"likes": ["a", "1", "2"], "comments": ["1", "-1", "1"]},
        snapshots=_snapshots(followers=["0.5"]),
    )
    found = {(problem.table, problem.column) for problem in _problems(tables)}
    assert found == {
        ("creators", "platform"),
        ("posts", "likes"),
        ("posts", "comments"),
        ("snapshots", "followers"),
    }


@pytest.mark.parametrize("table", ["creators", "posts"])
def test_missing_columns_are_all_named(table: str) -> None:
    tables = _raw()
    tables[table] = tables[table][["creator_id"]]
    (problem,) = _problems(tables)
    gone = {"creators": "platform, followers", "posts": "post_id, published_at, likes, comments"}[table]
    assert (problem.table, problem.column) == (table, gone)
    assert "the table has creator_id" in str(problem)


def test_missing_and_unknown_tables_are_named() -> None:
    tables = _raw()
    del tables["posts"]
    tables["follower"] = pd.DataFrame()
    assert [problem.table for problem in _problems(tables)] == ["follower", "posts"]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "posts",
            {"published_at": ["2026-01-01", "2026-05-01", "2026-01-01"], "observed_at": ["2026-02-01", None, None]},
        ),
        ("posts", {"observed_at": ["2026-02-01", "2026-05-01", "2026-02-01"]}),
        ("creators", {"created_at": ["2020-01-01", "2026-05-01"]}),
        ("creators", {"observed_at": ["2020-01-01", "2026-05-01"]}),
    ],
)
def test_dates_in_the_future_are_named_where_now_is_given(table: str, columns: dict[str, list[object]]) -> None:
    tables = _raw(**{table: columns})
    check_tables(tables)
    (problem,) = _problems(tables, now=NOW)
    assert (problem.table, problem.column, problem.rows) == (table, next(iter(columns)), (2,))
    assert "no time after 2026-03-01T00:00:00Z" in str(problem)


def test_snapshots_in_the_future_are_named() -> None:
    tables = _raw(snapshots=_snapshots(observed_at=["2026-03-02"]))
    (problem,) = _problems(tables, now=NOW)
    assert str(problem).startswith("snapshots.observed_at, row 1: ")


@pytest.mark.parametrize("observed", [["2026-02-01"] * 2, [None] * 2])
def test_repeated_rows_are_kept_once_where_equal_and_refused_where_not(observed: list[object]) -> None:
    twice = {
        "creator_id": ["007", "007"],
        "post_id": ["1", "1"],
        "published_at": ["2026-01-01", "2026-01-01"],
        "observed_at": observed,
        "likes": ["10", "10"],
        "comments": ["1", None],
    }
    (problem,) = _problems(_raw(posts=twice))
    assert (problem.table, problem.column, problem.rows) == ("posts", "creator_id, post_id, observed_at", (1, 2))
    checked = check_tables(_raw(posts=twice | {"comments": [None, None]}))
    assert len(checked["posts"]) == 1
    assert checked["posts"].index.tolist() == [0]


def test_one_post_may_be_observed_several_times() -> None:
    posts = _raw()["posts"].to_dict("list")
    posts["post_id"] = ["1", "1", "1"]
    posts["observed_at"] = ["2026-02-01", "2026-02-02", "2026-02-02"]
    assert len(check_tables(_raw(posts=posts))["posts"]) == 3


def test_a_creator_listed_twice_with_other_counts_is_refused() -> None:
    tables = _raw(creators={"creator_id": ["b", "b"], "platform": ["tiktok"] * 2, "followers": ["1", "2"]})
    assert ("creators", "creator_id", (1, 2)) in [(p.table, p.column, p.rows) for p in _problems(tables)]


def _write_csv(folder: Path, tables: Tables) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_csv_keeps_leading_zeros_and_words_that_look_missing(tmp_path: Path) -> None:
    tables = _raw(creators={"handle": ["NA", ""], "display_name": ["null", "Tưởng"]})
    checked = read_tables(_write_csv(tmp_path / "in", tables))
    assert checked["creators"]["creator_id"].tolist() == ["007", "b"]
    assert checked["creators"]["handle"].isna().tolist() == [False, True]
    assert checked["creators"]["handle"][0] == "NA"
    assert checked["creators"]["display_name"].tolist() == ["null", "Tưởng"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_gz_and_byte_order_marks_are_read(tmp_path: Path, encoding: str) -> None:
    for name, frame in _raw().items():
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode(encoding)))
    assert len(read_tables(tmp_path)["posts"]) == 3


def test_the_same_tables_from_csv_parquet_and_memory(tmp_path: Path) -> None:
    tables = check_tables(_raw(snapshots=_snapshots(), creators={"price_per_post": [0.1, None]}))
    write_tables(tables, tmp_path / "parquet")
    _write_csv(tmp_path / "csv", tables)
    for folder in ("parquet", "csv"):
        found = read_tables(tmp_path / folder)
        assert found.keys() == tables.keys()
        for name, frame in tables.items():
            pd.testing.assert_frame_equal(found[name], frame)


def test_whole_numbers_as_ids_of_parquet_become_text(tmp_path: Path) -> None:
    tables = _raw(creators={"creator_id": [7, 8]}, posts={"creator_id": [7, 7, 8]})
    for name, frame in tables.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    assert read_tables(tmp_path)["posts"]["creator_id"].tolist() == ["7", "7", "8"]


def _read_problems(folder: Path) -> list[str]:
    with pytest.raises(TableError) as caught:
        read_tables(folder)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("posts.csv", b"", "posts.csv: empty file; expected a UTF-8 CSV with a header row file"),
        ("posts.parquet", b"", "posts.parquet: empty file; expected a Parquet file"),
        ("posts.csv.gz", b"", "posts.csv.gz: empty file"),
        ("posts.parquet", b"PAR1 and then something else PAR1", "posts.parquet: unreadable ("),
        ("posts.csv", b"creator_id,post_id\n\xff\xfe\x00", "posts.csv: unreadable ("),
        ("posts.csv", b'creator_id,post_id\n"a,1\n', "posts.csv: unreadable ("),
        ("posts.csv", b"creator_id,post_id\na,1\na,1,2\n", "posts.csv: unreadable ("),
        ("posts.csv", b"creator_id,post_id\na,1,2\n", "posts.csv: rows with more fields than the header"),
        ("posts.csv.gz", b"no gzip at all", "posts.csv.gz: unreadable ("),
        (
            "posts.csv.gz",
            gzip.compress(b"creator_id,post_id\n" + b"a,1\n" * 999, mtime=0)[:40],
            "posts.csv.gz: unreadable (",
        ),
        (
            "posts.csv.gz",
            gzip.compress(b"creator_id", mtime=0)[:10] + b"\x00\xff\xff\xff\xff",
            "posts.csv.gz: unreadable (",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    _raw()["creators"].to_csv(tmp_path / "creators.csv", index=False)
    (tmp_path / name).write_bytes(content)
    (message,) = _read_problems(tmp_path)
    assert message.startswith(words)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    tables = _raw()
    _write_csv(tmp_path, {"creators": tables["creators"], "posts": tables["posts"].head(0)})
    checked = read_tables(tmp_path)
    assert checked["posts"].empty
    assert checked["posts"]["published_at"].dtype == "datetime64[us, UTC]"
    _write_csv(tmp_path, {"creators": tables["creators"].head(0)})
    assert _read_problems(tmp_path) == ["creators: no rows; expected at least one creator"]


def test_folders_that_hold_no_tables(tmp_path: Path) -> None:
    assert "no such folder" in _read_problems(tmp_path / "nowhere")[0]
    assert [message.split(":")[0] for message in _read_problems(tmp_path)] == ["creators", "posts"]


def test_two_files_for_one_table_are_refused(tmp_path: Path) -> None:
    tables = check_tables(_raw())
    write_tables(tables, tmp_path / "in")
    _write_csv(tmp_path / "in", {"posts": tables["posts"]})
    (message,) = _read_problems(tmp_path / "in")
    assert message == "posts: two files, posts.parquet and posts.csv; expected one file for each table"


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    _write_csv(tmp_path, _raw())
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    assert set(read_tables(tmp_path)) == {"creators", "posts"}


def test_nothing_is_written_where_writing_fails_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, written = pd.DataFrame.to_parquet, []

    def fails_on_the_second(frame: pd.DataFrame, path: Path, **options: object) -> None:
        if written:
            raise OSError("disk full")
        written.append(path)
        original(frame, path, **options)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fails_on_the_second)
    with pytest.raises(OSError, match="disk full"):
        write_tables(_raw(), tmp_path / "out")
    assert written
    assert list(tmp_path.iterdir()) == []


def test_wrong_tables_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(TableError):
        write_tables(_raw(posts={"likes": ["a", "b", "c"]}), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        write_tables(_raw(), tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.txt"]


def test_an_empty_folder_is_filled_and_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_tables(_raw(), tmp_path / "out")
    write_tables(_raw(), tmp_path / "a" / "b")
    for folder in ("out", "a/b"):
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert names == ["creators.parquet", "posts.parquet"]
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o755


FRAME = pd.DataFrame({"creator_id": ["007", "b"], "likes": pd.array([1, None], dtype="Int64"), "share": [0.1, 1 / 3]})


def test_frames_go_to_files_and_back(tmp_path: Path) -> None:
    write_frame(FRAME, tmp_path / "new" / "frame.parquet")
    write_frame(FRAME, tmp_path / "new" / "frame.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "new" / "frame.parquet"), FRAME)
    again = pd.read_csv(tmp_path / "new" / "frame.csv", dtype={"creator_id": "str", "likes": "Int64"})
    pd.testing.assert_frame_equal(again, FRAME)
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize(("ending", "method"), [("parquet", "to_parquet"), ("csv", "to_csv")])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, method: str
) -> None:
    path = tmp_path / f"frame.{ending}"
    path.write_bytes(b"old")

    def fails(frame: pd.DataFrame, target: Path, **options: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, method, fails)
    with pytest.raises(OSError, match="disk full"):
        write_frame(FRAME, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["frame.xlsx", "frame", "frame.csv.gz"])
def test_a_format_is_told_by_a_known_ending_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"use \.parquet or \.csv"):
        write_frame(FRAME, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_tiers_begin_at_their_floors() -> None:
    counts = pd.Series(
        [0, 9_999, 10_000, 99_999, 100_000, 999_999, 1_000_000, None], dtype="Int64", index=list("abcdefgh")
    )
    tiers = tier_of(counts)
    assert tiers[:-1].tolist() == ["nano", "nano", "micro", "micro", "macro", "macro", "mega"]
    assert tiers.isna().tolist() == [False] * 7 + [True]
    assert tiers.index.tolist() == list("abcdefgh")


def test_the_contract_names_its_keys_among_its_columns() -> None:
    for name, table in CONTRACT.items():
        assert table.name == name
        assert set(table.key) <= set(table.columns)


@pytest.mark.parametrize("convert", [module._as_counts, module._as_money, module._as_times, module._as_flags])
def test_columns_without_any_value_convert(convert: Callable[[pd.Series], tuple[pd.Series, np.ndarray]]) -> None:
    for empty in (pd.Series([None, None]), pd.Series([np.nan, np.nan]), pd.Series([], dtype="str")):
        values, wrong = convert(empty)
        assert values.isna().all()
        assert not wrong.any()
