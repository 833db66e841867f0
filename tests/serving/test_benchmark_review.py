"""The benchmark of the page measures what it says, on small catalogues."""

from pathlib import Path

import pytest

from serving.benchmark_review import benchmark_lists, benchmark_review


def test_lists_are_timed_beside_recommend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
    figures = benchmark_lists(500, repeats=2).figures
    assert figures.loc["/recommend", "times_recommend"] == 1
    assert (figures["median_ms"] > 0).all()
    assert (figures["most_ms"] >= figures["median_ms"]).all()
    assert len(figures) == 5


@pytest.mark.slow
def test_pages_are_timed_on_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'realreach.db'}")
    page, weight, lists = benchmark_review(tmp_path, creators=11, posts=30, comments=60, listed=200)
    assert (page.figures["median_ms"] > 0).all()
    assert weight.figures.notna().all(axis=None)
    assert lists.name == "lists"
