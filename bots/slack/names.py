"""Names that travel to Slack and come back: action, block and callback ids, and what a button's value holds."""

from __future__ import annotations

from typing import Final

from connector.commands.words import CORRECTIONS, OUTCOMES, OVERRIDE_CAUSES, PASS_REASONS

__all__ = ["CORRECTIONS", "OUTCOMES", "OVERRIDE_CAUSES", "PASS_REASONS"]

ACCEPT: Final = "lead_accept"
PASS_ON: Final = "lead_pass"  # noqa: S105  (no password)
OPEN: Final = "lead_open"
SHOW: Final = "lead_show"
SNOOZE: Final = "lead_snooze"  # a select: its option values are SNOOZES and a lead, such as 1h:12
OUTCOME: Final = "lead_outcome"
CLAIM: Final = "lead_claim"
SHARE: Final = "lead_share"
MORE: Final = "lead_more"  # the overflow menu: its option values are REASSIGN:12, WHY:12 or WRONG:12

REASSIGN: Final = "reassign"
WHY: Final = "why"
WRONG: Final = "wrong"

BULK_YES: Final = "bulk_confirm"
BULK_APPROVE: Final = "bulk_approve"
BULK_NO: Final = "bulk_decline"
LINK_ASK: Final = "link_ask"  # somebody whom we cannot find asks to be linked to a rep
LINK_YES: Final = "link_approve"  # its value is REP/SLACK USER
LINK_NO: Final = "link_decline"

PASS_ON_FORM: Final = "lead_pass_form"  # noqa: S105
REASSIGN_FORM: Final = "lead_reassign_form"
OUTCOME_FORM: Final = "lead_outcome_form"
WRONG_FORM: Final = "lead_wrong_form"
PTO_FORM: Final = "rep_pto_form"
CAPS_FORM: Final = "rep_caps_form"
LINK_FORM: Final = "rep_link_form"
REASON: Final = "reason"
CAUSE: Final = "cause"
CREDIT: Final = "credit"
FIRST_DAY: Final = "first_day"
LAST_DAY: Final = "last_day"
NOTE: Final = "note"
REP: Final = "rep"

HOME_PAUSE: Final = "home_pause"
HOME_PAUSE_DAY: Final = "home_pause_day"
HOME_RESUME: Final = "home_resume"
HOME_MUTES: Final = "home_mutes"
HOME_DIGEST: Final = "home_digest_at"
HOME_QUIET: Final = "home_quiet_hours"

#: `metadata.event_type` of our messages: how a message whose sending was in doubt is found again.
CARD_EVENT: Final = "leadswitch_card"
DIGEST_EVENT: Final = "leadswitch_digest"
ROUNDUP_EVENT: Final = "leadswitch_roundup"
BOARD_EVENT: Final = "leadswitch_leaderboard"
THREAD_EVENT: Final = "leadswitch_thread"
REQUEST_EVENT: Final = "leadswitch_request"

#: For how long a lead may be put off with one choice; the moment itself is worked out at the click, in the rep's zone.
SNOOZES: Final[dict[str, str]] = {
    "30m": "30 minutes",
    "1h": "1 hour",
    "3h": "3 hours",
    "tomorrow": "Tomorrow at 9",
    "monday": "Monday at 9",
}


def lead_id(value: object) -> int | None:
    """The lead id in a button's value ("12") or an overflow option's ("why:12"); None when it is neither."""
    tail = str(value or "").rpartition(":")[2]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 16 else None
