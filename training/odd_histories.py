"""Honest oddities for any histories: what happens to people who bought nothing, hard negatives to measure alarms on.

Everything added here is simulated, also where the histories are real. Sizes are drawn from the range in which things
are bought, so that size alone does not tell them from manipulation.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import pandas as pd

from features.tables import TEXT, Tables, of_creators
from features.texts import read_texts
from features.wording import ENGLISH, VIETNAMESE, languages_of
from training.captions import LANGUAGES, NICHES, draw_captions
from training.comment_sets import simulate_comments
from training.fraud import SIZES
from training.odd_world import DELAY_HOURS, LEAST_POSTS, POST_COUNTS, World
from training.oddities import JUMP, log_uniform
from training.pods import pseudonym

#: Reach of a hit over the next best post, at least; a hit's likes and comments for its reach are those of the
#: creator's best fifth of posts, but for this sd of the logarithm (assumed).
HIT_LEAD, HIT_SCATTER = 1.3, 0.2
#: Likes of a giveaway's post over the usual ones (assumed).
GIVEAWAY_LIKES = (0.3, 2.0)
#: Part of the posts of a campaign of the platform's ads that are carried, and likes and comments of a carried view over
#: those of another one: few of those who are shown it react (assumed).
ADS_POSTS, ADS_LIKES, ADS_COMMENTS = 0.4, (0.05, 0.3), 0.03
#: Part of the growth that a break takes, part of a channel's views, and its days (assumed).
BREAK_GROWTH, BREAK_VIEWS, BREAK_DAYS = (0.7, 1.0), 0.4, (21.0, 120.0)
#: Creators of a fan community, creators whom a fan reads, and chances that a fan reacts to a post and that a reaction
#: has words (assumed); the median and log sd of their delay, in hours: sooner than others, not all within the first.
COMMUNITY, FAN_READS, FAN_REACTS, FAN_TALKS, FAN_DELAY = (5, 12), (2, 6), (0.3, 0.9), (0.2, 0.8), (2.0, 1.3)
MOST_FANS = 80
#: Followers of a small account, and how engagement falls when followers do: log engagement rate falls by -.09 to -.16
#: for each unit of log followers (public sets, measured).
SMALL, SMALL_ENGAGEMENT = (1_000, 9_000), 0.88
#: Height of the log of a season, and the periods, in days, that it may have.
SEASON, YEAR, MONTH = (0.3, 0.9), 365.25, 30.4
#: Collected comments that a post gains at most.
MOST_COMMENTS = 60

_FRIENDS = ("@linh.ng{}", "@minh_{}", "@anna{}", "@tom.{}", "@dewi_{}", "@sarah{}", "@hoang{}", "@mai_{}", "@jay{}")


@cache
def _honest_texts() -> Mapping[str, np.ndarray]:
    """Honest comments of the grammars, by language."""
    written = simulate_comments(12_000, 20_260_302)
    language = pd.Series(written.groups).str.partition("/")[0].to_numpy()
    texts = written.comments["text"].to_numpy(dtype=object)
    return {name: texts[~written.inauthentic & (language == name)] for name in ("en", "vi", "id")}


def _spoken(world: World) -> np.ndarray:
    """Language of each creator as the profile says it, or else most captions: "en", "vi", another code, or ""."""
    creators, posts = world.tables["creators"], world.tables["posts"]
    said = creators["language"].fillna("") if "language" in creators else pd.Series("", index=creators.index)
    spoken = said.str.lower().str[:2].to_numpy(dtype=object)
    unknown = np.flatnonzero(spoken == "")
    if unknown.size and "caption" in posts:
        rows = world.last[np.isin(world.post_owner, unknown)]
        told = languages_of(read_texts(posts["caption"].iloc[rows]))
        counts = np.bincount(world.owner[rows] * (ENGLISH + 1) + told, minlength=len(world.ids) * (ENGLISH + 1))
        most = 1 + np.argmax(counts.reshape(-1, ENGLISH + 1)[:, 1:], axis=1)
        names = np.full(ENGLISH + 1, "", dtype=object)
        names[[VIETNAMESE, ENGLISH]] = "vi", "en"
        spoken[unknown] = names[most[unknown]]
    return spoken


def _texts(world: World, creators: np.ndarray) -> np.ndarray:
    """An honest comment in the language of each of these creators, English where it has no grammar."""
    pools, spoken = _honest_texts(), _spoken(world)[creators]
    texts = world.rng.choice(pools["en"], creators.size)
    for language in ("vi", "id"):
        rows = spoken == language
        texts[rows] = world.rng.choice(pools[language], int(rows.sum()))
    return texts


def _friends(world: World, size: int) -> np.ndarray:
    """Comments that call one to three friends."""
    names = world.rng.choice(np.array(_FRIENDS, dtype=object), (size, 3))
    numbers = world.rng.integers(1, 999, (size, 3))
    calls = world.rng.integers(1, 4, size)
    return np.array(
        [
            " ".join(name.format(number) for name, number in zip(own[:count], digits[:count], strict=True))
            for own, digits, count in zip(names.tolist(), numbers.tolist(), calls.tolist(), strict=True)
        ],
        dtype=object,
    )


def _write_guests(world: World, extra: np.ndarray, before: np.ndarray, *, friends: float) -> None:
    """People who come once, under posts whose comments were collected: as large a part of them as of the others."""
    collected = world.collected()
    part = np.clip(np.divide(collected, before, out=np.zeros(extra.size), where=before > 0), 0, 1)
    gained = np.minimum(world.rng.binomial(np.nan_to_num(extra).astype(np.int64), part), MOST_COMMENTS)
    post = np.repeat(np.arange(gained.size), gained)
    seed = int(world.rng.integers(2**32))
    authors = np.array([pseudonym("guest", number, seed) for number in range(post.size)], dtype=object)
    calling = world.rng.random(post.size) < friends
    texts = _texts(world, world.post_owner[post])
    texts[calling] = _friends(world, int(calling.sum()))
    world.write(post, authors, texts, world.draw_delays(post, *DELAY_HOURS))


def _jump_at(world: World, start: np.ndarray, length: tuple[float, float], leaving: tuple[float, float]) -> None:
    size = len(world.ids)
    world.jump(
        start,
        log_uniform(world.rng, *JUMP, size),
        world.rng.uniform(*length, size),
        world.rng.uniform(*leaving, size),
    )


def _snapshot_day(world: World, able: np.ndarray) -> np.ndarray:
    """A day between the first and the last count of followers of able creators, NaN elsewhere."""
    days, owner = pd.Series(world.snapshot_days()), world.owners_of("snapshots")
    spans = days.groupby(owner).agg(["min", "max"]).reindex(range(len(world.ids))).to_numpy()
    day = spans[:, 0] + (spans[:, 1] - spans[:, 0]) * world.rng.uniform(0.15, 0.85, len(world.ids))
    return np.where(able, day, np.nan)


def _reach(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Count that tells each creator's reach (position in `POST_COUNTS`), and that count of each post."""
    which = np.where(world.knows("views"), 0, 1)
    counts = np.stack([world.last_counts(name) for name in POST_COUNTS[:2]])
    return which, counts[which[world.post_owner], np.arange(world.last.size)]


