"""What goes wrong with the SQLite file under a running service: locked by another program, full disk, taken away."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import store
from serving.keys import create_key

DECISION = {"brand_id": "b1", "creator_id": "an", "decided_at": "2026-01-12T09:30:00Z", "decision": "yes"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on a disk of eight megabytes, where this user may mount one; else any folder."""
    folder = tmp_path_factory.mktemp("disk")
    options = ["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)]
    mounted = (
        sys.platform == "linux"
        and os.geteuid() == 0
        and subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    )
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Asking:
    """Asks a service as the holder of a key."""

    def __init__(self, url: str, key: str, file: Path) -> None:
        self.url, self.file = url, file
        self._headers = {"Authorization": f"Bearer {key}"}

    def ask(self, path: str, body: dict[str, Any], name: str = "") -> httpx.Response:
        headers = self._headers | ({"Idempotency-Key": name} if name else {})
        return httpx.post(f"{self.url}/v1/{path}", json=body, headers=headers, timeout=120, trust_env=False)

    def leave(self, rows: int = 1, name: str = "") -> httpx.Response:
        return self.ask("feedback", {"decisions": [DECISION] * rows}, name)

    def read(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}/v1/{path}", headers=self._headers, timeout=120, trust_env=False)

    def rows(self) -> int:
        with sqlite3.connect(self.file) as database:
            return int(database.execute("select count(*) from feedback").fetchone()[0])


@pytest.fixture(scope="module")
def asking(
    disk: Path, serve_closed: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asking]:
    file = disk / "realreach.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALREACH_DATABASE", f"sqlite:///{file}")
        _, sent = create_key("tool", frozenset({"read", "score", "write"}), per_minute=100_000)
        url = serve_closed(tmp_path_factory.mktemp("service"))
        yield Asking(url, sent, file)
        store._engine(store.url()).dispose()


def _refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.text
    assert int(answer.headers["retry-after"]) > 0


def _goes_on(asking: Asking, histories: list[dict[str, Any]]) -> None:
    assert asking.ask("score", {"histories": histories, "checks": False}).status_code == 200
    assert asking.ask("recommend", {"brief": "serum"}).status_code == 200
    assert asking.read("creators/an").status_code == 200


def _until_written(asking: Asking, name: str) -> None:
    deadline = time.monotonic() + 120
    while (answer := asking.leave(name=name)).status_code != 201:
        _refused(answer)
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_locked_by_another_program(asking: Asking, histories: list[dict[str, Any]]) -> None:
    before = asking.rows()
    other = sqlite3.connect(asking.file, isolation_level=None)
    try:
        other.execute("begin immediate")
        started = time.monotonic()
        _refused(asking.leave(name="locked"))
        assert 4 < time.monotonic() - started < 15  # it waits for the other one, and not for ever
        _refused(asking.ask("jobs", {"histories": histories}))
        _goes_on(asking, histories)
    finally:
        other.execute("rollback")
        other.close()
    assert asking.rows() == before
    _until_written(asking, "locked")
    assert asking.leave(name="locked").status_code == 201
    assert asking.rows() == before + 1


def test_a_lock_that_is_given_back_in_time_costs_a_wait(asking: Asking) -> None:
    before = asking.rows()
    other = sqlite3.connect(asking.file, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    giving_back = threading.Timer(1.5, other.execute, ["rollback"])
    giving_back.start()
    assert asking.leave().status_code == 201
    giving_back.join()
    other.close()
    assert asking.rows() == before + 1


def test_a_full_disk(asking: Asking, disk: Path, histories: list[dict[str, Any]]) -> None:
    if not os.path.ismount(disk):
        pytest.skip("no small disk here: only root on Linux may mount one")
    before = asking.rows()
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0
    # more than the free end of the database's last pages
    _refused(asking.leave(200, name="full"))
    _refused(asking.ask("jobs", {"histories": histories}))
    _goes_on(asking, histories)
    assert asking.rows() == before
    filling.unlink()
    deadline = time.monotonic() + 120
    while (answer := asking.leave(200, name="full")).status_code != 201:
        _refused(answer)
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert asking.rows() == before + 200
    with sqlite3.connect(asking.file) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


@contextlib.contextmanager
def _taken_away(asking: Asking, away: Path) -> Iterator[None]:
    """The database with what SQLite keeps beside it."""
    away.mkdir()
    files = sorted(asking.file.parent.glob(f"{asking.file.name}*"))
    assert files[0] == asking.file
    for one in files:
        one.rename(away / one.name)
    yield
    for one in reversed(files):
        (away / one.name).replace(one)


def test_taken_away_and_put_back(asking: Asking, disk: Path, histories: list[dict[str, Any]]) -> None:
    assert asking.leave().status_code == 201
    before = asking.rows()
    with _taken_away(asking, disk / "away"):
        _refused(asking.leave(name="gone"))
        _refused(asking.ask("jobs", {"histories": histories}))
        _goes_on(asking, histories)
        assert not asking.file.exists()  # none is begun anew in its place
    _until_written(asking, "gone")
    assert asking.rows() == before + 1


def test_no_database_in_its_place(asking: Asking, disk: Path, histories: list[dict[str, Any]]) -> None:
    before = asking.rows()
    with _taken_away(asking, disk / "kept"):
        asking.file.write_bytes(b"no database" * 1000)
        _refused(asking.leave(name="garbage"))
        _goes_on(asking, histories)
    _until_written(asking, "garbage")
    assert asking.rows() == before + 1
