"""Feedback: written whole, once, and read by nobody but its tenant."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pandas as pd
import pytest
from starlette.testclient import TestClient

from features.tables import check_tables
from serving import store
from serving.api import make_api
from serving.current import Current
from serving.schemas import FeedbackRequest
from serving.writes import feedback_tables, leave_feedback

DECISION = {
    "brand_id": "b1",
    "creator_id": "an",
    "decided_at": "2026-01-12T09:30:00Z",
    "decision": "yes",
    "position": 1,
}
COLLABORATION = {"brand_id": "b1", "creator_id": "an", "started_at": "2026-01-20T00:00:00Z", "price": 120.5}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    monkeypatch.delenv("REALREACH_DATABASE", raising=False)
    return tmp_path / "realreach.db"


@pytest.fixture
def client(database: Path) -> TestClient:
    return TestClient(make_api(Current()), base_url="http://127.0.0.1")


def test_feedback_becomes_tables_of_the_contract(client: TestClient) -> None:
    answer = client.post("/feedback", json={"decisions": [DECISION], "collaborations": [COLLABORATION]})
    assert (answer.status_code, answer.json()) == (201, {"decisions": 1, "collaborations": 1})
    assert client.post("/feedback", json={"decisions": [DECISION | {"decision": "no"}, DECISION]}).status_code == 201
    tables = feedback_tables()
    assert tables["decisions"]["decision"].tolist() == ["yes", "no"]
    creators = pd.DataFrame({"creator_id": ["an"], "platform": "tiktok", "followers": [10]})
    posts = pd.DataFrame(columns=["creator_id", "post_id", "published_at", "likes", "comments"])
    checked = check_tables({"creators": creators, "posts": posts, **tables})
    assert checked["collaborations"]["price"].tolist() == [120.5]


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, ""), ({"decisions": [DECISION | {"decision": "perhaps"}]}, "/decisions/0/decision")],
)
def test_what_cannot_be_read_is_not_written(client: TestClient, body: dict[str, object], path: str) -> None:
    answer = client.post("/feedback", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, path)
    assert feedback_tables() == {}


def test_a_named_write_happens_once(client: TestClient) -> None:
    headers = {"Idempotency-Key": "order-7"}
    with ThreadPoolExecutor(4) as pool:
        sent = [
            pool.submit(client.post, "/feedback", json={"decisions": [DECISION]}, headers=headers) for _ in range(8)
        ]
    assert {(one.result().status_code, one.result().text) for one in sent} == {
        (201, '{"decisions":1,"collaborations":0}')
    }
    other = client.post("/feedback", json={"collaborations": [COLLABORATION]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    with store.connection() as one:
        assert len(one.execute(store.feedback.select()).all()) == 1
    too_long = client.post("/feedback", json={"decisions": [DECISION]}, headers={"Idempotency-Key": "x" * 201})
    assert too_long.json()["errors"][0]["path"] == "Idempotency-Key"


def test_a_tenant_reads_its_own(database: Path) -> None:
    for tenant, brand in (("one", "b1"), ("two", "b2")):
        request = FeedbackRequest.model_validate_json(json.dumps({"decisions": [DECISION | {"brand_id": brand}]}))
        with store.connection() as connection:
            leave_feedback(connection, tenant, "key x", request)
    assert feedback_tables("two")["decisions"]["brand_id"].tolist() == ["b2"]
    assert len(feedback_tables()["decisions"]) == 2


def test_a_database_that_is_gone_refuses_writes_and_nothing_else(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    answer = client.post("/feedback", json={"decisions": [DECISION]})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "store_unavailable", "2")
    assert client.get("/versions").status_code == 200


@pytest.mark.slow
def test_feedback_from_the_command_line(service_url: str, service_folder: Path, tmp_path: Path) -> None:
    own = DECISION | {"brand_id": "of this test"}  # other tests leave feedback at the same server
    assert httpx.post(f"{service_url}/v1/feedback", json={"decisions": [own]}, trust_env=False).status_code == 201
    out = tmp_path / "left"
    command = [sys.executable, "-m", "realreach", "feedback", "--out", str(out)]
    environment = os.environ | {"REALREACH_DATABASE": f"sqlite:///{service_folder / 'realreach.db'}"}
    for code in (0, 1):  # the second finds the folder full
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == code, ended.stderr
    assert "is not empty" in ended.stderr
    decisions = pd.read_parquet(out / "decisions.parquet")
    assert decisions.loc[decisions["brand_id"] == "of this test", "creator_id"].tolist() == ["an"]
