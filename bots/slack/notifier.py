"""The outbox's Slack end: one card a lead and destination, posted once and edited from then on; shared messages, App Homes, the
leaderboard.

A destination is `dm:<rep id>` or `channel:#name`. What a card shows is read when it is sent, so that a late or repeated effect
does no harm; a hash of what was sent last saves the edit that would change nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from bots.slack import cards, names
from bots.slack.board import Board
from bots.slack.client import NeedsMending, SlackApi, api_for
from bots.slack.home import HomeTab
from bots.slack.redraw import Redraw
from bots.slack.reminders import Reminders
from bots.slack.sender import Sender, keep_quiet
from bots.slack.shared import SharedMessages, since
from bots.slack.threads import Threads
from connector import commands
from connector.errors import Fatal, Retriable, Skippable
from connector.pipeline.alerts import GATHER_S, HOT, ROUNDUP, ask_roundup
from connector.pipeline.deliver import HANDLERS
from connector.storage.cards import Card
from leads.enums import EffectKind, Tier

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.effects import Effect

log = structlog.get_logger(__name__)

#: Slack's words for a token that is no good. Somebody has to install the app again; what waits to be sent waits for that.
TOKEN_GONE: Final = frozenset({"account_inactive", "invalid_auth", "not_authed", "token_revoked", "token_expired"})
TOKEN_WAIT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A card as it should stand. `wanted` is false when its reader does not hold the lead, or it is closed: then it is edited,
    but not posted."""

    lead_id: int
    tier: Tier
    text: str
    blocks: Sequence[Any]
    metadata: Mapping[str, Any]
    digest: str
    wanted: bool


class Notifier:
    """Sends Slack's effects. Safe to share between threads."""

    def __init__(self, api: SlackApi) -> None:
        self.sender = Sender(api)
        self._shared = SharedMessages(self.sender)
        self._home = HomeTab(api)

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Bring Slack to the wanted state; returns `channel:ts`. Raises only errors of `connector.errors`."""
        try:
            return self._deliver(house, effect, in_doubt)
        except NeedsMending as error:
            if error.code not in TOKEN_GONE:
                raise
            log.error("slack.token_refused", code=error.code, mend=error.mend)
            raise Retriable(str(error), TOKEN_WAIT_S) from None

    def _deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        if effect.kind is EffectKind.SLACK_DIGEST:
            keep_quiet(house, str(effect.payload.get("rep_id", "")))
            return self._shared.digest(house, effect, in_doubt)
        if effect.kind is EffectKind.SLACK_ROUNDUP:
            return self._shared.roundup(house, effect, in_doubt)
        if effect.kind is EffectKind.SLACK_HOME:
            return self._home.deliver(house, effect, in_doubt)
        return self._card(house, effect, in_doubt)

    # -- cards

    def _card(self, house: House, effect: Effect, in_doubt: bool) -> str:
        destination = destination_of(effect)
        shown = _render(house, effect, destination)
        card = house.cards.get(shown.lead_id, destination)  # of the lead it was merged into, if it was
        if card is None and not (in_doubt or shown.wanted):
            raise Skippable(GONE_ON)
        channel = card.channel if card is not None else self.sender.channel(house, destination)
        if card is None and in_doubt:
            card = self._found(effect, destination, channel, shown)
        if card is not None and card.digest != shown.digest:
            card = self._edited(house, card, shown)
        if card is None and not shown.wanted:
            raise Skippable(GONE_ON)
        if card is None:
            if _shares(house, shown.lead_id, destination, self.sender.ahead(house, effect, channel)):
                house.queue.ring_deliver("slack", delay_s=GATHER_S)
                return f"{channel}:shared"
            _hold(house, destination, shown.tier)
            posted, ts = self.sender.post(house, effect, channel, shown.text, shown.blocks, shown.metadata)
            card = Card(shown.lead_id, destination, posted, ts, shown.digest)
            house.cards.save(card)
        return f"{card.channel}:{card.ts}"

    def _edited(self, house: House, card: Card, shown: Shown) -> Card | None:
        """The card after the edit; None when somebody deleted the message, since the lead still has to be seen."""
        if not self.sender.edit(house, card.channel, card.ts, shown.text, shown.blocks, shown.metadata):
            house.cards.forget(card.lead_id, card.destination)
            return None
        if shown.digest == BLANK:
            self._blank_thread(house, card)
        edited = replace(card, digest=shown.digest)
        house.cards.save(edited)
        return edited

    def _blank_thread(self, house: House, card: Card) -> None:
        """Take what was told of an erased person out of the thread of their card."""
        for ts in self.sender.api.replies(card.channel, card.ts, names.THREAD_EVENT):
            metadata = {"event_type": names.THREAD_EVENT, "event_payload": {"lead_id": card.lead_id}}
            self.sender.edit(house, card.channel, ts, cards.ERASED, cards.erased_card(), metadata)

    def _found(self, effect: Effect, destination: str, channel: str, shown: Shown) -> Card | None:
        """The card that a crash kept us from remembering; without a digest, so that it is edited to what holds now."""
        found = self.sender.api.find(channel, since(effect), names.CARD_EVENT, shown.metadata["event_payload"])
        return Card(shown.lead_id, destination, channel, found[0], "") if found else None


#: What the digest of a card is from which everything about an erased person was taken.
BLANK: Final = "erased"
GONE_ON: Final = "The lead went on before this rep was told of it."


def destination_of(effect: Effect) -> str:
    """The Slack destination that a card's effect names."""
    return str(effect.payload.get("destination", ""))


