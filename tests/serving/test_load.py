import json
import shutil
import socketserver
import sqlite3
import subprocess
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from serving import benchmark_endurance
from serving.benchmark_service import Server, benchmark_environment
from serving.load import BROKEN, load, request_of
from training import tracking


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


def _twice_registered(champion_home: Path, home: Path) -> None:
    """A home whose champion has a second version of the same files."""
    shutil.copy(champion_home / "mlflow.db", home)
    with sqlite3.connect(home / "mlflow.db") as database:
        for table in ("model_versions", "model_version_tags"):
            columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
            copied = ", ".join("2" if name == "version" else name for name in columns)
            own = "name = 'authenticity' and version = 1"
            database.execute(f"insert into {table} select {copied} from {table} where {own}")  # noqa: S608


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads memory and who started whom from /proc")
def test_the_long_run_as_a_whole(
    champion_home: Path, score_frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _twice_registered(champion_home, tmp_path)
    score_frame.to_parquet(tmp_path / "catalogue.parquet", index=False)
    for name, value in benchmark_environment(tmp_path).items():  # which it sets itself, and leaves
        monkeypatch.setenv(name, value)
    short = {"BETWEEN_SWAPS": 2.0, "_AT_MOST": 1.0, "_EVERY": 0.2, "_AROUND_KILL": 8.0, "MOST_OF_THE_TIME": 0.3}
    for name, value in short.items():
        monkeypatch.setattr(benchmark_endurance, name, value)
    sections = benchmark_endurance.benchmark_endurance(tmp_path, 0.05, swaps=2)
    found = {section.name: section.figures.iloc[0] for section in sections}
    assert list(found) == ["swapping", "lasting", "killing"]
    swapping, lasting, killing = found.values()
    assert (swapping["swaps"], swapping["taken_on"], swapping["errors"]) == (2, 2, 0)
    assert swapping["answers_without_one_version"] == 0
    assert 0 < swapping["seconds_until_taken_on"] < 2 * 2.0
    assert (lasting["errors"], lasting["requests"] > 5) == (0, True)
    assert lasting["memory_mb"] > 100
    assert (killing["other_errors"], killing["requests"] > 20) == (0, True)
    assert killing["second_worker_there_after_s"] < 3
    assert tracking.resolve("authenticity").version == 1  # as it was
