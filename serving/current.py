"""What the service answers with at this moment: models and catalogue, changed while it runs.

A new champion or catalogue is loaded beside the one in use, tried, and takes its place in one step; a request that has
begun keeps what it began with. What cannot be used is refused and said, and what was there stays.
"""

import gc
import logging
from dataclasses import dataclass, field, replace

import pandas as pd

from features.histories import make_histories
from features.tables import check_tables
from serving.catalogue import Catalogue, CatalogueError, Place, catalogue_places, read_catalogue
from serving.models import LoadedModel, load_champion, load_ranker
from serving.objects import StoredObject
from serving.score_history import keep_in_background
from serving.scoring import score_rows
from training import tracking
from training.authenticity import ModelMismatchError
from training.fit_model import FitModel
from training.tracking import CorruptModelError, ModelNotFoundError

log = logging.getLogger("bentoml.realreach")

#: Models whose champions are served; without the first nothing is scored.
MODELS = ("authenticity", "safety", "fit")


@dataclass(frozen=True)
class Loaded:
    """What requests are answered with, and why where something is missing.

    Attributes
    ----------
    model_trouble, catalogue_trouble, ranker_trouble : str
        Why there is none; where there is one, why a later one was refused. Empty where all is well.
    """

    model: LoadedModel | None = None
    model_trouble: str = ""
    catalogue: Catalogue | None = None
    catalogue_trouble: str = ""
    ranker: FitModel | None = None
    ranker_trouble: str = ""


def load() -> Loaded:
    """Load the champions and the catalogue; what is missing is said and does not stop the other."""
    return _with_catalogue(_with_models(Loaded()))


def _warm(model: LoadedModel) -> None:
    """Score a history once, so that the first request does not wait.

    Raises
    ------
    ModelMismatchError
        Where the model cannot: whatever keeps it from scoring, it is not served.
    """
    now = pd.Timestamp("2026-01-10", tz="UTC")
    creators = pd.DataFrame({"creator_id": ["warm"], "platform": "instagram", "followers": [1_000]})
    posts = pd.DataFrame(
        {
            "creator_id": "warm",
            "post_id": [f"p{number}" for number in range(12)],
            "published_at": pd.date_range("2025-12-01", periods=12, freq="2D", tz="UTC"),
            "likes": range(90, 102),
            "comments": range(3, 15),
        }
    )
    tables = check_tables({"creators": creators, "posts": posts})
    try:
        score_rows(make_histories(tables, now, imported_at=now), model, lambda: tables, imported_at=now)
    except Exception as error:
        message = f"version {model.version} of {model.name} cannot score: {error}"
        raise ModelMismatchError(message) from error


def _with_models(loaded: Loaded) -> Loaded:
    try:
        model = load_champion()
        _warm(model)
        loaded = replace(loaded, model=model, model_trouble="")
    except (ModelNotFoundError, CorruptModelError, ModelMismatchError) as error:
        kept = "" if loaded.model is None else f"; version {loaded.model.version} stays"
        loaded = replace(loaded, model_trouble=f"no model to score with: {error}{kept}")
        log.warning(loaded.model_trouble)
    ranker, trouble = load_ranker()
    if trouble:
        log.warning(trouble)
        ranker = loaded.ranker
    return replace(loaded, ranker=ranker, ranker_trouble=trouble)


def _with_catalogue(loaded: Loaded) -> Loaded:
    try:
        catalogue = read_catalogue(*catalogue_places())
        catalogue.prepare()
    except CatalogueError as error:
        kept = "" if loaded.catalogue is None else "; the one before stays"
        loaded = replace(loaded, catalogue_trouble=f"no catalogue: {error}{kept}")
        log.warning(loaded.catalogue_trouble)
        return loaded
    log.info("catalogue of %d creators", len(catalogue))
    keep_in_background(catalogue)
    return replace(loaded, catalogue=catalogue, catalogue_trouble="")


def _champions() -> tuple[int | None, ...]:
    """Version of each model that its alias names now, None where there is none."""
    found: list[int | None] = []
    for name in MODELS:
        try:
            found.append(tracking.resolve(name).version)
        except ModelNotFoundError:
            found.append(None)
    return tuple(found)


def _stamp(place: Place) -> object:
    """What is another one once the file was written anew; None where it cannot be seen."""
    try:
        if isinstance(place, StoredObject):
            return place.stamp()
        stat = place.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _stamps() -> tuple[object, ...]:
    try:
        return tuple(_stamp(place) for place in catalogue_places())
    except CatalogueError:
        return (None,)


@dataclass
class Current:
    """The one place that names what is in use; `loaded` is replaced as a whole, never changed."""

    loaded: Loaded = field(default_factory=Loaded)
    _seen: tuple[object, object] | None = None

    def start(self) -> None:
        """Load everything for the first time."""
        self._seen = (_champions(), _stamps())
        self.loaded = load()

    def refresh(self) -> bool:
        """Look whether a champion or the catalogue is another one by now; whether it was.

        Called from one thread at a time. What an unreachable registry hides stays as it is.
        """
        champions, stamps = now = (_champions(), _stamps())
        if self._seen == now:
            return False
        before = self._seen or (None, None)
        if champions != before[0]:
            self.loaded = _with_models(self.loaded)
        if stamps != before[1]:
            self.loaded = _with_catalogue(self.loaded)
        self._seen = now  # not before: what broke off is tried again
        gc.freeze()  # what was loaded stays out of collections, which over it were the tail of the latency
        return True
