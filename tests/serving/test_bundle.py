"""A bento of the small champion: what is in it, and that it runs where the project is not installed."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from features.memory import KEEP_FREED_MEMORY
from serving.bundle import CATALOGUE, Bundle, BundleError
from serving.kubernetes import manifest
from serving.service import TIMEOUT
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
    written = ("--kubernetes", str(home / "kubernetes.yaml"), "--image", "registry.example/realreach:7")
    said = _run([sys.executable, "-m", "realreach", "bundle", *written], env=environment)
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
def test_the_dockerfile_that_bentoml_writes_has_what_the_service_needs(bento: tuple[Path, Path]) -> None:
    lines = (bento[1] / "env" / "docker" / "Dockerfile").read_text().splitlines()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert next(line for line in lines if line.startswith("FROM ")) == f"FROM python:{running}-slim AS base-container"
    assert any("apt-get install" in line and "libgomp1" in line.split() for line in lines)
    assert {f"ARG {name}={value}" for name, value in KEEP_FREED_MEMORY.items()} <= set(lines)
    assert "USER bentoml" in lines
    assert lines.index("USER bentoml") > max(number for number, line in enumerate(lines) if line.startswith("RUN "))
    assert 'ENTRYPOINT [ "/home/bentoml/bento/env/docker/entrypoint.sh" ]' in lines
    assert (bento[1] / "env" / "docker" / "entrypoint.sh").is_file()


def _manifest(bento: tuple[Path, Path]) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((bento[0] / "kubernetes.yaml").read_text())}


@pytest.mark.slow
def test_the_manifest_is_what_kubernetes_takes_and_fits_the_bento(bento: tuple[Path, Path]) -> None:
    parts = _manifest(bento)
    assert set(parts) == {"Secret", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    for part in parts.values():
        for version in ("1.30", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(part, version, strict=True)
    pod = parts["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "registry.example/realreach:7"
    assert pod["metadata"]["labels"]["app.kubernetes.io/version"] == bento[1].name
    for selecting in ("Deployment", "PodDisruptionBudget"):
        assert parts[selecting]["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert parts["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert parts["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == parts["Deployment"]["metadata"]["name"]
    # a pod has the time to stop being asked, to answer the longest request, and to end
    (_, waits) = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= int(waits) + TIMEOUT + 10
    uid = re.findall(r"ARG BENTO_USER_UID=(\d+)", (bento[1] / "env" / "docker" / "Dockerfile").read_text())
    assert [str(pod["spec"]["securityContext"]["runAsUser"])] == uid
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["ports"][0]["containerPort"] == 3000
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}


@pytest.mark.slow
def test_the_manifest_sets_nothing_that_is_not_read(bento: tuple[Path, Path]) -> None:
    parts = _manifest(bento)
    (container,) = parts["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": parts["Secret"]["metadata"]["name"]}}]
    told = [one["name"] for one in container["env"]] + list(parts["Secret"]["stringData"])
    ours = {name for name in told if name.startswith("REALREACH_")}
    sources = "".join(path.read_text() for path in (bento[1] / "src").rglob("*.py"))
    assert {name for name in ours if f'"{name}"' in sources} == ours
    storage = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
    assert set(told) - ours == {"BENTOML_HOME", "HOME"} | storage


def test_a_bento_with_a_catalogue_inside_needs_no_storage_and_an_image_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "env" / "docker").mkdir(parents=True)
    dockerfile = tmp_path / "env" / "docker" / "Dockerfile"
    dockerfile.write_text("ARG BENTO_USER_UID=1034\n")
    (tmp_path / "src" / CATALOGUE).parent.mkdir(parents=True)
    (tmp_path / "src" / CATALOGUE).touch()
    made = Bundle("realreach:abc", tmp_path, {"authenticity": 1})
    secret = next(yaml.safe_load_all(manifest(made, "realreach:abc")))
    assert list(secret["stringData"]) == ["REALREACH_DATABASE"]
    with pytest.raises(BundleError, match="is no name of an image"):
        manifest(made, 'x"\nkind: Pod')
    dockerfile.write_text("FROM scratch\n")
    with pytest.raises(BundleError, match="names no BENTO_USER_UID"):
        manifest(made, "realreach:abc")


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200:
                return
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


#: Everything read-only but an empty /tmp, as the manifest says; in mounts that nothing else sees.
_READ_ONLY = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /tmp
awk '{print $2}' /proc/mounts | grep -v -e '^/tmp$' -e '^/proc' -e '^/sys' -e '^/dev' | sort -ru | while read -r one; do
    mount -o remount,bind,ro "$one"
done
if touch "$1/written" 2>/dev/null; then echo "not read-only"; exit 1; fi
cd "$1"
exec "$2" serve "$1" --host 127.0.0.1 --port "$3"
"""


@pytest.mark.slow
def test_it_runs_where_nothing_but_tmp_can_be_written(
    bento: tuple[Path, Path], histories: list[dict[str, Any]], tmp_path: Path
) -> None:
    apart = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]  # noqa: S108
    if os.geteuid() != 0 or not shutil.which("unshare") or subprocess.run(apart, check=False).returncode:
        pytest.skip("only root on Linux may make mounts of its own")
    (container,) = _manifest(bento)["Deployment"]["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]} | {
        "PATH": os.environ["PATH"],
        "BENTOML_CONTAINERIZED": "true",
        "REALREACH_OPEN": "1",
    }
    port, log = _free_port(), tmp_path / "log.txt"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = shutil.copytree(bento[1], Path(name) / "bento")
        command = ["unshare", "--mount", "sh", "-c", _READ_ONLY, "sh", str(folder), str(_BIN / "bentoml"), str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(url, process, log)
            body = {"histories": histories, "checks": False}
            assert httpx.post(f"{url}/v1/score", json=body, timeout=120, trust_env=False).status_code == 200
            left = {"decisions": [{"brand_id": "b", "creator_id": "c", "decided_at": "2026-01-12T09:30:00Z"}]}
            left["decisions"][0]["decision"] = "yes"
            assert httpx.post(f"{url}/v1/feedback", json=left, timeout=120, trust_env=False).status_code == 201
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


@pytest.mark.slow
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
    port = _free_port()
    command = [str(empty / "bin" / "bentoml"), "serve", f"realreach:{made.name}", "--host", "127.0.0.1"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url, process, tmp_path / "log.txt")
        body = json.dumps({"histories": histories, "checks": False})
        answers = [
            httpx.post(f"{one}/v1/score", content=body, timeout=120, trust_env=False).raise_for_status().json()
            for one in (url, service_url)
        ]
        assert answers[0] == answers[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
