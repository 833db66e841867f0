"""The benchmark on a small simulated world: every section is there, and what it counts adds up."""

import numpy as np
import pandas as pd
import pytest

from features.tables import HEADS
from training import benchmark_authenticity as benchmark
from training.benchmark_authenticity import COUNT_OF
from training.odd_histories import ODDITIES
from training.rules import rule_scores
from training.simulation import SIMULATION_AS_OF, simulate_creators
from training.trials import known_by


@pytest.fixture(scope="module")
def sections(small_config):
    config = small_config.model_copy(
        update={
            "data": small_config.data.model_copy(update={"creators": 600}),
            "model": small_config.model.model_copy(update={"members": 2, "trees": 30}),
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        # rough intervals and few cases: how wide they are is not what is tested
        patch.setattr(benchmark, "DRAWS", 20)
        patch.setattr(benchmark, "MOST_CASES", 8)
        return {section.name: section for section in benchmark.benchmark_authenticity(config, seeds=1)}


def test_everything_is_measured_and_called_simulated(sections):
    assert list(sections) == [
        "protocols", "heads", "campaigns", "dose", "false_alarms",
        "base_rates", "top", "shares", "abstention", "faithfulness", "speed",
    ]  # fmt: skip
    assert all("simulated" in sections[name].title for name in sections if name != "speed")
    assert [name for name, section in sections.items() if section.figures.empty] == []


def test_the_headline_is_the_worst_protocol(sections):
    figures = sections["protocols"].figures
    assert figures.loc[figures["headline"], "auc"].iloc[0] == figures["auc"].min()
    named = set(figures["protocol"])
    assert {"creators and vendors", "time: 90 days later", *(f"kind: {head}" for head in HEADS)} <= named
    assert any(name.startswith("platform: ") for name in named)


def test_campaigns_of_both_styles_are_held_against_untouched_creators(sections):
    figures = sections["campaigns"].figures
    everybody = figures[figures["source"] == "all"].set_index(["style", "head"])
    assert len(everybody) == 2 * len(HEADS)
    assert everybody["auc"].between(0.5, 1).all()
    assert (
        (everybody["low"] <= everybody["recall_at_fpr_5"]) & (everybody["recall_at_fpr_5"] <= everybody["high"])
    ).all()
    assert set(COUNT_OF) == set(HEADS)


def test_every_oddity_and_language_has_its_false_alarms(sections):
    figures = sections["false_alarms"].figures.set_index("honest")
    assert set(ODDITIES) <= set(figures.index)
    assert any("language vi" in name for name in figures.index)
    assert figures["any_head"].between(0, 1).all()
    # a head's share is of those whom it assessed
    heads = figures[list(HEADS)].to_numpy()
    assert ((heads >= 0) & (heads <= 1) | np.isnan(heads)).all()


def test_those_who_are_judged_when_fewer_are_judged_are_judged_better(sections):
    figures = sections["abstention"].figures.pivot_table(index="head", columns="judged", values="wrong")
    assert (figures[0.5] <= figures[1.0]).all()


def test_nothing_later_is_known_of_an_earlier_moment():
    tables = simulate_creators(30, 2)
    moment = SIMULATION_AS_OF - pd.Timedelta(days=90)
    early = known_by(tables, moment)
    assert (early["posts"]["published_at"] <= moment).all()
    assert (early["posts"]["observed_at"].dropna() <= moment).all()
    assert (early["snapshots"]["observed_at"] <= moment).all()
    assert 0 < len(early["posts"]) < len(tables["posts"])


def test_rules_by_hand():
    signals = pd.DataFrame(
        {
            "comments_per_like_median_30p": [0.06, 0.01, np.nan],
            "comments_without_likes_max_z_all": [4.0, 1.0, np.nan],
            "comment_generic_share_all": [np.nan, 0.1, np.nan],
        },
        index=pd.Index(["a", "b", "c"], name="creator_id"),
    )
    assert rule_scores(signals, "comment_bots").tolist() == [1.0, 0.0, 0.0]
