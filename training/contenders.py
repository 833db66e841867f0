"""The same signals from the same files in pandas, polars, DuckDB and tsfresh, as their users would write them.

Every contender goes from three Parquet files that `write_rows` makes (`creators`, `posts`, `snapshots`, with creators
as whole numbers and rows in the order of creator and time, which spares every engine the sorting) to one row a creator.
What `SHARED` names is what pandas, polars and DuckDB all express here; tsfresh has features of its own, of which some
say the same. `features` computes all of its engagement and growth signals: it has no way to compute fewer.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import engagement, growth
from features.histories import Events, Histories, make_histories
from features.tables import TEXT, TIME, Tables
from training.bulk import BULK_AS_OF

#: Signals that pandas, polars and DuckDB compute here, in the order of their columns.
SHARED = (
    "engagement_rate_by_followers_median_30p",
    "like_rate_by_followers_median_30p",
    "comment_rate_by_followers_median_30p",
    "engagement_rate_by_views_median_30p",
    "comments_per_like_median_30p",
    "shares_per_like_median_30p",
    "likes_cv_all",
    "likes_gini_all",
    "likes_max_to_median_all",
    "likes_p10_to_median_all",
    "comments_zero_share_all",
    "comments_per_like_log_mad_all",
    "likes_comments_correlation_all",
    "views_gini_all",
    "views_max_to_median_all",
    "posting_gap_median_all",
    "posting_gap_cv_all",
    "sponsored_share_all",
    "follower_growth_28d",
    "follower_growth_90d",
    "follower_gain_median_all",
    "follower_gain_mad_all",
    "follower_gain_max_step_share_all",
    "follower_gain_max_step_of_gain_all",
    "follower_gain_top3_steps_of_gain_all",
    "follower_drop_max_share_all",
    "follower_loss_day_share_all",
    "follower_gain_gini_all",
    "follower_curve_linearity_all",
    "follower_gain_views_correlation_all",
)
_POST_COUNTS = ("likes", "comments", "views", "shares", "saves")
_SNAPSHOT_COUNTS = ("followers", "following", "posts_count", "total_views")
#: What the signals read.
_COLUMNS = {
    "posts": ("published_at", "observed_at", *_POST_COUNTS, "is_sponsored"),
    "snapshots": ("observed_at", *_SNAPSHOT_COUNTS),
}
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Contender:
    """An engine and what it makes of the rows.

    Attributes
    ----------
    name : str
    run : callable
        Folder of rows and number of creators to values: one row a creator.
    signals : int
        How many numbers a creator it computes.
    needs : str
        Package that has to be installed.
    sample : int, optional
        Creators it is timed on, where all would take too long.
    """

    name: str
    run: Callable[[Path, int], pd.DataFrame]
    signals: int
    needs: str = ""
    sample: int | None = None

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return not self.needs or find_spec(self.needs) is not None


def write_rows(tables: Tables, folder: Path) -> None:
    """Write the rows that all contenders read; tables as `training.bulk.draw_tables` draws them."""
    ids = pd.Index(tables["creators"]["creator_id"])
    for name in ("creators", "posts", "snapshots"):
        frame = tables[name]
        codes = pd.Series(ids.get_indexer(pd.Index(frame["creator_id"])), index=frame.index, name="creator")
        kept = frame.drop(columns=[column for column in ("creator_id", "post_id") if column in frame])
        pd.concat([codes, kept], axis=1).to_parquet(folder / f"{name}.parquet", index=False)


def _read(folder: Path, table: str, creators: int, columns: list[str] | None = None) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{table}.parquet", columns=columns, filters=[("creator", "<", creators)])


def _put(column: pa.ChunkedArray, values: np.ndarray) -> None:
    """Write the first rows of a column as float64, NaN where null; times in days."""
    start = 0
    for chunk in column.chunks:
        stop = min(start + len(chunk), values.size)
        if pa.types.is_timestamp(chunk.type):
            np.divide(chunk.view("int64").to_numpy()[: stop - start], _DAY_US, out=values[start:stop])
        else:
            plain = chunk if chunk.null_count == 0 and pa.types.is_integer(chunk.type) else chunk.cast("float64")
            values[start:stop] = plain.to_numpy(zero_copy_only=False)[: stop - start]
        start = stop


@dataclass(frozen=True)
class _File:
    """A file whose columns are read one by one, on any thread."""

    path: Path
    about: pq.FileMetaData

    def read(self, name: str) -> pa.ChunkedArray:
        with pq.ParquetFile(self.path, metadata=self.about, memory_map=True) as file:
            return file.read([name], use_threads=False)[name]

    def offsets(self, creators: int) -> np.ndarray:
        return self.read("creator").to_numpy().searchsorted(np.arange(creators + 1)).astype(np.int64)

    def put(self, name: str, values: np.ndarray) -> None:
        if name in self.about.schema.names:
            _put(self.read(name), values)
        else:
            values.fill(np.nan)


def _histories_of_profiles(folder: Path, creators: int) -> Histories:
    profiles = _read(folder, "creators", creators)
    none = pd.DataFrame(columns=["creator_id", "post_id", "published_at"]).astype(
        {"creator_id": TEXT, "post_id": TEXT, "published_at": TIME}
    )
    tables = {"creators": profiles.assign(creator_id=profiles["creator"].astype(TEXT).str.zfill(9)), "posts": none}
    return make_histories(tables, BULK_AS_OF, imported_at=BULK_AS_OF)


def histories_of_rows(folder: Path, creators: int, *, threads: int = 1) -> Histories:
    """Lay the rows out as `features` reads them, without checks and the cut at `as_of`: these rows need neither.

    Threads take turns at reading columns.
    """
    files = {}
    for table in _COLUMNS:
        path = folder / f"{table}.parquet"
        files[table] = _File(path, pq.read_metadata(path))
    with ThreadPoolExecutor(threads) as pool:
        known = pool.submit(_histories_of_profiles, folder, creators)
        offsets = [pool.submit(file.offsets, creators) for file in files.values()]
        events, put = {}, []
        for table, rows in zip(files, offsets, strict=True):
            # made here: what the threads of a pool hold goes back to the system with them
            columns = {name: np.empty(int(rows.result()[-1])) for name in _COLUMNS[table]}
            put += [pool.submit(files[table].put, name, values) for name, values in columns.items()]
            events[table] = Events(rows.result(), columns)
        for column in put:
            column.result()
        return replace(known.result(), posts=events["posts"], snapshots=events["snapshots"])


def by_features(folder: Path, creators: int, *, threads: int) -> pd.DataFrame:
    """All engagement and growth signals of `features`, on so many threads from the first read on."""
    histories = histories_of_rows(folder, creators, threads=threads)
    columns = engagement.engagement_signals(histories, threads=threads)
    columns |= growth.growth_signals(histories, threads=threads)
    return pd.DataFrame(columns, index=histories.creators.index)


def read_only(folder: Path, creators: int) -> pd.DataFrame:
    """Read every column that the signals need and add it up: what no engine can be faster than."""
    sums = {}
    for table in ("creators", "posts", "snapshots"):
        file = pq.read_table(folder / f"{table}.parquet")
        for name in file.column_names:
            column = file[name]
            number = column if name != "platform" else pc.utf8_length(column)
            sums[f"{table}_{name}"] = pc.sum(number.cast("int64")).as_py()
    return pd.DataFrame(sums, index=range(creators))


def _enough(values: pd.Series, count: pd.Series, least: int) -> pd.Series:
    return values.where(count >= least)


def _apply_posts(posts: pd.DataFrame) -> pd.Series:
    posts = posts.sort_values("published_at")
    ripe = posts["observed_at"] - posts["published_at"] >= pd.Timedelta(days=2)
    counts = posts[list(_POST_COUNTS)].where(ripe)
    likes, comments, views = counts["likes"], counts["comments"], counts["views"]
    recent, followers = counts.tail(30), posts["followers"].iloc[0]
    seen, liked = recent["views"].where(recent["views"] > 0), recent["likes"].where(recent["likes"] > 0)
    gaps = posts["published_at"].diff().dt.total_seconds() / 86_400

    def median(values: pd.Series, least: int = 3) -> float:
        return values.median() if values.count() >= least else np.nan

    def gini(values: pd.Series) -> float:
        ordered = np.sort(values.dropna())
        ranks = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
        return (ranks * ordered).sum() / (ordered.size * ordered.sum()) if ordered.size >= 8 else np.nan

    def shape(value: float, values: pd.Series) -> float:
        return value if values.count() >= 8 else np.nan

    talk = np.log1p(comments) - np.log1p(likes)
    return pd.Series(
        {
            "engagement_rate_by_followers_median_30p": median((recent["likes"] + recent["comments"]) / followers),
            "like_rate_by_followers_median_30p": median(recent["likes"] / followers),
            "comment_rate_by_followers_median_30p": median(recent["comments"] / followers),
            "engagement_rate_by_views_median_30p": median((recent["likes"] + recent["comments"]) / seen),
            "comments_per_like_median_30p": median(recent["comments"] / liked),
            "shares_per_like_median_30p": median(recent["shares"] / liked),
            "likes_cv_all": shape(likes.std() / likes.mean(), likes),
            "likes_gini_all": gini(likes),
            "likes_max_to_median_all": likes.max() / median(likes, 8),
            "likes_p10_to_median_all": likes.quantile(0.1) / median(likes, 8),
            "comments_zero_share_all": shape((comments.dropna() == 0).mean(), comments),
            "comments_per_like_log_mad_all": median((talk - talk.median()).abs(), 8),
            "likes_comments_correlation_all": shape(np.log1p(likes).corr(np.log1p(comments)), talk),
            "views_gini_all": gini(views),
            "views_max_to_median_all": views.max() / median(views, 8),
            "posting_gap_median_all": median(gaps),
            "posting_gap_cv_all": shape(gaps.std() / gaps.mean(), gaps),
            "sponsored_share_all": posts["is_sponsored"].mean() if len(posts) >= 3 else np.nan,
        }
    )


def _apply_snapshots(rows: pd.DataFrame) -> pd.Series:
    rows = rows.sort_values("observed_at")
    followers, time = rows["followers"], rows["days"]
    days = time.diff().clip(lower=0.5)
    gain, before, last = followers.diff(), followers.shift(), time.iloc[-1]
    rate, won = gain / days, gain.dropna().clip(lower=0)
    size, share = followers.mean(), gain / before

    def growth_over(window: float) -> float:
        distance = (time - (last - window)).abs()
        then = distance.idxmin()
        if distance[then] > window / 4:
            return np.nan
        earlier = followers[then]
        return (followers.iloc[-1] - earlier) / earlier * window / (last - time[then])

    ordered = np.sort(won)
    ranks = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
    values = pd.Series(
        {
            "follower_growth_28d": growth_over(28),
            "follower_growth_90d": growth_over(90),
            "follower_gain_median_all": rate.median() / size,
            "follower_gain_mad_all": (rate - rate.median()).abs().median() / size,
            "follower_gain_max_step_share_all": share.max(),
            "follower_gain_max_step_of_gain_all": won.max() / won.sum(),
            "follower_gain_top3_steps_of_gain_all": won.nlargest(3).sum() / won.sum(),
            "follower_drop_max_share_all": max((-share).max(), 0),
            "follower_loss_day_share_all": (gain.dropna() < 0).mean(),
            "follower_gain_gini_all": (ranks * ordered).sum() / (ordered.size * ordered.sum()),
            "follower_curve_linearity_all": followers.corr(time) ** 2,
            "follower_gain_views_correlation_all": rate.corr(rows["total_views"].diff() / days),
        }
    )
    return values if len(won) >= 8 else values.where(values.index.isin(["follower_growth_28d", "follower_growth_90d"]))


def _pandas_rows(folder: Path, creators: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    followers = _read(folder, "creators", creators).set_index("creator")["followers"].astype("float64")
    posts = _read(folder, "posts", creators)
    posts = posts.astype(dict.fromkeys((*_POST_COUNTS, "is_sponsored"), "float64"))
    posts["followers"] = followers.where(followers > 0).reindex(posts["creator"]).to_numpy()
    snapshots = _read(folder, "snapshots", creators, ["creator", "observed_at", "followers", "total_views"])
    snapshots = snapshots.astype({"followers": "float64", "total_views": "float64"})
    snapshots["days"] = snapshots["observed_at"].dt.as_unit("us").astype("int64") / _DAY_US
    return posts, snapshots


def by_pandas_apply(folder: Path, creators: int) -> pd.DataFrame:
    """One function a creator, through `groupby().apply()`."""
    posts, snapshots = _pandas_rows(folder, creators)
    return pd.concat(
        [posts.groupby("creator").apply(_apply_posts), snapshots.groupby("creator").apply(_apply_snapshots)], axis=1
    )[list(SHARED)]


def _grouped_gini(values: pd.Series, creator: pd.Series) -> pd.Series:
    rows = pd.DataFrame({"creator": creator, "x": values}).dropna().sort_values(["creator", "x"])
    groups = rows.groupby("creator")["x"]
    count, total = groups.count(), groups.sum()
    weighted = rows["x"] * (2 * (groups.cumcount() + 1) - rows["creator"].map(count) - 1)
    return _enough(weighted.groupby(rows["creator"]).sum() / (count * total), count, 8)


def _grouped_correlation(x: pd.Series, y: pd.Series, creator: pd.Series) -> pd.Series:
    rows = pd.DataFrame({"creator": creator, "x": x, "y": y}).dropna()
    means = rows.groupby("creator")[["x", "y"]].transform("mean")
    a, b = rows["x"] - means["x"], rows["y"] - means["y"]
    sums = pd.DataFrame({"ab": a * b, "aa": a * a, "bb": b * b}).groupby(rows["creator"]).sum()
    return _enough(sums["ab"] / np.sqrt(sums["aa"] * sums["bb"]), rows.groupby("creator").size(), 8)


def _vectorised_posts(posts: pd.DataFrame) -> dict[str, pd.Series]:
    creator = posts["creator"]
    ripe = posts["observed_at"] - posts["published_at"] >= pd.Timedelta(days=2)
    counts = posts[list(_POST_COUNTS)].where(ripe)
    recent = posts.groupby("creator").cumcount(ascending=False) < 30
    likes, comments, views = counts["likes"], counts["comments"], counts["views"]
    seen, liked = views.where(views > 0), likes.where(likes > 0)
    gaps = posts["published_at"].diff().dt.total_seconds() / 86_400
    gaps = gaps.where(creator.eq(creator.shift()))
    talk = np.log1p(comments) - np.log1p(likes)
    spread = (talk - talk.groupby(creator).transform("median")).abs()

    def of(values: pd.Series) -> "pd.api.typing.SeriesGroupBy[Any, Any]":
        return values.groupby(creator)

    def median(values: pd.Series, least: int = 3) -> pd.Series:
        return _enough(of(values).median(), of(values).count(), least)

    def recent_median(values: pd.Series) -> pd.Series:
        return median(values.where(recent))

    def cv(values: pd.Series) -> pd.Series:
        return _enough(of(values).std() / of(values).mean(), of(values).count(), 8)

    return {
        "engagement_rate_by_followers_median_30p": recent_median((likes + comments) / posts["followers"]),
        "like_rate_by_followers_median_30p": recent_median(likes / posts["followers"]),
        "comment_rate_by_followers_median_30p": recent_median(comments / posts["followers"]),
        "engagement_rate_by_views_median_30p": recent_median((likes + comments) / seen),
        "comments_per_like_median_30p": recent_median(comments / liked),
        "shares_per_like_median_30p": recent_median(counts["shares"] / liked),
        "likes_cv_all": cv(likes),
        "likes_gini_all": _grouped_gini(likes, creator),
        "likes_max_to_median_all": of(likes).max() / median(likes, 8),
        "likes_p10_to_median_all": of(likes).quantile(0.1) / median(likes, 8),
        "comments_zero_share_all": _enough(
            of((comments == 0).astype("float64").where(comments.notna())).mean(), of(comments).count(), 8
        ),
        "comments_per_like_log_mad_all": median(spread, 8),
        "likes_comments_correlation_all": _grouped_correlation(np.log1p(likes), np.log1p(comments), creator),
        "views_gini_all": _grouped_gini(views, creator),
        "views_max_to_median_all": of(views).max() / median(views, 8),
        "posting_gap_median_all": median(gaps),
        "posting_gap_cv_all": cv(gaps),
        "sponsored_share_all": _enough(of(posts["is_sponsored"]).mean(), of(posts["is_sponsored"]).count(), 3),
    }


def _vectorised_snapshots(rows: pd.DataFrame) -> dict[str, pd.Series]:
    creator, followers, time = rows["creator"], rows["followers"], rows["days"]
    same = creator.eq(creator.shift())
    days = time.diff().clip(lower=0.5)
    gain, before = followers.diff().where(same), followers.shift().where(same)
    rate, won, share = gain / days, gain.clip(lower=0), gain / before.where(before > 0)
    count = gain.groupby(creator).count()
    size, total = followers.groupby(creator).mean(), won.groupby(creator).sum()
    spread = (rate - rate.groupby(creator).transform("median")).abs()
    lasts = rows.groupby("creator").last()
    end = creator.map(lasts["days"])
    largest = won.groupby(creator).rank(method="first", ascending=False) <= 3

    def growth_over(window: float) -> pd.Series:
        distance = (time - (end - window)).abs()
        then = rows.loc[distance.groupby(creator).idxmin()].set_index("creator")
        near = distance.groupby(creator).min() <= window / 4
        growth = (lasts["followers"] - then["followers"]) / then["followers"] * window / (lasts["days"] - then["days"])
        return growth.where(near)

    def least(values: pd.Series) -> pd.Series:
        return _enough(values, count, 8)

    return {
        "follower_growth_28d": growth_over(28),
        "follower_growth_90d": growth_over(90),
        "follower_gain_median_all": least(rate.groupby(creator).median() / size),
        "follower_gain_mad_all": least(spread.groupby(creator).median() / size),
        "follower_gain_max_step_share_all": least(share.groupby(creator).max()),
        "follower_gain_max_step_of_gain_all": least(won.groupby(creator).max() / total),
        "follower_gain_top3_steps_of_gain_all": least(won.where(largest).groupby(creator).sum() / total),
        "follower_drop_max_share_all": least((-share).groupby(creator).max().clip(lower=0)),
        "follower_loss_day_share_all": least((gain < 0).astype("float64").where(same).groupby(creator).mean()),
        "follower_gain_gini_all": _grouped_gini(won, creator),
        "follower_curve_linearity_all": _grouped_correlation(followers, time, creator) ** 2,
        "follower_gain_views_correlation_all": _grouped_correlation(
            rate, rows["total_views"].diff().where(same) / days, creator
        ),
    }


def by_pandas(folder: Path, creators: int) -> pd.DataFrame:
    """Whole columns at a time, through the aggregations of `groupby` that are compiled."""
    posts, snapshots = _pandas_rows(folder, creators)
    return pd.DataFrame({**_vectorised_posts(posts), **_vectorised_snapshots(snapshots)})[list(SHARED)]


def by_polars(folder: Path, creators: int) -> pd.DataFrame:
    """A lazy query each for posts and snapshots, on all cores."""
    import polars as pl  # noqa: PLC0415 - an extra

    col, creator = pl.col, pl.col("creator")
    same = creator == creator.shift()

    def rows(table: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / f"{table}.parquet").filter(creator < creators)

    def least(value: pl.Expr, counted: pl.Expr, number: int) -> pl.Expr:
        return pl.when(counted.count() >= number).then(value)

    def median(value: pl.Expr, number: int = 3) -> pl.Expr:
        return least(value.median(), value, number)

    def positive(name: str) -> pl.Expr:
        return pl.when(col(name) > 0).then(col(name))

    def recent(value: pl.Expr) -> pl.Expr:
        return median(value.filter(col("recent")))

    def gini(name: str) -> pl.Expr:
        x = col(name).drop_nulls().sort().cast(pl.Float64)
        ranks = 2 * pl.int_range(1, x.len() + 1) - x.len() - 1
        return least((ranks * x).sum() / (x.len() * x.sum()), col(name), 8)

    def correlation(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        both = a.is_not_null() & b.is_not_null()
        return least(pl.corr(a.filter(both), b.filter(both)), a.filter(both), 8)

    def cv(name: str) -> pl.Expr:
        return least(col(name).std() / col(name).mean(), col(name), 8)

    ripe = col("observed_at") - col("published_at") >= pl.duration(days=2)
    gap = col("published_at").diff().dt.total_microseconds() / _DAY_US
    posts = (
        rows("posts")
        .join(
            rows("creators").select("creator", positive("followers").alias("followers")),
            on="creator",
            maintain_order="left",
        )
        .with_columns(
            *(pl.when(ripe).then(col(name)).alias(name) for name in _POST_COUNTS),
            creator.cum_count(reverse=True).over("creator").le(30).alias("recent"),
            pl.when(same).then(gap).alias("gap"),
        )
        .with_columns((col("comments").log1p() - col("likes").log1p()).alias("talk"))
        .group_by("creator")
        .agg(
            recent((col("likes") + col("comments")) / col("followers")).alias(
                "engagement_rate_by_followers_median_30p"
            ),
            recent(col("likes") / col("followers")).alias("like_rate_by_followers_median_30p"),
            recent(col("comments") / col("followers")).alias("comment_rate_by_followers_median_30p"),
            recent((col("likes") + col("comments")) / positive("views")).alias("engagement_rate_by_views_median_30p"),
            recent(col("comments") / positive("likes")).alias("comments_per_like_median_30p"),
            recent(col("shares") / positive("likes")).alias("shares_per_like_median_30p"),
            cv("likes").alias("likes_cv_all"),
            gini("likes").alias("likes_gini_all"),
            (col("likes").max() / median(col("likes"), 8)).alias("likes_max_to_median_all"),
            (col("likes").quantile(0.1, "linear") / median(col("likes"), 8)).alias("likes_p10_to_median_all"),
            least((col("comments") == 0).mean(), col("comments"), 8).alias("comments_zero_share_all"),
            median((col("talk") - col("talk").median()).abs(), 8).alias("comments_per_like_log_mad_all"),
            correlation(col("likes").log1p(), col("comments").log1p()).alias("likes_comments_correlation_all"),
            gini("views").alias("views_gini_all"),
            (col("views").max() / median(col("views"), 8)).alias("views_max_to_median_all"),
            median(col("gap")).alias("posting_gap_median_all"),
            cv("gap").alias("posting_gap_cv_all"),
            least(col("is_sponsored").mean(), col("is_sponsored"), 3).alias("sponsored_share_all"),
        )
    )
    days = col("days").diff().clip(lower_bound=0.5)
    gain = pl.when(same).then(col("followers").diff())
    share = gain / pl.when(col("followers").shift() > 0).then(col("followers").shift())

    def growth_over(window: float) -> pl.Expr:
        distance = (col("days") - (col("days").last() - window)).abs()
        then = distance.arg_min()
        earlier, last = col("followers").get(then), col("followers").last()
        scaled = (last - earlier) / earlier * window / (col("days").last() - col("days").get(then))
        return pl.when(distance.min() <= window / 4).then(scaled)

    snapshots = (
        rows("snapshots")
        .with_columns(
            col("followers").cast(pl.Float64), (col("observed_at").dt.timestamp("us") / _DAY_US).alias("days")
        )
        .with_columns(
            gain.alias("gain"),
            gain.clip(lower_bound=0).alias("won"),
            (gain / days).alias("rate"),
            share.alias("share"),
            (pl.when(same).then(col("total_views").diff()) / days).alias("view_rate"),
        )
        .group_by("creator")
        .agg(
            growth_over(28).alias("follower_growth_28d"),
            growth_over(90).alias("follower_growth_90d"),
            *(
                least(value, col("gain"), 8).alias(name)
                for name, value in {
                    "follower_gain_median_all": col("rate").median() / col("followers").mean(),
                    "follower_gain_mad_all": (col("rate") - col("rate").median()).abs().median()
                    / col("followers").mean(),
                    "follower_gain_max_step_share_all": col("share").max(),
                    "follower_gain_max_step_of_gain_all": col("won").max() / col("won").sum(),
                    "follower_gain_top3_steps_of_gain_all": col("won").top_k(3).sum() / col("won").sum(),
                    "follower_drop_max_share_all": (-col("share")).max().clip(0),
                    "follower_loss_day_share_all": (col("gain") < 0).mean(),
                    "follower_gain_gini_all": gini("won"),
                    "follower_curve_linearity_all": pl.corr("followers", "days") ** 2,
                    "follower_gain_views_correlation_all": correlation(col("rate"), col("view_rate")),
                }.items()
            ),
        )
    )
    found = pl.collect_all([posts, snapshots])
    frame = found[0].join(found[1], on="creator", how="full", coalesce=True).sort("creator")
    return pd.DataFrame(
        {name: frame[name].to_numpy() for name in SHARED}, index=pd.Index(frame["creator"].to_numpy(), name="creator")
    )


_POSTS_SQL = """
with ripe as (
    select creator, published_at, is_sponsored, nullif(creators.followers, 0)::double as followers,
        posts.observed_at - published_at >= interval 2 day as ready,
        case when ready then likes end as likes, case when ready then comments end as comments,
        case when ready then views end as views, case when ready then shares end as shares,
    from read_parquet('{folder}/posts.parquet') as posts
    join read_parquet('{folder}/creators.parquet') as creators using (creator)
    where creator < {creators}
), rows as (
    select *, ln(1 + likes) as log_likes, ln(1 + comments) as log_comments, log_comments - log_likes as talk,
        nullif(likes, 0) as liked, nullif(views, 0) as seen,
        row_number() over (partition by creator order by published_at desc) <= 30 as recent,
        (epoch_us(published_at) - lag(epoch_us(published_at)) over (partition by creator order by published_at))
            / 8.64e10 as gap,
        2 * row_number() over (partition by creator order by likes) - 1 as likes_rank,
        2 * row_number() over (partition by creator order by views) - 1 as views_rank,
    from ripe
)
select creator,
    case when count(likes + comments) filter (recent) >= 3
        then median((likes + comments) / followers) filter (recent) end as engagement_rate_by_followers_median_30p,
    case when count(likes) filter (recent) >= 3
        then median(likes / followers) filter (recent) end as like_rate_by_followers_median_30p,
    case when count(comments) filter (recent) >= 3
        then median(comments / followers) filter (recent) end as comment_rate_by_followers_median_30p,
    case when count((likes + comments) / seen) filter (recent) >= 3
        then median((likes + comments) / seen) filter (recent) end as engagement_rate_by_views_median_30p,
    case when count(comments / liked) filter (recent) >= 3
        then median(comments / liked) filter (recent) end as comments_per_like_median_30p,
    case when count(shares / liked) filter (recent) >= 3
        then median(shares / liked) filter (recent) end as shares_per_like_median_30p,
    case when count(likes) >= 8 then stddev_samp(likes) / avg(likes) end as likes_cv_all,
    case when count(likes) >= 8
        then (sum(likes_rank * likes) / sum(likes) - count(likes)) / count(likes) end as likes_gini_all,
    case when count(likes) >= 8 then max(likes) / median(likes) end as likes_max_to_median_all,
    case when count(likes) >= 8 then quantile_cont(likes, 0.1) / median(likes) end as likes_p10_to_median_all,
    case when count(comments) >= 8 then avg((comments = 0)::int) end as comments_zero_share_all,
    case when count(talk) >= 8 then mad(talk) end as comments_per_like_log_mad_all,
    case when count(talk) >= 8 then corr(log_likes, log_comments) end as likes_comments_correlation_all,
    case when count(views) >= 8
        then (sum(views_rank * views) / sum(views) - count(views)) / count(views) end as views_gini_all,
    case when count(views) >= 8 then max(views) / median(views) end as views_max_to_median_all,
    case when count(gap) >= 3 then median(gap) end as posting_gap_median_all,
    case when count(gap) >= 8 then stddev_samp(gap) / avg(gap) end as posting_gap_cv_all,
    case when count(is_sponsored) >= 3 then avg(is_sponsored::int) end as sponsored_share_all,
