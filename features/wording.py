"""What short texts are made of: stock phrases, and the language that letters and common words tell."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from features import phrases
from features.histories import Histories
from features.tables import TEXT
from features.texts import SCRIPTS, Texts, phrase_hashes, positions, read_texts, word_runs

#: Posts whose captions tell a creator's language, how many must, and how many of them must agree.
CAPTIONS, LEAST_CAPTIONS, CAPTIONS_AGREE = 30, 3, 0.6
#: Letters of one writing system that a text's language needs, and their share of all its letters.
TOLD_LETTERS, TOLD_SHARE = 3, 0.6
LATIN, HAN, KANA = (SCRIPTS.index(name) for name in ("latin", "han", "kana"))
#: Languages by number: unknown, the writing systems (Latin: neither Vietnamese nor English by its words), and two.
VIETNAMESE, ENGLISH = len(SCRIPTS), len(SCRIPTS) + 1
_CODES = {
    "cyrillic": "ru uk bg sr mk be kk ky mn tg", "greek": "el", "hebrew": "he iw yi", "arabic": "ar fa ur ps ug",
    "indic": "hi bn ta te mr gu kn ml pa ne si", "thai": "th", "han": "zh", "kana": "ja", "hangul": "ko",
    "other": "lo km my ka hy am bo dv",
    "latin": "fr es pt it de nl id in ms tl fil pl tr ro cs sk hu sv da no nb nn fi hr sl bs et lv lt sq sw ca gl eu is"
    " ga cy mt af la az uz jv su ceb",
}  # fmt: skip
_LANGUAGES = {code: SCRIPTS.index(script) for script, codes in _CODES.items() for code in codes.split()} | {
    "vi": VIETNAMESE,
    "en": ENGLISH,
}


@cache
def _lists() -> dict[str, dict[int, np.ndarray]]:
    """Hashes of the phrases of `features.phrases`, by their number of words."""
    generic = phrases.PRAISE + phrases.PRESENCE + phrases.PROMOTION
    return {
        "generic": phrase_hashes(generic),
        "promotion": phrase_hashes(phrases.PROMOTION),
        "question": phrase_hashes(phrases.QUESTIONS),
        "filler": phrase_hashes(phrases.FILLERS),
        "wish": phrase_hashes(phrases.WISHES),
        "english": phrase_hashes(phrases.ENGLISH_WORDS),
        "vietnamese": phrase_hashes(phrases.VIETNAMESE_WORDS),
    }


def _among(hashes: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Which hashes are listed; a table of their last 16 bits spares most of them the search."""
    maybe = np.zeros(1 << 16, dtype=bool)
    maybe[(listed & np.uint64(0xFFFF)).astype(np.int64)] = True
    candidates = np.flatnonzero(maybe[(hashes & np.uint64(0xFFFF)).astype(np.int64)])
    found = np.zeros(hashes.size, dtype=bool)
    place = np.minimum(np.searchsorted(listed, hashes[candidates]), listed.size - 1)
    found[candidates] = listed[place] == hashes[candidates]
    return found


def covered(words: np.ndarray, text: np.ndarray, listed: Mapping[int, np.ndarray]) -> np.ndarray:
    """Which words stand inside a listed phrase; `text` numbers the text of each word."""
    inside = np.zeros(words.size, dtype=bool)
    for length, hashes in listed.items():
        runs = word_runs(words, length)
        hits = np.flatnonzero(_among(runs, hashes))
        hits = hits[text[hits] == text[hits + length - 1]]
        for place in range(length):
            inside[hits + place] = True
    return inside


