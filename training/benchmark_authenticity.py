"""The figures of the authenticity model, on creators, vendors and campaigns that it has not seen, with floors beside.

For each of several seeds the creators are split anew, a model is trained as `realreach train authenticity` would, and
tried on its test creators; what is printed is over all of them. Where real histories are given, the figures are of
campaigns injected into those; without, everything is simulated. Campaigns and oddities are simulated either way.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from features.histories import make_histories
from features.signals import compute_signals
from features.tables import HEADS, Tables
from training.authenticity import AuthenticityModel
from training.baselines import FLOORS
from training.benchmark import Section
from training.config import AuthenticityConfig
from training.datasets import Dataset, join_datasets
from training.evaluation import COMPOSITE
from training.explaining import explain, faithfulness
from training.fitting import TooFewCreatorsError, fit_authenticity
from training.fraud import inject_campaigns, plan_campaigns
from training.gates import SIMULATED
from training.metrics import (
    Metric,
    auc,
    average_precision,
    bootstrap_interval,
    brier,
    calibration_slope,
    ece,
    recall_at_fpr,
)
from training.quantification import shift_prior
from training.rules import RULES
from training.runs import Source, dataset_of, sources_of
from training.simulation import SIMULATION_AS_OF, simulate_creators
from training.trials import (
    CAREFUL,
    MIXED,
    RETAIL,
    SELLERS,
    UNTOUCHED,
    campaigns_of_style,
    held_out_kind,
    held_out_platform,
    mixed,
    odd_creators,
    scored,
    smaller,
    test_tables,
    time_forward,
    untouched,
    with_floors,
)
from training.vendors import draw_vendors

SEEDS = 5
#: Simulated creators of the models that only measure what is held out: enough to learn from, several of them to fit.
HELD_OUT_CREATORS = 3_000
#: Base rates at which probabilities are held against outcomes.
BASE_RATES = (0.01, 0.05, 0.10, 0.20, 0.30, 0.40)
#: Creators at the top of a ranking by authenticity.
TOP = 50
#: Ends of the doses: manufactured part of the count that a head is about.
DOSES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
COUNT_OF: Mapping[str, str] = {
    "bought_followers": "followers",
    "bought_likes": "likes",
    "bought_views": "views",
    "comment_bots": "comments",
    "engagement_pods": "comments",
}
#: Bootstrap draws of an interval.
DRAWS = 200
#: True positives of a head and source whose evidence is taken away, at most.
MOST_CASES = 40
_METRICS: Mapping[str, Metric] = {
    "auc": auc,
    "average_precision": average_precision,
    "recall_at_fpr_1": partial(recall_at_fpr, fpr=0.01),
    "recall_at_fpr_5": partial(recall_at_fpr, fpr=0.05),
    "brier": brier,
    "ece": ece,
    "calibration_slope": calibration_slope,
}
#: Targets, by section and row.
RETAIL_RECALL: Mapping[str, float] = {
    "bought_followers": 0.90,
    "bought_likes": 0.75,
    "bought_views": 0.80,
    "comment_bots": 0.90,
    "engagement_pods": 0.85,
}
CAREFUL_AUC, ABOVE_FLOORS, FALSE_ALARMS, ODD_ALARMS, ECE_AT_HOME, ECE_SHIFTED = 0.80, 0.04, 0.02, 0.03, 0.03, 0.05

Progress = Callable[[str], None]


def _probability(head: str) -> str:
    return "manipulation" if head == COMPOSITE else f"{head}_probability"


def _known(frame: pd.DataFrame, head: str) -> pd.DataFrame:
    return frame[frame[_probability(head)].notna()]


def _labelled(frame: pd.DataFrame, head: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, probability and creator of the assessed rows."""
    rows = _known(frame, head)
    return rows[head].to_numpy(dtype=bool), rows[_probability(head)].to_numpy(), rows["creator"].to_numpy()


