"""From a request to its answer: what is asked of the models and the catalogue, without anything of HTTP."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from features.histories import latest_knowledge, make_histories
from features.rows import histories_of_rows, latest_knowledge_of
from features.tables import TableError, Tables, check_tables
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.models import LoadedModel
from serving.ranking import lookalikes, shortlist, shortlist_of
from serving.reports import creator_response, fit_response, recommend_response, score_response
from serving.requests import located, rows_of, tables_of
from serving.schemas import (
    CreatorResponse,
    FitRequest,
    FitResponse,
    LookalikesRequest,
    RecommendRequest,
    RecommendResponse,
    ScoreRequest,
    ScoreResponse,
)
from serving.scoring import score_rows, score_tables
from serving.words import Language, words_for
from training.fit_model import FitModel

T = TypeVar("T")


def _answer(make: Callable[[], T]) -> T:
    """Make an answer; one that breaks its own schema is our error, and not one of the request."""
    try:
        return make()
    except ValidationError as error:
        message = f"{error.title} breaks its schema"
        raise RuntimeError(message) from None  # the error repeats values, and logs hold no personal data


def _checked(request: ScoreRequest | FitRequest) -> Tables:
    try:
        return check_tables(tables_of(request.histories))
    except TableError as error:
        raise located(error, request.histories) from error


def score_histories(
    request: ScoreRequest, model: LoadedModel, now: pd.Timestamp, language: Language = "en"
) -> ScoreResponse:
    """Score the histories of a request.

    Parameters
    ----------
    now : Timestamp
        Time of the request, UTC: what rows without an observation time are known from.
    language : {"en", "vi"}
        Where the request names none.

    Raises
    ------
    pydantic.ValidationError
        Where the tables break the contract; names the fields of the request.
    """
    asked = pd.Timestamp(request.as_of) if request.as_of else None
    rows = rows_of(request.histories)
    histories = None
    if rows is not None:
        histories = histories_of_rows(*rows, asked or latest_knowledge_of(*rows, now), imported_at=now)
    if histories is None:
        tables = _checked(request)
        histories = make_histories(tables, asked or latest_knowledge(tables, now), imported_at=now)

    def tables_to_check() -> Tables:
        return _checked(request)

    scored = score_rows(histories, model, tables_to_check if request.checks else None, imported_at=now)
    by_id = {row["creator_id"]: row for row in scored}
    in_order = [by_id[history.creator.creator_id] for history in request.histories]
    return _answer(lambda: score_response(in_order, words_for(request.language or language)))


def recommend_creators(
    request: RecommendRequest, catalogue: Catalogue, ranker: FitModel | None = None, language: Language = "en"
) -> RecommendResponse:
    """Rank the creators of a catalogue for the brief of a request, by the fit model where there is one."""
    asked = {"k": request.k} if "k" in request.model_fields_set else {}
    fields = request.filters.model_dump() | request.wishes.model_dump() | asked
    language = request.language or language
    found = shortlist(catalogue, Brief(text=request.brief, **fields), language, ranker)
    return _answer(lambda: recommend_response(catalogue, found, words_for(language)))


def find_lookalikes(request: LookalikesRequest, catalogue: Catalogue, language: Language = "en") -> RecommendResponse:
    """Rank creators who write about what some others write about.

    Raises
    ------
    pydantic.ValidationError
        Where the catalogue lacks one of them.
    """
    _require_there(request.creator_ids, catalogue, "LookalikesRequest")
    language = request.language or language
    found = lookalikes(catalogue, request.creator_ids, request.filters, k=request.k, language=language)
    return _answer(lambda: recommend_response(catalogue, found, words_for(language)))


def fit_creators(
    request: FitRequest,
    catalogue: Catalogue,
    model: LoadedModel,
    ranker: FitModel | None,
    now: pd.Timestamp,
    language: Language = "en",
) -> FitResponse:
    """How well creators of the catalogue, or of histories that come with the request, suit a brief; in their order.

    Raises
    ------
    pydantic.ValidationError
        Where the catalogue lacks a creator, or tables break the contract.
    """
    language = request.language or language
    if request.histories:
        among = catalogue.beside(_frame_of(request, model, now))
        ids = [history.creator.creator_id for history in request.histories]
    else:
        _require_there(request.creator_ids, catalogue, "FitRequest")
        among, ids = catalogue, list(request.creator_ids)
    rows = np.array([among.position(one) for one in ids], dtype=np.int64)
    brief = Brief(text=request.brief, **request.wishes.model_dump())
    found = shortlist_of(among, brief, rows, language, ranker)
    return _answer(lambda: fit_response(among, found, words_for(language)))


def _frame_of(request: FitRequest, model: LoadedModel, now: pd.Timestamp) -> pd.DataFrame:
    tables = _checked(request)
    as_of = pd.Timestamp(request.as_of) if request.as_of else latest_knowledge(tables, now)
    return score_tables(tables, model, as_of, imported_at=now)


def show_creator(creator_id: str, catalogue: Catalogue, language: Language = "en") -> CreatorResponse:
    """Report of a creator of the catalogue.

    Raises
    ------
    KeyError
        Where the catalogue has no such creator.
    """
    row = catalogue.creator(creator_id)
    return _answer(lambda: creator_response(row, words_for(language)))


def _require_there(creator_ids: list[str], catalogue: Catalogue, title: str) -> None:
    missing = [place for place, one in enumerate(creator_ids) if one not in catalogue]
    if missing:
        unknown = PydanticCustomError("unknown_creator", "a creator_id of the catalogue")
        details = [InitErrorDetails(type=unknown, loc=("creator_ids", place), input=None) for place in missing]
        raise ValidationError.from_exception_data(title, details)
