"""The fit ranker: which creators suit a brief, learnt from who worked with whom.

LightGBM's LambdaRank (Burges, "From RankNet to LambdaRank to LambdaMART", 2010) and a classifier of pairs, both over
the pair signals of `training/affinity.py`; on brands left out their mean was as good as the better of the two. What the
ranker learns from is made as it will meet it: brands are left out in turn, with all creators that worked with them,
everything is fitted on the others, and the signals of the brands left out are its rows.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import lightgbm as lgb
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.fit import Floats, Side
from training.affinity import Affinity

#: Relevance of a pair: nothing known, a creator of the brand's category, worked together, and delivered.
OTHER, SAME_CATEGORY, WORKED, DELIVERED = 0, 1, 2, 3
#: Position of a pair that nobody was shown in a list.
NOT_SHOWN = 0


Objective = Literal["lambdarank", "binary"]
OBJECTIVES: tuple[Objective, ...] = ("lambdarank", "binary")


class TooFewPairsError(ValueError):
    """Not enough brands or pairs to learn from."""


class FitConfig(BaseModel):
    """Settings of the ranker; the defaults were chosen by cross-validation over the training brands of gan2019_dev."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    folds: Annotated[int, Field(ge=2)] = 3
    repeats: Annotated[int, Field(ge=1)] = 2
    trees: Annotated[int, Field(ge=1)] = 150
    leaves: Annotated[int, Field(ge=2)] = 7
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    least_rows: Annotated[int, Field(ge=1)] = 100
    signals_a_tree: Annotated[float, Field(gt=0, le=1)] = 0.5
    shrinkage: Annotated[float, Field(ge=0)] = 10.0
    truncation: Annotated[int, Field(ge=1)] = 60
    gains: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 2.0)
    boosters: Annotated[int, Field(ge=1)] = 2
    most_others: Annotated[int, Field(ge=1)] = 300


@dataclass(frozen=True)
class Pairs:
    """Who worked with whom, and how each side is described.

    Attributes
    ----------
    briefs, creators : Side
        One brief stands for one brand.
    relevance : ndarray of int8, shape (briefs, creators)
        `OTHER`, `SAME_CATEGORY`, `WORKED` or `DELIVERED`.
    categories : tuple of str
        Of the briefs, empty text where not known.
    extras : mapping of str to ndarray of float, each of shape (briefs, creators)
        Further signals, larger for pairs that suit each other better; NaN where not known.
    """

    briefs: Side
    creators: Side
    relevance: np.ndarray
    categories: tuple[str, ...]
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def worked(self) -> np.ndarray:
        """Pairs that worked together; bool, shape (briefs, creators)."""
        return np.asarray(self.relevance >= WORKED)

    def take(self, briefs: np.ndarray, creators: np.ndarray) -> "Pairs":
        """The pairs of some briefs and creators, both by position."""
        return Pairs(
            self.briefs.take(briefs),
            self.creators.take(creators),
            self.relevance[np.ix_(briefs, creators)],
            tuple(self.categories[brief] for brief in briefs),
            {name: values[np.ix_(briefs, creators)] for name, values in self.extras.items()},
        )


