"""What is known of a signal besides its value, read from `features/definitions/<family>.toml`."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

Direction = Literal["high", "low", "none"]
Scope = Literal["creator", "crowd"]

#: What may be done to a history without changing a signal; every claim in a definition is tested on random histories.
INVARIANCES = {
    "counts_scale": "all counts of posts and followers multiplied by the same number (up to rounding)",
    "likes_scale": "likes multiplied by a number (up to rounding)",
    "time_shift": "every time moved by the same whole number of weeks",
    "post_order": "counts dealt to the same posts in another order",
    "snapshots": "snapshots taken away",
    "posts": "posts taken away",
    "comments": "comments taken away",
    "captions": "captions taken away",
    "authors_renamed": "authors of comments given other ids",
}


@dataclass(frozen=True)
class Signal:
    """One number computed from a history.

    Attributes
    ----------
    name : str
        `<what>_<statistic>_<window>`; windows are `30p` and `128p` (last posts), `28d`, `90d` or `all`.
    family : str
        The module of `features` that computes it.
    unit : str
        Unit of the value; `ratio` for a plain quotient.
    direction : {"high", "low", "none"}
        The side that speaks for manipulation, `none` where neither does by itself.
    formula : str
        How it is computed, with its constants: the registry's hash covers it, so a formula that changes must say so.
    least : int
        How many of `of` a history needs; the signal is missing below.
    of : str
        What is counted, such as "posts with likes".
    source : str
        Where the idea or the constant comes from; "own" where it is the project's.
    points_at : str
        `posts:<pointer>`, `days:<pointer>`, `comments:<pointer>` or `accounts:<pointer>`: which rows a person would
        look at to check it, named by a pointer of the family; empty where the whole history is meant.
    invariant : tuple of str
        Keys of `INVARIANCES`.
    english, vietnamese : str
        What it is, in words for people.
    scope : {"creator", "crowd"}
        Whether it is computed from one history alone or needs to know the others.
    """

    name: str
    family: str
    unit: str
    direction: Direction
    formula: str
    least: int
    of: str
    source: str
    points_at: str
    invariant: tuple[str, ...]
    english: str
    vietnamese: str
    scope: Scope = "creator"

    def words(self, language: str) -> str:
        """What the signal is, in `language` ("en" or "vi")."""
        return self.vietnamese if language == "vi" else self.english


def read_family(family: str) -> tuple[Signal, ...]:
    """Signals of one family, in the order of its definitions."""
    text = resources.files("features.definitions").joinpath(f"{family}.toml").read_text(encoding="utf-8")
    return tuple(
        Signal(**{**entry, "name": name, "family": family, "invariant": tuple(entry["invariant"])})
        for name, entry in tomllib.loads(text).items()
    )
