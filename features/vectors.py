"""Text vectors that need no network and no model: one table of word pieces for many languages.

A text's vector is the weighted mean of its pieces' vectors, scaled to length one. The table (`features/pieces.npz`)
is made once by `training/distill.py` out of multilingual-e5-small and ships with the package; a text and its
translation lie close in it, so that a Vietnamese brief finds English captions. Pieces may be several words long
("mỹ phẩm"), and Vietnamese that is typed without accents, or run together in a hashtag, has pieces too.
"""

import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import scipy.sparse
import sentencepiece

#: Texts whose pieces are held at a time.
_CHUNK = 4096
#: Hashtags in which a capital letter begins a word: #SkinCareRoutine.
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TAG = re.compile(r"#\w*[a-z0-9][A-Z]\w*")
_LINK = re.compile(r"(?i)(?:https?://|www\.)\S+")
#: Apostrophes, joiners and choices of glyph, which are dropped, and punctuation, which parts words.
_DROPPED = re.compile("['’ʼ`´\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U000e0000-\U000e007f]")
_PARTING = re.compile(r"[!-&(-/:-@\[-_{-~\u00a1-\u00bf\u2010-\u2017\u201c-\u203e\u3001-\u3003\u3008-\u3011\s]+")


def plain(text: str) -> str:
    """Small letters in composed form, links and punctuation gone, hashtags taken apart where capitals say so."""
    if "#" in text:
        text = _TAG.sub(lambda tag: _CAMEL.sub(" ", tag[0]), text)
    if "://" in text or "www." in text:
        text = _LINK.sub(" ", text)
    text = unicodedata.normalize("NFKC", text).lower()
    return _PARTING.sub(" ", _DROPPED.sub("", text)).strip()


@dataclass(frozen=True)
class PieceTable:
    """Pieces and their vectors.

    Attributes
    ----------
    pieces : SentencePieceProcessor
        Takes plain texts apart (unigram model, most probable pieces).
    rows : ndarray of int32 (pieces,)
        Row of `vectors` of each piece; row 0 is zero, for what is not known.
    vectors : ndarray of float32 (rows, dims)
        Vectors times their weights in a text's mean.
    digest : str
        Names the table: vectors of different tables must not be compared.
    """

    pieces: sentencepiece.SentencePieceProcessor
    rows: np.ndarray
    vectors: np.ndarray
    digest: str

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]


def read_table(data: bytes) -> PieceTable:
    """Read a table as `training.distill` writes it.

    Raises
    ------
    ValueError
        The file is no table, or holds pickled objects.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as table:
        pieces = sentencepiece.SentencePieceProcessor(model_proto=table["pieces"].tobytes())
        vectors = table["vectors"].astype(np.float32) * table["scales"].astype(np.float32)[:, None]
        rows = table["rows"].astype(np.int32)
    if rows.shape != (pieces.get_piece_size(),) or rows.min() < 0 or rows.max() >= len(vectors):
        raise ValueError(f"{rows.size} rows are named for {pieces.get_piece_size()} pieces and {len(vectors)} vectors")
    return PieceTable(pieces, rows, vectors, hashlib.sha256(data).hexdigest()[:16])


@cache
def shipped_table() -> PieceTable:
    """Return the table that ships with the package, read on first use (about a fifth of a second)."""
    return read_table((files("features") / "pieces.npz").read_bytes())


def embed(texts: Iterable[str | None], table: PieceTable | None = None) -> np.ndarray:
    """Vectors of texts, in any of the table's languages.

    Parameters
    ----------
    texts : iterable of str
        A missing text counts as empty.
    table : PieceTable, optional
        Instead of the shipped one.

    Returns
    -------
    ndarray of float32 (texts, dims)
        Of length one; zero where a text has no known piece. A text's vector is the same to the last bit whatever other
        texts come with it.
    """
    table = table or shipped_table()
    cleaned = [plain(text) if isinstance(text, str) else "" for text in texts]
    out = np.zeros((len(cleaned), table.dims), dtype=np.float32)
    for start in range(0, len(cleaned), _CHUNK):
        out[start : start + _CHUNK] = _means(cleaned[start : start + _CHUNK], table)
    return out


def _means(texts: list[str], table: PieceTable) -> np.ndarray:
    found = table.pieces.encode(texts, out_type=int, num_threads=1)
    ends = np.cumsum([0, *map(len, found)], dtype=np.int64)
    rows = table.rows[np.fromiter((piece for pieces in found for piece in pieces), np.int64, count=ends[-1])]
    # the product adds the rows of each text in their order, so that neighbours cannot change it
    counts = scipy.sparse.csr_array(
        (np.ones(rows.size, dtype=np.float32), rows, ends), shape=(len(texts), len(table.vectors))
    )
    sums = counts @ table.vectors
    lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums, dtype=np.float64))[:, None]
    return np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0, casting="same_kind")


def quantise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Store vectors in a quarter of their bytes.

    Parameters
    ----------
    vectors : ndarray of float32 (n, dims)

    Returns
    -------
    ndarray of int8 (n, dims), ndarray of float32 (n,)
        Whole numbers from -127 to 127, and what each row of them is multiplied by; a zero row has scale 0.
    """
    scales = np.abs(vectors).max(axis=1, initial=0).astype(np.float32) / np.float32(127)
    known = scales > 0
    whole = np.zeros(vectors.shape, dtype=np.int8)
    whole[known] = np.rint(vectors[known] / scales[known, None])
    return whole, scales


def restore(whole: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Vectors that `quantise` stored, float32 of shape (n, dims), each component to within half its row's scale."""
    return whole.astype(np.float32) * scales[:, None]
