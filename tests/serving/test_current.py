"""Models and catalogue that change while a server answers."""

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from serving import current as current_module
from serving.current import Current, Loaded
from training import runs, tracking
from training.config import AuthenticityConfig

HISTORY = {
    "creator": {"creator_id": "c1", "platform": "instagram", "followers": 23_400},
    "posts": [
        {
            "post_id": f"p{number}",
            "published_at": f"2026-01-{number + 1:02d}T11:00:00Z",
            "observed_at": "2026-02-09T00:00:00Z",
            "likes": 800 + 7 * number,
            "comments": 30 + number % 5,
        }
        for number in range(20)
    ],
}


@pytest.fixture
def two_versions(
    champion_home: Path, small_config: AuthenticityConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home of its own with the small champion as version 1 and a smaller challenger as version 2."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(champion_home / "mlflow.db", home)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_HOME", str(home))
    data = small_config.data.model_copy(update={"creators": 500, "seed": 5})
    model = small_config.model.model_copy(update={"trees": 10})
    assert runs.train_authenticity(small_config.model_copy(update={"data": data, "model": model})).version == 2
    return home


def _alias(home: Path, version: int) -> None:
    """Move the champion as another tool would, without the checks of `promote`."""
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute(
            "update registered_model_aliases set version = ? where name = 'authenticity' and alias = 'champion'",
            (version,),
        )


def test_a_corrupt_model_is_refused_and_the_old_one_stays(
    two_versions: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, score_frame: pd.DataFrame
) -> None:
    catalogue = tmp_path / "catalogue.parquet"
    score_frame.to_parquet(catalogue, index=False)
    monkeypatch.setenv("REALREACH_CATALOGUE", str(catalogue))
    current = Current()
    current.start()
    first = current.loaded
    assert not current.refresh()
    path = tracking.download("authenticity", 2) / "bought_likes_0.txt"
    whole = path.read_text()
    path.write_text(whole + " ")
    _alias(two_versions, 2)
    assert current.refresh()
    assert current.loaded.model is first.model
    assert "bought_likes_0.txt has changed" in current.loaded.model_trouble
    assert current.loaded.model_trouble.endswith("version 1 stays")
    path.write_text(whole)
    _alias(two_versions, 1)
    assert current.refresh()
    assert current.loaded.model_trouble == ""
    catalogue.write_bytes(b"no parquet")
    assert current.refresh()
    assert current.loaded.catalogue is first.catalogue
    assert current.loaded.catalogue_trouble.endswith("the one before stays")
    score_frame.head(2).to_parquet(catalogue, index=False)
    assert current.refresh()
    assert (len(current.loaded.catalogue or ()), current.loaded.catalogue_trouble) == (2, "")


def test_what_breaks_off_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([OSError("the registry went away"), Loaded(model_trouble="tried")])

    def look(_: Loaded) -> Loaded:
        found = next(looks)
        if isinstance(found, OSError):
            raise found
        return found

    monkeypatch.setattr(current_module, "_champions", lambda: (2,))
    monkeypatch.setattr(current_module, "_stamps", lambda: ())
    monkeypatch.setattr(current_module, "_with_models", look)
    current = Current(_seen=((1,), ()))
    with pytest.raises(OSError, match="went away"):
        current.refresh()
    assert current.refresh()
    assert current.loaded.model_trouble == "tried"
    assert not current.refresh()


def test_a_model_that_cannot_score_is_refused(
    champion_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("no tree")

    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("REALREACH_CATALOGUE", str(tmp_path / "none.parquet"))
    monkeypatch.setattr(current_module, "score_rows", breaks)
    loaded = current_module.load()
    assert loaded.model is None
    assert "version 1 of authenticity cannot score: no tree" in loaded.model_trouble


class _Asking(threading.Thread):
    """Asks for as long as it runs, and keeps what was answered."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stopped, self.answers = url, threading.Event(), list[tuple[int, str]]()

    def run(self) -> None:
        body = json.dumps({"histories": [HISTORY]})
        with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as client:
            while not self.stopped.is_set():
                answer = client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
                version = answer.json()["model"]["version"] if answer.status_code == 200 else answer.text
                self.answers.append((answer.status_code, version))


@pytest.fixture
def asking(serve_home: Callable[[Path], str], two_versions: Path) -> Iterator[tuple[str, list[_Asking]]]:
    url = serve_home(two_versions)
    threads = [_Asking(url) for _ in range(3)]
    for one in threads:
        one.start()
    yield url, threads
    for one in threads:
        one.stopped.set()
    for one in threads:
        one.join(30)


def _until(look: Callable[[], Any], wanted: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, f"{found!r} and not {wanted!r} after {seconds:g} s"
        time.sleep(0.1)


@pytest.mark.slow
def test_promotion_and_rollback_lose_no_request(asking: tuple[str, list[_Asking]]) -> None:
    url, threads = asking

    def version() -> str:
        models = httpx.get(f"{url}/v1/versions", timeout=120, trust_env=False).json()["models"]
        return str(models[0]["version"])

    for wanted in (2, 1, 2, 1):
        tracking.promote("authenticity", wanted)
        _until(version, str(wanted))
    answers = [answer for one in threads for answer in one.answers]
    assert {status for status, _ in answers} == {200}
    assert {said for _, said in answers} == {"1", "2"}
    for one in threads:
        assert len(one.answers) > 20
