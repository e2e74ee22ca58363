"""Zoho's records read into ours: a lead, the deal that it was converted into, calls and meetings with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.adapters.zoho import words
from connector.clock import to_ms
from connector.errors import Retriable
from connector.reading import read_id, read_number, read_text, read_time
from leads.enums import ChangeKind, EngagementKind, LifecycleStage, Outcome
from leads.records import EngagementEvent, LeadChange, RepRecord

Record = Mapping[str, Any]
#: What is read of a deal.
DEAL_FIELDS: Final = ("Stage", "Amount", "Closing_Date", "Modified_Time")


@dataclass(frozen=True, slots=True)
class ReadLead:
    """One lead as read."""

    changed_at: datetime
    now: LeadChange
    ended: tuple[Outcome, datetime] | None

    @property
    def mark(self) -> str:
        """Where it stands in the order of changes."""
        return f"{to_ms(self.changed_at)}:{self.now.external_id}"


@dataclass(frozen=True, slots=True)
class LeadReading:
    """How leads are read on one connection."""

    extra: Sequence[str]
    status_words: Mapping[str, str]
    won_stages: frozenset[str]
    lost_stages: frozenset[str]
    nobody: frozenset[str] = frozenset()

    def read(self, record: Record, deal: Record | None = None) -> ReadLead:
        """One record of an answer. Raises `Retriable` when it has not Zoho's shape."""
        try:
            return self._read(record, deal)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Retriable("Zoho answered with a lead that cannot be read.") from None

    def _read(self, record: Record, deal: Record | None) -> ReadLead:
        lead, changed_at = read_id(record["id"]), read_time(record["Modified_Time"])
        fields, extra = words.read_fields(record, self.extra, self.status_words, self.nobody)
        newest = changed_at
        ended = (Outcome.LOST, changed_at) if fields.get("lead_status") in words.LOST else None
        if is_converted(record):
            stage, ended = LifecycleStage.OPPORTUNITY, None
            if deal is not None:
                newest = max(newest, read_time(deal["Modified_Time"]))
                ended = self._ending(deal)
                if (amount := read_number(deal.get("Amount"))) is not None:
                    fields["deal_amount"] = amount
            if ended is not None and ended[0] is Outcome.WON:
                stage = LifecycleStage.CUSTOMER
            if words.is_further(stage.value, fields.get("lifecycle_stage")):
                fields["lifecycle_stage"] = stage.value
        now = LeadChange(
            event_key=f"zo:{lead}:at:{to_ms(newest)}",
            external_id=lead,
            occurred_at=newest,
            kind=ChangeKind.CHANGED,
            fields=fields,
            extra=extra,
            created_at=read_time(record["Created_Time"]),
        )
        return ReadLead(changed_at, now, ended)

    def _ending(self, deal: Record) -> tuple[Outcome, datetime] | None:
        """Won or lost on the closing date, which people may set ahead: not later than the deal's last change."""
        stage, changed_at = str(deal.get("Stage")), read_time(deal["Modified_Time"])
        closed_at = min(changed_at, read_time(deal["Closing_Date"])) if deal.get("Closing_Date") else changed_at
        if stage in self.won_stages:
            return Outcome.WON, closed_at
        return (Outcome.LOST, closed_at) if stage in self.lost_stages else None


def is_converted(record: Record) -> bool:
    """Whether a lead was converted; the field is named differently in lists and in queries."""
    return True in (record.get("Converted__s"), record.get("$converted"))


def read_call(record: Record) -> EngagementEvent | None:
    """A call with somebody, as a first contact sees it. None without a lead or a moment."""
    lead, at = words.read_lookup(record.get("What_Id")), record.get("Call_Start_Time")
    if lead is None or not at:
        return None
    key = f"zo:call:{read_id(record['id'])}"
    return EngagementEvent(key, EngagementKind.CONTACTED, read_time(at), external_id=lead)


def read_meeting(record: Record) -> EngagementEvent | None:
    """A meeting that was made. Whether it took place is not said."""
    lead, at = words.read_lookup(record.get("What_Id")), record.get("Created_Time")
    if lead is None or not at:
        return None
    key = f"zo:meeting:{read_id(record['id'])}"
    return EngagementEvent(key, EngagementKind.MEETING_BOOKED, read_time(at), external_id=lead)


def read_user(record: Record) -> RepRecord:
    """One user of an answer."""
    email = read_text(record.get("email"))
    name = read_text(record.get("full_name")) or " ".join(
        part for part in (read_text(record.get("first_name")), read_text(record.get("last_name"))) if part
    )
    role = record.get("role")
    team = read_text(role.get("name")) if isinstance(role, dict) else None
    return RepRecord(
        external_id=read_id(record["id"]),
        email=email,
        name=name or (email or f"User {record['id']}").partition("@")[0],
        active=str(record.get("status", "active")).lower() == "active",
        teams=(team,) if team else (),
    )
