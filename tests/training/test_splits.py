import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import FRACTIONS, split_creators

IDS = [f"creator-{number}" for number in range(5000)]


@given(st.lists(st.text(min_size=1, max_size=8), max_size=30), st.lists(st.text(min_size=1, max_size=8)), st.integers())
def test_side_depends_on_id_and_seed_alone(ids, others, seed):
    alone = split_creators(ids, seed=seed)
    together = split_creators(list(reversed(ids)) + others, seed=seed)
    pd.testing.assert_series_equal(together.loc[alone.index], alone)


def test_shares_are_as_asked():
    shares = split_creators(IDS, seed=3).value_counts(normalize=True)
    # four standard deviations of a share of 5000 independent draws
    for name, share in FRACTIONS.items():
        assert shares[name] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(IDS)))


def test_sides_never_change_between_releases():
    assert split_creators(["a", "b", "c", "ê"], seed=0).tolist() == ["train", "test", "calibration", "train"]


def test_another_seed_is_independent():
    same = (split_creators(IDS, seed=0) == split_creators(IDS, seed=1)).mean()
    assert same == pytest.approx(0.6**2 + 0.2**2 + 0.2**2, abs=0.03)


def test_repeated_ids_count_once():
    split = split_creators(pd.Series(["x", "y", "x"]))
    assert split.index.tolist() == ["x", "y"]
    assert (split.index.name, split.name) == ("creator_id", "split")


def test_side_without_share_stays_empty():
    assert set(split_creators(IDS, {"train": 0.0, "test": 1.0, "rest": 0.0})) == {"test"}


@pytest.mark.parametrize("fractions", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}])
def test_wrong_shares_are_refused(fractions):
    with pytest.raises(ValueError, match="add up to 1"):
        split_creators(IDS, fractions)
