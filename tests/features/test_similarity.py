"""Nearly the same texts: what the estimate promises, against the exact Jaccard index."""

import numpy as np
import pandas as pd
import pytest

from features.similarity import (
    BAND,
    BINS,
    SIMILAR,
    clusters,
    estimated_jaccard,
    shingle_signatures,
    similar_pairs,
)
from features.texts import read_texts


def _signatures(texts: list[str]) -> np.ndarray:
    read = read_texts(pd.Series(texts, dtype="str"))
    return shingle_signatures(read.codes, read.offsets)


def _shingles(text: str) -> set[str]:
    read = read_texts(pd.Series([text]))
    folded = "".join(map(chr, read.codes))
    return {folded[place : place + 3] for place in range(len(folded) - 2)}


def _jaccard(left: str, right: str) -> float:
    a, b = _shingles(left), _shingles(right)
    return len(a & b) / len(a | b)


def _pairs_of_texts(pairs: int, words: int, seed: int) -> tuple[list[str], list[str]]:
    """Random sentences, and the same with some of their words exchanged."""
    rng = np.random.default_rng(seed)
    syllables = np.array([a + b for a in "bcdghklmnprstvx" for b in ("a", "e", "oi", "an", "ung", "y")])
    vocabulary = np.array([first + second for first in syllables for second in syllables[::7]])
    left = [rng.choice(vocabulary, words) for _ in range(pairs)]
    right = [np.where(rng.random(words) < rng.uniform(0, 0.5), rng.choice(vocabulary, words), text) for text in left]
    return [" ".join(text) for text in left], [" ".join(text) for text in right]


def test_a_signature_by_hand() -> None:
    """Four letters are two shingles: two bins filled, or one where they fall together; equal sets, equal signatures."""
    once, twice, none = _signatures(["abcd", "abcd abcd abcd", "ab"])
    filled = once != np.iinfo(np.uint32).max
    assert filled.sum() in (1, 2)
    assert (twice != np.iinfo(np.uint32).max).sum() >= filled.sum()
    assert (none == np.iinfo(np.uint32).max).all()
    same = estimated_jaccard(np.stack([once, none]), np.stack([once, none]))
    assert same.tolist() == [1, 0]


@pytest.mark.parametrize("words", [4, 12, 40])
def test_the_estimate_errs_no_more_than_it_says(words: int) -> None:
    """Standard error at most √(J (1 - J) / BINS), and no bias to speak of."""
    left, right = _pairs_of_texts(1500, words, seed=words)
    exact = np.array([_jaccard(a, b) for a, b in zip(left, right, strict=True)])
    error = estimated_jaccard(_signatures(left), _signatures(right)) - exact
    allowed = np.sqrt(np.mean(exact * (1 - exact)) / BINS)
    assert np.sqrt(np.mean(error**2)) <= 1.05 * allowed
    assert abs(error.mean()) <= 0.01


@pytest.mark.parametrize(("low", "high", "least", "most"), [(0.8, 1.0, 0.97, 1), (0.55, 0.62, 0, 0.1), (0, 0.5, 0, 0)])
def test_pairs_are_found_as_often_as_promised(low: float, high: float, least: float, most: float) -> None:
    left, right = _pairs_of_texts(3000, 10, seed=8)
    exact = np.array([_jaccard(a, b) for a, b in zip(left, right, strict=True)])
    chosen = np.flatnonzero((exact >= low) & (exact < high))
    assert chosen.size > 100
    texts = [text for pick in chosen for text in (left[pick], right[pick])]
    pairs = similar_pairs(_signatures(texts), np.repeat(np.arange(chosen.size), 2))
    assert least <= len(pairs) / chosen.size <= most


def test_bands_share_a_bucket_as_often_as_promised() -> None:
    """Whatever the estimate says: at J = .7, 99 % of pairs are at least looked at."""
    shared = 1 - (1 - SIMILAR**BAND) ** (BINS // BAND)
    assert shared == pytest.approx(0.988, abs=5e-4)


def test_only_texts_of_one_group_are_compared() -> None:
    signatures = _signatures(["theo dõi kênh từ lâu"] * 4)
    assert similar_pairs(signatures, np.array([0, 1, 2, 3])).shape == (0, 2)
    assert {tuple(pair) for pair in similar_pairs(signatures, np.array([0, 1, 0, 1]))} == {(0, 2), (1, 3)}


def test_texts_without_shingles_are_like_nothing() -> None:
    assert similar_pairs(_signatures(["ab", "ab", ""]), np.zeros(3, dtype=np.int64)).shape == (0, 2)
    assert similar_pairs(_signatures([]), np.zeros(0, dtype=np.int64)).shape == (0, 2)


def test_clusters_are_what_is_linked() -> None:
    number = clusters(np.array([[0, 2], [2, 5], [1, 3]]), 6)
    assert number[0] == number[2] == number[5] != number[1] == number[3] != number[4]
    assert clusters(np.zeros((0, 2), dtype=np.int64), 3).tolist() == [0, 1, 2]
