"""Reading persons in bulk: by id, all of them with what became of them, and those changed since a moment.

Source: Pipedrive's reference of /api/v2/persons (`updated_since` includes the moment itself, sorting by `update_time` does not
order persons of one second) and of /v1/leads, which still counts pages by records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from connector.adapters.pipedrive.calls import BATCH, PipedriveCalls
from connector.adapters.pipedrive.records import Beside, Person, PersonReading, Record, read_activity
from connector.clock import from_ms, to_ms
from connector.errors import Fatal
from connector.ports import BackfillPage
from leads.records import EngagementEvent, LeadChange

#: What a person says of its consent is only told when it is asked for.
ASKED: Final = {"include_fields": "marketing_status"}
ORGANIZATION: Final = {"include_option_labels": "true"}


@dataclass
class Business:
    """Leads, deals and acts by person id."""

    leads: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    deals: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    acts: dict[str, list[EngagementEvent]] = field(default_factory=lambda: defaultdict(list))

    def persons(self) -> set[str]:
        """Everybody who is named in it."""
        return {*self.leads, *self.deals, *self.acts}


class PersonReader:
    """Reads persons. `live` calls serve events, `background` ones bulk reads; `reading` says how, and is asked for each time."""

    def __init__(self, live: PipedriveCalls, background: PipedriveCalls, reading: Callable[[], PersonReading]) -> None:
        self._live, self._calls = live, background
        self._reading = reading

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The persons as they are now; unknown ids are left out."""
        return [person.now for person in self._read(self._live, ids, Business())]

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every person, oldest id first. The cursor is Pipedrive's own; when it does not take one any more, all are read anew."""
        business = self._business({})
        order = {**ASKED, "sort_by": "id", "sort_direction": "asc"}
        pages = self._calls.pages("/api/v2/persons", order, cursor)
        try:
            first = next(pages)
        except Fatal:
            if cursor is None:
                raise
            pages = self._calls.pages("/api/v2/persons", order)
            first = next(pages)
        for records, following in chain([first], pages):
            yield _page(self._open(self._calls, records, business), business, following)

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Persons in (modified, id) order, after those whose Leads, deals or activities alone were changed.

        Pipedrive counts whole seconds and gives those of one second in any order, so a second is held back until it is whole. What
        changed beside a person has no place in that order: it comes first, under the mark that was asked from.
        """
        mark = f"{to_ms(moment)}:{after_id or 0}"
        since = _text(moment)
        business = self._business({"updated_since": since})
        beside = sorted(business.persons(), key=int)
        for start in range(0, len(beside), BATCH):
            yield _page(self._read(self._calls, beside[start : start + BATCH], business), business, mark)
        order = {**ASKED, "updated_since": since, "sort_by": "update_time", "sort_direction": "asc"}
        asked_from = (to_ms(moment), int(after_id or 0))
        held: list[Person] = []
        for records, _ in self._calls.pages("/api/v2/persons", order):
            held += self._open(self._calls, records, business)
            held.sort(key=lambda person: person.place)
            ready = [person for person in held if person.changed_at < held[-1].changed_at]
            held = held[len(ready) :]
            yield from _marked(ready, asked_from, business)
        yield from _marked(held, asked_from, business)

    def _read(self, calls: PipedriveCalls, ids: Iterable[str], business: Business) -> list[Person]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal()]
        found: list[Person] = []
        for start in range(0, len(wanted), BATCH):
            asked = {**ASKED, "ids": ",".join(wanted[start : start + BATCH]), "limit": BATCH}
            answer = calls.call("GET", "/api/v2/persons", params=asked)
            found += self._open(calls, answer.get("data") or (), business)
        return found

    def _open(self, calls: PipedriveCalls, records: Sequence[Record], business: Business) -> list[Person]:
        """The persons of an answer with their organisations and their business. The deleted are left out."""
        there = [record for record in records if not record.get("is_deleted")]
        organizations = self._organizations(calls, there)
        reading = self._reading()
        return [
            reading.read(
                record,
                Beside(
                    organizations.get(str(record.get("org_id"))),
                    business.leads.get(str(record.get("id")), ()),
                    business.deals.get(str(record.get("id")), ()),
                ),
            )
            for record in there
        ]

    def _organizations(self, calls: PipedriveCalls, persons: Sequence[Record]) -> Mapping[str, Record]:
        ids = list(dict.fromkeys(str(one["org_id"]) for one in persons if one.get("org_id")))
        found: dict[str, Record] = {}
        for start in range(0, len(ids), BATCH):
            asked = {**ORGANIZATION, "ids": ",".join(ids[start : start + BATCH]), "limit": BATCH}
            answer = calls.call("GET", "/api/v2/organizations", params=asked)
            found |= {str(one.get("id")): one for one in answer.get("data") or ()}
        return found

    def _business(self, since: Mapping[str, str]) -> Business:
        """All of it, or what was changed since a moment. A person whose one deal changed is read with that deal alone."""
        business = Business()
        for records in self._calls.offset_pages("/v1/leads", since):
            _sort_in(business.leads, records)
        for records, _ in self._calls.pages("/api/v2/deals", since):
            _sort_in(business.deals, [one for one in records if not one.get("is_deleted")])
        for records, _ in self._calls.pages("/api/v2/activities", since):
            for record in records:
                for act in read_activity(record):
                    business.acts[str(act.external_id)].append(act)
        if since:
            self._complete(business)
        return business

    def _complete(self, business: Business) -> None:
        """All deals of whoever has a deal that changed: that one was lost says nothing while another is open."""
        for person in sorted(business.deals, key=int):
            answer = self._calls.call("GET", "/api/v2/deals", params={"person_id": person, "limit": 500})
            business.deals[person] = [one for one in answer.get("data") or () if not one.get("is_deleted")]


def _sort_in(by_person: dict[str, list[Record]], records: Iterable[Record]) -> None:
    for record in records:
        if record.get("person_id") not in (None, ""):
            by_person[str(record["person_id"])].append(record)


def _marked(persons: Sequence[Person], asked_from: tuple[int, int], business: Business) -> Iterator[BackfillPage]:
    """Pages in order, without those that were given before the mark that was asked from."""
    fresh = [person for person in persons if person.place > asked_from]
    for start in range(0, len(fresh), BATCH):
        chunk = fresh[start : start + BATCH]
        modified, person_id = chunk[-1].place
        yield _page(chunk, business, f"{modified}:{person_id}")


def _page(persons: Sequence[Person], business: Business, cursor: str | None) -> BackfillPage:
    ids = [person.now.external_id for person in persons]
    return BackfillPage(
        leads=[person.now for person in persons],
        engagements=[act for one in ids for act in business.acts.get(one, ())],
        outcomes={person.now.external_id: person.ended for person in persons if person.ended},
        cursor=cursor,
    )


def _text(moment: datetime) -> str:
    """A moment as Pipedrive takes it, in whole seconds, rounded down."""
    return from_ms(to_ms(moment) // 1000 * 1000).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
