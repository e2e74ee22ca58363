"""Slack's Web API as we call it from workers: synchronous, without retries of its own, and with our errors.

Retrying is the queue's business: a library that silently sends a message a second time would make a second message.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit

import httpx
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bots.slack.tokens import TokenRotation
from connector.errors import Configuration, Fatal, Retriable
from connector.http import Unsure
from connector.settings import SlackSettings

if TYPE_CHECKING:
    from connector.bootstrap import House

TIMEOUT_S: Final = 10
#: How long a user's e-mail address and zone, and who is in a user group, are believed.
PROFILE_TTL_S: Final = 600.0
GROUP_TTL_S: Final = 300.0
RESPONSE_HOST: Final = "hooks.slack.com"

#: Ids are upper case, names never are.
CHANNEL_ID: Final = re.compile(r"[CDG][A-Z0-9]{6,}")
GROUP_ID: Final = re.compile(r"S[A-Z0-9]{6,}")

#: Slack's error words that somebody has to mend, and how. https://docs.slack.dev/reference/methods
MENDS: Final[Mapping[str, str]] = {
    "not_in_channel": "Invite the app to the channel: /invite @Leadswitch.",
    "channel_not_found": "Check slack.channel and slack.channels; the app must be invited to a private channel.",
    "is_archived": "Unarchive the channel, or name another one in slack.channel or slack.channels.",
    "invalid_auth": "Copy the bot token again from the app's OAuth page into slack.bot_token.",
    "not_authed": "Set slack.bot_token.",
    "account_inactive": "The app was removed from the workspace: install it again and copy its token.",
    "token_revoked": "Install the app again and copy its token into slack.bot_token.",
    "token_expired": "Install the app again and copy its token into slack.bot_token.",
    "missing_scope": "Update the app from bots/slack/manifest.yaml and install it again.",
    "no_permission": "Update the app from bots/slack/manifest.yaml and install it again.",
    "restricted_action": "A workspace setting forbids the app to post there: ask a workspace admin.",
    "users_not_found": "No Slack user has the rep's e-mail address from the CRM: make the two equal.",
}
#: Slack's error words for a trouble that passes.
PASSING: Final = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
#: Troubles before a request was sent: the name, the connection, the certificate.
UNSENT: Final = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
LIMITED: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})


class RateLimited(Retriable):
    """Slack answered 429; `delay_s` is its Retry-After."""


class Refused(Fatal):
    """Slack answered `ok: false` with a word that trying again does not change."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}.")
        self.code = code


class NeedsMending(Configuration):
    """As `Refused`, for a word that somebody can mend."""

    def __init__(self, method: str, code: str, detail: str = "") -> None:
        super().__init__(f"Slack refused {method}: {code}{detail}.", MENDS[code])
        self.code = code


def _delay(headers: Mapping[str, str]) -> float | None:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


def error_of(method: str, status: int, answer: object, headers: Mapping[str, str]) -> Exception:
    """Our error for Slack's answer. Only Slack's error word is quoted: the rest of an answer can name people."""
    table = answer if isinstance(answer, Mapping) else {}
    code = str(table.get("error") or "")
    if status == 429 or code in LIMITED:
        return RateLimited(f"Slack limits {method}.", _delay(headers) or 1.0)
    if status >= 500 or code in PASSING:
        return Unsure(f"Slack failed at {method} ({status}).", _delay(headers))
    if code in MENDS:
        needed = f" (needs {table['needed']})" if code == "missing_scope" and table.get("needed") else ""
        return NeedsMending(method, code, needed)
    if not code.replace("_", "").isalnum():
        return Unsure(f"Slack's answer to {method} cannot be read ({status}).")
    return Refused(method, code)


