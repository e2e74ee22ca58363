"""API tokens with roles. Only a digest is kept; the token itself is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import Token
from leads.enums import Role

PREFIX = "lsw_"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for."""

    id: int
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """The tokens of this installation."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def create(self, name: str, role: Role) -> tuple[str, Principal]:
        """A new token in clear, to be shown once, and whom it speaks for."""
        token = PREFIX + secrets.token_urlsafe(32)
        with self._db.transaction():
            row = Token.create(name=name, role=role.value, digest=_digest(token), created_at=self._clock.now())
            return token, _principal(row)

    def check(self, token: str) -> Principal | None:
        """Whom a presented token speaks for; None when it is unknown or revoked.

        The look-up is by SHA-256 of a 256-bit random token: equality timing tells nothing about the token.
        """
        with self._db.connected():
            row = Token.get_or_none((Token.digest == _digest(token)) & Token.revoked_at.is_null())
            return _principal(row) if row else None

    def all(self) -> Sequence[Principal]:
        with self._db.connected():
            return [_principal(row) for row in Token.select().order_by(Token.id)]

    def revoke(self, token_id: int) -> bool:
        with self._db.transaction():
            query = Token.update({Token.revoked_at: self._clock.now()}).where((Token.id == token_id) & Token.revoked_at.is_null())
            return bool(query.execute())


def _principal(row: Token) -> Principal:
    return Principal(row.id, row.name, Role.read(row.role), row.created_at, row.revoked_at)
