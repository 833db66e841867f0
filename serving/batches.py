"""Scores of a folder of tables, partition by partition: on this machine in bounded memory, or on a Dask cluster."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from features.engines import Engine
from features.histories import latest_knowledge
from features.partitions import PARTITION, Partition, latest_knowledge_of, plan_partitions
from serving.models import LoadedModel
from serving.scoring import score_tables


def _score_partition(partition: Partition, loaded: LoadedModel, as_of: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    return score_tables(partition.read(now=now), loaded, as_of, imported_at=now)


def score_folder(
    folder: Path,
    loaded: LoadedModel,
    *,
    now: pd.Timestamp,
    as_of: pd.Timestamp | None = None,
    engine: Engine | None = None,
    creators: int = PARTITION,
) -> Iterator[pd.DataFrame]:
    """Score every creator of a folder; one frame a partition, in the order of creator ids.

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
    engine : Engine, optional
        This process where left out.
    creators : int
        Creators of a partition.

    Raises
    ------
    TableError
        Where rows break the contract.
    features.engines.EngineError
        Where the engine cannot be had.
    """
    chosen, partitions = engine or Engine(), plan_partitions(folder, creators)
    if partitions[0].whole and chosen.name == "local":
        tables = partitions[0].read(now=now)
        return iter([score_tables(tables, loaded, as_of or latest_knowledge(tables, now), imported_at=now)])
    moment = as_of or latest_knowledge_of(partitions, now)
    return chosen.map(partial(_score_partition, loaded=loaded, as_of=moment, now=now), partitions)
