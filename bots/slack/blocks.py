"""The parts of Block Kit that everything shown is built of. Every text that a lead, a rep or a model wrote goes through `text`.

Limits kept here (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks a message, header 150 characters, section text
3,000, section fields 2,000 each and 10 of them, button text 75, option text 75. They hold for any input by cutting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bots.slack import names
from bots.slack.text import fit, lasting, say
from leads.enums import Tier

if TYPE_CHECKING:
    from connector.commands import CardState

Block = dict[str, Any]

MAX_BLOCKS: Final = 50
MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
MAX_BUTTON: Final = 75
MAX_URL: Final = 3000
#: Leads named in one digest; the rest are counted.
DIGEST_LEADS: Final = 40


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


def paragraphs(text: str) -> list[Block]:
    """Lines of safe mrkdwn as sections, in which Slack links no name or address by itself."""
    pieces = [""]
    for line in text.split("\n"):
        if len(pieces[-1]) + len(line) >= MAX_SECTION:
            pieces.append("")
        pieces[-1] += f"\n{line}" if pieces[-1] else line
    return [section(piece[:MAX_SECTION]) for piece in pieces if piece.strip()][:MAX_BLOCKS]


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


def tier_name(tier: Tier) -> str:
    """`A lead`, or `Lead` when there is no tier yet."""
    return "Lead" if tier is Tier.UNKNOWN else f"{tier.value.upper()} lead"


# ---- lists


def digest_text(count: int) -> str:
    """The digest's notification."""
    return f"{count} more {'lead' if count == 1 else 'leads'} for you to look at"


def digest(cards: Sequence[CardState], rep_id: str) -> list[Block]:
    """Leads that are worth no message of their own, best first, each with a button that shows its card. Of one that its reader
    (`rep_id`) took on or lost since, it says so."""
    ranked = sorted(cards, key=lambda card: -(card.score if card.score is not None else -1))
    blocks = [header(digest_text(len(ranked)))]
    for card in ranked[:DIGEST_LEADS]:
        score = "not scored" if card.score is None else str(card.score)
        place = f", {say(card.company, 150)}" if card.company else ""
        why = f"\n▲ {say(card.reasons_up[0], 200)}" if card.reasons_up else ""
        went_on = f"\n{standing(card)}" if card.state not in ("new", "reassigned", "expired") or card.owner_id != rep_id else ""
        line = f"*{tier_name(card.tier)} {score}* · {say(card.name, 150)}{place}{went_on or why}"
        blocks.append(section(line, button("Show", names.SHOW, str(card.lead_id))))
    if len(ranked) > DIGEST_LEADS:
        blocks.append(context(f"and {len(ranked) - DIGEST_LEADS} more: they are in your queue."))
    return blocks


def standing(card: CardState) -> str:
    """Who has a lead and whether they took it on, in one line."""
    owner = say(card.owner_name, 120) if card.owner_name else ""
    if card.state == "accepted":
        took = "" if card.accepted_after_s is None else f" in {lasting(card.accepted_after_s)}"
        return f"Accepted by {say(card.accepted_by or '', 120) or owner}{took}"
    if card.state == "contacted":
        return f"Contacted by {owner}"
    if card.state in ("won", "lost"):
        return f"*{card.state.capitalize()}*" + (f" · {owner}" if owner else "")
    return f"With *{owner}*, not accepted yet" if owner else "Nobody holds it yet"


def options(known: Sequence[tuple[str, str]]) -> list[Block]:
    """Choices as (value, label)."""
    return [{"text": plain_text(fit(label, MAX_BUTTON) or "?"), "value": value} for value, label in known]
