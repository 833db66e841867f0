"""Comment signals on comments few enough to count by hand."""

from collections.abc import Sequence
from functools import partial
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import comments
from features.comments import SIGNALS, comments_pointers, comments_signals
from features.histories import Histories, make_histories
from features.registry import Signal
from features.similarity import SIMILAR
from features.tables import Tables, check_tables

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
FIRST = pd.Timestamp("2026-01-01T12:00:00Z")

#: Author, text, post (number), seconds after the post, likes.
Row = tuple[str, str | None, int, int, int | None]

HONEST = """
Hôm qua mình ghé quán này mà đông quá trời
Con bé nhà mình cũng mê bộ phim đó lắm
Trời mưa vậy mà bạn vẫn đi quay được nể thật
Đoạn cuối video làm mình khóc luôn á
Nhà mình ở Đà Nẵng chưa thấy chỗ nào bán
Cuối tuần này lớp mình tổ chức đi cắm trại
Ba mẹ mình xem kênh này mỗi tối thứ bảy
Công thức này nếu thay bơ bằng dầu dừa thì sao
Lần trước làm theo bị cháy mất mẻ bánh đầu
My grandmother used to bake these every Sunday
We drove past that lighthouse on our honeymoon
The second recipe turned out better than the first
Finally somebody explains the tax rules in plain words
Rained the entire weekend but your garden survived
Our cat refuses to leave the box from last week
Missed the train because of this episode, no regrets
Halfway through the book you recommended in May
That jacket survived four winters in Norway
""".strip().splitlines()


def _comments(rows: Sequence[Row], creator_id: str = "c1") -> pd.DataFrame:
    authors, texts, posts, seconds, likes = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    published = [FIRST + pd.Timedelta(days=p, seconds=s) for p, s in zip(posts, seconds, strict=True)]
    return pd.DataFrame(
        {
            "creator_id": pd.Series([creator_id] * len(rows), dtype="str"),
            "post_id": pd.Series([f"p{post}" for post in posts], dtype="str"),
            "author_id": pd.Series(authors, dtype="str"),
            "published_at": pd.to_datetime(pd.Series(published, dtype="datetime64[us, UTC]")),
            "text": pd.Series(texts, dtype="str"),
            "likes": pd.array(likes, dtype="Int64"),
        }
    )


def _posts(creator_id: str = "c1", count: int = 3, captions: Sequence[str | None] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "creator_id": creator_id,
            "post_id": [f"p{post}" for post in range(count)],
            "published_at": pd.date_range(FIRST, periods=count, freq="1D"),
            "likes": 1,
            "comments": 1,
            "caption": pd.Series(captions if captions is not None else [None] * count, dtype="str"),
        }
    )


def _tables(rows: Sequence[Row], *, language: str | None = None, captions: Sequence[str] | None = None) -> Tables:
    creators = pd.DataFrame({"creator_id": ["c1"], "platform": "tiktok", "followers": 10, "language": language})
    posts = _posts(count=len(captions) if captions else 3, captions=captions)
    return check_tables({"creators": creators.astype({"language": "str"}), "posts": posts, "comments": _comments(rows)})


def _histories(tables: Tables) -> Histories:
    return make_histories(tables, AS_OF, imported_at=AS_OF)


def _signals(rows: Sequence[Row], **profile: object) -> dict[str, float]:
    found = comments_signals(_histories(_tables(rows, **profile)))
    return {name: float(values[0]) for name, values in found.items()}


def _texts(texts: Sequence[str | None]) -> list[Row]:
    """Every text by somebody else, spread over three posts, minutes apart."""
    return [(f"a{number}", text, number % 3, 60 * number, None) for number, text in enumerate(texts)]


