import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.sources.columns import ImportReport, import_tables, read_mapping
from features.tables import CONTRACT, TableError, Tables

MAPPING = """
timezone = "UTC"
[[creators]]
files = "posts.*"
on_conflict = { keep = "latest", because = "as last seen" }
[creators.columns]
creator_id = "account"
platform = { constant = "tiktok" }
followers = "fans"
observed_at = "seen"

[[posts]]
files = "posts.*"
[posts.columns]
creator_id = "account"
post_id = "id"
published_at = "posted"
observed_at = "seen"
likes = "hearts"
comments = "replies"
"""
HEADER = "account,id,posted,seen,hearts,replies,fans"
ROWS = (
    "ana,p1,2025-01-01 10:00,2025-01-05,1.2K,7,10.5K",
    "ana,p1,2025-01-01 10:00,2025-01-09,1.5K,9,11K",
    "ben,p2,2025-01-02,2025-01-05,40,,N/A",
)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., tuple[Tables, ImportReport]]:
    """Import of hand-written files, by a mapping text."""

    def run(files: dict[str, str], mapping: str = MAPPING) -> tuple[Tables, ImportReport]:
        path = tmp_path / "mine.toml"
        path.write_text(mapping, encoding="utf-8")
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            raw = text.encode()
            (folder / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return import_tables(read_mapping(path), [folder])

    return run


@pytest.fixture
def problems(imported) -> Callable[..., list[str]]:
    def run(files: dict[str, str], mapping: str = MAPPING) -> list[str]:
        with pytest.raises(TableError) as error:
            imported(files, mapping)
        return str(error.value).splitlines()

    return run


def csv(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def test_one_file_feeds_two_tables(imported) -> None:
    tables, report = imported({"posts.csv": csv(*ROWS)})
    creators = tables["creators"].set_index("creator_id")
    assert creators["followers"]["ana"] == 11_000
    assert creators["observed_at"]["ana"] == pd.Timestamp("2025-01-09T23:59:59Z")
    assert pd.isna(creators["followers"]["ben"])
    assert tables["posts"]["likes"].tolist() == [1_200, 1_500, 40]
    assert tables["posts"]["comments"].isna().tolist() == [False, False, True]
    assert {name: str(dtype) for name, dtype in tables["posts"].dtypes.items()} == {
        name: CONTRACT["posts"].columns[name] for name in tables["posts"]
    }
    assert (report.tables["creators"].read, report.tables["creators"].kept) == (3, 2)
    assert report.tables["creators"].dropped == {"several rows of one creator_id: latest (as last seen)": 1}


def test_the_report_says_what_was_read_and_left_out(imported) -> None:
    _, report = imported({"posts.csv": csv(*ROWS, ROWS[0]), "other.csv": "a\n1\n"})
    assert report.files == {"posts.csv": 4}
    assert report.unused == ["other.csv"]
    text = str(report)
    assert "posts: 3 of 4 rows kept" in text
    assert "1 left out: equal rows, kept once" in text
    assert "not used: other.csv" in text


@pytest.mark.parametrize(
    "name", ["posts.csv.gz", "posts.json", "posts.json.gz", "posts.jsonl", "posts.parquet", "posts.tsv"]
)
def test_every_format_gives_the_same_tables(imported, tmp_path: Path, name: str) -> None:
    expected, _ = imported({"posts.csv": csv(*ROWS)})
    (tmp_path / "files" / "posts.csv").unlink()
    records = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in ROWS]
    text = {"csv": csv(*ROWS), "json": json.dumps(records), "jsonl": "\n".join(map(json.dumps, records))}
    text["tsv"] = text["csv"].replace(",", "\t")
    if name.endswith("parquet"):
        pd.DataFrame(records).to_parquet(tmp_path / "files" / name)
        found, _ = imported({})
    else:
        found, _ = imported({name: text[name.removeprefix("posts.").removesuffix(".gz")]})
    for table, frame in expected.items():
        pd.testing.assert_frame_equal(frame, found[table])


def test_json_numbers_objects_and_lists_stay_as_written(imported) -> None:
    mapping = MAPPING.replace('account"', 'user.id"').replace('files = "posts.*"', 'records = "data.items"')
    mapping += 'caption = { column = "text", hashtags = "tags" }\nis_sponsored = "ad"\n'
    rows = [
        {"user": {"id": 7506832682593094928}, "id": 12345678901234567890123, "posted": 1735725600, "hearts": 3.0},
        {"user": {"id": 7506832682593094929}, "id": 2, "posted": 1735725600000, "hearts": None},
    ]
    rows = [
        row | {"seen": "2025-02-01", "replies": 0, "fans": 5, "text": "Chào", "tags": "a, b", "ad": True}
        for row in rows
    ]
    tables, _ = imported({"posts.json": json.dumps({"data": {"items": rows}})}, mapping)
    posts = tables["posts"]
    assert posts["creator_id"].tolist() == ["7506832682593094928", "7506832682593094929"]
    assert posts["post_id"].tolist() == ["12345678901234567890123", "2"]
    assert posts["published_at"].tolist() == [pd.Timestamp("2025-01-01T10:00Z")] * 2
    assert posts["likes"].isna().tolist() == [False, True]
    assert posts["caption"].tolist() == ["Chào #a #b"] * 2
    assert posts["is_sponsored"].all()


def test_parquet_columns_of_every_type(imported, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    frame = pd.DataFrame(
        {
            "account": [7506832682593094928, 1],
            "id": ["a", "b"],
            "posted": pd.to_datetime(["2025-01-01 10:00", "2025-01-02 00:00"]),
            "seen": pd.to_datetime(["2025-02-01", "2025-02-02"], utc=True),
            "hearts": [1e16, None],
            "replies": pd.array([3, None], dtype="Int64"),
            "fans": [10, 20],
            "ad": [True, False],
            "tags": [["Food", "Art"], []],
        }
    )
    frame.to_parquet(tmp_path / "files" / "posts.parquet")
    tables, _ = imported({}, MAPPING + 'is_sponsored = "ad"\nsponsor = { column = "tags", first_entry = true }\n')
    posts = tables["posts"]
    assert posts["creator_id"].tolist() == ["7506832682593094928", "1"]
    assert posts["likes"][0] == 10**16
    assert posts["likes"].isna()[1]
    assert posts["published_at"][0] == pd.Timestamp("2025-01-01T10:00Z")
    assert posts["is_sponsored"].tolist() == [True, False]
    assert posts["sponsor"][0] == "Food"
    assert posts["sponsor"].isna()[1]


def test_values_that_cannot_be_read_are_told_all_at_once(problems) -> None:
    found = problems(
        {"posts.csv": csv(ROWS[0], "ana,p2,2025-01-01,2025-01-05,many,1.5,-3", "ana,p3,soon,2025-01-05,lots,2,2")}
    )
    a_count = "; expected a whole number of 0 or more, such as 12345 or 541.2K"
    a_count += ' (decimal = "," where a comma marks decimals)'
    a_time = "; expected a time, such as 2026-01-31T18:00:00Z, an epoch, or a time without a zone"
    a_time += " where the mapping has a timezone"
    assert found == [
        f"creators.followers, row 2: '-3' in column fans of posts.csv{a_count}",
        f"posts.published_at, row 3: 'soon' in column posted of posts.csv{a_time}",
        f"posts.likes, rows 2, 3: 'many', 'lots' in column hearts of posts.csv{a_count}",
        f"posts.comments, row 2: '1.5' in column replies of posts.csv{a_count}",
    ]


def test_times_without_a_zone_need_one_in_the_mapping(problems) -> None:
    found = problems({"posts.csv": csv(*ROWS)}, MAPPING.replace('timezone = "UTC"', ""))
    assert found[0].startswith("posts.published_at, rows 1, 2: '2025-01-01 10:00' in column posted of posts.csv")


def test_a_missing_column_is_named_with_what_there_is(problems) -> None:
    found = problems({"posts.csv": csv(*ROWS).replace("hearts", "heart")})
    (told,) = found
    assert told.startswith(
        "posts.likes: posts.csv has no column hearts; is it heart?; expected one of account, id, posted"
    )


def test_a_missing_file_is_named(problems, tmp_path: Path) -> None:
    found = problems({"videos.csv": csv(*ROWS)})
    assert found[0] == "creators: no such file among videos.csv; expected a file posts.*"
    with pytest.raises(TableError, match="no such file or folder"):
        import_tables(read_mapping("tiktok_vn2025"), [tmp_path / "nowhere"])
    with pytest.raises(TableError, match="no file to read"):
        import_tables(read_mapping("tiktok_vn2025"), [])
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(TableError, match=r"a.xlsx: a format that cannot be read; expected a file ending in .csv"):
        import_tables(read_mapping("tiktok_vn2025"), [tmp_path / "a.xlsx"])


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("posts.csv", b"", "posts.csv: empty file"),
        ("posts.csv", b"\xff\xfe\x00,", "posts.csv: unreadable ("),
        ("posts.csv", b'account,id\n"a,b\n', "posts.csv, row 1: 1 field; expected 2"),
        ("posts.csv", b"account,id\na,b\nc\n", "posts.csv, row 2: 1 field; expected 2, as in the header"),
        ("posts.csv", b"account,id\na,b,c\n", "posts.csv, row 1: 3 fields; expected 2"),
        ("posts.csv", b"id,id\na,b\n", "posts.csv: unreadable (columns 'id' stand there twice)"),
        ("posts.csv.gz", b"account,id\n", "posts.csv.gz: unreadable ("),
        ("posts.csv.gz", gzip.compress(b"account,id\n" * 999, mtime=0)[:30], "posts.csv.gz: unreadable ("),
        ("posts.json.gz", gzip.compress(b"[]" * 999, mtime=0)[:20], "posts.json.gz: unreadable ("),
        ("posts.json", b"{", "posts.json: unreadable ("),
        ("posts.json", b"[1, 2]", "posts.json: unreadable (no list of records"),
        ("posts.jsonl", b'{"a": 1}\n[', "posts.jsonl: unreadable ("),
        ("posts.parquet", b"PAR1", "posts.parquet: unreadable ("),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, raw: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(raw)
    (tmp_path / "mine.toml").write_text(MAPPING)
    with pytest.raises(TableError) as error:
        import_tables(read_mapping(tmp_path / "mine.toml"), [tmp_path / name])
    assert str(error.value).startswith(told)
    assert len(error.value.problems) == 1


def test_a_row_far_down_that_was_cut_is_named_by_its_number(problems) -> None:
    rows = [f'ana,p{i},2025-01-01,2025-01-05,1,1,"{i}"' for i in range(60_000)]
    assert problems({"posts.csv": csv(*rows, "ana,p")}) == [
        "posts.csv, row 60001: 2 fields; expected 7, as in the header"
    ]


def test_captions_with_line_breaks_are_one_row(imported) -> None:
    rows = ['ana,p1,2025-01-01,2025-01-05,1,1,1,"Chào\n""bạn"", 🪐"', "ana,p2,2025-01-01,2025-01-05,1,1,1,"]
    tables, _ = imported({"posts.csv": csv(*rows, header=f"{HEADER},text")}, MAPPING + 'caption = "text"\n')
    assert tables["posts"]["caption"][0] == 'Chào\n"bạn", 🪐'
    assert tables["posts"]["caption"].isna()[1]


def test_records_under_a_key_that_is_not_there(problems) -> None:
    mapping = MAPPING.replace('files = "posts.*"', 'records = "data.items"')
    assert "no key 'items' on the way to records" in problems({"posts.json": '{"data": {}}'}, mapping)[0]


CONFLICT = "ana,p1,2025-01-01 10:00,2025-01-05,1.4K,3,10.5K"


def test_rows_of_one_key_that_differ_are_an_error(problems) -> None:
    found = problems({"posts.csv": csv(*ROWS, CONFLICT)})
    (told,) = found
    key = "creator_id, post_id, observed_at"
    assert told.startswith(f"posts.{key}, rows 1, 4: rows of one key in posts.csv differ in likes, comments; ")
    assert told.endswith(f'one row for each {key}, or on_conflict = {{ keep = "last", because = "…" }} in the mapping')


@pytest.mark.parametrize(
    ("keep", "likes", "comments"),
    [("first", 1_200, 7), ("last", 1_400, 3), ("max", 1_400, 7)],
)
def test_unless_the_mapping_decides(imported, keep: str, likes: int, comments: int) -> None:
    decision = f'on_conflict = {{ keep = "{keep}", because = "crawled twice" }}'
    mapping = MAPPING.replace("[posts.columns]", f"{decision}\n[posts.columns]")
    tables, report = imported({"posts.csv": csv(*ROWS, CONFLICT)}, mapping)
    posts = tables["posts"]
    row = posts[(posts["post_id"] == "p1") & (posts["observed_at"] == pd.Timestamp("2025-01-05T23:59:59Z"))]
    assert (row["likes"].tolist(), row["comments"].tolist()) == ([likes], [comments])
    assert len(posts) == 3
    assert report.tables["posts"].dropped == {
        f"several rows of one creator_id, post_id, observed_at: {keep} (crawled twice)": 1
    }


def test_two_files_are_two_observations_and_rows_are_told_by_file(imported, problems) -> None:
    tables, report = imported({"posts.a.csv": csv(ROWS[0]), "posts.b.csv": csv(*ROWS[1:])})
    assert len(tables["posts"]) == 3
    assert report.files == {"posts.a.csv": 1, "posts.b.csv": 2}
    late = "ana,p9,2025-03-01,2025-01-05,1,1,1"
    (told,) = problems({"posts.b.csv": csv(ROWS[1], late)})
    assert told.startswith("posts.observed_at, row 2: ")
    assert told.endswith(" from posts.b.csv; expected a time at or after published_at")


def test_parts_of_one_table_complete_each_other(imported) -> None:
    mapping = MAPPING.replace("[creators.columns]", '[creators.columns]\ncountry = "land"').replace(
        'files = "posts.*"', 'files = "people.csv"', 1
    )
    mapping = mapping.replace('followers = "fans"\nobserved_at = "seen"\n', "")
    mapping += """
[[creators]]
files = "posts.*"
[creators.columns]
creator_id = "account"
followers = "fans"
observed_at = "seen"
"""
    tables, _ = imported({"people.csv": "account,land\nana,VN\nben,\n", "posts.csv": csv(*ROWS)}, mapping)
    creators = tables["creators"].set_index("creator_id").sort_index()
    assert creators["followers"].tolist()[0] == 11_000
    assert creators["country"]["ana"] == "VN"
    assert creators["country"].isna()["ben"]
    assert creators["platform"].tolist() == ["tiktok", "tiktok"]


def test_rows_without_a_value_can_be_left_out_with_a_reason(imported) -> None:
    mapping = MAPPING.replace("[posts.columns]", '[posts.drop_empty]\ncomments = "gone"\n[posts.columns]')
    tables, report = imported({"posts.csv": csv(*ROWS)}, mapping)
    assert tables["posts"]["post_id"].tolist() == ["p1", "p1"]
    assert report.tables["posts"].dropped == {"no comments (gone)": 1}


def test_a_time_of_observation_that_is_not_in_the_files(imported) -> None:
    mapping = MAPPING.replace('observed_at = "seen"', 'observed_at = { latest_of = "posts.published_at" }')
    tables, report = imported({"posts.csv": csv(ROWS[0], ROWS[2])}, mapping)
    latest = pd.Timestamp("2025-01-02", tz="UTC")
    assert (tables["posts"]["observed_at"] == latest).all()
    assert (tables["creators"]["observed_at"] == latest).all()
    (note,) = report.notes
    assert note.startswith("creators.observed_at and posts.observed_at: not in the files, taken as the latest ")
    assert note.endswith(" posts.published_at, 2025-01-02T00:00:00Z")


def test_a_known_time_of_observation_is_a_constant(imported) -> None:
    for moment, seen in (
        ("2025-01-31", "2025-01-31T23:59:59Z"),
        ("2025-01-31T00:00:00Z", "2025-01-31T00:00:00Z"),
        ('"2025-01-31"', "2025-01-31T23:59:59Z"),
    ):
        mapping = MAPPING.replace('observed_at = "seen"', f"observed_at = {{ constant = {moment} }}")
        tables, _ = imported({"posts.csv": csv(ROWS[0], ROWS[2])}, mapping)
        assert (tables["posts"]["observed_at"] == pd.Timestamp(seen)).all()


@pytest.mark.parametrize(
    ("written", "zone", "seen"),
    [
        ("2025-01-05", "UTC", "2025-01-05T23:59:59Z"),
        ("20250105", "UTC", "2025-01-05T23:59:59Z"),
        ("2025-01-05", "Asia/Ho_Chi_Minh", "2025-01-05T16:59:59Z"),
        ("2025-01-05 00:00", "UTC", "2025-01-05T00:00:00Z"),
    ],
)
def test_a_day_of_observation_is_its_end_and_one_of_publication_its_start(imported, written, zone, seen) -> None:
    row = f"ana,p1,2025-01-05,{written},1,1,1"
    tables, _ = imported({"posts.csv": csv(row)}, MAPPING.replace('"UTC"', f'"{zone}"'))
    assert tables["posts"]["observed_at"].tolist() == [pd.Timestamp(seen)]
    assert tables["creators"]["observed_at"].tolist() == [pd.Timestamp(seen)]
    assert tables["posts"]["published_at"].tolist() == [pd.Timestamp("2025-01-05", tz=zone)]


def test_a_day_that_has_not_ended_was_seen_by_now(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "posts.csv").write_text(csv(*ROWS), encoding="utf-8")
    now = pd.Timestamp("2025-01-09T08:00Z")
    tables, _ = import_tables(read_mapping(tmp_path / "mine.toml"), [tmp_path / "posts.csv"], now=now)
    assert sorted(tables["posts"]["observed_at"].unique()) == [pd.Timestamp("2025-01-05T23:59:59Z"), now]


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        (("2025-01-05T01:00Z", "2025-01-09T01:00Z"), "2025-01-09T01:00Z"),
        (("2025-01-09T01:00Z", "2025-01-05T01:00Z"), "2025-01-09T01:00Z"),
        # the largest count is of a row that says no time: no time can be claimed for it
        (("2025-01-05T01:00Z", ""), None),
    ],
)
def test_the_largest_count_is_never_known_before_it_was_seen(imported, seen: tuple[str, str], kept: str | None) -> None:
    people = "\n".join(("account,fans,seen", f"ana,100,{seen[0]}", f"ana,900,{seen[1]}")) + "\n"
    mapping = MAPPING.replace('files = "posts.*"', 'files = "people.csv"', 1).replace('"latest"', '"max"')
    tables, _ = imported({"people.csv": people, "posts.csv": csv(ROWS[0])}, mapping)
    (creator,) = tables["creators"].to_dict("records")
    assert creator["followers"] == 900
    assert creator["observed_at"] == pd.Timestamp(kept) if kept else pd.isna(creator["observed_at"])


