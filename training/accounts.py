"""P(fake) of an account from its profile: experts of several sources, pooled as equals.

Published models of fake accounts shine on their own split and fail elsewhere, so this one is built and chosen by what
it does on a source it has not seen:

- each source has its own experts, and every source counts the same, whatever its size;
- an expert is LightGBM trees of depth 2 (weight 2), monotone in every signal, and an additive logistic model on
  piecewise lines (weight 1), free in its signs, since a ratio and its parts share what they say; both read ratios and
  logs rather than levels and are trained with values withheld at random, so that any column may be missing; depth 2
  makes the trees a sum of tables over pairs of signals, which is how they are stored and read;
- the experts' probabilities are averaged (the linear opinion pool of Stone 1961): in a trial, averaged log-odds gave
  AUC .951 and .966 between InstaFake and SRF, averaged probabilities .950 and .974;
- the pool is calibrated on what experts say of sources that are not theirs.

With two public sources, the choices (signals, kinds of expert, weights) were made by looking at both directions of
transfer between them on a coarse grid, so those two figures are a little flattered; a set that nobody here has seen is
the better judge.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import t as student_t

from features.accounts import READ, SIGNALS, account_numbers, account_signals
from training.account_sets import LabelledAccounts
from training.calibration import Calibrator
from training.metrics import logistic_line
from training.quantification import Reference, ShareEstimate, em_share, estimate_share, shift_prior

#: Coverage of the interval around a probability.
INTERVAL = 0.90
#: Probabilities are kept this far from 0 and 1.
EDGE = 1e-3
#: What trees and the additive model of an expert weigh in the pool.
TREE_WEIGHT = 2 / 3
#: Chance that training withholds a column; those that sources lack most often, most.
WITHHELD: Mapping[str, float] = {
    "followers": 0.08,
    "following": 0.08,
    "posts_count": 0.08,
    "bio_length": 0.5,
    "username_length": 0.25,
    "username_digits": 0.25,
    "has_picture": 0.25,
    "is_verified": 0.25,
}
#: Copies of a source's rows, each with other columns withheld, up to about this many rows.
COPIES, ROWS = 10, 12_000
#: Of followers, followings and posts, how many have to be known.
COUNTS = ("followers", "following", "posts_count")
LEAST_COUNTS = 2
#: A count is out of range above this times the largest that training saw.
BEYOND = 2.0
TOO_FEW = "needs at least 2 of followers, following and posts_count"

#: Edges between bins of each signal, on its own scale: every signal is read by its bin, flat beyond the outer edges.
GRID: Mapping[str, np.ndarray] = {
    "following_log": np.arange(0.5, 9.3, 0.25),
    "posts_log": np.arange(0.5, 8.1, 0.25),
    "followers_per_following_log": np.arange(-7.0, 4.1, 0.25),
    "posts_per_following_log": np.arange(-9.0, 2.1, 0.25),
    "followers_alone_log": np.arange(0.5, 9.6, 0.5),
    "bio_log": np.array([0.5, 2.0, 3.0, 4.0]),
    "has_picture": np.array([0.5]),
    "is_verified": np.array([0.5]),
    "username_digits": np.arange(0.5, 5.6, 1.0),
    "username_digit_share": np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5]),
}
#: Segments of the additive model's lines, at most, a signal.
_SEGMENTS = 6
_FILE, _ARRAYS = "model.json", "tables.npz"
_FORMAT = 1


class AccountConfig(BaseModel):
    """Settings of the account model.

    Attributes
    ----------
    seed : int
        Of resamples, withheld columns and generated accounts.
    simulated, worlds : int
        Generated accounts, and the worlds they are spread over; 0 accounts leaves them out.
    members : int
        Resamples of each source that experts are trained on.
    trees, learning_rate, least_share, signals_per_tree, ridge :
        Of LightGBM: trees a member, step, least share of the rows in a leaf, share of signals a tree may use, L2.
    additive_ridge : float
        Penalty on the additive model's standardised slopes, relative to the mean log-loss.
    base_rate : float
        Share of fakes that probabilities assume. 22 % of the followers of Instagram's influencers were called
        suspicious in 2019-20 (a vendor's figure, FACTS.md §1); `AccountModel.share` estimates an audience's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    seed: int = Field(default=7, ge=0)
    simulated: int = Field(default=24_000, ge=0)
    worlds: int = Field(default=24, ge=2)
    members: int = Field(default=5, ge=2, le=20)
    trees: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=0.06, gt=0, le=1)
    least_share: float = Field(default=0.005, gt=0, lt=0.5)
    signals_per_tree: float = Field(default=0.5, gt=0, le=1)
    ridge: float = Field(default=5.0, ge=0)
    additive_ridge: float = Field(default=5e-3, gt=0)
    base_rate: float = Field(default=0.22, gt=0, lt=1)


