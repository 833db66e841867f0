import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import anyio
import httpx
import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from features.tables import write_tables
from serving.catalogue import Catalogue
from serving.current import Current, Loaded
from serving.histories import Shelf, index_tables
from serving.review import printing
from serving.review.app import make_review_app
from serving.review.charts import charts_of
from serving.review.evidence import Evidence, Keeper, among_peers
from serving.review.printing import NoPangoError, OutsideError, make_pdf
from serving.words import words_for

AS_OF = pd.Timestamp("2026-01-10", tz="UTC")
NASTY = "<script>alert('x')</script> \u202eעברית 🤡 =1+1 </title></svg>]]>"
COPIED = "this photo of yours is so lovely today"


def some_tables() -> dict[str, pd.DataFrame]:
    """Of binh: eight posts, twenty days with a step, and comments of which some are copies; of em the same, nasty."""
    days = pd.date_range("2025-12-17", periods=20, freq="D", tz="UTC")
    published = pd.date_range("2025-12-17T08:00", periods=8, freq="2D", tz="UTC")
    steps = [1_000 + 10 * day + (700 if day >= 12 else 0) for day in range(20)]
    parts: dict[str, list[pd.DataFrame]] = {"posts": [], "snapshots": [], "comments": []}
    for one, nasty in (("binh", False), ("em", True)):
        captions = [f"Serum dưỡng ẩm, tôi thích nó {day}" for day in range(8)]
        captions[6] = "Bài viết #quảngcáo cùng @nhanhang, tuyệt vời"
        captions[7] = "code giảm giá, link in bio #sponsored @khac" if not nasty else f"#sponsored {NASTY * 200}"
        posts = pd.DataFrame({"creator_id": one, "post_id": [f"{one}-{day}" for day in range(8)]})
        parts["posts"].append(
            posts.assign(
                published_at=published,
                observed_at=published + pd.Timedelta("1D"),
                likes=[100, 120, 110, 130, 900, 105, 100, 90],
                comments=[4, 5, 4, 6, 1, 5, 4, 4],
                caption=captions,
            )
        )
        parts["snapshots"].append(pd.DataFrame({"creator_id": one, "observed_at": days, "followers": steps}))
        texts = [COPIED, COPIED, "🔥🔥", "nice", NASTY if nasty else "Mua ở đâu vậy"]
        for post in range(8):
            frame = pd.DataFrame(
                {
                    "creator_id": one,
                    "post_id": f"{one}-{post}",
                    "comment_id": [f"{one}-{post}-{place}" for place in range(5)],
                    "author_id": [
                        "regular_one_a",
                        "regular_two_b",
                        f"once-{post}-a",
                        f"once-{post}-b",
                        f"once-{post}-c",
                    ],
                    "published_at": [
                        published[post] + pd.Timedelta(minutes=minutes) for minutes in (2, 3, 600, 700, 800)
                    ],
                    "text": texts,
                }
            )
            parts["comments"].append(frame)
    creators = pd.DataFrame({"creator_id": ["binh", "em"], "platform": ["tiktok", "instagram"], "followers": 1_890})
    return {"creators": creators.assign(country="VN", language="vi"), **{k: pd.concat(v) for k, v in parts.items()}}


def evidence_item(head: str, signal: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"head": head, "signal": signal, "value": 9.0, "typical_low": 0.5, "typical_high": 4.2, "rows": rows}


