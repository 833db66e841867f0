import json
import threading

import anyio
import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from features.evidence import GROUP_OF, GROUPS
from features.histories import make_histories
from features.peers import LEAST_PEERS, PeersError, make_peers, peer_position
from features.signals import SIGNALS, compute_signals
from features.tables import HEADS, check_tables
from serving import answers, current
from serving.answers import score_histories
from serving.api import ON_THE_LOOP, make_api
from serving.catalogue import check_scores
from serving.models import LoadedModel
from serving.reports import evidence_of, report
from serving.schemas import ScoreRequest
from serving.scoring import score_tables
from serving.words import WINDOW_WORDS, words_for
from training import runs, tracking
from training.authenticity import READ
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.simulation import SIMULATION_AS_OF, simulate_creators

DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def loaded(trained) -> LoadedModel:
    return LoadedModel("authenticity", trained[1].version, trained[1].model)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return check_tables(simulate_creators(40, seed=31))


def _score(tables, loaded, as_of=SIMULATION_AS_OF):
    return score_tables(tables, loaded, as_of, imported_at=SIMULATION_AS_OF)


def test_the_frame_keeps_the_contract_of_the_catalogue(tables, loaded):
    frame = _score(tables, loaded)
    checked = check_scores(frame)
    assert checked["creator_id"].tolist() == sorted(tables["creators"]["creator_id"])
    assert (frame["model_data"] == "simulated").all()
    for what in ("followers", "likes", "views", "comments"):
        share, low, high = (frame[f"inauthentic_{what}_share{end}"].dropna() for end in ("", "_low", "_high"))
        assert len(share) > 10
        assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()
    assert all(json.loads(items) is not None for items in frame["evidence"])


def test_evidence_points_at_rows_of_its_creator(tables, loaded):
    posts = tables["posts"].groupby("creator_id")["post_id"].agg(set)
    comments = tables["comments"].groupby("creator_id")["comment_id"].agg(set)
    days = tables["snapshots"].assign(day=tables["snapshots"]["observed_at"].dt.strftime("%Y-%m-%d"))
    days = days.groupby("creator_id")["day"].agg(set)
    seen = set()
    frame = _score(tables, loaded)
    for creator, text in zip(frame["creator_id"], frame["evidence"], strict=True):
        for item in json.loads(text):
            assert bool(item["rows"]) <= bool(SIGNALS[item["signal"]].points_at)
            for row in item["rows"]:
                seen.add(row["events"])
                if row["events"] == "posts":
                    assert row["id"] in posts[creator]
                elif row["events"] == "comments":
                    assert row["id"] in comments[creator]
                else:
                    assert row["at"][:10] in days[creator]
    assert {"posts", "days"} <= seen


def test_evidence_names_each_group_once_with_its_window(tables, loaded):
    frame = _score(tables, loaded)
    said = 0
    for row in frame.to_dict("records"):
        items = json.loads(row["evidence"])
        groups = [(item["head"], item["group"]) for item in items]
        assert len(set(groups)) == len(groups)
        for item in evidence_of(row, words_for("en")):
            said += 1
            assert item.group == GROUP_OF[item.signal]
            assert item.group_words == GROUPS[item.group].english
            assert item.signals >= 1
            assert item.window in WINDOW_WORDS.values()
            assert (item.percentile, item.peers, item.peers_words) == (None, None, "")
    assert said > 20


def test_evidence_says_where_its_values_stand_among_peers(tables, loaded):
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    signals = compute_signals(histories)
    peers = make_peers(signals, histories.creators, SIMULATION_AS_OF, source="simulated creators")
    positions = peer_position(signals, histories.creators, peers).set_index(["creator_id", "signal"])
    frame = score_tables(tables, loaded, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF, peers=peers)
    said = ["evidence", *(f"{head}_reason" for head in HEADS)]
    pd.testing.assert_frame_equal(frame.drop(columns=said), _score(tables, loaded).drop(columns=said))
    seen = set()
    for row in frame.to_dict("records"):
        for item in evidence_of(row, words_for("vi")):
            if (row["creator_id"], item.signal) not in positions.index:  # fewer peers have it than are shown
                assert (item.percentile, item.peers, item.peers_words) == (None, None, "")
                continue
            place = positions.loc[row["creator_id"], item.signal]
            assert item.percentile == round(place["percentile"])
            assert (item.typical_low, item.typical_high) == (place["p05"], place["p95"])
            assert item.peers == place["n"] >= LEAST_PEERS
            assert item.peers_words.startswith(f"cao hơn {item.percentile}% trong {item.peers} nhà sáng tạo")
            seen.add(item.percentile > 50)
    assert seen == {True, False}
    assert check_scores(frame)["evidence"].tolist() == frame["evidence"].tolist()


def test_peers_of_later_are_refused(tables, loaded):
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    later = make_peers(compute_signals(histories), histories.creators, SIMULATION_AS_OF, source="simulated creators")
    as_of = SIMULATION_AS_OF - DAY
    with pytest.raises(PeersError, match=f"and the creators as of {as_of:%Y-%m-%d}"):
        score_tables(tables, loaded, as_of, imported_at=SIMULATION_AS_OF, peers=later)


