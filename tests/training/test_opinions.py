"""Opinions and safety on invented texts whose class is in their words, and on the real sets where they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from training import tracking
from training.benchmark_opinions import benchmark_opinions, fit_floors, speed
from training.opinion_balance import LEAST_TEXTS, NO_MODEL, SHARES, TOO_FEW, opinion_balance
from training.opinion_runs import load_opinions, promote_opinions, train_opinions
from training.opinion_sets import OpinionSetError, read_opinion_pairs, read_opinion_set
from training.opinions import (
    EMPTY,
    TASKS,
    UNREAD,
    OpinionConfig,
    OpinionModelError,
    fit_opinions,
    leant,
    load_opinion_model,
)

QUICK = OpinionConfig(regularisation=(1.0,), folds=3, least_texts=2)
WORDS = {
    0: ("tệ quá", "thất vọng", "hỏng rồi", "bẩn và ồn", "phí tiền"),
    1: ("giá bao nhiêu", "mở cửa lúc chín giờ", "màu xám", "còn size không", "ở quận một"),
    2: ("rất đẹp", "ngon lắm", "tuyệt vời", "hài lòng", "thích ghê"),
}
THINGS = ("cái này", "đôi giày", "quán này", "kem", "cửa hàng", "món ăn", "chiếc áo")


def invented(each: int = 60, seed: int = 0) -> tuple[pd.Series, np.ndarray]:
    """Texts of three classes: a thing, and words of the class; one in ten is labelled wrongly."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], each)
    texts = [
        f"{rng.choice(THINGS)} {rng.choice(WORDS[label])} {rng.choice(THINGS)} {i}" for i, label in enumerate(labels)
    ]
    noisy = np.where(rng.random(len(labels)) < 0.1, rng.integers(0, 3, len(labels)), labels)
    return pd.Series(texts, dtype="str"), noisy


@pytest.fixture(scope="module")
def opinions():
    return fit_opinions(TASKS["opinions"], *invented(), QUICK, data="invented")


@pytest.fixture(scope="module")
def safety():
    return fit_opinions(TASKS["safety"], *invented(), QUICK)


