"""From the tables `brands`, `collaborations` and `decisions` to pairs that the fit ranker learns from.

Creators are described by what was known before their first collaboration with any of the brands: what they wrote for a
brand, or because of it, would tell who worked with whom. Creators of whom nothing written remains are left out.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from features.content import profile_texts
from features.facts import UNSAFE, creator_facts
from features.histories import make_histories
from features.match import Wanted, as_handle, match_signals, met
from features.mentions import mentions_of_posts
from features.profiles import ProfileSpace, niche_shares
from features.signals import compute_signals
from features.tables import Tables, of_creators
from training.fit import Decisions, FitConfig, Pairs, grade
from training.fit_model import category_of, views_of

#: Outcomes that say that a collaboration delivered, lower case; so does any engagement, click or conversion counted.
DELIVERED_OUTCOMES = ("delivered", "completed", "success", "hoàn thành", "đã giao", "thành công")
#: Columns of `brands` that captions may name a brand by.
_NAMES = ("name", "brand_id")
_COUNTED = ("engagements", "clicks", "conversions")
#: Tables of events, and when each row came to be.
_EVENTS = {"posts": "published_at", "snapshots": "observed_at", "comments": "published_at"}


class FitTablesError(ValueError):
    """Tables that a ranker cannot be trained on; the message names the table and what would be right."""


class CollaborationConfig(BaseModel):
    """Settings of `train fit`.

    Attributes
    ----------
    ranker : FitConfig
    known : {"before", "always"}
        Describe creators by what was known before their first collaboration, or by everything but the posts that are
        part of a collaboration or name a brand of the table. The second knows more, and what happened after.
    most_others : int
        Creators without a collaboration that are learnt from, drawn at random.
    folds : int
        Parts of the brands that are left out in turn to measure.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ranker: FitConfig = FitConfig()
    known: Literal["before", "always"] = "before"
    most_others: Annotated[int, Field(ge=0)] = 3_000
    folds: Annotated[int, Field(ge=2)] = 5


@dataclass(frozen=True)
class FitData:
    """Pairs with names.

    Attributes
    ----------
    pairs : Pairs
        Views "text" and "niches"; `extras` are the signals of `features.match`.
    decisions : Decisions
    brands, creators : tuple of str
        Names of the brands and ids of the creators, in the order of the pairs.
    prior : ndarray of float64, shape (brands, creators)
        Fit as it is told where nothing was learnt.
    followers : ndarray of float64, shape (creators,)
        0 where not known.
    """

    pairs: Pairs
    decisions: Decisions
    brands: tuple[str, ...]
    creators: tuple[str, ...]
    prior: np.ndarray
    followers: np.ndarray