def _tried(
    seed: int, sources: list[Source], config: AuthenticityConfig, progress: Progress
) -> tuple[pd.DataFrame, AuthenticityModel, Section]:
    """Trial frame of one seed's model over everything that is tried on its test creators, the model, and its speed."""
    own = smaller(config, config.data.creators, seed)
    dataset = join_datasets([dataset_of(source, own) for source in sources])
    model = fit_authenticity(dataset, own)
    progress(f"seed {seed}: fitted on {len(dataset.part('train').signals):,} histories")
    real = [source for source in sources if source.name != SIMULATED]
    tried = real or sources
    trials = []
    for source in tried:
        tables = test_tables(source, own)
        trials += [untouched(source, tables), *odd_creators(source, tables, seed)]
        for style in (RETAIL, CAREFUL):
            trials += campaigns_of_style(source, tables, style, seed)
    # simulated creators are many: what is honest and odd can be measured by language on them
    if real:
        trials += [untouched(source, test_tables(source, own)) for source in sources if source.name == SIMULATED]
    everything = mixed(dataset)
    frame = pd.concat(
        [
            with_floors(scored(model, [everything]), dataset, dataset.part("test"), seed),
            scored(model, trials),
        ],
        ignore_index=True,
    )
    progress(f"seed {seed}: tried on {len(frame):,} histories")
    rates = {f"base:{head}": model.heads[head].base_rate for head in model.heads}
    about: dict[str, Any] = {
        "seed": seed,
        "manipulation": 1 - frame["authenticity"],
        "base_rate": model.base_rate,
        **rates,
    }
    return frame.assign(**about), model, speed_section(model, everything.signals)


def _interval(metric: Metric, frame: pd.DataFrame, head: str) -> dict[str, float]:
    y, p, creators = _labelled(frame, head)
    found = bootstrap_interval(metric, y, p, creators, DRAWS)
    return {"value": found.value, "low": found.low, "high": found.high}


def _figures(frame: pd.DataFrame, head: str) -> dict[str, float]:
    y, p, creators = _labelled(frame, head)
    row: dict[str, float] = {"histories": len(y), "creators": len(np.unique(creators)), "prevalence": float(y.mean())}
    for name, metric in _METRICS.items():
        row[name] = metric(y, p)
    found = bootstrap_interval(auc, y, p, creators, DRAWS)
    return row | {"auc_low": found.low, "auc_high": found.high}


def heads_section(frame: pd.DataFrame, what: str) -> Section:
    """Every head and the composite, over all and by source, platform and tier, with its floors."""
    rows = []
    own = frame[frame["what"] == MIXED]
    for head in (*HEADS, COMPOSITE):
        known = _known(own, head)
        for by in (None, "source", "platform", "tier"):
            for name, part in known.groupby(by) if by else [("all", known)]:
                if part[head].nunique() < 2 or part["creator"].nunique() < 10:
                    continue
                row: dict[str, Any] = {"head": head, "by": by or "", "part": str(name), **_figures(part, head)}
                if head != COMPOSITE:
                    row |= {floor: _floor_auc(part, head, floor) for floor in (*FLOORS, RULES)}
                rows.append(row)
    return Section("heads", f"{what}: mixed campaigns, every head by source, platform and tier", pd.DataFrame(rows))


def _floor_auc(part: pd.DataFrame, head: str, floor: str) -> float:
    column = f"{floor}:{head}"
    if column not in part:
        return np.nan
    known = part[part[column].notna()]
    return auc(known[head].to_numpy(dtype=bool), known[column].to_numpy()) if len(known) else np.nan


