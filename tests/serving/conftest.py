import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from features.evidence import GROUP_OF
from features.tables import HEADS, check_tables, write_frame
from serving.catalogue import Catalogue, check_scores
from serving.models import LoadedModel
from serving.scoring import score_tables
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.runs import Trained
from training.simulation import SIMULATION_AS_OF, simulate_creators

AS_OF = pd.Timestamp("2026-01-10", tz="UTC")


def score_row(creator_id: str, **changes: Any) -> dict[str, Any]:
    """One row of a score frame: an assessed creator with nothing flagged, and what a test changes."""
    row: dict[str, Any] = {
        "creator_id": creator_id,
        "platform": "instagram",
        "handle": f"handle.{creator_id}",
        "display_name": f"Name {creator_id}",
        "followers": 23_400,
        "tier": "micro",
        "niche": "beauty",
        "country": "VN",
        "language": "vi",
        "as_of": AS_OF,
        "authenticity": 0.9,
        "authenticity_low": 0.8,
        "authenticity_high": 0.95,
        **{
            f"inauthentic_{count}_share{end}": value
            for count in ("followers", "likes", "views", "comments")
            for end, value in (("", 0.02), ("_low", 0.0), ("_high", 0.06))
        },
        "coverage_posts": 60,
        "coverage_days": 180,
        "growth_28d": 0.04,
        "last_post_at": AS_OF - pd.Timedelta(days=1),
        "evidence": "[]",
        "checked": "[]",
        "profile_text": "",
        "model_name": "authenticity",
        "model_version": "3",
        "model_data": "simulated",
        "base_authenticity": 0.65,
        "registry_hash": "abc",
    }
    for head in HEADS:
        row |= {
            f"{head}_probability": 0.05,
            f"{head}_low": 0.02,
            f"{head}_high": 0.1,
            f"{head}_flagged": False,
            f"{head}_assessed": True,
            f"{head}_reason": "",
        }
    return row | changes


def not_assessed(reason: str = "fewer than 5 posts") -> dict[str, Any]:
    """Change a row to one that no head could assess."""
    row: dict[str, Any] = dict.fromkeys(("authenticity", "authenticity_low", "authenticity_high"))
    for head in HEADS:
        row |= dict.fromkeys((f"{head}_probability", f"{head}_low", f"{head}_high", f"{head}_flagged"))
        row |= {f"{head}_assessed": False, f"{head}_reason": reason}
    return row


def flagged(head: str, signal: str, value: float, low: float, high: float) -> dict[str, Any]:
    """Change a row to one that a head flags, with its evidence."""
    item = {"head": head, "signal": signal, "value": value, "typical_low": low, "typical_high": high}
    item |= {
        "group": GROUP_OF[signal],
        "signals": 4,
        "percentile": 97,
        "peers": 1230,
        "peers_level": "platform and tier",
    }
    item["rows"] = [{"events": "days", "id": None, "at": f"2026-01-{day}T00:00:00Z"} for day in ("05", "19")]
    return {
        f"{head}_probability": 0.93,
        f"{head}_low": 0.81,
        f"{head}_high": 0.98,
        f"{head}_flagged": True,
        f"{head}_reason": "signals consistent with it",
        "authenticity": 0.06,
        "authenticity_low": 0.02,
        "authenticity_high": 0.17,
        "evidence": json.dumps([item]),
        "checked": json.dumps(
            [
                {
                    "head": head,
                    "events": "days",
                    "rows": item["rows"],
                    "probability": 0.93,
                    "probability_without": 0.24,
                    "suffices": True,
                }
            ]
        ),
    }


def small_scores() -> pd.DataFrame:
    """Make a small score frame: beauty, food and travel, one creator flagged, one not assessed, one of unknown size."""
    rows = [
        score_row(
            "an",
            display_name="An Nguyễn",
            profile_text="Review mỹ phẩm cho da dầu, serum dưỡng ẩm mỗi tuần #skincare",
        ),
        score_row(
            "binh",
            display_name="Bình Trần",
            platform="tiktok",
            followers=48_200,
            profile_text="Mỹ phẩm mỹ phẩm mỹ phẩm! serum da dầu giảm giá",
            **flagged("bought_followers", "follower_gain_max_step_z_all", 31.4, 0.5, 4.2),
        ),
        score_row(
            "chi",
            display_name="Chi Lê",
            followers=8_900,
            tier="nano",
            profile_text="Bún chả, phở và street food Hà Nội #anngon",
            niche="food",
        ),
        score_row(
            "dung",
            display_name=None,
            handle=None,
            followers=None,
            tier=None,
            niche=None,
            language=None,
            platform="youtube",
            country="TH",
            profile_text="skincare serum reviews in English",
            coverage_posts=3,
            coverage_days=0,
            **not_assessed(),
        ),
        score_row(
            "em",
            display_name="Em Phạm",
            followers=312_000,
            tier="macro",
            niche="travel",
            language="en",
            authenticity=0.7,
            authenticity_low=0.5,
            authenticity_high=0.84,
            profile_text="Travel vlogs, beaches and coffee in Saigon",
        ),
    ]
    return check_scores(pd.DataFrame(rows))


