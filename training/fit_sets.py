"""Who worked with whom, read from arrays: vectors of any origin, in the format of gan2019_dev.npz.

Of each half (`train`, `test`) the file holds `<half>_label` (brands × creators, 1 where they worked together),
`<half>_brand_category` (brands,), and for every view V both `<half>_brand_V` and `<half>_creator_V` (rows ×
dimensions); `<half>_brand_ids` and `<half>_creator_ids` are told apart where they are there.
"""

import zipfile
from pathlib import Path

import numpy as np

from features.fit import Side, SidesError, check_comparable
from training.fit import Pairs, grade

HALVES = ("train", "test")
_NO_VIEWS = ("ids", "category")


class FitSetError(ValueError):
    """Arrays that cannot be used; the message names file and array, and says what would be right."""


def _views(arrays: dict[str, np.ndarray], half: str, side: str) -> dict[str, np.ndarray]:
    start = f"{half}_{side}_"
    return {
        name.removeprefix(start): values
        for name, values in arrays.items()
        if name.startswith(start) and name.removeprefix(start) not in _NO_VIEWS
    }


def _checked(view: np.ndarray, name: str, rows: int, file: str) -> np.ndarray:
    if view.ndim != 2 or len(view) != rows or not np.issubdtype(view.dtype, np.number):
        message = f"{file}: {name}: expected numbers of shape ({rows}, dimensions), found {view.dtype} {view.shape}"
        raise FitSetError(message)
    if not np.isfinite(view).all():
        message = f"{file}: {name}: row {int(np.flatnonzero(~np.isfinite(view).all(axis=1))[0])} has NaN or infinity"
        raise FitSetError(message)
    return view.astype(np.float64)


def _half(arrays: dict[str, np.ndarray], half: str, file: str) -> Pairs:
    label, category = (arrays.get(f"{half}_{name}") for name in ("label", "brand_category"))
    if label is None or label.ndim != 2:
        message = (
            f"{file}: {half}_label is missing or no matrix; it says which brands (rows) worked with which creators"
        )
        raise FitSetError(message)
    if not np.isin(label, (0, 1)).all():
        message = f"{file}: {half}_label: expected 0 and 1 only"
        raise FitSetError(message)
    if category is None or category.shape != (len(label),):
        message = f"{file}: {half}_brand_category: expected one category for each of {len(label)} brands"
        raise FitSetError(message)
    sides = {}
    for side, rows in zip(("brand", "creator"), label.shape, strict=True):
        found = _views(arrays, half, side)
        sides[side] = {name: _checked(view, f"{half}_{side}_{name}", rows, file) for name, view in found.items()}
    here, there = set(sides["brand"]), set(sides["creator"])
    if not here or here != there:
        message = (
            f"{file}: {half}: brands and creators need the same views, at least one; brands have {sorted(here)}, "
            f"creators {sorted(there)}"
        )
        raise FitSetError(message)
    categories = tuple(str(one) for one in category.tolist())
    worked = label > 0
    pairs = Pairs(Side(sides["brand"]), Side(sides["creator"]), grade(worked, categories), categories)
    try:
        check_comparable(pairs.briefs, pairs.creators)
    except SidesError as error:
        message = f"{file}: {half}: {error}"
        raise FitSetError(message) from error
    return pairs


def read_fit_set(path: Path) -> dict[str, Pairs]:
    """Read both halves of a file; no brand may stand in both, and creators of the test half leave the other.

    Returns
    -------
    dict of str to Pairs
        `train` and `test`.

    Raises
    ------
    FitSetError
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, TypeError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        message = f"{path.name}: not an .npz file of plain arrays: {error}"
        raise FitSetError(message) from error
    halves = {half: _half(arrays, half, path.name) for half in HALVES}
    both = set(arrays.get("train_brand_ids", np.array([])).tolist()) & set(
        arrays.get("test_brand_ids", np.array([])).tolist()
    )
    if both:
        message = f"{path.name}: brands in both halves: {', '.join(map(str, sorted(both)[:5]))}"
        raise FitSetError(message)
    ids = [arrays.get(f"{half}_creator_ids") for half in HALVES]
    if ids[0] is not None and ids[1] is not None:
        own = np.flatnonzero(~np.isin(ids[0], ids[1]))
        halves["train"] = halves["train"].take(np.arange(len(halves["train"].briefs)), own)
    try:
        check_comparable(halves["train"].briefs, halves["test"].briefs)
    except SidesError as error:
        message = f"{path.name}: train and test differ: {error}"
        raise FitSetError(message) from error
    return halves
