"""From tables to a score frame: the one path of batch scoring and of a request."""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from features.content import profile_texts
from features.coordination import Crowd
from features.evidence import pointed_rows
from features.facts import UNSAFE, creator_facts
from features.histories import Events, Histories, make_histories
from features.peers import Peers, PeersError, peer_position
from features.signals import compute_signals, registry_hash
from features.tables import HEADS, Tables, tier_of, tiers_of
from serving.models import LoadedModel
from serving.words import words_for
from training.authenticity import NEEDS, NO_HEAD, READ, read_signals
from training.contributions import carrying_groups, groups_that_carry
from training.explaining import explain, rows_in_words
from training.opinion_balance import opinion_balance

_PROFILE = ("platform", "handle", "display_name", "niche", "country", "language")
#: Posts, days, comments or accounts that a piece of evidence points at.
ROWS_POINTED_AT = 3


def _last(events: Events, column: str) -> np.ndarray:
    """Value of each creator's last row, NaN where it has none."""
    last = np.full(events.counts.size, np.nan)
    owners = np.flatnonzero(events.counts > 0)
    last[owners] = events[column][events.offsets[owners + 1] - 1]
    return last


def _days_covered(snapshots: Events) -> np.ndarray:
    days = np.zeros(snapshots.counts.size)
    owners = np.flatnonzero(snapshots.counts > 0)
    times = snapshots["observed_at"]
    days[owners] = times[snapshots.offsets[owners + 1] - 1] - times[snapshots.offsets[owners]]
    return days


def _reason(head: str, row: Mapping[Any, Any], evidence: list[dict[str, Any]], trained: Collection[str]) -> str:
    if not row[f"{head}_assessed"]:
        return NEEDS[head][1] if head in trained else NO_HEAD
    if not row[f"{head}_flagged"]:
        return ""
    words = words_for("en")
    carried = [words.evidence(item) for item in evidence if item["head"] == head]
    return ": ".join([words.head(head), "; ".join(carried)]) if carried else words.head(head)


def _with_reasons(scores: pd.DataFrame, evidence: list[list[dict[str, Any]]], trained: Collection[str]) -> pd.DataFrame:
    rows = scores.to_dict("records")
    reasons = {
        f"{head}_reason": [_reason(head, row, items, trained) for row, items in zip(rows, evidence, strict=True)]
        for head in HEADS
    }
    return scores.assign(**reasons, evidence=[json.dumps(items) for items in evidence])


def _with_rows(
    histories: Histories, evidence: list[list[dict[str, Any]]], crowd: Crowd | None
) -> list[list[dict[str, Any]]]:
    """Evidence with the posts, days, comments or accounts that each signal points at, strongest first."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    names = sorted({item["signal"] for items in evidence for item in items})
    for one in pointed_rows(histories, names, crowd=crowd, most=ROWS_POINTED_AT):
        count = one.owners.size
        ids = [None] * count if one.ids is None else [None if pd.isna(named) else named for named in one.ids]
        times = [None] * count if one.at is None else [_iso(day) for day in one.at.tolist()]
        for owner, named, at in zip(one.owners.tolist(), ids, times, strict=True):
            found.setdefault((owner, one.signal), []).append({"events": one.kind, "id": named, "at": at})
    return [
        [{**item, "rows": found.get((owner, item["signal"]), [])} for item in items]
        for owner, items in enumerate(evidence)
    ]


def _iso(day: float) -> str | None:
    """Second of a time in days since 1970; days are floats, so that milliseconds are rounded first."""
    if math.isnan(day):
        return None
    return f"{datetime.fromtimestamp(round(day * 86_400_000) // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _usual_among_peers(positions: pd.DataFrame, creators: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """What is usual among each creator's peers, two arrays of shape (creators, signals that heads read)."""
    rows = creators.get_indexer(pd.Index(positions["creator_id"]))
    columns = pd.Index(READ).get_indexer(pd.Index(positions["signal"]))
    low, high = np.full((2, len(creators), len(READ)), np.nan)
    low[rows, columns], high[rows, columns] = positions["p05"], positions["p95"]
    return low, high


