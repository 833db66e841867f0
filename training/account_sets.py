"""Accounts with labels: public sets read by path, and generated ones.

Two public sets are known by their own spelling (InstaFake, Akyon and Kalfaoglu 2019, CC BY-NC 4.0; followers of Swiss
influencers labelled by hand, SRF Data 2017, CC BY-SA 4.0); any other is read in the contract's columns. What is read
stays in memory: no row of it is shipped, and the model of the demo is trained on `simulate_accounts` alone.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.accounts import account_numbers
from features.tables import ACCOUNT_COUNTS, ACCOUNT_FLAGS, COUNT, FLAG, TEXT, check_ending

INSTAFAKE = "instafake"
SRF = "srf_labelled"
SIMULATED = "simulated"

_INSTAFAKE_COLUMNS = {
    "userFollowerCount": "followers",
    "userFollowingCount": "following",
    "userMediaCount": "posts_count",
    "userBiographyLength": "bio_length",
    "usernameLength": "username_length",
    "usernameDigitCount": "username_digits",
    "userHasProfilPic": "has_picture",
    "userIsPrivate": "is_private",
}
_SRF_COLUMNS = {
    "Number.of.followers": "followers",
    "Number.of.people.they.follow": "following",
    "Number.of.posts": "posts_count",
    "username_length": "username_length",
    "username_digits": "username_digits",
    "has_profile_picture": "has_picture",
    "Private.account": "is_private",
}
_FLAGS = {"true": 1.0, "t": 1.0, "yes": 1.0, "false": 0.0, "f": 0.0, "no": 0.0}


class AccountSetError(ValueError):
    """Labelled accounts that cannot be read; the message names the file and what was expected."""


@dataclass(frozen=True)
class LabelledAccounts:
    """Accounts of one source.

    Attributes
    ----------
    name : str
    accounts : DataFrame
        `account_id` and, each nullable and none required, the counts and flags of the accounts table.
    fake : ndarray of bool, shape (rows,)
    terms : str
        Under which the source may be used.
    simulated : bool
    groups : ndarray of int64, shape (rows,)
        Rows that stand or fall together: worlds of a generator; each row by itself in a real set.
    notes : tuple of str
        What was found and left out.
    """

    name: str
    accounts: pd.DataFrame
    fake: np.ndarray
    terms: str
    simulated: bool
    groups: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of rows and labels, hexadecimal."""
        hashed = pd.util.hash_pandas_object(self.accounts.assign(_fake=self.fake), index=False).to_numpy()
        return hashlib.sha256(np.ascontiguousarray(hashed).tobytes()).hexdigest()[:16]

    def take(self, rows: np.ndarray) -> "LabelledAccounts":
        """The set with these rows only (positions or a mask)."""
        accounts = self.accounts.loc[rows] if rows.dtype == bool else self.accounts.iloc[rows]
        return LabelledAccounts(
            self.name,
            accounts.reset_index(drop=True),
            self.fake[rows],
            self.terms,
            self.simulated,
            self.groups[rows],
            self.notes,
        )


def _labelled(name: str, frame: pd.DataFrame, fake: np.ndarray, terms: str, notes: Sequence[str]) -> LabelledAccounts:
    """A real set in the contract's types, without rows of which one value is impossible being repaired."""
    accounts = pd.DataFrame({"account_id": frame["account_id"].astype(TEXT)}).reset_index(drop=True)
    try:
        for column in (*ACCOUNT_COUNTS, *ACCOUNT_FLAGS):
            if column in frame:
                numbers = account_numbers(pd.DataFrame({column: _numbers(frame[column])}), column)
                accounts[column] = pd.array(np.round(numbers), dtype=FLAG if column in ACCOUNT_FLAGS else COUNT)
    except (TypeError, ValueError) as error:
        message = f"{name}: {error}"
        raise AccountSetError(message) from error
    fakes = int(fake.sum())
    if not 0 < fakes < len(fake):
        message = f"{name}: found {fakes} fake of {len(fake)} accounts; expected both kinds"
        raise AccountSetError(message)
    found = f"{len(fake)} accounts, {fakes} of them fake"
    return LabelledAccounts(
        name, accounts, fake.astype(bool), terms, simulated=False, groups=np.arange(len(fake)), notes=(found, *notes)
    )


