"""Which creators train, calibrate and test: disjoint by creator and stable by name."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
import pandas as pd

FRACTIONS: Mapping[str, float] = MappingProxyType({"train": 0.6, "calibration": 0.2, "test": 0.2})


def split_creators(ids: Iterable[str], fractions: Mapping[str, float] = FRACTIONS, seed: int = 0) -> pd.Series:
    """Put every creator on one side of the split.

    The side depends on the id and the seed alone (a keyed hash of the id read as a number in [0, 1)), so a creator
    never changes sides when others come, go or change order, and no creator can be on two sides.

    Parameters
    ----------
    ids : iterable of str
        Creator ids; repeats are allowed and count once.
    fractions : mapping of str to float
        Share of creators a side receives on average; the shares add up to 1. Their order matters.
    seed : int
        Another seed is another, independent split.

    Returns
    -------
    Series of str, named `split`
        Side of each distinct creator; index `creator_id` in order of first appearance.

    Raises
    ------
    ValueError
        Where a share is negative, or the shares do not add up to 1.
    """
    shares = np.array(list(fractions.values()), dtype=np.float64)
    if not len(shares) or (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(f"fractions must be 0 or more and add up to 1, found {dict(fractions)}")
    creators = pd.Index(pd.unique(pd.Series(list(ids), dtype="str")), name="creator_id")
    # The last bound is left out: everything above the one before it belongs to the last side, whatever the rounding.
    sides = np.searchsorted(np.cumsum(shares)[:-1], _positions(creators, seed), side="right")
    names = np.array(list(fractions), dtype=object)
    return pd.Series(names[sides], index=creators, name="split", dtype="str")


def _positions(creators: pd.Index, seed: int) -> np.ndarray:
    """Place of each creator in [0, 1): the top 53 bits of a hash keyed with the seed."""
    key = str(seed).encode()
    hashes = (blake2b(creator.encode(), digest_size=8, key=key).digest() for creator in creators)
    return np.array([int.from_bytes(digest) >> 11 for digest in hashes], dtype=np.float64) / 2.0**53