class AccountModelError(ValueError):
    """A saved account model that cannot be read, or was made for other signals."""


def bin_signals(signals: pd.DataFrame) -> np.ndarray:
    """Bin of every signal, intp of shape (signals, rows); a missing value has the bin after the last."""
    bins = np.empty((len(SIGNALS), len(signals)), dtype=np.intp)
    for row, name in zip(bins, SIGNALS, strict=True):
        values = signals[name].to_numpy(dtype=np.float64)
        edges = GRID[name]
        row[:] = np.searchsorted(edges, values, side="left")
        row[np.isnan(values)] = len(edges) + 1
    return bins


def _width(name: str) -> int:
    """Bins of a signal, with that for a missing value."""
    return len(GRID[name]) + 2


Pair = tuple[int, int]


def _goes_left(node: Mapping[str, Any], width: int) -> np.ndarray:
    """Bins of its signal that a node sends left; LightGBM reads a missing value as 0 where training had none."""
    left = np.arange(width, dtype=np.float64) <= node["threshold"]
    left[-1] = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
    return left


def pair_tables(booster: lgb.Booster) -> dict[Pair, np.ndarray]:
    """A booster of depth 2 over bins as sums over pairs of signals.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trained on bins, missing as NaN, of `SIGNALS` in their order.

    Returns
    -------
    dict of (int, int) to ndarray of float64
        By the positions a <= b of two signals: what to add to the log-odds, shape (bins of a, bins of b). A tree whose
        branches read one signal only stands on that signal's diagonal pair (a, a), shape (bins of a, 1).

    Raises
    ------
    ValueError
        Where a tree is deeper than 2.
    """
    names = list(SIGNALS)
    tables: dict[Pair, np.ndarray] = {}

    def add(first: int, second: int, values: np.ndarray) -> None:
        if first > second:
            first, second, values = second, first, values.T
        tables[first, second] = tables.get((first, second), 0.0) + values

    for tree in booster.dump_model()["tree_info"]:
        root = tree["tree_structure"]
        if "leaf_value" in root:
            add(0, 0, np.full((_width(names[0]), 1), root["leaf_value"]))
            continue
        first = root["split_feature"]
        left = _goes_left(root, _width(names[first]))
        for child, side in ((root["left_child"], left), (root["right_child"], ~left)):
            if "leaf_value" in child:
                add(first, first, np.where(side, child["leaf_value"], 0.0)[:, None])
                continue
            ends = child["left_child"], child["right_child"]
            if not all("leaf_value" in end for end in ends):
                message = "a tree of the account model is deeper than 2"
                raise ValueError(message)
            second = child["split_feature"]
            values = np.where(_goes_left(child, _width(names[second])), *(end["leaf_value"] for end in ends))
            if second == first:
                add(first, first, np.where(side, values, 0.0)[:, None])
            else:
                add(first, second, np.outer(side, values))
    return tables


