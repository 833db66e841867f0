"""Coordination signals: what many creators show together through the people who comment under them.

Members of pods and accounts of farms write under the same creators, early, again and again. One history does not show
it, a crowd does: `features.sketches` counts comments in partitions, `make_crowd` computes the signals of every creator
from what is left of the counts, with sparse products, and `coordination_signals` looks creators up.

Floats are added in the order of keys: how creators were dealt to partitions changes nothing. Honest readers share
creators too. What tells a pod from a fan community is not that commenters are shared but that they come within the
first hour everywhere and are answered in kind, so signals of sharing alone speak for neither side.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammainc

from features.blocks import enough, ratio
from features.histories import Histories
from features.registry import read_family
from features.sketches import (
    SITTINGS_A_DAY,
    CommentSketch,
    by_others,
    degrees,
    first_visits,
    is_shared,
    keep_shared,
    keys_of,
    merge_sketches,
    shard_sketch,
    sketch_comments,
    text_keys,
)

__all__ = [
    "SIGNALS",
    "CommentSketch",
    "Crowd",
    "coordination_pointers",
    "coordination_signals",
    "keep_shared",
    "make_crowd",
    "merge_sketches",
    "shard_sketch",
    "sketch_comments",
]

SIGNALS = read_family("coordination")

#: Comments by others that a creator needs.
LEAST = 10
#: Creators with comments that a crowd needs before it tells what chance would do.
LEAST_CREATORS = 5
#: Two creators are tight where this many commenters, and half of the shared ones, come early to both.
TIGHT_COMMENTERS = 2.0
TIGHT_SHARE = 0.5
#: Meetings of commenters with other creators that are multiplied out at once: some hundred MB.
PAIRS_AT_ONCE = 2_000_000.0
#: Visits of the crowd's usual earliness that are added to a creator's own.
PRIOR_VISITS = 5.0
#: Levels of blocks: cores are told apart by 5 %.
CORE_LEVELS = 0.2 * 1.05 ** np.arange(140)
#: A returning group: authors, and the part of the posts under which each writes within the first hour.
GROUP_AUTHORS = 5
GROUP_RETURN = 0.6
#: Posts with comments that a returning group needs.
GROUP_POSTS = 4
#: What `coordination_pointers` points at.
POINTERS = ("shared", "early_shared", "tight", "reciprocal", "sitting", "same_text", "returning")


@dataclass(frozen=True)
class Crowd:
    """What is known of a crowd of creators together: plain columns, to be kept as one file each.

    Attributes
    ----------
    signals : DataFrame of float64
        Indexed by creator_id, one column a signal of scope "crowd".
    authors : DataFrame
        By key `author`: `creators` under whom they wrote, `early` under whom they came within the first hour.
    tight : DataFrame
        Early commenters of tight pairs: keys `creator`, `author`, and the creator's `partners` where they are early.
    reciprocal : DataFrame
        Keys `creator` and `author` of creators who comment on each other.
    sittings : DataFrame
        Keys `author` and `bin` of sittings under several creators, and how many `creators`.
    texts : DataFrame
        Key `text` of long texts under several creators, and how many `creators`.
    """

    signals: pd.DataFrame
    authors: pd.DataFrame
    tight: pd.DataFrame
    reciprocal: pd.DataFrame
    sittings: pd.DataFrame
    texts: pd.DataFrame


@dataclass(frozen=True)
class _Graph:
    """Edges between authors and the creators of a crowd, sorted by author and creator.

    Attributes
    ----------
    author, creator : ndarray of int64, shape (edges,)
        Positions.
    degree, early_degree : ndarray of float64, shape (edges,)
        Creators under whom the edge's author wrote, and under whom within the first hour.
    earliness : ndarray of float64, shape (edges,)
        Part of the author's visits under the creator that came within the first hour.
    comments : ndarray of float64, shape (edges,)
    creators : int
        How many there are.
    """

    author: np.ndarray
    creator: np.ndarray
    degree: np.ndarray
    early_degree: np.ndarray
    earliness: np.ndarray
    comments: np.ndarray
    creators: int

    def by_creator(self, values: np.ndarray) -> np.ndarray:
        """Sum of a value of each edge by creator, shape (creators,)."""
        return np.bincount(self.creator, values, self.creators)

    def by_author(self, values: np.ndarray) -> np.ndarray:
        """Sum of a value of each edge by author, laid out by edge, shape (edges,)."""
        return np.bincount(self.author, values)[self.author] if self.author.size else values

    def matrix(self, values: np.ndarray) -> sparse.csr_array:
        """The edges that have a value as a sparse matrix of shape (authors, creators)."""
        shape = (int(self.author[-1]) + 1 if self.author.size else 0, self.creators)
        there = values > 0
        return sparse.csr_array((values[there], (self.author[there], self.creator[there])), shape=shape)

    @property
    def met(self) -> np.ndarray:
        """Whether the author is shared by creators few enough to look at each pair of them."""
        return is_shared(self.degree)

    @property
    def met_early(self) -> np.ndarray:
        """Whether the author is, where only comments within the first hour count."""
        return is_shared(self.early_degree)


def _weight(degree: np.ndarray) -> np.ndarray:
    """1 / log(5 + degree): hiding among many creators makes each count less (FRAUDAR)."""
    return 1.0 / np.log(5.0 + degree)


def _graph(sketch: CommentSketch) -> _Graph:
    edges = sketch.edges
    author = pd.factorize(edges["author"])[0]
    visits, early = edges["visits"].to_numpy(dtype=np.float64), edges["early"].to_numpy(dtype=np.float64)
    degree, early_degree = degrees(edges)
    return _Graph(
        author=author,
        creator=pd.Index(sketch.creators["key"]).get_indexer(pd.Index(edges["creator"])),
        degree=degree.astype(np.float64),
        early_degree=early_degree.astype(np.float64),
        earliness=np.nan_to_num(ratio(early, visits)),
        comments=edges["comments"].to_numpy(dtype=np.float64),
        creators=len(sketch.creators),
    )


def _row_ranges(work: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows that together cost about `PAIRS_AT_ONCE`, or one row each."""
    total = np.concatenate([[0.0], np.cumsum(work)])
    start = 0
    while start < work.size:
        stop = max(start + 1, int(np.searchsorted(total, total[start] + PAIRS_AT_ONCE, side="right")) - 1)
        yield start, stop
        start = stop


