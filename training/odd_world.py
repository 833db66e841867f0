"""Tables of creators to whom something honest happens: counts, followers and comments changed without a contradiction.

A post seen several times keeps its pace, followers change between two counts and never before, a channel counts its
posts' views, and no post has more collected comments than it counts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from features.histories import days_since_epoch
from features.tables import TEXT, TIME, Tables
from training.deliveries import floats, last_moment, pairs, seen_days
from training.oddities import LEAVING_DAYS
from training.rounding import detect_rounding, round_counts

#: Counts of a post, its reach first: the others follow it.
POST_COUNTS = ("views", "likes", "comments", "shares", "saves")
#: Posts with a count, and counts of followers, that a creator needs to show an oddity.
LEAST_POSTS, LEAST_SNAPSHOTS = 8, 9
#: Collected comments that show what many posts would show elsewhere.
LEAST_COMMENTS = 10
#: Days in which half of a post's views come (assumed; between TikTok's hours and YouTube's six days).
HALF_LIFE = 1.5
#: Days over which followers of a jump may come.
LONGEST = 200
#: Median and sd of the logarithm of the delay of a comment, in hours (assumed).
DELAY_HOURS = (6.0, 1.5)


def with_counts(
    frame: pd.DataFrame, name: str, values: np.ndarray, changed: np.ndarray, owner: np.ndarray, owners: int
) -> pd.DataFrame:
    """A frame with other counts in the changed rows, rounded as each owner's are; null stays null."""
    before = floats(frame, name)
    changed = changed & ~np.isnan(before) & ~np.isnan(values)
    if not changed.any():
        return frame
    rounding = detect_rounding(before, owner, owners)[owner]
    # a count that was already published as it is does not move because of the rounding
    now = np.where(changed & (values != before), round_counts(np.maximum(values, 0), rounding), before)
    missing = np.isnan(now)
    counts = pd.arrays.IntegerArray(np.where(missing, 0, now).astype(np.int64), missing)
    return frame.assign(**{name: pd.Series(counts, index=frame.index)})


