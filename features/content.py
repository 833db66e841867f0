"""What creators say about themselves and in their posts, as known at one moment.

Captions are searched by the word lists of `features/norms/`: what a creator does (reviews, sells, keeps a diary), how
balanced opinions are, what looks paid for and whether the caption says so. A post without a caption is not counted.
Shares are quotients of whole numbers, so that a creator alone gets the value that the creator gets among others.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.blocks import Block, make_blocks, ratio, row_mean, row_median
from features.histories import Histories, known_rows
from features.lexicons import (
    APART,
    Lexicon,
    found,
    lexicon_of,
    lower_text,
    pattern_of,
    read_norms,
    text_array,
    words_in,
)
from features.registry import read_family
from features.tables import TEXT, Tables

SIGNALS = read_family("content")

#: Captions and characters of a profile text: the newest posts tell what a creator does now.
CAPTIONS, CHARACTERS = 60, 6_000
#: Captions that a share needs; opinions and paid posts are rarer.
LEAST, LEAST_OPINIONS, LEAST_PAID = 8, 5, 3
#: Characters of a caption that tell its language and whether it was written before.
HEAD = 100
#: Letters that a caption needs so that writing it twice means something.
LEAST_REPEATED = 20
#: Posts of the window `30p`, and days until a post's counts are judged, as in features/engagement.py.
RECENT_POSTS, RIPE_DAYS = 30, 2.0
#: Characters before the first hashtag that still read as an advertisement; the project's own choice.
SHORT_CAPTION = 150
#: Kinds of posts that are bought as advertisements as they are.
REUSABLE_KINDS = ("video", "short", "carousel")

_MENTION = r"@[\pL\pN_.]"
_HASHTAG = r"#[\pL\pN_]"
_LINK = r"https?://|www\.|bit\.ly|linktr\.ee|[a-z0-9]\.(?:com|vn|net|shop|store|fr|id)(?:/|[^a-z0-9.]|$)"
_NOT_SAID_AGAIN = r"(?:https?://\S+|[#@]\S+|[^\pL\pM])+"
#: Languages that captions are told by, the first that fits: scripts, then letters that only Vietnamese writes, then
#: words of grammar. Names are ISO 639-1 but for the scripts that several languages share.
_LANGUAGES = {
    "th": r"\p{Thai}",
    "ko": r"\p{Hangul}",
    "ja": r"[\p{Hiragana}\p{Katakana}]",
    "zh": r"\p{Han}",
    "arabic": r"\p{Arabic}",
    "cyrillic": r"\p{Cyrillic}",
    "vi": "[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]",
    "en": pattern_of("the and is my this with you of for are it's i'm was your have".split()),
    "id": pattern_of("yang dan ini itu dengan untuk aku kamu banget juga sama gak nih bisa".split()),
    "fr": pattern_of("le les des est une dans avec pour vous je sur mon ma et c'est".split()),
    "es": pattern_of("el los las y que con por una mi para del es muy".split()),
    "pt": pattern_of("o os e em um uma com não você meu minha".split()),
    "it": pattern_of("il che di per non con sono della gli questo".split()),
    "de": pattern_of("der die das und ich ist mit ein nicht auf".split()),
}


#: Languages whose words of praise and criticism are known; captions of the others are not read for opinions.
OPINION_LANGUAGES = (-1, *(list(_LANGUAGES).index(code) for code in ("vi", "en")))


def profile_texts(tables: Tables, as_of: pd.Timestamp, *, imported_at: pd.Timestamp) -> pd.Series:
    """Bio and newest captions of each creator as one text.

    Parameters
    ----------
    tables, as_of, imported_at
        As for `features.histories.make_histories`.

    Returns
    -------
    Series of str
        By creator_id in sorted order; empty where nothing was written. At most `CHARACTERS` characters of the bio and
        the newest `CAPTIONS` captions.
    """
    ids = pd.Index(tables["creators"]["creator_id"]).sort_values()
    creators = known_rows(tables["creators"], as_of, imported_at)
    parts = []
    if "bio" in creators:
        parts.append(creators[["creator_id", "bio"]].dropna().rename(columns={"bio": "text"}))
    posts = known_rows(tables["posts"], as_of, imported_at)
    if "caption" in posts:
        posts = posts[(posts["published_at"] <= as_of) & posts["caption"].notna()]
        newest = posts.sort_values(["published_at", "post_id", "observed_at"], ascending=False, kind="stable")
        newest = newest.drop_duplicates(["creator_id", "post_id"]).groupby("creator_id", sort=False).head(CAPTIONS)
        parts.append(newest[["creator_id", "caption"]].rename(columns={"caption": "text"}))
    if not parts:
        return pd.Series("", index=ids, dtype=TEXT, name="profile_text")
    joined = pd.concat(parts).groupby("creator_id", sort=False)["text"].agg("\n".join)
    return joined.str[:CHARACTERS].reindex(ids, fill_value="").astype(TEXT).rename("profile_text")


@lru_cache(maxsize=64)
def caption_lexicon(section: str) -> Lexicon:
    """Words of a section of norms/captions.toml; what is negated criticises and does not praise."""
    norms = read_norms("captions")
    words, apart = words_in(norms[section]), norms[section].get(APART, [])
    negated = words_in(norms["negated"])
    if section == "criticism":
        words = words + negated
    if section == "praise":
        apart = apart + negated
    return lexicon_of(words, apart)


@dataclass(frozen=True)
class _Captions:
    """Captions that are known.

    Attributes
    ----------
    rows, owners : ndarray of int64, shape (captions,)
        Row in `histories.posts` and position of the creator; in the order of posts, so that creators follow each other.
    text, lower : Array of str, shape (captions,)
        As written, and as word lists are.
    """

    rows: np.ndarray
    owners: np.ndarray
    text: pa.Array
    lower: pa.Array
    creators: int

    def has(self, section: str) -> np.ndarray:
        """Captions with a word of a section of norms/captions.toml, bool."""
        return caption_lexicon(section).found(self.lower)

    @cached_property
    def head(self) -> pa.Array:
        return pc.utf8_slice_codeunits(self.lower, 0, HEAD)

    @cached_property
    def offsets(self) -> np.ndarray:
        counts = np.bincount(self.owners, minlength=self.creators)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def share(self, which: np.ndarray, among: np.ndarray | None = None, least: int = LEAST) -> np.ndarray:
        """Part of each creator's captions (of those in `among`) that are in `which`, shape (creators,)."""
        among = np.ones(which.size, dtype=bool) if among is None else among
        whole = np.bincount(self.owners[among], minlength=self.creators)
        part = np.bincount(self.owners[among & which], minlength=self.creators)
        return np.where(whole >= least, ratio(part.astype(np.float64), whole), np.nan)

    def median(self, values: np.ndarray) -> np.ndarray:
        """Median of one number a caption for each creator, shape (creators,)."""
        medians = np.full(self.creators, np.nan)
        for block in make_blocks(self.offsets):
            medians[block.creators] = row_median(block.pad(values), LEAST)
        return medians

    def on_posts(self, which: np.ndarray, posts: int) -> np.ndarray:
        """Spread one number a caption over the posts, NaN where a post has none."""
        spread = np.full(posts, np.nan)
        spread[self.rows] = which
        return spread


