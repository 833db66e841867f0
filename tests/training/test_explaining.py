"""Evidence is checked by taking it away: what is found carries the decision, and random rows do not."""

import numpy as np
import pandas as pd
import pytest

from features.histories import make_histories
from features.signals import compute_signals
from features.tables import HEADS, check_tables
from training.explaining import ENOUGH, LEFT, explain, faithfulness, rows_in_words
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.simulation import SIMULATION_AS_OF, simulate_creators

KNOWN = {"as_of": SIMULATION_AS_OF, "imported_at": SIMULATION_AS_OF}


@pytest.fixture(scope="module")
def model(trained):
    return trained[1].model


@pytest.fixture(scope="module")
def organic():
    return simulate_creators(150, seed=31)


@pytest.fixture(scope="module", params=HEADS)
def flagged(request, model, organic):
    """A head, histories with its campaigns in them, and the creators of whom the model is rather sure."""
    rng = np.random.default_rng(4)
    campaigns = plan_campaigns(organic, draw_vendors(10, rng, style="retail"), rng, share=1.0, heads=(request.param,))
    tables, truth = inject_campaigns(organic, campaigns, rng)
    scores = model.score(compute_signals(make_histories(tables, **KNOWN)))
    sure = scores.index[truth.reindex(scores.index)[request.param] & (scores[f"{request.param}_probability"] > 0.5)]
    assert len(sure) >= 5
    return request.param, tables, pd.DataFrame({"creator_id": sure[:25], "head": request.param})


@pytest.fixture(scope="module")
def found(flagged, model):
    return explain(model, flagged[1], flagged[2], **KNOWN)


def test_what_is_taken_away_carries_the_decision_and_random_rows_do_not(flagged, found, model):
    _, tables, cases = flagged
    measured = faithfulness(model, tables, found, np.random.default_rng(0), **KNOWN)
    assert (measured["lost"] >= 0.3).sum() / len(cases) > 0.8
    assert measured["lost"].median() > ENOUGH
    assert measured["lost_at_random"].median() < 0.3 * measured["lost"].median()


def test_what_is_said_is_what_scoring_without_the_rows_gives(flagged, found, model):
    head, tables, _ = flagged
    case = found[found["events"] != "days"].head(1)
    for row in case.to_dict("records"):
        own = {name: frame[frame["creator_id"] == row["creator_id"]] for name, frame in tables.items()}
        if row["events"] == "posts":
            own["posts"] = own["posts"][~own["posts"]["post_id"].isin(row["rows"])]
            own["comments"] = own["comments"][~own["comments"]["post_id"].isin(row["rows"])]
        else:
            ordered = own["comments"].sort_values("published_at", kind="stable")
            own["comments"] = ordered.drop(ordered.index[row["rows"]])
        scores = model.score(compute_signals(make_histories(check_tables(own), **KNOWN)))
        assert scores[f"{head}_probability"].iloc[0] == pytest.approx(row["probability_without"], abs=1e-12)


def test_rows_are_named_as_people_look_them_up(flagged, found):
    _, tables, _ = flagged
    for case, rows in zip(found.to_dict("records"), rows_in_words(tables, found), strict=True):
        assert len(rows) == len(case["rows"])
        assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
        if case["events"] == "posts":
            assert {row["id"] for row in rows} == set(case["rows"])
            left = tables["posts"].query("creator_id == @case['creator_id']")["post_id"].nunique() - len(rows)
            assert left >= LEFT


def test_a_history_too_short_to_take_from_has_no_evidence(model, organic):
    one = organic["creators"]["creator_id"].iloc[0]
    short = {name: frame[frame["creator_id"] == one].head(5) for name, frame in organic.items()}
    cases = pd.DataFrame({"creator_id": [one], "head": ["bought_likes"]})
    assert explain(model, short, cases, **KNOWN).empty
