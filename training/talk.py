"""Honest comments under simulated posts: who writes, when and what, for creators whose comments were collected.

Shapes are set near those of 362,187 comments of Instagram creators (Kim et al. 2020, as collected in 2019): the median
creator has 10 % emoji only, 16 % stock phrases, 95 % of the authors once, a median delay of 8 hours (quartiles 3 and
17) and 17 % within the first hour. Texts are written by the grammars of `training.comment_sets`, whose stock phrases
honest people and bots share.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from features.histories import days_since_epoch
from features.tables import TEXT, TIME
from features.texts import read_texts
from features.wording import words_in
from training.comment_sets import simulate_comments
from training.deliveries import floats

#: Part of the creators whose comments were collected, posts of each at most, and comments of a post at most (assumed).
COLLECTED, MOST_POSTS, MOST_COMMENTS = 0.4, 12, 30
#: Texts that the grammars write once for a whole world, from which comments are drawn.
POOL = 30_000
_POOL_SEED = 20260301
_EMOJI = ("❤️", "😍", "🔥", "👏", "😂", "🙌", "💯", "😊", "🥰", "💕", "😭", "✨")
#: Mean and concentration of each creator's beta distributions: emoji only, stock phrases, returning authors, owner.
_EMOJI_ONLY, _STOCK, _RETURNING, _OWNER = (0.11, 9.0), (0.28, 6.0), (0.22, 5.0), (0.06, 1.5)
#: The same for readers of many creators of a niche; how many of them there are in a lot; and the part of comments that
#: other creators write. In the real set half of the creators share commenters 1.5 times as often as chance has it.
_SHARED, READERS_OF_A_NICHE, FELLOWS = (0.10, 6.0), 400, 0.01
#: The same for questions and for comments that name a link, a sale or another channel.
_ASKING, _PROMOTING = (0.06, 12.0), (0.006, 4.0)
#: Letters of a text that two people would not both write.
_LONG = 16
#: Median and log sd of the delay of a comment in hours, and of the medians of creators.
_HOURS, _HOURS_SD, _HOURS_SD_OF_CREATORS = 7.5, 2.0, 1.1
#: Share of comments that nobody likes: beta of creators; the liked have a geometric number of likes.
_UNLIKED = (0.62, 2.5)


@lru_cache(maxsize=1)
def _pools() -> dict[tuple[str, str], np.ndarray]:
    """Honest texts by language and what they are: "stock" phrases, "question", "promotion", or "talk"."""
    written = simulate_comments(POOL, _POOL_SEED)
    honest = ~written.inauthentic
    groups = pd.Series(written.groups[honest]).str.split("/", expand=True)
    texts = written.comments["text"][honest].reset_index(drop=True)
    read = read_texts(texts)
    promoting = read.link | (words_in(read, "promotion") > 0)
    asking = read.question | (words_in(read, "question") > 0)
    kind = np.where(
        promoting, "promotion", np.where(groups[1] == "filler", "stock", np.where(asking, "question", "talk"))
    )
    return {
        (language, name): _distinct(texts[((groups[0] == language) & (kind == name)).to_numpy()].to_numpy(dtype=object))
        for language in groups[0].unique()
        for name in ("stock", "question", "promotion", "talk")
    }


def _distinct(texts: np.ndarray) -> np.ndarray:
    return np.array(sorted(set(texts.tolist())), dtype=object)


def _beta(rng: np.random.Generator, mean_and_size: tuple[float, float], size: int) -> np.ndarray:
    mean, concentration = mean_and_size
    return rng.beta(mean * concentration, (1 - mean) * concentration, size)


def draw_talk(posts: pd.DataFrame, creators: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw honest comments.

    Parameters
    ----------
    posts, creators : DataFrame
        The tables of some simulated creators, with observation times.
    rng : Generator

    Returns
    -------
    DataFrame
        In the columns of the `comments` table; of `COLLECTED` of the creators, fewer under a post than it counts, none
        before its post or after the post was seen.
    """
    ids = pd.Index(creators["creator_id"])
    chosen = rng.random(len(ids)) < COLLECTED
    last = posts.sort_values("observed_at", kind="stable").drop_duplicates("post_id", keep="last")
    last = last[chosen[ids.get_indexer(pd.Index(last["creator_id"]))]]
    last = last.sort_values(["creator_id", "published_at", "post_id"], kind="stable")
    last = last.groupby("creator_id", sort=False).tail(MOST_POSTS).reset_index(drop=True)
    counts = np.nan_to_num(floats(last, "comments")).astype(np.int64)
    sampled = np.minimum(rng.binomial(counts, rng.uniform(0.3, 1.0, len(last))), MOST_COMMENTS)
    row = np.repeat(np.arange(len(last)), sampled)
    owner = ids.get_indexer(pd.Index(last["creator_id"]))[row]
    published = days_since_epoch(last["published_at"])
    room = np.maximum(days_since_epoch(last["observed_at"]) - published, 0)[row]
    middle = np.log(_HOURS) + _HOURS_SD_OF_CREATORS * rng.standard_normal(len(ids))
    delay = np.exp(middle[owner] + _HOURS_SD * rng.standard_normal(row.size)) / 24
    # who would have come after the post was seen came before, at a time that is as likely as any
    delay = np.where(delay < room, delay, room * rng.random(row.size))
    later = pd.Series(pd.to_timedelta(np.floor(delay * 86_400), unit="s"))
    likes = np.where(rng.random(row.size) < _beta(rng, _UNLIKED, len(ids))[owner], 0, rng.geometric(0.35, row.size))
    return pd.DataFrame(
        {
            "creator_id": last["creator_id"].to_numpy()[row],
            "post_id": last["post_id"].to_numpy()[row],
            "comment_id": pd.Series([f"k_{value:015x}" for value in rng.integers(2**60, size=row.size)], dtype=TEXT),
            "author_id": pd.Series(_authors(creators, owner, rng), dtype=TEXT),
            "published_at": (last["published_at"].iloc[row].reset_index(drop=True) + later).astype(TIME),
            "text": pd.Series(_texts(creators["language"].to_numpy(dtype=object), owner, rng), dtype=TEXT),
            "likes": pd.array(likes, dtype="Int64"),
        }
    ).astype({"creator_id": TEXT, "post_id": TEXT})