def campaigns_section(frame: pd.DataFrame, what: str) -> Section:
    """Recall of retail and careful campaigns at 5 % false alarms among the untouched, and at the shipped threshold."""
    rows = []
    for style in (RETAIL, CAREFUL):
        for head in HEADS:
            positives = _known(frame[frame["what"] == f"{style} {head}"], head)
            sources = positives["source"].unique()
            groups: list[tuple[str, list[str]]] = [("all", list(sources)), *((str(one), [str(one)]) for one in sources)]
            for name, chosen in groups:
                found = positives[positives["source"].isin(chosen)]
                clean = _known(frame[(frame["what"] == UNTOUCHED) & frame["source"].isin(chosen)], head)
                if found["creator"].nunique() < 5 or clean["creator"].nunique() < 20:
                    continue
                both = pd.concat([found, clean])
                recall = _interval(partial(recall_at_fpr, fpr=0.05), both, head)
                rows.append(
                    {
                        "style": style,
                        "head": head,
                        "source": name,
                        "campaigns": len(found),
                        "untouched": len(clean),
                        "recall_at_fpr_5": recall["value"],
                        "low": recall["low"],
                        "high": recall["high"],
                        "target": RETAIL_RECALL[head] if style == RETAIL and name == "all" else np.nan,
                        "auc": auc(*_labelled(both, head)[:2]),
                        "composite_auc": auc(*_labelled(_any(both), COMPOSITE)[:2]),
                        "flagged": float(found[f"{head}_flagged"].fillna(False).astype(bool).mean()),
                        "share_median": float(found[f"inauthentic_{COUNT_OF[head]}_share"].median()),
                    }
                )
    return Section(
        "campaigns",
        f"{what}: one campaign a creator against the same creators untouched",
        pd.DataFrame(rows),
        ("share_median: manufactured part of the count; retail: bursts, nearly equal lots, cheap accounts.",),
    )


def _any(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["manipulation"].notna()]


def dose_section(frame: pd.DataFrame, what: str) -> Section:
    """Recall at 5 % false alarms against the part that is manufactured."""
    rows = []
    for style in (RETAIL, CAREFUL):
        for head in HEADS:
            found = _known(frame[frame["what"] == f"{style} {head}"], head)
            clean = _known(frame[frame["what"] == UNTOUCHED], head)
            if found.empty or clean.empty:
                continue
            limit = clean.groupby("seed")[_probability(head)].quantile(0.95)
            hit = found[_probability(head)].to_numpy() > found["seed"].map(limit).to_numpy()
            share = found[f"true_{COUNT_OF[head]}_share"]
            for low, high in pairwise(DOSES):
                inside = ((share > low) & (share <= high)).to_numpy()
                if inside.sum() >= 10:
                    rows.append(
                        {
                            "style": style, "head": head, "from": low, "to": high,
                            "campaigns": int(inside.sum()), "recall_at_fpr_5": float(hit[inside].mean()),
                        }
                    )  # fmt: skip
    return Section("dose", f"{what}: recall against the part of the count that is manufactured", pd.DataFrame(rows))


def alarms_section(frame: pd.DataFrame, what: str) -> Section:
    """Creators without manipulation who are flagged at the shipped thresholds."""
    honest = frame[~frame[COMPOSITE].astype(bool) & (frame["what"] != MIXED)]
    flags = honest[[f"{head}_flagged" for head in HEADS]].fillna(False).astype(bool)
    honest = honest.assign(
        any_flag=flags.any(axis=1), assessed=honest[[f"{head}_assessed" for head in HEADS]].any(axis=1)
    )
    honest = honest[honest["assessed"]]
    rows = []
    groups = [(str(name), part) for name, part in honest.groupby("what")]
    still = honest[honest["what"] == UNTOUCHED]
    for by in ("source", "language", "tier"):
        groups += [(f"{UNTOUCHED}, {by} {name}", part) for name, part in still.groupby(by)]
    for name, part in groups:
        if part["creator"].nunique() < 10:
            continue
        found = bootstrap_interval(
            _mean, np.zeros(len(part)), part["any_flag"].to_numpy(dtype=float), part["creator"].to_numpy(), DRAWS
        )
        rows.append(
            {
                "honest": name,
                "creators": part["creator"].nunique(),
                "any_head": found.value,
                "low": found.low,
                "high": found.high,
                "target": FALSE_ALARMS if name.startswith(UNTOUCHED) and "language" not in name else ODD_ALARMS,
                **{head: float(part[f"{head}_flagged"].dropna().astype(bool).mean()) for head in HEADS},
            }
        )
    return Section("false_alarms", f"{what}: honest creators flagged at the shipped thresholds", pd.DataFrame(rows))


