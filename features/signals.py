"""The registry of signals, and the one function that computes them for training, a batch and a request."""

import hashlib
import json
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
    columns = (
        engagement.engagement_signals(histories, threads=threads)
        | growth.growth_signals(histories, threads=threads)
        | comments.comments_signals(histories)
        | audience.audience_signals(histories)
        | content.content_signals(histories)
        | coordination.coordination_signals(histories, crowd)
    )
    frame = pd.DataFrame(
        {name: columns[name] for name in SIGNALS},
        index=pd.Index(histories.creators["creator_id"], name="creator_id"),
    )
    return frame.where(np.isfinite(frame))
