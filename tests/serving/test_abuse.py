"""Ten thousand bodies that nobody should send: each is refused by its code or answered, and the service goes on."""

import asyncio
import gzip
import json
import random
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving.api import OPERATIONS, ROOT
from serving.problems import CODES, MEDIA_TYPE

BODIES, CONNECTIONS, SEED = 10_000, 4, 20260110
#: A server that has answered everything may keep this much more than before: its caches fill.
_MOST_GROWTH = 150 * 2**20

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0.5,
    10**15 + 1,
    10**400,
    -(10**30),
    1e308,
    "",
    "x" * 30_000,
    "\u0000",
    "\u202e\u2028",
    "NaN",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "-1",
    [],
    {},
    [[]],
    {"$ref": "#"},
    {"__class__": "os.system"},
    ["an"] * 500,
)
_RAW: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b'"',
    b"{",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'{"brief": "\xc3\x28"}',
    b'{"brief": "\\ud800"}',
    b'{"brief": NaN}',
    b'{"k": Infinity, "brief": ""}',
    b'{"brief": "a", "brief": "b"}',
    b'{"histories": [], "histories": []}',
    b'{"brief": "x", "k": 1e999}',
    b'{"brief": "x", "k": ' + b"9" * 5_000 + b"}",
    b"[" * 100_000,
    b'{"histories": ' * 20_000,
    b"{}" + b" " * 500_000 + b"x",
    b"\x80\x04\x95cposix\nsystem\n",
    gzip.compress(b'{"brief": "' + b"a" * 1_000_000 + b'"}'),
    zlib.compress(b"0" * 30_000_000),
)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for name, one in inner for place in _places(one, (*at, name)))]


