"""What models of classes have in common on their way to champion."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from training import tracking
from training.gates import Gate

#: Metadata of a candidate and of the champion (None where there is none) to gates.
Check = Callable[[Mapping[str, Any], Mapping[str, Any] | None], list[Gate]]


def promote_by(name: str, version: int | None, check: Check) -> tuple[int, list[Gate]]:
    """Hold a version (the challenger where left out) against the gates; make it champion where every one passes.

    Returns
    -------
    tuple of int and list of Gate

    Raises
    ------
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
        As `training.tracking.download`.
    """
    version = version or tracking.resolve(name, tracking.CHALLENGER).version
    candidate = tracking.read_metadata(name, version)
    try:
        champion = tracking.read_metadata(name, tracking.resolve(name, tracking.CHAMPION).version)
    except tracking.ModelNotFoundError:
        champion = None
    gates = check(candidate, champion)
    if all(gate.passed for gate in gates):
        tracking.promote(name, version)
    return version, gates


def class_metadata(figures: pd.DataFrame, above: Sequence[str]) -> dict[str, Any]:
    """Figures as `training.gates.check_class_gates` reads them.

    Parameters
    ----------
    figures : DataFrame
        Of one task: `metric`, `value`, `low`, `high` and `floor_<name>`.
    above : sequence of str
        Metrics that floors are reported for.
    """
    rows = figures.set_index("metric")
    floors = [str(name) for name in figures.columns if str(name).startswith("floor_")]

    def known(figure: float) -> float | None:
        return None if math.isnan(figure) else float(figure)

    return {
        "composite": {
            str(metric): {key: known(row[key]) for key in ("value", "low", "high")} for metric, row in rows.iterrows()
        },
        "floors": {
            name.removeprefix("floor_"): {metric: {"value": known(rows[name].loc[metric])} for metric in above}
            for name in floors
        },
    }
