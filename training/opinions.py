"""What short texts express: an opinion (negative, neutral, positive), or something unsafe (clean, offensive, hate).

Two readers, both learnt from Vietnamese: `words`, hashed words and letter groups, one regression against the rest for
each class; and `meaning`, the vectors that a text and its translation share (`features/vectors.py`). What they say of
texts that they were not fitted to is put together with the word lists of praise and criticism by a last regression,
whose results are probabilities at the training set's shares. A text in another language is read by meaning and lists
alone: that is how English is read without a labelled English text, its vectors moved by the mean difference between
project-written lines and their translations.

The class told is the likeliest after probabilities are divided by a power of the class's share, chosen in training for
the macro-F1; in other languages by the whole share, because nothing is known of the shares there.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from features.comment_texts import BITS, FORM, STREAMS, CommentTexts, read_comments
from features.content import OPINION_LANGUAGES, caption_language_of, caption_languages, caption_lexicon
from features.lexicons import lower_text, text_array
from features.tables import TEXT
from features.vectors import embed, shipped_table
from training.benchmark_vectors import read_brief_pairs
from training.comments import PASS, THREADS, CommentModelError, TextRegression, fit_regression
from training.model_files import changed_files, file_digests

VIETNAMESE = "vi"
LISTS: Final = ("praise", "criticism")
#: Why a text was not assessed.
EMPTY: Final = "no text"
UNREAD: Final = "language is not covered"
_MODEL_FILE, _ARRAYS_FILE = "opinions.json", "opinions.npz"
_LEANINGS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Penalty of the last regression, of a few numbers: next to none.
_LAST_C: Final = 10.0


@dataclass(frozen=True)
class OpinionTask:
    """One of the two models.

    Attributes
    ----------
    name : str
        In the registry and on the command line.
    classes : tuple of str
        In the order of the set's labels.
    abroad : bool
        Whether other languages than that of training are read, by meaning.
    """

    name: str
    classes: tuple[str, ...]
    abroad: bool


TASKS: Final[Mapping[str, OpinionTask]] = {
    "opinions": OpinionTask("opinions", ("negative", "neutral", "positive"), True),
    # nothing labelled says how well insults are known by meaning: what is not Vietnamese is left alone
    "safety": OpinionTask("safety", ("clean", "offensive", "hate"), False),
}


class OpinionConfig(BaseModel):
    """Settings of either model.

    `regularisation` of `words` is chosen by log-loss on texts held out of training; the rest was not searched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regularisation: tuple[float, ...] = Field(default=(1.0, 3.0), min_length=1, description="C of `words`, tried")
    meaning_regularisation: float = Field(default=10.0, gt=0, description="C of `meaning`")
    least_texts: int = Field(default=3, ge=1, description="texts that a term needs")
    folds: int = Field(default=5, ge=2)


class OpinionModelError(ValueError):
    """Files that are no model of this version."""


