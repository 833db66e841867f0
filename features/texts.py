"""Short texts of many people as flat arrays: folded letters, words, their writing, and hashes.

The texts of a chunk are decoded once into one array of code points; everything else is a table lookup or a reduction
over that array, so that no Python code runs for a single text. Folding takes away what is varied to look different:
case, accents, mathematical and full-width letters, invisible characters, punctuation, emoji, repeated letters, mentions
and links. Vietnamese loses its diacritics ("đẹp quá" and "dep qua" are one), which is how much of it is typed.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

SPACE = 32
#: Code points are looked up in tables up to here; what lies above is ideographs, tags and private use.
TABLE = 0x20000
#: From here on, characters are invisible: tags of flags, choices of glyph, private use.
_TAGS = 0xE0000
#: What one character may be.
LETTER, DIGIT, EMOJI, BLANK, QUESTION, HANDLE, VIETNAMESE = 1, 2, 4, 8, 16, 32, 64
#: Writing systems that a comment's language can be told by; 0 is none.
SCRIPTS = (
    "none", "latin", "cyrillic", "greek", "hebrew", "arabic", "indic", "thai", "han", "kana", "hangul", "other",
)  # fmt: skip
_SCRIPT_STARTS = (
    (0x41, "latin"), (0x0370, "greek"), (0x0400, "cyrillic"), (0x0530, "other"), (0x0590, "hebrew"),
    (0x0600, "arabic"), (0x0780, "other"), (0x08A0, "arabic"), (0x0900, "indic"), (0x0E00, "thai"), (0x0E80, "other"),
    (0x1100, "hangul"), (0x1200, "other"), (0x1C80, "cyrillic"), (0x1C90, "other"), (0x1D00, "latin"),
    (0x1F00, "greek"), (0x2000, "none"), (0x2C00, "other"), (0x2C60, "latin"), (0x2C80, "other"), (0x2E00, "none"),
    (0x2E80, "han"), (0x3000, "none"), (0x3005, "han"), (0x3008, "none"), (0x3041, "kana"), (0x3100, "han"),
    (0x3130, "hangul"), (0x3190, "han"), (0x31F0, "kana"), (0x3200, "none"), (0x3400, "han"), (0xA000, "other"),
    (0xA640, "cyrillic"), (0xA6A0, "other"), (0xA720, "latin"), (0xA800, "other"), (0xAC00, "hangul"),
    (0xD800, "none"), (0xF900, "han"), (0xFB00, "latin"), (0xFB13, "other"), (0xFB1D, "hebrew"), (0xFB50, "arabic"),
    (0xFE00, "none"), (0xFE70, "arabic"), (0xFF00, "none"), (0xFF66, "kana"), (0xFFA0, "hangul"), (0xFFE0, "none"),
    (0x10000, "other"), (0x1F000, "none"),
)  # fmt: skip
#: Blocks of emoji and pictographs, of the Unicode charts; spelled out because `unicodedata` knows more every year.
_EMOJI = (
    (0x203C, 0x203D), (0x2049, 0x204A), (0x20E3, 0x20E4), (0x2190, 0x2200), (0x2300, 0x2400), (0x25A0, 0x27C0),
    (0x2900, 0x2980), (0x2B00, 0x2C00), (0x3030, 0x3031), (0x303D, 0x303E), (0x3297, 0x3298), (0x3299, 0x329A),
    (0x1F000, 0x1FB00),
)  # fmt: skip
#: Accents and marks that are written over letters or choose how an emoji is drawn; vowel signs are letters.
_MARKS = ((0x0300, 0x0370), (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0xFE00, 0xFE10), (0xFE20, 0xFE30))
_APOSTROPHES = "'’ʼ`´"
_WITHOUT_DECOMPOSITION = {"đ": "d", "ð": "d", "ł": "l", "ø": "o", "ı": "i", "ß": "s", "æ": "a", "œ": "o", "ħ": "h"}
#: Letters that Vietnamese alone uses, but for accents that it shares with its neighbours' spellings.
_VIETNAMESE_LETTERS = "ơớờởỡợưứừửữựạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộụủỳỵỷỹ"
#: Links, with or without their protocol. Endings that are words of a language ("ơi.net", "đẹp quá.vn") need a path.
LINK = (
    r"(?i)(?:https?://|www\.)\S+"
    r"|\b[a-z0-9-]+\.(?:com|org|xyz)(?:\.vn)?\b(?:/\S*)?"
    r"|\b[a-z0-9-]+\.(?:net|vn|io|me|ly|gl|gg|ru|co|link|info|app|shop|store|site|online|club|top|bio|ee)/\S+"
)

_LETTER_STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD_STEP = np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Tables:
    """What is known of every code point: `folded` (0 invisible, 32 between words), `kinds` and `scripts`."""

    folded: np.ndarray
    kinds: np.ndarray
    scripts: np.ndarray


def _letter_of(character: str) -> str:
    """Small letter without accents, or the small letter itself where taking it apart gives several."""
    small = character.lower()[:1]
    bare = [part for part in unicodedata.normalize("NFKD", small) if not unicodedata.combining(part)]
    if len(bare) == 1:
        small = bare[0].lower()[:1]
    return _WITHOUT_DECOMPOSITION.get(small, small)


@cache
def _tables() -> Tables:
    """Tables by code point, made on first use (about a tenth of a second)."""
    folded = np.full(TABLE + 1, SPACE, dtype=np.uint32)
    kinds = np.zeros(TABLE + 1, dtype=np.uint8)
    for code in (*range(0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x12000), *range(0x1D400, 0x1D800)):
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] in "LM":
            folded[code], kinds[code] = ord(_letter_of(character)), LETTER | HANDLE
        elif category[0] == "N":
            folded[code], kinds[code] = ord(_letter_of(character)), DIGIT | HANDLE
        elif category in ("Zs", "Zl", "Zp", "Cc"):
            kinds[code] = BLANK
        elif category == "Cf":
            folded[code], kinds[code] = 0, BLANK
    for start, stop in ((0x3400, 0xA000), (0xAC00, 0xD7A4)):
        folded[start:stop], kinds[start:stop] = np.arange(start, stop), LETTER | HANDLE
    for start, stop in _EMOJI:
        folded[start:stop], kinds[start:stop] = SPACE, EMOJI
    for start, stop in _MARKS:
        folded[start:stop], kinds[start:stop] = 0, BLANK
    folded[[ord(character) for character in _APOSTROPHES]] = 0
    kinds[[ord(character) for character in "._-"]] |= HANDLE
    kinds[[ord(character) for character in "?？؟"]] |= QUESTION
    kinds[[ord(character) for character in _VIETNAMESE_LETTERS + _VIETNAMESE_LETTERS.upper()]] |= VIETNAMESE
    starts = [start for start, _ in _SCRIPT_STARTS]
    names = np.array([SCRIPTS.index("none"), *(SCRIPTS.index(name) for _, name in _SCRIPT_STARTS)], dtype=np.uint8)
    scripts = names[np.searchsorted(starts, np.arange(TABLE + 1), side="right")]
    scripts[TABLE] = SCRIPTS.index("han")
    return Tables(folded, kinds, scripts)


def mixed(values: np.ndarray) -> np.ndarray:
    """Scatter uint64 values over all 64 bits: the finaliser of MurmurHash3 (Appleby, public domain)."""
    x = values ^ (values >> np.uint64(33))
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x


def _powers(step: np.uint64, count: int) -> np.ndarray:
    """Powers 0 to count - 1 of `step`, modulo 2**64."""
    factors = np.full(max(count, 1), step, dtype=np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


def sums_of(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Sums of values[start:stop] for each pair; exact for integers, wrapping around in uint64."""
    total = np.concatenate([np.zeros(1, dtype=values.dtype), np.cumsum(values, dtype=values.dtype)])
    return total[stops] - total[starts]


