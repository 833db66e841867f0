"""What every form of the review page stands on: who sends it, that it was made for them here, and where they go back.

A form carries a token that is signed for its reader; a page of another host can neither read nor make one.
"""

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.datastructures import FormData
from starlette.requests import Request

from serving import store
from serving.keys import Key
from serving.words import N_

#: Names of those who decide where no keys are asked for, separated by commas.
ANALYSTS = "REALREACH_ANALYSTS"
COOKIE = "realreach_analyst"
#: Seconds for which a page that was loaded can be decided on.
_TOKEN_SECONDS = 24 * 60 * 60
_LONGEST_NAME = 200


class FormError(ValueError):
    """A form that is not read; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Analyst:
    """Who looks at the page.

    Attributes
    ----------
    name : str
        Under which they decide: the name of their key, or one of those configured.
    caller : str
        The key's id; `open` where no keys are asked for.
    choices : tuple of str
        The names that may be chosen from; empty where the key says who it is.
    """

    name: str
    tenant: str
    caller: str
    may_write: bool
    choices: tuple[str, ...] = ()


def configured_analysts() -> tuple[str, ...]:
    """Names of REALREACH_ANALYSTS, by default one."""
    named = (name.strip()[:_LONGEST_NAME] for name in os.environ.get(ANALYSTS, "").split(","))
    return tuple(dict.fromkeys(name for name in named if name)) or ("analyst",)


def analyst_of(request: Request) -> Analyst:
    """Who sends a request: the holder of its key, or who was chosen in the page where no keys are asked for."""
    key: Key | None = request.scope.get("caller")
    if key is not None:
        return Analyst(key.name, key.tenant, key.id, key.may("write"))
    names = configured_analysts()
    chosen = unquote(request.cookies.get(COOKIE, ""))
    return Analyst(chosen if chosen in names else names[0], "default", "open", may_write=True, choices=names)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(store.signing_secret("forms"), salt="realreach.review.form")


def _bound_to(analyst: Analyst) -> list[str]:
    return [analyst.tenant, analyst.caller, analyst.name]


def form_token(analyst: Analyst) -> str:
    """Token of the forms of a page, for this analyst.

    Raises
    ------
    serving.store.StoreError
    """
    return str(_signer().dumps(_bound_to(analyst)))


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def check_form(request: Request, analyst: Analyst, form: FormData) -> None:
    """Require that a form was sent from a page that was made for this analyst.

    Raises
    ------
    FormError
    serving.store.StoreError
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # without the port: a server in front may pass on the name alone, as many are told to
    elsewhere = site != "same-origin" if site else origin and _host(origin) != _host(f"//{request.headers.get('host')}")
    if elsewhere:
        raise FormError(N_("This form was sent from another site. Open the review page and decide there."))
    try:
        made_for = _signer().loads(text(form, "token"), max_age=_TOKEN_SECONDS)
    except BadSignature:
        made_for = None
    if made_for != _bound_to(analyst):
        raise FormError(N_("This page is too old, or was made for somebody else. Load it again and decide once more."))


def text(form: FormData, name: str) -> str:
    """A field of a form; empty where it is missing."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def address_of(request: Request) -> str:
    """Address of the page of a request inside its host, to come back to: without what is said only once."""
    raw = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return changed(raw.split(b"?")[0].decode("ascii", "replace") + f"?{request.url.query}", since=None)


def changed(address: str, **changes: Any) -> str:
    """An address with some of its query changed; None takes a name away."""
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in changes]
    query = urlencode([*kept, *((name, value) for name, value in changes.items() if value is not None)])
    return parts._replace(query=query).geturl()


def inside(root: str, sent: str) -> str:
    """An address to go back to if it is one of this app, else the first page."""
    home = f"{root}/"
    plain = sent.isprintable() and "\\" not in sent and sent.startswith(home) and not sent.startswith("//")
    steps = {unquote(step) for step in sent.partition("?")[0].partition("#")[0].split("/")}
    return sent if plain and not steps & {".", ".."} else home
