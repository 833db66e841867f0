"""How well opinions and unsafe texts are told: on the part of each set that nothing was fitted to or chosen on.

Opinions also on lines of one hand in English and Vietnamese (`opinion_pairs.toml`), of other subjects than the set that
they are learnt from. Every figure stands beside floors: the majority, word lists, and TF-IDF with logistic regression,
plain and with the classes weighted alike.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from features.comment_texts import read_comments
from features.content import caption_lexicon
from features.lexicons import lexicon_of, lower_text, text_array
from training.benchmark_niche import METRICS, confusion, table_interval
from training.metrics import auc, auc_difference, bootstrap_interval, ece
from training.opinion_sets import LabelledTexts, read_opinion_pairs, read_opinion_set
from training.opinions import LISTS, VIETNAMESE, OpinionConfig, OpinionModel, OpinionTask, fit_opinions

FLOORS: Final = ("majority", "word_lists", "tfidf_logistic", "tfidf_balanced")
#: Metrics that a champion has to be above every floor in; the AUC by its difference to the best floor's.
ABOVE: Final[Mapping[str, tuple[str, ...]]] = {"opinions": ("macro_f1",), "safety": ("macro_f1", "auc_gain")}
DRAWS, FOLDS = 500, 5
#: Task of the figures of `held_out_figures`.
HELD_OUT: Final = "held out in turn"
#: Texts a second.
SPEED_TARGET = 10_000
#: The floor's list of insults: common knowledge, taken from no labelled set.
INSULTS: Final = (
    "đm", "dm", "đmm", "đcm", "vcl", "vkl", "clgt", "lồn", "cặc", "địt", "đụ", "ngu", "óc chó", "súc vật", "mất dạy",
    "khốn nạn", "con đĩ", "thằng chó", "bọn chó", "đồ chó", "mẹ mày", "bố mày", "rác rưởi", "vô học", "bẩn thỉu",
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a floor or the model says of texts.

    Attributes
    ----------
    told : ndarray of int64 (texts,)
    unsafe : ndarray of float64 (texts,)
        Score of not being of the first class.
    """

    told: np.ndarray
    unsafe: np.ndarray


def _list_hits(task: OpinionTask, texts: pd.Series) -> np.ndarray:
    """Class that word lists name, int64 of shape (texts,); -1 where no word occurs."""
    lowered = lower_text(text_array(texts))
    if task.name == "safety":
        return np.where(lexicon_of(INSULTS).found(lowered), task.classes.index("hate"), -1)
    praise, criticism = (caption_lexicon(name).found(lowered) for name in LISTS)
    return np.select([criticism, praise], [task.classes.index("negative"), task.classes.index("positive")], -1)


@dataclass(frozen=True)
class Floors:
    """Floors fitted on a training set."""

    task: OpinionTask
    majority: int
    words: TfidfVectorizer
    logistic: Mapping[str, LogisticRegression]

    def say(self, texts: pd.Series, silent: int | None = None) -> dict[str, Said]:
        """By floor; `silent` is told where no listed word occurs, the majority where left out."""
        hits = _list_hits(self.task, texts)
        lists = np.where(hits < 0, self.majority if silent is None else silent, hits)
        x = self.words.transform(texts)
        found = {
            "majority": Said(np.full(len(texts), self.majority), np.zeros(len(texts))),
            "word_lists": Said(lists, (lists > 0).astype(np.float64)),
        }
        for name, model in self.logistic.items():
            p = model.predict_proba(x)
            found[name] = Said(p.argmax(axis=1), 1 - p[:, 0])
        return found


def fit_floors(task: OpinionTask, one: LabelledTexts) -> Floors:
    """Fit the floors: words and pairs of words, TF-IDF, logistic regression."""
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    x = words.fit_transform(one.texts)
    weighting = {"tfidf_logistic": None, "tfidf_balanced": "balanced"}
    logistic = {
        name: LogisticRegression(C=3.0, max_iter=500, tol=1e-3, class_weight=weight).fit(x, one.labels)
        for name, weight in weighting.items()
    }
    return Floors(task, int(np.bincount(one.labels).argmax()), words, logistic)


def _row(
    title: str,
    metric: str,
    interval: tuple[float, float, float],
    floors: Mapping[str, float] | None = None,
    target: float = np.nan,
) -> dict[str, object]:
    value, low, high = interval
    reached = None if np.isnan(target) else value >= target
    below = {f"floor_{name}": (floors or {}).get(name, np.nan) for name in FLOORS}
    shown = {"task": title, "metric": metric, "value": value, "low": low, "high": high}
    return {**shown, "target": target, "reached": reached, **below}