def _captions(histories: Histories) -> _Captions:
    text = text_array(histories.posts.texts["caption"])
    written = np.flatnonzero(pc.fill_null(pc.match_substring_regex(text, r"\S"), False).to_numpy(zero_copy_only=False))
    text = text.take(pa.array(written))
    return _Captions(written, histories.posts.owners[written], text, lower_text(text), len(histories.creators))


def _rule_of_creators(histories: Histories) -> np.ndarray:
    """Country whose words of disclosure hold for each creator: "" where no country is known, None without a rule."""
    if "country" not in histories.creators:
        return np.full(len(histories.creators), "", dtype=object)
    rules = read_norms("disclosure")["country"]
    country = histories.creators["country"].str.upper().fillna("").to_numpy(dtype=object)
    return np.array([code if code == "" or code in rules else None for code in country], dtype=object)


@lru_cache(maxsize=64)
def _disclosure_words(country: str | None) -> Lexicon:
    norms = read_norms("disclosure")
    rules = norms["country"]
    own = rules if country == "" else [country] if country else []
    lists = [norms["international"], *(rules[code] for code in own)]
    return lexicon_of(
        [word for words in lists for word in words["words"]], [word for words in lists for word in words.get(APART, [])]
    )


def _disclosed(captions: _Captions, rules: np.ndarray) -> np.ndarray:
    """Captions that say, in words of the creator's country, that they are advertising."""
    own = rules[captions.owners]
    disclosed = np.zeros(captions.rows.size, dtype=bool)
    for country in dict.fromkeys(own):
        rows = np.flatnonzero(own == country)
        disclosed[rows] = _disclosure_words(country).found(captions.lower.take(pa.array(rows)))
    return disclosed


