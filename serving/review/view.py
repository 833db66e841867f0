"""What every page of the review stands on: the state that its address holds, its words, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote, urlencode

import anyio
import anyio.to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from serving.briefs import Brief
from serving.limits import RETRY_AFTER, BusyError
from serving.paging import Sort
from serving.words import LANGUAGES, N_, Language, Words, words_for

_HERE = Path(__file__).parent
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
    "countries": N_("Country"),
    "languages": N_("Language of the creator"),
    "followers_min": N_("At least so many followers"),
    "followers_max": N_("At most so many followers"),
    "min_authenticity": N_("Minimum authenticity"),
    "last_post_within": N_("Last post"),
    "roles": N_("Role"),
    "competitors": N_("Competitors"),
    "must_words": N_("Writes about"),
    "must_not_words": N_("Does not write about"),
    "price_max": N_("Most a post may cost"),
    "currency": N_("Currency"),
    "k": N_("Creators shown"),
    "sort": N_("Sorted by"),
    "page": N_("Page"),
    "layout": N_("Shown as"),
    "statuses": N_("Status"),
}
#: Fields of a brief that the address repeats, one name each, and those that it gives as text with commas.
_REPEATED = {
    "platforms": "platform",
    "tiers": "tier",
    "niches": "niche",
    "countries": "country",
    "languages": "written",
}
_COMMAS = ("roles", "competitors", "must_words", "must_not_words")
_FOLDED = (*_COMMAS, "countries", "languages", "followers_min", "followers_max", "last_post_within", "price_max")
_WHOLE = ("followers_min", "followers_max", "last_post_within", "k")
_DECIMAL = ("min_authenticity", "price_max")


def creator_path(creator_id: str, what: str = "creators") -> str:
    """Path of a creator's page in the app, or of what else there is of it; ids may hold slashes and come last."""
    return f"/{what}/{quote(creator_id, safe='')}"


class _FormBrief(Brief):
    """A brief that came by the address, which holds less than a request does."""

    text: Annotated[str, Field(max_length=LONGEST_IN_ADDRESS)] = ""


Layout = Literal["table", "cards", "board"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


_LAYOUT_WORDS: dict[Layout, str] = {"table": N_("Table"), "cards": N_("Cards"), "board": N_("Board")}


class Paging(BaseModel):
    """How the creators of a list are laid out.

    Attributes
    ----------
    sort : str
        Of `serving.paging.SORTS`.
    rising : bool
        Smallest first.
    page : int
        From 1.
    layout : {"table", "cards", "board"}
    statuses : tuple of str
        Of the decisions in the list; empty for all.
    unread : tuple of str
        Fields that are not read from the words of the brief.
    """

    model_config = ConfigDict(frozen=True)

    sort: Sort = "score"
    rising: bool = False
    page: Annotated[int, Field(ge=1, le=10_000_000)] = 1
    layout: Layout = "table"
    statuses: tuple[Literal["undecided", "yes", "maybe", "no", "split"], ...] = ()
    unread: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=30)] = ()


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

    def link(self, path: str = "/", **changes: str | list[str]) -> str:
        """Address of a page of the app with the same state, some of it changed."""
        state = [(name, value) for name, value in self.query.multi_items() if value and name not in changes]
        encoded = urlencode([*state, *((name, value) for name, value in changes.items() if value)], doseq=True)
        return f"{self.root}{path}?{encoded}" if encoded else f"{self.root}{path}"

    def creator(self, creator_id: str, what: str = "creators") -> str:
        """Address of a creator's page, or of what else there is of it."""
        return self.link(creator_path(creator_id, what))

    def brief(self) -> Brief:
        """The brief and filters of the address.

        Raises
        ------
        pydantic.ValidationError
            Where a value of the address is none that the form can send.
        """
        given: dict[str, Any] = {"text": self.query.get("brief", "")}
        for field, name in _REPEATED.items():
            given[field] = [value for value in self.query.getlist(name) if value]
        for field in _COMMAS:
            given[field] = [part.strip() for part in self.query.get(field, "").split(",") if part.strip()]
        for names, kind in ((_WHOLE, int), (_DECIMAL, float)):
            for field in names:
                given[field] = _number(self.query.get(field, ""), kind)
        given["currency"] = self.query.get("currency", "").strip().upper()
        given["include_not_assessed"] = True if self.query.get("not_assessed") else None
        brief = _FormBrief.model_validate({name: value for name, value in given.items() if value not in (None, "")})
        return brief.model_copy(update={"k": _MOST_SHOWN}) if brief.k > _MOST_SHOWN else brief

    def paging(self) -> Paging:
        """Sorting, page and layout of the address.

        Raises
        ------
        pydantic.ValidationError
            Where a value of the address is none that the page links to.
        """
        given = {
            "sort": self.query.get("sort", ""),
            "rising": self.query.get("order", "") == "rising",
            "page": _number(self.query.get("page", ""), int),
            "layout": self.query.get("as", ""),
            "statuses": [value for value in self.query.getlist("status") if value],
            "unread": [value for value in self.query.getlist("unread") if value],
        }
        return Paging.model_validate({name: value for name, value in given.items() if value != ""})

    def asks_more(self, brief: Brief) -> bool:
        """Whether a filter or wish is set that the form keeps folded away."""
        return any(getattr(brief, name) not in ((), None, "") for name in _FOLDED)

    def without(self, name: str, value: str | None = None) -> str:
        """Address of this page without one name of its state, or without one of its values; on the first page."""
        state = [
            (one, given)
            for one, given in self.query.multi_items()
            if given and one != "page" and not (one == name and value in (None, given))
        ]
        return f"{self.root}/?{urlencode(state)}"

    def also(self, name: str, value: str) -> str:
        """Address of this page with one more value of a name; on the first page."""
        state = [(one, given) for one, given in self.query.multi_items() if given and one != "page"]
        return f"{self.root}/?{urlencode([*state, (name, value)])}"