def _placed(
    positions: pd.DataFrame, evidence: list[list[dict[str, Any]]], ids: pd.Series
) -> list[list[dict[str, Any]]]:
    """Evidence with the percentile of each value among peers, how many they are, and the level of their cell."""
    named = {item["signal"] for items in evidence for item in items}
    found = positions[positions["signal"].isin(named)]
    places = {
        (creator, signal): {"percentile": round(percentile), "peers": n, "peers_level": level}
        for creator, signal, percentile, n, level in zip(
            found["creator_id"], found["signal"], found["percentile"], found["n"].tolist(), found["level"], strict=True
        )
    }
    return [
        [item | places.get((creator, item["signal"]), {}) for item in items]
        for creator, items in zip(ids, evidence, strict=True)
    ]


def _checked(
    flagged: Sequence[tuple[str, str]],
    tables: Tables,
    loaded: LoadedModel,
    as_of: pd.Timestamp,
    imported_at: pd.Timestamp,
) -> dict[str, list[dict[str, Any]]]:
    """By creator, what was taken away from the history to see whether its flags, pairs of id and head, stand on it."""
    cases = pd.DataFrame(flagged, columns=["creator_id", "head"])
    found = explain(loaded.model, tables, cases, as_of=as_of, imported_at=imported_at)
    entries: dict[str, list[dict[str, Any]]] = {}
    for case, rows in zip(found.to_dict("records"), rows_in_words(tables, found), strict=True):
        entry = {name: case[name] for name in ("head", "events", "probability", "probability_without", "suffices")}
        entries.setdefault(case["creator_id"], []).append(entry | {"rows": rows})
    return entries


def _profiles(histories: Histories) -> pd.DataFrame:
    creators = histories.creators.set_index("creator_id")
    last_post = pd.to_datetime(_last(histories.posts, "published_at"), unit="D", utc=True)
    return pd.DataFrame(
        {
            **{name: creators[name] if name in creators else pd.Series(dtype="str") for name in _PROFILE},
            "followers": creators["followers"],
            "tier": tier_of(creators["followers"]),
            "as_of": histories.as_of,
            "coverage_posts": histories.posts.counts,
            "coverage_days": np.round(_days_covered(histories.snapshots)).astype(np.int64),
            "last_post_at": last_post.astype("datetime64[us, UTC]"),
        },
        index=creators.index,
    )


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def score_rows(
    histories: Histories, loaded: LoadedModel, tables: Callable[[], Tables] | None, *, imported_at: pd.Timestamp
) -> list[dict[str, Any]]:
    """Score every creator of histories for a report, without frames.

    Parameters
    ----------
    tables : callable, optional
        Makes the checked tables of the histories; called where a flag has to be checked. Without it none is.

    Returns
    -------
    list of dict
        One a creator, in the order of the histories: the columns of the score frame that a report reads, with their
        values; None where null, and `evidence` and `checked` as lists.
    """
    model, as_of = loaded.model, histories.as_of
    x = read_signals(histories, threads=1)
    scores = model.assess(x)
    platforms, ids = (histories.creators[name].tolist() for name in ("platform", "creator_id"))
    probabilities = {head: scores[f"{head}_probability"] for head in model.heads}
    evidence = _with_rows(histories, groups_that_carry(model, x, probabilities, platforms), None)
    flagged = [(ids[row], head) for head in HEADS for row in np.flatnonzero(scores[f"{head}_flagged"])]
    checked = _checked(flagged, tables(), loaded, as_of, imported_at) if flagged and tables else {}
    columns = {name: values.tolist() for name, values in scores.items()}
    columns |= {
        "creator_id": ids,
        "platform": platforms,
        "followers": [None if np.isnan(count) else int(count) for count in histories.followers],
        "tier": tiers_of(histories.followers).tolist(),
        "coverage_posts": histories.posts.counts.tolist(),
        "coverage_days": np.round(_days_covered(histories.snapshots)).astype(np.int64).tolist(),
        "growth_28d": x[:, READ.index("follower_growth_28d")].tolist(),
        "evidence": evidence,
        "checked": [checked.get(one, []) for one in ids],
    }
    of_all = {
        "as_of": as_of,
        "model_name": loaded.name,
        "model_version": str(loaded.version),
        "model_data": model.metadata["data"],
    }
    names = list(columns)
    rows = []
    for items, *values in zip(evidence, *columns.values(), strict=True):
        row = {name: _known(value) for name, value in zip(names, values, strict=True)} | of_all
        for head in HEADS:
            if not row[f"{head}_assessed"]:
                row[f"{head}_flagged"] = None
            row[f"{head}_reason"] = _reason(head, row, items, model.heads)
        rows.append(row)
    return rows


