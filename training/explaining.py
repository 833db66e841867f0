"""Evidence that is checked: the fewest posts, days or comments without which a head would no longer be so sure.

Signals point at rows (`features.evidence`), but whether rows carry a decision is only known by taking them away. So for
each creator and head several orders of suspicion are tried (what signals point at, what stands out in counts and in
their ratios, the latest, the earliest), each in growing prefixes; every variant of the history is scored by the very
functions that score histories, and the smallest set that takes away half of what the probability has above its base
rate is the evidence. Where none does, the best one is given and said not to suffice.

A post goes with its comments. A day's followers are not dropped as a row, for the jump would only move to the next one:
that day's gain is made the usual one, and all later counts move by the difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from features.histories import days_since_epoch, make_histories
from features.segments import unexplained
from features.tables import Tables
from training.authenticity import AuthenticityModel, read_signals
from training.deliveries import floats

#: Part of the excess over the base rate that rows have to take away to be called sufficient.
ENOUGH = 0.5
#: Sizes of the sets that are tried; never so many that fewer than `LEFT` posts or days would be left.
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Orders that are tried first: most cases need no other, and each costs as many histories as there are sizes.
FIRST_ORDERS = ("deviation", "copies", "authors", "count unexplained")
LEFT = 12
#: Cases whose variants are in memory at once.
CASES = 64
#: Comments that have to be left, so that the signals of comments are known.
LEAST_COMMENTS = 20
#: What a head's count is held against: suspicious posts have much of the one for little of the other.
_RATIOS = {
    "bought_likes": (("likes", "comments"), ("likes", "views")),
    "bought_views": (("views", "likes"), ("views", "comments")),
    "comment_bots": (("comments", "likes"), ("comments", "views")),
    "engagement_pods": (("comments", "views"), ("comments", "likes")),
}
_COUNT = {"bought_likes": "likes", "bought_views": "views", "comment_bots": "comments", "engagement_pods": "comments"}
COLUMNS = ("creator_id", "head", "events", "order", "rows", "probability", "probability_without", "suffices", "tried")


#: What a history is, in the order of the fields of `_History`, and by what it is sorted.
_TIMES = {"posts": "published_at", "snapshots": "observed_at", "comments": "published_at"}


@dataclass(frozen=True)
class _Removal:
    """Rows to take from one creator: posts by id, comments by position, or days by position."""

    creator_id: str
    head: str
    events: str
    order: str
    rows: np.ndarray


@dataclass(frozen=True)
class _History:
    """One creator's rows, by position in the tables, in order of time."""

    posts: pd.DataFrame
    snapshots: pd.DataFrame
    comments: pd.DataFrame


def _split(tables: Tables, ids: Sequence[str]) -> dict[str, _History]:
    parts: dict[str, dict[str, pd.DataFrame]] = {}
    for name, time in _TIMES.items():
        if name in tables:
            frame = tables[name][tables[name]["creator_id"].isin(ids)].sort_values(time, kind="stable")
            parts[name] = {str(key): part for key, part in frame.groupby("creator_id", sort=False)}
    none = {name: tables[name].iloc[:0] if name in tables else pd.DataFrame() for name in _TIMES}
    return {one: _History(*(parts.get(name, {}).get(one, none[name]) for name in _TIMES)) for one in ids}


def _prefixes(order: np.ndarray, most: int) -> Iterator[np.ndarray]:
    for size in SIZES:
        if size > most:
            break
        yield order[:size]


def _last_seen(posts: pd.DataFrame) -> pd.DataFrame:
    if "observed_at" in posts:
        posts = posts.sort_values("observed_at", kind="stable", na_position="last")
    return posts.drop_duplicates("post_id", keep="last").sort_values("published_at", kind="stable")


def _post_orders(posts: pd.DataFrame, head: str) -> dict[str, np.ndarray]:
    """Positions of posts from the most suspicious on, by order."""
    count = np.log1p(floats(posts, _COUNT[head]))
    time = np.arange(len(posts))
    orders = {"latest": time[::-1], "earliest": time}
    scores = {"count": count}
    for over, under in _RATIOS[head]:
        scores[f"{over} over {under}"] = np.log1p(floats(posts, over)) - np.log1p(floats(posts, under))
    scores["count unexplained"] = _unexplained(posts, head)
    usual = pd.Series(count).rolling(9, center=True, min_periods=3).median().to_numpy()
    scores["count beside its neighbours"] = count - usual
    for name, score in scores.items():
        if np.isfinite(score).sum() >= LEFT:
            orders[name] = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    return orders


