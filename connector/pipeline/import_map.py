"""The small TOML file that says which column of a file is which."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from connector.errors import Configuration
from leads.fields import CANONICAL

#: What pydantic calls a key that is not expected.
UNKNOWN: Final = "extra_forbidden"
#: One word or several, as texts or numbers.
Words = str | int | float | list[str | int | float]


@dataclass(frozen=True, slots=True)
class ImportMap:
    """Which column is which. `extra` are the tenant's own columns; `missing` are texts that mean "not answered"."""

    connection: str
    external_id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    created_at: str | None = None
    order: str | None = None
    outcome: str | None = None
    won: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset({""})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Outcome(_Strict):
    column: str
    won: Words = []
    lost: Words = []


class _File(_Strict):
    """The map file as it is written."""

    external_id: str
    connection: str = "import"
    fields: dict[str, str] = {}
    extra: list[str] = []
    created_at: str | None = None
    order: str | None = None
    outcome: _Outcome | None = None
    missing: Words = []


def read_mapping(path: Path, connection: str | None = None) -> ImportMap:
    """Read a map file. Raises `Configuration` naming the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Configuration(f"{path}: {error}.", "Mend the map file; see docs/importing.md.") from None
    try:
        told = _File.model_validate(table)
    except ValidationError as error:
        wrong = min(error.errors(), key=lambda one: one["type"] != UNKNOWN)  # a key misspelt is a key missing too
        key, what = ".".join(map(str, wrong["loc"])), "unknown key" if wrong["type"] == UNKNOWN else wrong["msg"]
        raise Configuration(f"{path}: {key}: {what}.", "Mend the map file; see docs/importing.md.") from None
    if unknown := sorted(set(told.fields) - CANONICAL):
        raise Configuration(f"{path}: fields.{unknown[0]}: no such field.", f"Known: {', '.join(sorted(CANONICAL))}.")
    return ImportMap(
        connection=connection or told.connection,
        external_id=told.external_id,
        fields=told.fields,
        extra=tuple(told.extra),
        created_at=told.created_at,
        order=told.order,
        outcome=told.outcome.column if told.outcome else None,
        won=_texts(told.outcome.won) if told.outcome else frozenset(),
        lost=_texts(told.outcome.lost) if told.outcome else frozenset(),
        missing=_texts(told.missing) | {""},
    )


def _texts(values: Words) -> frozenset[str]:
    return frozenset(str(value) for value in (values if isinstance(values, list) else [values]))