@dataclass(frozen=True)
class Texts:
    """Texts laid out flat.

    Attributes
    ----------
    offsets, codes : ndarray of int64 (texts + 1,), ndarray of uint32
        Folded characters of text i, words with one space between them, are codes[offsets[i]:offsets[i + 1]].
    word_offsets, words : ndarray of int64 (texts + 1,), ndarray of uint64
        Hashes of its words.
    hashes : ndarray of uint64 (texts,)
        Hash of its words in their order, 0 where it has none.
    letters : ndarray of int64 (texts,)
        Folded letters and digits.
    visible, emoji : ndarray of int64 (texts,)
        Characters that are not blank or invisible, and emoji, as written.
    question, vietnamese, mention, link : ndarray of bool (texts,)
        Whether it has a question mark, a letter that only Vietnamese uses, a mention, a link.
    """

    offsets: np.ndarray
    codes: np.ndarray
    word_offsets: np.ndarray
    words: np.ndarray
    hashes: np.ndarray
    letters: np.ndarray
    visible: np.ndarray
    emoji: np.ndarray
    question: np.ndarray
    vietnamese: np.ndarray
    mention: np.ndarray
    link: np.ndarray

    @property
    def word_counts(self) -> np.ndarray:
        """Words of each text, shape (texts,)."""
        return np.diff(self.word_offsets)

    def script_counts(self, texts: np.ndarray | None = None) -> np.ndarray:
        """Folded letters of each writing system in some or all texts, int64 of shape (texts, len(SCRIPTS))."""
        codes, offsets = (self.codes, self.offsets) if texts is None else self.take(texts)
        scripts = _tables().scripts[np.minimum(codes, TABLE)]
        rows = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
        counts = np.bincount(rows * len(SCRIPTS) + scripts, minlength=(offsets.size - 1) * len(SCRIPTS))
        return counts.reshape(-1, len(SCRIPTS))

    def take(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Folded characters of some of the texts, uint32, and their offsets, int64 of shape (taken + 1,)."""
        starts, stops = self.offsets[texts], self.offsets[texts + 1]
        return self.codes[positions(starts, stops)], np.concatenate([[0], np.cumsum(stops - starts)])


def _arrow(texts: pd.Series) -> pa.Array:
    array = pa.array(texts, type=pa.large_string(), from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pc.fill_null(array, "")


def code_points(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Code points of all texts, uint32, and where each text begins and the last ends, int64 of shape (texts + 1,)."""
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return np.zeros(0, dtype=np.uint32), np.zeros(len(array) + 1, dtype=np.int64)
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    raw = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]
    codes = np.frombuffer(str(raw.data, "utf-8").encode("utf-32-le"), dtype=np.uint32)
    # every byte but the continuations 10xxxxxx begins a character
    begins = np.concatenate([[0], np.cumsum((raw & 0xC0) != 0x80, dtype=np.int64)])
    return codes, begins[ends - ends[0]]


