import copy
import math

import pytest

from training.gates import check_gates

GOOD = {
    "registry_hash": "abc",
    "data": "simulated",
    "dataset_digest": "d1",
    "composite": {"auc": {"value": 0.93, "low": 0.91, "high": 0.95}, "ece": {"value": 0.02}},
    "floors": {
        "prevalence": {"auc": {"value": 0.5}},
        "best_signal": {"auc": {"value": 0.74}},
        "stump": {"auc": 0.72},
        "depth_2": {"auc": {"value": 0.8}},
        "logistic": {"auc": {"value": 0.9}},
    },
    "best_single_signal": {"name": "follower_gain_max_step_90d", "auc": 0.75},
    "heads": {
        "bought_followers": {"auc": {"value": 0.9}, "ece": {"value": 0.02}},
        "comment_bots": {"auc": {"value": 0.9}, "ece": {"value": 0.05}},
    },
}


def changed(*path, to):
    metadata = copy.deepcopy(GOOD)
    inner = metadata
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return metadata


def failed(metadata, champion=None, current="abc"):
    return [gate.name for gate in check_gates(metadata, champion, current) if not gate.passed]


def test_a_good_model_passes_every_gate():
    gates = check_gates(GOOD, None, "abc")
    assert [gate.name for gate in gates] == [
        "signal registry",
        "world: stump",
        "world: depth 2",
        "world: single signal",
        "world: model",
        "composite above its floors",
        "calibration: composite",
        "calibration: bought_followers",
        "calibration: comment_bots",
        "not worse than champion",
    ]
    assert all(gate.passed for gate in gates)
    assert all(gate.words for gate in gates)
    assert (gates[1].figure, gates[1].limit) == (0.72, 0.80)


@pytest.mark.parametrize(
    ("path", "to", "gate"),
    [
        (("floors", "stump", "auc"), 0.801, "world: stump"),
        (("floors", "depth_2", "auc", "value"), 0.871, "world: depth 2"),
        (("best_single_signal", "auc"), 0.851, "world: single signal"),
        (("composite", "auc", "value"), 0.986, "world: model"),
        (("composite", "auc", "low"), 0.9, "composite above its floors"),
        (("composite", "ece", "value"), 0.06, "calibration: composite"),
        (("heads", "comment_bots", "ece", "value"), 0.0501, "calibration: comment_bots"),
        (("floors", "logistic", "auc", "value"), 0.92, "composite above its floors"),
        (("registry_hash",), "xyz", "signal registry"),
    ],
)
def test_each_gate_fails_alone(path, to, gate):
    assert failed(changed(*path, to=to)) == [gate]


def test_real_data_may_be_easy():
    easy = changed("floors", "stump", "auc", to=0.85) | {"data": "a platform export"}
    assert failed(easy) == []


def test_figures_that_are_absent_fail():
    assert failed({"data": "simulated"}) == [
        "signal registry",
        "world: stump",
        "world: depth 2",
        "world: single signal",
        "world: model",
        "composite above its floors",
        "calibration",
    ]
    for absent in (None, math.nan):
        assert failed(changed("heads", "comment_bots", "ece", "value", to=absent)) == ["calibration: comment_bots"]
        assert failed(changed("floors", "logistic", "auc", "value", to=absent)) == ["composite above its floors"]
    bare = changed("composite", "auc", to=0.93)
    assert failed(bare) == ["composite above its floors"]
    assert failed(bare, champion=GOOD) == ["composite above its floors", "not worse than champion"]


def test_champion_is_compared_within_the_interval():
    for value, expected in ((0.95, []), (0.951, ["not worse than champion"])):
        assert failed(GOOD, champion=changed("composite", "auc", "value", to=value)) == expected


def test_champion_of_other_data_is_not_comparable():
    champion = changed("composite", "auc", "value", to=0.99) | {"dataset_digest": "d2"}
    gate = check_gates(GOOD, champion, "abc")[-1]
    assert gate.passed
    assert "not comparable" in gate.words
    nameless = GOOD | {"dataset_digest": ""}
    assert "not comparable" in check_gates(nameless, champion | {"dataset_digest": ""}, "abc")[-1].words


def test_words_name_the_culprit():
    words = {gate.name: gate.words for gate in check_gates(changed("registry_hash", to="old"), None, "new")}
    assert words["signal registry"] == "trained on signals old, this code computes new: train again"
    assert "'follower_gain_max_step_90d'" in words["world: single signal"]
    assert "best floor, logistic, 0.900" in words["composite above its floors"]
