"""Two services that share a PostgreSQL and a catalogue in object storage, behind a real nginx as we configure it."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from serving import store

_NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
_SHIPPED = Path(__file__).parents[2] / "serving" / "operations" / "nginx.conf"
_EXAMPLES = ("10.0.0.11:3000", "10.0.0.12:3000")
_OWN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/realreach.conf;
}}
"""
DECISION = {"brand_id": "b1", "creator_id": "an", "decided_at": "2026-01-12T09:30:00Z", "decision": "yes"}
pytestmark = pytest.mark.slow


class Nginx:
    """The shipped configuration with the addresses of the test, in a folder of its own."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.folder, self._ports = folder, ports
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self._port = int(one.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"
        if os.geteuid() == 0:
            folder.chmod(0o755)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(user + _OWN.format(folder=folder))
        self._write(())
        command = [str(_NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        self.process = subprocess.Popen(command)
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        log = self.folder / "error.log"
        return log.read_text()[-2000:] if log.exists() else ""

    def _write(self, away: tuple[int, ...]) -> None:
        text = _SHIPPED.read_text()
        for place, (example, port) in enumerate(zip(_EXAMPLES, self._ports, strict=True)):
            down = " down" if place in away else ""
            text, found = re.subn(f"server {example}(.*?);", rf"server 127.0.0.1:{port}\1{down};", text)
            assert found == 1
        assert text.count("listen 127.0.0.1:8080;") == 1
        (self.folder / "realreach.conf").write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{self._port}"))

    def take_out(self, *places: int) -> None:
        """Mark machines as down, as the configuration says, and wait until no worker has the old one."""
        before = self._workers()
        self._write(places)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 120
        while self._workers() & before or not self._workers():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def _workers(self) -> set[str]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(children.read_text().split())

    def end(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(120)


@pytest.fixture(scope="module")
def nginx(machines: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    if _NGINX is None:
        pytest.skip("nginx is not installed (on Debian: apt-get install nginx-light)")
    made = Nginx(tmp_path_factory.mktemp("nginx"), machines.ports)
    yield made
    made.end()


@pytest.fixture(scope="module")
def headers(machines: Any) -> dict[str, str]:
    """Of a key that the command line made on one machine, once both know it."""
    may = [word for scope in ("read", "score", "write") for word in ("--scope", scope)]
    often = ("--per-minute", "100000", "--per-day", "1000000")
    said = machines.command_line("keys", "create", "tool", *may, *often)
    sent = {"Authorization": f"Bearer {re.findall(r'rr_[0-9a-zA-Z_-]+', said)[0]}"}
    urls = [f"{machines.url(place)}/v1/versions" for place in range(2)]
    _until(lambda: [httpx.get(url, headers=sent, timeout=120).status_code for url in urls], [200, 200])
    return sent


def _until(look: Callable[[], Any], wanted: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, f"{found!r} and not {wanted!r} after {seconds:g} s"
        time.sleep(0.1)


def _answered(machines: Any, headers: dict[str, str], endpoint: str) -> list[int]:
    """How many requests for an endpoint each machine has answered."""
    counts = []
    for place in range(2):
        text = httpx.get(f"{machines.url(place)}/metrics", headers=headers, timeout=120, trust_env=False).text
        counted = rf'^realreach_requests_total{{[^}}]*endpoint="{endpoint}"[^}}]*}} (\S+)$'
        lines = re.findall(counted, text, re.MULTILINE)
        counts.append(int(sum(map(float, lines))))
    return counts


def test_requests_go_to_both_and_a_key_of_the_command_line_holds_on_both(
    machines: Any, nginx: Nginx, headers: dict[str, str]
) -> None:
    before = _answered(machines, headers, "recommend")
    for _ in range(12):
        answer = httpx.post(f"{nginx.url}/v1/recommend", json={"brief": "serum"}, headers=headers, timeout=120)
        assert answer.status_code == 200, answer.text
    after = _answered(machines, headers, "recommend")
    assert [now - then for now, then in zip(after, before, strict=True)] == [6, 6]
    assert httpx.get(f"{nginx.url}/v1/versions", timeout=120).status_code == 401


def _left(database: str) -> int:
    """How many rows of feedback the shared database holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALREACH_DATABASE", database)
        with store.connection() as one:
            rows = len(one.execute(store.feedback.select()).all())
        store._engine(store.url()).dispose()
    return rows


