"""Names that travel to Slack and come back: action, block and callback ids, and what a button's value holds."""

from __future__ import annotations

from typing import Final

ACCEPT: Final = "lead_accept"
PASS_ON: Final = "lead_pass"  # noqa: S105  (no password)
OPEN: Final = "lead_open"
SHOW: Final = "lead_show"
MORE: Final = "lead_more"  # the overflow menu: its option values are REASSIGN:12 or WHY:12

REASSIGN: Final = "reassign"
WHY: Final = "why"

PASS_ON_FORM: Final = "lead_pass_form"  # noqa: S105
REASSIGN_FORM: Final = "lead_reassign_form"
REASON: Final = "reason"
NOTE: Final = "note"
REP: Final = "rep"

#: `metadata.event_type` of our messages: how a message whose sending was in doubt is found again.
CARD_EVENT: Final = "leadswitch_card"
DIGEST_EVENT: Final = "leadswitch_digest"

#: Why a lead is passed on: the value stored, and the words shown.
PASS_REASONS: Final[dict[str, str]] = {
    "wrong_territory": "Wrong territory",
    "no_capacity": "No capacity",
    "not_a_fit": "Not a fit",
    "already_customer": "Already a customer",
    "conflict": "Conflict of interest",
    "other": "Other",
}


def lead_id(value: object) -> int | None:
    """The lead id in a button's value ("12") or an overflow option's ("why:12"); None when it is neither."""
    tail = str(value or "").rpartition(":")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 16 else None
