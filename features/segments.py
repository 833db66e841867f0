"""Rows in two parts: values that fall into two groups, and stretches of neighbours that stand out.

Who buys counts for some posts, or for a while, leaves posts of two kinds. Each function takes a float64 array of shape
(..., width) in the order of time, missing values and padding from the right NaN, and looks for the parting that
separates best. As in `features.blocks`, whose widths these are, nothing depends on how far a row is padded, to the last
bit.
"""

import numpy as np

from features.blocks import MAD_TO_SD, Moments, Ordered, filled_sum, known

#: Values that a parting needs, and that each part has at least; of a group also this share of all.
LEAST, LEAST_PART, LEAST_SHARE = 10, 4, 0.1
#: Lengths of the stretches that are tried besides all that reach to the newest post, nearly geometric.
LENGTHS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
#: Log units that are added to spreads: counts are not known better.
FLOOR = 0.05
#: Squared log units between groups that rounding alone may leave.
NOTHING = 1e-9
#: What a residual assumes before it has seen the row: elasticities, and the weight of that in squared log units.
USUAL_ELASTICITY, WEIGHT = 0.4, 2.0


def unexplained(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What of `y` two other columns do not explain, by ridge regression towards usual elasticities.

    Parameters
    ----------
    y : ndarray of float64, shape (rows, width)
        Logarithms.
    x : ndarray of float64, shape (2, rows, width)
        Logarithms; a column that is constant in a row explains nothing there.

    Returns
    -------
    ndarray of float64, shape (rows, width)
        Mean 0 in each row; NaN where `y` or either column is missing.
    """
    together = np.concatenate([y[None], x])
    together = np.where(known(together.sum(axis=0)), together, np.nan)
    moments = Moments(together)
    own, first, second = moments.deviations[..., : y.shape[-1]]
    cross = filled_sum(first * second)
    squares = moments.squares[1:] + WEIGHT
    with_own = np.array([filled_sum(first * own), filled_sum(second * own)]) + USUAL_ELASTICITY * WEIGHT
    determinant = squares[0] * squares[1] - cross * cross  # above 0: both squares are more than the sums alone
    slopes = (with_own * squares[::-1] - with_own[::-1] * cross) / determinant
    residual = own - slopes[0][..., None] * first - slopes[1][..., None] * second
    return np.where(known(together[0]), residual, np.nan)


def upper_group(x: np.ndarray) -> np.ndarray:
    """The upper of two groups of values: the cut that leaves least variance within them (Otsu 1979).

    Returns
    -------
    ndarray of bool, shape (..., width)
        False everywhere below `LEAST` values, and where all are equal.
    """
    values = np.sort(x, axis=-1)  # NumPy sorts NaN to the end
    moments = Moments(values)
    count = moments.count[..., None]
    below = np.arange(1, values.shape[-1] + 1)
    above = count - below
    least = np.maximum(LEAST_PART, np.ceil(LEAST_SHARE * count))
    sums = np.add.accumulate(moments.deviations[..., : x.shape[-1]], axis=-1)
    between = sums * sums / np.maximum(below * above, 1)
    # equal values cannot be parted
    apart = np.empty(values.shape, dtype=bool)
    apart[..., -1] = False
    np.less(values[..., :-1], values[..., 1:], out=apart[..., :-1])
    between = np.where(apart & (below >= least) & (above >= least) & (count >= LEAST), between, 0.0)
    best = between.argmax(axis=-1)[..., None]
    cut = np.where(np.take_along_axis(between, best, -1) > NOTHING, np.take_along_axis(values, best, -1), np.inf)
    return np.asarray(x > cut)


def strongest_stretch(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The stretch of neighbours whose mean is furthest from the mean of the others.

    Returns
    -------
    score : ndarray of float64, shape (...)
        Of the values that are there, one after the other: difference of the means × √(n m / (n + m)), over a standard
        deviation from differences of neighbours, which a change of level does not widen (von Neumann 1941), and
        `FLOOR`; NaN below `LEAST` values.
    higher : ndarray of bool, shape (..., width)
        The part with the higher mean: the stretch or the others.
    """
    width = x.shape[-1]
    order = np.argsort(~known(x), axis=-1, kind="stable")
    x = np.take_along_axis(x, order, -1)  # without gaps: neighbours are values that follow each other
    moments = Moments(x)
    start = np.zeros((*x.shape[:-1], 1))
    sums = np.concatenate([start, np.add.accumulate(moments.deviations[..., :width], axis=-1)], axis=-1)
    counts = np.concatenate([start, np.add.accumulate(known(x), axis=-1, dtype=np.float64)], axis=-1)
    tails = np.arange(width)
    tries = [(tails, np.full(width, width))]
    for length in (length for length in LENGTHS if length < width):
        first = np.arange(width - length)
        tries.append((first, first + length))
    best = np.zeros(x.shape[:-1])
    begin, end = np.zeros((2, *x.shape[:-1]), dtype=np.int64)
    for first, last in tries:
        inside, total = counts[..., last] - counts[..., first], sums[..., last] - sums[..., first]
        outside = counts[..., -1:] - inside
        # deviations add up to 0: what is inside is missing outside
        scale = np.sqrt(counts[..., -1:] / np.maximum(inside * outside, 1))
        score = np.where((inside >= LEAST_PART) & (outside >= LEAST_PART), total * scale, 0.0)
        place = np.abs(score).argmax(axis=-1)
        found = np.take_along_axis(score, place[..., None], -1)[..., 0]
        better = np.abs(found) > np.abs(best)
        best = np.where(better, found, best)
        begin, end = np.where(better, first[place], begin), np.where(better, last[place], end)
    steps = Ordered(np.abs(np.diff(x, axis=-1, append=np.nan)))
    noise = MAD_TO_SD * steps.median / np.sqrt(2)
    cells = np.arange(width)
    inside = (cells >= begin[..., None]) & (cells < end[..., None])
    higher = (inside == (best > 0)[..., None]) & (best != 0)[..., None] & known(x)
    score = np.abs(best) / (np.where(known(noise), noise, 0.0) + FLOOR)
    placed = np.zeros(x.shape, dtype=bool)
    np.put_along_axis(placed, order, higher, -1)
    return np.where(moments.count >= LEAST, score, np.nan), placed


def parted(x: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How one part of a row differs from the rest.

    Parameters
    ----------
    x : ndarray of float64, shape (..., width)
    part : ndarray of bool, shape (..., width)

    Returns
    -------
    gap, spread : ndarray of float64, shape (...)
        Difference of the means; logarithm of the ratio of the standard deviations, each with `FLOOR`. NaN where either
        side is empty, the second also where it has one value.
    """
    one, other = Moments(np.where(part, x, np.nan)), Moments(np.where(part, np.nan, x))
    return one.mean - other.mean, np.log((one.sd + FLOOR) / (other.sd + FLOOR))
