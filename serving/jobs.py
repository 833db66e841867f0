"""Batches too large for one answer: kept in the database, scored in parts by whichever process is free, downloaded.

Histories are personal data: each part is wiped as soon as it is scored, and all that is left of a job when its time is
over or its owner says so.
"""

import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa

from serving import store
from serving.requests import latest_known
from serving.schemas import MOST_HISTORIES, JobRequest, JobResponse, JobsResponse, ScoreRequest
from serving.words import Language

#: How long a job and its result are kept.
KEPT = timedelta(days=7)
#: A part whose worker has not been heard of for so long is given to another one.
STALE = timedelta(seconds=30)
#: How often a part is begun before its histories are given up: one of them may be what ends its workers.
MOST_ATTEMPTS = 3
#: Histories of one part.
_PART = MOST_HISTORIES
_LISTED = 100
_parts = store.job_parts


class UnknownJobError(LookupError):
    """The tenant has no job of this id."""


class JobNotDoneError(RuntimeError):
    """The job has parts that are not scored yet."""


@dataclass(frozen=True)
class Part:
    """Some histories of a job, claimed to be scored.

    Attributes
    ----------
    number : int
        Place among the parts of the job, from 0.
    first : int
        Place of its first history in the job.
    request : ScoreRequest
        With `as_of` and `language` as the job has them.
    received_at : Timestamp
        UTC; what rows without an observation time are known from.
    attempts : int
        How often it was begun, this time included.
    """

    job_id: str
    number: int
    first: int
    request: ScoreRequest
    received_at: pd.Timestamp
    attempts: int


def submit(one: sa.Connection, tenant: str, who: str, request: JobRequest, language: Language) -> JobResponse:
    """Write a job, in a transaction; it is begun by itself.

    Parameters
    ----------
    language : {"en", "vi"}
        Where the request names none.
    """
    now = store.now()
    as_of = request.as_of or latest_known(request.histories, pd.Timestamp(now, tz="UTC")).to_pydatetime()
    job = {
        "id": secrets.token_hex(16),
        "tenant": tenant,
        "received_at": now,
        "as_of": as_of.astimezone(UTC).replace(tzinfo=None),
        "checks": request.checks,
        "language": request.language or language,
        "histories": len(request.histories),
    }
    one.execute(store.jobs.insert().values(job))
    for number, first in enumerate(range(0, len(request.histories), _PART)):
        part = ScoreRequest.model_construct(
            histories=request.histories[first : first + _PART],
            as_of=as_of,
            checks=request.checks,
            language=job["language"],
        )
        packed = zlib.compress(part.model_dump_json(exclude_unset=True).encode())
        one.execute(_parts.insert().values(job_id=job["id"], number=number, histories=packed))
    store.note(one, who, "job submitted", str(job["id"]))
    return _read(one, tenant, [str(job["id"])])[0]


def _read(one: sa.Connection, tenant: str, ids: Sequence[str] | None = None) -> list[JobResponse]:
    jobs = store.jobs
    wanted = (jobs.c.tenant == tenant) & (jobs.c.received_at > store.now() - KEPT)
    if ids is not None:
        wanted &= jobs.c.id.in_(ids)
    begun = sa.case((_parts.c.attempts > 0, 1), else_=0)
    query = (
        sa.select(
            jobs,
            sa.func.sum(_parts.c.scored).label("scored"),
            sa.func.sum(_parts.c.refused).label("refused"),
            sa.func.sum(begun).label("begun"),
            sa.func.count(_parts.c.done_at).label("done"),
            sa.func.count().label("parts"),
            sa.func.max(_parts.c.done_at).label("finished_at"),
        )
        .join(_parts, _parts.c.job_id == jobs.c.id)
        .where(wanted)
        .group_by(jobs.c.id)
        .order_by(jobs.c.received_at.desc(), jobs.c.id)
        .limit(_LISTED)
    )
    return [_described(row) for row in one.execute(query).mappings()]


def _described(row: Any) -> JobResponse:
    done = row["done"] == row["parts"]
    state: Literal["waiting", "running", "done"] = "done" if done else "running" if row["begun"] else "waiting"
    return JobResponse(
        id=row["id"],
        state=state,
        histories=row["histories"],
        scored=row["scored"],
        refused=row["refused"],
        received_at=row["received_at"],
        finished_at=row["finished_at"] if done else None,
        as_of=row["as_of"],
        kept_until=row["received_at"] + KEPT,
    )


def list_jobs(tenant: str) -> JobsResponse:
    """The newest hundred jobs of a tenant.

    Raises
    ------
    serving.store.StoreError
    """
    with store.reading() as one:
        return JobsResponse(jobs=_read(one, tenant))


def show_job(tenant: str, job_id: str) -> JobResponse:
    """How far a job is.

    Raises
    ------
    UnknownJobError
        Also where it is another tenant's.
    serving.store.StoreError
    """
    with store.reading() as one:
        found = _read(one, tenant, [job_id])
    if not found:
        raise UnknownJobError
    return found[0]


