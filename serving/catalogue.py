"""The catalogue: scored creators read from score frames, checked, filtered and looked up."""

import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow as arrow
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from features.content import HEAD, caption_languages, language_codes
from features.facts import FACTS, UNSAFE
from features.lexicons import lower_text, text_array
from features.profiles import ProfileSpace, niche_shares
from features.tables import HEADS, PLATFORMS, TIERS
from features.terms import Rarity, fold, normalise
from serving.objects import SCHEMES, ObjectError, StoredObject
from serving.prepared import prepare
from serving.shown import Kept, records
from training.tracking import BUNDLED, home

FRACTION, NUMBER, COUNT, TIME, FLAG, TEXT = "fraction", "float64", "Int64", "datetime64[us, UTC]", "boolean", "str"

#: Counts of which a manufactured share is estimated.
SharedCount = Literal["followers", "likes", "views", "comments"]
SHARED_COUNTS: tuple[SharedCount, ...] = ("followers", "likes", "views", "comments")
#: Columns of a score frame and how they are read; a fraction is a float64 in [0, 1].
SCORE_COLUMNS: dict[str, str] = {
    "creator_id": TEXT,
    "platform": TEXT,
    "handle": TEXT,
    "display_name": TEXT,
    "followers": COUNT,
    "tier": TEXT,
    "niche": TEXT,
    "country": TEXT,
    "language": TEXT,
    "as_of": TIME,
    "authenticity": FRACTION,
    "authenticity_low": FRACTION,
    "authenticity_high": FRACTION,
    **{
        f"{head}_{part}": kind
        for head in HEADS
        for part, kind in (
            ("probability", FRACTION),
            ("low", FRACTION),
            ("high", FRACTION),
            ("flagged", FLAG),
            ("assessed", FLAG),
            ("reason", TEXT),
        )
    },
    **{f"inauthentic_{count}_share{end}": FRACTION for count in SHARED_COUNTS for end in ("", "_low", "_high")},
    "coverage_posts": COUNT,
    "coverage_days": COUNT,
    "growth_28d": NUMBER,
    "last_post_at": TIME,
    "evidence": TEXT,
    "checked": TEXT,
    "profile_text": TEXT,
    "role": TEXT,
    "price_per_post": NUMBER,
    "currency": TEXT,
    "audience_language": TEXT,
    "sponsored_share": FRACTION,
    "critical_share": FRACTION,
    "mentions": TEXT,
    **dict.fromkeys(UNSAFE, FRACTION),
    "model_name": TEXT,
    "model_version": TEXT,
    "model_data": TEXT,
    "base_authenticity": FRACTION,
    "registry_hash": TEXT,
}
#: Columns that lists of creators show.
LISTED = (
    *("creator_id", "platform", "handle", "display_name", "followers", "tier", "niche", "country", "language"),
    *("authenticity", "authenticity_low", "authenticity_high", "as_of", "model_name", "model_version", "model_data"),
)
#: Columns that frames of earlier versions do not have; null where they are missing.
_LATER = (*FACTS, *UNSAFE)
_FILLED = ("creator_id", "platform", "model_data", "base_authenticity", "registry_hash")
_EVIDENCE_KEYS = {"head", "signal", "value", "typical_low", "typical_high"}
_CHECKED_KEYS = {"head", "events", "rows", "probability", "probability_without", "suffices"}
_MENTION_KEYS = {"name", "posts", "sponsored_posts", "last_at"}
_IDS_SHOWN = 5
#: Names in a filter: far more than any brief has, few enough to be a filter and not a list of rows.
_MOST_NAMES = 100
#: No bound of followers is larger: what is would be no number to NumPy.
_MOST_FOLLOWERS = 10**15
#: Creators, at least, whose words tell how rare a word is.
_RARITY_SAMPLE = 2_000

#: Where a score file is.
Place = Path | StoredObject
_ADDRESS = re.compile(rf"(?:{'|'.join(SCHEMES)})://")
#: What stands between two places; the colon of an address is none.
_BETWEEN = re.compile(rf"{re.escape(os.pathsep)}(?!//)")

Tier = Literal["nano", "micro", "macro", "mega"]
Platform = Literal["instagram", "tiktok", "youtube", "facebook"]


class CatalogueError(ValueError):
    """A file that is not a score frame; the message names the file and the columns or creators concerned."""


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[tuple[Name, ...], Field(max_length=_MOST_NAMES)]


