"""Comments of engagement pods and, to tell them from, of fan communities, for any tables.

A pod is a group of creators who agreed to comment on each other's posts soon after they appear (20 to 200 members,
within the first hour: rules of public pods). A fan community is a group of similar creators who share honest readers:
these comment when they happen to read, not under everything, and nobody answers for anybody.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.tables import TEXT, TIME

#: A member comments on a part of the others' posts drawn from this range.
POD_RATES = (0.6, 1.0)
#: Seconds after a post within which a pod comments.
POD_SECONDS = 3600.0
#: Creators of the community that a fan reads: from, to.
FAN_READS = (2, 6)
#: Characters of the texts that are drawn: what many people write anyway.
SHORT_TEXT = 12
#: Part of the posts of these creators that a fan comments on.
FAN_RATE = 0.7


def _posts_of(posts: pd.DataFrame, members: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Posts of the members in a fixed order, and the position of the member who published each."""
    own = posts.loc[posts["creator_id"].isin(members), ["creator_id", "post_id", "published_at"]]
    own = own.drop_duplicates(["creator_id", "post_id"]).sort_values(["creator_id", "published_at", "post_id"])
    return own.reset_index(drop=True), pd.Index(members).get_indexer(pd.Index(own["creator_id"]))


def _comments(
    under: pd.DataFrame, authors: np.ndarray, seconds: np.ndarray, texts: pd.Series, rng: np.random.Generator
) -> pd.DataFrame:
    later = pd.Series(pd.to_timedelta(np.floor(seconds), unit="s"))
    words = texts[texts.str.len() <= SHORT_TEXT].to_numpy(dtype=object)
    return pd.DataFrame(
        {
            "creator_id": under["creator_id"].to_numpy(),
            "post_id": under["post_id"].to_numpy(),
            "comment_id": pd.Series([f"k_{value:015x}" for value in rng.integers(2**60, size=len(under))], dtype=TEXT),
            "author_id": pd.Series(authors, dtype=TEXT),
            "published_at": (under["published_at"].reset_index(drop=True) + later).astype(TIME),
            "text": pd.Series(rng.choice(words, len(under)) if words.size else None, dtype=TEXT),
        }
    )


def pseudonym(kind: str, number: int, seed: int) -> str:
    """An id for an account that is nobody in the creators table: the same for the same arguments."""
    return "u_" + hashlib.blake2s(f"{kind}/{seed}/{number}".encode(), digest_size=6).hexdigest()


def pod_comments(
    posts: pd.DataFrame, members: Sequence[str], texts: pd.Series, rng: np.random.Generator, *, hidden: bool = False
) -> pd.DataFrame:
    """Comments of a pod: each member writes under 60 to 100 % of the others' posts within the first hour.

    Parameters
    ----------
    posts : DataFrame
        The `posts` table.
    members : sequence of str
        Their creator_ids.
    texts : Series of str
        Texts to draw from: of the comments that are there already, so that only who and when tell a pod.
    hidden : bool
        Whether the members comment under ids that are not in the creators table, as pseudonymised exports have them.

    Returns
    -------
    DataFrame
        In the columns of the `comments` table.
    """
    own, publisher = _posts_of(posts, members)
    names = np.array(
        [pseudonym("pod", n, int(rng.integers(2**32))) if hidden else members[n] for n in range(len(members))]
    )
    rows, writers = [], []
    for writer, rate in enumerate(rng.uniform(*POD_RATES, len(members))):
        others = np.flatnonzero(publisher != writer)
        chosen = rng.choice(others, int(np.ceil(rate * others.size)), replace=False)
        rows.append(np.sort(chosen))
        writers.append(np.full(chosen.size, writer))
    row = np.concatenate(rows)
    seconds = rng.uniform(30.0, POD_SECONDS - 1, row.size)
    return _comments(own.iloc[row], names[np.concatenate(writers)], seconds, texts, rng)


def fan_comments(
    posts: pd.DataFrame,
    comments: pd.DataFrame,
    members: Sequence[str],
    rng: np.random.Generator,
    *,
    fans_per_creator: int = 20,
) -> pd.DataFrame:
    """Comments of a fan community: many readers, each of a few of the creators, at the times that comments have.

    Parameters
    ----------
    posts, comments : DataFrame
        The tables: texts and the time from a post to a comment are drawn from all comments by others than the owner.
    members : sequence of str
        The creator_ids of the community.
    fans_per_creator : int
        How many of the fans read each creator, on average.

    Returns
    -------
    DataFrame
        In the columns of the `comments` table.
    """
    own, publisher = _posts_of(posts, members)
    reads = rng.integers(FAN_READS[0], min(FAN_READS[1], len(members)) + 1, fans_per_creator * len(members))
    reads = reads[: int(np.searchsorted(np.cumsum(reads), fans_per_creator * len(members))) + 1]
    order = np.argsort(rng.random((reads.size, len(members))), axis=1)
    follows = np.argsort(order, axis=1) < reads[:, None]
    fan, row = np.nonzero(follows[:, publisher] & (rng.random((reads.size, len(own))) < FAN_RATE))
    honest = comments.loc[comments["author_id"] != comments["creator_id"], ["creator_id", "post_id", "published_at"]]
    timed = honest.merge(posts[["creator_id", "post_id", "published_at"]], on=["creator_id", "post_id"])
    delays = (timed["published_at_x"] - timed["published_at_y"]).dt.total_seconds().to_numpy()
    seconds = rng.choice(delays[delays >= 0], row.size)
    seed = int(rng.integers(2**32))
    names = np.array([pseudonym("fan", number, seed) for number in range(reads.size)])
    return _comments(own.iloc[row], names[fan], seconds, comments["text"], rng)
