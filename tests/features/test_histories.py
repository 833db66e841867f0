from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.histories import days_since_epoch, known_rows, latest_knowledge, make_histories
from features.tables import TIME, Tables, check_tables

Maker = Callable[..., pd.DataFrame]

IMPORTED = pd.Timestamp("2026-02-20T00:00:00Z")


def _time(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


@pytest.fixture
def tables() -> Tables:
    """Creator b comes first, with three posts, one of them seen twice, and two snapshots; a has a post, z nothing."""
    return check_tables(
        {
            "creators": pd.DataFrame(
                {
                    "creator_id": ["b", "z", "a"],
                    "platform": "youtube",
                    "followers": [500, 9, None],
                    "observed_at": ["2026-01-05", "2026-01-05", "2026-01-05"],
                }
            ),
            "posts": pd.DataFrame(
                {
                    "creator_id": ["b", "b", "b", "b", "a"],
                    "post_id": ["2", "1", "1", "3", "1"],
                    "published_at": ["2026-01-02", "2026-01-01", "2026-01-01", "2026-01-20", "2026-01-03"],
                    "observed_at": ["2026-01-10", "2026-01-30", "2026-01-05", "2026-01-21", None],
                    "likes": [20, 11, 10, 30, None],
                    "comments": 1,
                }
            ),
            "snapshots": pd.DataFrame(
                {
                    "creator_id": ["b", "b", "a"],
                    "observed_at": ["2026-01-15", "2026-01-03", "2026-01-04"],
                    "followers": [700, 600, 50],
                    "following": [None, 5, 6],
                }
            ),
        }
    )


def test_rows_lie_by_creator_and_time(tables: Tables) -> None:
    histories = make_histories(tables, _time("2026-03-01"), imported_at=IMPORTED)
    assert histories.creators["creator_id"].tolist() == ["a", "b", "z"]
    assert histories.posts.offsets.tolist() == [0, 1, 4, 4]
    assert histories.posts.counts.tolist() == [1, 3, 0]
    assert histories.posts.owners.tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(histories.posts["likes"], [np.nan, 11, 20, 30])
    np.testing.assert_array_equal(histories.snapshots["followers"], [50, 600, 700])
    assert histories.posts["published_at"].tolist() == [20456, 20454, 20455, 20473]
    assert histories.posts["observed_at"][0] == days_since_epoch(pd.Series([IMPORTED]))[0]
    assert np.isnan(histories.posts["views"]).all()
    assert np.isnan(histories.posts["is_sponsored"]).all()


@pytest.mark.parametrize(
    ("as_of", "likes", "followers", "following"),
    [
        ("2026-01-01", [], [None, None, None], [None, None, None]),
        ("2026-01-05", [10], [50, 500, 9], [6, 5, None]),
        ("2026-01-10", [10, 20], [50, 500, 9], [6, 5, None]),
        ("2026-01-15", [10, 20], [50, 700, 9], [6, 5, None]),
        ("2026-01-29 23:59:59.999999", [10, 20, 30], [50, 700, 9], [6, 5, None]),
        ("2026-01-30", [11, 20, 30], [50, 700, 9], [6, 5, None]),
        ("2026-02-20", [None, 11, 20, 30], [50, 700, 9], [6, 5, None]),
    ],
)
def test_what_was_known_when(
    tables: Tables,
    as_of: str,
    likes: list[int | None],
    followers: list[int | None],
    following: list[int | None],
) -> None:
    histories = make_histories(tables, _time(as_of), imported_at=IMPORTED)
    np.testing.assert_array_equal(histories.posts["likes"], np.array(likes, dtype=float))
    np.testing.assert_array_equal(histories.followers, np.array(followers, dtype=float))
    found = histories.creators["following"].to_numpy(dtype=float, na_value=np.nan)
    np.testing.assert_array_equal(found, np.array(following, dtype=float))


def test_the_creators_table_has_the_last_word_where_it_was_observed_last(tables: Tables) -> None:
    creators = tables["creators"].assign(observed_at=pd.array([_time("2026-01-16")] * 3, dtype=TIME))
    histories = make_histories(tables | {"creators": creators}, _time("2026-02-01"), imported_at=IMPORTED)
    assert histories.followers.tolist() == [50, 500, 9]


def test_a_creators_table_that_does_not_say_when_yields_to_snapshots(tables: Tables) -> None:
    creators = tables["creators"].drop(columns="observed_at")
    after_import = make_histories(tables | {"creators": creators}, _time("2026-02-21"), imported_at=IMPORTED)
    assert after_import.followers.tolist() == [50, 700, 9]
    before = make_histories(tables | {"creators": creators}, _time("2026-02-19"), imported_at=IMPORTED)
    np.testing.assert_array_equal(before.followers, [50, 700, np.nan])


def test_a_post_from_the_future_is_not_known_whatever_its_observation_says(tables: Tables) -> None:
    posts = tables["posts"].assign(published_at=pd.array([_time("2027-01-01")] * 5, dtype=TIME))
    histories = make_histories(tables | {"posts": posts}, _time("2026-12-01"), imported_at=IMPORTED)
    assert histories.posts.counts.tolist() == [0, 0, 0]


@pytest.mark.parametrize("columns", [[], ["observed_at"]])
def test_creators_without_posts_stay(tables: Tables, columns: list[str]) -> None:
    posts = tables["posts"].head(0).drop(columns=columns)
    histories = make_histories(
        {"creators": tables["creators"], "posts": posts}, _time("2026-03-01"), imported_at=IMPORTED
    )
    assert histories.creators["creator_id"].tolist() == ["a", "b", "z"]
    assert histories.posts.offsets.tolist() == [0, 0, 0, 0]
    assert histories.snapshots.offsets.tolist() == [0, 0, 0, 0]


def test_two_observations_at_one_moment_do_not_depend_on_the_order_of_rows(tables: Tables) -> None:
    """One row says that it was observed when the other, which does not say, was imported."""
    posts = pd.DataFrame(
        {
            "creator_id": "a",
            "post_id": "1",
            "published_at": ["2026-01-03"] * 2,
            "observed_at": [IMPORTED, None],
            "likes": [7, 8],
            "comments": [3, None],
        }
    )
    found = []
    for order in ([0, 1], [1, 0]):
        shuffled = check_tables(tables | {"posts": posts.iloc[order]})
        histories = make_histories(shuffled, _time("2026-03-01"), imported_at=IMPORTED)
        found.append([histories.posts["likes"].tolist(), histories.posts["comments"].tolist()])
    np.testing.assert_array_equal(found[0], found[1])


def test_posts_published_at_one_moment_lie_by_their_ids(
    posts_of: Maker, creators_of: Maker, as_of: pd.Timestamp
) -> None:
    posts = posts_of("c", [1, 2, 3])
    posts["published_at"] = posts["published_at"].iloc[0]
    tables = check_tables({"creators": creators_of({"c": 1}), "posts": posts.iloc[[2, 0, 1]]})
    assert make_histories(tables, as_of, imported_at=as_of).posts["likes"].tolist() == [1, 2, 3]


def test_days_are_exact_to_the_microsecond() -> None:
    times = pd.Series([_time("1970-01-02 12:00"), None, _time("2026-01-01 00:00:00.000001")], dtype=TIME)
    np.testing.assert_array_equal(days_since_epoch(times), [1.5, np.nan, (20454 * 86_400_000_000 + 1) / 86_400_000_000])
    other_zone = pd.Series(pd.to_datetime(["1970-01-02T07:00:00+07:00"]))
    assert days_since_epoch(other_zone).tolist() == [1.0]


def test_known_rows_fill_the_moment_of_import(tables: Tables) -> None:
    before = tables["posts"].copy()
    known = known_rows(tables["posts"], _time("2026-02-20"), IMPORTED)
    assert known["observed_at"].notna().all()
    assert len(known) == 5
    assert len(known_rows(tables["posts"], _time("2026-02-19"), IMPORTED)) == 4
    pd.testing.assert_frame_equal(tables["posts"], before)


def test_latest_knowledge_is_the_last_observation(tables: Tables) -> None:
    now = _time("2026-06-01")
    assert latest_knowledge(tables, now) == now  # a post does not say when it was seen
    posts = tables["posts"].dropna(subset=["observed_at"])
    unstated = tables["creators"].drop(columns="observed_at")
    assert latest_knowledge(tables | {"creators": unstated, "posts": posts}, now) == now  # nor does a profile
    uncounted = unstated.assign(followers=pd.array([pd.NA] * 3, dtype="Int64"))
    assert latest_knowledge(tables | {"creators": uncounted, "posts": posts}, now) == _time("2026-01-30")
    creators = tables["creators"].assign(observed_at=pd.array([_time("2026-01-02")] * 3, dtype=TIME))
    stated = tables | {"creators": creators, "posts": posts}
    assert latest_knowledge(stated, now) == _time("2026-01-30")
    assert latest_knowledge(stated | {"posts": posts.head(0)}, now) == _time("2026-01-15")
    assert latest_knowledge({"creators": creators.head(0), "posts": posts.head(0)}, now) == now


def test_latest_knowledge_does_not_forget_the_profile(tables: Tables) -> None:
    """A profile read some seconds after the posts is still known at the moment that scores are made for."""
    creators = tables["creators"].assign(observed_at=pd.array([_time("2026-01-30 00:00:05")] * 3, dtype=TIME))
    stated = {"creators": creators, "posts": tables["posts"].dropna(subset=["observed_at"])}
    as_of = latest_knowledge(stated, _time("2026-06-01"))
    assert make_histories(stated, as_of, imported_at=_time("2026-06-01")).followers[1:].tolist() == [500, 9]


def test_comments_know_their_post_author_and_creator() -> None:
    tables = check_tables(
        {
            "creators": pd.DataFrame({"creator_id": ["b", "a"], "platform": "tiktok", "followers": [5, 6]}),
            "posts": pd.DataFrame(
                {
                    "creator_id": ["a", "a", "b"],
                    "post_id": ["2", "1", "1"],
                    "published_at": ["2026-01-02", "2026-01-01", "2026-01-03"],
                    "likes": 1,
                    "comments": 1,
                    "caption": ["second", "first", None],
                }
            ),
            "comments": pd.DataFrame(
                {
                    "creator_id": ["b", "a", "a", "a"],
                    "post_id": ["1", "2", "gone", "1"],
                    "author_id": ["a", "fan", "fan", "a"],
                    "published_at": ["2026-01-04", "2026-01-05", "2026-01-03", "2026-01-06"],
                    "text": ["nice", "wow", None, "thanks"],
                }
            ),
        }
    )
    later = pd.Timestamp("2026-02-01T00:00:00Z")
    histories = make_histories(tables, later, imported_at=later)
    assert histories.posts.texts["caption"].tolist()[:2] == ["first", "second"]
    assert histories.comments.offsets.tolist() == [0, 3, 4]
    assert histories.comments.texts["text"].tolist()[1:] == ["wow", "thanks", "nice"]
    np.testing.assert_array_equal(histories.comments["post"], [np.nan, 1, 0, 2])
    assert histories.authors.tolist() == ["a", "fan"]
    np.testing.assert_array_equal(histories.comments["author"], [1, 1, 0, 0])
    np.testing.assert_array_equal(histories.comments["author_creator"], [np.nan, np.nan, 0, 0])

    early = make_histories(tables, pd.Timestamp("2026-01-05T12:00:00Z"), imported_at=later)
    assert early.comments.counts.tolist() == [2, 1]  # written by then, though the posts were not yet imported
    assert np.isnan(early.comments["post"]).all()


@pytest.mark.parametrize("seed", range(5))
def test_comments_of_one_moment_lie_by_post_author_and_id(
    posts_of: Maker, creators_of: Maker, as_of: pd.Timestamp, seed: int
) -> None:
    """One was written before all others, the rest together; a comment without an id keeps to its post and author."""
    rows = [
        ("p0001", "z", "9", "0"),
        ("p0000", "a", "4", "1"),
        ("p0000", "b", "2", "1"),
        ("p0000", "b", "3", "1"),
        ("p0001", "a", None, "1"),
        ("p0002", "a", "1", "1"),
    ]
    comments = pd.DataFrame(rows, columns=["post_id", "author_id", "comment_id", "hour"])
    comments = comments.assign(
        creator_id="c", text=[str(row) for row in range(6)], published_at="2026-02-01T0" + comments["hour"] + ":00:00Z"
    )
    tables = check_tables(
        {
            "creators": creators_of({"c": 1}),
            "posts": posts_of("c", [1, 2]),
            "comments": comments.drop(columns="hour").sample(frac=1, random_state=seed),
        }
    )
    found = make_histories(tables, as_of, imported_at=as_of).comments
    assert found.texts["text"].tolist() == list("012345")
    np.testing.assert_array_equal(found["post"], [1, 0, 0, 0, 1, np.nan])


def test_histories_without_comments_and_audience_have_none(tables: Tables) -> None:
    histories = make_histories(tables, _time("2026-03-01"), imported_at=IMPORTED)
    for events in (histories.comments, histories.audience):
        assert events.offsets.tolist() == [0, 0, 0, 0]
        assert {values.size for values in (*events.columns.values(), *events.texts.values())} == {0}


def test_the_last_count_that_is_known_may_not_be_in_the_last_snapshot(tables: Tables) -> None:
    """Of b the followings of 3 January are known; the creators table knew them later, or earlier."""
    for seen, followings in (("2026-01-04", 7), ("2026-01-02", 5)):
        creators = tables["creators"].assign(following=7, observed_at=pd.array([_time(seen)] * 3, dtype=TIME))
        made = make_histories(check_tables(tables | {"creators": creators}), _time("2026-02-01"), imported_at=IMPORTED)
        assert made.profiles["following"][1] == followings


def test_audience_takes_what_the_accounts_table_adds() -> None:
    tables = check_tables(
        {
            "creators": pd.DataFrame({"creator_id": ["a"], "platform": "tiktok", "followers": [5]}),
            "posts": pd.DataFrame(columns=["creator_id", "post_id", "published_at", "likes", "comments"]),
            "audience": pd.DataFrame(
                {
                    "creator_id": "a",
                    "account_id": ["y", "x", "z"],
                    "relation": ["liker", "follower", None],
                    "followers": [10, None, None],
                }
            ),
            "accounts": pd.DataFrame(
                {
                    "account_id": ["x", "y"],
                    "followers": [7, 8],
                    "following": [70, 80],
                    "posts_count": [1, 2],
                    "has_picture": [True, False],
                }
            ),
        }
    )
    later = pd.Timestamp("2026-02-01T00:00:00Z")
    audience = make_histories(tables, later, imported_at=later).audience
    assert audience.texts["account_id"].tolist() == ["x", "y", "z"]
    np.testing.assert_array_equal(audience["relation"], [0, 1, np.nan])
    np.testing.assert_array_equal(audience["followers"], [7, 10, np.nan])
    np.testing.assert_array_equal(audience["following"], [70, 80, np.nan])
    np.testing.assert_array_equal(audience["has_picture"], [1, 0, np.nan])
    assert make_histories(tables, pd.Timestamp("2026-01-01T00:00:00Z"), imported_at=later).audience.counts.tolist() == [
        0
    ]


def test_a_null_late_in_a_day_does_not_hide_the_count_before_it() -> None:
    tables = check_tables(
        {
            "creators": pd.DataFrame({"creator_id": ["a"], "platform": "tiktok", "followers": [None]}),
            "posts": pd.DataFrame(columns=["creator_id", "post_id", "published_at", "likes", "comments"]),
            "snapshots": pd.DataFrame(
                {
                    "creator_id": "a",
                    "observed_at": ["2026-01-01T08:00:00Z", "2026-01-01T20:00:00Z"],
                    "followers": [100, None],
                    "following": [7, 8],
                }
            ),
        }
    )
    later = pd.Timestamp("2026-02-01T00:00:00Z")
    snapshots = make_histories(tables, later, imported_at=later).snapshots
    assert snapshots["followers"].tolist() == [100]
    assert snapshots["following"].tolist() == [8]


def test_accounts_without_a_time_of_sampling_are_known_now() -> None:
    day, now = pd.Timestamp("2026-01-05T00:00:00Z"), pd.Timestamp("2026-02-01T00:00:00Z")
    tables = check_tables(
        {
            "creators": pd.DataFrame(
                {"creator_id": ["a"], "platform": "tiktok", "followers": [5], "observed_at": [day]}
            ),
            "posts": pd.DataFrame(columns=["creator_id", "post_id", "published_at", "likes", "comments"]),
        }
    )
    assert latest_knowledge(tables, now) == day
    sampled = check_tables({**tables, "audience": pd.DataFrame({"creator_id": ["a"], "account_id": ["x"]})})
    assert latest_knowledge(sampled, now) == now
    assert make_histories(sampled, latest_knowledge(sampled, now), imported_at=now).audience.counts.tolist() == [1]
