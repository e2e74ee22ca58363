"""Asking that what happened to a lead be told in the thread of its cards: gathered for a while, so that a busy lead stays quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connector.bootstrap import House
from leads.enums import EffectKind, EngagementKind

#: How long a thread gathers what happened before it tells it in one message.
GATHER: Final = timedelta(seconds=60)
#: What a person did that a rep wants to know of. Our own sending is not, and deliveries are no act of theirs.
TOLD: Final = frozenset(EngagementKind) - {
    EngagementKind.EMAIL_SENT,
    EngagementKind.EMAIL_DELIVERED,
    EngagementKind.EMAIL_DEFERRED,
    EngagementKind.UNKNOWN,
}


def ask_threads(house: House, lead_id: int, owner_id: str | None) -> None:
    """Ask, within the caller's transaction, that the threads of the lead's standing cards go on; those of earlier owners rest."""
    if not house.slack_configured:
        return
    due = house.clock.now() + GATHER
    for card in house.cards.of_lead(lead_id):
        kind, _, reader = card.destination.partition(":")
        if card.ts and (kind == "channel" or (kind == "dm" and reader == owner_id)):
            place = {"destination": card.destination}
            house.effects.add(EffectKind.SLACK_THREAD, "slack", f"thread:{lead_id}:{card.destination}", lead_id, place, due_at=due)
