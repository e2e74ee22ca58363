"""Zoho's words and ours. Literal tables; the vendor's names are the API names of its standard Leads module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.errors import Configuration
from connector.reading import MESSAGE_LIMIT, read_id, read_number, read_text, read_value
from connector.settings import ConnectionSettings
from leads.enums import STAGE_ORDER, LifecycleStage, Tier
from leads.records import FieldValue

#: Field of a lead → canonical field.
FIELDS: Final[Mapping[str, str]] = {
    "Email": "email",
    "First_Name": "first_name",
    "Last_Name": "last_name",
    "Designation": "title",
    "Company": "company",
    "Phone": "phone",
    "Mobile": "phone",
    "Website": "website",
    "Description": "message",
    "Country": "country",
    "State": "region",
    "City": "city",
    "Zip_Code": "postcode",
    "Industry": "industry",
    "No_of_Employees": "employees",
    "Annual_Revenue": "revenue",
    "Lead_Source": "source",
    "Lead_Status": "lead_status",
    "Owner": "owner_id",
    "Email_Opt_Out": "email_consent",
}
#: Fields of ours on leads, by API name, which Zoho makes of the label.
SCORE, TIER, REASONS = "Leadswitch_Score", "Leadswitch_Tier", "Leadswitch_Reasons"
ROUTED_BECAUSE, STAGE = "Leadswitch_Routed_Because", "Leadswitch_Stage"
MARKER: Final = "Leadswitch_Marker"  # on tasks
OURS: Final = frozenset({SCORE, TIER, REASONS, ROUTED_BECAUSE})
#: Zoho's own bookkeeping, which changes with every change.
BOOKKEEPING: Final = frozenset({"Modified_Time", "Modified_By", "Last_Activity_Time", "Change_Log_Time__s"})
#: Read with every lead beside FIELDS.
ALSO_READ: Final = (STAGE, "Created_Time", "Modified_Time", "Converted__s", "Converted_Deal", "Converted_Date_Time")

STAGES: Final = tuple(stage.value for stage in STAGE_ORDER if stage is not LifecycleStage.UNKNOWN)
TIERS: Final = tuple(tier.value.upper() for tier in Tier if tier is not Tier.UNKNOWN)

#: Zoho's lead statuses as it ships them → ours. Those of the tenant's own making are kept as they are written.
STATUSES: Final[Mapping[str, str | None]] = {
    "-None-": None,
    "Not Contacted": "open",
    "Attempted to Contact": "attempted_to_contact",
    "Contacted": "connected",
    "Not Qualified": "unqualified",
    "Junk Lead": "disqualified",
    "Lost Lead": "lost",
}
#: Our status → what is written for it, unless the option `lead_statuses` says otherwise.
STATUS_WORDS: Final[Mapping[str, str]] = {
    "open": "Not Contacted",
    "attempted_to_contact": "Attempted to Contact",
    "connected": "Contacted",
    "unqualified": "Not Qualified",
}
#: Statuses that end a lead; one is as good as another.
LOST: Final = frozenset({"unqualified", "disqualified", "lost"})
WON_STAGES: Final = ("Closed Won",)
LOST_STAGES: Final = ("Closed Lost", "Closed Lost to Competition", "Closed-Lost to Competition")

PRIORITIES: Final[Mapping[str, str]] = {"high": "High", "medium": "Normal", "low": "Low"}


def read_list(settings: ConnectionSettings, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
    """An option that lists words or ids. Raises `Configuration`."""
    given = settings.option(key, default)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise Configuration(f"{settings.name}: {key} is not a list.", 'Write it as ["one", "two"].')
    return tuple(str(one) for one in given)


def read_status_words(settings: ConnectionSettings) -> Mapping[str, str]:
    """Our status → the tenant's word. Raises `Configuration`."""
    given = settings.option("lead_statuses", {})
    if not isinstance(given, Mapping) or not set(given) <= set(STATUS_WORDS):
        raise Configuration(f"{settings.name}: lead_statuses names a status that is not ours.", f"Use {', '.join(STATUS_WORDS)}.")
    return {**STATUS_WORDS, **{str(name): str(word) for name, word in given.items()}}


def read_lookup(value: object) -> str | None:
    """The id of a reference, which comes as {"name": …, "id": …} or as the id alone."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return None if value in (None, "") else read_id(value)


def read_status(word: object, status_words: Mapping[str, str]) -> str | None:
    """A lead status in our words; the tenant's own words are ours where `lead_statuses` says so, and else kept."""
    text = read_text(word) or "-None-"
    ours = {theirs: name for name, theirs in status_words.items()}
    return ours.get(text) or STATUSES.get(text, text)


def read_field(name: str, value: object, status_words: Mapping[str, str], nobody: frozenset[str]) -> FieldValue:
    """One field of a lead in our words; empty reads as None."""
    field = FIELDS[name]
    if field == "owner_id":
        owner = read_lookup(value)
        return None if owner in nobody else owner
    if field == "lead_status":
        return read_status(value, status_words)
    if field == "employees":
        number = read_number(value)
        return None if number is None or number < 0 else int(number)
    if field == "revenue":
        return read_number(value)
    if field == "email_consent":
        return "no" if value is True or str(value).lower() == "true" else None  # false is not consent
    return read_text(value, MESSAGE_LIMIT) if field == "message" else read_text(value)


def read_fields(
    record: Mapping[str, Any], extra_fields: Sequence[str], status_words: Mapping[str, str], nobody: frozenset[str]
) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """A whole lead in our words: (canonical fields, extra columns). What is empty is left out of both."""
    fields: dict[str, FieldValue] = {}
    for name in FIELDS:
        read = read_field(name, record.get(name), status_words, nobody)
        if read is not None:
            fields.setdefault(FIELDS[name], read)
    stage = LifecycleStage.read(record.get(STAGE))
    if stage is not LifecycleStage.UNKNOWN:
        fields["lifecycle_stage"] = stage.value
    extra = {name: read_value(record.get(name)) for name in extra_fields}
    return fields, {name: value for name, value in extra.items() if value is not None}


def is_further(wanted: str, present: object) -> bool:
    """Whether the lifecycle stage `wanted` lies beyond `present`. A present word that is not ours is left alone."""
    if wanted not in STAGES:
        return False
    if present in (None, "", "-None-"):
        return True
    return present in STAGES and STAGES.index(wanted) > STAGES.index(str(present))
