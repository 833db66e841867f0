"""Pages of a list hold what the whole list holds at their places, however it is sorted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import paging
from serving.briefs import Brief
from serving.catalogue import Catalogue, Filters
from serving.paging import SORTS, page_of, position_keys, slice_of
from serving.ranking import Fitted, order, read, shortlist

VALUES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, -3.0, np.nan]), min_size=1, max_size=40)


@given(values=VALUES, start=st.integers(0, 45), size=st.integers(0, 45), seed=st.integers(0, 99))
def test_a_slice_is_cut_from_the_whole_order(values: list[float], start: int, size: int, seed: int) -> None:
    keys, ties = np.array(values), np.random.default_rng(seed).integers(0, 3, len(values)).astype(float)
    known = np.where(np.isnan(keys), -np.inf, keys)
    whole = np.lexsort((np.arange(len(keys)), -ties, -known))
    np.testing.assert_array_equal(slice_of(keys, ties, start, start + size), whole[start : start + size])


@pytest.fixture
def many(score_frame: pd.DataFrame) -> Catalogue:
    rng = np.random.default_rng(5)
    copies = [score_frame.assign(creator_id=score_frame["creator_id"] + f"_{number:02d}") for number in range(30)]
    frame = pd.concat(copies, ignore_index=True)
    assessed = frame["authenticity"].notna()
    frame["authenticity"] = np.where(assessed, rng.uniform(0.2, 0.9, len(frame)).round(2), np.nan)
    frame["authenticity_low"] = frame["authenticity"] - 0.1
    frame["authenticity_high"] = frame["authenticity"] + 0.1
    frame["followers"] = frame["followers"].where(rng.random(len(frame)) > 0.2).astype("Int64")
    frame["growth_28d"] = rng.normal(size=len(frame)).round(1)
    return Catalogue.of(frame)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("rising", [False, True])
def test_pages_put_together_are_the_whole_list_once(
    many: Catalogue, monkeypatch: pytest.MonkeyPatch, sort: paging.Sort, rising: bool
) -> None:
    monkeypatch.setattr(paging, "RETRIEVED", 40)
    reading = read(many, Brief(text="serum da dầu, review mỹ phẩm"))
    whole = page_of(many, reading, sort=sort, rising=rising, size=len(many)).frame
    assert sorted(whole["creator_id"]) == sorted(many.frame["creator_id"])
    assert whole["rank"].tolist() == list(range(1, len(many) + 1))
    pages = [
        page_of(many, reading, sort=sort, rising=rising, start=start, size=35).frame for start in range(0, 150, 35)
    ]
    pd.testing.assert_frame_equal(pd.concat(pages, ignore_index=True), whole)
    assert page_of(many, reading, sort=sort, rising=rising, start=len(many), size=35).frame.empty


@pytest.mark.parametrize("text", ["serum da dầu, review mỹ phẩm", ""])
@pytest.mark.parametrize("ranked", [1, 7, 40, 1_000])
def test_the_least_fit_first_is_the_list_of_the_best_fit_from_its_end(
    many: Catalogue, monkeypatch: pytest.MonkeyPatch, text: str, ranked: int
) -> None:
    # a learned fit ranks otherwise than likeness does
    original = paging.fit_of

    def other_fit(*args: Any) -> Fitted:
        fitted = original(*args)
        return replace(fitted, fit=(fitted.rows * 7_919 % 101) / 101)

    monkeypatch.setattr(paging, "fit_of", other_fit)
    monkeypatch.setattr(paging, "RETRIEVED", ranked)
    reading = read(many, Brief(text=text))
    falling = page_of(many, reading, sort="fit", size=len(many)).frame["creator_id"].tolist()

    @settings(max_examples=20, deadline=None)
    @given(start=st.integers(0, len(many) + 5), size=st.integers(1, 60))
    def every_page(start: int, size: int) -> None:
        found = page_of(many, reading, sort="fit", rising=True, start=start, size=size).frame
        assert found["creator_id"].tolist() == falling[::-1][start : start + size]
        assert found["rank"].tolist() == list(range(start + 1, start + 1 + len(found)))

    every_page()
    nobody = read(many, Brief(text=text, followers_min=10**9))
    assert page_of(many, nobody, sort="fit", rising=True).frame.empty


def test_the_first_page_is_the_shortlist(many: Catalogue) -> None:
    brief = Brief(text="serum da dầu", min_authenticity=0.3, k=25)
    pd.testing.assert_frame_equal(page_of(many, read(many, brief), size=25).frame, shortlist(many, brief).frame)


def test_columns_sort_as_they_read(many: Catalogue) -> None:
    reading = read(many, Brief())
    for sort, column in (("followers", "followers"), ("authenticity", "authenticity")):
        for rising in (False, True):
            values = page_of(many, reading, sort=sort, rising=rising, size=len(many)).frame[column]  # type: ignore[arg-type]
            known = values.dropna()
            assert known.is_monotonic_increasing if rising else known.is_monotonic_decreasing
            assert values[: len(known)].notna().all()  # what is unknown stands last, both ways
    tiers = page_of(many, reading, sort="tier", rising=True, size=len(many)).frame["tier"].dropna()
    assert list(dict.fromkeys(tiers)) == [tier for tier in ("nano", "micro", "macro", "mega") if tier in set(tiers)]
    names = page_of(many, reading, sort="creator", rising=True, size=len(many)).frame
    named = names["display_name"].fillna(names["handle"]).fillna(names["creator_id"]).str.casefold()
    assert named.is_monotonic_increasing


def test_a_status_sorts_and_narrows(many: Catalogue) -> None:
    ids = many.frame["creator_id"].tolist()
    keys = position_keys(many, {ids[3]: 2.0, ids[7]: 1.0, "gone": 4.0})
    found = page_of(many, read(many, Brief()), sort="status", status=keys, among=keys > 0, size=10)
    assert (found.candidates, found.frame["creator_id"].tolist()) == (2, [ids[3], ids[7]])


def test_who_has_not_posted_lately_is_left_out(score_frame: pd.DataFrame) -> None:
    as_of = score_frame["as_of"].iloc[0]
    last = [as_of - pd.Timedelta(days=days) for days in (0, 7, 8, 400)]
    frame = score_frame.iloc[:5].assign(last_post_at=[*last, pd.NaT])
    catalogue = Catalogue.of(frame)
    passing = catalogue.frame["creator_id"][catalogue.mask(Filters(last_post_within=7))]
    assert passing.tolist() == sorted(frame["creator_id"].iloc[:2])


def test_a_reading_that_is_not_meant_is_not_read(many: Catalogue) -> None:
    brief = Brief(text="Serum trên TikTok, KOC dưới 20k follower")
    fields = {one.field for one in read(many, brief).found}
    assert "platforms" in fields
    unread = read(many, brief, ("platforms",))
    assert {one.field for one in unread.found} == fields - {"platforms"}
    assert unread.brief.platforms == ()


@given(fit=VALUES, seed=st.integers(0, 99))
def test_a_slice_from_the_top_is_the_order_of_rankings(fit: list[float], seed: int) -> None:
    known = np.nan_to_num(np.clip(fit, 0, 1))
    authentic = np.random.default_rng(seed).integers(0, 3, len(known)) / 2
    np.testing.assert_array_equal(slice_of(known * authentic, authentic, 0, 10), order(known, authentic, 10))
