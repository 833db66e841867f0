import math
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.terms import STOP_WORDS, Rarity, fold, normalise, shared_words, terms_of, words_of

TEXTS = [
    "Review mỹ phẩm cho da dầu #SkinCare",
    "bún chả, phở, street food Hà Nội",
    "#mypham #lamdep hằng ngày",
    "",
]


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


def shared(brief: str, texts: list[str], rarity: Rarity, limit: int = 5) -> list[tuple[str, ...]]:
    return shared_words(brief, [Counter(terms_of(text)) for text in texts], rarity, limit)


@pytest.mark.parametrize("brief", ["mỹ phẩm", "my pham", "MY PHAM", "#mypham", "mỹ-phẩm"])
def test_accents_case_and_hashtags_find_each_other(brief: str) -> None:
    found = shared(brief, TEXTS, Rarity.fit(TEXTS))
    assert [bool(words) for words in found] == [True, False, True, False]


def test_a_short_word_is_not_another_languages_word() -> None:
    assert shared("mỹ", ["my favourite serum", "đồ mỹ"], Rarity.fit([])) == [(), ("mỹ",)]


def test_hashtag_written_together_meets_the_words_apart() -> None:
    assert shared("làm đẹp", TEXTS[2:3], Rarity.fit(TEXTS)) == [("làm đẹp",)]


def test_matched_words_are_those_of_the_brief_strongest_first() -> None:
    rarity = Rarity.fit(TEXTS)
    assert shared("serum, my pham, phở", [TEXTS[0], TEXTS[1], TEXTS[3]], rarity) == [("my pham",), ("phở",), ()]
    assert shared("skincare and mỹ phẩm for Hà Nội", TEXTS[:1], rarity, limit=1) == [("mỹ phẩm",)]


def test_a_rare_word_stands_before_a_common_one() -> None:
    rarity = Rarity.fit(["travel food"] * 9 + ["serum travel"])
    assert shared("travel serum", ["travel serum"], rarity) == [("travel serum",)]
    assert shared("travel, then serum", ["serum on my travel"], rarity)[0][0] == "serum"


def test_rarity_by_hand() -> None:
    rarity = Rarity.fit(["serum", "serum toner", "phở"])
    assert rarity.weight("serum") == pytest.approx(math.log(4 / 3) + 1)
    assert rarity.weight("never") == pytest.approx(math.log(4) + 1)


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=4))
def test_any_texts_share_words_of_the_brief_alone(brief: str, texts: list[str]) -> None:
    found = shared(brief, texts, Rarity.fit(texts))
    assert len(found) == len(texts)
    assert {word for words in found for group in words for word in group.split()} <= set(words_of(brief))


@given(st.text(max_size=60))
def test_composition_does_not_matter(text: str) -> None:
    assert terms_of(unicodedata.normalize("NFD", text)) == terms_of(unicodedata.normalize("NFC", text))
