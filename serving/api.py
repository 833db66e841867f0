"""The endpoint as an ASGI app, mounted under `/v1`: addresses, bodies and statuses; what is said is in `answers`."""

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from importlib.metadata import version
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
import pandas as pd
from babel import negotiate_locale
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, compile_path
from starlette.types import Scope

from features.signals import registry_hash
from serving.answers import find_lookalikes, fit_creators, recommend_creators, score_histories, show_creator
from serving.current import Current, Loaded
from serving.jobs import JobNotDoneError, UnknownJobError, erase, list_jobs, result, show_job, submit
from serving.keys import Key
from serving.keys import Scope as KeyScope
from serving.limits import RETRY_AFTER
from serving.problems import FieldProblem, answer, mistakes, problem
from serving.schemas import (
    CreatorResponse,
    FeedbackRequest,
    FeedbackResponse,
    FitRequest,
    FitResponse,
    JobLine,
    JobRequest,
    JobResponse,
    JobsResponse,
    LookalikesRequest,
    RecommendRequest,
    RecommendResponse,
    ScoreRequest,
    ScoreResponse,
    VersionInfo,
    VersionsResponse,
)
from serving.store import StoreError
from serving.telemetry import count_scores, timed
from serving.words import LANGUAGES, Language
from serving.writes import OtherBodyError, leave_feedback, write_once

T = TypeVar("T", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel)
Done = TypeVar("Done")
log = logging.getLogger("bentoml.realreach")

#: Where the endpoint is mounted.
ROOT = "/v1"
#: Largest body that is answered on the event loop: for a history or two a thread would cost more than it gives; more
#: would keep all others waiting.
ON_THE_LOOP = 128 * 1024
#: Media type of the result of a job: a line of JSON a history.
NDJSON = "application/x-ndjson"
_LONGEST_KEY = 200
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


class RepeatedKeyError(ValueError):
    """A JSON object that names a key twice: which of the two values was meant, nobody can tell."""


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise RepeatedKeyError


def parse(body: bytes, kind: type[T]) -> T:
    """Read a body.

    Raises
    ------
    pydantic.ValidationError
        Where it is no JSON or breaks its schema.
    RepeatedKeyError
    """
    parsed = kind.model_validate_json(body or b"{}")
    json.loads(body or b"{}", object_pairs_hook=_distinct)
    return parsed


def language_of(request: Request) -> Language:
    """The language that the header Accept-Language prefers among ours, English where it names none."""
    asked = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            asked.append((-float(weight or 1), place, tag.strip()))
        except ValueError:
            continue
    found = negotiate_locale([tag for weight, _, tag in sorted(asked) if weight < 0], LANGUAGES, sep="-")
    return "vi" if found == "vi" else "en"


