"""Simulated histories in bulk: rows to measure speed and memory with, and good for nothing else.

`training.simulation` makes people; here are only columns of plausible sizes, drawn in one go.
"""

from typing import Literal

import numpy as np
import pandas as pd

from features.tables import PLATFORMS, TEXT, TIME, Tables

BULK_AS_OF = pd.Timestamp("2026-03-01", tz="UTC")
Lengths = Literal["equal", "uneven"]

#: Posts of a creator: equal, or lognormal around a median of 60 between 8 and 2,000.
EQUAL_POSTS, MEDIAN_POSTS, LEAST_POSTS, MOST_POSTS = 100, 60, 8, 2_000
#: Daily snapshots of a creator.
SNAPSHOTS = 180
_DAY = 86_400


def _times(seconds_before: np.ndarray) -> pd.Series:
    ends = BULK_AS_OF.tz_convert(None).to_datetime64().astype("datetime64[s]")
    return pd.Series(ends - seconds_before.astype("timedelta64[s]")).dt.tz_localize("UTC").astype(TIME)


def _counts(values: np.ndarray, missing: np.ndarray | bool = False) -> pd.Series:
    absent = np.broadcast_to(missing, values.shape).copy()
    return pd.Series(pd.arrays.IntegerArray(np.maximum(values, 0).astype(np.int64), absent))


def draw_tables(
    creators: int, seed: int, *, first: int = 0, lengths: Lengths = "uneven", snapshots: int = SNAPSHOTS
) -> Tables:
    """Draw simulated creators, posts and snapshots.

    Parameters
    ----------
    creators : int
        How many.
    seed : int
        With `first`, what the draw depends on.
    first : int
        Number of the first creator: parts of one crowd have ids of their own, in ascending order.
    lengths : {"equal", "uneven"}
        `EQUAL_POSTS` posts each, or lognormal numbers of posts.
    snapshots : int
        Daily snapshots of each creator.

    Returns
    -------
    dict of str to DataFrame
        `creators`, `posts` and `snapshots` as `features.tables.CONTRACT` has them, sorted by creator and time. A
        quarter of the creators shows no views, 2 % of the likes are hidden, and the newest posts are still young.
    """
    rng = np.random.default_rng([seed, first])
    ids = pd.Series([f"bulk_{seed}_{number:09d}" for number in range(first, first + creators)], dtype=TEXT)
    followers = np.floor(10 ** rng.uniform(3.5, 5.5, creators))
    if lengths == "equal":
        posts = np.full(creators, EQUAL_POSTS)
    else:
        posts = np.clip(np.rint(MEDIAN_POSTS * rng.lognormal(0, 1, creators)), LEAST_POSTS, MOST_POSTS).astype(np.int64)
    owner = np.repeat(np.arange(creators), posts)
    number = np.arange(owner.size) - np.repeat(np.cumsum(posts) - posts, posts)
    every = np.repeat(rng.uniform(0.4, 4.0, creators), posts)
    age = ((posts[owner] - 1 - number + rng.random(owner.size) * 0.9) * every * _DAY).astype(np.int64) + 60
    likes = np.floor(followers[owner] * 0.03 * rng.lognormal(0, 0.5, owner.size))
    unseen = np.repeat(rng.random(creators) < 0.25, posts)
    day_owner = np.repeat(np.arange(creators), snapshots)
    day = np.tile(np.arange(snapshots), creators)
    gains = rng.poisson(followers[day_owner] / 400) - rng.poisson(followers[day_owner] / 900)
    level = followers[day_owner] + np.cumsum(gains.reshape(creators, snapshots), axis=1).ravel()
    seen_at = (snapshots - day) * _DAY - rng.integers(0, 3_600, day.size)
    return {
        "creators": pd.DataFrame(
            {
                "creator_id": ids,
                "platform": pd.Series(
                    np.array(PLATFORMS, dtype=object)[np.arange(creators) % len(PLATFORMS)], dtype=TEXT
                ),
                "followers": _counts(level.reshape(creators, snapshots)[:, -1]),
                "posts_count": _counts(posts),
                "observed_at": _times(np.full(creators, 30)),
            }
        ),
        "posts": pd.DataFrame(
            {
                "creator_id": ids.take(owner).reset_index(drop=True),
                "post_id": pd.Series(number).astype(TEXT),
                "published_at": _times(age),
                "likes": _counts(likes, rng.random(owner.size) < 0.02),
                "comments": _counts(rng.poisson(likes * 0.03)),
                "observed_at": _times(np.maximum(age - 30 * _DAY, 30)),
                "views": _counts(likes * rng.lognormal(2.5, 0.3, owner.size), unseen),
                "shares": _counts(rng.poisson(likes * 0.02)),
                "saves": _counts(rng.poisson(likes * 0.04)),
                "is_sponsored": pd.array(rng.random(owner.size) < 0.1, dtype="boolean"),
            }
        ),
        "snapshots": pd.DataFrame(
            {
                "creator_id": ids.take(day_owner).reset_index(drop=True),
                "observed_at": _times(seen_at),
                "followers": _counts(level),
                "following": _counts(
                    300 + np.cumsum(rng.integers(-6, 7, day.size).reshape(creators, snapshots), axis=1).ravel()
                ),
                "total_views": _counts(
                    np.cumsum(rng.poisson(followers[day_owner] / 4).reshape(creators, snapshots), axis=1).ravel()
                ),
            }
        ),
    }


