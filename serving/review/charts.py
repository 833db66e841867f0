"""The charts of a creator's page: what each shows, in words for those who cannot see it, and as rows.

How they are drawn is in `serving.review.drawing`, which is imported when the first is asked for: a page says what its
charts show without drawing them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from serving.catalogue import Catalogue
from serving.review.evidence import BARS, Evidence, among_peers, typical_comments_per_like
from serving.words import N_, Words
from training.authenticity import AuthenticityModel

#: Rows of a chart that a page shows as a table; all are in its CSV file.
TABLE_ROWS = 20
#: Width and height of a chart in pixels, by whether there is little room; the graph of commenters is higher.
_SIZES, _HIGHER = {False: (700, 260), True: (340, 240)}, 1.5
#: Days that a text names.
_NAMED = 3
#: Signs that begin a formula in a spreadsheet, and what takes that from them.
_FORMULA, _PLAIN = tuple("=+-@\t\r\n"), "'"


@dataclass(frozen=True)
class Chart:
    """What a chart shows.

    Attributes
    ----------
    name : str
        Part of its address.
    title, alt, note : str
        Its heading, what is to be seen in it, and how it is to be read.
    rows : DataFrame
        Its numbers under headings in words; times are datetime64[us] in UTC.
    data : mapping
        What it is drawn from.
    """

    name: str
    title: str
    alt: str
    note: str
    rows: pd.DataFrame
    data: Mapping[str, Any]

    def table(self, words: Words) -> list[list[str]]:
        """The last rows, as text."""
        columns = [[_text(value, words) for value in self.rows[name].tail(TABLE_ROWS)] for name in self.rows]
        return [list(row) for row in zip(*columns, strict=True)]

    def csv(self) -> str:
        """All rows; what a spreadsheet would take for a formula is made text."""
        safe = self.rows.copy()
        for name in safe:
            if safe[name].dtype == object or isinstance(safe[name].dtype, pd.StringDtype):
                safe[name] = [f"{_PLAIN}{one}" if str(one).startswith(_FORMULA) else one for one in safe[name]]
        return safe.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ")


def _text(value: Any, words: Words) -> str:
    if isinstance(value, datetime):
        return words.date(value)
    if isinstance(value, bool | np.bool_):
        return words.say(N_("marked")) if value else ""
    if isinstance(value, float):
        return "–" if np.isnan(value) else words.number(value)
    return words.count(int(value)) if isinstance(value, int | np.integer) else str(value)


def _day(moment: Any, words: Words) -> str:
    return words.date(pd.Timestamp(moment).to_pydatetime().replace(tzinfo=UTC))


def _days(moments: np.ndarray, words: Words) -> str:
    named = ", ".join(_day(one, words) for one in moments[:_NAMED])
    return f"{named} …" if moments.size > _NAMED else named


def size_of(name: str, *, narrow: bool = False) -> tuple[int, int]:
    """Width and height of a chart in pixels; `narrow` where there is little room, as on a telephone."""
    width, height = _SIZES[narrow]
    return width, int(height * (_HIGHER if name == "overlap" else 1))


def followers_chart(evidence: Evidence, words: Words) -> Chart | None:
    """Follower counts by day; None where fewer than two are known."""
    seen = evidence.followers
    if seen.days.size < 2:
        return None
    alt = words.say(
        N_("A line from {first} followers on {from_day} to {last} on {to_day}."),
        first=words.count(int(seen.counts[0])),
        last=words.count(int(seen.counts[-1])),
        from_day=_day(seen.days[0], words),
        to_day=_day(seen.days[-1], words),
    )
    alt += " " + (
        words.say(
            N_("{count} days are marked: {days}."),
            count=words.count(int(seen.marked.sum())),
            days=_days(seen.days[seen.marked], words),
        )
        if seen.marked.any()
        else words.say(N_("No day is marked."))
    )
    rows = {words.say(N_("Day")): seen.days, words.say(N_("Followers")): seen.counts.astype(np.int64)}
    return Chart(
        "followers",
        words.say(N_("Followers over time")),
        alt,
        words.say(N_("Triangles are the days that the evidence for bought followers points at."))
        if seen.marked.any()
        else words.say(N_("No evidence for bought followers points at any day.")),
        pd.DataFrame(rows | {words.say(N_("Marked")): seen.marked}),
        {"at": seen.days, "followers": seen.counts, "marked": seen.marked},
    )


def engagement_chart(evidence: Evidence, words: Words) -> Chart | None:
    """Likes and comments of each post; None where none is known."""
    posts = evidence.posts[evidence.posts["engagement"].notna()]
    if posts.empty:
        return None
    values, marked = posts["engagement"].to_numpy(), posts["marked"].to_numpy(dtype=bool)
    alt = words.say(
        N_("{count} posts from {from_day} to {to_day}; half have over {median} likes and comments, at most {most}."),
        count=words.count(len(posts)),
        from_day=_day(posts["at"].iloc[0], words),
        to_day=_day(posts["at"].iloc[-1], words),
        median=words.count(int(np.median(values))),
        most=words.count(int(values.max())),
    )
    alt += " " + (
        words.say(
            N_("{count} posts are marked: {days}."),
            count=words.count(int(marked.sum())),
            days=_days(posts["at"].to_numpy()[marked], words),
        )
        if marked.any()
        else words.say(N_("No post is marked."))
    )
    rows = {
        words.say(N_("Day")): posts["at"].to_numpy(),
        words.say(N_("Post")): posts["post_id"].to_numpy(dtype=object),
        words.say(N_("Likes")): posts["likes"].to_numpy().astype(np.int64),
        words.say(N_("Comments")): posts["comments"].to_numpy().astype(np.int64),
        words.say(N_("Marked")): marked,
    }
    return Chart(
        "engagement",
        words.say(N_("Likes and comments of each post")),
        alt,
        words.say(N_("Triangles are the posts that the evidence points at, for whatever kind: look at these first."))
        if marked.any()
        else words.say(N_("No evidence points at any post.")),
        pd.DataFrame(rows),
        {"at": posts["at"].to_numpy(), "engagement": values, "marked": marked},
    )


def likes_comments_chart(evidence: Evidence, typical: tuple[float, float] | None, words: Words) -> Chart | None:
    """Comments of each post by its likes, with what is typical; None where no post has both."""
    posts = evidence.posts[evidence.posts["engagement"].notna() & (evidence.posts["likes"] > 0)]
    if posts.empty:
        return None
    likes, comments = posts["likes"].to_numpy(), posts["comments"].to_numpy()
    ratio = comments / likes
    alt = words.say(
        N_("{count} posts; the middle one has {ratio} comments for 100 likes."),
        count=words.count(len(posts)),
        ratio=words.number(100 * float(np.median(ratio))),
    )
    note = words.say(N_("What is typical is not known here: no model is in use, or it does not say."))
    if typical:
        alt += " " + words.say(
            N_("{below} posts have fewer than is typical, {above} more."),
            below=words.count(int((ratio < typical[0]).sum())),
            above=words.count(int((ratio > typical[1]).sum())),
        )
        note = words.say(
            N_(
                "Dashed lines bound what is typical of creators of this platform with no known manipulation: {low} to "
                "{high} comments for 100 likes on their median post, for eight in ten of them. Single posts vary more."
            ),
            low=words.number(100 * typical[0]),
            high=words.number(100 * typical[1]),
        )
    rows = {
        words.say(N_("Day")): posts["at"].to_numpy(),
        words.say(N_("Likes")): likes.astype(np.int64),
        words.say(N_("Comments")): comments.astype(np.int64),
        words.say(N_("Comments for 100 likes")): 100 * ratio,
    }
    return Chart(
        "likes-comments",
        words.say(N_("Comments against likes")),
        alt,
        note,
        pd.DataFrame(rows),
        {"likes": likes, "comments": comments, "marked": posts["marked"].to_numpy(dtype=bool), "typical": typical},
    )


def authenticity_chart(
    catalogue: Catalogue, row: Mapping[str, Any], named: Callable[[str], str], words: Words
) -> Chart:
    """Authenticity of the catalogue's creators of the same platform and tier, and the creator's place."""
    among = among_peers(catalogue, row)
    tier = row["tier"] if isinstance(row["tier"], str) else ""
    whose = f"{named(row['platform'])}, {named(tier)}" if tier else named(row["platform"])
    alt = words.say(
        N_("{count} creators of this catalogue ({whose}) by authenticity."),
        count=words.count(among.creators),
        whose=whose,
    )
    if not np.isnan(among.below):
        alt += " " + words.say(
            N_("This creator's is {authenticity}, higher than that of {below} of them."),
            authenticity=words.percent(row["authenticity"]),
            below=words.percent(among.below),
        )
    else:
        alt += " " + words.say(N_("This creator was not assessed and has no place among them."))
    edges = np.arange(BARS + 1) / BARS
    rows = {
        words.say(N_("From")): [words.percent(one) for one in edges[:-1]],
        words.say(N_("To")): [words.percent(one) for one in edges[1:]],
        words.say(N_("Creators")): among.counts,
    }
    own = {name: _number(row[name]) for name in ("authenticity", "authenticity_low", "authenticity_high")}
    return Chart(
        "authenticity",
        words.say(N_("Place among peers: {whose}"), whose=whose),
        alt,
        words.say(N_("The line is this creator, the band its interval.")),
        pd.DataFrame(rows),
        {"counts": among.counts, **own},
    )


def _number(value: Any) -> float:
    return float("nan") if value is None or pd.isna(value) else float(value)


def overlap_chart(evidence: Evidence, words: Words) -> Chart | None:
    """Who comments together; None where nobody does."""
    graph = evidence.overlap
    if graph is None:
        return None
    edges = graph.edges
    alt = words.say(
        N_(
            "{count} who comment most often, under {posts} posts in all; {pairs} pairs met under two posts or more, "
            "at most under {most}."
        ),
        count=words.count(len(graph.names)),
        posts=words.count(graph.commented),
        pairs=words.count(len(edges)),
        most=words.count(int(edges["posts"].max())),
    )
    names = np.array(graph.names, dtype=object)
    rows = {
        words.say(N_("Commenter")): names[edges["a"]],
        words.say(N_("Other commenter")): names[edges["b"]],
        words.say(N_("Posts in common")): edges["posts"].to_numpy(),
    }
    return Chart(
        "overlap",
        words.say(N_("Who comments together")),
        alt,
        words.say(
            N_(
                "A dot is a commenter, larger the more posts; a line joins two who wrote under the same posts, thicker "
                "the more. Fans who come back meet as well: a tight group under nearly every post is consistent with "
                "an engagement pod. Names are shortened pseudonyms."
            )
        ),
        pd.DataFrame(rows),
        {"graph": graph},
    )


def charts_of(
    evidence: Evidence | None,
    catalogue: Catalogue,
    row: Mapping[str, Any],
    model: AuthenticityModel | None,
    named: Callable[[str], str],
    words: Words,
) -> dict[str, Chart]:
    """Every chart of a creator that there is something to show in, by name.

    Parameters
    ----------
    evidence : Evidence, optional
        None where the creator's history cannot be shown.
    row : mapping
        Its row of the catalogue.
    model : AuthenticityModel, optional
        That is in use: it knows what is typical.
    named : callable
        Name of a platform or tier in words.
    """
    found: list[Chart | None] = []
    if evidence is not None:
        typical = typical_comments_per_like(model, row["platform"])
        found += [
            followers_chart(evidence, words),
            engagement_chart(evidence, words),
            likes_comments_chart(evidence, typical, words),
        ]
    found.append(authenticity_chart(catalogue, row, named, words))
    if evidence is not None:
        found.append(overlap_chart(evidence, words))
    return {chart.name: chart for chart in found if chart is not None}
