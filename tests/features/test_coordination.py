"""Coordination signals on crowds small enough to work out by hand, and pods and fans among real comments."""

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.coordination import (
    CORE_LEVELS,
    LEAST,
    POINTERS,
    SIGNALS,
    Crowd,
    coordination_pointers,
    coordination_signals,
    core_levels,
    keep_shared,
    make_crowd,
    merge_sketches,
    shard_sketch,
    sketch_comments,
)
from features.histories import Histories, make_histories
from features.sketches import MOST_CREATORS, by_others, first_visits
from features.tables import Tables, check_tables
from training.pods import fan_comments, pod_comments

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
NAMES = ("ann", "bob", "cat", "dan", "eve", "fay")
CROWD = tuple(signal.name for signal in SIGNALS if signal.scope == "crowd")
#: Signals that see a pod whether its members are known or not, and those that need to know that they are creators.
EARLY = (
    "early_commenters_shared_z_all",
    "early_group_creators_all",
    "early_group_share_all",
    "early_block_density_all",
)
RECIPROCAL = ("reciprocal_creators_all", "reciprocal_comment_share_all")

#: creator, number of the post, author, minutes after the post, text
Comment = tuple[str, int, str, float, str]


def _posted(creator: str, number: int) -> pd.Timestamp:
    """Posts of two creators are days apart."""
    return pd.Timestamp("2026-01-01T12:00:00Z") + pd.Timedelta(days=6 * NAMES.index(creator[:3]) + number)


def _tables(comments: Sequence[Comment], names: Sequence[str] = NAMES, posts: int = 1) -> Tables:
    owner, number, author, minutes, text = (list(column) for column in zip(*comments, strict=True))
    return check_tables(
        {
            "creators": pd.DataFrame({"creator_id": list(names), "platform": "instagram", "followers": 1000}),
            "posts": pd.DataFrame(
                [(name, f"{name}{n}", _posted(name, n), 10, 1, AS_OF) for name in names for n in range(posts)],
                columns=["creator_id", "post_id", "published_at", "likes", "comments", "observed_at"],
            ),
            "comments": pd.DataFrame(
                {
                    "creator_id": owner,
                    "post_id": [f"{name}{n}" for name, n in zip(owner, number, strict=True)],
                    "comment_id": [f"k{row}" for row in range(len(owner))],
                    "author_id": author,
                    "published_at": [
                        _posted(name, n) + pd.Timedelta(minutes=late)
                        for name, n, late in zip(owner, number, minutes, strict=True)
                    ],
                    "text": text,
                }
            ),
        }
    )


def _histories(tables: Tables) -> Histories:
    return make_histories(tables, AS_OF, imported_at=AS_OF)


def _readers(names: Sequence[str] = NAMES, count: int = 10) -> list[Comment]:
    """Readers of one creator each, five hours after the post, who write long texts of their own."""
    return [
        (name, 0, f"u_{name}{n}", 300, f"what a lovely picture this is says {name} {n}")
        for name in names
        for n in range(count)
    ]


def _same(owners: Sequence[str], authors: Sequence[str], minutes: float, text: str = "wow") -> list[Comment]:
    return [(owner, 0, author, minutes, text) for owner in owners for author in authors]


