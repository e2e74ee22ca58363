"""Pipedrive's records read into ours: a person, with the organisation, the Leads and the deals beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.fields import CustomField
from connector.clock import to_ms
from connector.errors import Retriable
from connector.reading import read_id, read_number, read_object, read_text, read_time
from leads.enums import ChangeKind, EngagementKind, LifecycleStage, Outcome
from leads.records import EngagementEvent, FieldValue, LeadChange, RepRecord

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """What concerns a person besides its own record."""

    organization: Record | None = None
    leads: Sequence[Record] = ()
    deals: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One person as read. `changed_at` is of its own record alone, `now` may be newer by a Lead or a deal."""

    changed_at: datetime
    now: LeadChange
    ended: tuple[Outcome, datetime] | None

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the order of changes."""
        return to_ms(self.changed_at), int(self.now.external_id)


@dataclass(frozen=True, slots=True)
class PersonReading:
    """How persons are read on one connection: `custom` fields by name, `extra` names to read along, owners that are nobody."""

    custom: Mapping[str, CustomField]
    extra: Sequence[str]
    nobody: frozenset[str]

    def read(self, record: Record, beside: Beside = Beside()) -> Person:
        """One record of an answer. Raises `Retriable` when it has not Pipedrive's shape."""
        try:
            return self._read(record, beside)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Retriable("Pipedrive answered with a person that cannot be read.") from None

    def _read(self, record: Record, beside: Beside) -> Person:
        person, changed_at = read_id(record["id"]), read_time(record.get("update_time") or record["add_time"])
        fields = words.read_person(record, words.PERSON_FIELDS, self.nobody)
        fields = {name: value for name, value in fields.items() if value is not None}
        extra = self._custom(record, fields)
        if beside.organization is not None:
            fields = words.read_organization(beside.organization, self.nobody) | fields
        newest = max([changed_at, *(_moment(one) for one in (*beside.leads, *beside.deals))])
        self._add_leads(fields, beside.leads, changed_at)
        _add_deals(fields, beside.deals)
        now = LeadChange(
            event_key=f"pd:{person}:at:{to_ms(newest)}",
            external_id=person,
            occurred_at=newest,
            kind=ChangeKind.CHANGED,
            fields=fields,
            extra=extra,
            created_at=read_time(record["add_time"]),
        )
        return Person(changed_at, now, words.deals_ending(beside.deals))

    def _custom(self, record: Record, fields: dict[str, FieldValue]) -> dict[str, FieldValue]:
        """Adds what custom fields say in our words; returns those that are to be read along."""
        held = read_object(record, "custom_fields")
        extra: dict[str, FieldValue] = {}
        for name, one in self.custom.items():
            value = one.read(held.get(one.key))
            if value is None:
                continue
            if name == words.STAGE:
                fields["lifecycle_stage"] = value
            elif name == words.STATUS:
                fields["lead_status"] = value
            elif name in self.extra:
                extra[name] = value
            elif name not in words.OURS and words.is_canonical(name):
                fields.setdefault(words.custom_name(name), value)
        return extra

    def _add_leads(self, fields: dict[str, FieldValue], leads: Sequence[Record], changed_at: datetime) -> None:
        """Source and amount of the newest open Lead; its owner too, when a person changed that after the person's record."""
        open_leads = sorted((one for one in leads if not one.get("is_archived")), key=_moment)
        if not open_leads:
            return
        newest = open_leads[-1]
        if source := read_text(newest.get("source_name")):
            fields.setdefault("source", source)
        if (amount := read_number(read_object(newest, "value").get("amount"))) is not None:
            fields["deal_amount"] = amount
        owner = words.read_owner_id(newest.get("owner_id"), self.nobody)
        if owner is not None and _moment(newest) > changed_at:
            fields["owner_id"] = owner


def _add_deals(fields: dict[str, FieldValue], deals: Sequence[Record]) -> None:
    """The stage that deals put a person in, and the amount of the newest one."""
    statuses = {deal.get("status") for deal in deals}
    stage = LifecycleStage.CUSTOMER if "won" in statuses else LifecycleStage.OPPORTUNITY if "open" in statuses else None
    present = fields.get("lifecycle_stage")
    if stage is not None and words.is_further(stage.value, str(present) if present else None):
        fields["lifecycle_stage"] = stage.value
    amounts = [(_moment(deal), amount) for deal in deals if (amount := read_number(deal.get("value"))) is not None]
    if amounts:
        fields["deal_amount"] = max(amounts)[1]


def _moment(record: Record) -> datetime:
    return read_time(record.get("update_time") or record["add_time"])


def read_activity(record: Record) -> list[EngagementEvent]:
    """What an activity says of its person, with the same keys as its notices. Nothing for tasks or without a person."""
    made, finished = words.ACTIVITIES.get(str(record.get("type")), (None, None))
    person = record.get("person_id")
    if person in (None, ""):
        return []
    found = []
    done_at = record.get("marked_as_done_time") if record.get("done") else None
    for kind, moment in ((made, record.get("add_time")), (finished, done_at)):
        if kind is not None and moment:
            found.append(_engagement(read_id(record["id"]), kind, read_time(moment), read_id(person)))
    return found


def _engagement(activity: str, kind: EngagementKind, at: datetime, person: str) -> EngagementEvent:
    return EngagementEvent(words.activity_key(activity, kind), kind, at, external_id=person)


def read_user(record: Record) -> RepRecord:
    """One user of an answer."""
    email = read_text(record.get("email"))
    name = read_text(record.get("name"))
    return RepRecord(
        external_id=read_id(record["id"]),
        email=email,
        name=name or (email or f"User {record['id']}").partition("@")[0],
        active=bool(record.get("active_flag", True)) and not record.get("is_deleted", False),
    )
