"""Token rotation: a bot token lives twelve hours, and its refresh token brings the next pair. All processes share the newest one.

https://docs.slack.dev/authentication/using-token-rotation
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from connector.errors import Configuration, Retriable

if TYPE_CHECKING:
    from connector.bootstrap import House

log = structlog.get_logger(__name__)

NAME: Final = "slack"
LEASE: Final = "lease:slack-token"
LEASE_S: Final = 30.0
#: A token is renewed so long before it expires.
AHEAD: Final = timedelta(minutes=30)
WAIT_S: Final = 2.0
MEND: Final = "Install the app again and copy its bot token and refresh token into slack.bot_token and slack.refresh_token."


class TokenRotation:
    """The bot token of now. Safe to share between threads."""

    def __init__(self, house: House) -> None:
        slack = house.settings.slack
        if not (slack.bot_token and slack.refresh_token and slack.client_id and slack.client_secret):
            raise Configuration(
                "slack.refresh_token needs bot_token, client_id and client_secret beside it.",
                "Copy them from the app's Basic Information page.",
            )
        self._house = house
        self._client = slack.client_id.get_secret_value(), slack.client_secret.get_secret_value()
        self._first = {"bot_token": slack.bot_token.get_secret_value(), "refresh_token": slack.refresh_token.get_secret_value()}
        #: A new installation has another refresh token: what was kept of the old one is no good then.
        self._origin = hashlib.sha256(self._first["refresh_token"].encode()).hexdigest()
        quiet = logging.getLogger("bots.slack.sdk")
        quiet.setLevel(logging.CRITICAL)
        base = slack.base_url if slack.base_url.endswith("/") else slack.base_url + "/"
        self._web = WebClient(base_url=base, timeout=10, retry_handlers=[], logger=quiet)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._lock = threading.Lock()
        self._kept: dict[str, Any] = self._load()

    def current(self) -> str:
        """The token to call with. Renews it when it is about to expire. Raises what `renew` raises."""
        until = self._kept.get("expires_at")
        if until is not None and datetime.fromisoformat(until) - AHEAD <= self._house.clock.now():
            self.renew(str(self._kept["bot_token"]))
        return str(self._kept["bot_token"])

    def renew(self, used: str) -> None:
        """Get a new token in place of `used`, unless another process already has.

        Raises `Retriable` while another process is at it or Slack is out of reach, `Configuration` when Slack refuses.
        """
        with self._lock:
            self._kept = self._load()
            if self._kept["bot_token"] != used:
                return
            if not self._house.cells.lease(LEASE, self._holder, LEASE_S):
                raise Retriable("Slack's token is being renewed.", WAIT_S)
            self._kept = self._load()  # it may have been renewed just before the lease was ours
            if self._kept["bot_token"] == used:
                self._kept = self._ask()
                self._house.cells.save(NAME, self._kept)
                log.info("slack.token_renewed", expires_at=self._kept.get("expires_at"))

    def _load(self) -> dict[str, Any]:
        kept = dict(self._house.cells.load(NAME) or {})
        return kept if kept.get("origin") == self._origin else {**self._first, "origin": self._origin}

    def _ask(self) -> dict[str, Any]:
        try:
            answer = self._web.oauth_v2_access(
                client_id=self._client[0],
                client_secret=self._client[1],
                grant_type="refresh_token",
                refresh_token=str(self._kept["refresh_token"]),
            )
        except SlackApiError as error:
            code = str(error.response.get("error") or "unreadable answer")
            if error.response.status_code == 429 or error.response.status_code >= 500:
                raise Retriable(f"Slack did not renew the token ({error.response.status_code}).", WAIT_S) from None
            raise Configuration(f"Slack refused to renew the token: {code}.", MEND) from None
        except (OSError, SlackClientError, ValueError) as error:
            raise Retriable(f"Slack did not answer oauth.v2.access ({type(error).__name__}).", WAIT_S) from None
        expires = self._house.clock.now() + timedelta(seconds=float(answer.get("expires_in") or 43_200))
        return {
            "bot_token": str(answer["access_token"]),
            "refresh_token": str(answer["refresh_token"]),
            "expires_at": expires.isoformat(),
            "origin": self._origin,
        }
