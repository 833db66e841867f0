"""Signals of coordination between creators."""

from dataclasses import dataclass

import numpy as np

from features.histories import Histories
from features.registry import read_family

SIGNALS = read_family("coordination")


@dataclass(frozen=True)
class Crowd:
    """What is known of a crowd of creators together."""


def coordination_signals(histories: Histories, crowd: Crowd | None) -> dict[str, np.ndarray]:
    """Compute every signal of this family.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    return {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
