"""What creators say about themselves and in their posts, as known at one moment."""

import numpy as np
import pandas as pd

from features.histories import Histories, known_rows
from features.registry import read_family
from features.tables import TEXT, Tables

SIGNALS = read_family("content")

#: Captions and characters of a profile text: the newest posts tell what a creator does now.
CAPTIONS, CHARACTERS = 60, 6_000


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


def content_signals(histories: Histories) -> dict[str, np.ndarray]:
    """Compute every signal of this family.

    Returns
    -------
    dict of str to ndarray of float64, each of shape (creators,)
        In the order of `histories.creators`; NaN where it cannot be computed.
    """
    return {signal.name: np.full(len(histories.creators), np.nan) for signal in SIGNALS}
