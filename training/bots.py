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
_EMOJI = ("", "", " 🔥", " ❤️", " 😍", " 👏", " 🔥🔥🔥", " 💯", " 🙌", " 😊")
_ALONE = ("🔥🔥🔥", "❤️❤️", "😍😍😍", "👏👏", "💯", "🙌🙌", "😍🔥")


def _texts(language: str, rng: np.random.Generator, size: int) -> np.ndarray:
    openers, endings = np.array(_OPENERS[language].split("|")), np.array(_ENDINGS[language].split("|"))
    worded = np.char.add(np.char.add(rng.choice(openers, size), rng.choice(endings, size)), rng.choice(_EMOJI, size))
    return np.where(rng.random(size) < 0.2, rng.choice(_ALONE, size), worded)


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
        One row a campaign and post: creator_id, post_id, language ("vi" or any other), seed and accounts of the seller,
        count of comments, `first` (the first possible moment, datetime64[us, UTC]) and `days` over which they came.

    Returns
    -------
    DataFrame
        In the columns of the `comments` table.
    """
    each = rows.loc[rows.index.repeat(rows["count"])].reset_index(drop=True)
    size = len(each)
    vietnamese = (each["language"] == "vi").to_numpy() & (rng.random(size) < 0.85)
    text = np.where(vietnamese, _texts("vi", rng, size), _texts("en", rng, size))
    number = (rng.random(size) * each["accounts"].to_numpy()).astype(np.int64)
    seeds = each["seed"].to_numpy(dtype=np.int64)
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
