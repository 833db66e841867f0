"""What a brief asks of a creator besides its topic, and how well each creator meets it.

Every signal is 1 where a creator suits the brief, 0 where it does not, and NaN where the brief does not ask or nothing
is known of the creator. None of them reads authenticity.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.facts import UNSAFE
from features.fit import Floats
from features.terms import fold, normalise

#: Signals by name, with the part of the fit that a creator loses who does not meet one at all. The project's own choice
#: where nothing was learnt: a competitor's face is worth less than half, an audience that does not read the language of
#: the campaign half, a role or a place a matter of taste.
WEIGHTS: Mapping[str, float] = {
    "language": 0.5,
    "audience_language": 0.5,
    "country": 0.3,
    "role": 0.2,
    "price": 0.4,
    "no_competitor": 0.6,
    "sponsored_room": 0.2,
    "balance": 0.1,
    "safe_texts": 0.3,
    "wanted_words": 0.1,
    "no_unwanted_words": 0.5,
    "audience_reached": 0.05,
}
#: Days after which a competitor's post no longer counts, and those up to which it counts in full; agencies ask for one
#: to six months of exclusivity around a campaign.
CONFLICT_DAYS, FULL_CONFLICT_DAYS = 365.0, 90.0
#: What a competitor counts that is written about in words, without a day.
_UNDATED_CONFLICT = 0.5
#: Part of criticism in opinions from which on they are balanced, and from which on they are complaints.
_BALANCED = (0.1, 0.6)
#: Logarithm to base 10 of the followers, without those estimated to be manufactured, at which reach counts in full.
_FULL_REACH = 6.0


@dataclass(frozen=True)
class Wanted:
    """What a brief asks for; an empty one asks for nothing.

    Attributes
    ----------
    languages, countries, roles : tuple of str
        Any of them will do; ISO codes and names of `features/norms/roles.toml`.
    price_max : float, optional
        Of one post, in `currency`.
    currency : str
    competitors : tuple of str
        Names or handles of brands that a creator should not have worked with lately.
    words, unwanted_words : tuple of str
        That a creator should, or should not, have written.
    """

    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    price_max: float | None = None
    currency: str = ""
    competitors: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    unwanted_words: tuple[str, ...] = ()


#: What is looked at whatever a brief asks for.
_ALWAYS_READ = ("followers", "inauthentic_followers_share", "sponsored_share", "critical_share", *UNSAFE)


def as_handle(name: str) -> str:
    """A brand's name as a handle would write it: "L'Oréal Paris" is "lorealparis"."""
    return re.sub(r"[^a-z0-9]", "", fold(normalise(name)))


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


def _among(creators: pd.DataFrame, column: str, wanted: Sequence[str]) -> Floats:
    """1 where a value is among the wanted ones, 0 where it is another, NaN where it is unknown or none is wanted."""
    if not wanted:
        return np.full(len(creators), np.nan)
    values = creators[column]
    kept = {_primary(one) for one in wanted}
    folded = values.map(_primary, na_action="ignore")
    return np.where(values.isna(), np.nan, folded.isin(kept).to_numpy(dtype=np.float64))


def parse_mentions(text: object) -> list[dict[str, object]]:
    """Names in the column `mentions` of one creator."""
    return json.loads(text) if isinstance(text, str) and text else []


def conflict_of(mention: Mapping[str, object], as_of: pd.Timestamp) -> float:
    """How much one post for a competitor still counts, 1 to 0, by its day."""
    days = (as_of - pd.Timestamp(str(mention["last_at"]), tz="UTC")).days
    return float(np.clip((CONFLICT_DAYS - days) / (CONFLICT_DAYS - FULL_CONFLICT_DAYS), 0.0, 1.0))


def names_brand(mention: str, brand: str) -> bool:
    """Whether a handle is a brand's: its name, or its name and more ("loreal" names "lorealmakeup")."""
    handle, name = as_handle(mention), as_handle(brand)
    return bool(name) and (handle == name or (len(name) >= 4 and handle.startswith(name)))


def _conflicts(creators: pd.DataFrame, texts: Sequence[str], wanted: Wanted) -> Floats:
    """1 where no competitor is named, down to 0 where one was lately."""
    if not wanted.competitors:
        return np.full(len(creators), np.nan)
    pattern = word_pattern(wanted.competitors)
    found = np.ones(len(creators))
    for row, (listed, as_of, text) in enumerate(zip(creators["mentions"], creators["as_of"], texts, strict=True)):
        named = [
            one
            for one in parse_mentions(listed)
            if any(names_brand(str(one["name"]), brand) for brand in wanted.competitors)
        ]
        if named:
            found[row] = 1.0 - max(conflict_of(one, as_of) for one in named)
        elif pattern.search(normalise(text)):
            found[row] = 1.0 - _UNDATED_CONFLICT
    return found


