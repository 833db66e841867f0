"""What analysts decide: named lists, votes on creators that never overwrite another's, disputes, links for clients.

A vote is written once and stays; to take one back is noted beside it. What counts is each analyst's newest vote that
stands. Every change of a list raises its version, under a lock of its row: whoever decides learns what others decided
since the version they looked at.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, unquote_plus, urlencode

import sqlalchemy as sa

from serving import store
from serving.words import N_

Decision = Literal["yes", "maybe", "no"]
StatusName = Literal["undecided", "yes", "maybe", "no", "split"]
Stage = Literal["internal", "client"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
#: In the order in which a board shows them.
STATUSES: tuple[StatusName, ...] = get_args(StatusName)
#: Longest name, reason and text, in characters; most creators of one vote.
LONGEST_NAME, LONGEST_REASON, LONGEST_TEXT, MOST_AT_ONCE = 200, 200, 10_000, 500
#: Characters of the view of a list, as people read them: twice the brief that a page shows, and room for its filters.
LONGEST_VIEW = 20_000
#: The newest lists, among which those of a view are looked for.
_LOOKED_THROUGH = 200
#: How long a client's link holds where nothing else is asked for, and at most.
LINK_DAYS, MOST_LINK_DAYS = 14, 90
#: What of an address is no part of the view that a list reproduces.
_NOT_OF_A_VIEW = frozenset({"lang", "list", "page", "since", "creator"})
#: What of a view only says how it is shown: who sorts it otherwise still decides on the same creators.
_HOW_IT_IS_SHOWN = frozenset({"sort", "order", "as", "k", "status"})
#: What no text may hold: PostgreSQL keeps no NUL, and the others draw nothing.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class DecisionError(ValueError):
    """What was sent cannot be written; `message` says why and `values` fills in its names."""

    def __init__(self, message: str, **values: Any) -> None:
        super().__init__(message.format(**values))
        self.message, self.values = message, values


class UnknownListError(LookupError):
    """The tenant has no list of this id."""


class NothingToUndoError(LookupError):
    """The analyst has no vote in this list that stands."""


@dataclass(frozen=True)
class DecisionList:
    """A named view, in which creators are decided on.

    Attributes
    ----------
    brand_id : str, optional
        The brand that it is decided for, as in the table `brands`.
    query : str
        Query string of the address that shows the view, without `list` and `lang`.
    created_at : datetime
        UTC, without a zone, as all times here.
    version : int
        Raised by every vote and undo.
    """

    id: str
    tenant: str
    name: str
    brand_id: str | None
    query: str
    stage: Stage
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True)
class Vote:
    """What one analyst decided on one creator.

    Attributes
    ----------
    position : int, optional
        Place in the list that was looked at, from 1.
    batch : str
        Common to the votes of one step.
    version : int
        Of the list, with this vote in it.
    undone_at : datetime, optional
        When it was taken back.
    """

    id: int
    list_id: str
    creator_id: str
    analyst: str
    decision: Decision
    reason: str
    comment: str
    position: int | None
    batch: str
    at: datetime
    version: int
    undone_at: datetime | None = None
    undone_version: int | None = None


@dataclass(frozen=True)
class Status:
    """What a creator is in a list.

    Attributes
    ----------
    name : {"undecided", "yes", "maybe", "no", "split"}
        `split` where analysts disagree.
    votes : tuple of Vote
        The newest that stands of each analyst, oldest first.
    """

    name: StatusName
    votes: tuple[Vote, ...] = ()

    def of(self, analyst: str) -> Decision | None:
        """What this analyst decided, None where nothing that stands."""
        return next((vote.decision for vote in self.votes if vote.analyst == analyst), None)


#: Of a creator without votes: `statuses_of(list_id).get(creator_id, UNDECIDED)`.
UNDECIDED = Status("undecided")


@dataclass(frozen=True)
class Decided:
    """What came of a vote or an undo.

    Attributes
    ----------
    list : DecisionList
        As it is now.
    votes : tuple of Vote
        Those that were cast or taken back.
    statuses : dict of str to Status
        Of the creators of `votes` and `since`, now; of those not in it `UNDECIDED`.
    counts : dict of str to int
        How many creators of the list have each status, now.
    since : tuple of Vote
        What others voted or took back since the version that was looked at.
    """

    list: DecisionList
    votes: tuple[Vote, ...]
    statuses: dict[str, Status]
    counts: dict[StatusName, int]
    since: tuple[Vote, ...]


@dataclass(frozen=True)
class Link:
    """A link by which a client reads a list."""

    id: str
    list_id: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it may be followed at a moment."""
        return self.revoked_at is None and at < self.expires_at


