"""Every company with its domains and owner.

Source: EspoCRM's metadata of Account (`website`, `emailAddress`, `type` with the option Customer, `billingAddressCountry`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.calls import EspoCalls, term
from connector.reading import read_rows, read_text
from leads.records import AccountRecord

ACCOUNT: Final = "Account"
ATTRIBUTES: Final = ("name", "website", "emailAddress", "type", "billingAddressCountry", "assignedUserId", "modifiedAt")
CUSTOMER: Final = "Customer"


def read_companies(calls: EspoCalls) -> Iterator[Sequence[AccountRecord]]:
    """Every company in the order of ids. Raises `Configuration` when the role may not read them."""
    last: str | None = None
    while True:
        rows, _ = calls.list(ACCOUNT, [term("greaterThan", "id", last)] if last else [], ATTRIBUTES)
        yield read_rows("EspoCRM", rows, _account)
        if len(rows) < calls.page_size:
            return
        last = str(rows[-1]["id"])


def _account(row: Mapping[str, Any]) -> AccountRecord:
    """The last change of the record stands for the last work on it."""
    email = read_text(row.get("emailAddress")) or ""
    domains = (read_text(row.get("website")), email.partition("@")[2])
    return AccountRecord(
        external_id=str(row["id"]),
        name=read_text(row.get("name")) or "",
        domains=tuple(dict.fromkeys(one for one in domains if one)),
        country=read_text(row.get("billingAddressCountry")),
        owner_id=read_text(row.get("assignedUserId")),
        customer=row.get("type") == CUSTOMER,
        touched_at=words.read_datetime(row.get("modifiedAt")),
    )
