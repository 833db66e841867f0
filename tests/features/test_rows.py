from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories import (
    POST_COUNTS,
    PROFILE_COUNTS,
    SNAPSHOT_COUNTS,
    Events,
    Histories,
    latest_knowledge,
    make_histories,
)
from features.rows import Rows, histories_of_rows, latest_knowledge_of
from features.tables import TableError, check_tables

START = datetime(2026, 1, 1, tzinfo=UTC)
IMPORTED = pd.Timestamp("2026-01-20T12:00:00Z")
COLUMNS = {
    "creators": ("creator_id", "platform", "observed_at", *PROFILE_COUNTS),
    "posts": ("post_id", "published_at", "observed_at", *POST_COUNTS, "is_sponsored"),
    "snapshots": ("observed_at", *SNAPSHOT_COUNTS),
}

moments = st.integers(0, 40 * 4).map(lambda quarter: START + timedelta(hours=6 * quarter, microseconds=quarter % 3))
counts = st.none() | st.integers(0, 10**6)
maybe_moments = st.none() | moments
creators = st.fixed_dictionaries(
    {"platform": st.sampled_from(["tiktok", "youtube"]), "observed_at": maybe_moments}
    | dict.fromkeys(PROFILE_COUNTS, counts)
)
delays = st.none() | st.integers(0, 5).map(timedelta) | st.just(timedelta(days=-1))
posts = st.builds(
    lambda row, delay: row | {"observed_at": None if delay is None else row["published_at"] + delay},
    st.fixed_dictionaries(
        {
            "post_id": st.sampled_from([f"p{number}" for number in range(30)]),
            "published_at": moments,
            "is_sponsored": st.sampled_from([None, True, False]),
        }
        | dict.fromkeys(POST_COUNTS, counts)
    ),
    delays,
)
snapshots = st.fixed_dictionaries({"observed_at": moments} | dict.fromkeys(SNAPSHOT_COUNTS, counts))
histories = st.lists(
    st.tuples(creators, st.lists(posts, max_size=8), st.lists(snapshots, max_size=8)), min_size=1, max_size=3
)


def _rows(name, tables):
    rows = [row for table in tables for row in table]
    return Rows([len(table) for table in tables], {column: [row[column] for row in rows] for column in COLUMNS[name]})


def _frame(name, ids, tables):
    rows = [{"creator_id": one, **row} for one, table in zip(ids, tables, strict=True) for row in table]
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys(["creator_id", *COLUMNS[name]])))
    times = [column for column in frame if column.endswith("_at")]
    return frame.assign(**{column: pd.to_datetime(frame[column], utc=True) for column in times})


def _both(drawn, as_of=None):
    """Histories of the same rows by the two ways; None by the second where it is refused."""
    ids = [f"c{number}" for number in range(len(drawn), 0, -1)]
    parts = {
        "creators": [[{"creator_id": one, **creator}] for one, (creator, _, _) in zip(ids, drawn, strict=True)],
        "posts": [posts for _, posts, _ in drawn],
        "snapshots": [snapshots for _, _, snapshots in drawn],
    }
    rows = [_rows(name, tables) for name, tables in parts.items()]
    found = histories_of_rows(*rows, as_of or latest_knowledge_of(*rows, IMPORTED), imported_at=IMPORTED)
    frames = {name: _frame(name, ids, tables) for name, tables in parts.items()}
    try:
        checked = check_tables({name: frame for name, frame in frames.items() if name != "snapshots" or len(frame)})
    except TableError:
        return found, None
    return found, make_histories(checked, as_of or latest_knowledge(checked, IMPORTED), imported_at=IMPORTED)


def _same_events(found: Events, expected: Events) -> None:
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    assert found.columns.keys() == expected.columns.keys()
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def _same(found: Histories, expected: Histories) -> None:
    assert found.as_of == expected.as_of
    for name in ("creator_id", "platform"):
        assert found.creators[name].tolist() == expected.creators[name].tolist()
        assert found.creators[name].dtype == expected.creators[name].dtype
    np.testing.assert_array_equal(found.platforms, expected.platforms)
    for name in PROFILE_COUNTS:
        np.testing.assert_array_equal(found.profiles[name], expected.profiles[name], err_msg=name)
    for name in ("posts", "snapshots", "comments", "audience"):
        _same_events(getattr(found, name), getattr(expected, name))
    assert found.posts.texts["post_id"].tolist() == expected.posts.texts["post_id"].tolist()
    assert found.authors.equals(expected.authors)


@settings(max_examples=150, deadline=None)
@given(histories, st.none() | moments.map(pd.Timestamp))
def test_rows_make_the_histories_of_frames(drawn, as_of):
    found, expected = _both(drawn, as_of)
    if found is not None:  # what it leaves to the frames, it may
        assert expected is not None, "made of rows that break the contract"
        _same(found, expected)


def _post(post_id, day, observed=None, likes=5):
    post = dict.fromkeys(COLUMNS["posts"]) | {"post_id": post_id, "likes": likes}
    return post | {
        "published_at": START + timedelta(days=day),
        "observed_at": None if observed is None else START + timedelta(days=observed),
    }


def _snapshot(hours, followers=100):
    return dict.fromkeys(COLUMNS["snapshots"]) | {
        "observed_at": START + timedelta(hours=hours),
        "followers": followers,
    }


CREATOR = dict.fromkeys(COLUMNS["creators"][1:]) | {"platform": "tiktok", "followers": 100}


@pytest.mark.parametrize(
    ("some_posts", "some_snapshots"),
    [
        ([_post("b", 2, 9), _post("a", 2, 9), _post("c", 1, 9)], []),
        ([_post("a", 1, 2, 5), _post("a", 1, 9, 3), _post("b", 1, 4)], [_snapshot(48), _snapshot(1)]),
        ([_post("a", 1)], [_snapshot(10), _snapshot(40, None)]),
    ],
    ids=["ties", "observed-again", "unsaid"],
)
def test_what_is_common_needs_no_frame(some_posts, some_snapshots):
    found, expected = _both([(CREATOR, some_posts, some_snapshots)])
    assert found is not None
    _same(found, expected)


@pytest.mark.parametrize(
    ("some_posts", "some_snapshots"),
    [
        ([_post("a", 1, 2, 5), _post("a", 1, 2, 6)], []),
        ([_post("a", 3, 2)], []),
        ([], [_snapshot(1), _snapshot(2)]),
    ],
    ids=["said-twice", "observed-before-publication", "two-of-a-day"],
)
def test_what_is_rare_or_wrong_is_left_to_the_frames(some_posts, some_snapshots):
    assert _both([(CREATOR, some_posts, some_snapshots)])[0] is None
