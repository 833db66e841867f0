"""Peers: quantiles worked out by hand, what small cells borrow, partitions, and rates that are not comparable."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import peers as module
from features.peers import (
    BORROWED,
    LEAST_PEERS,
    LEVELS,
    PROBABILITIES,
    Peers,
    PeersError,
    RateError,
    check_rate,
    counted_in,
    denominator_of,
    make_peers,
    merge_samples,
    peer_position,
    peers_of,
    percentile_in,
    published_position,
    published_rates,
    read_peers,
    sample_peers,
    write_peers,
)
from features.signals import SIGNALS

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
BY_FOLLOWERS, BY_VIEWS = "engagement_rate_by_followers_median_30p", "engagement_rate_by_views_median_30p"


def world(**cells: tuple[str, int, str | None, list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Signals and creators; each cell is platform, followers, niche and the values of its creators."""
    rows = [
        (f"{name}{number:04d}", platform, followers, niche, value)
        for name, (platform, followers, niche, values) in cells.items()
        for number, value in enumerate(values)
    ]
    creators = pd.DataFrame(rows, columns=["creator_id", "platform", "followers", "niche", "value"])
    creators = creators.astype({"followers": "Int64", "niche": "str"})
    signals = pd.DataFrame(
        {BY_FOLLOWERS: creators["value"].to_numpy(), "likes_gini_all": creators["value"].to_numpy() * 2},
        index=pd.Index(creators["creator_id"], name="creator_id"),
    )
    return signals, creators.drop(columns="value")


def cell(peers: Peers, level: str, signal: str = BY_FOLLOWERS, **where: str) -> pd.Series:
    table = peers.cells[(peers.cells["level"] == level) & (peers.cells["signal"] == signal)]
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def big(seed: int = 3, count: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    ids = [f"c{number:05d}" for number in range(count)]
    creators = pd.DataFrame(
        {
            "creator_id": ids,
            "platform": rng.choice(["instagram", "tiktok"], count),
            "followers": pd.array(np.floor(10 ** rng.uniform(3, 6.5, count)), dtype="Int64"),
            "niche": pd.Series(rng.choice(["beauty", "food", None], count), dtype="str"),
        }
    )
    creators.loc[::17, "followers"] = pd.NA
    values = rng.lognormal(size=(count, 2))
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values, columns=[BY_FOLLOWERS, "likes_gini_all"], index=pd.Index(ids)), creators


def test_quantiles_of_all_are_those_of_the_values() -> None:
    # 0, 1 … 100: the quantile of p is 100 p; the median is 50, distances from it have the median 25
    peers = make_peers(*world(a=("tiktok", 20_000, "beauty", list(map(float, range(101))))), AS_OF, "mine")
    whole = cell(peers, "all")
    assert whole[["p01", "p25", "p50", "p99", "mad"]].tolist() == [1.0, 25.0, 50.0, 99.0, 25.0]
    assert (whole["n"], whole["sampled"], whole["denominator"]) == (101, 101, "followers")
    assert cell(peers, "all", "likes_gini_all")[["p50", "denominator"]].tolist() == [100.0, ""]


def test_a_small_cell_borrows_from_its_parent() -> None:
    # TikTok: 20 values of 10, Instagram: 20 of 30 → all: median 20, MAD 10. With n = 20 = k half is borrowed at each
    # level, on the scale of asinh(x / 10): asinh 1 = .88137, asinh 2 = 1.44364; half way is 1.16250, its sinh 1.44262
    assert BORROWED == 20
    peers = make_peers(
        *world(a=("tiktok", 20_000, "beauty", [10.0] * 20), b=("instagram", 20_000, "beauty", [30.0] * 20)),
        AS_OF,
        "mine",
    )
    assert cell(peers, "all")[["p50", "mad"]].tolist() == [20.0, 10.0]
    assert cell(peers, "platform", platform="tiktok")["p50"] == pytest.approx(14.4262, abs=1e-4)
    # (.88137 + 1.16250) / 2 = 1.02194 → 1.20934; (.88137 + 1.02194) / 2 = .95166 → 1.10194
    assert cell(peers, "platform and tier", platform="tiktok")["p50"] == pytest.approx(12.0934, abs=1e-3)
    assert cell(peers, "platform, tier and niche", platform="tiktok")["p50"] == pytest.approx(11.0194, abs=1e-3)