def _copies() -> list[Row]:
    """25 comments that may be copies, and some that are too short for it.

    Three people fill one template in their ways, two write the same in other dress, one repeats herself twice.
    """
    template = "Mình dùng kem này được {} tuần rồi da sáng hẳn luôn"
    told = [("a1", template.format("hai")), ("a2", template.format("ba")), ("a3", template.format("mấy") + " á")]
    same = [("a4", "Shop ơi giao hàng nhanh thật đấy"), ("a5", "shop ơi GIAO HÀNG nhanh thậttt đấy!!! 😍 @mai")]
    again = [("a6", "Theo dõi kênh từ ngày đầu tiên")] * 3
    rows = [*told, *same, *again, *((f"b{number}", text) for number, text in enumerate(HONEST[:17]))]
    honest = [
        *("nice", "so beautiful", "Chúc mừng sinh nhật em nhé", "Happy birthday beautiful!! 🎂", "giving up so soon"),
        *("done @lan @mai", "#thửtháchbảyngàykhôngđường", "congratulations to you my dear"),  # 4 words besides the wish
    ]
    short = [(f"e{number}", text) for number, text in enumerate(honest * 2)]
    return [(author, text, n % 3, 60 * n, None) for n, (author, text) in enumerate([*rows, *short])]


def _words() -> list[Row]:
    """20 comments that say something, one without text, one of blanks and two of the creator's own."""
    texts = [
        *("😍😍", "🔥 🔥", "❤️"),  # emoji only: 3
        *("@lan @mai.nguyen", "@hoa 😍"),  # mentions only: 2
        *("Nice pic!!", "Đẹp quáaa chị ơi", "sooo beautiful 😍", "hóng"),  # generic: 4, and two of them short
        *(".", "Hà Nội"),  # short as well: 2
        *("Mua ở đâu vậy chị", "which lens was that?", "ghé thử bao nhiêu tiền một hộp"),  # questions: 3
        *("xem thêm tại bit.ly/abc nhé mọi người", "check my page for more shoes"),  # promotion: 2
        *HONEST[:4],
    ]
    assert len(texts) == 20
    own: list[Row] = [("c1", "cảm ơn bạn?", 0, 5, None), ("c1", "😍", 0, 6, None)]
    return [*_texts([*texts, None, " \n "]), *own]


def _pace() -> list[Row]:
    """21 comments in the first week of three posts, and two a day later than that."""
    seconds = {
        0: [60, 65, 600, 3600, 7200, 9000, 10_000, 8 * 86_400],
        1: [30, 3599, 10_800, 14_400, 14_409, 18_000, 20_000, 8 * 86_400],
        2: [3000, 40_000, 50_000, 60_000, 70_000, 80_000, 90_000],
    }
    return [(f"a{post}-{n}", None, post, s, None) for post, times in seconds.items() for n, s in enumerate(times)]


def _people() -> list[Row]:
    """20 comments by 14 people: one wrote 5 under two posts, one 2 under one, one 2 under two, and 11 wrote once."""
    wrote = [("a", 0), ("a", 0), ("a", 0), ("a", 1), ("a", 1), ("b", 0), ("b", 0), ("c", 0), ("c", 1)]
    once = [(f"d{number}", 2) for number in range(11)]
    return [(author, None, post, 100 * n, None) for n, (author, post) in enumerate([*wrote, *once])]


_CASES: dict[str, tuple[list[Row], dict[str, object]]] = {
    "copies": (_copies(), {}),
    "words": (_words(), {}),
    "lengths": (_texts(["abcd"] * 10 + ["abcdefgh ijklmnop"] * 10), {}),
    "pace": (_pace(), {}),
    "people": (_people(), {}),
    # gaps of one person: four of 30 s, six of 60 s; of another: none
    "again and again": (
        [("a", None, 0, s, None) for s in (0, 30, 60, 90, 120, 180, 240, 300, 360, 420, 480)] + [("b", None, 0, 9, 0)],
        {},
    ),
    "owner": ([("c1" if n < 4 else f"a{n}", None, 0, n, None) for n in range(20)], {}),
    "likes": ([(f"a{n}", None, 0, n, 0 if n < 15 else n) for n in range(20)] + [("z", None, 0, 99, None)], {}),
    # 15 Vietnamese, 4 English, 1 Thai; of the rest nobody can tell
    "languages": (
        _texts(
            [
                *HONEST[:9],
                *("dep qua chi oi", "mua o dau vay ban", "thich cai nay qua", "em cung muon mua cho minh qua"),
                *("Ở Huế", "sữa"),
                *("I love this so much", "what a great shot this is", "you look amazing", "this is so cute"),
                *("สวยมากเลย", "haha", "😍", "12", "wow", "hola guapa que tal"),
            ]
        ),
        {"language": "vi-VN"},
    ),
}