@pytest.fixture
def frame(score_frame: pd.DataFrame) -> pd.DataFrame:
    """The small score frame: binh's followers, a post and a comment pointed at; em with all that is nasty."""
    day = {"events": "days", "id": None, "at": "2025-12-29T00:00:00Z"}
    post = {"events": "posts", "id": "binh-4", "at": "2025-12-25T08:00:00Z"}
    comment = {"events": "comments", "id": "binh-0-4", "at": "2025-12-17T21:20:00Z"}
    items = [
        evidence_item("bought_followers", "follower_gain_max_step_z_all", [day]),
        evidence_item("bought_likes", "likes_max_to_median_all", [post]),
        evidence_item("comment_bots", "comment_generic_share_all", [comment]),
    ]
    checked = {"head": "bought_likes", "events": "posts", "probability": 0.9, "probability_without": 0.8}
    every = [{"events": "posts", "id": f"binh-{day}", "at": None} for day in range(8)]
    score_frame.loc[score_frame["creator_id"] == "binh", "evidence"] = json.dumps(items)
    score_frame.loc[score_frame["creator_id"] == "binh", "checked"] = json.dumps(
        [checked | {"rows": every, "suffices": False}]
    )
    is_em = score_frame["creator_id"] == "em"
    score_frame.loc[is_em, "display_name"] = ""
    score_frame.loc[is_em, ["handle", "niche", "profile_text"]] = NASTY
    return score_frame


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tables(some_tables(), tmp_path / "tables")
    monkeypatch.setenv("REALREACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REALREACH_TABLES", str(tmp_path / "tables"))
    index_tables(tmp_path / "tables")
    return tmp_path / "tables"


@pytest.fixture
def catalogue_of_frame(frame: pd.DataFrame) -> Catalogue:
    return Catalogue.of(frame)


@pytest.fixture
def client(catalogue_of_frame: Catalogue, tables: Path) -> Iterator[TestClient]:
    app = make_review_app(Current(Loaded(catalogue=catalogue_of_frame)))
    with TestClient(Starlette(routes=[Mount("/review", app)])) as one:
        yield one


@pytest.fixture
def binh(catalogue_of_frame: Catalogue, tables: Path) -> Evidence:
    return Keeper(Shelf()).of(catalogue_of_frame.creator("binh"))


def test_days_and_posts_that_the_evidence_points_at_are_marked(binh: Evidence) -> None:
    seen = binh.followers
    assert seen.days[seen.marked].astype("datetime64[D]").astype(str).tolist() == ["2025-12-29"]
    assert seen.counts[12] - seen.counts[11] == 710
    # what was taken away without clearing the flag is not what it stands on
    assert binh.posts.loc[binh.posts["marked"], "post_id"].tolist() == ["binh-4"]
    assert binh.posts["engagement"].tolist() == [104, 125, 114, 136, 901, 110, 104, 94]


def test_samples_say_what_stands_out_and_show_what_does_not(binh: Evidence) -> None:
    by_text: dict[str, list[Any]] = {}
    for sample in binh.samples:
        by_text.setdefault(sample.text, []).append(sample)
    # the comment that the evidence names comes first; no text comes more than twice among those that stand out
    assert binh.samples[0].pointed_at
    assert binh.samples[0].text == "Mua ở đâu vậy"
    assert len(by_text[COPIED]) == 2
    assert dict(by_text[COPIED][0].oddities)["near_copy"] == 16
    assert "early" in dict(by_text[COPIED][0].oddities)
    assert "copy" not in dict(by_text[COPIED][0].oddities)
    assert [name for name, _ in by_text["🔥🔥"][0].oddities] == ["emoji_only"]
    assert [name for name, _ in by_text["nice"][0].oddities] == ["generic"]
    ordinary = [sample for sample in binh.samples if not sample.oddities and not sample.pointed_at]
    assert {sample.text for sample in ordinary} == {"Mua ở đâu vậy"}
    assert binh.comment_counts["near_copy"] == 16
    assert binh.comment_counts["emoji_only"] == 8


def test_who_comments_together(binh: Evidence) -> None:
    graph = binh.overlap
    assert graph is not None
    assert graph.names == ["regu…e_a", "regu…o_b"]
    assert graph.posts.tolist() == [8, 8]
    assert graph.edges.to_dict("records") == [{"a": 0, "b": 1, "posts": 8}]
    assert graph.commented == 8
    assert np.isfinite([*graph.x, *graph.y]).all()


def test_tone_and_sponsored_posts(binh: Evidence) -> None:
    assert binh.tone["praise"] >= 1
    newest = binh.sponsored_shown
    assert [post["at"].isoformat()[:10] for post in newest] == ["2025-12-31", "2025-12-29"]
    assert newest[0]["names"] == ["khac"]
    assert newest[1]["names"] == ["nhanhang"]
    assert [post["disclosed"] for post in newest] == [True, True]


