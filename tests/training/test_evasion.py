import numpy as np
import pytest

from training import evasion
from training.evasion import FOLLOWERS, LIFT, NAIVE, benchmark_evasion, buy, draw_strategy, step_from
from training.simulation import simulate_creators


@pytest.fixture(scope="module")
def organic():
    return simulate_creators(80, seed=14)


def test_an_attacker_gets_what_he_wants_and_pays_for_it(organic):
    followers = buy(organic, "bought_followers", NAIVE, np.random.default_rng(0))
    assert (followers.groupby("creator_id")["amount"].sum() == FOLLOWERS).all()
    # 10,000 at the middle of $3 to $8 for 1,000
    assert followers["price"].median() == pytest.approx(10 * np.sqrt(3 * 8), rel=0.01)
    likes = buy(organic, "bought_likes", NAIVE, np.random.default_rng(0))
    usual = organic["posts"].groupby("creator_id")["likes"].median().reindex(likes["creator_id"]).astype("float64")
    np.testing.assert_array_equal(likes["amount"], np.maximum(np.ceil(LIFT * usual.to_numpy()), 1))


def test_care_costs_more(organic):
    rng = np.random.default_rng(0)
    cheap, careful = (
        buy(organic, "bought_followers", strategy, rng)["price"].median()
        for strategy in (NAIVE, evasion.replace(NAIVE, quality=True, days=30.0))
    )
    assert careful > 2 * cheap


def test_a_step_changes_two_choices_at_most():
    rng = np.random.default_rng(3)
    start = draw_strategy(rng)
    for _ in range(20):
        other = step_from(start, rng)
        differing = [name for name in vars(start) if getattr(start, name) != getattr(other, name)]
        assert len(differing) <= 2


def test_every_head_is_attacked_with_and_without_constraints(small_config, monkeypatch):
    monkeypatch.setattr(evasion, "DRAWN", 3)
    monkeypatch.setattr(evasion, "STEPS", 1)
    config = small_config.model_copy(
        update={
            "data": small_config.data.model_copy(update={"creators": 400}),
            "model": small_config.model.model_copy(update={"members": 2, "trees": 20}),
        }
    )
    said = []
    figures = benchmark_evasion(config, progress=said.append).figures
    assert set(figures["monotone"]) == {"yes", "no"}
    assert figures.groupby("monotone")["head"].nunique().min() >= 4
    assert figures["naive_recall"].between(0, 1).all()
    assert (figures["lowest_recall"] <= 1).all()
    assert len(said) == len(figures)
