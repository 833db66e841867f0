"""The comment model: how likely a comment is inauthentic by its text, and of what kind.

For each domain that its sets come from (comments under posts, reviews of shops) an expert of two readers: a logistic
regression of hashed words and letter groups beside the form signals, and boosted trees of the form signals alone. The
blend of their log-odds is calibrated on comments that the readers were not fitted to. Sets count alike whatever their
size, and so do the classes within a set: a probability holds for a place where half of the comments are inauthentic,
`training.calibration.shift_base_rate` moves it elsewhere. Where both domains are known, the text itself says how
much of a review it is, and the experts' log-odds are mixed by that.

Comments in writing systems that the texts do not cover are read by their form alone, which is said. A lone stock phrase
("nice", "đẹp quá") is weak evidence, because honest people write so: its kind is named, its probability stays modest.
Copies are visible only beside the comments they copy, so they change the kind and never the probability: a comment
scores
the same alone and in any batch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from features.comment_texts import BITS, FORM, STREAMS, CommentTexts, read_comments
from features.tables import TEXT
from features.texts import SCRIPTS
from features.wording import LATIN
from training.calibration import Calibrator
from training.comment_sets import Domain, LabelledComments, simulate_comments
from training.metrics import logistic_line

#: Comments that are read at once: their flat arrays stay within some tens of MB.
PASS: Final = 8_192
#: Threads that passes are dealt to.
THREADS: Final = 2
#: Copies beside a comment, their authors, and letters and words of its text, that make it one of a pattern and not a
#: coincidence; shorter texts are written by many people independently (features.comments).
LEAST_COPIES, LEAST_AUTHORS, COPY_LETTERS, COPY_WORDS = 2, 2, 20, 5
#: Why a comment was not assessed, or how it was (messages to translate).
EMPTY: Final = "no text"
BY_FORM: Final = "language is not covered: judged by form, not by words"
NO_WORDS: Final = "no words: judged by form"
_MODEL_FILE = "comments.json"
_WIDTH = len(STREAMS) << BITS
#: Form signals enter the regression in standard deviations, cut off here and scaled to weigh like one term of a text.
_FORM_CUT, _FORM_SCALE = 4.0, 0.1


class CommentModelError(ValueError):
    """A saved comment model that cannot be read or fits other inputs than these."""


class CommentConfig(BaseModel):
    """Settings of the comment model.

    `regularisation` (of .1, .3, 1) and `blend` (of 0, .5, 1) were compared on the YouTube comments with those left out
    of training, `review_regularisation` (of 1, 3, 10) on the development part of ViSpamReviews: figures on them
    are optimistic by that much. The other numbers were not searched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    simulated: int = Field(default=16_000, ge=500, description="generated comments")
    simulated_weight: float = Field(default=1.0, ge=0, description="against 1 of a labelled set")
    background_weight: float = Field(default=0.3, ge=0, description="of a set that is honest by assumption")
    regularisation: float = Field(default=0.3, gt=0, description="C of the logistic regression")
    review_regularisation: float = Field(default=3.0, gt=0, description="C for reviews: many, of one place")
    least_texts: int = Field(default=3, ge=1, description="texts that a term needs")
    trees: int = Field(default=150, ge=1)
    leaves: int = Field(default=15, ge=2)
    blend: float = Field(default=0.5, ge=0, description="weight of the trees' log-odds beside the regression's 1")
    folds: int = Field(default=3, ge=2, description="for calibration")
    false_alarms: float = Field(default=0.02, gt=0, lt=0.5, description="honest share flagged at the threshold")
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class TextRegression:
    """Logistic regression of hashed terms (log counts times inverse document frequency, unit length in each stream).

    Attributes
    ----------
    rarity, coefficients : ndarray of float32 (streams * 2**BITS,)
        Inverse document frequency, 0 for terms unseen in training; and coefficient.
    form_coefficients, centres, scales : ndarray of float64 (len(FORM),)
    intercept : float
    """

    rarity: np.ndarray
    coefficients: np.ndarray
    form_coefficients: np.ndarray
    centres: np.ndarray
    scales: np.ndarray
    intercept: float

    def logits(self, read: CommentTexts) -> np.ndarray:
        """Log-odds, float64 of shape (texts,)."""
        slot, values = _weighed(read, self.rarity)
        count = 3 * len(read.letters)
        lengths = np.sqrt(np.bincount(slot, values * values, minlength=count))
        sums = np.bincount(slot, values * self.coefficients[read.terms.buckets], minlength=count)
        said = (sums / np.maximum(lengths, 1e-9)).reshape(-1, len(STREAMS)).sum(axis=1)
        # a matrix product may round differently by the number of rows; a sum along each row does not
        shaped = (_standardised(read.form, self.centres, self.scales) * self.form_coefficients).sum(axis=1)
        return np.asarray(said + shaped + self.intercept)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored: terms that were seen, and the rest."""
        seen = np.flatnonzero(self.rarity).astype(np.int32)
        return {
            "buckets": seen,
            "rarity": self.rarity[seen],
            "coefficients": self.coefficients[seen],
            "form": np.stack([self.form_coefficients, self.centres, self.scales]),
            "intercept": np.array(self.intercept),
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, np.ndarray]) -> "TextRegression":
        """What `arrays` described."""
        rarity, coefficients = np.zeros(_WIDTH, dtype=np.float32), np.zeros(_WIDTH, dtype=np.float32)
        rarity[stored["buckets"]], coefficients[stored["buckets"]] = stored["rarity"], stored["coefficients"]
        form = stored["form"]
        if form.shape != (3, len(FORM)):
            message = f"form signals differ: {form.shape[-1]} in the model, {len(FORM)} here"
            raise CommentModelError(message)
        return cls(rarity, coefficients, form[0], form[1], form[2], float(stored["intercept"]))


def _weighed(read: CommentTexts, rarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slot (text and stream) of each term, and its weighed count."""
    terms = read.terms
    rows = np.repeat(np.arange(len(read.letters)), np.diff(terms.offsets))
    return rows * len(STREAMS) + (terms.buckets >> BITS), terms.counts * rarity[terms.buckets]


