from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from features.fit import Side, SidesError
from training.fit import (
    DELIVERED,
    OTHER,
    SAME_CATEGORY,
    WORKED,
    Decisions,
    FitConfig,
    FitRanker,
    Pairs,
    TooFewPairsError,
    brand_folds,
    fit_ranker,
    grade,
)
from training.ranking_metrics import by_brand, summarise

QUICK = FitConfig(folds=2, repeats=1, trees=30, boosters=1, least_rows=20)


def make_pairs(seed: int = 0, brands: int = 24, each: int = 6) -> Pairs:
    """Brands with a hidden taste; creators that work with a brand share it in one view, the other view is noise."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    taste = rng.normal(size=(brands, 6))
    owner = np.repeat(np.arange(brands), each)
    creators = (taste[owner] + 0.9 * rng.normal(size=(len(owner), 6))) @ turn
    shares = [rng.dirichlet(np.ones(4), size=size) for size in (brands, len(owner))]
    worked = owner == np.arange(brands)[:, None]
    categories = tuple("ab"[int(one)] for one in taste[:, 0] > 0)
    return Pairs(
        Side({"tags": taste, "topics": shares[0]}),
        Side({"tags": creators, "topics": shares[1]}),
        grade(worked, categories),
        categories,
    )


def test_grades_stand_in_order() -> None:
    worked = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    delivered = np.zeros_like(worked)
    delivered[0, 0] = True
    assert OTHER < SAME_CATEGORY < WORKED < DELIVERED
    assert grade(worked, ("beauty", "beauty", "food"), delivered).tolist() == [[3, 1, 0], [1, 2, 0], [0, 0, 2]]
    assert grade(worked, ("", "", ""))[0].tolist() == [2, 0, 0]  # an unknown category is nobody's


def test_no_brand_and_no_creator_stands_on_both_sides_of_a_fold() -> None:
    pairs = make_pairs()
    judged = []
    for seen_briefs, seen_creators, briefs, creators in brand_folds(pairs, 3, 0):
        assert not set(seen_briefs) & set(briefs)
        assert not set(seen_creators) & set(creators)
        assert not pairs.worked[np.ix_(briefs, seen_creators)].any()
        judged += briefs.tolist()
    assert sorted(judged) == list(range(len(pairs.briefs)))


def test_creators_who_worked_with_nobody_are_dealt_to_the_folds() -> None:
    pairs = make_pairs()
    idle = Pairs(pairs.briefs, pairs.creators, np.where(np.arange(144) < 72, pairs.relevance, 0), pairs.categories)
    sizes = [len(creators) for *_, creators in brand_folds(idle, 3, 0)]
    assert min(sizes) >= 24


@pytest.mark.parametrize("together", [True, False])
def test_it_learns_what_the_cosine_cannot_see(together: bool) -> None:
    train, test = make_pairs(0), make_pairs(5)
    ranker = fit_ranker(train, QUICK, together=together)
    scores = ranker.score(test.briefs, test.creators, test.categories)
    plain = np.random.default_rng(0).random(scores.shape)
    categories = np.array(test.categories)
    learnt, floor = (summarise(by_brand(one, test.worked, categories))["auc"] for one in (scores, plain))
    assert floor < 0.6
    assert learnt > 0.8


def test_a_brief_alone_does_not_depend_on_the_others_asked() -> None:
    train, test = make_pairs(0), make_pairs(5)
    ranker = fit_ranker(train, QUICK, together=False)
    first = np.array([0])
    alone = ranker.score(test.briefs.take(first), test.creators, test.categories[:1])
    assert alone[0] == pytest.approx(ranker.score(test.briefs, test.creators, test.categories)[0])


def test_the_same_seed_gives_the_same_ranker_and_saving_keeps_it(tmp_path: Path) -> None:
    train, test = make_pairs(0), make_pairs(5)
    one, again = fit_ranker(train, QUICK), fit_ranker(train, QUICK)
    scores = one.score(test.briefs, test.creators, test.categories)
    assert (scores == again.score(test.briefs, test.creators, test.categories)).all()
    one.save(tmp_path)
    loaded = FitRanker.load(tmp_path)
    assert loaded.signals == one.signals
    assert (loaded.score(test.briefs, test.creators, test.categories) == scores).all()
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".txt", ".json", ".npz")]


def test_extra_signals_are_read_and_may_be_missing() -> None:
    pairs = make_pairs(0)
    told = Pairs(pairs.briefs, pairs.creators, pairs.relevance, pairs.categories, {"told": pairs.worked.astype(float)})
    ranker = fit_ranker(told, QUICK)
    test = make_pairs(5)
    knowing = ranker.score(test.briefs, test.creators, test.categories, {"told": test.worked.astype(float)})
    assert summarise(by_brand(knowing, test.worked, np.array(test.categories)))["auc"] > 0.95
    assert np.isfinite(ranker.score(test.briefs, test.creators, test.categories)).all()


def test_too_few_brands_and_foreign_views_are_refused() -> None:
    pairs = make_pairs(0)
    few = pairs.take(np.arange(3), np.arange(18))
    with pytest.raises(TooFewPairsError, match="3 brands with a collaboration: at least 4"):
        fit_ranker(few, QUICK)
    ranker = fit_ranker(pairs, QUICK)
    with pytest.raises(SidesError):
        ranker.score(Side({"tags": np.zeros((1, 6))}), Side({"tags": np.zeros((2, 6))}))


def test_a_category_never_seen_says_nothing() -> None:
    pairs, test = make_pairs(0), make_pairs(5)
    affinity = fit_ranker(pairs, QUICK).affinity
    unknown = affinity.similarities(test.briefs, test.creators, ["never seen"] * len(test.briefs))["category"]
    assert np.ptp(unknown) == pytest.approx(0, abs=1e-12)
    known = affinity.similarities(test.briefs, test.creators, test.categories)["category"]
    assert known[test.worked].mean() > known.mean()


def decide(pairs: Pairs, place: np.ndarray, seed: int) -> Decisions:
    """Analysts look at the first three of a list, then at fewer and fewer, and want who suits the brand."""
    rng = np.random.default_rng(seed)
    rows = []
    for brief in range(len(pairs.briefs)):
        shown = rng.choice(place.shape[1], 60, replace=False)
        shown = shown[np.argsort(-place[brief, shown])]
        for position, creator in enumerate(shown, 1):
            looked = rng.random() < min(1, 3 / position)
            rows.append(
                (brief, creator, looked and rng.random() < (0.9 if pairs.worked[brief, creator] else 0.2), position)
            )
    briefs, creators, wanted, positions = zip(*rows, strict=True)
    return Decisions(np.array(briefs), np.array(creators), np.array(wanted, dtype=bool), np.array(positions))


def test_a_place_in_the_list_is_taken_out_of_what_decisions_teach() -> None:
    config = QUICK.model_copy(update={"trees": 60})
    pairs, others = make_pairs(0, brands=40), make_pairs(100, brands=40)
    place, elsewhere = (
        np.random.default_rng(seed).random(one.relevance.shape) for seed, one in ((0, pairs), (1, others))
    )
    pairs = replace(pairs, extras={"shown_before": place})
    decisions = decide(pairs, place, 0)

    def follows(given: Decisions) -> float:
        """How much the ranker repeats the order of the lists that were shown."""
        ranker = fit_ranker(pairs, config, given, objectives=["lambdarank"])
        scores = ranker.score(others.briefs, others.creators, others.categories, {"shown_before": elsewhere})
        return float(np.mean([spearmanr(own, order)[0] for own, order in zip(scores, elsewhere, strict=True)]))

    blind = replace(decisions, positions=np.zeros_like(decisions.positions))
    assert follows(decisions) < 0.7 * follows(blind)


def test_decisions_of_nobody_change_nothing() -> None:
    pairs = make_pairs()
    plain, given = fit_ranker(pairs, QUICK), fit_ranker(pairs, QUICK, Decisions.none())
    assert np.array_equal(
        plain.score(pairs.briefs, pairs.creators, pairs.categories),
        given.score(pairs.briefs, pairs.creators, pairs.categories),
    )
