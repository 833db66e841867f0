import copy
import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from features.tables import CONTRACT, POST_KINDS, RELATIONS, TableError, check_tables
from serving.requests import located, tables_of
from serving.schemas import AccountIn, CommentIn, CreatorIn, PostIn, RecommendRequest, ScoreRequest, SnapshotIn


def request(**changes: Any) -> dict[str, Any]:
    """Make two histories, the second without optional tables."""
    post = {"post_id": "p1", "published_at": "2026-01-05T11:00:00Z", "likes": 8, "comments": None}
    return {
        "histories": [
            {
                "creator": {"creator_id": "b", "platform": "tiktok", "followers": 10},
                "posts": [dict(post), post | {"post_id": "p2", "observed_at": "2026-01-07T11:00:00+07:00"}],
                "snapshots": [{"observed_at": "2026-01-06T00:00:00", "followers": 10}],
            },
            {"creator": {"creator_id": "a", "platform": "youtube", "followers": None}, "posts": [dict(post)]},
        ],
        **changes,
    }


def refused(body: dict[str, Any], *, json_text: str | None = None) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        ScoreRequest.model_validate_json(json_text or json.dumps(body))
    return [error["loc"] for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("model", "table"),
    [
        (CreatorIn, "creators"),
        (PostIn, "posts"),
        (SnapshotIn, "snapshots"),
        (CommentIn, "comments"),
        (AccountIn, "audience"),
    ],
)
def test_rows_have_the_columns_of_the_contract(model: type[BaseModel], table: str) -> None:
    columns = CONTRACT[table].schema.columns
    assert set(model.model_fields) == set(columns)
    required = {name for name, column in columns.items() if column.required}
    assert {name for name, field in model.model_fields.items() if field.is_required()} == required - (
        set() if table == "creators" else {"creator_id"}
    )


def test_choices_are_those_of_the_contract() -> None:
    schema = PostIn.model_json_schema()["properties"]["kind"]["anyOf"][0]
    assert schema["enum"] == list(POST_KINDS)
    assert AccountIn.model_json_schema()["properties"]["relation"]["anyOf"][0]["enum"] == list(RELATIONS)


def test_a_request_becomes_tables_that_keep_the_contract() -> None:
    tables = check_tables(tables_of(ScoreRequest.model_validate_json(json.dumps(request())).histories))
    assert set(tables) == {"creators", "posts", "snapshots"}
    assert tables["creators"]["creator_id"].tolist() == ["b", "a"]
    assert tables["posts"]["creator_id"].tolist() == ["b", "b", "a"]
    assert str(tables["posts"]["observed_at"][1]) == "2026-01-07 04:00:00+00:00"
    assert tables["snapshots"]["observed_at"][0].utcoffset().total_seconds() == 0


def test_a_creator_without_posts_is_a_history() -> None:
    body = request()
    for history in body["histories"]:
        history["posts"] = []
    tables = check_tables(tables_of(ScoreRequest.model_validate_json(json.dumps(body)).histories))
    assert tables["posts"].empty


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("creator", "followers"), -1),
        (("creator", "followers"), 1.5),
        (("creator", "followers"), True),
        (("creator", "followers"), 10**16),
        (("creator", "platform"), "myspace"),
        (("creator", "creator_id"), ""),
        (("creator", "favourite"), 1),
        (("creator", "bio"), "x" * 20_001),
        (("posts", 0, "published_at"), 1_767_600_000),
        (("posts", 0, "published_at"), "yesterday"),
        (("posts", 0, "likes"), "8"),
        (("posts", 0, "kind"), "poem"),
    ],
)
def test_wrong_values_name_their_field(path: tuple[Any, ...], value: Any) -> None:
    body = request()
    place = body["histories"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert refused(body) == [("histories", 0, *path)]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_are_finite(number: str) -> None:
    body = request()
    body["histories"][0]["creator"]["price_per_post"] = 7
    text = json.dumps(body).replace('"price_per_post": 7', f'"price_per_post": {number}')
    assert refused({}, json_text=text) == [("histories", 0, "creator", "price_per_post")]


def test_between_one_and_a_hundred_histories() -> None:
    assert refused({"histories": []}) == [("histories",)]
    many = [copy.deepcopy(request()["histories"][1]) for _ in range(101)]
    assert refused({"histories": many}) == [("histories",)]


def test_creators_of_one_request_are_distinct() -> None:
    body = request()
    body["histories"][1]["creator"]["creator_id"] = "b"
    with pytest.raises(ValidationError, match=r"histories\.1 and histories\.0 have the same creator_id"):
        ScoreRequest.model_validate(body)


def test_rows_of_somebody_else_are_refused() -> None:
    body = request()
    body["histories"][0]["posts"][1]["creator_id"] = "a"
    with pytest.raises(ValidationError, match=r"posts\.1\.creator_id is 'a', not that of the creator"):
        ScoreRequest.model_validate(body)


def test_what_breaks_the_contract_is_found_in_the_request() -> None:
    body = request()
    body["histories"][1]["posts"][0]["observed_at"] = "2026-01-01T00:00:00Z"
    parsed = ScoreRequest.model_validate(body)
    with pytest.raises(TableError) as caught:
        check_tables(tables_of(parsed.histories))
    errors = located(caught.value, parsed.histories).errors(include_url=False)
    assert [error["loc"] for error in errors] == [("histories", 1, "posts", 0, "observed_at")]
    assert "expected a time at or after published_at" in errors[0]["msg"]


def test_examples_are_valid() -> None:
    for model in (ScoreRequest, RecommendRequest):
        model.model_validate(model.model_config["json_schema_extra"]["example"])  # type: ignore[index, call-overload]
