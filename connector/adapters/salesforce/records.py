"""Salesforce's REST form of leads, users and what lies beside a lead, read into our records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.adapters.salesforce import words
from connector.adapters.salesforce.ids import read_record_id
from connector.clock import to_ms
from connector.errors import Retriable
from connector.reading import read_number
from leads.enums import ChangeKind, EngagementKind, Outcome
from leads.records import EngagementEvent, FieldValue, LeadChange, RepRecord

Record = Mapping[str, Any]
LOST_STATUS: Final = "unqualified"


@dataclass(frozen=True, slots=True)
class Beside:
    """What was read beside a lead: the history of its fields, oldest first, and the names of those `tracked`; activities; the
    opportunity it was converted to."""

    history: Sequence[Record] = ()
    tracked: frozenset[str] = frozenset()
    tasks: Sequence[Record] = ()
    events: Sequence[Record] = ()
    opportunity: Record | None = None


@dataclass(frozen=True, slots=True)
class LeadRead:
    """One lead as read: what it is now, what was done when, and how it ended if it did."""

    changed_at: datetime
    now: LeadChange
    made: LeadChange | None  # who it was when it was made, where what lies beside it was read
    engagements: tuple[EngagementEvent, ...]
    ended: tuple[Outcome, datetime] | None


def read_lead(record: Record, own: Mapping[str, str], now: datetime, beside: Beside | None = None) -> LeadRead:
    """Read one record of an answer, with what was read beside it. One without a stamp is as of `now`.

    Raises `Retriable` when it has not Salesforce's shape.
    """
    try:
        return _read(record, own, now, beside)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retriable("Salesforce answered with a lead that cannot be read.") from None


def _read(record: Record, own: Mapping[str, str], now: datetime, known: Beside | None) -> LeadRead:
    beside = known or Beside()
    lead = read_record_id(record["Id"])
    changed_at = words.read_moment(record["SystemModstamp"]) if "SystemModstamp" in record else now
    fields, extra = words.read_fields(record, own)
    fields |= _deal_facts(beside.opportunity)
    change = LeadChange(
        event_key=f"sf:{lead}:at:{to_ms(changed_at)}",
        external_id=lead,
        occurred_at=changed_at,
        kind=ChangeKind.CHANGED,
        fields=fields,
        extra=extra,
        created_at=words.read_moment(record["CreatedDate"]) if "CreatedDate" in record else None,
    )
    ended = _ended(record, fields, beside, changed_at)
    made = _made(lead, record, beside) if known is not None and change.created_at is not None else None
    return LeadRead(changed_at, change, made, tuple(_engagements(lead, beside)), ended)


def _made(lead: str, record: Record, beside: Beside) -> LeadChange | None:
    """The profile as it was when the lead was made: the oldest value of what changed since, the present one of what did not."""
    first = {str(entry["Field"]): entry.get("OldValue") for entry in reversed(beside.history)}
    values = {name: first.get(name, record.get(name)) for name in words.PROFILE}
    values |= {name: first.get(name, record.get(name)) for name in words.MEASURED if name in beside.tracked}
    fields, _ = words.read_fields(values, {})
    if not fields:
        return None
    created_at = words.read_moment(record["CreatedDate"])
    key = f"sf:{lead}:made:{to_ms(created_at)}"
    return LeadChange(key, lead, created_at, ChangeKind.CHANGED, fields=fields, created_at=created_at)


def _deal_facts(opportunity: Record | None) -> dict[str, FieldValue]:
    amount = read_number((opportunity or {}).get("Amount"))
    facts: dict[str, FieldValue] = {} if amount is None else {"deal_amount": amount}
    if opportunity and opportunity.get("IsWon"):
        facts["lifecycle_stage"] = "customer"
    return facts


def _ended(
    record: Record, fields: Mapping[str, FieldValue], beside: Beside, changed_at: datetime
) -> tuple[Outcome, datetime] | None:
    """Won or lost with the opportunity; lost, without one, since the status first said so without a break."""
    opportunity = beside.opportunity
    if opportunity is not None:
        if not opportunity.get("IsClosed"):
            return None
        return Outcome.WON if opportunity.get("IsWon") else Outcome.LOST, words.read_moment(opportunity["LastStageChangeDate"])
    if words.is_true(record.get("IsConverted")) or fields.get("lead_status") != LOST_STATUS:
        return None
    since: datetime | None = None
    for entry in reversed([one for one in beside.history if one.get("Field") == "Status"]):
        if words.STATUSES.get(str(entry.get("NewValue")).strip().lower()) != LOST_STATUS:
            break
        since = words.read_moment(entry["CreatedDate"])
    return Outcome.LOST, since or changed_at


def _engagements(lead: str, beside: Beside) -> Iterable[EngagementEvent]:
    """What was logged on the lead: a finished call or e-mail of ours is a contact, a meeting in the calendar is booked."""
    for task in beside.tasks:
        moment = words.read_moment(task.get("CompletedDateTime") or task["SystemModstamp"])
        yield EngagementEvent(f"sf:{task['Id']}:done", EngagementKind.CONTACTED, moment, external_id=lead)
    for event in beside.events:
        moment = words.read_moment(event["CreatedDate"])
        yield EngagementEvent(f"sf:{event['Id']}:booked", EngagementKind.MEETING_BOOKED, moment, external_id=lead)


def read_user(record: Record) -> RepRecord:
    """One user of an answer."""
    role = (record.get("UserRole") or {}).get("Name")
    return RepRecord(
        external_id=read_record_id(record["Id"]),
        email=record.get("Email") or None,
        name=str(record.get("Name") or f"User {record['Id']}"),
        active=bool(record.get("IsActive")),
        teams=(str(role),) if role else (),
    )