def test_a_tail_of_another_platform_is_borrowed_in_proportion() -> None:
    # 80 creators with .06, all with 2: linear it would be .8 × .06 + .2 × 2 = .448, seven times what there is
    shrunk = module._shrunk(np.array([[0.06]]), np.array([[2.0]]), np.array([80]), np.array([0.01]))
    # all but logarithmic at 6 and 200 scales: .06^.8 × 2^.2 = .121
    assert shrunk[0, 0] == pytest.approx(0.121, abs=0.001)
    assert module._shrunk(np.array([[0.0]]), np.array([[1.0]]), np.array([20]), np.array([0.0]))[0, 0] == 0.5


@pytest.mark.parametrize(("count", "near"), [(5, 2.0), (20_000, 10.0)])
def test_few_creators_say_little_and_very_many_everything(count: int, near: float) -> None:
    # 5 / 25 of 10 and the rest of 0; of 20,000 all that are kept, 2,000, and next to nothing of 0
    crowd = world(a=("tiktok", 20_000, None, [10.0] * count), b=("instagram", 20_000, None, [0.0] * 100_000))
    found = cell(make_peers(*crowd, AS_OF, "mine"), "platform", platform="tiktok")
    assert found["p50"] == pytest.approx(near, abs=0.5)
    assert found["n"] == count
    assert found["sampled"] == min(count, 2_000)


def test_cells_of_fewer_than_five_are_left_out_after_the_others_borrowed() -> None:
    signals, creators = world(
        a=("tiktok", 20_000, "beauty", list(map(float, range(8)))),
        b=("tiktok", 20_000, "food", [40.0, 50.0, 60.0, 70.0]),
        c=("instagram", 20_000, "food", [80.0] * 5),
    )
    # of the signal that only four of the eight have, they are too few
    signals.loc[[f"a000{number}" for number in range(4, 8)], "likes_gini_all"] = np.nan
    peers = make_peers(signals, creators, AS_OF, "mine")
    assert LEAST_PEERS == 5
    assert peers.cells["n"].min() == 5
    assert peers.cells["sampled"].min() == 5
    niches = peers.cells[peers.cells["level"] == "platform, tier and niche"]
    assert set(niches[["platform", "niche", "signal"]].itertuples(index=False, name=None)) == {
        ("tiktok", "beauty", BY_FOLLOWERS),
        ("instagram", "food", BY_FOLLOWERS),
        ("instagram", "food", "likes_gini_all"),
    }
    # the four are among those that their platform is of, and stand there
    assert cell(peers, "platform", platform="tiktok")["n"] == 12
    found = peer_position(signals, creators, peers).set_index(["creator_id", "signal"])
    assert found.loc[("b0000", BY_FOLLOWERS), ["level", "n"]].tolist() == ["platform and tier", 12]
    assert found.loc[("a0000", "likes_gini_all"), ["level", "n"]].tolist() == ["platform and tier", 8]
    assert peers.creators == 17


def test_a_signal_that_few_of_the_sample_have_is_left_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # one in ten of 400 creators: of the 20 that are kept a handful at most
    monkeypatch.setattr(module, "SAMPLE", 20)
    signals, creators = world(a=("tiktok", 20_000, None, list(map(float, range(400)))))
    signals["likes_gini_all"] = signals["likes_gini_all"].where(np.arange(400) % 10 == 0)
    sample = sample_peers(signals, creators)
    kept = int(sample.rows["likes_gini_all"].notna().sum())
    assert 0 < kept < LEAST_PEERS
    assert sample.counts["likes_gini_all"].sum() == 40
    assert set(peers_of(sample, AS_OF, "mine").cells["signal"]) == {BY_FOLLOWERS}


def test_a_creator_without_any_cell_has_no_position() -> None:
    # nothing is kept of all creators, but of one platform: whoever is not on it stands nowhere
    signals, creators = world(
        a=("tiktok", 20_000, None, list(map(float, range(9)))), b=("youtube", 20_000, None, [1.0])
    )
    peers = make_peers(signals, creators, AS_OF, "mine")
    narrow = Peers(peers.cells[peers.cells["level"] != "all"], AS_OF, "mine", peers.registry, peers.creators)
    assert set(peer_position(signals, creators, narrow)["creator_id"]) == {f"a{number:04d}" for number in range(9)}


def test_quantiles_of_every_cell_rise() -> None:
    peers = make_peers(*big(), AS_OF, "mine")
    assert set(peers.cells["level"]) == set(LEVELS)
    assert (np.diff(peers.cells[list(module.QUANTILES)].to_numpy(), axis=1) >= 0).all()
    assert (
        (peers.cells[["platform", "tier", "niche"]] != "")
        .sum(axis=1)
        .equals(peers.cells["level"].map({level: depth for depth, level in enumerate(LEVELS)}).astype("int64"))
    )


