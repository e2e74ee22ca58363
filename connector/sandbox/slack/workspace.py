"""The workspace: people, channels, messages, modals and home tabs, and what has changed since when."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.world.team import CHANNELS, Member, team

TEAM_ID, APP_ID, BOT_ID, BOT_USER = "T0ACME0001", "A0LEADSW01", "B0LEADSW01", "U0LEADBOT1"
TRIGGER_S = 3.0
RESPONSE_URL_S, RESPONSE_URL_USES = 1800.0, 5

Json = dict[str, Any]


class SlackError(Exception):
    """An `ok: false` answer; `more` goes beside `error`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error, self.more = error, more


@dataclass
class Message:
    """One message. `only_for` marks an ephemeral one. `seen` is the number of its last change."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json]
    metadata: Json | None = None
    thread_ts: str | None = None
    only_for: str | None = None
    edited_ts: str | None = None
    edits: int = 0
    deleted: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    posted_at: float = field(default_factory=time.time)
    seen: int = 0

    def to_json(self, with_metadata: bool = True) -> Json:
        """As the Web API shows it."""
        shown: Json = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text, "team": TEAM_ID}
        if self.user == BOT_USER:
            shown |= {"bot_id": BOT_ID, "app_id": APP_ID}
        if self.blocks:
            shown["blocks"] = self.blocks
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.edited_ts:
            shown["edited"] = {"user": self.user, "ts": self.edited_ts}
        if self.reactions:
            shown["reactions"] = [{"name": name, "users": users, "count": len(users)} for name, users in self.reactions.items()]
        if with_metadata and self.metadata:
            shown["metadata"] = self.metadata
        return shown


@dataclass
class Channel:
    """A public channel, or a direct conversation of the app with `user`."""

    id: str
    name: str
    user: str | None = None
    messages: dict[str, Message] = field(default_factory=dict)

    def to_json(self) -> Json:
        if self.user is not None:
            return {"id": self.id, "is_im": True, "user": self.user, "created": 1_700_000_000}
        shared: Json = {"id": self.id, "name": self.name, "name_normalized": self.name, "is_channel": True, "is_im": False}
        return shared | {"is_private": False, "is_archived": False, "is_member": True, "created": 1_700_000_000, "num_members": 22}


@dataclass
class View:
    """A modal that is open, or a home tab."""

    id: str
    user: str
    body: Json
    root_id: str
    previous_id: str | None = None
    external_id: str = ""
    hash: str = field(default_factory=lambda: f"{time.time():.6f}.{secrets.token_hex(4)}")
    seen: int = 0

    def to_json(self, values: Json | None = None) -> Json:
        """As Slack shows it to the app."""
        kept = (
            "type",
            "title",
            "submit",
            "close",
            "blocks",
            "private_metadata",
            "callback_id",
            "clear_on_close",
            "notify_on_close",
        )
        shown: Json = {key: self.body.get(key) for key in kept}
        shown |= {
            "id": self.id,
            "team_id": TEAM_ID,
            "app_id": APP_ID,
            "app_installed_team_id": TEAM_ID,
            "bot_id": BOT_ID,
            "hash": self.hash,
        }
        shown |= {"root_view_id": self.root_id, "previous_view_id": self.previous_id, "external_id": self.external_id}
        shown["private_metadata"] = shown["private_metadata"] or ""
        shown["callback_id"] = shown["callback_id"] or ""
        return shown | {"state": {"values": values or {}}}


class Workspace:
    """All of it, in memory."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {member.slack_id: member for member in team()}
        self.channels: dict[str, Channel] = {}
        for number, name in enumerate(CHANNELS.values()):
            self.channels[f"C0LEADS{number:03d}"] = Channel(f"C0LEADS{number:03d}", name)
        for user in self.members:
            self.direct(user)
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.open_views: dict[str, list[str]] = {}  # user → the stack of open modals
        self.triggers: dict[str, tuple[str, float]] = {}
        self.response_urls: dict[str, Json] = {}
        self.changes = 0
        self._last_ts = 0.0

    def next_ts(self) -> str:
        """A new message time; no two are equal."""
        self._last_ts = max(time.time(), self._last_ts + 0.000_001)
        return f"{self._last_ts:.6f}"

    def _touch(self) -> int:
        self.changes += 1
        return self.changes

    # ---- channels and people
    def channel(self, word: str, user_opens: bool = False) -> Channel:
        """By id, or by `#name` or `name`; by user id the direct conversation. Raises `channel_not_found`."""
        if word in self.channels:
            return self.channels[word]
        if word in self.members:
            return self.direct(word)
        for channel in self.channels.values():
            if channel.user is None and channel.name == word.lstrip("#"):
                return channel
        raise SlackError("channel_not_found")

    def direct(self, user: str) -> Channel:
        """The app's conversation with this person, opened if need be. Raises `user_not_found`."""
        if user not in self.members:
            raise SlackError("user_not_found")
        channel_id = "D" + user[1:]
        return self.channels.setdefault(channel_id, Channel(channel_id, "", user))

    def user_json(self, user: str) -> Json:
        """A member as `users.info` shows them. Raises `user_not_found`."""
        if user == BOT_USER:
            profile: Json = {"real_name": "Leadswitch", "display_name": "leadswitch", "bot_id": BOT_ID, "api_app_id": APP_ID}
            return {
                "id": BOT_USER,
                "team_id": TEAM_ID,
                "name": "leadswitch",
                "deleted": False,
                "is_bot": True,
                "profile": profile,
                "tz": "Etc/UTC",
                "tz_offset": 0,
            }
        member = self.members.get(user)
        if member is None:
            raise SlackError("user_not_found")
        profile = {"real_name": member.name, "display_name": member.name.split()[0], "email": member.email}
        shown: Json = {
            "id": user,
            "team_id": TEAM_ID,
            "name": member.email.split("@")[0],
            "real_name": member.name,
            "profile": profile,
        }
        return shown | {"deleted": False, "is_bot": False, "is_admin": member.role == "admin", "tz": "Etc/UTC", "tz_offset": 0}

    # ---- messages
    def post(self, channel: Channel, user: str, text: str, blocks: list[Json], **more: Any) -> Message:
        """A new message; blocks without a block_id get one, as in Slack."""
        message = Message(self.next_ts(), channel.id, user, text, _with_ids(blocks), **more)
        message.seen = self._touch()
        channel.messages[message.ts] = message
        return message

    def find(self, channel: Channel, ts: str) -> Message:
        """Raises `message_not_found`."""
        message = channel.messages.get(ts)
        if message is None or message.deleted:
            raise SlackError("message_not_found")
        return message

    def edit(self, message: Message, text: str | None, blocks: list[Json] | None, metadata: Json | None) -> None:
        if text is not None:
            message.text = text
        if blocks is not None:
            message.blocks = _with_ids(blocks)
        if metadata is not None:
            message.metadata = metadata
        message.edited_ts, message.edits, message.seen = self.next_ts(), message.edits + 1, self._touch()

    def remove(self, message: Message) -> None:
        message.deleted, message.seen = True, self._touch()

    def react(self, message: Message, name: str, user: str) -> None:
        users = message.reactions.setdefault(name, [])
        if user in users:
            raise SlackError("already_reacted")
        users.append(user)
        message.seen = self._touch()

    def messages(self) -> Iterable[Message]:
        return (message for channel in self.channels.values() for message in channel.messages.values())

    # ---- triggers, response addresses, views
    def trigger(self, user: str) -> str:
        """A trigger id: opens one modal, within three seconds."""
        trigger_id = f"{time.time_ns()}.{secrets.token_hex(8)}"
        self.triggers[trigger_id] = (user, time.time() + TRIGGER_S)
        return trigger_id

    def spend_trigger(self, trigger_id: str) -> str:
        """The user behind a trigger. Raises `invalid_trigger_id`, `expired_trigger_id`."""
        user, until = self.triggers.pop(trigger_id, ("", 0.0))
        if not user:
            raise SlackError("invalid_trigger_id")
        if time.time() > until:
            raise SlackError("expired_trigger_id")
        return user

    def response_url(self, base: str, **about: Any) -> str:
        """An address an app may answer to five times within half an hour."""
        key = secrets.token_hex(10)
        self.response_urls[key] = about | {"uses": 0, "until": time.time() + RESPONSE_URL_S}
        return f"{base}/actions/{TEAM_ID}/{key}"

    def open_view(self, user: str, body: Json, push: bool = False) -> View:
        """A modal on top of the user's stack."""
        stack = self.open_views.setdefault(user, [])
        if not push:
            stack.clear()
        view_id = f"V{secrets.token_hex(6).upper()}"
        root = stack[0] if stack else view_id
        view = View(view_id, user, _view_with_ids(body), root, stack[-1] if stack else None, body.get("external_id", ""))
        view.seen = self._touch()
        self.views[view_id] = view
        stack.append(view_id)
        return view

    def update_view(self, view: View, body: Json) -> None:
        view.body, view.seen = _view_with_ids(body), self._touch()
        view.hash = f"{time.time():.6f}.{secrets.token_hex(4)}"

    def close_view(self, user: str, everything: bool = False) -> None:
        """Take the top modal away, or the whole stack."""
        stack = self.open_views.get(user, [])
        while stack:
            self.views.pop(stack.pop(), None)
            if not everything:
                break
        self._touch()

    def publish_home(self, user: str, body: Json) -> View:
        view = self.homes.get(user)
        if view is None:
            view = self.homes[user] = View(f"V{secrets.token_hex(6).upper()}", user, _view_with_ids(body), "")
            view.root_id = view.id
            view.seen = self._touch()
        else:
            self.update_view(view, body)
        return view


def _with_ids(blocks: list[Json]) -> list[Json]:
    return [block if block.get("block_id") else block | {"block_id": secrets.token_hex(3)} for block in blocks]


def _view_with_ids(body: Json) -> Json:
    return body | {"blocks": _with_ids(body.get("blocks") or [])}
