"""What commands answer in blocks: lists of leads, and why a lead is where it is. Pure: records come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bots.slack import names
from bots.slack.blocks import Block, button, context, header, section, tier_name
from bots.slack.text import say, when
from leads.enums import VerdictKind

if TYPE_CHECKING:
    from connector.commands import CardState, LeadSummary, Why
    from connector.pipeline.overrides import Errors
    from leads.results import Verdict

VERDICT_LINES: Final = 12
SET_ASIDE: Final = 3
#: Leads one list shows; Slack takes 50 blocks.
LISTED: Final = 20
LABELS: Final = {"show": "Show", "why": "Why", "reassign": "Reassign", "claim": "Claim"}


def choices(query: str, leads: Sequence[LeadSummary], verb: str, looked: str = "") -> list[Block]:
    """Several leads fit what was typed: one line each, with a button. `looked` says among which leads they were looked for."""
    blocks = [section(f"Several leads match {say(query, 200)}. Which one?")]
    for lead in list(leads)[:LISTED]:
        owner = f" · owner {say(lead.owner_name, 100)}" if lead.owner_name else ""
        action = names.SHOW if verb not in LABELS or verb == "show" else f"{names.SHOW}_{verb}"
        blocks.append(section(f"{_summary(lead)}{owner} · id {lead.id}", button(LABELS.get(verb, "Show"), action, str(lead.id))))
    return [*blocks, context(looked)] if looked else blocks


def _summary(lead: LeadSummary) -> str:
    score = "not scored" if lead.score is None else str(lead.score)
    place = f", {say(lead.company, 150)}" if lead.company else ""
    return f"*{tier_name(lead.tier)} {score}* · {say(lead.name, 150)}{place}"


def pool(leads: Sequence[LeadSummary], more: int, may_claim: bool) -> list[Block]:
    """Leads that nobody holds, hot ones first, each to be claimed by whoever may."""
    blocks = [header(f"{len(leads) + more} {'lead waits' if len(leads) + more == 1 else 'leads wait'} for somebody")]
    for lead in leads[:LISTED]:
        action = button("Claim", names.CLAIM, str(lead.id)) if may_claim else button("Show", names.SHOW, str(lead.id))
        blocks.append(section(_summary(lead), action))
    return [*blocks, context(f"and {more} more")] if more else blocks


def queue(name: str, cards: Sequence[CardState], more: int, looked: str = "") -> list[Block]:
    """A rep's open leads, the most urgent first. `looked` says among which these were looked for, if not among all."""
    count = len(cards) + more
    blocks = [header(f"{count} open {'lead' if count == 1 else 'leads'}"), context(say(name, 150) or "?")]
    for card in cards[:LISTED]:
        score = "not scored" if card.score is None else str(card.score)
        place = f", {say(card.company, 150)}" if card.company else ""
        due = f" · {card.deadline_for} by {when(card.deadline)}" if card.deadline else ""
        put_off = f" · snoozed until {when(card.snoozed_until)}" if card.snoozed_until else ""
        line = f"*{tier_name(card.tier)} {score}* · {say(card.name, 150)}{place}\n{card.state}{due}{put_off}"
        blocks.append(section(line, button("Show", names.SHOW, str(card.lead_id))))
    return [*blocks, context(f"and {more} more{looked}")] if more else blocks


def errors_line(errors: Errors) -> str:
    """How often people set a pick of the engine aside in the last seven days, and why."""
    if errors.rate is None:
        return "Allocation errors, 7 days: the engine picked nobody"
    causes = ", ".join(f"{say(cause.replace('_', ' '), 60)} {count}" for cause, count in errors.causes.items())
    told = f"Allocation errors, 7 days: {errors.overrides} of {errors.picks} picks ({errors.rate:.1%})"
    return f"{told}: {causes}" if causes else told


def why_answer(why: Why, viewer_rep: str | None) -> list[Block]:
    """Why the score is what it is and why the lead went where it went, with the reader's own verdict first."""
    blocks = [header(f"Why lead {why.lead_id} is where it is")]
    if why.score is not None:
        up = [f"▲ {say(reason.text, 250)}" for reason in why.score.reasons if reason.contribution > 0][:3]
        down = [f"▼ {say(reason.text, 250)}" for reason in why.score.reasons if reason.contribution < 0][:2]
        note = [say(why.score.note, 300)] if why.score.note else []
        title = f"*Score {why.score.score}, tier {why.score.tier.value.upper()}*, model {say(why.score.model_version, 80)}"
        blocks.append(section("\n".join([title, *up, *down, *note])))
    beside = [f"Not counted: {say(one, 250)}" for one in why.set_aside[:SET_ASIDE]]
    beside += [f"Worth asking: {say(why.ask_next, 250)}"] if why.ask_next else []
    if beside:
        blocks.append(section("\n".join(beside)))
    blocks.append(
        section(f"*Routing*: {say(why.because, 800)}\nMethod: {say(why.method.replace('_', ' '), 80)}, decided {when(why.at)}")
    )
    if viewer_rep is not None:
        blocks.append(section(_why_not_me(why, viewer_rep)))
    in_line = sorted(why.verdicts, key=lambda verdict: (verdict.kind is not VerdictKind.CHOSEN, verdict.rank or len(why.verdicts)))
    others = [verdict for verdict in in_line if verdict.rep_id != viewer_rep]
    lines = [f"{say(why.rep_names.get(verdict.rep_id, verdict.rep_id), 80)}: {_verdict(verdict)}" for verdict in others]
    if lines:
        shown = lines[:VERDICT_LINES]
        more = [f"and {len(lines) - len(shown)} more"] if len(lines) > len(shown) else []
        blocks.append(section("\n".join([*shown, *more])))
    blocks.append(context(f"Decision {why.decision_id}, policy version {say(why.policy_version, 40)}"))
    return blocks


def _why_not_me(why: Why, viewer_rep: str) -> str:
    """The one verdict that the decision recorded for the reader."""
    mine = next((verdict for verdict in why.verdicts if verdict.rep_id == viewer_rep), None)
    if mine is None:
        return "*You*: the decision did not look at you; you were no rep here when it was made."
    return f"*You*: {_verdict(mine)}"


def _verdict(verdict: Verdict) -> str:
    if verdict.kind is VerdictKind.CHOSEN:
        said = "chosen"
    elif verdict.kind is VerdictKind.RANKED:
        said = f"could have had it, number {verdict.rank} in line" if verdict.rank else "could have had it"
    else:
        said = f"not asked, {verdict.gate.value.replace('_', ' ')}" if verdict.gate else "not asked"
    return f"{said} ({say(verdict.detail, 60)})" if verdict.detail else said
