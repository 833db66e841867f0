import pandas as pd
import pytest

from features.mentions import MOST_NAMES, mentions, mentions_of_posts
from features.tables import Tables, check_tables

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")


def tables_of(captions: list[str | None], **columns: object) -> Tables:
    posts = pd.DataFrame(
        {
            "creator_id": "an",
            "post_id": [f"p{number}" for number in range(len(captions))],
            "published_at": pd.date_range("2026-01-01", periods=len(captions), freq="D", tz="UTC"),
            "likes": 1,
            "comments": 0,
            "caption": captions,
            **columns,
        }
    )
    creators = pd.DataFrame(
        {"creator_id": ["an"], "platform": "instagram", "followers": 20_000, "handle": "@An.Nguyen"}
    )
    return check_tables({"creators": creators, "posts": posts})


@pytest.mark.parametrize(
    ("caption", "names"),
    [
        ("with @Levis and @danielwellington.", ["danielwellington", "levis"]),
        ("@cocoon.vietnam #ad", ["cocoon.vietnam"]),
        ("thanks @an.nguyen!", []),
        ("write to an@example.com", []),
        ("son @3ce_official, kem @la_roche.posay…", ["3ce_official", "la_roche.posay"]),
        ("@levis @levis @LEVIS", ["levis"]),
        (None, []),
    ],
)
def test_names_in_a_caption(caption: str | None, names: list[str]) -> None:
    assert sorted(mentions_of_posts(tables_of([caption, "nobody"]))["name"]) == names


def test_sponsors_count_as_named_and_sponsored() -> None:
    tables = tables_of(["my @levis", "jeans"], sponsor=[None, "Levis, Nike"], is_sponsored=[False, True])
    found = mentions(tables, AS_OF, imported_at=AS_OF).set_index("name")
    assert found.loc["levis", ["posts", "sponsored_posts"]].tolist() == [2, 1]
    assert found.loc["nike", "last_at"] == pd.Timestamp("2026-01-02", tz="UTC")


def test_what_comes_after_is_not_known() -> None:
    tables = tables_of(["@levis", "@nike"])
    found = mentions(tables, pd.Timestamp("2026-01-01T12:00Z"), imported_at=pd.Timestamp("2026-01-01T12:00Z"))
    assert found["name"].tolist() == ["levis"]


def test_the_names_written_last_are_kept() -> None:
    tables = tables_of([f"@brand{number:03d}" for number in range(MOST_NAMES + 5)])
    found = mentions(tables, AS_OF, imported_at=AS_OF)
    assert len(found) == MOST_NAMES
    assert found["name"].iloc[0] == f"brand{MOST_NAMES + 4:03d}"


def test_tables_without_captions_name_nobody() -> None:
    tables = tables_of(["x"])
    tables["posts"] = tables["posts"].drop(columns="caption")
    assert mentions(tables, AS_OF, imported_at=AS_OF).empty
