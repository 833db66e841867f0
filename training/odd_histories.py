"""Honest oddities for any histories: what happens to people who bought nothing, hard negatives to measure alarms on.

Everything added here is simulated, also where the histories are real. Sizes are drawn from the range in which things
are bought, so that size alone does not tell them from manipulation.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from features.histories import days_since_epoch
from features.tables import TEXT, Tables, of_creators
from training.deliveries import floats, last_moment, seen_days
from training.oddities import JUMP, log_uniform
from training.rounding import detect_rounding, round_counts

#: A hit's views over the usual ones, log-uniform; likes and comments follow with elasticities below one (assumed).
HIT = (4.0, 40.0)
_FOLLOWS = {"views": 1.0, "likes": 0.9, "comments": 0.75}
#: Comments of a giveaway over the usual ones: people tag friends (assumed), and the likes that come along.
GIVEAWAY_COMMENTS, GIVEAWAY_LIKES = (4.0, 25.0), (1.3, 3.0)
#: Views of a post that the platform's own ads carry over the usual ones; few of those who are shown it react (assumed).
ADS_VIEWS, ADS_LIKES = (2.0, 8.0), 0.1
#: Days in which 63 % of the followers of a jump come, and days over which the part that leaves again does.
COMING_DAYS, LEAVING_DAYS = (0.8, 6.0), 12.0
#: Least posts and snapshots of a creator whom an oddity can strike.
LEAST_POSTS, LEAST_SNAPSHOTS = 8, 9
#: Followers of a small account.
SMALL = (1_500, 9_000)

_GREETINGS = {
    "vi": "Chào cả nhà, hôm nay mình nói tiếng Việt nhé",
    "en": "Hello everyone, from now on I also post in English",
    "id": "Halo semuanya, sekarang aku juga posting dalam bahasa Indonesia",
}


class _World:
    """Tables of the creators who are struck, with each row's owner; counts are changed here and put back at the end."""

    def __init__(self, tables: Tables, rng: np.random.Generator) -> None:
        self.tables, self.rng = dict(tables), rng
        self.ids = pd.Index(tables["creators"]["creator_id"])
        self.posts = tables["posts"].reset_index(drop=True)
        snapshots = tables.get("snapshots")
        self.snapshots = snapshots.reset_index(drop=True) if snapshots is not None else None
        self.owner = self.ids.get_indexer(pd.Index(self.posts["creator_id"]))
        self.published = days_since_epoch(self.posts["published_at"])
        self.age = seen_days(self.posts, last_moment(tables)) - self.published
        self.of_post = self.posts.groupby(["creator_id", "post_id"], sort=False).ngroup().to_numpy()
        self.taken = np.empty(0)
        self.row_owner = np.empty(0, dtype=np.intp)
        if self.snapshots is not None:
            self.taken = days_since_epoch(self.snapshots["observed_at"])
            self.row_owner = self.ids.get_indexer(pd.Index(self.snapshots["creator_id"]))

    def posting(self) -> np.ndarray:
        """Which creators have enough posts, bool of shape (creators,)."""
        posts = pd.Series(self.owner).groupby(self.of_post).first()
        return np.bincount(posts, minlength=len(self.ids)) >= LEAST_POSTS

    def followed(self) -> np.ndarray:
        """Which creators have enough snapshots with followers."""
        if self.snapshots is None:
            return np.zeros(len(self.ids), dtype=bool)
        known = ~np.isnan(floats(self.snapshots, "followers"))
        return np.bincount(self.row_owner[known], minlength=len(self.ids)) >= LEAST_SNAPSHOTS

    def one_post(self, struck: np.ndarray) -> np.ndarray:
        """Rows of one post, drawn, of each struck creator."""
        chosen = self.rng.random(self.of_post.max(initial=-1) + 1)[self.of_post] * struck[self.owner]
        best = np.zeros(len(self.ids))
        np.maximum.at(best, self.owner, chosen)
        return (chosen > 0) & (chosen == best[self.owner])

    def multiply(self, name: str, factor: np.ndarray) -> None:
        """Multiply a count of posts, rounded as the creator's counts are; null stays null."""
        if name in self.posts:
            self.posts = _with(
                self.posts, name, floats(self.posts, name) * factor, self.owner, len(self.ids), factor != 1
            )

    def lift(self, name: str, rows: np.ndarray, times: np.ndarray) -> None:
        """Raise a count of these rows to so many times the creator's median; what is above already stays."""
        if name in self.posts:
            count = floats(self.posts, name)
            usual = pd.Series(count).groupby(self.owner).median().reindex(range(len(self.ids))).to_numpy()[self.owner]
            reached = np.where(rows, np.fmax(count, times * np.maximum(usual, 1)), count)
            self.posts = _with(self.posts, name, reached, self.owner, len(self.ids), rows)

    def grow(self, struck: np.ndarray, start: np.ndarray, leaving: tuple[float, float], steady: bool = False) -> None:
        """Let followers of struck creators jump from a day on: they come over days, and part of them leaves again."""
        if self.snapshots is None or "followers" not in self.snapshots:
            return
        size = log_uniform(self.rng, *JUMP, len(self.ids))
        length = log_uniform(self.rng, *(COMING_DAYS if not steady else (30.0, 120.0)), len(self.ids))
        gone = self.rng.uniform(*leaving, len(self.ids))
        age = self.taken - start[self.row_owner]
        with np.errstate(over="ignore"):
            come = -np.expm1(-np.maximum(age, 0) / length[self.row_owner])
            left = -np.expm1(-np.maximum(age - length[self.row_owner], 0) / LEAVING_DAYS)
        share = size[self.row_owner] * (come - gone[self.row_owner] * left) * struck[self.row_owner]
        organic = floats(self.snapshots, "followers")
        base = _first_known(organic, self.row_owner, self.taken, len(self.ids))[self.row_owner]
        added = np.nan_to_num(share * base)
        self.snapshots = _with(
            self.snapshots, "followers", organic + added, self.row_owner, len(self.ids), np.abs(added) >= 1
        )

    def followers_seen(self) -> pd.DataFrame:
        """The creators table with the followers of the last snapshot, where that is what it held before."""
        creators = self.tables["creators"].reset_index(drop=True)
        before = self.tables.get("snapshots")
        if before is None or self.snapshots is None:
            return creators
        old, new = (
            _last_known(floats(frame, "followers"), self.row_owner, self.taken, len(self.ids))
            for frame in (before.reset_index(drop=True), self.snapshots)
        )
        change = np.nan_to_num(new - old)
        own = floats(creators, "followers") + change
        return _with(creators, "followers", own, np.arange(len(creators)), len(creators), change != 0, rounded=False)


