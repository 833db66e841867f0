"""Briefs: what a campaign wants, from words, a file or fields, and how the words are read as fields."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.match import Wanted
from features.reading import Read
from serving.catalogue import Filters, Names
from serving.words import N_, Words

#: Characters: more than 10,000 words in either language.
LONGEST_BRIEF = 100_000
MOST_CREATORS = 1_000
#: Creators that the words of a brief may ask for; who wants more says so in a field.
_MOST_FROM_WORDS = 200
#: What is read from these words is no topic: who avoids politics does not look for it.
_NO_TOPIC = ("competitors", "must_not_words", "budget", "price_max")
#: What the words of a brief are read for, and how that is said.
_READ_WORDS = {
    "platforms": N_("platform {values} (“{words}”)"),
    "tiers": N_("tier {values} (“{words}”)"),
    "followers_min": N_("at least {values} followers (“{words}”)"),
    "followers_max": N_("at most {values} followers (“{words}”)"),
    "k": N_("{values} creators (“{words}”)"),
}
#: What is looked for and does not leave anybody out.
_WISH_WORDS = {
    "languages": N_("language {values} (“{words}”)"),
    "creator_countries": N_("country {values} (“{words}”)"),
    "roles": N_("role {values} (“{words}”)"),
    "price_max": N_("at most {values} a post (“{words}”)"),
    "budget": N_("budget {values} (“{words}”)"),
    "competitors": N_("no recent work with {values} (“{words}”)"),
    "must_words": N_("writes about {values} (“{words}”)"),
    "must_not_words": N_("does not write about {values} (“{words}”)"),
    "goal": N_("goal {values} (“{words}”)"),
}
_PROPER = {"tiktok": "TikTok", "instagram": "Instagram", "youtube": "YouTube", "facebook": "Facebook"}


class BriefError(ValueError):
    """A brief that cannot be read; the message names the file and the field."""


class Wishes(BaseModel):
    """What a campaign prefers; nobody is left out by it.

    Attributes
    ----------
    roles : tuple of str
        Names of roles, such as reviewer.
    competitors : tuple of str
        Brands, by name or handle, that a creator should not have posted for lately.
    must_words, must_not_words : tuple of str
        What a creator should, and should not, have written.
    price_max : float, optional
        Of one post, in `currency`; where only a budget is given, no post should cost more than that.
    budget : float, optional
        Of the campaign, in `currency`.
    currency : str
        ISO 4217, such as VND.
    name : str
        The brand that asks; looked for among those that a creator has named.
    goal : str
        Carried along.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    roles: Names = ()
    competitors: Names = ()
    must_words: Names = ()
    must_not_words: Names = ()
    price_max: Annotated[float, Field(ge=0, strict=True)] | None = None
    budget: Annotated[float, Field(ge=0, strict=True)] | None = None
    currency: Annotated[str, Field(max_length=10)] = ""
    name: Annotated[str, Field(max_length=500)] = ""
    goal: Annotated[str, Field(max_length=500)] = ""


class Brief(Filters, Wishes):
    """What a campaign wants.

    Attributes
    ----------
    text : str
        The brief in words, in any language.
    k : int
        Creators wanted.
    brand_id : str
        Column of a brief that is carried along.
    """

    text: Annotated[str, Field(max_length=LONGEST_BRIEF)] = ""
    k: Annotated[int, Field(ge=1, le=MOST_CREATORS, strict=True)] = 20
    brand_id: Annotated[str, Field(max_length=200)] = ""


#: Columns of the `briefs` table under another name here.
_FIELD_OF = {"brief": "text", "niche": "niches"}
_LISTS = (
    *("platforms", "tiers", "niches", "countries", "languages"),
    *("roles", "competitors", "must_words", "must_not_words"),
)
#: Fields that hold one value.
_SINGLE = ("followers_min", "followers_max", "k", "price_max", "budget", "currency", "goal")
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


