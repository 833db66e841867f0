"""What a single comment says by its form, its word lists and its hashed text: the inputs of the comment model.

Two readings of one text. `form_signals` needs no language: lengths, marks, emoji, links, phone numbers, prices,
repetition,
and how many words stand in short lists of calls to action. `text_terms` is the text itself, as hashed words and letter
groups; a model of them knows only the languages that it was trained on.

What varies from campaign to campaign is replaced before anything is counted: a link, an address, a phone number, a
price
and a mention become one mark each, a digit becomes 0, letters in mathematical or full-width styles become plain ones,
and a letter that is repeated stays at most three times. Words are hashed twice, as typed and without accents, because
much of Vietnamese is typed without.

Everything is computed from one text alone: who else is in a batch changes nothing.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.lexicons import lower_text, text_array
from features.texts import (
    SPACE,
    TABLE,
    Texts,
    code_points,
    mixed,
    phrase_hashes,
    positions,
    read_texts,
    sums_of,
    word_runs,
)
from features.wording import ENGLISH, LATIN, VIETNAMESE, covered, is_generic, languages_of, words_in

#: Marks that stand for what is replaced, from the private use area: they occur in no text that means something.
LINK_MARK, EMAIL_MARK, PHONE_MARK, PRICE_MARK, MENTION_MARK = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_MARKS: Final = {
    "email": (EMAIL_MARK, r"[a-z0-9._%+-]+@[a-z0-9-]+\.[a-z.]{2,}"),
    "link": (
        LINK_MARK,
        (
            r"(?:https?:\s?//|www\.)\S+"
            r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|xyz|vn|info|ly|gl|me|gg|tv|ru|io|co|biz|shop|store|site"
            r"|online|club|top|bio|ee|link|app|us|uk|id|my)\b(?:/\S*)?"
            r"|\b[a-z0-9-]+\.[a-z]{2,4}/\S+"
        ),
    ),
    "mention": (MENTION_MARK, r"@[\pL\pN._-]+"),
    # an amount with its currency before or behind it; "k" for thousands alone is a price in Vietnamese
    "price": (
        PRICE_MARK,
        (
            r"[$€£₫¥₹]\s?\d[\d.,]*(?:\s?(?:k|m|million|bn)\b)?"
            r"|\b(?:usd|rp|rs|vnd|idr)\.?\s?\d[\d.,]*"
            r"|\b\d[\d.,]*\s?(?:[$€£₫]"
            r"|(?:usd|dollars?|bucks|euros?|pounds?|vnd|vnđ|đồng|dong|triệu|trieu|tr|k|ribu|rb|juta)\b)"
        ),
    ),
    # eight digits or more, also broken by dots, spaces or dashes
    "phone": (PHONE_MARK, r"\+?\d(?:[\s.\-()]{0,2}\d){7,14}"),
}
MARKS: Final = tuple(_MARKS)
_PLAIN: Final = tuple(mark for mark, _ in _MARKS.values())
_CONSONANTS: Final = np.array([ord(letter) for letter in "bcdfghjklmnpqrstvwxz"], dtype=np.uint32)
#: What exports of web pages leave in a text.
_LEFTOVERS: Final = r"<br ?/?>|</?[abi]( [^>]*)?>|&(?:amp|quot|lt|gt|nbsp|#39);"
#: A letter, digit or mark that is repeated counts at most this often.
LONGEST_RUN = 3

#: Words that move a reader somewhere or promise something, in English, Vietnamese and Indonesian; common knowledge of
#: what
#: platforms remove as spam, not taken from any labelled set. Folded like texts before they are looked up.
LISTS: Final[dict[str, tuple[str, ...]]] = {
    "call": (
        "subscribe", "sub", "subs", "subscribed", "check", "checkout", "check out", "visit", "click", "click here",
        "follow", "followme", "watch my", "share", "join", "sign up", "register", "download", "install", "apply",
        "grab", "claim", "order", "buy", "shop now", "hit me up", "text me", "message me", "call", "reply", "dm",
        "txt", "go to", "tap", "vote", "support me", "listen to my", "give it a listen", "thumbs up", "like my",
        "add me", "đăng ký", "đăng kí", "ghé", "ấn vào", "bấm vào", "truy cập", "theo dõi", "tham gia", "tải app",
        "tải về", "đặt hàng", "chia sẻ", "vào xem", "ủng hộ kênh", "kết bạn", "nhấn", "click vào", "cek", "kunjungi",
        "mampir", "klik", "daftar", "gabung", "pesan", "yuk", "buruan", "subrek",
    ),
    "contact": (
        "inbox", "ib", "zalo", "whatsapp", "whats app", "wa", "telegram", "tele", "viber", "line", "sdt", "sđt",
        "hotline", "liên hệ", "lh", "contact", "dm", "email", "gmail", "bbm", "pin bb", "hubungi", "japri",
        "link in bio", "bio", "website", "chat", "fb", "messenger", "call now", "ring", "pm", "pv", "rep ib", "kb",
    ),
    "own": (
        "my channel", "my video", "my videos", "my page", "my music", "my song", "my new", "my blog", "my shop",
        "my store", "my profile", "my cover", "our channel", "our page", "our shop", "our store", "our website",
        "my website", "my link", "my first", "my latest", "my youtube", "my instagram", "my account", "my playlist",
        "new video", "new song", "kênh mình", "kênh em", "kênh của", "shop em", "shop mình", "bên em", "bên mình",
        "page em", "nhà em", "trang của", "video mới", "kênh tui", "kami", "ig kami", "toko kami", "produk kami",
        "akun kami",
    ),
    "money": (
        "money", "cash", "earn", "earning", "income", "profit", "invest", "investment", "bitcoin", "btc", "crypto",
        "forex", "paypal", "dollars", "loan", "credit", "bonus", "rich", "trading", "trader", "payout", "salary",
        "paid", "wealth", "tiền", "kiếm tiền", "thu nhập", "lương", "vay", "vay vốn", "vay tiền", "lãi", "lãi suất",
        "đầu tư", "giải ngân", "hoa hồng", "cọc", "lợi nhuận", "chuyển khoản", "uang", "modal", "cuan", "untung",
        "pinjaman", "dana", "gaji", "depo", "deposit",
    ),
    "prize": (
        "free", "win", "won", "winner", "prize", "gift", "giveaway", "gift card", "voucher", "claim", "reward",
        "congratulations", "selected", "guaranteed", "lucky", "lottery", "code", "promo", "discount", "sale", "cheap",
        "offer", "deal", "miễn phí", "free ship", "freeship", "quà", "nhận quà", "trúng thưởng", "tặng", "giảm giá",
        "khuyến mãi", "ưu đãi", "giá rẻ", "thanh lý", "xả kho", "gratis", "hadiah", "menang", "diskon", "murah",
        "obral", "termurah", "bonus",
    ),
    "growth": (
        "followers", "likes", "views", "subscribers", "sub4sub", "s4s", "f4f", "l4l", "sub back", "follow back",
        "followback", "tăng follow", "tăng like", "tăng sub", "tăng tương tác", "mua follow", "mua like", "sub chéo",
        "like chéo", "tương tác chéo", "trả sub", "jual followers", "tambah followers", "like back", "real followers",
        "views cheap",
    ),
    "goods": (
        "products", "delivery", "shipping", "wholesale", "supplier", "stock", "whitening", "slimming", "weight loss",
        "pills", "slim", "collagen", "replica", "brand new", "price", "best price", "quality", "giảm cân", "trắng da",
        "trị mụn", "trị nám", "chính hãng", "sỉ", "giá sỉ", "ctv", "tuyển", "nhân viên", "việc làm", "order",
        "tại nhà", "xưởng", "cam kết", "bảo hành", "mỹ phẩm", "tinh dầu", "sim", "xem bói", "pemutih", "pelangsing",
        "peninggi", "obat", "jual", "ready", "grosir", "reseller", "testimoni", "original", "bpom", "cream",
        "jerawat", "slot", "gacor", "maxwin", "togel", "judi", "langsing", "herbal",
    ),
    "bait": (
        "sexy", "horny", "nude", "nudes", "naked", "hot girls", "dating", "singles", "sugar", "sugar daddy",
        "sugar mommy", "18", "onlyfans", "snapchat", "private", "lonely", "cam", "adult", "gái", "gái xinh",
        "gái gọi", "sugar baby", "clip", "clip nóng", "link full", "full link", "hàng nóng", "tâm sự", "bạn tình",
        "ai cô đơn", "số đẹp", "vcs", "bokep", "video call",
    ),
    "story": (
        "thanks to", "changed my life", "i was", "recommend", "testimony", "expert", "mentor", "spell", "cured",
        "doctor", "dr", "work from home", "part time", "per day", "per week", "per month", "a day", "a month",
        "hiring", "online", "tháng", "ngày", "tuần", "một ngày", "mỗi ngày", "không cần", "uy tín", "nhanh",
        "thủ tục", "hỗ trợ", "24h", "phút",
    ),
    "plea": (
        "please", "pls", "plz", "help me", "support", "i promise", "would mean", "dream", "dreams", "small channel",
        "new youtuber", "just started", "reach", "giúp em", "giúp mình", "ủng hộ em", "ủng hộ mình", "mọi người ơi",
        "cả nhà", "ai chưa", "tolong",
    ),
}  # fmt: skip

#: Names of the columns of `form_signals`, in their order.
FORM: Final = (
    "letters_log", "words_log", "word_letters", "longest_word_log", "upper_share", "digit_share", "symbol_share",
    "emoji_share", "emoji_log", "blank_share", "accent_share", "outside_latin_share", "styled_share",
    "distinct_letters", "distinct_words", "longest_run_log", "consonants", "exclamations_log", "questions_log",
    "hashes_log",
    "lines_log", "links_log", "emails_log", "phones_log", "prices_log", "mentions_log", "link_share", "generic",
    "promotion_log",
    *(f"{name}_log" for name in LISTS),
    *(f"{name}_share" for name in LISTS), "calls_kinds",
)  # fmt: skip

#: Streams of terms: words and signs as typed, words without accents, groups of letters.
STREAMS: Final = ("words", "folded", "letters")
#: Terms of a stream are counted in 2 to the power of this many buckets.
BITS = 18
LETTER_GROUPS = (1, 2, 3, 4)
#: Bits that all streams' buckets need.
_KEY_BITS = BITS + 2
_GROUP_STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD, _SIGN = 1, 2
#: Languages that word lists and shipped texts cover; others are read by their form.
READ_LANGUAGES = (VIETNAMESE, ENGLISH)


@dataclass(frozen=True)
class Terms:
    """Hashed terms of texts: a sparse matrix by rows for each stream.

    Attributes
    ----------
    offsets : ndarray of int64 (texts + 1,)
        Terms of text i are at offsets[i]:offsets[i + 1].
    buckets : ndarray of int32
        Bucket of each term, rising within a text; a stream has its own 2**BITS buckets, one stream after the other.
    counts : ndarray of float32
        1 + log of how often the term stands in the text.
    """

    offsets: np.ndarray
    buckets: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class CommentTexts:
    """Comments read once: what the model needs of each.

    Attributes
    ----------
    form : ndarray of float32 (texts, len(FORM))
        See `form_signals`.
    terms : Terms
        See `text_terms`.
    languages : ndarray of int64 (texts,)
        As `features.wording.languages_of` numbers them.
    visible : ndarray of int64 (texts,)
        Characters that are not blank.
    generic : ndarray of bool (texts,)
        A few words that would fit any post, and nothing else; or emoji alone.
    hashes : ndarray of uint64 (texts,)
        Of the folded words, 0 without any: equal for copies.
    letters : ndarray of int64 (texts,)
        Folded letters and digits.
    """

    form: np.ndarray
    terms: Terms
    languages: np.ndarray
    visible: np.ndarray
    generic: np.ndarray
    hashes: np.ndarray
    letters: np.ndarray

    def take(self, texts: np.ndarray) -> "CommentTexts":
        """Some of the texts, by position (int64)."""
        starts, stops = self.terms.offsets[texts], self.terms.offsets[texts + 1]
        chosen = positions(starts, stops)
        terms = Terms(
            np.concatenate([[0], np.cumsum(stops - starts)]), self.terms.buckets[chosen], self.terms.counts[chosen]
        )
        return CommentTexts(
            self.form[texts],
            terms,
            self.languages[texts],
            self.visible[texts],
            self.generic[texts],
            self.hashes[texts],
            self.letters[texts],
        )


@dataclass(frozen=True)
class _Flat:
    """Code points of texts after another, blanks as single spaces, and where each text begins and the last ends."""

    codes: np.ndarray
    classes: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray


@cache
def _classes() -> np.ndarray:
    """Class of every code point up to TABLE: _WORD, _SIGN, or 0 for blanks and what is invisible."""
    classes = np.full(TABLE + 1, _SIGN, dtype=np.uint8)
    for code in range(TABLE):
        category = unicodedata.category(chr(code))
        if category[0] in "LMN":
            classes[code] = _WORD
        elif category[0] == "Z" or category in ("Cc", "Cf"):
            classes[code] = 0
    classes[TABLE] = _WORD
    classes[0xFE00:0xFE10] = 0
    return classes


@cache
def _upper() -> np.ndarray:
    """Which code points up to TABLE are capitals."""
    return np.array([unicodedata.category(chr(code)) == "Lu" for code in range(TABLE)] + [False])


@cache
def _lists() -> dict[str, dict[int, np.ndarray]]:
    return {name: phrase_hashes(words) for name, words in LISTS.items()}


def _marked(lowered: pa.Array) -> tuple[pa.Array, dict[str, np.ndarray]]:
    """Texts with marks in place of what varies, and how many of each mark every text has."""
    counts = {}
    leftover = pc.match_substring_regex(lowered, _LEFTOVERS)
    if pc.any(leftover).as_py():
        cleaned = pc.replace_substring_regex(lowered.filter(leftover), _LEFTOVERS, " ")
        lowered = pc.replace_with_mask(lowered, leftover, cleaned)
    for name, (mark, pattern) in _MARKS.items():
        found = pc.match_substring_regex(lowered, pattern)
        number = np.zeros(len(lowered), dtype=np.int64)
        if pc.any(found).as_py():
            replaced = pc.replace_substring_regex(lowered.filter(found), pattern, f" {mark} ")
            number[found.to_numpy(zero_copy_only=False)] = pc.count_substring(replaced, mark).to_numpy()
            lowered = pc.replace_with_mask(lowered, found, replaced)
        counts[name] = number
    return lowered, counts


def _flat(marked: pa.Array) -> _Flat:
    """Code points with one blank between words, digits as 0, and no run longer than LONGEST_RUN."""
    raw, ends = code_points(marked)
    rows = np.repeat(np.arange(len(marked)), np.diff(ends))
    classes = _classes()[np.minimum(raw, TABLE)]
    codes = np.where(classes == 0, np.uint32(SPACE), raw)
    codes[(codes >= ord("1")) & (codes <= ord("9"))] = ord("0")
    same, blank_again = np.ones(codes.size, dtype=bool), np.zeros(codes.size, dtype=bool)
    for back in range(1, LONGEST_RUN + 1):
        again = np.zeros(codes.size, dtype=bool)
        again[back:] = (codes[back:] == codes[:-back]) & (rows[back:] == rows[:-back])
        same &= again
        if back == 1:
            blank_again = again & (codes == SPACE)
    kept = np.flatnonzero(~(same | blank_again))
    codes, classes, rows = codes[kept], classes[kept], rows[kept]
    offsets = np.searchsorted(rows, np.arange(len(marked) + 1))
    return _Flat(codes, classes, rows, offsets)


def _tokens(flat: _Flat) -> tuple[np.ndarray, np.ndarray]:
    """Hash of each word and of each sign, and the text that it stands in."""
    before = np.concatenate([[0], flat.classes[:-1]])
    new_text = np.concatenate([[True], flat.rows[1:] != flat.rows[:-1]]) if flat.rows.size else np.zeros(0, dtype=bool)
    starts = np.flatnonzero((flat.classes != before) | new_text | (flat.classes == _SIGN))
    if not starts.size:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    place = np.arange(flat.codes.size) - np.repeat(starts, np.diff(np.append(starts, flat.codes.size)))
    powers = np.multiply.accumulate(np.full(int(place.max()) + 1, _GROUP_STEP, dtype=np.uint64))
    hashes = mixed(np.add.reduceat(flat.codes.astype(np.uint64) * powers[place], starts))
    said = flat.classes[starts] != 0
    return hashes[said], flat.rows[starts[said]]


def _runs(hashes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Single terms and pairs of neighbours in one text, with their texts."""
    pairs = word_runs(hashes, 2)
    within = rows[1:] == rows[:-1]
    return np.concatenate([hashes, pairs[within]]), np.concatenate([rows, rows[1:][within]])


