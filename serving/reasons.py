"""Why a creator stands where it stands, in words: signals of manipulation, what speaks against, and what for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.facts import UNSAFE
from features.match import Wanted, conflict_of, names_brand, parse_mentions
from features.tables import HEADS
from serving.words import N_, Words
from training.fit_model import Precedent

#: Authenticity below which a reason is owed even where no single head flags.
DOUBTED = 0.5
#: Between the reasons of one creator, in the column `reasons`.
REASON_SEPARATOR = " · "
NO_DOUBTS = N_("no signals above the thresholds")
#: Past work that is named.
_BRANDS_SHOWN = 3
#: Signals of `features.match` that are a reason against where they are below a part, and how that is said.
_AGAINST_BELOW = {"safe_texts": 0.8}
_HALF = 0.5
_AGAINST: Mapping[str, str] = {
    "language": N_("writes in another language than the brief asks for ({value})"),
    "audience_language": N_("most comments are in another language than the brief asks for ({value})"),
    "country": N_("is in another country than the brief asks for ({value})"),
    "price": N_("costs more than the brief allows ({value} a post)"),
    "no_unwanted_words": N_("writes about what the brief asks to avoid"),
    "sponsored_room": N_("much of what is posted is advertising ({value})"),
    "safe_texts": N_("signals consistent with offensive language in captions or comments ({value})"),
}


@dataclass(frozen=True)
class Grounds:
    """What a creator's fit stands on.

    Attributes
    ----------
    matched : tuple of str
        Words of the brief that its texts share.
    niches : sequence of (str, float)
        Niches of the brief that it writes about, and what part of its words on any niche.
    quote : str
        The sentence of its texts that is closest to the brief; empty where none is close.
    tags : tuple of str
        Its hashtags that are closest to the brief.
    facts : mapping
        Its row of `Catalogue.facts`.
    matches : mapping of str to float
        By the names of `features.match.WEIGHTS`; NaN where not asked for or not known.
    precedent : Precedent or None
    """

    matched: tuple[str, ...]
    niches: Sequence[tuple[str, float]]
    quote: str
    tags: tuple[str, ...]
    facts: Mapping[str, Any]
    matches: Mapping[str, float]
    precedent: Precedent | None


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


def _against(grounds: Grounds, wanted: Wanted, words: Words) -> list[str]:
    """What the brief asks for and the creator does not meet, and competitors it has posted for."""
    competitors = [
        one
        for one in parse_mentions(grounds.facts["mentions"])
        if conflict_of(one, grounds.facts["as_of"]) > 0
        and any(names_brand(str(one["name"]), brand) for brand in wanted.competitors)
    ]
    said = [
        words.say(N_("named the competitor {brand} (last on {day})"), brand=one["name"], day=one["last_at"])
        for one in competitors[:_BRANDS_SHOWN]
    ]
    if not competitors and grounds.matches["no_competitor"] < 1:
        said.append(words.say(N_("writes about a competitor; no day is known")))
    for name, sentence in _AGAINST.items():
        if grounds.matches[name] < _AGAINST_BELOW.get(name, _HALF):
            said.append(words.say(sentence, value=_told(name, grounds.facts, words)))
    return said


def _told(name: str, facts: Mapping[str, Any], words: Words) -> str:
    if name == "price":
        return f"{words.count(round(facts['price_per_post']))} {facts['currency']}"
    if name == "sponsored_room":
        return words.percent(facts["sponsored_share"])
    if name == "safe_texts":
        return words.percent(np.nanmax([facts[share] for share in UNSAFE]))
    return str(facts.get(name, ""))


def _by_texts(grounds: Grounds, words: Words) -> list[str]:
    """What a creator writes that speaks for it: niches, shared words, a sentence, hashtags."""
    said = []
    if grounds.niches:
        parts = ", ".join(f"{words.niche(name)} ({words.percent(part)})" for name, part in grounds.niches)
        said.append(words.say(N_("writes about: {niches}"), niches=parts))
    if grounds.matched:
        said.append(words.say(N_("matches the brief in: {words}"), words=", ".join(grounds.matched)))
    if grounds.quote:
        said.append(words.say(N_("wrote: “{quote}”"), quote=grounds.quote))
    if grounds.tags:
        said.append(words.say(N_("tags: {tags}"), tags=", ".join(grounds.tags)))
    return said


def _by_work(grounds: Grounds, brand: str, words: Words) -> list[str]:
    """What a creator has done that speaks for it: role, past work, a precedent."""
    said, facts = [], grounds.facts
    if pd.notna(facts["role"]):
        said.append(words.say(N_("role: {role}"), role=words.role(facts["role"])))
    named = parse_mentions(facts["mentions"])
    own = [one for one in named if brand and names_brand(str(one["name"]), brand)]
    if own:
        said.append(words.say(N_("has named this brand before (last on {day})"), day=own[0]["last_at"]))
    paid = [str(one["name"]) for one in named if one["sponsored_posts"]]
    if paid:
        said.append(words.say(N_("has advertised: {brands}"), brands=", ".join(paid[:_BRANDS_SHOWN])))
    if grounds.precedent:
        found = grounds.precedent
        if found.creator == facts["creator_id"]:
            sentence = N_("precedent: has worked with {brand}, a brand like this one")
        elif found.delivered:
            sentence = N_(
                "precedent: {brand}, a brand like this one, worked with {creator}, who writes alike, and it delivered"
            )
        else:
            sentence = N_("precedent: {brand}, a brand like this one, worked with {creator}, who writes alike")
        said.append(words.say(sentence, brand=found.brand, creator=found.creator))
    return said


def doubts(row: Mapping[str, Any], words: Words) -> list[str]:
    """What lowers a creator's authenticity or leaves it unknown, the most important first; empty where nothing does."""
    said = _say_evidence(row, words)
    if np.isnan(row["authenticity"]):
        said.append(words.say(N_("not assessed: {why}"), why=why_not_assessed(row, words)))
    if row["authenticity"] < DOUBTED and not _flagged(row):
        said.insert(0, _say_likeliest(row, words))
    return said


def for_brief(words: Words, grounds: Grounds, wanted: Wanted, brand: str = "") -> list[str]:
    """What speaks against and for a creator whom a brief asks for, as `reasons` takes it."""
    return [*_against(grounds, wanted, words), *_by_texts(grounds, words), *_by_work(grounds, brand, words)]


def reasons(row: Mapping[str, Any], words: Words, grounds: Grounds, wanted: Wanted, brand: str = "") -> list[str]:
    """Reasons for a creator's place, the most important first.

    Parameters
    ----------
    row : mapping
        Row of a score frame by column.
    grounds : Grounds
    wanted : Wanted
        What the brief prefers.
    brand : str
        Name of the brand that asks.
    """
    said = [*doubts(row, words), *for_brief(words, grounds, wanted, brand)]
    return said or [words.say(NO_DOUBTS)]
