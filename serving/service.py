"""The endpoint: histories in, reports out; a brief in, ranked creators out; and the review page beside them."""

import gc
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
import bentoml
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

import features  # noqa: F401 - a bento packs what its service imports at module level
from features.histories import latest_knowledge, make_histories
from features.rows import histories_of_rows, latest_knowledge_of
from features.tables import TableError, Tables, check_tables
from serving.briefs import Brief
from serving.catalogue import Catalogue, CatalogueError, catalogue_paths, read_catalogue
from serving.limits import BodyLimit, FrontDoor, Places, WorkLimit, problem, refusal
from serving.models import LoadedModel, load_champion, load_ranker
from serving.ranking import shortlist
from serving.reports import recommend_response, score_response
from serving.requests import located, rows_of, tables_of
from serving.review.app import make_review_app
from serving.schemas import RecommendRequest, RecommendResponse, ScoreRequest, ScoreResponse
from serving.scoring import score_rows
from serving.words import words_for
from training.authenticity import ModelMismatchError
from training.fit_model import FitModel
from training.tracking import CorruptModelError, ModelNotFoundError

# read when bentoml first reports its use, which is after this module is imported
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

T = TypeVar("T")
Asked = TypeVar("Asked", bound=BaseModel)
log = logging.getLogger("bentoml.realreach")

#: Seconds after which a request is given up with 504.
TIMEOUT = 60
#: Requests computed at once: more threads than cores only wait for each other.
_AT_ONCE = os.cpu_count() or 1