def _mean(y: Any, p: Any, weights: Any = None) -> float:
    return float(np.average(p, weights=weights))


def base_rates_section(frame: pd.DataFrame, what: str) -> Section:
    """Calibration at the base rate of training and, after prior correction, at others."""
    rows = []
    own = frame[frame["what"] == MIXED]
    for head in (*HEADS, COMPOSITE):
        known = _known(own, head)
        y, p = known[head].to_numpy(dtype=bool), known[_probability(head)].to_numpy()
        if len(np.unique(y)) < 2:
            continue
        trained = known["base_rate" if head == COMPOSITE else f"base:{head}"].to_numpy()
        rows.append(
            {"head": head, "base_rate": float(y.mean()), "corrected": False, "ece": ece(y, p), "target": ECE_AT_HOME}
        )
        for rate in BASE_RATES:
            weights = np.where(y, rate / y.mean(), (1 - rate) / (1 - y.mean()))
            moved = np.concatenate([shift_prior(p[trained == old], float(old), rate) for old in np.unique(trained)])
            order = np.concatenate([np.flatnonzero(trained == old) for old in np.unique(trained)])
            there = np.empty(len(p))
            there[order] = moved
            target = ECE_SHIFTED if rate in (0.05, 0.30) else np.nan
            rows.append(
                {"head": head, "base_rate": rate, "corrected": True, "ece": ece(y, there, weights), "target": target}
            )
    return Section("base_rates", f"{what}: expected calibration error by base rate", pd.DataFrame(rows))


def top_section(frame: pd.DataFrame, what: str) -> Section:
    """Calibration of the creators whom a ranking by authenticity would pick: choosing the highest is optimistic."""
    rows = []
    for seed, part in frame[frame["what"] == MIXED].groupby("seed"):
        top = part.dropna(subset=["authenticity"]).nlargest(TOP, "authenticity")
        rows.append(
            {
                "seed": seed,
                "said": float(top["authenticity"].mean()),
                "authentic": float(1 - top[COMPOSITE].mean()),
                "off": float(abs(top["authenticity"].mean() - (1 - top[COMPOSITE].mean()))),
            }
        )
    return Section("top", f"{what}: the {TOP} most authentic of each seed's test creators", pd.DataFrame(rows))


def shares_section(frame: pd.DataFrame, what: str) -> Section:
    """How often the 90 % interval of a manufactured share holds the true share, and how far estimates are off."""
    rows = []
    own = frame[frame["what"] == MIXED]
    for count in ("followers", "likes", "views", "comments"):
        name = f"inauthentic_{count}_share"
        known = own[own[name].notna()]
        truth = known[f"true_{count}_share"]
        inside = (known[f"{name}_low"] - 1e-9 <= truth) & (truth <= known[f"{name}_high"] + 1e-9)
        flagged = known[[f"{head}_flagged" for head in HEADS if COUNT_OF[head] == count or head == "engagement_pods"]]
        for group, rows_of in (
            ("all", np.ones(len(known), dtype=bool)),
            ("manipulated", (truth > 0).to_numpy()),
            ("flagged", flagged.fillna(False).astype(bool).any(axis=1).to_numpy()),
        ):
            if rows_of.sum() < 20:
                continue
            part = known[rows_of]
            rows.append(
                {
                    "count": count,
                    "creators": group,
                    "histories": int(rows_of.sum()),
                    "covered": float(inside[rows_of].mean()),
                    "width": float((part[f"{name}_high"] - part[f"{name}_low"]).mean()),
                    "off": float((part[name] - truth[rows_of]).abs().mean()),
                    "off_of_zero": float(truth[rows_of].abs().mean()),
                }
            )
    return Section(
        "shares",
        f"{what}: intervals of manufactured shares, nominal 90 %",
        pd.DataFrame(rows),
        ("off: mean absolute error; off_of_zero: the error of always saying 0.",),
    )


