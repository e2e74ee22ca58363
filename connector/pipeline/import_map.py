"""The small TOML file that says which column of a file is which."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.errors import Configuration
from leads.fields import CANONICAL


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


def read_mapping(path: Path, connection: str | None = None) -> ImportMap:
    """Read a map file. Raises `Configuration` naming the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Configuration(f"{path}: {error}.", "Mend the map file; see docs/importing.md.") from None
    known = {"connection", "external_id", "created_at", "order", "missing", "fields", "extra", "outcome"}
    if unknown := sorted(set(table) - known):
        raise Configuration(f"{path}: {unknown[0]}: unknown key.", f"Known: {', '.join(sorted(known))}.")
    fields = table.get("fields", {})
    if wrong := sorted(set(fields) - CANONICAL):
        raise Configuration(f"{path}: fields.{wrong[0]}: no such field.", f"Known: {', '.join(sorted(CANONICAL))}.")
    if not isinstance(table.get("external_id"), str):
        raise Configuration(f"{path}: external_id: missing.", "Name the column that identifies a lead.")
    outcome = table.get("outcome", {})
    return ImportMap(
        connection=connection or table.get("connection") or "import",
        external_id=table["external_id"],
        fields=fields,
        extra=tuple(table.get("extra", ())),
        created_at=table.get("created_at"),
        order=table.get("order"),
        outcome=outcome.get("column"),
        won=_texts(outcome.get("won", ())),
        lost=_texts(outcome.get("lost", ())),
        missing=_texts(table.get("missing", ("",))) | {""},
    )


def _texts(values: Any) -> frozenset[str]:
    return frozenset(str(value) for value in ([values] if isinstance(values, str | int) else values))
