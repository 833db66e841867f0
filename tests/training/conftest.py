"""Homes with a model registry of their own."""

import shutil

import pytest

from training import tracking


@pytest.fixture(autouse=True)
def _no_store_of_the_outside(monkeypatch):
    """Whatever store the developer's environment names, no test writes to it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)


@pytest.fixture(scope="session")
def blank_home(tmp_path_factory):
    """A home with an empty store, created once: its tables take seconds."""
    folder = tmp_path_factory.mktemp("blank")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("REALREACH_HOME", str(folder))
        tracking.mark_abandoned_runs("none")
    return folder


@pytest.fixture
def home(blank_home, tmp_path, monkeypatch):
    """A fresh home of one test, with a space in its path."""
    folder = tmp_path / "home of one"
    folder.mkdir()
    shutil.copy(blank_home / "mlflow.db", folder)
    monkeypatch.setenv("REALREACH_HOME", str(folder))
    return folder