def _with(
    frame: pd.DataFrame, name: str, values: np.ndarray, owner: np.ndarray, creators: int, changed: np.ndarray,
    *, rounded: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """A count with other values in the changed rows, rounded as each creator's counts were."""
    before = floats(frame, name)
    rounding = detect_rounding(before, owner, creators)[owner] if rounded else np.zeros(len(frame), dtype=np.int64)
    now = np.where(changed & ~np.isnan(before), round_counts(np.maximum(np.round(values), 0), rounding), before)
    missing = np.isnan(now)
    counts = pd.arrays.IntegerArray(np.where(missing, 0, now).astype(np.int64), missing)
    return frame.assign(**{name: pd.Series(counts, index=frame.index)})


def _first_known(values: np.ndarray, owner: np.ndarray, times: np.ndarray, creators: int) -> np.ndarray:
    return _last_known(values, owner, -times, creators)


def _last_known(values: np.ndarray, owner: np.ndarray, times: np.ndarray, creators: int) -> np.ndarray:
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(times[known], kind="stable")]
    last = np.full(creators, np.nan)
    last[owner[order]] = values[order]
    return last


def _middle_days(world: _World) -> np.ndarray:
    """A day of each creator's snapshots, not at the ends; NaN without snapshots."""
    first, last = (
        _last_known(side * world.taken, world.row_owner, side * world.taken, len(world.ids)) * side for side in (-1, 1)
    )
    return np.asarray(first + (last - first) * world.rng.uniform(0.2, 0.8, len(world.ids)))


def _viral_hit(world: _World) -> np.ndarray:
    struck = world.posting()
    hit = world.one_post(struck)
    size = log_uniform(world.rng, *HIT, len(world.ids))[world.owner]
    for name, elasticity in _FOLLOWS.items():
        scatter = np.exp(0.2 * world.rng.standard_normal(len(world.ids)))[world.owner]
        world.lift(name, hit, size**elasticity * scatter)
    start = np.full(len(world.ids), np.nan)
    start[world.owner[hit]] = world.published[hit]
    world.grow(struck & ~np.isnan(start), start, (0.0, 0.3))
    return struck


