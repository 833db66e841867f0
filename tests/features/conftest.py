"""Small histories to compute signals from, and one larger random set of tables."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

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


def _tables_of(
    posts: pd.DataFrame | None = None,
    snapshots: pd.DataFrame | None = None,
    *,
    followers: int | None = 1000,
    **profile: object,
) -> Tables:
    """Tables of one creator, "c1", whose profile was seen before everything else."""
    none = _posts("c1", []).astype({"creator_id": "str"})
    tables = {
        "creators": _creators({"c1": followers}, observed_at=pd.Timestamp("2025-12-01T00:00:00Z"), **profile),
        "posts": none if posts is None else posts,
    }
    if snapshots is not None:
        tables["snapshots"] = snapshots
    return check_tables(tables)


def _signals_of(
    posts: pd.DataFrame | None = None,
    snapshots: pd.DataFrame | None = None,
    *,
    followers: int | None = 1000,
    **profile: object,
) -> pd.Series:
    """Signals of one creator, "c1", as of AS_OF."""
    tables = _tables_of(posts, snapshots, followers=followers, **profile)
    return compute_signals(make_histories(tables, AS_OF, imported_at=AS_OF)).loc["c1"]


#: What random creators and their public write: every kind of caption and comment that a signal speaks of.
_CAPTIONS = (
    "Honest review of this serum: I love the texture, but it is sticky and too expensive {word}",
    "Review chân thật: kem này rất tốt, thấm nhanh nhưng mùi hơi khó chịu {word}",
    "I love this cream, so good, highly recommend it {word} #skincare #beauty",
    "Sản phẩm tệ, thất vọng lắm, không nên mua {word}",
    "Use my code {word} for 20% off, shop now, link in bio",
    "Mã giảm giá {word}, mua ngay kẻo hết, link ở bio nhé",
    "#ad Paid partnership with @{word}: my favourite sunscreen",
    "Quảng cáo: hợp tác cùng @{word}, chống nắng cực thích #quangcao",
    "Thank you @{word} for sending me this gift, use my code SAVE10",
    "GIVEAWAY! Follow, like and tag 3 friends to win {word}",
    "Minigame tặng quà: theo dõi và tag bạn bè để nhận {word}",
    "My day today: woke up early, had coffee with my mom and walked along the river {word}",
    "Hôm nay mình dậy sớm, uống cà phê với mẹ rồi đi dạo bờ sông {word}",
    "New video is up https://example.org/{word} tell me what you think?",
    "Same caption every week for everybody who follows along",
)
_COMMENTS = (
    "nice",
    "đẹp quá",
    "🔥🔥🔥",
    "😍",
    "great post!",
    "Where did you buy this {word}? I have been looking for it",
    "Da mình nhạy cảm thì dùng {word} được không bạn?",
    "@{word} look at this",
    "I tried the {word} last month and it did nothing for my skin, too bad",
    "Cảm ơn bạn, video về {word} rất có ích cho mình",
    "Follow me for cheap followers {word}",
    "love it so much {word}",
)
_WORDS = "river lamp orange candle mountain lụa trà nắng biển gương violet paper garden hoa bếp window".split()


def _written(rng: np.random.Generator, sentences: Sequence[str], count: int) -> list[str]:
    chosen, words = rng.integers(0, len(sentences), count), rng.integers(0, len(_WORDS), count)
    return [sentences[which].format(word=_WORDS[word]) for which, word in zip(chosen, words, strict=True)]


def _random_comments(rng: np.random.Generator, posts: pd.DataFrame, count: int, authors: Sequence[str]) -> pd.DataFrame:
    """Comments under a creator's posts, from a minute to some days after them, the creator's own answers among them."""
    under = posts.iloc[rng.integers(0, len(posts), count)]
    delay = pd.to_timedelta(np.rint(np.exp(rng.normal(10, 2, count)) + 60), unit="s")
    usual = rng.choice(np.asarray(authors), count)
    own = rng.random(count) < 0.1
    return pd.DataFrame(
        {
            "creator_id": under["creator_id"].to_numpy(),
            "post_id": under["post_id"].to_numpy(),
            "comment_id": [f"m{number}" for number in range(count)],
            "author_id": np.where(own, under["creator_id"], usual),
            "published_at": np.minimum((under["published_at"] + delay.to_numpy()), AS_OF),
            "text": _written(rng, _COMMENTS, count),
            "likes": rng.poisson(1.5, count),
        }
    )


def _random_audience(rng: np.random.Generator, creator_id: str, count: int) -> pd.DataFrame:
    """Accounts around a creator, of ordinary people and of bots."""
    bot = rng.random(count) < 0.3
    length = rng.integers(5, 16, count)
    return pd.DataFrame(
        {
            "creator_id": creator_id,
            "account_id": [f"{creator_id}a{number}" for number in range(count)],
            "relation": rng.choice(np.array(["follower", "liker", "commenter"]), count),
            "followers": np.floor(np.exp(rng.normal(np.where(bot, 3.5, 6), 1))),
            "following": np.floor(np.exp(rng.normal(np.where(bot, 7.4, 6), 0.6))),
            "posts_count": np.where(bot, rng.integers(0, 4, count), rng.integers(5, 400, count)),
            "bio_length": np.where(rng.random(count) < 0.4, 0, rng.integers(1, 150, count)),
            "username_length": length,
            "username_digits": np.where(bot, rng.integers(0, 5, count), rng.integers(0, 2, count)),
            "has_picture": rng.random(count) < np.where(bot, 0.7, 0.99),
            "is_private": rng.random(count) < 0.4,
            "is_verified": rng.random(count) < 0.02,
            "is_business": rng.random(count) < 0.1,
            "has_external_url": rng.random(count) < 0.1,
        }
    )


def _rich_creator(rng: np.random.Generator, creator_id: str, creators: Sequence[str]) -> Tables:
    """60 posts and 130 daily snapshots with every column known, and a step of followers every 11 days."""
    count, days = 60, 130
    gaps = rng.lognormal(0, 1.2, count)
    published = AS_OF - pd.to_timedelta(np.rint(86_400 * (4 + 150 * np.cumsum(gaps)[::-1] / gaps.sum())), unit="s")
    likes = np.floor(900 * rng.lognormal(0, 0.6, count)) + 50
    posts = pd.DataFrame(
        {
            "creator_id": creator_id,
            "post_id": [f"p{number:02d}" for number in range(count)],
            "published_at": published,
            "observed_at": AS_OF,
            "kind": rng.choice(np.array(["photo", "video", "carousel", "short"]), count),
            "caption": _written(rng, _CAPTIONS, count),
            "likes": likes,
            "comments": np.floor(likes * rng.uniform(0.01, 0.06, count)),
            "views": np.floor(likes * rng.lognormal(2, 0.3, count)),
            "shares": np.floor(likes * rng.uniform(0.01, 0.03, count)) + 1,
            "saves": np.floor(likes * rng.uniform(0.02, 0.05, count)) + 1,
            "is_sponsored": rng.random(count) < 0.5,
        }
    )
    posts["sponsor"] = pd.Series(np.where(posts["is_sponsored"], rng.choice(np.array(["Lumi", "Sora"]), count), None))
    start = int(rng.integers(0, 11))
    gains = rng.poisson(80, days) - rng.poisson(30, days) + np.where(np.arange(days) % 11 == start, 4000, 0)
    snapshots = pd.DataFrame(
        {
            "creator_id": creator_id,
            "observed_at": pd.date_range(end=AS_OF - pd.Timedelta("15h"), periods=days, freq="D")
            + pd.to_timedelta(rng.integers(0, 400, days), unit="min"),
            "followers": 20_000 + np.cumsum(gains),
            "following": 300 + rng.integers(0, 40, days),
            "posts_count": 500 + np.arange(days) // 3,
            "total_views": 1_000_000 + np.cumsum(rng.poisson(9000, days)),
        }
    )
    authors = [f"u{number}" for number in range(60)] + [other for other in creators if other != creator_id]
    profile = pd.DataFrame(
        {
            "creator_id": [creator_id],
            "platform": rng.choice(np.array(["instagram", "tiktok", "youtube", "facebook"])),
            "bio": "Skincare and coffee, Hà Nội",
            "niche": "beauty",
            "language": rng.choice(np.array(["en", "vi"])),
            "followers": snapshots["followers"].iloc[-1],
            "following": 320,
            "posts_count": 543,
            "created_at": pd.Timestamp("2019-05-01T00:00:00Z"),
            "observed_at": AS_OF - pd.Timedelta("40D"),
        }
    )
    return {
        "creators": profile,
        "posts": posts,
        "snapshots": snapshots,
        "comments": _random_comments(rng, posts, 400, authors),
        "audience": _random_audience(rng, creator_id, 240),
    }


def _rich_tables(creators: int, seed: int) -> Tables:
    """Creators who carry every signal."""
    ids = [f"r{number:02d}" for number in range(creators)]
    parts = [_rich_creator(np.random.default_rng([seed, number]), name, ids) for number, name in enumerate(ids)]
    return check_tables({table: pd.concat([part[table] for part in parts], ignore_index=True) for table in parts[0]})


def _random_tables(creators: int, seed: int) -> Tables:
    """Uneven histories: 1 to 300 posts, some observed twice, 0 to 120 snapshots, counts missing here and there.

    Every third creator has no comments and every fourth no sampled accounts.
    """
    rng = np.random.default_rng(seed)
    words = np.random.default_rng([seed, 1])  # its own, so that what is written moves no count
    posts, snapshots, profiles, comments, audience = [], [], [], [], []
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
        captions = np.array(_written(words, _CAPTIONS, count), dtype=object)
        frame["caption"] = np.where(words.random(count) < 0.1, None, captions)
        frame["kind"] = words.choice(np.array(["photo", "video", "short"]), count)
        if number % 3:
            authors = [f"u{person}" for person in words.integers(0, 500, 40)] + ["c001", "c002"]
            comments.append(_random_comments(words, frame, int(words.integers(1, 200)), authors))
        if number % 4:
            audience.append(_random_audience(words, creator_id, int(words.integers(1, 160))))
        early = frame[frame["observed_at"] < AS_OF].sample(frac=0.3, random_state=seed)
        early = early.assign(likes=np.floor(early["likes"] / 2), observed_at=early["published_at"] + pd.Timedelta("1D"))
        posts += [frame, early]
        days = int(rng.integers(0, 121))
        if days:
            gains = rng.poisson(followers / 500, days) - rng.poisson(followers / 900, days)
            gains[days // 3] += followers // 4 if number % 3 == 0 else 0
            gains[days // 3 :: 9] += followers // 20 if number % 6 == 0 else 0
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
            "comments": pd.concat(comments, ignore_index=True),
            "audience": pd.concat(audience, ignore_index=True),
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
def make() -> SimpleNamespace:
    """Makers of small histories by name, for cases that are written before a test asks for fixtures."""
    return SimpleNamespace(creators=_creators, posts=_posts, snapshots=_snapshots, tables=_tables_of)


@pytest.fixture(scope="session")
def rich_tables() -> Tables:
    return _rich_tables(creators=40, seed=5)


@pytest.fixture(scope="session")
def random_tables() -> Tables:
    return _random_tables(creators=40, seed=11)
