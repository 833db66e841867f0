"""A folder of tables in, frames out, by partitions: scores, signals and peers, here in bounded memory or on Dask."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from features.coordination import Crowd
from features.engines import Engine, crowd_of_partitions, crowd_of_tables, peers_of_partitions
from features.histories import latest_knowledge, make_histories
from features.partitions import PARTITION, Partition, latest_knowledge_of, plan_partitions
from features.peers import LEAST_PEERS, Peers, PeersError, peer_position
from features.signals import compute_signals, registry_hash
from features.tables import tier_of
from serving.models import LoadedModel
from serving.scoring import require_known, score_tables

#: Columns of a signals file before the signals: who, how big, and known as of when from which definitions.
SIGNALS_ABOUT = ("creator_id", "platform", "niche", "followers", "tier", "as_of", "registry_hash")


class SignalFrames(NamedTuple):
    """Signals of the creators of one partition.

    Attributes
    ----------
    signals : DataFrame
        One row a creator, sorted by creator_id: `SIGNALS_ABOUT`, then every signal of `features.signals.SIGNALS`.
    positions : DataFrame, optional
        `features.peers.peer_position` of them; None where no peers were given.
    """

    signals: pd.DataFrame
    positions: pd.DataFrame | None


def _score_partition(
    partition: Partition,
    loaded: LoadedModel,
    as_of: pd.Timestamp,
    now: pd.Timestamp,
    crowd: Crowd | None,
    peers: Peers | None,
) -> pd.DataFrame:
    return score_tables(partition.read(), loaded, as_of, imported_at=now, crowd=crowd, peers=peers)


def score_folder(
    folder: Path,
    loaded: LoadedModel,
    *,
    now: pd.Timestamp,
    as_of: pd.Timestamp | None = None,
    peers: Peers | None = None,
    engine: Engine | None = None,
    creators: int = PARTITION,
) -> Iterator[pd.DataFrame]:
    """Score every creator of a folder; one frame a partition, in the order of creator ids.

    Where there are comments the folder is read twice: once to count who comments under whom, once for the scores.

    Parameters
    ----------
    folder : Path
        Tables as `features.tables.read_tables` reads them; with `engine` dask, under a path that workers have too.
    loaded : LoadedModel
        Sent to the workers: they need no store of models.
    now : Timestamp
        When the tables were imported; later times are problems.
    as_of : Timestamp, optional
        Moment of knowledge; the last observation of the folder where left out.
    peers : Peers, optional
        Beside whom the values of evidence are placed; sent to the workers.
    engine : Engine, optional
        This process where left out.
    creators : int
        Creators of a partition.

    Raises
    ------
    TableError
        Where rows break the contract.
    features.peers.PeersError
        Where the peers know what was observed after `as_of`.
    features.engines.EngineError
        Where the engine cannot be had.
    """
    chosen, partitions = engine or Engine(), plan_partitions(folder, creators, now=now)
    if partitions[0].whole and chosen.name == "local":
        tables = partitions[0].read()
        moment = as_of or latest_knowledge(tables, now)
        crowd = crowd_of_tables(tables, moment, imported_at=now) if "comments" in tables else None
        return iter([score_tables(tables, loaded, moment, imported_at=now, crowd=crowd, peers=peers)])
    moment = as_of or latest_knowledge_of(partitions, now)
    require_known(peers, moment)
    crowd = crowd_of_partitions(partitions, moment, imported_at=now, engine=chosen)
    compute = partial(_score_partition, loaded=loaded, as_of=moment, now=now, crowd=crowd, peers=peers)
    return chosen.map(compute, partitions)


def _signals_partition(
    partition: Partition,
    as_of: pd.Timestamp,
    now: pd.Timestamp,
    crowd: Crowd | None,
    peers: Peers | None,
    threads: int | None,
) -> SignalFrames:
    histories = make_histories(partition.read(), as_of, imported_at=now)
    signals = compute_signals(histories, crowd, threads=threads)
    creators = histories.creators.set_index("creator_id")
    about = pd.DataFrame(
        {
            "platform": creators["platform"],
            "niche": creators["niche"] if "niche" in creators else pd.Series(dtype="str"),
            "followers": creators["followers"],
            "tier": tier_of(creators["followers"]),
            "as_of": as_of,
            "registry_hash": registry_hash(),
        },
        index=creators.index,
    ).astype({"as_of": "datetime64[us, UTC]"})
    positions = None if peers is None else peer_position(signals, histories.creators, peers)
    return SignalFrames(about.join(signals).reset_index(), positions)


def signals_of_folder(
    folder: Path,
    *,
    now: pd.Timestamp,
    as_of: pd.Timestamp | None = None,
    peers: Peers | None = None,
    engine: Engine | None = None,
    creators: int = PARTITION,
) -> Iterator[SignalFrames]:
    """Every signal of every creator of a folder, with what its creators show together; one pair of frames a partition.

    The folder is read twice: once to count who comments under whom, once for the signals.

    Parameters
    ----------
    folder, now, as_of, engine, creators
        As of `score_folder`.
    peers : Peers, optional
        Beside whom creators are placed; sent to the workers.

    Raises
    ------
    TableError
        Where rows break the contract.
    features.peers.PeersError
        Where the peers know what was observed after `as_of`.
    features.engines.EngineError
        Where the engine cannot be had.
    """
    chosen, partitions = engine or Engine(), plan_partitions(folder, creators, now=now)
    moment = as_of or latest_knowledge_of(partitions, now)
    require_known(peers, moment)
    crowd = crowd_of_partitions(partitions, moment, imported_at=now, engine=chosen)
    compute = partial(_signals_partition, as_of=moment, now=now, crowd=crowd, peers=peers, threads=chosen.threads)
    return chosen.map(compute, partitions)


def peers_of_folder(
    folder: Path,
    source: str,
    *,
    now: pd.Timestamp,
    as_of: pd.Timestamp | None = None,
    engine: Engine | None = None,
    creators: int = PARTITION,
) -> Peers:
    """Peers of all creators of a folder, signals of what they show together included.

    Parameters
    ----------
    source : str
        Whose creators they are, in words.
    folder, now, as_of, engine, creators
        As of `score_folder`.

    Raises
    ------
    TableError
        Where rows break the contract.
    features.peers.PeersError
        Where there are too few creators for a single cell.
    features.engines.EngineError
        Where the engine cannot be had.
    """
    chosen, partitions = engine or Engine(), plan_partitions(folder, creators, now=now)
    moment = as_of or latest_knowledge_of(partitions, now)
    crowd = crowd_of_partitions(partitions, moment, imported_at=now, engine=chosen)
    peers = peers_of_partitions(partitions, moment, imported_at=now, source=source, engine=chosen, crowd=crowd)
    if peers.cells.empty:
        raise PeersError(
            f"{peers.creators} creators as of {moment:%Y-%m-%d}: no signal is known of {LEAST_PEERS} of them, and "
            "fewer are not shown"
        )
    return peers
