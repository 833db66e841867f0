"""Who a creator names in captions: brands by @handle or as stated sponsor, how often, and when last."""

import pandas as pd

from features.histories import known_rows
from features.tables import TEXT, Tables

#: Names kept for each creator, those named last.
MOST_NAMES = 30
_HANDLE = r"(?<![\w.@])@([A-Za-z0-9_](?:[A-Za-z0-9_.]{0,28}[A-Za-z0-9_])?)"
_SPONSORS = r"[,;|]"


def mentions_of_posts(tables: Tables) -> pd.DataFrame:
    """Names in each caption, and stated sponsors.

    Returns
    -------
    DataFrame
        One row a post and name: `creator_id`, `post_id`, `published_at`, `name` (lower case, without the @),
        `sponsored` (the tables call the post sponsored, or give the name as its sponsor). A creator's own handle is
        left out.
    """
    posts = tables["posts"]
    nobody = pd.Series(False, index=posts.index)
    stated = posts["is_sponsored"].fillna(False).astype(bool) if "is_sponsored" in posts else nobody
    parts = []
    if "caption" in posts:
        parts.append(posts.assign(name=posts["caption"].str.findall(_HANDLE), sponsored=stated))
    if "sponsor" in posts:
        parts.append(posts.assign(name=posts["sponsor"].str.split(_SPONSORS, regex=True), sponsored=True))
    columns = ["creator_id", "post_id", "published_at", "name", "sponsored"]
    if not parts:
        return posts.iloc[:0].assign(name=pd.Series(dtype=TEXT), sponsored=nobody)[columns]
    found = pd.concat(parts)[columns]
    found = found[found["name"].notna()].explode("name")
    found["name"] = found["name"].astype(TEXT).str.strip().str.lstrip("@").str.lower()
    found = found[found["name"].fillna("") != ""]
    if "handle" in tables["creators"]:
        own = tables["creators"].set_index("creator_id")["handle"].str.lstrip("@").str.lower()
        found = found[(found["name"] != found["creator_id"].map(own)).to_numpy(dtype=bool, na_value=True)]
    keys = ["creator_id", "post_id", "name"]
    return found.groupby(keys, as_index=False).agg(published_at=("published_at", "max"), sponsored=("sponsored", "any"))


def mentions(tables: Tables, as_of: pd.Timestamp, *, imported_at: pd.Timestamp) -> pd.DataFrame:
    """Names that each creator has written last.

    Parameters
    ----------
    tables, as_of, imported_at
        As for `features.histories.make_histories`.

    Returns
    -------
    DataFrame
        One row a creator and name, of each creator the `MOST_NAMES` named last: `creator_id`, `name`, `posts` and
        `sponsored_posts` (that name it), `last_at` (when last, UTC).
    """
    posts = known_rows(tables["posts"], as_of, imported_at)
    posts = posts[posts["published_at"] <= as_of].sort_values("observed_at", kind="stable")
    found = mentions_of_posts(tables | {"posts": posts.drop_duplicates(["creator_id", "post_id"], keep="last")})
    told = found.groupby(["creator_id", "name"], as_index=False).agg(
        posts=("post_id", "size"), sponsored_posts=("sponsored", "sum"), last_at=("published_at", "max")
    )
    latest = told.sort_values(["creator_id", "last_at", "name"], ascending=[True, False, True], kind="stable")
    return latest.groupby("creator_id", sort=False).head(MOST_NAMES).reset_index(drop=True)
