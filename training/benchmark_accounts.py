"""The account model's figures: transfer between real sets, calibration, shares of samples, speed, with their floors.

Every real figure is measured on accounts that the model has not seen; for the transfer rows it has not seen the source
either. Generated accounts train every model here, because anybody has them, and `generated -> X` is the model of the
demo. The choice of signals and experts looked at both directions between InstaFake and SRF (there are no further real
sets here), so a set that nobody has seen is the better judge of either.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from features.accounts import account_numbers, account_signals
from training.account_sets import AccountSetError, LabelledAccounts, read_account_sets, simulate_accounts
from training.accounts import AccountConfig, AccountModel, coverage_risk, fit_accounts
from training.baselines import fit_floors
from training.metrics import (
    DRAWS,
    Metric,
    auc,
    average_precision,
    bootstrap_interval,
    brier,
    recall_at_fpr,
)
from training.quantification import em_share, estimate_share, shift_prior

FOLDS = 5
#: Samples whose share is estimated, accounts in each, and how far off counts as reached.
SAMPLES, SAMPLE, REACH = 500, 200, 0.04
SPEED_ROWS = 400_000
#: What issue 4 asks for, by (task, metric); a Brier score has to be at most the base rate's, all else at least this.
TARGETS: Mapping[tuple[str, str], float] = {
    ("instafake 5-fold", "auc"): 0.99,
    ("instafake 5-fold", "average_precision"): 0.96,
    ("instafake -> srf_labelled", "auc"): 0.95,
    ("instafake -> srf_labelled", "average_precision"): 0.75,
    ("instafake -> srf_labelled", "recall_at_fpr_5"): 0.75,
    ("srf_labelled -> instafake", "auc"): 0.98,
    ("instafake -> srf_labelled", "share_within_4_points"): 0.90,
    ("speed", "accounts_per_second"): 200_000,
}
COLUMNS = ("task", "metric", "value", "low", "high", "target", "reached")
_RANKING: Mapping[str, Metric] = {
    "auc": auc,
    "average_precision": average_precision,
    "recall_at_fpr_5": partial(recall_at_fpr, fpr=0.05),
}


def vendor_rule(accounts: pd.DataFrame) -> np.ndarray:
    """Suspicion by rules of thumb that vendors publish, 0 to 4: one each for a rule that is met; shape (rows,).

    More than 1,500 followings (HypeAuditor's mass followers), 3 posts or fewer, no picture, and 3 or more digits in the
    name (the last three as the audience signals have them). What is missing meets no rule.
    """
    following, posts, picture, digits = (
        account_numbers(accounts, name) for name in ("following", "posts_count", "has_picture", "username_digits")
    )
    return np.asarray((following > 1500).astype(float) + (posts <= 3) + (picture == 0) + (digits >= 3))


def _row(
    task: str, metric: str, interval: Sequence[float], floors: Mapping[str, float], target: float
) -> dict[str, object]:
    value, low, high = interval
    reached = pd.NA if np.isnan(target) else bool(value <= target if metric.startswith("brier") else value >= target)
    named = {f"floor_{name}": number for name, number in floors.items()}
    return {"task": task, "metric": metric, "value": value, "low": low, "high": high, "target": target} | {
        "reached": reached,
        **named,
    }


def _floor_scores(train: Sequence[LabelledAccounts], test: LabelledAccounts, seed: int) -> pd.DataFrame:
    """Scores of the floors for every test row, by name."""
    x = pd.concat([account_signals(one.accounts) for one in train], ignore_index=True)
    y = np.concatenate([one.fake for one in train]).astype(np.float64)
    z = account_signals(test.accounts)
    # a signal that training or the test never knows is no floor's to use
    known = x.columns[x.notna().any() & z.notna().any()]
    scores = fit_floors(x[known], y, z[known], test.fake.astype(np.float64), draws=0, seed=seed).scores
    return scores.drop(columns="prevalence").assign(vendor_rule=vendor_rule(test.accounts))


def _ranking(task: str, fake: np.ndarray, p: np.ndarray, floors: pd.DataFrame, draws: int) -> list[dict[str, object]]:
    rows = []
    for name, metric in _RANKING.items():
        beside = {str(floor): metric(fake, floors[floor].to_numpy()) for floor in floors}
        interval = bootstrap_interval(metric, fake, p, draws=draws)
        rows.append(_row(task, name, interval, beside, TARGETS.get((task, name), np.nan)))
    return rows


def _within(task: str, test: LabelledAccounts, model: AccountModel, samples: int, seed: int) -> list[dict[str, object]]:
    """How often the estimated share of a sample is within `REACH` of the sample's own and of the set's."""
    p = model.balanced(test.accounts)
    rng = np.random.default_rng(seed)
    size = min(SAMPLE, len(p) // 2)
    found = np.empty((samples, 4))
    for draw in range(samples):
        rows = rng.choice(len(p), size, replace=False)
        estimate = estimate_share(p[rows], model.reference, draws=0).share
        counted = float((shift_prior(p[rows], 0.5, model.base_rate) >= 0.5).mean())
        own, whole = test.fake[rows].mean(), test.fake.mean()
        found[draw] = [abs(estimate - own), abs(estimate - whole), abs(counted - own), abs(counted - whole)]
    near = found <= REACH + 1e-12
    rows_out = []
    for name, column in (("share_within_4_points", 0), ("share_within_4_points_of_population", 1)):
        value = near[:, column].mean()
        error = 1.96 * np.sqrt(value * (1 - value) / samples)
        interval = (value, max(0.0, value - error), min(1.0, value + error))
        floors = {"thresholded_count": near[:, column + 2].mean()}
        rows_out.append(_row(task, name, interval, floors, TARGETS.get((task, name), np.nan)))
    return rows_out


def transfer(
    train: Sequence[LabelledAccounts], test: LabelledAccounts, config: AccountConfig, task: str, *, draws: int = DRAWS
) -> pd.DataFrame:
    """Figures of a model on a source it has not seen.

    Parameters
    ----------
    train : sequence of LabelledAccounts
    test : LabelledAccounts
    config : AccountConfig
    task : str
        Name of the rows, and key of their targets.
    draws : int
        Of the bootstrap, and samples whose share is estimated.

    Returns
    -------
    DataFrame
        `COLUMNS` and a column a floor; ranking, Brier score after the prior was corrected on the unlabelled test
        accounts, shares of samples, and the coverage-risk curve. All rows are scored for ranking, whether the model
        would have abstained or not.
    """
    model = fit_accounts(train, config)
    p = model.balanced(test.accounts)
    fake = test.fake.astype(np.float64)
    rows = _ranking(task, fake, p, _floor_scores(train, test, config.seed), draws)
    corrected = shift_prior(p, 0.5, em_share(p))
    base = float(fake.mean() * (1 - fake.mean()))
    rows.append(
        _row(
            task,
            "brier_prior_corrected",
            bootstrap_interval(brier, fake, corrected, draws=draws),
            {"base_rate": base},
            base,
        )
    )
    rows += _within(task, test, model, draws, config.seed)
    scored = model.score(test.accounts, base_rate=float(np.clip(em_share(p), 0.01, 0.99)))
    rows += curve_rows(task, test.fake, scored["fake_probability"].to_numpy())
    return pd.DataFrame(rows)


def curve_rows(task: str, fake: np.ndarray, p: np.ndarray) -> list[dict[str, object]]:
    """The coverage-risk curve as rows of the benchmark: errors among the surest share of accounts."""
    curve = coverage_risk(fake, p)
    return [
        _row(task, f"errors_at_coverage_{coverage:.2f}", (errors, np.nan, np.nan), {}, np.nan)
        for coverage, errors, _ in curve.to_numpy(dtype=np.float64).tolist()
    ]


def within_source(
    one: LabelledAccounts, others: Sequence[LabelledAccounts], config: AccountConfig, *, draws: int = DRAWS
) -> pd.DataFrame:
    """Ranking on one source by cross-validation: other sources train every fold's model too."""
    fake = one.fake.astype(np.float64)
    p = np.full(len(fake), np.nan)
    floors = []
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=config.seed)
    for seen, unseen in splitter.split(fake, fake):
        train, test = one.take(seen), one.take(unseen)
        p[unseen] = fit_accounts([train, *others], config).balanced(test.accounts)
        floors.append(_floor_scores([train], test, config.seed).set_index(unseen))
    return pd.DataFrame(_ranking(f"{one.name} {FOLDS}-fold", fake, p, pd.concat(floors).sort_index(), draws))