def abstention_section(frame: pd.DataFrame, what: str) -> Section:
    """Share of wrong sides among the most certain part of the creators: it has to fall with that part."""
    rows = []
    own = frame[frame["what"] == MIXED]
    for head in (*HEADS, COMPOSITE):
        known = _known(own, head)
        if known.empty:
            continue
        p, y = known[_probability(head)].to_numpy(), known[head].to_numpy(dtype=bool)
        order = np.argsort(-np.abs(p - 0.5), kind="stable")
        wrong = ((p >= 0.5) != y)[order]
        rows += [
            {"head": head, "judged": part, "wrong": float(wrong[: max(1, int(part * len(wrong)))].mean())}
            for part in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
        ]
    return Section("abstention", f"{what}: wrong sides of .5 among the most certain", pd.DataFrame(rows))


def protocols_section(rows: list[dict[str, Any]], what: str) -> Section:
    """The composite under every protocol; the headline is the worst."""
    frame = pd.DataFrame(rows).sort_values("auc", kind="stable").reset_index(drop=True)
    frame["headline"] = frame["auc"] == frame["auc"].min()
    return Section(
        "protocols",
        f"{what}: composite by what was held out",
        frame,
        ("Creators and vendors are unseen in every row. The headline is the lowest.",),
    )


def _composite_row(protocol: str, model: AuthenticityModel, test: Dataset) -> dict[str, Any] | None:
    scores = model.score(test.signals)["authenticity"].dropna()
    y = test.truth.loc[scores.index, COMPOSITE].to_numpy(dtype=bool)
    if len(np.unique(y)) < 2:
        return None
    creators = test.creators.loc[scores.index, "creator"].to_numpy()
    found = bootstrap_interval(auc, y, 1 - scores.to_numpy(), creators, DRAWS)
    return {
        "protocol": protocol, "tried_on": test.source, "histories": len(y), "prevalence": float(y.mean()),
        "auc": found.value, "low": found.low, "high": found.high,
    }  # fmt: skip


def protocols(sources: list[Source], config: AuthenticityConfig, progress: Progress) -> list[dict[str, Any]]:
    """Composite figures of models that were not shown a kind, a platform, the present, or anything real."""
    own = smaller(config, min(config.data.creators, HELD_OUT_CREATORS), config.data.seed)
    small = [
        Source(SIMULATED, simulate_creators(own.data.creators, own.data.seed), SIMULATION_AS_OF)
        if source.name == SIMULATED
        else source
        for source in sources
    ]
    dataset = join_datasets([dataset_of(source, own) for source in small])
    pairs: list[tuple[str, Dataset, Dataset]] = [("creators and vendors", dataset, dataset.part("test"))]
    pairs += [(f"kind: {head}", *held_out_kind(dataset, head)) for head in HEADS]
    platforms = sorted(dataset.creators["platform"].dropna().unique())
    if len(platforms) > 1:
        pairs += [(f"platform: {name}", *held_out_platform(dataset, name)) for name in platforms]
    simulated = [source for source in small if source.name == SIMULATED]
    if simulated:
        forward = time_forward(simulated[0], own)
        pairs.append(("time: 90 days later", forward, forward.part("test")))
    real = sorted(set(dataset.creators["source"]) - {SIMULATED})
    if real and simulated:
        pairs += [(f"real histories: {name}", dataset.of_source(SIMULATED), dataset.of_source(name)) for name in real]
    rows = []
    for name, learn, test in pairs:
        try:
            model = fit_authenticity(learn, own)
        except TooFewCreatorsError as error:
            progress(f"held out {name}: left out, {error}")
            continue
        row = _composite_row(name, model, test)
        rows += [row] if row else []
        progress(f"held out {name}")
    return rows


