"""What a model has to show before it may be promoted: each gate says what it measured, its limit, and why, in words.

The figures come from the model's metadata, written when it was trained; a figure that is absent fails its gate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

#: How hard a simulated world has to be. A proposal, set by what detectors reach on real data: graph and behaviour
#: models .90 to .96, so that a stump near that, or a model near 1, says that the simulation gives itself away.
STUMP_CEILING = 0.80
DEPTH_2_CEILING = 0.87
SINGLE_SIGNAL_CEILING = 0.85
MODEL_CEILING = 0.985
#: Largest distance between probability and outcome, over ten equal-mass bins, of what may be called a probability.
ECE_CEILING = 0.05

SIMULATED = "simulated"


class Figure(TypedDict):
    """A figure with its 95 % interval; the bounds may be absent where none was measured."""

    value: float | None
    low: NotRequired[float | None]
    high: NotRequired[float | None]


class BestSignal(TypedDict):
    """The signal that separates best by itself, its side chosen on the test: an upper bound."""

    name: str
    auc: float | None


class Metadata(TypedDict):
    """What a registered authenticity model says of itself.

    `data` is "simulated" or the name of a source. `composite` and each of `heads` map a metric's name to its figure;
    `floors` maps a floor's name (`training.baselines.FLOORS`) to its metrics.
    """

    registry_hash: str
    data: str
    dataset_digest: str
    composite: dict[str, Figure]
    floors: dict[str, dict[str, Figure]]
    best_single_signal: BestSignal
    heads: dict[str, dict[str, Figure]]


@dataclass(frozen=True)
class Gate:
    """One condition of a promotion.

    Attributes
    ----------
    name : str
        Short and stable, for tables.
    passed : bool
        Whether it lets the model through.
    figure, limit : float
        What was measured and where the limit lies; NaN where the gate is not about a number or the figure is absent.
    words : str
        One sentence for people.
    """

    name: str
    passed: bool
    figure: float
    limit: float
    words: str


def check_gates(
    metadata: Mapping[str, Any], champion_metadata: Mapping[str, Any] | None, current_registry_hash: str
) -> list[Gate]:
    """Hold a model against every gate.

    Parameters
    ----------
    metadata : mapping
        `Metadata` of the model to promote.
    champion_metadata : mapping or None
        `Metadata` of the present champion; None where there is none.
    current_registry_hash : str
        Hash of the signals that the code at hand computes.

    Returns
    -------
    list of Gate
        All of them, passed or not; the model may be promoted where every one has passed. The gates on the simulated
        world's hardness are only there for models trained on it.
    """
    gates = [_registry(metadata, current_registry_hash)]
    if metadata.get("data") == SIMULATED:
        gates += _hardness(metadata)
    return [*gates, _above_floors(metadata), *_calibrated(metadata), _not_worse(metadata, champion_metadata)]


def _registry(metadata: Mapping[str, Any], current: str) -> Gate:
    trained = metadata.get("registry_hash")
    if trained == current:
        words = f"trained on the signals this code computes ({current})"
    else:
        words = f"trained on signals {trained or 'not reported'}, this code computes {current}: train again"
    return Gate("signal registry", trained == current, math.nan, math.nan, words)


def _hardness(metadata: Mapping[str, Any]) -> list[Gate]:
    floors = metadata.get("floors", {})
    single = metadata.get("best_single_signal", {})
    alone = f"the signal {single.get('name', '')!r} alone"
    return [
        _ceiling("world: stump", _figure(floors.get("stump"), "auc"), STUMP_CEILING, "AUC of a stump"),
        _ceiling("world: depth 2", _figure(floors.get("depth_2"), "auc"), DEPTH_2_CEILING, "AUC of a tree of depth 2"),
        _ceiling("world: single signal", _figure(single, "auc"), SINGLE_SIGNAL_CEILING, f"AUC of {alone}"),
        _ceiling("world: model", _figure(metadata.get("composite"), "auc"), MODEL_CEILING, "AUC of the model"),
    ]


def _above_floors(metadata: Mapping[str, Any]) -> Gate:
    floors = {name: _figure(row, "auc") for name, row in metadata.get("floors", {}).items()}
    low = _figure(metadata.get("composite"), "auc", "low")
    name = "composite above its floors"
    if not floors or any(math.isnan(value) for value in (*floors.values(), low)):
        return Gate(name, False, low, math.nan, "the model's lower bound or a floor's AUC is not reported")
    best = max(floors, key=lambda floor: floors[floor])
    passed = low > floors[best]
    side = "above" if passed else "not above"
    words = f"lower bound of the model's AUC {low:.3f} is {side} the best floor, {best}, {floors[best]:.3f}"
    return Gate(name, passed, low, floors[best], words)


def _calibrated(metadata: Mapping[str, Any]) -> list[Gate]:
    heads = metadata.get("heads", {})
    if not heads:
        return [Gate("calibration", False, math.nan, ECE_CEILING, "no head is reported")]
    measured = {"composite": metadata.get("composite"), **heads}
    return [
        _ceiling(f"calibration: {name}", _figure(row, "ece"), ECE_CEILING, f"calibration error of {name}")
        for name, row in measured.items()
    ]


def _not_worse(metadata: Mapping[str, Any], champion: Mapping[str, Any] | None) -> Gate:
    name = "not worse than champion"
    value, high = (_figure(metadata.get("composite"), "auc", key) for key in ("value", "high"))
    if champion is None:
        return Gate(name, True, value, math.nan, "there is no champion yet")
    digest = metadata.get("dataset_digest")
    if not digest or digest != champion.get("dataset_digest"):
        words = "not comparable: the champion was measured on other data"
        return Gate(name, True, value, math.nan, words)
    limit = _figure(champion.get("composite"), "auc")
    if math.isnan(high) or math.isnan(limit):
        return Gate(name, False, value, limit, "the AUC of the model or of the champion is not reported")
    # The same data, so the champion's figure is a number to reach, within what the draw of creators explains.
    passed = high >= limit
    words = f"AUC {value:.3f} (up to {high:.3f}) {'reaches' if passed else 'stays below'} the champion's {limit:.3f}"
    return Gate(name, passed, value, limit, words)


def _ceiling(name: str, figure: float, limit: float, what: str) -> Gate:
    if math.isnan(figure):
        return Gate(name, False, figure, limit, f"{what} is not reported")
    passed = figure <= limit
    return Gate(name, passed, figure, limit, f"{what} {figure:.3f} {'is within' if passed else 'exceeds'} {limit:.3f}")


def _figure(row: Mapping[str, Any] | None, metric: str, key: str = "value") -> float:
    """A number of the metadata, given with its interval or bare; NaN where it is absent."""
    found = (row or {}).get(metric)
    if isinstance(found, Mapping):
        found = found.get(key)
    elif key != "value":
        found = None
    return math.nan if found is None else float(found)
