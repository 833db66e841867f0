import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from serving.catalogue import Catalogue
from serving.current import Current, Loaded
from serving.review.app import make_review_app


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[Mount("/review", make_review_app(Current(Loaded(catalogue=catalogue))))])) as one:
        yield one


def page(client: TestClient, path: str = "/review/", **query: Any) -> str:
    response = client.get(path, params=query)
    assert response.status_code == 200
    return response.text


class Tags(HTMLParser):
    """The tags of a page with their attributes, and whether they are well nested."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "source"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def links(self) -> list[str]:
        return [link for _, attrs in self.tags for name in ("href", "src", "action") if (link := attrs.get(name))]


def test_the_shortlist_shows_what_is_known_of_each_creator(client: TestClient) -> None:
    html = page(client, brief="my pham da dau")
    for text in (
        "An Nguyễn",
        "@handle.an",
        "Instagram",
        "micro",
        "beauty",
        "23,400",
        "90%",
        "80% – 95%",
        "matches the brief in",
    ):
        assert text in html
    assert html.index("An Nguyễn") < html.index("Bình Trần") < html.index("Chi Lê")
    assert "1–5 of 5 that pass the filters; 5 in the catalogue" in html


def test_not_assessed_is_said_with_its_reason(client: TestClient) -> None:
    html = page(client, platform="youtube")
    assert "not assessed" in html
    assert html.count("too little history: ") == 1
    assert "65%" not in html


def test_simulated_is_said_on_every_page_with_a_score(client: TestClient) -> None:
    for path in ("/review/", "/review/creators/an"):
        assert "trained on simulated creators" in page(client, path)
        assert "huấn luyện trên các nhà sáng tạo mô phỏng" in page(client, path, lang="vi")


def test_real_models_are_not_called_simulated(score_frame: pd.DataFrame) -> None:
    catalogue = Catalogue.of(score_frame.assign(model_data="agency 2026"))
    html = page(TestClient(make_review_app(Current(Loaded(catalogue=catalogue)))), "/")
    assert "simulated creators" not in html
    assert "trained on the histories of agency 2026" in html


def test_filters_of_the_address_apply_and_stay_in_the_form(client: TestClient) -> None:
    html = page(
        client,
        platform=["instagram", "tiktok"],
        tier="micro",
        niche="beauty",
        min_authenticity="0.7",
        brief="serum",
        k=50,
    )
    assert "An Nguyễn" in html
    assert "Bình Trần" not in html
    tags = Tags(html).tags
    checked = {attrs["value"] for tag, attrs in tags if tag == "input" and "checked" in attrs}
    assert checked == {"instagram", "tiktok", "micro"}
    selected = [attrs.get("value") for tag, attrs in tags if tag == "option" and "selected" in attrs]
    assert selected[:2] == ["beauty", "0.7"]
    assert re.search(r">\s*serum</textarea>", html)


def test_the_language_link_keeps_the_state(client: TestClient) -> None:
    html = page(client, brief="da dầu & serum", platform=["tiktok", "instagram"], lang="en")
    vietnamese = next(attrs["href"] for _, attrs in Tags(html).tags if attrs.get("hreflang") == "vi")
    assert vietnamese is not None
    translated = client.get(vietnamese)
    assert '<html lang="vi">' in translated.text
    assert "da dầu &amp; serum</textarea>" in translated.text
    assert "Nhà sáng tạo cho brief của bạn" in translated.text
    assert translated.text.count("checked") == 2


def test_a_brief_without_known_words_is_told_so(client: TestClient) -> None:
    assert "nothing of the brief can be compared with what creators write" in page(client, brief="ꯀꯥ")


def test_nobody_passes(client: TestClient) -> None:
    assert "No creator passes these filters" in page(client, platform="facebook")


def test_the_creator_page_shows_heads_and_evidence(client: TestClient) -> None:
    html = page(client, "/review/creators/binh", brief="my pham")
    for text in (
        "Signals consistent with bought followers",
        "93%",
        "81% – 98%",
        "above the threshold",
        "below the threshold",
        "31.4× the usual spread",
        "0.5 – 4.2",
        "48,200",
        "60 posts, 180 days",
        "Growth of followers in steps and fast stretches",
        "(whole history)",
        "4 signals of this kind point the same way",
        "higher than 97% of 1,230 creators of the platform and tier",
        "look at Jan 5, 2026; Jan 19, 2026",
        "Jan 10, 2026",
    ):
        assert text in html
    assert "/review/?brief=my+pham" in html
    assert "fewer than 5 posts" in page(client, "/review/creators/dung")


@pytest.mark.parametrize("path", ["/review/creators/nobody", "/review/nowhere", "/review/creators/"])
def test_what_is_not_there(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "Not found" in response.text


@pytest.mark.parametrize(
    "query",
    [
        "min_authenticity=2",
        "min_authenticity=nan",
        "k=0",
        "k=x",
        "platform=myspace",
        "tier=huge",
        "brief=" + "x" * 10_001,
    ],
)
def test_addresses_that_cannot_be_read(client: TestClient, query: str) -> None:
    response = client.get(f"/review/?{query}&lang=vi")
    assert response.status_code == 400
    assert "Không đọc được địa chỉ này" in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/review/",
        "/review/?lang=vi&brief=serum",
        "/review/creators/binh",
        "/review/creators/dung?lang=vi",
        "/review/nowhere",
    ],
)
def test_pages_are_well_formed_local_and_run_our_own_script_only(client: TestClient, path: str) -> None:
    response = client.get(path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    tags = Tags(response.text)
    assert not any(tag == "style" for tag, _ in tags.tags)
    scripts = [attrs for tag, attrs in tags.tags if tag == "script"]
    assert scripts == [{"src": "/review/static/review.js", "defer": None}]
    assert not any(name == "style" or name.startswith("on") for _, attrs in tags.tags for name in attrs)
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in tags.links())
    for link in {link for link in tags.links() if link.startswith("/review/static/")}:
        assert client.get(link).status_code == 200


def test_what_creators_write_is_text(score_frame: pd.DataFrame) -> None:
    nasty = '<script>alert("x")</script>'
    for column in ("display_name", "handle", "niche", "bought_likes_reason", "model_data"):
        score_frame[column] = nasty
    score_frame["creator_id"] = [f"{nasty}/../{row}?a=b#c 100%" for row in range(len(score_frame))]
    client = TestClient(make_review_app(Current(Loaded(catalogue=Catalogue.of(score_frame)))))
    for path in ("/", f"/?brief={nasty}&lang={nasty}&niche={nasty}", f"/creators/{nasty}"):
        assert "<script>" not in client.get(path).text
    links = [link for link in Tags(client.get("/").text).links() if link.startswith("/creators/")]
    assert len(links) == len(score_frame)
    shown = client.get(links[0])
    assert shown.status_code == 200
    assert "<script>" not in shown.text


@pytest.mark.parametrize("path", ["/", "/creators/an"])
def test_without_a_catalogue_the_page_says_how_to_make_one(path: str) -> None:
    response = TestClient(
        make_review_app(Current(Loaded(catalogue_trouble="no catalogue: x.parquet: no such file")))
    ).get(path)
    assert response.status_code == 503
    assert "realreach score DIR --out" in response.text
    assert "x.parquet: no such file" in response.text


def test_only_reading(client: TestClient) -> None:
    assert client.post("/review/").status_code == 405
