"""Metrics, logs and ids of requests, as a real server gives them; and what is given up or answered by others."""

import asyncio
import json
import logging
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from serving import telemetry
from serving.keys import create_key
from serving.limits import BodyLimit, Deadline, Places, Problems, WorkLimit

DASHBOARD = Path(__file__).parents[2] / "serving" / "operations" / "grafana.json"


def _sample(text: str, line: str) -> float:
    return next((float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(f"{line} ")), 0.0)


@pytest.mark.slow
def test_what_the_dashboard_shows_is_counted(
    own_server: tuple[str, subprocess.Popen[bytes]], histories: list[dict[str, Any]]
) -> None:
    url, _ = own_server
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        answer = client.post("/v1/score", json={"histories": histories, "checks": False})
        assert client.post("/v1/score", json={"histories": []}).status_code == 400
        assert client.post("/v1/recommend", json={"brief": "serum"}).status_code == 200
        text = client.get("/metrics").text
    version = answer.json()["model"]["version"]
    assert _sample(text, f'realreach_requests_total{{endpoint="score",status="200",version="{version}"}}') == 1
    assert _sample(text, f'realreach_requests_total{{endpoint="score",status="400",version="{version}"}}') == 1
    heads = [
        head for report in answer.json()["reports"] for head in report["heads"] if head["head"] == "bought_followers"
    ]
    assessed = _sample(text, f'realreach_head_probability_count{{head="bought_followers",version="{version}"}}')
    abstained = _sample(text, f'realreach_head_abstentions_total{{head="bought_followers",version="{version}"}}')
    assert assessed == sum(head["assessed"] for head in heads)
    assert assessed + abstained == len(heads)
    known = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    shown = {
        re.sub(r"_(total|bucket|sum|count)$", "", name)
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"realreach_\w+", target["expr"])
    }
    assert shown
    # flags are counted where there is one, and in this small world nobody need be flagged
    assert shown - {"realreach_head_flags"} <= known


@pytest.mark.slow
def test_a_line_of_the_log_names_the_request_and_nobody(
    serve_closed: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'keys.db'}")
    key, sent = create_key("tool", frozenset({"read"}))
    url = serve_closed(tmp_path)
    headers = {"Authorization": f"Bearer {sent}", "X-Request-ID": "shortlist-7"}
    answer = httpx.get(f"{url}/v1/creators/an", headers=headers, timeout=120, trust_env=False)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "shortlist-7")
    odd = httpx.get(f"{url}/v1/creators/an", headers=headers | {"X-Request-ID": "a b"}, timeout=120, trust_env=False)
    assert re.fullmatch("[0-9a-f]{16}", odd.headers["x-request-id"])
    text = (tmp_path / "log.txt").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    (line,) = [one for one in lines if one.get("request_id") == "shortlist-7"]
    assert {name: line[name] for name in ("endpoint", "method", "status", "key")} == {
        "endpoint": "creator",
        "method": "GET",
        "status": 200,
        "key": key.id,
    }
    assert "creators/an" not in text
    assert sent not in text


def test_records_of_a_request_carry_its_id() -> None:
    record = logging.LogRecord("realreach", logging.WARNING, "", 0, "%s is gone", ("it",), None)
    assert "request_id" not in json.loads(telemetry.JsonLines().format(record))
    told: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told.append(json.loads(telemetry.JsonLines().format(record)))
        await PlainTextResponse("")(scope, receive, send)

    TestClient(telemetry.Telemetry(app, lambda _: "x")).get("/", headers={"X-Request-ID": "mine"})
    assert (told[0]["request_id"], told[0]["message"]) == ("mine", "it is gone")


async def _slow(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/streams":

        async def parts() -> Any:
            for _ in range(4):
                await asyncio.sleep(0.1)
                yield b"x"

        await StreamingResponse(parts())(scope, receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(5)


def test_what_takes_too_long_is_given_up_and_what_is_answered_is_not() -> None:
    client = TestClient(Deadline(_slow, seconds=0.2))
    late = client.get("/slow")
    assert (late.status_code, late.json()["code"]) == (504, "timeout")
    assert client.get("/streams").content == b"xxxx"


def test_a_body_that_never_ends_gives_its_place_back() -> None:
    import uvicorn

    places = Places(1)
    app = Deadline(BodyLimit(WorkLimit(_slow, places)), seconds=0.5)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))

    async def served() -> tuple[bytes, int, int]:
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.2)
        during = places.taken
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        after = places.taken
        writer.close()
        server.should_exit = True
        await running
        return head, during, after

    head, during, after = asyncio.run(served())
    assert (head, during, after) == (b"HTTP/1.1 504 Gateway Timeout\r\n", 1, 0)


async def _others(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("Not Found", int(scope["path"].rpartition("/")[2]))(scope, receive, send)


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (500, "internal")])
def test_errors_of_others_become_problems(status: int, code: str) -> None:
    client = TestClient(Problems(_others))
    answer = client.get(f"/{status}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(f"/review/{status}").text == "Not Found"
    assert client.get("/200").headers["x-content-type-options"] == "nosniff"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/jobs/a%0Ab", "/nowhere", "/v1/%00", "/schema.json/x", "/v1/"])
def test_addresses_that_nobody_serves(service_url: str, path: str) -> None:
    address = urlsplit(service_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 10) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        said = b"".join(iter(lambda: one.recv(65_536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert b" 404 " in head.split(b"\r\n")[0], head
    assert json.loads(body)["code"] in ("not_found", "unknown_job")
