import os
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.tables import HEADS, check_tables
from training.bots import TEMPLATES, comment_rows
from training.deliveries import bots_following
from training.fraud import draw_vendors, inject_campaigns, label_rows, plan_campaigns
from training.simulation import SIMULATION_AS_OF, simulate_creators
from training.vendors import WORDINGS

DATA = Path(os.environ.get("REALREACH_DATA", "../shared/data"))
DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2026-01-01T00:00:00Z")
SHARES = [f"inauthentic_{name}_share" for name in ("followers", "likes", "views", "comments")]


@pytest.fixture(scope="module")
def organic():
    return simulate_creators(400, 8)


@pytest.fixture(scope="module")
def campaigns(organic):
    rng = np.random.default_rng(2)
    return plan_campaigns(organic, draw_vendors(12, rng), rng)


@pytest.fixture(scope="module")
def injected(organic, campaigns):
    return inject_campaigns(organic, campaigns, np.random.default_rng(3))


def campaign(head: str, creator_id: str = "a", **numbers: object) -> pd.DataFrame:
    """One campaign that delivers at once, in full and for good, but for what is said."""
    row: dict[str, object] = {
        "creator_id": creator_id, "head": head, "vendor_id": "v", "seed": 7, "accounts": 50, "wording": "generic",
        "started_at": START, "ended_at": START + 300 * DAY, "amount": 100.0, "posts_share": 1.0,
        "purged_after": np.nan, "purged": 0.0, "delivery_days": 1.0, "post_delivery_hours": 1.0, "retention": 1.0,
        "refill_days": 0.0, "refill_delay": 1.0, "scatter": 0.0, "likes_with_views": 0.0, "comments_with_likes": 0.0,
        "pod_presence": 1.0, "pod_talk": 0.0,
    }  # fmt: skip
    return pd.DataFrame([row | numbers])


def two_creators() -> dict[str, pd.DataFrame]:
    """Creator a with four posts and snapshots on days 0, 2, 4; creator b with one post."""
    days = [0, 1, 2, 3, 1]
    return check_tables(
        {
            "creators": pd.DataFrame(
                {
                    "creator_id": ["a", "b"],
                    "platform": ["tiktok", "tiktok"],
                    "followers": [1_003, 50],
                    "observed_at": [START + 4 * DAY] * 2,
                }
            ),
            "posts": pd.DataFrame(
                {
                    "creator_id": ["a", "a", "a", "a", "b"],
                    "post_id": ["1", "2", "3", "4", "5"],
                    "published_at": [START + day * DAY for day in days],
                    "observed_at": [START + 4 * DAY] * 5,
                    "likes": [100, 200, None, 300, 10],
                    "comments": [10, 20, 30, 40, 1],
                    "views": [1_000, None, 3_000, 4_000, 100],
                }
            ),
            "snapshots": pd.DataFrame(
                {
                    "creator_id": ["a", "a", "a"],
                    "observed_at": [START, START + 2 * DAY, START + 4 * DAY],
                    "followers": [1_001, 1_002, 1_003],
                    "total_views": [10_000, 14_000, 20_000],
                }
            ),
        }
    )


def test_bought_followers_are_added_from_their_arrival_on():
    order = campaign("bought_followers", started_at=START + DAY, amount=500.0)
    tables, truth = inject_campaigns(two_creators(), order, np.random.default_rng(0))
    assert tables["snapshots"]["followers"].tolist() == [1_001, 1_502, 1_503]
    assert tables["creators"]["followers"].tolist() == [1_503, 50]
    assert truth["bought_followers"].tolist() == [True, False]
    assert truth["inauthentic_followers_share"].tolist() == pytest.approx([500 / 1_503, 0])
    # bots do not engage
    pd.testing.assert_frame_equal(tables["posts"], two_creators()["posts"])


def test_bought_likes_reach_posts_of_their_time_and_hidden_counts_stay_hidden():
    order = campaign("bought_likes", ended_at=START + 2.5 * DAY, comments_with_likes=0.1)
    tables, truth = inject_campaigns(two_creators(), order, np.random.default_rng(0))
    assert tables["posts"]["likes"].tolist() == [200, 300, pd.NA, 300, 10]
    assert tables["posts"]["comments"].tolist() == [20, 30, 40, 40, 1]
    assert truth.loc["a", "inauthentic_likes_share"] == pytest.approx(200 / 800)
    assert truth.loc["a", "inauthentic_comments_share"] == pytest.approx(30 / 130)
    assert truth.loc["a", list(HEADS)].tolist() == [False, True, False, False, False]
    assert not truth.loc["b"].any()


