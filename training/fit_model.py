"""The trained fit model: a ranker of pairs, what its scores mean, and the collaborations that are precedents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit

from features.fit import Floats, Side, unit_rows
from features.match import WEIGHTS
from features.profiles import BriefVector, ProfileSpace, niche_shares
from features.taxonomy import read_taxonomy
from training.fit import DELIVERED, WORKED, FitRanker

#: What a fit model reads; one that was trained on other inputs is refused.
INPUTS = f"fit 1: text, niches, {', '.join(WEIGHTS)}; {len(read_taxonomy())} niches"
#: Least likeness of brands and of creators that makes a collaboration a precedent; the project's own choice.
_LEAST_LIKENESS = 0.5


class FitModelError(ValueError):
    """A fit model that cannot be used here."""


@dataclass(frozen=True)
class Precedent:
    """A collaboration that is like the one in question.

    Attributes
    ----------
    brand, creator : str
        Who worked together.
    delivered : bool
    """

    brand: str
    creator: str
    delivered: bool


def views_of(vectors: np.ndarray, shares: np.ndarray) -> Side:
    """Both sides as the ranker compares them: what is written, and its niches."""
    return Side({"text": np.asarray(vectors, dtype=np.float64), "niches": np.asarray(shares, dtype=np.float64)})


def category_of(brief: BriefVector) -> str:
    """Category of a brief: the niche it names most, empty where it names none."""
    return brief.niches[0] if brief.niches else ""


@dataclass(frozen=True)
class FitModel:
    """Fit of creators to briefs as collaborations have taught it.

    Attributes
    ----------
    ranker : FitRanker
    slope, intercept : float
        Of the logistic curve from scores to fit: the probability that a creator is one whom a brand worked with, where
        as many creators are as are not. The slope is positive.
    brands, creators : tuple of str
        Names of the brands, and ids of the creators, that the ranker knows.
    relevance : ndarray of int8, shape (brands, creators)
    data, version : str
        What it was trained on, and as what it is registered; empty where it is not.
    """

    ranker: FitRanker
    slope: float
    intercept: float
    brands: tuple[str, ...]
    creators: tuple[str, ...]
    relevance: np.ndarray
    data: str = ""
    version: str = ""

    def fit(self, brief: BriefVector, vectors: np.ndarray, shares: np.ndarray, matches: Mapping[str, Floats]) -> Floats:
        """Fit of creators to a brief, in [0, 1]; float64, shape (creators,).

        Parameters
        ----------
        brief : BriefVector
        vectors, shares : ndarray of float, shapes (creators, dimensions) and (creators, niches)
            From `features.profiles`.
        matches : mapping of str to ndarray of float64, each of shape (creators,)
            From `features.match.match_signals`.
        """
        if not len(vectors):
            return np.empty(0)
        side = views_of(brief.vector[None], brief.shares[None])
        extras = {name: values[None] for name, values in matches.items()}
        scores = self.ranker.score(side, views_of(vectors, shares), [category_of(brief)], extras)[0]
        return np.asarray(expit(self.slope * scores + self.intercept))

    def precedents(self, brief: BriefVector, vectors: np.ndarray) -> list[Precedent | None]:
        """The collaboration that is most like a brief and each creator; None where none is like both."""
        known = self.ranker.affinity
        brands = known.known_briefs["text"] @ brief.vector
        creators = unit_rows(vectors) @ known.known_creators["text"].T
        worked = self.relevance >= WORKED
        found: list[Precedent | None] = []
        for own in creators:
            likeness = np.where(worked, np.minimum(brands[:, None], own[None]), -1.0)
            brand, creator = np.unravel_index(int(likeness.argmax()), likeness.shape)
            if likeness[brand, creator] < _LEAST_LIKENESS:
                found.append(None)
            else:
                delivered = bool(self.relevance[brand, creator] >= DELIVERED)
                found.append(Precedent(self.brands[brand], self.creators[creator], delivered))
        return found

    def save(self, folder: Path) -> None:
        """Write what `load_fit_model` reads; nothing that runs when it is read."""
        self.ranker.save(folder)
        pairs = np.argwhere(self.relevance >= WORKED)
        about: dict[str, Any] = {
            "inputs": INPUTS,
            "slope": self.slope,
            "intercept": self.intercept,
            "brands": self.brands,
            "creators": self.creators,
            "collaborations": [
                [int(brand), int(creator), int(self.relevance[brand, creator])] for brand, creator in pairs
            ],
            "data": self.data,
        }
        (folder / "fit.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, version: str = "") -> Self:
        """Read what `save` wrote.

        Raises
        ------
        FitModelError
            Where it reads other inputs than this version computes.
        """
        about = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
        if about["inputs"] != INPUTS:
            message = f"{folder.name}: the model reads {about['inputs']!r}, here is {INPUTS!r}; train it anew"
            raise FitModelError(message)
        relevance = np.zeros((len(about["brands"]), len(about["creators"])), dtype=np.int8)
        for brand, creator, grade in about["collaborations"]:
            relevance[brand, creator] = grade
        return cls(
            FitRanker.load(folder),
            about["slope"],
            about["intercept"],
            tuple(about["brands"]),
            tuple(about["creators"]),
            relevance,
            about["data"],
            version,
        )


class _Scorer:
    """The model as MLflow serves it: fit of each row's creator to each row's brief."""

    def __init__(self, model: FitModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Fit of rows with the columns `brief` and `profile_text`; nothing else is asked for or known."""
        space = ProfileSpace.fit(model_input["profile_text"])
        shares = niche_shares(model_input["profile_text"]).to_numpy()
        unknown = {name: np.array([np.nan]) for name in WEIGHTS}
        found = [
            self._model.fit(space.read(brief), space.vectors[[row]], shares[[row]], unknown)[0]
            for row, brief in enumerate(model_input["brief"])
        ]
        return pd.DataFrame({"fit": found}, index=model_input.index)


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(FitModel.load(Path(path)))
