"""How values are written in exports, and what they mean.

Each parser takes text with nulls where nothing is known and returns the typed values with a bool array, one a row, that
is true where a text could not be read; such values are null.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from features.tables import COUNT, FLAG, MONEY, TEXT, TIME

Parsed = tuple[pd.Series, np.ndarray]

# What exports write for "not known" where a number, a time or a flag would stand.
_EMPTY = "(?i)n/a|na|nan|nat|none|null|[-–—]"

EXPECTED = {
    COUNT: 'a whole number of 0 or more, such as 12345 or 541.2K (decimal = "," where a comma marks decimals)',
    MONEY: "a number of 0 or more, such as 250.00",
    TIME: "a time, such as 2026-01-31T18:00:00Z, an epoch, or a time without a zone where the mapping has a timezone",
    FLAG: "true or false",
    TEXT: "text",
}
EXPECTED_DURATION = "a duration, such as PT10M5S, 00:31 or 31"

# Powers of ten by unit, lower case: English; Vietnamese nghìn, triệu, tỷ; Indonesian ribu, juta.
_UNITS = {"k": 3, "m": 6, "b": 9, "n": 3, "tr": 6, "tỷ": 9, "tỉ": 9, "rb": 3, "jt": 6}
_UNIT = rf"\s*(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_SPACES = "\\s'’"


def _number(decimal: str, group: str) -> re.Pattern[str]:
    digits, thousands = "[0-9]+", "[0-9]{3}"
    mark, other = re.escape(decimal), re.escape(group)
    grouped = rf"[0-9]{{1,3}}(?P<separator>[{_SPACES}{other}]){thousands}(?:(?P=separator){thousands})*"
    # the mark of decimals can only be a separator where it stands twice
    marked = rf"[0-9]{{1,3}}(?:{mark}{thousands}){{2,}}"
    return re.compile(
        rf"(?:(?P<whole>{grouped}|{digits})(?:{mark}(?P<part>{digits}))?|(?P<marked>{marked}))(?:{_UNIT})?"
    )


_NUMBERS = {".": _number(".", ","), ",": _number(",", ".")}
# one or two digits before a unit cannot be a group of thousands, whichever mark is before them
_SHORT = re.compile(rf"(?P<whole>[0-9]+)[.,](?P<part>[0-9]{{1,2}}){_UNIT}")
_NOT_DIGITS = re.compile("[^0-9]")
_LARGEST = np.iinfo(np.int64).max


def _whole_number(text: str, decimal: str) -> int | None:
    """Read one count exactly; None where the text is none, or is a fraction."""
    text = text.lower()
    match = _NUMBERS[decimal].fullmatch(text) or _SHORT.fullmatch(text)
    if match is None:
        return None
    found = match.groupdict()
    whole = _NOT_DIGITS.sub("", found["whole"] or found["marked"])
    part = (found["part"] or "").rstrip("0")
    places = _UNITS[found["unit"]] if found["unit"] else 0
    if len(part) > places:
        return None
    number = int(whole + part.ljust(places, "0"))
    return number if number <= _LARGEST else None


def clean(values: pd.Series, dtype: str, empty: tuple[str, ...] = ()) -> pd.Series:
    """Text without surrounding space, null where nothing is known.

    Parameters
    ----------
    values : Series of str
        As read from a file.
    dtype : str
        What the values will be: only text keeps words such as "none".
    empty : tuple of str
        Further texts that mean nothing is known, exactly as written.
    """
    text = values.astype("str").str.strip()
    blank = text == ""
    if empty:
        blank |= text.isin(list(empty))
    if dtype != TEXT:
        blank |= text.str.fullmatch(_EMPTY, na=False)
    return text.mask(blank)


def parse_counts(text: pd.Series, *, decimal: str = ".") -> Parsed:
    """Whole numbers of 0 or more, with separators of thousands and units.

    Parameters
    ----------
    text : Series of str
        Such as "12345", "1433.0", "12,345", "33 500", "541.2K", "1.4M", "1,2 Tr". Fractions and negative numbers
        cannot be read.
    decimal : {".", ","}
        The mark of decimals; the other one separates thousands.

    Returns
    -------
    Series of Int64, ndarray of bool

    Examples
    --------
    >>> parse_counts(pd.Series(["541.2K", "33 500"], dtype="str"))[0].tolist()
    [541200, 33500]
    """
    plain = text.str.fullmatch(r"[0-9]{1,18}", na=False).to_numpy(dtype=bool)
    numbers = np.zeros(len(text), dtype=np.int64)
    numbers[plain] = text.to_numpy(dtype=object)[plain].astype(np.int64)
    known = plain.copy()
    if not plain.all():
        codes, texts = pd.factorize(text.mask(plain))
        read = [_whole_number(str(value), decimal) for value in texts]
        # the last place is where the code -1 of null points
        known |= np.array([value is not None for value in read] + [False])[codes]
        numbers = np.where(plain, numbers, np.array([value or 0 for value in read] + [0], dtype=np.int64)[codes])
    counts = pd.Series(pd.array(numbers, dtype=COUNT), index=text.index).mask(~known)
    return counts, text.notna().to_numpy(dtype=bool) & ~known


#: What was expected of a change, in the words of `EXPECTED`.
EXPECTED_CHANGE = "a change such as 120, -35 or 22551.75"


def parse_changes(text: pd.Series) -> Parsed:
    """Numbers with a sign, a point and no separators: what a count changed by.

    Returns
    -------
    Series of Float64, ndarray of bool
    """
    number = text.where(text.str.fullmatch(r"[+-]?[0-9]{1,15}(?:\.[0-9]+)?", na=False)).astype("Float64")
    return number, (number.isna() & text.notna()).to_numpy(dtype=bool)


def parse_money(text: pd.Series) -> Parsed:
    """Decimal numbers of 0 or more, with a point; commas may separate thousands."""
    number = text.where(text.str.fullmatch(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?", na=False))
    money = number.str.replace(",", "", regex=False).astype(MONEY)
    return money, (money.isna() & text.notna()).to_numpy(dtype=bool)


_FLAGS = {"true": True, "t": True, "yes": True, "1": True, "1.0": True}
_FLAGS |= {"false": False, "f": False, "no": False, "0": False, "0.0": False}


def parse_flags(text: pd.Series) -> Parsed:
    """Flags written as true/false, yes/no or 1/0."""
    flags = text.str.lower().map(_FLAGS).astype(FLAG)
    return flags, (flags.isna() & text.notna()).to_numpy(dtype=bool)


def timezone_of(name: str) -> tzinfo:
    """Time zone of an IANA name or of an offset such as "+07:00".

    Raises
    ------
    ValueError
        Where it is neither.
    """
    offset = re.fullmatch(r"([+-])([0-9]{2}):([0-9]{2})", name)
    if offset:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-shift if offset[1] == "-" else shift)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"no time zone {name!r}; use a name such as Asia/Ho_Chi_Minh or an offset such as +07:00"
        ) from error


def check_format(pattern: str) -> None:
    """Refuse a strptime format that cannot be one.

    Raises
    ------
    ValueError
        Where a directive is unknown or no day is in it.
    """
    example = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        read = datetime.strptime(example.strftime(pattern), pattern)  # noqa: DTZ007 (only the day is compared)
    except (ValueError, re.error) as error:
        raise ValueError(f"no strptime format: {pattern!r}") from error
    if (read.month, read.day) != (example.month, example.day):
        raise ValueError(f"a format without a day: {pattern!r}")


# Seconds since 1970 have 9 to 11 digits from 1973 to 5138, and three more for each finer unit.
_EPOCHS = {"s": (r"[0-9]{9,11}", 1_000_000), "ms": (r"[0-9]{12,14}", 1_000), "us": (r"[0-9]{15,17}", 1)}
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}"
_CLOCK = r"[T ][0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?"
_ZONE = r"\s*(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)"


def _to_utc(naive: pd.Series, zone: tzinfo) -> pd.Series:
    # an hour that comes twice is read as its second pass, one that is left out as the first moment after the gap
    local = naive.dt.tz_localize(zone, ambiguous=np.zeros(len(naive), dtype=bool), nonexistent="shift_forward")
    return local.dt.tz_convert("UTC").astype(TIME)


def _epochs(text: pd.Series, digits: str, microseconds: int) -> pd.Series:
    found = text[text.str.fullmatch(rf"{digits}(?:\.[0-9]+)?", na=False)]
    moments = (pd.to_numeric(found).astype("float64") * microseconds).round().astype("int64")
    return pd.to_datetime(moments, unit="us", utc=True).astype(TIME)


_TO_THE_END = pd.Timedelta(days=1) - pd.Timedelta(seconds=1)


def _formatted(text: pd.Series, formats: tuple[str, ...], zone: tzinfo | None, *, day_end: bool) -> pd.Series:
    times = pd.Series(pd.NaT, index=text.index, dtype=TIME)
    for pattern in formats:
        left = text[times.isna() & text.notna()]
        if "%z" in pattern:
            read = pd.to_datetime(left, format=pattern, errors="coerce", utc=True).astype(TIME).dropna()
        else:
            naive = pd.to_datetime(left, format=pattern, errors="coerce").dropna()
            clocked = any(part in pattern for part in ("%H", "%I", "%T", "%X", "%c"))
            if zone is None and clocked:
                continue
            read = _to_utc(naive if clocked or not day_end else naive + _TO_THE_END, zone or UTC)
        times.loc[read.index] = read
    return times


def _iso(text: pd.Series, zone: tzinfo | None, *, day_end: bool) -> pd.Series:
    times = pd.Series(pd.NaT, index=text.index, dtype=TIME)
    zoned = text[text.str.fullmatch(rf"(?:{_DAY}){_CLOCK}{_ZONE}", na=False)].str.replace("UTC", "Z", regex=False)
    read = pd.to_datetime(zoned.str.replace(" Z", "Z", regex=False), format="ISO8601", errors="coerce", utc=True)
    times.loc[read.index] = read.astype(TIME)
    # a day without a clock is the same day everywhere, so it needs no zone
    naive_pattern = _DAY if zone is None else rf"(?:{_DAY})(?:{_CLOCK})?"
    naive = text[text.str.fullmatch(naive_pattern, na=False)]
    read = pd.to_datetime(naive, format="ISO8601", errors="coerce").dropna()
    if day_end:
        read = read.mask(naive.loc[read.index].str.fullmatch(_DAY), read + _TO_THE_END)
    times.loc[read.index] = _to_utc(read, zone or UTC)
    return times


def parse_times(
    text: pd.Series,
    *,
    zone: tzinfo | None = None,
    formats: tuple[str, ...] = (),
    unit: str | None = None,
    day_end: bool = False,
) -> Parsed:
    """Times in UTC from epochs, ISO 8601 texts or formats of one's own.

    Parameters
    ----------
    text : Series of str
        Epochs are told by their digits (seconds 9 to 11, milliseconds 12 to 14, microseconds 15 to 17) unless `unit`
        says which. A day without a clock is its midnight, or its last second with `day_end`.
    zone : tzinfo, optional
        Of times that do not say theirs; without it they cannot be read.
    formats : tuple of str
        strptime formats, the first that fits is taken; nothing else is then read.
    unit : {"s", "ms", "us"}, optional
        Of epochs; nothing else is then read.
    day_end : bool
        For times by which something was seen: what was seen at some hour of a day is known for sure when it ends.

    Returns
    -------
    Series of datetime64[us, UTC], ndarray of bool
    """
    if formats:
        times = _formatted(text, formats, zone, day_end=day_end)
    elif unit:
        times = _epochs(text, r"-?[0-9]{1,17}", _EPOCHS[unit][1]).reindex(text.index)
    else:
        times = _iso(text, zone, day_end=day_end)
        for digits, microseconds in _EPOCHS.values() if times.isna().any() else ():
            read = _epochs(text, digits, microseconds)
            times.loc[read.index] = read
    return times, (times.isna() & text.notna()).to_numpy(dtype=bool)


_ISO_DURATION = (
    r"P(?:(?P<days>[0-9]+)D)?(?:T(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>[0-9.]+)S)?)?"
)
_CLOCK_DURATION = r"(?:(?P<hours>[0-9]+):)?(?P<minutes>[0-9]+):(?P<seconds>[0-9]{2}(?:\.[0-9]+)?)"
_SECONDS = r"(?P<seconds>[0-9]+(?:\.[0-9]+)?)"
_IN_SECONDS = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


def parse_durations(text: pd.Series) -> Parsed:
    """Durations in seconds from ISO 8601 ("PT10M5S"), clocks ("00:31", "1:02:03") or numbers of seconds.

    Returns
    -------
    Series of float64, ndarray of bool
    """
    seconds = pd.Series(np.nan, index=text.index, dtype="float64")
    for pattern in (_ISO_DURATION, _CLOCK_DURATION, _SECONDS):
        # "P" and "PT" alone would fit the first pattern
        fits = text[text.str.fullmatch(pattern, na=False) & ~text.isin(["P", "PT"])]
        parts = fits.str.extract(pattern)
        seconds.loc[fits.index] = sum(
            (pd.to_numeric(parts[name]).fillna(0.0) * _IN_SECONDS[name] for name in parts.columns),
            start=pd.Series(0.0, index=fits.index),
        )
    return seconds, (seconds.isna() & text.notna()).to_numpy(dtype=bool)


_ENTRY = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\[\],;|'"]+)""")


def list_entries(text: pd.Series) -> pd.Series:
    """Entries of lists such as "['Food', 'Cooking']", '["Food"]' or "Food, Cooking"; a row an entry, index repeated."""
    known = text.dropna()
    entries = known.map(lambda value: [a or b or c.strip() for a, b, c in _ENTRY.findall(value)], na_action="ignore")
    flat = entries.explode().dropna().astype("str")
    return flat[flat != ""]


def hashtags(text: pd.Series) -> pd.Series:
    """Tags listed as "a, b" or "#a #b" as words "#a #b"."""
    words = text.str.replace("#", " ", regex=False).str.replace(r"[\s,;|]+", " ", regex=True).str.strip()
    return ("#" + words.str.replace(" ", " #", regex=False)).where(words != "")