#: Three authors are early under ann, bob and cat; somebody under ann alone; dan and eve write under each other.
POD: list[Comment] = [
    *_readers(),
    *_same(NAMES[:3], ["x1", "x2", "x3"], 10),
    *_same(["ann"], ["y"], 30),
    ("dan", 0, "eve", 200, "hi"),
    ("eve", 0, "dan", 200, "hi"),
]
#: One author under eve and fay in the same ten minutes, 30 days after eve's post and 24 after fay's.
FARM: list[Comment] = [*_readers(), ("eve", 0, "x", 30 * 1440 + 3, "hi"), ("fay", 0, "x", 24 * 1440 + 7, "hi")]
COPIED: list[Comment] = [
    *_readers(),
    ("eve", 0, "x", 90, "I really adore everything you do!"),
    ("fay", 0, "y", 90, "i REALLY adore everything you do 😍"),
]
#: Five authors are early under posts 0, 1 and 2 of five; five others once; posts 3 and 4 have a late comment.
GROUP: list[Comment] = [
    *[("ann", n, f"r{author}", 20, "hi") for n in range(3) for author in range(5)],
    *[("ann", n, f"once{n}", 40, "hi") for n in range(5)],
    ("ann", 3, "late", 61, "hi"),
    ("ann", 4, "late", 61, "hi"),
]
# POD: 72 commenters in all: 14 under ann, 13 bob, 13 cat, 11 dan, 11 eve, 10 fay; 10 of 72 visits are early
# readers of ann alone are early 1 in 11, of bob and cat 0 in 10, towards 10 / 72 with the weight of 5
_ANN, _BOB = (1 + 5 * 10 / 72) / 16, 5 * 10 / 72 / 15
# three meet at ann and at bob, and so at ann and at cat: a Poisson distribution that is known to be 2 or more
_MEAN = 3 * _ANN * _BOB
_TWO = 1 - math.exp(-_MEAN) * (1 + _MEAN)
_CHANCE = _MEAN * (1 - math.exp(-_MEAN)) / _TWO
_SPREAD = _MEAN**2 / _TWO + _CHANCE - _CHANCE**2

HAND: dict[str, tuple[list[Comment], str, float]] = {
    # the weights 1 / log 8 cancel: ann's 3 shared meet 2 others each, 6 of 18; as 14 of 72 she was to have 3.5
    "commenters_shared_lift_all": (POD, "ann", 6 / (14 * 18 / 72)),
    "commenters_shared_top_share_all": (POD, "ann", 3 / 14),
    # 3 commenters, each early at 2 others
    "early_commenters_shared_z_all": (POD, "ann", 2 * (3 - _CHANCE) / math.sqrt(2 * _SPREAD + 1)),
    "early_group_creators_all": (POD, "ann", 2.0),
    # 3 of 4 first-hour commenters
    "early_group_share_all": (POD, "ann", 0.75),
    # each side holds 3 / log 8 = 1.4427, between 0.2 * 1.05^40 = 1.4080 and 0.2 * 1.05^41 = 1.4784
    "early_block_density_all": (POD, "ann", 0.2 * 1.05**40),
    "reciprocal_creators_all": (POD, "dan", 1.0),
    "reciprocal_comment_share_all": (POD, "dan", 1 / 11),
    "same_sitting_share_all": (FARM, "eve", 1 / 11),
    "same_text_share_all": (COPIED, "eve", 1 / 11),
    # 15 of 20 first-hour visits by the five who came to 3 of 5 posts
    "returning_group_share_all": (GROUP, "ann", 15 / 20),
}


def _crowd(tables: Tables) -> Crowd:
    return make_crowd([sketch_comments(_histories(tables))])


def _signals(tables: Tables) -> pd.DataFrame:
    histories = _histories(tables)
    columns = coordination_signals(histories, make_crowd([sketch_comments(histories)]))
    return pd.DataFrame(columns, index=pd.Index(histories.creators["creator_id"]))


def _rows(comments: Sequence[Comment]) -> Tables:
    return _tables(comments, posts=5)


@pytest.mark.parametrize("name", HAND)
def test_a_value_worked_out_by_hand(name: str) -> None:
    comments, creator, expected = HAND[name]
    assert _signals(_rows(comments)).loc[creator, name] == pytest.approx(expected, rel=1e-12)


def test_every_signal_is_worked_out_and_computed() -> None:
    assert set(HAND) == {signal.name for signal in SIGNALS} == set(_signals(_rows(POD)).columns)
    assert set(POINTERS) >= {signal.points_at.removeprefix("comments:") for signal in SIGNALS}


