"""The authenticity model: five heads over the signals, one probability of being authentic, and what carried it.

A head is a small bag of LightGBM boosters, each trained on its own resample of creators. Their mean is calibrated on
creators unseen in training; their spread, each through a calibrator fitted to a resample too, gives the interval. A
head abstains where a history lacks what it reads. Authenticity is the calibrated probability that no kind of
manipulation is there. What part of the followers, likes, views and comments is manufactured is estimated by models of
its own (`training.shares`): a probability of some is no estimate of how much.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import t as student_t

from features.coordination import Crowd
from features.histories import Histories
from features.signals import FAMILIES, SIGNALS, registry_hash, signal_columns
from features.tables import HEADS
from training.calibration import Calibrator, apply_each, column_of
from training.merged import MOST_ROWS, merge_boosters, raw_scores
from training.quantification import shift_prior
from training.shares import ShareModel

#: Coverage of the interval around a probability.
INTERVAL = 0.90
#: Probabilities are kept this far from 0 and 1 on the logit scale.
_EDGE = 1e-4
#: Rows below which one thread is faster than several, in training and in scoring.
SMALL, SMALL_TO_SCORE = 20_000, 2_000

#: Signals of which a head needs any one, and what that takes (a message to translate).
NEEDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bought_followers": (
        ("follower_gain_max_step_z_all",),
        "needs at least 9 follower snapshots",
    ),
    "bought_likes": (
        ("likes_log_mad_all",),
        "needs at least 8 posts with like counts, seen 2 days after publication or later",
    ),
    "bought_views": (
        ("views_log_mad_all",),
        "needs at least 8 posts with view counts, seen 2 days after publication or later",
    ),
    "comment_bots": (
        ("comments_zero_share_all", "comment_short_share_all"),
        "needs at least 20 comments, or 8 posts with comment counts, seen 2 days after publication or later",
    ),
    "engagement_pods": (
        ("comments_per_like_log_mad_all", "comment_first_hour_share_all"),
        "needs at least 20 comments of posts a week old, or 8 posts with like and comment counts, seen 2 days later",
    ),
}

#: The head whose first need a share has too: a share of what is not counted cannot be estimated.
SHARE_NEEDS: Mapping[str, str] = {
    "followers": "bought_followers",
    "likes": "bought_likes",
    "views": "bought_views",
    "comments": "comment_bots",
}

#: Why a head that the model was not trained for abstains (a message to translate).
NO_HEAD = "the model was not trained for it"

_MODEL_FILE = "model.json"


#: Signals that heads read. What a creator writes about is no trace of manipulation: simulated captions would teach
#: heads to suspect topics.
READ = tuple(name for name, signal in SIGNALS.items() if signal.family != "content")
_READ_FAMILIES = tuple(family for family in FAMILIES if family != "content")


def read_signals(histories: Histories, crowd: Crowd | None = None, *, threads: int | None = None) -> np.ndarray:
    """Signals that heads read, float64 of shape (creators, signals) in the order of `READ`.

    Parameters
    ----------
    crowd, threads
        As for `features.signals.compute_signals`.
    """
    columns = signal_columns(histories, crowd, families=_READ_FAMILIES, threads=threads)
    return np.column_stack([columns[name] for name in READ])


class ModelMismatchError(ValueError):
    """A saved model that does not fit these signals, or whose files are not what they should be."""


@dataclass(frozen=True)
class Head:
    """One kind of manipulation.

    Attributes
    ----------
    members : tuple of lightgbm.Booster
    calibrator : Calibrator
        From the members' mean probability to a calibrated one.
    resampled : tuple of Calibrator
        For each member, the calibrator fitted again to a resample of the calibration creators.
    threshold : float
        Members' mean score, before calibration, from which the head flags: calibrated probabilities may be equal for
        many, and a limit on false alarms could then only be kept far below it.
    base_rate : float
        Share of creators with this kind of manipulation among those in training whom the head can assess.
    lone_rate : float
        The same share among the training creators with no other kind: what is assumed where the head abstains.
    """

    members: tuple[lgb.Booster, ...]
    calibrator: Calibrator
    resampled: tuple[Calibrator, ...]
    threshold: float
    base_rate: float
    lone_rate: float

    @property
    def least_flagged(self) -> float:
        """Lowest probability that a flagged creator can have."""
        return float(self.calibrator.apply(np.array([min(self.threshold, 1.0)]))[0])

    def member_logits(self, x: np.ndarray) -> np.ndarray:
        """Logits of each member, float64 of shape (members, rows)."""
        return within_edges(raw_scores(self.members, x, _threads(x)))

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """Mean contribution of each signal to the logit over the members, shape (rows, signals)."""
        each = [booster.predict(x, pred_contrib=True, num_threads=_threads(x)) for booster in self.members]
        return np.mean([np.asarray(one)[:, :-1] for one in each], axis=0)


def within_edges(logits: np.ndarray) -> np.ndarray:
    """Logits of which no probability is closer than `_EDGE` to 0 or 1."""
    return np.clip(logits, logit(_EDGE), -logit(_EDGE))


def _threads(x: np.ndarray) -> int:
    return 1 if len(x) < SMALL_TO_SCORE else 0


def assessable(signals: pd.DataFrame) -> pd.DataFrame:
    """Which heads a signal frame can be assessed on, bool of shape (creators, heads)."""
    return pd.DataFrame(_assessable(signals[list(READ)].to_numpy(dtype=np.float64)), index=signals.index)


_NEEDED = {head: np.array([READ.index(name) for name in NEEDS[head][0]]) for head in HEADS}


def _assessable(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same of rows in the order of `READ`, bool of shape (rows,) by head."""
    return {head: ~np.isnan(x[:, places]).all(axis=1) for head, places in _NEEDED.items()}


