"""Engagement signals: how likes, comments and views relate to the audience, to each other and to time.

Rates by followers and by views are different signals and never mixed. Counts of a post observed within `RIPE_DAYS` of
its publication are left out: it is still collecting engagement.
"""

import numpy as np

from features.blocks import (
    Block,
    detrend,
    enough,
    make_blocks,
    ratio,
    row_autocorrelation,
    row_correlation,
    row_count,
    row_cusum,
    row_cv,
    row_entropy,
    row_gini,
    row_mad,
    row_max,
    row_mean,
    row_median,
    row_quantile,
    row_robust_z,
    row_sd,
    row_slope,
)
from features.histories import Histories
from features.registry import read_family

#: Instagram posts collect half their engagement in about 19 hours (scottgraffius.com), so 2 days hold most of it.
RIPE_DAYS = 2.0
#: Posts of the window `30p`: what Modash's published engagement rates are medians of.
RECENT_POSTS = 30
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


def _log(counts: np.ndarray) -> np.ndarray:
    return np.log1p(counts)


def _rates(block: Block, counts: dict[str, np.ndarray], followers: np.ndarray) -> dict[str, np.ndarray]:
    recent = block.last(RECENT_POSTS)
    likes, comments, views, shares, saves = (
        np.where(recent, counts[name], np.nan) for name in ("likes", "comments", "views", "shares", "saves")
    )
    audience = np.where(followers > 0, followers, np.nan)[:, None]
    seen, liked = np.where(views > 0, views, np.nan), np.where(likes > 0, likes, np.nan)

    def median(values: np.ndarray) -> np.ndarray:
        return row_median(values, LEAST_LEVEL)

    return {
        "engagement_rate_by_followers_median_30p": median((likes + comments) / audience),
        "engagement_rate_by_views_median_30p": median((likes + comments) / seen),
        "like_rate_by_followers_median_30p": median(likes / audience),
        "comment_rate_by_followers_median_30p": median(comments / audience),
        "like_rate_by_views_median_30p": median(likes / seen),
        "comment_rate_by_views_median_30p": median(comments / seen),
        "view_rate_by_followers_median_30p": median(views / audience),
        "comments_per_like_median_30p": median(comments / liked),
        "shares_per_like_median_30p": median(shares / liked),
        "saves_per_like_median_30p": median(saves / liked),
    }


def _levels(
    block: Block,
    counts: dict[str, np.ndarray],
    rate: np.ndarray,
    followers: np.ndarray,
    usual_rate: np.ndarray,
) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(usual_rate) + RATE_SIZE_SLOPE * np.log(followers / 30_000)
        against_size = np.where((rate > 0) & (followers > 0), np.log(rate) - expected, np.nan)
    engaged = _log(counts["likes"] + counts["comments"])
    newest, thirty = block.last(10), block.last(RECENT_POSTS)
    latest = row_median(np.where(newest, engaged, np.nan), LEAST_LEVEL)
    earlier = row_median(np.where(thirty & ~newest, engaged, np.nan), LEAST_SHAPE)
    return {
        "engagement_level_against_size_30p": against_size,
        "engagement_rate_recent_to_earlier_30p": latest - earlier,
    }


def _likes_shape(likes: np.ndarray, published: np.ndarray) -> dict[str, np.ndarray]:
    median = row_median(likes, LEAST_SHAPE)
    residual = detrend(_log(likes), published)
    sd = row_sd(residual, LEAST_SHAPE)
    burst = np.where(np.isnan(residual), np.nan, row_robust_z(residual, floor=0.05) > 3)
    return {
        "likes_cv_all": row_cv(likes, LEAST_SHAPE),
        "likes_log_mad_all": row_mad(residual, LEAST_SHAPE),
        "likes_gini_all": row_gini(likes, LEAST_SHAPE),
        "likes_max_to_median_all": ratio(row_max(likes), median),
        "likes_p10_to_median_all": ratio(row_quantile(likes, 0.1), median),
        "likes_log_skew_all": ratio(row_mean(residual**3), sd**3),
        "likes_burst_share_all": row_mean(burst, LEAST_SHAPE),
        "likes_autocorrelation_all": row_autocorrelation(residual, LEAST_SHAPE),
        "likes_trend_all": row_slope(_log(likes), published / 365.25, LEAST_SHAPE),
        "likes_shift_cusum_all": row_cusum(_log(likes)),
    }


