"""Keys, scopes, rates and quotas, asked of a real server and of the parts."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving import store
from serving.access import Access, Keyring
from serving.api import OPERATIONS, ROOT, scope_needed
from serving.keys import SCOPES, UnknownKeyError, create_key, find, list_keys, revoke_key

PUBLIC = ("/livez", "/readyz", "/healthz", "/docs", "/docs.json")
PROTECTED = [
    *((one.method, f"{ROOT}{one.path.replace('{creator_id}', 'an')}", one.scope) for one in OPERATIONS),
    ("GET", "/review/", "read"),
    ("GET", "/review/creators/an", "read"),
    ("GET", "/review/static/review.css", "read"),
    ("GET", "/metrics", "read"),
    ("GET", "/v1/nowhere", "read"),
    ("GET", "/schema.json", "admin"),
    ("POST", "/anything/else", "admin"),
]
#: Refused to a key with the right scope too, where the form's token is missing.
FORMS = [
    ("POST", "/review/votes", "write"),
    ("POST", "/review/lists/x/links", "write"),
    ("POST", "/review/shared/x", "write"),
]


@pytest.fixture
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    monkeypatch.delenv("REALREACH_DATABASE", raising=False)
    return tmp_path / "realreach.db"


def test_a_key_is_stored_as_a_digest_and_found_by_its_secret(own_store: Path) -> None:
    key, sent = create_key("tool", frozenset({"read"}))
    known = {one.id: one for one in list_keys()}
    assert known == {key.id: key}
    assert find(sent, known) == key
    secret = sent.partition("_")[2].partition("_")[2]
    assert len(secret) > 40
    assert secret not in own_store.read_bytes().decode("latin-1")
    for wrong in ("", "rr", sent[:-1], f"{sent}x", sent.replace("rr_", "xx_"), f"rr_{key.id}_", f"rr__{secret}"):
        assert find(wrong, known) is None


def test_a_revoked_key_holds_no_more_and_is_told(own_store: Path) -> None:
    key, sent = create_key("tool", frozenset({"read"}))
    revoke_key(key.id)
    assert find(sent, {one.id: one for one in list_keys()}) is None
    with pytest.raises(UnknownKeyError, match="keys list"):
        revoke_key(key.id)
    with store.connection() as one:
        actions = [(row.action, row.about) for row in one.execute(store.audit.select())]
    assert actions == [("key created", key.id), ("key revoked", key.id)]


def test_rate_and_quota_say_when_to_come_back(own_store: Path) -> None:
    fast, _ = create_key("fast", frozenset({"read"}), per_minute=3)
    few, _ = create_key("few", frozenset({"read"}), per_day=2)
    keyring = Keyring()
    keyring.refresh()
    assert [keyring.wait(fast) for _ in range(3)] == [None] * 3
    code, seconds = keyring.wait(fast) or ("", 0)
    assert code == "rate_limited"
    assert 1 <= seconds <= 60
    assert keyring.wait(few) is None
    other = Keyring()  # another process
    other.refresh()
    assert other.wait(few) is None
    keyring.refresh()
    other.refresh()
    for one in (keyring, other):
        one.refresh()
        code, seconds = one.wait(few) or ("", 0)
        assert code == "quota_exceeded"
        assert 1 <= seconds <= 86_400


def test_keys_hold_while_the_database_cannot_be_used(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, sent = create_key("tool", frozenset({"read"}), per_day=3)
    keyring = Keyring()
    keyring.refresh()
    assert keyring.wait(key) is None
    with monkeypatch.context() as gone:
        gone.setenv("REALREACH_DATABASE", f"sqlite:///{own_store.parent / 'no' / 'such' / 'folder.db'}")
        keyring.refresh()
        assert keyring.find(sent) == key
        assert keyring.wait(key) is None
        with pytest.raises(store.StoreError, match="cannot be used"):
            list_keys()
    locked = sqlite3.connect(own_store, isolation_level=None)
    monkeypatch.setattr(store, "_LOCKED_SECONDS", 0)
    locked.execute("begin exclusive")
    keyring.refresh()
    assert keyring.find(sent) == key
    locked.execute("rollback")
    locked.close()
    keyring.refresh()  # what was counted meanwhile is written
    with store.connection() as one:
        assert [row.requests for row in one.execute(store.uses.select())] == [2]


def test_every_operation_names_its_scope() -> None:
    assert {one.path: one.scope for one in OPERATIONS} == {
        "/score": "score",
        "/recommend": "read",
        "/fit": "score",
        "/lookalikes": "read",
        "/feedback": "write",
        "/jobs": "score",
        "/jobs/{job_id}": "score",
        "/jobs/{job_id}/result": "score",
        "/creators/{creator_id}": "read",
        "/versions": "read",
    }
    for method, path, scope in (*PROTECTED, *FORMS):
        assert scope_needed(path, method) == scope, (method, path)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/review/shared/WyJh.b-_c", 200),
        ("HEAD", "/review/shared/WyJh.b-_c", 200),
        ("GET", "/review/shared/static/review.css", 200),
        ("POST", "/review/shared/WyJh.b-_c", 401),
        ("DELETE", "/review/shared/WyJh.b-_c", 401),
        ("GET", "/review/shared/", 401),
        ("GET", "/review/shared/../creators/an", 401),
        ("GET", "/review/shared/%2e%2e/creators/an", 401),
        ("GET", "/review/shared/x/y", 401),
        ("GET", "/review/shared/static/../../lists", 401),
        ("GET", "/review/sharedx", 401),
        ("GET", "/review/lists", 401),
    ],
)
def test_a_shared_list_and_nothing_beside_it_needs_no_key(method: str, path: str, status: int) -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await PlainTextResponse("")(scope, receive, send)

    async def nothing() -> Message:
        return {"type": "http.request"}

    answers: list[Message] = []

    async def keep(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": method, "path": unquote(path), "headers": []}
    asyncio.run(Access(app, Keyring(), scope_needed)(scope, nothing, keep))
    assert answers[0]["status"] == status
    assert asked == ([unquote(path)] if status == 200 else [])


@pytest.fixture(scope="module")
def locked_url(
    champion_home: Path, tmp_path_factory: pytest.TempPathFactory, serve_closed: Callable[[Path], str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that asks for keys, and keys by what they are."""
    folder = tmp_path_factory.mktemp("closed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALREACH_DATABASE", f"sqlite:///{folder / 'keys.db'}")
        keys = {scope: create_key(scope, frozenset({scope}))[1] for scope in SCOPES}
        revoked, keys["revoked"] = create_key("revoked", frozenset({"admin"}))
        revoke_key(revoked.id)
        keys["wrong"] = keys["admin"][:-1] + ("A" if keys["admin"][-1] != "A" else "B")
        yield serve_closed(folder), keys


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_nobody_gets_in_without_the_right_key(
    locked_url: tuple[str, dict[str, str]], method: str, path: str, scope: str
) -> None:
    url, keys = locked_url

    def ask(name: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {keys[name]}"} if name else {}
        return httpx.request(method, f"{url}{path}", headers=headers, timeout=120, trust_env=False)

    for name in ("", "wrong", "revoked"):
        refused = ask(name)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized"), name
        assert refused.headers["www-authenticate"].startswith("Basic" if "/review" in path else "Bearer")
    for name in SCOPES:
        answer = ask(name)
        if name in (scope, "admin"):
            assert answer.status_code not in (401, 403, 429), name
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), name