def _numbers(column: pd.Series) -> pd.Series:
    """Counts and flags as numbers, whichever way a file spells true and false."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.astype("Float64")
    text = column.astype("str").str.strip().str.lower()
    return pd.to_numeric(text.replace({word: str(number) for word, number in _FLAGS.items()})).astype("Float64")


def read_instafake(folder: Path, *, deduplicate: bool = True) -> LabelledAccounts:
    """InstaFake from the folder of its two JSON files.

    Parameters
    ----------
    folder : Path
        Holds `fakeAccountData.json` and `realAccountData.json`.
    deduplicate : bool
        Equal rows are kept once (29 of the 994 people are repeated), so that none stands on both sides of a split.

    Raises
    ------
    AccountSetError
        Where a file is missing or not what it should be.
    """
    frames = []
    for file in ("fakeAccountData.json", "realAccountData.json"):
        try:
            frames.append(pd.DataFrame(json.loads((folder / file).read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            message = f"{INSTAFAKE}: {file}: {error}"
            raise AccountSetError(message) from error
    rows = pd.concat(frames, ignore_index=True)
    missing = sorted({*_INSTAFAKE_COLUMNS, "isFake"} - set(rows))
    if missing:
        message = f"{INSTAFAKE}: missing {', '.join(missing)}"
        raise AccountSetError(message)
    repeated = rows.duplicated().to_numpy()
    notes = [f"{repeated.sum()} repeated rows" + (" left out" if deduplicate else " kept")]
    if deduplicate:
        rows = rows[~repeated].reset_index(drop=True)
    frame = rows.rename(columns=_INSTAFAKE_COLUMNS).assign(account_id=[f"instafake_{i}" for i in range(len(rows))])
    return _labelled(INSTAFAKE, frame, rows["isFake"].to_numpy() == 1, "CC BY-NC 4.0", notes)


def read_srf(path: Path) -> LabelledAccounts:
    """The hand-labelled followers of Swiss influencers (SRF Data 2017): `rating` TRUE is fake.

    Raises
    ------
    AccountSetError
        Where the file is missing or not what it should be.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        message = f"{path.name}: {error}"
        raise AccountSetError(message) from error
    missing = sorted({*_SRF_COLUMNS, "rating"} - set(rows))
    if missing:
        message = f"{path.name}: missing {', '.join(missing)}"
        raise AccountSetError(message)
    frame = rows.rename(columns=_SRF_COLUMNS)
    frame = frame.assign(account_id=rows["account"] if "account" in rows else [f"srf_{i}" for i in range(len(rows))])
    return _labelled(SRF, frame, _numbers(rows["rating"]).to_numpy(dtype=np.float64) == 1, "CC BY-SA 4.0", ())


