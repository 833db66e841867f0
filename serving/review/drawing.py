"""How charts are drawn: Vega-Lite by Altair, made SVG by vl-convert, without network and without fonts from elsewhere.

Colours are two of Okabe and Ito's (jfly.uni-koeln.de/color), and what they tell is told by shape as well.
"""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from babel import Locale
from babel.dates import get_day_names, get_month_names

from serving.review.charts import Chart, size_of
from serving.review.evidence import BARS
from serving.words import N_, Language, Words

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8A9794", "#17211f"
#: Fonts that have all Vietnamese letters, the first of which Debian installs beside Chromium.
_FONTS = "DejaVu Sans, Verdana, Arial, sans-serif"
_VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
#: Largest and smallest dot of a graph, in square pixels.
_LARGEST, _SMALLEST = 380, 40
#: From so many days on, a time axis tells months and no days.
_MONTHS = np.timedelta64(200, "D")
_CONFIG: dict[str, Any] = {
    "background": "#ffffff",
    "font": _FONTS,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": "#e6eaea",
        "domainColor": GREY,
        "tickColor": GREY,
        "labelOverlap": True,
    },
    "legend": {
        "labelFontSize": 12,
        "labelColor": INK,
        "orient": "top",
        "title": None,
        "symbolSize": 90,
        "labelLimit": 320,
    },
}


@lru_cache
def _locales(language: Language) -> tuple[dict[str, Any], dict[str, Any]]:
    """d3's locales of numbers and times, from Babel's."""
    symbols = Locale(language).number_symbols["latn"]
    numbers = {"decimal": symbols["decimal"], "thousands": symbols["group"], "grouping": [3], "currency": ["", ""]}
    days = {width: get_day_names(width, locale=language) for width in ("wide", "abbreviated")}
    months = {
        width: get_month_names(width, context="stand-alone", locale=language) for width in ("wide", "abbreviated")
    }
    am, pm = "AM", "PM"
    times = {
        "dateTime": "%x %X",
        "date": "%d/%m/%Y",
        "time": "%H:%M:%S",
        "periods": [am, pm],
        # d3 begins the week with Sunday, Babel with Monday
        "days": [days["wide"][(day + 6) % 7] for day in range(7)],
        "shortDays": [days["abbreviated"][(day + 6) % 7] for day in range(7)],
        "months": [months["wide"][month] for month in range(1, 13)],
        "shortMonths": [months["abbreviated"][month] for month in range(1, 13)],
    }
    return numbers, times


def _iso(moments: np.ndarray) -> list[str]:
    return [f"{moment}Z" for moment in np.datetime_as_string(moments, unit="s")]


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=values))  # type: ignore[no-untyped-call]


def _time_axis(moments: np.ndarray, words: Words, narrow: bool) -> alt.X:
    long = moments[-1] - moments[0] > _MONTHS
    format_ = {"en": ("%b %-d", "%b %Y"), "vi": ("%-d/%-m", "%-m/%Y")}[words.language][int(long)]
    axis = alt.Axis(title=None, tickCount=4 if narrow else 8, grid=False, format=format_)
    return alt.X("at:T", scale=alt.Scale(type="utc"), axis=axis)


def _count_axis(title: str, *, zero: bool = True, log: bool = False, field: str = "value") -> alt.Y:
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=zero, nice=True)
    return alt.Y(f"{field}:Q", scale=scale, axis=alt.Axis(title=title, format="~s", tickCount=5, grid=not log))


def _marks(words: Words, unmarked: str) -> dict[str, Any]:
    """Colour and shape by whether a row is marked, with one legend."""
    kinds = [unmarked, words.say(N_("marked by the evidence"))]
    return {
        "color": alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[BLUE, ORANGE])),
        "shape": alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["circle", "triangle-up"])),
    }


def _kinds(marked: np.ndarray, words: Words, unmarked: str) -> list[str]:
    said = words.say(N_("marked by the evidence"))
    return [said if one else unmarked for one in marked]


def _followers(chart: Chart, words: Words, narrow: bool) -> Any:
    at = _iso(chart.data["at"])
    unmarked = words.say(N_("followers"))
    values = [
        {"at": day, "value": float(count), "kind": kind}
        for day, count, kind in zip(
            at, chart.data["followers"], _kinds(chart.data["marked"], words, unmarked), strict=True
        )
    ]
    marked = [value for value, one in zip(values, chart.data["marked"], strict=True) if one]
    x, y = _time_axis(chart.data["at"], words, narrow), _count_axis(words.say(N_("Followers")), zero=False)
    line = _chart(values).mark_line(color=BLUE, strokeWidth=2).encode(x=x, y=y)
    # without a marked day this layer is only there for the legend to say what a mark would be
    dots = _chart(marked).mark_point(filled=True, size=110, opacity=1)
    return alt.layer(line, dots.encode(x=x, y=y, **_marks(words, unmarked)))


def _engagement(chart: Chart, words: Words, narrow: bool) -> alt.Chart:
    unmarked = words.say(N_("post"))
    engagement = chart.data["engagement"]
    log = bool(engagement.min() > 0 and engagement.max() > 20 * np.median(engagement))
    values = [
        {"at": day, "value": float(value), "kind": kind}
        for day, value, kind in zip(
            _iso(chart.data["at"]), engagement, _kinds(chart.data["marked"], words, unmarked), strict=True
        )
    ]
    points = _chart(values).mark_point(filled=True, size=45, opacity=0.75)
    y = _count_axis(words.say(N_("Likes and comments")), log=log)
    return points.encode(x=_time_axis(chart.data["at"], words, narrow), y=y, **_marks(words, unmarked))