def _viral_hit(world: World, willing: np.ndarray) -> np.ndarray:
    """One post far beyond the others; its counts are to each other as those of the creator's best posts."""
    which, reach = _reach(world)
    able = willing & (world.knows("views") | world.knows("likes"))
    hit = world.one_post((able[world.post_owner]) & (reach > 0))
    struck = hit >= 0
    by_creator = pd.Series(reach).groupby(world.post_owner)
    most, usual, good = (
        values.reindex(range(len(world.ids))).to_numpy()
        for values in (by_creator.max(), by_creator.median(), by_creator.quantile(0.8))
    )
    sizes = [log_uniform(world.rng, *SIZES[f"bought_{name}"], which.size) for name in POST_COUNTS[:2]]
    size = np.where(which == 0, *sizes)
    goal = np.maximum((1 + size) * np.maximum(usual, 1), HIT_LEAD * most)
    best = reach >= good[world.post_owner]
    post = hit[struck]
    extra = {name: np.zeros(world.last.size) for name in POST_COUNTS}
    for number, name in enumerate(POST_COUNTS):
        count = world.last_counts(name)
        told = best & ~np.isnan(count)
        of_best, of_reach = (
            np.bincount(world.post_owner[told], weights=values[told], minlength=len(world.ids))
            for values in (count, reach)
        )
        rate = np.divide(of_best, of_reach, out=np.zeros(of_best.size), where=of_reach > 0)
        scatter = np.where(which == number, 1.0, np.exp(HIT_SCATTER * world.rng.standard_normal(len(world.ids))))
        extra[name][post] = np.fmax((goal * rate * scatter)[struck] - count[post], 0)
    before = world.last_counts("comments")
    world.add(extra)
    _write_guests(world, extra["comments"], before, friends=0.1)
    _jump_at(world, _days_of(world, hit), (0.5, 5.0), (0.0, 0.3))
    return struck


