"""Messages that several leads share: a rep's digest, and the roundup of a channel in which many leads became hot at once.

Both are added to by editing for `slack.merge_minutes` after they were posted: a burst of leads makes few messages, and each lead
is named in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from bots.slack import blocks, lists, names
from bots.slack.sender import Sender
from connector import commands
from connector.commands import CardState
from connector.errors import Skippable
from connector.pipeline.alerts import DIGEST, ROUNDUP

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.cards import Card
    from connector.storage.effects import Effect

#: How far before the effect was asked for a message in doubt is looked for: an earlier effect may have stood for the same message.
LOOK_BACK: Final = timedelta(hours=1)

#: Leads that a message remembers in its metadata, the newest ones: Slack takes only so much of it.
MOST_IDS: Final = 200


def since(effect: Effect) -> float:
    """From when on a message in doubt can stand, in seconds since 1970."""
    return (effect.created_at - LOOK_BACK).timestamp() if effect.created_at else 0.0


class SharedMessages:
    """Digests and roundups."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    # -- digests

    def digest(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Tell a rep of the leads in the effect's payload; returns `channel:ts` of the message that names them."""
        rep_id = str(effect.payload.get("rep_id", ""))
        channel = self._sender.channel(house, f"dm:{rep_id}")
        lead_ids = [int(lead_id) for lead_id in effect.payload.get("lead_ids", ())]
        marker = {"effect_id": effect.id}
        sent = self._sender.api.find(channel, since(effect), names.DIGEST_EVENT, marker) if in_doubt else None
        if sent is not None:  # it got there: only what came since is left to tell
            lead_ids = [lead_id for lead_id in lead_ids if lead_id not in (sent[1].get("lead_ids") or ())]
        cards = cards_of(house, lead_ids)
        if not cards:
            if sent is not None:
                return f"{channel}:{sent[0]}"
            raise Skippable("No lead of this digest is left.")
        open_one = still_open(house, house.cards.newest(DIGEST + rep_id))
        if open_one is not None:
            listed = [card.lead_id for card in house.cards.sharing(DIGEST + rep_id, open_one.ts)]
            every = [*cards_of(house, listed), *cards]
            metadata = about(names.DIGEST_EVENT, marker, every)
            if self._sender.edit(
                house, channel, open_one.ts, blocks.digest_text(len(every)), blocks.digest(every, rep_id), metadata
            ):
                return f"{channel}:{open_one.ts}"
        metadata = about(names.DIGEST_EVENT, marker, cards)
        text, shown = blocks.digest_text(len(cards)), blocks.digest(cards, rep_id)
        posted, ts = self._sender.post(house, effect, channel, text, shown, metadata)
        return f"{posted}:{ts}"

    # -- roundups

    def roundup(self, house: House, effect: Effect, in_doubt: bool) -> str:
        """Bring the roundups of a channel to what holds: name leads that are in none yet, show the others as they stand."""
        name = str(effect.payload["channel"])
        place, channel = ROUNDUP + name, self._sender.channel(house, f"channel:{name}")
        stale = house.cards.begin_showing(place)
        if in_doubt and (sent := self._sender.api.find(channel, since(effect), names.ROUNDUP_EVENT, {"effect_id": effect.id})):
            told = {int(lead_id) for lead_id in sent[1].get("lead_ids") or ()}
            house.cards.place([card.lead_id for card in stale if not card.ts and card.lead_id in told], place, channel, sent[0])
            stale = house.cards.begin_showing(place)
        for ts in dict.fromkeys(card.ts for card in stale if card.ts):
            listed = [card.lead_id for card in house.cards.sharing(place, ts)]
            if self._redrawn(house, effect, place, channel, ts, listed):
                house.cards.end_showing(place, listed)
            else:  # somebody deleted it: its leads still have to be seen
                house.cards.place(listed, place, "", "")
        self._name_new(house, effect, place, channel)
        return f"{channel}:{name}"

    def _redrawn(self, house: House, effect: Effect, place: str, channel: str, ts: str, lead_ids: Sequence[int]) -> bool:
        cards = cards_of(house, lead_ids)
        metadata = about(names.ROUNDUP_EVENT, {"effect_id": effect.id}, cards)
        return self._sender.edit(house, channel, ts, lists.roundup_text(len(cards)), lists.roundup(cards), metadata)

    def _name_new(self, house: House, effect: Effect, place: str, channel: str) -> None:
        """Name the leads that are in no message yet: in the newest one while it is open and has room, then in new ones."""
        new = [card.lead_id for card in house.cards.sharing(place, "")]
        open_one = still_open(house, house.cards.newest(place))
        if new and open_one is not None:
            listed = [card.lead_id for card in house.cards.sharing(place, open_one.ts)]
            added = new[: max(0, lists.ROUNDUP_LEADS - len(listed))]
            if added and self._redrawn(house, effect, place, channel, open_one.ts, [*listed, *added]):
                house.cards.place(added, place, channel, open_one.ts)
                house.cards.end_showing(place, [*listed, *added])
                new = new[len(added) :]
        for start in range(0, len(new), lists.ROUNDUP_LEADS):
            some = new[start : start + lists.ROUNDUP_LEADS]
            cards = cards_of(house, some)
            if cards:
                metadata = about(names.ROUNDUP_EVENT, {"effect_id": effect.id}, cards)
                text = lists.roundup_text(len(cards))
                _, ts = self._sender.post(house, effect, channel, text, lists.roundup(cards), metadata)
                house.cards.place(some, place, channel, ts)
            house.cards.end_showing(place, some)


def cards_of(house: House, lead_ids: Sequence[int]) -> list[CardState]:
    """Each lead as it stands, once; without those that are gone."""
    found = (commands.card(house, lead_id) for lead_id in lead_ids)
    return list({card.lead_id: card for card in found if card is not None}.values())


def still_open(house: House, newest: Card | None) -> Card | None:
    """The newest message, if it may still be added to."""
    if newest is None:
        return None
    until = float(newest.ts) + house.settings.slack.merge_minutes * 60
    return newest if house.clock.now().timestamp() < until else None


def about(event: str, marker: Mapping[str, Any], cards: Sequence[CardState]) -> dict[str, Any]:
    """The metadata of a message that names these leads."""
    return {"event_type": event, "event_payload": {**marker, "lead_ids": [card.lead_id for card in cards][-MOST_IDS:]}}
