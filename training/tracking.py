"""Experiments and the model registry: the only module that talks to MLflow.

Runs and models are kept in `REALREACH_HOME` (`./.realreach` by default): `mlflow.db` and `mlartifacts/`.
`MLFLOW_TRACKING_URI` puts them on a server instead. MLflow takes seconds to import, so every function imports it when
called, and none touches MLflow's global state: each call works on the store that the environment names at that moment.

A registered version is complete or absent. Its files are uploaded and read back against a manifest of SHA-256 digests
first, then the version is created together with the digest of that manifest, and the alias is moved last; whoever
downloads a version checks both. A process may be killed anywhere in between.
"""

import json
import logging
import math
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as RegisteredVersion
    from mlflow.models import ModelSignature

CHAMPION = "champion"
CHALLENGER = "challenger"

MANIFEST = "manifest.json"
METADATA = "metadata.json"
#: Folder beside the packages that holds the champions of a bento, and the file in it that names them.
BUNDLED, CHAMPIONS = "bundled", "champions.json"
#: Version tag with the digest of the manifest, so that files and registry vouch for each other.
MANIFEST_TAG = "realreach.manifest_sha256"
#: Run tag that tells a run still going from one whose process was killed.
PROCESS_TAG = "realreach.process"
#: MLflow's own name, so that its pages show the commit.
COMMIT_TAG = "mlflow.source.git.commit"

#: No telemetry, no chatter, and no picking up of a lock file that happens to lie in the current folder.
_MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
}


class ModelNotFoundError(LookupError):
    """No such model, version or alias is registered."""


class CorruptModelError(RuntimeError):
    """The files of a registered version are not the ones that were registered."""


@dataclass(frozen=True)
class ModelVersion:
    """A registered model.

    Attributes
    ----------
    name : str
        Name in the registry.
    version : int
        Number in the registry, from 1.
    run_id : str
        The run that made it.
    tags : dict of str
        The plain values of its metadata and the digest of its manifest.
    """

    name: str
    version: int
    run_id: str
    tags: dict[str, str] = field(default_factory=dict)


def home() -> Path:
    """Folder of everything realreach keeps: `REALREACH_HOME`, by default `./.realreach`; absolute."""
    return Path(os.environ.get("REALREACH_HOME") or ".realreach").absolute()


