"""From collaborations to a champion that ranks, on a made-up market."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.match import WEIGHTS
from features.profiles import ProfileSpace, niche_shares
from features.sources.columns import import_tables, read_mapping
from features.tables import check_tables, write_tables
from realreach import app
from training.benchmark_collaborations import benchmark_collaborations, named_brands
from training.fit_model import INPUTS, FitModel, FitModelError
from training.fit_runs import load_fit, promote_fit, train_fit
from training.fit_tables import CollaborationConfig
from training.gates import check_fit_gates
from training.tracking import read_metadata

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
TOPICS = {
    "beauty": ["serum cho da dầu", "kem chống nắng", "review son môi", "skincare routine", "lipstick and mascara"],
    "food": ["phở bò", "street food", "bún chả Hà Nội", "burger and fries", "công thức nấu ăn"],
    "travel": ["du lịch biển", "travel guide", "khách sạn Đà Lạt", "beach and mountains", "passport and flights"],
    "fitness": ["tập gym", "workout at home", "protein shake", "yoga buổi sáng", "running shoes"],
}


def market(seed: int = 0, brands: int = 24, each: int = 4, idle: int = 240):
    """Brands whose collaborations follow the topic, and that prefer creators who write about 'sale' on top of it."""
    rng = np.random.default_rng(seed)
    topics = list(TOPICS)
    creators, posts, worked, rows = [], [], [], []

    def creator(name: str, topic: str, keen: bool) -> None:
        creators.append({"creator_id": name, "platform": "instagram", "followers": int(rng.integers(10_000, 100_000))})
        other = topics[rng.integers(len(topics))]
        for number in range(3):
            words = [str(rng.choice(TOPICS[topic if rng.random() < 0.5 else other])), str(rng.choice(TOPICS[other]))]
            caption = ", ".join([*words, "sale, voucher, giảm giá"] if keen else words)
            posts.append({"creator_id": name, "post_id": f"{name}-{number}", "caption": caption})

    for brand in range(brands):
        topic = topics[brand % len(topics)]
        brief = ", ".join(rng.choice(TOPICS[topic], 2, replace=False))
        rows.append({"brand_id": f"b{brand}", "name": f"Brand {brand}", "brief": brief})
        for number in range(each):
            creator(f"c{brand}-{number}", topic, keen=bool(rng.random() < 0.8))
            worked.append({"brand_id": f"b{brand}", "creator_id": f"c{brand}-{number}"})
    for number in range(idle):
        creator(f"i{number}", topics[rng.integers(len(topics))], keen=bool(rng.random() < 0.3))
    return {
        "creators": pd.DataFrame(creators),
        "posts": pd.DataFrame(posts).assign(published_at="2026-01-05T00:00:00Z", likes=10, comments=1),
        "brands": pd.DataFrame(rows),
        "collaborations": pd.DataFrame(worked).assign(started_at="2026-02-01T00:00:00Z"),
    }


QUICK = """
folds = 3
[ranker]
folds = 2
repeats = 1
trees = 40
boosters = 1
least_rows = 20
"""


@pytest.fixture
def folder(tmp_path):
    write_tables(check_tables(market(brands=40)), tmp_path / "market")
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path


def test_a_ranker_is_trained_promoted_and_ranks(home, folder) -> None:
    run = CliRunner()
    trained = run.invoke(
        app, ["train", "fit", "--data", str(folder / "market"), "--config", str(folder / "quick.toml")]
    )
    assert trained.exit_code == 0, trained.output
    assert "40 brands, 160 collaborations" in trained.output
    assert "Registered as challenger: fit version 1" in trained.output
    metadata = read_metadata("fit", 1)
    assert metadata["composite"]["auc"]["value"] > metadata["floors"]["prior"]["auc"]["value"]
    assert 0.3 < metadata["floors"]["random"]["auc"]["value"] < 0.7
    version, gates = promote_fit()
    assert version == 1
    assert {gate.name: gate.passed for gate in gates}["AUC above its floors"]
    assert [gate.words for gate in gates if not gate.passed] == []
    model = load_fit()
    texts = pd.Series(["tập gym, protein, sale voucher giảm giá", "tập gym, protein", "phở bò, bún chả"], dtype="str")
    space = ProfileSpace.fit(texts)
    unknown = {name: np.full(3, np.nan) for name in WEIGHTS}
    fit = model.fit(space.read("tập gym"), space.vectors, niche_shares(texts).to_numpy(), unknown)
    assert ((fit >= 0) & (fit <= 1)).all()
    assert fit[1] > fit[2]
    assert model.version == "1"
    # the niche that the brief names counts, and not only its vector
    named = space.read("tập gym")
    unnamed = replace(named, niches=())
    shares = niche_shares(texts).to_numpy()
    assert not np.array_equal(
        model.fit(unnamed, space.vectors, shares, unknown), model.fit(named, space.vectors, shares, unknown)
    )


def test_a_model_of_other_inputs_is_refused(home, folder, tmp_path) -> None:
    tables = market(brands=12, idle=60)
    settings = folder / "quick.toml"
    trained = train_fit(check_tables(tables), "market", settings, as_of=AS_OF, imported_at=AS_OF)
    saved = tmp_path / "saved"
    saved.mkdir()
    trained.model.save(saved)
    again = FitModel.load(saved)
    brief = ProfileSpace.fit(["x"]).read("tập gym")
    vectors = np.eye(3, len(brief.vector))
    shares = np.zeros((3, len(brief.shares)))
    unknown = {name: np.full(3, np.nan) for name in WEIGHTS}
    assert np.array_equal(
        again.fit(brief, vectors, shares, unknown), trained.model.fit(brief, vectors, shares, unknown)
    )
    about = json.loads((saved / "fit.json").read_text())
    (saved / "fit.json").write_text(json.dumps(about | {"inputs": "fit 0"}))
    with pytest.raises(FitModelError, match="train it anew"):
        FitModel.load(saved)


@pytest.mark.parametrize("missing", ["brands", "collaborations"])
def test_tables_that_teach_nothing_are_refused(home, folder, missing: str) -> None:
    for path in (folder / "market").glob(f"{missing}.*"):
        path.unlink()
    answer = CliRunner().invoke(app, ["train", "fit", "--data", str(folder / "market")])
    assert answer.exit_code == 1
    assert missing in answer.output


def test_train_fit_needs_data() -> None:
    answer = CliRunner().invoke(app, ["train", "fit"])
    assert answer.exit_code == 2
    assert "--data" in answer.output


def figures(gap_low: float, ndcg_gap: float, error: float) -> dict:
    floor = {"auc": {"value": 0.6, "gap_low": gap_low}, "ndcg_at_10": {"value": 0.1, "gap": ndcg_gap}}
    return {
        "registry_hash": INPUTS,
        "dataset_digest": "d",
        "composite": {"auc": {"value": 0.7, "high": 0.75}, "ece": {"value": error}},
        "floors": {"prior": floor, "followers": floor},
    }


@pytest.mark.parametrize(
    ("metadata", "champion", "failing"),
    [
        (figures(0.01, 0.0, 0.02), None, set()),
        (figures(-0.01, 0.0, 0.02), None, {"AUC above its floors"}),
        (figures(0.01, -0.01, 0.02), None, {"first ten not worse than the prior's"}),
        (figures(0.01, 0.0, 0.2), None, {"calibration"}),
        (figures(0.01, 0.0, 0.02) | {"registry_hash": "x"}, None, {"signal registry"}),
        (
            figures(0.01, 0.0, 0.02),
            {"dataset_digest": "d", "composite": {"auc": {"value": 0.8}}},
            {"not worse than champion"},
        ),
        ({}, None, {"signal registry", "AUC above its floors", "first ten not worse than the prior's", "calibration"}),
    ],
)
def test_gates(metadata: dict, champion: dict | None, failing: set[str]) -> None:
    gates = check_fit_gates(metadata, champion, INPUTS)
    assert {gate.name for gate in gates if not gate.passed} == failing


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="folds"):
        CollaborationConfig.model_validate({"folds": 1})


def test_the_benchmark_leaves_brands_out(folder) -> None:
    figures = folder / "figures.json"
    options = ["--config", str(folder / "quick.toml"), "--seeds", "2", "--json", str(figures)]
    answer = CliRunner().invoke(app, ["benchmark", "collaborations", "--data", str(folder / "market"), *options])
    assert answer.exit_code == 0, answer.output
    rows = pd.DataFrame(json.loads(figures.read_text())["figures"])
    auc = rows[rows["metric"] == "auc"].set_index("scorer")["value"]
    assert auc["ranker"] > auc["prior"] > auc["random"]
    assert 0.4 < auc["random"] < 0.6


def test_named_brands_have_a_line_each() -> None:
    brands = named_brands()
    assert brands["brand_id"].is_unique
    assert brands["brief"].str.len().between(10, 120).all()


def test_real_captions_that_name_brands_teach(home) -> None:
    folder = Path(os.environ.get("REALREACH_DATA", "../shared/data")) / "instagram_kim2020"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    tables, _ = import_tables(read_mapping("instagram_kim2020"), [folder], now=AS_OF)
    config = CollaborationConfig.model_validate(
        {"known": "always", "most_others": 800, "folds": 3, "ranker": {"trees": 60, "repeats": 1, "boosters": 1}}
    )
    figures = benchmark_collaborations(tables, config, as_of=AS_OF, imported_at=AS_OF, seeds=1)
    auc = figures[figures["metric"] == "auc"].set_index("scorer")
    assert auc.loc["ranker", "value"] > auc.loc["prior", "value"] > 0.55
    assert auc.loc["prior", "gap_low"] > 0
