from pathlib import Path

import numpy as np
import pytest

from training.fit import SAME_CATEGORY, WORKED
from training.fit_sets import FitSetError, read_fit_set


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {}
    for half, (brands, creators) in {"train": (3, 5), "test": (2, 4)}.items():
        label = np.zeros((brands, creators), dtype=np.int8)
        label[np.arange(creators) % brands, np.arange(creators)] = 1
        found |= {
            f"{half}_label": label,
            f"{half}_brand_category": np.arange(brands, dtype=np.int16) % 2,
            f"{half}_brand_ids": np.array([f"{half}{number}" for number in range(brands)]),
            f"{half}_brand_tags": rng.normal(size=(brands, 4)).astype(np.float32),
            f"{half}_creator_tags": rng.normal(size=(creators, 4)).astype(np.float32),
        }
    return found


def write(path: Path, found: dict[str, np.ndarray]) -> Path:
    np.savez(path, allow_pickle=True, **found)
    return path


def test_both_halves_are_read(tmp_path: Path) -> None:
    halves = read_fit_set(write(tmp_path / "set.npz", arrays()))
    train = halves["train"]
    assert (len(train.briefs), len(train.creators), tuple(train.briefs.views)) == (3, 5, ("tags",))
    assert train.categories == ("0", "1", "0")
    # the first brand worked with creators 0 and 3; the third, of its category, with creator 2
    assert train.relevance[0].tolist() == [WORKED, 0, SAME_CATEGORY, WORKED, 0]


def test_creators_of_the_test_half_are_not_learnt_from(tmp_path: Path) -> None:
    ids = {"train_creator_ids": np.array(list("abcde")), "test_creator_ids": np.array(list("dxyz"))}
    train = read_fit_set(write(tmp_path / "set.npz", arrays() | ids))["train"]
    assert len(train.creators) == 4
    assert train.relevance[0].tolist() == [WORKED, 0, SAME_CATEGORY, 0]  # the fourth, who worked with it, is gone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_label": None}, "train_label is missing"),
        ({"train_label": np.full((3, 5), 2)}, "train_label: expected 0 and 1 only"),
        ({"test_brand_category": np.zeros(3)}, "test_brand_category: expected one category for each of 2 brands"),
        ({"train_brand_tags": np.zeros((2, 4))}, r"train_brand_tags: expected numbers of shape \(3, dimensions\)"),
        ({"train_brand_tags": np.full((3, 4), np.nan)}, "train_brand_tags: row 0 has NaN"),
        ({"test_creator_tags": None}, "test: brands and creators need the same views"),
        ({"test_creator_tags": np.zeros((4, 5))}, "test: .*same names and dimensions"),
        ({"train_brand_topics": np.zeros((3, 2)), "train_creator_topics": np.zeros((5, 2))}, "train and test differ"),
        ({"test_brand_ids": np.array(["train0", "b"])}, "brands in both halves: train0"),
        ({"train_brand_ids": np.array([{"a": 1}] * 3, dtype=object)}, "not an .npz file of plain arrays"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    found = {name: values for name, values in (arrays() | change).items() if values is not None}
    with pytest.raises(FitSetError, match=message):
        read_fit_set(write(tmp_path / "set.npz", found))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(FitSetError, match=r"set\.npz: not an \.npz file"):
        read_fit_set(path)