def _standardised(form: np.ndarray, centres: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return ((form - centres) / scales).clip(-_FORM_CUT, _FORM_CUT) * _FORM_SCALE


def fit_regression(
    read: CommentTexts, labels: np.ndarray, weights: np.ndarray, *, regularisation: float, least_texts: int
) -> TextRegression:
    """Fit a `TextRegression`.

    Parameters
    ----------
    read : CommentTexts
    labels : ndarray of bool (texts,)
    weights : ndarray of float64 (texts,)
        Their mean is 1.
    regularisation : float
        Inverse strength of the quadratic penalty.
    least_texts : int
        Terms in fewer texts are left out.
    """
    texts = len(labels)
    found = np.bincount(read.terms.buckets, minlength=_WIDTH)
    rarity = np.where(found >= least_texts, np.log((1 + texts) / (1 + found)) + 1, 0).astype(np.float32)
    slot, values = _weighed(read, rarity)
    lengths = np.sqrt(np.bincount(slot, values * values, minlength=len(STREAMS) * texts))
    kept = values != 0
    rows = np.repeat(np.arange(texts), np.diff(read.terms.offsets))
    seen = np.flatnonzero(rarity)
    column = np.zeros(_WIDTH, dtype=np.int64)
    column[seen] = np.arange(seen.size)
    said = csr_matrix(
        ((values / np.maximum(lengths[slot], 1e-9))[kept], (rows[kept], column[read.terms.buckets[kept]])),
        shape=(texts, seen.size),
    )
    centres, scales = read.form.mean(axis=0, dtype=np.float64), read.form.std(axis=0, dtype=np.float64) + 1e-3
    shaped = csr_matrix(_standardised(read.form, centres, scales))
    model = LogisticRegression(C=regularisation, max_iter=1000, tol=1e-3)
    model.fit(hstack([said, shaped]).tocsr(), labels, sample_weight=weights)
    coefficients = np.zeros(_WIDTH, dtype=np.float32)
    coefficients[seen] = model.coef_[0][: seen.size]
    return TextRegression(
        rarity, coefficients, model.coef_[0][seen.size :], centres, scales, float(model.intercept_[0])
    )


def _fit_trees(form: np.ndarray, labels: np.ndarray, weights: np.ndarray, config: CommentConfig) -> lgb.Booster:
    settings = {
        "objective": "binary",
        "num_leaves": config.leaves,
        "learning_rate": 0.05,
        "min_data_in_leaf": max(5, min(100, len(form) // 40)),
        "feature_fraction": 0.5,
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lgb.Dataset(form, labels.astype(np.float64), weight=weights, feature_name=list(FORM))
    return lgb.train(settings, data, config.trees)


@dataclass(frozen=True)
class Expert:
    """What a domain calls inauthentic: two readers, and the calibrators of their blend and of the form alone.

    `threshold` is the probability from which a comment is flagged.
    """

    text: TextRegression
    trees: lgb.Booster
    calibrator: Calibrator
    form_calibrator: Calibrator
    blend: float
    threshold: float

    def probabilities(self, read: CommentTexts, by_form: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, shape (texts,); rows of `by_form` from the trees alone."""
        form = _tree_logits(self.trees, read.form)
        full = self.calibrator.apply(expit(self.text.logits(read) + self.blend * form))
        return np.where(by_form, self.form_calibrator.apply(expit(form)), full)


def _tree_logits(trees: lgb.Booster, form: np.ndarray) -> np.ndarray:
    return np.asarray(trees.predict(form, raw_score=True, num_threads=1))


@dataclass(frozen=True)
class CommentModel:
    """Experts by domain, what tells the domains apart, what tells scams from advertising.

    Attributes
    ----------
    experts : mapping of domain to Expert
        "social" is always there.
    domain : TextRegression or None
        Log-odds that a text is a review; None where only one domain was trained.
    scam : TextRegression
        Log-odds that an inauthentic comment is a scam.
    metadata : mapping
        "data" names the sets; "simulated" is true where no other was there.
    """

    experts: Mapping[str, Expert]
    domain: TextRegression | None
    scam: TextRegression
    metadata: Mapping[str, Any]

    @property
    def threshold(self) -> float:
        """Probability from which a comment under a post is flagged."""
        return self.experts["social"].threshold

    def score(self, texts: pd.Series, domains: pd.Series | None = None) -> pd.DataFrame:
        """Score texts, each by itself.

        Parameters
        ----------
        texts : Series of str
        domains : Series of str, optional
            "social" or "review" where that is known; the text tells where it is null.

        Returns
        -------
        DataFrame
            With the index of `texts`: `inauthentic_probability` (NaN where not assessed), `flagged` (boolean, null
            where
            not assessed), `kind` (null unless it is flagged or a stock phrase), `assessed` (bool), `reason` (null where
            nothing is to be said). Besides `hash` and `letters` of the folded text, for copies.
        """
        spans = [slice(start, start + PASS) for start in range(0, max(len(texts), 1), PASS)]

        def one(span: slice) -> pd.DataFrame:
            return self._score(texts.iloc[span], None if domains is None else domains.iloc[span])

        # numpy, Arrow and LightGBM let go of the interpreter's lock
        with ThreadPoolExecutor(THREADS) as pool:
            passes = list(pool.map(one, spans)) if len(spans) > 1 else [one(spans[0])]
        return passes[0] if len(passes) == 1 else pd.concat(passes)

    def _score(self, texts: pd.Series, domains: pd.Series | None) -> pd.DataFrame:
        read = read_comments(texts)
        assessed = read.visible > 0
        foreign = (read.languages > 0) & (read.languages < len(SCRIPTS)) & (read.languages != LATIN)
        social = self.experts["social"]
        probability, threshold = social.probabilities(read, foreign), np.full(len(texts), social.threshold)
        if self.domain is not None:
            review = self.experts["review"]
            told = np.where(foreign, 0.0, expit(self.domain.logits(read)))
            share = told if domains is None else _share_of(domains, told)
            mixed = (1 - share) * _logit(probability) + share * _logit(review.probabilities(read, foreign))
            probability = np.asarray(expit(mixed))
            threshold += share * (review.threshold - threshold)
        flagged = probability >= threshold
        kinds = np.where(flagged, "spam", "").astype("<U16")
        suspects = np.flatnonzero(flagged)
        kinds[suspects[self.scam.logits(read.take(suspects)) > 0]] = "scam"
        # an offer of followers is a stock phrase too: what is flagged keeps the kind that says why
        kinds = np.where(read.generic & ~flagged, "generic_filler", kinds)
        reasons = np.where(foreign, BY_FORM, np.where(read.letters == 0, NO_WORDS, ""))
        reasons = np.where(assessed, reasons, EMPTY)
        shown = pd.array(np.asarray(flagged), dtype="boolean")
        shown[~assessed] = pd.NA
        return pd.DataFrame(
            {
                "inauthentic_probability": np.where(assessed, probability, np.nan),
                "flagged": shown,
                "kind": pd.Series(_worded(np.where(assessed, kinds, "")), index=texts.index, dtype=TEXT),
                "assessed": assessed,
                "reason": pd.Series(_worded(reasons), index=texts.index, dtype=TEXT),
                "hash": read.hashes,
                "letters": read.letters,
                "words": np.rint(np.expm1(read.form[:, FORM.index("words_log")])).astype(np.int64),
            },
            index=texts.index,
        )

    def save(self, folder: Path) -> None:
        """Write JSON, LightGBM text and arrays into an existing folder."""
        regressions = {"scam": self.scam, **{f"{name}_text": expert.text for name, expert in self.experts.items()}}
        if self.domain is not None:
            regressions["domain"] = self.domain
        for name, regression in regressions.items():
            np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **regression.arrays())
        for name, expert in self.experts.items():
            expert.trees.save_model(folder / f"{name}_form.txt")
        files = [f"{name}.npz" for name in regressions] + [f"{name}_form.txt" for name in self.experts]
        document = {
            "form": list(FORM),
            "experts": {
                name: {
                    "calibrator": expert.calibrator.to_dict(),
                    "form_calibrator": expert.form_calibrator.to_dict(),
                    "blend": expert.blend,
                    "threshold": expert.threshold,
                }
                for name, expert in self.experts.items()
            },
            "metadata": dict(self.metadata),
            "digests": {name: _digest(folder / name) for name in files},
        }
        (folder / _MODEL_FILE).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")


def _share_of(domains: pd.Series, told: np.ndarray) -> np.ndarray:
    """1 for reviews, 0 for others, and what the text tells where the domain is unknown."""
    return np.where(domains.isna(), told, (domains == "review").fillna(False)).astype(np.float64)


def _logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(p) - np.log1p(-p))


def _worded(values: np.ndarray) -> np.ndarray:
    """Words, null where empty."""
    words = values.astype(object)
    words[values == ""] = None
    return words


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_comment_model(folder: Path) -> CommentModel:
    """Read what `CommentModel.save` wrote.

    Raises
    ------
    CommentModelError
        Where a file is missing, unreadable or not the one that was written, or the form signals are others.
    """
    try:
        document = json.loads((folder / _MODEL_FILE).read_text(encoding="utf-8"))
        _require_same(folder, document)
        experts = {
            name: Expert(
                _regression(folder, f"{name}_text"),
                lgb.Booster(model_file=folder / f"{name}_form.txt"),
                Calibrator.from_dict(entry["calibrator"]),
                Calibrator.from_dict(entry["form_calibrator"]),
                float(entry["blend"]),
                float(entry["threshold"]),
            )
            for name, entry in document["experts"].items()
        }
        domain = _regression(folder, "domain") if "domain.npz" in document["digests"] else None
        return CommentModel(experts, domain, _regression(folder, "scam"), document["metadata"])
    except CommentModelError:
        raise
    except (OSError, KeyError, TypeError, ValueError, lgb.basic.LightGBMError) as error:
        message = f"not a readable comment model: {error}"
        raise CommentModelError(message) from error


def _require_same(folder: Path, document: Mapping[str, Any]) -> None:
    if document["form"] != list(FORM):
        message = "this model reads other form signals than this version computes; train it again"
        raise CommentModelError(message)
    changed = [name for name, digest in document["digests"].items() if _digest(folder / name) != digest]
    if changed:
        message = f"changed since the model was saved: {', '.join(changed)}"
        raise CommentModelError(message)


def _regression(folder: Path, name: str) -> TextRegression:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return TextRegression.from_arrays(dict(stored))


# ---- fitting


@dataclass(frozen=True)
class _Rows:
    """Comments of several sets together; arrays of shape (comments,)."""

    read: CommentTexts
    labels: np.ndarray
    weights: np.ndarray
    folds: np.ndarray
    real: np.ndarray
    background: np.ndarray

    def take(self, rows: np.ndarray) -> "_Rows":
        return _Rows(
            self.read.take(rows),
            *(getattr(self, name)[rows] for name in ("labels", "weights", "folds", "real", "background")),
        )


def _balanced(inauthentic: np.ndarray) -> np.ndarray:
    """Weights that make the classes of a set count alike and the set count 1."""
    counts = np.bincount(inauthentic.astype(np.int64), minlength=2)
    return 1 / counts[inauthentic.astype(np.int64)] / (counts > 0).sum()


def _rows(sets: Sequence[LabelledComments], config: CommentConfig) -> _Rows:
    read = read_comments(pd.concat([one.comments["text"] for one in sets], ignore_index=True))
    importance = [
        config.simulated_weight if one.simulated else config.background_weight if one.background else 1.0
        for one in sets
    ]
    weights = np.concatenate(
        [_balanced(one.inauthentic) * weight for one, weight in zip(sets, importance, strict=True)]
    )
    return _Rows(
        read=read,
        labels=np.concatenate([one.inauthentic for one in sets]),
        weights=weights * len(weights) / weights.sum(),
        # copies of a text share their fold, whoever wrote them
        folds=(read.hashes % np.uint64(config.folds)).astype(np.int64),
        real=np.concatenate([np.full(len(one), not one.simulated) for one in sets]),
        background=np.concatenate([np.full(len(one), one.background) for one in sets]),
    )


def _readers(rows: _Rows, config: CommentConfig) -> tuple[TextRegression, lgb.Booster]:
    weights = rows.weights / rows.weights.mean()
    text = fit_regression(
        rows.read, rows.labels, weights, regularisation=config.regularisation, least_texts=config.least_texts
    )
    return text, _fit_trees(rows.read.form, rows.labels, weights, config)


def _held_out(rows: _Rows, config: CommentConfig) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of the blend and of the form alone, each by readers that have not seen the comment's text."""
    full, form = np.empty(len(rows.labels)), np.empty(len(rows.labels))
    for fold in range(config.folds):
        unseen = np.flatnonzero(rows.folds == fold)
        text, trees = _readers(rows.take(np.flatnonzero(rows.folds != fold)), config)
        held = rows.read.take(unseen)
        form[unseen] = _tree_logits(trees, held.form)
        full[unseen] = text.logits(held) + config.blend * form[unseen]
    return full, form


def _calibrated(rows: _Rows, logits: np.ndarray, config: CommentConfig) -> Calibrator:
    """Sigmoid on labelled real comments where there are any, with the classes at even odds.

    A sigmoid keeps the order of the scores; the steps of an isotonic calibrator would tie many of them.
    """
    chosen = np.flatnonzero(rows.real & ~rows.background)
    chosen = chosen if chosen.size else np.arange(len(rows.labels))
    rng = np.random.default_rng(config.seed)
    bad, good = chosen[rows.labels[chosen]], chosen[~rows.labels[chosen]]
    size = min(bad.size, good.size)
    even = np.concatenate([rng.permutation(bad)[:size], rng.permutation(good)[:size]])
    intercept, slope = logistic_line(rows.labels[even].astype(np.float64), logits[even])
    return Calibrator("sigmoid", intercept, slope) if slope > 0 else Calibrator()


def _expert(rows: _Rows, config: CommentConfig, domain: Domain) -> Expert:
    """An expert, its threshold set on held-out probabilities.

    Among comments under posts, false alarms decide: at most `config.false_alarms` of the honest ones are flagged.
    Reviews
    are sorted rather than screened: the threshold of the best macro-F1 is theirs.
    """
    full, form = _held_out(rows, config)
    text, trees = _readers(rows, config)
    calibrator = _calibrated(rows, full, config)
    held_out = calibrator.apply(expit(full))
    if domain == "review":
        tried = np.quantile(held_out, np.linspace(0.5, 0.95, 91))
        scores = [f1_score(rows.labels, held_out >= one, average="macro") for one in tried]
        threshold = float(tried[int(np.argmax(scores))])
    else:
        threshold = max(0.5, float(np.quantile(held_out[~rows.labels], 1 - config.false_alarms)))
    return Expert(text, trees, calibrator, _calibrated(rows, form, config), config.blend, threshold)


def fit_comments(sets: Sequence[LabelledComments], config: CommentConfig | None = None) -> CommentModel:
    """Fit a comment model.

    Parameters
    ----------
    sets : sequence of LabelledComments
        Real sets, or none for a model of generated comments alone. Generated ones are added to the social domain.
    config : CommentConfig, optional

    Raises
    ------
    ValueError
        Where reviews have one class only.
    """
    config = config or CommentConfig()
    simulated = simulate_comments(config.simulated, config.seed)
    social_sets = [one for one in sets if one.domain == "social"]
    review_sets = [one for one in sets if one.domain == "review"]
    social = _rows([simulated, *social_sets] if config.simulated_weight else social_sets, config)
    experts, domain = {"social": _expert(social, config, "social")}, None
    if review_sets:
        reviews = _rows(review_sets, config)
        if np.unique(reviews.labels).size < 2:
            message = f"reviews have one class only: {', '.join(one.name for one in review_sets)}"
            raise ValueError(message)
        steadier = config.model_copy(update={"regularisation": config.review_regularisation})
        experts["review"] = _expert(reviews, steadier, "review")
        domain = _fit_domain(simulated, social_sets, review_sets, config)
    names = [one.name for one in sets] or [simulated.name]
    metadata = {
        "data": ", ".join(names),
        "simulated": not sets,
        "terms": {one.name: one.terms for one in sets},
        "comments": {one.name: len(one) for one in (simulated, *sets)},
        "settings": config.model_dump(),
    }
    return CommentModel(experts, domain, _fit_scam(simulated, config), metadata)


def _fit_domain(
    simulated: LabelledComments,
    social: Sequence[LabelledComments],
    reviews: Sequence[LabelledComments],
    config: CommentConfig,
) -> TextRegression:
    both = [simulated, *social, *reviews]
    read = read_comments(pd.concat([one.comments["text"] for one in both], ignore_index=True))
    labels = np.concatenate([np.full(len(one), one.domain == "review") for one in both])
    sides = {"review": len(reviews), "social": len(both) - len(reviews)}
    weights = np.concatenate([np.full(len(one), 1 / len(one) / sides[one.domain]) for one in both])
    return fit_regression(
        read, labels, weights / weights.mean(), regularisation=config.regularisation, least_texts=config.least_texts
    )


def _fit_scam(simulated: LabelledComments, config: CommentConfig) -> TextRegression:
    known = simulated.take(np.isin(simulated.kinds, ("spam", "scam")))
    labels = known.kinds == "scam"
    weights = _balanced(labels) * len(labels)
    return fit_regression(
        read_comments(known.comments["text"]),
        labels,
        weights,
        regularisation=config.regularisation,
        least_texts=config.least_texts,
    )


# ---- scoring a table


def score_comments(model: CommentModel, comments: pd.DataFrame) -> pd.DataFrame:
    """Score a comments table.

    Parameters
    ----------
    model : CommentModel
    comments : DataFrame
        With `text`; `domain` ("social", "review") where it is known; `author_id` lets copies by several authors be
        told from one who repeats themself.

    Returns
    -------
    DataFrame
        The columns of `comments` and `inauthentic_probability`, `flagged`, `kind`, `assessed`, `reason`, `copies`
        (others
        of this batch with the same words). `kind` is null for what is neither flagged, a stock phrase nor a copy. Only
        `copies` and the kind `copy_paste` depend on the batch; they never change the probability.

    Raises
    ------
    ValueError
        Where there is no column `text`.
    """
    if "text" not in comments:
        message = f"comments: column text is missing, found {list(comments.columns)}"
        raise ValueError(message)
    scored = model.score(comments["text"], comments.get("domain"))
    hashes = scored.pop("hash").to_numpy()
    letters, words = scored.pop("letters").to_numpy(), scored.pop("words").to_numpy()
    worded = hashes != 0
    _, group, size = np.unique(hashes, return_inverse=True, return_counts=True)
    copies = np.where(worded, size[group] - 1, 0)
    authors = np.full(size.size, LEAST_AUTHORS)
    if "author_id" in comments:
        pairs = pd.DataFrame({"group": group, "author": comments["author_id"].to_numpy()}).drop_duplicates()
        authors = np.bincount(pairs["group"].to_numpy(), minlength=size.size)
    long = (letters >= COPY_LETTERS) & (words >= COPY_WORDS)
    pattern = (copies >= LEAST_COPIES) & long & (authors[group] >= LEAST_AUTHORS)
    unnamed = scored["kind"].isna().to_numpy() & scored["assessed"].to_numpy()
    scored.loc[pattern & unnamed, "kind"] = "copy_paste"
    scored["copies"] = copies
    return pd.concat([comments, scored], axis=1)


# ---- in plain words


def model_card(model: CommentModel, figures: pd.DataFrame) -> str:
    """Model card in Markdown.

    Parameters
    ----------
    model : CommentModel
    figures : DataFrame
        As `training.benchmark_comments.benchmark_comments` returns them.
    """
    trained = "generated comments only" if model.metadata["simulated"] else str(model.metadata["data"])
    terms = [f"- {name}: {words or 'none stated'}" for name, words in model.metadata["terms"].items()]
    lines = [
        "# Comment model",
        "",
        "How likely a comment is inauthentic (advertising, a scam, bought praise) by its text. It screens, it does not",
        "accuse: read the comment. A probability holds where half of the comments are inauthentic; elsewhere shift it.",
        "",
        f"Trained on: {trained}. Flags from {model.threshold:.2f}.",
        *terms,
        "",
        "| task | metric | value | 95 % interval | target | reached | best floor |",
        "|---|---|---|---|---|---|---|",
    ]
    floors = [name for name in figures.columns if name.startswith("floor_")]
    for row in figures.to_dict("records"):
        best = [row[name] for name in floors if row[name] == row[name]]
        interval = f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] == row["low"] else ""
        best_floor = f"{max(best):.3f}" if best else ""
        target = "" if row["target"] != row["target"] else f"{row['target']:g}"
        lines.append(
            f"| {row['task']} | {row['metric']} | {row['value']:.4g} | {interval} | {target} "
            f"| {'' if row['reached'] is None else row['reached']} | {best_floor} |"
        )
    lines += [
        "",
        "Weak where: spam in other words and other languages than it has seen; a lone stock phrase (weak evidence,",
        "honest people write so); copies, which show only beside each other; praise written by a language model;",
        "shop reviews, whose labels mean something else than advertising. Writing systems other than Latin are judged",
        "by form alone.",
        "",
    ]
    return "\n".join(lines)


class _Scorer:
    """The model as MLflow's own tools call it: a comments table in, its scores out."""

    def __init__(self, model: CommentModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return score_comments(self.model, model_input)


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(load_comment_model(Path(path)))