@pytest.mark.parametrize("name", [name for name in CROWD if name not in EARLY[2:3]])
def test_a_creator_with_too_few_comments_by_others_is_missing(name: str) -> None:
    few = [*_readers(NAMES[1:]), *_readers(NAMES[:1], LEAST - 1), ("ann", 0, "ann", 5, "thank you all for these words")]
    mutual: list[Comment] = [
        *[("bob", 0, "cat", 200, "hi"), ("cat", 0, "bob", 200, "hi"), ("bob", 0, "ann", 200, "hi")],
        *_same(NAMES[1:3], ["x"], 5),
    ]
    assert np.isnan(_signals(_rows([*few, *mutual]))[name].iloc[0])
    enough = [*_readers(), *mutual]
    assert np.isfinite(_signals(_rows(enough))[name].iloc[0])


def test_the_share_of_a_group_is_missing_without_comments_in_the_first_hour() -> None:
    signals = _signals(_rows(POD))["early_group_share_all"]
    assert math.isnan(signals["fay"])
    assert signals["bob"] == 1.0
    assert _signals(_rows([*POD, *_same(["fay"], ["z"], 59)])).loc["fay", "early_group_share_all"] == 0.0


def test_reciprocity_is_missing_of_creators_who_are_nowhere_an_author() -> None:
    signals = _signals(_rows([*_readers(), *_same(NAMES[:2], ["x"], 5)]))
    assert signals[list(RECIPROCAL)].isna().all(axis=None)
    heard = [*POD, ("ann", 0, "ann", 5, "thanks"), ("ann", 0, "bob", 900, "hi")]
    signals = _signals(_rows(heard))[list(RECIPROCAL)]
    assert signals.loc[["cat", "fay"]].isna().all(axis=None)
    assert (signals.loc[["ann", "bob"]] == 0).all(axis=None)
    assert (signals.loc[["dan", "eve"]] > 0).all(axis=None)


def test_a_small_crowd_tells_nothing_of_chance() -> None:
    def of(names: Sequence[str]) -> pd.DataFrame:
        pod = [*_readers(names), *_same(names, ["x1", "x2"], 5)]
        return _signals(_tables(pod, names))

    assert of(NAMES[:4])[list(CROWD)].isna().all(axis=None)
    assert of(NAMES[:5])["early_group_creators_all"].tolist() == [4.0] * 5


def test_without_a_crowd_or_outside_it_only_the_own_group_is_known() -> None:
    histories = _histories(_rows([*GROUP, *_readers()]))
    alone = coordination_signals(histories, None)
    assert all(np.isnan(alone[name]).all() for name in CROWD)
    # the ten readers of ann came late: they are no first-hour visits
    assert alone["returning_group_share_all"][0] == 0.75
    others = _crowd(_tables(_readers(NAMES[1:]), NAMES[1:]))
    outside = coordination_signals(histories, others)
    assert np.isnan([outside[name][0] for name in CROWD]).all()
    assert np.isfinite(outside["commenters_shared_top_share_all"][1:]).all()


def test_a_returning_group_needs_posts_and_five_members() -> None:
    def share(comments: list[Comment]) -> float:
        return float(_signals(_rows(comments))["returning_group_share_all"].iloc[0])

    assert share([row for row in GROUP if row[2] != "r0"]) == 0.0
    assert math.isnan(share([row for row in GROUP if row[1] < 3]))
    assert math.isnan(share([(*row[:3], 61.0, "hi") for row in GROUP]))


def test_comments_of_a_creator_under_own_posts_count_for_nothing() -> None:
    own = [*POD, *[(name, 0, name, 1, "thank you so much everybody here") for name in NAMES]]
    before, after = _signals(_rows(POD)), _signals(_rows(own))
    before[list(RECIPROCAL)] = before[list(RECIPROCAL)].fillna(0.0)  # now it is known who they are
    pd.testing.assert_frame_equal(after, before)


def test_fans_who_come_when_they_come_are_no_tight_group() -> None:
    fans = [
        (owner, 0, f"f{n}", 10 if n % 6 == place else 400, "hi") for place, owner in enumerate(NAMES) for n in range(12)
    ]
    signals = _signals(_rows([*_readers(), *fans]))
    assert (signals["commenters_shared_top_share_all"] == 12 / 22).all()
    assert (signals["early_group_creators_all"] == 0).all()
    assert (signals["early_commenters_shared_z_all"] == 0).all()
    assert (signals["early_block_density_all"] == 0).all()


