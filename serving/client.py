"""A typed client of the endpoint, with and without async: requests are checked before they go, and tried again.

What is tried again: connections that fail or break off, and answers that ask for it (429, 502, 503, 504), after what
`Retry-After` says or ever longer, with jitter. Writes name themselves, so that a write that is sent twice is made once.
"""

import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Literal, Self, TypeVar
from urllib.parse import quote

import anyio
import httpx
import stamina
from pydantic import BaseModel, ValidationError

from serving.problems import Problem
from serving.schemas import (
    CreatorResponse,
    FeedbackRequest,
    FeedbackResponse,
    FitRequest,
    FitResponse,
    History,
    JobLine,
    JobRequest,
    JobResponse,
    JobsResponse,
    LookalikesRequest,
    RecommendRequest,
    RecommendResponse,
    ScoreRequest,
    ScoreResponse,
    VersionsResponse,
)
from serving.words import Language

Answer = TypeVar("Answer", bound=BaseModel)
Body = TypeVar("Body", bound=BaseModel)

#: Seconds that a call may take with all its attempts, and those that one attempt may take.
PATIENCE, TIMEOUT = 120.0, 60.0
#: Histories of one job of `score_many`: bodies stay far below the limit of the endpoint.
JOB_HISTORIES = 500
_ASK_AGAIN = frozenset({429, 502, 503, 504})
_POLL_SECONDS = 1.0
_JITTER = secrets.SystemRandom()


class ProblemError(RuntimeError):
    """The endpoint refused; decide by `problem.code`.

    Attributes
    ----------
    problem : Problem, optional
        What the endpoint says; None where something between answered in its place.
    status : int
    retry_after : float, optional
        Seconds.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.retry_after = _seconds(answer.headers.get("retry-after", ""))
        try:
            self.problem: Problem | None = Problem.model_validate_json(answer.content, extra="ignore")
        except ValidationError:
            self.problem = None
        if self.problem is None:
            super().__init__(f"{answer.request.url} answers {self.status}, and not as realreach does")
            return
        fields = "".join(f"\n  {one.path}: {one.message}" for one in self.problem.errors)
        super().__init__(f"{self.problem.code}: {self.problem.detail}{fields}")


def _seconds(header: str) -> float | None:
    return float(header) if header.isdecimal() else None


@dataclass(frozen=True)
class _Call(Generic[Answer]):
    """One thing to ask, as it goes over the wire; `headers` are the same at every attempt."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    answer: type[Answer]
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def of(self, answer: httpx.Response) -> Answer:
        """Read the answer; fields that a later endpoint adds are passed over."""
        return self.answer.model_validate_json(answer.content, extra="ignore")


def _post(path: str, kind: type[Body], body: Body | Mapping[str, Any], answer: type[Answer]) -> _Call[Answer]:
    checked = body if isinstance(body, kind) else kind.model_validate(body)
    return _Call(
        "POST", path, answer, checked.model_dump_json(exclude_unset=True), {"content-type": "application/json"}
    )


def _named(call: _Call[Answer], name: str | None) -> _Call[Answer]:
    headers = {**call.headers, "idempotency-key": name or str(uuid.uuid4())}
    return _Call(call.method, call.path, call.answer, call.body, headers)


def _retried(patience: float) -> Callable[[Exception], bool | float]:
    def again(error: Exception) -> bool | float:
        if isinstance(error, ProblemError):
            if error.status not in _ASK_AGAIN:
                return False
            if error.retry_after is None:
                return True
            # a day's quota comes back at midnight: nobody waits for that here
            return error.retry_after + _JITTER.random() if error.retry_after < patience else False
        return isinstance(error, httpx.TransportError)

    return again


def _headers(key: str | None, language: Language | None) -> dict[str, str]:
    known = {"authorization": f"Bearer {key}" if key else "", "accept-language": language or ""}
    return {name: value for name, value in known.items() if value}


def _jobs_of(histories: Iterable[History | Mapping[str, Any]], options: Mapping[str, Any]) -> Iterator[JobRequest]:
    left = iter(histories)
    while some := list(islice(left, JOB_HISTORIES)):
        yield JobRequest.model_validate({"histories": some, **options})


def _lines(answer: httpx.Response) -> list[JobLine]:
    # not splitlines: a caption may hold what text takes for the end of a line
    return [JobLine.model_validate_json(line, extra="ignore") for line in answer.content.split(b"\n") if line]


def _placed(line: JobLine, first: int) -> JobLine:
    return line.model_copy(update={"index": first + line.index})


