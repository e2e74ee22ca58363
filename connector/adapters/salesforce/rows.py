"""Sending rows together, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import long_or_none
from connector.adapters.salesforce.refusals import TITLE, read_errors, sort_refusal
from connector.errors import Fatal, LeadswitchError, Retriable
from connector.http import Unsure
from connector.ports import Written

Row = tuple[int, Mapping[str, Any]]  # index in the writes that were given, one record
TOGETHER: Final = 25  # requests in a composite call


def update_rows(calls: SalesforceCalls, thing: str, rows: Sequence[Row]) -> dict[int, Written]:
    """Index → result of changing records of one object; `id` is among the values of each."""
    if not rows:
        return {}
    results = calls.collection([{"attributes": {"type": thing}, **values} for _, values in rows])
    return {
        index: _read(result.get("success") is True, result, f"a change of a {thing}", str(values["id"]))
        for (index, values), result in zip(rows, results, strict=True)
    }


def make_once(calls: SalesforceCalls, thing: str, rows: Sequence[Row], key: str, unsure: set[str]) -> dict[int, Written]:
    """Index → result of making records of one object. Of those that were not answered for, the value of the field `key` goes to
    `unsure`, by which they are looked up before the next try. Raises only when nothing else was done."""
    try:
        done = _make(calls, thing, rows)
    except Unsure:
        unsure.update(str(values[key]) for _, values in rows)
        raise
    unsure.update(str(values[key]) for index, values in rows if isinstance(done[index].error, Unsure))
    return done


def _make(calls: SalesforceCalls, thing: str, rows: Sequence[Row]) -> dict[int, Written]:
    if len(rows) == 1:
        return {rows[0][0]: _make_one(calls, thing, rows[0][1])}
    done: dict[int, Written] = {}
    for start in range(0, len(rows), TOGETHER):
        part = rows[start : start + TOGETHER]
        try:
            done |= _make_together(calls, thing, part)
        except LeadswitchError as error:
            done |= {index: Written(False, error=error) for index, _ in part}
    return done


def _make_one(calls: SalesforceCalls, thing: str, values: Mapping[str, Any]) -> Written:
    try:
        made = calls.call("POST", calls.path(f"sobjects/{thing}"), body=values, idempotent=False)
    except Retriable:
        raise
    except LeadswitchError as error:
        return Written(False, error=error)
    return _read(True, made or {}, f"a new {thing}", "")


def _make_together(calls: SalesforceCalls, thing: str, rows: Sequence[Row]) -> dict[int, Written]:
    url = calls.path(f"sobjects/{thing}")
    requests = [{"method": "POST", "url": url, "referenceId": f"row{index}", "body": values} for index, values in rows]
    answers = calls.composite(requests, idempotent=False)
    done: dict[int, Written] = {}
    for index, _ in rows:
        part = answers.get(f"row{index}")
        if part is None:
            done[index] = Written(False, error=Unsure(f"{TITLE} did not answer for this row."))
            continue
        made = part.get("httpStatusCode") == 201
        body = part.get("body")
        result: Mapping[str, Any] = body if made and isinstance(body, dict) else {"errors": body}
        done[index] = _read(made, result, f"a new {thing}", "")
    return done


def _read(done: bool, result: Mapping[str, Any], what: str, known_id: str) -> Written:
    if done:
        return Written(True, (), long_or_none(result.get("id")) or known_id)
    errors = read_errors(result.get("errors") or [])
    return Written(False, error=sort_refusal(errors, what) or Fatal(f"{TITLE} refused {what} without a reason."))
