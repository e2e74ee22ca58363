"""What was done with a lead, as EspoCRM dates it: meetings and calls. Read in backfill.

Source: EspoCRM's metadata of Meeting and Call (`parent`, `status` Planned, Held or Not Held, `dateStart`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.calls import EspoCalls, term
from connector.errors import Configuration
from leads.enums import EngagementKind
from leads.records import EngagementEvent

#: Entity → its status → the act at its beginning.
ENDINGS: Final[Mapping[str, Mapping[str, EngagementKind]]] = {
    "Meeting": {"Held": EngagementKind.MEETING_ATTENDED, "Not Held": EngagementKind.MEETING_MISSED},
    "Call": {"Held": EngagementKind.CALL_ANSWERED, "Not Held": EngagementKind.CALL_MISSED},
}
#: Entity → the act of making it.
MADE: Final[Mapping[str, EngagementKind]] = {"Meeting": EngagementKind.MEETING_BOOKED}
ATTRIBUTES: Final = ("parentId", "status", "dateStart", "createdAt")

log = logging.getLogger(__name__)


class Acts:
    """Reads acts beside leads. A role may not let us see them: then leads are read without."""

    def __init__(self, calls: EspoCalls) -> None:
        self._calls = calls
        self._refused: set[str] = set()

    def of_leads(self, leads: Sequence[str]) -> list[EngagementEvent]:
        """The acts of these leads."""
        return [act for entity in ENDINGS for row in self._rows(entity, leads) for act in _acts(entity, row)]

    def _rows(self, entity: str, leads: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        size = min(self._calls.page_size, 50)  # so that the address stays short
        for start in range(0, len(leads), size):
            where = [term("equals", "parentType", words.LEAD), term("in", "parentId", list(leads[start : start + size]))]
            offset = 0
            while entity not in self._refused:
                try:
                    rows, _ = self._calls.list(entity, where, ATTRIBUTES, order_by="createdAt", offset=offset)
                except Configuration as error:
                    self._refused.add(entity)
                    log.warning("Leads are read without %s records from now on: %s", entity, error)
                    return
                yield from rows
                offset += len(rows)
                if len(rows) < self._calls.page_size:
                    break


def _acts(entity: str, row: Mapping[str, Any]) -> Iterator[EngagementEvent]:
    lead, prefix = str(row.get("parentId")), f"espo:{entity.lower()}:{row['id']}"
    made_at, began_at = words.read_datetime(row.get("createdAt")), words.read_datetime(row.get("dateStart"))
    if entity in MADE and made_at:
        yield EngagementEvent(f"{prefix}:made", MADE[entity], made_at, external_id=lead)
    ending = ENDINGS[entity].get(str(row.get("status")))
    if ending and began_at:
        yield EngagementEvent(f"{prefix}:ended", ending, began_at, external_id=lead)
