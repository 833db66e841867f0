import pandas as pd
import pytest

from features.comments import comments_signals
from features.histories import make_histories
from features.tables import check_tables
from training.simulation import SIMULATION_AS_OF, simulate_creators
from training.talk import COLLECTED, MOST_COMMENTS, MOST_POSTS


@pytest.fixture(scope="module")
def tables():
    return simulate_creators(600, seed=9)


def test_comments_keep_the_contract_and_come_after_their_post_and_before_it_was_seen(tables):
    check_tables(tables)
    last = tables["posts"].sort_values("observed_at", kind="stable").drop_duplicates("post_id", keep="last")
    both = tables["comments"].merge(last, on=["creator_id", "post_id"], suffixes=("", "_post"))
    assert len(both) == len(tables["comments"]) > 5_000
    assert (both["published_at"] >= both["published_at_post"]).all()
    assert (both["published_at"] <= both["observed_at"]).all()
    assert (both["published_at"] <= SIMULATION_AS_OF).all()
    counts = both.groupby("post_id").agg(collected=("comment_id", "size"), counted=("comments", "first"))
    assert (counts["collected"] <= counts["counted"]).all()
    assert counts["collected"].max() <= MOST_COMMENTS
    assert both.groupby("creator_id")["post_id"].nunique().max() <= MOST_POSTS


def test_a_part_of_the_creators_has_comments_and_they_are_no_copies(tables):
    comments = tables["comments"]
    assert comments["creator_id"].nunique() / 600 == pytest.approx(COLLECTED, abs=0.08)
    long = comments[comments["text"].str.len() > 25]
    copies = long.groupby("creator_id")["text"].agg(lambda texts: texts.duplicated().mean())
    assert copies.median() < 0.02


def test_a_smaller_world_is_the_beginning_of_a_larger_one(tables):
    small = simulate_creators(100, seed=9)["comments"]
    large = tables["comments"]
    pd.testing.assert_frame_equal(
        large[large["creator_id"].isin(small["creator_id"])].reset_index(drop=True), small.reset_index(drop=True)
    )


def test_comment_signals_lie_near_those_of_real_creators(tables):
    """Medians of Instagram creators (Kim et al. 2020): questions 3 %, no promotion, stock phrases 16 %, emoji 10 %."""
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    median = pd.DataFrame(comments_signals(histories)).median()
    assert 0.01 < median["comment_question_share_all"] < 0.07
    assert median["comment_promotion_share_all"] < 0.01
    assert 0.10 < median["comment_generic_share_all"] < 0.24
    assert 0.06 < median["comment_emoji_only_share_all"] < 0.16
    assert median["comment_near_duplicate_share_all"] < 0.01
    assert 0.92 < median["comment_author_once_share_all"] < 0.995
    assert 5 < median["comment_delay_median_all"] < 11
