"""Who simulated creators are and when they post: arrays of one lot of creators."""

from dataclasses import dataclass

import numpy as np

from features.tables import PLATFORMS
from training import norms, oddities
from training.captions import LANGUAGES
from training.rounding import EXACT, KILO, THREE_FIGURES

#: Days a simulated history can reach back; day 0 of the grid is that long before `as_of`.
DAYS = 730


@dataclass(frozen=True)
class Country:
    """Where creators live: their part of the world (assumed), language, hours ahead of UTC, and what a dollar buys."""

    code: str
    share: float
    language: str
    ahead: int
    currency: str
    dollar: float


COUNTRIES = (
    Country("VN", 0.36, "vi", 7, "VND", 25_000),
    Country("US", 0.20, "en", -6, "USD", 1),
    Country("GB", 0.10, "en", 0, "GBP", 0.8),
    Country("AU", 0.05, "en", 10, "AUD", 1.5),
    Country("ID", 0.14, "id", 7, "IDR", 16_000),
    Country("FR", 0.10, "fr", 1, "EUR", 0.9),
    Country("SG", 0.05, "en", 8, "SGD", 1.35),
)
_NICHE_SHARES = np.array([0.15, 0.08, 0.14, 0.08, 0.15, 0.05, 0.05, 0.10, 0.06, 0.06, 0.08])
#: Tiers' shares (assumed: the project is about micro) and the bounds of log10 followers.
_TIER_SHARES, _TIER_BOUNDS = np.array([0.22, 0.55, 0.23]), np.array([3.0, 4.0, 5.0, 6.0])
_ROUNDED = np.array([0.12, 0.50, 1.0, 0.30])  # share of each platform's creators whose counts come rounded (assumed)


@dataclass(frozen=True)
class People:
    """Creators of a lot; arrays of shape (creators,), `odd` a dict of them."""

    platform: np.ndarray
    country: np.ndarray
    language: np.ndarray
    niche: np.ndarray
    followers: np.ndarray
    size: np.ndarray
    rounding: np.ndarray
    seen: np.ndarray
    gains: np.ndarray
    losses: np.ndarray
    odd: dict[str, np.ndarray]

    def norm(self, name: str) -> np.ndarray:
        """The platform's figure for each creator."""
        return norms.norm(name)[self.platform]


@dataclass(frozen=True)
class Calendar:
    """Posts of a lot, by creator and time; arrays of shape (posts,). `day` counts from the start of the grid."""

    owner: np.ndarray
    day: np.ndarray
    giveaway: np.ndarray
    hit: np.ndarray


def choose(rng: np.random.Generator, shares: np.ndarray, size: int) -> np.ndarray:
    """Positions drawn by their shares, int of shape (size,)."""
    return np.searchsorted(np.cumsum(shares) / np.sum(shares), rng.random(size), side="right")


def draw_people(rng: np.random.Generator, count: int) -> People:
    """Draw who the creators of a lot are."""
    platform = choose(rng, norms.norm("share"), count)
    country = choose(rng, np.array([country.share for country in COUNTRIES]), count)
    tongues = np.array([LANGUAGES.index(country.language) for country in COUNTRIES])
    tier = choose(rng, _TIER_SHARES, count)
    followers = 10 ** (_TIER_BOUNDS[tier] + rng.random(count) ** 1.3)
    size = np.log(followers / 30_000)
    rounded = np.where(np.array(PLATFORMS)[platform] == "youtube", THREE_FIGURES, KILO)
    # larger accounts grow less: 0–3 % a month below 10k, -1–1.5 % above 100k (startmotionmedia)
    gains = norms.norm("gains")[platform] * np.exp(-0.22 * size + 1.0 * rng.standard_normal(count))
    return People(
        platform=platform,
        country=country,
        language=np.where(rng.random(count) < 0.95, tongues[country], LANGUAGES.index("en")),
        niche=choose(rng, _NICHE_SHARES, count),
        followers=followers,
        size=size,
        rounding=np.where(rng.random(count) < _ROUNDED[platform], rounded, EXACT),
        seen=DAYS - rng.uniform(0.05, 5.0, count),
        gains=np.minimum(gains, 0.25),
        losses=norms.norm("losses")[platform] * np.exp(0.5 * rng.standard_normal(count)),
        odd=dict(zip(oddities.NAMES, oddities.draw_oddities(rng, count).T, strict=True)),
    )


def draw_calendar(rng: np.random.Generator, people: People) -> Calendar:
    """Draw when the creators of a lot post."""
    count = people.platform.size
    # median 60 posts, from 3 to 500: what collectors of public posts get (assumed)
    posts = np.clip(60 * np.exp(0.9 * rng.standard_normal(count)), 3, 500).astype(np.int64)
    gap = 7 / people.norm("posts_a_week") * np.exp(0.5 * rng.standard_normal(count))
    spread = np.where(
        people.odd["scheduled"],
        0.15,
        people.norm("gap_spread") * np.exp(norms.GAP_SPREAD_SD * rng.standard_normal(count)),
    )
    owner = np.repeat(np.arange(count), posts)
    first = np.cumsum(posts) - posts
    gaps = gap[owner] * np.exp(spread[owner] * rng.standard_normal(owner.size) - spread[owner] ** 2 / 2)
    paused = np.flatnonzero(people.odd["break"])
    gaps[first[paused] + (rng.random(paused.size) * posts[paused]).astype(np.int64)] += rng.uniform(
        30, 130, paused.size
    )
    back = np.cumsum(gaps)
    back -= (back - gaps)[first][owner] + gaps * rng.random(owner.size) * 0.3
    day = _to_waking_hours(rng, people, owner, people.seen[owner] - back)
    keep = (day > 0) & (day < people.seen[owner])
    owner, day = owner[keep], day[keep]
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    giveaway, hit = (_mark_one(rng, owner, people.odd[name]) for name in ("giveaway", "viral_hit"))
    return Calendar(owner, day, giveaway, hit)


def _to_waking_hours(rng: np.random.Generator, people: People, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Move posts to the hours and weekdays at which creators post."""
    count = people.platform.size
    ahead = np.array([country.ahead for country in COUNTRIES])[people.country] / 24
    favourite = choose(rng, norms.HOURS, count)
    habit = np.where(people.odd["scheduled"], 0.9, rng.beta(1.5, 3.0, count))
    hour = np.where(rng.random(owner.size) < habit[owner], favourite[owner], choose(rng, norms.HOURS, owner.size))
    local = np.floor(day + ahead[owner])
    weight = norms.WEEKDAYS / norms.WEEKDAYS.mean() - 1
    taste = weight + people.norm("regular")[:, None] * rng.standard_normal((count, 7))
    here, there = (taste[owner, (local + step).astype(np.int64) % 7] for step in (0, 1))
    local += rng.random(owner.size) < np.clip(there - here, 0, 0.9)
    minutes = np.where(people.odd["scheduled"][owner], rng.integers(0, 3, owner.size), rng.integers(0, 60, owner.size))
    return local - ahead[owner] + (hour + (minutes + rng.random(owner.size)) / 60) / 24


def _mark_one(rng: np.random.Generator, owner: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mark one post of each chosen creator, bool of shape (posts,)."""
    marked = np.zeros(owner.size, dtype=bool)
    posts = np.bincount(owner, minlength=chosen.size)
    first = np.cumsum(posts) - posts
    some = np.flatnonzero(chosen & (posts > 0))
    marked[first[some] + (rng.random(some.size) * posts[some]).astype(np.int64)] = True
    return marked
