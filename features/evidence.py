"""The posts, days, comments and accounts behind a signal: what a person would look at to check it."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from features import audience, comments, content, coordination, engagement, growth
from features.coordination import Crowd
from features.histories import Events, Histories
from features.signals import SIGNALS

#: The column that names a row of each kind of events.
_IDS = {"posts": "post_id", "comments": "comment_id", "accounts": "account_id"}
_TIMES = {"posts": "published_at", "comments": "published_at", "days": "observed_at"}
COLUMNS = ("creator_id", "signal", "events", "id", "at", "salience")


@dataclass(frozen=True)
class Group:
    """Signals that measure one thing, from `features/definitions/groups.toml`.

    Attributes
    ----------
    english, vietnamese : str
        What they measure, in words for people.
    signals : tuple of str
    """

    english: str
    vietnamese: str
    signals: tuple[str, ...]

    def words(self, language: str) -> str:
        """What is measured, in `language` ("en" or "vi")."""
        return self.vietnamese if language == "vi" else self.english


def _read_groups() -> dict[str, Group]:
    text = resources.files("features.definitions").joinpath("groups.toml").read_text(encoding="utf-8")
    return {
        name: Group(entry["english"], entry["vietnamese"], tuple(entry["signals"]))
        for name, entry in tomllib.loads(text).items()
    }


#: Groups by name; every signal is in one.
GROUPS = _read_groups()
#: Name of the group that a signal is in.
GROUP_OF = {signal: name for name, group in GROUPS.items() for signal in group.signals}

#: What the last word of a signal's name says of the rows it was computed from; see `features.registry.Signal`.
WINDOWS = ("30p", "128p", "28d", "90d", "all")
#: Signals of the whole history whose last word is how far they look from a moment in it.
_FROM_A_MOMENT = frozenset({"follower_drop_after_step_28d"})


def window_of(name: str) -> str:
    """The window of a signal, one of `WINDOWS`.

    Raises
    ------
    ValueError
        Where the name does not end in a window.
    """
    window = "all" if name in _FROM_A_MOMENT else name.rpartition("_")[2]
    if window not in WINDOWS:
        message = f"{name} does not end in one of {', '.join(WINDOWS)}"
        raise ValueError(message)
    return window


def _events(histories: Histories, kind: str) -> Events:
    return {
        "posts": histories.posts,
        "days": histories.snapshots,
        "comments": histories.comments,
        "accounts": histories.audience,
    }[kind]


def pointers(histories: Histories, family: str, crowd: Crowd | None = None) -> dict[str, np.ndarray]:
    """Saliences of the rows that a family points at, by pointer; see each family's own function."""
    of: Mapping[str, Callable[[], dict[str, np.ndarray]]] = {
        "engagement": lambda: engagement.engagement_pointers(histories),
        "growth": lambda: growth.growth_pointers(histories),
        "comments": lambda: comments.comments_pointers(histories),
        "audience": lambda: audience.audience_pointers(histories),
        "content": lambda: content.content_pointers(histories),
        "coordination": lambda: coordination.coordination_pointers(histories, crowd),
    }
    return of[family]()


def _best(salience: np.ndarray, owners: np.ndarray, most: int) -> np.ndarray:
    """Rows of the largest saliences of each owner, strongest first."""
    rows = np.flatnonzero(~np.isnan(salience))
    rows = rows[np.lexsort((rows, -salience[rows], owners[rows]))]
    counts = np.bincount(owners[rows], minlength=1)
    place = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows[place < most]


@dataclass(frozen=True)
class Pointed:
    """Rows that a signal points at; arrays of one length, creator by creator, strongest first.

    Attributes
    ----------
    signal, events : str
        Its name, and "posts", "days", "comments" or "accounts".
    owners : ndarray of int64
        Position of the creator in `histories.creators`.
    ids : ndarray of object
        Of the post, comment or account; None for days, null where the source has none.
    at : ndarray of datetime64[us]
        UTC, to the millisecond; NaT for accounts.
    salience : ndarray of float64
        Larger where to look first.
    """

    signal: str
    events: str
    owners: np.ndarray
    ids: np.ndarray
    at: np.ndarray
    salience: np.ndarray


def pointed_rows(
    histories: Histories, names: Iterable[str], *, crowd: Crowd | None = None, most: int = 5
) -> Iterator[Pointed]:
    """The rows that signals point at, signal by signal; parameters and errors of `evidence_rows`."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name in names:
        signal = SIGNALS[name]
        kind, _, pointer = signal.points_at.partition(":")
        if not kind:
            continue
        if signal.family not in found:
            found[signal.family] = pointers(histories, signal.family, crowd)
        events = _events(histories, kind)
        salience = found[signal.family].get(pointer)
        if salience is None:  # no events of this kind
            continue
        rows = _best(salience, events.owners, most)
        ids = events.texts[_IDS[kind]].iloc[rows].to_numpy(dtype=object) if kind in _IDS else np.full(rows.size, None)
        days = events[_TIMES[kind]][rows] if kind in _TIMES else np.full(rows.size, np.nan)
        yield Pointed(name, kind, events.owners[rows], ids, _moments(days), salience[rows])


def _moments(days: np.ndarray) -> np.ndarray:
    """Days since 1970 as UTC datetime64[us] to the millisecond: days are floats, and no more is known of them."""
    milliseconds = np.rint(np.nan_to_num(days) * 86_400_000).astype("datetime64[ms]").astype("datetime64[us]")
    return np.where(np.isnan(days), np.datetime64("NaT", "us"), milliseconds)


def evidence_rows(
    histories: Histories, names: Iterable[str], *, crowd: Crowd | None = None, most: int = 5
) -> pd.DataFrame:
    """The rows that signals point at.

    Parameters
    ----------
    names : iterable of str
        Signals; those that mean the whole history have no rows.
    crowd : Crowd, optional
        As for `features.signals.compute_signals`.
    most : int
        Rows of each creator and signal, strongest first.

    Returns
    -------
    DataFrame
        creator_id, signal, events ("posts", "days", "comments" or "accounts"), id (of the post, comment or account;
        null for days and where the source has none), at (UTC; null for accounts) and salience (float64, larger where to
        look first).

    Raises
    ------
    KeyError
        Where a name is no signal.
    """
    ids = histories.creators["creator_id"].to_numpy()
    parts = [
        pd.DataFrame(
            {
                "creator_id": ids[one.owners],
                "signal": one.signal,
                "events": one.events,
                "id": one.ids,
                "at": one.at,
                "salience": one.salience,
            }
        )
        for one in pointed_rows(histories, names, crowd=crowd, most=most)
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    at = pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]")
    text = {name: frame[name].astype("str") for name in ("creator_id", "signal", "events", "id")}
    return frame.assign(**text, at=at, salience=frame["salience"].astype("float64"))
