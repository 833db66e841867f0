"""Settings of a training run: TOML files of `training/configs`, checked against one frozen model each."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

T = TypeVar("T", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """What is trained on."""

    creators: int = Field(ge=200)
    manipulated: float = Field(gt=0, lt=1)
    vendors: int = Field(ge=3)
    copies: int = Field(ge=1, le=100)
    seed: int = Field(ge=0)


class SplitConfig(_Section):
    """Shares of creators by purpose."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> "SplitConfig":
        if abs(self.train + self.calibration + self.test - 1) > 1e-9:
            message = "train, calibration and test must add up to 1"
            raise ValueError(message)
        return self


class ModelConfig(_Section):
    """Shape of each head."""

    members: int = Field(ge=2, le=20)
    trees: int = Field(ge=1)
    leaves: int = Field(ge=2)
    learning_rate: float = Field(gt=0, le=1)
    least_in_leaf: int = Field(ge=1)
    signals_per_tree: float = Field(gt=0, le=1)
    monotone: bool
    family_dropout: float = Field(ge=0, lt=1)


class ThresholdConfig(_Section):
    """Where heads flag: how many unmanipulated creators, and how many with an honest oddity, any head may flag."""

    false_alarms: float = Field(gt=0, lt=0.5)
    odd_false_alarms: float = Field(gt=0, lt=0.5)


class AuthenticityConfig(_Section):
    """Settings of the authenticity model."""

    data: DataConfig
    splits: SplitConfig
    model: ModelConfig
    thresholds: ThresholdConfig


class ConfigError(ValueError):
    """A settings file that cannot be used; the message names the file and each key."""


def read_settings(kind: type[T], path: Path | None = None) -> T:
    """Read settings of one kind from a TOML file; their defaults where there is no path.

    Raises
    ------
    ConfigError
        Where the file is not TOML, a key is unknown or missing, or a value is out of range.
    """
    if path is None:
        return kind()
    try:
        return _settings(kind, path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        message = f"{path.name}: {error}"
        raise ConfigError(message) from error


def read_config(path: Path | None = None) -> AuthenticityConfig:
    """Read settings of the authenticity model from `path`, or the shipped defaults; raises as `read_settings`."""
    if path is not None:
        return read_settings(AuthenticityConfig, path)
    shipped = resources.files("training").joinpath("configs", "authenticity.toml")
    return _settings(AuthenticityConfig, shipped.read_text(encoding="utf-8"), shipped.name)


def _settings(kind: type[T], text: str, name: str) -> T:
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{name}: {error}"
        raise ConfigError(message) from error
    except ValidationError as error:
        lines = [
            f"{name}: {'.'.join(str(key) for key in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
