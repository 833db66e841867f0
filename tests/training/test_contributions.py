"""Contributions are summed over what signals measure together, and the strongest signal speaks for its group."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.evidence import GROUP_OF, GROUPS
from features.histories import make_histories
from features.signals import compute_signals
from features.tables import HEADS
from training.authenticity import READ
from training.contributions import MOST_GROUPS, carrying_groups, group_sums
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.simulation import SIMULATION_AS_OF, simulate_creators


@pytest.fixture(scope="module")
def model(trained):
    return trained[1].model


@pytest.fixture(scope="module")
def creators(model):
    """Signals, scores and platforms of simulated creators, all of them with campaigns."""
    organic = simulate_creators(60, seed=41)
    rng = np.random.default_rng(2)
    tables, _ = inject_campaigns(organic, plan_campaigns(organic, draw_vendors(8, rng), rng, share=1.0), rng)
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    signals = compute_signals(histories)
    return signals, model.score(signals), histories.creators["platform"]


def _raised(model, creators, name):
    signals, scores, _ = creators
    rows = np.flatnonzero(scores[f"{name}_probability"] > model.heads[name].base_rate)
    return rows, model.heads[name].contributions(signals[list(READ)].to_numpy(dtype=np.float64)[rows])


@given(hnp.arrays(np.float64, (3, len(READ)), elements=st.floats(-5, 5)))
def test_sums_lose_nothing(contributions):
    sums = group_sums(contributions)
    assert sums.shape == (3, len(GROUPS))
    np.testing.assert_allclose(sums.sum(axis=1), contributions.sum(axis=1), atol=1e-9)
    name = "growth_in_steps"
    members = [READ.index(signal) for signal in GROUPS[name].signals]
    np.testing.assert_allclose(sums[:, list(GROUPS).index(name)], contributions[:, members].sum(axis=1), atol=1e-9)


@pytest.mark.parametrize("head", HEADS)
def test_a_group_says_what_its_signals_added_together(model, creators, head):
    signals, _, _ = creators
    rows, weights = _raised(model, creators, head)
    assert rows.size > 3
    found = carrying_groups(model, *creators)
    for row, own in zip(rows, weights, strict=True):
        entries = [entry for entry in found[row] if entry["head"] == head]
        assert 1 <= len(entries) <= MOST_GROUPS
        assert len({entry["group"] for entry in entries}) == len(entries)
        for entry in entries:
            members = [READ.index(name) for name in GROUPS[entry["group"]].signals]
            assert entry["contribution"] == pytest.approx(own[members].sum(), abs=1e-9)
            assert entry["contribution"] > 0
            assert GROUP_OF[entry["signal"]] == entry["group"]
            assert own[READ.index(entry["signal"])] > 0
            assert entry["value"] == signals.iloc[row][entry["signal"]]
            known = signals.iloc[row][list(GROUPS[entry["group"]].signals)].notna().to_numpy()
            assert entry["signals"] == (known & (own[members] > 0)).sum()


def test_what_speaks_is_out_of_its_typical_range_where_anything_is(model, creators):
    outside = 0
    for platform, entries in zip(creators[2], carrying_groups(model, *creators), strict=True):
        for head in HEADS:
            of = [entry for entry in entries if entry["head"] == head]
            apart = []
            for entry in of:
                low, high = model.typical[platform].get(entry["signal"], (None, None))
                assert (entry["typical_low"], entry["typical_high"]) == (low, high)
                apart.append(low is None or not low <= entry["value"] <= high)
            assert all(apart) or not any(apart)
            outside += any(apart)
    assert outside > 20


def test_a_missing_value_speaks_for_no_group(model, creators):
    signals, scores, platforms = creators
    before = carrying_groups(model, *creators)
    row = int(np.argmax([len(entries) for entries in before]))
    spoke = {entry["signal"] for entry in before[row]}
    assert len(spoke) > 3
    thin = signals.iloc[[row]].assign(**dict.fromkeys(spoke, np.nan))
    after = carrying_groups(model, thin, scores.iloc[[row]], platforms.iloc[[row]])[0]
    assert after
    assert not spoke & {entry["signal"] for entry in after}
    assert all(np.isfinite(entry["value"]) for entry in after)


def test_one_creator_is_told_what_the_batch_is_told(model, creators):
    signals, scores, platforms = creators
    together = carrying_groups(model, *creators)
    for row in range(6):
        alone = carrying_groups(model, signals.iloc[[row]], scores.iloc[[row]], platforms.iloc[[row]])[0]
        assert alone == together[row]


def test_where_nothing_is_above_its_base_rate_there_is_nothing_to_say(model, creators):
    signals, scores, platforms = creators
    calm = scores.assign(**{f"{head}_probability": 0.0 for head in HEADS})
    assert carrying_groups(model, signals, calm, platforms) == [[]] * len(signals)
    nobody = pd.Series(platforms.to_numpy()[:0], dtype=platforms.dtype)
    assert carrying_groups(model, signals.iloc[:0], scores.iloc[:0], nobody) == []
