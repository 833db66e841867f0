import numpy as np
import pandas as pd
import pytest

from features.profiles import LONGEST, ProfileSpace, niche_shares

PROFILES = [
    "Kem chống nắng và serum cho da dầu, dưỡng da mỗi sáng",
    "Sunscreen and serum for oily skin, my morning skin care",
    "Phở, bún chả và món ăn đường phố",
    "Street food, noodles and grilled pork",
    "",
]


def test_shares_of_niches_sum_to_one_or_to_nothing() -> None:
    shares = niche_shares(pd.Series(["mascara mascara pizza", "tra la la", None], dtype="str"))
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 0, 0])
    row = shares.iloc[0]
    # two words of make-up and one of food, as logarithms of 1 + 2 and 1 + 1
    assert row["makeup"] / row["food"] == pytest.approx(np.log(3) / np.log(2))


def test_the_topic_counts_and_not_the_language() -> None:
    space = ProfileSpace.fit(PROFILES)
    for brief in ("skin care", "chăm sóc da", "cham soc da"):
        alike = space.similarities(space.read(brief))
        assert set(np.argsort(-alike)[:2]) == {0, 1}, brief
    for brief in ("food reviews", "review đồ ăn"):
        assert set(np.argsort(-space.similarities(space.read(brief)))[:2]) == {2, 3}, brief


def test_who_writes_nothing_fits_nobody_and_little_text_counts_less() -> None:
    space = ProfileSpace.fit([*PROFILES, "serum"])
    lengths = np.linalg.norm(space.vectors, axis=1)
    assert lengths[4] == 0
    assert lengths[5] < lengths[0] < 1
    assert space.similarities(space.read("serum"))[4] == 0


def test_niches_that_are_named_beside_the_text_count() -> None:
    space = ProfileSpace.fit(PROFILES)
    assert space.read("new collection", ["food"]).niches[0] == "food"
    assert space.read("new collection", ["phở"]).known  # none of the taxonomy's: read as a word
    assert space.read("").niches == ()
    assert not space.read("").known


def test_similarities_stay_between_nothing_and_everything() -> None:
    space = ProfileSpace.fit(PROFILES)
    alike = space.similarities(space.read("street food"))
    assert alike.min() == 0 <= alike.max() <= 1
    assert space.products(space.middle([0, 1])).argmax() in (0, 1)
    assert len(ProfileSpace.fit([])) == 0


def test_the_beginning_of_a_document_counts() -> None:
    space = ProfileSpace.fit(PROFILES)
    long = "skin care " * (LONGEST // 10)
    assert (space.read(long + "street food " * 5_000).vector == space.read(long).vector).all()