def _stated(captions: _Captions, histories: Histories) -> np.ndarray:
    """Captions of posts that the tables call sponsored, or name a sponsor of."""
    posts = histories.posts
    return ((posts["is_sponsored"] == 1) | posts.texts["sponsor"].notna().to_numpy(dtype=bool))[captions.rows]


def check_disclosure(histories: Histories) -> pd.DataFrame:
    """Posts that look sponsored, and whether their captions say so.

    Returns
    -------
    DataFrame
        One row a post that looks sponsored: `creator_id`, `post_id`, `country` (of the rule; empty where the creator's
        is not known and the words of every country count), `stated` (the tables call it sponsored), `disclosed`
        (boolean, null where the country has no rule here), `in_force` (the rule's date, null where it has none: then
        it is taken to hold) and `rule`. A platform's own label is not in the tables and may satisfy the rule.
    """
    captions, rules = _captions(histories), _rule_of_creators(histories)
    disclosed, stated = _disclosed(captions, rules), _stated(captions, histories)
    looks = np.flatnonzero(disclosed | stated | captions.has("paid"))
    own = rules[captions.owners[looks]]
    ruled = np.array([rule is not None for rule in own], dtype=bool)
    norms = read_norms("disclosure")["country"]
    return pd.DataFrame(
        {
            "creator_id": histories.creators["creator_id"].to_numpy()[captions.owners[looks]],
            "post_id": histories.posts.texts["post_id"].to_numpy()[captions.rows[looks]],
            "country": pd.array(own, dtype=TEXT),
            "stated": stated[looks],
            "disclosed": pd.Series(disclosed[looks]).astype("boolean").mask(~ruled),
            "in_force": pd.to_datetime([norms.get(code, {}).get("in_force") for code in own], utc=True),
            "rule": pd.array([norms.get(code, {}).get("rule") for code in own], dtype=TEXT),
        }
    )


def _repeats(captions: _Captions) -> tuple[np.ndarray, np.ndarray]:
    """Captions of which the creator has the same again, how often, and captions long enough to tell."""
    plain = pc.replace_substring_regex(captions.head, _NOT_SAID_AGAIN, "")
    long = pc.utf8_length(plain).to_numpy(zero_copy_only=False) >= LEAST_REPEATED
    codes = pc.dictionary_encode(plain).indices.to_numpy(zero_copy_only=False).astype(np.int64)
    keys = captions.owners * (codes.max(initial=0) + 1) + codes
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.where(long, counts[inverse] - 1, 0), long


def caption_language_of(code: str) -> int:
    """Number that `caption_languages` tells a language by; `code` as "vi"."""
    return list(_LANGUAGES).index(code)


def caption_languages(texts: pa.Array) -> np.ndarray:
    """Language that each lower-case text is told to be in, as position in the languages looked for; -1 for none."""
    language = np.full(len(texts), -1)
    for code, pattern in enumerate(_LANGUAGES.values()):
        left = np.flatnonzero(language < 0)
        if left.size:
            language[left[found(texts.take(pa.array(left)), pattern)]] = code
    return language


