"""Creators side by side: the same facts in the same rows, so that the eye compares and not the memory."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.current import Loaded
from serving.ranking import fit_of, grounds, read
from serving.reasons import reasons, why_not_assessed
from serving.reports import report
from serving.review.creator import known, shown_name
from serving.review.decide import deciding
from serving.review.view import LONGEST_IN_ADDRESS, View, in_work, no_catalogue, page, view_of
from serving.words import N_, words_for

#: Creators that can stand side by side.
LEAST, MOST = 2, 10
#: Reasons of each that are shown, and niches of all.
_REASONS, _NICHES = 3, 5


def _best(values: Sequence[float | None], better: Callable[[Sequence[float]], float] = max) -> set[int]:
    """Places of the best known value; of none where fewer than two are known or all are equal."""
    told = [one for one in values if one is not None]
    if len(told) < LEAST or len(set(told)) == 1:
        return set()
    best = better(told)
    return {place for place, one in enumerate(values) if one == best}


def _asked(view: View) -> list[str]:
    """Ids of the address, each once, in their order; several may stand in one field, a line each."""
    given = [part.strip() for one in view.query.getlist("creator") for part in one.splitlines()]
    return list(dict.fromkeys(one for one in given if one))


def _columns(view: View, loaded: Loaded, catalogue: Catalogue, ids: list[str]) -> list[dict[str, Any]]:
    words = words_for(view.language)
    places = [catalogue.position(one) for one in ids]
    reading = read(catalogue, Brief(text=view.query.get("brief", "")[:LONGEST_IN_ADDRESS]))
    fitted = fit_of(catalogue, reading, np.array(places), loaded.ranker)
    stands_on = grounds(catalogue, reading, fitted, catalogue.shown.of(places), loaded.ranker)
    found = []
    for number, row in enumerate(catalogue.creators(ids)):
        found.append(
            {
                "row": known(row),
                "name": shown_name(row),
                "report": report(row, words),
                "fit": None if reading.missing else float(fitted.fit[number]),
                "why": why_not_assessed(row, words) if pd.isna(row["authenticity"]) else "",
                "reasons": reasons(row, words, stands_on[number], reading.wanted)[:_REASONS],
                "shares": catalogue.niche_shares.iloc[places[number]],
            }
        )
    return found


def _comparison(request: Request, view: View, loaded: Loaded, catalogue: Catalogue) -> Response:
    words = words_for(view.language)
    ids = _asked(view)
    unknown = [one for one in ids if one not in catalogue]
    wrong = ""
    if unknown:
        wrong = words.say(N_("Not in this catalogue, take them out of the address or check how they are written:"))
    elif len(ids) > MOST:
        wrong = words.say(
            N_("At most {most} creators stand side by side; {count} were asked for."), most=MOST, count=len(ids)
        )
    elif len(ids) < LEAST:
        wrong = words.say(N_("Choose two creators or more to compare; add their ids below, a line each."))
    if wrong:
        return page(
            view,
            "compare.html",
            404 if unknown else 400 if len(ids) > MOST else 200,
            path="/compare",
            wrong=wrong,
            unknown=[one[:80] for one in unknown[:MOST]],
            ids=ids[: MOST + 1],
            columns=[],
        )
    columns = _columns(view, loaded, catalogue, ids)
    shares = pd.DataFrame([one["shares"] for one in columns])
    niches = [str(name) for name in shares.max().sort_values(ascending=False, kind="stable").index[:_NICHES]]
    prices = {one["row"]["currency"] for one in columns if one["row"]["price_per_post"] is not None}

    def values(name: str) -> list[float | None]:
        return [one["row"][name] for one in columns]

    best = {
        "authenticity": _best(values("authenticity")),
        "reach": _best([one["report"].authentic_followers for one in columns]),
        "fit": _best([one["fit"] for one in columns]),
        "growth": _best(values("growth_28d")),
        # prices in several currencies cannot be compared
        "price": _best(values("price_per_post"), min) if len(prices) == 1 else set(),
    }
    simulated = any(one["row"]["model_data"] == "simulated" for one in columns)
    data = "simulated" if simulated else columns[0]["row"]["model_data"]
    return page(
        view,
        "compare.html",
        path="/compare",
        wrong="",
        unknown=[],
        ids=ids,
        columns=columns,
        deciding=deciding(request, bar=True),
        best=best,
        niches=[name for name in niches if shares[name].max() > 0],
        notice=words.notice(data),
        simulated=simulated,
        without={one: view.link("/compare", creator=[other for other in ids if other != one]) for one in ids},
    )


async def show_comparison(request: Request) -> Response:
    """Page of some creators side by side."""
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    return await in_work(request, partial(_comparison, request, view, loaded, loaded.catalogue))


ROUTES = [Route("/compare", show_comparison)]