#: Every signal: the case above, and what it comes to.
HAND: dict[str, tuple[str, float]] = {
    "comment_near_duplicate_share_all": ("copies", (3 + 2) / 25),
    "comment_near_duplicate_largest_share_all": ("copies", 3 / 25),
    "comment_exact_duplicate_share_all": ("copies", 2 / 25),
    "comment_author_copies_self_share_all": ("copies", 2 / 25),
    "comment_emoji_only_share_all": ("words", 3 / 20),
    "comment_generic_share_all": ("words", 4 / 20),
    "comment_short_share_all": ("words", 4 / 20),
    "comment_question_share_all": ("words", 3 / 20),
    "comment_promotion_share_all": ("words", 2 / 20),
    "comment_mention_only_share_all": ("words", 2 / 20),
    "comment_foreign_language_share_all": ("languages", 5 / 20),
    # lengths 4 and 16, half of them each: two classes, and 6 from their mean of 10
    "comment_length_entropy_all": ("lengths", 1.0),
    "comment_length_cv_all": ("lengths", sqrt(20 * 36 / 19) / 10),
    # 60, 65, 600, 30, 3599 and 3000 s of 21; in their order the eleventh is 10,800 s
    "comment_first_hour_share_all": ("pace", 6 / 21),
    "comment_delay_median_all": ("pace", 3.0),
    # 7 + 7 + 6 follow another: 65 after 60, and 14,409 after 14,400
    "comment_rapid_share_all": ("pace", 2 / 20),
    "comment_author_concentration_all": ("people", (5 * 4 + 2 + 2) / (20 * 19)),
    "comment_author_top_share_all": ("people", 5 / 20),
    "comment_author_once_share_all": ("people", 11 / 14),
    "comment_author_returns_share_all": ("people", 2 / 14),
    "comment_author_burst_share_all": ("again and again", 4 / 10),
    "comment_owner_reply_share_all": ("owner", 4 / 20),
    "comment_zero_like_share_all": ("likes", 15 / 20),
}


@pytest.mark.parametrize("name", [signal.name for signal in SIGNALS])
def test_by_hand(name: str) -> None:
    case, expected = HAND[name]
    rows, profile = _CASES[case]
    assert _signals(rows, **profile)[name] == pytest.approx(expected, rel=1e-12)


def test_every_signal_has_a_hand_computed_value() -> None:
    assert set(HAND) == {signal.name for signal in SIGNALS}
    assert list(_signals([])) == [signal.name for signal in SIGNALS]


# ---- too little to tell


def test_nothing_is_told_of_no_comments() -> None:
    assert all(np.isnan(value) for value in _signals([]).values())


def test_without_a_comments_table() -> None:
    tables = _tables([])
    del tables["comments"]
    assert all(np.isnan(values).all() for values in comments_signals(_histories(tables)).values())


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_one_comment_less_than_needed(signal: Signal) -> None:
    case, _ = HAND[signal.name]
    rows, profile = _CASES[case]
    assert np.isnan(_signals(rows[: signal.least - 1], **profile)[signal.name])


def test_timing_needs_three_posts_and_authors_that_return_too() -> None:
    two = [(author, text, min(post, 1), seconds, likes) for author, text, post, seconds, likes in _pace()]
    found = _signals(two)
    for name in ("comment_first_hour_share_all", "comment_delay_median_all", "comment_author_returns_share_all"):
        assert np.isnan(found[name])
    assert found["comment_rapid_share_all"] >= 0


def test_a_young_post_says_nothing_of_timing_yet() -> None:
    tables = _tables(_pace())
    early = make_histories(tables, FIRST + pd.Timedelta("8D"), imported_at=FIRST)
    assert np.isnan(comments_signals(early)["comment_delay_median_all"][0])


