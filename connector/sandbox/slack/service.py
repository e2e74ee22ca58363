"""The Slack-shaped process: the Web API, response addresses, and the desk at `/`, where a person sees CRM and workspace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from connector.sandbox.slack.api import WebApi
from connector.sandbox.slack.blocks import faults_of_blocks
from connector.sandbox.slack.requests import NoSuchThing, Requests
from connector.sandbox.slack.workspace import BOT_USER, RESPONSE_URL_USES, Json, Message, Workspace

STATIC = Path(__file__).parent.parent / "static"


@dataclass(frozen=True)
class Options:
    """How to run this workspace. `base_url` is its own address as the app sees it."""

    token: str
    base_url: str
    target: str = ""
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105 - made up for the sandbox
    crm: str = ""
    burst: float = 10.0
    per_s: float = 1.0
    method_per_minute: int = 0
    command: str = "/lead"


class Slack:
    """The running workspace."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.workspace = Workspace()
        self.api = WebApi(self.workspace, options.token, options.burst, options.per_s, options.method_per_minute)
        self.requests = Requests(self.workspace, options.target, options.signing_secret, options.base_url)
        self.crm = httpx.AsyncClient(base_url=options.crm, timeout=10, trust_env=False)
        self.tasks: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.requests.client.aclose()
        await self.crm.aclose()

    # ---- for the app
    async def respond(self, request: Request) -> Response:
        """A response address, as apps post to it."""
        about = self.workspace.response_urls.get(request.path_params["key"])
        if about is None or about["until"] < time.time():
            return JSONResponse({"ok": False, "error": "expired_url"}, 404)
        if about["uses"] >= RESPONSE_URL_USES:
            return JSONResponse({"ok": False, "error": "used_url"}, 404)
        about["uses"] += 1
        body = await request.json()
        if faults := faults_of_blocks(body.get("blocks") or []):
            return JSONResponse({"ok": False, "error": "invalid_blocks", "errors": faults}, 400)
        self.requests.respond(about, body)
        return JSONResponse({"ok": True})

    # ---- for people and for the closing table
    async def state(self, request: Request) -> Response:
        """Messages changed after number `since`, with everything known of them; modals and home of `user`, if given."""
        since, user = int(request.query_params.get("since", "0")), request.query_params.get("user", "")
        messages = [self._shown(message) for message in self.workspace.messages() if message.seen > since]
        stack = self.workspace.open_views.get(user, [])
        views = [view.to_json() for view_id in stack[-1:] if (view := self.workspace.views.get(view_id))]
        home = self.workspace.homes.get(user)
        return JSONResponse(
            {
                "changes": self.workspace.changes,
                "channels": [channel.to_json() | {"user": channel.user} for channel in self.workspace.channels.values()],
                "messages": messages,
                "view": views[0] if views else None,
                "home": home.to_json() if home else None,
                "calls": self.api.calls,
                "errors": self.api.errors,
                "limited": self.api.limited,
            }
        )

    def _shown(self, message: Message) -> Json:
        more = {"channel": message.channel, "only_for": message.only_for, "deleted": message.deleted, "edits": message.edits}
        return message.to_json() | more | {"posted_at": message.posted_at, "seen": message.seen, "bot": message.user == BOT_USER}

    async def people(self, request: Request) -> Response:
        return JSONResponse([asdict(member) for member in self.workspace.members.values()])

    async def log(self, request: Request) -> Response:
        return JSONResponse([asdict(entry) for entry in self.requests.log])

    def act(self, handler: Callable[[Json], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
        """A route for something a person does."""

        async def answer(request: Request) -> Response:
            try:
                return JSONResponse(await handler(await request.json()))
            except (KeyError, NoSuchThing) as error:
                return JSONResponse({"ok": False, "error": f"{error}"}, 404)

        return answer

    async def press(self, a: Json) -> Json:
        if a.get("view_id"):
            return await self.requests.press_in_view(a["user"], a["view_id"], a["action"], a.get("values") or {})
        return await self.requests.press(a["user"], a["channel"], a["ts"], a["action"])

    async def submit(self, a: Json) -> Json:
        return await self.requests.submit(a["user"], a["view_id"], a.get("values") or {})

    async def close(self, a: Json) -> Json:
        return await self.requests.close(a["user"], a["view_id"])

    async def suggest(self, a: Json) -> Json:
        return await self.requests.suggest(a["user"], a["view_id"], a["block_id"], a["action_id"], a.get("query", ""))

    async def say(self, a: Json) -> Json:
        """Type into a channel: a slash command goes to the app, anything else is a message."""
        channel, user, text = self.workspace.channels[a["channel"]], a["user"], a["text"].strip()
        if not text.startswith("/"):
            self.workspace.post(channel, self.workspace.members[user].slack_id, text, [])
            return {"ok": True}
        command, _, rest = text.partition(" ")
        if command != self.options.command:
            self.workspace.post(channel, BOT_USER, f"{command} is not a valid command.", [], only_for=user)
            return {"ok": True}
        return await self.requests.command(user, channel.id, command, rest.strip())

    async def open_home(self, a: Json) -> Json:
        event = {
            "type": "app_home_opened",
            "user": a["user"],
            "channel": "D" + a["user"][1:],
            "tab": "home",
            "event_ts": f"{time.time():.6f}",
        }
        return await self.requests.event(event)

    async def verify(self, a: Json) -> Json:
        return await self.requests.verify_url()

    async def from_crm(self, request: Request) -> Response:
        """The CRM's own windows, passed through so that the page needs one address only."""
        path = "/sandbox/" + request.path_params["path"]
        try:
            answer = await self.crm.request(request.method, path, params=dict(request.query_params), content=await request.body())
        except httpx.HTTPError as error:
            return JSONResponse({"error": f"the CRM does not answer: {type(error).__name__}"}, 502)
        return Response(answer.content, answer.status_code, media_type="application/json")

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "desk.html")


def build(options: Options) -> Starlette:
    """The workspace as an ASGI application; `app.state.slack` is the running workspace."""
    slack = Slack(options)
    acts = {
        "press": slack.press,
        "submit": slack.submit,
        "close": slack.close,
        "suggest": slack.suggest,
        "say": slack.say,
        "home": slack.open_home,
        "verify": slack.verify,
    }
    routes: list[Route | Mount] = [
        Route("/api/{method}", slack.api.answer, methods=["GET", "POST"]),
        Route("/actions/{team}/{key}", slack.respond, methods=["POST"]),
        Route("/", slack.page),
        Route("/sandbox/state", slack.state),
        Route("/sandbox/people", slack.people),
        Route("/sandbox/log", slack.log),
        Route("/sandbox/crm/{path:path}", slack.from_crm, methods=["GET", "POST", "PATCH"]),
        *(Route(f"/sandbox/act/{name}", slack.act(handler), methods=["POST"]) for name, handler in acts.items()),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, lifespan=slack.lifespan)
    app.state.slack = slack
    return app
