"""What was done with a lead, as Odoo dates it: e-mails that came in, and meetings. Read in backfill.

Source: Odoo's public source of `mail.message` (message_type `email` is one that came in) and of `calendar.event` in the module crm
(`opportunity_id`). Whether a meeting took place it does not say.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.errors import LeadswitchError, Retriable
from leads.enums import EngagementKind
from leads.records import EngagementEvent

log = logging.getLogger(__name__)


class Acts:
    """Reads acts beside leads. A user may not be let to see them: then leads are read without."""

    def __init__(self, calls: OdooCalls) -> None:
        self._calls = calls
        self._refused: set[str] = set()

    def of_leads(self, leads: Sequence[int]) -> list[EngagementEvent]:
        """The acts of these leads."""
        if not leads:
            return []
        domain = [["model", "=", words.LEAD], ["res_id", "in", list(leads)], ["message_type", "=", "email"]]
        mails = self._read("mail.message", domain, ["res_id", "date", "body"])
        meetings = self._read("calendar.event", [["opportunity_id", "in", list(leads)]], ["opportunity_id", "create_date"])
        return [
            *_acts(mails, "message", EngagementKind.EMAIL_REPLIED, "res_id", "date"),
            *_acts(meetings, "event", EngagementKind.MEETING_BOOKED, "opportunity_id", "create_date"),
        ]

    def _read(self, model: str, domain: Sequence[Any], fields: Sequence[str]) -> list[Mapping[str, Any]]:
        if model in self._refused:
            return []
        try:
            return self._calls.search_read(model, domain, fields)
        except Retriable:
            raise
        except LeadswitchError as error:
            self._refused.add(model)
            log.warning("Leads are read without their %s from now on: %s", model, error)
            return []


def _acts(rows: Sequence[Mapping[str, Any]], name: str, kind: EngagementKind, link: str, moment: str) -> list[EngagementEvent]:
    return [
        EngagementEvent(f"odoo:{name}:{row['id']}", kind, at, external_id=lead, text=words.read_html(row.get("body")))
        for row in rows
        if (lead := words.read_link(row.get(link))) and (at := words.read_datetime(row.get(moment)))
    ]
