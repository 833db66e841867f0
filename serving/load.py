"""Load on an HTTP server, as light as it gets: requests that are made beforehand, over connections that are kept."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

#: Seconds between the openings of two connections, and between two tries of one that is refused.
_BETWEEN = 0.03
#: Status of a request whose connection broke off before its answer had ended.
BROKEN = 0


@dataclass(frozen=True)
class Loaded:
    """What a server did under load.

    Attributes
    ----------
    seconds : ndarray of float64, shape (requests,)
        From when a request was due to the end of its answer: where a rate was asked for, a request that waits for a
        connection has begun to wait.
    statuses : ndarray of int64, shape (requests,)
        `BROKEN` where the connection broke off.
    ended : ndarray of float64, shape (requests,)
        Seconds from the beginning of the load to the end of each answer.
    took : float
        Seconds of the whole.
    """

    seconds: np.ndarray
    statuses: np.ndarray
    ended: np.ndarray
    took: float

    @property
    def rate(self) -> float:
        """Answers with a status of 200 a second."""
        return float(np.count_nonzero(self.statuses == 200) / self.took)

    def quantile(self, share: float) -> float:
        """Milliseconds within which a share of the requests was answered."""
        return float(np.quantile(self.seconds, share) * 1000)


def request_of(url: str, path: str, body: bytes) -> bytes:
    """A POST of JSON as it goes over the wire."""
    host = urlsplit(url).netloc
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return int(head[9:12]), await reader.readexactly(length)


async def _connect(url: str, until: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection; one that is refused is tried again for a while."""
    address = urlsplit(url)
    while True:
        try:
            return await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        except OSError:
            if time.perf_counter() > until:
                raise
            await asyncio.sleep(_BETWEEN)


async def _load(
    url: str,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    rate: float | None,
    seen: Callable[[float, int, bytes], None] | None,
) -> Loaded:
    started = time.perf_counter()
    due = 0
    taken: list[tuple[float, int, float]] = []

    async def one(place: int) -> None:
        nonlocal due
        # one after the other: opened at once, all of them would be taken by the worker that wakes first
        await asyncio.sleep(place * _BETWEEN)
        last = started + 2 * seconds
        reader, writer = await _connect(url, last)
        try:
            while True:
                number, due = due, due + 1
                now = time.perf_counter()
                begins = now if rate is None else started + number / rate
                if begins - started >= seconds or now > last:
                    return
                if begins > now:
                    await asyncio.sleep(begins - now)
                try:
                    writer.write(requests[number % len(requests)])
                    status, body = await _answered(reader)
                except (OSError, asyncio.IncompleteReadError):
                    status, body = BROKEN, b""
                ended = time.perf_counter()
                taken.append((ended - begins, status, ended - started))
                if seen:
                    seen(ended - started, status, body)
                if status == BROKEN:
                    writer.close()
                    reader, writer = await _connect(url, last)
        finally:
            writer.close()

    await asyncio.gather(*(one(place) for place in range(connections)))
    times, statuses, ended = zip(*taken, strict=True)
    return Loaded(np.array(times), np.array(statuses), np.array(ended), time.perf_counter() - started)


def load(
    url: str,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
    seen: Callable[[float, int, bytes], None] | None = None,
) -> Loaded:
    """Send requests one after the other, over several connections at once.

    Parameters
    ----------
    requests : sequence of bytes
        As `request_of` makes them; each in turn.
    seconds : float
        How long requests are begun.
    rate : float, optional
        Requests a second, at even distances; as fast as answers come where left out.
    seen : callable, optional
        Told of every answer: when it ended, its status and its body.
    """
    return asyncio.run(_load(url, requests, connections, seconds, rate, seen))
