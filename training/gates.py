"""What a model has to show before it may be promoted: each gate says what it measured, its limit, and why, in words.

The figures come from the model's metadata, written when it was trained; a figure that is absent fails its gate.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np

#: How hard a simulated world has to be. A proposal, set by what detectors reach on real data: graph and behaviour
#: models .90 to .96, so that a stump near that, or a model near 1, says that the simulation gives itself away.
STUMP_CEILING = 0.80
DEPTH_2_CEILING = 0.87
SINGLE_SIGNAL_CEILING = 0.85
MODEL_CEILING = 0.985
#: Largest distance between probability and outcome, over ten equal-mass bins, of what may be called a probability.
ECE_CEILING = 0.05
#: How many times its target a head may flag unmanipulated test creators. A proposal: its threshold and its test are
#: each a draw of about a thousand creators, by which a share of 2 % on target comes out above 4 % once in a thousand.
FALSE_ALARM_EXCESS = 2.0
#: The floor that reads every signal, as a head does: a head has to be above it, but not by more than its interval.
_EQUAL_FLOOR = "logistic"

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


class Comparison(TypedDict):
    """The champion on the test creators of another model, and by how much that model's AUC is above the champion's."""

    version: int
    auc: float | None
    difference: Figure


class Metadata(TypedDict):
    """What a registered authenticity model says of itself.

    `data` names the sources that were trained on, "simulated" among them; `measured_on` those of the unseen creators of
    the figures. `composite` and each of `heads` map a metric's name to its figure;
    `floors` maps a floor's name (`training.baselines.FLOORS`) to its metrics, and `head_floors` does by head. `flagged`
    has by head the share flagged of those without the manipulation and of those with it.

    A training run adds `false_alarms_target`, the share of `flagged` that the thresholds were set for, and `compared`,
    the champion of that moment on this model's own test creators; null where there was none that could be asked.
    """

    registry_hash: str
    data: NotRequired[str]
    measured_on: str
    dataset_digest: str
    composite: dict[str, Figure]
    floors: dict[str, dict[str, Figure]]
    best_single_signal: BestSignal
    heads: dict[str, dict[str, Figure]]
    head_floors: dict[str, dict[str, dict[str, Figure]]]
    flagged: dict[str, dict[str, float | None]]
    base_authenticity: NotRequired[float]
    false_alarms_target: NotRequired[float]
    compared: NotRequired[Comparison | None]


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
    metadata: Mapping[str, Any],
    champion_metadata: Mapping[str, Any] | None,
    current_registry_hash: str,
    champion_version: int | None = None,
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
    champion_version : int, optional
        Number of the present champion, by which a comparison made in training is recognised.

    Returns
    -------
    list of Gate
        All of them, passed or not; the model may be promoted where every one has passed. The gates on the simulated
        world's hardness are only there for models trained on it.
    """
    gates = [_registry(metadata, current_registry_hash)]
    if metadata.get("data") == SIMULATED:
        gates += _hardness(metadata)
    floors = _above_floors(metadata)
    gates += [*floors, *_calibrated(metadata), *_false_alarms(metadata)]
    return [*gates, _not_worse(metadata, champion_metadata, champion_version, floors)]


def check_label_gates(
    metadata: Mapping[str, Any], champion_metadata: Mapping[str, Any] | None, current_inputs: str
) -> list[Gate]:
    """Hold a model of accounts or comments against its gates.

    Parameters
    ----------
    metadata, champion_metadata : mapping
        As `training.label_models` writes them: in `heads`, `head_floors` and `composite` as `Metadata`, by source that
        was left out of training; `composite` is the worst of them. None where there is no champion.
    current_inputs : str
        Digest of what the code at hand reads of a row.
    """
    heads, floors = metadata.get("heads", {}), metadata.get("head_floors", {})
    if not heads:
        return [Gate("unseen sources", False, math.nan, math.nan, "no source was left out of training")]
    above = [_above(source, row, floors.get(source, {}), _EQUAL_FLOOR) for source, row in heads.items()]
    probabilities = [
        _ceiling(
            f"probabilities: {source}",
            _figure(row, "brier"),
            _figure(row, "brier_of_base_rate"),
            f"Brier score on unseen {source}, corrected for its share, beside that of the share alone,",
        )
        for source, row in heads.items()
    ]
    return [
        _registry(metadata, current_inputs),
        *above,
        *probabilities,
        _not_worse(metadata, champion_metadata, None, above),
    ]


