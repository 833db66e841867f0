"""A creator's page: what was screened, and the evidence to check it by."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import pandas as pd
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from features.tables import HEADS
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.current import Loaded
from serving.histories import NoHistoryError
from serving.limits import RETRY_AFTER
from serving.ranking import fit_of, grounds, read
from serving.reasons import NO_DOUBTS, doubts, for_brief, why_not_assessed
from serving.reports import report, where_to_look
from serving.review.charts import TABLE_ROWS, Chart, charts_of, size_of
from serving.review.decide import deciding, disputes
from serving.review.evidence import ODDITIES, TALLY_WORDS, Evidence, Keeper, say_missing
from serving.review.view import (
    LONGEST_IN_ADDRESS,
    View,
    creator_path,
    in_work,
    name_in_words,
    no_catalogue,
    not_found,
    page,
    view_of,
)
from serving.schemas import Evidence as Item
from serving.score_history import told
from serving.words import Language, Words, words_for

#: Niches that are named, and the least part of a creator's words that one is named for.
_NICHES, _LEAST_SHARE = 5, 0.03
#: Charts that are kept drawn: of 30 creators in a language, at 10 to 90 kB each.
_KEPT = 300
#: Requests for charts that may wait for their turn; one is drawn at a time, beside the pages.
_WAITING = 64
#: Seconds that a browser may show a chart without asking whether it is still the same.
_FRESH = 300


@dataclass(frozen=True)
class Subject:
    """A creator that a page is about.

    Attributes
    ----------
    row : dict
        Its row of the catalogue.
    evidence : Evidence, optional
        None where its history cannot be shown, for the reason that `missing` says in words.
    """

    loaded: Loaded
    catalogue: Catalogue
    row: dict[str, Any]
    evidence: Evidence | None
    missing: str

    def charts(self, language: Language) -> dict[str, Chart]:
        """Its charts by name."""
        words, model = words_for(language), self.loaded.model
        named = partial(name_in_words, words)
        return charts_of(self.evidence, self.catalogue, self.row, model.model if model else None, named, words)


def subject_of(loaded: Loaded, creator_id: str, keeper: Keeper, words: Words) -> Subject:
    """The creator of an address.

    Raises
    ------
    KeyError
        Where there is no catalogue, or no such creator in it.
    """
    if loaded.catalogue is None:
        raise KeyError(creator_id)
    row = loaded.catalogue.creator(creator_id)
    try:
        return Subject(loaded, loaded.catalogue, row, keeper.of(row), "")
    except NoHistoryError as error:
        return Subject(loaded, loaded.catalogue, row, None, say_missing(error, words))


def known(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a frame, None where it is null."""
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def said_of(subject: Subject, brief_text: str, words: Words) -> dict[str, Any]:
    """What pages and reports say of a creator, by the names that their templates know."""
    row, catalogue = subject.row, subject.catalogue
    model = subject.loaded.ranker
    reading = read(catalogue, Brief(text=brief_text[:LONGEST_IN_ADDRESS]))
    place = catalogue.position(row["creator_id"])
    fitted = fit_of(catalogue, reading, np.array([place]), model)
    stands_on = grounds(catalogue, reading, fitted, catalogue.shown.of([place]), model)[0]
    found = report(row, words)
    strongest = {item.head: item for item in reversed(found.evidence)}
    return {
        "row": known(row),
        "name": shown_name(row),
        "report": found,
        "where_to_look": where_to_look,
        "strongest": strongest,
        "checked": {item.head: item for item in found.checked},
        "signals": by_signal(found.evidence),
        "doubts": doubts(row, words) or [words.say(NO_DOUBTS)],
        "for_brief": for_brief(words, stands_on, reading.wanted),
        "has_brief": bool(brief_text.strip()),
        "fit": None if reading.missing else float(fitted.fit[0]),
        "why": why_not_assessed(row, words) if pd.isna(row["authenticity"]) else "",
        "notice": words.notice(row["model_data"]),
        "simulated": row["model_data"] == "simulated",
        "heads": HEADS,
    }


def by_signal(evidence: Sequence[Item]) -> list[tuple[Item, list[str]]]:
    """Evidence with all the heads that it speaks about: what speaks about several is shown once."""
    found: dict[str, tuple[Item, list[str]]] = {}
    for item in evidence:
        found.setdefault(item.signal, (item, []))[1].append(item.head)
    return list(found.values())


def shown_name(row: dict[str, Any]) -> str:
    """What a creator is called on a page: never nothing."""
    names = (row["display_name"], row["handle"], row["creator_id"])
    return next((one for one in names if isinstance(one, str) and one.strip()), row["creator_id"])


