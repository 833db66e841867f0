"""How much of a count is manufactured: a regression of the share, and an interval learnt on unseen creators."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Coverage of the interval of a share.
INTERVAL = 0.90
#: Calibration creators behind each knot, at least, and knots, at most.
LEAST_AT_KNOT, MOST_KNOTS = 40, 24


@dataclass(frozen=True)
class ShareModel:
    """Estimates the manufactured share of a count.

    The booster's own estimate orders creators; what shares creators with such an estimate really had is read off the
    calibration creators: the mean and the shortest interval at knots along the estimate, a line between them. Intervals
    count one creator more than there are (split conformal prediction, Vovk et al. 2005), among neighbours along the
    estimate (Lei et al. 2018), so that they hold `INTERVAL` of creators that are alike and not only of all.

    Attributes
    ----------
    booster : lightgbm.Booster
        Signals to a first estimate in [0, 1]; its raw score is the logit of it.
    knots : tuple of float
        Rising first estimates.
    middle, low, high : tuple of float
        Share and ends of its interval at each knot, none falling.
    """

    booster: lgb.Booster
    knots: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def read(self, first: Floats) -> Floats:
        """Share, lower and upper end for estimates of the booster, float64 of shape (3, rows)."""
        return np.stack([np.interp(first, self.knots, line) for line in (self.middle, self.low, self.high)])

    def to_dict(self) -> dict[str, list[float]]:
        """The numbers beside the booster, as plain JSON values."""
        return {name: list(getattr(self, name)) for name in ("knots", "middle", "low", "high")}

    @classmethod
    def from_dict(cls, booster: lgb.Booster, numbers: Mapping[str, Any]) -> Self:
        """The model that `to_dict` described.

        Raises
        ------
        ValueError
            Where the lists are not of one length, or one falls.
        """
        lists = {name: tuple(map(float, numbers[name])) for name in ("knots", "middle", "low", "high")}
        same = len({len(values) for values in lists.values()}) == 1 and bool(lists["knots"])
        if not same or any(list(values) != sorted(values) for values in lists.values()):
            raise ValueError("knots, middle, low and high must be rising lists of one length")
        return cls(booster, **lists)


def calibrate_share(booster: lgb.Booster, first: Floats, shares: Floats) -> ShareModel:
    """Learn what a booster's estimates mean.

    Parameters
    ----------
    first : ndarray of shape (creators,)
        Estimates of creators that the booster was not trained on.
    shares : ndarray of shape (creators,)
        Their true shares.

    Raises
    ------
    ValueError
        Where there are fewer than `LEAST_AT_KNOT` creators.
    """
    if len(first) < LEAST_AT_KNOT:
        raise ValueError(f"at least {LEAST_AT_KNOT} creators are needed to calibrate a share, found {len(first)}")
    order = np.argsort(first, kind="stable")
    parts = np.array_split(order, min(len(first) // LEAST_AT_KNOT, MOST_KNOTS))
    intervals = [_shortest(shares[part]) for part in parts]
    lines = {
        "knots": [float(first[part].mean()) for part in parts],
        "middle": [float(shares[part].mean()) for part in parts],
        "low": [low for low, _ in intervals],
        "high": [high for _, high in intervals],
    }
    # where nearly nobody has any, the mean of a few is above the interval; where nearly everybody, below
    lines["high"] = np.maximum(lines["high"], lines["middle"]).tolist()
    lines["low"] = np.minimum(lines["low"], lines["middle"]).tolist()
    rising = {name: tuple(np.maximum.accumulate(line).tolist()) for name, line in lines.items()}
    return ShareModel(booster, **rising)


def _shortest(values: Floats) -> tuple[float, float]:
    """Ends of the shortest interval that holds `INTERVAL` of the values and one more.

    Many creators have nothing manufactured: an interval with as much beyond either end would hold too many, since
    nobody is below 0.
    """
    ordered = np.sort(values)
    held = min(int(np.ceil((len(ordered) + 1) * INTERVAL)), len(ordered))
    starts = np.arange(len(ordered) - held + 1)
    best = int(starts[np.argmin(ordered[starts + held - 1] - ordered[starts])])
    return float(ordered[best]), float(ordered[best + held - 1])
