"""Ranking: a brief, the creators it asks for, in order of fit × authenticity, with the reasons in words."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from features.brief_text import Read, read_brief_text
from features.tables import HEADS
from features.terms import Missing, words_of
from serving.catalogue import Catalogue, Filters, records
from serving.words import N_, Language, Words, words_for

#: Authenticity below which a reason is owed even where no single head flags.
DOUBTED = 0.5
#: Between the reasons of one creator, in the column `reasons`.
REASON_SEPARATOR = " · "
#: Characters: more than 10,000 words in either language.
LONGEST_BRIEF = 100_000
MOST_CREATORS = 1_000

RANKED_COLUMNS = (
    "rank",
    "creator_id",
    "platform",
    "handle",
    "display_name",
    "followers",
    "tier",
    "niche",
    "country",
    "language",
    "authenticity",
    "authenticity_low",
    "authenticity_high",
    "authenticity_assessed",
    "fit",
    "score",
    "reason",
    "reasons",
    "matched_words",
    "as_of",
    "model_name",
    "model_version",
    "model_data",
)

_MISSING_WORDS: dict[Missing, str] = {
    "": "",
    "empty_brief": N_("the brief has no words to compare: ranked by authenticity alone"),
    "unknown_words": N_("nothing of the brief can be compared with what creators write: ranked by authenticity alone"),
}
#: Best fit up to which a brief that names no niche may as well be nonsense: twenty real briefs reached .45 to .79 over
#: the real creators of training/briefs.toml's benchmark, invented words and a bare brand name .24 to .48.
WEAK_FIT = 0.5
#: Least part of what a creator writes that makes a niche of the brief a reason.
_NICHE_PART = 0.25
_NICHES_SHOWN = 3
#: What the words of a brief may filter by, and how that is said.
_READ_WORDS = {
    "platforms": N_("platform {values} (“{words}”)"),
    "tiers": N_("tier {values} (“{words}”)"),
    "followers_min": N_("at least {values} followers (“{words}”)"),
    "followers_max": N_("at most {values} followers (“{words}”)"),
}
_PROPER = {"tiktok": "TikTok", "instagram": "Instagram", "youtube": "YouTube", "facebook": "Facebook"}


class BriefError(ValueError):
    """A brief that cannot be read; the message names the file and the field."""


class Brief(Filters):
    """What a campaign wants.

    Attributes
    ----------
    text : str
        The brief in words, in any language.
    k : int
        Creators wanted.
    name, brand_id, budget, currency, goal
        Columns of a brief that the ranking carries along and does not use.
    """

    text: Annotated[str, Field(max_length=LONGEST_BRIEF)] = ""
    k: Annotated[int, Field(ge=1, le=MOST_CREATORS)] = 20
    name: Annotated[str, Field(max_length=500)] = ""
    brand_id: Annotated[str, Field(max_length=200)] = ""
    budget: Annotated[float, Field(ge=0)] | None = None
    currency: Annotated[str, Field(max_length=10)] = ""
    goal: Annotated[str, Field(max_length=500)] = ""


#: Columns of the `briefs` table under another name here.
_FIELD_OF = {"brief": "text", "niche": "niches"}
_LISTS = ("platforms", "tiers", "niches", "countries", "languages")
_SEPARATOR = re.compile(r"[,;|]")
_ENDINGS = (".json", ".toml", ".txt")


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in _SEPARATOR.split(value) if part.strip()]


def make_brief(fields: Mapping[str, Any], *, source: str = "the brief") -> Brief:
    """Make a brief of the columns of a `briefs` row, lists as lists or as text with commas.

    Raises
    ------
    BriefError
        Naming every field that is unknown or wrong.
    """
    values: dict[str, Any] = {}
    for name, value in fields.items():
        field = _FIELD_OF.get(name, name)
        if field in values:
            message = f"{source}: {name} and {field} say the same thing twice"
            raise BriefError(message)
        if value is not None:
            values[field] = _split(value) if field in _LISTS else value
    try:
        return Brief.model_validate(values)
    except ValidationError as error:
        known = ", ".join([*_FIELD_OF, *(name for name in Brief.model_fields if name not in _FIELD_OF.values())])
        named = {field: name for name, field in _FIELD_OF.items() if name in fields}
        lines = []
        for problem in error.errors():
            field = str(problem["loc"][0])
            what = f"unknown; a brief has {known}" if problem["type"] == "extra_forbidden" else problem["msg"]
            lines.append(f"{source}: {named.get(field, field)}: {what}")
        raise BriefError("\n".join(dict.fromkeys(lines))) from error


def _parse(path: Path, text: str) -> Brief:
    if path.suffix.lower() == ".txt":
        return make_brief({"text": text}, source=str(path))
    try:
        fields = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except ValueError as error:
        message = f"{path}: not {path.suffix[1:].upper()}: {error}"
        raise BriefError(message) from error
    if not isinstance(fields, dict):
        message = f"{path}: expected one brief, an object with its fields"
        raise BriefError(message)
    return make_brief(fields, source=str(path))


def read_brief(text_or_file: str) -> Brief:
    """Read a brief from its text, or from a .json, .toml or .txt file.

    Raises
    ------
    BriefError
        Where the file is missing or cannot be read, or a field is unknown or wrong.
    """
    if not text_or_file.lower().endswith(_ENDINGS) or "\n" in text_or_file:
        return make_brief({"text": text_or_file})
    path = Path(text_or_file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        message = f"{path}: no such file"
        raise BriefError(message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read as UTF-8 text: {error}"
        raise BriefError(message) from error
    return _parse(path, text)


@dataclass(frozen=True)
class Shortlist:
    """Creators ranked for a brief.

    Attributes
    ----------
    frame : DataFrame
        The first `k` creators, best first; columns `RANKED_COLUMNS`.
    candidates : int
        Creators that passed the filters.
    fit_missing : {"", "empty_brief", "unknown_words"}
        Why no fit could be told; the order is then by authenticity alone and `fit` is NaN.
    niches : tuple of str
        Niches that were read from the brief, the strongest first.
    read : tuple of Read
        Filters that were read from the words of the brief and hold.
    """

    frame: pd.DataFrame
    candidates: int
    fit_missing: Missing
    niches: tuple[str, ...] = ()
    read: tuple[Read, ...] = ()

    def note(self, language: Language = "en") -> str:
        """Say what was read from the brief, and why nobody is listed or there is no fit."""
        words = words_for(language)
        said = [self._say_fit(words), *([_say_read(self.read, words)] if self.read else [])]
        return "; ".join(sentence for sentence in said if sentence)

    def _say_fit(self, words: Words) -> str:
        if not self.candidates:
            return words.say(N_("no creator of the catalogue passes the filters"))
        if self.fit_missing:
            return words.say(_MISSING_WORDS[self.fit_missing])
        if self.niches:
            named = ", ".join(words.niche(niche) for niche in self.niches[:_NICHES_SHOWN])
            return words.say(N_("the brief was read as: {niches}"), niches=named)
        if self.frame["fit"].max() < WEAK_FIT:
            return words.say(
                N_("the brief names no niche that is known here and no creator comes close: fit says little")
            )
        return ""


def _say_read(found: Sequence[Read], words: Words) -> str:
    """What was read as filters, and from which words, so that a wrong reading is seen."""
    parts = []
    for field, name in _READ_WORDS.items():
        own = [one for one in found if one.field == field]
        if own:
            values = ", ".join(
                words.count(one.value) if isinstance(one.value, int) else _PROPER.get(one.value, one.value)
                for one in own
            )
            quoted = ", ".join(dict.fromkeys(one.words for one in own))
            parts.append(words.say(name, values=values, words=quoted))
    return words.say(N_("only those are listed that the words of the brief ask for: {parts}"), parts="; ".join(parts))


def with_text(brief: Brief) -> tuple[Brief, tuple[Read, ...]]:
    """A brief with the filters that its text says in words, and what was read; a field that is given stands.

    Countries are not filtered by: a place may be what a campaign is about.
    """
    given = {field for field in ("platforms", "tiers") if getattr(brief, field)}
    if brief.tiers or brief.followers_min is not None or brief.followers_max is not None:
        given |= {"followers_min", "followers_max", "tiers"}
    found = [one for one in read_brief_text(brief.text) if one.field in _READ_WORDS and one.field not in given]
    values: dict[str, Any] = {
        field: tuple(one.value for one in found if one.field == field) for field in ("platforms", "tiers")
    }
    values |= {one.field: one.value for one in found if one.field in ("followers_min", "followers_max")}
    read = {field: value for field, value in values.items() if value not in ((), None)}
    return (brief.model_copy(update=read), tuple(found)) if read else (brief, ())


def order(fit: np.ndarray, authenticity: np.ndarray, k: int | None = None) -> np.ndarray:
    """Positions by fit × authenticity, highest first; equal products by authenticity, then by position.

    Monotone in both: raising a creator's fit or authenticity never lowers its place.

    Parameters
    ----------
    fit, authenticity : ndarray of float64, shape (n,)
        In [0, 1], no NaN.
    k : int, optional
        How many are wanted; all where left out. Only those that can be among them are sorted.
    """
    score = fit * authenticity
    rows = np.arange(len(score))
    if k is not None and k < len(score):
        rows = np.flatnonzero(score >= np.partition(score, len(score) - k)[len(score) - k])
    return rows[np.lexsort((rows, -authenticity[rows], -score[rows]))][:k]


def _say_evidence(row: Mapping[str, Any], words: Words) -> list[str]:
    """One sentence for every flagged head, the head with the strongest evidence first."""
    items = json.loads(row["evidence"]) if pd.notna(row["evidence"]) else []
    flagged = _flagged(row)
    strongest = {head: item for item in reversed(items) if (head := item["head"]) in flagged}
    ranked = list(dict.fromkeys([*(item["head"] for item in items if item["head"] in flagged), *flagged]))
    said = []
    for head in ranked:
        sentence = words.head(head)
        said.append(f"{sentence}: {words.evidence(strongest[head])}" if head in strongest else sentence)
    return said


def _flagged(row: Mapping[str, Any]) -> list[str]:
    return [head for head in HEADS if pd.notna(row[f"{head}_flagged"]) and bool(row[f"{head}_flagged"])]


def _say_likeliest(row: Mapping[str, Any], words: Words) -> str:
    """The head that lowers authenticity most although none is above its threshold."""
    likeliest = max(HEADS, key=lambda head: np.nan_to_num(row[f"{head}_probability"]))
    return words.say(
        N_("{signals}: {probability}, below the threshold"),
        signals=words.head(likeliest),
        probability=words.percent(row[f"{likeliest}_probability"]),
    )


def why_not_assessed(row: Mapping[str, Any], words: Words) -> str:
    """Why no head of a creator could be assessed, in short: how little of its history is known."""
    return words.say(
        N_("too little history: {posts} posts, {days} days of follower counts"),
        posts=words.count(row["coverage_posts"]),
        days=words.count(row["coverage_days"]),
    )


def reasons(
    row: Mapping[str, Any], matched: tuple[str, ...], words: Words, niches: Sequence[tuple[str, float]] = ()
) -> list[str]:
    """Reasons for a creator's place, the most important first.

    Parameters
    ----------
    row : mapping
        Row of a score frame by column.
    matched : tuple of str
        Words of the brief that its texts share.
    niches : sequence of (str, float)
        Niches of the brief that it writes about, and what part of its words on any niche.
    """
    said = _say_evidence(row, words)
    if np.isnan(row["authenticity"]):
        said.append(words.say(N_("not assessed: {why}"), why=why_not_assessed(row, words)))
    if niches:
        parts = ", ".join(f"{words.niche(name)} ({words.percent(part)})" for name, part in niches)
        said.append(words.say(N_("writes about: {niches}"), niches=parts))
    if matched:
        said.append(words.say(N_("matches the brief in: {words}"), words=", ".join(matched)))
    if row["authenticity"] < DOUBTED and not _flagged(row):
        said.insert(0, _say_likeliest(row, words))
    if not said:
        said.append(words.say(N_("no signals above the thresholds")))
    return said


def shortlist(catalogue: Catalogue, brief: Brief, language: Language = "en") -> Shortlist:
    """Rank the creators of a catalogue that a brief asks for; see `Shortlist`.

    `score` is fit × authenticity, with the `base_authenticity` of the model where `authenticity_assessed` is
    false; where no fit can be told, `fit` is NaN and `score` the authenticity. Fit depends on nothing but what is
    written, so that a creator's place never falls when its authenticity rises.

    Parameters
    ----------
    language : {"en", "vi"}
        Language of the reasons.
    """
    brief, filters = with_text(brief)
    read = catalogue.profiles.read(brief.text, brief.niches)
    written = bool(words_of(brief.text))
    missing: Missing = "" if written and read.known else "unknown_words" if written else "empty_brief"
    candidates = np.flatnonzero(catalogue.mask(brief))
    fit = (
        np.full(len(candidates), np.nan)
        if missing
        else catalogue.profiles.similarities(read)[candidates].astype(np.float64)
    )
    known_fit = np.ones(len(candidates)) if missing else fit
    assumed = assumed_authenticity(catalogue)[candidates]
    best = order(known_fit, assumed, brief.k)
    niches = () if missing else read.niches
    frame = _ranked(catalogue, candidates[best], brief.text, niches, words_for(language))
    frame = frame.assign(fit=fit[best], score=(known_fit * assumed)[best])
    return Shortlist(frame.loc[:, list(RANKED_COLUMNS)], len(candidates), missing, niches, filters)


def lookalikes(
    catalogue: Catalogue,
    creator_ids: Sequence[str],
    filters: Filters | None = None,
    *,
    k: int = 20,
    language: Language = "en",
) -> Shortlist:
    """Creators who write about what some others write about, by likeness × authenticity; the others are left out.

    Parameters
    ----------
    catalogue : Catalogue
    creator_ids : sequence of str
        One or more, whose middle is looked for.
    filters : Filters, optional
        `min_authenticity` is `DOUBTED` where it is not said: whoever is like a good creator only in words is no help.
    k : int
        Creators wanted.
    language : {"en", "vi"}

    Raises
    ------
    KeyError
        Where the catalogue has no such creator.
    """
    rows = [catalogue.position(creator_id) for creator_id in creator_ids]
    filters = filters or Filters()
    if filters.min_authenticity is None:
        filters = filters.model_copy(update={"min_authenticity": DOUBTED})
    mask = catalogue.mask(filters)
    mask[rows] = False
    candidates = np.flatnonzero(mask)
    fit = catalogue.profiles.alike(rows)[candidates].astype(np.float64)
    assumed = assumed_authenticity(catalogue)[candidates]
    best = order(fit, assumed, k)
    niches = _niches_of(catalogue, rows)
    frame = _ranked(catalogue, candidates[best], "", niches, words_for(language))
    frame = frame.assign(fit=fit[best], score=(fit * assumed)[best])
    return Shortlist(frame.loc[:, list(RANKED_COLUMNS)], len(candidates), "", niches)


def _niches_of(catalogue: Catalogue, rows: Sequence[int]) -> tuple[str, ...]:
    """What some creators write about most, the strongest first."""
    middle = catalogue.niche_shares.iloc[list(rows)].mean().sort_values(ascending=False, kind="stable")
    return tuple(map(str, middle[middle >= _NICHE_PART].index))


def assumed_authenticity(catalogue: Catalogue) -> np.ndarray:
    """Authenticity of every creator, the model's base authenticity where none was assessed; float64, (creators,)."""
    frame = catalogue.frame
    return np.asarray(frame["authenticity"].fillna(frame["base_authenticity"]).to_numpy(dtype=np.float64))


def _ranked(catalogue: Catalogue, rows: np.ndarray, text: str, niches: Sequence[str], words: Words) -> pd.DataFrame:
    frame = catalogue.frame.iloc[rows].reset_index(drop=True)
    matched = catalogue.texts.match(text).words(rows.tolist())
    shares = catalogue.niche_shares.iloc[rows][list(niches)]
    said = []
    for row, found, own in zip(records(frame), matched, shares.to_dict("records"), strict=True):
        told = [(str(name), part) for name, part in own.items() if part >= _NICHE_PART]
        said.append(reasons(row, found, words, sorted(told, key=lambda one: -one[1])[:_NICHES_SHOWN]))
    return frame.assign(
        rank=np.arange(1, len(frame) + 1),
        authenticity_assessed=frame["authenticity"].notna(),
        reason=pd.Series([one[0] for one in said], dtype="str"),
        reasons=pd.Series([REASON_SEPARATOR.join(one) for one in said], dtype="str"),
        matched_words=pd.Series([", ".join(found) for found in matched], dtype="str"),
    )
