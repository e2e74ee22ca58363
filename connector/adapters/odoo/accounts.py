"""Every company with its domains and owner: a partner of Odoo that is a company.

Source: Odoo's public source of `res.partner` (`is_company`, `website`, `email`, `country_id`, `user_id` the salesperson) and of the
module account, which adds `customer_rank`: above zero, the partner was sold to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.reading import read_rows
from leads.records import AccountRecord

PAGE: Final = 200
PARTNER: Final = "res.partner"
FIELDS: Final = ("name", "website", "email", "country_id", "user_id", "write_date")
#: Only there where the module account is installed.
SOLD_TO: Final = "customer_rank"


def read_companies(calls: OdooCalls) -> Iterator[Sequence[AccountRecord]]:
    """Every company that is not archived, page by page. Raises `Configuration` when Odoo keeps them from us."""
    last = 0
    while True:
        domain = [["is_company", "=", True], ["active", "=", True], ["id", ">", last]]
        rows = calls.search_read(PARTNER, domain, FIELDS, also=(SOLD_TO,), limit=PAGE)
        yield read_rows("Odoo", rows, _account)
        if len(rows) < PAGE:
            return
        last = rows[-1]["id"]


def _account(row: Mapping[str, Any]) -> AccountRecord:
    """Odoo dates no last activity: the last change of the record stands for it."""
    email = words.read_address(row.get("email")) or ""
    domains = (words.read_filled(row.get("website")), email.partition("@")[2])
    return AccountRecord(
        external_id=str(row["id"]),
        name=words.read_filled(row.get("name")) or "",
        domains=tuple(dict.fromkeys(one for one in domains if one)),
        country=words.read_link_name(row.get("country_id")),
        owner_id=words.read_link(row.get("user_id")),
        customer=bool(row.get(SOLD_TO)),
        touched_at=words.read_datetime(row.get("write_date")),
    )
