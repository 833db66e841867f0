"""A creator's page: what was screened, and the evidence to check it by."""

from functools import partial

import numpy as np
import pandas as pd
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from features.tables import HEADS
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.ranking import fit_of, grounds, read
from serving.reasons import reasons, why_not_assessed
from serving.reports import report, where_to_look
from serving.review.decide import deciding, disputes
from serving.review.view import LONGEST_IN_ADDRESS, View, creator_path, in_work, no_catalogue, not_found, page, view_of
from serving.words import words_for
from training.fit_model import FitModel


def _creator(
    request: Request, view: View, catalogue: Catalogue, creator_id: str, model: FitModel | None
) -> HTMLResponse:
    words = words_for(view.language)
    try:
        row = catalogue.creator(creator_id)
    except KeyError:
        return not_found(view)
    reading = read(catalogue, Brief(text=view.query.get("brief", "")[:LONGEST_IN_ADDRESS]))
    place = catalogue.position(creator_id)
    fitted = fit_of(catalogue, reading, np.array([place]), model)
    stands_on = grounds(catalogue, reading, fitted, catalogue.shown.of([place]), model)[0]
    return page(
        view,
        "creator.html",
        path=creator_path(creator_id),
        row={name: None if pd.isna(value) else value for name, value in row.items()},
        deciding=deciding(request),
        disputes=disputes(request, creator_id),
        report=report(row, words),
        where_to_look=where_to_look,
        reasons=reasons(row, words, stands_on, reading.wanted),
        fit=None if reading.missing else float(fitted.fit[0]),
        why=why_not_assessed(row, words) if pd.isna(row["authenticity"]) else "",
        notice=words.notice(row["model_data"]),
        simulated=row["model_data"] == "simulated",
        heads=HEADS,
    )


async def show_creator(request: Request) -> Response:
    """Page of a creator."""
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    creator_id = request.path_params["creator_id"]
    return await in_work(request, partial(_creator, request, view, loaded.catalogue, creator_id, loaded.ranker))