class _Calls:
    """Everything that can be asked, without asking it."""

    @staticmethod
    def score(request: ScoreRequest | Mapping[str, Any]) -> _Call[ScoreResponse]:
        return _post("/v1/score", ScoreRequest, request, ScoreResponse)

    @staticmethod
    def recommend(request: RecommendRequest | Mapping[str, Any]) -> _Call[RecommendResponse]:
        return _post("/v1/recommend", RecommendRequest, request, RecommendResponse)

    @staticmethod
    def fit(request: FitRequest | Mapping[str, Any]) -> _Call[FitResponse]:
        return _post("/v1/fit", FitRequest, request, FitResponse)

    @staticmethod
    def lookalikes(request: LookalikesRequest | Mapping[str, Any]) -> _Call[RecommendResponse]:
        return _post("/v1/lookalikes", LookalikesRequest, request, RecommendResponse)

    @staticmethod
    def feedback(request: FeedbackRequest | Mapping[str, Any], name: str | None) -> _Call[FeedbackResponse]:
        return _named(_post("/v1/feedback", FeedbackRequest, request, FeedbackResponse), name)

    @staticmethod
    def creator(creator_id: str) -> _Call[CreatorResponse]:
        return _Call("GET", f"/v1/creators/{quote(creator_id, safe='')}", CreatorResponse)

    @staticmethod
    def versions() -> _Call[VersionsResponse]:
        return _Call("GET", "/v1/versions", VersionsResponse)

    @staticmethod
    def submit_job(request: JobRequest | Mapping[str, Any], name: str | None) -> _Call[JobResponse]:
        return _named(_post("/v1/jobs", JobRequest, request, JobResponse), name)

    @staticmethod
    def jobs() -> _Call[JobsResponse]:
        return _Call("GET", "/v1/jobs", JobsResponse)

    @staticmethod
    def job(job_id: str) -> _Call[JobResponse]:
        return _Call("GET", f"/v1/jobs/{quote(job_id, safe='')}", JobResponse)

    @staticmethod
    def job_result(job_id: str) -> _Call[JobLine]:
        return _Call("GET", f"/v1/jobs/{quote(job_id, safe='')}/result", JobLine)

    @staticmethod
    def erase_job(job_id: str) -> _Call[BaseModel]:
        return _Call("DELETE", f"/v1/jobs/{quote(job_id, safe='')}", BaseModel)


