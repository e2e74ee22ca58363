"""HubSpot's search: filter groups, one sort, offsets up to ten thousand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.hubspot.store import Record, Refused, Store, to_milliseconds

CAP = 10_000

Comparable = tuple[int, float, str]


def _key(value: str | None) -> Comparable:
    """Numbers and moments compare as such, other values as text without case."""
    if value is None:
        return (0, 0.0, "")
    try:
        return (1, float(value), "")
    except ValueError:
        pass
    try:
        return (1, float(to_milliseconds(value)), "") if value[:4].isdigit() and "T" in value else (2, 0.0, value.lower())
    except ValueError:
        return (2, 0.0, value.lower())


def _tokens(value: str) -> list[str]:
    return [token for token in "".join(c if c.isalnum() else " " for c in value.lower()).split() if token]


def _contains(value: str | None, wanted: str) -> bool:
    token = wanted.lower()
    if value is None:
        return False
    if "*" in token:
        return token.strip("*") in value.lower()
    return token == value.lower() or all(part in _tokens(value) for part in _tokens(token))


OPERATORS: dict[str, Callable[[str | None, Mapping[str, Any]], bool]] = {
    "EQ": lambda value, f: value is not None and _key(value) == _key(str(f["value"])),
    "NEQ": lambda value, f: _key(value) != _key(str(f["value"])),
    "LT": lambda value, f: value is not None and _key(value) < _key(str(f["value"])),
    "LTE": lambda value, f: value is not None and _key(value) <= _key(str(f["value"])),
    "GT": lambda value, f: value is not None and _key(value) > _key(str(f["value"])),
    "GTE": lambda value, f: value is not None and _key(value) >= _key(str(f["value"])),
    "BETWEEN": lambda value, f: value is not None and _key(str(f["value"])) <= _key(value) <= _key(str(f["highValue"])),
    "IN": lambda value, f: value is not None and value.lower() in {str(item).lower() for item in f["values"]},
    "NOT_IN": lambda value, f: value is None or value.lower() not in {str(item).lower() for item in f["values"]},
    "HAS_PROPERTY": lambda value, f: value is not None,
    "NOT_HAS_PROPERTY": lambda value, f: value is None,
    "CONTAINS_TOKEN": lambda value, f: _contains(value, str(f["value"])),
    "NOT_CONTAINS_TOKEN": lambda value, f: not _contains(value, str(f["value"])),
}


def _check(store: Store, kind: str, groups: list[dict[str, Any]]) -> None:
    filters = [one for group in groups for one in group.get("filters", [])]
    if len(groups) > 5 or len(filters) > 18 or any(len(group.get("filters", [])) > 6 for group in groups):
        raise Refused(400, "VALIDATION_ERROR", "too many filters: at most 5 groups, 6 filters a group, 18 in all")
    for one in filters:
        if one.get("operator") not in OPERATORS:
            raise Refused(400, "VALIDATION_ERROR", f"unknown operator {one.get('operator')!r}")
        if one.get("propertyName") not in store.properties[kind]:
            raise Refused(
                400, "VALIDATION_ERROR", f"There was a problem with the request: unknown property {one.get('propertyName')!r}"
            )
        missing = {"IN": "values", "NOT_IN": "values", "BETWEEN": "highValue"}.get(one["operator"], "value")
        if not one["operator"].endswith("HAS_PROPERTY") and missing not in one:
            raise Refused(400, "VALIDATION_ERROR", f"{one['operator']} needs {missing}")


def _sorted(records: list[Record], sorts: list[Any]) -> list[Record]:
    records = sorted(records, key=lambda record: int(record.id))
    if len(sorts) > 1:
        raise Refused(400, "VALIDATION_ERROR", "only one sort is allowed")
    if sorts:
        sort = sorts[0]
        name = sort if isinstance(sort, str) else sort.get("propertyName", "createdate")
        down = name.startswith("-") or (isinstance(sort, dict) and sort.get("direction") == "DESCENDING")
        records.sort(key=lambda record: _key(record.value(name.lstrip("-"))), reverse=down)
    return records


def search(store: Store, kind: str, body: Mapping[str, Any], lag_s: float = 0.0) -> dict[str, Any]:
    """Answer a search request. `lag_s` leaves out what changed so recently, as HubSpot's index does. Raises Refused."""
    groups = body.get("filterGroups") or ([{"filters": body["filters"]}] if body.get("filters") else [])
    limit, after = int(body.get("limit", 10)), int(body.get("after") or 0)
    if not 1 <= limit <= 200:
        raise Refused(400, "VALIDATION_ERROR", "limit must be between 1 and 200")
    if after + limit > CAP:
        raise Refused(400, "VALIDATION_ERROR", f"paging is limited to {CAP} results")
    _check(store, kind, groups)
    horizon = store.now_ms() - lag_s * 1000
    records = [
        record for record in store.objects[kind].values() if not record.archived and (not lag_s or record.updated <= horizon)
    ]

    def matches(record: Record) -> bool:
        return not groups or any(
            all(OPERATORS[one["operator"]](record.value(one["propertyName"]), one) for one in group.get("filters", []))
            for group in groups
        )

    found = [record for record in records if matches(record)]
    if body.get("query"):
        words = str(body["query"]).lower()
        found = [
            r
            for r in found
            if any(words in (r.value(n) or "").lower() for n in ("email", "firstname", "lastname", "company", "phone"))
        ]
    found = _sorted(found, body.get("sorts") or [])
    page = found[after : after + limit]
    names = body.get("properties") or ["email", "firstname", "lastname"]
    answer: dict[str, Any] = {"total": len(found), "results": [store.to_json(record, names) for record in page]}
    if after + limit < len(found):
        answer["paging"] = {"next": {"after": str(after + limit), "link": "?after=" + str(after + limit)}}
    return answer
