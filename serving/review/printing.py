"""A creator's report on one page: to print from the browser, and as a PDF of the same template."""

import logging
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.current import Loaded
from serving.review.charts import size_of
from serving.review.creator import Subject, said_of, subject_of, svg_of
from serving.review.evidence import Keeper
from serving.review.view import View, busy, creator_path, in_work, message, no_catalogue, not_found, page, view_of
from serving.words import N_, words_for

log = logging.getLogger("realreach.review")

_STATIC = Path(__file__).parent / "static"
#: What addresses of a report begin with while it is made into a PDF; nothing is asked of it.
_NOWHERE = "https://report.invalid"
#: Charts of a report, those that say most first, and how many find room.
_CHARTS, _MOST_CHARTS = ("followers", "engagement", "likes-comments", "authenticity", "overlap"), 4
#: Evidence that finds room.
_EVIDENCE = 5
#: Requests for PDFs that may wait for their turn.
_WAITING = 8


class _Pdfs:
    """The one thread that PDFs are made in, for the whole process; made in its event loop."""

    limiter: anyio.CapacityLimiter | None = None


_pdfs = _Pdfs()


class OutsideError(ValueError):
    """A report refers to something that is not its own."""


class NoPangoError(RuntimeError):
    """The libraries that lay out a PDF are not there."""


def _report(view: View, subject: Subject) -> HTMLResponse:
    words = words_for(view.language)
    charts = subject.charts(view.language)
    return page(
        view,
        "report.html",
        charts=[charts[name] for name in _CHARTS if name in charts][:_MOST_CHARTS],
        size_of=size_of,
        most_evidence=_EVIDENCE,
        missing=subject.missing,
        **said_of(subject, view.query.get("brief", ""), words),
    )


def _own(url: str, view: View, subject: Subject, keeper: Keeper) -> tuple[bytes, str]:
    """Content and type of what a report may refer to: its style sheet and the charts of its creator.

    Raises
    ------
    OutsideError
    """
    address = urlsplit(url)
    place = address.path.removeprefix(view.root)
    if f"{address.scheme}://{address.netloc}" == _NOWHERE:
        if place == "/static/report.css":
            return (_STATIC / "report.css").read_bytes(), "text/css"
        name = place.removeprefix("/charts/").partition(".svg/")[0]
        if place == creator_path(subject.row["creator_id"], f"charts/{name}.svg"):
            return svg_of(subject, keeper, name, view.language).encode(), "image/svg+xml"
    raise OutsideError(f"a report refers to nothing but its own charts, and not to {url[:100]}")


def make_pdf(html: str, own: Any) -> bytes:
    """Lay out a page as a PDF.

    Parameters
    ----------
    html : str
    own : callable
        Content and type by address; raises for whatever is not to be loaded.

    Raises
    ------
    NoPangoError
    """
    try:
        import weasyprint  # noqa: PLC0415 - it loads Pango, which is not everywhere, and takes half a second
        from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: PLC0415
    except OSError as error:
        raise NoPangoError(str(error).partition("\n")[0]) from error

    class _Fetcher(URLFetcher):  # type: ignore[misc]
        """Loads what is the report's own; never from the network or a file."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            content, kind = own(url)
            return URLFetcherResponse(url, content, {"Content-Type": kind})

    made = weasyprint.HTML(string=html, base_url=f"{_NOWHERE}/", url_fetcher=_Fetcher())
    return bytes(made.write_pdf())


def _answer(view: View, loaded: Loaded, creator_id: str, keeper: Keeper, *, pdf: bool) -> Response:
    words = words_for(view.language)
    try:
        subject = subject_of(loaded, creator_id, keeper, words)
    except KeyError:
        return not_found(view)
    html = _report(view, subject)
    if not pdf:
        return html
    try:
        content = make_pdf(bytes(html.body).decode(), lambda url: _own(url, view, subject, keeper))
    except NoPangoError as error:
        text = words.say(
            N_(
                "A PDF needs Pango on the machine that serves this page (on Debian: apt-get install libpango-1.0-0 "
                "libpangoft2-1.0-0). Until then, print the report from the browser."
            )
        )
        return message(view, 503, words.say(N_("No PDF here")), text, [str(error)])
    return Response(
        content,
        media_type="application/pdf",
        headers={"content-disposition": 'inline; filename="report.pdf"', "cache-control": "no-store"},
    )


async def _show(request: Request, *, pdf: bool) -> Response:
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    creator_id, keeper = request.path_params["creator_id"], request.app.state.keeper
    await keeper.shelf.wait()
    make = partial(_answer, view, loaded, creator_id, keeper, pdf=pdf)
    if not pdf:
        return await in_work(request, make)
    # takes seconds and waits for the one before: in a thread of its own, so that neither pages nor scores wait for it
    if _pdfs.limiter is None:
        _pdfs.limiter = anyio.CapacityLimiter(1)
    if _pdfs.limiter.statistics().tasks_waiting >= _WAITING:
        return busy(view)
    return await anyio.to_thread.run_sync(make, limiter=_pdfs.limiter)


async def show_report(request: Request) -> Response:
    """A creator's report, to print."""
    return await _show(request, pdf=False)


async def show_pdf(request: Request) -> Response:
    """A creator's report as a PDF."""
    return await _show(request, pdf=True)


ROUTES = [
    Route("/report/{creator_id:path}", show_report),
    Route("/report.pdf/{creator_id:path}", show_pdf),
]
