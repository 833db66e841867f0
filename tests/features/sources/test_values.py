from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources import values
from features.tables import COUNT, TEXT, TIME


def series(*texts: str | None) -> pd.Series:
    return pd.Series(texts, dtype="str")


def one_count(text: str, decimal: str = ".") -> int | None:
    counts, wrong = values.parse_counts(series(text), decimal=decimal)
    assert str(counts.dtype) == COUNT
    assert wrong[0] == counts.isna()[0]
    return None if wrong[0] else int(counts[0])


def one_time(text: str, **options: object) -> str | None:
    times, wrong = values.parse_times(series(text), **options)
    assert str(times.dtype) == TIME
    assert wrong[0] == times.isna()[0]
    return None if wrong[0] else times[0].isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("0012", 12),
        ("12345", 12_345),
        ("12,345", 12_345),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("33 500", 33_500),
        ("33\u00a0500", 33_500),
        ("33\u202f500", 33_500),
        ("12'345", 12_345),
        ("1433.0", 1_433),
        ("12,345.00", 12_345),
        ("541.2K", 541_200),
        ("99k", 99_000),
        ("1.4M", 1_400_000),
        ("2B", 2_000_000_000),
        ("1.234567M", 1_234_567),
        ("1,2 Tr", 1_200_000),
        ("1,2 N", 1_200),
        ("3,5 rb", 3_500),
        ("1,25jt", 1_250_000),
        ("9223372036854775807", 2**63 - 1),
        ("0.3K", 300),
        ("1.0000000M", 1_000_000),
    ],
)
def test_counts(text: str, count: int) -> None:
    assert one_count(text) == count


@pytest.mark.parametrize(
    "text",
    # fractions, negatives, words, broken groups, more than fits, digits of another script
    ["1.5", "12.345", "1.2345K", "-5", "−5", "many", "3 videos", "12,34", "1,5", "1 2", "1,234.567", "K", "1e5", "+5",
     "9223372036854775808", "99999999999B", "1,234 567", "٣", "1.2.3", "12,345,67", "5 %"],
)  # fmt: skip
def test_what_is_no_count_is_refused(text: str) -> None:
    assert one_count(text) is None


@pytest.mark.parametrize(
    ("text", "count"), [("12.345", 12_345), ("1,5K", 1_500), ("1433,0", 1_433), ("1,2 Tr", 1_200_000)]
)
def test_counts_with_a_comma_as_decimal_mark(text: str, count: int) -> None:
    assert one_count(text, ",") == count
    assert one_count("1,5", ",") is None


@given(st.integers(0, 2**63 - 1), st.sampled_from(["{}", "{:,}", "{}.0"]))
def test_whole_numbers_come_back_exactly(number: int, written: str) -> None:
    assert one_count(written.format(number)) == number


@given(st.integers(0, 9_999), st.integers(0, 9), st.sampled_from([("K", 3), ("M", 6), ("B", 9), (" tr", 6)]))
def test_rounded_numbers_come_back_exactly(whole: int, tenth: int, unit: tuple[str, int]) -> None:
    assert one_count(f"{whole}.{tenth}{unit[0]}") == (whole * 10 + tenth) * 10 ** (unit[1] - 1)


@given(st.lists(st.sampled_from(["7", "1.5K", "none of it", None, "12,345"])))
def test_counts_of_many_rows_are_those_of_each(texts: list[str | None]) -> None:
    counts, wrong = values.parse_counts(pd.Series(texts, dtype="str"))
    expected = {"7": 7, "1.5K": 1_500, "12,345": 12_345}
    assert [None if pd.isna(count) else count for count in counts] == [expected.get(str(text)) for text in texts]
    assert wrong.tolist() == [text == "none of it" for text in texts]


