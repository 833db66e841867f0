import random

import pytest

from features.brief_text import read_brief_text
from features.taxonomy import without_accents

WISHES = (
    *("budget", "price_max", "currency", "goal", "competitors", "must_words", "must_not_words", "roles", "k"),
    *("languages", "creator_countries"),
)


def read(text: str) -> dict[str, list[str | int]]:
    found: dict[str, list[str | int]] = {}
    for one in read_brief_text(text):
        if one.field in WISHES:
            found.setdefault(one.field, []).append(one.value)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Budget: $5,000", {"budget": [5_000], "currency": ["USD"]}),
        ("a budget of 50 million VND", {"budget": [50_000_000], "currency": ["VND"]}),
        ("our budget is about 10k USD", {"budget": [10_000], "currency": ["USD"]}),
        ("€3000 budget", {"budget": [3_000], "currency": ["EUR"]}),
        ("ngân sách 50 triệu", {"budget": [50_000_000], "currency": ["VND"]}),
        ("Ngân sách khoảng 200tr", {"budget": [200_000_000], "currency": ["VND"]}),
        ("kinh phí 1,5 tỷ đồng", {"budget": [1_500_000_000], "currency": ["VND"]}),
        ("ngân sách: 5.000.000 đ", {"budget": [5_000_000], "currency": ["VND"]}),
        ("max 2 million per post, VND", {"price_max": [2_000_000]}),
        ("tối đa 2 triệu một bài", {"price_max": [2_000_000], "currency": ["VND"]}),
        ("không quá 500k/video", {"price_max": [500_000]}),
        ("giá mỗi video không quá 1.5tr", {"price_max": [1_500_000], "currency": ["VND"]}),
        ("mỗi bài 50k", {"price_max": [50_000]}),
        ("2 posts per creator 18-25", {}),
        ("$200 per reel", {"price_max": [200], "currency": ["USD"]}),
        (
            "ngân sách 100 triệu, tối đa 5 triệu mỗi bài",
            {"budget": [100_000_000], "price_max": [5_000_000], "currency": ["VND"]},
        ),
        ("a phone for 5 million", {}),
        ("giá 5 triệu", {}),
        ("50k followers", {}),
        ("kem chống nắng SPF 50", {}),
        ("Launch in 2026 with 3 products", {}),
    ],
)
def test_money(text: str, expected: dict[str, list[str | int]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Competitors: Nike, Adidas and Puma.", ["Nike", "Adidas", "Puma"]),
        ("competitors such as @thefaceshop, Innisfree", ["thefaceshop", "Innisfree"]),
        ("No recent posts for Nike or Adidas", ["Nike", "Adidas"]),
        ("who have not worked with The Face Shop", ["The Face Shop"]),
        ("chưa hợp tác với Cocoon", ["Cocoon"]),
        (
            "Không làm việc với đối thủ như Vinamilk, TH True Milk và Dutch Lady.",
            ["Vinamilk", "TH True Milk", "Dutch Lady"],
        ),
        ("không quảng cáo cho thương hiệu Biti's", ["Biti's"]),
        ("đối thủ: “highlands coffee”, Phúc Long", ["highlands coffee", "Phúc Long"]),
        ("our competitor runs on YouTube", []),
        ("creators who worked with Nike", []),
        (
            "who have not worked with Daniel Wellington or Rosefield, English speaking",
            ["Daniel Wellington", "Rosefield"],
        ),
        ("khong nhan KOL da quang cao cho Shopee va Lazada", ["Shopee", "Lazada"]),
        ("no problem with brands", []),
        ("chưa hợp tác với ai", []),
    ],
)
def test_competitors(text: str, names: list[str]) -> None:
    assert read(text).get("competitors", []) == names


