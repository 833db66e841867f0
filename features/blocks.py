"""Padded blocks of creators of similar length, and row statistics over them.

Creators are sorted by their number of rows and laid out in blocks of about `CELLS` cells, shorter rows padded with NaN:
statistics then run along the rows of one array, and padding to the longest creator of a block wastes little. Padding in
creator order instead was measured at 10 times the time on uneven counts.

All statistics take a float64 array of shape (creators, width) whose missing values are NaN and return one number a
creator, NaN where fewer than `least` values are there. None depends on how far a row is padded, to the last bit: a
creator alone, in a request, gets the numbers that it gets in a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

#: Cells of one block: about 1.6 MB of float64, which stays in a core's cache while it is sorted and reduced.
CELLS = 200_000
#: Makes the median absolute deviation of a normal sample estimate its standard deviation.
MAD_TO_SD = 1.4826
#: A row that varies by less than this part of its level is constant but for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Block:
    """Creators laid out as rows.

    Attributes
    ----------
    creators : ndarray of int64, shape (rows,)
        Positions of the creators.
    index : ndarray of int64, shape (rows, width)
        Where each cell's value stands in the flat columns.
    present : ndarray of bool, shape (rows, width)
        False in the padding, which fills rows from the right.
    """

    creators: np.ndarray
    index: np.ndarray
    present: np.ndarray

    def pad(self, values: np.ndarray) -> np.ndarray:
        """Lay out a flat float64 column as (rows, width), NaN in the padding."""
        return np.where(self.present, values[self.index], np.nan)

    def last(self, count: int) -> np.ndarray:
        """Mask of each row's last `count` cells, bool of shape (rows, width)."""
        lengths = self.present.sum(axis=1, keepdims=True)
        return self.present & (np.arange(self.present.shape[1]) >= lengths - count)