from rows group by creator
"""

_SNAPSHOTS_SQL = """
with timed as (
    select creator, followers::double as followers, total_views, epoch_us(observed_at) / 8.64e10 as days,
    from read_parquet('{folder}/snapshots.parquet') where creator < {creators}
), steps as (
    select *, greatest(days - lag(days) over time, 0.5) as step, followers - lag(followers) over time as gain,
        gain / nullif(lag(followers) over time, 0) as share, gain / step as rate,
        case when gain is not null then greatest(gain, 0) end as won,
        (total_views - lag(total_views) over time) / step as view_rate,
        last_value(days) over everything - days as age, last_value(followers) over everything as latest,
    from timed
    window time as (partition by creator order by days),
        everything as (partition by creator order by days rows between unbounded preceding and unbounded following)
), rows as (
    select *, case when gain is not null
        then 2 * row_number() over (partition by creator order by won nulls last) - 1 end as won_rank,
    from steps
)
select creator,
    any_value(latest) as latest_, arg_min(followers, abs(age - 28)) as before_28, arg_min(age, abs(age - 28)) as age_28,
    arg_min(followers, abs(age - 90)) as before_90, arg_min(age, abs(age - 90)) as age_90,
    case when abs(age_28 - 28) <= 7 then (latest_ - before_28) / before_28 * 28 / age_28 end as follower_growth_28d,
    case when abs(age_90 - 90) <= 22.5 then (latest_ - before_90) / before_90 * 90 / age_90 end as follower_growth_90d,
    case when count(gain) >= 8 then median(rate) / avg(followers) end as follower_gain_median_all,
    case when count(gain) >= 8 then mad(rate) / avg(followers) end as follower_gain_mad_all,
    case when count(gain) >= 8 then max(share) end as follower_gain_max_step_share_all,
    case when count(gain) >= 8 then max(won) / sum(won) end as follower_gain_max_step_of_gain_all,
    case when count(gain) >= 8 then list_sum(max(won, 3)) / sum(won) end as follower_gain_top3_steps_of_gain_all,
    case when count(gain) >= 8 then greatest(max(-share), 0) end as follower_drop_max_share_all,
    case when count(gain) >= 8 then avg((gain < 0)::int) end as follower_loss_day_share_all,
    case when count(gain) >= 8
        then (sum(won_rank * won) / sum(won) - count(gain)) / count(gain) end as follower_gain_gini_all,
    case when count(gain) >= 8 then corr(followers, days) ** 2 end as follower_curve_linearity_all,
    case when count(gain) >= 8 then corr(rate, view_rate) end as follower_gain_views_correlation_all,
