"""Odoo's words and ours. Literal tables; the names are those of the public source of `crm.lead`, 14.0 to 19.0."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connector.reading import MESSAGE_LIMIT, read_email, read_number, read_text, read_time
from leads.records import FieldValue

LEAD: Final = "crm.lead"

#: Text field of a lead → canonical field.
TEXTS: Final[Mapping[str, str]] = {
    "phone": "phone",
    "function": "title",
    "partner_name": "company",
    "website": "website",
    "city": "city",
    "zip": "postcode",
}
#: Link of a lead → the canonical field that takes the linked record's name.
NAMED_LINKS: Final[Mapping[str, str]] = {
    "country_id": "country",
    "state_id": "region",
    "source_id": "source",
    "campaign_id": "campaign",
}
#: Read beside them; all of these exist in every version.
ALSO_READ: Final = (
    "name",
    "type",
    "active",
    "user_id",
    "team_id",
    "stage_id",
    "probability",
    "tag_ids",
    "medium_id",
    "contact_name",
    "email_from",
    "description",
    "expected_revenue",
    "create_date",
    "write_date",
    "date_closed",
    "date_conversion",
)
READ: Final = (*TEXTS, *NAMED_LINKS, *ALSO_READ)

#: Fields of ours on a lead.
SCORE, TIER, REASONS = "x_leadswitch_score", "x_leadswitch_tier", "x_leadswitch_reasons"
ROUTED_BECAUSE, STATUS = "x_leadswitch_routed_because", "x_leadswitch_status"
#: Field of ours → (label, Odoo's type of field).
OURS: Final[Mapping[str, tuple[str, str]]] = {
    SCORE: ("Leadswitch score", "integer"),
    TIER: ("Leadswitch tier", "char"),
    REASONS: ("Leadswitch reasons", "text"),
    ROUTED_BECAUSE: ("Leadswitch routed because", "text"),
    STATUS: ("Leadswitch status", "char"),
}

#: Our lead status of a lead that Odoo calls lost, and of one that is worked on.
LOST, OPEN = "unqualified", "open"

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\b[^>]*>", re.IGNORECASE)
#: Odoo shows a state as "California (US)".
_COUNTRY_CODE = re.compile(r" \([A-Z]{2}\)$")


def read_link(value: object) -> str | None:
    """The id of a many2one, which is False, an id, or a pair of id and name."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def read_link_name(value: object) -> str | None:
    """The name in a many2one, when it comes as a pair."""
    name = read_text(value[1]) if isinstance(value, list | tuple) and len(value) == 2 else None
    return _COUNTRY_CODE.sub("", name) if name else None


def read_datetime(value: object) -> datetime | None:
    """Odoo's naive UTC `YYYY-MM-DD HH:MM:SS`, aware; None for the False of an empty field. Raises ValueError."""
    return None if value in (False, None, "") else read_time(value)


def write_datetime(moment: datetime) -> str:
    """A moment in Odoo's form; what is smaller than a second is cut off."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def read_html(value: object) -> str | None:
    """The text of an HTML field."""
    if not isinstance(value, str):
        return None
    return read_text(html.unescape(_TAG.sub("", _BREAK.sub("\n", value[: 4 * MESSAGE_LIMIT]))), MESSAGE_LIMIT)


def is_lost(record: Mapping[str, Any]) -> bool:
    """Whether a lead is lost: archived, with no probability left."""
    return record.get("active") is False and not record.get("probability")


def read_status(record: Mapping[str, Any]) -> str:
    """The status of a lead: lost, or what we wrote last, because Odoo has no other of its own."""
    if is_lost(record):
        return LOST
    status = read_filled(record.get(STATUS)) or OPEN
    return OPEN if status == LOST else status


def read_fields(record: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The canonical fields of a lead record, without its stage. An empty field says nothing (another tool may know better), but
    for the owner: a lead that nobody owns is told as such."""
    fields: dict[str, FieldValue] = {field: read_filled(record.get(name)) for name, field in TEXTS.items()}
    fields |= {field: read_link_name(record.get(name)) for name, field in NAMED_LINKS.items()}
    first, _, last = (read_filled(record.get("contact_name")) or "").partition(" ")
    fields |= {"first_name": first or None, "last_name": last.strip() or None}
    fields["email"] = read_address(record.get("email_from"))
    fields["message"] = read_html(record.get("description"))
    fields["deal_amount"] = read_number(record.get("expected_revenue")) or None  # 0.0 is Odoo's empty amount
    told = {name: value for name, value in fields.items() if value is not None}
    return told | {"owner_id": read_link(record.get("user_id"))}


def read_filled(value: object) -> str | None:
    """A text; the False of an empty field is None."""
    return None if value is False else read_text(value)


def read_address(value: object) -> str | None:
    """An e-mail address, whose field may hold a name beside it; None without a readable one."""
    try:
        return read_email(value) if isinstance(value, str) else None
    except ValueError:
        return None
