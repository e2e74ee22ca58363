"""Who works a lead: accepting, passing, reassigning, claiming."""

from __future__ import annotations

from collections.abc import Mapping

from connector.bootstrap import House
from connector.commands.ledger import audit_act, note_act, now_of, refresh_cards, standing
from connector.commands.people import Actor, Done
from connector.commands.words import LABELS, OVERRIDE_CAUSES, PASS_REASONS
from connector.pipeline.allocate import announce, choose, closed_to, lay_table, pick
from connector.pipeline.sla import note_return
from connector.storage.scores import StoredScore
from leads.enums import DecisionOutcome, Outcome, Role
from leads.records import Lead

ENDED = (Outcome.WON, Outcome.LOST)


def accept(house: House, lead_id: int, actor: Actor) -> Done:
    """The rep takes the lead on. A late click learns who holds it; a second click changes nothing."""
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.erased:
            return Done(False, "This lead is gone.")
        assignment = house.decisions.open_assignment(lead.id)
        if assignment is None:
            return Done(False, "Nobody holds this lead now.")
        holder = house.reps.get(assignment.rep_id)
        if actor.rep_id != assignment.rep_id:
            return Done(False, f"{lead.name} was taken by {holder.name if holder else 'somebody else'}.")
        note_return(house, actor.rep_id)
        before = standing(house, lead)
        if not house.decisions.accept(assignment.id, house.clock.now()):
            return Done(True, f"You have accepted {lead.name} already.")
        house.snoozes.end(lead.id, "acted")
        _keep(house, actor, "accept", "lead.accepted", lead, before)
        refresh_cards(house, lead)
        return Done(True, f"{lead.name} is yours.")


