"""Block Kit from records: pure functions, no look-ups. Every text that a lead, a rep or a model wrote goes through `text`.

Limits kept here (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks a message, header 150 characters, section text
3,000, section fields 2,000 each and 10 of them, button text 75, option text 75. They hold for any input by cutting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bots.slack import names
from bots.slack.text import fit, lasting, say, when
from leads.enums import Tier, VerdictKind

if TYPE_CHECKING:
    from connector.commands import CardState, LeadSummary, Why
    from leads.results import Verdict

Block = dict[str, Any]

MAX_BLOCKS: Final = 50
MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
MAX_BUTTON: Final = 75
MAX_URL: Final = 3000
#: Leads named in one digest; the rest are counted.
DIGEST_LEADS: Final = 40
VERDICT_LINES: Final = 12

ACCEPTABLE: Final = frozenset({"new", "reassigned"})
PASSABLE: Final = frozenset({"new", "reassigned", "accepted"})
CLOSED: Final = frozenset({"won", "lost"})


def mrkdwn(text: str) -> Block:
    """A mrkdwn text object. `verbatim` keeps Slack from turning bare URLs, channel names and mentions into links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str) -> Block:
    """A plain text object in which `:fire:` stays what it is."""
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str, accessory: Block | None = None) -> Block:
    """A section of mrkdwn that is safe already."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return {**block, "accessory": accessory} if accessory else block


def context(text: str) -> Block:
    """A line of small print."""
    return {"type": "context", "elements": [mrkdwn(text)]}


def header(text: str) -> Block:
    """A header of escaped text."""
    return {"type": "header", "text": plain_text(text)}


def button(label: str, action: str, value: str, style: str | None = None) -> Block:
    """A button that comes back to us with `value`."""
    block: Block = {"type": "button", "action_id": action, "value": value, "text": plain_text(fit(label, MAX_BUTTON))}
    return {**block, "style": style} if style else block


# ---- the card


def tier_name(tier: Tier) -> str:
    """`A lead`, or `Lead` when there is no tier yet."""
    return "Lead" if tier is Tier.UNKNOWN else f"{tier.value.upper()} lead"


def card_text(card: CardState, *, personal: bool) -> str:
    """The notification: shown on lock screens, so it names nobody."""
    tier = tier_name(card.tier)
    score = "" if card.score is None else f" ({card.score})"
    if card.state == "new":
        return f"New {tier if card.tier is not Tier.UNKNOWN else 'lead'}{score}{' for you' if personal else ''}"
    return f"{tier}{score}: {card.state}"


def lead_card(card: CardState, *, personal: bool = False, elsewhere: bool = False) -> list[Block]:
    """The card. `personal`: its reader is the rep who holds the lead; `elsewhere`: its reader held it and does no more, so that
    nothing is left to press but Open and Why."""
    score = "not scored yet" if card.score is None else f"{card.score} of 100"
    blocks = [
        header(f"{tier_name(card.tier)} · {score} · {fit(card.name, 110)}"),
        section(_facts(card)),
        section(_state(card, elsewhere)),
    ]
    reasons = _reasons(card)
    if reasons:
        blocks.append(section(reasons))
    if card.rationale:
        blocks.append(section(f"*Summary written by AI*\n{say(card.rationale, 1500)}"))
    blocks.append(context(_small_print(card, personal)))
    actions = _actions(card, elsewhere)
    if actions:
        blocks.append({"type": "actions", "block_id": f"lead:{card.lead_id}", "elements": actions})
    return blocks


def _facts(card: CardState) -> str:
    """Person, company, source and owner, each only when known."""
    title, company = say(card.title or "", 150), say(card.company or "", 200)
    who = f"{title} at *{company}*" if title and company else title or (f"*{company}*" if company else "")
    facts = [
        who,
        f"Source: {say(card.source, 150)}" if card.source else "",
        f"Owner: *{say(card.owner_name, 120)}*" if card.owner_name else "No owner yet",
    ]
    return " · ".join(fact for fact in facts if fact)


def _state(card: CardState, elsewhere: bool) -> str:
    """Where the lead stands, in one line."""
    if elsewhere and card.state not in CLOSED:
        return f"*Reassigned* to {say(card.owner_name, 120)}" if card.owner_name else "*No longer yours*"
    took = "" if card.accepted_after_s is None else f" in {lasting(card.accepted_after_s)}"
    lines = {
        "new": f"*New* · came in {when(card.created_at)}",
        "accepted": f"*Accepted* by {say(card.accepted_by or card.owner_name or 'somebody', 120)}{took}",
        "reassigned": f"*Reassigned* to {say(card.owner_name or 'nobody yet', 120)}{_passed(card)}",
        "gone": "*On file*: it came before Leadswitch did, and is routed when it does something new",
        "waiting": f"*Waiting*: nobody is free now; it goes to the next rep who is{_passed(card)}",
        "won": "*Won*",
        "lost": "*Lost*",
    }
    return lines.get(card.state, f"*{say(card.state, 40)}*")


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
    return "\n".join(["*Why this score*", *lines]) if lines else ""


def _small_print(card: CardState, personal: bool) -> str:
    """Why the reader sees it, the last engagement, how sure the score is."""
    parts = []
    if card.because:
        to = "to you " if personal else f"to {say(card.owner_name, 80)} " if card.owner_name else ""
        parts.append(f"Routed {to}because: {say(card.because, 400)}")
    if card.last_engagement is not None:
        act = card.last_engagement.kind.value.replace("_", " ")
        parts.append(f"Last engagement: {act}, {when(card.last_engagement.occurred_at)}")
    if card.confidence is not None:
        parts.append(f"Confidence {round(card.confidence * 100)}%{_trend(card)}")
    if card.note:
        parts.append(say(card.note, 300))
    return "\n".join(parts) or f"Lead {card.lead_id}"


def _trend(card: CardState) -> str:
    """How the score moved against the one before."""
    return f" · score {'up' if card.trend > 0 else 'down'} {abs(card.trend)} since last time" if card.trend else ""


def _actions(card: CardState, elsewhere: bool) -> list[Block]:
    value = str(card.lead_id)
    elements = []
    if card.state in ACCEPTABLE and not elsewhere:
        elements.append(button("Accept", names.ACCEPT, value, "primary"))
    if card.state in PASSABLE and not elsewhere:
        elements.append(button("Pass", names.PASS_ON, value))
    if card.crm_url and card.crm_url.startswith(("https://", "http://")) and len(card.crm_url) <= MAX_URL:
        elements.append({**button("Open in CRM", names.OPEN, value), "url": card.crm_url})
    choices = [("Why this lead, why this rep", names.WHY)]
    if card.state not in CLOSED and not elsewhere:
        choices.insert(0, ("Reassign", names.REASSIGN))
    elements.append(
        {
            "type": "overflow",
            "action_id": names.MORE,
            "options": [{"text": plain_text(label), "value": f"{verb}:{value}"} for label, verb in choices],
        }
    )
    return elements


# ---- lists


def digest_text(count: int) -> str:
    """The digest's notification."""
    return f"{count} more {'lead' if count == 1 else 'leads'} for you to look at"


