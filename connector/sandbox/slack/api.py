"""The methods of the Web API that an app like ours calls. Errors answer 200 with `ok: false`, as Slack's do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.sandbox.rates import Bucket, RollingWindow
from connector.sandbox.slack.blocks import faults_of_blocks, faults_of_view
from connector.sandbox.slack.workspace import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Json, Message, SlackError, View, Workspace

SCOPES = (
    "chat:write,chat:write.public,commands,im:write,im:history,im:read,channels:read,channels:history,channels:join,groups:read,"
    "groups:history,users:read,users:read.email,reactions:write,metadata.message:read,app_mentions:read"
)
_JSON_FIELDS = ("blocks", "metadata", "view", "attachments")


@dataclass
class WebApi:
    """Answers calls. Posting is limited a channel (about one a second, bursts allowed); other writes by `method_per_minute`."""

    workspace: Workspace
    token: str
    burst: float = 10.0
    per_s: float = 1.0
    method_per_minute: int = 0
    buckets: dict[str, Bucket] = field(default_factory=dict)
    windows: dict[str, RollingWindow] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    limited: int = 0

    async def answer(self, request: Request) -> Response:
        """`POST /api/{method}`, with a JSON body or a form."""
        method = request.path_params["method"]
        handler = METHODS.get(method)
        headers = {"x-oauth-scopes": SCOPES}
        try:
            arguments = await _arguments(request)
            self._let_in(request, arguments)
            if handler is None:
                raise SlackError("unknown_method", req_method=method)
            self.calls[method] = self.calls.get(method, 0) + 1
            wait = self._wait(method, arguments)
            if wait:
                self.limited += 1
                return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"retry-after": str(max(1, -int(-wait // 1)))})
            return JSONResponse({"ok": True} | handler(self, arguments), headers=headers)
        except SlackError as error:
            self.errors[error.error] = self.errors.get(error.error, 0) + 1
            return JSONResponse({"ok": False, "error": error.error} | error.more, headers=headers)

    def _let_in(self, request: Request, arguments: Json) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip() or str(arguments.get("token", ""))
        if not token:
            raise SlackError("not_authed")
        if token != self.token:
            raise SlackError("invalid_auth")

    def _wait(self, method: str, arguments: Json) -> float:
        if method in ("chat.postMessage", "chat.postEphemeral"):
            key = str(arguments.get("channel"))
            return self.buckets.setdefault(key, Bucket(self.burst, self.per_s)).take(time.monotonic())
        if self.method_per_minute and method in ("chat.update", "views.publish", "conversations.history"):
            return self.windows.setdefault(method, RollingWindow(self.method_per_minute, 60.0)).take(time.monotonic())
        return 0.0

    # ---- chat
    def auth_test(self, a: Json) -> Json:
        names: Json = {
            "url": "https://acme.slack.com/",
            "team": "Acme",
            "user": "leadswitch",
            "team_id": TEAM_ID,
            "user_id": BOT_USER,
        }
        return names | {"bot_id": BOT_ID, "app_id": APP_ID, "is_enterprise_install": False}

    def post_message(self, a: Json) -> Json:
        text, blocks, metadata = _content(a)
        channel = self.workspace.channel(_needed(a, "channel"))
        thread_ts = a.get("thread_ts")
        if thread_ts and thread_ts not in channel.messages:
            raise SlackError("thread_not_found")
        message = self.workspace.post(channel, BOT_USER, text or "", blocks or [], metadata=metadata, thread_ts=thread_ts)
        return {"channel": channel.id, "ts": message.ts, "message": message.to_json()}

    def update_message(self, a: Json) -> Json:
        text, blocks, metadata = _content(a)
        channel = self.workspace.channel(_needed(a, "channel"))
        message = self.workspace.find(channel, _needed(a, "ts"))
        if message.user != BOT_USER or message.only_for:
            raise SlackError("cant_update_message")
        self.workspace.edit(message, text, blocks if blocks is not None or text is None else [], metadata)
        return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": message.to_json()}

    def post_ephemeral(self, a: Json) -> Json:
        text, blocks, _ = _content(a)
        channel, user = self.workspace.channel(_needed(a, "channel")), _needed(a, "user")
        if user not in self.workspace.members:
            raise SlackError("user_not_in_channel")
        message = self.workspace.post(channel, BOT_USER, text or "", blocks or [], only_for=user, thread_ts=a.get("thread_ts"))
        return {"message_ts": message.ts}

    def delete_message(self, a: Json) -> Json:
        channel = self.workspace.channel(_needed(a, "channel"))
        message = self.workspace.find(channel, _needed(a, "ts"))
        if message.user != BOT_USER:
            raise SlackError("cant_delete_message")
        self.workspace.remove(message)
        return {"channel": channel.id, "ts": message.ts}

    def add_reaction(self, a: Json) -> Json:
        channel = self.workspace.channel(_needed(a, "channel"))
        self.workspace.react(self.workspace.find(channel, _needed(a, "timestamp")), _needed(a, "name"), BOT_USER)
        return {}

    def permalink(self, a: Json) -> Json:
        channel = self.workspace.channel(_needed(a, "channel"))
        message = self.workspace.find(channel, _needed(a, "message_ts"))
        return {"channel": channel.id, "permalink": f"https://acme.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"}

    # ---- conversations
    def open_conversation(self, a: Json) -> Json:
        users = [user for user in str(a.get("users", "")).split(",") if user]
        if len(users) != 1:
            raise SlackError("users_list_not_supplied" if not users else "not_enough_users")
        channel = self.workspace.direct(users[0])
        return {"channel": channel.to_json() if _true(a.get("return_im")) else {"id": channel.id}}

    def list_conversations(self, a: Json) -> Json:
        kinds = str(a.get("types") or "public_channel").split(",")
        found = [c for c in self.workspace.channels.values() if ("im" if c.user else "public_channel") in kinds]
        page, cursor = _page(found, a, 100)
        return {"channels": [channel.to_json() for channel in page], "response_metadata": {"next_cursor": cursor}}

    def conversation_info(self, a: Json) -> Json:
        return {"channel": self.workspace.channel(_needed(a, "channel")).to_json()}

    def join_conversation(self, a: Json) -> Json:
        return {"channel": self.workspace.channel(_needed(a, "channel")).to_json()}

    def history(self, a: Json) -> Json:
        channel = self.workspace.channel(_needed(a, "channel"))
        found = [
            m for m in channel.messages.values() if not m.deleted and not m.only_for and (not m.thread_ts or m.thread_ts == m.ts)
        ]
        return self._messages(found, a, newest_first=True)

    def replies(self, a: Json) -> Json:
        channel, ts = self.workspace.channel(_needed(a, "channel")), _needed(a, "ts")
        if ts not in channel.messages:
            raise SlackError("thread_not_found")
        found = [m for m in channel.messages.values() if not m.deleted and not m.only_for and ts in (m.ts, m.thread_ts)]
        return self._messages(found, a, newest_first=False)

    def _messages(self, found: list[Message], a: Json, newest_first: bool) -> Json:
        oldest, latest = float(a.get("oldest") or 0), float(a.get("latest") or 10**12)
        inclusive, metadata = _true(a.get("inclusive")), _true(a.get("include_all_metadata"))
        inside = [m for m in found if oldest < float(m.ts) < latest or (inclusive and float(m.ts) in (oldest, latest))]
        inside.sort(key=lambda m: m.ts, reverse=newest_first)
        page, cursor = _page(inside, a, 100)
        answer: Json = {"messages": [m.to_json(metadata) for m in page], "has_more": bool(cursor)}
        return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})

    # ---- people
    def list_users(self, a: Json) -> Json:
        page, cursor = _page([*self.workspace.members, BOT_USER], a, 200)
        return {"members": [self.workspace.user_json(user) for user in page], "response_metadata": {"next_cursor": cursor}}

    def user_info(self, a: Json) -> Json:
        return {"user": self.workspace.user_json(_needed(a, "user"))}

    def user_by_email(self, a: Json) -> Json:
        email = _needed(a, "email").lower()
        for user, member in self.workspace.members.items():
            if member.email == email:
                return {"user": self.workspace.user_json(user)}
        raise SlackError("users_not_found")

    # ---- views
    def open_view(self, a: Json) -> Json:
        view = _view(a)
        return {"view": self.workspace.open_view(self.workspace.spend_trigger(_needed(a, "trigger_id")), view).to_json()}

    def push_view(self, a: Json) -> Json:
        view, user = _view(a), self.workspace.spend_trigger(_needed(a, "trigger_id"))
        if len(self.workspace.open_views.get(user, [])) >= 3:
            raise SlackError("push_limit_reached")
        return {"view": self.workspace.open_view(user, view, push=True).to_json()}

    def update_view(self, a: Json) -> Json:
        body, view = _view(a), self._known_view(a)
        if a.get("hash") and a["hash"] != view.hash:
            raise SlackError("hash_conflict")
        self.workspace.update_view(view, body)
        return {"view": view.to_json()}

    def _known_view(self, a: Json) -> View:
        for view in self.workspace.views.values():
            if view.id == a.get("view_id") or (a.get("external_id") and view.external_id == a["external_id"]):
                return view
        raise SlackError("not_found")

    def publish_view(self, a: Json) -> Json:
        user = _needed(a, "user_id")
        self.workspace.user_json(user)
        return {"view": self.workspace.publish_home(user, _view(a)).to_json()}


METHODS: dict[str, Callable[[WebApi, Json], Json]] = {
    "auth.test": WebApi.auth_test,
    "chat.postMessage": WebApi.post_message,
    "chat.update": WebApi.update_message,
    "chat.postEphemeral": WebApi.post_ephemeral,
    "chat.delete": WebApi.delete_message,
    "chat.getPermalink": WebApi.permalink,
    "conversations.open": WebApi.open_conversation,
    "conversations.list": WebApi.list_conversations,
    "conversations.info": WebApi.conversation_info,
    "conversations.join": WebApi.join_conversation,
    "conversations.history": WebApi.history,
    "conversations.replies": WebApi.replies,
    "users.list": WebApi.list_users,
    "users.info": WebApi.user_info,
    "users.lookupByEmail": WebApi.user_by_email,
    "views.open": WebApi.open_view,
    "views.push": WebApi.push_view,
    "views.update": WebApi.update_view,
    "views.publish": WebApi.publish_view,
    "reactions.add": WebApi.add_reaction,
}


async def _arguments(request: Request) -> Json:
    body = await request.body()
    arguments: Json = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            read = json.loads(body or b"{}")
        except ValueError as error:
            raise SlackError("invalid_json") from error
        return arguments | (read if isinstance(read, dict) else {})
    arguments |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    for key in _JSON_FIELDS:
        if isinstance(arguments.get(key), str):
            try:
                arguments[key] = json.loads(arguments[key])
            except ValueError as error:
                raise SlackError("invalid_blocks_format" if key == "blocks" else "invalid_arguments") from error
    return arguments


def _needed(a: Json, key: str) -> str:
    if not a.get(key):
        raise SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] missing required field: {key}"]})
    return str(a[key])


def _true(value: Any) -> bool:
    return value in (True, 1) or str(value).lower() in ("true", "1")


def _content(a: Json) -> tuple[str | None, list[Json] | None, Json | None]:
    """Text, blocks and metadata of a message, checked."""
    text, blocks, metadata = a.get("text"), a.get("blocks"), a.get("metadata")
    if not text and not blocks:
        raise SlackError("no_text")
    if text and len(str(text)) > 40_000:
        raise SlackError("msg_too_long")
    if blocks and (faults := faults_of_blocks(blocks)):
        raise SlackError("invalid_blocks", errors=faults, response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults]})
    if metadata and not (
        isinstance(metadata, dict) and metadata.get("event_type") and isinstance(metadata.get("event_payload"), dict)
    ):
        raise SlackError("invalid_metadata_format")
    return (None if text is None else str(text)), blocks, metadata


def _view(a: Json) -> Json:
    view = a.get("view")
    if faults := faults_of_view(view):
        raise SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults]})
    return dict(view or {})


def _page(found: list[Any], a: Json, default: int) -> tuple[list[Any], str]:
    """One page and the cursor of the next ("" after the last)."""
    limit, cursor = min(int(a.get("limit") or default), 999), str(a.get("cursor") or "")
    start = int(cursor.removeprefix("offset-")) if cursor.startswith("offset-") else 0
    return found[start : start + limit], (f"offset-{start + limit}" if start + limit < len(found) else "")
