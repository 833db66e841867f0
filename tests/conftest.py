"""What tests of several rooms share: the real data's folder, and a home with a small champion."""

import os
import pickle
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from training import runs, tracking
from training.config import AuthenticityConfig, read_config
from training.evaluation import Evaluation

SHARED = Path(os.environ.get("REALREACH_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no real data here: set REALREACH_DATA to its folder")
    return SHARED.resolve()


@pytest.fixture(scope="session")
def small_config() -> AuthenticityConfig:
    """Settings that train in seconds: fewer creators, smaller bags; all else as shipped."""
    shipped = read_config()
    return shipped.model_copy(
        update={
            "data": shipped.data.model_copy(update={"creators": 1500}),
            "model": shipped.model.model_copy(update={"members": 3, "trees": 60}),
        }
    )


@pytest.fixture(scope="session")
def trained(
    small_config: AuthenticityConfig, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Path, runs.Trained]:
    """A home with one small model, trained on simulated creators, registered and made champion.

    Where several processes run the tests, the first that asks trains for all.
    """
    if worker_id == "master":
        return _train(small_config, tmp_path_factory.mktemp("champion"))
    shared = tmp_path_factory.getbasetemp().parent / "champion"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            # a new one each time: where training fails, the next process that asks says why, and not that it is there
            home = Path(tempfile.mkdtemp(prefix="champion-", dir=shared.parent))
            shared.write_bytes(pickle.dumps(_train(small_config, home)))
        return pickle.loads(shared.read_bytes())  # noqa: S301 - written by this run's own process


def _train(small_config: AuthenticityConfig, home: Path) -> tuple[Path, runs.Trained]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("REALREACH_HOME", str(home))
        result = runs.train_authenticity(small_config)
        # past the gates: a model this small need not pass them to be loaded and asked
        tracking.promote(result.name, result.version)
    return home, result


@pytest.fixture(scope="session")
def champion_home(trained: tuple[Path, runs.Trained]) -> Path:
    """Home of the small champion; tests only read it."""
    return trained[0]


@pytest.fixture(scope="session")
def evaluation(trained: tuple[Path, runs.Trained]) -> Evaluation:
    """What was measured of the small champion."""
    return trained[1].evaluation
