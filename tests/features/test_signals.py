"""What must hold for every signal, and independent ways to compute some of them."""

import importlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import blocks, growth, signals
from features.blocks import MAD_TO_SD, make_blocks
from features.histories import Events, make_histories
from features.registry import Signal
from features.signals import SIGNALS, compute_signals, registry_hash
from features.tables import Tables, check_tables

Maker = Callable[..., pd.DataFrame]

#: In the middle of the random histories: half of what they hold is not known yet.
MIDDLE = pd.Timestamp("2025-12-31T11:30:00Z")
FAMILIES = {signal.family: importlib.import_module(f"features.{signal.family}") for signal in SIGNALS.values()}
OWN = [name for name, signal in SIGNALS.items() if signal.scope == "creator"]


def _signals(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    return compute_signals(make_histories(tables, as_of, imported_at=as_of))


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal to the last bit."""
    assert found.index.equals(expected.index)
    assert list(found.columns) == list(expected.columns)
    unequal = ~((found == expected) | (found.isna() & expected.isna()))
    assert not unequal.to_numpy().any(), unequal.any()[unequal.any()].index.tolist()


def _of(tables: Tables, creator_ids: list[str]) -> Tables:
    return {name: frame[frame["creator_id"].isin(creator_ids)] for name, frame in tables.items()}


def _known(tables: Tables) -> Tables:
    """What of the tables was known in the middle."""
    return tables | {
        "posts": tables["posts"][tables["posts"]["observed_at"] <= MIDDLE],
        "snapshots": tables["snapshots"][tables["snapshots"]["observed_at"] <= MIDDLE],
        "comments": tables["comments"][tables["comments"]["published_at"] <= MIDDLE],
    }


@pytest.fixture(scope="module")
def middle(random_tables: Tables) -> pd.DataFrame:
    return _signals(random_tables, MIDDLE)


@pytest.fixture(scope="module")
def whole(random_tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    return _signals(random_tables, as_of)


def test_the_random_histories_carry_signals(middle: pd.DataFrame, whole: pd.DataFrame) -> None:
    assert whole[OWN].notna().any().all()
    assert middle[OWN].notna().any().mean() > 0.95
    # accounts around a creator have no time
    timed = [name for name in OWN if SIGNALS[name].family != "audience"]
    assert (middle.notna() & whole.notna() & (middle != whole))[timed].any().mean() > 0.9


def test_what_happens_after_as_of_changes_nothing(random_tables: Tables, middle: pd.DataFrame) -> None:
    known = _known(random_tables)
    assert len(known["posts"]) < len(random_tables["posts"])
    assert len(known["comments"]) < len(random_tables["comments"])
    _same(_signals(known, MIDDLE), middle)


_late = st.timedeltas(pd.Timedelta("1us").to_pytimedelta(), pd.Timedelta("400D").to_pytimedelta())
_count = st.integers(0, 10**9)
_new_posts = st.lists(st.tuples(st.integers(0, 4), _late, _late, _count, _count), max_size=6)
_new_observations = st.lists(st.tuples(st.integers(0, 10**6), _late, _count, _count), max_size=6)
_new_snapshots = st.lists(st.tuples(st.integers(0, 4), _late, _count, _count), max_size=6)
_new_comments = st.lists(st.tuples(st.integers(0, 10**6), _late, st.sampled_from(["u1", "c002", "new"])), max_size=6)


@settings(max_examples=12, deadline=None)
@given(posts=_new_posts, observations=_new_observations, snapshots=_new_snapshots, comments=_new_comments)
def test_events_appended_after_as_of_change_nothing(
    random_tables: Tables, middle: pd.DataFrame, posts: list, observations: list, snapshots: list, comments: list
) -> None:
    ids = ["c000", "c002", "c004", "c007", "c031"]
    few = _of(random_tables, ids)
    old = few["posts"][few["posts"]["published_at"] <= MIDDLE].reset_index(drop=True)
    new_posts = pd.DataFrame(
        [
            {
                "creator_id": ids[creator],
                "post_id": f"new{number}",
                "published_at": MIDDLE + after,
                "observed_at": MIDDLE + after + later,
                "likes": likes,
                "comments": comments,
            }
            for number, (creator, after, later, likes, comments) in enumerate(posts)
        ],
        columns=["creator_id", "post_id", "published_at", "observed_at", "likes", "comments"],
    )
    seen_again = pd.concat(
        [
            old.iloc[[row % len(old)]].assign(observed_at=MIDDLE + later, likes=likes, views=views, is_sponsored=True)
            for row, later, likes, views in observations
        ]
        or [old.head(0)]
    ).drop_duplicates(subset=["creator_id", "post_id", "observed_at"])
    new_snapshots = pd.DataFrame(
        [
            {"creator_id": ids[creator], "observed_at": MIDDLE + later, "followers": followers, "total_views": views}
            for creator, later, followers, views in snapshots
        ],
        columns=["creator_id", "observed_at", "followers", "total_views"],
    ).drop_duplicates(subset=["creator_id", "observed_at"])
    new_comments = pd.DataFrame(
        [
            old.iloc[row % len(old)][["creator_id", "post_id"]].to_dict()
            | {"author_id": author, "published_at": MIDDLE + later, "text": "nice"}
            for row, later, author in comments
        ],
        columns=["creator_id", "post_id", "author_id", "published_at", "text"],
    )
    early = _known(few)
    appended = check_tables(
        early
        | {
            "posts": pd.concat([early["posts"].astype(object), seen_again.astype(object), new_posts.astype(object)]),
            "snapshots": pd.concat([early["snapshots"].astype(object), new_snapshots.astype(object)]),
            "comments": pd.concat([early["comments"].astype(object), new_comments.astype(object)]),
        }
    )
    assert len(appended["posts"]) == len(early["posts"]) + len(posts) + len(seen_again)
    _same(_signals(appended, MIDDLE), middle.loc[ids])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_changes_nothing(random_tables: Tables, middle: pd.DataFrame, seed: int) -> None:
    shuffled = {name: frame.sample(frac=1, random_state=seed) for name, frame in random_tables.items()}
    _same(_signals(check_tables(shuffled), MIDDLE), middle)


def test_a_creator_alone_gets_the_row_of_the_batch(
    random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp
) -> None:
    for creator_id in whole.index:
        _same(_signals(_of(random_tables, [creator_id]), as_of), whole.loc[[creator_id]])


def test_half_of_the_creators_get_the_rows_of_the_batch(
    random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp
) -> None:
    half = whole.index[::2].tolist()
    _same(_signals(_of(random_tables, half), as_of), whole.loc[half])


@pytest.mark.parametrize("cells", [1, 500, 5_000, 10**9])
def test_the_size_of_blocks_changes_nothing(
    random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    counts = make_histories(random_tables, as_of, imported_at=as_of).posts.counts
    assert (counts.min(), counts.max()) == (1, 300)
    for module in (blocks, *FAMILIES.values()):
        if hasattr(module, "make_blocks"):
            monkeypatch.setattr(module, "make_blocks", partial(make_blocks, cells=cells))
    _same(_signals(random_tables, as_of), whole)


@pytest.mark.parametrize("creators", [1, 1_000_000])
def test_the_place_in_a_large_batch_changes_nothing(creators: int) -> None:
    """A post a second after a snapshot: too near where positions and days share one float axis."""
    offsets = np.zeros(creators + 1, dtype=np.int64)
    offsets[-1] = 3
    noon = 20_454 + 7 / 24
    posts = Events(offsets, {"published_at": np.array([noon - 9, noon + 1 / 86_400, noon + 1])})
    time = np.array([[noon - 1, noon, noon + 3, noon + 3 + 2 / 86_400, noon + 4, np.nan]])
    found = growth._posts_up_to(posts, np.array([creators - 1]), time)
    # after three days before the moment before it: the post of the first second counts from `noon` on, not 2 s later
    np.testing.assert_array_equal(found, [[np.nan, 0, 2, 2, 1, np.nan]])


def test_a_creator_without_posts_stays_in_the_frame(creators_of: Maker, posts_of: Maker, as_of: pd.Timestamp) -> None:
    tables = check_tables({"creators": creators_of({"a": 10, "b": 20}), "posts": posts_of("a", [1] * 9)})
    frame = _signals(tables, as_of)
    assert frame.index.tolist() == ["a", "b"]
    assert frame.loc["b"].isna().all()
    assert frame.loc["a"].notna().any()


def test_no_posts_at_all(creators_of: Maker, posts_of: Maker, as_of: pd.Timestamp) -> None:
    posts = posts_of("a", []).assign(creator_id=pd.Series(dtype="str"))
    frame = _signals(check_tables({"creators": creators_of({"a": 10}), "posts": posts}), as_of)
    assert frame.shape == (1, len(SIGNALS))
    assert frame.isna().all(axis=None)


def test_the_frame_is_float_and_never_infinite(random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp) -> None:
    assert list(whole.columns) == list(SIGNALS)
    assert (whole.dtypes == np.float64).all()
    nothing = random_tables["posts"].assign(likes=0, comments=0, views=0, shares=0, saves=0).astype({"likes": "Int64"})
    flat = random_tables["snapshots"].assign(followers=0, total_views=0, following=0)
    for tables in (random_tables, check_tables(random_tables | {"posts": nothing, "snapshots": flat})):
        assert not np.isinf(_signals(tables, as_of)).any(axis=None)


@pytest.mark.parametrize(
    "column",
    [
        *("likes", "comments", "views", "is_sponsored", "caption", "kind", "followers", "following", "total_views"),
        *("relation", "posts_count", "has_picture"),
    ],
)
def test_a_column_of_nulls_is_a_column_that_is_missing(random_tables: Tables, as_of: pd.Timestamp, column: str) -> None:
    few = _of(random_tables, ["c000", "c005", "c009", "c013"])
    hidden = {
        name: frame.assign(**{column: pd.array([None] * len(frame), dtype=frame[column].dtype)})
        if column in frame
        else frame
        for name, frame in few.items()
    }
    frame = _signals(check_tables(hidden), as_of)
    assert not np.isinf(frame).any(axis=None)
    if column not in ("likes", "comments", "followers"):
        gone = {name: frame.drop(columns=column, errors="ignore") for name, frame in few.items()}
        _same(_signals(check_tables(gone), as_of), frame)


def test_optional_tables_and_columns_may_be_absent(
    random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp
) -> None:
    posts = random_tables["posts"]
    frame = _signals({"creators": random_tables["creators"], "posts": posts}, as_of)
    names = [name for name, signal in SIGNALS.items() if signal.family == "engagement" and "followers" not in name]
    names.remove("engagement_level_against_size_30p")
    _same(frame[names], whole[names])
    of_snapshots = [signal.name for signal in growth.SIGNALS if not signal.name.startswith("follow")]
    assert frame[of_snapshots].isna().all(axis=None)


# ---- independent ways to the same numbers


def _latest(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """What pandas says of each post at as_of: its last observation, unripe counts blanked."""
    posts = tables["posts"]
    posts = posts[(posts["observed_at"] <= as_of) & (posts["published_at"] <= as_of)].sort_values("observed_at")
    posts = posts.groupby(["creator_id", "post_id"], as_index=False).last().sort_values(["creator_id", "published_at"])
    unripe = posts["observed_at"] - posts["published_at"] < pd.Timedelta("2D")
    counts = ["likes", "comments", "views", "shares", "saves"]
    posts[counts] = posts[counts].astype("float64").mask(unripe)
    return posts


def _pandas_posts(posts: pd.DataFrame, followers: float) -> dict[str, float]:
    likes, recent = posts["likes"], posts.tail(30)
    days = (posts["published_at"] - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta("1D")
    both = np.log1p(posts[["likes", "comments"]]).dropna()
    logs = np.log1p(likes).dropna()
    enough, level = likes.count() >= 8, recent[["likes", "comments"]].dropna().shape[0] >= 3
    gaps = days.diff().dropna()
    residual = (
        logs - np.polyval(np.polyfit(days[logs.index] - days.mean(), logs, 1), days[logs.index] - days.mean())
        if enough
        else logs
    )
    shifted = (residual - residual.mean()).cumsum().abs().max() / (residual.std() * np.sqrt(len(residual)))
    return {
        "engagement_rate_by_followers_median_30p": (recent["likes"] + recent["comments"]).median() / followers
        if level
        else np.nan,
        "likes_cv_all": likes.std() / likes.mean() if enough else np.nan,
        "likes_log_mad_all": (residual - residual.median()).abs().median() if enough else np.nan,
        "likes_max_to_median_all": likes.max() / likes.median() if enough else np.nan,
        "likes_p10_to_median_all": likes.quantile(0.1) / likes.median() if enough else np.nan,
        "likes_shift_cusum_all": shifted if len(logs) >= 10 else np.nan,
        "likes_comments_correlation_all": both["likes"].corr(both["comments"]) if len(both) >= 8 else np.nan,
        "posting_gap_cv_all": gaps.std() / gaps.mean() if len(gaps) >= 8 else np.nan,
    }


def _pandas_snapshots(snapshots: pd.DataFrame) -> dict[str, float]:
    gain = snapshots["followers"].astype("float64").diff().iloc[1:]
    rate = gain / (snapshots["observed_at"].diff() / pd.Timedelta("1D"))
    known, daily = gain.dropna(), rate.dropna()
    if len(known) < 8:
        return {}
    usual = daily.median()
    spread = MAD_TO_SD * (daily - usual).abs().median() + np.sqrt(abs(usual)) + 1
    risen = known.clip(lower=0)
    return {
        "follower_gain_max_step_z_all": ((daily - usual) / spread).max(),
        "follower_gain_max_step_of_gain_all": risen.max() / risen.sum(),
        "follower_loss_day_share_all": (known < 0).mean(),
        "follower_gain_autocorrelation_all": rate.corr(rate.shift(), min_periods=8),
    }


def test_signals_agree_with_plain_pandas(random_tables: Tables, whole: pd.DataFrame, as_of: pd.Timestamp) -> None:
    posts = _latest(random_tables, as_of)
    profiles = random_tables["creators"].set_index("creator_id")["followers"].astype("float64")
    by_snapshot = random_tables["snapshots"].sort_values("observed_at").groupby("creator_id")
    followers = profiles.copy()
    followers.update(by_snapshot["followers"].last().astype("float64"))
    of_posts = pd.DataFrame(
        {name: _pandas_posts(group, followers[name]) for name, group in posts.groupby("creator_id")}
    ).T
    of_snapshots = pd.DataFrame({name: _pandas_snapshots(group) for name, group in by_snapshot}).T
    for oracle in (of_posts, of_snapshots.reindex(whole.index)):
        assert oracle.notna().any().all()
        found = whole[oracle.columns]
        pd.testing.assert_frame_equal(found, oracle.astype("float64"), check_names=False, rtol=1e-7, atol=1e-9)


SQL = """
WITH known AS (
    SELECT *, row_number() OVER (PARTITION BY creator_id, post_id ORDER BY observed DESC) AS newest
    FROM posts WHERE observed <= :as_of AND published <= :as_of
), latest AS (
    SELECT *,
        CASE WHEN observed - published >= 172800 THEN likes END AS ripe,
        published - lag(published) OVER (PARTITION BY creator_id ORDER BY published, post_id) AS gap,
        row_number() OVER (PARTITION BY creator_id ORDER BY published DESC, post_id DESC) AS place
    FROM known WHERE newest = 1
), viewed AS (
    SELECT creator_id, 1.0 * ripe / views AS rate,
        row_number() OVER (PARTITION BY creator_id ORDER BY 1.0 * ripe / views) AS place,
        count(*) OVER (PARTITION BY creator_id) AS rates
    FROM latest WHERE place <= 30 AND ripe IS NOT NULL AND views > 0
), moves AS (
    SELECT creator_id, followers - lag(followers) OVER history AS gain, lag(followers) OVER history AS before
    FROM snapshots WHERE observed <= :as_of WINDOW history AS (PARTITION BY creator_id ORDER BY observed)
)
SELECT creator_id,
    (SELECT avg(rate) FROM viewed
        WHERE viewed.creator_id = c.creator_id AND abs(2 * viewed.place - rates - 1) <= 1 AND rates >= 3)
        AS like_rate_by_views_median_30p,
    (SELECT sum(published > (SELECT max(observed) FROM latest AS l WHERE l.creator_id = c.creator_id) - 90 * 86400)
            * 7.0 / 90
        FROM latest WHERE latest.creator_id = c.creator_id)
        AS posts_per_week_90d,
    (SELECT CASE WHEN count(gap) >= 3 THEN max(gap) / 86400.0 END FROM latest WHERE latest.creator_id = c.creator_id)
        AS posting_gap_max_all,
    (SELECT CASE WHEN count(*) >= 3 THEN avg(is_sponsored) END FROM latest WHERE latest.creator_id = c.creator_id)
        AS sponsored_share_all,
    (SELECT CASE WHEN count(gain) >= 8 THEN max(1.0 * gain / before) END FROM moves
        WHERE moves.creator_id = c.creator_id)
        AS follower_gain_max_step_share_all,
    (SELECT CASE WHEN count(gain) >= 8 THEN avg(gain < 0) END FROM moves WHERE moves.creator_id = c.creator_id)
        AS follower_loss_day_share_all
FROM creators AS c ORDER BY creator_id
"""


@pytest.mark.parametrize("at", ["middle", "whole"])
def test_window_signals_agree_with_sql(
    random_tables: Tables, as_of: pd.Timestamp, at: str, request: pytest.FixtureRequest
) -> None:
    frame: pd.DataFrame = request.getfixturevalue(at)
    moment = {"middle": MIDDLE, "whole": as_of}[at]

    def seconds(times: pd.Series) -> pd.Series:
        return (times - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta("1s")

    posts, snapshots = random_tables["posts"], random_tables["snapshots"]
    connection = sqlite3.connect(":memory:")
    random_tables["creators"][["creator_id"]].to_sql("creators", connection)
    columns = ["creator_id", "post_id", "likes", "views", "is_sponsored"]
    timed = posts[columns].assign(observed=seconds(posts["observed_at"]), published=seconds(posts["published_at"]))
    timed.astype({"is_sponsored": "Int64"}).to_sql("posts", connection)
    snapshots[["creator_id", "followers"]].assign(observed=seconds(snapshots["observed_at"])).to_sql(
        "snapshots", connection
    )
    oracle = pd.read_sql(SQL, connection, params={"as_of": moment.timestamp()}, index_col="creator_id").astype(
        "float64"
    )
    connection.close()
    assert oracle.notna().any().all()
    pd.testing.assert_frame_equal(frame[oracle.columns], oracle, check_index_type=False, rtol=1e-9, atol=1e-9)


# ---- the registry


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_exactly_its_signals(random_tables: Tables, as_of: pd.Timestamp, family: str) -> None:
    compute = getattr(FAMILIES[family], f"{family}_signals")
    histories = make_histories(random_tables, as_of, imported_at=as_of)
    found = compute(histories, None) if family == "coordination" else compute(histories)
    assert list(found) == [signal.name for signal in FAMILIES[family].SIGNALS]
    for values in found.values():
        assert values.shape == (len(histories.creators),)
        assert values.dtype == np.float64


def test_the_hash_stands_for_what_is_computed_and_not_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    before = registry_hash()
    assert before == registry_hash()
    name, signal = next(iter(SIGNALS.items()))

    def hash_with(changed: Signal) -> str:
        monkeypatch.setattr(signals, "SIGNALS", SIGNALS | {name: changed})
        return registry_hash()

    assert hash_with(replace(signal, english="in other words", vietnamese="nói cách khác")) == before
    assert hash_with(replace(signal, source="another page", points_at="", invariant=())) == before
    changes = [
        *({"unit": "per cent"}, {"direction": "high"}, {"family": "growth"}, {"name": "another_30p"}),
        *({"formula": "mean of 31"}, {"least": 99}, {"of": "snapshots"}, {"scope": "crowd"}),
    ]
    hashes = {hash_with(replace(signal, **change)) for change in changes}
    assert len(hashes | {before}) == len(changes) + 1
    monkeypatch.setattr(signals, "SIGNALS", dict(reversed(SIGNALS.items())))
    assert registry_hash() != before  # models take columns by their order
