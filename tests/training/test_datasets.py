import numpy as np
import pandas as pd
import pytest

from features.histories import make_histories
from features.signals import SIGNALS, compute_signals
from features.tables import HEADS
from training import datasets
from training.config import AuthenticityConfig
from training.datasets import Dataset, _copy, make_dataset, original_of, signals_of
from training.odd_histories import ODDITIES
from training.simulation import SIMULATION_AS_OF, simulate_creators


@pytest.fixture(scope="module")
def organic() -> dict[str, pd.DataFrame]:
    return simulate_creators(240, seed=3)


@pytest.fixture(scope="module")
def dataset(organic: dict[str, pd.DataFrame], small_config: AuthenticityConfig) -> Dataset:
    return make_dataset(organic, "simulated", small_config.data, small_config.splits, as_of=SIMULATION_AS_OF)


def test_every_creator_is_in_one_split_with_signals_and_truth(
    dataset: Dataset, organic: dict[str, pd.DataFrame]
) -> None:
    assert set(dataset.creators["creator"]) == set(organic["creators"]["creator_id"])
    assert dataset.signals.index.equals(dataset.truth.index)
    assert dataset.signals.index.equals(dataset.creators.index)
    parts = [dataset.part(name) for name in ("train", "calibration", "test")]
    assert {row for part in parts for row in part.signals.index} == set(organic["creators"]["creator_id"])
    assert sum(len(part.signals) for part in parts) == len(organic["creators"])


def test_honest_copies_with_every_oddity_are_of_calibration_creators(
    dataset: Dataset, organic: dict[str, pd.DataFrame]
) -> None:
    honest = dataset.part("oddities")
    assert set(honest.creators["oddity"]) == set(ODDITIES)
    assert set(honest.creators["creator"]) <= set(dataset.part("calibration").creators["creator"])
    assert not honest.truth["any_manipulation"].any()
    own = [name for name, signal in SIGNALS.items() if signal.scope == "creator"]
    plain = signals_of(organic, SIMULATION_AS_OF)[own].reindex(honest.creators["creator"])
    plain = plain.set_axis(honest.signals.index)
    # the language of a few posts may be all that a second language changes, and a signal may not see it
    assert ((plain != honest.signals[own]) & plain.notna()).any(axis=1).mean() > 0.95


def test_unmanipulated_creators_have_the_signals_of_their_organic_history(
    dataset: Dataset, organic: dict[str, pd.DataFrame]
) -> None:
    histories = make_histories(organic, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    untouched = compute_signals(histories)
    # what creators show together needs the others
    own = [name for name, signal in SIGNALS.items() if signal.scope == "creator"]
    dataset = dataset.only(dataset.creators.index[dataset.creators["split"] != "oddities"])
    untouched, signals = untouched[own], dataset.signals[own]
    bought = dataset.truth["any_manipulation"].astype(bool)
    clean = ~bought & (dataset.creators["oddity"] == "")
    assert 0 < clean.sum() < (~bought).sum() < len(clean)
    pd.testing.assert_frame_equal(signals[clean], untouched[clean.reindex(untouched.index)], check_exact=True)
    changed = signals[~clean].compare(untouched[~clean.reindex(untouched.index)])
    assert len(changed) > 0.9 * (~clean).sum()


def test_no_vendor_sells_into_two_splits(
    organic: dict[str, pd.DataFrame], small_config: AuthenticityConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold: list[set[str]] = []
    plan = datasets.plan_campaigns

    def noting(tables, vendors, rng, *, share):
        campaigns = plan(tables, vendors, rng, share=share)
        sold.append(set(campaigns["vendor_id"]))
        return campaigns

    monkeypatch.setattr(datasets, "plan_campaigns", noting)
    make_dataset(organic, "simulated", small_config.data, small_config.splits, as_of=SIMULATION_AS_OF)
    assert len(sold) == 3
    assert all(sold)
    assert sum(len(ids) for ids in sold) == len(set.union(*sold))


def test_equal_settings_give_equal_data(organic: dict[str, pd.DataFrame], small_config: AuthenticityConfig) -> None:
    one, two = (
        make_dataset(organic, "simulated", small_config.data, small_config.splits, as_of=SIMULATION_AS_OF)
        for _ in range(2)
    )
    assert one.digest == two.digest
    other = small_config.data.model_copy(update={"seed": 99})
    three = make_dataset(organic, "simulated", other, small_config.splits, as_of=SIMULATION_AS_OF)
    assert three.digest != one.digest


def test_every_head_has_cases(dataset: Dataset) -> None:
    assert dataset.truth[list(HEADS)].any().all()
    shares = dataset.truth.filter(regex="^inauthentic_.*_share$")
    assert np.all((shares.fillna(0) >= 0) & (shares.fillna(0) <= 1))


@pytest.mark.parametrize("shares", [[0.6, 0.2, 0.2], [0.1, 0.45, 0.45], [0.98, 0.01, 0.01]])
@pytest.mark.parametrize("vendors", [3, 7, 40])
def test_every_split_has_vendors_of_its_own(shares: list[float], vendors: int) -> None:
    bounds = datasets._vendor_bounds(shares, vendors)
    assert bounds[0] == 0
    assert bounds[-1] == vendors
    assert (np.diff(bounds) >= 1).all()


def test_a_copy_has_the_signals_of_its_original(organic: dict[str, pd.DataFrame]) -> None:
    signals = signals_of(organic, SIMULATION_AS_OF)
    copied = signals_of(_copy(organic, 3), SIMULATION_AS_OF)
    assert (signals["comment_owner_reply_share_all"] > 0).any()
    assert original_of(copied.index).equals(signals.index)
    pd.testing.assert_frame_equal(copied.set_axis(signals.index), signals)


def test_ids_of_the_users_own_are_no_copies() -> None:
    ids = pd.Index(["a#1", "a#2", "a#copy2"])
    assert original_of(ids).tolist() == ["a#1", "a#2", "a"]