def speed(model: AccountModel, accounts: pd.DataFrame, rows: int = SPEED_ROWS, repeats: int = 3) -> pd.DataFrame:
    """Accounts scored a second, signals and intervals included: the median of some runs, with their range."""
    many = pd.concat([accounts] * (rows // len(accounts) + 1), ignore_index=True).head(rows)
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.score(many)
        rates.append(len(many) / (time.perf_counter() - start))
    interval = (float(np.median(rates)), min(rates), max(rates))
    return pd.DataFrame([_row("speed", "accounts_per_second", interval, {}, TARGETS["speed", "accounts_per_second"])])


def benchmark_accounts(
    data: Path,
    config: AccountConfig | None = None,
    *,
    draws: int = DRAWS,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Every figure of the account model on the sets below a folder.

    Parameters
    ----------
    data : Path
    config : AccountConfig, optional
    draws : int
        Of each bootstrap, and samples whose share is estimated.
    progress : callable
        Told what begins.

    Returns
    -------
    DataFrame
        `COLUMNS` (`reached` is missing where there is no target) and one `floor_` column a floor. Tasks: `X 5-fold`
        for every real set, `X -> Y` for every pair, `generated -> Y` for the demo's model, `all but Y -> Y` where
        there are three sets or more, and `speed` of the model that all sets train.

    Raises
    ------
    AccountSetError
        Where there is no set, and as `read_account_sets`.
    """
    config = config or AccountConfig()
    sets = read_account_sets(data)
    if not sets:
        message = f"no labelled accounts below {data.name}"
        raise AccountSetError(message)
    generated = simulate_accounts(config.simulated, config.seed, worlds=config.worlds)
    parts = []
    for one in sets:
        progress(f"{one.name}: {'; '.join(one.notes)}")
        parts.append(transfer([generated], one, config, f"generated -> {one.name}", draws=draws))
        parts.append(within_source(one, [generated], config, draws=draws))
        others = [other for other in sets if other is not one]
        parts += [
            transfer([other, generated], one, config, f"{other.name} -> {one.name}", draws=draws) for other in others
        ]
        if len(others) > 1:
            parts.append(transfer([*others, generated], one, config, f"all but {one.name} -> {one.name}", draws=draws))
    progress("speed")
    parts.append(speed(fit_accounts([*sets, generated], config), generated.accounts))
    table = pd.concat(parts, ignore_index=True)
    table["reached"] = table["reached"].astype("boolean")
    floors = [column for column in table if str(column).startswith("floor_")]
    return table[[*COLUMNS, *floors]]
