"""What reasons are made of that no brief changes: the words, sentences, hashtags and facts of creators.

Made when a creator is first shown, kept for those shown lately: the same creators come first for many briefs.
"""

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.profiles import ProfileSpace
from features.terms import terms_of

#: Creators kept: each takes up to 150 kB, vectors and terms.
MOST_KEPT = 1_000
#: Sentences and hashtags of a creator that are read; letters that a sentence needs, and characters that are quoted.
_SENTENCES, _TAGS, _LEAST_WORDS, _QUOTED = 20, 30, 3, 110
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n|\s[|•]+\s")
_TAG = re.compile(r"#[^\W_]\w*")
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Pieces:
    """Short pieces of what a creator writes.

    Attributes
    ----------
    vectors : ndarray of float32, shape (pieces, dims)
        As `features.profiles.ProfileSpace.lines` reads them.
    """

    texts: tuple[str, ...]
    vectors: np.ndarray


@dataclass(frozen=True)
class Shown:
    """A creator as reasons read it.

    Attributes
    ----------
    record, facts : dict
        Its row of the score frame, and of the facts that briefs may ask for.
    terms : mapping of str to int
        How often each term stands in what it writes, as `features.terms.terms_of` reads them.
    """

    record: dict[str, Any]
    facts: dict[str, Any]
    terms: Mapping[str, int]
    sentences: Pieces
    tags: Pieces


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame by column name."""
    # column by column: `to_dict` goes through tuples of rows, and takes three times as long for twenty of them
    columns = {str(name): frame[name].tolist() for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def sentences_of(text: str) -> tuple[str, ...]:
    """The first sentences of a text that say something, without hashtags, none longer than what is shown."""
    found: list[str] = []
    for sentence in _SENTENCE.split(text):
        words = _TAG.sub("", sentence).strip()
        if len(_LETTERS.findall(words)) >= _LEAST_WORDS:
            found.append(words if len(words) <= _QUOTED else f"{words[:_QUOTED].rsplit(' ', 1)[0]}…")
            if len(found) == _SENTENCES:
                break
    return tuple(found)


def tags_of(text: str) -> tuple[str, ...]:
    """The first hashtags of a text, each once, lower-case."""
    return tuple(dict.fromkeys(tag.lower() for tag in _TAG.findall(text)))[:_TAGS]


class Kept:
    """Creators that were shown lately, by their row; whichever was kept longest makes room.

    Parameters
    ----------
    frame, facts : DataFrame
        Score frame and facts, one row a creator.
    written : sequence of str
        What each of them writes.
    profiles : ProfileSpace
        That their lines are compared in.
    """

    def __init__(
        self, frame: pd.DataFrame, facts: pd.DataFrame, written: Sequence[str], profiles: ProfileSpace
    ) -> None:
        self._frame, self._facts, self._written, self._profiles = frame, facts, written, profiles
        self._known: dict[int, Shown] = {}
        self._lock = threading.Lock()

    def of(self, rows: list[int]) -> list[Shown]:
        """Some creators, in their order."""
        with self._lock:
            found = {row: self._known[row] for row in rows if row in self._known}
        missing = [row for row in dict.fromkeys(rows) if row not in found]
        if missing:
            made = dict(zip(missing, self._make(missing), strict=True))
            found |= made
            with self._lock:
                self._known |= made
                for oldest in list(self._known)[: max(0, len(self._known) - MOST_KEPT)]:
                    del self._known[oldest]
        return [found[row] for row in rows]

    def _make(self, rows: list[int]) -> list[Shown]:
        texts = [self._written[row] for row in rows]
        pieces = [one(text) for text in texts for one in (sentences_of, tags_of)]
        ends = np.cumsum([len(own) for own in pieces])
        parts = np.split(self._profiles.lines([one for own in pieces for one in own]), ends[:-1])
        # copies: a view would keep the vectors of all that were made together
        read = [Pieces(own, part.copy()) for own, part in zip(pieces, parts, strict=True)]
        of_frame, of_facts = (records(frame.iloc[rows]) for frame in (self._frame, self._facts))
        return [
            Shown(record, facts, Counter(terms_of(text)), sentences, tags)
            for record, facts, text, sentences, tags in zip(
                of_frame, of_facts, texts, read[::2], read[1::2], strict=True
            )
        ]