@dataclass(frozen=True)
class Linear:
    """Logits that are linear in what is read: coefficients float64 (inputs, classes), intercepts (classes,)."""

    coefficients: np.ndarray
    intercepts: np.ndarray

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Float64 of shape (rows, classes); a row's do not depend on the others, as a matrix product's may."""
        return np.asarray(np.einsum("nd,dk->nk", x, self.coefficients) + self.intercepts)


@dataclass(frozen=True)
class Read:
    """Texts as both readers read them.

    Attributes
    ----------
    texts : CommentTexts
    vectors : ndarray of float64 (texts, dims)
        Those of other languages moved to where Vietnamese lies.
    lists : ndarray of float64 (texts, len(LISTS))
        1 where a word of the list occurs.
    languages : ndarray of int64 (texts,)
        As `features.content.caption_languages` numbers them.
    """

    texts: CommentTexts
    vectors: np.ndarray
    lists: np.ndarray
    languages: np.ndarray

    @property
    def home(self) -> np.ndarray:
        """Texts in the language of training, bool of shape (texts,)."""
        return np.asarray(self.languages == caption_language_of(VIETNAMESE))

    def take(self, rows: np.ndarray) -> "Read":
        """Some of the texts, by position."""
        return Read(self.texts.take(rows), self.vectors[rows], self.lists[rows], self.languages[rows])


def _shift() -> np.ndarray:
    """What Vietnamese vectors are more than English ones of the same meaning, float64 of shape (dims,)."""
    pairs = read_brief_pairs()
    return np.asarray((embed(pairs.vietnamese) - embed(pairs.english)).mean(axis=0, dtype=np.float64))


def read_opinions(texts: pd.Series, shift: np.ndarray, language: str | None = None) -> Read:
    """Read texts; `language` ("vi") where that of all is known, told text by text where left out."""
    lowered = lower_text(text_array(texts.fillna("")))
    told = caption_languages(lowered)
    languages = told if language is None else np.full(len(texts), caption_language_of(language))
    vectors = embed(texts).astype(np.float64)
    away = (languages != caption_language_of(VIETNAMESE)) & vectors.any(axis=1)
    vectors[away] += shift
    lists = np.column_stack([caption_lexicon(name).found(lowered) for name in LISTS]).astype(np.float64)
    return Read(read_comments(texts), vectors, lists, languages)


@dataclass(frozen=True)
class OpinionModel:
    """Readers, and what puts them together.

    Attributes
    ----------
    task : OpinionTask
    words : tuple of TextRegression
        One a class, against the rest.
    meaning : Linear
        Of vectors.
    home, abroad : Linear
        Of the readers' logits and the lists; `abroad` without those of `words`.
    shares : ndarray of float64 (classes,)
        Of the training set.
    leaning : float
        Power of the shares that is taken out of probabilities in the language of training.
    shift : ndarray of float64 (dims,)
    metadata : mapping
    """

    task: OpinionTask
    words: tuple[TextRegression, ...]
    meaning: Linear
    home: Linear
    abroad: Linear
    shares: np.ndarray
    leaning: float
    shift: np.ndarray
    metadata: Mapping[str, Any]

    def predict(self, texts: pd.Series, language: str | None = None) -> pd.DataFrame:
        """Read texts, each by itself.

        Parameters
        ----------
        texts : Series of str
        language : str, optional
            "vi" or "en" where that of all texts is known; otherwise each text tells its own.

        Returns
        -------
        DataFrame
            With the index of `texts`: a float64 column a class, probabilities at the shares of the training set;
            `told`, the class, and `reason`, null where assessed; NaN and null where not assessed.
        """
        spans = [slice(start, start + PASS) for start in range(0, max(len(texts), 1), PASS)]

        def one(span: slice) -> pd.DataFrame:
            return self._predict(texts.iloc[span], language)

        # numpy and Arrow let go of the interpreter's lock
        with ThreadPoolExecutor(THREADS) as pool:
            return pd.concat(list(pool.map(one, spans))) if len(spans) > 1 else one(spans[0])

    def _predict(self, texts: pd.Series, language: str | None) -> pd.DataFrame:
        read = read_opinions(texts, self.shift, language)
        home, written = read.home, read.texts.visible > 0
        covered = np.isin(read.languages, OPINION_LANGUAGES) if self.task.abroad else home
        p = softmax(self.abroad.logits(_inputs(None, self.meaning, read)), axis=1)
        rows = np.flatnonzero(home)
        p[rows] = softmax(self.home.logits(_inputs(self.words, self.meaning, read.take(rows))), axis=1)
        told = leant(p, self.shares, np.where(home, self.leaning, 1.0))
        known = written & covered
        p[~known] = np.nan
        names = np.array(self.task.classes, dtype=object)[told]
        names[~known] = None
        reasons = np.where(written, UNREAD, EMPTY).astype(object)
        reasons[known] = None
        return pd.DataFrame(p, index=texts.index, columns=list(self.task.classes)).assign(
            told=pd.Series(names, index=texts.index, dtype=TEXT),
            reason=pd.Series(reasons, index=texts.index, dtype=TEXT),
        )

    def save(self, folder: Path) -> None:
        """Write JSON and arrays into an existing folder."""
        arrays = {"shares": self.shares, "shift": self.shift}
        for name, linear in (("meaning", self.meaning), ("home", self.home), ("abroad", self.abroad)):
            arrays |= {f"{name}.coefficients": linear.coefficients, f"{name}.intercepts": linear.intercepts}
        for place, regression in enumerate(self.words):
            arrays |= {f"words{place}.{key}": value for key, value in regression.arrays().items()}
        np.savez_compressed(folder / _ARRAYS_FILE, allow_pickle=False, **arrays)
        document = {
            "task": self.task.name,
            "inputs": inputs_digest(),
            "leaning": self.leaning,
            "metadata": dict(self.metadata),
            "digests": file_digests(folder, [_ARRAYS_FILE]),
        }
        (folder / _MODEL_FILE).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")


def leant(p: np.ndarray, shares: np.ndarray, leaning: float | np.ndarray) -> np.ndarray:
    """Position of the class told, int64 of shape (rows,): the largest of p / shares ** leaning."""
    powers = np.power(shares[None, :], np.reshape(leaning, (-1, 1)))
    return np.asarray((p / powers).argmax(axis=1))


def inputs_digest() -> str:
    """Digest of what the models read of a text."""
    lists = [[caption_lexicon(name).pattern, caption_lexicon(name).apart] for name in LISTS]
    classes = {name: task.classes for name, task in TASKS.items()}
    read = [BITS, STREAMS, FORM, shipped_table().digest, lists, classes]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()[:16]


def _inputs(words: Sequence[TextRegression] | None, meaning: Linear, read: Read) -> np.ndarray:
    """What the last regression reads: logits of the readers, and the lists."""
    said = [regression.logits(read.texts) for regression in words or ()]
    return np.column_stack([*said, meaning.logits(read.vectors), read.lists])


def _fit_linear(x: np.ndarray, y: np.ndarray, regularisation: float) -> Linear:
    model = LogisticRegression(C=regularisation, max_iter=1000).fit(x, y)
    return Linear(model.coef_.T.copy(), model.intercept_.copy())


def _fit_words(read: CommentTexts, y: np.ndarray, classes: int, c: float, least: int) -> tuple[TextRegression, ...]:
    even = np.ones(len(y))
    return tuple(
        fit_regression(read, y == place, even, regularisation=c, least_texts=least) for place in range(classes)
    )


def _folds(read: CommentTexts, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit and rows held out; copies of a text share their fold."""
    fold = read.hashes % np.uint64(folds)
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def fit_opinions(
    task: OpinionTask, texts: pd.Series, labels: np.ndarray, config: OpinionConfig | None = None, **metadata: Any
) -> OpinionModel:
    """Fit a model; everything that is chosen is chosen on these texts, held out in turn.

    Parameters
    ----------
    task : OpinionTask
    texts : Series of str
        Vietnamese.
    labels : ndarray of int64 (texts,)
        Positions in `task.classes`.
    config : OpinionConfig, optional
    **metadata
        Kept beside the model.

    Raises
    ------
    ValueError
        Where a fold of training lacks a class.
    """
    config = config or OpinionConfig()
    shift, y, classes = _shift(), np.asarray(labels), len(task.classes)
    read = read_opinions(texts, shift, VIETNAMESE)
    folds = list(_folds(read.texts, config.folds))
    lacking = [
        task.classes[place] for place in range(classes) if any(not (y[fitted] == place).any() for fitted, _ in folds)
    ]
    if lacking:
        message = f"{task.name}: too few texts are {', '.join(lacking)} to learn from some and check on others"
        raise ValueError(message)
    by_meaning, by_words = np.zeros((len(y), classes)), {c: np.zeros((len(y), classes)) for c in config.regularisation}
    for fitted, held in folds:
        known, unseen = read.texts.take(fitted), read.texts.take(held)
        meaning = _fit_linear(read.vectors[fitted], y[fitted], config.meaning_regularisation)
        by_meaning[held] = meaning.logits(read.vectors[held])
        for c, said in by_words.items():
            words = _fit_words(known, y[fitted], classes, c, config.least_texts)
            said[held] = np.column_stack([regression.logits(unseen) for regression in words])
    shown = {c: np.column_stack([said, by_meaning, read.lists]) for c, said in by_words.items()}
    last = {c: _fit_linear(x, y, _LAST_C) for c, x in shown.items()}
    p = {c: softmax(last[c].logits(x), axis=1) for c, x in shown.items()}
    chosen = min(p, key=lambda c: log_loss(y, p[c]))
    shares = np.bincount(y, minlength=classes) / len(y)
    leaning = max(_LEANINGS, key=lambda power: f1_score(y, leant(p[chosen], shares, power), average="macro"))
    return OpinionModel(
        task,
        _fit_words(read.texts, y, classes, chosen, config.least_texts),
        _fit_linear(read.vectors, y, config.meaning_regularisation),
        last[chosen],
        _fit_linear(np.column_stack([by_meaning, read.lists]), y, _LAST_C),
        shares,
        leaning,
        shift,
        {
            **metadata,
            "texts": {name: int(count) for name, count in zip(task.classes, np.bincount(y), strict=True)},
            "regularisation": chosen,
            "settings": config.model_dump(),
        },
    )