@dataclass(frozen=True)
class Dispute:
    """What somebody says against what is shown of a creator.

    Attributes
    ----------
    said_by : str
        Who says it: the creator, an agency, a client.
    entered_by : str
        The analyst who wrote it down.
    state : {"open", "answered"}
    """

    id: str
    tenant: str
    creator_id: str
    said_by: str
    text: str
    entered_by: str
    at: datetime
    state: Literal["open", "answered"]
    answer: str
    answered_by: str
    answered_at: datetime | None


def _columns(table: sa.Table, kind: type[Any]) -> sa.Select[Any]:
    return sa.select(*(table.c[field.name] for field in fields(kind)))


def _text(value: str, longest: int, what: str, *, needed: bool = False) -> str:
    """Text that may be kept: trimmed, its lines ended alike.

    Raises
    ------
    DecisionError
    """
    kept = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(kept) > longest:
        raise DecisionError(
            N_("{what} has {count} characters, and at most {most} are kept. Shorten it and send it again."),
            what=what,
            count=len(kept),
            most=longest,
        )
    if _CONTROL.search(kept):
        raise DecisionError(N_("{what} holds control characters. Type it anew and send it again."), what=what)
    if needed and not kept:
        raise DecisionError(N_("{what} is empty. Fill it in and send it again."), what=what)
    return kept


def view_query(query: str) -> str:
    """Query string of a view: that of an address, without what changes from one look at it to the next."""
    return urlencode([(name, value) for name, value in parse_qsl(query) if name not in _NOT_OF_A_VIEW])


def chosen_by(query: str) -> str:
    """What of a view chooses the creators, however they are sorted and shown; equal for two views of the same ones."""
    left_out = _NOT_OF_A_VIEW | _HOW_IT_IS_SHOWN
    return urlencode(sorted((name, value) for name, value in parse_qsl(query) if name not in left_out))


def _kept_view(query: str) -> str:
    """Query string of a view that may be kept.

    Raises
    ------
    DecisionError
    """
    kept = view_query(query)
    if (count := len(unquote_plus(kept))) > LONGEST_VIEW:
        raise DecisionError(
            N_("The brief and filters have {count} characters, and a list keeps {most}. Shorten the brief first."),
            count=count,
            most=LONGEST_VIEW,
        )
    return kept


def _row(tenant: str, name: str, query: str, who: str, brand_id: str) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(8),
        "tenant": tenant,
        "name": _text(name, LONGEST_NAME, N_("The name"), needed=True),
        "brand_id": _text(brand_id, LONGEST_NAME, N_("The brand")) or None,
        "query": _kept_view(query),
        "stage": "internal",
        "created_by": who,
        "created_at": store.now(),
        "version": 0,
    }


def make_list(tenant: str, name: str, query: str, who: str, brand_id: str = "") -> DecisionList:
    """Save a view under a name.

    Parameters
    ----------
    query : str
        Of the address that shows it.
    who : str
        The analyst.

    Raises
    ------
    DecisionError
    serving.store.StoreError
    """
    row = _row(tenant, name, query, who, brand_id)
    with store.connection() as one:
        one.execute(store.lists.insert().values(row))
        store.note(one, who, "list made", row["id"])
    return DecisionList(**row)


def list_for(tenant: str, name: str, query: str, who: str) -> DecisionList:
    """The list of a view that nobody named: made by the first vote of a day, and joined by all that follow.

    A list that was renamed, given a brand or passed on is no longer joined.

    Raises
    ------
    DecisionError
    serving.store.StoreError
    """
    row = _row(tenant, name, query, who, "")
    made_for = sha256(f"{tenant}\n{chosen_by(query)}\n{row['created_at']:%Y-%m-%d}".encode()).hexdigest()
    with store.connection() as one:
        store.insert_new(one, store.lists, row | {"made_for": made_for})
        found = one.execute(_columns(store.lists, DecisionList).where(store.lists.c.made_for == made_for)).one()
        if found.id == row["id"]:
            store.note(one, who, "list made", row["id"])
    return DecisionList(*found)


