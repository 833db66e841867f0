import pandas as pd
import pytest

from features.tables import HEADS
from training import runs, tracking
from training.config import read_config
from training.fitting import TooFewCreatorsError
from training.simulation import are_simulated, simulate_creators


@pytest.fixture(scope="module")
def tiny(small_config):
    """Settings whose model is poor and quick."""
    return small_config.model_copy(
        update={
            "data": small_config.data.model_copy(update={"creators": 500}),
            "model": small_config.model.model_copy(update={"trees": 10}),
        }
    )


def run_statuses():
    client = tracking._client()
    experiment = client.get_experiment_by_name(runs.NAME)
    return [run.info.status for run in client.search_runs([experiment.experiment_id])]


def renamed(tables, ids):
    """Tables with other ids for some creators."""
    return {name: frame.assign(creator_id=frame["creator_id"].replace(ids)) for name, frame in tables.items()}


def test_simulated_creators_are_told_by_their_ids():
    ids = simulate_creators(3, 12)["creators"]["creator_id"]
    assert are_simulated(ids).all()
    others = pd.Series(["sim_card_shop", "sim_1_2", "a_sim_1_000001", None], dtype="str")
    assert not are_simulated(others).any()


def test_simulated_tables_are_called_simulated_whatever_their_folder_is_called():
    tables = simulate_creators(4, 3)
    ids = tables["creators"]["creator_id"].tolist()
    config = read_config()
    assert [source.name for source in runs.sources_of(config, {"tables": tables})] == ["simulated"]
    others = {"tables": renamed(tables, dict(zip(ids, "abcd", strict=True)))}
    small = config.model_copy(update={"data": config.data.model_copy(update={"creators": 200})})
    assert [source.name for source in runs.sources_of(small, others)] == ["simulated", "tables"]


def test_a_mixture_of_simulated_and_other_creators_is_refused(tiny, home):
    tables = simulate_creators(4, 3)
    mixed = renamed(tables, {tables["creators"]["creator_id"].iloc[0]: "somebody"})
    with pytest.raises(runs.MixedCreatorsError, match=r"creator_id: 3 of 4 creators of tables are simulated \(sim_3_"):
        runs.train_authenticity(tiny, {"tables": mixed})


def test_a_run_lasts_as_long_as_its_fit_and_fails_with_it(tiny, home, monkeypatch):
    seen = []

    def refuse(*_):
        seen.extend(run_statuses())
        raise TooFewCreatorsError("nothing to learn")

    monkeypatch.setattr(runs, "fit_authenticity", refuse)
    with pytest.raises(TooFewCreatorsError):
        runs.train_authenticity(tiny)
    assert seen == ["RUNNING"]
    assert run_statuses() == ["FAILED"]
    with pytest.raises(tracking.ModelNotFoundError):
        tracking.resolve(runs.NAME, tracking.CHALLENGER)


def test_a_challenger_of_other_data_is_measured_beside_the_champion(tiny, home):
    first = runs.train_authenticity(tiny)
    assert first.model.metadata["compared"] is None
    assert first.model.metadata["false_alarms_target"] == 0.02
    assert set(first.model.metadata["head_floors"]) == set(first.model.metadata["flagged"]) == set(HEADS)
    tracking.promote(first.name, first.version)
    other = tiny.model_copy(update={"data": tiny.data.model_copy(update={"seed": 2})})
    second = runs.train_authenticity(other)
    compared = second.model.metadata["compared"]
    assert compared["version"] == first.version
    assert compared["auc"] + compared["difference"]["value"] == pytest.approx(second.evaluation.composite_auc)
    version, gates = runs.promote_authenticity(second.version)
    assert version == second.version
    assert "on the same test creators" in gates[-1].words
