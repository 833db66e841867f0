"""Simulated manipulation, as attackers buy it, injected into any histories.

A `Vendor` is a draw of habits. `plan_campaigns` decides who buys what from whom, `inject_campaigns` adds it to the
tables and keeps what is true: which creators, which heads, and what part of each count at the last observation is
manufactured. Everything added here is simulated, also where the histories are real.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.histories import days_since_epoch
from features.tables import HEADS, TEXT, TIME, Tables
from training.bots import comment_rows
from training.deliveries import HABITS, NUMBERS, bots_following, floats, last_moment, pairs, post_deliveries, seen_days
from training.rounding import detect_rounding, round_counts
from training.vendors import FOLLOWER_LOTS, Vendor, draw_log_uniform, draw_vendors

__all__ = ["POPULARITY", "SIZES", "Vendor", "draw_vendors", "inject_campaigns", "label_rows", "plan_campaigns"]

#: Bought amounts over what is there, log-uniform: from barely visible to gross. Assumed.
SIZES = {
    "bought_followers": (0.06, 1.5),
    "bought_likes": (0.6, 6.0),
    "bought_views": (1.5, 15.0),
    "comment_bots": (1.5, 15.0),
    "engagement_pods": (0.15, 2.0),
}
#: How often a manipulator buys each kind; some buy several (assumed).
POPULARITY = {
    "bought_followers": 0.50,
    "bought_likes": 0.38,
    "bought_views": 0.30,
    "comment_bots": 0.26,
    "engagement_pods": 0.30,
}

#: What else of its seller a campaign carries.
_SELLER = ("vendor_id", "seed", "accounts", "wording")

#: Counts that campaigns change.
_CHANGED = {
    "creators": ("followers",),
    "posts": ("likes", "comments", "views"),
    "snapshots": ("followers", "total_views"),
}
# what a creator's tables hold, and so which campaigns have anything to work on
_LEAST_ROWS = 3
# and where comments were collected instead
_LEAST_COMMENTS = 10
#: Pods are 20–200 people, up to 30 in a chat (spendvet.com; digiday): they do nothing for posts with more likes than
#: this (assumed).
_POD_LIKES = 4_000


def _standing(tables: Tables) -> pd.DataFrame:
    """What a buyer knows of each creator: followers, usual counts, times of posts and snapshots; by creator_id."""
    creators, posts = tables["creators"].set_index("creator_id"), tables["posts"]
    counts = pd.DataFrame({name: floats(posts, name) for name in ("likes", "comments", "views")})
    counts["creator_id"] = posts["creator_id"].to_numpy()
    groups = counts.groupby("creator_id", sort=False)
    standing = pd.DataFrame({"followers": floats(creators, "followers")}, index=creators.index)
    for name in ("likes", "comments", "views"):
        standing[name] = groups[name].median()
        standing[f"{name}_known"] = groups[name].count()
    snapshots = tables.get("snapshots", pd.DataFrame({"creator_id": pd.Series(dtype=TEXT)}))
    taken = pd.DataFrame({"followers": floats(snapshots, "followers")})
    taken["day"] = days_since_epoch(snapshots["observed_at"]) if "observed_at" in snapshots else np.nan
    taken["creator_id"] = snapshots["creator_id"].to_numpy()
    known = taken.dropna().groupby("creator_id", sort=False)
    standing["snapshots_known"] = known["day"].count()
    standing["first_snapshot"], standing["last_snapshot"] = known["day"].min(), known["day"].max()
    standing["followers"] = standing["followers"].fillna(known["followers"].median())
    collected = tables.get("comments", pd.DataFrame({"creator_id": pd.Series(dtype=TEXT)}))
    standing["collected"] = collected.groupby("creator_id", sort=False).size()
    return standing.fillna(
        dict.fromkeys(("likes_known", "comments_known", "views_known", "snapshots_known", "collected"), 0)
    )


def _possible(standing: pd.DataFrame) -> pd.DataFrame:
    """Which kinds have something to work on: bool, creators × heads."""
    enough = {name: standing[f"{name}_known"] >= _LEAST_ROWS for name in ("likes", "comments", "views", "snapshots")}
    talked = (standing["collected"] >= _LEAST_COMMENTS) & (standing["comments_known"] > 0)
    return pd.DataFrame(
        {
            "bought_followers": enough["snapshots"] & (standing["followers"] > 0),
            "bought_likes": enough["likes"] & (standing["likes"] > 0),
            "bought_views": enough["views"] & (standing["views"] > 0),
            "comment_bots": enough["comments"] | talked,
            "engagement_pods": ((enough["likes"] & enough["comments"]) | (talked & (standing["likes_known"] > 0)))
            & (standing["likes"] <= _POD_LIKES),
        }
    )[list(HEADS)]


def _shopping(possible: np.ndarray, wanted: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Who buys what, bool of the shape of `possible`.

    A manipulator wants at least one kind. What a creator's tables cannot show is not bought: so each kind is as common
    among creators who carry only that one as among all, and a probability means the same for both.
    """
    able = np.flatnonzero(possible.any(axis=1))
    buyers = rng.permutation(able)[: round(share * able.size)]
    wants = rng.random((buyers.size, len(HEADS))) < wanted
    empty = ~wants.any(axis=1)
    first = np.argmax(wanted * rng.random((int(empty.sum()), len(HEADS))), axis=1)
    wants[np.flatnonzero(empty), first] = True
    bought = np.zeros_like(possible)
    bought[buyers] = possible[buyers] & wants
    return bought


