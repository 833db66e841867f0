"""The whole journey of an analyst in a real browser, against a real server, in both languages."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
BRIEF = {"en": "skincare reviews for oily skin", "vi": "review dưỡng da cho da dầu"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


class Tab:
    """A page, with everything that a browser complains of or asks other hosts for."""

    def __init__(self, browser: Any, url: str, width: int = 1440, height: int = 1000) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: None if asked.url.startswith(url) else self.elsewhere.append(asked.url))

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []
        assert self.elsewhere == []


def serious(page: Any) -> list[str]:
    """Accessibility faults that axe-core calls serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    page.set_default_timeout(120_000)
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_from_the_brief_to_the_clients_link(  # noqa: PLR0915 - one journey, step by step
    browser: Any, reviewed_url: str, language: str, tmp_path: Path
) -> None:
    tab = Tab(browser, reviewed_url)
    page = tab.page
    # brief, and a filter
    page.goto(f"{reviewed_url}/review/?lang={language}")
    page.locator("#brief").fill(BRIEF[language])
    page.locator("input[name=platform][value=instagram]").check()
    page.locator("form.brief button[type=submit]").click()
    assert "platform=instagram" in page.url
    rows = page.locator("table.ranked tbody tr")
    assert rows.count() > 3
    ids = [row.get_attribute("data-creator") for row in rows.all()]
    # decide by keys: the first yes, the second no; the second is taken back and is maybe
    page.keyboard.press("j")
    page.keyboard.press("y")
    page.wait_for_url(re.compile("list="))
    page.locator(f'tr[data-creator="{ids[0]}"] .status-yes').wait_for()
    page.keyboard.press("j")
    page.keyboard.press("n")
    page.locator(f'tr[data-creator="{ids[1]}"] .status-no').wait_for()
    page.keyboard.press("u")
    page.locator(f'tr[data-creator="{ids[1]}"] .status-undecided').wait_for()
    page.keyboard.press("m")
    page.locator(f'tr[data-creator="{ids[1]}"] .status-maybe').wait_for()
    view = page.url
    # the evidence of the first
    page.locator(f'tr[data-creator="{ids[0]}"] a').first.click()
    assert f"/creators/{ids[0]}" in page.url
    page.locator("main h1").wait_for()
    charts = page.locator("main img[src*='/charts/']")
    for _ in range(30):  # the index of the tables is being made, which the page says
        if charts.count() >= 4:
            break
        page.wait_for_timeout(1000)
        page.reload()
    assert charts.count() >= 4
    for chart in charts.all():
        chart.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth > 100", arg=chart.element_handle())
        assert chart.get_attribute("alt")
    assert serious(page) == []
    # beside another
    page.goto(f"{reviewed_url}/review/compare?lang={language}&creator={ids[0]}&creator={ids[1]}")
    assert page.locator("main table").count() >= 1
    assert serious(page) == []
    # load again: everything is still there
    page.goto(view)
    page.reload()
    assert page.locator("#brief").input_value().strip() == BRIEF[language]
    assert page.locator("input[name=platform][value=instagram]").is_checked()
    assert page.locator(f'tr[data-creator="{ids[0]}"] .status-yes').count() == 1
    assert page.locator(f'tr[data-creator="{ids[1]}"] .status-maybe').count() == 1
    assert serious(page) == []
    # export
    for kind in ("csv", "xlsx"):
        with page.expect_download() as download:
            page.get_by_role("link", name=kind.upper(), exact=True).click()
        path = tmp_path / f"list.{kind}"
        download.value.save_as(path)
        if kind == "csv":
            _, *told = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
            told = [row[1:2] + [cell for cell in row if cell in ("yes", "maybe")] for row in told[:-1]]
        else:
            sheet = openpyxl.load_workbook(path)["shortlist"]
            told = [
                [row[1], *(c for c in row if c in ("yes", "maybe"))] for row in sheet.iter_rows(2, values_only=True)
            ]
        assert told[:2] == [[ids[0], "yes"], [ids[1], "maybe"]]
    # board
    page.goto(f"{view}&as=board")
    assert page.locator(f'section[aria-labelledby="board-yes"] [data-creator="{ids[0]}"]').count() == 1
    assert serious(page) == []
    # the client's link
    page.goto(view)
    page.locator(".listbar .name a").click()
    for button in ("button[name=stage]", "form[action*='/links'] button"):
        page.locator(button).first.click()
    shared = page.locator("a[href*='/review/shared/'], input[value*='/review/shared/']").first
    link = shared.get_attribute("href") or shared.get_attribute("value")
    tab.close()
    client = Tab(browser, reviewed_url, 390, 844)
    client.page.goto(f"{link}?lang={language}")
    assert client.page.locator("article.pick").count() == 2
    assert client.page.locator("form, button").count() == 0
    text = client.page.locator("body").inner_text()
    assert "analyst" not in text.lower()
    assert "@" in text
    assert client.page.evaluate("document.documentElement.scrollWidth") == 390
    assert serious(client.page) == []
    client.close()
    for method in ("POST", "PUT", "DELETE"):
        assert httpx.request(method, str(link), timeout=120, trust_env=False).status_code in (404, 405)


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_fit_their_width_and_weigh_little(browser: Any, reviewed_url: str, language: str, width: int) -> None:
    tab = Tab(browser, reviewed_url, width)
    weights: list[int] = []
    tab.page.on("response", lambda answer: weights.append(len(answer.body())) if answer.status == 200 else None)
    ids = httpx.get(f"{reviewed_url}/review/export.json", timeout=120, trust_env=False).json()["creators"]
    first, last = ids[0]["creator_id"], ids[-1]["creator_id"]
    for path in (
        "/review/?brief=serum",
        "/review/?as=cards&sort=followers",
        f"/review/creators/{last}?brief=serum",
        f"/review/compare?creator={first}&creator={last}",
        f"/review/report/{last}",
        "/review/lists",
    ):
        weights.clear()
        tab.page.goto(f"{reviewed_url}{path}{'&' if '?' in path else '?'}lang={language}")
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert sum(weights) < 1_500_000, path
    tab.close()


def test_the_keyboard_alone_reaches_everything(browser: Any, reviewed_url: str) -> None:
    tab = Tab(browser, reviewed_url)
    page = tab.page
    page.goto(f"{reviewed_url}/review/?brief=serum")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement.name || document.activeElement.getAttribute('href') || ''")
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'")
        assert outlined, here
        reached.add(here)
    assert {"brief", "platform", "tier", "niche", "min_authenticity", "k"} <= reached
    assert any("sort=followers" in one for one in reached)
    assert any("/creators/" in one for one in reached)
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    tab.close()
