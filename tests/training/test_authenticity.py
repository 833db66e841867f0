import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.histories import make_histories
from features.signals import SIGNALS, compute_signals
from features.tables import HEADS
from training import authenticity, plots, tracking
from training.authenticity import NEEDS, AuthenticityModel, ModelMismatchError, load_model, with_interval
from training.calibration import Calibrator
from training.config import AuthenticityConfig, read_config
from training.datasets import make_dataset
from training.evaluation import COMPOSITE, evaluate
from training.fitting import TooFewCreatorsError, fit_authenticity
from training.gates import MODEL_CEILING
from training.simulation import SIMULATION_AS_OF, simulate_creators


@pytest.fixture(scope="module")
def model(trained) -> AuthenticityModel:
    return trained[1].model


@pytest.fixture(scope="module")
def signals() -> pd.DataFrame:
    tables = simulate_creators(60, seed=21)
    return compute_signals(make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF))


def test_scores_are_probabilities_inside_their_intervals(model, signals):
    scores = model.score(signals)
    assert scores.index.equals(signals.index)
    for name in ("authenticity", *(f"{head}_probability" for head in HEADS)):
        prefix = name.removesuffix("_probability")
        known = scores[scores[name].notna()]
        assert len(known) > 10
        assert ((known[f"{prefix}_low"] <= known[name]) & (known[name] <= known[f"{prefix}_high"])).all()
        assert ((known[f"{prefix}_low"] > 0) & (known[f"{prefix}_high"] < 1)).all()


def test_a_head_abstains_where_its_signals_are_missing(model, signals):
    thin = signals.copy()
    thin[[name for name, signal in SIGNALS.items() if signal.family == "growth"]] = np.nan
    scores = model.score(thin)
    assert not scores["bought_followers_assessed"].any()
    assert scores[["bought_followers_probability", "bought_followers_low"]].isna().all(axis=None)
    assert scores["bought_followers_flagged"].isna().all()
    assert scores["bought_likes_assessed"].any()


def test_a_creator_of_whom_nothing_is_known_gets_no_number(model, signals):
    empty = pd.DataFrame(np.nan, index=["nobody"], columns=signals.columns)
    scores = model.score(empty)
    assert scores.filter(regex="authenticity|probability|_low|_high|flagged").isna().all(axis=None)
    assert not scores.filter(like="assessed").any(axis=None)


def test_one_creator_scores_as_in_the_batch(model, signals):
    batch = model.score(signals)
    for creator in signals.index[:10]:
        pd.testing.assert_frame_equal(model.score(signals.loc[[creator]]), batch.loc[[creator]], check_exact=True)


def test_evidence_names_known_signals_that_raise_a_head(model, signals):
    scores = model.score(signals)
    platforms = pd.Series(["tiktok"] * len(signals))
    evidence = model.evidence(signals, scores, platforms)
    assert any(evidence)
    for creator, entries in zip(signals.index, evidence, strict=True):
        assert [e["contribution"] for e in entries] == sorted((e["contribution"] for e in entries), reverse=True)
        for entry in entries:
            assert entry["contribution"] > 0
            assert entry["value"] == signals.loc[creator, entry["signal"]]
            assert scores.loc[creator, f"{entry['head']}_probability"] > model.heads[entry["head"]].base_rate


def test_interval_of_equal_members_is_a_point_and_of_two_is_students():
    same, low, high = with_interval(np.full((4, 1), 0.5), Calibrator())
    assert low == pytest.approx(same)
    assert high == pytest.approx(same)
    # two members at 0 and 2: mean 1, sd √2, t(0.95, 1 degree of freedom) = 6.3138
    middle, low, high = with_interval(np.array([[0.0], [2.0]]), Calibrator())
    assert middle[0] == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert low[0] == pytest.approx(1 / (1 + np.exp(-(1 - 6.313752 * np.sqrt(2)))), rel=1e-4)
    assert high[0] == pytest.approx(1 / (1 + np.exp(-(1 + 6.313752 * np.sqrt(2)))), rel=1e-6)


def test_saved_and_loaded_models_score_alike(model, signals, tmp_path):
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt"}
    loaded = load_model(tmp_path)
    pd.testing.assert_frame_equal(loaded.score(signals), model.score(signals), check_exact=True)
    assert loaded.typical == model.typical


def test_a_model_of_other_signals_is_refused(model, tmp_path, monkeypatch):
    model.save(tmp_path)
    monkeypatch.setattr(authenticity, "registry_hash", lambda: "another")
    with pytest.raises(ModelMismatchError, match="train it again"):
        load_model(tmp_path)


