"""Comments counted in partitions: who wrote under whom, how often, how soon; small enough to be put together.

No process can hold the comments of all creators, and nearly everybody writes under one creator only. So comments are
counted in stages, each of which may run elsewhere:

1. `sketch_comments` counts the comments of one partition of creators.
2. `shard_sketch` splits a sketch by ranges of authors, `merge_sketches` puts the shards of one range together, and
   `keep_shared` drops whoever wrote under one creator only.
3. `features.coordination.make_crowd` puts together what is left.

All counts are integers, and rows are in the order of keys: how creators were dealt to partitions changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from features.histories import Histories
from features.tables import TEXT
from features.texts import text_hashes

#: Days after a post within which pods comment: one hour (rules of public pods).
EARLY_SECONDS = 3_600
#: Authors under more creators than this are left out of what is shared, and of what is shared early those who are early
#: under more: pairs grow with the square of this number. Late comments elsewhere hide nobody from the early signals.
MOST_CREATORS = 256
#: Bins of one sitting, a day.
SITTINGS_A_DAY = 144
#: Letters and digits of a text that two people hardly write by chance, and texts that are read at once.
LONG_TEXT = 20
TEXTS_AT_ONCE = 100_000


@dataclass(frozen=True)
class CommentSketch:
    """Counts of the comments of some creators, without those that creators wrote under their own posts.

    Ids of authors, creators and texts are keys: 64-bit hashes. A visit is an author under a post, not each comment.

    Attributes
    ----------
    creators : DataFrame
        creator_id, its `key`, `own` (comments under own posts, which no other count holds), and the totals `comments`,
        `commenters`, `visits`, `early` (visits in the first hour), `early_commenters`, `long_texts` (comments of at
        least `LONG_TEXT` letters); one row a creator, by key.
    edges : DataFrame
        One row an author and creator: keys `author` and `creator`, `comments`, `visits`, `early`; by author, creator.
    sittings : DataFrame
        One row an author, creator and ten minutes: keys `author` and `creator`, `bin`, `comments`.
    texts : DataFrame
        One row a long text and creator: keys `text` and `creator`, `comments`.
    """

    creators: pd.DataFrame
    edges: pd.DataFrame
    sittings: pd.DataFrame
    texts: pd.DataFrame


@dataclass(frozen=True)
class Visits:
    """Authors under posts.

    Attributes
    ----------
    rows : ndarray of int64, shape (visits,)
        The author's first comment under the post: its row in `histories.comments`.
    early : ndarray of bool, shape (visits,)
        Whether it came within `EARLY_SECONDS` of the post.
    """

    rows: np.ndarray
    early: np.ndarray


def keys_of(ids: pd.Index | pd.Series) -> np.ndarray:
    """64-bit keys of ids, the same in every process, uint64 of the shape of `ids`."""
    return pd.util.hash_array(ids.to_numpy(dtype=object), categorize=False)


def by_others(histories: Histories) -> np.ndarray:
    """Rows of the comments that somebody else than the post's owner wrote."""
    comments = histories.comments
    return np.flatnonzero(comments["author_creator"] != comments.owners)


def first_visits(histories: Histories, rows: np.ndarray) -> Visits:
    """First comment of each author under each known post, in the order of authors and posts."""
    comments, posts = histories.comments, histories.posts
    rows = rows[~np.isnan(comments["post"][rows])]
    post = comments["post"][rows].astype(np.int64)
    key = comments["author"][rows].astype(np.int64) * max(posts["published_at"].size, 1) + post
    _, first = np.unique(key, return_index=True)  # rows are in the order of time
    rows, post = rows[first], post[first]
    # whole seconds: an hour in days of 2026 is now a little more, now a little less than 1 / 24
    delay = np.rint((comments["published_at"][rows] - posts["published_at"][post]) * 86_400)
    return Visits(rows, (delay >= 0) & (delay <= EARLY_SECONDS))


