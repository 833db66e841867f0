"""Measure a fitted authenticity model on the test creators: heads, composite, floors, and how hard the world was."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.signals import registry_hash
from training.authenticity import READ, AuthenticityModel, assessable
from training.baselines import fit_floors, single_signal_auc
from training.datasets import Dataset
from training.gates import MODEL_CEILING, SIMULATED, Comparison, Figure, Metadata
from training.metrics import auc, auc_difference, bootstrap_interval, report

COMPOSITE = "any_manipulation"


@dataclass(frozen=True)
class Evaluation:
    """Figures of a model on creators and vendors unseen in training.

    Attributes
    ----------
    reports : dict of str to DataFrame
        For each head and `any_manipulation`: metric → value, low, high, over the creators that could be assessed.
    floors : dict of str to DataFrame
        For the same: floor → auc, auc_low, auc_high, average_precision, log_loss, on the same creators.
    signals : DataFrame
        AUC of every signal alone on `any_manipulation`.
    flagged : DataFrame
        By head: share flagged among unmanipulated and among manipulated creators at the shipped threshold.
    truths, probabilities : dict of str to ndarray
        What the figures were computed from, for plots.
    by_platform : DataFrame
        AUC of the composite by platform, with its interval and number of creators.
    """

    reports: dict[str, pd.DataFrame]
    floors: dict[str, pd.DataFrame]
    signals: pd.DataFrame
    flagged: pd.DataFrame
    truths: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray]
    by_platform: pd.DataFrame
    dataset_digest: str
    source: str

    @property
    def described(self) -> str:
        """What was measured on, in words; campaigns are always simulated."""
        if self.source == SIMULATED:
            return "simulated creators, simulated campaigns"
        return f"creators of {self.source}, simulated campaigns"

    @property
    def too_easy(self) -> bool:
        """Whether the model separates a simulated world so well that the world must be giving itself away."""
        return self.source == SIMULATED and self.composite_auc > MODEL_CEILING

    @property
    def composite_auc(self) -> float:
        """AUC of the model on `any_manipulation`."""
        return float(self.reports[COMPOSITE]["value"]["auc"])

    def metadata(self) -> Metadata:
        """Figures as the gates and the registry keep them; undefined figures are null."""
        best = self.signals.iloc[0]
        return {
            "registry_hash": registry_hash(),
            "measured_on": self.source,
            "dataset_digest": self.dataset_digest,
            "composite": _figures(self.reports[COMPOSITE]),
            "floors": _floor_figures(self.floors[COMPOSITE]),
            "best_single_signal": {"name": str(best.name), "auc": _number(best["auc_either_side"])},
            "heads": {name: _figures(frame) for name, frame in self.reports.items() if name != COMPOSITE},
            "head_floors": {name: _floor_figures(frame) for name, frame in self.floors.items() if name != COMPOSITE},
            "flagged": {
                str(head): {str(figure): _number(value) for figure, value in row.items()}
                for head, row in self.flagged.iterrows()
            },
        }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _figures(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        str(metric): {"value": _number(row["value"]), "low": _number(row["low"]), "high": _number(row["high"])}
        for metric, row in frame.iterrows()
    }


def _floor_figures(frame: pd.DataFrame) -> dict[str, dict[str, Figure]]:
    return {
        str(floor): {
            "auc": {
                "value": _number(row["auc"]),
                "low": _number(row["auc_low"]),
                "high": _number(row["auc_high"]),
            }
        }
        for floor, row in frame.iterrows()
    }


def _floors(train: Dataset, test: Dataset, name: str, seed: int, draws: int) -> pd.DataFrame:
    return fit_floors(
        train.signals[list(READ)],
        train.truth[name].to_numpy(dtype=bool),
        test.signals[list(READ)],
        test.truth[name].to_numpy(dtype=bool),
        clusters=test.creators["creator"].to_numpy(),
        draws=draws,
        seed=seed,
    ).metrics


def _assessable_part(dataset: Dataset, name: str) -> Dataset:
    known = assessable(dataset.signals)
    rows = known.any(axis=1) if name == COMPOSITE else known[name]
    return dataset.only(dataset.signals.index[rows])


def evaluate(
    model: AuthenticityModel, dataset: Dataset, test: Dataset, *, seed: int = 0, draws: int = 200
) -> Evaluation:
    """Measure a model on creators that it was not fitted on; floors are fitted on those that it was.

    Figures of a head are over the test creators whom it assessed; its floors are fitted on the training creators whom
    it could assess, and measured on the very same test creators. Intervals resample creators, all copies together.

    Parameters
    ----------
    dataset : Dataset
        What the model was fitted on; only its "train" split is touched.
    test : Dataset
    """
    train = dataset.part("train")
    scores = model.score(test.signals)
    probabilities = {name: scores[f"{name}_probability"].dropna() for name in model.heads}
    probabilities[COMPOSITE] = (1 - scores["authenticity"]).dropna()
    probabilities = {name: p for name, p in probabilities.items() if not p.empty}
    truths = {name: test.truth.loc[p.index, name].to_numpy(dtype=bool) for name, p in probabilities.items()}
    clusters = {name: test.creators.loc[p.index, "creator"].to_numpy() for name, p in probabilities.items()}
    flagged = {}
    for name in probabilities.keys() - {COMPOSITE}:
        flag = scores.loc[probabilities[name].index, f"{name}_flagged"].to_numpy(dtype=bool)
        honest = ~test.truth.loc[probabilities[name].index, COMPOSITE].to_numpy(dtype=bool)
        flagged[name] = {"false_alarms": _mean(flag[honest]), "recall": _mean(flag[truths[name]])}
    by_platform = {}
    for platform, ids in probabilities[COMPOSITE].groupby(test.creators["platform"]).groups.items():
        y, p = test.truth.loc[ids, COMPOSITE].to_numpy(dtype=bool), probabilities[COMPOSITE].loc[ids].to_numpy()
        groups = test.creators.loc[ids, "creator"].to_numpy()
        by_platform[str(platform)] = {
            **bootstrap_interval(auc, y, p, groups, draws=draws, seed=seed)._asdict(),
            "creators": len(p),
        }
    return Evaluation(
        reports={
            name: report(
                truths[name],
                p.to_numpy(),
                clusters[name],
                threshold=model.heads[name].least_flagged if name in model.heads else None,
                draws=draws,
                seed=seed,
            )
            for name, p in probabilities.items()
        },
        floors={
            name: _floors(_assessable_part(train, name), test.only(p.index), name, seed, draws)
            for name, p in probabilities.items()
        },
        signals=single_signal_auc(test.signals, test.truth[COMPOSITE].to_numpy(dtype=bool)),
        flagged=pd.DataFrame.from_dict(flagged, orient="index")
        .rename_axis("head")
        .reindex([name for name in model.heads if name in flagged]),
        truths=truths,
        probabilities={name: p.to_numpy() for name, p in probabilities.items()},
        by_platform=pd.DataFrame.from_dict(by_platform, orient="index").rename_axis("platform"),
        dataset_digest=test.digest,
        source=test.source,
    )


def compare(
    model: AuthenticityModel,
    champion: AuthenticityModel,
    version: int,
    test: Dataset,
    *,
    seed: int = 0,
    draws: int = 200,
) -> Comparison:
    """Measure the champion on the test creators of another model.

    Parameters
    ----------
    model : AuthenticityModel
    champion : AuthenticityModel
        One that reads the same signals. If these creators were among those it was trained on, it has the advantage.
    version : int
        The champion's number.
    test : Dataset
        Creators that `model` was not fitted on; only those whom both could assess count.
    seed, draws : int
        Of the interval of the difference.
    """
    both = pd.DataFrame({"own": model.score(test.signals)["authenticity"]})
    both["champion"] = champion.score(test.signals)["authenticity"]
    both = 1 - both.dropna()
    truth = test.truth.loc[both.index, COMPOSITE].to_numpy(dtype=bool)
    own, its = both["own"].to_numpy(), both["champion"].to_numpy()
    value, low, high = (_number(figure) for figure in auc_difference(truth, own, its, draws=draws, seed=seed))
    return {
        "version": version,
        "auc": _number(auc(truth, its)),
        "difference": {"value": value, "low": low, "high": high},
    }


def _mean(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else float("nan")
