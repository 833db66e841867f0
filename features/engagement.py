"""Engagement signals: how likes, comments and views relate to the audience, to each other and to time.

Rates by followers and by views are different signals and never mixed. Counts of a post observed within `RIPE_DAYS` of
its publication are left out: it is still collecting engagement.
"""

import numpy as np

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
    row_cusum,
    row_entropy,
    row_max,
    row_mean,
    trend,
    zeroed,
)
from features.histories import Histories
from features.registry import read_family
from features.segments import parted, strongest_stretch, unexplained, upper_group
from features.tables import PLATFORMS

#: Instagram posts collect half their engagement in about 19 hours (scottgraffius.com), so 2 days hold most of it.
RIPE_DAYS = 2.0
#: Posts of the window `30p`: what Modash's published engagement rates are medians of.
RECENT_POSTS = 30
#: Posts of the window `128p`, in which two kinds of posts are looked for (assumed: months of a busy creator).
PARTED_POSTS = 128
#: Posts that a statistic of level, and one of shape, needs.
LEAST_LEVEL, LEAST_SHAPE = 3, 8

#: Engagement by followers of a creator of 30,000 followers. Instagram: median of 10k–50k accounts in public sets,
#: measured; TikTok and Facebook: Socialinsider 2026, brand posts; YouTube: Influencer Hero, January 2024.
EXPECTED_RATE_AT_30K = {
    "instagram": 0.032,
    "tiktok": 0.037,
    "youtube": 0.0054,
    "facebook": 0.0015,
}
#: Slope of log engagement rate over log followers, all sizes (public sets, measured).
RATE_SIZE_SLOPE = -0.16


SIGNALS = read_family("engagement")


#: Robust standard deviations above the trend at which a post counts as a burst.
BURST_Z = 3.0
#: Log units that are added to the spread of residuals, and of ratios of rounded counts: they are not known better.
RESIDUAL_FLOOR, RATIO_FLOOR = 0.05, 0.1
#: Posts that a CUSUM needs.
LEAST_CUSUM = 10
#: The posts with the most likes.
TOP_POSTS = 3
#: Likes from which on a number that comes twice in a row says something, and by which part of it the two may differ.
LEAST_REPEAT, REPEAT = 50, 0.02

_USUAL_RATE = np.array([EXPECTED_RATE_AT_30K[platform] for platform in PLATFORMS])
_COLUMNS = ("likes", "comments", "views", "shares", "saves", "published_at", "observed_at", "is_sponsored")


def _where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where, values, np.nan)


