"""The inbound half of Mailchimp: one event a delivery as a form, not signed, so a secret stands in the address.

Source: Mailchimp's guide "Sync Audience Data with Webhooks" (the form's fields, the GET that checks the address, repeats within 75
minutes; 410 would switch the webhook off, so it is never answered).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.ports import Answer, Delivery
from connector.reading import content_key, nest_form, read_email, read_facts, read_form, read_id, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

ENGAGEMENTS: Final[Mapping[str, EngagementKind]] = {
    "unsubscribe": EngagementKind.UNSUBSCRIBED,
    "cleaned": EngagementKind.EMAIL_BOUNCED,  # `reason` "abuse" makes it a spam report
}
CHANGES: Final[Mapping[str, ChangeKind]] = {
    "subscribe": ChangeKind.CREATED,
    "profile": ChangeKind.CHANGED,
    "upemail": ChangeKind.CHANGED,
}
#: Known, and about no person.
IMPERSONAL: Final = frozenset({"campaign"})
#: Merge tags that every audience has, or that Mailchimp proposes: tag → canonical field.
MERGES: Final[Mapping[str, str]] = {
    "FNAME": "first_name",
    "LNAME": "last_name",
    "PHONE": "phone",
    "COMPANY": "company",
    "JOBTITLE": "title",
    "TITLE": "title",
    "WEBSITE": "website",
    "COUNTRY": "country",
}
KEPT: Final[Mapping[str, str]] = {"list_id": "list", "campaign_id": "campaign_id", "reason": "reason", "action": "action"}


class MailchimpReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries."""

    prefix = "mc"

    def __init__(self, secret: SharedSecret) -> None:
        self._secret = secret

    @classmethod
    def build(cls, settings: ConnectionSettings) -> MailchimpReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the secret you put into the webhook's address in Mailchimp", SHORTEST)
        return cls(SharedSecret(secrets, ("query", "path")))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: Mailchimp signs nothing. Raises `BadSignature` without the connection's secret."""
        self._secret.check(delivery)
        return False

    def handshake(self, delivery: Delivery) -> Answer | None:
        """Mailchimp checks an address with GET when it is saved. Raises `BadSignature` without the secret."""
        if delivery.method not in ("GET", "HEAD"):
            return None
        self._secret.check(delivery)
        return Answer()

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return [nest_form(read_form(delivery.body))]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        name, said = str(entry.get("type", "")), read_object(entry, "data")
        if name in IMPERSONAL:
            raise ValueError("no event about a person: kept")
        if name not in ENGAGEMENTS and name not in CHANGES:
            raise ValueError("unknown event type: kept")
        moment = read_time(entry.get("fired_at"))  # Mailchimp writes UTC without saying so
        # the form has no id; equal content fired in the same second is one event, also when it is sent again
        key = content_key("mc", [name, entry.get("fired_at"), said])
        if name in ENGAGEMENTS:
            abuse = name == "cleaned" and said.get("reason") == "abuse"
            kind = EngagementKind.SPAM_REPORTED if abuse else ENGAGEMENTS[name]
            return [EngagementEvent(key, kind, moment, email=read_email(said.get("email")), properties=read_facts(said, KEPT))]
        return self._change(name, key, moment, said)

    def _change(self, name: str, key: str, moment: datetime, said: Mapping[str, Any]) -> Sequence[InboundEvent]:
        if name == "upemail":
            # both addresses are the person's: the old one finds the lead, the new one is theirs from now on
            old, new = read_email(said.get("old_email")), read_email(said.get("new_email"))
            member = read_id(said.get("new_id"))
            before = moment - timedelta(milliseconds=1)  # so that the new one stands
            return [
                LeadChange(f"{key}:{which}", member, when, ChangeKind.CHANGED, ChangeOrigin.PERSON, {"email": email})
                for which, when, email in (("old", before, old), ("new", moment, new))
            ]
        email = read_email(said.get("email"))
        merges = read_object(said, "merges")
        fields: dict[str, FieldValue] = {"email": email}
        fields |= {field: text for tag, field in MERGES.items() if (text := read_text(merges.get(tag), 300))}
        created = name == "subscribe"
        if created:
            fields |= {"source": "newsletter", "email_consent": "yes"}
        member = read_text(said.get("id"), 64) or ""
        change = LeadChange(key, member, moment, CHANGES[name], ChangeOrigin.PERSON, fields, created_at=moment if created else None)
        if not created:
            return [change]
        return [
            change,
            EngagementEvent(f"{key}:in", EngagementKind.RESUBSCRIBED, moment, email=email, properties=read_facts(said, KEPT)),
        ]