def test_ids_with_a_prefix_do_not_collide(imported) -> None:
    tables, _ = imported({"posts.csv": csv(*ROWS)}, 'id_prefix = "tt:"\n' + MAPPING)
    assert set(tables["creators"]["creator_id"]) == {"tt:ana", "tt:ben"}
    assert set(tables["posts"]["post_id"]) == {"tt:p1", "tt:p2"}


def test_ids_that_a_spreadsheet_has_mangled_or_lost(problems) -> None:
    found = problems(
        {"posts.csv": csv("ana,7.50683E+18,2025-01-01,2025-01-05,1,1,1", "ana,,2025-01-01,2025-01-05,1,1,1")}
    )
    assert found == [
        "posts.post_id, row 1: '7.50683E+18' in column id of posts.csv; expected an id with all its digits"
    ]
    found = problems({"posts.csv": csv("ana,,2025-01-01,2025-01-05,1,1,1")})
    assert found == ["posts.post_id, row 1: nan from posts.csv; expected a value in every row"]


def kinds(imported, rule: str, *texts: str) -> list[str | None]:
    rows = [f"ana,p{i},2025-01-01,2025-01-05,1,1,1,{text}" for i, text in enumerate(texts)]
    tables, _ = imported({"posts.csv": csv(*rows, header=f"{HEADER},what")}, f"{MAPPING}kind = {rule}\n")
    return [None if pd.isna(kind) else kind for kind in tables["posts"]["kind"]]


