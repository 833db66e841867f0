"""How long a creator's page takes on a real server, with its charts and its report, and what it weighs.

Creators are made: posts with a caption and drawn counts, a follower count a day, and comments of the generated kind
that the comment model is tried on. Nothing is kept of any of them when its page is first asked for.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
from starlette.testclient import TestClient

from features.tables import HEADS, write_tables
from serving.api import make_api
from serving.benchmark_retrieval import BRIEF, DIMENSIONS, made_catalogue
from serving.benchmark_service import Section, benchmark_environment, ours, running
from serving.catalogue import COUNT, FLAG, SCORE_COLUMNS, TEXT, TIME
from serving.current import Current, Loaded
from serving.review.app import make_review_app
from training.comment_sets import simulate_comments

CREATORS, POSTS, COMMENTS, DAYS = 12, 500, 5_000, 365
#: Creators of the catalogue whose lists are timed, creators on a page, and how often each is asked for.
LISTED, SHOWN, REPEATS = 1_000_000, 20, 15
_AS_OF = pd.Timestamp("2026-01-10", tz="UTC")
_CHARTS = ("followers", "engagement", "likes-comments", "authenticity", "overlap")
#: Authors of a creator's comments for each comment: many come once, some often.
_AUTHORS = 0.6


def made_tables(
    creators: int = CREATORS, posts: int = POSTS, comments: int = COMMENTS, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Tables of creators with so many posts and comments each, drawn at random."""
    rng = np.random.default_rng(seed)
    ids = [f"c{number:03d}" for number in range(creators)]
    texts = simulate_comments(max(comments, 500), seed).comments["text"].to_numpy()
    written = _AS_OF - pd.to_timedelta(np.linspace(700, 3, posts), unit="D")
    every: dict[str, list[pd.DataFrame]] = {"posts": [], "snapshots": [], "comments": []}
    for one in ids:
        likes = rng.lognormal(6, 0.6, posts).astype(np.int64)
        frame = pd.DataFrame({"creator_id": one, "post_id": [f"{one}-{post}" for post in range(posts)]})
        captions = [f"Serum review number {post} for oily skin #skincare @brand{post % 9}" for post in range(posts)]
        every["posts"].append(
            frame.assign(
                published_at=written,
                observed_at=written + pd.Timedelta("2D"),
                likes=likes,
                comments=rng.binomial(likes, 0.03),
                caption=captions,
            )
        )
        days = _AS_OF - pd.to_timedelta(np.arange(DAYS, 0, -1), unit="D")
        gained = 20_000 + np.cumsum(rng.poisson(30, DAYS))
        every["snapshots"].append(pd.DataFrame({"creator_id": one, "observed_at": days, "followers": gained}))
        under = rng.integers(posts, size=comments)
        delay = pd.to_timedelta(rng.exponential(12, comments).clip(0, 60), unit="h")
        author = (rng.random(comments) ** 2 * _AUTHORS * comments).astype(np.int64)
        every["comments"].append(
            pd.DataFrame(
                {
                    "creator_id": one,
                    "post_id": [f"{one}-{post}" for post in under],
                    "comment_id": [f"{one}-{number}" for number in range(comments)],
                    "author_id": [f"author-{number}" for number in author],
                    "published_at": written[under] + delay,
                    "text": texts[rng.integers(len(texts), size=comments)],
                }
            )
        )
    profiles = pd.DataFrame({"creator_id": ids, "platform": "instagram", "followers": 30_000, "country": "VN"})
    return {"creators": profiles, **{name: pd.concat(parts, ignore_index=True) for name, parts in every.items()}}


def made_scores(ids: list[str], posts: int) -> pd.DataFrame:
    """A score frame of these creators: every head assessed and below its threshold."""
    empty = {name: None if kind in (COUNT, FLAG, TEXT, TIME) else np.nan for name, kind in SCORE_COLUMNS.items()}
    filled = {
        "creator_id": ids,
        "platform": "instagram",
        "tier": "micro",
        "followers": 30_000,
        "as_of": _AS_OF,
        "authenticity": np.linspace(0.2, 0.95, len(ids)),
        "coverage_posts": posts,
        "coverage_days": DAYS,
        "evidence": "[]",
        "checked": "[]",
        "mentions": "[]",
        "profile_text": "serum review for oily skin",
        "model_name": "authenticity",
        "model_version": "1",
        "model_data": "simulated",
        "base_authenticity": 0.65,
        "registry_hash": "made",
    }
    for head in HEADS:
        filled |= {f"{head}_probability": 0.05, f"{head}_low": 0.02, f"{head}_high": 0.1}
        filled |= {f"{head}_assessed": True, f"{head}_flagged": False}
    return pd.DataFrame(empty | filled, index=range(len(ids)))


def _timed(ask: Callable[[], httpx.Response]) -> tuple[float, int]:
    """Milliseconds and bytes of an answer."""
    start = time.perf_counter()
    answer = ask()
    answer.raise_for_status()
    return 1_000 * (time.perf_counter() - start), len(answer.content)


