"""Every company with its domains and owner.

Source: Salesforce's Object Reference, "Account" (Website, BillingCountry, Type with the values Customer - Direct and Customer -
Channel in a new org, LastActivityDate a day without an hour; person accounts are people).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import read_record_id
from connector.adapters.salesforce.shape import Shape
from connector.reading import read_rows
from leads.records import AccountRecord

PAGE: Final = 500
ACCOUNT: Final = "Account"
FIELDS: Final = ("Id", "Name", "Website", "BillingCountry", "OwnerId", "Type", "LastActivityDate")
#: There where the org has people for companies.
PERSON: Final = "IsPersonAccount"


def read_companies(calls: SalesforceCalls, shape: Shape) -> Iterator[Sequence[AccountRecord]]:
    """Every company, by id. A field that is hidden from our user is left out. Raises `Configuration` when accounts are."""
    visible = shape.fields(ACCOUNT)
    fields = [name for name in FIELDS if name in visible]
    people = PERSON in visible
    last: str | None = None
    while True:
        wanted = [*([f"Id > {soql.quote(last)}"] if last else []), *([f"{PERSON} = FALSE"] if people else [])]
        where = f"WHERE {' AND '.join(wanted)} " if wanted else ""
        query = f"SELECT {', '.join(fields)} FROM {ACCOUNT} {where}ORDER BY Id LIMIT {PAGE}"  # noqa: S608 - SOQL, quoted
        rows = list(soql.rows(calls, query))
        yield read_rows("Salesforce", rows, _account)
        if len(rows) < PAGE:
            return
        last = read_record_id(rows[-1]["Id"])


def _account(row: Mapping[str, Any]) -> AccountRecord:
    website, touched = row.get("Website"), row.get("LastActivityDate")
    return AccountRecord(
        external_id=read_record_id(row["Id"]),
        name=str(row.get("Name") or ""),
        domains=(str(website),) if website else (),
        country=row.get("BillingCountry") or None,
        owner_id=words.read_owner_id(row.get("OwnerId")),
        customer=str(row.get("Type") or "").lower().startswith("customer"),
        touched_at=datetime.fromisoformat(str(touched)[:10]).replace(tzinfo=UTC) if touched else None,
    )
