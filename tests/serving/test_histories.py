import subprocess
import sys
import time
from pathlib import Path

import anyio
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.tables import TableError, check_tables, write_tables
from serving import histories
from serving.histories import NoHistoryError, Shelf, history_of, index_tables

AS_OF = pd.Timestamp("2026-01-10", tz="UTC")


def some_tables(ids: list[str]) -> dict[str, pd.DataFrame]:
    """Two posts, one after AS_OF, two days and one comment of each creator."""
    days = pd.to_datetime(["2026-01-01", "2026-01-20"], utc=True)
    creators = pd.DataFrame({"creator_id": ids, "platform": "instagram", "followers": 1_000})
    rows = [(one, f"{one}-{day}", at) for one in ids for day, at in enumerate(days)]
    posts = pd.DataFrame(rows, columns=["creator_id", "post_id", "published_at"])
    posts = posts.assign(observed_at=posts["published_at"], likes=[5, 6] * len(ids), comments=1, caption="chào 👋")
    snapshots = pd.DataFrame(
        [(one, at, 900 + place) for one in ids for place, at in enumerate(days)],
        columns=["creator_id", "observed_at", "followers"],
    )
    comments = pd.DataFrame(
        {
            "creator_id": ids,
            "post_id": [f"{one}-0" for one in ids],
            "author_id": "someone",
            "published_at": days[0] + pd.Timedelta("1h"),
            "text": "xinh quá",
        }
    )
    return {"creators": creators, "posts": posts, "snapshots": snapshots, "comments": comments}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tables that is named, its creators in no order."""
    write_tables(some_tables(["b", "c", "a"]), tmp_path / "tables")
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REALREACH_TABLES", str(tmp_path / "tables"))
    return tmp_path / "tables"


def test_one_creators_rows_are_those_of_the_tables(folder: Path) -> None:
    index_tables(folder)
    found, imported = Shelf().of("a", "instagram")
    whole = check_tables(some_tables(["b", "c", "a"]))
    assert set(found) == set(whole)
    for name, frame in whole.items():
        own = frame[frame["creator_id"] == "a"].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[name], own)
    assert imported <= pd.Timestamp.now("UTC")


def test_nothing_later_than_as_of_is_known(folder: Path) -> None:
    index_tables(folder)
    known = history_of(Shelf(), "b", "instagram", AS_OF, 1)
    assert known.posts.texts["post_id"].tolist() == ["b-0"]
    assert known.snapshots["followers"].tolist() == [900]
    assert known.comments.texts["text"].tolist() == ["xinh quá"]


def test_few_row_groups_are_read_for_one_creator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "GROUP_ROWS", 2)
    index_tables(folder)
    read: list[int] = []
    original = pq.ParquetFile.read_row_groups

    def note(self: pq.ParquetFile, groups: list[int], **how: bool) -> object:
        read.extend(groups)
        return original(self, groups, **how)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", note)
    found, _ = Shelf().of("c", "instagram")
    assert found["posts"]["post_id"].tolist() == ["c-0", "c-1"]
    # of two rows a group: creators and comments have two groups, posts and snapshots three
    assert len(read) == 4


def test_the_index_is_made_anew_when_the_tables_change_and_the_old_one_goes(folder: Path) -> None:
    first = index_tables(folder)
    assert index_tables(folder) == first
    stamp = Shelf().stamp()
    frame = pd.read_parquet(folder / "posts.parquet").assign(likes=77)
    frame.to_parquet(folder / "posts.parquet", index=False)
    second = index_tables(folder)
    assert second != first
    assert not first.exists()
    assert Shelf().stamp() != stamp
    assert Shelf().of("a", "instagram")[0]["posts"]["likes"].tolist() == [77, 77]


def test_a_page_that_comes_first_has_the_index_made(folder: Path) -> None:
    shelf = Shelf()
    anyio.run(shelf.wait, 60)
    assert shelf.of("a", "instagram")[0]["creators"]["creator_id"].tolist() == ["a"]
    assert (folder.parent / "home" / "histories").is_dir()


def test_a_page_does_not_wait_for_long(folder: Path) -> None:
    shelf = Shelf()
    anyio.run(shelf.wait, 0)
    with pytest.raises(NoHistoryError) as refused:
        shelf.of("a", "instagram")
    assert refused.value.why == "preparing"
    deadline = time.monotonic() + 120
    while True:
        try:
            assert len(shelf.of("a", "instagram")[0]["posts"]) == 2
        except NoHistoryError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    anyio.run(shelf.wait, 60)  # it ends a little later


def test_an_id_that_is_told_apart_by_its_platform(folder: Path) -> None:
    index_tables(folder)
    assert len(Shelf().of("instagram:a", "instagram")[0]["posts"]) == 2
    with pytest.raises(NoHistoryError) as refused:
        Shelf().of("tiktok:a", "tiktok")
    assert refused.value.why == "unknown_creator"


def test_what_is_missing_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index_tables(folder)
    for named, creator, why in ((str(folder), "nobody", "unknown_creator"), (str(tmp_path / "x"), "a", "no_folder")):
        monkeypatch.setenv("REALREACH_TABLES", named)
        with pytest.raises(NoHistoryError) as refused:
            Shelf().of(creator, "instagram")
        assert refused.value.why == why
        assert named in refused.value.detail
    monkeypatch.delenv("REALREACH_TABLES")
    with pytest.raises(NoHistoryError, match="no_tables"):
        Shelf().of("a", "instagram")


def test_tables_that_cannot_be_read_are_said_once_tried(folder: Path) -> None:
    (folder / "posts.parquet").write_bytes(b"no table")
    with pytest.raises(TableError):
        index_tables(folder)
    assert not list((folder.parent / "home" / "histories").glob("[!.]*"))
    shelf = Shelf()
    anyio.run(shelf.wait, 60)
    with pytest.raises(NoHistoryError) as refused:
        shelf.of("a", "instagram")
    assert refused.value.why == "unreadable"
    assert "realreach check" in refused.value.detail


def test_an_index_that_could_not_be_made_is_tried_again_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, in_the_way = Shelf(), folder.parent / "home" / "histories"
    in_the_way.parent.mkdir()
    in_the_way.write_text("no folder")
    anyio.run(shelf.wait, 60)
    in_the_way.unlink()
    for _ in range(2):
        assert not shelf.prepare()
        with pytest.raises(NoHistoryError, match="unreadable"):
            shelf.of("a", "instagram")
    monkeypatch.setattr(histories, "_AGAIN_SECONDS", 0)
    assert shelf.prepare()
    anyio.run(shelf.wait, 60)
    assert len(shelf.of("a", "instagram")[0]["posts"]) == 2


def test_csv_tables_and_partitions_give_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = tmp_path / "csv"
    csv.mkdir()
    for path in folder.iterdir():
        pd.read_parquet(path).to_csv(csv / f"{path.stem}.csv", index=False)
    index_tables(csv)
    monkeypatch.setenv("REALREACH_TABLES", str(csv))
    of_csv = Shelf().of("b", "instagram")[0]
    monkeypatch.setenv("REALREACH_TABLES", str(folder))
    plan = histories.plan_partitions
    monkeypatch.setattr(histories, "plan_partitions", lambda place: plan(place, 1))
    index_tables(folder)
    assert len(plan(folder, 1)) == 3
    for name, frame in Shelf().of("b", "instagram")[0].items():
        pd.testing.assert_frame_equal(frame, of_csv[name][frame.columns])


def test_rows_without_a_time_of_observation_count_where_the_files_were_copied_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = some_tables(["a"])
    tables["posts"] = tables["posts"].drop(columns="observed_at")
    write_tables(tables, tmp_path / "tables")
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REALREACH_TABLES", str(tmp_path / "tables"))
    index_tables(tmp_path / "tables")
    # the score stands on one post: the one until as_of was known, though the file is newer
    assert history_of(Shelf(), "a", "instagram", AS_OF, 1).posts.texts["post_id"].tolist() == ["a-0"]
    # the score stands on none: it was made of what was imported by then, and that was nothing
    assert not history_of(Shelf(), "a", "instagram", AS_OF, 0).posts.counts.any()


def test_two_processes_make_one_index(folder: Path) -> None:
    command = [sys.executable, "-m", "serving.histories", str(folder)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait(120) for one in running] == [0, 0]
    assert len(list((folder.parent / "home" / "histories").glob("[!.]*"))) == 1
