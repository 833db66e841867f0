"""What a creator does on its platform, told by what is written: reviewer, KOC, model, seeder, vlogger and so on."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.content import LEAST, caption_lexicon
from features.histories import Histories
from features.lexicons import Lexicon, lexicon_of, lower_text, read_norms, text_array
from features.tables import TEXT


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return read_norms("roles")


#: Every role, as score frames write it.
ROLES = (*_rules()["roles"], "rising_creator", "ordinary_user")


@lru_cache(maxsize=32)
def _lexicon(role: str) -> Lexicon:
    rule = _rules()["roles"][role]
    return caption_lexicon(rule["section"]) if "section" in rule else lexicon_of(rule["words"])


def roles(histories: Histories, growth: np.ndarray) -> pd.DataFrame:
    """The role of every creator.

    Parameters
    ----------
    histories : Histories
    growth : ndarray of float64, shape (creators,)
        Signal `follower_growth_28d`.

    Returns
    -------
    DataFrame
        Indexed by creator_id: `role` (of `ROLES`; null where too little is written or nothing tells one) and
        `role_share` (part of the captions that says so; NaN where the role is told by followers).
    """
    texts = text_array(histories.posts.texts["caption"])
    written = np.flatnonzero(pc.fill_null(pc.match_substring_regex(texts, r"\S"), False).to_numpy(zero_copy_only=False))
    owners, lower = histories.posts.owners[written], lower_text(texts.take(pa.array(written)))
    creators = len(histories.creators)
    captions = np.bincount(owners, minlength=creators)
    platforms = histories.creators["platform"].to_numpy(dtype=object)
    role = np.full(creators, None, dtype=object)
    share, strength = np.full(creators, np.nan), np.full(creators, 1.0)
    for name, rule in _rules()["roles"].items():
        hits = np.bincount(owners[_lexicon(name).found(lower)], minlength=creators)
        part = hits / np.maximum(captions, 1)
        found = part / rule["least"]
        told = np.isin(platforms, rule["platforms"]) & (captions >= LEAST) & (found >= strength) & (found >= 1)
        role[told], share[told], strength[told] = name, part[told], found[told]
    rising, ordinary = _rules()["rising_creator"], _rules()["ordinary_user"]
    nothing = np.isnan(share)
    role[nothing & np.isin(platforms, rising["platforms"]) & (growth >= rising["growth"])] = "rising_creator"
    few = (histories.followers < ordinary["followers"]) & (captions >= LEAST)
    role[nothing & np.isin(platforms, ordinary["platforms"]) & few] = "ordinary_user"
    ids = pd.Index(histories.creators["creator_id"], name="creator_id")
    return pd.DataFrame({"role": pd.array(role, dtype=TEXT), "role_share": share}, index=ids)
