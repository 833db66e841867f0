"""Labelled texts that opinions and safety are learnt from and measured on."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables import TEXT
from training.opinions import TASKS, OpinionTask


class OpinionSetError(ValueError):
    """A set that is not there or cannot be used."""


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and the class of each.

    Attributes
    ----------
    name, terms : str
        Source, and under which terms it may be used.
    texts : Series of str
    labels : ndarray of int64 (texts,)
        Positions in the task's classes.
    """

    name: str
    terms: str
    texts: pd.Series
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "LabelledTexts":
        """Some of the texts, by position."""
        return LabelledTexts(self.name, self.terms, self.texts.iloc[rows].reset_index(drop=True), self.labels[rows])


@dataclass(frozen=True)
class _Files:
    stem: str
    text: str
    label: str


#: Labels of both are numbers in the order of the task's classes.
_FILES: Mapping[str, _Files] = {
    "opinions": _Files("uit_vsfc", "sents", "sentiments"),
    "safety": _Files("vihsd", "free_text", "label_id"),
}


def read_opinion_set(task: OpinionTask, folder: Path, part: str) -> LabelledTexts:
    """Read a part of a task's set.

    Parameters
    ----------
    task : OpinionTask
    folder : Path
        Below which the file lies.
    part : {"train", "dev"}

    Raises
    ------
    OpinionSetError
        Where the file is missing, lacks a column or has other labels.
    """
    known = _FILES[task.name]
    stem = f"{known.stem}_{part}"
    found = sorted(folder.rglob(f"{stem}.csv*"))
    if not found:
        message = f"{folder.name}: found no {stem}.csv or {stem}.csv.gz in it or below it"
        raise OpinionSetError(message)
    frame = pd.read_csv(found[0])
    missing = [column for column in (known.text, known.label) if column not in frame]
    if missing:
        message = f"{stem}: columns {', '.join(missing)} are missing, found {', '.join(map(str, frame.columns))}"
        raise OpinionSetError(message)
    frame = frame.dropna(subset=[known.text])
    if not frame[known.label].isin(range(len(task.classes))).all():
        message = f"{stem}: column {known.label} must be 0 to {len(task.classes) - 1} in every row"
        raise OpinionSetError(message)
    texts = frame[known.text].astype(TEXT).reset_index(drop=True)
    return LabelledTexts(stem, "research", texts, frame[known.label].to_numpy(dtype=np.int64))


def read_opinion_pairs() -> dict[str, LabelledTexts]:
    """Opinions that were written for this in two languages, by "en" and "vi"; row i of one translates the other's."""
    sections = tomllib.loads((files("training") / "opinion_pairs.toml").read_text(encoding="utf-8"))
    classes = TASKS["opinions"].classes
    rows = [(*pair, place) for place, name in enumerate(classes) for pair in sections[name]]
    labels = np.array([place for *_, place in rows])
    return {
        language: LabelledTexts(
            f"opinion pairs, {language}", "", pd.Series([row[column] for row in rows], dtype=TEXT), labels
        )
        for column, language in enumerate(("en", "vi"))
    }
