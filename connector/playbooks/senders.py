"""The way out for what playbooks send beside the CRM and Slack: e-mail, webhooks, and sequences of e-mail tools."""

from __future__ import annotations

from connector.bootstrap import House
from connector.errors import Skippable
from connector.pipeline.deliver import HANDLERS
from connector.playbooks.mailing import Mailer
from connector.playbooks.outgoing import WebhookSender
from connector.playbooks.stops import opted_out
from connector.ports import Enrolment
from connector.storage.effects import Effect
from leads.enums import EffectKind


class Enrolling:
    """Puts people into the sequences of e-mail tools."""

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str:
        """Enrol the person under a key of the effect, so that a second time changes nothing."""
        lead = house.leads.get(effect.lead_id or 0)
        if lead is None or lead.erased:
            raise Skippable("The lead is gone.")
        email = lead.fields.get("email")
        if not email or opted_out(house, lead):
            raise Skippable("The person has no address, or opted out.")
        key = house.vault.index("enrol", effect.subject)
        asked_at = effect.created_at or house.clock.now()
        enrolment = Enrolment(key, str(email), str(effect.payload["sequence"]), asked_at)
        return house.enroller(effect.destination).enrol(enrolment)


def register(house: House) -> None:
    """Take these effects over, where the settings have what they need."""
    if house.settings.smtp.host:
        HANDLERS[EffectKind.EMAIL] = Mailer(house.settings.smtp)
    if house.settings.webhooks:
        HANDLERS[EffectKind.WEBHOOK] = WebhookSender(house.settings.webhooks, house.clock)
    if house.tools():
        HANDLERS[EffectKind.ENROL] = Enrolling()
