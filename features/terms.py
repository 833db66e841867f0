"""Fit of creators to a brief: the cosine of their texts by TF-IDF, and the words that made it.

Words meet each other whether or not their accents were typed: words also count under their folded form, and every
pair of adjacent words under the folded forms written together. "my pham", "mỹ phẩm" and "#mypham" therefore share a
term, while "mỹ phẩm" meets "mỹ phẩm" also in its accented words and scores higher.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal, Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

Missing = Literal["", "empty_brief", "unknown_words"]

_ENGLISH = """
a an and are as at be by for from has have i in is it its of on or our that the their they this to us we who will with
you your about all any every give gives how look looking looks more need needs other others some want wanted wants what
when who
"""
_VIETNAMESE = """
và của là các những cho với trong được có một này đó để từ khi thì mà ở tại bởi cũng như về đã sẽ đang rất
cần tìm mời muốn
"""
_FRENCH = """
au aux avec ce ces cette d dans de des du elle en est et il ils je l la le les leur mais ne nos notre nous on ou par pas
pour qu que qui sa se ses son sont sur un une vos votre vous y à été
"""
_INDONESIAN = """
ada agar akan atau bisa dan dari dengan di dalam ini itu juga kami kita ke oleh pada untuk yang saya sudah
"""
#: Words of grammar only: in nearly every text of their language, so that a match on them says nothing, and frequent
#: enough in a brief ("looking for a creator who ...") to crowd out the reasons. They are dropped as they are written:
#: folding "của" would also drop "cua" (crab). Words that may carry a brief's meaning ("new", "best", "nam") stay.
STOP_WORDS = frozenset(f"{_ENGLISH} {_VIETNAMESE} {_FRENCH} {_INDONESIAN}".split())

# letters whose stroke or ligature Unicode does not decompose
_UNDECOMPOSED = str.maketrans({"đ": "d", "ð": "d", "ł": "l", "ø": "o", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})
_WORD = re.compile(r"[^\W_]+")
#: Matched words shown for a creator.
_WORDS_SHOWN = 5
#: Matches weaker than this part of the strongest are counted and not named: they did not make the fit.
_LEAST_PART = 0.2
#: Letters that a word needs to be found without its accents on its own: "mỹ" is not the "my" of English. Shorter words
#: are found so in a pair.
_LEAST_FOLDED = 3


def normalise(text: str) -> str:
    """Lower-case text with composed accents; styled letters (𝓫𝓮𝓪𝓾𝓽𝔂, as bios like them) become plain ones."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


@lru_cache(maxsize=1 << 17)
def fold(word: str) -> str:
    """Return a lower-case word without accents.

    Examples
    --------
    >>> fold("đẹp"), fold("mỹ"), fold("crème")
    ('dep', 'my', 'creme')
    """
    decomposed = unicodedata.normalize("NFD", word.translate(_UNDECOMPOSED))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words_of(text: str) -> list[str]:
    """Words of a text in order, lower-case, without stop words; a hashtag is the words in it.

    Examples
    --------
    >>> words_of("Review mỹ phẩm cho da dầu #SkinCare")
    ['review', 'mỹ', 'phẩm', 'da', 'dầu', 'skincare']
    """
    return [word for word in _WORD.findall(normalise(text)) if word not in STOP_WORDS]