def countable(signals: pd.DataFrame, count: str) -> np.ndarray:
    """Of whom the manufactured share of a count can be estimated, bool of shape (creators,)."""
    return signals[NEEDS[SHARE_NEEDS[count]][0][0]].notna().to_numpy()


@cache
def _reach(members: int) -> float:
    """How many standard deviations of the members the interval reaches to each side."""
    return float(student_t.ppf(0.5 + INTERVAL / 2, members - 1))


def mean_score(logits: np.ndarray) -> np.ndarray:
    """Members' mean as a score in (0, 1), before calibration; (members, rows) to (rows,)."""
    return np.asarray(expit(logits.mean(axis=0)))


def with_interval(
    logits: np.ndarray, calibrator: Calibrator, resampled: Sequence[Calibrator]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated mean of member logits with its interval.

    The interval is Student's t times the standard deviation of the calibrated members, on the logit scale. Members and
    their calibrators are fitted to bootstrap resamples, so that deviation estimates how far the probability would move
    had other creators been drawn for training and for calibration (Efron 1979); it is not divided by the number of
    members.

    Measured on ten models of independent simulated worlds (6,000 creators and 40 vendors each) over the 1,000 creators
    of another: a model's interval held the mean of the other nine, on the logit scale, for 83 % (followers), 89 %
    (likes), 86 % (views), 91 % (comments), 89 % (pods) and 87 % (authenticity) of creators, so it is still a little too
    narrow. In worlds of 2,500 creators it held 83 % to 91 %, and 75 % to 88 % without the calibrators. It holds one
    other model, itself a draw, for 73 % to 82 %, where an exact interval of normal draws would hold 76 %. What real
    creators instead of simulated ones would change is not in it.

    Parameters
    ----------
    logits : ndarray of shape (members, rows)
    calibrator : Calibrator
        Of the members' mean.
    resampled : sequence of Calibrator
        One a member.

    Returns
    -------
    tuple of three ndarrays of shape (rows,)
        Probability, lower and upper end of the `INTERVAL`.
    """
    middle, low, high = with_intervals(logits[None], (calibrator,), (resampled,))
    return middle[0], low[0], high[0]


def with_intervals(
    logits: np.ndarray, calibrators: Sequence[Calibrator], resampled: Sequence[Sequence[Calibrator]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of several heads at once, logits of shape (heads, members, rows), results of shape (heads, rows)."""
    heads, members, rows = logits.shape
    middle = apply_each(calibrators, expit(logits.mean(axis=1)))
    flat = [own for of_head in resampled for own in of_head]
    each = logit(apply_each(flat, expit(logits).reshape(-1, rows))).reshape(heads, members, rows)
    reach = _reach(members) * np.std(each, axis=1, ddof=1)
    edge = column_of([one.edge for one in calibrators], 2)
    ends = (expit(logit(middle) + sign * reach) for sign in (-1, 1))
    # no surer at its ends than the calibrator may be, and the middle is inside also where rounding says otherwise
    low, high = (np.clip(end, edge, 1 - edge) for end in ends)
    return middle, np.minimum(low, middle), np.maximum(high, middle)


def manipulation_logits(
    head_logits: Mapping[str, np.ndarray], heads: Mapping[str, Head], assessed: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Logit of "some manipulation" for each member: one less the product of every head's "none", shape (members, rows).

    A head that abstains enters with its rate among creators free of every other kind, because that is whom its factor
    is about: creators with one kind are likelier to have another, and with its rate among all creators those with fewer
    heads assessed were under-rated (measured on 1,219 unseen simulated creators: with four of five heads, authenticity
    was .606 on average and .640 true; now .624).
    """
    of_heads = np.array([head_logits[name] for name in heads])
    probability = apply_each([head.calibrator for head in heads.values()], expit(of_heads))
    known = np.array([assessed[name] for name in heads])[:, None]
    assumed = column_of([head.lone_rate for head in heads.values()], 3)
    none = np.log1p(-np.clip(np.where(known, probability, assumed), _EDGE, 1 - _EDGE)).sum(axis=0)
    return np.asarray(logit(np.clip(-np.expm1(none), _EDGE, 1 - _EDGE)))


def _at(
    base_rate: float, trained: float, interval: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities with their ends where another share of creators is manipulated than in training."""
    if base_rate == trained:
        return interval
    middle, low, high = (shift_prior(end, trained, base_rate) for end in interval)
    return middle, low, high


def _between_heads(
    interval: tuple[np.ndarray, np.ndarray, np.ndarray], heads: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability of any kind, no lower than that of the likeliest kind and no higher than all of them together.

    The composite is calibrated by itself, so that it may leave the bounds that probability theory sets (Fréchet);
    `heads` of shape (heads, rows), NaN where not assessed. Measured once, on unseen creators of YouTube, Instagram and
    the simulated world: the AUC changes by -.0006, the calibration error by -.0009.
    """
    middle, low, high = interval
    known = np.nan_to_num(heads)
    middle = np.clip(middle, known.max(axis=0), np.minimum(known.sum(axis=0), 1))
    return middle, np.minimum(low, middle), np.maximum(high, middle)


@dataclass(frozen=True)
class AuthenticityModel:
    """Heads, the composite's calibrator, and what was typical of authentic creators.

    Attributes
    ----------
    heads : mapping of str to Head
    composite : Calibrator
        Of the probability that some manipulation is there.
    composite_resampled : tuple of Calibrator
        As a head's `resampled`.
    typical : mapping of platform to mapping of signal to (low, high)
        10 % and 90 % quantiles over the training creators without manipulation.
    shares : mapping of str to ShareModel
        By count: followers, likes, views, comments.
    metadata : mapping
        What it was trained on and how it was measured; "data" is "simulated" or the name of the histories.
    """

    heads: Mapping[str, Head]
    composite: Calibrator
    composite_resampled: tuple[Calibrator, ...]
    typical: Mapping[str, Mapping[str, tuple[float, float]]]
    shares: Mapping[str, ShareModel]
    metadata: Mapping[str, Any]

    @cached_property
    def typical_ranges(self) -> Mapping[str, np.ndarray]:
        """`typical` as arrays: by platform the low and high ends, float64 of shape (2, signals) in the order of `READ`.

        NaN where unknown.
        """
        unknown = (np.nan, np.nan)
        return {
            platform: np.array([ranges.get(signal, unknown) for signal in READ], dtype=np.float64).T
            for platform, ranges in self.typical.items()
        }

    @property
    def base_rate(self) -> float:
        """Share of creators taken to have some manipulation: that of training, or the one of `assuming`."""
        return 1 - float(self.metadata["base_authenticity"])

    def assuming(self, base_rate: float) -> "AuthenticityModel":
        """The same model for creators of whom another share is manipulated than in training.

        Probabilities move by Bayes' rule (Saerens et al. 2002), the share of each kind in proportion to the whole.
        Estimated shares of counts move as the probability that there is any manipulation does: what is expected of
        those who are manipulated stays the same. Flags stay as they are.

        Parameters
        ----------
        base_rate : float
            Share of creators taken to have some manipulation.

        Raises
        ------
        ValueError
            Where `base_rate` is not inside of (0, 1).
        """
        if not 0 < base_rate < 1:
            message = f"the base rate must be inside of (0, 1), found {base_rate:g}"
            raise ValueError(message)
        assumed = {"base_authenticity": 1 - base_rate, "trained_authenticity": 1 - self._trained_rate}
        return replace(self, metadata={**self.metadata, **assumed})

    @property
    def _trained_rate(self) -> float:
        trained = self.metadata.get("trained_authenticity", self.metadata["base_authenticity"])
        return 1 - float(trained)

    @property
    def base_rates(self) -> dict[str, float]:
        """Share of creators taken to have each kind, by head."""
        if self.base_rate == self._trained_rate:
            return {name: head.base_rate for name, head in self.heads.items()}
        # every kind in proportion, but never certain: at most half-way from the share of the manipulated to 1
        grown, most = self.base_rate / self._trained_rate, (1 + self.base_rate) / 2
        return {name: min(head.base_rate * grown, most) for name, head in self.heads.items()}

    def score(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Score creators from their signals.

        Parameters
        ----------
        signals : DataFrame
            As `features.signals.compute_signals` returns it.

        Returns
        -------
        DataFrame
            By creator_id: `authenticity` with `_low` and `_high`; for each head `<head>_probability`, `_low`, `_high`,
            `_flagged` (boolean) and `_assessed` (bool); for each count `inauthentic_<count>_share`, `_low`, `_high`.
            Null where not assessed.
        """
        columns = self.assess(signals[list(READ)].to_numpy(dtype=np.float64))
        for name in HEADS:
            unknown = ~columns[f"{name}_assessed"]
            columns[f"{name}_flagged"] = pd.arrays.BooleanArray(columns[f"{name}_flagged"], unknown)
        return pd.DataFrame(columns, index=signals.index)

    def assess(self, x: np.ndarray) -> dict[str, Any]:
        """Score rows of signals.

        Parameters
        ----------
        x : ndarray of float64, shape (rows, signals)
            In the order of `READ`.

        Returns
        -------
        dict of str to ndarray of shape (rows,)
            The columns of `score`; `<head>_flagged` is False where the head was not assessed.
        """
        assessed = {head: known & (head in self.heads) for head, known in _assessable(x).items()}
        logits, first_shares = self._raw(x)
        columns: dict[str, Any] = {}
        base_rates, heads = self.base_rates, self.heads.values()
        intervals = with_intervals(
            np.array(list(logits.values())), [head.calibrator for head in heads], [head.resampled for head in heads]
        )
        by_head = dict(zip(self.heads, zip(*intervals, strict=True), strict=True))
        for name, known in assessed.items():
            middle = low = high = np.full(len(x), np.nan)
            flagged = np.zeros(len(x), dtype=bool)
            if name in self.heads:
                head = self.heads[name]
                flagged = known & (mean_score(logits[name]) >= head.threshold)
                middle, low, high = _at(base_rates[name], head.base_rate, by_head[name])
            for column, value in ((f"{name}_probability", middle), (f"{name}_low", low), (f"{name}_high", high)):
                columns[column] = np.where(known, value, np.nan)
            columns[f"{name}_flagged"], columns[f"{name}_assessed"] = flagged, known
        manipulated = manipulation_logits(logits, self.heads, assessed)
        trained = with_interval(manipulated, self.composite, self.composite_resampled)
        shifted = _at(self.base_rate, self._trained_rate, trained)
        probabilities = np.array([columns[f"{name}_probability"] for name in HEADS])
        middle, low, high = _between_heads(shifted, probabilities)
        nothing = ~np.any(list(assessed.values()), axis=0)
        # authenticity is the other side of manipulation: the ends of the interval change places
        about = {"authenticity": 1 - middle, "authenticity_low": 1 - high, "authenticity_high": 1 - low}
        about = {column: np.where(nothing, np.nan, value) for column, value in about.items()}
        return about | columns | self._shares(x, first_shares, shifted[0] / trained[0])

    @cached_property
    def _boosters(self) -> list[lgb.Booster]:
        """Members of the heads, then boosters of the shares."""
        members = [booster for head in self.heads.values() for booster in head.members]
        return members + [share.booster for share in self.shares.values()]

    @cached_property
    def _merged(self) -> lgb.Booster:
        return merge_boosters(self._boosters)

    def _raw(self, x: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Logits of each head's members, (members, rows), and first estimates of each share, (rows,)."""
        raw = (
            np.asarray(self._merged.predict(x, raw_score=True, num_threads=1)).reshape(len(x), -1).T
            if len(x) <= MOST_ROWS
            else raw_scores(self._boosters, x, _threads(x))
        )
        counts = [*(len(head.members) for head in self.heads.values()), *(1 for _ in self.shares)]
        parts = np.split(raw, np.cumsum(counts)[:-1])
        logits = {name: within_edges(part) for name, part in zip(self.heads, parts, strict=False)}
        return logits, {name: expit(part[0]) for name, part in zip(self.shares, parts[len(self.heads) :], strict=True)}

    def _shares(self, x: np.ndarray, first: Mapping[str, np.ndarray], rarer: np.ndarray) -> dict[str, np.ndarray]:
        """Estimated shares; `rarer` is the probability of any manipulation over the one at the training base rate."""
        columns = {}
        for count, head in SHARE_NEEDS.items():
            known = ~np.isnan(x[:, _NEEDED[head][0]])
            estimate = np.full((3, len(x)), np.nan)
            if count in self.shares and known.any():
                estimate[:, known] = np.clip(self.shares[count].read(first[count][known]) * rarer[known], 0, 1)
            for end, values in zip(("", "_low", "_high"), estimate, strict=True):
                columns[f"inauthentic_{count}_share{end}"] = values
        return columns

    def save(self, folder: Path) -> None:
        """Write the boosters as LightGBM text and the rest as JSON into an existing folder."""
        document = {
            "registry_hash": registry_hash(),
            "signals": list(READ),
            "heads": {
                name: {
                    "members": len(head.members),
                    "calibrator": head.calibrator.to_dict(),
                    "resampled": [calibrator.to_dict() for calibrator in head.resampled],
                    "threshold": head.threshold,
                    "base_rate": head.base_rate,
                    "lone_rate": head.lone_rate,
                }
                for name, head in self.heads.items()
            },
            "composite": self.composite.to_dict(),
            "composite_resampled": [calibrator.to_dict() for calibrator in self.composite_resampled],
            "typical": self.typical,
            "shares": {count: share.to_dict() for count, share in self.shares.items()},
            "metadata": self.metadata,
        }
        (folder / _MODEL_FILE).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
        for name, head in self.heads.items():
            for number, booster in enumerate(head.members):
                booster.save_model(folder / f"{name}_{number}.txt")
        for count, share in self.shares.items():
            share.booster.save_model(folder / f"share_{count}.txt")


def load_model(folder: Path) -> AuthenticityModel:
    """Read what `AuthenticityModel.save` wrote.

    Raises
    ------
    ModelMismatchError
        Where the model was trained on other signals than these, or a file is missing or unreadable.
    """
    try:
        document = json.loads((folder / _MODEL_FILE).read_text(encoding="utf-8"))
        _require_these_signals(document["registry_hash"])
        heads = {name: _head(folder, name, entry) for name, entry in document["heads"].items()}
        typical = {
            platform: {signal: (low, high) for signal, (low, high) in ranges.items()}
            for platform, ranges in document["typical"].items()
        }
        composite = Calibrator.from_dict(document["composite"])
        resampled = _calibrators(document["composite_resampled"])
        shares = {
            count: ShareModel.from_dict(lgb.Booster(model_file=folder / f"share_{count}.txt"), entry)
            for count, entry in document["shares"].items()
        }
        return AuthenticityModel(heads, composite, resampled, typical, shares, document["metadata"])
    except ModelMismatchError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError, lgb.basic.LightGBMError) as error:
        message = f"not a readable authenticity model: {error}"
        raise ModelMismatchError(message) from error


def _require_these_signals(trained: str) -> None:
    current = registry_hash()
    if trained != current:
        message = (
            f"this model reads signals {trained}, this version computes {current}; "
            "train it again with `realreach train authenticity`"
        )
        raise ModelMismatchError(message)


def _head(folder: Path, name: str, entry: Mapping[str, Any]) -> Head:
    return Head(
        members=tuple(lgb.Booster(model_file=folder / f"{name}_{i}.txt") for i in range(entry["members"])),
        calibrator=Calibrator.from_dict(entry["calibrator"]),
        resampled=_calibrators(entry["resampled"]),
        threshold=entry["threshold"],
        base_rate=entry["base_rate"],
        lone_rate=entry["lone_rate"],
    )


def _calibrators(entries: Sequence[Mapping[str, Any]]) -> tuple[Calibrator, ...]:
    return tuple(Calibrator.from_dict(numbers) for numbers in entries)


class _Scorer:
    """The model as MLflow's own tools call it: a signal frame in, a score frame out."""

    def __init__(self, model: AuthenticityModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return self.model.score(model_input)


def _load_pyfunc(path: str) -> _Scorer:
    """Entry point that the registered model names as its loader."""
    return _Scorer(load_model(Path(path)))
