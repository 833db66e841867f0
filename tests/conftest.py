"""What tests of several rooms share: the real data's folder, and a home with a small champion."""

import os
from pathlib import Path

import pytest

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
def trained(small_config: AuthenticityConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, runs.Trained]:
    """A home with one small model, trained on simulated creators, registered and made champion."""
    home = tmp_path_factory.mktemp("champion")
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