def test_a_write_repeated_through_the_other_machine_is_written_once(
    machines: Any, nginx: Nginx, headers: dict[str, str], cluster: Any
) -> None:
    before = _left(cluster.url)
    named = headers | {"Idempotency-Key": "decision-1"}
    urls = (machines.url(0), machines.url(1), nginx.url, nginx.url)
    answers = [httpx.post(f"{url}/v1/feedback", json={"decisions": [DECISION]}, headers=named) for url in urls]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    other = httpx.post(f"{nginx.url}/v1/feedback", json={"decisions": [DECISION, DECISION]}, headers=named)
    assert other.json()["code"] == "idempotency_conflict"
    assert _left(cluster.url) == before + 1


def test_a_job_left_with_one_machine_is_fetched_from_the_other(
    machines: Any, headers: dict[str, str], histories: list[dict[str, Any]]
) -> None:
    one, other = machines.url(0), machines.url(1)
    left = httpx.post(f"{one}/v1/jobs", json={"histories": histories, "checks": False}, headers=headers, timeout=120)
    assert left.status_code == 202, left.text
    job = f"{other}/v1/jobs/{left.json()['id']}"
    _until(lambda: httpx.get(job, headers=headers, timeout=120).json()["state"], "done")
    lines = httpx.get(f"{job}/result", headers=headers, timeout=120).text.splitlines()
    assert len(lines) == len(histories)
    assert all('"problem":null' in line for line in lines)


def test_a_catalogue_written_anew_is_taken_on_by_both(
    machines: Any, headers: dict[str, str], score_frame: pd.DataFrame
) -> None:
    def creators() -> list[int]:
        urls = [f"{machines.url(place)}/v1/versions" for place in range(2)]
        return [httpx.get(url, headers=headers, timeout=120).json()["creators"] for url in urls]

    assert creators() == [5, 5]
    machines.write_catalogue(score_frame.head(3))
    _until(creators, [3, 3])
    machines.write_catalogue(score_frame)
    _until(creators, [5, 5])


class _Asking(threading.Thread):
    """Asks through nginx for as long as it runs, and keeps what was answered."""

    def __init__(self, url: str, headers: dict[str, str], path: str, body: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._url, self._headers, self._path, self._body = url, headers, path, body
        self.stopped, self.statuses = threading.Event(), list[int | str]()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=120, trust_env=False) as client:
            while not self.stopped.is_set():
                try:
                    self.statuses.append(client.post(self._path, json=self._body).status_code)
                except httpx.HTTPError as error:
                    self.statuses.append(repr(error))
                time.sleep(0.02)


@contextlib.contextmanager
def _asking(url: str, headers: dict[str, str], *asked: tuple[str, dict[str, Any]]) -> Iterator[list[_Asking]]:
    threads = [_Asking(url, headers, path, body) for path, body in asked]
    for one in threads:
        one.start()
    try:
        yield threads
    finally:
        for one in threads:
            one.stopped.set()
        for one in threads:
            one.join(60)


def test_a_machine_that_is_taken_out_and_put_back_costs_no_request(
    machines: Any, nginx: Nginx, headers: dict[str, str], histories: list[dict[str, Any]]
) -> None:
    score = ("/v1/score", {"histories": histories, "checks": False})
    rank, leave = ("/v1/recommend", {"brief": "serum"}), ("/v1/feedback", {"decisions": [DECISION]})
    with _asking(nginx.url, headers, score, rank, leave) as threads:
        _until(lambda: all(len(one.statuses) > 5 for one in threads), True)
        nginx.take_out(0)
        machines.end(0)
        assert machines.processes[0].returncode == 0
        so_far = [len(one.statuses) for one in threads]
        _until(lambda: all(len(one.statuses) > n + 10 for one, n in zip(threads, so_far, strict=True)), True)
        machines.start(0)
        nginx.take_out()
        before = _answered(machines, headers, "recommend")[0]
        _until(lambda: _answered(machines, headers, "recommend")[0] > before + 5, True)
    assert [set(one.statuses) for one in threads] == [{200}, {200}, {201}]


def test_one_that_ends_without_being_taken_out_costs_no_ranking_and_none_at_all_is_said(
    machines: Any, nginx: Nginx, headers: dict[str, str]
) -> None:
    with _asking(nginx.url, headers, *[("/v1/recommend", {"brief": "serum"})] * 3) as threads:
        _until(lambda: all(len(one.statuses) > 5 for one in threads), True)
        machines.end(1)
        so_far = [len(one.statuses) for one in threads]
        _until(lambda: all(len(one.statuses) > n + 10 for one, n in zip(threads, so_far, strict=True)), True)
    assert {status for one in threads for status in one.statuses} == {200}
    machines.end(0)
    away = httpx.post(f"{nginx.url}/v1/recommend", json={"brief": "serum"}, headers=headers, timeout=120)
    assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "busy", "2")