def _mentions(codes: np.ndarray, kinds: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where mentions begin and end: an @ that follows no letter or digit, and the handle behind it."""
    at = np.flatnonzero(codes == ord("@"))
    row = np.searchsorted(ends, at, side="right") - 1
    first = at == ends[row]
    after_word = (kinds[at - 1] & (LETTER | DIGIT) > 0) & ~first
    breaks = np.flatnonzero(kinds & HANDLE == 0)
    stop = np.append(breaks, codes.size)[np.searchsorted(breaks, at + 1)]
    stop = np.minimum(stop, ends[row + 1])
    named = (stop > at + 1) & ~after_word
    return at[named], stop[named]


def positions(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """All positions of the half-open spans."""
    lengths = stops - starts
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


def read_texts(texts: pd.Series) -> Texts:
    """Fold texts and find their words.

    Parameters
    ----------
    texts : Series of str
        Null counts as empty.
    """
    table = _tables()
    array = _arrow(texts)
    link = np.asarray(pc.match_substring_regex(array, LINK))
    if link.any():
        found = pa.array(link)
        array = pc.replace_with_mask(array, found, pc.replace_substring_regex(array.filter(found), LINK, " "))
    raw, ends = code_points(array)
    looked_up = np.minimum(raw, TABLE)
    kinds, folded = table.kinds[looked_up], table.folded[looked_up]
    above = np.flatnonzero(looked_up == TABLE)
    folded[above] = np.where(raw[above] < _TAGS, raw[above], 0)
    kinds[above] = np.where(raw[above] < _TAGS, LETTER | HANDLE, BLANK)
    starts, stops = ends[:-1], ends[1:]
    begins, ceases = _mentions(raw, kinds, ends)
    folded[positions(begins, ceases)] = SPACE
    mention = np.zeros(starts.size, dtype=bool)
    mention[np.searchsorted(ends, begins, side="right") - 1] = True

    kept = np.flatnonzero(folded != 0)
    codes = folded[kept]
    rows = np.repeat(np.arange(starts.size), stops - starts)[kept]
    same_row = np.concatenate([[False], rows[1:] == rows[:-1]])
    digit = (codes >= ord("0")) & (codes <= ord("9"))
    repeated = np.concatenate([[False], codes[1:] == codes[:-1]]) & same_row & ~digit
    codes, rows = codes[~repeated], rows[~repeated]
    edge = np.concatenate([rows[1:] != rows[:-1], [True]])
    outer = (codes == SPACE) & (edge | np.concatenate([[True], edge[:-1]]))
    codes, rows = codes[~outer], rows[~outer]

    offsets = np.searchsorted(rows, np.arange(starts.size + 1))
    spaces = codes == SPACE
    first = np.zeros(codes.size, dtype=bool)
    first[offsets[:-1][offsets[:-1] < offsets[1:]]] = True
    first[1:] |= spaces[:-1]
    word_starts = np.flatnonzero(first)
    word_offsets = np.searchsorted(word_starts, offsets)
    words = _word_hashes(codes, word_starts)
    blank = (kinds & BLANK) > 0
    return Texts(
        offsets=offsets,
        codes=codes,
        word_offsets=word_offsets,
        words=words,
        hashes=sequence_hashes(words, word_offsets),
        letters=sums_of((~spaces).astype(np.int64), offsets[:-1], offsets[1:]),
        visible=sums_of((~blank).astype(np.int64), starts, stops),
        emoji=sums_of((kinds & EMOJI > 0).astype(np.int64), starts, stops),
        question=sums_of((kinds & QUESTION > 0).astype(np.int64), starts, stops) > 0,
        vietnamese=sums_of((kinds & VIETNAMESE > 0).astype(np.int64), starts, stops) > 0,
        mention=mention,
        link=link,
    )


def _word_hashes(codes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Hash of each word: its letters as digits of a number to base `_LETTER_STEP`, scattered."""
    if not starts.size:
        return np.zeros(0, dtype=np.uint64)
    lengths = np.diff(np.append(starts, codes.size))
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    terms = codes.astype(np.uint64) * _powers(_LETTER_STEP, int(lengths.max()))[place]
    terms[codes == SPACE] = 0
    return mixed(np.add.reduceat(terms, starts))


def sequence_hashes(words: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Hash of each run words[offsets[i]:offsets[i + 1]] in its order, 0 where it is empty."""
    lengths = np.diff(offsets)
    place = np.arange(words.size) - np.repeat(offsets[:-1], lengths)
    terms = words * _powers(_WORD_STEP, int(lengths.max(initial=1)))[place]
    hashes = mixed(sums_of(terms, offsets[:-1], offsets[1:]))
    return np.where(lengths > 0, hashes, np.uint64(0))


def word_runs(words: np.ndarray, length: int) -> np.ndarray:
    """Hash of each run of `length` neighbouring words, as `sequence_hashes` gives it; shape (words - length + 1,)."""
    runs = max(words.size - length + 1, 0)
    total = np.zeros(runs, dtype=np.uint64)
    for place, step in enumerate(_powers(_WORD_STEP, length)):
        total += words[place : place + runs] * step
    return mixed(total)


def text_hashes(texts: pd.Series, least_letters: int = 8) -> np.ndarray:
    """Hash of each text as folded: the same words give the same hash, however they are dressed up.

    Parameters
    ----------
    texts : Series of str
        Null where unknown.
    least_letters : int
        Letters and digits that a text needs, without mentions and links and with repeated letters counted once.

    Returns
    -------
    ndarray of uint64, shape (texts,)
        0 for a text that says nothing or too little. Two different texts share a hash with a chance of about 2**-64.

    Examples
    --------
    >>> a, b, c = text_hashes(pd.Series(["Đẹp quáaaa chị ơi 😍", "dep qua chi oi @lan", "dep"]))
    >>> (a == b, c)
    (np.True_, np.uint64(0))
    """
    found = read_texts(texts)
    return np.where(found.letters >= least_letters, found.hashes, np.uint64(0))


def phrase_hashes(phrases: Sequence[str]) -> dict[int, np.ndarray]:
    """Hashes of phrases by their number of words, each sorted, as `sequence_hashes` gives them for words."""
    found = read_texts(pd.Series(list(phrases), dtype="str"))
    counts = found.word_counts
    return {int(count): np.unique(found.hashes[counts == count]) for count in np.unique(counts) if count}
