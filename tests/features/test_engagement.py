"""Engagement signals of histories small enough to work out by hand."""

from collections.abc import Callable
from math import e, log, sqrt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from features.engagement import EXPECTED_RATE_AT_30K, SIGNALS
from features.evidence import evidence_rows
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables

Maker = Callable[..., pd.DataFrame]
Compute = Callable[..., pd.Series]

VIEW_SIGNALS = {signal.name for signal in SIGNALS if "view" in signal.name}


def _expect(signals: pd.Series, expected: dict[str, float]) -> None:
    found = signals[list(expected)]
    pd.testing.assert_series_equal(found, pd.Series(expected, name=found.name, dtype=float), rtol=1e-9, atol=1e-12)


# ---- every signal by hand


def _ladder_posts(posts_of: Maker) -> pd.DataFrame:
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


def _ladder(make: SimpleNamespace) -> Tables:
    return make.tables(_ladder_posts(make.posts), followers=1000)


def _ten_against_twenty(make: SimpleNamespace) -> Tables:
    """Likes and comments: 10⁶ - 1 five times, 99 twenty times, 9 ten times."""
    return make.tables(make.posts("c1", [10**6] * 5 + [90] * 20 + [8] * 10, [0] * 5 + [9] * 20 + [1] * 10))


def _mirrored(make: SimpleNamespace) -> Tables:
    """Logs of 1 + likes are 3, 1, 0, 2, 4 and back again times log 2, those of views twice as much: no trend."""
    powers = [3, 1, 0, 2, 4, 4, 2, 0, 1, 3]
    return make.tables(make.posts("c1", [2**k - 1 for k in powers], views=[4**k - 1 for k in powers]))


def _burst(make: SimpleNamespace) -> Tables:
    """Of 21 posts the one in the middle stands out."""
    return make.tables(make.posts("c1", [100] * 10 + [1000] + [100] * 10))


def _in_turns(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [10, 100] * 4 + [10]))


def _doubling(make: SimpleNamespace) -> Tables:
    """Likes of 2ᵏ - 1 lie on a line in log(1 + likes), each day log 2 higher."""
    return make.tables(make.posts("c1", [2**k - 1 for k in range(10)]))


def _shifted(make: SimpleNamespace) -> Tables:
    """Likes and views of the later five of ten daily posts lie a step above the earlier five."""
    return make.tables(make.posts("c1", [0] * 5 + [1] * 5, views=[9] * 5 + [99] * 5))


def _talk_shifted(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [3] * 10, [0] * 5 + [9] * 5))


def _liking_shifted(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [0] * 5 + [1] * 5, views=[1] * 10))


def _silent(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [5] * 10, [0, 0, 0, 1, 1, 1, 1, 1, None, None]))


def _some_of_each(make: SimpleNamespace) -> Tables:
    """Of eight posts 5 to 8 have a like, 4, 6, 7 and 8 a comment, 1, 2, 3 and 8 a view."""
    return make.tables(
        make.posts("c1", [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 1, 1, 1], views=[1, 1, 1, 0, 0, 0, 0, 1])
    )


def _fanned(make: SimpleNamespace) -> Tables:
    """Logs of 1 + likes are 0 to 9 times log 2, of comments 9 to 0, of views 0 to 18."""
    powers = [2**k - 1 for k in range(10)]
    return make.tables(make.posts("c1", powers, powers[::-1], views=[4**k - 1 for k in range(10)]))


def _liked_once(make: SimpleNamespace) -> Tables:
    """One post has ten times the usual 1 + likes."""
    return make.tables(make.posts("c1", [99] * 10 + [999] + [99] * 10, 9, views=999))


def _discussed_and_seen_once(make: SimpleNamespace) -> Tables:
    """One post has ten times the usual 1 + comments and 1 + views."""
    return make.tables(make.posts("c1", [99] * 21, [9] * 20 + [99], views=[999] * 20 + [9999]))


