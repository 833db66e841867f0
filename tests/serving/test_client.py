"""The typed client against a real server, and every example of ENDPOINT.md as its reader would run it."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import ValidationError

from serving import client as client_module
from serving.client import AsyncClient, Client, ProblemError
from serving.problems import describe

PAGE = (Path(__file__).parents[2] / "ENDPOINT.md").read_text(encoding="utf-8")
ROOT = Path(__file__).parents[2]


def _examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Moody(BaseHTTPRequestHandler):
    """Answers what the test laid out, one after the other, and keeps what it was sent."""

    laid_out: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    sent: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.sent.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        status, headers, body = self.laid_out.pop(0)
        if not status:  # breaks off
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def moody() -> Iterator[str]:
    Moody.laid_out, Moody.sent = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


DECISION = {"brand_id": "b", "creator_id": "c", "decided_at": "2026-01-12T09:30:00Z", "decision": "yes"}
FEEDBACK = {"decisions": [DECISION]}
WRITTEN = (201, {}, b'{"decisions": 1, "collaborations": 0, "from_a_later_version": 1}')


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)


def _refusal(code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    found = describe(code, "later")
    return found.status, headers, found.model_dump_json().encode()


def test_what_is_busy_or_breaks_off_is_asked_again_as_the_same_write(moody: str) -> None:
    busy = _refusal("busy", **{"Retry-After": "0"})
    Moody.laid_out = [busy, (0, {}, b""), (502, {}, b"<html>"), WRITTEN]
    with Client(moody, key="rr_1_2") as client:
        assert client.feedback(FEEDBACK).decisions == 1
    keys = {headers["idempotency-key"] for _, headers in Moody.sent}
    assert (len(Moody.sent), len(keys)) == (4, 1)
    assert {headers["authorization"] for _, headers in Moody.sent} == {"Bearer rr_1_2"}


def test_async_asks_again_too(moody: str) -> None:
    Moody.laid_out = [_refusal("store_unavailable", **{"Retry-After": "0"}), WRITTEN]

    async def leave() -> int:
        async with AsyncClient(moody, language="vi") as client:
            return (await client.feedback(FEEDBACK, idempotency_key="mine")).decisions

    assert asyncio.run(leave()) == 1
    assert [headers["idempotency-key"] for _, headers in Moody.sent] == ["mine", "mine"]
    assert Moody.sent[0][1]["accept-language"] == "vi"


@pytest.mark.parametrize(
    "refused",
    [_refusal("forbidden"), _refusal("idempotency_conflict"), _refusal("quota_exceeded", **{"Retry-After": "30000"})],
)
def test_what_waiting_does_not_mend_is_not_asked_again(moody: str, refused: tuple[int, dict[str, str], bytes]) -> None:
    Moody.laid_out = [refused]
    with Client(moody) as client, pytest.raises(ProblemError, match="later") as caught:
        client.feedback(FEEDBACK)
    assert caught.value.problem is not None
    assert len(Moody.sent) == 1


def test_a_service_that_never_answers_is_given_up(moody: str) -> None:
    Moody.laid_out = [(0, {}, b"")] * 20
    with Client(moody, patience=0.5) as client, pytest.raises(httpx.TransportError):
        client.feedback(FEEDBACK)
    assert len(Moody.sent) >= 2


def test_a_request_that_breaks_its_schema_is_not_sent(moody: str) -> None:
    with Client(moody) as client, pytest.raises(ValidationError):
        client.score({"histories": []})
    assert Moody.sent == []


@pytest.mark.slow
def test_every_call_is_answered(
    service_url: str, histories: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "JOB_HISTORIES", 2)
    monkeypatch.setattr(client_module, "_POLL_SECONDS", 0.1)
    brief = {"brief": "serum", "k": 2}

    async def asked() -> list[Any]:
        async with AsyncClient(service_url) as client:
            job = await client.submit_job({"histories": histories})
            lines = [line async for line in client.score_many(histories, checks=False)]
            kept = {one.id for one in (await client.jobs()).jobs}
            await client.erase_job(job.id)
            return [
                await client.score({"histories": histories, "checks": False}),
                await client.recommend(brief),
                await client.fit({"brief": "serum", "creator_ids": ["an"]}),
                await client.lookalikes({"creator_ids": ["an"]}),
                await client.creator("an"),
                await client.versions(),
                job.id in kept,
                lines,
            ]

    with Client(service_url) as client:
        job = client.submit_job({"histories": histories})
        lines = list(client.score_many(histories, checks=False))
        kept = {one.id for one in client.jobs().jobs}
        client.erase_job(job.id)
        told = [
            client.score({"histories": histories, "checks": False}),
            client.recommend(brief),
            client.fit({"brief": "serum", "creator_ids": ["an"]}),
            client.lookalikes({"creator_ids": ["an"]}),
            client.creator("an"),
            client.versions(),
            job.id in kept,
            lines,
        ]
    assert told == asyncio.run(asked())
    assert [line.index for line in lines] == [0, 1, 2]
    assert [line.creator_id for line in lines] == [one["creator"]["creator_id"] for one in histories]


@pytest.fixture(scope="module")
def reader(service_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Folder and environment of a reader who has run the examples of curl."""
    folder = tmp_path_factory.mktemp("reader")
    environment = os.environ | {"REALREACH_URL": service_url, "REALREACH_KEY": "any", "PYTHONPATH": str(ROOT)}
    for number, example in enumerate(_examples("sh")):
        ran = _run(["bash", "-euo", "pipefail", "-c", example], folder, environment)
        assert ran.returncode == 0, f"example {number}: {ran.stdout}{ran.stderr}"
    return folder, environment


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
class TestPage:
    def test_curl(self, reader: tuple[Path, dict[str, str]]) -> None:
        folder, _ = reader
        made = {path.name for path in folder.iterdir() if path.stat().st_size}
        assert {"shortlist.json", "report.json", "scores.json", "reports.ndjson"} <= made

    @pytest.mark.parametrize("number", range(len(_examples("python"))))
    def test_python(self, reader: tuple[Path, dict[str, str]], number: int) -> None:
        folder, environment = reader
        ran = _run([sys.executable, "-c", _examples("python")[number]], folder, environment)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("\n") >= 3

    @pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
    def test_typescript(self, reader: tuple[Path, dict[str, str]]) -> None:
        folder, environment = reader
        packages = ("openapi-typescript@7", "openapi-fetch@0", "typescript@5", "@types/node@20")
        if _run(["npm", "install", "--no-audit", "--no-fund", "--silent", *packages], folder, environment).returncode:
            pytest.skip("npm cannot install the packages that the example needs")
        (folder / "package.json").write_text('{"type": "module"}')
        (example,) = _examples("typescript")
        (folder / "example.ts").write_text(example, encoding="utf-8")
        (types,) = re.findall(r"^npx (openapi-typescript .*)$", PAGE, re.MULTILINE)
        options = "--strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler"
        for command in (f"npx {types}", f"npx tsc {options} example.ts", "node example.js"):
            ran = _run(["bash", "-c", command], folder, environment)
            assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        assert ran.stdout
