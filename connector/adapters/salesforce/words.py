"""Salesforce's words and ours. Literal tables; the vendor's names are those of its Object Reference (Lead, LeadStatus, Task)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connector.adapters.salesforce.ids import QUEUE, long_or_none
from connector.reading import MESSAGE_LIMIT, TEXT_LIMIT, read_number, read_text, read_value
from leads.enums import STAGE_ORDER, LifecycleStage
from leads.records import FieldValue

#: Lead field → canonical field. What is not here, and what the option `fields` does not name, goes to `extra`.
FIELDS: Final[Mapping[str, str]] = {
    "FirstName": "first_name",
    "LastName": "last_name",
    "Email": "email",
    "Phone": "phone",
    "Title": "title",
    "Company": "company",
    "Website": "website",
    "Description": "message",
    "Country": "country",
    "State": "region",
    "City": "city",
    "PostalCode": "postcode",
    "Industry": "industry",
    "NumberOfEmployees": "employees",
    "AnnualRevenue": "revenue",
    "LeadSource": "source",
    "Status": "lead_status",
    "OwnerId": "owner_id",
    "HasOptedOutOfEmail": "email_consent",
}
#: What says who a lead is. Where the org tracks no history of such a field, it is taken to have been given when the lead was made.
PROFILE: Final = (
    *("FirstName", "LastName", "Email", "Phone", "Title", "Company", "Website"),
    *("Country", "State", "City", "PostalCode", "Industry", "LeadSource"),
)
#: What is often found out later: believed of the beginning only where the org tracks its history.
MEASURED: Final = ("NumberOfEmployees", "AnnualRevenue")
#: Fields of ours on leads, tasks and opportunities.
SCORE, TIER, REASONS = "Leadswitch_Score__c", "Leadswitch_Tier__c", "Leadswitch_Reasons__c"
ROUTED_BECAUSE, STAGE = "Leadswitch_Routed_Because__c", "Leadswitch_Stage__c"
MARKER: Final = "Leadswitch_Marker__c"

#: Read with every lead beside FIELDS.
ALSO_READ: Final = (
    "MobilePhone",
    "IsConverted",
    "ConvertedContactId",
    "ConvertedOpportunityId",
    "CreatedDate",
    "SystemModstamp",
)
#: Salesforce's bookkeeping and our own columns: never an `extra` column, because they are not about the lead.
NOT_EXTRA: Final = frozenset(
    {
        *("Id", "attributes", "Name", "Address", "PhotoUrl", "IsDeleted", "MasterRecordId", "IsUnreadByOwner"),
        *("IsConverted", "ConvertedDate", "ConvertedContactId", "ConvertedAccountId", "ConvertedOpportunityId"),
        *("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"),
        *("LastViewedDate", "LastReferencedDate"),
        *(SCORE, TIER, REASONS, ROUTED_BECAUSE, STAGE),
    }
)

#: The values of a new org's Lead.Status → our lead status. Others are kept as they are.
STATUSES: Final[Mapping[str, str]] = {
    "open - not contacted": "open",
    "working - contacted": "connected",
    "closed - not converted": "unqualified",
    "unqualified": "unqualified",
}
#: Our lead status → the value of a new org; the option `statuses` names others.
STATUS_WORDS: Final[Mapping[str, str]] = {
    "open": "Open - Not Contacted",
    "attempted_to_contact": "Working - Contacted",
    "connected": "Working - Contacted",
    "unqualified": "Closed - Not Converted",
}
PRIORITIES: Final[Mapping[str, str]] = {"high": "High", "medium": "Normal", "low": "Low"}


def read_moment(value: object) -> datetime:
    """A moment: ISO 8601 with a zone (`+0000` too), or milliseconds since 1970 in events. Raises ValueError."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000, UTC)
        else:
            moment = datetime.fromisoformat(str(value).strip()[:40])
    except (ValueError, OverflowError, OSError):
        raise ValueError("no moment") from None
    if moment.tzinfo is None or moment.year < 1971:
        raise ValueError("no moment")
    return moment.astimezone(UTC)


def is_true(value: object) -> bool:
    """A checkbox; outbound messages write it as text."""
    return value is True or str(value).strip().lower() == "true"


def read_owner_id(value: object) -> str | None:
    """The user who owns a record. A queue is nobody: its leads wait for an owner."""
    owner = long_or_none(value)
    return None if owner is None or owner.startswith(QUEUE) else owner


def read_field(field: str | None, value: object) -> FieldValue:
    """One value as the canonical field `field` holds it (None: an extra column). Empty values read as None, that is "emptied"."""
    if value is None or value == "":
        return None
    if field == "owner_id":
        return read_owner_id(value)
    if field == "lead_status":
        return STATUSES.get(str(value).strip().lower()) or read_text(value)
    if field == "employees":
        number = read_number(value)
        return None if number is None or number < 0 else int(number)
    if field == "revenue":
        return read_number(value)
    if field == "email_consent":
        return "no" if is_true(value) else None  # not opted out is not consent
    if field is None:
        return read_value(value)
    return read_text(value, MESSAGE_LIMIT if field == "message" else TEXT_LIMIT)


def read_fields(
    record: Mapping[str, Any], own: Mapping[str, str], *, emptied: bool = False
) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """A lead, or part of one, in our words: (canonical fields, extra columns). `own` is the option `fields`.

    `emptied`: a field without a value was emptied and reads as None; else it is left out.
    """
    fields: dict[str, FieldValue] = {}
    extra: dict[str, FieldValue] = {}
    for name, value in record.items():
        if name == STAGE and LifecycleStage.read(value) is not LifecycleStage.UNKNOWN:
            fields["lifecycle_stage"] = LifecycleStage.read(value).value
        if name in NOT_EXTRA:
            continue
        field = own.get(name) or FIELDS.get(name)
        read = read_field(field, value)
        if name == "OwnerId":
            fields["owner_id"] = read  # a queue is an owner who was taken away
            if read is None and long_or_none(value):
                extra["queue_id"] = long_or_none(value)
        elif read is not None or emptied:
            (fields if field else extra)[field or name] = read
    if is_true(record.get("IsConverted")):
        fields["lifecycle_stage"] = further(fields.get("lifecycle_stage"), LifecycleStage.OPPORTUNITY)
    if fields.get("phone") is None and extra.get("MobilePhone"):
        fields["phone"] = extra["MobilePhone"]
    return fields, extra


def further(present: object, other: LifecycleStage) -> str:
    """The later of two stages."""
    return max(LifecycleStage.read(present), other, key=STAGE_ORDER.index).value


def is_further(wanted: str, present: object) -> bool:
    """Whether the lifecycle stage `wanted` lies beyond `present`. One that we do not know is left alone."""
    stage, known = LifecycleStage.read(wanted), LifecycleStage.read(present or "")
    if stage is LifecycleStage.UNKNOWN or (present and known is LifecycleStage.UNKNOWN):
        return False
    return STAGE_ORDER.index(stage) > STAGE_ORDER.index(known)
