"""What a client sees of a list: those decided yes and maybe, by a signed link that needs no key, and nothing to write.

Neither who decided nor what they commented is in it. A link that is wrong, over, revoked or of a list that is internal
again gets one and the same answer.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from serving import decisions, store
from serving.catalogue import Catalogue
from serving.decisions import Link
from serving.reasons import why_not_assessed
from serving.reports import catalogue_notice, report
from serving.review.view import View, in_work, page, view_of
from serving.words import Words, words_for

#: Statuses that a client sees, in this order.
_SHOWN = ("yes", "maybe")
#: Creators of a client's page at most; each is a report, and whoever has the link may ask for it.
_MOST_SHOWN = 200
_HEADERS = {
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
}


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(store.signing_secret("client links"), salt="realreach.review.shared")


def share_path(link: Link) -> str:
    """Path of a link inside the app.

    Raises
    ------
    serving.store.StoreError
    """
    return f"/shared/{_signer().dumps([link.id, link.list_id, int(link.expires_at.replace(tzinfo=UTC).timestamp())])}"


@dataclass(frozen=True)
class _Shown:
    """A creator as a client sees it."""

    decision: str
    creator_id: str
    row: dict[str, Any] | None = None
    report: Any = None
    why: str = ""


def _creator(full: dict[str, Any] | None, creator_id: str, decision: str, words: Words) -> _Shown:
    if full is None:
        return _Shown(decision, creator_id)
    row = {name: None if pd.isna(value) else value for name, value in full.items()}
    why = "" if row["authenticity"] is not None else why_not_assessed(full, words)
    return _Shown(decision, creator_id, row, report(full, words), why)


def _gone(view: View) -> Response:
    return page(view, "client_gone.html", 404)


def _shared(request: Request, view: View, token: str) -> Response:
    words = words_for(view.language)
    catalogue: Catalogue | None = request.app.state.current.loaded.catalogue
    try:
        link_id, list_id, expires = _signer().loads(token)
        found = decisions.shared_list(link_id, list_id) if expires > datetime.now(UTC).timestamp() else None
    except (BadSignature, ValueError, TypeError):
        return _gone(view)
    except store.StoreError:
        return page(view, "client_gone.html", 503, later=True)
    if found is None:
        return _gone(view)
    shared, statuses = found
    every = [(one, name) for name in _SHOWN for one, status in statuses.items() if status.name == name]
    chosen = every[:_MOST_SHOWN]
    there = [] if catalogue is None else [one for one, _ in chosen if one in catalogue]
    rows = dict(zip(there, catalogue.creators(there) if catalogue else [], strict=True))
    shown = [_creator(rows.get(one), one, name, words) for one, name in chosen]
    return page(
        view,
        "client.html",
        path=f"/shared/{token}",
        list_name=shared.name,
        shown=shown,
        counts=Counter(name for _, name in every),
        left_out=len(every) - len(chosen),
        notice="" if catalogue is None else catalogue_notice(catalogue, words),
        simulated=catalogue is not None and catalogue.simulated,
    )


async def show_shared(request: Request) -> Response:
    """Page of a list for the client whose link it is."""
    # of the address only the language is read, so that no link of this page carries anything else on
    asked = view_of(request)
    view = View(asked.language, QueryParams({"lang": asked.language}), asked.root)
    answer = await in_work(request, partial(_shared, request, view, request.path_params["token"]))
    answer.headers.update(_HEADERS)
    return answer


ROUTES = [
    Mount("/shared/static", StaticFiles(directory=Path(__file__).parent / "static")),
    Route("/shared/{token}", show_shared),
]
