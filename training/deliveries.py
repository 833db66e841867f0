"""What a planned campaign brings to a row by the moment it was seen."""

import numpy as np
import pandas as pd

from features.histories import days_since_epoch
from features.tables import Tables

#: Refill only after a drop of 5 % or more, within 24–72 hours (a seller's public order page).
REFILL_AT = 0.95
#: Days since 1970 as float64 are good to a tenth of a microsecond: whole numbers must not fall to the one below.
_ROUNDOFF = 1e-6


#: Columns of a campaign that are numbers of its own, and habits of its vendor.
NUMBERS = ("started_at", "ended_at", "amount", "posts_share", "purged_after", "purged")
HABITS = (
    "delivery_days", "post_delivery_hours", "retention", "refill_days", "refill_delay", "scatter", "likes_with_views",
    "comments_with_likes", "pod_presence", "pod_talk",
)  # fmt: skip


def floats(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, NaN where it is null or missing altogether."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def last_moment(tables: Tables) -> float:
    """Latest moment any row knows of, in days since 1970: what rows without `observed_at` are taken to be seen at."""
    moments = [
        days_since_epoch(frame[column])
        for frame in tables.values()
        for column in ("published_at", "observed_at")
        if column in frame
    ]
    return float(np.nanmax(np.concatenate([*moments, [0.0]])))


def seen_days(frame: pd.DataFrame, otherwise: float) -> np.ndarray:
    """When each row was seen, in days since 1970; `otherwise` where that is not known."""
    if "observed_at" not in frame:
        return np.full(len(frame), otherwise)
    seen = days_since_epoch(frame["observed_at"])
    return np.where(np.isnan(seen), otherwise, seen)


def bots_following(campaigns: pd.DataFrame, campaign: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Bought followers of a campaign still there at a moment.

    They come in daily packets over `delivery_days`, leave so that `retention` is left after four weeks, lose `purged`
    of them `purged_after` days in, and are topped up `refill_delay` days after each drop of 5 % while the guarantee of
    `refill_days` lasts: a sawtooth.

    Parameters
    ----------
    campaigns : DataFrame
        As `plan_campaigns` returns it.
    campaign : ndarray of int, shape (moments,)
        Positions of campaigns.
    day : ndarray of float64, shape (moments,)
        Days since 1970.

    Returns
    -------
    ndarray of float64, shape (moments,)
        Whole numbers.
    """
    numbers = {
        name: campaigns[name].to_numpy(dtype=np.float64)[campaign]
        for name in ("amount", "delivery_days", "retention", "refill_days", "refill_delay", "purged_after", "purged")
    }
    age = day - days_since_epoch(campaigns["started_at"])[campaign]
    length = numbers["delivery_days"]
    packets = np.maximum(np.ceil(length), 1) * 4  # four deliveries a day
    arrived = np.clip(np.floor(np.maximum(age, 0) / length * packets) / packets, 0, 1)
    hazard = np.maximum(-np.log(numbers["retention"]) / 28, 1e-12)
    since = np.maximum(age - length / 2, 0)
    period = -np.log(REFILL_AT) / hazard + numbers["refill_delay"]
    guaranteed = np.minimum(since, numbers["refill_days"])
    # within the guarantee the clock starts again at each refill
    lost = np.where(since <= numbers["refill_days"], since % period, guaranteed % period + since - guaranteed)
    purge = age - numbers["purged_after"]
    refilled = (numbers["purged_after"] + numbers["refill_delay"] <= numbers["refill_days"]) & (
        purge > numbers["refill_delay"]
    )
    left = np.where((purge > 0) & ~refilled, 1 - numbers["purged"], 1.0)
    return np.floor(numbers["amount"] * arrived * np.exp(-hazard * lost) * left + _ROUNDOFF)


def pairs(owner: np.ndarray, campaign_owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every (campaign, row) of the same creator: positions of campaigns and of rows."""
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], campaign_owner, side="left")
    count = np.searchsorted(owner[order], campaign_owner, side="right") - first
    campaign = np.repeat(np.arange(campaign_owner.size), count)
    within = np.arange(campaign.size) - np.repeat(np.cumsum(count) - count, count)
    return campaign, order[first[campaign] + within]


def post_deliveries(
    posts: pd.DataFrame, seen: np.ndarray, ids: pd.Index, campaigns: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """What campaigns brought to posts by the time each row was seen.

    Returns
    -------
    DataFrame
        One row a campaign and row of `posts`: positions `campaign` and `row`, `likes`, `comments` and `views` added.
    """
    owner = ids.get_indexer(pd.Index(posts["creator_id"]))
    post = posts.groupby(["creator_id", "post_id"], sort=False).ngroup().to_numpy()
    published = days_since_epoch(posts["published_at"])
    campaign, row = pairs(owner, ids.get_indexer(pd.Index(campaigns["creator_id"])))
    started, ended = (days_since_epoch(campaigns[name]) for name in ("started_at", "ended_at"))
    active = (published[row] >= started[campaign]) & (published[row] <= ended[campaign])
    campaign, row = campaign[active], row[active]
    # rows of one post share its draws
    _, first, pair = np.unique(campaign * (post.max(initial=0) + 1) + post[row], return_index=True, return_inverse=True)
    plan = {
        name: campaigns[name].to_numpy(dtype=np.float64)[campaign[first]] for name in (*HABITS, "amount", "posts_share")
    }
    head = campaigns["head"].to_numpy()[campaign[first]]
    final = _final_amounts(head, plan, rng)
    age = seen[row] - published[row]
    hours = np.where(head == "engagement_pods", 1.0, plan["post_delivery_hours"])[pair]
    arrived = np.clip(age * 24 / hours, 0, 1)
    kept = np.where(head == "engagement_pods", 1.0, plan["retention"])[pair] ** np.clip(age / 28, 0, 3)
    frame = pd.DataFrame({"campaign": campaign, "row": row})
    for name, amount in final.items():
        frame[name] = np.floor(amount[pair] * arrived * (kept if name == "likes" else 1.0) + _ROUNDOFF)
    return frame


def _final_amounts(head: np.ndarray, plan: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What a campaign brings to a post in the end: likes, comments and views, each of shape (campaign-posts,)."""
    size = head.size
    chosen = rng.random(size) < plan["posts_share"]
    varied = plan["amount"] * np.exp(plan["scatter"] * rng.standard_normal(size)) * chosen
    pod = head == "engagement_pods"
    reacting = rng.binomial(np.where(pod, plan["amount"], 0).astype(np.int64), plan["pod_presence"]) * chosen
    views = np.where(head == "bought_views", varied, 0.0)
    likes = np.where(head == "bought_likes", varied, views * plan["likes_with_views"]) + reacting
    comments = np.where(head == "comment_bots", varied, np.where(pod, 0.0, likes * plan["comments_with_likes"]))
    comments += rng.binomial(reacting, plan["pod_talk"])
    return {"likes": likes, "comments": comments, "views": views}
