import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.facts import FACTS
from features.match import WEIGHTS
from features.profiles import ProfileSpace, niche_shares
from serving.briefs import Brief, BriefError, make_brief, read_brief
from serving.catalogue import Catalogue, Filters
from serving.ranking import RANKED_COLUMNS, lookalikes, order, shortlist
from training.fit import FitConfig, Pairs, fit_ranker, grade
from training.fit_model import FitModel, views_of

fractions = st.floats(0, 1, allow_nan=False)


def test_order_is_by_fit_times_authenticity(catalogue: Catalogue) -> None:
    ranked = shortlist(catalogue, Brief(text="mỹ phẩm da dầu")).frame
    assert tuple(ranked) == RANKED_COLUMNS
    # binh fits better than dung and is flagged; dung writes in English; the two others write about something else
    assert ranked["creator_id"].tolist() == ["an", "dung", "binh", "chi", "em"]
    assert ranked["rank"].tolist() == [1, 2, 3, 4, 5]
    assert ranked["fit"][2] > ranked["fit"][1] > ranked["fit"][3] == 0
    assert ranked["score"].tolist() == pytest.approx((ranked["fit"] * [0.9, 0.65, 0.06, 0.9, 0.7]).tolist())
    assert ranked["authenticity_assessed"].tolist() == [True, False, True, True, True]


@given(st.lists(st.tuples(fractions, fractions), min_size=1, max_size=8), st.data())
def test_raising_fit_or_authenticity_never_lowers_a_place(
    pairs: list[tuple[float, float]], data: st.DataObject
) -> None:
    before = np.array(pairs)
    chosen = data.draw(st.integers(0, len(pairs) - 1))
    column = data.draw(st.sampled_from([0, 1]))
    after = before.copy()
    after[chosen, column] = data.draw(st.floats(before[chosen, column], 1))
    place_before = order(before[:, 0], before[:, 1]).tolist().index(chosen)
    place_after = order(after[:, 0], after[:, 1]).tolist().index(chosen)
    assert place_after <= place_before


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0]))), st.integers(1, 9))
def test_the_first_k_are_the_first_of_all(pairs: list[tuple[float, float]], k: int) -> None:
    fit, authenticity = np.array(pairs).reshape(-1, 2).T
    assert order(fit, authenticity, k).tolist() == order(fit, authenticity)[:k].tolist()


@pytest.mark.parametrize("text", ["mỹ phẩm da dầu", "street food", "serum reviews", ""])
@pytest.mark.parametrize("position", range(5))
def test_raising_authenticity_never_lowers_a_creator_in_the_list(
    score_frame: pd.DataFrame, position: int, text: str
) -> None:
    creator_id = score_frame["creator_id"][position]
    places = []
    for authenticity in (0.0, 0.3, 0.5, 0.9, 1.0):
        score_frame.loc[position, "authenticity"] = authenticity
        ranked = shortlist(Catalogue.of(score_frame), Brief(text=text)).frame
        places.append(ranked["creator_id"].tolist().index(creator_id))
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        ("skin care for oily skin", "chăm sóc da dầu"),
        ("street food in Hanoi", "đồ ăn đường phố Hà Nội"),
        ("beach travel and coffee", "du lịch biển và cà phê"),
    ],
)
def test_a_brief_finds_the_same_creator_in_either_language(catalogue: Catalogue, english: str, vietnamese: str) -> None:
    first = [shortlist(catalogue, Brief(text=text)).frame["creator_id"][0] for text in (english, vietnamese)]
    assert first[0] == first[1]


def test_the_brief_is_shown_as_it_was_read(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="serum cho da dầu"))
    assert found.niches[0] in ("beauty", "skincare")
    assert found.note() == "niches of the brief: beauty, skin care"
    assert found.note("vi") == "lĩnh vực của brief: làm đẹp, chăm sóc da"


