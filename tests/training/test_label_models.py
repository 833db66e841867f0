"""The account and comment models from labels to champion, on generated and on hand-made sets."""

import json

import numpy as np
import pandas as pd
import pytest

from training import label_models, tracking
from training.account_sets import simulate_accounts
from training.accounts import AccountConfig
from training.comment_sets import simulate_comments
from training.gates import check_label_gates
from training.label_models import TASKS, NoSetsError, held_out, load_labels, promote_labels, train_labels

#: Settings under which a model is poor and quick.
QUICK = {
    "accounts": "simulated = 1500\nworlds = 6\nmembers = 2\ntrees = 30\n",
    "comments": "simulated = 1500\ntrees = 20\nfolds = 2\n",
}


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Settings file of each model; what is measured on is small too."""
    monkeypatch.setattr(label_models, "_FRESH", 1200)
    monkeypatch.setattr(label_models, "DRAWS", 20)

    def path(name):
        file = tmp_path / f"{name}.toml"
        file.write_text(QUICK[name])
        return file

    return path


@pytest.mark.parametrize("name", TASKS)
def test_generated_rows_alone_make_a_champion_that_is_called_simulated(name, quick, home):
    said = []
    trained = train_labels(name, quick(name), None, said.append)
    assert trained.data == "simulated"
    assert any("simulated" in words for words in said)
    assert set(trained.figures["task"]) == {"unseen: simulated"}
    figures = trained.figures.set_index("metric")
    assert figures.loc["auc", "low"] <= figures.loc["auc", "value"] <= figures.loc["auc", "high"]
    assert figures.loc["auc", "value"] > figures.loc["auc", "floor_stump"]
    assert figures.loc["brier", "value"] < figures.loc["brier", "floor_base_rate"]
    folder = tracking.download(name, trained.version)
    assert (
        "simulated" in (folder / "model_card.md").read_text() or "generated" in (folder / "model_card.md").read_text()
    )
    metadata = tracking.read_metadata(name, trained.version)
    assert metadata["registry_hash"] == TASKS[name].inputs
    assert metadata["worst_source"] == "simulated"
    tracking.promote(name, trained.version)
    version, model = load_labels(name)
    assert version == trained.version
    assert model.metadata["data"] == "simulated"


def _own_accounts(folder, seed, count=400):
    """A labelled file in the contract's columns."""
    drawn = simulate_accounts(count, seed, worlds=4)
    folder.mkdir(parents=True, exist_ok=True)
    frame = drawn.accounts.drop(columns=["kind"]).assign(fake=drawn.fake.astype(int))
    frame.to_csv(folder / f"own_{seed}.csv", index=False)


def test_each_set_of_a_folder_is_left_out_once(quick, home, tmp_path):
    for seed in (1, 2):
        _own_accounts(tmp_path / "data" / "accounts", seed)
    trained = train_labels("accounts", quick("accounts"), tmp_path / "data")
    assert trained.data == "own_1 + own_2"
    assert list(dict.fromkeys(trained.figures["task"])) == ["unseen: own_1", "unseen: own_2"]
    _, gates = promote_labels("accounts")
    assert {gate.name for gate in gates} >= {"own_1 above its floors", "probabilities: own_2", "signal registry"}


def test_a_set_is_not_measured_by_a_model_that_has_seen_it(monkeypatch):
    sets = [simulate_accounts(240, seed, worlds=2) for seed in (1, 2, 3)]
    sets = [type(one)(f"s{i}", one.accounts, one.fake, "", False, one.groups) for i, one in enumerate(sets)]
    seen = []

    def fit(given, config):
        seen.append([one.name for one in given])
        return TASKS["accounts"].fit(given, config)

    task = type(TASKS["accounts"])(**{**TASKS["accounts"].__dict__, "fit": fit})
    monkeypatch.setattr(label_models, "DRAWS", 20)
    held_out(task, sets, AccountConfig(simulated=600, worlds=3, members=2, trees=10))
    assert seen == [["s1", "s2"], ["s0", "s2"], ["s0", "s1"]]


def test_labels_of_a_meaning_that_no_other_set_has_are_halved():
    reviews = simulate_comments(300, 5)
    reviews = type(reviews)(**{**reviews.__dict__, "name": "shop", "domain": "review", "simulated": False})
    seen = []
    task = TASKS["comments"]

    def fit(given, config):
        seen.extend(given)
        return task.fit(given, config)

    quick = type(task)(**{**task.__dict__, "fit": fit, "simulate": lambda count, seed: simulate_comments(600, seed)})
    config = task.read_config(None).model_copy(update={"simulated": 600, "trees": 5, "folds": 2})
    figures = held_out(quick, [reviews], config)
    assert set(figures["task"]) == {"unseen half: shop"}
    [half] = seen
    rest = set(reviews.comments["text"]) - set(half.comments["text"])
    assert len(half) + figures["rows"].iloc[0] == 300
    assert rest


def test_a_folder_without_sets_is_refused(quick, home, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in TASKS:
        with pytest.raises(ValueError, match=r"no labelled|empty"):
            train_labels(name, quick(name), tmp_path / "empty")
    assert issubclass(NoSetsError, ValueError)


def _metadata(auc=0.9, floor=0.8, brier=0.05, base=0.1, inputs="x"):
    bounds = {"value": auc, "low": auc - 0.02, "high": auc + 0.02}
    row = {"auc": bounds, "brier": {"value": brier}, "brier_of_base_rate": {"value": base}}
    return {
        "registry_hash": inputs,
        "dataset_digest": "d",
        "composite": row,
        "heads": {"one": row},
        "head_floors": {"one": {"stump": {"auc": {"value": floor}}}},
    }


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        ({"inputs": "y"}, {"signal registry"}),
        ({"floor": 0.89}, {"one above its floors"}),
        ({"brier": 0.11}, {"probabilities: one"}),
        ({"auc": 0.85, "floor": 0.7}, {"not worse than champion"}),
    ],
)
def test_gates(changed, failing):
    gates = check_label_gates(_metadata(**changed), _metadata(), "x")
    assert {gate.name for gate in gates if not gate.passed} == failing


def test_a_model_without_figures_is_not_promoted():
    gates = check_label_gates({"registry_hash": "x"}, None, "x")
    assert not all(gate.passed for gate in gates)


def test_metadata_is_plain_json(quick, home):
    trained = train_labels("accounts", quick("accounts"))
    metadata = tracking.read_metadata("accounts", trained.version)
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata
    assert np.isfinite(metadata["composite"]["auc"]["value"])
    assert isinstance(trained.figures, pd.DataFrame)
