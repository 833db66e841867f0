"""Benchmarks whose ratios are measured in one run; seconds by themselves depend on the machine and its other users."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from features.histories import Events, Histories, make_histories
from features.signals import SIGNALS, compute_signals
from features.tables import read_tables, write_tables
from training.simulation import SIMULATION_AS_OF, simulate_creators

#: Times each contender runs, in turn with the others; the median counts.
ROUNDS = 5


def _pandas_likes(posts: pd.DataFrame) -> pd.Series:
    """Eight of the signals as a user would write them in pandas, for one creator."""
    likes, comments, views = posts["likes"], posts["comments"], posts["views"]
    logs = posts[["likes", "comments", "views"]].apply(np.log1p)
    gaps = posts["published_at"].diff()
    figures: dict[str, Any] = {
        "likes_cv_all": likes.std() / likes.mean(),
        "likes_max_to_median_all": likes.max() / likes.median(),
        "likes_p10_to_median_all": likes.quantile(0.1) / likes.median(),
        "comments_cv_all": comments.std() / comments.mean(),
        "comments_zero_share_all": (comments == 0).mean(),
        "views_cv_all": views.std() / views.mean(),
        "likes_comments_correlation_all": logs["likes"].corr(logs["comments"]),
        "posting_gap_median_all": gaps.median(),
    }
    return pd.Series(figures)


def _frame(events: Events) -> pd.DataFrame:
    return pd.DataFrame({"creator": events.owners, **events.columns})


def _by_pandas(histories: Histories) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):  # creators without likes or comments
        _frame(histories.posts).groupby("creator").apply(_pandas_likes)


def _timed(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def benchmark_signals(creators: int = 2000, seed: int = 7) -> pd.DataFrame:
    """Time the way from files to signals beside plain pandas, on simulated creators.

    Returns
    -------
    DataFrame
        Index `step`; columns `seconds` (median of `ROUNDS`), `creators_per_second`, `signals` (how many it computes)
        and `per_signal_to_read` (seconds a signal over the seconds that reading the files takes).
    """
    tables = simulate_creators(creators, seed)
    histories = make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tables"
        write_tables(tables, folder)
        seconds = _timed(
            {
                "read the files": lambda: [pd.read_parquet(path) for path in folder.glob("*.parquet")],
                "read and check": lambda: read_tables(folder),
                "cut at as_of and sort": lambda: make_histories(tables, SIMULATION_AS_OF, imported_at=SIMULATION_AS_OF),
                "signals": lambda: compute_signals(histories),
                "pandas groupby-apply": lambda: _by_pandas(histories),
            }
        )
    table = pd.DataFrame({"seconds": pd.Series(seconds)}).rename_axis("step")
    table["creators_per_second"] = creators / table["seconds"]
    table["signals"] = pd.Series({"signals": len(SIGNALS), "pandas groupby-apply": 8}, dtype="Int64")
    table["per_signal_to_read"] = table["seconds"] / table["signals"].astype("float64") / seconds["read the files"]
    return table
