"""What a brief wishes for, read from its words by rules: money, goal, competitors, words, roles, number, language.

Like `features/brief_text.py`, which calls it: what is not plain is not read, and each reading comes with the words it
was read from. Patterns look at text without accents, of the same length as what was typed.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from features.lexicons import read_norms
from features.reading import Read, either
from features.reading import folded as plain

_NUMBER = r"(?<![\d.,])(?P<number>\d{1,3}(?:[.,]\d{3}){1,4}|\d{1,13}(?:[.,]\d{1,3})?)(?!\d)"
_TIMES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
#: More than any campaign costs, in any currency.
_MOST_MONEY = 10**13
_MOST_CREATORS = 1_000
#: Characters after a word within which what it announces is looked for.
_REACH = 120
#: Characters before a word within which it is negated.
_NEAR = 25
_QUOTED = re.compile(r"[“\"«]([^“”\"«»\n]{2,60})[”\"»]|(#[^\W_][\w]{1,50})")
_JOINED = re.compile(r"\s*(?:,|;|&|/|\b(?:and|or|và|va|hoặc|hoac|hay)\b)\s*(?:(?:and|or|và|va|hoặc|hoac)\s+)?")
_WORD = r"(?:[^\W\d_a-zà-ỹđ]|\d)[\w'’&-]*(?:\.\w[\w'’&-]*)*"
_NAME = re.compile(rf"@[\w.]{{2,30}}|[“\"]([^“”\"\n]{{2,40}})[”\"]|{_WORD}(?:\s+{_WORD}){{0,3}}")


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    norms = read_norms("briefs")
    money, words, rivals = norms["budget"], norms["words"], norms["competitors"]
    units = either([one for unit in money["units"].values() for one in unit])
    signs = either([one for currency in money["currencies"].values() for one in currency])
    amount = (
        rf"(?P<before>us\$|\$|€|usd|vnd|eur)?\s*{_NUMBER}\s*"
        rf"(?P<unit>(?:{units})(?![a-z]))?\s*(?P<after>(?:{signs})(?![a-z]))?"
    )
    each = r"/|\bper\b|\ban?\b|\beach\b|\bmot\b|\bmoi\b|\bcho moi\b|\bcho mot\b"
    per_post = rf"\s*(?:{each})\s*(?:{either(money['per_post'])})\b"
    some = r"(?:\s+(?:of|is|la|khoang|about|around|tong|toi da|total|du kien|max|up to))*\s*:?\s*"
    brands = rf"(?:{either(rivals['brands'])})?\s*(?:{either(rivals['like'])})?\s*:?\s*"
    return {
        "price_max": re.compile(rf"(?:\b(?:{either(money['most'])})\s+)?{amount}{per_post}"),
        "price_behind": re.compile(
            rf"\b(?:per|each|moi|mot)\s+(?:{either(money['per_post'])})\b\s*:?\s*"
            rf"(?:(?:{either([*money['most'], 'la', 'is', 'khoang', 'about'])})\s+){{0,2}}{amount}"
        ),
        "budget": re.compile(rf"\b(?:{either(money['words'])})\b{some}{amount}"),
        "budget_behind": re.compile(rf"{amount}\s+(?:total\s+)?(?:{either(money['words'])})\b"),
        "competitors": re.compile(
            rf"\b(?:{either(rivals['words'])})\b\s*\(?(?:{either(rivals['like'])})?\s*:?\s*"
            rf"|\b(?:{either(rivals['refusals'])})\s+(?:\w+\s+){{0,3}}?(?:{either(rivals['work'])})\s+{brands}"
        ),
        "must_words": re.compile(rf"\b(?:{either(words['must'])})\b"),
        "must_not_words": re.compile(rf"\b(?:{either(words['must_not'])})\b"),
        "k": re.compile(
            rf"(?<![\w.,$€-])(?P<number>\d{{1,4}})\s+(?!(?:{either(norms['amounts']['other'])})\b)"
            rf"(?:(?!(?:{either(norms['amounts']['other'])})\b)[a-z-]+\s+){{0,3}}?"
            rf"(?:{either(norms['amounts']['creators'])})\b"
            rf"|\btop\s+(?P<top>\d{{1,4}})\b(?!\s*(?:%|percent))"
        ),
    }


@lru_cache(maxsize=1)
def _lists() -> dict[str, dict[str, re.Pattern[str]]]:
    norms = read_norms("briefs")
    creators = either([*norms["creators"]["words"], *norms["amounts"]["creators"]])
    phrases = norms["language_phrases"]
    places = {code: [*norms["people"].get(code, []), *names] for code, names in norms["countries"].items()}
    living = r"(?:who\s+)?(?:are\s+|live\s+|lives\s+|is\s+)?(?:in|from|based in|o|tai|den tu|song o|song tai|nguoi)"
    return {
        "goal": {name: re.compile(rf"\b(?:{either(words)})\b") for name, words in norms["goals"].items()},
        "roles": {name: re.compile(rf"\b(?:{either(words)})\b") for name, words in norms["roles"].items()},
        "languages": {
            code: re.compile(
                rf"\b(?:{either(phrases['before'])})\s+(?:{either(names)})\b"
                rf"|\b(?:{either(names)})[\s-]+(?:{either(phrases['after'])})\b"
            )
            for code, names in norms["languages"].items()
        },
        "creator_countries": {
            code: re.compile(
                rf"\b(?:{creators})\s+{living}\s+(?:{either(names)})\b"
                rf"|\b(?:{creators})\s+(?:{either(norms['people'].get(code, names))})\b"
                rf"|\b(?:{either(norms['people'].get(code, names))})\s+(?:[a-z-]+\s+){{0,2}}?(?:{creators})\b"
            )
            for code, names in places.items()
        },
    }


def _money(found: re.Match[str]) -> tuple[int, str] | None:
    """An amount and its currency, empty where it is not said."""
    norms = read_norms("briefs")["budget"]
    number, unit = found["number"], found["unit"]
    times = next((_TIMES[name] for name, words in norms["units"].items() if unit in words), 1)
    if times == 1 and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", number):
        value = float(re.sub(r"[.,]", "", number))
    elif number.count(".") + number.count(",") <= 1:
        value = float(number.replace(",", ".")) * times
    else:
        return None
    signs = {sign: code for code, words in norms["currencies"].items() for sign in words}
    currency = signs.get(found["before"] or "", "") or signs.get(found["after"] or "", "")
    if not currency and unit in ("tr", "trieu", "ty", "ti", "nghin", "ngan"):
        currency = "VND"
    return (round(value), currency) if 0 < value <= _MOST_MONEY else None


def _prices(text: str, folded: str) -> Iterator[Read]:
    """Budget and price of a post; an amount is one of them only by its words."""
    currencies = []
    taken: list[tuple[int, int]] = []
    for field, name in (
        ("price_max", "price_max"),
        ("price_max", "price_behind"),
        ("budget", "budget"),
        ("budget", "budget_behind"),
    ):
        for found in _patterns()[name].finditer(folded):
            told = _money(found)
            inside = any(start < found.end("number") and found.start("number") < end for start, end in taken)
            if told is None or inside or (field == "price_max" and not told[1] and not found["unit"]):
                continue
            taken.append(found.span())
            yield Read(field, told[0], text[found.start() : found.end()].strip())
            currencies += [Read("currency", told[1], text[found.start() : found.end()].strip())] if told[1] else []
            break
    yield from currencies[:1]


def _names(text: str, start: int) -> list[str]:
    """Names that stand in a row from a place on: handles, quoted, or written with a capital letter."""
    found, place = [], start
    end = min(len(text), start + _REACH)
    while place < end:
        name = _NAME.match(text, place, end)
        if name is None:
            break
        found.append((name[1] or name[0]).strip().rstrip("."))
        joined = _JOINED.match(text, name.end(), end)
        if joined is None or joined.end() == name.end() or name[0].endswith("."):
            break
        place = joined.end()
    return found


@lru_cache(maxsize=1)
def _no_brands() -> frozenset[str]:
    """Names that stand with a capital and are no brand's: languages, peoples, platforms."""
    norms = read_norms("briefs")
    return frozenset(
        word
        for section in ("languages", "people", "countries", "platforms")
        for words in norms[section].values()
        for word in words
    )


