"""Text vectors: what is near what, and that a text's vector depends on nothing but the text."""

import io
import time

import numpy as np
import pytest

from features.vectors import embed, plain, quantise, read_table, restore, shipped_table
from training.distill import tokenizer_of


def near(one: str, other: str) -> float:
    a, b = embed([one, other])
    return float(a @ b)


def table_file(**changes: np.ndarray) -> bytes:
    """A table of three pieces: red on the first axis, blue on the second, "red wine" between them."""
    pieces = tokenizer_of([("▁", -4.0), ("▁red", -5.0), ("▁blue", -6.0), ("▁red▁wine", -7.0)])
    arrays = {
        "pieces": np.frombuffer(pieces, dtype=np.uint8),
        "rows": np.array([0, 0, 1, 2, 3], dtype=np.int32),
        "vectors": np.array([[0, 0], [100, 0], [0, 100], [60, 80]], dtype=np.int8),
        "scales": np.array([0.0, 0.01, 0.03, 0.01], dtype=np.float32),
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **(arrays | changes))
    return file.getvalue()


def test_a_vector_is_the_weighted_mean_of_known_pieces() -> None:
    table = read_table(table_file())

    vectors = embed(["Red", "red, BLUE!", "red wine", "wine", "red 🍷 blue blue"], table)

    ten, thirty_seven = np.sqrt(1 + 9), np.sqrt(1 + 36)
    expected = [[1, 0], [1 / ten, 3 / ten], [0.6, 0.8], [0, 0], [1 / thirty_seven, 6 / thirty_seven]]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_a_table_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="4 rows are named for 5 pieces"):
        read_table(table_file(rows=np.zeros(4, dtype=np.int32)))
    with pytest.raises(ValueError, match="5 rows are named for 5 pieces and 4 vectors"):
        read_table(table_file(rows=np.array([0, 0, 1, 2, 4], dtype=np.int32)))


def test_pickled_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_table(table_file(rows=np.array([{}] * 5, dtype=object)))


def test_tables_are_told_apart_by_their_digest() -> None:
    other = table_file(scales=np.array([0.0, 0.01, 0.02, 0.01], dtype=np.float32))

    assert read_table(table_file()).digest == read_table(table_file()).digest != read_table(other).digest


def test_the_shipped_table_is_small_and_its_vectors_have_length_one() -> None:
    table = shipped_table()
    vectors = embed(["Kem chống nắng cho da dầu", "Sunscreen", "ครีมกันแดด", "💪", "2026"])

    assert (table.dims, vectors.dtype, vectors.shape) == (256, np.float32, (5, 256))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert table.vectors[0].tolist() == [0.0] * 256


@pytest.mark.parametrize("text", ["", "   ", "...!?", "https://example.com/skincare", "\u200b\ufe0f", "ᚠᚢᚦ", None])
def test_nothing_known_is_a_zero_vector(text: str | None) -> None:
    assert not embed([text]).any()


def test_no_texts_are_no_rows() -> None:
    assert embed([]).shape == (0, 256)


def test_a_text_has_the_same_bits_alone_and_among_thousands() -> None:
    words = "son môi red lipstick kem duong 💄 ลิปสติก travel #SkinCare 12".split()
    generator = np.random.default_rng(5)
    texts = [" ".join(generator.choice(words, size=size)) for size in generator.integers(1, 40, size=9000)]

    together = embed(texts)

    assert embed(texts).tobytes() == together.tobytes()
    for index in (0, 4095, 4096, 8999):
        assert embed([texts[index]]).tobytes() == together[index].tobytes()


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("Mỹ phẩm", "mỹ phẩm"),
        ("mỹ phẩm", "my\u0303 phâ\u0309m"),
        ("mỹ phẩm", "my pham"),
        ("mỹ phẩm", "#mypham"),
        ("skincare routine", "#SkinCareRoutine"),
        ("skincare routine", "#skincareroutine"),
        ("cà phê", "cà phê!!! https://example.com/a?b=c"),
        ("khỏe", "KHỎE"),
        ("make-up", "make up"),
    ],
)
def test_spellings_of_one_word_have_one_vector(one: str, same: str) -> None:
    assert near(one, same) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("vietnamese", "english", "other"),
    [
        ("mỹ phẩm cho da dầu", "cosmetics for oily skin", "engine oil for trucks"),
        ("my pham cho da dau", "cosmetics for oily skin", "engine oil for trucks"),
        ("xe máy điện", "electric motorbike", "washing machine"),
        ("thuc an cho meo", "cat food", "my favourite English lesson"),
        ("vé máy bay giá rẻ", "cheap flight", "expensive restaurant"),
        ("ขนมหวาน", "dessert", "football"),
    ],
)
def test_a_translation_is_nearer_than_another_subject(vietnamese: str, english: str, other: str) -> None:
    assert near(vietnamese, english) > near(vietnamese, other) + 0.1


def test_a_very_long_text_takes_little_time() -> None:
    embed(["warm"])
    start = time.perf_counter()
    vectors = embed(["du lịch bụi " * 10_000, "a" * 100_000])

    assert time.perf_counter() - start < 2
    assert vectors[0] @ embed(["du lịch bụi"])[0] == pytest.approx(1, abs=1e-5)


def test_plain_texts() -> None:
    assert plain("  Son môi—ĐẸP  quá!!! ") == "son môi đẹp quá"
    assert plain("#BeautyBlogger's #dalat2026 #NYC www.a.vn/b ok") == "beauty bloggers dalat2026 nyc ok"
    assert plain("❤️‍🔥 ５０％") == "❤🔥 50"


def test_quantised_vectors_come_back_to_within_half_a_step() -> None:
    vectors = np.vstack([embed(["son môi", "du lịch Đà Lạt", "gym 💪"]), np.zeros((1, 256), dtype=np.float32)])

    whole, scales = quantise(vectors)
    back = restore(whole, scales)

    assert (whole.dtype, scales.dtype, back.dtype) == (np.int8, np.float32, np.float32)
    assert np.abs(whole).max(axis=1).tolist() == [127, 127, 127, 0]
    assert (np.abs(back - vectors) <= scales[:, None] * 0.5001).all()
    assert not back[3].any()
    assert quantise(np.zeros((0, 4), dtype=np.float32))[0].shape == (0, 4)
