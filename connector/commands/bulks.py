"""Many leads to one rep at once: asked for, confirmed, and approved by somebody else when they are many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connector.bootstrap import House
from connector.commands.owners import reassign
from connector.commands.people import Actor, Done
from connector.storage.bulks import Bulk
from leads.enums import Outcome, Role

#: A bulk of more leads than this wants the approval of a second manager or admin.
ALONE: Final = 10
MOST: Final = 500
#: What was asked for so long ago is not carried out any more: the reps have other leads by then.
LATEST: Final = timedelta(days=1)
DECIDED: Final = Done(False, "This was decided already.")
TOO_OLD: Final = Done(False, "This was asked for more than a day ago. Nothing was moved: please ask again.")


def held_by(house: House, rep_id: str) -> Sequence[int]:
    """The open leads that a rep holds."""
    found = []
    for lead_id in house.decisions.held_by(rep_id)[:MOST]:
        lead = house.leads.get(lead_id)
        if lead is not None and not lead.erased and lead.outcome not in (Outcome.WON, Outcome.LOST):
            found.append(lead.id)
    return found


def ask_bulk(house: House, actor: Actor, from_rep: str, to_rep: str, reason: str) -> Bulk | str:
    """Keep the wish to give all of one rep's leads to another; or the sentence why it cannot be. Nothing moves yet."""
    if not actor.may(Role.MANAGER):
        return "Only managers and admins can reassign leads."
    if from_rep == to_rep:
        return "Both are the same rep: there is nothing to move."
    lead_ids = held_by(house, from_rep)
    if not lead_ids:
        return "That rep holds no open lead: there is nothing to move."
    with house.db.transaction():
        bulk_id = house.bulks.add(actor.label, from_rep, to_rep, lead_ids, reason)
        subject = f"bulk:{bulk_id}"
        house.audit.add(actor.label, "bulk.asked", subject, said=reason, detail={"leads": list(lead_ids), "to": to_rep})
    bulk = house.bulks.get(bulk_id)
    assert bulk is not None  # noqa: S101 - stored a line ago
    return bulk


def confirm_bulk(house: House, bulk_id: int, actor: Actor) -> Done | None:
    """The one who asked is sure. A small bulk is done at once; None for a large one, which waits for somebody's approval."""
    bulk = house.bulks.get(bulk_id)
    if bulk is None or bulk.state not in ("asked", "waiting", "moving"):
        return DECIDED
    if bulk.actor != actor.label:
        return Done(False, "Only whoever asked for this can confirm it.")
    if bulk.state == "moving":
        return _move_on(house, bulk)  # stopped half-way
    if _is_too_old(house, bulk):
        return TOO_OLD
    if bulk.state == "waiting":
        return None  # confirmed already: to be asked about again, if asking failed
    if not actor.may(Role.MANAGER):
        return Done(False, "Only managers and admins can reassign leads.")
    if len(bulk.lead_ids) > ALONE:
        moved = house.bulks.move(bulk.id, "asked", "waiting", actor.label)
        return None if moved else DECIDED
    return _carry_out(house, bulk, actor)


def approve_bulk(house: House, bulk_id: int, actor: Actor) -> Done:
    """A second manager or admin agrees: now the leads move, in the name of whoever asked."""
    bulk = house.bulks.get(bulk_id)
    if bulk is None or bulk.state not in ("waiting", "moving"):
        return DECIDED
    if not actor.may(Role.MANAGER):
        return Done(False, "Only managers and admins can approve this.")
    if bulk.actor == actor.label:
        return Done(False, "Somebody else has to approve what you asked for: another manager or an admin.")
    if bulk.state == "moving":
        return _move_on(house, bulk)  # stopped half-way
    return TOO_OLD if _is_too_old(house, bulk) else _carry_out(house, bulk, actor)


def decline_bulk(house: House, bulk_id: int, actor: Actor) -> Done:
    """Nothing moves. Whoever asked may take it back, a manager or an admin may refuse it."""
    bulk = house.bulks.get(bulk_id)
    if bulk is None or bulk.state not in ("asked", "waiting"):
        return DECIDED
    if bulk.actor != actor.label and not actor.may(Role.MANAGER):
        return Done(False, "Only whoever asked, a manager or an admin can decline this.")
    with house.db.transaction():
        if not house.bulks.move(bulk.id, bulk.state, "declined", actor.label):
            return DECIDED
        house.audit.add(actor.label, "bulk.declined", f"bulk:{bulk.id}")
    return Done(True, "Declined. No lead was moved.")


def _is_too_old(house: House, bulk: Bulk) -> bool:
    return house.clock.now() - bulk.at > LATEST


def _carry_out(house: House, bulk: Bulk, decider: Actor) -> Done:
    """It is decided: from now on it goes on until it is done, also when it is stopped half-way."""
    with house.db.transaction():
        if not house.bulks.move(bulk.id, bulk.state, "moving", decider.label):
            return DECIDED
        house.audit.add(decider.label, "bulk.approved", f"bulk:{bulk.id}", detail={"asked_by": bulk.actor})
    return _move_on(house, bulk)


def _move_on(house: House, bulk: Bulk) -> Done:
    """Move each lead that the rep still holds, in the name of whoever asked; each lead is its own transaction, so that no lead
    waits for all others. What was moved before and given back since stays."""
    kind, _, asked_by = bulk.actor.partition(":")
    asker = Actor(kind, asked_by, Role.MANAGER)
    before = house.acts.of_bulk(bulk.id)
    for lead_id in bulk.lead_ids:
        if lead_id not in before:
            reassign(house, lead_id, bulk.rep_id, asker, bulk.reason, bulk_id=bulk.id, held_by=bulk.from_rep)
    moved = len(house.acts.of_bulk(bulk.id))
    with house.db.transaction():
        house.bulks.move(bulk.id, "moving", "done", bulk.actor)
        house.inbox.finish_with_deed()
    return Done(True, f"{moved} of {len(bulk.lead_ids)} leads moved. `undo` takes all of them back.")
