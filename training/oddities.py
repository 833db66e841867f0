"""Honest but odd: what happens to organic creators that looks like manipulation and is not.

Each oddity strikes a creator with its own probability, and none is visible in a single number: sizes are drawn from
the range in which followers are bought.
"""

from dataclasses import dataclass

import numpy as np

#: Probability that a creator has the oddity within the simulated window. Assumed: no public figure exists. They are
#: set high, so that every one of them is frequent enough to measure false alarms on.
ODDITIES = {
    "viral_hit": 0.10,  # one post far beyond the others, and followers with it
    "giveaway": 0.10,  # followers and comments jump, part of the followers leaves within weeks
    "press_mention": 0.08,  # followers jump without a post
    "paid_ads": 0.10,  # the platform's own ads: steady extra followers, boosted views and likes on some posts
    "break": 0.12,  # weeks without a post, then a comeback
    "seasonal": 0.08,  # trade that comes and goes with the year
    "hidden_likes": 0.05,  # like counts hidden from some day on
    "switched_language": 0.05,  # posts in a second language from some day on
    "follow_unfollow": 0.04,  # follows many, drops them again
    "scheduled": 0.08,  # posts at the same hour, at even gaps
}
NAMES = tuple(ODDITIES)
#: Relative size of an organic jump of followers, log-uniform: as large as what is bought.
JUMP = (0.03, 0.70)
#: Days over which platforms remove fake accounts from everybody; honest creators lose some too. One published purge
#: took 66 % of a bought audience (technorati); what honest audiences lose is assumed.
PURGES, PURGE_LOSS, PURGE_LOSS_SD = 2, 0.006, 0.9


@dataclass(frozen=True)
class Jumps:
    """Sudden gains of followers.

    Attributes
    ----------
    creator : ndarray of int, shape (jumps,)
    day : ndarray of float64, shape (jumps,)
        Day of the grid on which it begins.
    size : ndarray of float64, shape (jumps,)
        Followers won over followers.
    length : ndarray of float64, shape (jumps,)
        Days in which 63 % of it has come.
    leaving : ndarray of float64, shape (jumps,)
        Part of it that leaves again, over `LEAVING_DAYS`.
    """

    creator: np.ndarray
    day: np.ndarray
    size: np.ndarray
    length: np.ndarray
    leaving: np.ndarray


LEAVING_DAYS = 12.0


def draw_oddities(rng: np.random.Generator, creators: int) -> np.ndarray:
    """Which creator has which oddity, bool of shape (creators, oddities) in the order of `NAMES`."""
    return rng.random((creators, len(NAMES))) < np.array(list(ODDITIES.values()))


def log_uniform(rng: np.random.Generator, low: float, high: float, size: int) -> np.ndarray:
    """Values whose logarithm is uniform between log low and log high."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def join_jumps(parts: list[Jumps]) -> Jumps:
    """Jumps of several kinds, one after the other."""
    names = ("creator", "day", "size", "length", "leaving")
    return Jumps(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def jump_rates(jumps: Jumps, creators: int, days: int) -> np.ndarray:
    """Daily log growth that jumps add, float64 of shape (creators, days)."""
    rates = np.zeros((creators, days))
    edges = np.arange(days + 1) - jumps.day[:, None]
    come = -np.expm1(-np.maximum(edges, 0) / jumps.length[:, None])
    left = -np.expm1(-np.maximum(edges - jumps.length[:, None], 0) / LEAVING_DAYS)
    level = np.log1p(jumps.size[:, None] * (come - jumps.leaving[:, None] * left))
    np.add.at(rates, jumps.creator, np.diff(level, axis=1))
    return rates


def draw_purges(rng: np.random.Generator, creators: int, purge_days: np.ndarray, days: int) -> np.ndarray:
    """Daily log growth (0 or less) of creators whose platform purges on their row of `purge_days`, shape as above."""
    rates = np.zeros((creators, days))
    loss = np.minimum(PURGE_LOSS * np.exp(PURGE_LOSS_SD * rng.standard_normal(purge_days.shape)), 0.06)
    rates[np.arange(creators)[:, None], purge_days] += np.log1p(-loss)
    return rates
