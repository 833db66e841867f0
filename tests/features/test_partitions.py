"""Folders cut into partitions of creators: every row once, whatever the order of the file."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.histories import latest_knowledge
from features.partitions import (
    Partition,
    latest_knowledge_of,
    plan_partitions,
    write_frames,
    write_parts,
)
from features.tables import TableError, Tables, read_tables, write_tables

NOW = pd.Timestamp("2026-06-01T00:00:00Z")


@pytest.fixture(scope="module")
def folder(random_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "forty"
    write_tables(random_tables, folder)
    return folder


def sorted_rows(frames: list[pd.DataFrame]) -> pd.DataFrame:
    frame = pd.concat(frames, ignore_index=True)
    return frame.sort_values(list(frame.columns), ignore_index=True)


def test_partitions_cover_every_row_once(folder, random_tables):
    partitions = plan_partitions(folder, 7)
    parts = [partition.read() for partition in partitions]

    assert [len(part["creators"]) for part in parts] == [7, 7, 7, 7, 7, 5]
    for name, frame in random_tables.items():
        pd.testing.assert_frame_equal(sorted_rows([part[name] for part in parts]), sorted_rows([frame]))


def test_the_order_of_rows_in_the_file_does_not_matter(folder, random_tables, tmp_path):
    write_tables({name: frame.sample(frac=1, random_state=3) for name, frame in random_tables.items()}, tmp_path / "x")

    for ours, other in zip(plan_partitions(folder, 11), plan_partitions(tmp_path / "x", 11), strict=True):
        assert (ours.first, ours.end) == (other.first, other.end)
        for name, frame in ours.read().items():
            pd.testing.assert_frame_equal(sorted_rows([frame]), sorted_rows([other.read()[name]]))


def test_a_folder_that_is_small_or_has_csv_is_one_partition(folder, random_tables, tmp_path):
    assert plan_partitions(folder, 40) == [Partition(folder)]
    for name, frame in random_tables.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (one,) = plan_partitions(tmp_path, 7)
    assert one.whole
    assert len(one.read()["creators"]) == 40
    with pytest.raises(ValueError, match="a partition of 0 creators; expected at least 1"):
        plan_partitions(folder, 0)


def test_ids_that_are_numbers_or_dictionaries_are_cut_as_text(tmp_path):
    posts = {"post_id": "p", "published_at": datetime(2026, 1, 1, tzinfo=UTC), "likes": 1, "comments": 0}
    ids = [9, 10, 100, 2]  # as text: 10, 100, 2, 9
    for name, kind in (("numbers", pa.int64()), ("words", pa.dictionary(pa.int32(), pa.string()))):
        folder = tmp_path / name
        folder.mkdir()
        keys = pa.array(ids if name == "numbers" else [str(number) for number in ids]).cast(kind)
        creators = pa.table({"creator_id": keys, "platform": ["tiktok"] * 4, "followers": [1, 2, 3, 4]})
        pq.write_table(creators, folder / "creators.parquet")
        rows = pa.table({column: [value] * 4 for column, value in posts.items()} | {"creator_id": keys})
        pq.write_table(rows, folder / "posts.parquet")
        parts = [partition.read() for partition in plan_partitions(folder, 3)]
        assert [part["creators"]["creator_id"].tolist() for part in parts] == [["10", "100", "2"], ["9"]]
        assert [len(part["posts"]) for part in parts] == [3, 1]


def test_accounts_come_with_the_audience_that_names_them(random_tables, tmp_path):
    ids = random_tables["creators"]["creator_id"]
    audience = pd.DataFrame({"creator_id": ids, "account_id": "fan of " + ids})
    accounts = pd.DataFrame({"account_id": "fan of " + ids, "followers": 1, "following": 2, "posts_count": 3})
    write_tables({**random_tables, "audience": audience, "accounts": accounts}, tmp_path / "x")

    for partition in plan_partitions(tmp_path / "x", 9):
        part = partition.read()
        assert part["accounts"]["account_id"].tolist() == part["audience"]["account_id"].tolist()


def test_rows_of_nobody_and_rows_without_an_id_are_problems(random_tables, tmp_path):
    stray = random_tables["posts"].iloc[[0, 1]].assign(creator_id=["zzz", None])
    folder = tmp_path / "x"
    folder.mkdir()
    random_tables["creators"].to_parquet(folder / "creators.parquet")
    pd.concat([random_tables["posts"], stray]).to_parquet(folder / "posts.parquet")
    first, *_, last = plan_partitions(folder, 9)

    with pytest.raises(TableError, match=r"posts.creator_id.*creators '' to before 'c009'.*a value in every row"):
        first.read()
    with pytest.raises(TableError, match=r"posts.creator_id.*'zzz' \(from creator 'c036' on\)"):
        last.read()


def test_a_file_that_is_no_parquet_is_named(random_tables, tmp_path):
    write_tables(random_tables, tmp_path / "x")
    (tmp_path / "x" / "posts.parquet").write_text("nothing")

    with pytest.raises(TableError, match=r"posts.parquet: unreadable"):
        plan_partitions(tmp_path / "x", 9)[1].read()


@pytest.mark.parametrize("change", ["none", "a time missing", "no column", "no snapshots", "nobody counted"])
def test_latest_knowledge_is_that_of_the_whole_folder(random_tables, tmp_path, change):
    tables = dict(random_tables)
    if change == "none":
        tables["creators"] = tables["creators"].assign(observed_at=pd.Timestamp("2026-01-05T00:00:00Z"))
    elif change == "a time missing":
        tables["snapshots"] = tables["snapshots"].iloc[:5]
        tables["posts"] = tables["posts"].assign(
            observed_at=tables["posts"]["observed_at"].mask(tables["posts"].index == 8)
        )
    elif change == "no snapshots":
        del tables["snapshots"]
    elif change == "nobody counted":
        tables["creators"] = tables["creators"].assign(followers=pd.array([None] * 40, dtype="Int64"))
    write_tables(tables, tmp_path / "x")

    expected = latest_knowledge(read_tables(tmp_path / "x"), NOW)
    assert latest_knowledge_of(plan_partitions(tmp_path / "x", 7), NOW) == expected
    assert latest_knowledge_of(plan_partitions(tmp_path / "x", 100), NOW) == expected


def test_times_that_are_none_are_left_to_the_checks(random_tables, tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    for name, frame in random_tables.items():
        told = {"observed_at": "yesterday"} if name == "snapshots" else {}
        frame.assign(**told).to_parquet(folder / f"{name}.parquet")
    partitions = plan_partitions(folder, 9)

    assert latest_knowledge_of(partitions, NOW) == NOW
    with pytest.raises(TableError, match=r"snapshots.observed_at.*'yesterday'"):
        partitions[0].read()


def test_parts_are_written_as_one_folder_or_not_at_all(folder, random_tables, tmp_path):
    write_parts((partition.read() for partition in plan_partitions(folder, 7)), tmp_path / "x")
    for name, frame in read_tables(tmp_path / "x").items():
        pd.testing.assert_frame_equal(sorted_rows([frame]), sorted_rows([random_tables[name]]))
    assert pq.read_metadata(tmp_path / "x" / "posts.parquet").num_row_groups == 6

    with pytest.raises(FileExistsError, match="not empty"):
        write_parts(iter([random_tables]), tmp_path / "x")

    def broken():
        yield random_tables
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_parts(broken(), tmp_path / "y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_frames_are_written_as_one_file_or_not_at_all(tmp_path, ending):
    frame = pd.DataFrame({"a": pd.array([1, None, 3], "Int64"), "b": pd.Series([None, None, "x"], dtype="str")})
    file = tmp_path / f"all.{ending}"

    assert write_frames((frame.iloc[[row]] for row in range(3)), file) == 3
    read = pd.read_parquet(file) if ending == "parquet" else pd.read_csv(file, dtype={"a": "Int64", "b": "str"})
    pd.testing.assert_frame_equal(read, frame)

    def broken():
        yield frame
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_frames(broken(), tmp_path / f"other.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

    def never():
        raise RuntimeError("at the start")
        yield frame

    with pytest.raises(RuntimeError, match="at the start"):
        write_frames(never(), tmp_path / "new" / "all.csv")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match=r"use .parquet or .csv"):
        write_frames([frame], tmp_path / "all.xlsx")
