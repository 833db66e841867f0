"""Engagement signals of histories small enough to work out by hand."""

from collections.abc import Callable
from math import e, log, sqrt

import numpy as np
import pandas as pd
import pytest

from features.engagement import EXPECTED_RATE_AT_30K, SIGNALS

Maker = Callable[..., pd.DataFrame]
Compute = Callable[..., pd.Series]

VIEW_SIGNALS = {signal.name for signal in SIGNALS if "view" in signal.name}


def _expect(signals: pd.Series, expected: dict[str, float]) -> None:
    found = signals[list(expected)]
    pd.testing.assert_series_equal(found, pd.Series(expected, name=found.name, dtype=float), rtol=1e-9, atol=1e-12)


@pytest.fixture
def ladder(posts_of: Maker) -> pd.DataFrame:
    """Ten posts, one a day at noon: 10, 20 … 100 likes, a tenth of them comments, ten times of them views."""
    likes = [10 * number for number in range(1, 11)]
    return posts_of(
        "c1",
        likes,
        [like // 10 for like in likes],
        views=[10 * like for like in likes],
        shares=2,
        saves=likes,
    )


def test_rates_and_levels(ladder: pd.DataFrame, signals_of: Compute) -> None:
    _expect(
        signals_of(ladder, followers=1000),
        {
            "engagement_rate_by_followers_median_30p": 0.0605,
            "engagement_rate_by_views_median_30p": 0.11,
            "like_rate_by_followers_median_30p": 0.055,
            "comment_rate_by_followers_median_30p": 0.0055,
            "like_rate_by_views_median_30p": 0.1,
            "comment_rate_by_views_median_30p": 0.01,
            "view_rate_by_followers_median_30p": 0.55,
            "comments_per_like_median_30p": 0.1,
            "shares_per_like_median_30p": (2 / 50 + 2 / 60) / 2,
            "saves_per_like_median_30p": 1,
            "engagement_level_against_size_30p": log(0.0605 / 0.032) + 0.16 * log(1000 / 30_000),
        },
    )


def test_shapes(ladder: pd.DataFrame, signals_of: Compute) -> None:
    _expect(
        signals_of(ladder),
        {
            "likes_cv_all": sqrt(8250 / 9) / 55,
            "likes_gini_all": 165 / 550,
            "likes_max_to_median_all": 100 / 55,
            "likes_p10_to_median_all": 19 / 55,
            "comments_cv_all": sqrt(82.5 / 9) / 5.5,
            "comments_gini_all": 0.3,
            "comments_max_to_median_all": 10 / 5.5,
            "comments_zero_share_all": 0,
            "views_cv_all": sqrt(825_000 / 9) / 550,
            "views_gini_all": 0.3,
            "views_max_to_median_all": 1000 / 550,
        },
    )


def test_rhythm(ladder: pd.DataFrame, signals_of: Compute) -> None:
    """Ten days in a row touch three weekdays twice and four once."""
    weekdays = -(3 * 0.2 * np.log2(0.2) + 4 * 0.1 * np.log2(0.1))
    _expect(
        signals_of(ladder),
        {
            "posts_per_week_90d": 70 / 90,
            "posting_gap_median_all": 1,
            "posting_gap_cv_all": 0,
            "posting_gap_max_all": 1,
            "posting_hour_entropy_all": 0,
            "posting_weekday_entropy_all": weekdays,
        },
    )


@pytest.mark.parametrize("hour", range(24))
def test_posting_on_the_hour_is_one_hour(hour: int, posts_of: Maker, signals_of: Compute) -> None:
    posts = posts_of("c1", [5] * 40, first=f"2025-12-01T{hour:02d}:00:00Z")
    posts["published_at"] += pd.to_timedelta([0, 59] * 20, unit="min")
    assert signals_of(posts)["posting_hour_entropy_all"] == 0


def test_posts_older_than_90_days_are_not_of_the_window(posts_of: Maker, signals_of: Compute) -> None:
    posts = posts_of("c1", [1, 1, 1, 1], every="30D", first="2025-10-02T00:00:00Z")  # 150, 120, 90, 60 days before
    assert signals_of(posts)["posts_per_week_90d"] == pytest.approx(7 / 90)
    gaps = signals_of(posts)[["posting_gap_median_all", "posting_gap_max_all"]]
    assert gaps.tolist() == [30, 30]


def test_the_window_is_the_last_thirty_posts(posts_of: Maker, signals_of: Compute) -> None:
    """The thirty lie half at 100 and half at 200: one post more would move the median to 200."""
    posts = posts_of("c1", [1000] * 30 + [100, 200] * 15, 0, first="2025-11-01")
    signals = signals_of(posts, followers=1000)
    assert signals["like_rate_by_followers_median_30p"] == pytest.approx(0.15)
    assert signals["likes_max_to_median_all"] == pytest.approx(1000 / 600)


def test_ten_newest_posts_against_the_twenty_before(posts_of: Maker, signals_of: Compute) -> None:
    posts = posts_of("c1", [10**6] * 5 + [90] * 20 + [8] * 10, [0] * 5 + [9] * 20 + [1] * 10)
    assert signals_of(posts)["engagement_rate_recent_to_earlier_30p"] == pytest.approx(log(10 / 100))


def test_trend_of_doubling_likes(posts_of: Maker, signals_of: Compute) -> None:
    """Likes of 2ᵏ - 1 lie on a line in log(1 + likes): nothing is left around the trend."""
    signals = signals_of(posts_of("c1", [2**k - 1 for k in range(10)]))
    assert signals["likes_trend_all"] == pytest.approx(log(2) * 365.25)
    assert signals["likes_log_mad_all"] == pytest.approx(0, abs=1e-9)
    assert signals["likes_burst_share_all"] == 0


def test_a_burst_in_the_middle(posts_of: Maker, signals_of: Compute) -> None:
    """Of 21 posts one stands out by d in logs: around the mean it is 20d/21, the others -d/21."""
    signals = signals_of(posts_of("c1", [100] * 10 + [1000] + [100] * 10))
    skew = ((20 / 21) ** 3 - 20 * (1 / 21) ** 3) / 21 * 21**1.5
    _expect(signals, {"likes_burst_share_all": 1 / 21, "likes_log_skew_all": skew, "likes_log_mad_all": 0})


def test_a_shift_of_level(posts_of: Maker, signals_of: Compute) -> None:
    """Half of ten posts at 0, half at 1 like: the sum runs to 5 h below, where sd is h √(10/9)."""
    shifted = posts_of("c1", [0] * 5 + [1] * 5, [0] * 5 + [1] * 5, views=[1] * 10)
    signals = signals_of(shifted)
    _expect(signals, {"likes_shift_cusum_all": 1.5, "likes_per_view_shift_cusum_all": 1.5})
    assert signals[["views_shift_cusum_all", "comments_per_like_shift_cusum_all"]].isna().all()  # never vary
    mixed = signals_of(posts_of("c1", [0, 1] * 5))
    assert mixed["likes_shift_cusum_all"] == pytest.approx(0.3)


def test_shifts_of_views_and_of_comments_per_like(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [3] * 10, [0] * 5 + [9] * 5, views=[9] * 5 + [99] * 5))
    _expect(signals, {"views_shift_cusum_all": 1.5, "comments_per_like_shift_cusum_all": 1.5})


