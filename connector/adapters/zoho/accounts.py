"""Every company with its domains and owner.

Source: Zoho's reference of "Get records" and the API names of its standard module Accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.zoho import words
from connector.adapters.zoho.calls import ZohoCalls
from connector.reading import read_id, read_rows, read_text, read_time
from leads.records import AccountRecord

FIELDS: Final = ("Account_Name", "Website", "Billing_Country", "Account_Type", "Owner", "Last_Activity_Time")
CUSTOMER: Final = "Customer"


def read_companies(calls: ZohoCalls, nobody: frozenset[str]) -> Iterator[Sequence[AccountRecord]]:
    """Every company, page by page; `nobody` own nothing. Raises `Configuration` when the token's user may not read them."""
    for records, _ in calls.pages("Accounts", {"fields": ",".join(FIELDS), "sort_by": "id", "sort_order": "asc"}):
        yield read_rows("Zoho", records, lambda record: _account(record, nobody))


def _account(record: Mapping[str, Any], nobody: frozenset[str]) -> AccountRecord:
    website, touched = read_text(record.get("Website")), record.get("Last_Activity_Time")
    owner = words.read_lookup(record.get("Owner"))
    return AccountRecord(
        external_id=read_id(record["id"]),
        name=read_text(record.get("Account_Name")) or "",
        domains=(website,) if website else (),
        country=read_text(record.get("Billing_Country")),
        owner_id=None if owner in nobody else owner,
        customer=record.get("Account_Type") == CUSTOMER,
        touched_at=read_time(touched) if touched else None,
    )
