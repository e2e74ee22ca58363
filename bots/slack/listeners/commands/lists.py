"""`pool` and `queue`: the leads that nobody holds, and those that a rep holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from bots.slack import access, answers, grammar
from bots.slack.listeners.commands.people import one_rep
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState
from leads.enums import Role, Tier

NEVER: Final = datetime.max.replace(tzinfo=UTC)
#: Open leads of one rep that are looked at for the most urgent ones.
LOOKED_AT: Final = 200


def pool(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Leads on the waiting list, in the order in which they are given out."""
    house = visit.house
    waiting = house.waiting.all()
    found = []
    for held in waiting[: answers.LISTED]:
        lead = house.leads.get(held.lead_id)
        if lead is not None and not lead.erased:
            found.append(commands.summary_of(house, lead))
    if not found:
        visit.tell("No lead waits for somebody: each has its rep.", shared=call.shared)
        return
    blocks = answers.pool(found, len(waiting) - len(found), actor.rep_id is not None)
    visit.tell(f"{len(waiting)} leads wait", blocks, shared=call.shared)


def queue(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """One's own open leads, or a rep's for a manager: what is due first comes first."""
    rep_id = actor.rep_id
    if call.query and call.query.casefold() != "me":
        if not actor.may(Role.MANAGER):
            visit.tell(access.MANAGERS_ONLY)
            return
        rep = one_rep(visit, call.query, active=False)
        if rep is None:
            return
        rep_id = rep.id
    stored = visit.house.reps.get(rep_id) if rep_id else None
    if stored is None:
        visit.tell("You are no rep in the CRM: name the rep whose leads you want to see.")
        return
    lead_ids = commands.held_by(visit.house, stored.id)
    cards = [card for lead_id in lead_ids[:LOOKED_AT] if (card := commands.card(visit.house, lead_id)) is not None]
    if not cards:
        visit.tell(f"No open leads{'' if stored.id == actor.rep_id else ' there'}.", shared=call.shared)
        return
    ordered = sorted(cards, key=_urgency)
    shown = ordered[: answers.LISTED]
    count = max(len(lead_ids), visit.house.decisions.open_counts().get(stored.id, 0))
    looked = f"; the most urgent of the {LOOKED_AT} held longest" if count > LOOKED_AT else ""
    blocks = answers.queue(stored.name, shown, count - len(shown), looked)
    visit.tell(f"{count} open leads", blocks, shared=call.shared)


def _urgency(card: CardState) -> tuple[bool, datetime, int, int]:
    """What is put off last; then by deadline, tier and score."""
    tier = list(Tier).index(card.tier)
    return card.snoozed_until is not None, card.deadline or NEVER, tier, -(card.score if card.score is not None else -1)
