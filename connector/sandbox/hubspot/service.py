# ruff: noqa: SIM905 - lists of words read best as words
"""The HubSpot-shaped process: its API, its webhooks, and windows into its state for the desk and the closing table."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.hubspot.api import Api, Json, object_routes
from connector.sandbox.hubspot.catalog import Catalog, catalog_routes
from connector.sandbox.hubspot.play import Player, load_history
from connector.sandbox.hubspot.store import Record, Refused, Store
from connector.sandbox.hubspot.webhooks import Account, Notices
from connector.sandbox.ledger import Ledger
from connector.sandbox.rates import RollingWindow
from connector.sandbox.sender import Sender
from connector.sandbox.world.campaign import draw_campaign

SHOWN = (
    "firstname lastname email phone company jobtitle industry country hs_analytics_source lifecyclestage hs_lead_status "
    "hubspot_owner_id leadswitch_score leadswitch_tier leadswitch_reasons recent_conversion_date "
    "hs_analytics_last_visit_timestamp"
).split()


@dataclass(frozen=True)
class Options:
    """How to run this CRM."""

    token: str
    target: str = ""
    secret: str = "sandbox-app-secret"  # noqa: S105 - made up for the sandbox
    seed: int = 7
    history: int = 2_500
    limit: int = 100
    window_s: float = 10.0
    searches_per_s: int = 0
    search_lag_s: float = 0.0
    client_id: str = "sandbox-client"
    refresh_token: str = "sandbox-refresh"  # noqa: S105 - made up for the sandbox


class Crm:
    """The running CRM."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.account = Account(options.target, options.secret)
        self.ledger = Ledger()
        self.store = Store()
        load_history(self.store, options.seed, options.history)
        self.history_ids = frozenset(self.store.objects["contacts"])
        self.api = Api(
            self.store,
            {options.token: time.time() + 10**8},
            self.account.app_id,
            RollingWindow(options.limit, options.window_s),
            RollingWindow(options.searches_per_s, 1.0),
            options.search_lag_s,
            refresh_token=options.refresh_token,
        )
        self.catalog = Catalog(self.api, options.target, options.client_id, options.secret)
        self.notices: Notices | None = None
        self.player: Player | None = None
        self.tasks: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        sender = Sender(self.ledger)
        self.notices = Notices(self.account, sender, Random(f"notices-{self.options.seed}"))
        self.store.on_change = self.notices.tell
        self._start(self.notices.run())
        yield
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await sender.close()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- windows
    def shown(self, record: Record) -> Json:
        """One contact, small enough to send by the hundred."""
        values = {name: value for name in SHOWN if (value := record.value(name)) is not None}
        tasks = [other for other, _ in self.store.linked(("contacts", record.id), "tasks")]
        return {
            "id": record.id,
            "created": record.created,
            "updated": record.updated,
            "seen": record.seen,
            "properties": values,
            "tasks": tasks,
        }

    async def state(self, request: Request) -> Response:
        """Contacts (`scope=live`: those made since the start; `all`) with number of last change above `since`, and all tasks."""
        since = int(request.query_params.get("since", "0"))
        everyone = request.query_params.get("scope", "live") == "all"
        contacts = [
            self.shown(record)
            for record in self.store.objects["contacts"].values()
            if record.seen > since and (everyone or record.id not in self.history_ids)
        ]
        tasks = [
            {
                "id": task.id,
                "properties": {name: entries[-1][1] for name, entries in task.history.items()},
                "created": task.created,
                "contacts": [other for other, _ in self.store.linked(("tasks", task.id), "contacts")],
            }
            for task in self.store.objects["tasks"].values()
            if task.seen > since
        ]
        return JSONResponse(
            {"changes": self.store.changes, "contacts": contacts, "tasks": tasks, "backward_moves": self.store.backward_moves}
        )

    async def contact(self, request: Request) -> Response:
        """One contact with all values and their history."""
        record = self.store.get("contacts", request.path_params["id"])
        if record is None:
            return JSONResponse({"error": "no such contact"}, 404)
        return JSONResponse(self.shown(record) | {"history": record.history})

    async def summary(self, request: Request) -> Response:
        assert self.notices is not None  # noqa: S101 - set while the app runs
        return JSONResponse(
            {
                "ledger": self.ledger.summary(),
                "idle": self.notices.idle,
                "live": len(self.store.objects["contacts"]) - len(self.history_ids),
                "history": len(self.history_ids),
                "steps_done": self.player.steps_done if self.player else 0,
                "started_at": self.player.started_at if self.player else None,
                "finished": bool(self.player and self.player.finished),
                "calls": self.api.calls,
                "rate_limited": self.api.refused,
                "app_id": self.account.app_id,
            }
        )

    async def show_ledger(self, request: Request) -> Response:
        return JSONResponse(self.ledger.to_json(int(request.query_params.get("since", "0"))))

    async def owners(self, request: Request) -> Response:
        return JSONResponse(
            [
                {"id": o.owner_id, "name": o.name, "email": o.email, "team": o.team, "slack_id": o.slack_id}
                for o in self.store.owners
            ]
        )

    # ---- acting
    async def play(self, request: Request) -> Response:
        """Start the campaign: {"leads", "events", "seconds"}."""
        assert self.notices is not None  # noqa: S101 - set while the app runs
        body = await request.json()
        if self.player is not None:
            return JSONResponse({"error": "it has been played"}, 409)
        self.player = Player(self.store, self.notices)
        self._start(self.player.play(draw_campaign(self.options.seed, body["leads"], body["events"], body["seconds"])))
        return JSONResponse({"started": True})

    async def create_contact(self, request: Request) -> Response:
        """A person makes a contact in the CRM's own pages."""
        try:
            record = self.store.create("contacts", {"lifecyclestage": "lead"} | await request.json(), "CRM_UI", "userId:1001")
        except Refused as refusal:
            return JSONResponse({"error": refusal.message}, refusal.status)
        return JSONResponse(self.shown(record), 201)

    async def change_contact(self, request: Request) -> Response:
        """A person changes a contact in the CRM's own pages."""
        record = self.store.get("contacts", request.path_params["id"])
        if record is None:
            return JSONResponse({"error": "no such contact"}, 404)
        try:
            self.store.update(record, await request.json(), "CRM_UI", "userId:1001")
        except Refused as refusal:
            return JSONResponse({"error": refusal.message}, refusal.status)
        return JSONResponse(self.shown(record))


def build(options: Options) -> Starlette:
    """The CRM as an ASGI application; `app.state.crm` is the running CRM."""
    crm = Crm(options)
    own = [
        Route("/sandbox/state", crm.state),
        Route("/sandbox/summary", crm.summary),
        Route("/sandbox/ledger", crm.show_ledger),
        Route("/sandbox/owners", crm.owners),
        Route("/sandbox/contacts/{id}", crm.contact),
        Route("/sandbox/contacts", crm.create_contact, methods=["POST"]),
        Route("/sandbox/contacts/{id}", crm.change_contact, methods=["PATCH"]),
        Route("/sandbox/play", crm.play, methods=["POST"]),
    ]
    app = Starlette(routes=[*own, *object_routes(crm.api), *catalog_routes(crm.api, crm.catalog)], lifespan=crm.lifespan)
    app.state.crm = crm
    return app
