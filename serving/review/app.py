"""The review page as an ASGI app; everything it shows is in the address, so that a view can be shared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import anyio
import anyio.to_thread
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from features.tables import HEADS, PLATFORMS, TIERS
from serving.briefs import Brief
from serving.catalogue import Catalogue
from serving.current import Current
from serving.limits import RETRY_AFTER, BusyError, PageHeaders, Places
from serving.ranking import fit_of, grounds, read, shortlist
from serving.reasons import REASON_SEPARATOR, reasons, why_not_assessed
from serving.reports import catalogue_notice, catalogue_warnings, report, where_to_look
from serving.shown import records
from serving.words import LANGUAGES, N_, Language, Words, words_for
from training.fit_model import FitModel

_HERE = Path(__file__).parent
_SIZES = (20, 50, 100)
_MINIMA = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
#: Creators of one page; more is an export's work.
_MOST_SHOWN = 200
#: Characters of a brief in the form, which sends it as part of an address.
LONGEST_IN_ADDRESS = 10_000

_NAMES: dict[str, str] = {
    "instagram": "Instagram",
    "tiktok": "TikTok",
    "youtube": "YouTube",
    "facebook": "Facebook",
    "nano": N_("nano"),
    "micro": N_("micro"),
    "macro": N_("macro"),
    "mega": N_("mega"),
}
_FIELD_WORDS: dict[str, str] = {
    "text": N_("Brief"),
    "platforms": N_("Platform"),
    "tiers": N_("Tier"),
    "niches": N_("Niche"),
    "min_authenticity": N_("Minimum authenticity"),
    "k": N_("Creators shown"),
}


def creator_path(creator_id: str) -> str:
    """Path of a creator's page inside the app."""
    return f"/creators/{quote(creator_id, safe='')}"


class _FormBrief(Brief):
    """A brief that came by the address, which holds less than a request does."""

    text: Annotated[str, Field(max_length=LONGEST_IN_ADDRESS)] = ""


@dataclass(frozen=True)
class View:
    """What the address asks for.

    Attributes
    ----------
    language : {"en", "vi"}
    query : QueryParams
        As it came; links carry it on.
    root : str
        Path that the app is mounted under.
    """

    language: Language
    query: QueryParams
    root: str

    def link(self, path: str = "/", **changes: str) -> str:
        """Address of a page of the app with the same state, some of it changed."""
        state = [(name, value) for name, value in self.query.multi_items() if value and name not in changes]
        encoded = urlencode([*state, *changes.items()])
        return f"{self.root}{path}?{encoded}" if encoded else f"{self.root}{path}"

    def creator(self, creator_id: str) -> str:
        """Address of a creator's page."""
        return self.link(creator_path(creator_id))

    def brief(self) -> Brief:
        """The brief and filters of the address.

        Raises
        ------
        pydantic.ValidationError
            Where a value of the address is none that the form can send.
        """
        given = {
            "text": self.query.get("brief", ""),
            "platforms": [name for name in self.query.getlist("platform") if name],
            "tiers": [name for name in self.query.getlist("tier") if name],
            "niches": [name for name in self.query.getlist("niche") if name],
            "min_authenticity": _number(self.query.get("min_authenticity", ""), float),
            "include_not_assessed": True if self.query.get("not_assessed") else None,
            "k": _number(self.query.get("k", ""), int),
        }
        brief = _FormBrief.model_validate({name: value for name, value in given.items() if value not in (None, "")})
        return brief.model_copy(update={"k": _MOST_SHOWN}) if brief.k > _MOST_SHOWN else brief


def _number(text: str, kind: type[int] | type[float]) -> float | str:
    """The number that a field of the form holds; its text where it holds none, which the brief refuses by name."""
    try:
        return kind(text)
    except ValueError:
        return text


def _view(request: Request) -> View:
    asked = request.query_params.get("lang", "")
    language: Language = "vi" if asked == "vi" else "en"
    return View(language, request.query_params, request.scope.get("root_path", ""))


@lru_cache
def _environment(language: Language) -> Environment:
    words = words_for(language)
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(words.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"words": words, "languages": LANGUAGES, "N_": N_, "named": partial(_named, words)}
    return environment


def _named(words: Words, name: str) -> str:
    return words.say(_NAMES.get(name, name))