@dataclass(frozen=True)
class Decisions:
    """What analysts decided on creators that they were shown for a brand.

    Attributes
    ----------
    briefs, creators : ndarray of int64, shape (decisions,)
        Positions in the `Pairs` that they belong to.
    wanted : ndarray of bool, shape (decisions,)
    positions : ndarray of int64, shape (decisions,)
        Place in the list that was shown, from 1; 0 where not known.
    """

    briefs: np.ndarray
    creators: np.ndarray
    wanted: np.ndarray
    positions: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """No decision."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, nothing.astype(bool), nothing)

    def __len__(self) -> int:
        return len(self.briefs)

    def of(self, briefs: np.ndarray) -> "Decisions":
        """Those on some briefs."""
        kept = np.isin(self.briefs, briefs)
        return Decisions(self.briefs[kept], self.creators[kept], self.wanted[kept], self.positions[kept])


def grade(worked: np.ndarray, categories: Sequence[str], delivered: np.ndarray | None = None) -> np.ndarray:
    """Relevance of pairs: those that worked together above creators of brands of the same category above others.

    Parameters
    ----------
    worked, delivered : ndarray of bool, shape (briefs, creators)
    categories : sequence of str

    Returns
    -------
    ndarray of int8, shape (briefs, creators)
    """
    named = np.array(categories, dtype=object)
    alike = np.asarray((named[:, None] == named) & (named != ""), dtype=bool)
    shared = alike.astype(np.int32) @ worked.astype(np.int32)
    relevance = np.where(shared > 0, SAME_CATEGORY, OTHER).astype(np.int8)
    relevance[worked] = WORKED
    if delivered is not None:
        relevance[delivered] = DELIVERED
    return relevance


def brand_folds(pairs: Pairs, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Briefs and creators to learn from, and those to judge by: no brief and no creator on both sides.

    Yields
    ------
    tuple of ndarray of int64
        Positions of briefs and creators to learn from, then of those left out; a creator is left out with the first
        brief it worked with that is. Who worked with nobody is dealt to the folds evenly.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs.briefs))
    worked = pairs.worked
    idle = np.flatnonzero(~worked.any(axis=0))
    dealt = rng.permutation(idle)
    for fold in range(folds):
        out = np.sort(order[fold::folds])
        gone = np.array(worked[out].any(axis=0))
        gone[dealt[fold::folds]] = True
        yield np.setdiff1d(order, out), np.flatnonzero(~gone), out, np.flatnonzero(gone)


@dataclass(frozen=True)
class FitRanker:
    """Scores of pairs, higher where they suit each other better.

    Attributes
    ----------
    affinity : Affinity
    boosters : tuple of lightgbm.Booster
    weights : tuple of float
        Of each booster: the score is the weighted sum of what they give.
    extras : tuple of str
        Further signals it reads.
    together : bool
        Whether briefs that are asked together are rivals of each other.
    """

    affinity: Affinity
    boosters: tuple[lgb.Booster, ...]
    weights: tuple[float, ...]
    extras: tuple[str, ...]
    together: bool

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals it reads, in order."""
        return (*self.affinity.signals, *self.extras)

    def score(
        self,
        briefs: Side,
        creators: Side,
        categories: Sequence[str] | None = None,
        extras: Mapping[str, np.ndarray] | None = None,
    ) -> Floats:
        """Score every pair, shape (briefs, creators); only the order within a brief means something.

        Raises
        ------
        features.fit.SidesError
            Where the views are not those it was fitted on.
        """
        table = self.table(briefs, creators, categories, extras)
        flat = table.reshape(-1, table.shape[-1])
        found = [np.asarray(booster.predict(flat, raw_score=True)) for booster in self.boosters]
        return np.asarray((np.array(self.weights) @ np.array(found)).reshape(table.shape[:2]))

    def table(
        self,
        briefs: Side,
        creators: Side,
        categories: Sequence[str] | None = None,
        extras: Mapping[str, np.ndarray] | None = None,
    ) -> Floats:
        """Signals of every pair, shape (briefs, creators, signals)."""
        found = self.affinity.pair_signals(briefs, creators, categories, together=self.together)
        further = {name: (extras or {}).get(name) for name in self.extras}
        nothing = np.full((len(briefs), len(creators)), np.nan)
        return np.stack(
            [*found.values(), *(nothing if values is None else values for values in further.values())], axis=-1
        )

    def save(self, folder: Path) -> None:
        """Write LightGBM's text, arrays and JSON; nothing that runs when it is read."""
        for number, booster in enumerate(self.boosters):
            (folder / f"booster_{number}.txt").write_text(booster.model_to_string(), encoding="utf-8")
        self.affinity.save(folder)
        about = {"weights": self.weights, "extras": self.extras, "together": self.together}
        (folder / "ranker.json").write_text(json.dumps(about, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        texts = [
            (folder / f"booster_{number}.txt").read_text(encoding="utf-8") for number in range(len(about["weights"]))
        ]
        boosters = tuple(lgb.Booster(model_str=text) for text in texts)
        return cls(
            Affinity.load(folder), boosters, tuple(about["weights"]), tuple(about["extras"]), bool(about["together"])
        )


@dataclass(frozen=True)
class _Rows:
    """What the ranker learns from: signals (rows, signals), relevance and position (rows,), and rows of each list."""

    signals: Floats
    relevance: np.ndarray
    positions: np.ndarray
    groups: np.ndarray


def _rows(pairs: Pairs, config: FitConfig, decisions: Decisions, *, together: bool) -> _Rows:
    """Signals of briefs left out, by what was fitted on the others; each list that was decided on is one of its own."""
    rng = np.random.default_rng(config.seed)
    signals, relevance, positions, groups = [], [], [], []
    for repeat in range(config.repeats):
        for seen_briefs, seen_creators, briefs, creators in brand_folds(
            pairs, config.folds, config.seed * config.repeats + repeat
        ):
            seen, unseen = pairs.take(seen_briefs, seen_creators), pairs.take(briefs, creators)
            affinity = Affinity.fit(seen.briefs, seen.creators, seen.worked, seen.categories)
            found = affinity.pair_signals(unseen.briefs, unseen.creators, unseen.categories, together=together)
            table = np.stack([*found.values(), *unseen.extras.values()], axis=-1)
            for own, grades in zip(table, unseen.relevance, strict=True):
                kept = _kept(grades, config.most_others, rng)
                if (grades[kept] >= WORKED).any():
                    signals.append(own[kept])
                    relevance.append(grades[kept])
                    positions.append(np.full(kept.size, NOT_SHOWN))
                    groups.append(kept.size)
            for brief in briefs:
                shown = decisions.of(brief)
                if shown.wanted.any() and not shown.wanted.all():
                    own = pairs.take(np.array([brief]), shown.creators)
                    found = affinity.pair_signals(own.briefs, own.creators, own.categories, together=False)
                    signals.append(np.stack([*found.values(), *own.extras.values()], axis=-1)[0])
                    relevance.append(np.where(shown.wanted, WORKED, OTHER).astype(np.int8))
                    positions.append(shown.positions)
                    groups.append(len(shown))
    return _Rows(np.concatenate(signals), np.concatenate(relevance), np.concatenate(positions), np.array(groups))


def _kept(grades: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Every creator that worked with the brief, and a draw of the others."""
    others = np.flatnonzero(grades < WORKED)
    if others.size > most:
        others = rng.choice(others, most, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(grades >= WORKED), others]))


def boost(rows: _Rows, config: FitConfig, seed: int, objective: Objective) -> lgb.Booster:
    """Fit one booster: LambdaRank, or a classifier of single pairs.

    Every signal may only raise the score: more alike is never worse. Where creators were decided on in lists, it
    learns besides how much a place near the top alone helps, and takes it out (LambdaRank's `position`, after Wang et
    al., "Position bias estimation for unbiased learning to rank in personal search", 2018).
    """
    parameters: dict[str, Any] = {
        "objective": objective,
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least_rows,
        "feature_fraction": config.signals_a_tree,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": config.shrinkage,
        "monotone_constraints": [1] * rows.signals.shape[1],
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if objective == "binary":
        # a classifier cannot take the place in a list out
        own = rows.positions == NOT_SHOWN
        data = lgb.Dataset(rows.signals[own], label=rows.relevance[own] >= WORKED)
    else:
        parameters |= {"lambdarank_truncation_level": config.truncation, "label_gain": list(config.gains)}
        data = lgb.Dataset(rows.signals, label=rows.relevance, group=rows.groups)
        if (rows.positions != NOT_SHOWN).any():
            data.set_position(rows.positions)
    return lgb.train(parameters, data, config.trees)


def fit_ranker(
    pairs: Pairs,
    config: FitConfig | None = None,
    decisions: Decisions | None = None,
    *,
    together: bool = False,
    objectives: Sequence[Objective] = OBJECTIVES,
) -> FitRanker:
    """Learn to rank creators for briefs.

    Parameters
    ----------
    pairs : Pairs
    config : FitConfig, optional
    decisions : Decisions, optional
        On these pairs.
    together : bool
        Whether the briefs it will be asked for come as a whole and are rivals of each other; otherwise each comes
        alone and is compared with the known ones.
    objectives : sequence of {"lambdarank", "binary"}
        What boosters are fitted to; each has the same say, whatever the spread of its scores.

    Raises
    ------
    TooFewPairsError
        Where a fold would have no brand with a creator to judge by.
    """
    return fit_rankers(pairs, config, decisions, together=together, objectives=[objectives])[0]


def fit_rankers(
    pairs: Pairs,
    config: FitConfig | None = None,
    decisions: Decisions | None = None,
    *,
    together: bool = False,
    objectives: Sequence[Sequence[Objective]] = (OBJECTIVES,),
) -> list[FitRanker]:
    """Fit several rankers to the same rows, one for each choice of objectives; otherwise as `fit_ranker`."""
    config = config or FitConfig()
    active = int(pairs.worked.any(axis=1).sum())
    if active < 2 * config.folds:
        message = f"{active} brands with a collaboration: at least {2 * config.folds} are needed to leave some out"
        raise TooFewPairsError(message)
    rows = _rows(pairs, config, decisions or Decisions.none(), together=together)
    seeds = [config.seed * config.boosters + number for number in range(config.boosters)]
    boosters: dict[Objective, list[lgb.Booster]] = {}
    spreads: dict[Objective, list[float]] = {}
    for objective in sorted({one for chosen in objectives for one in chosen}):
        own = boosters[objective] = [boost(rows, config, seed, objective) for seed in seeds]
        given = [np.asarray(booster.predict(rows.signals, raw_score=True)) for booster in own]
        spreads[objective] = [float(np.std(scores)) or 1.0 for scores in given]
    affinity = Affinity.fit(pairs.briefs, pairs.creators, pairs.worked, pairs.categories)
    rankers = []
    for chosen in objectives:
        own = [booster for objective in chosen for booster in boosters[objective]]
        weights = tuple(1 / spread / len(own) for objective in chosen for spread in spreads[objective])
        rankers.append(FitRanker(affinity, tuple(own), weights, tuple(pairs.extras), together))
    return rankers
