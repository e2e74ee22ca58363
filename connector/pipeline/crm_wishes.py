"""What a playbook asks of the CRM, put into words when it is sent: a task, a note or a deal of its own, or a stage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.bootstrap import House
from connector.errors import Fatal, Skippable
from connector.playbooks.texts import fill
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite
from connector.storage.effects import Effect
from leads.enums import EffectKind
from leads.fields import OPEN
from leads.records import FieldValue, Lead

#: The effects that a playbook's step may be, told from the house's own of the same kind by their payload.
OWN = "playbook"


def wish_of(house: House, effect: Effect, lead: Lead, external_id: str, owner: str | None) -> CrmWrite:
    """The write. Raises `Skippable` when there is nothing to write any more.

    The marker is made of the effect's subject, so that each step of each run makes its own thing, once.
    """
    asked = effect.payload
    marker = house.vault.index(effect.kind.value, effect.subject)
    facts = standing_facts(house, lead, str(asked[OWN]))
    if effect.kind is EffectKind.CRM_NOTE:
        return NoteWrite(marker, external_id, fill(str(asked["text"]), facts))
    if effect.kind is EffectKind.CRM_DEAL:
        amount = Decimal(asked["amount"]) if asked.get("amount") else None
        return DealWrite(marker, external_id, owner, fill(str(asked["title"]), facts), amount, asked.get("currency"))
    if effect.kind is EffectKind.CRM_TASK:
        return _task(effect, marker, external_id, owner, facts)
    if effect.kind is EffectKind.CRM_LEAD:
        house.echoes.note(lead.connection, external_id, {"lifecycle_stage": str(asked["stage"])})
        return LeadWrite(external_id, stage=str(asked["stage"]))
    raise Fatal(f"A playbook does not write {effect.kind.value} to a CRM.")


def _task(effect: Effect, marker: str, external_id: str, owner: str | None, facts: Mapping[str, FieldValue]) -> TaskWrite:
    if owner is None or effect.created_at is None:
        raise Skippable("The lead has no owner in this CRM.")
    asked: Mapping[str, Any] = effect.payload
    due = effect.created_at + timedelta(minutes=float(asked["due_minutes"]))
    subject, body = fill(str(asked["subject"]), facts), fill(str(asked["text"]), facts)
    return TaskWrite(marker, external_id, owner, subject, body, due, asked["priority"])


def standing_facts(house: House, lead: Lead, playbook: str) -> dict[str, FieldValue]:
    """What an impersonal text may say of a lead as it stands now."""
    stored = house.scores.newest(lead.id)
    rep = house.reps.get(lead.owner_id) if lead.owner_id else None
    return {
        **{name: lead.fields.get(name) for name in OPEN},
        "score": stored.score.score if stored else None,
        "tier": stored.score.tier.value.upper() if stored else None,
        "reasons": "; ".join(reason.text for reason in stored.score.reasons[:3]) if stored else None,
        "rep": rep.name if rep else None,
        "playbook": playbook,
    }