def test_hiding_among_honest_creators_makes_no_smaller_group() -> None:
    others = [f"{name}{n}" for name in NAMES for n in range(5)]
    names = [*NAMES, *others]
    hidden = [
        *_readers(names),
        *_same(NAMES, [f"x{n}" for n in range(6)], 5),
        *_same(others, [f"x{n}" for n in range(6)], 500),
    ]
    signals = _signals(_tables(hidden, names))
    assert (signals.loc[list(NAMES), "early_group_creators_all"] == 5).all()
    assert (signals.loc[others, "early_group_creators_all"] == 0).all()
    assert (
        signals.loc[list(NAMES), "early_block_density_all"].min() > signals.loc[others, "early_block_density_all"].max()
    )


def test_an_author_under_very_many_creators_tells_nothing() -> None:
    names = [f"{NAMES[n % 6]}{n}" for n in range(MOST_CREATORS + 1)]
    everybody = _signals(_tables([*_readers(names), *_same(names, ["x1", "x2"], 5)], names))
    assert (everybody["early_group_creators_all"] == 0).all()
    assert (everybody["commenters_shared_top_share_all"] == 0).all()
    less = _signals(_tables([*_readers(names), *_same(names[:-1], ["x1", "x2"], 5)], names))
    assert less["early_group_creators_all"].tolist().count(MOST_CREATORS - 1) == MOST_CREATORS


# ---- crowds put together from partitions


def _random_tables(creators: int, seed: int) -> Tables:
    """Honest comments of uneven number, a pod whose members are known, one whose members are not, and fans."""
    rng = np.random.default_rng(seed)
    names = [f"{NAMES[n % 6]}{n}" for n in range(creators)]
    rows = [
        (
            name,
            int(rng.integers(3)),
            f"u{int(rng.integers(40 * creators) ** 0.9)}",
            float(rng.exponential(900)),
            f"so nice {word}" if word % 2 else f"what a very lovely picture {word}",
        )
        for name in names
        for word in rng.integers(50, size=int(rng.integers(1, 60)))
    ]
    tables = _tables(rows, names, posts=3)
    texts = tables["comments"]["text"]
    added = [
        pod_comments(tables["posts"], names[:8], texts, rng),
        pod_comments(tables["posts"], names[8:14], texts, rng, hidden=True),
        fan_comments(tables["posts"], tables["comments"], names[14:24], rng),
    ]
    return check_tables({**tables, "comments": pd.concat([tables["comments"], *added], ignore_index=True)})


def _part(tables: Tables, names: Sequence[str]) -> Histories:
    return _histories({name: frame[frame["creator_id"].isin(names)] for name, frame in tables.items()})


@pytest.mark.parametrize("shards", [1, 3])
def test_how_creators_were_dealt_to_partitions_changes_nothing(shards: int) -> None:
    tables = _random_tables(40, seed=5)
    whole = _crowd(tables)
    names = np.random.default_rng(1).permutation(tables["creators"]["creator_id"].to_numpy(dtype=object))
    sketches = [
        shard_sketch(sketch_comments(_part(tables, part.tolist())), shards) for part in np.array_split(names, 4)
    ]
    dealt = make_crowd([keep_shared(merge_sketches(of[n] for of in sketches)) for n in range(shards)])
    for field in fields(Crowd):
        one, other = getattr(whole, field.name), getattr(dealt, field.name)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert whole.signals.notna().any().all()
    assert len(keep_shared(merge_sketches(of[0] for of in sketches)).edges) < len(
        sketch_comments(_histories(tables)).edges
    )


def test_how_many_pairs_are_multiplied_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = _random_tables(40, seed=5)
    whole = _crowd(tables)
    monkeypatch.setattr("features.coordination.PAIRS_AT_ONCE", 30.0)
    pd.testing.assert_frame_equal(_crowd(tables).signals, whole.signals, check_exact=True)