def language_codes() -> list[str]:
    """Languages by the position that `caption_languages` gives: ISO 639-1, and scripts that several languages share."""
    return list(_LANGUAGES)


def _language_consistency(captions: _Captions, languages: np.ndarray) -> np.ndarray:
    """Part of each creator's captions that are in the language most of them are in."""
    known = languages >= 0
    keys = captions.owners[known] * len(_LANGUAGES) + languages[known]
    table = np.bincount(keys, minlength=captions.creators * len(_LANGUAGES)).reshape(captions.creators, len(_LANGUAGES))
    whole = table.sum(axis=1)
    return np.where(whole >= LEAST, ratio(table.max(axis=1).astype(np.float64), whole), np.nan)


def _short(captions: _Captions) -> np.ndarray:
    before = pc.list_element(pc.split_pattern(captions.text, "#", max_splits=1), 0)
    return pc.utf8_length(pc.utf8_trim_whitespace(before)).to_numpy(zero_copy_only=False) <= SHORT_CAPTION


def _usable(captions: _Captions, histories: Histories, giveaway: np.ndarray, sponsored: np.ndarray) -> np.ndarray:
    """Posts whose form suits an advertisement: 1 or 0, NaN without caption or kind; shape (posts,)."""
    kinds = histories.posts.texts["kind"].iloc[captions.rows]
    named = found(captions.text, _MENTION)
    fits = kinds.isin(REUSABLE_KINDS).to_numpy(dtype=bool) & _short(captions) & ~named & ~giveaway & ~sponsored
    return captions.on_posts(np.where(kinds.isna(), np.nan, fits), histories.posts.owners.size)


def _of_posts(block: Block, histories: Histories, usable: np.ndarray) -> dict[str, np.ndarray]:
    posts = histories.posts
    likes, comments, views, age, sponsored, fits = (
        block.pad(values)
        for values in (
            posts["likes"],
            posts["comments"],
            posts["views"],
            posts["observed_at"] - posts["published_at"],
            posts["is_sponsored"],
            usable,
        )
    )
    ripe = age >= RIPE_DAYS
    engaged = np.where(ripe & block.last(RECENT_POSTS), likes + np.nan_to_num(comments), np.nan)
    judged = np.where(np.isnan(engaged), np.nan, fits)
    # judged against every post of the window, also those without a caption
    above = engaged > row_median(engaged)[:, None]
    seen = np.where(ripe, views, np.nan)
    paid = row_median(np.where(sponsored == 1, seen, np.nan), LEAST_PAID)
    organic = row_median(np.where(sponsored == 0, seen, np.nan), LEAST_PAID)
    return {
        "reusable_post_share_30p": row_mean(np.where(np.isnan(judged), np.nan, (judged == 1) & above), LEAST),
        "sponsored_to_organic_views_all": ratio(paid, organic),
    }


