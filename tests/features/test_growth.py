"""Growth signals of follower curves small enough to work out by hand.

Most curves gain 100 a day from 10,007: the chance floor of the spread is then √100 + 1 = 11.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from features.growth import SIGNALS, rounding_unit
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables

Maker = Callable[..., pd.DataFrame]
Compute = Callable[..., pd.Series]
START = 10_007


def _curve(gains: Sequence[float], start: int = START) -> list[float]:
    return [start, *(start + np.cumsum(gains)).tolist()]


def _gains(count: int, changed: dict[int, int]) -> list[int]:
    """100 followers a day, but for the days of `changed`."""
    return [changed.get(day, 100) for day in range(count)]


def _after_an_early_one(posts_of: Maker, first: str) -> pd.DataFrame:
    """A post long before every snapshot, from which on posts are known, and one at `first`."""
    posts = pd.concat([posts_of("c1", [1], first=when) for when in ("2025-11-01", first)], ignore_index=True)
    return posts.assign(post_id=["early", "late"])


def _expect(signals: pd.Series, expected: dict[str, float]) -> None:
    found = signals[list(expected)]
    pd.testing.assert_series_equal(found, pd.Series(expected, name=found.name, dtype=float), rtol=1e-9, atol=1e-9)


# ---- every signal by hand


def _grown(
    make: SimpleNamespace, gains: Sequence[float], posts: pd.DataFrame | None = None, **columns: object
) -> Tables:
    return make.tables(posts, make.snapshots("c1", _curve(gains), **columns))


def _long_growth(make: SimpleNamespace) -> Tables:
    """120 days of 100 followers and 500 views."""
    return _grown(make, _gains(120, {}), first="2025-10-01T07:00Z", total_views=[500 * day for day in range(121)])


def _faster(make: SimpleNamespace) -> Tables:
    """Eight days of 100, eight of 300."""
    return _grown(make, [100] * 8 + [300] * 8)


def _in_turns(make: SimpleNamespace) -> Tables:
    """Sixteen days of 100 and 300 in turns."""
    return _grown(make, [100, 300] * 8)


def _one_step(make: SimpleNamespace) -> Tables:
    """On day 5 of 20 a thousand more than the usual hundred."""
    return _grown(make, _gains(20, {5: 1100}))


def _one_step_in_forty_days(make: SimpleNamespace) -> Tables:
    return _grown(make, _gains(40, {5: 1100}))


def _odd_step(make: SimpleNamespace) -> Tables:
    return _grown(make, _gains(20, {5: 100 + 1037}))


def _silent_step(make: SimpleNamespace) -> Tables:
    """The step of day 5, from 6 January 07:00 on, and the next post on the 12th."""
    return _grown(make, _gains(20, {5: 1100}), _after_an_early_one(make.posts, "2026-01-12"))


def _unseen_step(make: SimpleNamespace) -> Tables:
    """The step of day 5, and 1,000 views every day."""
    return _grown(make, _gains(20, {5: 1100}), total_views=[1000 * day for day in range(21)])


def _seen_step(make: SimpleNamespace) -> Tables:
    """The step of day 5 with 5,000 views, 1,000 on every other day."""
    return _grown(
        make,
        _gains(20, {5: 1100}),
        total_views=np.cumsum([0] + [5000 if day == 5 else 1000 for day in range(20)]),
    )


def _lost_step(make: SimpleNamespace) -> Tables:
    """A step of 1,000 too many on day 5, of which the loss of day 6 takes 500."""
    return _grown(make, _gains(40, {5: 1100, 6: -500}))


def _losses(make: SimpleNamespace) -> Tables:
    """Ten days, of which day 3 lost 100 and day 7 a thousand."""
    return _grown(make, _gains(10, {3: -100, 7: -1000}))


def _refilled(make: SimpleNamespace) -> Tables:
    """Of a fall of 500 two days later 450 are made good, in 40 days."""
    return _grown(make, _gains(40, {10: -500, 12: 450}))


def _bent(make: SimpleNamespace) -> Tables:
    """Followers stay at their first number for eight days, and at ten more on the ninth."""
    return _grown(make, [0] * 7 + [10])


def _drip(make: SimpleNamespace) -> Tables:
    """Seven uneven days with 600 on average between days of 100."""
    return _grown(make, [100] * 12 + [300, 900, 600, 600, 600, 300, 900] + [100] * 12)


def _posted(make: SimpleNamespace) -> Tables:
    """One post on day 5 is within reach of the gains of days 5 to 8, of which two are 200 and so is another one."""
    gains = _gains(16, dict.fromkeys((5, 6, 12), 200))
    return _grown(make, gains, _after_an_early_one(make.posts, "2026-01-06T08:00Z"))


def _viewed(make: SimpleNamespace) -> Tables:
    """Of eight days 5 to 8 gained twice the followers, 4, 6, 7 and 8 twice the views."""
    seen = [1000, 1000, 1000, 2000, 1000, 2000, 2000, 2000]
    return _grown(make, [100] * 4 + [200] * 4, total_views=np.cumsum([0, *seen]))


def _sawtooth(make: SimpleNamespace) -> Tables:
    """Following goes 100, 200, 100 … over nine snapshots, 1,300 in all."""
    return _grown(make, _gains(8, {}), following=[100, 200] * 4 + [100])


def _profile(make: SimpleNamespace) -> Tables:
    return make.tables(followers=200, following=300, posts_count=50)


#: Mean followers of curves that start at START and end as many followers higher.
LONG_SIZE = START + 12_000 / 2
#: Day by day 0, 100 … 800, then 1,100, 1,400 … 3,200 above the start: 3,600 + 8 × 2,150.
FASTER_SIZE = START + (3600 + 17_200) / 17
#: 0, 400 … 3,200 on even days, 100, 500 … 2,900 on odd ones: 9 × 1,600 + 8 × 1,500.
TURNS_SIZE = START + (14_400 + 12_000) / 17


def _three_steps(make: SimpleNamespace) -> Tables:
    """A thousand, two and three thousand too many."""
    return _grown(make, _gains(40, {5: 1100, 12: 2100, 26: 3100}))


def _four_steps(make: SimpleNamespace) -> Tables:
    """7, 7 and 14 days from one to the next."""
    return _grown(make, _gains(40, dict.fromkeys((5, 12, 19, 33), 1100)))


def _in_turns_again(make: SimpleNamespace) -> Tables:
    """Sixteen days of 100 and 300 followers, 1,000 and 3,000 views in turns."""
    return _grown(make, [100, 300] * 8, total_views=np.cumsum([0, *[1000, 3000] * 8]))


def _stopped(make: SimpleNamespace) -> Tables:
    """A week of 600 a day, then one of 150."""
    return _grown(make, [100] * 12 + [600] * 7 + [150] * 7 + [100] * 5)


def _posted_again(make: SimpleNamespace) -> Tables:
    """One post on day 5 is within reach of the gains of days 5 to 8, of which two are 200 and so is another one."""
    posts = pd.concat([make.posts("c1", [1], first=when) for when in ("2025-11-01T12:00Z", "2026-01-06T08:00Z")])
    gains = _gains(16, dict.fromkeys((5, 6, 12), 200))
    return _grown(make, gains, posts.assign(post_id=["early", "late"]))


#: Signal → history and value.
HAND: dict[str, tuple[Callable[[SimpleNamespace], Tables], float]] = {
    "follower_growth_28d": (_long_growth, 2800 / (START + 12_000 - 2800)),
    "follower_growth_90d": (_long_growth, 9000 / (START + 12_000 - 9000)),
    "follower_gain_acceleration_all": (_faster, (300 - 100) / FASTER_SIZE),
    "follower_gain_median_all": (_in_turns, 200 / TURNS_SIZE),
    "follower_gain_mad_all": (_in_turns, 100 / TURNS_SIZE),
    # 1,000 above the usual 100, which varies by √100 + 1
    "follower_gain_max_step_z_all": (_one_step, 1000 / 11),
    "follower_gain_max_step_share_all": (_one_step, 1100 / (START + 500)),
    "follower_gain_max_step_of_gain_all": (_one_step, 1100 / 3000),
    "follower_gain_top3_steps_of_gain_all": (_one_step, (1100 + 100 + 100) / 3000),
    "follower_steps_per_90d_all": (_one_step_in_forty_days, 1 * 90 / 40),
    "follower_step_without_posts_max_z_all": (_silent_step, 1000 / 11),
    "follower_step_without_views_max_z_all": (_unseen_step, 1000 / 11),
    "follower_step_view_lift_all": (_seen_step, 5000 / 1000),
    "follower_step_round_lot_distance_all": (_odd_step, 37 / 1037),
    "follower_drop_after_step_28d": (_lost_step, 500 / 1000),
    "follower_drop_max_share_all": (_losses, 1000 / (START + 500)),
    "follower_loss_day_share_all": (_losses, 2 / 10),
    "follower_refill_per_90d_all": (_refilled, 1 * 90 / 40),
    # 19 equal steps and one that is 1,000 larger: Σ (2i - 21) x = 19 × 1,000, as Σ (2i - 21) = 0
    "follower_gain_gini_all": (_one_step, 19 * 1000 / (20 * 3000)),
    "follower_gain_autocorrelation_all": (_in_turns, -1),
    # one of nine stands out by d, at a distance of 4 from the middle day: covariance 4 d, variances 8 d² / 9 and 60
    "follower_curve_linearity_all": (_bent, 4**2 / (8 / 9 * 60)),
    "follower_drip_lift_all": (_drip, 600 / (100 + sqrt(100) + 1)),
    "follower_drip_evenness_all": (_drip, sqrt(4 * 300**2 / 6) / 600),
    # 3 days of 16 with more followers, 4 with a post within reach, 2 with both: (2 - 3 × 4 / 16) over the spreads
    "follower_gain_posts_correlation_all": (
        _posted,
        (2 - 3 * 4 / 16) / sqrt((3 - 3**2 / 16) * (4 - 4**2 / 16)),
    ),
    # halves of eight days that share three: (3 - 8 / 4) / (8 / 4)
    "follower_gain_views_correlation_all": (_viewed, (3 - 2) / 2),
    "follower_gain_per_1000_views_all": (_seen_step, 3000 / 24),
    "view_gain_28d": (_long_growth, 28 * 500 / LONG_SIZE),
    "view_gain_max_step_z_all": (_seen_step, 4000 / (sqrt(1000) + 1)),
    # eight moves of 100 that end where they began
    "following_sawtooth_all": (_sawtooth, 8 * 100 / (1300 / 9)),
    "following_drop_max_share_all": (_sawtooth, 100 / (1300 / 9)),
    "following_per_follower_all": (_profile, 300 / 200),
    "followers_per_post_all": (_profile, 200 / 50),
    "follower_step_size_cv_all": (_three_steps, 1000 / 2000),
    # mean 28 / 3, squares 2 × (7 / 3)² + (14 / 3)² over 2
    "follower_step_spacing_cv_all": (_four_steps, sqrt(294 / 9 / 2) / (28 / 3)),
    # median 200, all 100 from it
    "follower_gain_dispersion_all": (_in_turns_again, (1.4826 * 100) ** 2 / 200),
    "follower_stop_after_fastest_all": (_stopped, 1 - 150 / 600),
    "follower_gain_without_posts_ratio_all": (_posted_again, (1300 / 12) / (600 / 4)),
    "view_gain_mad_to_median_all": (_in_turns_again, 1000 / 2000),
}


@pytest.mark.parametrize("name", HAND)
def test_a_value_computed_by_hand(name: str, make: SimpleNamespace, as_of: pd.Timestamp) -> None:
    build, expected = HAND[name]
    frame = compute_signals(make_histories(build(make), as_of, imported_at=as_of))
    assert frame[name].tolist() == [pytest.approx(expected, rel=1e-9, abs=1e-9)]


def test_no_case_names_a_signal_that_is_gone() -> None:
    assert set(HAND) <= {signal.name for signal in SIGNALS}


# ---- edges, windows and what is missing


@pytest.fixture
def grow(snapshots_of: Maker, signals_of: Compute) -> Compute:
    """Signals of a creator of these daily gains."""

    def compute(
        gains: Sequence[float], posts: pd.DataFrame | None = None, start: int = START, **columns: object
    ) -> pd.Series:
        every = columns.pop("every", "1D")
        return signals_of(posts, snapshots_of("c1", _curve(gains, start), every=every, **columns))

    return compute


def test_a_step_is_judged_by_the_day(grow: Compute) -> None:
    """Weekly snapshots of 700: a step of 7,700 is 1,100 a day."""
    gains = [7700 if week == 4 else 700 for week in range(8)]
    assert grow(gains, every="7D")["follower_gain_max_step_z_all"] == pytest.approx(1000 / 11)


@pytest.mark.parametrize(("gain", "steps"), [(155, 1), (154, 0)])
def test_a_step_is_marked_from_five_spreads_on(grow: Compute, gain: int, steps: int) -> None:
    """55 above the usual hundred are five times 11."""
    signals = grow(_gains(40, {5: gain}))
    assert signals["follower_steps_per_90d_all"] == pytest.approx(steps * 90 / 40)
    assert np.isfinite(signals["follower_step_round_lot_distance_all"]) == bool(steps)


def test_hours_around_midnight_count_as_half_a_day(snapshots_of: Maker, signals_of: Compute) -> None:
    """605 followers between 23:00 and 01:00 are 1,210 a day at most."""
    snapshots = snapshots_of("c1", _curve([*[100] * 10, 605]), first="2026-01-01T23:00:00Z")
    snapshots.loc[11, "observed_at"] = pd.Timestamp("2026-01-12T01:00:00Z")
    found = signals_of(None, snapshots)["follower_gain_max_step_z_all"]
    assert found == pytest.approx((1210 - 100) / 11)


def test_steady_growth_has_no_step(grow: Compute) -> None:
    signals = grow(_gains(40, {}))
    _expect(
        signals,
        {
            "follower_gain_max_step_z_all": 0,
            "follower_steps_per_90d_all": 0,
            "follower_gain_gini_all": 0,
            "follower_loss_day_share_all": 0,
            "follower_refill_per_90d_all": 0,
            "follower_curve_linearity_all": 1,
            "follower_drip_evenness_all": 0,
            "follower_drip_lift_all": 100 / 111,
        },
    )
    marked = ["follower_step_view_lift_all", "follower_step_round_lot_distance_all", "follower_drop_after_step_28d"]
    assert signals[marked].isna().all()


@pytest.mark.parametrize(
    ("excess", "distance"),
    [(1000, 0), (2500, 0), (500, 0), (20_000, 0), (1500, 1 / 3), (1037, 37 / 1037), (960, 40 / 960)],
)
def test_distance_from_a_round_lot(grow: Compute, excess: int, distance: float) -> None:
    found = grow(_gains(20, {5: 100 + excess}))["follower_step_round_lot_distance_all"]
    assert found == pytest.approx(distance, abs=1e-12)


def test_a_step_without_a_post(grow: Compute, posts_of: Maker) -> None:
    """Snapshots are taken at 07:00; day 5 runs from 6 January 07:00 to 7 January 07:00."""
    gains = _gains(20, {5: 1100})
    name = "follower_step_without_posts_max_z_all"
    for posted in ("2026-01-12", "2026-01-07T07:00:01Z", "2026-01-03T07:00:00Z"):
        assert grow(gains, _after_an_early_one(posts_of, posted))[name] == pytest.approx(1000 / 11)
    for posted in ("2026-01-07T07:00:00Z", "2026-01-05T12:00Z", "2026-01-03T07:00:01Z"):
        assert grow(gains, _after_an_early_one(posts_of, posted))[name] == 0
    # before the first known post nobody can say whether there was one
    assert grow(gains, posts_of("c1", [1], first="2026-01-12"))[name] == 0
    assert np.isnan(grow(gains)[name])  # no post at all is known
    assert np.isnan(grow(gains, posts_of("c1", [1] * 24, first="2025-12-31"))[name])  # no interval without one


def test_a_step_without_views(grow: Compute) -> None:
    gains = _gains(20, {5: 1100})
    steady = grow(gains, total_views=[1000 * day for day in range(21)])
    _expect(
        steady,
        {
            "follower_step_without_views_max_z_all": 1000 / 11,
            "follower_step_view_lift_all": 1,
            "follower_gain_per_1000_views_all": 3000 / 20,
            "view_gain_max_step_z_all": 0,
        },
    )
    lifted = grow(gains, total_views=np.cumsum([0] + [5000 if day == 5 else 1000 for day in range(20)]))
    _expect(
        lifted,
        {
            "follower_step_without_views_max_z_all": 0,
            "follower_step_view_lift_all": 5,
            "follower_gain_per_1000_views_all": 3000 / 24,
            "follower_gain_views_correlation_all": 1,
            "view_gain_max_step_z_all": 4000 / (sqrt(1000) + 1),
        },
    )
    assert np.isnan(grow(gains)["follower_step_without_views_max_z_all"])


@pytest.mark.parametrize(
    ("day", "loss", "share"),
    [(6, -500, 0.5), (10, -900, 0.5), (33, -3200, 0.5), (34, -99_000, 0), (6, -1000, 1)],
)
def test_followers_lost_within_28_days_of_the_step(grow: Compute, day: int, loss: int, share: float) -> None:
    """The step of 1,000 too many ends with day 5; the curve is the lowest after the loss of `day`."""
    signals = grow(_gains(40, {5: 1100, day: loss}), start=200_007)
    assert signals["follower_drop_after_step_28d"] == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(("days", "known"), [(7, True), (6, False)])
def test_a_drop_needs_a_week_of_watching(grow: Compute, days: int, known: bool) -> None:
    signals = grow(_gains(20 + days, {19: 1100}))
    assert np.isfinite(signals["follower_drop_after_step_28d"]) == known


@pytest.mark.parametrize(
    ("changed", "refills"),
    [
        ({10: -500, 12: 450}, 1),
        ({10: -500, 13: 351}, 1),
        ({10: -500, 14: 450}, 0),  # too late
        ({10: -500, 12: 349}, 0),  # too little
        ({10: 46, 12: 450}, 0),  # not a marked fall
        ({5: -500, 6: 600, 15: -500, 16: 600, 25: -500, 28: 600}, 3),
        ({12: 450}, 0),
    ],
)
def test_refills(grow: Compute, changed: dict[int, int], refills: int) -> None:
    signals = grow(_gains(40, changed))
    assert signals["follower_refill_per_90d_all"] == pytest.approx(refills * 90 / 40)


def test_delivery_in_even_instalments(grow: Compute) -> None:
    """Seven even days of 600 between days of 100."""
    even = grow([100] * 12 + [600] * 7 + [100] * 12)
    _expect(even, {"follower_drip_lift_all": 600 / 111, "follower_drip_evenness_all": 0})


def test_a_curve_that_stays_has_no_linearity(grow: Compute) -> None:
    assert np.isnan(grow([0] * 20)["follower_curve_linearity_all"])


def test_growth_over_windows(grow: Compute) -> None:
    """What lies before the window moves nothing: a step 100 days before the last snapshot."""
    signals = grow(_gains(120, {19: 5000}), first="2025-10-01T07:00Z")
    last = START + 119 * 100 + 5000
    _expect(signals, {"follower_growth_28d": 2800 / (last - 2800), "follower_growth_90d": 9000 / (last - 9000)})


def test_growth_is_scaled_to_its_window(grow: Compute) -> None:
    """Snapshots every 6 days: the nearest to 28 days before the last lies 30 days before."""
    signals = grow([600] * 10, every="6D", first="2025-12-01T07:00Z")
    assert signals["follower_growth_28d"] == pytest.approx(2800 / (START + 3000))
    assert np.isnan(grow([100] * 10)["follower_growth_28d"])  # ten days say nothing of 28


def test_acceleration(grow: Compute) -> None:
    gains = [100] * 8 + [300] * 8
    size = np.mean(_curve(gains))
    for hour in range(0, 24, 5):
        signals = grow(gains, first=f"2026-01-01T{hour:02d}:00Z")
        assert signals["follower_gain_acceleration_all"] == pytest.approx(200 / size)


def test_daily_gains_that_vary_hide_a_step(grow: Compute) -> None:
    """Gains of 100 and 300 in turns: each is 100 from the middle."""
    z = grow([100, 300] * 8)["follower_gain_max_step_z_all"]
    assert z == pytest.approx(100 / (148.26 + sqrt(200) + 1))


def test_gain_that_follows_posting(grow: Compute, posts_of: Maker) -> None:
    """One post at the end of day 5 is within reach of the gains of days 5 to 8."""
    gains = _gains(20, dict.fromkeys(range(5, 9), 200))
    signals = grow(gains, _after_an_early_one(posts_of, "2026-01-06T08:00Z"))
    assert signals["follower_gain_posts_correlation_all"] == pytest.approx(1)
    assert np.isnan(grow(gains)["follower_gain_posts_correlation_all"])


def test_follow_and_unfollow(grow: Compute) -> None:
    followed = grow(_gains(8, {}), following=[100, 200] * 4 + [100])
    assert followed["following_per_follower_all"] == pytest.approx(100 / (START + 800))
    steady = grow(_gains(8, {}), following=[100 + 10 * day for day in range(9)])
    _expect(steady, {"following_sawtooth_all": 0, "following_drop_max_share_all": 0})


def test_the_profile_alone(signals_of: Compute) -> None:
    _expect(
        signals_of(followers=300, following=0, posts_count=1),
        {"following_per_follower_all": 0, "followers_per_post_all": 300},
    )
    for profile in ({"followers": 0, "following": 3}, {"followers": None, "following": 3}):
        assert np.isnan(signals_of(**profile)["following_per_follower_all"])
    assert np.isnan(signals_of(followers=9, posts_count=0)["followers_per_post_all"])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_snapshots_say_little(grow: Compute, count: int) -> None:
    signals = grow([100] * (count - 1))
    assert signals[[signal.name for signal in SIGNALS]].isna().all()


def test_followers_that_are_missing_or_nil(snapshots_of: Maker, signals_of: Compute) -> None:
    hidden = signals_of(
        None, snapshots_of("c1", [None] * 30, following=5, total_views=[100 * day for day in range(30)])
    )
    assert hidden[[name for name in hidden.index if name.startswith("follower_")]].isna().all()
    assert hidden["view_gain_max_step_z_all"] == 0
    nobody = signals_of(None, snapshots_of("c1", [0] * 30), followers=0)
    assert not np.isinf(nobody).any()
    assert np.isnan(nobody["follower_growth_28d"])
    first = signals_of(None, snapshots_of("c1", [0] * 15 + [700] * 15))
    assert not np.isinf(first).any()
    assert first["follower_gain_max_step_of_gain_all"] == 1


def test_rounding_units() -> None:
    nan = np.nan
    followers = np.array(
        [
            [115_000, 116_000, 118_000, nan],
            [98_500, 99_900, 100_000, 101_000],
            [541_237, 541_000, 542_000, 543_000],
            [5_000, nan, 5_000, 6_000],
            [1_200_000, 1_300_000, 1_300_000, 1_500_000],
            [1_200_000, 1_200_000, 1_300_000, 1_300_000],
            [700, 720, 735, 0],
            [nan, nan, nan, nan],
            [0, 0, 0, 0],
        ]
    )
    expected = [
        [1000, 1000, 1000, nan],
        [100, 100, 1000, 1000],
        [1, 1000, 1000, 1000],  # exact on the first day, rounded later
        [10, nan, 10, 10],  # changed once: no coarser than three digits
        [100_000] * 4,
        [10_000] * 4,
        [1, 1, 1, 1],
        [nan] * 4,
        [1, 1, 1, 1],
    ]
    np.testing.assert_array_equal(rounding_unit(followers), expected)


def _published(counts: np.ndarray) -> np.ndarray:
    """As YouTube publishes them: cut to three digits."""
    unit = 10.0 ** np.maximum(np.floor(np.log10(counts)) - 2, 0)
    return np.floor(counts / unit) * unit


@pytest.mark.parametrize("start", [8_000, 61_000, 97_000, 350_000, 985_000])
@pytest.mark.parametrize("yearly", [0.15, 1.0, 3.0])
def test_rounded_organic_growth_has_no_steps(
    snapshots_of: Maker, signals_of: Compute, start: int, yearly: float
) -> None:
    """Daily gains vary by chance and by how well the last video did, a weekly wave of ±40 %."""
    rng = np.random.default_rng([start, int(yearly * 100)])
    daily = start * yearly / 365 * (1 + 0.4 * np.sin(np.arange(150) * 2 * np.pi / 7))
    exact = start + np.cumsum(rng.poisson(daily))
    signals = signals_of(None, snapshots_of("c1", _published(exact), first="2025-09-25"), platform="youtube")
    assert signals["follower_gain_max_step_z_all"] < 5
    assert signals["follower_steps_per_90d_all"] == 0
    assert np.isnan(signals["follower_step_round_lot_distance_all"])


def test_one_visible_change_of_a_rounded_count_is_no_step(snapshots_of: Maker, signals_of: Compute) -> None:
    signals = signals_of(None, snapshots_of("c1", [115_000] * 20 + [116_000] * 20))
    assert signals["follower_gain_max_step_z_all"] < 5
    small = signals_of(None, snapshots_of("c1", [4_310] * 20 + [4_320] * 20))
    assert small["follower_gain_max_step_z_all"] < 5
    # of an exact count the same change is a step
    exact = signals_of(None, snapshots_of("c1", [115_003] * 20 + [116_003] * 20))
    assert exact["follower_gain_max_step_z_all"] == pytest.approx(1000)


#: Which of 60 days are published exactly, the others to three digits.
MIXED = {
    "exact, then rounded": np.arange(60) < 30,
    "rounded, then exact": np.arange(60) >= 30,
    "a single exact day": np.arange(60) == 17,
    "in turns": np.arange(60) % 2 == 0,
    "rounded on eight days": ~np.isin(np.arange(60), (5, 12, 20, 27, 33, 44, 50, 55)),
    "fully rounded": np.zeros(60, dtype=bool),
    "fully exact": np.ones(60, dtype=bool),
}


@pytest.mark.parametrize("start", [61_037, 115_037, 985_037])
@pytest.mark.parametrize("days", MIXED)
def test_days_of_exact_and_of_rounded_counts(snapshots_of: Maker, signals_of: Compute, days: str, start: int) -> None:
    """Rounding alone makes no step, and ten times the usual growth of half a year on one day is one."""
    rng = np.random.default_rng([start, len(days)])
    gains = rng.poisson(start * 0.0004, 60)
    for bought, marked in ((0, False), (int(start * 0.2), True)):
        exact = start + np.cumsum(gains + np.where(np.arange(60) == 40, bought, 0))
        counts = np.where(MIXED[days], exact, _published(exact))
        signals = signals_of(None, snapshots_of("c1", counts), platform="youtube")
        assert (signals["follower_gain_max_step_z_all"] >= 5) == marked
        assert (signals["follower_steps_per_90d_all"] > 0) == marked


def test_what_rounding_hides_has_no_concentration_and_no_drip(snapshots_of: Maker, signals_of: Compute) -> None:
    """Of 20 followers a day YouTube shows a step of a thousand once in fifty days."""
    exact = 115_037 + 20 * np.arange(120)
    names = [
        "follower_gain_gini_all",
        "follower_gain_max_step_of_gain_all",
        "follower_gain_top3_steps_of_gain_all",
        "follower_drip_evenness_all",
        "follower_stop_after_fastest_all",
    ]
    assert signals_of(None, snapshots_of("c1", exact))[names].notna().all()
    hidden = signals_of(None, snapshots_of("c1", _published(exact)))
    assert hidden[names].isna().all()
    # a thousand in a week, of which 1,000 / √6 may be rounding
    assert hidden["follower_drip_lift_all"] == pytest.approx((1000 / 7) / (1 + 1000 / sqrt(6) / 7))


def test_rounded_steps_are_no_lots(snapshots_of: Maker, signals_of: Compute) -> None:
    """Sixty thousand too many among counts to the thousand: far from a lot, and every such number is round."""
    exact = 115_037 + 100 * np.arange(60) + np.where(np.arange(60) >= 40, 6_037, 0)
    found = signals_of(None, snapshots_of("c1", _published(exact)))
    assert found["follower_gain_max_step_z_all"] > 5
    assert np.isnan(found["follower_step_round_lot_distance_all"])


def test_a_stretch_of_weeks_counts_by_the_day(grow: Compute) -> None:
    """Seven weeks of 4,200 are 600 a day, as seven days of 600 are."""
    found = grow([700] * 12 + [4200] * 7 + [700] * 12, every="7D", first="2025-01-01T07:00Z")
    assert found["follower_drip_lift_all"] == pytest.approx(600 / 111)


@pytest.mark.parametrize(("days", "known"), [(28, True), (27, False)])
def test_a_rate_of_steps_needs_four_weeks(grow: Compute, days: int, known: bool) -> None:
    found = grow(_gains(days, {5: 1100}))[["follower_steps_per_90d_all", "follower_refill_per_90d_all"]]
    assert found.notna().eq(known).all()


def test_nothing_dropped_where_none_fell(grow: Compute) -> None:
    assert grow(_gains(20, {}))["follower_drop_max_share_all"] == 0


def test_a_purchase_shows_through_rounding(snapshots_of: Maker, signals_of: Compute) -> None:
    rng = np.random.default_rng(5)
    exact = 97_000 + np.cumsum(rng.poisson(120, 60) + np.where(np.arange(60) == 40, 10_000, 0))
    signals = signals_of(None, snapshots_of("c1", _published(exact)), platform="youtube")
    assert signals["follower_gain_max_step_z_all"] > 10
    assert signals["follower_step_round_lot_distance_all"] < 0.05


def test_two_steps_have_no_spread_and_three_steps_no_rhythm(grow: Compute) -> None:
    two = grow(_gains(40, {5: 1100, 12: 2100}))
    assert two[["follower_step_size_cv_all", "follower_step_spacing_cv_all"]].isna().all()
    three = grow(_gains(40, {5: 1100, 12: 1100, 19: 1100}))
    assert three["follower_step_size_cv_all"] == 0
    assert np.isnan(three["follower_step_spacing_cv_all"])


def test_a_lot_bought_every_week_is_a_staircase(grow: Compute) -> None:
    found = grow(_gains(40, dict.fromkeys(range(5, 40, 7), 1100)))
    assert found[["follower_step_size_cv_all", "follower_step_spacing_cv_all"]].tolist() == [0, 0]


def test_chance_has_a_dispersion_of_one(grow: Compute) -> None:
    gains = np.random.default_rng(0).poisson(400, 2000)
    assert grow(gains, first="2020-01-01T07:00Z")["follower_gain_dispersion_all"] == pytest.approx(1, abs=0.1)
    weekly = gains[:1995].reshape(-1, 7).sum(axis=1)
    found = grow(weekly, first="2020-01-01T07:00Z", every="7D")["follower_gain_dispersion_all"]
    assert found == pytest.approx(1, abs=0.2)


def test_instalments_are_more_even_than_chance(grow: Compute) -> None:
    gains = 1000 + np.random.default_rng(0).poisson(20, 100)
    assert grow(gains)["follower_gain_dispersion_all"] < 0.05


@pytest.mark.parametrize(
    ("gains", "start", "known"),
    [
        ([10, 11] * 8, START, True),
        ([9, 10] * 8, START, False),  # 9.5 a day
        ([-100, -101] * 8, START, False),
        ([1000, 2000] * 8, 115_000, False),  # rounded to thousands
    ],
)
def test_a_dispersion_needs_whole_numbers(grow: Compute, gains: list[int], start: int, known: bool) -> None:
    assert np.isfinite(grow(gains, start=start)["follower_gain_dispersion_all"]) == known


@pytest.mark.parametrize(
    ("later", "stop"),
    [
        ([100] * 7, 0),
        ([0] * 7, 1),
        ([-100] * 7, 2),
        ([50] * 6, np.nan),  # a week is needed to tell
    ],
)
def test_what_comes_after_the_fastest_stretch(grow: Compute, later: list[int], stop: float) -> None:
    found = grow([100] * 7 + later)["follower_stop_after_fastest_all"]
    assert found == pytest.approx(stop, nan_ok=True)


def test_nothing_stops_that_never_grew(grow: Compute) -> None:
    assert np.isnan(grow([-100] * 20)["follower_stop_after_fastest_all"])


@pytest.mark.parametrize(("days", "known"), [(16, True), (9, True), (8, True), (7, False)])
def test_days_with_and_without_posts_are_needed(
    snapshots_of: Maker, posts_of: Maker, signals_of: Compute, days: int, known: bool
) -> None:
    """The post of 2 January 08:00 is within reach of days 1 to 4; four others are needed."""
    posts = pd.concat([posts_of("c1", [1], first=when) for when in ("2025-11-01T12:00Z", "2026-01-02T08:00Z")])
    found = signals_of(posts.assign(post_id=["early", "late"]), snapshots_of("c1", _curve([100] * days)))
    assert np.isfinite(found["follower_gain_without_posts_ratio_all"]) == known
