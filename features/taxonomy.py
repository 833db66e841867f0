"""The niches that agencies ask for: names in both languages, words that tell them, wider niches, data sets' labels.

The words stand in norms/taxonomy.toml; those of norms/niches.toml under the same name count too. Words that name a
niche (`names`: "cosmetics", "mỹ phẩm") are kept apart from words that only go with it (`words`: "lipstick", "son môi"):
a brief is read by the first, captions by both.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import re2

from features.lexicons import lower_text, pattern_of, read_norms, text_array, words_in

_TEXTS_AT_ONCE = 50_000
#: Texts up to which patterns that stay compiled are faster: Arrow compiles them anew with every call, 110 ms for all.
_FEW_TEXTS = 20


@dataclass(frozen=True)
class Niche:
    """A niche of the taxonomy.

    Attributes
    ----------
    name : str
        As tables and requests write it, such as "mother_and_baby".
    english, vietnamese : str
        What people read.
    parent : str or None
        The wider niche.
    labels : tuple of str
        What data sets call it, lower case.
    names : tuple of str
        Words that name it, in the notation of `features.lexicons`, with forms without accents where these are safe.
    words : tuple of str
        Words that go with it, likewise; those of `names` are not repeated.
    """

    name: str
    english: str
    vietnamese: str
    parent: str | None
    labels: tuple[str, ...]
    names: tuple[str, ...]
    words: tuple[str, ...]


def without_accents(text: str) -> str:
    """Text with plain letters: "mỹ phẩm" is "my pham"."""
    apart = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(character for character in apart if not unicodedata.combining(character))


def _with_plain_forms(words: Iterable[str], accented: frozenset[str]) -> tuple[str, ...]:
    """Words, and behind them the phrases among them without accents: how much Vietnamese is typed."""
    listed = list(words)
    plain = [without_accents(word) for word in listed if " " in word and word not in accented]
    return tuple(dict.fromkeys([*listed, *plain]))


@lru_cache(maxsize=1)
def read_taxonomy() -> dict[str, Niche]:
    """Every niche by its name, in the order of norms/taxonomy.toml; callers do not change it."""
    norms, floor = read_norms("taxonomy"), read_norms("niches")
    accented = frozenset(norms["accented"])
    found = {}
    for name, entry in norms["niche"].items():
        names = _with_plain_forms(entry["names"], accented)
        words = _with_plain_forms([*entry["words"], *words_in(floor.get(name, {}))], accented)
        found[name] = Niche(
            name=name,
            english=entry["english"],
            vietnamese=entry["vietnamese"],
            parent=entry.get("parent"),
            labels=tuple(entry["labels"]),
            names=names,
            words=tuple(word for word in words if word not in set(names)),
        )
    return found


def niche_words(names_only: bool = False) -> dict[str, list[str]]:
    """Words of each niche in the notation of `features.lexicons`: `lexicon_of(words)` finds them.

    Parameters
    ----------
    names_only : bool
        Leave out what only goes with a niche; for briefs.
    """
    return {
        name: list(niche.names if names_only else (*niche.names, *niche.words))
        for name, niche in read_taxonomy().items()
    }


def wider_niches(name: str) -> list[str]:
    """The niche itself, then those that hold it, the nearest first.

    Raises
    ------
    KeyError
        Where the taxonomy has no such niche.
    """
    found, niches = [name], read_taxonomy()
    parent = niches[name].parent
    while parent is not None:
        found.append(parent)
        parent = niches[parent].parent
    return found


@lru_cache(maxsize=1)
def _by_label() -> dict[str, str]:
    niches = read_taxonomy()
    labels = {label: name for name, niche in niches.items() for label in niche.labels}
    shown = {
        shown.lower(): name for name, niche in niches.items() for shown in (niche.english, niche.vietnamese, niche.name)
    }
    return labels | shown


def niche_of_label(label: str) -> str | None:
    """Niche that a data set's label or a name in either language means, None where the taxonomy has none ("other")."""
    return _by_label().get(unicodedata.normalize("NFC", label).strip().lower())


@lru_cache(maxsize=2)
def _patterns(names_only: bool) -> dict[str, str]:
    return {name: pattern_of(words) for name, words in niche_words(names_only).items()}


@lru_cache(maxsize=2)
def _compiled(names_only: bool) -> list[Any]:
    return [re2.compile(pattern) for pattern in _patterns(names_only).values()]


def _count(pattern: Any, text: str) -> int:
    """Matches of a compiled pattern as Arrow counts them: behind a match the rest is a text of its own."""
    count, found = 0, pattern.search(text)
    while found:
        text = text[found.end() :]
        count, found = count + 1, pattern.search(text)
    return count


def niche_counts(texts: pd.Series, names_only: bool = False) -> pd.DataFrame:
    """How often words of each niche stand in each text.

    Parameters
    ----------
    texts : Series of str
        Null counts as empty.
    names_only : bool
        As for `niche_words`.

    Returns
    -------
    DataFrame of int64
        A column a niche, the index of `texts`. A word of a narrow niche counts for that niche alone; one that two
        niches list counts for both.
    """
    array = pc.fill_null(text_array(texts), "")
    patterns = _patterns(names_only)
    counts = np.zeros((len(array), len(patterns)), dtype=np.int64)
    if len(array) <= _FEW_TEXTS:
        for row, text in enumerate(lower_text(array).to_pylist()):
            counts[row] = [_count(pattern, text) for pattern in _compiled(names_only)]
        return pd.DataFrame(counts, index=texts.index, columns=list(patterns))
    for start in range(0, len(array), _TEXTS_AT_ONCE):
        lower = lower_text(array.slice(start, _TEXTS_AT_ONCE))
        for column, pattern in enumerate(patterns.values()):
            counts[start : start + len(lower), column] = pc.count_substring_regex(lower, pattern).to_numpy(
                zero_copy_only=False
            )
    return pd.DataFrame(counts, index=texts.index, columns=list(patterns))