def test_comments_without_text_are_not_comments_with_nothing_to_say() -> None:
    found = _signals(_people())
    assert np.isnan(found["comment_short_share_all"])
    assert np.isnan(found["comment_near_duplicate_share_all"])


def test_comments_under_posts_that_are_not_there_have_no_pace() -> None:
    tables = _tables(_pace())
    tables["posts"] = tables["posts"].iloc[:0]
    found = comments_signals(_histories(tables))
    for name in ("comment_first_hour_share_all", "comment_rapid_share_all", "comment_author_returns_share_all"):
        assert np.isnan(found[name][0])
    assert found["comment_author_top_share_all"][0] == 1 / 23


# ---- what counts as what


@pytest.mark.parametrize(
    "text",
    [
        *("nice", "NICE!!", "niiice 🔥", "𝓷𝓲𝓬𝓮 𝓹𝓲𝓬", "so beautiful babe", "love your style", "Wow, amazing shot!"),
        *(
            "đẹp quá",
            "Đẹp quáaaa chị ơi",
            "dep qua",
            "xinh xỉu",
            "hay quá",
            "hóng",
            "chấm",
            "inbox giá",
            "@shop ib giá ạ",
        ),
        *("follow me", "great pic 👏 keep it up"),
    ],
)
def test_generic(text: str) -> None:
    assert _signals(_texts([text] * 20))["comment_generic_share_all"] == 1


@pytest.mark.parametrize("text", ["this is you", "chị ơi", "😍", "@lan", ".", "nice lighthouse", *HONEST])
def test_not_generic(text: str) -> None:
    assert _signals(_texts([text] * 20))["comment_generic_share_all"] == 0


@pytest.mark.parametrize(
    ("language", "captions", "texts", "share"),
    [
        ("vi", None, ["this is so cute"], 1.0),
        ("en", None, ["this is so cute"], 0.0),
        ("en", None, ["đẹp quá chị ơi"], 1.0),
        ("en", None, ["Очень красиво"], 1.0),
        ("fr", None, ["c'est magnifique", "this is so cute"], 0.0),
        ("fr", None, ["Очень красиво", "trop belle la photo"], 0.5),
        ("th", None, ["สวยมากเลย"], 0.0),
        ("th", None, ["magnifique ici"], None),  # may be Thai in Latin letters
        ("ja", None, ["すごいきれい", "最高的照片"], 0.0),
        ("ja", None, ["今日食事中の写真"], 0.0),
        ("tlh", None, ["this is so cute"], None),
        (None, ["Mình đi Đà Lạt", "Quán này ngon lắm", "Hôm nay trời đẹp"], ["this is so cute"], 1.0),
        (None, ["Mình đi Đà Lạt", "this is the best day", "Очень красиво"], ["this is so cute"], None),
        (None, ["Mình đi Đà Lạt", "Quán này ngon lắm"], ["this is so cute"], None),
        (None, None, ["this is so cute"], None),
    ],
)
def test_foreign_languages(
    language: str | None, captions: list[str] | None, texts: list[str], share: float | None
) -> None:
    rows = [(f"a{n}", texts[n % len(texts)], 0, 60 * n, None) for n in range(40)]
    found = _signals(rows, language=language, captions=captions)["comment_foreign_language_share_all"]
    assert found == share if share is not None else np.isnan(found)


def test_who_repeats_himself_copies_nobody() -> None:
    rows = [("a", "Theo dõi kênh từ ngày đầu tiên", 0, n, None) for n in range(20)]
    found = _signals(rows)
    assert found["comment_near_duplicate_share_all"] == found["comment_near_duplicate_largest_share_all"] == 0
    assert found["comment_author_copies_self_share_all"] == 19 / 20


def test_the_creators_own_comments_count_for_nothing_else() -> None:
    rows = [*_copies(), *_pace()]
    own: list[Row] = [("c1", HONEST[0], 0, n, 0) for n in range(30)]
    found, without = _signals([*rows, *own]), _signals(rows)
    assert found.pop("comment_owner_reply_share_all") == 30 / (30 + len(rows))
    without.pop("comment_owner_reply_share_all")
    np.testing.assert_array_equal(list(found.values()), list(without.values()))


