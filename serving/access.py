"""Who may ask what: the key of a request, its scope, its rate and its quota, before anything of the request is read."""

import base64
import binascii
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import store
from serving.keys import Key, find, list_keys
from serving.keys import Scope as KeyScope
from serving.problems import problem

log = logging.getLogger("realreach.access")

#: What anybody may see: whether the service lives, and how to ask it.
_PUBLIC = frozenset({"/livez", "/readyz", "/healthz", "/docs", "/docs.json", "/"})
_PUBLIC_UNDER = ("/static_content/",)
_READING = ("GET", "HEAD")
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PAGES = "/review"
#: What a client may see without a key: a list by a signed link, and what that page is drawn with. Nothing is written.
_SHARED = re.compile(r"/review/shared/(?:[\w.-]{1,500}|static/[a-z]+\.(?:css|svg))", re.ASCII)


class Keyring:
    """The keys that hold, what each has used, and how fast: in memory, brought up to date in the background."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._used: dict[str, int] = {}
        self._unwritten: Counter[str] = Counter()
        self._day = datetime.now(UTC).date()
        self._lock = threading.Lock()
        self._rates = MovingWindowRateLimiter(MemoryStorage())
        self._silent = False

    def refresh(self) -> None:
        """Read the keys and write what they used; where the database cannot be used, all stays as it was last known."""
        with self._lock:
            day, unwritten = self._day, dict(self._unwritten)
            self._day = datetime.now(UTC).date()
            self._unwritten.clear()
        try:
            self._keys = {key.id: key for key in list_keys()}
            used = store.count_uses(unwritten, day)
        except store.StoreError as error:
            if not self._silent:
                log.warning("%s; keys and quotas stay as they were last known", error)
            self._silent = True
            with self._lock:
                self._unwritten.update(unwritten)
            return
        self._silent = False
        with self._lock:
            self._used = used if day == self._day else {}

    def find(self, sent: str) -> Key | None:
        """The key that was sent, None where it is none that holds."""
        return find(sent, self._keys)

    def wait(self, key: Key) -> tuple[str, int] | None:
        """Count a request; of one too many, the code of the problem and the seconds after which to come back."""
        item = RateLimitItemPerMinute(key.per_minute)
        if not self._rates.hit(item, key.id):
            reset = self._rates.get_window_stats(item, key.id).reset_time
            return "rate_limited", max(1, round(reset - datetime.now(UTC).timestamp()))
        with self._lock:
            if self._used.get(key.id, 0) + self._unwritten[key.id] >= key.per_day:
                now = datetime.now(UTC)
                midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
                return "quota_exceeded", max(1, round((midnight - now).total_seconds()))
            self._unwritten[key.id] += 1
        return None


def _sent(headers: Headers) -> str:
    """The key that a request carries: as a bearer token, or as the password that a browser asked for."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _host(headers: Headers) -> str:
    host = headers.get("host", "")
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


class Access:
    """Lets requests through that may be made, each with its caller in the scope as `caller`.

    Parameters
    ----------
    needed : callable
        The scope that a path needs, asked by a method.
    open_to_all : bool
        Whether no key is asked for, as in the demo. Only this machine is answered then, and only under its own name:
        a page of another host that a browser here has open cannot ask by a name that it made point here.
    """

    def __init__(
        self, app: ASGIApp, keyring: Keyring, needed: Callable[[str, str], KeyScope], *, open_to_all: bool = False
    ) -> None:
        self.app = app
        self.keyring = keyring
        self.needed = needed
        self.open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may be made."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._refusal(scope)
        await (self.app if refused is None else refused)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if self.open_to_all:
            if _host(headers) in _LOCAL:
                return None
            return problem("not_local", "this service was started with --open and answers to 127.0.0.1 and localhost")
        if path in _PUBLIC or path.startswith(_PUBLIC_UNDER):
            return None
        if scope["method"] in _READING and _SHARED.fullmatch(path):
            return None
        key = self.keyring.find(_sent(headers))
        if key is None:
            asks = 'Basic realm="realreach", charset="UTF-8"' if path.startswith(_PAGES) else "Bearer"
            said = "send a key that holds: Authorization: Bearer rr_…; make one with `realreach keys create`"
            return problem("unauthorized", said, headers={"www-authenticate": asks})
        needed = self.needed(path, scope["method"])
        if not key.may(needed):
            return problem("forbidden", f"this key has not the scope {needed}, which this address needs")
        wait = self.keyring.wait(key)
        if wait is not None:
            code, seconds = wait
            return problem(code, f"try again in {seconds} seconds", headers={"retry-after": str(seconds)})
        scope["caller"] = key
        return None