def _read(request: Request, answer: BaseModel) -> Response:
    """An answer that may be kept: whoever has it already is told so."""
    body = answer.model_dump_json().encode()
    headers = {
        "etag": f'"{sha256(body).hexdigest()[:32]}"',
        "cache-control": "private, no-cache",
        "vary": "Accept-Language",
    }
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {headers["etag"], "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def refused(error: ValidationError | RepeatedKeyError) -> Response:
    """Refuse a body; the log names how much was wrong with what and repeats nothing: bodies hold personal data."""
    if isinstance(error, RepeatedKeyError):
        log.info("Refused a body: a repeated key")
        return problem("invalid_json", "an object of the body names a key twice; name every key once")
    log.info("Refused a %s: %d problems", error.title, error.error_count())
    return answer(mistakes(error))


async def _answer(
    request: Request,
    kind: type[T],
    make: Callable[[T], Answered],
    *,
    in_thread: bool = False,
    at_once: Callable[[T], Answered | None] | None = None,
) -> Response:
    """Read the body of a request and answer it, away from the event loop where it takes long.

    Parameters
    ----------
    at_once : callable, optional
        What answers a small body on the event loop; where it says None, `make` answers in a thread.
    """
    body = await request.body()
    endpoint = request.url.path.rpartition("/")[2]

    def work(answer: Callable[[T], Answered | None]) -> Response | None:
        try:
            with timed(endpoint, "read"):
                asked = parse(body, kind)
            with timed(endpoint, "answer"):
                made = answer(asked)
            with timed(endpoint, "write"):
                return None if made is None else Response(made.model_dump_json(), media_type="application/json")
        except (ValidationError, RepeatedKeyError) as error:
            return refused(error)

    found = None if in_thread or len(body) > ON_THE_LOOP else work(at_once or make)
    return found or cast("Response", await _in_thread(request, partial(work, make)))


async def _in_thread(request: Request, work: Callable[[], Done]) -> Done:
    """Work away from the event loop; who no longer waits for it is let go, and the thread ends by itself."""
    return await anyio.to_thread.run_sync(work, limiter=request.app.state.limiter, abandon_on_cancel=True)


def _loaded(request: Request) -> Loaded:
    current: Current = request.app.state.current
    return current.loaded


async def _score(request: Request) -> Response:
    loaded = _loaded(request)
    if loaded.model is None:
        return problem("no_model", loaded.model_trouble)
    now, language, model = pd.Timestamp.now("UTC"), language_of(request), loaded.model
    request.scope["version"] = str(model.version)

    def make(asked: ScoreRequest) -> ScoreResponse:
        answer = score_histories(asked, model, now, language)
        count_scores(answer.reports, answer.model.version, "request")
        return answer

    def at_once(asked: ScoreRequest) -> ScoreResponse | None:
        if not asked.checks:
            return make(asked)
        # to check a flag takes ten times as long as the rest: others would wait for it
        answer = score_histories(asked.model_copy(update={"checks": False}), model, now, language)
        if any(head.flagged for report in answer.reports for head in report.heads):
            return None
        count_scores(answer.reports, answer.model.version, "request")
        return answer

    return await _answer(request, ScoreRequest, make, at_once=at_once)


async def _recommend(request: Request) -> Response:
    loaded = _loaded(request)
    if loaded.catalogue is None:
        return problem("no_catalogue", loaded.catalogue_trouble)
    make = partial(recommend_creators, catalogue=loaded.catalogue, ranker=loaded.ranker, language=language_of(request))
    return await _answer(request, RecommendRequest, make, in_thread=True)


async def _lookalikes(request: Request) -> Response:
    loaded = _loaded(request)
    if loaded.catalogue is None:
        return problem("no_catalogue", loaded.catalogue_trouble)
    make = partial(find_lookalikes, catalogue=loaded.catalogue, language=language_of(request))
    return await _answer(request, LookalikesRequest, make, in_thread=True)


async def _fit(request: Request) -> Response:
    loaded = _loaded(request)
    if loaded.catalogue is None:
        return problem("no_catalogue", loaded.catalogue_trouble)
    if loaded.model is None:
        return problem("no_model", loaded.model_trouble)
    make = partial(
        fit_creators,
        catalogue=loaded.catalogue,
        model=loaded.model,
        ranker=loaded.ranker,
        now=pd.Timestamp.now("UTC"),
        language=language_of(request),
    )
    return await _answer(request, FitRequest, make, in_thread=True)


def _caller(request: Request) -> tuple[str, str]:
    """Tenant and name in the audit log of who asks; nobody is told apart where no keys are asked for."""
    key: Key | None = request.scope.get("caller")
    return ("default", "open") if key is None else (key.tenant, f"key {key.id}")


async def _write(
    request: Request, kind: type[T], write: Callable[[T, str, str], Callable[[Connection], BaseModel]]
) -> str | Response:
    """Read the body of a request and write what it says, once; the answer's JSON, or why nothing was written.

    Parameters
    ----------
    write : callable
        Given the body, the tenant and who asks: what writes it in a transaction and answers.
    """
    tenant, who = _caller(request)
    body, key = await request.body(), request.headers.get("idempotency-key", "").strip()
    if len(key) > _LONGEST_KEY:
        field = FieldProblem(path="Idempotency-Key", message=f"at most {_LONGEST_KEY} characters", kind="header")
        return problem("invalid_request", "the Idempotency-Key is too long", [field])

    def work() -> str | Response:
        try:
            return write_once(tenant, request.url.path, key, body, write(parse(body, kind), tenant, who))
        except (ValidationError, RepeatedKeyError) as error:
            return refused(error)
        except OtherBodyError:
            return problem("idempotency_conflict", "send another Idempotency-Key with another body")
        except StoreError as error:
            return _unavailable(error)

    return await _in_thread(request, work)


def _unavailable(error: StoreError) -> Response:
    log.warning("%s", error)
    said = "the database cannot be used; nothing was written, and scoring and reading go on: send the same again later"
    return problem("store_unavailable", said, headers={"retry-after": str(RETRY_AFTER)})


async def _feedback(request: Request) -> Response:
    said = await _write(
        request,
        FeedbackRequest,
        lambda left, tenant, who: partial(leave_feedback, tenant=tenant, who=who, request=left),
    )
    return Response(said, 201, media_type="application/json") if isinstance(said, str) else said


async def _submit(request: Request) -> Response:
    loaded, language = _loaded(request), language_of(request)
    if loaded.model is None:
        return problem("no_model", loaded.model_trouble)
    said = await _write(
        request,
        JobRequest,
        lambda body, tenant, who: partial(submit, tenant=tenant, who=who, request=body, language=language),
    )
    if not isinstance(said, str):
        return said
    headers = {"location": f"{ROOT}/jobs/{json.loads(said)['id']}", "retry-after": str(RETRY_AFTER)}
    return Response(said, 202, headers, media_type="application/json")


async def _of_job(request: Request, work: Callable[[], Response]) -> Response:
    """Answer from the database, away from the event loop."""
    try:
        return await _in_thread(request, work)
    except UnknownJobError:
        return problem("unknown_job", "you have no job of this id, or its time is over; GET /v1/jobs lists yours")
    except JobNotDoneError:
        said = "ask GET /v1/jobs/{id} until its state is done"
        return problem("job_not_done", said, headers={"retry-after": str(RETRY_AFTER)})
    except StoreError as error:
        return _unavailable(error)


async def _jobs(request: Request) -> Response:
    tenant, _ = _caller(request)
    return await _of_job(request, lambda: _read(request, list_jobs(tenant)))


async def _job(request: Request) -> Response:
    tenant, _ = _caller(request)
    return await _of_job(request, lambda: _read(request, show_job(tenant, request.path_params["job_id"])))


async def _erase_job(request: Request) -> Response:
    tenant, who = _caller(request)

    def work() -> Response:
        erase(tenant, who, request.path_params["job_id"])
        return Response(status_code=204)

    return await _of_job(request, work)


async def _result(request: Request) -> Response:
    tenant, _ = _caller(request)

    def work() -> Response:
        parts = result(tenant, request.path_params["job_id"])
        return StreamingResponse(_streamed(parts), media_type=NDJSON)

    return await _of_job(request, work)


async def _streamed(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
        yield part


async def _creator(request: Request) -> Response:
    loaded = _loaded(request)
    if loaded.catalogue is None:
        return problem("no_catalogue", loaded.catalogue_trouble)
    try:
        return _read(request, show_creator(request.path_params["creator_id"], loaded.catalogue, language_of(request)))
    except KeyError:
        return problem("unknown_creator", "the catalogue has no creator of this id")


async def _versions(request: Request) -> Response:
    loaded = _loaded(request)
    model, ranker = loaded.model, loaded.ranker
    models = [
        VersionInfo(
            name="authenticity", version=None if model is None else str(model.version), trouble=loaded.model_trouble
        ),
        VersionInfo(name="fit", version=None if ranker is None else ranker.version, trouble=loaded.ranker_trouble),
    ]
    answer = VersionsResponse(
        realreach=version("realreach"),
        models=models,
        signals=registry_hash(),
        creators=0 if loaded.catalogue is None else len(loaded.catalogue),
        catalogue_trouble=loaded.catalogue_trouble,
    )
    return _read(request, answer)


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of the endpoint, as it is routed and described.

    Attributes
    ----------
    path : str
        Under the mount, parameters in braces.
    answer : type of BaseModel, optional
        None where the answer has no body.
    body : type of BaseModel, optional
    problems : tuple of str
        Codes of the problems that it may answer with, besides those of every address.
    parameters : tuple of pairs of str
        Parameters of the path and what they are.
    scope : {"read", "score", "write", "admin"}
        What a key needs to ask for it.
    status : int
        Of an answer; 201 and 202 where something is written, which an Idempotency-Key keeps from being written twice.
    media_type : str
        Of the answer.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[Request], Awaitable[Response]]
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    problems: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    scope: KeyScope = "read"
    status: int = 200
    media_type: str = "application/json"

    @property
    def route(self) -> str:
        """Its path as Starlette routes it: ids of creators may hold slashes."""
        return self.path.replace("{creator_id}", "{creator_id:path}")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What paths under the mount are its own."""
        return compile_path(self.route)[0]


_JOB_ID = (("job_id", "Id of a job, as POST /v1/jobs answered it."),)
OPERATIONS = (
    Operation(
        "POST",
        "/score",
        "score",
        "Score 1 to 100 histories: authenticity, the five heads, their intervals and the evidence",
        _score,
        ScoreResponse,
        ScoreRequest,
        ("no_model",),
        scope="score",
    ),
    Operation(
        "POST",
        "/recommend",
        "recommend",
        "Rank creators of the catalogue for a brief",
        _recommend,
        RecommendResponse,
        RecommendRequest,
        ("no_catalogue",),
    ),
    Operation(
        "POST",
        "/fit",
        "fit",
        "How well creators, of the catalogue or with their histories, suit a brief",
        _fit,
        FitResponse,
        FitRequest,
        ("no_model", "no_catalogue"),
        scope="score",
    ),
    Operation(
        "POST",
        "/lookalikes",
        "lookalikes",
        "Rank creators of the catalogue who write about what some others write about",
        _lookalikes,
        RecommendResponse,
        LookalikesRequest,
        ("no_catalogue",),
    ),
    Operation(
        "POST",
        "/feedback",
        "feedback",
        "Leave decisions and outcomes, to learn from",
        _feedback,
        FeedbackResponse,
        FeedbackRequest,
        ("idempotency_conflict", "store_unavailable"),
        scope="write",
        status=201,
    ),
    Operation(
        "POST",
        "/jobs",
        "submit_job",
        "Score up to 5,000 histories in the background",
        _submit,
        JobResponse,
        JobRequest,
        ("no_model", "idempotency_conflict", "store_unavailable"),
        scope="score",
        status=202,
    ),
    Operation(
        "GET",
        "/jobs",
        "jobs",
        "Your jobs of the last seven days, the newest first, at most a hundred",
        _jobs,
        JobsResponse,
        problems=("store_unavailable",),
        scope="score",
    ),
    Operation(
        "GET",
        "/jobs/{job_id}",
        "job",
        "How far a job is",
        _job,
        JobResponse,
        problems=("unknown_job", "store_unavailable"),
        parameters=_JOB_ID,
        scope="score",
    ),
    Operation(
        "GET",
        "/jobs/{job_id}/result",
        "job_result",
        "Reports of a job that is done, a line of JSON a history, in the order of the request",
        _result,
        JobLine,
        problems=("unknown_job", "job_not_done", "store_unavailable"),
        parameters=_JOB_ID,
        scope="score",
        media_type=NDJSON,
    ),
    Operation(
        "DELETE",
        "/jobs/{job_id}",
        "erase_job",
        "Stop a job, and erase it, its histories and its result",
        _erase_job,
        None,
        problems=("unknown_job", "store_unavailable"),
        parameters=_JOB_ID,
        scope="score",
        status=204,
    ),
    Operation(
        "GET",
        "/creators/{creator_id}",
        "creator",
        "Report of a creator of the catalogue",
        _creator,
        CreatorResponse,
        problems=("no_catalogue", "unknown_creator"),
        parameters=(("creator_id", "Id of a creator of the catalogue."),),
    ),
    Operation("GET", "/versions", "versions", "What answers are made with at this moment", _versions, VersionsResponse),
)


_NAMES = {one.handler: one.name for one in OPERATIONS}


def name_of(scope: Scope) -> str:
    """What an answered request asked for: an operation by its name, or the part of the service it went to."""
    name = _NAMES.get(scope.get("endpoint", _elsewhere))
    path = scope["path"]
    return name or ("review" if path.startswith("/review") else "v1" if path.startswith(f"{ROOT}/") else "other")


def scope_needed(path: str, method: str = "GET") -> KeyScope:
    """The scope that a path of the service needs, asked by a method; what is not ours is for those who run it."""
    if path.startswith("/review"):
        return "read" if method in ("GET", "HEAD") else "write"
    if not path.startswith(f"{ROOT}/"):
        return "read" if path == "/metrics" else "admin"
    inner = path.removeprefix(ROOT)
    return next((one.scope for one in OPERATIONS if one.pattern.match(inner)), "read")


async def _elsewhere(request: Request) -> Response:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    allowed = [one.method for one in OPERATIONS if one.pattern.match(path)]
    if allowed:
        said = f"this address answers {', '.join(allowed)}"
        return problem("method_not_allowed", said, headers={"allow": ", ".join(allowed)})
    return problem("not_found", "the endpoint has no such address; /docs lists them all")


async def _broken(_: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        raise error  # nobody is left to answer
    return problem("internal", "the request was understood and could not be answered; the log says why")


async def _refused_by_http(request: Request, _: Exception) -> Response:
    return await _elsewhere(request)


def make_api(current: Current) -> Starlette:
    """Make the endpoint; `app.state.limiter`, a limiter of anyio, may be set later to share threads."""
    routes = [Route(one.route, one.handler, methods=[one.method]) for one in OPERATIONS]
    app = Starlette(
        routes=[*routes, Route("/{path:path}", _elsewhere, methods=_METHODS)],
        exception_handlers={HTTPException: _refused_by_http, 500: _broken},
    )
    app.state.current = current
    app.state.limiter = None
    return app
