"""What an analyst looks at to check a score: a creator's own days, posts, comments and commenters.

Everything is computed by `features` from what was known when the creator was scored; which rows are marked comes from
the evidence of its row in the catalogue, and nothing here judges anew.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.comments import comments_pointers
from features.content import caption_lexicon, check_disclosure
from features.coordination import coordination_pointers
from features.histories import Histories
from features.lexicons import lower_text, text_array
from features.mentions import mentions_of_posts
from serving.catalogue import Catalogue, Filters
from serving.histories import NoHistoryError, Shelf, history_of
from serving.reports import items_of
from serving.shown import records
from serving.words import N_, Words
from training.authenticity import AuthenticityModel

#: The signal that likes and comments are compared by.
COMMENTS_PER_LIKE = "comments_per_like_median_30p"
#: What stands out about a comment: the pointer of `features.comments` or `features.coordination` that says it, how much
#: it weighs when samples are chosen, and in words. Weights are the project's own: what many honest comments share
#: weighs little.
ODDITIES: Mapping[str, tuple[float, str]] = {
    "near_copy": (2.0, N_("nearly the same words as others: {count} alike")),
    "copy": (2.0, N_("word for word as somebody else")),
    "again": (2.0, N_("its author wrote the same before")),
    "returning": (2.0, N_("its author is of a group that comes first under most posts")),
    "promotion": (1.5, N_("points to a sale, a link or another channel")),
    "burst": (1.0, N_("less than a minute after its author's last one")),
    "generic": (1.0, N_("a stock phrase")),
    "emoji_only": (1.0, N_("emoji only")),
    "foreign": (1.0, N_("another language than the creator's")),
    "frequent_author": (0.5, N_("its author wrote {count} comments")),
    "early": (0.25, N_("within the first hour")),
    "rapid": (0.25, N_("within 10 seconds of the one before")),
}
#: The same as it follows the number of comments about which it is so.
TALLY_WORDS: Mapping[str, str] = {
    "near_copy": N_("with nearly the same words as others"),
    "copy": N_("word for word as somebody else's"),
    "again": N_("that their author wrote before"),
    "returning": N_("by a group that comes first under most posts"),
    "promotion": N_("that point to a sale, a link or another channel"),
    "burst": N_("less than a minute after their author's last one"),
    "generic": N_("stock phrases"),
    "emoji_only": N_("of emoji only"),
    "foreign": N_("in another language than the creator's"),
    "frequent_author": N_("by authors of five and more"),
    "early": N_("within the first hour"),
    "rapid": N_("within 10 seconds of the one before"),
}
#: How often an author has written to be called frequent: fewer say nothing about anyone.
_FREQUENT = 5
#: What the evidence of the score points at comes before whatever else stands out.
_POINTED_AT = 100.0
#: Comments that are shown: those that stand out most, and some about which nothing does.
_ODD, _ORDINARY = 10, 4
#: Samples with the same beginning, or by the same author.
_ALIKE, _BEGINNING = 2, 40
#: Commenters and meetings in the graph: more cannot be told apart by eye.
_NODES, _EDGES, _LEAST_MET = 24, 90, 2
#: Posts that look sponsored in the table, newest first.
_SPONSORED = 10
#: Bars of a histogram over [0, 1].
BARS = 20
#: Creators whose evidence is kept: a page and its charts ask for the same. 500 posts and 5,000 comments take 5 MB.
_KEPT = 32


@dataclass(frozen=True)
class Followers:
    """Follower counts by day.

    Attributes
    ----------
    days : ndarray of datetime64[us], shape (days,)
    counts : ndarray of float64, shape (days,)
    marked : ndarray of bool, shape (days,)
        Days that the evidence points at.
    """

    days: np.ndarray
    counts: np.ndarray
    marked: np.ndarray


@dataclass(frozen=True)
class Sample:
    """A comment that is shown.

    Attributes
    ----------
    text, author : str
        The author as a shortened pseudonym.
    at : Timestamp
    oddities : tuple of (str, int)
        Keys of `ODDITIES` with the count that their words name.
    pointed_at : bool
        Whether the evidence of the score points at it.
    """

    text: str
    author: str
    at: pd.Timestamp
    oddities: tuple[tuple[str, int], ...]
    pointed_at: bool


@dataclass(frozen=True)
class Overlap:
    """Who of the most frequent commenters comments together.

    Attributes
    ----------
    names : list of str
        Shortened pseudonyms.
    posts : ndarray of int64, shape (authors,)
        Posts that each commented on.
    x, y : ndarray of float64, shape (authors,)
        Where they are drawn, in [0, 1].
    edges : DataFrame
        `a`, `b` (positions) and `posts` that both commented on, `_LEAST_MET` or more.
    commented : int
        Posts with comments.
    """

    names: list[str]
    posts: np.ndarray
    x: np.ndarray
    y: np.ndarray
    edges: pd.DataFrame
    commented: int


def short_name(pseudonym: str) -> str:
    """A pseudonym as it is shown: enough to tell authors of one page apart."""
    return pseudonym if len(pseudonym) <= 8 else f"{pseudonym[:4]}…{pseudonym[-3:]}"


def _moments(days: np.ndarray) -> np.ndarray:
    """Times from days since 1970-01-01 UTC, rounded to seconds: days are floats."""
    return np.rint(days * 86_400).astype("int64").astype("datetime64[s]").astype("datetime64[us]")


def pointed_at(row: Mapping[str, Any], events: str, head: str | None = None) -> list[dict[str, Any]]:
    """Rows of a history that the evidence of a row of the catalogue points at, with their `id` and `at`.

    Where taking rows away does not clear a flag, these rows are not what it stands on, and they are left out.
    """
    items = [*items_of(row["evidence"]), *(item for item in items_of(row["checked"]) if item["suffices"])]
    rows = [one for item in items if head in (None, item["head"]) for one in item.get("rows", [])]
    return [one for one in rows if one["events"] == events]


@dataclass(frozen=True)
class Evidence:
    """A creator's history with what its score points at.

    Attributes
    ----------
    histories : Histories
        Of this creator alone, at the `as_of` of its scores.
    row : mapping
        Its row of the catalogue.
    """

    histories: Histories
    row: Mapping[str, Any]

    @cached_property
    def followers(self) -> Followers:
        """Follower counts by day, with the days that the evidence for bought followers points at."""
        days = self.histories.snapshots
        known = ~np.isnan(days["followers"])
        at = _moments(days["observed_at"][known])
        named = [one["at"] for one in pointed_at(self.row, "days", "bought_followers") if one["at"]]
        moments = pd.to_datetime(named, utc=True, format="ISO8601").floor("D").tz_localize(None)
        marked = np.isin(at.astype("datetime64[D]"), moments.to_numpy().astype("datetime64[D]"))
        return Followers(at, days["followers"][known], marked)

    @cached_property
    def posts(self) -> pd.DataFrame:
        """Posts in the order of time: post_id, at, kind, caption, likes, comments, views, engagement, marked.

        `engagement` is likes + comments, NaN where one is not known; `marked` are posts that the evidence points at.
        """
        posts = self.histories.posts
        ids = {one["id"] for one in pointed_at(self.row, "posts")}
        frame = pd.DataFrame({name: posts.texts[name].to_numpy() for name in ("post_id", "kind", "caption")})
        return frame.assign(
            at=_moments(posts["published_at"]),
            **{name: posts[name] for name in ("likes", "comments", "views")},
            engagement=posts["likes"] + posts["comments"],
            marked=frame["post_id"].isin(ids),
        )

    @cached_property
    def _comment_flags(self) -> dict[str, np.ndarray]:
        """Salience of every comment by the keys of `ODDITIES`, NaN where it is not so."""
        if not self.histories.comments.counts.any():
            return {}
        found = comments_pointers(self.histories) | {
            "returning": coordination_pointers(self.histories)["returning"],
        }
        often = found["frequent_author"]
        found["frequent_author"] = np.where(often >= _FREQUENT, often, np.nan)
        return {name: found[name] for name in ODDITIES}

    @cached_property
    def comment_counts(self) -> dict[str, int]:
        """How many comments stand out in which way, by the keys of `ODDITIES`; those that none does are left out."""
        counts = {name: int(np.count_nonzero(~np.isnan(flag))) for name, flag in self._comment_flags.items()}
        return {name: count for name, count in counts.items() if count}

    @cached_property
    def samples(self) -> list[Sample]:
        """Comments that stand out most, then some about which nothing does."""
        comments, flags = self.histories.comments, self._comment_flags
        if not flags:
            return []
        ids = {one["id"] for one in pointed_at(self.row, "comments") if one["id"]}
        named = comments.texts["comment_id"].isin(ids).to_numpy(dtype=bool)
        own = comments["author_creator"] == 0
        weight = sum(ODDITIES[name][0] * ~np.isnan(flag) for name, flag in flags.items()) + _POINTED_AT * named
        texts = comments.texts["text"].fillna("").to_numpy(dtype=object)
        candidates = np.flatnonzero((weight > 0) & ~own)
        chosen: list[int] = []
        seen: dict[object, int] = {}
        for place in candidates[np.lexsort((candidates, -weight[candidates]))]:
            keys = (str(texts[place])[:_BEGINNING].casefold(), int(comments["author"][place]))
            if max(seen.get(key, 0) for key in keys) < _ALIKE:
                chosen.append(int(place))
                seen |= {key: seen.get(key, 0) + 1 for key in keys}
            if len(chosen) == _ODD:
                break
        plain = np.flatnonzero((weight == 0) & ~own & (texts != ""))
        ordinary = plain[np.unique(np.linspace(0, plain.size - 1, min(_ORDINARY, plain.size)).astype(np.int64))]
        return [self._sample(place, str(texts[place]), bool(named[place])) for place in [*chosen, *ordinary.tolist()]]

    def _sample(self, place: int, text: str, named: bool) -> Sample:
        comments = self.histories.comments
        odd = {name: int(flag[place]) for name, flag in self._comment_flags.items() if not np.isnan(flag[place])}
        if "near_copy" in odd:  # which says more
            odd.pop("copy", None)
        author = str(self.histories.authors[int(comments["author"][place])])
        at = pd.Timestamp(_moments(comments["published_at"][place : place + 1])[0], tz="UTC")
        return Sample(text, short_name(author), at, tuple(odd.items()), named)

    @cached_property
    def overlap(self) -> Overlap | None:
        """Who comments together; None where no two commenters met under `_LEAST_MET` posts."""
        comments = self.histories.comments
        rows = np.flatnonzero(~np.isnan(comments["post"]) & (comments["author_creator"] != 0))
        if not rows.size:
            return None
        pairs = np.unique(np.column_stack([comments["author"][rows], comments["post"][rows]]).astype(np.int64), axis=0)
        visits = np.bincount(pairs[:, 0])
        authors = np.flatnonzero(visits >= _LEAST_MET)
        authors = authors[np.lexsort((authors, -visits[authors]))][:_NODES]
        posts, column = np.unique(pairs[:, 1], return_inverse=True)
        place = np.full(visits.size, -1)
        place[authors] = np.arange(authors.size)
        there = place[pairs[:, 0]] >= 0
        matrix = np.zeros((authors.size, posts.size), dtype=np.int64)
        matrix[place[pairs[there, 0]], column[there]] = 1
        met = np.triu(matrix @ matrix.T, 1)
        a, b = np.nonzero(met >= _LEAST_MET)
        if not a.size:
            return None
        strongest = np.lexsort((b, a, -met[a, b]))[:_EDGES]
        a, b = a[strongest], b[strongest]
        edges = pd.DataFrame({"a": a, "b": b, "posts": met[a, b]})
        x, y = _layout(authors.size, edges)
        names = [short_name(str(self.histories.authors[int(author)])) for author in authors]
        return Overlap(names, visits[authors], x, y, edges, int(posts.size))

    @cached_property
    def tone(self) -> dict[str, int]:
        """Captions with an opinion: `opinions`, and of them `praise`, `criticism` and `both`."""
        lower = lower_text(text_array(self.histories.posts.texts["caption"].fillna("")))
        praise, criticism = (caption_lexicon(name).found(lower) for name in ("praise", "criticism"))
        found = {"opinions": praise | criticism, "praise": praise, "criticism": criticism, "both": praise & criticism}
        return {name: int(np.count_nonzero(which)) for name, which in found.items()}

    @cached_property
    def sponsored(self) -> pd.DataFrame:
        """Posts that look sponsored, newest first: at, caption, and what `features.content.check_disclosure` says."""
        posts = self.posts.set_index("post_id")[["at", "caption"]]
        found = check_disclosure(self.histories).join(posts, on="post_id")
        return found.sort_values("at", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def sponsored_shown(self) -> list[dict[str, Any]]:
        """The newest rows of `sponsored`, None where null, with `names`: handles and sponsors that the post names."""
        newest = self.sponsored.head(_SPONSORED).astype(object)
        named = self._names(set(newest["post_id"]))
        rows = records(newest.where(newest.notna(), None))
        return [row | {"names": named.get(str(row["post_id"]), [])} for row in rows]

    def _names(self, ids: set[str]) -> dict[str, list[str]]:
        posts = self.histories.posts
        rows = np.flatnonzero(posts.texts["post_id"].isin(ids))
        frame = pd.DataFrame({name: posts.texts[name].iloc[rows] for name in ("post_id", "caption", "sponsor")})
        frame = frame.assign(
            creator_id=self.histories.creators["creator_id"].iloc[0],
            published_at=_moments(posts["published_at"][rows]),
            is_sponsored=posts["is_sponsored"][rows] == 1,
        )
        found = mentions_of_posts({"creators": self.histories.creators, "posts": frame})
        return {str(post): list(own) for post, own in found.groupby("post_id")["name"]}


def _layout(count: int, edges: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Places of a graph's nodes in [0, 1]²: forces as of Fruchterman and Reingold (1991), from a circle, no chance."""
    angle = 2 * np.pi * np.arange(count) / count
    place = np.column_stack([np.cos(angle), np.sin(angle)])
    pull = np.zeros((count, count))
    pull[edges["a"], edges["b"]] = edges["posts"] / edges["posts"].max()
    pull += pull.T
    rest = 1 / np.sqrt(count)
    for step in np.linspace(0.2, 0.01, 60):
        apart = place[:, None] - place[None]
        distance = np.maximum(np.linalg.norm(apart, axis=-1), 1e-3)
        force = (apart * (rest**2 / distance**2 - pull * distance / rest)[..., None]).sum(axis=1) - 0.05 * place
        length = np.maximum(np.linalg.norm(force, axis=1), 1e-9)
        place = place + force / length[:, None] * np.minimum(length, step)[:, None]
    low, high = place.min(axis=0), place.max(axis=0)
    place = (place - low) / np.maximum(high - low, 1e-9)
    return place[:, 0], place[:, 1]