def _press_mention(world: _World) -> np.ndarray:
    struck = world.followed()
    world.grow(struck, _middle_days(world), (0.0, 0.25))
    return struck


def _giveaway(world: _World) -> np.ndarray:
    struck = world.posting()
    post = world.one_post(struck)
    for name, sizes in (("comments", GIVEAWAY_COMMENTS), ("likes", GIVEAWAY_LIKES)):
        world.lift(name, post, log_uniform(world.rng, *sizes, len(world.ids))[world.owner])
    start = np.full(len(world.ids), np.nan)
    start[world.owner[post]] = world.published[post]
    world.grow(struck & ~np.isnan(start), start, (0.3, 0.7))
    return struck


def _paid_ads(world: _World) -> np.ndarray:
    struck = world.posting() & _has(world, "views")
    carried = struck[world.owner] & (world.rng.random(world.of_post.max(initial=-1) + 1)[world.of_post] < 0.25)
    size = log_uniform(world.rng, *ADS_VIEWS, world.of_post.max(initial=-1) + 1)[world.of_post]
    world.multiply("views", np.where(carried, size, 1.0))
    world.multiply("likes", np.where(carried, 1 + ADS_LIKES * (size - 1), 1.0))
    if world.snapshots is not None:
        world.grow(struck & world.followed(), _middle_days(world), (0.0, 0.2), steady=True)
    return struck


def _has(world: _World, name: str) -> np.ndarray:
    known = ~np.isnan(floats(world.posts, name))
    return np.bincount(world.owner[known], minlength=len(world.ids)) >= LEAST_POSTS


def _break_and_comeback(world: _World) -> np.ndarray:
    posts = pd.DataFrame({"owner": world.owner, "day": world.published})
    spans = posts.groupby("owner")["day"].agg(["min", "max"]).reindex(range(len(world.ids)))
    length = (spans["max"] - spans["min"]).to_numpy()
    start = spans["min"].to_numpy() + length * world.rng.uniform(0.25, 0.5, len(world.ids))
    end = start + length * world.rng.uniform(0.15, 0.3, len(world.ids))
    silent = (world.published > start[world.owner]) & (world.published < end[world.owner])
    struck = world.posting() & (np.bincount(world.owner[~silent], minlength=len(world.ids)) >= LEAST_POSTS)
    dropped = silent & struck[world.owner]
    gone = world.posts.loc[dropped, ["creator_id", "post_id"]].drop_duplicates()
    world.posts = world.posts[~dropped].reset_index(drop=True)
    if "comments" in world.tables:
        world.tables["comments"] = _without(world.tables["comments"], gone)
    return struck & (np.bincount(world.owner[dropped], minlength=len(world.ids)) > 0)


