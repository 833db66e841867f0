"""Engagement signals of sold likes, floors under views, and the strongest posts, worked out by hand."""

from collections.abc import Callable
from math import log
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from features.engagement import SIGNALS
from features.evidence import evidence_rows
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables

Compute = Callable[..., pd.Series]
Maker = Callable[..., pd.DataFrame]


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


#: Signal → history and value.
HAND: dict[str, tuple[Callable[[SimpleNamespace], Tables], float]] = {
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
    assert frame[name].tolist() == [pytest.approx(expected, rel=1e-9, abs=1e-9)]


def test_no_case_names_a_signal_that_is_gone() -> None:
    assert set(HAND) <= {signal.name for signal in SIGNALS}


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
