"""Taking back what somebody did last, as long as nothing has happened to it since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connector.bootstrap import House
from connector.commands.ledger import audit_act, now_of, refresh_cards
from connector.commands.outcomes import tell_facts
from connector.commands.people import Actor, Done
from connector.commands.snoozes import put_off
from connector.pipeline.allocate import announce, choose, lay_down
from connector.pipeline.deliver import ask_record
from connector.storage.acts import Act
from leads.enums import Outcome, Role
from leads.records import Lead

#: After so long an act is not taken back any more: too much has been built on it.
LATEST: Final = timedelta(hours=24)
SINCE: Final = "Something has happened to it since: nothing was undone."


def undo(house: House, actor: Actor) -> Done:
    """Reverse this person's last act, or all acts of their last bulk. An act that others have built on stays, and they are told."""
    acts = house.acts.last(actor.label)
    if not acts or house.clock.now() - acts[0].at > LATEST:
        return Done(False, "There is nothing to undo: you did nothing within the last 24 hours that can be taken back.")
    done = [_undo_one(house, actor, act, last=act is acts[-1]) for act in acts]
    if len(done) == 1:
        return done[0]
    undone = sum(one.ok for one in done)
    kept = f" {len(done) - undone} stay: something has happened to them since." if undone < len(done) else ""
    return Done(undone > 0, f"Undone for {undone} of {len(done)} leads.{kept}")


def _undo_one(house: House, actor: Actor, act: Act, *, last: bool) -> Done:
    others = act.verb == "reassign" or (act.verb == "set" and act.rep_id != actor.rep_id)
    if others and not actor.may(Role.MANAGER):
        return Done(False, "You were a manager when you did that, and are none now: a manager or an admin can take it back.")
    with house.db.transaction():
        if act.lead_id is None:
            done = _undo_setting(house, actor, act)
        else:
            lead = house.leads.lock(act.lead_id)
            if lead is None or lead.erased:
                done = Done(False, "That lead is gone: nothing was undone.")
            else:
                done = STEPS[act.verb](house, actor, act, lead)
                if done.ok:
                    _put_off_again(house, actor, act, lead)
                    audit_act(house, actor, f"{act.verb}.undone", lead, act.after, act.before)
        house.acts.mark_undone(act.id)  # also when it could not be: the next undo is of the act before
        if last:
            house.inbox.finish_with_deed()
        return done


def _put_off_again(house: House, actor: Actor, act: Act, lead: Lead) -> None:
    """A lead that was put off when the act came is so again, unless that moment has passed."""
    until, owner = act.before.get("until"), act.before.get("owner")
    if until and owner and house.snoozes.open(lead.id) is None and (moment := datetime.fromisoformat(until)) > house.clock.now():
        put_off(house, lead.id, owner, moment, actor)
        refresh_cards(house, lead)


def _undo_owner(house: House, actor: Actor, act: Act, lead: Lead) -> Done:
    """Back to whoever held the lead before; to the waiting list when nobody did."""
    if _moved(now_of(house, lead), act.after, ("owner", "accepted", "outcome")):
        return Done(False, f"{lead.name}: {SINCE}")
    return _left(house, act, lead) or _give_back(house, actor, act.before, lead, unpass=act.verb == "pass")


def _left(house: House, act: Act, lead: Lead) -> Done | None:
    """The refusal when whoever held the lead before gets no leads any more."""
    owner = house.reps.get(act.before["owner"]) if act.before.get("owner") else None
    if owner is None or owner.active:
        return None
    return Done(False, f"{owner.name} is not active any more: {lead.name} stays as it is. A manager can give it to another rep.")


def _give_back(house: House, actor: Actor, before: Mapping[str, Any], lead: Lead, *, unpass: bool = False) -> Done:
    owner = house.reps.get(before["owner"]) if before.get("owner") else None
    stored = house.scores.newest(lead.id)
    for kind in ("passed", "override"):
        said = house.feedback.newest(lead.id, kind)
        if said is not None and said.actor == actor.label:
            house.feedback.withdraw(said.id)
    if owner is None:
        lay_down(house, lead, "undone")
        house.leads.touch(lead.id)
        house.db.after_commit(lambda: house.queue.ring_score(lead.id))
        _announce(house, lead, None)
        return Done(True, f"Undone: nobody holds {lead.name} now, as before.")
    if unpass:
        house.decisions.take_back_pass(lead.id, owner.id)
    if lead.owner_id != owner.id or house.decisions.open_assignment(lead.id) is None:
        choose(house, lead, owner.id, actor.label, "undo", because=f"Back to {owner.name}: undone by hand.")
    house.leads.set_owner(lead.id, int(owner.id), pinned=bool(before.get("pinned")))
    assignment = house.decisions.open_assignment(lead.id)
    if before.get("accepted") and assignment is not None:
        house.decisions.accept(assignment.id, house.clock.now())
    _announce(house, lead, owner.id, stored is not None)
    return Done(True, f"Undone: {lead.name} is {owner.name}'s again.")