def _uneven_gaps(make: SimpleNamespace) -> Tables:
    """Nine posts with gaps of a day and of three days in turns."""
    posts = make.posts("c1", [1] * 9)
    days = [0, 1, 4, 5, 8, 9, 12, 13, 16]
    return make.tables(posts.assign(published_at=posts["published_at"].iloc[0] + pd.to_timedelta(days, unit="D")))


def _three_hours(make: SimpleNamespace) -> Tables:
    """Four posts at noon, two at 13 and two at 14 o'clock."""
    posts = make.posts("c1", [1] * 8)
    return make.tables(
        posts.assign(published_at=posts["published_at"] + pd.to_timedelta([0, 0, 0, 0, 1, 1, 2, 2], unit="h"))
    )


def _paid_and_not(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [10, 20, 30, 100, 200, 300, 200], is_sponsored=[True] * 3 + [False] * 4))


#: The running sum of five values h / 2 below and five above the mean reaches 5 h / 2; sd is h / 2 × √(10 / 9).
STEP_CUSUM = (5 / 2) / (1 / 2 * sqrt(10 / 9) * sqrt(10))
#: Less its line over the days 0 to 9, of slope h × 12.5 / 82.5 = 5 h / 33, the step leaves 6, 1, -4, -9, -14, 14, 9, 4,
#: -1, -6 times h / 33: the sum runs to -20, the squares add to 660.
DETRENDED_STEP_CUSUM = 20 / (sqrt(660 / 9) * sqrt(10))


def _again(make: SimpleNamespace) -> Tables:
    """Of the nine pairs of neighbours the last is too small; 100 and 100, 100 and 102, 200 and 200 are alike."""
    return make.tables(make.posts("c1", [100, 100, 102, 105, 200, 200, 300, 400, 40, 40]))


def _talked_about(make: SimpleNamespace) -> Tables:
    """Of eight posts with likes and comments two have more comments."""
    return make.tables(make.posts("c1", [5] * 10, [6, 7, 5, 0, 0, 0, 0, 0, None, None]))


def _seen(make: SimpleNamespace) -> Tables:
    """100, 200 … 1,000 views."""
    return make.tables(make.posts("c1", [1] * 10, views=[100 * number for number in range(1, 11)]))


def _doubling_views(make: SimpleNamespace) -> Tables:
    """Each day's views are log 2 above those of the day before."""
    return make.tables(make.posts("c1", [1] * 10, views=[2**k - 1 for k in range(10)]))


def _half_as_talkative(make: SimpleNamespace) -> Tables:
    """Where 1 + likes are four times as many, 1 + comments are twice as many."""
    return make.tables(make.posts("c1", [4**k - 1 for k in range(10)], [2**k - 1 for k in range(10)]))


def _three_liked(make: SimpleNamespace) -> Tables:
    """Three posts have ten times the usual 1 + likes, and one of them ten times the usual 1 + comments."""
    return make.tables(make.posts("c1", [99] * 8 + [999] * 3, [9] * 10 + [99]))


#: Five posts at 1, five at 512 or 1024 times that: logs of 0, and of 9 and 10 times log 2.
_LOW_AND_HIGH = [0] * 5 + [511] * 3 + [1023] * 2


def _more_likes_later(make: SimpleNamespace) -> Tables:
    """Comments, and views that nobody knows, say nothing of the later likes."""
    return make.tables(make.posts("c1", _LOW_AND_HIGH, 3))


def _more_comments_later(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [3] * 10, _LOW_AND_HIGH))


def _more_views_later(make: SimpleNamespace) -> Tables:
    return make.tables(make.posts("c1", [3] * 10, 1, views=_LOW_AND_HIGH))


#: Means of 0 and 9.4 log 2, five each; neighbours are equal but for two of nine.
LATER_STRETCH = 9.4 * log(2) * sqrt(25 / 10) / 0.05
LATER_GAP = 9.4 * log(2)
#: 9, 9, 9, 10 and 10 lie .4 and .6 from their mean: squares of 1.2.
LATER_SPREAD = log((sqrt(1.2 / 4) * log(2) + 0.05) / 0.05)

