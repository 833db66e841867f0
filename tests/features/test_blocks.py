from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from features.blocks import (
    CHUNK,
    LANES,
    Block,
    Moments,
    Ordered,
    Pairs,
    block_signals,
    make_blocks,
    ratio,
    row_correlation,
    row_count,
    row_cusum,
    row_entropy,
    row_mad,
    row_max,
    row_mean,
    row_median,
    row_sum,
    trend,
)

NAN = np.nan
Statistic = Callable[[np.ndarray], np.ndarray]


def _sd(x: np.ndarray) -> np.ndarray:
    return Moments(x).sd


def _gini_of(x: np.ndarray) -> np.ndarray:
    return Ordered(x).gini(row_sum(x))


def _cusum(x: np.ndarray) -> np.ndarray:
    return row_cusum(Moments(x))


def _autocorrelation(x: np.ndarray) -> np.ndarray:
    return row_correlation(
        np.pad(x, ((0, 0), (0, 1)), constant_values=NAN), np.pad(x, ((0, 0), (1, 0)), constant_values=NAN)
    )


def _days(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(x.shape[1]) / 7.0, x.shape)


STATISTICS: dict[str, Statistic] = {
    "sum": row_sum,
    "mean": row_mean,
    "sd": _sd,
    "max": row_max,
    "quantile": lambda x: Ordered(x).quantile(0.1),
    "median": row_median,
    "highest": lambda x: Ordered(x).highest,
    "mad": row_mad,
    "gini": lambda x: _gini_of(np.abs(x)),
    "correlation": lambda x: row_correlation(x, np.broadcast_to(np.arange(x.shape[1]) % 5.0, x.shape)),
    "autocorrelation": _autocorrelation,
    "elasticity": lambda x: Pairs(np.stack([x, np.broadcast_to(np.arange(x.shape[1]) % 5.0, x.shape)])).slope,
    "slope": lambda x: trend(x, _days(x))[0],
    "residual": lambda x: row_max(trend(x, _days(x))[1]),
    "cusum": _cusum,
    "entropy": lambda x: row_entropy(np.abs(np.floor(x)) % 6, 6),
}

# eighths are exact in binary: an oracle that adds in another order then still agrees on what is constant
_cells = st.one_of(st.just(NAN), st.integers(-800, 800).map(lambda number: number / 8))
_shapes = st.tuples(st.integers(1, 4), st.integers(1, 24))
rows_with_gaps = _shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=_cells))
pairs_with_gaps = _shapes.flatmap(
    lambda shape: st.tuples(arrays(np.float64, shape, elements=_cells), arrays(np.float64, shape, elements=_cells))
)


def _known(row: np.ndarray) -> np.ndarray:
    return row[~np.isnan(row)]


def _each(x: np.ndarray, oracle: Statistic, least: int) -> np.ndarray:
    """An oracle for one row without gaps, run over rows with gaps."""
    rows = (_known(row) for row in x)
    return np.array([oracle(row) if row.size >= least else NAN for row in rows])


def _agree(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def _gini(values: np.ndarray) -> float:
    """Mean absolute difference of all pairs over twice the mean."""
    if values.sum() == 0:
        return NAN
    return np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())


@settings(max_examples=30)
@given(rows_with_gaps)
def test_level_and_spread_agree_with_pandas(x: np.ndarray) -> None:
    frame = pd.DataFrame(x)
    _agree(row_count(x), frame.count(axis=1))
    _agree(row_sum(x), frame.sum(axis=1))
    _agree(row_mean(x), frame.mean(axis=1))
    _agree(_sd(x), frame.std(axis=1))
    _agree(row_max(x), frame.max(axis=1))
    _agree(row_median(x), frame.median(axis=1))


@settings(max_examples=30)
@given(rows_with_gaps, st.floats(0, 1))
def test_quantile_agrees_with_numpy(x: np.ndarray, q: float) -> None:
    _agree(Ordered(x).quantile(q), _each(x, lambda row: np.quantile(row, q), 1))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_median_deviation_agrees_with_scipy(x: np.ndarray) -> None:
    _agree(row_mad(x), _each(x, stats.median_abs_deviation, 1))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_gini_agrees_with_all_pairs(x: np.ndarray) -> None:
    _agree(_gini_of(np.abs(x)), _each(np.abs(x), _gini, 1))


def _pearson(a: np.ndarray, b: np.ndarray, least: int) -> float:
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    if a.size < least or np.ptp(a) == 0 or np.ptp(b) == 0:
        return NAN
    return stats.pearsonr(a, b).statistic


