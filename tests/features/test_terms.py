import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.terms import STOP_WORDS, TextIndex, fold, normalise, terms_of, words_of

TEXTS = [
    "Review mỹ phẩm cho da dầu #SkinCare",
    "bún chả, phở, street food Hà Nội",
    "#mypham #lamdep hằng ngày",
    "",
]


@pytest.fixture
def index() -> TextIndex:
    return TextIndex.fit(TEXTS)


def test_words_are_lower_case_composed_and_without_grammar() -> None:
    decomposed = unicodedata.normalize("NFD", "Mỹ Phẩm của tôi and the SERUM_moi #LàmĐẹp 2026")
    assert words_of(decomposed) == ["mỹ", "phẩm", "tôi", "serum", "moi", "làmđẹp", "2026"]


def test_styled_letters_of_bios_become_plain() -> None:
    assert normalise("𝓑𝓮𝓪𝓾𝓽𝔂 Ｖｌｏｇ") == "beauty vlog"


@pytest.mark.parametrize(
    ("word", "plain"), [("đường", "duong"), ("mỹ", "my"), ("crème", "creme"), ("straße", "strasse"), ("serum", "serum")]
)
def test_fold(word: str, plain: str) -> None:
    assert fold(word) == plain


def test_stop_words_are_dropped_as_written_only() -> None:
    assert "của" in STOP_WORDS
    assert words_of("của cua") == ["cua"]


def test_similarity_by_hand() -> None:
    # two texts of one word each: their rows are unit vectors, so a brief of both words is at 45° to each
    assert TextIndex.fit(["serum", "toner"]).match("serum").similarities[0] == pytest.approx(1.0)
    both = TextIndex.fit(["serum", "toner"]).match("serum; toner").similarities
    assert both == pytest.approx([math.sqrt(0.5)] * 2, abs=1e-6)


@pytest.mark.parametrize("brief", ["mỹ phẩm", "my pham", "MY PHAM", "#mypham", "mỹ-phẩm"])
def test_accents_case_and_hashtags_find_each_other(index: TextIndex, brief: str) -> None:
    similarities = index.match(brief).similarities
    assert similarities[0] > 0
    assert similarities[2] > 0
    assert similarities[1] == similarities[3] == 0


def test_typed_accents_fit_better_than_folded_ones(index: TextIndex) -> None:
    assert index.match("mỹ phẩm").similarities[0] > index.match("my pham").similarities[0]


def test_a_short_word_is_not_another_languages_word() -> None:
    assert TextIndex.fit(["my favourite serum", "đồ mỹ"]).match("mỹ").similarities[0] == 0


def test_hashtag_written_together_meets_the_words_apart(index: TextIndex) -> None:
    assert index.match("làm đẹp").words([2]) == [("làm đẹp",)]


def test_matched_words_are_those_of_the_brief_strongest_first(index: TextIndex) -> None:
    match = index.match("serum, my pham, phở")
    assert match.words([0, 1, 3]) == [("my pham",), ("phở",), ()]
    assert index.match("skincare and mỹ phẩm for Hà Nội").words([0], limit=1) == [("mỹ phẩm",)]


@pytest.mark.parametrize(
    ("brief", "missing"),
    [
        ("", "empty_brief"),
        (" \n", "empty_brief"),
        ("của và", "empty_brief"),
        ("!!!", "empty_brief"),
        ("xyzzy", "unknown_words"),
    ],
)
def test_a_brief_that_cannot_be_compared_says_so(index: TextIndex, brief: str, missing: str) -> None:
    match = index.match(brief)
    assert match.missing == missing
    assert match.similarities.shape == (4,)
    assert np.isnan(match.similarities).all()
    assert match.words([0, 1]) == [(), ()]


@pytest.mark.parametrize("texts", [[], ["", "!!"]])
def test_texts_without_a_word(texts: list[str]) -> None:
    match = TextIndex.fit(texts).match("serum")
    assert match.missing == "unknown_words"
    assert len(match.similarities) == len(texts)


def test_a_long_history_does_not_win_by_its_length() -> None:
    index = TextIndex.fit(["serum review", "serum review " + "travel beach food coffee " * 50])
    short, long = index.match("serum review").similarities
    assert short > long > 0


@given(st.text(max_size=60), st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_is_compared_within_bounds(brief: str, texts: list[str]) -> None:
    match = TextIndex.fit(texts).match(brief)
    assert len(match.words(range(len(texts)))) == len(texts)
    if match.missing:
        assert np.isnan(match.similarities).all()
    else:
        assert ((match.similarities >= 0) & (match.similarities <= 1)).all()
        assert match.similarities.max() > 0


@given(st.text(max_size=60))
def test_composition_does_not_matter(text: str) -> None:
    assert terms_of(unicodedata.normalize("NFD", text)) == terms_of(unicodedata.normalize("NFC", text))