#: Signal → history and value.
HAND: dict[str, tuple[Callable[[SimpleNamespace], Tables], float]] = {
    # the middle of ten posts lies between 50 and 60 likes, 5 and 6 comments, 500 and 600 views
    "engagement_rate_by_followers_median_30p": (_ladder, (55 + 66) / 2 / 1000),
    "engagement_rate_by_views_median_30p": (_ladder, (10 + 1) / 100),
    "like_rate_by_followers_median_30p": (_ladder, (50 + 60) / 2 / 1000),
    "comment_rate_by_followers_median_30p": (_ladder, (5 + 6) / 2 / 1000),
    "like_rate_by_views_median_30p": (_ladder, 10 / 100),
    "comment_rate_by_views_median_30p": (_ladder, 1 / 100),
    "view_rate_by_followers_median_30p": (_ladder, (500 + 600) / 2 / 1000),
    "comments_per_like_median_30p": (_ladder, 1 / 10),
    "shares_per_like_median_30p": (_ladder, (2 / 50 + 2 / 60) / 2),
    "saves_per_like_median_30p": (_ladder, 1),
    "engagement_level_against_size_30p": (_ladder, log(0.0605 / 0.032) + 0.16 * log(1000 / 30_000)),
    "engagement_rate_recent_to_earlier_30p": (_ten_against_twenty, log(1 + 9) - log(1 + 99)),
    # squares of the distances of 10, 20 … 100 from 55: 2 × (45² + 35² + 25² + 15² + 5²) = 8250
    "likes_cv_all": (_ladder, sqrt(8250 / 9) / 55),
    # |k - 2| over 3, 1, 0, 2, 4 twice: 1, 1, 2, 0, 2 twice, in the middle 1
    "likes_log_mad_all": (_mirrored, log(2)),
    # Σ (2i - 11) × 10 i over i = 1 … 10 is 20 × 385 - 110 × 55 = 1650; over 10 × 550
    "likes_gini_all": (_ladder, 1650 / 5500),
    "likes_max_to_median_all": (_ladder, 100 / 55),
    # the 10 % quantile stands at 0.9 of the way from the first to the second
    "likes_p10_to_median_all": (_ladder, (10 + 0.9 * 10) / 55),
    # one of 21 stands out by d: 20 d / 21 from the mean, the others -d / 21; the squares add to d² × 20 / 21
    "likes_log_skew_all": (_burst, ((20 / 21) ** 3 - 20 * (1 / 21) ** 3) / 21 * 21**1.5),
    "likes_burst_share_all": (_burst, 1 / 21),
    "likes_autocorrelation_all": (_in_turns, -1),
    "likes_trend_all": (_doubling, log(2) * 365.25),
    "likes_shift_cusum_all": (_shifted, DETRENDED_STEP_CUSUM),
    "comments_cv_all": (_ladder, sqrt(82.5 / 9) / 5.5),
    "comments_gini_all": (_ladder, 165 / 550),
    "comments_max_to_median_all": (_ladder, 10 / 5.5),
    "comments_zero_share_all": (_silent, 3 / 8),
    "views_cv_all": (_ladder, sqrt(825_000 / 9) / 550),
    "views_log_mad_all": (_mirrored, 2 * log(2)),
    "views_gini_all": (_ladder, 16_500 / 55_000),
    "views_max_to_median_all": (_ladder, 1000 / 550),
    "views_shift_cusum_all": (_shifted, DETRENDED_STEP_CUSUM),
    # halves of eight that share k posts: (k - 8 / 4) / (8 / 4); likes and comments share 3, each of them 1 with views
    "likes_comments_correlation_all": (_some_of_each, (3 - 2) / 2),
    "likes_views_correlation_all": (_some_of_each, (1 - 2) / 2),
    "comments_views_correlation_all": (_some_of_each, (1 - 2) / 2),
    # comments per like are 9 - 2k times log 2: distances from the middle of 1, 1, 3, 3, 5, 5, 7, 7, 9, 9
    "comments_per_like_log_mad_all": (_fanned, 5 * log(2)),
    # likes per view are -k times log 2: distances from the middle of .5, .5, 1.5, 1.5, 2.5, 2.5 …
    "likes_per_view_log_mad_all": (_fanned, 2.5 * log(2)),
    "comments_per_like_shift_cusum_all": (_talk_shifted, STEP_CUSUM),
    "likes_per_view_shift_cusum_all": (_liking_shifted, STEP_CUSUM),
    # the others are all equal: their spread is 0, and the floor 0.1
    "likes_without_comments_max_z_all": (_liked_once, log(10) / 0.1),
    "comments_without_likes_max_z_all": (_discussed_and_seen_once, log(10) / 0.1),
    "views_without_likes_max_z_all": (_discussed_and_seen_once, log(10) / 0.1),
    "likes_without_views_max_z_all": (_liked_once, log(10) / 0.1),
    "likes_unexplained_stretch_z_128p": (_more_likes_later, LATER_STRETCH),
    "likes_unexplained_gap_128p": (_more_likes_later, LATER_GAP),
    "likes_unexplained_spread_128p": (_more_likes_later, LATER_SPREAD),
    "comments_unexplained_stretch_z_128p": (_more_comments_later, LATER_STRETCH),
    "comments_unexplained_gap_128p": (_more_comments_later, LATER_GAP),
    "comments_unexplained_spread_128p": (_more_comments_later, LATER_SPREAD),
    "views_unexplained_stretch_z_128p": (_more_views_later, LATER_STRETCH),
    "views_unexplained_gap_128p": (_more_views_later, LATER_GAP),
    "views_unexplained_spread_128p": (_more_views_later, LATER_SPREAD),
    "posts_per_week_90d": (_ladder, 10 * 7 / 90),
    "posting_gap_median_all": (_uneven_gaps, (1 + 3) / 2),
    # each of eight gaps is a day from the mean of two
    "posting_gap_cv_all": (_uneven_gaps, sqrt(8 / 7) / 2),
    "posting_gap_max_all": (_uneven_gaps, 3),
    "posting_hour_entropy_all": (_three_hours, 0.5 * 1 + 2 * 0.25 * 2),
    # ten days in a row touch three weekdays twice and four once
    "posting_weekday_entropy_all": (_ladder, (3 * 0.2 * log(5) + 4 * 0.1 * log(10)) / log(2)),
    "sponsored_share_all": (_paid_and_not, 3 / 7),
    "sponsored_to_organic_likes_all": (_paid_and_not, 20 / 200),
    "likes_repeat_share_all": (_again, 3 / 8),
    "likes_below_comments_share_all": (_talked_about, 2 / 8),
    # at 0.1 × 9 between the first and the second, against the middle of 500 and 600
    "views_p10_to_median_all": (_seen, 190 / 550),
    "views_trend_all": (_doubling_views, 365.25 * log(2)),
    "comments_likes_elasticity_all": (_half_as_talkative, 1 / 2),
    # usually log(10 / 100); of the three two are log 10 below, one is there
    "comments_per_like_at_top_likes_all": (_three_liked, -2 / 3 * log(10)),
}


