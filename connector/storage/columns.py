"""Column types that read the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from peewee import BigIntegerField, BlobField, TextField
from pydantic_core import to_json

from connector.clock import from_ms, to_ms


def is_id(number: int) -> bool:
    """Whether a number can be a row's id. What people type may be of any size, and databases raise at what they cannot hold."""
    return 0 < number < 2**31


class MomentField(BigIntegerField):
    """An aware UTC moment kept as whole milliseconds: comparable, indexable and free of driver differences."""

    def db_value(self, value: datetime | int | None) -> int | None:
        return to_ms(value) if isinstance(value, datetime) else value

    def python_value(self, value: int | None) -> datetime | None:
        return None if value is None else from_ms(value)


class JsonField(TextField):
    """A JSON document kept as text. Decisions write large ones: pydantic's writer takes a third of the time of `json`."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else to_json(value).decode()

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class SealedField(BlobField):
    """Bytes sealed by the vault; opened by the repository that owns the table, never here."""

    def python_value(self, value: Any) -> bytes | None:
        return None if value is None else bytes(value)
