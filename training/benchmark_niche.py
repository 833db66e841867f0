"""The niche model's figures on labelled creators that it has not seen, and what simpler readings reach on the same."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from features.content import niche_vector
from features.histories import make_histories
from features.niche_texts import NicheTexts, hashed_words, read_niche_texts
from features.sources.columns import import_tables
from features.sources.mappings import read_mapping
from features.tables import Tables, read_tables
from training.metrics import bootstrap_interval, ece
from training.niche import NicheConfig, NicheModel, fit_niches
from training.niche_prior import as_labels, prior_probabilities

SOURCE = "instagram_kim2020"
#: Targets of the project's plan, for all creators.
TARGETS: Mapping[str, float] = {"accuracy": 0.60, "macro_f1": 0.55, "captions_per_second": 20_000}
FLOORS = ("majority", "niche_lists", "taxonomy", "tfidf_logistic")
FOLDS, DRAWS, MANY_CAPTIONS = 5, 500, 3
_LATER = pd.Timestamp("2100-01-01", tz="UTC")


class NoNichesError(ValueError):
    """A folder without labelled creators."""


@dataclass(frozen=True)
class NicheSet:
    """Labelled creators with at least one caption.

    Attributes
    ----------
    name, terms : str
        Source, and under which terms it may be used; empty where none are stated.
    texts : NicheTexts
    labels : ndarray of object (creators,)
    captions : Series of str
        All captions of a creator as one text.
    lists : mapping of str to DataFrame
        By name of the word-list floors: probability of each label, NaN where no word was found.
    """

    name: str
    terms: str
    texts: NicheTexts
    labels: np.ndarray
    captions: pd.Series
    lists: Mapping[str, pd.DataFrame]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "NicheSet":
        """Some of the creators, by position."""
        lists = {name: frame.iloc[rows] for name, frame in self.lists.items()}
        return NicheSet(
            self.name, self.terms, self.texts.take(rows), self.labels[rows], self.captions.iloc[rows], lists
        )


def _tables_of(folder: Path) -> tuple[str, str, Tables]:
    """Tables of a folder: the files of Kim et al. as they are, that folder inside it, or tables of the contract."""
    for place in (folder, folder / SOURCE):
        if any(place.glob("influencers.csv*")) and any(place.glob("posts.csv*")):
            mapping = read_mapping(SOURCE)
            return SOURCE, str(mapping.about.get("terms", "")), import_tables(mapping, [place])[0]
    for place in (folder, folder / SOURCE):
        if any(place.glob("creators.*")):
            return place.resolve().name, "", read_tables(place)
    message = f"{folder.name}: found neither {SOURCE} nor tables of creators; expected creators with a niche, and posts"
    raise NoNichesError(message)


def read_niche_set(folder: Path) -> NicheSet:
    """Read labelled creators.

    Parameters
    ----------
    folder : Path
        Holds the files of `instagram_kim2020`, that folder, or tables of the contract with `creators.niche`.

    Raises
    ------
    NoNichesError
        Where no creator has both a niche and a caption.
    features.tables.TableError
        Where tables do not keep the contract.
    """
    return niche_set(*_tables_of(folder))


def niche_set(name: str, terms: str, tables: Tables) -> NicheSet:
    """Labelled creators of tables; raises as `read_niche_set`."""
    texts = read_niche_texts(tables)
    creators = tables["creators"].set_index("creator_id").reindex(texts.creators)
    labels = creators["niche"].to_numpy(dtype=object) if "niche" in creators else np.full(len(texts), None)
    rows = np.flatnonzero(pd.notna(labels) & (texts.captions > 0))
    if not rows.size:
        message = f"{name}: no creator has both a niche and a caption"
        raise NoNichesError(message)
    texts, labels = texts.take(rows), labels[rows]
    wanted = {key: tables[key] for key in ("creators", "posts")}
    said = wanted["posts"].dropna(subset=["caption"]).groupby("creator_id")["caption"].agg("\n".join)
    known = sorted(set(labels))
    lists = niche_vector(make_histories(wanted, _LATER, imported_at=_LATER)).reindex(texts.creators)
    return NicheSet(
        name,
        terms,
        texts,
        labels,
        said.reindex(texts.creators).astype("str"),
        {
            "niche_lists": as_labels(lists, known),
            "taxonomy": as_labels(prior_probabilities(wanted), known).reindex(texts.creators),
        },
    )


# ---- metrics of tables of truth (rows) and what was told (columns)


def confusion(truth: np.ndarray, told: np.ndarray, niches: int) -> np.ndarray:
    """Creators by true niche and niche told, int64 of shape (niches, niches)."""
    return np.bincount(truth * niches + told, minlength=niches * niches).reshape(niches, niches)


def accuracy(tables: np.ndarray) -> np.ndarray:
    """Share told right, shape (...,) of tables (..., niches, niches)."""
    right = np.trace(tables, axis1=-2, axis2=-1)
    return np.asarray(right / tables.sum(axis=(-2, -1)))


def f1_by_niche(tables: np.ndarray) -> np.ndarray:
    """F1 of each niche, shape (..., niches); 0 where it is only told, NaN where it is neither there nor told."""
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    met = tables.sum(axis=-1) + tables.sum(axis=-2)
    return np.where(met > 0, 2 * hits / np.maximum(met, 1), np.nan)


def macro_f1(tables: np.ndarray) -> np.ndarray:
    """Mean F1 of the niches that are there or told, shape (...,)."""
    return np.asarray(np.nanmean(f1_by_niche(tables), axis=-1))


METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "macro_f1": macro_f1}


def table_interval(
    measure: Callable[[np.ndarray], np.ndarray], table: np.ndarray, draws: int, seed: int = 0
) -> tuple[float, float, float]:
    """A metric of a table and its 95 % bootstrap interval over creators.

    A creator drawn with replacement falls into a cell with the cell's share: a draw of all is one of the multinomial.
    """
    creators = int(table.sum())
    cells = np.random.default_rng(seed).multinomial(creators, table.ravel() / creators, size=draws)
    low, high = np.quantile(measure(cells.reshape(draws, *table.shape)), (0.025, 0.975))
    return float(measure(table)), float(low), float(high)


@dataclass
class HeldOut:
    """What models said of creators that they had not seen; arrays of shape (creators,) in the order of the set.

    Attributes
    ----------
    niches : list of str
    said, probability : ndarray of int64, ndarray of float64
        Position of the niche told, and its probability.
    floors : dict of str to ndarray of int64
        What each floor tells.
    """

    niches: list[str]
    said: np.ndarray
    probability: np.ndarray
    floors: dict[str, np.ndarray] = field(default_factory=dict)


def tfidf_logistic(train: pd.Series, labels: np.ndarray, test: pd.Series) -> np.ndarray:
    """The floor: words of the captions, TF-IDF, logistic regression; positions of the niches told."""
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, max_features=50_000)
    model = LogisticRegression(C=3.0, max_iter=300, tol=1e-3).fit(words.fit_transform(train), labels)
    return np.asarray(model.predict(words.transform(test)))


def held_out(
    one: NicheSet,
    config: NicheConfig | None = None,
    *,
    seed: int = 0,
    floors: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> HeldOut:
    """Let models of four fifths of the creators read the last fifth, each in turn.

    Parameters
    ----------
    one : NicheSet
    config : NicheConfig, optional
    seed : int
        Of the folds.
    floors : bool
        Also fit the floors.
    progress : callable
        Told what begins.
    """
    config = config or NicheConfig()
    niches = sorted(set(one.labels))
    y = pd.Index(niches).get_indexer(pd.Index(one.labels))
    found = HeldOut(niches, np.zeros(len(y), dtype=np.int64), np.zeros(len(y)))
    if floors:
        found.floors = {name: np.zeros(len(y), dtype=np.int64) for name in FLOORS}
    for number, (seen, unseen) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(y, y)):
        progress(f"fold {number + 1} of {FOLDS}")
        rest = one.take(unseen)
        model = fit_niches(one.texts.take(seen), one.labels[seen], config)
        p = model.probabilities(rest.texts).reindex(columns=niches, fill_value=0.0).fillna(0.0).to_numpy()
        found.said[unseen], found.probability[unseen] = p.argmax(axis=1), p.max(axis=1)
        if not floors:
            continue
        majority = np.bincount(y[seen]).argmax()
        found.floors["majority"][unseen] = majority
        found.floors["tfidf_logistic"][unseen] = tfidf_logistic(one.captions.iloc[seen], y[seen], rest.captions)
        for name, frame in rest.lists.items():
            shares = frame.reindex(columns=niches).fillna(0.0).to_numpy()
            found.floors[name][unseen] = np.where(shares.max(axis=1) > 0, shares.argmax(axis=1), majority)
    return found


def figures_of(one: NicheSet, found: HeldOut, draws: int = DRAWS) -> list[dict[str, object]]:
    """Figures over all creators, and over those with `MANY_CAPTIONS` captions or more."""
    many = one.texts.captions >= MANY_CAPTIONS
    truth, rows = _truth(one, found), _figures("all creators", one, found, np.ones(len(one), dtype=bool), draws)
    if many.any():
        rows += _figures(f"{MANY_CAPTIONS} captions or more", one, found, many, draws)
    table = confusion(truth, found.said, len(found.niches))
    below = {name: f1_by_niche(confusion(truth, said, len(found.niches))) for name, said in found.floors.items()}
    return rows + [
        _row(
            "f1 of each niche",
            niche,
            table_interval(lambda tables, place=place: f1_by_niche(tables)[..., place], table, draws),  # type: ignore[misc]
            {name: float(row[place]) for name, row in below.items()},
        )
        for place, niche in enumerate(found.niches)
    ]


def _truth(one: NicheSet, found: HeldOut) -> np.ndarray:
    return np.asarray(pd.Index(found.niches).get_indexer(pd.Index(one.labels)))


def _figures(title: str, one: NicheSet, found: HeldOut, chosen: np.ndarray, draws: int) -> list[dict[str, object]]:
    truth, niches = _truth(one, found)[chosen], len(found.niches)
    rows = []
    for metric, measure in METRICS.items():
        below = {name: float(measure(confusion(truth, said[chosen], niches))) for name, said in found.floors.items()}
        interval = table_interval(measure, confusion(truth, found.said[chosen], niches), draws)
        rows.append(_row(title, metric, interval, below, TARGETS[metric] if chosen.all() else np.nan))
    right = (found.said[chosen] == truth).astype(np.float64)
    rows.append(_row(title, "ece", bootstrap_interval(ece, right, found.probability[chosen], draws=draws)))
    rows.append(_row(title, "creators", (float(chosen.sum()), np.nan, np.nan)))
    return rows


def _row(
    task: str,
    metric: str,
    interval: tuple[float, float, float],
    floors: Mapping[str, float] | None = None,
    target: float = np.nan,
) -> dict[str, object]:
    value, low, high = interval
    reached = None if np.isnan(target) else value >= target
    below = {f"floor_{name}": (floors or {}).get(name, np.nan) for name in FLOORS}
    shown = {"task": task, "metric": metric, "value": value, "low": low, "high": high}
    return {**shown, "target": target, "reached": reached, **below}


def speed(model: NicheModel, one: NicheSet, repeats: int = 3) -> float:
    """Captions read and assessed in a second, one text a creator, the best of some repeats."""
    text, creators = one.captions, one.texts.creators
    captions = float(one.texts.captions.sum())
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        words = hashed_words(text, np.arange(len(text)), len(text))
        model.probabilities(
            NicheTexts(creators, {**one.texts.streams, "captions": words}, one.texts.counts, one.texts.captions)
        )
        taken.append(time.perf_counter() - start)
    return captions / min(taken)


def benchmark_niche(
    folder: Path,
    config: NicheConfig | None = None,
    *,
    seeds: int = 1,
    draws: int = DRAWS,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Every figure of the niche model on labelled creators, by folds of creators.

    Parameters
    ----------
    folder : Path
        As for `read_niche_set`.
    config : NicheConfig, optional
    seeds : int
        Further ones draw other folds; intervals and floors are of the first.
    draws : int
        Of each 95 % bootstrap interval over creators.
    progress : callable
        Told what begins.

    Returns
    -------
    DataFrame
        `task`, `metric`, `value`, `low`, `high`, `target` (NaN without), `reached` (None without) and `floor_<name>`.
        `captions alone` leaves out comments and commenters, `without who comments` the latter; the counts stay.
    """
    config = config or NicheConfig()
    one = read_niche_set(folder)
    progress(f"{one.name}: {len(one):,} creators with a niche and {one.texts.captions.sum():,} captions")
    found = held_out(one, config, progress=progress)
    rows = figures_of(one, found, draws)
    truth, niches = _truth(one, found), len(found.niches)
    for title, streams in (
        ("without who comments", ("commenters",)),
        ("captions alone", ("commenters", "fans", "answers")),
    ):
        progress(title)
        texts = one.texts
        for stream in streams:
            texts = texts.without(stream)
        less = NicheSet(one.name, one.terms, texts, one.labels, one.captions, one.lists)
        table = confusion(truth, held_out(less, config, floors=False).said, niches)
        rows += [_row(title, metric, table_interval(measure, table, draws)) for metric, measure in METRICS.items()]
    tables = [confusion(truth, found.said, niches)]
    for seed in range(1, seeds):
        progress(f"folds of seed {seed}")
        other = held_out(one, config.model_copy(update={"seed": seed}), seed=seed, floors=False)
        tables.append(confusion(truth, other.said, niches))
    if seeds > 1:
        for metric, measure in METRICS.items():
            own = [float(measure(table)) for table in tables]
            rows.append(
                _row(f"{seeds} seeds: mean, lowest, highest", metric, (float(np.mean(own)), min(own), max(own)))
            )
    model = fit_niches(one.texts, one.labels, config)
    rows.append(
        _row("speed", "captions_per_second", (speed(model, one), np.nan, np.nan), None, TARGETS["captions_per_second"])
    )
    return pd.DataFrame(rows)
