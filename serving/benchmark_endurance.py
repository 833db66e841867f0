"""What the endpoint does in the long run and when things go wrong under load: memory, promotions, a killed worker."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from serving.benchmark_service import (
    CONNECTIONS,
    HALF,
    SCORED,
    Section,
    Server,
    benchmark_environment,
    body_of,
    ours,
    plain,
    real_sized,
    running,
)
from serving.demo import prepare_demo
from serving.load import BROKEN, load, request_of
from serving.models import load_champion
from training import tracking
from training.config import read_config
from training.runs import train_authenticity

#: Part of what it can do at most, at which it has to last.
MOST_OF_THE_TIME = 0.7
#: Promotions and rollbacks, and seconds between two.
SWAPS, BETWEEN_SWAPS = 20, 4.0
#: Seconds of the load that tells what it can do at most, until memory is measured, and between two measurements.
_AT_MOST, _WARM, _EVERY = 8.0, 60.0, 5.0
#: Seconds of load around a killed worker.
_AROUND_KILL = 40.0
_VERSION = re.compile(rb'"version":"(\d+)"')
_NAME = "authenticity"


def _children(process: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        found += map(int, path.read_text().split())
    return found + [grandchild for child in found for grandchild in _children(child)]


def workers(process: int) -> list[int]:
    """Ids of the processes that answer for a server; Linux only."""
    return [one for one in _children(process) if b"worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


def _resident(process: int) -> float:
    """Megabytes of memory that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[0]) / 1024


def _most(server: Server, requests: Sequence[bytes]) -> float:
    load(server.url, requests, connections=CONNECTIONS, seconds=2)  # warm
    return load(server.url, requests, connections=CONNECTIONS, seconds=_AT_MOST).rate


def benchmark_endurance(
    folder: Path, minutes: float, *, swaps: int = SWAPS, progress: Callable[[str], None] = lambda _: None
) -> Iterator[Section]:
    """Start the endpoint, load it for long, change its models and kill a worker meanwhile, and tell the figures.

    Parameters
    ----------
    folder : Path
        Home of the simulated models, kept from one run to the next.
    minutes : float
        Of load at 70 % of what it can do.
    swaps : int
        Promotions and rollbacks under load.

    Raises
    ------
    serving.benchmark_service.NotReadyError
    """
    environment = benchmark_environment(folder)
    os.environ.update(environment)
    if not (folder / "catalogue.parquet").exists():
        prepare_demo(SCORED, progress)
    calm, _ = plain(load_champion(), real_sized())
    first, second = _two_versions(progress)
    one_worker = environment | {"REALREACH_WORKERS": "1"}
    with running(ours, "/readyz", folder / "endurance.log", one_worker) as server:
        requests = [request_of(server.url, "/v1/score", body_of([history])) for history in calm]
        progress("what it can do at most")
        most = _most(server, requests)
        progress(f"{swaps} promotions and rollbacks at {HALF:.0%} of {most:.0f} requests a second")
        yield _swapping(server, requests, HALF * most, (first, second), swaps)
        progress(f"{minutes:g} minutes at {MOST_OF_THE_TIME:.0%}")
        yield _lasting(server, requests, MOST_OF_THE_TIME * most, minutes)
    with running(ours, "/readyz", folder / "endurance.log", environment | {"REALREACH_WORKERS": "2"}) as server:
        progress("two workers, one killed under load")
        requests = [request_of(server.url, "/v1/score", body_of([history])) for history in calm]
        yield _killing(server, requests)


def _two_versions(progress: Callable[[str], None]) -> tuple[int, int]:
    """The champion, and another version to take its place; a small one is trained where there is none."""
    champion = tracking.resolve(_NAME).version
    other = 2 if champion == 1 else 1
    try:
        tracking.read_metadata(_NAME, other)
    except tracking.ModelNotFoundError:
        progress("training a small second version")
    else:
        return champion, other
    shipped = read_config()
    small = shipped.model_copy(
        update={
            "data": shipped.data.model_copy(update={"creators": 500, "seed": 5}),
            "model": shipped.model.model_copy(update={"trees": 10}),
        }
    )
    return champion, train_authenticity(small).version