@dataclass(frozen=True)
class Among:
    """How authenticity is spread over the creators of a platform and tier.

    Attributes
    ----------
    counts : ndarray of int64, shape (BARS,)
        Creators in each of as many equal parts of [0, 1].
    creators : int
        That were assessed.
    below : float
        Part of them with a lower authenticity than the creator; NaN where it was not assessed.
    """

    counts: np.ndarray
    creators: int
    below: float


def among_peers(catalogue: Catalogue, row: Mapping[str, Any]) -> Among:
    """Spread of the authenticity of a catalogue's creators of one platform and tier, and a creator's place in it."""
    tiers = (row["tier"],) if row["tier"] is not None and not pd.isna(row["tier"]) else ()
    mask = catalogue.mask(Filters(platforms=(row["platform"],), tiers=tiers))
    values = catalogue.frame["authenticity"].to_numpy()[mask]
    values = values[~np.isnan(values)]
    counts, _ = np.histogram(values, bins=BARS, range=(0, 1))
    own = row["authenticity"]
    below = np.nan if own is None or pd.isna(own) or not values.size else float((values < own).mean())
    return Among(counts, int(values.size), below)


def typical_comments_per_like(model: AuthenticityModel | None, platform: str) -> tuple[float, float] | None:
    """The range of comments per like that is typical of authentic creators of a platform; None where not known."""
    found = model.typical.get(platform, {}).get(COMMENTS_PER_LIKE) if model else None
    return None if found is None or np.isnan(found).any() else (float(found[0]), float(found[1]))