class Client:
    """The endpoint, call by call; a context manager that closes its connections.

    Parameters
    ----------
    url : str
        Of the service, without `/v1`.
    key : str, optional
        As `realreach keys create` told it; none where the service was started with `--open`.
    language : {"en", "vi"}, optional
        Of words, where a request names none.
    patience : float
        Seconds that a call may take with all its attempts.

    Every call raises `ProblemError` where the endpoint refuses, `httpx.TransportError` where it cannot be reached, and
    `pydantic.ValidationError` before anything is sent where the request breaks its schema.

    Examples
    --------
    >>> with Client("http://127.0.0.1:3000", key="rr_…") as client:  # doctest: +SKIP
    ...     client.recommend({"brief": "skincare, honest reviews", "k": 10}).creators[0].reasons
    """

    def __init__(
        self, url: str, key: str | None = None, *, language: Language | None = None, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._http = httpx.Client(base_url=url, headers=_headers(key, language), timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, call: _Call[Any]) -> httpx.Response:
        for attempt in stamina.retry_context(on=_retried(self._patience), attempts=None, timeout=self._patience):
            with attempt:
                answer = self._http.request(call.method, call.path, content=call.body, headers=dict(call.headers))
                if not answer.is_success:
                    raise ProblemError(answer)
                return answer
        raise AssertionError  # the last attempt answers or raises

    def _get(self, call: _Call[Answer]) -> Answer:
        return call.of(self._ask(call))

    def score(self, request: ScoreRequest | Mapping[str, Any]) -> ScoreResponse:
        """Score 1 to 100 histories."""
        return self._get(_Calls.score(request))

    def recommend(self, request: RecommendRequest | Mapping[str, Any]) -> RecommendResponse:
        """Rank creators of the catalogue for a brief."""
        return self._get(_Calls.recommend(request))

    def fit(self, request: FitRequest | Mapping[str, Any]) -> FitResponse:
        """How well creators, of the catalogue or with their histories, suit a brief."""
        return self._get(_Calls.fit(request))

    def lookalikes(self, request: LookalikesRequest | Mapping[str, Any]) -> RecommendResponse:
        """Rank creators who write about what some others write about."""
        return self._get(_Calls.lookalikes(request))

    def creator(self, creator_id: str) -> CreatorResponse:
        """Report of a creator of the catalogue."""
        return self._get(_Calls.creator(creator_id))

    def versions(self) -> VersionsResponse:
        """What answers are made with at this moment."""
        return self._get(_Calls.versions())

    def feedback(
        self, request: FeedbackRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> FeedbackResponse:
        """Leave decisions and outcomes; once, however often it is sent under one key."""
        return self._get(_Calls.feedback(request, idempotency_key))

    def submit_job(self, request: JobRequest | Mapping[str, Any], *, idempotency_key: str | None = None) -> JobResponse:
        """Have up to 5,000 histories scored in the background."""
        return self._get(_Calls.submit_job(request, idempotency_key))

    def jobs(self) -> JobsResponse:
        """Your jobs, the newest first."""
        return self._get(_Calls.jobs())

    def job(self, job_id: str) -> JobResponse:
        """How far a job is."""
        return self._get(_Calls.job(job_id))

    def job_result(self, job_id: str) -> list[JobLine]:
        """Reports of a job that is done, in the order of its histories."""
        return _lines(self._ask(_Calls.job_result(job_id)))

    def erase_job(self, job_id: str) -> None:
        """Stop a job and erase all of it."""
        self._ask(_Calls.erase_job(job_id))

    def score_many(self, histories: Iterable[History | Mapping[str, Any]], **options: Any) -> Iterator[JobLine]:
        """Score any number of histories by jobs, one after the other; `options` are fields of `JobRequest`."""
        first = 0
        for request in _jobs_of(histories, options):
            job = self.submit_job(request)
            while job.state != "done":
                time.sleep(_POLL_SECONDS)
                job = self.job(job.id)
            for line in self.job_result(job.id):
                yield _placed(line, first)
            first += len(request.histories)


class AsyncClient:
    """`Client` for asynchronous programs: the same calls, awaited; an async context manager."""

    def __init__(
        self, url: str, key: str | None = None, *, language: Language | None = None, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key, language), timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, call: _Call[Any]) -> httpx.Response:
        async for attempt in stamina.retry_context(on=_retried(self._patience), attempts=None, timeout=self._patience):
            with attempt:
                answer = await self._http.request(call.method, call.path, content=call.body, headers=dict(call.headers))
                if not answer.is_success:
                    raise ProblemError(answer)
                return answer
        raise AssertionError  # the last attempt answers or raises

    async def _get(self, call: _Call[Answer]) -> Answer:
        return call.of(await self._ask(call))

    async def score(self, request: ScoreRequest | Mapping[str, Any]) -> ScoreResponse:
        """Score 1 to 100 histories."""
        return await self._get(_Calls.score(request))

    async def recommend(self, request: RecommendRequest | Mapping[str, Any]) -> RecommendResponse:
        """Rank creators of the catalogue for a brief."""
        return await self._get(_Calls.recommend(request))

    async def fit(self, request: FitRequest | Mapping[str, Any]) -> FitResponse:
        """How well creators, of the catalogue or with their histories, suit a brief."""
        return await self._get(_Calls.fit(request))

    async def lookalikes(self, request: LookalikesRequest | Mapping[str, Any]) -> RecommendResponse:
        """Rank creators who write about what some others write about."""
        return await self._get(_Calls.lookalikes(request))

    async def creator(self, creator_id: str) -> CreatorResponse:
        """Report of a creator of the catalogue."""
        return await self._get(_Calls.creator(creator_id))

    async def versions(self) -> VersionsResponse:
        """What answers are made with at this moment."""
        return await self._get(_Calls.versions())

    async def feedback(
        self, request: FeedbackRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> FeedbackResponse:
        """Leave decisions and outcomes; once, however often it is sent under one key."""
        return await self._get(_Calls.feedback(request, idempotency_key))

    async def submit_job(
        self, request: JobRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> JobResponse:
        """Have up to 5,000 histories scored in the background."""
        return await self._get(_Calls.submit_job(request, idempotency_key))

    async def jobs(self) -> JobsResponse:
        """Your jobs, the newest first."""
        return await self._get(_Calls.jobs())

    async def job(self, job_id: str) -> JobResponse:
        """How far a job is."""
        return await self._get(_Calls.job(job_id))

    async def job_result(self, job_id: str) -> list[JobLine]:
        """Reports of a job that is done, in the order of its histories."""
        return _lines(await self._ask(_Calls.job_result(job_id)))

    async def erase_job(self, job_id: str) -> None:
        """Stop a job and erase all of it."""
        await self._ask(_Calls.erase_job(job_id))

    async def score_many(
        self, histories: Iterable[History | Mapping[str, Any]], **options: Any
    ) -> AsyncIterator[JobLine]:
        """Score any number of histories by jobs, one after the other; `options` are fields of `JobRequest`."""
        first = 0
        for request in _jobs_of(histories, options):
            job = await self.submit_job(request)
            while job.state != "done":
                await anyio.sleep(_POLL_SECONDS)
                job = await self.job(job.id)
            for line in await self.job_result(job.id):
                yield _placed(line, first)
            first += len(request.histories)
