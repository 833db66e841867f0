"""Labelled comments: the public sets that are known by their files, and generated ones that carry no licence.

Sets mean different things by their labels. Spam under a music video is a stranger's advertising; "spam" of a shop's
reviews is a review that says nothing of the product, or no review at all. A set therefore names its domain, and a
model keeps what a domain alone calls spam away from the others.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.tables import TEXT

Domain = Literal["social", "review"]
#: What an inauthentic comment may be; "" is none of them.
KINDS: Final = ("spam", "scam", "generic_filler", "copy_paste")
LANGUAGES: Final = ("en", "vi", "id")
#: Shares of generated comments by language: Vietnamese and English first, Indonesian for its kind of Instagram spam.
_LANGUAGE_SHARES: Final = (0.45, 0.42, 0.13)
#: Share of generated comments that are inauthentic, and how those are dealt to spam, scam and filler.
_INAUTHENTIC: Final = 0.4
_KIND_SHARES: Final = (0.62, 0.36, 0.02)
#: Part of honest sentences that are everybody's words in no order, so that a topic outside the grammar is no suspicion.
_TALK: Final = 0.1
#: Part of the honest ones that name somebody: answers begin with a mention, friends are called.
_ANSWERS: Final = 0.2
#: Part of the honest ones that are stock phrases as well: a lone "nice" is mostly honest.
_HONEST_FILLER: Final = 0.14
_SLOT = re.compile(r"{(\w+)}")


class UnknownSetError(ValueError):
    """A folder without any labelled comments that could be read, or a file that is not what its name says."""


@dataclass(frozen=True)
class LabelledComments:
    """Comments with a label each.

    Attributes
    ----------
    name : str
    comments : DataFrame
        `text`, and what else of the comments table is known (author_id, post_id, published_at).
    inauthentic : ndarray of bool (comments,)
    kinds : ndarray of str (comments,)
        One of KINDS, or "" where honest or unknown.
    groups : ndarray of str (comments,)
        What is held out together, such as a video.
    domain : {"social", "review"}
        What its label means: a stranger's advertising, or a review that is none.
    terms : str
        Under what terms the set may be used.
    simulated : bool
    background : bool
        Honest by assumption, so only good for false alarms.
    """

    name: str
    comments: pd.DataFrame
    inauthentic: np.ndarray
    kinds: np.ndarray
    groups: np.ndarray
    domain: Domain = "social"
    terms: str = ""
    simulated: bool = False
    background: bool = False

    def __len__(self) -> int:
        return len(self.comments)

    def take(self, rows: np.ndarray) -> "LabelledComments":
        """The chosen rows, by position or by a mask."""
        return LabelledComments(
            self.name,
            self.comments[rows] if rows.dtype == bool else self.comments.iloc[rows],
            self.inauthentic[rows],
            self.kinds[rows],
            self.groups[rows],
            self.domain,
            self.terms,
            self.simulated,
            self.background,
        )


# ---- generated comments


@cache
def _grammar() -> Mapping[str, Any]:
    text = resources.files("training").joinpath("configs", "simulated_comments.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


#: Short spellings of Vietnamese in chats.
_TEENCODE: Final = {
    "không": "ko", "được": "đc", "gì": "j", "vậy": "z", "quá": "qá", "mình": "mk", "bạn": "b", "chị": "c", "em": "e",
    "anh": "a", "người": "ng", "mọi người": "mn", "rồi": "r", "với": "vs", "yêu": "iu", "biết": "bt", "thích": "thik",
    "nhiêu": "nhiu", "bao nhiêu": "bn", "inbox": "ib", "nhé": "nhe", "giờ": "h", "luôn": "lun",
}  # fmt: skip
_SHORT_ENGLISH: Final = {
    "you": "u", "your": "ur", "please": "pls", "are": "r", "because": "cuz", "people": "ppl", "thanks": "thx", "for":
    "4",
    "don't": "dont", "i'm": "im", "can't": "cant", "check": "chek", "and": "n", "to": "2", "love": "luv", "channel":
    "chanel",
}  # fmt: skip
_STYLES: Final = (0x1D400, 0x1D5D4, 0x1D41A - 26)
_DROPPED = str.maketrans(
    "àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ",
    "aaaaaaaaaaaaaaaaaeeeeeeeeeeeiiiiiooooooooooooooooouuuuuuuuuuuyyyyyd",
)


class _Writer:
    """Writes comments of one language from the grammar."""

    def __init__(self, language: str, rng: np.random.Generator) -> None:
        grammar = _grammar()
        self.language = language
        self.slots: dict[str, Sequence[str]] = {**grammar["any"], **grammar[language]["slots"]}
        self.templates = {kind: grammar[language][kind]["templates"] for kind in ("spam", "scam", "filler", "honest")}
        self.rng = rng

    def pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.random() * len(choices))]

    def fill(self, template: str) -> str:
        while True:
            filled = _SLOT.sub(lambda slot: self.pick(self.slots[slot.group(1)]), template)
            if filled == template:
                return re.sub(r"\s+", " ", filled).strip(" ,")
            template = filled

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def short(self, text: str) -> str:
        words = _TEENCODE if self.language == "vi" else _SHORT_ENGLISH if self.language == "en" else {}
        return " ".join(words.get(word, word) if self.chance(0.6) else word for word in text.split(" "))

    def styled(self, text: str) -> str:
        start = self.rng.choice(_STYLES[:2])
        return "".join(
            chr(int(start) + ord(letter.upper()) - ord("A")) if letter.isascii() and letter.isalpha() else letter
            for letter in text
        )

    def mistyped(self, text: str) -> str:
        if len(text) < 6:
            return text
        place = 1 + int(self.rng.random() * (len(text) - 2))
        return self.pick(
            [
                text[:place] + text[place + 1 :],
                text[:place] + text[place] + text[place:],
                text[:place] + text[place - 1 :],
            ]
        )

    def cased(self, text: str, shouting: float) -> str:
        casing = self.rng.random()
        if casing < 0.45:
            return text[:1].upper() + text[1:]
        return text.upper() if casing < 0.45 + shouting and "http" not in text else text

    def decorated(self, text: str, kind: str) -> str:
        if self.chance(0.1) and text[-1:].isalpha():
            text += text[-1] * int(self.rng.integers(1, 6))
        if self.chance(0.35):
            text += self.pick(["!", "!!!", ".", "...", "?" if kind == "honest" else "!", "!!", " :)", " :D", " :("])
        if self.chance(0.2):
            text += " " + self.fill(
                self.pick(["{heart}", "{heart}{heart}", "{heart}" if kind == "honest" else "{fire}"])
            )
        return text

    def write(self, kind: str) -> str:
        """One comment of a kind: one sentence or some, in the writing of one person."""
        most = 1 if kind == "filler" else 1 + int(self.rng.choice(4, p=[0.66, 0.21, 0.09, 0.04]))
        parts = [
            self.fill("{talk}" if kind == "honest" and self.chance(_TALK) else self.pick(self.templates[kind]))
            for _ in range(most)
        ]
        if kind in ("spam", "scam") and self.chance(0.15):
            parts.insert(0, self.fill(self.pick(self.templates["honest" if self.chance(0.5) else "filler"])))
        text = self.pick([". ", " ", "! ", ", ", "\n", " ... "]).join(parts)
        if self.chance(0.25):
            text = self.short(text)
        if self.language == "vi" and self.chance(0.3):
            text = text.lower().translate(_DROPPED)
        text = self.cased(text, 0.1 if kind in ("spam", "scam") else 0.04)
        if self.chance(0.15):
            text = self.mistyped(text)
        text = self.decorated(text, kind)
        if kind in ("spam", "scam"):
            text = self.styled(text) if self.chance(0.03) else text
        elif self.chance(_ANSWERS):
            text = f"{self.fill('{person}')} {text}" if self.chance(0.8) else f"{text} {self.fill('{person}')}"
        return text.strip() or "."


def simulate_comments(count: int, seed: int) -> LabelledComments:
    """Write comments by grammars of our own: spam, scam, stock phrases, and honest ones that look a little like them.

    The grammars (`training/configs/simulated_comments.toml`) are general knowledge of how comments are spammed in
    English, Vietnamese and Indonesian.
    A model of them finds these sentences' relatives, not whatever sellers will write next.
    Stock phrases ("nice", "đẹp quá") are written by both sides, honest ones more often, so that a lone one stays
    modest evidence. Some inauthentic texts are posted again by other authors (`copy_paste`).

    Parameters
    ----------
    count : int
        Comments, at least 10.
    seed : int

    Returns
    -------
    LabelledComments
        Groups are language and kind; the order of rows is random.
    """
    if count < 10:
        raise ValueError(f"count must be at least 10, found {count}")
    rng = np.random.default_rng(seed)
    writers = {language: _Writer(language, rng) for language in LANGUAGES}
    language = rng.choice(LANGUAGES, count, p=_LANGUAGE_SHARES)
    inauthentic = rng.random(count) < _INAUTHENTIC
    bad = rng.choice(["spam", "scam", "filler"], count, p=_KIND_SHARES)
    good = np.where(rng.random(count) < _HONEST_FILLER, "filler", "honest")
    written = np.where(inauthentic, bad, good)
    texts = [writers[spoken].write(kind) for spoken, kind in zip(language.tolist(), written.tolist(), strict=True)]
    kinds = np.where(inauthentic, np.where(bad == "filler", "generic_filler", bad), "")
    copied = np.flatnonzero(inauthentic & (rng.random(count) < 0.05))
    sources = rng.choice(np.flatnonzero(inauthentic), copied.size) if copied.size else copied
    for row, source in zip(copied.tolist(), sources.tolist(), strict=True):
        texts[row], language[row], kinds[row] = texts[source], language[source], "copy_paste"
    frame = pd.DataFrame(
        {
            "author_id": pd.Series([f"a_{number}" for number in range(count)], dtype=TEXT),
            "text": pd.Series(texts, dtype=TEXT),
        }
    )
    groups = np.array([f"{spoken}/{kind}" for spoken, kind in zip(language, written, strict=True)], dtype=object)
    return LabelledComments(
        "simulated", frame, inauthentic, kinds.astype(object), groups, terms="none: written here", simulated=True
    )


# ---- public sets


def _gathered(folder: Path, stem: str, parts: Sequence[str]) -> pd.DataFrame | None:
    """Rows of the parts of a set that are there, with the part's name, or None."""
    found = []
    for part in parts:
        pattern = f"{stem}_{part}.csv*" if part else f"{stem}.csv*"
        found += [pd.read_csv(path).assign(part=part) for path in sorted(folder.rglob(pattern))]
    return pd.concat(found, ignore_index=True) if found else None


