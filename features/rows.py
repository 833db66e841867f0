"""Histories straight from the rows of a request, without frames: the same ones, sooner.

`features.histories.make_histories` lays out millions of rows; for the hundred and fifty of one creator nearly all of
its time would go into making frames. What is rare (a post said twice, two snapshots of one day) or breaks the contract
is left to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from features.histories import (
    DAY_US,
    POST_COUNTS,
    PROFILE_COUNTS,
    SNAPSHOT_COUNTS,
    Events,
    Histories,
    ascending,
    known_counts,
    no_audience,
    no_comments,
    offsets_of,
)
from features.tables import TEXT

_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Rows:
    """Rows of one table, creator after creator.

    Attributes
    ----------
    counts : sequence of int
        Rows of each creator.
    columns : mapping of str to list
        Values by column of the contract, each list as long as there are rows: times as datetimes with a zone, counts as
        whole numbers, None where unknown.
    """

    counts: Sequence[int]
    columns: Mapping[str, list[Any]]


def _microseconds(times: Sequence[datetime | None]) -> np.ndarray:
    """Times in UTC as int64 microseconds since 1970-01-01, `_NO_TIME` where there is none."""
    naive = [None if time is None else time.replace(tzinfo=None) for time in times]
    return np.array(naive, dtype="datetime64[us]").astype(np.int64)


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _moment(time: pd.Timestamp) -> int:
    return int(time.to_datetime64().astype("datetime64[us]").astype(np.int64))


def latest_knowledge_of(creators: Rows, posts: Rows, snapshots: Rows, now: pd.Timestamp) -> pd.Timestamp:
    """Last moment that something in the rows was observed, as `features.histories.latest_knowledge` tells it."""
    profiles = zip(creators.columns["followers"], creators.columns["observed_at"], strict=True)
    times = [at for followers, at in profiles if followers is not None]
    times += posts.columns["observed_at"]
    times += snapshots.columns["observed_at"]
    return now if not times or None in times else pd.Timestamp(max(times))


def histories_of_rows(
    creators: Rows, posts: Rows, snapshots: Rows, as_of: pd.Timestamp, *, imported_at: pd.Timestamp
) -> Histories | None:
    """Lay out the rows of a few creators of whom no comments and no audience are known.

    Parameters
    ----------
    creators : Rows
        One row each, no id twice; `creator_id`, `platform`, `observed_at` and `PROFILE_COUNTS`.
    posts : Rows
        `post_id`, `published_at`, `observed_at`, `POST_COUNTS` and `is_sponsored`.
    snapshots : Rows
        `observed_at`, never None, and `SNAPSHOT_COUNTS`.
    as_of, imported_at : Timestamp
        As for `features.histories.make_histories`.

    Returns
    -------
    Histories or None
        As `make_histories` lays them out from checked tables, with what heads read and evidence names: of the texts
        only `post_id`, of the profiles only platform and counts. None where a post is said twice, snapshots share
        a day, or rows break the contract.
    """
    known, imported = _moment(as_of), _moment(imported_at)
    ids = creators.columns["creator_id"]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    places = np.empty(len(ids), dtype=np.int64)
    places[order] = np.arange(len(ids))
    made = _posts(posts, places, known, imported)
    days = _snapshots(snapshots, places, known)
    if made is None or days is None:
        return None
    stated_at = _microseconds(creators.columns["observed_at"])[order]
    unseen = np.where(stated_at == _NO_TIME, imported, stated_at) > known
    stated = {name: np.where(unseen, np.nan, _numbers(creators.columns[name])[order]) for name in PROFILE_COUNTS}
    said = np.where(unseen | (stated_at == _NO_TIME), -np.inf, stated_at / DAY_US)
    profiles = pd.DataFrame(
        {
            "creator_id": pd.array([ids[place] for place in order], dtype=TEXT),
            "platform": pd.array([creators.columns["platform"][place] for place in order], dtype=TEXT),
            **known_counts(stated, said, days),
        }
    )
    nobody = pd.Index([], dtype=TEXT)
    return Histories(as_of, profiles, made, days, no_comments(len(ids)), no_audience(len(ids)), nobody)


def _posts(posts: Rows, places: np.ndarray, known: int, imported: int) -> Events | None:
    ids = posts.columns["post_id"]
    published, observed = (_microseconds(posts.columns[name]) for name in ("published_at", "observed_at"))
    unsaid = observed == _NO_TIME
    if ((published > observed) & ~unsaid).any():
        return None  # breaks the contract
    observed[unsaid] = imported
    owner = np.repeat(places, posts.counts)
    rows = np.flatnonzero((observed <= known) & (published <= known))
    keys = list(zip(owner.tolist(), ids, strict=True))
    if len(set(keys)) < len(keys):
        if len(set(zip(keys, observed.tolist(), strict=True))) < len(keys):
            return None  # said twice
        rows = rows[np.argsort(observed[rows], kind="stable")]
        rows = np.array(list({keys[row]: row for row in rows.tolist()}.values()), dtype=np.int64)  # the last one stays
    if not ascending(owner[rows], published[rows], ties=False):
        moments = published.tolist()
        rows = np.array(sorted(rows.tolist(), key=lambda row: (keys[row][0], moments[row], ids[row])), dtype=np.int64)
    columns = {"published_at": published[rows] / DAY_US, "observed_at": observed[rows] / DAY_US}
    columns |= {name: _numbers(posts.columns[name])[rows] for name in (*POST_COUNTS, "is_sponsored")}
    names = pd.Series([ids[row] for row in rows.tolist()], dtype=TEXT)
    return Events(offsets_of(owner[rows], places.size), columns, {"post_id": names})


def _snapshots(snapshots: Rows, places: np.ndarray, known: int) -> Events | None:
    moment = _microseconds(snapshots.columns["observed_at"])
    owner = np.repeat(places, snapshots.counts)
    rows = np.arange(moment.size)
    if not ascending(owner, moment, ties=False):
        rows = np.lexsort((moment, owner))
        owner, moment = owner[rows], moment[rows]
    if not ascending(owner, moment // DAY_US, ties=False):
        return None  # several snapshots of one day
    seen = moment <= known
    rows, owner, moment = rows[seen], owner[seen], moment[seen]
    columns = {"observed_at": moment / DAY_US}
    columns |= {name: _numbers(snapshots.columns[name])[rows] for name in SNAPSHOT_COUNTS}
    return Events(offsets_of(owner, places.size), columns)