def _collaborations(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """Collaborations of listed brands and creators that had started, each pair once."""
    if "brands" not in tables or tables["brands"].empty:
        raise FitTablesError("brands: the table is missing or empty; train fit needs brands with a brief of each")
    named = "collaborations" not in tables
    found = named_collaborations(tables) if named else tables["collaborations"]
    known = found["brand_id"].isin(tables["brands"]["brand_id"]) & found["creator_id"].isin(
        tables["creators"]["creator_id"]
    )
    found = found[known & (found["started_at"] <= as_of)]
    if found.empty:
        what = (
            "no caption names a brand of `brands` by its handle"
            if named
            else ("no row is of a brand of `brands` and a creator of `creators` and had started")
        )
        message = f"collaborations: {what} by {as_of:%Y-%m-%d}"
        raise FitTablesError(message)
    outcome = found["outcome"].str.lower().str.strip() if "outcome" in found else pd.Series(None, index=found.index)
    delivered = outcome.isin(DELIVERED_OUTCOMES)
    for column in _COUNTED:
        if column in found:
            delivered |= found[column].fillna(0) > 0
    told = found.assign(delivered=delivered).groupby(["brand_id", "creator_id"], as_index=False)
    return told.agg(started_at=("started_at", "min"), delivered=("delivered", "max"))


def named_collaborations(tables: Tables) -> pd.DataFrame:
    """What stands in for collaborations where no table lists them: posts whose caption or sponsor names a brand.

    Returns
    -------
    DataFrame
        `brand_id`, `creator_id`, `started_at` (the first such post) and `post_ids`. A name may be a wish, a thank-you
        or an order of one's own: this says who is drawn to a brand, not who was paid.
    """
    named = mentions_of_posts(tables)
    brands = tables["brands"]
    by_handle = {as_handle(row[column]): row["brand_id"] for row in brands.to_dict("records") for column in _NAMES}
    named = named.assign(brand_id=named["name"].map(as_handle).map(by_handle))
    pairs = named.dropna(subset=["brand_id"]).groupby(["brand_id", "creator_id"], as_index=False)
    return pairs.agg(started_at=("published_at", "min"), post_ids=("post_id", ",".join))


def _before(tables: Tables, worked: pd.DataFrame) -> Tables:
    """Rows from before each creator's first collaboration; creators without one keep all."""
    first = worked.groupby("creator_id")["started_at"].min()
    cut = dict(tables)
    for name, column in _EVENTS.items():
        if name in tables:
            frame = tables[name]
            start = frame["creator_id"].map(first)
            cut[name] = frame[~(frame[column] >= start)]
    return cut


def _without_brands(tables: Tables) -> Tables:
    """Tables without the posts of collaborations and those that name a brand, and their comments."""
    named = named_collaborations(tables)["post_ids"]
    listed = tables.get("collaborations", pd.DataFrame()).get("post_ids", pd.Series(dtype="str"))
    parts = [named, listed.dropna()]
    gone = {post for ids in pd.concat(parts).str.split(r"[,;|\s]+", regex=True) for post in ids}
    cut = dict(tables)
    for name in ("posts", "comments"):
        if name in tables:
            cut[name] = tables[name][~tables[name]["post_id"].isin(gone)]
    return cut


def _wanted(brand: pd.Series) -> Wanted:
    """What a row of `brands` prefers."""

    def names(column: str) -> tuple[str, ...]:
        value = brand.get(column)
        return () if value is None or pd.isna(value) else tuple(part.strip() for part in str(value).split(","))

    budget = brand.get("budget")
    return Wanted(
        languages=names("languages"),
        countries=names("countries"),
        price_max=None if budget is None or pd.isna(budget) else float(budget),
        currency="" if pd.isna(brand.get("currency")) else str(brand.get("currency")),
    )


def fit_data(tables: Tables, as_of: pd.Timestamp, config: CollaborationConfig, *, imported_at: pd.Timestamp) -> FitData:
    """Describe brands and creators, and who worked with whom.

    Parameters
    ----------
    tables : Tables
        `creators`, `posts`, `brands`, `collaborations`, and where there are any `decisions`.
    as_of : Timestamp
    config : CollaborationConfig
    imported_at : Timestamp

    Raises
    ------
    FitTablesError
        Where a table is missing, or no collaboration is of brands and creators that are listed.
    """
    worked = _collaborations(tables, as_of)
    decided = _decided(tables, as_of)
    rng = np.random.default_rng(config.ranker.seed)
    everybody = pd.Index(tables["creators"]["creator_id"]).unique()
    needed = pd.Index(worked["creator_id"]).union(pd.Index(decided["creator_id"])).intersection(everybody)
    others = everybody.difference(needed)
    drawn = rng.choice(others, min(config.most_others, len(others)), replace=False) if len(others) else others
    own = of_creators({name: tables[name] for name in tables if name != "decisions"}, needed.append(pd.Index(drawn)))
    described = _before(own, worked) if config.known == "before" else _without_brands(own)

    texts = profile_texts(described, as_of, imported_at=imported_at)
    told = texts.index[texts.str.strip() != ""]
    if not len(told.intersection(pd.Index(worked["creator_id"]))):
        raise FitTablesError(
            "posts: no creator of a collaboration wrote anything before it (or beside it); nothing can be learnt"
        )
    described, worked = of_creators(described, told), worked[worked["creator_id"].isin(told)]
    decided, texts = decided[decided["creator_id"].isin(told)], texts[told]
    histories = make_histories(described, as_of, imported_at=imported_at)
    signals = compute_signals(histories)
    facts = creator_facts(described, histories, signals, imported_at=imported_at)
    creators = histories.creators.set_index("creator_id")
    frame = facts.assign(
        language=creators.get("language", pd.Series(dtype="str")).reindex(facts.index),
        country=creators.get("country", pd.Series(dtype="str")).reindex(facts.index),
        followers=creators["followers"],
        inauthentic_followers_share=np.nan,
        **dict.fromkeys(UNSAFE, np.nan),
        as_of=as_of,
    )
    texts = texts.reindex(facts.index)
    space = ProfileSpace.fit(texts)

    known = set(worked["brand_id"]) | set(decided["brand_id"])
    brands = tables["brands"].drop_duplicates("brand_id")
    brands = brands[brands["brand_id"].isin(known)].reset_index(drop=True)
    read = [
        space.read(row["brief"] or "", [row["niche"]] if pd.notna(row.get("niche")) else [])
        for row in brands.to_dict("records")
    ]
    listed = texts.tolist()
    matches = [match_signals(_wanted(row), frame, listed) for _, row in brands.iterrows()]
    sides = (
        views_of(np.array([one.vector for one in read]), np.array([one.shares for one in read])),
        views_of(space.vectors, niche_shares(texts).to_numpy()),
    )
    place = pd.Index(brands["brand_id"]).get_indexer(pd.Index(worked["brand_id"]))
    row = facts.index.get_indexer(pd.Index(worked["creator_id"]))
    shape = (len(brands), len(facts))
    pairs, delivered = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    pairs[place, row] = True
    delivered[place, row] = worked["delivered"].to_numpy(dtype=bool)
    categories = tuple(category_of(one) for one in read)
    likeness = np.array([space.similarities(one) for one in read], dtype=np.float64)
    return FitData(
        Pairs(
            *sides,
            grade(pairs, categories, delivered),
            categories,
            {name: np.array([found[name] for found in matches]) for name in matches[0]},
        ),
        _decisions(decided, brands["brand_id"], facts.index),
        tuple(brands["name"]),
        tuple(map(str, facts.index)),
        likeness * np.array([met(found) for found in matches]),
        frame["followers"].fillna(0).to_numpy(dtype=np.float64),
    )


def _decided(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """The last decision on each pair of a listed brand and creator that was made by then."""
    columns = ["brand_id", "creator_id", "decided_at", "decision", "position"]
    if "decisions" not in tables:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    found = tables["decisions"].reindex(columns=columns)
    listed = found["brand_id"].isin(tables["brands"]["brand_id"]) & found["creator_id"].isin(
        tables["creators"]["creator_id"]
    )
    found = found[listed & (found["decided_at"] <= as_of)].sort_values("decided_at", kind="stable")
    return found.drop_duplicates(["brand_id", "creator_id"], keep="last")


def _decisions(decided: pd.DataFrame, brands: pd.Series, creators: pd.Index) -> Decisions:
    positions = pd.to_numeric(decided["position"]).fillna(0)
    return Decisions(
        pd.Index(brands).get_indexer(pd.Index(decided["brand_id"])),
        creators.get_indexer(pd.Index(decided["creator_id"])),
        (decided["decision"] == "yes").to_numpy(dtype=bool),
        positions.to_numpy(dtype=np.int64),
    )
