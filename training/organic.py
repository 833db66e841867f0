"""The numbers of simulated organic creators: how they grow, what their posts collect, and what a collector saw of it.

Arrays of one lot of creators; `training.simulation` turns them into tables. Constants and their sources are in
`training.norms`, honest oddities in `training.oddities`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from features.tables import PLATFORMS, POST_KINDS
from training import norms, oddities
from training.captions import BRANDS, LANGUAGES, NICHES
from training.people import DAYS, Calendar, People, choose, draw_calendar, draw_people
from training.rounding import EXACT, THREE_FIGURES, round_counts

_TOTAL_VIEWS_KNOWN = np.array([0.3, 0.6, 0.95, 0.3])  # assumed
_VISIBLE = np.array([kind in norms.KINDS_WITH_VIEWS for kind in POST_KINDS])


def _draw_jumps(rng: np.random.Generator, people: People, calendar: Calendar) -> oddities.Jumps:
    hits, giveaways = np.flatnonzero(calendar.hit), np.flatnonzero(calendar.giveaway)
    press, ads, follows = (
        np.flatnonzero(people.odd[name]) for name in ("press_mention", "paid_ads", "follow_unfollow")
    )

    def jumps(creator: np.ndarray, day: np.ndarray, length: np.ndarray, leaving: tuple[float, float]) -> oddities.Jumps:
        return oddities.Jumps(
            creator,
            day,
            oddities.log_uniform(rng, *oddities.JUMP, creator.size),
            length,
            rng.uniform(*leaving, creator.size),
        )

    def anywhere(size: int) -> np.ndarray:
        return DAYS - oddities.log_uniform(rng, 6, 500, size)

    return oddities.join_jumps([
        jumps(calendar.owner[hits], calendar.day[hits], rng.uniform(0.5, 4, hits.size), (0.0, 0.2)),
        jumps(calendar.owner[giveaways], calendar.day[giveaways], rng.uniform(0.5, 4, giveaways.size), (0.1, 0.5)),
        jumps(press, anywhere(press.size), rng.uniform(0.2, 2, press.size), (0.0, 0.3)),
        jumps(ads, anywhere(ads.size), rng.uniform(4, 20, ads.size), (0.0, 0.25)),
        jumps(follows, anywhere(follows.size), rng.uniform(20, 60, follows.size), (0.1, 0.5)),
    ])  # fmt: skip


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], days: float) -> np.ndarray:
    """Standard normal rows whose correlation falls to 1/e within `days`."""
    keep = np.exp(-1 / days)
    noise = rng.standard_normal(shape)
    noise[:, 1:] *= np.sqrt(1 - keep**2)
    smooth: np.ndarray = lfilter([1.0], [1.0, -keep], noise, axis=1)
    return smooth


def _draw_growth(
    rng: np.random.Generator, people: People, calendar: Calendar, purge_days: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of followers at the start of each day, (creators, DAYS + 1), and momentum, (creators, DAYS)."""
    count = people.platform.size
    momentum = _smooth_noise(rng, (count, DAYS), 30.0) * (0.55 * np.exp(0.4 * rng.standard_normal((count, 1))))
    weekday = 0.12 * rng.standard_normal((count, 7))[:, np.arange(DAYS) % 7]
    season = _season(rng, people)
    daily = np.exp(momentum + weekday + season + 0.3 * rng.standard_normal((count, DAYS)))
    # a post brings followers on its day: idle stretches grow at half the pace
    busy = np.minimum(np.bincount(calendar.owner * DAYS + calendar.day.astype(np.int64), minlength=count * DAYS), 2)
    recent: np.ndarray = lfilter([0.5], [1.0, -0.5], busy.reshape(count, DAYS), axis=1)
    won = people.gains[:, None] / 30.4 * daily * (0.5 + recent)
    lost = people.losses[:, None] / 30.4
    chance = rng.standard_normal((count, DAYS)) * np.sqrt((won + lost) / people.followers[:, None])
    rates = won - lost + chance
    rates += oddities.jump_rates(_draw_jumps(rng, people, calendar), count, DAYS)
    rates += oddities.draw_purges(rng, count, purge_days[people.platform], DAYS)
    grown = np.concatenate([np.zeros((count, 1)), np.cumsum(rates, axis=1)], axis=1)
    return np.log(people.followers)[:, None] + grown - grown[:, -1:], momentum + season


