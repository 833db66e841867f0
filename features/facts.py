"""What is known of a creator beside signals and texts, as a brief may ask for it: one path for training and serving."""

import json

import numpy as np
import pandas as pd

from features.content import HEAD, caption_languages, language_codes
from features.histories import Histories
from features.lexicons import lower_text, text_array
from features.mentions import mentions
from features.roles import roles
from features.tables import TEXT, Tables

#: Columns of `creator_facts`.
FACTS = (
    "role",
    "price_per_post",
    "currency",
    "audience_language",
    "sponsored_share",
    "critical_share",
    "mentions",
)
#: Parts of a creator's captions, and of the comments under its posts, that a model of unsafe texts calls offensive or
#: hateful; null where there is no such model.
UNSAFE = ("unsafe_caption_share", "unsafe_comment_share")
#: Comments whose language is told that an audience's language needs, and the part of them that must be in it.
_LEAST_COMMENTS, _LEAST_PART = 8, 0.5


def audience_languages(tables: Tables, as_of: pd.Timestamp) -> pd.Series:
    """Language most comments under a creator's posts are in, null where that is not told; by creator_id."""
    ids = pd.Index(tables["creators"]["creator_id"], name="creator_id").sort_values()
    if "comments" not in tables:
        return pd.Series(None, index=ids, dtype=TEXT)
    comments = tables["comments"]
    comments = comments[comments["published_at"] <= as_of]
    heads = lower_text(text_array(comments["text"].fillna("").str[:HEAD]))
    told = pd.DataFrame({"creator_id": comments["creator_id"].to_numpy(), "language": caption_languages(heads)})
    told = told[told["language"] >= 0]
    if told.empty:
        return pd.Series(None, index=ids, dtype=TEXT)
    counts = pd.crosstab(told["creator_id"], told["language"])
    total, most = counts.sum(axis=1), counts.max(axis=1)
    codes = np.array(language_codes(), dtype=object)[counts.idxmax(axis=1).to_numpy(dtype=np.int64)]
    known = (total >= _LEAST_COMMENTS) & (most >= _LEAST_PART * total)
    return pd.Series(codes, index=counts.index, dtype=TEXT).where(known).reindex(ids)


def creator_facts(
    tables: Tables, histories: Histories, signals: pd.DataFrame, *, imported_at: pd.Timestamp
) -> pd.DataFrame:
    """Facts of every creator that pairs are compared by.

    Parameters
    ----------
    tables : Tables
    histories : Histories
        Of these tables; its `as_of` is the moment of knowledge.
    signals : DataFrame
        From `features.signals.compute_signals`.
    imported_at : Timestamp

    Returns
    -------
    DataFrame
        Indexed by creator_id, columns `FACTS`: `role` (of `features.roles.ROLES`), `price_per_post` in `currency`,
        `audience_language` (most comments), `sponsored_share` (of captions), `critical_share` (of captions with an
        opinion), `mentions` (JSON list of `name`, `posts`, `sponsored_posts`, `last_at`; empty where nobody is named).
        Null where not known.
    """
    as_of = histories.as_of
    creators = histories.creators.set_index("creator_id")
    named = mentions(tables, as_of, imported_at=imported_at)
    named["last_at"] = named["last_at"].map(lambda moment: f"{moment:%Y-%m-%d}")
    listed = {
        creator_id: json.dumps(own.drop(columns="creator_id").to_dict("records"))
        for creator_id, own in named.groupby("creator_id")
    }
    nothing = pd.Series(None, index=signals.index)
    return pd.DataFrame(
        {
            "role": roles(histories, signals["follower_growth_28d"].to_numpy())["role"],
            "price_per_post": creators.get("price_per_post", nothing).astype("float64"),
            "currency": creators.get("currency", nothing).astype(TEXT),
            "audience_language": audience_languages(tables, as_of).reindex(signals.index),
            "sponsored_share": signals["sponsored_caption_share_all"],
            "critical_share": signals["critical_opinion_share_all"],
            "mentions": pd.Series([listed.get(one, "[]") for one in signals.index], index=signals.index, dtype=TEXT),
        },
        index=signals.index,
    )
