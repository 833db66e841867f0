"""A folder scored by partitions is the folder scored at once, on this machine and on Dask."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import realreach
from features.engines import crowd_of_tables
from features.partitions import write_together
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
    tables = read_tables(folder)
    crowd = crowd_of_tables(tables, SIMULATION_AS_OF, imported_at=NOW)
    expected = score_tables(tables, loaded, SIMULATION_AS_OF, imported_at=NOW, crowd=crowd)

    for as_of in (SIMULATION_AS_OF, None):
        frames = list(score_folder(folder, loaded, now=NOW, as_of=as_of, creators=9))
        assert [len(frame) for frame in frames] == [9, 9, 9, 9, 4]
        found = pd.concat(frames, ignore_index=True)
        if as_of is None:
            assert len(set(found["as_of"])) == 1
            found["as_of"] = expected["as_of"]
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_scores_at_another_base_rate_and_beside_peers(home, folder, tmp_path):
    peers, plain, asked = tmp_path / "peers.parquet", tmp_path / "plain.parquet", tmp_path / "asked.parquet"
    assert run("peers", folder, "--out", peers, "--source", "simulated creators")[0] == 0
    assert run("score", folder, "--out", plain)[0] == 0
    code, text = run("score", folder, "--out", asked, "--peers", peers, "--base-rate", "0.05")
    assert code == 0
    assert "assume that 5.0% of creators are manipulated" in text
    before, after = pd.read_parquet(plain), pd.read_parquet(asked)
    assert (after["base_authenticity"] == 0.95).all()
    assert (after["authenticity"] >= before["authenticity"])[before["authenticity"].notna()].all()
    assert after.filter(like="_flagged").equals(before.filter(like="_flagged"))
    assert any('"percentile"' in evidence for evidence in after["evidence"])
    assert not any('"percentile"' in evidence for evidence in before["evidence"])


@pytest.mark.parametrize(
    ("option", "value"), [("--base-rate", "0"), ("--base-rate", "40"), ("--peers", "nothere.parquet")]
)
def test_impossible_base_rates_and_missing_peers_are_wrong_usage(folder, tmp_path, option, value):
    code, text = run("score", folder, "--out", tmp_path / "scores.parquet", option, value)
    assert code == realreach.WRONG_USAGE
    assert option in text
    assert not (tmp_path / "scores.parquet").exists()


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


@pytest.mark.parametrize("command", [("signals",), ("peers", "--source", "mine")])
def test_times_to_come_are_problems_in_every_partition(command, folder, tmp_path):
    tables = read_tables(folder)
    posts = tables["posts"]
    late = posts["published_at"].mask(posts.index == len(posts) - 1, pd.Timestamp("2999-01-01T00:00:00Z"))
    tables["posts"] = posts.assign(published_at=late)
    late_folder = tmp_path / "late"
    late_folder.mkdir()
    for name, frame in tables.items():
        frame.to_parquet(late_folder / f"{name}.parquet", index=False)
    file = tmp_path / "out" / "o.parquet"
    for size in (9, 5_000):
        name, *rest = command
        code, text = run(name, late_folder, "--out", file, *rest, "--partition", size, "--as-of", "2026-03-01")
        assert code == realreach.REFUSED
        assert "posts.published_at" in text
        assert "2999-01-01" in text
    assert not list(tmp_path.rglob("*o.parquet*"))


@pytest.mark.slow
def test_dask_writes_the_signals_that_this_process_writes(folder, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    made = tmp_path / "p.parquet"
    assert run("peers", folder, "--out", made, "--source", "forty")[0] == 0
    for engine in ("local", "dask"):
        files = tmp_path / f"{engine}.parquet", tmp_path / f"{engine}_positions.parquet"
        options = ["--peers", made, "--positions", files[1], "--engine", engine, "--partition", 15]
        code, text = run("signals", folder, "--out", files[0], *options)
        assert code == 0, text
    for kind in ("", "_positions"):
        local, dask = (pd.read_parquet(tmp_path / f"{engine}{kind}.parquet") for engine in ("local", "dask"))
        pd.testing.assert_frame_equal(local, dask, check_exact=True)


def test_files_that_belong_together_appear_together(tmp_path):
    parts = [(pd.DataFrame({"a": [n]}), pd.DataFrame({"b": [n, n]})) for n in range(3)]
    one, two = tmp_path / "one.parquet", tmp_path / "two.csv"
    assert write_together(parts, [one, two]) == [3, 6]
    assert pd.read_parquet(one)["a"].tolist() == [0, 1, 2]
    assert pd.read_csv(two)["b"].tolist() == [0, 0, 1, 1, 2, 2]

    def breaks_off():
        yield pd.DataFrame({"a": [9]}), pd.DataFrame({"b": [9]})
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_together(breaks_off(), [one, two])
    with pytest.raises(ValueError, match=r"three\.xlsx"):
        write_together(parts, [one, tmp_path / "three.xlsx"])
    # what was there is there still, and nothing else
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "two.csv"]
    assert pd.read_parquet(one)["a"].tolist() == [0, 1, 2]
    assert len(pd.read_csv(two)) == 6


def test_wrong_engines_are_refused(home, folder, tmp_path):
    file = tmp_path / "s.parquet"
    assert run("score", folder, "--out", file, "--engine", "spark")[0] == realreach.WRONG_USAGE
    assert run("score", folder, "--out", file, "--scheduler", "tcp://127.0.0.1:1")[0] == realreach.WRONG_USAGE
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'realreach[dask]'")
    code, text = run("score", folder, "--out", file, "--engine", "dask", "--scheduler", "nowhere://127.0.0.1:1")
    assert code == realreach.REFUSED
    assert "no Dask scheduler answers at nowhere" in text