def test_filters_are_read_from_the_words_and_said(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="nano KOL on Instagram"))
    assert found.frame["creator_id"].tolist() == ["chi"]
    assert "platform Instagram (“Instagram”); tier nano (“nano”)" in found.note()
    assert "nền tảng Instagram (“Instagram”); hạng nano (“nano”)" in found.note("vi")
    within = shortlist(catalogue, Brief(text="creators with 10k-50k followers"))
    assert sorted(within.frame["creator_id"]) == ["an", "binh"]
    assert "at least 10,000 followers" in within.note()


def test_a_field_that_is_given_stands_against_the_words(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="nano creators on Instagram", platforms=("tiktok",), tiers=("micro",)))
    assert found.frame["creator_id"].tolist() == ["binh"]
    assert found.read == ()
    bounds = shortlist(catalogue, Brief(text="under 20k followers", followers_min=300_000))
    assert bounds.frame["creator_id"].tolist() == ["em"]


def test_a_place_is_no_filter(catalogue: Catalogue) -> None:
    assert shortlist(catalogue, Brief(text="food in Hanoi, Vietnam")).candidates == 5


def test_invented_words_are_said_to_fit_nobody(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="Zorblatt Quux 9000"))
    assert found.note().startswith("the brief names no niche that is known here")


def test_odd_briefs_get_an_answer(catalogue: Catalogue) -> None:
    thai = shortlist(catalogue, Brief(text="รีวิวสกินแคร์ ครีมกันแดด"))
    assert len(thai.frame) == 5
    assert thai.frame["fit"].notna().all()
    long = shortlist(catalogue, Brief(text="kem chống nắng cho da dầu " * 2_000))
    assert long.frame["creator_id"][0] == "an"
    with pytest.raises(BriefError, match="brief"):
        make_brief({"brief": "x" * 100_001})


def test_lookalikes_leave_out_the_creator_and_whoever_is_doubted(catalogue: Catalogue) -> None:
    found = lookalikes(catalogue, ["an"])
    # dung is not assessed and binh is flagged: neither reaches the floor that holds where none is named
    assert found.frame["creator_id"].tolist() == ["chi", "em"]
    everybody = lookalikes(catalogue, ["an"], Filters(min_authenticity=0.0))
    assert everybody.frame["creator_id"].tolist()[0] == "dung"
    assert (
        everybody.frame.set_index("creator_id")["fit"]["binh"] > everybody.frame.set_index("creator_id")["fit"]["chi"]
    )
    assert "an" not in everybody.frame["creator_id"].tolist()
    assert everybody.frame["reason"][0].startswith("not assessed")
    with pytest.raises(KeyError):
        lookalikes(catalogue, ["nobody"])


def test_ties_are_broken_by_creator_id(score_frame: pd.DataFrame) -> None:
    same = pd.concat([score_frame.iloc[[0]]] * 3).assign(creator_id=["z", "a", "m"])
    ranked = shortlist(Catalogue.of(same), Brief(text="serum")).frame
    assert ranked["creator_id"].tolist() == ["a", "m", "z"]


@pytest.mark.parametrize(
    ("text", "note"),
    [("", "the brief has no words to compare"), ("ꯀꯥ", "nothing of the brief can be compared")],
)
def test_without_fit_the_order_is_by_authenticity(catalogue: Catalogue, text: str, note: str) -> None:
    found = shortlist(catalogue, Brief(text=text))
    assert found.frame["creator_id"].tolist() == ["an", "chi", "em", "dung", "binh"]
    assert found.frame["fit"].isna().all()
    assert found.frame["score"].tolist() == [0.9, 0.9, 0.7, 0.65, 0.06]
    assert found.note().startswith(note)


def test_filters_and_k(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="serum", platforms=("instagram",), k=2))
    assert found.candidates == 3
    assert found.frame["creator_id"].tolist() == ["an", "chi"]
    assert shortlist(catalogue, Brief(text="serum", k=1)).frame["creator_id"].tolist() == ["an"]


def test_nobody_passes(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="serum", niches=("none",)))
    assert found.candidates == 0
    assert found.frame.empty
    assert tuple(found.frame) == RANKED_COLUMNS


