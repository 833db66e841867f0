"""Growth signals: how followers, followings and views move from snapshot to snapshot.

A step is the change of followers between two snapshots. Its size is judged against the robust spread of the creator's
own daily changes, with a floor for chance (the square root of the usual daily gain) and for rounding: YouTube publishes
three digits, so 115,000 → 116,000 is one unit of what can be seen, not a purchase of 1,000.
"""

from dataclasses import dataclass

import numpy as np

from features.blocks import (
    MAD_TO_SD,
    Block,
    enough,
    make_blocks,
    ratio,
    row_autocorrelation,
    row_correlation,
    row_count,
    row_gini,
    row_mad,
    row_max,
    row_mean,
    row_median,
    row_sd,
    row_sum,
)
from features.histories import Events, Histories
from features.registry import read_family

#: Snapshots a growth statistic needs.
LEAST = 8
#: A step is marked where it is this many robust standard deviations above the usual change.
STEP_Z = 5.0
#: Days that an interval counts for at least.
LEAST_DAYS = 0.5
#: Posts up to this many days before a step may explain it.
POST_REACH_DAYS = 3.0
#: Sellers deliver in lots of these sizes times a power of ten (public SMM order pages: 500, 1k, 5k …).
LOTS = np.array([1.0, 2.0, 2.5, 5.0, 10.0])
POWERS_OF_TEN = 10.0 ** np.arange(1, 13)
#: Snapshots that a delivery in instalments spans, at least, to be told from a single step.
DRIP_INTERVALS = 7


SIGNALS = read_family("growth")


@dataclass(frozen=True)
class _Steps:
    """Changes between neighbouring snapshots of a block, each array of shape (creators, width - 1)."""

    start: np.ndarray
    end: np.ndarray
    before: np.ndarray
    gain: np.ndarray
    rate: np.ndarray
    spread: np.ndarray
    z: np.ndarray
    posted: np.ndarray
    view_rate: np.ndarray

    @property
    def days(self) -> np.ndarray:
        return np.maximum(self.end - self.start, LEAST_DAYS)


def rounding_unit(followers: np.ndarray) -> np.ndarray:
    """Unit that each published count is rounded to, from the most digits that any count of its creator shows.

    Of 99,900, 100,000 and 101,000 none shows more than three digits: they are rounded to 100, 1,000 and 1,000.

    Parameters
    ----------
    followers : ndarray of float64, shape (creators, width)

    Returns
    -------
    ndarray of float64, shape (creators, width)
        Powers of ten, at least 1; NaN where the count is. Counts that changed less than twice are not taken to be
        rounded to fewer than the three digits of YouTube.
    """
    digits = 1.0 + np.searchsorted(POWERS_OF_TEN, followers, side="right")
    zeros = np.zeros(followers.shape)
    for power in POWERS_OF_TEN[:7]:
        zeros += followers % power == 0
    shown = row_max(np.where(followers > 0, digits - zeros, np.nan))
    varied = np.count_nonzero(np.nan_to_num(np.diff(followers, axis=1)) != 0, axis=1) >= 2
    shown = np.where(varied, shown, np.maximum(shown, 3))
    hidden = np.where(followers > 0, np.maximum(digits - shown[:, None], 0), 0)
    return np.where(np.isnan(followers), np.nan, 10**hidden)