@pytest.mark.parametrize("kept", [5, 2_000])
def test_partitions_merge_into_what_one_reading_gives(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", kept)
    signals, creators = big()
    whole = peers_of(sample_peers(signals, creators), AS_OF, "mine")
    order = np.random.default_rng(1).permutation(len(signals))
    parts = [
        sample_peers(signals.iloc[rows], creators[creators["creator_id"].isin(signals.index[rows])])
        for rows in np.array_split(order, 5)
    ]
    nested = merge_samples([merge_samples(parts[:2]), merge_samples(parts[:1:-1])])
    merged = peers_of(nested, AS_OF, "mine")
    pd.testing.assert_frame_equal(merged.cells, whole.cells)
    assert merged.id == whole.id
    assert len(nested.rows) <= len(signals)
    assert (merged.cells["sampled"] <= kept).all()
    assert (merged.cells["n"].max() > kept) == (kept == 5)


def test_what_cannot_be_merged_is_refused() -> None:
    signals, creators = big()
    sample = sample_peers(signals, creators)
    with pytest.raises(PeersError, match="two partitions"):
        merge_samples([sample, sample])
    with pytest.raises(PeersError, match="different signals"):
        merge_samples([sample, sample_peers(signals[[BY_FOLLOWERS]], creators)])
    with pytest.raises(PeersError, match="no samples"):
        merge_samples([])
    with pytest.raises(PeersError, match="not in the creators table: c00000"):
        sample_peers(signals, creators.iloc[1:])


def test_a_percentile_is_read_between_quantiles() -> None:
    quantiles = 100 * np.array(PROBABILITIES)  # of the values 0 to 100
    found = percentile_in(np.array([-5.0, 1.0, 3.0, 50.0, 60.0, 99.0, 1e9, np.nan]), quantiles)
    assert found.tolist()[:-1] == pytest.approx([1, 1, 3, 50, 60, 99, 99])
    assert np.isnan(found[-1])


def test_a_value_that_many_share_is_in_their_middle() -> None:
    # 0 from the 1st to the 75th percentile: the middle is 38; 5 is half way from 75 to 90
    quantiles = np.array([0, 0, 0, 0, 0, 0, 10, 20, 30.0])
    assert percentile_in(np.array([0.0, 5.0, -1.0]), quantiles).tolist() == [38.0, 82.5, 1.0]


def test_a_creator_stands_in_the_narrowest_cell_with_enough_peers() -> None:
    signals, creators = world(
        a=("tiktok", 20_000, "beauty", list(map(float, range(101)))),
        b=("tiktok", 20_000, "food", [50.0, 60.0]),
        c=("tiktok", None, None, [50.0]),  # type: ignore[arg-type]
        d=("youtube", 20_000, "beauty", [50.0]),
    )
    peers = make_peers(signals, creators, AS_OF, "mine")
    found = peer_position(signals, creators, peers).set_index(["creator_id", "signal"])
    own = found.loc[("a0050", BY_FOLLOWERS)]
    assert (own["level"], own["niche"], own["n"]) == ("platform, tier and niche", "beauty", 101)
    assert own["percentile"] == pytest.approx(50, abs=1)
    assert own["robust_z"] == pytest.approx(0, abs=0.1)
    assert (own["as_of"], own["year"], own["peers_id"]) == (AS_OF, 2026, peers.id)
    # two in the niche, one of a tier that is not known, one on the platform: the level above
    assert found.loc[("b0000", BY_FOLLOWERS), "level"] == "platform and tier"
    assert found.loc[("c0000", BY_FOLLOWERS), "level"] == "platform"
    assert found.loc[("d0000", BY_FOLLOWERS), "level"] == "all"
    assert len(found) == 2 * len(signals)


def test_robust_z_is_worked_out_by_hand() -> None:
    # one cell of all levels: median 50, MAD 25; 100 is 50 / (1.4826 × 25) = 1.349 away. All equal, no distance.
    signals, creators = world(a=("tiktok", 20_000, None, list(map(float, range(101)))))
    signals["likes_gini_all"] = 1.0
    found = peer_position(signals, creators, make_peers(signals, creators, AS_OF, "x")).set_index("signal")
    assert found.loc[BY_FOLLOWERS, "robust_z"].max() == pytest.approx(50 / (1.4826 * 25))
    assert found.loc["likes_gini_all", "robust_z"].isna().all()
    assert found.loc["likes_gini_all", "percentile"].eq(50).all()


def test_where_most_are_equal_the_mean_deviation_is_the_unit() -> None:
    # eight of 0, one of 9 and one of 1: median 0, MAD 0, mean absolute deviation 1, so 9 is 9 / 1.253314 away
    values = [0.0] * 8 + [9.0, 1.0]
    signals, creators = world(a=("tiktok", 20_000, None, values))
    peers = make_peers(signals, creators, AS_OF, "x")
    assert cell(peers, "all")[["mad", "spread"]].tolist() == [0.0, 1.253314]
    found = peer_position(signals, creators, peers).set_index(["creator_id", "signal"])["robust_z"]
    assert found["a0008", BY_FOLLOWERS] == pytest.approx(9 / 1.253314)
    assert found["a0000", BY_FOLLOWERS] == 0
    assert found.notna().all()


def test_the_unit_of_a_cell_of_zeros_is_not_the_deviation_of_its_parent() -> None:
    # TikTok: 14 of 20 are 0, mean absolute deviation 6 × 10 / 20 = 3, spread 3.760; Instagram varies: its own MAD is
    # 5, its spread 7.413. Half of each cell is its own: TikTok's spread lies between its 3.760 and that of all.
    tiktok, instagram = [0.0] * 14 + [10.0] * 6, list(map(float, range(20)))
    signals, creators = world(a=("tiktok", 20_000, None, tiktok), b=("instagram", 20_000, None, instagram))
    peers = make_peers(signals, creators, AS_OF, "x")
    whole = cell(peers, "all")
    assert whole["spread"] == pytest.approx(1.4826 * whole["mad"])
    scale, own = whole["mad"], 1.253314 * 3
    expected = scale * np.sinh((np.arcsinh(own / scale) + np.arcsinh(whole["spread"] / scale)) / 2)
    assert cell(peers, "platform", platform="tiktok")["spread"] == pytest.approx(expected)


def test_without_a_value_there_is_no_position() -> None:
    signals, creators = world(a=("tiktok", 20_000, None, [1.0] * 6))
    peers = make_peers(signals, creators, AS_OF, "x")
    nothing = signals.assign(**dict.fromkeys(signals.columns, np.nan))
    assert peer_position(nothing, creators, peers).empty
    few = make_peers(signals.iloc[:4], creators, AS_OF, "x")
    assert peer_position(signals, creators, few).empty
    assert peer_position(signals.iloc[:0], creators, peers).columns.tolist() == (
        peer_position(signals, creators, peers).columns.tolist()
    )
    assert peer_position(signals.rename(columns=str.upper), creators, peers).empty


def test_peers_are_written_and_read_whole(tmp_path: Path) -> None:
    peers = make_peers(*big(), AS_OF, "mine")
    path = tmp_path / "peers.parquet"
    write_peers(peers, path, built_at=AS_OF)
    read = read_peers(path)
    pd.testing.assert_frame_equal(read.cells, peers.cells)
    assert (read.id, read.as_of, read.source, read.registry) == (peers.id, AS_OF, "mine", peers.registry)
    assert read.creators == 400
    assert read.cells["n"].min() >= LEAST_PEERS
    assert [file.name for file in tmp_path.iterdir()] == ["peers.parquet"]
    with pytest.raises(ValueError, match=r"peers\.csv"):
        write_peers(peers, tmp_path / "peers.csv", built_at=AS_OF)


def test_the_id_is_of_the_content() -> None:
    signals, creators = big()
    peers = make_peers(signals, creators, AS_OF, "mine")
    assert peers.id == make_peers(signals.iloc[::-1], creators.iloc[::-1], AS_OF, "mine").id
    assert peers.id != make_peers(signals * 2, creators, AS_OF, "mine").id
    assert peers.id != make_peers(signals, creators, AS_OF, "yours").id


def test_peers_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "peers.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(PeersError, match="no file of peers"):
        read_peers(path)
    path.write_bytes(b"x")
    with pytest.raises(PeersError, match="unreadable"):
        read_peers(path)
    peers = make_peers(*big(), AS_OF, "mine")
    write_peers(peers, path, built_at=AS_OF)
    changed = pd.read_parquet(path)
    changed.loc[0, "p50"] += 1
    changed.to_parquet(tmp_path / "changed.parquet")
    with pytest.raises(PeersError, match="not what was written"):
        read_peers(tmp_path / "changed.parquet")
    monkeypatch.setattr(module, "VERSION", 3)
    with pytest.raises(PeersError, match="layout 2; expected 3"):
        read_peers(path)
    monkeypatch.setattr(module, "VERSION", 2)
    monkeypatch.setattr(module, "registry_hash", lambda: "another")
    with pytest.raises(PeersError, match="made of other signals"):
        read_peers(path)


COMMENTS = "comment_rate_by_followers_median_30p"


@pytest.mark.parametrize(
    ("signal", "counts", "denominator", "message"),
    [
        (BY_FOLLOWERS, "unstated", "views", "is likes + comments by followers and a page is likes + comments by views"),
        (BY_FOLLOWERS, "unstated", "views", f"compare {BY_VIEWS} with it"),
        ("likes_gini_all", "unstated", "followers", "likes_gini_all is no rate by anything"),
        (BY_FOLLOWERS, "unstated", "unstated", "by unstated .*no signal is such a rate"),
        (BY_VIEWS, "unstated", "impressions", "by impressions .*no signal is such a rate"),
        (
            COMMENTS,
            "likes and comments, 12 posts",
            "followers",
            f"is comments by followers and a page is likes + comments by followers .*compare {BY_FOLLOWERS} with it",
        ),
        (COMMENTS, "unstated", "followers", f"compare {BY_FOLLOWERS} with it"),
        (BY_FOLLOWERS, "likes only", "followers", "compare like_rate_by_followers_median_30p with it"),
        (BY_FOLLOWERS, "likes, comments and saves", "followers", "saves by followers .*no signal is such a rate"),
    ],
)
def test_rates_of_different_things_are_not_compared(signal: str, counts: str, denominator: str, message: str) -> None:
    with pytest.raises(RateError, match=message.replace("likes + ", r"likes \+ ")):
        check_rate(signal, counts, denominator, "a page")


@pytest.mark.parametrize(
    ("signal", "counts", "denominator"),
    [
        (BY_VIEWS, "likes and comments", "views"),
        (BY_VIEWS, "unstated", "views"),
        (BY_FOLLOWERS, "median of 30 posts", "followers"),
        ("like_rate_by_followers_median_30p", "likes only", "followers"),
    ],
)
def test_rates_of_the_same_things_are_compared(signal: str, counts: str, denominator: str) -> None:
    check_rate(signal, counts, denominator, "a page")


def test_a_rate_is_read_from_its_name() -> None:
    assert denominator_of(BY_VIEWS) == "views"
    rates = [name for name in SIGNALS if denominator_of(name)]
    assert len(rates) >= 7
    # a new rate has to say what it counts
    assert all(counted_in(name) for name in rates)


def test_published_rates_are_compared_by_platform_size_and_denominator() -> None:
    rates = published_rates()
    signals, creators = world(a=("tiktok", 20_000, None, [0.05]), b=("tiktok", 40_000, None, [0.01]))
    values = signals[BY_FOLLOWERS].rename(BY_VIEWS)
    with pytest.raises(RateError, match=r"and the rate of \S+ is"):
        published_position(BY_VIEWS, values, creators, rates)
    by_views = rates[(rates["denominator"] == "views") & (rates["subject"] == "creators")]
    with pytest.raises(RateError, match="comments by views and"):
        published_position("comment_rate_by_views_median_30p", values, creators, by_views)
    found = published_position(BY_VIEWS, values, creators, by_views)
    # 10-30k: 6.6-10.1 %, 30-100k: 5.3-9.2 %, 10-50k: 4-7 %; .05 is within the last, .01 below both of its own
    sides = {(row.creator_id, row.source.partition(".")[0]): row.side for row in found.itertuples()}
    assert sides == {
        ("a0000", "influencertools"): "below",
        ("a0000", "untapper"): "within",
        ("b0000", "influencertools"): "below",
        ("b0000", "untapper"): "below",
    }


def test_every_published_rate_says_what_it_is() -> None:
    rates = published_rates()
    assert rates["denominator"].isin(["followers", "views", "impressions", "unstated"]).all()
    assert rates["subject"].isin(["creators", "brands"]).all()
    assert rates["trust"].isin(["method", "page", "low"]).all()
    assert (rates["low"] <= rates["high"]).all()
    assert rates[["platform", "statistic", "counts", "sample", "date", "source"]].notna().all(axis=None)
    assert (rates["high"] < 0.2).all()