@pytest.fixture
def sets(tmp_path):
    """Folder with both sets, in the columns of the real ones."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    for stem, text, label in (("uit_vsfc", "sents", "sentiments"), ("vihsd", "free_text", "label_id")):
        for seed, (part, each) in enumerate((("train", 120), ("dev", 60))):
            texts, labels = invented(each, seed)
            pd.DataFrame({text: texts, label: labels}).to_csv(folder / f"{stem}_{part}.csv.gz", index=False)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))


def test_words_tell_the_class_of_texts_not_seen(opinions) -> None:
    said = opinions.predict(invented(seed=5)[0])
    truth = np.repeat(["negative", "neutral", "positive"], 60)
    assert (said["told"] == truth).mean() > 0.95
    assert said["reason"].isna().all()
    assert np.allclose(said[["negative", "neutral", "positive"]].sum(axis=1), 1)


def test_english_is_read_by_what_a_text_means(opinions) -> None:
    said = opinions.predict(pd.Series(["so beautiful and delicious", "so disappointed, it broke"], dtype="str"))
    assert said["told"].tolist() == ["positive", "negative"]


def test_safety_leaves_alone_what_is_not_vietnamese(safety, opinions) -> None:
    texts = pd.Series(["this is wonderful", "tuyệt vời", "", None, "это прекрасно"], dtype="str")
    said = safety.predict(texts)
    assert said["told"].notna().tolist() == [False, True, False, False, False]
    assert said["reason"].fillna("").tolist() == [UNREAD, "", EMPTY, EMPTY, UNREAD]
    assert said["clean"].isna().tolist() == said["told"].isna().tolist()
    assert opinions.predict(texts)["reason"].fillna("").tolist() == ["", "", EMPTY, EMPTY, UNREAD]
    assert safety.predict(texts.iloc[:1], "vi")["told"].notna().all()


def test_a_text_is_told_the_same_alone_and_in_any_batch(opinions) -> None:
    texts = pd.concat([invented(seed=2)[0], pd.Series(["so good", "wow"], dtype="str")], ignore_index=True)
    every = opinions.predict(texts)
    alone = pd.concat([opinions.predict(texts.iloc[[row]]) for row in (0, 90, 180, 181)])
    pd.testing.assert_frame_equal(alone, every.iloc[[0, 90, 180, 181]], check_exact=True)
    # more than one pass
    many = opinions.predict(texts.sample(9000, replace=True, random_state=0))
    first = many[~many.index.duplicated()].sort_index()
    pd.testing.assert_frame_equal(first, every.loc[first.index], check_exact=True)


def test_leaning_favours_the_rare() -> None:
    p, shares = np.array([[0.6, 0.1, 0.3]]), np.array([0.6, 0.05, 0.35])
    assert leant(p, shares, 0.0).tolist() == [0]
    assert leant(p, shares, 1.0).tolist() == [1]


def test_a_model_comes_back_as_it_was_saved_and_only_then(opinions, tmp_path) -> None:
    opinions.save(tmp_path)
    texts = invented(seed=3)[0]
    again = load_opinion_model(tmp_path)
    pd.testing.assert_frame_equal(again.predict(texts), opinions.predict(texts), check_exact=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["opinions.json", "opinions.npz"]
    document = (tmp_path / "opinions.json").read_text()
    (tmp_path / "opinions.json").write_text(document.replace('"inputs": "', '"inputs": "x'))
    with pytest.raises(OpinionModelError, match="train it again"):
        load_opinion_model(tmp_path)
    (tmp_path / "opinions.json").write_text(document)
    (tmp_path / "opinions.npz").write_bytes(b"else")
    with pytest.raises(OpinionModelError, match=r"saved: opinions\.npz"):
        load_opinion_model(tmp_path)
    with pytest.raises(OpinionModelError, match="not a readable model"):
        load_opinion_model(tmp_path / "nowhere")


def test_too_few_texts_of_a_class_are_refused() -> None:
    texts, labels = invented(20)
    with pytest.raises(ValueError, match="too few texts are positive"):
        fit_opinions(TASKS["opinions"], texts, np.minimum(labels, 1), QUICK)


@pytest.mark.parametrize("name", ["opinions", "safety"])
def test_a_model_is_trained_held_against_gates_and_loaded(name, sets, home, tmp_path) -> None:
    (tmp_path / "quick.toml").write_text("regularisation = [1.0]\nfolds = 3\nleast_texts = 2\n")
    trained = train_opinions(name, sets, tmp_path / "quick.toml")
    version, gates = promote_opinions(name, trained.version)
    named = {gate.name for gate in gates}
    assert {"signal registry", "macro_f1 above its floors", "calibration", "not worse than champion"} <= named
    assert ("auc_gain above its floors" in named) == (name == "safety")
    # past the gates: words this plain are no harder for the floors
    tracking.promote(name, version)
    loaded, model = load_opinions(name)
    assert loaded == trained.version
    texts = invented(seed=4)[0]
    pd.testing.assert_frame_equal(model.predict(texts), trained.model.predict(texts), check_exact=True)
    assert "| held out in turn | macro_f1 |" in (tracking.download(name, version) / "model_card.md").read_text()


def test_figures_stand_beside_floors_and_say_both_languages(sets) -> None:
    figures = benchmark_opinions(TASKS["opinions"], sets, QUICK, draws=50).set_index(["task", "metric"])
    row = figures.loc[("unseen texts", "accuracy")]
    assert row["low"] <= row["value"] <= row["high"]
    assert row["value"] > row["floor_majority"]
    assert figures.loc[("lines of one hand, en", "texts"), "value"] == 66
    assert ("lines of one hand, vi", "macro_f1") in figures.index
    unsafe = benchmark_opinions(TASKS["safety"], sets, QUICK, draws=50).set_index(["task", "metric"])
    gain, auc = (unsafe.loc[("unseen texts", name)] for name in ("auc_gain", "auc"))
    floors = [name for name in auc.index if name.startswith("floor_")]
    assert gain["value"] == pytest.approx(auc["value"] - max(auc[floors]))


def test_word_lists_stay_silent_where_no_word_occurs() -> None:
    floors = fit_floors(TASKS["opinions"], read_opinion_pairs()["vi"])
    told = floors.say(pd.Series(["tuyệt vời", "thất vọng", "giá bao nhiêu"], dtype="str"), silent=1)["word_lists"].told
    assert told.tolist() == [2, 0, 1]


def test_pairs_are_balanced_and_say_that_one_hand_wrote_them() -> None:
    pairs = read_opinion_pairs()
    for one in pairs.values():
        assert np.bincount(one.labels).tolist() == [22, 22, 22]
        assert not one.texts.duplicated().any()


def test_sets_that_cannot_be_used_are_named(tmp_path) -> None:
    task = TASKS["opinions"]
    with pytest.raises(OpinionSetError, match=r"found no uit_vsfc_train\.csv"):
        read_opinion_set(task, tmp_path, "train")
    pd.DataFrame({"sents": ["a"], "sentiment": [1]}).to_csv(tmp_path / "uit_vsfc_train.csv", index=False)
    with pytest.raises(OpinionSetError, match="sentiments are missing"):
        read_opinion_set(task, tmp_path, "train")
    pd.DataFrame({"sents": ["a"], "sentiments": [7]}).to_csv(tmp_path / "uit_vsfc_train.csv", index=False)
    with pytest.raises(OpinionSetError, match="must be 0 to 2"):
        read_opinion_set(task, tmp_path, "train")


def creators_who_write() -> dict[str, pd.DataFrame]:
    """`a` praises six times and criticises twice, later criticises more; `b` writes too little; `c` nothing."""
    day = pd.Timestamp("2026-01-05", tz="UTC")
    captions = [("a", "rất đẹp")] * 6 + [("a", "thất vọng")] * 2 + [("a", "đôi giày màu xám")] + [("b", "rất đẹp")] * 3
    posts = pd.DataFrame(captions, columns=["creator_id", "caption"]).astype("str")
    posts = posts.assign(post_id=[f"p{i}" for i in range(len(posts))], published_at=day, observed_at=day)
    later = posts.iloc[[6] * 5].assign(post_id=[f"q{i}" for i in range(5)], published_at=day + pd.Timedelta(days=9))
    said = [("a", "u", "tệ quá")] * 4 + [("a", "u", "ngon lắm")] * 4 + [("a", "a", "tệ quá")] * 9
    comments = pd.DataFrame(said, columns=["creator_id", "author_id", "text"]).astype("str").assign(published_at=day)
    return {
        "creators": pd.DataFrame({"creator_id": ["c", "a", "b"]}, dtype="str"),
        # seen a second time: still one post
        "posts": pd.concat([posts, posts.iloc[:3], later], ignore_index=True),
        "comments": comments,
    }


def test_shares_rest_on_what_was_known_and_say_on_how_much(opinions, safety) -> None:
    models, as_of = {"opinions": opinions, "safety": safety}, pd.Timestamp("2026-01-06", tz="UTC")
    found = opinion_balance(creators_who_write(), models, as_of)
    assert found.index.tolist() == ["a", "b", "c"]
    a = found.loc["a"]
    assert (a["praise_share"], a["criticism_share"], a["praise_share_texts"]) == (0.75, 0.25, LEAST_TEXTS)
    assert (a["audience_criticism_share"], a["audience_criticism_share_texts"]) == (0.5, 8)
    assert (a["unsafe_caption_share_texts"], a["unsafe_comment_share_texts"]) == (9, 8)
    assert a["unsafe_caption_share"] == pytest.approx(7 / 9)
    for name in SHARES:
        assert found[name].notna().tolist() == [True, False, False]
        assert found[f"{name}_reason"].fillna("").tolist() == ["", TOO_FEW, TOO_FEW]
    assert opinion_balance(creators_who_write(), models).loc["a", "criticism_share"] == pytest.approx(7 / 13)


def test_an_opinion_needs_a_listed_word_and_the_model_decides_between_two(opinions) -> None:
    tables = creators_who_write()
    captions = ["cửa hàng mở cửa lúc chín giờ"] * 5 + ["rất đẹp, ngon lắm, tuyệt vời nhưng tệ"] * 8
    day = tables["posts"]["published_at"].iloc[0]
    posts = pd.DataFrame({"creator_id": "b", "caption": captions, "post_id": [f"n{i}" for i in range(13)]}, dtype="str")
    b = opinion_balance({**tables, "posts": posts.assign(published_at=day)}, {"opinions": opinions}).loc["b"]
    assert (b["praise_share"], b["criticism_share"], b["praise_share_texts"]) == (1.0, 0.0, 8)


def test_without_models_or_texts_every_share_is_null_with_a_reason(opinions) -> None:
    tables = creators_who_write()
    assert (opinion_balance(tables, {})["praise_share_reason"] == NO_MODEL).all()
    part = opinion_balance({**tables, "posts": tables["posts"].drop(columns="caption")}, {"opinions": opinions})
    assert (part["praise_share_reason"] == TOO_FEW).all()
    assert (part["unsafe_comment_share_reason"] == NO_MODEL).all()
    del tables["comments"]
    assert opinion_balance(tables, {"opinions": opinions})["audience_criticism_share"].isna().all()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("opinions", 0.70), ("safety", 0.58)])
def test_real_texts_not_seen_are_read_better_than_by_the_floors(name, least, real_data) -> None:
    task = TASKS[name]
    try:
        one = read_opinion_set(task, real_data, "train")
    except OpinionSetError:
        pytest.skip(f"the set of {name} is absent in REALREACH_DATA")
    order = np.random.default_rng(0).permutation(len(one))
    seen, unseen = one.take(order[:8000]), one.take(order[8000:10500])
    model = fit_opinions(task, seen.texts, seen.labels, OpinionConfig(regularisation=(3.0,), folds=3))
    truth = np.array(task.classes)[unseen.labels]
    reached = f1_score(truth, model.predict(unseen.texts, "vi")["told"], average="macro")
    floors = fit_floors(task, seen).say(unseen.texts)
    assert reached > max(f1_score(unseen.labels, said.told, average="macro") for said in floors.values())
    assert reached > least
    # far below what is measured (BENCHMARKS.md): machines under test are busy
    assert speed(model, unseen.texts, repeats=1) > 2_000