def test_likes_that_never_vary_have_no_shape_to_speak_of(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [997] * 100, 3, views=12_345, first="2025-11-01"))
    _expect(signals, {"likes_cv_all": 0, "likes_gini_all": 0, "likes_log_mad_all": 0, "likes_trend_all": 0})
    undefined = [name for name in signals.index if "cusum" in name or "correlation" in name or "skew" in name]
    assert signals[undefined].isna().all()


def test_alternating_likes_are_opposed_to_the_next(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [10, 100] * 4 + [10]))
    assert signals["likes_autocorrelation_all"] == pytest.approx(-1)


def test_counts_that_move_together_and_against(posts_of: Maker, signals_of: Compute) -> None:
    powers = [2**k - 1 for k in range(10)]
    signals = signals_of(posts_of("c1", powers, powers[::-1], views=[4**k - 1 for k in range(10)]))
    _expect(
        signals,
        {
            "likes_comments_correlation_all": -1,
            "likes_views_correlation_all": 1,
            "comments_views_correlation_all": -1,
            # comments per like are 2^(9 - 2k) in logs 1 + count: distances from the middle of 1, 3, 5, 7, 9 log 2
            "comments_per_like_log_mad_all": 5 * log(2),
            "likes_per_view_log_mad_all": 2.5 * log(2),
        },
    )


def test_posts_that_stand_out(posts_of: Maker, signals_of: Compute) -> None:
    """Ten times the usual count in one post is log 10 from the middle, over the floor of 0.1."""
    likes = [99] * 10 + [999] + [99] * 10
    alone = signals_of(posts_of("c1", likes, 9, views=999))
    _expect(
        alone,
        {
            "likes_without_comments_max_z_all": log(10) / 0.1,
            "comments_without_likes_max_z_all": 0,
            "likes_without_views_max_z_all": log(10) / 0.1,
            "views_without_likes_max_z_all": 0,
        },
    )
    others = signals_of(posts_of("c1", [99] * 21, [9] * 20 + [99], views=[999] * 20 + [9999]))
    _expect(
        others,
        {
            "likes_without_comments_max_z_all": 0,
            "comments_without_likes_max_z_all": log(10) / 0.1,
            "likes_without_views_max_z_all": 0,
            "views_without_likes_max_z_all": log(10) / 0.1,
        },
    )


def test_sponsored_against_organic(posts_of: Maker, signals_of: Compute) -> None:
    posts = posts_of("c1", [10, 20, 30, 100, 200, 300], is_sponsored=[True] * 3 + [False] * 3)
    _expect(signals_of(posts), {"sponsored_share_all": 0.5, "sponsored_to_organic_likes_all": 0.1})
    unknown = posts_of("c1", [10, 20, 30, 100, 200, 300], is_sponsored=[True] * 3 + [None] * 3)
    signals = signals_of(unknown)
    assert signals["sponsored_share_all"] == 1
    assert np.isnan(signals["sponsored_to_organic_likes_all"])
    assert np.isnan(signals_of(posts.drop(columns="is_sponsored"))["sponsored_share_all"])


