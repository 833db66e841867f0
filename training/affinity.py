"""What brands' past choices teach about who suits whom: a learned similarity, precedents, and categories.

Fitted on known brands, their creators and who worked with whom; every matrix of similarities that comes out has about
mean 0 and variance 1 on the pairs it was fitted on, so that they can be added and compared with rivals.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from features.fit import Floats, Side, against_rivals, are_shares, check_comparable, unit_rows

#: Weight of the pull towards the plain cosine, temperature and steps of the learned similarity; like the next two,
#: chosen by cross-validation over brands of the training half of gan2019_dev.
PULL, TEMPERATURE, STEPS = 0.03, 0.2, 60
#: Temperature of the attention to known brands and creators, and what a pair without any precedent counts.
ATTENTION, NO_PRECEDENT = 0.1, 1e-6
#: Inverse strength of the penalty of the category model, and the least probability it gives.
CATEGORY_STRENGTH, LEAST_PROBABILITY = 1.0, 1e-3
_LEAST_DEVIATION = 1e-9
#: Creators that the learned similarity is fitted on at most: its cost grows with brands × creators.
_MOST_CREATORS = 5_000
#: Name of the sum of all views, and suffix of a signal that compares with other briefs.
VIEWS, OVER_RIVALS = "views", "_over_rivals"


def fit_similarity(briefs: Floats, creators: Floats, worked: np.ndarray) -> Floats:
    """Learn the matrix W of a similarity b W c that tells for each creator which of the brands it worked with.

    Cross entropy over brands for each creator that worked with one, and a pull of W towards the identity, which is the
    plain product: where there is little to learn from, little changes.

    Parameters
    ----------
    briefs, creators : ndarray of float64, shapes (briefs, dimensions) and (creators, dimensions)
    worked : ndarray of bool, shape (briefs, creators)

    Returns
    -------
    ndarray of float64, shape (dimensions, dimensions)
    """
    chosen = np.flatnonzero(worked.any(axis=0))[:_MOST_CREATORS]
    creators, pairs = creators[chosen], worked[:, chosen].astype(np.float64)
    total, identity = max(pairs.sum(), 1.0), np.eye(briefs.shape[1])

    def loss(weights: Floats) -> tuple[float, Floats]:
        matrix = weights.reshape(identity.shape)
        scores = briefs @ matrix @ creators.T / TEMPERATURE
        told = log_softmax(scores, axis=0)
        away = matrix - identity
        pull = (np.exp(told) * pairs.sum(axis=0) - pairs) / total / TEMPERATURE
        value = -(pairs * told).sum() / total + PULL * (away**2).sum() / 2
        return float(value), (briefs.T @ pull @ creators + PULL * away).ravel()

    found = minimize(loss, identity.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(found.x.reshape(identity.shape))


Prepared = Mapping[str, Floats]


def _prepared(side: Side, shares: Mapping[str, bool]) -> dict[str, Floats]:
    return {name: unit_rows(side.views[name], kind) for name, kind in shares.items()}


def _beside(prepared: Prepared) -> Floats:
    return np.hstack(list(prepared.values()))


def _centred(rows: Floats, middle: Floats) -> Floats:
    """Rows less the middle, of unit length; a row of zeros says nothing and stays."""
    return unit_rows(np.where(rows.any(axis=1, keepdims=True), rows - middle, 0.0))


def _scale(values: Floats) -> tuple[float, float]:
    middle, deviation = float(values.mean()), float(values.std())
    # what does not vary but for rounding says nothing, and must not be blown up
    return middle, deviation if deviation > _LEAST_DEVIATION * max(1.0, abs(middle)) else 1.0


def _fit_categories(creators: Floats, worked: np.ndarray, categories: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    """Weights that tell the category of the brands that a creator works with; none where there is only one."""
    named = np.array(categories, dtype=object)
    brand, creator = np.nonzero(worked & (named != "")[:, None])
    names = tuple(sorted(set(named[brand])))
    if len(names) < 2:
        return (), np.zeros((creators.shape[1] + 1, 0))
    places = np.array([names.index(name) for name in named[brand]])
    model = LogisticRegression(C=CATEGORY_STRENGTH, max_iter=2_000).fit(creators[creator], places)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(names) == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercepts = np.append(0.0, intercepts)
    return names, np.vstack([coefficients.T, intercepts])


@dataclass(frozen=True)
class Affinity:
    """Similarities of any briefs and creators, by what is known of others.

    Attributes
    ----------
    shares : mapping of str to bool
        Which views are shares.
    matrix : ndarray of float64
        Of the learned similarity, over all prepared views side by side.
    known_briefs, known_creators : mapping of str to ndarray of float64
        Prepared views of those with precedents.
    precedents : ndarray of float64, shape (known briefs, known creators)
        Each brief's part in who worked with it; rows sum to 1.
    categories : tuple of str
        That the category model tells apart; empty where fewer than two were given.
    known_categories : tuple of str
        Of the known briefs, empty text where not known.
    category_weights : ndarray of float64, shape (dimensions + 1, categories)
        Of the multinomial logistic regression; the last row is the intercept.
    scales : mapping of str to tuple of float
        Mean and standard deviation of each similarity where it was fitted.
    """

    shares: Mapping[str, bool]
    matrix: Floats
    known_briefs: Prepared
    known_creators: Prepared
    precedents: Floats
    categories: tuple[str, ...]
    known_categories: tuple[str, ...]
    category_weights: Floats
    scales: Mapping[str, tuple[float, float]]

    @classmethod
    def fit(cls, briefs: Side, creators: Side, worked: np.ndarray, categories: Sequence[str] | None = None) -> Self:
        """Learn from who worked with whom.

        Parameters
        ----------
        briefs, creators : Side
        worked : ndarray of bool, shape (briefs, creators)
        categories : sequence of str, optional
            Of the briefs; empty text where not known.

        Raises
        ------
        features.fit.SidesError
            Where the views of the two sides differ.
        """
        check_comparable(briefs, creators)
        shares = {name: are_shares([briefs.views[name], creators.views[name]]) for name in briefs.views}
        here, there = _prepared(briefs, shares), _prepared(creators, shares)
        told = tuple(categories) if categories is not None else ("",) * len(briefs)
        names, weights = _fit_categories(_beside(there), worked, told)
        own = worked.astype(np.float64)
        precedents = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
        matrix = fit_similarity(_beside(here), _beside(there), worked)
        model = cls(shares, matrix, here, there, precedents, names, told, weights, {})
        raw = model._raw(here, there, told)
        scales = {name: _scale(values) for name, values in raw.items()}
        sums = np.sum([(raw[name] - scales[name][0]) / scales[name][1] for name in shares], axis=0)
        return replace(model, scales={**scales, VIEWS: _scale(sums)})

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of what `pair_signals` returns, in its order."""
        return (*self.scales, *(f"{name}{OVER_RIVALS}" for name in self.scales))

    def _raw(self, here: Prepared, there: Prepared, categories: Sequence[str]) -> dict[str, Floats]:
        found = {}
        for name in self.shares:
            middles = self.known_briefs[name].mean(axis=0), self.known_creators[name].mean(axis=0)
            found[name] = here[name] @ there[name].T
            found[f"{name}_centred"] = _centred(here[name], middles[0]) @ _centred(there[name], middles[1]).T
        left, right = _beside(here), _beside(there)
        found["learned"] = left @ self.matrix @ right.T
        alike = softmax(left @ _beside(self.known_briefs).T / ATTENTION, axis=1)
        among = softmax(right @ _beside(self.known_creators).T / ATTENTION, axis=1)
        found["precedent"] = np.log(alike @ self.precedents @ among.T + NO_PRECEDENT)
        if self.categories:
            found["category"] = self._category(right, categories)
        return found

    def _category(self, creators: Floats, categories: Sequence[str]) -> Floats:
        """Log-probability that a creator works in a brief's category; alike for all where it was never seen."""
        chances = softmax(creators @ self.category_weights[:-1] + self.category_weights[-1], axis=1)
        unknown = np.full(len(creators), 1 / len(self.categories))
        of_category = dict(zip(self.categories, chances.T, strict=True))
        return np.log(np.array([of_category.get(name, unknown) for name in categories]) + LEAST_PROBABILITY)

    def _similarities(self, here: Prepared, there: Prepared, categories: Sequence[str]) -> dict[str, Floats]:
        raw = self._raw(here, there, categories)
        scaled = {name: (values - self.scales[name][0]) / self.scales[name][1] for name, values in raw.items()}
        middle, deviation = self.scales[VIEWS]
        sums = np.sum([scaled[name] for name in self.shares], axis=0)
        return {**scaled, VIEWS: (sums - middle) / deviation}

    def similarities(self, briefs: Side, creators: Side, categories: Sequence[str] | None = None) -> dict[str, Floats]:
        """Every similarity of every pair, by name, each of shape (briefs, creators)."""
        check_comparable(briefs, creators)
        check_comparable(briefs, Side(self.known_creators))
        here, there = _prepared(briefs, self.shares), _prepared(creators, self.shares)
        return self._similarities(here, there, categories if categories is not None else [""] * len(briefs))

    def pair_signals(
        self, briefs: Side, creators: Side, categories: Sequence[str] | None = None, *, together: bool
    ) -> dict[str, Floats]:
        """Signals of every pair, by name, each of shape (briefs, creators): similarities, and the same over rivals.

        Parameters
        ----------
        briefs, creators : Side
        categories : sequence of str, optional
            Of the briefs; empty text where not known.
        together : bool
            The briefs are rivals of each other; otherwise each stands alone against the known ones.

        Raises
        ------
        features.fit.SidesError
            Where the views differ from each other or from those that were fitted.
        """
        own = self.similarities(briefs, creators, categories)
        others = None
        if not together:
            others = self._similarities(self.known_briefs, _prepared(creators, self.shares), self.known_categories)
        over = {
            f"{name}{OVER_RIVALS}": against_rivals(values, None if others is None else others[name])
            for name, values in own.items()
        }
        return {**own, **over}

    def save(self, folder: Path) -> None:
        """Write the arrays as `affinity.npz` and the names as `affinity.json`."""
        arrays: dict[str, Any] = {
            "matrix": self.matrix,
            "precedents": self.precedents,
            "category_weights": self.category_weights,
            **{f"brief_{name}": view for name, view in self.known_briefs.items()},
            **{f"creator_{name}": view for name, view in self.known_creators.items()},
        }
        np.savez_compressed(folder / "affinity.npz", allow_pickle=False, **arrays)
        about = {
            "shares": self.shares,
            "categories": self.categories,
            "known_categories": self.known_categories,
            "scales": self.scales,
        }
        (folder / "affinity.json").write_text(json.dumps(about, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        about = json.loads((folder / "affinity.json").read_text(encoding="utf-8"))
        with np.load(folder / "affinity.npz", allow_pickle=False) as arrays:
            return cls(
                about["shares"],
                arrays["matrix"],
                {name: arrays[f"brief_{name}"] for name in about["shares"]},
                {name: arrays[f"creator_{name}"] for name in about["shares"]},
                arrays["precedents"],
                tuple(about["categories"]),
                tuple(about["known_categories"]),
                arrays["category_weights"],
                {name: (mean, deviation) for name, (mean, deviation) in about["scales"].items()},
            )
