"""The command line as its users call it: real files, real processes where it matters."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import realreach
from features.engines import crowd_of_tables
from features.histories import make_histories
from features.peers import peer_position, read_peers
from features.signals import SIGNALS, compute_signals
from features.tables import read_tables, write_frame, write_tables
from training import runs, tracking
from training.bulk import draw_comments, draw_tables
from training.gates import Gate
from training.simulation import simulate_creators

ROOT = Path(__file__).parents[1]
COMMANDS = [
    "benchmark", "check", "demo", "import", "peers", "promote", "recommend", "score", "score-accounts",
    "score-comments", "serve", "signals", "train",
]  # fmt: skip


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and everything printed."""
    result = CliRunner().invoke(realreach.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def home(champion_home, monkeypatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("REALREACH_CATALOGUE", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    return champion_home


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Tables of 40 simulated creators."""
    folder = tmp_path_factory.mktemp("tables") / "creators"
    write_tables(simulate_creators(40, seed=51), folder)
    return folder


@pytest.fixture(scope="module")
def crowded(tmp_path_factory) -> Path:
    """Tables of 40 drawn creators with comments, whose authors write under several of them."""
    folder = tmp_path_factory.mktemp("tables") / "crowded"
    write_tables(draw_comments(draw_tables(40, 5, snapshots=40), 1.0, 5), folder)
    return folder


def test_every_command_says_what_it_does():
    code, text = run("--help")
    assert code == 0
    assert all(command in text for command in COMMANDS)
    for command in COMMANDS:
        assert run(command, "--help")[0] == 0


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert run("--version") == (0, f"realreach {project['version']}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "unheard-of"],
        ["score", "somewhere"],
        ["score", "somewhere", "--out", "scores.xlsx"],
        ["score", "somewhere", "--out", "s.csv", "--as-of", "yesterdayish"],
        ["signals", "somewhere"],
        ["signals", "somewhere", "--out", "s.xlsx"],
        ["signals", "somewhere", "--out", "s.csv", "--peers", "p.parquet"],
        ["signals", "somewhere", "--out", "s.csv", "--positions", "q.csv"],
        ["signals", "somewhere", "--out", "s.csv", "--peers", "p.parquet", "--positions", "./s.csv"],
        ["signals", "somewhere", "--out", "s.csv", "--scheduler", "tcp://127.0.0.1:1"],
        ["peers", "somewhere", "--out", "p.parquet"],
        ["peers", "somewhere", "--source", "mine", "--out", "p.csv"],
        ["recommend", "--brief", "x", "--k", "0"],
        ["recommend", "--brief", "x", "--min-authenticity", "1.5"],
        ["promote", "authenticity", "first"],
        ["train", "all", "--data", "."],
        ["promote", "all", "1"],
        ["benchmark", "accounts"],
        ["benchmark", "niche"],
        ["train", "niche"],
        ["score-accounts", "nowhere.csv", "--out", "s.csv"],
        ["nonsense"],
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    assert run(*arguments)[0] == realreach.WRONG_USAGE


def test_check_counts_what_is_right(folder):
    code, text = run("check", folder)
    assert code == 0
    assert "40 creators" in text
    assert "no problems" in text


BAD_POSTS = {
    "missing column": ("likes", None, "posts.likes: missing"),
    "text in a count": ("likes", "many", "posts.likes, row 2: 'many'"),
    "negative likes": ("likes", "-4", "posts.likes, row 2: -4"),
    "fraction": ("comments", "1.5", "posts.comments, row 2: '1.5'"),
    "published in the future": ("published_at", "2999-01-01T00:00:00Z", "posts.published_at, row 2: 2999-01-01"),
    "unknown creator": ("creator_id", "nobody", "posts.creator_id, row 2: 'nobody'"),
}


@pytest.mark.parametrize("name", BAD_POSTS)
def test_bad_input_is_named_and_nothing_is_written(name, home, tmp_path):
    column, value, expected = BAD_POSTS[name]
    pd.DataFrame({"creator_id": ["a"], "platform": ["tiktok"], "followers": ["10"]}).to_csv(
        tmp_path / "creators.csv", index=False
    )
    posts = pd.DataFrame(
        {"creator_id": "a", "post_id": ["1", "2"], "published_at": "2026-01-01", "likes": "5", "comments": "1"}
    )
    if value is None:
        posts = posts.drop(columns=column)
    else:
        posts.loc[1, column] = value
    posts.to_csv(tmp_path / "posts.csv", index=False)
    for arguments in (
        ["check", tmp_path],
        ["score", tmp_path, "--out", tmp_path / "out" / "scores.parquet"],
        ["signals", tmp_path, "--out", tmp_path / "out" / "signals.parquet"],
        ["peers", tmp_path, "--out", tmp_path / "out" / "peers.parquet", "--source", "mine"],
    ):
        code, text = run(*arguments)
        assert code == realreach.REFUSED
        assert expected in text
    assert not (tmp_path / "out").exists()


def test_scores_and_lists_from_tables(home, folder, tmp_path):
    parquet, csv = tmp_path / "scores.parquet", tmp_path / "scores.csv"
    for file in (parquet, csv):
        code, text = run("score", folder, "--out", file)
        assert code == 0, text
        assert "trained on simulated creators" in text
    frame = pd.read_parquet(parquet)
    assert sorted(frame["creator_id"]) == sorted(read_tables(folder)["creators"]["creator_id"])
    lists = []
    for file in (parquet, csv):
        out = tmp_path / f"{file.suffix[1:]}_list.csv"
        code, text = run(
            "recommend", "--brief", "skincare serum, mỹ phẩm dưỡng da", "--catalogue", file, "--k", 5, "--out", out
        )
        assert code == 0, text
        assert "trained on simulated creators" in text
        lists.append(pd.read_csv(out))
    assert len(lists[0]) == 5
    pd.testing.assert_frame_equal(lists[0], lists[1])
    code, text = run("recommend", "--brief", "mỹ phẩm", "--catalogue", parquet, "--language", "vi", "--k", 3)
    assert code == 0
    assert "mô phỏng" in text


def process(*arguments: object, home: Path) -> str:
    """What a process of the command line prints; it has to end well and to say nothing else."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "realreach.py"), *(str(argument) for argument in arguments)],
        env=environment | {"REALREACH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_peers_and_signals_from_tables_without_a_model(crowded, tmp_path):
    home = tmp_path / "home"
    peers_files, signal_files, position_files = ([tmp_path / f"{name}{n}.parquet" for n in range(2)] for name in "pst")
    for size, made, file, positions in zip((9, 5_000), peers_files, signal_files, position_files, strict=True):
        text = process("peers", crowded, "--out", made, "--source", "forty", "--partition", size, home=home)
        assert "of 40 creators, source: forty" in text
        assert "all: 1 cell, up to 40 creators" in text
        assert f"realreach signals {crowded}" in text
        options = ["--peers", made, "--positions", positions, "--partition", size]
        text = process("signals", crowded, "--out", file, *options, home=home)
        assert f"{len(SIGNALS)} signals of 40 creators" in text
        assert "among peers" in text
    # no model was needed and none was made
    assert not home.exists()
    assert read_peers(peers_files[0]).id == read_peers(peers_files[1]).id
    for files in (signal_files, position_files):
        pd.testing.assert_frame_equal(*map(pd.read_parquet, files), check_exact=True)

    tables = read_tables(crowded)
    found, peers = pd.read_parquet(signal_files[0]), read_peers(peers_files[0])
    as_of = found["as_of"].iloc[0]
    crowd = crowd_of_tables(tables, as_of, imported_at=as_of)
    histories = make_histories(tables, as_of, imported_at=as_of)
    expected = compute_signals(histories, crowd)
    pd.testing.assert_frame_equal(found.set_index("creator_id")[list(SIGNALS)], expected, check_exact=True)
    shared = [name for name, signal in SIGNALS.items() if signal.scope == "crowd"]
    assert found[shared].notna().any().any()
    assert (peers.as_of, peers.creators) == (as_of, 40)
    assert set(shared) & set(peers.signals)
    positions = peer_position(expected, histories.creators, peers)
    pd.testing.assert_frame_equal(pd.read_parquet(position_files[0]), positions, check_exact=True)
    assert positions["n"].min() >= 5


def test_signals_are_written_as_csv_too(folder, tmp_path):
    text, names = ["creator_id", "platform", "niche", "tier", "as_of", "registry_hash"], list(SIGNALS)
    for ending in ("csv", "parquet"):
        assert run("signals", folder, "--out", tmp_path / f"s.{ending}", "--partition", 15)[0] == 0
    csv, parquet = pd.read_csv(tmp_path / "s.csv"), pd.read_parquet(tmp_path / "s.parquet")
    assert csv.columns.tolist() == [*text[:3], "followers", *text[3:], *names]
    assert csv["creator_id"].tolist() == parquet["creator_id"].tolist()
    pd.testing.assert_frame_equal(csv[names].astype("float64"), parquet[names], rtol=1e-12)


def test_peers_that_cannot_be_used_are_named_and_nothing_is_written(folder, tmp_path):
    file, made = tmp_path / "out" / "s.parquet", tmp_path / "p.parquet"
    options = ["--peers", made, "--positions", tmp_path / "out" / "t.csv"]
    code, text = run("signals", folder, "--out", file, *options)
    assert code == realreach.REFUSED
    assert "p.parquet: unreadable" in text
    assert run("peers", folder, "--out", made, "--source", "late", "--as-of", "2026-02-20")[0] == 0
    code, text = run("signals", folder, "--out", file, *options, "--as-of", "2026-02-10")
    assert code == realreach.REFUSED
    assert "peers are as of 2026-02-20 23:59 and the creators as of 2026-02-10 23:59" in text
    assert run("signals", folder, "--out", file, *options, "--as-of", "2026-02-20")[0] == 0
    assert sorted(path.name for path in file.parent.iterdir()) == ["s.parquet", "t.csv"]


def test_fewer_than_five_creators_are_no_peers(folder, tmp_path):
    tables = read_tables(folder)
    four = tables["creators"]["creator_id"][:4]
    write_tables(
        {name: tables[name][tables[name]["creator_id"].isin(four)] for name in ("creators", "posts")}, tmp_path / "few"
    )
    code, text = run("peers", tmp_path / "few", "--out", tmp_path / "p.parquet", "--source", "four")
    assert code == realreach.REFUSED
    assert "4 creators" in text
    assert "fewer are not shown" in text
    assert not (tmp_path / "p.parquet").exists()


def test_options_narrow_the_list_and_wrong_ones_are_named(home, folder, tmp_path):
    file = tmp_path / "scores.parquet"
    run("score", folder, "--out", file)
    out = tmp_path / "list.parquet"
    code, text = run(
        "recommend", "--brief", "travel", "--catalogue", file, "--platform", "tiktok", "--tier", "micro", "--out", out
    )
    assert code == 0, text
    found = pd.read_parquet(out)
    assert set(found["platform"]) == {"tiktok"}
    assert set(found["tier"]) == {"micro"}
    narrowed = ["--niche", "Travel", "--creator-language", "vi", "--min-authenticity", "0.5"]
    code, text = run("recommend", "--brief", "travel", "--catalogue", file, *narrowed, "--out", out)
    assert code == 0, text
    scored = pd.read_parquet(file)
    wanted = (scored["niche"] == "travel") & (scored["language"] == "vi") & (scored["authenticity"] >= 0.5)
    assert set(pd.read_parquet(out)["creator_id"]) == set(scored.loc[wanted, "creator_id"])
    code, text = run("recommend", "--brief", "travel", "--catalogue", file, "--platform", "myspace")
    assert code == realreach.REFUSED
    assert "platforms" in text
    code, text = run("recommend", "--brief", "travel", "--catalogue", tmp_path / "none.parquet")
    assert code == realreach.REFUSED
    assert "none.parquet" in text


def test_unknown_followers_and_brackets_in_names_are_listed_as_they_are(home, folder, tmp_path):
    file = tmp_path / "scores.parquet"
    run("score", folder, "--out", file)
    frame = pd.read_parquet(file)
    frame["handle"] = "an[/b][red]"
    frame["followers"] = pd.array([pd.NA] * len(frame), dtype="Int64")
    frame["tier"] = None
    frame.to_parquet(file, index=False)
    code, text = run("recommend", "--brief", "travel", "--catalogue", file, "--k", 2)
    assert code == 0
    assert "an[/b][red]" in text


def test_an_earlier_as_of_knows_less(home, folder, tmp_path):
    early, late = tmp_path / "early.parquet", tmp_path / "late.parquet"
    assert run("score", folder, "--out", early, "--as-of", "2025-06-01")[0] == 0
    assert run("score", folder, "--out", late)[0] == 0
    before, after = pd.read_parquet(early), pd.read_parquet(late)
    assert before["coverage_posts"].sum() < after["coverage_posts"].sum()
    assert (before["last_post_at"].dropna() < pd.Timestamp("2025-06-02", tz="UTC")).all()


def test_without_a_champion_score_says_what_to_do(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "empty"))
    code, text = run("score", folder, "--out", tmp_path / "scores.csv")
    assert code == realreach.REFUSED
    assert "realreach train authenticity" in text
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_said_before_any_work(command, tmp_path, monkeypatch):
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    with socket.socket() as taken:
        taken.bind((realreach.HOST, 0))
        taken.listen()
        code, text = run(command, "--port", taken.getsockname()[1])
    assert code == realreach.REFUSED
    assert "Address already in use" in text
    assert "--port" in text
    assert not (tmp_path / "home").exists()


def test_import_a_csv_by_a_mapping_of_ones_own(tmp_path):
    source = tmp_path / "export.csv"
    source.write_text("user,fans,clip,when,hearts,talk\nan,12.5K,1,2026-01-02 10:00,541.2K,33\n", encoding="utf-8")
    mapping = tmp_path / "mine.toml"
    mapping.write_text(
        """
[source]
title = "one export"
terms = "mine"

[[creators]]
files = "export.csv"
[creators.columns]
creator_id = "user"
platform = { constant = "tiktok" }
followers = "fans"

[[posts]]
files = "export.csv"
timezone = "Asia/Ho_Chi_Minh"
[posts.columns]
creator_id = "user"
post_id = "clip"
published_at = "when"
likes = "hearts"
comments = "talk"
""",
        encoding="utf-8",
    )
    out = tmp_path / "tables"
    code, text = run("import", "columns", source, "--mapping", mapping, "--out", out)
    assert code == 0, text
    tables = read_tables(out)
    assert tables["creators"]["followers"].tolist() == [12_500]
    assert tables["posts"]["likes"].tolist() == [541_200]
    assert tables["posts"]["published_at"].iloc[0] == pd.Timestamp("2026-01-02T03:00Z")
    code, text = run("import", "columns", source, "--mapping", mapping, "--out", out)
    assert code == realreach.REFUSED
    assert "not empty" in text


def test_train_and_promote(tmp_path, monkeypatch, small_config):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    config = write_config(tmp_path / "small.toml", small_config)
    code, text = run("train", "authenticity", "--config", config)
    assert code == 0, text
    assert "How hard the world is" in text
    assert "Registered as challenger: authenticity version 1" in text
    assert tracking.resolve("authenticity", "challenger").version == 1
    with pytest.raises(tracking.ModelNotFoundError):
        tracking.resolve("authenticity", "champion")
    monkeypatch.setattr(runs, "check_gates", lambda *_: [Gate("one", False, 1.0, 0.5, "too much")])
    code, text = run("promote", "authenticity")
    assert code == realreach.REFUSED
    assert "a gate says no" in text
    with pytest.raises(tracking.ModelNotFoundError):
        tracking.resolve("authenticity", "champion")
    monkeypatch.setattr(runs, "check_gates", lambda *_: [Gate("one", True, 0.1, 0.5, "little")])
    code, text = run("promote", "authenticity")
    assert code == 0, text
    assert tracking.resolve("authenticity", "champion").version == 1
    assert run("promote", "authenticity", 7)[0] == realreach.REFUSED


def test_a_wrong_setting_is_named(tmp_path, small_config):
    config = write_config(tmp_path / "wrong.toml", small_config)
    config.write_text(config.read_text().replace("trees = ", "leafs = 3\ntrees = "), encoding="utf-8")
    code, text = run("train", "authenticity", "--config", config)
    assert code == realreach.REFUSED
    assert "wrong.toml: model.leafs" in text


def write_config(path: Path, config) -> Path:
    lines = []
    for section, keys in config.model_dump().items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_killed_training_leaves_nothing_half_registered(tmp_path, small_config):
    tiny = small_config.model_copy(
        update={
            "data": small_config.data.model_copy(update={"creators": 500}),
            "model": small_config.model.model_copy(update={"trees": 10}),
        }
    )
    config = write_config(tmp_path / "tiny.toml", tiny)
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment |= {"REALREACH_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(ROOT / "realreach.py"), "train", "authenticity", "--config", str(config)]
    for last_words, wait in (("computed", 0.0), ("measured", 0.3), ("measured", 3.0)):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith(last_words):
                    break
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REALREACH_HOME", str(tmp_path / "home"))
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            try:
                found = tracking.resolve("authenticity", "challenger")
            except tracking.ModelNotFoundError:
                continue
            tracking.download("authenticity", found.version)  # refuses what is not whole
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "Registered as challenger" in finished.stdout


@pytest.mark.data
def test_real_creators_from_files_to_lists(real_data, home, tmp_path):
    sets = {"instagram_id2020": 521, "tiktok_vn2025": 4896, "youtube_fr2026": 180, "facebook_th2018": 7}
    catalogues = []
    for name, creators in sets.items():
        assert run("import", name, real_data / name, "--out", tmp_path / name)[0] == 0
        assert run("check", tmp_path / name)[0] == 0
        file = tmp_path / f"{name}.parquet"
        assert run("score", tmp_path / name, "--out", file)[0] == 0
        frame = pd.read_parquet(file)
        # a sample may grow, never shrink
        assert len(frame) >= creators
        assert frame["authenticity"].dropna().between(0, 1).all()
        catalogues += ["--catalogue", file]
    briefs = {
        "tiktok": "Thương hiệu chăm sóc da Việt Nam: kem chống nắng, serum, mỹ phẩm cho da dầu",
        "youtube": "Marque française d'accessoires pour smartphone : coques, chargeurs, batteries externes",
        "instagram": "Merek makanan Indonesia: resep masakan, kuliner, sambal, jajanan",
    }
    for platform, brief in briefs.items():
        out = tmp_path / f"{platform}.csv"
        code, text = run("recommend", "--brief", brief, "--platform", platform, "--k", 10, "--out", out, *catalogues)
        assert code == 0, text
        ranked = pd.read_csv(out)
        assert len(ranked) == 10
        assert set(ranked["platform"]) == {platform}
        assert ranked["fit"].gt(0).all()


def test_written_frames_are_whole_or_absent(tmp_path, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        write_frame(pd.DataFrame({"a": [1]}), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def labels_home(tmp_path_factory) -> Path:
    """A home whose champions of accounts and comments are small, trained on generated rows by the command line."""
    home = tmp_path_factory.mktemp("labels")
    settings = {
        "accounts": "simulated = 2000\nworlds = 8\nmembers = 2\ntrees = 40\n",
        "comments": "simulated = 2000\ntrees = 30\nfolds = 2\n",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("REALREACH_HOME", str(home))
        for name, text in settings.items():
            (home / f"{name}.toml").write_text(text)
            code, said = run("train", name, "--config", home / f"{name}.toml")
            assert code == 0, said
            assert "imulated" in said
            code, said = run("promote", name)
            assert code == 0, said
            assert f"{name} version 1 is champion" in said
    return home


def test_accounts_from_a_file_to_scores_and_their_share(labels_home, monkeypatch, tmp_path):
    monkeypatch.setenv("REALREACH_HOME", str(labels_home))
    cheap = {"followers": 12, "following": 3100, "posts_count": 0, "bio_length": 0, "has_picture": False}
    person = {"followers": 420, "following": 380, "posts_count": 90, "bio_length": 40, "has_picture": True}
    rows = [{"account_id": f"a{number}", **(cheap if number < 10 else person)} for number in range(40)]
    rows.append({"account_id": "unknown", "followers": 5})
    pd.DataFrame(rows).to_csv(tmp_path / "accounts.csv", index=False)
    code, said = run("score-accounts", tmp_path / "accounts.csv", "--out", tmp_path / "scored.parquet")
    assert code == 0, said
    assert "40 of 41 accounts assessed, by a model trained on simulated accounts" in said
    assert "estimated share of fakes" in said
    scored = pd.read_parquet(tmp_path / "scored.parquet").set_index("account_id")
    assert scored["fake_probability"].iloc[:10].min() > 0.5 > scored["fake_probability"].iloc[10:40].max()
    inside = scored["fake_low"].le(scored["fake_probability"]) & scored["fake_probability"].le(scored["fake_high"])
    assert inside.iloc[:40].all()
    assert pd.isna(scored.loc["unknown", "fake_probability"])
    assert "at least 2 of" in scored.loc["unknown", "reason"]
    assert set(scored["model_data"]) == {"simulated"}
    code, _ = run("score-accounts", tmp_path / "accounts.csv", "--out", tmp_path / "rare.csv", "--base-rate", 0.01)
    assert code == 0
    rare = pd.read_csv(tmp_path / "rare.csv").set_index("account_id")
    assert (rare["fake_probability"].iloc[:40] < scored["fake_probability"].iloc[:40]).all()


def test_an_audience_keeps_whose_it_is_and_has_a_share_for_each_creator(labels_home, monkeypatch, tmp_path):
    monkeypatch.setenv("REALREACH_HOME", str(labels_home))
    cheap = {"followers": 12, "following": 3100, "posts_count": 0, "bio_length": 0, "has_picture": False}
    person = {"followers": 420, "following": 380, "posts_count": 90, "bio_length": 40, "has_picture": True}
    # the same account follows both creators, and had another count of followers when it was looked at again
    rows = [
        {"creator_id": creator, "account_id": f"a{number}", "relation": "follower"}
        | (cheap if number < fakes else person | {"followers": 420 + shift})
        for shift, (creator, fakes) in enumerate((("an", 20), ("binh", 0)))
        for number in range(40)
    ]
    rows += [{"creator_id": "chi", "account_id": "a1", "relation": "liker", **person}]
    pd.DataFrame(rows).to_csv(tmp_path / "audience.csv", index=False)
    code, said = run("score-accounts", tmp_path / "audience.csv", "--out", tmp_path / "scored.parquet")
    assert code == 0, said
    scored = pd.read_parquet(tmp_path / "scored.parquet")
    assert scored[["creator_id", "account_id"]].to_numpy().tolist() == [
        [r["creator_id"], r["account_id"]] for r in rows
    ]
    assert scored["relation"].iloc[-1] == "liker"
    shares = {line.split(":")[0]: line for line in said.splitlines() if "share of fakes" in line}
    assert "too few" in shares["chi"]
    estimates = {name: float(shares[name].split("fakes ")[1].split("%")[0]) for name in ("an", "binh")}
    assert estimates["an"] > 30
    assert estimates["binh"] < 10


def test_comments_from_a_file_to_scores(labels_home, monkeypatch, tmp_path):
    monkeypatch.setenv("REALREACH_HOME", str(labels_home))
    texts = [
        "Check out my channel and subscribe, free followers at http://bit.ly/x",
        "vay tiền nhanh lãi thấp, liên hệ zalo 0912345678",
        "I had the same camera for years, the autofocus got better with the update",
        "nice",
        "   ",
    ]
    pd.DataFrame({"text": texts, "author_id": list("abcde")}).to_csv(tmp_path / "comments.csv", index=False)
    code, said = run("score-comments", tmp_path / "comments.csv", "--out", tmp_path / "scored.csv")
    assert code == 0, said
    assert "4 of 5 comments assessed, by a model trained on simulated comments" in said
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["text"].tolist()[:4] == texts[:4]
    spam, loan, honest, filler, empty = scored["inauthentic_probability"]
    assert min(spam, loan) > 0.5 > max(honest, filler)
    assert pd.isna(empty)


@pytest.mark.parametrize(
    ("command", "text", "problem"),
    [
        ("score-accounts", "account_id,followers\na,many\n", "accounts.followers, row 1: 'many'"),
        ("score-accounts", "followers,following\n1,2\n", "accounts.account_id: missing"),
        ("score-comments", "comment\nhello\n", "comments.text: missing"),
        ("score-comments", "text\n", "comments: no rows"),
    ],
)
def test_rows_that_cannot_be_scored_are_named(labels_home, monkeypatch, tmp_path, command, text, problem):
    monkeypatch.setenv("REALREACH_HOME", str(labels_home))
    (tmp_path / "rows.csv").write_text(text)
    code, said = run(command, tmp_path / "rows.csv", "--out", tmp_path / "out" / "scored.csv")
    assert code == realreach.REFUSED
    assert problem in said
    assert not (tmp_path / "out").exists()


def test_scoring_rows_without_a_champion_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    (tmp_path / "rows.csv").write_text("text\nhello\n")
    code, said = run("score-comments", tmp_path / "rows.csv", "--out", tmp_path / "scored.csv")
    assert code == realreach.REFUSED
    assert "realreach train comments" in said


def test_niches_without_labelled_creators_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    for command in ("train", "benchmark"):
        code, said = run(command, "niche", "--data", tmp_path)
        assert code == realreach.REFUSED
        assert "expected creators with a niche" in said
    code, said = run("promote", "niche")
    assert code == realreach.REFUSED
    assert "realreach train niche" in said


def test_training_on_a_folder_without_labelled_sets_is_refused(labels_home, monkeypatch, tmp_path):
    monkeypatch.setenv("REALREACH_HOME", str(labels_home))
    for name in ("accounts", "comments"):
        code, said = run("train", name, "--data", tmp_path)
        assert code == realreach.REFUSED
        assert f"no labelled {name}" in said
        code, said = run("benchmark", name, "--data", tmp_path)
        assert code == realreach.REFUSED