def load_opinion_model(folder: Path) -> OpinionModel:
    """Read what `OpinionModel.save` wrote.

    Raises
    ------
    OpinionModelError
        Where a file is missing, unreadable or not the one that was written, or the model reads other inputs.
    """
    try:
        document = json.loads((folder / _MODEL_FILE).read_text(encoding="utf-8"))
        _require_same(folder, document)
        with np.load(folder / _ARRAYS_FILE, allow_pickle=False) as stored:
            arrays = dict(stored)
        task = TASKS[document["task"]]
        return OpinionModel(
            task=task,
            words=tuple(
                TextRegression.from_arrays(_below(arrays, f"words{place}.")) for place in range(len(task.classes))
            ),
            meaning=Linear(**_below(arrays, "meaning.")),
            home=Linear(**_below(arrays, "home.")),
            abroad=Linear(**_below(arrays, "abroad.")),
            shares=arrays["shares"],
            leaning=float(document["leaning"]),
            shift=arrays["shift"],
            metadata=document["metadata"],
        )
    except OpinionModelError:
        raise
    except (OSError, KeyError, TypeError, ValueError, CommentModelError) as error:
        message = f"not a readable model of opinions or safety: {error}"
        raise OpinionModelError(message) from error


def _require_same(folder: Path, document: Mapping[str, Any]) -> None:
    if document["inputs"] != inputs_digest():
        message = "this model reads other words than this version counts; train it again"
        raise OpinionModelError(message)
    if changed := changed_files(folder, document["digests"]):
        message = f"changed since the model was saved: {', '.join(changed)}"
        raise OpinionModelError(message)


