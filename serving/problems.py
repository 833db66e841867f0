"""Errors of the endpoint: problem details (RFC 9457) with a stable code and the fields concerned."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse

#: Media type of every error.
MEDIA_TYPE = "application/problem+json"
#: Stable codes: the status that goes with each, and what it says in general.
CODES: dict[str, tuple[int, str]] = {
    "invalid_json": (400, "The body is not JSON"),
    "invalid_request": (400, "The request breaks its schema"),
    "unauthorized": (401, "A key is needed"),
    "forbidden": (403, "This key may not do that"),
    "not_local": (403, "Only this machine is answered"),
    "not_found": (404, "There is nothing at this address"),
    "unknown_creator": (404, "The catalogue has no such creator"),
    "unknown_job": (404, "There is no such job"),
    "method_not_allowed": (405, "This address answers another method"),
    "idempotency_conflict": (409, "This Idempotency-Key was used for another body"),
    "job_not_done": (409, "The job is not done"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is not of a type that is read"),
    "rate_limited": (429, "This key asks too often"),
    "quota_exceeded": (429, "This key has used up its day"),
    "internal": (500, "Something went wrong here, not in the request"),
    "busy": (503, "All places are taken"),
    "no_model": (503, "There is no model to score with"),
    "no_catalogue": (503, "There is no catalogue to rank"),
    "store_unavailable": (503, "Nothing can be written at the moment"),
    "timeout": (504, "The answer took too long"),
}
#: Details that a refusal names; a body can hold millions of mistakes.
MOST_DETAILS = 20
#: Mistakes above which none is named: to list them would take gigabytes.
MOST_LISTED = 10_000
#: Characters of what was sent that a refusal repeats in one place.
LONGEST_ECHO = 200


class FieldProblem(BaseModel):
    """One field that is wrong."""

    path: str = Field(description="JSON pointer into the body, or the name of a header or parameter.")
    message: str = Field(description="What would be right.")
    kind: str = Field(description="Stable name of the mistake, such as missing or greater_than_equal.")


class Problem(BaseModel):
    """An error: what went wrong, where, and what would be right."""

    type: str = Field(description="urn:realreach:problem: and the code.")
    title: str
    status: int
    code: str = Field(description="Stable; what a program decides by.")
    detail: str = Field(description="In words, of this request.")
    errors: list[FieldProblem] = Field(description="The fields concerned, at most 20.")
    more: int = Field(description="How many fields are left out of `errors`.")


def describe(code: str, detail: str, errors: Iterable[FieldProblem] = (), *, more: int = 0) -> Problem:
    """Describe an error; `code` is one of `CODES`."""
    status, title = CODES[code]
    return Problem(
        type=f"urn:realreach:problem:{code}",
        title=title,
        status=status,
        code=code,
        detail=detail,
        errors=list(errors),
        more=more,
    )


def answer(found: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with an error."""
    return JSONResponse(found.model_dump(), status_code=found.status, media_type=MEDIA_TYPE, headers=headers)


def problem(
    code: str, detail: str, errors: Iterable[FieldProblem] = (), *, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Answer with an error; `code` is one of `CODES`."""
    return answer(describe(code, detail, errors), headers)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}…"


def pointer(loc: Iterable[str | int]) -> str:
    """JSON pointer (RFC 6901) to a location.

    Examples
    --------
    >>> pointer(("histories", 1, "posts", 3, "a/b"))
    '/histories/1/posts/3/a~1b'
    """
    return "".join(f"/{_short(str(part)).replace('~', '~0').replace('/', '~1')}" for part in loc)


def _field(error: Any) -> FieldProblem:
    return FieldProblem(path=pointer(error["loc"]), message=_short(error["msg"]), kind=error["type"])


def mistakes(error: ValidationError) -> Problem:
    """What is wrong with a request: at most `MOST_DETAILS` fields, and in `more` how many are left out."""
    count = error.error_count()
    listed = error.errors(include_url=False, include_context=False, include_input=False) if count <= MOST_LISTED else []
    if count == 1 and listed and listed[0]["type"] == "json_invalid":
        return describe("invalid_json", _short(listed[0]["msg"]))
    fields = [_field(one) for one in listed[:MOST_DETAILS]]
    said = f"{count} field{'s' if count > 1 else ''} of the {error.title} cannot be read"
    return describe("invalid_request", said, fields, more=count - len(fields))
