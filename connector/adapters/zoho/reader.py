"""Reading leads in bulk: by id, all of them, and those changed since a moment.

Source: Zoho's guides "Get records" (page tokens reach beyond 2,000 records and live a day; converted leads are left out unless
asked for) and "Query API" (COQL: conditions in pairs of brackets, ids as text, no rows is a 204).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from connector.adapters.zoho import words
from connector.adapters.zoho.calls import BATCH, ROWS, ZohoCalls
from connector.adapters.zoho.records import (
    DEAL_FIELDS,
    LeadReading,
    ReadLead,
    Record,
    is_converted,
    read_call,
    read_meeting,
)
from connector.clock import from_ms, to_ms
from connector.errors import Fatal
from connector.ports import BackfillPage
from leads.records import EngagementEvent, LeadChange

#: Module → (its fields, what an entry of it says).
ACTS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Record], EngagementEvent | None]]]] = {
    "Calls": (("What_Id", "Call_Start_Time", "Modified_Time"), read_call),
    "Events": (("What_Id", "Created_Time", "Modified_Time"), read_meeting),
}
Acts = dict[str, list[EngagementEvent]]


class LeadReader:
    """Reads leads. `live` calls serve events, `background` ones bulk reads; `reading` says how, and is asked for each time."""

    def __init__(self, live: ZohoCalls, background: ZohoCalls, reading: Callable[[], LeadReading]) -> None:
        self._live, self._calls, self._reading = live, background, reading

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The leads as they are now, converted ones too; unknown ids are left out."""
        return [lead.now for lead in self._read(self._live, ids)]

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every lead, oldest id first, with calls and meetings. The cursor is Zoho's page token; when it lapsed, all are read."""
        acts: Acts = defaultdict(list)
        for module, (fields, read) in ACTS.items():
            for records, _ in self._calls.pages(module, {"fields": ",".join(fields)}):
                _sort_in(acts, records, read)
        asked = {"fields": ",".join(self._fields()), "sort_by": "id", "sort_order": "asc", "converted": "both"}
        pages = self._calls.pages("Leads", asked, cursor)
        try:
            first = next(pages)
        except Fatal:
            if cursor is None:
                raise
            pages = self._calls.pages("Leads", asked)
            first = next(pages)
        for records, following in chain([first], pages):
            yield _page(self._open(self._calls, records), acts, following)

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Leads in (modified, id) order, after those whose deals, calls or meetings alone were changed.

        Zoho keeps whole seconds. What changed beside a lead has no place in the order of leads: it comes first, under the mark that
        was asked from.
        """
        at, after = from_ms(to_ms(moment) // 1000 * 1000), after_id or "0"
        acts = self._acts_since(at)
        beside = sorted({*acts, *self._converted_since(at)})
        for start in range(0, len(beside), BATCH):
            leads = self._read(self._calls, beside[start : start + BATCH])
            yield _page(leads, acts, f"{to_ms(moment)}:{after}")
        for records in self._keyset("Leads", self._fields(), at, after):
            leads = self._open(self._calls, records)
            yield _page(leads, acts, leads[-1].mark)

    def _keyset(self, module: str, fields: Sequence[str], at: datetime, after: str) -> Iterator[list[Record]]:
        """The records of a module beyond (modified, id), page by page: no offset, so that it has no end and skips nothing."""
        names = ", ".join(dict.fromkeys(["id", "Modified_Time", *fields]))
        while True:
            stamp = _text(at)
            where = f"(((Modified_Time = '{stamp}') and (id > '{after}')) or (Modified_Time > '{stamp}'))"
            order = "order by Modified_Time asc, id asc"
            found = self._calls.query(f"select {names} from {module} where {where} {order} limit {ROWS}")  # noqa: S608 - ours
            if not found:
                return
            yield list(found)
            last = self._place(found[-1])
            if len(found) < ROWS or last == (at, after):
                return
            at, after = last

    @staticmethod
    def _place(record: Record) -> tuple[datetime, str]:
        return datetime.fromisoformat(str(record["Modified_Time"])).astimezone(UTC), str(record["id"])

    def _acts_since(self, at: datetime) -> Acts:
        acts: Acts = defaultdict(list)
        for module, (fields, read) in ACTS.items():
            for records in self._keyset(module, fields, at, "0"):
                _sort_in(acts, records, read)
        return acts

    def _converted_since(self, at: datetime) -> list[str]:
        """Leads whose deal was changed."""
        deals = [str(deal["id"]) for page in self._keyset("Deals", (), at, "0") for deal in page]
        found = self._calls.among("id", "Leads", "Converted_Deal", deals, also="Converted__s = true")
        return [str(lead["id"]) for lead in found]

    def _read(self, calls: ZohoCalls, ids: Sequence[str]) -> list[ReadLead]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal()]
        found: list[ReadLead] = []
        for start in range(0, len(wanted), BATCH):
            asked = {"ids": ",".join(wanted[start : start + BATCH]), "fields": ",".join(self._fields()), "converted": "both"}
            found += self._open(calls, calls.call("GET", "Leads", params=asked).get("data") or ())
        return found

    def _open(self, calls: ZohoCalls, records: Sequence[Record]) -> list[ReadLead]:
        """The leads of an answer, with the deals of those that were converted."""
        deal_of = {str(one["id"]): words.read_lookup(one.get("Converted_Deal")) for one in records if is_converted(one)}
        wanted = list(dict.fromkeys(deal for deal in deal_of.values() if deal))
        deals = {str(deal["id"]): deal for deal in calls.among(", ".join(("id", *DEAL_FIELDS)), "Deals", "id", wanted)}
        reading = self._reading()
        return [reading.read(record, deals.get(deal_of.get(str(record.get("id"))) or "")) for record in records]

    def _fields(self) -> list[str]:
        return list(dict.fromkeys([*words.FIELDS, *words.ALSO_READ, *self._reading().extra]))


def _sort_in(acts: Acts, records: Iterable[Record], read: Callable[[Record], EngagementEvent | None]) -> None:
    for record in records:
        if (act := read(record)) is not None:
            acts[str(act.external_id)].append(act)


def _page(leads: Sequence[ReadLead], acts: Acts, cursor: str | None) -> BackfillPage:
    return BackfillPage(
        leads=[lead.now for lead in leads],
        engagements=[act for lead in leads for act in acts.get(lead.now.external_id, ())],
        outcomes={lead.now.external_id: lead.ended for lead in leads if lead.ended},
        cursor=cursor,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
