"""Deciding: votes, undo, lists, what goes on to clients, disputes; every page that shows creators has a part of it.

Every form works without JavaScript and goes back to the page that it came from; the script of the page asks for JSON.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, cast
from urllib.parse import parse_qs, quote, urlsplit

import anyio.to_thread
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serving import decisions
from serving.catalogue import Catalogue
from serving.decisions import (
    LINK_DAYS,
    UNDECIDED,
    Decided,
    Decision,
    DecisionError,
    DecisionList,
    Dispute,
    NothingToUndoError,
    Stage,
    Status,
    StatusName,
    UnknownListError,
    Vote,
)
from serving.limits import RETRY_AFTER
from serving.review.client import share_path
from serving.review.forms import (
    COOKIE,
    Analyst,
    FormError,
    address_of,
    analyst_of,
    changed,
    check_form,
    configured_analysts,
    form_token,
    inside,
    text,
)
from serving.review.view import View, in_work, message, page, view_of, wrong
from serving.store import StoreError, now
from serving.words import N_, Words, words_for

#: A year in which the name that was chosen is remembered.
_COOKIE_SECONDS = 365 * 24 * 60 * 60
_LONGEST_AUTO_NAME = 80
#: What is told in the page of what others did; the rest is counted.
_MOST_NEWS = 5
#: Lists of a page of them.
LISTS_SHOWN = 50
STATUS_WORDS: dict[str, str] = {
    "undecided": N_("undecided"),
    "yes": N_("yes"),
    "maybe": N_("maybe"),
    "no": N_("no"),
    "split": N_("analysts disagree"),
}
STAGE_WORDS: dict[str, str] = {"internal": N_("internal"), "client": N_("with the client")}
#: Reasons to choose from; any other may be sent.
REASONS: tuple[str, ...] = (
    N_("suits the brief"),
    N_("close audience"),
    N_("strong content"),
    N_("good value"),
    N_("signals to be explained first"),
    N_("not enough history"),
    N_("does not suit the brief"),
    N_("too expensive"),
    N_("works with a competitor"),
)


@dataclass(frozen=True)
class Deciding:
    """What a page knows of decisions, for whom looks at it.

    Attributes
    ----------
    token : str
        Of its forms; empty where nothing can be decided.
    here : DecisionList, optional
        The list of the address.
    statuses : dict of str to Status
        Of the creators of the list that have votes.
    news : tuple of str
        What others did since the reader decided last, in words.
    same_view : tuple of DecisionList
        Lists of the view of the address, where it names none and the page shows the bar.
    query : str
        The view, which a first vote makes a list of.
    address : str
        To come back to.
    trouble : str
        Why nothing can be decided, in words; empty where it can.
    """

    analyst: Analyst
    token: str = ""
    here: DecisionList | None = None
    statuses: dict[str, Status] = field(default_factory=dict)
    news: tuple[str, ...] = ()
    same_view: tuple[DecisionList, ...] = ()
    query: str = ""
    address: str = ""
    trouble: str = ""
    reasons: tuple[str, ...] = REASONS

    @property
    def may_decide(self) -> bool:
        """Whether there are forms."""
        return bool(self.token)

    def status(self, creator_id: str) -> Status:
        """Status of a creator."""
        return self.statuses.get(creator_id, UNDECIDED)

    @property
    def counts(self) -> dict[StatusName, int]:
        """How many creators of the list have each status, those without votes left out."""
        return decisions.in_order(Counter(status.name for status in self.statuses.values()))

    @property
    def analysts(self) -> list[str]:
        """Whose votes stand in the list."""
        return sorted({vote.analyst for status in self.statuses.values() for vote in status.votes})

    def word(self, name: str) -> str:
        """Message that says a status or a stage."""
        return STATUS_WORDS.get(name) or STAGE_WORDS[name]


def _name_of(catalogue: Catalogue | None, creator_id: str) -> str:
    if catalogue is None or creator_id not in catalogue:
        return creator_id
    row = catalogue.creator(creator_id)
    return next((str(row[name]) for name in ("display_name", "handle") if isinstance(row[name], str)), creator_id)


def _news(since: Iterable[Vote], catalogue: Catalogue | None, words: Words) -> tuple[str, ...]:
    """What others voted and took back, in words, the newest first."""
    newest = sorted(since, key=lambda vote: vote.undone_version or vote.version, reverse=True)
    said = [
        words.say(
            N_("{analyst} decided “{decision}” on {creator} ({at})")
            if vote.undone_at is None
            else N_("{analyst} took back “{decision}” on {creator} ({at})"),
            analyst=vote.analyst,
            decision=words.say(STATUS_WORDS[vote.decision]),
            creator=_name_of(catalogue, vote.creator_id),
            at=words.moment(vote.undone_at or vote.at),
        )
        for vote in newest[:_MOST_NEWS]
    ]
    more = len(newest) - len(said)
    return (*said, words.say(N_("and {count} more"), count=words.count(more))) if more else tuple(said)


def _seen(sent: str) -> int | None:
    return int(sent) if sent.isdecimal() and len(sent) < 10 else None


def deciding(request: Request, *, bar: bool = False) -> Deciding:
    """What the page of a request knows of decisions; reads the database, so call it in a thread.

    Where the database cannot be used, the page is shown without decisions and says so.

    Parameters
    ----------
    bar : bool
        Whether the page shows the bar of its list, and without one the lists of the same view.
    """
    view, analyst = view_of(request), analyst_of(request)
    words, asked = words_for(view.language), request.query_params
    known = Deciding(analyst, query=decisions.view_query(request.url.query), address=address_of(request))
    try:
        token = form_token(analyst) if analyst.may_write else ""
        if not asked.get("list"):
            same = decisions.lists_like(analyst.tenant, known.query) if bar else ()
            return Deciding(**{**vars(known), "token": token, "same_view": same})
        here = decisions.list_of(analyst.tenant, asked["list"])
        statuses = decisions.statuses_of(here.id)
        since = _seen(asked.get("since", ""))
        told = () if since is None else decisions.since(here.id, since, analyst.name)
    except UnknownListError:
        gone = words.say(N_("There is no such list. Open one of your lists, or go on without one."))
        return Deciding(**{**vars(known), "trouble": gone})
    except StoreError:
        return Deciding(**{**vars(known), "trouble": _unavailable(words)})
    news = _news(told, request.app.state.current.loaded.catalogue, words)
    return Deciding(**{**vars(known), "token": token, "here": here, "statuses": statuses, "news": news})


def disputes(request: Request, creator_id: str) -> list[Dispute]:
    """Disputes about a creator, for the macro `dispute_box`; none where the database cannot be used."""
    try:
        return decisions.disputes_of(analyst_of(request).tenant, creator_id)
    except StoreError:
        return []


def _unavailable(words: Words) -> str:
    return words.say(
        N_("Decisions cannot be read or written at the moment. Nothing is lost; load the page again later.")
    )


@dataclass(frozen=True)
class _Done:
    """What a form is answered with: the address to go on to, and what the script of the page is told."""

    address: str
    told: dict[str, Any] = field(default_factory=dict)


_Write = Callable[[Request, Analyst, FormData], _Done]


def _writing(write: _Write) -> Callable[[Request], Any]:
    """An address that takes a form: read, checked, written in a thread, answered by a redirect or JSON."""

    async def answer(request: Request) -> Response:
        view = view_of(request)
        words, analyst = words_for(view.language), analyst_of(request)
        form = await request.form()

        def work() -> _Done:
            check_form(request, analyst, form)
            if not analyst.may_write:
                raise FormError(N_("Your key may read and not decide. Ask for one with the scope write."))
            return write(request, analyst, form)

        try:
            # the request holds a place already: every POST does
            done = await anyio.to_thread.run_sync(work, limiter=request.app.state.limiter)
        except FormError as error:
            return _refuse(request, view, 403, words.say(error.message))
        except DecisionError as error:
            values = {name: words.say(value) if name == "what" else value for name, value in error.values.items()}
            return _refuse(request, view, 400, words.say(error.message, **values))
        except UnknownListError:
            return _refuse(request, view, 404, words.say(N_("There is no such list. Open one of your lists.")))
        except NothingToUndoError:
            return _refuse(request, view, 409, words.say(N_("Nothing that you decided in this list is left to undo.")))
        except StoreError:
            return _refuse(request, view, 503, _unavailable(words))
        if _wants_json(request):
            return JSONResponse(done.told)
        return RedirectResponse(done.address, 303)

    return answer


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _refuse(request: Request, view: View, status: int, said: str) -> Response:
    headers = {"retry-after": str(RETRY_AFTER)} if status == 503 else {}
    if _wants_json(request):
        return JSONResponse({"error": said}, status, headers)
    shown = message(view, status, words_for(view.language).say(N_("Not written")), said)
    shown.headers.update(headers)
    return shown


def _unknown(creator_id: str) -> NoReturn:
    raise DecisionError(N_("The catalogue has no creator {creator}. Load the page again."), creator=creator_id[:200])


def _chosen(request: Request, sent: Iterable[Any]) -> dict[str, int | None]:
    """Creators of a form, each sent as its place, a space and its id; place 0 is none."""
    catalogue: Catalogue | None = request.app.state.current.loaded.catalogue
    chosen: dict[str, int | None] = {}
    for value in sent:
        position, _, creator_id = str(value).partition(" ")
        if catalogue is None or creator_id not in catalogue:
            _unknown(creator_id)
        chosen[creator_id] = _seen(position) or None
    return chosen


def _go_on(request: Request, form: FormData, decided: Decided) -> str:
    root, seen = request.scope.get("root_path", ""), _seen(text(form, "seen"))
    since = str(seen) if decided.since and seen is not None else None
    return changed(inside(root, text(form, "next")), list=decided.list.id, since=since)


def _told(request: Request, form: FormData, decided: Decided, said: str, *, opened: bool = False) -> _Done:
    """Answer a vote or an undo with what the creators concerned are now, drawn as the page draws them.

    Where the page had no list and has one now, that is all that it shows, and the first line of its bar.
    """
    view, analyst = view_of(request), analyst_of(request)
    words = words_for(view.language)
    catalogue = request.app.state.current.loaded.catalogue
    opened = opened and _wants_json(request)
    held = decisions.statuses_of(decided.list.id) if opened else decided.statuses
    shown = [one for one in form.getlist("shown") if one in held] if opened else []
    concerned = dict.fromkeys([*(vote.creator_id for vote in (*decided.votes, *decided.since)), *map(str, shown)])
    statuses = {}
    for creator_id in concerned:
        status = held.get(creator_id, UNDECIDED)
        drawn = page(view, "decide_status.html", creator_status=status)
        mine = status.of(analyst.name)
        statuses[creator_id] = {"status": status.name, "mine": mine, "html": bytes(drawn.body).decode()}
    news = _news(decided.since, catalogue, words)
    counts = {name: words.count(count) for name, count in decided.counts.items()}
    one = decided.votes[0].creator_id if len(decided.votes) == 1 else ""
    who = _name_of(catalogue, one) if one else words.say(N_("{count} creators"), count=words.count(len(decided.votes)))
    return _Done(
        _go_on(request, form, decided),
        {
            "list": {"id": decided.list.id, "name": decided.list.name, "version": decided.list.version},
            "statuses": statuses,
            "counts": counts,
            "news": news,
            "line": _line(view, analyst, form, decided.list, held) if opened else "",
            "said": words.say(said, creator=who, decision=words.say(STATUS_WORDS[decided.votes[0].decision])),
        },
    )


def _line(view: View, analyst: Analyst, form: FormData, here: DecisionList, statuses: dict[str, Status]) -> str:
    """First line of the bar of a list, as the page that a form was sent from would show it by now."""
    back = changed(inside(view.root, text(form, "next")).partition("#")[0], list=here.id)
    known = Deciding(analyst, text(form, "token"), here, statuses, query=text(form, "query"), address=back)
    return bytes(page(view, "decide_line.html", deciding=known).body).decode()


def _vote(request: Request, analyst: Analyst, form: FormData) -> _Done:
    # the button of one creator says which and what; those of the bar are for the creators that are ticked
    one = text(form, "one")
    decision, _, creator = one.partition(" ")
    chosen = _chosen(request, [creator] if one else form.getlist("creator"))
    asked = cast("Decision", decision if one else text(form, "decision"))
    reason, comment = decisions.check_vote(chosen, asked, text(form, "reason"), text(form, "comment"))
    # what cannot be written leaves no list behind
    opened = not text(form, "list")
    list_id = text(form, "list") or _first_list(request, analyst, form).id
    decided = decisions.vote(
        analyst.tenant,
        list_id,
        analyst.name,
        chosen,
        asked,
        reason=reason,
        comment=comment,
        seen=_seen(text(form, "seen")),
    )
    return _told(request, form, decided, N_("{creator}: {decision}"), opened=opened)


def _compare(request: Request, _: Analyst, form: FormData) -> _Done:
    root, chosen = request.scope.get("root_path", ""), _chosen(request, form.getlist("creator"))
    here = urlsplit(inside(root, text(form, "next"))).query
    return _Done(changed(f"{root}/compare?{here}", creator="\n".join(chosen)))


def _first_list(request: Request, analyst: Analyst, form: FormData) -> DecisionList:
    query = text(form, "query")
    words = words_for(view_of(request).language)
    brief = " ".join(parse_qs(query).get("brief", [""])[0].split())
    short = brief if len(brief) <= _LONGEST_AUTO_NAME else brief[: _LONGEST_AUTO_NAME - 1] + "…"
    return decisions.list_for(analyst.tenant, short or words.say(N_("All creators")), query, analyst.name)


def _undo(request: Request, analyst: Analyst, form: FormData) -> _Done:
    seen = _seen(text(form, "seen"))
    decided = decisions.undo(analyst.tenant, text(form, "list"), analyst.name, seen=seen)
    return _told(request, form, decided, N_("{creator}: “{decision}” taken back"))


def _save(request: Request, analyst: Analyst, form: FormData) -> _Done:
    made = decisions.make_list(
        analyst.tenant, text(form, "name"), text(form, "query"), analyst.name, text(form, "brand_id")
    )
    root = request.scope.get("root_path", "")
    return _Done(changed(inside(root, text(form, "next")), list=made.id, since=None))


def _list_address(request: Request, list_id: str) -> str:
    view = view_of(request)
    return f"{view.root}/lists/{quote(list_id, safe='')}?lang={view.language}"


def _change(request: Request, analyst: Analyst, form: FormData) -> _Done:
    list_id, stage = request.path_params["list_id"], text(form, "stage")
    if stage and stage not in STAGE_WORDS:
        raise DecisionError(N_("A list is internal or with the client. Choose one and send it again."))
    decisions.change_list(
        analyst.tenant,
        list_id,
        analyst.name,
        name=text(form, "name"),
        brand_id=text(form, "brand_id") if "brand_id" in form else None,
        stage=cast("Stage", stage) if stage else None,
    )
    return _Done(_list_address(request, list_id))


def _share(request: Request, analyst: Analyst, form: FormData) -> _Done:
    list_id = request.path_params["list_id"]
    decisions.make_link(analyst.tenant, list_id, analyst.name, _seen(text(form, "days")) or 0)
    return _Done(_list_address(request, list_id))


def _revoke(request: Request, analyst: Analyst, form: FormData) -> _Done:
    list_id = request.path_params["list_id"]
    decisions.revoke_link(analyst.tenant, list_id, request.path_params["link_id"], analyst.name)
    return _Done(_list_address(request, list_id))


def _dispute(request: Request, analyst: Analyst, form: FormData) -> _Done:
    creator_id = text(form, "creator")
    if (
        request.app.state.current.loaded.catalogue is None
        or creator_id not in request.app.state.current.loaded.catalogue
    ):
        _unknown(creator_id)
    decisions.enter_dispute(analyst.tenant, creator_id, text(form, "said_by"), text(form, "text"), analyst.name)
    return _Done(inside(request.scope.get("root_path", ""), text(form, "next")))


def _answer(request: Request, analyst: Analyst, form: FormData) -> _Done:
    decisions.answer_dispute(analyst.tenant, request.path_params["dispute_id"], text(form, "answer"), analyst.name)
    return _Done(inside(request.scope.get("root_path", ""), text(form, "next")))


def _be(request: Request, analyst: Analyst, form: FormData) -> _Done:
    if not analyst.choices:
        raise DecisionError(N_("Your key says who you are. Use another key to decide under another name."))
    if text(form, "name") not in configured_analysts():
        raise DecisionError(N_("There is no analyst of this name. Choose one of those shown."))
    return _Done(inside(request.scope.get("root_path", ""), text(form, "next")))


async def _choose_analyst(request: Request) -> Response:
    answer: Response = await _writing(_be)(request)
    if answer.status_code < 400:
        name = quote(text(await request.form(), "name"))
        path = f"{request.scope.get('root_path', '')}/"
        answer.set_cookie(COOKIE, name, max_age=_COOKIE_SECONDS, path=path, httponly=True, samesite="strict")
    return answer


def _lists_page(request: Request, view: View) -> Response:
    known, words = deciding(request), words_for(view.language)
    try:
        paging = view.paging()
        every = decisions.lists_of(known.analyst.tenant, (paging.page - 1) * LISTS_SHOWN, LISTS_SHOWN)
        count = decisions.count_lists(known.analyst.tenant)
        counts = decisions.counts_of([one.id for one in every])
    except ValidationError as error:
        return wrong(view, error)
    except StoreError:
        return _refuse(request, view, 503, _unavailable(words))
    rows = [(one, counts.get(one.id, {}), _list_view(view, one)) for one in every]
    pages = max(1, -(-count // LISTS_SHOWN))
    return page(view, "decide_lists.html", path="/lists", deciding=known, rows=rows, paging=paging, pages=pages)


def _list_view(view: View, one: DecisionList) -> str:
    """Address of the view that a list reproduces."""
    return changed(f"{view.root}/?{one.query}", lang=view.language, list=one.id)


def _list_page(request: Request, view: View, list_id: str) -> Response:
    known = deciding(request)
    words = words_for(view.language)
    try:
        here = decisions.list_of(known.analyst.tenant, list_id)
        counts = decisions.counts_of([list_id]).get(list_id, {})
        log, links = decisions.log_of(list_id), decisions.links_of(list_id)
        home = f"{request.url.scheme}://{request.url.netloc}{view.root}"
        shared = [(link, f"{home}{share_path(link)}") for link in links]
    except UnknownListError:
        return _refuse(request, view, 404, words.say(N_("There is no such list. Open one of your lists.")))
    except StoreError:
        return _refuse(request, view, 503, _unavailable(words))
    catalogue = request.app.state.current.loaded.catalogue
    return page(
        view,
        "decide_list.html",
        path=f"/lists/{quote(list_id, safe='')}",
        deciding=known,
        here=here,
        counts=counts,
        log=log,
        name_of=partial(_name_of, catalogue),
        links=shared,
        now=now(),
        open_at=_list_view(view, here),
        days=LINK_DAYS,
    )


async def _show_lists(request: Request) -> Response:
    return await in_work(request, partial(_lists_page, request, view_of(request)))


async def _show_list(request: Request) -> Response:
    return await in_work(request, partial(_list_page, request, view_of(request), request.path_params["list_id"]))


ROUTES = [
    Route("/votes", _writing(_vote), methods=["POST"]),
    Route("/votes/undo", _writing(_undo), methods=["POST"]),
    Route("/votes/compare", _writing(_compare), methods=["POST"]),
    Route("/analyst", _choose_analyst, methods=["POST"]),
    Route("/lists", _show_lists),
    Route("/lists", _writing(_save), methods=["POST"]),
    Route("/lists/{list_id}", _show_list),
    Route("/lists/{list_id}", _writing(_change), methods=["POST"]),
    Route("/lists/{list_id}/links", _writing(_share), methods=["POST"]),
    Route("/lists/{list_id}/links/{link_id}/revoke", _writing(_revoke), methods=["POST"]),
    Route("/disputes", _writing(_dispute), methods=["POST"]),
    Route("/disputes/{dispute_id}/answer", _writing(_answer), methods=["POST"]),
]
