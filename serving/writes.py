"""What callers leave: written whole or not at all, and once, however often it is sent."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pandas as pd
import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import IntegrityError

from serving import store
from serving.decisions import decision_rows
from serving.schemas import CollaborationIn, DecisionIn, FeedbackRequest, FeedbackResponse

#: Kinds of feedback and what a row of each is; the names are those of the tables of the contract.
_KINDS: dict[str, type[BaseModel]] = {"decisions": DecisionIn, "collaborations": CollaborationIn}


class OtherBodyError(ValueError):
    """An Idempotency-Key that was used for another body."""


def write_once(tenant: str, path: str, key: str, body: bytes, write: Callable[[sa.Connection], BaseModel]) -> str:
    """Write, or repeat what was answered when the same was written before; JSON.

    Parameters
    ----------
    key : str
        What the caller named the write; empty where it did not.

    Raises
    ------
    OtherBodyError
    serving.store.StoreError
    """
    if not key:
        with store.connection() as one:
            return write(one).model_dump_json()
    digest = sha256(body).hexdigest()
    where = (store.answered.c.tenant == tenant) & (store.answered.c.path == path) & (store.answered.c.key == key)
    try:
        with store.connection() as one:
            known = one.execute(sa.select(store.answered).where(where)).first()
            if known is None:
                answer = write(one).model_dump_json()
                row = {"tenant": tenant, "path": path, "key": key, "digest": digest, "answer": answer}
                one.execute(store.answered.insert().values(at=store.now(), **row))
                return answer
    except store.StoreError as error:
        if not isinstance(error.__cause__, IntegrityError):
            raise
        # the same write was being made at the same moment: this one was undone
        with store.reading() as one:
            known = one.execute(sa.select(store.answered).where(where)).one()
    if known.digest != digest:
        raise OtherBodyError
    return str(known.answer)


def leave_feedback(one: sa.Connection, tenant: str, who: str, request: FeedbackRequest) -> FeedbackResponse:
    """Write the feedback of a request, in a transaction."""
    rows: list[dict[str, Any]] = [
        {"tenant": tenant, "received_at": store.now(), "kind": kind, "row": row.model_dump_json(exclude_none=True)}
        for kind in _KINDS
        for row in getattr(request, kind)
    ]
    one.execute(store.feedback.insert(), rows)
    counts = {kind: len(getattr(request, kind)) for kind in _KINDS}
    store.note(one, who, "feedback left", f"{counts['decisions']} decisions, {counts['collaborations']} collaborations")
    return FeedbackResponse(**counts)


def feedback_tables(tenant: str | None = None) -> dict[str, pd.DataFrame]:
    """Feedback that tools and analysts left, as tables of the contract; a row that was left twice stands there once.

    What tools left comes first, then what analysts decided on the review page and has not been taken back; each oldest
    first.

    Parameters
    ----------
    tenant : str, optional
        Whose; everybody's where left out.

    Raises
    ------
    serving.store.StoreError
    """
    wanted = sa.select(store.feedback).order_by(store.feedback.c.id)
    if tenant is not None:
        wanted = wanted.where(store.feedback.c.tenant == tenant)
    with store.reading() as one:
        rows = one.execute(wanted).all()
    decided = {"decisions": decision_rows(tenant)}
    tables = {}
    for kind, model in _KINDS.items():
        reader = TypeAdapter(model)
        own = [reader.validate_json(row.row).model_dump() for row in rows if row.kind == kind] + decided.get(kind, [])
        if own:
            tables[kind] = pd.DataFrame(own, columns=list(model.model_fields)).drop_duplicates(ignore_index=True)
    return tables
