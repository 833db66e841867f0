import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.tables import CONTRACT, PLATFORMS, POST_KINDS, check_tables
from training import norms
from training.captions import BRANDS, LANGUAGES, NICHES, draw_captions, things_of
from training.oddities import ODDITIES, Jumps, jump_rates
from training.rounding import EXACT, KILO, THREE_FIGURES, detect_rounding, round_counts
from training.simulation import LOT, SIMULATION_AS_OF, simulate_creators, simulated_oddities

DATA = Path(os.environ.get("REALREACH_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def world():
    return simulate_creators(1_000, 5)


def last_observations(posts: pd.DataFrame) -> pd.DataFrame:
    return posts.sort_values("observed_at", kind="stable").drop_duplicates(["creator_id", "post_id"], keep="last")


def test_tables_keep_the_contract(world):
    checked = check_tables(world, now=SIMULATION_AS_OF)
    for name, frame in world.items():
        pd.testing.assert_frame_equal(checked[name], frame)
        assert list(frame.columns) == [column for column in CONTRACT[name].columns if column in frame]


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    first, second, other = (simulate_creators(40, seed) for seed in (3, 3, 4))
    for name, frame in first.items():
        pd.testing.assert_frame_equal(frame, second[name])
    assert not set(first["creators"]["creator_id"]) & set(other["creators"]["creator_id"])
    assert first["creators"]["followers"].tolist() != other["creators"]["followers"].tolist()


def test_a_smaller_world_is_the_beginning_of_a_larger_one(world):
    small = simulate_creators(LOT + 7, 5)
    ids = world["creators"]["creator_id"].iloc[: LOT + 7]
    for name, frame in small.items():
        expected = world[name][world[name]["creator_id"].isin(ids)].reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, expected)


def test_nothing_is_published_or_observed_after_as_of():
    as_of = pd.Timestamp("2025-06-15T13:00:00Z")
    tables = simulate_creators(60, 1, as_of=as_of)
    posts = tables["posts"]
    assert posts["observed_at"].max() <= as_of
    assert tables["snapshots"]["observed_at"].max() <= as_of
    assert (posts["published_at"] <= posts["observed_at"]).all()
    assert (as_of - posts["observed_at"].max()) < pd.Timedelta(days=1)


def test_no_profile_can_be_taken_for_a_person(world):
    creators = world["creators"]
    assert creators["handle"].str.endswith(".sim").all()
    assert creators["handle"].is_unique
    assert creators["bio"].str.contains("simulated|mô phỏng|simulasi|simulé").all()


def test_every_platform_tier_niche_and_language_is_there(world):
    creators = world["creators"]
    assert set(creators["platform"]) == set(PLATFORMS)
    assert set(creators["niche"]) == set(NICHES)
    assert set(creators["language"]) == set(LANGUAGES)
    micro = creators["followers"].between(10_000, 99_999).mean()
    assert 0.45 < micro < 0.65
    assert creators["followers"].between(600, 1_050_000).all()


def test_coverage_varies_as_it_does_in_life(world):
    posts = last_observations(world["posts"]).groupby("creator_id").size()
    assert 45 < posts.median() < 75
    assert posts.min() < 10
    assert posts.max() <= 500
    without = 1 - world["creators"]["creator_id"].isin(world["snapshots"]["creator_id"]).mean()
    assert 0.28 < without < 0.42
    assert world["posts"].duplicated(["creator_id", "post_id"]).any()


def test_posts_seen_again_never_lose_engagement(world):
    ordered = world["posts"].sort_values(["creator_id", "post_id", "observed_at"])
    for name in ("likes", "comments", "views"):
        gained = ordered.groupby(["creator_id", "post_id"])[name].diff().dropna()
        assert (gained >= 0).all()
        assert (gained > 0).any()


def test_photos_show_no_views_and_some_likes_are_hidden(world):
    posts = world["posts"]
    visible = posts["kind"].isin(norms.KINDS_WITH_VIEWS)
    assert posts.loc[visible, "views"].notna().all()
    assert posts.loc[~visible, "views"].isna().all()
    assert 0 < posts["likes"].isna().mean() < 0.10


def test_youtube_subscribers_have_three_figures(world):
    creators, snapshots = world["creators"], world["snapshots"]
    youtube = creators.loc[creators["platform"] == "youtube", "creator_id"]
    counts = snapshots.loc[snapshots["creator_id"].isin(youtube), "followers"].astype(int)
    assert counts.astype(str).str.rstrip("0").str.len().max() <= 3


def test_sponsored_posts_name_an_invented_sponsor_and_a_disclosure(world):
    posts = world["posts"]
    assert 0.04 < posts["is_sponsored"].mean() < 0.16
    assert posts.loc[posts["is_sponsored"], "sponsor"].isin(BRANDS).all()
    assert posts.loc[~posts["is_sponsored"], "sponsor"].isna().all()
    sponsored = posts[posts["is_sponsored"]].head(200)
    assert all(sponsor in caption for sponsor, caption in zip(sponsored["sponsor"], sponsored["caption"], strict=True))


def test_captions_tell_the_niche(world):
    posts = world["posts"].merge(world["creators"][["creator_id", "niche", "language"]], on="creator_id")
    beauty = posts.query("niche == 'beauty' and language == 'vi'")["caption"].str.lower()
    gaming = posts.query("niche == 'gaming' and language == 'vi'")["caption"].str.lower()
    assert beauty.str.contains("da|son|kem").mean() > 0.6
    assert gaming.str.contains("game|rank|boss|esports").mean() > 0.6
    assert beauty.str.contains("game|rank").mean() < 0.1


def test_a_caption_is_put_together_from_its_numbers():
    captions = draw_captions(
        np.array([NICHES.index("food"), NICHES.index("food")]),
        np.array([LANGUAGES.index("en"), LANGUAGES.index("en")]),
        np.zeros((2, 6), dtype=np.int64),
        sponsor=np.array([-1, 1]),
        giveaway=np.array([False, True]),
    ).to_pylist()
    assert captions[0].startswith(f"Today I tried {things_of('food', 'en')[0]}, crispy outside and juicy inside.")
    assert captions[1].startswith("GIVEAWAY!")
    assert f"#ad {BRANDS[1]}" in captions[1]


def test_every_niche_has_words_in_every_language():
    group = [(niche, language) for niche in NICHES for language in LANGUAGES]
    things = [thing for niche, language in group for thing in things_of(niche, language)]
    assert all(len(set(things_of(niche, language))) >= 6 for niche, language in group)
    assert all(thing == thing.strip() and thing for thing in things)


def test_oddities_strike_as_often_as_they_say(world):
    odd = simulated_oddities(1_000, 5)
    assert odd.index.tolist() == world["creators"]["creator_id"].tolist()
    for name, probability in ODDITIES.items():
        assert odd[name].mean() == pytest.approx(probability, abs=4 * np.sqrt(probability / 1_000))


def test_hidden_likes_belong_to_the_creators_who_hide_them(world):
    hidden = set(world["posts"].loc[world["posts"]["likes"].isna(), "creator_id"])
    assert hidden <= set(simulated_oddities(1_000, 5).query("hidden_likes").index)


def test_a_jump_comes_and_partly_leaves():
    jumps = Jumps(*(np.array([value]) for value in (0, 10.0, 0.5, 1.0, 0.4)))
    growth = np.exp(np.cumsum(jump_rates(jumps, 2, 400)[0]))
    assert growth[9] == 1
    # after a day 1 - 1/e of half the audience has come, at the end 40 % of it has left
    assert growth[10] == pytest.approx(1 + 0.5 * (1 - np.exp(-1)))
    assert growth[-1] == pytest.approx(1.3)
    assert not jump_rates(jumps, 2, 400)[1].any()


@pytest.mark.parametrize(
    ("count", "rounding", "published"),
    [
        (541_267, KILO, 541_200),
        (9_876, KILO, 9_876),
        (1_449_999, KILO, 1_400_000),
        (115_432, THREE_FIGURES, 115_000),
        (1_000, THREE_FIGURES, 1_000),
        (999, THREE_FIGURES, 999),
        (5_837, THREE_FIGURES, 5_830),
        (541_267, EXACT, 541_267),
    ],
)
def test_counts_are_rounded_as_platforms_publish_them(count, rounding, published):
    assert round_counts(np.array([float(count)]), np.array([rounding]))[0] == published


def test_rounding_is_recognised_from_three_counts():
    counts = np.array([541_200.0, 12_300, 88_100, 115_000, 98_700, 5_830, 12_345, 20_000, 30_000, 12_300, np.nan, 900])
    owner = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert detect_rounding(counts, owner, 4).tolist() == [KILO, THREE_FIGURES, EXACT, EXACT]


def test_norms_are_whole():
    assert len(norms.NORMS) == len(PLATFORMS)
    assert norms.norm("share").sum() == pytest.approx(1)
    assert norms.kind_shares().sum(axis=1) == pytest.approx(1)
    assert norms.kind_shares().shape == (len(PLATFORMS), len(POST_KINDS))
    assert norms.HOURS.sum() == pytest.approx(1, abs=0.01)
    assert norms.WEEKDAYS.sum() == pytest.approx(1, abs=0.001)


def medians(tables, platform: str) -> pd.Series:
    creators = tables["creators"].query("platform == @platform").set_index("creator_id")
    posts = last_observations(tables["posts"])
    posts = posts[posts["creator_id"].isin(creators.index)].dropna(subset=["likes"])
    counts = posts[["likes", "comments", "views"]].astype("float64").set_index(posts["creator_id"])
    counts["log_likes"] = np.log1p(counts["likes"])
    counts = counts[counts.groupby(level=0)["likes"].transform("size") >= 10]
    groups = counts.groupby(level=0)
    followers = creators["followers"].astype("float64")
    return pd.Series(
        {
            "engagement_rate": ((groups["likes"].median() + groups["comments"].median()) / followers).median(),
            "likes_per_view": (counts["likes"] / counts["views"]).groupby(level=0).median().median(),
            "comments_per_like": (groups["comments"].sum() / groups["likes"].sum()).median(),
            "log_likes_sd": groups["log_likes"].std().median(),
            "views_per_follower": (groups["views"].median() / followers).median(),
        }
    )


@pytest.mark.parametrize(
    ("platform", "figure", "low", "high"),
    [
        # Modash .8–1.1 %, HypeAuditor 1.6 %, Italian accounts 3.2 %
        ("instagram", "engagement_rate", 0.010, 0.032),
        # two samples: 2.2 % and 5.2 %
        ("instagram", "comments_per_like", 0.020, 0.052),
        # ordinary users .33, large creators .72
        ("instagram", "log_likes_sd", 0.33, 0.72),
        # Vietnamese videos: median 5.3 %, quartiles 3.3 % and 8.2 %
        ("tiktok", "likes_per_view", 0.038, 0.070),
        ("tiktok", "comments_per_like", 0.007, 0.017),
        # Influencer Hero 1.3 %, Archive 8.7 %
        ("tiktok", "engagement_rate", 0.013, 0.087),
        # French channels: .15–.28 views a subscriber, 2.5 % likes a view, 5.7 % comments a like, sd .75–.95
        ("youtube", "views_per_follower", 0.10, 0.28),
        ("youtube", "likes_per_view", 0.018, 0.035),
        ("youtube", "comments_per_like", 0.030, 0.100),
        ("youtube", "log_likes_sd", 0.65, 1.10),
        # brand pages .06–.15 %, assumed to be higher for creators
        ("facebook", "engagement_rate", 0.0015, 0.015),
    ],
)
def test_figures_lie_where_the_sources_put_them(world, platform, figure, low, high):
    assert low < medians(world, platform)[figure] < high


def test_simulated_youtube_resembles_real_channels(world):
    folder = DATA / "youtube_fr2026"
    if not folder.is_dir():
        pytest.skip("real data not there: set REALREACH_DATA to compare simulated channels with real ones")
    videos = pd.read_csv(folder / "videos.csv.gz").sort_values("snapshot_utc").drop_duplicates("video_id", keep="last")
    videos = videos[videos["view_count"] > 0]
    rate = (videos["like_count"] / videos["view_count"]).groupby(videos["channel_id"]).median()
    spread = np.log1p(videos["view_count"]).groupby(videos["channel_id"]).std()
    posts = last_observations(world["posts"])
    own = posts[posts["creator_id"].isin(world["creators"].query("platform == 'youtube'")["creator_id"])]
    views = own["views"].astype("float64")
    simulated_rate = (own["likes"].astype("float64") / views).groupby(own["creator_id"]).median()
    simulated_spread = np.log1p(views).groupby(own["creator_id"]).std()
    for real, simulated in ((rate, simulated_rate), (spread, simulated_spread)):
        assert 0.6 < simulated.median() / real.median() < 1.6
        # the middle half of each holds much of the other's
        assert real.quantile(0.25) < simulated.quantile(0.75)
        assert simulated.quantile(0.25) < real.quantile(0.75)
