import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.match import WEIGHTS, Wanted, as_handle, conflict_of, match_signals, met, names_brand

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")


def creators(**columns: object) -> pd.DataFrame:
    row = {
        "language": "vi",
        "country": "VN",
        "followers": 20_000,
        "inauthentic_followers_share": 0.1,
        "as_of": AS_OF,
        "role": None,
        "price_per_post": np.nan,
        "currency": None,
        "audience_language": None,
        "sponsored_share": np.nan,
        "critical_share": np.nan,
        "mentions": "[]",
        "unsafe_caption_share": np.nan,
        "unsafe_comment_share": np.nan,
    }
    frame = pd.DataFrame([row | columns])
    return frame.astype({"role": "str", "currency": "str", "audience_language": "str", "followers": "Int64"})


def named(name: str, day: str) -> str:
    return json.dumps([{"name": name, "posts": 1, "sponsored_posts": 0, "last_at": day}])


def one(name: str, wanted: Wanted, text: str = "", **columns: object) -> float:
    return float(match_signals(wanted, creators(**columns), [text])[name][0])


def test_what_is_not_asked_for_or_not_known_is_nan() -> None:
    nothing = match_signals(Wanted(), creators(), [""])
    assert list(nothing) == list(WEIGHTS)
    assert {name for name, values in nothing.items() if not np.isnan(values[0])} == {"audience_reached"}
    asked = Wanted(("en",), ("VN",), ("reviewer",), 5e6, "VND", ("Nike",), ("yoga",), ("casino",))
    unknown = match_signals(asked, creators(language=None, country=None), [""])
    assert np.isnan([unknown[name][0] for name in ("language", "country", "role", "price")]).all()


@pytest.mark.parametrize(
    ("name", "wanted", "text", "columns", "value"),
    [
        ("language", Wanted(languages=("vi-VN",)), "", {}, 1),
        ("language", Wanted(languages=("en",)), "", {}, 0),
        ("audience_language", Wanted(languages=("vi",)), "", {"audience_language": "th"}, 0),
        ("country", Wanted(countries=("vn", "TH")), "", {}, 1),
        ("role", Wanted(roles=("reviewer",)), "", {"role": "reviewer"}, 1),
        ("price", Wanted(price_max=4e6, currency="VND"), "", {"price_per_post": 8e6, "currency": "vnd"}, 0.5),
        ("price", Wanted(price_max=4e6, currency="VND"), "", {"price_per_post": 0.0, "currency": "VND"}, 1),
        ("price", Wanted(price_max=4e6, currency="VND"), "", {"price_per_post": 8e6, "currency": "USD"}, np.nan),
        ("no_competitor", Wanted(competitors=("Nike",)), "", {"mentions": named("nike", "2026-02-01")}, 0),
        ("no_competitor", Wanted(competitors=("Nike",)), "", {"mentions": named("nikevietnam", "2026-02-01")}, 0),
        ("no_competitor", Wanted(competitors=("Nike",)), "", {"mentions": named("nike", "2024-02-01")}, 1),
        ("no_competitor", Wanted(competitors=("Nike",)), "", {"mentions": named("puma", "2026-02-01")}, 1),
        ("no_competitor", Wanted(competitors=("Nike",)), "giày #Nike mới", {}, 0.5),
        ("no_competitor", Wanted(competitors=("L'Oréal",)), "", {"mentions": named("lorealmakeup", "2026-02-20")}, 0),
        ("wanted_words", Wanted(words=("mỹ phẩm",)), "Review #mỹphẩm", {}, 1),
        ("no_unwanted_words", Wanted(unwanted_words=("giảm cân",)), "trà giảm cân", {}, 0),
        ("no_unwanted_words", Wanted(unwanted_words=("art",)), "startup party", {}, 1),
        ("sponsored_room", Wanted(), "", {"sponsored_share": 0.75}, 0.25),
        ("balance", Wanted(), "", {"critical_share": 0.0}, 0),
        ("safe_texts", Wanted(), "", {"unsafe_comment_share": 0.3, "unsafe_caption_share": 0.1}, 0.7),
        ("balance", Wanted(), "", {"critical_share": 0.3}, 1),
        ("balance", Wanted(), "", {"critical_share": 0.8}, 0.5),
    ],
)
def test_by_hand(name: str, wanted: Wanted, text: str, columns: dict[str, object], value: float) -> None:
    assert one(name, wanted, text, **columns) == pytest.approx(value, nan_ok=True)


def test_a_conflict_fades() -> None:
    days = [0, 90, 200, 300, 365, 900]
    left = [conflict_of({"last_at": f"{AS_OF - pd.Timedelta(days=day):%Y-%m-%d}"}, AS_OF) for day in days]
    assert left[:2] == [1, 1]
    assert left[-2:] == [0, 0]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize(
    ("mention", "brand", "same"),
    [
        ("nike", "Nike", True),
        ("the.face.shop", "The Face Shop", True),
        ("nik", "Nike", False),
        ("dovelove", "xo", False),
    ],
)
def test_names_of_brands(mention: str, brand: str, same: bool) -> None:
    assert names_brand(mention, brand) is same


def test_handles_are_plain() -> None:
    assert as_handle("L'Oréal Paris") == "lorealparis"
    assert not names_brand("anything", "!!!")


def test_what_is_met_by_hand() -> None:
    signals = {name: np.array([np.nan]) for name in WEIGHTS}
    assert met(signals).tolist() == [1]
    signals |= {"language": np.array([0.0]), "price": np.array([0.5])}
    assert met(signals).tolist() == pytest.approx([0.5 * (1 - 0.4 * 0.5)])


@given(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=len(WEIGHTS), max_size=len(WEIGHTS)), st.data())
def test_meeting_more_is_never_less(values: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    before = {name: np.array([value]) for name, value in zip(WEIGHTS, values, strict=True)}
    name = list(WEIGHTS)[place]
    after = before | {name: np.array([data.draw(st.floats(np.nan_to_num(values[place], nan=0.0), 1))])}
    assert 0 <= met(before)[0] <= 1
    if not np.isnan(values[place]):
        assert met(after)[0] >= met(before)[0]
