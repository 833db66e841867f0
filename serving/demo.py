"""The demo: a simulated world, a model trained on another one, a catalogue to look at. Everything is simulated."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.engines import crowd_of_tables
from features.tables import write_frame, write_tables
from serving.models import LoadedModel, load_champion
from serving.scoring import score_tables
from training import tracking
from training.authenticity import ModelMismatchError
from training.config import read_config
from training.evaluation import Evaluation
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.gates import Gate
from training.label_models import TASKS, load_labels, promote_labels, train_labels
from training.runs import promote_authenticity, train_authenticity
from training.simulation import SIMULATION_AS_OF, simulate_creators

#: Vendors of the demo's world; drawn anew, so none of them sold to the creators the model was trained on.
_VENDORS = 12


@dataclass(frozen=True)
class Demo:
    """What the demo made: the evaluation and gates of a fresh model, absent where an earlier demo's model serves."""

    evaluation: Evaluation | None
    gates: list[Gate]
    loaded: LoadedModel


class GatesClosedError(RuntimeError):
    """The demo's own model did not pass the gates; the message names them."""


def _model(progress: Callable[[str], None]) -> Demo:
    try:
        return Demo(None, [], load_champion())
    except (tracking.ModelNotFoundError, ModelMismatchError):
        progress("training a model on simulated creators")
    trained = train_authenticity(read_config(), progress=progress)
    _, gates = promote_authenticity(trained.version)
    closed = [gate.words for gate in gates if not gate.passed]
    if closed:
        raise GatesClosedError("; ".join(closed))
    return Demo(trained.evaluation, gates, load_champion())


def _label_models(progress: Callable[[str], None]) -> None:
    """Champions of accounts and comments, on generated rows, where an earlier demo left none that can be read."""
    for name in TASKS:
        try:
            load_labels(name)
        except (tracking.ModelNotFoundError, ValueError):
            progress(f"training a model on generated {name}")
            _, gates = promote_labels(name, train_labels(name).version)
            closed = [gate.words for gate in gates if not gate.passed]
            if closed:
                raise GatesClosedError("; ".join(closed)) from None


def prepare_demo(creators: int, progress: Callable[[str], None] = lambda _: None) -> Demo:
    """Make the demo's models, world and catalogue in `training.tracking.home()`.

    Parameters
    ----------
    creators : int
        Simulated creators to rank; some of them get simulated campaigns.

    Raises
    ------
    GatesClosedError
        Where a model may not be promoted.
    """
    demo = _model(progress)
    _label_models(progress)
    data = read_config().data
    rng = np.random.default_rng(data.seed + 1)
    organic = simulate_creators(creators, data.seed + 1)
    campaigns = plan_campaigns(organic, draw_vendors(_VENDORS, rng), rng, share=data.manipulated)
    tables, _ = inject_campaigns(organic, campaigns, rng)
    progress(f"simulated {creators:,} other creators")
    folder = tracking.home() / "tables"
    if folder.exists():
        shutil.rmtree(folder)
    write_tables(tables, folder)
    crowd = crowd_of_tables(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    frame = score_tables(tables, demo.loaded, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF, crowd=crowd)
    write_frame(frame, tracking.home() / "catalogue.parquet")
    progress(f"scored them into {tracking.home() / 'catalogue.parquet'}")
    return demo
