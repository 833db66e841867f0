"""The registry of signals, and the one function that computes them for training, a batch and a request."""

import hashlib
import json
from dataclasses import asdict

import numpy as np
import pandas as pd

from features import engagement, growth
from features.histories import Histories
from features.registry import Signal

#: Every signal by name, in the order of the columns of the signal frame.
SIGNALS: dict[str, Signal] = {signal.name: signal for family in (engagement, growth) for signal in family.SIGNALS}


def registry_hash() -> str:
    """Digest of every signal's name, unit, direction and family: a model fits only signals of the same hash."""
    entries = [
        {k: v for k, v in asdict(signal).items() if k not in ("english", "vietnamese")} for signal in SIGNALS.values()
    ]
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:16]


def compute_signals(histories: Histories) -> pd.DataFrame:
    """Compute every registered signal of every creator.

    Returns
    -------
    DataFrame of float64
        One row a creator, indexed by creator_id in sorted order; one column a signal, in the order of `SIGNALS`; NaN
        where the history does not carry it, never infinite.
    """
    columns = engagement.engagement_signals(histories) | growth.growth_signals(histories)
    frame = pd.DataFrame(
        {name: columns[name] for name in SIGNALS},
        index=pd.Index(histories.creators["creator_id"], name="creator_id"),
    )
    return frame.where(np.isfinite(frame))
