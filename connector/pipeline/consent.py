"""Whether somebody may be taken in at all: the erased stay erased, and who objected is not profiled."""

from __future__ import annotations

from typing import Final

from connector.bootstrap import House
from leads.records import LeadChange

PURPOSE: Final = "profiling"


def is_barred(house: House, connection: str, change: LeadChange) -> bool:
    """True when the person of a (normalised) change was erased or objected."""
    tokens = house.leads.tokens(connection, change.external_id, change.fields, change.extra)
    if house.privacy.buried(token for _, token in tokens):
        return True
    email = change.fields.get("email")
    return bool(email and house.privacy.refused([str(email)], PURPOSE))