def _season(rng: np.random.Generator, people: People) -> np.ndarray:
    traders = np.flatnonzero(people.odd["seasonal"])
    height, phase = rng.uniform(0.4, 0.9, (traders.size, 1)), rng.random((traders.size, 1)) * 2 * np.pi
    season = np.zeros((people.platform.size, DAYS))
    season[traders] = height * np.sin(np.arange(DAYS) * 2 * np.pi / 365.25 + phase)
    return season


def _at(grid: np.ndarray, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Values of grid rows at fractional days, linear between the starts of days."""
    whole = np.clip(day.astype(np.int64), 0, grid.shape[1] - 2)
    part = np.clip(day - whole, 0, 1)
    return grid[owner, whole] * (1 - part) + grid[owner, whole + 1] * part


def _draw_counts(
    rng: np.random.Generator, people: People, calendar: Calendar, size: np.ndarray, momentum: np.ndarray
) -> dict[str, np.ndarray]:
    """What each post collects in the end, and its kind and sponsor; arrays of shape (posts,)."""
    owner, count, posts = calendar.owner, people.platform.size, calendar.owner.size
    platform = people.platform[owner]
    normal = rng.standard_normal
    kind = _draw_kinds(rng, people, calendar)
    wander, taste, talkative = _draw_drifts(rng, people, calendar)
    followers = _at(size, owner, calendar.day)
    sponsored = (
        rng.random(posts) < np.where(rng.random(count) < 0.7, rng.uniform(*norms.SPONSORED_SHARE, count), 0.0)[owner]
    )

    spread = (people.norm("spread") * np.exp(people.norm("spread_sd") * normal(count)))[owner]
    spread *= np.exp(norms.by_kind(norms.KIND_SPREAD))[kind]
    years = (calendar.day - DAYS) / 365.25
    expected = (
        followers
        + np.log(norms.norm("reach"))[platform]
        + norms.norm("reach_slope")[platform] * (followers - np.log(30_000))
        + (people.norm("reach_sd") * normal(count))[owner]
        + norms.by_kind(norms.KIND_REACH)[kind]
        + (people.norm("trend") + people.norm("trend_sd") * normal(count))[owner] * years
        + 0.5 * momentum[owner, np.minimum(calendar.day.astype(np.int64), DAYS - 1)]
        + wander
        + norms.SPONSORED_EFFECT * sponsored
    )
    # measured residuals lean to the left (skew -.44): flops are more common than hits, until one goes viral
    residual = normal(posts)
    residual = np.where(residual < 0, 1.15, 0.85) * residual
    reach = expected + spread * residual + _viral(rng, people, calendar, kind)
    boosted = people.odd["paid_ads"][owner] & (rng.random(posts) < 0.10)
    boost = np.where(boosted, rng.uniform(np.log(1.5), np.log(12), posts), 0.0)
    rate = np.log(norms.norm("likes"))[platform] + (people.norm("likes_sd") * normal(count))[owner]
    rate += norms.by_kind(norms.KIND_LIKES)[kind] + taste
    noise = people.norm("likes_noise")[owner] * np.exp(0.3 * normal(count))[owner] * normal(posts)
    # paid views like less, paid likes comment hardly at all
    likes = np.exp(np.minimum(reach + rate + noise + boost * 0.7, 17.5)) * np.where(
        calendar.giveaway, rng.uniform(1.2, 3, posts), 1
    )
    usual = np.exp(expected + rate)
    views = np.exp(np.minimum(reach + boost, 19.0))
    talk = np.log(norms.norm("comments"))[platform] + (people.norm("comments_sd") * normal(count))[owner]
    organic = likes * np.exp(-0.6 * boost)
    asking = np.where(
        rng.random(posts) < people.norm("talk_share")[owner], np.log(2) + rng.exponential(norms.TALK_TAIL, posts), 0.0
    )
    mean = (
        np.exp(np.minimum(talk + talkative + asking, 1.5))
        * organic**norms.COMMENT_ELASTICITY
        * usual ** (1 - norms.COMMENT_ELASTICITY)
    )
    mean *= np.where(calendar.giveaway, oddities.log_uniform(rng, 3, 20, posts), 1.0)
    k = (norms.COMMENT_K * np.exp(norms.COMMENT_K_SD * normal(count)))[owner]
    name = np.array(PLATFORMS)[platform]
    shares = likes * np.exp(
        np.where(name == "tiktok", np.log(0.05), np.log(0.10)) + 0.9 * normal(count)[owner] + 0.6 * normal(posts)
    )
    saves = likes * np.exp(np.log(0.05) + 0.4 * normal(count)[owner] + 0.3 * normal(posts))
    return {
        "kind": kind,
        "sponsor": np.where(sponsored, rng.integers(0, len(BRANDS), posts), -1),
        "likes": rng.poisson(likes).astype(np.float64),
        "comments": rng.poisson(rng.gamma(k, mean / k)).astype(np.float64),
        "views": np.where(_VISIBLE[kind], np.maximum(views, likes), np.nan),
        "shares": np.where((name == "tiktok") | (name == "facebook"), shares, np.nan),
        "saves": np.where(name == "tiktok", saves, np.nan),
    }


def _draw_kinds(rng: np.random.Generator, people: People, calendar: Calendar) -> np.ndarray:
    """Kind of each post; creators differ in their mix (Dirichlet of concentration 4), 30 % change it (assumed)."""
    count, owner = people.platform.size, calendar.owner
    shares = rng.standard_gamma(np.maximum(4 * norms.kind_shares()[people.platform], 1e-9), (2, count, len(POST_KINDS)))
    bounds = np.cumsum(shares, axis=2) / np.maximum(shares.sum(axis=2, keepdims=True), 1e-300)
    changed = np.where(rng.random(count) < 0.3, DAYS - oddities.log_uniform(rng, 10, 500, count), DAYS)
    era = (calendar.day > changed[owner]).astype(np.int64)
    kind: np.ndarray = (rng.random(owner.size)[:, None] >= bounds[era, owner]).sum(axis=1)
    return np.minimum(kind, len(POST_KINDS) - 1)


def _draw_drifts(
    rng: np.random.Generator, people: People, calendar: Calendar
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slow wandering of log reach, log likes per view and log comments per like, each of shape (posts,)."""
    weeks = DAYS // 7 + 2
    heights = (people.norm("drift"), people.norm("likes_drift"), norms.TALK_DRIFT)
    drifts = []
    for height in heights:
        own = (height * np.exp(0.4 * rng.standard_normal(people.platform.size)))[:, None]
        grid = own * _smooth_noise(rng, (people.platform.size, weeks), norms.DRIFT_DAYS / 7)
        drifts.append(_at(grid, calendar.owner, calendar.day / 7))
    return drifts[0], drifts[1], drifts[2]


def _viral(rng: np.random.Generator, people: People, calendar: Calendar, kind: np.ndarray) -> np.ndarray:
    """What luck adds to log reach: a Pareto tail of exponent 1.5 (assumed), and one sure hit for those who had it."""
    posts = calendar.owner.size
    chance = people.norm("viral")[calendar.owner] * np.where(_VISIBLE[kind], 1.5, 0.5)
    luck = np.where(rng.random(posts) < chance, rng.exponential(1 / 1.5, posts) + np.log(3), 0.0)
    return luck + np.where(calendar.hit, rng.uniform(np.log(4), np.log(40), posts), 0.0)


def _observations(rng: np.random.Generator, people: People, calendar: Calendar) -> tuple[np.ndarray, np.ndarray]:
    """Which post was seen when: positions of posts and days, the last observation of every post included.

    Some creators were crawled once before, of some the recent posts are watched from the first hour on (assumed).
    """
    owner, day = calendar.owner, calendar.day
    count = people.platform.size
    every, last = np.arange(owner.size), people.seen[owner]
    before = (people.seen - rng.uniform(5, 30, count))[owner]
    crawled = (rng.random(count) < 0.20)[owner] & (day < before) & (day > before - 45)
    watched = (rng.random(count) < 0.15)[owner] & (day > last - 60)
    moments = [(every, last), (every[crawled], before[crawled])]
    for low, high in ((0.03, 0.06), (0.9, 1.1)):
        moment = day + rng.uniform(low, high, owner.size)
        chosen = watched & (moment < last - 0.01)
        moments.append((every[chosen], moment[chosen]))
    post = np.concatenate([post for post, _ in moments])
    seen = np.concatenate([moment for _, moment in moments])
    order = np.lexsort((seen, post))
    return post[order], seen[order]


def _posts_columns(
    rng: np.random.Generator, people: People, calendar: Calendar, counts: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    post, seen = _observations(rng, people, calendar)
    owner = calendar.owner[post]
    half_life = people.norm("half_life") * np.exp(0.4 * rng.standard_normal(people.platform.size))
    pace = (half_life[calendar.owner] * np.exp(0.3 * rng.standard_normal(calendar.owner.size)))[post]
    age = seen - calendar.day[post]
    rounding = people.rounding[owner]
    rounding = np.where(rounding == THREE_FIGURES, EXACT, rounding)  # YouTube rounds subscribers, not posts
    hidden_from = np.where(people.odd["hidden_likes"], rng.uniform(0, DAYS, people.platform.size), np.inf)
    first = np.searchsorted(calendar.owner, np.arange(people.platform.size))
    columns = {"owner": owner, "post": post, "number": post - first[owner], "day": calendar.day[post], "seen": seen}
    for name, speed in (("likes", 1.0), ("comments", 1.15), ("views", 0.85), ("shares", 0.9), ("saves", 0.9)):
        columns[name] = round_counts(counts[name][post] * age / (age + pace / speed), rounding)
    columns["likes"] = np.where(calendar.day[post] >= hidden_from[owner], np.nan, columns["likes"])
    columns["kind"], columns["sponsor"] = counts["kind"][post], counts["sponsor"][post]
    return columns


def _snapshot_days(rng: np.random.Generator, people: People) -> tuple[np.ndarray, np.ndarray]:
    """Owner and day of each snapshot: none of 35 % of creators, weekly of 30 %, daily of the others (assumed)."""
    count = people.platform.size
    rhythm = choose(rng, np.array([0.35, 0.30, 0.35]), count)
    weekly, daily = (oddities.log_uniform(rng, low, high, count) for low, high in ((8, 104), (20, 180)))
    taken = np.where(rhythm == 0, 0, np.where(rhythm == 1, weekly, daily)).astype(np.int64)
    owner = np.repeat(np.arange(count), taken)
    step = np.arange(owner.size) - (np.cumsum(taken) - taken)[owner]
    ago = (step + rng.uniform(-0.06, 0.0, owner.size) * (step > 0)) * np.where(rhythm == 1, 7.0, 1.0)[owner]
    day = people.seen[owner] - ago
    keep = ((rng.random(owner.size) > 0.05) | (step == 0)) & (day > 0)
    owner, day = owner[keep][::-1], day[keep][::-1]
    order = np.argsort(owner, kind="stable")
    return owner[order], day[order]


def _views_a_day(
    rng: np.random.Generator, people: People, calendar: Calendar, views: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Views of a channel by day, shape (creators, DAYS): its posts' as they come in, and what older posts add."""
    count = people.platform.size
    day = calendar.day.astype(np.int64)
    start = np.bincount(calendar.owner * DAYS + day, weights=np.nan_to_num(views), minlength=count * DAYS)
    fresh = np.zeros((count, DAYS))
    for platform, half_life in enumerate(np.maximum(norms.norm("half_life"), 1.0)):
        rows = people.platform == platform
        # half soon and half late: close to the share age / (age + half-life) that posts themselves follow
        for days in (half_life, 12 * half_life):
            keep = 0.5 ** (1 / days)
            fresh[rows] += lfilter([0.5 - 0.5 * keep], [1.0, -keep], start.reshape(count, DAYS)[rows], axis=1)
    old = np.exp(size[:, :-1]) * (people.norm("reach") * 0.12 * np.exp(0.7 * rng.standard_normal(count)))[:, None]
    return fresh + old * np.exp(0.25 * rng.standard_normal((count, DAYS)))


def _draw_standing(
    rng: np.random.Generator, people: People, calendar: Calendar, owner: np.ndarray, day: np.ndarray
) -> dict[str, np.ndarray]:
    """Accounts followed and posts made by `day`; a median of 450 followings is assumed, 7,500 is Instagram's limit."""
    count = people.platform.size
    older = np.floor(oddities.log_uniform(rng, 1, 800, count))  # posts that nobody collected
    posted = np.bincount(calendar.owner * DAYS + calendar.day.astype(np.int64), minlength=count * DAYS)
    posts = (
        np.concatenate([np.zeros((count, 1)), np.cumsum(posted.reshape(count, DAYS), axis=1)], axis=1) + older[:, None]
    )
    following = np.minimum(np.exp(np.log(450) + 1.0 * rng.standard_normal(count)), 7_400)
    cycle = np.abs((day / rng.uniform(20, 50, count)[owner]) % 2 - 1) * 1_500 * people.odd["follow_unfollow"][owner]
    drift = 1 + 0.10 * rng.random(count)[owner] * (day - DAYS) / 365
    return {
        "following": np.floor(np.minimum(following[owner] * drift + cycle, 7_500)),
        "posts_count": posts[owner, np.ceil(day).astype(np.int64)],
    }


def _draw_total_views(
    rng: np.random.Generator, people: People, calendar: Calendar, views: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Views of a channel by the start of each day, shape (creators, DAYS + 1); NaN where they are not public."""
    count = people.platform.size
    a_day = _views_a_day(rng, people, calendar, views, size)
    past = np.exp(size[:, :1]) * oddities.log_uniform(rng, 5, 200, count)[:, None]
    total = past + np.concatenate([np.zeros((count, 1)), np.cumsum(a_day, axis=1)], axis=1)
    return np.where((rng.random(count) < _TOTAL_VIEWS_KNOWN[people.platform])[:, None], total, np.nan)


@dataclass(frozen=True)
class Lot:
    """Numbers of some creators.

    Attributes
    ----------
    people : People
    creators, posts, snapshots : dict of str to ndarray
        Columns by name. `owner` is the position of the creator, `post` that of the post, `number` that of it among
        its creator's, times are days of the grid, counts are float64 with NaN where unknown, `kind`, `sponsor`, `niche`
        and `language` are positions.
    """

    people: People
    creators: dict[str, np.ndarray]
    posts: dict[str, np.ndarray]
    snapshots: dict[str, np.ndarray]


def draw_lot(rng: np.random.Generator, creators: int, purge_days: np.ndarray) -> Lot:
    """Simulate some creators.

    Parameters
    ----------
    rng : Generator
    creators : int
    purge_days : ndarray of int, shape (platforms, purges)
        Days of the grid on which each platform removes fake accounts from everybody.
    """
    people = draw_people(rng, creators)
    calendar = draw_calendar(rng, people)
    size, momentum = _draw_growth(rng, people, calendar, purge_days)
    counts = _draw_counts(rng, people, calendar, size, momentum)
    posts = _posts_columns(rng, people, calendar, counts)
    posts |= _draw_topics(rng, people, calendar, posts["post"])
    owner, seen = _snapshot_days(rng, people)
    total = _draw_total_views(rng, people, calendar, counts["views"], size)
    everyone = np.arange(creators)
    owner, seen = np.concatenate([everyone, owner]), np.concatenate([people.seen, seen])
    standing = {"owner": owner, "seen": seen} | _draw_standing(rng, people, calendar, owner, seen)
    standing["followers"] = round_counts(np.exp(_at(size, owner, seen)), people.rounding[owner])
    standing["total_views"] = np.floor(_at(total, owner, seen))
    profile = {name: values[:creators] for name, values in standing.items()}
    snapshots = {name: values[creators:] for name, values in standing.items()}
    return Lot(people, profile | _draw_terms(rng, people), posts, snapshots)


def _draw_topics(
    rng: np.random.Generator, people: People, calendar: Calendar, post: np.ndarray
) -> dict[str, np.ndarray]:
    """Niche, language and caption numbers of each observed post."""
    count, owner = people.platform.size, calendar.owner
    astray = rng.random(owner.size) < 0.10
    niche = np.where(astray, rng.integers(0, len(NICHES), owner.size), people.niche[owner])
    switched = people.odd["switched_language"][owner] & (
        calendar.day > rng.uniform(DAYS - 400, DAYS - 20, count)[owner]
    )
    second = np.where(people.language == LANGUAGES.index("en"), LANGUAGES.index("vi"), LANGUAGES.index("en"))
    language = np.where(switched & (rng.random(owner.size) < 0.7), second[owner], people.language[owner])
    numbers = rng.integers(0, 5_040, (owner.size, 6))
    # everybody has a few favourite things, and a favourite way to disclose that a post is paid
    numbers[:, 1] = rng.integers(0, 5_040, count)[owner] + numbers[:, 1] % 7
    numbers[:, 5] = rng.integers(0, 5_040, count)[owner]
    return {
        "niche": niche[post],
        "language": language[post],
        "numbers": numbers[post],
        "giveaway": calendar.giveaway[post],
    }


def _draw_terms(rng: np.random.Generator, people: People) -> dict[str, np.ndarray]:
    """Age, badges and terms of business.

    Dollars a post: micro Instagram creators ask for 100–500 (wordontheblock.com), Vietnamese micro for 2–10 million VND
    (Height Media); the exponent of followers is assumed.
    """
    count = people.platform.size
    price = 200 * np.exp(0.8 * people.size + 0.5 * rng.standard_normal(count))
    price *= np.array([1.0, 0.8, 2.2, 0.6])[people.platform]
    asked = rng.random(count) < 0.7
    return {
        "is_verified": rng.random(count) < 0.03 + 0.12 * (people.followers > 100_000),
        "is_business": rng.random(count) < 0.45,
        "created": -rng.uniform(30, 2_500, count),
        "price": np.where(asked, price, np.nan),
        "barter": rng.random(count) < np.clip(0.55 - 0.2 * people.size, 0.05, 0.8),
        "name": rng.integers(0, 5_040, count),
        "place": rng.integers(0, 5_040, count),
    }
