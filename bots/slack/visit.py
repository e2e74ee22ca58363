"""One person's one request, and the ways to answer them. Answers are seen by that person alone, unless they share one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from allocation.hours import zone_of
from bots.slack.blocks import paragraphs, section
from bots.slack.client import Refused, SlackApi
from bots.slack.text import say
from connector.errors import Configuration, Fatal, Retriable

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from connector.bootstrap import House
    from connector.storage.reps import StoredRep

log = structlog.get_logger(__name__)

#: Slack's words for a form that came too late: a trigger is good for three seconds, and once.
LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged"})
TOO_LATE = "That took longer than Slack lets a form wait. Nothing was changed: please press again."


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, from where. `channel` and `response_url` are empty where Slack gave none; `message_ts` is the message that was
    clicked, unless only that person sees it."""

    house: House
    api: SlackApi
    user: str
    channel: str = ""
    response_url: str = ""
    trigger_id: str = ""
    message_ts: str = ""

    def tell(self, text: str, blocks: Sequence[Any] | None = None, *, shared: bool = False) -> None:
        """Answer: under the response_url, else in the channel. Only the person sees it, unless it is `shared` on purpose.

        Raises `Retriable` when Slack cannot be reached.
        """
        kind = "in_channel" if shared and self.response_url else "ephemeral"
        message: dict[str, Any] = {"response_type": kind, "replace_original": False, "text": text}
        blocks = list(blocks) if blocks else paragraphs(text)
        message["blocks"] = blocks
        if self.response_url:
            try:
                self.api.respond(self.response_url, message)
                return
            except Fatal as error:
                log.info("slack.response_url_refused", error=str(error))
        self._whisper(text, blocks)

    def _whisper(self, text: str, blocks: Sequence[Any] | None) -> None:
        if not self.channel:
            log.warning("slack.answer_lost", why="neither response_url nor channel")
            return
        try:
            self.api.whisper(self.channel, self.user, text, blocks)
        except (Fatal, Configuration) as error:
            log.warning("slack.answer_lost", why=str(error))

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which this person's dates are read; see `zone_for`."""
        return self._zone(self.house.reps.by_slack(self.user), self.user)

    def zone_for(self, rep: StoredRep) -> ZoneInfo:
        """The zone in which a rep's dates are read, whoever writes: the one set for the rep, else Slack's, else the policy's."""
        return self._zone(rep, rep.slack_user_id)

    def _zone(self, rep: StoredRep | None, user: str | None) -> ZoneInfo:
        names = (rep.settings.get("timezone") if rep else None, self.api.zone_of(user) if user else None)
        for name in names:
            try:
                if name:
                    return zone_of(str(name))
            except ValueError:
                log.warning("slack.zone_unknown")
        return zone_of(self.house.policy.calendar.zone)

    def private(self, **about: Any) -> str:
        """What a form brings back: what it is about, and where to answer."""
        return json.dumps({**about, "channel": self.channel, "response_url": self.response_url})

    def report(self, text: str, *, safe: bool = False) -> None:
        """Say how something that is done already ended; `safe` when the text is escaped already. If Slack cannot be reached the
        answer is lost, not the deed: trying again would do it a second time."""
        try:
            self.tell(text if safe else say(text, 1000))
        except Retriable as error:
            log.warning("slack.answer_lost", why=str(error))

    def settle(self, text: str, metadata: Mapping[str, Any]) -> None:
        """Put how a request ended (safe mrkdwn) in the place of its buttons, for everybody who was asked. It is decided either way:
        a message that cannot be edited keeps its buttons, and these say so."""
        if not self.message_ts:
            return
        try:
            self.api.edit(self.channel, self.message_ts, "This was decided", [section(text)], metadata)
        except (Fatal, Configuration, Retriable) as error:
            log.warning("slack.request_not_settled", why=str(error))

    def open_form(self, view: Mapping[str, Any]) -> None:
        """Open a modal, or say that it came too late."""
        try:
            self.api.open_form(self.trigger_id, view)
        except Refused as error:
            if error.code not in LATE:
                raise
            self.tell(TOO_LATE)