def test_the_order_of_rows_and_the_names_of_authors_change_nothing() -> None:
    tables = _random_tables(30, seed=6)
    before = _signals(tables)
    mixed = {name: frame.sample(frac=1, random_state=3).reset_index(drop=True) for name, frame in tables.items()}
    pd.testing.assert_frame_equal(_signals(mixed), before, check_exact=True)
    author = tables["comments"]["author_id"]
    listed = author.isin(tables["creators"]["creator_id"])
    renamed = {**tables, "comments": tables["comments"].assign(author_id=author.where(listed, "other_" + author))}
    pd.testing.assert_frame_equal(_signals(renamed), before, rtol=1e-9)
    later = pd.Timedelta(days=-14)
    moved = {**tables}
    for name in ("posts", "comments"):
        moved[name] = tables[name].assign(published_at=tables[name]["published_at"] + later)
    pd.testing.assert_frame_equal(_signals(moved), before, check_exact=True)


def test_comments_after_as_of_change_nothing() -> None:
    tables = _random_tables(30, seed=7)
    posts = tables["posts"].assign(published_at=AS_OF)
    late = pod_comments(
        posts, tables["creators"]["creator_id"].tolist()[:9], tables["comments"]["text"], np.random.default_rng(1)
    )
    more = check_tables({**tables, "comments": pd.concat([tables["comments"], late], ignore_index=True)})
    pd.testing.assert_frame_equal(_signals(more), _signals(tables), check_exact=True)


def test_a_creator_counted_twice_is_refused() -> None:
    pod = sketch_comments(_histories(_rows(POD)))
    for other in (pod, sketch_comments(_histories(_tables(_readers(["ann"]))))):
        with pytest.raises(ValueError, match="creators counted in two partitions, expected in one: ann, bob"):
            make_crowd([pod, other])


def test_creators_without_comments_make_a_crowd_that_tells_nothing() -> None:
    tables = _tables(POD)
    silent = _histories({**tables, "comments": tables["comments"].iloc[:0]})
    crowd = make_crowd([sketch_comments(silent)])
    assert crowd.signals.isna().all(axis=None)
    assert list(crowd.signals.columns) == list(CROWD)
    assert all(np.isnan(values).all() for values in coordination_signals(silent, crowd).values())
    assert all(values.size == 0 for values in coordination_pointers(silent, crowd).values())


def test_levels_of_blocks_are_those_of_taking_away_one_by_one() -> None:
    def peeled(edges: list[tuple[int, int, float]], floor: float) -> set[int]:
        while edges:
            held: dict[tuple[str, int], float] = {}
            for author, creator, weight in edges:
                held[("a", author)] = held.get(("a", author), 0.0) + weight
                held[("c", creator)] = held.get(("c", creator), 0.0) + weight
            side, worst = min(held, key=lambda node: held[node])
            if held[(side, worst)] >= floor:
                return {creator for _, creator, _ in edges}
            edges = [edge for edge in edges if edge[0 if side == "a" else 1] != worst]
        return set()

    rng = np.random.default_rng(8)
    for _ in range(5):
        pairs = np.unique(rng.integers(12, size=(50, 2)), axis=0)
        weight = rng.integers(1, 8, len(pairs)) / 8
        level = core_levels(pairs[:, 0], pairs[:, 1], weight, 12)
        edges = [(int(a), int(c), float(w)) for (a, c), w in zip(pairs, weight, strict=True)]
        for floor in CORE_LEVELS[:60:6]:
            assert {creator for creator in range(12) if level[creator] >= floor} == peeled(edges, floor)


# ---- where to look


