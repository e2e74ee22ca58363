"""What came of a lead, told by the rep: kept here as a label, shown on the card, and written to the CRM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.bootstrap import House
from connector.commands.ledger import audit_act, note_act, now_of, refresh_cards, standing
from connector.commands.people import Actor, Done
from connector.commands.words import OUTCOMES, TOUCHES
from connector.pipeline.contacts import note_contact
from connector.pipeline.deliver import ask_record
from connector.pipeline.sla import note_return
from leads.enums import ChangeKind, ChangeOrigin, LifecycleStage, Outcome, Role
from leads.records import FieldValue, Lead, LeadChange

#: What a lead's own fields say once it has ended so: what the CRM is told, too.
ENDINGS: Final[Mapping[Outcome, Mapping[str, str]]] = {
    Outcome.WON: {"lifecycle_stage": LifecycleStage.CUSTOMER.value},
    Outcome.LOST: {"lead_status": "unqualified"},
}


def log_outcome(house: House, lead_id: int, actor: Actor, outcome: str, note: str = "") -> Done:
    """Keep what came of it. `outcome` is a word of `OUTCOMES`; won and lost end the lead, the others do not."""
    if outcome not in OUTCOMES:
        return Done(False, "Please choose what came of it.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.erased:
            return Done(False, "This lead is gone.")
        if (actor.rep_id is None or actor.rep_id != lead.owner_id) and not actor.may(Role.MANAGER):
            return Done(False, f"{lead.name} is not yours: only its owner, a manager or an admin can say what came of it.")
        if lead.outcome.value == outcome:
            return Done(True, f"{lead.name} is {outcome} already.")
        before = standing(house, lead)
        feedback_id = _keep(house, lead, actor, outcome, note)
        ended = Outcome.read(outcome)
        if ended in (Outcome.WON, Outcome.LOST):
            tell_facts(house, lead, ENDINGS[ended])
            house.leads.settle(lead.id, ended, house.clock.now())
            house.decisions.close(lead.id, house.clock.now(), ended.value)
        assignment = house.decisions.open_assignment(lead.id)
        if outcome in TOUCHES and assignment is not None:
            house.decisions.accept(assignment.id, house.clock.now())  # who has reached them has taken the lead on
            note_return(house, note_contact(house, lead.id, house.clock.now(), outcome))
        house.snoozes.end(lead.id, "acted")
        after = now_of(house, lead)
        note_act(house, actor, "outcome", lead, {**before, "feedback": feedback_id}, after)
        audit_act(house, actor, f"lead.{outcome}", lead, before, after)
        ask_record(house, lead)
        refresh_cards(house, lead)
        return Done(True, f"{lead.name}: {OUTCOMES[outcome].lower()}. Written down here and in the CRM.")


def tell_facts(house: House, lead: Lead, facts: Mapping[str, FieldValue]) -> None:
    """Let the lead's own fields say so, as the CRM will: else its next change there would seem to open the lead again."""
    named = {} if lead.external_id else {"email": lead.fields.get("email")}
    if not lead.external_id and not named["email"]:
        return  # known by nothing that a change could name
    now = house.clock.now()
    key = f"told:{lead.id}:{int(now.timestamp() * 1000)}"
    change = LeadChange(
        key, lead.external_id or "", now, ChangeKind.CHANGED, origin=ChangeOrigin.OURSELVES, fields={**named, **facts}
    )
    house.leads.apply(lead.connection, change, live=False)


def _keep(house: House, lead: Lead, actor: Actor, outcome: str, note: str) -> int:
    stored, decided = house.scores.newest(lead.id), house.decisions.newest(lead.id)
    return house.feedback.add(
        lead.id,
        "outcome",
        outcome,
        actor.label,
        score_id=stored.id if stored else None,
        decision_id=decided.id if decided else None,
        label=Outcome(outcome) if outcome in ("won", "lost") else None,
        note=note,
        person=house.leads.person_seal(lead.id),
    )