def test_kinds_by_words(imported, problems) -> None:
    rule = '{ column = "what", values = { GraphImage = "photo", GraphVideo = "video" }%s }'
    assert kinds(imported, rule % "", "GraphVideo", "GraphImage", "") == ["video", "photo", None]
    assert kinds(imported, rule % ', otherwise = "keep"', "live", "GraphImage") == ["live", "photo"]
    assert kinds(imported, rule % ', otherwise = "null"', "Reel", "GraphImage") == [None, "photo"]
    row = "ana,p1,2025-01-01,2025-01-05,1,1,1,Reel"
    found = problems({"posts.csv": csv(row, header=f"{HEADER},what")}, f"{MAPPING}kind = {rule % ''}\n")
    (told,) = found
    assert told.startswith(
        "posts.kind, row 1: 'Reel' in column what of posts.csv; expected one of GraphImage, GraphVideo;"
    )


def test_a_count_that_is_written_as_0_where_it_is_hidden(imported, problems) -> None:
    mapping = MAPPING.replace(
        'likes = "hearts"', 'likes = { column = "hearts", hidden_as_zero = { column = "replies", least = 7 } }'
    )
    rows = ["0,7", "0,6", "0,", "5,90", ",90", "0,1.2K"]
    text = "\n".join([HEADER, *(f"ana,p{n},2025-01-01,2025-01-05,{counts},1" for n, counts in enumerate(rows))])
    tables, _ = imported({"posts.csv": text}, mapping)
    likes = tables["posts"].set_index("post_id")["likes"]
    assert [None if pd.isna(value) else int(value) for value in likes] == [None, 0, 0, 5, None, None]
    assert "no column views" in " ".join(
        problems({"posts.csv": text}, mapping.replace('"replies", least', '"views", least'))
    )


