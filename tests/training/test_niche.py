"""The niche model on invented creators whose niche is in their words."""

import json

import numpy as np
import pandas as pd
import pytest

from features.niche_texts import NicheTexts, read_niche_texts
from training import tracking
from training.benchmark_niche import (
    NoNichesError,
    figures_of,
    held_out,
    niche_set,
    read_niche_set,
)
from training.gates import check_class_gates
from training.niche import NO_TEXT, NicheConfig, NicheModelError, fit_niches, load_niche_model
from training.niche_prior import NO_WORD, as_labels, prior_niches, prior_probabilities
from training.niche_runs import assess_niches, load_niches, promote_niches, train_niches

QUICK = NicheConfig(regularisation=(0.1,), trees=80, leaves=4, folds=3, least=2, least_creators=10)
THINGS = {
    "food": ("bread soup cake noodles salad", "recipe please yummy"),
    "pet": ("puppy kitten paw leash tail", "good boy woof"),
    "travel": ("beach hotel island flight sunset", "safe trip where"),
}


def invented(each: int = 40, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Creators of three niches: one word of their niche and three of any in a caption, a fan's comment of it."""
    rng = np.random.default_rng(seed)
    every = " ".join(things for things, _ in THINGS.values()).split()
    rows = []
    for niche, (things, fans) in THINGS.items():
        for number in range(each):
            said = [rng.choice(things.split()), *rng.choice(every, 3)]
            rows.append((f"{niche}{number:03}", niche, " ".join(rng.permutation(said)), rng.choice(fans.split())))
    frame = pd.DataFrame(rows, columns=["creator_id", "niche", "caption", "text"]).astype("str")
    when = pd.Timestamp("2026-01-05", tz="UTC").as_unit("us")
    known = {"published_at": when, "observed_at": when}
    posts = frame[["creator_id", "caption"]].assign(
        post_id="p" + frame["creator_id"], likes=3, comments=1, kind="photo", **known
    )
    comments = frame[["creator_id", "text"]].assign(
        post_id="p" + frame["creator_id"], author_id="u" + frame.index.astype("str"), **known
    )
    creators = frame[["creator_id", "niche"]].assign(platform="instagram", followers=1000, observed_at=when)
    return {"creators": creators, "posts": posts, "comments": comments}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return invented()


@pytest.fixture(scope="module")
def texts(tables: dict[str, pd.DataFrame]) -> NicheTexts:
    return read_niche_texts(tables)


@pytest.fixture(scope="module")
def model(tables: dict[str, pd.DataFrame], texts: NicheTexts):
    labels = tables["creators"].set_index("creator_id")["niche"].reindex(texts.creators).to_numpy()
    return fit_niches(texts, labels, QUICK, data="invented")


def test_words_tell_the_niche_of_creators_not_seen(model) -> None:
    fresh = invented(seed=1)
    said = model.predict(read_niche_texts(fresh))
    truth = fresh["creators"].set_index("creator_id")["niche"].reindex(said.index)
    assert (said["niche"] == truth).mean() > 0.85
    assert said["reason"].isna().all()


def test_probabilities_add_up_and_the_likeliest_is_told(model, texts) -> None:
    p = model.probabilities(texts)
    assert p.columns.tolist() == ["food", "pet", "travel"]
    assert np.allclose(p.sum(axis=1), 1)
    told = model.predict(texts)
    assert (told["niche"] == p.idxmax(axis=1)).all()
    assert np.array_equal(told["niche_probability"], p.max(axis=1))


def test_a_creator_alone_is_told_what_the_creator_is_told_among_others(model, texts) -> None:
    alone = pd.concat([model.probabilities(texts.take(np.array([row]))) for row in (0, 50, 119)])
    pd.testing.assert_frame_equal(alone, model.probabilities(texts).iloc[[0, 50, 119]], check_exact=True)


def test_who_writes_nothing_is_not_assessed(model) -> None:
    silent = invented(1)
    silent["posts"] = silent["posts"].assign(caption=["...", None, "beach hotel island"])
    silent["comments"] = silent["comments"].iloc[:0]
    told = model.predict(read_niche_texts(silent))
    assert told["niche"].tolist()[2] == "travel"
    assert told["niche"].isna().tolist() == [True, True, False]
    assert told["reason"].tolist()[:2] == [NO_TEXT, NO_TEXT]
    assert told["niche_probability"].isna().tolist() == [True, True, False]


def test_comments_alone_tell_something(model) -> None:
    quiet = invented(10, seed=2)
    quiet["posts"] = quiet["posts"].assign(caption=pd.Series([None] * 30, dtype="str"))
    told = model.predict(read_niche_texts(quiet))
    truth = quiet["creators"].set_index("creator_id")["niche"].reindex(told.index)
    assert (told["niche"] == truth).mean() > 0.5


def test_a_model_comes_back_as_it_was_saved_and_only_then(model, texts, tmp_path) -> None:
    model.save(tmp_path)
    again = load_niche_model(tmp_path)
    pd.testing.assert_frame_equal(again.probabilities(texts), model.probabilities(texts), check_exact=True)
    assert not any(path.suffix in (".pkl", ".joblib") for path in tmp_path.iterdir())
    (tmp_path / "trees.txt").write_text("else")
    with pytest.raises(NicheModelError, match=r"saved: trees\.txt"):
        load_niche_model(tmp_path)
    document = json.loads((tmp_path / "niche.json").read_text())
    (tmp_path / "niche.json").write_text(json.dumps({**document, "inputs": "other"}))
    with pytest.raises(NicheModelError, match="train it again"):
        load_niche_model(tmp_path)


def test_too_few_labels_are_refused_and_rare_niches_left_out(tables, texts) -> None:
    labels = tables["creators"].set_index("creator_id")["niche"].reindex(texts.creators).to_numpy(dtype=object)
    with pytest.raises(ValueError, match="at least two niches with 10 creators"):
        fit_niches(texts, np.where(labels == "food", "food", None), QUICK)
    rare = labels.copy()
    rare[np.flatnonzero(labels == "pet")[5:]] = None
    two = fit_niches(texts, rare, QUICK)
    assert two.niches == ("food", "travel")
    told = two.predict(texts)["niche"].to_numpy()
    assert (told == labels)[np.isin(labels, ("food", "travel"))].mean() > 0.85


# ---- without a model


def test_the_word_lists_tell_a_niche_where_there_is_no_model() -> None:
    some = invented(1)
    some["posts"] = some["posts"].assign(caption=["Review kem chống nắng cho da mụn", "zzz", "my puppy, my pet"])
    told = assess_niches(some, None)
    assert told["niche"].iloc[0] == "skincare", told
    assert pd.isna(told["niche"].iloc[1])
    assert told["reason"].iloc[1] == NO_WORD
    assert told["niche"].iloc[2] == "pet"
    assert told.equals(prior_niches(some))


def test_shares_of_words_add_up_and_grow_with_what_is_said() -> None:
    once, twice = invented(1), invented(1)
    once["posts"] = once["posts"].assign(caption="bitcoin")
    twice["posts"] = pd.concat([once["posts"], once["posts"].assign(post_id="again")])
    first, second = (prior_probabilities(one)["finance"].iloc[0] for one in (once, twice))
    # one caption: log 2 of finance, and 1 spread over all niches
    niches = prior_probabilities(once).shape[1]
    assert first == pytest.approx((np.log(2) + 1 / niches) / (np.log(2) + 1))
    assert first < second
    assert prior_probabilities(once).sum(axis=1).to_numpy() == pytest.approx(1)


def test_narrow_niches_count_for_the_wider_one_that_a_set_has() -> None:
    shares = pd.DataFrame({"skincare": [0.5, np.nan], "beauty": [0.2, np.nan], "books": [0.3, np.nan]})
    found = as_labels(shares, ["beauty", "food", "other"])
    assert found.iloc[0].fillna(0).tolist() == pytest.approx([0.5, 0, 0.3])
    assert found.iloc[1].isna().all()
    assert as_labels(shares, ["beauty", "food"]).columns.tolist() == ["beauty", "food"]


# ---- measured, registered, promoted


def test_figures_stand_beside_floors_of_the_same_creators(tables) -> None:
    one = niche_set("invented", "", tables)
    found = held_out(one, QUICK)
    figures = pd.DataFrame(figures_of(one, found, draws=20)).set_index(["task", "metric"])
    row = figures.loc[("all creators", "accuracy")]
    assert row["low"] <= row["value"] <= row["high"]
    assert row["value"] == (np.array(found.niches)[found.said] == one.labels).mean()
    assert row["floor_majority"] == pytest.approx(1 / 3)
    assert row["value"] > row["floor_majority"]
    assert "3 captions or more" not in figures.index.get_level_values("task")


def test_a_champion_passes_the_gates_and_serves(tables, tmp_path, home) -> None:
    folder = tmp_path / "labelled"
    folder.mkdir()
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet")
    (tmp_path / "quick.toml").write_text(
        "regularisation = [0.1]\ntrees = 200\nleaves = 4\nfolds = 3\nleast = 2\nleast_creators = 10\n"
    )
    trained = train_niches(folder, tmp_path / "quick.toml")
    version, gates = promote_niches(trained.version)
    assert all(gate.passed for gate in gates), [gate.words for gate in gates]
    champion, model = load_niches()
    assert champion == version == trained.version
    told = assess_niches(invented(seed=3), model)
    truth = invented(seed=3)["creators"].set_index("creator_id")["niche"].reindex(told.index)
    assert (told["niche"] == truth).mean() > 0.85
    card = (tracking.download("niche", version) / "model_card.md").read_text()
    assert "Trained on: labelled" in card
    assert "| all creators | accuracy |" in card


def test_gates_let_no_model_through_that_floors_reach() -> None:
    def metadata(low: float, ece: float) -> dict[str, object]:
        figure = {"value": low + 0.01, "low": low, "high": low + 0.02}
        floor = {"accuracy": {"value": 0.5}, "macro_f1": {"value": 0.5}}
        return {
            "registry_hash": "h",
            "dataset_digest": "d",
            "composite": {"accuracy": figure, "macro_f1": figure, "ece": {"value": ece}},
            "floors": {"tfidf_logistic": floor},
        }

    def failed(one: dict[str, object], champion: dict[str, object] | None = None) -> list[str]:
        return [gate.name for gate in check_class_gates(one, champion, "h") if not gate.passed]

    assert failed(metadata(0.6, 0.02)) == []
    assert failed(metadata(0.49, 0.02)) == ["accuracy above its floors", "macro_f1 above its floors"]
    assert failed(metadata(0.6, 0.2)) == ["calibration"]
    assert failed(metadata(0.6, 0.02), metadata(0.7, 0.02)) == ["not worse than champion"]
    assert "accuracy above its floors" in failed({"registry_hash": "h"})


def test_a_folder_without_labelled_creators_is_refused(tmp_path) -> None:
    with pytest.raises(NoNichesError, match="expected creators with a niche"):
        read_niche_set(tmp_path)
    plain = invented(2)
    plain["creators"] = plain["creators"].drop(columns="niche")
    with pytest.raises(NoNichesError, match="both a niche and a caption"):
        niche_set("plain", "", plain)


@pytest.mark.data
@pytest.mark.slow
def test_instagram_creators_not_seen_are_read_better_than_by_the_floors(real_data) -> None:
    if not (real_data / "instagram_kim2020").is_dir():
        pytest.skip("instagram_kim2020 is absent in REALREACH_DATA")
    one = read_niche_set(real_data)
    some = one.take(np.sort(np.random.default_rng(0).permutation(len(one))[:4000]))
    found = held_out(some, NicheConfig(regularisation=(0.1,), least_creators=8))
    truth = pd.Index(found.niches).get_indexer(pd.Index(some.labels))
    right = {name: (said == truth).mean() for name, said in {**found.floors, "model": found.said}.items()}
    assert right["model"] > max(right[name] for name in found.floors) + 0.03
    assert 0.5 < right["model"] < 0.75
