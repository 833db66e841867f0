"""Signals of (brief, creator) pairs that nothing has to be learnt for: how alike two sides are, and to whom else.

Either side is described by *views*: named matrices, a row a brief or creator. Any vectors will do: topics, tags,
embeddings of texts, probabilities of niches. Views of the same name on both sides are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Temperature of `against_rivals` on similarities of unit variance; chosen on brands of the training half of
#: gan2019_dev alone, where .5 to 1 were alike.
RIVALS_TEMPERATURE = 0.7
#: Rows that sum to 1 within this are shares.
_SUMS_TO_ONE = 1e-3


class SidesError(ValueError):
    """Vectors that cannot be compared; the message names the view."""


@dataclass(frozen=True)
class Side:
    """Briefs (or brands), or creators, as vectors.

    Attributes
    ----------
    views : mapping of str to ndarray of float, each of shape (rows, dimensions)
        A row of zeros says nothing and is like nobody.
    """

    views: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        sizes = {name: len(view) for name, view in self.views.items()}
        if len(set(sizes.values())) != 1:
            message = f"every view needs one row for each of the same rows, at least one view; rows here: {sizes}"
            raise SidesError(message)
        for name, view in self.views.items():
            if view.ndim != 2 or not np.isfinite(view).all():
                message = f"view {name}: expected a matrix of finite numbers, found shape {view.shape}"
                raise SidesError(message)

    def __len__(self) -> int:
        return len(next(iter(self.views.values())))

    def take(self, rows: np.ndarray) -> "Side":
        """Some rows, by position or as a mask."""
        return Side({name: view[rows] for name, view in self.views.items()})


def check_comparable(briefs: Side, creators: Side) -> None:
    """Refuse sides whose views differ in name or width.

    Raises
    ------
    SidesError
    """
    here, there = ({name: view.shape[1] for name, view in side.views.items()} for side in (briefs, creators))
    if here != there:
        message = f"briefs and creators need views of the same names and dimensions; briefs {here}, creators {there}"
        raise SidesError(message)


def are_shares(views: Sequence[np.ndarray]) -> bool:
    """Whether every row of every matrix is of shares: none negative, their sum 1 (or 0: nothing known)."""
    sums = np.concatenate([view.sum(axis=1, dtype=np.float64) for view in views])
    return all((view >= 0).all() for view in views) and bool(
        np.all((np.abs(sums - 1) <= _SUMS_TO_ONE) | (np.abs(sums) <= _SUMS_TO_ONE))
    )


def unit_rows(view: np.ndarray, shares: bool = False) -> Floats:
    """Rows of unit length, of the square roots where they are shares; rows of zeros stay.

    The product of square roots of shares is the Bhattacharyya coefficient (1943), 1 for equal shares.
    """
    rows = np.sqrt(np.maximum(view, 0)) if shares else view
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float64)


def cosine(briefs: np.ndarray, creators: np.ndarray) -> Floats:
    """Cosine of every brief's vector with every creator's, shape (briefs, creators); 0 where either is all zeros."""
    return unit_rows(briefs) @ unit_rows(creators).T


def against_rivals(
    similarity: np.ndarray, rivals: np.ndarray | None = None, temperature: float = RIVALS_TEMPERATURE
) -> Floats:
    """How much more alike a creator is to a brief than to other briefs, on a log scale.

    A creator that is like every brief says nothing about one. The logarithm of the inverted softmax (Smith et al.,
    "Offline bilingual word vectors, orthogonal transformations and the inverted softmax", ICLR 2017), over the mean
    instead of the sum, so that the number of rivals does not move it.

    Parameters
    ----------
    similarity : ndarray of float, shape (briefs, creators)
        Of about unit variance.
    rivals : ndarray of float, shape (rivals, creators), optional
        Similarities of other briefs to the same creators, each brief is compared with these and itself; where left
        out, with all briefs of `similarity`.

    Returns
    -------
    ndarray of float64, shape (briefs, creators)
    """
    scaled = np.asarray(similarity, dtype=np.float64) / temperature
    if rivals is None:
        highest = scaled.max(axis=0)
        return np.asarray(scaled - highest - np.log(np.exp(scaled - highest).mean(axis=0)))
    others = np.asarray(rivals, dtype=np.float64) / temperature
    highest = others.max(axis=0, initial=-np.inf)
    with np.errstate(divide="ignore"):  # no rival: the brief alone
        total = (
            highest + np.log(np.exp(others - highest).sum(axis=0)) if len(others) else np.full(scaled.shape[1], -np.inf)
        )
    return np.asarray(scaled - np.logaddexp(total, scaled) + np.log(len(others) + 1))
