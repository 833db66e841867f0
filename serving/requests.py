"""From a request to tables, and from what is wrong with the tables back to the fields of the request."""

from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from features.histories import POST_COUNTS, PROFILE_COUNTS, SNAPSHOT_COUNTS
from features.rows import Rows, latest_knowledge_of
from features.tables import CONTRACT, REQUIRED_TABLES, Problem, TableError, Tables
from serving.schemas import History

_ROW_TABLES = ("posts", "snapshots", "comments", "audience")


def _rows(history: History, table: str) -> Sequence[BaseModel]:
    rows: Sequence[BaseModel] = [history.creator] if table == "creators" else getattr(history, table)
    return rows


def _frame(histories: Sequence[History], table: str) -> pd.DataFrame:
    rows = [
        row.model_dump(exclude_unset=True) | {"creator_id": history.creator.creator_id}
        for history in histories
        for row in _rows(history, table)
    ]
    if not rows:
        return pd.DataFrame(
            columns=[name for name, column in CONTRACT[table].schema.columns.items() if column.required]
        )
    return pd.DataFrame(rows)


def tables_of(histories: Sequence[History]) -> Tables:
    """Tables of the histories of a request, not yet checked; an optional table without rows is left out."""
    frames = {table: _frame(histories, table) for table in ("creators", *_ROW_TABLES)}
    return {table: frame for table, frame in frames.items() if table in REQUIRED_TABLES or not frame.empty}


_ROW_COLUMNS = {
    "creators": ("creator_id", "platform", "observed_at", *PROFILE_COUNTS),
    "posts": ("post_id", "published_at", "observed_at", *POST_COUNTS, "is_sponsored"),
    "snapshots": ("observed_at", *SNAPSHOT_COUNTS),
}


def rows_of(histories: Sequence[History]) -> tuple[Rows, Rows, Rows] | None:
    """Creators, posts and snapshots of the histories of a request; None where there are comments or accounts too."""
    if any(history.comments or history.audience for history in histories):
        return None
    return _counted(histories)


def latest_known(histories: Sequence[History], now: pd.Timestamp) -> pd.Timestamp:
    """Last moment that something in the histories was observed, as `features.histories.latest_knowledge` tells it."""
    return now if any(history.audience for history in histories) else latest_knowledge_of(*_counted(histories), now)


def _counted(histories: Sequence[History]) -> tuple[Rows, Rows, Rows]:
    creators, posts, snapshots = (
        _rows_of([_rows(history, table) for history in histories], names) for table, names in _ROW_COLUMNS.items()
    )
    return creators, posts, snapshots


def _rows_of(tables: Sequence[Sequence[BaseModel]], names: Sequence[str]) -> Rows:
    rows = list(chain.from_iterable(tables))
    return Rows([len(table) for table in tables], {name: [getattr(row, name) for row in rows] for name in names})


def _locations(histories: Sequence[History], problem: Problem) -> Iterator[tuple[str | int, ...]]:
    positions = [
        (place, row)
        for place, one in enumerate(histories)
        for row in range(len(_rows(one, problem.table) if problem.table in ("creators", *_ROW_TABLES) else ()))
    ]
    for row in problem.rows:
        history, position = positions[row - 1]
        if problem.table == "creators":
            yield ("histories", history, "creator", problem.column)
        else:
            yield ("histories", history, problem.table, position, problem.column)
    if not problem.rows:
        yield ("histories", problem.table, problem.column)


def located(error: TableError, histories: Sequence[History]) -> ValidationError:
    """Say what is wrong with the tables as an error of the request that names its fields."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("table", "{what}", {"what": f"{problem.found}; expected {problem.expected}"}),
            loc=location,
            input=None,
        )
        for problem in error.problems
        for location in _locations(histories, problem)
    ]
    return ValidationError.from_exception_data("ScoreRequest", details)