class Filters(BaseModel):
    """Which creators of a catalogue a brief asks for; an empty filter lets everyone through.

    Attributes
    ----------
    platforms, tiers, niches, countries, languages : tuple of str
        Any of the names given, whatever their case and accents; a creator whose value is unknown is not among them.
    followers_min, followers_max : int, optional
        Bounds of the followers, both included; a creator whose number is unknown is not within them.
    min_authenticity : float, optional
        In [0, 1].
    last_post_within : int, optional
        Days before the creator's `as_of` within which the last post must lie; a creator without a post does not pass.
    include_not_assessed : bool, optional
        Whether creators without an authenticity are let through. By default they are, unless a minimum is asked for:
        nothing shows that they reach it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    platforms: Annotated[tuple[Annotated[Platform, BeforeValidator(_lower)], ...], Field(max_length=_MOST_NAMES)] = ()
    tiers: Annotated[tuple[Annotated[Tier, BeforeValidator(_lower)], ...], Field(max_length=_MOST_NAMES)] = ()
    niches: Names = ()
    countries: Names = ()
    languages: Names = ()
    followers_min: Annotated[int, Field(ge=0, le=_MOST_FOLLOWERS, strict=True)] | None = None
    followers_max: Annotated[int, Field(ge=0, le=_MOST_FOLLOWERS, strict=True)] | None = None
    min_authenticity: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    last_post_within: Annotated[int, Field(ge=0, le=100_000, strict=True)] | None = None
    include_not_assessed: Annotated[bool, Field(strict=True)] | None = None


#: Columns that names filter by, and the field of `Filters` that lists the names.
_NAMED = {
    "platform": "platforms",
    "tier": "tiers",
    "niche": "niches",
    "country": "countries",
    "language": "languages",
}


#: Columns of a score frame that pairs are compared by besides `features.facts.FACTS`.
_MATCHED = ("creator_id", "language", "country", "followers", "inauthentic_followers_share", "as_of")


def _fold(name: str) -> str:
    return " ".join(fold(word) for word in normalise(name).split())


def _primary(language: str) -> str:
    """Language without its region: `vi` of `vi-VN`."""
    return _fold(language).replace("_", "-").split("-")[0]


@dataclass(frozen=True)
class Catalogue:
    """Scored creators, one row each, ready to rank.

    Attributes
    ----------
    frame : DataFrame
        A score frame with the columns of `SCORE_COLUMNS`, sorted by creator_id, index from 0.
    warnings : tuple of {"mixed_registry", "mixed_models"}
        What makes its rows hard to compare: scores from different signal registries or model versions.
    """

    frame: pd.DataFrame
    warnings: tuple[Literal["mixed_registry", "mixed_models"], ...] = ()

    @classmethod
    def of(cls, frame: pd.DataFrame, *, source: str = "the score frame") -> Self:
        """Check a score frame and make a catalogue of it.

        Raises
        ------
        CatalogueError
            Where columns are missing, values cannot be read, or a creator has two rows.
        """
        return cls.of_checked(check_scores(frame, source=source), source=source)

    @classmethod
    def of_checked(cls, checked: pd.DataFrame, *, source: str = "the score frame") -> Self:
        """Make a catalogue of score frames that `check_scores` returned.

        Raises
        ------
        CatalogueError
            Where a creator has two rows.
        """
        twice = checked["creator_id"][checked["creator_id"].duplicated()]
        if len(twice):
            raise CatalogueError(f"{source}: creators with more than one row: {_shown(twice)}")
        warnings: list[Literal["mixed_registry", "mixed_models"]] = []
        if len(checked["registry_hash"].drop_duplicates()) > 1:
            warnings.append("mixed_registry")
        if len(checked[["model_name", "model_version"]].drop_duplicates()) > 1:
            warnings.append("mixed_models")
        return cls(checked.sort_values("creator_id", ignore_index=True), tuple(warnings))

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def written(self) -> list[str]:
        """What the creators write, and their niche."""
        columns = [self.frame[name].fillna("") for name in ("profile_text", "niche")]
        return [" \n".join(parts) for parts in zip(*columns, strict=True)]

    @cached_property
    def languages(self) -> pd.Series:
        """Language of what each creator writes: its place in `features.content.language_codes`, -1 where not told."""
        heads = pd.Series(self.written, dtype="str").str[:HEAD]
        return pd.Series(caption_languages(lower_text(text_array(heads))), dtype=np.int64)

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What briefs may ask for besides the topic; a language that is not said is told from what is written."""
        codes = np.array([*language_codes(), None], dtype=object)[self.languages]
        frame = self.frame[[*_MATCHED, *FACTS, *UNSAFE]]
        return frame.assign(language=frame["language"].fillna(pd.Series(codes, dtype="str")))

    def facts_of(self, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of the facts of some creators; columns that no one reads are not copied."""
        return pd.DataFrame({name: self.facts[name].array.take(rows) for name in columns})

    @cached_property
    def listed(self) -> pd.DataFrame:
        """Columns of the frame that lists of creators show."""
        return self.frame[[*LISTED]]

    @cached_property
    def rarity(self) -> Rarity:
        """How rare words are, by creators that stand evenly over the catalogue."""
        return Rarity.fit(self.written[:: max(1, len(self) // _RARITY_SAMPLE)])

    @cached_property
    def profiles(self) -> ProfileSpace:
        """What the creators write as vectors: how well they fit a brief in any language."""
        return ProfileSpace.fit(self.written)

    @cached_property
    def niche_shares(self) -> pd.DataFrame:
        """How much of what each creator writes falls into each niche of the taxonomy, as `niche_shares` returns it."""
        return niche_shares(pd.Series(self.written, dtype="str"))

    def prepare(self) -> None:
        """Make everything that a ranking reads, so that the first brief does not wait for it."""
        prepare(self)
        for made in (self.profiles, self.niche_shares, self._positions, self.assumed_authenticity):
            len(made)
        self.rarity.weight("")
        for frame in (self.facts, self.listed):
            len(frame)
        self.profiles.read("warm")
        self.mask(Filters(platforms=("tiktok",)))

    @cached_property
    def shown(self) -> Kept:
        """What reasons are made of, of creators that were shown lately."""
        return Kept(self.frame, self.facts, self.written, self.profiles)

    @cached_property
    def assumed_authenticity(self) -> np.ndarray:
        """Authenticity of every creator, the model's base authenticity where none was assessed; float64."""
        assumed = self.frame["authenticity"].fillna(self.frame["base_authenticity"])
        return np.asarray(assumed.to_numpy(dtype=np.float64))

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {creator_id: position for position, creator_id in enumerate(self.frame["creator_id"])}

    @cached_property
    def simulated(self) -> bool:
        """Whether any score comes from a model trained on simulated creators."""
        return bool((self.frame["model_data"] == "simulated").any())

    def position(self, creator_id: str) -> int:
        """Row number of a creator.

        Raises
        ------
        KeyError
            Where the catalogue has no such creator.
        """
        return self._positions[creator_id]

    def __contains__(self, creator_id: object) -> bool:
        return creator_id in self._positions

    def beside(self, frame: pd.DataFrame) -> Self:
        """Other creators, whose texts are compared as if they stood in this catalogue.

        Parameters
        ----------
        frame : DataFrame
            Their score frame.
        """
        other = type(self).of(frame)
        # what cached properties would make of the few alone: the mean of their language, and how rare words are
        vars(other).update(profiles=self.profiles.of(other.written), rarity=self.rarity)
        return other

    def creator(self, creator_id: str) -> dict[str, Any]:
        """Row of a creator by column.

        Raises
        ------
        KeyError
            Where the catalogue has no such creator.
        """
        return self.creators([creator_id])[0]

    def creators(self, creator_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of some creators by column, in their order: taking twenty takes hardly longer than taking one.

        Raises
        ------
        KeyError
            Where the catalogue has no such creator.
        """
        return records(self.frame.iloc[[self.position(one) for one in creator_ids]])

    def names(self, column: str) -> list[str]:
        """Distinct known values of a column, sorted: the choices of a filter."""
        if column not in self._names:
            self._names[column] = sorted(self.frame[column].dropna().unique())
        return self._names[column]

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        return {}

    @cached_property
    def _codes(self) -> dict[str, tuple[np.ndarray, list[str]]]:
        """Of every column that names filter by: the position of each creator's value among the distinct ones."""
        found = {name: pd.factorize(self.frame[name]) for name in _NAMED}
        return {name: (codes, [str(value) for value in values]) for name, (codes, values) in found.items()}

    @cached_property
    def _followers(self) -> np.ndarray:
        return self.frame["followers"].to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def _days_since_post(self) -> np.ndarray:
        since = self.frame["as_of"] - self.frame["last_post_at"]
        return np.asarray(since.dt.total_seconds().to_numpy(dtype=np.float64) / 86_400)

    @cached_property
    def authentic_followers(self) -> np.ndarray:
        """Followers less those estimated to be manufactured, float64; NaN where either is unknown."""
        share = self.frame["inauthentic_followers_share"].to_numpy(dtype=np.float64)
        return np.asarray(self._followers * (1.0 - share))

    def sort_keys(self, name: str) -> np.ndarray:
        """Numbers by which creators are sorted, float64; NaN where unknown. Made once, when first asked for.

        Parameters
        ----------
        name : str
            Of `serving.paging.SORTS` those that no brief decides.
        """
        if name not in self._sort_keys:
            self._sort_keys[name] = self._make_sort_keys(name)
        return self._sort_keys[name]

    @cached_property
    def _sort_keys(self) -> dict[str, np.ndarray]:
        return {}

    def _make_sort_keys(self, name: str) -> np.ndarray:
        if name == "authentic_followers":
            return self.authentic_followers
        if name == "last_post":
            return -self._days_since_post
        if name == "tier":
            known = pd.Index(TIERS).get_indexer(pd.Index(self.frame["tier"]))
            return np.where(known < 0, np.nan, known)
        if name == "creator":
            named = self.frame["display_name"].fillna(self.frame["handle"]).fillna(self.frame["creator_id"])
            return _places(named)
        if name in ("platform", "role", "niche"):
            return _places(self.frame[name])
        column = {"growth": "growth_28d"}.get(name, name)
        return self.frame[column].to_numpy(dtype=np.float64, na_value=np.nan)

    def _is_any(self, column: str, wanted: Sequence[str]) -> np.ndarray:
        key = _primary if column == "language" else _fold
        kept = {key(name) for name in wanted}
        codes, names = self._codes[column]
        among = np.array([key(name) in kept for name in names], dtype=bool)
        return np.append(among, False)[codes]  # code -1, an unknown value, is the appended False

    def mask(self, filters: Filters) -> np.ndarray:
        """Creators that pass: bool, shape (len(self),)."""
        kept = np.ones(len(self), dtype=bool)
        for column, field in _NAMED.items():
            wanted = getattr(filters, field)
            if wanted:
                kept &= self._is_any(column, wanted)
        followers = self._followers
        if filters.followers_min is not None:
            kept &= followers >= filters.followers_min
        if filters.followers_max is not None:
            kept &= followers <= filters.followers_max
        if filters.last_post_within is not None:
            kept &= self._days_since_post <= filters.last_post_within
        return kept & self._authentic(filters)

    def passing(self, filters: Filters) -> dict[str, int]:
        """How many creators each filter that is set lets through on its own, by field."""
        fields = [field for field in Filters.model_fields if field != "include_not_assessed"]
        alone = {field: getattr(filters, field) for field in fields}
        return {
            field: int(self.mask(Filters(**{field: value})).sum())
            for field, value in alone.items()
            if value not in ((), None)
        }

    def _authentic(self, filters: Filters) -> np.ndarray:
        authenticity = self.frame["authenticity"].to_numpy()
        unknown = np.isnan(authenticity)
        asked = filters.min_authenticity is not None and filters.min_authenticity > 0
        include = filters.include_not_assessed if filters.include_not_assessed is not None else not asked
        reached = ~unknown if filters.min_authenticity is None else authenticity >= filters.min_authenticity
        return reached | (unknown & include)


def _places(texts: pd.Series) -> np.ndarray:
    """Places of texts in the order of their letters, whatever their case; NaN where there is none."""
    places = texts.str.strip().str.casefold().replace("", None).rank(method="dense")
    return np.asarray(places.to_numpy(dtype=np.float64, na_value=np.nan))


def _shown(values: pd.Series) -> str:
    more = f" and {len(values) - _IDS_SHOWN} more" if len(values) > _IDS_SHOWN else ""
    return ", ".join(repr(value) for value in values.iloc[:_IDS_SHOWN].tolist()) + more


_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def _typed(values: pd.Series, kind: str) -> pd.Series:
    """Values as `kind`; what cannot be read becomes null."""
    if kind in (FRACTION, NUMBER):
        return pd.to_numeric(values, errors="coerce").astype("float64")
    if kind == COUNT:
        numbers = pd.to_numeric(values, errors="coerce").astype("Float64")
        return numbers.where(numbers % 1 == 0).astype("Int64")
    if kind == TIME:
        return pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601").astype("datetime64[us, UTC]")
    if kind == FLAG:
        return values.astype("str").str.lower().map(_FLAGS).astype("boolean")
    return values.astype("str").mask(values.isna())


def _is_list_of(text: str, keys: set[str]) -> bool:
    try:
        items = json.loads(text)
    except ValueError:
        return False
    return isinstance(items, list) and all(isinstance(item, dict) and item.keys() >= keys for item in items)


def check_scores(frame: pd.DataFrame, *, source: str = "the score frame") -> pd.DataFrame:
    """Check a score frame and return a typed copy with the columns of `SCORE_COLUMNS`, in that order.

    Raises
    ------
    CatalogueError
        With every missing column, or the first column whose values are wrong and the creators concerned.
    """
    missing = [name for name in SCORE_COLUMNS if name not in frame and name not in _LATER]
    if missing:
        message = (
            f"{source} is not a score frame: columns {', '.join(missing)} are missing; "
            "make one with `realreach score DIR --out FILE`"
        )
        raise CatalogueError(message)
    frame = frame.assign(**{name: None for name in _LATER if name not in frame})
    typed = pd.DataFrame({name: _typed(frame[name], kind) for name, kind in SCORE_COLUMNS.items()})
    wrong_of = {name: typed[name].isna() & frame[name].notna() for name in SCORE_COLUMNS}
    for name, kind in SCORE_COLUMNS.items():
        if kind == FRACTION:
            wrong_of[name] |= (typed[name] < 0) | (typed[name] > 1)
        if name in _FILLED:
            wrong_of[name] |= typed[name].isna()
    wrong_of["platform"] |= ~typed["platform"].isin(PLATFORMS)
    for name, keys in (("evidence", _EVIDENCE_KEYS), ("checked", _CHECKED_KEYS), ("mentions", _MENTION_KEYS)):
        texts = typed[name].fillna("[]")
        right = {text: _is_list_of(text, keys) for text in texts.unique()}
        wrong_of[name] |= ~texts.map(right).astype(bool)
    for name, wrong in wrong_of.items():
        if wrong.any():
            message = f"{source}: {name} is wrong ({_shown(frame[name][wrong])}) for creators "
            raise CatalogueError(message + _shown(typed["creator_id"][wrong]))
    twice = typed["creator_id"][typed["creator_id"].duplicated()]
    if len(twice):
        message = f"{source}: creators with more than one row: {_shown(twice)}"
        raise CatalogueError(message)
    empty = dict.fromkeys((f"{head}_reason" for head in HEADS), "")  # CSV does not tell empty text from none
    return typed.fillna(empty).reset_index(drop=True)


def _read_frame(place: Place) -> pd.DataFrame:
    if isinstance(place, Path) and not place.is_file():
        message = f"{place}: no such file; make one with `realreach score DIR --out {place}`"
        raise CatalogueError(message)
    kind = "Parquet" if place.suffix == ".parquet" else "CSV"
    try:
        file = io.BytesIO(place.read()) if isinstance(place, StoredObject) else place
        if kind == "Parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype="str", keep_default_na=False, na_values=[""])
    except ObjectError as error:
        raise CatalogueError(str(error)) from error
    except (OSError, ValueError, UnicodeDecodeError, arrow.ArrowException) as error:
        message = f"{place} cannot be read as {kind}: {error}"
        raise CatalogueError(message) from error


def read_catalogue(*places: Place) -> Catalogue:
    """Read a catalogue from one or several score frames, Parquet or CSV by their ending.

    An id that several platforms use is told apart by its platform: `tiktok:an`, `youtube:an`.

    Raises
    ------
    CatalogueError
        Where a file is missing or not a score frame, or a creator of one platform has rows in two files.
    """
    frames = [check_scores(_read_frame(place), source=str(place)) for place in places]
    together = _told_apart(pd.concat(frames, ignore_index=True))
    return Catalogue.of_checked(together, source=", ".join(map(str, places)))


def _told_apart(frame: pd.DataFrame) -> pd.DataFrame:
    platforms = frame.groupby("creator_id")["platform"].transform("nunique")
    qualified = frame["platform"] + ":" + frame["creator_id"]
    return frame.assign(creator_id=frame["creator_id"].where(platforms == 1, qualified))


def place_of(name: str) -> Place:
    """Where a score file is, by what somebody wrote: a path, or an address such as `s3://bucket/catalogue.parquet`.

    Raises
    ------
    CatalogueError
        Where the address names no file.
    """
    if not _ADDRESS.match(name):
        return Path(name)
    try:
        return StoredObject(name)
    except ObjectError as error:
        raise CatalogueError(str(error)) from error


def catalogue_places() -> tuple[Place, ...]:
    """Where the catalogue is: the files of REALREACH_CATALOGUE, else that of the bento, else that of REALREACH_HOME.

    REALREACH_CATALOGUE may name several files and addresses, separated as in PATH.

    Raises
    ------
    CatalogueError
        Where an address names no file.
    """
    named = os.environ.get("REALREACH_CATALOGUE", "")
    if named:
        return tuple(place_of(name) for name in _BETWEEN.split(named) if name)
    bundled = Path(__file__).parents[1] / BUNDLED / "catalogue.parquet"
    return (bundled if bundled.is_file() else home() / "catalogue.parquet",)