def _count(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Sums of the other columns by `keys`, in the order of the keys."""
    return frame.groupby(list(keys), sort=True, as_index=False).sum()


def text_keys(texts: pd.Series) -> np.ndarray:
    """Keys of long texts, 0 for others."""
    starts = range(0, len(texts), TEXTS_AT_ONCE)
    parts = [text_hashes(texts.iloc[start : start + TEXTS_AT_ONCE], LONG_TEXT) for start in starts]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def sketch_comments(histories: Histories) -> CommentSketch:
    """Count the comments of one partition of creators.

    Parameters
    ----------
    histories : Histories
        All comments of each of its creators: a creator stands in one partition only.
    """
    comments, owners = histories.comments, histories.comments.owners
    ids = histories.creators["creator_id"]
    creator_keys, author_keys = keys_of(ids), keys_of(histories.authors)
    rows = by_others(histories)
    visits = first_visits(histories, rows)
    authors = author_keys[comments["author"].astype(np.int64)]

    def part(where: np.ndarray, **counts: np.ndarray | int) -> pd.DataFrame:
        return pd.DataFrame({"author": authors[where], "creator": creator_keys[owners[where]], **counts})

    edges = _count(
        pd.concat(
            [
                part(rows, comments=1, visits=0, early=0),
                part(visits.rows, comments=0, visits=1, early=visits.early.astype(np.int64)),
            ]
        ),
        ("author", "creator"),
    )
    bins = np.floor(comments["published_at"] * SITTINGS_A_DAY).astype(np.int64)
    hashes = text_keys(comments.texts["text"].iloc[rows])
    long = rows[hashes > 0]
    texts = pd.DataFrame({"text": hashes[hashes > 0], "creator": creator_keys[owners[long]], "comments": 1})
    position = pd.Index(creator_keys).get_indexer(pd.Index(edges["creator"]))

    def total(values: np.ndarray | pd.Series) -> np.ndarray:
        return np.bincount(position, values, len(ids)).astype(np.int64)

    creators = pd.DataFrame(
        {
            "creator_id": ids.astype(TEXT),
            "key": creator_keys,
            "own": np.bincount(np.delete(owners, rows), minlength=len(ids)).astype(np.int64),
            "comments": total(edges["comments"]),
            "commenters": total(np.ones(len(edges))),
            "visits": total(edges["visits"]),
            "early": total(edges["early"]),
            "early_commenters": total(edges["early"] > 0),
            "long_texts": np.bincount(owners[long], minlength=len(ids)),
        }
    )
    return CommentSketch(
        creators=creators.sort_values("key", ignore_index=True),
        edges=edges,
        sittings=_count(part(rows, bin=bins[rows], comments=1), ("author", "bin", "creator")),
        texts=_count(texts, ("text", "creator")),
    )


def shard_sketch(sketch: CommentSketch, shards: int) -> list[CommentSketch]:
    """Split a sketch into ranges of author and text keys; every shard knows all creators of the sketch."""
    width = np.uint64(-(-(2**64) // shards) if shards > 1 else 2**64 - 1)

    def of(frame: pd.DataFrame, key: str, shard: int) -> pd.DataFrame:
        return frame[np.minimum(frame[key].to_numpy() // width, shards - 1) == shard]

    return [
        CommentSketch(
            sketch.creators,
            of(sketch.edges, "author", n),
            of(sketch.sittings, "author", n),
            of(sketch.texts, "text", n),
        )
        for n in range(shards)
    ]


def merge_sketches(sketches: Iterable[CommentSketch]) -> CommentSketch:
    """Put sketches of other creators, or of other shards, together.

    Raises
    ------
    ValueError
        If a creator's comments were counted in two partitions.
    """
    every = list(sketches)
    merged = {field.name: pd.concat([getattr(s, field.name) for s in every]) for field in fields(CommentSketch)}
    creators = merged["creators"].drop_duplicates().sort_values("key", ignore_index=True)
    again = merged["edges"].loc[merged["edges"].duplicated(["author", "creator"]), "creator"]
    twice = creators.loc[creators["key"].duplicated() | creators["key"].isin(again), "creator_id"]
    if not twice.empty:
        named = ", ".join(sorted(set(twice))[:5])
        raise ValueError(f"creators counted in two partitions, expected in one: {named}")
    return CommentSketch(
        creators,
        *(
            merged[name].sort_values(by, ignore_index=True)
            for name, by in (
                ("edges", ["author", "creator"]),
                ("sittings", ["author", "bin", "creator"]),
                ("texts", ["text", "creator"]),
            )
        ),
    )


def degrees(edges: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Creators under whom the author of each edge wrote, and under whom within the first hour; shape (edges,) each."""
    author = pd.factorize(edges["author"])[0]
    early = np.bincount(author, edges["early"].to_numpy() > 0)
    return np.bincount(author)[author], early[author].astype(np.int64)


def is_shared(degree: np.ndarray) -> np.ndarray:
    """Whether this many creators are several, and few enough to look at each pair of them."""
    return (degree >= 2) & (degree <= MOST_CREATORS)


def keep_shared(sketch: CommentSketch) -> CommentSketch:
    """Drop authors, sittings and texts of a single creator, and those of more than `MOST_CREATORS`.

    Authors under more stay where they came within the first hour under 2 to `MOST_CREATORS`. Authors who are creators
    themselves stay: they may be answered. The sketch has to hold all that there is of its authors: merge the shards of
    one range over all partitions first.
    """

    def several(frame: pd.DataFrame, by: list[str]) -> np.ndarray:
        return is_shared(frame.groupby(by)["creator"].transform("size").to_numpy())

    known = sketch.edges["author"].isin(sketch.creators["key"]).to_numpy()
    degree, early = degrees(sketch.edges)
    return CommentSketch(
        sketch.creators,
        sketch.edges[is_shared(degree) | is_shared(early) | known],
        sketch.sittings[several(sketch.sittings, ["author", "bin"])],
        sketch.texts[several(sketch.texts, ["text"])],
    )
