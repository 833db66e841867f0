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
        "bought_followers": {"auc": {"value": 0.9, "low": 0.87, "high": 0.93}, "ece": {"value": 0.02}},
        "comment_bots": {"auc": {"value": 0.9, "low": 0.86, "high": 0.94}, "ece": {"value": 0.05}},
    },
    "head_floors": {
        "bought_followers": {"stump": {"auc": {"value": 0.8}}, "logistic": {"auc": {"value": 0.89}}},
        "comment_bots": {"stump": {"auc": {"value": 0.7}}, "logistic": {"auc": {"value": 0.85}}},
    },
    "flagged": {
        "bought_followers": {"false_alarms": 0.02, "recall": 0.5},
        "comment_bots": {"false_alarms": 0.04, "recall": 0.4},
    },
    "false_alarms_target": 0.02,
}


def changed(*path, to):
    metadata = copy.deepcopy(GOOD)
    inner = metadata
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return metadata


def failed(metadata, champion=None, current="abc", version=None):
    return [gate.name for gate in check_gates(metadata, champion, current, version) if not gate.passed]


def test_a_good_model_passes_every_gate():
    gates = check_gates(GOOD, None, "abc")
    assert [gate.name for gate in gates] == [
        "signal registry",
        "world: stump",
        "world: depth 2",
        "world: single signal",
        "world: model",
        "composite above its floors",
        "bought_followers above its floors",
        "comment_bots above its floors",
        "calibration: composite",
        "calibration: bought_followers",
        "calibration: comment_bots",
        "false alarms: bought_followers",
        "false alarms: comment_bots",
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
        (("head_floors", "comment_bots", "stump", "auc", "value"), 0.861, "comment_bots above its floors"),
        (("head_floors", "comment_bots", "logistic", "auc", "value"), 0.9, "comment_bots above its floors"),
        (("flagged", "bought_followers", "false_alarms"), 0.041, "false alarms: bought_followers"),
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
        assert failed(changed("flagged", "comment_bots", "false_alarms", to=absent)) == ["false alarms: comment_bots"]
        assert failed(changed("heads", "comment_bots", "auc", "low", to=absent)) == ["comment_bots above its floors"]
    assert failed(changed("head_floors", "comment_bots", to={})) == ["comment_bots above its floors"]
    nameless = {key: value for key, value in GOOD.items() if key != "false_alarms_target"}
    assert failed(nameless) == ["false alarms: bought_followers", "false alarms: comment_bots"]
    bare = changed("composite", "auc", to=0.93)
    assert failed(bare) == ["composite above its floors"]
    assert failed(bare, champion=GOOD) == ["composite above its floors", "not worse than champion"]


def test_champion_is_compared_within_the_interval():
    for value, expected in ((0.95, []), (0.951, ["not worse than champion"])):
        assert failed(GOOD, champion=changed("composite", "auc", "value", to=value)) == expected


def test_a_head_may_pass_the_logistic_regression_by_less_than_its_interval():
    # 0.86 to 0.94 holds 0.899, which 0.9 is above; a stump of 0.899 would not do
    for floor, expected in (("logistic", []), ("stump", ["comment_bots above its floors"])):
        assert failed(changed("head_floors", "comment_bots", floor, "auc", "value", to=0.899)) == expected


def test_a_champion_of_other_data_is_compared_where_it_was_measured_on_the_same_creators():
    champion = GOOD | {"dataset_digest": "d2"}
    for high, expected in ((0.001, []), (-0.001, ["not worse than champion"])):
        compared = {"version": 3, "auc": 0.94, "difference": {"value": -0.01, "low": -0.02, "high": high}}
        gate = check_gates(GOOD | {"compared": compared}, champion, "abc", 3)[-1]
        assert failed(GOOD | {"compared": compared}, champion, version=3) == expected
        assert (gate.figure, gate.limit) == (0.93, 0.94)
        assert "on the same test creators 0.940: a difference of -0.010" in gate.words
    incomplete = {"version": 3, "auc": None, "difference": {"value": None}}
    assert failed(GOOD | {"compared": incomplete}, champion, version=3) == ["not worse than champion"]


def test_a_champion_that_cannot_be_compared_leaves_the_floors_to_decide():
    champion = changed("composite", "auc", "value", to=0.99) | {"dataset_digest": "d2"}
    earlier = {"version": 2, "auc": 0.5, "difference": {"value": 0.4, "low": 0.3, "high": 0.5}}
    for metadata in (GOOD, GOOD | {"dataset_digest": ""}, GOOD | {"compared": None}, GOOD | {"compared": earlier}):
        gate = check_gates(metadata, champion, "abc", 3)[-1]
        assert gate.passed
        assert "not comparable" in gate.words
        assert "the composite and every head are above them" in gate.words
    nameless = GOOD | {"dataset_digest": ""}
    assert "not comparable" in check_gates(nameless, champion | {"dataset_digest": ""}, "abc", 3)[-1].words
    weak = changed("head_floors", "comment_bots", "stump", "auc", "value", to=0.89)
    assert failed(weak, champion) == ["comment_bots above its floors", "not worse than champion"]
    assert "not above them: comment_bots" in check_gates(weak, champion, "abc")[-1].words


def test_words_name_the_culprit():
    words = {gate.name: gate.words for gate in check_gates(changed("registry_hash", to="old"), None, "new")}
    assert words["signal registry"] == "trained on signals old, this code computes new: train again"
    assert "'follower_gain_max_step_90d'" in words["world: single signal"]
    assert "the floor logistic, 0.900" in words["composite above its floors"]