from rows group by creator
"""


def by_duckdb(folder: Path, creators: int) -> pd.DataFrame:
    """A query each for posts and snapshots, on all cores."""
    import duckdb  # noqa: PLC0415 - an extra

    with duckdb.connect() as connection:
        posts, snapshots = (
            connection.execute(query.format(folder=folder, creators=creators)).df().set_index("creator")
            for query in (_POSTS_SQL, _SNAPSHOTS_SQL)
        )
    return posts.join(snapshots, how="outer").sort_index()[list(SHARED)]


def _by_tsfresh(folder: Path, creators: int, parameters: str) -> pd.DataFrame:
    from tsfresh import extract_features, feature_extraction  # noqa: PLC0415 - an extra

    posts = _read(folder, "posts", creators)
    ripe = posts["observed_at"] - posts["published_at"] >= pd.Timedelta(days=2)
    long = (
        posts[ripe]
        .melt(["creator", "published_at"], ["likes", "comments"], var_name="kind")
        .dropna()
        .astype({"value": "float64"})
    )
    return extract_features(
        long,
        column_id="creator",
        column_sort="published_at",
        column_kind="kind",
        column_value="value",
        default_fc_parameters=getattr(feature_extraction, parameters)(),
        n_jobs=0,
        disable_progressbar=True,
    )


def _named_by_us(features: pd.DataFrame) -> pd.DataFrame:
    """Signals of ours that follow from tsfresh's features, beside them; tsfresh knows no least number of values."""
    median, count = features["likes__median"], features["likes__length"]
    named = {
        "likes_max_to_median_all": features["likes__maximum"] / median,
        "likes_cv_all": features["likes__standard_deviation"] * np.sqrt(count / (count - 1)) / features["likes__mean"],
    }
    tenth = "likes__quantile__q_0.1"
    if tenth in features:
        named["likes_p10_to_median_all"] = features[tenth] / median
    return features.assign(**{name: _enough(values, count, 8) for name, values in named.items()})


