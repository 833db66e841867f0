"""The house itself: locks, packages, arrows, and a README that is true about them."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "training", "serving")
LOCKS = ("requirements.lock", "requirements-dev.lock")
EVERY_LOCK = (*LOCKS, "requirements-bench.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules() -> list[Path]:
    return sorted([ROOT / "realreach.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of every requirement in a lock file."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in (ROOT / lock).read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", line)
            assert match, f"{lock}: not pinned to one version: {line}"
            name = canonical(match[1])
            found[name] = (match[2], 0)
        elif line.strip().startswith("--hash=sha256:"):
            found[name] = (found[name][0], found[name][1] + 1)
    return found


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_the_house(tmp_path: Path) -> Path:
    house = tmp_path / "house"
    house.mkdir()
    for room in ROOMS:
        shutil.copytree(ROOT / room, house / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("realreach.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, house / name)
    return house


@pytest.mark.parametrize("lock", EVERY_LOCK)
def test_every_locked_requirement_has_a_hash(lock: str) -> None:
    locked = pins(lock)

    assert len(locked) > 50
    assert [name for name, (_, hashes) in locked.items() if hashes == 0] == []


@pytest.mark.parametrize("lock", EVERY_LOCK)
def test_locks_name_no_index_and_no_machine(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert re.findall(r"^.*(?:index-url|find-links|trusted-host|://|file:|@ ).*$", text, flags=re.MULTILINE) == []


def test_the_dev_lock_is_a_superset_of_the_run_lock() -> None:
    run, dev = (pins(lock) for lock in LOCKS)

    assert {name: dev.get(name) for name in run} == run
    assert set(dev) - set(run)


def test_every_direct_dependency_is_locked() -> None:
    run, dev = (pins(lock) for lock in LOCKS)
    project = PROJECT["project"]

    def names(requirements: list[str]) -> set[str]:
        return {canonical(re.split(r"[\[<>=!~ ;]", requirement)[0]) for requirement in requirements}

    assert names(project["dependencies"]) <= set(run)
    extras = project["optional-dependencies"]
    assert names(extras["dev"]) | names(extras["dask"]) <= set(dev)
    assert names(project["dependencies"]) | names(extras["bench"]) <= set(pins("requirements-bench.lock"))


def test_every_third_party_import_is_a_declared_dependency() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    declared = {
        canonical(re.split(r"[\[<>=!~ ;]", line)[0])
        for line in [*PROJECT["project"]["dependencies"], *extras["dask"], *extras["bench"]]
    }
    distribution = {
        "sklearn": "scikit-learn",
        "pydantic_core": "pydantic",
        "re2": "google_re2",
        "circus": "kantoku",
        "vl_convert": "vl_convert_python",
    }
    own = {*ROOMS, "realreach"}

    undeclared = {
        f"{relative(path)} imports {top}"
        for path in modules()
        for top in {name.partition(".")[0] for name in imported(path)}
        if top not in own | sys.stdlib_module_names and canonical(distribution.get(top, top)) not in declared
    }

    assert undeclared == set()


def test_the_wheel_holds_every_module_and_data_file(copy_of_the_house: Path, tmp_path: Path) -> None:
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=copy_of_the_house, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        relative(path)
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert shipped == expected | {"realreach.py"}


def test_the_arrows_between_the_rooms_hold() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("features/wrong.py", "import training", "The arrows point one way"),
        ("training/wrong.py", "import serving", "The arrows point one way"),
        ("serving/wrong.py", "import realreach", "No room imports the front door"),
        ("features/wrong.py", "import requests", "features is pure"),
        ("serving/wrong.py", "import mlflow", "training.tracking is the only module that imports mlflow"),
    ],
)
def test_an_arrow_the_wrong_way_is_noticed(copy_of_the_house: Path, module: str, line: str, contract: str) -> None:
    (copy_of_the_house / module).write_text(line + "\n")

    done = lint_imports(copy_of_the_house)

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"{re.escape(contract)}.* BROKEN", done.stdout), done.stdout


def test_the_front_door_leaves_mlflow_to_tracking() -> None:
    assert [name for name in imported(ROOT / "realreach.py") if name.partition(".")[0] == "mlflow"] == []


def test_features_read_no_clock() -> None:
    clock = re.compile(r"\.(?:now|utcnow|today)\(|\btime\.time\(|perf_counter|Timestamp\(.(?:now|today)")

    readers = [relative(path) for path in (ROOT / "features").rglob("*.py") if clock.search(path.read_text())]

    assert readers == []


def test_nothing_is_pickled() -> None:
    pickling = {"pickle", "cloudpickle", "dill", "joblib", "shelve"}

    found = [relative(path) for path in modules() if pickling & {name.partition(".")[0] for name in imported(path)}]

    assert found == []


def test_every_module_has_a_name_that_says_something() -> None:
    attic = re.compile(r"^_?(?:utils?|helpers?|common|misc|tools)\.py$")

    assert [relative(path) for path in modules() if attic.match(path.name)] == []


def test_readme_maps_every_top_level_folder_and_every_module_it_names_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = readme.partition("## Map of the house")[2].partition("```")[2].partition("```")[0]
    built = {"build", "dist", "__pycache__", "mlruns", "mlartifacts"}
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and path.name not in built and not path.name.startswith(".") and path.suffix != ".egg-info"
    }

    assert {folder for folder in folders if f"{folder}/" not in tree} == set()
    known = {path.name for path in modules()}
    assert {name for name in re.findall(r"[a-z_]+\.py\b", tree) if name not in known} == set()


def test_readme_names_only_commands_that_make_knows() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    code = "\n".join(re.findall(r"```[^`]+```|`[^`]+`", (ROOT / "README.md").read_text()))
    named = set(re.findall(r"\bmake ([a-z-]+)", code))

    assert {"run", "test"} <= named <= targets