def store_uri() -> str:
    """Where runs and models are kept: `MLFLOW_TRACKING_URI`, by default the SQLite file in `home()`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(home() / 'mlflow.db').as_posix()}"


def commit_tag() -> dict[str, str]:
    """The commit that this code was checked out at, as a tag of a run; empty where it is no clone or git fails."""
    root, git = Path(__file__).parents[1], shutil.which("git")
    # installed among a project's packages, git would name that project's commit
    if git is None or not (root / ".git").exists():
        return {}
    command = [git, "-C", str(root), "rev-parse", "HEAD"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return {}
    return {COMMIT_TAG: asked.stdout.strip()}


def dataset_digest(frame: pd.DataFrame) -> str:
    """Digest of a frame's values, index, column names and dtypes; 32 hexadecimal digits."""
    digest = sha256(json.dumps([(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Run:
    """A run in progress, as `start_run` yields it.

    Attributes
    ----------
    run_id, experiment_id : str
        Ids in the store.
    client : MlflowClient
        The store, for this module.
    """

    run_id: str
    experiment_id: str
    client: "MlflowClient" = field(repr=False)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record numbers by name; NaN is recorded as such."""
        from mlflow.entities import Metric

        now = int(pd.Timestamp.now("UTC").timestamp() * 1000)
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, float(value), now, step) for name, value in metrics.items()]
        )

    def log_dataset_digest(self, name: str, data: pd.DataFrame | str, source: str, context: str = "training") -> str:
        """Record which data the run has seen, not the data.

        Parameters
        ----------
        name : str
            What the data is called.
        data : DataFrame or str
            The data, or its digest (at most 36 characters).
        source : str
            Where it came from, in words or as an address.
        context : str
            What it was used for.

        Returns
        -------
        str
            The digest.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digest = data if isinstance(data, str) else dataset_digest(data)
        dataset = Dataset(name, digest, source_type="realreach", source=json.dumps({"uri": source}))
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])
        return digest

    def log_figure(self, figure: "Figure", name: str) -> None:
        """Keep a matplotlib figure as `<name>.png`."""
        self.client.log_figure(self.run_id, figure, f"{name}.png")


@contextmanager
def start_run(
    experiment: str, name: str, params: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """Run an experiment: finished where the block ends, failed where it raises.

    Parameters
    ----------
    experiment, name : str
        The experiment is created where it does not exist; several runs may have one name.
    params : mapping, optional
        What the run was configured with; nested mappings get dotted names.
    tags : mapping of str, optional
        Such as commit and signal registry.
    """
    client = _client()
    experiment_id = _experiment(client, experiment)
    mark_abandoned_runs(experiment)
    own = {**(tags or {}), PROCESS_TAG: _process(os.getpid())}
    run = Run(client.create_run(experiment_id, run_name=name, tags=own).info.run_id, experiment_id, client)
    status = "KILLED"
    try:
        _log_params(run, params or {})
        yield run
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        client.set_terminated(run.run_id, status)


def mark_abandoned_runs(experiment: str) -> list[str]:
    """Mark the runs as killed whose process on this host is gone; ids of those runs.

    Runs of other hosts are left alone, nobody can tell from here; so are all runs on Windows, where asking for a
    process may end it.
    """
    client = _client()
    found = client.get_experiment_by_name(experiment)
    abandoned: list[str] = []
    token: str | None = None
    while found is not None:
        page = client.search_runs([found.experiment_id], "attributes.status = 'RUNNING'", page_token=token)
        abandoned += [run.info.run_id for run in page if _is_abandoned(run.data.tags.get(PROCESS_TAG, ""))]
        token = page.token
        if not token:
            break
    for run_id in abandoned:
        client.set_terminated(run_id, "KILLED")
    return abandoned


def register_model(
    run: Run,
    model_name: str,
    folder: Path,
    metadata: Mapping[str, Any],
    *,
    loader_module: str,
    pip_requirements: Sequence[str],
    inputs: pd.DataFrame | None = None,
    outputs: pd.DataFrame | None = None,
) -> ModelVersion:
    """Register a folder of plain files as the next version of a model, and as its challenger.

    Parameters
    ----------
    run : Run
        The run that made the model.
    model_name : str
        Name in the registry; created where it does not exist.
    folder : Path
        The files of the model.
    metadata : mapping
        JSON values, kept with the files (`read_metadata`); NaN becomes null. Plain values also become tags of the
        version.
    loader_module : str
        Importable module whose `_load_pyfunc(path)` loads the folder, for MLflow's own tools.
    pip_requirements : sequence of str
        What that module needs.
    inputs, outputs : DataFrame, optional
        Columns and dtypes of what the model takes and gives; the rows are not looked at.

    Returns
    -------
    ModelVersion
        The new version.

    Raises
    ------
    ValueError
        Where the folder holds no file.
    CorruptModelError
        Where the store does not hold what was uploaded; no version is created then.
    """
    if not any(path.is_file() for path in folder.rglob("*")):
        raise ValueError(f"{folder} holds no file to register")
    client = run.client
    logged = client.create_logged_model(run.experiment_id, name=model_name, source_run_id=run.run_id)
    try:
        with tempfile.TemporaryDirectory(prefix="realreach-") as staging:
            staged = Path(staging) / "model"
            _save(staged, folder, logged, run, loader_module, pip_requirements, _signature(inputs, outputs))
            (staged / METADATA).write_text(json.dumps(_plain(metadata), indent=1, allow_nan=False), encoding="utf-8")
            digest = _write_manifest(staged, folder.name)
            client.log_model_artifacts(logged.model_id, str(staged))
        with tempfile.TemporaryDirectory(prefix="realreach-") as copy:
            _verify(_download(logged.artifact_location, Path(copy)), digest, f"{model_name} (before registration)")
        client.finalize_logged_model(logged.model_id, "READY")
    except Exception:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    _ensure_registered(client, model_name)
    tags = {key: str(value) for key, value in metadata.items() if isinstance(value, str | int | float | bool)}
    created = client.create_model_version(
        model_name,
        source=logged.artifact_location,
        run_id=run.run_id,
        tags={**tags, MANIFEST_TAG: digest},
        model_id=logged.model_id,
    )
    client.set_registered_model_alias(model_name, CHALLENGER, str(created.version))
    return _model_version(created)


def promote(model_name: str, version: int) -> ModelVersion:
    """Make a version the champion, once its files have been checked.

    Raises
    ------
    ModelNotFoundError, CorruptModelError
        As in `download`.
    """
    download(model_name, version)
    client = _client()
    client.set_registered_model_alias(model_name, CHAMPION, str(version))
    return _model_version(_find(client, model_name, version))


def resolve(model_name: str, alias: str = CHAMPION) -> ModelVersion:
    """The version that an alias (`champion`, `challenger`) stands for.

    Raises
    ------
    ModelNotFoundError
        Where there is no such model or alias.
    """
    if (bundled := _bundled()) is not None:
        if alias != CHAMPION or model_name not in bundled:
            raise ModelNotFoundError(f"this bento has no {alias} of the model {model_name!r}")
        return bundled[model_name]
    # whoever only asks for a model gets no store made for it, which takes seconds
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (home() / "mlflow.db").exists():
        raise ModelNotFoundError(f"{store_uri()} has no {alias} of the model {model_name!r}")
    from mlflow.exceptions import MlflowException

    client = _client()
    try:
        return _model_version(client.get_model_version_by_alias(model_name, alias))
    except MlflowException as error:
        if not _says_missing(error):
            raise
        raise ModelNotFoundError(f"{store_uri()} has no {alias} of the model {model_name!r}") from error


def download(model_name: str, version: int) -> Path:
    """Folder with the files of a version, as they were registered and checked against their digests.

    Files on this machine are used where they lie; files of a server are kept in `home()/models`.

    Raises
    ------
    ModelNotFoundError
        Where there is no such version.
    CorruptModelError
        Where a file is missing, changed or added; the message names it.
    """
    root, folder = _fetch(model_name, version)
    return root / folder


def read_metadata(model_name: str, version: int) -> dict[str, Any]:
    """Metadata a version was registered with; raises as `download`."""
    root, _ = _fetch(model_name, version)
    found: dict[str, Any] = json.loads((root / METADATA).read_text(encoding="utf-8"))
    return found


def _bundled_folder() -> Path:
    return Path(__file__).parents[1] / BUNDLED


def _bundled() -> dict[str, ModelVersion] | None:
    """Champions of the bento that this is; None where it is none, or where a registry is named."""
    named = _bundled_folder() / CHAMPIONS
    if os.environ.get("MLFLOW_TRACKING_URI") or not named.is_file():
        return None
    champions = json.loads(named.read_text(encoding="utf-8"))
    return {name: ModelVersion(name, one["version"], one["run_id"], one["tags"]) for name, one in champions.items()}


def _client() -> "MlflowClient":
    """Client of the store that the environment names; creates the default one."""
    for name, value in _MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    uri = store_uri()
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        _create_database(home() / "mlflow.db")
    return MlflowClient(tracking_uri=uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)


def _create_database(path: Path) -> None:
    """Create the SQLite file in one step.

    MLflow creates its tables by many migrations, and a file left half-way by a killed process cannot be opened again.
    """
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # "Creating initial MLflow database tables..."
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".creating-") as folder:
        fresh = Path(folder) / path.name
        store = SqlAlchemyStore(f"sqlite:///{fresh.as_posix()}", _artifact_root())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        try:
            # Unlike a rename, a link never replaces the file that another process has created meanwhile.
            path.hardlink_to(fresh)
        except OSError:
            if not path.exists():
                fresh.rename(path)


def _artifact_root() -> str:
    return (home() / "mlartifacts").as_uri()


def _experiment(client: "MlflowClient", name: str) -> str:
    """Id of the experiment; created where it does not exist."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # A server knows where its artifacts go; a bare database does not.
        served = urlsplit(store_uri()).scheme in ("http", "https", "databricks")
        try:
            return str(client.create_experiment(name, artifact_location=None if served else _artifact_root()))
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _log_params(run: Run, params: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    flat = _flatten(params)
    # The limit of one call to a server is 100 params.
    for start in range(0, len(flat), 100):
        run.client.log_batch(run.run_id, params=[Param(*pair) for pair in flat[start : start + 100]])


def _flatten(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in params.items():
        if isinstance(value, Mapping):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", str(value)))
    return flat


def _process(pid: int) -> str:
    return f"{platform.node()}:{pid}:{_started(pid)}"


def _is_abandoned(process: str) -> bool:
    host, pid, started = ("::" + process).rsplit(":", 2)
    return host == f"::{platform.node()}" and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """What tells a process from a later one of the same number; empty where no such process runs."""
    if Path("/proc/self/stat").exists():
        try:
            # man 5 proc: after the name in parentheses comes the state (Z: dead, not yet collected), 19 on the start.
            state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if state in "ZX" else rest[18]
    if os.name == "nt":
        return "unknown"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"


def _save(
    staged: Path,
    folder: Path,
    logged: Any,
    run: Run,
    loader_module: str,
    pip_requirements: Sequence[str],
    signature: "ModelSignature | None",
) -> None:
    """Write the model as MLflow wants it: the folder under `data/`, and what its tools need to load it beside."""
    import mlflow.pyfunc
    from mlflow.models import Model

    described = Model(
        artifact_path=logged.artifact_location,
        run_id=run.run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        # Handed to `save_model` instead, a signature without an example of the input is warned about.
        signature=signature,
    )
    mlflow.pyfunc.save_model(
        path=str(staged),
        loader_module=loader_module,
        data_path=str(folder),
        pip_requirements=list(pip_requirements),
        mlflow_model=described,
    )


def _signature(inputs: pd.DataFrame | None, outputs: pd.DataFrame | None) -> "ModelSignature | None":
    if inputs is None:
        return None
    from mlflow.models import ModelSignature

    return ModelSignature(_schema(inputs), None if outputs is None else _schema(outputs))


def _schema(frame: pd.DataFrame) -> Any:
    """MLflow's schema of a frame's columns; none is required, since any value may be missing."""
    from mlflow.types import ColSpec, Schema

    kinds = {"f": "double", "i": "long", "u": "long", "b": "boolean", "M": "datetime"}
    columns = ((str(name), kinds.get(dtype.kind, "string")) for name, dtype in frame.dtypes.items())
    return Schema([ColSpec(kind, name, required=False) for name, kind in columns])


def _write_manifest(root: Path, folder: str) -> str:
    """Write the digests of all files under `root` beside them; digest of that manifest."""
    files = {path.relative_to(root).as_posix(): _digest(path) for path in sorted(root.rglob("*")) if path.is_file()}
    manifest = root / MANIFEST
    manifest.write_text(json.dumps({"folder": f"data/{folder}", "files": files}, indent=1), encoding="utf-8")
    return _digest(manifest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _file_digest(file.read())


def _file_digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _verify(root: Path, digest: str, what: str) -> str:
    """Hold the files under `root` against their manifest; the model's folder within `root`."""
    manifest = root / MANIFEST
    if not manifest.is_file():
        raise CorruptModelError(f"{what}: {MANIFEST} is missing in {root}")
    content = manifest.read_bytes()
    if _file_digest(content) != digest:
        raise CorruptModelError(f"{what}: {MANIFEST} in {root} is not the one that was registered")
    listed = json.loads(content)
    folder, files = str(listed["folder"]), listed["files"]
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    problems = [f"{name} is missing" for name in files if name not in there]
    problems += [f"{name} has changed" for name in files if name in there and _digest(root / name) != files[name]]
    # MLflow's own tools add files next to MLmodel; only the model's folder is ours alone.
    problems += [f"{name} was added" for name in sorted(there - set(files)) if name.startswith(f"{folder}/")]
    if problems:
        raise CorruptModelError(f"{what}: {', '.join(problems)} in {root}")
    return folder


def _fetch(model_name: str, version: int) -> tuple[Path, str]:
    """Checked files of a version: their root, and the model's folder in it."""
    if (bundled := _bundled()) is not None:
        if model_name not in bundled or bundled[model_name].version != version:
            raise ModelNotFoundError(f"this bento has no version {version} of the model {model_name!r}")
        root = _bundled_folder() / model_name
        return root, _verify(root, bundled[model_name].tags[MANIFEST_TAG], f"{model_name} version {version}")
    found = _find(_client(), model_name, version)
    what = f"{model_name} version {version}"
    digest = found.tags.get(MANIFEST_TAG)
    if digest is None:
        raise CorruptModelError(f"{what} was not registered by realreach: it has no tag {MANIFEST_TAG}")
    source = found.source or ""
    if _is_local(source):
        root = _download(source, home())
        return root, _verify(root, digest, what)
    kept = home() / "models" / model_name / f"{version}-{digest[:16]}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".downloading-") as folder:
            fresh = _download(source, Path(folder))
            _verify(fresh, digest, what)
            try:
                fresh.rename(kept)
            except OSError:
                # Another process was faster.
                if not kept.is_dir():
                    raise
    try:
        return kept, _verify(kept, digest, what)
    except CorruptModelError:
        # What is kept is a copy: the next call fetches it again.
        shutil.rmtree(kept)
        raise


def _is_local(source: str) -> bool:
    return urlsplit(source).scheme == "file"


def _download(source: str, folder: Path) -> Path:
    """Files behind an artifact address: where they lie if that is on this machine, else copied to `folder`."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = store_uri()
    try:
        found = download_artifacts(
            artifact_uri=source,
            dst_path=None if _is_local(source) else str(folder),
            tracking_uri=uri,
            registry_uri=uri,
        )
    except (OSError, MlflowException) as error:
        if isinstance(error, MlflowException) and not _says_missing(error):
            raise
        raise CorruptModelError(f"the files of the model are missing at {source}") from error
    return Path(found)


def _ensure_registered(client: "MlflowClient", model_name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(client: "MlflowClient", model_name: str, version: int) -> "RegisteredVersion":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(model_name, str(version))
    except MlflowException as error:
        if not _says_missing(error):
            raise
        raise ModelNotFoundError(f"{store_uri()} has no version {version} of the model {model_name!r}") from error


def _says_missing(error: Exception) -> bool:
    # A missing alias is an invalid parameter to MLflow.
    return getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def _model_version(found: "RegisteredVersion") -> ModelVersion:
    return ModelVersion(found.name, int(found.version), found.run_id or "", dict(found.tags))


def _plain(value: Any) -> Any:
    """JSON values only: numpy scalars as numbers, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
