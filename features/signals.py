"""The registry of signals, and the one function that computes them for training, a batch and a request."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from features import audience, comments, content, coordination, engagement, growth
from features.coordination import Crowd
from features.histories import Histories
from features.registry import Signal

#: Every signal by name, in the order of the columns of the signal frame.
SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for family in (engagement, growth, comments, audience, content, coordination)
    for signal in family.SIGNALS
}
#: What of a signal may change without changing its values.
_ABOUT = ("english", "vietnamese", "source", "points_at", "invariant")


def registry_hash() -> str:
    """Digest of what every signal is and how it is computed: a model fits only signals of the same hash."""
    entries = [{k: v for k, v in asdict(signal).items() if k not in _ABOUT} for signal in SIGNALS.values()]
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:16]


#: Families in the order of `SIGNALS`.
FAMILIES = ("engagement", "growth", "comments", "audience", "content", "coordination")


def signal_columns(
    histories: Histories,
    crowd: Crowd | None = None,
    *,
    families: Collection[str] = FAMILIES,
    threads: int | None = None,
) -> dict[str, np.ndarray]:
    """Compute the signals of some families as arrays.

    Parameters
    ----------
    crowd, threads
        As for `compute_signals`.
    families : collection of str
        Of `FAMILIES`.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where the history does not carry it, never infinite.
    """
    of: Mapping[str, Callable[[], dict[str, np.ndarray]]] = {
        "engagement": lambda: engagement.engagement_signals(histories, threads=threads),
        "growth": lambda: growth.growth_signals(histories, threads=threads),
        "comments": lambda: comments.comments_signals(histories),
        "audience": lambda: audience.audience_signals(histories),
        "content": lambda: content.content_signals(histories),
        "coordination": lambda: coordination.coordination_signals(histories, crowd),
    }
    columns = {name: values for family in families for name, values in of[family]().items()}
    matrix = np.array(list(columns.values()))
    matrix[~np.isfinite(matrix)] = np.nan
    return dict(zip(columns, matrix, strict=True))


def compute_signals(histories: Histories, crowd: Crowd | None = None, *, threads: int | None = None) -> pd.DataFrame:
    """Compute every registered signal of every creator.

    Parameters
    ----------
    crowd : Crowd, optional
        What is known of the creators together, from `features.coordination.make_crowd`; without it the signals of scope
        "crowd" are missing, so that a creator's row is the same alone and among others.
    threads : int, optional
        Of the families of numbers; one a core by default. The result does not depend on it.

    Returns
    -------
    DataFrame of float64
        One row a creator, indexed by creator_id in sorted order; one column a signal, in the order of `SIGNALS`; NaN
        where the history does not carry it, never infinite.
    """
    columns = signal_columns(histories, crowd, threads=threads)
    return pd.DataFrame(
        {name: columns[name] for name in SIGNALS},
        index=pd.Index(histories.creators["creator_id"], name="creator_id"),
    )
