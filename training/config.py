"""Settings of a training run: TOML files of `training/configs`, checked against one frozen model each."""

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """What is trained on."""

    creators: int = Field(ge=200)
    manipulated: float = Field(gt=0, lt=1)
    vendors: int = Field(ge=3)
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


class ThresholdConfig(_Section):
    """Where a head flags."""

    false_alarms: float = Field(gt=0, lt=0.5)


class AuthenticityConfig(_Section):
    """Settings of the authenticity model."""

    data: DataConfig
    splits: SplitConfig
    model: ModelConfig
    thresholds: ThresholdConfig


class ConfigError(ValueError):
    """A settings file that cannot be used; the message names the file and each key."""


def read_config(path: Path | None = None) -> AuthenticityConfig:
    """Read settings from `path`, or the shipped defaults.

    Raises
    ------
    ConfigError
        Where the file is not TOML, a key is unknown or missing, or a value is out of range.
    """
    shipped = resources.files("training").joinpath("configs", "authenticity.toml")
    name = path.name if path else "authenticity.toml"
    try:
        text = path.read_text(encoding="utf-8") if path else shipped.read_text(encoding="utf-8")
        return AuthenticityConfig.model_validate(tomllib.loads(text))
    except (OSError, tomllib.TOMLDecodeError) as error:
        message = f"{name}: {error}"
        raise ConfigError(message) from error
    except ValidationError as error:
        lines = [
            f"{name}: {'.'.join(str(key) for key in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
