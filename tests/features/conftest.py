"""Small histories to compute signals from, and one larger random set of tables."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from features.histories import make_histories
from features.signals import compute_signals
from features.tables import Tables, check_tables

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")

#: A post takes numbers of posts, or one number for all of them.
Numbers = Sequence[float | None] | float | None


def _creators(followers: dict[str, int | None], *, platform: str = "instagram", **columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"creator_id": list(followers), "platform": platform, "followers": list(followers.values()), **columns}
    )


def _posts(
    creator_id: str,
    likes: Sequence[float | None],
    comments: Numbers = 1,
    *,
    first: str = "2026-01-01T12:00:00Z",
    every: str = "1D",
    **columns: object,
) -> pd.DataFrame:
    """Posts at even distances, all observed at AS_OF unless `observed_at` says otherwise."""
    return pd.DataFrame(
        {
            "creator_id": creator_id,
            "post_id": [f"p{number:04d}" for number in range(len(likes))],
            "published_at": pd.date_range(first, periods=len(likes), freq=every),
            "observed_at": AS_OF,
            "likes": likes,
            "comments": comments,
            **columns,
        }
    )


def _snapshots(
    creator_id: str,
    followers: Sequence[float | None],
    *,
    first: str = "2026-01-01T07:00:00Z",
    every: str = "1D",
    **columns: object,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "creator_id": creator_id,
            "observed_at": pd.date_range(first, periods=len(followers), freq=every),
            "followers": followers,
            **columns,
        }
    )


def _signals_of(
    posts: pd.DataFrame | None = None,
    snapshots: pd.DataFrame | None = None,
    *,
    followers: int | None = 1000,
    **profile: object,
) -> pd.Series:
    """Signals of one creator, "c1", as of AS_OF."""
    none = _posts("c1", []).astype({"creator_id": "str"})
    tables = {
        "creators": _creators({"c1": followers}, observed_at=pd.Timestamp("2025-12-01T00:00:00Z"), **profile),
        "posts": none if posts is None else posts,
    }
    if snapshots is not None:
        tables["snapshots"] = snapshots
    return compute_signals(make_histories(check_tables(tables), AS_OF, imported_at=AS_OF)).loc["c1"]


def _random_tables(creators: int, seed: int) -> Tables:
    """Uneven histories: 1 to 300 posts, some observed twice, 0 to 120 snapshots, counts missing here and there."""
    rng = np.random.default_rng(seed)
    posts, snapshots, profiles = [], [], []
    for number in range(creators):
        creator_id = f"c{number:03d}"
        followers = int(10 ** rng.uniform(3, 6))
        profiles.append(
            (creator_id, rng.choice(["instagram", "youtube", "tiktok"]), followers, int(rng.integers(1, 900)))
        )
        count = [1, 2, 7, 30, 31, 300][number] if number < 6 else int(rng.integers(1, 301))
        likes = np.floor(followers * 0.03 * rng.lognormal(0, 0.6, count))
        published = AS_OF - pd.to_timedelta(np.sort(rng.uniform(0, 400, count))[::-1], unit="D").round("s")
        frame = pd.DataFrame(
            {
                "creator_id": creator_id,
                "post_id": [f"p{post:04d}" for post in range(count)],
                "published_at": published,
                "observed_at": published + pd.Timedelta(days=30),
                "likes": np.where(rng.random(count) < 0.05, np.nan, likes),
                "comments": np.floor(likes * rng.uniform(0, 0.05, count)),
                "views": np.nan if number % 4 == 0 else np.floor(likes * rng.lognormal(2, 0.3, count)),
                "shares": np.floor(likes * 0.02),
                "saves": np.floor(likes * 0.04),
                "is_sponsored": rng.random(count) < 0.3,
            }
        )
        frame["observed_at"] = frame["observed_at"].clip(upper=AS_OF)
        early = frame[frame["observed_at"] < AS_OF].sample(frac=0.3, random_state=seed)
        early = early.assign(likes=np.floor(early["likes"] / 2), observed_at=early["published_at"] + pd.Timedelta("1D"))
        posts += [frame, early]
        days = int(rng.integers(0, 121))
        if days:
            gains = rng.poisson(followers / 500, days) - rng.poisson(followers / 900, days)
            gains[days // 3] += followers // 4 if number % 3 == 0 else 0
            level = np.maximum(followers - gains[::-1].cumsum()[::-1], 0)
            snapshots.append(
                pd.DataFrame(
                    {
                        "creator_id": creator_id,
                        "observed_at": pd.date_range(end=AS_OF - pd.Timedelta("17h"), periods=days, freq="D")
                        + pd.to_timedelta(rng.integers(0, 400, days), unit="min"),
                        "followers": np.where(rng.random(days) < 0.05, np.nan, level),
                        "following": 300 + rng.integers(-20, 20, days),
                        "total_views": np.cumsum(rng.poisson(followers / 4, days)) + 10 * followers,
                    }
                )
            )
    return check_tables(
        {
            "creators": pd.DataFrame(profiles, columns=["creator_id", "platform", "followers", "posts_count"]),
            "posts": pd.concat(posts, ignore_index=True),
            "snapshots": pd.concat(snapshots, ignore_index=True),
        }
    )


@pytest.fixture(scope="session")
def as_of() -> pd.Timestamp:
    return AS_OF


@pytest.fixture(scope="session")
def creators_of() -> Callable[..., pd.DataFrame]:
    return _creators


@pytest.fixture(scope="session")
def posts_of() -> Callable[..., pd.DataFrame]:
    return _posts


@pytest.fixture(scope="session")
def snapshots_of() -> Callable[..., pd.DataFrame]:
    return _snapshots


@pytest.fixture(scope="session")
def signals_of() -> Callable[..., pd.Series]:
    return _signals_of


@pytest.fixture(scope="session")
def random_tables() -> Tables:
    return _random_tables(creators=40, seed=11)
