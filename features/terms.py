"""Words that a brief shares with what creators write, the rarest first: shown as reasons, no part of fit.

Words meet each other whether or not their accents were typed: words also count under their folded form, and every
pair of adjacent words under the folded forms written together. "my pham", "mỹ phẩm" and "#mypham" therefore share a
term, while "mỹ phẩm" meets "mỹ phẩm" also in its accented words and weighs more.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Self

_ENGLISH = """
a an and are as at be by for from has have i in is it its of on or our that the their they this to us we who will with
you your about all any every give gives how look looking looks more need needs other others some want wanted wants what
when who not don t must should can
"""
_VIETNAMESE = """
và của là các những cho với trong được có một này đó để từ khi thì mà ở tại bởi cũng như về đã sẽ đang rất
cần tìm mời muốn không chưa phải nên
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
#: Matches weaker than this part of the strongest are not named: next to it they say little.
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
class Rarity:
    """In how many of some texts each term occurs.

    Attributes
    ----------
    texts : int
    occurs : mapping of str to int
    """

    texts: int
    occurs: Mapping[str, int]

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Self:
        """Count the terms of texts; a sample of a catalogue will do."""
        documents = list(texts)
        return cls(len(documents), Counter(term for document in documents for term in set(terms_of(document))))

    def weight(self, term: str) -> float:
        """Smoothed inverse document frequency: 1 for a term of every text, more for a rarer one."""
        return math.log((1 + self.texts) / (1 + self.occurs.get(term, 0))) + 1


def shared_words(
    brief: str, texts: Sequence[Mapping[str, int]], rarity: Rarity, limit: int = _WORDS_SHOWN
) -> list[tuple[str, ...]]:
    """Words of a brief that each text shares, the strongest first, as the brief writes them.

    The weight of a term is that of TF-IDF, from the brief's side and the text's: its squared rarity times
    1 + the logarithm of its count in the text. Words that also match as a pair are shown together.

    Parameters
    ----------
    brief : str
    texts : sequence of mappings of str to int
        How often each term, as `terms_of` reads it, stands in each text.
    rarity : Rarity
    limit : int
        Most words (or groups of words) named for a text.
    """
    words = words_of(brief)
    # reversed: a word that the brief repeats is named where it comes first
    spans = {term: (position, length) for term, position, length in reversed([*_terms(words)]) if not term.isdigit()}
    found = []
    for text in texts:
        counts = {term: text[term] for term in spans if term in text}
        weights = {term: rarity.weight(term) ** 2 * (1 + math.log(count)) for term, count in counts.items()}
        found.append(_groups(words, spans, weights)[:limit])
    return found


def _groups(
    words: Sequence[str], spans: Mapping[str, tuple[int, int]], weights: Mapping[str, float]
) -> tuple[str, ...]:
    """Matching words, those of a matching pair together, the heaviest first."""
    of_word: dict[int, float] = defaultdict(float)
    joined = set()
    for term, weight in weights.items():
        position, length = spans[term]
        of_word[position] += weight
        if length > 1:
            joined.add(position)
            of_word[position + 1] += 0.0
    groups: dict[str, float] = defaultdict(float)
    group: list[int] = []
    for position in sorted(of_word):
        group.append(position)
        if position not in joined:
            groups[" ".join(words[one] for one in group)] += sum(of_word[one] for one in group)
            group = []
    ranked = sorted(groups, key=lambda shared: (-groups[shared], shared))
    return tuple(shared for shared in ranked if groups[shared] >= _LEAST_PART * groups[ranked[0]])
