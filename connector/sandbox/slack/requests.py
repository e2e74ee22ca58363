"""What Slack sends to an app when a person acts: signed, with three seconds to answer.

Source: Slack "Verifying requests", "Handling user interaction", "Slash commands" and "Events API". Only the Events API tries again
(three times, with X-Slack-Retry-Num); a click or a command that is not answered shows the person a warning and is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from connector.sandbox.slack.workspace import APP_ID, BOT_USER, TEAM_ID, Json, Message, View, Workspace

TIMEOUT_S = 3.0
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


class NoSuchThing(Exception):
    """The person acted on something that is not there (any more)."""


@dataclass
class Sent:
    """One request to the app and how it went."""

    kind: str
    user: str
    at: float
    status: int | None = None
    took_ms: float = 0.0
    error: str = ""


@dataclass
class Requests:
    """Signs and sends. `base_url` is the workspace's own address, for response addresses."""

    workspace: Workspace
    target: str
    signing_secret: str
    base_url: str
    retry_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0)
    log: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    # ---- what a person does
    async def press(self, user: str, channel_id: str, ts: str, action: Json) -> Json:
        """A click on an element of a message: `action` has type, action_id, block_id and value or selected_option."""
        message = self.workspace.channels[channel_id].messages.get(ts)
        if message is None or message.deleted or (message.only_for and message.only_for != user):
            raise NoSuchThing("no such message")
        container: Json = {"type": "message", "message_ts": ts, "channel_id": channel_id, "is_ephemeral": bool(message.only_for)}
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        name = self.workspace.channels[channel_id].name or "directmessage"
        about = {"channel": channel_id, "ts": ts, "user": user}
        payload = self._person("block_actions", user) | {
            "container": container,
            "channel": {"id": channel_id, "name": name},
            "message": message.to_json(),
            "response_url": self.workspace.response_url(self.base_url, **about),
            "state": {"values": {}},
            "actions": [action | {"action_ts": f"{time.time():.6f}"}],
        }
        return await self._interact(payload)

    async def press_in_view(self, user: str, view_id: str, action: Json, values: Json) -> Json:
        """A click on an element of a modal or a home tab."""
        view = self._view(user, view_id)
        container = {"type": "view", "view_id": view_id}
        payload = self._person("block_actions", user) | {"container": container, "view": view.to_json(values)}
        return await self._interact(payload | {"actions": [action | {"action_ts": f"{time.time():.6f}"}]})

    async def submit(self, user: str, view_id: str, values: Json) -> Json:
        """Press a modal's submit button. The app's answer closes, updates, pushes, or names what is wrong."""
        view = self._view(user, view_id)
        outcome = await self._interact(self._person("view_submission", user) | {"view": view.to_json(values), "response_urls": []})
        if not outcome["ok"]:
            return outcome
        answer = outcome["answer"] if isinstance(outcome["answer"], dict) else {}
        action = answer.get("response_action")
        if action == "errors":
            return outcome | {"errors": answer.get("errors", {})}
        if action == "update":
            self.workspace.update_view(view, answer["view"])
        elif action == "push":
            self.workspace.open_view(user, answer["view"], push=True)
        elif view.id in self.workspace.views:
            self.workspace.close_view(user, everything=action == "clear")
        return outcome

    async def close(self, user: str, view_id: str) -> Json:
        """Press a modal's close button; the app hears of it only if it asked to."""
        view = self._view(user, view_id)
        self.workspace.close_view(user)
        if not view.body.get("notify_on_close"):
            return {"ok": True}
        return await self._interact(self._person("view_closed", user) | {"view": view.to_json(), "is_cleared": False})

    async def suggest(self, user: str, view_id: str, block_id: str, action_id: str, query: str) -> Json:
        """Type into an external select: the app names the options."""
        view = self._view(user, view_id)
        container = {"type": "view", "view_id": view_id}
        about = {"block_id": block_id, "action_id": action_id, "value": query, "container": container}
        return await self._interact(self._person("block_suggestion", user) | about | {"view": view.to_json()})

    async def command(self, user: str, channel_id: str, command: str, text: str) -> Json:
        """A slash command; an answer with text or blocks is shown to the person, or to the channel if it says so."""
        channel = self.workspace.channels[channel_id]
        member = self.workspace.members[user]
        form = {
            "token": "verification-tokens-are-deprecated",
            "team_id": TEAM_ID,
            "team_domain": "acme",
            "channel_id": channel_id,
            "channel_name": channel.name or "directmessage",
            "user_id": user,
            "user_name": member.email.split("@")[0],
            "command": command,
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self.workspace.response_url(self.base_url, channel=channel_id, ts=None, user=user),
            "trigger_id": self.workspace.trigger(user),
        }
        outcome = await self._send("command", user, urlencode(form).encode(), "application/x-www-form-urlencoded")
        answer = outcome.get("answer")
        if outcome["ok"] and answer:
            answer = answer if isinstance(answer, dict) else {"text": str(answer)}
            if answer.get("text") or answer.get("blocks"):
                only_for = None if answer.get("response_type") == "in_channel" else user
                self.workspace.post(channel, BOT_USER, answer.get("text", ""), answer.get("blocks") or [], only_for=only_for)
        return outcome

    # ---- what Slack itself does
    async def event(self, event: Json) -> Json:
        """One event of the Events API, tried again when it is not answered."""
        body: Json = {"token": "verification-tokens-are-deprecated", "team_id": TEAM_ID, "api_app_id": APP_ID, "event": event}
        body |= {"type": "event_callback", "event_id": f"Ev{secrets.token_hex(5).upper()}", "event_time": int(time.time())}
        body |= {"authorizations": [{"team_id": TEAM_ID, "user_id": BOT_USER, "is_bot": True}], "is_ext_shared_channel": False}
        return await self._event(json.dumps(body).encode(), event["type"], str(event.get("user", "")))

    async def verify_url(self) -> Json:
        """The challenge Slack sends when the address is set up."""
        challenge = secrets.token_hex(16)
        body = json.dumps({"token": "x", "challenge": challenge, "type": "url_verification"}).encode()
        outcome = await self._send("url_verification", "", body, "application/json")
        answer = outcome.get("answer")
        text = answer.get("challenge") if isinstance(answer, dict) else answer
        return outcome | {"ok": outcome["ok"] and text == challenge}

    async def _event(self, body: bytes, kind: str, user: str) -> Json:
        outcome = await self._send(kind, user, body, "application/json")
        for number, delay in enumerate(self.retry_delays_s, 1):
            if outcome["ok"] or outcome.get("no_retry"):
                break
            await asyncio.sleep(delay)
            reason = "http_timeout" if outcome["error"] == "timeout" else "http_error"
            again = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason}
            outcome = await self._send(kind, user, body, "application/json", again)
        return outcome

    # ---- sending
    def _person(self, kind: str, user: str) -> Json:
        """What every payload says about who acts."""
        member = self.workspace.members[user]
        name = member.email.split("@")[0]
        who = {"id": user, "username": name, "name": name, "team_id": TEAM_ID}
        shared: Json = {
            "type": kind,
            "user": who,
            "api_app_id": APP_ID,
            "token": "verification-tokens-are-deprecated",
            "enterprise": None,
        }
        return shared | {
            "team": {"id": TEAM_ID, "domain": "acme"},
            "is_enterprise_install": False,
            "trigger_id": self.workspace.trigger(user),
        }

    def _view(self, user: str, view_id: str) -> View:
        view = self.workspace.views.get(view_id) or next(
            (home for home in self.workspace.homes.values() if home.id == view_id), None
        )
        if view is None or view.user != user:
            raise NoSuchThing("no such view")
        return view

    async def _interact(self, payload: Json) -> Json:
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return await self._send(payload["type"], payload["user"]["id"], body, "application/x-www-form-urlencoded")

    async def _send(self, kind: str, user: str, body: bytes, content_type: str, more: dict[str, str] | None = None) -> Json:
        """One signed request: {"ok", "status", "answer", "error", "took_ms"}."""
        entry = Sent(kind, user, time.time())
        self.log.append(entry)
        started = time.monotonic()
        try:
            headers = sign(self.signing_secret, body, int(time.time())) | {"content-type": content_type, "user-agent": USER_AGENT}
            answer = await self.client.post(self.target, content=body, headers=headers | (more or {}))
        except httpx.TimeoutException:
            entry.error = "timeout"
            return {"ok": False, "error": "timeout", "answer": None}
        except httpx.HTTPError as error:
            entry.error = type(error).__name__
            return {"ok": False, "error": entry.error, "answer": None}
        finally:
            entry.took_ms = round((time.monotonic() - started) * 1000, 1)
        entry.status = answer.status_code
        ok = 200 <= answer.status_code < 300
        entry.error = "" if ok else f"http {answer.status_code}"
        no_retry = answer.headers.get("x-slack-no-retry") == "1"
        shown: Json = {"ok": ok, "status": answer.status_code, "error": entry.error, "took_ms": entry.took_ms, "no_retry": no_retry}
        return shown | {"answer": _read(answer)}

    # ---- response addresses
    def respond(self, about: Json, body: Json) -> None:
        """What an app posts to a response address: an ephemeral word, a message for all, or a change of the message clicked."""
        channel = self.workspace.channels[about["channel"]]
        message: Message | None = channel.messages.get(about["ts"] or "")
        if body.get("delete_original") and message is not None:
            self.workspace.remove(message)
        elif body.get("replace_original") and message is not None:
            self.workspace.edit(message, body.get("text", ""), body.get("blocks") or [], None)
        else:
            only_for = None if body.get("response_type") == "in_channel" else about["user"]
            self.workspace.post(channel, BOT_USER, body.get("text", ""), body.get("blocks") or [], only_for=only_for)


def sign(secret: str, body: bytes, at: int) -> dict[str, str]:
    """Slack's v0 signature headers: HMAC-SHA256 over `v0:timestamp:body`, in hex."""
    digest = hmac.new(secret.encode(), b"v0:" + str(at).encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={digest}"}


def _read(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        return answer.text