def _unexplained(posts: pd.DataFrame, head: str) -> np.ndarray:
    """What of the head's count the two others do not explain (`features.segments`), whatever no post has left out."""
    names = (_COUNT[head], *(other for _, other in _RATIOS[head]))
    logs = np.log1p([floats(posts, name) for name in dict.fromkeys(names)])
    beside = np.where(np.isfinite(logs[1:]).any(axis=1, keepdims=True), logs[1:], 0.0)
    return unexplained(logs[:1], beside[:, None])[0]


def _suspicion(posts: pd.DataFrame, head: str) -> np.ndarray:
    """How much of the head's count there is for what else there is, as logarithms; NaN where not known."""
    over = np.log1p(floats(posts, _COUNT[head]))
    under = [np.log1p(floats(posts, other)) for _, other in _RATIOS[head]]
    known = [other for other in under if np.isfinite(other).any()]
    return over - np.mean(known, axis=0) if known else over


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else -np.inf


def _comment_orders(comments: pd.DataFrame) -> dict[str, np.ndarray]:
    """Positions of comments: copies, busy authors, the short ones, or the earliest under their post first."""
    text = comments["text"].fillna("").str.casefold().str.strip()
    copies = text.groupby(text).transform("size").to_numpy(dtype=np.float64)
    authors = comments.groupby("author_id")["author_id"].transform("size").to_numpy(dtype=np.float64)
    length = text.str.len().to_numpy(dtype=np.float64)
    first = comments.groupby("post_id")["published_at"].rank(method="first").to_numpy(dtype=np.float64)
    scores = {"copies": copies - length / 1e4, "authors": authors, "short": -length, "first": -first}
    return {name: np.argsort(-score, kind="stable") for name, score in scores.items()}


