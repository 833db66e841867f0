"""Comments that bots and pods leave: generic praise from templates, under pseudonymised accounts of their seller."""

import hashlib

import numpy as np
import pandas as pd

from features.tables import TEXT, TIME

_OPENERS = {
    "en": "Wow|So good|Love this|Amazing|Great post|Beautiful|Nice one|Stunning|Keep it up|Cool|Perfect|Goals|Oh|Yes",
    "vi": "Đẹp quá|Tuyệt vời|Thích quá|Xinh quá|Hay quá|Ủng hộ bạn|Quá đỉnh|Hóng|Xịn|Mê quá|Ok bạn|Dễ thương ghê",
}
_ENDINGS = {
    "en": "|!|!!!| dear| my friend| so much| keep going| as always| great content| check my page",
    "vi": "|!|!!| ạ| nha| bạn ơi| luôn| ghê| cố lên nhé| ib mình nhé",
}
# sentences of slots: so many combinations that copies are rare
_SLOTS = {
    "en": (
        "Honestly|I have to say|Not gonna lie|Okay but|Every time|Just saw this and|Can we talk about how|Wow,|I think",
        " the colours| the vibe| your style| this look| the light| the whole mood| the details| your energy| this idea",
        " here| in this one| today| lately| every single time| on your page| right now",
        " is so good| made my day| gives me life| is exactly what I needed| looks amazing| is everything",
        "|!|, keep it up| 😍| 🔥|, thanks for sharing|, where is it from?|, love it| 👏|, need more of this",
    ),
    "vi": (
        "Thật sự|Phải nói là|Nhìn|Công nhận|Lướt thấy|Mình thấy|Lần nào xem|Trời ơi|Không ngờ|Coi đi coi lại",
        " màu sắc| phong cách| outfit| góc chụp| nụ cười| thần thái| cách bạn nói| ý tưởng| bối cảnh| món này| clip",
        " lần này| hôm nay| dạo này| của bạn| trong bài này| ở đây",
        " đẹp xuất sắc| cuốn thật| hợp lắm luôn| quá là chất| làm mình vui cả ngày| đúng gu mình| hay thật sự",
        "|!| nha| luôn á| 😍| 🔥|, ủng hộ bạn|, mong ra thêm| ạ|, cho mình xin info với",
    ),
}
#: Texts that a seller of templates posts over and over.
TEMPLATES = 6

_EMOJI = ("", "", " 🔥", " ❤️", " 😍", " 👏", " 🔥🔥🔥", " 💯", " 🙌", " 😊")
_ALONE = ("🔥🔥🔥", "❤️❤️", "😍😍😍", "👏👏", "💯", "🙌🙌", "😍🔥")


def _texts(language: str, rng: np.random.Generator, size: int) -> np.ndarray:
    openers, endings = np.array(_OPENERS[language].split("|")), np.array(_ENDINGS[language].split("|"))
    worded = np.char.add(np.char.add(rng.choice(openers, size), rng.choice(endings, size)), rng.choice(_EMOJI, size))
    return np.where(rng.random(size) < 0.2, rng.choice(_ALONE, size), worded)


def _sentences(language: str, rng: np.random.Generator, size: int) -> np.ndarray:
    parts = [rng.choice(np.array(slot.split("|")), size) for slot in _SLOTS[language]]
    text = parts[0]
    for part in parts[1:]:
        text = np.char.add(text, part)
    return text


def _worded(wording: np.ndarray, seeds: np.ndarray, language: str, rng: np.random.Generator) -> np.ndarray:
    """Texts of each seller's wording, shape as `wording`."""
    size = wording.size
    texts = _texts(language, rng, size).astype(object)
    signs = wording == "emoji"
    texts[signs] = rng.choice(_ALONE, int(signs.sum()))
    slots = wording == "paraphrase"
    texts[slots] = _sentences(language, rng, int(slots.sum()))
    for seed in np.unique(seeds[wording == "template"]).tolist():
        rows = (wording == "template") & (seeds == seed)
        own = np.random.default_rng(seed)
        few = np.concatenate([_texts(language, own, TEMPLATES // 2), _sentences(language, own, TEMPLATES // 2)])
        texts[rows] = rng.choice(few, int(rows.sum()))
    return texts


def account_ids(seed: int, numbers: np.ndarray) -> list[str]:
    """Pseudonyms of accounts of one seller: the same seed and number always give the same one."""
    names = {
        number: "u_" + hashlib.blake2s(f"{seed}/{number}".encode(), digest_size=6).hexdigest()
        for number in np.unique(numbers).tolist()
    }
    return [names[number] for number in numbers.tolist()]


def comment_rows(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Write the comments that campaigns left.

    Parameters
    ----------
    rows : DataFrame
        One row a campaign and post: creator_id, post_id, language ("vi" or any other), seed, accounts and wording
        (`training.vendors.WORDINGS`) of the seller, count of comments, `first` (the first possible moment,
        datetime64[us, UTC]) and `days` over which they came.

    Returns
    -------
    DataFrame
        In the columns of the `comments` table.
    """
    each = rows.loc[rows.index.repeat(rows["count"])].reset_index(drop=True)
    size = len(each)
    vietnamese = (each["language"] == "vi").to_numpy() & (rng.random(size) < 0.85)
    seeds = each["seed"].to_numpy(dtype=np.int64)
    wording = each["wording"].to_numpy(dtype=object).astype(str)
    text = np.where(vietnamese, *(_worded(wording, seeds, language, rng) for language in ("vi", "en")))
    number = (rng.random(size) * each["accounts"].to_numpy()).astype(np.int64)
    authors = np.full(size, "", dtype=object)
    for seed in np.unique(seeds).tolist():
        own = seeds == seed
        authors[own] = account_ids(seed, number[own])
    later = pd.to_timedelta(rng.random(size) * each["days"].to_numpy() * 86_400, unit="s").floor("s")
    return pd.DataFrame(
        {
            "creator_id": each["creator_id"].astype(TEXT),
            "post_id": each["post_id"].astype(TEXT),
            "comment_id": pd.Series([f"k_{value:015x}" for value in rng.integers(2**60, size=size)], dtype=TEXT),
            "author_id": pd.Series(authors, dtype=TEXT),
            "published_at": (each["first"] + later).astype(TIME),
            "text": pd.Series(text, dtype=TEXT),
            "likes": pd.array(np.zeros(size, dtype=np.int64), dtype="Int64"),
        }
    )
