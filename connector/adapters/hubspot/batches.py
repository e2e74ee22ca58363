"""Sending rows together, and finding out what became of each.

HubSpot refuses a whole batch with a 400 when one row is bad, and answers 207 with an `errors` list when only some rows failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import Fatal, LeadswitchError, Retriable, Skippable
from connector.http import Unsure
from connector.ports import Written

Row = tuple[int, dict[str, Any]]  # index in the writes that were given, one input of a HubSpot batch


@dataclass(frozen=True, slots=True)
class Batch:
    """How one kind of row is sent. `key` names a sent row, `result_key` a result: equal when they belong together.

    `made_already` finds those of a refused batch that took effect nevertheless; rows that may be sent twice need none.
    """

    post: Callable[[Sequence[dict[str, Any]]], Mapping[str, Any]]
    key: Callable[[Mapping[str, Any]], str]
    result_key: Callable[[Mapping[str, Any]], str]
    made_already: Callable[[Sequence[Row]], dict[int, Written]] | None = None


def record_id(row: Mapping[str, Any]) -> str:
    """The key of rows and results about records that exist already."""
    return str(row.get("id"))


def send_rows(rows: Sequence[Row], batch: Batch) -> dict[int, Written]:
    """Index → result. A refused batch is sent in halves until the bad row is alone. Raises only when nothing was done."""
    if not rows:
        return {}
    try:
        answer = batch.post([row for _, row in rows])
    except (Fatal, Skippable) as error:
        if len(rows) == 1:
            return {rows[0][0]: Written(False, error=error)}
        return _send_halves(rows, batch)
    return _read_answer(rows, answer, batch)


def _send_halves(rows: Sequence[Row], batch: Batch) -> dict[int, Written]:
    done: dict[int, Written] = {}
    if batch.made_already:
        try:
            done |= batch.made_already(rows)
        except Retriable as error:
            raise Unsure(str(error), error.delay_s) from None
    left = [row for row in rows if row[0] not in done]
    middle = (len(left) + 1) // 2
    for half in (left[:middle], left[middle:]):
        try:
            done |= send_rows(half, batch)
        except LeadswitchError as error:
            done |= {index: Written(False, error=error) for index, _ in half}
    return done


def _read_answer(rows: Sequence[Row], answer: Mapping[str, Any], batch: Batch) -> dict[int, Written]:
    made = {batch.result_key(result): str(result.get("id")) for result in answer.get("results", [])}
    failed = read_row_errors(answer.get("errors") or [])
    done: dict[int, Written] = {}
    for index, row in rows:
        mine = batch.key(row)
        if mine in made:
            done[index] = Written(True, (), made[mine])
        elif len(rows) == 1 and len(made) == 1:
            done[index] = Written(True, (), next(iter(made.values())))
        else:
            done[index] = Written(False, error=failed.get(mine) or failed.get("") or Unsure("HubSpot did not answer for this row."))
    return done


def read_row_errors(errors: Sequence[Mapping[str, Any]]) -> dict[str, LeadswitchError]:
    """Row key → error of a 207. The key is an id or our trace id; "" is an error that names no row."""
    found: dict[str, LeadswitchError] = {}
    for error in errors:
        context = error.get("context") or {}
        keys = [str(one) for name in ("ids", "id", "objectWriteTraceId") for one in _as_list(context.get(name))]
        keys += [str(error[name]) for name in ("id", "objectWriteTraceId") if error.get(name)]
        found |= {one: _row_error(str(error.get("category") or "")) for one in keys or [""]}
    return found


def _row_error(category: str) -> LeadswitchError:
    word = category if category.replace("_", "").isalpha() and category.isupper() else "an unnamed category"
    sort: type[LeadswitchError] = Fatal
    if word in ("OBJECT_NOT_FOUND", "NOT_FOUND"):
        sort = Skippable
    elif word in ("RATE_LIMITS", "RATE_LIMIT", "INTERNAL_ERROR", "TIMEOUT"):
        sort = Retriable
    return sort(f"HubSpot refused this row ({word}).")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
