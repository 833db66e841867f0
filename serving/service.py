"""The service that bentoml runs: the endpoint under /v1, the analysts' page under /review, and what both stand on."""

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import Callable
from typing import Any, cast

import anyio
import anyio.to_thread
import bentoml
from starlette.requests import ClientDisconnect

import features  # noqa: F401 - a bento packs what its service imports at module level
from serving.access import Access, Keyring
from serving.api import ROOT, make_api, name_of, scope_needed
from serving.current import Current
from serving.job_worker import JobWorker
from serving.limits import BodyLimit, Deadline, FrontDoor, Places, Problems, WorkLimit
from serving.openapi import specification
from serving.review.app import make_review_app
from serving.telemetry import Telemetry, write_json_logs

# read when bentoml first reports its use, which is after this module is imported
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

log = logging.getLogger("bentoml.realreach")

#: Seconds after which a request is given up with 504, and after which bentoml would, in words of its own.
TIMEOUT, _BENTOML_TIMEOUT = 60, 90
#: Requests computed at once: more threads than cores only wait for each other.
_AT_ONCE = os.cpu_count() or 1
#: Seconds between two looks at the keys, the registry and the catalogue.
REFRESH_SECONDS = 1.0
#: How many processes answer; bentoml's own option for it is read by old services only.
WORKERS = "REALREACH_WORKERS"
#: Set where the service answers without keys, to this machine only.
OPEN = "REALREACH_OPEN"


class WithoutDisconnects(logging.Filter):
    """Drops the traceback of a body that broke off or was too large: nothing here went wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every other record."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(error, ClientDisconnect)


places = Places()
current = Current()
keyring = Keyring()
api = make_api(current)
review = make_review_app(current, places)


async def _keep_up(refresh: Callable[[], object]) -> None:
    """Take on what is new for as long as the service runs."""
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            await anyio.to_thread.run_sync(refresh)
        except Exception:  # whatever keeps the registry from answering, what is in use stays in use
            log.exception("cannot look for what is new; what is in use stays")


@bentoml.asgi_app(api, path=ROOT)
@bentoml.asgi_app(review, path="/review")
@bentoml.service(
    name="RealReach",
    traffic={"timeout": _BENTOML_TIMEOUT},
    logging={"access": {"enabled": False}},
    workers=int(os.environ.get(WORKERS) or 1),
)
class RealReach:
    """Which micro-influencers are worth a brand's money. The endpoint is at /v1/, the analysts' page at /review/."""

    def __init__(self) -> None:
        for name in ("bentoml._internal.server.http_app", "uvicorn.error"):
            logging.getLogger(name).addFilter(WithoutDisconnects())
        write_json_logs(logging.WARNING if os.environ.get(OPEN) == "1" else logging.INFO)
        keyring.refresh()
        current.start()
        api.state.limiter = review.state.limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._keeping_up: list[asyncio.Task[None]] = []
        self._jobs = JobWorker(lambda: current.loaded.model, lambda: places.taken > 0)

    async def __is_ready__(self) -> bool:
        """Whether there is anything to answer with."""
        return current.loaded.model is not None or current.loaded.catalogue is not None

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def begin(self) -> None:
        """Keep what was loaded out of garbage collections: full ones over it were the tail of the latency."""
        gc.collect()
        gc.freeze()
        # apart: a revoked key does not wait for a registry or a storage that does not answer
        self._keeping_up = [asyncio.create_task(_keep_up(one.refresh)) for one in (keyring, current)]
        self._jobs.start()
        await anyio.to_thread.run_sync(review.state.keeper.shelf.prepare)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def end(self) -> None:
        """Stop looking for new models, and give back what is in work of jobs."""
        await anyio.to_thread.run_sync(self._jobs.stop)
        for one in self._keeping_up:
            one.cancel()
        for one in self._keeping_up:
            with contextlib.suppress(asyncio.CancelledError):
                await one


_service = cast("Any", RealReach)  # the decorators made a bentoml service of the class, unknown to its types
_service.add_asgi_middleware(Telemetry, name=name_of)
_service.add_asgi_middleware(Problems)
_service.add_asgi_middleware(Deadline, seconds=TIMEOUT)
_service.add_asgi_middleware(Access, keyring=keyring, needed=scope_needed, open_to_all=os.environ.get(OPEN) == "1")
_service.add_asgi_middleware(BodyLimit)
_service.add_asgi_middleware(WorkLimit, places=places)
_service.add_asgi_middleware(FrontDoor, described=specification)
