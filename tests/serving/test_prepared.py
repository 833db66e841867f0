"""What a catalogue is made ready with is kept, found again, and made anew where it does not fit or hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.profiles import ProfileSpace
from serving import prepared
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.ranking import shortlist


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    monkeypatch.setattr(prepared, "LEAST_KEPT", 1)
    return tmp_path


def kept(home: Path) -> list[Path]:
    return sorted(home.joinpath("prepared").iterdir())


def test_what_is_found_is_what_was_made(score_frame: pd.DataFrame, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Catalogue.of(score_frame)
    made.prepare()
    (folder,) = kept(home)

    def never(*_: object) -> None:
        raise AssertionError("made anew")

    monkeypatch.setattr("serving.catalogue.ProfileSpace.fit", never)
    monkeypatch.setattr("serving.catalogue.niche_shares", never)
    monkeypatch.setattr("serving.catalogue.caption_languages", never)
    monkeypatch.setattr("serving.catalogue.Rarity.fit", never)
    changed = score_frame.assign(authenticity=0.5, authenticity_low=0.4, authenticity_high=0.6)
    found = Catalogue.of(changed)
    found.prepare()
    assert kept(home) == [folder]
    np.testing.assert_array_equal(found.profiles.vectors, made.profiles.vectors)
    pd.testing.assert_frame_equal(found.niche_shares, made.niche_shares)
    pd.testing.assert_frame_equal(found.facts.drop(columns="as_of"), made.facts.drop(columns="as_of"))
    brief = Brief(text="serum cho da dầu, không quảng cáo")
    columns = ["creator_id", "fit", "reason", "matched_words"]
    listed = [shortlist(one, brief).frame.sort_values("creator_id")[columns] for one in (found, made)]
    pd.testing.assert_frame_equal(*(one.reset_index(drop=True).drop(columns="reason") for one in listed))


@pytest.mark.parametrize("change", [{"profile_text": "other words"}, {"niche": "food"}, {"creator_id": None}])
def test_other_texts_are_made_anew(score_frame: pd.DataFrame, home: Path, change: dict[str, str | None]) -> None:
    Catalogue.of(score_frame).prepare()
    other = score_frame.iloc[:3] if "creator_id" in change else score_frame.assign(**change)
    catalogue = Catalogue.of(other)
    catalogue.prepare()
    assert len(kept(home)) == 2
    fresh = Catalogue.of(other)
    np.testing.assert_array_equal(catalogue.profiles.vectors, fresh.profiles.vectors)


@pytest.mark.parametrize("name", ["vectors.npy", "shares.npy", "languages.npy", "about.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "garbage"])
def test_what_is_damaged_is_made_anew_and_kept(score_frame: pd.DataFrame, home: Path, name: str, damage: str) -> None:
    Catalogue.of(score_frame).prepare()
    file = kept(home)[0] / name
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"garbage"}[damage])
    catalogue = Catalogue.of(score_frame)
    catalogue.prepare()
    np.testing.assert_array_equal(catalogue.profiles.vectors, Catalogue.of(score_frame).profiles.vectors)
    assert file.read_bytes() == whole
    assert len(kept(home)) == 1


def test_few_catalogues_are_kept_and_a_full_disk_is_no_fault(
    score_frame: pd.DataFrame, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(prepared._MOST_KEPT + 2):
        Catalogue.of(score_frame.assign(profile_text=f"text {number}")).prepare()
    assert len(kept(home)) == prepared._MOST_KEPT

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    catalogue = Catalogue.of(score_frame)
    catalogue.prepare()
    assert len(catalogue.profiles) == len(score_frame)
    assert "No space left on device" in caplog.text
    assert len(kept(home)) == prepared._MOST_KEPT


def test_vectors_that_texts_do_not_tell_are_neither_kept_nor_replaced(score_frame: pd.DataFrame, home: Path) -> None:
    Catalogue.of(score_frame).prepare()
    catalogue = Catalogue.of(score_frame)
    other = ProfileSpace(np.zeros_like(Catalogue.of(score_frame).profiles.vectors), {})
    vars(catalogue)["profiles"] = other
    before = kept(home)[0].stat().st_mtime_ns
    prepared.prepare(catalogue)
    assert catalogue.profiles is other
    assert [one.stat().st_mtime_ns for one in kept(home)] == [before]
