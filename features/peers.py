"""What is usual among peers: quantiles of every signal by platform, tier, niche and year, and where a creator stands.

Peers are made of the user's own creators, in two stages, so that partitions can be read one by one: `sample_peers`
keeps of every cell the `SAMPLE` creators whose ids have the smallest hashes, with the exact number of all, and samples
merge into the sample that one reading would have given; `peers_of` computes quantiles from it. Up to `SAMPLE` creators
a cell nothing is left out.

Small cells borrow from larger ones: a cell's quantiles are n / (n + `BORROWED`) of its own, n the sampled creators that
have the signal, and the rest of its parent's, from all creators over platform and platform × tier down to platform ×
tier × niche. They are averaged as asinh(x / s), s the median absolute deviation among all creators (where it is 0,
their spread): in proportion where they are large, so that the tail of one platform does not become another's. Such
averages are in order again, so the result is a distribution; the median absolute deviation and the spread are averaged
in the same way. The year is the year of `as_of`: peers of another year are another artefact.

A cell of fewer than `LEAST_PEERS` creators would tell what each of them does: once the cells below have borrowed from
it, it is left out, and its creators are looked up in its parent. Peers are summaries of five and more, no more than
that: quantiles of a handful still say nearly what each has.

What a rate counts and what it is divided by are parts of its name. Where a rate meets a published one, `check_rate`
refuses to compare a rate by followers with one by views, or comments with likes and comments.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from features.blocks import MAD_TO_SD, enough, median_and_mad, ratio, row_mean
from features.lexicons import read_norms
from features.signals import SIGNALS, registry_hash
from features.tables import TEXT, tier_of, write_frame

#: Creators that are kept of each cell at most.
SAMPLE = 2_000
#: Creators of a cell whose own quantiles weigh as much as what is borrowed from its parent; the project's own choice.
BORROWED = 20.0
#: Creators that a cell needs to be kept; fewer could be told apart, and say little.
LEAST_PEERS = 5
#: Standard deviations of a normal distribution per mean absolute deviation, √(π / 2): what the modified z-score is
#: measured in where the median absolute deviation is 0 (IBM, Cognos Analytics 11.1, "Modified z score", after Iglewicz
#: and Hoaglin 1993).
MEAN_DEVIATION_TO_SD = 1.253314
#: Probabilities of the quantiles that are kept.
PROBABILITIES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
QUANTILES = tuple(f"p{round(100 * p):02d}" for p in PROBABILITIES)
#: Columns that tell a cell, from the widest to the narrowest; a level uses the first so many of them.
CELL = ("platform", "tier", "niche")
LEVELS = ("all", "platform", "platform and tier", "platform, tier and niche")
#: Columns of numbers that are computed of each cell and shrunk.
STATISTICS = (*QUANTILES, "mad", "spread")
#: Layout of the file; a file of another is refused.
VERSION = 2
_ABOUT = "realreach peers"
#: What the rates among the signals count, by the beginning of their names.
COUNTED = {
    "engagement_rate": frozenset({"likes", "comments"}),
    "like_rate": frozenset({"likes"}),
    "comment_rate": frozenset({"comments"}),
    "view_rate": frozenset({"views"}),
}
_COUNTS = ("likes", "comments", "saves", "shares", "views")


class PeersError(ValueError):
    """Peers that cannot be used: another layout, other signals, or creators that are in two partitions."""


class RateError(ValueError):
    """Two rates that count different things, or are divided by different things."""


@dataclass(frozen=True)
class PeerSample:
    """Creators kept of every cell, and how many there are.

    Attributes
    ----------
    rows : DataFrame
        One row a creator: `platform`, `tier`, `niche` ("" where unknown), `hash` of platform and id, and the signals.
    counts : DataFrame of int64
        Indexed by `platform`, `tier` and `niche`; for each signal the creators that have it, and `creators`.
    """

    rows: pd.DataFrame
    counts: pd.DataFrame

    @property
    def signals(self) -> list[str]:
        """Names of the signals, in their order."""
        return [name for name in self.rows.columns if name not in (*CELL, "hash")]


@dataclass(frozen=True)
class Peers:
    """Quantiles of every signal by cell.

    Attributes
    ----------
    cells : DataFrame
        One row a cell and signal: `level` (one of `LEVELS`), `platform`, `tier`, `niche` ("" where the level has none),
        `signal`, `denominator` ("" where the signal is no rate), `n` (creators that have the signal), `sampled` (of
        them the ones that the numbers are of, `LEAST_PEERS` or more) and, shrunk towards the parent, `QUANTILES`, `mad`
        (median absolute deviation from the median, not scaled) and `spread` (robust standard deviation: 1.4826 × `mad`,
        or 1.2533 × the mean absolute deviation from the median where the cell's own `mad` is 0; 0 where all are equal).
    as_of : Timestamp
        What was known when; its year is the year of the peers.
    source : str
        Whose creators these are.
    registry : str
        Hash of the signals' definitions.
    creators : int
        How many creators they are of.
    """

    cells: pd.DataFrame
    as_of: pd.Timestamp
    source: str
    registry: str
    creators: int

    @cached_property
    def signals(self) -> list[str]:
        """Names of the signals that there are peers of, in their order."""
        return list(dict.fromkeys(self.cells["signal"]))

    @cached_property
    def places(self) -> dict[tuple[str, ...], int]:
        """Place of every cell in `grid`, by its platform, tier and niche as far as its level has them."""
        keys = self.cells[list(CELL)].drop_duplicates().itertuples(index=False, name=None)
        return {tuple(part for part in key if part): place for place, key in enumerate(keys)}

    @cached_property
    def grid(self) -> dict[str, np.ndarray]:
        """`n` and `spread` of shape (cells, signals), `quantiles` of shape (cells, signals, quantiles)."""
        cell = self.cells.groupby(list(CELL), sort=False).ngroup().to_numpy()
        signal = pd.Index(self.signals).get_indexer(pd.Index(self.cells["signal"]))
        shape = (len(self.places), len(self.signals))
        n, spread, quantiles = (
            np.zeros(shape, dtype=np.int64),
            np.full(shape, np.nan),
            np.full((*shape, len(QUANTILES)), np.nan),
        )
        n[cell, signal], spread[cell, signal] = self.cells["n"], self.cells["spread"]
        quantiles[cell, signal] = self.cells[list(QUANTILES)]
        return {"n": n, "spread": spread, "quantiles": quantiles}

    @cached_property
    def id(self) -> str:
        """Digest of all that is in it."""
        about = f"{VERSION}|{self.as_of.isoformat()}|{self.source}|{self.registry}|{self.creators}"
        digest = hashlib.sha256(about.encode())
        digest.update(pd.util.hash_pandas_object(self.cells, index=False).to_numpy().tobytes())
        return digest.hexdigest()[:16]


def denominator_of(signal: str) -> str:
    """What a rate is divided by, from its name; "" where the signal is not called a rate by something.

    Examples
    --------
    >>> denominator_of("engagement_rate_by_views_median_30p"), denominator_of("likes_gini_all")
    ('views', '')
    """
    _, by, rest = signal.partition("_by_")
    return rest.partition("_")[0] if by else ""


def counted_in(signal: str) -> frozenset[str]:
    """What a rate counts, from its name; empty where the signal is not called a rate by something.

    Examples
    --------
    >>> sorted(counted_in("engagement_rate_by_views_median_30p")), sorted(counted_in("likes_gini_all"))
    (['comments', 'likes'], [])
    """
    what, by, _ = signal.partition("_by_")
    return COUNTED.get(what, frozenset()) if by else frozenset()


def _rate_words(counts: frozenset[str], denominator: str) -> str:
    return f"{' + '.join(name for name in _COUNTS if name in counts)} by {denominator}"


def check_rate(signal: str, counts: str, denominator: str, benchmark: str) -> None:
    """Refuse to compare a rate with a published one that counts something else or is divided by something else.

    Parameters
    ----------
    signal : str
        Name of the signal.
    counts : str
        What the benchmark says it counts, such as "likes and comments, 12 posts". Where it names none of likes,
        comments, saves, shares and views, it is taken for what is commonly called an engagement rate, likes and
        comments; the words stay beside every comparison.
    denominator : str
        What the benchmark is divided by.
    benchmark : str
        Where the benchmark is from, for the message.

    Raises
    ------
    RateError
        Where they differ, or the signal is no rate; names both, and the signal that would be right where there is one.
    """
    own, published = (counted_in(signal), denominator_of(signal)), (_published_counts(counts), denominator)
    if own[0] and own == published:
        return
    right = [name for name in SIGNALS if (counted_in(name), denominator_of(name)) == published]
    raise RateError(
        f"{signal} is {_rate_words(*own) if own[0] else 'no rate by anything'} and {benchmark} is "
        f"{_rate_words(*published)} (counts: {counts}): not comparable; "
        + (f"compare {' or '.join(right)} with it" if right else "no signal is such a rate")
    )


def _published_counts(counts: str) -> frozenset[str]:
    return frozenset(re.findall("|".join(_COUNTS), counts)) or COUNTED["engagement_rate"]


def _cells_of(creators: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    """Platform, tier and niche of each id, "" where unknown; a niche without a tier is not a cell."""
    known = creators.set_index("creator_id").reindex(ids)
    niche = known["niche"] if "niche" in known else pd.Series(None, index=ids, dtype=TEXT)
    cells = pd.DataFrame(
        {
            "platform": known["platform"].astype(TEXT).fillna(""),
            "tier": tier_of(known["followers"]).fillna(""),
            "niche": niche.astype(TEXT).str.strip().str.lower().fillna(""),
        }
    )
    return cells.assign(niche=cells["niche"].where(cells["tier"] != "", ""))


def _kept(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that are among the `SAMPLE` smallest hashes of their cell at some level, by hash."""
    ordered = rows.sort_values("hash", kind="stable")
    keep = np.arange(len(ordered)) < SAMPLE
    for depth in range(1, len(LEVELS)):
        keep |= (ordered.groupby(list(CELL[:depth]), sort=False).cumcount() < SAMPLE).to_numpy()
    return ordered[keep].reset_index(drop=True)


def sample_peers(signals: pd.DataFrame, creators: pd.DataFrame) -> PeerSample:
    """Sample of one partition of creators.

    Parameters
    ----------
    signals : DataFrame of float64
        As `features.signals.compute_signals` returns it: indexed by creator_id, NaN where missing.
    creators : DataFrame
        The creators table or `Histories.creators`: `creator_id`, `platform`, `followers` and, where known, `niche`.

    Raises
    ------
    PeersError
        Where a creator of the signals is not in the creators table.
    """
    unlisted = signals.index[~signals.index.isin(creators["creator_id"])]
    if len(unlisted):
        raise PeersError(f"signals of creators that are not in the creators table: {', '.join(unlisted[:3])}")
    cells = _cells_of(creators, signals.index)
    # by platform and id alone: which creators are kept does not depend on the partition
    names = (cells["platform"] + ":" + signals.index.astype(TEXT).to_series(index=signals.index)).to_numpy(dtype=object)
    hashes = pd.util.hash_array(names, categorize=False)
    rows = pd.concat([cells.assign(hash=hashes), signals], axis=1).reset_index(drop=True)
    there = pd.concat([cells.assign(creators=1), signals.notna().astype(np.int64)], axis=1)
    return PeerSample(_kept(rows), there.groupby(list(CELL)).sum())


def merge_samples(samples: Sequence[PeerSample]) -> PeerSample:
    """Sample of all partitions together, equal to the sample of one reading.

    Raises
    ------
    PeersError
        Where there is none, signals differ, or a creator is in two partitions.
    """
    if not samples:
        raise PeersError("no samples to merge")
    if any(sample.signals != samples[0].signals for sample in samples):
        raise PeersError("samples of different signals")
    rows = pd.concat([sample.rows for sample in samples], ignore_index=True)
    if rows["hash"].duplicated().any():
        raise PeersError("a creator is in two partitions")
    counts = pd.concat([sample.counts for sample in samples]).groupby(level=list(CELL)).sum()
    return PeerSample(_kept(rows), counts)


def _statistics(values: np.ndarray) -> np.ndarray:
    """`STATISTICS` of each row, shape (signals, statistics); NaN where nothing is."""
    ordered = np.sort(values, axis=1)  # numpy sorts NaN to the end
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=1) - 1, 0)[:, None]
    position = last * np.array(PROBABILITIES)
    below = np.floor(position).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
    middle, mad = median_and_mad(values)
    mad = enough(mad, middle.count, 1)
    mean_deviation = row_mean(np.abs(values - middle.median[:, None]))
    spread = np.where(mad == 0, MEAN_DEVIATION_TO_SD * mean_deviation, MAD_TO_SD * mad)
    return np.column_stack([low + (high - low) * (position - below), mad, spread])