def _words_of(texts: Texts, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words of some of the texts, and which of those each is in."""
    words = texts.words[positions(texts.word_offsets[chosen], texts.word_offsets[chosen + 1])]
    return words, np.repeat(np.arange(chosen.size), texts.word_counts[chosen])


def words_in(texts: Texts, name: str, chosen: np.ndarray | None = None) -> np.ndarray:
    """How many words of each text (of those chosen) stand inside phrases of a list, int64 of shape (texts,)."""
    chosen = np.arange(texts.letters.size) if chosen is None else chosen
    words, text = _words_of(texts, chosen)
    return np.bincount(text[covered(words, text, _lists()[name])], minlength=chosen.size)


def is_generic(texts: Texts) -> np.ndarray:
    """Texts of a few words, all inside phrases and fillers, and not fillers alone."""
    few = np.flatnonzero((texts.word_counts > 0) & (texts.word_counts <= phrases.GENERIC_WORDS))
    counts = texts.word_counts[few]
    words, text = _words_of(texts, few)
    praised = covered(words, text, _lists()["generic"])
    inside = praised | covered(words, text, _lists()["filler"])
    generic = np.zeros(texts.letters.size, dtype=bool)
    generic[few] = (np.bincount(text[inside], minlength=few.size) == counts) & (
        np.bincount(text[praised], minlength=few.size) > 0
    )
    return generic


def languages_of(texts: Texts) -> np.ndarray:
    """Language of each text as far as letters and common words tell it.

    Returns
    -------
    ndarray of int64, shape (texts,)
        Position in `features.texts.SCRIPTS` of the writing system, `VIETNAMESE` or `ENGLISH`; 0 where too few letters
        are there or no writing system has most of them (Han beside kana is Japanese). Latin letters are Vietnamese
        where a letter is that no other language uses, or where at least two words and half of all are listed for it;
        English where two and a third are; where both lists claim a text, the longer claim holds.
    """
    counts = texts.script_counts()
    counts[:, 0] = 0
    japanese = counts[:, KANA] > 0
    counts[japanese, KANA] += counts[japanese, HAN]
    counts[japanese, HAN] = 0
    script = np.argmax(counts, axis=1)
    most = counts[np.arange(script.size), script]
    told = (most >= TOLD_LETTERS) & (most >= TOLD_SHARE * counts.sum(axis=1))
    words = texts.word_counts
    vietnamese, english = words_in(texts, "vietnamese"), words_in(texts, "english")
    is_vietnamese = texts.vietnamese | ((vietnamese >= 2) & (2 * vietnamese >= words) & (vietnamese > english))
    is_english = ~is_vietnamese & (english >= 2) & (3 * english >= words) & (english > vietnamese)
    latin = np.where(is_vietnamese, VIETNAMESE, np.where(is_english, ENGLISH, LATIN))
    return np.where(told, np.where(script == LATIN, latin, script), 0)


def _language_by_captions(histories: Histories, creators: np.ndarray) -> np.ndarray:
    """Language that most of each creator's last captions are in, 0 where too few tell or they disagree."""
    posts = histories.posts
    stop = posts.offsets[creators + 1]
    start = np.maximum(posts.offsets[creators], stop - CAPTIONS)
    rows = positions(start, stop)
    language = languages_of(read_texts(posts.texts["caption"].iloc[rows]))
    table = np.bincount(
        np.repeat(np.arange(creators.size), stop - start) * (ENGLISH + 1) + language,
        minlength=creators.size * (ENGLISH + 1),
    ).reshape(-1, ENGLISH + 1)
    told = table[:, 1:].sum(axis=1)
    first = 1 + np.argmax(table[:, 1:], axis=1)
    most = table[np.arange(creators.size), first]
    return np.where((told >= LEAST_CAPTIONS) & (most >= CAPTIONS_AGREE * told), first, 0)


def home_languages(histories: Histories, creators: slice) -> np.ndarray:
    """Language of each creator as their profile says it, or else their captions; 0 where neither tells."""
    home = np.zeros(creators.stop - creators.start, dtype=np.int64)
    if "language" in histories.creators:
        said = histories.creators["language"].iloc[creators].astype(TEXT).str.lower()
        said = said.str.extract(r"^([a-z]+)", expand=False)
        home = said.map(_LANGUAGES).fillna(0).to_numpy(dtype=np.int64)
    unknown = np.flatnonzero(home == 0)
    if unknown.size and "caption" in histories.posts.texts:
        home[unknown] = _language_by_captions(histories, unknown + creators.start)
    return home
