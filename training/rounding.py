"""Counts as platforms publish them: YouTube keeps three figures, scraped pages print 541.2K."""

import numpy as np

EXACT, THREE_FIGURES, KILO = 0, 1, 2
#: Fewest values that tell a rounding from chance: an exact count ends in 00 once in a hundred times.
_LEAST = 3


def granularity(counts: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Step that each count is rounded down to, of the same shape: 1 where it is published exactly.

    `THREE_FIGURES` keeps three significant figures from 1,000 on (YouTube Data API, `subscriberCount`); `KILO` keeps
    one decimal of thousands from 10,000 and of millions from 1,000,000 (counts as pages print them: "541.2K", "1.4M").
    """
    digits = np.floor(np.log10(np.maximum(counts, 1)) + 1e-12)
    three = np.where(counts >= 1_000, 10.0 ** np.maximum(digits - 2, 0), 1.0)
    kilo = np.where(counts >= 1_000_000, 100_000.0, np.where(counts >= 10_000, 100.0, 1.0))
    return np.where(rounding == THREE_FIGURES, three, np.where(rounding == KILO, kilo, 1.0))


def round_counts(counts: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Counts as published: rounded down to their `granularity`; NaN stays NaN."""
    whole = np.floor(counts)
    step = granularity(np.nan_to_num(whole), rounding)
    return np.floor(whole / step) * step


def detect_rounding(counts: np.ndarray, owner: np.ndarray, owners: int) -> np.ndarray:
    """How each owner's counts were published.

    Parameters
    ----------
    counts : ndarray of float64, shape (rows,)
        NaN where unknown.
    owner : ndarray of int, shape (rows,)
        Which owner, 0 to owners - 1, a row belongs to.
    owners : int
        How many there are.

    Returns
    -------
    ndarray of int, shape (owners,)
        `THREE_FIGURES` or `KILO` where at least three counts could show it and all do, else `EXACT`.
    """
    found = np.full(owners, EXACT)
    values = np.nan_to_num(counts)
    for rounding in (KILO, THREE_FIGURES):
        step = granularity(values, np.full(values.shape, rounding))
        telling = step > 1
        kept = np.bincount(owner, weights=telling & (values % step == 0), minlength=owners)
        could = np.bincount(owner, weights=telling, minlength=owners)
        found = np.where((could >= _LEAST) & (kept == could), rounding, found)
    return found