def test_bought_views_bring_likes_along_and_are_in_the_channel_total():
    order = campaign("bought_views", amount=2_000.0, likes_with_views=0.05)
    tables, truth = inject_campaigns(two_creators(), order, np.random.default_rng(0))
    assert tables["posts"]["views"].tolist() == [3_000, pd.NA, 5_000, 6_000, 100]
    assert tables["posts"]["likes"].tolist() == [200, 300, pd.NA, 400, 10]
    assert tables["snapshots"]["total_views"].tolist() == [10_000, 16_000, 26_000]
    assert truth.loc["a", "inauthentic_views_share"] == pytest.approx(6_000 / 14_000)
    assert truth.loc["a", ["bought_likes", "bought_views"]].tolist() == [False, True]


def test_a_pod_reacts_within_the_hour():
    tables = two_creators()
    early = tables["posts"].assign(observed_at=tables["posts"]["published_at"] + pd.Timedelta(minutes=30))
    early = early.assign(likes=early["likes"] // 10, comments=early["comments"] // 10)
    tables["posts"] = pd.concat([tables["posts"], early.iloc[:2]], ignore_index=True)
    result, truth = inject_campaigns(
        tables, campaign("engagement_pods", amount=40.0, pod_talk=1.0), np.random.default_rng(0)
    )
    posts = result["posts"]
    assert posts["likes"].tolist() == [140, 240, pd.NA, 340, 10, 30, 40]
    assert posts["comments"].tolist() == [50, 60, 70, 80, 1, 21, 22]
    # only the last observation of a post counts
    assert truth.loc["a", "inauthentic_likes_share"] == pytest.approx(120 / 720)
    assert truth.loc["a", "engagement_pods"]


def test_what_comes_later_than_the_last_observation_does_not_exist():
    late = campaign("bought_likes", started_at=START + 100 * DAY)
    tables, truth = inject_campaigns(two_creators(), late, np.random.default_rng(0))
    pd.testing.assert_frame_equal(tables["posts"], two_creators()["posts"])
    assert not truth["any_manipulation"].any()


def test_followers_leave_at_the_rate_of_the_vendor_and_by_purge():
    order = campaign("bought_followers", amount=1_000.0, retention=0.8, purged_after=40.0, purged=0.5)
    days = np.array([-1.0, 0.0, 0.5, 28.5, 56.5])
    level = bots_following(order, np.zeros(5, dtype=int), START.timestamp() / 86_400 + days)
    assert level.tolist() == [0, 0, 500, 800, 320]


def test_drops_are_refilled_while_guaranteed():
    order = campaign("bought_followers", amount=1_000.0, retention=0.8, refill_days=60.0, refill_delay=2.0)
    days = np.arange(1.0, 200.0)
    level = bots_following(order, np.zeros(days.size, dtype=int), START.timestamp() / 86_400 + days)
    hazard = -np.log(0.8) / 28
    lowest = 1_000 * 0.95 * np.exp(-2 * hazard)
    assert level[days < 60].min() >= np.floor(lowest)
    assert (np.diff(level[days < 60]) > 0).sum() >= 4  # the teeth of the saw
    assert (np.diff(level[days > 61]) <= 0).all()
    assert level[-1] < 500


def test_comments_of_bots_are_written_where_comments_are_collected():
    tables = two_creators()
    tables["comments"] = check_tables(
        tables
        | {
            "comments": pd.DataFrame(
                {
                    "creator_id": ["a"] * 10,
                    "post_id": ["1"] * 10,
                    "comment_id": [str(number) for number in range(10)],
                    "author_id": [f"u{number}" for number in range(10)],
                    "published_at": [START + pd.Timedelta(hours=1)] * 10,
                    "text": ["đẹp quá"] * 10,
                }
            )
        }
    )["comments"]
    result, _ = inject_campaigns(tables, campaign("comment_bots", amount=30.0, accounts=5), np.random.default_rng(0))
    check_tables(result)
    written = result["comments"].iloc[10:]
    # all ten comments of post 1 are in the table, so all thirty bots' are; of the other posts nothing was collected
    assert len(written) == 30
    assert set(written["post_id"]) == {"1"}
    assert written["author_id"].nunique() <= 5
    assert written["published_at"].between(START, START + pd.Timedelta(hours=1)).all()
    assert result["comments"].columns.tolist() == tables["comments"].columns.tolist()
    assert result["posts"]["comments"].tolist() == [40, 50, 60, 70, 1]


def test_rounded_counts_stay_rounded():
    tables = two_creators()
    tables["snapshots"] = tables["snapshots"].assign(followers=pd.array([54_100, 54_300, 54_200], dtype="Int64"))
    tables["creators"] = tables["creators"].assign(followers=pd.array([54_200, 50], dtype="Int64"))
    order = campaign("bought_followers", started_at=START + DAY, amount=777.0)
    result, _ = inject_campaigns(tables, order, np.random.default_rng(0))
    assert result["snapshots"]["followers"].tolist() == [54_100, 55_000, 54_900]
    assert result["creators"]["followers"].tolist() == [54_900, 50]


def test_unknown_creators_are_refused():
    with pytest.raises(ValueError, match="nobody"):
        inject_campaigns(two_creators(), campaign("bought_likes", "nobody"), np.random.default_rng(0))


def test_no_campaigns_change_nothing(organic):
    none = plan_campaigns(organic, draw_vendors(1, np.random.default_rng(0)), np.random.default_rng(0), share=0.0)
    assert none.empty
    result, truth = inject_campaigns(organic, none, np.random.default_rng(0))
    for name, frame in organic.items():
        pd.testing.assert_frame_equal(result[name], frame)
    assert not truth.any(axis=None)


def test_injected_tables_keep_the_contract(injected):
    checked = check_tables(injected[0], now=SIMULATION_AS_OF)
    for name, frame in injected[0].items():
        pd.testing.assert_frame_equal(checked[name], frame)


def test_creators_without_campaigns_stay_as_they_were(organic, campaigns, injected):
    for name, frame in organic.items():
        honest = ~frame["creator_id"].isin(campaigns["creator_id"])
        after = injected[0][name]
        after = after[~after["creator_id"].isin(campaigns["creator_id"])]
        pd.testing.assert_frame_equal(after, frame[honest])


def test_counts_only_grow_and_nothing_else_changes(organic, injected):
    for name, columns in (
        ("posts", ["likes", "comments", "views"]),
        ("snapshots", ["followers", "total_views"]),
        ("creators", ["followers"]),
    ):
        before, after = organic[name], injected[0][name]
        for column in columns:
            assert (after[column].isna() == before[column].isna()).all()
            assert (after[column] >= before[column]).dropna().all()
            assert (after[column] > before[column]).any()
        pd.testing.assert_frame_equal(after.drop(columns=columns), before.drop(columns=columns))


def test_truth_covers_everybody_and_agrees_with_the_plan(organic, campaigns, injected):
    truth = injected[1]
    assert truth.index.tolist() == organic["creators"]["creator_id"].tolist()
    assert list(truth.columns) == [*HEADS, "any_manipulation", *SHARES]
    assert (truth["any_manipulation"] == truth[list(HEADS)].any(axis=1)).all()
    assert truth[SHARES].ge(0).all(axis=None)
    assert truth[SHARES].le(1).all(axis=None)
    for head in HEADS:
        assert truth.index[truth[head]].isin(campaigns.loc[campaigns["head"] == head, "creator_id"]).all()
    assert truth.loc[truth["bought_followers"] & (truth["inauthentic_followers_share"] > 0)].shape[0] > 10
    assert (truth.loc[~truth["any_manipulation"], SHARES] == 0).all(axis=None)


def test_the_true_share_of_likes_is_what_was_added(organic, injected):
    both = organic["posts"].assign(after=injected[0]["posts"]["likes"])
    last = both.sort_values("observed_at", kind="stable").drop_duplicates(["creator_id", "post_id"], keep="last")
    sums = last.groupby("creator_id")[["likes", "after"]].sum().astype("float64")
    sums = sums[sums["after"] > 0]
    share = 1 - sums["likes"] / sums["after"]
    np.testing.assert_allclose(
        injected[1].loc[sums.index, "inauthentic_likes_share"], share, atol=0.01
    )  # rounded counts


def test_the_same_random_numbers_give_the_same_campaigns(organic, campaigns, injected):
    rng = np.random.default_rng(2)
    pd.testing.assert_frame_equal(plan_campaigns(organic, draw_vendors(12, rng), rng), campaigns)
    tables, truth = inject_campaigns(organic, campaigns, np.random.default_rng(3))
    pd.testing.assert_frame_equal(truth, injected[1])
    for name, frame in injected[0].items():
        pd.testing.assert_frame_equal(tables[name], frame)


def test_plan_takes_the_share_it_is_given_and_sizes_from_barely_visible_to_gross(organic, campaigns, injected):
    # a few want only what their tables cannot show
    assert campaigns["creator_id"].nunique() == pytest.approx(0.32 * len(organic["creators"]), rel=0.08)
    assert campaigns["creator_id"].nunique() <= round(0.35 * len(organic["creators"]))
    assert set(campaigns["head"]) == set(HEADS)
    kinds = campaigns.groupby("creator_id")["head"].nunique()
    assert (kinds > 1).mean() > 0.3
    shares = injected[1].loc[injected[1]["bought_followers"], "inauthentic_followers_share"]
    assert shares.quantile(0.1) < 0.10
    assert shares.quantile(0.9) > 0.30


def test_a_kind_is_as_common_where_only_it_can_be_seen(organic):
    """Creators without posts can only buy followers, and as many of them do as of the others."""
    bare = organic | {"posts": organic["posts"].iloc[:0]}
    rng = np.random.default_rng(1)
    vendors = draw_vendors(5, rng)
    rates = []
    for tables in (organic, bare):
        followed = tables["snapshots"].groupby("creator_id")["followers"].count().ge(3).sum()
        buyers = [
            plan_campaigns(tables, vendors, rng, share=0.4).query("head == 'bought_followers'")["creator_id"].nunique()
            for _ in range(3)
        ]
        rates.append(np.mean(buyers) / followed)
    assert rates[0] == pytest.approx(rates[1], abs=0.04)


def test_only_the_kinds_that_are_asked_for_are_bought(organic):
    rng = np.random.default_rng(1)
    planned = plan_campaigns(organic, draw_vendors(5, rng), rng, share=1.0, heads=("bought_views",))
    assert set(planned["head"]) == {"bought_views"}
    assert planned["creator_id"].is_unique


def test_a_campaign_costs_what_its_amount_does(organic):
    rng = np.random.default_rng(1)
    vendors = draw_vendors(3, rng, style="retail")
    planned = plan_campaigns(organic, vendors, rng, share=1.0)
    assert (planned["price"] > 0).all()
    followers = planned[planned["head"] == "bought_followers"].merge(
        pd.DataFrame({"vendor_id": [v.vendor_id for v in vendors], "rate": [v.prices["followers"] for v in vendors],
                      "delivered": [v.delivered for v in vendors]}), on="vendor_id",
    )  # fmt: skip
    expected = followers["amount"] / followers["delivered"] * followers["rate"] / 1_000
    np.testing.assert_allclose(followers["price"], expected, rtol=0.02)


def written(wording, count=400):
    row = {
        "creator_id": "a", "post_id": "p", "language": "vi", "seed": 5, "accounts": 100, "wording": wording,
        "count": count, "first": START, "days": 1.0,
    }  # fmt: skip
    rows = pd.DataFrame([row])
    return comment_rows(rows, np.random.default_rng(0))["text"]


def test_sellers_word_their_comments_each_in_their_way():
    distinct = {wording: written(wording).nunique() for wording in WORDINGS}
    assert distinct["template"] <= 2 * TEMPLATES  # in two languages
    assert distinct["emoji"] < 10
    assert distinct["paraphrase"] > 350
    assert distinct["template"] < distinct["generic"] < distinct["paraphrase"]


def test_sellers_of_a_style_keep_to_its_habits():
    rng = np.random.default_rng(0)
    retail, careful = (draw_vendors(200, rng, style=style) for style in ("retail", "careful"))
    assert max(vendor.delivery_days for vendor in retail) <= 2.5
    assert max(vendor.scatter for vendor in retail) <= 0.25
    assert min(vendor.delivery_days for vendor in careful) >= 14
    assert min(vendor.scatter for vendor in careful) >= 0.25


def test_the_share_is_of_those_who_can_buy(organic):
    """Half of the creators have no post and no snapshot, and nothing to sell to: some 0.4 of the others buy."""
    able = organic["creators"]["creator_id"].iloc[::2]
    tables = {
        name: frame if name == "creators" else frame[frame["creator_id"].isin(able)] for name, frame in organic.items()
    }
    rng = np.random.default_rng(1)
    buyers = set(plan_campaigns(tables, draw_vendors(5, rng), rng, share=0.4)["creator_id"])
    assert buyers <= set(able)
    # a few of them have too few posts or snapshots, or want only what their tables cannot show
    assert len(buyers) == pytest.approx(0.38 * len(able), abs=0.04 * len(able))


def test_nothing_is_planned_on_what_is_missing(organic):
    tables = {
        "creators": organic["creators"][["creator_id", "platform", "followers"]],
        "posts": organic["posts"][["creator_id", "post_id", "published_at", "likes", "comments"]].drop_duplicates(
            ["creator_id", "post_id"]
        ),
    }
    rng = np.random.default_rng(1)
    planned = plan_campaigns(tables, draw_vendors(5, rng), rng)
    assert set(planned["head"]) == {"bought_likes", "comment_bots", "engagement_pods"}
    result, truth = inject_campaigns(tables, planned, rng)
    assert list(result["posts"].columns) == list(tables["posts"].columns)
    assert truth["any_manipulation"].sum() > 0.9 * planned["creator_id"].nunique()


def test_vendors_differ_and_cannot_be_changed():
    vendors = draw_vendors(200, np.random.default_rng(0))
    assert len({vendor.vendor_id for vendor in vendors}) == 200
    assert all(0.7 <= vendor.delivered <= 1 and 0.8 <= vendor.retention <= 0.97 for vendor in vendors)
    assert 0.3 < np.mean([vendor.delivery_days > 2.5 for vendor in vendors]) < 0.6
    with pytest.raises(FrozenInstanceError):
        vendors[0].seed = 1  # type: ignore[misc]
    assert replace(vendors[0], seed=1) != vendors[0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from(HEADS),
    amount=st.floats(1, 5_000),
    start=st.floats(-3, 6),
    retention=st.floats(0.5, 1),
    scatter=st.floats(0, 1),
    seed=st.integers(0, 1_000),
)
def test_any_campaign_adds_whole_numbers_and_true_shares(head, amount, start, retention, scatter, seed):
    before = two_creators()
    order = campaign(head, amount=amount, started_at=START + start * DAY, retention=retention, scatter=scatter)
    after, truth = inject_campaigns(before, order, np.random.default_rng(seed))
    check_tables(after)
    added = (after["posts"]["likes"] - before["posts"]["likes"]).dropna()
    assert (added >= 0).all()
    of_a = after["posts"]["likes"].iloc[:4].sum()
    assert truth.loc["a", "inauthentic_likes_share"] == pytest.approx(added.iloc[:3].sum() / of_a)
    assert not truth.loc["b"].any()
    assert not truth[list(set(HEADS) - {head})].any(axis=None)


def test_real_histories_take_campaigns():
    folder = DATA / "instagram_id2020"
    if not folder.is_dir():
        pytest.skip("real data not there: set REALREACH_DATA to inject campaigns into real histories")
    profiles = pd.read_csv(folder / "creators.csv").drop_duplicates("username")
    posts = pd.read_csv(folder / "posts.csv.gz").drop_duplicates(["username", "dates"])
    posts = posts[posts["username"].isin(profiles["username"])]
    tables = check_tables(
        {
            "creators": pd.DataFrame(
                {"creator_id": profiles["username"], "platform": "instagram", "followers": profiles["followers"]}
            ),
            "posts": pd.DataFrame(
                {
                    "creator_id": posts["username"],
                    "post_id": [str(number) for number in range(len(posts))],
                    "published_at": pd.to_datetime(posts["dates"], unit="s", utc=True),
                    "likes": posts["likes"],
                    "comments": posts["comment_counts"],
                }
            ),
        }
    )
    rng = np.random.default_rng(4)
    planned = plan_campaigns(tables, draw_vendors(10, rng), rng)
    result, truth = inject_campaigns(tables, planned, rng)
    check_tables(result)
    assert set(planned["head"]) <= {"bought_likes", "comment_bots", "engagement_pods"}
    assert truth["bought_likes"].sum() > 20
    honest = ~tables["posts"]["creator_id"].isin(planned["creator_id"])
    pd.testing.assert_frame_equal(result["posts"][honest], tables["posts"][honest])


def test_every_injected_row_is_labelled_and_no_other(organic, injected):
    tables, truth = injected
    labels = label_rows(organic, tables)
    bought = truth.index[truth["any_manipulation"]]
    assert set(labels["creator_id"]) <= set(bought)
    assert set(bought) - set(labels["creator_id"]) == set()
    undone = {name: frame.copy() for name, frame in tables.items()}
    for (table, column), rows in labels[labels["column"] != "text"].groupby(["table", "column"]):
        place = undone[table].columns.get_loc(column)
        undone[table].iloc[rows["row"], place] = rows["organic"].to_numpy(dtype="int64")
    for table, rows in labels[labels["column"] == "text"].groupby("table"):
        undone[table] = undone[table].drop(index=rows["row"])
    for name, frame in organic.items():
        pd.testing.assert_frame_equal(undone[name].reset_index(drop=True), frame.reset_index(drop=True))


def test_labels_of_one_purchase_by_hand():
    tables = two_creators()
    injected, _ = inject_campaigns(tables, campaign("bought_likes", amount=40.0), np.random.default_rng(0))
    labels = label_rows(tables, injected)
    assert set(labels["table"]) == {"posts"}
    assert set(labels["column"]) == {"likes"}
    assert set(labels["creator_id"]) == {"a"}
    assert (labels["published"] - labels["organic"] == 40).all()
