"""The endpoint's description: OpenAPI 3.1, made of the very models that read and write bodies."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from serving.api import NDJSON, OPERATIONS, ROOT, Operation
from serving.problems import CODES, MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"
#: Problems that any request with a body may meet, and any request at all.
_OF_BODIES = ("invalid_json", "invalid_request", "body_too_large", "unsupported_media_type", "busy")
_OF_ALL = ("unauthorized", "forbidden", "not_local", "rate_limited", "quota_exceeded", "internal", "timeout")
_ABOUT = (
    "Which micro-influencers are worth a brand's money. Histories in, calibrated probabilities with evidence out; a "
    "brief in, ranked creators out. Counts are whole numbers, shares and probabilities lie in [0, 1], times are "
    "ISO 8601 in UTC. A score screens and never accuses. Errors are problem details (RFC 9457): decide by their `code`."
)


_RETRY = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}


def _of(model: type) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _problems(operation: Operation) -> dict[str, Any]:
    codes = [*operation.problems, *(_OF_BODIES if operation.body else ()), *_OF_ALL]
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0], []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {CODES[code][1]}" for code in those),
            "content": {MEDIA_TYPE: {"schema": _of(Problem)}},
            **({"headers": {"Retry-After": _RETRY}} if status in (429, 503) else {}),
        }
        for status, those in sorted(by_status.items())
    }


def _is_read(operation: Operation) -> bool:
    """Whether its answer is one document, which carries an ETag."""
    return operation.method == "GET" and operation.media_type == "application/json"


def _content(operation: Operation) -> dict[str, Any]:
    if operation.media_type == NDJSON:
        lines = f"Lines, each the JSON of a {operation.answer.__name__ if operation.answer else ''}."
        return {"schema": {"type": "string", "description": lines}}
    return {"schema": _of(operation.answer)} if operation.answer else {}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "description": about, "schema": {"type": "string"}}
        for name, about in operation.parameters
    ]
    language = {
        "name": "Accept-Language",
        "in": "header",
        "description": "Language of the words: en or vi.",
        "schema": {"type": "string"},
        "example": "vi",
    }
    known = {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETag of an answer that is at hand: 304 where it still holds.",
        "schema": {"type": "string"},
    }
    named = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A name of this write: sent again with the same body, it is answered the same and written once.",
        "schema": {"type": "string", "maxLength": 200},
    }
    own = [known] if _is_read(operation) else [named] if operation.status in (201, 202) else []
    return [*path, language, *own]


def _described(operation: Operation) -> dict[str, Any]:
    answered: dict[str, Any] = {"description": "The answer."}
    if operation.answer:
        answered["content"] = {operation.media_type: _content(operation)}
    answers = {str(operation.status): answered}
    if operation.status == 202:
        answered["headers"] = {"Location": {"schema": {"type": "string"}}, "Retry-After": _RETRY}
    if _is_read(operation):
        answers["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": "The answer at hand still holds."}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs a key with the scope `{operation.scope}`.",
        "security": [{"key": [operation.scope]}],
        "parameters": _parameters(operation),
        "responses": answers | _problems(operation),
    }
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _of(operation.body)}},
        }
    return described


@cache
def specification() -> dict[str, Any]:
    """The OpenAPI document."""
    bodies = dict.fromkeys(one.body for one in OPERATIONS if one.body)
    answers = dict.fromkeys([*(one.answer for one in OPERATIONS if one.answer), Problem])
    models = [*((body, "validation") for body in bodies), *((answer, "serialization") for answer in answers)]
    _, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(f"{ROOT}{one.path}", {})[one.method.lower()] = _described(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "realreach", "version": version("realreach"), "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `realreach keys create`; none is asked for where the service was started "
                    "with --open.",
                }
            },
        },
    }
