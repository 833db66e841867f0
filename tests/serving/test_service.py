import contextlib
import gzip
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pytest
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from features.tables import HEADS
from serving import api, current, service
from serving.limits import MOST_AT_WORK
from serving.models import load_champion
from serving.schemas import RecommendRequest
from serving.scoring import score_tables
from training.simulation import SIMULATION_AS_OF
from training.tracking import ModelNotFoundError

CHROMIUM = shutil.which("chromium")
IMPORTED_AT = SIMULATION_AS_OF


@pytest.fixture
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=120, trust_env=False) as one:
        yield one


def test_without_a_champion_and_a_catalogue_the_service_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_champion() -> None:
        raise ModelNotFoundError("there is no champion")

    monkeypatch.setattr(current, "load_champion", no_champion)
    monkeypatch.setenv("REALREACH_CATALOGUE", str(tmp_path / "none.parquet"))
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    loaded = current.load()
    assert (loaded.model, loaded.catalogue) == (None, None)
    assert loaded.model_trouble == "no model to score with: there is no champion"
    assert "none.parquet: no such file" in loaded.catalogue_trouble


def test_a_refused_request_is_answered_by_field_and_the_log_repeats_nothing(caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"brief": "a secret campaign", "k": -1, "filters": {"tiers": ["secret"]}}'
    with caplog.at_level(logging.INFO, logger=api.log.name), pytest.raises(ValidationError) as caught:
        api.parse(body, RecommendRequest)
    with caplog.at_level(logging.INFO, logger=api.log.name):
        response = api.refused(caught.value)
    assert response.status_code == 400
    assert response.media_type == "application/problem+json"
    answer = json.loads(response.body)
    assert answer["code"] == "invalid_request"
    assert [field["path"] for field in answer["errors"]] == ["/filters/tiers/0", "/k"]
    assert caplog.messages == ["Refused a RecommendRequest: 2 problems"]


def test_the_log_is_silent_about_bodies_that_break_off() -> None:
    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("x", logging.ERROR, "x", 1, "Exception on %s", ("/",), (type(error), error, None))

    assert not service.WithoutDisconnects().filter(record(ClientDisconnect()))
    assert service.WithoutDisconnects().filter(record(RuntimeError()))