def _top(graph: _Graph) -> np.ndarray:
    """Most commenters that each creator shares with another one, shape (creators,)."""
    met = graph.matrix(graph.met.astype(np.float64))
    met_by = met.T.tocsr()
    top = np.zeros(graph.creators)
    for start, stop in _row_ranges(graph.by_creator(graph.degree * graph.met)):
        pairs = sparse.coo_array(met_by[start:stop] @ met)
        apart = pairs.row + start != pairs.col
        np.maximum.at(top, pairs.row[apart] + start, pairs.data[apart])
    return top


@dataclass(frozen=True)
class _Pairs:
    """Pairs of creators to both of whom `TIGHT_COMMENTERS` commenters or more come early, in both directions.

    Attributes
    ----------
    one, other : ndarray of int64, shape (pairs,)
        Positions of creators.
    early : ndarray of float64, shape (pairs,)
        Sum of the product of both earlinesses over shared commenters.
    met : ndarray of float64, shape (pairs,)
        Shared commenters, early or late.
    creators : int
    """

    one: np.ndarray
    other: np.ndarray
    early: np.ndarray
    met: np.ndarray
    creators: int

    def tight(self) -> sparse.csr_array:
        """1 where half of the shared commenters come early to both, shape (creators, creators)."""
        tight = self.early >= TIGHT_SHARE * self.met
        shape = (self.creators, self.creators)
        return sparse.csr_array((np.ones(int(tight.sum())), (self.one[tight], self.other[tight])), shape=shape)


def _pairs(graph: _Graph) -> _Pairs:
    """Pairs that share early commenters; only for these all shared commenters are counted."""
    early = graph.matrix(graph.earliness * graph.met_early)
    early_by = early.T.tocsr()
    one, other, both = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for start, stop in _row_ranges(graph.by_creator(graph.early_degree * graph.met_early * (graph.earliness > 0))):
        pairs = sparse.coo_array(early_by[start:stop] @ early)
        row = pairs.row.astype(np.int64) + start
        many = (pairs.data >= TIGHT_COMMENTERS) & (row != pairs.col)
        one.append(row[many])
        other.append(pairs.col[many].astype(np.int64))
        both.append(pairs.data[many])
    first, second = np.concatenate(one), np.concatenate(other)
    met_by = graph.matrix((graph.met | graph.met_early).astype(np.float64)).T.tocsr()
    held = np.diff(met_by.indptr)
    met = np.zeros(first.size)
    for start, stop in _row_ranges((held[first] + held[second]).astype(np.float64)):
        shared = met_by[first[start:stop]].multiply(met_by[second[start:stop]])
        met[start:stop] = np.asarray(shared.sum(axis=1)).ravel()
    return _Pairs(first, second, np.concatenate(both), met, graph.creators)


