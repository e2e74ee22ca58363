"""The notification channel: made, looked at and renewed before it lapses.

Source: Zoho's guide "Notification APIs" and its questions and answers: a channel lives an hour unless asked for longer, and at most
a week.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.adapters.zoho.calls import ZohoCalls, code_error
from connector.clock import Clock
from connector.errors import Configuration
from connector.reading import read_time

EVENTS: Final = ("Leads.all",)
#: A little less than the week that Zoho allows, so that its clock and ours may differ.
LIVES: Final = timedelta(days=6, hours=23)
#: Renewed once so little is left: three days in which the clock may stand still.
RENEWED_WITH: Final = timedelta(days=3)


class Channel:
    """The one channel of a connection."""

    def __init__(self, calls: ZohoCalls, clock: Clock, connection: str, webhook_url: str, token: str | None) -> None:
        self._calls, self._clock = calls, clock
        self._connection, self._webhook_url, self._token = connection, webhook_url, token
        # a number of our own choosing: the same for this connection in every process, another one for every other
        self.id = str(10**15 + int.from_bytes(hashlib.sha256(f"{connection} {webhook_url}".encode()).digest()[:6], "big"))

    def expiry(self) -> datetime | None:
        """Until when it lives; None when there is none, or it tells another address."""
        answer = self._calls.call("GET", "actions/watch", params={"channel_id": self.id})
        ends = [
            read_time(one["channel_expiry"])
            for one in answer.get("watch") or ()
            if one.get("channel_expiry") and str(one.get("notify_url")) == self._webhook_url
        ]
        alive = [end for end in ends if end > self._clock.now()]
        return min(alive) if alive else None

    def keep(self) -> str | None:
        """Make or renew it when it needs that; what was done."""
        end = self.expiry()
        if end is not None and end - self._clock.now() > RENEWED_WITH:
            return None
        if self._token is None:
            raise Configuration(f"{self._connection} has no webhook_secrets.", "Set it to a random token of at most 50 characters.")
        lives_until = self._clock.now() + LIVES
        watch: dict[str, Any] = {
            "channel_id": self.id,
            "events": list(EVENTS),
            "channel_expiry": lives_until.astimezone(UTC).isoformat(timespec="seconds"),
            "token": self._token,
            "notify_url": self._webhook_url,
            "notify_on_related_action": False,
            "return_affected_field_values": False,
        }
        answer = self._calls.call("POST" if end is None else "PUT", "actions/watch", body={"watch": [watch]})
        for row in answer.get("watch") or ():
            if row.get("status") != "success":
                raise code_error(row, "the notification channel")
        return f"{'made' if end is None else 'renewed'}, lives until {lives_until:%Y-%m-%d %H:%M} UTC"