def _number(text: str, kind: type[int] | type[float]) -> float | str:
    """The number that a field of the form holds; its text where it holds none, which the brief refuses by name."""
    try:
        return kind(text)
    except ValueError:
        return text


def view_of(request: Request) -> View:
    """What the address of a request asks for."""
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
    environment.globals |= {"words": words, "languages": LANGUAGES, "N_": N_, "named": partial(name_in_words, words)}
    environment.globals["creator_path"] = creator_path
    environment.globals["layout_words"] = {name: words.say(said) for name, said in _LAYOUT_WORDS.items()}
    return environment


def name_in_words(words: Words, name: str) -> str:
    """Name of a platform or tier."""
    return words.say(_NAMES.get(name, name))


def page(view: View, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Draw a page from its template."""
    html = _environment(view.language).get_template(template).render({"view": view, "path": "/"} | values)
    return HTMLResponse(html, status_code=status, headers={"Content-Language": view.language})


def message(view: View, status: int, title: str, text: str, lines: list[str] | None = None) -> HTMLResponse:
    """A page that only says something."""
    return page(view, "message.html", status, title=title, text=text, lines=lines or [])


def no_catalogue(view: View, trouble: str) -> HTMLResponse:
    """There is nothing to show yet, and how that is mended."""
    say = words_for(view.language).say
    text = N_("There is no catalogue yet. Score creators into one, then start the server again:")
    lines = ["realreach score DIR --out .realreach/catalogue.parquet"]
    return message(view, 503, say(N_("No catalogue")), say(text), [*lines, *([trouble] if trouble else [])])


def wrong(view: View, error: ValidationError) -> HTMLResponse:
    """Refuse an address, naming the fields that are wrong."""
    say = words_for(view.language).say
    names = {str(problem["loc"][0]) for problem in error.errors()}
    text = say(N_("The address asks for something that cannot be read. Start again from the form."))
    return message(
        view, 400, say(N_("Cannot read this address")), text, sorted(say(_FIELD_WORDS.get(n, n)) for n in names)
    )


def not_found(view: View) -> HTMLResponse:
    """There is no such page or creator."""
    say = words_for(view.language).say
    return message(view, 404, say(N_("Not found")), say(N_("There is no such page, or no such creator.")))


def busy(view: View) -> HTMLResponse:
    """Too much is asked for at once; and when to come back."""
    say = words_for(view.language).say
    text = say(N_("Many pages are being made at the moment. Load this one again in a few seconds."))
    page = message(view, 503, say(N_("Busy")), text)
    page.headers["retry-after"] = str(RETRY_AFTER)
    return page


async def in_work(request: Request, make: Callable[[], Response]) -> Response:
    """Make a page in a thread, where it finds a place among the requests in work."""
    state = request.app.state
    try:
        with state.places.one():
            return await anyio.to_thread.run_sync(make, limiter=state.limiter)
    except BusyError:
        return busy(view_of(request))
