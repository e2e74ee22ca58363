"""The outbox's Slack end: one card a lead and destination, posted once and edited from then on; and the digests.

A destination is `dm:<rep id>` or `channel:#name`. What a card shows is read when it is sent, so that a late or repeated effect
does no harm; a hash of what was sent last saves the edit that would change nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from bots.slack import blocks, names
from bots.slack.client import NeedsMending, RateLimited, Refused, SlackApi, api_of
from bots.slack.pace import Pace
from connector import commands
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.pipeline.deliver import HANDLERS
from connector.storage.cards import Card
from connector.storage.effects import Effect
from leads.enums import EffectKind

if TYPE_CHECKING:
    from connector.bootstrap import House

#: How far before the effect was asked for a message in doubt is looked for: an earlier effect may have stood for the same card.
LOOK_BACK: Final = timedelta(hours=1)


#: Edits have no limit a channel. Slack promises 50 a minute for the workspace and lets bursts pass; when it answers 429 every edit
#: waits, by this bucket, which otherwise stops nobody.
EDITS: Final = "slack:chat.update"
EDITS_A_SECOND: Final = 100

#: Slack's words for a message of ours that cannot be edited any more.
LOST: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


@dataclass(frozen=True, slots=True)
class Shown:
    """A card as it should stand. `wanted` is false when its reader does not hold the lead: then it is edited, but not posted."""

    lead_id: int
    text: str
    blocks: Sequence[Any]
    metadata: Mapping[str, Any]
    digest: str
    wanted: bool


class Notifier:
    """Sends Slack's effects. Safe to share between threads."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._pace = Pace()

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Bring Slack to the wanted state; returns `channel:ts`. Raises only errors of `connector.errors`."""
        if effect.kind is EffectKind.SLACK_DIGEST:
            return self._digest(house, effect, in_doubt)
        return self._card(house, effect, in_doubt)

    # -- cards

    def _card(self, house: House, effect: Effect, in_doubt: bool) -> str:
        destination = destination_of(effect)
        shown = _render(house, effect, destination)
        card = house.cards.get(shown.lead_id, destination)
        if card is None and (in_doubt or shown.wanted):
            channel = self._channel(house, destination)
            card = self._found(effect, destination, channel, shown) if in_doubt else None
        if card is None and not shown.wanted:
            raise Skippable("The lead went on before this rep was told of it.")
        if card is not None and card.digest != shown.digest:
            channel, card = card.channel, self._edited(house, card, shown)
        if card is None:
            posted, ts = self._post(house, effect, channel, shown.text, shown.blocks, shown.metadata)
            card = Card(shown.lead_id, destination, posted, ts, shown.digest)
            house.cards.save(card)
        return f"{card.channel}:{card.ts}"

    def _edited(self, house: House, card: Card, shown: Shown) -> Card | None:
        """The card after the edit; None when somebody deleted the message, since the lead still has to be seen."""
        try:
            with self._held_back(house, EDITS):
                self._api.edit(card.channel, card.ts, shown.text, shown.blocks, shown.metadata)
        except Refused as error:
            if error.code not in LOST:
                raise
            house.cards.forget(card.lead_id, card.destination)
            return None
        edited = replace(card, digest=shown.digest)
        house.cards.save(edited)
        return edited

    def _found(self, effect: Effect, destination: str, channel: str, shown: Shown) -> Card | None:
        """The card that a crash kept us from remembering; without a digest, so that it is edited to what holds now."""
        found = self._api.find(channel, _since(effect), names.CARD_EVENT, shown.metadata["event_payload"])
        return Card(shown.lead_id, destination, channel, found[0], "") if found else None

    # -- digests

    def _digest(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        channel = self._channel(house, destination_of(effect))
        lead_ids = [int(lead_id) for lead_id in effect.payload.get("lead_ids", ())]
        marker = {"effect_id": effect.id}
        sent = self._api.find(channel, _since(effect), names.DIGEST_EVENT, marker) if in_doubt else None
        if sent is not None:  # it got there: only what came since is left to tell
            lead_ids = [lead_id for lead_id in lead_ids if lead_id not in (sent[1].get("lead_ids") or ())]
        cards = [card for card in (commands.card(house, lead_id) for lead_id in lead_ids) if card is not None]
        if not cards:
            if sent is not None:
                return f"{channel}:{sent[0]}"
            raise Skippable("No lead of this digest is left.")
        metadata = {"event_type": names.DIGEST_EVENT, "event_payload": {**marker, "lead_ids": lead_ids}}
        posted, ts = self._post(house, effect, channel, blocks.digest_text(len(cards)), blocks.digest(cards), metadata)
        return f"{posted}:{ts}"

    # -- where to, and how fast

    def _channel(self, house: House, destination: str) -> str:
        """The id of the channel or direct conversation to post to."""
        kind, _, name = destination.partition(":")
        if kind == "channel" and name:
            return self._api.channel_id(name)
        rep = house.reps.get(name) if kind == "dm" else None
        if rep is None:
            raise Fatal(f"A Slack message has no known destination ({kind}).")
        if rep.slack_dm:
            return rep.slack_dm
        user = rep.slack_user_id
        if user is None:
            if rep.email is None:
                raise Configuration(
                    f"Rep {rep.id} has no e-mail address, so that Slack cannot be asked who it is.", "Add it in the CRM."
                )
            try:
                user = self._api.user_by_email(rep.email)
            except NeedsMending as error:
                raise Configuration(f"Rep {rep.id}: {error}") from None
        dm = self._api.open_dm(user)
        house.reps.link_slack(rep.id, user, dm)
        return dm

    def _post(
        self, house: House, effect: Effect, channel: str, text: str, shown: Sequence[Any], metadata: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Post when it is our turn in the channel; `Retriable` with the wait when it is not."""
        self._pace.wait_for_turn(house, channel, effect.id)
        with self._held_back(house, f"slack:{channel}"):
            return self._api.post(channel, text, shown, metadata)

    @contextmanager
    def _held_back(self, house: House, bucket: str) -> Iterator[None]:
        """When Slack says that we were too fast, every worker keeps back for as long as it asks."""
        if bucket == EDITS and (wait := house.budget.take(EDITS, capacity=EDITS_A_SECOND, per_s=1.0)) > 0:
            raise Retriable("Slack asked to wait before the next edit.", wait)
        try:
            yield
        except RateLimited as error:
            house.budget.hold(bucket, error.delay_s or 1.0)
            raise


