import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pytest

from training import tracking

ROOT = Path(__file__).parents[2]
LOADER = "tests_loader_of_text"


@pytest.fixture
def model(tmp_path):
    """The files of a model."""
    folder = tmp_path / "model"
    (folder / "heads").mkdir(parents=True)
    (folder / "model.json").write_text('{"heads": ["bought_likes"]}')
    (folder / "heads" / "bought_likes.txt").write_text("tree")
    return folder


def register(model, metadata=None, name="authenticity", **extra):
    with tracking.start_run("training", "test") as run:
        return tracking.register_model(
            run, name, model, metadata or {}, loader_module=LOADER, pip_requirements=["lightgbm==4.7.0"], **extra
        )


def run_of(run_id):
    from mlflow import MlflowClient

    return MlflowClient(tracking.store_uri()).get_run(run_id)


def test_a_run_keeps_what_it_was_told(home):
    from matplotlib.figure import Figure

    frame = pd.DataFrame({"likes": [1.0, np.nan]}, index=["a", "b"])
    params = {"seed": 1, "trees": {"leaves": 31}, **{f"p{number}": number for number in range(120)}}
    with tracking.start_run("training", "first", params, {"commit": "c0ffee"}) as run:
        run.log_metrics({"auc": 0.9, "ece": float("nan")})
        digest = run.log_dataset_digest("creators", frame, "simulated")
        run.log_dataset_digest("test", "0123abcd", "simulated", context="test")
        run.log_figure(Figure(), "reliability")
    found = run_of(run.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
    assert {"seed": "1", "trees.leaves": "31", "p119": "119"}.items() <= found.data.params.items()
    assert found.data.tags["commit"] == "c0ffee"
    assert found.data.metrics["auc"] == 0.9
    assert np.isnan(found.data.metrics["ece"])
    assert [given.dataset.digest for given in found.inputs.dataset_inputs] == [digest, "0123abcd"]
    artifacts = home / "mlartifacts" / run.run_id / "artifacts"
    assert (artifacts / "reliability.png").stat().st_size > 0


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_raises_says_so(home, error, status):
    with pytest.raises(error), tracking.start_run("training", "bad") as run:
        raise error
    assert run_of(run.run_id).info.status == status


def test_digest_sees_every_value():
    frame = pd.DataFrame({"likes": [1.0, 2.0], "name": ["x", "ê"]}, index=["a", "b"])
    others = [
        frame.assign(likes=[1.0, 2.5]),
        frame.rename(columns={"name": "handle"}),
        frame.rename(index={"a": "c"}),
        frame.iloc[::-1],
        frame.astype({"likes": "Int64"}),
    ]
    digests = {tracking.dataset_digest(other) for other in [frame, *others]}
    assert len(digests) == 6
    assert tracking.dataset_digest(frame.copy()) == "c88a341afddf140c1f31921e01327496"


def test_a_model_comes_back_as_it_was_registered(home, model):
    metadata = {
        "registry_hash": "abc",
        "rows": 12,
        "auc": {"value": np.float64(0.9), "low": float("nan")},
        "heads": ("a",),
    }
    version = register(model, metadata)
    assert (version.name, version.version) == ("authenticity", 1)
    assert {"registry_hash": "abc", "rows": "12"}.items() <= version.tags.items()
    assert run_of(version.run_id).info.status == "FINISHED"
    assert tracking.resolve("authenticity", "challenger") == version
    folder = tracking.download("authenticity", 1)
    assert folder.is_relative_to(home)
    assert {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()} == {
        "model.json": '{"heads": ["bought_likes"]}',
        "heads/bought_likes.txt": "tree",
    }
    assert tracking.read_metadata("authenticity", 1) == {
        "registry_hash": "abc",
        "rows": 12,
        "auc": {"value": 0.9, "low": None},
        "heads": ["a"],
    }


def test_mlflow_itself_can_load_the_model(home, model, tmp_path, monkeypatch):
    import mlflow.pyfunc

    (tmp_path / f"{LOADER}.py").write_text(
        dedent("""
            from pathlib import Path

            class Text:
                def __init__(self, path):
                    self.text = (Path(path) / "heads" / "bought_likes.txt").read_text()

                def predict(self, rows, params=None):
                    return [self.text] * len(rows)

            _load_pyfunc = Text
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    rows = pd.DataFrame({"likes": [1.0, np.nan], "posts": [1, 2], "name": ["x", None], "flag": [True, False]})
    register(model, inputs=rows, outputs=rows[["likes"]])
    root = tracking.download("authenticity", 1).parents[1]
    loaded = mlflow.pyfunc.load_model(str(root))
    assert loaded.predict(rows) == ["tree", "tree"]
    kinds = {column.name: (column.type.name, column.required) for column in loaded.metadata.signature.inputs}
    assert kinds == {
        "likes": ("double", False),
        "posts": ("long", False),
        "name": ("string", False),
        "flag": ("boolean", False),
    }
    assert not list(root.rglob("*.pkl"))
    assert (root / "requirements.txt").read_text().splitlines()[1:] == ["lightgbm==4.7.0"]


def test_aliases_move_and_promotion_is_separate(home, model):
    first = register(model)
    with pytest.raises(tracking.ModelNotFoundError, match="champion of the model 'authenticity'"):
        tracking.resolve("authenticity")
    assert tracking.promote("authenticity", 1) == first
    second = register(model)
    assert tracking.resolve("authenticity", "challenger").version == second.version == 2
    assert tracking.resolve("authenticity").version == 1
    tracking.promote("authenticity", 2)
    assert tracking.resolve("authenticity").version == 2


def test_what_is_not_registered_is_named(home, model):
    register(model)
    with pytest.raises(tracking.ModelNotFoundError, match="model 'price'"):
        tracking.resolve("price")
    for missing in (tracking.download, tracking.promote, tracking.read_metadata):
        with pytest.raises(tracking.ModelNotFoundError, match="version 7 of the model 'authenticity'"):
            missing("authenticity", 7)


def test_an_empty_folder_is_refused(home, tmp_path):
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(ValueError, match="no file"):
        register(tmp_path / "empty")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.json").write_text("{}"), r"data/model/model\.json has changed"),
        (lambda folder: (folder / "heads" / "bought_likes.txt").unlink(), r"bought_likes\.txt is missing"),
        (lambda folder: (folder / "more.py").write_text(""), r"data/model/more\.py was added"),
        (lambda folder: (folder.parents[1] / "metadata.json").write_text("[]"), r"metadata\.json has changed"),
        (lambda folder: (folder.parents[1] / "manifest.json").unlink(), r"manifest\.json is missing"),
        (lambda folder: (folder.parents[1] / "manifest.json").write_text("{}"), "not the one that was registered"),
        (lambda folder: shutil.rmtree(folder.parents[1]), "missing"),
    ],
)
def test_damaged_files_are_refused_and_named(home, model, damage, message):
    register(model)
    damage(tracking.download("authenticity", 1))
    for use in (tracking.download, tracking.promote, tracking.read_metadata):
        with pytest.raises(tracking.CorruptModelError, match=message):
            use("authenticity", 1)
    with pytest.raises(tracking.ModelNotFoundError):
        tracking.resolve("authenticity")


def test_an_upload_that_lost_a_file_is_not_registered(home, model, monkeypatch):
    from mlflow import MlflowClient

    upload = MlflowClient.log_model_artifacts

    def lossy(client, model_id, folder):
        (Path(folder) / "data" / "model" / "model.json").unlink()
        upload(client, model_id, folder)

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", lossy)
    with pytest.raises(tracking.CorruptModelError, match=r"before registration.*model\.json is missing"):
        register(model)
    with pytest.raises(tracking.ModelNotFoundError):
        tracking.download("authenticity", 1)


def test_a_model_of_others_is_refused(home, model):
    from mlflow import MlflowClient

    client = MlflowClient(tracking.store_uri(), tracking.store_uri())
    client.create_registered_model("authenticity")
    client.create_model_version("authenticity", model.as_uri())
    with pytest.raises(tracking.CorruptModelError, match="not registered by realreach"):
        tracking.download("authenticity", 1)


def test_the_environment_names_the_store(blank_home, home, model, tmp_path, monkeypatch):
    register(model)
    other = tmp_path / "other.db"
    shutil.copy(blank_home / "mlflow.db", other)
    with monkeypatch.context() as patch:
        patch.setenv("REALREACH_HOME", str(tmp_path / "second"))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
        with pytest.raises(tracking.ModelNotFoundError):
            tracking.download("authenticity", 1)
        register(model, {"here": "other"})
        assert tracking.resolve("authenticity", "challenger").tags["here"] == "other"
        assert not (tmp_path / "second" / "mlflow.db").exists()
    assert "here" not in tracking.resolve("authenticity", "challenger").tags


def test_home_is_below_the_current_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("REALREACH_HOME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert tracking.home() == tmp_path / ".realreach"
    assert tracking.store_uri() == f"sqlite:///{tmp_path}/.realreach/mlflow.db"


def test_only_runs_of_dead_processes_are_abandoned(home):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = tracking._process(os.getpid())
    host, pid, started = here.rsplit(":", 2)
    processes = {
        "own": here,
        "living child": tracking._process(child.pid),
        "dead child": f"{host}:{dead.pid}:{started}",
        "number used again": f"{host}:{pid}:{int(started) - 1}",
        "other host": f"elsewhere:{dead.pid}:{started}",
        "of others": "",
    }
    runs = {}
    for name, process in processes.items():
        with tracking.start_run("training", name) as run:
            runs[run.run_id] = name
            run.client.set_tag(run.run_id, tracking.PROCESS_TAG, process)
    for run_id in runs:
        run.client.update_run(run_id, "RUNNING")
    assert {runs[run_id] for run_id in tracking.mark_abandoned_runs("training")} == {
        "dead child",
        "number used again",
    }
    child.communicate(b"\n")
    assert [runs[run_id] for run_id in tracking.mark_abandoned_runs("training")] == ["living child"]
    assert {run_of(run_id).info.status for run_id, name in runs.items() if "child" in name} == {"KILLED"}


# Children are forked from a process that has imported MLflow. Each is killed one step later than the one before; a step
# is a call of MLflow's client or the copy of a file, counted once over a whole registration.
KILLED = """
    import os, shutil, signal, sys
    from pathlib import Path
    import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
    from mlflow import MlflowClient
    from training import tracking

    # once in the parent: it looks through all installed packages
    mlflow.pyfunc.save_model(sys.argv[1] + "-warm", loader_module="none", pip_requirements=["lightgbm"])
    steps, last = 0, 0

    def stepping(function):
        def step(*args, **kwargs):
            global steps
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return step

    for name, function in list(vars(MlflowClient).items()):
        if callable(function) and not name.startswith("_"):
            setattr(MlflowClient, name, stepping(function))
    shutil.copyfile = stepping(shutil.copyfile)

    def child(at):
        global last
        last = at
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            with tracking.start_run("training", "killed") as run:
                tracking.register_model(
                    run, "authenticity", Path(sys.argv[1]), {}, loader_module="none", pip_requirements=["lightgbm"]
                )
            os.write(writing, str(steps).encode())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        return int(os.read(reading, 20)) if status == 0 else -os.WTERMSIG(status)

    child(0)  # creates the experiment and the model
    print([child(number + 1) for number in range(child(0))])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_process_killed_anywhere_leaves_no_half_model(home, model):
    script = [sys.executable, "-c", dedent(KILLED), str(model)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    endings = json.loads(done.stdout)
    assert endings == [-9] * len(endings)
    assert len(endings) > 20
    killed = tracking.mark_abandoned_runs("training")
    # every later run has marked those before it
    assert len(killed) <= 1
    last = tracking.resolve("authenticity", "challenger").version
    complete = 0
    for version in range(1, len(endings)):
        try:
            assert (tracking.download("authenticity", version) / "model.json").exists()
            complete += 1
        except tracking.ModelNotFoundError:
            break
    # at least the two that were left to finish; one killed just before the alias is complete as well
    assert 2 <= last <= complete < len(endings)
    assert register(model).version == complete + 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_process_killed_while_creating_the_store_leaves_a_usable_home(tmp_path, model, monkeypatch):
    script = """
        import os, signal, sys, time
        import mlflow.store.tracking.sqlalchemy_store
        from training import tracking

        for seconds in (0.1, 0.4, 0.8, 1.2, 1.8):
            pid = os.fork()
            if pid == 0:
                tracking.mark_abandoned_runs("none")
                os._exit(0)
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    """
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "new"))
    done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert register(model).version == 1


def test_importing_the_module_does_not_import_mlflow():
    check = "import sys, training.tracking; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)


def test_the_commit_is_told_where_git_can_tell_it(tmp_path, monkeypatch):
    told = tracking.commit_tag()
    # a copy without .git has none to tell
    assert set(told) == ({tracking.COMMIT_TAG} if (ROOT / ".git").exists() and shutil.which("git") else set())
    assert all(len(commit) >= 40 and int(commit, 16) for commit in told.values())
    monkeypatch.setattr(tracking, "__file__", str(tmp_path / "training" / "tracking.py"))
    assert tracking.commit_tag() == {}
    # a .git that git itself cannot read
    (tmp_path / ".git").mkdir()
    assert tracking.commit_tag() == {}
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert tracking.commit_tag() == {}


def test_asking_for_a_model_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "nothing here"))
    with pytest.raises(tracking.ModelNotFoundError, match="champion"):
        tracking.resolve("fit")
    assert not (tmp_path / "nothing here").exists()
