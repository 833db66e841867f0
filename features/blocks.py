"""Padded blocks of creators of similar length, and statistics along their rows.

Creators are sorted by their number of rows and laid out in blocks of about `CELLS` cells, shorter rows padded with NaN:
statistics then run along the rows of one array, and padding to the longest creator of a block wastes little. Padding in
creator order instead was measured at 10 times the time on uneven counts.

Statistics take a float64 array of shape (..., width) whose missing values are NaN and return one number a row, NaN
where fewer than `least` values are there. Several columns of a block are laid over each other, (columns, creators,
width), so that one call serves them all: it costs a batch nothing and is what makes a single history fast. No statistic
depends on how far a row is padded, to the last bit: a creator alone, in a request, gets the numbers that it gets in a
batch.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Cells of one block, measured: fewer leave more to the interpreter, on which threads wait, more leave the caches.
CELLS = 65_536
#: Rows are padded to a multiple of this.
LANES = 8
#: Cells that `row_sum` adds at once.
CHUNK = 128
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
    lengths : ndarray of int64, shape (rows,)
        Cells of each row that are not padding.
    starts : ndarray of int64, shape (rows,)
        Where each row begins in the flat columns.
    width : int
        Cells of every row with its padding, a multiple of `LANES`.
    """

    creators: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    width: int

    @cached_property
    def present(self) -> np.ndarray:
        """Bool of shape (rows, width): False in the padding, which fills rows from the right."""
        return np.asarray(np.arange(self.width) < self.lengths[:, None])

    @cached_property
    def index(self) -> np.ndarray:
        """Where each cell's value stands in the flat columns, int64 of shape (rows, width); 0 in the padding."""
        return np.where(self.present, self.starts[:, None] + np.arange(self.width), 0)

    def pad(self, values: np.ndarray) -> np.ndarray:
        """Lay out a flat float64 column as (rows, width), NaN in the padding."""
        return np.where(self.present, values[self.index], np.nan)

    def pad_all(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Lay out flat float64 columns as (columns, rows, width), NaN in the padding."""
        stacked = np.empty((len(columns), *self.index.shape))
        for place, values in zip(stacked, columns, strict=True):
            values.take(self.index, out=place, mode="clip")  # without a mode, `out` is buffered
        np.copyto(stacked, np.nan, where=~self.present)
        return stacked

    def unpad(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write a padded (rows, width) array back into a flat column."""
        out[self.index[self.present]] = values[self.present]

    def last(self, count: int) -> np.ndarray:
        """Mask of each row's last `count` cells, bool of shape (rows, width)."""
        return self.present & (np.arange(self.width) >= self.lengths[:, None] - count)

    def newest(self, stacked: np.ndarray, count: int) -> np.ndarray:
        """Last `count` cells of each row that are not padding, (columns, rows, count), NaN from the left where fewer.

        Parameters
        ----------
        stacked : ndarray of float64, shape (columns, rows, width)
        """
        cells = self.lengths[:, None] + np.arange(-count, 0)
        flat = np.maximum(cells, 0) + np.arange(self.lengths.size)[:, None] * self.width
        taken = stacked.reshape(len(stacked), -1)[:, flat]
        np.copyto(taken, np.nan, where=cells < 0)
        return taken

    def tail(self, stacked: np.ndarray, count: int) -> np.ndarray:
        """Last `count` cells of each row that are not padding, (columns, rows, width or `count`), padded as the block.

        Parameters
        ----------
        stacked : ndarray of float64, shape (columns, rows, width)
        """
        if self.width <= count:
            return stacked
        cells = np.maximum(self.lengths - count, 0)[:, None] + np.arange(count)
        return np.asarray(np.take_along_axis(stacked, cells[None], -1))

    def from_tail(self, values: np.ndarray) -> np.ndarray:
        """Put (rows, cells), laid out as `tail` returns them, back into (rows, width), NaN in all earlier cells."""
        count = values.shape[-1]
        cells = np.arange(self.width) - np.maximum(self.lengths - count, 0)[:, None]
        there = self.present & (cells >= 0)
        return np.where(there, np.take_along_axis(values, np.clip(cells, 0, count - 1), -1), np.nan)


def make_blocks(offsets: np.ndarray, *, cells: int = CELLS) -> Iterator[Block]:
    """Yield blocks of creators of similar length; creators without rows are in none.

    Parameters
    ----------
    offsets : ndarray of int64, shape (creators + 1,)
        As in `features.histories.Events`.
    cells : int
        Cells a block may have; a single longer creator still gets a block of its own.
    """
    lengths = offsets[1:] - offsets[:-1]
    if lengths.size == 1 and lengths[0]:  # a request
        yield Block(np.zeros(1, dtype=np.int64), lengths, offsets[:1], _padded(lengths[0]))
        return
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    sorted_lengths = lengths[order]
    start = 0
    while start < order.size:
        most = max(1, min(order.size - start, int(cells // sorted_lengths[start])))
        sizes = sorted_lengths[start : start + most] * np.arange(1, most + 1)
        stop = start + max(1, int(np.searchsorted(sizes, cells, side="right")))
        creators = order[start:stop]
        yield Block(creators, lengths[creators], offsets[creators], _padded(sorted_lengths[stop - 1]))
        start = stop


def _padded(length: int) -> int:
    return -(-int(length) // LANES) * LANES


def block_signals(
    names: Sequence[str],
    offsets: np.ndarray,
    compute: Callable[[Block], Mapping[str, np.ndarray]],
    *,
    threads: int | None = None,
) -> dict[str, np.ndarray]:
    """Signals of every creator, block by block; the result does not depend on the number of threads.

    Parameters
    ----------
    names : sequence of str
        Signals that `compute` may return.
    offsets : ndarray of int64, shape (creators + 1,)
    compute : callable
        From a block to float64 arrays of shape (rows,), by signal; a signal that it leaves out is missing.
    threads : int, optional
        One a core by default. NumPy lets go of the interpreter while it works on arrays of this size.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
    """
    columns = dict(zip(names, np.full((len(names), offsets.size - 1), np.nan), strict=True))

    def fill(block: Block) -> None:
        for name, values in compute(block).items():
            columns[name][block.creators] = values

    blocks = make_blocks(offsets)
    if threads == 1 or offsets[-1] <= CELLS:
        for block in blocks:
            fill(block)
    else:
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            list(pool.map(fill, blocks))
    return columns


def block_pointers(offsets: np.ndarray, compute: Callable[[Block], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Saliences of rows of events, block by block.

    Parameters
    ----------
    offsets : ndarray of int64, shape (creators + 1,)
    compute : callable
        From a block to float64 arrays of shape (rows, width), by pointer.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (events,)
        Pointers of every block; NaN where a row is not pointed at. Empty without events.
    """
    columns: dict[str, np.ndarray] = {}
    for block in make_blocks(offsets):
        for name, values in compute(block).items():
            block.unpad(values, columns.setdefault(name, np.full(int(offsets[-1]), np.nan)))
    return columns


def known(x: np.ndarray) -> np.ndarray:
    """Where a value is there: only NaN differs from itself."""
    return np.asarray(x == x)  # noqa: PLR0124


def row_count(x: np.ndarray) -> np.ndarray:
    """Values of each row that are not missing."""
    counted: np.ndarray = np.add.reduce(known(x), axis=-1, dtype=np.int64)
    return counted


def enough(values: np.ndarray, count: np.ndarray, least: int | np.ndarray) -> np.ndarray:
    """`values` where `count` is at least `least`, NaN elsewhere."""
    return np.where(count >= least, values, np.nan)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient that is NaN where the denominator is 0 or missing."""
    return np.asarray(above / np.where(below == 0, np.nan, below))


def cell(x: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Value of one cell of each row: `x` of shape (..., width), `position` of shape (...)."""
    if position.size == 1:
        return x.ravel().take(position)
    starts = np.arange(0, x.size, x.shape[-1])
    return x.ravel().take(starts.reshape(position.shape) + position)


def filled_sum(x: np.ndarray) -> np.ndarray:
    """Sum of each row of `x`, which has no missing values.

    NumPy adds up to 128 neighbours in eight lanes, and longer rows in halves of halves [1]_, so that the last bit of a
    long row would depend on its padding. Chunk after chunk it does not: padding adds nothing but zeros.

    References
    ----------
    .. [1] "Notes" of `numpy.sum`, and `pairwise_sum` in NumPy's `loops_utils.h.src`.
    """
    if x.shape[-1] <= CHUNK:
        return np.asarray(np.add.reduce(x, axis=-1))
    total: np.ndarray = np.add.reduce(x[..., :CHUNK], axis=-1)
    for start in range(CHUNK, x.shape[-1], CHUNK):
        total = total + np.add.reduce(x[..., start : start + CHUNK], axis=-1)
    return total


def row_sum(x: np.ndarray) -> np.ndarray:
    """Sum of the values of each row that are not missing, 0 where there is none."""
    return filled_sum(zeroed(lanes(x)))


def lanes(x: np.ndarray) -> np.ndarray:
    """`x` padded with NaN to a multiple of `LANES` cells a row."""
    missing = -x.shape[-1] % LANES
    if not missing:
        return x
    return np.concatenate([x, np.full((*x.shape[:-1], missing), np.nan)], axis=-1)


def zeroed(x: np.ndarray) -> np.ndarray:
    """`x` with 0 for what is missing."""
    return np.where(known(x), x, 0.0)


class Moments:
    """Mean and spread of rows, and the deviations that several statistics share.

    Values are counted from each row's first, so that equal values have a mean without rounding and no spread at all.

    Parameters
    ----------
    x : ndarray of float64, shape (..., width)
    """

    def __init__(self, x: np.ndarray) -> None:
        x = lanes(x)
        self.known = known(x)
        self.count: np.ndarray = np.add.reduce(self.known, axis=-1)
        missing = ~self.known
        first = cell(x, self.known.argmax(axis=-1))
        self.deviations = x - first[..., None]
        np.copyto(self.deviations, 0.0, where=missing)
        from_first = filled_sum(self.deviations) / np.maximum(self.count, 1)
        self.deviations -= from_first[..., None]
        np.copyto(self.deviations, 0.0, where=missing)
        #: Shape (...); NaN where a row has no value.
        self.mean = first + from_first

    @cached_property
    def squares(self) -> np.ndarray:
        """Sum of squared deviations, shape (...)."""
        return filled_sum(self.deviations * self.deviations)

    @cached_property
    def sd(self) -> np.ndarray:
        """Standard deviation with n - 1 in the denominator; NaN below two values."""
        return np.sqrt(np.where(self.count > 1, self.squares / np.maximum(self.count - 1, 1), np.nan))


class Ordered:
    """Rows sorted once, for every statistic that needs their order.

    Parameters
    ----------
    x : ndarray of float64, shape (..., width)
    count : ndarray of int64, shape (...), optional
        Values of each row that are not missing, where they have been counted.
    """

    def __init__(self, x: np.ndarray, count: np.ndarray | None = None) -> None:
        self.values = x.copy()
        self.values.sort(axis=-1)  # NumPy sorts NaN to the end
        self.count = row_count(x) if count is None else count
        self._last = np.maximum(self.count - 1, 0)

    def quantile(self, q: float) -> np.ndarray:
        """Quantile of each row, linear between neighbours as in `numpy.quantile`; NaN where a row is empty."""
        position = self._last * q
        below = position.astype(np.int64)
        starts = np.arange(0, self.values.size, self.values.shape[-1]).reshape(below.shape)
        flat = self.values.ravel()
        low, high = flat.take(starts + below), flat.take(starts + np.minimum(below + 1, self._last))
        return low + (high - low) * (position - below)

    @cached_property
    def median(self) -> np.ndarray:
        """Median of each row; NaN where a row is empty."""
        return self.quantile(0.5)

    @property
    def lowest(self) -> np.ndarray:
        """Lowest value of each row; NaN where a row is empty."""
        return self.values[..., 0]

    @cached_property
    def highest(self) -> np.ndarray:
        """Highest value of each row; NaN where a row is empty."""
        return cell(self.values, self._last)

    def gini(self, total: np.ndarray) -> np.ndarray:
        """Gini coefficient of each row of values of 0 or more: 0 all equal, towards 1 all in one.

        Parameters
        ----------
        total : ndarray of float64, shape (...)
            Sum of each row; of the first columns only, where no others are wanted.
        """
        values, count = self.values[: len(total)], self.count[: len(total)]
        ranks = 2.0 * np.arange(1, values.shape[-1] + 1) - (count[..., None] + 1.0)
        return ratio(row_sum(values * ranks), count * total)


def median_and_mad(x: np.ndarray) -> tuple[Ordered, np.ndarray]:
    """Rows in order, and the median absolute deviation from each row's median, not scaled."""
    ordered = Ordered(x)
    return ordered, Ordered(np.abs(x - ordered.median[..., None]), ordered.count).median


def row_max(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Largest value of each row."""
    largest: np.ndarray = np.fmax.reduce(x, axis=-1)
    return largest if least <= 1 else enough(largest, row_count(x), least)


def row_mean(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Mean of each row; exactly its value where all its values are equal."""
    moments = Moments(x)
    return enough(moments.mean, moments.count, max(least, 1))


def row_median(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Median of each row."""
    ordered = Ordered(x)
    return enough(ordered.median, ordered.count, max(least, 1))


def row_mad(x: np.ndarray, least: int = 1) -> np.ndarray:
    """Median absolute deviation from the median of each row, not scaled."""
    ordered, mad = median_and_mad(x)
    return enough(mad, ordered.count, max(least, 1))


class Pairs:
    """How two columns move together in each row, over the cells where both are there.

    Parameters
    ----------
    xy : ndarray of float64, shape (2, ..., width)
        One column over the other.
    least : int
        Pairs that a statistic needs, at least 3.
    """

    def __init__(self, xy: np.ndarray, least: int = 3) -> None:
        pairs = Moments(np.where(known(xy[0] + xy[1]), xy, np.nan))  # a sum is missing where either is
        a, b = pairs.deviations
        self._covariance = filled_sum(a * b)
        self._squares = pairs.squares
        self._count = pairs.count[0]
        self._constant = pairs.squares <= self._count * (ROUNDING * pairs.mean) ** 2
        self._least = max(least, 3)

    @property
    def correlation(self) -> np.ndarray:
        """Pearson correlation, shape (...); NaN where a column does not vary."""
        squares_x, squares_y = self._squares
        norm = np.sqrt(squares_x * squares_y)
        tiny = self._constant[0] | self._constant[1] | (norm < 1e-12 * np.maximum(self._count, 1))
        return enough(ratio(self._covariance, np.where(tiny, 0.0, norm)), self._count, self._least)

    @property
    def slope(self) -> np.ndarray:
        """Slope of the least-squares line of `y` over `x`, shape (...); NaN where `x` does not vary."""
        squares = np.where(self._constant[0], 0.0, self._squares[0])
        return enough(ratio(self._covariance, squares), self._count, self._least)


def row_correlation(x: np.ndarray, y: np.ndarray, least: int = 3) -> np.ndarray:
    """Pearson correlation of each row's pairs, over the cells where both are there; NaN where one does not vary."""
    return Pairs(np.array([x, y]), least).correlation


def trend(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares line of each row.

    Parameters
    ----------
    x : ndarray of float64, shape (..., width)
    t : ndarray of float64, shape (..., width)
        Known wherever `x` is.

    Returns
    -------
    slope : ndarray of float64, shape (...)
        In units of `x` per unit of `t`; NaN below three values and where `t` does not vary.
    residual : ndarray of float64, shape (..., width)
        `x` less its line; less its mean where no line can be drawn.
    """
    both = np.empty((2, *x.shape))
    both[0] = x
    both[1] = np.where(known(x), t, np.nan)
    moments = Moments(both)
    own, when = moments.deviations
    slope = enough(ratio(filled_sum(own * when), filled_sum(when * when)), moments.count[0], 3)
    residual = own - zeroed(slope)[..., None] * when
    return slope, np.where(moments.known[0], residual, np.nan)[..., : x.shape[-1]]


def row_cusum(moments: Moments) -> np.ndarray:
    """Largest departure of the running sum from a straight line, over sd × √n: a shift of level somewhere in the row.

    The CUSUM statistic of change-point analysis (Page 1954); 1.36 is its 5 % point for independent values.
    """
    running = np.add.accumulate(moments.deviations, axis=-1)
    reach: np.ndarray = np.maximum.reduce(np.abs(running), axis=-1)
    return ratio(reach, moments.sd * np.sqrt(moments.count))


def row_entropy(labels: np.ndarray, classes: int, least: int = 1) -> np.ndarray:
    """Shannon entropy in bits of each row's labels 0 to classes - 1 (float, NaN missing), (..., width) to (...)."""
    rows = labels.shape[:-1]
    starts = np.arange(0, labels.size // labels.shape[-1] * classes, classes)
    beyond = starts.size * classes
    flat = np.where(known(labels), starts.reshape(*rows, 1) + labels, beyond).astype(np.int64)
    table = np.bincount(flat.ravel(), minlength=beyond + 1)[:-1].reshape(*rows, classes)
    count = np.add.reduce(table, axis=-1)
    shares = table / np.maximum(count, 1)[..., None]
    return enough(-row_sum(shares * np.log2(np.where(shares > 0, shares, 1.0))), count, max(least, 1))