def _likes_comments(chart: Chart, words: Words, narrow: bool) -> Any:
    unmarked = words.say(N_("post"))
    likes, comments, typical = (chart.data[name] for name in ("likes", "comments", "typical"))
    values = [
        # no logarithm of no comments: they stand at a half
        {"likes": float(one), "comments": max(float(two), 0.5), "kind": kind}
        for one, two, kind in zip(likes, comments, _kinds(chart.data["marked"], words, unmarked), strict=True)
    ]
    axis = alt.Axis(title=words.say(N_("Likes")), format="~s", tickCount=4 if narrow else 8, grid=False)
    x = alt.X("likes:Q", scale=alt.Scale(type="log", nice=False), axis=axis)
    y = _count_axis(words.say(N_("Comments")), log=True, field="comments")
    points = _chart(values).mark_point(filled=True, size=45, opacity=0.75)
    layers: list[Any] = []
    if typical:
        ends = [float(likes.min()), float(max(likes.max(), likes.min() * 1.01))]
        kind = words.say(N_("typical"))
        for place, rate in enumerate(one for one in typical if one > 0):
            line = [{"likes": one, "comments": max(one * rate, 0.5), "kind": kind, "line": place} for one in ends]
            drawn = _chart(line).mark_line(color=GREY, strokeDash=[5, 4], strokeWidth=1.5)
            layers.append(drawn.encode(x=x, y=y))
    return alt.layer(*layers, points.encode(x=x, y=y, **_marks(words, unmarked)))


def _authenticity(chart: Chart, words: Words, narrow: bool) -> Any:
    counts = chart.data["counts"]
    values = [
        {"from": place / BARS, "to": (place + 1) / BARS, "count": int(count), "base": 0}
        for place, count in enumerate(counts)
    ]
    axis = alt.Axis(title=words.say(N_("Authenticity")), format=".0%", tickCount=3 if narrow else 6, grid=False)
    # room on both sides: a line at 0 or 1 would hide on the edge
    x = alt.X("from:Q", scale=alt.Scale(domain=[-0.03, 1.03], nice=False), axis=axis)
    y = _count_axis(words.say(N_("Creators")), field="count")
    bars = _chart(values).mark_rect(color="#9fc3da", stroke="#ffffff", strokeWidth=1)
    layers: list[Any] = [bars.encode(x=x, x2="to", y=y, y2="base")]
    own, low, high = (chart.data[name] for name in ("authenticity", "authenticity_low", "authenticity_high"))
    if not np.isnan(own):
        if not np.isnan(low + high):
            band = _chart([{"from": low, "to": high}]).mark_rect(color=ORANGE, opacity=0.18)
            layers.append(band.encode(x=x, x2="to"))
        rule = _chart([{"from": own}]).mark_rule(color=ORANGE, strokeWidth=2.5)
        layers.append(rule.encode(x=x))
        # on the side that has room
        place: dict[str, Any] = {"align": "right", "dx": -6} if own > 0.5 else {"align": "left", "dx": 6}
        said = _chart([{"from": own, "says": words.say(N_("this creator"))}])
        name = said.mark_text(color=INK, fontSize=11, y=8, baseline="middle", **place)
        layers.append(name.encode(x=x, text="says:N"))
    return alt.layer(*layers)


def _overlap(chart: Chart, words: Words, narrow: bool) -> Any:
    graph = chart.data["graph"]
    most, commonest = int(graph.posts.max()), int(graph.edges["posts"].max())
    lines = [
        {"x": graph.x[a], "y": graph.y[a], "x2": graph.x[b], "y2": graph.y[b], "width": 0.6 + 3.4 * posts / commonest}
        for a, b, posts in graph.edges.itertuples(index=False)
    ]
    dots = [
        {"x": x, "y": y, "size": _SMALLEST + (_LARGEST - _SMALLEST) * posts / most, "name": name}
        for x, y, posts, name in zip(graph.x, graph.y, graph.posts.tolist(), graph.names, strict=True)
    ]
    hidden: dict[str, Any] = {"scale": alt.Scale(domain=[-0.06, 1.06]), "axis": None}
    x, y = alt.X("x:Q", **hidden), alt.Y("y:Q", **hidden)
    edges = _chart(lines).mark_rule(color=GREY, opacity=0.55)
    edges = edges.encode(x=x, y=y, x2="x2", y2="y2", strokeWidth=alt.StrokeWidth("width:Q", scale=None))
    nodes = _chart(dots).mark_circle(color=BLUE, opacity=1, stroke="#ffffff")
    nodes = nodes.encode(x=x, y=y, size=alt.Size("size:Q", scale=None))
    names = _chart(dots).mark_text(dy=-14, fontSize=10, color=INK).encode(x=x, y=y, text="name:N")
    return alt.layer(edges, nodes, *([] if narrow else [names]))


_DRAWN = {
    "followers": _followers,
    "engagement": _engagement,
    "likes-comments": _likes_comments,
    "authenticity": _authenticity,
    "overlap": _overlap,
}


def draw(chart: Chart, words: Words, *, narrow: bool = False) -> str:
    """Draw a chart as SVG.

    Parameters
    ----------
    narrow : bool
        Whether there is little room, as on a telephone.

    Returns
    -------
    str
        A document that refers to nothing outside itself.
    """
    width, height = size_of(chart.name, narrow=narrow)
    numbers, times = _locales(words.language)
    made = _DRAWN[chart.name](chart, words, narrow).properties(
        width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=6
    )
    return vl_convert.vegalite_to_svg(
        made.configure(**_CONFIG).to_dict(),
        vl_version=_VERSION,
        allowed_base_urls=[],
        format_locale=numbers,
        time_format_locale=times,
    )