def result(tenant: str, job_id: str) -> Iterator[bytes]:
    r"""Lines of the result of a job, each the JSON of a `JobLine` and `\n`, in parts of many lines.

    Raises
    ------
    UnknownJobError
        Where there is none, or it is erased while it is read.
    JobNotDoneError
    serving.store.StoreError
    """
    if show_job(tenant, job_id).state != "done":
        raise JobNotDoneError
    with store.reading() as one:
        count = one.execute(sa.select(sa.func.count()).where(_parts.c.job_id == job_id)).scalar_one()
    return (_lines(job_id, number) for number in range(count))


def _lines(job_id: str, number: int) -> bytes:
    with store.reading() as one:
        lines = one.execute(sa.select(_parts.c.lines).where(_is(job_id, number))).scalar_one_or_none()
    if lines is None:
        raise UnknownJobError
    return zlib.decompress(lines)


def _is(job_id: str, number: int) -> sa.ColumnElement[bool]:
    return (_parts.c.job_id == job_id) & (_parts.c.number == number)


def erase(tenant: str, who: str, job_id: str) -> None:
    """Erase a job, its histories and its result; what is being scored of it is thrown away.

    Raises
    ------
    UnknownJobError
    serving.store.StoreError
    """
    with store.connection() as one:
        own = (store.jobs.c.id == job_id) & (store.jobs.c.tenant == tenant)
        if not one.execute(store.jobs.delete().where(own)).rowcount:
            raise UnknownJobError
        one.execute(_parts.delete().where(_parts.c.job_id == job_id))
        store.note(one, who, "job erased", job_id)


def erase_old() -> int:
    """Erase jobs whose time is over; how many.

    Raises
    ------
    serving.store.StoreError
    """
    with store.connection() as one:
        old = sa.select(store.jobs.c.id).where(store.jobs.c.received_at <= store.now() - KEPT)
        one.execute(_parts.delete().where(_parts.c.job_id.in_(old)))
        return one.execute(store.jobs.delete().where(store.jobs.c.id.in_(old))).rowcount


def claim() -> Part | None:
    """Take the next part that nobody works on; of several jobs the first parts come first, so that none waits for all.

    Raises
    ------
    serving.store.StoreError
    """
    free = _parts.c.done_at.is_(None) & (_parts.c.claimed_at.is_(None) | (_parts.c.claimed_at < store.now() - STALE))
    with store.connection() as one:
        query = (
            sa.select(_parts, store.jobs.c.received_at)
            .join(store.jobs, store.jobs.c.id == _parts.c.job_id)
            .where(free)
            .order_by(_parts.c.number, store.jobs.c.received_at)
            .limit(1)
        )
        row = one.execute(query).first()
        if row is None:
            return None
        # another process may have read the same: of the two, one finds that it is taken
        mine = _is(row.job_id, row.number) & free
        taken = one.execute(_parts.update().where(mine).values(claimed_at=store.now(), attempts=row.attempts + 1))
        if not taken.rowcount:
            return None
    return Part(
        job_id=row.job_id,
        number=row.number,
        first=row.number * _PART,
        request=ScoreRequest.model_validate_json(zlib.decompress(row.histories)),
        received_at=pd.Timestamp(row.received_at, tz="UTC"),
        attempts=row.attempts + 1,
    )


def _claimed(part: Part) -> sa.ColumnElement[bool]:
    return _is(part.job_id, part.number) & _parts.c.done_at.is_(None) & (_parts.c.attempts == part.attempts)


def still_mine(part: Part) -> bool:
    """Say that a part is being worked on; false where it was erased or given to another worker.

    Raises
    ------
    serving.store.StoreError
    """
    with store.connection() as one:
        return bool(one.execute(_parts.update().where(_claimed(part)).values(claimed_at=store.now())).rowcount)


def give_back(part: Part) -> None:
    """Let another worker have a part that this one cannot finish; the attempt does not count.

    Raises
    ------
    serving.store.StoreError
    """
    with store.connection() as one:
        one.execute(_parts.update().where(_claimed(part)).values(claimed_at=None, attempts=part.attempts - 1))


def finish(part: Part, lines: Sequence[str], refused: int) -> None:
    """Write what became of the histories of a part, and wipe them.

    Parameters
    ----------
    lines : sequence of str
        JSON of a `JobLine` each.
    refused : int
        How many of them tell of a problem.

    Raises
    ------
    serving.store.StoreError
    """
    done = {
        "histories": None,
        "lines": zlib.compress("".join(f"{line}\n" for line in lines).encode()),
        "scored": len(lines) - refused,
        "refused": refused,
        "claimed_at": None,
        "done_at": store.now(),
    }
    with store.connection() as one:
        one.execute(_parts.update().where(_claimed(part)).values(done))