def test_kinds_by_duration(imported, problems) -> None:
    steps = '[{ upto = 0, is = "live" }, { upto = 60, is = "short" }, { is = "video" }]'
    rule = f'{{ column = "what", by_duration = {steps} }}'
    found = kinds(imported, rule, "P0D", "PT1M", "PT1M1S", "00:31", "61", "", "N/A")
    assert found == ["live", "short", "video", "short", "video", None, None]
    row = "ana,p1,2025-01-01,2025-01-05,1,1,1,short"
    found = problems({"posts.csv": csv(row, header=f"{HEADER},what")}, f"{MAPPING}kind = {rule}\n")
    assert found[0].startswith("posts.kind, row 1: 'short' in column what of posts.csv; expected a duration")


def test_the_first_entry_of_a_list_or_the_first_that_is_mapped(imported) -> None:
    def sponsors(rule: str) -> list[str | None]:
        rows = [f"ana,p{i},2025-01-01,2025-01-05,1,1,1,{text}" for i, text in enumerate(["\"['TV', 'Food']\"", "[]"])]
        mapping = f'{MAPPING}sponsor = {{ column = "what", first_entry = true{rule} }}\n'
        tables, _ = imported({"posts.csv": csv(*rows, header=f"{HEADER},what")}, mapping)
        return [None if pd.isna(text) else text for text in tables["posts"]["sponsor"]]

    assert sponsors("") == ["TV", None]
    assert sponsors(', values = { Food = "food" }') == ["food", None]
    assert sponsors(', values = { Art = "art" }, otherwise = "keep"') == ["TV", None]