def test_reasons_are_neutral_and_carry_their_evidence(catalogue: Catalogue) -> None:
    ranked = shortlist(catalogue, Brief(text="my pham")).frame.set_index("creator_id")
    assert ranked["reason"]["binh"] == (
        "signals consistent with bought followers: largest step up in followers against the usual spread: "
        "31.4× the usual spread (typically 0.5 to 4.2)"
    )
    assert ranked["reasons"]["an"].split(" · ") == [
        "writes about: beauty (56%)",
        "matches the brief in: my pham",
        "wrote: “Review mỹ phẩm cho da dầu, serum dưỡng ẩm mỗi tuần”",
    ]
    assert ranked["matched_words"]["an"] == "my pham"
    assert ranked["reason"]["dung"] == "not assessed: too little history: 3 posts, 0 days of follower counts"
    assert ranked["reason"]["em"] == "no signals above the thresholds"


def test_reasons_in_vietnamese(catalogue: Catalogue) -> None:
    ranked = shortlist(catalogue, Brief(text="mỹ phẩm"), "vi").frame.set_index("creator_id")
    assert ranked["reason"]["binh"] == (
        "dấu hiệu giống với việc mua người theo dõi: bước tăng người theo dõi lớn nhất so với biến động thường ngày: "
        "gấp 31,4 lần mức biến động thường thấy (thường từ 0,5 đến 4,2)"
    )
    assert ranked["reasons"]["an"].split(" · ") == [
        "viết về: làm đẹp (56%)",
        "khớp với brief ở: mỹ phẩm",
        "từng viết: “Review mỹ phẩm cho da dầu, serum dưỡng ẩm mỗi tuần”",
    ]


def test_every_flagged_head_is_named_strongest_evidence_first(score_frame: pd.DataFrame) -> None:
    def item(head: str) -> dict[str, Any]:
        return {"head": head, "signal": "unknown_signal", "value": 2.0, "typical_low": None, "typical_high": None}

    score_frame.loc[0, ["bought_likes_flagged", "comment_bots_flagged"]] = True
    score_frame.loc[0, "evidence"] = json.dumps([item("bought_views"), item("comment_bots")])
    ranked = shortlist(Catalogue.of(score_frame), Brief()).frame.set_index("creator_id")
    assert ranked["reasons"]["an"].split(" · ") == [
        "signals consistent with comment bots: unknown_signal: 2",
        "signals consistent with bought likes",
    ]


def test_a_brief_from_text() -> None:
    assert read_brief("serum cho da dầu") == Brief(text="serum cho da dầu")


@pytest.mark.parametrize("ending", ["json", "toml", "txt"])
def test_a_brief_from_a_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"brief.{ending}"
    content = {
        "json": '{"brand_id": "b1", "name": "Sen", "brief": "serum", "niche": "beauty", '
        '"platforms": "TikTok; instagram", '
        '"tiers": ["micro"], "budget": 5e7, "currency": "VND", "goal": "sales", "k": 5, "countries": null}',
        "toml": 'brand_id = "b1"\nname = "Sen"\nbrief = "serum"\nniche = "beauty"\n'
        'platforms = ["tiktok", "instagram"]\ntiers = "micro"\nbudget = 5e7\ncurrency = "VND"\ngoal = "sales"\nk = 5\n',
        "txt": "\ufeffserum cho da dầu",
    }[ending]
    path.write_text(content, encoding="utf-8")
    expected = Brief(
        text="serum",
        niches=("beauty",),
        platforms=("tiktok", "instagram"),
        tiers=("micro",),
        k=5,
        brand_id="b1",
        name="Sen",
        budget=5e7,
        currency="VND",
        goal="sales",
    )
    assert read_brief(str(path)) == (Brief(text="serum cho da dầu") if ending == "txt" else expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"brief": "serum", "colour": "red"}', r"colour: unknown; a brief has brief, niche, roles"),
        ('{"brief": "serum", "text": "serum"}', "say the same thing twice"),
        ('{"brief": "serum", "platforms": "myspace"}', "platforms: Input should be 'instagram'"),
        ('{"brief": 5}', "brief: Input should be a valid string"),
        ('{"brief": "serum", "budget": NaN}', "budget: Input should be a finite number"),
        ('[{"brief": "serum"}]', "expected one brief"),
        ('{"brief": ', "not JSON"),
        ("\udcff", "cannot be read as UTF-8"),
    ],
)
def test_wrong_brief_files_say_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "brief.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BriefError, match=message):
        read_brief(str(path))


