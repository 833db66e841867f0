"""The fit model's figures on creators' own words: brands left out in turn, with the creators that worked with them.

Where the tables have no brands, those of `named_brands.toml` stand in; where they have no collaborations, captions that
name a brand do. Creators are then described by their other captions.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from features.tables import Tables
from training.fit_runs import figures_of, held_out
from training.fit_tables import CollaborationConfig, fit_data

SEEDS = 3


def named_brands() -> pd.DataFrame:
    """Brands that many creators of public sets name, and what they sell: `brand_id`, `name`, `brief`."""
    listed = tomllib.loads((Path(__file__).parent / "named_brands.toml").read_text(encoding="utf-8"))["brands"]
    return pd.DataFrame({"brand_id": list(listed), "name": list(listed), "brief": list(listed.values())}, dtype="str")


def benchmark_collaborations(
    tables: Tables,
    config: CollaborationConfig,
    *,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
    seeds: int = SEEDS,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Leave out brands of some tables and rank the creators left out for them, by models fitted on the others.

    Parameters
    ----------
    tables : Tables
        As for `training.fit_tables.fit_data`.
    config : CollaborationConfig
    as_of, imported_at : Timestamp
    seeds : int
        Draws of the folds and models.
    progress : callable

    Returns
    -------
    DataFrame
        `known` (what creators are described by), `scorer`, `metric`, `value` (mean over seeds), `least`, `most` (over
        seeds), and of the first seed `low`, `high` (95 %, resampling brands), `gap`, `gap_low`, `gap_high` (the ranker
        less the scorer).

    Raises
    ------
    training.fit_tables.FitTablesError, training.fit.TooFewPairsError
        As for training.
    """
    tables = tables if "brands" in tables else tables | {"brands": named_brands()}
    runs = []
    for seed in range(seeds):
        ranker = config.ranker.model_copy(update={"seed": config.ranker.seed + seed})
        own = config.model_copy(update={"ranker": ranker})
        data = fit_data(tables, as_of, own, imported_at=imported_at)
        if not seed:
            worked = data.pairs.worked
            progress(f"{len(data.brands)} brands, {int(worked.sum()):,} pairs, {len(data.creators):,} creators")
        runs.append(figures_of(held_out(data, own)))
        progress(f"seed {seed + 1} of {seeds}")
    values = pd.concat(runs).groupby(["scorer", "metric"], sort=False)["value"]
    spread = values.agg(value="mean", least="min", most="max").reset_index()
    spread.insert(0, "known", config.known)
    return spread.merge(runs[0].drop(columns="value"), on=["scorer", "metric"])
