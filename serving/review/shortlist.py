"""The shortlist: the creators for a brief, sorted, filtered and laid out as the address says, page by page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from features.reading import Read
from features.tables import PLATFORMS, TIERS
from serving.briefs import Brief, say_one
from serving.catalogue import Catalogue
from serving.decisions import STATUSES
from serving.paging import RISING, Sort, page_of, position_keys
from serving.ranking import Reading, Shortlist, read, shortlist_of
from serving.reasons import REASON_SEPARATOR, why_not_assessed
from serving.reports import catalogue_notice, catalogue_warnings
from serving.review.decide import STATUS_WORDS, Deciding, deciding
from serving.review.view import LAYOUTS, Paging, View, in_work, no_catalogue, page, view_of, wrong
from serving.shown import records
from serving.words import N_, Words, words_for
from training.fit_model import FitModel

_SIZES = (20, 50, 100)
_MINIMA = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_DAYS_SINCE_POST = (7, 30, 90, 365)
#: Choices of a filter; a longer list is no help to whoever chooses.
_MOST_CHOICES = 60
_MOST_ON_BOARD = 100
#: Reasons that a row of the list has room for; a creator's page gives all.
_REASONS = 3
#: Columns of the table: what each sorts by, its title, and whether it holds numbers.
COLUMNS: tuple[tuple[Sort, str, bool], ...] = (
    ("creator", N_("Creator"), False),
    ("platform", N_("Platform"), False),
    ("tier", N_("Tier"), False),
    ("role", N_("Role"), False),
    ("niche", N_("Niche"), False),
    ("followers", N_("Followers"), True),
    ("authentic_followers", N_("Authentic reach"), True),
    ("authenticity", N_("Authenticity"), False),
    ("fit", N_("Fit"), True),
    ("growth", N_("Growth in 28 days"), True),
)
#: By which the column of decisions is sorted, the last first.
_STATUS_ORDER = ("undecided", "no", "split", "maybe", "yes")
#: Statuses of the board, from left to right; creators without a decision come first.
BOARD = ("undecided", "maybe", "split", "yes", "no")


@dataclass(frozen=True)
class Column:
    """A column of the table and where its title leads.

    Attributes
    ----------
    order : str
        `aria-sort` of it: "ascending", "descending" or "none".
    """

    name: str
    title: str
    is_number: bool
    order: str
    link: str


@dataclass(frozen=True)
class Chip:
    """One thing that was read from the words of a brief, and the address without it."""

    words: str
    link: str


def columns_of(view: View, paging: Paging, words: Words) -> list[Column]:
    """Columns of the table, each with the address that sorts by it, or the other way round where it does."""
    found = []
    for name, title, is_number in COLUMNS:
        here = paging.sort == name
        rising = (name in RISING) != here if not here else not paging.rising
        order = ("ascending" if paging.rising else "descending") if here else "none"
        link = view.link(sort=name, order="rising" if rising else "", page="")
        found.append(Column(name, words.say(title), is_number, order, link))
    return found


def order_in_words(paging: Paging, missing: str, words: Words) -> str:
    """How a list is ordered, so that nobody has to guess why the first is first."""
    if paging.sort == "score":
        if missing:
            return words.say(N_("ranked by authenticity"))
        return words.say(N_("ranked by fit × authenticity: who suits the brief and is likely authentic comes first"))
    title = next((title for name, title, _ in COLUMNS if name == paging.sort), N_("Decision"))
    sentence = N_("sorted by {column}, smallest first") if paging.rising else N_("sorted by {column}, largest first")
    return words.say(sentence, column=words.say(title))


def chips_of(view: View, found: Sequence[Read], words: Words) -> list[Chip]:
    """What was read from the words of a brief, one chip a field."""
    fields = dict.fromkeys(one.field for one in found if one.field != "currency")
    return [Chip(say_one(found, field, words), view.also("unread", field)) for field in fields]


def shown_rows(frame: pd.DataFrame, catalogue: Catalogue, words: Words) -> list[dict[str, Any]]:
    """Rows of a list as pages show them: nothing unknown as a number, and what their records say beside it."""
    of_list, of_catalogue = records(frame), catalogue.creators(frame["creator_id"].tolist())
    return [_shown_row(row, record, catalogue, words) for row, record in zip(of_list, of_catalogue, strict=True)]


def _shown_row(row: Mapping[str, Any], record: Mapping[str, Any], catalogue: Catalogue, words: Words) -> dict[str, Any]:
    known = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    why = "" if known["authenticity_assessed"] else why_not_assessed(record, words)
    # the cell of authenticity already says why there is none
    said = str(row["reasons"]).split(REASON_SEPARATOR)
    shown = [reason for reason in said if not why or why not in reason][:_REASONS]
    beside = {name: None if pd.isna(record[name]) else record[name] for name in ("role", "growth_28d", "last_post_at")}
    reach = catalogue.authentic_followers[catalogue.position(record["creator_id"])]
    beside["authentic_followers"] = None if pd.isna(reach) else round(float(reach))
    return known | beside | {"why": why, "shown": shown, "name": known["display_name"] or known["handle"]}


def among_of(catalogue: Catalogue, paging: Paging, known: Deciding) -> tuple[np.ndarray | None, np.ndarray]:
    """Who has one of the statuses that are asked for, None for all; and everybody's status as a number to sort by."""
    codes = {one: float(_STATUS_ORDER.index(status.name)) for one, status in known.statuses.items()}
    keys = position_keys(catalogue, codes)
    if not paging.statuses:
        return None, keys
    return np.isin(keys, [_STATUS_ORDER.index(name) for name in paging.statuses]), keys


