# ruff: noqa: SIM905 - lists of words read best as words
"""The properties this CRM knows, and which values it takes. HubSpot refuses writes to a property that it does not know.

Source: HubSpot's CRM properties API and default property lists (developers.hubspot.com, "Properties" and "Contacts").
"""

from __future__ import annotations

from typing import Any, Final

STAGES: Final = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
_STATUS: Final = ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING")
_CONTACT_TEXT: Final = (
    "email firstname lastname phone mobilephone company jobtitle website industry country state city zip address message "
    "salutation hs_language hs_analytics_source hs_analytics_source_data_1 hs_analytics_source_data_2 hs_latest_source "
    "recent_conversion_event_name first_conversion_event_name hs_email_last_email_name hs_persona hs_email_domain "
    "ip_country hs_buying_role hs_seniority hs_role fax date_of_birth twitterhandle hs_linkedin_url hs_timezone lead_source "
    "utm_campaign hs_analytics_first_url hs_analytics_last_url "
    "product income_bracket age_range family credit_band employment last_message last_listing last_search"
).split()
_CONTACT_NUMBER: Final = (
    "numemployees annualrevenue total_revenue num_conversion_events num_unique_conversion_events hs_email_open "
    "hs_email_click hs_email_delivered hs_email_bounce hs_email_replied hs_analytics_num_page_views hs_analytics_num_visits "
    "hs_object_id hubspotscore num_notes num_contacted_notes associatedcompanyid hs_sequences_actively_enrolled_count"
).split()
_CONTACT_DATE: Final = (
    "createdate lastmodifieddate closedate recent_conversion_date first_conversion_date hs_email_last_open_date "
    "hs_email_last_click_date hs_email_last_reply_date hs_email_last_send_date hs_email_first_open_date "
    "hs_email_first_click_date hs_sales_email_last_replied hs_analytics_last_visit_timestamp "
    "hs_analytics_first_visit_timestamp hs_analytics_last_timestamp hs_analytics_first_timestamp "
    "engagements_last_meeting_booked notes_last_contacted notes_last_updated notes_next_activity_date "
    "hs_last_sales_activity_timestamp hubspot_owner_assigneddate hs_lifecyclestage_lead_date "
    "hs_lifecyclestage_customer_date hs_lifecyclestage_opportunity_date hs_lifecyclestage_marketingqualifiedlead_date "
    "hs_lifecyclestage_salesqualifiedlead_date hs_latest_source_timestamp "
    "last_email_delivered last_email_bounced last_unsubscribed last_resubscribed last_content_downloaded last_video_watched "
    "last_meeting_attended last_meeting_missed last_proposal_viewed last_message_received last_call_answered last_call_missed "
    "last_product_used last_listing_viewed last_searched"
).split()
_TASK: Final = {
    "hs_timestamp": "datetime",
    "hs_task_subject": "string",
    "hs_task_body": "string",
    "hs_task_status": "enumeration",
    "hs_task_priority": "enumeration",
    "hs_task_type": "enumeration",
    "hs_task_reminders": "string",
    "hubspot_owner_id": "enumeration",
    "hs_object_id": "number",
    "hs_createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_unique_creation_key": "string",
}
_OPTIONS: Final = {
    ("contacts", "lifecyclestage"): STAGES,
    ("contacts", "hs_lead_status"): _STATUS,
    ("tasks", "hs_task_status"): ("NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"),
    ("tasks", "hs_task_priority"): ("HIGH", "MEDIUM", "LOW", "NONE"),
    ("tasks", "hs_task_type"): ("EMAIL", "CALL", "TODO"),
}
READ_ONLY: Final = frozenset({"hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_createdate"})
#: Numeric object types → their names.
TYPE_IDS: Final = {"0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-27": "tasks", "0-46": "notes", "0-136": "leads"}
SINGULAR: Final = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "task": "tasks",
    "note": "notes",
    "lead": "leads",
}


def definition(name: str, kind: str, options: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """One property as the properties API shows it."""
    field_type = {"string": "text", "number": "number", "datetime": "date", "bool": "booleancheckbox", "enumeration": "select"}[
        kind
    ]
    return {
        "name": name,
        "label": more.get("label", name),
        "type": kind,
        "fieldType": more.get("fieldType", field_type),
        "description": "",
        "groupName": more.get("groupName", "contactinformation"),
        "options": [{"label": option, "value": option, "displayOrder": i, "hidden": False} for i, option in enumerate(options)],
        "hubspotDefined": True,
        "hidden": False,
        "archived": False,
        "formField": False,
        "hasUniqueValue": name == "email",
        "modificationMetadata": {"archivable": False, "readOnlyDefinition": True, "readOnlyValue": name in READ_ONLY},
    }


def built_in() -> dict[str, dict[str, dict[str, Any]]]:
    """Object type → property name → definition, as a new account has them."""
    contacts = {name: definition(name, "string") for name in _CONTACT_TEXT}
    contacts |= {name: definition(name, "number") for name in _CONTACT_NUMBER}
    contacts |= {name: definition(name, "datetime") for name in _CONTACT_DATE}
    contacts |= {name: definition(name, "bool") for name in ("hs_email_optout", "hs_is_unworked", "hs_marketable_status")}
    for name in ("lifecyclestage", "hs_lead_status", "hubspot_owner_id", "hubspot_team_id"):
        contacts[name] = definition(name, "enumeration", _OPTIONS.get(("contacts", name), ()))
    tasks = {name: definition(name, kind, _OPTIONS.get(("tasks", name), ())) for name, kind in _TASK.items()}
    company = ["name", "domain", "industry", "numberofemployees", "annualrevenue", "country", "city", "state", "website"]
    deal = ["dealname", "amount", "dealstage", "pipeline", "closedate", "dealtype", "deal_currency_code"]
    note = ["hs_note_body", "hs_timestamp"]
    shared = ["hubspot_owner_id", "hs_object_id", "createdate", "hs_createdate", "hs_lastmodifieddate"]
    tables = {"contacts": contacts, "tasks": tasks}
    for kind, names in (("companies", company), ("deals", deal), ("notes", note), ("leads", ["hs_lead_name"])):
        tables[kind] = {name: definition(name, "string") for name in (*names, *shared)}
    tables["deals"]["amount"] = definition("amount", "number")
    tables["notes"]["hs_timestamp"] = definition("hs_timestamp", "datetime")
    return tables
