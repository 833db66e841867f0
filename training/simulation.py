"""Simulated organic creators: profiles, posts and follower snapshots of people who bought nothing.

The world is a pure function of its seed. Creators are made in lots of `LOT`, each with its own random stream, so the
first creators of a larger world are those of a smaller one. `training.people` and `training.organic` draw the numbers;
here they become tables. Handles end in ".sim" and bios say that the profile is simulated: no row can be taken for a
person.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import FLAG, MONEY, PLATFORMS, POST_KINDS, TEXT, TIME, Tables
from training.captions import BRANDS, LANGUAGES, NICHES, draw_captions, things_of
from training.oddities import PURGES
from training.organic import Lot, draw_lot
from training.people import COUNTRIES, DAYS, draw_people
from training.talk import draw_talk

SIMULATION_AS_OF = pd.Timestamp("2026-03-01", tz="UTC")
#: Creators that share a random stream.
LOT = 500

_GIVEN_NAMES = {
    "VN": "Linh Minh Trang Huy Mai Nam Thảo Khoa Ngọc Phúc Hà Vy",
    "US": "Ava Noah Mia Liam Zoe Ethan Chloe Owen Ruby Caleb Nora Jude",
    "GB": "Isla Oscar Poppy Alfie Freya Hugo Elsie Theo Maya Finn",
    "AU": "Matilda Jack Willow Archie Evie Cooper Sienna Lachlan",
    "ID": "Putri Budi Ayu Rizky Dewi Bayu Sari Dimas Intan Agus",
    "FR": "Manon Hugo Camille Jules Inès Louis Clara Nathan Léa Arthur",
    "SG": "Wei Jia Hui Ravi Aisha Kai Mei Arjun",
}
_PLACES = {
    "VN": "Hà Nội|Sài Gòn|Đà Nẵng", "US": "Austin|Denver|Chicago", "GB": "Leeds|London|Bristol",
    "AU": "Perth|Sydney|Hobart", "ID": "Jakarta|Bandung|Jogja", "FR": "Lyon|Nantes|Paris", "SG": "Singapore|Tampines",
}  # fmt: skip
_SIMULATED = {"en": "simulated profile", "vi": "hồ sơ mô phỏng", "id": "profil simulasi", "fr": "profil simulé"}
_PLAIN = str.maketrans("ảạọúàèéêë", "aaouaeeee")


def _streams(creators: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """First creator and random stream of each lot."""
    for number, first in enumerate(range(0, creators, LOT)):
        yield first, np.random.default_rng([seed, number + 1])


def _purge_days(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 0]).integers(DAYS - 365, DAYS - 3, (len(PLATFORMS), PURGES))


def simulate_creators(creators: int, seed: int, *, as_of: pd.Timestamp = SIMULATION_AS_OF) -> Tables:
    """Simulate organic creators.

    Parameters
    ----------
    creators : int
        How many, at least 1.
    seed : int
        Of 0 or more. Equal seeds give equal frames, and the first rows of a larger world are a smaller world.
    as_of : Timestamp
        In UTC. Nothing is published or observed later.

    Returns
    -------
    dict of str to DataFrame
        `creators`, `posts`, `snapshots` and, of a part of the creators, `comments`, of the columns and dtypes of
        `features.tables.CONTRACT`.
    """
    purges = _purge_days(seed)
    lots = [_tables(draw_lot(rng, LOT, purges), seed, first, as_of) for first, rng in _streams(creators, seed)]
    tables = {name: pd.concat([lot[name] for lot in lots], ignore_index=True) for name in lots[0]}
    return _first_creators(tables, creators)


def _first_creators(tables: Tables, creators: int) -> Tables:
    if creators % LOT == 0:
        return tables
    ids = tables["creators"]["creator_id"].iloc[:creators]
    return {name: frame[frame["creator_id"].isin(ids)].reset_index(drop=True) for name, frame in tables.items()}


def simulated_oddities(creators: int, seed: int) -> pd.DataFrame:
    """Which honest oddities (`training.oddities.ODDITIES`) the creators of `simulate_creators` have.

    Returns
    -------
    DataFrame
        Indexed by creator_id, a bool column for each oddity: hard negatives to measure false alarms on.
    """
    lots = [
        pd.DataFrame(draw_people(rng, LOT).odd, index=pd.Index(_ids(seed, first), dtype=TEXT, name="creator_id"))
        for first, rng in _streams(creators, seed)
    ]
    return pd.concat(lots).iloc[:creators]


def _tables(lot: Lot, seed: int, first: int, as_of: pd.Timestamp) -> Tables:
    ids = pa.array(_ids(seed, first), pa.large_string())
    tables = {
        "creators": _creators_frame(lot, ids, first, as_of),
        "posts": _posts_frame(lot, ids, as_of),
        "snapshots": _snapshots_frame(lot, ids, as_of),
    }
    # a stream of its own: what people say changes no count
    rng = np.random.default_rng([seed, first, 1])
    return tables | {"comments": draw_talk(tables["posts"], tables["creators"], rng)}


def are_simulated(creator_ids: pd.Series) -> pd.Series:
    """Which creators `simulate_creators` made, told by their ids; bool, same index."""
    return creator_ids.str.fullmatch(r"sim_\d+_\d{6,}").fillna(False).astype(bool)


def _ids(seed: int, first: int) -> list[str]:
    return [f"sim_{seed}_{number:06d}" for number in range(first, first + LOT)]


def _counts(values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    missing = np.isnan(values)
    return pd.arrays.IntegerArray(np.where(missing, 0, values).astype(np.int64), missing)


def _times(days: np.ndarray, as_of: pd.Timestamp) -> pd.Series:
    """Whole seconds at days of the grid."""
    start = as_of.tz_convert(None).as_unit("us") - pd.Timedelta(days=DAYS)
    seconds = np.floor(days * 86_400).astype(np.int64).astype("timedelta64[s]")
    return pd.Series(start.to_datetime64() + seconds).dt.tz_localize("UTC").astype(TIME)


def _text(values: pa.Array | list[str]) -> pd.Series:
    return pd.Series(values, dtype=TEXT)


def _posts_frame(lot: Lot, ids: pa.Array, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = lot.posts
    creator = ids.take(pa.array(columns["owner"]))
    number = pa.array(columns["number"]).cast(pa.large_string())
    sponsors = pa.array([*BRANDS, None], pa.large_string())
    captions = draw_captions(
        columns["niche"],
        columns["language"],
        columns["numbers"],
        sponsor=columns["sponsor"],
        giveaway=columns["giveaway"],
    )
    return pd.DataFrame(
        {
            "creator_id": _text(creator),
            "post_id": _text(pc.binary_join_element_wise(creator, number, pa.scalar("_p", pa.large_string()))),
            "published_at": _times(columns["day"], as_of),
            **{name: _counts(columns[name]) for name in ("likes", "comments")},
            "observed_at": _times(columns["seen"], as_of),
            "kind": _text(pa.array(POST_KINDS, pa.large_string()).take(pa.array(columns["kind"]))),
            "caption": _text(captions),
            **{name: _counts(columns[name]) for name in ("views", "shares", "saves")},
            "is_sponsored": pd.array(columns["sponsor"] >= 0, dtype=FLAG),
            "sponsor": _text(sponsors.take(pa.array(columns["sponsor"] % (len(BRANDS) + 1)))),
        }
    )


def _snapshots_frame(lot: Lot, ids: pa.Array, as_of: pd.Timestamp) -> pd.DataFrame:
    columns = lot.snapshots
    return pd.DataFrame(
        {
            "creator_id": _text(ids.take(pa.array(columns["owner"]))),
            "observed_at": _times(columns["seen"], as_of),
            **{name: _counts(columns[name]) for name in ("followers", "following", "posts_count", "total_views")},
        }
    )


def _creators_frame(lot: Lot, ids: pa.Array, first: int, as_of: pd.Timestamp) -> pd.DataFrame:
    people, columns = lot.people, lot.creators
    countries = [COUNTRIES[country] for country in people.country]
    languages = [LANGUAGES[language] for language in people.language]
    niches = [NICHES[niche] for niche in people.niche]
    names, bios = [], []
    for country, language, niche, name, place in zip(
        countries, languages, niches, columns["name"].tolist(), columns["place"].tolist(), strict=True
    ):
        given, places = _GIVEN_NAMES[country.code].split(), _PLACES[country.code].split("|")
        things = things_of(niche, language)
        names.append(given[name % len(given)])
        bios.append(
            f"{things[name % len(things)]}, {things[(name + 5) % len(things)]} | {places[place % len(places)]} | "
            f"{_SIMULATED[language]}"
        )
    price = columns["price"] * np.array([country.dollar for country in countries])
    step = 10.0 ** np.floor(np.log10(np.nan_to_num(price, nan=1.0)) - 1)
    return pd.DataFrame(
        {
            "creator_id": _text(ids),
            "platform": _text([PLATFORMS[platform] for platform in people.platform]),
            "followers": _counts(columns["followers"]),
            "handle": _text(
                [
                    f"{name.lower().translate(_PLAIN)}.{niche}.{first + number}.sim"
                    for number, (name, niche) in enumerate(zip(names, niches, strict=True))
                ]
            ),
            "display_name": _text([f"{name} {niche.title()} (sim)" for name, niche in zip(names, niches, strict=True)]),
            "bio": _text(bios),
            "language": _text(languages),
            "country": _text([country.code for country in countries]),
            "niche": _text(niches),
            "following": _counts(columns["following"]),
            "posts_count": _counts(columns["posts_count"]),
            "is_verified": pd.array(columns["is_verified"], dtype=FLAG),
            "is_business": pd.array(columns["is_business"], dtype=FLAG),
            "created_at": _times(columns["created"], as_of),
            "observed_at": _times(people.seen, as_of),
            "price_per_post": pd.Series(np.round(price / step) * step, dtype=MONEY),
            "currency": _text([country.currency for country in countries]),
            "barter_ok": pd.array(columns["barter"], dtype=FLAG),
        }
    )
