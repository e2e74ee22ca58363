"""Reading contacts in bulk: by id, all of them with their history, and those changed since a moment.

Sources: HubSpot's guides "Contacts" (the list gives at most 50 a page when history is asked for) and "Search the CRM" (one
sort only, at most 10,000 results for one query, new changes appear after a few seconds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.companions import Companions
from connector.adapters.hubspot.records import Contact, read_contact
from connector.clock import to_ms
from connector.ports import BackfillPage
from leads.records import LeadChange

#: At most so many records in one call.
BATCH: Final = 100
BATCH_WITH_HISTORY: Final = 50
MODIFIED: Final = "lastmodifieddate"


class ContactReader:
    """Reads contacts. `calls` serve live events, `background` bulk reads; `extra_properties` are the tenant's own columns."""

    def __init__(
        self, calls: HubSpotCalls, background: HubSpotCalls, extra_properties: Sequence[str], external_id_property: str | None
    ) -> None:
        self._live = calls
        self._calls = background
        self._companions = Companions()
        self._external_id_property = external_id_property
        own = [external_id_property] if external_id_property else []
        self._properties = list(dict.fromkeys([*words.FIELDS, *words.ALSO_READ, *words.ENGAGEMENTS, *extra_properties, *own]))
        self._with_history = [*words.ENGAGEMENTS, *words.SAID, "lifecyclestage", "hs_lead_status"]

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The contacts as they are now; unknown ids are left out."""
        return [contact.now for contact in self._read(self._live, list(dict.fromkeys(ids)), BATCH, [])]

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every contact, oldest id first, with dated engagements and endings. The cursor is HubSpot's `after`."""
        total = self._count() if cursor is None else None
        while True:
            params = [("limit", str(BATCH_WITH_HISTORY)), ("archived", "false")]
            params += [("after", cursor)] if cursor else []
            params += [("properties", name) for name in self._properties]
            params += [("propertiesWithHistory", name) for name in dict.fromkeys([*self._with_history, *words.PROFILE])]
            answer = self._calls.call("GET", self._calls.path("objects", "contacts"), params=params)
            following = ((answer.get("paging") or {}).get("next") or {}).get("after")
            cursor = str(following) if following and str(following) != cursor else None
            contacts = self._open(self._calls, answer.get("results", []), with_deals=True)
            yield _page(contacts, cursor, total)
            if cursor is None:
                return

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Contacts in (modified, id) order.

        HubSpot's search sorts by one property and ends after 10,000 results, so offsets are never used: each step asks for
        what lies beyond the last moment seen, and a moment that may continue on the next page is read out by id. The cursor is
        "milliseconds:id" of the search, on the last page too: it is where to go on next time, while the records themselves may
        have been changed again since they were found.
        """
        at = to_ms(moment)
        yield from self._at_moment(at, after_id or "0")
        while found := self._search([_filter(MODIFIED, "GT", str(at))], MODIFIED):
            last = found[-1][0]
            whole = [one for modified, one in found if modified < last] if len(found) == BATCH else [one for _, one in found]
            if whole:
                yield self._history_page(whole, f"{last}:0")
            if len(found) < BATCH:
                return
            yield from self._at_moment(last, "0")
            at = last

    def _at_moment(self, at: int, after_id: str) -> Iterator[BackfillPage]:
        while found := self._search([_filter(MODIFIED, "EQ", str(at)), _filter("hs_object_id", "GT", after_id)], "hs_object_id"):
            ids = sorted((one for _, one in found), key=int)
            after_id = ids[-1]
            yield self._history_page(ids, f"{at}:{after_id}")
            if len(found) < BATCH:
                return

    def _search(self, filters: Sequence[Mapping[str, str]], sort: str) -> list[tuple[int, str]]:
        """(modified in ms, id) of the first contacts that match, in the order of `sort`."""
        body = {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [sort],
            "properties": [MODIFIED],
            "limit": BATCH,
        }
        answer = self._calls.call("POST", self._calls.path("objects", "contacts/search"), body=body)
        found = [(to_ms(read_contact(record).changed_at), str(record["id"])) for record in answer.get("results", [])]
        return sorted(found) if sort == MODIFIED else found

    def _history_page(self, ids: Sequence[str], cursor: str) -> BackfillPage:
        contacts = self._read(self._calls, ids, BATCH_WITH_HISTORY, self._with_history)
        return _page(sorted(contacts, key=lambda one: (one.changed_at, int(one.now.external_id))), cursor, None)

    def _read(self, calls: HubSpotCalls, ids: Sequence[str], size: int, history: Sequence[str]) -> list[Contact]:
        found: list[Contact] = []
        for start in range(0, len(ids), size):
            body = {
                "inputs": [{"id": one} for one in ids[start : start + size]],
                "properties": self._properties,
                "propertiesWithHistory": list(history),
            }
            answer = calls.call("POST", calls.path("objects", "contacts/batch/read"), body=body)
            found += self._open(calls, answer.get("results", []), with_deals=bool(history))
        return found

    def _open(self, calls: HubSpotCalls, records: Sequence[Mapping[str, Any]], *, with_deals: bool) -> list[Contact]:
        """The contacts of an answer with their companies, and in bulk reads with their deals."""
        companies = self._companions.companies_of(calls, records)
        deals = self._companions.deals_of(calls, records) if with_deals else {}
        return [
            read_contact(
                record,
                self._external_id_property,
                companies.get(str((record.get("properties") or {}).get("associatedcompanyid"))),
                deals.get(str(record.get("id")), ()),
            )
            for record in records
        ]

    def _count(self) -> int | None:
        body = {"filterGroups": [], "properties": [MODIFIED], "limit": 1}
        total = self._calls.call("POST", self._calls.path("objects", "contacts/search"), body=body).get("total")
        return int(total) if total is not None else None


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}


def _page(contacts: Sequence[Contact], cursor: str | None, total: int | None) -> BackfillPage:
    return BackfillPage(
        leads=[change for contact in contacts for change in (contact.made, contact.now) if change is not None],
        engagements=[engagement for contact in contacts for engagement in contact.engagements],
        outcomes={contact.now.external_id: contact.ended for contact in contacts if contact.ended},
        cursor=cursor,
        total=total,
    )