def plan_campaigns(
    tables: Tables,
    vendors: Sequence[Vendor],
    rng: np.random.Generator,
    *,
    share: float = 0.35,
    heads: Sequence[str] = HEADS,
) -> pd.DataFrame:
    """Decide who buys what, when, how much and from whom.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables; a kind of campaign is only planned for creators with at least three rows of what it changes.
    vendors : sequence of Vendor
        At least one.
    rng : Generator
    share : float
        Part that wants to buy anything, of the creators whose tables can show some kind; 10–40 % is what surveys leave
        open. Who wants only what their tables cannot show buys nothing.
    heads : sequence of str
        Kinds that are bought at all.

    Returns
    -------
    DataFrame
        One row a campaign: creator_id, head, vendor_id, started_at and ended_at (UTC), `amount` (followers delivered,
        or likes, views or comments a post, or members of the pod), `posts_share` (part of the posts in that time),
        the seller's habits by the names of `Vendor`, and `price` (US dollars for all of it). `purged_after` is in days,
        NaN where no purge comes.
    """
    standing = _standing(tables)
    wanted = np.array([POPULARITY[head] if head in heads else 0.0 for head in HEADS])
    bought = _shopping(_possible(standing).to_numpy(), wanted, rng, share)
    posted = _post_days(tables, standing.index)
    rows = []
    for creator in np.flatnonzero(bought.any(axis=1)):
        usual = vendors[int(rng.integers(len(vendors)))]
        facts, days = standing.iloc[creator], posted[creator]
        for head in (HEADS[position] for position in np.flatnonzero(bought[creator])):
            vendor = usual if rng.random() < 0.7 else vendors[int(rng.integers(len(vendors)))]
            if head == "bought_followers":
                rows += _follower_orders(facts, vendor, rng)
            else:
                rows.append(_post_order(head, facts, days, vendor, rng))
    frame = pd.DataFrame(rows, columns=["creator_id", "head", *NUMBERS, *HABITS, *_SELLER, "price"])
    for name in ("started_at", "ended_at"):
        moments = pd.to_datetime(np.round(frame[name].to_numpy(dtype=np.float64) * 86_400), unit="s", utc=True)
        frame[name] = pd.Series(moments, index=frame.index).astype(TIME)
    texts = dict.fromkeys(("creator_id", "head", "vendor_id", "wording"), TEXT)
    return frame.astype({**texts, "seed": "int64", "accounts": "int64", "price": "float64"})