def _list(one: sa.Connection, tenant: str, list_id: str) -> DecisionList:
    mine = (store.lists.c.tenant == tenant) & (store.lists.c.id == list_id)
    found = one.execute(_columns(store.lists, DecisionList).where(mine)).first()
    if found is None:
        raise UnknownListError(f"there is no list {list_id[:50]!r}; /review/lists shows yours")
    return DecisionList(*found)


def list_of(tenant: str, list_id: str) -> DecisionList:
    """A list by its id.

    Raises
    ------
    UnknownListError
    serving.store.StoreError
    """
    with store.reading() as one:
        return _list(one, tenant, list_id)


def lists_of(tenant: str, start: int = 0, most: int = 50) -> list[DecisionList]:
    """The lists of a tenant, the newest first, from a place on.

    Raises
    ------
    serving.store.StoreError
    """
    order = store.lists.c.created_at.desc(), store.lists.c.id
    wanted = _columns(store.lists, DecisionList).where(store.lists.c.tenant == tenant).order_by(*order)
    with store.reading() as one:
        return [DecisionList(*row) for row in one.execute(wanted.offset(start).limit(most))]


def count_lists(tenant: str) -> int:
    """How many lists a tenant has.

    Raises
    ------
    serving.store.StoreError
    """
    wanted = sa.select(sa.func.count()).select_from(store.lists).where(store.lists.c.tenant == tenant)
    with store.reading() as one:
        return int(one.execute(wanted).scalar_one())


def lists_like(tenant: str, query: str, most: int = 3) -> tuple[DecisionList, ...]:
    """The newest lists of a view, however it is sorted and shown; none of a view that chooses nobody.

    Raises
    ------
    serving.store.StoreError
    """
    wanted = chosen_by(query)
    if not wanted:
        return ()
    every = lists_of(tenant, most=_LOOKED_THROUGH)
    return tuple(islice((one for one in every if chosen_by(one.query) == wanted), most))


def change_list(
    tenant: str, list_id: str, who: str, *, name: str = "", brand_id: str | None = None, stage: Stage | None = None
) -> DecisionList:
    """Rename a list, say which brand it is for, or pass it on to its client and back; what is left out stays.

    Raises
    ------
    DecisionError
    UnknownListError
    serving.store.StoreError
    """
    changes: dict[str, Any] = {}
    if name:
        changes["name"] = _text(name, LONGEST_NAME, N_("The name"), needed=True)
    if brand_id is not None:
        changes["brand_id"] = _text(brand_id, LONGEST_NAME, N_("The brand")) or None
    if stage is not None:
        changes["stage"] = stage
    with store.connection() as one:
        found = _list(one, tenant, list_id)
        if changes:
            # whoever votes in the same view later does not mean what this list has become
            values = changes | {"made_for": None}
            one.execute(store.lists.update().where(store.lists.c.id == list_id).values(values))
            said = f"list {stage}" if stage else "list changed"
            store.note(one, who, said, list_id)
    return DecisionList(**vars(found) | changes)


def _raised(one: sa.Connection, tenant: str, list_id: str) -> DecisionList:
    """The list, its version raised; others who change it wait from here until the transaction ends."""
    mine = (store.lists.c.tenant == tenant) & (store.lists.c.id == list_id)
    one.execute(store.lists.update().where(mine).values(version=store.lists.c.version + 1))
    return _list(one, tenant, list_id)


def _standing(votes: Iterable[Vote]) -> dict[str, Status]:
    """Status of each creator by its votes, the oldest first."""
    newest: dict[str, dict[str, Vote]] = {}
    for vote in votes:
        if vote.undone_at is None:
            own = newest.setdefault(vote.creator_id, {})
            own.pop(vote.analyst, None)  # moves it behind those of others
            own[vote.analyst] = vote
    return {creator_id: _status(tuple(own.values())) for creator_id, own in newest.items()}


def _status(votes: tuple[Vote, ...]) -> Status:
    first, *others = {vote.decision for vote in votes}
    return Status("split" if others else first, votes)


def _votes(one: sa.Connection, which: sa.ColumnElement[bool]) -> list[Vote]:
    wanted = _columns(store.votes, Vote).where(which).order_by(store.votes.c.id)
    return [Vote(*row) for row in one.execute(wanted)]


def _of(list_id: str) -> sa.ColumnElement[bool]:
    """Votes of a list."""
    return store.votes.c.list_id == list_id


