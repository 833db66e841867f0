"""Audience signals: what sampled accounts around a creator are like, and whether the same people come back.

Accounts that are bought are made or hired in numbers, and show it in their shape: they follow thousands, nobody follows
them, they post nothing. Where a count or flag of an account is not known, the account counts for nothing that needs it.
"""

import numpy as np

from features.blocks import enough, make_blocks, ratio, row_median
from features.histories import Events, Histories
from features.registry import read_family
from features.sketches import by_others

SIGNALS = read_family("audience")

#: Accounts that a share needs.
LEAST = 30
#: Accounts that follow more than this are mass followers, those with more followers influencers (HypeAuditor).
MASS_FOLLOWINGS = 1500
INFLUENCER_FOLLOWERS = 5000
#: Posts that an empty profile has at most.
EMPTY_POSTS = 3
#: Followers for each following, below which few answer many.
FEW_PER_FOLLOWING = 0.1
#: Digits of a name that nobody chose.
NAME_DIGITS = 3
#: Posts with comments, and days between the first and the last of them, that coming back needs.
LEAST_POSTS = 3
BACK_DAYS = 7.0
#: Powers of ten that shapes of accounts are told apart by.
CLASSES = 10.0 ** np.arange(9)


def _flags(audience: Events) -> dict[str, np.ndarray]:
    """What each account is, by signal: 1 or 0, NaN where it is not known; shape (accounts,)."""
    followers, following, posts = (audience[name] for name in ("followers", "following", "posts_count"))
    unknown = np.isnan(audience["has_picture"]) | np.isnan(posts) | np.isnan(audience["bio_length"])
    empty = (audience["has_picture"] == 0) & (posts <= EMPTY_POSTS) & (audience["bio_length"] == 0)

    def where(flag: np.ndarray, *needs: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(sum(needs)), np.nan, flag)

    return {
        "audience_mass_follower_share_all": where(following > MASS_FOLLOWINGS, following),
        "audience_empty_profile_share_all": np.where(unknown, np.nan, empty),
        "audience_unfollowed_share_all": where(followers < FEW_PER_FOLLOWING * following, followers, following),
        "audience_digit_name_share_all": where(audience["username_digits"] >= NAME_DIGITS, audience["username_digits"]),
        "audience_no_picture_share_all": 1.0 - audience["has_picture"],
        "audience_private_share_all": audience["is_private"],
        "audience_influencer_share_all": where(followers > INFLUENCER_FOLLOWERS, followers),
    }


def _shapes(audience: Events) -> np.ndarray:
    """Coarse shape of each account, -1 where it is not known: digits of its followers, followings and posts."""
    counts = [audience[name] for name in ("followers", "following", "posts_count")]
    unknown = np.isnan(sum(counts))
    digits = [np.searchsorted(CLASSES, np.where(unknown, 0.0, values), side="right") for values in counts]
    first, second, third = digits
    return np.where(unknown, -1, (first * (CLASSES.size + 1) + second) * (CLASSES.size + 1) + third)


def _alike(audience: Events) -> tuple[np.ndarray, np.ndarray]:
    """For each account, how many of the same creator's accounts have its shape, and how many have a known one."""
    shape, owner = _shapes(audience), audience.owners
    key = owner * (shape.max(initial=0) + 1) + shape
    key[shape < 0] = -1
    _, same, sizes = np.unique(key, return_inverse=True, return_counts=True)
    known = np.bincount(owner[shape >= 0], minlength=audience.counts.size)
    return np.where(shape < 0, 0, sizes[same]), known


def _accounts(audience: Events) -> dict[str, np.ndarray]:
    creators, owner = audience.counts.size, audience.owners
    columns = {}
    for name, flag in _flags(audience).items():
        known = np.bincount(owner[~np.isnan(flag)], minlength=creators)
        columns[name] = enough(ratio(np.bincount(owner[flag == 1], minlength=creators), known), known, LEAST)
    alike, known = _alike(audience)
    top = np.zeros(creators)
    np.maximum.at(top, owner, alike)
    columns["audience_shape_top_share_all"] = enough(ratio(top, known), known, LEAST)
    median = np.full(creators, np.nan)
    for block in make_blocks(audience.offsets):
        median[block.creators] = row_median(block.pad(audience["posts_count"]), LEAST)
    columns["audience_posts_median_all"] = median
    return columns


