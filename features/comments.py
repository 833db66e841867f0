"""Signals of comments."""

import numpy as np

from features.histories import Histories
from features.registry import read_family

SIGNALS = read_family("comments")


def comments_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every signal of this family.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    return {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
