"""What creators write and what briefs ask for, as vectors that can be compared across languages.

The vectors of `features/vectors.py` still hold some of the language that a text is in: creators of the brief's language
would stand first, whatever they write about. So the mean of a language is taken away from its texts, on both sides.
What a brief is about is said twice: by its own words, and by the niches that its words name, each in every language
that the taxonomy has words for. Both together brought an English and a Vietnamese brief to three of four same creators
where one alone brought them to half (BENCHMARKS.md, "Briefs in two languages").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from features.content import HEAD, caption_languages
from features.fit import unit_rows
from features.lexicons import lower_text, text_array
from features.taxonomy import niche_counts, read_taxonomy
from features.vectors import embed

#: Texts of a language from which on their own mean counts half, against the mean of the taxonomy's words.
_HALF_TEXTS = 200
#: Characters of a profile at which its vector counts half: what little text says is uncertain.
HALF_LENGTH = 50
#: Weight of the niches beside the brief's own words.
NICHE_WEIGHT = 1.0
#: Decimals of a similarity.
_DIGITS = 6
#: Characters of a brief that are read; more is a document, whose beginning says what it is about.
LONGEST = 20_000


def _languages(texts: pd.Series) -> np.ndarray:
    """Language of each text by its first characters, as position in the languages looked for; -1 for none."""
    return caption_languages(lower_text(text_array(texts.str[:HEAD])))


@cache
def _niche_vectors() -> np.ndarray:
    """Vector of each niche of the taxonomy, from its words in every language; float32, unit length."""
    return embed(
        " ".join((niche.english, niche.vietnamese, *(word.rstrip("*") for word in (*niche.names, *niche.words))))
        for niche in read_taxonomy().values()
    )


def niche_shares(texts: pd.Series) -> pd.DataFrame:
    """How much of what a text says falls into each niche of the taxonomy.

    Parameters
    ----------
    texts : Series of str

    Returns
    -------
    DataFrame of float64
        A column a niche, the index of `texts`; rows sum to 1, or to 0 where no word of any niche occurs. Logarithms of
        1 + the count of its words, so that a word said over and over does not decide alone.
    """
    counts = niche_counts(texts)
    weights = np.log1p(counts.to_numpy(dtype=np.float64))
    sums = weights.sum(axis=1, keepdims=True)
    return pd.DataFrame(weights / np.where(sums > 0, sums, 1.0), index=counts.index, columns=counts.columns)


@dataclass(frozen=True)
class BriefVector:
    """A brief as it is compared.

    Attributes
    ----------
    vector : ndarray of float64, shape (dimensions,)
        Of unit length; zeros where no piece of the brief is known.
    niches : tuple of str
        Niches that its words name or go with, the strongest first.
    shares : ndarray of float64, shape (niches of the taxonomy,)
        How much of it falls into each, as `niche_shares` counts; the sum is 1, or 0 where none is named.
    """

    vector: np.ndarray
    niches: tuple[str, ...]
    shares: np.ndarray

    @property
    def known(self) -> bool:
        """Whether anything of the brief can be compared."""
        return bool(self.vector.any())


@dataclass(frozen=True)
class ProfileSpace:
    """Profiles of creators as vectors, ready to be compared with briefs and with each other.

    Attributes
    ----------
    vectors : ndarray of float32, shape (creators, dimensions)
        Less the mean of their language; their length, at most 1, says how much text there is.
    means : dict of int to ndarray of float64
        Mean of each language that was found.
    """

    vectors: np.ndarray
    means: dict[int, np.ndarray]

    @classmethod
    def fit(cls, texts: Iterable[str]) -> "ProfileSpace":
        """Make vectors of profile texts, one a creator, in the order given."""
        profiles = pd.Series(list(texts), dtype="str")
        raw = embed(profiles).astype(np.float64)
        languages = _languages(profiles)
        general = _niche_vectors().mean(axis=0, dtype=np.float64)
        means = {-1: general}
        for language in np.unique(languages[languages >= 0]):
            own = raw[(languages == language) & raw.any(axis=1)]
            means[int(language)] = (own.sum(axis=0) + _HALF_TEXTS * general) / (len(own) + _HALF_TEXTS)
        return cls(_profile_vectors(profiles, raw, languages, means), means)

    def of(self, texts: Iterable[str]) -> "ProfileSpace":
        """Vectors of other creators' texts, by the means of this space."""
        profiles = pd.Series(list(texts), dtype="str")
        vectors = _profile_vectors(profiles, embed(profiles).astype(np.float64), _languages(profiles), self.means)
        return ProfileSpace(vectors, self.means)

    def __len__(self) -> int:
        return len(self.vectors)

    def read(self, brief: str, niches: Sequence[str] = ()) -> BriefVector:
        """Make a brief comparable.

        Parameters
        ----------
        brief : str
            In any language; its first `LONGEST` characters count.
        niches : sequence of str
            Niches that it is known to ask for; others that the taxonomy does not have count as words.
        """
        told = [name for name in niches if name in read_taxonomy()]
        words = " ".join([brief[:LONGEST], *(name for name in niches if name not in told)])
        text = pd.Series([words], dtype="str")
        own = _centred(embed(text).astype(np.float64), _languages(text), self.means)[0]
        shares = niche_shares(text).iloc[0]
        shares = shares.where(~shares.index.isin(told), shares + 1.0) if told else shares
        named = shares[shares > 0].sort_values(ascending=False, kind="stable")
        centred = unit_rows(_niche_vectors().astype(np.float64) - self.means[-1])
        topic = unit_rows((shares.to_numpy() @ centred)[None])[0]
        vector = unit_rows((own + NICHE_WEIGHT * topic)[None])[0]
        return BriefVector(vector, tuple(map(str, named.index)), shares.to_numpy() / max(float(shares.sum()), 1.0))

    def similarities(self, brief: BriefVector) -> np.ndarray:
        """How alike every creator is to a brief: 0 (nothing in common) to 1; float32, shape (creators,)."""
        return self.products(brief.vector)

    def middle(self, rows: Sequence[int]) -> np.ndarray:
        """The middle of some creators: float64 of unit length, zeros where none of them writes; (dimensions,)."""
        return unit_rows(self.vectors[list(rows)].astype(np.float64).sum(axis=0, keepdims=True))[0]

    def products(self, vector: np.ndarray) -> np.ndarray:
        """How alike every creator is to a vector of unit length, 0 to 1; float32, shape (creators,)."""
        return self.likeness(self.vectors, vector)

    @staticmethod
    def likeness(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """How alike some creators' vectors are to a vector of unit length, 0 to 1; float32, shape (vectors,)."""
        # rounded: a row's product depends in its last bits on where in the matrix the row stands
        found = vectors @ vector.astype(np.float32)
        np.round(found, _DIGITS, out=found)
        return np.clip(found, 0.0, 1.0, out=found)

    def lines(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of lines, float32 of shape (lines, dimensions): too short to tell their language, held to all."""
        return _centred(embed(texts).astype(np.float64), np.full(len(texts), -1), self.means).astype(np.float32)

    @staticmethod
    def line_likeness(lines: np.ndarray, brief: BriefVector) -> np.ndarray:
        """How alike vectors of lines are to a brief: -1 to 1; float32, shape (lines,)."""
        return np.asarray(lines @ brief.vector.astype(np.float32))


def _profile_vectors(
    profiles: pd.Series, raw: np.ndarray, languages: np.ndarray, means: dict[int, np.ndarray]
) -> np.ndarray:
    lengths = profiles.str.len().to_numpy(dtype=np.float64)[:, None]
    return (_centred(raw, languages, means) * lengths / (lengths + HALF_LENGTH)).astype(np.float32)


def _centred(vectors: np.ndarray, languages: np.ndarray, means: dict[int, np.ndarray]) -> np.ndarray:
    """Vectors less the mean of their language, of unit length; zeros stay, an unknown language has the general mean."""
    middles = np.stack([means.get(int(language), means[-1]) for language in languages]) if len(vectors) else vectors
    return unit_rows(np.where(vectors.any(axis=1, keepdims=True), vectors - middles, 0.0))
