"""What pods and fan communities leave in the comments."""

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables, check_tables
from training.pods import FAN_READS, fan_comments, pod_comments

NOW = pd.Timestamp("2026-03-01T00:00:00Z")
MEMBERS = [f"c{number}" for number in range(8)]


@pytest.fixture
def tables() -> Tables:
    """Twelve creators with five posts; one comment a post, 10, 20, 30 … minutes after it."""
    creators = [f"c{number}" for number in range(12)]
    posts = pd.DataFrame(
        [(name, f"{name}p{n}") for name in creators for n in range(5)], columns=["creator_id", "post_id"]
    )
    posts["published_at"] = pd.Timestamp("2026-01-01T00:00:00Z") + pd.to_timedelta(np.arange(len(posts)) * 7, unit="h")
    comments = posts.assign(
        comment_id=[f"k{n}" for n in range(len(posts))],
        author_id=[f"u{n}" for n in range(len(posts))],
        published_at=posts["published_at"] + pd.to_timedelta(10 * (1 + np.arange(len(posts))), unit="min"),
        text=["wow", "nice one", "a text so long that nobody else would write it"] * 20,
    )
    return check_tables(
        {
            "creators": pd.DataFrame({"creator_id": creators, "platform": "instagram", "followers": 1000}),
            "posts": posts.assign(likes=10, comments=1),
            "comments": comments,
        }
    )


def _delays(comments: pd.DataFrame, tables: Tables) -> pd.Series:
    both = comments.merge(tables["posts"], on=["creator_id", "post_id"], suffixes=("", "_of_post"))
    assert len(both) == len(comments)
    return (both["published_at"] - both["published_at_of_post"]).dt.total_seconds()


@pytest.mark.parametrize("hidden", [False, True])
def test_members_write_under_most_posts_of_the_others_within_the_hour(hidden: bool, tables: Tables) -> None:
    pod = pod_comments(tables["posts"], MEMBERS, tables["comments"]["text"], np.random.default_rng(1), hidden=hidden)
    written = pod.groupby("author_id").size()
    assert len(written) == len(MEMBERS)
    assert written.between(0.6 * 7 * 5, 7 * 5).all()
    assert not pod.duplicated(["author_id", "post_id"]).any()
    assert _delays(pod, tables).between(0, 3599).all()
    assert set(pod["creator_id"]) == set(MEMBERS)
    assert set(pod["text"]) <= {"wow", "nice one"}
    if hidden:
        assert not set(written.index) & set(tables["creators"]["creator_id"])
    else:
        assert (pod["author_id"] != pod["creator_id"]).all()
        assert set(written.index) == set(MEMBERS)


def test_fans_read_a_few_creators_at_the_times_that_comments_have(tables: Tables) -> None:
    fans = fan_comments(tables["posts"], tables["comments"], MEMBERS, np.random.default_rng(2))
    read = fans.groupby("author_id")["creator_id"].nunique()
    assert read.max() <= FAN_READS[1]
    assert read.mean() > FAN_READS[0]
    per_creator = fans.groupby("creator_id")["author_id"].nunique()
    assert set(per_creator.index) == set(MEMBERS)
    assert per_creator.mean() == pytest.approx(20, rel=0.2)
    assert set(_delays(fans, tables)) <= {600.0 * n for n in range(1, 61)}
    assert not set(fans["author_id"]) & set(tables["creators"]["creator_id"])


def test_what_is_injected_passes_the_checks_and_is_the_same_for_the_same_seed(tables: Tables) -> None:
    def injected(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        pod = pod_comments(tables["posts"], MEMBERS, tables["comments"]["text"], rng)
        return pd.concat([pod, fan_comments(tables["posts"], tables["comments"], MEMBERS, rng)], ignore_index=True)

    pd.testing.assert_frame_equal(injected(3), injected(3))
    assert not injected(3).equals(injected(4))
    comments = pd.concat([tables["comments"], injected(3)], ignore_index=True)
    assert len(check_tables({**tables, "comments": comments})["comments"]) == len(comments)


def test_without_short_texts_comments_have_none(tables: Tables) -> None:
    none = tables["comments"]["text"].iloc[:0]
    assert pod_comments(tables["posts"], MEMBERS, none, np.random.default_rng(1))["text"].isna().all()
