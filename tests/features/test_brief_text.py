import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.brief_text import read_brief_text


def read(text: str) -> dict[str, list[str | int]]:
    found: dict[str, list[str | int]] = {}
    for one in read_brief_text(text):
        found.setdefault(one.field, []).append(one.value)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We look for TikTok creators", {"platforms": ["tiktok"]}),
        ("Tìm TikToker và YouTuber review mỹ phẩm", {"platforms": ["tiktok", "youtube"]}),
        ("đăng bài trên IG", {"platforms": ["instagram"]}),
        ("micro-influencers on Facebook", {"platforms": ["facebook"], "tiers": ["micro"]}),
        ("nano and micro creators", {"tiers": ["nano", "micro"]}),
        ("KOL micro ở Hà Nội", {"tiers": ["micro"], "countries": ["VN"]}),
        ("Micro không dây cho điện thoại", {}),  # a wireless microphone
        ("any platform but not TikTok", {"platforms": ["instagram", "youtube", "facebook"]}),
        ("không cần Facebook, chỉ TikTok", {"platforms": ["tiktok"]}),
        ("10k-50k followers", {"followers_min": [10_000], "followers_max": [50_000]}),
        ("10–50k followers", {"followers_min": [10_000], "followers_max": [50_000]}),
        ("từ 10.000 đến 50.000 người theo dõi", {"followers_min": [10_000], "followers_max": [50_000]}),
        ("tu 10 den 50 nghin nguoi theo doi", {"followers_min": [10_000], "followers_max": [50_000]}),
        ("dưới 100k follow", {"followers_max": [100_000]}),
        ("at least 1,5 triệu người theo dõi", {"followers_min": [1_500_000]}),
        ("20k+ followers", {"followers_min": [20_000]}),
        ("no more than 50k followers", {"followers_max": [50_000]}),
        ("không quá 50 nghìn người theo dõi", {"followers_max": [50_000]}),
        ("Review không gian quán cà phê trên TikTok", {"platforms": ["tiktok"]}),  # "không gian" is space
        ("lưu trú trên TikTok", {"platforms": ["tiktok"]}),
        ("có nó trên Instagram", {"platforms": ["instagram"]}),
        (unicodedata.normalize("NFD", "không dùng TikTok"), {"platforms": ["instagram", "youtube", "facebook"]}),
        ("khong dung TikTok", {"platforms": ["instagram", "youtube", "facebook"]}),
        ("no need for YouTube experience", {}),
        ("our competitor runs on YouTube", {}),
        ("budget 50k for five posts", {"budget": [50_000]}),  # money, no followers
        ("ngân sách 50 triệu", {"budget": [50_000_000], "currency": ["VND"]}),
        ("from 90k to 20k followers", {}),  # makes no sense: not read
        ("", {}),
        ("😀😀", {}),
        ("หาครีเอเตอร์", {}),
    ],
)
def test_what_is_said_is_read(text: str, expected: dict[str, list[str | int]]) -> None:
    assert {field: sorted(map(str, values)) for field, values in read(text).items()} == {
        field: sorted(map(str, values)) for field, values in expected.items()
    }


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_crash_and_words_stand_in_it(text: str) -> None:
    for one in read_brief_text(text):
        assert one.words.removeprefix("not ").split(", ")[0] in unicodedata.normalize("NFC", text)


def test_accents_do_not_matter() -> None:
    assert read("hạng nano, nhà sáng tạo ở Đà Nẵng") == read("hang nano, nha sang tao o Da Nang") != {}


def test_a_very_long_brief_is_read_in_time() -> None:
    assert read("kem chống nắng cho da dầu " * 4_000 + " TikTok") == {"platforms": ["tiktok"]}