def check_class_gates(
    metadata: Mapping[str, Any],
    champion_metadata: Mapping[str, Any] | None,
    current_inputs: str,
    above: Sequence[str] = ("accuracy", "macro_f1"),
) -> list[Gate]:
    """Hold a model that tells one of several classes against its gates: niches, opinions, safety.

    Parameters
    ----------
    metadata, champion_metadata : mapping
        As `training.promotion.class_metadata` writes them: `composite` has `macro_f1`, `ece` and what `above` names on
        rows unseen in training, `floors` the latter by floor. None where there is no champion.
    current_inputs : str
        Digest of what the code at hand reads of a row.
    above : sequence of str
        Metrics that have to be above every floor.
    """
    measured, floors = metadata.get("composite", {}), metadata.get("floors", {})
    gates = [_registry(metadata, current_inputs)]
    for metric in above:
        name, low = f"{metric} above its floors", _figure(measured, metric, "low")
        limits = {floor: _figure(row, metric) for floor, row in floors.items()}
        if not limits or any(math.isnan(figure) for figure in (low, *limits.values())):
            gates.append(Gate(name, False, low, math.nan, f"the lower bound of {metric} or a floor is not reported"))
            continue
        best = max(limits, key=limits.__getitem__)
        passed = low > limits[best]
        words = (
            f"lower bound of {metric} {low:.3f} is {'above' if passed else 'not above'} the floor {best}, "
            f"{limits[best]:.3f}"
        )
        gates.append(Gate(name, passed, low, limits[best], words))
    gates.append(_ceiling("calibration", _figure(measured, "ece"), ECE_CEILING, "calibration error of what is told"))
    return [*gates, _reaches_champion(metadata, champion_metadata, "macro_f1", "macro-F1")]


def check_fit_gates(
    metadata: Mapping[str, Any], champion_metadata: Mapping[str, Any] | None, current_inputs: str
) -> list[Gate]:
    """Hold a fit model against its gates.

    Parameters
    ----------
    metadata, champion_metadata : mapping
        As `training.fit_runs` writes them: `composite` has the figures of the ranker on brands and creators unseen in
        training, and `ece` with what a perfect one would show by chance; `floors` those of each floor, with the ranker
        less it on the same brands. None where there is no champion.
    current_inputs : str
        What the code at hand hands to a ranker.
    """
    measured, floors = metadata.get("composite", {}), metadata.get("floors", {})
    gates = [_registry(metadata, current_inputs)]
    name = "AUC above its floors"
    lows = {floor: _figure(row, "auc", "gap_low") for floor, row in floors.items()}
    if not lows or any(math.isnan(low) for low in lows.values()):
        gates.append(Gate(name, False, math.nan, 0.0, "the gap to a floor is not reported"))
    else:
        nearest = min(lows, key=lows.__getitem__)
        passed = lows[nearest] > 0
        words = (
            f"lower bound of the gap in AUC to the floor {nearest} is {lows[nearest]:+.3f}, "
            f"{'above' if passed else 'not above'} 0"
        )
        gates.append(Gate(name, passed, lows[nearest], 0.0, words))
    gap = _figure(floors.get("prior"), "ndcg_at_10", "gap")
    words = f"NDCG@10 less that of the prior: {gap:+.3f}"
    gates.append(Gate("first ten not worse than the prior's", gap >= 0, gap, 0.0, words))
    limit = max(ECE_CEILING, np.nan_to_num(_figure(measured, "ece", "by_chance")))
    gates.append(_ceiling("calibration", _figure(measured, "ece"), limit, "calibration error of the fit told"))
    return [*gates, _reaches_champion(metadata, champion_metadata, "auc", "AUC")]


def _reaches_champion(
    metadata: Mapping[str, Any], champion: Mapping[str, Any] | None, metric: str, called: str
) -> Gate:
    """Whether the upper bound of a figure reaches the champion's, where both were measured on the same data."""
    name = "not worse than champion"
    measured = metadata.get("composite", {})
    value, high = (_figure(measured, metric, key) for key in ("value", "high"))
    if champion is None:
        return Gate(name, True, value, math.nan, "there is no champion yet")
    if metadata.get("dataset_digest") != champion.get("dataset_digest"):
        words = "not comparable: the champion was measured on other data; held to the floors alone"
        return Gate(name, True, value, math.nan, words)
    limit = _figure(champion.get("composite"), metric)
    if math.isnan(high) or math.isnan(limit):
        return Gate(name, False, value, limit, f"the {called} of the model or of the champion is not reported")
    passed = high >= limit
    words = (
        f"{called} {value:.3f} (up to {high:.3f}) {'reaches' if passed else 'stays below'} the champion's {limit:.3f}"
    )
    return Gate(name, passed, value, limit, words)


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


def _above_floors(metadata: Mapping[str, Any]) -> list[Gate]:
    """The composite and every head against floors measured on the same test creators."""
    head_floors = metadata.get("head_floors", {})
    return [
        _above("composite", metadata.get("composite"), metadata.get("floors", {})),
        *(
            _above(name, row, head_floors.get(name, {}), _EQUAL_FLOOR)
            for name, row in metadata.get("heads", {}).items()
        ),
    ]


