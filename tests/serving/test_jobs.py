"""Batches in the background: scored as /score scores them, whatever ends meanwhile, and nobody else's."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import sqlalchemy as sa

from serving import jobs, store
from serving.job_worker import score_one
from serving.keys import create_key
from serving.models import load_champion
from serving.schemas import JobLine, JobRequest, ScoreRequest


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
    return tmp_path / "realreach.db"


def _many(histories: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """As many histories, repeated under other ids."""
    made = []
    for number in range(count):
        history = histories[number % len(histories)]
        rows = {name: [{**row, "creator_id": None} for row in history[name]] for name in ("posts", "snapshots")}
        made.append({"creator": {**history["creator"], "creator_id": f"c{number}"}, **rows})
    return made


def _submit(histories: list[dict[str, Any]], tenant: str = "ours", **options: Any) -> str:
    request = JobRequest.model_validate({"histories": histories, **options})
    with store.connection() as one:
        return jobs.submit(one, tenant, "test", request, "en").id


def _finish_all() -> None:
    while (part := jobs.claim()) is not None:
        jobs.finish(part, ["{}" for _ in part.request.histories], 0)


def test_a_part_is_claimed_once_and_its_histories_are_wiped(database: Path, histories: list[dict[str, Any]]) -> None:
    job_id = _submit(_many(histories[:1], 250))
    claimed = [jobs.claim() for _ in range(4)]
    assert [part and (part.first, len(part.request.histories)) for part in claimed] == [
        (0, 100),
        (100, 100),
        (200, 50),
        None,
    ]
    first = claimed[0]
    assert first is not None
    jobs.finish(first, ["{}"] * 100, 3)
    told = jobs.show_job("ours", job_id)
    assert (told.state, told.scored, told.refused, told.finished_at) == ("running", 97, 3, None)
    with sqlite3.connect(database) as one:
        kept = one.execute("select histories is null from job_parts order by number").fetchall()
    assert kept == [(1,), (0,), (0,)]


def test_what_a_dead_worker_held_goes_to_another(
    database: Path, histories: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _submit(histories[:1])
    dead = jobs.claim()
    assert dead is not None
    assert jobs.claim() is None
    monkeypatch.setattr(jobs, "STALE", timedelta(seconds=-1))
    again = jobs.claim()
    assert again is not None
    assert again.attempts == 2
    assert not jobs.still_mine(dead)
    jobs.finish(dead, ["{}"], 0)  # it was not dead after all: too late
    assert jobs.show_job("ours", job_id).state == "running"
    jobs.give_back(again)
    last = jobs.claim()
    assert last is not None
    assert last.attempts == 2


def test_jobs_take_turns(database: Path, histories: list[dict[str, Any]]) -> None:
    large, small = _submit(_many(histories[:1], 201)), _submit(histories[:1])
    order = []
    while (part := jobs.claim()) is not None:
        order.append(part.job_id)
    assert order == [large, small, large, large]


def test_another_tenant_sees_nothing(database: Path, histories: list[dict[str, Any]]) -> None:
    job_id = _submit(histories[:1])
    _finish_all()
    assert b"".join(jobs.result("ours", job_id)) == b"{}\n"
    assert jobs.list_jobs("theirs").jobs == []
    for ask in (jobs.show_job, jobs.result, lambda tenant, one: jobs.erase(tenant, "test", one)):
        with pytest.raises(jobs.UnknownJobError):
            ask("theirs", job_id)
    assert [one.id for one in jobs.list_jobs("ours").jobs] == [job_id]


def test_old_jobs_are_erased_with_all_they_hold(database: Path, histories: list[dict[str, Any]]) -> None:
    old, new = _submit(histories[:1]), _submit(histories[1:2])
    with store.connection() as one:
        past = store.jobs.update().where(store.jobs.c.id == old)
        one.execute(past.values(received_at=store.now() - jobs.KEPT - timedelta(minutes=1)))
    assert [one.id for one in jobs.list_jobs("ours").jobs] == [new]
    assert jobs.erase_old() == 1
    with store.connection() as one:
        assert one.execute(sa.select(store.job_parts.c.job_id)).scalars().all() == [new]


def test_a_result_is_there_when_all_of_it_is(database: Path, histories: list[dict[str, Any]]) -> None:
    job_id = _submit(_many(histories[:1], 150))
    part = jobs.claim()
    assert part is not None
    jobs.finish(part, ["{}"] * 100, 0)
    with pytest.raises(jobs.JobNotDoneError):
        jobs.result("ours", job_id)


def test_a_history_that_breaks_the_contract_costs_its_own_line(
    champion_home: Path, database: Path, histories: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    model = load_champion()
    broken = json.loads(json.dumps(histories[1]))
    broken["posts"][1]["post_id"] = broken["posts"][0]["post_id"]
    _submit([histories[0], broken])
    part = jobs.claim()
    assert part is not None
    fine, refused = (score_one(part, place, one, model) for place, one in enumerate(part.request.histories))
    assert (fine.index, fine.problem) == (0, None)
    assert (refused.index, refused.report) == (1, None)
    assert refused.problem is not None
    assert refused.problem.code == "invalid_request"
    assert {field.path.rpartition("/")[0] for field in refused.problem.errors} == {"/posts/0", "/posts/1"}


def _done(client: httpx.Client, job_id: str, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (told := client.get(f"/v1/jobs/{job_id}").raise_for_status().json())["state"] != "done":
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    return told


def _result(client: httpx.Client, job_id: str) -> list[JobLine]:
    answer = client.get(f"/v1/jobs/{job_id}/result").raise_for_status()
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [JobLine.model_validate_json(line) for line in answer.content.split(b"\n") if line]


@pytest.fixture
def client(service_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service_url, timeout=120, trust_env=False) as one:
        yield one


@pytest.mark.slow
class TestService:
    def test_a_job_says_what_score_says(self, client: httpx.Client, histories: list[dict[str, Any]]) -> None:
        many = _many(histories, 130)
        submitted = client.post("/v1/jobs", json={"histories": many, "language": "vi", "checks": False})
        assert submitted.status_code == 202
        job = submitted.json()
        assert submitted.headers["location"] == f"/v1/jobs/{job['id']}"
        assert job["histories"] == 130
        told = _done(client, job["id"])
        assert (told["scored"], told["refused"]) == (130, 0)
        lines = _result(client, job["id"])
        assert [line.index for line in lines] == list(range(130))
        assert [line.creator_id for line in lines] == [one["creator"]["creator_id"] for one in many]
        asked = {"histories": many[:7], "language": "vi", "checks": False, "as_of": told["as_of"]}
        scored = client.post("/v1/score", json=asked).raise_for_status().json()
        assert [line.report and line.report.model_dump(mode="json") for line in lines[:7]] == scored["reports"]
        assert {line.notice for line in lines} == {scored["notice"]}

    def test_a_job_can_be_listed_and_erased(self, client: httpx.Client, histories: list[dict[str, Any]]) -> None:
        job = client.post("/v1/jobs", json={"histories": histories}).json()["id"]
        assert job in {one["id"] for one in client.get("/v1/jobs").json()["jobs"]}
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        for answer in (client.get(f"/v1/jobs/{job}"), client.delete(f"/v1/jobs/{job}")):
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")

    def test_a_named_job_is_submitted_once(self, client: httpx.Client, histories: list[dict[str, Any]]) -> None:
        named = {"Idempotency-Key": "nightly"}
        first, second = (client.post("/v1/jobs", json={"histories": histories}, headers=named) for _ in range(2))
        assert first.json()["id"] == second.json()["id"]
        other = client.post("/v1/jobs", json={"histories": histories[:1]}, headers=named)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")

    def test_what_is_wrong_is_named_before_anything_is_kept(self, client: httpx.Client) -> None:
        before = client.get("/v1/jobs").json()
        answer = client.post("/v1/jobs", json={"histories": [{"creator": {"creator_id": "x"}, "posts": []}]})
        assert answer.status_code == 400
        assert "/histories/0/creator/platform" in {one["path"] for one in answer.json()["errors"]}
        assert client.get("/v1/jobs").json() == before


@pytest.mark.slow
def test_a_job_survives_its_worker(
    own_server: tuple[str, subprocess.Popen[bytes]], histories: list[dict[str, Any]], tmp_path: Path
) -> None:
    url, process = own_server
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        job = client.post("/v1/jobs", json={"histories": _many(histories, 400), "checks": False}).json()["id"]
        deadline = time.monotonic() + 120
        while client.get(f"/v1/jobs/{job}").json()["scored"] < 100:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers = subprocess.run(
            ["pgrep", "-f", "-P", str(process.pid), "."], capture_output=True, text=True, check=True
        )
        for worker in workers.stdout.split():
            os.kill(int(worker), signal.SIGKILL)
        # what the dead worker held is taken over as soon as nothing was heard of it for a while
        deadline = time.monotonic() + 150
        told: dict[str, Any] = {}
        while told.get("state") != "done":
            assert time.monotonic() < deadline, told
            time.sleep(0.5)
            try:
                told = client.get(f"/v1/jobs/{job}").json()
            except httpx.HTTPError:
                continue
        assert (told["scored"], told["refused"]) == (400, 0)
        lines = _result(client, job)
    assert [line.index for line in lines] == list(range(400))


@pytest.mark.slow
def test_jobs_of_another_tenant_are_unknown(
    serve_closed: Callable[[Path], str], tmp_path: Path, database: Path, histories: list[dict[str, Any]]
) -> None:
    sent = {tenant: create_key(tenant, frozenset({"score"}), tenant=tenant)[1] for tenant in ("ours", "theirs")}
    url = serve_closed(tmp_path)

    def ask(tenant: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {sent[tenant]}"}
        return httpx.request(method, f"{url}{path}", headers=headers, timeout=120, trust_env=False, **more)

    job = ask("ours", "POST", "/v1/jobs", json={"histories": histories}).json()["id"]
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        refused = ask("theirs", method, f"/v1/jobs/{job}{path}")
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_job")
    assert ask("theirs", "GET", "/v1/jobs").json() == {"jobs": []}
    assert ask("ours", "GET", f"/v1/jobs/{job}").status_code == 200


def test_a_job_is_as_of_what_was_known_last(database: Path, histories: list[dict[str, Any]]) -> None:
    job_id = _submit(histories)
    latest = max(
        pd.Timestamp(row["observed_at"]) for one in histories for name in ("posts", "snapshots") for row in one[name]
    )
    assert pd.Timestamp(jobs.show_job("ours", job_id).as_of) == latest
    part = jobs.claim()
    assert part is not None
    assert isinstance(part.request, ScoreRequest)
    assert part.request.as_of is not None
    assert pd.Timestamp(part.request.as_of) == latest