def _authors(creators: pd.DataFrame, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Most write once; some return, a few of them often; some read many of a niche; creators write, and answer."""
    ids = creators["creator_id"].to_numpy(dtype=object)
    niche = pd.factorize(creators["niche"])[0][owner]
    size = owner.size
    names = np.array([f"u_{value:012x}" for value in rng.integers(2**48, size=size)], dtype=object)

    def put(rows: np.ndarray, given: list[str]) -> None:
        names[rows] = given

    # the rank of a reader is heavy-tailed: a few write much
    returning = np.flatnonzero(rng.random(size) < _beta(rng, _RETURNING, ids.size)[owner])
    rank = _heavy_tailed(rng, 40, returning.size)
    put(returning, [f"u_{ids[one]}_{number}" for one, number in zip(owner[returning], rank, strict=True)])
    shared = np.flatnonzero(rng.random(size) < _beta(rng, _SHARED, ids.size)[owner])
    rank = _heavy_tailed(rng, READERS_OF_A_NICHE, shared.size)
    lot = ids[0] if ids.size else ""
    put(shared, [f"u_{lot}_n{of}_{number}" for of, number in zip(niche[shared], rank, strict=True)])
    fellows = np.flatnonzero(rng.random(size) < FELLOWS)
    put(fellows, ids[rng.integers(0, max(ids.size, 1), fellows.size)].tolist())
    answers = np.flatnonzero(rng.random(size) < _beta(rng, _OWNER, ids.size)[owner])
    put(answers, ids[owner[answers]].tolist())
    return names


def _heavy_tailed(rng: np.random.Generator, most: int, size: int) -> list[int]:
    """Ranks from 1 to `most`, the logarithm uniform."""
    ranks: list[int] = np.floor(np.exp(rng.random(size) * np.log(most))).astype(np.int64).tolist()
    return ranks


def _texts(languages: np.ndarray, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    creators, size = languages.size, owner.size
    pools = _pools()
    spoken = languages[owner]
    known = np.isin(spoken.astype(str), sorted({language for language, _ in pools}))
    spoken = np.where(known & (rng.random(size) < 0.9), spoken, "en")
    bounds = np.cumsum([_beta(rng, habit, creators) for habit in (_STOCK, _ASKING, _PROMOTING)], axis=0)[:, owner]
    kind = np.array(["stock", "question", "promotion", "talk"])[(rng.random(size) >= bounds).sum(axis=0)]
    texts = np.empty(size, dtype=object)
    for (language, name), pool in pools.items():
        rows = np.flatnonzero((spoken == language) & (kind == name))
        texts[rows] = rng.choice(pool if pool.size else pools[language, "talk"], rows.size)
        if name == "talk":
            # a grammar repeats itself where people do not
            longer = rows[
                (rng.random(rows.size) < 0.4) | (np.array([len(text) for text in texts[rows]], dtype=np.int64) > _LONG)
            ]
            texts[longer] = [
                f"{first} {second}" for first, second in zip(texts[longer], rng.choice(pool, longer.size), strict=True)
            ]
    alone = np.flatnonzero(rng.random(size) < _beta(rng, _EMOJI_ONLY, creators)[owner])
    times = rng.integers(1, 5, alone.size)
    signs = rng.choice(_EMOJI, alone.size)
    texts[alone] = [str(sign) * count for sign, count in zip(signs, times.tolist(), strict=True)]
    return texts
