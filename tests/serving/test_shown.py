"""What is kept of creators that were shown: the same as made anew, and never more than so many."""

import numpy as np
import pandas as pd
import pytest

from features.vectors import embed
from serving import shown
from serving.catalogue import Catalogue


def test_what_is_kept_is_what_would_be_made(catalogue: Catalogue) -> None:
    first = catalogue.shown.of([2, 0])
    again = catalogue.shown.of([0, 1, 2])
    assert again[0] is first[1]
    assert [one.record["creator_id"] for one in again] == catalogue.frame["creator_id"].tolist()[:3]
    alone = Catalogue.of(catalogue.frame).shown.of([2])[0]
    assert (alone.terms, alone.sentences.texts, alone.tags.texts) == (
        first[0].terms,
        first[0].sentences.texts,
        first[0].tags.texts,
    )
    np.testing.assert_array_equal(alone.sentences.vectors, catalogue.profiles.lines(alone.sentences.texts))
    lengths = np.linalg.norm(alone.sentences.vectors, axis=1)
    assert np.allclose(lengths[embed(alone.sentences.texts).any(axis=1)], 1.0)


def test_no_more_than_so_many_are_kept(score_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST_KEPT", 2)
    kept = Catalogue.of(score_frame).shown
    assert [one.record["creator_id"] for one in kept.of([0, 1, 2, 3])] == score_frame["creator_id"].tolist()[:4]
    assert list(kept._known) == [2, 3]


def test_sentences_and_tags_are_short_and_few() -> None:
    text = "Hay lắm. " + "Một câu thật dài " * 20 + "! #MyPham #mypham #skin"
    assert all(len(one) <= 111 for one in shown.sentences_of(text))
    assert "Hay lắm." not in shown.sentences_of(text)  # two words say nothing
    assert shown.tags_of(text) == ("#mypham", "#skin")
