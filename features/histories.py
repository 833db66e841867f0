"""What was known of many creators at one moment: the one place that decides it.

Everything downstream reads a `Histories`: events after `as_of`, or first observed after it, are not in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from features.tables import ACCOUNT_COUNTS, ACCOUNT_FLAGS, PLATFORMS, RELATIONS, TEXT, TIME, Tables

#: Columns of the posts and snapshots that signals read, in arrays; times in days since 1970-01-01 UTC.
POST_TIMES, POST_COUNTS = (
    ("published_at", "observed_at"),
    ("likes", "comments", "views", "shares", "saves"),
)
POST_TEXTS = ("post_id", "kind", "caption", "sponsor")
PROFILE_COUNTS = ("followers", "following", "posts_count")
_COMMENT_NUMBERS, _COMMENT_TEXTS = ("likes", "post", "author", "author_creator"), ("text", "comment_id")
_AUDIENCE_NUMBERS = ("relation", *ACCOUNT_COUNTS, *ACCOUNT_FLAGS)
SNAPSHOT_COUNTS = (*PROFILE_COUNTS, "total_views")
#: Microseconds of a day.
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Events:
    """Rows of many creators, one creator after the other and each in the order of time.

    Attributes
    ----------
    offsets : ndarray of int64, shape (creators + 1,)
        Creator i owns rows offsets[i] to offsets[i + 1].
    columns : mapping of str to ndarray of float64, each of shape (rows,)
        Counts, NaN where unknown; times in days since 1970-01-01 UTC; flags as 0 and 1.
    texts : mapping of str to Series of str, each of shape (rows,)
        Ids and words, null where unknown, index 0 to rows - 1.
    """

    offsets: np.ndarray
    columns: Mapping[str, np.ndarray]
    texts: Mapping[str, pd.Series] = field(default_factory=dict)

    def __getitem__(self, column: str) -> np.ndarray:
        return self.columns[column]

    @property
    def counts(self) -> np.ndarray:
        """Rows of each creator, shape (creators,)."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """Position of the creator that owns each row, shape (rows,)."""
        return np.repeat(np.arange(self.offsets.size - 1), self.counts)


@dataclass(frozen=True)
class Histories:
    """Creators and their events as known at `as_of`.

    Attributes
    ----------
    creators : DataFrame
        Sorted by creator_id, index 0 to n - 1. `followers`, `following` and `posts_count` are the last counts known at
        `as_of`, null where none is.
    posts, snapshots : Events
        One row a post with its latest known counts, and its texts `POST_TEXTS`; one row a creator and UTC day, the last
        counts known of that day.
    comments : Events
        Under each creator's posts, in the order of time: `published_at`, `likes`, `post` (row of the post in `posts`,
        NaN where it is not there), `author` (position in `authors`), `author_creator` (position of the creator who
        wrote it, NaN where it was nobody listed; who answers under own posts is the owner of the row); texts `text` and
        `comment_id`.
    audience : Events
        Sampled accounts around each creator, in the order of their ids: `relation` (position in
        `features.tables.RELATIONS`), the counts and flags of the account, and the text `account_id`.
    authors : Index of str
        Everybody who wrote a comment, in sorted order.
    """

    as_of: pd.Timestamp
    creators: pd.DataFrame
    posts: Events
    snapshots: Events
    comments: Events
    audience: Events
    authors: pd.Index

    @cached_property
    def profiles(self) -> Mapping[str, np.ndarray]:
        """`PROFILE_COUNTS` known at `as_of`, each float64 of shape (creators,), NaN where unknown."""
        return {name: _numbers(self.creators[name]) for name in PROFILE_COUNTS}

    @property
    def followers(self) -> np.ndarray:
        """Followers known at `as_of`, float64 of shape (creators,), NaN where unknown."""
        return self.profiles["followers"]

    @cached_property
    def platforms(self) -> np.ndarray:
        """Position of each creator's platform in `features.tables.PLATFORMS`, int64 of shape (creators,)."""
        return pd.Index(PLATFORMS).get_indexer(pd.Index(self.creators["platform"]))


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _instants(times: pd.Series) -> np.ndarray:
    return np.asarray(times.array, dtype="datetime64[us]")  # of times with a zone, in UTC


def days_since_epoch(times: pd.Series) -> np.ndarray:
    """Times as float64 days since 1970-01-01 UTC, NaN where missing."""
    instants = _instants(times if times.dtype == TIME else times.astype(TIME))
    return np.where(np.isnat(instants), np.nan, instants.astype(np.int64) / DAY_US)


