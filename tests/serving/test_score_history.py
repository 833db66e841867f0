from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from serving import score_history
from serving.catalogue import Catalogue
from serving.current import Current, Loaded
from serving.review.app import make_review_app
from serving.score_history import keep, keep_in_background, scores_of, told, why_moved
from serving.words import words_for


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path))


def later(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        as_of=frame["as_of"] + pd.Timedelta("7D"),
        model_version="4",
        authenticity=frame["authenticity"] / 2,
        bought_likes_probability=0.55,
    )


def test_what_was_said_before_is_kept_with_why_it_moved(score_frame: pd.DataFrame) -> None:
    first = Catalogue.of(score_frame)
    assert keep(first) == keep(first)
    second = Catalogue.of(later(score_frame))
    keep_in_background(second).join()
    rows = told("an", words_for("en"))
    assert [row["authenticity"] for row in rows] == [0.45, 0.9]
    assert rows[0]["why"] == ("another model (version 3, then 4); later data; bought likes moved most, from 5% to 55%")
    assert rows[1]["why"] == ""
    assert scores_of("nobody") == []
    assert scores_of("dung")[0]["authenticity"] is None
    html = TestClient(make_review_app(Current(Loaded(catalogue=second)))).get("/creators/an?lang=vi").text
    assert "Lịch sử điểm số" in html
    assert "mô hình khác (phiên bản 3, sau đó 4); dữ liệu mới hơn" in html


def test_one_catalogue_alone_is_no_history(score_frame: pd.DataFrame) -> None:
    keep(Catalogue.of(score_frame))
    html = TestClient(make_review_app(Current(Loaded(catalogue=Catalogue.of(score_frame))))).get("/creators/an").text
    assert "Score history" not in html


def test_the_oldest_make_room(score_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_history, "MOST", 2)
    for share in (0.2, 0.4, 0.6):
        keep(Catalogue.of(score_frame.assign(authenticity=share)))
    assert [row["authenticity"] for row in scores_of("an")] == [0.4, 0.6]


def test_a_kind_that_was_not_assessed_before(score_frame: pd.DataFrame) -> None:
    keep(Catalogue.of(score_frame.assign(bought_views_probability=None)))
    keep(Catalogue.of(score_frame))
    before, after = scores_of("an")
    assert why_moved(before, after, words_for("en")) == "newly assessed: bought views"


def test_a_disk_that_takes_nothing_is_only_logged(
    score_frame: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "scores").write_text("in the way")
    keep_in_background(Catalogue.of(score_frame)).join()
    assert "not kept for the history of scores" in caplog.text
