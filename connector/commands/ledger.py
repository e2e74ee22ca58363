"""What every act leaves behind: an audit entry with before, after and reason, and a row from which it can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.bootstrap import House
from connector.commands.people import Actor
from connector.pipeline.alerts import ask_cards
from connector.storage.scores import StoredScore
from leads.enums import Tier
from leads.records import Lead

#: What an act found or left, by name: ids, words and moments.
State = Mapping[str, Any]


def standing(house: House, lead: Lead) -> dict[str, Any]:
    """How a lead stands, as far as acts change it: its owner, whether pinned and accepted, how it ended, until when it is put
    off."""
    assignment = house.decisions.open_assignment(lead.id)
    accepted = assignment is not None and assignment.accepted_at is not None
    snoozed = house.snoozes.open(lead.id)
    until = snoozed.until.isoformat() if snoozed else None
    return {"owner": lead.owner_id, "pinned": lead.pinned, "accepted": accepted, "outcome": lead.outcome.value, "until": until}


def now_of(house: House, lead: Lead) -> dict[str, Any]:
    """`standing`, read anew."""
    current = house.leads.get(lead.id)
    return standing(house, current) if current else {}


def note_act(
    house: House,
    actor: Actor,
    verb: str,
    lead: Lead,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    bulk_id: int | None = None,
) -> None:
    """Remember an act on a lead for `undo`, within the caller's transaction. The request that asked for it ends with it; that for a
    bulk does so with its last lead."""
    if bulk_id is None:
        house.inbox.finish_with_deed()
    house.acts.add(actor.label, verb, lead_id=lead.id, before=before, after=after, bulk_id=bulk_id)


def audit_act(
    house: House,
    actor: Actor,
    action: str,
    lead: Lead,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str | None = None,
    said: str = "",
) -> None:
    """Write an act on a lead into the audit trail; its values and what the actor wrote are sealed under the person's key."""
    house.audit.add(
        actor.label,
        action,
        f"lead:{lead.id}",
        lead_id=lead.id,
        reason=reason,
        said=said,
        detail={"before": dict(before), "after": dict(after)},
        person=house.leads.person_seal(lead.id),
    )


def refresh_cards(house: House, lead: Lead, stored: StoredScore | None = None) -> None:
    """Ask that the lead's cards show how it stands now."""
    stored = stored or house.scores.newest(lead.id)
    current = house.leads.get(lead.id)
    owner = current.owner_id if current else None
    if ask_cards(house, lead.id, stored.score.tier if stored else Tier.UNKNOWN, owner):
        house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
