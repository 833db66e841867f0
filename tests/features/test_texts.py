"""How texts are folded, cut into words and hashed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.texts import SCRIPTS, Texts, phrase_hashes, read_texts, sequence_hashes, text_hashes, word_runs

WORDS = st.text(min_size=0, max_size=30).map(lambda text: text.encode("utf-8", "ignore").decode())


def _read(*texts: str | None) -> Texts:
    return read_texts(pd.Series(list(texts), dtype="str"))


def _folded(texts: Texts) -> list[str]:
    return ["".join(map(chr, texts.codes[a:b])) for a, b in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Đẹp QUÁÁÁ chị ơi!!! 😍", "dep qua chi oi"),
        ("e\u0301le\u0300ve", "eleve"),  # accents as characters of their own
        ("𝓷𝓲𝓬𝓮 ｐｉｃ", "nice pic"),
        ("n\u200bi\u200dce", "nice"),
        ("cool, good", "col god"),
        ("100 000", "100 000"),
        ("don't", "dont"),
        ("@lan.anh_1 đi @mai, nha", "di nha"),
        ("viết cho a@b nhé", "viet cho a b nhe"),
        ("xem bit.ly/abc và www.x.y/z rồi https://a.b?c=d", "xem va roi"),
        ("shop.com.vn nè", "ne"),
        ("chị ơi.net quá.vn", "chi oi.net qua.vn".replace(".", " ")),
        ("İstanbul ŁÓDŹ Straße", "istanbul lodz strase"),
        ("สวยมาก", "สวยมาก"),
        ("Привет Ёлка", "привет елка"),
        ("𠀀𠀁 中文", "𠀀𠀁 中文"),
        ("😍🔥❤️ ... !!", ""),
        (" \n\t ", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_folding(text: str | None, folded: str) -> None:
    assert _folded(_read(text)) == [folded]
    assert _folded(_read("trước", text, None, "sau"))[1] == folded


def test_what_is_counted() -> None:
    texts = _read("Nice 😍😍?", "@lan", None, "đẹp ơi x.com", "a\u200bb", "@", "❤️")
    assert texts.letters.tolist() == [4, 0, 0, 5, 2, 0, 0]
    assert texts.visible.tolist() == [7, 4, 0, 5, 2, 1, 1]
    assert texts.emoji.tolist() == [2, 0, 0, 0, 0, 0, 1]
    assert texts.word_counts.tolist() == [1, 0, 0, 2, 1, 0, 0]
    assert texts.question.tolist() == [True, False, False, False, False, False, False]
    assert texts.vietnamese.tolist() == [False, False, False, True, False, False, False]
    assert texts.mention.tolist() == [False, True, False, False, False, False, False]
    assert texts.link.tolist() == [False, False, False, True, False, False, False]


def test_writing_systems() -> None:
    texts = [
        "abc đẹp",
        "Привет",
        "Ελληνικά",
        "שלום",
        "سلام",
        "नमस्ते",
        "สวย",
        "中文",
        "すごい",
        "안녕하세요",
        "አማርኛ",
        "12 😍",
    ]
    names = [
        "latin",
        "cyrillic",
        "greek",
        "hebrew",
        "arabic",
        "indic",
        "thai",
        "han",
        "kana",
        "hangul",
        "other",
        "none",
    ]
    counts = _read(*texts).script_counts()
    assert [SCRIPTS[code] for code in counts[:, 1:].argmax(axis=1)[:-1] + 1] == names[:-1]
    assert counts[-1, 1:].sum() == 0


def test_the_same_words_have_the_same_hash() -> None:
    same = text_hashes(
        pd.Series(["Đẹp quá chị ơi", "dep  quaaa chi oi!! 😍", "@lan ĐẸP QUÁ, chị ơi", "đẹp-quá/chị.ơi"])
    )
    assert len(set(same.tolist())) == 1
    assert same[0] != 0
    other = text_hashes(pd.Series(["chị ơi đẹp quá", "đẹp quá chị", "depquachioi", "dep qua chi oi 1"]))
    assert len(set(other.tolist()) | {same[0]}) == 5


def test_too_little_to_hash() -> None:
    texts = pd.Series([None, "", "😍😍😍😍😍😍😍😍😍", "nice pic", "nice pics", "@abcdefghij"], dtype="str")
    assert (text_hashes(texts) != 0).tolist() == [False, False, False, False, True, False]
    assert (text_hashes(texts, least_letters=1) != 0).tolist() == [False, False, False, True, True, False]
    assert text_hashes(texts.iloc[:0]).shape == (0,)


def test_hashes_do_not_collide_on_short_words() -> None:
    letters = "abcdefghijklmnopqrst"
    texts = pd.Series([a + b + c + d for a in letters for b in letters for c in letters for d in letters])
    folded = _folded(read_texts(texts))
    assert len(np.unique(text_hashes(texts, 1))) == len(set(folded))


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(0, 7))
def test_a_text_is_read_alike_alone_and_among_others(texts: list[str], place: int) -> None:
    place = min(place, len(texts) - 1)
    among, alone = _read(*texts), _read(texts[place])
    assert _folded(among)[place] == _folded(alone)[0]
    for name in ("hashes", "letters", "visible", "emoji", "question", "vietnamese", "mention", "link"):
        assert getattr(among, name)[place] == getattr(alone, name)[0]


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = _folded(_read(text))[0]
    assert "  " not in once
    assert once == once.strip()
    assert _folded(_read(once)) == [once]


def test_runs_of_words_are_hashed_like_texts() -> None:
    texts = _read("một hai ba bốn")
    runs = word_runs(texts.words, 2)
    assert runs.tolist() == _read("một hai", "hai ba", "ba bốn").hashes.tolist()
    assert word_runs(texts.words, 5).shape == (0,)
    np.testing.assert_array_equal(sequence_hashes(texts.words, np.array([0, 0, 4])), [0, texts.hashes[0]])


def test_phrases_by_their_number_of_words() -> None:
    listed = phrase_hashes(["đẹp", "đẹp quá", "hay quá", "DEP"])
    assert {length: hashes.size for length, hashes in listed.items()} == {1: 1, 2: 2}
    assert _read("hay quaa!").hashes[0] in listed[2]