def _figures(
    title: str, task: OpinionTask, one: LabelledTexts, said: pd.DataFrame, floors: Mapping[str, Said], draws: int
) -> list[dict[str, object]]:
    """Figures of what a model said of texts, as `OpinionModel.predict` returns it.

    A text that is not assessed counts as wrong. `auc_gain` is the AUC less the best floor's on the same texts, so 0 is
    what every floor has of it.
    """
    y, classes = one.labels, len(task.classes)
    # beside the classes one more for what is not assessed, which nothing is
    told = said["told"].map({name: place for place, name in enumerate(task.classes)}).fillna(classes).to_numpy(int)
    known = told < classes
    rows = []
    for metric, measure in METRICS.items():
        below = {name: float(measure(confusion(y, floor.told, classes))) for name, floor in floors.items()}
        wide = classes + int(not known.all())
        rows.append(_row(title, metric, table_interval(measure, confusion(y, told, wide), draws), below))
    p = said[list(task.classes)].to_numpy()[known]
    if task.name == "safety":
        unsafe, is_unsafe = 1 - p[:, 0], (y[known] > 0).astype(np.float64)
        below = {name: auc(is_unsafe, floor.unsafe[known]) for name, floor in floors.items()}
        best = floors[max(below, key=below.__getitem__)].unsafe[known]
        gain = auc_difference(is_unsafe, unsafe, best, draws=draws)
        rows += [
            _row(title, "auc", bootstrap_interval(auc, is_unsafe, unsafe, draws=draws), below),
            _row(title, "auc_gain", gain, dict.fromkeys(FLOORS, 0.0)),
            _row(title, "ece", bootstrap_interval(ece, is_unsafe, unsafe, draws=draws)),
            _row(title, "unsafe_share", (float(is_unsafe.mean()), np.nan, np.nan)),
            _row(title, "unsafe_share_told", (float((told[known] > 0).mean()), np.nan, np.nan)),
        ]
    else:
        right = (told[known] == y[known]).astype(np.float64)
        sure = p[np.arange(len(p)), told[known]]
        rows.append(_row(title, "ece", bootstrap_interval(ece, right, sure, draws=draws)))
    return [*rows, _row(title, "texts", (float(len(one)), np.nan, np.nan))]


def held_out_figures(
    task: OpinionTask,
    one: LabelledTexts,
    config: OpinionConfig,
    draws: int = DRAWS,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Figures by models of four fifths of a set, each of the last fifth, in turn: what gates read.

    A part that is kept for a last measurement stays closed. Copies of a text are in one fifth.
    """
    said, floors = [], []
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    groups = read_comments(one.texts).hashes
    order = []
    for number, (seen, unseen) in enumerate(parts.split(groups, one.labels, groups)):
        progress(f"fold {number + 1} of {FOLDS}")
        known, rest = one.take(seen), one.take(unseen)
        model = fit_opinions(task, known.texts, known.labels, config)
        said.append(model.predict(rest.texts, VIETNAMESE))
        floors.append(fit_floors(task, known).say(rest.texts))
        order.append(unseen)
    together = {
        name: Said(
            np.concatenate([part[name].told for part in floors]), np.concatenate([part[name].unsafe for part in floors])
        )
        for name in FLOORS
    }
    every = one.take(np.concatenate(order))
    return pd.DataFrame(_figures(HELD_OUT, task, every, pd.concat(said, ignore_index=True), together, draws))


def figures_of(
    model: OpinionModel, train: LabelledTexts, dev: LabelledTexts, draws: int = DRAWS
) -> list[dict[str, object]]:
    """Figures on the part of a set that nothing was fitted to or chosen on, and on lines of one hand."""
    task, floors = model.task, fit_floors(model.task, train)

    def figures(title: str, one: LabelledTexts, language: str | None, silent: int | None) -> list[dict[str, object]]:
        said = model.predict(one.texts, language)
        return _figures(title, task, one, said, floors.say(one.texts, silent), draws)

    rows = figures("unseen texts", dev, VIETNAMESE, None)
    fresh = np.flatnonzero(~dev.texts.isin(train.texts).to_numpy())
    if 0 < fresh.size < len(dev):
        rows += figures("unseen texts that are no copy of one seen", dev.take(fresh), VIETNAMESE, None)
    assessed = model.predict(dev.texts)["told"].notna()
    rows.append(_row("unseen texts, language not told", "assessed_share", (float(assessed.mean()), np.nan, np.nan)))
    if task.name == "opinions":
        neutral = task.classes.index("neutral")
        for language, pairs in read_opinion_pairs().items():
            rows += figures(f"lines of one hand, {language}", pairs, None, neutral)
    return rows


def speed(model: OpinionModel, texts: pd.Series, repeats: int = 3) -> float:
    """Texts read and told in a second, the best of some repeats."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.predict(texts)
        taken.append(time.perf_counter() - start)
    return len(texts) / min(taken)


def benchmark_opinions(
    task: OpinionTask,
    folder: Path,
    config: OpinionConfig | None = None,
    *,
    draws: int = DRAWS,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Every figure of a model learnt from the training part of its set.

    Parameters
    ----------
    task : OpinionTask
    folder : Path
        Below which the set lies.
    config : OpinionConfig, optional
    draws : int
        Of each 95 % bootstrap interval over texts.
    progress : callable
        Told what begins.

    Returns
    -------
    DataFrame
        `task`, `metric`, `value`, `low`, `high`, `target` (NaN without), `reached` (None without) and `floor_<name>`.

    Raises
    ------
    training.opinion_sets.OpinionSetError
    """
    train, dev = (read_opinion_set(task, folder, part) for part in ("train", "dev"))
    progress(f"{train.name}: {len(train):,} texts; terms: {train.terms}")
    model = fit_opinions(task, train.texts, train.labels, config)
    progress(f"{dev.name}: {len(dev):,} texts, read once")
    rows = figures_of(model, train, dev, draws)
    rows.append(_row("speed", "texts_per_second", (speed(model, train.texts), np.nan, np.nan), None, SPEED_TARGET))
    return pd.DataFrame(rows)