class SlackApi:
    """The calls we make. Safe to share between threads. Every call raises only errors of `connector.errors`."""

    def __init__(self, base_url: str, token: str, timeout_s: int = TIMEOUT_S, rotation: TokenRotation | None = None) -> None:
        quiet = logging.getLogger("bots.slack.sdk")
        quiet.setLevel(logging.CRITICAL)  # the library logs what it sends
        base = base_url if base_url.endswith("/") else base_url + "/"
        self._web = WebClient(token=token, base_url=base, timeout=timeout_s, retry_handlers=[], logger=quiet)
        self._rotation = rotation
        self._timeout_s = timeout_s
        self._tls = httpx.create_ssl_context()  # once: building one takes longer than a call
        self._origin = _origin(base)
        self._channels: dict[str, str] = {}
        self._profiles: dict[str, tuple[float, tuple[str | None, str | None]]] = {}
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    @contextmanager
    def _asking(self, method: str) -> Iterator[None]:
        if self._rotation is not None:
            self._web.token = self._rotation.current()
        used = str(self._web.token)
        try:
            yield
        except SlackApiError as error:
            response = error.response
            if self._rotation is not None and response.get("error") == "token_expired":  # refused, so nothing was done
                self._rotation.renew(used)
                raise Retriable(f"Slack's token had expired at {method}; there is a new one.", 0.0) from None
            headers = getattr(response, "headers", None) or {}
            answer = getattr(response, "data", response)
            raise error_of(method, getattr(response, "status_code", 200), answer, headers) from None
        except URLError as error:
            if isinstance(error.reason, UNSENT):
                raise Retriable(f"Slack cannot be reached for {method} ({type(error.reason).__name__}).") from None
            raise Unsure(f"Slack did not answer {method} ({type(error.reason).__name__}).") from None
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            raise Unsure(f"Slack did not answer {method} ({type(error).__name__}).") from None

    def post(
        self, channel: str, text: str, blocks: Sequence[Any], metadata: Mapping[str, Any], thread_ts: str | None = None
    ) -> tuple[str, str]:
        """Post a message, into the thread of the message `thread_ts` if there is one; returns its channel id and timestamp."""
        with self._asking("chat.postMessage"):
            answer = self._web.chat_postMessage(
                channel=channel,
                text=text,
                blocks=list(blocks),
                metadata=dict(metadata),
                thread_ts=thread_ts,
                unfurl_links=False,
                unfurl_media=False,
            )
            return str(answer["channel"]), str(answer["ts"])

    def edit(self, channel: str, ts: str, text: str, blocks: Sequence[Any], metadata: Mapping[str, Any]) -> None:
        """Edit a message of ours. Raises `Refused` with code `message_not_found` when somebody deleted it."""
        with self._asking("chat.update"):
            self._web.chat_update(channel=channel, ts=ts, text=text, blocks=list(blocks), metadata=dict(metadata))

    def whisper(self, channel: str, user: str, text: str, blocks: Sequence[Any] | None = None) -> None:
        """Show one user in a channel a message that only they see."""
        with self._asking("chat.postEphemeral"):
            self._web.chat_postEphemeral(channel=channel, user=user, text=text, blocks=list(blocks) if blocks else None)

    def find(self, channel: str, oldest: float, event_type: str, marker: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
        """Our newest message since `oldest` (seconds since 1970) whose metadata hold the marker: its timestamp and the event
        payload it carries; None when there is none."""

        def page_at(cursor: str | None) -> Any:
            with self._asking("conversations.history"):
                return self._web.conversations_history(
                    channel=channel, oldest=f"{oldest:.6f}", include_all_metadata=True, limit=200, cursor=cursor
                )

        return _marked(page_at, event_type, marker)

    def find_reply(
        self, channel: str, thread_ts: str, event_type: str, marker: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]] | None:
        """As `find`, among the replies in a thread."""

        def page_at(cursor: str | None) -> Any:
            with self._asking("conversations.replies"):
                return self._web.conversations_replies(
                    channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
                )

        return _marked(page_at, event_type, marker)

    def replies(self, channel: str, thread_ts: str, event_type: str) -> list[str]:
        """The timestamps of our messages of this kind in a thread; none when the thread is gone."""
        found: list[str] = []
        cursor: str | None = None
        while True:
            try:
                with self._asking("conversations.replies"):
                    page = self._web.conversations_replies(
                        channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
                    )
            except Refused as error:
                if error.code != "thread_not_found":
                    raise
                return found
            for message in page.get("messages") or []:
                if (message.get("metadata") or {}).get("event_type") == event_type:
                    found.append(str(message["ts"]))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return found

    def channel_id(self, word: str) -> str:
        """The id of a channel named `#leads` or `leads`, remembered; an id is given back as it is.

        A name that is not in the list is given back too: Slack takes names for posting, and says itself what is wrong with one.
        """
        if CHANNEL_ID.fullmatch(word):
            return word
        name = "#" + word.removeprefix("#")
        if name not in self._channels:
            try:
                self._channels.update({f"#{channel.get('name')}": str(channel["id"]) for channel in self.channels()})
            except (Refused, NeedsMending):
                return name
        return self._channels.get(name, name)

    def channels(self) -> Iterator[Mapping[str, Any]]:
        """The public channels, and the private ones that the app was invited to if it has the scope for them."""
        kinds = "public_channel,private_channel"
        cursor: str | None = None
        while True:
            try:
                with self._asking("conversations.list"):
                    page = self._web.conversations_list(types=kinds, exclude_archived=False, limit=500, cursor=cursor)
            except NeedsMending as error:
                if error.code != "missing_scope" or kinds == "public_channel":
                    raise
                kinds = "public_channel"  # groups:read is optional
                continue
            yield from page.get("channels") or []
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return

    def user_by_email(self, email: str) -> str:
        """The user with this e-mail address. Raises `NeedsMending` (users_not_found) when there is none."""
        with self._asking("users.lookupByEmail"):
            return str(self._web.users_lookupByEmail(email=email)["user"]["id"])

    def email_of(self, user: str) -> str | None:
        """The e-mail address of a user; None for a user without one or an unmet user."""
        return self._profile(user)[0]

    def zone_of(self, user: str) -> str | None:
        """The time zone that a user has set in Slack ("Europe/Berlin"); None for an unmet user."""
        return self._profile(user)[1]

    def _profile(self, user: str) -> tuple[str | None, str | None]:
        """(e-mail address, time zone) of a user, believed for ten minutes."""
        known = self._profiles.get(user)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        try:
            with self._asking("users.info"):
                answer = self._web.users_info(user=user)
        except Refused:
            return None, None
        person = answer.get("user") or {}
        found = (person.get("profile") or {}).get("email"), person.get("tz")
        profile = (str(found[0]) if found[0] else None, str(found[1]) if found[1] else None)
        self._profiles[user] = (time.monotonic() + PROFILE_TTL_S, profile)
        return profile

    def in_group(self, group: str, user: str) -> bool:
        """Whether a user is in a user group, named by its id (S0123ABC) or its handle (@sales-managers). Members are believed for
        five minutes. An unmet group has no members. Raises `NeedsMending` without the scope `usergroups:read`."""
        return user in self.group(group)

    def group(self, group: str) -> frozenset[str]:
        """The members of a user group, as `in_group` believes them."""
        known = self._groups.get(group)
        if known is None or known[0] <= time.monotonic():
            known = (time.monotonic() + GROUP_TTL_S, self._members(group))
            self._groups[group] = known
        return known[1]

    def _members(self, group: str) -> frozenset[str]:
        try:
            group_id: str | None = group
            if not GROUP_ID.fullmatch(group):
                handle = group.removeprefix("@").casefold()
                with self._asking("usergroups.list"):
                    listed = self._web.usergroups_list().get("usergroups") or []
                group_id = next((str(one["id"]) for one in listed if str(one.get("handle", "")).casefold() == handle), None)
            if group_id is None:
                return frozenset()
            with self._asking("usergroups.users.list"):
                return frozenset(str(user) for user in self._web.usergroups_users_list(usergroup=group_id).get("users") or [])
        except Refused:
            return frozenset()

    def open_dm(self, user: str) -> str:
        """The channel id of our direct conversation with a user."""
        with self._asking("conversations.open"):
            return str(self._web.conversations_open(users=user)["channel"]["id"])

    def open_form(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Open a modal. Raises `Refused` with code `expired_trigger_id` three seconds after the click."""
        with self._asking("views.open"):
            self._web.views_open(trigger_id=trigger_id, view=dict(view))

    def update_form(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Show an open modal otherwise."""
        with self._asking("views.update"):
            self._web.views_update(view_id=view_id, view=dict(view))

    def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        """Show a user their App Home; the newest view stands."""
        with self._asking("views.publish"):
            self._web.views_publish(user_id=user, view=dict(view))

    def whoami(self) -> tuple[Mapping[str, Any], frozenset[str]]:
        """auth.test's answer and the scopes of the token."""
        with self._asking("auth.test"):
            answer = self._web.auth_test()
        header = next((str(value) for name, value in answer.headers.items() if name.lower() == "x-oauth-scopes"), "")
        table = answer.data if isinstance(answer.data, dict) else {}
        return table, frozenset(scope.strip() for scope in header.split(",") if scope.strip())

    def respond(self, response_url: str, message: Mapping[str, Any]) -> None:
        """Answer a command or a click under its response_url: five times within thirty minutes.

        Raises `Fatal` when the address is not Slack's or is used up.
        """
        if not self.may_answer(response_url):
            raise Fatal("The response_url is not Slack's: not called.")
        try:
            answer = httpx.post(response_url, json=dict(message), timeout=self._timeout_s, verify=self._tls, follow_redirects=False)
        except httpx.HTTPError as error:
            raise Retriable(f"Slack cannot be reached for response_url ({type(error).__name__}).") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise error_of("response_url", answer.status_code, {}, answer.headers)
        if answer.status_code != 200:
            raise Fatal(f"Slack refused response_url ({answer.status_code}).")

    def may_answer(self, url: str) -> bool:
        """Whether an address is one we answer to: Slack's own host, or the configured base_url's origin."""
        try:
            origin = _origin(url)
        except ValueError:
            return False
        return origin in (("https", RESPONSE_HOST, 443), self._origin)


def _marked(
    page_at: Callable[[str | None], Any], event_type: str, marker: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]] | None:
    """The first message on these pages whose metadata hold the marker: its timestamp and the event payload it carries."""
    cursor: str | None = None
    while True:
        page = page_at(cursor)
        for message in page.get("messages") or []:
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == event_type and all(payload.get(name) == value for name, value in marker.items()):
                return str(message["ts"]), payload
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
        if cursor is None:
            return None


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises `ValueError` for what is no address, or carries a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("not an address")
    return parts.scheme, parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80)


@lru_cache(maxsize=4)
def _shared(base_url: str, token: str) -> SlackApi:
    return SlackApi(base_url, token)


def api_for(house: House) -> SlackApi:
    """The process's one client of the house's workspace, whose token is renewed as it expires if token rotation is set up.

    Raises `Configuration` without a bot token.
    """
    slack = house.settings.slack
    if slack.refresh_token is None:
        return api_of(slack)
    key = slack.base_url, slack.refresh_token.get_secret_value()
    with _ROTATING_LOCK:
        if key not in _ROTATING:
            _ROTATING[key] = SlackApi(slack.base_url, "", rotation=TokenRotation(house))
        return _ROTATING[key]


_ROTATING: dict[tuple[str, str], SlackApi] = {}
_ROTATING_LOCK = threading.Lock()


def api_of(settings: SlackSettings) -> SlackApi:
    """The process's one client of the configured workspace. Raises `Configuration` without a bot token."""
    if settings.bot_token is None:
        raise Configuration("slack.bot_token is not set.", "Copy it from the app's OAuth page.")
    return _shared(settings.base_url, settings.bot_token.get_secret_value())
