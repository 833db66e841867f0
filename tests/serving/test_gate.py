from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.gate import DOCS_POLICY, BodyGate, FrontDoor


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.path} {len(await request.body())}")


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    with TestClient(FrontDoor(BodyGate(app, most_bytes=10))) as one:
        yield one


def test_small_json_passes(client: TestClient) -> None:
    assert (
        client.post("/score", content=b'"12345678"', headers={"Content-Type": "application/json; charset=utf-8"}).text
        == "/score 10"
    )


def test_large_bodies_are_refused_by_their_declared_size(client: TestClient) -> None:
    response = client.post("/score", json="x" * 10)
    assert response.status_code == 413
    assert response.json()["detail"][0]["loc"] == ["body"]


def test_large_bodies_are_refused_while_they_arrive(client: TestClient) -> None:
    chunks = (b"12345" for _ in range(3))
    response = client.post("/score", content=chunks, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert "larger than 10 bytes" in response.json()["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"])
def test_only_json_is_read(client: TestClient, kind: str) -> None:
    response = client.post("/score", content=b"1", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert response.json()["detail"][0]["loc"] == ["Content-Type"]


def test_the_front_door(client: TestClient) -> None:
    response = client.get("/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, "/review/")
    docs = client.get("/docs")
    assert docs.text == "/ 0"
    assert docs.headers["content-security-policy"] == DOCS_POLICY
    assert client.get("/other").text == "/other 0"