def _groups(flat: _Flat) -> tuple[np.ndarray, np.ndarray]:
    """Hash of every group of LETTER_GROUPS neighbouring characters in one text, with their texts."""
    total = np.zeros(flat.codes.size, dtype=np.uint64)
    hashes, rows = [], []
    powers = np.multiply.accumulate(np.full(max(LETTER_GROUPS), _GROUP_STEP, dtype=np.uint64))
    for length, step in enumerate(powers, start=1):
        stop = max(flat.codes.size - length + 1, 0)
        total = total[:stop] + flat.codes[length - 1 :].astype(np.uint64) * step
        if length in LETTER_GROUPS:
            within = flat.rows[:stop] == flat.rows[length - 1 :]
            hashes.append(mixed(total[within] + np.uint64(length)))
            rows.append(flat.rows[:stop][within])
    return np.concatenate(hashes), np.concatenate(rows)


def _counted(streams: list[tuple[np.ndarray, np.ndarray]], texts: int) -> Terms:
    """Terms of all streams counted by text and bucket."""
    keys = []
    for number, (hashes, rows) in enumerate(streams):
        bucket = (hashes >> np.uint64(64 - BITS)).astype(np.int64) + (number << BITS)
        keys.append((rows << _KEY_BITS) + bucket)
    ordered = np.sort(np.concatenate(keys))
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if ordered.size else ordered
    counts = np.diff(np.append(first, ordered.size))
    distinct = ordered[first]
    return Terms(
        offsets=np.searchsorted(distinct >> _KEY_BITS, np.arange(texts + 1)),
        buckets=(distinct & ((1 << _KEY_BITS) - 1)).astype(np.int32),
        counts=(1 + np.log(counts)).astype(np.float32),
    )


