"""What goes with an authenticity model: what it is for, how it was measured, and where it fails, in plain words."""

from collections.abc import Hashable, Iterable, Mapping

import pandas as pd

from features.tables import HEADS
from training.authenticity import AuthenticityModel
from training.evaluation import COMPOSITE, Evaluation
from training.gates import SIMULATED

#: What `realreach benchmark` found wrong with models of this kind; BENCHMARKS.md has the figures and their intervals.
_WEAKNESSES = """
## Where it fails

- **A kind of manipulation that nobody simulated is not found.** Trained without any bought followers, a model ranks
  their buyers no better than chance; bought views hardly better.
- **Small purchases pass.** Where less than a tenth of the likes, views or comments is bought, most campaigns are
  missed; above half nine in ten are found. Small lots of followers that arrive at once are found.
- **Patience pays.** Followers who arrive over two weeks from several sellers, not at once from one, are found about
  two thirds as often for a quarter more money, and seldom for four times the money. Half as many likes, views or
  comments again, spread over all posts, are hardly ever seen.
- **Pods look like fans.** Where only counts are known, a devoted community and an engagement pod are told apart badly;
  thresholds keep false alarms low at the price of missing most pods. Collected comments tell them apart.
- **Press looks like a purchase.** A jump of followers after a report is, with a devoted community, the honest event
  that is flagged most often; thresholds are high for its sake, and for that of views that a platform's own ads bring.
- Comments of simulated bots come from one grammar in training and test: figures from comment texts say nothing about
  how other sellers write.

Signals are consistent with manipulation or they are not; none of them proves it. Whom the model flags is to be looked
at by a person, with the posts and days that the evidence names.
"""


def _row(name: str, figures: pd.DataFrame, floors: pd.DataFrame, flagged: Mapping[Hashable, float]) -> str:
    value = figures["value"]
    best = floors["auc"].dropna().sort_values()
    cells = [
        name.replace("_", " "),
        f"{value['auc']:.3f} ({figures['low']['auc']:.3f} to {figures['high']['auc']:.3f})",
        f"{value['recall_at_fpr_5']:.2f}",
        f"{value['ece']:.3f}",
        f"{best.iloc[-1]:.3f} ({best.index.tolist()[-1]})" if best.size else "",
        f"{flagged['recall']:.2f}" if flagged else "",
        f"{flagged['false_alarms']:.3f}" if flagged else "",
    ]
    return f"| {' | '.join(cells)} |"


def _table(evaluation: Evaluation, names: Iterable[str]) -> list[str]:
    flagged = evaluation.flagged.to_dict("index")
    return [
        "| kind | AUC (95 %) | recall at 5 % FPR | ECE | best floor (AUC) | flagged | honest flagged |",
        "|---|---|---|---|---|---|---|",
        *(_row(name, evaluation.reports[name], evaluation.floors[name], flagged.get(name, {})) for name in names),
    ]


def model_card(model: AuthenticityModel, evaluation: Evaluation) -> str:
    """Model card of an authenticity model, in Markdown.

    Parameters
    ----------
    model : AuthenticityModel
    evaluation : Evaluation
        Of creators and sellers unseen in training.
    """
    names = [name for name in (*HEADS, COMPOSITE) if name in evaluation.reports]
    learnt = [name.replace("_", " ") for name in model.heads]
    missing = [name.replace("_", " ") for name in HEADS if name not in model.heads]
    creators = "simulated creators" if evaluation.source == SIMULATED else f"creators of {evaluation.source}"
    lines = [
        "# Authenticity model",
        "",
        "For each kind of manipulation: the probability that a creator's history shows it, and how much of the counts",
        "was manufactured. It screens shortlists for people who then look; it accuses nobody.",
        "",
        f"- Learnt from: **{model.metadata['data']}**. Campaigns are simulated in all of them.",
        f"- Kinds: {', '.join(learnt)}."
        + (f" Not learnt, and never assessed: {', '.join(missing)}." if missing else ""),
        f"- Probabilities assume that {model.base_rate:.0%} of creators are manipulated; `--base-rate` moves them.",
        f"- Measured on {creators} whom training did not see, with campaigns of sellers whom it did not see:",
        "",
        *_table(evaluation, names),
        "",
        "Flagged: the part of the manipulated creators whom the shipped threshold flags; honest flagged: that of those",
        "without any manipulation.",
    ]
    return "\n".join(lines) + "\n" + _WEAKNESSES
