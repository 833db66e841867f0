"""Comment signals: what is written under a creator's posts, how alike it is, how soon it comes, and by how few.

The creator's own comments count for nothing but the owner's replies. Comments without text count for timing and
authors only. All sums are counts of whole things, so the order of rows and who else is in a batch change no bit.

Alike means alike under one creator; `features.similarity` says how that is estimated. Only texts that many people do
not write by themselves may be copies: five words besides those of wishes, or, without a wish, three long ones. Under
Instagram posts (Kim et al. 2020) the largest groups of alike texts of 12 letters were "happy birthday",
"congratulations" and hashtags of giveaways; so, advertisements are among the largest. Asking for 5 words and 20 letters
both would no longer see templates such as "this photo is so lovely". Short and generic comments have signals of their
own. A cluster of copies counts only where at least two authors wrote in it: one who says the same thing again and again
has a signal of their own too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.blocks import enough, make_blocks, ratio, row_entropy, row_median
from features.histories import Events, Histories
from features.registry import read_family
from features.similarity import clusters, shingle_signatures, similar_pairs
from features.texts import SCRIPTS, Texts, read_texts, text_hashes
from features.wording import ENGLISH, HAN, KANA, LATIN, home_languages, is_generic, languages_of, words_in

__all__ = ["SIGNALS", "comments_pointers", "comments_signals", "text_hashes"]

SIGNALS = read_family("comments")

#: Comments that a share needs, and posts where it is about posts.
LEAST = 20
LEAST_POSTS = 3
#: Comments that follow another one by their author that their pace needs.
LEAST_AGAIN = 10
#: Letters and digits, and words besides wishes, of a text that may be a copy; with more letters and no
#: wish, fewer words will do.
DUPLICATE_LETTERS, DUPLICATE_WORDS = 12, 5
LONG_LETTERS, LONG_WORDS = 20, 3
#: Letters and digits of a text that is not very short.
SHORT_LETTERS = 8
#: Writing systems without spaces between words: there the letters have to do.
UNSPACED = [SCRIPTS.index(name) for name in ("thai", "han", "kana")]
#: A post's comments are timed over its first week, once that week has passed.
WATCHED_SECONDS = 7 * 86_400
HOUR_SECONDS = 3_600
RAPID_SECONDS = 10
BURST_SECONDS = 60
#: Powers of two that lengths fall between.
LENGTH_CLASSES = 16
#: Comments of one pass: their flat arrays stay within some tens of MB.
PASS = 25_000


@dataclass(frozen=True)
class _Flag:
    """Some comments among those that are asked about, bool arrays of one length."""

    is_so: np.ndarray
    among: np.ndarray


@dataclass(frozen=True)
class _Pass:
    """Comments of a few creators, but for their own; arrays of shape (rows,) unless said otherwise.

    Attributes
    ----------
    creators : slice
        Which creators.
    rows, owner : ndarray of int64
        Row in `histories.comments`; position of the creator among `creators`.
    author, post : ndarray of int64
        Positions; `post` is -1 where it is unknown.
    second : ndarray of int64
        When it was written, in whole seconds.
    delay : ndarray of int64
        Seconds after the post, -1 where they do not count.
    texts : Texts
    """

    creators: slice
    rows: np.ndarray
    owner: np.ndarray
    author: np.ndarray
    post: np.ndarray
    second: np.ndarray
    delay: np.ndarray
    texts: Texts

    @property
    def count(self) -> int:
        """Creators of this pass."""
        return self.creators.stop - self.creators.start

    def per_creator(self, rows: np.ndarray) -> np.ndarray:
        """How many of the chosen rows each creator has, shape (creators,)."""
        return np.bincount(self.owner[rows], minlength=self.count)


def _seconds(days: np.ndarray) -> np.ndarray:
    return np.rint(days * 86_400).astype(np.int64)


def _is_own(comments: Events) -> np.ndarray:
    return comments["author_creator"] == comments.owners


def _passes(histories: Histories) -> Iterator[_Pass]:
    """Creators in their order, as many at a time as have about `PASS` comments."""
    comments = histories.comments
    offsets, own = comments.offsets, _is_own(comments)
    published = histories.posts["published_at"]
    now = int(_seconds(np.array((histories.as_of - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1D"))))
    start = 0
    while start < offsets.size - 1:
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + PASS, side="right")) - 1)
        rows = np.arange(offsets[start], offsets[stop])
        rows = rows[~own[rows]]
        if rows.size:
            post = np.nan_to_num(comments["post"][rows], nan=-1).astype(np.int64)
            second = _seconds(comments["published_at"][rows])
            posted = _seconds(np.append(published, 0.0))[post]
            delay = np.where((post >= 0) & (posted + WATCHED_SECONDS <= now), second - posted, -1)
            yield _Pass(
                creators=slice(start, stop),
                rows=rows,
                owner=np.searchsorted(offsets, rows, side="right") - 1 - start,
                author=comments["author"][rows].astype(np.int64),
                post=post,
                second=second,
                delay=np.where(delay <= WATCHED_SECONDS, delay, -1),
                texts=read_texts(comments.texts["text"].iloc[rows]),
            )
        start = stop


def _groups(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of each row's combination of keys, numbered in the order of the keys, and one row of each."""
    order = np.lexsort(keys[::-1])
    new = np.zeros(order.size, dtype=bool)
    new[:1] = True
    for key in keys:
        ordered = key[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    number = np.empty(order.size, dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return number, order[new]


# ---- copies


@dataclass(frozen=True)
class _Copies:
    """Texts that may be copies of each other; arrays over all rows of the pass, 0 and False where they may not.

    Attributes
    ----------
    may_be : ndarray of bool
    exact, near : ndarray of bool
        Whether somebody else wrote the same words, or nearly the same.
    again : ndarray of bool
        Whether its author wrote the same words before.
    cluster, size : ndarray of int64
        Which cluster it is in, -1 for none, and the comments in it, 0 where one author wrote them all.
    """

    may_be: np.ndarray
    exact: np.ndarray
    near: np.ndarray
    again: np.ndarray
    cluster: np.ndarray
    size: np.ndarray


def _authors_of(group: np.ndarray, author: np.ndarray) -> np.ndarray:
    """How many authors wrote in each row's group."""
    _, one = _groups(group, author)
    return np.bincount(group[one], minlength=group.max(initial=-1) + 1)[group]


def _may_be_copies(texts: Texts) -> np.ndarray:
    """Texts that say enough, wishes left out, so that two people would not both write them, bool of shape (texts,)."""
    may_be = texts.letters >= DUPLICATE_LETTERS
    rows = np.flatnonzero(may_be)
    wishes = words_in(texts, "wish", rows)
    long = (texts.letters[rows] >= LONG_LETTERS) & (wishes == 0)
    few = rows[texts.word_counts[rows] - wishes < np.where(long, LONG_WORDS, DUPLICATE_WORDS)]
    may_be[few] = texts.script_counts(few)[:, UNSPACED].sum(axis=1) >= LONG_LETTERS
    return may_be


def _copies(some: _Pass) -> _Copies:
    may_be = _may_be_copies(some.texts)
    rows = np.flatnonzero(may_be)
    author = some.author[rows]
    text, one = _groups(some.owner[rows], some.texts.hashes[rows])
    codes, offsets = some.texts.take(rows[one])
    pairs = similar_pairs(shingle_signatures(codes, offsets), some.owner[rows[one]])
    cluster = clusters(pairs, one.size)[text]
    by_author, first = _groups(text, author)
    shared = _authors_of(cluster, author) > 1
    size = np.bincount(cluster)[cluster] if rows.size else cluster

    def spread(values: np.ndarray, elsewhere: int) -> np.ndarray:
        full = np.full(may_be.size, elsewhere, dtype=values.dtype)
        full[rows] = values
        return full

    again = np.ones(rows.size, dtype=bool)
    again[first] = False
    return _Copies(
        may_be=may_be,
        exact=spread(_authors_of(text, author) > 1, 0),
        near=spread(shared, 0),
        again=spread(again & (by_author >= 0), 0),
        cluster=spread(cluster, -1),
        size=spread(np.where(shared, size, 0), 0),
    )


# ---- signals


def _foreign(some: _Pass, home: np.ndarray) -> _Flag:
    """Comments in another language than the creator's, among those whose language can be told from it."""
    language, of_owner = languages_of(some.texts), home[some.owner]
    latin_home = of_owner == LATIN
    # what is in Latin letters and neither Vietnamese nor English may be anything but a language of other letters
    told = (language > 0) & (of_owner > 0) & ((language != LATIN) | latin_home)
    same = (language == of_owner) | (latin_home & (language == ENGLISH)) | ((of_owner == KANA) & (language == HAN))
    return _Flag(~same, told)


def _text_flags(some: _Pass, copies: _Copies) -> dict[str, _Flag]:
    texts = some.texts
    says = texts.visible > 0
    wordless = texts.letters == 0
    emoji_only = wordless & (texts.emoji > 0) & ~texts.mention & ~texts.link
    mention_only = wordless & texts.mention & ~texts.link
    short = (texts.letters < SHORT_LETTERS) & ~emoji_only & ~mention_only & ~texts.link
    return {
        "near_copy": _Flag(copies.near, copies.may_be),
        "copy": _Flag(copies.exact, copies.may_be),
        "again": _Flag(copies.again, copies.may_be),
        "emoji_only": _Flag(emoji_only, says),
        "generic": _Flag(is_generic(texts), says),
        "short": _Flag(short, says),
        "question": _Flag((texts.question & ~wordless) | (words_in(texts, "question") > 0), says),
        "promotion": _Flag(texts.link | (words_in(texts, "promotion") > 0), says),
        "mention_only": _Flag(mention_only, says),
    }


def _gaps(*keys: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Seconds since the row before with the same keys, -1 for the first."""
    order = np.lexsort((second, *keys))
    gap = np.full(order.size, -1, dtype=np.int64)
    same = np.ones(max(order.size - 1, 0), dtype=bool)
    for key in keys:
        same &= key[order[1:]] == key[order[:-1]]
    gap[order[1:]] = np.where(same, second[order[1:]] - second[order[:-1]], -1)
    return gap


def _pace_flags(some: _Pass) -> dict[str, _Flag]:
    under = np.flatnonzero(some.post >= 0)
    gap = np.full(some.owner.size, -1, dtype=np.int64)
    gap[under] = _gaps(some.post[under], second=some.second[under])
    own_gap = _gaps(some.owner, some.author, second=some.second)
    return {
        "early": _Flag(some.delay < HOUR_SECONDS, some.delay >= 0),
        "rapid": _Flag(gap < RAPID_SECONDS, gap >= 0),
        "burst": _Flag(own_gap < BURST_SECONDS, own_gap >= 0),
    }


def _liked_flag(likes: np.ndarray) -> _Flag:
    return _Flag(likes == 0, ~np.isnan(likes))


#: Signals that are shares of comments: the flag, and how many comments among which it is asked.
_SHARES = {
    "comment_near_duplicate_share_all": ("near_copy", LEAST),
    "comment_exact_duplicate_share_all": ("copy", LEAST),
    "comment_author_copies_self_share_all": ("again", LEAST),
    "comment_emoji_only_share_all": ("emoji_only", LEAST),
    "comment_generic_share_all": ("generic", LEAST),
    "comment_short_share_all": ("short", LEAST),
    "comment_question_share_all": ("question", LEAST),
    "comment_promotion_share_all": ("promotion", LEAST),
    "comment_mention_only_share_all": ("mention_only", LEAST),
    "comment_foreign_language_share_all": ("foreign", LEAST),
    "comment_first_hour_share_all": ("early", LEAST),
    "comment_rapid_share_all": ("rapid", LEAST),
    "comment_author_burst_share_all": ("burst", LEAST_AGAIN),
    "comment_zero_like_share_all": ("unliked", LEAST),
}


def _flags(some: _Pass, histories: Histories, copies: _Copies) -> dict[str, _Flag]:
    return {
        **_text_flags(some, copies),
        **_pace_flags(some),
        "foreign": _foreign(some, home_languages(histories, some.creators)),
        "unliked": _liked_flag(histories.comments["likes"][some.rows]),
    }


def _posts_of(some: _Pass, among: np.ndarray) -> np.ndarray:
    """On how many posts each creator has some of these comments, shape (creators,)."""
    rows = np.flatnonzero(among & (some.post >= 0))
    _, one = _groups(some.owner[rows], some.post[rows])
    return some.per_creator(rows[one])


def _lengths(some: _Pass) -> dict[str, np.ndarray]:
    rows = np.flatnonzero(some.texts.visible > 0)
    length, count = some.texts.visible[rows], some.per_creator(rows).astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    entropy = np.full(some.count, np.nan)
    classes = np.minimum(np.floor(np.log2(np.maximum(length, 1))), LENGTH_CLASSES - 1)
    for block in make_blocks(offsets):
        entropy[block.creators] = row_entropy(block.pad(classes), LENGTH_CLASSES, LEAST)
    # sums of whole numbers: exact, whatever their order
    total = np.bincount(some.owner[rows], weights=length, minlength=some.count)
    squares = np.bincount(some.owner[rows], weights=length**2, minlength=some.count)
    variance = np.maximum(ratio(squares - ratio(total**2, count), count - 1), 0)
    return {
        "comment_length_entropy_all": entropy,
        "comment_length_cv_all": enough(ratio(np.sqrt(variance), ratio(total, count)), count, LEAST),
    }


def _delays(some: _Pass) -> np.ndarray:
    rows = np.flatnonzero(some.delay >= 0)
    offsets = np.concatenate([[0], np.cumsum(some.per_creator(rows))])
    median = np.full(some.count, np.nan)
    for block in make_blocks(offsets):
        median[block.creators] = row_median(block.pad(some.delay[rows].astype(np.float64)), LEAST)
    return median / HOUR_SECONDS


def _authors(some: _Pass) -> dict[str, np.ndarray]:
    """How few write how much."""
    author, one = _groups(some.owner, some.author)
    written, of_creator = np.bincount(author).astype(np.float64), some.owner[one]
    comments = some.per_creator(np.arange(some.owner.size)).astype(np.float64)
    authors = np.bincount(of_creator, minlength=some.count).astype(np.float64)
    pairs = np.bincount(of_creator, weights=written * (written - 1), minlength=some.count)
    once = np.bincount(of_creator[written == 1], minlength=some.count)
    most = np.zeros(some.count)
    np.maximum.at(most, of_creator, written)
    under = np.flatnonzero(some.post >= 0)
    known, one_each = _groups(some.owner[under], some.author[under])
    _, one_pair = _groups(known, some.post[under])
    posts = np.bincount(known[one_pair])
    seen = some.owner[under][one_each]
    returned = ratio(np.bincount(seen[posts > 1], minlength=some.count), np.bincount(seen, minlength=some.count))
    return {
        "comment_author_concentration_all": enough(ratio(pairs, comments * (comments - 1)), comments, LEAST),
        "comment_author_top_share_all": enough(ratio(most, comments), comments, LEAST),
        "comment_author_once_share_all": enough(ratio(once, authors), comments, LEAST),
        "comment_author_returns_share_all": enough(returned, some.per_creator(under), LEAST),
    }


def _pass_signals(some: _Pass, histories: Histories) -> dict[str, np.ndarray]:
    copies = _copies(some)
    flags = _flags(some, histories, copies)
    signals = {}
    for name, (flag, least) in _SHARES.items():
        among = some.per_creator(flags[flag].among)
        hits = some.per_creator(flags[flag].among & flags[flag].is_so)
        signals[name] = enough(ratio(hits.astype(np.float64), among.astype(np.float64)), among, least)
    largest = np.zeros(some.count)
    np.maximum.at(largest, some.owner, copies.size)
    may_be = some.per_creator(copies.may_be)
    few_posts = _posts_of(some, some.delay >= 0) < LEAST_POSTS
    timed = {
        "comment_first_hour_share_all": signals["comment_first_hour_share_all"],
        "comment_delay_median_all": _delays(some),
    }
    few_known = _posts_of(some, some.post >= 0) < LEAST_POSTS
    authors = _authors(some)
    return {
        **signals,
        **{name: np.where(few_posts, np.nan, values) for name, values in timed.items()},
        "comment_near_duplicate_largest_share_all": enough(ratio(largest, may_be.astype(np.float64)), may_be, LEAST),
        **_lengths(some),
        **authors,
        "comment_author_returns_share_all": np.where(few_known, np.nan, authors["comment_author_returns_share_all"]),
    }


def _owner_replies(histories: Histories) -> np.ndarray:
    comments = histories.comments
    own = np.bincount(comments.owners[_is_own(comments)], minlength=len(histories.creators)).astype(np.float64)
    return enough(ratio(own, comments.counts.astype(np.float64)), comments.counts, LEAST)


def comments_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every signal of this family.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    columns = {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
    if not histories.comments.counts.any():
        return columns
    for some in _passes(histories):
        for name, values in _pass_signals(some, histories).items():
            columns[name][some.creators] = values
    columns["comment_owner_reply_share_all"] = _owner_replies(histories)
    return columns


def comments_pointers(histories: Histories) -> dict[str, np.ndarray]:
    """Which comments a person would look at to check a signal.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (comments,)
        By pointer, aligned with `histories.comments`: NaN where the comment is not pointed at, larger where to look
        first.
    """
    comments = histories.comments
    own = _is_own(comments)
    pointers = {"owner": np.where(own, 1.0, np.nan)}
    for some in _passes(histories):
        copies = _copies(some)
        flags = _flags(some, histories, copies)
        author, _ = _groups(some.owner, some.author)
        written = np.bincount(author)[author].astype(np.float64)
        _, visit = _groups(author, some.post)
        visits = np.bincount(author[visit[some.post[visit] >= 0]], minlength=author.max() + 1)[author]
        soon = 1.0 / (1.0 + np.maximum(some.delay, 0))
        weights = {"near_copy": copies.size.astype(np.float64), "copy": copies.size.astype(np.float64), "early": soon}
        salience = {
            name: np.where(flag.is_so & flag.among, weights.get(name, 1.0), np.nan) for name, flag in flags.items()
        }
        salience["delay"] = np.where(some.delay >= 0, soon, np.nan)
        salience["frequent_author"] = np.where(written > 1, written, np.nan)
        salience["returning_author"] = np.where((visits > 1) & (some.post >= 0), visits.astype(np.float64), np.nan)
        salience["one_time_author"] = np.where(written == 1, 1.0, np.nan)
        salience["length"] = np.where(some.texts.visible > 0, 1.0, np.nan)
        for name, values in salience.items():
            pointers.setdefault(name, np.full(own.size, np.nan))[some.rows] = values
    return pointers
