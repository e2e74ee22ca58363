"""HubSpot's REST routes, under both the v3 paths and the date-versioned ones."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.hubspot.search import search
from connector.sandbox.hubspot.store import ASSOCIATION_TYPES, Record, Refused, Store
from connector.sandbox.rates import RollingWindow

Json = dict[str, Any]
Handler = Callable[[Request, Json], Any]
#: Without these HubSpot makes none.
REQUIRED = {"tasks": ("hs_timestamp",), "notes": ("hs_timestamp",), "deals": ("dealname", "dealstage")}


@dataclass
class Api:
    """The account's API. `tokens` are live access tokens with the moment (seconds) at which each ends."""

    store: Store
    tokens: dict[str, float]
    app_id: int
    window: RollingWindow
    searches: RollingWindow = field(default_factory=lambda: RollingWindow(0, 1.0))
    search_lag_s: float = 0.0
    latency_s: float = 0.0
    refresh_token: str = ""
    calls: dict[str, int] = field(default_factory=dict)
    refused: int = 0  # answered 429

    # ---- reading
    def read_list(self, request: Request, body: Json) -> Json:
        kind = self.store.kind_of(request.path_params["kind"])
        histories = _names(request, "propertiesWithHistory")
        limit = _number(request.query_params.get("limit", "10"), 1, 50 if histories else 100)
        after = _number(request.query_params.get("after", "0"), 0, 10**12)
        archived = request.query_params.get("archived") == "true"
        rows = [r for r in self.store.objects[kind].values() if int(r.id) > after and r.archived == archived]
        rows.sort(key=lambda record: int(record.id))
        page = rows[:limit]
        names = _names(request, "properties") or _default_names(kind)
        answer: Json = {"results": [self._shown(record, names, histories, request) for record in page]}
        if len(rows) > limit:
            answer["paging"] = {"next": {"after": page[-1].id, "link": f"{request.url.path}?after={page[-1].id}"}}
        return answer

    def read_one(self, request: Request, body: Json) -> Json:
        record = self._find(request)
        names = _names(request, "properties") or _default_names(record.kind)
        return self._shown(record, names, _names(request, "propertiesWithHistory"), request)

    def batch_read(self, request: Request, body: Json) -> Response:
        kind = self.store.kind_of(request.path_params["kind"])
        histories = body.get("propertiesWithHistory") or []
        inputs = _inputs(body, 50 if histories else 100)
        names = body.get("properties") or _default_names(kind)
        found, missing = [], []
        for one in inputs:
            record_id = (
                self.store.emails.get(str(one.get("id")).lower(), "") if body.get("idProperty") == "email" else one.get("id")
            )
            record = self.store.get(kind, str(record_id))
            if record is None:
                missing.append(str(one.get("id")))
            else:
                found.append(self.store.to_json(record, names, histories))
        return _batch(found, [_absent(missing)] if missing else [])

    def find(self, request: Request, body: Json) -> Json:
        wait = self.searches.take(time.monotonic())
        if wait:
            raise Refused(429, "RATE_LIMITS", "You have reached your secondly limit.", [{"wait": wait, "policy": "SECONDLY"}])
        return search(self.store, self.store.kind_of(request.path_params["kind"]), body, self.search_lag_s)

    # ---- writing
    def create(self, request: Request, body: Json) -> Response:
        kind = self.store.kind_of(request.path_params["kind"])
        record = self._create(kind, body)
        return JSONResponse(self.store.to_json(record, record.history), 201)

    def batch_create(self, request: Request, body: Json) -> Response:
        kind = self.store.kind_of(request.path_params["kind"])
        inputs = _inputs(body, 100)
        for one in inputs:
            self.store.check(kind, one.get("properties") or {})
        made = [self._create(kind, one) for one in inputs]
        shown = [self.store.to_json(record, record.history) | _trace(one) for record, one in zip(made, inputs, strict=True)]
        return _batch(shown, [], 201)

    def _create(self, kind: str, one: Json) -> Record:
        values = one.get("properties")
        if not isinstance(values, dict):
            raise Refused(400, "VALIDATION_ERROR", "Invalid input JSON: properties is required")
        for name in REQUIRED.get(kind, ()):
            if not values.get(name):
                raise Refused(400, "VALIDATION_ERROR", f"Property values were not valid: {name} is required")
        targets = [(target, target.get("types") or [{}]) for target in one.get("associations") or []]
        record = self.store.create(kind, values, "INTEGRATION", str(self.app_id))
        for target, types in targets:
            type_id = int(types[0].get("associationTypeId") or 0)
            other = next((to for (start, to), known in ASSOCIATION_TYPES.items() if start == kind and known == type_id), None)
            if other is None:
                raise Refused(400, "VALIDATION_ERROR", f"associationTypeId {type_id} does not begin at {kind}")
            self.store.link((kind, record.id), (other, str(target["to"]["id"])), type_id)
        return record

    def update(self, request: Request, body: Json) -> Json:
        record = self._find(request)
        self.store.update(record, _properties(body), "INTEGRATION", str(self.app_id))
        return self.store.to_json(record, _properties(body))

    def batch_update(self, request: Request, body: Json) -> Response:
        kind = self.store.kind_of(request.path_params["kind"])
        inputs = _inputs(body, 100)
        for one in inputs:
            self.store.check(kind, _properties(one))  # one bad value refuses the whole batch, as HubSpot does
        done, missing = [], []
        for one in inputs:
            record = self.store.get(kind, str(one.get("id")))
            if record is None:
                missing.append(str(one.get("id")))
                continue
            self.store.update(record, one["properties"], "INTEGRATION", str(self.app_id))
            done.append(self.store.to_json(record, one["properties"]) | _trace(one))
        return _batch(done, [_absent(missing)] if missing else [])

    def archive(self, request: Request, body: Json) -> Response:
        self.store.archive(self._find(request))
        return Response(status_code=204)

    def _find(self, request: Request) -> Record:
        kind = self.store.kind_of(request.path_params["kind"])
        record_id = request.path_params["id"]
        if request.query_params.get("idProperty") == "email":
            record_id = self.store.emails.get(record_id.lower(), "")
        record = self.store.get(kind, record_id)
        if record is None:
            raise Refused(404, "OBJECT_NOT_FOUND", "resource not found")
        return record

    def _shown(self, record: Record, names: list[str], histories: list[str], request: Request) -> Json:
        answer = self.store.to_json(record, names, histories)
        for word in _names(request, "associations"):
            linked = self.store.linked((record.kind, record.id), self.store.kind_of(word))
            if linked:
                answer.setdefault("associations", {})[word] = {
                    "results": [{"id": other, "type": f"{record.kind}_to_{word}"} for other, _ in linked]
                }
        return answer

    # ---- the door
    def guard(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Check the token, count against the limit, read the body, and turn refusals into HubSpot's error form."""

        async def answer(request: Request) -> Response:
            try:
                self._let_in(request)
                body = await request.body()
                reply = handler(request, _json(body) if body else {})
            except Refused as refusal:
                return self._refuse(refusal)
            response = reply if isinstance(reply, Response) else JSONResponse(reply)
            response.headers["x-hubspot-ratelimit-max"] = str(self.window.limit)
            response.headers["x-hubspot-ratelimit-remaining"] = str(self.window.remaining)
            response.headers["x-hubspot-ratelimit-interval-milliseconds"] = str(round(self.window.seconds * 1000))
            return response

        return answer

    def _let_in(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self.tokens.get(token, 0) < time.time():
            raise Refused(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or expired.")
        wait = self.window.take(time.monotonic())
        if wait:
            raise Refused(
                429,
                "RATE_LIMITS",
                "You have reached your ten_secondly_rolling limit.",
                [{"wait": wait, "policy": "TEN_SECONDLY_ROLLING"}],
            )
        route = f"{request.method} {request.scope['route'].name}"
        self.calls[route] = self.calls.get(route, 0) + 1

    def _refuse(self, refusal: Refused) -> JSONResponse:
        body: Json = {
            "status": "error",
            "message": refusal.message[:2000],
            "correlationId": str(uuid.uuid4()),
            "category": refusal.category,
        }
        headers = {}
        if refusal.status == 429:
            self.refused += 1
            body |= {"errorType": "RATE_LIMIT", "policyName": refusal.errors[0]["policy"]}
            headers["retry-after"] = str(max(1, -int(-refusal.errors[0]["wait"] // 1)))
        elif refusal.errors:
            body["errors"] = refusal.errors
        return JSONResponse(body, refusal.status, headers)


def object_routes(api: Api) -> list[Route]:
    """The object routes under both kinds of path."""
    routes = []
    for prefix in ("/crm/v3/objects/{kind}", "/crm/objects/2026-03/{kind}"):
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("GET", "", "list", api.read_list),
            ("POST", "", "create", api.create),
            ("POST", "/search", "search", api.find),
            ("POST", "/batch/read", "batch read", api.batch_read),
            ("POST", "/batch/create", "batch create", api.batch_create),
            ("POST", "/batch/update", "batch update", api.batch_update),
            ("GET", "/{id}", "read", api.read_one),
            ("PATCH", "/{id}", "update", api.update),
            ("DELETE", "/{id}", "archive", api.archive),
        )
        routes += [Route(prefix + path, api.guard(handler), methods=[method], name=name) for method, path, name, handler in table]
    return routes


def _json(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "VALIDATION_ERROR", "Invalid input JSON")
    return value


def _names(request: Request, key: str) -> list[str]:
    """A list in the query, written `a,b` or as a repeated key; HubSpot takes both."""
    return [name for text in request.query_params.getlist(key) for name in text.split(",") if name]


def _number(text: str, low: int, high: int) -> int:
    if not text.isdigit() or not low <= int(text) <= high:
        raise Refused(400, "VALIDATION_ERROR", f"{text[:40]} must be a number between {low} and {high}")
    return int(text)


def _inputs(body: Json, most: int) -> list[Json]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs or len(inputs) > most:
        raise Refused(400, "VALIDATION_ERROR", f"inputs must hold 1 to {most} entries")
    return inputs


def _properties(body: Json) -> Json:
    values = body.get("properties")
    if not isinstance(values, dict):
        raise Refused(400, "VALIDATION_ERROR", "Invalid input JSON: properties is required")
    return values


def _trace(one: Json) -> Json:
    """HubSpot gives back the caller's own name for a row."""
    return {"objectWriteTraceId": one["objectWriteTraceId"]} if one.get("objectWriteTraceId") else {}


def _default_names(kind: str) -> list[str]:
    return {"contacts": ["email", "firstname", "lastname"], "tasks": ["hs_task_subject"]}.get(kind, [])


def _absent(ids: list[str]) -> Json:
    message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": ids}}


def _batch(results: list[Json], errors: list[Json], status: int = 200) -> JSONResponse:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body: Json = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return JSONResponse(body, 207 if errors else status)
