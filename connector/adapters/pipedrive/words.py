"""Pipedrive's words and ours. Literal tables; the vendor's names are those of its public API and webhook reference.

A lead of ours is a *person* in Pipedrive. Its Leads (the Leads Inbox) and its deals are business with that person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import Configuration
from connector.reading import read_id, read_number, read_text, read_time
from connector.settings import ConnectionSettings
from leads.enums import STAGE_ORDER, ChangeOrigin, EngagementKind, LifecycleStage, Outcome, Tier
from leads.fields import CANONICAL
from leads.records import FieldValue

#: Field of a person → canonical fields that it holds.
PERSON_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("first_name", "last_name"),
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "emails": ("email",),
    "phones": ("phone",),
    "job_title": ("title",),
    "owner_id": ("owner_id",),
    "marketing_status": ("email_consent",),
    "postal_address": ("country", "region", "city", "postcode"),
}
#: Part of an address → canonical field.
ADDRESS: Final[Mapping[str, str]] = {
    "country": "country",
    "admin_area_level_1": "region",
    "locality": "city",
    "postal_code": "postcode",
}
CONSENT: Final[Mapping[str, str]] = {"subscribed": "yes", "unsubscribed": "no"}

#: Custom fields of ours on persons and deals, by the name that people see. Pipedrive gives each a key of its own, a hash.
SCORE, TIER, REASONS = "Leadswitch score", "Leadswitch tier", "Leadswitch reasons"
ROUTED_BECAUSE, STAGE, STATUS = "Leadswitch routed because", "Leadswitch stage", "Leadswitch status"
MARKER: Final = "Leadswitch marker"  # on deals
OURS: Final = frozenset({SCORE, TIER, REASONS, ROUTED_BECAUSE, STAGE, STATUS})
STAGES: Final = tuple(stage.value for stage in STAGE_ORDER if stage is not LifecycleStage.UNKNOWN)
STATUSES: Final = ("open", "attempted_to_contact", "connected", "unqualified")
TIERS: Final = tuple(tier.value.upper() for tier in Tier if tier is not Tier.UNKNOWN)

#: What our writes change on a person or a Lead. A notice of more than that is not our echo.
WRITTEN: Final = frozenset({"owner_id", "custom_fields", "update_time"})

#: `change_source` of a notice → who made the change. "api" is ours when it is our user's.
ORIGINS: Final[Mapping[str, ChangeOrigin]] = {
    "app": ChangeOrigin.PERSON,
    "api": ChangeOrigin.MACHINE,
    "import": ChangeOrigin.MACHINE,
    "automation": ChangeOrigin.MACHINE,
    "workflow": ChangeOrigin.MACHINE,
    "sync": ChangeOrigin.MACHINE,
}

#: Type of an activity → (what making it says, what finishing it says). Tasks and the types of the tenant's own say nothing.
ACTIVITIES: Final[Mapping[str, tuple[EngagementKind | None, EngagementKind | None]]] = {
    "call": (None, EngagementKind.CONTACTED),
    "email": (None, EngagementKind.CONTACTED),
    "meeting": (EngagementKind.MEETING_BOOKED, EngagementKind.MEETING_ATTENDED),
    "lunch": (EngagementKind.MEETING_BOOKED, EngagementKind.MEETING_ATTENDED),
}


def read_id_list(settings: ConnectionSettings, key: str) -> tuple[str, ...]:
    """An option that lists ids, as numbers or text. Raises `Configuration`."""
    given = settings.option(key, ())
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise Configuration(f"{settings.name}: {key} is not a list.", "Write it as [12, 34].")
    return tuple(str(one) for one in given)


def read_person(record: Mapping[str, Any], names: Iterable[str], nobody: frozenset[str]) -> dict[str, FieldValue]:
    """The canonical fields of those Pipedrive fields of a person; what is empty reads as None. `nobody` own nothing."""
    fields: dict[str, FieldValue] = {}
    for name in names:
        for canonical in PERSON_FIELDS.get(name, ()):
            fields[canonical] = _read(record, canonical, nobody)
    return fields


def _read(record: Mapping[str, Any], canonical: str, nobody: frozenset[str]) -> FieldValue:
    if canonical in ("first_name", "last_name"):
        return _part_of_name(record, canonical)
    if canonical in ("email", "phone"):
        return _primary(record.get(f"{canonical}s"))
    if canonical == "owner_id":
        return read_owner_id(record.get("owner_id"), nobody)
    if canonical == "title":
        return read_text(record.get("job_title"))
    if canonical == "email_consent":
        return CONSENT.get(str(record.get("marketing_status")))
    return read_address(record.get("postal_address")).get(canonical)


def _part_of_name(record: Mapping[str, Any], part: str) -> str | None:
    """Pipedrive splits the name itself; a record that has only the whole one is split at its last space."""
    if record.get("first_name") or record.get("last_name"):
        return read_text(record.get(part))
    first, _, last = (read_text(record.get("name")) or "").rpartition(" ")
    return read_text(first if part == "first_name" else last)


def _primary(entries: object) -> str | None:
    """The value marked primary of a list of addresses or numbers, else the first that has one."""
    values = [one for one in entries if isinstance(one, dict) and one.get("value")] if isinstance(entries, list) else []
    values.sort(key=lambda one: one.get("primary") is not True)
    return read_text(values[0]["value"]) if values else None


def read_owner_id(value: object, nobody: frozenset[str]) -> str | None:
    """An owner's id as text, None for nobody's."""
    if value in (None, ""):
        return None
    owner = read_id(value)
    return None if owner in nobody else owner


def read_address(value: object) -> dict[str, FieldValue]:
    """The canonical parts of an address object; text alone says too little to take apart."""
    inside = value if isinstance(value, dict) else {}
    return {ours: text for theirs, ours in ADDRESS.items() if (text := read_text(inside.get(theirs))) is not None}


def read_organization(record: Mapping[str, Any], nobody: frozenset[str]) -> dict[str, FieldValue]:
    """What an organisation says of its persons, in canonical fields."""
    industry = record.get("industry")
    employees = read_number(record.get("employee_count"))
    said: dict[str, FieldValue] = {
        "company": read_text(record.get("name")),
        "website": read_text(record.get("website")),
        "industry": read_text(industry.get("label")) if isinstance(industry, dict) else None,
        "employees": int(employees) if employees is not None and employees >= 0 else None,
        "revenue": read_number(record.get("annual_revenue")),
        "account_owner_id": read_owner_id(record.get("owner_id"), nobody),
        **read_address(record.get("address")),
    }
    return {name: value for name, value in said.items() if value is not None}


def custom_name(name: str) -> str:
    """How a custom field's name is compared with a canonical one: "Credit Band" is `credit_band`."""
    return "_".join(name.lower().split())


def is_canonical(name: str) -> bool:
    """Whether a custom field of the tenant's own is named as a field of ours that Pipedrive lacks."""
    return custom_name(name) in CANONICAL


def is_further(wanted: str, present: str | None) -> bool:
    """Whether the lifecycle stage `wanted` lies beyond `present`. A present word that is not ours is left alone."""
    if wanted not in STAGES:
        return False
    if not present:
        return True
    return present in STAGES and STAGES.index(wanted) > STAGES.index(present)


def activity_key(activity_id: str, kind: EngagementKind) -> str:
    """The same by webhook and by backfill, so that both together count once."""
    return f"pd:activity:{activity_id}:{kind.value}"


def deals_ending(deals: Sequence[Mapping[str, Any]]) -> tuple[Outcome, datetime] | None:
    """Won when the first deal was won; lost when every deal was lost. None while one is open, or without deals."""
    won = [read_time(deal["won_time"]) for deal in deals if deal.get("status") == "won" and deal.get("won_time")]
    if won:
        return Outcome.WON, min(won)
    lost = [read_time(deal["lost_time"]) for deal in deals if deal.get("status") == "lost" and deal.get("lost_time")]
    return (Outcome.LOST, max(lost)) if deals and len(lost) == len(deals) else None
