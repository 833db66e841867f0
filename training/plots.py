"""Pictures of an evaluation, for people who would rather look."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation import COMPOSITE, Evaluation
from training.metrics import ECE_BINS

#: Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
_MODEL, _FLOOR, _GUIDE = "#0072B2", "#B0B0B0", "#D55E00"


def _figure(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(f"Creators and vendors unseen in training: {evaluation.described}")
    return figure


def _panels(figure: Figure, count: int) -> list[Axes]:
    """The first `count` panels of a grid of six; the others are taken away."""
    panels = list(figure.subplots(2, 3).flat)
    for unused in panels[count:]:
        unused.remove()
    return panels[:count]


def _title(name: str) -> str:
    return "some manipulation" if name == COMPOSITE else name.replace("_", " ")


def reliability(evaluation: Evaluation) -> Figure:
    """Share of manipulated creators against their mean probability, in bins of equal mass, one panel a head."""
    names = list(evaluation.probabilities)
    figure = _figure(evaluation)
    for axis, name in zip(_panels(figure, len(names)), names, strict=True):
        p, y = evaluation.probabilities[name], evaluation.truths[name]
        bins = np.array_split(np.argsort(p, kind="stable"), ECE_BINS)
        points = [(p[rows].mean(), y[rows].mean()) for rows in bins if rows.size]
        axis.plot([0, 1], [0, 1], color=_GUIDE, linewidth=1, linestyle="--")
        axis.plot(*zip(*points, strict=True), color=_MODEL, marker="o", markersize=4)
        axis.set(xlim=(0, 1), ylim=(0, 1), title=_title(name))
        axis.set_xlabel("mean probability")
        axis.set_ylabel("share manipulated")
    return figure


def floors(evaluation: Evaluation) -> Figure:
    """AUC of the model beside its floors, with 95 % intervals, one panel a head."""
    figure = _figure(evaluation)
    for axis, (name, table) in zip(_panels(figure, len(evaluation.floors)), evaluation.floors.items(), strict=True):
        own = evaluation.reports[name].loc["auc"]
        labels = [*table.index.str.replace("_", " "), "model"]
        values = np.array([*table["auc"], own["value"]], dtype=np.float64)
        low = values - np.array([*table["auc_low"], own["low"]], dtype=np.float64)
        high = np.array([*table["auc_high"], own["high"]], dtype=np.float64) - values
        colours = [_FLOOR] * len(table) + [_MODEL]
        axis.barh(labels, values, color=colours, xerr=np.nan_to_num(np.maximum([low, high], 0)), ecolor="#404040")
        axis.set(xlim=(0.4, 1), title=_title(name), xlabel="AUC")
    return figure