# ---- copies found and copies missed


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        # what many honest people write by themselves
        ("Happy birthday!!! 🎉", False),
        ("Happy birthday Jonathan! Have a great day", False),
        ("Chúc mừng sinh nhật chị, chúc chị luôn vui vẻ mạnh khỏe", False),
        ("Chúc mừng năm mới an khang thịnh vượng nha shop", False),
        ("Congratulations to both of you!!", False),
        ("Happy Mother’s Day Christine x", False),
        ("chúc mừng", False),
        ("first", False),
        ("Love this outfit!!", False),
        ("love that wrapping", False),
        ("tham gia @lan @mai @hoa @tuan", False),
        ("done @a.b @c.d #bestgiveawayeverseen", False),
        ("@lan.anh @mai.nguyen @tuan.anh", False),
        ("😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍😍", False),
        ("สุขสันต์วันเกิดนะ", False),
        # what two people do not
        ("Wow, amazing post! Really enjoy your content!", True),
        ("this photo is so lovely", True),
        ("really appreciate your transparency", True),
        ("Mình dùng kem này hai tuần rồi da sáng hẳn", True),
        ("Happy birthday! I still remember when we met in Hanoi", True),
        ("ใช้ครีมตัวนี้มาสองอาทิตย์หน้าใสขึ้นมาก", True),
    ],
)
def test_what_may_be_a_copy(text: str, may_be: bool) -> None:
    found = _signals(_texts([text] * 20))
    shares = [found[f"comment_{kind}_duplicate_share_all"] for kind in ("near", "exact")]
    assert shares == [1, 1] if may_be else np.isnan(shares).all()
    assert np.isnan(found["comment_author_copies_self_share_all"]) != may_be


SLOTS = {
    "Mình dùng {} này được {} tuần rồi, da {} hẳn ra mọi người ơi": (
        ("serum", "kem", "toner", "mặt nạ"), ("2", "ba", "mấy", "4"), ("sáng", "mịn", "đẹp", "trắng"),
    ),
    "Mua {} lần {} rồi mà vẫn ưng, giao hàng nhanh và đóng gói {} lắm": (
        ("son", "áo", "giày", "túi"), ("2", "hai", "ba", "thứ tư"), ("kỹ", "đẹp", "cẩn thận", "chắc"),
    ),
    "I bought this {} last {} and it has changed my {} completely": (
        ("cream", "watch", "course", "bag"), ("week", "month", "year", "spring"), ("life", "skin", "days", "mornings"),
    ),
}  # fmt: skip


def test_filled_templates_are_found_among_honest_comments() -> None:
    """Three templates with three slots each, 12 fillings of each, among 400 sentences of random words.

    Fillings of one template share most of their shingles, at least .6; a chain of pairs above .7 links them.
    """
    rng = np.random.default_rng(5)
    campaign = [
        template.format(*(slot[pick] for slot, pick in zip(slots, rng.integers(0, 4, 3), strict=True)))
        for template, slots in SLOTS.items()
        for _ in range(12)
    ]
    vocabulary = sorted({word for text in HONEST for word in text.split()})
    honest = [" ".join(rng.choice(vocabulary, rng.integers(4, 12))) for _ in range(400)]
    histories = _histories(_tables(_texts([*campaign, *honest])))
    found = ~np.isnan(comments_pointers(histories)["near_copy"])
    written = histories.comments.texts["text"]
    is_campaign = written.isin(campaign).to_numpy()
    assert found[is_campaign].mean() >= 0.9
    assert found[~is_campaign].mean() <= 0.01


def test_a_thousand_copies_are_one_cluster() -> None:
    """Buckets of a thousand are walked, not squared: neighbours link them all."""
    rows = [(f"a{n}", f"{HONEST[4]} {n % 50:02d}", n % 3, n, None) for n in range(1000)]
    found = _signals(rows)
    assert found["comment_near_duplicate_largest_share_all"] == 1
    assert found["comment_exact_duplicate_share_all"] == 1