def _gains(snapshots: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Followers, gain since the snapshot before (0 for the first) and usual gain of as many days."""
    followers = floats(snapshots, "followers")
    days = days_since_epoch(snapshots["observed_at"])
    gain = np.diff(followers, prepend=followers[:1])
    gap = np.diff(days, prepend=days[:1])
    rates = gain[1:] / np.maximum(gap[1:], 1e-6)
    rate = np.median(rates[np.isfinite(rates)]) if np.isfinite(rates).any() else 0.0
    return followers, gain, rate * gap


def _day_orders(snapshots: pd.DataFrame) -> dict[str, np.ndarray]:
    """Positions of snapshots: the largest deviations of their gain, the largest gains, and the busiest weeks."""
    _, gain, usual = _gains(snapshots)
    excess = np.nan_to_num(gain - usual)
    weekly = pd.Series(excess).rolling(7, center=True, min_periods=1).mean().to_numpy()
    scores = {"deviation": np.abs(excess), "gain": excess, "week": weekly}
    return {name: np.argsort(-score, kind="stable") for name, score in scores.items()}


def _removals(history: _History, creator_id: str, head: str, first: bool) -> Iterator[_Removal]:
    """The sets of rows that are tried for a case first, or all others."""
    if head == "bought_followers":
        sets = _day_sets(history)
    elif head in ("comment_bots", "engagement_pods"):
        sets = chain(_post_sets(history, head), _comment_sets(history))
    else:
        sets = _post_sets(history, head)
    for events, order, rows in sets:
        if first == (order in FIRST_ORDERS or " over " in order):
            yield _Removal(creator_id, head, events, order, rows)


def _day_sets(history: _History) -> Iterator[tuple[str, str, np.ndarray]]:
    if len(history.snapshots) > LEFT:
        for name, order in _day_orders(history.snapshots).items():
            for rows in _prefixes(order, len(order) // 2):
                yield "days", name, rows


def _post_sets(history: _History, head: str) -> Iterator[tuple[str, str, np.ndarray]]:
    posts = _last_seen(history.posts) if len(history.posts) else history.posts
    if len(posts) <= LEFT:
        return
    named, suspicion = posts["post_id"].to_numpy(dtype=object), _suspicion(posts, head)
    for name, order in _post_orders(posts, head).items():
        for rows in _prefixes(order, len(posts) - LEFT):
            # taking away what is inconspicuous may hide what is not, but is no evidence
            if _mean(suspicion[rows]) > _mean(suspicion[order[len(rows) :]]):
                yield "posts", name, named[rows]


def _comment_sets(history: _History) -> Iterator[tuple[str, str, np.ndarray]]:
    if len(history.comments) > LEAST_COMMENTS:
        for name, order in _comment_orders(history.comments).items():
            for rows in _prefixes(order, len(history.comments) - LEAST_COMMENTS):
                yield "comments", name, rows


def _without_days(snapshots: pd.DataFrame, rows: np.ndarray) -> tuple[pd.DataFrame, float]:
    """Snapshots in which some days brought the usual gain, and by how many followers the last one moved."""
    followers, gain, usual = _gains(snapshots)
    moved = np.zeros(len(snapshots))
    moved[rows] = np.nan_to_num(usual[rows] - gain[rows])
    shift = np.cumsum(moved)
    values = np.maximum(np.round(followers + shift), 0)
    missing = np.isnan(values)
    counts = pd.arrays.IntegerArray(np.where(missing, 0, values).astype(np.int64), missing)
    return snapshots.assign(followers=pd.Series(counts, index=snapshots.index)), float(shift[-1])


def _apply(history: _History, removal: _Removal) -> tuple[_History, float]:
    if removal.events == "days":
        snapshots, shift = _without_days(history.snapshots, removal.rows)
        return _History(history.posts, snapshots, history.comments), shift
    if removal.events == "comments":
        kept = np.ones(len(history.comments), dtype=bool)
        kept[removal.rows] = False
        return _History(history.posts, history.snapshots, history.comments[kept]), 0.0
    if not len(removal.rows):
        return history, 0.0
    posts = history.posts[~history.posts["post_id"].isin(removal.rows)]
    comments = history.comments
    if len(comments):
        comments = comments[~comments["post_id"].isin(removal.rows)]
    return _History(posts, history.snapshots, comments), 0.0


def _variants(tables: Tables, histories: dict[str, _History], removals: Sequence[_Removal]) -> Tables:
    """Tables in which variant number n of a creator has the id `n`, padded."""
    parts: dict[str, list[pd.DataFrame]] = {"posts": [], "snapshots": [], "comments": []}
    lengths: dict[str, list[int]] = {name: [] for name in parts}
    shifts = []
    for removal in removals:
        history, shift = _apply(histories[removal.creator_id], removal)
        shifts.append(shift)
        for name, frames in parts.items():
            part = getattr(history, name)
            lengths[name].append(len(part))
            if len(part):
                frames.append(part)
    keys = np.array([_variant_id(number) for number in range(len(removals))], dtype=object)
    made: Tables = {}
    for name, frames in parts.items():
        if frames:
            frame = pd.concat(frames, ignore_index=True)
            ids = pd.Series(np.repeat(keys, lengths[name]), dtype=frame["creator_id"].dtype)
            if "author_id" in frame:  # creators answer under their own posts
                own = (frame["author_id"] == frame["creator_id"]).fillna(False).to_numpy(dtype=bool)
                frame = frame.assign(author_id=frame["author_id"].mask(own, ids))
            made[name] = frame.assign(creator_id=ids)
        elif name in tables:
            made[name] = tables[name].iloc[:0]
    creators = tables["creators"].set_index("creator_id").loc[[removal.creator_id for removal in removals]]
    creators = creators.reset_index(drop=True)
    moved = np.maximum(floats(creators, "followers") + np.array(shifts), 0)
    missing = np.isnan(moved)
    counts = pd.arrays.IntegerArray(np.where(missing, 0, np.round(moved)).astype(np.int64), missing)
    made["creators"] = creators.assign(
        creator_id=pd.Series(keys, dtype=tables["creators"]["creator_id"].dtype), followers=counts
    )
    return made


def _variant_id(number: int) -> str:
    return f"v{number:08d}"


def _probabilities(
    model: AuthenticityModel, tables: Tables, as_of: pd.Timestamp, imported_at: pd.Timestamp, heads: Sequence[str]
) -> np.ndarray:
    """Probability of each variant's own head, NaN where it would not be assessed any more."""
    # variants are numbered in the order of their ids, which is that of histories
    scores = model.assess(read_signals(make_histories(tables, as_of, imported_at=imported_at)))
    return np.array([scores[f"{head}_probability"][number] for number, head in enumerate(heads)])


def explain(
    model: AuthenticityModel,
    tables: Tables,
    cases: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
) -> pd.DataFrame:
    """Find the rows that carry decisions.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables that hold the creators of `cases`.
    cases : DataFrame
        creator_id and head: decisions above the head's base rate of which it is asked why.
    as_of, imported_at : Timestamp
        As for `features.histories.make_histories`.

    Returns
    -------
    DataFrame
        One row a case that has any candidate, in `COLUMNS`: `rows` are post ids, or positions in the creator's
        comments or snapshots in order of time; `probability` is the head's by the creator's own history alone, and
        `probability_without` without the rows; `tried` sets of rows were the choice.
    """
    if len(cases) > CASES:
        parts = (cases.iloc[start : start + CASES] for start in range(0, len(cases), CASES))
        found = [explain(model, tables, part, as_of=as_of, imported_at=imported_at) for part in parts]
        return pd.concat([part for part in found if not part.empty] or found[:1], ignore_index=True)
    return _explain(model, tables, cases, as_of, imported_at)


def _explain(
    model: AuthenticityModel, tables: Tables, cases: pd.DataFrame, as_of: pd.Timestamp, imported_at: pd.Timestamp
) -> pd.DataFrame:
    """Best set of rows of each of a few cases."""
    found = _tried(model, tables, cases, as_of, imported_at, first=True)
    keys = pd.MultiIndex.from_frame(cases[["creator_id", "head"]])
    done = pd.MultiIndex.from_frame(found.loc[found["suffices"].astype(bool), ["creator_id", "head"]])
    other = _tried(model, tables, cases[~keys.isin(done)], as_of, imported_at, first=False)
    parts = [part for part in (found, other) if not part.empty]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    both = pd.concat(parts, ignore_index=True).sort_values(["rank", "probability_without"], kind="stable")
    both["tried"] = both.groupby(["creator_id", "head"])["rank"].transform("size")
    return both.drop_duplicates(["creator_id", "head"])[list(COLUMNS)].reset_index(drop=True)


def _tried(
    model: AuthenticityModel,
    tables: Tables,
    cases: pd.DataFrame,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
    *,
    first: bool,
) -> pd.DataFrame:
    """Every set of rows that was tried, with `rank`: the best of a case has the lowest."""
    histories = _split(tables, cases["creator_id"].unique().tolist())
    pairs = list(zip(cases["creator_id"], cases["head"], strict=True))
    removals = [removal for pair in pairs for removal in _removals(histories[pair[0]], *pair, first)]
    if not removals:
        return pd.DataFrame(columns=list(COLUMNS))
    whole = [_Removal(*pair, "posts", "", np.empty(0, dtype=object)) for pair in pairs]
    heads = [removal.head for removal in (*whole, *removals)]
    tried = _variants(tables, histories, [*whole, *removals])
    scored = _probabilities(model, tried, as_of, imported_at, heads)
    before = pd.Series(scored[: len(whole)], index=pd.MultiIndex.from_tuples(pairs))
    found = pd.DataFrame(
        {
            "creator_id": [removal.creator_id for removal in removals],
            "head": heads[len(whole) :],
            "events": [removal.events for removal in removals],
            "order": [removal.order for removal in removals],
            "rows": [removal.rows for removal in removals],
            "probability_without": scored[len(whole) :],
        }
    )
    found["probability"] = before.loc[pd.MultiIndex.from_frame(found[["creator_id", "head"]])].to_numpy()
    base = found["head"].map(model.base_rates)
    found = found[found["probability"] > base]
    excess = found["probability"] - base.loc[found.index]
    found["lost"] = (found["probability"] - found["probability_without"]) / excess
    found = found.dropna(subset=["lost"])
    found["suffices"] = found["lost"] >= ENOUGH
    found["size"] = found["rows"].map(len)
    # the smallest that suffices; where none does, the one that takes most away
    found["rank"] = np.where(found["suffices"], found["size"], 1e6 - found["lost"])
    return found


def faithfulness(
    model: AuthenticityModel,
    tables: Tables,
    found: pd.DataFrame,
    rng: np.random.Generator,
    *,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
    searches: int = 2,
) -> pd.DataFrame:
    """What as many other rows, drawn at random, take away.

    The evidence is the best of many sets, so that even sets that mean nothing would look like something: beside the
    mean of random sets stands the best of as many random sets as were tried.

    Parameters
    ----------
    found : DataFrame
        As `explain` returns it.

    Returns
    -------
    DataFrame
        creator_id, head, `lost`, `lost_at_random` and `lost_at_best_random`: parts of the excess over the base rate
        that the evidence takes away, that sets of as many other rows do on average, and that the best of an equal
        search among them does, on average over `searches` searches; `size` of the evidence.
    """
    histories = _split(tables, found["creator_id"].unique().tolist())
    base = found["head"].map(model.base_rates).to_numpy()
    excess = found["probability"].to_numpy() - base
    rows = []
    for case, above in zip(found.to_dict("records"), excess, strict=True):
        history = histories[case["creator_id"]]
        everything = {
            "days": np.arange(len(history.snapshots)),
            "comments": np.arange(len(history.comments)),
            "posts": history.posts["post_id"].unique() if len(history.posts) else np.empty(0, dtype=object),
        }[case["events"]]
        others = everything[~pd.Index(everything).isin(case["rows"])]
        size, draws = len(case["rows"]), case["tried"] * searches
        if size > len(others):  # nothing of the same size is left to compare with
            others = everything
        removals = [
            _Removal(
                case["creator_id"],
                case["head"],
                case["events"],
                "random",
                np.sort(rng.choice(others, size, replace=False)),
            )
            for _ in range(draws)
        ]
        variants = _variants(tables, histories, removals)
        without = _probabilities(model, variants, as_of, imported_at, [case["head"]] * draws)
        at_random = ((case["probability"] - without) / above).reshape(searches, -1)
        rows.append(
            {
                "creator_id": case["creator_id"],
                "head": case["head"],
                "lost": (case["probability"] - case["probability_without"]) / above,
                "lost_at_random": float(np.mean(np.nan_to_num(at_random))),
                "lost_at_best_random": float(np.mean(np.max(np.nan_to_num(at_random), axis=1))),
                "size": len(case["rows"]),
            }
        )
    return pd.DataFrame(rows, columns=["creator_id", "head", "lost", "lost_at_random", "lost_at_best_random", "size"])


def rows_in_words(tables: Tables, found: pd.DataFrame) -> list[list[dict[str, str | None]]]:
    """The rows of `explain`, as people would look them up.

    Returns
    -------
    list of list of dict
        For each case: events, id (of the post or comment; null for days) and at (ISO time, UTC), in order of time.
    """
    histories = _split(tables, found["creator_id"].unique().tolist())
    named = []
    for case in found.to_dict("records"):
        history = histories[case["creator_id"]]
        if case["events"] == "posts":
            posts = _last_seen(history.posts)
            rows = posts[posts["post_id"].isin(case["rows"])]
            ids, times = rows["post_id"], rows["published_at"]
        elif case["events"] == "comments":
            rows = history.comments.iloc[np.sort(case["rows"])]
            ids = rows["comment_id"] if "comment_id" in rows else pd.Series(None, index=rows.index, dtype="object")
            times = rows["published_at"]
        else:
            times = history.snapshots.iloc[np.sort(case["rows"])]["observed_at"]
            ids = pd.Series(None, index=times.index, dtype="object")
        named.append(
            [
                {"events": case["events"], "id": None if pd.isna(one) else str(one), "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
                for one, at in zip(ids, times, strict=True)
            ]
        )
    return named