def _page(view: View, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    html = _environment(view.language).get_template(template).render({"view": view, "path": "/"} | values)
    return HTMLResponse(html, status_code=status, headers={"Content-Language": view.language})


def _message(view: View, status: int, title: str, text: str, lines: list[str] | None = None) -> HTMLResponse:
    return _page(view, "message.html", status, title=title, text=text, lines=lines or [])


def _no_catalogue(view: View, trouble: str) -> HTMLResponse:
    say = words_for(view.language).say
    text = N_("There is no catalogue yet. Score creators into one, then start the server again:")
    lines = ["realreach score DIR --out .realreach/catalogue.parquet"]
    return _message(view, 503, say(N_("No catalogue")), say(text), [*lines, *([trouble] if trouble else [])])


def _wrong(view: View, error: ValidationError) -> HTMLResponse:
    say = words_for(view.language).say
    names = {str(problem["loc"][0]) for problem in error.errors()}
    text = say(N_("The address asks for something that cannot be read. Start again from the form."))
    return _message(view, 400, say(N_("Cannot read this address")), text, sorted(say(_FIELD_WORDS[n]) for n in names))


def _shown_row(row: dict[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    known = {name: None if pd.isna(value) else value for name, value in row.items()}
    why = "" if known["authenticity_assessed"] else why_not_assessed(catalogue.creator(row["creator_id"]), words)
    # the cell of authenticity already says why there is none
    said = row["reasons"].split(REASON_SEPARATOR)
    shown = [reason for reason in said if not why or why not in reason]
    return known | {"why": why, "shown": shown}


def _shortlist(view: View, catalogue: Catalogue, brief: Brief, model: FitModel | None) -> HTMLResponse:
    words = words_for(view.language)
    found = shortlist(catalogue, brief, view.language, model)
    rows = [_shown_row(row, catalogue, words) for row in records(found.frame)]
    return _page(
        view,
        "shortlist.html",
        brief=brief,
        rows=rows,
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


def _creator(view: View, catalogue: Catalogue, creator_id: str, model: FitModel | None) -> HTMLResponse:
    words = words_for(view.language)
    try:
        row = catalogue.creator(creator_id)
    except KeyError:
        return _not_found(view)
    reading = read(catalogue, Brief(text=view.query.get("brief", "")[:LONGEST_IN_ADDRESS]))
    place = catalogue.position(creator_id)
    fitted = fit_of(catalogue, reading, np.array([place]), model)
    stands_on = grounds(catalogue, reading, fitted, catalogue.shown.of([place]), model)[0]
    return _page(
        view,
        "creator.html",
        path=creator_path(creator_id),
        row={name: None if pd.isna(value) else value for name, value in row.items()},
        report=report(row, words),
        where_to_look=where_to_look,
        reasons=reasons(row, words, stands_on, reading.wanted),
        fit=None if reading.missing else float(fitted.fit[0]),
        why=why_not_assessed(row, words) if pd.isna(row["authenticity"]) else "",
        notice=words.notice(row["model_data"]),
        simulated=row["model_data"] == "simulated",
        heads=HEADS,
    )


def _not_found(view: View) -> HTMLResponse:
    say = words_for(view.language).say
    return _message(view, 404, say(N_("Not found")), say(N_("There is no such page, or no such creator.")))


def _busy(view: View) -> HTMLResponse:
    say = words_for(view.language).say
    text = say(N_("Many pages are being made at the moment. Load this one again in a few seconds."))
    page = _message(view, 503, say(N_("Busy")), text)
    page.headers["retry-after"] = str(RETRY_AFTER)
    return page


async def _in_work(request: Request, make: Callable[[], Response]) -> Response:
    """Make a page in a thread, where it finds a place among the requests in work."""
    state = request.app.state
    try:
        with state.places.one():
            return await anyio.to_thread.run_sync(make, limiter=state.limiter)
    except BusyError:
        return _busy(_view(request))


async def _show_shortlist(request: Request) -> Response:
    view, loaded = _view(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return _no_catalogue(view, loaded.catalogue_trouble)
    try:
        brief = view.brief()
    except ValidationError as error:
        return _wrong(view, error)
    return await _in_work(request, partial(_shortlist, view, loaded.catalogue, brief, loaded.ranker))


async def _show_creator(request: Request) -> Response:
    view, loaded = _view(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return _no_catalogue(view, loaded.catalogue_trouble)
    creator_id = request.path_params["creator_id"]
    return await _in_work(request, partial(_creator, view, loaded.catalogue, creator_id, loaded.ranker))


async def _show_nothing(request: Request) -> Response:
    return _not_found(_view(request))


def make_review_app(current: Current, places: Places | None = None) -> Starlette:
    """Make the review page.

    Parameters
    ----------
    current : Current
        What is shown; it may change.
    places : Places, optional
        Shared with other requests in work; its own where left out. `app.state.limiter`, a limiter of anyio, may be set
        later to share the threads as well.
    """
    app = Starlette(
        routes=[
            Route("/", _show_shortlist),
            Route("/creators/{creator_id:path}", _show_creator),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
            Route("/{path:path}", _show_nothing),
        ],
        middleware=[Middleware(PageHeaders)],
    )
    app.state.current = current
    app.state.places = places or Places()
    app.state.limiter = None
    return app