def _terms(words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Terms with the words they are made of: (term, position of the first word, number of words)."""
    folded = [fold(word) for word in words]
    for position, (word, plain) in enumerate(zip(words, folded, strict=True)):
        yield word, position, 1
        if plain != word and len(plain) >= _LEAST_FOLDED:
            yield plain, position, 1
    for position, (first, second) in enumerate(pairwise(folded)):
        yield first + second, position, 2


def terms_of(text: str) -> list[str]:
    """Terms that a text is indexed under: words folded and as written, adjacent pairs folded and written together.

    Examples
    --------
    >>> terms_of("mỹ phẩm")
    ['mỹ', 'phẩm', 'pham', 'mypham']
    """
    return [term for term, _, _ in _terms(words_of(text))]


@dataclass(frozen=True)
class Match:
    """A brief against every text of an index.

    Attributes
    ----------
    similarities : ndarray of float64, shape (n_texts,)
        Cosine in [0, 1]; all NaN where the brief cannot be compared.
    missing : {"", "empty_brief", "unknown_words"}
        Why it cannot: the brief has no words, or none of them occurs in any text.
    """

    similarities: np.ndarray
    missing: Missing
    _parts: sparse.csr_matrix
    _words: tuple[str, ...]
    _spans: tuple[tuple[int, int], ...]

    def words(self, rows: Sequence[int], limit: int = _WORDS_SHOWN) -> list[tuple[str, ...]]:
        """Words of the brief that matched most in each of some texts, strongest first, as the brief writes them.

        Words that also matched as a pair are shown together.

        Parameters
        ----------
        rows : sequence of int
            Positions of texts in the index.
        limit : int
            Most words (or groups of words) named for a text.
        """
        return [() if self.missing else self._groups(row)[:limit] for row in rows]

    def _groups(self, row: int) -> tuple[str, ...]:
        part = self._parts[[row]]
        weights: dict[int, float] = defaultdict(float)
        joined = set()
        for term, weight in zip(part.indices, part.data, strict=True):
            position, length = self._spans[term]
            weights[position] += float(weight)
            if length > 1:
                joined.add(position)
                weights[position + 1] += 0.0
        groups: dict[str, float] = defaultdict(float)
        group: list[int] = []
        for position in sorted(weights):
            group.append(position)
            if position not in joined:
                groups[" ".join(self._words[one] for one in group)] += sum(weights[one] for one in group)
                group = []
        ranked = sorted(groups, key=lambda words: (-groups[words], words))
        return tuple(words for words in ranked if groups[words] >= _LEAST_PART * groups[ranked[0]])


class TextIndex:
    """Texts by TF-IDF, ready to be compared with briefs.

    Weights are sublinear in the count (1 + log tf) and texts have unit length, so that a long history does not win
    by its length.

    Parameters
    ----------
    columns : csc_matrix of float32, shape (n_texts, n_terms)
        Weights by term: a brief has few terms, and reads only their columns.
    vectorizer : TfidfVectorizer or None
        None where no text has a word.
    """

    def __init__(self, columns: sparse.csc_matrix, vectorizer: TfidfVectorizer | None) -> None:
        self._columns = columns
        self._vectorizer = vectorizer

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Self:
        """Index texts, one a creator, in the order given."""
        documents = list(texts)
        vectorizer = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, dtype=np.float32)
        if not any(words_of(document) for document in documents):
            return cls(sparse.csc_matrix((len(documents), 0), dtype=np.float32), None)
        return cls(vectorizer.fit_transform(documents).tocsc(), vectorizer)

    def __len__(self) -> int:
        return int(self._columns.shape[0])

    def match(self, brief: str) -> Match:
        """Compare a brief with every text; see `Match`."""
        words = words_of(brief)
        if not words or self._vectorizer is None:
            return self._no_match("unknown_words" if words else "empty_brief")
        query = self._vectorizer.transform([brief]).tocsr()
        if not query.nnz:
            return self._no_match("unknown_words")
        parts = self._columns[:, query.indices].multiply(query.data).tocsr()
        similarities = np.clip(np.asarray(parts.sum(axis=1), dtype=float).ravel(), 0.0, 1.0)
        # reversed: a word that the brief repeats is named where it comes first
        spans = {
            self._vectorizer.vocabulary_.get(term): (position, length)
            for term, position, length in reversed([*_terms(words)])
        }
        return Match(similarities, "", parts, tuple(words), tuple(spans[column] for column in query.indices))

    def _no_match(self, missing: Missing) -> Match:
        return Match(np.full(len(self), np.nan), missing, sparse.csr_matrix((len(self), 0)), (), ())