def _shrunk(own: np.ndarray, parent: np.ndarray, n: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Statistics between a cell's own and its parent's, shape (signals, statistics); linear where the scale is 0."""
    weight, unit = (n / (n + BORROWED))[:, None], np.where(scale > 0, scale, 1.0)[:, None]
    curved = unit * np.sinh(weight * np.arcsinh(own / unit) + (1 - weight) * np.arcsinh(parent / unit))
    mixed = np.where(scale[:, None] > 0, curved, weight * own + (1 - weight) * parent)
    return np.where(np.isnan(own), parent, np.where(np.isnan(parent), own, mixed))


def _by_cell(frame: pd.DataFrame, keys: list[str], columns: list[str]) -> dict[tuple[str, ...], np.ndarray]:
    """Columns of the rows of each cell, in their order; one cell where there are no keys."""
    values = frame[columns].to_numpy(dtype=np.float64)
    if not keys:
        return {(): values}
    cells = {}
    for key, rows in frame.groupby(keys).indices.items():
        # one key gives its value, several give a tuple
        cells[tuple(str(part) for part in (key if isinstance(key, tuple) else (key,)))] = values[rows]
    return cells


def peers_of(sample: PeerSample, as_of: pd.Timestamp, source: str) -> Peers:
    """Quantiles of every cell, shrunk towards those of its parent.

    A cell has no row of a signal that fewer than `LEAST_PEERS` of its sampled creators have.
    """
    signals = sample.signals
    statistics: dict[tuple[str, ...], np.ndarray] = {}
    scale = np.empty(0)
    frames = []
    for depth, level in enumerate(LEVELS):
        keys = list(CELL[:depth])
        totals = _by_cell(sample.counts[signals].reset_index(), keys, signals)
        for key, group in _by_cell(sample.rows, keys, signals).items():
            if "" in key:
                continue
            # rows are in the order of their hashes
            values, n = group[:SAMPLE].T, totals[key].sum(axis=0)
            sampled = np.count_nonzero(~np.isnan(values), axis=1)
            own = _statistics(values)
            if not depth:
                mad, spread = own[:, -2:].T
                scale = np.where(mad > 0, mad, spread)
            statistics[key] = _shrunk(own, statistics[key[:-1]], sampled, scale) if depth else own
            frames.append(
                pd.DataFrame(
                    {
                        "level": level,
                        **dict(zip(CELL, (*key, "", "", ""), strict=False)),
                        "signal": signals,
                        "denominator": [denominator_of(name) for name in signals],
                        "n": n,
                        "sampled": sampled,
                        **dict(zip(STATISTICS, statistics[key].T, strict=True)),
                    }
                )[sampled >= LEAST_PEERS]
            )
    cells = pd.concat(frames, ignore_index=True)
    text = dict.fromkeys(("level", *CELL, "signal", "denominator"), TEXT)
    creators = int(sample.counts["creators"].sum())
    return Peers(cells.astype(text | {"n": "int64", "sampled": "int64"}), as_of, source, registry_hash(), creators)


def make_peers(signals: pd.DataFrame, creators: pd.DataFrame, as_of: pd.Timestamp, source: str) -> Peers:
    """Peers of one's own creators in one reading; parameters as of `sample_peers` and `peers_of`."""
    return peers_of(sample_peers(signals, creators), as_of, source)


def percentile_in(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Percentile of each value among quantiles at `PROBABILITIES`, linear between them.

    Parameters
    ----------
    values : ndarray of float64, shape (…)
    quantiles : ndarray of float64, shape (…, quantiles), or one that is broadcast to it
        Rising; where several are equal, the value has the middle of their probabilities.

    Returns
    -------
    ndarray of float64, shape (…)
        1 to 99: what lies beyond is not known to be further out. NaN where the value is.
    """
    percents = 100 * np.array(PROBABILITIES)
    first = np.count_nonzero(quantiles < values[..., None], axis=-1)
    after = np.count_nonzero(quantiles <= values[..., None], axis=-1)
    last = len(percents) - 1
    equal = (percents[np.minimum(first, last)] + percents[np.clip(after - 1, 0, last)]) / 2
    low, high = np.clip(first - 1, 0, last), np.minimum(first, last)
    spread = np.broadcast_to(quantiles, (*values.shape, len(percents)))
    below = np.take_along_axis(spread, low[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(spread, high[..., None], axis=-1)[..., 0]
    part = np.clip(np.nan_to_num(ratio(values - below, above - below)), 0, 1)
    between = percents[low] + part * (percents[high] - percents[low])
    return np.where(np.isnan(values), np.nan, np.where(after > first, equal, between))


def _path(cell: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A cell and those above it, the narrowest first; unknown parts are left out from where they begin."""
    known = next((depth for depth, part in enumerate(cell) if not part), len(cell))
    return [cell[:depth] for depth in range(known, -1, -1)]


#: What positions are joined to, so that nobody's have columns too.
_NOBODY = pd.DataFrame(
    {
        **{name: pd.Series(dtype=np.int64) for name in ("row", "signal", "cell", "n")},
        **{name: pd.Series(dtype=np.float64) for name in ("value", "percentile", "robust_z", "p05", "p95")},
    }
)


def _in_cell(
    peers: Peers, cell: tuple[str, ...], rows: np.ndarray, values: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """Positions of the creators of one cell, of shape (rows, signals): rows, signals and cells by their place."""
    columns = np.array([peers.signals.index(name) for name in names], dtype=np.int64)
    path = np.array([peers.places[key] for key in _path(cell) if key in peers.places], dtype=np.int64)
    if not path.size:
        return _NOBODY
    shown = peers.grid["n"][path][:, columns] > 0
    # the narrowest cell that was kept, signal by signal
    used = path[np.argmax(shown, axis=0)]
    own = np.where(shown.any(axis=0), values, np.nan)
    quantiles = peers.grid["quantiles"][used, columns]
    spread = peers.grid["spread"][used, columns]
    row, column = np.nonzero(~np.isnan(own))
    return pd.DataFrame(
        {
            "row": rows[row],
            "signal": column,
            "cell": used[column],
            "n": peers.grid["n"][used, columns][column],
            "value": own[row, column],
            "percentile": percentile_in(own, quantiles)[row, column],
            "robust_z": ratio(own - quantiles[:, QUANTILES.index("p50")], spread)[row, column],
            "p05": quantiles[column, QUANTILES.index("p05")],
            "p95": quantiles[column, QUANTILES.index("p95")],
        }
    )


def peer_position(signals: pd.DataFrame, creators: pd.DataFrame, peers: Peers) -> pd.DataFrame:
    """Where creators stand among their peers.

    Parameters
    ----------
    signals, creators
        As of `sample_peers`; signals that the peers do not have are left out.

    Returns
    -------
    DataFrame
        One row a creator and signal that has a value: `creator_id`, `signal`, `value`, `percentile` (1 to 99),
        `robust_z` (distance from the median in `spread`s of the cell, NaN where its creators are all equal), the cell
        that was used (`level`, `platform`, `tier`, `niche`) with its `n`, the usual range `p05` to `p95`, and the
        peers' `as_of`, `year` and `peers_id`. The cell is the narrowest in which `LEAST_PEERS` creators have the
        signal.
    """
    names = [name for name in peers.signals if name in signals]
    values = signals[names].to_numpy(dtype=np.float64)
    cells = list(_cells_of(creators, signals.index).itertuples(index=False, name=None))
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(cells):
        groups.setdefault(key, []).append(row)
    parts = [_in_cell(peers, key, np.array(rows), values[rows], names) for key, rows in groups.items()] if names else []
    # in the order of the creators, signals within
    found = pd.concat([_NOBODY, *parts]).sort_values("row", kind="stable", ignore_index=True)
    keys = [(LEVELS[len(key)], *key, *[""] * (len(CELL) - len(key))) for key in peers.places] or [("",) * 4]
    texts = np.array(keys, dtype=object)[found["cell"].to_numpy(dtype=np.int64)]
    return pd.DataFrame(
        {
            "creator_id": signals.index[found["row"].to_numpy(dtype=np.int64)].astype(TEXT),
            "signal": np.array([*names, ""], dtype=object)[found["signal"].to_numpy(dtype=np.int64)],
            **{name: found[name].to_numpy() for name in ("value", "percentile", "robust_z", "n", "p05", "p95")},
            **{name: pd.array(texts[:, place], dtype=TEXT) for place, name in enumerate(("level", *CELL))},
            "as_of": peers.as_of,
            "year": peers.as_of.year,
            "peers_id": peers.id,
        }
    ).astype({"signal": TEXT})


def write_peers(peers: Peers, path: Path, *, built_at: pd.Timestamp) -> None:
    """Write peers as one Parquet file with what is known of them as JSON in its metadata; whole or not at all.

    Raises
    ------
    ValueError
        Where the ending is not `.parquet`.
    """
    if path.suffix != ".parquet":
        raise ValueError(f"{path.name}: peers are written as .parquet")
    about = {
        "id": peers.id,
        "version": VERSION,
        "as_of": peers.as_of.isoformat(),
        "year": peers.as_of.year,
        "source": peers.source,
        "registry": peers.registry,
        "creators": peers.creators,
        "built_at": built_at.isoformat(),
        "sample": SAMPLE,
        "borrowed": BORROWED,
    }
    frame = peers.cells.copy()
    frame.attrs[_ABOUT] = about
    write_frame(frame, path)


def read_peers(path: Path) -> Peers:
    """Read what `write_peers` wrote.

    Raises
    ------
    PeersError
        Where the file is none of peers, has another layout, was made of other signals, or was changed.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ArrowException) as error:
        raise PeersError(f"{path.name}: unreadable ({str(error).partition(chr(10))[0]})") from error
    about = frame.attrs.pop(_ABOUT, None)
    if about is None:
        raise PeersError(f"{path.name}: no file of peers")
    if about["version"] != VERSION:
        raise PeersError(f"{path.name}: layout {about['version']}; expected {VERSION}: make the peers again")
    if about["registry"] != registry_hash():
        raise PeersError(f"{path.name}: made of other signals ({about['registry']}): make the peers again")
    peers = Peers(frame, pd.Timestamp(about["as_of"]), about["source"], about["registry"], about["creators"])
    if peers.id != about["id"]:
        raise PeersError(f"{path.name}: its content is not what was written")
    return peers


def published_rates() -> pd.DataFrame:
    """Published engagement rates, one row each; see features/norms/engagement_rates.toml for the columns."""
    rates = pd.DataFrame(read_norms("engagement_rates")["rate"])
    return rates.astype({"from": "Int64", "to": "Int64"})


def published_position(signal: str, values: pd.Series, creators: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Creators beside published rates of their platform and size.

    Parameters
    ----------
    signal : str
        Name of a rate.
    values : Series of float64
        The rate by creator_id.
    creators : DataFrame
        As of `sample_peers`.
    rates : DataFrame
        Rows of `published_rates` that count what the signal counts and divide by what it is divided by.

    Returns
    -------
    DataFrame
        One row a creator and rate that is for creators of its platform and followers: `creator_id`, `value`, `side`
        ("below", "within", "above" the published range) and the columns of the rate.

    Raises
    ------
    RateError
        Where a rate counts something else than the signal or is divided by something else.
    """
    for rate in rates.itertuples():
        check_rate(signal, str(rate.counts), str(rate.denominator), f"the rate of {rate.source}")
    known = creators.set_index("creator_id").reindex(values.index)
    own = pd.DataFrame({"creator_id": values.index, "value": values.to_numpy(dtype=np.float64)}).assign(
        platform=known["platform"].to_numpy(), followers=known["followers"].astype("Float64").array
    )
    pairs = own.dropna(subset="value").merge(rates, on="platform")
    fits = (pairs["followers"] >= pairs["from"].fillna(0)) & (
        pairs["to"].isna() | (pairs["followers"] < pairs["to"].fillna(0))
    )
    pairs = pairs[fits.fillna(False)].reset_index(drop=True)
    side = np.select([pairs["value"] < pairs["low"], pairs["value"] > pairs["high"]], ["below", "above"], "within")
    return pairs.assign(side=side).drop(columns="followers")