def test_posts_without_a_comment(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [5] * 10, [0, 0, 0, 1, 1, 1, 1, 1, None, None]))
    assert signals["comments_zero_share_all"] == pytest.approx(3 / 8)


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_posts_seen_too_early_are_left_out(hour: int, posts_of: Maker, signals_of: Compute) -> None:
    """Of ten posts two were seen a minute before two days were over, the others after two days exactly."""
    posts = posts_of(
        "c1", [10] * 8 + [5000] * 2, [1] * 10, views=[100] * 8 + [9] * 2, first=f"2026-01-01T{hour:02d}:00Z"
    )
    posts["observed_at"] = posts["published_at"] + pd.Timedelta("2D") - pd.to_timedelta([0] * 8 + [1] * 2, unit="min")
    signals = signals_of(posts)
    _expect(
        signals,
        {
            "like_rate_by_followers_median_30p": 0.01,
            "likes_max_to_median_all": 1,
            "likes_gini_all": 0,
            "comments_per_like_median_30p": 0.1,
            "view_rate_by_followers_median_30p": 0.1,
            "posts_per_week_90d": 70 / 90,  # that it was posted is known at once
        },
    )


def test_a_later_observation_makes_a_post_count(posts_of: Maker, signals_of: Compute) -> None:
    early = posts_of("c1", [1] * 8)
    early["observed_at"] = early["published_at"] + pd.Timedelta("1h")
    assert np.isnan(signals_of(early)["likes_gini_all"])
    both = pd.concat([early, posts_of("c1", [50] * 8)])
    assert signals_of(both)["like_rate_by_followers_median_30p"] == 0.05


def test_a_history_without_views_lacks_the_view_signals_only(ladder: pd.DataFrame, signals_of: Compute) -> None:
    names = [signal.name for signal in SIGNALS]
    posts = ladder.assign(is_sponsored=[True, False] * 5)
    posts["published_at"] += pd.to_timedelta([0, 3, 1, 7, 2, 9, 4, 6, 5, 8], unit="h")
    posts["comments"] = [1, 3, 2, 5, 4, 7, 6, 9, 8, 0]
    posts = pd.concat(
        [posts, posts.assign(post_id=posts["post_id"] + "b", published_at=posts["published_at"] + pd.Timedelta("20D"))]
    )
    with_views = signals_of(posts)[names]
    without = signals_of(posts.drop(columns="views"))[names]
    assert with_views.notna().all()
    assert set(without.index[without.isna()]) == VIEW_SIGNALS
    pd.testing.assert_series_equal(without.dropna(), with_views.drop(VIEW_SIGNALS)[without.dropna().index])


@pytest.mark.parametrize("followers", [0, None])
def test_without_followers_rates_by_followers_are_missing_and_no_others(
    ladder: pd.DataFrame, signals_of: Compute, followers: int | None
) -> None:
    known, found = signals_of(ladder, followers=1000), signals_of(ladder, followers=followers)
    lost = set(known.index[known.notna() & found.isna()])
    assert lost == {name for name in known.index if "by_followers" in name} | {"engagement_level_against_size_30p"}
    assert not np.isinf(found).any()


def test_posts_without_views_or_likes_have_no_rate(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [0] * 10, 0, views=0))
    missing = [
        "like_rate_by_views_median_30p",
        "comments_per_like_median_30p",
        "likes_max_to_median_all",
        "likes_gini_all",
    ]
    assert signals[missing].isna().all()
    assert signals["like_rate_by_followers_median_30p"] == 0
    assert np.isnan(signals["engagement_level_against_size_30p"])  # the log of nothing


def test_hidden_likes_leave_comments_and_rhythm(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [None] * 10, range(1, 11), views=100))
    assert signals[[name for name in signals.index if name.startswith("likes_")]].isna().all()
    assert signals["comments_gini_all"] == pytest.approx(0.3)
    assert signals["comment_rate_by_views_median_30p"] == pytest.approx(0.055)
    assert signals["posting_gap_median_all"] == 1


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_posts_say_little(posts_of: Maker, signals_of: Compute, count: int) -> None:
    signals = signals_of(posts_of("c1", [10] * count, 1, views=100))
    assert signals[[name for name in signals.index if name.endswith(("cv_all", "gini_all", "mad_all"))]].isna().all()
    assert np.isnan(signals["like_rate_by_followers_median_30p"]) == (count < 3)
    assert signals["posts_per_week_90d"] == pytest.approx(count * 7 / 90)


@pytest.mark.parametrize("platform", EXPECTED_RATE_AT_30K)
def test_level_is_judged_by_platform_and_size(posts_of: Maker, signals_of: Compute, platform: str) -> None:
    likes = round(30_000 * EXPECTED_RATE_AT_30K[platform] * e)
    signals = signals_of(posts_of("c1", [likes] * 9, 0), followers=30_000, platform=platform)
    assert signals["engagement_level_against_size_30p"] == pytest.approx(1, abs=0.01)
