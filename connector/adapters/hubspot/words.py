"""HubSpot's words and ours. Literal tables; the vendor's names are those of its public property and webhook reference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connector.reading import MESSAGE_LIMIT, TEXT_LIMIT, read_moment, read_number, read_text, read_value
from leads.enums import STAGE_ORDER, ChangeKind, ChangeOrigin, EngagementKind, LifecycleStage, Outcome
from leads.records import FieldValue

#: Contact property → canonical field. What is not here goes to `extra` under HubSpot's own name.
FIELDS: Final[Mapping[str, str]] = {
    "email": "email",
    "firstname": "first_name",
    "lastname": "last_name",
    "jobtitle": "title",
    "company": "company",
    "phone": "phone",
    "website": "website",
    "message": "message",
    "country": "country",
    "state": "region",
    "city": "city",
    "zip": "postcode",
    "industry": "industry",
    "numberofemployees": "employees",
    "numemployees": "employees",
    "annualrevenue": "revenue",
    "hs_analytics_source": "source",
    "hs_analytics_first_touch_converting_campaign": "campaign",
    "hs_language": "language",
    "hs_lead_status": "lead_status",
    "lifecyclestage": "lifecycle_stage",
    "hubspot_owner_id": "owner_id",
    "hs_email_optout": "email_consent",
    # contact properties of the tenant's own, named as our fields are
    "product": "product",
    "income_bracket": "income_bracket",
    "age_range": "age_range",
    "family": "family",
    "credit_band": "credit_band",
    "employment": "employment",
}

#: Property of the primary company → canonical field, used where the contact itself is silent.
COMPANY_FIELDS: Final[Mapping[str, str]] = {
    "name": "company",
    "domain": "website",
    "website": "website",
    "industry": "industry",
    "numberofemployees": "employees",
    "annualrevenue": "revenue",
    "country": "country",
    "state": "region",
    "city": "city",
    "zip": "postcode",
    "hubspot_owner_id": "account_owner_id",
}

#: Properties that say who a contact is. Their history tells what was known when the contact was made.
PROFILE: Final = tuple(name for name in FIELDS if name not in ("lifecyclestage", "hs_lead_status", "hubspot_owner_id"))

#: Dated contact properties that say that something was done. Each value they ever had is one engagement.
ENGAGEMENTS: Final[Mapping[str, EngagementKind]] = {
    "hs_email_last_send_date": EngagementKind.EMAIL_SENT,
    "hs_email_last_open_date": EngagementKind.EMAIL_OPENED,
    "hs_email_last_click_date": EngagementKind.EMAIL_CLICKED,
    "hs_email_last_reply_date": EngagementKind.EMAIL_REPLIED,
    "hs_sales_email_last_replied": EngagementKind.EMAIL_REPLIED,
    "recent_conversion_date": EngagementKind.FORM_SUBMITTED,
    "hs_analytics_last_visit_timestamp": EngagementKind.PAGE_VIEWED,
    "engagements_last_meeting_booked": EngagementKind.MEETING_BOOKED,
    "notes_last_contacted": EngagementKind.CONTACTED,  # the last call, one-to-one e-mail or meeting logged on the record
    # HubSpot dates no property with these on a contact; a tenant's workflow may, in properties of the tenant's own
    **{
        f"last_{kind.value}": kind
        for kind in (
            EngagementKind.EMAIL_DELIVERED,
            EngagementKind.EMAIL_BOUNCED,
            EngagementKind.UNSUBSCRIBED,
            EngagementKind.RESUBSCRIBED,
            EngagementKind.CONTENT_DOWNLOADED,
            EngagementKind.VIDEO_WATCHED,
            EngagementKind.MEETING_ATTENDED,
            EngagementKind.MEETING_MISSED,
            EngagementKind.PROPOSAL_VIEWED,
            EngagementKind.MESSAGE_RECEIVED,
            EngagementKind.CALL_ANSWERED,
            EngagementKind.CALL_MISSED,
            EngagementKind.PRODUCT_USED,
            EngagementKind.LISTING_VIEWED,
            EngagementKind.SEARCHED,
        )
    },
}

#: Dated property → (what the act then says, the property whose value of the same moment says it). Read from histories alone.
SAID_WITH: Final[Mapping[str, tuple[str, str]]] = {
    "hs_analytics_last_visit_timestamp": ("url", "hs_analytics_last_url"),
    "last_message_received": ("text", "last_message"),
    "last_listing_viewed": ("listing", "last_listing"),
    "last_searched": ("query", "last_search"),
}
SAID: Final = tuple(said for _, said in SAID_WITH.values())

#: Read with every contact beside FIELDS.
ALSO_READ: Final = (
    "mobilephone",
    "createdate",
    "lastmodifieddate",
    "hs_object_id",
    "hs_merged_object_ids",
    "associatedcompanyid",
    "num_associated_deals",
)

#: Properties of ours in HubSpot.
SCORE, TIER, REASONS, ROUTED_BECAUSE = "leadswitch_score", "leadswitch_tier", "leadswitch_reasons", "leadswitch_routed_because"
MARKER: Final = "leadswitch_marker"  # on tasks, notes and deals
OURS: Final = frozenset({SCORE, TIER, REASONS, ROUTED_BECAUSE})
#: HubSpot's bookkeeping and our own columns: never an `extra` column, because they are not about the lead.
NOT_EXTRA: Final = (
    OURS
    | frozenset(ENGAGEMENTS)
    | frozenset(SAID)
    | {
        "createdate",
        "lastmodifieddate",
        "hs_object_id",
        "hs_merged_object_ids",
    }
)

STAGES: Final[Mapping[str, LifecycleStage]] = {
    "subscriber": LifecycleStage.SUBSCRIBER,
    "lead": LifecycleStage.LEAD,
    "marketingqualifiedlead": LifecycleStage.MQL,
    "salesqualifiedlead": LifecycleStage.SALES_QUALIFIED,
    "opportunity": LifecycleStage.OPPORTUNITY,
    "customer": LifecycleStage.CUSTOMER,
    "evangelist": LifecycleStage.EVANGELIST,
}
STAGE_WORDS: Final[Mapping[LifecycleStage, str]] = {stage: word for word, stage in STAGES.items()}

#: `hs_lead_status` values that end a lead.
LOST_STATUSES: Final = frozenset({"UNQUALIFIED", "BAD_TIMING", "LOST", "CLOSED_LOST", "DISQUALIFIED"})
WON_STAGES: Final = frozenset({"customer", "evangelist"})

#: The last part of a subscription type → what happened.
KINDS: Final[Mapping[str, ChangeKind]] = {
    "creation": ChangeKind.CREATED,
    "propertyChange": ChangeKind.CHANGED,
    "associationChange": ChangeKind.CHANGED,
    "deletion": ChangeKind.DELETED,
    "privacyDeletion": ChangeKind.ERASED,
    "merge": ChangeKind.MERGED,
    "restore": ChangeKind.RESTORED,
}
#: `objectTypeId` of the generic `object.*` subscriptions.
OBJECT_TYPES: Final[Mapping[str, str]] = {"0-1": "contact", "0-2": "company", "0-3": "deal"}

#: `changeSource` → who made the change. INTEGRATION is ours when `sourceId` is our app.
ORIGINS: Final[Mapping[str, ChangeOrigin]] = {
    "CRM_UI": ChangeOrigin.PERSON,
    "CRM_UI_BULK_ACTION": ChangeOrigin.PERSON,
    "MOBILE_ANDROID": ChangeOrigin.PERSON,
    "MOBILE_IOS": ChangeOrigin.PERSON,
    "CONTACTS_WEB": ChangeOrigin.PERSON,
    "FORM": ChangeOrigin.PERSON,
    "MEETINGS": ChangeOrigin.PERSON,
    "CONVERSATIONS": ChangeOrigin.PERSON,
    "INTEGRATION": ChangeOrigin.MACHINE,
    "INTEGRATIONS_SYNC": ChangeOrigin.MACHINE,
    "API": ChangeOrigin.MACHINE,
    "IMPORT": ChangeOrigin.MACHINE,
    "BATCH_UPDATE": ChangeOrigin.MACHINE,
    "WORKFLOWS": ChangeOrigin.MACHINE,
    "AUTOMATION_PLATFORM": ChangeOrigin.MACHINE,
    "CALCULATED": ChangeOrigin.MACHINE,
    "ANALYTICS": ChangeOrigin.MACHINE,
    "EMAIL": ChangeOrigin.MACHINE,
    "MERGE_OBJECTS": ChangeOrigin.MACHINE,
    "DEALS": ChangeOrigin.MACHINE,
}


def read_employees(value: object) -> int | None:
    """A head count; of a range such as "25-50" the lower end, because that much is certain."""
    number = read_number(str(value).partition("-")[0].rstrip("+") if isinstance(value, str) else value)
    return None if number is None or number < 0 else int(number)


def read_property(name: str, value: object) -> tuple[str | None, FieldValue]:
    """One contact property in our words: (canonical field or None, value). Empty values read as None, that is "emptied"."""
    return _read_as(FIELDS.get(name), value)


def read_company_property(name: str, value: object) -> tuple[str | None, FieldValue]:
    """One company property in our words, or (None, …) when it says nothing about the lead."""
    return _read_as(COMPANY_FIELDS.get(name), value)


def _read_as(field: str | None, value: object) -> tuple[str | None, FieldValue]:
    if value is None or value == "":
        return field, None
    if field == "lifecycle_stage":
        return field, STAGES.get(str(value).strip().lower(), LifecycleStage.UNKNOWN).value
    if field == "employees":
        return field, read_employees(value)
    if field == "revenue":
        return field, read_number(value)
    if field == "email_consent":
        # "false" only says that nobody has opted out yet, which is not consent
        return field, "no" if str(value).strip().lower() == "true" else None
    if field is None:
        return None, read_value(value)
    return field, read_text(value, MESSAGE_LIMIT if field == "message" else TEXT_LIMIT)


def read_properties(
    properties: Mapping[str, Any], external_id_property: str | None = None
) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """A whole contact in our words: (canonical fields, extra columns). Unset properties are left out of both."""
    fields: dict[str, FieldValue] = {}
    extra: dict[str, FieldValue] = {}
    for name, value in properties.items():
        if value is None or value == "" or name in NOT_EXTRA:
            continue
        field, read = read_property(name, value)
        if field is None:
            extra[name] = read
        elif read is not None and fields.get(field) is None:
            fields[field] = read
        if name == "lifecyclestage" and fields.get("lifecycle_stage") == LifecycleStage.UNKNOWN.value:
            extra[name] = read_text(value)  # a stage the tenant made up: its id is all there is
    if "phone" not in fields and extra.get("mobilephone"):
        fields["phone"] = extra["mobilephone"]
    if external_id_property and extra.get(external_id_property) is not None:
        extra["external_id"] = str(extra[external_id_property])
    return fields, extra


def is_further(wanted: str, present: str | None) -> bool:
    """Whether the lifecycle stage `wanted` (ours) lies beyond HubSpot's `present` word. An unmet present word is left alone."""
    stage = LifecycleStage.read(wanted)
    if stage not in STAGE_WORDS:
        return False
    if not present:
        return True
    known = STAGES.get(present.strip().lower())
    return known is not None and STAGE_ORDER.index(stage) > STAGE_ORDER.index(known)


def engagement_key(contact_id: str, name: str, moment: datetime) -> str:
    """The key of a dated property's engagement: the same by webhook and by backfill, so that both together count once."""
    return f"hs:{contact_id}:{name}:{round(moment.timestamp() * 1000)}"


def read_engagement_moment(value: object) -> datetime:
    """When a dated property says it was: milliseconds since 1970 or ISO 8601. Raises ValueError."""
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        return read_iso(value)
    return read_moment(value, per_second=1000)


def read_iso(value: object) -> datetime:
    """An ISO 8601 moment, aware. Raises ValueError."""
    moment = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment


def ending(stage: str | None, status: str | None) -> Outcome:
    """How a contact stands by its lifecycle stage and lead status (HubSpot's words)."""
    if (stage or "").lower() in WON_STAGES:
        return Outcome.WON
    if (status or "").upper() in LOST_STATUSES:
        return Outcome.LOST
    return Outcome.OPEN
