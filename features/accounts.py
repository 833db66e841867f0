"""What an account's profile says about whether a person stands behind it: logs, ratios and flags of the accounts table.

Levels of followers, followings and posts differ by platform, year and country, and what one source calls few is much in
another; the ratios between them travel better. So followers enter by their ratio to followings, and as a level only
where followings are not known. Flags whose sign differs between sources are left out: a private profile speaks for a
person in InstaFake (72 % of people, 32 % of fakes) and for a fake among the followers that SRF labelled (21 %, 31 %);
business profiles and links are common among both creators and spammers.
"""

import numpy as np
import pandas as pd

from features.tables import ACCOUNT_COUNTS, ACCOUNT_FLAGS

#: Every signal, and whether a higher value speaks for a fake account (1) or against it (-1), others equal.
SIGNALS: dict[str, int] = {
    "following_log": 1,
    "posts_log": -1,
    "followers_per_following_log": -1,
    "posts_per_following_log": -1,
    "followers_alone_log": -1,
    "bio_log": -1,
    "has_picture": -1,
    "is_verified": -1,
    "username_digits": 1,
    "username_digit_share": 1,
}
#: Columns that signals are made of; all others of the accounts table are not read.
READ = (
    "followers",
    "following",
    "posts_count",
    "bio_length",
    "username_length",
    "username_digits",
    "has_picture",
    "is_verified",
)
#: Digits of a name above which more of them say nothing new.
DIGITS = 6.0


def account_numbers(accounts: pd.DataFrame, column: str) -> np.ndarray:
    """One column of the accounts table as float64 of shape (rows,), NaN where a value or the whole column is missing.

    Raises
    ------
    ValueError
        Where `column` is none of the contract's counts and flags, or a value is negative, infinite, or, for a flag,
        neither 0 nor 1.
    """
    if column not in ACCOUNT_COUNTS + ACCOUNT_FLAGS:
        message = f"accounts.{column}: not a count or flag of the accounts table"
        raise ValueError(message)
    if column not in accounts:
        return np.full(len(accounts), np.nan)
    values = accounts[column].to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = (values < 0) | np.isinf(values)
    if column in ACCOUNT_FLAGS:
        wrong |= (values != 0) & (values != 1) & ~np.isnan(values)
    if wrong.any():
        expected = "true or false" if column in ACCOUNT_FLAGS else "numbers of 0 or more"
        rows = ", ".join(str(row + 1) for row in np.flatnonzero(wrong)[:5])
        message = f"accounts.{column}, rows {rows}: found {values[wrong][0]:g}; expected {expected}"
        raise ValueError(message)
    return values


def account_signals(accounts: pd.DataFrame) -> pd.DataFrame:
    """Signals of accounts, each row by itself.

    Parameters
    ----------
    accounts : DataFrame
        Any columns of the accounts table; a column that is not there counts as missing in every row.

    Returns
    -------
    DataFrame of float64, shape (rows, signals)
        Index as given, columns `SIGNALS`; NaN where what a signal needs is missing. Logs are natural and of 1 + value,
        so that nobody and nothing have one; ratios are differences of such logs. `followers_alone_log` is known only
        where followings are not. `username_digits` ends at `DIGITS`.
    """
    followers, following, posts, bio = (
        np.log1p(account_numbers(accounts, name)) for name in ("followers", "following", "posts_count", "bio_length")
    )
    digits, length = (account_numbers(accounts, name) for name in ("username_digits", "username_length"))
    columns = {
        "following_log": following,
        "posts_log": posts,
        "followers_per_following_log": followers - following,
        "posts_per_following_log": posts - following,
        "followers_alone_log": np.where(np.isnan(following), followers, np.nan),
        "bio_log": bio,
        "has_picture": account_numbers(accounts, "has_picture"),
        "is_verified": account_numbers(accounts, "is_verified"),
        "username_digits": np.minimum(digits, DIGITS),
        # a name is at least as long as its digits: a shorter one is an error of the source, not a share above 1
        "username_digit_share": np.where(length > 0, digits / np.maximum(np.maximum(length, digits), 1.0), np.nan),
    }
    return pd.DataFrame(columns, index=accounts.index, columns=list(SIGNALS), dtype=np.float64)
