"""Prior correction and shares, against results worked out by hand."""

import numpy as np
import pytest

from training.quantification import Reference, adjusted_count, em_share, estimate_share, shift_prior


def test_shift_by_hand_and_back():
    # odds 4, prior odds from 1 to 1/9: odds 4/9
    assert shift_prior([0.8], 0.5, 0.1) == pytest.approx([4 / 13])
    assert shift_prior(shift_prior([0.2, 0.9], 0.5, 0.03), 0.03, 0.5) == pytest.approx([0.2, 0.9])
    with pytest.raises(ValueError, match="between 0 and 1"):
        shift_prior([0.5], 0.5, 1.0)


def test_adjusted_count_by_hand():
    assert adjusted_count(0.30, 0.9, 0.1) == pytest.approx(0.25)
    assert adjusted_count(0.05, 0.9, 0.1) == 0.0
    assert np.isnan(adjusted_count(0.3, 0.1, 0.1))


def two_scores(count, share, rng):
    """Fakes score .8 with chance .8, people with chance .2: so .8 and .2 are right at equal numbers."""
    fake = rng.random(count) < share
    high = rng.random(count) < np.where(fake, 0.8, 0.2)
    return np.where(high, 0.8, 0.2), fake


def test_expectation_maximisation_finds_the_share():
    # .2 + .6 s of scores are .8: with 32 of 100, the share is .2
    assert em_share(np.repeat([0.8, 0.2], [32, 68])) == pytest.approx(0.2, abs=1e-4)
    assert em_share([0.8, 0.2], weights=[32, 68]) == pytest.approx(0.2, abs=1e-4)
    assert em_share(np.repeat([0.8, 0.2], [10, 90])) < 0.001, "fewer high scores than people alone would have"
    assert np.isnan(em_share([]))


def test_share_of_a_sample_and_its_interval():
    rng = np.random.default_rng(3)
    p, fake = two_scores(4000, 0.5, rng)
    reference = Reference(p, fake, np.arange(4000) % 2)
    held, near = 0, 0
    for draw in range(40):
        sample, truth = two_scores(600, 0.3, rng)
        found = estimate_share(sample, reference, draws=60, seed=draw)
        held += found.low <= truth.mean() <= found.high
        near += abs(found.share - truth.mean()) < 0.08
    assert held >= 36
    assert near >= 36
    assert abs((sample >= 0.5).mean() - truth.mean()) > 0.05, "counting is what adjustment mends"


def test_no_rows_no_share():
    reference = Reference(np.array([0.8, 0.2]), np.array([True, False]), np.zeros(2, dtype=np.int64))
    found = estimate_share([], reference)
    assert found.rows == 0
    assert np.isnan([found.share, found.low, found.high]).all()