def _post_days(tables: Tables, creators: pd.Index) -> list[np.ndarray]:
    posts = tables["posts"][["creator_id", "post_id", "published_at"]].drop_duplicates(["creator_id", "post_id"])
    owner = creators.get_indexer(pd.Index(posts["creator_id"]))
    days = days_since_epoch(posts["published_at"])
    order = np.lexsort((days, owner))
    bounds = np.searchsorted(owner[order], np.arange(1, len(creators)))
    return np.split(days[order], bounds)


def _row(facts: pd.Series, head: str, vendor: Vendor) -> dict[str, object]:
    habits = {name: getattr(vendor, name) for name in (*HABITS, *_SELLER)}
    return {"creator_id": facts.name, "head": head, "posts_share": 1.0, "purged_after": np.nan, "purged": 0.0} | habits


def _follower_orders(facts: pd.Series, vendor: Vendor, rng: np.random.Generator) -> list[dict[str, object]]:
    orders = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.25, 0.12, 0.08]))
    size = draw_log_uniform(rng, *SIZES["bought_followers"]) / orders
    lot = vendor.follower_lot if size * facts["followers"] >= vendor.follower_lot else FOLLOWER_LOTS[0]
    span = facts["last_snapshot"] - facts["first_snapshot"]
    rows = []
    for _ in range(orders):
        ordered = max(1, round(size * facts["followers"] / lot)) * lot
        purged = rng.random() < vendor.purge
        start = facts["first_snapshot"] + span * rng.uniform(-0.30, 0.92)
        rows.append(
            _row(facts, "bought_followers", vendor)
            | {
                "started_at": start + vendor.start_delay,
                "ended_at": start + vendor.start_delay + vendor.delivery_days,
                "amount": float(round(ordered * vendor.delivered)),
                "price": ordered * vendor.prices["followers"] / 1_000,
                "purged_after": rng.uniform(3, 90) if purged else np.nan,
                "purged": rng.uniform(0.3, 0.9) if purged else 0.0,
            }
        )
    return rows


def _post_order(
    head: str, facts: pd.Series, days: np.ndarray, vendor: Vendor, rng: np.random.Generator
) -> dict[str, object]:
    counted = {"bought_likes": "likes", "bought_views": "views", "comment_bots": "comments", "engagement_pods": "likes"}
    target = draw_log_uniform(rng, *SIZES[head]) * max(float(facts[counted[head]]), 1.0)
    if head == "engagement_pods":
        amount = float(np.clip(round(target / vendor.pod_presence), 20, 200))
    else:
        lot = vendor.post_lot if target >= vendor.post_lot else 5
        amount = max(1, round(target / lot)) * lot * vendor.delivered
    # some always did, others began one day, and some stopped again
    always = rng.random() < 0.15
    first = 0 if always else int(rng.uniform(0.1, 0.8) * days.size)
    start = days[first] - 0.01
    stops = rng.random() < (0.15 if head == "engagement_pods" else 0.25)
    end = start + draw_log_uniform(rng, 20, 150) if stops else days[-1] + 1
    picky = rng.random() < {"bought_likes": 0.5, "bought_views": 0.5, "comment_bots": 0.35}.get(head, 0.0)
    posts_share = float(rng.uniform(0.2, 0.7)) if picky else float(rng.uniform(0.85, 1.0))
    bought = posts_share * np.count_nonzero((days >= start) & (days <= end))
    if head == "engagement_pods":
        price = vendor.prices["pod"] * max(1.0, (end - start) / 30)
    else:
        price = amount * bought * vendor.prices[counted[head]] / 1_000
    return _row(facts, head, vendor) | {
        "started_at": start,
        "ended_at": end,
        "amount": amount,
        "posts_share": posts_share,
        "price": price,
    }


def _follower_bots(frame: pd.DataFrame, day: np.ndarray, ids: pd.Index, campaigns: pd.DataFrame) -> np.ndarray:
    """Bought followers at each row of a table with creator_id, float64 of shape (rows,)."""
    bots = np.zeros(len(frame))
    owner = ids.get_indexer(pd.Index(frame["creator_id"]))
    campaign, row = pairs(owner, ids.get_indexer(pd.Index(campaigns["creator_id"])))
    np.add.at(bots, row, bots_following(campaigns, campaign, day[row]))
    return bots


