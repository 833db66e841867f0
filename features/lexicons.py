"""Lists of words in TOML files, and the captions that contain one: one regular expression a list, over Arrow arrays.

A word counts where it stands whole, also behind a #, and a phrase also where it is written together (#đánhgiá for "đánh
giá"). A word that ends in * counts as the beginning of one, a word that begins with # only as that hashtag. Thai is
written without spaces, so a phrase with Thai letters counts anywhere.

The edges of words stand once around the whole list: with an edge around each word RE2 gives up its automaton, and was
measured at 70 times the time.

A word means something else in some phrases ("không tệ", not bad, is no criticism; "hợp tác xã", a cooperative, is no
cooperation with a brand). They stand under `apart`, and are taken out of a text before the words are looked for. The
longest holds: a listed word that itself holds such a phrase ("ai mà không thích", who would not like it) is looked for
before.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import re2

_LETTER = r"\pL\pM\pN_"
#: Texts up to which patterns that are kept are quicker than Arrow.
_FEW = 8
_THAI = re.compile("[\u0e00-\u0e7f]")
# letters in styles (𝓫𝓮𝓪𝓾𝓽𝔂), in full width, and accents of their own: only then is normalising worth its time
_COMPOSABLE = r"[\x{300}-\x{36f}\x{1d400}-\x{1d7ff}\x{ff01}-\x{ff5e}\x{2100}-\x{214f}]"


@lru_cache(maxsize=16)
def read_norms(name: str) -> dict[str, Any]:
    """Content of `features/norms/<name>.toml`; callers do not change it."""
    return tomllib.loads(resources.files("features.norms").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


#: Key of a section whose phrases are taken away before its words are looked for: they mean something else in them.
APART = "apart"


def words_in(section: dict[str, list[str]]) -> list[str]:
    """Words of a section of lists by language, all languages together: captions mix them."""
    return [word for key, words in section.items() if key != APART for word in words]


def _escaped(word: str) -> str:
    """A word as a pattern, its spaces optional."""
    return r"\s*".join(re.escape(part) for part in word.split())


def pattern_of(words: Iterable[str]) -> str:
    """Regular expression in RE2's syntax that finds any of the words in lower-case text.

    Raises
    ------
    ValueError
        Where there is no word.
    """
    distinct = sorted({unicodedata.normalize("NFC", word.lower()) for word in words})
    tags = [_escaped(word) for word in distinct if word.startswith("#")]
    thai = [_escaped(word) for word in distinct if not word.startswith("#") and _THAI.search(word)]
    plain = [word for word in distinct if not word.startswith("#") and not _THAI.search(word)]
    starts = [_escaped(word[:-1]) for word in plain if word.endswith("*")]
    whole = [_escaped(word) for word in plain if not word.endswith("*")]
    end = rf"(?:[^{_LETTER}]|$)"
    inner = ([f"(?:{'|'.join(whole)}){end}"] if whole else []) + starts
    parts = [f"(?:^|[^{_LETTER}])(?:{'|'.join(inner)})"] if inner else []
    parts += [f"(?:{'|'.join(tags)}){end}"] if tags else []
    parts += thai
    if not parts:
        raise ValueError("a list without words")
    return "|".join(parts)


@dataclass(frozen=True)
class Lexicon:
    """A list of words, with the phrases in which they mean something else.

    Attributes
    ----------
    pattern : str
        Of the words, from `pattern_of`.
    apart : str
        Of the phrases; empty where there are none.
    longer : str
        Of those of the words that hold a phrase; empty where there are none.
    """

    pattern: str
    apart: str = ""
    longer: str = ""

    def found(self, texts: pa.Array) -> np.ndarray:
        """Whether each text contains a word outside of the phrases, bool of shape (texts,)."""
        hits = found(texts, self.pattern)
        if self.apart and hits.any():
            rows = np.flatnonzero(hits)
            rows = rows[found(texts.take(pa.array(rows)), self.apart)]
            rest = texts.take(pa.array(rows))
            # the edges of a phrase go with it: a second one right behind it is found in the second pass
            for _ in range(2):
                rest = pc.replace_substring_regex(rest, self.apart, " ")
            hits[rows] = found(rest, self.pattern)
            if self.longer:
                hits[rows] |= found(texts.take(pa.array(rows)), self.longer)
        return hits


def lexicon_of(words: Iterable[str], apart: Iterable[str] = ()) -> Lexicon:
    """Lexicon of words, and of phrases to take away first; raises as `pattern_of`."""
    words, phrases = list(words), list(apart)
    longer = [word for word in words if any(f" {phrase} " in f" {word} " for phrase in phrases)]
    return Lexicon(pattern_of(words), pattern_of(phrases) if phrases else "", pattern_of(longer) if longer else "")


def text_array(texts: pd.Series) -> pa.Array:
    """Texts as one Arrow array."""
    array = pa.array(texts, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def lower_text(texts: pa.Array) -> pa.Array:
    """Lower-case texts with composed accents and plain letters: what word lists are written in."""
    odd = pc.match_substring_regex(texts, _COMPOSABLE)
    if pc.any(odd).as_py():
        # pyarrow's utf8_normalize leaves accents apart also in its composed forms (seen with pyarrow 25)
        plain = [unicodedata.normalize("NFKC", text) for text in texts.filter(odd).to_pylist()]
        texts = pc.replace_with_mask(texts, odd, pa.array(plain, type=texts.type))
    return pc.utf8_lower(texts)


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


def found(texts: pa.Array, pattern: str) -> np.ndarray:
    """Whether each text contains the pattern, bool of shape (texts,)."""
    if len(texts) <= _FEW:
        # the same engine, and patterns that are kept: Arrow compiles them at every call, which one brief would wait for
        search = _compiled(pattern).search
        return np.array([text is not None and search(text) is not None for text in texts.to_pylist()], dtype=bool)
    return pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False).astype(bool)