def latest_knowledge(tables: Tables, now: pd.Timestamp) -> pd.Timestamp:
    """Last moment that something in the tables was observed; `now` where a row does not say when it was.

    What `as_of` is where the user names none: old exports are judged as of their own day. A creator without a count has
    nothing that was observed, and accounts of an audience never say when they were sampled.
    """
    if not tables.get("audience", tables["posts"].iloc[:0]).empty:
        return now
    counted = tables["creators"].dropna(subset=["followers"])
    times = []
    for frame in (counted, tables["posts"], tables.get("snapshots", counted)):
        if not frame.empty:
            if "observed_at" not in frame or frame["observed_at"].isna().any():
                return now
            times.append(frame["observed_at"].max())
    return max(times, default=now)


def known_rows(frame: pd.DataFrame, as_of: pd.Timestamp, imported_at: pd.Timestamp) -> pd.DataFrame:
    """Rows observed by `as_of`, with `observed_at` filled by the import where it is missing."""
    if "observed_at" in frame:
        observed = frame["observed_at"].fillna(imported_at)
    else:
        observed = pd.Series(imported_at, index=frame.index)
    return _where(frame.assign(observed_at=observed.astype(TIME)), observed <= as_of)


def _where(frame: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """Rows that are wanted; no copy where all are."""
    return frame if wanted.all() else frame[wanted]


def offsets_of(owner: np.ndarray, creators: int) -> np.ndarray:
    """`Events.offsets` of rows that stand by owner."""
    return owner.searchsorted(np.arange(creators + 1)).astype(np.int64)


def _events(
    frame: pd.DataFrame,
    creators: int,
    times: Sequence[str] = (),
    numbers: Sequence[str] = (),
    texts: Sequence[str] = (),
) -> Events:
    """Rows in their final order, with a column `owner`, as arrays; columns that are not there are unknown."""
    columns = {name: days_since_epoch(frame[name]) for name in times}
    for name in numbers:
        columns[name] = _numbers(frame[name]) if name in frame else np.full(len(frame), np.nan)
    words = {
        name: frame[name].reset_index(drop=True)
        if name in frame
        else pd.Series(None, index=range(len(frame)), dtype=TEXT)
        for name in texts
    }
    return Events(offsets_of(frame["owner"].to_numpy(), creators), columns, words)


def _no_events(creators: int, columns: Sequence[str], texts: Sequence[str]) -> Events:
    words = pd.Series([], dtype=TEXT)
    return Events(
        np.zeros(creators + 1, dtype=np.int64), {name: np.empty(0) for name in columns}, dict.fromkeys(texts, words)
    )


def no_comments(creators: int) -> Events:
    """Comments of creators of whom none are known."""
    return _no_events(creators, ("published_at", *_COMMENT_NUMBERS), _COMMENT_TEXTS)


def no_audience(creators: int) -> Events:
    """Accounts around creators of whom none are known."""
    return _no_events(creators, _AUDIENCE_NUMBERS, ("account_id",))


def _positions(values: pd.Series, ids: pd.Index) -> np.ndarray:
    """Position of each value in `ids`, -1 where it is not there; each distinct value is looked up once."""
    codes, distinct = pd.factorize(values)
    return np.append(ids.get_indexer(pd.Index(distinct)), -1)[codes]


def _with_owner(frame: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    return frame.assign(owner=_positions(frame["creator_id"], ids))


def _microseconds(times: pd.Series) -> np.ndarray:
    return _instants(times).astype(np.int64)


def _in_order(frame: pd.DataFrame, time: str, then: Sequence[str] = ()) -> pd.DataFrame:
    """Rows by owner, time and the texts `then`; texts are compared, and rows moved, only where they have to be."""
    owner, moment = frame["owner"].to_numpy(), _microseconds(frame[time])
    order = None
    if not ascending(owner, moment, ties=True):
        order = np.lexsort((moment, owner))
        owner, moment = owner[order], moment[order]
    if then:
        tied = np.append(False, (owner[1:] == owner[:-1]) & (moment[1:] == moment[:-1]))
        tied[:-1] |= tied[1:]
        rows = np.flatnonzero(tied)
        if rows.size:
            order = np.arange(len(frame)) if order is None else order
            alike = frame[list(then)].iloc[order[rows]]
            texts = [pd.factorize(alike[name], sort=True)[0] for name in reversed(then)]
            order[rows] = order[rows[np.lexsort((*texts, moment[rows], owner[rows]))]]
    return frame if order is None else frame.iloc[order]


def ascending(owner: np.ndarray, moment: np.ndarray, *, ties: bool) -> bool:
    """Whether rows stand by owner and rise in time; `ties` says whether two may share a moment."""
    later = moment[1:] >= moment[:-1] if ties else moment[1:] > moment[:-1]
    return bool(((owner[1:] > owner[:-1]) | ((owner[1:] == owner[:-1]) & later)).all())


def _latest_posts(posts: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    posts = _where(posts, posts["published_at"] <= as_of)
    key = ["owner", "post_id"]
    if not posts["post_id"].is_unique and posts.duplicated(subset=key).any():
        # the import may be the moment of another observation: larger counts then win, whatever the order of rows
        counts = [name for name in POST_COUNTS if name in posts]
        posts = posts.sort_values(["observed_at", *counts], kind="stable", na_position="first")
        posts = posts.drop_duplicates(subset=key, keep="last")
    return _in_order(posts, "published_at", ["post_id"])


def _last_of_each_day(snapshots: pd.DataFrame) -> pd.DataFrame:
    """One snapshot a creator and UTC day: changes within hours say more about rounding than about growth.

    Of each count, the last that is known of the day.
    """
    ordered = _in_order(snapshots, "observed_at")
    owner, day = ordered["owner"].to_numpy(), _microseconds(ordered["observed_at"]) // DAY_US
    if ascending(owner, day, ties=False):
        return ordered
    return ordered.groupby([owner, day], sort=False).last().reset_index(drop=True)


def _last_seen(snapshots: Events, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Last known value of a column and when it was seen, shape (creators,); NaN where there is none."""
    values, at = snapshots[name], snapshots["observed_at"]
    last, when = np.full((2, snapshots.offsets.size - 1), np.nan)
    some = np.flatnonzero(snapshots.counts)
    rows = snapshots.offsets[some + 1] - 1
    last[some], when[some] = values[rows], at[rows]
    if np.isnan(values[rows]).any():
        known = np.flatnonzero(~np.isnan(values))
        owners = snapshots.owners[known]
        last[owners], when[owners] = values[known], at[known]  # rows are in the order of time: the last one stays
    return last, np.where(np.isnan(last), np.nan, when)


def known_counts(
    stated: Mapping[str, np.ndarray], stated_at: np.ndarray, snapshots: Events
) -> dict[str, pd.arrays.IntegerArray]:
    """Counts of profiles as last seen, from what profiles state and from snapshots.

    Where both show a count, the profile has the last word only if it says that it was observed later.

    Parameters
    ----------
    stated : mapping of str to ndarray of float64, each of shape (creators,)
        Of `PROFILE_COUNTS` those that are there; NaN where unknown.
    stated_at : ndarray of float64, shape (creators,)
        When they were observed, in days since 1970-01-01 UTC; -inf where that is not said.
    snapshots : Events
    """
    columns = {}
    for name in PROFILE_COUNTS:
        last = np.array(stated[name]) if name in stated else np.full(stated_at.size, np.nan)
        seen, at = _last_seen(snapshots, name)
        newer = at >= np.where(np.isnan(last), -np.inf, stated_at)
        last[newer] = seen[newer]
        missing = np.isnan(last)
        columns[name] = pd.arrays.IntegerArray(np.where(missing, 0, last).astype(np.int64), missing)
    return columns


def _known_profiles(creators: pd.DataFrame, listed: pd.Index, snapshots: Events) -> pd.DataFrame:
    """Profiles as last seen by `as_of`, missing where nothing of them was; counts also from snapshots."""
    stated_at = np.full(len(creators), -np.inf)
    if "observed_at" in creators:
        stated_at[listed] = np.nan_to_num(days_since_epoch(creators["observed_at"].loc[listed]), nan=-np.inf)
    unseen = np.ones(len(creators), dtype=bool)
    unseen[listed] = False
    stated = {name: np.where(unseen, np.nan, _numbers(creators[name])) for name in PROFILE_COUNTS if name in creators}
    if unseen.any():
        about = [name for name in creators.columns if name not in ("creator_id", "platform")]
        creators = creators.assign(**{name: creators[name].mask(unseen) for name in about})
    return creators.assign(**known_counts(stated, stated_at, snapshots))


def _place_among(posts: pd.DataFrame, comments: pd.DataFrame) -> np.ndarray:
    """Row of the post that each comment stands under, -1 where it is not there."""
    rows = np.flatnonzero(posts["owner"].isin(comments["owner"]))
    owners = np.concatenate([posts["owner"].to_numpy()[rows], comments["owner"].to_numpy()])
    codes, distinct = pd.factorize(pd.concat([posts["post_id"].iloc[rows], comments["post_id"]]))
    keys = owners * (len(distinct) + 1) + codes + 1
    return np.append(rows, -1)[pd.Index(keys[: rows.size]).get_indexer(pd.Index(keys[rows.size :]))]


def _comment_events(
    tables: Tables, ids: pd.Index, posts: pd.DataFrame, as_of: pd.Timestamp, imported_at: pd.Timestamp
) -> tuple[Events, pd.Index]:
    """Comments written by `as_of`, and their authors; how often they were liked is known from the import on."""
    comments = tables.get("comments")
    if comments is None or comments.empty:
        return no_comments(len(ids)), pd.Index([], dtype=TEXT)
    comments = _with_owner(_where(comments, comments["published_at"] <= as_of), ids)
    texts = [name for name in ("post_id", "author_id", "comment_id") if name in comments]
    comments = _in_order(comments, "published_at", texts)
    codes, authors = pd.factorize(comments["author_id"], sort=True)
    authors = pd.Index(authors, dtype=TEXT)
    writers = ids.get_indexer(authors)[codes].astype(np.float64) if len(codes) else np.array([])
    under = _place_among(posts, comments).astype(np.float64)
    comments = comments.assign(
        author=codes.astype(np.float64),
        author_creator=np.where(writers >= 0, writers, np.nan),
        post=np.where(under >= 0, under, np.nan),
        likes=comments["likes"] if "likes" in comments and imported_at <= as_of else np.nan,
    )
    return _events(comments, len(ids), ("published_at",), _COMMENT_NUMBERS, _COMMENT_TEXTS), authors


def _audience_events(tables: Tables, ids: pd.Index, *, imported: bool) -> Events:
    """Accounts sampled around each creator, with what the accounts table adds; known from the import on."""
    audience = tables.get("audience")
    if audience is None or audience.empty or not imported:
        return no_audience(len(ids))
    known = [name for name in (*ACCOUNT_COUNTS, *ACCOUNT_FLAGS) if name in audience]
    if "accounts" in tables:
        accounts = tables["accounts"].set_index("account_id").reindex(audience["account_id"])
        for name in (*ACCOUNT_COUNTS, *ACCOUNT_FLAGS):
            if name in accounts:
                own = accounts[name].set_axis(audience.index)
                audience = audience.assign(**{name: audience[name].fillna(own) if name in known else own})
    relation = audience["relation"] if "relation" in audience else pd.Series(None, index=audience.index, dtype=TEXT)
    codes = pd.Index(RELATIONS).get_indexer(pd.Index(relation)).astype(np.float64)
    audience = _with_owner(audience.assign(relation=np.where(codes >= 0, codes, np.nan)), ids)
    audience = audience.sort_values(["owner", "account_id", "relation"], kind="stable")
    return _events(audience, len(ids), (), _AUDIENCE_NUMBERS, ("account_id",))


def make_histories(tables: Tables, as_of: pd.Timestamp, *, imported_at: pd.Timestamp) -> Histories:
    """Cut checked tables at `as_of` and lay them out by creator and time.

    Parameters
    ----------
    tables : dict of str to DataFrame
        As `features.tables.check_tables` returns them; the order of rows does not matter.
    as_of : Timestamp
        In UTC. Rows published or observed later are not used.
    imported_at : Timestamp
        When the tables were imported: what rows without an `observed_at` are known from.

    Returns
    -------
    Histories
        Every creator of the creators table, also those of whom nothing was known yet.
    """
    creators = tables["creators"].sort_values("creator_id").reset_index(drop=True)
    ids = pd.Index(creators["creator_id"])
    posts = _latest_posts(_with_owner(known_rows(tables["posts"], as_of, imported_at), ids), as_of)
    post_events = _events(posts, len(ids), POST_TIMES, (*POST_COUNTS, "is_sponsored"), POST_TEXTS)
    none = pd.DataFrame({"creator_id": pd.Series(dtype=TEXT), "observed_at": pd.Series(dtype=TIME)})
    snapshots = known_rows(tables.get("snapshots", none), as_of, imported_at)
    snapshot_events = _events(
        _last_of_each_day(_with_owner(snapshots, ids)), len(ids), ("observed_at",), SNAPSHOT_COUNTS
    )
    comments, authors = _comment_events(tables, ids, posts, as_of, imported_at)
    listed = known_rows(creators, as_of, imported_at).index
    return Histories(
        as_of=as_of,
        creators=_known_profiles(creators, listed, snapshot_events),
        posts=post_events,
        snapshots=snapshot_events,
        comments=comments,
        audience=_audience_events(tables, ids, imported=imported_at <= as_of),
        authors=authors,
    )
