import json
import socketserver
import subprocess
import threading
from typing import Any

import pytest

from serving import benchmark_endurance
from serving.benchmark_service import Server
from serving.load import BROKEN, load, request_of


@pytest.mark.slow
def test_load_asks_as_often_as_it_is_told_and_keeps_what_was_answered(service_url: str) -> None:
    good = request_of(service_url, "/v1/recommend", json.dumps({"brief": "serum", "k": 1}).encode())
    bad = request_of(service_url, "/v1/recommend", b"{}")
    paced = load(service_url, [good, bad], connections=3, seconds=2, rate=20)
    assert set(paced.statuses.tolist()) == {200, 400}
    assert 30 <= len(paced.seconds) <= 41
    assert paced.rate == pytest.approx((paced.statuses == 200).sum() / paced.took)
    assert 0 < paced.quantile(0.5) <= paced.quantile(0.99)
    fast = load(service_url, [good], connections=2, seconds=1)
    assert len(fast.seconds) > 2
    assert (fast.statuses == 200).all()


class _Fragile(socketserver.StreamRequestHandler):
    """Answers two requests of a connection and breaks the third one off."""

    def handle(self) -> None:
        for number in range(3):
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            if number == 2:
                return
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version":"7"}')


def test_what_breaks_off_is_counted_and_the_load_goes_on() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Fragile) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        told: list[tuple[int, bytes]] = []
        run = load(
            url,
            [request_of(url, "/", b"{}")],
            connections=2,
            seconds=1,
            rate=60,
            seen=lambda _, status, body: told.append((status, body)),
        )
        server.shutdown()
    broken = int((run.statuses == BROKEN).sum())
    assert broken == pytest.approx(len(run.statuses) / 3, abs=2)
    assert broken > 5
    assert set(told) == {(200, b'{"version":"7"}'), (BROKEN, b"")}
    assert len(told) == len(run.statuses)
    assert (run.ended[1:] >= 0).all()


@pytest.mark.slow
def test_a_long_run_counts_what_failed_and_what_memory_grew(
    own_server: tuple[str, subprocess.Popen[bytes]], histories: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, process = own_server
    monkeypatch.setattr(benchmark_endurance, "_EVERY", 0.2)
    server = Server(url, process.pid)
    assert len(benchmark_endurance.workers(process.pid)) == 1
    body = json.dumps({"histories": histories[:1], "checks": False}).encode()
    good, bad = request_of(url, "/v1/score", body), request_of(url, "/v1/score", b"{}")
    figures = benchmark_endurance._lasting(server, [good, good, bad], rate=20, minutes=0.05).figures.iloc[0]
    assert figures["errors"] == pytest.approx(figures["requests"] / 3, abs=2)
    assert 100 < figures["memory_mb"] < 5_000
    assert abs(figures["memory_grew"]) < 0.5