def pass_on(house: House, lead_id: int, actor: Actor, reason: str) -> Done:
    """The rep gives the lead back; the engine gives it to the next who has not had it. `reason` is a word of `PASS_REASONS`, with
    ": " and more words if there are any, or words alone."""
    if not reason.strip():
        return Done(False, "Please say why you pass.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        assignment = house.decisions.open_assignment(lead.id) if lead else None
        if lead is None or assignment is None:
            return Done(False, "Nobody holds this lead now.")
        if actor.rep_id != assignment.rep_id and not actor.may(Role.MANAGER):
            holder = house.reps.get(assignment.rep_id)
            return Done(False, f"{lead.name} was taken by {holder.name if holder else 'somebody else'}.")
        before, stored = standing(house, lead), house.scores.newest(lead.id)
        house.decisions.close(lead.id, house.clock.now(), "passed")
        house.leads.set_owner(lead.id, None, pinned=False)
        house.snoozes.end(lead.id, "acted")
        word, said = _read_reason(reason, PASS_REASONS)
        _keep_reason(house, lead, stored, actor, "passed", word, said, assignment.decision_id)
        decision = pick(house, lead, stored, actor.label, reason=word, said=said, passed=assignment)
        _keep(house, actor, "pass", "lead.passed", lead, before, word, said)
        _after(house, lead, stored, decision.rep_id)
        note_return(house, actor.rep_id)
        if decision.outcome is DecisionOutcome.HELD:
            house.leads.touch(lead.id)  # due again: the clock tries until somebody is free
            return Done(True, f"Passed. Nobody else is free for {lead.name}; it waits.")
        taker = house.reps.get(decision.rep_id or "")
        return Done(True, f"Passed. {lead.name} goes to {taker.name if taker else 'another rep'}.")


def reassign(
    house: House,
    lead_id: int,
    rep_id: str,
    actor: Actor,
    reason: str,
    *,
    cause: str = "other",
    credit_back: bool = True,
    bulk_id: int | None = None,
    held_by: str | None = None,
) -> Done:
    """A manager gives the lead to a rep of their choice. It wins over the engine and pins the lead.

    `cause` is a word of `OVERRIDE_CAUSES`; `credit_back` gives the rep who had it their turn back; `held_by` is the only rep it may
    be taken from.
    """
    if not actor.may(Role.MANAGER):
        return Done(False, "Only managers and admins may reassign.")
    rep = house.reps.get(rep_id)
    if rep is None:
        return Done(False, "There is no such rep.")
    if not rep.active:
        return Done(False, f"{rep.name} is not active.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or not can_be_given(lead):
            return Done(False, "This lead is gone.")
        if lead.outcome in ENDED:
            return Done(False, f"{lead.name} is closed ({lead.outcome.value}).")
        if lead.owner_id == rep.id:
            return Done(True, f"{rep.name} holds {lead.name} already.")
        if held_by is not None and lead.owner_id != held_by:
            return Done(False, f"{lead.name} has gone to somebody else meanwhile.")
        before, stored, decided = standing(house, lead), house.scores.newest(lead.id), house.decisions.newest(lead.id)
        word = cause if cause in OVERRIDE_CAUSES else "other"
        if lead.owner_id is not None and decided is not None:
            _keep_reason(house, lead, stored, actor, "override", word, reason, decided.id)
        because = f"Reassigned by hand to {rep.name}."
        choose(house, lead, rep.id, actor.label, word, because=because, said=reason, credit_back=credit_back)
        house.snoozes.end(lead.id, "acted")
        note_act(house, actor, "reassign", lead, before, now_of(house, lead), bulk_id)
        _take_up(house, lead)
        _after(house, lead, stored, rep.id)
        return Done(True, f"{lead.name} goes to {rep.name}.")


def claim(house: House, lead_id: int, actor: Actor) -> Done:
    """A rep takes a lead that nobody holds. Of many who try, one gets it and the others learn who.

    Reps are refused what the engine would not give them; who may reassign may take it all the same.
    """
    if actor.rep_id is None:
        return Done(False, "Only reps can claim leads.")
    rep = house.reps.get(actor.rep_id)
    if rep is None or not rep.active:
        return Done(False, f"{rep.name} is not active." if rep else "There is no such rep.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or not can_be_given(lead):
            return Done(False, "This lead is gone.")
        if lead.outcome in ENDED:
            return Done(False, f"{lead.name} is closed ({lead.outcome.value}).")
        if lead.owner_id is not None:
            holder = house.reps.get(lead.owner_id)
            mine = lead.owner_id == actor.rep_id
            return Done(
                mine, f"{lead.name} is yours." if mine else f"{lead.name} was taken by {holder.name if holder else 'somebody'}."
            )
        before, stored = standing(house, lead), house.scores.newest(lead.id)
        table = lay_table(house, lead, stored)
        if not actor.may(Role.MANAGER) and (why := closed_to(house, table, rep.id)):
            return Done(False, f"{lead.name} is not for you: {why}.")
        choose(house, lead, actor.rep_id, actor.label, None, because="Claimed.", table=table)
        if (taken := house.decisions.open_assignment(lead.id)) is not None:
            house.decisions.accept(taken.id, house.clock.now())  # who claims has said so
        note_act(house, actor, "claim", lead, before, now_of(house, lead))
        _take_up(house, lead)
        _after(house, lead, stored, actor.rep_id)
        note_return(house, actor.rep_id)
        return Done(True, f"{lead.name} is yours.")


def can_be_given(lead: Lead) -> bool:
    """False for the erased, and for whom no CRM knows (any more) and nothing live speaks of."""
    return not lead.erased and (lead.routable or lead.external_id is not None)


def _take_up(house: House, lead: Lead) -> None:
    """A lead of the past that a person gives to somebody is live from now on."""
    if not lead.routable:
        house.leads.touch(lead.id)
        house.db.after_commit(lambda: house.queue.ring_score(lead.id))


def _after(house: House, lead: Lead, stored: StoredScore | None, rep_id: str | None) -> None:
    """The effects of a new owner."""
    current = house.leads.get(lead.id)
    if current is not None:
        announce(house, current, stored.score if stored else None, rep_id, fresh=True)


def _keep(
    house: House,
    actor: Actor,
    verb: str,
    action: str,
    lead: Lead,
    before: dict[str, object],
    reason: str | None = None,
    said: str = "",
) -> None:
    after = now_of(house, lead)
    note_act(house, actor, verb, lead, before, after)
    audit_act(house, actor, action, lead, before, after, reason, said)


def _read_reason(reason: str, words: Mapping[str, str]) -> tuple[str, str]:
    """The word of ours that a reason begins with, and what was written besides; "other" with all of it when it begins with none."""
    word, _, said = reason.partition(": ")
    return (word, said) if word in words else ("other", reason)


def _keep_reason(
    house: House, lead: Lead, stored: StoredScore | None, actor: Actor, kind: str, word: str, note: str, decision_id: int
) -> None:
    """The reason as feedback on the decision that is set aside."""
    house.feedback.add(
        lead.id,
        kind,
        word,
        actor.label,
        score_id=stored.id if stored else None,
        decision_id=decision_id,
        label=LABELS.get(word) if kind == "passed" else None,
        note=note,
        person=house.leads.person_seal(lead.id),
    )