def benchmark_review(
    folder: Path, creators: int = CREATORS, posts: int = POSTS, comments: int = COMMENTS, listed: int = LISTED
) -> Iterator[Section]:
    """Time pages, charts and reports of creators on a server of one process, and lists of a large catalogue.

    Parameters
    ----------
    folder : Path
        Where tables, catalogue and logs are written; empty or not there.

    Yields
    ------
    Section
        `page`: milliseconds (median and most) and kilobytes of each kind of request; `weight`: kilobytes of a page with
        all that it loads; `lists`: as `benchmark_lists`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = made_tables(creators, posts, comments)
    write_tables(tables, folder / "tables")
    ids = tables["creators"]["creator_id"].tolist()
    made_scores(ids, posts).to_parquet(folder / "catalogue.parquet", index=False)
    environment = benchmark_environment(folder) | {"REALREACH_TABLES": str(folder / "tables")}
    with (
        running(ours, "/livez", folder / "review.log", environment) as server,
        httpx.Client(base_url=f"{server.url}/review", timeout=120, trust_env=False) as client,
    ):
        deadline = time.monotonic() + 120
        while not list((folder / "histories").glob("[!.]*")) and time.monotonic() < deadline:
            time.sleep(0.2)
        client.get("/").raise_for_status()
        yield from _measure(client, ids)
    yield benchmark_lists(listed)


def _measure(client: httpx.Client, ids: list[str]) -> Iterator[Section]:
    asked: dict[str, list[tuple[float, int]]] = {}
    pages = [f"/creators/{one}" for one in ids]

    def each(paths: Sequence[str]) -> list[tuple[float, int]]:
        return [_timed(partial(client.get, path)) for path in paths]

    asked["page, first time"] = each(pages)
    asked["page, again"] = each(pages)
    charts = [f"/charts/{name}.svg/{one}" for one in ids for name in _CHARTS]
    asked["first chart of a process"] = each(charts[:1])
    asked["chart, first time"] = each(charts[1:])
    asked["chart, kept"] = each(charts)
    asked["comparison of ten"] = [
        _timed(partial(client.get, "/compare", params={"creator": ids[:10]})) for _ in range(5)
    ]
    asked["report as PDF"] = each([f"/report.pdf/{one}" for one in ids[:3]])
    rows = {
        name: {
            "median_ms": float(np.median([took for took, _ in times])),
            "most_ms": max(took for took, _ in times),
            "kilobytes": float(np.mean([size for _, size in times])) / 1024,
        }
        for name, times in asked.items()
    }
    yield Section("page", "A creator's page on one process", pd.DataFrame.from_dict(rows, orient="index"))
    statics = ("review.css", "decide.css", "creator.css", "review.js", "icon.svg")
    sizes = {"page": rows["page, again"]["kilobytes"]}
    sizes |= {name: _timed(partial(client.get, f"/static/{name}"))[1] / 1024 for name in statics}
    sizes["charts"] = sum(size for _, size in asked["chart, kept"][: len(_CHARTS)]) / 1024
    sizes["all"] = sum(sizes.values())
    yield Section("weight", "What a first visit loads", pd.DataFrame({"kilobytes": sizes}))


def benchmark_lists(creators: int = LISTED, repeats: int = REPEATS) -> Section:
    """Time the first page of a large catalogue beside the same `/recommend` call, and pages deep in it, in one process.

    Creators, vectors and authenticity are random, as in `serving.benchmark_retrieval`; requests go through the two
    apps themselves, without a socket.
    """
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((creators, DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    current = Current(Loaded(catalogue=made_catalogue(vectors, rng.random(creators))))
    apps = make_review_app(current), make_api(current)
    for app in apps:
        app.state.limiter = None
    page, api = (TestClient(app) for app in apps)
    deep = str(creators // (2 * SHOWN))
    asked: dict[str, Callable[[], httpx.Response]] = {
        "/recommend": partial(api.post, "/recommend", json={"brief": BRIEF, "k": SHOWN}),
        "first page": partial(page.get, "/", params={"brief": BRIEF, "k": SHOWN}),
        "sorted by followers": partial(page.get, "/", params={"k": SHOWN, "sort": "followers"}),
        "its page in the middle": partial(page.get, "/", params={"k": SHOWN, "sort": "followers", "page": deep}),
        "without a brief, in the middle": partial(page.get, "/", params={"k": SHOWN, "page": deep}),
    }
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for ask in asked.values():
        ask().raise_for_status()
    for _ in range(repeats):
        for name, ask in asked.items():
            taken[name].append(_timed(ask)[0])
    beside = np.array(taken["/recommend"])
    rows = {
        name: {
            "median_ms": float(np.median(times)),
            "most_ms": max(times),
            "times_recommend": float(np.median(np.array(times) / beside)),
        }
        for name, times in taken.items()
    }
    return Section(
        "lists", f"{creators:,} made creators, {SHOWN} on a page", pd.DataFrame.from_dict(rows, orient="index")
    )
