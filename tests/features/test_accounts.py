"""Signals of accounts, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from features.accounts import SIGNALS, account_numbers, account_signals
from features.tables import COUNT, FLAG

ROWS = pd.DataFrame(
    {
        "account_id": ["a", "b"],
        "followers": pd.array([9, 100], dtype=COUNT),
        "following": pd.array([99, None], dtype=COUNT),
        "posts_count": pd.array([0, 4], dtype=COUNT),
        "bio_length": pd.array([0, None], dtype=COUNT),
        "username_length": pd.array([12, 4], dtype=COUNT),
        "username_digits": pd.array([3, 8], dtype=COUNT),
        "has_picture": pd.array([True, None], dtype=FLAG),
    }
)


def test_by_hand():
    first, second = account_signals(ROWS).to_dict("records")
    nan = float("nan")
    expected = {
        "following_log": np.log(100),
        "posts_log": 0.0,
        "followers_per_following_log": np.log(0.1),
        "posts_per_following_log": -np.log(100),
        "followers_alone_log": nan,
        "bio_log": 0.0,
        "has_picture": 1.0,
        "is_verified": nan,
        "username_digits": 3.0,
        "username_digit_share": 0.25,
    }
    assert first == pytest.approx(expected, nan_ok=True)
    assert second["followers_alone_log"] == pytest.approx(np.log(101))
    assert np.isnan([second[name] for name in ("following_log", "followers_per_following_log", "bio_log")]).all()
    assert second["username_digits"] == 6.0, "more digits than that say nothing new"
    assert second["username_digit_share"] == 1.0, "more digits than letters is an error of the source"


def test_any_column_may_be_missing():
    for column in ROWS.columns[1:]:
        signals = account_signals(ROWS.drop(columns=column))
        assert list(signals) == list(SIGNALS)
        assert not np.isinf(signals.to_numpy()).any()
    assert account_signals(ROWS[["account_id"]]).isna().all(axis=None)


def test_input_stays_and_rows_do_not_depend_on_each_other():
    before = ROWS.copy(deep=True)
    both = account_signals(ROWS)
    pd.testing.assert_frame_equal(ROWS, before)
    pd.testing.assert_frame_equal(account_signals(ROWS.iloc[[1]]), both.iloc[[1]])


def test_impossible_values_name_column_and_row():
    with pytest.raises(ValueError, match=r"accounts.followers, rows 2: found -1; expected numbers of 0 or more"):
        account_signals(pd.DataFrame({"followers": [1, -1]}))
    with pytest.raises(ValueError, match=r"accounts.has_picture, rows 1: found 2; expected true or false"):
        account_signals(pd.DataFrame({"has_picture": [2.0]}))
    with pytest.raises(ValueError, match="not a count or flag"):
        account_numbers(ROWS, "account_id")
