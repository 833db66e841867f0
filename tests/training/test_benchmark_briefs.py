import pandas as pd
import pytest

from features.tables import check_tables
from features.taxonomy import read_taxonomy
from training.benchmark_briefs import LENGTH, benchmark_briefs, read_briefs

TEXTS = {
    "beauty": ["sunscreen for oily skin #skincare", "kem chống nắng cho da dầu #skincare"],
    "food": ["street food and noodles", "món ăn đường phố, phở và bún"],
    "travel": ["hiking in the mountains, travel blog", "du lịch bụi, leo núi"],
}


def test_there_are_twenty_briefs_of_known_niches() -> None:
    briefs = read_briefs()
    assert len(briefs) == len({brief.name for brief in briefs}) == 20
    assert all(niche in read_taxonomy() for brief in briefs for niche in brief.niches)
    assert all(set(brief.texts) == {"en", "vi"} and all(brief.texts.values()) for brief in briefs)


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    rows = [(niche, text) for niche, texts in TEXTS.items() for text in texts for _ in range(12)]
    ids = [f"c{number:02d}" for number in range(len(rows))]
    at = pd.Timestamp("2026-01-01", tz="UTC")
    return check_tables(
        {
            "creators": pd.DataFrame(
                {"creator_id": ids, "platform": "tiktok", "followers": 10, "niche": [niche for niche, _ in rows]}
            ),
            "posts": pd.DataFrame(
                {"creator_id": ids, "post_id": ids, "published_at": at, "likes": 1, "comments": 0}
                | {"caption": [f"{text} {number}" for number, (_, text) in enumerate(rows)]}
            ),
        }
    )


def test_both_languages_find_the_niche_where_words_alone_find_their_own_language(
    tables: dict[str, pd.DataFrame],
) -> None:
    figures = benchmark_briefs({"made": tables}).set_index(["scorer", "figure"])["value"]
    assert figures["fit", "overlap of en and vi"] > figures["shared words (TF-IDF)", "overlap of en and vi"]
    assert figures["random", "overlap of en and vi"] == pytest.approx(LENGTH / 72, abs=0.15)
    assert figures["fit", "of the niche, vi"] > figures["random", "of the niche, vi"]