def list_page(
    view: View, catalogue: Catalogue, model: FitModel | None, known: Deciding, *, most: int | None = None
) -> tuple[Reading, Shortlist]:
    """The creators that an address shows on its page, or the first `most` of them.

    Raises
    ------
    pydantic.ValidationError
        Where the address cannot be read.
    """
    brief, paging = view.brief(), view.paging()
    reading = read(catalogue, brief, paging.unread)
    size = reading.brief.k
    among, status = among_of(catalogue, paging, known)
    found = page_of(
        catalogue,
        reading,
        sort=paging.sort,
        rising=paging.rising,
        start=0 if most else (paging.page - 1) * size,
        size=most or size,
        among=among,
        status=status,
        language=view.language,
        model=model,
    )
    return reading, found


def _board(
    view: View, catalogue: Catalogue, model: FitModel | None, known: Deciding, rows: list[dict[str, Any]], words: Words
) -> list[tuple[str, str, int, list[dict[str, Any]]]]:
    """Columns of the board: name, title, how many, and the first of them.

    Undecided are those of the page; the others are all that the list decided, whatever the filters say now.
    """
    there = [one for one in known.statuses if one in catalogue]
    counts: Counter[str] = Counter(known.status(one).name for one in there)
    decided = [
        one for name in BOARD for one in [own for own in there if known.status(own).name == name][:_MOST_ON_BOARD]
    ]
    places = np.array([catalogue.position(one) for one in decided], dtype=np.int64)
    reading = read(catalogue, view.brief(), view.paging().unread)
    held = shortlist_of(catalogue, reading.brief, places, view.language, model) if decided else None
    shown = shown_rows(held.frame, catalogue, words) if held else []
    columns = []
    for name in BOARD:
        own = (
            [row for row in rows if known.status(row["creator_id"]).name == name]
            if name == "undecided"
            else [row for row in shown if known.status(row["creator_id"]).name == name]
        )
        if own or name != "split":
            columns.append((name, words.say(STATUS_WORDS[name]), max(counts[name], len(own)), own))
    return columns


def _shortlist(
    request: Request, view: View, catalogue: Catalogue, model: FitModel | None, brief: Brief, paging: Paging
) -> HTMLResponse:
    words = words_for(view.language)
    known = deciding(request, bar=True)
    reading, found = list_page(view, catalogue, model, known)
    size = reading.brief.k
    rows = shown_rows(found.frame, catalogue, words)
    return page(
        view,
        "shortlist.html",
        brief=brief,
        paging=paging,
        deciding=known,
        rows=rows,
        board=_board(view, catalogue, model, known, rows, words) if paging.layout == "board" else [],
        columns=columns_of(view, paging, words),
        order_words=order_in_words(paging, reading.missing, words),
        chips=chips_of(view, found.read, words),
        ignored=[Chip(words.say(_FIELDS.get(name, name)), view.without("unread", name)) for name in paging.unread],
        statuses=[(name, words.say(STATUS_WORDS[name])) for name in STATUSES],
        candidates=found.candidates,
        total=len(catalogue),
        first=(paging.page - 1) * size,
        pages=max(1, -(-found.candidates // size)),
        note=found.say_fit(view.language),
        notice=catalogue_notice(catalogue, words),
        simulated=catalogue.simulated,
        warnings=catalogue_warnings(catalogue, words),
        platforms=[name for name in PLATFORMS if name in {*catalogue.names("platform"), *brief.platforms}],
        tiers=TIERS,
        niches=_choices(catalogue, "niche", brief.niches),
        countries=_choices(catalogue, "country", brief.countries),
        written=_choices(catalogue, "language", brief.languages),
        size=size,
        sizes=sorted({*_SIZES, size}),
        minima=sorted({*_MINIMA, *([brief.min_authenticity] if brief.min_authenticity else [])}),
        since=sorted({*_DAYS_SINCE_POST, *([brief.last_post_within] if brief.last_post_within else [])}),
        layouts=LAYOUTS,
    )


#: Fields that the words of a brief are read for, as a chip names them.
_FIELDS: dict[str, str] = {
    "platforms": N_("Platform"),
    "tiers": N_("Tier"),
    "followers_min": N_("At least so many followers"),
    "followers_max": N_("At most so many followers"),
    "k": N_("Creators shown"),
    "languages": N_("Language of the creator"),
    "creator_countries": N_("Country"),
    "roles": N_("Role"),
    "price_max": N_("Most a post may cost"),
    "budget": N_("Budget"),
    "competitors": N_("Competitors"),
    "must_words": N_("Writes about"),
    "must_not_words": N_("Does not write about"),
    "goal": N_("Goal"),
}


def _choices(catalogue: Catalogue, column: str, chosen: Sequence[str]) -> list[str]:
    known = catalogue.names(column)[:_MOST_CHOICES]
    return [*known, *(name for name in chosen if name not in known)]


async def show_shortlist(request: Request) -> Response:
    """Page of the creators for the brief of the address."""
    view, loaded = view_of(request), request.app.state.current.loaded
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    try:
        brief, paging = view.brief(), view.paging()
    except ValidationError as error:
        return wrong(view, error)
    return await in_work(request, partial(_shortlist, request, view, loaded.catalogue, loaded.ranker, brief, paging))


ROUTES = [Route("/", show_shortlist)]