@pytest.mark.slow
def test_public_addresses_and_the_password_of_a_browser(locked_url: tuple[str, dict[str, str]]) -> None:
    url, keys = locked_url
    for path in PUBLIC:
        assert httpx.get(f"{url}{path}", timeout=120, trust_env=False).status_code == 200, path
    page = httpx.get(f"{url}/review/", auth=("anybody", keys["read"]), timeout=120, trust_env=False)
    assert page.status_code == 200
    assert httpx.get(f"{url}/review/", auth=("x", "y"), timeout=120, trust_env=False).status_code == 401


@pytest.mark.slow
def test_a_running_server_notices_new_and_revoked_keys(
    locked_url: tuple[str, dict[str, str]],
) -> None:
    url, _ = locked_url
    key, sent = create_key("later", frozenset({"read"}))

    def until(status: int) -> None:
        deadline = time.monotonic() + 120
        headers = {"Authorization": f"Bearer {sent}"}
        while httpx.get(f"{url}/v1/versions", headers=headers, trust_env=False).status_code != status:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    until(200)
    revoke_key(key.id)
    until(401)


@pytest.mark.slow
def test_open_answers_this_machine_by_its_own_name_only(service_url: str) -> None:
    answer = httpx.get(f"{service_url}/v1/versions", headers={"Host": "evil.example"}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_local")


def test_open_is_refused_on_an_address_that_others_reach() -> None:
    command = [sys.executable, "-m", "realreach", "serve", "--open", "--host", "0.0.0.0"]  # noqa: S104
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert "--open answers anybody" in ended.stderr


def test_keys_from_the_command_line(own_store: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "realreach", "keys", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    made = run("create", "agency", "--scope", "score", "--per-minute", "30")
    assert made.returncode == 0, made.stderr
    sent = made.stdout.splitlines()[-1]
    key = list_keys()[0]
    assert find(sent, {key.id: key}) == key
    assert (key.scopes, key.per_minute) == (frozenset({"score"}), 30)
    assert "agency" in run("list").stdout
    assert run("revoke", key.id).returncode == 0
    again = run("revoke", key.id)
    assert (again.returncode, "no key that holds" in again.stderr) == (1, True)
