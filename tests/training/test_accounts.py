"""The account model on generated accounts: tables equal trees, any column may be missing, abstention, files."""

import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.accounts import SIGNALS, account_signals
from features.tables import COUNT
from training import accounts as module
from training.account_sets import read_account_sets, simulate_accounts
from training.accounts import (
    AccountConfig,
    AccountModelError,
    bin_signals,
    coverage_risk,
    fit_accounts,
    load_account_model,
    model_card,
    pair_tables,
    score_accounts,
)
from training.benchmark_accounts import COLUMNS, benchmark_accounts, vendor_rule
from training.config import ConfigError, read_settings
from training.metrics import auc

SMALL = AccountConfig(simulated=3000, worlds=8, members=3, trees=60)


@pytest.fixture(scope="module")
def generated():
    return simulate_accounts(SMALL.simulated, SMALL.seed, worlds=SMALL.worlds)


@pytest.fixture(scope="module")
def unseen():
    return simulate_accounts(2000, 99, worlds=8)


@pytest.fixture(scope="module")
def model(generated):
    return fit_accounts([generated], SMALL)


def test_tables_say_what_the_trees_say(unseen):
    bins = bin_signals(account_signals(unseen.accounts.mask(np.random.default_rng(0).random((2000, 14)) < 0.2)))
    x = bins.T.astype(float)
    for column in range(len(SIGNALS)):
        x[x[:, column] == module._width(list(SIGNALS)[column]) - 1, column] = np.nan
    settings = {"objective": "binary", "max_depth": 2, "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(settings | {"boost_from_average": False}, lgb.Dataset(x, unseen.fake), 50)
    total = 0.0
    for (first, second), table in pair_tables(booster).items():
        total = total + table[bins[first], 0 if first == second else bins[second]]
    np.testing.assert_allclose(total, booster.predict(x, raw_score=True), atol=1e-9)
    deep = lgb.train(settings | {"max_depth": 4, "num_leaves": 16}, lgb.Dataset(x, unseen.fake), 5)
    with pytest.raises(ValueError, match="deeper than 2"):
        pair_tables(deep)


def test_unseen_worlds(model, unseen):
    scored = score_accounts(model, unseen.accounts)
    assert list(scored) == ["account_id", "fake_probability", "fake_low", "fake_high", "assessed", "reason"]
    known = scored["assessed"].to_numpy()
    assert known.mean() > 0.98
    own = scored[known]
    assert auc(unseen.fake[known], own["fake_probability"].to_numpy()) > 0.85
    assert own["fake_low"].le(own["fake_probability"]).all()
    assert own["fake_high"].ge(own["fake_probability"]).all()
    assert own["fake_high"].sub(own["fake_low"]).median() > 0.01
    assert scored.loc[~known, "fake_probability"].isna().all()


def test_a_row_alone_scores_as_in_a_batch(model, unseen):
    batch = model.score(unseen.accounts)
    pd.testing.assert_frame_equal(model.score(unseen.accounts.iloc[[1234]]), batch.iloc[[1234]], check_exact=True)


def test_columns_missing_cost_ranking_but_not_scores(model, unseen):
    full = auc(unseen.fake, model.balanced(unseen.accounts))
    for missing in (["following"], ["posts_count"], ["followers"], ["bio_length", "has_picture", "username_digits"]):
        scored = model.score(unseen.accounts.drop(columns=missing))
        assert scored["assessed"].mean() > 0.98
        p = model.balanced(unseen.accounts.drop(columns=missing))
        assert 0.7 < auc(unseen.fake, p) < full + 0.005


def test_a_bare_profile_of_a_mass_follower_is_likelier_fake_than_a_grown_one(model):
    two = pd.DataFrame(
        {
            "followers": [20, 900],
            "following": [3000, 500],
            "posts_count": [0, 250],
            "bio_length": [0, 60],
            "has_picture": [0, 1],
            "username_length": [12, 9],
            "username_digits": [5, 0],
        }
    )
    fake, grown = model.score(two)["fake_probability"]
    assert fake > 0.9
    assert grown < 0.05


def test_abstention_says_why(model):
    rows = pd.DataFrame(
        {
            "followers": pd.array([10, None, 10**10, 10], dtype=COUNT),
            "following": pd.array([20, None, 20, None], dtype=COUNT),
            "posts_count": pd.array([3, 5, 3, 4], dtype=COUNT),
        }
    )
    scored = model.score(rows)
    assert scored["assessed"].tolist() == [True, False, False, True]
    assert scored["reason"][0] == ""
    assert scored["reason"][1] == module.TOO_FEW
    assert scored["reason"][2].startswith("followers is out of range: training saw at most")
    assert scored["fake_probability"].isna().tolist() == [False, True, True, False]
    assert scored["account_id"].isna().all()


def test_another_base_rate_moves_every_probability_the_same_way(model, unseen):
    low, high = (model.score(unseen.accounts, base_rate=rate)["fake_probability"].dropna() for rate in (0.05, 0.5))
    assert (low < high).all()
    assert auc(unseen.fake[low.index], low) == pytest.approx(auc(unseen.fake[high.index], high))


def test_share_of_a_sample_of_unseen_worlds(model, unseen):
    rng = np.random.default_rng(1)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(unseen.fake == value), size) for value, size in ((1, 60), (0, 340))]
    )
    found = model.share(unseen.accounts.iloc[rows], draws=50)
    assert found.low <= 0.15 <= found.high
    assert found.share == pytest.approx(0.15, abs=0.06)