def _competitors(text: str, folded: str) -> Iterator[Read]:
    for found in _patterns()["competitors"].finditer(folded):
        for name in _names(text, found.end()):
            if len(name) > 1 and plain(name) not in _no_brands():
                yield Read("competitors", name.lstrip("@"), name)


def _sentence(text: str, start: int) -> str:
    """What follows a place, to the end of the sentence."""
    return re.split(r"[.;!?\n](?:\s|$)", text[start : start + _REACH], maxsplit=1)[0]


@lru_cache(maxsize=1)
def _topics() -> list[tuple[list[str], re.Pattern[str]]]:
    """Words of each topic that is often avoided, and the pattern that finds one of them behind a joining word."""
    joined = r"\s*(?:,|\band\b|\bor\b|\bva\b|\bhoac\b|\bhay\b)?\s*(?:ve\s+|about\s+)?"
    topics = read_norms("briefs")["avoided"].values()
    return [(words, re.compile(rf"{joined}(?P<topic>{either(map(plain, words))})\b")) for words in topics]


def _avoided(text: str, folded: str, start: int) -> Iterator[Read]:
    """Topics of `[avoided]` that stand in a row directly behind a place."""
    place: int | None = start
    while place is not None:
        here, place = place, None
        for words, pattern in _topics():
            found = pattern.match(folded, here)
            if found:
                yield from (Read("must_not_words", word, text[slice(*found.span("topic"))]) for word in words)
                place = found.end()
                break