@pytest.mark.parametrize("name", HAND)
def test_a_value_computed_by_hand(name: str, make: SimpleNamespace, as_of: pd.Timestamp) -> None:
    build, expected = HAND[name]
    frame = compute_signals(make_histories(build(make), as_of, imported_at=as_of))
    assert frame[name].tolist() == [pytest.approx(expected, rel=1e-9, abs=1e-12)]


def test_no_case_names_a_signal_that_is_gone() -> None:
    assert set(HAND) <= {signal.name for signal in SIGNALS}


# ---- windows, edges and what is missing


@pytest.fixture
def ladder(posts_of: Maker) -> pd.DataFrame:
    return _ladder_posts(posts_of)


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


def test_a_steady_trend_leaves_nothing_around_it(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [2**k - 1 for k in range(10)]))
    assert signals["likes_log_mad_all"] == pytest.approx(0, abs=1e-9)
    assert signals["likes_burst_share_all"] == 0


def test_a_shift_needs_values_that_vary(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [0] * 5 + [1] * 5, [0] * 5 + [1] * 5, views=[1] * 10))
    assert signals[["views_shift_cusum_all", "comments_per_like_shift_cusum_all"]].isna().all()


def test_likes_in_turns_do_not_shift(posts_of: Maker, signals_of: Compute) -> None:
    """Likes of 0, 1, 1, 0 and so on have no trend over their days, and their sum never runs far."""
    signals = signals_of(posts_of("c1", [0, 1, 1, 0] * 3))
    # h / 2 over sd h / 2 × √(12 / 11) × √12
    assert signals["likes_shift_cusum_all"] == pytest.approx(1 / (sqrt(12 / 11) * sqrt(12)))


