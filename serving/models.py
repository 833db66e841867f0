"""Registered models, loaded by alias: the version that the alias names, verified, and no other."""

import logging
from dataclasses import dataclass, replace
from typing import Self

from training import tracking
from training.authenticity import AuthenticityModel, load_model
from training.fit_model import FitModel, FitModelError
from training.fit_runs import load_fit
from training.opinion_runs import load_opinions
from training.opinions import OpinionModel, OpinionModelError

log = logging.getLogger("realreach.models")


@dataclass(frozen=True)
class LoadedModel:
    """A model and what it is registered as, and the model of unsafe texts where one is champion."""

    name: str
    version: int
    model: AuthenticityModel
    safety: OpinionModel | None = None

    def assuming(self, base_rate: float) -> Self:
        """The same with `training.authenticity.AuthenticityModel.assuming`."""
        return replace(self, model=self.model.assuming(base_rate))


def load_champion(name: str = "authenticity", alias: str = "champion") -> LoadedModel:
    """Load the version of a registered model that `alias` names.

    Raises
    ------
    training.tracking.ModelNotFoundError
        Where no version has the alias.
    training.tracking.CorruptModelError
        Where a file differs from what was registered.
    training.authenticity.ModelMismatchError
        Where the model was trained on other signals than these.
    """
    registered = tracking.resolve(name, alias)
    folder = tracking.download(name, registered.version)
    return LoadedModel(name, registered.version, load_model(folder), _load_safety())


def _load_safety() -> OpinionModel | None:
    """The champion of unsafe texts; without it no share of unsafe texts is told, and everything else is."""
    try:
        return load_opinions("safety")[1]
    except tracking.ModelNotFoundError:
        return None
    except (tracking.CorruptModelError, OpinionModelError) as error:
        log.warning("the model of unsafe texts cannot be used: %s", error)
        return None


def load_ranker() -> tuple[FitModel | None, str]:
    """The fit model that ranks, None where the prior does, and why where there is one that cannot be used."""
    try:
        return load_fit(), ""
    except tracking.ModelNotFoundError:
        return None, ""
    except (tracking.CorruptModelError, FitModelError) as error:
        return None, f"the fit model cannot be used, the prior ranks: {error}"