def _without(comments: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    keys = pd.MultiIndex.from_frame(posts)
    return comments[~pd.MultiIndex.from_frame(comments[["creator_id", "post_id"]]).isin(keys)].reset_index(drop=True)


def _hidden_likes(world: _World) -> np.ndarray:
    struck = world.posting() & _has(world, "likes")
    start = _post_quantile(world, 0.4)
    hidden = struck[world.owner] & (world.published > start[world.owner])
    world.posts = world.posts.assign(likes=world.posts["likes"].mask(hidden))
    return struck


def _post_quantile(world: _World, level: float) -> np.ndarray:
    days = pd.Series(world.published).groupby(world.owner).quantile(level)
    return days.reindex(range(len(world.ids))).to_numpy()


def _fan_community(world: _World) -> np.ndarray:
    """Loyal readers: comments rise by as many on every post, and soon."""
    struck = world.posting() & _has(world, "comments")
    usual = pd.Series(floats(world.posts, "comments")).groupby(world.owner).median().reindex(range(len(world.ids)))
    fans = np.ceil(log_uniform(world.rng, 0.3, 2.0, len(world.ids)) * np.nan_to_num(usual.to_numpy()) + 3)
    there = world.rng.binomial(fans[world.owner].astype(np.int64), 0.6).astype(np.float64) * struck[world.owner]
    before = floats(world.posts, "comments")
    world.posts = _with(world.posts, "comments", before + there, world.owner, len(world.ids), there > 0)
    world.posts = _with(
        world.posts, "likes", floats(world.posts, "likes") + there, world.owner, len(world.ids), there > 0
    )
    return struck


def _small_account(world: _World) -> np.ndarray:
    """As many people as a nano account has: every one of the counts thinned alike."""
    followers = floats(world.tables["creators"], "followers")
    wanted = log_uniform(world.rng, *SMALL, len(world.ids))
    struck = world.posting() & (followers > SMALL[1])
    rate = np.where(struck, wanted / np.where(struck, followers, 1.0), 1.0)
    for name in ("likes", "comments", "views", "shares", "saves"):
        if name in world.posts:
            count = floats(world.posts, name)
            thinned = world.rng.binomial(np.nan_to_num(count).astype(np.int64), rate[world.owner])
            changed = struck[world.owner] & ~np.isnan(count)
            counts = np.where(changed, thinned, count)
            world.posts = _with(world.posts, name, counts, world.owner, len(world.ids), changed, rounded=False)
    creators = world.tables["creators"].reset_index(drop=True)
    world.tables["creators"] = _with(
        creators,
        "followers",
        np.round(followers * rate),
        np.arange(len(creators)),
        len(creators),
        struck,
        rounded=False,
    )
    if world.snapshots is not None:
        for name in ("followers", "total_views"):
            if name in world.snapshots:
                own = struck[world.row_owner]
                count = floats(world.snapshots, name) * rate[world.row_owner]
                world.snapshots = _with(
                    world.snapshots, name, count, world.row_owner, len(world.ids), own, rounded=False
                )
    return struck


def _language_switch(world: _World) -> np.ndarray:
    struck = world.posting() & ("caption" in world.posts)
    if not struck.any():
        return struck
    start = _post_quantile(world, 0.5)
    later = struck[world.owner] & (world.published > start[world.owner])
    greeting = world.rng.choice(list(_GREETINGS.values()), len(world.ids))[world.owner]
    captions = world.posts["caption"].astype("object").where(~later, greeting)
    world.posts = world.posts.assign(caption=captions.astype(TEXT))
    return struck


def _seasonal_business(world: _World) -> np.ndarray:
    """Counts that rise and fall with the year, by as much as 60 % to either side."""
    struck = world.posting()
    amplitude = world.rng.uniform(0.2, 0.9, len(world.ids))[world.owner]
    phase = world.rng.uniform(0, 2 * np.pi, len(world.ids))[world.owner]
    factor = np.where(struck[world.owner], np.exp(amplitude * np.sin(2 * np.pi * world.published / 365.25 + phase)), 1)
    for name in _FOLLOWS:
        world.multiply(name, factor)
    return struck


_STRIKES: Mapping[str, Callable[[_World], np.ndarray]] = {
    "viral_hit": _viral_hit,
    "press_mention": _press_mention,
    "giveaway": _giveaway,
    "paid_ads": _paid_ads,
    "break_and_comeback": _break_and_comeback,
    "hidden_likes": _hidden_likes,
    "fan_community": _fan_community,
    "small_account": _small_account,
    "language_switch": _language_switch,
    "seasonal_business": _seasonal_business,
}
ODDITIES = tuple(_STRIKES)


def strike(tables: Tables, oddity: str, rng: np.random.Generator) -> tuple[Tables, pd.Index]:
    """Add one honest oddity to histories.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables; they are not changed.
    oddity : str
        One of `ODDITIES`.
    rng : Generator

    Returns
    -------
    tables : dict of str to DataFrame
        New frames where something changed; counts are rounded as that creator's are published, missing counts stay
        missing.
    struck : Index of str
        The creators who have it: all whose tables can show it.

    Raises
    ------
    KeyError
        Where there is no such oddity.
    """
    change = _STRIKES[oddity]
    world = _World(tables, rng)
    struck = change(world)
    if not struck.any():
        return tables, world.ids[struck]
    after = world.tables | {"posts": world.posts}
    if world.snapshots is not None:
        after["snapshots"] = world.snapshots
        if oddity != "small_account":
            after["creators"] = world.followers_seen()
    return after, world.ids[struck]


def strike_some(tables: Tables, rng: np.random.Generator, *, share: float) -> Tables:
    """Strike a part of the creators with one oddity each, drawn; the others' rows stay as they are."""
    ids = tables["creators"]["creator_id"].to_numpy()
    drawn = np.where(rng.random(ids.size) < share, rng.integers(0, len(ODDITIES), ids.size), -1)
    parts = [of_creators(tables, pd.Index(ids[drawn < 0]))]
    for number, oddity in enumerate(ODDITIES):
        own = of_creators(tables, pd.Index(ids[drawn == number]))
        if not own["creators"].empty:
            parts.append(strike(own, oddity, rng)[0])
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in tables}
