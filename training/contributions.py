"""Which groups of signals carried a decision: contributions summed over what signals measure together.

Signals that move together share what a tree ensemble learned from them, and which of them a tree happened to split on
is chance: taken one by one, a decision is spread thin over near copies, or said three times in other words. Shapley
values add up (Lundberg and Lee 2017, "local accuracy"), so their sum over a group of `features.evidence.GROUPS` is what
the group added to the head's logit, against contributions of the same group included. A group is spoken for by its
strongest signal.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from features.evidence import GROUP_OF, GROUPS
from training.authenticity import READ, AuthenticityModel

#: Groups that are named for a head.
MOST_GROUPS = 3

#: Places in `READ` of the signals of each group that heads read; of some groups they read none.
_MEMBERS = {name: np.flatnonzero([GROUP_OF[signal] == name for signal in READ]) for name in GROUPS}


def group_sums(contributions: np.ndarray) -> np.ndarray:
    """Sums of the contributions of signals by group.

    Parameters
    ----------
    contributions : ndarray of float64, shape (creators, signals)
        Logit units, in the order of `training.authenticity.READ`.

    Returns
    -------
    ndarray of float64, shape (creators, groups)
        In the order of `features.evidence.GROUPS`.
    """
    sums = np.zeros((len(contributions), len(GROUPS)))
    for place, members in enumerate(_MEMBERS.values()):
        # one after the other: the order in which `sum` adds depends on how many creators there are, and so its last bit
        for member in members:
            sums[:, place] += contributions[:, member]
    return sums


def carrying_groups(
    model: AuthenticityModel,
    signals: pd.DataFrame,
    scores: pd.DataFrame,
    platforms: pd.Series,
    *,
    usual: tuple[np.ndarray, np.ndarray] | None = None,
    most: int = MOST_GROUPS,
) -> list[list[dict[str, Any]]]:
    """Groups of signals that carried each head above its base rate, strongest first.

    A group is spoken for by the signal that adds most of those that have a value and are out of their typical range; by
    the one that adds most where none is. Groups of the first sort are named; the others only where there is none of it,
    because a person cannot see anything unusual in them. What a head makes of a missing value counts in the sum, but a
    missing value speaks for no group.

    Parameters
    ----------
    signals, scores : DataFrame
        What `model.score` was given and returned.
    platforms : Series
        Platform of each creator, in the order of `signals`.
    usual : tuple of two ndarrays of shape (creators, signals), optional
        Lower and upper end of what is usual among peers, NaN where unknown: it stands in for the typical range.
    most : int
        Groups of each creator and head.

    Returns
    -------
    list of list of dict
        For each creator, entries with `head`, `group`, `contribution` (of the group, logit units, above 0), `signals`
        (how many of the group that have a value add something) and, of the signal that speaks for it, `signal`, `value`
        and the typical range (`typical_low`, `typical_high`, null where unknown).
    """
    probabilities = {name: scores[f"{name}_probability"].to_numpy() for name in model.heads}
    x = signals[list(READ)].to_numpy(dtype=np.float64)
    return groups_that_carry(model, x, probabilities, platforms.tolist(), usual=usual, most=most)


def groups_that_carry(
    model: AuthenticityModel,
    x: np.ndarray,
    probabilities: Mapping[str, np.ndarray],
    platforms: Sequence[str],
    *,
    usual: tuple[np.ndarray, np.ndarray] | None = None,
    most: int = MOST_GROUPS,
) -> list[list[dict[str, Any]]]:
    """The same of arrays: signals in the order of `READ`, shape (creators, signals), and probabilities by head."""
    low, high = _typical(model, platforms)
    if usual is not None:
        known = ~np.isnan(usual[0])
        low, high = np.where(known, usual[0], low), np.where(known, usual[1], high)
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(x))]
    base_rates = model.base_rates
    for name, head in model.heads.items():
        raised = np.flatnonzero(probabilities[name] > base_rates[name])
        if not raised.size:
            continue
        weights = head.contributions(x[raised])
        sums = group_sums(weights)
        for row, own, total in zip(raised, weights, sums, strict=True):
            entries = _entries(x[row], own, total, low[row], high[row])
            found[row] += [{"head": name, **entry} for entry in entries[:most]]
    return [sorted(entries, key=itemgetter("contribution"), reverse=True) for entries in found]


def _typical(model: AuthenticityModel, platforms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Typical ranges of each creator's platform, two arrays of shape (creators, signals), NaN where unknown."""
    ranges = model.typical_ranges
    low, high = np.full((2, len(platforms), len(READ)), np.nan)
    for row, platform in enumerate(platforms):
        if platform in ranges:
            low[row], high[row] = ranges[platform]
    return low, high


def _entries(
    values: np.ndarray, weights: np.ndarray, sums: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[dict[str, Any]]:
    """Entries of one creator and head, the strongest first."""
    adds = ~np.isnan(values) & (weights > 0)
    # where no range is known nothing says that the value is usual
    unusual = adds & ~((values >= low) & (values <= high))
    raising = [
        (name, members, total) for (name, members), total in zip(_MEMBERS.items(), sums, strict=True) if total > 0
    ]
    speakers = unusual if any(unusual[members].any() for _, members, _ in raising) else adds
    entries = []
    for name, members, total in raising:
        own = members[speakers[members]]
        if own.size:
            speaks = own[np.argmax(weights[own])]
            entries.append(
                {
                    "group": name,
                    "signals": int(np.count_nonzero(adds[members])),
                    "signal": READ[speaks],
                    "value": float(values[speaks]),
                    "typical_low": _known(low[speaks]),
                    "typical_high": _known(high[speaks]),
                    "contribution": float(total),
                }
            )
    return sorted(entries, key=itemgetter("contribution"), reverse=True)


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
