"""From rows of score and ranked frames to what people and programs read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from features.signals import SIGNALS
from features.tables import HEADS
from serving.catalogue import SHARED_COUNTS, Catalogue
from serving.ranking import Shortlist
from serving.reasons import REASON_SEPARATOR
from serving.schemas import (
    CheckedEvidence,
    Coverage,
    CreatorResponse,
    Estimate,
    Evidence,
    EvidenceRow,
    Fit,
    FitResponse,
    HeadReport,
    InauthenticShare,
    ModelInfo,
    Ranked,
    ReadValue,
    RecommendResponse,
    Report,
    ScoreResponse,
)
from serving.shown import records
from serving.words import N_, ONLY_WITHOUT_WORDS, ROW_WORDS, WITHOUT_WORDS, Words

_WARNING_WORDS = {
    "mixed_registry": N_("The catalogue mixes scores of different signal registries: score all creators again."),
    "mixed_models": N_("The catalogue mixes scores of different model versions: compare them with care."),
}


def _known(value: Any) -> Any:
    """A value, None where it is null."""
    return None if value is None or pd.isna(value) else value


def items_of(value: Any) -> list[dict[str, Any]]:
    """Entries of a column of a score frame that holds JSON; a row that never was in a frame has them as they are."""
    if isinstance(value, list):
        return value
    found: list[dict[str, Any]] = json.loads(value) if _known(value) else []
    return found


def _estimate(row: Mapping[str, Any], middle: str, prefix: str) -> dict[str, Any]:
    return {
        "probability": _known(row[middle]),
        "low": _known(row[f"{prefix}_low"]),
        "high": _known(row[f"{prefix}_high"]),
    }


def _model(row: Mapping[str, Any]) -> ModelInfo:
    return ModelInfo(name=_known(row["model_name"]), version=_known(row["model_version"]), data=row["model_data"])


def _head(row: Mapping[str, Any], head: str, words: Words) -> HeadReport:
    assessed = bool(_known(row[f"{head}_assessed"]))
    reason = _known(row[f"{head}_reason"]) or ""
    return HeadReport(
        head=head,
        words=words.head(head),
        flagged=_known(row[f"{head}_flagged"]),
        assessed=assessed,
        reason="" if assessed else words.say(reason),
        **_estimate(row, f"{head}_probability", head),
    )


def evidence_of(row: Mapping[str, Any], words: Words) -> list[Evidence]:
    """Evidence of a creator, the strongest first."""
    items = items_of(row["evidence"])
    return [
        Evidence(
            head=item["head"],
            group=item.get("group"),
            group_words=words.group(item["group"]) if "group" in item else "",
            signals=item.get("signals"),
            signal=item["signal"],
            words=words.signal(item["signal"]),
            value=item["value"],
            unit=SIGNALS[item["signal"]].unit if item["signal"] in SIGNALS else "",
            window=words.window(item["signal"]),
            typical_low=item["typical_low"],
            typical_high=item["typical_high"],
            percentile=item.get("percentile"),
            peers=item.get("peers"),
            peers_words=words.among_peers(item),
            rows=[EvidenceRow(**row) for row in item.get("rows", [])],
        )
        for item in items
    ]


def checked_of(row: Mapping[str, Any], words: Words) -> list[CheckedEvidence]:
    """What was taken away to check the flags of a creator."""
    items = items_of(row["checked"])
    return [CheckedEvidence(**item, words=_without(item, words)) for item in items]


def _without(item: Mapping[str, Any], words: Words) -> str:
    before, after = (words.percent(item[name]) for name in ("probability", "probability_without"))
    message = WITHOUT_WORDS[item["events"]] if item["suffices"] else ONLY_WITHOUT_WORDS[item["events"]]
    return words.say(message, rows=words.count(len(item["rows"])), before=before, after=after)


def _shares(row: Mapping[str, Any]) -> list[InauthenticShare]:
    return [
        InauthenticShare(
            count=count,
            **{
                name: _known(row[f"inauthentic_{count}_share{end}"])
                for name, end in (("share", ""), ("low", "_low"), ("high", "_high"))
            },
        )
        for count in SHARED_COUNTS
    ]


def _authentic_followers(row: Mapping[str, Any]) -> int | None:
    followers, share = _known(row["followers"]), _known(row["inauthentic_followers_share"])
    return None if followers is None or share is None else round(followers * (1 - share))


def where_to_look(item: Evidence, words: Words) -> str:
    """The posts, days, comments or accounts to look at, in words; empty where the whole history is meant."""
    if not item.rows:
        return ""
    named = [words.date(row.at) if row.at else row.id or "" for row in item.rows]
    return words.say(ROW_WORDS[item.rows[0].events], rows="; ".join(dict.fromkeys(named)))


def report(row: Mapping[str, Any], words: Words) -> Report:
    """Make the report of one row of a score frame."""
    return Report(
        creator_id=row["creator_id"],
        platform=row["platform"],
        followers=_known(row["followers"]),
        tier=_known(row["tier"]),
        authenticity=Estimate(**_estimate(row, "authenticity", "authenticity")),
        heads=[_head(row, head, words) for head in HEADS],
        inauthentic_shares=_shares(row),
        authentic_followers=_authentic_followers(row),
        evidence=evidence_of(row, words),
        checked=checked_of(row, words),
        coverage=Coverage(posts=_known(row["coverage_posts"]), days=_known(row["coverage_days"])),
        growth_28d=_known(row["growth_28d"]),
        as_of=_known(row["as_of"]),
    )


def score_response(rows: Sequence[Mapping[str, Any]], words: Words) -> ScoreResponse:
    """Make the answer to a request to score, from one row or more of a score frame."""
    model = _model(rows[0])
    return ScoreResponse(
        reports=[report(row, words) for row in rows],
        model=model,
        simulated=model.data == "simulated",
        notice=words.notice(model.data),
    )


def creator_response(row: Mapping[str, Any], words: Words) -> CreatorResponse:
    """Make the answer to who asks for one creator, from its row of a score frame."""
    model = _model(row)
    return CreatorResponse(
        report=report(row, words), model=model, simulated=model.data == "simulated", notice=words.notice(model.data)
    )


_FIT_FIELDS = ("handle", "display_name", "followers", "tier", "niche", "fit", "as_of")


def _fit(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "creator_id": row["creator_id"],
        "platform": row["platform"],
        **{
            name: _known(row[name]) for name in ("handle", "display_name", "followers", "tier", "niche", "fit", "as_of")
        },
        "authenticity": Estimate(**_estimate(row, "authenticity", "authenticity")),
        "assessed": row["authenticity_assessed"],
        "score": row["score"],
        "reasons": row["reasons"].split(REASON_SEPARATOR),
        "model": _model(row),
    }


def catalogue_notice(catalogue: Catalogue, words: Words) -> str:
    """Make the notice of a catalogue's scores: the simulated one where any score needs it."""
    if catalogue.simulated:
        return words.notice("simulated")
    return words.notice(", ".join(catalogue.names("model_data"))) if len(catalogue) else ""


