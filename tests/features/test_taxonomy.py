import pandas as pd
import pytest

from features.lexicons import read_norms
from features.taxonomy import niche_counts, niche_of_label, niche_words, read_taxonomy, wider_niches, without_accents


def found(text: str, *, names_only: bool = False) -> set[str]:
    counts = niche_counts(pd.Series([text], dtype="str"), names_only).iloc[0]
    return set(counts.index[counts > 0])


def test_every_niche_has_names_in_both_languages_and_words_in_both() -> None:
    for niche in read_taxonomy().values():
        assert niche.english
        assert niche.vietnamese
        both = (*niche.names, *niche.words)
        assert any(word != without_accents(word) for word in both), niche.name
        assert any(word.isascii() for word in niche.names), niche.name


def test_parents_are_niches_and_end() -> None:
    for name in read_taxonomy():
        assert set(wider_niches(name)) <= set(read_taxonomy())
    assert wider_niches("skincare") == ["skincare", "beauty"]
    assert wider_niches("travel") == ["travel"]


def test_labels_mean_one_niche() -> None:
    labels = [label for niche in read_taxonomy().values() for label in niche.labels]
    assert len(labels) == len(set(labels))
    assert niche_of_label("Mẹ và bé") == niche_of_label("mother_and_baby") == "mother_and_baby"
    assert niche_of_label("Interior") == "interior"
    assert niche_of_label("other") is None


def test_every_word_list_of_the_floor_has_its_niche() -> None:
    lists = {name for name, words in read_norms("niches").items() if isinstance(words, dict)}
    assert lists <= set(read_taxonomy())


@pytest.mark.parametrize(
    ("text", "niche"),
    [
        ("Review kem chống nắng cho da dầu", "skincare"),
        ("review kem chong nang", "skincare"),
        ("#mỹphẩm chính hãng", "beauty"),
        ("Quán ăn ngon ở Sài Gòn", "food"),
        ("preheat the oven to 180", "cooking"),
        ("Con mèo nhà mình", "pet"),
        ("vay von ngan hang", "finance"),
        ("VinFast mới", "vehicles"),
    ],
)
def test_words_tell_the_niche_with_and_without_accents(text: str, niche: str) -> None:
    assert niche in found(text)


def test_words_that_are_others_without_their_accents_need_them() -> None:
    assert "pet" not in found("mua cho em")
    assert "food" not in found("do an unboxing")
    assert "food" in found("đồ ăn")


def test_a_brief_is_read_by_the_names_of_niches_alone() -> None:
    assert found("Find mothers and babies creators who fit our style", names_only=True) == {"mother_and_baby"}
    assert "fashion" in found("who fit our style")
    assert found("thương hiệu mỹ phẩm và thời trang", names_only=True) == {"beauty", "fashion"}


def test_words_that_name_a_niche_are_among_all_its_words() -> None:
    assert all(set(names) < set(niche_words()[name]) for name, names in niche_words(names_only=True).items())


def test_what_needs_its_accents_is_listed() -> None:
    listed = {word for words in niche_words().values() for word in words}
    needed = set(read_norms("taxonomy")["accented"])
    assert needed <= listed
    assert not {without_accents(word) for word in needed} & listed


def test_few_texts_are_counted_as_many_are() -> None:
    texts = pd.Series(
        [
            "",
            "Kem chống nắng, son môi & #skincare!",
            None,
            "a coffee, coffee and COFFEE-shop",
            "mỹ phẩm my pham",
            "e\u0301t",
        ],
        dtype="str",
    )
    many = pd.concat([texts] * 10, ignore_index=True)

    alone = pd.concat([niche_counts(many.iloc[[row]]) for row in range(len(many))])

    pd.testing.assert_frame_equal(alone, niche_counts(many))
