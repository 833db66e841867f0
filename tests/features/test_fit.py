import numpy as np
import pytest

from features.fit import Side, SidesError, against_rivals, are_shares, check_comparable, cosine, unit_rows


def test_cosine_of_hand_written_vectors_and_of_nothing() -> None:
    briefs = np.array([[3.0, 4.0], [0.0, 0.0]])
    creators = np.array([[1.0, 0.0], [6.0, 8.0]])
    assert cosine(briefs, creators) == pytest.approx(np.array([[0.6, 1.0], [0.0, 0.0]]))


def test_shares_are_compared_by_their_square_roots() -> None:
    shares = np.array([[0.36, 0.64], [1.0, 0.0]])
    assert are_shares([shares])
    assert not are_shares([shares, np.array([[0.5, 0.6]])])
    assert not are_shares([np.array([[1.5, -0.5]])])
    assert unit_rows(shares, shares=True) == pytest.approx(np.array([[0.6, 0.8], [1.0, 0.0]]))


def test_who_is_like_every_brief_says_little_about_one() -> None:
    # the first creator is as like both; the second is less like the first brief, and like nobody else
    similarity = np.array([[2.0, 1.5], [2.0, -1.0]])
    over = against_rivals(similarity)
    assert over[0, 1] > over[0, 0]
    # log of the share of the whole: exp(2/t) twice over their mean is 1
    assert over[0, 0] == pytest.approx(0.0)


def test_rivals_given_are_counted_with_the_brief_itself() -> None:
    similarity, rivals = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 2.0]])
    t = 0.5
    expected = [
        np.log(3 * np.exp(1 / t) / (2 * np.exp(1 / t) + 1)),
        np.log(3 / (1 + 1 + np.exp(2 / t))),
    ]
    assert against_rivals(similarity, rivals, t)[0] == pytest.approx(expected)


def test_without_rivals_a_brief_alone_has_nothing_to_be_compared_with() -> None:
    assert against_rivals(np.array([[1.0, -3.0]]), np.zeros((0, 2))) == pytest.approx(np.zeros((1, 2)))


def test_huge_similarities_stay_finite() -> None:
    assert np.isfinite(against_rivals(np.array([[4e4, -4e4], [-4e4, 0.0]]))).all()


def test_views_need_the_same_rows_names_and_widths() -> None:
    with pytest.raises(SidesError, match="rows here"):
        Side({"topics": np.zeros((2, 3)), "tags": np.zeros((3, 3))})
    with pytest.raises(SidesError, match="view topics"):
        Side({"topics": np.array([[np.nan]])})
    with pytest.raises(SidesError, match="same names and dimensions"):
        check_comparable(Side({"topics": np.zeros((2, 3))}), Side({"topics": np.zeros((2, 4))}))