def _overlap(graph: _Graph, creators: pd.DataFrame) -> dict[str, np.ndarray]:
    """How much commenters are shared, whoever they are."""
    commenters = creators["commenters"].to_numpy(dtype=np.float64)
    meetings = _weight(graph.degree) * (graph.degree - 1) * graph.met
    everywhere = float(np.sum(commenters))
    usual = np.sum(meetings) / everywhere if everywhere else 0.0
    return {
        "commenters_shared_lift_all": ratio(graph.by_creator(meetings), commenters * usual),
        "commenters_shared_top_share_all": ratio(_top(graph), commenters),
    }


def _lockstep(graph: _Graph, creators: pd.DataFrame, edges: pd.DataFrame, pairs: _Pairs) -> np.ndarray:
    """First-hour meetings of each creator's commenters at other creators, in standard deviations above chance.

    Chance: a shared commenter is as early as those who comment under that creator and nobody else, so meetings of a
    pair are of a Poisson distribution; of pairs that were looked at because they have `TIGHT_COMMENTERS` of them, of
    one cut off below. Other creators under whom the commenters hide are no such pairs.
    """
    elsewhere = graph.met | graph.met_early
    visits, early = (
        creators[name].to_numpy(dtype=np.float64) - graph.by_creator(edges[name].to_numpy(np.float64) * elsewhere)
        for name in ("visits", "early")
    )
    usual = creators["early"].sum() / max(creators["visits"].sum(), 1)
    rate = (early + PRIOR_VISITS * usual) / (visits + PRIOR_VISITS)
    mean = rate[pairs.one] * rate[pairs.other] * pairs.met
    several = gammainc(TIGHT_COMMENTERS, mean)  # P(X >= 2) of a Poisson distribution
    chance = mean * gammainc(TIGHT_COMMENTERS - 1, mean) / several
    spread = mean**2 / several + chance - chance**2
    above, variance = (np.bincount(pairs.one, of, graph.creators) for of in (pairs.early - chance, spread))
    return above / np.sqrt(variance + 1.0)