@pytest.fixture
def score_frame() -> pd.DataFrame:
    """The small score frame, fresh for a test that changes it."""
    return small_scores()


@pytest.fixture
def catalogue(score_frame: pd.DataFrame) -> Catalogue:
    """The small catalogue, checked and ready to rank."""
    return Catalogue.of(score_frame)


@pytest.fixture(scope="session")
def catalogue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small catalogue, written down."""
    file = tmp_path_factory.mktemp("catalogue") / "catalogue.parquet"
    small_scores().to_parquet(file, index=False)
    return file


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the service ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=1):  # noqa: S310
            return
        time.sleep(0.2)
    pytest.fail(f"the service was not ready after 120 s:\n{log.read_text()[-3000:]}")


_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_PROGRAM = shutil.which("postgres") or (str(_PROGRAMS[-1] / "postgres") if _PROGRAMS else None)


class Cluster:
    """A PostgreSQL of our own that can be stopped and started."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.programs = folder, port, Path(str(_PROGRAM)).resolve().parent
        # it refuses to run as root
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.process: subprocess.Popen[bytes] | None = None
        made = [str(self.programs / "initdb"), "-D", str(folder / "data"), "-U", "realreach", "-A", "trust"]
        subprocess.run([*self._as, *made], check=True, capture_output=True, cwd=folder)

    @property
    def url(self) -> str:
        return f"postgres://realreach@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen([*self._as, *command, *options], stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log.txt").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        if self.process is None:
            return
        # what runs as another user is asked by its own file: runuser passes on no signal that ends it at once
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
        self.process.wait(120)
        self.process = None


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if _PROGRAM is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    # not below pytest's own folder, which is root's alone
    folder = Path("/tmp") / f"realreach-postgres-{os.getpid()}"  # noqa: S108
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made = Cluster(folder, _free_port())
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


class ObjectStorage:
    """An S3 of our own, with one bucket: moto's server."""

    bucket = "realreach"

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _ask(self, method: str, path: str, content: bytes = b"") -> None:
        # moto looks who signs and never at the signature
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request"}
        answer = httpx.request(method, f"{self.url}/{path}", content=content, headers=signed, trust_env=False)
        answer.raise_for_status()

    def make(self) -> None:
        self._ask("PUT", self.bucket)

    def put(self, key: str, content: bytes) -> str:
        """Write an object; its address."""
        self._ask("PUT", f"{self.bucket}/{key}", content)
        return f"s3://{self.bucket}/{key}"

    def remove(self, key: str) -> None:
        self._ask("DELETE", f"{self.bucket}/{key}")


@pytest.fixture(scope="session")
def object_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    port, log = _free_port(), tmp_path_factory.mktemp("s3") / "log.txt"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    storage, deadline = ObjectStorage(f"http://127.0.0.1:{port}"), time.monotonic() + 120
    try:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                storage.make()
                break
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield storage
    finally:
        process.terminate()
        process.wait(120)


