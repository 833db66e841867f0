"""The niche of a creator, learned from labelled creators: linear readers of words, and trees over what they say.

Each reader is a linear support vector machine over hashed words of one stream, or of several together. Trees put their
margins together with what the counts of profile and posts tell; the margins that they learn from are those of readers
that have not seen the creator. Their probabilities add up to 1 over the niches that were trained on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix, hstack
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from features.niche_texts import BITS, COUNTS, STREAMS, NicheTexts, read_niche_texts
from features.tables import TEXT
from training.model_files import changed_files, file_digests

#: Streams that each reader reads.
READERS: Mapping[str, tuple[str, ...]] = {
    "captions": ("captions",),
    "fans": ("fans",),
    "answers": ("answers",),
    "together": ("captions", "fans", "answers"),
    "commenters": ("commenters",),
}
NO_TEXT = "nothing is written: no caption, bio or comment with words"
WIDTH = 1 << BITS
_MODEL_FILE = "niche.json"
_TREES_FILE = "trees.txt"


class NicheConfig(BaseModel):
    """Settings of the niche model.

    Attributes
    ----------
    regularisation : tuple of float
        Inverse strengths of the readers' quadratic penalty that are tried on creators held out of training.
    least : int
        Creators that have to share a word before it is read; it is 2 for commenters, of whom few come back.
    least_creators : int
        Niches with fewer labelled creators are left out.
    folds : int
        Parts of the training creators, each read by readers that were fitted on the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regularisation: tuple[float, ...] = Field(default=(0.03, 0.1, 0.3), min_length=1)
    least: int = Field(default=3, ge=1)
    least_creators: int = Field(default=20, ge=2)
    folds: int = Field(default=4, ge=2)
    trees: int = Field(default=100, ge=1)
    leaves: int = Field(default=10, ge=2)
    seed: int = Field(default=0, ge=0)


class NicheModelError(ValueError):
    """Files that are no niche model of this version."""


@dataclass(frozen=True)
class Reader:
    """Margins of each niche by words.

    Attributes
    ----------
    streams : tuple of str
    rarity : ndarray of float32 (streams, WIDTH)
        Inverse document frequency; 0 for what was not read in training.
    coefficients : ndarray of float32 (streams, WIDTH, niches)
    intercepts : ndarray of float64 (niches,)
    """

    streams: tuple[str, ...]
    rarity: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray

    def margins(self, texts: NicheTexts) -> np.ndarray:
        """Distance to each niche's border, float64 of shape (creators, niches); above 0 speaks for the niche."""
        total = np.zeros((len(texts), self.intercepts.size))
        for stream, rarity, coefficients in zip(self.streams, self.rarity, self.coefficients, strict=True):
            total += weigh(texts.streams[stream], rarity) @ coefficients
        return np.asarray(total + self.intercepts)


def weigh(counts: csr_matrix, rarity: np.ndarray) -> csr_matrix:
    """Rows of (1 + log count) times rarity, each of length 1; a row without a known word stays empty."""
    found = csr_matrix(
        ((1 + np.log(counts.data)) * rarity[counts.indices], counts.indices, counts.indptr), shape=counts.shape
    )
    rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    lengths = np.sqrt(np.bincount(rows, found.data.astype(np.float64) ** 2, minlength=found.shape[0]))
    found.data = (found.data / np.maximum(lengths, 1e-9)[rows]).astype(np.float32)
    return found


def _rarity(counts: csr_matrix, least: int) -> np.ndarray:
    creators = np.bincount(counts.indices, minlength=WIDTH)
    rarity = np.log((1 + counts.shape[0]) / (1 + creators)) + 1
    return np.where(creators >= least, rarity, 0).astype(np.float32)


