"""Sellers of manufactured engagement, as draws of habits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.oddities import log_uniform

#: Lots in which sellers take orders ([5K][6H-5K/D-R30] on their public order pages; jumps of exactly 1K or 5K, Popular
#: Pays).
FOLLOWER_LOTS = (100, 250, 500, 1_000, 2_500, 5_000, 10_000)
POST_LOTS = (25, 50, 100, 250, 500, 1_000)


Style = Literal["retail", "careful"]
#: How a seller's comments are worded: a few texts over and over; stock phrases; signs; sentences of slots.
WORDINGS = ("template", "generic", "emoji", "paraphrase")
#: US dollars for 1,000, log-uniform, cheap and quality: followers $3-8 (2018), likes from EUR .90, views EUR .8 (13,158
#: for EUR 10), comments $4 (1,803 for $7.30) to EUR 50 (200 for EUR 10); what quality costs more is assumed.
PRICES = {
    "followers": ((3.0, 8.0), (8.0, 30.0)),
    "likes": ((0.9, 4.0), (3.0, 12.0)),
    "views": ((0.5, 3.0), (1.5, 8.0)),
    "comments": ((4.0, 50.0), (30.0, 200.0)),
}
#: US dollars that a month in a pod costs in money or in time, a member (assumed).
POD_PRICE = (5.0, 40.0)


@dataclass(frozen=True)
class Vendor:
    """Habits of a seller.

    Attributes
    ----------
    vendor_id : str
    quality : bool
        Slow delivery, bundled counts, varied amounts, patient accounts.
    follower_lot, post_lot : int
        Smallest lots of followers and of likes, views or comments.
    start_delay : float
        Days from order to first delivery; "6H" on order pages.
    delivery_days : float
        Days a delivery of followers takes: 89 % within one (NATO StratCom 2022), drip feed up to 30.
    post_delivery_hours : float
        Hours in which likes, views and comments arrive at a post.
    retention : float
        Part left after four weeks: .80 (2019) to .93 (2022), NATO StratCom.
    purge : float
        Probability that a platform removes most of a delivery in a day; one published case took 66 %.
    delivered : float
        Part of the order that is delivered: .70 (2020) to .90 (2019), rarely all (Sarts).
    refill_days : float
        Days for which drops are refilled: 0, 30, 60 or 365 (order pages).
    refill_delay : float
        Days until a refill.
    scatter : float
        sd of the logarithm of amounts between posts; cheap sellers deliver nearly equal lots.
    likes_with_views, comments_with_likes : float
        Likes for each bought view and comments for each bought like that come along.
    pod_presence, pod_talk : float
        Chance that a member reacts to a post, and that a reaction includes a comment.
    wording : str
        One of `WORDINGS`.
    prices : mapping of str to float
        US dollars for 1,000 followers, likes, views and comments, and for a month in a pod ("pod").
    accounts : int
        Accounts that write its comments; 18,739 delivered one known order of 54,000 (NATO StratCom 2019).
    seed : int
        Makes its accounts and wording reproducible.
    """

    vendor_id: str
    quality: bool
    follower_lot: int
    post_lot: int
    start_delay: float
    delivery_days: float
    post_delivery_hours: float
    retention: float
    purge: float
    delivered: float
    refill_days: float
    refill_delay: float
    scatter: float
    likes_with_views: float
    comments_with_likes: float
    pod_presence: float
    pod_talk: float
    wording: str
    prices: Mapping[str, float]
    accounts: int
    seed: int


def draw_log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One value whose logarithm is uniform."""
    return float(log_uniform(rng, low, high, 1)[0])


def _draw_vendor(rng: np.random.Generator, style: Style | None) -> Vendor:
    quality = bool(rng.random() < 0.45) if style is None else style == "careful"
    drip = {"retail": 0.0, "careful": 1.0}.get(style or "", 0.75 if quality else 0.3) > rng.random()
    bundled = rng.random() < (0.8 if quality else 0.25)
    slow = (14, 30) if style == "careful" else (3, 30)
    return Vendor(
        vendor_id=f"vendor_{rng.integers(16**8):08x}",
        quality=quality,
        follower_lot=int(rng.choice(FOLLOWER_LOTS[:4])),
        post_lot=int(rng.choice(POST_LOTS[:4])),
        start_delay=draw_log_uniform(rng, 0.02, 1.0),
        delivery_days=draw_log_uniform(rng, *slow) if drip else draw_log_uniform(rng, 0.1, 2.5),
        post_delivery_hours=draw_log_uniform(rng, 6, 72) if quality else draw_log_uniform(rng, 0.2, 8),
        retention=float(rng.uniform(0.80, 0.93)) if not quality else float(rng.uniform(0.88, 0.97)),
        purge=float(rng.choice([0.0, 0.05, 0.15])),
        delivered=float(rng.uniform(0.7, 1.0)),
        refill_days=float(rng.choice([0, 30, 60, 365], p=[0.4, 0.35, 0.15, 0.1])),
        refill_delay=float(rng.uniform(1, 3)),
        scatter=float(rng.uniform(0.25, 0.6)) if quality else float(rng.uniform(0.02, 0.25)),
        likes_with_views=draw_log_uniform(rng, 0.015, 0.06) if bundled else 0.0,
        comments_with_likes=draw_log_uniform(rng, 0.004, 0.04) if bundled else 0.0,
        pod_presence=float(rng.uniform(0.35, 0.9)),
        pod_talk=float(rng.uniform(0.15, 0.7)),
        wording="paraphrase" if quality and style else str(rng.choice(WORDINGS[:3] if style else WORDINGS)),
        prices={
            **{name: draw_log_uniform(rng, *ranges[quality]) for name, ranges in PRICES.items()},
            "pod": draw_log_uniform(rng, *POD_PRICE),
        },
        accounts=int(draw_log_uniform(rng, 1_500, 20_000)),
        seed=int(rng.integers(2**31)),
    )


def draw_vendors(count: int, rng: np.random.Generator, *, style: Style | None = None) -> list[Vendor]:
    """Draw `count` sellers, each with habits of its own.

    Parameters
    ----------
    style : {"retail", "careful"}, optional
        "retail" sellers deliver within days, in nearly equal lots; "careful" ones drip for two weeks or more, scatter
        their amounts and bundle. A broad mixture of both and of what is between them where left out.
    """
    return [_draw_vendor(rng, style) for _ in range(count)]
