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
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

import features  # noqa: F401 - a bento packs what its service imports at module level
from features.histories import latest_knowledge
from features.tables import TableError, check_tables
from serving.catalogue import Catalogue, CatalogueError, catalogue_paths, check_scores, read_catalogue
from serving.gate import BodyGate, FrontDoor, problem
from serving.models import LoadedModel, load_champion
from serving.ranking import Brief, shortlist
from serving.reports import recommend_response, score_response
from serving.requests import located, tables_of
from serving.review.app import make_review_app
from serving.schemas import RecommendRequest, RecommendResponse, ScoreRequest, ScoreResponse
from serving.scoring import score_tables
from serving.words import words_for
from training.authenticity import ModelMismatchError
from training.tracking import CorruptModelError, ModelNotFoundError

# read when bentoml first reports its use, which is after this module is imported
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

T = TypeVar("T")
log = logging.getLogger("bentoml.realreach")

#: Seconds after which a request is given up with 504.
TIMEOUT = 60
#: Requests computed at once: more threads than cores only wait for each other.
_AT_ONCE = os.cpu_count() or 1


class WithoutBodies(logging.Filter):
    """Turns the traceback of a refused request, which repeats what was sent, into one line that names the fields."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record of a validation error; drop that of a body that broke off or was too large."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, ValidationError):
            fields = sorted({".".join(map(str, detail["loc"])) or "body" for detail in error.errors()})
            record.msg, record.args = "Refused a %s: %s", (error.title, ", ".join(fields[:5]))
            record.exc_info, record.exc_text = None, None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return not isinstance(error, ClientDisconnect)


@dataclass(frozen=True)
class Loaded:
    """What the service works with, and why where something is missing."""

    model: LoadedModel | None
    model_trouble: str
    catalogue: Catalogue | None
    catalogue_trouble: str


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
        log.info("catalogue of %d creators, %d texts indexed", len(catalogue), len(catalogue.texts))
    except CatalogueError as error:
        catalogue_trouble = f"no catalogue: {error}"
        log.warning(catalogue_trouble)
    return Loaded(model, model_trouble, catalogue, catalogue_trouble)


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
    try:
        tables = check_tables(tables_of(request))
    except TableError as error:
        raise located(error, request) from error
    as_of = pd.Timestamp(request.as_of) if request.as_of else latest_knowledge(tables, now)
    scores = check_scores(score_tables(tables, model, as_of, imported_at=now)).set_index("creator_id", drop=False)
    in_order = scores.loc[[history.creator.creator_id for history in request.histories]]
    return _answer(lambda: score_response(in_order, words_for(request.language)))


def recommend_creators(request: RecommendRequest, catalogue: Catalogue) -> RecommendResponse:
    """Rank the creators of a catalogue for the brief of a request."""
    brief = Brief(text=request.brief, k=request.k, **request.filters.model_dump())
    found = shortlist(catalogue, brief, request.language)
    return _answer(lambda: recommend_response(catalogue, found, words_for(request.language)))


review = make_review_app()


@bentoml.asgi_app(review, path="/review")
@bentoml.service(name="RealReach", traffic={"timeout": TIMEOUT}, logging={"access": {"enabled": False}})
class RealReach:
    """Which micro-influencers are worth a brand's money. The analysts' page is at /review/."""

    def __init__(self) -> None:
        logging.getLogger("bentoml._internal.server.http_app").addFilter(WithoutBodies())
        self.loaded = load()
        self.limiter = anyio.CapacityLimiter(_AT_ONCE)
        review.state.catalogue = self.loaded.catalogue
        review.state.trouble = self.loaded.catalogue_trouble

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def freeze(self) -> None:
        """Keep what was loaded out of garbage collections: full ones over it were the tail of the latency."""
        gc.collect()
        gc.freeze()

    @bentoml.api  # type: ignore[untyped-decorator]
    async def score(self, request: ScoreRequest, /) -> ScoreResponse:
        """Score 1 to 100 histories: authenticity, the five heads, their intervals and the evidence."""
        if self.loaded.model is None:
            # a response passes through bentoml as it is; what it makes of an exception hides the reason
            return cast("ScoreResponse", problem(503, self.loaded.model_trouble))
        now = pd.Timestamp.now("UTC")
        return await anyio.to_thread.run_sync(score_histories, request, self.loaded.model, now, limiter=self.limiter)

    @bentoml.api  # type: ignore[untyped-decorator]
    async def recommend(self, request: RecommendRequest, /) -> RecommendResponse:
        """Rank creators of the catalogue for a brief."""
        if self.loaded.catalogue is None:
            return cast("RecommendResponse", problem(503, self.loaded.catalogue_trouble))
        return await anyio.to_thread.run_sync(recommend_creators, request, self.loaded.catalogue, limiter=self.limiter)


_service = cast("Any", RealReach)  # the decorators made a bentoml service of the class, unknown to its types
_service.add_asgi_middleware(BodyGate)
_service.add_asgi_middleware(FrontDoor)
