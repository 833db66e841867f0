"""From tables to a data set to learn from: campaigns injected split by split, signals computed, truth kept beside."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.coordination import make_crowd, sketch_comments
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables, of_creators, tier_of
from training.authenticity import assessable
from training.config import DataConfig, SplitConfig
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.gates import SIMULATED
from training.odd_histories import strike_some
from training.splits import split_creators

#: Part of the copies of real creators that an honest oddity strikes, so that heads learn what is no campaign (assumed).
ODD_COPIES = 0.4


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
        By creator_id: platform, tier, language, split ("train", "calibration" or "test"), `creator` (whom the row is a
        copy of) and `source` ("simulated", or the name of the real histories that simulated campaigns were injected
        into).
    """

    signals: pd.DataFrame
    truth: pd.DataFrame
    creators: pd.DataFrame

    @property
    def source(self) -> str:
        """Sources of the creators, in words."""
        return ", ".join(sorted(self.creators["source"].unique()))

    def of_source(self, *sources: str) -> "Dataset":
        """The creators of these sources."""
        return self.only(self.creators.index[self.creators["source"].isin(sources)])

    def part(self, split: str) -> "Dataset":
        """The creators of one split."""
        return self.only(self.creators.index[self.creators["split"] == split])

    def only(self, ids: pd.Index) -> "Dataset":
        """These creators."""
        return Dataset(self.signals.loc[ids], self.truth.loc[ids], self.creators.loc[ids])

    @property
    def digest(self) -> str:
        """SHA-256 of signals and truth: equal digests were trained or tested on the same rows."""
        hashes = [
            pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes() for frame in (self.signals, self.truth)
        ]
        return hashlib.sha256(b"".join(hashes)).hexdigest()[:16]


def _vendor_bounds(shares: list[float], vendors: int) -> np.ndarray:
    """Where each split's vendors begin and end: by share, and at least one each."""
    sizes = np.maximum(np.floor(np.array(shares) * vendors), 1).astype(int)
    sizes[np.argmax(sizes)] += vendors - sizes.sum()
    return np.concatenate([[0], np.cumsum(sizes)])


def _copy(tables: Tables, number: int) -> Tables:
    """Tables with the creators under ids that end in `#` and the number; as they are where it is 0."""
    if not number:
        return tables
    return {
        name: frame.assign(creator_id=frame["creator_id"] + f"#{number}") if "creator_id" in frame else frame
        for name, frame in tables.items()
    }


def original_of(creator_ids: pd.Index) -> pd.Index:
    """Creators whom rows of a data set are copies of."""
    return pd.Index(creator_ids.str.replace(r"#\d+$", "", regex=True), dtype=creator_ids.dtype)


def make_dataset(tables: Tables, source: str, data: DataConfig, splits: SplitConfig, *, as_of: pd.Timestamp) -> Dataset:
    """Inject simulated campaigns into organic histories and compute their signals.

    Creators are split first, then each split gets campaigns of its own vendors: no creator and no vendor is in two.
    Real creators are few: each is in the data `data.copies` times, every copy with campaigns of its own or none, and
    most of them with an honest oddity or none, all in the creator's split.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables of creators taken to be organic.
    source : str
        "simulated", or what the real histories are called.
    as_of : Timestamp
        Moment of knowledge; rows without an observation time count as known then.
    """
    copies = 1 if source == SIMULATED else _copies(tables, as_of, data)
    ids = pd.Index(tables["creators"]["creator_id"])
    split_of = split_creators(ids, splits.model_dump(), data.seed)
    rng = np.random.default_rng(data.seed)
    vendors = draw_vendors(data.vendors, rng)
    signals, truths = [], []
    shares = list(splits.model_dump().items())
    bounds = _vendor_bounds([share for _, share in shares], len(vendors))
    for (split, _), first, last in zip(shares, bounds[:-1], bounds[1:], strict=True):
        part = of_creators(tables, split_of.index[split_of == split])
        if source != SIMULATED:
            part = _assessable_creators(part, as_of)
        if part["creators"].empty:
            continue
        for number in range(copies):
            own = _copy(part, number)
            if number:
                own = strike_some(own, rng, share=ODD_COPIES)
            campaigns = plan_campaigns(own, vendors[first:last], rng, share=data.manipulated)
            injected, truth = inject_campaigns(own, campaigns, rng)
            signals.append(signals_of(injected, as_of))
            truths.append(truth)
    frame = pd.concat(signals).sort_index()
    creators = describe_creators(tables, frame.index)
    return Dataset(
        signals=frame,
        truth=pd.concat(truths).reindex(frame.index),
        creators=creators.assign(split=split_of.reindex(pd.Index(creators["creator"])).to_numpy(), source=source),
    )


def _copies(tables: Tables, as_of: pd.Timestamp, data: DataConfig) -> int:
    """Copies of each real creator: fewer where there are many, so that a source is no larger than the simulated one."""
    creators = len(_assessable_creators(tables, as_of)["creators"])
    return int(np.clip(data.creators // max(creators, 1), 1, data.copies))


def _assessable_creators(tables: Tables, as_of: pd.Timestamp) -> Tables:
    """The creators of whom some head can be assessed; copies of others would teach nothing."""
    if tables["creators"].empty:
        return tables
    known = assessable(signals_of(tables, as_of)).any(axis=1)
    return of_creators(tables, known.index[known])


def describe_creators(tables: Tables, rows: pd.Index) -> pd.DataFrame:
    """Who rows of a data set are: `creator` (whom they are copies of), platform, tier and language, indexed by row."""
    original = original_of(rows)
    creators = tables["creators"].drop_duplicates("creator_id").set_index("creator_id").reindex(original)
    return pd.DataFrame(
        {
            "creator": original,
            "platform": creators["platform"].to_numpy(),
            "tier": tier_of(creators["followers"]).to_numpy(),
            "language": creators["language"].to_numpy() if "language" in creators else None,
        },
        index=rows,
    )


def signals_of(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """Signals of creators whose tables were imported at `as_of`, those of their crowd included where it is known."""
    histories = make_histories(tables, as_of, imported_at=as_of)
    crowd = make_crowd([sketch_comments(histories)]) if "comments" in tables else None
    return compute_signals(histories, crowd)


def join_datasets(parts: Sequence[Dataset]) -> Dataset:
    """Several data sets as one, rows called `<source>/<row>`: one creator may be in several sources, in one split."""
    named = [
        Dataset(
            *(
                frame.set_axis(part.creators["source"] + "/" + frame.index)
                for frame in (part.signals, part.truth, part.creators)
            )
        )
        for part in parts
    ]
    signals, truth, creators = (
        pd.concat([getattr(part, name) for part in named]).rename_axis("creator_id").sort_index()
        for name in ("signals", "truth", "creators")
    )
    return Dataset(signals, truth, creators)
