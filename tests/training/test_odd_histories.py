import numpy as np
import pandas as pd
import pytest

from features.tables import check_tables
from training.odd_histories import ODDITIES, strike, strike_some
from training.simulation import simulate_creators


@pytest.fixture(scope="module")
def organic():
    return simulate_creators(120, seed=4)


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_strikes_only_whom_it_says_and_keeps_the_contract(organic, oddity):
    after, struck = strike(organic, oddity, np.random.default_rng(0))
    assert len(struck) > 20
    check_tables(after)
    changed = 0
    for name, frame in organic.items():
        honest = ~frame["creator_id"].isin(struck)
        left = after[name][~after[name]["creator_id"].isin(struck)]
        pd.testing.assert_frame_equal(left.reset_index(drop=True), frame[honest].reset_index(drop=True))
        changed += not after[name].equals(frame)
    assert changed


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_is_a_function_of_its_random_numbers(organic, oddity):
    once, twice = (strike(organic, oddity, np.random.default_rng(5))[0] for _ in range(2))
    for name, frame in once.items():
        pd.testing.assert_frame_equal(frame, twice[name])


def test_what_each_oddity_promises(organic):
    def ratio(oddity, column, statistic):
        after, struck = strike(organic, oddity, np.random.default_rng(1))
        both = [frame["posts"][frame["posts"]["creator_id"].isin(struck)] for frame in (after, organic)]
        new, old = (getattr(part.groupby("creator_id")[column], statistic)().astype("float64") for part in both)
        return (new / old).median()

    assert ratio("viral_hit", "likes", "max") > 1.2
    assert ratio("viral_hit", "likes", "median") == pytest.approx(1, abs=0.05)
    assert ratio("giveaway", "comments", "mean") > 1.05
    assert ratio("paid_ads", "views", "mean") > 1.2
    assert ratio("fan_community", "comments", "median") > 1.2
    assert ratio("hidden_likes", "likes", "count") == pytest.approx(0.4, abs=0.1)
    assert ratio("break_and_comeback", "likes", "count") < 0.95
    assert ratio("small_account", "likes", "sum") < 0.8


@pytest.mark.parametrize("oddity", ["press_mention", "viral_hit", "giveaway"])
def test_followers_come_and_are_what_the_profile_says(organic, oddity):
    after, struck = strike(organic, oddity, np.random.default_rng(2))
    new, old = (
        frame["snapshots"].sort_values("observed_at").groupby("creator_id")["followers"].last().reindex(struck).dropna()
        for frame in (after, organic)
    )
    assert (new >= old).mean() > 0.9
    assert ((new / old).astype("float64").median()) > 1.02
    profile = after["creators"].set_index("creator_id")["followers"]
    before = organic["creators"].set_index("creator_id")["followers"]
    assert (profile.loc[new.index] - before.loc[new.index]).astype("float64").to_numpy() == pytest.approx(
        (new - old).astype("float64").to_numpy()
    )


def test_a_part_of_the_creators_is_struck_and_nobody_is_lost(organic):
    after = strike_some(organic, np.random.default_rng(3), share=0.4)
    check_tables(after)
    assert set(after["creators"]["creator_id"]) == set(organic["creators"]["creator_id"])
    keys = ["creator_id", "post_id", "observed_at"]
    both = organic["posts"].merge(after["posts"], on=keys, suffixes=("", "_after"), how="left")
    differs = (both["likes"] != both["likes_after"]).fillna(True) | (both["comments"] != both["comments_after"]).fillna(
        True
    )
    part = differs.groupby(both["creator_id"]).any().mean()
    assert 0.15 < part < 0.45
