"""Growth signals: how followers, followings and views move from snapshot to snapshot.

A step is the change of followers between two snapshots. Its size is judged against the robust spread of the creator's
own daily changes, with a floor for chance (the square root of the usual daily gain) and for rounding: YouTube publishes
three digits, so 115,000 → 116,000 is one unit of what can be seen, not a purchase of 1,000.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import pdtrc

from features.blocks import (
    MAD_TO_SD,
    Block,
    Moments,
    Ordered,
    Pairs,
    block_pointers,
    block_signals,
    cell,
    enough,
    filled_sum,
    known,
    median_and_mad,
    ratio,
    row_count,
    row_max,
    zeroed,
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
#: Marked steps, or gaps between them, that their spread needs.
LEAST_MARKED = 3
#: Share of counts that show so many digits or fewer, among those that show at most one more, from which on they are
#: rounded to so many; a tenth by chance, all of them where nothing else is published.
ROUND_SHARE = 0.3
#: Probability (Poisson) below which so many round counts are not by chance.
BY_CHANCE = 1e-3
#: Rounding errors that a step has to be worth to be compared with lots: eight units, for fewer are lots too easily.
LOT_ERRORS = 20.0
#: Digits that counts are rounded to at least, where two of them are all there is to go by (YouTube's three).
LEAST_SHOWN = 3
#: Counts below this are published exactly.
_ALL_SHOWN = 1000
#: Days that a rate of steps in 90 days needs.
LEAST_SPAN = 28.0
#: Rounding errors that a gain has to be worth before its evenness or its concentration says anything.
LEAST_ERRORS = 5.0
#: Followers a day from which on whole numbers say how even the days are.
LEAST_RATE = 10.0


SIGNALS = read_family("growth")
_COLUMNS = ("observed_at", "followers", "following", "total_views")
#: Whole seconds, more than any calendar year to a creator, keep creators apart on one axis and every sum exact.
_PER_CREATOR = 2**39
#: Days later than every moment.
_BEYOND = _PER_CREATOR / 2 / 86_400


@dataclass(frozen=True)
class _Steps:
    """Changes of a block from the snapshot before to each snapshot, (creators, width); NaN in each row's first cell.

    `rate` and `view_rate` are changes a day of followers and views. Of both, one over the other, (2, creators):
    how many there are (`counts`), their medians (`usual`) and median absolute deviations (`mads`); of the views alone
    the `fastest`. `first` and `last` are the times of the first and the last snapshot; `rounding` is the error of
    `rate` that comes from rounded counts, 0 up to one follower; `posted` counts posts within `POST_REACH_DAYS` before
    the step or in it.
    """

    start: np.ndarray
    end: np.ndarray
    first: np.ndarray
    last: np.ndarray
    before: np.ndarray
    following: np.ndarray
    days: np.ndarray
    gain: np.ndarray
    rate: np.ndarray
    view_rate: np.ndarray
    counts: np.ndarray
    usual: np.ndarray
    mads: np.ndarray
    fastest: np.ndarray
    rounding: np.ndarray
    z: np.ndarray
    posted: np.ndarray

    @property
    def count(self) -> np.ndarray:
        return np.asarray(self.counts[0])


def rounding_unit(followers: np.ndarray) -> np.ndarray:
    """Unit that each published count is rounded to: counts of one creator may be exact on some days and not on others.

    Of 99,900, 100,000 and 101,000 none shows more than three digits: they are rounded to 100, 1,000 and 1,000. An exact
    count ends in one more zero by chance in a tenth of cases, so that k digits are taken for a way of rounding where at
    least `ROUND_SHARE` of a creator's counts that show k + 1 digits or fewer show k or fewer, and more do, or show
    fewer still, than by chance, or all do. Each count is then rounded to the fewest digits of those ways that it fits.

    Parameters
    ----------
    followers : ndarray of float64, shape (creators, width)

    Returns
    -------
    ndarray of float64, shape (creators, width)
        Powers of ten, at least 1; NaN where the count is. Counts below 1,000 are published exactly, and counts that
        changed less than twice are not taken to be rounded to fewer than the three digits of YouTube.
    """
    unit = np.where(known(followers), 1.0, np.nan)
    tenth = followers / 10
    rows, cells = np.nonzero((tenth == np.floor(tenth)) & (followers >= _ALL_SHOWN))
    if rows.size < 2:
        return unit
    # what more zeros at the ends than chance makes is looked at again; chance makes a tenth of counts end in one
    tens, hundreds = tenth[rows, cells], tenth[rows, cells] / 10
    ends = np.stack([np.ones(rows.size), hundreds == np.floor(hundreds), tens / 100 == np.floor(tens / 100)])
    one, two, three = (np.bincount(rows, end, len(unit)) for end in ends)
    counts = row_count(followers)
    seems = (one >= ROUND_SHARE * counts) | (two >= np.maximum(0.03 * counts, 2)) | (three >= 2)
    rest = np.flatnonzero(seems)
    if rest.size:
        unit[rest] = _hidden_unit(followers[rest])
    return unit


def _digits_shown(followers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digits of each positive count, and those of them before its final zeros; 1 and 0 or less elsewhere."""
    digits = 1.0 + POWERS_OF_TEN.searchsorted(followers, side="right")
    zeros = np.zeros(followers.size)
    counts = np.where(followers > 0, followers, np.nan).ravel()
    still = np.arange(followers.size)
    for power in POWERS_OF_TEN[:7]:
        quotient = counts[still] / power
        still = still[quotient == np.floor(quotient)]
        if not still.size:
            break
        zeros[still] += 1
    return digits, digits - zeros.reshape(followers.shape)