def _changed(value: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not place:
        return change(value)
    copied = value.copy()
    copied[place[0]] = _changed(value[place[0]], place[1:], change)
    return copied


def _mutated(body: dict[str, Any], draw: random.Random) -> bytes:
    """A body with one to three odd places, or one that is broken as text."""
    for _ in range(draw.randint(1, 3)):
        place = draw.choice(_places(body)[1:] or [()])
        odd = draw.choice(_ODD_VALUES)
        change = draw.choice(
            [
                lambda _, odd=odd: odd,
                lambda old: [old] * 3,
                lambda old, odd=odd: (
                    {**old, draw.choice(["x", "creator_id", "k", "é"]): odd} if isinstance(old, dict) else odd
                ),
                str,
            ]
        )
        body = _changed(body, place, change)
    text = json.dumps(body, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    way = draw.random()
    if way < 0.1:
        return text[: draw.randrange(len(text) + 1)]
    if way < 0.2:
        broken = bytearray(text or b"{}")
        for _ in range(draw.randint(1, 8)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        return bytes(broken)
    if way < 0.25:
        return text.replace(b": ", b": " + b"[" * draw.choice([1, 50, 500, 20_000]), 1)
    if way < 0.3:
        return text[:-1] + b", " + text[1:] if len(text) > 2 else text  # every key twice
    return text


def _request(path: str, body: bytes, draw: random.Random) -> bytes:
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    odd = draw.random()
    if odd < 0.03:
        headers["Content-Encoding"] = draw.choice(["gzip", "deflate", "br", "identity, gzip", "x"])
        body = draw.choice([gzip.compress(body), body])
        headers["Content-Length"] = str(len(body))
    elif odd < 0.06:
        headers["Content-Type"] = draw.choice(
            ["text/plain", "application/x-python-pickle", "", "multipart/form-data", "a" * 900]
        )
    elif odd < 0.09:
        headers["Accept-Language"] = draw.choice(["vi;q=x", "," * 2_000, "é".encode().decode("latin-1"), "*;q=1"])
    elif odd < 0.12:
        headers["Idempotency-Key"] = draw.choice(["k" * 201, "\x7f", " ", "k" * 200])
    if draw.random() < 0.05:
        del headers["Content-Length"]
        headers["Transfer-Encoding"] = "chunked"
        size = draw.choice([1, 7, 4_096])
        if len(body) / size > 2_000:
            size = 65_536
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.decode("latin-1").partition(":") for line in head.split(b"\r\n")[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[9:12]), headers.get("content-type", ""), body


async def _send_all(url: str, requests: list[bytes]) -> list[tuple[int, str, bytes]]:
    address, left, answers = urlsplit(url), iter(enumerate(requests)), [(0, "", b"")] * len(requests)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        for place, request in left:
            for attempt in range(2):
                try:
                    writer.write(request)
                    await writer.drain()
                    answers[place] = await asyncio.wait_for(_answer(reader), 60)
                    break
                except (ConnectionError, asyncio.IncompleteReadError):
                    # a server may close a connection whose body it did not want to read; the answer is asked for anew
                    assert attempt == 0, request[:300]
                    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return answers


def _memory(process: int) -> int:
    """Bytes of a process and all it started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [[int(value) for value in line.split()] for line in listed.splitlines()]
    family = {process}
    while more := {pid for pid, parent, _ in rows if parent in family} - family:
        family |= more
    return sum(resident for pid, _, resident in rows if pid in family) * 1024


@pytest.mark.slow
def test_ten_thousand_mutated_bodies(
    own_server: tuple[str, subprocess.Popen[bytes]], histories: list[dict[str, Any]], tmp_path: Path
) -> None:
    url, process = own_server
    draw = random.Random(SEED)
    short = [{**one, "posts": one["posts"][:8], "snapshots": one["snapshots"][:8]} for one in histories]
    good: dict[str, list[dict[str, Any]]] = {
        "/score": [{"histories": short, "checks": False}, {"histories": short[:1], "as_of": "2026-01-10T00:00:00Z"}],
        "/jobs": [{"histories": short[:1]}],
        "/fit": [{"brief": "serum", "creator_ids": ["an"]}, {"brief": "serum", "histories": short[:1]}],
        "/recommend": [
            {"brief": "kem chống nắng", "filters": {"platforms": ["tiktok"], "min_authenticity": 0.5}, "k": 3},
            {"brief": "", "wishes": {"competitors": ["x"], "price_max": 10.0, "currency": "USD"}, "language": "vi"},
        ],
        "/lookalikes": [{"creator_ids": ["an", "chi"], "filters": {"tiers": ["micro"]}, "k": 2}],
        "/feedback": [
            {
                "decisions": [
                    {"brand_id": "b", "creator_id": "an", "decided_at": "2026-01-12T09:30:00Z", "decision": "no"}
                ]
            }
        ],
    }
    assert set(good) == {one.path for one in OPERATIONS if one.body}
    requests = []
    for number in range(BODIES):
        path = draw.choice(list(good))
        raw = number % 20 == 0
        body = draw.choice(_RAW) if raw else _mutated(draw.choice(good[path]), draw)
        requests.append(_request(f"{ROOT}{path}", body, draw))
    warm = asyncio.run(_send_all(url, requests[:500]))
    before = _memory(process.pid)
    answers = warm + asyncio.run(_send_all(url, requests[500:]))
    counts = Counter(status for status, _, _ in answers)
    for request, (status, kind, body) in zip(requests, answers, strict=True):
        said = (request[:400], status, body[:300])
        assert 200 <= status < 300 or 400 <= status < 500, said
        if status >= 400:
            assert kind == MEDIA_TYPE, said
            found = json.loads(body)
            assert CODES[found["code"]][0] == status, said
    assert counts[400] > BODIES / 2
    assert _memory(process.pid) - before < _MOST_GROWTH
    body = {"brief": "serum", "k": 2}
    assert httpx.post(f"{url}/v1/recommend", json=body, timeout=120, trust_env=False).status_code == 200
    assert b"Traceback" not in (tmp_path / "log.txt").read_bytes()
