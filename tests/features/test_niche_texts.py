"""What is counted of creators' words, on texts written by hand."""

import numpy as np
import pandas as pd
import pytest

from features.niche_texts import COUNTS, STREAMS, hashed_words, read_niche_texts

MONDAY = pd.Timestamp("2026-01-05", tz="UTC")
SUNDAY = pd.Timestamp("2026-01-11", tz="UTC")


def words(*texts: str) -> set[int]:
    counts = hashed_words(pd.Series(list(texts), dtype="str"), np.zeros(len(texts), dtype=np.int64), 1)
    return set(counts.indices.tolist())


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    return {
        "creators": pd.DataFrame(
            {"creator_id": ["b", "a", "c"], "followers": [999, 0, 5], "bio": [None, "baker", None]}
        ).astype({"creator_id": "str", "bio": "str"}),
        "posts": pd.DataFrame(
            {
                "creator_id": ["a", "a", "b"],
                "post_id": ["1", "2", "3"],
                "published_at": [MONDAY, SUNDAY, MONDAY],
                "caption": ["fresh bread", "#cake for @lan", "  "],
                "likes": [3, 7, None],
                "kind": ["photo", "carousel", None],
            }
        ).astype({"creator_id": "str", "caption": "str", "kind": "str"}),
        "comments": pd.DataFrame(
            {
                "creator_id": ["a", "a", "a", "b"],
                "author_id": ["f", "a", "f", "f"],
                "published_at": [MONDAY, MONDAY, SUNDAY, MONDAY],
                "text": ["yummy", "thanks dear", "more", "lovely"],
            }
        ).astype("object"),
    }


def test_a_word_is_one_however_it_is_written() -> None:
    assert words("Bread") == words("#bread") == words("BREAD!!!") == words("(bread)")
    assert words("mỹ") != words("my")
    assert words("@lan") != words("lan")


def test_words_and_pairs_of_neighbours_are_counted_and_emoji_stand_alone() -> None:
    assert len(words("fresh warm bread")) == 5
    assert len(words("fresh", "bread")) == 2
    assert words("🍞🍞") >= words("🍞")
    assert words("bread🍞") > words("bread") | words("🍞")
    assert words("") == words(" . , ") == set()


def test_counts_are_of_each_creator() -> None:
    texts = pd.Series(["bread bread", "bread", None], dtype="str")
    counts = hashed_words(texts, np.array([0, 1, 1]), 3)
    bread = next(iter(words("bread")))
    assert counts[:, bread].toarray().ravel().tolist() == [2, 1, 0]


def test_many_texts_are_counted_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pd.Series(["fresh bread", "#cake", "bread", "warm cake"], dtype="str")
    owners = np.array([0, 1, 0, 1])
    whole = hashed_words(texts, owners, 2)
    monkeypatch.setattr("features.niche_texts.PASS", 1)
    assert (hashed_words(texts, owners, 2) != whole).nnz == 0


def test_streams_hold_who_wrote_what(tables: dict[str, pd.DataFrame]) -> None:
    read = read_niche_texts(tables)
    assert list(read.creators) == ["a", "b", "c"]
    assert set(read.streams) == set(STREAMS)
    first = {name: set(counts[0].indices.tolist()) for name, counts in read.streams.items()}
    assert first["captions"] == words("fresh bread", "#cake for @lan", "baker")
    assert first["fans"] == words("yummy", "more")
    assert first["answers"] == words("thanks dear")
    assert read.streams["commenters"].toarray().sum(axis=1).tolist() == [1, 1, 0]
    assert (read.streams["commenters"][0] != read.streams["commenters"][1]).nnz == 0
    assert read.captions.tolist() == [2, 0, 0]


def test_counts_are_worked_out_by_hand(tables: dict[str, pd.DataFrame]) -> None:
    counts = read_niche_texts(tables).counts
    assert list(counts.columns) == list(COUNTS)
    assert counts.loc["b", "followers_log"] == pytest.approx(np.log(1000))
    assert counts.loc["a", "likes_log"] == pytest.approx(np.log(6))
    assert counts.loc["a", "hashtags_log"] == pytest.approx(np.log(1.5))
    assert counts.loc["a", "carousel_share"] == 0.5
    assert counts.loc["c"].drop("followers_log").isna().all()


def test_nothing_of_after_the_moment_counts(tables: dict[str, pd.DataFrame]) -> None:
    read = read_niche_texts(tables, MONDAY)
    assert set(read.streams["captions"][0].indices.tolist()) == words("fresh bread", "baker")
    assert set(read.streams["fans"][0].indices.tolist()) == words("yummy")
    assert read.captions.tolist() == [1, 0, 0]


def test_a_stream_can_be_left_out_and_tables_may_lack_comments(tables: dict[str, pd.DataFrame]) -> None:
    assert read_niche_texts(tables).without("fans").streams["fans"].nnz == 0
    alone = read_niche_texts({name: tables[name] for name in ("creators", "posts")})
    assert alone.streams["fans"].nnz == alone.streams["commenters"].nnz == 0
    assert alone.streams["captions"].nnz > 0