def _words(text: str, folded: str) -> Iterator[Read]:
    """Quoted phrases and hashtags behind "must mention" and the like, and topics that are often avoided."""
    for field in ("must_not_words", "must_words"):
        for found in _patterns()[field].finditer(folded):
            if field == "must_not_words":
                yield from _avoided(text, folded, found.end())
            denied = folded[max(0, found.start() - _NEAR) : found.start()].rstrip().endswith(("not", "khong"))
            if found[0] == "no" or (field == "must_words" and denied):
                continue
            for quoted in _QUOTED.finditer(_sentence(text, found.end())):
                yield Read(field, quoted[1] or quoted[2], quoted[0])


def _number(text: str, folded: str) -> Iterator[Read]:
    for found in _patterns()["k"].finditer(folded):
        wanted = int(found["number"] or found["top"])
        if 1 <= wanted <= _MOST_CREATORS:
            yield Read("k", wanted, text[found.start() : found.end()])
            return


def read_wishes(text: str, folded: str, refused: re.Pattern[str], heard: str) -> list[Read]:
    """Read what a brief wishes for.

    Parameters
    ----------
    text, folded : str
        As typed, and in small letters without accents; of the same length.
    refused : Pattern
        Finds a negation that ends a text.
    heard : str
        The text that negations are looked for in, of the same length.

    Returns
    -------
    list of Read
        Fields `budget`, `price_max`, `currency`, `goal`, `competitors`, `must_words`, `must_not_words`, `roles`, `k`,
        `languages`, `creator_countries`; each value of a field once.
    """
    found = [*_prices(text, folded), *_competitors(text, folded), *_words(text, folded), *_number(text, folded)]
    for field, patterns in _lists().items():
        for value, pattern in patterns.items():
            one = pattern.search(folded)
            if one and not refused.search(heard[max(0, one.start() - _NEAR) : one.start()]):
                found.append(Read(field, value, text[one.start() : one.end()]))
    return list({(one.field, str(one.value).lower()): one for one in reversed(found)}.values())[::-1]
