import numpy as np
import pytest

from training.ranking_metrics import by_brand, differences, interval, same_category, summarise

SCORES = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]])
RELEVANT = np.array([[True, False, True, False], [True, False, False, False]])
CATEGORIES = np.array(["beauty", "food"])


def test_figures_worked_out_by_hand() -> None:
    brands = by_brand(SCORES, RELEVANT, CATEGORIES)
    first, second = brands.to_dict("records")
    # places 1 and 3 of four; of four pairs with the two others three are in order
    assert first["auc"] == pytest.approx(3 / 4)
    assert first["map"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert first["mrr"] == 1
    assert first["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3)))
    assert (second["first_rank"], second["mrr"], second["auc"]) == (4, 0.25, 0)
    assert summarise(brands)["median_rank"] == 2.5
    assert summarise(brands)["recall_at_10"] == 1


def test_recall_counts_places_within_the_length() -> None:
    scores = -np.arange(100.0)[None, :]
    relevant = np.zeros((1, 100), dtype=bool)
    relevant[0, [0, 9, 10, 49, 50]] = True
    row = by_brand(scores, relevant, np.array(["x"])).iloc[0]
    assert (row["recall_at_10"], row["recall_at_50"]) == (pytest.approx(2 / 5), pytest.approx(4 / 5))


def test_category_auc_looks_at_creators_of_the_same_category_alone() -> None:
    relevant = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    categories = np.array(["beauty", "beauty", "food"])
    among = same_category(relevant, categories)
    assert among.tolist() == [[True, True, False, False]] * 2 + [[False, False, True, True]]
    scores = np.array([[0.5, 0.1, 0.9, 0.9], [0.9, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    brands = by_brand(scores, relevant, categories)
    assert brands["category_auc"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(brands["category_auc"][2])


def test_ties_gain_nothing() -> None:
    flat, relevant = np.zeros((1, 19)), np.ones((1, 19), dtype=bool)
    relevant[0, 0] = False
    row = by_brand(flat, relevant, np.array(["x"])).iloc[0]
    assert row["auc"] == 0.5
    assert row["ndcg_at_10"] <= 1
    assert row["recall_at_10"] in (9 / 18, 10 / 18)
    assert row["first_rank"] in (1, 2)


def test_brands_without_a_relevant_creator_are_left_out() -> None:
    assert len(by_brand(SCORES, RELEVANT & [[True], [False]], CATEGORIES)) == 1


def test_intervals_hold_the_figure_and_are_repeatable() -> None:
    rng = np.random.default_rng(0)
    relevant = rng.random((30, 60)) < 0.1
    good, poor = relevant + rng.normal(size=relevant.shape), rng.normal(size=relevant.shape)
    categories = np.repeat(["x", "y"], 15)
    mine, theirs = by_brand(good, relevant, categories), by_brand(poor, relevant, categories)
    low, high = interval(mine, draws=100)["auc"]
    assert low < summarise(mine)["auc"] < high
    assert interval(mine, draws=100) == interval(mine, draws=100)
    assert differences(mine, theirs, draws=100)["auc"][0] > 0
    assert differences(mine, mine, draws=100)["auc"] == (0, 0)