def _distinct_share(hashes: np.ndarray, rows: np.ndarray, texts: int) -> np.ndarray:
    """Distinct terms per term of each text; 1 where it has none."""
    total = np.bincount(rows, minlength=texts)
    order = np.lexsort((hashes, rows))
    hashes, rows = hashes[order], rows[order]
    new = np.ones(hashes.size, dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return np.where(total > 0, np.bincount(rows[new], minlength=texts) / np.maximum(total, 1), 1.0)


def _largest(values: np.ndarray, rows: np.ndarray, texts: int) -> np.ndarray:
    """Largest value of each text, 0 where it has none."""
    largest = np.zeros(texts, dtype=np.int64)
    np.maximum.at(largest, rows, values)
    return largest


def _run_lengths(codes: np.ndarray, rows: np.ndarray, texts: int) -> np.ndarray:
    """Longest run of one visible character in each text."""
    if not codes.size:
        return np.zeros(texts, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], (codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1])]))
    lengths = np.diff(np.append(starts, codes.size))
    lengths[codes[starts] == SPACE] = 0
    return _largest(lengths, rows[starts], texts)


def _shares(original: pa.Array, marks: dict[str, np.ndarray], flat: _Flat, folded: Texts) -> dict[str, np.ndarray]:
    """Columns of `form_signals` by name, and the visible characters of each text."""
    texts = len(original)
    raw, ends = code_points(original)
    rows = np.repeat(np.arange(texts), np.diff(ends))
    inside = np.minimum(raw, TABLE)
    kind = _classes()[inside]
    starts, stops = ends[:-1], ends[1:]

    def count(chosen: np.ndarray) -> np.ndarray:
        return sums_of(chosen.astype(np.int64), starts, stops)

    letters, visible = count(kind == _WORD), count(kind != 0)
    some, seen = np.maximum(letters, 1), np.maximum(visible, 1)
    digits = (raw >= ord("0")) & (raw <= ord("9"))
    words = folded.word_counts
    word_rows = np.repeat(np.arange(texts), words)
    letter_rows = np.repeat(np.arange(texts), np.diff(folded.offsets))
    listed = {name: phrase_words(folded, lists) for name, lists in _lists().items()}
    consonant = np.isin(folded.codes, _CONSONANTS)
    spaces = np.flatnonzero(folded.codes == SPACE)
    edges = np.union1d(folded.offsets[:-1][np.diff(folded.offsets) > 0], spaces + 1)
    ends_of_words = np.append(edges, folded.codes.size)[1:]
    lengths = ends_of_words - edges - (folded.codes[ends_of_words - 1] == SPACE)
    scripts = folded.script_counts()
    styled = count((inside >= 0x1D400) & (inside < 0x1D800) | (inside >= 0xFF01) & (inside < 0xFF5F))
    return {
        "visible": visible,
        "letters_log": np.log1p(letters),
        "words_log": np.log1p(words),
        "word_letters": folded.letters / np.maximum(words, 1),
        "longest_word_log": np.log1p(_largest(lengths, letter_rows[np.minimum(edges, letter_rows.size - 1)], texts))
        if edges.size
        else np.zeros(texts),
        "upper_share": count(_upper()[inside]) / some,
        "digit_share": count(digits) / seen,
        "symbol_share": (visible - letters - folded.emoji).clip(0) / seen,
        "emoji_share": folded.emoji / seen,
        "emoji_log": np.log1p(folded.emoji),
        "blank_share": count(kind == 0) / np.maximum(stops - starts, 1),
        "accent_share": count((raw >= 0xC0) & (raw < 0x1F00) & (kind == _WORD)) / some,
        "outside_latin_share": scripts[:, LATIN + 1 :].sum(axis=1) / np.maximum(scripts.sum(axis=1), 1),
        "styled_share": styled / some,
        "distinct_letters": _distinct_share(flat.codes, flat.rows, texts),
        "distinct_words": _distinct_share(folded.words, word_rows, texts),
        "longest_run_log": np.log1p(_run_lengths(raw, rows, texts)),
        "consonants": np.bincount(letter_rows[consonant], minlength=texts) / np.maximum(folded.letters, 1),
        "exclamations_log": np.log1p(count(raw == ord("!"))),
        "questions_log": np.log1p(count(raw == ord("?"))),
        "hashes_log": np.log1p(count(raw == ord("#"))),
        "lines_log": np.log1p(count(raw == ord("\n"))),
        **{f"{name}s_log": np.log1p(marks[name]) for name in MARKS},
        "link_share": marks["link"] / np.maximum(words + marks["link"], 1),
        "generic": is_generic(folded),
        "promotion_log": np.log1p(words_in(folded, "promotion")),
        **{f"{name}_log": np.log1p(number) for name, number in listed.items()},
        **{f"{name}_share": number / np.maximum(words, 1) for name, number in listed.items()},
        "calls_kinds": sum((number > 0).astype(np.float64) for number in listed.values()),
    }


