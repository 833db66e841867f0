"""Deciding on the page, as browsers without and with a script do it; who may, who may not, and what a client sees."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from serving import decisions, store
from serving.access import Access, Keyring
from serving.api import scope_needed
from serving.catalogue import Catalogue
from serving.current import Current, Loaded
from serving.keys import create_key
from serving.limits import BodyLimit
from serving.review import client as shared_pages
from serving.review import decide
from serving.review.app import make_review_app
from serving.review.forms import inside

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
    monkeypatch.setenv("REALREACH_ANALYSTS", "An, Bình, ,An")
    used = store.url()
    yield
    store._engine(used).dispose()


def make_app(catalogue: Catalogue) -> ASGIApp:
    return Starlette(routes=[Mount("/review", make_review_app(Current(Loaded(catalogue=catalogue))))])


@pytest.fixture
def app(catalogue: Catalogue) -> ASGIApp:
    return make_app(catalogue)


def browser(app: ASGIApp, analyst: str = "An", **headers: str) -> TestClient:
    """A browser without a script, in which an analyst was chosen."""
    one = TestClient(app, base_url="http://127.0.0.1", headers=headers, follow_redirects=False)
    one.cookies.set("realreach_analyst", str(httpx.QueryParams({"n": analyst}))[2:].replace("+", "%20"))
    return one


def fields(html: str, form: str = "deciding") -> dict[str, str]:
    """What a form of a page would send, without its buttons."""
    found = re.search(rf"<form[^>]*{re.escape(form)}.*?</form>", html, re.DOTALL)
    assert found, html[-3000:]
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[0])
    return {name: unescape(value) for name, value in hidden}


def vote(one: TestClient, page: str, sent: str, **more: Any) -> httpx.Response:
    return one.post("/review/votes", data=fields(one.get(page).text) | {"one": sent} | more)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def list_id(address: str) -> str:
    return parse_qs(urlsplit(address).query)["list"][0]


def decided_list(app: ASGIApp, **decided: str) -> str:
    """A list with votes of An, by creator."""
    made = decisions.make_list("default", "Serum for winter", "brief=serum", "An")
    for place, (creator, decision) in enumerate(decided.items(), 1):
        decisions.vote("default", made.id, "An", {creator: place}, decision)  # type: ignore[arg-type]
    return made.id


def test_the_first_vote_makes_a_list_and_comes_back_to_the_same_view(app: ASGIApp) -> None:
    one = browser(app)
    page = "/review/?brief=my+pham&platform=instagram&platform=tiktok&lang=vi"
    answer = vote(one, page, "yes 1 an", reason="close audience", comment="Hỏi giá 👍")
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    made = decisions.lists_of("default")[0]
    asked = {"brief": ["my pham"], "platform": ["instagram", "tiktok"], "lang": ["vi"], "list": [made.id]}
    assert (back.path, parse_qs(back.query)) == ("/review/", asked)
    assert (made.name, made.created_by, made.query) == (
        "my pham",
        "An",
        "brief=my+pham&platform=instagram&platform=tiktok",
    )
    shown = text_of(one.get(answer.headers["location"]).text)
    assert "An chọn: người theo dõi gắn bó" in shown
    assert "Hỏi giá 👍" in shown
    assert decisions.statuses_of(made.id)["an"].votes[0].position == 1


def test_undo_and_a_restart(app: ASGIApp, catalogue: Catalogue) -> None:
    one = browser(app)
    address = vote(one, "/review/", "yes 1 an").headers["location"]
    vote(one, address, "no 2 binh")
    store._engine(store.url()).dispose()  # another process would begin like this
    one = browser(make_app(catalogue))
    html = one.get(address).text
    assert decisions.lists_of("default")[0].name == "All creators"
    undone = one.post("/review/votes/undo", data=fields(html, "data-undo"))
    assert (undone.status_code, undone.headers["location"]) == (303, address)
    assert {key: one.name for key, one in decisions.statuses_of(list_id(address)).items()} == {"an": "yes"}
    form = fields(html, "data-undo")
    one.post("/review/votes/undo", data=form)
    nothing = one.post("/review/votes/undo", data=form)
    assert nothing.status_code == 409
    assert "left to undo" in nothing.text


def test_many_at_once_and_by_a_script(app: ASGIApp) -> None:
    one = browser(app)
    form = fields(one.get("/review/?brief=serum").text)
    ticked = {"creator": ["1 an", "3 binh", "4 chi"], "decision": "maybe"}
    answer = one.post("/review/votes?lang=vi", data=form | ticked, headers=JSON).json()
    assert set(answer["statuses"]) == {"an", "binh", "chi"}
    assert answer["counts"] == {"maybe": "3"}
    assert answer["said"] == "3 nhà sáng tạo: cân nhắc"
    assert answer["statuses"]["an"]["mine"] == "maybe"
    assert "cân nhắc" in answer["statuses"]["an"]["html"]
    form |= {"list": answer["list"]["id"], "seen": str(answer["list"]["version"])}
    undone = one.post("/review/votes/undo", data=form, headers=JSON).json()
    assert undone["counts"] == {}
    assert {one["status"] for one in undone["statuses"].values()} == {"undecided"}


def test_those_ticked_are_compared_and_decided_on_there(app: ASGIApp) -> None:
    one = browser(app)
    page = "/review/?brief=serum&lang=vi"
    ticked = {"creator": ["1 an", "3 binh"]}
    answer = one.post("/review/votes/compare", data=fields(one.get(page).text) | ticked)
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked == {"brief": ["serum"], "lang": ["vi"], "creator": ["an\nbinh"]}
    assert "token" not in answer.headers["location"]
    decided = vote(one, answer.headers["location"], "maybe 0 binh")
    back = urlsplit(decided.headers["location"])
    assert back.path == "/review/compare"
    assert parse_qs(back.query) == asked | {"list": [list_id(decided.headers["location"])]}
    made = decisions.lists_of("default")[0]
    assert made.query == "brief=serum"
    assert decisions.statuses_of(made.id)["binh"].votes[0].position is None
    assert "cân nhắc" in one.get(decided.headers["location"]).text


def test_an_address_of_many_fields_is_shown(app: ASGIApp) -> None:
    assert browser(app).get("/review/?" + "&".join(f"x{number}=1" for number in range(1_000))).status_code == 200


def test_the_second_of_two_sees_the_first(app: ASGIApp) -> None:
    an, binh = browser(app), browser(app, "Bình")
    address = vote(an, "/review/?brief=serum", "yes 1 an").headers["location"]
    loaded = fields(binh.get(address).text)
    vote(an, address, "no 2 binh", comment="<b>steps</b>")
    answer = binh.post("/review/votes", data=loaded | {"one": "maybe 2 binh"})
    assert "since=1" in answer.headers["location"]
    shown = text_of(binh.get(answer.headers["location"]).text)
    assert "Meanwhile An decided “no” on Bình Trần" in shown
    assert "analysts disagree" in shown
    assert "<b>steps</b>" in shown
    told = binh.post("/review/votes", data=loaded | {"one": "yes 1 an"}, headers=JSON).json()
    assert len(told["news"]) == 1
    assert told["statuses"]["binh"]["status"] == "split"
    quiet = vote(binh, address, "yes 3 chi")
    assert "since" not in quiet.headers["location"]


def test_two_at_once_lose_nothing(app: ASGIApp) -> None:
    address = vote(browser(app), "/review/", "yes 1 an").headers["location"]
    one_page = {name: fields(browser(app, name).get(address).text) for name in ("An", "Bình")}

    def work(number: int) -> int:
        name = ("An", "Bình")[number % 2]
        creator = ("an", "binh", "chi", "dung", "em")[number % 5]
        return browser(app, name).post("/review/votes", data=one_page[name] | {"one": f"yes 1 {creator}"}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(work, range(20))) == {303}
    assert len(decisions.log_of(list_id(address))) == 21
    votes = [vote for status in decisions.statuses_of(list_id(address)).values() for vote in status.votes]
    assert len(votes) == 10


def post_addresses(routes: list[Any], above: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Route) and "POST" in (route.methods or ()):
            yield re.sub(r"{[^}]*}", "x", above + route.path)


POSTS = sorted(post_addresses(decide.ROUTES))


def test_every_form_needs_the_token_that_was_made_for_its_reader_here(app: ASGIApp) -> None:
    assert len(POSTS) == 10
    one = browser(app)
    mine = fields(one.get("/review/").text) | {"one": "yes 1 an", "name": "An", "creator": "an"}
    others = fields(browser(app, "Bình").get("/review/").text)["token"]
    wrong: list[tuple[dict[str, str], dict[str, str]]] = [
        (mine | {"token": ""}, {}),
        ({name: value for name, value in mine.items() if name != "token"}, {}),
        (mine | {"token": mine["token"][:-2] + "xx"}, {}),
        (mine | {"token": others}, {}),
        (mine, {"Sec-Fetch-Site": "cross-site"}),
        (mine, {"Sec-Fetch-Site": "same-site"}),
        (mine, {"Origin": "https://evil.example"}),
        (mine, {"Origin": "null"}),
        (mine, {"Origin": "https://127.0.0.1.evil.example"}),
    ]
    for path in POSTS:
        for data, headers in wrong:
            assert one.post(f"/review{path}", data=data, headers=headers).status_code == 403, (path, headers)
    assert decisions.lists_of("default") == []
    # a server in front may pass the name on without the port
    for here in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1"}, {"Origin": "http://127.0.0.1:81"}):
        assert one.post("/review/votes", data=mine, headers=here).status_code == 303


def test_a_token_does_not_hold_for_ever(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    one = browser(app)
    form = fields(one.get("/review/").text)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: time.time_ns() / 1e9 + 25 * 3600)
    refused = one.post("/review/votes", data=form | {"one": "yes 1 an"})
    assert (refused.status_code, "too old" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("/review/creators/an?list=x#decide-1", "/review/creators/an?list=x#decide-1"),
        ("/review/creators/a%2F..%2Fb", "/review/creators/a%2F..%2Fb"),
        ("https://evil.example/review/", "/review/"),
        ("//evil.example/review/", "/review/"),
        ("/\\evil.example", "/review/"),
        ("/review/\\evil", "/review/"),
        ("/review/../docs", "/review/"),
        ("/review/%2e%2e/docs", "/review/"),
        ("/review/\r\nSet-Cookie: a=b", "/review/"),
        ("javascript:alert(1)", "/review/"),
        ("/docs", "/review/"),
        ("", "/review/"),
    ],
)
def test_a_form_goes_back_inside_the_page_only(app: ASGIApp, sent: str, back: str) -> None:
    assert inside("/review", sent) == back
    assert inside("", "//evil.example/") == "/"
    one = browser(app)
    form = fields(one.get("/review/").text) | {"next": sent, "name": "Bình"}
    assert one.post("/review/analyst", data=form).headers["location"] == back


def test_who_decides_is_chosen_from_those_configured(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    one = browser(app, "Mallory")
    html = one.get("/review/").text
    assert re.findall(r"<option (?:selected)?>([^<]+)</option>", html.split('id="analyst"')[1]) == ["An", "Bình"]
    form = fields(html)
    assert one.post("/review/analyst", data=form | {"name": "Mallory"}).status_code == 400
    answer = one.post("/review/analyst", data=form | {"name": "Bình"})
    cookie = answer.headers["set-cookie"].lower()
    assert "samesite=strict" in cookie
    assert "httponly" in cookie
    assert "path=/review/" in cookie
    monkeypatch.delenv("REALREACH_ANALYSTS")
    assert "You decide as <bdi>analyst</bdi>" in one.get("/review/").text


@pytest.mark.parametrize(
    "comment",
    [
        "<script>alert(1)</script>",
        "\u202eabc",
        "مرحبا",
        "👩‍👩‍👧‍👦" * 50,
        "\"' onmouseover=alert(1)",
        "x" * 10_000,
        "👍" * 10_000,
    ],
)
def test_any_comment_is_shown_as_text(app: ASGIApp, comment: str) -> None:
    one = browser(BodyLimit(app))
    answer = vote(one, "/review/?brief=serum", "no 1 an", comment=comment)
    assert answer.status_code == 303
    for address in (answer.headers["location"], f"/review/lists/{list_id(answer.headers['location'])}"):
        html = one.get(address).text
        assert comment in unescape(html)
        assert "<script>" not in html


def test_what_is_refused_says_why_and_leaves_nothing(app: ASGIApp) -> None:
    one = browser(BodyLimit(app))
    form = fields(one.get("/review/").text)
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"one": "yes 1 an", "comment": "x" * 10_001}, 400, "The comment has 10001 characters"),
        ({"one": "yes 1 an", "comment": "a\x00"}, 400, "control characters"),
        ({"one": "perhaps 1 an"}, 400, "yes, maybe or no"),
        ({"one": "yes 1 nobody"}, 400, "no creator nobody"),
        ({"decision": "yes"}, 400, "No creator was chosen"),
        ({"one": "yes 1 an", "list": "x"}, 404, "no such list"),
        ({"one": "yes 1 an", "comment": "x" * 300_000}, 413, "shorten the comment"),
    ]
    for sent, status, said in refused:
        for headers in ({}, JSON):
            answer = one.post("/review/votes", data=form | sent, headers=headers)
            assert (answer.status_code, said in answer.text) == (status, True), (sent, answer.text[:500])
    assert decisions.lists_of("default") == []
    vietnamese = one.post("/review/votes?lang=vi", data=form | {"one": "yes 1 an", "comment": "x" * 10_001})
    assert "Nhận xét có 10001 ký tự" in vietnamese.text


def test_a_creator_is_decided_on_and_disputed_on_its_own_page(app: ASGIApp) -> None:
    one = browser(app)
    page = "/review/creators/binh?brief=serum"
    form = fields(one.get(page).text, "data-decide")
    answer = one.post("/review/votes", data=form | {"decision": "no", "comment": "steps in January"})
    assert answer.headers["location"].startswith("/review/creators/binh?brief=serum&list=")
    assert answer.headers["location"].endswith("#decide-0")
    sent = {"said_by": "The creator <i>", "text": "A giveaway on 5 January."}
    entered = one.post("/review/disputes", data=fields(one.get(page).text, "/disputes") | sent)
    assert entered.status_code == 303
    html = one.get(entered.headers["location"]).text
    assert "A giveaway on 5 January." in html
    assert "The creator &lt;i&gt;" in html
    entry = decisions.disputes_of("default", "binh")[0]
    answered = one.post(f"/review/disputes/{entry.id}/answer", data=fields(html, "/answer") | {"answer": "Noted."})
    assert "Noted." in text_of(one.get(answered.headers["location"]).text)
    assert "Noted." not in one.get("/review/creators/an").text


def test_a_view_is_saved_and_opened_again(app: ASGIApp) -> None:
    one = browser(app)
    page = "/review/?brief=serum&tier=micro&lang=vi"
    saved = one.post("/review/lists", data=fields(one.get(page).text) | {"name": "Mùa đông", "brand_id": "b1"})
    here = one.get(saved.headers["location"])
    assert "Mùa đông" in here.text
    assert "Tiếp tục với <bdi>Mùa đông" in one.get(page).text
    lists = one.get("/review/lists?lang=vi").text
    opened = unescape(re.findall(r'href="(/review/\?[^"]*list=[^"]*)"', lists)[0])
    asked = parse_qs(urlsplit(opened).query)
    assert asked == {"brief": ["serum"], "tier": ["micro"], "lang": ["vi"], "list": [list_id(opened)]}
    changed = one.post(f"/review/lists/{list_id(opened)}", data=fields(here.text) | {"name": "Tết", "brand_id": ""})
    assert changed.status_code == 303
    found = decisions.list_of("default", list_id(opened))
    assert (found.name, found.brand_id) == ("Tết", None)


def test_lists_are_shown_page_by_page(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "LISTS_SHOWN", 2)
    for number in range(5):
        decisions.make_list("default", f"List {number}", "brief=serum", "An")
    one, address, shown = browser(app), "/review/lists?lang=vi", list[str]()
    for number in range(1, 4):
        html = one.get(address).text
        assert f"trang {number} / 3" in html
        shown += re.findall(r"<bdi>(List \d)</bdi></a></th>", html)
        address = next((unescape(link) for link in re.findall(r'rel="next" href="([^"]+)"', html)), "")
    assert sorted(shown) == [f"List {number}" for number in range(5)]
    assert address == ""
    assert "There is no such page of the lists." in one.get("/review/lists?page=4").text
    assert one.get("/review/lists?page=x").status_code == 400


def test_views_of_lists_are_read_only_where_they_are_offered(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    made = decided_list(app, an="yes")
    asked: list[str] = []
    original = decisions.chosen_by
    monkeypatch.setattr(decisions, "chosen_by", lambda query: asked.append(query) or original(query))
    one = browser(app)
    for path in (
        "lists?brief=serum",
        f"lists/{made}?brief=serum",
        "export.json?brief=serum",
        f"?brief=serum&list={made}",
    ):
        assert one.get(f"/review/{path}").status_code == 200
    assert asked == []
    assert "Go on with" in one.get("/review/?brief=serum").text


def test_a_view_that_is_too_long_to_keep_is_refused(app: ASGIApp) -> None:
    one = browser(app)
    form = fields(one.get("/review/?brief=serum").text)
    longest = {"query": "brief=" + "%E1%BA%A7" * (decisions.LONGEST_VIEW - len("brief="))}
    assert vote(one, "/review/?brief=serum", "yes 1 an", **longest).status_code == 303
    for path, more in (("votes", {"one": "yes 1 an"}), ("lists", {"name": "Serum"})):
        answer = one.post(f"/review/{path}", data=form | {"query": longest["query"] + "x"} | more)
        assert answer.status_code == 400
        assert "The brief and filters have 20001 characters" in text_of(answer.text)
    assert decisions.count_lists("default") == 1


def test_without_a_database_the_page_is_shown_and_nothing_can_be_decided(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = browser(app)
    form = fields(one.get("/review/").text)
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    page = one.get("/review/?list=x")
    assert page.status_code == 200
    assert "Decisions cannot be read or written" in page.text
    assert 'name="one"' not in page.text
    assert one.post("/review/votes", data=form | {"one": "yes 1 an"}).status_code == 503


def test_a_list_that_is_not_there_is_told(app: ASGIApp) -> None:
    theirs = decisions.make_list("theirs", "Secret", "brief=serum", "Eve").id
    one = browser(app)
    for address in (f"/review/?list={theirs}", "/review/?list=<script>"):
        page = one.get(address)
        assert (page.status_code, "There is no such list" in page.text) == (200, True)
        assert "Secret" not in page.text
    assert one.get(f"/review/lists/{theirs}").status_code == 404
    assert "Secret" not in one.get("/review/lists").text


@pytest.fixture
def locked(app: ASGIApp) -> tuple[ASGIApp, dict[str, str]]:
    """The page behind keys, and keys by what they are."""
    sent = {
        "read": create_key("Reader", frozenset({"read"}))[1],
        "write": create_key("Chi", frozenset({"read", "write"}))[1],
        "other": create_key("Chi", frozenset({"read", "write"}), tenant="other")[1],
    }
    keyring = Keyring()
    keyring.refresh()
    return BodyLimit(Access(app, keyring, scope_needed)), sent


def with_key(app: ASGIApp, key: str) -> TestClient:
    one = browser(app, "An")
    one.auth = ("anybody", key)
    return one


def test_keys_say_who_decides_and_who_only_reads(locked: tuple[ASGIApp, dict[str, str]]) -> None:
    app, keys = locked
    reader, writer, other = (with_key(app, keys[name]) for name in ("read", "write", "other"))
    page = reader.get("/review/").text
    assert "token" not in page
    assert "may read and not decide" in page
    form = fields(writer.get("/review/").text)
    assert form["token"]
    for path in POSTS:
        assert reader.post(f"/review{path}", data=form).status_code == 403
        assert browser(app).post(f"/review{path}", data=form).status_code == 401
    answer = writer.post("/review/votes", data=form | {"one": "yes 1 an"})
    assert answer.status_code == 303
    assert decisions.lists_of("default")[0].created_by == "Chi"
    assert other.post("/review/votes", data=form | {"one": "no 1 an"}).status_code == 403  # a token of another key
    own = fields(other.get("/review/").text) | {"list": list_id(answer.headers["location"]), "one": "no 1 an"}
    assert other.post("/review/votes", data=own).status_code == 404
    assert other.post("/review/analyst", data=own | {"name": "An"}).status_code == 400


def share(app: ASGIApp, made: str, days: int = 14) -> str:
    """Path of a new link to a list, as its page shows it."""
    decisions.change_list("default", made, "An", stage="client")
    one = browser(app)
    form = fields(one.get(f"/review/lists/{made}").text, "/links")
    assert one.post(f"/review/lists/{made}/links", data=form | {"days": str(days)}).status_code == 303
    shown = re.findall(r'value="(http://127\.0\.0\.1/review/shared/[^"]+)"', one.get(f"/review/lists/{made}").text)
    return urlsplit(shown[0]).path


def test_a_client_sees_what_was_decided_and_nothing_else(app: ASGIApp, locked: tuple[ASGIApp, dict[str, str]]) -> None:
    made = decided_list(app, an="yes", binh="maybe", chi="no", em="yes")
    decisions.vote("default", made, "Bình", {"em": 1}, "no", reason="too expensive", comment="INTERNAL COMMENT")
    decisions.vote("default", made, "An", {"an": 1}, "yes", reason="good value", comment="INTERNAL COMMENT")
    path = share(app, made)
    stranger = TestClient(locked[0], base_url="http://127.0.0.1", follow_redirects=False)
    for language, title in (("en", "Under consideration"), ("vi", "Đang cân nhắc")):
        answer = stranger.get(f"{path}?lang={language}&list=x&brief=y")
        assert answer.status_code == 200
        shown = text_of(answer.text)
        assert "Serum for winter" in shown
        assert title in shown
        assert shown.index("An Nguyễn") < shown.index(title) < shown.index("Bình Trần")
        for hidden in ("Chi Lê", "Em Phạm", "INTERNAL COMMENT", "good value", "đáng giá tiền", "<bdi>An</bdi>"):
            assert hidden not in answer.text
    english = stranger.get(path)
    assert "signals consistent with bought followers: 93% 81% – 98%" in text_of(english.text)
    assert "trained on simulated creators" in english.text
    assert english.headers["referrer-policy"] == "no-referrer"
    assert english.headers["cache-control"].startswith("private")
    assert "noindex" in english.headers["x-robots-tag"]
    assert "script-src 'self'" in english.headers["content-security-policy"]
    links = re.findall(r'(?:href|src|action)="([^"]*)"', english.text)
    assert {link.split("?")[0] for link in links} == {
        path,
        "/review/shared/static/review.css",
        "/review/shared/static/decide.css",
        "/review/shared/static/icon.svg",
    }
    assert "<form" not in english.text
    assert "<script" not in english.text
    for link in links:
        assert stranger.get(link).status_code == 200
    for elsewhere in ("/review/", f"/review/lists/{made}", f"/review/?list={made}", "/review/static/review.css"):
        assert stranger.get(elsewhere).status_code == 401


def test_a_client_is_told_how_many_creators_the_page_leaves_out(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    path = share(app, decided_list(app, an="yes", binh="maybe", chi="yes"))
    one = browser(app)
    assert "left out here" not in one.get(path).text
    monkeypatch.setattr(shared_pages, "_MOST_SHOWN", 2)
    said = "This page shows the first 2 creators. Chosen or under consideration and left out here: 1."
    assert said in text_of(one.get(path).text)
    assert "mà không hiện ở đây: 1." in one.get(f"{path}?lang=vi").text


def test_a_link_writes_nothing(app: ASGIApp, locked: tuple[ASGIApp, dict[str, str]]) -> None:
    made = decided_list(app, an="yes")
    path = share(app, made)
    token = path.rpartition("/")[2]
    data = {"token": token, "list": made, "one": "no 1 an", "name": "x", "stage": "internal", "next": path}
    stranger = TestClient(locked[0], base_url="http://127.0.0.1", follow_redirects=False)
    before = decisions.list_of("default", made), decisions.log_of(made), decisions.links_of(made)
    for address in (*POSTS, f"/shared/{token}", f"/lists/{made}", f"/lists/{made}/links"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for headers in ({}, {"Authorization": f"Bearer {token}"}):
                answer = stranger.request(method, f"/review{address}", data=data, headers=headers)
                assert answer.status_code == 401, (method, address)
        # where no keys are asked for, it is no token of a form
        assert browser(app).post(f"/review{address}", data=data).status_code in (403, 405), address
    assert before == (decisions.list_of("default", made), decisions.log_of(made), decisions.links_of(made))


def test_a_link_that_does_not_hold_says_one_and_the_same(app: ASGIApp) -> None:
    made, other = decided_list(app, an="yes"), decided_list(app, binh="yes")
    path, stranger = share(app, made), TestClient(app, base_url="http://127.0.0.1")
    share(app, other)
    link = decisions.links_of(made)[0]
    signer = shared_pages._signer()
    foreign = signer.dumps([link.id, other, int(time.time()) + 999])
    over = signer.dumps([link.id, made, int(time.time()) - 1])
    form = fields(browser(app).get("/review/").text)["token"]
    body, _, signature = path.rpartition("/")[2].partition(".")
    tampered = [f"{body}x.{signature}", f"{body}.{signature[:-1]}", body, "x", f"{body}.", form, foreign, over]
    answers = [stranger.get(f"/review/shared/{token}") for token in tampered]
    assert stranger.get(path).status_code == 200

    def now() -> httpx.Response:
        return stranger.get(path)

    decisions.change_list("default", made, "An", stage="internal")
    answers.append(now())
    decisions.change_list("default", made, "An", stage="client")
    with store.connection() as one:
        one.execute(store.client_links.update().values(expires_at=store.now() - timedelta(seconds=1)))
    answers.append(now())
    with store.connection() as one:
        one.execute(store.client_links.update().values(expires_at=store.now() + timedelta(days=1)))
    assert now().status_code == 200
    page = browser(app).get(f"/review/lists/{made}").text
    ended = browser(app).post(f"/review/lists/{made}/links/{link.id}/revoke", data=fields(page, "/revoke"))
    assert ended.status_code == 303
    answers.append(now())
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "/review/lists" not in answers[0].text


def test_hostile_names_are_text_for_clients_too(score_frame: pd.DataFrame) -> None:
    nasty = '<script>alert("x")</script>\u202e👍'
    for column in ("display_name", "handle", "niche"):
        score_frame[column] = nasty
    app = make_app(Catalogue.of(score_frame.assign(creator_id=[f"{nasty}/../{row}?#%" for row in range(5)])))
    one = browser(app)
    answer = vote(one, "/review/", f"yes 1 {nasty}/../0?#%")
    assert answer.status_code == 303
    made = list_id(answer.headers["location"])
    decisions.change_list("default", made, "An", name=nasty)
    html = TestClient(app, base_url="http://127.0.0.1").get(share(app, made)).text
    assert "<script>" not in html
    assert nasty in unescape(html)


@pytest.mark.slow
def test_two_analysts_on_postgresql(app: ASGIApp, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", cluster.url)
    with store.connection() as one:
        for table in reversed(store.metadata.sorted_tables):
            one.execute(table.delete())
    an, binh = browser(app), browser(app, "Bình")
    address = vote(an, "/review/?brief=serum", "yes 1 an").headers["location"]
    loaded = fields(binh.get(address).text)
    vote(an, address, "no 2 binh")
    told = binh.post("/review/votes", data=loaded | {"one": "maybe 2 binh"}, headers=JSON).json()
    assert told["statuses"]["binh"]["status"] == "split"
    assert len(told["news"]) == 1
    assert TestClient(app, base_url="http://127.0.0.1").get(share(app, list_id(address))).status_code == 200
    store._engine(store.url()).dispose()


@pytest.mark.slow
def test_a_real_server_takes_forms_and_shows_a_client_its_list(serve_home: Any, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    url = serve_home(tmp_path / "home")
    with httpx.Client(base_url=url, trust_env=False, timeout=120) as one:
        page = "/review/?brief=da+d%E1%BA%A7u"
        form = fields(one.get(page).text)
        answer = one.post("/review/votes", data=form | {"one": "yes 1 an", "comment": "👍" * 10_000})
        made = list_id(answer.headers["location"])
        assert answer.headers["location"] == f"{page}&list={made}"
        assert "👍" in one.get(answer.headers["location"]).text
        assert one.post("/review/votes", json=form | {"one": "yes 1 an"}).status_code == 415
        assert one.post("/review/votes", data={"one": "yes 1 an"}).status_code == 403
        form |= fields(one.get(f"/review/lists/{made}").text, f"/lists/{made}")
        assert one.post(f"/review/lists/{made}", data=form | {"stage": "client"}).status_code == 303
        assert one.post(f"/review/lists/{made}/links", data=form | {"days": "1"}).status_code == 303
        link = re.findall(r'value="(http://[^"]+/shared/[^"]+)"', one.get(f"/review/lists/{made}").text)[0]
        shown = one.get(link)
        assert (shown.status_code, shown.headers["referrer-policy"]) == (200, "no-referrer")
        assert "An Nguyễn" in shown.text
        assert one.get("/review/shared/static/review.css").status_code == 200


#: A server of the page alone: no model is trained for it.
_SERVER = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from serving.catalogue import Catalogue, read_catalogue
from serving.current import Current, Loaded
from serving.review.app import make_review_app
from pathlib import Path
review = make_review_app(Current(Loaded(catalogue=read_catalogue(Path(sys.argv[1])))))
uvicorn.run(Starlette(routes=[Mount("/review", review)]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


@pytest.fixture(scope="module")
def served(catalogue_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a server of the page, and its database."""
    folder = tmp_path_factory.mktemp("decide")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    used = {"REALREACH_DATABASE": f"sqlite:///{folder / 'realreach.db'}", "REALREACH_ANALYSTS": "An, Bình"}
    command = [sys.executable, "-c", _SERVER, str(catalogue_file), str(port)]
    process = subprocess.Popen(command, env=os.environ | used, cwd=Path(__file__).parents[2])
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{url}/review/lists", trust_env=False)
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield url, used["REALREACH_DATABASE"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)


