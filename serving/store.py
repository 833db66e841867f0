"""What the service writes, in SQLite or by REALREACH_DATABASE in PostgreSQL: keys, feedback, decisions, jobs, audit.

Scoring and reading never wait for it: keys are read from a copy in memory, and their use is written in the background.
Whoever leaves something waits until it is written.
"""

import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from training.tracking import home

log = logging.getLogger("realreach.store")

#: Seconds that a writer waits for another one, or for a connection; and those of a statement of PostgreSQL.
_LOCKED_SECONDS, _STATEMENT_SECONDS = 5, 20
#: How each database inserts a row or changes the one that is there, in one step.
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
#: Where a connection keeps which file it opened.
_FILE = "realreach_file"
#: The option of a connection that says that it only reads.
_READS = "realreach_reads"
metadata = sa.MetaData()
keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("tenant", sa.String(200), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("scopes", sa.String(100), nullable=False),
    sa.Column("per_minute", sa.Integer, nullable=False),
    sa.Column("per_day", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("revoked_at", sa.DateTime),
)
uses = sa.Table(
    "api_key_uses",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
)
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("action", sa.String(50), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
)
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.String(200), nullable=False, index=True),
    sa.Column("received_at", sa.DateTime, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("row", sa.Text, nullable=False),
)
#: What was answered to writes that named themselves: asked again, they are answered the same and not written again.
answered = sa.Table(
    "answered",
    metadata,
    sa.Column("tenant", sa.String(200), primary_key=True),
    sa.Column("path", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
)
#: Batches that are scored in the background, and their parts: histories go in compressed and are wiped when scored.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(200), nullable=False, index=True),
    sa.Column("received_at", sa.DateTime, nullable=False),
    sa.Column("as_of", sa.DateTime, nullable=False),
    sa.Column("checks", sa.Boolean, nullable=False),
    sa.Column("language", sa.String(10), nullable=False),
    sa.Column("histories", sa.Integer, nullable=False),
)
job_parts = sa.Table(
    "job_parts",
    metadata,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("histories", sa.LargeBinary),
    sa.Column("lines", sa.LargeBinary),
    sa.Column("scored", sa.Integer, nullable=False, default=0),
    sa.Column("refused", sa.Integer, nullable=False, default=0),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("claimed_at", sa.DateTime),
    sa.Column("done_at", sa.DateTime, index=True),
)
#: Named views of the catalogue, in each of which creators are decided on; `version` counts what was decided in it.
lists = sa.Table(
    "lists",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("brand_id", sa.String(200)),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("stage", sa.String(10), nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # of a list that a first vote made: its tenant, view and day, so that two at once make one
    sa.Column("made_for", sa.String(64), unique=True),
)
#: Every vote that was ever cast: none is changed but by noting that it was taken back.
votes = sa.Table(
    "votes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("list_id", sa.String(32), nullable=False, index=True),
    sa.Column("creator_id", sa.Text, nullable=False),
    sa.Column("analyst", sa.String(200), nullable=False),
    sa.Column("decision", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("position", sa.Integer),
    sa.Column("batch", sa.String(32), nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("undone_at", sa.DateTime),
    sa.Column("undone_version", sa.Integer),
)
#: Links by which a client reads a list; the link itself is signed and kept nowhere.
client_links = sa.Table(
    "client_links",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("list_id", sa.String(32), nullable=False, index=True),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False),
    sa.Column("revoked_at", sa.DateTime),
)
#: What somebody says against what is shown of a creator.
disputes = sa.Table(
    "disputes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(200), nullable=False, index=True),
    sa.Column("creator_id", sa.Text, nullable=False),
    sa.Column("said_by", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("entered_by", sa.String(200), nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("answered_by", sa.String(200), nullable=False),
    sa.Column("answered_at", sa.DateTime),
)
#: What is signed with; made once and the same for all who share the database.
signing_secrets = sa.Table(
    "signing_secrets",
    metadata,
    sa.Column("name", sa.String(50), primary_key=True),
    sa.Column("secret", sa.String(100), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
)


class StoreError(RuntimeError):
    """The database cannot be read or written at the moment; the message says why."""


def url() -> str:
    """Where the database is: REALREACH_DATABASE, by default realreach.db in REALREACH_HOME."""
    named = os.environ.get("REALREACH_DATABASE") or f"sqlite:///{(home() / 'realreach.db').as_posix()}"
    kind, colon, rest = named.partition(":")
    # the one driver that is installed, whatever hosts of databases call their addresses
    return f"postgresql+psycopg{colon}{rest}" if kind in ("postgres", "postgresql") else named


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


@cache
def _engine(address: str) -> sa.Engine:
    if not address.startswith("sqlite"):
        limits = f"-c lock_timeout={_LOCKED_SECONDS}s -c statement_timeout={_STATEMENT_SECONDS}s"
        waits = {"connect_timeout": _LOCKED_SECONDS, "options": limits}
        return sa.create_engine(address, pool_pre_ping=True, connect_args=waits)
    home().mkdir(parents=True, exist_ok=True)
    file = Path(sa.make_url(address).database or "")
    file.touch(mode=0o600)  # here and nowhere else: one that is taken away later is not silently begun anew

    def _open() -> sqlite3.Connection:
        uri = f"file:{quote(str(file.absolute()))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=_LOCKED_SECONDS, check_same_thread=False)

    engine = sa.create_engine(address, creator=_open)

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        record.info[_FILE] = _identity(file)
        connection.isolation_level = None  # the driver would begin transactions later than it is told to
        connection.execute("pragma journal_mode = wal")  # a commit is one write, and a killed process leaves no half
        connection.execute("pragma synchronous = full")

    @sa.event.listens_for(engine, "checkout")
    def _require_same(_: Any, record: Any, __: Any) -> None:
        # an open file that was taken away or replaced still takes what is written, for nobody to read
        if record.info[_FILE] != _identity(file):
            raise sa.exc.DisconnectionError(f"{file} is another file by now")

    @sa.event.listens_for(engine, "begin")
    def _begin(one: sa.Connection) -> None:
        reads = bool(one.get_execution_options().get(_READS))
        one.exec_driver_sql(f"pragma query_only = {int(reads)}")
        # who reads first and then writes would otherwise be refused, not made to wait, where another has written since
        one.exec_driver_sql("begin" if reads else "begin immediate")

    return engine


@cache
def _prepared(address: str) -> sa.Engine:
    """The engine with its tables there; a failure is not remembered, and the next call tries again."""
    engine = _engine(address)
    metadata.create_all(engine)
    return engine


@contextmanager
def _transaction(**options: Any) -> Iterator[sa.Connection]:
    try:
        with _prepared(url()).connect() as one, one.execution_options(**options).begin():
            yield one
    except (SQLAlchemyError, OSError) as error:
        said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
        raise StoreError(f"the database cannot be used: {said.splitlines()[0]}") from error


def connection() -> AbstractContextManager[sa.Connection]:
    """A transaction: all of it is written, or nothing.

    Raises
    ------
    StoreError
        Where the database is locked, full or gone.
    """
    return _transaction()


def reading() -> AbstractContextManager[sa.Connection]:
    """A transaction that writes nothing: nobody who writes waits for it, and it waits for nobody.

    Raises
    ------
    StoreError
        Where the database is gone, or something is to be written.
    """
    return _transaction(**{_READS: True, "postgresql_readonly": True})


def now() -> datetime:
    """Time in UTC, as the tables keep it: without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def note(one: sa.Connection, who: str, action: str, about: str) -> None:
    """Add a line to the audit log, in the transaction of what it tells of."""
    one.execute(audit.insert().values(at=now(), who=who, action=action, about=about))


def insert_new(one: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Insert a row, unless a unique column of it is taken already."""
    insert: Any = _INSERT[one.dialect.name](table).values(row)
    one.execute(insert.on_conflict_do_nothing())


def signing_secret(name: str) -> str:
    """What is signed with for a purpose: made when it is first asked for, the same for all who share the database.

    Raises
    ------
    StoreError
    """
    # read each time: another database may have been put in the place of this one
    wanted = sa.select(signing_secrets.c.secret).where(signing_secrets.c.name == name)
    with reading() as one:
        known = one.execute(wanted).scalar()
    if known is None:
        with connection() as one:
            insert_new(one, signing_secrets, {"name": name, "secret": secrets.token_urlsafe(32), "created_at": now()})
            known = one.execute(wanted).scalar_one()
    return str(known)


def count_uses(requests: Mapping[str, int], day: date) -> dict[str, int]:
    """Add requests of keys on a day; all that were counted on it, also by other processes, by key.

    Raises
    ------
    StoreError
    """
    with connection() if requests else reading() as one:
        for key_id, more in requests.items():
            insert: Any = _INSERT[one.dialect.name](uses).values(key_id=key_id, day=day, requests=more)
            one.execute(
                insert.on_conflict_do_update(
                    index_elements=[uses.c.key_id, uses.c.day], set_={"requests": uses.c.requests + more}
                )
            )
        rows = one.execute(sa.select(uses.c.key_id, uses.c.requests).where(uses.c.day == day))
        return {row.key_id: row.requests for row in rows}