def test_a_missing_brief_file_is_not_a_text(tmp_path: Path) -> None:
    with pytest.raises(BriefError, match="no such file"):
        read_brief(str(tmp_path / "brief.toml"))


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(BriefError, match=r"tiers: .*\n.*k: "):
        make_brief({"k": 0, "tiers": "huge"})


def mention(name: str, day: str, sponsored: int = 0) -> str:
    return json.dumps([{"name": name, "posts": 1, "sponsored_posts": sponsored, "last_at": day}])


def test_a_competitors_face_is_named_and_falls(score_frame: pd.DataFrame) -> None:
    frame = score_frame.assign(mentions="[]")
    frame.loc[frame["creator_id"] == "an", "mentions"] = mention("cocoon.vietnam", "2025-12-20", sponsored=1)
    plain = shortlist(Catalogue.of(frame), Brief(text="mỹ phẩm da dầu")).frame.set_index("creator_id")
    found = shortlist(Catalogue.of(frame), Brief(text="mỹ phẩm da dầu", competitors=("Cocoon",)))
    ranked = found.frame.set_index("creator_id")
    assert ranked["fit"]["an"] == pytest.approx(0.4 * plain["fit"]["an"])
    assert ranked["fit"]["dung"] == plain["fit"]["dung"]
    assert "named the competitor cocoon.vietnam (last on 2025-12-20)" in ranked["reasons"]["an"]
    assert "has advertised: cocoon.vietnam" in ranked["reasons"]["an"]
    said = shortlist(Catalogue.of(frame), Brief(text="Mỹ phẩm da dầu, chưa hợp tác với Cocoon"), "vi")
    assert "gần đây không hợp tác với Cocoon (“Cocoon”)" in said.note("vi")
    assert "từng nhắc đến đối thủ cocoon.vietnam" in said.frame.set_index("creator_id")["reasons"]["an"]


def test_wishes_leave_nobody_out(catalogue: Catalogue) -> None:
    text = "skincare, KOL Thái Lan nói tiếng Thái, tối đa 2 triệu một bài"
    found = shortlist(catalogue, Brief(text=text))
    assert found.candidates == len(catalogue)
    assert {one.field for one in found.read} >= {"languages", "creator_countries", "price_max"}
    told = found.frame.set_index("creator_id")["reasons"]["an"]
    assert "writes in another language than the brief asks for (vi)" in told
    assert "is in another country than the brief asks for (VN)" in told


def test_the_brand_itself_is_past_work(score_frame: pd.DataFrame) -> None:
    frame = score_frame.assign(mentions=mention("cocoon", "2025-12-20"))
    ranked = shortlist(Catalogue.of(frame), Brief(text="serum", name="Cocoon")).frame
    assert "has named this brand before (last on 2025-12-20)" in ranked["reasons"][0]


def test_a_brief_says_how_many_are_wanted(catalogue: Catalogue) -> None:
    assert len(shortlist(catalogue, Brief(text="2 skincare creators")).frame) == 2
    assert len(shortlist(catalogue, Brief(text="2 skincare creators", k=3)).frame) == 3


def test_frames_of_earlier_versions_are_read(score_frame: pd.DataFrame) -> None:
    early = score_frame.drop(columns=[name for name in FACTS if name in score_frame])
    assert Catalogue.of(early).facts["price_per_post"].isna().all()
    assert len(shortlist(Catalogue.of(early), Brief(text="serum", competitors=("X brand",))).frame) == 5


