"""The review page as an ASGI app; everything it shows is in the address, so that a view can be shared."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from serving.current import Current
from serving.histories import Shelf
from serving.limits import PageHeaders, Places
from serving.review import client, compare, creator, decide, export, printing, shortlist
from serving.review.evidence import Keeper
from serving.review.view import not_found, view_of

_HERE = Path(__file__).parent


async def _show_nothing(request: Request) -> Response:
    return not_found(view_of(request))


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
            *shortlist.ROUTES,
            *export.ROUTES,
            *compare.ROUTES,
            *printing.ROUTES,
            *decide.ROUTES,
            *client.ROUTES,
            *creator.ROUTES,
            Mount("/static", StaticFiles(directory=_HERE / "static")),
            Route("/{path:path}", _show_nothing),
        ],
        middleware=[Middleware(PageHeaders)],
    )
    app.state.current = current
    app.state.places = places or Places()
    app.state.limiter = None
    app.state.keeper = Keeper(Shelf())
    return app