def _posts_between(posts: Events, owners: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Posts of each row's owner published in (start, end], same shape as `start`.

    NaN before the owner's first known post: what was published then may only not have been collected.
    """
    # whole seconds, more than any calendar year to a creator, keep creators apart on one axis and every sum exact
    per_creator = 2**39
    has_posts = posts.counts[owners] > 0
    first = np.full(owners.size, np.inf)
    first[has_posts] = posts["published_at"][posts.offsets[owners[has_posts]]]
    known = ~(np.isnan(start) | np.isnan(end)) & (start >= first[:, None])

    def seconds(days: np.ndarray) -> np.ndarray:
        return np.rint(days * 86_400).astype(np.int64)

    axis = posts.owners * per_creator + seconds(posts["published_at"])
    row = owners[:, None] * per_creator
    low = np.searchsorted(axis, row + seconds(np.where(known, start, 0.0)), side="right")
    high = np.searchsorted(axis, row + seconds(np.where(known, end, 0.0)), side="right")
    return np.where(known, high - low, np.nan)


def _steps(
    block: Block,
    histories: Histories,
    time: np.ndarray,
    followers: np.ndarray,
    views: np.ndarray,
) -> _Steps:
    gain, days = np.diff(followers, axis=1), np.diff(time, axis=1)
    # two snapshots around midnight: a change is not blown up to more than twice its size a day
    days = np.where(days > 0, np.maximum(days, LEAST_DAYS), np.nan)
    rate = gain / days
    usual = row_median(rate)[:, None]
    chance = np.sqrt(np.abs(usual)) + 1.0
    # errors of rounding at both ends of an interval: uniform over one unit each
    unit = rounding_unit(followers)
    rounded = np.sqrt((unit[:, :-1] ** 2 + unit[:, 1:] ** 2) / 12) / days
    # what is usual is known no better than the usual rounding, also for the days before the unit grew
    rounded = np.maximum(rounded, row_median(rounded)[:, None])
    spread = MAD_TO_SD * row_mad(rate)[:, None] + chance + np.where(rounded > 1, rounded, 0.0)
    posted = _posts_between(histories.posts, block.creators, time[:, :-1] - POST_REACH_DAYS, time[:, 1:])
    return _Steps(
        start=time[:, :-1],
        end=time[:, 1:],
        before=followers[:, :-1],
        gain=gain,
        rate=rate,
        spread=spread,
        z=(rate - usual) / spread,
        posted=posted,
        view_rate=np.diff(views, axis=1) / days,
    )


def _at(x: np.ndarray, cell: np.ndarray) -> np.ndarray:
    return x[np.arange(x.shape[0]), cell]


def _value_at(
    values: np.ndarray, time: np.ndarray, moment: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Value of the snapshot nearest to `moment` within `tolerance` days, and its time; NaN where there is none."""
    distance = np.abs(np.where(np.isnan(values), np.nan, time) - moment[:, None])
    distance = np.where(np.isnan(distance), np.inf, distance)
    cell = np.argmin(distance, axis=1)
    near = _at(distance, cell) <= tolerance
    return np.where(near, _at(values, cell), np.nan), np.where(near, _at(time, cell), np.nan)


def _growth_over(values: np.ndarray, time: np.ndarray, days: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Last value, value `days` earlier and the factor that scales their difference to exactly `days`."""
    last_time = row_max(np.where(np.isnan(values), np.nan, time))
    last, _ = _value_at(values, time, last_time, 0.0)
    earlier, then = _value_at(values, time, last_time - days, 0.25 * days)
    return last, earlier, ratio(np.full(last.shape, days), last_time - then)


def _velocity(time: np.ndarray, followers: np.ndarray, views: np.ndarray, steps: _Steps) -> dict[str, np.ndarray]:
    size = np.where(row_mean(followers) > 0, row_mean(followers), np.nan)
    signals = {}
    for days in (28, 90):
        last, earlier, scale = _growth_over(followers, time, days)
        signals[f"follower_growth_{days}d"] = ratio(last - earlier, earlier) * scale
    seen, seen_before, scale = _growth_over(views, time, 28)
    middle = 0.5 * (row_max(time) - row_max(-time))[:, None]
    late = steps.start >= middle
    newer = row_mean(np.where(late, steps.rate, np.nan), LEAST // 2)
    older = row_mean(np.where(late, np.nan, steps.rate), LEAST // 2)
    return {
        **signals,
        "follower_gain_acceleration_all": (newer - older) / size,
        "follower_gain_median_all": row_median(steps.rate, LEAST) / size,
        "follower_gain_mad_all": row_mad(steps.rate, LEAST) / size,
        "view_gain_28d": (seen - seen_before) * scale / size,
    }


def _lot_distance(step: np.ndarray) -> np.ndarray:
    """Relative distance of positive sizes from the nearest lot."""
    known = np.where(step > 0, step, np.nan)
    lots = LOTS[None, :] * 10 ** np.floor(np.log10(known))[:, None]
    return np.min(np.abs(lots - known[:, None]) / known[:, None], axis=1)


def _largest_step(followers: np.ndarray, time: np.ndarray, steps: _Steps) -> dict[str, np.ndarray]:
    """Signals of each creator's most striking step; those that need a marked step are NaN where there is none."""
    count = row_count(steps.z)
    top = np.argmax(np.where(np.isnan(steps.z), -np.inf, steps.z), axis=1)
    z = enough(_at(steps.z, top), count, LEAST)
    usual = row_median(steps.rate) * _at(steps.days, top)
    excess = np.where(z >= STEP_Z, _at(steps.gain, top) - usual, np.nan)
    end = _at(steps.end, top)[:, None]
    after = (time >= end) & (time <= end + 28) & ~np.isnan(followers)
    reached = _at(followers, top + 1)
    lowest = -row_max(np.where(after, -followers, np.nan))
    watched = row_max(np.where(after, time, np.nan)) - end[:, 0] >= 7
    lift = ratio(_at(steps.view_rate, top), row_median(steps.view_rate, LEAST))
    gains = np.where(np.isnan(steps.gain), np.nan, np.maximum(steps.gain, 0))
    total = row_sum(gains)
    largest = np.sort(np.nan_to_num(gains), axis=1)[:, ::-1]
    share = ratio(steps.gain, np.where(steps.before > 0, steps.before, np.nan))
    return {
        "follower_gain_max_step_z_all": z,
        "follower_gain_max_step_share_all": row_max(share, LEAST),
        "follower_gain_max_step_of_gain_all": enough(ratio(largest[:, 0], total), count, LEAST),
        "follower_gain_top3_steps_of_gain_all": enough(ratio(largest[:, :3].sum(axis=1), total), count, LEAST),
        "follower_step_view_lift_all": np.where(z >= STEP_Z, lift, np.nan),
        "follower_step_round_lot_distance_all": _lot_distance(excess),
        "follower_drop_after_step_28d": np.where(watched, ratio(reached - lowest, excess), np.nan),
        "follower_drop_max_share_all": row_max(-share, LEAST),
    }


def _refills(steps: _Steps) -> np.ndarray:
    """Marked falls that a marked rise makes good by at least 70 % within the next three intervals."""
    fall = np.where(steps.z <= -STEP_Z, -steps.gain, np.nan)
    made_good = np.zeros(fall.shape, dtype=bool)
    for later in (1, 2, 3):
        if fall.shape[1] > later:
            rise = np.where(steps.z >= STEP_Z, steps.gain, np.nan)[:, later:]
            with np.errstate(invalid="ignore"):
                made_good[:, :-later] |= rise >= 0.7 * fall[:, :-later]
    return np.count_nonzero(made_good, axis=1)


def _steps_explained(steps: _Steps) -> dict[str, np.ndarray]:
    span = row_max(steps.end) + row_max(-steps.start)
    count = row_count(steps.z)
    usual_views = row_median(steps.view_rate, LEAST)[:, None]
    unseen = np.where(steps.view_rate < 1.5 * usual_views, steps.z, np.nan)
    silent = np.where(steps.posted == 0, steps.z, np.nan)
    return {
        "follower_steps_per_90d_all": enough(
            ratio(np.count_nonzero(steps.z >= STEP_Z, axis=1) * 90.0, span), count, LEAST
        ),
        "follower_step_without_posts_max_z_all": enough(row_max(silent), count, LEAST),
        "follower_step_without_views_max_z_all": enough(row_max(unseen), count, LEAST),
        "follower_refill_per_90d_all": enough(ratio(_refills(steps) * 90.0, span), count, LEAST),
    }


def _evenness(time: np.ndarray, followers: np.ndarray, steps: _Steps) -> dict[str, np.ndarray]:
    down = np.where(np.isnan(steps.gain), np.nan, steps.gain < 0)
    usual = row_median(steps.rate)
    if steps.rate.shape[1] >= DRIP_INTERVALS:
        windows = np.lib.stride_tricks.sliding_window_view(steps.rate, DRIP_INTERVALS, axis=1)
        means = windows.mean(axis=2)
        top = np.argmax(np.where(np.isnan(means), -np.inf, means), axis=1)
        fastest = _at(windows, top)
        lift = _at(means, top) / (np.abs(usual) + np.sqrt(np.abs(usual)) + 1.0)
        evenness = ratio(row_sd(fastest, DRIP_INTERVALS), np.abs(row_mean(fastest, DRIP_INTERVALS)))
    else:
        lift = evenness = np.full(steps.rate.shape[0], np.nan)
    gains = np.where(np.isnan(steps.gain), np.nan, np.maximum(steps.gain, 0))
    return {
        "follower_loss_day_share_all": row_mean(down, LEAST),
        "follower_gain_gini_all": row_gini(gains, LEAST),
        "follower_gain_autocorrelation_all": row_autocorrelation(steps.rate, LEAST),
        "follower_curve_linearity_all": row_correlation(followers, time, LEAST) ** 2,
        "follower_drip_lift_all": enough(lift, row_count(steps.rate), LEAST),
        "follower_drip_evenness_all": enough(evenness, row_count(steps.rate), LEAST),
        "follower_gain_posts_correlation_all": row_correlation(steps.rate, steps.posted, LEAST),
        "follower_gain_views_correlation_all": row_correlation(steps.rate, steps.view_rate, LEAST),
    }


def _views(steps: _Steps) -> dict[str, np.ndarray]:
    usual = row_median(steps.view_rate)[:, None]
    spread = MAD_TO_SD * row_mad(steps.view_rate)[:, None] + np.sqrt(np.abs(usual)) + 1.0
    seen = row_sum(np.where(np.isnan(steps.gain), np.nan, steps.view_rate * steps.days))
    gained = row_sum(np.where(np.isnan(steps.view_rate), np.nan, steps.gain))
    return {
        "view_gain_max_step_z_all": row_max((steps.view_rate - usual) / spread, LEAST),
        "follower_gain_per_1000_views_all": enough(
            ratio(gained * 1000, np.where(seen > 0, seen, np.nan)),
            row_count(steps.view_rate),
            LEAST,
        ),
    }


def _followings(following: np.ndarray) -> dict[str, np.ndarray]:
    moves = np.diff(following, axis=1)
    net = np.abs(row_sum(moves))
    size = np.where(row_mean(following, LEAST) > 0, row_mean(following, LEAST), np.nan)
    return {
        "following_sawtooth_all": (row_sum(np.abs(moves)) - net) / size,
        "following_drop_max_share_all": np.maximum(row_max(-moves, LEAST - 1), 0) / size,
    }


def _block_signals(block: Block, histories: Histories) -> dict[str, np.ndarray]:
    snapshots = histories.snapshots
    time, followers, following, views = (
        block.pad(snapshots[name]) for name in ("observed_at", "followers", "following", "total_views")
    )
    if time.shape[1] < 2:  # one snapshot has no step
        return {}
    steps = _steps(block, histories, time, followers, views)
    return {
        **_velocity(time, followers, views, steps),
        **_largest_step(followers, time, steps),
        **_steps_explained(steps),
        **_evenness(time, followers, steps),
        **_views(steps),
        **_followings(following),
    }


def _profile(histories: Histories) -> dict[str, np.ndarray]:
    followers, following, posts = (
        histories.creators[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("followers", "following", "posts_count")
    )
    return {
        "following_per_follower_all": ratio(following, followers),
        "followers_per_post_all": ratio(followers, posts),
    }


def growth_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every growth signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    columns = {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
    columns |= _profile(histories)
    for block in make_blocks(histories.snapshots.offsets):
        for name, values in _block_signals(block, histories).items():
            columns[name][block.creators] = values
    return columns
