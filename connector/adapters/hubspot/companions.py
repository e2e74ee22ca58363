"""What HubSpot keeps beside a contact: its primary company, and its deals.

Sources: HubSpot's guides "Companies", "Deals" (`hs_is_closed_won`, `closedate`) and "Associations v4" (batch read).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from connector.adapters.hubspot import words
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.errors import Configuration
from connector.reading import read_number
from leads.enums import Outcome
from leads.records import FieldValue

BATCH: Final = 100
DEAL_PROPERTIES: Final = ("amount", "closedate", "dealstage", "hs_is_closed", "hs_is_closed_won")

Properties = Mapping[str, Any]
Record = Mapping[str, Any]
Found = TypeVar("Found")

log = logging.getLogger(__name__)


class Companions:
    """Reads companies and deals beside contacts. An account may keep them from us: then contacts are read without them."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def companies_of(self, calls: HubSpotCalls, contacts: Sequence[Record]) -> dict[str, Properties]:
        """Company id → properties, of the primary companies of these contact records. No call when they have none."""
        ids = [str(one) for record in contacts if (one := (record.get("properties") or {}).get("associatedcompanyid"))]
        return self._unless_refused("companies", lambda: _read(calls, "companies", ids, tuple(words.COMPANY_FIELDS)))

    def deals_of(self, calls: HubSpotCalls, contacts: Sequence[Record]) -> dict[str, list[Properties]]:
        """Contact id → its deals. Only contacts that say they have deals are asked for."""
        ids = [str(record["id"]) for record in contacts if _counts_deals(record)]

        def read() -> dict[str, list[Properties]]:
            links = _links(calls, ids)
            deals = _read(calls, "deals", [deal for linked in links.values() for deal in linked], DEAL_PROPERTIES)
            return {contact: [deals[deal] for deal in linked if deal in deals] for contact, linked in links.items()}

        return self._unless_refused("deals", read)

    def _unless_refused(self, kind: str, read: Callable[[], dict[str, Found]]) -> dict[str, Found]:
        if kind in self._refused:
            return {}
        try:
            return read()
        except Configuration as error:
            self._refused.add(kind)
            log.warning("Contacts are read without their %s from now on: %s", kind, error)
            return {}


def _counts_deals(contact: Record) -> bool:
    return (read_number((contact.get("properties") or {}).get("num_associated_deals")) or 0) > 0


def _links(calls: HubSpotCalls, contacts: Sequence[str]) -> dict[str, list[str]]:
    links: dict[str, list[str]] = {}
    for start in range(0, len(contacts), BATCH):
        body = {"inputs": [{"id": one} for one in contacts[start : start + BATCH]]}
        answer = calls.call("POST", calls.path("associations", "contacts/deals/batch/read"), body=body)
        for result in answer.get("results", []):
            linked = [str(one["toObjectId"]) for one in result.get("to") or () if "toObjectId" in one]
            links[str((result.get("from") or {}).get("id"))] = linked
    return links


def _read(calls: HubSpotCalls, kind: str, ids: Iterable[str], properties: Sequence[str]) -> dict[str, Properties]:
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Properties] = {}
    for start in range(0, len(wanted), BATCH):
        inputs = [{"id": one} for one in wanted[start : start + BATCH]]
        body = {"inputs": inputs, "properties": list(properties), "propertiesWithHistory": []}
        answer = calls.call("POST", calls.path("objects", f"{kind}/batch/read"), body=body)
        found |= {str(record["id"]): record.get("properties") or {} for record in answer.get("results", [])}
    return found


def add_company(fields: dict[str, FieldValue], company: Properties | None) -> None:
    """Fill what the contact itself does not say from its company."""
    for name, value in (company or {}).items():
        field, read = words.read_company_property(name, value)
        if field is not None and read is not None and fields.get(field) is None:
            fields[field] = read


def deals_ending(deals: Sequence[Properties]) -> tuple[Outcome, datetime] | None:
    """Won when the first deal was won; lost when every deal was closed and none won. None while one is open, or without deals."""
    won = [moment for deal in deals if _is_won(deal) and (moment := _closed_at(deal))]
    if won:
        return Outcome.WON, min(won)
    lost = [_closed_at(deal) for deal in deals if _is_closed(deal) and not _is_won(deal)]
    if deals and len(lost) == len(deals) and None not in lost:
        return Outcome.LOST, max(moment for moment in lost if moment)
    return None


def deal_amount(deals: Sequence[Properties]) -> float | None:
    """The amount of the newest deal by closing date, which HubSpot also sets (as expected) on open ones."""
    dated = [(_closed_at(deal), read_number(deal.get("amount"))) for deal in deals]
    amounts = [(moment, amount) for moment, amount in dated if moment and amount is not None]
    return max(amounts)[1] if amounts else None


def _is_won(deal: Properties) -> bool:
    return str(deal.get("hs_is_closed_won")).lower() == "true" or deal.get("dealstage") == "closedwon"


def _is_closed(deal: Properties) -> bool:
    return str(deal.get("hs_is_closed")).lower() == "true" or deal.get("dealstage") in ("closedwon", "closedlost")


def _closed_at(deal: Properties) -> datetime | None:
    try:
        return words.read_engagement_moment(deal.get("closedate"))
    except ValueError:
        return None
