"""What Slack tells of deadlines and of playbooks: a reminder to the rep, an alert to whoever leads the team. Those of one place
share a message."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bots.slack.blocks import Block, context, section
from bots.slack.sender import Sender, keep_quiet
from bots.slack.shared import since, still_open
from bots.slack.text import say
from connector import commands
from connector.errors import Configuration, Retriable, Skippable
from connector.pipeline.alerts import DEADLINES
from connector.playbooks.alerts import ALERT as PLAYBOOK
from connector.playbooks.alerts import alert_of
from connector.storage.cards import Card
from leads.enums import EffectKind

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.effects import Effect

EVENT: Final = "leadswitch_deadline"
#: (stage, result) → the sentence. {lead} and {rep} are filled in when it is sent.
WORDS: Final = {
    ("remind", "reminded"): "{lead} waits for you: please accept or pass.",
    ("alert", "alerted"): "{lead} still waits for {rep} to accept.",
    ("accept", "missed"): "{rep} has not accepted {lead} in time.",
    ("accept", "alone"): "{rep} has not accepted {lead} in time, and nobody else can take it now: it stays with {rep}.",
    ("accept", "rerouted"): "{rep} has not accepted {lead} in time: it goes to {now}.",
    ("contact", "missed"): "{rep} has not been in touch with {lead} in time.",
    ("contact", "alone"): "{rep} has not been in touch with {lead} in time, and nobody else can take it now: it stays with {rep}.",
    ("contact", "rerouted"): "{rep} has not been in touch with {lead} in time: it goes to {now}.",
}
#: Deadlines one message lists, and one message remembers; the rest are counted.
LISTED: Final = 40
MOST: Final = 200
#: How long one worker may be at the message of a place, and how long another waits for it.
LEASE_S: Final = 30.0
WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One deadline in a message: of which lead, which step with which result, and the rep who held it then."""

    lead_id: int
    stage: str
    result: str
    rep_id: str

    @property
    def mark(self) -> str:
        """How it is kept beside the lead."""
        return f"{self.stage}:{self.result}:{self.rep_id}"


class Reminders:
    """Sends the alerts of the SLA. Safe to share between threads.

    A place has one message for `slack.merge_minutes`: what falls due in it is added by editing, and what waits already is taken
    along, so that a burst of deadlines is one post and few edits.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Post the message or add to it; returns `channel:ts`. Raises only errors of `connector.errors`."""
        line, place = line_of(effect), str(effect.payload["destination"])
        text = words(house, line)
        if text is None:
            raise Skippable("The lead is gone, was accepted or went on meanwhile.")
        if line.stage == PLAYBOOK and place.startswith("dm:"):  # a deadline cannot wait, this can
            keep_quiet(house, place.removeprefix("dm:"))
        channel = self._channel(house, place)
        lease, holder = f"lease:{DEADLINES}{place}", f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
        if not house.cells.lease(lease, holder, LEASE_S):
            raise Retriable("Another worker is at this message.", WAIT_S)
        try:
            return f"{channel}:{self._shown(house, effect, line, channel, in_doubt)}"
        finally:
            house.cells.lease(lease, holder, -1.0)

    def _shown(self, house: House, effect: Effect, line: Line, channel: str, in_doubt: bool) -> str:
        """The timestamp of the message that names this deadline, after it was brought to do so."""
        place = str(effect.payload["destination"])
        known, marker = house.cards.get(line.lead_id, DEADLINES + place), {"effect_id": effect.id}
        if known is not None and known.digest == line.mark:
            return known.ts  # another took it along
        if in_doubt and (sent := self._sender.api.find(channel, since(effect), EVENT, marker)) is not None:
            _keep(house, place, channel, sent[0], [line])
            return sent[0]
        waiting = [line_of(other) for other in house.effects.open_for(EffectKind.SLA_ALERT, place, MOST)]
        new = {one.lead_id: one for one in [*waiting, line]}  # of one lead the newest
        open_one = still_open(house, house.cards.newest(DEADLINES + place))
        metadata = {"event_type": EVENT, "event_payload": marker}
        if open_one is not None:
            listed = [read_line(card) for card in house.cards.sharing(DEADLINES + place, open_one.ts) if card.lead_id not in new]
            every = [*listed, *new.values()]
            if self._sender.edit(house, channel, open_one.ts, *deadlines(house, place, every), metadata):
                _keep(house, place, channel, open_one.ts, new.values())
                return open_one.ts
        posted, ts = self._sender.post(house, effect, channel, *deadlines(house, place, list(new.values())), metadata)
        _keep(house, place, posted, ts, new.values())
        return ts

    def _channel(self, house: House, destination: str) -> str:
        """The conversation behind a destination; `manager:N` is the N-th of `slack.managers`, a Slack user id or e-mail address."""
        kind, _, place = destination.partition(":")
        if kind != "manager":
            return self._sender.channel(house, destination)
        managers = house.settings.slack.managers
        if int(place) >= len(managers):
            raise Configuration("slack.managers has fewer names than when the deadline passed.", "See docs/configuration.md.")
        named = managers[int(place)]
        user = self._sender.api.user_by_email(named) if "@" in named else named
        return self._sender.api.open_dm(user)


def line_of(effect: Effect) -> Line:
    """What an alert of the SLA tells."""
    told = effect.payload
    return Line(effect.lead_id or 0, str(told["stage"]), str(told["result"]), str(told["rep_id"]))


def read_line(card: Card) -> Line:
    """The deadline that a message remembers beside a lead."""
    stage, result, rep_id = card.digest.split(":")
    return Line(card.lead_id, stage, result, rep_id)


def _keep(house: House, place: str, channel: str, ts: str, lines: Iterable[Line]) -> None:
    """Remember that these stand in this message."""
    with house.db.transaction():
        for line in lines:
            house.cards.save(Card(line.lead_id, DEADLINES + place, channel, ts, line.mark))


def words(house: House, line: Line) -> str | None:
    """The sentence of a deadline; None when nothing is left to say of it."""
    card = commands.card(house, line.lead_id)
    if card is not None and line.stage == PLAYBOOK:
        alert = alert_of(house, line.lead_id, line.result)
        return f"*{say(card.name)}*: {say(alert)}" if alert else None
    if card is None or (line.result in ("reminded", "alerted") and (card.owner_id != line.rep_id or card.state == "accepted")):
        return None
    rep = house.reps.get(line.rep_id)
    return WORDS[line.stage, line.result].format(
        lead=f"*{say(card.name)}*", rep=say(rep.name if rep else "The rep"), now=say(card.owner_name or "the waiting list")
    )


def deadlines(house: House, place: str, lines: Sequence[Line]) -> tuple[str, list[Block]]:
    """Notification and blocks of a place's message, the newest deadline first. The notification names nobody."""
    shown: list[str] = []
    for line in reversed(lines):
        if len(shown) == LISTED:
            break
        if (text := words(house, line)) is not None:
            shown.append(text)
    more = len(lines) - LISTED
    blocks = [section(text) for text in shown]
    if more > 0:
        blocks.append(context(f"and {more} more: see the queue of the rep."))
    blocks = blocks or [section("Nothing waits here any more.")]
    to_rep = place.startswith("dm:") and all(line.stage == "remind" for line in lines)
    told = any(line.stage == PLAYBOOK for line in lines)
    if len(lines) == 1:
        return ("A lead waits for you" if to_rep else "A lead needs you" if told else "A deadline needs you"), blocks
    return (f"{len(lines)} leads wait for you" if to_rep else f"{len(lines)} {'leads' if told else 'deadlines'} need you"), blocks