def test_what_means_unknown_depends_on_the_column() -> None:
    texts = series("", "  ", "N/A", "-", "none", "hidden", "0")
    assert values.clean(texts, COUNT, ("hidden",)).tolist()[-1] == "0"
    assert values.clean(texts, COUNT, ("hidden",)).isna().tolist() == [True] * 6 + [False]
    assert values.clean(texts, TEXT).isna().tolist() == [True, True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1594174009", "2020-07-08T02:06:49Z"),
        ("1594174009123", "2020-07-08T02:06:49.123000Z"),
        ("1594174009123456", "2020-07-08T02:06:49.123456Z"),
        ("1594174009.5", "2020-07-08T02:06:49.500000Z"),
        ("2026-01-04T17:15:08Z", "2026-01-04T17:15:08Z"),
        ("2026-01-04 17:15:08 UTC", "2026-01-04T17:15:08Z"),
        ("2026-01-28T00:26:46.333802+00:00", "2026-01-28T00:26:46.333802Z"),
        ("2026-01-28T07:26:46+0700", "2026-01-28T00:26:46Z"),
        ("2026-01-28 07:26+07", "2026-01-28T00:26:00Z"),
        ("2026-01-17", "2026-01-17T00:00:00Z"),
        ("20260117", "2026-01-17T00:00:00Z"),
    ],
)
def test_times_that_say_all(text: str, time: str) -> None:
    assert one_time(text) == time


