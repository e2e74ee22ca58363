"""Messages that name several leads, brought to what holds when one of these goes on or is erased: digests, deadlines, reminders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bots.slack import blocks, names
from bots.slack.blocks import Block
from bots.slack.cards import ERASED, erased_card
from bots.slack.reminders import EVENT, deadlines, read_line
from bots.slack.sender import Sender
from bots.slack.shared import about, cards_of
from connector.errors import Skippable
from connector.pipeline.alerts import DEADLINES, DIGEST

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.effects import Effect


class Redraw:
    """Edits one message. What it shows is read when it is sent, so that a late or repeated effect does no harm."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Bring the message to what holds; returns `channel:ts`. Raises only errors of `connector.errors`."""
        place, channel, ts = (str(effect.payload[name]) for name in ("place", "channel", "ts"))
        event, text, shown = _message(house, place, ts)
        metadata = about(
            event, {"effect_id": effect.id}, cards_of(house, [card.lead_id for card in house.cards.sharing(place, ts)])
        )
        if not self._sender.edit(house, channel, ts, text, shown, metadata):
            raise Skippable("Somebody deleted the message.")
        return f"{channel}:{ts}"


def _message(house: House, place: str, ts: str) -> tuple[str, str, list[Block]]:
    """What kind of message it is, its notification and its blocks."""
    listed = house.cards.sharing(place, ts)
    found = cards_of(house, [card.lead_id for card in listed])
    if place.startswith(DIGEST):
        if found:
            return names.DIGEST_EVENT, blocks.digest_text(len(found)), blocks.digest(found, place.removeprefix(DIGEST))
        return names.DIGEST_EVENT, ERASED, erased_card()
    if place.startswith(DEADLINES):
        text, shown = deadlines(house, place.removeprefix(DEADLINES), [read_line(card) for card in listed])
        return EVENT, text, shown
    return names.THREAD_EVENT, ERASED, erased_card()  # a reminder, which is edited for no other cause
