import numpy as np
import pandas as pd
import pytest

from features.sources.columns import import_tables
from features.sources.mappings import read_mapping
from features.tables import TEXT, TIME, Tables, check_tables
from features.texts import read_texts
from features.wording import ENGLISH, languages_of
from training.odd_histories import ODDITIES, strike, strike_some
from training.simulation import SIMULATION_AS_OF, simulate_creators

COUNTS = ("likes", "comments", "views", "shares", "saves")
POST = ["creator_id", "post_id"]
SEEN = [*POST, "observed_at"]


def _comments(posts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Collected comments: half of the counts, eight a post at most, in the days before the post was seen."""
    last = posts.sort_values("observed_at").drop_duplicates(POST, keep="last").reset_index(drop=True)
    row = np.repeat(np.arange(len(last)), np.minimum(last["comments"].fillna(0).to_numpy(dtype=int) // 2, 8))
    under = last.iloc[row].reset_index(drop=True)
    room = (under["observed_at"] - under["published_at"]).dt.total_seconds()
    later = pd.to_timedelta(np.floor(room * rng.random(len(under))), unit="s")
    return pd.DataFrame(
        {
            "creator_id": under["creator_id"],
            "post_id": under["post_id"],
            "comment_id": pd.Series([f"c{number}" for number in range(len(under))], dtype=TEXT),
            "author_id": pd.Series([f"a{number}" for number in rng.integers(0, 20_000, len(under))], dtype=TEXT),
            "published_at": (under["published_at"] + later).astype(TIME),
            "text": pd.Series([f"what a lovely thing this is {number}" for number in range(len(under))], dtype=TEXT),
        }
    )


@pytest.fixture(scope="module")
def organic() -> Tables:
    tables = simulate_creators(160, seed=4)
    half = tables["posts"]["creator_id"].isin(tables["creators"]["creator_id"].iloc[::2])
    return tables | {"comments": _comments(tables["posts"][half], np.random.default_rng(0))}


@pytest.fixture(scope="module")
def odd(organic):
    return {oddity: strike(organic, oddity, np.random.default_rng(1)) for oddity in ODDITIES}


def numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def both(before: pd.DataFrame, after: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return before.merge(after, on=keys, suffixes=("_old", ""), how="inner")


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_strikes_only_whom_it_says_and_keeps_the_contract(organic, odd, oddity):
    after, struck = odd[oddity]
    assert len(struck) > 40
    checked = check_tables(after, now=SIMULATION_AS_OF)
    for name, frame in organic.items():
        assert checked[name].dtypes.equals(frame.dtypes)
        honest = ~frame["creator_id"].isin(struck)
        left = after[name][~after[name]["creator_id"].isin(struck)]
        pd.testing.assert_frame_equal(left.reset_index(drop=True), frame[honest].reset_index(drop=True))
    for creator in struck:
        assert any(
            not after[name][after[name]["creator_id"] == creator]
            .reset_index(drop=True)
            .equals(frame[frame["creator_id"] == creator].reset_index(drop=True))
            for name, frame in organic.items()
        )


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_is_a_function_of_its_random_numbers(organic, odd, oddity):
    again, struck = strike(organic, oddity, np.random.default_rng(1))
    assert struck.equals(odd[oddity][1])
    for name, frame in odd[oddity][0].items():
        pd.testing.assert_frame_equal(frame, again[name])


@pytest.mark.parametrize("oddity", ODDITIES)
def test_posts_seen_again_never_lose_engagement_and_channels_no_views(odd, oddity):
    after, _ = odd[oddity]
    posts = after["posts"].sort_values(SEEN)
    for name in COUNTS:
        assert not (posts.groupby(POST)[name].diff() < 0).any()
    snapshots = after["snapshots"].sort_values(["creator_id", "observed_at"])
    assert not (snapshots.groupby("creator_id")["total_views"].diff() < 0).any()


@pytest.mark.parametrize("oddity", ODDITIES)
def test_no_more_comments_are_collected_than_a_post_counts_and_none_before_it(odd, oddity):
    after, _ = odd[oddity]
    last = after["posts"].sort_values("observed_at").drop_duplicates(POST, keep="last")
    assert after["comments"]["comment_id"].is_unique
    placed = after["comments"].merge(last[[*POST, "published_at", "observed_at", "comments"]], on=POST, how="left")
    assert placed["comments"].notna().all()
    assert (placed.groupby(POST)["text"].transform("size") <= placed["comments"]).all()
    assert (placed["published_at_x"] >= placed["published_at_y"]).all()
    assert (placed["published_at_x"] <= placed["observed_at"]).all()


@pytest.mark.parametrize("oddity", ["viral_hit", "giveaway"])
def test_followers_come_no_sooner_than_what_brings_them(organic, odd, oddity):
    after, _ = odd[oddity]
    posts = both(organic["posts"], after["posts"], SEEN)
    raised = posts[sum((numbers(posts, f"{name}_old") < numbers(posts, name)) for name in COUNTS) > 0]
    begin = raised.groupby("creator_id")["published_at"].min()
    snapshots = both(organic["snapshots"], after["snapshots"], ["creator_id", "observed_at"])
    moved = snapshots[snapshots["followers_old"] != snapshots["followers"]]
    came = moved.groupby("creator_id")["observed_at"].min()
    assert len(came) > 30
    assert (came >= begin.reindex(came.index)).all()


def test_a_hit_is_one_post_beyond_the_others_and_grows_as_posts_do(organic, odd):
    after, struck = odd["viral_hit"]
    posts = both(organic["posts"], after["posts"], SEEN)
    posts = posts[posts["creator_id"].isin(struck)]
    changed = posts[(posts["likes_old"] != posts["likes"]).fillna(False)]
    assert not changed.drop_duplicates(POST)["creator_id"].duplicated().any()
    top = posts.groupby("creator_id")["views"].max() / posts.groupby("creator_id")["views_old"].max()
    assert top.dropna().astype("float64").quantile(0.1) > 1.2
    seen_young = (changed["observed_at"] - changed["published_at"]) < pd.Timedelta("2h")
    young = changed[seen_young & changed["views"].notna()]
    final = changed.groupby("creator_id")["views"].max()
    assert len(young) >= 3
    assert (numbers(young, "views") < 0.7 * numbers(final.reindex(young["creator_id"]).to_frame(), "views")).all()


def test_likes_and_comments_of_a_hit_are_in_the_proportions_of_the_best_posts(organic, odd):
    after, struck = odd["viral_hit"]
    last = after["posts"].sort_values("observed_at").drop_duplicates(POST, keep="last")
    last = last[last["creator_id"].isin(struck) & last["views"].notna()].assign(rate=last["likes"] / last["views"])
    order = last.sort_values("views", ascending=False).groupby("creator_id")
    hit, next_best = order.nth(0).set_index("creator_id"), order.nth([1, 2, 3]).groupby("creator_id")["rate"].median()
    ratio = (hit["rate"] / next_best).dropna().astype("float64")
    assert 0.75 < ratio.median() < 1.35


def test_press_moves_followers_alone_and_part_of_them_may_leave(organic, odd):
    after, struck = odd["press_mention"]
    pd.testing.assert_frame_equal(after["posts"], organic["posts"])
    snapshots = both(organic["snapshots"], after["snapshots"], ["creator_id", "observed_at"])
    snapshots = snapshots[snapshots["creator_id"].isin(struck)].sort_values(["creator_id", "observed_at"])
    gain = snapshots.groupby("creator_id").last()
    won = numbers(gain, "followers") / numbers(gain, "followers_old") - 1
    assert (won >= 0).all()
    assert 0.03 < np.median(won) < 0.4
    before = snapshots.groupby("creator_id").first()
    assert (before["followers_old"] == before["followers"]).all()


def test_the_profile_counts_as_the_snapshots_do(organic, odd):
    after, struck = odd["press_mention"]
    last = after["snapshots"].sort_values("observed_at").groupby("creator_id")["followers"].last()
    own = after["creators"].set_index("creator_id")["followers"].reindex(last.index)
    assert (numbers(own.to_frame(), "followers") / last.to_numpy(dtype=float) - 1).max() < 0.2
    assert np.abs(np.log((own / last).astype("float64").loc[struck])).median() < 0.01


def test_friends_are_called_under_a_giveaway(organic, odd):
    after, struck = odd["giveaway"]
    new = after["comments"].iloc[len(organic["comments"]) :]
    assert len(new) > 100
    assert new["text"].str.startswith("@").mean() > 0.7
    assert new["author_id"].is_unique
    assert set(new["creator_id"]) <= set(struck)


def test_ads_bring_views_and_few_reactions(organic, odd):
    after, _ = odd["paid_ads"]
    posts = both(organic["posts"], after["posts"], SEEN)
    carried = posts[(posts["views"] > posts["views_old"]).fillna(False)].dropna(subset=["likes"])
    views, likes, comments = (
        (numbers(carried, name) / np.maximum(numbers(carried, f"{name}_old"), 1))
        for name in ("views", "likes", "comments")
    )
    assert np.median(views) > 2
    assert 1 < np.median(likes) < 0.7 * np.median(views)
    assert np.median(comments) < 1.3


def test_a_break_leaves_weeks_without_posts_and_flat_growth(organic, odd):
    after, struck = odd["break_and_comeback"]
    old, new = (
        tables["posts"][tables["posts"]["creator_id"].isin(struck)]
        .drop_duplicates(POST)
        .sort_values("published_at")
        .groupby("creator_id")["published_at"]
        for tables in (organic, after)
    )
    longest = new.apply(lambda days: days.diff().max()) / pd.Timedelta("1D")
    assert (longest >= 21).mean() > 0.9
    assert (new.max() == old.max()).mean() > 0.95
    snapshots = both(organic["snapshots"], after["snapshots"], ["creator_id", "observed_at"])
    assert (snapshots["followers"] <= snapshots["followers_old"]).all()
    profiles = both(organic["creators"], after["creators"], ["creator_id"])
    fewer = (profiles["posts_count_old"] - profiles["posts_count"]).where(profiles["creator_id"].isin(struck), 0)
    assert (fewer == (old.size() - new.size()).reindex(profiles["creator_id"]).fillna(0).to_numpy()).all()


def test_likes_are_hidden_from_a_day_on(organic, odd):
    after, struck = odd["hidden_likes"]
    posts = both(organic["posts"], after["posts"], SEEN)
    posts = posts[posts["creator_id"].isin(struck)]
    hidden = posts["likes"].isna() & posts["likes_old"].notna()
    first = posts[hidden].groupby("creator_id")["published_at"].min()
    later = posts["published_at"] >= first.reindex(posts["creator_id"]).to_numpy()
    assert posts.loc[later, "likes"].isna().all()
    assert set(first.index) == set(struck)


def test_fans_come_back_and_read_several_creators_of_a_kind(organic, odd):
    after, _ = odd["fan_community"]
    new = (
        after["comments"]
        .iloc[len(organic["comments"]) :]
        .merge(after["creators"][["creator_id", "platform", "language", "niche"]], on="creator_id")
    )
    read = new.drop_duplicates(["author_id", "creator_id"])
    assert read["author_id"].duplicated(keep=False).mean() > 0.2
    assert len(new.drop_duplicates(["author_id", "platform", "language", "niche"])) == read["author_id"].nunique()
    assert new.duplicated(["author_id", "creator_id"], keep=False).mean() > 0.3
    assert not new.duplicated([*POST, "author_id"]).any()


def test_a_small_account_has_a_nano_accounts_followers_and_reactions(organic, odd):
    after, struck = odd["small_account"]
    profiles = both(organic["creators"], after["creators"], ["creator_id"]).set_index("creator_id").loc[struck]
    assert (profiles["followers"].between(900, 9_500)).all()
    rate = (profiles["followers"] / profiles["followers_old"]).astype("float64")
    posts = both(organic["posts"], after["posts"], SEEN)
    sums = posts[posts["creator_id"].isin(struck)].groupby("creator_id")[["likes", "likes_old"]].sum()
    known = sums["likes_old"] > 2_000
    ratio = (sums["likes"] / sums["likes_old"]).astype("float64")[known]
    assert np.corrcoef(np.log(ratio), np.log(rate.reindex(ratio.index)))[0, 1] > 0.95


def test_captions_and_answers_change_their_language(organic, odd):
    after, _ = odd["language_switch"]
    posts = both(organic["posts"], after["posts"], SEEN)
    changed = posts[posts["caption_old"] != posts["caption"]].drop_duplicates(POST)
    assert changed["caption"].nunique() > 0.6 * len(changed)
    assert not changed["is_sponsored"].any()
    first = changed.groupby("creator_id")["published_at"].min()
    assert (first > posts.groupby("creator_id")["published_at"].min().reindex(first.index)).all()
    english = organic["creators"].query("language == 'en'")["creator_id"]
    told = languages_of(read_texts(changed.loc[changed["creator_id"].isin(english), "caption"]))
    assert (told == ENGLISH).mean() < 0.1
    comments = both(organic["comments"], after["comments"], ["comment_id"])
    assert 0 < (comments["text_old"] != comments["text"]).mean() < 0.6


def test_seasons_rise_and_fall(organic, odd):
    after, struck = odd["seasonal_business"]
    posts = both(organic["posts"], after["posts"], SEEN)
    posts = posts[posts["creator_id"].isin(struck) & (numbers(posts, "likes_old") > 200)]
    wave = np.log((posts["likes"] / posts["likes_old"]).astype("float64"))
    height = wave.groupby(posts["creator_id"]).agg(["min", "max"])
    assert (height["max"] > 0.05).mean() > 0.5
    assert (height["min"] < -0.05).mean() > 0.5
    assert np.exp(0.9) * 1.02 > np.exp(wave.max())
    assert len(after["posts"]) < len(organic["posts"])


def test_nobody_is_struck_whose_tables_cannot_show_it(organic):
    bare = {name: organic[name] for name in ("creators", "posts")}
    bare["posts"] = bare["posts"].drop(columns=["views", "caption", "shares", "saves"])
    for oddity in ("press_mention", "paid_ads", "language_switch"):
        after, struck = strike(bare, oddity, np.random.default_rng(0))
        assert struck.empty
        assert after is bare
    for oddity in ("viral_hit", "giveaway", "fan_community", "small_account"):
        assert len(strike(bare, oddity, np.random.default_rng(0))[1]) > 40


def test_rounded_followers_stay_rounded(organic, odd):
    creators = organic["creators"].set_index("creator_id")
    for oddity in ("viral_hit", "press_mention", "break_and_comeback", "seasonal_business"):
        after, struck = odd[oddity]
        youtube = [creator for creator in struck if creators.loc[creator, "platform"] == "youtube"]
        counts = after["snapshots"].loc[after["snapshots"]["creator_id"].isin(youtube), "followers"].astype(int)
        assert counts.astype(str).str.rstrip("0").str.len().max() <= 3


def test_a_part_of_the_creators_is_struck(organic):
    _, everybody = strike(organic, "viral_hit", np.random.default_rng(3))
    _, struck = strike(organic, "viral_hit", np.random.default_rng(3), share=0.25)
    assert 0.12 < len(struck) / len(everybody) < 0.4


def test_a_part_has_one_oddity_each_and_nobody_is_lost(organic):
    after, oddities = strike_some(organic, np.random.default_rng(3), share=0.4)
    check_tables(after, now=SIMULATION_AS_OF)
    assert set(after["creators"]["creator_id"]) == set(organic["creators"]["creator_id"])
    assert set(oddities.index) == set(organic["creators"]["creator_id"])
    assert set(oddities[oddities != ""]) == set(ODDITIES)
    assert 0.2 < (oddities != "").mean() < 0.4
    posts = organic["posts"].merge(after["posts"], on=SEEN, suffixes=("", "_after"), how="left")
    same = (posts["likes"] == posts["likes_after"]).fillna(False) | posts["likes"].isna()
    changed = (~same).groupby(posts["creator_id"]).any()
    assert 0.1 < changed.mean() < 0.4
    assert not changed[oddities.index[oddities == ""].intersection(changed.index)].any()


@pytest.mark.parametrize(
    ("source", "least"), [("youtube_fr2026", dict.fromkeys(ODDITIES, 100)), ("instagram_id2020", {"giveaway": 300})]
)
def test_real_histories_are_struck_and_keep_the_contract(real_data, source, least):
    if not (real_data / source).is_dir():
        pytest.skip(f"{source} is not among the real data")
    tables, _ = import_tables(read_mapping(source), [real_data / source])
    for oddity, creators in least.items():
        after, struck = strike(tables, oddity, np.random.default_rng(0))
        assert len(struck) >= creators
        check_tables(after)


def test_where_only_comments_were_collected_they_show_giveaways_and_fans(organic):
    posts = organic["posts"].sort_values(["comments", "observed_at"]).drop_duplicates(POST, keep="last")
    posts = posts.dropna(subset=["comments"]).groupby("creator_id").tail(3)
    few = {"creators": organic["creators"], "posts": posts, "comments": _comments(posts, np.random.default_rng(2))}
    for oddity in ("giveaway", "fan_community"):
        after, struck = strike(few, oddity, np.random.default_rng(0))
        assert len(struck) > 15
        assert len(after["comments"]) > len(few["comments"])