def test_pointers_lead_to_the_comments_behind_a_signal() -> None:
    def pointed(comments: list[Comment], pointer: str, creator: str) -> dict[str, float]:
        histories = _histories(_rows(comments))
        crowd = make_crowd([sketch_comments(histories)])
        salience = coordination_pointers(histories, crowd)[pointer]
        there = np.flatnonzero((histories.comments.owners == NAMES.index(creator)) & ~np.isnan(salience))
        authors = histories.authors[histories.comments["author"][there].astype(int)]
        return dict(zip(authors, salience[there].tolist(), strict=True))

    assert pointed(POD, "shared", "ann") == {"x1": 2.0, "x2": 2.0, "x3": 2.0}
    assert pointed(POD, "early_shared", "ann") == {"x1": 2.0, "x2": 2.0, "x3": 2.0}
    assert pointed(POD, "tight", "bob") == {"x1": 2.0, "x2": 2.0, "x3": 2.0}
    assert pointed(POD, "reciprocal", "dan") == {"eve": 1.0}
    assert pointed(FARM, "sitting", "fay") == {"x": 1.0}
    assert pointed(COPIED, "same_text", "fay") == {"y": 1.0}
    assert pointed(GROUP, "returning", "ann") == {f"r{n}": 3.0 for n in range(5)}
    alone = coordination_pointers(_histories(_rows(POD)))
    assert set(alone) == set(POINTERS)
    assert all(np.isnan(values).all() for values in alone.values())


# ---- real comments