def _days_of(world: World, post: np.ndarray) -> np.ndarray:
    """Day of a post of each creator, NaN where it is -1."""
    return np.where(post >= 0, np.append(world.post_day, np.nan)[post], np.nan)


def _press_mention(world: World, willing: np.ndarray) -> np.ndarray:
    """Followers come without a post, fewer each day."""
    struck = willing & world.followed()
    if struck.any():
        _jump_at(world, _snapshot_day(world, struck), (0.5, 8.0), (0.0, 0.3))
    return struck


def _giveaway(world: World, willing: np.ndarray) -> np.ndarray:
    """A post under which people call friends; followers come, and many leave within weeks."""
    able = willing & world.talked()
    chosen = world.one_post(able[world.post_owner] & ~np.isnan(world.last_counts("comments")))
    struck = chosen >= 0
    post = chosen[struck]
    extra = {name: np.zeros(world.last.size) for name in ("comments", "likes")}
    comments = log_uniform(world.rng, *SIZES["comment_bots"], len(world.ids)) * np.maximum(world.usual("comments"), 1)
    likes = world.rng.uniform(*GIVEAWAY_LIKES, len(world.ids)) * np.nan_to_num(world.usual("likes"))
    extra["comments"][post], extra["likes"][post] = comments[struck], likes[struck]
    before = world.last_counts("comments")
    world.add(extra)
    _write_guests(world, extra["comments"], before, friends=0.85)
    _jump_at(world, _days_of(world, chosen), (0.5, 5.0), (0.2, 0.6))
    return struck


def _paid_ads(world: World, willing: np.ndarray) -> np.ndarray:
    """The platform's own ads for some weeks: carried posts, few of whose viewers react, and steadily more followers."""
    able = willing & world.knows("views")
    start = world.quantile_day(world.rng.uniform(0.1, 0.85, len(world.ids)))
    length = log_uniform(world.rng, 20, 120, len(world.ids))
    views = world.last_counts("views")
    age = world.post_day - start[world.post_owner]
    within = able[world.post_owner] & (age >= 0) & (age <= length[world.post_owner]) & (views > 0)
    carried = within & (world.rng.random(age.size) < ADS_POSTS)
    carried[world.one_post(within)[np.unique(world.post_owner[within])]] = True
    struck = np.bincount(world.post_owner[carried], minlength=len(world.ids)) > 0
    bought = log_uniform(world.rng, *SIZES["bought_views"], age.size) * carried * np.nan_to_num(views)
    keen = world.rng.uniform(*ADS_LIKES, len(world.ids))[world.post_owner]
    extra = {"views": bought}
    for name, reacting in (("likes", keen), ("comments", ADS_COMMENTS)):
        rate = np.divide(world.last_counts(name), views, out=np.zeros(age.size), where=views > 0)
        extra[name] = np.floor(bought * np.nan_to_num(rate) * reacting)
    world.add(extra)
    world.jump(
        np.where(struck, start, np.nan),
        log_uniform(world.rng, *JUMP, len(world.ids)),
        length,
        world.rng.uniform(0.0, 0.2, len(world.ids)),
        steady=True,
    )
    return struck


def _break_and_comeback(world: World, willing: np.ndarray) -> np.ndarray:
    """Weeks without a post, and hardly any new followers in them."""
    first, last = (world.quantile_day(np.full(len(world.ids), level)) for level in (0.0, 1.0))
    length = np.minimum(log_uniform(world.rng, *BREAK_DAYS, len(world.ids)), 0.5 * (last - first))
    start = first + (last - first - length) * world.rng.uniform(0.2, 0.8, len(world.ids))
    age = world.post_day - start[world.post_owner]
    silent = (age > 0) & (age < length[world.post_owner])
    posts, gone = (np.bincount(world.post_owner[rows], minlength=len(world.ids)) for rows in (~silent, silent))
    struck = willing & (length >= BREAK_DAYS[0]) & (posts >= LEAST_POSTS) & (gone > 0)
    world.drop_posts(silent & struck[world.post_owner])
    parts = {
        "followers": world.rng.uniform(*BREAK_GROWTH, len(world.ids)),
        "total_views": np.full(len(world.ids), BREAK_VIEWS),
    }
    for name, part in parts.items():
        world.recount(name, struck, partial(_idle, start, start + length, part))
    return struck