def by_tsfresh_minimal(folder: Path, creators: int) -> pd.DataFrame:
    """`MinimalFCParameters` of likes and comments, in one process."""
    return _named_by_us(_by_tsfresh(folder, creators, "MinimalFCParameters"))


def by_tsfresh_efficient(folder: Path, creators: int) -> pd.DataFrame:
    """`EfficientFCParameters` of likes and comments, in one process."""
    return _named_by_us(_by_tsfresh(folder, creators, "EfficientFCParameters"))


def contenders(threads: int) -> list[Contender]:
    """Everything that is compared, in the order it is shown."""
    numeric = len(engagement.SIGNALS) + len(growth.SIGNALS)
    return [
        Contender("reading the columns", read_only, 0),
        Contender("realreach, 1 thread", partial(by_features, threads=1), numeric),
        Contender(f"realreach, {threads} threads", partial(by_features, threads=threads), numeric),
        Contender("polars", by_polars, len(SHARED), needs="polars"),
        Contender("DuckDB", by_duckdb, len(SHARED), needs="duckdb"),
        Contender("pandas groupby", by_pandas, len(SHARED)),
        Contender("pandas groupby-apply", by_pandas_apply, len(SHARED), sample=500),
        Contender("tsfresh Minimal", by_tsfresh_minimal, 20, needs="tsfresh", sample=500),
        Contender("tsfresh Efficient", by_tsfresh_efficient, 1_554, needs="tsfresh", sample=20),
    ]
