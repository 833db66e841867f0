"""The same store in SQLite and in a real PostgreSQL: keys, uses, feedback and jobs, also by two at once."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from serving import decisions, jobs, store
from serving.keys import create_key, find, list_keys, revoke_key
from serving.schemas import FeedbackRequest, JobRequest
from serving.writes import OtherBodyError, feedback_tables, leave_feedback, write_once

DECISION = {"brand_id": "b1", "creator_id": "an", "decided_at": "2026-01-12T09:30:00Z", "decision": "yes"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "sqlite":
        monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
        yield "sqlite"
        return
    monkeypatch.setenv("REALREACH_DATABASE", request.getfixturevalue("cluster").url)
    with store.connection() as one:
        for table in reversed(store.metadata.sorted_tables):
            one.execute(table.delete())
    yield "postgresql"
    store._engine(store.url()).dispose()


@pytest.mark.slow
def test_keys(database: str) -> None:
    key, sent = create_key("tool", frozenset({"read"}), tenant="ours")
    assert find(sent, {one.id: one for one in list_keys()}) == key
    revoke_key(key.id)
    assert find(sent, {one.id: one for one in list_keys()}) is None


@pytest.mark.slow
def test_who_reads_and_who_writes_do_not_wait_for_each_other(database: str) -> None:
    create_key("first", frozenset({"read"}))
    with store.connection() as writer:
        store.note(writer, "test", "held", "open")
        assert [key.name for key in list_keys()] == ["first"]
        assert decisions.lists_of("ours") == []
        assert jobs.list_jobs("ours").jobs == []
        assert feedback_tables("ours") == {}
        assert store.count_uses({}, date(2026, 1, 10)) == {}
    with store.reading() as reader:
        assert reader.execute(sa.select(sa.func.count()).select_from(store.keys)).scalar() == 1
        create_key("second", frozenset({"read"}))
    assert len(list_keys()) == 2


@pytest.mark.slow
def test_who_reads_writes_nothing(database: str) -> None:
    with pytest.raises(store.StoreError, match=r"read-?only"), store.reading() as one:
        store.note(one, "test", "written", "nothing")
    create_key("then", frozenset({"read"}))  # by the same connection


@pytest.mark.slow
def test_uses_of_several_processes_add_up(database: str) -> None:
    day = date(2026, 1, 10)
    store.count_uses({}, day)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.count_uses({"k": 3, "l": 1}, day), range(24)))
    assert store.count_uses({}, day) == {"k": 72, "l": 24}


@pytest.mark.slow
def test_a_named_write_of_several_at_once_happens_once(database: str) -> None:
    left = FeedbackRequest.model_validate({"decisions": [DECISION]})
    write = partial(leave_feedback, tenant="ours", who="test", request=left)
    feedback_tables("ours")
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: write_once("ours", "/v1/feedback", "k1", b"body", write), range(16)))
    assert len(answers) == 1
    with store.connection() as one:
        assert len(one.execute(store.feedback.select()).all()) == 1
    with pytest.raises(OtherBodyError):
        write_once("ours", "/v1/feedback", "k1", b"another", write)
    assert feedback_tables("theirs") == {}


@pytest.mark.slow
def test_parts_of_jobs_are_claimed_once_by_many(database: str, histories: list[dict[str, Any]]) -> None:
    rows = [{**histories[0], "posts": [], "snapshots": []}] * 1_000
    many = [{**one, "creator": {**one["creator"], "creator_id": f"c{number}"}} for number, one in enumerate(rows)]
    with store.connection() as one:
        job = jobs.submit(one, "ours", "test", JobRequest.model_validate({"histories": many}), "en").id
    claimed: list[jobs.Part] = []

    def work(_: int) -> None:
        deadline = time.monotonic() + 120
        while len(claimed) < 10 and time.monotonic() < deadline:
            if part := jobs.claim():  # None also where another one was faster
                claimed.append(part)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert jobs.claim() is None
    assert sorted(part.number for part in claimed) == list(range(10))
    for part in claimed:
        jobs.finish(part, [f'{{"n": {part.number}}}'] * len(part.request.histories), 0)
    told = jobs.show_job("ours", job)
    assert (told.state, told.scored) == ("done", 1_000)
    assert b"".join(jobs.result("ours", job)).splitlines()[::100] == [b'{"n": %d}' % number for number in range(10)]


@pytest.mark.slow
def test_a_postgresql_that_is_gone_is_said_and_used_again_when_back(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", cluster.url)
    _, sent = create_key("tool", frozenset({"read"}))
    cluster.stop()
    with pytest.raises(store.StoreError, match="cannot be used"):
        list_keys()
    cluster.start()
    deadline = time.monotonic() + 120
    while True:
        try:
            known = {one.id: one for one in list_keys()}
            break
        except store.StoreError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert find(sent, known) is not None
    store._engine(store.url()).dispose()


@pytest.mark.slow
def test_the_service_scores_on_while_its_postgresql_is_gone(
    cluster: Any,
    serve_closed: Callable[[Path], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    histories: list[dict[str, Any]],
) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", cluster.url)
    _, sent = create_key("tool", frozenset({"read", "score", "write"}))
    url = serve_closed(tmp_path)

    def ask(path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {sent}"}
        return httpx.post(f"{url}/v1/{path}", json=body, headers=headers, timeout=120, trust_env=False)

    assert ask("feedback", {"decisions": [DECISION]}).status_code == 201
    cluster.stop()
    for path, body in (("feedback", {"decisions": [DECISION]}), ("jobs", {"histories": histories})):
        refused = ask(path, body)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert int(refused.headers["retry-after"]) > 0
    assert ask("score", {"histories": histories, "checks": False}).status_code == 200
    assert ask("recommend", {"brief": "serum"}).status_code == 200
    cluster.start()
    deadline = time.monotonic() + 120
    while ask("feedback", {"decisions": [DECISION]}).status_code != 201:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with store.connection() as one:
        assert len(one.execute(store.feedback.select().where(store.feedback.c.tenant == "default")).all()) == 2
    store._engine(store.url()).dispose()
