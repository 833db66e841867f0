"""Trials of an authenticity model: creators that it has not seen, untouched, manipulated or odd, and how they scored.

A trial frame has one row a history and model: who it is (`creator`, `source`, `platform`, `tier`, `language`), `what`
was done to it, what is true of it (as `training.fraud.inject_campaigns` says), and what the model says, in the columns
of `AuthenticityModel.score`. All campaigns and all oddities are simulated, also where the histories are real.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.tables import HEADS, Tables, of_creators
from training.authenticity import READ, AuthenticityModel, assessable
from training.baselines import FLOORS, fit_floors
from training.config import AuthenticityConfig, DataConfig
from training.datasets import (
    ODDITY_SPLIT,
    Dataset,
    describe_creators,
    join_datasets,
    make_dataset,
    no_truth,
    signals_of,
)
from training.fraud import draw_vendors, inject_campaigns, plan_campaigns
from training.odd_histories import ODDITIES, strike
from training.rules import RULES, rule_scores
from training.runs import Source
from training.splits import split_creators
from training.vendors import Style

#: What may have been done to the histories of a trial; "mixed" are campaigns of all kinds and styles, as in training.
UNTOUCHED, MIXED = "untouched", "mixed"
STYLES: tuple[Style, ...] = ("retail", "careful")
RETAIL, CAREFUL = STYLES
#: Sellers drawn for a trial of one style; none of them has been seen in training.
SELLERS = 40
#: Days between what a model is trained on and what it is tried on, in the trial of time.
FORWARD_DAYS = 90
#: Age at which a post's counts are taken to be settled (assumed; the signals wait two days).
SETTLED_DAYS = 7


@dataclass(frozen=True)
class Trial:
    """Rows of creators before they are scored: signals, truth and who they are, all by one index."""

    signals: pd.DataFrame
    truth: pd.DataFrame
    creators: pd.DataFrame


def test_tables(source: Source, config: AuthenticityConfig) -> Tables:
    """Tables of the creators of a source who are in the test split."""
    ids = pd.Index(source.tables["creators"]["creator_id"])
    split_of = split_creators(ids, config.splits.model_dump(), config.data.seed)
    return of_creators(source.tables, split_of.index[split_of == "test"])


def _trial(tables: Tables, truth: pd.DataFrame, source: Source, what: str, ids: pd.Index | None = None) -> Trial:
    signals = signals_of(tables, source.as_of)
    kept = signals.index if ids is None else signals.index[signals.index.isin(ids)]
    creators = describe_creators(tables, kept).assign(source=source.name, what=what)
    return Trial(signals.loc[kept], truth.reindex(kept), creators)


def untouched(source: Source, tables: Tables) -> Trial:
    """The creators as they are."""
    return _trial(tables, no_truth(pd.Index(tables["creators"]["creator_id"])), source, UNTOUCHED)


def campaigns_of_style(source: Source, tables: Tables, style: Style, seed: int) -> list[Trial]:
    """For each head, every creator whose tables can show it with one campaign of a style, by sellers of their own."""
    trials = []
    for number, head in enumerate(HEADS):
        rng = np.random.default_rng([seed, number])
        vendors = draw_vendors(SELLERS, rng, style=style)
        campaigns = plan_campaigns(tables, vendors, rng, share=1.0, heads=(head,))
        if campaigns.empty:
            continue
        injected, truth = inject_campaigns(tables, campaigns, rng)
        trials.append(_trial(injected, truth, source, f"{style} {head}", truth.index[truth[head]]))
    return trials


def odd_creators(source: Source, tables: Tables, seed: int) -> list[Trial]:
    """For each honest oddity, the creators whom it struck."""
    trials = []
    for number, oddity in enumerate(ODDITIES):
        struck_tables, ids = strike(tables, oddity, np.random.default_rng([seed, number]))
        if len(ids):
            truth = no_truth(pd.Index(struck_tables["creators"]["creator_id"]))
            trials.append(_trial(struck_tables, truth, source, oddity, ids))
    return trials


def mixed(dataset: Dataset) -> Trial:
    """The test creators of a data set."""
    test = dataset.part("test")
    return Trial(test.signals, test.truth, test.creators.assign(what=MIXED))


def scored(model: AuthenticityModel, trials: Iterable[Trial]) -> pd.DataFrame:
    """The trial frame of a model."""
    parts = [
        pd.concat([trial.creators, _named(trial.truth), model.score(trial.signals)], axis=1).reset_index(names="row")
        for trial in trials
    ]
    return pd.concat(parts, ignore_index=True)


def _named(truth: pd.DataFrame) -> pd.DataFrame:
    """Truth with its shares called `true_<count>_share`, because the scores have columns of the contract's name."""
    return truth.rename(columns=lambda name: name.replace("inauthentic_", "true_"))