def faithfulness_section(
    model: AuthenticityModel, sources: list[Source], config: AuthenticityConfig, what: str
) -> Section:
    """What taking the evidence away does to true positives of retail campaigns, and taking random rows away."""
    rows = []
    for source in sources:
        tables = test_tables(source, config)
        for number, head in enumerate(model.heads):
            rng = np.random.default_rng([config.data.seed, number])
            vendors = draw_vendors(SELLERS, rng, style=RETAIL)
            campaigns = plan_campaigns(tables, vendors, rng, share=1.0, heads=(head,))
            if campaigns.empty:
                continue
            injected, truth = inject_campaigns(tables, campaigns, rng)
            scores = model.score(compute_signals(make_histories(injected, source.as_of, imported_at=source.as_of)))
            found = scores[f"{head}_flagged"].fillna(False).astype(bool) & truth[head].reindex(scores.index)
            cases = pd.DataFrame({"creator_id": scores.index[found][:MOST_CASES], "head": head})
            if len(cases) < 5:
                continue
            evidence = explain(model, injected, cases, as_of=source.as_of, imported_at=source.as_of)
            measured = faithfulness(model, injected, evidence, rng, as_of=source.as_of, imported_at=source.as_of)
            rows.append(
                {
                    "head": head,
                    "source": source.name,
                    "true_positives": len(cases),
                    "lost_30_percent": float((measured["lost"] >= 0.3).sum() / len(cases)),
                    "lost_median": float(measured["lost"].median()),
                    "random_median": float(measured["lost_at_random"].median()),
                    "best_random_median": float(measured["lost_at_best_random"].median()),
                    "rows_median": float(measured["size"].median()),
                }
            )
    return Section(
        "faithfulness",
        f"{what}: flagged retail campaigns, part of the excess over base rate that goes with the rows",
        pd.DataFrame(rows),
        (
            "random: as many rows that are no evidence, drawn at random",
            "best_random: the best of as many such draws as sets were tried for the evidence",
        ),
    )


def speed_section(model: AuthenticityModel, signals: pd.DataFrame) -> Section:
    """Creators a second, from signals to scores."""
    many = pd.concat([signals] * max(1, 20_000 // len(signals)))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model.score(many)
        seconds.append(time.perf_counter() - start)
    row = {"creators": len(many), "creators_per_second": len(many) / float(np.median(seconds))}
    return Section("speed", "scores from ready signals, median of 3", pd.DataFrame([row]))


def benchmark_authenticity(
    config: AuthenticityConfig,
    histories: Mapping[str, Tables] | None = None,
    *,
    seeds: int = SEEDS,
    progress: Progress = lambda _: None,
) -> Iterator[Section]:
    """Yield every section as soon as it is measured.

    Parameters
    ----------
    config : AuthenticityConfig
    histories : mapping of str to tables, optional
        As for `training.runs.train_authenticity`.
    seeds : int
        Models, each with a split, vendors and campaigns of its own.

    Raises
    ------
    As `training.runs.train_authenticity`.
    """
    sources = sources_of(config, histories or {})
    real = ", ".join(source.name for source in sources if source.name != SIMULATED)
    what = f"campaigns injected into {real}" if real else "simulated creators and campaigns"
    yield protocols_section(protocols(sources, config, progress), what)
    first = config.data.seed
    tried_by_seed = [_tried(seed, sources, config, progress) for seed in range(first, first + seeds)]
    frame = pd.concat([one for one, *_ in tried_by_seed], ignore_index=True)
    tried = frame[frame["source"] != SIMULATED] if real else frame
    yield heads_section(tried, what)
    yield campaigns_section(tried, what)
    yield dose_section(tried, what)
    yield alarms_section(frame, what)
    yield base_rates_section(tried, what)
    yield top_section(tried, what)
    yield shares_section(tried, what)
    yield abstention_section(tried, what)
    last, speed = tried_by_seed[-1][1:]
    attacked = [source for source in sources if source.name != SIMULATED] or sources
    own = smaller(config, config.data.creators, first + seeds - 1)
    yield faithfulness_section(last, attacked, own, what)
    yield speed