def _by_list(votes: Iterable[Vote]) -> dict[str, dict[str, Status]]:
    of_list: dict[str, list[Vote]] = {}
    for vote in votes:
        of_list.setdefault(vote.list_id, []).append(vote)
    return {list_id: _standing(own) for list_id, own in of_list.items()}


def _since(seen: int | None, analyst: str) -> sa.ColumnElement[bool]:
    """Votes that others cast or took back since a version."""
    if seen is None:
        return sa.false()
    votes = store.votes.c
    cast = votes.undone_version.is_(None) & (votes.version > seen)
    taken_back = (votes.undone_version > seen) & (votes.version <= seen)
    return (votes.analyst != analyst) & (cast | taken_back)


def _counts(one: sa.Connection, list_ids: Sequence[str]) -> dict[str, dict[StatusName, int]]:
    votes = store.votes.c
    newest = (
        sa.select(sa.func.max(votes.id))
        .where(votes.list_id.in_(list_ids), votes.undone_at.is_(None))
        .group_by(votes.list_id, votes.creator_id, votes.analyst)
    )
    least, most = sa.func.min(votes.decision), sa.func.max(votes.decision)
    status = sa.case((least == most, least), else_="split").label("status")
    creators = sa.select(votes.list_id, status).where(votes.id.in_(newest)).group_by(votes.list_id, votes.creator_id)
    each = creators.subquery().c
    counted: dict[str, dict[StatusName, int]] = {}
    wanted = sa.select(each.list_id, each.status, sa.func.count()).group_by(each.list_id, each.status)
    for list_id, name, count in one.execute(wanted):
        counted.setdefault(list_id, {})[name] = count
    return {list_id: in_order(counts) for list_id, counts in counted.items()}


def check_vote(creators: Mapping[str, int | None], decision: str, reason: str, comment: str) -> tuple[str, str]:
    """Require that a vote can be written; its reason and comment, as they are kept.

    Raises
    ------
    DecisionError
    """
    if decision not in DECISIONS:
        raise DecisionError(N_("A decision is yes, maybe or no. Choose one and send it again."))
    if not creators:
        raise DecisionError(N_("No creator was chosen. Choose one or more and send it again."))
    if len(creators) > MOST_AT_ONCE:
        raise DecisionError(
            N_("{count} creators were chosen, and at most {most} are decided on at once. Choose fewer."),
            count=len(creators),
            most=MOST_AT_ONCE,
        )
    return _text(reason, LONGEST_REASON, N_("The reason")), _text(comment, LONGEST_TEXT, N_("The comment"))


def vote(
    tenant: str,
    list_id: str,
    analyst: str,
    creators: Mapping[str, int | None],
    decision: Decision,
    *,
    reason: str = "",
    comment: str = "",
    seen: int | None = None,
) -> Decided:
    """Decide on creators in one step.

    Parameters
    ----------
    creators : mapping of str to int or None
        Their ids, and their places in the list that was looked at, from 1.
    seen : int, optional
        Version of the list that was looked at.

    Raises
    ------
    DecisionError
    UnknownListError
    serving.store.StoreError
    """
    kept = check_vote(creators, decision, reason, comment)
    common: dict[str, Any] = {
        "list_id": list_id,
        "analyst": analyst,
        "decision": decision,
        "reason": kept[0],
        "comment": kept[1],
        "batch": secrets.token_hex(8),
        "at": store.now(),
    }
    with store.connection() as one:
        found = _raised(one, tenant, list_id)
        rows = [{**common, "creator_id": key, "position": at, "version": found.version} for key, at in creators.items()]
        one.execute(store.votes.insert(), rows)
        store.note(one, analyst, f"decided {decision}", f"list {list_id}, {len(rows)} creators")
        return _decided(one, found, common["batch"], seen, analyst)


def undo(tenant: str, list_id: str, analyst: str, *, seen: int | None = None) -> Decided:
    """Take back the analyst's own last step: one vote, or all that were cast with it.

    Raises
    ------
    NothingToUndoError
    UnknownListError
    serving.store.StoreError
    """
    mine = (store.votes.c.list_id == list_id) & (store.votes.c.analyst == analyst) & store.votes.c.undone_at.is_(None)
    with store.connection() as one:
        found = _raised(one, tenant, list_id)
        last = one.execute(sa.select(store.votes.c.batch).where(mine).order_by(store.votes.c.id.desc()).limit(1))
        batch = last.scalar()
        if batch is None:
            raise NothingToUndoError("there is no vote of yours in this list that could be taken back")
        changes = {"undone_at": store.now(), "undone_version": found.version}
        one.execute(store.votes.update().where(mine & (store.votes.c.batch == batch)).values(changes))
        store.note(one, analyst, "decision undone", f"list {list_id}")
        return _decided(one, found, batch, seen, analyst)