def test_evidence_of_an_older_catalogue_is_still_told():
    item = {"head": "bought_likes", "signal": "a signal of an older registry", "value": 3.0}
    row = {"evidence": json.dumps([item | {"typical_low": None, "typical_high": None}])}
    (told,) = evidence_of(row, words_for("en"))
    assert (told.words, told.value) == ("a signal of an older registry", 3.0)
    assert (told.group, told.group_words, told.window, told.peers_words) == (None, "", "", "")


@pytest.fixture(scope="module")
def manipulated() -> dict[str, pd.DataFrame]:
    organic = simulate_creators(60, seed=33)
    rng = np.random.default_rng(0)
    campaigns = plan_campaigns(organic, draw_vendors(8, rng, style="retail"), rng, share=1.0)
    return check_tables(inject_campaigns(organic, campaigns, rng)[0])


def test_every_flag_is_checked_by_taking_rows_away(manipulated, loaded):
    frame = _score(manipulated, loaded).set_index("creator_id")
    flagged = 0
    for creator, row in frame.iterrows():
        heads = {head for head in HEADS if pd.notna(row[f"{head}_flagged"]) and row[f"{head}_flagged"]}
        checked = json.loads(row["checked"])
        assert {item["head"] for item in checked} <= heads
        flagged += len(heads)
        for item in checked:
            assert item["rows"]
            assert item["probability_without"] < item["probability"] or not item["suffices"]
            assert all(line["at"].startswith("20") for line in item["rows"]), creator
    assert flagged > 20
    assert frame["checked"].map(lambda text: len(json.loads(text))).sum() > 0.8 * flagged


def test_reasons_say_why_a_head_was_not_assessed_or_flagged(tables, loaded):
    frame = _score(tables, loaded)
    for head in HEADS:
        missing = ~frame[f"{head}_assessed"]
        assert frame.loc[missing, f"{head}_reason"].str.startswith("needs at least").all()
        flagged = frame[f"{head}_flagged"].fillna(False).astype(bool)
        assert frame.loc[flagged, f"{head}_reason"].str.startswith("signals consistent with ").all()
        quiet = frame[f"{head}_assessed"] & ~flagged
        assert (frame.loc[quiet, f"{head}_reason"] == "").all()


def test_events_after_as_of_change_nothing(tables, loaded):
    as_of = SIMULATION_AS_OF - 20 * DAY
    before = {**tables}
    for name in ("posts", "snapshots"):
        frame = tables[name]
        before[name] = frame[frame["observed_at"] <= as_of]
    pd.testing.assert_frame_equal(_score(tables, loaded, as_of), _score(before, loaded, as_of), check_exact=True)


def test_a_profile_seen_later_is_not_known_yet(tables, loaded):
    as_of = SIMULATION_AS_OF - 20 * DAY
    assert (tables["creators"]["observed_at"] > as_of).all()
    frame = _score(tables, loaded, as_of)
    assert frame[["handle", "niche", "country", "language"]].isna().all(axis=None)
    bios = tables["creators"].set_index("creator_id")["bio"].sort_index()
    assert not any(text.startswith(bio) for text, bio in zip(frame["profile_text"], bios, strict=True))


def test_the_order_of_rows_changes_nothing(tables, loaded):
    shuffled = {name: frame.sample(frac=1, random_state=4) for name, frame in tables.items()}
    pd.testing.assert_frame_equal(_score(shuffled, loaded), _score(tables, loaded), check_exact=True)


def test_training_and_scoring_read_the_same_signals(tables, loaded, monkeypatch):
    seen = []
    score = type(loaded.model).score

    def noting(model, signals):
        seen.append(signals)
        return score(model, signals)

    monkeypatch.setattr(type(loaded.model), "score", noting)
    _score(tables, loaded)
    expected = compute_signals(make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF))
    pd.testing.assert_frame_equal(seen[0], expected, check_exact=True)
    assert list(seen[0].columns) == list(SIGNALS)


@pytest.mark.parametrize("names", [("posts", "snapshots"), ("posts", "snapshots", "comments")])
def test_a_request_says_what_the_batch_says(tables, loaded, monkeypatch, names):
    """Histories as JSON, through the request's own path, give bit-identical signals and the reports of the batch."""
    some = {name: tables[name] for name in ("creators", *names)}
    batch = compute_signals(make_histories(some, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF))
    frame = _score(some, loaded).set_index("creator_id", drop=False)
    flagged = frame[[f"{head}_flagged" for head in HEADS]].fillna(False).any(axis=1)
    ids = [*frame.index[flagged][:2], *frame.index[~flagged][:8]]
    seen = []
    assess = type(loaded.model).assess
    monkeypatch.setattr(type(loaded.model), "assess", lambda model, x: seen.append(x) or assess(model, x))
    said = 0
    for creator in ids:
        history = {"creator": rows(tables["creators"], creator)[0]}
        history |= {name: rows(tables[name], creator) for name in names}
        body = json.dumps({"histories": [history], "as_of": SIMULATION_AS_OF.isoformat(), "language": "vi"})
        before = len(seen)
        answer = score_histories(ScoreRequest.model_validate_json(body), loaded, SIMULATION_AS_OF)
        np.testing.assert_array_equal(seen[before], batch.loc[[creator], list(READ)].to_numpy())
        assert answer.reports == [report(frame.loc[creator].to_dict(), words_for("vi"))]
        said += len(answer.reports[0].evidence)
    assert any(not np.isnan(x).all() for x in seen)
    assert said