def digest(cards: Sequence[CardState]) -> list[Block]:
    """Leads that are worth no message of their own, best first, each with a button that shows its card."""
    ranked = sorted(cards, key=lambda card: -(card.score if card.score is not None else -1))
    blocks = [header(digest_text(len(ranked)))]
    for card in ranked[:DIGEST_LEADS]:
        score = "not scored" if card.score is None else str(card.score)
        place = f", {say(card.company, 150)}" if card.company else ""
        why = f"\n▲ {say(card.reasons_up[0], 200)}" if card.reasons_up else ""
        line = f"*{tier_name(card.tier)} {score}* · {say(card.name, 150)}{place}{why}"
        blocks.append(section(line, button("Show", names.SHOW, str(card.lead_id))))
    if len(ranked) > DIGEST_LEADS:
        blocks.append(context(f"and {len(ranked) - DIGEST_LEADS} more: they are in the CRM, with their scores."))
    return blocks


def choices(query: str, leads: Sequence[LeadSummary], verb: str) -> list[Block]:
    """Several leads fit what was typed: one line each, with a button."""
    blocks = [section(f"Several leads match {say(query, 200)}. Which one?")]
    for lead in list(leads)[:20]:
        score = "not scored" if lead.score is None else str(lead.score)
        place = f", {say(lead.company, 150)}" if lead.company else ""
        owner = f" · owner {say(lead.owner_name, 100)}" if lead.owner_name else ""
        line = f"*{tier_name(lead.tier)} {score}* · {say(lead.name, 150)}{place}{owner} · id {lead.id}"
        action = names.SHOW if verb == "show" else f"{names.SHOW}_{verb}"
        label = {"show": "Show", "why": "Why", "reassign": "Reassign"}.get(verb, "Show")
        blocks.append(section(line, button(label, action, str(lead.id))))
    return blocks


