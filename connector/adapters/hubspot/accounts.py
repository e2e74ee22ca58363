"""Every company with its domains and owner.

Source: HubSpot's guide "Companies": the list gives at most 100 a page; `hs_additional_domains` holds further domains, separated by
semicolons; a customer has reached that lifecycle stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.words import read_iso
from leads.records import AccountRecord

A_PAGE: Final = 100
PROPERTIES: Final = (
    *("name", "domain", "website", "hs_additional_domains", "country"),
    *("hubspot_owner_id", "lifecyclestage", "notes_last_updated"),
)
CUSTOMERS: Final = ("customer", "evangelist")


def read_companies(calls: HubSpotCalls) -> Iterator[Sequence[AccountRecord]]:
    """Every company, page by page. Raises `Configuration` when the account keeps them from us."""
    cursor: str | None = None
    while True:
        params = [("limit", str(A_PAGE)), ("archived", "false"), *(("properties", name) for name in PROPERTIES)]
        params += [("after", cursor)] if cursor else []
        answer = calls.call("GET", calls.path("objects", "companies"), params=params)
        yield [_account(record) for record in answer.get("results", [])]
        following = ((answer.get("paging") or {}).get("next") or {}).get("after")
        if not following or str(following) == cursor:
            return
        cursor = str(following)


def _account(record: Mapping[str, Any]) -> AccountRecord:
    told = record.get("properties") or {}
    more = str(told.get("hs_additional_domains") or "").split(";")
    domains = [str(told.get("domain") or ""), str(told.get("website") or ""), *more]
    return AccountRecord(
        external_id=str(record["id"]),
        name=str(told.get("name") or ""),
        domains=tuple(dict.fromkeys(one.strip() for one in domains if one.strip())),
        country=str(told.get("country") or "") or None,
        owner_id=str(told.get("hubspot_owner_id") or "") or None,
        customer=told.get("lifecyclestage") in CUSTOMERS,
        touched_at=read_iso(touched) if (touched := told.get("notes_last_updated")) else None,
    )
