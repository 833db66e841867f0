"""The mappings that are shipped, against the files that they are for: counts and ranges only, no row is copied."""

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from features.sources.columns import ImportReport, import_tables, read_mapping
from features.tables import Tables

DATA = Path(os.environ.get("REALREACH_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real data of REALREACH_DATA (default ../shared/data) is absent"),
]


def imported(name: str) -> tuple[Tables, ImportReport]:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is absent in REALREACH_DATA")
    return import_tables(read_mapping(name), [DATA / name])


def rows(tables: Tables) -> dict[str, int]:
    return {name: len(frame) for name, frame in tables.items()}


def test_instagram_id2020() -> None:
    tables, report = imported("instagram_id2020")
    assert rows(tables) == {"creators": 521, "posts": 35_083}
    posts, creators = tables["posts"], tables["creators"]
    assert posts["creator_id"].nunique() == 383
    assert posts["kind"].value_counts().to_dict() == {"photo": 17_229, "video": 9_940, "carousel": 7_914}
    assert posts["published_at"].max() == posts["observed_at"].min() == pd.Timestamp("2020-07-12T11:38:47Z")
    assert posts["likes"].agg(["min", "max"]).tolist() == [148, 3_800_092]
    assert creators["followers"].agg(["min", "max"]).tolist() == [842_800, 33_500_000]
    assert creators["niche"].isna().sum() == 94
    assert all(not table.dropped for table in report.tables.values())


def test_tiktok_vn2025() -> None:
    tables, report = imported("tiktok_vn2025")
    assert rows(tables) == {"creators": 4_896, "posts": 8_674, "snapshots": 8_912}
    posts = tables["posts"]
    assert posts["post_id"].nunique() == 7_198
    assert posts["views"].agg(["min", "max"]).tolist() == [2_475, 218_900_000]
    assert tables["creators"]["followers"].isna().sum() == 2
    assert tables["snapshots"]["followers"].min() > 0
    assert sum(report.tables["posts"].dropped.values()) == 249
    assert posts["caption"].str.contains("#").mean() > 0.5
    # the upper half of an id is the second of its upload: independent of the time column and of its zone
    uploaded = pd.to_datetime(posts["post_id"].astype("int64") // 2**32, unit="s", utc=True)
    assert (posts["published_at"] == uploaded).all()


def test_a_video_that_was_crawled_again_has_two_observations_and_loses_no_likes() -> None:
    posts = imported("tiktok_vn2025")[0]["posts"].sort_values("observed_at")
    again = posts[posts.duplicated("post_id", keep=False)].groupby("post_id")
    assert len(again) == 1_476
    assert (again.size() == 2).all()
    assert (again["views"].last() >= again["views"].first() * 0.99).mean() > 0.99


def test_youtube_fr2026() -> None:
    tables, report = imported("youtube_fr2026")
    assert rows(tables) == {"creators": 180, "posts": 8_763, "snapshots": 3_691}
    posts, creators = tables["posts"], tables["creators"]
    assert posts["post_id"].nunique() == 5_573
    assert posts["kind"].value_counts().to_dict() == {"video": 6_356, "short": 2_403, "live": 4}
    # 73 hidden likes are empty and 129 are written as 0
    assert (posts["likes"].isna().sum(), posts["comments"].isna().sum()) == (202, 51)
    # days without a clock end before what they say is known
    assert tables["snapshots"]["observed_at"].dt.strftime("%H:%M:%S").eq("23:59:59").all()
    last = tables["snapshots"].sort_values("observed_at").groupby("creator_id")["followers"].last()
    assert creators.set_index("creator_id")["followers"].sort_index().equals(last)
    assert creators["country"].eq("FR").sum() == 150
    assert not report.tables["posts"].dropped


def test_facebook_th2018() -> None:
    tables, report = imported("facebook_th2018")
    assert rows(tables) == {"creators": 7, "posts": 5_533}
    posts = tables["posts"]
    assert posts["post_id"].is_unique
    assert tables["creators"]["followers"].isna().all()
    assert posts["kind"].value_counts().to_dict() == {"photo": 3_214, "video": 2_008, "text": 311}
    assert list(report.tables["posts"].dropped.values()) == [51, 2]
    assert posts["published_at"].agg(["min", "max"]).tolist() == [
        pd.Timestamp("2012-07-15T07:51Z"),
        pd.Timestamp("2018-06-13T06:12Z"),
    ]
    # pages list their posts newest first: only month before day keeps that order
    assert (posts.groupby("creator_id")["published_at"].diff() > pd.Timedelta(0)).sum() <= 1


def test_instagram_kim2020() -> None:
    tables, report = imported("instagram_kim2020")
    # 23,726 profiles, and 271 creators of whom only posts are there
    assert rows(tables) == {"creators": 23_997, "posts": 27_761, "comments": 362_187}
    creators, posts, comments = tables["creators"], tables["posts"], tables["comments"]
    assert creators["followers"].isna().sum() == creators["niche"].isna().sum() == 271
    assert creators["followers"].agg(["min", "max"]).tolist() == [1_000, 80_852_821]
    assert creators["niche"].value_counts().to_dict() == {
        "fashion": 8_318,
        "other": 4_020,
        "travel": 2_927,
        "family": 2_842,
        "food": 2_474,
        "beauty": 1_074,
        "interior": 844,
        "fitness": 794,
        "pet": 433,
    }
    assert posts["kind"].value_counts().to_dict() == {"photo": 24_534, "carousel": 3_227}
    assert posts["is_sponsored"].sum() == posts["sponsor"].notna().sum() == 149
    assert posts["observed_at"].min() == comments["published_at"].max() == pd.Timestamp("2019-08-29T11:18:46Z")
    # 20,709 by the owner of the post, and 2,944 by the same creators under posts of others
    assert (comments["author_id"] == comments["creator_id"]).sum() == 20_709
    assert comments["author_id"].isin(creators["creator_id"]).sum() == 20_709 + 2_944
    assert not report.tables["comments"].dropped


def test_youtube_weekly() -> None:
    tables, report = imported("youtube_weekly")
    assert rows(tables) == {"creators": 88, "posts": 0, "snapshots": 13_552}
    snapshots = tables["snapshots"]
    assert snapshots.groupby("creator_id").size().eq(154).all()
    assert tables["creators"]["followers"].isna().all()
    assert snapshots["observed_at"].agg(["min", "max"]).tolist() == [
        pd.Timestamp("2019-06-01T23:59:59Z"),
        pd.Timestamp("2022-05-07T23:59:59Z"),
    ]
    # no level is negative, and those of channels that YouTube rounds end in zeros
    levels = snapshots.sort_values("observed_at").groupby("creator_id")["followers"]
    assert (levels.min() >= 0).all()
    assert (levels.last() % 1000 == 0).mean() > 0.8
    assert snapshots["total_views"].isna().sum() == 1
    assert sum("unknown start" in note for note in report.notes) == 2


def test_35_000_rows_take_a_moment() -> None:
    imported("facebook_th2018")
    started = time.process_time()
    imported("instagram_id2020")
    assert time.process_time() - started < 2
