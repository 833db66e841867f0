"""One page of the creators for a brief, sorted by any column, in time that does not grow with its depth."""

from typing import Literal, get_args

import numpy as np

from features.fit import Floats
from serving.catalogue import Catalogue
from serving.ranking import PRIOR, RANKED_COLUMNS, RETRIEVED, Fitted, Reading, Shortlist, fit_of, order, ranked_frame
from serving.words import Language, words_for
from training.fit_model import FitModel

#: What a list can be sorted by; `score`, fit × authenticity, is how it is ranked.
Sort = Literal[
    "score",
    "creator",
    "platform",
    "tier",
    "role",
    "niche",
    "followers",
    "authentic_followers",
    "authenticity",
    "fit",
    "growth",
    "last_post",
    "status",
]
SORTS: tuple[Sort, ...] = get_args(Sort)
#: Columns whose first click shows the smallest first: names, not amounts.
RISING: tuple[Sort, ...] = ("creator", "platform", "tier", "role", "niche")


def slice_of(keys: Floats, ties: Floats, start: int, stop: int) -> np.ndarray:
    """Positions `start` to `stop` of the order of `keys`, highest first; equal keys by `ties`, then by position.

    Only what stands between the two ends is sorted, so that a page deep in a list takes as long as the first.

    Parameters
    ----------
    keys, ties : ndarray of float64, shape (n,)
        NaN stands last.
    """
    keys = np.where(np.isnan(keys), -np.inf, keys)
    stop = min(stop, len(keys))
    if start >= stop:
        return np.empty(0, dtype=np.int64)
    ends = np.partition(keys, sorted({len(keys) - stop, len(keys) - 1 - start}))
    low, high = ends[len(keys) - stop], ends[len(keys) - 1 - start]
    band = np.flatnonzero((keys >= low) & (keys <= high))
    above = int(np.count_nonzero(keys > high))
    ordered = band[np.lexsort((band, -ties[band], -keys[band]))]
    return np.asarray(ordered[start - above : stop - above])


def page_of(
    catalogue: Catalogue,
    reading: Reading,
    *,
    sort: Sort = "score",
    rising: bool = False,
    start: int = 0,
    size: int = 20,
    among: np.ndarray | None = None,
    status: Floats | None = None,
    language: Language = "en",
    model: FitModel | None = None,
) -> Shortlist:
    """One page of the creators that pass the filters of a brief.

    By `score`, the thousand creators that write most like the brief are ranked as `serving.ranking.shortlist` ranks
    them, and all others follow by likeness × authenticity.

    Parameters
    ----------
    catalogue : Catalogue
    reading : Reading
        Of the brief, by `serving.ranking.read`.
    sort : Sort
    rising : bool
        Smallest first; what is unknown stands last both ways. `score` falls always, and `fit` is the same list from its
        end.
    start, size : int
        Places before the page, and on it.
    among : ndarray of bool, shape (len(catalogue),), optional
        Those that are listed, besides the filters.
    status : ndarray of float64, shape (len(catalogue),), optional
        What `sort` by status goes by.
    language : {"en", "vi"}
        Of the reasons.
    model : FitModel, optional
        As for `serving.ranking.shortlist`.

    Returns
    -------
    Shortlist
        Its frame holds the page, with the places of the whole list as `rank`.
    """
    mask = catalogue.mask(reading.brief)
    if among is not None:
        mask &= among
    candidates = np.flatnonzero(mask)
    assumed = catalogue.assumed_authenticity
    stop = start + size
    if sort in ("score", "fit"):
        likeness = (
            np.ones(len(candidates))
            if reading.missing
            else catalogue.profiles.similarities(reading.vector)[candidates].astype(np.float64)
        )
        if rising and sort == "fit":
            count = len(candidates)
            first, last = max(count - stop, 0), max(count - start, 0)
            places = _by_fit(catalogue, reading, candidates, likeness, sort, first, last, model)[::-1]
        else:
            places = _by_fit(catalogue, reading, candidates, likeness, sort, start, stop, model)
    else:
        keys = status if sort == "status" else catalogue.sort_keys(sort)
        if keys is None:
            keys = np.zeros(len(catalogue))
        chosen = keys[candidates]
        places = slice_of(-chosen if rising else chosen, assumed[candidates], start, stop)
    fitted = fit_of(catalogue, reading, candidates[places], model)
    known = np.ones(len(fitted.rows)) if reading.missing else fitted.fit
    frame = ranked_frame(catalogue, reading, fitted, words_for(language), model)
    frame = frame.assign(rank=np.arange(start + 1, start + 1 + len(frame)), score=known * assumed[fitted.rows])
    return Shortlist(
        frame.loc[:, list(RANKED_COLUMNS)],
        len(candidates),
        reading.missing,
        reading.niches,
        reading.found,
        {} if len(candidates) else catalogue.passing(reading.brief),
        PRIOR if model is None else model.version,
        size,
    )


def _by_fit(
    catalogue: Catalogue,
    reading: Reading,
    candidates: np.ndarray,
    likeness: Floats,
    sort: Sort,
    start: int,
    stop: int,
    model: FitModel | None,
) -> np.ndarray:
    """Places among the candidates of one page by fit × authenticity, or by fit, the highest first."""
    authentic = catalogue.assumed_authenticity[candidates]
    weight = authentic if sort == "score" else np.ones(len(candidates))
    first = order(likeness, weight, RETRIEVED)
    found = [first[:0]]
    if start < len(first):
        fitted: Fitted = fit_of(catalogue, reading, candidates[first], model)
        known = np.ones(len(first)) if reading.missing else fitted.fit
        found.append(first[order(known, weight[first])[start:stop]])
    if stop > len(first):
        rest = np.setdiff1d(np.arange(len(candidates)), first, assume_unique=True)
        more = slice_of((likeness * weight)[rest], authentic[rest], max(start - len(first), 0), stop - len(first))
        found.append(rest[more])
    return np.concatenate(found)


def position_keys(catalogue: Catalogue, codes: dict[str, float]) -> Floats:
    """Codes of some creators at their rows, 0 elsewhere; creators that the catalogue no longer has are left out."""
    keys = np.zeros(len(catalogue))
    for creator_id, code in codes.items():
        if creator_id in catalogue:
            keys[catalogue.position(creator_id)] = code
    return keys