def _came_back(histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Comments by others under known posts; whether their authors stand under posts `BACK_DAYS` apart; posts apart."""
    comments, published = histories.comments, histories.posts["published_at"]
    rows = by_others(histories)
    rows = rows[~np.isnan(comments["post"][rows])]
    post = comments["post"][rows].astype(np.int64)
    edge = comments.owners[rows] * max(len(histories.authors), 1) + comments["author"][rows].astype(np.int64)
    order = np.lexsort((post, edge))  # posts of a creator are in the order of time
    ordered = edge[order]
    start, stop = np.searchsorted(ordered, edge, side="left"), np.searchsorted(ordered, edge, side="right") - 1
    apart = published[post[order[stop]]] - published[post[order[start]]] if rows.size else np.zeros(0)
    return rows, apart >= BACK_DAYS, post


def _overlaps(owner: np.ndarray, author: np.ndarray, post: np.ndarray, creators: int) -> np.ndarray:
    """Mean part of the commenters of a post who wrote under the one before too, over the smaller of the two."""
    under, ordinal = np.unique(post, return_inverse=True)
    width = under.size + 1
    key = np.unique(author * width + ordinal)
    ordinal = key % width
    of = np.zeros(under.size, dtype=np.int64)
    of[np.unique(post, return_inverse=True)[1]] = owner
    size = np.bincount(ordinal, minlength=under.size)
    both = np.bincount(ordinal[np.isin(key - 1, key)], minlength=under.size)
    later = np.flatnonzero(np.concatenate([[False], of[1:] == of[:-1]])) if under.size else under
    share = both[later] / np.minimum(size[later], size[later - 1])
    return ratio(np.bincount(of[later], share, creators), np.bincount(of[later], minlength=creators).astype(np.float64))


def _closeness(histories: Histories) -> dict[str, np.ndarray]:
    comments, creators = histories.comments, len(histories.creators)
    rows, back, post = _came_back(histories)
    owner, author = comments.owners[rows], comments["author"][rows].astype(np.int64)
    under = np.unique(post)
    of = histories.posts.owners[under]
    posts = np.bincount(of, minlength=creators)
    first, last = np.full(creators, np.inf), np.full(creators, -np.inf)
    np.minimum.at(first, of, histories.posts["published_at"][under])
    np.maximum.at(last, of, histories.posts["published_at"][under])
    share = ratio(np.bincount(owner[back], minlength=creators), np.bincount(owner, minlength=creators).astype(float))
    return {
        "commenters_back_share_all": enough(np.where(last - first >= BACK_DAYS, share, np.nan), posts, LEAST_POSTS),
        "commenters_overlap_mean_all": enough(_overlaps(owner, author, post, creators), posts, LEAST_POSTS),
    }


def audience_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every audience signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    columns = {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
    if histories.audience.counts.any():
        columns |= _accounts(histories.audience)
    if histories.comments.counts.any():
        columns |= _closeness(histories)
    return columns


def audience_pointers(histories: Histories) -> dict[str, np.ndarray]:
    """Which accounts, or which comments, a person would look at to check a signal.

    Returns
    -------
    dict of str to ndarray of float64
        By pointer: NaN where a row is not pointed at, larger where to look first. `back` is aligned with
        `histories.comments`, all others with `histories.audience`.
    """
    audience = histories.audience
    flags = {
        name.removeprefix("audience_").removesuffix("_share_all"): np.where(flag == 1, 1.0, np.nan)
        for name, flag in _flags(audience).items()
    }
    flags["mass_follower"] = flags["mass_follower"] * audience["following"]
    flags["influencer"] = flags["influencer"] * audience["followers"]
    alike, _ = _alike(audience)
    rows, back, _ = _came_back(histories)
    returning = np.full(histories.comments["author"].size, np.nan)
    returning[rows[back]] = 1.0
    return {
        **flags,
        "shape": np.where(alike > 1, alike, np.nan),
        "few_posts": 1.0 / (1.0 + audience["posts_count"]),
        "back": returning,
    }