def _other_shapes(comments: np.ndarray, views: np.ndarray, published: np.ndarray) -> dict[str, np.ndarray]:
    silent = np.where(np.isnan(comments), np.nan, comments == 0)
    return {
        "comments_cv_all": row_cv(comments, LEAST_SHAPE),
        "comments_gini_all": row_gini(comments, LEAST_SHAPE),
        "comments_max_to_median_all": ratio(row_max(comments), row_median(comments, LEAST_SHAPE)),
        "comments_zero_share_all": row_mean(silent, LEAST_SHAPE),
        "views_cv_all": row_cv(views, LEAST_SHAPE),
        "views_log_mad_all": row_mad(detrend(_log(views), published), LEAST_SHAPE),
        "views_gini_all": row_gini(views, LEAST_SHAPE),
        "views_max_to_median_all": ratio(row_max(views), row_median(views, LEAST_SHAPE)),
        "views_shift_cusum_all": row_cusum(_log(views)),
    }


def _consistency(likes: np.ndarray, comments: np.ndarray, views: np.ndarray) -> dict[str, np.ndarray]:
    log_likes, log_comments, log_views = _log(likes), _log(comments), _log(views)
    talk, liking = log_comments - log_likes, log_likes - log_views
    # a floor of 0.1 log units: ratios of rounded counts are not known better than that
    talk_z, liking_z = row_robust_z(talk, floor=0.1), row_robust_z(liking, floor=0.1)
    return {
        "likes_comments_correlation_all": row_correlation(log_likes, log_comments, LEAST_SHAPE),
        "likes_views_correlation_all": row_correlation(log_likes, log_views, LEAST_SHAPE),
        "comments_views_correlation_all": row_correlation(log_comments, log_views, LEAST_SHAPE),
        "comments_per_like_log_mad_all": row_mad(talk, LEAST_SHAPE),
        "likes_per_view_log_mad_all": row_mad(liking, LEAST_SHAPE),
        "comments_per_like_shift_cusum_all": row_cusum(talk),
        "likes_per_view_shift_cusum_all": row_cusum(liking),
        "likes_without_comments_max_z_all": row_max(-talk_z, LEAST_SHAPE),
        "comments_without_likes_max_z_all": row_max(talk_z, LEAST_SHAPE),
        "views_without_likes_max_z_all": row_max(-liking_z, LEAST_SHAPE),
        "likes_without_views_max_z_all": row_max(liking_z, LEAST_SHAPE),
    }


def _rhythm(published: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    count = row_count(published)
    gaps = np.diff(published, axis=1)
    within = np.count_nonzero(published > row_max(observed)[:, None] - 90, axis=1)
    # whole seconds of the day: 07:00 in days is a little less than 7 / 24
    hour = np.floor(np.rint(published * 86_400) % 86_400 / 3_600)
    return {
        "posts_per_week_90d": enough(within * 7 / 90, count, 1),
        "posting_gap_median_all": row_median(gaps, LEAST_LEVEL),
        "posting_gap_cv_all": row_cv(gaps, LEAST_SHAPE),
        "posting_gap_max_all": row_max(gaps, LEAST_LEVEL),
        "posting_hour_entropy_all": row_entropy(hour, 24, LEAST_SHAPE),
        "posting_weekday_entropy_all": row_entropy(np.floor(published % 7), 7, LEAST_SHAPE),
    }


def _sponsored(likes: np.ndarray, sponsored: np.ndarray) -> dict[str, np.ndarray]:
    paid = row_median(np.where(sponsored == 1, likes, np.nan), LEAST_LEVEL)
    organic = row_median(np.where(sponsored == 0, likes, np.nan), LEAST_LEVEL)
    return {
        "sponsored_share_all": row_mean(sponsored, LEAST_LEVEL),
        "sponsored_to_organic_likes_all": ratio(paid, organic),
    }


def _block_signals(block: Block, histories: Histories, usual_rate: np.ndarray) -> dict[str, np.ndarray]:
    posts = histories.posts
    followers = histories.followers[block.creators]
    published = block.pad(posts["published_at"])
    observed = block.pad(posts["observed_at"])
    ripe = observed - published >= RIPE_DAYS
    counts = {
        name: np.where(ripe, block.pad(posts[name]), np.nan)
        for name in ("likes", "comments", "views", "shares", "saves")
    }
    rates = _rates(block, counts, followers)
    return {
        **rates,
        **_levels(
            block,
            counts,
            rates["engagement_rate_by_followers_median_30p"],
            followers,
            usual_rate[block.creators],
        ),
        **_likes_shape(counts["likes"], published),
        **_other_shapes(counts["comments"], counts["views"], published),
        **_consistency(counts["likes"], counts["comments"], counts["views"]),
        **_rhythm(published, observed),
        **_sponsored(counts["likes"], block.pad(posts["is_sponsored"])),
    }


def engagement_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every engagement signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    columns = {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
    usual_rate = histories.creators["platform"].map(EXPECTED_RATE_AT_30K).to_numpy(dtype=np.float64)
    for block in make_blocks(histories.posts.offsets):
        for name, values in _block_signals(block, histories, usual_rate).items():
            columns[name][block.creators] = values
    return columns