class World:
    """Histories to be changed: copies of frames where something changes, the old ones where nothing does.

    Attributes
    ----------
    ids : Index of str
        Creators, in the order of their table.
    owner, post : ndarray of int, shape (post rows,)
        Creator and post (0 to `posts - 1`) of each row of the posts table; a post seen again has several rows.
    published : ndarray of float64, shape (post rows,)
        Days since 1970.
    post_owner, post_day, last : ndarray, shape (posts,)
        Creator, day and last observed row of each post.
    """

    def __init__(self, tables: Tables, rng: np.random.Generator) -> None:
        self.tables, self.rng = dict(tables), rng
        self.ids = pd.Index(tables["creators"]["creator_id"])
        self.now = last_moment(tables)
        self._number_posts()

    def _number_posts(self) -> None:
        posts = self.tables["posts"].reset_index(drop=True)
        self.tables["posts"] = posts
        self.owner = self.ids.get_indexer(pd.Index(posts["creator_id"]))
        self.post = posts.groupby(["creator_id", "post_id"], sort=False).ngroup().to_numpy()
        self.published, self.seen = days_since_epoch(posts["published_at"]), seen_days(posts, self.now)
        order = np.argsort(self.seen, kind="stable")
        self.last = np.zeros(self.post.max(initial=-1) + 1, dtype=np.int64)
        self.last[self.post[order]] = order
        self.post_owner, self.post_day = self.owner[self.last], self.published[self.last]

    def owners_of(self, name: str) -> np.ndarray:
        """Creator of each row of a table, int64 of shape (rows,)."""
        return self.ids.get_indexer(pd.Index(self.tables[name]["creator_id"]))

    def last_counts(self, name: str) -> np.ndarray:
        """A count of each post as last seen, NaN where unknown; shape (posts,)."""
        return floats(self.tables["posts"], name)[self.last]

    def knows(self, name: str) -> np.ndarray:
        """Which creators have at least `LEAST_POSTS` posts with this count above 0 somewhere, bool (creators,)."""
        count = self.last_counts(name)
        known = np.bincount(self.post_owner[~np.isnan(count)], minlength=len(self.ids)) >= LEAST_POSTS
        return known & (np.bincount(self.post_owner[count > 0], minlength=len(self.ids)) > 0)

    def talked(self) -> np.ndarray:
        """Whose comments are known: from counts of enough posts, or collected ones; bool (creators,)."""
        under = self.collected() * (self.last_counts("comments") > 0)
        many = np.bincount(self.post_owner, weights=under, minlength=len(self.ids)) >= LEAST_COMMENTS
        return self.knows("comments") | many

    def followed(self) -> np.ndarray:
        """Which creators have at least `LEAST_SNAPSHOTS` counts of followers, bool (creators,)."""
        if "snapshots" not in self.tables:
            return np.zeros(len(self.ids), dtype=bool)
        known = ~np.isnan(floats(self.tables["snapshots"], "followers"))
        return np.bincount(self.owners_of("snapshots")[known], minlength=len(self.ids)) >= LEAST_SNAPSHOTS

    def usual(self, name: str) -> np.ndarray:
        """Median of a count over each creator's posts, NaN without one; shape (creators,)."""
        medians = pd.Series(self.last_counts(name)).groupby(self.post_owner).median()
        return medians.reindex(range(len(self.ids))).to_numpy()

    def first_snapshot(self) -> np.ndarray:
        """Day of each creator's first count of followers, infinite without any; shape (creators,)."""
        first = np.full(len(self.ids), np.inf)
        if "snapshots" in self.tables:
            np.minimum.at(first, self.owners_of("snapshots"), days_since_epoch(self.tables["snapshots"]["observed_at"]))
        return first

    def snapshot_days(self) -> np.ndarray:
        """When each snapshot was taken, in days since 1970; shape (snapshots,)."""
        return days_since_epoch(self.tables["snapshots"]["observed_at"])

    def followers(self) -> np.ndarray:
        """Followers of each creator's profile, NaN where unknown; shape (creators,)."""
        return floats(self.tables["creators"], "followers")

    def quantile_day(self, level: np.ndarray) -> np.ndarray:
        """Day by which a part (0 to 1) of each creator's posts was published; NaN without posts; shape (creators,)."""
        order = np.lexsort((self.post_day, self.post_owner))
        size = np.bincount(self.post_owner, minlength=len(self.ids))
        place = np.cumsum(size) - size + np.floor(level * np.maximum(size - 1, 0)).astype(np.int64)
        days = np.append(self.post_day[order], np.nan)
        return np.where(size > 0, days[np.minimum(place, order.size)], np.nan)

    def one_post(self, able: np.ndarray) -> np.ndarray:
        """One of the able posts of each creator, -1 where there is none; shape (creators,).

        Posts that the counts of followers cover are preferred: what happened before could not be seen in them.
        """
        covered = self.post_day > self.first_snapshot()[self.post_owner]
        rank = np.where(able, self.rng.random(able.size) + covered, -1.0)
        chosen = np.full(len(self.ids), -1)
        order = np.argsort(rank, kind="stable")
        order = order[rank[order] >= 0]
        chosen[self.post_owner[order]] = order
        return chosen

    # ---- posts

    def progress(self) -> np.ndarray:
        """Part of its last reach that a post had at each row, between 0 and 1; shape (post rows,)."""
        age = np.maximum(self.seen - self.published, 0)
        part = age / (age + HALF_LIFE)
        final = part[self.last][self.post]
        come = np.divide(part, final, out=np.ones(part.size), where=final > 0)
        for name in reversed(POST_COUNTS[:3]):
            count = floats(self.tables["posts"], name)
            last = count[self.last][self.post]
            told = (last > 0) & ~np.isnan(count)
            come = np.where(told, np.divide(count, last, out=np.ones(part.size), where=told), come)
        return np.clip(come, 0, 1)

    def add(self, extra: dict[str, np.ndarray]) -> None:
        """Add to the last counts of posts, and to earlier ones as far as they had come.

        Parameters
        ----------
        extra : dict of str to ndarray of float64, shape (posts,)
            By count, 0 or more.
        """
        come = self.progress()
        for name, amount in extra.items():
            if name in self.tables["posts"]:
                added = np.floor(np.nan_to_num(amount)[self.post] * come)
                count = floats(self.tables["posts"], name)
                self._set_posts(name, count + added, added > 0)
        self._add_total_views(np.nan_to_num(extra.get("views", np.zeros(self.last.size))))

    def scale(self, factor: np.ndarray) -> None:
        """Multiply all counts of posts, `factor` of shape (posts,); a channel's total is left to `recount`."""
        for name in POST_COUNTS:
            if name in self.tables["posts"]:
                count = floats(self.tables["posts"], name)
                self._set_posts(name, np.floor(count * factor[self.post]), (factor != 1)[self.post])
        self._drop_surplus_comments((factor < 1)[self.post])

    def thin(self, rate: np.ndarray) -> None:
        """Keep each view, like and comment with a probability, `rate` of shape (posts,); 1 changes nothing."""
        order = np.lexsort((self.seen, self.post))
        begins = np.append(True, self.post[order][1:] != self.post[order][:-1])
        for name in POST_COUNTS:
            if name in self.tables["posts"]:
                count = floats(self.tables["posts"], name)
                known = np.nan_to_num(count)[order]
                gained = np.maximum(np.where(begins, known, known - np.append(0.0, known[:-1])), 0)
                kept = np.cumsum(self.rng.binomial(gained.astype(np.int64), rate[self.post[order]]))
                first = np.flatnonzero(begins)
                before = np.append(0, kept)[first]
                thinned = np.empty(count.size)
                thinned[order] = kept - np.repeat(before, np.diff(np.append(first, count.size)))
                self._set_posts(name, thinned, (rate < 1)[self.post])
        self._drop_surplus_comments((rate < 1)[self.post])

    def _set_posts(self, name: str, values: np.ndarray, changed: np.ndarray) -> None:
        self.tables["posts"] = with_counts(self.tables["posts"], name, values, changed, self.owner, len(self.ids))

    def _add_total_views(self, extra: np.ndarray) -> None:
        some = np.flatnonzero(extra > 0)
        if not some.size or "snapshots" not in self.tables or "total_views" not in self.tables["snapshots"]:
            return
        snapshots, owner = self.tables["snapshots"], self.owners_of("snapshots")
        which, row = pairs(owner, self.post_owner[some])
        age = days_since_epoch(snapshots["observed_at"])[row] - self.post_day[some][which]
        come = np.maximum(age, 0) / (np.maximum(age, 0) + HALF_LIFE)
        added = np.floor(np.bincount(row, weights=extra[some][which] * come, minlength=len(snapshots)))
        total = floats(snapshots, "total_views") + added
        self.tables["snapshots"] = with_counts(snapshots, "total_views", total, added > 0, owner, len(self.ids))

    def drop_posts(self, dropped: np.ndarray) -> None:
        """Let posts never have been published, bool of shape (posts,): neither they nor their comments are there."""
        if not dropped.any():
            return
        for name, owner, seen in self._profiles():
            if "posts_count" in self.tables[name]:
                which, row = pairs(owner, self.post_owner[dropped])
                fewer = np.bincount(row[self.post_day[dropped][which] <= seen[row]], minlength=seen.size)
                count = floats(self.tables[name], "posts_count") - fewer
                self.tables[name] = with_counts(
                    self.tables[name], "posts_count", count, fewer > 0, owner, len(self.ids)
                )
        posts = self.tables["posts"]
        if "comments" in self.tables:
            gone = pd.MultiIndex.from_frame(posts.loc[self.last[dropped], ["creator_id", "post_id"]])
            under = pd.MultiIndex.from_frame(self.tables["comments"][["creator_id", "post_id"]])
            self.tables["comments"] = self.tables["comments"][~under.isin(gone)].reset_index(drop=True)
        self.tables["posts"] = posts[~dropped[self.post]]
        self._number_posts()

    # ---- followers

    def _profiles(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Tables with counts of profiles: name, creator of each row, and when it was seen."""
        creators = self.tables["creators"]
        found = [("creators", np.arange(len(creators)), seen_days(creators, self.now))]
        if "snapshots" in self.tables:
            taken = days_since_epoch(self.tables["snapshots"]["observed_at"])
            found.append(("snapshots", self.owners_of("snapshots"), taken))
        return found

    def recount(self, name: str, struck: np.ndarray, change: Callable[..., np.ndarray]) -> None:
        """Change what a count of profiles gains from one observation to the next.

        Parameters
        ----------
        name : str
            "followers" or "total_views".
        struck : ndarray of bool, shape (creators,)
        change : callable
            (gain, owner, begin, end) -> gain, float64 of shape (rows,): `begin` and `end` are days, `begin` is NaN for
            the first count of a creator, whose gain is the count.
        """
        parts = [part for part in self._profiles() if name in self.tables[part[0]]]
        if not parts:
            return
        values = [floats(self.tables[table], name) for table, _, _ in parts]
        count, owner, seen = (
            np.concatenate(columns) for columns in (values, [part[1] for part in parts], [part[2] for part in parts])
        )
        rows = np.flatnonzero(~np.isnan(count) & struck[owner])
        rows = rows[np.lexsort((seen[rows], owner[rows]))]
        first = np.append(True, owner[rows][1:] != owner[rows][:-1])[: rows.size]
        begin = np.where(first, np.nan, np.append(np.nan, seen[rows][:-1])[: rows.size])
        gain = np.where(first, count[rows], count[rows] - np.append(0.0, count[rows][:-1])[: rows.size])
        changed = np.cumsum(change(gain, owner[rows], begin, seen[rows]))
        starts = np.flatnonzero(first)
        before = np.append(0.0, changed)[starts]
        now = count.copy()
        now[rows] = changed - np.repeat(before, np.diff(np.append(starts, rows.size)))
        moved = np.abs(now - count) >= 1
        # the profile is published as the snapshots are
        rounding = detect_rounding(count, owner, len(self.ids))[owner]
        now = np.where(moved, round_counts(np.maximum(now, 0), rounding), count)
        place = 0
        for (table, own, _), value in zip(parts, values, strict=True):
            part, at = now[place : place + value.size], moved[place : place + value.size]
            exact = np.arange(own.size)  # rounded above
            self.tables[table] = with_counts(self.tables[table], name, part, at, exact, own.size)
            place += value.size

    def jump(
        self, start: np.ndarray, size: np.ndarray, length: np.ndarray, leaving: np.ndarray, *, steady: bool = False
    ) -> None:
        """Let followers come, most of them soon or, steadily, alike on all days, and a part of them leave again.

        Parameters
        ----------
        start : ndarray of float64, shape (creators,)
            Day on which the first come, NaN where none do.
        size, length, leaving : ndarray of float64, shape (creators,)
            Followers won over followers at the start; days in which 63 % (steadily: all) have come; part that leaves.
        """
        days = np.arange(LONGEST)
        width = np.nan_to_num(length, nan=1.0)[:, None]
        pace = np.where(days < width, 1.0, 0.0) if steady else np.exp(-days / width)
        # good days and bad ones, as people come
        pace = pace * self.rng.gamma(3.0, 1 / 3.0, pace.shape)
        come = np.concatenate([np.zeros((start.size, 1)), np.cumsum(pace, axis=1)], axis=1)
        come /= np.maximum(come[:, -1:], 1e-12)

        def gained(owner: np.ndarray, day: np.ndarray) -> np.ndarray:
            age = np.clip(day - start[owner], 0, LONGEST - 1e-6)
            whole = age.astype(np.int64)
            part = come[owner, whole] + (age - whole) * (come[owner, whole + 1] - come[owner, whole])
            left = -np.expm1(-np.maximum(day - start[owner] - length[owner], 0) / LEAVING_DAYS)
            return np.asarray(part * (1 - leaving[owner] * left))

        def change(gain: np.ndarray, owner: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
            known = np.cumsum(gain)
            known -= np.repeat(
                np.append(0.0, known)[np.flatnonzero(np.isnan(begin))],
                np.diff(np.append(np.flatnonzero(np.isnan(begin)), gain.size)),
            )
            base = np.full(start.size, np.nan)
            base[owner[::-1]] = known[::-1]
            earlier = end <= start[owner]
            base[owner[earlier]] = known[earlier]  # rows are in the order of time: the last one before stays
            since = np.where(np.isnan(begin), 0.0, gained(owner, np.nan_to_num(begin)))
            return np.asarray(gain + base[owner] * size[owner] * (gained(owner, end) - since))

        self.recount("followers", ~np.isnan(start), change)

    # ---- comments

    def collected(self) -> np.ndarray:
        """Collected comments of each post, int64 of shape (posts,)."""
        if "comments" not in self.tables:
            return np.zeros(self.last.size, dtype=np.int64)
        under = self.posts_of_comments()
        return np.bincount(under[under >= 0], minlength=self.last.size)

    def posts_of_comments(self) -> np.ndarray:
        """Post that each collected comment stands under, -1 where it is not there; shape (comments,)."""
        posts = self.tables["posts"].iloc[self.last]
        keys = pd.MultiIndex.from_frame(posts[["creator_id", "post_id"]])
        return keys.get_indexer(pd.MultiIndex.from_frame(self.tables["comments"][["creator_id", "post_id"]]))

    def _drop_surplus_comments(self, rows: np.ndarray) -> None:
        """Leave no more collected comments under a post than it counts, where `rows` of the posts table changed."""
        touched = np.zeros(self.last.size, dtype=bool)
        touched[self.post[rows]] = True
        if "comments" not in self.tables or not touched.any():
            return
        comments, under = self.tables["comments"], self.posts_of_comments()
        room = np.nan_to_num(self.last_counts("comments"), nan=np.inf)
        some = np.flatnonzero((under >= 0) & touched[under])
        order = some[np.lexsort((self.rng.random(some.size), under[some]))]
        first = np.searchsorted(under[order], under[order], side="left")
        surplus = order[np.arange(order.size) - first >= room[under[order]]]
        if surplus.size:
            keep = np.ones(len(comments), dtype=bool)
            keep[surplus] = False
            self.tables["comments"] = comments[keep].reset_index(drop=True)

    def draw_delays(self, post: np.ndarray, hours: float, spread: float) -> np.ndarray:
        """Days from posts to comments, float64 of the shape of `post`: log-normal, and none after the post was seen."""
        room = np.maximum((self.seen - self.published)[self.last][post], 0)
        delay = hours / 24 * np.exp(spread * self.rng.standard_normal(post.size))
        return np.where(delay < room, delay, room * self.rng.random(post.size))

    def write(self, post: np.ndarray, authors: np.ndarray, texts: np.ndarray, days: np.ndarray) -> None:
        """Add rows to the comments table: post, author_id, text and days after the post of each."""
        if "comments" not in self.tables or not post.size:
            return
        comments = self.tables["comments"]
        under = self.tables["posts"].iloc[self.last[post]]
        later = pd.Series(pd.to_timedelta(np.floor(days * 86_400), unit="s"))
        numbers = self.rng.integers(2**60, size=post.size)
        rows = pd.DataFrame(
            {
                "creator_id": under["creator_id"].to_numpy(),
                "post_id": under["post_id"].to_numpy(),
                "comment_id": pd.Series([f"k_{value:015x}" for value in numbers], dtype=TEXT),
                "author_id": pd.Series(authors, dtype=TEXT),
                "published_at": (under["published_at"].reset_index(drop=True) + later).astype(TIME),
                "text": pd.Series(texts, dtype=TEXT),
                "likes": pd.array(np.where(self.rng.random(post.size) < 0.65, 0, 1), dtype="Int64"),
            }
        ).astype({"creator_id": TEXT, "post_id": TEXT})
        self.tables["comments"] = pd.concat([comments, rows[list(comments.columns)]], ignore_index=True)