def _add(frame: pd.DataFrame, column: str, added: np.ndarray, ids: pd.Index) -> pd.DataFrame:
    """Add to a count, null staying null, and round the sum as the creator's other counts are."""
    if column not in frame or not added.any():
        return frame
    owner = ids.get_indexer(pd.Index(frame["creator_id"]))
    organic = floats(frame, column)
    rounding = detect_rounding(organic, owner, len(ids))[owner]
    changed = (added > 0) & ~np.isnan(organic)
    total = np.where(changed, round_counts(organic + added, rounding), organic)
    missing = np.isnan(total)
    values = pd.arrays.IntegerArray(np.where(missing, 0, total).astype(np.int64), missing)
    return frame.assign(**{column: pd.Series(values, index=frame.index)})


def inject_campaigns(tables: Tables, campaigns: pd.DataFrame, rng: np.random.Generator) -> tuple[Tables, pd.DataFrame]:
    """Add campaigns to histories.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables; they are not changed. Every count becomes organic + manufactured, rounded as that creator's
        counts are published; rows of creators without campaigns stay as they are; missing counts stay missing.
    campaigns : DataFrame
        As `plan_campaigns` returns it.
    rng : Generator

    Returns
    -------
    tables : dict of str to DataFrame
        New frames where something changed. Where there is a `comments` table, bots and pods write into it.
    truth : DataFrame
        Indexed by creator_id, every creator: a bool column per head (something of it can be seen), `any_manipulation`,
        and `inauthentic_<followers|likes|views|comments>_share`: the manufactured part of what the last observations
        count, 0 where nothing is, between 0 and 1.

    Raises
    ------
    ValueError
        Where a campaign's creator is not in the creators table.
    """
    ids = pd.Index(tables["creators"]["creator_id"], name="creator_id")
    unknown = campaigns.loc[~campaigns["creator_id"].isin(ids), "creator_id"]
    if not unknown.empty:
        message = f"campaigns of creators that the creators table does not have: {', '.join(unknown.unique()[:5])}"
        raise ValueError(message)
    truth = pd.DataFrame(False, index=ids, columns=[*HEADS, "any_manipulation"])
    truth[[f"inauthentic_{name}_share" for name in ("followers", "likes", "views", "comments")]] = 0.0
    injected = dict(tables)
    _inject_followers(injected, campaigns[campaigns["head"] == "bought_followers"].reset_index(drop=True), truth)
    _inject_posts(injected, campaigns[campaigns["head"] != "bought_followers"].reset_index(drop=True), truth, rng)
    truth["any_manipulation"] = truth[list(HEADS)].any(axis=1)
    return injected, truth


def label_rows(organic: Tables, injected: Tables) -> pd.DataFrame:
    """Which rows `inject_campaigns` changed or added.

    Parameters
    ----------
    organic, injected : dict of str to DataFrame
        What it was given, and what it returned: rows stay in their places, new comments come after the others.

    Returns
    -------
    DataFrame
        One row a changed count or added comment: `table`, `row` (position in the injected table), `creator_id`,
        `column` (the count; "text" where the whole comment was added), `organic` and `published` (the count before and
        after, with its rounding; 0 and 1 for an added comment).
    """
    parts = []
    for table, columns in _CHANGED.items():
        for column in columns:
            if column in organic.get(table, ()):
                before, after = floats(organic[table], column), floats(injected[table], column)
                rows = np.flatnonzero(before != after)
                rows = rows[~np.isnan(before[rows])]
                parts.append(_labels(injected[table], table, column, rows, before[rows], after[rows]))
    if "comments" in organic:
        rows = np.arange(len(organic["comments"]), len(injected["comments"]))
        parts.append(_labels(injected["comments"], "comments", "text", rows, np.zeros(rows.size), np.ones(rows.size)))
    return pd.concat(parts, ignore_index=True)


def _labels(
    frame: pd.DataFrame, table: str, column: str, rows: np.ndarray, organic: np.ndarray, published: np.ndarray
) -> pd.DataFrame:
    owners = frame["creator_id"].to_numpy()[rows]
    about = {"table": table, "row": rows, "creator_id": owners, "column": column}
    return pd.DataFrame(about | {"organic": organic, "published": published})