def _decided(one: sa.Connection, found: DecisionList, batch: str, seen: int | None, analyst: str) -> Decided:
    # others wait for this: what it reads is as long as what was decided, not as the list
    own, others = _of(found.id) & (store.votes.c.batch == batch), _of(found.id) & _since(seen, analyst)
    concerned = sa.select(store.votes.c.creator_id).where(own | others).correlate(None)
    statuses = _standing(_votes(one, _of(found.id) & store.votes.c.creator_id.in_(concerned)))
    counts = _counts(one, [found.id]).get(found.id, {})
    return Decided(found, tuple(_votes(one, own)), statuses, counts, tuple(_votes(one, others)))


def statuses_of(list_id: str) -> dict[str, Status]:
    """Status of every creator that has votes in a list; of the others it is `UNDECIDED`.

    Raises
    ------
    serving.store.StoreError
    """
    with store.reading() as one:
        return _standing(_votes(one, _of(list_id)))


def counts_of(list_ids: Sequence[str]) -> dict[str, dict[StatusName, int]]:
    """How many creators of each list have each status, by the lists' ids; what nobody has is left out.

    Raises
    ------
    serving.store.StoreError
    """
    with store.reading() as one:
        return _counts(one, list_ids)


def in_order(counts: Mapping[StatusName, int]) -> dict[StatusName, int]:
    """Counts of statuses in the order in which they are shown, without those that nobody has."""
    return {name: counts[name] for name in STATUSES if counts.get(name)}


def log_of(list_id: str, most: int = 1_000) -> list[Vote]:
    """Every vote of a list, those taken back too, the newest first.

    Raises
    ------
    serving.store.StoreError
    """
    order = store.votes.c.id.desc()
    wanted = _columns(store.votes, Vote).where(store.votes.c.list_id == list_id).order_by(order).limit(most)
    with store.reading() as one:
        return [Vote(*row) for row in one.execute(wanted)]


def since(list_id: str, seen: int, analyst: str) -> tuple[Vote, ...]:
    """What others voted or took back in a list since a version of it.

    Raises
    ------
    serving.store.StoreError
    """
    with store.reading() as one:
        return tuple(_votes(one, _of(list_id) & _since(seen, analyst)))


def decision_rows(tenant: str | None = None) -> list[dict[str, Any]]:
    """Votes that stand, as rows of the contract's table `decisions`, oldest first; of every tenant where none is named.

    Raises
    ------
    serving.store.StoreError
    """
    ours = sa.true() if tenant is None else store.lists.c.tenant == tenant
    with store.reading() as one:
        lists = one.execute(sa.select(store.lists.c.id, store.lists.c.brand_id, store.lists.c.name).where(ours))
        brands = {row.id: row.brand_id or row.name for row in lists}
        statuses = _by_list(_votes(one, store.votes.c.list_id.in_(sa.select(store.lists.c.id).where(ours))))
    standing = [vote for one_list in statuses.values() for status in one_list.values() for vote in status.votes]
    return [
        {
            "brand_id": brands[vote.list_id],
            "creator_id": vote.creator_id,
            "decided_at": vote.at.replace(tzinfo=UTC),
            "decision": vote.decision,
            "position": vote.position,
        }
        for vote in sorted(standing, key=lambda vote: vote.id)
    ]


def make_link(tenant: str, list_id: str, who: str, days: int = LINK_DAYS) -> Link:
    """Let a client read a list for so many days.

    Raises
    ------
    DecisionError
        Where the list has not been passed on to its client, or for too many days.
    UnknownListError
    serving.store.StoreError
    """
    if not 1 <= days <= MOST_LINK_DAYS:
        raise DecisionError(N_("A link holds for 1 to {most} days. Choose fewer or more."), most=MOST_LINK_DAYS)
    at = store.now().replace(microsecond=0)
    link = Link(secrets.token_hex(8), list_id, who, at, at + timedelta(days=days))
    with store.connection() as one:
        if _list(one, tenant, list_id).stage != "client":
            raise DecisionError(N_("This list is still internal. Pass it on to the client first, then share it."))
        one.execute(store.client_links.insert().values(vars(link)))
        store.note(one, who, "client link made", f"list {list_id}, link {link.id}")
    return link