@pytest.mark.parametrize("text", ["2025", "yesterday", "2026-02-30", "2026-01-04T25:00:00Z", "12", "4/22/2018 6:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    assert one_time(text, zone=UTC) is None


def test_a_time_without_a_zone_needs_one() -> None:
    assert one_time("2025-05-21 07:00:00") is None
    assert one_time("2025-05-21 07:00:00", zone=ZoneInfo("Asia/Ho_Chi_Minh")) == "2025-05-21T00:00:00Z"
    assert one_time("2025-05-21", zone=ZoneInfo("Asia/Ho_Chi_Minh")) == "2025-05-20T17:00:00Z"
    # a zone that is written wins
    assert one_time("2025-05-21 07:00:00Z", zone=ZoneInfo("Asia/Ho_Chi_Minh")) == "2025-05-21T07:00:00Z"


def test_a_day_can_mean_its_last_second() -> None:
    def read(text: str, **how) -> pd.Timestamp:
        return values.parse_times(series(text), day_end=True, **how)[0][0]

    assert read("2025-05-21") == read("20250521") == pd.Timestamp("2025-05-21T23:59:59Z")
    assert read("2025-05-21T00:00:00Z") == pd.Timestamp("2025-05-21T00:00:00Z")
    assert read("2025-05-21 00:00", zone=UTC) == pd.Timestamp("2025-05-21T00:00:00Z")
    assert read("21.05.2025", formats=("%d.%m.%Y",)) == pd.Timestamp("2025-05-21T23:59:59Z")
    assert read("21.05.2025 06:00", formats=("%d.%m.%Y %H:%M",), zone=UTC) == pd.Timestamp("2025-05-21T06:00:00Z")
    # the day that Paris puts its clocks forward ends an hour earlier
    assert read("2025-03-30", zone=ZoneInfo("Europe/Paris")) == pd.Timestamp("2025-03-30T21:59:59Z")


def test_hours_that_clocks_repeat_or_skip() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert one_time("2025-10-26 02:30", zone=paris) == "2025-10-26T01:30:00Z"
    assert one_time("2025-03-30 02:30", zone=paris) == "2025-03-30T01:00:00Z"


def test_formats_are_tried_in_their_order_row_by_row() -> None:
    times, wrong = values.parse_times(
        series("4/22/2018 6:00", "9/10/16 10:30", None, "22/4/2018 6:00"),
        zone=timezone(-timedelta(hours=5)),
        formats=("%m/%d/%Y %H:%M", "%m/%d/%y %H:%M"),
    )
    assert times[0] == pd.Timestamp("2018-04-22T11:00Z")
    assert times[1] == pd.Timestamp("2016-09-10T15:30Z")
    assert wrong.tolist() == [False, False, False, True]


def test_formats_and_zones() -> None:
    assert one_time("22.04.2018", formats=("%d.%m.%Y",)) == "2018-04-22T00:00:00Z"
    assert one_time("22.04.2018 06:00", formats=("%d.%m.%Y %H:%M",)) is None
    assert one_time("22.04.2018 06:00 +0700", formats=("%d.%m.%Y %H:%M %z",)) == "2018-04-21T23:00:00Z"


def test_the_unit_of_an_epoch_can_be_said() -> None:
    assert one_time("1000", unit="s") == "1970-01-01T00:16:40Z"
    assert one_time("1000", unit="ms") == "1970-01-01T00:00:01Z"
    assert one_time("2020-01-01", unit="s") is None


@given(st.datetimes(pd.Timestamp("2001-10-01"), pd.Timestamp("2099-12-31"), timezones=st.just(UTC)))
def test_every_spelling_of_a_moment_is_that_moment(moment: pd.Timestamp) -> None:
    moment = pd.Timestamp(moment).as_unit("us")
    microseconds = moment.value // 1_000 if moment.unit == "ns" else int(moment.asm8.astype("int64"))
    texts = series(moment.isoformat(), str(moment), str(microseconds), str(moment.tz_convert("Asia/Bangkok")))
    times, wrong = values.parse_times(texts)
    assert not wrong.any()
    assert (times == moment).all()


def test_time_zones_by_name_and_offset() -> None:
    assert values.timezone_of("-05:30").utcoffset(None) == timedelta(hours=-5, minutes=-30)
    assert values.timezone_of("Asia/Ho_Chi_Minh") == ZoneInfo("Asia/Ho_Chi_Minh")
    with pytest.raises(ValueError, match="no time zone 'Mars/Base'"):
        values.timezone_of("Mars/Base")


@pytest.mark.parametrize("pattern", ["%H:%M", "day", "%Q", ""])
def test_a_format_has_a_day(pattern: str) -> None:
    with pytest.raises(ValueError, match="format"):
        values.check_format(pattern)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT10M5S", 605), ("PT1H30M4S", 5_404), ("P0D", 0), ("P1DT1S", 86_401), ("00:31", 31), ("1:02:03", 3_723),
     ("75", 75), ("12.5", 12.5), ("90:00", 5_400)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    read, wrong = values.parse_durations(series(text))
    assert read[0] == seconds
    assert not wrong[0]


@pytest.mark.parametrize("text", ["P", "PT", "1:2", "long", "-5", "1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    read, wrong = values.parse_durations(series(text, None))
    assert wrong.tolist() == [True, False]
    assert read.isna().all()


def test_flags_and_money() -> None:
    flags, wrong = values.parse_flags(series("True", "no", "1", "maybe", None))
    assert flags[:3].tolist() == [True, False, True]
    assert wrong.tolist() == [False, False, False, True, False]
    money, wrong = values.parse_money(series("1,250.50", "3", "-1", "nan?", None))
    assert money[:2].tolist() == [1250.5, 3.0]
    assert wrong.tolist() == [False, False, True, True, False]


def test_entries_of_lists() -> None:
    entries = values.list_entries(
        series("['Food', 'Cooking']", '["Women\'s Store"]', "[\"Women's Store\", 'B']", "[]", None, "A & B | C", "['']")
    )
    assert entries.tolist() == ["Food", "Cooking", "Women's Store", "Women's Store", "B", "A & B", "C"]
    assert entries.index.tolist() == [0, 0, 1, 2, 2, 5, 5]


def test_hashtags() -> None:
    assert values.hashtags(series("suckhoe, thaomoc", "#a #b", None, ",")).tolist()[:2] == [
        "#suckhoe #thaomoc",
        "#a #b",
    ]
    assert values.hashtags(series(None, ",")).isna().all()