def _idle(
    start: np.ndarray, stop: np.ndarray, part: np.ndarray,
    gain: np.ndarray, owner: np.ndarray, begin: np.ndarray, end: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Gains without a part of what falls between start and stop, each of shape (creators,)."""
    shared = np.maximum(np.minimum(end, stop[owner]) - np.maximum(begin, start[owner]), 0)
    inside = np.divide(shared, end - begin, out=np.zeros(gain.size), where=end > begin)
    return np.asarray(gain - np.maximum(gain, 0) * part[owner] * np.nan_to_num(inside))


def _hidden_likes(world: World, willing: np.ndarray) -> np.ndarray:
    """No like counts of posts from some day on."""
    able = willing & world.knows("likes")
    start = world.quantile_day(world.rng.uniform(0.3, 0.8, len(world.ids)))
    hidden = able[world.owner] & (world.published > start[world.owner])
    posts = world.tables["posts"]
    shown = posts["likes"].notna().to_numpy() & hidden
    world.tables["posts"] = posts.assign(likes=posts["likes"].mask(shown))
    return np.bincount(world.owner[shown], minlength=len(world.ids)) > 0


def _communities(world: World, able: np.ndarray) -> list[np.ndarray]:
    """Able creators of one platform, language and niche, as far as these are known, in groups of `COMMUNITY`."""
    creators = world.tables["creators"]
    alike = [name for name in ("platform", "language", "niche") if name in creators]
    kind = creators.groupby(alike, dropna=False, sort=False).ngroup().to_numpy()
    members = world.rng.permutation(np.flatnonzero(able))
    members = members[np.argsort(kind[members], kind="stable")]
    groups = []
    for own in np.split(members, np.flatnonzero(np.diff(kind[members])) + 1):
        sizes = world.rng.integers(COMMUNITY[0], COMMUNITY[1] + 1, own.size)
        ends = np.cumsum(sizes)
        groups += [group for group in np.split(own, ends[ends < own.size]) if group.size >= FAN_READS[0]]
    return groups


def _fan_community(world: World, willing: np.ndarray) -> np.ndarray:
    """Readers of several similar creators who comment often and soon; they join one by one, and nobody answers."""
    able = willing & world.talked()
    usual = np.maximum(np.nan_to_num(world.usual("comments")), 1)
    order = np.argsort(world.post_owner, kind="stable")
    bounds = np.searchsorted(world.post_owner[order], np.arange(len(world.ids) + 1))
    seed, named = int(world.rng.integers(2**32)), 0
    struck = np.zeros(len(world.ids), dtype=bool)
    posts, fans, reacting = [], [], np.zeros(world.last.size)
    for group in _communities(world, able):
        own = np.concatenate([order[bounds[creator] : bounds[creator + 1]] for creator in group])
        publisher = np.repeat(np.arange(group.size), bounds[group + 1] - bounds[group])
        mean_reads = (FAN_READS[0] + min(FAN_READS[1], group.size)) / 2
        wanted = log_uniform(world.rng, *SIZES["engagement_pods"], 1)[0] * np.median(usual[group]) * 3
        count = int(np.clip(round(wanted * group.size / mean_reads), 4, MOST_FANS * group.size // 2))
        rank = world.rng.random((count, group.size)).argsort(axis=1).argsort(axis=1)
        follows = rank < world.rng.integers(FAN_READS[0], min(FAN_READS[1], group.size) + 1, (count, 1))
        days = world.post_day[own]
        joined = world.rng.uniform(days.min() - 60, days.max(), (count, 1))
        keen = world.rng.uniform(*FAN_REACTS, (count, 1))
        talks = world.rng.uniform(*FAN_TALKS, (count, 1))
        reacts = follows[:, publisher] & (joined <= days) & (world.rng.random((count, own.size)) < keen)
        reacting[own] += reacts.sum(axis=0)
        fan, row = np.nonzero(reacts & (world.rng.random(reacts.shape) < talks))
        posts.append(own[row])
        fans.append(fan + named)
        named += count
        struck[group[np.bincount(publisher[row], minlength=group.size) > 0]] = True
    post, fan = (np.concatenate(parts) if parts else np.empty(0, dtype=np.int64) for parts in (posts, fans))
    before = world.last_counts("comments")
    known = ~np.isnan(before)
    world.add({"comments": np.bincount(post, minlength=known.size) * known, "likes": reacting})
    part = np.clip(np.divide(world.collected(), before, out=np.zeros(known.size), where=before > 0), 0, 1)
    shown = world.rng.random(post.size) < part[post]
    post, fan = post[shown], fan[shown]
    names = {number: pseudonym("fan", number, seed) for number in np.unique(fan).tolist()}
    authors = np.array([names[number] for number in fan.tolist()], dtype=object)
    world.write(post, authors, _texts(world, world.post_owner[post]), world.draw_delays(post, *FAN_DELAY))
    return struck & (np.bincount(world.post_owner[known], minlength=struck.size) > 0)


def _small_account(world: World, willing: np.ndarray) -> np.ndarray:
    """As few people as a nano account has: each follower kept by chance, and each reaction."""
    followers = world.followers()
    struck = willing & (followers > SMALL[1]) & (world.knows("likes") | world.knows("views"))
    goal = log_uniform(world.rng, *SMALL, len(world.ids))
    rate = np.where(struck, goal / np.where(struck, followers, 1.0), 1.0)
    world.thin((rate**SMALL_ENGAGEMENT)[world.post_owner])

    def few(gain: np.ndarray, owner: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        kept = world.rng.binomial(np.abs(gain).astype(np.int64), rate[owner])
        return np.asarray(np.sign(gain) * kept)

    for name in ("followers", "total_views"):
        world.recount(name, struck, few)
    return struck


def _language_switch(world: World, willing: np.ndarray) -> np.ndarray:
    """Captions, and what is answered, in another language from some day on."""
    posts = world.tables["posts"]
    if "caption" not in posts:
        return np.zeros(len(world.ids), dtype=bool)
    worded = posts["caption"].fillna("").str.len().to_numpy() > 0
    spoken = _spoken(world)
    choice = world.rng.permuted(np.tile(np.array(["en", "vi", "id"], dtype=object), (spoken.size, 1)), axis=1)
    second = np.where(choice[:, 0] == spoken, choice[:, 1], choice[:, 0])
    enough = np.bincount(world.post_owner[worded[world.last]], minlength=spoken.size) >= LEAST_POSTS
    start = world.quantile_day(world.rng.uniform(0.3, 0.8, spoken.size))
    often = world.rng.uniform(0.6, 1.0, spoken.size)[world.post_owner]
    sponsored = posts["is_sponsored"].fillna(False).to_numpy(dtype=bool) if "is_sponsored" in posts else ~worded
    later = (willing & enough)[world.post_owner] & (world.post_day > start[world.post_owner])
    # who is paid keeps the words that say so
    later &= worded[world.last] & ~(sponsored & worded)[world.last] & (world.rng.random(later.size) < often)
    rows = np.flatnonzero(later[world.post])
    own_post, owner = world.post[rows], world.owner[rows]
    numbers = world.rng.integers(0, 5_040, (world.last.size, 6))
    captions = draw_captions(
        _niches(world)[owner],
        np.array([LANGUAGES.index(name) for name in second[owner]], dtype=np.int64),
        numbers[own_post],
        sponsor=np.full(rows.size, -1),
        giveaway=np.zeros(rows.size, dtype=bool),
    )
    now = posts["caption"].to_numpy(dtype=object, copy=True)
    now[rows] = captions.to_pylist()
    world.tables["posts"] = posts.assign(caption=pd.Series(now, index=posts.index, dtype=TEXT))
    if "comments" in world.tables:
        _answer_in(world, later, second)
    return np.bincount(world.post_owner[later], minlength=spoken.size) > 0


def _niches(world: World) -> np.ndarray:
    """Position of each creator's niche in `NICHES`, any one where it is another or unknown."""
    creators = world.tables["creators"]
    drawn = world.rng.integers(0, len(NICHES), len(creators))
    known = (
        pd.Index(NICHES).get_indexer(pd.Index(creators["niche"])) if "niche" in creators else np.full(drawn.size, -1)
    )
    return np.where(known >= 0, known, drawn)


def _answer_in(world: World, posts: np.ndarray, language: np.ndarray) -> None:
    """Put most comments under some posts (bool of shape (posts,)) into each creator's other language."""
    comments, under = world.tables["comments"], world.posts_of_comments()
    rows = np.flatnonzero((under >= 0) & posts[under] & (comments["text"].notna()).to_numpy())
    rows = rows[world.rng.random(rows.size) < 0.7]
    texts, pools = comments["text"].to_numpy(dtype=object, copy=True), _honest_texts()
    spoken = language[world.post_owner[under[rows]]]
    for name, pool in pools.items():
        own = rows[spoken == name]
        texts[own] = world.rng.choice(pool, own.size)
    world.tables["comments"] = comments.assign(text=pd.Series(texts, index=comments.index, dtype=TEXT))


def _seasonal_business(world: World, willing: np.ndarray) -> np.ndarray:
    """Posting, reach and new followers rise and fall with the year or, where less is known, with the month."""
    first, last = (world.quantile_day(np.full(len(world.ids), level)) for level in (0.0, 1.0))
    able = willing & (world.knows("likes") | world.knows("views")) & (last - first >= 2 * MONTH)
    yearly = (last - first >= 0.6 * YEAR) & (world.rng.random(able.size) < 0.7)
    period = np.where(yearly, YEAR, MONTH)
    height, phase = world.rng.uniform(*SEASON, able.size), world.rng.uniform(0, 2 * np.pi, able.size)

    def season(owner: np.ndarray, day: np.ndarray) -> np.ndarray:
        return np.asarray(height[owner] * np.sin(2 * np.pi * day / period[owner] + phase[owner]))

    quiet = world.rng.random(world.last.size) > np.exp(
        season(world.post_owner, world.post_day) - height[world.post_owner]
    )
    left = np.bincount(world.post_owner[~quiet], minlength=able.size)
    world.drop_posts(quiet & (able & (left >= LEAST_POSTS))[world.post_owner])
    wave = np.exp(season(world.post_owner, world.post_day))
    world.scale(np.where(able[world.post_owner], wave, 1.0))

    def moved(gain: np.ndarray, owner: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        middle = np.where(np.isnan(begin), end, (begin + end) / 2)
        wave = np.where(np.isnan(begin) | (gain <= 0), 1.0, np.exp(season(owner, middle)))
        return np.asarray(gain * wave)

    for name in ("followers", "total_views"):
        world.recount(name, able, moved)
    return able


_STRIKES: Mapping[str, Callable[[World, np.ndarray], np.ndarray]] = {
    "viral_hit": _viral_hit,
    "press_mention": _press_mention,
    "giveaway": _giveaway,
    "paid_ads": _paid_ads,
    "break_and_comeback": _break_and_comeback,
    "hidden_likes": _hidden_likes,
    "fan_community": _fan_community,
    "small_account": _small_account,
    "language_switch": _language_switch,
    "seasonal_business": _seasonal_business,
}
ODDITIES = tuple(_STRIKES)


def strike(tables: Tables, oddity: str, rng: np.random.Generator, *, share: float = 1.0) -> tuple[Tables, pd.Index]:
    """Add one honest oddity to histories.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Checked tables; they are not changed.
    oddity : str
        One of `ODDITIES`.
    rng : Generator
    share : float
        Chance, between 0 and 1, that a creator whose tables can show it is struck.

    Returns
    -------
    tables : dict of str to DataFrame
        New frames where something changed; counts are rounded as that creator's are published, missing counts stay
        missing, and rows of creators who were not struck stay as they are.
    struck : Index of str
        The creators who have it: of a creator whose tables cannot show it, nothing changes.

    Raises
    ------
    KeyError
        Where there is no such oddity.
    """
    change = _STRIKES[oddity]
    world = World(tables, rng)
    struck = change(world, rng.random(len(world.ids)) < share)
    return (world.tables if struck.any() else tables), world.ids[struck]


def strike_some(tables: Tables, rng: np.random.Generator, *, share: float) -> tuple[Tables, pd.Series]:
    """Strike a part of the creators with one oddity each, drawn; the others' rows stay as they are.

    Parameters
    ----------
    tables, rng
        As for `strike`.
    share : float
        Chance that an oddity is drawn for a creator; of those whose tables cannot show it nothing changes.

    Returns
    -------
    tables : dict of str to DataFrame
    oddities : Series of str
        What struck each creator, by creator_id; empty text for nothing.
    """
    ids = tables["creators"]["creator_id"].to_numpy()
    drawn = np.where(rng.random(ids.size) < share, rng.integers(0, len(ODDITIES), ids.size), -1)
    parts = [of_creators(tables, pd.Index(ids[drawn < 0]))]
    oddities = pd.Series("", index=pd.Index(ids, name="creator_id"))
    for number, oddity in enumerate(ODDITIES):
        own = of_creators(tables, pd.Index(ids[drawn == number]))
        if not own["creators"].empty:
            changed, struck = strike(own, oddity, rng)
            parts.append(changed)
            oddities[struck] = oddity
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in tables}, oddities