@settings(max_examples=30)
@given(pairs_with_gaps)
def test_correlation_and_slope_agree_with_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    _agree(row_correlation(x, y), np.array([_pearson(a, b, 3) for a, b in zip(x, y, strict=True)]))
    slopes = []
    for a, b in zip(x, y, strict=True):
        both = ~(np.isnan(a) | np.isnan(b))
        flat = both.sum() < 3 or np.ptp(b[both]) == 0
        slopes.append(NAN if flat else stats.linregress(b[both], a[both]).slope)
    _agree(trend(np.where(np.isnan(y), NAN, x), y)[0], np.array(slopes))
    _agree(Pairs(np.stack([y, x])).slope, np.array(slopes))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_autocorrelation_agrees_with_scipy(x: np.ndarray) -> None:
    _agree(_autocorrelation(x), np.array([_pearson(row[:-1], row[1:], 3) for row in x]))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_cusum_agrees_with_numpy(x: np.ndarray) -> None:
    def oracle(row: np.ndarray) -> float:
        if np.ptp(row) == 0:
            return NAN
        return np.abs(np.cumsum(row - row.mean())).max() / (row.std(ddof=1) * np.sqrt(row.size))

    _agree(_cusum(x), _each(x, oracle, 2))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_entropy_agrees_with_scipy(x: np.ndarray) -> None:
    labels = np.abs(np.floor(x)) % 6
    _agree(row_entropy(labels, 6), _each(labels, lambda row: stats.entropy(np.bincount(row.astype(int)), base=2), 1))


@settings(max_examples=30)
@given(rows_with_gaps)
def test_detrend_leaves_what_a_fitted_line_leaves(x: np.ndarray) -> None:
    t = np.broadcast_to(np.arange(x.shape[1]) / 4.0, x.shape)
    _, found = trend(x, t)
    for row, days, residual in zip(x, t, found, strict=True):
        known = ~np.isnan(row)
        if known.sum() >= 3:
            expected = row[known] - np.polyval(np.polyfit(days[known], row[known], 1), days[known])
            np.testing.assert_allclose(residual[known], expected, atol=1e-8)
        assert np.isnan(residual[~known]).all()


