"""Figures of a ranking: of each brand's list of creators, averaged over brands, with intervals over brands.

Every figure takes `scores` and `relevant`, both of shape (brands, creators), and gives one number a brand, NaN where it
is not defined. Equal scores are put in a random order, always the same one, but for the AUC, where they count half.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from training.metrics import DRAWS

#: Lengths of lists that recall and discounted gain are stated for.
SHORT, LONG = 10, 50
METRICS = ("auc", "category_auc", "recall_at_10", "recall_at_50", "ndcg_at_10", "map", "mrr", "median_rank")
LOWER_IS_BETTER = ("median_rank",)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Places, 1 the best; equal scores in a random order that is the same for every brand."""
    chance = np.random.default_rng(0).permutation(scores.shape[1])
    return np.array([rankdata(np.lexsort((chance, -own)).argsort()) for own in scores])


def auc_of(scores: np.ndarray, relevant: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Chance that a relevant creator stands above another of `among`, a brand each; ties count half."""
    values = np.full(len(scores), np.nan)
    for brand, (own, good, counted) in enumerate(zip(scores, relevant, among, strict=True)):
        hits, others = own[good & counted], own[~good & counted]
        if hits.size and others.size:
            places = rankdata(np.concatenate([hits, others]))[: hits.size]
            values[brand] = (places.sum() - hits.size * (hits.size + 1) / 2) / (hits.size * others.size)
    return values


def same_category(relevant: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Creators that belong to each brand's category: a brand of it worked with them; bool, (brands, creators)."""
    alike = (categories[:, None] == categories).astype(np.int64)
    return np.asarray(alike @ relevant.astype(np.int64) > 0)


def by_brand(scores: np.ndarray, relevant: np.ndarray, categories: np.ndarray) -> pd.DataFrame:
    """Every figure of every brand that has a relevant creator.

    Parameters
    ----------
    scores : ndarray of float, shape (brands, creators)
    relevant : ndarray of bool, shape (brands, creators)
    categories : ndarray, shape (brands,)

    Returns
    -------
    DataFrame
        One row a brand; `first_rank` is the place of its first relevant creator, whose median over brands is the
        `median_rank` of `METRICS`.
    """
    relevant = np.asarray(relevant, dtype=bool)
    ranks = _ranks(np.asarray(scores, dtype=np.float64))
    everybody = np.ones_like(relevant)
    rows = []
    for own, good in zip(ranks, relevant, strict=True):
        places = np.sort(own[good])
        if not places.size:
            rows.append(
                dict.fromkeys(("recall_at_10", "recall_at_50", "ndcg_at_10", "map", "mrr", "first_rank"), np.nan)
            )
            continue
        best = np.arange(1, min(SHORT, places.size) + 1)
        gain = (1 / np.log2(places[places <= SHORT] + 1)).sum() / (1 / np.log2(best + 1)).sum()
        rows.append(
            {
                "recall_at_10": (places <= SHORT).mean(),
                "recall_at_50": (places <= LONG).mean(),
                "ndcg_at_10": gain,
                "map": (np.arange(1, places.size + 1) / places).mean(),
                "mrr": 1 / places[0],
                "first_rank": places[0],
            }
        )
    frame = pd.DataFrame(rows)
    frame.insert(0, "auc", auc_of(scores, relevant, everybody))
    frame.insert(1, "category_auc", auc_of(scores, relevant, same_category(relevant, categories)))
    return frame.iloc[np.flatnonzero(relevant.any(axis=1))].reset_index(drop=True)


def summarise(brands: pd.DataFrame) -> dict[str, float]:
    """Figures of `METRICS` over the rows of `by_brand`: means, and the median of the first place."""
    means = brands.mean()
    return {name: float(means[name]) for name in METRICS[:-1]} | {"median_rank": float(brands["first_rank"].median())}


def interval(brands: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % intervals of every figure by resampling brands."""
    rng = np.random.default_rng(seed)
    found = [summarise(brands.iloc[rng.integers(0, len(brands), len(brands))]) for _ in range(draws)]
    low, high = np.nanpercentile([[one[name] for name in METRICS] for one in found], [2.5, 97.5], axis=0)
    return {name: (float(low[place]), float(high[place])) for place, name in enumerate(METRICS)}


def differences(
    brands: pd.DataFrame, others: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of how much better the first is than the second on the same brands."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, len(brands), len(brands)) for _ in range(draws)]
    found = [(summarise(brands.iloc[own]), summarise(others.iloc[own])) for own in rows]
    gaps = [[mine[name] - theirs[name] for name in METRICS] for mine, theirs in found]
    low, high = np.nanpercentile(gaps, [2.5, 97.5], axis=0)
    return {name: (float(low[place]), float(high[place])) for place, name in enumerate(METRICS)}
