from pathlib import Path

import pytest

from features.sources.mappings import MappingError, known_mappings, read_mapping

CREATORS = """
[[creators]]
unknown = ["followers"]
[creators.columns]
creator_id = "account"
platform = { constant = "tiktok" }
"""
POSTS = """
[[posts]]
files = "posts.csv"
[posts.columns]
creator_id = "account"
post_id = "id"
published_at = "posted"
likes = "hearts"
comments = "replies"
"""


@pytest.fixture
def refusal(tmp_path: Path):
    def read(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(MappingError) as error:
            read_mapping(path)
        return str(error.value)

    return read


def test_a_mapping_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('id_prefix = "x:"\ntimezone = "Asia/Ho_Chi_Minh"\n' + CREATORS + POSTS, encoding="utf-8")
    mapping = read_mapping(str(path))
    creators, posts = mapping.parts
    assert mapping.name == "mine"
    assert (creators.files, posts.files) == (("*",), ("posts.csv",))
    assert posts.columns["creator_id"].prefix == "x:"
    assert posts.columns["likes"].column == "hearts"
    assert str(posts.columns["published_at"].zone) == "Asia/Ho_Chi_Minh"
    assert creators.columns["platform"].constant == "tiktok"


def test_mappings_that_are_shipped_can_be_read_and_say_their_source() -> None:
    assert set(known_mappings()) >= {"facebook_th2018", "instagram_kim2020", "tiktok_vn2025", "youtube_weekly"}
    for name in known_mappings():
        mapping = read_mapping(name)
        assert mapping.name == name
        assert {"title", "terms", "approximated"} <= set(mapping.about)


def test_no_mapping_says_which_there_are() -> None:
    with pytest.raises(MappingError, match=r"no mapping given: pass --mapping FILE or one of: .*tiktok_vn2025"):
        read_mapping(None)
    with pytest.raises(MappingError, match=r"no mapping 'columns': pass --mapping FILE or one of: "):
        read_mapping("columns")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('likes = "hearts"', 'like = "hearts"', "posts.columns.like: unknown column of posts; did you mean likes?"),
        ('files = "posts.csv"', 'file = "posts.csv"', "posts.file: unknown key; did you mean files?"),
        ("[[posts]]", "zone = 1\n[[posts]]", "creators.columns.zone: unknown column of creators; one of creator_id"),
        ('likes = "hearts"', "likes = 3", "posts.columns.likes: found 3; expected the name of a column"),
        ('likes = "hearts"', "likes = { colum = 'a' }", "posts.columns.likes.colum: unknown key; did you mean column?"),
        ('likes = "hearts"', "likes = {}", "posts.columns.likes: expected one of column, constant, latest_of"),
        ('likes = "hearts"', "", "posts.columns: missing likes; unknown = ['likes'] where the source has none"),
        ('post_id = "id"', "", "posts.columns: missing post_id"),
        ('"posts.csv"', '"posts.csv"\nunknown = ["post_idd"]', "posts.unknown.post_idd: unknown column; one of"),
        ('"tiktok"', '"twitter"', "creators.columns.platform: found 'twitter'; one of instagram, tiktok, youtube"),
        ('"posted"', '{ column = "posted", timezone = "Mars" }', "posts.columns.published_at.timezone: no time zone"),
        (
            '"posted"',
            '{ column = "posted", format = "%H" }',
            "posts.columns.published_at.format: a format without a day",
        ),
        (
            '"posted"',
            '{ column = "posted", unit = "h" }',
            "posts.columns.published_at.unit: found 'h'; one of s, ms, us",
        ),
        ('"posted"', '{ latest_of = "posts.likes" }', "published_at.latest_of: found 'posts.likes'; expected a time"),
        ('"posted"', '{ latest_of = "posts.published_at" }', "posts.published_at is not read from a column of a file"),
        ('"hearts"', '{ column = "a", timezone = "UTC" }', "posts.columns.likes.timezone: unknown key"),
        ('"hearts"', '{ column = "a", empty = 1 }', "posts.columns.likes.empty: found 1; expected text or a list"),
        ('"hearts"', '{ column = "a", decimal = ";" }', "posts.columns.likes.decimal: found ';'; one of ., ,"),
        (
            '"hearts"',
            '"h"\nkind = { column = "a", values = { a = "clip" } }',
            "posts.columns.kind: found 'clip'; one of",
        ),
        ('"hearts"', '"h"\nkind = { column = "a", otherwise = "x" }', "kind.otherwise: found 'x'; one of error, keep"),
        (
            '"hearts"',
            '"h"\nkind = { column = "a", by_duration = [{ upto = 9, is = "short" }] }',
            "and a last step without",
        ),
        ('"hearts"', '"h"\nkind = { column = "a", by_duration = [{ is = "clip" }] }', "kind: found 'clip'; one of"),
        (
            '"posts.csv"',
            '"posts.csv"\ndrop_empty = { views = "x" }',
            "posts.drop_empty.views: unknown column of this part",
        ),
        ('"posts.csv"', '"posts.csv"\ndrop_empty = { likes = "" }', "posts.drop_empty.likes: say why"),
        ('"posts.csv"', '"p"\non_conflict = { keep = "best", because = "x" }', "posts.on_conflict.keep: found 'best'"),
        ('"posts.csv"', '"p"\non_conflict = { keep = "last" }', "posts.on_conflict.because: missing"),
        ('"posts.csv"', '"p"\non_conflict = { keep = "latest", because = "x" }', "latest is for tables that keep one"),
        ("[[posts]]", "[[post]]", "post: unknown table or key; did you mean posts?"),
        ("[posts.columns]", "[posts.colums]", "posts.colums: unknown key; did you mean columns?"),
        ('"hearts"', '{ column = "a", changes = true }', "posts.columns.likes.changes: only snapshots are in an order"),
        (
            '"hearts"',
            '{ column = "a", hidden_as_zero = { column = "views" } }',
            "posts.columns.likes.hidden_as_zero: expected such as { column =",
        ),
        ('"posted"', '{ column = "a", days_later = "6" }', "published_at.days_later: found '6'"),
        ('"hearts"', '{ column = "a", filled = true }', "posts.columns.likes.filled: unknown key"),
        ('"id"', '{ column = "id", same_as = { column = "x" } }', "post_id.same_as: expected such as { column ="),
        ('"id"', '{ column = "id", same_as = { colum = "x" } }', "post_id.same_as.colum: unknown key; did you mean"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(refusal, old: str, new: str, told: str) -> None:
    text = CREATORS + POSTS
    assert old in text
    message = refusal(text.replace(old, new))
    assert message.startswith("mine.toml: ")
    assert told in message


def test_more_that_is_wrong(refusal) -> None:
    assert "no valid TOML" in refusal("= 3")
    assert "[[posts]]: missing; creators and posts are required; without = ['posts'] where" in refusal(CREATORS)
    assert "[[creators]]: missing; creators and posts are required" in refusal(POSTS)
    assert "without: posts is among them, and [[posts]] is there" in refusal('without = "posts"' + CREATORS + POSTS)
    assert "without.creators: unknown table; one of posts" in refusal('without = ["creators"]' + POSTS)
    snapshots = """
[[snapshots]]
files = "a.csv"
[snapshots.columns]
creator_id = "account"
observed_at = "seen"
followers = { column = "gain", changes = true }
"""
    mixed = snapshots + snapshots.replace('{ column = "gain", changes = true }', '"fans"')
    assert "one part of the table has changes there, another has not" in refusal(CREATORS + POSTS + mixed)
    assert "posts: expected [[posts]]" in refusal("posts = 3" + CREATORS)
    assert "timezone: found 7; expected text in quotes" in refusal("timezone = 7\n" + CREATORS + POSTS)
    assert "mine.toml: creators.unknown: creator_id has to be known" in refusal(
        CREATORS.replace('"followers"', '"followers", "creator_id"').replace('creator_id = "account"', "") + POSTS
    )
    two = 'on_conflict = { keep = "first", because = "a" }\n'
    both = POSTS.replace("[posts.columns]", two + "[posts.columns]")
    assert "two parts of posts decide differently" in refusal(CREATORS + both + both.replace("first", "last"))
