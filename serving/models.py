"""Registered models, loaded by alias: the version that the alias names, verified, and no other."""

from dataclasses import dataclass, replace
from typing import Self

from training import tracking
from training.authenticity import AuthenticityModel, load_model


@dataclass(frozen=True)
class LoadedModel:
    """A model and what it is registered as."""

    name: str
    version: int
    model: AuthenticityModel

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
    return LoadedModel(name, registered.version, load_model(folder))