#: What an analyst does about a history that cannot be shown, by why.
_MISSING_WORDS: Mapping[str, str] = {
    "no_tables": N_(
        "Posts, comments and follower counts are not shown: the catalogue holds scores only. Name the folder of tables "
        "that it was scored from: realreach serve --tables DIR, or REALREACH_TABLES=DIR."
    ),
    "no_folder": N_(
        "Posts, comments and follower counts are not shown: there are no tables in {detail}. Name the folder that the "
        "catalogue was scored from: realreach serve --tables DIR, or REALREACH_TABLES=DIR."
    ),
    "preparing": N_("The tables are being read for the first time. Load this page again in a minute."),
    "unreadable": N_("Posts, comments and follower counts are not shown: {detail}"),
    "unknown_creator": N_(
        "Posts, comments and follower counts are not shown: the tables in {detail} have no such creator on this "
        "platform. Name the folder that the catalogue was scored from."
    ),
}


def say_missing(error: NoHistoryError, words: Words) -> str:
    """Why a history is not shown, and what to do about it."""
    return words.say(_MISSING_WORDS[error.why], detail=error.detail)


class Keeper:
    """Evidence of creators that were looked at lately; for many threads.

    Parameters
    ----------
    shelf : Shelf
        Where histories come from.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._kept: OrderedDict[tuple[Any, ...], Evidence] = OrderedDict()
        self._lock = threading.Lock()

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """What is another one once anything about a creator's evidence is."""
        said = tuple(row[name] for name in ("creator_id", "platform", "as_of", "model_version", "evidence", "checked"))
        return (*said, self.shelf.stamp())

    def of(self, row: Mapping[str, Any]) -> Evidence:
        """Evidence of the creator of a row of the catalogue.

        Raises
        ------
        serving.histories.NoHistoryError
        """
        key = self.key(row)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        if pd.isna(row["as_of"]):
            raise NoHistoryError("unreadable", "the score row has no as_of; score the creators again")
        posts = 0 if pd.isna(row["coverage_posts"]) else int(row["coverage_posts"])
        found = Evidence(history_of(self.shelf, row["creator_id"], row["platform"], row["as_of"], posts), row)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found