@pytest.fixture(scope="module")
def real_tables(real_data: Path) -> Tables:
    """Instagram 2020: an owner's rows tell the alias under which a creator comments elsewhere."""
    folder = real_data / "instagram_kim2020"
    posts = pd.read_csv(folder / "posts.csv.gz", usecols=["post_id", "username", "taken_at", "likes", "comments"])
    posts = posts.drop_duplicates("post_id")
    comments = pd.read_csv(folder / "comments.csv.gz")
    own = comments[comments["is_owner"] == 1].drop_duplicates("commenter_hash")
    alias = own.set_index("commenter_hash")["username"]
    author = comments["commenter_hash"].map(alias).fillna("u_" + comments["commenter_hash"])
    names = sorted({*posts["username"], *comments["username"]})
    return check_tables(
        {
            "creators": pd.DataFrame({"creator_id": names, "platform": "instagram", "followers": None}),
            "posts": pd.DataFrame(
                {
                    "creator_id": posts["username"],
                    "post_id": posts["post_id"].astype(str),
                    "published_at": pd.to_datetime(posts["taken_at"], unit="s", utc=True),
                    "likes": posts["likes"],
                    "comments": posts["comments"],
                }
            ),
            "comments": pd.DataFrame(
                {
                    "creator_id": comments["username"],
                    "post_id": comments["post_id"].astype(str),
                    "comment_id": np.arange(len(comments)).astype(str),
                    "author_id": author.where(comments["is_owner"] == 0, comments["username"]),
                    "published_at": pd.to_datetime(comments["created_at"], unit="s", utc=True),
                    "text": comments["text"],
                }
            ),
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [5, 10, 20, 35, 50])
def test_a_pod_stands_out_among_real_comments_and_fans_do_not(size: int, real_tables: Tables) -> None:
    comments, posts = real_tables["comments"], real_tables["posts"]
    rng = np.random.default_rng(size)
    by_others = comments[comments["author_id"] != comments["creator_id"]].groupby("creator_id").size()
    covered = np.sort(by_others.index[by_others >= LEAST].to_numpy(dtype=object))
    members = rng.choice(covered, 3 * size, replace=False)
    known, hidden, liked = (members[n * size : (n + 1) * size].tolist() for n in range(3))
    injected = [
        pod_comments(posts, known, comments["text"], rng),
        pod_comments(posts, hidden, comments["text"], rng, hidden=True),
        fan_comments(posts, comments, liked, rng),
    ]
    tables = {**real_tables, "comments": pd.concat([comments, *injected], ignore_index=True)}
    signals = make_crowd([sketch_comments(make_histories(tables, AS_OF, imported_at=AS_OF))]).signals
    above = signals > signals[~signals.index.isin(members)].quantile(0.99)
    for pod, seen in ((known, (*EARLY[1:], *RECIPROCAL)), (hidden, EARLY[1:])):
        assert above.loc[pod, list(seen)].mean().min() >= 0.9
        assert above.loc[pod, EARLY[0]].mean() >= (0.9 if size > 5 else 0.6)
        assert (above.loc[pod, list(EARLY)].sum(axis=1) >= 2).mean() >= 0.9
    assert above.loc[liked, [*EARLY, *RECIPROCAL]].mean().max() <= 0.05
    assert (above.loc[liked, list(EARLY)].sum(axis=1) >= 2).mean() <= 0.05
    untouched = above[~above.index.isin(members)]
    assert (untouched[list(EARLY)].sum(axis=1) >= 2).mean() <= 0.01


def _camouflage(posts: pd.DataFrame, authors: Sequence[str], late: int, early: int, seed: int) -> pd.DataFrame:
    """Comments of each author under other creators, one a creator: late ones, and some within the first hour."""
    rng = np.random.default_rng(seed)
    first = posts.drop_duplicates("creator_id")
    under = pd.concat([first.iloc[rng.choice(len(first), late + early, replace=False)] for _ in authors])
    hours = np.tile(np.concatenate([rng.uniform(2, 48, late), rng.uniform(0.05, 0.95, early)]), len(authors))
    return pd.DataFrame(
        {
            "creator_id": under["creator_id"].to_numpy(),
            "post_id": under["post_id"].to_numpy(),
            "comment_id": [f"hide{n}" for n in range(len(under))],
            "author_id": np.repeat(np.array(authors, dtype=object), late + early),
            "published_at": under["published_at"].reset_index(drop=True)
            + pd.Series(pd.to_timedelta(np.rint(hours * 3600), unit="s")),
            "text": "nice",
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(("late", "early"), [(0, 0), (400, 0), (400, 60)])
def test_comments_elsewhere_hide_no_pod_of_twenty_at_sixty_percent(
    late: int, early: int, real_tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.pods.POD_RATES", (0.6, 0.6))
    comments, posts = real_tables["comments"], real_tables["posts"]
    rng = np.random.default_rng(20)
    by_others = comments[comments["author_id"] != comments["creator_id"]].groupby("creator_id").size()
    pod = rng.choice(np.sort(by_others.index[by_others >= LEAST].to_numpy(dtype=object)), 20, replace=False).tolist()
    written = pod_comments(posts, pod, comments["text"], rng, hidden=True)
    added = [written]
    if late + early:
        elsewhere = posts[~posts["creator_id"].isin(pod)]
        added.append(_camouflage(elsewhere, written["author_id"].unique().tolist(), late, early, seed=1))
    tables = check_tables({**real_tables, "comments": pd.concat([comments, *added], ignore_index=True)})
    signals = make_crowd([sketch_comments(make_histories(tables, AS_OF, imported_at=AS_OF))]).signals
    above = signals > signals[~signals.index.isin(pod)].quantile(0.99)
    assert above.loc[pod, list(EARLY)].mean().min() >= 0.9


@pytest.mark.parametrize("minutes", [59, 60, 61])
def test_an_hour_is_an_hour_at_any_time_of_day(minutes: int) -> None:
    posted = pd.date_range("2026-01-01T00:07:13Z", periods=60, freq="397min")
    tables = check_tables(
        {
            "creators": pd.DataFrame({"creator_id": ["a"], "platform": "instagram", "followers": [5]}),
            "posts": pd.DataFrame(
                {
                    "creator_id": "a",
                    "post_id": [str(n) for n in range(60)],
                    "published_at": posted,
                    "likes": 1,
                    "comments": 1,
                }
            ),
            "comments": pd.DataFrame(
                {
                    "creator_id": "a",
                    "post_id": [str(n) for n in range(60)],
                    "author_id": [f"fan{n}" for n in range(60)],
                    "published_at": posted + pd.Timedelta(minutes=minutes),
                    "text": "nice",
                }
            ),
        }
    )
    histories = _histories(tables)
    early = first_visits(histories, by_others(histories)).early
    assert early.tolist() == [minutes <= 60] * 60
