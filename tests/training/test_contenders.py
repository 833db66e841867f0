"""Every engine computes what `features` computes, on a few simulated creators; who is not installed is skipped."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.signals import SIGNALS
from features.tables import check_tables
from training import contenders
from training.benchmark import different, seem_rounded
from training.bulk import BULK_AS_OF, LEAST_POSTS, MOST_POSTS, draw_comments, draw_tables

CREATORS = 24


@pytest.fixture(scope="module", params=["equal", "uneven"])
def rows(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    contenders.write_rows(draw_tables(CREATORS, 3, lengths=request.param, snapshots=120), folder)
    return folder


@pytest.fixture(scope="module")
def ours(rows) -> pd.DataFrame:
    return contenders.by_features(rows, CREATORS, threads=1)


@pytest.mark.parametrize("name", ["polars", "DuckDB", "pandas groupby", "pandas groupby-apply", "tsfresh Minimal"])
def test_the_values_are_ours(name, rows, ours):
    contender = next(each for each in contenders.contenders(2) if each.name == name)
    if not contender.installed:
        pytest.skip(f"{contender.needs} is not installed: pip install 'realreach[bench]'")

    values = contender.run(rows, CREATORS)

    shared = values.columns.intersection(ours.columns)
    assert len(shared) == (2 if name.startswith("tsfresh") else len(contenders.SHARED))
    assert different(values, ours) == []
    assert (ours[shared].notna().sum() > CREATORS / 2).all()


def test_a_value_that_differs_is_named(ours):
    wrong = ours.assign(likes_cv_all=ours["likes_cv_all"] * (1 + 1e-5), views_gini_all=np.nan)

    assert different(ours, ours) == []
    assert different(wrong, ours) == ["likes_cv_all", "views_gini_all"]


def test_creators_that_are_told_apart_are_not_compared(ours):
    wrong = ours.copy()
    wrong.loc[wrong.index[3], "likes_cv_all"] += 1
    apart = np.zeros(CREATORS, dtype=bool)
    apart[3] = True

    assert different(wrong, ours) == different(wrong, ours, ~apart) == ["likes_cv_all"]
    assert different(wrong, ours, apart) == different(wrong.iloc[:2], ours, apart) == []


def test_creators_with_rounded_counts_are_told_apart():
    snapshots = draw_tables(CREATORS, 3, snapshots=120)["snapshots"]
    of_fifth = snapshots["creator_id"] == snapshots["creator_id"].unique()[5]
    rounded = snapshots.assign(followers=snapshots["followers"].mask(of_fifth, snapshots["followers"] // 100 * 100))

    assert not seem_rounded(snapshots).any()
    assert np.flatnonzero(seem_rounded(rounded)).tolist() == [5]


def test_shared_signals_are_registered_and_enough_of_both_families():
    families = pd.Series([SIGNALS[name].family for name in contenders.SHARED]).value_counts()

    assert families.to_dict() == {"engagement": 18, "growth": 12}


def test_bulk_tables_keep_the_contract_and_parts_have_ids_of_their_own():
    first, second = draw_tables(10, 3, snapshots=9), draw_tables(10, 3, first=10, snapshots=9)

    for tables in (first, second):
        for name, frame in check_tables(draw_comments(tables, 2.0, 1), now=BULK_AS_OF).items():
            assert len(frame), name
    ids = pd.concat([first["creators"], second["creators"]])["creator_id"]
    assert ids.is_unique
    assert ids.is_monotonic_increasing
    posts = draw_tables(200, 1, snapshots=1)["posts"].groupby("creator_id").size()
    assert posts.min() >= LEAST_POSTS
    assert posts.max() <= MOST_POSTS
    assert 50 <= posts.median() <= 70
    assert (draw_tables(3, 1, lengths="equal", snapshots=1)["posts"].groupby("creator_id").size() == 100).all()
