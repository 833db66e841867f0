"""Twenty briefs in English and in Vietnamese, asked of any creators: whether both find the same, and of the niche.

Only fit is judged, not authenticity. Overlap says that a brief's language does not matter; the part of the list with a
label of the brief's niche says that it is about the right thing, where creators carry labels. The weight of niches and
the length at which a text counts half were chosen coarsely (1 of .5, 1; 50 of 1, 50, 150, 400) while looking at these
briefs over the shared real creators, so other creators judge them better.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd
from scipy.stats import bootstrap
from sklearn.feature_extraction.text import TfidfVectorizer

from features.content import profile_texts
from features.histories import latest_knowledge
from features.profiles import ProfileSpace
from features.tables import Tables
from features.taxonomy import niche_of_label, wider_niches
from features.terms import terms_of
from features.vectors import embed

#: Length of the lists that are compared, and the overlap that issue 6 asks for.
LENGTH, WANTED = 20, 0.70


@dataclass(frozen=True)
class BilingualBrief:
    """A brief, its translation, and the niches that a reader would file it under."""

    name: str
    niches: tuple[str, ...]
    texts: Mapping[str, str]


def read_briefs() -> list[BilingualBrief]:
    """Read `training/briefs.toml`."""
    content = tomllib.loads(resources.files("training").joinpath("briefs.toml").read_text(encoding="utf-8"))
    return [
        BilingualBrief(one["name"], tuple(one["niches"]), {"en": one["en"], "vi": one["vi"]})
        for one in content["brief"]
    ]


Scorer = Callable[[str], np.ndarray]


def _lists(scorer: Scorer, briefs: Sequence[BilingualBrief]) -> list[dict[str, np.ndarray]]:
    """Positions of each brief's first creators, by language."""
    return [
        {language: np.argsort(-scorer(text), kind="stable")[:LENGTH] for language, text in brief.texts.items()}
        for brief in briefs
    ]


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval, resampling briefs; NaN without values, no interval of a single one."""
    known = np.array([value for value in values if not np.isnan(value)])
    if known.size < 2 or not np.ptp(known):
        return (float(known.mean()) if known.size else np.nan), np.nan, np.nan
    found = bootstrap((known,), np.mean, n_resamples=1_000, method="percentile", rng=np.random.default_rng(0))
    return float(known.mean()), float(found.confidence_interval.low), float(found.confidence_interval.high)


def _rows(name: str, scorer: Scorer, briefs: Sequence[BilingualBrief], labels: pd.Series) -> list[dict[str, object]]:
    lists = _lists(scorer, briefs)
    overlaps = [np.intersect1d(found["en"], found["vi"]).size / LENGTH for found in lists]
    rows: list[dict[str, object]] = []

    def add(figure: str, values: Sequence[float]) -> None:
        mean, low, high = _interval(values)
        rows.append(
            {
                "scorer": name,
                "figure": figure,
                "value": mean,
                "low": low,
                "high": high,
                "least": float(np.nanmin(values)) if np.isfinite(values).any() else np.nan,
            }
        )

    add("overlap of en and vi", overlaps)
    for language in ("en", "vi"):
        right = []
        for brief, found in zip(briefs, lists, strict=True):
            wanted = {wider for niche in brief.niches for wider in wider_niches(niche)}
            told = labels.iloc[found[language]].dropna()
            right.append(float(told.isin(wanted).mean()) if len(told) else np.nan)
        add(f"of the niche, {language}", right)
    return rows


def benchmark_briefs(
    sources: Mapping[str, Tables], *, seed: int = 0, progress: Callable[[str], None] = lambda _: None
) -> pd.DataFrame:
    """Ask every brief in both languages of the creators of some tables.

    Parameters
    ----------
    sources : mapping of str to Tables
    seed : int
        Of the random floor.
    progress : callable

    Returns
    -------
    DataFrame
        `scorer` (fit of what is written, without authenticity and filters; the vectors as they come; shared words;
        random), `figure`, `value` (mean over briefs), `low`, `high` (95 %, resampling briefs), `least` (of a brief).
        "of the niche" counts, of the creators in a list whose niche the tables say in a label that the taxonomy knows,
        those of the brief's niches or wider ones; the label itself is not read by any scorer.
    """
    texts, labels = [], []
    for name, tables in sources.items():
        as_of = latest_knowledge(tables, pd.Timestamp.now("UTC"))
        own = profile_texts(tables, as_of, imported_at=as_of)
        told = tables["creators"].set_index("creator_id")
        niches = told["niche"] if "niche" in told else pd.Series(None, index=told.index, dtype="str")
        texts.append(own)
        labels.append(niches.reindex(own.index).map(niche_of_label, na_action="ignore"))
        progress(f"{name}: {len(own):,} creators, {int(labels[-1].notna().sum()):,} with a known niche")
    profiles, known = pd.concat(texts, ignore_index=True), pd.concat(labels, ignore_index=True)
    space, raw = ProfileSpace.fit(profiles), embed(profiles)
    words = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, dtype=np.float32)
    written = words.fit_transform(profiles)
    chance = np.random.default_rng(seed)
    scorers: dict[str, Scorer] = {
        "fit": lambda text: space.similarities(space.read(text)),
        "vectors alone": lambda text: raw @ embed([text])[0],
        "shared words (TF-IDF)": lambda text: (written @ words.transform([text]).T).toarray()[:, 0],
        "random": lambda text: chance.random(len(profiles)),
    }
    briefs = read_briefs()
    return pd.DataFrame([row for name, scorer in scorers.items() for row in _rows(name, scorer, briefs, known)])