def _is_way(fewest: int, digits: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Whether each row seems to be rounded to so many digits, and whether chance is no explanation; (2, creators)."""
    longer = digits > fewest
    fitting, of = (np.add.reduce(longer & (shown <= most), axis=1) for most in (fewest, fewest + 1))
    chance = filled_sum(np.where(longer & known(shown), 10.0 ** (fewest - digits), 0.0))
    return np.stack(
        [
            (fitting >= ROUND_SHARE * of) & (fitting >= (2 if fewest >= LEAST_SHOWN else 3)),
            (fitting > 0)
            & ((pdtrc(fitting - 1, chance) < BY_CHANCE) | (fitting == np.add.reduce(longer & known(shown), axis=1))),
        ]
    )


def _hidden_unit(followers: np.ndarray) -> np.ndarray:
    """`rounding_unit` of rows in which some counts seem to be rounded."""
    digits, shown = _digits_shown(followers)
    there = known(followers)
    place = np.maximum.accumulate(np.where(there, np.arange(followers.shape[1]), 0), axis=1)
    before = _previous(np.take_along_axis(followers, place, axis=1))
    # a count that stays says nothing new
    told = there & (followers != before) & (followers >= _ALL_SHOWN)
    ways = np.stack([_is_way(fewest, digits, np.where(told, shown, np.nan)) for fewest in range(int(digits.max()))])
    certain = np.logical_or.accumulate(ways[:, 1], axis=0)
    unit = np.where(there, 1.0, np.nan)
    for fewest in range(len(ways) - 1, 0, -1):
        fits = (ways[fewest, 0] & certain[fewest])[:, None] & (digits > fewest) & (shown <= fewest) & there
        np.copyto(unit, _TENS[np.maximum(digits - fewest, 0).astype(np.int64)], where=fits)
    return np.where(followers >= _ALL_SHOWN, unit, np.where(there, 1.0, np.nan))


_TENS = 10.0 ** np.arange(20)


def _seconds(days: np.ndarray) -> np.ndarray:
    return np.rint(days * 86_400).astype(np.int64)


def _posts_up_to(posts: Events, owners: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Posts of each row's owner from `POST_REACH_DAYS` before each moment's predecessor, exclusive, to the moment.

    NaN at the first moment, and before the owner's first known post: what was published then may only not have been
    collected.
    """
    counts = posts.offsets[owners + 1] - posts.offsets[owners]
    first_row = np.cumsum(counts) - counts
    published = posts["published_at"][
        np.repeat(posts.offsets[owners] - first_row, counts) + np.arange(int(counts.sum()))
    ]
    rows = np.arange(owners.size)
    moments = (rows[:, None] * _PER_CREATOR + _seconds(np.where(known(time), time, _BEYOND))).ravel()
    moment = np.repeat(rows * _PER_CREATOR, counts) + _seconds(published)
    # where a post would stand among the moments is where it begins to count, and where it stops so many days later
    begins, stops = (
        np.bincount(moments.searchsorted(when, side="left"), minlength=moments.size + 1)
        for when in (moment, moment + int(POST_REACH_DAYS * 86_400))
    )
    begins[1:] -= stops[:-1]
    posted = np.add.accumulate(begins[:-1]).reshape(time.shape)
    first = np.full(owners.size, np.inf)
    has_posts = counts > 0
    first[has_posts] = posts["published_at"][posts.offsets[owners[has_posts]]]
    told = (_previous(time) - POST_REACH_DAYS >= first[:, None]) & known(time)
    return np.where(told, posted, np.nan)


def _previous(x: np.ndarray) -> np.ndarray:
    """Value of the cell before each cell, NaN before the first."""
    shifted = np.empty(x.shape)
    shifted[..., 0] = np.nan
    shifted[..., 1:] = x[..., :-1]
    return shifted


def _rounding(followers: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Error of a daily change that comes from rounded counts, shape of `days`; 0 up to one follower."""
    unit = rounding_unit(followers)
    if not (unit > 1).any():
        return np.zeros(days.shape)
    unit *= unit
    # errors of rounding at both ends of an interval: uniform over one unit each
    error = np.sqrt((_previous(unit) + unit) / 12) / days
    # what is usual is known no better than the usual rounding, also for the days before the unit grew
    error = np.maximum(error, Ordered(error).median[:, None])
    return np.where(error > 1, error, 0.0)


def _steps(block: Block, histories: Histories, columns: np.ndarray) -> _Steps:
    time, followers = columns[:2]
    before = _previous(columns)
    moved = columns - before
    # two snapshots around midnight: a change is not blown up to more than twice its size a day
    days = np.where(moved[0] > 0, np.maximum(moved[0], LEAST_DAYS), np.nan)
    rates = moved[1::2] / days
    ordered, mads = median_and_mad(rates)
    usual = ordered.median[0][:, None]
    rounding = _rounding(followers, days)
    spread = MAD_TO_SD * mads[0][:, None] + np.sqrt(np.abs(usual)) + 1.0 + rounding
    return _Steps(
        start=before[0],
        end=time,
        first=time[:, 0],
        last=cell(time, block.lengths - 1),
        before=before[1],
        following=moved[2],
        days=days,
        gain=moved[1],
        rate=rates[0],
        view_rate=rates[1],
        counts=ordered.count,
        usual=ordered.median,
        mads=mads,
        fastest=ordered.highest[1],
        rounding=rounding,
        z=(rates[0] - usual) / spread,
        posted=_posts_up_to(histories.posts, block.creators, time),
    )


def _nearest(values: np.ndarray, time: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and time of the known value nearest to each moment, and how many days it is away."""
    away = np.abs(time - moment[..., None])
    np.copyto(away, np.inf, where=~known(values + away))
    place = away.argmin(axis=-1)
    return cell(values, place), cell(np.broadcast_to(time, values.shape), place), cell(away, place)


def _last_known(values: np.ndarray) -> np.ndarray:
    """Place of the last known value of each row, the last cell where none is."""
    last: np.ndarray = values.shape[-1] - 1 - known(values)[..., ::-1].argmax(axis=-1)
    return last


def _velocity(columns: np.ndarray, steps: _Steps, size: np.ndarray) -> dict[str, np.ndarray]:
    time, values = columns[0], columns[[1, 1, 3]]
    window = np.array([28.0, 90.0, 28.0])[:, None]
    place = _last_known(values)
    last, last_time = cell(values, place), cell(np.broadcast_to(time, values.shape), place)
    earlier, then, away = _nearest(values, time, last_time - window)
    change = np.where(away <= 0.25 * window, (last - earlier) * ratio(window, last_time - then), np.nan)
    return {
        "follower_growth_28d": ratio(change[0], earlier[0]),
        "follower_growth_90d": ratio(change[1], earlier[1]),
        "view_gain_28d": change[2] / size,
        "follower_gain_median_all": enough(steps.usual[0], steps.count, LEAST) / size,
        "follower_gain_mad_all": enough(steps.mads[0], steps.count, LEAST) / size,
    }


def _means(columns: np.ndarray, steps: _Steps) -> tuple[np.ndarray, np.ndarray]:
    """Mean followers and following; mean rates of the later half, the earlier one, steps without and with posts."""
    parts = np.empty((6, *steps.rate.shape))
    parts[:2] = columns[1:3]
    late = steps.start >= 0.5 * (steps.first + steps.last)[:, None]
    for part, where in zip(parts[2:], (late, ~late, steps.posted == 0, steps.posted > 0), strict=True):
        part[:] = np.where(where, steps.rate, np.nan)
    moments = Moments(parts)
    means = enough(moments.mean, moments.count, _LEAST_OF_MEANS)
    levels = means[:2]
    return np.where(levels > 0, levels, np.nan), means[2:]


#: Values that each of `_means` needs.
_LEAST_OF_MEANS = np.array([1, LEAST, *[LEAST // 2] * 4])[:, None]


def _halves(rates: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    """Mean rates of the later half against the earlier one, of steps without posts against those with some."""
    newer, older, silent, posting = rates
    return {
        "follower_gain_acceleration_all": (newer - older) / size,
        "follower_gain_without_posts_ratio_all": ratio(silent, np.where(posting > 0, posting, np.nan)),
    }


def _lot_distance(step: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Relative distance of sizes from the nearest lot; NaN where a size is not many times its error of rounding.

    Rounded counts differ by round numbers, so that everything would look like a lot.
    """
    size = np.where((step > 0) & (step >= LOT_ERRORS * error), step, np.nan)[:, None]
    lots = LOTS * 10 ** np.floor(np.log10(size))
    return np.minimum.reduce(np.abs(lots - size) / size, axis=1)


def _lost_again(columns: np.ndarray, top: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Part of the `excess` of the step that ends at `top` that is lost within 28 days; NaN without an excess."""
    lost = np.full(top.size, np.nan)
    rows = np.flatnonzero(known(excess))
    if not rows.size:
        return lost
    time, followers = columns[:2, rows]
    end, height = cell(time, top[rows]), cell(followers, top[rows])
    after = (time >= end[:, None]) & (time <= end[:, None] + 28) & known(followers)
    lowest, watched = row_max(np.where(after, np.array([-followers, time]), np.nan))
    lost[rows] = np.where(watched - end >= 7, ratio(height + lowest, excess[rows]), np.nan)
    return lost


def _largest_step(columns: np.ndarray, steps: _Steps, gains: Ordered, total: np.ndarray) -> dict[str, np.ndarray]:
    """Signals of each creator's most striking step; those that need a marked step are NaN where there is none."""
    count = steps.count
    top = np.where(known(steps.z), steps.z, -np.inf).argmax(axis=1)
    z = enough(cell(steps.z, top), count, LEAST)
    excess = np.where(z >= STEP_Z, cell(steps.gain, top) - steps.usual[0] * cell(steps.days, top), np.nan)
    lift = ratio(cell(steps.view_rate, top), enough(steps.usual[1], steps.counts[1], LEAST))
    share = ratio(steps.gain, np.where(steps.before > 0, steps.before, np.nan))
    first, second, third = (cell(gains.values, np.maximum(gains.count - place, 0)) for place in (1, 2, 3))
    of_gain = enough(ratio(np.array([first, first + second + third]), total), count, LEAST)
    return {
        "follower_gain_max_step_z_all": z,
        "follower_gain_max_step_share_all": row_max(share, LEAST),
        "follower_gain_max_step_of_gain_all": of_gain[0],
        "follower_gain_top3_steps_of_gain_all": of_gain[1],
        "follower_step_view_lift_all": np.where(z >= STEP_Z, lift, np.nan),
        "follower_step_round_lot_distance_all": _lot_distance(
            excess, cell(steps.rounding, top) * cell(steps.days, top)
        ),
        "follower_drop_after_step_28d": _lost_again(columns, top, excess),
        "follower_drop_max_share_all": np.maximum(row_max(-share, LEAST), 0),
    }


def _refilled(steps: _Steps) -> tuple[np.ndarray, np.ndarray]:
    """Rows and cells of marked falls that a marked rise makes good by at least 70 % within the next three intervals."""
    falls = steps.z <= -STEP_Z
    rows, cells = np.nonzero(falls)
    if not rows.size:
        return rows, cells
    made_good = np.zeros(rows.size, dtype=bool)
    for later in (1, 2, 3):
        place = np.minimum(cells + later, falls.shape[1] - 1)
        rise = np.where(steps.z[rows, place] >= STEP_Z, steps.gain[rows, place], np.nan)
        made_good |= (cells + later < falls.shape[1]) & (rise >= -0.7 * steps.gain[rows, cells])
    return rows[made_good], cells[made_good]


def _steps_explained(steps: _Steps) -> dict[str, np.ndarray]:
    span = np.where(steps.last - steps.first >= LEAST_SPAN, steps.last - steps.first, np.nan)
    usual_views = enough(steps.usual[1], steps.counts[1], LEAST)[:, None]
    unexplained = np.array([steps.posted == 0, steps.view_rate < 1.5 * usual_views])
    silent, unseen = enough(row_max(np.where(unexplained, steps.z, np.nan)), steps.count, LEAST)
    marked = np.add.reduce(steps.z >= STEP_Z, axis=1)
    refills = np.bincount(_refilled(steps)[0], minlength=marked.size)
    return {
        "follower_steps_per_90d_all": enough(ratio(marked * 90.0, span), steps.count, LEAST),
        "follower_step_without_posts_max_z_all": silent,
        "follower_step_without_views_max_z_all": unseen,
        "follower_refill_per_90d_all": enough(ratio(refills * 90.0, span), steps.count, LEAST),
    }


def _told(total: np.ndarray, steps: _Steps) -> np.ndarray:
    """Total gains; NaN where a step gains less on average than rounding can tell."""
    if not steps.rounding.any():
        return total
    error = filled_sum(np.where(known(steps.gain), steps.rounding * steps.days, 0.0))
    return np.where(total >= LEAST_ERRORS * error, total, np.nan)


def _stretches(cells: np.ndarray) -> np.ndarray:
    """Sums over every stretch of `DRIP_INTERVALS` cells, by its first."""
    width = cells.shape[1] - DRIP_INTERVALS + 1
    sums = cells[:, :width]
    for later in range(1, DRIP_INTERVALS):
        sums = sums + cells[:, later : later + width]
    return sums


def _fastest_stretch(steps: _Steps) -> tuple[np.ndarray, np.ndarray]:
    """Gain a day of every stretch of `DRIP_INTERVALS` steps by its first, and the first step of the fastest."""
    means = _stretches(steps.gain) / _stretches(steps.days)
    return means, np.where(known(means), means, -np.inf).argmax(axis=1)


def _repeats(steps: _Steps) -> dict[str, np.ndarray]:
    """Steps as they are sold: of one size, at even distances, more even than chance allows."""
    usual = steps.usual[0]
    rows, cells = np.nonzero(steps.z >= STEP_Z)
    counts = np.bincount(rows, minlength=usual.size)
    place = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    marks = np.full((2, counts.size, max(int(counts.max()), 1)), np.nan)
    marks[0, rows, place] = steps.gain[rows, cells] - usual[rows] * steps.days[rows, cells]
    marks[1, rows, place] = steps.end[rows, cells]
    marks[1] -= _previous(marks[1])
    own = Moments(marks)
    cv = np.where((own.count >= LEAST_MARKED) & (steps.count >= LEAST), ratio(own.sd, own.mean), np.nan)
    days = filled_sum(np.where(known(steps.rate), steps.days, 0.0)) / np.maximum(steps.count, 1)
    exact = (usual >= LEAST_RATE) & ~steps.rounding.any(axis=1)
    dispersion = (MAD_TO_SD * steps.mads[0]) ** 2 * days / np.where(exact, usual, np.nan)
    return {
        "follower_step_size_cv_all": cv[0],
        "follower_step_spacing_cv_all": cv[1],
        "follower_gain_dispersion_all": enough(dispersion, steps.count, LEAST),
    }


def _drip(steps: _Steps) -> dict[str, np.ndarray]:
    """The fastest stretch of `DRIP_INTERVALS` steps: how far above the usual, how even, and what comes after."""
    means, top = _fastest_stretch(steps)
    cells = (np.arange(0, steps.rate.size, steps.rate.shape[1]) + top)[:, None] + np.arange(DRIP_INTERVALS)
    fastest = Moments(steps.rate.ravel().take(cells))
    usual = np.abs(steps.usual[0])
    peak = cell(means, top)
    # the ends of a stretch are rounded, what lies between them is not lost; each of its steps bears the whole error
    error = np.add.reduce(steps.rounding.ravel().take(cells), axis=1) / DRIP_INTERVALS
    lift = peak / (usual + np.sqrt(usual) + 1.0 + error / DRIP_INTERVALS)
    next_one = np.minimum(top + DRIP_INTERVALS, means.shape[1] - 1)
    after = np.where(top + DRIP_INTERVALS < means.shape[1], cell(means, next_one), np.nan)
    even = (fastest.count == DRIP_INTERVALS) & (np.abs(fastest.mean) >= LEAST_ERRORS * error)
    clear = (peak > 0) & (peak >= LEAST_ERRORS * error / DRIP_INTERVALS)
    return {
        "follower_drip_lift_all": enough(lift, steps.count, LEAST),
        "follower_drip_evenness_all": enough(
            np.where(even, ratio(fastest.sd, np.abs(fastest.mean)), np.nan), steps.count, LEAST
        ),
        "follower_stop_after_fastest_all": 1 - ratio(after, np.where(clear, peak, np.nan)),
    }


def _evenness(columns: np.ndarray, steps: _Steps, gains: Ordered, total: np.ndarray) -> dict[str, np.ndarray]:
    time, followers = columns[0], columns[1]
    down = np.add.reduce(steps.gain < 0, axis=1)
    count = row_count(steps.gain)
    # followers over time, rate over the next rate, rate over posts, rate over views
    x, y = pairs = np.empty((2, 4, *time.shape))
    x[0], x[1], x[2:] = followers, _previous(steps.rate), steps.rate
    y[0], y[1], y[2], y[3] = time, steps.rate, steps.posted, steps.view_rate
    correlation = Pairs(pairs, LEAST).correlation
    return {
        "follower_loss_day_share_all": enough(down / np.maximum(count, 1), count, LEAST),
        "follower_gain_gini_all": enough(gains.gini(total), gains.count, LEAST),
        "follower_curve_linearity_all": correlation[0] ** 2,
        "follower_gain_autocorrelation_all": correlation[1],
        "follower_gain_posts_correlation_all": correlation[2],
        "follower_gain_views_correlation_all": correlation[3],
    }


def _views(steps: _Steps) -> dict[str, np.ndarray]:
    usual, count = steps.usual[1], steps.counts[1]
    spread = MAD_TO_SD * steps.mads[1] + np.sqrt(np.abs(usual)) + 1.0
    both = steps.gain + steps.view_rate
    seen, gained = filled_sum(np.where(known(both), np.array([steps.view_rate * steps.days, steps.gain]), 0.0))
    return {
        "view_gain_max_step_z_all": enough((steps.fastest - usual) / spread, count, LEAST),
        "view_gain_mad_to_median_all": enough(ratio(steps.mads[1], np.where(usual > 0, usual, np.nan)), count, LEAST),
        "follower_gain_per_1000_views_all": enough(
            ratio(gained * 1000, np.where(seen > 0, seen, np.nan)), count, LEAST
        ),
    }


def _followings(moves: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    net, walked = filled_sum(zeroed(np.array([moves, np.abs(moves)])))
    return {
        "following_sawtooth_all": (walked - np.abs(net)) / size,
        "following_drop_max_share_all": np.maximum(row_max(-moves, LEAST - 1), 0) / size,
    }


def _block_signals(block: Block, histories: Histories) -> dict[str, np.ndarray]:
    columns = block.pad_all([histories.snapshots[name] for name in _COLUMNS])
    if int(block.lengths[-1]) < 2:  # one snapshot has no step
        return {}
    steps = _steps(block, histories, columns)
    (size, following), rates = _means(columns, steps)
    positive = np.where(known(steps.gain), np.maximum(steps.gain, 0), np.nan)
    gains, total = Ordered(positive), _told(filled_sum(zeroed(positive)), steps)
    return {
        **_velocity(columns, steps, size),
        **_halves(rates, size),
        **_largest_step(columns, steps, gains, total),
        **_steps_explained(steps),
        **_drip(steps),
        **_repeats(steps),
        **_evenness(columns, steps, gains, total),
        **_views(steps),
        **_followings(steps.following, following),
    }


def _profile(histories: Histories) -> dict[str, np.ndarray]:
    followers, following, posts = (histories.profiles[name] for name in ("followers", "following", "posts_count"))
    return {
        "following_per_follower_all": ratio(following, followers),
        "followers_per_post_all": ratio(followers, posts),
    }


def growth_signals(histories: Histories, *, threads: int | None = None) -> dict[str, np.ndarray]:
    """Compute every growth signal.

    Parameters
    ----------
    threads : int, optional
        One a core by default.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    names = [signal.name for signal in SIGNALS]
    offsets = histories.snapshots.offsets
    return block_signals(names, offsets, lambda block: _block_signals(block, histories), threads=threads) | _profile(
        histories
    )


def _above(values: np.ndarray, level: float = 0.0) -> np.ndarray:
    return np.where(values > level, values, np.nan)


def _block_pointers(block: Block, histories: Histories) -> dict[str, np.ndarray]:
    columns = block.pad_all([histories.snapshots[name] for name in _COLUMNS])
    steps = _steps(block, histories, columns)
    time = columns[0]
    top = np.where(known(steps.z), steps.z, -np.inf).argmax(axis=1)
    end = cell(time, top)[:, None]
    after = (time > end) & (time <= end + 28)
    cells = np.arange(time.shape[1])
    _, first = _fastest_stretch(steps)
    drip = (cells >= first[:, None]) & (cells < first[:, None] + DRIP_INTERVALS)
    refill = np.full(time.shape, np.nan)
    fallen = _refilled(steps)
    refill[fallen] = -steps.gain[fallen]
    usual_views = steps.usual[1][:, None]
    return {
        "step": _above(steps.z, STEP_Z),
        "gain": _above(steps.gain),
        "drop": _above(-steps.gain),
        "drop_after_step": np.where(after, _above(-steps.gain), np.nan),
        "step_without_posts": np.where(steps.posted == 0, _above(steps.z), np.nan),
        "step_without_views": np.where(steps.view_rate < 1.5 * usual_views, _above(steps.z), np.nan),
        "refill": refill,
        "drip": np.where(drip, steps.rate, np.nan),
        "view_step": _above(steps.view_rate - usual_views),
        "following_drop": _above(-steps.following),
    }


def growth_pointers(histories: Histories) -> dict[str, np.ndarray]:
    """Which days a person would look at to check a signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (snapshots,)
        By pointer, aligned with `histories.snapshots`, of the snapshot that a change ends at: NaN where the day is not
        pointed at, larger where to look first.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return block_pointers(histories.snapshots.offsets, lambda block: _block_pointers(block, histories))
