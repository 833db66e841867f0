"""What was said of creators before: the scores of each catalogue that was taken on, kept in REALREACH_HOME.

One Parquet file a catalogue, by creator_id in small row groups, so that one creator's rows of all of them are found in
milliseconds; the newest `MOST` are kept.
"""

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.partitions import to_arrow
from features.tables import HEADS, written_whole
from serving.catalogue import Catalogue
from serving.histories import IndexFile
from serving.shown import records
from serving.words import N_, Words
from training.tracking import home

log = logging.getLogger("realreach.scores")

#: Catalogues that are kept: one a week for half a year. A million creators take about 40 MB each.
MOST = 26
_KEPT = (
    *("creator_id", "as_of", "model_version", "authenticity", "authenticity_low", "authenticity_high"),
    *(f"{head}_probability" for head in HEADS),
)
_GROUP_ROWS = 16_384
#: Change of a probability from which on it is called one.
_MOVED = 0.01


def _folder() -> Path:
    return home() / "scores"


def keep(catalogue: Catalogue) -> Path | None:
    """Keep the scores of a catalogue, where they are not kept yet; the oldest make room.

    Returns
    -------
    Path or None
        The file; None where the catalogue is empty.
    """
    frame = catalogue.frame
    if frame.empty:
        return None
    digest = sha256()
    for name in _KEPT:
        digest.update(pd.util.hash_pandas_object(frame[name], index=False).to_numpy().tobytes())
    path = _folder() / f"{digest.hexdigest()[:24]}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            pq.write_table(to_arrow(frame[list(_KEPT)]), temporary, row_group_size=_GROUP_ROWS)
    for oldest in _files()[:-MOST]:
        oldest.unlink(missing_ok=True)
    return path


def keep_in_background(catalogue: Catalogue) -> threading.Thread:
    """The same in a thread: what reads the catalogue does not wait for it, and a full disk is only logged."""

    def work() -> None:
        try:
            keep(catalogue)
        except OSError as error:
            log.warning("the scores of this catalogue are not kept for the history of scores: %s", error)

    thread = threading.Thread(target=work, daemon=True, name="score-history")
    thread.start()
    return thread


def _files() -> list[Path]:
    """Files that are kept, in the order in which they were taken on."""
    return sorted(_folder().glob("[!.]*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name))


@lru_cache(maxsize=2 * MOST)
def _opened(path: Path) -> IndexFile:
    return IndexFile.open(path)


def scores_of(creator_id: str) -> list[dict[str, Any]]:
    """What was said of a creator, oldest first: a row a catalogue, with the columns that are kept; None where null."""
    found: list[dict[str, Any]] = []
    for path in _files():
        try:
            rows = _opened(path).rows(creator_id)
        except (OSError, pa.ArrowException):
            continue  # it made room at this moment, or a crash left it empty
        found += records(rows.astype(object).where(rows.notna(), None))
    return found


def why_moved(before: Mapping[str, Any], after: Mapping[str, Any], words: Words) -> str:
    """Why an authenticity is another one than before: the model, later data, and the kind that moved most."""
    causes = []
    if before["model_version"] != after["model_version"]:
        causes.append(
            words.say(
                N_("another model (version {before}, then {after})"),
                before=before["model_version"] or "–",
                after=after["model_version"] or "–",
            )
        )
    if before["as_of"] != after["as_of"]:
        causes.append(words.say(N_("later data")))
    moves = {
        head: after[f"{head}_probability"] - before[f"{head}_probability"]
        for head in HEADS
        if before[f"{head}_probability"] is not None and after[f"{head}_probability"] is not None
    }
    most = max(moves, key=lambda head: abs(moves[head]), default="")
    if most and abs(moves[most]) >= _MOVED:
        causes.append(
            words.say(
                N_("{head} moved most, from {before} to {after}"),
                head=words.head_name(most),
                before=words.percent(before[f"{most}_probability"]),
                after=words.percent(after[f"{most}_probability"]),
            )
        )
    gained = [head for head in HEADS if before[f"{head}_probability"] is None and head not in moves]
    newly = [head for head in gained if after[f"{head}_probability"] is not None]
    if newly:
        causes.append(words.say(N_("newly assessed: {heads}"), heads=", ".join(words.head_name(one) for one in newly)))
    return "; ".join(causes)


def told(creator_id: str, words: Words) -> list[dict[str, Any]]:
    """The history of a creator's score for people, newest first: a row of `scores_of` and `why` it moved."""
    rows = scores_of(creator_id)
    told_rows = [
        row | {"why": why_moved(rows[place - 1], row, words) if place else ""} for place, row in enumerate(rows)
    ]
    return told_rows[::-1]
