"""The benchmark's own arithmetic and its sections, on sizes that take seconds."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import realreach
from features.comments import comments_signals
from features.engines import Engine
from features.histories import make_histories
from features.tables import write_tables
from training import benchmark
from training.bulk import BULK_AS_OF, draw_comments, draw_tables
from training.contenders import Contender


def shouting(folder: Path, creators: int) -> pd.DataFrame:
    raise RuntimeError("no such engine")


def wrong(folder: Path, creators: int) -> pd.DataFrame:
    return pd.DataFrame({"likes_cv_all": np.arange(creators) + 99.0})


@pytest.mark.slow
def test_engines_are_timed_on_the_same_rows_and_whoever_fails_is_named(monkeypatch):
    everybody = benchmark.contenders(2)

    def some(threads: int) -> list[Contender]:
        assert threads == benchmark.threads_here()
        kept = [
            each for each in everybody if each.name in {"reading the columns", "realreach, 1 thread", "pandas groupby"}
        ]
        return [
            *kept,
            Contender("shouting", shouting, 1),
            Contender("wrong", wrong, 1),
            Contender("absent", wrong, 1, needs="no_such_package"),
        ]

    monkeypatch.setattr(benchmark, "contenders", some)
    section = benchmark.benchmark_engines(60, "uneven", rounds=1)

    figures = section.figures
    assert list(figures.index) == ["reading the columns", "realreach, 1 thread", "pandas groupby"]
    pandas = figures.loc["pandas groupby"]
    assert pandas["signals"] == 30
    assert pandas["seconds_per_30"] == pytest.approx(pandas["seconds"])
    assert pandas["creators_per_second"] == pytest.approx(60 / pandas["seconds"])
    assert pandas["per_30_to_reading"] == pytest.approx(pandas["seconds"] / figures["seconds"].iloc[0])
    assert (figures["peak_mb"] > 50).all()
    notes = "\n".join(section.notes)
    assert "shouting: no time: RuntimeError: no such engine" in notes
    assert "wrong: no time: values differ: likes_cv_all" in notes
    assert "absent: skipped: no_such_package is not installed; pip install 'realreach[bench]'" in notes


@pytest.mark.slow
def test_scale_is_measured_by_partitions(monkeypatch):
    monkeypatch.setattr(benchmark, "SCALE_PART", 100)

    section = benchmark.benchmark_scale(400, engines=(Engine(),))

    assert list(section.figures.index) == ["draw and write 100", "local, 100", "draw and write 400", "local, 400"]
    assert (section.figures["creators_per_second"] > 0).all()
    assert (section.figures.loc[["local, 100", "local, 400"], "peak_mb"] > 50).all()


@pytest.mark.slow
def test_comments_of_a_folder_are_measured_and_the_figures_written(tmp_path, monkeypatch):
    write_tables(draw_comments(draw_tables(20, 3, snapshots=2), 1.0, 3), tmp_path / "mine")
    monkeypatch.setattr(benchmark, "benchmark_engines", lambda creators, lengths: benchmark.benchmark_request(calls=2))
    monkeypatch.setattr(benchmark, "simulate_creators", lambda creators, seed: draw_tables(3, seed, snapshots=10))

    result = CliRunner().invoke(
        realreach.app,
        [
            "benchmark",
            "signals",
            "--creators",
            "100",
            "--data",
            str(tmp_path / "mine"),
            "--json",
            str(tmp_path / "b.json"),
        ],
        env={"COLUMNS": "160"},
    )

    assert result.exit_code == 0, result.output
    assert "comment signals, mine comments" in result.output
    figures = json.loads((tmp_path / "b.json").read_text())
    assert set(figures) == {"benchmark", "request", "steps", "comments", "coordination"}
    assert len(figures["comments"]) == 3
    assert all(row["comments_per_second"] > 0 for row in figures["comments"].values())
    assert all(row["us_a_comment"] > 0 for row in figures["coordination"].values())


def test_peak_memory_is_that_of_this_process():
    held = np.ones(20_000_000)  # 160 MB
    assert benchmark.peak_mb() > held.nbytes / 2**20


def test_a_slice_is_what_these_creators_alone_would_be():
    tables = draw_comments(draw_tables(60, 5, snapshots=40), 1.0, 5)
    ids, comments = tables["creators"]["creator_id"], tables["comments"]
    own = pd.Series(ids.sample(len(comments), replace=True, random_state=5).to_numpy(), index=comments.index)
    by_creators = comments["author_id"].mask(np.arange(len(comments)) % 5 == 0, own)
    tables = {**tables, "comments": comments.assign(author_id=by_creators)}
    histories = make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF)
    ids = sorted(tables["creators"]["creator_id"])[20:33]
    alone = {name: frame[frame["creator_id"].isin(ids)] for name, frame in tables.items()}

    found = benchmark.slice_histories(histories, 20, 33)
    expected = make_histories(alone, BULK_AS_OF, imported_at=BULK_AS_OF)

    pd.testing.assert_frame_equal(found.creators, expected.creators)
    for name in ("posts", "snapshots", "audience"):
        np.testing.assert_array_equal(getattr(found, name).offsets, getattr(expected, name).offsets)
        for column, values in getattr(expected, name).columns.items():
            np.testing.assert_array_equal(getattr(found, name)[column], values)
    for column in ("published_at", "likes", "post", "author_creator"):
        np.testing.assert_array_equal(found.comments[column], expected.comments[column])
    for name, values in comments_signals(expected).items():
        np.testing.assert_array_equal(comments_signals(found)[name], values)
