"""What is written by and to creators, as hashed words that a niche model counts.

Words, pairs of words, emoji and mentions: a hashtag counts as its word, a mention as one word with its @, an emoji as a
word; letters are made small and keep their accents. Everything else parts words. No Python code runs for a single text.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from features.lexicons import lower_text, text_array
from features.tables import TEXT, Tables
from features.texts import TABLE, code_points, mixed, word_runs

#: What a creator is read by: own words (captions, name, bio), words of those who comment, answers to them, and who
#: comments: people come back to creators of one niche.
STREAMS = ("captions", "fans", "answers", "commenters")
#: Columns of `NicheTexts.counts`: logarithms of 1 + count, means over captions, shares of posts.
COUNTS = (
    "followers_log", "following_log", "posts_count_log", "likes_log", "comments_log", "length_log", "hashtags_log",
    "mentions_log", "carousel_share", "sponsored_share",
)  # fmt: skip
#: Words and pairs are counted in 2 to the power of this many buckets.
BITS = 18
#: Texts that are taken apart at once: the arrays of one pass stay in a processor's cache.
PASS = 2_000
_STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD, _EMOJI = 1, 2
#: Letters of a word that tell it from others; what is longer is mostly a link.
_LONGEST = 40
_NO_COMMENTS = pd.DataFrame({name: pd.Series(dtype=TEXT) for name in ("creator_id", "author_id", "text")})


@cache
def _classes() -> np.ndarray:
    """Class of every code point up to TABLE: part of a word, an emoji by itself, or 0 for what parts words."""
    classes = np.zeros(TABLE + 1, dtype=np.uint8)
    for code in range(TABLE):
        category = unicodedata.category(chr(code))
        if category[0] in "LMN":
            classes[code] = _WORD
        elif category == "So":
            classes[code] = _EMOJI
    classes[[ord("@"), ord("_"), TABLE]] = _WORD
    classes[0xFE00:0xFE10] = 0
    return classes


def _words(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Hash of each word, uint64, and the text that it stands in, int64."""
    codes, ends = code_points(lower_text(pc.fill_null(text_array(texts), "")))
    classes = _classes()[np.minimum(codes, TABLE)]
    rows = np.repeat(np.arange(len(texts)), np.diff(ends))
    if not codes.size:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    new = np.ones(codes.size, dtype=bool)
    new[1:] = (classes[1:] != classes[:-1]) | (rows[1:] != rows[:-1]) | (classes[1:] == _EMOJI)
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, codes.size))
    place = np.minimum(np.arange(codes.size) - np.repeat(starts, lengths), _LONGEST)
    powers = np.multiply.accumulate(np.full(_LONGEST + 1, _STEP, dtype=np.uint64))
    hashes = mixed(np.add.reduceat(codes.astype(np.uint64) * powers[place], starts))
    said = classes[starts] > 0
    return hashes[said], rows[starts[said]]


def _terms(texts: pd.Series, owners: np.ndarray) -> np.ndarray:
    """Owner and bucket of each word and pair of neighbours in the texts, as one number each."""
    hashes, rows = _words(texts)
    within = rows[1:] == rows[:-1]
    pairs, first = word_runs(hashes, 2)[within], rows[1:][within]
    every = np.concatenate([hashes, pairs]), np.concatenate([rows, first])
    return np.asarray((owners[every[1]] << BITS) + (every[0] >> np.uint64(64 - BITS)).astype(np.int64))


def hashed_words(texts: pd.Series, owners: np.ndarray, creators: int) -> csr_matrix:
    """Count the words and pairs of words in the texts of each creator.

    Parameters
    ----------
    texts : Series of str
        Null counts as empty.
    owners : ndarray of int64 (texts,)
        Position of the creator whom each text counts for.
    creators : int

    Returns
    -------
    csr_matrix of float32 (creators, 2**BITS)
        How often each bucket was met, as counts.
    """
    texts, owners = texts.reset_index(drop=True), np.asarray(owners, dtype=np.int64)
    passes = [
        _terms(texts.iloc[start : start + PASS], owners[start : start + PASS]) for start in range(0, len(texts), PASS)
    ]
    keys, counts = np.unique(np.concatenate(passes) if passes else np.zeros(0, dtype=np.int64), return_counts=True)
    offsets = np.searchsorted(keys, np.arange(creators + 1) << BITS)
    buckets = (keys & ((1 << BITS) - 1)).astype(np.int32)
    return csr_matrix((counts.astype(np.float32), buckets, offsets), shape=(creators, 1 << BITS))


@dataclass(frozen=True)
class NicheTexts:
    """What tells the niche of creators.

    Attributes
    ----------
    creators : Index of str (creators,)
        `creator_id`, sorted.
    streams : mapping of str to csr_matrix of float32 (creators, 2**BITS)
        By name of `STREAMS`: how often each bucket was met.
    counts : DataFrame of float64
        Columns `COUNTS`, indexed by creator_id; NaN where unknown.
    captions : ndarray of int64 (creators,)
        Captions that say something.
    """

    creators: pd.Index
    streams: Mapping[str, csr_matrix]
    counts: pd.DataFrame
    captions: np.ndarray

    def __len__(self) -> int:
        return len(self.creators)

    def take(self, rows: np.ndarray) -> "NicheTexts":
        """Some of the creators, by position (int64) or as a mask."""
        streams = {name: counts[rows] for name, counts in self.streams.items()}
        return NicheTexts(self.creators[rows], streams, self.counts.iloc[rows], self.captions[rows])

    def without(self, stream: str) -> "NicheTexts":
        """The same with one stream left empty."""
        empty = self.streams[stream] * np.float32(0)
        empty.eliminate_zeros()
        return NicheTexts(self.creators, {**self.streams, stream: empty}, self.counts, self.captions)