def _inject_followers(injected: Tables, campaigns: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Put bought followers into the tables of `injected`, and what is true of them into `truth`."""
    ids, creators = truth.index, injected["creators"]
    last_seen = np.full(len(ids), last_moment(injected))
    snapshots = injected.get("snapshots", pd.DataFrame())
    last: tuple[np.ndarray, ...] = (np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    if not snapshots.empty:
        taken, organic = days_since_epoch(snapshots["observed_at"]), floats(snapshots, "followers")
        bots = np.where(np.isnan(organic), 0.0, _follower_bots(snapshots, taken, ids, campaigns))
        owner = ids.get_indexer(pd.Index(snapshots["creator_id"]))
        truth["bought_followers"] |= np.bincount(owner, weights=bots, minlength=len(ids)) > 0
        order = np.argsort(taken, kind="stable")
        order = order[~np.isnan(organic[order])]
        last_seen[owner[order]] = taken[order]  # later snapshots overwrite earlier ones
        last = (owner[order], organic[order], bots[order])
        injected["snapshots"] = _add(snapshots, "followers", bots, ids)
    seen = seen_days(creators, np.nan)
    organic = floats(creators, "followers")
    bots = _follower_bots(creators, np.where(np.isnan(seen), last_seen, seen), ids, campaigns)
    bots = np.where(np.isnan(organic), 0.0, bots)
    injected["creators"] = _with_bots(creators, bots, injected, ids)
    truth["bought_followers"] |= bots > 0
    organic, bots = np.nan_to_num(organic), bots.copy()
    organic[last[0]], bots[last[0]] = last[1], last[2]
    truth["inauthentic_followers_share"] = _share(bots, organic + bots)


def _with_bots(creators: pd.DataFrame, bots: np.ndarray, injected: Tables, ids: pd.Index) -> pd.DataFrame:
    """Followers of the creators table with bots, rounded as the creator's snapshots are."""
    if not bots.any():
        return creators
    counts = floats(creators, "followers")
    rounding = np.zeros(len(ids), dtype=np.int64)
    if "snapshots" in injected:
        snapshots = injected["snapshots"]
        owner = ids.get_indexer(pd.Index(snapshots["creator_id"]))
        rounding = detect_rounding(floats(snapshots, "followers"), owner, len(ids))
    changed = (bots > 0) & ~np.isnan(counts)
    total = np.where(changed, round_counts(counts + bots, rounding), counts)
    missing = np.isnan(total)
    values = pd.arrays.IntegerArray(np.where(missing, 0, total).astype(np.int64), missing)
    return creators.assign(followers=pd.Series(values, index=creators.index))


def _share(made: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(made, total, out=np.zeros(made.shape), where=total > 0)


def _inject_posts(injected: Tables, campaigns: pd.DataFrame, truth: pd.DataFrame, rng: np.random.Generator) -> None:
    """Put likes, comments and views into the tables of `injected`, and what is true of them into `truth`."""
    ids, posts = truth.index, injected["posts"].reset_index(drop=True)
    seen = seen_days(posts, last_moment(injected))
    deliveries = post_deliveries(posts, seen, ids, campaigns, rng)
    owner = ids.get_indexer(pd.Index(posts["creator_id"]))
    latest = _latest(posts, seen)
    made, visible = {}, np.zeros(len(deliveries), dtype=bool)
    for name in ("likes", "comments", "views"):
        known = ~np.isnan(floats(posts, name))
        amount = deliveries[name].to_numpy() * known[deliveries["row"]]
        deliveries[name] = amount
        visible |= amount > 0
        made[name] = np.bincount(deliveries["row"], weights=amount, minlength=len(posts))
        organic = np.nan_to_num(floats(posts, name))
        manufactured, total = (
            np.bincount(owner[latest], weights=values[latest], minlength=len(ids))
            for values in (made[name], organic + made[name])
        )
        truth[f"inauthentic_{name}_share"] = _share(manufactured, total)
    shown = deliveries[visible]
    heads = campaigns["head"].to_numpy()[shown["campaign"]]
    for head in HEADS[1:]:
        truth.loc[truth.index[np.unique(owner[shown["row"].to_numpy()[heads == head]])], head] = True
    if "comments" in injected:
        injected["comments"] = _with_comments(injected, posts, seen, latest, deliveries, campaigns, rng)
    if "snapshots" in injected:
        injected["snapshots"] = _with_total_views(injected["snapshots"], posts, made["views"], latest, ids)
    for name, amount in made.items():
        posts = _add(posts, name, amount, ids)
    injected["posts"] = posts


def _latest(posts: pd.DataFrame, seen: np.ndarray) -> np.ndarray:
    """Mask of each post's last observation."""
    ordered = posts[["creator_id", "post_id"]].assign(seen=seen).sort_values("seen", kind="stable")
    mask = np.zeros(len(posts), dtype=bool)
    mask[ordered.index[~ordered.duplicated(["creator_id", "post_id"], keep="last")]] = True
    return mask


def _with_total_views(
    snapshots: pd.DataFrame, posts: pd.DataFrame, views: np.ndarray, latest: np.ndarray, ids: pd.Index
) -> pd.DataFrame:
    """A channel's total counts the views its posts were sold, from the day each was published."""
    rows = np.flatnonzero(latest & (views > 0))
    if "total_views" not in snapshots or rows.size == 0:
        return snapshots
    owner = ids.get_indexer(pd.Index(posts["creator_id"]))[rows]
    day = days_since_epoch(posts["published_at"])[rows] + 0.5
    order = np.lexsort((day, owner))
    owner, day, total = owner[order], day[order], np.concatenate([[0.0], np.cumsum(views[rows][order])])
    # one axis for all creators: a creator's days never reach the next creator's
    wide = 100_000.0
    row_owner = ids.get_indexer(pd.Index(snapshots["creator_id"]))
    until = np.searchsorted(
        owner * wide + day, row_owner * wide + days_since_epoch(snapshots["observed_at"]), side="right"
    )
    begin = np.searchsorted(owner, row_owner, side="left")
    return _add(snapshots, "total_views", total[until] - total[begin], ids)


def _with_comments(
    injected: Tables,
    posts: pd.DataFrame,
    seen: np.ndarray,
    latest: np.ndarray,
    deliveries: pd.DataFrame,
    campaigns: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The comments table with what bots wrote: as large a part of it as the table has of the organic comments."""
    comments = injected["comments"]
    chosen = deliveries[latest[deliveries["row"]] & (deliveries["comments"] > 0)]
    rows = chosen["row"].to_numpy()
    keys = posts.loc[rows, ["creator_id", "post_id"]].reset_index(drop=True)
    collected = comments.groupby(["creator_id", "post_id"]).size().rename("collected").reset_index()
    there = keys.merge(collected, how="left", on=["creator_id", "post_id"])["collected"].fillna(0).to_numpy(dtype=float)
    part = np.clip(_share(there, np.nan_to_num(floats(posts, "comments"))[rows]), 0, 1)
    creators = injected["creators"].set_index("creator_id")
    language = creators["language"] if "language" in creators else pd.Series(None, index=creators.index, dtype=TEXT)
    plan = campaigns.iloc[chosen["campaign"]].reset_index(drop=True)
    published = posts["published_at"].iloc[rows].reset_index(drop=True)
    hours = np.where(plan["head"] == "engagement_pods", 1.0, plan["post_delivery_hours"])
    accounts = np.where(plan["head"] == "engagement_pods", plan["amount"], plan["accounts"])
    written = keys.assign(
        language=language.reindex(keys["creator_id"]).to_numpy(),
        seed=plan["seed"],
        accounts=accounts,
        wording=plan["wording"],
        count=rng.binomial(chosen["comments"].to_numpy().astype(np.int64), part),
        first=published,
        days=np.minimum(hours / 24, seen[rows] - days_since_epoch(published)),
    )
    return pd.concat([comments, comment_rows(written, rng).reindex(columns=comments.columns)], ignore_index=True)
