"""A bento of the small champion: what is in it, and that it runs where the project is not installed."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from training import tracking

_BIN = Path(sys.executable).parent


def _run(command: list[str], **options: Any) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
    return ran.stdout


@pytest.fixture(scope="module")
def bento(champion_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """BentoML's home and the folder of the bento in it."""
    home = tmp_path_factory.mktemp("bentoml")
    environment = {**os.environ, "REALREACH_HOME": str(champion_home), "BENTOML_HOME": str(home)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    said = _run([sys.executable, "-m", "realreach", "bundle"], env=environment)
    (made,) = (home / "bentos" / "realreach").glob("*/bento.yaml")
    assert "authenticity version 1" in said
    return home, made.parent


@pytest.mark.slow
def test_what_is_in_it(bento: tuple[Path, Path], champion_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, made = bento
    inside = {path.relative_to(made / "src").as_posix() for path in (made / "src").rglob("*") if path.is_file()}
    assert not [name for name in inside if name.endswith((".pkl", ".pickle", ".joblib", ".pyc"))]
    assert {name.split("/")[0] for name in inside} == {
        "bentofile.yaml",
        "bundled",
        "features",
        "realreach-0.1.0.dist-info",
        "serving",
        "training",
    }
    assert {"features/pieces.npz", "serving/translations/vi.po", "serving/operations/grafana.json"} <= inside
    monkeypatch.setattr(tracking, "_bundled_folder", lambda: made / "src" / tracking.BUNDLED)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(made / "no registry here"))
    found = tracking.resolve("authenticity")
    assert found.version == 1
    folder = tracking.download("authenticity", 1)
    monkeypatch.setattr(tracking, "_bundled_folder", lambda: made / "src" / "absent")
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    registered = tracking.download("authenticity", 1)
    names = {path.name for path in registered.iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    assert all((folder / name).read_bytes() == (registered / name).read_bytes() for name in names)


@pytest.mark.slow
def test_a_bundled_model_that_was_changed_is_refused(
    bento: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree(bento[1] / "src" / tracking.BUNDLED, tmp_path / "bundled")
    monkeypatch.setattr(tracking, "_bundled_folder", lambda: copied)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tracking.download("authenticity", 1)
    one = next(path for path in sorted(folder.iterdir()) if path.is_file())
    one.write_bytes(one.read_bytes() + b" ")
    with pytest.raises(tracking.CorruptModelError, match="has changed"):
        tracking.download("authenticity", 1)
    for ask in (lambda: tracking.download("authenticity", 2), lambda: tracking.resolve("nothing")):
        with pytest.raises(tracking.ModelNotFoundError, match="this bento has no"):
            ask()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_where_nothing_is_installed(
    bento: tuple[Path, Path], service_url: str, histories: list[dict[str, Any]], tmp_path: Path
) -> None:
    home, made = bento
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")
    }
    environment |= {
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "REALREACH_HOME": str(tmp_path / "home"),
        "REALREACH_OPEN": "1",
    }
    empty = tmp_path / "empty"
    _run([sys.executable, "-m", "venv", str(empty)])
    requirements = str(made / "env" / "python" / "requirements.txt")
    installed = subprocess.run(
        [str(_BIN / "uv"), "pip", "install", "--quiet", "--python", str(empty / "bin" / "python"), "-r", requirements],
        capture_output=True,
        check=False,
    )
    if installed.returncode:  # uv does not read pip's configuration
        _run([str(empty / "bin" / "pip"), "install", "--quiet", "-r", requirements])
    there = subprocess.run([str(empty / "bin" / "python"), "-c", "import serving"], cwd=tmp_path, check=False)
    assert there.returncode != 0
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    command = [str(empty / "bin" / "bentoml"), "serve", f"realreach:{made.name}", "--host", "127.0.0.1"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200:
                    break
            assert process.poll() is None, (tmp_path / "log.txt").read_text()[-3000:]
            assert time.monotonic() < deadline, (tmp_path / "log.txt").read_text()[-3000:]
            time.sleep(0.3)
        body = json.dumps({"histories": histories, "checks": False})
        answers = [
            httpx.post(f"{one}/v1/score", content=body, timeout=60, trust_env=False).raise_for_status().json()
            for one in (url, service_url)
        ]
        assert answers[0] == answers[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
