from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.evidence import COLUMNS, GROUP_OF, GROUPS, WINDOWS, evidence_rows, window_of
from features.histories import make_histories
from features.signals import SIGNALS, compute_signals
from features.tables import Tables

Make = Callable[..., Tables]


def _evidence(tables: Tables, as_of: pd.Timestamp, *names: str, most: int = 5) -> pd.DataFrame:
    return evidence_rows(make_histories(tables, as_of, imported_at=as_of), names, most=most)


def test_a_bought_burst_is_pointed_at(rich_tables: Tables) -> None:
    as_of = rich_tables["posts"]["observed_at"].max()
    posts = rich_tables["posts"].copy()
    creator = posts["creator_id"].iloc[0]
    bought = posts[posts["creator_id"] == creator].sort_values("published_at").iloc[10]["post_id"]
    mine = (posts["creator_id"] == creator) & (posts["post_id"] == bought)
    posts.loc[mine, "likes"] = posts.loc[mine, "likes"] * 50 + 5_000
    found = _evidence({**rich_tables, "posts": posts}, as_of, "likes_without_comments_max_z_all", most=3)
    assert tuple(found) == COLUMNS
    own = found[found["creator_id"] == creator]
    assert own["id"].iloc[0] == bought
    assert len(own) <= 3
    assert own["salience"].is_monotonic_decreasing
    assert own["at"].iloc[0] == posts.loc[mine, "published_at"].iloc[0]


def test_the_day_of_a_step_is_pointed_at(rich_tables: Tables) -> None:
    as_of = rich_tables["snapshots"]["observed_at"].max()
    snapshots = rich_tables["snapshots"].copy()
    creator = snapshots["creator_id"].iloc[0]
    mine = snapshots[snapshots["creator_id"] == creator].sort_values("observed_at")
    day = mine["observed_at"].iloc[20]
    later = (snapshots["creator_id"] == creator) & (snapshots["observed_at"] >= day)
    snapshots.loc[later, "followers"] = snapshots.loc[later, "followers"] + 500_000
    found = _evidence({**rich_tables, "snapshots": snapshots}, as_of, "follower_gain_max_step_z_all", most=1)
    own = found[found["creator_id"] == creator]
    assert own["at"].dt.floor("D").tolist() == [day.floor("D")]
    assert own["id"].isna().all()


@pytest.mark.parametrize("family", sorted({signal.family for signal in SIGNALS.values()} - {"coordination"}))
def test_evidence_of_one_creator_is_the_same_alone(rich_tables: Tables, family: str) -> None:
    as_of = pd.Timestamp("2026-03-01T00:00:00Z")
    names = [name for name, signal in SIGNALS.items() if signal.family == family and signal.points_at]
    everyone = _evidence(rich_tables, as_of, *names)
    creator = rich_tables["creators"]["creator_id"].iloc[0]
    alone = {
        name: frame[frame["creator_id"] == creator] for name, frame in rich_tables.items() if "creator_id" in frame
    }
    alone |= {name: frame for name, frame in rich_tables.items() if "creator_id" not in frame}
    mine = everyone[everyone["creator_id"] == creator].reset_index(drop=True)
    assert len(mine)
    pd.testing.assert_frame_equal(_evidence(alone, as_of, *names), mine)


def test_signals_of_the_whole_history_have_no_rows(rich_tables: Tables) -> None:
    found = _evidence(rich_tables, pd.Timestamp("2026-03-01T00:00:00Z"), "likes_trend_all")
    assert found.empty
    assert tuple(found) == COLUMNS


def test_an_unknown_signal_is_named(rich_tables: Tables) -> None:
    with pytest.raises(KeyError, match="no_such"):
        _evidence(rich_tables, pd.Timestamp("2026-03-01T00:00:00Z"), "no_such")


def test_pointers_agree_with_the_signal(rich_tables: Tables) -> None:
    as_of = pd.Timestamp("2026-03-01T00:00:00Z")
    histories = make_histories(rich_tables, as_of, imported_at=as_of)
    share = compute_signals(histories)["comments_zero_share_all"]
    silent = evidence_rows(histories, ["comments_zero_share_all"], most=10**6).groupby("creator_id").size()
    assert ((share > 0) == (silent.reindex(share.index, fill_value=0) > 0))[share.notna()].all()
    assert np.isfinite(evidence_rows(histories, list(SIGNALS))["salience"]).all()


def test_every_signal_is_in_one_group() -> None:
    grouped = [name for group in GROUPS.values() for name in group.signals]
    assert sorted(grouped) == sorted(SIGNALS)
    for group in GROUPS.values():
        assert group.words("en") == group.english != group.vietnamese == group.words("vi")
        assert "bought" not in group.english
    assert all(name in GROUPS[GROUP_OF[name]].signals for name in SIGNALS)
    for language in ("en", "vi"):
        assert len({group.words(language) for group in GROUPS.values()}) == len(GROUPS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("like_rate_by_followers_median_30p", "30p"),
        ("follower_growth_28d", "28d"),
        ("posts_per_week_90d", "90d"),
        ("follower_steps_per_90d_all", "all"),
        # the 28 days are those after a step anywhere in the history
        ("follower_drop_after_step_28d", "all"),
    ],
)
def test_the_window_is_in_the_name(name: str, expected: str) -> None:
    assert window_of(name) == expected


def test_every_signal_has_a_window() -> None:
    assert {window_of(name) for name in SIGNALS} == set(WINDOWS)