def fit_reader(
    texts: NicheTexts, labels: np.ndarray, streams: Sequence[str], *, regularisation: float, least: int, seed: int
) -> Reader:
    """Fit a reader: one against the rest, niches weighted so that each counts alike.

    Parameters
    ----------
    texts : NicheTexts
    labels : ndarray of int64 (creators,)
        Position of the niche; each from 0 to the largest is there.
    streams : sequence of str
    regularisation : float
    least : int
        As `NicheConfig.least`.
    seed : int
    """
    rarity = np.stack([_rarity(texts.streams[name], 2 if name == "commenters" else least) for name in streams])
    seen = [np.flatnonzero(row) for row in rarity]
    x = hstack(
        [weigh(texts.streams[name], row)[:, kept] for name, row, kept in zip(streams, rarity, seen, strict=True)]
    ).tocsr()
    niches = int(labels.max()) + 1
    coefficients = np.zeros((len(streams), WIDTH, niches), dtype=np.float32)
    if not x.shape[1]:
        return Reader(tuple(streams), rarity, coefficients, np.zeros(niches))
    machine = LinearSVC(C=regularisation, class_weight="balanced", tol=1e-2, random_state=seed).fit(x, labels)
    # of two niches one row of coefficients tells: for the second, against the first
    fitted, intercepts = machine.coef_, np.atleast_1d(machine.intercept_)
    if niches == 2:
        fitted, intercepts = np.vstack([-fitted, fitted]), np.concatenate([-intercepts, intercepts])
    for place, (kept, part) in enumerate(
        zip(seen, np.split(fitted, np.cumsum([kept.size for kept in seen])[:-1], axis=1), strict=True)
    ):
        coefficients[place, kept] = part.T
    return Reader(tuple(streams), rarity, coefficients, intercepts)


@dataclass(frozen=True)
class NicheModel:
    """Readers by name, and trees over their margins.

    Attributes
    ----------
    niches : tuple of str
        As the labels name them, sorted.
    readers : mapping of str to Reader
    trees : lightgbm.Booster
    metadata : mapping
        "data" names what was trained on, "terms" under which.
    """

    niches: tuple[str, ...]
    readers: Mapping[str, Reader]
    trees: lgb.Booster
    metadata: Mapping[str, Any]

    def probabilities(self, texts: NicheTexts) -> pd.DataFrame:
        """Probability of each niche, float64; a row a creator, NaN where nothing is written."""
        found = _trees_say(self.trees, _design(self.readers, texts))
        found[~_written(texts)] = np.nan
        return pd.DataFrame(found, index=texts.creators, columns=list(self.niches))

    def predict(self, texts: NicheTexts) -> pd.DataFrame:
        """The likeliest niche of each creator; as `told` returns it."""
        return told(self.probabilities(texts), NO_TEXT)

    def save(self, folder: Path) -> None:
        """Write JSON, LightGBM text and arrays into an existing folder."""
        for name, reader in self.readers.items():
            streams, buckets = np.nonzero(reader.rarity)
            np.savez_compressed(
                folder / f"{name}.npz",
                streams=streams.astype(np.int8),
                buckets=buckets.astype(np.int32),
                rarity=reader.rarity[streams, buckets],
                coefficients=reader.coefficients[streams, buckets],
                intercepts=reader.intercepts,
            )
        self.trees.save_model(folder / _TREES_FILE)
        files = [_TREES_FILE, *(f"{name}.npz" for name in self.readers)]
        document = {
            "niches": list(self.niches),
            "inputs": INPUTS,
            "metadata": dict(self.metadata),
            "digests": file_digests(folder, files),
        }
        (folder / _MODEL_FILE).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")


#: Digest of what the model reads of a creator.
INPUTS = hashlib.sha256(json.dumps([BITS, STREAMS, COUNTS, dict(READERS)]).encode()).hexdigest()[:16]


