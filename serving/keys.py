"""API keys: made and revoked from the command line, kept as digests, read by the service from a copy in memory."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, get_args

import sqlalchemy as sa

from serving import store

Scope = Literal["read", "score", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: Every key begins with it, so that a leaked one is found by a search.
PREFIX = "rr"
_NOBODY = sha256(b"").hexdigest()


class UnknownKeyError(LookupError):
    """No key has this id."""


@dataclass(frozen=True)
class Key:
    """A key as the service knows it, without its secret.

    Attributes
    ----------
    tenant : str
        Whose it is: what one tenant leaves, no other sees.
    digest : str
        SHA-256 of the secret. A secret has 256 random bits: no slow hash is needed to keep it from being guessed.
    per_minute, per_day : int
        Requests that it may make.
    """

    id: str
    name: str
    tenant: str
    digest: str
    scopes: frozenset[str]
    per_minute: int
    per_day: int
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope; `admin` has them all."""
        return scope in self.scopes or "admin" in self.scopes


def create_key(
    name: str, scopes: frozenset[Scope], *, tenant: str = "default", per_minute: int = 600, per_day: int = 100_000
) -> tuple[Key, str]:
    """Make a key.

    Returns
    -------
    tuple of Key and str
        The key, and what its owner sends; it is told once and kept nowhere.

    Raises
    ------
    serving.store.StoreError
    """
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    digest = sha256(secret.encode()).hexdigest()
    key = Key(key_id, name, tenant, digest, frozenset(scopes), per_minute, per_day, store.now())
    row = vars(key) | {"scopes": ",".join(scope for scope in SCOPES if scope in scopes)}
    with store.connection() as one:
        one.execute(store.keys.insert().values(row))
        store.note(one, "command line", "key created", key_id)
    return key, f"{PREFIX}_{key_id}_{secret}"


def list_keys() -> list[Key]:
    """Every key that was ever made, the oldest first.

    Raises
    ------
    serving.store.StoreError
    """
    with store.reading() as one:
        rows = one.execute(sa.select(store.keys).order_by(store.keys.c.created_at, store.keys.c.id)).mappings().all()
    return [Key(**{**row, "scopes": frozenset(row["scopes"].split(","))}) for row in rows]


def revoke_key(key_id: str) -> None:
    """Revoke a key for good; services notice within seconds.

    Raises
    ------
    UnknownKeyError
        Where there is none with this id that still holds.
    serving.store.StoreError
    """
    holds = (store.keys.c.id == key_id) & store.keys.c.revoked_at.is_(None)
    with store.connection() as one:
        if not one.execute(store.keys.update().where(holds).values(revoked_at=store.now())).rowcount:
            raise UnknownKeyError(f"no key that holds has the id {key_id!r}; list them with `realreach keys list`")
        store.note(one, "command line", "key revoked", key_id)


def find(sent: str, known: dict[str, Key]) -> Key | None:
    """The key that was sent, None where it is none that holds; takes as long for a wrong secret as for a right one."""
    prefix, _, rest = sent.partition("_")
    key_id, _, secret = rest.partition("_")
    key = known.get(key_id)
    expected = _NOBODY if key is None else key.digest
    same = hmac.compare_digest(sha256(secret.encode()).hexdigest(), expected)
    holds = key is not None and key.revoked_at is None
    return key if same and holds and prefix == PREFIX else None