def require_known(peers: Peers | None, as_of: pd.Timestamp) -> None:
    """Refuse peers that know what was observed after `as_of`.

    Raises
    ------
    features.peers.PeersError
    """
    if peers is not None and peers.as_of > as_of:
        raise PeersError(
            f"the peers are as of {peers.as_of:%Y-%m-%d %H:%M} and the creators as of {as_of:%Y-%m-%d %H:%M}: a "
            "comparison would know what was not known yet. Make peers of that day or earlier, or ask for a later one"
        )


def score_tables(
    tables: Tables,
    loaded: LoadedModel,
    as_of: pd.Timestamp,
    *,
    imported_at: pd.Timestamp,
    crowd: Crowd | None = None,
    peers: Peers | None = None,
) -> pd.DataFrame:
    """Score every creator of checked tables.

    Parameters
    ----------
    tables : dict of str to DataFrame
        As `features.tables.check_tables` returns them.
    loaded : LoadedModel
        The authenticity model and what it is registered as.
    as_of : Timestamp
        Moment of knowledge, UTC.
    imported_at : Timestamp
        When the tables were imported: what rows without an observation time are known from.
    crowd : Crowd, optional
        What is known of the creators together; without it, as in a request, the signals of scope "crowd" are missing.
    peers : Peers, optional
        Beside whom the values of evidence are placed, and whose middle 90 % are its typical range; probabilities and
        flags do not depend on them.

    Returns
    -------
    DataFrame
        The score frame of the contract, one row a creator, sorted by creator_id.

    Raises
    ------
    features.peers.PeersError
        Where the peers know what was observed after `as_of`.
    """
    require_known(peers, as_of)
    histories = make_histories(tables, as_of, imported_at=imported_at)
    signals = compute_signals(histories, crowd)
    scores = loaded.model.score(signals)
    platforms = histories.creators["platform"]
    flagged = [(one, head) for head in HEADS for one in scores.index[scores[f"{head}_flagged"].fillna(False)]]
    checked = _checked(flagged, tables, loaded, as_of, imported_at) if flagged else {}
    if peers is None:
        evidence = _with_rows(histories, carrying_groups(loaded.model, signals, scores, platforms), crowd)
    else:
        positions = peer_position(signals[list(READ)], histories.creators, peers)
        usual = _usual_among_peers(positions, signals.index)
        carried = carrying_groups(loaded.model, signals, scores, platforms, usual=usual)
        evidence = _placed(positions, _with_rows(histories, carried, crowd), histories.creators["creator_id"])
    frame = (
        _profiles(histories)
        .join(_with_reasons(scores, evidence, loaded.model.heads))
        .join(creator_facts(tables, histories, signals, imported_at=imported_at))
        .join(opinion_balance(tables, {"safety": loaded.safety}, as_of)[[*UNSAFE]])
        .assign(
            checked=[json.dumps(checked.get(one, [])) for one in scores.index],
            growth_28d=signals["follower_growth_28d"],
            profile_text=profile_texts(tables, as_of, imported_at=imported_at),
            model_name=loaded.name,
            model_version=loaded.version,
            model_data=loaded.model.metadata["data"],
            base_authenticity=loaded.model.metadata["base_authenticity"],
            registry_hash=registry_hash(),
        )
    )
    return frame.reset_index()