def _lasting(server: Server, requests: Sequence[bytes], rate: float, minutes: float) -> Section:
    stop = threading.Event()
    memory: list[tuple[float, float]] = []
    started = time.perf_counter()

    def measure() -> None:
        while not stop.wait(_EVERY):
            memory.append((time.perf_counter() - started, sum(map(_resident, workers(server.process)))))

    watching = threading.Thread(target=measure)
    watching.start()
    try:
        run = load(server.url, requests, connections=CONNECTIONS, seconds=minutes * 60, rate=rate)
    finally:
        stop.set()
        watching.join()
    warm = np.array([held for at, held in memory if at > min(_WARM, minutes * 15)])
    fifth = max(1, len(warm) // 5)
    begin, end = float(np.median(warm[:fifth])), float(np.median(warm[-fifth:]))
    figures = pd.DataFrame(
        {
            "requests": [len(run.statuses)],
            "errors": [int((run.statuses != 200).sum())],
            "requests_per_s": [run.rate],
            "p50_ms": [run.quantile(0.5)],
            "p99_ms": [run.quantile(0.99)],
            "memory_mb": [end],
            "memory_grew": [end / begin - 1],
        },
        index=[f"{minutes:g} minutes"],
    )
    return Section(
        "lasting",
        f"/score at {MOST_OF_THE_TIME:.0%} of its most; memory of the worker, first fifth to last",
        figures,
        (f"memory in megabytes, evenly over the time: {json.dumps(_thinned(warm))}",),
    )


def _thinned(values: np.ndarray) -> list[int]:
    places = np.linspace(0, len(values) - 1, min(12, len(values))).astype(int)
    return [round(float(value)) for value in values[places]]


def _swapping(server: Server, requests: Sequence[bytes], rate: float, versions: tuple[int, int], swaps: int) -> Section:
    promoted: list[tuple[float, int]] = []
    answered: list[tuple[float, int | None]] = []
    started = time.perf_counter()
    stop = threading.Event()

    def swap() -> None:
        for number in range(swaps):
            if stop.wait(BETWEEN_SWAPS):
                return
            version = versions[(number + 1) % 2]
            tracking.promote(_NAME, version)
            promoted.append((time.perf_counter() - started, version))

    def seen(at: float, status: int, body: bytes) -> None:
        named = set(_VERSION.findall(body))
        answered.append((at, int(named.pop()) if status == 200 and len(named) == 1 else None))

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        seconds = (swaps + 2) * BETWEEN_SWAPS
        run = load(server.url, requests, connections=CONNECTIONS, seconds=seconds, rate=rate, seen=seen)
    finally:
        stop.set()
        swapping.join()
        tracking.promote(_NAME, versions[0])
    taken = []
    for at, version in promoted:
        first = next((moment for moment, found in answered if moment > at and found == version), None)
        if first is not None:
            taken.append(first - at)
    figures = pd.DataFrame(
        {
            "swaps": [len(promoted)],
            "taken_on": [len(taken)],
            "seconds_until_taken_on": [float(np.median(taken)) if taken else np.nan],
            "requests": [len(run.statuses)],
            "errors": [int((run.statuses != 200).sum())],
            "answers_without_one_version": [sum(version is None for _, version in answered)],
            "p50_ms": [run.quantile(0.5)],
            "p99_ms": [run.quantile(0.99)],
        },
        index=["promotions and rollbacks"],
    )
    return Section("swapping", f"/score at {HALF:.0%} of its most while the champion changes", figures)


def _killing(server: Server, requests: Sequence[bytes]) -> Section:
    _until(partial(_ready, server, 2), 60)
    rate = HALF * _most(server, requests)
    killed: list[float] = []
    back: list[float] = []
    started = time.perf_counter()

    def kill() -> None:
        time.sleep(_AROUND_KILL / 4)
        before = workers(server.process)
        os.kill(before[0], signal.SIGKILL)
        killed.append(time.perf_counter() - started)
        _until(lambda: len(set(workers(server.process)) - {before[0]}) == 2, _AROUND_KILL)
        back.append(time.perf_counter() - started - killed[0])

    killing = threading.Thread(target=kill)
    killing.start()
    run = load(server.url, requests, connections=2 * CONNECTIONS, seconds=_AROUND_KILL, rate=rate)
    killing.join()
    failed = run.ended[run.statuses != 200]
    fine = run.ended[(run.statuses == 200) & (run.ended > killed[0])]
    figures = pd.DataFrame(
        {
            "requests": [len(run.statuses)],
            "broken_off": [int((run.statuses == BROKEN).sum())],
            "other_errors": [int(((run.statuses != 200) & (run.statuses != BROKEN)).sum())],
            "last_failure_after_s": [float(failed.max() - killed[0]) if len(failed) else 0.0],
            "next_answer_after_s": [float(fine.min() - killed[0])],
            "second_worker_there_after_s": [back[0] if back else np.nan],
        },
        index=["kill -9 of one of two workers"],
    )
    return Section(
        "killing",
        f"/score at {HALF:.0%} of its most, {2 * CONNECTIONS} connections, while a worker is killed",
        figures,
        ("a connection carries one request at a time: those that break off are the requests that were in work",),
    )


def _ready(server: Server, count: int) -> bool:
    return len(workers(server.process)) == count


def _until(there: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not there() and time.monotonic() < deadline:
        time.sleep(0.1)
