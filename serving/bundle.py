"""A bento with the champions inside: everything the service needs where realreach is not installed and no registry is.

What goes in: the packages, the registered files of the champions under `bundled/`, each held against its digest before
it is packed and again when it is read, the locked requirements, and a catalogue where one is named.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import metadata, requires
from pathlib import Path

import bentoml

from features.memory import KEEP_FREED_MEMORY
from serving.current import MODELS
from training import tracking

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("features", "training", "serving")
_REQUIREMENTS = "requirements.txt"
#: Where the service looks for a catalogue inside a bento.
CATALOGUE = f"{tracking.BUNDLED}/catalogue.parquet"


class BundleError(RuntimeError):
    """No bento was made; the message says why."""


#: What `realreach serve` sets, for a bento that is served without it.
_ENVIRONMENT = {"BENTOML_DO_NOT_TRACK": "True", **KEEP_FREED_MEMORY}


@dataclass(frozen=True)
class Bundle:
    """A bento that was made: its tag in BentoML's store, where it lies, and the versions inside."""

    tag: str
    path: Path
    versions: dict[str, int]


def _pack_champions(folder: Path) -> dict[str, int]:
    versions: dict[str, int] = {}
    champions = {}
    for name in MODELS:
        try:
            found = tracking.resolve(name)
        except tracking.ModelNotFoundError:
            if name == MODELS[0]:
                raise
            continue
        root = tracking.download(name, found.version)
        while not (root / tracking.MANIFEST).is_file():
            root = root.parent
        shutil.copytree(root, folder / name)
        champions[name] = {"version": found.version, "run_id": found.run_id, "tags": found.tags}
        versions[name] = found.version
    (folder / tracking.CHAMPIONS).write_text(json.dumps(champions, indent=1), encoding="utf-8")
    return versions


def _requirements() -> str:
    lock = _ROOT / "requirements.lock"
    if lock.is_file():
        # the versions without their hashes: bentoml adds itself without one, and then no installer would take the rest
        lines = lock.read_text(encoding="utf-8").splitlines()
        return "\n".join(line.rstrip(" \\") for line in lines if line and line[0] not in " #") + "\n"
    # installed from a wheel: no lock comes with it
    return "".join(f"{one}\n" for one in requires("realreach") or () if "extra ==" not in one)


def _stage(folder: Path, catalogue: Path | None) -> dict[str, int]:
    for name in _PACKAGES:
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    # what importlib.metadata reads: the version that answers name
    about = folder / f"realreach-{metadata('realreach')['Version']}.dist-info"
    about.mkdir()
    version = metadata("realreach")["Version"]
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: realreach\nVersion: {version}\n", encoding="utf-8")
    (folder / tracking.BUNDLED).mkdir()
    versions = _pack_champions(folder / tracking.BUNDLED)
    if catalogue is not None:
        shutil.copy(catalogue, folder / CATALOGUE)
    (folder / _REQUIREMENTS).write_text(_requirements(), encoding="utf-8")
    described = {
        "service": "serving.service:RealReach",
        "name": "realreach",
        "include": [f"{name}/**" for name in (*_PACKAGES, tracking.BUNDLED, about.name)],
        "python": {"requirements_txt": f"./{_REQUIREMENTS}", "lock_packages": False},
        "docker": {
            "distro": "debian",
            "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
            "system_packages": ["libgomp1"],  # LightGBM computes with it and does not bring it
        },
        "envs": [{"name": name, "value": value} for name, value in _ENVIRONMENT.items()],
        "labels": {f"{name}_version": str(version) for name, version in versions.items()},
    }
    (folder / "bentofile.yaml").write_text(json.dumps(described), encoding="utf-8")  # JSON is YAML
    return versions


def make_bundle(catalogue: Path | None = None, progress: Callable[[str], None] = lambda _: None) -> Bundle:
    """Make a bento of the champions.

    Parameters
    ----------
    catalogue : Path, optional
        Score file in Parquet to put inside.

    Raises
    ------
    BundleError
    training.tracking.ModelNotFoundError, training.tracking.CorruptModelError
    """
    with tempfile.TemporaryDirectory(prefix="realreach-bundle-") as name:
        folder = Path(name)
        progress("packing the champions")
        versions = _stage(folder, catalogue)
        progress("building the bento")
        # of its own process: bentoml imports the service from the folder that it packs
        ran = subprocess.run(
            [sys.executable, "-m", "bentoml", "build", "--output", "tag", "."],
            cwd=folder,
            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise BundleError(f"bentoml could not build it:\n{(ran.stderr or ran.stdout)[-2000:]}")
    tag = ran.stdout.strip().rpartition("__tag__:")[2]
    return Bundle(tag, Path(bentoml.bentos.get(tag).path), versions)