def read_labelled(path: Path, name: str | None = None) -> LabelledAccounts:
    """A set in the contract's own columns, from a Parquet or CSV file with a column `fake`.

    Parameters
    ----------
    path : Path
        `fake` is true or false, 1 or 0; `account_id` and every count and flag may be missing. Where `fake` is missing,
        `labels.csv` or `labels.parquet` beside the file tells it, by the contract's labels of kind "fake".
    name : str, optional
        The file's name without its ending where absent.

    Raises
    ------
    AccountSetError
        Where the file cannot be read, has no labels, no count that a model reads, or an impossible value.
    """
    name = name or path.name.split(".")[0]
    try:
        rows = _read(path)
        rows = rows if "fake" in rows else _with_labels(rows, path)
        fake = _numbers(rows["fake"]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (OSError, ValueError, KeyError) as error:
        message = f"{path.name}: {error}"
        raise AccountSetError(message) from error
    if not {"followers", "following", "posts_count"} & set(rows):
        message = f"{path.name}: found none of followers, following and posts_count"
        raise AccountSetError(message)
    if "account_id" not in rows:
        rows = rows.assign(account_id=[f"{name}_{i}" for i in range(len(rows))])
    known = np.isin(fake, (0, 1))
    notes = [f"{(~known).sum()} rows without a label left out"] if not known.all() else []
    terms = str(rows["terms"].iloc[0]) if "terms" in rows and len(rows) else "not stated"
    return _labelled(name, rows[known].reset_index(drop=True), fake[known] == 1, terms, notes)


def _read(path: Path) -> pd.DataFrame:
    if path.name.endswith(".csv.gz"):
        return pd.read_csv(path)
    check_ending(path)
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def _with_labels(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    for file in ("labels.parquet", "labels.csv"):
        if (path.parent / file).is_file() and path.name != file and "account_id" in rows:
            labels = _read(path.parent / file)
            if {"account_id", "kind", "value"} <= set(labels):
                own = labels[labels["kind"] == "fake"].drop_duplicates("account_id").set_index("account_id")["value"]
                return rows.assign(fake=rows["account_id"].map(own))
    message = "found no column fake and no labels of kind fake beside it"
    raise AccountSetError(message)


def read_account_sets(folder: Path) -> list[LabelledAccounts]:
    """Every set of labelled accounts below a folder.

    Known ones are found by their files' names anywhere below it. Any other CSV or Parquet file of a folder called
    `accounts` is read with `read_labelled`, if its header has the columns and its labels are there; what else
    lies around is not looked at.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of LabelledAccounts
        By name; each says in `notes` what was found. Empty where nothing is there.

    Raises
    ------
    AccountSetError
        Where the folder does not exist, or a set that was found is not what it should be.
    """
    if not folder.is_dir():
        message = f"{folder.name}: no such folder"
        raise AccountSetError(message)
    found = [read_instafake(path.parent) for path in sorted(folder.rglob("fakeAccountData.json"))]
    found += [read_srf(path) for path in sorted(folder.rglob("srf_labelled.csv"))]
    for path in sorted(folder.rglob("*")):
        known = path.name == "srf_labelled.csv" or path.name.startswith("labels.")
        below = "accounts" in (*(part.name for part in path.relative_to(folder).parents), folder.name)
        if below and not known and path.name.endswith((".csv", ".csv.gz", ".parquet")) and _is_labelled(path):
            found.append(read_labelled(path))
    return sorted(found, key=lambda one: one.name)


def _is_labelled(path: Path) -> bool:
    """Whether a file has the contract's columns and a label of each account, by its header."""
    try:
        header = set(_read(path).columns) if path.suffix == ".parquet" else set(pd.read_csv(path, nrows=0).columns)
    except (OSError, ValueError):
        return False
    beside = any((path.parent / file).is_file() for file in ("labels.parquet", "labels.csv"))
    return bool({"followers", "following"} <= header and ("fake" in header or (beside and "account_id" in header)))


@dataclass(frozen=True)
class AccountKind:
    """One kind of account that the generator draws: medians and spreads of counts, and chances of flags.

    Attributes
    ----------
    share : float
        Of the people, or of the fakes, in an average world.
    followers, following, posts : tuple of (float, float)
        Median, and standard deviation of the natural log.
    alike, posting : float
        Correlation of log followings, and of log posts, with log followers.
    silent : float
        Chance of no post at all, beyond those whose count rounds to none.
    picture, bio, private, digits, verified, business, link : float
        Chances of a picture, a biography, a private profile, digits in the name, and the three further flags.
    """

    share: float
    followers: tuple[float, float]
    following: tuple[float, float]
    posts: tuple[float, float]
    alike: float
    posting: float
    silent: float
    picture: float
    bio: float
    private: float
    digits: float
    verified: float = 0.0
    business: float = 0.0
    link: float = 0.05


#: People. Measured (FACTS.md §1): ordinary private users have a median of 352 followers, .4-1.3 % no picture, 39 % no
#: biography, 3.5 % three digits in the name, 72 % a private profile. All else is assumed: people who follow thousands
#: and post, creators with many followers, and readers who hardly post exist on every platform.
PEOPLE: Mapping[str, AccountKind] = {
    "private": AccountKind(0.27, (300, 0.8), (380, 0.75), (25, 1.4), 0.6, 0.4, 0.08, 0.98, 0.60, 0.85, 0.15),
    "public": AccountKind(0.30, (500, 1.0), (520, 0.80), (90, 1.3), 0.55, 0.4, 0.04, 0.99, 0.65, 0.15, 0.15),
    "enthusiast": AccountKind(0.12, (300, 1.0), (1900, 0.7), (80, 1.4), 0.4, 0.4, 0.03, 0.99, 0.60, 0.20, 0.20),
    "creator": AccountKind(
        0.10, (8000, 1.3), (700, 1.0), (350, 1.0), 0.2, 0.3, 0.0, 1.0, 0.95, 0.01, 0.10, 0.06, 0.4, 0.6
    ),
    "reader": AccountKind(0.13, (45, 1.0), (130, 0.9), (2.5, 1.2), 0.5, 0.3, 0.35, 0.93, 0.30, 0.60, 0.20),
    "business": AccountKind(
        0.08, (1200, 1.3), (600, 1.2), (200, 1.1), 0.3, 0.3, 0.02, 0.995, 0.95, 0.01, 0.10, 0.02, 0.9, 0.7
    ),
}
#: Fakes. Measured (FACTS.md §1): cheap ones have medians of 30-74 followers, 1,450-3,000 followings, 0-3 posts, 18-40 %
#: no picture, 74 % no biography, 31 % three digits in the name; quality ones 427 followers, 782 followings (which a
#: world moves), 60 posts, 2 % no picture. Assumed: fresh ones that do not follow many yet, traded ones that follow each
#: other back, and advertisers.
FAKES: Mapping[str, AccountKind] = {
    "cheap": AccountKind(0.35, (30, 1.3), (1900, 0.9), (2, 0.9), 0.3, 0.1, 0.60, 0.65, 0.25, 0.30, 0.50),
    "fresh": AccountKind(0.20, (6, 1.2), (150, 1.1), (1.5, 0.7), 0.3, 0.1, 0.75, 0.45, 0.10, 0.30, 0.50),
    "traded": AccountKind(0.25, (300, 1.1), (3500, 0.7), (5, 1.2), 0.3, 0.2, 0.15, 0.96, 0.40, 0.30, 0.35),
    "quality": AccountKind(0.12, (427, 1.0), (1100, 0.9), (60, 1.0), 0.5, 0.3, 0.02, 0.98, 0.60, 0.15, 0.25),
    "advertiser": AccountKind(
        0.08, (500, 1.2), (2800, 0.8), (30, 1.2), 0.3, 0.3, 0.05, 0.97, 0.70, 0.05, 0.35, 0.0, 0.2, 0.5
    ),
}
#: Standard deviations of the natural log by which a world (a platform, year and country) moves all followers, all
#: followings and people's posts (fakes' posts half as much), and a kind in it once more. Assumed.
WORLD_SPREAD = (0.5, 0.35, 0.7)
KIND_SPREAD = 0.25
#: How alike the shares of the kinds are from world to world (concentration of the Dirichlet draw). Assumed.
KIND_CONCENTRATION = 15.0
#: Followings a platform allows (FACTS.md §1: Instagram; the others from the platforms' help pages, unverified).
FOLLOWING_CAPS = {"instagram": 7500, "tiktok": 10_000, "facebook": 5000}
NAME_LENGTH = (11.5, 3.2)
MEAN_BIO = 45.0
LONGEST_BIO = 150.0


def _moved(pair: tuple[float, float], shift: float, normal: np.ndarray) -> np.ndarray:
    return np.asarray(np.floor(np.exp(np.log(pair[0]) + shift + pair[1] * normal)))


def _mixed(weight: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(weight * first + np.sqrt(1 - weight**2) * second)


def _draw(
    kind: AccountKind, size: int, shift: np.ndarray, cap: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Accounts of one kind in one world, float64 columns of shape (size,)."""
    first, second, third = rng.normal(size=(3, size))
    following = _moved(kind.following, shift[1], _mixed(kind.alike, first, second))
    posts = _moved(kind.posts, shift[2], _mixed(kind.posting, first, third))
    length = np.clip(np.round(rng.normal(*NAME_LENGTH, size)), 3, 30)
    digits = np.minimum(1 + rng.poisson(2.2, size), length)
    bio = np.clip(np.round(rng.exponential(MEAN_BIO, size)), 1, LONGEST_BIO)
    flags = {
        "has_picture": kind.picture,
        "is_private": kind.private,
        "is_verified": kind.verified,
        "is_business": kind.business,
        "has_external_url": kind.link,
    }
    return {
        "followers": _moved(kind.followers, shift[0], first),
        "following": np.minimum(following, np.floor(cap * np.exp(-np.abs(rng.normal(0, 0.01, size))))),
        "posts_count": np.where(rng.random(size) < kind.silent, 0.0, posts),
        "bio_length": np.where(rng.random(size) < kind.bio, bio, 0.0),
        "username_length": length,
        "username_digits": np.where(rng.random(size) < kind.digits, digits, 0.0),
        **{name: (rng.random(size) < chance).astype(np.float64) for name, chance in flags.items()},
    }


def _world(size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Accounts of one world, half of them fake, with `platform`, `fake` and `kind`."""
    shift = rng.normal(0, WORLD_SPREAD)
    platform = str(rng.choice(list(FOLLOWING_CAPS)))
    parts = []
    for fake, kinds in ((False, PEOPLE), (True, FAKES)):
        moved = shift * (1, 1, 0.5 if fake else 1)
        shares = rng.dirichlet([KIND_CONCENTRATION * kind.share for kind in kinds.values()])
        counts = rng.multinomial(size // 2 if fake else size - size // 2, shares)
        for (name, kind), count in zip(kinds.items(), counts, strict=True):
            own = moved + rng.normal(0, KIND_SPREAD, 3)
            drawn = _draw(kind, count, own, FOLLOWING_CAPS[platform], rng)
            parts.append(pd.DataFrame(drawn).assign(platform=platform, fake=fake, kind=name))
    return pd.concat(parts, ignore_index=True)


def simulate_accounts(count: int, seed: int, *, worlds: int = 24) -> LabelledAccounts:
    """Generated accounts of several worlds, half of them fake.

    A world stands for a platform, year and country: it moves levels, the shares of the kinds, and each kind. The sizes
    of the kinds are those of FACTS.md §1 where it has them and assumed otherwise (`PEOPLE`, `FAKES`); who wrote them
    had seen summaries of InstaFake and of SRF's labels, so figures on those two are not those of a blind generator.

    Parameters
    ----------
    count : int
        Accounts, at least 2 a world; spread over the worlds as evenly as can be.
    seed : int
    worlds : int

    Returns
    -------
    LabelledAccounts
        With every column of the accounts table; `groups` is the world, `accounts["kind"]` the kind drawn.

    Raises
    ------
    ValueError
        Where there are fewer than 2 accounts a world.
    """
    if worlds < 1 or count < 2 * worlds:
        message = f"found {count} accounts in {worlds} worlds; expected at least 2 in each of at least one"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    sizes = np.full(worlds, count // worlds)
    sizes[: count % worlds] += 1
    rows = pd.concat([_world(int(size), rng) for size in sizes], ignore_index=True)
    types: dict[str, Callable[[pd.Series], pd.Series]] = {
        **{name: lambda column: column.astype(COUNT) for name in ACCOUNT_COUNTS},
        **{name: lambda column: column.astype(FLAG) for name in ACCOUNT_FLAGS},
    }
    accounts = pd.DataFrame({"account_id": pd.Series([f"g_{seed}_{i}" for i in range(count)], dtype=TEXT)})
    accounts["platform"] = rows["platform"].astype(TEXT)
    for name, typed in types.items():
        accounts[name] = typed(rows[name])
    accounts["kind"] = rows["kind"].astype(TEXT)
    note = f"{count} generated accounts of {worlds} worlds, {int(rows['fake'].sum())} of them fake"
    return LabelledAccounts(
        SIMULATED,
        accounts,
        rows["fake"].to_numpy(dtype=bool),
        "generated here, no restriction",
        simulated=True,
        groups=np.repeat(np.arange(worlds), sizes),
        notes=(note,),
    )
