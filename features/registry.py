"""What is known of a signal besides its value."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["high", "low", "none"]


@dataclass(frozen=True)
class Signal:
    """One number computed from a history.

    Attributes
    ----------
    name : str
        `<what>_<statistic>_<window>`; windows are `30p` (last 30 posts), `28d`, `90d` or `all`.
    unit : str
        Unit of the value; `ratio` for a plain quotient.
    direction : {"high", "low", "none"}
        The side that speaks for manipulation, `none` where neither does by itself.
    family : str
        The module of `features` that computes it.
    english, vietnamese : str
        What it is, in words for people.
    """

    name: str
    unit: str
    direction: Direction
    family: str
    english: str
    vietnamese: str

    def words(self, language: str) -> str:
        """What the signal is, in `language` ("en" or "vi")."""
        return self.vietnamese if language == "vi" else self.english