def test_separator_decimal_and_encoding_of_the_file(imported, tmp_path: Path) -> None:
    text = csv("Zoé,p1,2025-01-01,2025-01-05,12.345,7,1;5K").replace(",", ";").replace("1;5K", "1,5K")
    settings = 'separator = ";"\ndecimal = ","\nencoding = "cp1252"\n'
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "posts.csv").write_bytes(text.encode("cp1252"))
    tables, _ = imported({}, settings + MAPPING)
    assert tables["posts"]["likes"].tolist() == [12_345]
    assert tables["creators"]["followers"].tolist() == [1_500]
    assert tables["creators"]["creator_id"].tolist() == ["Zoé"]


def test_files_without_a_row(imported, problems) -> None:
    assert problems({"posts.csv": csv()}) == ["creators: no rows; expected at least one creator"]
    assert problems({"posts.csv": "", "posts.json": "[]"})[0].startswith("posts.csv: empty file")
    tables, _ = imported({"posts.csv": csv(), "posts.b.csv": csv(*ROWS)}, MAPPING.replace("posts.*", "*.csv"))
    assert len(tables["posts"]) == 3


def test_posts_of_creators_that_nothing_is_known_of_are_an_error(problems) -> None:
    mapping = MAPPING.replace('files = "posts.*"', 'files = "people.csv"', 1)
    found = problems({"people.csv": csv(ROWS[0]), "posts.csv": csv(*ROWS)}, mapping)
    assert found == ["posts.creator_id, row 3: 'ben' from posts.csv; expected a creator_id of the creators table"]