def _below(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def model_card(model: OpinionModel, figures: pd.DataFrame) -> str:
    """Model card in Markdown; `figures` as `training.benchmark_opinions.held_out_figures` returns them."""
    weak = {
        "opinions": [
            "Weak where: nothing is opined (its set has few neutral texts, all of them about teaching); irony; other",
            "subjects than it learnt from; languages other than Vietnamese and English, where nothing was measured.",
        ],
        "safety": [
            "Weak where: insults among friends, quotations, words spelt around filters. It screens, it does not",
            "accuse: read the text. What is not written in Vietnamese letters is not assessed.",
        ],
    }
    lines = [
        f"# {model.task.name.capitalize()} model",
        "",
        f"Whether a short text is {', '.join(model.task.classes[:-1])} or {model.task.classes[-1]}. Probabilities hold",
        "for texts like those of training, at their shares.",
        "",
        f"Trained on: {model.metadata.get('data', 'unnamed')}; terms: {model.metadata.get('terms') or 'none stated'}.",
        f"Texts: {', '.join(f'{name} {count:,}' for name, count in model.metadata['texts'].items())}.",
        "",
        "| texts | metric | value | 95 % interval | best floor |",
        "|---|---|---|---|---|",
    ]
    floors = [name for name in figures.columns if name.startswith("floor_")]
    for row in figures.to_dict("records"):
        below = [row[name] for name in floors if row[name] == row[name]]
        interval = f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] == row["low"] else ""
        best = f"{max(below):.3f}" if below else ""
        lines.append(f"| {row['task']} | {row['metric']} | {row['value']:.4g} | {interval} | {best} |")
    return "\n".join([*lines, "", *weak[model.task.name], ""])


class _Scorer:
    """The model as MLflow's own tools call it: a table with `text` in, what is told out."""

    def __init__(self, model: OpinionModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return self.model.predict(model_input["text"])


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(load_opinion_model(Path(path)))
