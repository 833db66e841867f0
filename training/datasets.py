"""From tables to a data set to learn from: campaigns injected split by split, signals computed, truth kept beside."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.coordination import make_crowd, sketch_comments
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import HEADS, Tables, of_creators, tier_of
from training.authenticity import assessable
from training.config import DataConfig, SplitConfig
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.gates import SIMULATED
from training.odd_histories import ODDITIES, strike, strike_some
from training.splits import split_creators

#: Part of the creators for whom an honest oddity is drawn, so that heads learn what is no campaign (assumed).
ODD_SHARE = 0.4
#: Split of honest copies with every oddity, by which thresholds are set; creators of a source who are copied, at most.
ODDITY_SPLIT, ODDITY_CREATORS = "oddities", 250


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
        By creator_id: platform, tier, language, split ("train", "calibration", "oddities" or "test"), `creator` (whom
        the row is a copy of), `oddity` (the honest oddity that was added, empty for none) and `source` ("simulated", or
        the name of the real histories that simulated campaigns were injected into).
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
    """Tables with the creators under ids that end in `#copy` and the number; as they are where it is 0."""
    if not number:
        return tables
    ending, ids = f"#copy{number}", tables["creators"]["creator_id"]
    copied = {
        name: frame.assign(creator_id=frame["creator_id"] + ending) if "creator_id" in frame else frame
        for name, frame in tables.items()
    }
    if "comments" in tables:  # creators answer under posts, too
        authors = tables["comments"]["author_id"]
        copied["comments"] = copied["comments"].assign(author_id=authors.mask(authors.isin(ids), authors + ending))
    return copied


def original_of(creator_ids: pd.Index) -> pd.Index:
    """Creators whom rows of a data set are copies of."""
    return pd.Index(creator_ids.str.replace(r"#copy\d+$", "", regex=True), dtype=creator_ids.dtype)


def make_dataset(tables: Tables, source: str, data: DataConfig, splits: SplitConfig, *, as_of: pd.Timestamp) -> Dataset:
    """Inject simulated campaigns into organic histories and compute their signals.

    Creators are split first, then each split gets campaigns of its own vendors: no creator and no vendor is in two.
    Real creators are few: each is in the data `data.copies` times, once as it is and then with honest oddities, every
    copy with campaigns of its own or none, all in the creator's split. Simulated ones are there once, some struck by an
    oddity. Creators of the calibration split are there once more with every oddity and no campaign, as a split of its
    own.

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
    parts: list[_Part] = []
    shares = list(splits.model_dump().items())
    bounds = _vendor_bounds([share for _, share in shares], len(vendors))
    for (split, _), first, last in zip(shares, bounds[:-1], bounds[1:], strict=True):
        part = of_creators(tables, split_of.index[split_of == split])
        if source != SIMULATED:
            part = _assessable_creators(part, as_of)
        if part["creators"].empty:
            continue
        for number in range(copies):
            own, oddities = _copy(part, number), None
            if number or source == SIMULATED:
                own, oddities = strike_some(own, rng, share=ODD_SHARE)
            campaigns = plan_campaigns(own, vendors[first:last], rng, share=data.manipulated)
            injected, truth = inject_campaigns(own, campaigns, rng)
            parts.append(_part(signals_of(injected, as_of), truth, split, oddities))
        if split == "calibration":
            parts += _every_oddity(part, copies, rng, as_of)
    signals, truth, about = (pd.concat(frames).sort_index() for frames in zip(*parts, strict=True))
    creators = describe_creators(tables, signals.index)
    return Dataset(signals, truth, creators.assign(source=source, **about))


class _Part(NamedTuple):
    """Rows of a data set with one index: signals, truth, and split and oddity."""

    signals: pd.DataFrame
    truth: pd.DataFrame
    about: pd.DataFrame


def _part(signals: pd.DataFrame, truth: pd.DataFrame, split: str, oddities: pd.Series | str | None) -> _Part:
    about = pd.DataFrame({"split": split, "oddity": "" if oddities is None else oddities}, index=signals.index)
    return _Part(signals, truth.reindex(signals.index), about)


def _every_oddity(tables: Tables, number: int, rng: np.random.Generator, as_of: pd.Timestamp) -> list[_Part]:
    """Honest copies of some creators, one for each oddity that their tables can show, numbered from `number` on."""
    ids = tables["creators"]["creator_id"].to_numpy()
    few = of_creators(tables, pd.Index(rng.permutation(ids)[:ODDITY_CREATORS]))
    parts = []
    for place, oddity in enumerate(ODDITIES):
        changed, struck = strike(_copy(few, number + place), oddity, rng)
        signals = signals_of(changed, as_of)
        signals = signals[signals.index.isin(struck)]
        parts.append(_part(signals, no_truth(signals.index), ODDITY_SPLIT, oddity))
    return parts


def no_truth(ids: pd.Index) -> pd.DataFrame:
    """The truth of honest creators, as `inject_campaigns` returns it."""
    truth = pd.DataFrame(False, index=ids, columns=[*HEADS, "any_manipulation"])
    return truth.assign(**{f"inauthentic_{what}_share": 0.0 for what in ("followers", "likes", "views", "comments")})


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