# ---- why


def why_answer(why: Why, viewer_rep: str | None) -> list[Block]:
    """Why the score is what it is and why the lead went where it went, with the reader's own verdict first."""
    blocks = [header(f"Why lead {why.lead_id} is where it is")]
    if why.score is not None:
        up = [f"▲ {say(reason.text, 250)}" for reason in why.score.reasons if reason.contribution > 0][:3]
        down = [f"▼ {say(reason.text, 250)}" for reason in why.score.reasons if reason.contribution < 0][:2]
        note = [say(why.score.note, 300)] if why.score.note else []
        title = f"*Score {why.score.score}, tier {why.score.tier.value.upper()}*, model {say(why.score.model_version, 80)}"
        blocks.append(section("\n".join([title, *up, *down, *note])))
    blocks.append(section(f"*Routing*: {say(why.because, 800)}\nMethod {say(why.method, 80)}, decided {when(why.at)}"))
    mine = [verdict for verdict in why.verdicts if viewer_rep is not None and verdict.rep_id == viewer_rep]
    others = [verdict for verdict in why.verdicts if verdict not in mine]
    lines = [f"*You*: {_verdict(verdict)}" for verdict in mine]
    lines += [f"{say(why.rep_names.get(verdict.rep_id, verdict.rep_id), 80)}: {_verdict(verdict)}" for verdict in others]
    if lines:
        shown = lines[:VERDICT_LINES]
        more = [f"and {len(lines) - len(shown)} more"] if len(lines) > len(shown) else []
        blocks.append(section("\n".join([*shown, *more])))
    blocks.append(context(f"Decision {why.decision_id}, policy version {say(why.policy_version, 40)}"))
    return blocks


def _verdict(verdict: Verdict) -> str:
    if verdict.kind is VerdictKind.CHOSEN:
        said = "chosen"
    elif verdict.kind is VerdictKind.RANKED:
        said = f"could have had it, number {verdict.rank} in line" if verdict.rank else "could have had it"
    else:
        said = f"not asked, {verdict.gate.value.replace('_', ' ')}" if verdict.gate else "not asked"
    return f"{said} ({say(verdict.detail, 60)})" if verdict.detail else said


# ---- modals


def pass_form(card: CardState, private: str) -> Block:
    """The form behind Pass: a reason is required, words are not."""
    options = _options(list(names.PASS_REASONS.items()))
    return _form(
        names.PASS_ON_FORM,
        "Pass this lead on",
        "Pass",
        private,
        [
            section(f"*{say(card.name, 150)}* goes to the next rep who fits."),
            _input(names.REASON, "Why?", {"type": "static_select", "action_id": names.REASON, "options": options}),
            _input(names.NOTE, "Anything to add?", _words(), optional=True),
        ],
    )


def reassign_form(card: CardState, reps: Mapping[str, str], private: str) -> Block:
    """The form behind Reassign. `reps` are id → name, in the order shown; up to 10,000."""
    known = [(rep, name) for rep, name in reps.items() if len(rep) <= 150][:10_000]
    groups = [known[start : start + 100] for start in range(0, len(known), 100)]  # Slack: 100 options, or 100 groups of 100
    select: Block = {"type": "static_select", "action_id": names.REP}
    if len(groups) == 1:
        select["options"] = _options(known)
    else:
        select["option_groups"] = [
            {"label": plain_text(f"{fit(group[0][1], 30)} to {fit(group[-1][1], 30)}"), "options": _options(group)}
            for group in groups
        ]
    now = f", now with *{say(card.owner_name, 120)}*" if card.owner_name else ""
    return _form(
        names.REASSIGN_FORM,
        "Reassign this lead",
        "Reassign",
        private,
        [
            section(f"*{say(card.name, 150)}*{now}"),
            _input(names.REP, "To whom?", select),
            _input(names.NOTE, "Why?", _words()),
        ],
    )


def _options(known: Sequence[tuple[str, str]]) -> list[Block]:
    return [{"text": plain_text(fit(label, MAX_BUTTON) or "?"), "value": value} for value, label in known]


def _form(callback: str, title: str, submit: str, private: str, blocks: list[Block]) -> Block:
    """A modal; title and button have 24 characters at most."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": private,
        "title": plain_text(title),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "blocks": blocks,
    }


def _input(block: str, label: str, element: Block, *, optional: bool = False) -> Block:
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element, "optional": optional}


def _words() -> Block:
    return {"type": "plain_text_input", "action_id": names.NOTE, "max_length": 300}
