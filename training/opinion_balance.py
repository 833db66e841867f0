"""What a creator's captions and the comments under them express, as shares a creator.

A text expresses an opinion where it holds a word of the lists of praise or criticism; the model decides where it holds
both. The model alone calls over two of five captions of TikTok negative, and few of those criticise (BENCHMARKS.md,
"Opinions and safety"): it learnt from texts of which nearly all have an opinion.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from features.content import caption_lexicon
from features.lexicons import lower_text, text_array
from features.tables import TEXT, Tables
from training.opinions import LISTS, OpinionModel

#: Texts that a share needs.
LEAST_TEXTS: Final = 8
SHARES: Final = (
    "praise_share",
    "criticism_share",
    "audience_criticism_share",
    "unsafe_comment_share",
    "unsafe_caption_share",
)
NO_MODEL: Final = "no model is trained"
TOO_FEW: Final = f"fewer than {LEAST_TEXTS} texts"


def opinion_balance(
    tables: Tables, models: Mapping[str, OpinionModel | None], as_of: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Shares of opinions and of unsafe texts of every creator.

    Parameters
    ----------
    tables : Tables
        `creators`, `posts` with `caption`, and `comments` where there are any. A creator's own comments are left out.
    models : mapping of str to OpinionModel
        "opinions" and "safety"; what rests on one that is absent or None is null.
    as_of : Timestamp, optional
        Posts and comments published later are left out.

    Returns
    -------
    DataFrame
        Indexed by creator_id, in sorted order. For each of SHARES a float64 column (NaN where not told),
        `<share>_texts` (int64), the texts that it rests on, and `<share>_reason`, null where told. `praise_share` and
        `criticism_share` are of captions that express an opinion and add up to 1, `audience_criticism_share` of
        comments that do, the unsafe shares of all texts that were assessed.
    """
    creators = pd.Index(tables["creators"]["creator_id"], name="creator_id").sort_values()
    captions, comments = _captions(tables, as_of), _comments(tables, as_of)
    columns: dict[str, object] = {}
    for source, criticism, praise, unsafe in (
        (captions, "criticism_share", "praise_share", "unsafe_caption_share"),
        (comments, "audience_criticism_share", None, "unsafe_comment_share"),
    ):
        owners = creators.get_indexer(pd.Index(source["creator_id"]))
        opinions, safety = models.get("opinions"), models.get("safety")
        if opinions is not None:
            praises, criticises = _opinions(source["text"], opinions)
            opined = praises | criticises
            columns |= _share(criticism, owners[opined], criticises[opined], len(creators))
            if praise:
                columns |= _share(praise, owners[opined], praises[opined], len(creators))
        if safety is not None:
            told = safety.predict(source["text"])["told"]
            known = told.notna().to_numpy()
            columns |= _share(unsafe, owners[known], (told != "clean").to_numpy()[known], len(creators))
    for name in SHARES:
        if name not in columns:
            columns |= {name: np.nan, f"{name}_texts": 0, f"{name}_reason": NO_MODEL}
    found = pd.DataFrame(columns, index=creators)
    return found[[f"{name}{ending}" for name in SHARES for ending in ("", "_texts", "_reason")]].astype(
        {f"{name}_reason": TEXT for name in SHARES}
    )


def _opinions(texts: pd.Series, model: OpinionModel) -> tuple[np.ndarray, np.ndarray]:
    """Texts that praise, and texts that criticise; never both, bool of shape (texts,)."""
    told = model.predict(texts)["told"]
    lowered = lower_text(text_array(texts))
    praise, criticism = (caption_lexicon(name).found(lowered) & told.notna().to_numpy() for name in LISTS)
    negative, positive = ((told == name).fillna(False).to_numpy(dtype=bool) for name in ("negative", "positive"))
    return praise & (~criticism | positive), criticism & (~praise | negative)


def _share(name: str, owners: np.ndarray, hits: np.ndarray, creators: int) -> dict[str, object]:
    texts = np.bincount(owners, minlength=creators)
    enough = texts >= LEAST_TEXTS
    share = np.bincount(owners, hits.astype(np.float64), minlength=creators) / np.maximum(texts, 1)
    reasons = np.full(creators, TOO_FEW, dtype=object)
    reasons[enough] = None
    return {name: np.where(enough, share, np.nan), f"{name}_texts": texts, f"{name}_reason": reasons}


def _until(frame: pd.DataFrame, as_of: pd.Timestamp | None) -> pd.DataFrame:
    return frame if as_of is None else frame[frame["published_at"] <= as_of]


def _written(frame: pd.DataFrame, column: str, creators: pd.Series) -> pd.DataFrame:
    """Owner and text of rows that say something and whose creator is known."""
    if column not in frame:
        return pd.DataFrame({"creator_id": pd.Series(dtype=TEXT), "text": pd.Series(dtype=TEXT)})
    kept = frame[column].str.contains(r"\S", na=False) & frame["creator_id"].isin(creators)
    return frame.loc[kept, ["creator_id", column]].set_axis(["creator_id", "text"], axis=1).reset_index(drop=True)


def _captions(tables: Tables, as_of: pd.Timestamp | None) -> pd.DataFrame:
    posts = _until(tables["posts"], as_of)
    # a post that was seen twice is read once, as it was seen last
    if "observed_at" in posts:
        posts = posts.sort_values("observed_at", kind="stable")
    return _written(
        posts.drop_duplicates(["creator_id", "post_id"], keep="last"), "caption", tables["creators"]["creator_id"]
    )


def _comments(tables: Tables, as_of: pd.Timestamp | None) -> pd.DataFrame:
    comments = _until(tables["comments"], as_of) if "comments" in tables else pd.DataFrame()
    if "author_id" in comments:
        comments = comments[~(comments["author_id"] == comments["creator_id"]).fillna(False).to_numpy(dtype=bool)]
    return _written(comments, "text", tables["creators"]["creator_id"])