def with_floors(frame: pd.DataFrame, dataset: Dataset, test: Dataset, seed: int) -> pd.DataFrame:
    """A trial frame of the test creators with the floors' scores: columns `<floor>:<head>`, null where not assessed."""
    train = dataset.part("train")
    columns: dict[str, pd.Series] = {}
    for head in HEADS:
        parts = [part.only(part.signals.index[assessable(part.signals)[head]]) for part in (train, test)]
        learnt, unseen = parts
        if unseen.signals.empty or learnt.truth[head].nunique() < 2:
            continue
        floors = fit_floors(
            learnt.signals[list(READ)],
            learnt.truth[head].to_numpy(dtype=bool),
            unseen.signals[list(READ)],
            unseen.truth[head].to_numpy(dtype=bool),
            draws=0,
            seed=seed,
        ).scores
        columns |= {f"{floor}:{head}": floors[floor] for floor in FLOORS}
        columns[f"{RULES}:{head}"] = rule_scores(unseen.signals, head)
    return frame.join(pd.DataFrame(columns), on="row")


def held_out_kind(dataset: Dataset, head: str) -> tuple[Dataset, Dataset]:
    """What to learn from without a kind, and the test creators with that kind alone or with none."""
    others = dataset.truth[[name for name in HEADS if name != head]].any(axis=1)
    learn = dataset.only(dataset.truth.index[~dataset.truth[head]])
    test = dataset.part("test")
    return learn, test.only(test.truth.index[~others.loc[test.truth.index]])


def held_out_platform(dataset: Dataset, platform: str) -> tuple[Dataset, Dataset]:
    """What to learn from without a platform, and the test creators of that platform."""
    there = dataset.creators["platform"] == platform
    learn, test = dataset.only(dataset.creators.index[~there]), dataset.part("test")
    return learn, test.only(test.creators.index[test.creators["platform"] == platform])


def known_by(tables: Tables, moment: pd.Timestamp) -> Tables:
    """Tables as somebody who had looked at a moment would have them: nothing published or taken later.

    Posts that were looked at later only are taken with the counts they had then, where they were `SETTLED_DAYS` old at
    the moment: counts of posts hardly change after that.
    """
    posts = tables["posts"]
    posts = posts[posts["published_at"] <= moment - pd.Timedelta(days=SETTLED_DAYS)]
    if "observed_at" in posts:
        posts = posts.assign(observed_at=_not_after(posts["observed_at"], moment))
        posts = posts.drop_duplicates(["creator_id", "post_id", "observed_at"], keep="first")
    cut = dict(tables) | {"posts": posts.reset_index(drop=True)}
    for name, column in (("snapshots", "observed_at"), ("comments", "published_at")):
        if name in tables:
            cut[name] = tables[name][tables[name][column] <= moment].reset_index(drop=True)
    if "comments" in cut:
        kept = pd.MultiIndex.from_frame(posts[["creator_id", "post_id"]])
        keys = pd.MultiIndex.from_frame(cut["comments"][["creator_id", "post_id"]])
        cut["comments"] = cut["comments"][keys.isin(kept)].reset_index(drop=True)
    if "observed_at" in cut["creators"]:
        seen = _not_after(cut["creators"]["observed_at"], moment)
        cut["creators"] = cut["creators"].assign(observed_at=seen)
    return cut


def _not_after(times: pd.Series, moment: pd.Timestamp) -> pd.Series:
    return times.mask(times > moment, moment)


def time_forward(source: Source, config: AuthenticityConfig) -> Dataset:
    """Training and calibration creators as they were `FORWARD_DAYS` ago, test creators now."""
    early = source.as_of - pd.Timedelta(days=FORWARD_DAYS)
    then = make_dataset(known_by(source.tables, early), source.name, config.data, config.splits, as_of=early)
    now = make_dataset(source.tables, source.name, config.data, config.splits, as_of=source.as_of)
    return join_datasets([*(then.part(split) for split in ("train", "calibration", ODDITY_SPLIT)), now.part("test")])


def smaller(config: AuthenticityConfig, creators: int, seed: int) -> AuthenticityConfig:
    """Settings with another number of simulated creators and another seed."""
    data = DataConfig(**(config.data.model_dump() | {"creators": creators, "seed": seed}))
    return config.model_copy(update={"data": data})