@pytest.mark.slow
class TestServed:
    def test_scores_are_those_of_the_batch(
        self,
        client: httpx.Client,
        champion_home: Path,
        tables: dict[str, pd.DataFrame],
        histories: list[dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        as_of = IMPORTED_AT.isoformat()
        response = client.post("/v1/score", json={"histories": histories, "as_of": as_of, "language": "vi"})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["simulated"]
        assert "mô phỏng" in answer["notice"]
        monkeypatch.setenv("REALREACH_HOME", str(champion_home))
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        # a request is imported when it arrives, and so are the rows of the tables here
        batch = score_tables(tables, load_champion(), IMPORTED_AT, imported_at=pd.Timestamp.now("UTC"))
        by_id = batch.set_index("creator_id")
        assert [report["creator_id"] for report in answer["reports"]] == [
            history["creator"]["creator_id"] for history in histories
        ]
        for report in answer["reports"]:
            row = by_id.loc[report["creator_id"]]
            assert [head["head"] for head in report["heads"]] == list(HEADS)
            for head in report["heads"]:
                assert head["assessed"] == row[f"{head['head']}_assessed"]
                for ours, batched in (("probability", "probability"), ("low", "low"), ("high", "high")):
                    expected = row[f"{head['head']}_{batched}"]
                    assert head[ours] == (None if pd.isna(expected) else pytest.approx(expected, abs=1e-12))
            assert report["authenticity"]["probability"] == pytest.approx(row["authenticity"], abs=1e-12)
            assert report["coverage"] == {"posts": row["coverage_posts"], "days": row["coverage_days"]}

    def test_one_history_and_a_hundred_score_alike(self, client: httpx.Client, histories: list[dict[str, Any]]) -> None:
        def reports(some: list[dict[str, Any]]) -> list[Any]:
            body = {"histories": some, "as_of": IMPORTED_AT.isoformat()}
            return client.post("/v1/score", json=body).json()["reports"]

        together = reports(histories)
        with ThreadPoolExecutor(4) as pool:
            alone = list(pool.map(lambda history: reports([history])[0], histories))
        assert alone == together

    def test_a_history_that_carries_nothing_abstains(self, client: httpx.Client) -> None:
        history = {"creator": {"creator_id": "new", "platform": "tiktok", "followers": 100}, "posts": []}
        report = client.post("/v1/score", json={"histories": [history]}).json()["reports"][0]
        assert report["authenticity"] == {"probability": None, "low": None, "high": None}
        assert not any(head["assessed"] for head in report["heads"])
        assert all(head["reason"] and head["flagged"] is None for head in report["heads"])

    def test_recommend(self, client: httpx.Client) -> None:
        body = {"brief": "mỹ phẩm da dầu", "filters": {"platforms": ["instagram"]}, "k": 2, "language": "vi"}
        answer = client.post("/v1/recommend", json=body).json()
        assert [one["creator_id"] for one in answer["creators"]] == ["an", "chi"]
        assert answer["creators"][0]["reasons"] == [
            "viết về: làm đẹp (56%), chăm sóc da (44%)",
            "khớp với brief ở: mỹ phẩm da dầu",
            "từng viết: “Review mỹ phẩm cho da dầu, serum dưỡng ẩm mỗi tuần”",
        ]
        assert answer["fit_model"] == "prior"
        assert answer["read"] == []
        assert answer["note"] == "lĩnh vực của brief: làm đẹp, chăm sóc da"
        assert answer["candidates"] == 3
        assert answer["simulated"]

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("/v1/score", '{"histories": []}', "/histories"),
            ("/v1/score", '{"histories": [], "extra": 1}', "/extra"),
            ("/v1/recommend", '{"brief": "x", "filters": {"min_authenticity": NaN}}', "/filters/min_authenticity"),
            ("/v1/recommend", '{"brief": "x", "k": 0}', "/k"),
            ("/v1/recommend", "", "/brief"),
            ("/v1/fit", '{"brief": "x", "creator_ids": ["an", "nobody"]}', "/creator_ids/1"),
            ("/v1/fit", '{"brief": "x"}', ""),
            ("/v1/lookalikes", '{"creator_ids": ["nobody"]}', "/creator_ids/0"),
        ],
    )
    def test_what_is_wrong_is_named(self, client: httpx.Client, path: str, body: str, field: str) -> None:
        response = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert field in [one["path"] for one in response.json()["errors"]]

    @pytest.mark.parametrize("body", ["{", "[" * 100_000, '{"k": 1, "brief": "x", "k": 2}', b'{"brief": "\xff"}'])
    def test_what_is_no_json_is_refused(self, client: httpx.Client, body: str | bytes) -> None:
        response = client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_json")

    def test_compressed_bodies_are_refused(self, client: httpx.Client) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = client.post("/v1/recommend", content=gzip.compress(b'{"brief": "x"}'), headers=headers)
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")

    def test_addresses_and_methods_that_are_not_there(self, client: httpx.Client) -> None:
        nowhere = client.get("/v1/nowhere")
        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
        wrong = client.get("/v1/score")
        assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")

    def test_fit_of_creators_and_of_their_histories(
        self, client: httpx.Client, histories: list[dict[str, Any]]
    ) -> None:
        body = {"brief": "mỹ phẩm da dầu", "creator_ids": ["chi", "an"]}
        answer = client.post("/v1/fit", json=body, headers={"Accept-Language": "vi-VN,vi;q=0.9,en;q=0.1"}).json()
        assert [one["creator_id"] for one in answer["creators"]] == ["chi", "an"]
        assert answer["creators"][1]["fit"] > answer["creators"][0]["fit"]
        assert answer["note"] == "lĩnh vực của brief: làm đẹp, chăm sóc da"
        assert answer["creators"][1]["reasons"][0] == "viết về: làm đẹp (56%), chăm sóc da (44%)"
        ids = [history["creator"]["creator_id"] for history in histories]
        mine = client.post("/v1/fit", json={"brief": "skincare", "histories": histories}).json()
        assert [one["creator_id"] for one in mine["creators"]] == ids
        assert all(0 <= one["fit"] <= 1 for one in mine["creators"])

    def test_lookalikes(self, client: httpx.Client) -> None:
        answer = client.post("/v1/lookalikes", json={"creator_ids": ["an"], "k": 5}).json()
        ids = [one["creator_id"] for one in answer["creators"]]
        assert ids
        assert not {"an", "binh"} & set(ids)  # oneself, and who is doubted

    def test_a_creator_is_read_once(self, client: httpx.Client) -> None:
        first = client.get("/v1/creators/binh")
        assert first.json()["report"]["heads"][0]["flagged"]
        tag = {"If-None-Match": first.headers["etag"]}
        assert client.get("/v1/creators/binh", headers=tag).status_code == 304
        other = client.get("/v1/creators/binh", headers=tag | {"Accept-Language": "vi"})
        assert other.status_code == 200
        assert "dấu hiệu" in other.json()["report"]["heads"][0]["words"]
        missing = client.get("/v1/creators/nobody")
        assert (missing.status_code, missing.json()["code"]) == (404, "unknown_creator")

    def test_versions(self, client: httpx.Client) -> None:
        answer = client.get("/v1/versions").json()
        assert {one["name"]: one["version"] for one in answer["models"]} == {"authenticity": "1", "fit": None}
        assert answer["creators"] == 5

    def test_tables_that_break_the_contract_are_located(
        self, client: httpx.Client, histories: list[dict[str, Any]]
    ) -> None:
        broken = json.loads(json.dumps(histories[:2]))
        broken[1]["posts"][3]["observed_at"] = "2001-01-01T00:00:00Z"
        response = client.post("/v1/score", json={"histories": broken})
        assert response.status_code == 400
        assert [one["path"] for one in response.json()["errors"]] == ["/histories/1/posts/3/observed_at"]

    def test_bodies_are_bounded(self, client: httpx.Client) -> None:
        response = client.post("/v1/score", content=b" " * (21 * 2**20), headers={"Content-Type": "application/json"})
        assert response.status_code == 413

    def test_a_body_full_of_mistakes_is_refused_shortly(self, client: httpx.Client) -> None:
        keys = {f"{number}{'x' * 500}": 1 for number in range(5_000)}
        response = client.post("/v1/recommend", json={"brief": "x"} | keys)
        assert response.status_code == 400
        answer = response.json()
        assert (len(answer["errors"]), answer["more"]) == (20, 4_980)
        assert len(response.content) < 10_000

    def test_other_requests_are_answered_while_a_large_one_is_read(
        self, client: httpx.Client, histories: list[dict[str, Any]], service_url: str
    ) -> None:
        # large, and wrong in its last field: refused when all of it is parsed, without being scored
        history = histories[0]
        post = {**history["posts"][0], "caption": "x" * 400, "creator_id": None}
        posts = [{**post, "post_id": f"p{number}"} for number in range(10_000)]
        creators = [{**history["creator"], "creator_id": f"c{number}"} for number in range(3)]
        body = json.dumps({"histories": [{"creator": one, "posts": posts} for one in creators], "as_of": "never"})
        assert 10 * 2**20 < len(body) < 20 * 2**20
        waits, began = [], time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            large = pool.submit(httpx.post, f"{service_url}/v1/score", content=body, timeout=120, trust_env=False)
            while not large.done():
                started = time.perf_counter()
                assert client.get("/livez").status_code == 200
                waits.append(time.perf_counter() - started)
                time.sleep(0.005)
        whole = time.perf_counter() - began
        assert large.result().status_code == 400
        assert large.result().json()["errors"][0]["path"] == "/as_of"
        # parsed on the event loop it would keep one of them waiting nearly as long as itself takes
        assert max(waits) < whole / 2

    def test_more_than_can_be_held_are_told_to_come_back(self, client: httpx.Client, service_url: str) -> None:
        address = urlsplit(service_url)
        waiting = []
        try:
            for _ in range(MOST_AT_WORK):
                one = socket.create_connection((str(address.hostname), address.port or 0))
                one.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
                waiting.append(one)
            deadline = time.monotonic() + 120
            while (refused := client.post("/v1/recommend", json={"brief": "serum"})).status_code != 503:
                assert time.monotonic() < deadline
            assert refused.headers["retry-after"] == "2"
            assert "8 requests are in work" in refused.json()["detail"]
            page = client.get("/review/?lang=vi")
            assert (page.status_code, page.headers["retry-after"]) == (503, "2")
            assert "Đang bận" in page.text
            assert client.get("/livez").status_code == 200
        finally:
            for one in waiting:
                one.close()
        deadline = time.monotonic() + 120
        while client.post("/v1/recommend", json={"brief": "serum"}).status_code != 200:
            assert time.monotonic() < deadline

    def test_the_page_has_the_limits_of_the_endpoint(self, client: httpx.Client) -> None:
        assert client.post("/review/", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
        assert client.request("GET", "/review/", content=b" " * (21 * 2**20)).status_code == 413

    def test_the_addresses_of_operation(self, client: httpx.Client) -> None:
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/review/", "/review/creators/an"):
            assert client.get(path).status_code == 200, path
        assert client.get("/").headers["location"] == "/review/"
        specification = client.get("/docs.json").json()
        assert specification["openapi"].startswith("3.1")
        assert {"/v1/score", "/v1/recommend", "/v1/creators/{creator_id}"} <= set(specification["paths"])
        assert client.get("/review/nowhere").status_code == 404
        assert "bentoml_service_request" in client.get("/metrics").text


def _children(process: int) -> list[int]:
    own: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it ended between the two looks
            own += map(int, task.read_text().split())
    return own + [grandchild for child in own for grandchild in _children(child)]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads who started whom from /proc")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_the_server_and_what_it_started(
    own_server: tuple[str, subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    _, process = own_server
    started = _children(process.pid)
    assert started
    process.send_signal(number)
    assert process.wait(120) == 0
    assert not [child for child in started if Path(f"/proc/{child}").exists()]


def _workers(process: int) -> list[int]:
    found = []
    for one in _children(process):
        with contextlib.suppress(OSError):  # it ended between the two looks
            if b"worker" in Path(f"/proc/{one}/cmdline").read_bytes():
                found.append(one)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads who started whom from /proc")
def test_a_killed_worker_costs_its_own_requests_and_is_replaced(
    two_workers: tuple[str, subprocess.Popen[bytes], Path],
) -> None:
    url, process, log = two_workers

    def until_begun(times: int) -> list[int]:
        deadline = time.monotonic() + 120
        while log.read_text().count("Completed async startup hook") < times or len(_workers(process.pid)) != 2:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        return _workers(process.pid)

    before = until_begun(2)
    os.kill(before[0], signal.SIGKILL)
    killed = last_failure = time.monotonic()
    while time.monotonic() - killed < 6:
        try:
            httpx.get(f"{url}/v1/versions", timeout=10, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            last_failure = time.monotonic()
        time.sleep(0.05)
    assert last_failure - killed < 5
    after = until_begun(3)
    assert before[1] in after
    assert before[0] not in after


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads who started whom from /proc")
def test_a_killed_only_worker_is_replaced_at_once(own_server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = own_server
    (before,) = _workers(process.pid)
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 3  # bentoml's supervisor itself looks every ten seconds
    while not (after := set(_workers(process.pid)) - {before}):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(after) == 1
    deadline = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{url}/v1/versions", timeout=10, trust_env=False).raise_for_status()
            break
        except httpx.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_page_in_a_browser(service_url: str, tmp_path: Path, width: int, language: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False)
        page = context.new_page()
        requested: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{service_url}/review/?lang={language}")
        page.locator("#brief").fill("my pham da dau")
        page.locator("input[value=instagram]").check()
        page.locator("form.brief button[type=submit]").click()
        assert "platform=instagram" in page.url
        assert page.locator("table.ranked tbody tr").count() == 3
        assert page.locator("table.ranked svg.bar").first.is_visible()
        page.screenshot(path=tmp_path / "shortlist.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.get_by_role("link", name="An Nguyễn").click()
        assert "/review/creators/an" in page.url
        page.locator("nav.languages a").click()
        assert page.locator("html").get_attribute("lang") == ("en" if language == "vi" else "vi")
        browser.close()
    assert all(url.startswith(service_url) for url in requested)
    assert complaints == []
