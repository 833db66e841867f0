"""Growth signals of staircases, evenness and sudden stops, worked out by hand.

As in test_growth.py curves gain 100 a day from 10,007: the chance floor of the spread is then √100 + 1 = 11.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from features.growth import SIGNALS
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


def _grown(
    make: SimpleNamespace, gains: Sequence[float], posts: pd.DataFrame | None = None, **columns: object
) -> Tables:
    return make.tables(posts, make.snapshots("c1", _curve(gains), **columns))


def _three_steps(make: SimpleNamespace) -> Tables:
    """A thousand, two and three thousand too many."""
    return _grown(make, _gains(40, {5: 1100, 12: 2100, 26: 3100}))


def _four_steps(make: SimpleNamespace) -> Tables:
    """7, 7 and 14 days from one to the next."""
    return _grown(make, _gains(40, dict.fromkeys((5, 12, 19, 33), 1100)))


def _in_turns(make: SimpleNamespace) -> Tables:
    """Sixteen days of 100 and 300 followers, 1,000 and 3,000 views in turns."""
    return _grown(make, [100, 300] * 8, total_views=np.cumsum([0, *[1000, 3000] * 8]))


def _stopped(make: SimpleNamespace) -> Tables:
    """A week of 600 a day, then one of 150."""
    return _grown(make, [100] * 12 + [600] * 7 + [150] * 7 + [100] * 5)


def _posted(make: SimpleNamespace) -> Tables:
    """One post on day 5 is within reach of the gains of days 5 to 8, of which two are 200 and so is another one."""
    posts = pd.concat([make.posts("c1", [1], first=when) for when in ("2025-11-01T12:00Z", "2026-01-06T08:00Z")])
    gains = _gains(16, dict.fromkeys((5, 6, 12), 200))
    return _grown(make, gains, posts.assign(post_id=["early", "late"]))


#: Signal → history and value.
HAND: dict[str, tuple[Callable[[SimpleNamespace], Tables], float]] = {
    "follower_step_size_cv_all": (_three_steps, 1000 / 2000),
    # mean 28 / 3, squares 2 × (7 / 3)² + (14 / 3)² over 2
    "follower_step_spacing_cv_all": (_four_steps, sqrt(294 / 9 / 2) / (28 / 3)),
    # median 200, all 100 from it
    "follower_gain_dispersion_all": (_in_turns, (1.4826 * 100) ** 2 / 200),
    "follower_stop_after_fastest_all": (_stopped, 1 - 150 / 600),
    "follower_gain_without_posts_ratio_all": (_posted, (1300 / 12) / (600 / 4)),
    "view_gain_mad_to_median_all": (_in_turns, 1000 / 2000),
}


@pytest.mark.parametrize("name", HAND)
def test_a_value_computed_by_hand(name: str, make: SimpleNamespace, as_of: pd.Timestamp) -> None:
    build, expected = HAND[name]
    frame = compute_signals(make_histories(build(make), as_of, imported_at=as_of))
    assert frame[name].tolist() == [pytest.approx(expected, rel=1e-9, abs=1e-9)]


def test_no_case_names_a_signal_that_is_gone() -> None:
    assert set(HAND) <= {signal.name for signal in SIGNALS}


@pytest.fixture
def grow(snapshots_of: Maker, signals_of: Compute) -> Compute:
    """Signals of a creator of these daily gains."""

    def compute(gains: Sequence[float], start: int = START, **columns: object) -> pd.Series:
        return signals_of(None, snapshots_of("c1", _curve(gains, start), **columns))

    return compute


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
    assert np.isfinite(grow(gains, start)["follower_gain_dispersion_all"]) == known


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