def service_environment(champion_home: Path, folder: Path) -> dict[str, str]:
    """Environment of a server with a tiny champion and the small catalogue, written to `folder`."""
    small_scores().to_parquet(folder / "catalogue.parquet", index=False)
    environment = os.environ | {
        "REALREACH_HOME": str(champion_home),
        "REALREACH_CATALOGUE": str(folder / "catalogue.parquet"),
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "REALREACH_OPEN": "1",
        "REALREACH_DATABASE": f"sqlite:///{folder / 'realreach.db'}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    return environment


@contextlib.contextmanager
def served(environment: dict[str, str], folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a real server, ended when left."""
    port, log = port or _free_port(), folder / "log.txt"
    command = [sys.executable, "-m", "serving.server", "serve", "serving.service:RealReach", "--host", "127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def service_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of `service_url` keeps its database, `realreach.db`, and its log."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="session")
def service_url(champion_home: Path, service_folder: Path) -> Iterator[str]:
    """Address of a real server process with a tiny champion and the small catalogue."""
    folder = service_folder
    with served(service_environment(champion_home, folder), folder) as (url, _):
        yield url


@pytest.fixture
def own_server(champion_home: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a server that the test may end."""
    with served(service_environment(champion_home, tmp_path), tmp_path) as one:
        yield one


@pytest.fixture
def two_workers(champion_home: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Address, process and log of a server of two workers that the test may harm."""
    environment = service_environment(champion_home, tmp_path) | {"REALREACH_WORKERS": "2"}
    with served(environment, tmp_path) as (url, process):
        yield url, process, tmp_path / "log.txt"


@pytest.fixture
def serve_home(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Serve a home, with the small catalogue, until the test ends; returns the address."""
    with contextlib.ExitStack() as stack:

        def serve(home: Path) -> str:
            return stack.enter_context(served(service_environment(home, tmp_path), tmp_path))[0]

        yield serve


@pytest.fixture(scope="module")
def serve_closed(champion_home: Path) -> Iterator[Callable[[Path], str]]:
    """Serve the small champion and catalogue to holders of keys, the database by the environment of the test."""
    with contextlib.ExitStack() as stack:

        def serve(folder: Path) -> str:
            environment = service_environment(champion_home, folder) | {"REALREACH_OPEN": "0"}
            environment["REALREACH_DATABASE"] = os.environ["REALREACH_DATABASE"]
            return stack.enter_context(served(environment, folder))[0]

        yield serve


@pytest.fixture(scope="session")
def reviewed_url(trained: tuple[Path, Trained], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service over simulated creators with campaigns in them, their tables beside; two analysts."""
    folder = tmp_path_factory.mktemp("reviewed")
    organic, rng = simulate_creators(60, seed=33), np.random.default_rng(0)
    campaigns = plan_campaigns(organic, draw_vendors(8, rng, style="retail"), rng, share=0.4)
    tables = check_tables(inject_campaigns(organic, campaigns, rng)[0])
    home, result = trained
    loaded = LoadedModel(result.name, result.version, result.model)
    scores = score_tables(tables, loaded, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    for name, frame in tables.items():
        write_frame(frame, folder / "tables" / f"{name}.parquet")
    environment = service_environment(home, folder) | {
        "REALREACH_CATALOGUE": str(folder / "scores.parquet"),
        "REALREACH_TABLES": str(folder / "tables"),
        "REALREACH_ANALYSTS": "An, Bình",
    }
    write_frame(scores, folder / "scores.parquet")
    with served(environment, folder) as (url, _):
        yield url


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    return {
        name: frame
        for name, frame in check_tables(simulate_creators(3, seed=11)).items()
        if name in ("creators", "posts", "snapshots")
    }


@pytest.fixture(scope="session")
def histories(tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The simulated creators as a request sends them, in another order than their ids."""

    def rows(name: str, creator_id: str) -> list[dict[str, Any]]:
        frame = tables[name]
        return json.loads(
            frame[frame["creator_id"] == creator_id].to_json(orient="records", date_format="iso", date_unit="us")
        )

    return [
        {
            "creator": rows("creators", creator_id)[0],
            "posts": rows("posts", creator_id),
            "snapshots": rows("snapshots", creator_id),
        }
        for creator_id in sorted(tables["creators"]["creator_id"], reverse=True)
    ]


class Machines:
    """Two services of homes of their own that share a PostgreSQL and a catalogue in object storage."""

    def __init__(self, champion_home: Path, folder: Path, database: str, storage: ObjectStorage) -> None:
        self.catalogue, self.storage = "shared/catalogue.parquet", storage
        self._environments = []
        self._stacks = [contextlib.ExitStack(), contextlib.ExitStack()]
        self._folders = [folder / "one", folder / "two"]
        self.ports = [_free_port(), _free_port()]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.write_catalogue(small_scores())
        for own in self._folders:
            (own / "home").mkdir(parents=True)
            shutil.copy(champion_home / "mlflow.db", own / "home")
            shared = {"REALREACH_DATABASE": database, "REALREACH_CATALOGUE": f"s3://{storage.bucket}/{self.catalogue}"}
            environment = service_environment(own / "home", own) | storage.environment | shared
            self._environments.append(environment | {"REALREACH_OPEN": "0"})
        with ThreadPoolExecutor(2) as pool:
            self.processes = list(pool.map(self._start, range(2)))

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        machine = served(self._environments[place], self._folders[place], self.ports[place])
        return self._stacks[place].enter_context(machine)[1]

    def url(self, place: int) -> str:
        return f"http://127.0.0.1:{self.ports[place]}"

    def command_line(self, *words: str) -> str:
        """What `realreach` says on the first machine."""
        command = [sys.executable, "-m", "realreach", *words]
        ran = subprocess.run(command, env=self._environments[0], capture_output=True, text=True, check=True)
        return ran.stdout

    def write_catalogue(self, frame: pd.DataFrame) -> None:
        self.storage.put(self.catalogue, frame.to_parquet(index=False))

    def end(self, place: int) -> None:
        """End a machine as its supervisor would, and wait for it."""
        self._stacks[place].close()

    def start(self, place: int) -> None:
        """Start a machine again, where it was."""
        self.processes[place] = self._start(place)

    def close(self) -> None:
        for stack in self._stacks:
            stack.close()


@pytest.fixture(scope="module")
def machines(
    champion_home: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, object_storage: ObjectStorage
) -> Iterator[Machines]:
    made = Machines(champion_home, tmp_path_factory.mktemp("machines"), cluster.url, object_storage)
    yield made
    made.close()