def test_a_filter_that_lets_nobody_through_is_named(catalogue: Catalogue) -> None:
    found = shortlist(catalogue, Brief(text="serum", platforms=("facebook",), tiers=("micro",)))
    assert "alone each lets through: platform 0, tier" in found.note()
    assert "riêng từng bộ lọc cho qua: nền tảng 0, hạng" in found.note("vi")


@pytest.mark.parametrize("position", range(5))
def test_authenticity_keeps_its_place_under_wishes_and_a_fit_model(
    score_frame: pd.DataFrame, ranker: FitModel, position: int
) -> None:
    brief = Brief(text="mỹ phẩm da dầu, KOL Việt Nam", competitors=("Cocoon",))
    places = []
    for authenticity in (0.0, 0.3, 0.5, 0.9, 1.0):
        score_frame.loc[position, "authenticity"] = authenticity
        ranked = shortlist(Catalogue.of(score_frame), brief, model=ranker).frame
        places.append(ranked["creator_id"].tolist().index(score_frame["creator_id"][position]))
    assert places == sorted(places, reverse=True)


def test_a_fit_model_ranks_and_names_a_precedent(catalogue: Catalogue, ranker: FitModel) -> None:
    found = shortlist(catalogue, Brief(text="mỹ phẩm da dầu"), model=ranker)
    assert found.ranker == "7"
    assert found.frame["fit"].between(0, 1).all()
    assert found.frame["creator_id"][0] in ("an", "binh", "dung")
    assert "precedent: Glow 0, a brand like this one, worked with known" in " ".join(found.frame["reasons"])
    assert shortlist(catalogue, Brief(text=""), model=ranker).frame["fit"].isna().all()


@pytest.fixture(scope="module")
def ranker() -> FitModel:
    """A fit model of a dozen made brands, each of which worked with three creators of its topic."""
    topics = ["mỹ phẩm da dầu, serum", "street food, phở", "travel, beach"]
    briefs = [f"{topics[number % 3]}" for number in range(12)]
    texts = [f"{topics[number % 3]} mỗi ngày" for number in range(36)] + ["tập gym"] * 20
    space = ProfileSpace.fit(texts)
    read = [space.read(text) for text in briefs]
    worked = np.zeros((12, 56), dtype=bool)
    for brand in range(12):
        worked[brand, [brand, brand + 12, brand + 24]] = True
    pairs = Pairs(
        views_of(np.array([one.vector for one in read]), np.array([one.shares for one in read])),
        views_of(space.vectors, niche_shares(pd.Series(texts, dtype="str")).to_numpy()),
        grade(worked, [""] * 12),
        ("",) * 12,
        {name: np.full(worked.shape, np.nan) for name in WEIGHTS},
    )
    config = FitConfig(folds=2, repeats=1, trees=20, boosters=1, least_rows=5)
    brands = tuple(f"Glow {number}" for number in range(12))
    creators = tuple(f"known{number}" for number in range(56))
    return FitModel(fit_ranker(pairs, config), 1.0, 0.0, brands, creators, pairs.relevance, "made", "7")


def test_what_is_avoided_is_no_topic(catalogue: Catalogue) -> None:
    plain = shortlist(catalogue, Brief(text="skincare for oily skin"))
    text = "skincare for oily skin. Avoid weight loss. Not worked with Street Food Travel"
    careful = shortlist(catalogue, Brief(text=text))
    assert set(careful.niches) <= {*plain.niches, "fitness"} - {"fitness"}
    assert careful.frame["creator_id"][0] == plain.frame["creator_id"][0]
    assert not {"weight", "food", "street food", "travel"} & set(", ".join(careful.frame["matched_words"]).split(", "))


def test_tags_and_the_closest_sentence_are_reasons(score_frame: pd.DataFrame) -> None:
    text = "Hello there, it was a long day! I love this gentle face serum for oily skin. #skincare #sunday #faceserum"
    frame = score_frame.assign(profile_text=text)
    told = shortlist(Catalogue.of(frame), Brief(text="skin care for oily skin")).frame["reasons"][4]
    assert "wrote: “I love this gentle face serum for oily skin.”" in told
    assert "tags: #skincare" in told
    assert "#sunday" not in told
