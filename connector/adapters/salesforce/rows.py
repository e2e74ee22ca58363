"""Sending rows together, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import long_or_none
from connector.adapters.salesforce.refusals import read_errors, sort_refusal
from connector.errors import Fatal, LeadswitchError
from connector.http import Unsure
from connector.ports import Written

Row = tuple[int, Mapping[str, Any]]  # index in the writes that were given, one record of a collection


def update_rows(calls: SalesforceCalls, thing: str, rows: Sequence[Row]) -> dict[int, Written]:
    """Index → result of changing records of one object; `id` is among the values of each."""
    if not rows:
        return {}
    records = [{"attributes": {"type": thing}, **values} for _, values in rows]
    return _read(rows, calls.collection("PATCH", records, idempotent=True), f"a change of a {thing}")


def make_rows(
    calls: SalesforceCalls, thing: str, rows: Sequence[Row], marker_of: Callable[[Mapping[str, Any]], str], unsure: set[str]
) -> dict[int, Written]:
    """Index → result of making records of one object. When the answer is lost, the markers go to `unsure`, and it raises."""
    if not rows:
        return {}
    records = [{"attributes": {"type": thing}, **values} for _, values in rows]
    try:
        results = calls.collection("POST", records, idempotent=False)
    except Unsure:
        unsure.update(marker_of(values) for _, values in rows)
        raise
    return _read(rows, results, f"a new {thing}")


def _read(rows: Sequence[Row], results: Sequence[Mapping[str, Any]], what: str) -> dict[int, Written]:
    done: dict[int, Written] = {}
    for (index, values), result in zip(rows, results, strict=True):
        if result.get("success") is True:
            done[index] = Written(True, (), long_or_none(result.get("id")) or str(values.get("id", "")))
        else:
            errors = read_errors(result.get("errors") or [])
            error: LeadswitchError = sort_refusal(errors, what) or Fatal(f"Salesforce refused {what} without a reason.")
            done[index] = Written(False, error=error)
    return done
