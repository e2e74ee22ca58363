"""One person's one request, and the ways to answer them. Answers are seen by that person alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from bots.slack.client import Refused, SlackApi
from bots.slack.text import say
from connector.errors import Configuration, Fatal, Retriable

if TYPE_CHECKING:
    from connector.bootstrap import House

log = structlog.get_logger(__name__)

#: Slack's words for a form that came too late: a trigger is good for three seconds, and once.
LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged"})
TOO_LATE = "That took longer than Slack lets a form wait. Nothing was changed: please press again."


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, from where. `channel` and `response_url` are empty where Slack gave none."""

    house: House
    api: SlackApi
    user: str
    channel: str = ""
    response_url: str = ""
    trigger_id: str = ""

    def tell(self, text: str, blocks: Sequence[Any] | None = None) -> None:
        """Answer: under the response_url, else in the channel. Raises `Retriable` when Slack cannot be reached."""
        message: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        if blocks:
            message["blocks"] = list(blocks)
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

    def report(self, text: str) -> None:
        """Say how something that is done already ended. If Slack cannot be reached the answer is lost, not the deed: trying
        again would do it a second time."""
        try:
            self.tell(say(text, 1000))
        except Retriable as error:
            log.warning("slack.answer_lost", why=str(error))

    def open_form(self, view: Mapping[str, Any]) -> None:
        """Open a modal, or say that it came too late."""
        try:
            self.api.open_form(self.trigger_id, view)
        except Refused as error:
            if error.code not in LATE:
                raise
            self.tell(TOO_LATE)