@pytest.mark.parametrize("name", STATISTICS)
@settings(max_examples=15)
@given(width=st.integers(1, 600), padding=st.integers(0, 170), beside=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
def test_padding_and_neighbours_change_not_one_bit(name: str, width: int, padding: int, beside: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    row = rng.lognormal(3, 2, (1, width)) * rng.choice([1, NAN], p=[0.9, 0.1], size=(1, width))
    wide = np.full((1 + beside, width + padding), NAN)
    wide[0, :width] = row
    wide[1:] = rng.lognormal(3, 2, (beside, width + padding))
    statistic = STATISTICS[name]
    assert np.array_equal(statistic(wide)[:1], statistic(row), equal_nan=True)


@pytest.mark.parametrize("name", sorted(set(STATISTICS) - {"sum"}))
@pytest.mark.parametrize("shape", [(3, 1), (3, 12), (0, 5)])
def test_rows_without_values_are_nan_and_warn_of_nothing(name: str, shape: tuple[int, int]) -> None:
    with np.errstate(all="raise"):
        found = STATISTICS[name](np.full(shape, NAN))
    assert np.array_equal(found, np.full(shape[0], NAN), equal_nan=True)


@pytest.mark.parametrize("name", sorted(set(STATISTICS) - {"sum"}))
def test_one_full_row_among_empty_ones(name: str) -> None:
    row = np.array([[1.5, 2, 1, 3, 5, 4, 9, 2, 2, 7, 1, 1]])
    mixed = np.vstack([np.full_like(row, NAN), row])
    with np.errstate(all="raise"):
        found = STATISTICS[name](mixed)
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


@pytest.mark.parametrize("value", [0.1, 1 / 3, float(np.log1p(997)), 1e7 / 3])
@pytest.mark.parametrize("count", [10, 11, 97, 100, 300])
def test_equal_values_have_no_spread_whatever_their_rounding(value: float, count: int) -> None:
    constant, t = np.full((1, count), value), np.arange(count)[None, :] + 20_000.3
    noise = np.random.default_rng(1).normal(size=(1, count)) * 1e6
    assert row_mean(constant)[0] == value
    assert _sd(constant)[0] == 0
    assert np.isnan(_cusum(constant)[0])
    assert np.isnan(row_correlation(constant, noise)[0])
    assert np.isnan(row_correlation(noise, constant)[0])
    slope, residual = trend(constant, t)
    assert slope[0] == 0
    assert not residual.any()


def test_a_rate_that_is_constant_but_for_the_rounding_of_times_has_no_correlation() -> None:
    days = np.diff(20_454 + np.arange(30) / 3)[None, :]
    views = np.random.default_rng(1).normal(size=days.shape) * 1e6
    assert np.ptp(1e6 / days) > 0
    assert np.isnan(row_correlation(1e6 / days, views)[0])
    assert np.isnan(_autocorrelation(1e6 / days)[0])


def test_hand_computed_statistics() -> None:
    x = np.array([[1.0, NAN, 2, 4, 3], [5, 5, 5, NAN, NAN]])
    np.testing.assert_allclose(row_mean(x), [2.5, 5])
    np.testing.assert_allclose(_sd(x), [np.sqrt(5 / 3), 0])
    np.testing.assert_allclose(Ordered(x).quantile(0.1), [1.3, 5])
    np.testing.assert_allclose(row_mad(x), [1, 0])
    np.testing.assert_allclose(_gini_of(x), [0.25, 0])
    np.testing.assert_allclose(row_entropy(np.array([[0.0, 1, 1, 0, NAN]]), 2), [1])


@pytest.mark.parametrize(
    "statistic",
    [
        row_mean,
        row_median,
        row_mad,
        row_max,
        lambda x, least: row_correlation(x, x, least),
        lambda x, least: row_entropy(x, 9, least),
    ],
)
def test_too_few_values_give_nan(statistic: Callable[[np.ndarray, int], np.ndarray]) -> None:
    x = np.array([[1.0, 2, 4, NAN, NAN], [1, 2, 4, 3, NAN]])
    assert list(np.isnan(statistic(x, 4))) == [True, False]


def test_ratio_by_zero_and_missing_is_nan() -> None:
    found = ratio(np.array([1.0, 0, 1, NAN]), np.array([0.0, 0, NAN, 2]))
    assert np.isnan(found).all()
    assert ratio(np.array([1.0]), np.array([-2.0]))[0] == -0.5


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 300))
def test_blocks_hold_every_row_once_and_keep_to_their_cells(lengths: list[int], cells: int) -> None:
    offsets = _offsets(lengths)
    flat = np.arange(offsets[-1], dtype=np.float64)
    seen: list[int] = []
    for block in make_blocks(offsets, cells=cells):
        padded = block.pad(flat)
        assert block.lengths.max() * len(block.lengths) <= cells or padded.shape[0] == 1
        assert padded.shape[1] % LANES == 0
        assert padded.shape[1] < block.lengths.max() + LANES
        for creator, row in zip(block.creators, padded, strict=True):
            known = flat[offsets[creator] : offsets[creator + 1]]
            assert np.array_equal(row, np.pad(known, (0, row.size - known.size), constant_values=NAN), equal_nan=True)
        seen += block.creators.tolist()
    assert sorted(seen) == [creator for creator, length in enumerate(lengths) if length]


def test_last_cells_of_each_row() -> None:
    (block,) = make_blocks(_offsets([2, 4]))
    assert isinstance(block, Block)
    assert block.last(3).tolist() == [[True] * 2 + [False] * 6, [False] + [True] * 3 + [False] * 4]
    assert (block.last(9) == block.present).all()


def test_newest_cells_of_each_row() -> None:
    (block,) = make_blocks(_offsets([2, 4]))
    newest = block.newest(block.pad_all([np.arange(6.0), np.arange(6.0) * 10]), 3)
    np.testing.assert_array_equal(newest[0], [[NAN, 0, 1], [3, 4, 5]])
    np.testing.assert_array_equal(newest[1], newest[0] * 10)


def test_signals_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(4)
    offsets = _offsets(rng.integers(0, 400, 300).tolist())
    flat = rng.lognormal(3, 2, int(offsets[-1]))
    found = [
        block_signals(["sum", "never"], offsets, lambda block: {"sum": row_sum(block.pad(flat))}, threads=threads)
        for threads in (1, 2, 5)
    ]
    for columns in found:
        assert np.isnan(columns["never"]).all()
        np.testing.assert_array_equal(columns["sum"], found[0]["sum"])
    np.testing.assert_array_equal(np.isnan(found[0]["sum"]), np.diff(offsets) == 0)


def test_what_numpy_adds_at_once_does_not_depend_on_zeros_behind() -> None:
    # what `filled_sum` relies on; a NumPy that adds in another order would show here first
    rng = np.random.default_rng(5)
    for length in range(1, CHUNK + 1):
        row = rng.lognormal(0, 5, length)
        sums = {
            np.add.reduce(np.pad(row, (0, width - length))[None], axis=-1)[0]
            for width in range(-(-length // LANES) * LANES, CHUNK + 1, LANES)
        }
        assert len(sums) == 1
