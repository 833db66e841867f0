import numpy as np
import pytest

from features.segments import (
    FLOOR,
    LEAST_PART,
    LENGTHS,
    USUAL_ELASTICITY,
    WEIGHT,
    parted,
    strongest_stretch,
    unexplained,
    upper_group,
)


def rows(seed: int = 0, width: int = 40) -> np.ndarray:
    """Rows of normal values with a step somewhere, some of them missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, width))
    for row, step in zip(x, rng.uniform(0, 4, len(x)), strict=True):
        first, last = np.sort(rng.choice(width + 1, 2, replace=False))
        row[first:last] += step
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("seed", range(3))
def test_groups_leave_the_least_variance_within(seed):
    x = rows(seed)
    for row, upper in zip(x, upper_group(x), strict=True):
        values = np.sort(row[~np.isnan(row)])
        least = max(LEAST_PART, int(np.ceil(values.size / 10)))
        within = [
            values[:cut].var() * cut + values[cut:].var() * (values.size - cut)
            for cut in range(least, values.size - least + 1)
        ]
        assert upper.sum() == values.size - least - int(np.argmin(within))
        assert np.nanmin(row[upper]) > np.nanmax(row[~upper])


def test_equal_or_few_values_do_not_part():
    assert not upper_group(np.full((1, 16), 3.3)).any()
    assert not upper_group(np.arange(9.0)[None]).any()
    assert upper_group(np.arange(10.0)[None]).sum() == 5


@pytest.mark.parametrize("seed", range(3))
def test_the_stretch_is_the_best_of_those_that_are_tried(seed):
    x = rows(seed)
    scores, higher = strongest_stretch(x)
    for values, score, marked in zip(x, scores, higher, strict=True):
        there = ~np.isnan(values)
        row, width = values[there], int(there.sum())
        ends = {(first, width) for first in range(width)}
        ends |= {(first, first + length) for length in LENGTHS for first in range(width - length)}
        noise = 1.4826 * np.median(np.abs(np.diff(row))) / np.sqrt(2) + FLOOR
        found = {}
        for first, last in ends:
            inside, outside = row[first:last], np.concatenate([row[:first], row[last:]])
            n, m = len(inside), len(outside)
            if min(n, m) >= LEAST_PART:
                found[first, last] = (inside.mean() - outside.mean()) * np.sqrt(n * m / (n + m)) / noise
        best = max(found, key=lambda ends: abs(found[ends]))
        assert score == pytest.approx(abs(found[best]))
        part = np.zeros(width, dtype=bool)
        part[slice(*best)] = True
        np.testing.assert_array_equal(marked[there], part if found[best] > 0 else ~part)
        assert not marked[~there].any()


def test_values_between_missing_ones_score_as_without_them():
    x = np.random.default_rng(0).normal(size=(50, 60))
    gaps = np.full((50, 120), np.nan)
    gaps[:, ::2] = x
    np.testing.assert_allclose(strongest_stretch(gaps)[0], strongest_stretch(x)[0])
    np.testing.assert_array_equal(strongest_stretch(gaps)[1][:, ::2], strongest_stretch(x)[1])


def test_white_noise_has_no_stretch_worth_the_name_and_a_step_has():
    noise = np.random.default_rng(0).normal(size=(200, 128))
    quiet = strongest_stretch(noise)[0]
    noise[:, 60:90] += 2
    assert np.median(strongest_stretch(noise)[0]) > 2 * np.median(quiet)


def test_what_is_unexplained_is_what_ridge_regression_leaves():
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=(3, 20)), rng.normal(size=(2, 3, 20))
    y[0, 4], x[1, 1, 7] = np.nan, np.nan
    left = unexplained(y, x)
    for row in range(3):
        there = ~np.isnan(y[row] + x[:, row].sum(axis=0))
        own, by = y[row, there] - y[row, there].mean(), x[:, row, there] - x[:, row, there].mean(axis=1, keepdims=True)
        slopes = np.linalg.solve(by @ by.T + WEIGHT * np.eye(2), by @ own + WEIGHT * USUAL_ELASTICITY)
        np.testing.assert_allclose(left[row, there], own - slopes @ by)
        assert np.isnan(left[row, ~there]).all()


@pytest.mark.parametrize("width", [16, 40, 120, 128])
def test_nothing_depends_on_the_other_rows_or_on_padding(width):
    x = rows(5, width)
    padded = np.concatenate([x, np.full((len(x), 136 - width), np.nan)], axis=1)
    for place in range(len(x)):
        alone = x[place : place + 1]
        np.testing.assert_array_equal(strongest_stretch(alone)[0][0], strongest_stretch(padded)[0][place])
        np.testing.assert_array_equal(strongest_stretch(alone)[1][0], strongest_stretch(padded)[1][place, :width])
        np.testing.assert_array_equal(upper_group(alone)[0], upper_group(padded)[place, :width])
    y, by, also = padded[None], padded[None, :, ::-1][..., 136 - width :], padded[None] ** 2
    by = np.concatenate([by, np.full((1, len(x), 136 - width), np.nan)], axis=-1)
    whole = unexplained(y[0], np.concatenate([by, also]))
    np.testing.assert_array_equal(unexplained(x, np.concatenate([by, also])[..., :width]), whole[:, :width])


def test_parts_differ_by_their_means_and_spreads():
    x = np.array([[1.0, 3.0, 5.0, 5.0, np.nan]])
    gap, spread = parted(x, np.array([[False, False, True, True, True]]))
    assert gap == pytest.approx([3])
    assert spread == pytest.approx([np.log(FLOOR / (np.sqrt(2) + FLOOR))])
