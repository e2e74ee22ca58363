"""Wrong scores, told by people: labels for training."""

from __future__ import annotations

from connector.bootstrap import House
from connector.commands.ledger import audit_act, note_act
from connector.commands.people import Actor, Done
from connector.commands.words import CORRECTIONS, LABELS
from leads.enums import Role


def correct_score(house: House, lead_id: int, actor: Actor, correction: str, note: str = "") -> Done:
    """Keep that the lead's newest score is wrong. `correction` is a word of `CORRECTIONS`. Saying it again replaces it."""
    if correction not in CORRECTIONS:
        return Done(False, "Please choose what is wrong with the score.")
    if not actor.may(Role.REP):
        return Done(False, "Only reps, managers and admins can correct a score.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        stored = house.scores.newest(lead.id) if lead and not lead.erased else None
        if lead is None or stored is None:
            return Done(False, "This lead has no score to correct.")
        said = house.feedback.newest(lead.id, "wrong_score")
        if said is not None and said.actor == actor.label and said.score_id == stored.id:
            house.feedback.withdraw(said.id)
        feedback_id = house.feedback.add(
            lead.id,
            "wrong_score",
            correction,
            actor.label,
            score_id=stored.id,
            label=LABELS.get(correction),
            note=note,
            person=house.leads.person_seal(lead.id),
        )
        before = {"score": stored.score.score, "said": said.value if said else None}
        after = {"said": correction, "feedback": feedback_id}
        note_act(house, actor, "correct", lead, before, after)
        audit_act(house, actor, "score.corrected", lead, before, after)
        return Done(True, "Thank you. The next training learns from it; the score itself stays until then.")
