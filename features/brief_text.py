"""What a brief says in words about the creators it wants: platforms, tiers, numbers of followers, places.

Rules over the word lists of `norms/briefs.toml`, so that everybody can see why something was read; every reading comes
with the words it was read from. What is not plain is not read.
"""

import re
import unicodedata
from functools import lru_cache

from features.brief_wishes import read_wishes
from features.lexicons import read_norms
from features.reading import Read, either, folded
from features.tables import PLATFORMS

#: Characters between a negation and what it negates, and between a tier and the word for creators.
_NEAR = 25
#: Followers, in words such as "10.000", "10,5" or "50".
_NUMBER = r"(?<![\d.,])(?:\d{1,3}(?:[.,]\d{3}){1,3}|\d{1,12}(?:[.,]\d{1,3})?)(?!\d)"


@lru_cache(maxsize=1)
def _patterns() -> dict[str, dict[str, re.Pattern[str]]]:
    norms = read_norms("briefs")
    creators = either(norms["creators"]["words"])
    return {
        "platforms": {name: re.compile(rf"\b(?:{either(words)})\b") for name, words in norms["platforms"].items()},
        "tiers": {
            name: re.compile(
                rf"\b(?:{either(words)})\b(?=.{{0,{_NEAR}}}?\b(?:{creators})\b)"
                rf"|(?<=\b)(?:{creators})\s+(?:{either(words)})\b"
            )
            for name, words in norms["tiers"].items()
        },
        "countries": {name: re.compile(rf"\b(?:{either(words)})\b") for name, words in norms["countries"].items()},
        "negation": {
            name: re.compile(
                rf"\b(?:{either(norms['negation'][name])})(?:\s+(?:{either(norms['negation']['direct'])}))*\s+$"
            )
            for name in ("accented", "plain")
        },
        "unsure": {
            name: re.compile(
                rf"\b(?:{either([*norms['negation'][name], *norms['negation']['unsure']])})\b[^.,;:!?\n]*$"
            )
            for name in ("accented", "plain")
        },
        "followers": _follower_patterns(),
    }


def _follower_patterns() -> dict[str, re.Pattern[str]]:
    norms = read_norms("briefs")["followers"]
    unit = either([*norms["thousand"], *norms["million"]])
    behind = rf"\s*(?:{either(norms['words'])})\b"

    def amount(name: str) -> str:
        return rf"(?P<{name}>{_NUMBER})\s*(?P<{name}_unit>(?:{unit})\b)?"

    return {
        "range": re.compile(rf"{amount('low')}\s*(?:-|–|to|den|toi)\s*{amount('high')}{behind}"),
        "least": re.compile(
            rf"(?<!no )(?<!not )(?<!khong )\b(?:{either(norms['least'])})\s+{amount('low')}{behind}"
            rf"|{amount('low2')}\+{behind}"
        ),
        "most": re.compile(rf"\b(?:{either(norms['most'])})\s+{amount('high')}{behind}"),
    }


def _count(number: str, unit: str | None) -> int | None:
    """Followers that a number with its unit means: "10.000", "10 nghìn", "10k", "1,5 triệu"."""
    norms = read_norms("briefs")["followers"]
    times = 1_000 if unit in norms["thousand"] else 1_000_000 if unit in norms["million"] else 1
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", number) and times == 1:
        return int(re.sub(r"[.,]", "", number))
    value = float(number.replace(",", ".")) * times if number.count(".") + number.count(",") <= 1 else None
    return None if value is None or value > 1e10 else round(value)


def _followers(text: str, folded: str) -> list[Read]:
    patterns = _patterns()["followers"]
    found = patterns["range"].search(folded)
    if found:
        high_unit = found["high_unit"]
        bounds = _count(found["low"], found["low_unit"] or high_unit), _count(found["high"], high_unit)
        words = text[found.start() : found.end()]
        if None in bounds or bounds[0] > bounds[1]:  # type: ignore[operator]
            return []
        fields = ("followers_min", "followers_max")
        return [Read(field, bound, words) for field, bound in zip(fields, bounds, strict=True) if bound is not None]
    said = []
    for name, field, group in (("least", "followers_min", "low"), ("most", "followers_max", "high")):
        one = patterns[name].search(folded)
        if one:
            own = group if one[group] else f"{group}2"
            bound = _count(one[own], one[f"{own}_unit"])
            if bound is not None:
                said.append(Read(field, bound, text[one.start() : one.end()]))
    return said


def read_brief_text(text: str) -> list[Read]:
    """Read what a brief says about the creators it wants.

    Parameters
    ----------
    text : str
        In English or Vietnamese, accents typed or not.

    Returns
    -------
    list of Read
        Platforms that are named without a "not" before them (where only such with one are named: all others), tiers,
        bounds of followers, countries or cities that are mentioned, and the wishes of `features.brief_wishes`; each
        value once. What stands near a negation or
        a competitor without being plainly meant by it is not read.
    """
    text = unicodedata.normalize("NFC", text)
    plain = folded(text)
    patterns = _patterns()
    # negations are told with their accents, where accents are typed at all
    accents = "plain" if text.lower() == plain else "accented"
    heard = plain if accents == "plain" else text.lower() if len(text.lower()) == len(text) else plain
    found: list[Read] = []
    refused: list[tuple[str, str]] = []
    for field in ("platforms", "tiers", "countries"):
        for value, pattern in patterns[field].items():
            one = pattern.search(plain)
            if one is None:
                continue
            words = text[one.start() : one.end()]
            before = slice(max(0, one.start() - _NEAR), one.start())
            if patterns["negation"][accents].search(heard[before]):
                refused += [(value, words)] if field == "platforms" else []
            elif not patterns["unsure"][accents].search(heard[before]):
                found.append(Read(field, value, words))
    if refused and not any(read.field == "platforms" for read in found):
        left_out = {value for value, _ in refused}
        words = ", ".join(words for _, words in refused)
        found += [Read("platforms", name, f"not {words}") for name in PLATFORMS if name not in left_out]
    return [*found, *_followers(text, plain), *read_wishes(text, plain, patterns["negation"][accents], heard)]