def _tree_expert(bins: np.ndarray, fake: np.ndarray, weights: np.ndarray, config: AccountConfig, seed: int) -> Any:
    """LightGBM's trees over bins, as `pair_tables`."""
    x = bins.T.astype(np.float64)
    for column, name in enumerate(SIGNALS):
        x[x[:, column] == _width(name) - 1, column] = np.nan
    settings = {
        "objective": "binary",
        "max_depth": 2,
        "num_leaves": 4,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": max(1, int(config.least_share * len(x))),
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l2": config.ridge,
        "feature_fraction": config.signals_per_tree,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "monotone_constraints": list(SIGNALS.values()),
        "boost_from_average": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        # the rows are few: a second thread waits more than it helps, above all on a busy machine
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(x, fake, weight=weights * len(x), params={"max_bin": 255, "min_data_in_bin": 1})
    return pair_tables(lgb.train(settings, data, config.trees))


def _segments(name: str) -> np.ndarray:
    """Lengths along the additive model's segments by bin, shape (bins, segments); a missing value has none."""
    edges = GRID[name]
    knots = edges[np.unique(np.linspace(0, len(edges) - 1, min(len(edges), _SEGMENTS + 1)).astype(np.intp))]
    inner = (edges[1:] + edges[:-1]) / 2
    middle = np.concatenate([edges[:1] - 1e-9, inner, edges[-1:] + 1e-9])
    if len(knots) == 1:
        rises = (middle > knots[0]).astype(np.float64)[:, None]
    else:
        rises = np.clip(middle[:, None] - knots[:-1], 0, np.diff(knots))
    return np.vstack([rises, np.full((1, rises.shape[1]), np.nan)])


def _additive_expert(
    bins: np.ndarray, fake: np.ndarray, weights: np.ndarray, config: AccountConfig
) -> list[np.ndarray]:
    """Ridge logistic regression on piecewise lines; what each bin of each signal adds, shape (bins,) a signal.

    A missing value counts as the mean of its signal in training. The first signal carries the constant.
    """
    bases, columns = [], []
    for name, own in zip(SIGNALS, bins, strict=True):
        base = _segments(name)
        values = base[own]
        known = ~np.isnan(values[:, 0])
        mass = weights * known
        if not mass.sum() > 0:
            base = np.zeros_like(base)
        else:
            mean = np.average(np.nan_to_num(values), axis=0, weights=mass)
            spread = np.sqrt(np.average((np.nan_to_num(values) - mean) ** 2, axis=0, weights=mass))
            base = np.nan_to_num((base - mean) / np.where(spread > 1e-6, spread, np.inf))
        bases.append(base)
        columns.append(base[own])
    design = np.column_stack(columns)
    y, share = fake.astype(np.float64), weights / weights.sum()

    def loss(slopes: np.ndarray) -> tuple[float, np.ndarray]:
        line = slopes[0] + design @ slopes[1:]
        wrong = share * (expit(line) - y)
        value = float(share @ (np.logaddexp(0, line) - y * line)) + config.additive_ridge * float(
            slopes[1:] @ slopes[1:]
        )
        return value, np.concatenate([[wrong.sum()], design.T @ wrong + 2 * config.additive_ridge * slopes[1:]])

    found = minimize(loss, np.zeros(design.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    ends = np.cumsum([base.shape[1] for base in bases])
    added = [base @ own for base, own in zip(bases, np.split(found[1:], ends[:-1]), strict=True)]
    added[0] = added[0] + found[0]
    return added


@dataclass(frozen=True)
class Experts:
    """Experts of some sources: every source has `members` of each kind.

    Attributes
    ----------
    sources : tuple of str
    pairs : mapping of (int, int) to ndarray of float32, shape (bins of a · bins of b, columns)
        What the trees add; columns are member by member, in each the sources in their order.
    single : tuple of ndarray of float32, each of shape (bins, columns)
        What the additive models add, by signal.
    """

    sources: tuple[str, ...]
    pairs: Mapping[Pair, np.ndarray]
    single: tuple[np.ndarray, ...]

    @property
    def members(self) -> int:
        """Resamples of each source."""
        return self.single[0].shape[1] // len(self.sources)

    def probabilities(self, bins: np.ndarray) -> np.ndarray:
        """P(fake) at equal numbers of people and fakes, by source, float64 of shape (members, sources, rows)."""
        rows = bins.shape[1]
        columns = self.single[0].shape[1]
        found = np.empty((rows, columns), dtype=np.float32)
        # a block of rows and its sums stay in the processor's cache
        for start in range(0, rows, _BLOCK):
            own = bins[:, start : start + _BLOCK]
            trees = np.zeros((own.shape[1], columns), dtype=np.float32)
            lines = np.zeros_like(trees)
            for (first, second), table in self.pairs.items():
                cell = own[first]
                if second != first:
                    cell = cell * _width(_NAMES[second]) + own[second]
                trees += table.take(cell, axis=0)
            for table, cell in zip(self.single, own, strict=True):
                lines += table.take(cell, axis=0)
            found[start : start + _BLOCK] = TREE_WEIGHT * expit(trees) + (1 - TREE_WEIGHT) * expit(lines)
        return np.asarray(found.T.reshape(self.members, len(self.sources), rows), dtype=np.float64)


_BLOCK = 8192
_NAMES = tuple(SIGNALS)


def _balanced(fake: np.ndarray) -> np.ndarray:
    """Weights that sum to 1, half of it for each class."""
    share = fake.mean()
    return np.where(fake, 0.5 / share, 0.5 / (1 - share)) / len(fake)


def _resampled(one: LabelledAccounts, rng: np.random.Generator) -> np.ndarray:
    """Rows drawn with replacement: whole worlds of generated accounts, rows of each class of real ones."""
    if one.simulated:
        worlds = np.unique(one.groups)
        drawn = rng.choice(worlds, len(worlds))
        return np.concatenate([np.flatnonzero(one.groups == world) for world in drawn])
    classes = (np.flatnonzero(one.fake == value) for value in (False, True))
    return np.concatenate([rng.choice(rows, len(rows)) for rows in classes])


def _withheld(accounts: pd.DataFrame, copies: int, rng: np.random.Generator) -> pd.DataFrame:
    """Copies of the columns that signals read, with values withheld at random."""
    rows = len(accounts) * copies
    columns = {}
    for name in READ:
        values = np.tile(account_numbers(accounts, name), copies)
        columns[name] = np.where(rng.random(rows) < WITHHELD[name], np.nan, values)
    return pd.DataFrame(columns)


def _fit_source(one: LabelledAccounts, config: AccountConfig, number: int) -> tuple[dict[Pair, np.ndarray], Any]:
    """One member's two experts of one source."""
    rng = np.random.default_rng([config.seed, number, len(one.fake)])
    drawn = one.take(_resampled(one, rng))
    copies = max(1, min(COPIES, ROWS // len(drawn.fake)))
    bins = bin_signals(account_signals(_withheld(drawn.accounts, copies, rng)))
    fake = np.tile(drawn.fake, copies)
    weights = np.tile(_balanced(drawn.fake), copies) / copies
    trees = _tree_expert(bins, fake, weights, config, int(rng.integers(2**31)))
    return trees, _additive_expert(bins, fake, weights, config)


def fit_experts(sets: Sequence[LabelledAccounts], config: AccountConfig) -> Experts:
    """Experts of every set, members on resamples of its rows.

    Raises
    ------
    ValueError
        Where there is no set, two share a name, or one has one class only.
    """
    names = tuple(one.name for one in sets)
    if not names or len(set(names)) < len(names):
        message = f"found sets {', '.join(names) or 'none'}; expected at least one, each with its own name"
        raise ValueError(message)
    for one in sets:
        if not 0 < one.fake.sum() < len(one.fake):
            message = f"{one.name}: expected both fakes and people"
            raise ValueError(message)
    fitted = [_fit_source(one, config, member) for member in range(config.members) for one in sets]
    keys = sorted({key for trees, _ in fitted for key in trees})
    pairs = {}
    for first, second in keys:
        shape = _width(_NAMES[first]), 1 if first == second else _width(_NAMES[second])
        each = [np.broadcast_to(trees.get((first, second), np.zeros(shape)), shape).ravel() for trees, _ in fitted]
        pairs[first, second] = np.column_stack(each).astype(np.float32)
    single = tuple(
        np.column_stack([lines[signal] for _, lines in fitted]).astype(np.float32) for signal in range(len(_NAMES))
    )
    return Experts(names, pairs, single)


@dataclass(frozen=True)
class AccountModel:
    """Experts, their calibration on sources that are not theirs, and what training saw.

    Attributes
    ----------
    experts : Experts
    calibrator : Calibrator
        Of the pool, at equal numbers of people and fakes.
    resampled : tuple of Calibrator
        One a member, fitted to a resample.
    reference : Reference
        Calibrated probabilities of labelled accounts by experts of other sources: what shares are adjusted by.
    largest : mapping of str to float
        Largest followers, following and posts_count in training.
    base_rate : float
        Share of fakes that probabilities assume.
    metadata : mapping
        Sets, their terms and digests, settings; `data` is "simulated" or the names of the real sets.
    """

    experts: Experts
    calibrator: Calibrator
    resampled: tuple[Calibrator, ...]
    reference: Reference
    largest: Mapping[str, float]
    base_rate: float
    metadata: Mapping[str, Any]

    def balanced(self, accounts: pd.DataFrame) -> np.ndarray:
        """Calibrated P(fake) of every row at equal numbers of people and fakes, whether assessable or not."""
        return self.calibrator.apply(_pool(self.experts.probabilities(bin_signals(account_signals(accounts)))))

    def score(self, accounts: pd.DataFrame, *, base_rate: float | None = None) -> pd.DataFrame:
        """Score accounts, each by itself: a row's score does not depend on the others.

        Parameters
        ----------
        accounts : DataFrame
            Any columns of the accounts table.
        base_rate : float, optional
            Share of fakes to assume, the model's own where absent; `share` estimates it from a sample.

        Returns
        -------
        DataFrame
            Index as given. `account_id` (missing where the input has none), `fake_probability` with `fake_low` and
            `fake_high` (null where not assessed), `assessed` (bool) and `reason` (why not; empty where assessed). The
            interval is `INTERVAL` by members trained on resamples and by how far the sources' experts disagree.
        """
        rate = self.base_rate if base_rate is None else base_rate
        reasons = self.reasons(accounts)
        assessed = reasons == ""
        each = self.experts.probabilities(bin_signals(account_signals(accounts)))
        middle, low, high = (
            np.where(assessed, shift_prior(value, 0.5, rate), np.nan) for value in self._interval(each)
        )
        ids = accounts["account_id"].to_numpy() if "account_id" in accounts else np.full(len(accounts), None)
        columns = {
            "account_id": pd.array(ids, dtype="str"),
            "fake_probability": middle,
            "fake_low": low,
            "fake_high": high,
            "assessed": assessed,
            "reason": pd.array(reasons, dtype="str"),
        }
        return pd.DataFrame(columns, index=accounts.index)

    def _interval(self, each: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probability and its interval at equal numbers, from experts' probabilities (members, sources, rows).

        On the log-odds: Student's t times the spread of the calibrated members (as `training.authenticity`), and that
        times the standard error of the mean over sources, added as squares.
        """
        members, sources, _ = each.shape
        middle = self.calibrator.apply(_pool(each))
        pooled = np.clip(each.mean(axis=1), EDGE, 1 - EDGE)
        by_member = [logit(own.apply(one)) for own, one in zip(self.resampled, pooled, strict=True)]
        squared = (float(student_t.ppf(0.5 + INTERVAL / 2, members - 1)) * np.std(by_member, axis=0, ddof=1)) ** 2
        if sources > 1:
            # normal rather than t: with two sources t would be 6.3, and every interval would say nothing
            by_source = logit(np.clip(each.mean(axis=0), EDGE, 1 - EDGE))
            squared = squared + (_NORMAL * np.std(by_source, axis=0, ddof=1)) ** 2 / sources
        reach = np.sqrt(squared)
        ends = (np.clip(expit(logit(middle) + sign * reach), EDGE, 1 - EDGE) for sign in (-1, 1))
        low, high = ends
        return middle, np.minimum(low, middle), np.maximum(high, middle)

    def reasons(self, accounts: pd.DataFrame) -> np.ndarray:
        """Why each row cannot be assessed, empty where it can be; object of shape (rows,)."""
        counts = {name: account_numbers(accounts, name) for name in COUNTS}
        reasons = np.full(len(accounts), "", dtype=object)
        for name, values in counts.items():
            largest = self.largest[name]
            reasons[values > BEYOND * largest] = f"{name} is out of range: training saw at most {largest:.0f}"
        known = np.sum([~np.isnan(values) for values in counts.values()], axis=0)
        reasons[known < LEAST_COUNTS] = TOO_FEW
        return reasons

    def prior(self, accounts: pd.DataFrame) -> float:
        """Share of fakes among the assessable rows that makes their scores likeliest (Saerens 2002)."""
        own = self.reasons(accounts) == ""
        return em_share(self.balanced(accounts[own]), 0.5)

    def share(self, accounts: pd.DataFrame, *, draws: int = 200, seed: int = 0) -> ShareEstimate:
        """Share of fakes among the assessable rows of a sample, with its interval; see `estimate_share`."""
        own = self.reasons(accounts) == ""
        return estimate_share(self.balanced(accounts[own]), self.reference, draws=draws, seed=seed)

    def save(self, folder: Path) -> None:
        """Write the model as JSON and plain arrays into an existing folder."""
        document = {
            "format": _FORMAT,
            "signals": {name: [sign, *GRID[name].tolist()] for name, sign in SIGNALS.items()},
            "sources": list(self.experts.sources),
            "pairs": [list(pair) for pair in self.experts.pairs],
            "calibrator": self.calibrator.to_dict(),
            "resampled": [one.to_dict() for one in self.resampled],
            "largest": dict(self.largest),
            "base_rate": self.base_rate,
            "metadata": dict(self.metadata),
        }
        (folder / _FILE).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
        arrays = {f"pair_{a}_{b}": table for (a, b), table in self.experts.pairs.items()}
        arrays |= {f"single_{i}": table for i, table in enumerate(self.experts.single)}
        arrays |= {
            "reference_p": self.reference.p,
            "reference_fake": self.reference.fake,
            "reference_source": self.reference.source,
        }
        np.savez_compressed(folder / _ARRAYS, allow_pickle=False, **arrays)


_NORMAL = 1.6449


def _pool(each: np.ndarray) -> np.ndarray:
    """Mean over sources, then over members on the log-odds; shape (rows,)."""
    members = np.clip(each.mean(axis=1), EDGE, 1 - EDGE)
    return np.asarray(expit(logit(members).mean(axis=0)))


def load_account_model(folder: Path) -> AccountModel:
    """Read what `AccountModel.save` wrote.

    Raises
    ------
    AccountModelError
        Where a file is missing or unreadable, or the model was made for other signals or bins than these.
    """
    try:
        document = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        _require_these_signals(document)
        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            pairs = {(a, b): arrays[f"pair_{a}_{b}"] for a, b in document["pairs"]}
            single = tuple(arrays[f"single_{i}"] for i in range(len(SIGNALS)))
            reference = Reference(*(arrays[f"reference_{name}"] for name in ("p", "fake", "source")))
        experts = Experts(tuple(document["sources"]), pairs, single)
        _check_shapes(experts)
        return AccountModel(
            experts,
            Calibrator.from_dict(document["calibrator"]),
            tuple(Calibrator.from_dict(numbers) for numbers in document["resampled"]),
            reference,
            {name: float(document["largest"][name]) for name in COUNTS},
            float(document["base_rate"]),
            document["metadata"],
        )
    except AccountModelError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"not a readable account model: {error}"
        raise AccountModelError(message) from error


def _require_these_signals(document: Mapping[str, Any]) -> None:
    signals = {name: [sign, *GRID[name].tolist()] for name, sign in SIGNALS.items()}
    if document["format"] != _FORMAT or document["signals"] != signals:
        message = "this account model was made for other signals; train it again with `realreach train accounts`"
        raise AccountModelError(message)


def _check_shapes(experts: Experts) -> None:
    columns = experts.single[0].shape[1]
    expected = [((_width(name), columns), table) for name, table in zip(SIGNALS, experts.single, strict=True)]
    for (first, second), table in experts.pairs.items():
        cells = _width(_NAMES[first]) * (1 if first == second else _width(_NAMES[second]))
        expected.append(((cells, columns), table))
    if columns % len(experts.sources) or any(shape != table.shape for shape, table in expected):
        message = "tables do not have the shapes that the signals ask for"
        raise ValueError(message)


def _foreign(sets: Sequence[LabelledAccounts], experts: Experts, config: AccountConfig) -> np.ndarray:
    """What experts of other sources say of each set's rows, at equal numbers; shape (members, rows of all sets).

    With one source alone there are no others: halves of its worlds, or of its rows, stand for them.
    """
    if len(sets) == 1:
        return _across_halves(sets[0], config)
    found = []
    for position, one in enumerate(sets):
        others = np.arange(len(sets)) != position
        each = experts.probabilities(bin_signals(account_signals(one.accounts)))
        found.append(each[:, others].mean(axis=1))
    return np.concatenate(found, axis=1)


def _across_halves(one: LabelledAccounts, config: AccountConfig) -> np.ndarray:
    rng = np.random.default_rng([config.seed, 1])
    found = np.full((config.members, len(one.fake)), np.nan)
    if one.simulated:
        worlds = rng.permutation(np.unique(one.groups))
        first = np.isin(one.groups, worlds[: len(worlds) // 2])
    else:
        first = np.zeros(len(one.fake), dtype=bool)
        for value in (False, True):
            rows = rng.permutation(np.flatnonzero(one.fake == value))
            first[rows[: len(rows) // 2]] = True
    for half in (first, ~first):
        experts = fit_experts([one.take(half)], config)
        found[:, ~half] = experts.probabilities(bin_signals(account_signals(one.accounts[~half])))[:, 0]
    return found


def _line(fake: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Calibrator:
    """Platt's line on the log-odds; none where there is no maximum or it falls."""
    intercept, slope = logistic_line(fake.astype(np.float64), logit(p), weights)
    return Calibrator("sigmoid", intercept, slope, edge=EDGE) if slope > 0 else Calibrator(edge=EDGE)


def fit_accounts(sets: Sequence[LabelledAccounts], config: AccountConfig | None = None) -> AccountModel:
    """Train the account model; every set counts the same, and in it people and fakes.

    Parameters
    ----------
    sets : sequence of LabelledAccounts
        Real or generated, one a source. All generated accounts are one source.
    config : AccountConfig, optional

    Raises
    ------
    ValueError
        As `fit_experts`.
    """
    config = config or AccountConfig()
    experts = fit_experts(sets, config)
    fake = np.concatenate([one.fake for one in sets])
    source = np.repeat(np.arange(len(sets)), [len(one.fake) for one in sets])
    weights = np.concatenate([_balanced(one.fake) for one in sets]) * len(fake) / len(sets)
    foreign = np.clip(_foreign(sets, experts, config), EDGE, 1 - EDGE)
    pooled = expit(logit(foreign).mean(axis=0))
    calibrator = _line(fake, pooled, weights)
    rng = np.random.default_rng([config.seed, 2])
    resampled = []
    for member in foreign:
        drawn = rng.integers(0, len(fake), len(fake))
        resampled.append(_line(fake[drawn], member[drawn], weights[drawn]))
    largest = {
        name: float(max(np.nanmax(account_numbers(one.accounts, name), initial=0.0) for one in sets)) for name in COUNTS
    }
    real = [one.name for one in sets if not one.simulated]
    metadata = {
        "data": " + ".join(real) or "simulated",
        "sets": [
            {
                "name": one.name,
                "rows": len(one.fake),
                "fakes": int(one.fake.sum()),
                "terms": one.terms,
                "simulated": one.simulated,
                "digest": one.digest,
            }
            for one in sets
        ],
        "settings": config.model_dump(),
    }
    reference = Reference(calibrator.apply(pooled), fake, source)
    return AccountModel(experts, calibrator, tuple(resampled), reference, largest, config.base_rate, metadata)


def score_accounts(model: AccountModel, accounts: pd.DataFrame, *, base_rate: float | None = None) -> pd.DataFrame:
    """What `realreach score-accounts` writes: `AccountModel.score` of an accounts table."""
    return model.score(accounts, base_rate=base_rate)


def coverage_risk(
    fake: np.ndarray, p: np.ndarray, coverages: Sequence[float] = (1.0, 0.95, 0.9, 0.8, 0.6)
) -> pd.DataFrame:
    """Errors among the rows that are kept when the least certain are left unassessed.

    Parameters
    ----------
    fake : ndarray of bool, shape (rows,)
    p : ndarray of float64, shape (rows,)
        Probabilities, NaN where the model abstained: such rows are never kept.
    coverages : sequence of float
        Shares of all rows to keep, surest (furthest from one half) first.

    Returns
    -------
    DataFrame
        `coverage` (as reached, at most as asked), `errors` (share of the kept on the wrong side of one half) and
        `brier`; NaN where nothing is kept.
    """
    order = np.argsort(-np.abs(p - 0.5), kind="stable")[: int((~np.isnan(p)).sum())]
    rows = []
    for asked in coverages:
        kept = order[: min(int(np.floor(asked * len(p) + 1e-9)), len(order))]
        wrong = float(((p[kept] >= 0.5) != fake[kept]).mean()) if len(kept) else np.nan
        squared = float(((p[kept] - fake[kept]) ** 2).mean()) if len(kept) else np.nan
        rows.append((len(kept) / max(len(p), 1), wrong, squared))
    return pd.DataFrame(rows, columns=["coverage", "errors", "brier"])


def model_card(model: AccountModel, figures: pd.DataFrame | None = None) -> str:
    """Markdown that says what the model is for, what it was trained on and where it fails.

    Parameters
    ----------
    model : AccountModel
    figures : DataFrame, optional
        As `training.benchmark_accounts.benchmark_accounts` returns it.
    """
    lines = [
        "# Account model",
        "",
        "The probability that an account is fake (bought, automated or left after a sale), from its public profile.",
        "It screens audiences; it does not accuse anybody, and one account's score is weak evidence.",
        "",
        f"Trained on: **{model.metadata['data']}**.",
        "",
        "| set | accounts | fakes | terms | generated |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['name']} | {one['rows']} | {one['fakes']} | {one['terms']} | {'yes' if one['simulated'] else 'no'} |"
        for one in model.metadata["sets"]
    ]
    lines += ["", f"Probabilities assume that {model.base_rate:.0%} of accounts are fake; a sample's own share can be"]
    lines += ["estimated, and the assumption replaced by it.", ""]
    if figures is not None:
        lines += ["| task | metric | value | 95 % interval | target | best floor |", "|---|---|---|---|---|---|"]
        floors = [name for name in figures if str(name).startswith("floor_")]
        for row in figures.to_dict("records"):
            known = [float(row[name]) for name in floors if pd.notna(row[name])]
            floor = f"{max(known):.3f}" if known else ""
            target = f"{row['target']:g}" if pd.notna(row["target"]) else ""
            interval = f"{row['low']:.3f} to {row['high']:.3f}" if pd.notna(row["low"]) else ""
            lines.append(f"| {row['task']} | {row['metric']} | {row['value']:.3f} | {interval} | {target} | {floor} |")
        lines.append("")
    lines += [
        "Weaknesses: better-made fakes with complete profiles and moderate counts look like people here, and only",
        "their behaviour would tell; readers who follow many and never post look like fakes; scores from another",
        "platform, year or country rank better than they are calibrated; a fake's label is its labeller's opinion.",
        "",
    ]
    return "\n".join(lines)


class _Scorer:
    """The model as MLflow's own tools call it: an accounts table in, its scores out."""

    def __init__(self, model: AccountModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return score_accounts(self.model, model_input)


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(load_account_model(Path(path)))
