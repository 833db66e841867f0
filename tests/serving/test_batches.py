"""A folder scored by partitions is the folder scored at once, on this machine and on Dask."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import realreach
from features.tables import read_tables, write_tables
from serving.batches import score_folder
from serving.models import load_champion
from serving.scoring import score_tables
from training.simulation import SIMULATION_AS_OF, simulate_creators

NOW = pd.Timestamp("2026-04-01T00:00:00Z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "creators"
    write_tables(simulate_creators(40, seed=52), folder)
    return folder


@pytest.fixture
def home(champion_home, monkeypatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    return champion_home


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(realreach.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_partitions_give_the_bits_of_the_whole(home, folder):
    loaded = load_champion()
    expected = score_tables(read_tables(folder), loaded, SIMULATION_AS_OF, imported_at=NOW)

    for as_of in (SIMULATION_AS_OF, None):
        frames = list(score_folder(folder, loaded, now=NOW, as_of=as_of, creators=9))
        assert [len(frame) for frame in frames] == [9, 9, 9, 9, 4]
        found = pd.concat(frames, ignore_index=True)
        if as_of is None:
            assert len(set(found["as_of"])) == 1
            found["as_of"] = expected["as_of"]
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
def test_dask_writes_the_file_that_this_process_writes(home, folder, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    as_of = ("--as-of", "2026-03-01")
    for engine in ("local", "dask"):
        code, text = run(
            "score", folder, "--out", tmp_path / f"{engine}.parquet", *as_of, "--engine", engine, "--partition", 15
        )
        assert code == 0, text
        assert "40 creators, authenticity version" in text
    local, dask = (pd.read_parquet(tmp_path / f"{engine}.parquet") for engine in ("local", "dask"))
    pd.testing.assert_frame_equal(local, dask, check_exact=True)


def test_what_is_wrong_with_a_partition_is_named_and_nothing_is_written(home, folder, tmp_path):
    tables = read_tables(folder)
    broken = tmp_path / "broken"
    broken.mkdir()
    posts = tables["posts"]
    tables["posts"] = posts.assign(likes=posts["likes"].mask(posts.index == len(posts) - 1, -4))
    for name, frame in tables.items():
        frame.to_parquet(broken / f"{name}.parquet", index=False)

    code, text = run("score", broken, "--out", tmp_path / "scores.parquet", "--partition", 9)

    assert code == realreach.REFUSED
    assert "posts.likes" in text
    assert "from creator" in text
    assert "1 problem in" in text
    assert not (tmp_path / "scores.parquet").exists()


def test_wrong_engines_are_refused(home, folder, tmp_path):
    file = tmp_path / "s.parquet"
    assert run("score", folder, "--out", file, "--engine", "spark")[0] == realreach.WRONG_USAGE
    assert run("score", folder, "--out", file, "--scheduler", "tcp://127.0.0.1:1")[0] == realreach.WRONG_USAGE
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    code, text = run("score", folder, "--out", file, "--engine", "dask", "--scheduler", "nowhere://127.0.0.1:1")
    assert code == realreach.REFUSED
    assert "no Dask scheduler answers at nowhere" in text
