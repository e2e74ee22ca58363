"""The lead card: what a rep has to know in five seconds on a phone, and what they can do about it. Pure: a state comes in.

The order is the order in which it is read: who and how good (the header), what to do until when, why the score, the buttons, and
below them what is read once if at all. The rationale comes by a later edit: below the buttons it moves none of them under a thumb.
docs/adr/0027 shows the layouts that were tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bots.slack import names
from bots.slack.blocks import MAX_URL, Block, button, context, header, plain_text, section, tier_name
from bots.slack.text import fit, lasting, say, when
from leads.enums import Tier

if TYPE_CHECKING:
    from connector.commands import CardState

ERASED: Final = "This person was erased. Nothing about them is kept here."
ACCEPTABLE: Final = frozenset({"new", "reassigned", "expired"})
OWNED: Final = frozenset({"new", "reassigned", "expired", "accepted", "contacted"})
CLOSED: Final = frozenset({"won", "lost"})


def card_text(card: CardState, *, personal: bool) -> str:
    """The notification: shown on lock screens, so it names nobody."""
    tier = tier_name(card.tier)
    score = "" if card.score is None else f" ({card.score})"
    if card.state == "new" or (personal and card.state in ACCEPTABLE):
        return f"New {tier if card.tier is not Tier.UNKNOWN else 'lead'}{score}{' for you' if personal else ''}"
    return f"{tier}{score}: {card.state}"


def lead_card(card: CardState, *, personal: bool = False, elsewhere: bool = False) -> list[Block]:
    """The card. `personal`: its reader is the rep who holds the lead; `elsewhere`: its reader held it and does no more, so that
    nothing is left to press but Open and Why."""
    blocks = [header(_headline(card)), section("\n".join(_lines(card, personal, elsewhere)))]
    reasons = _reasons(card)
    if reasons:
        blocks.append(section(reasons))
    blocks.append({"type": "actions", "block_id": f"lead:{card.lead_id}", "elements": _actions(card, elsewhere)})
    if card.rationale:
        blocks.append(context(f"*Summary written by AI*\n{say(card.rationale, 1500)}"))
    blocks.append(context(_small_print(card, personal)))
    return blocks


def erased_card() -> list[Block]:
    """What a card becomes when its person was erased."""
    return [section(ERASED)]


def _headline(card: CardState) -> str:
    """`A lead · 92 ▲7 · Jane Doe`."""
    score = "not scored yet" if card.score is None else str(card.score)
    trend = f" {'▲' if card.trend > 0 else '▼'}{abs(card.trend)}" if card.trend else ""
    return f"{tier_name(card.tier)} · {score}{trend} · {fit(card.name, 110)}"


def _lines(card: CardState, personal: bool, elsewhere: bool) -> list[str]:
    """Who they are and where it stands."""
    title, company = say(card.title or "", 150), say(card.company or "", 200)
    who = f"{title} at *{company}*" if title and company else title or (f"*{company}*" if company else "")
    return [line for line in (who, _state(card, personal, elsewhere)) if line]


def _state(card: CardState, personal: bool, elsewhere: bool) -> str:
    """Where the lead stands, in one line, with the deadline."""
    owner = say(card.owner_name, 120) if card.owner_name else ""
    if elsewhere and card.state not in CLOSED:
        return f"*Re-assigned* to {owner}" if owner else "*No longer yours*"
    took = "" if card.accepted_after_s is None else f" in {lasting(card.accepted_after_s)}"
    touched = "" if card.contacted_after_s is None else f" after {lasting(card.contacted_after_s)}"
    lines = {
        "new": "*New*",
        "accepted": f"*Accepted* by {say(card.accepted_by or '', 120) or owner or 'somebody'}{took}",
        "contacted": f"*Contacted*{f' by {owner}' if owner else ''}{touched}",
        "reassigned": f"*Re-assigned* to {owner or 'nobody yet'}{_passed(card)}",
        "expired": f"*Expired*: nobody took it in time{f'; now with {owner}' if owner else ''}",
        "gone": "*On file*: it came before Leadswitch did, and is routed when it does something new",
        "waiting": f"*Waiting*: nobody is free now; it goes to the next rep who is{_passed(card)}",
        "won": "*Won*" + (f" by {owner}" if owner else ""),
        "lost": "*Lost*",
    }
    if personal:  # what became of others before is not the reader's fault
        lines["reassigned"] = f"*New to you*: another rep had it before{_passed(card)}"
        lines["expired"] = "*New to you*: another rep did not take it in time"
    line = lines.get(card.state, f"*{say(card.state, 40)}*")
    return line + ("" if card.state in CLOSED else _clocks(card))


def _clocks(card: CardState) -> str:
    """Until when the lead is put off, or by when its owner has to act."""
    if card.snoozed_until is not None:
        return f" · *snoozed* until {when(card.snoozed_until)}"
    if card.deadline is None:
        return ""
    act = "accept" if card.deadline_for == "accept" else "make contact"
    return f" · *{act} by {when(card.deadline)}*"


def _passed(card: CardState) -> str:
    """Why the rep before passed it."""
    if not card.passed_reason:
        return ""
    reason, _, note = card.passed_reason.partition(": ")
    words = names.PASS_REASONS.get(reason, reason)
    return f" · passed before: {say(f'{words} ({note})' if note else words, 300)}"


def _reasons(card: CardState) -> str:
    """Three reasons up, two down, in words."""
    lines = [f"▲ {say(reason, 250)}" for reason in card.reasons_up[:3]]
    lines += [f"▼ {say(reason, 250)}" for reason in card.reasons_down[:2]]
    return "\n".join(lines)


def _small_print(card: CardState, personal: bool) -> str:
    """Why the reader sees it, where it came from, whose it is, the last engagement, how sure the score is, the expected value."""
    parts = []
    if card.because:
        to = "to you " if personal else f"to {say(card.owner_name, 80)} " if card.owner_name else ""
        parts.append(f"Routed {to}because: {say(card.because, 400)}")
    source = f"From {say(card.source, 150)}, " if card.source else ""
    owner = f"owner {say(card.owner_name, 120)}" if card.owner_name else "no owner yet"
    parts.append(f"{source}{when(card.created_at)} · {owner}")
    if card.last_engagement is not None:
        act = card.last_engagement.kind.value.replace("_", " ")
        parts.append(f"Last engagement: {act}, {when(card.last_engagement.occurred_at)}")
    if card.confidence is not None:
        worth = "" if card.expected_value is None else f" · expected value {card.expected_value:,.0f}"
        parts.append(f"Confidence {round(card.confidence * 100)}%{worth}")
    if card.note:
        parts.append(say(card.note, 300))
    return "\n".join(parts)


def _actions(card: CardState, elsewhere: bool) -> list[Block]:
    value, ours = str(card.lead_id), not elsewhere
    elements = []
    if ours and card.state in ACCEPTABLE:
        elements.append(button("Accept", names.ACCEPT, value, "primary"))
    if ours and card.state in ("accepted", "contacted"):
        elements.append(button("Log outcome", names.OUTCOME, value, "primary"))
    if ours and card.state in OWNED:
        elements.append(button("Pass", names.PASS_ON, value))
    if ours and card.state in ACCEPTABLE:
        elements.append(button("Log outcome", names.OUTCOME, value))
    if ours and card.state in OWNED:
        elements.append(_snooze(value))
    if ours and card.state == "waiting":
        elements.append(button("Claim", names.CLAIM, value, "primary"))
    if card.crm_url and card.crm_url.startswith(("https://", "http://")) and len(card.crm_url) <= MAX_URL:
        elements.append({**button("Open in CRM", names.OPEN, value), "url": card.crm_url})
    return [*elements, _overflow(card, value, elsewhere)]


def _snooze(value: str) -> Block:
    """A choice of times: one press on it is enough."""
    options = [{"text": plain_text(label), "value": f"{code}:{value}"} for code, label in names.SNOOZES.items()]
    return {"type": "static_select", "action_id": names.SNOOZE, "placeholder": plain_text("Snooze"), "options": options}


def _overflow(card: CardState, value: str, elsewhere: bool) -> Block:
    """What is wanted seldom."""
    choices = [("Why this lead, why this rep", names.WHY)]
    if card.state not in CLOSED and not elsewhere:
        choices.insert(0, ("Reassign", names.REASSIGN))
    if card.score is not None:
        choices.append(("Wrong score", names.WRONG))
    options = [{"text": plain_text(label), "value": f"{verb}:{value}"} for label, verb in choices]
    return {"type": "overflow", "action_id": names.MORE, "options": options}
