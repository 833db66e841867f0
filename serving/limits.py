"""What every request passes before the service: limits of time, size and number, the front door, headers of pages."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import LONGEST_ECHO, MEDIA_TYPE, FieldProblem, problem

#: Largest body of a request, in bytes: 100 histories of a thousand posts with their captions fit.
MOST_BYTES = 20 * 1024 * 1024
#: Largest form of a page, in bytes: a comment of 10,000 emoji and 500 creators of a step fit.
MOST_FORM_BYTES = 256 * 1024
#: Where forms are read, and the one way in which they are sent.
_FORMS_UNDER, _FORM = "/review/", "application/x-www-form-urlencoded"
#: Requests in work at once, with their bodies in memory; more are told to come back.
MOST_AT_WORK = 8
#: Seconds after which a request that found no place may try again.
RETRY_AFTER = 2

#: Pages load from this server only: no inline script, no inline style, and what a script asks for comes from here too.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
#: BentoML's documentation page needs its own scripts and inline styles; the tag manager it embeds stays blocked.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class BusyError(RuntimeError):
    """All places are taken."""


class Places:
    """Places for requests in work, so many and no queue; for the one thread of an event loop."""

    def __init__(self, most: int = MOST_AT_WORK) -> None:
        self.most = most
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        BusyError
            Where none is free.
        """
        if self.taken >= self.most:
            raise BusyError
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class WorkLimit:
    """Refuses a request with a body while all places are taken (503), before its body is read."""

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self.app = app
        self.places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that finds a place."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            with self.places.one():
                await self.app(scope, receive, send)
        except BusyError:
            said = f"{self.places.most} requests are in work; try again in {RETRY_AFTER} seconds"
            await problem("busy", said, headers={"retry-after": str(RETRY_AFTER)})(scope, receive, send)


class Deadline:
    """Gives a request up that has not begun to be answered in time (504): one whose body never ends holds no place."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, for so long."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with anyio.move_on_after(self.seconds) as limit:

            async def send_in_time(message: Message) -> None:
                limit.deadline = math.inf  # what has begun to be answered may take its time
                await send(message)

            await self.app(scope, receive, send_in_time)
        if limit.cancelled_caught:
            said = f"there was no answer within {self.seconds:g} seconds, in which the body must have come too"
            await problem("timeout", said, headers={"retry-after": str(RETRY_AFTER), "connection": "close"})(
                scope, receive, send
            )


class Problems:
    """Makes problems of errors that others answer in words of their own; pages and probes keep theirs."""

    _OTHERS = ("/review", "/livez", "/readyz", "/healthz", "/metrics")
    _CODE_OF: ClassVar[dict[int, str]] = {
        404: "not_found",
        405: "method_not_allowed",
        413: "body_too_large",
        415: "unsupported_media_type",
        429: "busy",
        503: "busy",
        504: "timeout",
    }

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and look at how it is answered."""
        if scope["type"] != "http" or scope["path"].startswith(self._OTHERS):
            await self.app(scope, receive, send)
            return
        replaced: Response | None = None

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] >= 400 and not headers.get("content-type", "").startswith(MEDIA_TYPE):
                    code = self._CODE_OF.get(message["status"], "internal" if message["status"] >= 500 else "not_found")
                    replaced = problem(code, "the service has no answer here; /docs lists what it answers")
                    return
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            if replaced is None:
                await send(message)

        await self.app(scope, receive, send_problem)
        if replaced is not None:
            await replaced(scope, receive, send)


class PageHeaders:
    """Adds the headers of a page: its content-security policy, no sniffing of types, no address to other hosts."""

    def __init__(self, app: ASGIApp, policy: str = PAGE_POLICY) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers added."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = self.policy
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("referrer-policy", "same-origin")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class FrontDoor:
    """Sends `/` to the review page, and shows BentoML's documentation page, which lives at `/`, at `/docs`.

    That page describes what /docs.json says: our own description instead of BentoML's, which knows no mounted app.
    """

    def __init__(self, app: ASGIApp, described: Callable[[], dict[str, Any]]) -> None:
        self.app = app
        self.described = described
        self.docs = PageHeaders(app, DOCS_POLICY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a front-door address, pass on any other."""
        path = scope.get("path")
        if (
            scope["type"] != "http"
            or scope["method"] not in ("GET", "HEAD")
            or path not in ("/", "/docs", "/docs.json")
        ):
            await self.app(scope, receive, send)
        elif path == "/docs.json":
            await JSONResponse(self.described())(scope, receive, send)
        elif path == "/":
            await RedirectResponse("/review/")(scope, receive, send)
        else:
            await self.docs({**scope, "path": "/", "raw_path": b"/"}, receive, send)


class BodyLimit:
    """Refuses bodies that are too large (413) or of another type than is read (415), before anything reads them.

    JSON is read everywhere but on the review page, where forms are.
    """

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES, most_form_bytes: int = MOST_FORM_BYTES) -> None:
        self.app = app
        self.most_bytes = most_bytes
        self.most_form_bytes = most_form_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a body that is of the right type and small enough."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, form = Headers(scope=scope), scope["path"].startswith(_FORMS_UNDER)
        wanted, words = (_FORM, "a form") if form else ("application/json", "JSON")
        kind = headers.get("content-type", wanted).split(";")[0].strip().lower()
        length = headers.get("content-length", "")
        encoding = headers.get("content-encoding", "identity").strip().lower()
        too_large = self._too_large(form)
        if scope["method"] == "POST" and (kind != wanted or encoding != "identity"):
            name, sent = ("Content-Type", kind) if kind != wanted else ("Content-Encoding", encoding)
            field = FieldProblem(path=name, message=f"send plain {words}: {wanted}, not compressed", kind="header")
            said = f"the body is {sent[:LONGEST_ECHO]}; send {words} with Content-Type: {wanted}, not compressed"
            await problem("unsupported_media_type", said, [field])(scope, receive, send)
        elif length.isdecimal() and int(length) > self._most(form):
            await too_large(scope, receive, send)
        else:
            await self._counted(scope, receive, send, self._most(form), too_large)

    def _most(self, form: bool) -> int:
        return self.most_form_bytes if form else self.most_bytes

    def _too_large(self, form: bool) -> JSONResponse:
        fewer = "choose fewer creators or shorten the comment" if form else "send fewer histories at once"
        return problem("body_too_large", f"the body is larger than {self._most(form):,} bytes; {fewer}")

    async def _counted(
        self, scope: Scope, receive: Receive, send: Send, most_bytes: int, too_large: JSONResponse
    ) -> None:
        taken = 0
        refused = False

        async def receive_counted() -> Message:
            nonlocal taken, refused
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most_bytes and not refused:
                refused = True
                await too_large(scope, receive, send)
            return {"type": "http.disconnect"} if refused else message

        async def send_unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self.app(scope, receive_counted, send_unless_refused)
        except ClientDisconnect:
            if not refused:
                raise
