"""Block Kit for messages that many leads share in a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bots.slack import blocks, names
from bots.slack.blocks import Block
from bots.slack.text import say

if TYPE_CHECKING:
    from connector.commands import CardState

#: Leads one roundup names: a header, a section each, a context line, and Slack's 50 blocks a message.
ROUNDUP_LEADS: Final = 40


def roundup_text(count: int) -> str:
    """The notification; it names nobody."""
    return "Another hot lead" if count == 1 else f"{count} more hot leads"


def roundup(cards: Sequence[CardState]) -> list[Block]:
    """Hot leads that came all at once, in the order they came, each with where it stands and a button that shows its card."""
    shown = [blocks.section(_line(card), blocks.button("Show", names.SHOW, str(card.lead_id))) for card in cards[:ROUNDUP_LEADS]]
    note = "Many leads became hot at once: these share one message, and each rep has a card of their own."
    return [blocks.header(roundup_text(len(cards))), *shown, blocks.context(note)]


def _line(card: CardState) -> str:
    score = "not scored" if card.score is None else str(card.score)
    place = f", {say(card.company, 150)}" if card.company else ""
    return f"*{blocks.tier_name(card.tier)} {score}* · {say(card.name, 150)}{place}\n{blocks.standing(card)}"