def test_the_place_among_peers_is_of_the_same_platform_and_tier(frame: pd.DataFrame) -> None:
    catalogue = Catalogue.of(frame)
    among = among_peers(catalogue, catalogue.creator("an"))
    # binh is on another platform, chi and em of another tier
    assert among.creators == 1
    assert among.below == 0
    assert np.flatnonzero(among.counts).tolist() == [18]
    unknown = among_peers(catalogue, catalogue.creator("dung"))
    assert np.isnan(unknown.below)


def test_charts_say_what_they_show(binh: Evidence, catalogue_of_frame: Catalogue) -> None:
    model: Any = SimpleNamespace(typical={"tiktok": {"comments_per_like_median_30p": (0.02, 0.045)}})
    row = catalogue_of_frame.creator("binh")
    charts = charts_of(binh, catalogue_of_frame, row, model, str, words_for("en"))
    assert list(charts) == ["followers", "engagement", "likes-comments", "authenticity", "overlap"]
    assert charts["followers"].alt == (
        "A line from 1,000 followers on Dec 17, 2025 to 1,890 on Jan 5, 2026. 1 days are marked: Dec 29, 2025."
    )
    assert "1 posts are marked: Dec 25, 2025." in charts["engagement"].alt
    # 1 comment for 900 likes is below 2 %; 6 for 130 and 5 for 105 are above 4.5 %
    assert "1 posts have fewer than is typical, 2 more." in charts["likes-comments"].alt
    assert "2 to 4.5 comments for 100 likes" in charts["likes-comments"].note
    assert charts["overlap"].table(words_for("en")) == [["regu…e_a", "regu…o_b", "8"]]
    vietnamese = charts_of(binh, catalogue_of_frame, row, model, str, words_for("vi"))
    assert "1.890" in vietnamese["followers"].alt
    assert vietnamese["followers"].table(words_for("vi"))[12] == ["29 thg 12, 2025", "1.820", "được đánh dấu"]


def test_the_page_shows_the_evidence_in_both_languages(client: TestClient) -> None:
    for language, texts in (
        ("en", ("Followers over time", "Who comments together", "16 alike", "evidence of the score", "Niche and tone")),
        ("vi", ("Người theo dõi theo thời gian", "Ai cùng bình luận", "16 bình luận tương tự", "Bài tài trợ")),
    ):
        html = unescape(client.get("/review/creators/binh", params={"lang": language}).text)
        for text in (*texts, "@nhanhang", COPIED):
            assert text in html
    assert "Every kind that is looked for was assessed" in client.get("/review/creators/binh").text