def rows(frame, creator):
    own = frame[frame["creator_id"] == creator]
    return json.loads(own.to_json(orient="records", date_format="iso", date_unit="us"))


def test_the_service_loads_the_version_that_the_alias_names(small_config, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))
    monkeypatch.setenv("REALREACH_CATALOGUE", str(tmp_path / "none.parquet"))
    data = small_config.data.model_copy(update={"creators": 500})
    model = small_config.model.model_copy(update={"trees": 10})
    trained = [
        runs.train_authenticity(
            small_config.model_copy(update={"data": data.model_copy(update={"seed": seed}), "model": model})
        )
        for seed in (1, 2)
    ]
    for chosen in (trained[1], trained[0]):
        tracking.promote(chosen.name, chosen.version)
        served = current.load().model
        assert served.version == chosen.version
        for name, head in chosen.model.heads.items():
            loaded_texts = [booster.model_to_string() for booster in served.model.heads[name].members]
            assert loaded_texts == [booster.model_to_string() for booster in head.members]
    path = tracking.download("authenticity", trained[0].version) / "bought_likes_0.txt"
    path.write_text(path.read_text() + " ")
    assert "bought_likes_0.txt has changed" in current.load().model_trouble


def test_creators_without_posts_or_followers_are_in_the_frame(tables, loaded):
    alone = pd.DataFrame(
        {
            "creator_id": ["empty", "zero"],
            "platform": ["tiktok", "instagram"],
            "followers": pd.array([100, 0], dtype="Int64"),
        }
    )
    posts = tables["posts"].head(20).assign(creator_id="zero")
    frame = _score(check_tables({"creators": alone, "posts": posts}), loaded).set_index("creator_id")
    assert np.isnan(frame.loc["empty", "authenticity"])
    assert frame.loc["empty", "coverage_posts"] == 0
    assert pd.isna(frame.loc["empty", "last_post_at"])
    assert frame.loc["zero", "coverage_posts"] == posts["post_id"].nunique()
    assert frame.loc["zero", "tier"] == "nano"


def test_profile_texts_hold_what_was_written_by_as_of(loaded):
    creators = pd.DataFrame({"creator_id": ["a"], "platform": ["tiktok"], "followers": [5], "bio": ["skincare"]})
    posts = pd.DataFrame(
        {
            "creator_id": "a",
            "post_id": ["1", "2", "3"],
            "published_at": ["2026-01-01", "2026-01-05", "2026-02-01"],
            "observed_at": "2026-02-02",
            "caption": ["serum", "toner", "later"],
            "likes": 1,
            "comments": 0,
        }
    )
    posts.loc[:1, "observed_at"] = "2026-01-06"
    tables = check_tables({"creators": creators, "posts": posts})
    moment = pd.Timestamp("2026-01-10", tz="UTC")
    frame = score_tables(tables, loaded, moment, imported_at=moment)
    assert frame.loc[0, "profile_text"] == "skincare\ntoner\nserum"


def test_flags_are_checked_away_from_the_event_loop(manipulated, loaded, monkeypatch):
    threads = []
    score = answers.score_rows

    def noting(histories, model, tables, *, imported_at):
        threads.append((threading.get_ident(), tables is not None))
        return score(histories, model, tables, imported_at=imported_at)

    monkeypatch.setattr(answers, "score_rows", noting)
    serving_now = current.Current()
    serving_now.loaded = current.Loaded(model=loaded)
    api = make_api(serving_now)
    api.state.limiter = anyio.CapacityLimiter(1)
    seen = set()
    with TestClient(api, base_url="http://127.0.0.1") as client:
        for creator in manipulated["creators"]["creator_id"][:25]:
            history = {"creator": rows(manipulated["creators"], creator)[0]}
            history |= {name: rows(manipulated[name], creator) for name in ("posts", "snapshots")}
            body = {"histories": [history], "as_of": SIMULATION_AS_OF.isoformat()}
            if len(json.dumps(body)) > ON_THE_LOOP - 1000:
                continue
            threads.clear()
            answer = client.post("/score", json=body)
            assert answer.status_code == 200
            (report,) = answer.json()["reports"]
            flagged = any(head["flagged"] for head in report["heads"])
            assert [checked for _, checked in threads] == [False, True][: 1 + flagged]
            assert len({thread for thread, _ in threads}) == 1 + flagged
            seen.add(flagged)
            unchecked = client.post("/score", json=body | {"checks": False}).json()["reports"]
            assert unchecked == [report | {"checked": []}]
            assert bool(report["checked"]) == flagged
    assert seen == {True, False}
