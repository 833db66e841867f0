from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from serving.catalogue import SCORE_COLUMNS, Catalogue, CatalogueError, Filters, catalogue_places, read_catalogue


def ids(catalogue: Catalogue, **filters: Any) -> list[str]:
    return catalogue.frame["creator_id"][catalogue.mask(Filters(**filters))].tolist()


@pytest.mark.parametrize(
    ("filters", "passed"),
    [
        ({}, ["an", "binh", "chi", "dung", "em"]),
        ({"platforms": ["TikTok", "youtube"]}, ["binh", "dung"]),
        ({"tiers": ["nano", "macro"]}, ["chi", "em"]),
        ({"niches": ["BEAUTY"]}, ["an", "binh"]),
        ({"countries": ["th"]}, ["dung"]),
        ({"languages": ["vi-VN"]}, ["an", "binh", "chi"]),
        ({"platforms": ["instagram"], "niches": ["food", "travel"]}, ["chi", "em"]),
        ({"min_authenticity": 0.7}, ["an", "chi", "em"]),
        ({"min_authenticity": 0.7, "include_not_assessed": True}, ["an", "chi", "dung", "em"]),
        ({"min_authenticity": 0}, ["an", "binh", "chi", "dung", "em"]),
        ({"include_not_assessed": False}, ["an", "binh", "chi", "em"]),
        ({"niches": ["no such niche"]}, []),
    ],
)
def test_filters(catalogue: Catalogue, filters: dict[str, Any], passed: list[str]) -> None:
    assert ids(catalogue, **filters) == passed


def test_a_niche_is_found_without_its_accents(score_frame: pd.DataFrame) -> None:
    score_frame.loc[0, "niche"] = "Mỹ  phẩm"
    assert ids(Catalogue.of(score_frame), niches=["my pham"]) == ["an"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"platforms": ["myspace"]},
        {"tiers": ["huge"]},
        {"min_authenticity": 1.1},
        {"min_authenticity": float("nan")},
        {"niches": [""]},
        {"colour": "red"},
    ],
)
def test_filters_refuse_what_they_do_not_know(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Filters(**wrong)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_reads_as_it_was_written(score_frame: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"scores.{ending}"
    if ending == "csv":
        score_frame.to_csv(path, index=False)
    else:
        score_frame.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(read_catalogue(path).frame, score_frame)


def test_several_files_are_one_catalogue(score_frame: pd.DataFrame, tmp_path: Path) -> None:
    for name, part in (("a", score_frame[3:]), ("b", score_frame[:3])):
        part.to_parquet(tmp_path / f"{name}.parquet", index=False)
    catalogue = read_catalogue(tmp_path / "a.parquet", tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(catalogue.frame, score_frame)
    with pytest.raises(CatalogueError, match=r"more than one row: 'dung', 'em'"):
        read_catalogue(tmp_path / "a.parquet", tmp_path / "a.parquet")


def test_creators_are_found_by_id(catalogue: Catalogue) -> None:
    assert catalogue.creator("em")["display_name"] == "Em Phạm"
    assert catalogue.frame["creator_id"][catalogue.position("em")] == "em"
    with pytest.raises(KeyError):
        catalogue.creator("nobody")


def test_missing_columns_are_named_all_at_once(score_frame: pd.DataFrame) -> None:
    with pytest.raises(CatalogueError, match="columns platform, evidence are missing"):
        Catalogue.of(score_frame.drop(columns=["platform", "evidence"]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("authenticity", 1.2),
        ("bought_likes_low", -0.1),
        ("followers", 12.5),
        ("platform", "myspace"),
        ("evidence", "{not json"),
        ("evidence", '[{"head": "bought_likes"}]'),
        ("as_of", "yesterday"),
        ("bought_views_flagged", "perhaps"),
        ("creator_id", None),
    ],
)
def test_wrong_values_name_column_and_creator(score_frame: pd.DataFrame, column: str, value: object) -> None:
    frame = score_frame.astype({column: object})
    frame.loc[1, column] = value
    with pytest.raises(CatalogueError, match=f"{column} is wrong.*for creators"):
        Catalogue.of(frame)


@pytest.mark.parametrize(
    ("column", "warning"), [("registry_hash", "mixed_registry"), ("model_version", "mixed_models")]
)
def test_mixed_scores_are_warned_of(score_frame: pd.DataFrame, column: str, warning: str) -> None:
    assert Catalogue.of(score_frame).warnings == ()
    score_frame.loc[0, column] = "another"
    assert Catalogue.of(score_frame).warnings == (warning,)


def test_one_simulated_row_makes_a_catalogue_simulated(score_frame: pd.DataFrame) -> None:
    score_frame["model_data"] = "agency 2026"
    assert not Catalogue.of(score_frame).simulated
    score_frame.loc[2, "model_data"] = "simulated"
    assert Catalogue.of(score_frame).simulated


def test_the_checked_frame_is_a_copy(score_frame: pd.DataFrame) -> None:
    before = score_frame.copy()
    Catalogue.of(score_frame.assign(extra=1))
    pd.testing.assert_frame_equal(score_frame, before)
    assert list(Catalogue.of(score_frame.assign(extra=1)).frame) == list(SCORE_COLUMNS)


def test_an_empty_catalogue_is_one(score_frame: pd.DataFrame) -> None:
    empty = Catalogue.of(score_frame.head(0))
    assert len(empty) == 0
    assert empty.mask(Filters(platforms=("tiktok",), languages=("vi",))).shape == (0,)
    assert len(empty.profiles) == 0
    empty.prepare()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.parquet", None, "no such file"),
        ("bad.parquet", b"PAR", "cannot be read as Parquet"),
        ("bad.csv", b"", "cannot be read as CSV"),
    ],
)
def test_files_that_are_no_catalogue(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CatalogueError, match=message):
        read_catalogue(tmp_path / name)


def test_where_the_catalogue_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALREACH_CATALOGUE", raising=False)
    monkeypatch.setenv("REALREACH_HOME", "somewhere")
    assert catalogue_places() == (Path("somewhere/catalogue.parquet").absolute(),)
    monkeypatch.setenv("REALREACH_CATALOGUE", "a.parquet:b.csv")
    assert catalogue_places() == (Path("a.parquet"), Path("b.csv"))
    monkeypatch.setenv("REALREACH_CATALOGUE", "a.parquet:s3://ours/b.parquet:gs://ours/2026/c.csv")
    assert [str(place) for place in catalogue_places()] == ["a.parquet", "s3://ours/b.parquet", "gs://ours/2026/c.csv"]


def test_one_id_on_two_platforms_is_two_creators(score_frame: pd.DataFrame, tmp_path: Path) -> None:
    own, other = tmp_path / "one.parquet", tmp_path / "two.parquet"
    score_frame.to_parquet(own, index=False)
    twin = score_frame.head(1)
    elsewhere = "facebook" if twin["platform"].iloc[0] != "facebook" else "tiktok"
    twin.assign(platform=elsewhere).to_parquet(other, index=False)
    found = read_catalogue(own, other)
    assert len(found) == len(score_frame) + 1
    name, platform = twin["creator_id"].iloc[0], twin["platform"].iloc[0]
    assert found.creator(f"{platform}:{name}")["platform"] == platform
    assert found.creator(f"{elsewhere}:{name}")["platform"] == elsewhere
    with pytest.raises(CatalogueError, match="more than one row"):
        read_catalogue(own, own)
