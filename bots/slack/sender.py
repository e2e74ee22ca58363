"""Posting and editing within Slack's limits, all workers together, and the channels to post to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bots.slack.client import NeedsMending, RateLimited, Refused, SlackApi
from bots.slack.pace import Pace
from connector.errors import Configuration, Fatal, Retriable
from connector.pipeline.deliver import Held
from connector.pipeline.wishes import wishes_of

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.effects import Effect

#: Edits have no limit a channel. Slack promises 50 a minute for the workspace and lets bursts pass; when it answers 429 every edit
#: waits, by this bucket, which otherwise stops nobody.
EDITS: Final = "slack:chat.update"
EDITS_A_SECOND: Final = 100

#: Slack's words for a message of ours that cannot be edited any more.
LOST: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class Sender:
    """Slack as all handlers of a worker share it. Safe to share between threads."""

    def __init__(self, api: SlackApi) -> None:
        self.api = api
        self._pace = Pace()

    def post(
        self,
        house: House,
        effect: Effect,
        channel: str,
        text: str,
        blocks: Sequence[Any],
        metadata: Mapping[str, Any],
        thread_ts: str | None = None,
    ) -> tuple[str, str]:
        """Post when it is our turn in the channel, and return channel and timestamp; `Retriable` with the wait when it is not."""
        self._pace.wait_for_turn(house, channel, effect.id)
        with self.held_back(house, f"slack:{channel}"):
            if thread_ts is None:
                return self.api.post(channel, text, blocks, metadata)
            return self.api.post(channel, text, blocks, metadata, thread_ts)

    def ahead(self, house: House, effect: Effect, channel: str) -> int:
        """How many messages wait for their turn in the channel before this one."""
        return self._pace.ahead(house, channel, effect.id)

    def edit(self, house: House, channel: str, ts: str, text: str, blocks: Sequence[Any], metadata: Mapping[str, Any]) -> bool:
        """Edit a message of ours; false when somebody deleted it."""
        try:
            with self.held_back(house, EDITS):
                self.api.edit(channel, ts, text, blocks, metadata)
        except Refused as error:
            if error.code not in LOST:
                raise
            return False
        return True

    @contextmanager
    def held_back(self, house: House, bucket: str) -> Iterator[None]:
        """When Slack says that we were too fast, every worker keeps back for as long as it asks."""
        if bucket == EDITS and (wait := house.budget.take(EDITS, capacity=EDITS_A_SECOND, per_s=1.0)) > 0:
            raise Retriable("Slack asked to wait before the next edit.", wait)
        try:
            yield
        except RateLimited as error:
            house.budget.hold(bucket, error.delay_s or 1.0)
            raise

    def channel(self, house: House, destination: str) -> str:
        """The id of the channel or direct conversation behind `channel:#name` or `dm:<rep id>`."""
        kind, _, name = destination.partition(":")
        if kind == "channel" and name:
            return self.api.channel_id(name)
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
                user = self.api.user_by_email(rep.email)
            except NeedsMending as error:
                raise Configuration(f"Rep {rep.id}: {error}") from None
        dm = self.api.open_dm(user)
        house.reps.link_slack(rep.id, user, dm)
        return dm


def keep_quiet(house: House, rep_id: str) -> None:
    """Raise `Held` in the quiet hours of a rep, until their end."""
    rep = house.reps.get(rep_id)
    until = wishes_of(house, rep).quiet_until(house.clock.now()) if rep else None
    if until is not None:
        raise Held("Quiet hours of the rep.", until)
