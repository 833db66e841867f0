"""One thing that was read from the words of a brief, and what the readers share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from features.taxonomy import without_accents


@dataclass(frozen=True)
class Read:
    """One thing that a brief says.

    Attributes
    ----------
    field : str
        Of `serving.briefs.Brief`, or `creator_countries`, or `countries` for places that are only mentioned.
    value : str or int
    words : str
        Of the brief, as it writes them.
    """

    field: str
    value: str | int
    words: str


def either(phrases: Iterable[str]) -> str:
    """Pattern that finds any of some phrases, the longest first, their spaces of any width."""
    return "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in sorted(phrases, key=len, reverse=True))


def folded(text: str) -> str:
    """Small letters without accents, as many characters as the text has."""
    return "".join((without_accents(character.lower()) or " ")[:1] for character in text)