@pytest.mark.parametrize(
    ("text", "must", "must_not"),
    [
        ("Must mention “vegan” and #CrueltyFree", ["vegan", "#CrueltyFree"], []),
        ("bắt buộc có #GiaiKhat và “không đường”", ["#GiaiKhat", "không đường"], []),
        ('must not mention "price" or "discount".', [], ["price", "discount"]),
        ("Avoid politics.", [], ["politics", "political", "chính trị"]),
        ("không nói về giảm cân", [], ["weight loss", "giảm cân"]),
        ("khong noi ve giam can", [], ["weight loss", "giảm cân"]),
        ("tránh nội dung về thuốc lá và cờ bạc", [], ["thuốc lá", "cờ bạc"]),
        ("No gambling, please", [], ["casino"]),
        ("a no sugar drink", [], []),
        ("We must include everybody", [], []),
        ("avoid the rush hour", [], []),
        ("bánh tráng", [], []),
    ],
)
def test_words(text: str, must: list[str], must_not: list[str]) -> None:
    found = read(text)
    assert found.get("must_words", []) == must
    assert set(must_not) <= set(found.get("must_not_words", []))
    assert bool(must_not) == ("must_not_words" in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20 creators", 20),
        ("we need 15 micro influencers", 15),
        ("10 KOC", 10),
        ("cần 30 KOL làm đẹp", 30),
        ("tìm 12 nhà sáng tạo", 12),
        ("top 50", 50),
        ("5 beauty creators in Hanoi", 5),
        ("30 year old creators", None),
        ("2 posts per creator", None),
        ("creators with 10k followers", None),
        ("10.000 người theo dõi", None),
        ("18-25 creators", None),
        ("0 creators", None),
        ("top 10% of creators", None),
        ("5000 creators", None),
    ],
)
def test_number_of_creators(text: str, expected: int | None) -> None:
    assert read(text).get("k") == ([expected] if expected else None)


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("KOC and reviewers", "roles", ["koc", "reviewer"]),
        ("người mẫu và hot teen", "roles", ["hot_teen", "model"]),
        ("vloggers, not bloggers", "roles", ["vlogger"]),
        ("we don't want bloggers", "roles", None),
        ("người review mỹ phẩm", "roles", ["reviewer"]),
        ("a new phone model", "roles", None),
        ("review our serum", "roles", None),
        ("Vietnamese-speaking creators", "languages", ["vi"]),
        ("nội dung tiếng Anh", "languages", ["en"]),
        ("nói tiếng Việt", "languages", ["vi"]),
        ("captions in French", "languages", ["fr"]),
        ("English breakfast tea", "languages", None),
        ("Vietnamese food", "languages", None),
        ("creators based in Vietnam", "creator_countries", ["VN"]),
        ("Vietnamese beauty creators", "creator_countries", ["VN"]),
        ("KOL Việt Nam", "creator_countries", ["VN"]),
        ("nhà sáng tạo ở Hà Nội", "creator_countries", ["VN"]),
        ("Thai influencers", "creator_countries", ["TH"]),
        ("a trip to Vietnam", "creator_countries", None),
        ("quán phở Hà Nội", "creator_countries", None),
        ("We launch a serum", "goal", None),
        ("product launch of our serum", "goal", ["launch"]),
        ("tăng nhận diện thương hiệu", "goal", ["awareness"]),
        ("boost sales before Tết", "goal", ["sales"]),
        ("tăng doanh số và kéo traffic", "goal", ["sales", "traffic"]),
        ("UGC for our ads", "goal", ["content"]),
    ],
)
def test_roles_languages_places_and_goals(text: str, field: str, values: list[str] | None) -> None:
    assert read(text).get(field) == values


@pytest.mark.parametrize(
    "text",
    [
        "ngân sách 50 triệu, cần 20 KOC nói tiếng Việt",
        "tối đa 2 triệu một bài, nhà sáng tạo ở Đà Nẵng",
        "người mẫu và hot teen, tăng nhận diện thương hiệu",
    ],
)
def test_accents_do_not_matter(text: str) -> None:
    assert read(without_accents(text)) == read(text) != {}


def test_a_whole_brief() -> None:
    text = (
        "Chúng tôi ra mắt sữa hạt, cần 15 KOC nói tiếng Việt ở TikTok, 10k-100k followers. Ngân sách 120 triệu, "
        "tối đa 8 triệu mỗi bài. Chưa hợp tác với đối thủ như Vinamilk, TH True Milk. Tránh chính trị. "
        "Bắt buộc có #SuaHatMoi."
    )
    assert read(text) == {
        "price_max": [8_000_000],
        "budget": [120_000_000],
        "currency": ["VND"],
        "competitors": ["Vinamilk", "TH True Milk"],
        "must_words": ["#SuaHatMoi"],
        "must_not_words": ["politics", "political", "chính trị"],
        "k": [15],
        "goal": ["launch"],
        "roles": ["koc"],
        "languages": ["vi"],
    }


def test_odd_texts_are_read_without_harm() -> None:
    chance = random.Random(0)
    pieces = [
        "budget ",
        "1",
        "2.",
        "“",
        "”",
        "no ",
        "competitors ",
        "A ",
        "B, ",
        "and ",
        "tr ",
        "$",
        "per post ",
        "đ",
        "top ",
    ]
    for _ in range(300):
        read_brief_text("".join(chance.choice(pieces) for _ in range(60)))
    for text in ("1" * 50_000, "“" * 50_000, "A, " * 20_000, "no " * 20_000, "budget " * 10_000, "1 a " * 20_000):
        read_brief_text(text)
