"""From tables to a data set to learn from: campaigns injected split by split, signals computed, truth kept beside."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables, tier_of
from training.config import DataConfig, SplitConfig
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.splits import split_creators


@dataclass(frozen=True)
class Dataset:
    """Signals and truth of creators, with the split each belongs to.

    Attributes
    ----------
    signals : DataFrame
        As `features.signals.compute_signals` returns it.
    truth : DataFrame
        By creator_id like `signals`: a bool column per head, `any_manipulation`, and the true inauthentic shares.
    creators : DataFrame
        By creator_id: platform, tier, language and split ("train", "calibration" or "test").
    source : str
        "simulated", or the name of the real histories that simulated campaigns were injected into.
    """

    signals: pd.DataFrame
    truth: pd.DataFrame
    creators: pd.DataFrame
    source: str

    def part(self, split: str) -> "Dataset":
        """The creators of one split."""
        return self.only(self.creators.index[self.creators["split"] == split])

    def only(self, ids: pd.Index) -> "Dataset":
        """These creators."""
        return Dataset(self.signals.loc[ids], self.truth.loc[ids], self.creators.loc[ids], self.source)

    @property
    def digest(self) -> str:
        """SHA-256 of signals and truth: equal digests were trained or tested on the same rows."""
        hashes = [
            pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes() for frame in (self.signals, self.truth)
        ]
        return hashlib.sha256(b"".join(hashes)).hexdigest()[:16]


def _of_creators(tables: Tables, ids: pd.Index) -> Tables:
    return {
        name: frame[frame["creator_id"].isin(ids)] if "creator_id" in frame else frame for name, frame in tables.items()
    }


def _vendor_bounds(shares: list[float], vendors: int) -> np.ndarray:
    """Where each split's vendors begin and end: by share, and at least one each."""
    sizes = np.maximum(np.floor(np.array(shares) * vendors), 1).astype(int)
    sizes[np.argmax(sizes)] += vendors - sizes.sum()
    return np.concatenate([[0], np.cumsum(sizes)])


def make_dataset(tables: Tables, source: str, data: DataConfig, splits: SplitConfig, *, as_of: pd.Timestamp) -> Dataset:
    """Inject simulated campaigns into organic histories and compute their signals.

    Creators are split first, then each split gets campaigns of its own vendors: no creator and no vendor is in two.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables of creators taken to be organic.
    source : str
        "simulated", or what the real histories are called.
    as_of : Timestamp
        Moment of knowledge; rows without an observation time count as known then.
    """
    ids = pd.Index(tables["creators"]["creator_id"])
    split_of = split_creators(ids, splits.model_dump(), data.seed)
    rng = np.random.default_rng(data.seed)
    vendors = draw_vendors(data.vendors, rng)
    signals, truths = [], []
    shares = list(splits.model_dump().items())
    bounds = _vendor_bounds([share for _, share in shares], len(vendors))
    for (split, _), first, last in zip(shares, bounds[:-1], bounds[1:], strict=True):
        part = _of_creators(tables, split_of.index[split_of == split])
        if part["creators"].empty:
            continue
        own = vendors[first:last]
        campaigns = plan_campaigns(part, own, rng, share=data.manipulated)
        injected, truth = inject_campaigns(part, campaigns, rng)
        signals.append(compute_signals(make_histories(injected, as_of, imported_at=as_of)))
        truths.append(truth)
    frame = pd.concat(signals).sort_index()
    creators = tables["creators"].set_index("creator_id").reindex(frame.index)
    return Dataset(
        signals=frame,
        truth=pd.concat(truths).reindex(frame.index),
        creators=pd.DataFrame(
            {
                "platform": creators["platform"],
                "tier": tier_of(creators["followers"]),
                "language": creators.get("language"),
                "split": split_of.reindex(frame.index),
            }
        ),
        source=source,
    )