_PRAISE = (
    "đẹp quá|so pretty 😍|love this|xinh ghê|🔥🔥🔥|where did you buy it?|giá bao nhiêu vậy shop|nice|wow|great post!|"
    "mua ở đâu"
)
_TOPICS = (
    "phim|trà sữa|serum|đôi giày|video|bài này|that place|the recipe|your dog|chiếc áo|combo này|your smile|cái túi"
)
_REMARKS = (
    "nhìn là mê|looks amazing|cho mình xin link|made my day|đúng ý mình luôn|I need this|chưa thử bao giờ|worth it?|"
    "10 điểm"
)


def draw_comments(tables: Tables, a_post: float, seed: int) -> Tables:
    """The tables with simulated comments: some `a_post` under each, by regulars of the creator and by passers-by.

    A third of the texts are stock phrases, the others are put together and mostly unique, as measured comments are.
    """
    rng = np.random.default_rng(seed)
    posts = tables["posts"]
    rows = np.repeat(np.arange(len(posts)), rng.poisson(a_post, len(posts)))
    ids = pd.Index(tables["creators"]["creator_id"])
    owner = ids.get_indexer(pd.Index(posts["creator_id"]))[rows]
    regular = rng.random(rows.size) < 0.5
    author = np.where(
        regular, owner * 40 + rng.integers(0, 40, rows.size), len(ids) * 40 + rng.integers(0, 10**8, rows.size)
    )
    delay = pd.to_timedelta(np.rint(rng.lognormal(10, 2, rows.size)).clip(1, 20 * _DAY), unit="s")
    stock, topics, remarks = (np.array(words.split("|"), dtype=object) for words in (_PRAISE, _TOPICS, _REMARKS))
    made = (
        rng.choice(topics, rows.size) + " " + rng.choice(remarks, rows.size) + " " + rng.choice(topics, rows.size) + " "
        + rng.integers(0, 1_000, rows.size).astype("str").astype(object)
    )  # fmt: skip
    text = np.where(rng.random(rows.size) < 1 / 3, rng.choice(stock, rows.size), made)
    published = posts["published_at"].take(rows).reset_index(drop=True) + delay
    comments = pd.DataFrame(
        {
            "creator_id": posts["creator_id"].take(rows).reset_index(drop=True),
            "post_id": posts["post_id"].take(rows).reset_index(drop=True),
            "author_id": "a" + pd.Series(author).astype(TEXT),
            "published_at": published.astype(TIME),
            "text": pd.Series(text, dtype=TEXT),
        }
    )
    return {**tables, "comments": comments[comments["published_at"] <= BULK_AS_OF].reset_index(drop=True)}