def content_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every signal of this family.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    captions, rules = _captions(histories), _rule_of_creators(histories)
    languages = caption_languages(captions.head)
    praises, criticises = captions.has("praise"), captions.has("criticism")
    readable = np.isin(languages, OPINION_LANGUAGES)
    opinion = (praises | criticises) & readable
    disclosed = _disclosed(captions, rules)
    sponsored = disclosed | _stated(captions, histories) | captions.has("paid")
    giveaway = captions.has("giveaway")
    repeats, long = _repeats(captions)
    hashtags = pc.count_substring_regex(captions.text, _HASHTAG).to_numpy(zero_copy_only=False)
    characters = pc.utf8_length(captions.text).to_numpy(zero_copy_only=False)
    ruled = np.array([rule is not None for rule in rules], dtype=bool)
    columns = {
        "review_caption_share_all": captions.share(captions.has("review")),
        "selling_caption_share_all": captions.share(captions.has("selling")),
        "diary_caption_share_all": captions.share(captions.has("diary")),
        "opinion_caption_share_all": captions.share(opinion, readable),
        "critical_opinion_share_all": captions.share(criticises, opinion, LEAST_OPINIONS),
        "both_sided_opinion_share_all": captions.share(praises & criticises, opinion, LEAST_OPINIONS),
        "sponsored_caption_share_all": captions.share(sponsored),
        "disclosed_sponsored_share_all": np.where(ruled, captions.share(disclosed, sponsored, LEAST_PAID), np.nan),
        "call_to_action_caption_share_all": captions.share(captions.has("call_to_action")),
        "giveaway_caption_share_all": captions.share(giveaway),
        "link_caption_share_all": captions.share(found(captions.lower, _LINK)),
        "mention_caption_share_all": captions.share(found(captions.text, _MENTION)),
        "hashtags_per_caption_median_all": captions.median(hashtags.astype(np.float64)),
        "caption_length_median_all": captions.median(characters.astype(np.float64)),
        "caption_repeat_share_all": captions.share(repeats > 0, long),
        "caption_language_consistency_all": _language_consistency(captions, languages),
        "reusable_post_share_30p": np.full(len(histories.creators), np.nan),
        "sponsored_to_organic_views_all": np.full(len(histories.creators), np.nan),
    }
    usable = _usable(captions, histories, giveaway, sponsored)
    for block in make_blocks(histories.posts.offsets):
        for name, values in _of_posts(block, histories, usable).items():
            columns[name][block.creators] = values
    return columns


def content_pointers(histories: Histories) -> dict[str, np.ndarray]:
    """Posts that a person would look at, by pointer: float64 of shape (posts,), NaN where a post is not meant.

    Returns
    -------
    dict of str to ndarray
        1 where a caption has what the pointer is named for; `repeated_caption` counts the other captions that say the
        same; `paid_undisclosed` are posts that look sponsored and do not say so, where the country has a rule here.
    """
    captions, rules = _captions(histories), _rule_of_creators(histories)
    praises, criticises = captions.has("praise"), captions.has("criticism")
    disclosed = _disclosed(captions, rules)
    sponsored = disclosed | _stated(captions, histories) | captions.has("paid")
    ruled = np.array([rule is not None for rule in rules], dtype=bool)[captions.owners]
    giveaway = captions.has("giveaway")
    flags = {name: captions.has(name) for name in ("review", "selling", "diary", "call_to_action")} | {
        "giveaway": giveaway,
        "opinion": praises | criticises,
        "criticism": criticises,
        "both_sided": praises & criticises,
        "sponsored": sponsored,
        "paid_undisclosed": sponsored & ~disclosed & ruled,
        "link": found(captions.lower, _LINK),
        "mention": found(captions.text, _MENTION),
        "repeated_caption": _repeats(captions)[0],
    }
    posts = histories.posts.owners.size
    pointers = {name: captions.on_posts(np.where(values > 0, values, np.nan), posts) for name, values in flags.items()}
    usable = _usable(captions, histories, giveaway, sponsored)
    return pointers | {"reusable": np.where(usable == 1, 1.0, np.nan)}


@lru_cache(maxsize=1)
def _niches() -> dict[str, str]:
    norms = read_norms("niches")
    return {name: pattern_of(words_in(words)) for name, words in norms.items() if isinstance(words, dict)}


def niche_vector(histories: Histories) -> pd.DataFrame:
    """Part of each niche in what a creator writes, by the word lists of norms/niches.toml: a floor for a model.

    Returns
    -------
    DataFrame of float64
        One row a creator, indexed by creator_id; a column a niche. Words of a niche in the captions over words of all
        niches; rows sum to 1, and are NaN where no word of any niche was found (or nothing is written).
    """
    captions = _captions(histories)
    counts = np.column_stack(
        [
            np.bincount(
                captions.owners,
                # whole numbers: their sums are exact in any order
                weights=pc.count_substring_regex(captions.lower, pattern).to_numpy(zero_copy_only=False),
                minlength=captions.creators,
            )
            for pattern in _niches().values()
        ]
    )
    total = counts.sum(axis=1, keepdims=True)
    ids = pd.Index(histories.creators["creator_id"], name="creator_id")
    return pd.DataFrame(ratio(counts, total), index=ids, columns=list(_niches()))