def with_text(brief: Brief, told: Sequence[Read]) -> tuple[Brief, Wanted, tuple[Read, ...]]:
    """What a brief asks for, from its fields and from what its words were read as; a field that is given stands.

    A place that is only named is not asked for: it may be what a campaign is about.

    Returns
    -------
    Brief
        With the filters and the number of creators that its words ask for.
    Wanted
        What is preferred.
    tuple of Read
        What was read from the words and holds.
    """
    given = {field for field in brief.model_fields_set if getattr(brief, field) not in ((), None, "")}
    if brief.tiers or brief.followers_min is not None or brief.followers_max is not None:
        given |= {"followers_min", "followers_max", "tiers"}
    if brief.countries:
        given.add("creator_countries")
    known = {*_READ_WORDS, *_WISH_WORDS, "currency"}
    found = tuple(
        replace(one, value=min(int(one.value), _MOST_FROM_WORDS)) if one.field == "k" else one
        for one in told
        if one.field in known and one.field not in given
    )
    values: dict[str, Any] = {}
    for one in found:
        if one.field in _SINGLE:
            values.setdefault(one.field, one.value)
        else:
            values[one.field] = (*values.get(one.field, ()), one.value)
    filters = {field: values[field] for field in _READ_WORDS if field in values}
    filled = brief.model_copy(update=filters) if filters else brief
    wishes = {name: values.get(name) for name in _WISH_WORDS}

    def either(field: str, own: Any) -> Any:
        return own or wishes[field]

    return (
        filled,
        Wanted(
            languages=tuple(either("languages", brief.languages) or ()),
            countries=tuple(either("creator_countries", brief.countries) or ()),
            roles=tuple(either("roles", brief.roles) or ()),
            price_max=_first_known(brief.price_max, wishes["price_max"], brief.budget, wishes["budget"]),
            currency=brief.currency or str(values.get("currency", "")),
            competitors=tuple(either("competitors", brief.competitors) or ()),
            words=tuple(either("must_words", brief.must_words) or ()),
            unwanted_words=tuple(either("must_not_words", brief.must_not_words) or ()),
        ),
        found,
    )


def topic_of(text: str, told: Sequence[Read]) -> str:
    """A brief without what is plainly no topic of it: competitors, what is to be avoided, money."""
    for words in {one.words for one in told if one.field in _NO_TOPIC}:
        text = text.replace(words, " ")
    return text


def _first_known(*values: Any) -> float | None:
    return next((float(value) for value in values if value is not None), None)


def say_one(found: Sequence[Read], field: str, words: Words) -> str:
    """What was read for one field, and from which words, so that a wrong reading is seen."""
    own = [one for one in found if one.field == field]
    currency = next((str(one.value) for one in found if one.field == "currency"), "")
    values = ", ".join(_shown(one, words, currency) for one in own)
    quoted = ", ".join(dict.fromkeys(one.words for one in own))
    return words.say((_READ_WORDS | _WISH_WORDS)[field], values=values, words=quoted)


def say_read(found: Sequence[Read], words: Words) -> str:
    """What was read as filters and as wishes."""
    fields = {one.field for one in found}
    said = []
    for names, sentence in (
        (_READ_WORDS, N_("only those are listed that the words of the brief ask for: {parts}")),
        (_WISH_WORDS, N_("preferred, as the words of the brief ask for it: {parts}")),
    ):
        parts = [say_one(found, field, words) for field in names if field in fields]
        if parts:
            said.append(words.say(sentence, parts="; ".join(parts)))
    return "; ".join(said)


def _shown(one: Read, words: Words, currency: str) -> str:
    if isinstance(one.value, int):
        amount = words.count(one.value)
        return f"{amount} {currency}".strip() if one.field in ("budget", "price_max") else amount
    if one.field == "roles":
        return words.role(one.value)
    return _PROPER.get(one.value, one.value)
