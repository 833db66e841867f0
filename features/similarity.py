"""Which texts of a group are nearly the same, without comparing all of them with all.

A text is the set of its shingles: every three folded characters in a row. Two texts are as similar as the Jaccard index
of their sets. It is estimated by one-permutation MinHash (Li, Owen & Zhang, "One Permutation Hashing", NIPS 2012):
each shingle is hashed once and falls into one of `BINS` bins, each bin keeps its smallest hash, and the estimate is the
share of bins that agree among those that are filled in either. Its standard error is at most √(J (1 - J) / BINS), .057
at J = .7; short texts leave bins to single shingles and are estimated more exactly than that.

Pairs worth comparing are found by locality-sensitive hashing (Leskovec, Rajaraman & Ullman, "Mining of Massive
Datasets", ch. 3): bins in bands of `BAND`, empty ones filled from their neighbours (Shrivastava & Li, "Densifying one
permutation hashing", 2014). A pair of similarity J shares one of the b = BINS / BAND bands with probability
1 - (1 - J**BAND)**b: .99 at .7, .9998 at .8, .64 at .5; those that share one by chance are then turned away by the
estimate. Work grows with the number of texts, never with its square: texts of one bucket are compared with their next
`REACH` neighbours only, which is enough to link them all where they are alike.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.texts import mixed, positions

SHINGLE = 3
BINS = 64
BAND = 4
REACH = 3
#: From this estimated Jaccard index on, texts are nearly the same.
SIMILAR = 0.7
_EMPTY = np.uint32(0xFFFFFFFF)
_STEPS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def shingle_signatures(codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """One-permutation MinHash of the shingles of each text.

    Parameters
    ----------
    codes, offsets : ndarray of uint32, ndarray of int64 (texts + 1,)
        Folded characters, as in `features.texts.Texts`.

    Returns
    -------
    ndarray of uint32, shape (texts, BINS)
        Smallest hash of each bin, the largest number where the bin is empty.
    """
    texts = offsets.size - 1
    signatures = np.full(texts * BINS, _EMPTY, dtype=np.uint32)
    lengths = np.maximum(np.diff(offsets) - SHINGLE + 1, 0)
    start = positions(offsets[:-1], offsets[:-1] + lengths)
    wide = codes.astype(np.uint64)
    hashes = np.zeros(start.size, dtype=np.uint64)
    for place, step in enumerate(_STEPS):
        hashes += wide[start + place] * step
    hashes = mixed(hashes)
    cells = np.repeat(np.arange(texts) * BINS, lengths) + (hashes >> np.uint64(58)).astype(np.int64)
    np.minimum.at(signatures, cells, (hashes & np.uint64(0xFFFFFFFE)).astype(np.uint32))
    return signatures.reshape(texts, BINS)


def estimated_jaccard(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of the bins filled in either signature that agree, shape (pairs,); 0 where both are empty."""
    filled = np.count_nonzero((left != _EMPTY) | (right != _EMPTY), axis=1)
    agree = np.count_nonzero((left == right) & (left != _EMPTY), axis=1)
    return agree / np.maximum(filled, 1)


def _densified(signatures: np.ndarray) -> np.ndarray:
    """Signatures whose empty bins take what the next filled bin holds, and how far away it is."""
    place = np.arange(2 * BINS, dtype=np.int16)
    filled = signatures != _EMPTY
    twice = np.concatenate([filled, filled], axis=1)
    next_filled = np.minimum.accumulate(np.where(twice, place, np.int16(2 * BINS))[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    source = np.where(next_filled < 2 * BINS, next_filled % BINS, 0)
    away = (next_filled - place[:BINS]).astype(np.uint64)
    return np.take_along_axis(signatures, source, axis=1).astype(np.uint64) + (away << np.uint64(32))


def _buckets(signatures: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Bucket of each text in each band, uint64 of shape (texts, bands); texts of different groups share none."""
    bands = _densified(signatures).reshape(groups.size, BINS // BAND, BAND)
    steps = _STEPS[0] ** np.arange(1, BAND + 1, dtype=np.uint64)
    number = np.arange(1, bands.shape[1] + 1, dtype=np.uint64)
    keys = mixed((bands * steps).sum(axis=2, dtype=np.uint64) + number * _STEPS[1])
    return mixed(keys + groups.astype(np.uint64)[:, None] * _STEPS[2])


def similar_pairs(signatures: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Pairs of texts of one group that are nearly the same.

    Parameters
    ----------
    signatures : ndarray of uint32, shape (texts, BINS)
    groups : ndarray of int64, shape (texts,)
        Only texts of the same group are compared.

    Returns
    -------
    ndarray of int64, shape (pairs, 2)
        Positions of the texts, each pair once; enough pairs to link whatever is alike, not all of them. What is found
        in a group depends on the order of its texts and on nothing outside it.
    """
    buckets = _buckets(signatures, groups).ravel()
    order = np.argsort(buckets, kind="stable")
    ordered, text = buckets[order], order // (BINS // BAND)
    found = []
    for reach in range(1, REACH + 1):
        together = np.flatnonzero(ordered[reach:] == ordered[:-reach])
        found.append(np.stack([text[together], text[together + reach]], axis=1))
    # sorted by hand: `np.unique` puts whole numbers into a hash table first, several times as slow where most are equal
    keys = np.sort(np.concatenate(found) @ np.array([groups.size, 1]))
    pairs = keys[np.diff(keys, prepend=-1) != 0]
    pairs = np.stack([pairs // max(groups.size, 1), pairs % max(groups.size, 1)], axis=1)
    pairs = pairs[groups[pairs[:, 0]] == groups[pairs[:, 1]]]
    return pairs[estimated_jaccard(signatures[pairs[:, 0]], signatures[pairs[:, 1]]) >= SIMILAR]


def clusters(pairs: np.ndarray, texts: int) -> np.ndarray:
    """Number of the cluster of each text, int64 of shape (texts,): who is linked to whom, over others as well."""
    links = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(texts, texts))
    return connected_components(links, directed=False)[1].astype(np.int64)
