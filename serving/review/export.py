"""A shortlist as a file: CSV, XLSX and JSON of what the address of the page shows, from its first place on.

Captions and names come from strangers, and a spreadsheet runs what begins like a formula: such cells are written as
text, in CSV behind an apostrophe (OWASP, "CSV Injection").
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import xlsxwriter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.catalogue import Catalogue
from serving.reasons import REASON_SEPARATOR
from serving.reports import catalogue_notice
from serving.review.decide import Deciding, deciding
from serving.review.shortlist import list_page
from serving.review.view import View, in_work, message, no_catalogue, not_found, view_of, wrong
from serving.shown import records
from serving.words import N_, Words, words_for
from training.fit_model import FitModel

#: Creators of one file, as many as `realreach recommend` writes; a file that leaves some out says so.
MOST_EXPORTED = 1_000
#: Columns of the files, in their order.
COLUMNS = (
    "rank",
    "creator_id",
    "handle",
    "display_name",
    "platform",
    "tier",
    "role",
    "niche",
    "country",
    "language",
    "followers",
    "authentic_followers",
    "authenticity",
    "authenticity_low",
    "authenticity_high",
    "fit",
    "score",
    "growth_28d",
    "last_post_at",
    "reasons",
    "status",
    "votes",
    "comments",
    "as_of",
    "model_name",
    "model_version",
    "model_data",
)
#: Beginnings of a cell that a spreadsheet takes for a formula or a command.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
#: Characters of a cell of XLSX, by its format.
_LONGEST_CELL = 32_767


def neutral(value: Any) -> Any:
    """A cell of CSV that no spreadsheet takes for a formula; numbers stay.

    Examples
    --------
    >>> neutral("=HYPERLINK(1)"), neutral("skin care"), neutral(-0.5)
    ("'=HYPERLINK(1)", 'skin care', -0.5)
    """
    if isinstance(value, str) and value.lstrip(" \u00a0\u200b\ufeff").startswith(_FORMULA):
        return f"'{value}"
    return value


@dataclass(frozen=True)
class About:
    """What a file says beside its rows.

    Attributes
    ----------
    notice : str
        What its scores stand on.
    left_out : int
        Creators of the list that the file does not hold.
    cut : str
        The same in words; empty where it holds all.
    """

    notice: str
    left_out: int = 0
    cut: str = ""

    @property
    def lines(self) -> list[str]:
        """What is said, a line each."""
        return [self.notice, *([self.cut] if self.cut else [])]


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], about: About) -> bytes:
    """Rows as CSV in UTF-8, with the mark by which spreadsheets know it; the last lines say what is to be known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([neutral(row[name]) for name in columns] for row in rows)
    writer.writerows([neutral(line)] for line in about.lines)
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], about: About) -> bytes:
    """Rows as a workbook; every text is written as text, whatever it begins with. What is to be known has its sheet."""
    made = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(made, options) as book:
        sheet, beside = book.add_worksheet("shortlist"), book.add_worksheet("about")
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, bold)
            for number, row in enumerate(rows, start=1):
                value = row[name]
                if isinstance(value, (int, float)):
                    sheet.write_number(number, place, value)
                elif value is not None:
                    sheet.write_string(number, place, str(value)[:_LONGEST_CELL])
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        sheet.autofit(max_width=300)
        for number, line in enumerate(about.lines):
            beside.write_string(number, 0, line)
    return made.getvalue()


def as_json(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], about: About) -> bytes:
    """Rows as JSON, and how many were left out; reasons are a list, what is unknown is null."""
    listed = [{name: row[name] for name in columns} for row in rows]
    for row in listed:
        row["reasons"] = str(row["reasons"]).split(REASON_SEPARATOR) if row["reasons"] else []
    told = {"notice": "\n".join(about.lines), "left_out": about.left_out, "creators": listed}
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


Writer = Callable[[Sequence[Mapping[str, Any]], Sequence[str], About], bytes]
_KINDS: dict[str, tuple[str, Writer]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
    "json": ("application/json", as_json),
}


def exported_rows(
    view: View, catalogue: Catalogue, model: FitModel | None, known: Deciding
) -> tuple[list[dict[str, Any]], int]:
    """What the address shows, from its first place on, as plain values, with what its list decided; how many it has.

    Raises
    ------
    pydantic.ValidationError
        Where the address cannot be read.
    """
    _, found = list_page(view, catalogue, model, known, most=MOST_EXPORTED)
    of_list, of_catalogue = records(found.frame), catalogue.creators(found.frame["creator_id"].tolist())
    rows = [_plain(row, record, catalogue, known) for row, record in zip(of_list, of_catalogue, strict=True)]
    return rows, found.candidates


def _about(notice: str, shown: int, count: int, words: Words) -> About:
    if shown == count:
        return About(notice)
    cut = words.say(
        N_(
            "This file holds the first {shown} of {count} creators that pass the filters; left out: {left}. "
            "Narrow the filters to export the others."
        ),
        shown=words.count(shown),
        count=words.count(count),
        left=words.count(count - shown),
    )
    return About(notice, count - shown, cut)


def _plain(
    row: Mapping[str, Any], record: Mapping[str, Any], catalogue: Catalogue, decided: Deciding
) -> dict[str, Any]:
    reach = catalogue.authentic_followers[catalogue.position(row["creator_id"])]
    beside = {name: record[name] for name in ("role", "growth_28d", "last_post_at")}
    status = decided.status(str(row["creator_id"]))
    beside |= {
        "status": status.name,
        "votes": "; ".join(f"{vote.analyst}: {vote.decision}" for vote in status.votes),
        "comments": " | ".join(f"{vote.analyst}: {vote.comment}" for vote in status.votes if vote.comment),
    }
    values = {**row, **beside, "authentic_followers": None if pd.isna(reach) else round(float(reach))}
    known = {name: None if pd.isna(values[name]) else values[name] for name in COLUMNS}
    return {name: value.isoformat() if isinstance(value, pd.Timestamp) else value for name, value in known.items()}


def _export(request: Request, view: View, catalogue: Catalogue, model: FitModel | None, kind: str) -> Response:
    known = deciding(request)
    if known.trouble:  # a file that calls everybody undecided would be believed
        return message(view, 503, words_for(view.language).say(N_("Not exported")), known.trouble)
    try:
        rows, count = exported_rows(view, catalogue, model, known)
    except ValidationError as error:
        return wrong(view, error)
    media_type, write = _KINDS[kind]
    words = words_for(view.language)
    body = write(rows, COLUMNS, _about(catalogue_notice(catalogue, words), len(rows), count, words))
    headers = {"content-disposition": f'attachment; filename="shortlist.{kind}"', "cache-control": "private, no-store"}
    return Response(body, media_type=media_type, headers=headers)


async def export(request: Request) -> Response:
    """The list of the address as a file."""
    view, loaded = view_of(request), request.app.state.current.loaded
    kind = request.path_params["kind"]
    if kind not in _KINDS:
        return not_found(view)
    if loaded.catalogue is None:
        return no_catalogue(view, loaded.catalogue_trouble)
    return await in_work(request, partial(_export, request, view, loaded.catalogue, loaded.ranker, kind))


ROUTES = [Route("/export.{kind}", export)]