@pytest.mark.parametrize("harm", ["missing booster", "cut json", "no json"])
def test_a_damaged_model_is_refused(model, tmp_path, harm):
    model.save(tmp_path)
    if harm == "missing booster":
        (tmp_path / "bought_likes_1.txt").unlink()
    elif harm == "cut json":
        text = (tmp_path / "model.json").read_text()
        (tmp_path / "model.json").write_text(text[: len(text) // 2])
    else:
        (tmp_path / "model.json").unlink()
    with pytest.raises(ModelMismatchError, match="not a readable authenticity model"):
        load_model(tmp_path)


def test_needs_are_registered_signals():
    assert set(NEEDS) == set(HEADS)
    assert all(signal in SIGNALS and words for signal, words in NEEDS.values())


def test_mlflow_loads_the_registered_model_by_its_own_means(champion_home, signals, model, monkeypatch, tmp_path):
    import mlflow

    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    found = tracking.resolve("authenticity")
    root, folder = tracking._fetch("authenticity", found.version)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    assert not list(copy.rglob("*.pkl"))
    answered = mlflow.pyfunc.load_model(str(copy)).predict(signals)
    pd.testing.assert_frame_equal(answered, model.score(signals), check_exact=True)
    assert json.loads((copy / folder / "model.json").read_text())["metadata"]["data"] == "simulated"


def test_training_is_repeatable(small_config: AuthenticityConfig, trained):
    tables = simulate_creators(small_config.data.creators, small_config.data.seed)
    data = make_dataset(tables, "simulated", small_config.data, small_config.splits, as_of=SIMULATION_AS_OF)
    again = fit_authenticity(data, small_config)
    first = trained[1].model
    for name, head in again.heads.items():
        assert head.calibrator == first.heads[name].calibrator
        assert head.threshold == first.heads[name].threshold
        texts = zip(head.members, first.heads[name].members, strict=True)
        assert all(one.model_to_string() == two.model_to_string() for one, two in texts)


def test_histories_without_campaigns_are_refused_in_words():
    config = read_config()
    data = config.data.model_copy(update={"manipulated": 0.001})
    tables = simulate_creators(200, 1)
    dataset = make_dataset(tables, "simulated", data, config.splits, as_of=SIMULATION_AS_OF)
    said = []
    with pytest.raises(TooFewCreatorsError, match="no head could be fitted"):
        fit_authenticity(dataset, config, said.append)
    assert any("bought_followers, train split: 0 manipulated of" in line for line in said)


def test_a_head_that_histories_do_not_carry_is_left_out(small_config, signals, tmp_path):
    """Creators without snapshots: the other heads are learnt, and the model abstains on followers, saved and loaded."""
    tables = {name: frame for name, frame in simulate_creators(1000, 5).items() if name != "snapshots"}
    dataset = make_dataset(tables, "mine", small_config.data, small_config.splits, as_of=SIMULATION_AS_OF)
    model = fit_authenticity(dataset, small_config)
    assert set(model.heads) == set(HEADS) - {"bought_followers"}
    evaluation = evaluate(model, dataset, draws=20)
    assert set(evaluation.reports) == {*model.heads, COMPOSITE}
    assert [len(plot(evaluation).axes) for plot in (plots.floors, plots.reliability)] == [5, 5]
    model = replace(model, metadata=evaluation.metadata())
    model.save(tmp_path)
    scores = load_model(tmp_path).score(signals)  # of creators with snapshots
    assert not scores["bought_followers_assessed"].any()
    assert scores["bought_followers_probability"].isna().all()
    assert scores["bought_likes_assessed"].any()
    assert scores["authenticity"].notna().any()


def test_the_simulated_world_is_hard(evaluation):
    """On creators and vendors unseen in training: simple floors stay low, and the model is no oracle."""
    floors = evaluation.floors[COMPOSITE]["auc"]
    assert floors["stump"] <= 0.80
    assert floors["depth_2"] <= 0.87
    assert evaluation.signals["auc_either_side"].max() <= 0.85
    assert 0.8 < evaluation.composite_auc <= MODEL_CEILING
    assert evaluation.composite_auc > floors.max() - 0.02
    assert not evaluation.too_easy


def test_heads_beat_chance_and_are_calibrated(evaluation):
    for head in HEADS:
        figures = evaluation.reports[head]
        assert figures.loc["auc", "low"] > 0.6
        assert figures.loc["ece", "value"] < 0.10
    assert (evaluation.flagged["false_alarms"] < 0.10).all()
