"""Pipedrive's API over a store: versions 1 and 2, its limits and its refusals."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.standins import Knobs
from tests.standins.pipedrive.store import ADMIN, OUR_USER, REPS, Record, Refused, Store

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "app-client", "app-secret", "app-refresh"
CALLS, WINDOW_S, DAILY_TOKENS = 20, 2.0, 200_000
#: Calls before their time after which the network turns a caller away.
PATIENCE = 5
KINDS = {"persons": "person", "deals": "deal", "activities": "activity", "organizations": "organization"}
REQUIRED = {"deals": "title", "activities": "subject"}


class Api:
    """The door and the desks behind it."""

    def __init__(self, store: Store, knobs: Knobs) -> None:
        self.store, self.knobs = store, knobs
        self.base_url = ""
        self.tokens: dict[str, float] = {}
        self.calls: list[float] = []
        self.spent = 0
        self.closed_until = 0.0
        self.impatient = 0
        self.conversions: dict[str, Record] = {}
        v2 = [
            Route(f"/api/v2/{kind}", self._door(list_or_make), methods=["GET", "POST"])
            for kind, list_or_make in ((kind, self._desk(kind)) for kind in KINDS)
        ]
        v2 += [Route(f"/api/v2/{kind}/{{id}}", self._door(self._patch(kind)), methods=["PATCH"]) for kind in KINDS]
        v2 += [
            Route(f"/api/v2/{kind}Fields", self._door(self._fields(kind)), methods=["GET", "POST"]) for kind in ("person", "deal")
        ]
        self.app = Starlette(
            routes=[
                Route("/oauth/token", self._oauth, methods=["POST"]),
                *v2,
                Route("/api/v2/leads/{id}/convert/deal", self._door(self._convert), methods=["POST"]),
                Route("/api/v2/leads/{id}/convert/status/{conversion}", self._door(self._converted)),
                Route("/v1/users", self._door(self._users)),
                Route("/v1/users/me", self._door(self._me)),
                Route("/v1/leads", self._door(self._leads)),
                Route("/v1/leads/{id}", self._door(self._patch_lead), methods=["PATCH"]),
                Route("/v1/notes", self._door(self._notes), methods=["GET", "POST"]),
                Route("/v1/webhooks", self._door(self._webhooks), methods=["GET", "POST"]),
            ]
        )

    # --- the door

    async def _oauth(self, request: Request) -> Response:
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        right = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == REFRESH_TOKEN
        if request.headers.get("authorization") != f"Basic {basic}" or not right:
            return JSONResponse({"success": False, "error": "invalid_grant"}, 400)
        token = secrets.token_hex(8)
        self.tokens[token] = self._seconds() + 3600
        return JSONResponse(
            {
                "access_token": token,
                "refresh_token": REFRESH_TOKEN,
                "expires_in": 3600,
                "token_type": "bearer",
                "api_domain": self.base_url,
            }
        )

    def _door(self, desk: Callable[[Request, Any], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or self.tokens.get(token, 0.0) <= self._seconds():
                return JSONResponse({"success": False, "error": "unauthorized access", "errorCode": 401}, 401)
            if (closed := self._closed(request)) is not None:
                return closed
            body = json.loads(await request.body() or b"{}")
            try:
                found = desk(request, body)
            except Refused as refused:
                return JSONResponse({"success": False, "error": str(refused), "code": "ERR"}, refused.status)
            data, more = found if isinstance(found, tuple) else (found, {})
            status = 201 if request.method == "POST" else 200
            return JSONResponse({"success": True, "data": data, "additional_data": more}, status)

        return answer

    def _closed(self, request: Request) -> Response | None:
        """The burst limit, the daily budget, and what comes of ignoring them."""
        now = self._seconds()
        if now < self.closed_until:
            self.impatient += 1
            if self.impatient > PATIENCE:
                return HTMLResponse("<html><title>Access denied | Cloudflare</title></html>", 403)
            return self._too_many(self.closed_until - now)
        self.calls = [moment for moment in self.calls if moment > now - WINDOW_S]
        self.spent += 40 if "convert/deal" in request.url.path else 20 if request.url.path.startswith("/v1") else 10
        if self.knobs.too_many or len(self.calls) >= CALLS or self.spent > DAILY_TOKENS:
            self.knobs.too_many = max(0, self.knobs.too_many - 1)
            self.closed_until = now + WINDOW_S
            return self._too_many(WINDOW_S)
        self.calls.append(now)
        return None

    def _too_many(self, wait: float) -> Response:
        return JSONResponse({"success": False, "error": "request over limit"}, 429, {"x-ratelimit-reset": str(wait)})

    def _seconds(self) -> float:
        return self.store.clock.now().timestamp()

    # --- version 2

    def _desk(self, kind: str) -> Callable[[Request, Any], Any]:
        def desk(request: Request, body: Any) -> Any:
            if request.method == "GET":
                return self._list(kind, request)
            if kind in REQUIRED and not body.get(REQUIRED[kind]):
                raise Refused(400, f"{REQUIRED[kind]} is required")
            return self.store.make(KINDS[kind], body, user=OUR_USER, source="api")

        return desk

    def _patch(self, kind: str) -> Callable[[Request, Any], Any]:
        return lambda request, body: self.store.change(KINDS[kind], request.path_params["id"], body, user=OUR_USER, source="api")

    def _list(self, kind: str, request: Request) -> Any:
        asked = request.query_params
        limit = int(asked.get("limit", 100))
        ids = asked["ids"].split(",") if "ids" in asked else None
        if not 0 < limit <= 500 or len(ids or ()) > 100:
            raise Refused(400, "too many at once")
        found = [one for one in self.store.records[KINDS[kind]].values() if ids is None or str(one["id"]) in ids]
        for name in ("person_id", "status", "owner_id"):
            found = [one for one in found if name not in asked or str(one.get(name)) == asked[name]]
        found = [one for one in found if one["update_time"] >= asked.get("updated_since", "")]
        # those of one second come in no order that anybody promised
        found.sort(
            key=lambda one: (str(one[asked.get("sort_by", "id")]) if "sort_by" in asked else "", int(one["id"]) * 7919 % 101)
        )
        if asked.get("sort_by") == "id":
            found.sort(key=lambda one: int(one["id"]))
        if asked.get("sort_direction") == "desc":
            found.reverse()
        start = int(base64.b64decode(asked["cursor"])) if "cursor" in asked else 0
        more = start + limit < len(found)
        cursor = base64.b64encode(str(start + limit).encode()).decode() if more else None
        page = found[start : start + limit]
        if asked.get("include_fields") == "won_deals_count":
            won = [one.get("org_id") for one in self.store.records["deal"].values() if one["status"] == "won"]
            page = [{**one, "won_deals_count": won.count(one["id"])} for one in page]
        return page, {"next_cursor": cursor}

    def _fields(self, kind: str) -> Callable[[Request, Any], Any]:
        def desk(request: Request, body: Any) -> Any:
            if request.method == "GET":
                own = {"field_name": "Name", "field_code": "name", "field_type": "varchar", "is_custom_field": False}
                return [own, *self.store.fields[kind]], {"next_cursor": None}
            if not body.get("field_name") or body.get("field_type") not in ("varchar", "text", "double", "enum"):
                raise Refused(400, "no such type")
            options = [one["label"] for one in body.get("options") or ()]
            return self.store.make_field(kind, body["field_name"], body["field_type"], options)

        return desk

    def _convert(self, request: Request, body: Any) -> Any:
        lead = self.store.get("lead", request.path_params["id"])
        conversion = str(uuid.UUID(int=self.store.number()))
        self.conversions[conversion] = {"conversion_id": conversion, "lead_id": lead["id"], "status": "running"}
        return {"conversion_id": conversion}

    def _converted(self, request: Request, body: Any) -> Any:
        """Running at first; asked again, it is done: the Lead is gone and a deal is there."""
        state = self.conversions[request.path_params["conversion"]]
        shown = dict(state)
        if state["status"] == "running":
            lead = self.store.get("lead", state["lead_id"])
            wanted = {name: lead[name] for name in ("title", "owner_id", "person_id")}
            deal = self.store.make("deal", wanted, user=OUR_USER, source="api")
            deal["source_lead_id"] = lead["id"]
            self.store.remove("lead", state["lead_id"], user=OUR_USER)
            state.update(status="completed", deal_id=deal["id"])
        return shown

    # --- version 1

    def _users(self, request: Request, body: Any) -> Any:
        names = {OUR_USER: "Leadswitch", **{rep: f"Rep {rep}" for rep in REPS}}
        return [{"id": one, "name": name, "email": f"user{one}@acme.example", "active_flag": True} for one, name in names.items()]

    def _me(self, request: Request, body: Any) -> Any:
        return {"id": OUR_USER, "name": "Leadswitch", "company_id": 1, "company_domain": "acme", "is_admin": OUR_USER != ADMIN}

    def _leads(self, request: Request, body: Any) -> Any:
        asked = request.query_params
        found = [one for one in self.store.records["lead"].values() if one["update_time"] >= asked.get("updated_since", "")]
        found = [one for one in found if "person_id" not in asked or str(one["person_id"]) == asked["person_id"]]
        return self._counted(found, request)

    def _patch_lead(self, request: Request, body: Any) -> Any:
        return self.store.change("lead", request.path_params["id"], body, user=OUR_USER, source="api")

    def _notes(self, request: Request, body: Any) -> Any:
        if request.method == "POST":
            if not body.get("content") or not {"person_id", "lead_id", "deal_id", "org_id"} & set(body):
                raise Refused(400, "content and what it is about are required")
            return self.store.make("note", body, user=OUR_USER, source="api")
        person = request.query_params.get("person_id")
        return self._counted([one for one in self.store.records["note"].values() if str(one.get("person_id")) == person], request)

    def _webhooks(self, request: Request, body: Any) -> Any:
        if request.method == "POST":
            needed = {"subscription_url", "event_action", "event_object", "name"}
            if not needed <= set(body) or body.get("version") != "2.0":
                raise Refused(400, "name is required")
            hook = {"id": self.store.number(), "owner_id": OUR_USER, "is_active": 1, **body}
            self.store.hooks.append(hook)
            return hook
        return [{name: value for name, value in one.items() if name != "http_auth_password"} for one in self.store.hooks]

    def _counted(self, found: list[Record], request: Request) -> Any:
        start, limit = int(request.query_params.get("start", 0)), int(request.query_params.get("limit", 100))
        if not 0 < limit <= 500:
            raise Refused(400, "too many at once")
        more = {"start": start, "limit": limit, "more_items_in_collection": start + limit < len(found)}
        return found[start : start + limit], more