def _need(frame: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        message = f"{name}: columns {', '.join(missing)} are missing, found {', '.join(map(str, frame.columns))}"
        raise UnknownSetError(message)


def _texts(values: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"text": values.fillna("").astype(TEXT)}).reset_index(drop=True)


def _none(count: int) -> np.ndarray:
    return np.full(count, "", dtype=object)


def _youtube(folder: Path, parts: Sequence[str]) -> LabelledComments | None:
    frame = _gathered(folder, "youtube_spam", [""]) if "train" in parts else None
    if frame is None:
        return None
    _need(frame, "youtube_spam", ["CONTENT", "CLASS", "AUTHOR", "DATE", "video"])
    comments = _texts(frame["CONTENT"]).assign(
        author_id=frame["AUTHOR"].astype(TEXT), post_id=frame["video"].astype(TEXT)
    )
    spam = frame["CLASS"].to_numpy() == 1
    groups = frame["video"].to_numpy(dtype=object)
    return LabelledComments("youtube_spam", comments, spam, _none(len(frame)), groups, terms="UCI, unverified")


def _reviews(folder: Path, parts: Sequence[str]) -> LabelledComments | None:
    frame = _gathered(folder, "vispamreviews", parts)
    if frame is None:
        return None
    _need(frame, "vispamreviews", ["Comment", "Label"])
    spam = frame["Label"].to_numpy() == 1
    groups = frame["part"].to_numpy(dtype=object)
    return LabelledComments(
        "vispamreviews", _texts(frame["Comment"]), spam, _none(len(frame)), groups, "review", "research"
    )