def _niches(catalogue: Catalogue, creator_id: str) -> list[tuple[str, float]]:
    shares = catalogue.niche_shares.iloc[catalogue.position(creator_id)]
    strongest = shares[shares >= _LEAST_SHARE].sort_values(ascending=False, kind="stable").head(_NICHES)
    return [(str(name), float(share)) for name, share in strongest.items()]


def _page_of(request: Request, view: View, loaded: Loaded, creator_id: str, keeper: Keeper) -> HTMLResponse:
    words = words_for(view.language)
    try:
        subject = subject_of(loaded, creator_id, keeper, words)
    except KeyError:
        return not_found(view)
    return page(
        view,
        "creator.html",
        path=creator_path(creator_id),
        deciding=deciding(request, bar=True),
        disputes=disputes(request, creator_id),
        evidence=subject.evidence,
        missing=subject.missing,
        charts=list(subject.charts(view.language).values()),
        size_of=size_of,
        table_rows=TABLE_ROWS,
        oddities={name: sentence for name, (_, sentence) in ODDITIES.items()},
        tally_words={name: words.say(sentence) for name, sentence in TALLY_WORDS.items()},
        history=told(creator_id, words),
        niches=_niches(subject.catalogue, creator_id),
        **said_of(subject, view.query.get("brief", ""), words),
    )


async def show_creator(request: Request) -> Response:
    """Page of a creator."""
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    creator_id, keeper = request.path_params["creator_id"], request.app.state.keeper
    await keeper.shelf.wait()
    return await in_work(request, partial(_page_of, request, view, loaded, creator_id, keeper))


class Drawn:
    """Charts that were drawn lately, one at a time: what draws them has one thread of its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self.limiter: anyio.CapacityLimiter | None = None

    def of(self, tag: str, draw: Callable[[], str]) -> str:
        """What was kept under a tag, else what `draw` makes."""
        with self._lock:
            if tag not in self._kept:
                self._kept[tag] = draw()
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(tag)
            return self._kept[tag]


#: For the whole process, which has one engine to draw with.
drawn = Drawn()


def chart_tag(subject: Subject, keeper: Keeper, *what: object) -> str:
    """What is another one once a chart is."""
    model, frame = subject.loaded.model, subject.catalogue.frame
    among = (len(frame), float(frame["authenticity"].sum()))
    made_of = (keeper.key(subject.row), among, model.version if model else None, subject.missing, *what)
    return sha256(repr(made_of).encode()).hexdigest()[:32]


def svg_of(subject: Subject, keeper: Keeper, name: str, language: Language, *, narrow: bool = False) -> str:
    """A chart as SVG.

    Raises
    ------
    KeyError
        Where the creator has no such chart.
    """
    chart = subject.charts(language)[name]

    def draw() -> str:
        from serving.review import drawing  # noqa: PLC0415 - Altair takes 2 s to import: only who draws pays

        return drawing.draw(chart, words_for(language), narrow=narrow)

    return drawn.of(chart_tag(subject, keeper, name, language, narrow), draw)


def _chart(view: View, loaded: Loaded, keeper: Keeper, asked: dict[str, str], seen: str) -> Response:
    """A chart as SVG, or its rows as CSV."""
    creator_id, name, kind = (asked[part] for part in ("creator_id", "name", "kind"))
    try:
        subject = subject_of(loaded, creator_id, keeper, words_for(view.language))
        if kind == "csv":
            chart = subject.charts(view.language)[name]
            saved = {"content-disposition": f'attachment; filename="{name}.csv"', "cache-control": "no-store"}
            return Response(chart.csv(), media_type="text/csv", headers=saved)
        narrow = bool(view.query.get("narrow"))
        tag = f'"{chart_tag(subject, keeper, name, view.language, narrow)}"'
        headers = {"etag": tag, "cache-control": f"private, max-age={_FRESH}", "content-language": view.language}
        if tag in seen:
            return Response(status_code=304, headers=headers)
        svg = svg_of(subject, keeper, name, view.language, narrow=narrow)
    except KeyError:
        return PlainTextResponse("there is no such chart", status_code=404)
    return Response(svg, media_type="image/svg+xml", headers=headers)


async def show_chart(request: Request) -> Response:
    """A chart of a creator; charts wait for each other and not for pages, nor pages for them."""
    if drawn.limiter is None:
        drawn.limiter = anyio.CapacityLimiter(1)
    if drawn.limiter.statistics().tasks_waiting >= _WAITING:
        return PlainTextResponse("many charts are being drawn", 503, headers={"retry-after": str(RETRY_AFTER)})
    state, seen = request.app.state, request.headers.get("if-none-match", "")
    make = partial(_chart, view_of(request), state.current.loaded, state.keeper, request.path_params, seen)
    return await anyio.to_thread.run_sync(make, limiter=drawn.limiter)


ROUTES = [
    Route("/charts/{name}.{kind}/{creator_id:path}", show_chart),
    Route("/creators/{creator_id:path}", show_creator),
]