def test_a_chart_is_svg_that_is_kept_and_refers_to_nothing(client: TestClient) -> None:
    for language, month in (("en", "Dec"), ("vi", "/12")):
        answer = client.get(f"/review/charts/followers.svg/binh?lang={language}")
        assert answer.headers["content-type"] == "image/svg+xml"
        root = ElementTree.fromstring(answer.text)  # noqa: S314 - our own
        said = " ".join(root.itertext())
        assert month in said
        assert all("href" not in name for one in root.iter() for name in one.attrib)
        assert not [one for one in root.iter() if one.tag.endswith(("script", "style", "foreignObject"))]
        again = client.get(answer.request.url, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert not again.content
    assert "private" in answer.headers["cache-control"]
    narrow = client.get("/review/charts/followers.svg/binh?narrow=1")
    assert ElementTree.fromstring(narrow.text).attrib["width"] == "340"  # noqa: S314
    for name in ("engagement", "likes-comments", "authenticity", "overlap"):
        assert client.get(f"/review/charts/{name}.svg/binh").status_code == 200
    for path in ("nothing.svg/binh", "followers.svg/nobody", "followers.svg/chi"):
        assert client.get(f"/review/charts/{path}").status_code == 404


@pytest.mark.parametrize(
    "creator_id", ["x/report", "x/report.pdf", "x/charts/followers.svg", "report/x", "/x/", "a?b#c"]
)
def test_whatever_an_id_ends_in_its_page_report_and_charts_are_its_own(
    frame: pd.DataFrame, tables: Path, creator_id: str
) -> None:
    renamed = frame.assign(creator_id=frame["creator_id"].replace({"binh": creator_id, "an": "x"}))
    client = TestClient(make_review_app(Current(Loaded(catalogue=Catalogue.of(renamed)))))
    name = frame.loc[frame["creator_id"] == "binh", "display_name"].item()
    address, links = f"/creators/{quote(creator_id, safe='')}", dict[str, str]()
    for here in (address, f"/report/{quote(creator_id, safe='')}"):
        html = client.get(here).text
        assert f">{name}</bdi>" in html
        links |= {what: unescape(link) for link, what in re.findall(r'(?:href|src)="(/([a-z.]+)/[^"]+)"', html)}
    assert links["creators"] == address
    assert client.get(links["charts"]).status_code == 200
    pytest.importorskip("weasyprint", exc_type=OSError)
    assert client.get(links["report.pdf"]).content.startswith(b"%PDF-")


def test_the_rows_of_a_chart_as_csv_hold_no_formula(client: TestClient) -> None:
    text = client.get("/review/charts/followers.csv/binh").text
    assert text.splitlines()[0] == "Day,Followers,Marked"
    assert "2025-12-29T00:00:00Z,1820,True" in text


@pytest.mark.parametrize("path", ["/creators/binh", "/report/binh"])
def test_a_page_that_waits_for_the_index_holds_no_thread(
    catalogue_of_frame: Catalogue, tables: Path, path: str
) -> None:
    app = make_review_app(Current(Loaded(catalogue=catalogue_of_frame)))
    made, asked = threading.Event(), threading.Event()
    app.state.keeper.shelf.prepare = lambda: asked.set() or not made.is_set()

    async def both() -> None:
        app.state.limiter = anyio.CapacityLimiter(1)
        answers: list[httpx.Response] = []
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=60)

        async def ask() -> None:
            answers.append(await client.get(path))

        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            while not asked.is_set():
                await anyio.sleep(0.01)
            assert (app.state.limiter.borrowed_tokens, app.state.places.taken) == (0, 0)
            assert (await client.get("/")).status_code == 200
            made.set()
        assert [one.status_code for one in answers] == [200]

    anyio.run(both)