def _clean(folder: Path, parts: Sequence[str]) -> LabelledComments | None:
    frame = _gathered(folder, "vihsd", parts)
    if frame is None:
        return None
    _need(frame, "vihsd", ["free_text", "label_id"])
    frame = frame[(frame["label_id"] == 0) & frame["free_text"].notna()]
    honest = np.zeros(len(frame), dtype=bool)
    groups = frame["part"].to_numpy(dtype=object)
    return LabelledComments(
        "vihsd_clean", _texts(frame["free_text"]), honest, _none(len(frame)), groups, terms="research", background=True
    )


def _labelled_tables(folder: Path) -> list[LabelledComments]:
    """Any CSV or Parquet file with `text` and `inauthentic` (0 or 1); `domain` and `post_id` are optional."""
    found = []
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.gz"), *folder.rglob("*.parquet")]):
        parquet = path.suffix == ".parquet"
        columns = pq.read_schema(path).names if parquet else pd.read_csv(path, nrows=0).columns
        if not {"text", "inauthentic"} <= set(columns):
            continue
        frame = pd.read_parquet(path) if parquet else pd.read_csv(path)
        if not frame["inauthentic"].isin([0, 1]).all():
            message = f"{path.name}: column inauthentic must be 0 or 1 in every row"
            raise UnknownSetError(message)
        domain: Domain = "review" if "domain" in frame and (frame["domain"] == "review").all() else "social"
        groups = frame["post_id"].to_numpy(dtype=object) if "post_id" in frame else _none(len(frame))
        labels = frame["inauthentic"].to_numpy().astype(bool)
        name = path.name.split(".")[0]
        found.append(LabelledComments(name, _texts(frame["text"]), labels, _none(len(frame)), groups, domain))
    return found


def read_comment_sets(folder: Path, parts: Sequence[str] = ("train",)) -> list[LabelledComments]:
    """Every labelled comment set below a folder that is known by its file, and any table with `text` and `inauthentic`.

    Known are `youtube_spam` (five videos, read with the part "train"), `vispamreviews` (shop reviews) and `vihsd`
    (Vietnamese
    comments; the clean ones serve as honest background: hate speech is not what is looked for). The row orders are
    the files'.

    Parameters
    ----------
    folder : Path
    parts : sequence of str
        Parts of sets that have them: "train", "dev".

    Raises
    ------
    UnknownSetError
        Where none is found, or a known file lacks a column.
    """
    known = [
        one for one in (_youtube(folder, parts), _reviews(folder, parts), _clean(folder, parts)) if one is not None
    ]
    found = known + (_labelled_tables(folder) if "train" in parts else [])
    if not found:
        message = (
            f"no labelled comments below {folder.name}: expected youtube_spam.csv, vispamreviews_train.csv, "
            "vihsd_train.csv, or a CSV or Parquet file with the columns text and inauthentic"
        )
        raise UnknownSetError(message)
    return found
