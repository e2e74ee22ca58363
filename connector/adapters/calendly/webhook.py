"""The inbound half of Calendly: one event a delivery, signed over its time and body.

Source: Calendly's developer pages "Webhook overview" (events, payloads, repeats for 24 hours) and "Webhook signatures"
(`Calendly-Webhook-Signature: t=…,v1=…`, HMAC-SHA256 over t.body).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature
from connector.leadads import read_answers
from connector.ports import Delivery
from connector.reading import content_key, read_email, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import check_age, live_secrets, matches, read_stamp, replay_window
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

SIGNATURE: Final = "calendly-webhook-signature"
WINDOW_S: Final = 300
EVENTS: Final[Mapping[str, EngagementKind]] = {
    "invitee.created": EngagementKind.MEETING_BOOKED,
    "invitee_no_show.created": EngagementKind.MEETING_MISSED,
    "routing_form_submission.created": EngagementKind.FORM_SUBMITTED,
}
#: Known, and no act that we have a word for.
WITHOUT_WORD: Final = frozenset({"invitee.canceled", "invitee_no_show.deleted"})


class CalendlyReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the live signing keys, newest first."""

    prefix = "cal"

    def __init__(self, secrets: Sequence[str], window_s: float = WINDOW_S) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._window_s = window_s

    @classmethod
    def build(cls, settings: ConnectionSettings) -> CalendlyReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the signing key you gave when you made the webhook subscription")
        return cls(secrets, replay_window(settings, WINDOW_S))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live key made the signature."""
        parts = dict(part.strip().partition("=")[::2] for part in delivery.headers.get(SIGNATURE, "").split(","))
        stamp = parts.get("t", "")
        signed_at = read_stamp(stamp, "Calendly")
        signed = stamp.encode() + b"." + delivery.body
        made = (hmac.new(secret, signed, "sha256").hexdigest().encode() for secret in self._secrets)
        if not matches(parts.get("v1", ""), made):
            raise BadSignature("The Calendly signature is wrong.")
        check_age(signed_at, now, self._window_s, "Calendly")
        return True

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        name, said = str(entry.get("event", "")), read_object(entry, "payload")
        if name in WITHOUT_WORD:
            raise ValueError("a cancelled meeting, or a correction: kept")
        if name not in EVENTS:
            raise ValueError("unknown event type: kept")
        moment = read_time(entry.get("created_at"))
        fields = _fields(said)
        key = content_key("cal", [name, said.get("uri"), fields["email"], entry.get("created_at")])
        # a booking makes the lead; it is told with the invitee's answers
        who = LeadChange(key, "", moment, ChangeKind.CREATED, ChangeOrigin.PERSON, fields, created_at=moment)
        event = read_object(said, "scheduled_event")
        told = {"meeting": read_text(event.get("name"), 120), "starts_at": read_text(event.get("start_time"), 40)}
        facts: dict[str, FieldValue] = {name: value for name, value in told.items() if value}
        act = EngagementEvent(f"{key}:act", EVENTS[name], moment, email=str(fields["email"]), properties=facts)
        return [act] if EVENTS[name] is EngagementKind.MEETING_MISSED else [who, act]


def _fields(said: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The invitee; a routing form has the address among its answers, a no-show the invitee inside."""
    invitee = read_object(said, "invitee") or said
    questions = invitee.get("questions_and_answers")
    pairs = (
        [(one.get("question"), one.get("answer")) for one in questions if isinstance(one, dict)]
        if isinstance(questions, list)
        else []
    )
    answered, _ = read_answers(pairs)
    email = read_email(invitee.get("email") or answered.get("email"))
    told = {
        "first_name": invitee.get("first_name"),
        "last_name": invitee.get("last_name"),
        "phone": invitee.get("text_reminder_number"),
    }
    names: dict[str, FieldValue] = {field: text for field, value in told.items() if (text := read_text(value, 200))}
    if not names.get("first_name"):
        names |= read_answers([("name", invitee.get("name"))])[0]
    return {**answered, **names, "email": email}