def _announce(house: House, lead: Lead, rep_id: str | None, scored: bool = False) -> None:
    current = house.leads.get(lead.id)
    stored = house.scores.newest(lead.id) if scored else None
    if current is not None:
        announce(house, current, stored.score if stored else None, rep_id, fresh=True)
    refresh_cards(house, lead)


def _undo_accept(house: House, actor: Actor, act: Act, lead: Lead) -> Done:
    if _moved(now_of(house, lead), act.after, ("owner", "accepted", "outcome")):
        return Done(False, f"{lead.name}: {SINCE}")
    house.decisions.take_back_accept(lead.id)
    refresh_cards(house, lead)
    return Done(True, f"Undone: {lead.name} is yours, and not accepted yet.")


def _undo_snooze(house: House, actor: Actor, act: Act, lead: Lead) -> Done:
    if not house.snoozes.end(lead.id, "undone"):
        return Done(False, f"{lead.name} is not put off any more: nothing was undone.")
    refresh_cards(house, lead)
    return Done(True, f"Undone: {lead.name} is back.")


def _undo_outcome(house: House, actor: Actor, act: Act, lead: Lead) -> Done:
    """The lead is open again, and its owner has it again. The CRM is told; stages there only move forward."""
    if _moved(now_of(house, lead), act.after, ("owner", "outcome")):
        return Done(False, f"{lead.name}: {SINCE}")
    ended = Outcome.read(act.after["outcome"])
    reopened = ended in (Outcome.WON, Outcome.LOST) and act.before["outcome"] != ended.value
    if reopened and (refused := _left(house, act, lead)) is not None:
        return refused
    house.feedback.withdraw(int(act.before["feedback"]))
    house.decisions.take_back_contact(lead.id, act.at)
    house.timers.forget_contact(lead.id, act.at)
    if not act.before["accepted"]:
        house.decisions.take_back_accept(lead.id)
    if reopened:
        tell_facts(house, lead, {"lifecycle_stage": "lead"} if ended is Outcome.WON else {"lead_status": "open"})
        house.leads.settle(lead.id, Outcome.read(act.before["outcome"]), house.clock.now())
        if act.before.get("owner"):
            _give_back(house, actor, act.before, lead)
    house.feedback.add(lead.id, "outcome", "reopened", actor.label)
    ask_record(house, lead)
    refresh_cards(house, lead)
    stage = " Its stage in the CRM stays: set it back there." if ended is Outcome.WON else ""
    return Done(True, f"Undone: {lead.name} stands as before.{stage}")


def _undo_correction(house: House, actor: Actor, act: Act, lead: Lead) -> Done:
    house.feedback.withdraw(int(act.after["feedback"]))
    return Done(True, "Undone: your correction of the score is withdrawn.")


def _undo_setting(house: House, actor: Actor, act: Act) -> Done:
    rep = house.reps.get(act.rep_id or "")
    if rep is None:
        return Done(False, "That rep is gone: nothing was undone.")
    if {name: rep.settings.get(name) for name in act.after} != dict(act.after):
        return Done(False, f"{rep.name}'s settings were changed since: nothing was undone.")
    house.reps.set(rep.id, act.before)
    detail = {"before": dict(act.after), "after": dict(act.before)}
    house.audit.add(actor.label, "rep.set.undone", f"rep:{rep.id}", detail=detail)
    return Done(True, f"Undone: {rep.name}'s {', '.join(sorted(act.after))} as before.")


def _moved(now: Mapping[str, Any], then: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether the lead stands otherwise than the act left it."""
    return any(now.get(name) != then.get(name) for name in names)


STEPS: Final[Mapping[str, Callable[[House, Actor, Act, Lead], Done]]] = {
    "accept": _undo_accept,
    "pass": _undo_owner,
    "reassign": _undo_owner,
    "claim": _undo_owner,
    "snooze": _undo_snooze,
    "outcome": _undo_outcome,
    "correct": _undo_correction,
}
