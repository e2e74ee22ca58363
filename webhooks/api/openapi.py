"""`/openapi.json`, made from the same table of operations that makes the routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webhooks.api.gate import Operation, Streaming

REFERENCE = "#/components/schemas/{model}"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "detail": {"type": "string"}}},
        },
    },
}


#: What may come instead of the answer, whatever is asked; then what more a route can say no to.
TROUBLES: dict[int, str] = {
    400: "The request cannot be read.",
    401: "No valid token.",
    403: "The token's role may not do this.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "Something in it is not right; `errors` names each field.",
    429: "Too many requests: `Retry-After` says when again.",
    503: "Our store is down: `Retry-After` says when again.",
}
NO_RECORD = {404: "There is no such record."}
NOT_DONE = {409: "It was not done, and `detail` says why."}
NOT_READ = {415: "The content type is not taken here."}
#: The mailbox of each connection. What is taken is the vendor's own, so that it is not described any further here.
MAILBOX: dict[str, Any] = {
    "operationId": "receive",
    "summary": "Deliver to a connection",
    "description": "Takes what the vendor sends, checks its signature over the raw bytes, and answers once it is stored for good. "
    "Sources that cannot sign put a long secret behind the connection's name. Wants no token.",
    "security": [],
    "parameters": [{"name": "connection", "in": "path", "required": True, "schema": {"type": "string"}}],
    "requestBody": {"required": True, "content": {"*/*": {"schema": {}}}},
}
TAKEN = {200: "Stored, or known already.", 204: "Stored, or known already."}
MAILBOX_TROUBLES: dict[int, str] = {
    400: "The delivery cannot be verified as it is.",
    401: "The signature is not right, or too old.",
    403: "It comes from where nothing is taken.",
    404: "There is no connection of this name.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    429: "Too many deliveries from one address.",
    503: "Our store is down, or the connection is not set up: send it again.",
}


def describe(operations: tuple[Operation, ...], streams: tuple[Streaming, ...] = ()) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    models: list[tuple[type[BaseModel], str]] = [(model, "validation") for one in operations if (model := one.takes) is not None]
    models += [(one.gives, "serialization") for one in operations]
    schemas: dict[str, Any] = models_json_schema(models, ref_template=REFERENCE)[1].get("$defs", {})  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(f"/api/v1{one.path}", {})[one.method.lower()] = _operation(one)
    for stream in streams:
        paths.setdefault(f"/api/v1{stream.path}", {})["post"] = _stream(stream)
    paths["/webhooks/{connection}"] = {"post": MAILBOX | {"responses": _told(TAKEN) | _problems(MAILBOX_TROUBLES)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadswitch", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(one: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.answer.__name__,
        "summary": one.summary,
        "description": f"{one.answer.__doc__} Wants the role {one.role.value}.",
        "responses": {
            str(one.status): {"description": "Done.", "content": {"application/json": {"schema": _reference(one.gives.__name__)}}},
            **_problems(_troubles(one)),
        },
    }
    if one.takes is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(one.takes.__name__)}}}
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{id}" in one.path else []
    if one.query is not None:
        properties = one.query.model_json_schema()["properties"]
        parameters += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]
    if parameters:
        described["parameters"] = parameters
    return described


def _stream(one: Streaming) -> dict[str, Any]:
    file = {"content": {"text/csv": {"schema": {"type": "string"}}}}
    return {
        "operationId": one.work.__name__,
        "summary": one.summary,
        "description": f"{one.work.__doc__} Wants the role {one.role.value}.",
        "requestBody": {"required": True, **file},
        "responses": {
            "200": {"description": "The file.", **file},
            **_problems(TROUBLES | NOT_READ),
        },
    }


def _troubles(one: Operation) -> dict[int, str]:
    """Each status but success, and what it means."""
    found = dict(TROUBLES)
    if "{id}" in one.path or one.takes is not None:  # what is sent may name a lead or a rep too
        found |= NO_RECORD
    if one.method != "GET":
        found |= NOT_DONE
    if one.takes is not None:
        found |= NOT_READ
    return found


def _problems(troubles: Mapping[int, str]) -> dict[str, Any]:
    content = {"content": {"application/problem+json": {"schema": _reference("Problem")}}}
    return {status: about | content for status, about in _told(dict(sorted(troubles.items()))).items()}


def _told(meanings: Mapping[int, str]) -> dict[str, Any]:
    return {str(status): {"description": meaning} for status, meaning in meanings.items()}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}
