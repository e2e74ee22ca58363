"""What happened to a lead, told in the thread of its card: in order, alike things merged, without a sound. And the reminder of a
lead that was put off, which does make one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

from bots.slack import names
from bots.slack.blocks import section
from bots.slack.sender import Sender, keep_quiet
from bots.slack.shared import since
from bots.slack.text import say, when
from connector import commands
from connector.commands.words import OUTCOMES
from connector.errors import Fatal, Skippable
from connector.pipeline.alerts import BACK, ask_cards
from connector.pipeline.threads import TOLD
from connector.storage.cards import Card
from connector.storage.threads import Event, Told
from leads.enums import EffectKind, EngagementKind

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.commands import CardState
    from connector.storage.effects import Effect

LINES: Final = 10
#: Engagements whose name does not read as a sentence.
ACTS: Final[dict[EngagementKind, str]] = {
    EngagementKind.EMAIL_OPENED: "Opened an e-mail",
    EngagementKind.EMAIL_CLICKED: "Clicked a link in an e-mail",
    EngagementKind.EMAIL_REPLIED: "Replied to an e-mail",
    EngagementKind.EMAIL_BOUNCED: "An e-mail bounced",
    EngagementKind.EMAIL_DROPPED: "An e-mail was not sent",
    EngagementKind.SPAM_REPORTED: "Reported spam",
    EngagementKind.FORM_SUBMITTED: "Submitted a form",
    EngagementKind.PAGE_VIEWED: "Viewed a page",
    EngagementKind.CONTENT_DOWNLOADED: "Downloaded content",
    EngagementKind.VIDEO_WATCHED: "Watched a video",
    EngagementKind.MEETING_BOOKED: "Booked a meeting",
    EngagementKind.MEETING_ATTENDED: "Came to the meeting",
    EngagementKind.MEETING_MISSED: "Missed the meeting",
    EngagementKind.MESSAGE_RECEIVED: "Wrote a message",
    EngagementKind.CALL_ANSWERED: "Answered a call",
    EngagementKind.CALL_MISSED: "Missed a call",
    EngagementKind.PRODUCT_USED: "Used the product",
}
#: Audited acts that are told, with how.
DEEDS: Final[dict[str, str]] = {
    "lead.assigned": "Given out",
    "lead.overridden": "Given to another rep",
    "lead.held": "Put on the waiting list",
    "lead.accepted": "Accepted",
    "lead.passed": "Passed on",
    "lead.snoozed": "Snoozed",
    "lead.merged": "Joined with another record of the same person",
    "lead.deleted": "Deleted in the CRM",
    **{f"lead.{outcome}": words for outcome, words in OUTCOMES.items()},
    **{f"{verb}.undone": f"Undone: {words}" for verb, words in [
        ("accept", "accepting"), ("pass", "passing it on"), ("reassign", "giving it to another rep"), ("claim", "claiming"),
        ("snooze", "snoozing"), ("outcome", "the outcome"),
    ]},
}  # fmt: skip


class Threads:
    """Delivers thread effects and reminders. Safe to share between threads of a process."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Tell it; returns `channel:ts`. Raises only errors of `connector.errors`."""
        state = commands.card(house, effect.lead_id or 0)
        if state is None:
            raise Skippable("The lead is gone.")
        if effect.kind is EffectKind.SLACK_REMINDER:
            return self._remind(house, effect, state, in_doubt)
        destination = str(effect.payload.get("destination") or "")
        card = house.cards.get(state.lead_id, destination)
        if card is None or not card.ts:
            raise Skippable("The lead has no card there any more.")
        kind, _, rep_id = destination.partition(":")
        if kind == "dm":
            keep_quiet(house, rep_id)
        return self._tell(house, effect, card, in_doubt)

    # -- what happened

    def _tell(self, house: House, effect: Effect, card: Card, in_doubt: bool) -> str:
        marker = {"effect_id": effect.id}
        if in_doubt and (sent := self._sender.api.find_reply(card.channel, card.ts, names.THREAD_EVENT, marker)) is not None:
            told = Told(int(sent[1].get("engagement_id") or 0), int(sent[1].get("audit_id") or 0))
            house.threads.save(card.lead_id, card.destination, told)
            return f"{card.channel}:{sent[0]}"
        known = house.threads.told(card.lead_id, card.destination)
        posted = datetime.fromtimestamp(float(card.ts), UTC) if known is None else None
        events, upto = house.threads.since(card.lead_id, known or Told(), posted, tuple(DEEDS))
        lines = [line for line in _lines(house, events) if line]
        if not lines:
            house.threads.save(card.lead_id, card.destination, upto)
            raise Skippable("Nothing happened that its thread has to tell.")
        payload = {**marker, "engagement_id": upto.engagement_id, "audit_id": upto.audit_id}
        metadata = {"event_type": names.THREAD_EVENT, "event_payload": payload}
        text = "Something happened to a lead" if len(lines) == 1 else f"{len(lines)} things happened to a lead"
        channel, ts = self._sender.post(house, effect, card.channel, text, [section("\n".join(lines))], metadata, card.ts)
        house.threads.save(card.lead_id, card.destination, upto)
        return f"{channel}:{ts}"

    # -- a lead that was put off

    def _remind(self, house: House, effect: Effect, state: CardState, in_doubt: bool) -> str:
        snooze_id = int(effect.payload.get("snooze_id") or 0)
        rep_id = house.snoozes.rep_of(snooze_id)
        if rep_id is None:
            raise Skippable("The lead came back before.")
        if state.owner_id != rep_id or state.state in ("won", "lost"):
            house.snoozes.run_out(snooze_id)
            raise Skippable("The lead went on before it came back.")
        rep, card = house.reps.get(rep_id), house.cards.get(state.lead_id, f"dm:{rep_id}")
        if rep is None:
            raise Fatal("A reminder names no rep.")
        channel, thread = (card.channel, card.ts) if card else (self._sender.channel(house, f"dm:{rep_id}"), None)
        sent = self._sent(effect, channel, thread) if in_doubt else None
        ts = sent or ""
        if sent is None:
            mention = f"<@{rep.slack_user_id}> " if rep.slack_user_id else ""
            text = f"{mention}*{say(state.name, 150)}* is back: you put it off until now."
            metadata = {"event_type": names.THREAD_EVENT, "event_payload": {"effect_id": effect.id}}
            channel, ts = self._sender.post(house, effect, channel, "A lead you put off is back", [section(text)], metadata, thread)
        with house.db.transaction():
            if thread is None:
                house.cards.save(Card(state.lead_id, BACK + rep_id, channel, ts, ""))
            house.snoozes.run_out(snooze_id)
            if ask_cards(house, state.lead_id, state.tier, state.owner_id):
                house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
        return f"{channel}:{ts}"

    def _sent(self, effect: Effect, channel: str, thread: str | None) -> str | None:
        """The timestamp of a reminder that a crash kept us from remembering: in the thread of the card, or beside it if there was
        none then."""
        marker, found = {"effect_id": effect.id}, None
        if thread is not None:
            found = self._sender.api.find_reply(channel, thread, names.THREAD_EVENT, marker)
        if found is None:
            found = self._sender.api.find(channel, since(effect), names.THREAD_EVENT, marker)
        return found[0] if found else None


def _lines(house: House, events: Sequence[Event]) -> list[str]:
    """One line an event, neighbours of one kind merged; the newest ten, and how many there were before."""
    told = [event for event in events if event.engagement is None or event.engagement in TOLD]
    lines = []
    for words, group in groupby(told, key=lambda event: _words(house, event)):
        alike = list(group)
        times = f" ×{len(alike)}" if len(alike) > 1 else ""
        lines.append(f"{words}{times} · {when(alike[-1].at)}")
    before = len(lines) - LINES
    return [f"{before} things before", *lines[-LINES:]] if before > 0 else lines


def _words(house: House, event: Event) -> str:
    if event.engagement is not None:
        return ACTS.get(event.engagement, event.engagement.value.replace("_", " ").capitalize())
    return f"{DEEDS[event.action]} by {_who(house, event.actor)}"


def _who(house: House, actor: str) -> str:
    """An actor as people know them, without pinging anybody."""
    kind, _, name = actor.partition(":")
    if kind == "slack":
        rep = house.reps.by_slack(name)
        return say(rep.name, 120) if rep else "a manager"
    return {"crm": "somebody in the CRM", "engine": "Leadswitch", "api": "another program"}.get(kind, "an operator")
