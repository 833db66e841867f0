"""Load on an HTTP server, as light as it gets: requests that are made beforehand, over connections that are kept."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

#: Seconds between the openings of two connections.
_BETWEEN = 0.03


@dataclass(frozen=True)
class Loaded:
    """What a server did under load.

    Attributes
    ----------
    seconds : ndarray of float64, shape (requests,)
        From when a request was due to the end of its answer: where a rate was asked for, a request that waits for a
        connection has begun to wait.
    statuses : ndarray of int64, shape (requests,)
    took : float
        Seconds of the whole.
    """

    seconds: np.ndarray
    statuses: np.ndarray
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


async def _answered(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)
    return int(head[9:12])


async def _load(url: str, requests: Sequence[bytes], connections: int, seconds: float, rate: float | None) -> Loaded:
    address = urlsplit(url)
    started = time.perf_counter()
    due = 0
    taken: list[tuple[float, int]] = []

    async def one(place: int) -> None:
        nonlocal due
        # one after the other: opened at once, all of them would be taken by the worker that wakes first
        await asyncio.sleep(place * _BETWEEN)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        try:
            while True:
                number, due = due, due + 1
                now = time.perf_counter()
                begins = now if rate is None else started + number / rate
                if begins - started >= seconds or now - started >= 2 * seconds:
                    return
                if begins > now:
                    await asyncio.sleep(begins - now)
                writer.write(requests[number % len(requests)])
                status = await _answered(reader)
                taken.append((time.perf_counter() - begins, status))
        finally:
            writer.close()

    await asyncio.gather(*(one(place) for place in range(connections)))
    times, statuses = zip(*taken, strict=True)
    return Loaded(np.array(times), np.array(statuses), time.perf_counter() - started)


def load(url: str, requests: Sequence[bytes], *, connections: int, seconds: float, rate: float | None = None) -> Loaded:
    """Send requests one after the other, over several connections at once.

    Parameters
    ----------
    requests : sequence of bytes
        As `request_of` makes them; each in turn.
    seconds : float
        How long requests are begun.
    rate : float, optional
        Requests a second, at even distances; as fast as answers come where left out.
    """
    return asyncio.run(_load(url, requests, connections, seconds, rate))