class WithoutDisconnects(logging.Filter):
    """Drops the traceback of a body that broke off or was too large: nothing here went wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every other record."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(error, ClientDisconnect)


class _Unread(bentoml.IODescriptor):  # type: ignore[misc]
    """Hands the body over as it came: parsed by bentoml, on the event loop, it would keep all others waiting."""

    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: object) -> bytes:
        """Body of a request."""
        return await request.body()


class ScoreBody(_Unread, ScoreRequest):
    """Histories to score, at most 100."""

    model_config = ConfigDict(title="ScoreRequest")


class RecommendBody(_Unread, RecommendRequest):
    """A brief, which creators it asks for, and how many."""

    model_config = ConfigDict(title="RecommendRequest")


def answer_or_refuse(body: bytes, kind: type[Asked], answer: Callable[[Asked], T]) -> T | Response:
    """Parse a body and answer it; one that breaks its schema or the contract is refused with what is wrong."""
    try:
        return answer(kind.model_validate_json(body or b"{}"))
    except ValidationError as error:
        # the log names how much was wrong with what and repeats nothing: bodies hold personal data
        log.info("Refused a %s: %d problems", error.title, error.error_count())
        return refusal(error)


@dataclass(frozen=True)
class Loaded:
    """What the service works with, and why where something is missing."""

    model: LoadedModel | None
    model_trouble: str
    catalogue: Catalogue | None
    catalogue_trouble: str
    ranker: FitModel | None


def load() -> Loaded:
    """Load the champion and the catalogue; what is missing is said and does not stop the other."""
    model, model_trouble = None, ""
    try:
        model = load_champion()
    except (ModelNotFoundError, CorruptModelError, ModelMismatchError) as error:
        model_trouble = f"no model to score with: {error}"
        log.warning(model_trouble)
    catalogue, catalogue_trouble = None, ""
    try:
        catalogue = read_catalogue(*catalogue_paths())
        catalogue.prepare()
        log.info("catalogue of %d creators", len(catalogue))
    except CatalogueError as error:
        catalogue_trouble = f"no catalogue: {error}"
        log.warning(catalogue_trouble)
    ranker, ranker_trouble = load_ranker()
    if ranker_trouble:
        log.warning(ranker_trouble)
    return Loaded(model, model_trouble, catalogue, catalogue_trouble, ranker)


def _answer(make: Callable[[], T]) -> T:
    """Make an answer; one that breaks its own schema is our error, and not one of the request."""
    try:
        return make()
    except ValidationError as error:
        message = f"{error.title} breaks its schema"
        raise RuntimeError(message) from None  # the error repeats values, and logs hold no personal data


def score_histories(request: ScoreRequest, model: LoadedModel, now: pd.Timestamp) -> ScoreResponse:
    """Score the histories of a request.

    Parameters
    ----------
    now : Timestamp
        Time of the request, UTC: what rows without an observation time are known from.

    Raises
    ------
    pydantic.ValidationError
        Where the tables break the contract; names the fields of the request.
    """

    def tables() -> Tables:
        try:
            return check_tables(tables_of(request))
        except TableError as error:
            raise located(error, request) from error

    asked = pd.Timestamp(request.as_of) if request.as_of else None
    rows = rows_of(request)
    histories = None
    if rows is not None:
        histories = histories_of_rows(*rows, asked or latest_knowledge_of(*rows, now), imported_at=now)
    if histories is None:
        checked = tables()
        histories = make_histories(checked, asked or latest_knowledge(checked, now), imported_at=now)
    by_id = {row["creator_id"]: row for row in score_rows(histories, model, tables, imported_at=now)}
    in_order = [by_id[history.creator.creator_id] for history in request.histories]
    return _answer(lambda: score_response(in_order, words_for(request.language)))


def recommend_creators(
    request: RecommendRequest, catalogue: Catalogue, ranker: FitModel | None = None
) -> RecommendResponse:
    """Rank the creators of a catalogue for the brief of a request, by the fit model where there is one."""
    asked = {"k": request.k} if "k" in request.model_fields_set else {}
    fields = request.filters.model_dump() | request.wishes.model_dump() | asked
    found = shortlist(catalogue, Brief(text=request.brief, **fields), request.language, ranker)
    return _answer(lambda: recommend_response(catalogue, found, words_for(request.language)))


places = Places()
review = make_review_app(places=places)


@bentoml.asgi_app(review, path="/review")
@bentoml.service(name="RealReach", traffic={"timeout": TIMEOUT}, logging={"access": {"enabled": False}})
class RealReach:
    """Which micro-influencers are worth a brand's money. The analysts' page is at /review/."""

    def __init__(self) -> None:
        logging.getLogger("bentoml._internal.server.http_app").addFilter(WithoutDisconnects())
        self.loaded = load()
        self.limiter = anyio.CapacityLimiter(_AT_ONCE)
        review.state.catalogue = self.loaded.catalogue
        review.state.trouble = self.loaded.catalogue_trouble
        review.state.model = self.loaded.ranker
        review.state.limiter = self.limiter

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def freeze(self) -> None:
        """Keep what was loaded out of garbage collections: full ones over it were the tail of the latency."""
        gc.collect()
        gc.freeze()

    async def _answer(self, body: bytes, kind: type[Asked], answer: Callable[[Asked], T]) -> T:
        made = await anyio.to_thread.run_sync(answer_or_refuse, body, kind, answer, limiter=self.limiter)
        return cast("T", made)  # a refusal passes through bentoml as it is

    @bentoml.api(input_spec=ScoreBody)  # type: ignore[untyped-decorator]
    async def score(self, body: bytes, /) -> ScoreResponse:
        """Score 1 to 100 histories: authenticity, the five heads, their intervals and the evidence."""
        model = self.loaded.model
        if model is None:
            # a response passes through bentoml as it is; what it makes of an exception hides the reason
            return cast("ScoreResponse", problem(503, self.loaded.model_trouble))
        now = pd.Timestamp.now("UTC")
        return await self._answer(body, ScoreRequest, lambda request: score_histories(request, model, now))

    @bentoml.api(input_spec=RecommendBody)  # type: ignore[untyped-decorator]
    async def recommend(self, body: bytes, /) -> RecommendResponse:
        """Rank creators of the catalogue for a brief."""
        catalogue = self.loaded.catalogue
        if catalogue is None:
            return cast("RecommendResponse", problem(503, self.loaded.catalogue_trouble))
        ranker = self.loaded.ranker
        return await self._answer(
            body, RecommendRequest, lambda request: recommend_creators(request, catalogue, ranker)
        )


_service = cast("Any", RealReach)  # the decorators made a bentoml service of the class, unknown to its types
_service.add_asgi_middleware(BodyLimit)
_service.add_asgi_middleware(WorkLimit, places=places)
_service.add_asgi_middleware(FrontDoor)
