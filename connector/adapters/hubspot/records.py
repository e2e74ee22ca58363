"""HubSpot's REST form of a contact and its property history, read into our records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connector.adapters.hubspot import words
from connector.adapters.hubspot.companions import add_company, deal_amount, deals_ending
from connector.clock import to_ms
from connector.errors import Retriable
from connector.reading import MESSAGE_LIMIT, read_link, read_text
from leads.enums import ChangeKind, Outcome
from leads.records import EngagementEvent, LeadChange, RepRecord

#: Values set so soon after the making of a contact were given with it.
SETTLING = timedelta(minutes=1)

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact as read: what it is now, what was done when, and how it ended if it did."""

    changed_at: datetime
    now: LeadChange
    made: LeadChange | None  # who it was when it was made, where the history was read
    engagements: tuple[EngagementEvent, ...]
    ended: tuple[Outcome, datetime] | None


def read_contact(
    record: Mapping[str, Any],
    external_id_property: str | None = None,
    company: Mapping[str, Any] | None = None,
    deals: Sequence[Mapping[str, Any]] = (),
) -> Contact:
    """Read one record of an answer, with what was read beside it. Raises `Retriable` when it has not HubSpot's shape."""
    try:
        return _read(record, external_id_property, company, deals)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retriable("HubSpot answered with a contact that cannot be read.") from None


def _read(
    record: Mapping[str, Any],
    external_id_property: str | None,
    company: Mapping[str, Any] | None,
    deals: Sequence[Mapping[str, Any]],
) -> Contact:
    contact = str(record["id"])
    properties: Mapping[str, Any] = record.get("properties") or {}
    histories: Mapping[str, History] = record.get("propertiesWithHistory") or {}
    created_at = words.read_iso(properties.get("createdate") or record["createdAt"])
    changed_at = words.read_iso(properties.get("lastmodifieddate") or record["updatedAt"])
    fields, extra = words.read_properties(properties, external_id_property)
    add_company(fields, company)
    if (amount := deal_amount(deals)) is not None:
        fields["deal_amount"] = amount
    merged = str(properties.get("hs_merged_object_ids") or "").split(";")
    return Contact(
        changed_at=changed_at,
        now=LeadChange(
            event_key=f"hs:{contact}:at:{to_ms(changed_at)}",
            external_id=contact,
            occurred_at=changed_at,
            kind=ChangeKind.CHANGED,
            fields=fields,
            extra=extra,
            merged_ids=tuple(one for one in merged if one and one != contact),
            created_at=created_at,
        ),
        made=_made(contact, histories, created_at),
        engagements=tuple(_engagements(contact, properties, histories)),
        ended=_first_ending(_ended(properties, histories, changed_at), deals_ending(deals)),
    )


def _made(contact: str, histories: Mapping[str, History], created_at: datetime) -> LeadChange | None:
    """The profile as it was within a minute of the contact's making; without it a past lead is a stranger until its last change."""
    values: dict[str, Any] = {}
    for name in words.PROFILE:
        entries = sorted(histories.get(name) or (), key=lambda entry: words.read_iso(entry["timestamp"]))
        if entries and words.read_iso(entries[0]["timestamp"]) <= created_at + SETTLING:
            values[name] = entries[0].get("value")
    fields, _ = words.read_properties(values)
    if not fields:
        return None
    key = f"hs:{contact}:made:{to_ms(created_at)}"
    return LeadChange(key, contact, created_at, ChangeKind.CHANGED, fields=fields, created_at=created_at)


def _engagements(contact: str, properties: Mapping[str, Any], histories: Mapping[str, History]) -> Iterator[EngagementEvent]:
    """Each value that a dated property ever had is one act. HubSpot keeps the last 45 values of a contact's property."""
    for name, kind in words.ENGAGEMENTS.items():
        values: Iterable[Any] = [entry.get("value") for entry in histories.get(name) or ()] or [properties.get(name)]
        seen: set[str] = set()
        for value in values:
            if not value:
                continue
            try:
                moment = words.read_engagement_moment(value)
            except ValueError:
                continue  # one odd value in a history must not hide the rest of the contact
            key = words.engagement_key(contact, name, moment)
            if key not in seen:
                seen.add(key)
                yield _said(EngagementEvent(key, kind, moment, external_id=contact), name, histories)


def _said(event: EngagementEvent, name: str, histories: Mapping[str, History]) -> EngagementEvent:
    """The act with what another property says of it at the same moment: the page seen, the words written."""
    what, said_in = words.SAID_WITH.get(name, ("", ""))
    for entry in histories.get(said_in) or ():
        if entry.get("value") and words.read_iso(entry["timestamp"]) == event.occurred_at:
            if what == "text":
                return replace(event, text=read_text(entry["value"], MESSAGE_LIMIT))
            value = read_link(entry["value"]) if what == "url" else read_text(entry["value"], 300)
            return replace(event, properties={what: value})
    return event


def _ended(
    properties: Mapping[str, Any], histories: Mapping[str, History], changed_at: datetime
) -> tuple[Outcome, datetime] | None:
    outcome = words.ending(properties.get("lifecyclestage"), properties.get("hs_lead_status"))
    if outcome is Outcome.OPEN:
        return None
    if outcome is Outcome.WON:
        since = _since(histories.get("lifecyclestage") or (), lambda value: value.lower() in words.WON_STAGES)
    else:
        since = _since(histories.get("hs_lead_status") or (), lambda value: value.upper() in words.LOST_STATUSES)
    return outcome, since or changed_at


def _first_ending(*endings: tuple[Outcome, datetime] | None) -> tuple[Outcome, datetime] | None:
    """The earliest win, or without one the earliest loss."""
    known = [ending for ending in endings if ending is not None]
    return min(known, key=lambda ending: (ending[0] is not Outcome.WON, ending[1]), default=None)


def _since(history: History, ended: Any) -> datetime | None:
    """When the present ending began: the oldest of the newest unbroken run of entries that say so."""
    entries = sorted(history, key=lambda entry: words.read_iso(entry["timestamp"]), reverse=True)
    since: datetime | None = None
    for entry in entries:
        if not ended(str(entry.get("value") or "")):
            break
        since = words.read_iso(entry["timestamp"])
    return since


def read_owner(record: Mapping[str, Any]) -> RepRecord:
    """One owner of an answer; `id` is what `hubspot_owner_id` holds."""
    name = " ".join(part for part in (record.get("firstName"), record.get("lastName")) if part)
    email = record.get("email") or None
    return RepRecord(
        external_id=str(record["id"]),
        email=email,
        name=name or (email or f"Owner {record['id']}").partition("@")[0],
        active=not record.get("archived", False),
        teams=tuple(str(team["name"]) for team in record.get("teams") or () if team.get("name")),
    )