@pytest.fixture
def opened(served: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Open a page of the server in a browser; whatever it complains about fails the test."""
    from playwright.sync_api import sync_playwright

    url, used = served
    monkeypatch.setenv("REALREACH_DATABASE", used)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def open_page(address: str, width: int = 1440) -> Any:
            page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{url}{address}")
            return page

        yield open_page
        chromium.close()
    assert [line for line in complaints if "ERR_FAILED" not in line] == []


def faults(page: Any) -> list[str]:
    """Serious faults of accessibility, and a page that is wider than its window."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
    wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*serious, *(["wider than the window"] if wider else [])]


def in_use(page: Any) -> str:
    return str(page.evaluate("document.activeElement.closest('[data-creator]').dataset.creator"))


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("vi", 390)])
def test_deciding_by_keys_alone(opened: Any, language: str, width: int) -> None:
    from playwright.sync_api import expect

    page = opened(f"/review/?brief=serum+{language}&lang={language}", width)
    names = page.locator("[data-creator]").evaluate_all("rows => rows.map(row => row.dataset.creator)")
    badges = [page.locator(f'[data-status-of="{name}"] .status').first for name in names]

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    press("j", "y")
    page.wait_for_url("**list=*")
    expect(badges[0]).to_have_class("status status-yes")
    assert in_use(page) == names[0]  # found again at the new address
    expect(page.locator("[data-told]")).to_contain_text("yes" if language == "en" else "chọn")
    press("ArrowDown", "c")
    page.keyboard.type("yn? u")  # in a field keys are letters
    press("Escape", "n")
    expect(badges[1]).to_have_class("status status-no")
    expect(page.locator(f'[data-status-of="{names[1]}"] .comment')).to_have_text("yn? u")
    press("k", "m")
    expect(badges[0]).to_have_class("status status-maybe")
    press("u")
    expect(badges[0]).to_have_class("status status-yes")
    press("j", "j", "x", "j", "x", "N")
    for badge in badges[2:4]:
        expect(badge).to_have_class("status status-no")
    expect(page.locator("[data-ticked]")).to_have_text("0")
    press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    assert faults(page) == []
    press("y", "Escape")  # no decision is made behind the dialog
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.reload()
    shown = [str(badge.get_attribute("class")).rpartition("-")[2] for badge in badges]
    assert shown == ["yes", "no", "no", "no", "undecided"]
    assert faults(page) == []
    press("j", "j", "Enter")
    page.wait_for_url(f"**/creators/{names[1]}*")
    press("y")
    expect(page.locator("[data-status-of] .status").first).to_have_class("status status-yes")
    expect(page.locator("[aria-busy]")).to_have_count(0)  # until it is written it is shown fainter
    assert faults(page) == []
    made = decisions.lists_of("default")[0].id
    assert len(decisions.log_of(made)) == 6
    for address in ("/review/lists", f"/review/lists/{made}"):
        assert faults(opened(f"{address}?lang={language}", width)) == []


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
def test_a_first_decision_leaves_alone_what_is_being_typed(opened: Any) -> None:
    from playwright.sync_api import expect

    page = opened("/review/creators/an?brief=typed+on+its+page")
    page.locator("#disputes summary").click()
    page.locator("#dispute-text").fill("half a sentence")
    page.locator("button[data-decision=yes]").click()
    page.wait_for_url("**list=*")
    expect(page.locator("[data-status-of] .status").first).to_have_class("status status-yes")
    expect(page.locator(".listbar .name")).to_have_text("typed on its page")
    assert page.locator("#dispute-text").input_value() == "half a sentence"
    made = list_id(page.url)
    page.locator("#dispute-by").fill("The creator")
    with page.expect_navigation():
        page.locator("form[action*=disputes] button").last.click()
    assert list_id(page.url) == made
    assert "half a sentence" in page.locator("#disputes").inner_text()


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
def test_a_first_decision_takes_whatever_leads_on_to_its_list(opened: Any) -> None:
    from playwright.sync_api import expect

    joined = decisions.list_for("default", "joined", "brief=joined", "An").id
    decisions.vote("default", joined, "Bình", {"binh": 2}, "maybe")
    decisions.vote("default", joined, "An", {"chi": 3}, "no")
    page = opened("/review/?brief=joined")
    expect(page.locator("input[name=status]").first).to_be_hidden()
    page.locator('[data-creator="an"] button.choice-yes').click()
    page.wait_for_url(f"**list={joined}")
    for creator, status in (("an", "yes"), ("binh", "maybe"), ("chi", "no")):
        badge = page.locator(f'[data-status-of="{creator}"] .status')
        expect(badge).to_have_class(f"status status-{status}")
    for name in ("yes", "maybe", "no"):
        expect(page.locator(f"[data-count={name}]")).to_have_text("1")
    leads_on = ".layouts a, .exports a, .languages a, .ranked thead a, .ranked tbody a"
    for anew in ("a.brand", ".actions a", "footer a", "a[href*='/lists']"):
        links = page.locator(anew).evaluate_all("links => links.map(one => one.href)")
        assert links
        assert not [link for link in links if "list=" in link]
    links = page.locator(leads_on).evaluate_all("links => links.map(one => one.href)")
    assert len(links) > 15
    assert {list_id(link) for link in links} == {joined}
    page.keyboard.press("u")
    expect(page.locator('[data-status-of="an"] .status')).to_have_class("status status-undecided")
    page.locator("input[name=status][value=no]").check()
    page.locator("form.brief button[type=submit]").click()
    page.wait_for_url("**status=no*")
    assert list_id(page.url) == joined
    assert page.locator(".ranked tbody tr").count() == 1
    assert faults(page) == []


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
def test_a_server_that_is_away_costs_no_decision_and_no_comment(opened: Any) -> None:
    from playwright.sync_api import expect

    made = decisions.make_list("default", "Serum", "brief=serum", "An").id
    decisions.vote("default", made, "An", {"an": 1}, "yes")
    page = opened(f"/review/creators/an?list={made}")
    badge = page.locator("[data-status-of] .status").first
    page.route("**/votes*", lambda route: route.abort())
    page.keyboard.press("c")
    page.keyboard.type("kept")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("[data-told].wrong")).to_contain_text("Not written")
    expect(badge).to_have_class("status status-yes")
    assert page.locator("textarea[name=comment]").first.input_value() == "kept"
    page.unroute("**/votes*")
    decisions.vote("default", made, "Bình", {"an": 1}, "maybe")
    page.keyboard.press("n")
    expect(badge).to_have_class("status status-split")
    expect(page.locator("[data-news]")).to_contain_text("Bình decided “maybe”")
    assert decisions.statuses_of(made)["an"].votes[1].comment == "kept"


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_of_a_client_in_a_browser(opened: Any, app: ASGIApp, width: int) -> None:
    path = share(app, decided_list(app, an="yes", binh="maybe", dung="maybe"))
    page = opened(f"{path}?lang=vi", width)
    assert page.locator("article.pick").count() == 3
    assert faults(page) == []
    page.locator("nav.languages a").click()
    assert page.locator("html").get_attribute("lang") == "en"
    assert faults(page) == []
