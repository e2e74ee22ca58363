"""`/docs`: the interface as a page, made from the same document as `/openapi.json`. No script, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from webhooks.api.openapi import describe
from webhooks.api.operations import OPERATIONS, STREAMS

REFERENCE = "#/components/schemas/"


async def show_docs(request: Request) -> Response:
    """`GET /docs`."""
    return HTMLResponse(_page())


async def show_style(request: Request) -> Response:
    """`GET /docs/style.css`."""
    style = files("webhooks").joinpath("static", "docs.css").read_text(encoding="utf-8")
    return Response(style, media_type="text/css")


@cache
def _page() -> str:
    loader = Environment(loader=PackageLoader("webhooks"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = loader.get_template("docs.html.jinja")
    document = describe(OPERATIONS, STREAMS)
    operations = [
        {"method": method.upper(), "path": path, **one, **_bodies(one)}
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    schemas = {name: _fields(schema) for name, schema in sorted(document["components"]["schemas"].items())}
    return template.render(operations=operations, schemas=schemas, parameters=_parameters)


def _parameters(operation: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, where, type) of each parameter."""
    return [(one["name"], one["in"], _type(one["schema"])) for one in operation.get("parameters", [])]


def _bodies(operation: dict[str, Any]) -> dict[str, str]:
    """What is sent and what comes back, as the name of a schema or a media type."""
    answer = next(iter(operation["responses"].values()))  # success is told first
    return {"takes": _content(operation.get("requestBody", {})), "gives": _content(answer)}


def _content(body: dict[str, Any]) -> str:
    for media, content in body.get("content", {}).items():
        reference = content["schema"].get("$ref", "")
        return str(reference.removeprefix(REFERENCE) or media)
    return ""


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as its description and (name, type, wanted, description) of each field; the words of an enum."""
    wanted = schema.get("required", [])
    rows = [
        (name, _type(field), name in wanted, field.get("description", "")) for name, field in schema.get("properties", {}).items()
    ]
    return {"about": schema.get("description", ""), "rows": rows, "words": schema.get("enum", [])}


def _type(field: dict[str, Any]) -> str:
    """A type in a few words: "string or null", "list of Act"."""
    if "$ref" in field:
        return str(field["$ref"].removeprefix(REFERENCE))
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(one) for one in field["anyOf"]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'])}"
    return str(field.get("format") or field.get("type") or "anything")