def phrase_words(folded: Texts, lists: dict[int, np.ndarray]) -> np.ndarray:
    """How many words of each text stand inside listed phrases, int64 of shape (texts,)."""
    rows = np.repeat(np.arange(folded.letters.size), folded.word_counts)
    return np.bincount(rows[covered(folded.words, rows, lists)], minlength=folded.letters.size)


def read_comments(texts: pd.Series) -> CommentTexts:
    """Read comments: form, hashed terms, language.

    Parameters
    ----------
    texts : Series of str
        Null counts as empty.

    Returns
    -------
    CommentTexts
        Each row from its own text alone.
    """
    original = pc.fill_null(text_array(texts), "")
    lowered = lower_text(original)
    marked, marks = _marked(lowered)
    flat = _flat(marked)
    plain = pc.replace_substring_regex(pc.replace_substring_regex(marked, f"[{''.join(_PLAIN)}]", " "), r"[0-9]+", "0")
    folded = read_texts(pd.Series(plain.to_pandas(), dtype="str"))
    columns = _shares(original, marks, flat, folded)
    token_hashes, token_rows = _tokens(flat)
    word_rows = np.repeat(np.arange(len(original)), folded.word_counts)
    streams = [_runs(token_hashes, token_rows), _runs(folded.words, word_rows), _groups(flat)]
    generic = columns["generic"].astype(bool)
    return CommentTexts(
        form=np.column_stack([columns[name] for name in FORM]).astype(np.float32),
        terms=_counted(streams, len(original)),
        languages=languages_of(folded),
        visible=columns["visible"],
        generic=generic | ((folded.letters == 0) & (folded.emoji > 0)),
        hashes=folded.hashes,
        letters=folded.letters,
    )


def form_signals(texts: pd.Series) -> pd.DataFrame:
    """What needs no language: float64 columns FORM, one row a text, with the texts' index.

    Columns that end in `_log` are log(1 + count); shares are of letters, visible characters or words. The lists of
    LISTS are folded, so capitals, accents and styled letters hide nothing.
    """
    return pd.DataFrame(read_comments(texts).form.astype(np.float64), columns=list(FORM), index=texts.index)