def _groups(
    graph: _Graph, sketch: CommentSketch, pairs: sparse.csr_array
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Sizes of tight groups, the part of the first hour that they write, and who writes it."""
    early = graph.matrix((graph.met_early & (graph.earliness > 0)).astype(np.float64))
    partners = sparse.coo_array((early @ pairs).multiply(early))
    first_hour = sketch.creators["early_commenters"].to_numpy(dtype=np.float64)
    authors = pd.unique(sketch.edges["author"])
    writers = pd.DataFrame(
        {
            "creator": sketch.creators["key"].to_numpy()[partners.col],
            "author": authors[partners.row],
            "partners": partners.data,
        }
    )
    return {
        "early_group_creators_all": np.diff(pairs.indptr).astype(np.float64),
        "early_group_share_all": ratio(np.bincount(partners.col, minlength=graph.creators), first_hour),
    }, writers


def core_levels(author: np.ndarray, creator: np.ndarray, weight: np.ndarray, creators: int) -> np.ndarray:
    """Weight of the densest block that each creator is in.

    A block of level t is what is left when authors and creators whose edges to each other weigh less than t are taken
    away until none is: greedy peeling of a bipartite graph (k-core; FRAUDAR, Hooi et al. 2016), here over the levels
    `CORE_LEVELS`, all that lie below a level at once.

    Parameters
    ----------
    author, creator : ndarray of int64, shape (edges,)
        Positions.
    weight : ndarray of float64, shape (edges,)
    creators : int

    Returns
    -------
    ndarray of float64, shape (creators,)
        Largest level whose block holds the creator, 0 where none does.
    """
    level = np.zeros(creators)
    for floor in CORE_LEVELS:
        while author.size:
            stays = (np.bincount(author, weight)[author] >= floor) & (np.bincount(creator, weight)[creator] >= floor)
            if stays.all():
                break
            author, creator, weight = author[stays], creator[stays], weight[stays]
        if not author.size:
            break
        level[creator] = floor
    return level


def _block_density(graph: _Graph, pairs: _Pairs) -> np.ndarray:
    """Levels of blocks of early comments, by authors who come early to both creators of a pair."""
    early = graph.matrix(graph.earliness * graph.met_early)
    ones = np.ones(pairs.one.size)
    partners = sparse.csr_array((ones, (pairs.one, pairs.other)), shape=(graph.creators, graph.creators))
    edges = sparse.coo_array(((early > 0).astype(np.float64) @ partners > 0).multiply(early)).tocsr().tocoo()
    degree = np.zeros(early.shape[0])
    degree[graph.author] = graph.early_degree
    author, creator = edges.row.astype(np.int64), edges.col.astype(np.int64)
    return core_levels(author, creator, edges.data * _weight(degree[author]), graph.creators)


def _reciprocal(graph: _Graph, sketch: CommentSketch) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Creators who write under each other; unknown of a creator whose own id is nowhere an author's."""
    writer = pd.Index(sketch.creators["key"]).get_indexer(pd.Index(sketch.edges["author"]))
    known = np.flatnonzero(writer >= 0)
    there = writer[known] * graph.creators + graph.creator[known]
    back = graph.creator[known] * graph.creators + writer[known]
    mutual = known[np.isin(there, back)]
    heard = sketch.creators["own"].to_numpy() > 0
    heard[writer[known]] = True
    missing = np.where(heard, 0.0, np.nan)
    partners = np.bincount(graph.creator[mutual], minlength=graph.creators)
    written = np.bincount(graph.creator[mutual], graph.comments[mutual], graph.creators)
    return {
        "reciprocal_creators_all": partners + missing,
        "reciprocal_comment_share_all": ratio(written, sketch.creators["comments"].to_numpy(np.float64)) + missing,
    }, sketch.edges.iloc[mutual][["creator", "author"]].reset_index(drop=True)


def _share_of(frame: pd.DataFrame, creators: pd.DataFrame, total: str) -> np.ndarray:
    position = pd.Index(creators["key"]).get_indexer(pd.Index(frame["creator"]))
    return ratio(np.bincount(position, frame["comments"], len(creators)), creators[total].to_numpy(dtype=np.float64))


def _several(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return frame.groupby(by, as_index=False).agg(creators=("creator", "size"))


def make_crowd(sketches: Iterable[CommentSketch]) -> Crowd:
    """Compute what a crowd of creators shows together.

    Parameters
    ----------
    sketches : iterable of CommentSketch
        Of all partitions, whole, or as shards merged and reduced by `keep_shared` each.

    Returns
    -------
    Crowd
        Signals are NaN for creators with fewer than `LEAST` comments by others, and for all in a crowd of fewer than
        `LEAST_CREATORS` creators with comments.
    """
    sketch = keep_shared(merge_sketches(sketches))
    graph, creators = _graph(sketch), sketch.creators
    pairs = _pairs(graph)
    groups, writers = _groups(graph, sketch, pairs.tight())
    mutual, reciprocal = _reciprocal(graph, sketch)
    columns = {
        **_overlap(graph, creators),
        "early_commenters_shared_z_all": _lockstep(graph, creators, sketch.edges, pairs),
        **groups,
        "early_block_density_all": _block_density(graph, pairs),
        **mutual,
        "same_sitting_share_all": _share_of(sketch.sittings, creators, "comments"),
        "same_text_share_all": _share_of(sketch.texts, creators, "long_texts"),
    }
    timed = ("early_commenters_shared_z_all", "early_block_density_all", *groups)
    covered = dict.fromkeys(timed, "visits") | {"same_text_share_all": "long_texts"}
    crowded = np.count_nonzero(creators["comments"]) >= LEAST_CREATORS
    signals = {
        name: enough(values, creators[covered.get(name, "comments")].to_numpy() * crowded, LEAST)
        for name, values in columns.items()
    }
    authors = sketch.edges.assign(early=sketch.edges["early"] > 0)
    return Crowd(
        signals=pd.DataFrame(signals, index=pd.Index(creators["creator_id"], name="creator_id")).sort_index(),
        authors=authors.groupby("author", as_index=False).agg(creators=("creator", "size"), early=("early", "sum")),
        tight=writers,
        reciprocal=reciprocal,
        sittings=_several(sketch.sittings, ["author", "bin"]),
        texts=_several(sketch.texts, ["text"]),
    )


@dataclass(frozen=True)
class _Returning:
    """First-hour visits of each creator, and which of them are by authors who come to most posts."""

    rows: np.ndarray
    owner: np.ndarray
    returns: np.ndarray
    is_regular: np.ndarray
    posts: np.ndarray

    def group(self) -> np.ndarray:
        """How many regular authors each creator has, shape (creators,)."""
        ones = np.where(self.is_regular, 1.0 / self.returns, 0.0)
        return np.rint(np.bincount(self.owner, ones, self.posts.size))


def _returning(histories: Histories) -> _Returning:
    comments = histories.comments
    rows = by_others(histories)
    rows = rows[~np.isnan(comments["post"][rows])]
    under = np.unique(comments["post"][rows].astype(np.int64))
    posts = np.bincount(histories.posts.owners[under], minlength=len(histories.creators))
    visits = first_visits(histories, rows)
    early = visits.rows[visits.early]
    owner = comments.owners[early]
    key = owner * max(len(histories.authors), 1) + comments["author"][early].astype(np.int64)
    _, edge, times = np.unique(key, return_inverse=True, return_counts=True)
    returns = times[edge]
    return _Returning(early, owner, returns, returns >= GROUP_RETURN * posts[owner], posts)


def _returning_group(histories: Histories) -> np.ndarray:
    """Part of the first hour's comments that a group writes who come back under most posts; of one history alone."""
    visits = _returning(histories)
    creators = visits.posts.size
    written = np.bincount(visits.owner[visits.is_regular], minlength=creators)
    total = np.bincount(visits.owner, minlength=creators).astype(np.float64)
    share = ratio(np.where(visits.group() >= GROUP_AUTHORS, written, 0.0), total)
    return enough(share, visits.posts, GROUP_POSTS)


def coordination_signals(histories: Histories, crowd: Crowd | None) -> dict[str, np.ndarray]:
    """Compute every coordination signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed, and, for signals of scope "crowd", where
        there is no crowd or the creator is not in it.
    """
    ids = histories.creators["creator_id"]
    columns = {signal.name: np.full(len(ids), np.nan) for signal in SIGNALS}
    if crowd is not None:
        known = crowd.signals.reindex(pd.Index(ids))
        columns |= {str(name): values.to_numpy() for name, values in known.items()}
    if histories.comments.counts.any():
        columns["returning_group_share_all"] = _returning_group(histories)
    return columns


def _looked_up(frame: pd.DataFrame, value: str, keys: Sequence[np.ndarray]) -> np.ndarray:
    """The `value` of the row of `frame` whose other columns, in their order, are the keys; NaN where there is none."""
    names = [name for name in frame.columns if name != value]
    asked = pd.DataFrame(dict(zip(names, keys, strict=True)))
    return asked.merge(frame, how="left", on=names)[value].to_numpy(dtype=np.float64)


def coordination_pointers(histories: Histories, crowd: Crowd | None = None) -> dict[str, np.ndarray]:
    """Which comments a person would look at to check a signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (comments,)
        By pointer, aligned with `histories.comments`: NaN where the comment is not pointed at, larger where to look
        first. `shared`: its author writes under other creators, and how many; `early_shared`: it came within the first
        hour, and under how many other creators its author does; `tight`: so it did, and to how many creators of the
        tight group its author does; `reciprocal`: its author is a creator who gets comments back; `sitting`: its author
        wrote under other creators in the same ten minutes, and how many; `same_text`: its long text stands under other
        creators too, and how many; `returning`: it is by one of the returning group, and how often that author came.
        All but the last need the crowd.
    """
    comments, rows = histories.comments, by_others(histories)
    size = comments["author"].size
    visits, regulars = first_visits(histories, rows), _returning(histories)
    in_group = regulars.is_regular & (regulars.group()[regulars.owner] >= GROUP_AUTHORS)
    found = {"returning": (regulars.rows[in_group], regulars.returns[in_group].astype(np.float64))}
    if crowd is not None:
        early = visits.rows[visits.early]
        author = keys_of(histories.authors)[comments["author"].astype(np.int64)]
        creator = keys_of(histories.creators["creator_id"])[comments.owners]
        bins = np.floor(comments["published_at"] * SITTINGS_A_DAY).astype(np.int64)
        mutual = crowd.reciprocal.assign(there=1.0)
        texts = text_keys(comments.texts["text"].iloc[rows])
        found |= {
            "shared": (rows, _looked_up(crowd.authors[["author", "creators"]], "creators", [author[rows]]) - 1),
            "early_shared": (early, _looked_up(crowd.authors[["author", "early"]], "early", [author[early]]) - 1),
            "tight": (early, _looked_up(crowd.tight, "partners", [creator[early], author[early]])),
            "reciprocal": (rows, _looked_up(mutual, "there", [creator[rows], author[rows]])),
            "sitting": (rows, _looked_up(crowd.sittings, "creators", [author[rows], bins[rows]]) - 1),
            "same_text": (rows, _looked_up(crowd.texts, "creators", [texts]) - 1),
        }
    pointers = {name: np.full(size, np.nan) for name in POINTERS}
    for name, (where, values) in found.items():
        pointers[name][where] = np.where(values > 0, values, np.nan)
    return pointers
