import numpy as np
import pandas as pd
import pytest

from features.histories import make_histories
from features.roles import roles
from features.tables import Tables, check_tables

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")


def tables_of(platform: str, captions: list[str], followers: int = 20_000) -> Tables:
    posts = pd.DataFrame(
        {
            "creator_id": "an",
            "post_id": [f"p{number}" for number in range(len(captions))],
            "published_at": pd.date_range("2026-01-01", periods=len(captions), freq="D", tz="UTC"),
            "likes": 1,
            "comments": 0,
            "caption": captions,
        }
    )
    creators = pd.DataFrame({"creator_id": ["an"], "platform": platform, "followers": followers})
    return check_tables({"creators": creators, "posts": posts})


def role_of(tables: Tables, growth: float = np.nan, as_of: pd.Timestamp = AS_OF) -> str | None:
    found = roles(make_histories(tables, as_of, imported_at=as_of), np.array([growth]))["role"].iloc[0]
    return None if pd.isna(found) else str(found)


@pytest.mark.parametrize(
    ("platform", "captions", "role"),
    [
        ("tiktok", ["review son mới", "trời đẹp"] * 5, "reviewer"),
        ("tiktok", ["mình dùng hết 3 tuýp", "trời đẹp"] * 5, "koc"),
        ("instagram", ["lookbook mùa thu", "photoshoot hôm nay"] * 5, "model"),
        ("instagram", ["học sinh cấp ba", "trời đẹp"] * 5, "hot_teen"),
        ("facebook", ["giá 200k, inbox đặt hàng"] * 8, "seeder"),
        ("facebook", ["chia sẻ kinh nghiệm chăm con", "trời đẹp"] * 5, "blogger"),
        ("youtube", ["VLOG 12: Đà Lạt", "trời đẹp"] * 5, "vlogger"),
        ("youtube", ["test du Galaxy S30, mon avis"] * 8, "reviewer"),
        ("youtube", ["lookbook"] * 8, None),  # a role of another platform
        ("instagram", ["trời đẹp"] * 8, None),
        ("instagram", ["lookbook"] * 7, None),  # too little
    ],
)
def test_roles_by_what_is_written(platform: str, captions: list[str], role: str | None) -> None:
    assert role_of(tables_of(platform, captions)) == role


def test_roles_by_followers() -> None:
    assert role_of(tables_of("tiktok", ["trời đẹp"] * 8), growth=0.2) == "rising_creator"
    assert role_of(tables_of("tiktok", ["review son"] * 8), growth=0.2) == "reviewer"
    assert role_of(tables_of("facebook", ["trời đẹp"] * 8, followers=500)) == "ordinary_user"
    assert role_of(tables_of("facebook", ["trời đẹp"] * 8)) is None


def test_what_comes_after_changes_nothing() -> None:
    tables = tables_of("tiktok", ["trời đẹp"] * 10 + ["review son"] * 10)
    assert role_of(tables, as_of=pd.Timestamp("2026-01-10T12:00:00Z")) is None
    assert role_of(tables) == "reviewer"