def told(probabilities: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The likeliest niche by probabilities.

    Returns
    -------
    DataFrame
        `niche` (null where not assessed), `niche_probability` (float64), `reason` (null where assessed).
    """
    values = probabilities.to_numpy()
    known = ~np.isnan(values).all(axis=1)
    best = np.argmax(np.nan_to_num(values, nan=-1.0), axis=1)
    names = probabilities.columns.to_numpy(dtype=object)[best]
    names[~known] = None
    reasons = np.full(len(known), reason, dtype=object)
    reasons[known] = None
    return pd.DataFrame(
        {
            "niche": pd.Series(names, index=probabilities.index, dtype=TEXT),
            "niche_probability": np.where(known, np.nan_to_num(values).max(axis=1), np.nan),
            "reason": pd.Series(reasons, index=probabilities.index, dtype=TEXT),
        },
        index=probabilities.index,
    )


def _written(texts: NicheTexts) -> np.ndarray:
    """Creators of whom or to whom something is written, bool of shape (creators,)."""
    words = sum(np.diff(texts.streams[name].indptr) for name in ("captions", "fans", "answers"))
    return np.asarray(words > 0)


def _amounts(texts: NicheTexts) -> np.ndarray:
    """How much of each stream there is, and the counts; float64 of shape (creators, STREAMS and COUNTS)."""
    words = np.log1p(np.column_stack([np.diff(texts.streams[name].indptr) for name in STREAMS]))
    return np.column_stack([words, texts.counts.to_numpy()])


def _design(readers: Mapping[str, Reader], texts: NicheTexts) -> np.ndarray:
    return np.column_stack([*(reader.margins(texts) for reader in readers.values()), _amounts(texts)])


def _trees_say(trees: lgb.Booster, x: np.ndarray) -> np.ndarray:
    return np.array(trees.predict(x, num_threads=1), dtype=np.float64).reshape(len(x), -1)


def _fit_readers(
    texts: NicheTexts, labels: np.ndarray, regularisation: float, config: NicheConfig
) -> dict[str, Reader]:
    return {
        name: fit_reader(texts, labels, streams, regularisation=regularisation, least=config.least, seed=config.seed)
        for name, streams in READERS.items()
    }


def _chosen(
    texts: NicheTexts, labels: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]], config: NicheConfig
) -> float:
    """Regularisation under which the reader of all words is best on the first fold: accuracy plus macro-F1."""
    if len(config.regularisation) == 1:
        return config.regularisation[0]
    fitted, held = folds[0]
    known, unseen = texts.take(fitted), texts.take(held)

    def score(regularisation: float) -> float:
        reader = fit_reader(
            known,
            labels[fitted],
            READERS["together"],
            regularisation=regularisation,
            least=config.least,
            seed=config.seed,
        )
        said = reader.margins(unseen).argmax(axis=1)
        return float((said == labels[held]).mean() + f1_score(labels[held], said, average="macro"))

    return max(config.regularisation, key=score)


def fit_niches(
    texts: NicheTexts, labels: Sequence[str] | np.ndarray, config: NicheConfig | None = None, **metadata: Any
) -> NicheModel:
    """Fit a niche model.

    Parameters
    ----------
    texts : NicheTexts
    labels : sequence of str, shape (creators,)
        The niche of each; null where unknown. Creators without a niche or without words are left out.
    config : NicheConfig, optional
    **metadata
        Kept beside the model.

    Raises
    ------
    ValueError
        Where fewer than two niches have `config.least_creators` creators with words.
    """
    config = config or NicheConfig()
    said = pd.Series(np.asarray(labels, dtype=object))
    usable = said.notna().to_numpy() & _written(texts)
    enough = said[usable].value_counts()
    niches = tuple(sorted(enough.index[enough >= max(config.least_creators, config.folds)]))
    if len(niches) < 2:
        message = (
            f"niches: found {enough.to_dict()}, expected at least two niches with {config.least_creators} creators "
            "that have a label and words"
        )
        raise ValueError(message)
    usable &= said.isin(niches).to_numpy()
    known, y = texts.take(np.flatnonzero(usable)), pd.Index(niches).get_indexer(pd.Index(said[usable]))
    folds = list(StratifiedKFold(config.folds, shuffle=True, random_state=config.seed).split(y, y))
    regularisation = _chosen(known, y, folds, config)
    margins = np.zeros((len(y), len(READERS) * len(niches)))
    for fitted, held in folds:
        readers, unseen = _fit_readers(known.take(fitted), y[fitted], regularisation, config), known.take(held)
        margins[held] = np.column_stack([reader.margins(unseen) for reader in readers.values()])
    return NicheModel(
        niches,
        _fit_readers(known, y, regularisation, config),
        _fit_trees(np.column_stack([margins, _amounts(known)]), y, config),
        {
            **metadata,
            "creators": {name: int(enough[name]) for name in niches},
            "regularisation": regularisation,
            "settings": config.model_dump(),
        },
    )


def _fit_trees(x: np.ndarray, y: np.ndarray, config: NicheConfig) -> lgb.Booster:
    settings = {
        "objective": "multiclass",
        "num_class": int(y.max()) + 1,
        "num_leaves": config.leaves,
        "learning_rate": 0.05,
        "min_data_in_leaf": max(5, min(40, len(y) // 50)),
        "feature_fraction": 0.4,
        "lambda_l2": 5.0,
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    return lgb.train(settings, lgb.Dataset(x, y), config.trees)


def load_niche_model(folder: Path) -> NicheModel:
    """Read what `NicheModel.save` wrote.

    Raises
    ------
    NicheModelError
        Where a file is missing, unreadable or not the one that was written, or the model reads other inputs.
    """
    try:
        document = json.loads((folder / _MODEL_FILE).read_text(encoding="utf-8"))
        _require_same(folder, document)
        readers = {name: _reader(folder / f"{name}.npz", streams) for name, streams in READERS.items()}
        trees = lgb.Booster(model_file=folder / _TREES_FILE)
        return NicheModel(tuple(document["niches"]), readers, trees, document["metadata"])
    except NicheModelError:
        raise
    except (OSError, KeyError, TypeError, ValueError, lgb.basic.LightGBMError) as error:
        message = f"not a readable niche model: {error}"
        raise NicheModelError(message) from error


def _require_same(folder: Path, document: Mapping[str, Any]) -> None:
    if document["inputs"] != INPUTS:
        message = "this model reads other words than this version counts; train it again"
        raise NicheModelError(message)
    if changed := changed_files(folder, document["digests"]):
        message = f"changed since the model was saved: {', '.join(changed)}"
        raise NicheModelError(message)


def _reader(path: Path, streams: tuple[str, ...]) -> Reader:
    with np.load(path, allow_pickle=False) as stored:
        place, buckets = stored["streams"].astype(np.int64), stored["buckets"]
        rarity = np.zeros((len(streams), WIDTH), dtype=np.float32)
        coefficients = np.zeros((len(streams), WIDTH, stored["intercepts"].size), dtype=np.float32)
        rarity[place, buckets], coefficients[place, buckets] = stored["rarity"], stored["coefficients"]
        return Reader(streams, rarity, coefficients, stored["intercepts"])


def model_card(model: NicheModel, figures: pd.DataFrame) -> str:
    """Model card in Markdown; `figures` as `training.benchmark_niche.figures_of` returns them."""
    lines = [
        "# Niche model",
        "",
        "The niche of a creator by captions, bio, comments under the posts, who comments, and counts. Probabilities",
        "add up to 1 over the niches below; a creator of another niche gets the nearest of them.",
        "",
        f"Trained on: {model.metadata.get('data', 'unnamed')}; terms: {model.metadata.get('terms') or 'none stated'}.",
        f"Creators: {', '.join(f'{name} {count:,}' for name, count in model.metadata['creators'].items())}.",
        "",
        "| creators | metric | value | 95 % interval | best floor |",
        "|---|---|---|---|---|",
    ]
    floors = [name for name in figures.columns if name.startswith("floor_")]
    for row in figures.to_dict("records"):
        below = [row[name] for name in floors if row[name] == row[name]]
        interval = f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] == row["low"] else ""
        best = f"{max(below):.3f}" if below else ""
        lines.append(f"| {row['task']} | {row['metric']} | {row['value']:.4g} | {interval} | {best} |")
    lines += [
        "",
        'Weak where: little is written; the labels of the set are not the niches that a brand means (its "other" holds',
        "what has no niche of its own); languages that the labelled creators do not write. Who comments helps only for",
        "creators with commenters in common with those trained on.",
        "",
    ]
    return "\n".join(lines)


class _Scorer:
    """The model as MLflow's own tools call it: a creators table with captions as `bio` in, niches out."""

    def __init__(self, model: NicheModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        posts = pd.DataFrame({"creator_id": pd.Series(dtype=TEXT), "caption": pd.Series(dtype=TEXT)})
        return self.model.predict(read_niche_texts({"creators": model_input, "posts": posts}))


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(load_niche_model(Path(path)))
