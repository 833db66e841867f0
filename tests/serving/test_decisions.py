"""Lists, votes, disputes and links, in SQLite and in a real PostgreSQL, also by two analysts at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.tables import check_tables
from serving import decisions, store
from serving.decisions import UNDECIDED, DecisionError, NothingToUndoError, UnknownListError
from serving.schemas import FeedbackRequest
from serving.writes import feedback_tables, leave_feedback
from training import fit_tables

HOSTILE = [
    "<script>alert('x')</script>",
    "\u202eabc \u202bxyz",  # written from right to left
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦🇻🇳" * 100,
    "'; drop table votes; --",
    "x" * 10_000,
    "{count} %s {0}",
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "sqlite":
        monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
    else:
        monkeypatch.setenv("REALREACH_DATABASE", request.getfixturevalue("cluster").url)
    with store.connection() as one:
        for table in reversed(store.metadata.sorted_tables):
            one.execute(table.delete())
    yield store.url()
    store._engine(store.url()).dispose()


def new_list(name: str = "Serum", query: str = "brief=serum&platform=tiktok", tenant: str = "ours") -> str:
    return decisions.make_list(tenant, name, query, "An").id


def names(list_id: str) -> dict[str, str]:
    return {creator_id: status.name for creator_id, status in decisions.statuses_of(list_id).items()}


def test_a_list_keeps_the_view_it_was_saved_from(database: str) -> None:
    made = decisions.make_list("ours", " Serum ", "brief=da+d%E1%BA%A7u&lang=vi&list=old&page=3&tier=", "An", "b1")
    found = decisions.list_of("ours", made.id)
    assert found == made
    assert (found.name, found.brand_id, found.stage, found.version) == ("Serum", "b1", "internal", 0)
    assert found.query == "brief=da+d%E1%BA%A7u"
    assert decisions.view_query("brief=a&platform=x&platform=y&lang=vi") == "brief=a&platform=x&platform=y"
    assert [one.id for one in decisions.lists_of("ours")] == [made.id]
    assert decisions.lists_of("theirs") == []
    for call in (
        lambda: decisions.list_of("theirs", made.id),
        lambda: decisions.vote("theirs", made.id, "An", {"an": 1}, "yes"),
        lambda: decisions.undo("theirs", made.id, "An"),
        lambda: decisions.change_list("theirs", made.id, "An", stage="client"),
        lambda: decisions.make_link("theirs", made.id, "An"),
        lambda: decisions.revoke_link("theirs", made.id, "x", "An"),
    ):
        with pytest.raises(UnknownListError):
            call()


@pytest.mark.parametrize("change", [{"stage": "client"}, {"name": "For the client"}, {"brand_id": "b1"}])
def test_a_list_that_became_something_is_no_longer_joined(database: str, change: dict[str, Any]) -> None:
    first = decisions.list_for("ours", "Serum", "brief=serum", "An")
    assert decisions.list_for("ours", "Serum", "brief=serum", "Bình").id == first.id
    decisions.change_list("ours", first.id, "An", **change)
    assert decisions.list_for("ours", "Serum", "brief=serum", "Bình").id != first.id
    assert decisions.list_of("ours", first.id).id == first.id


def test_every_analyst_has_a_vote_and_the_newest_counts(database: str) -> None:
    mine = new_list()
    decisions.vote("ours", mine, "An", {"c1": 1, "c2": 2}, "yes", reason="close audience")
    decisions.vote("ours", mine, "An", {"c2": 2}, "no")
    assert names(mine) == {"c1": "yes", "c2": "no"}
    decisions.vote("ours", mine, "Bình", {"c1": 4}, "yes")
    decisions.vote("ours", mine, "Bình", {"c2": 5}, "maybe", comment="ask for the price")
    assert names(mine) == {"c1": "yes", "c2": "split"}
    split = decisions.statuses_of(mine)["c2"]
    assert [(vote.analyst, vote.decision, vote.position) for vote in split.votes] == [
        ("An", "no", 2),
        ("Bình", "maybe", 5),
    ]
    assert (split.of("An"), split.of("Chi")) == ("no", None)
    assert decisions.statuses_of(mine).get("c9", UNDECIDED).name == "undecided"
    assert len(decisions.log_of(mine)) == 5
    empty = new_list("Empty")
    assert decisions.counts_of([mine, empty]) == {mine: {"yes": 1, "split": 1}}


def test_what_a_vote_answers_is_of_the_creators_concerned_and_counts_all(database: str) -> None:
    mine = new_list()
    decisions.vote("ours", mine, "An", {f"c{number}": number for number in range(20)}, "yes")
    seen = decisions.vote("ours", mine, "Bình", {"c1": 1, "c2": 2}, "no").list.version
    decisions.vote("ours", mine, "Chi", {"c3": 3}, "maybe")
    decided = decisions.vote("ours", mine, "An", {"c2": 2}, "no", seen=seen)
    assert {key: one.name for key, one in decided.statuses.items()} == {"c2": "no", "c3": "split"}
    assert decided.counts == {"yes": 17, "no": 1, "split": 2}
    assert decisions.counts_of([mine])[mine] == decided.counts
    undone = decisions.undo("ours", mine, "Chi")
    assert ({key: one.name for key, one in undone.statuses.items()}, undone.counts["yes"]) == ({"c3": "yes"}, 18)


def test_undo_takes_back_ones_own_last_step_only(database: str) -> None:
    mine = new_list()
    decisions.vote("ours", mine, "An", {"c1": 1}, "maybe")
    decisions.vote("ours", mine, "An", {"c1": 1, "c2": 2, "c3": 3}, "yes")
    decisions.vote("ours", mine, "Bình", {"c3": 3}, "no")
    undone = decisions.undo("ours", mine, "An")
    assert {vote.creator_id for vote in undone.votes} == {"c1", "c2", "c3"}
    assert names(mine) == {"c1": "maybe", "c3": "no"}
    decisions.undo("ours", mine, "An")
    assert names(mine) == {"c3": "no"}
    with pytest.raises(NothingToUndoError):
        decisions.undo("ours", mine, "An")
    assert decisions.list_of("ours", mine).version == 5  # the step that changed nothing is not counted
    assert len(decisions.log_of(mine)) == 5


def test_the_second_sees_what_the_first_decided(database: str) -> None:
    mine = new_list()
    seen = decisions.list_of("ours", mine).version
    first = decisions.vote("ours", mine, "An", {"c1": 1}, "yes", seen=seen)
    assert first.since == ()
    second = decisions.vote("ours", mine, "Bình", {"c1": 1}, "no", seen=seen)
    assert [(vote.analyst, vote.decision) for vote in second.since] == [("An", "yes")]
    assert second.statuses["c1"].name == "split"
    assert decisions.since(mine, second.list.version, "Bình") == ()
    decisions.undo("ours", mine, "An")
    taken_back = decisions.since(mine, second.list.version, "Bình")
    assert [(vote.analyst, vote.undone_at is None) for vote in taken_back] == [("An", False)]


def test_what_is_cast_and_taken_back_between_two_looks_is_not_told(database: str) -> None:
    mine = new_list()
    decisions.vote("ours", mine, "An", {"c1": 1}, "yes")
    decisions.undo("ours", mine, "An")
    assert decisions.since(mine, 0, "Bình") == ()


def test_many_at_once_lose_nothing(database: str) -> None:
    mine = new_list()

    def work(number: int) -> tuple[int, int]:
        decided = decisions.vote("ours", mine, f"analyst {number % 4}", {f"c{number}": number}, "yes", seen=0)
        return decided.list.version, len(decided.since)

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(work, range(40)))
    assert [version for version, _ in answers] == list(range(1, 41))
    assert set(names(mine)) == {f"c{number}" for number in range(40)}
    assert sum(since for _, since in answers) == sum(
        earlier.analyst != later.analyst
        for later in decisions.log_of(mine)
        for earlier in decisions.log_of(mine)
        if earlier.version < later.version
    )


_PROCESS = """
import sys
from serving import decisions
list_id, analyst = sys.argv[1:]
for number in range(15):
    decisions.vote("ours", list_id, analyst, {f"c{number}": number + 1}, "yes" if analyst == "An" else "no")