def word_pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Pattern that finds any of some words or phrases where they stand whole in normalised text, also as hashtags."""
    phrases = [normalise(word).lstrip("#@").strip() for word in words]
    inner = "|".join(r"\s*".join(map(re.escape, phrase.split())) for phrase in phrases if phrase)
    return re.compile(rf"(?<!\w)(?:{inner})(?!\w)" if inner else r"(?!)")


def _written(texts: Sequence[str], words: Sequence[str]) -> Floats:
    if not words:
        return np.full(len(texts), np.nan)
    pattern = word_pattern(words)
    return np.array([float(bool(pattern.search(normalise(text)))) for text in texts])


def _affordable(creators: pd.DataFrame, wanted: Wanted) -> Floats:
    """1 where a post costs no more than asked, else the part of it that is paid for; NaN in another currency."""
    if wanted.price_max is None:
        return np.full(len(creators), np.nan)
    price = creators["price_per_post"].to_numpy(dtype=np.float64)
    same = (creators["currency"].fillna("").str.upper() == wanted.currency.upper()).to_numpy(dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.minimum(wanted.price_max / price, 1.0)
    return np.where(same & ~np.isnan(price), np.where(price > 0, part, 1.0), np.nan)


def _balance(critical: Floats) -> Floats:
    """1 where opinions are neither only praise nor mostly criticism."""
    low, high = _BALANCED
    return np.clip(np.minimum(critical / low, (1 - critical) / (1 - high)), 0.0, 1.0)


def columns_read(wanted: Wanted) -> tuple[str, ...]:
    """Columns of a score frame that `match_signals` reads for a brief; most wishes are of few briefs."""
    asked = {
        ("language", "audience_language"): wanted.languages,
        ("country",): wanted.countries,
        ("role",): wanted.roles,
        ("price_per_post", "currency"): wanted.price_max is not None,
        ("mentions", "as_of"): wanted.competitors,
    }
    return (*_ALWAYS_READ, *(name for names, there in asked.items() if there for name in names))


def match_signals(wanted: Wanted, creators: pd.DataFrame, texts: Sequence[str]) -> dict[str, Floats]:
    """How well creators meet what a brief asks for besides its topic.

    Parameters
    ----------
    wanted : Wanted
    creators : DataFrame
        Rows of a score frame, or its columns that `columns_read` names.
    texts : sequence of str
        What each of them writes.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        By the names of `WEIGHTS`, in [0, 1].
    """
    genuine = creators["followers"].to_numpy(dtype=np.float64, na_value=np.nan) * (
        1.0 - creators["inauthentic_followers_share"].fillna(0.0).to_numpy(dtype=np.float64)
    )
    reach = np.clip(np.log10(np.maximum(genuine, 1.0)) / _FULL_REACH, 0.0, 1.0)
    found = {
        "language": _among(creators, "language", wanted.languages),
        "audience_language": _among(creators, "audience_language", wanted.languages),
        "country": _among(creators, "country", wanted.countries),
        "role": _among(creators, "role", wanted.roles),
        "price": _affordable(creators, wanted),
        "no_competitor": _conflicts(creators, texts, wanted),
        "sponsored_room": 1.0 - creators["sponsored_share"].to_numpy(dtype=np.float64),
        "balance": _balance(creators["critical_share"].to_numpy(dtype=np.float64)),
        "safe_texts": 1.0 - creators[[*UNSAFE]].max(axis=1).to_numpy(dtype=np.float64),
        "wanted_words": _written(texts, wanted.words),
        "no_unwanted_words": 1.0 - _written(texts, wanted.unwanted_words),
        "audience_reached": reach,
    }
    return {name: np.asarray(found[name], dtype=np.float64) for name in WEIGHTS}


def met(signals: Mapping[str, Floats]) -> Floats:
    """Part of the fit that remains by `WEIGHTS`; what is not known neither raises nor lowers. Shape (creators,)."""
    parts = [1.0 - WEIGHTS[name] * (1.0 - np.nan_to_num(values, nan=1.0)) for name, values in signals.items()]
    return np.asarray(np.prod(parts, axis=0), dtype=np.float64)