def test_close_words_are_not_copies() -> None:
    """Half of the shingles in common is below the threshold."""
    assert SIMILAR == 0.7
    rows = _texts([f"{first} {second}" for first, second in zip(HONEST, HONEST[1:] + HONEST[:1], strict=True)] * 2)
    rows = [row for row in rows if row[1]][: len(HONEST)]
    found = _signals([*rows, *_texts(["chỉ để đủ hai mươi bình luận", "thêm một câu khác hẳn nữa"])])
    assert found["comment_near_duplicate_share_all"] == 0


# ---- what must hold of all


def _random_tables(creators: int, seed: int) -> Tables:
    """Creators with 0 to 200 comments, from a small stock of texts by a small stock of people."""
    rng = np.random.default_rng(seed)
    stock = np.array([*HONEST, *(row[1] or "" for row in [*_copies(), *_words()]), "😍", "สวยมากเลย", "Очень красиво"])
    posts, written, profiles = [], [], []
    for number in range(creators):
        creator_id = f"c{number:02d}"
        count = [0, 1, 19, 20, 200][number] if number < 5 else int(rng.integers(0, 201))
        rows = [
            (
                creator_id if rng.random() < 0.1 else f"a{int(rng.integers(60)):02d}",
                None if rng.random() < 0.05 else str(rng.choice(stock)),
                int(rng.integers(0, 6)),
                int(rng.choice([0, 5, 60, 3600, 90_000, 800_000])) + int(rng.integers(0, 9)),
                None if rng.random() < 0.3 else int(rng.integers(0, 3)),
            )
            for _ in range(count)
        ]
        profiles.append((creator_id, "instagram", 10, rng.choice(["vi", "en", "ru", "xx"])))
        posts.append(_posts(creator_id, 5, rng.choice(stock, 5).tolist()))
        written.append(_comments(rows, creator_id))
    return check_tables(
        {
            "creators": pd.DataFrame(profiles, columns=["creator_id", "platform", "followers", "language"]),
            "posts": pd.concat(posts, ignore_index=True),
            "comments": pd.concat(written, ignore_index=True),
        }
    )


@pytest.fixture(scope="module")
def tables() -> Tables:
    return _random_tables(25, seed=3)


@pytest.fixture(scope="module")
def whole(tables: Tables) -> pd.DataFrame:
    return _frame(tables)


def _frame(tables: Tables) -> pd.DataFrame:
    histories = _histories(tables)
    return pd.DataFrame(comments_signals(histories), index=histories.creators["creator_id"])


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_the_random_comments_carry_every_signal(whole: pd.DataFrame) -> None:
    assert whole.notna().sum().min() >= 5
    assert not np.isinf(whole).any(axis=None)
    shares = whole[[signal.name for signal in SIGNALS if signal.unit.startswith("share")]]
    assert shares.min(axis=None) >= 0
    assert shares.max(axis=None) <= 1
    assert whole.nunique().drop("comment_author_once_share_all").min() >= 3


def test_a_creator_alone(tables: Tables, whole: pd.DataFrame) -> None:
    for creator_id in whole.index:
        alone = {name: frame[frame["creator_id"] == creator_id] for name, frame in tables.items()}
        _same(_frame(alone), whole.loc[[creator_id]])


@pytest.mark.parametrize("size", [1, 150, 10_000])
def test_the_size_of_a_pass(tables: Tables, whole: pd.DataFrame, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "PASS", size)
    monkeypatch.setattr(comments, "make_blocks", partial(comments.make_blocks, cells=size))
    _same(_frame(tables), whole)


def test_the_order_of_rows(tables: Tables, whole: pd.DataFrame) -> None:
    _same(_frame({name: frame.sample(frac=1, random_state=2) for name, frame in tables.items()}), whole)


def test_other_ids(tables: Tables, whole: pd.DataFrame) -> None:
    """Authors in another order, and creators in another order: who is who changes nothing."""
    renamed = {name: frame.copy() for name, frame in tables.items()}
    for frame in renamed.values():
        for column in ("creator_id", "author_id"):
            if column in frame:
                frame[column] = frame[column].str[::-1]
    found = _frame(renamed)
    _same(found.set_axis(found.index.str[::-1]).loc[whole.index].rename_axis("creator_id"), whole)


