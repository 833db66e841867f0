import numpy as np
import pandas as pd
import pytest

from features.tables import Tables, check_tables
from training.fit import DELIVERED, WORKED
from training.fit_tables import CollaborationConfig, FitTablesError, fit_data, named_collaborations

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
BEAUTY = ["serum cho da dầu, kem chống nắng", "review son môi và phấn nền", "skincare buổi sáng, toner"]
FOOD = ["phở bò và bún chả Hà Nội", "street food, noodles", "quán cà phê và món ăn ngon"]


def make_tables() -> Tables:
    """Eight beauty and eight food creators; one brand of each; the first three of each worked with it in February."""
    ids = [f"{kind}{number}" for kind in ("beauty", "food") for number in range(8)]
    posts = pd.DataFrame(
        [
            {
                "creator_id": one,
                "post_id": f"{one}-{number}",
                "published_at": pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(days=15 * number),
                "likes": 100,
                "comments": 3,
                "caption": (BEAUTY if one.startswith("beauty") else FOOD)[number % 3],
            }
            for one in ids
            for number in range(4)
        ]
    )
    brands = pd.DataFrame(
        {
            "brand_id": ["glow", "pho24", "idle"],
            "name": ["Glow", "Phở 24", "Idle"],
            "brief": ["Mỹ phẩm cho da dầu", "Nhà hàng phở và món Việt", "Giày thể thao"],
        }
    )
    worked = pd.DataFrame(
        [
            {"brand_id": brand, "creator_id": f"{kind}{number}", "started_at": "2026-02-01T00:00:00Z", "post_ids": "x"}
            | {"outcome": "Delivered" if number == 0 else None, "clicks": 5 if number == 1 else 0}
            for brand, kind in (("glow", "beauty"), ("pho24", "food"))
            for number in range(3)
        ]
    )
    creators = pd.DataFrame({"creator_id": ids, "platform": "instagram", "followers": 20_000})
    return check_tables({"creators": creators, "posts": posts, "brands": brands, "collaborations": worked})


def of(tables: Tables, **settings: object):
    return fit_data(tables, AS_OF, CollaborationConfig.model_validate(settings), imported_at=AS_OF)


def test_pairs_of_tables() -> None:
    data = of(make_tables())
    assert data.brands == ("Glow", "Phở 24")  # a brand without collaborations teaches nothing
    assert len(data.creators) == 16
    glow = dict(zip(data.creators, data.pairs.relevance[0], strict=True))
    assert [glow[f"beauty{number}"] for number in range(4)] == [DELIVERED, DELIVERED, WORKED, 0]
    assert glow["food0"] == 0
    beauty = np.array([one.startswith("beauty") for one in data.creators])
    assert data.prior[0][beauty].min() > data.prior[0][~beauty].max()
    assert data.pairs.categories == ("beauty", "food")


def test_what_was_written_after_the_collaboration_is_not_read() -> None:
    tables = make_tables()
    told = of(tables)
    late = tables["posts"]["published_at"] >= pd.Timestamp("2026-02-01", tz="UTC")
    worked = tables["posts"]["creator_id"].isin(tables["collaborations"]["creator_id"])
    assert (late & worked).any()
    tables["posts"].loc[late & worked, "caption"] = "thank you @glow and @pho24 for everything"
    again = of(tables)
    assert np.array_equal(told.pairs.creators.views["text"], again.pairs.creators.views["text"])
    assert np.array_equal(told.prior, again.prior)


def test_creators_of_whom_nothing_remains_are_left_out() -> None:
    tables = make_tables()
    early = tables["posts"]["published_at"] < pd.Timestamp("2026-02-01", tz="UTC")
    tables["posts"].loc[early & (tables["posts"]["creator_id"] == "beauty0"), "caption"] = None
    assert "beauty0" not in of(tables).creators


def test_named_brands_stand_in_for_collaborations() -> None:
    tables = make_tables()
    del tables["collaborations"]
    tables["posts"].loc[[0, 5], "caption"] = "my skin loves @glow"
    named = named_collaborations(tables)
    assert named[["brand_id", "creator_id", "post_ids"]].to_numpy().tolist() == [
        ["glow", "beauty0", "beauty0-0"],
        ["glow", "beauty1", "beauty1-1"],
    ]
    data = of(tables, known="always")
    assert data.pairs.worked.sum() == 2


def test_decisions_are_read_with_their_places() -> None:
    tables = make_tables()
    rows = [("glow", "beauty5", "2026-02-10", "no", 1), ("glow", "beauty5", "2026-02-11", "yes", 2)]
    rows += [("pho24", "food6", "2026-02-10", "no", None), ("pho24", "food7", "2027-02-10", "yes", 1)]
    columns = ["brand_id", "creator_id", "decided_at", "decision", "position"]
    decisions = pd.DataFrame(rows, columns=columns).assign(decided_at=lambda frame: frame["decided_at"] + "T00:00:00Z")
    data = of(check_tables(tables | {"decisions": decisions}))
    told = data.decisions
    assert [data.creators[one] for one in told.creators] == ["food6", "beauty5"]
    assert told.wanted.tolist() == [False, True]
    assert told.positions.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tables: tables.pop("brands"), "brands: the table is missing or empty"),
        (lambda tables: tables.pop("collaborations"), "no caption names a brand"),
        (
            lambda tables: tables["collaborations"].update({"brand_id": ["other"] * 6}),
            "no row is of a brand of `brands` and a creator of `creators`",
        ),
    ],
)
def test_what_is_missing_is_named(change, message: str) -> None:
    tables = make_tables()
    change(tables)
    with pytest.raises(FitTablesError, match=message):
        of(tables)