def catalogue_warnings(catalogue: Catalogue, words: Words) -> list[str]:
    """What makes the catalogue's rows hard to compare, in words."""
    return [words.say(_WARNING_WORDS[warning]) for warning in catalogue.warnings]


def _read_brief(catalogue: Catalogue, found: Shortlist, words: Words) -> dict[str, Any]:
    return {
        "note": found.note(words.language),
        "niches": list(found.niches),
        "read": [ReadValue(field=one.field, value=one.value, words=one.words) for one in found.read],
        "fit_model": found.ranker,
        "warnings": catalogue_warnings(catalogue, words),
        "simulated": catalogue.simulated,
        "notice": catalogue_notice(catalogue, words),
    }


def recommend_response(catalogue: Catalogue, found: Shortlist, words: Words) -> RecommendResponse:
    """Make the answer to a brief."""
    return RecommendResponse(
        creators=[Ranked(rank=row["rank"], **_fit(row)) for row in records(found.frame)],
        candidates=found.candidates,
        **_read_brief(catalogue, found, words),
    )


def fit_response(catalogue: Catalogue, found: Shortlist, words: Words) -> FitResponse:
    """Make the answer to who asks how some creators suit a brief."""
    return FitResponse(
        creators=[Fit(**_fit(row)) for row in records(found.frame)], **_read_brief(catalogue, found, words)
    )