def _recent(block: Block, counts: np.ndarray, followers: np.ndarray, usual_rate: np.ndarray) -> dict[str, np.ndarray]:
    """Levels of the newest posts: medians of rates, against what is usual, and newest against earlier."""
    recent = block.newest(counts, RECENT_POSTS)
    likes, comments, views = recent[:3]
    audience = _where(followers, followers > 0)[:, None]
    liked, seen = _where(likes, likes > 0), _where(views, views > 0)
    engaged = likes + comments
    by = np.full((12, *engaged.shape), np.nan)
    with np.errstate(over="ignore"):
        np.divide(engaged, audience, out=by[0])
        np.divide(recent[:3], audience, out=by[1:4])
        np.divide(engaged, seen, out=by[4])
        np.divide(recent[:2], seen, out=by[5:7])
        np.divide(comments, liked, out=by[7])
        np.divide(recent[3:], liked, out=by[8:10])
    np.log1p(engaged[:, -10:], out=by[10, :, -10:])
    np.log1p(engaged[:, :-10], out=by[11, :, :-10])
    ordered = Ordered(by)
    medians = np.where(ordered.count >= LEAST_LEVEL, ordered.median, np.nan)
    rate = medians[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(usual_rate) + RATE_SIZE_SLOPE * np.log(followers / 30_000)
        against_size = _where(np.log(rate) - expected, (rate > 0) & (followers > 0))
    return {
        "engagement_rate_by_followers_median_30p": rate,
        "like_rate_by_followers_median_30p": medians[1],
        "comment_rate_by_followers_median_30p": medians[2],
        "view_rate_by_followers_median_30p": medians[3],
        "engagement_rate_by_views_median_30p": medians[4],
        "like_rate_by_views_median_30p": medians[5],
        "comment_rate_by_views_median_30p": medians[6],
        "comments_per_like_median_30p": medians[7],
        "shares_per_like_median_30p": medians[8],
        "saves_per_like_median_30p": medians[9],
        "engagement_level_against_size_30p": against_size,
        "engagement_rate_recent_to_earlier_30p": medians[10] - enough(medians[11], ordered.count[11], LEAST_SHAPE),
    }


def _repeated(likes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each post but the first: whether it has the likes of the post before, and whether the two can be compared."""
    before, after = likes[:, :-1], likes[:, 1:]
    larger = np.maximum(before, after)
    compared = larger >= LEAST_REPEAT
    return compared & (np.abs(after - before) <= REPEAT * larger), compared


def _share(marked: np.ndarray, count: np.ndarray, least: int = LEAST_SHAPE) -> np.ndarray:
    """Share of marked cells among `count`, from `least` on."""
    return enough(np.add.reduce(marked, axis=1) / np.maximum(count, 1), count, least)


def _strongest(likes: np.ndarray, ordered: Ordered) -> np.ndarray:
    """Mask of the `TOP_POSTS` posts with the most likes, and of those with as many as the last of them.

    Parameters
    ----------
    likes : ndarray of float64, shape (rows, width)
    ordered : Ordered
        The likes are its first column.
    """
    last = cell(ordered.values, np.maximum(ordered.count - TOP_POSTS, 0))[0]
    return np.asarray(likes >= last[:, None])


def _oddities(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Likes that no public gives: the same again and again, or fewer than comments."""
    likes, comments = counts[:2]
    repeated, compared = _repeated(likes)
    both = row_count(likes + comments)
    return {
        "likes_repeat_share_all": _share(repeated, np.add.reduce(compared, axis=1)),
        "likes_below_comments_share_all": _share(likes < comments, both),
    }


def _columns_of_shape(counts: np.ndarray, published: np.ndarray, sponsored: np.ndarray) -> np.ndarray:
    """Likes, comments, views, gaps between posts, likes of sponsored posts and of the others, (6, rows, width)."""
    columns = np.empty((6, *published.shape))
    columns[:3] = counts[:3]
    columns[3, :, 0], columns[4:] = np.nan, np.nan
    np.subtract(published[:, 1:], published[:, :-1], out=columns[3, :, 1:])
    likes = counts[0]
    np.copyto(columns[4], likes, where=sponsored == 1)
    np.copyto(columns[5], likes, where=sponsored == 0)
    return columns


def _spreads(columns: np.ndarray, ordered: Ordered) -> dict[str, np.ndarray]:
    """Shapes of the raw counts and of the gaps between posts."""
    moments = Moments(columns[:4])
    count, median = ordered.count, ordered.median
    shaped = count[:4] >= LEAST_SHAPE
    cv = np.where(shaped, ratio(moments.sd, moments.mean), np.nan)
    total = filled_sum(zeroed(columns[:3]))
    highest = ordered.highest
    gini = np.where(shaped[:3], ordered.gini(total), np.nan)
    to_median = np.where(shaped[:3], ratio(highest[:3], median[:3]), np.nan)
    low = np.where(shaped[:3], ratio(ordered.quantile(0.1)[:3], median[:3]), np.nan)
    gaps = count[3] >= LEAST_LEVEL
    return {
        "likes_cv_all": cv[0],
        "likes_gini_all": gini[0],
        "likes_max_to_median_all": to_median[0],
        "likes_p10_to_median_all": low[0],
        "comments_cv_all": cv[1],
        "comments_gini_all": gini[1],
        "comments_max_to_median_all": to_median[1],
        "comments_zero_share_all": _share(columns[1] == 0, count[1]),
        "views_cv_all": cv[2],
        "views_gini_all": gini[2],
        "views_max_to_median_all": to_median[2],
        "views_p10_to_median_all": low[2],
        "posting_gap_median_all": _where(median[3], gaps),
        "posting_gap_cv_all": cv[3],
        "posting_gap_max_all": _where(highest[3], gaps),
        "sponsored_to_organic_likes_all": _where(
            ratio(median[4], median[5]), (count[4] >= LEAST_LEVEL) & (count[5] >= LEAST_LEVEL)
        ),
    }


def _departures(logs: np.ndarray, published: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of likes and views; their residuals, comments per like, likes per view, in log units, (4, rows, width)."""
    likes, comments, views = logs
    columns = np.empty((4, *published.shape))
    slope, columns[:2] = trend(logs[::2], published)
    np.subtract(comments, likes, out=columns[2])
    np.subtract(likes, views, out=columns[3])
    return slope, columns


def _residuals(logs: np.ndarray, published: np.ndarray, top: np.ndarray) -> dict[str, np.ndarray]:
    """Likes and views around their own trend, and the ratios of counts to each other, also of the strongest posts.

    Parameters
    ----------
    logs : ndarray of float64, shape (3, rows, width)
    published : ndarray of float64, shape (rows, width)
    top : ndarray of bool, shape (rows, width)
        The posts with the most likes.
    """
    slope, columns = _departures(logs, published)
    residual = columns[:2]
    likes, comments, views = logs
    ordered, mad = median_and_mad(columns)
    count, median = ordered.count, ordered.median
    moments = Moments(columns)
    mads = enough(mad, count, LEAST_SHAPE)
    burst = residual[0] > (median[0] + BURST_Z * (MAD_TO_SD * mad[0] + RESIDUAL_FLOOR))[:, None]
    off = zeroed(residual[0])
    cubes = filled_sum(off * off * off) / np.maximum(count[0], 1)
    spread = MAD_TO_SD * mad[2:] + RATIO_FLOOR
    shaped = count[2:] >= LEAST_SHAPE
    above = np.where(shaped, ratio(ordered.highest[2:] - median[2:], spread), np.nan)
    below = np.where(shaped, ratio(median[2:] - ordered.lowest[2:], spread), np.nan)
    shift = enough(row_cusum(moments), count, LEAST_CUSUM)
    x, y = both = np.empty((2, 4, *likes.shape))
    x[0], x[1], x[2], x[3, :, 1:] = likes, likes, comments, residual[0][:, :-1]
    x[3, :, 0] = np.nan
    y[0], y[1], y[2], y[3] = comments, views, views, residual[0]
    pairs = Pairs(both, LEAST_SHAPE)
    correlation = pairs.correlation
    return {
        "likes_log_mad_all": mads[0],
        "likes_log_skew_all": ratio(cubes, enough(moments.sd[0], count[0], LEAST_SHAPE) ** 3),
        "likes_burst_share_all": _share(burst, count[0]),
        "likes_autocorrelation_all": correlation[3],
        "likes_trend_all": enough(slope[0] * 365.25, count[0], LEAST_SHAPE),
        "likes_shift_cusum_all": shift[0],
        "views_log_mad_all": mads[1],
        "views_trend_all": enough(slope[1] * 365.25, count[1], LEAST_SHAPE),
        "views_shift_cusum_all": shift[1],
        "comments_per_like_log_mad_all": mads[2],
        "likes_per_view_log_mad_all": mads[3],
        "comments_per_like_shift_cusum_all": shift[2],
        "likes_per_view_shift_cusum_all": shift[3],
        "likes_comments_correlation_all": correlation[0],
        "likes_views_correlation_all": correlation[1],
        "comments_views_correlation_all": correlation[2],
        "comments_likes_elasticity_all": pairs.slope[0],
        "comments_per_like_at_top_likes_all": _where(row_mean(_where(columns[2], top)) - median[2], shaped[0]),
        "likes_without_comments_max_z_all": below[0],
        "comments_without_likes_max_z_all": above[0],
        "views_without_likes_max_z_all": below[1],
        "likes_without_views_max_z_all": above[1],
    }


def _unexplained(block: Block, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of likes, comments and views, and what of each the two others do not explain, (3, rows, posts).

    Where less than half of the posts with likes and comments have views, likes and comments explain each other: a few
    videos among photos shall not hide the photos.
    """
    logs = np.log1p(block.tail(counts[:3], PARTED_POSTS))
    likes, comments, views = logs
    answered = row_count(likes + comments)
    watched = 2 * row_count(likes + comments + views) >= answered
    beside = np.where((watched & (answered > 0))[..., None], views, 0.0)
    left = np.array(
        [
            unexplained(likes, np.array([comments, beside])),
            unexplained(comments, np.array([likes, beside])),
            unexplained(views, np.array([likes, comments])),
        ]
    )
    return logs, left


def _two_kinds(block: Block, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Whether some posts, or a stretch of them, have a count that the others do not explain."""
    logs, left = _unexplained(block, counts)
    score, _ = strongest_stretch(left)
    gap, spread = parted(np.where(known(left), logs, np.nan), upper_group(left))
    signals = {}
    for place, name in enumerate(("likes", "comments", "views")):
        signals[f"{name}_unexplained_stretch_z_128p"] = score[place]
        signals[f"{name}_unexplained_gap_128p"] = gap[place]
        signals[f"{name}_unexplained_spread_128p"] = spread[place]
    return signals


def _rhythm(block: Block, published: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    within = np.add.reduce(published > row_max(observed)[:, None] - 90, axis=1)
    # whole seconds of the day: 07:00 in days is a little less than 7 / 24
    seconds = np.rint(published * 86_400)
    day = np.floor(seconds / 86_400)
    hour, weekday = np.floor((seconds - day * 86_400) / 3_600), day - 7 * np.floor(day / 7)
    hours, weekdays = row_entropy(np.array([hour, weekday]), 24, LEAST_SHAPE)
    return {
        "posts_per_week_90d": within * 7 / 90,
        "posting_hour_entropy_all": hours,
        "posting_weekday_entropy_all": weekdays,
    }


def _columns(block: Block, histories: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Ripe counts, (5, rows, width), and published, observed and sponsored, (3, rows, width)."""
    columns = block.pad_all([histories.posts[name] for name in _COLUMNS])
    counts, others = columns[:5], columns[5:]
    np.copyto(counts, np.nan, where=~(others[1] - others[0] >= RIPE_DAYS))
    return counts, others


def _block_signals(block: Block, histories: Histories) -> dict[str, np.ndarray]:
    counts, (published, observed, sponsored) = _columns(block, histories)
    columns = _columns_of_shape(counts, published, sponsored)
    ordered = Ordered(columns)
    return {
        **_recent(block, counts, histories.followers[block.creators], _USUAL_RATE[histories.platforms[block.creators]]),
        **_spreads(columns, ordered),
        **_oddities(counts),
        **_residuals(np.log1p(counts[:3]), published, _strongest(counts[0], ordered)),
        **_two_kinds(block, counts),
        **_rhythm(block, published, observed),
        "sponsored_share_all": _share(sponsored == 1, row_count(sponsored), LEAST_LEVEL),
    }


def engagement_signals(histories: Histories, *, threads: int | None = None) -> dict[str, np.ndarray]:
    """Compute every engagement signal.

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
    return block_signals(
        names, histories.posts.offsets, lambda block: _block_signals(block, histories), threads=threads
    )


def _only_above(values: np.ndarray, level: np.ndarray | float = 0.0) -> np.ndarray:
    return _where(values, values > level)


def _turns(departures: np.ndarray) -> np.ndarray:
    """The post at which the running sum of each row is furthest from a straight line; NaN elsewhere."""
    running = np.abs(np.add.accumulate(Moments(departures).deviations, axis=-1))
    return _where(running, running == np.maximum.reduce(running, axis=-1)[..., None])


def _block_pointers(block: Block, histories: Histories) -> dict[str, np.ndarray]:
    counts, (published, _, sponsored) = _columns(block, histories)
    likes, comments = counts[:2]
    _, departures = _departures(np.log1p(counts[:3]), published)
    apart = departures - Ordered(departures).median[..., None]
    ordered = Ordered(counts[:3])
    few, usual = ordered.quantile(0.1)[:, :, None], ordered.median[1]
    repeated = np.zeros(likes.shape, dtype=bool)
    repeated[:, 1:] = _repeated(likes)[0]
    low = _where(-counts[:3], counts[:3] <= few)
    turns = _turns(departures)
    _, left = _unexplained(block, counts)
    upper, stretch = upper_group(left), strongest_stretch(left)[1]
    shifted = {
        f"{name}_unexplained{kind}": block.from_tail(_where(left[place], where[place]))
        for place, name in enumerate(("likes", "comments", "views"))
        for kind, where in (("", upper), ("_stretch", stretch))
    }
    return shifted | {
        "recent": _where(published, block.last(RECENT_POSTS)),
        "sponsored": _where(published, sponsored == 1),
        "gap_before": np.diff(published, axis=1, prepend=np.nan),
        "few_likes": low[0],
        "few_views": low[2],
        "most_likes": _where(likes, _strongest(likes, ordered)),
        "likes_repeated": _where(likes, repeated),
        "likes_below_comments": _only_above(comments - likes),
        "no_comments": _where(published, comments == 0),
        "comments_above_usual": _only_above(comments - usual[:, None]),
        "likes_above_trend": _only_above(departures[0]),
        "views_above_trend": _only_above(departures[1]),
        "likes_without_comments": _only_above(-apart[2]),
        "comments_without_likes": _only_above(apart[2]),
        "views_without_likes": _only_above(-apart[3]),
        "likes_without_views": _only_above(apart[3]),
        "comments_per_like_apart": np.abs(apart[2]),
        "likes_per_view_apart": np.abs(apart[3]),
        "likes_shift": turns[0],
        "views_shift": turns[1],
        "comments_per_like_shift": turns[2],
        "likes_per_view_shift": turns[3],
    }


def engagement_pointers(histories: Histories) -> dict[str, np.ndarray]:
    """Which posts a person would look at to check a signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (posts,)
        By pointer, aligned with `histories.posts`: NaN where the post is not pointed at, larger where to look first.
    """
    return block_pointers(histories.posts.offsets, lambda block: _block_pointers(block, histories))