def _logarithms(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(np.log1p(frame.to_numpy(dtype=np.float64)), index=frame.index, columns=frame.columns)


def _of_posts(posts: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Logarithm of each count's median over a creator's posts."""
    columns = {name: posts[column].astype("float64") for name, column in names.items() if column in posts}
    medians = pd.DataFrame({"creator_id": posts["creator_id"], **columns}).groupby("creator_id").median()
    return _logarithms(medians)


def _counts(tables: Tables, creators: pd.Index, posts: pd.DataFrame, captions: pd.DataFrame) -> pd.DataFrame:
    profile = tables["creators"].set_index("creator_id").reindex(creators)
    found = pd.DataFrame(index=creators)
    for name in ("followers", "following", "posts_count"):
        if name in profile:
            found[f"{name}_log"] = np.log1p(profile[name].astype("float64"))
    found = found.join(_of_posts(posts, {"likes_log": "likes", "comments_log": "comments"}))
    text, owner = captions["caption"], captions["creator_id"]
    shape = {"length_log": text.str.len(), "hashtags_log": text.str.count("#"), "mentions_log": text.str.count("@")}
    found = found.join(_logarithms(pd.DataFrame(shape).astype("float64").groupby(owner.to_numpy()).mean()))
    if "kind" in posts:
        carousel = (posts["kind"] == "carousel").where(posts["kind"].notna()).astype("float64")
        found["carousel_share"] = carousel.groupby(posts["creator_id"].to_numpy()).mean()
    if "is_sponsored" in posts:
        found["sponsored_share"] = (
            posts["is_sponsored"].astype("float64").groupby(posts["creator_id"].to_numpy()).mean()
        )
    return found.reindex(columns=list(COUNTS)).astype("float64")


def read_niche_texts(tables: Tables, as_of: pd.Timestamp | None = None) -> NicheTexts:
    """Read what tells the niche of every creator.

    Parameters
    ----------
    tables : Tables
        `creators` and `posts`; `comments` where there are any. What is not there stays empty.
    as_of : Timestamp, optional
        Posts and comments published later are left out.

    Returns
    -------
    NicheTexts
        Each creator from the own rows alone.
    """
    creators = pd.Index(tables["creators"]["creator_id"], name="creator_id").sort_values()
    posts = _until(tables["posts"], as_of)
    posts = posts.assign(caption=posts["caption"] if "caption" in posts else pd.Series(index=posts.index, dtype=TEXT))
    captions = posts.loc[posts["caption"].str.contains(r"\S", na=False), ["creator_id", "caption"]]
    comments = _until(tables["comments"], as_of) if "comments" in tables else _NO_COMMENTS
    comments = comments[comments["text"].notna()] if "text" in comments else _NO_COMMENTS
    own = (comments["author_id"] == comments["creator_id"]).fillna(False).to_numpy(dtype=bool)

    def words(texts: pd.Series, owners: pd.Series) -> csr_matrix:
        return hashed_words(texts, creators.get_indexer(pd.Index(owners)), len(creators))

    said = [captions.set_axis(["creator_id", "text"], axis=1)]
    for column in ("display_name", "bio"):
        if column in tables["creators"]:
            known = tables["creators"][["creator_id", column]].dropna()
            said.append(known.set_axis(["creator_id", "text"], axis=1))
    written = pd.concat(said, ignore_index=True)
    fans = comments[~own]
    return NicheTexts(
        creators=creators,
        streams={
            "captions": words(written["text"], written["creator_id"]),
            "fans": words(fans["text"], fans["creator_id"]),
            "answers": words(comments.loc[own, "text"], comments.loc[own, "creator_id"]),
            "commenters": _commenters(fans, creators),
        },
        counts=_counts(tables, creators, posts, captions),
        captions=np.bincount(creators.get_indexer(pd.Index(captions["creator_id"])), minlength=len(creators)),
    )


def _until(frame: pd.DataFrame, as_of: pd.Timestamp | None) -> pd.DataFrame:
    return frame if as_of is None else frame[frame["published_at"] <= as_of]


def _commenters(fans: pd.DataFrame, creators: pd.Index) -> csr_matrix:
    """Who comments, each once a creator, hashed to buckets."""
    pairs = fans[["creator_id", "author_id"]].dropna().drop_duplicates()
    buckets = pd.util.hash_array(pairs["author_id"].to_numpy(dtype=object)) >> np.uint64(64 - BITS)
    owners = creators.get_indexer(pd.Index(pairs["creator_id"]))
    found = csr_matrix((np.ones(len(pairs), np.float32), (owners, buckets)), shape=(len(creators), 1 << BITS))
    found.data[:] = 1
    return found