def test_without_tables_the_page_says_how_to_name_them(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REALREACH_TABLES")
    html = client.get("/review/creators/binh").text
    assert "realreach serve --tables DIR" in html
    assert "Place among peers" in html
    assert "Followers over time" not in html
    monkeypatch.setenv("REALREACH_TABLES", "/nowhere/at/all")
    assert "/nowhere/at/all" in client.get("/review/creators/binh?lang=vi").text


def test_what_people_write_is_harmless_everywhere(client: TestClient) -> None:
    for path in ("creators/em", "report/em", "compare?creator=em&creator=binh"):
        for language in ("en", "vi"):
            answer = client.get(f"/review/{path}", params={"lang": language} if "?" not in path else None)
            assert answer.status_code == 200
            assert "<script>" not in answer.text
            assert answer.text.count("<script") <= 1  # the one of the page
            # a name of nothing is no name: the next known one stands there
            assert "alert(&#39;x&#39;)" in answer.text
    page = client.get("/review/creators/em").text
    assert '<bdi dir="auto">&lt;script&gt;alert' in page
    assert '<details class="long">' in page
    for name in ("followers", "engagement", "likes-comments", "authenticity", "overlap"):
        ElementTree.fromstring(client.get(f"/review/charts/{name}.svg/em").text)  # noqa: S314
        assert not [
            cell
            for line in client.get(f"/review/charts/{name}.csv/em").text.splitlines()
            for cell in line.split(",")
            if cell.startswith(("=", "+", "@"))
        ]


def test_compare_marks_the_best_by_a_sign_and_says_what_to_do(client: TestClient) -> None:
    html = client.get("/review/compare?creator=an&creator=binh").text
    rows = {row.split("</th>")[0].rpartition(">")[2]: row for row in html.split("<tr>")[2:]}
    cells = rows["Authenticity"].split("<td")[1:]
    assert "★" in cells[0]
    assert "★" not in cells[1]
    assert "★" not in rows["Growth in 28 days"]  # both grew alike
    assert "take out" in html
    many = "&".join(f"creator=c{place}" for place in range(11))
    for query, status, text in (
        ("", 200, "Choose two creators or more"),
        ("creator=an", 200, "Choose two creators or more"),
        ("creator=an&creator=nobody", 404, "nobody"),
        (many, 404, "c0"),
        ("creator=an%0Abinh%0Achi", 200, "Chi Lê"),
    ):
        answer = client.get(f"/review/compare?{query}")
        assert answer.status_code == status
        assert text in answer.text


def test_more_than_ten_do_not_stand_side_by_side(frame: pd.DataFrame) -> None:
    more = pd.concat([frame.iloc[:1].assign(creator_id=f"c{place}") for place in range(11)], ignore_index=True)
    client = TestClient(make_review_app(Current(Loaded(catalogue=Catalogue.of(more)))))
    query = "&".join(f"creator=c{place}" for place in range(11))
    refused = client.get(f"/compare?{query}")
    assert refused.status_code == 400
    assert "At most 10 creators stand side by side; 11 were asked for." in refused.text
    assert client.get("/compare?" + query.partition("&")[2]).status_code == 200


@pytest.mark.parametrize("creator", ["binh", "em"])
def test_the_report_is_one_page_in_vietnamese(
    client: TestClient, creator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("weasyprint", exc_type=OSError)
    import weasyprint

    laid_out: list[Any] = []
    original = weasyprint.HTML.render

    def note(self: Any, *args: Any, **how: Any) -> Any:
        laid_out.append(original(self, *args, **how))
        return laid_out[-1]

    monkeypatch.setattr(weasyprint.HTML, "render", note)
    answer = client.get(f"/review/report.pdf/{creator}?lang=vi")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    pages = laid_out[0].pages
    assert len(pages) == 1
    said = "".join(box.text for box in pages[0]._page_box.descendants() if hasattr(box, "text"))
    assert "Những gì đã kiểm tra" in said
    assert "mô phỏng" in said
    images = [box for box in pages[0]._page_box.descendants() if box.element_tag == "img"]
    assert len(images) == 4


def test_a_report_loads_nothing_of_others() -> None:
    pytest.importorskip("weasyprint", exc_type=OSError)
    asked: list[str] = []

    def own(url: str) -> tuple[bytes, str]:
        asked.append(url)
        raise OutsideError(url)

    html = '<link rel=stylesheet href="file:///etc/passwd"><img src="http://127.0.0.1:9/x.svg"><p>x'
    assert make_pdf(html, own).startswith(b"%PDF-")
    assert asked == ["file:///etc/passwd", "http://127.0.0.1:9/x.svg"]


def test_only_its_own_charts_and_style_are_a_reports_own(client: TestClient, catalogue_of_frame: Catalogue) -> None:
    keeper = Keeper(Shelf())
    row = catalogue_of_frame.creator("binh")
    subject: Any = SimpleNamespace(row=row)
    view: Any = SimpleNamespace(root="/review", language="en")
    assert printing._own("https://report.invalid/review/static/report.css", view, subject, keeper)[1] == "text/css"
    for url in (
        "file:///etc/passwd",
        "http://report.invalid/review/static/report.css",
        "https://report.invalid/review/static/../app.py",
        "https://report.invalid/review/charts/followers.svg/em",
        "data:text/css,x",
    ):
        with pytest.raises(OutsideError):
            printing._own(url, view, subject, keeper)


def test_where_pango_is_missing_the_report_says_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise NoPangoError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(printing, "make_pdf", refuse)
    answer = client.get("/review/report.pdf/binh")
    assert answer.status_code == 503
    assert "apt-get install libpango" in answer.text
    assert "libpango-1.0-0&#39;" in answer.text