def test_posts_without_comments_are_in_neither_group(posts_of: Maker, signals_of: Compute) -> None:
    unexplained = [f"likes_unexplained_{what}_128p" for what in ("stretch_z", "gap", "spread")]
    answered = signals_of(posts_of("c1", [0] * 5 + [511] * 3 + [1023] * 2, 3))[unexplained]
    likes = [0] * 5 + [10**6] * 7 + [511] * 3 + [1023] * 2
    silent = signals_of(posts_of("c1", likes, [3] * 5 + [None] * 7 + [3] * 5))[unexplained]
    pd.testing.assert_series_equal(silent, answered)


def test_a_few_videos_do_not_hide_the_photos(posts_of: Maker, signals_of: Compute) -> None:
    likes = [0] * 5 + [511] * 3 + [1023] * 2
    unexplained = [f"likes_unexplained_{what}_128p" for what in ("stretch_z", "gap", "spread")]
    photos = signals_of(posts_of("c1", likes, 3))[unexplained]
    for videos, same in ((4, True), (5, False)):
        some = signals_of(posts_of("c1", likes, 3, views=[99] * videos + [None] * (10 - videos)))[unexplained]
        assert some.equals(photos) == same


def test_likes_that_never_vary_have_no_shape_to_speak_of(posts_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(posts_of("c1", [997] * 100, 3, views=12_345, first="2025-11-01"))
    _expect(signals, {"likes_cv_all": 0, "likes_gini_all": 0, "likes_log_mad_all": 0, "likes_trend_all": 0})
    undefined = [name for name in signals.index if "cusum" in name or "correlation" in name or "skew" in name]
    assert signals[undefined].isna().all()


def test_counts_that_move_together_and_against(posts_of: Maker, signals_of: Compute) -> None:
    powers = [2**k - 1 for k in range(10)]
    signals = signals_of(posts_of("c1", powers, powers[::-1], views=[4**k - 1 for k in range(10)]))
    _expect(
        signals,
        {
            "likes_comments_correlation_all": -1,
            "likes_views_correlation_all": 1,
            "comments_views_correlation_all": -1,
        },
    )


def test_a_post_stands_out_on_one_side_only(posts_of: Maker, signals_of: Compute) -> None:
    likes = [99] * 10 + [999] + [99] * 10
    liked = signals_of(posts_of("c1", likes, 9, views=999))
    _expect(liked, {"comments_without_likes_max_z_all": 0, "views_without_likes_max_z_all": 0})
    others = signals_of(posts_of("c1", [99] * 21, [9] * 20 + [99], views=[999] * 20 + [9999]))
    _expect(others, {"likes_without_comments_max_z_all": 0, "likes_without_views_max_z_all": 0})


def test_sponsored_against_organic(posts_of: Maker, signals_of: Compute) -> None:
    posts = posts_of("c1", [10, 20, 30, 100, 200, 300], is_sponsored=[True] * 3 + [False] * 3)
    assert signals_of(posts)["sponsored_to_organic_likes_all"] == pytest.approx(0.1)
    unknown = posts_of("c1", [10, 20, 30, 100, 200, 300], is_sponsored=[True] * 3 + [None] * 3)
    signals = signals_of(unknown)
    assert signals["sponsored_share_all"] == 1
    assert np.isnan(signals["sponsored_to_organic_likes_all"])
    assert np.isnan(signals_of(posts.drop(columns="is_sponsored"))["sponsored_share_all"])


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
    # what likes and comments explain of each other is less where views explain it too
    same = [name for name in without.dropna().index if "unexplained" not in name]
    pd.testing.assert_series_equal(without[same], with_views[same])


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


@pytest.mark.parametrize(
    ("likes", "share"),
    [
        ([50, 49] * 5, 1),  # 1 of 50 is 2 %
        ([50, 48] * 5, 0),
        ([49] * 10, np.nan),  # too few likes to be told apart from chance
        ([100, 200] * 5, 0),
        ([100] * 8 + [None, 100], np.nan),  # seven pairs: a post whose likes are unknown is nobody's neighbour
        ([100] * 9 + [None], 1),
    ],
)
def test_likes_that_come_again(signals_of: Compute, posts_of: Maker, likes: list[float | None], share: float) -> None:
    assert signals_of(posts_of("c1", likes))["likes_repeat_share_all"] == pytest.approx(share, nan_ok=True)


def test_an_honest_spread_seldom_repeats(signals_of: Compute, posts_of: Maker) -> None:
    """Log-likes of neighbours differ by a normal of 0.33 × √2, the measured spread: 3.4 % of them by 2 %."""
    likes = np.floor(2000 * np.random.default_rng(0).lognormal(0, 0.33, 1000))
    found = signals_of(posts_of("c1", likes, every="1h"))["likes_repeat_share_all"]
    assert found == pytest.approx(0.034, abs=0.015)


def test_comments_that_do_not_follow_likes(signals_of: Compute, posts_of: Maker) -> None:
    same = signals_of(posts_of("c1", [2**k for k in range(10)], 7))
    assert same["comments_likes_elasticity_all"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(signals_of(posts_of("c1", [64] * 10, range(10)))["comments_likes_elasticity_all"])


def test_the_strongest_posts_are_all_those_of_the_third_number(signals_of: Compute, posts_of: Maker) -> None:
    """Of equal likes every post is among the strongest: their mean less their median."""
    found = signals_of(posts_of("c1", [9] * 10, [0] * 8 + [9] * 2))["comments_per_like_at_top_likes_all"]
    assert found == pytest.approx(2 * log(10) / 10)


@pytest.mark.parametrize("comments", [[9] * 8 + [None] * 3, [None] * 4 + [9] * 7])
def test_the_strongest_posts_need_comments(signals_of: Compute, posts_of: Maker, comments: list[float | None]) -> None:
    found = signals_of(posts_of("c1", [99] * 8 + [999] * 3, comments))["comments_per_like_at_top_likes_all"]
    assert np.isnan(found)


@pytest.mark.parametrize(
    ("name", "build", "posts"),
    [
        ("likes_repeat_share_all", _again, {"p0001", "p0002", "p0005"}),
        ("likes_below_comments_share_all", _talked_about, {"p0000", "p0001"}),
        ("views_p10_to_median_all", _seen, {"p0000"}),
        ("comments_per_like_at_top_likes_all", _three_liked, {"p0008", "p0009", "p0010"}),
    ],
)
def test_the_posts_behind_a_signal(
    make: SimpleNamespace, as_of: pd.Timestamp, name: str, build: Callable[[SimpleNamespace], Tables], posts: set[str]
) -> None:
    found = evidence_rows(make_histories(build(make), as_of, imported_at=as_of), [name])
    assert set(found["id"]) == posts