def destination_of(effect: Effect) -> str:
    """The Slack destination that an effect names: a digest names its rep."""
    return str(effect.payload.get("destination") or f"dm:{effect.payload.get('rep_id', '')}")


def _render(house: House, effect: Effect, destination: str) -> Shown:
    """The card of a lead as the lead stands now. Raises `Skippable` when the lead is gone."""
    if effect.lead_id is None:
        raise Fatal("A card effect names no lead.")
    state = commands.card(house, effect.lead_id)
    if state is None:
        raise Skippable("The lead is gone.")
    kind, _, reader = destination.partition(":")
    direct = kind == "dm"
    wanted = not direct or state.owner_id == reader
    shown = blocks.lead_card(state, personal=direct and wanted, elsewhere=not wanted)
    text = blocks.card_text(state, personal=direct)
    payload = {"lead_id": effect.lead_id, "destination": destination, "external_id": state.external_id or ""}
    digest = hashlib.sha256(json.dumps([text, shown], sort_keys=True).encode()).hexdigest()
    return Shown(effect.lead_id, text, shown, {"event_type": names.CARD_EVENT, "event_payload": payload}, digest, wanted)


def _since(effect: Effect) -> float:
    """From when on a message in doubt can stand, in seconds since 1970."""
    return (effect.created_at - LOOK_BACK).timestamp() if effect.created_at else 0.0


def register(house: House) -> None:
    """Take Slack's effects over. Without a bot token nothing is registered, and Slack's rows wait."""
    if house.settings.slack.bot_token is None:
        return
    notifier = Notifier(api_of(house.settings.slack))
    HANDLERS[EffectKind.SLACK_CARD] = notifier
    HANDLERS[EffectKind.SLACK_DIGEST] = notifier
