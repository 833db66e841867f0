from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.limits import DOCS_POLICY, BodyLimit, BusyError, FrontDoor, Places, WorkLimit
from serving.problems import mistakes


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.path} {len(await request.body())}")


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    with TestClient(FrontDoor(BodyLimit(app, most_bytes=10), described=dict)) as one:
        yield one


def test_small_json_passes(client: TestClient) -> None:
    assert (
        client.post("/score", content=b'"12345678"', headers={"Content-Type": "application/json; charset=utf-8"}).text
        == "/score 10"
    )


def test_large_bodies_are_refused_by_their_declared_size(client: TestClient) -> None:
    response = client.post("/score", json="x" * 10)
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


def test_large_bodies_are_refused_while_they_arrive(client: TestClient) -> None:
    chunks = (b"12345" for _ in range(3))
    response = client.post("/score", content=chunks, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert "larger than 10 bytes" in response.json()["detail"]


def test_the_review_page_reads_small_forms_and_nothing_else() -> None:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    client = TestClient(BodyLimit(app, most_bytes=3, most_form_bytes=10))
    assert client.post("/review/votes", data={"a": "12345678"}).text == "/review/votes 10"
    refused = client.post("/review/votes", data={"a": "123456789"})
    assert (refused.status_code, "larger than 10 bytes" in refused.json()["detail"]) == (413, True)
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        assert client.post("/review/votes", content=b"1", headers={"Content-Type": kind}).status_code == 415
    assert client.post("/score", data={"a": "1"}).status_code == 415
    assert client.post("/reviewed", data={"a": "1"}).status_code == 415


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"])
def test_only_json_is_read(client: TestClient, kind: str) -> None:
    response = client.post("/score", content=b"1", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert response.json()["errors"][0]["path"] == "Content-Type"


def test_the_front_door(client: TestClient) -> None:
    response = client.get("/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, "/review/")
    docs = client.get("/docs")
    assert docs.text == "/ 0"
    assert docs.headers["content-security-policy"] == DOCS_POLICY
    assert client.get("/other").text == "/other 0"


class Small(BaseModel):
    model_config = ConfigDict(extra="forbid")


def refused(keys: list[str]) -> dict:
    with pytest.raises(ValidationError) as caught:
        Small.model_validate(dict.fromkeys(keys, 1))
    return mistakes(caught.value).model_dump()


def test_a_refusal_is_short_and_says_how_much_it_leaves_out() -> None:
    answer = refused([str(number) for number in range(23)])
    assert answer["detail"] == "23 fields of the Small cannot be read"
    assert [one["path"] for one in answer["errors"]] == [f"/{number}" for number in range(20)]
    assert answer["more"] == 3
    assert set(answer["errors"][0]) == {"path", "message", "kind"}
    assert refused(["a"])["more"] == 0
    assert refused(["a" * 1_000])["errors"][0]["path"] == "/" + "a" * 200 + "…"


def test_of_very_many_mistakes_none_is_named() -> None:
    answer = refused([str(number) for number in range(10_001)])
    assert (answer["errors"], answer["more"]) == ([], 10_001)


def test_places_are_given_back_also_after_an_error() -> None:
    places = Places(1)
    with places.one(), pytest.raises(BusyError), places.one():
        pass
    with pytest.raises(ZeroDivisionError), places.one():
        _ = 1 / 0
    assert places.taken == 0


def test_requests_with_a_body_need_a_place() -> None:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    places = Places(1)
    with TestClient(WorkLimit(app, places)) as client:
        assert client.post("/score", json=1).status_code == 200
        with places.one():
            response = client.post("/score", json=1)
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
            assert client.get("/livez").status_code == 200
        assert client.post("/score", json=1).status_code == 200
