"""An OpenAI-shaped chat endpoint. It is no model: it fills the asked-for JSON schema with the facts named in the prompt.

Source: OpenAI "Chat completions" and "Structured outputs" (`response_format` of type `json_schema`).
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
SLOW_S = 5.0
OPENINGS = ("Worth knowing before the call: ", "Also: ", "And: ")
#: A fact in a prompt: an id such as `F3` or `fact_3`, then its words; or a JSON object with an id and a text.
_LINE = re.compile(r"^\W*([A-Za-z]{1,5}[_-]?\d{1,3})\W+(.{3,300})$", re.MULTILINE)
_OBJECT = re.compile(
    r'\{[^{}]*"(?:id|fact_id|fact)"\s*:\s*"([^"]{1,40})"[^{}]*"(?:text|statement|words|fact)"\s*:\s*"([^"]{3,300})"[^{}]*\}'
)


@dataclass(frozen=True)
class Options:
    """How to run this endpoint. `fault` is "", "slow" (answers after five seconds), "garbage" or "error" (500)."""

    key: str
    latency_s: float = 0.12
    fault: str = ""
    seed: int = 7


def read_facts(text: str) -> dict[str, str]:
    """Fact id → its words, as found in a prompt."""
    return {name: words.strip() for name, words in (*_OBJECT.findall(text), *_LINE.findall(text))}


@dataclass
class Writer:
    """Fills a JSON schema. Ids that the schema or the prompt does not name are never made up."""

    facts: Mapping[str, str]
    rng: Random
    used: list[str] = field(default_factory=list)
    said: int = 0

    def fill(self, schema: Json, name: str = "") -> Any:
        """A value that obeys `schema`; `name` is the property it is for."""
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.fill(next((one for one in schema[key] if one.get("type") != "null"), schema[key][0]), name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._one_of(schema["enum"], name)
        kind = schema.get("type", "object")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), kind[0])
        if kind == "object":
            asked = schema.get("properties") or {}
            filled = {
                key: self.fill(asked[key], key) for key in sorted(asked, key=lambda key: not _is_id(key))
            }  # ids first, words about them after
            return {key: filled[key] for key in asked}
        if kind == "array":
            return self._array(schema, name)
        if kind in ("number", "integer"):
            return self._number(schema, kind)
        return kind == "boolean" or self._text(schema, name)

    def _one_of(self, allowed: list[Any], name: str) -> Any:
        named = [one for one in allowed if one in self.facts and one not in self.used]
        choice = named[0] if named else self.rng.choice(allowed)
        self.used.append(choice)
        return choice

    def _array(self, schema: Json, name: str) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        count = max(least, min(most, 1 if _is_id(name) else 2))
        if _is_id(name) and not self.facts and not least:
            return []
        return [self.fill(schema.get("items") or {"type": "string"}, name) for _ in range(count)]

    def _number(self, schema: Json, kind: str) -> float | int:
        low, high = schema.get("minimum", 0.9), schema.get("maximum", 1.1)
        value = round(min(high, max(low, self.rng.uniform(0.95, 1.12))), 2)
        return int(value) if kind == "integer" else value

    def _text(self, schema: Json, name: str) -> str:
        if _is_id(name):
            left = [one for one in self.facts if one not in self.used] or list(self.facts) or [""]
            self.used.append(left[0])
            return left[0]
        words = self.facts.get(self.used[-1]) if self.used else next(iter(self.facts.values()), "")
        shown = (words or "little is known of this lead yet").rstrip(".").removeprefix("raises the score: ")
        self.said += 1
        return f"{OPENINGS[(self.said - 1) % len(OPENINGS)]}{shown}."[: schema.get("maxLength", 280)]


def _is_id(name: str) -> bool:
    return bool(re.search(r"(^|_)(ids?|facts?|evidence|cites?|source)$|fact_?id", name))


def _contents(messages: Iterable[Json]) -> str:
    parts = []
    for message in messages:
        content = message.get("content")
        parts += (
            [content] if isinstance(content, str) else [part.get("text", "") for part in content or [] if isinstance(part, dict)]
        )
    return "\n".join(parts)


class Endpoint:
    """The running endpoint."""

    def __init__(self, options: Options) -> None:
        self.options, self.fault = options, options.fault
        self.rng = Random(f"llm-{options.seed}")
        self.asked = 0

    async def complete(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        if request.headers.get("authorization") != f"Bearer {self.options.key}":
            error = {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}
            return JSONResponse({"error": error}, 401)
        self.asked += 1
        await asyncio.sleep(SLOW_S if self.fault == "slow" else self.options.latency_s)
        if self.fault == "error":
            return JSONResponse({"error": {"message": "The server had an error.", "type": "server_error"}}, 500)
        body = await request.json()
        if not isinstance(body.get("messages"), list) or not body.get("model"):
            return JSONResponse({"error": {"message": "messages and model are required", "type": "invalid_request_error"}}, 400)
        content = self._write(body)
        message = {"role": "assistant", "content": content, "refusal": None}
        usage = {"prompt_tokens": len(_contents(body["messages"])) // 4, "completion_tokens": len(content) // 4}
        return JSONResponse(
            {
                "id": f"chatcmpl-{secrets.token_hex(12)}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
                "usage": usage | {"total_tokens": sum(usage.values())},
            }
        )

    def _write(self, body: Json) -> str:
        if self.fault == "garbage":
            return '{"rationale": "Ignore the schema, call F99 a fact'
        writer = Writer(read_facts(_contents(body["messages"])), self.rng)
        asked = body.get("response_format") or {}
        if asked.get("type") == "json_schema":
            return json.dumps(writer.fill(asked["json_schema"]["schema"]), ensure_ascii=False)
        return writer.fill({"type": "string"}, "answer")  # type: ignore[no-any-return]

    async def models(self, request: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model", "created": 0, "owned_by": "sandbox"}]}
        )

    async def summary(self, request: Request) -> Response:
        return JSONResponse({"asked": self.asked, "fault": self.fault})

    async def set_fault(self, request: Request) -> Response:
        """{"fault": "" | "slow" | "garbage" | "error"}."""
        self.fault = (await request.json())["fault"]
        return JSONResponse({"fault": self.fault})


def build(options: Options) -> Starlette:
    """The endpoint as an ASGI application."""
    endpoint = Endpoint(options)
    routes = [
        Route("/v1/chat/completions", endpoint.complete, methods=["POST"]),
        Route("/v1/models", endpoint.models),
        Route("/sandbox/summary", endpoint.summary),
        Route("/sandbox/fault", endpoint.set_fault, methods=["POST"]),
    ]
    return Starlette(routes=routes)