def test_the_mapping_in_the_documentation_works(tmp_path: Path) -> None:
    import textwrap

    import features.sources

    text = textwrap.dedent(str(features.sources.__doc__).split("A mapping in full::\n")[1].split("\nWhat else")[0])
    (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
    (tmp_path / "posts1.csv").write_text(
        "account,fans,seen,id,posted,hearts,text,tags,length\n"
        'ana,"1,2 Tr",2025-02-01 09:00,7,9/10/24 10:30,40,Hello,"a, b",00:31\n'
        "ana,33 500,2025-02-03 09:00,8,12/24/2024 06:00,hidden,Bye,,2:00\n",
        encoding="utf-8",
    )
    tables, report = import_tables(read_mapping(tmp_path / "shop.toml"), [tmp_path / "posts1.csv"])
    assert tables["creators"]["followers"].tolist() == [33_500]
    posts = tables["posts"]
    assert posts["post_id"].tolist() == ["shop:7"]
    assert posts["published_at"].tolist() == [pd.Timestamp("2024-09-10T03:30Z")]
    assert posts["observed_at"].tolist() == [pd.Timestamp("2024-12-23T23:00Z")]
    assert posts["caption"].tolist() == ["Hello #a #b"]
    assert posts["kind"].tolist() == ["short"]
    assert report.tables["posts"].dropped == {"no likes (deleted before it was seen)": 1}


ALIASES = """
[[creators]]
files = "posts.csv"
unknown = ["followers"]
[creators.columns]
creator_id = "account"
platform = { constant = "instagram" }

[[posts]]
files = "posts.csv"
[posts.columns]
creator_id = "account"
post_id = "id"
published_at = "posted"
likes = "hearts"
comments = "replies"
is_sponsored = { column = "by", filled = true }
sponsor = "by"

[[comments]]
files = "comments.csv"
[comments.columns]
creator_id = "account"
post_id = "id"
author_id = { column = "who", same_as = { column = "account", where = { owner = 1 } } }
published_at = "posted"
text = "said"
"""
ALIAS_POSTS = "account,id,posted,hearts,replies,by\nana,p1,2025-01-01,1,1,shop\nben,p2,2025-01-01,1,1,\n"


def test_an_id_that_is_shown_to_be_a_creator_is_that_creator_everywhere(imported) -> None:
    comments = (
        "account,id,posted,who,owner,said\n"
        "ana,p1,2025-01-02,h1,1,mine\nben,p2,2025-01-02,h1,0,hers\nben,p2,2025-01-02,3e3966149153,0,a hash\n"
    )
    tables, _ = imported({"posts.csv": ALIAS_POSTS, "comments.csv": comments}, ALIASES)
    assert tables["comments"]["author_id"].tolist() == ["ana", "ana", "3e3966149153"]


def test_an_id_that_is_shown_to_be_two_creators_is_refused(problems) -> None:
    comments = "account,id,posted,who,owner,said\nana,p1,2025-01-02,h1,1,a\nben,p2,2025-01-02,h1,1,b\n"
    (problem,) = problems({"posts.csv": ALIAS_POSTS, "comments.csv": comments}, ALIASES)
    assert "rows 1, 2" in problem
    assert "one account for each who where owner is 1" in problem


def test_a_flag_is_true_where_anything_stands(imported) -> None:
    comments = "account,id,posted,who,owner,said\n"
    tables, _ = imported({"posts.csv": ALIAS_POSTS, "comments.csv": comments}, ALIASES)
    assert tables["posts"]["is_sponsored"].tolist() == [True, False]


CHANGES = """
without = ["posts"]
[[creators]]
unknown = ["followers"]
[creators.columns]
creator_id = "name"
platform = { constant = "youtube" }
[[snapshots]]
[snapshots.columns]
creator_id = "name"
observed_at = { column = "week", days_later = 6 }
followers = { column = "gain", changes = true }
"""


def test_sums_of_rounded_changes_end_in_zeros(imported) -> None:
    """Exact changes, then thousands: the last count is raised to the next thousand, and the others with it."""
    gains = [123, 456, *[1000, 0, 2000, 1000] * 3]
    weeks = pd.date_range("2025-01-05", periods=len(gains), freq="7D").strftime("%Y-%m-%d")
    text = "name,week,gain\n" + "".join(f"ana,{week},{gain}\n" for week, gain in zip(weeks, gains, strict=True))
    tables, _ = imported({"weeks.csv": text}, CHANGES)
    assert tables["snapshots"]["followers"].tolist() == [544, 1000, *(1000 + np.cumsum(gains[2:]))]


def test_changes_are_summed_from_the_lowest_start_that_is_possible(imported) -> None:
    text = (
        "name,week,gain\n"
        "ben,2025-01-12,-7\nana,2025-01-05,10\nben,2025-01-05,5\nana,2025-01-12,\nana,2025-01-19,2.6\n"
        "ben,2025-01-05,5\n"
    )
    tables, report = imported({"weeks.csv": text}, CHANGES)
    found = tables["snapshots"].sort_values(["creator_id", "observed_at"]).reset_index(drop=True)
    # ana: 10, unknown, 10 + 2.6 → 13; ben: 5 and -2 are lifted by 2; the row that stands there twice counts once
    assert found["followers"].to_list() == [10, pd.NA, 13, 7, 0]
    assert found["observed_at"].iloc[0] == pd.Timestamp("2025-01-11T23:59:59Z")
    assert (len(tables["posts"]), report.tables["posts"].kept) == (0, 0)
    assert any("changes that are not known, left out of the sum: 1" in note for note in report.notes)
    assert any(note.startswith("posts: not in the files") for note in report.notes)


def test_a_change_is_a_number(problems) -> None:
    (problem,) = problems({"weeks.csv": "name,week,gain\nana,2025-01-05,1.2K\n"}, CHANGES)
    assert "a change such as" in problem


def test_a_week_that_has_not_ended_is_known_now(tmp_path: Path) -> None:
    (tmp_path / "weeks.csv").write_text("name,week,gain\nana,2025-01-05,1\n", encoding="utf-8")
    (tmp_path / "mine.toml").write_text(CHANGES, encoding="utf-8")
    now = pd.Timestamp("2025-01-08T10:00:00Z")
    tables, _ = import_tables(read_mapping(tmp_path / "mine.toml"), [tmp_path / "weeks.csv"], now=now)
    assert tables["snapshots"]["observed_at"].tolist() == [now]
