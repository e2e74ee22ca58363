"""Forms about one lead."""

from __future__ import annotations

from bots.slack import access, names
from bots.slack.listeners.views.fields import Fields
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState


def pass_on(visit: Visit, actor: Actor, card: CardState, fields: Fields) -> None:
    """Give the lead back, with the reason."""
    refused = access.refusal(actor, "pass", card)
    if refused:
        visit.tell(refused)
        return
    reason, note = fields.chosen(names.REASON), fields.written()
    if reason not in names.PASS_REASONS:
        visit.tell("A reason is needed to pass a lead. Please open the form again.")
        return
    visit.report(commands.pass_on(visit.house, card.lead_id, actor, f"{reason}: {note}" if note else reason).text)


def reassign(visit: Visit, actor: Actor, card: CardState, fields: Fields) -> None:
    """Give the lead to the chosen rep."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    rep = visit.house.reps.get(fields.chosen(names.REP))
    if rep is None or not rep.active:
        visit.tell("That rep is not active any more. Please open the form again and choose another.")
        return
    cause = fields.chosen(names.CAUSE)
    done = commands.reassign(
        visit.house,
        card.lead_id,
        rep.id,
        actor,
        fields.written() or "Reassigned by form",
        cause=cause if cause in names.OVERRIDE_CAUSES else "other",
        credit_back=card.owner_id is None or fields.ticked(names.CREDIT),
    )
    visit.report(done.text)


def log_outcome(visit: Visit, actor: Actor, card: CardState, fields: Fields) -> None:
    """Write down what came of it."""
    refused = access.refusal(actor, "outcome", card)
    if refused:
        visit.tell(refused)
        return
    visit.report(commands.log_outcome(visit.house, card.lead_id, actor, fields.chosen(names.REASON), fields.written()).text)


def correct_score(visit: Visit, actor: Actor, card: CardState, fields: Fields) -> None:
    """Keep what is wrong with the score, as a label."""
    done = commands.correct_score(visit.house, card.lead_id, actor, fields.chosen(names.REASON), fields.written())
    visit.report(done.text)
