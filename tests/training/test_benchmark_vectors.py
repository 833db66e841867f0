"""The benchmark of text vectors: its measures by hand, and what the shipped table has to reach."""

import numpy as np
import pytest

from features.vectors import embed
from training.benchmark_vectors import (
    average_precisions,
    benchmark_vectors,
    captions_per_second,
    first_hits,
    measure,
    random_embedder,
    read_brief_pairs,
    read_signal_pairs,
    tfidf_embedder,
)


def test_first_hits_by_hand() -> None:
    queries = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    answers = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])

    assert first_hits(queries, answers).tolist() == [True, False, True]


def test_a_tie_is_no_hit() -> None:
    assert first_hits(np.zeros((3, 2)), np.zeros((3, 2))).tolist() == [False, False, False]


def test_average_precisions_by_hand() -> None:
    # query 0 ranks 3, 1, 2: its niche is at place 2 and so on; its own answer does not count
    queries = np.array([[1.0], [1.0], [1.0], [1.0]])
    answers = np.array([[9.0], [2.0], [1.0], [3.0]])
    niches = np.array(["a", "a", "b", "b"])

    found = average_precisions(queries, answers, niches)

    assert found.tolist() == pytest.approx([1 / 2, 1, 1 / 2, 1 / 3])


def test_pairs_are_whole() -> None:
    briefs, signals = read_brief_pairs(), read_signal_pairs()

    assert len(briefs.english) == len(briefs.vietnamese) == len(set(briefs.english)) == 70
    assert briefs.asked.sum() == 42
    assert len(signals.english) == len(set(signals.niches)) > 40


def test_the_shipped_table_finds_translations_and_niches_far_above_the_floors() -> None:
    pairs = read_brief_pairs()
    floor = tfidf_embedder([*pairs.english, *pairs.vietnamese])

    table, below = measure(embed, pairs, draws=200), measure(floor, pairs, draws=0)

    assert table["vi_to_en"][0] >= 0.75 > 2 * below["vi_to_en"][0] - 0.1
    assert table["unaccented_to_en"][0] >= 0.65
    assert table["niche_vi_to_en"][1] > below["niche_vi_to_en"][0] + 0.2


def test_random_directions_find_nothing() -> None:
    pairs = read_brief_pairs()

    found = measure(random_embedder(), pairs, draws=0)

    assert found["vi_to_en"][0] < 0.1


def test_thousands_of_captions_a_second() -> None:
    assert captions_per_second(embed, read_brief_pairs().vietnamese, 5000) > 5000


def test_figures_of_every_contender() -> None:
    figures = benchmark_vectors({"table": embed}, draws=50, captions=500)

    assert set(figures["contender"]) == {"table", "tfidf_svd", "random"}
    assert set(figures["texts"]) == {"briefs", "signals"}
    speed = figures["task"] == "captions_per_second"
    shares = figures[~speed]
    assert (figures.loc[speed, "value"] > 0).all()
    assert ((shares["low"] <= shares["value"]) & (shares["value"] <= shares["high"])).all()