def make_blocks(offsets: np.ndarray, *, cells: int = CELLS) -> Iterator[Block]:
    """Yield blocks of creators of similar length; creators without rows are in none.

    Parameters
    ----------
    offsets : ndarray of int64, shape (creators + 1,)
        As in `features.histories.Events`.
    cells : int
        Cells a block may have; a single longer creator still gets a block of its own.
    """
    lengths = np.diff(offsets)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    sorted_lengths = lengths[order]
    start = 0
    while start < order.size:
        most = max(1, min(order.size - start, int(cells // sorted_lengths[start])))
        sizes = sorted_lengths[start : start + most] * np.arange(1, most + 1)
        stop = start + max(1, int(np.searchsorted(sizes, cells, side="right")))
        creators = order[start:stop]
        steps = np.arange(sorted_lengths[stop - 1])
        present = steps < lengths[creators, None]
        yield Block(creators, np.where(present, offsets[creators, None] + steps, 0), present)
        start = stop


def row_count(x: np.ndarray) -> np.ndarray:
    """Values of each row that are not missing."""
    return np.count_nonzero(~np.isnan(x), axis=1)


def enough(values: np.ndarray, count: np.ndarray, least: int) -> np.ndarray:
    """`values` where `count` is at least `least`, NaN elsewhere."""
    return np.where(count >= least, values, np.nan)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient that is NaN where the denominator is 0 or missing."""
    return np.divide(
        above,
        below,
        out=np.full(np.broadcast(above, below).shape, np.nan),
        where=np.abs(below) > 0,
    )


def row_sum(x: np.ndarray) -> np.ndarray:
    """Sum of the values of each row that are not missing, 0 where there is none.

    Neighbours are added in pairs, then the pairs, and so on from the left: padding adds nothing but zeros to it.
    `numpy.nansum` is as fast, but groups by the width of the block, so that the last bit would depend on the batch.
    """
    total = np.where(np.isnan(x), 0.0, x)
    while (width := total.shape[1]) > 1:
        if width % 2:
            pairs = total[:, ::2].copy()
            pairs[:, :-1] += total[:, 1::2]
            total = pairs
        else:
            total = total[:, ::2] + total[:, 1::2]
    return total.sum(axis=1)


def row_mean(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Mean of each row; exactly its value where a row has only one."""
    if x.shape[1] == 0:
        return np.full(x.shape[0], np.nan)
    known = ~np.isnan(x)
    count = np.count_nonzero(known, axis=1)
    # counted from the first value, equal values have a mean without rounding and no spread at all
    first = x[np.arange(x.shape[0]), np.argmax(known, axis=1)]
    return enough(first + row_sum(x - first[:, None]) / np.maximum(count, 1), count, least)


def row_sd(x: np.ndarray, least: int = 2) -> np.ndarray:
    """Standard deviation of each row, with n - 1 in the denominator."""
    count = row_count(x)
    squares = row_sum((x - row_mean(x)[:, None]) ** 2)
    return enough(np.sqrt(ratio(squares, count - 1.0)), count, max(least, 2))


def row_cv(x: np.ndarray, least: int = 2) -> np.ndarray:
    """Coefficient of variation: standard deviation over mean."""
    return ratio(row_sd(x, least), row_mean(x))


def row_max(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Largest value of each row."""
    count = row_count(x)
    return enough(
        np.max(np.where(np.isnan(x), -np.inf, x), axis=1, initial=-np.inf),
        count,
        max(least, 1),
    )


def row_quantile(x: np.ndarray, q: float, least: int = 1) -> np.ndarray:
    """Quantile of each row, linear between neighbours as in `numpy.quantile`."""
    return _quantile_of_sorted(np.sort(x, axis=1), row_count(x), q, least)  # numpy sorts NaN to the end


def _quantile_of_sorted(ordered: np.ndarray, count: np.ndarray, q: float, least: int) -> np.ndarray:
    if ordered.shape[1] == 0:
        return np.full(count.size, np.nan)
    position = np.maximum(count - 1, 0) * q
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    rows = np.arange(count.size)
    low, high = ordered[rows, below], ordered[rows, above]
    return enough(low + (high - low) * (position - below), count, max(least, 1))


def row_median(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Median of each row."""
    return row_quantile(x, 0.5, least)


def row_mad(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Median absolute deviation from the median of each row, not scaled."""
    return row_median(np.abs(x - row_median(x)[:, None]), least)


def row_robust_z(x: np.ndarray, floor: np.ndarray | float = 0.0) -> np.ndarray:
    """Distance of each cell from its row's median in robust standard deviations, shape (creators, width).

    Parameters
    ----------
    floor : float or ndarray of shape (creators, 1)
        Added to the spread, in the unit of `x`: keeps rows of nearly equal values from giving huge distances.
    """
    centre, spread = row_median(x)[:, None], MAD_TO_SD * row_mad(x)[:, None]
    return ratio(x - centre, spread + floor)


def row_gini(x: np.ndarray, least: int = 2) -> np.ndarray:
    """Gini coefficient of each row of values of 0 or more: 0 all equal, towards 1 all in one."""
    ordered, count = np.sort(x, axis=1), row_count(x)
    ranks = 2 * np.arange(1, x.shape[1] + 1) - count[:, None] - 1
    weighted = row_sum(ordered * ranks)
    return enough(ratio(weighted, count * row_sum(x)), count, max(least, 2))


def row_correlation(x: np.ndarray, y: np.ndarray, least: int = 3) -> np.ndarray:
    """Pearson correlation of each row's pairs, over the cells where both are there; NaN where one does not vary."""
    both = ~(np.isnan(x) | np.isnan(y))
    count = both.sum(axis=1)
    a, b = np.where(both, x, np.nan), np.where(both, y, np.nan)
    level_a, level_b = row_mean(a), row_mean(b)
    a, b = a - level_a[:, None], b - level_b[:, None]
    covariance, squares_a, squares_b = row_sum(a * b), row_sum(a * a), row_sum(b * b)
    norm = np.sqrt(squares_a * squares_b)
    constant = (squares_a <= count * (ROUNDING * level_a) ** 2) | (squares_b <= count * (ROUNDING * level_b) ** 2)
    tiny = constant | (norm < 1e-12 * np.maximum(count, 1))
    return enough(ratio(covariance, np.where(tiny, 0.0, norm)), count, max(least, 3))


def row_autocorrelation(x: np.ndarray, least: int = 5) -> np.ndarray:
    """Correlation of each row with itself one step later."""
    if x.shape[1] < 2:
        return np.full(x.shape[0], np.nan)
    return row_correlation(x[:, :-1], x[:, 1:], least)


def row_slope(x: np.ndarray, t: np.ndarray, least: int = 3) -> np.ndarray:
    """Slope of the least-squares line of `x` over `t`, in units of `x` per unit of `t`."""
    both = ~(np.isnan(x) | np.isnan(t))
    a, b = np.where(both, x, np.nan), np.where(both, t, np.nan)
    a, b = a - row_mean(a)[:, None], b - row_mean(b)[:, None]
    return enough(
        ratio(row_sum(a * b), row_sum(b * b)),
        both.sum(axis=1),
        least,
    )


def detrend(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """`x` less its least-squares line over `t`, shape (creators, width); less its mean where no line can be drawn."""
    known = np.where(np.isnan(x), np.nan, t)
    slope = np.nan_to_num(row_slope(x, t, least=3))
    return x - row_mean(x)[:, None] - slope[:, None] * (t - row_mean(known)[:, None])


def row_cusum(x: np.ndarray, least: int = 10) -> np.ndarray:
    """Largest departure of the running sum from a straight line, over sd × √n: a shift of level somewhere in the row.

    The CUSUM statistic of change-point analysis (Page 1954); 1.36 is its 5 % point for independent values.
    """
    count = row_count(x)
    centred = np.where(np.isnan(x), 0.0, x - row_mean(x)[:, None])
    reach = np.max(np.abs(np.cumsum(centred, axis=1)), axis=1, initial=0.0)
    return enough(ratio(reach, row_sd(x) * np.sqrt(np.maximum(count, 1))), count, least)


def row_entropy(labels: np.ndarray, classes: int, least: int = 5) -> np.ndarray:
    """Shannon entropy in bits of each row's labels 0 to classes - 1 (float, NaN missing)."""
    count = row_count(labels)
    rows, cells = np.nonzero(~np.isnan(labels))
    flat = rows * classes + labels[rows, cells].astype(np.int64)
    table = np.bincount(flat, minlength=labels.shape[0] * classes).reshape(labels.shape[0], classes)
    shares = table / np.maximum(count, 1)[:, None]
    bits = -row_sum(shares * np.log2(np.where(shares > 0, shares, 1.0)))
    return enough(bits, count, least)