def test_saved_and_loaded_scores_are_equal(model, unseen, tmp_path):
    model.save(tmp_path)
    again = load_account_model(tmp_path)
    pd.testing.assert_frame_equal(again.score(unseen.accounts), model.score(unseen.accounts), check_exact=True)
    assert again.metadata == model.metadata
    assert again.share(unseen.accounts, draws=5) == model.share(unseen.accounts, draws=5)


def test_a_file_for_other_signals_is_refused(model, tmp_path):
    model.save(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    document["signals"].pop("bio_log")
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(AccountModelError, match="other signals"):
        load_account_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(AccountModelError, match="not a readable account model"):
        load_account_model(tmp_path)


def test_training_again_gives_the_same_model(generated, unseen, model):
    again = fit_accounts([generated], SMALL)
    np.testing.assert_array_equal(again.balanced(unseen.accounts), model.balanced(unseen.accounts))


def test_sets_need_names_and_both_classes(generated):
    with pytest.raises(ValueError, match="each with its own name"):
        fit_accounts([generated, generated], SMALL)
    with pytest.raises(ValueError, match="both fakes and people"):
        fit_accounts([generated.take(generated.fake)], SMALL)


def test_coverage_risk_by_hand():
    fake = np.array([True, False, True, False, True])
    curve = coverage_risk(fake, np.array([0.9, 0.2, 0.4, np.nan, 0.8]), (1.0, 0.6))
    assert curve["coverage"].tolist() == [0.8, 0.6]
    assert curve["errors"].tolist() == [0.25, 0.0]
    assert curve["brier"][1] == pytest.approx((0.01 + 0.04 + 0.04) / 3)


def test_settings(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("members = 3\n")
    assert read_settings(AccountConfig, path).members == 3
    path.write_text("members = 1\nother = 2\n")
    with pytest.raises(ConfigError, match=r"own.toml: members.*\n.*other"):
        read_settings(AccountConfig, path)


def test_vendor_rule_by_hand():
    rows = pd.DataFrame({"following": [1501, 10], "posts_count": [3, 40], "has_picture": [0, 1]})
    assert vendor_rule(rows).tolist() == [3, 0]


def test_card_names_data_and_weaknesses(model):
    card = model_card(model)
    assert "Trained on: **simulated**" in card
    assert "Weaknesses" in card


@pytest.mark.slow
def test_benchmark_on_real_sets(real_data):
    table = benchmark_accounts(real_data, SMALL, draws=20)
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    ranking = table[table["metric"] == "auc"].set_index("task")
    assert ranking.loc["instafake 5-fold", "value"] > 0.98
    assert (ranking["value"] > ranking["floor_stump"]).all()
    assert len(read_account_sets(real_data)) >= 2