def links_of(list_id: str) -> list[Link]:
    """The links of a list, the newest first.

    Raises
    ------
    serving.store.StoreError
    """
    order = store.client_links.c.created_at.desc(), store.client_links.c.id
    wanted = _columns(store.client_links, Link).where(store.client_links.c.list_id == list_id).order_by(*order)
    with store.reading() as one:
        return [Link(*row) for row in one.execute(wanted)]


def revoke_link(tenant: str, list_id: str, link_id: str, who: str) -> None:
    """End a link for good; one that has ended stays so.

    Raises
    ------
    UnknownListError
    serving.store.StoreError
    """
    holds = (store.client_links.c.id == link_id) & (store.client_links.c.list_id == list_id)
    with store.connection() as one:
        _list(one, tenant, list_id)
        ended = store.client_links.update().where(holds & store.client_links.c.revoked_at.is_(None))
        if one.execute(ended.values(revoked_at=store.now())).rowcount:
            store.note(one, who, "client link revoked", f"list {list_id}, link {link_id}")


def shared_list(link_id: str, list_id: str) -> tuple[DecisionList, dict[str, Status]] | None:
    """What a link shows; None where it has ended, is of another list, or the list is internal again.

    Raises
    ------
    serving.store.StoreError
    """
    its = (store.client_links.c.id == link_id) & (store.client_links.c.list_id == list_id)
    with store.reading() as one:
        row = one.execute(_columns(store.client_links, Link).where(its)).first()
        if row is None or not Link(*row).holds(store.now()):
            return None
        shown = _columns(store.lists, DecisionList).where(store.lists.c.id == list_id, store.lists.c.stage == "client")
        found = one.execute(shown).first()
        return None if found is None else (DecisionList(*found), _standing(_votes(one, _of(list_id))))


def enter_dispute(tenant: str, creator_id: str, said_by: str, text: str, who: str) -> Dispute:
    """Write down what somebody says against what is shown of a creator.

    Raises
    ------
    DecisionError
    serving.store.StoreError
    """
    row: dict[str, Any] = {
        "id": secrets.token_hex(8),
        "tenant": tenant,
        "creator_id": creator_id,
        "said_by": _text(said_by, LONGEST_NAME, N_("Who says it"), needed=True),
        "text": _text(text, LONGEST_TEXT, N_("What is said"), needed=True),
        "entered_by": who,
        "at": store.now(),
        "state": "open",
        "answer": "",
        "answered_by": "",
        "answered_at": None,
    }
    with store.connection() as one:
        one.execute(store.disputes.insert().values(row))
        store.note(one, who, "dispute entered", row["id"])
    return Dispute(**row)


def answer_dispute(tenant: str, dispute_id: str, answer: str, who: str) -> None:
    """Answer a dispute; one that has been answered keeps its first answer.

    Raises
    ------
    DecisionError
        Also where the tenant has no open one of this id.
    serving.store.StoreError
    """
    said = _text(answer, LONGEST_TEXT, N_("The answer"), needed=True)
    its = (store.disputes.c.tenant == tenant) & (store.disputes.c.id == dispute_id) & (store.disputes.c.state == "open")
    changes = {"state": "answered", "answer": said, "answered_by": who, "answered_at": store.now()}
    with store.connection() as one:
        if not one.execute(store.disputes.update().where(its).values(changes)).rowcount:
            raise DecisionError(
                N_("There is no such open dispute; somebody may have answered it. Load the page again.")
            )
        store.note(one, who, "dispute answered", dispute_id)


def disputes_of(tenant: str, creator_id: str) -> list[Dispute]:
    """Disputes about a creator, the newest first.

    Raises
    ------
    serving.store.StoreError
    """
    its = (store.disputes.c.tenant == tenant) & (store.disputes.c.creator_id == creator_id)
    wanted = _columns(store.disputes, Dispute).where(its).order_by(store.disputes.c.at.desc(), store.disputes.c.id)
    with store.reading() as one:
        return [Dispute(*row) for row in one.execute(wanted)]