def test_what_comes_later_is_not_known(tables: Tables) -> None:
    as_of = FIRST + pd.Timedelta("10D")
    written = tables["comments"]
    before = tables | {"comments": written[written["published_at"] <= as_of]}
    assert 0 < len(before["comments"]) < len(written)
    found, expected = (comments_signals(make_histories(some, as_of, imported_at=FIRST)) for some in (tables, before))
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=20, max_size=40))
def test_any_text_is_read(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    found = _signals(_texts(texts))
    assert not any(np.isinf(value) for value in found.values())
    rows = _texts(texts)[::-1]
    np.testing.assert_array_equal(list(_signals(rows).values()), list(found.values()))


def test_very_long_and_very_strange_texts_are_read() -> None:
    strange = [
        "a" * 100_000,
        "đẹp quá " * 20_000,
        "\u200b" * 50,
        "\U000e0041" * 9,
        "𠀀𠀁𠀂",
        "ﷺ" * 30,
        "e\u0301" * 40,
        "@" * 99,
    ]
    assert _signals(_texts(strange * 4))["comment_emoji_only_share_all"] == 0


# ---- pointers


def test_pointers_lead_to_the_comments_behind_a_signal() -> None:
    histories = _histories(_tables(_copies()))
    pointers = comments_pointers(histories)
    named = {signal.points_at.removeprefix("comments:") for signal in SIGNALS}
    assert named <= set(pointers)
    assert {values.shape for values in pointers.values()} == {histories.comments["likes"].shape}
    written = histories.comments.texts["text"]
    first = written[np.nanargmax(pointers["near_copy"])]
    assert first.startswith("Mình dùng kem này")
    assert sorted(pointers["near_copy"][~np.isnan(pointers["near_copy"])]) == [2, 2, 3, 3, 3]
    assert written[~np.isnan(pointers["again"])].str.startswith("Theo dõi kênh").sum() == 2


def test_pointers_of_no_comments() -> None:
    assert all(values.shape == (0,) for values in comments_pointers(_histories(_tables([]))).values())


# ---- real comments


@pytest.mark.data
@pytest.mark.slow
def test_real_comments(real_data: Path) -> None:
    """Instagram comments (Kim et al. 2020): every signal is there for a fair part of the creators it can be told of."""
    folder = real_data / "instagram_kim2020"
    written = pd.read_csv(folder / "comments.csv.gz", dtype={"post_id": "str"}, nrows=120_000)
    posts = pd.read_csv(folder / "posts.csv.gz", dtype={"post_id": "str"})
    names = written["username"].drop_duplicates()
    posts = posts[posts["username"].isin(names)].drop_duplicates(["username", "post_id"])
    raw = {
        "creators": pd.DataFrame({"creator_id": names, "platform": "instagram", "followers": 1}),
        "posts": posts.rename(columns={"username": "creator_id"}).assign(
            published_at=pd.to_datetime(posts["taken_at"], unit="s", utc=True)
        )[["creator_id", "post_id", "published_at", "likes", "comments", "caption"]],
        "comments": pd.DataFrame(
            {
                "creator_id": written["username"],
                "post_id": written["post_id"],
                "author_id": written["commenter_hash"].mask(written["is_owner"] == 1, written["username"]),
                "published_at": pd.to_datetime(written["created_at"], unit="s", utc=True),
                "text": written["text"],
                "likes": written["likes"],
            }
        ),
    }
    histories = _histories(check_tables(raw))
    frame = pd.DataFrame(comments_signals(histories))
    many = frame[histories.comments.counts >= 20]
    assert len(many) > 1000
    assert not np.isinf(many).any(axis=None)
    told = many.notna().mean()
    assert (told > 0.03).all(), told
    assert (told[["comment_generic_share_all", "comment_author_top_share_all", "comment_rapid_share_all"]] > 0.8).all()
    # most honest comment sections hold few copies, some emoji and some praise
    assert many["comment_near_duplicate_share_all"].median() < 0.05
    assert 0.02 < many["comment_emoji_only_share_all"].median() < 0.3
    assert 0.05 < many["comment_generic_share_all"].median() < 0.4