"""


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing_and_a_restart_keeps_it(database: str) -> None:
    mine = new_list()
    ran = [subprocess.Popen([sys.executable, "-c", _PROCESS, mine, analyst]) for analyst in ("An", "Bình")]
    assert [process.wait(120) for process in ran] == [0, 0]
    store._engine(store.url()).dispose()
    assert names(mine) == {f"c{number}": "split" for number in range(15)}
    assert decisions.list_of("ours", mine).version == 30


def test_first_votes_of_two_at_once_make_one_list(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda who: decisions.list_for("ours", "Serum", "brief=serum&lang=vi", who).id, "ABCD"))
    assert len(made) == 1
    assert decisions.list_for("ours", "x", "brief=serum", "A").id in made
    assert decisions.list_for("ours", "x", "sort=fit&as=board&brief=serum", "A").id in made
    assert decisions.list_for("ours", "x", "brief=lip", "A").id not in made
    assert decisions.list_for("theirs", "x", "brief=serum", "A").id not in made


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_kept_as_it_is(database: str, text: str) -> None:
    mine = decisions.make_list("ours", text[:200], f"brief={text}", "An").id
    decisions.vote("ours", mine, "An", {text: 1}, "yes", reason=text[:200], comment=text)
    vote = decisions.statuses_of(mine)[text].votes[0]
    assert (vote.comment, vote.reason) == (text, text[:200])
    assert decisions.list_of("ours", mine).name == text[:200]


def test_what_cannot_be_kept_is_refused_with_its_reason(database: str) -> None:
    mine = new_list()
    refused: list[tuple[str, Any]] = [
        ("has 10001 characters", lambda: decisions.vote("ours", mine, "An", {"c": 1}, "yes", comment="x" * 10_001)),
        ("has 201 characters", lambda: decisions.vote("ours", mine, "An", {"c": 1}, "yes", reason="x" * 201)),
        ("control characters", lambda: decisions.vote("ours", mine, "An", {"c": 1}, "yes", comment="a\x00b")),
        ("yes, maybe or no", lambda: decisions.vote("ours", mine, "An", {"c": 1}, "perhaps")),  # type: ignore[arg-type]
        ("No creator", lambda: decisions.vote("ours", mine, "An", {}, "yes")),
        ("501 creators", lambda: decisions.vote("ours", mine, "An", dict.fromkeys(map(str, range(501)), 1), "yes")),
        ("The name is empty", lambda: decisions.make_list("ours", " \n", "", "An")),
        ("still internal", lambda: decisions.make_link("ours", mine, "An")),
        ("1 to 90 days", lambda: decisions.make_link("ours", mine, "An", days=91)),
        ("What is said is empty", lambda: decisions.enter_dispute("ours", "c", "C", "", "An")),
        ("no such open dispute", lambda: decisions.answer_dispute("ours", "x", "y", "An")),
    ]
    for said, call in refused:
        with pytest.raises(DecisionError, match=said):
            call()
    assert names(mine) == {}
    assert decisions.list_of("ours", mine).version == 0


def test_links_end_and_show_their_own_list_in_the_client_stage_only(database: str) -> None:
    mine, other = new_list(), new_list("Other")
    decisions.vote("ours", mine, "An", {"c1": 1}, "yes")
    for one in (mine, other):
        decisions.change_list("ours", one, "An", stage="client")
    link, later = decisions.make_link("ours", mine, "An"), decisions.make_link("ours", mine, "An", days=1)
    assert link.expires_at - link.created_at == timedelta(days=14)
    shown = decisions.shared_list(link.id, mine)
    assert shown is not None
    assert shown[1]["c1"].name == "yes"
    assert decisions.shared_list(link.id, other) is None
    decisions.revoke_link("ours", other, link.id, "An")  # of another list: not ended
    assert decisions.shared_list(link.id, mine) is not None
    decisions.revoke_link("ours", mine, link.id, "An")
    assert decisions.shared_list(link.id, mine) is None
    decisions.change_list("ours", mine, "An", stage="internal")
    assert decisions.shared_list(later.id, mine) is None
    decisions.change_list("ours", mine, "An", stage="client")
    with store.connection() as one:
        one.execute(store.client_links.update().values(expires_at=store.now() - timedelta(seconds=1)))
    assert decisions.shared_list(later.id, mine) is None


def test_disputes_are_answered_once(database: str) -> None:
    entered = decisions.enter_dispute("ours", "c1", "The creator", "I ran a giveaway on 5 January.", "An")
    assert [one.state for one in decisions.disputes_of("ours", "c1")] == ["open"]
    assert decisions.disputes_of("theirs", "c1") == []
    decisions.answer_dispute("ours", entered.id, "The post is there; noted.", "Bình")
    with pytest.raises(DecisionError):
        decisions.answer_dispute("ours", entered.id, "Another answer", "Chi")
    found = decisions.disputes_of("ours", "c1")[0]
    assert (found.state, found.answer, found.answered_by) == ("answered", "The post is there; noted.", "Bình")


def test_every_change_is_in_the_audit_log(database: str) -> None:
    mine = new_list()
    decisions.vote("ours", mine, "An", {"c1": 1, "c2": 2}, "yes")
    decisions.undo("ours", mine, "An")
    decisions.change_list("ours", mine, "An", stage="client")
    decisions.revoke_link("ours", mine, decisions.make_link("ours", mine, "An").id, "An")
    with store.connection() as one:
        noted = [row.action for row in one.execute(store.audit.select().order_by(store.audit.c.id))]
    assert noted == [
        "list made",
        "decided yes",
        "decision undone",
        "list client",
        "client link made",
        "client link revoked",
    ]


def test_secrets_are_made_once_for_all(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: store.signing_secret("form"), range(8)))
    assert len(made) == 1
    assert len(made.pop()) >= 40
    assert store.signing_secret("form") != store.signing_secret("link")


def test_another_database_in_the_same_place_signs_with_its_own_secret(database: str) -> None:
    mine = store.signing_secret("form")
    with store.connection() as one:  # as a backup does that is put back
        one.execute(store.signing_secrets.update().values(secret=mine[::-1]))
    assert store.signing_secret("form") == mine[::-1]


def test_a_file_that_is_put_in_the_place_of_the_database_signs_with_its_own_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("used", "other"):
        monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / name}.db")
        made.append(store.signing_secret("form"))
        store._engine(store.url()).dispose()  # which leaves one whole file
    (tmp_path / "used.db").rename(tmp_path / "other.db")
    assert store.signing_secret("form") == made[0] != made[1]
    store._engine(store.url()).dispose()


def test_votes_that_stand_become_decisions_that_training_reads(database: str) -> None:
    with_brand = decisions.make_list("ours", "Serum", "brief=serum", "An", "b1").id
    decisions.vote("ours", with_brand, "An", {"an": 1, "binh": 2}, "no")
    decisions.vote("ours", with_brand, "An", {"an": 1}, "yes")
    decisions.vote("ours", with_brand, "Bình", {"an": 3}, "maybe")
    decisions.vote("ours", with_brand, "Bình", {"binh": 3}, "yes")
    decisions.undo("ours", with_brand, "Bình")
    decisions.vote("theirs", new_list("Lip balm", "brief=lips", "theirs"), "Chi", {"an": None}, "no")
    tool = {"brand_id": "b2", "creator_id": "an", "decided_at": "2026-01-12T09:30:00Z", "decision": "yes"}
    with store.connection() as one:
        left = FeedbackRequest.model_validate_json(json.dumps({"decisions": [tool]}))
        leave_feedback(one, "ours", "key x", left)
    found = feedback_tables("ours")["decisions"]
    assert str(found["decided_at"].dtype) == "datetime64[us, UTC]"
    assert found.drop(columns="decided_at").fillna({"position": 0}).to_dict("records") == [
        {"brand_id": "b2", "creator_id": "an", "decision": "yes", "position": 0},
        {"brand_id": "b1", "creator_id": "binh", "decision": "no", "position": 2},
        {"brand_id": "b1", "creator_id": "an", "decision": "yes", "position": 1},
        {"brand_id": "b1", "creator_id": "an", "decision": "maybe", "position": 3},
    ]
    assert feedback_tables("theirs")["decisions"]["brand_id"].tolist() == ["Lip balm"]
    creators = pd.DataFrame({"creator_id": ["an", "binh"], "platform": "tiktok", "followers": [10, 20]})
    posts = pd.DataFrame(columns=["creator_id", "post_id", "published_at", "likes", "comments"])
    brands = pd.DataFrame({"brand_id": ["b1"], "name": "Serum", "brief": "serum"})
    tables = check_tables({"creators": creators, "posts": posts, "brands": brands, "decisions": found})
    learnt = fit_tables._decided(tables, pd.Timestamp.now("UTC"))
    assert dict(zip(learnt["creator_id"], learnt["decision"], strict=True)) == {"binh": "no", "an": "maybe"}
