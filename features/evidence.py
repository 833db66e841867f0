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
    """Rows that one signal points at, those of each creator strongest first.

    Attributes
    ----------
    signal : str
    kind : {"posts", "days", "comments", "accounts"}
    owners : ndarray of int64, shape (rows,)
        Position of the creator.
    ids : ndarray of object, shape (rows,), or None
        Of the posts, comments or accounts, missing where the source has none; None of days.
    at : ndarray of float64, shape (rows,), or None
        In days since 1970-01-01 UTC; None of accounts.
    salience : ndarray of float64, shape (rows,)
    """

    signal: str
    kind: str
    owners: np.ndarray
    ids: np.ndarray | None
    at: np.ndarray | None
    salience: np.ndarray


def pointed_rows(
    histories: Histories, names: Iterable[str], *, crowd: Crowd | None = None, most: int = 5
) -> Iterator[Pointed]:
    """The rows that signals point at, signal by signal; parameters and errors as of `evidence_rows`."""
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
        yield Pointed(
            name,
            kind,
            events.owners[rows],
            events.texts[_IDS[kind]].to_numpy()[rows] if kind in _IDS else None,
            events[_TIMES[kind]][rows] if kind in _TIMES else None,
            salience[rows],
        )


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
                "events": one.kind,
                "id": one.ids,
                "at": np.nan if one.at is None else one.at,
                "salience": one.salience,
            }
        )
        for one in pointed_rows(histories, names, crowd=crowd, most=most)
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    at = pd.to_datetime(frame["at"].astype("float64"), unit="D", utc=True).dt.round("ms")  # days are floats
    text = {name: frame[name].astype("str") for name in ("creator_id", "signal", "events", "id")}
    return frame.assign(**text, at=at.astype("datetime64[us, UTC]"), salience=frame["salience"].astype("float64"))
