"""`/openapi.json`, made from the same table of operations that makes the routes."""

from __future__ import annotations

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
            "default": {"description": "A problem.", "content": {"application/problem+json": {"schema": _reference("Problem")}}},
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
            "default": {"description": "A problem.", "content": {"application/problem+json": {"schema": _reference("Problem")}}},
        },
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}
