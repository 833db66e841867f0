"""The shortlist: the creators for a brief, best first."""

from functools import partial
from typing import Any

import pandas as pd
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from features.tables import PLATFORMS, TIERS
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.ranking import shortlist
from serving.reasons import REASON_SEPARATOR, why_not_assessed
from serving.reports import catalogue_notice, catalogue_warnings
from serving.review.decide import deciding
from serving.review.view import View, in_work, no_catalogue, page, view_of, wrong
from serving.shown import records
from serving.words import Words, words_for
from training.fit_model import FitModel

_SIZES = (20, 50, 100)
_MINIMA = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def _shown_row(row: dict[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    known = {name: None if pd.isna(value) else value for name, value in row.items()}
    why = "" if known["authenticity_assessed"] else why_not_assessed(catalogue.creator(row["creator_id"]), words)
    # the cell of authenticity already says why there is none
    said = row["reasons"].split(REASON_SEPARATOR)
    shown = [reason for reason in said if not why or why not in reason]
    return known | {"why": why, "shown": shown}


def _shortlist(
    request: Request, view: View, catalogue: Catalogue, brief: Brief, model: FitModel | None
) -> HTMLResponse:
    words = words_for(view.language)
    found = shortlist(catalogue, brief, view.language, model)
    rows = [_shown_row(row, catalogue, words) for row in records(found.frame)]
    return page(
        view,
        "shortlist.html",
        brief=brief,
        rows=rows,
        deciding=deciding(request),
        candidates=found.candidates,
        total=len(catalogue),
        note=found.note(view.language),
        notice=catalogue_notice(catalogue, words),
        simulated=catalogue.simulated,
        warnings=catalogue_warnings(catalogue, words),
        platforms=[name for name in PLATFORMS if name in set(catalogue.names("platform")) | set(brief.platforms)],
        tiers=TIERS,
        niches=catalogue.names("niche"),
        size=found.wanted,
        sizes=sorted({*_SIZES, found.wanted}),
        minima=sorted({*_MINIMA, *([brief.min_authenticity] if brief.min_authenticity else [])}),
    )


async def show_shortlist(request: Request) -> Response:
    """Page of the creators for the brief of the address."""
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    try:
        brief = view.brief()
    except ValidationError as error:
        return wrong(view, error)
    return await in_work(request, partial(_shortlist, request, view, loaded.catalogue, brief, loaded.ranker))
