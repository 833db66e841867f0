"""Exports hold what the page shows, and nothing that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterator

import openpyxl
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from serving.catalogue import Catalogue
from serving.current import Current, Loaded
from serving.review import export
from serving.review.app import make_review_app
from serving.review.export import COLUMNS, neutral

HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "<script>alert(1)</script>",
    "مرحبا \u202eevil\u202c שלום",
    "👩🏽‍🎤🇻🇳" * 20,
    "x" * 10_000,
    "",
]


@pytest.fixture
def client(score_frame: pd.DataFrame) -> Iterator[TestClient]:
    row = score_frame.iloc[[0]]
    frame = pd.concat([row] * len(HOSTILE), ignore_index=True)
    ids = [f"c{number}" for number in range(len(HOSTILE))]
    frame = frame.assign(creator_id=ids, display_name=HOSTILE, handle=HOSTILE, niche=HOSTILE, profile_text=HOSTILE)
    app = make_review_app(Current(Loaded(catalogue=Catalogue.of(frame))))
    with TestClient(Starlette(routes=[Mount("/review", app)])) as one:
        yield one


def test_csv_neutralises_formulas_and_keeps_everything_else(client: TestClient) -> None:
    answer = client.get("/review/export.csv", params={"sort": "creator", "lang": "vi"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="shortlist.csv"'
    header, *rows, notice = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert tuple(header) == COLUMNS
    assert "mô phỏng" in notice[0]
    names = {row[header.index("creator_id")]: row[header.index("display_name")] for row in rows}
    for number, name in enumerate(HOSTILE):
        told = names[f"c{number}"]
        assert told.removeprefix("'") == name
        assert told.startswith("'") == (name[:1] in tuple("=+-@\t"))
    cells = [cell for row in rows for cell in row]
    numbers = {row[header.index(name)] for row in rows for name in ("rank", "authenticity", "growth_28d")}
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and cell not in numbers]


def test_xlsx_has_text_where_text_stands_and_no_formula(client: TestClient) -> None:
    answer = client.get("/review/export.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    sheet = book["shortlist"]
    header = [cell.value for cell in sheet[1]]
    assert tuple(header) == COLUMNS
    rows = list(sheet.iter_rows(min_row=2))
    assert len(rows) == len(HOSTILE)
    assert not [cell for row in rows for cell in row if cell.data_type == "f" or cell.hyperlink]
    names = {row[header.index("creator_id")].value: row[header.index("display_name")].value for row in rows}
    assert [names[f"c{number}"] or "" for number in range(len(HOSTILE))] == HOSTILE
    assert isinstance(rows[0][header.index("authenticity")].value, float)
    assert "simulated" in book["about"]["A1"].value


def test_json_holds_the_list_of_the_address_in_its_order(client: TestClient) -> None:
    every = client.get("/review/export.json").json()
    assert len(every["creators"]) == len(HOSTILE)
    assert [row["rank"] for row in every["creators"]] == list(range(1, len(HOSTILE) + 1))
    assert "simulated" in every["notice"]
    assert every["creators"][0].keys() == set(COLUMNS)
    assert client.get("/review/export.json", params={"tier": "mega"}).json()["creators"] == []
    assert isinstance(every["creators"][0]["reasons"], list)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "the first 4 of 10 creators"), ("vi", "4 nhà sáng tạo đầu tiên trong 10 người")]
)
def test_a_file_that_is_cut_says_how_many_are_left_out(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    whole = client.get("/review/export.json", params={"lang": language}).json()
    assert (whole["left_out"], said in whole["notice"]) == (0, False)
    monkeypatch.setattr(export, "MOST_EXPORTED", 4)
    answers = {
        kind: client.get(f"/review/export.{kind}", params={"lang": language}) for kind in ("csv", "xlsx", "json")
    }
    _, *rows, notice, cut = csv.reader(io.StringIO(answers["csv"].content.decode("utf-8-sig"), newline=""))
    assert len(rows) == 4
    assert [whole["notice"]] == notice
    assert said in cut[0]
    about = openpyxl.load_workbook(io.BytesIO(answers["xlsx"].content))["about"]
    assert (about["A1"].value, about["A2"].value) == (notice[0], cut[0])
    told = answers["json"].json()
    assert (told["left_out"], told["notice"]) == (6, f"{notice[0]}\n{cut[0]}")


def test_addresses_that_cannot_be_read_are_refused(client: TestClient) -> None:
    assert client.get("/review/export.csv", params={"sort": "nonsense"}).status_code == 400
    assert client.get("/review/export.pdf").status_code == 404


def test_pages_show_hostile_names_as_text(client: TestClient) -> None:
    for layout in ("", "cards"):
        html = client.get("/review/", params={"as": layout}).text
        assert html.count("<script") == 1  # our own
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "c9" in html  # a name of no characters is told by its id
        assert "on" + "error=" not in html


def test_only_beginnings_of_formulas_are_changed() -> None:
    assert neutral(" =1") == "' =1"
    assert neutral("a=1") == "a=1"
    assert neutral(None) is None


def test_what_cannot_be_read_of_decisions_is_not_exported_as_undecided(client: TestClient) -> None:
    for kind in ("csv", "xlsx", "json"):
        answer = client.get(f"/review/export.{kind}", params={"list": "gone"})
        assert answer.status_code == 503
        assert "There is no such list" in answer.text


def test_huge_bounds_are_refused_by_name(client: TestClient) -> None:
    answer = client.get("/review/", params={"followers_min": "9" * 400})
    assert answer.status_code == 400
    assert "At least so many followers" in answer.text
