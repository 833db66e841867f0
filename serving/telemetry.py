"""What those who run the service see of it: metrics for Prometheus, and a line of JSON in the log for every request.

Neither holds personal data: addresses are named by what they ask for, callers by the id of their key, and of scores
only how many lie where.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.schemas import Report

if TYPE_CHECKING:
    pass

#: Loggers of our own, which the service writes as JSON.
LOGGERS = ("realreach", "bentoml.realreach")
log = logging.getLogger("realreach.requests")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0, 60.0)
_SHARES = tuple(tenth / 10 for tenth in range(1, 11))
#: What a caller may call its request; anything else is called anew.
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class Metrics:
    """Every metric, made when the first is needed: only then has bentoml said where its processes meet."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram  # noqa: PLC0415 - decides at import whether processes meet

        self.requests: Counter = Counter(
            "realreach_requests", "Requests by what they ask for and how they ended", ["endpoint", "status", "version"]
        )
        self.seconds: Histogram = Histogram(
            "realreach_request_seconds", "Time of a request, body included", ["endpoint"], buckets=_SECONDS
        )
        self.parts: Histogram = Histogram(
            "realreach_part_seconds", "Time of a part of an answer", ["endpoint", "part"], buckets=_SECONDS
        )
        self.authenticity: Histogram = Histogram(
            "realreach_authenticity", "Authenticity of scored creators", ["version", "source"], buckets=_SHARES
        )
        self.probability: Histogram = Histogram(
            "realreach_head_probability", "Probability of a head", ["head", "version"], buckets=_SHARES
        )
        self.abstentions: Counter = Counter(
            "realreach_head_abstentions", "Creators that a head could not assess", ["head", "version"]
        )
        self.flags: Counter = Counter("realreach_head_flags", "Creators that a head flagged", ["head", "version"])


@cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()


def count_scores(reports: Iterable[Report], version: str | None, source: str) -> None:
    """Count what was said of creators.

    Parameters
    ----------
    source : {"request", "job"}
    """
    known, name = metrics(), version or ""
    for report in reports:
        if report.authenticity.probability is not None:
            known.authenticity.labels(name, source).observe(report.authenticity.probability)
        for head in report.heads:
            if head.probability is None:
                known.abstentions.labels(head.head, name).inc()
                continue
            known.probability.labels(head.head, name).observe(head.probability)
            if head.flagged:
                known.flags.labels(head.head, name).inc()


@contextmanager
def timed(endpoint: str, part: str) -> Iterator[None]:
    """Time a part of an answer."""
    start = time.perf_counter()
    yield
    metrics().parts.labels(endpoint, part).observe(time.perf_counter() - start)


class JsonLines(logging.Formatter):
    """A record as a line of JSON, with the request it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := _request_id.get():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def write_json_logs(level: int) -> None:
    """Let our own loggers write lines of JSON to stderr.

    Parameters
    ----------
    level : int
        Of what is written about requests: INFO for all, WARNING for those that failed here.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    log.setLevel(level)


class Telemetry:
    """Counts, times and logs every request, and gives it an id, which its answer carries as X-Request-ID.

    Parameters
    ----------
    name : callable
        What a request asks for, told from its scope when it was answered; one of few words, whatever was sent.
    """

    def __init__(self, app: ASGIApp, name: Callable[[Scope], str]) -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and tell of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if _ID.fullmatch(sent) else secrets.token_hex(8)
        token = _request_id.set(request_id)
        status, start = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            self._tell(scope, status, time.perf_counter() - start)
            _request_id.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        endpoint, version = self.name(scope), scope.get("version", "")
        known = metrics()
        # 499, as nginx has it: whoever asked was gone before there was an answer
        known.requests.labels(endpoint, str(status or 499), version).inc()
        known.seconds.labels(endpoint).observe(seconds)
        level = logging.WARNING if status >= 500 else logging.INFO
        if log.isEnabledFor(level):
            caller = scope.get("caller")
            fields = {
                "endpoint": endpoint,
                "method": scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other",
                "status": status or 499,
                "milliseconds": round(seconds * 1000, 2),
                "key": "" if caller is None else caller.id,
                "version": version,
            }
            log.log(level, "request", extra={"fields": fields})
