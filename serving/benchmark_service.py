"""How fast the endpoint is, beside what a user would pick instead, all started here and loaded in one run.

Servers of one worker each answer the same bodies: the endpoint; `mlflow models serve` of a pyfunc that is handed the
same JSON and calls the same function, and of one that goes through frames, as batches do; and a bare FastAPI app that
calls the function. One worker each, because which of several takes a connection is chance; what a second one adds is
told of the endpoint. Rounds alternate, so that a slow moment of the machine hits all alike. Creators are simulated, as
is the model.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pandas as pd

from features.rows import histories_of_rows, latest_knowledge_of
from features.tables import check_tables, write_frame
from serving.answers import score_histories
from serving.api import parse
from serving.demo import prepare_demo
from serving.load import Loaded, load, request_of
from serving.models import LoadedModel, load_champion
from serving.requests import rows_of
from serving.schemas import ScoreRequest
from training.authenticity import read_signals
from training.simulation import simulate_creators

#: A history as JSON has it.
History = dict[str, Any]
#: A real-sized history.
POSTS, SNAPSHOTS = 60, 90
ROUNDS, SECONDS, CONNECTIONS = 5, 6.0, 8
#: Part of what it can do at most, at which the tail is measured.
HALF = 0.5
BATCH = 100
#: Creators of the catalogue that /recommend ranks, and those that are scored and repeated to fill it.
CATALOGUE, SCORED = 100_000, 2_000
BRIEF = "Micro influencers on Instagram or TikTok who review skin care and sunscreen for oily skin"
OURS, OURS_TWICE, BARE = "realreach", "realreach, two workers", "bare FastAPI"
#: MLflow's server of two pyfuncs: of the very function, and of the pipeline of frames that batches go through.
MLFLOW = {"mlflow models serve, same function": "rows", "mlflow models serve, frames": "frames"}
_READY_SECONDS = 180


@dataclass(frozen=True)
class Section:
    """Figures of one question, and what to know about them."""

    name: str
    title: str
    figures: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """A server that was started here."""

    url: str
    process: int


class NotReadyError(RuntimeError):
    """A server did not come up; the message shows the end of its log."""


def _rows(frame: pd.DataFrame, order: str, most: int) -> list[dict[str, Any]]:
    newest = frame.sort_values(order).tail(most)
    rows: list[dict[str, Any]] = json.loads(newest.to_json(orient="records", date_format="iso", date_unit="us"))
    return rows


def real_sized(count: int = 300, seed: int = 3) -> list[History]:
    """Histories of simulated creators with `POSTS` posts and `SNAPSHOTS` snapshots, as a request sends them."""
    tables = check_tables(simulate_creators(count, seed=seed))
    parts = {name: dict(list(tables[name].groupby("creator_id"))) for name in ("creators", "posts", "snapshots")}
    found = []
    for creator_id, creator in parts["creators"].items():
        posts, snapshots = (parts[name].get(creator_id) for name in ("posts", "snapshots"))
        if posts is None or snapshots is None or len(posts) < POSTS or len(snapshots) < SNAPSHOTS:
            continue
        history = {
            "creator": _rows(creator, "creator_id", 1)[0],
            "posts": _rows(posts, "published_at", POSTS),
            "snapshots": _rows(snapshots, "observed_at", SNAPSHOTS),
        }
        found.append(history)
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    return False


@contextlib.contextmanager
def running(
    command: Callable[[int], list[str]], ready: str, log: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    """A server, ended with all that it started when left.

    Raises
    ------
    NotReadyError
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command(port),
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            if _answers(port, ready):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReadyError(f"{command(port)[2]} is not ready:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.3)
        yield Server(url, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ours(port: int) -> list[str]:
    """Command that starts the endpoint."""
    return [
        sys.executable, "-m", "serving.server", "serve", "serving.service:RealReach",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip


def _mlflow(folder: Path, port: int) -> list[str]:
    return [
        sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def _bare(port: int) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", "serving.benchmark_contenders:make_bare", "--factory", "--no-access-log",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip


def _write_pyfunc(folder: Path) -> Path:
    """An MLflow model by its file alone: a loader, which its folder's name tells what to load, and nothing pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    python = ".".join(map(str, sys.version_info[:3]))
    text = (
        f"flavors:\n  python_function:\n    loader_module: serving.benchmark_contenders\n    python_version: {python}\n"
    )
    (folder / "MLmodel").write_text(text, encoding="utf-8")
    return folder


def benchmark_environment(folder: Path) -> dict[str, str]:
    """Environment of everything that is started here: one home, no reports to others, one thread a process."""
    root = str(Path(__file__).parents[1])
    return {
        "REALREACH_OPEN": "1",
        "REALREACH_HOME": str(folder),
        "REALREACH_CATALOGUE": str(folder / "catalogue.parquet"),
        "REALREACH_DATABASE": "",
        "MLFLOW_TRACKING_URI": "",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(folder / "bentoml"),
        "OMP_NUM_THREADS": "1",
        # MLflow starts uvicorn by its name
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def _median(run: Callable[[], object], repeats: int) -> float:
    """Milliseconds."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return float(pd.Series(taken).median() * 1000)


def in_process(model: LoadedModel, body: bytes) -> dict[str, float]:
    """Milliseconds of the parts of one answer, in this process."""
    now = pd.Timestamp.now("UTC")

    def heads() -> object:
        rows = rows_of(parse(body, ScoreRequest).histories)
        histories = rows and histories_of_rows(*rows, latest_knowledge_of(*rows, now), imported_at=now)
        if not histories:
            message = "these histories need frames"
            raise ValueError(message)
        return model.model.assess(read_signals(histories, threads=1))

    def whole() -> object:
        return score_histories(parse(body, ScoreRequest), model, now).model_dump_json()

    return {"parse + signals + heads": _median(heads, 100), "whole answer": _median(whole, 100)}


def body_of(histories: Sequence[History], **options: Any) -> bytes:
    """A body of /score."""
    return json.dumps({"histories": list(histories), **options}).encode()


def plain(model: LoadedModel, histories: Sequence[History]) -> tuple[list[History], list[History]]:
    """Histories whose rows need no frame, those without a flag and those with one."""
    now = pd.Timestamp.now("UTC")
    calm: list[History] = []
    flagged: list[History] = []
    for history in histories:
        request = parse(body_of([history], checks=False), ScoreRequest)
        rows = rows_of(request.histories)
        if rows is None or histories_of_rows(*rows, now, imported_at=now) is None:
            continue
        heads = score_histories(request, model, now).reports[0].heads
        (flagged if any(head.flagged for head in heads) else calm).append(history)
    return calm, flagged


def _renamed(histories: Sequence[History], count: int) -> list[History]:
    """As many histories, repeated under other ids."""
    made = []
    for number in range(count):
        history = histories[number % len(histories)]
        creator = {**history["creator"], "creator_id": f"c{number}"}
        rows = {name: [{**row, "creator_id": None} for row in history[name]] for name in ("posts", "snapshots")}
        made.append({"creator": creator, **rows})
    return made


def _rates(asked: Mapping[str, Callable[[], Loaded]], rounds: int) -> dict[str, list[Loaded]]:
    """Every contender in turn, over and over."""
    found: dict[str, list[Loaded]] = {name: [] for name in asked}
    for ask in asked.values():
        ask()  # warm
    for _ in range(rounds):
        for name, ask in asked.items():
            found[name].append(ask())
    return found


def _compared(found: Mapping[str, list[Loaded]]) -> pd.DataFrame:
    rows = {}
    for name, runs in found.items():
        ratios = [one.rate / run.rate for one, run in zip(found[OURS], runs, strict=True)]
        rows[name] = {
            "requests_per_s": float(pd.Series([run.rate for run in runs]).median()),
            "p50_ms": float(pd.Series([run.quantile(0.5) for run in runs]).median()),
            "p99_ms": float(pd.Series([run.quantile(0.99) for run in runs]).median()),
            "realreach_is_times": float(pd.Series(ratios).median()),
            "errors": int(sum((run.statuses != 200).sum() for run in runs)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def benchmark_service(
    folder: Path, *, rounds: int = ROUNDS, seconds: float = SECONDS, progress: Callable[[str], None] = lambda _: None
) -> Iterator[Section]:
    """Start every contender, load it, and tell the figures.

    Parameters
    ----------
    folder : Path
        Where the simulated model and catalogues are kept from one run to the next.
    rounds : int
        Of which the median is told.
    seconds : float
        Of load in each round.
    """
    os.environ.update(benchmark_environment(folder))
    if not (folder / "catalogue.parquet").exists():
        prepare_demo(SCORED, progress)
    model = load_champion()
    calm, flagged = plain(model, real_sized())
    yield _parts(model, calm, flagged)
    environment = benchmark_environment(folder)
    contenders: dict[str, tuple[Callable[[int], list[str]], str]] = {
        OURS: (ours, "/readyz"),
        BARE: (_bare, "/ping"),
    }
    for name, data in MLFLOW.items():
        contenders[name] = (partial(_mlflow, _write_pyfunc(folder / "pyfuncs" / data)), "/ping")
    contenders[OURS_TWICE] = (ours, "/readyz")
    with contextlib.ExitStack() as stack:
        urls = {}
        for name, (command, ready) in contenders.items():
            progress(f"starting {name}")
            log = folder / f"{name.replace(' ', '_')}.log"
            workers = {"REALREACH_WORKERS": "2" if name == OURS_TWICE else "1"}
            urls[name] = stack.enter_context(running(command, ready, log, environment | workers)).url
        yield from _single(urls, calm, flagged, rounds, seconds, progress)
        yield _batches(urls, model, calm, rounds, seconds)
    yield _recommending(folder, environment, rounds, seconds, progress)


def _parts(model: LoadedModel, calm: Sequence[History], flagged: Sequence[History]) -> Section:
    bodies = {"no flag": body_of(calm[:1])}
    if flagged:
        bodies |= {"flagged": body_of(flagged[:1]), "flagged, checks: false": body_of(flagged[:1], checks=False)}
    figures = pd.DataFrame.from_dict({name: in_process(model, body) for name, body in bodies.items()}, orient="index")
    return Section("in_process", "One history in this process, milliseconds", figures.rename(columns=_ms))


def _ms(name: str) -> str:
    return f"{name} ms"


def _requests(urls: Mapping[str, str], name: str, bodies: Sequence[bytes]) -> list[bytes]:
    if name in MLFLOW:
        wrapped = [{"dataframe_split": {"columns": ["body"], "data": [[body.decode()]]}} for body in bodies]
        return [request_of(urls[name], "/invocations", json.dumps(one).encode()) for one in wrapped]
    return [request_of(urls[name], "/v1/score" if name in (OURS, OURS_TWICE) else "/score", body) for body in bodies]


def _single(
    urls: Mapping[str, str],
    calm: Sequence[History],
    flagged: Sequence[History],
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Iterator[Section]:
    bodies = [body_of([history]) for history in calm]
    progress(f"one history a call, {CONNECTIONS} connections")
    asked = {
        name: partial(load, urls[name], _requests(urls, name, bodies), connections=CONNECTIONS, seconds=seconds)
        for name in urls
    }
    found = _rates(asked, rounds)
    yield Section(
        "score_one",
        f"/score, one history of {POSTS} posts and {SNAPSHOTS} snapshots, {CONNECTIONS} connections",
        _compared(found),
        (f"{len(calm)} simulated creators without a flag, in turn",),
    )
    most = float(pd.Series([run.rate for run in found[OURS]]).median())
    progress("the tail at half of that")
    rows = {}
    mixed = {"no flag": bodies}
    if flagged:
        some_flagged = [*calm[:19], flagged[0]]
        few = [body_of([history]) for history in some_flagged]
        unchecked = [body_of([history], checks=False) for history in some_flagged]
        mixed |= {"5 % flagged": few, "5 % flagged, checks: false": unchecked}
    for name, some in mixed.items():
        runs = [
            load(
                urls[OURS],
                _requests(urls, OURS, some),
                connections=4 * CONNECTIONS,
                seconds=seconds,
                rate=HALF * most,
            )
            for _ in range(rounds)
        ]
        p50, p99 = (float(pd.Series([run.quantile(share) for run in runs]).median()) for share in (0.5, 0.99))
        rows[name] = {
            "requests_per_s": HALF * most,
            "p50_ms": p50,
            "p99_ms": p99,
            "p99_to_p50": float(pd.Series([run.quantile(0.99) / run.quantile(0.5) for run in runs]).median()),
            "errors": int(sum((run.statuses != 200).sum() for run in runs)),
        }
    yield Section("tail", "/score at half of its most, at even distances", pd.DataFrame.from_dict(rows, orient="index"))


def _batches(
    urls: Mapping[str, str], model: LoadedModel, calm: Sequence[History], rounds: int, seconds: float
) -> Section:
    body = body_of(_renamed(calm, BATCH))
    request = _requests(urls, OURS, [body])
    now = pd.Timestamp.now("UTC")

    def whole() -> object:
        return score_histories(parse(body, ScoreRequest), model, now).model_dump_json()

    served, alone = [], []
    for _ in range(rounds):
        served.append(load(urls[OURS], request, connections=1, seconds=seconds).quantile(0.5))
        alone.append(_median(whole, 5))
    ratios = [mine / theirs for mine, theirs in zip(alone, served, strict=True)]
    figures = pd.DataFrame(
        {
            "p50_ms": {"served": float(pd.Series(served).median()), "in process": float(pd.Series(alone).median())},
            "part_of_in_process": {"served": float(pd.Series(ratios).median()), "in process": 1.0},
        }
    )
    return Section("score_hundred", f"/score, {BATCH} histories a call, one connection", figures)


def _recommending(
    folder: Path, environment: Mapping[str, str], rounds: int, seconds: float, progress: Callable[[str], None]
) -> Section:
    progress(f"a catalogue of {CATALOGUE:,} creators")
    path = folder / "catalogue_large.parquet"
    if not path.exists():
        frame = pd.read_parquet(folder / "catalogue.parquet")
        copies = [frame.assign(creator_id=frame["creator_id"] + f"_{copy}") for copy in range(CATALOGUE // len(frame))]
        write_frame(pd.concat(copies, ignore_index=True), path)
    body = json.dumps({"brief": BRIEF, "k": 20}).encode()
    large = {**environment, "REALREACH_CATALOGUE": str(path)}
    with running(ours, "/readyz", folder / "recommend.log", large) as server:
        url = server.url
        request = [request_of(url, "/v1/recommend", body)]
        load(url, request, connections=1, seconds=seconds)
        runs = [load(url, request, connections=1, seconds=seconds) for _ in range(rounds)]
    figures = pd.DataFrame(
        {
            "p50_ms": [float(pd.Series([run.quantile(0.5) for run in runs]).median())],
            "p99_ms": [float(pd.Series([run.quantile(0.99) for run in runs]).median())],
            "errors": [int(sum((run.statuses != 200).sum() for run in runs))],
        },
        index=["/recommend"],
    )
    return Section(
        "recommend",
        f"/recommend, the first 20 of {CATALOGUE:,} creators, one connection",
        figures,
        (f"{SCORED:,} simulated creators, each {CATALOGUE // SCORED} times",),
    )
