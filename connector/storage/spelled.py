"""Statements that every lead runs, spelled out once: peewee builds the text of a statement anew each time it runs one, which takes
ten to thirty times as long as SQLite needs to carry it out. Rows come and go through the fields of the table all the same.

Reports, lists and whatever runs seldom stay with peewee's own queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from peewee import AutoField, BlobField, BooleanField, Field

from connector.storage.columns import JsonField, MomentField
from connector.storage.db import Database, marks
from connector.storage.models import Table

Row = TypeVar("Row", bound=Table)
#: What these read differs from what the driver gives; all other fields hold the driver's value as it is.
TRANSLATED = (BlobField, BooleanField, JsonField, MomentField)
#: Values in one statement: half of what SQLite takes.
MOST_MARKS = 16_000


def rows(db: Database, table: type[Row], rest: str, *values: Any) -> list[Row]:
    """The rows of `SELECT * FROM table` with this rest ("WHERE lead_id = ? ORDER BY id"), whole and ready to be saved."""
    with db.connected():
        cursor = db.run(f"SELECT * FROM {_name(table)} {rest}", *values)  # noqa: S608 - names and marks only
        columns = _columns(table, tuple(column[0] for column in cursor.description))
        return [_row(table, columns, found) for found in cursor.fetchall()]


def first(db: Database, table: type[Row], rest: str, *values: Any) -> Row | None:
    """The first of `rows`, or None."""
    return next(iter(rows(db, table, f"{rest} LIMIT 1", *values)), None)


def insert(db: Database, table: type[Table], values: dict[str, Any], *, unless: str = "") -> int:
    """Insert one row; returns its id, or 0 when an equal one stands and `unless` says what to do then ("DO NOTHING")."""
    statement, fields = _insertion(table, tuple(values), f"ON CONFLICT {unless}" if unless else "")
    given = [field.db_value(values[name] if name in values else _default(field)) for name, field in fields]
    with db.connected():
        cursor = db.run(statement if db.is_sqlite else f"{statement} RETURNING id", *given)
        if db.is_sqlite:
            return int(cursor.lastrowid) if cursor.rowcount > 0 else 0
        made = cursor.fetchone()
        return int(made[0]) if made else 0


def insert_many(db: Database, table: type[Table], many: Sequence[dict[str, Any]]) -> None:
    """Insert rows that give the same columns, many in a statement, within the caller's transaction."""
    if not many:
        return
    _, fields = _insertion(table, tuple(many[0]), "")
    each = MOST_MARKS // len(fields)
    told = [(name, field.db_value if isinstance(field, TRANSLATED) else None) for name, field in fields if name in many[0]]
    rest = [field.db_value(_default(field)) for name, field in fields if name not in many[0]]
    order = [*(name for name, _ in told), *(name for name, _ in fields if name not in many[0])]
    into = f"INSERT INTO {_name(table)} ({', '.join(order)}) VALUES "  # noqa: S608 - names only
    for start in range(0, len(many), each):
        part = many[start : start + each]
        given: list[Any] = []
        for row in part:
            given += [row[name] if write is None else write(row[name]) for name, write in told]
            given += rest
        db.run(into + ", ".join([f"({marks(fields)})"] * len(part)), *given)


def upsert(db: Database, table: type[Table], values: dict[str, Any], key: Sequence[str]) -> None:
    """Insert one row, or give these values to the one that stands for `key`."""
    sets = ", ".join(f"{name} = excluded.{name}" for name in values if name not in key)
    insert(db, table, values, unless=f"({', '.join(key)}) DO UPDATE SET {sets}")


def set_where(db: Database, table: type[Table], values: dict[str, Any], where: str, *more: Any) -> int:
    """Set these columns where the condition holds; returns in how many rows."""
    fields: dict[str, Field] = table._meta.fields
    given = [fields[name].db_value(value) for name, value in values.items()]
    sets = ", ".join(f"{name} = ?" for name in values)
    with db.connected():
        return int(db.run(f"UPDATE {_name(table)} SET {sets} WHERE {where}", *given, *more).rowcount)  # noqa: S608 - names only


def save(db: Database, row: Table) -> None:
    """Write a row back as it is now."""
    set_where(db, type(row), {name: value for name, value in row.__data__.items() if name != "id"}, "id = ?", row.__data__["id"])


def _name(table: type[Table]) -> str:
    return str(table._meta.table_name)


@lru_cache(maxsize=256)
def _columns(table: type[Table], names: tuple[str, ...]) -> Sequence[tuple[str, Callable[[Any], Any] | None]]:
    """(name, how to read it) of each column, in the order they come."""
    fields: dict[str, Field] = table._meta.fields
    return [(name, fields[name].python_value if isinstance(fields[name], TRANSLATED) else None) for name in names]


def _row(table: type[Row], columns: Sequence[tuple[str, Callable[[Any], Any] | None]], found: Sequence[Any]) -> Row:
    row = table(__no_default__=1)
    row.__data__ = {name: read(value) if read is not None else value for (name, read), value in zip(columns, found, strict=True)}
    return row


@lru_cache(maxsize=256)
def _insertion(table: type[Table], names: tuple[str, ...], conflict: str) -> tuple[str, Sequence[tuple[str, Field]]]:
    known: dict[str, Field] = table._meta.fields
    if unknown := set(names) - known.keys():
        raise TypeError(f"{_name(table)} has no {', '.join(sorted(unknown))}.")
    fields = [(name, field) for name, field in known.items() if not isinstance(field, AutoField)]
    columns = ", ".join(name for name, _ in fields)
    return f"INSERT INTO {_name(table)} ({columns}) VALUES ({marks(fields)}) {conflict}", fields  # noqa: S608 - names only


def _default(field: Field) -> Any:
    return field.default() if callable(field.default) else field.default