def _render(house: House, effect: Effect, destination: str) -> Shown:
    """The card of a lead as the lead stands now. Raises `Skippable` when the lead is gone."""
    if effect.lead_id is None:
        raise Fatal("A card effect names no lead.")
    state = commands.card(house, effect.lead_id)
    if state is None:
        return _blank(house, effect.lead_id, destination)
    kind, _, reader = destination.partition(":")
    direct = kind == "dm"
    theirs = not direct or state.owner_id == reader
    wanted = theirs and state.state not in cards.CLOSED
    shown = cards.lead_card(state, personal=direct and theirs, elsewhere=not theirs)
    text = cards.card_text(state, personal=direct and theirs)
    payload = {"lead_id": state.lead_id, "destination": destination, "external_id": state.external_id or ""}
    digest = hashlib.sha256(json.dumps([text, shown], sort_keys=True).encode()).hexdigest()
    metadata = {"event_type": names.CARD_EVENT, "event_payload": payload}
    return Shown(state.lead_id, state.tier, text, shown, metadata, digest, wanted)


def _blank(house: House, lead_id: int, destination: str) -> Shown:
    """What is left of an erased person's card: nothing about them. Raises `Skippable` when there is no such lead."""
    lead = house.leads.get(lead_id)
    if lead is None:
        raise Skippable("The lead is gone.")
    metadata = {
        "event_type": names.CARD_EVENT,
        "event_payload": {"lead_id": lead.id, "destination": destination, "external_id": ""},
    }
    return Shown(lead.id, Tier.UNKNOWN, cards.ERASED, cards.erased_card(), metadata, BLANK, False)


def _shares(house: House, lead_id: int, destination: str, ahead: int) -> bool:
    """Whether the lead is named in the channel's roundup instead of a card of its own; if so, the roundup is asked for. `ahead` is
    how many cards wait for their turn there."""
    kind, _, name = destination.partition(":")
    if kind != "channel":
        return False
    slack = house.settings.slack
    if house.cards.get(lead_id, ROUNDUP + name) is None:
        lately = house.clock.now() - timedelta(minutes=slack.merge_minutes)
        if house.cards.posted_since(destination, lately) + ahead < slack.channel_cards:
            return False
    ask_roundup(house, name, lead_id)
    return True


def _hold(house: House, destination: str, tier: Tier) -> None:
    """Raise `Held` when the rep does not want to be told of such a lead at this hour."""
    kind, _, rep_id = destination.partition(":")
    if kind == "dm" and not (tier in HOT and house.settings.slack.hot_in_quiet_hours):
        keep_quiet(house, rep_id)


def register(house: House) -> None:
    """Take Slack's effects over. Without a bot token nothing is registered, and Slack's rows wait."""
    if not house.slack_configured:
        return
    notifier = Notifier(api_for(house))
    for kind in (EffectKind.SLACK_CARD, EffectKind.SLACK_DIGEST, EffectKind.SLACK_ROUNDUP, EffectKind.SLACK_HOME):
        HANDLERS[kind] = notifier
    HANDLERS[EffectKind.SLACK_BOARD] = Board(notifier.sender)
    HANDLERS[EffectKind.SLACK_REDRAW] = Redraw(notifier.sender)
    threads = Threads(notifier.sender)
    HANDLERS[EffectKind.SLACK_THREAD] = HANDLERS[EffectKind.SLACK_REMINDER] = threads
    HANDLERS[EffectKind.SLA_ALERT] = Reminders(notifier.sender)
