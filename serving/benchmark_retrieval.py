"""How long the first hundred of a large catalogue take, beside one bare product of the same matrix with one vector.

Vectors and authenticity are random. The parts are timed with a random mask of those who pass the filters, which is
there already; the whole is `shortlist` itself, from the words of a brief to the reasons of the first hundred, over
made creators with these vectors, two lines of text each, platforms and tiers to filter by.
"""

import resource
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from features.profiles import ProfileSpace
from features.tables import PLATFORMS, TIERS
from features.taxonomy import read_taxonomy
from features.vectors import quantise
from serving.briefs import Brief
from serving.catalogue import COUNT, FLAG, SCORE_COLUMNS, TEXT, TIME, Catalogue
from serving.ranking import order, rank, read, shortlist

CREATORS, DIMENSIONS, WANTED, REPEATS = 1_000_000, 256, 100, 7
#: Part of the creators that pass the filters.
PASSING = 0.3
#: Names of the way a request goes.
RANKED = "the brief read, filtered, first 100 in both stages"
WHOLE = "the whole shortlist, with reasons of 100"
#: A brief with filters in its words.
BRIEF = "Micro influencers on Instagram or TikTok who review skin care and sunscreen for oily skin"


def _medians(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each, in turns, so that a slow moment of the machine hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(1000 * (time.perf_counter() - start))
    return taken


def made_catalogue(vectors: np.ndarray, authenticity: np.ndarray, seed: int = 0) -> Catalogue:
    """Creators with given vectors: what a ranking reads of them is drawn at random, the rest is empty."""
    rng = np.random.default_rng(seed)
    count = len(vectors)
    niches = [niche.english for niche in read_taxonomy().values()]
    texts = pd.Series([f"{one}: my {two} diary\nnew video about {one} every week" for one in niches for two in niches])
    drawn: dict[str, Any] = {
        "creator_id": [f"c{number:07d}" for number in range(count)],
        "platform": np.array(PLATFORMS, dtype=object)[rng.integers(len(PLATFORMS), size=count)],
        "tier": np.array(TIERS, dtype=object)[rng.integers(len(TIERS), size=count)],
        "followers": rng.integers(1_000, 1_000_000, count),
        "authenticity": authenticity,
        "base_authenticity": 0.65,
        "profile_text": texts.to_numpy()[rng.integers(len(texts), size=count)],
        "sponsored_share": rng.random(count),
        "mentions": "[]",
        "evidence": "[]",
        "model_data": "simulated",
        "registry_hash": "made",
        "coverage_posts": 10,
        "coverage_days": 10,
        "as_of": pd.Timestamp("2026-01-01", tz="UTC"),
    }
    empty = {name: None if kind in (COUNT, FLAG, TEXT, TIME) else np.nan for name, kind in SCORE_COLUMNS.items()}
    frame = pd.DataFrame(empty | drawn, index=range(count))
    catalogue = Catalogue(frame.astype({name: "str" for name, kind in SCORE_COLUMNS.items() if kind == TEXT}))
    # the made texts are few: their own vectors would be as few
    catalogue.__dict__["profiles"] = ProfileSpace(vectors, ProfileSpace.fit(texts).means)
    catalogue.prepare()
    return catalogue


def benchmark_retrieval(creators: int = CREATORS, *, repeats: int = REPEATS, seed: int = 0) -> pd.DataFrame:
    """Time retrieval, filters and ranking of the first `WANTED`, and what smaller numbers would give.

    Returns
    -------
    DataFrame
        One row a way: `way`, `milliseconds` (median), `least`, `most`, `times_bare`, `recall_at_100` against float32,
        and `megabytes` of its vectors; the last row is the most memory the process held.
    """
    rng = np.random.default_rng(seed)
    vectors = np.empty((creators, DIMENSIONS), dtype=np.float32)
    for start in range(0, creators, 100_000):
        block = rng.standard_normal((min(100_000, creators - start), DIMENSIONS), dtype=np.float32)
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    query = rng.standard_normal(DIMENSIONS)
    query /= np.linalg.norm(query)
    authenticity = rng.random(creators)
    mask = rng.random(creators) < PASSING
    space = ProfileSpace(vectors, {})
    half = vectors.astype(np.float16)
    small, scales = quantise(vectors)
    narrow = query.astype(np.float32)

    def ranked(similarities: np.ndarray) -> np.ndarray:
        candidates = np.flatnonzero(mask)
        return candidates[order(similarities[candidates], authenticity[candidates], WANTED)]

    def of_half() -> np.ndarray:
        return np.clip(_by_blocks(half, narrow), 0, 1)

    def of_small() -> np.ndarray:
        return np.clip(_by_blocks(small, narrow) * scales, 0, 1)

    catalogue = made_catalogue(vectors, authenticity, seed)
    brief = Brief(text=BRIEF, k=WANTED)

    def whole() -> np.ndarray:
        return shortlist(catalogue, brief).frame["creator_id"].to_numpy()

    ways: dict[str, Callable[[], Any]] = {
        "bare product, float32": lambda: vectors @ narrow,
        "retrieval, filters, first 100: float32": lambda: ranked(space.products(query)),
        RANKED: lambda: rank(catalogue, read(catalogue, brief)),
        WHOLE: whole,
        "the same with float16": lambda: ranked(of_half()),
        "the same with int8": lambda: ranked(of_small()),
    }
    taken = _medians(ways, repeats)
    exact = set(ranked(space.products(query)).tolist())
    bare = float(np.median(taken["bare product, float32"]))
    sizes = (*[vectors.nbytes] * 4, half.nbytes, small.nbytes + scales.nbytes)
    rows = []
    for (name, run), size in zip(ways.items(), sizes, strict=True):
        found = (
            np.nan
            if name.startswith("bare") or name in (RANKED, WHOLE)
            else len(exact & set(run().tolist())) / len(exact)
        )
        median = float(np.median(taken[name]))
        rows.append(
            {"way": name, "milliseconds": median, "least": min(taken[name]), "most": max(taken[name])}
            | {"times_bare": median / bare, "recall_at_100": found, "megabytes": size / 2**20}
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append({"way": "most memory of the process, all ways at once", "megabytes": peak})
    return pd.DataFrame(rows)


def _by_blocks(vectors: np.ndarray, query: np.ndarray, rows: int = 50_000) -> np.ndarray:
    """Product of small numbers with a vector: BLAS knows float32 only, so blocks are widened one by one."""
    parts = [vectors[start : start + rows].astype(np.float32) @ query for start in range(0, len(vectors), rows)]
    return np.concatenate(parts)
