"""Writing rows together, and finding out what became of each: Zoho answers 200, 201, 202 or 207 with one entry a row, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector.adapters.zoho.calls import BATCH, ZohoCalls, code_error, rows_of
from connector.errors import LeadswitchError
from connector.http import Unsure
from connector.ports import Written

Row = tuple[int, dict[str, Any]]  # index in the writes that were given, one record of a call


def send_rows(calls: ZohoCalls, method: str, module: str, rows: Sequence[Row], *, idempotent: bool) -> dict[int, Written]:
    """Index → result, the receipt being the record's id. Raises only when nothing was done, `Unsure` when that is not certain."""
    done: dict[int, Written] = {}
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        try:
            answer = calls.call(method, module, body={"data": [record for _, record in chunk]}, idempotent=idempotent)
            answers: Sequence[Mapping[str, Any]] = rows_of(answer, len(chunk))
        except LeadswitchError as error:
            if not done:
                raise
            done |= {index: Written(False, error=error) for index, _ in chunk}
            continue
        done |= {index: _result(row, module) for (index, _), row in zip(chunk, answers, strict=True)}
    return done


def _result(row: Mapping[str, Any], module: str) -> Written:
    if row.get("status") != "success":
        return Written(False, error=code_error(row, f"this row of {module}"))
    record_id = (row.get("details") or {}).get("id")
    if record_id is None:
        return Written(False, error=Unsure("Zoho wrote something and does not say what."))
    return Written(True, (), str(record_id))