def _above(what: str, row: Mapping[str, Any] | None, floors: Mapping[str, Any], equal: str = "") -> Gate:
    """Lower bound of an AUC above every floor; above the floor `equal` the AUC itself is enough."""
    name = f"{what} above its floors"
    limits = {floor: _figure(measured, "auc") for floor, measured in floors.items()}
    value, low = (_figure(row, "auc", key) for key in ("value", "low"))
    if not limits or any(math.isnan(figure) for figure in (*limits.values(), value, low)):
        return Gate(name, False, low, math.nan, f"the lower bound of {what} or a floor's AUC is not reported")
    reached = {floor: value if floor == equal else low for floor in limits}
    # the floor that leaves the least room says most
    tightest = min(limits, key=lambda floor: reached[floor] - limits[floor])
    figure, limit = reached[tightest], limits[tightest]
    passed = figure > limit
    measure = "AUC" if tightest == equal else "lower bound of the AUC"
    side = "above" if passed else "not above"
    return Gate(
        name, passed, figure, limit, f"{measure} of {what} {figure:.3f} is {side} the floor {tightest}, {limit:.3f}"
    )


def _calibrated(metadata: Mapping[str, Any]) -> list[Gate]:
    heads = metadata.get("heads", {})
    if not heads:
        return [Gate("calibration", False, math.nan, ECE_CEILING, "no head is reported")]
    measured = {"composite": metadata.get("composite"), **heads}
    return [
        _ceiling(f"calibration: {name}", _figure(row, "ece"), ECE_CEILING, f"calibration error of {name}")
        for name, row in measured.items()
    ]


def _false_alarms(metadata: Mapping[str, Any]) -> list[Gate]:
    target, flagged = _figure(metadata, "false_alarms_target"), metadata.get("flagged", {})
    limit = FALSE_ALARM_EXCESS * target
    gates = []
    for name in metadata.get("heads", {}):
        what = f"share of unmanipulated creators flagged for {name}"
        share = _figure(flagged.get(name), "false_alarms")
        if math.isnan(limit):
            gates.append(
                Gate(f"false alarms: {name}", False, share, limit, f"the target of the {what} is not reported")
            )
        else:
            gates.append(_ceiling(f"false alarms: {name}", share, limit, what))
    return gates


def _not_worse(
    metadata: Mapping[str, Any], champion: Mapping[str, Any] | None, version: int | None, floors: list[Gate]
) -> Gate:
    name = "not worse than champion"
    value, high = (_figure(metadata.get("composite"), "auc", key) for key in ("value", "high"))
    if champion is None:
        return Gate(name, True, value, math.nan, "there is no champion yet")
    digest, compared = metadata.get("dataset_digest"), metadata.get("compared")
    if compared and version is not None and compared.get("version") == version:
        return _compared(name, value, compared)
    if not digest or digest != champion.get("dataset_digest"):
        return _held_to_floors(name, value, floors)
    limit = _figure(champion.get("composite"), "auc")
    if math.isnan(high) or math.isnan(limit):
        return Gate(name, False, value, limit, "the AUC of the model or of the champion is not reported")
    # The same data, so the champion's figure is a number to reach, within what the draw of creators explains.
    passed = high >= limit
    words = f"AUC {value:.3f} (up to {high:.3f}) {'reaches' if passed else 'stays below'} the champion's {limit:.3f}"
    return Gate(name, passed, value, limit, words)


def _compared(name: str, value: float, compared: Mapping[str, Any]) -> Gate:
    limit = _figure(compared, "auc")
    difference, high = (_figure(compared, "difference", key) for key in ("value", "high"))
    if any(math.isnan(figure) for figure in (value, limit, difference, high)):
        words = "the comparison with the champion on this model's test creators is incomplete"
        return Gate(name, False, value, limit, words)
    passed = high >= 0
    words = (
        f"AUC {value:.3f}, the champion's on the same test creators {limit:.3f}: a difference of {difference:+.3f} "
        f"(up to {high:+.3f}) {'is within' if passed else 'is more than'} what the draw of creators explains"
    )
    return Gate(name, passed, value, limit, words)


def _held_to_floors(name: str, value: float, floors: list[Gate]) -> Gate:
    """Against a champion that was never measured on the same creators, only what holds by itself counts."""
    below = [gate.name.removesuffix(" above its floors") for gate in floors if not gate.passed]
    words = "not comparable: the champion was measured on other data; held to the model's own floors instead: "
    words += f"not above them: {', '.join(below)}" if below else "the composite and every head are above them"
    return Gate(name, not below, value, math.nan, words)


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
