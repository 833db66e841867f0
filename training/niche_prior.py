"""The niche of a creator by word lists alone: what is served where no niche model was trained."""

import numpy as np
import pandas as pd

from features.tables import Tables
from features.taxonomy import niche_counts, read_taxonomy, wider_niches
from training.niche import told

NO_WORD = "no word of any niche's list is in the captions or the bio"
#: Words of no niche that every creator is taken to have said, spread over all niches: one word proves little.
_UNSAID = 1.0


def prior_probabilities(tables: Tables, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """Share of each niche of the taxonomy in the words of a creator's captions and bio.

    A word counts once a caption, and the logarithm of 1 + such captions is a niche's score, so that one caption full of
    hashtags is no more than a caption. `_UNSAID` is spread over all niches. The figures add up to 1; they were fitted
    to nothing, and are no frequencies of being right.

    Parameters
    ----------
    tables : Tables
        `creators` and `posts`.
    as_of : Timestamp, optional
        Posts published later are left out.

    Returns
    -------
    DataFrame of float64
        A row a creator in sorted order, a column a niche; NaN where no word was found.
    """
    creators = pd.Index(tables["creators"]["creator_id"], name="creator_id").sort_values()
    posts = tables["posts"] if as_of is None else tables["posts"][tables["posts"]["published_at"] <= as_of]
    parts = [
        frame[["creator_id", column]].dropna().set_axis(["creator_id", "text"], axis=1)
        for frame, column in ((posts, "caption"), (tables["creators"], "bio"), (tables["creators"], "display_name"))
        if column in frame
    ]
    if not parts:
        return pd.DataFrame(np.nan, index=creators, columns=list(read_taxonomy()))
    written = pd.concat(parts, ignore_index=True)
    said = (niche_counts(written["text"]) > 0).astype("float64")
    captions = said.groupby(written["creator_id"].to_numpy()).sum().reindex(creators, fill_value=0.0)
    scores = np.log1p(captions.to_numpy())
    total = scores.sum(axis=1, keepdims=True)
    shares = (scores + _UNSAID / scores.shape[1]) / (total + _UNSAID)
    return pd.DataFrame(np.where(total > 0, shares, np.nan), index=creators, columns=captions.columns)


def prior_niches(tables: Tables, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """The niche that most words tell, of equals the narrower; columns as `training.niche.told` returns them."""
    narrow_first = sorted(read_taxonomy(), key=lambda name: read_taxonomy()[name].parent is None)
    return told(prior_probabilities(tables, as_of)[narrow_first], NO_WORD)


def as_labels(probabilities: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Shares of the taxonomy's niches by the labels of a data set: each label gets that of the likeliest of its niches.

    A niche is of its own label or that of the nearest wider niche, else of "other" where that is a label, else of none.
    They are not summed: "other" would win by the number of niches that a set has no label for.

    Parameters
    ----------
    probabilities : DataFrame
        As `prior_probabilities` returns them.
    labels : list of str
        Such as the nine niches of Kim et al. (2020).
    """
    home = {}
    for name in probabilities.columns:
        nearest = [wider for wider in wider_niches(name) if wider in labels]
        home[name] = nearest[0] if nearest else "other"
    largest = probabilities.T.groupby(pd.Series(home)).max().T
    return largest.reindex(columns=labels).where(probabilities.notna().any(axis=1), np.nan).astype("float64")
