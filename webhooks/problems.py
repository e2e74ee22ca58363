"""Errors as RFC 9457 problem documents: a stable `type`, and `errors[]` naming each field that is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Send

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:leadswitch:problem:"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `field` is its path, such as `lead.email`."""

    field: str
    detail: str


@dataclass(eq=False)
class Problem(Exception):
    """An answer other than success. `kind` is the stable last part of its type."""

    status: int
    kind: str
    title: str
    detail: str = ""
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> bytes:
        """The problem document as JSON."""
        content: dict[str, object] = {"type": TYPE_PREFIX + self.kind, "title": self.title, "status": self.status}
        if self.detail:
            content["detail"] = self.detail
        if self.errors:
            content["errors"] = [{"field": error.field, "detail": error.detail} for error in self.errors]
        return json.dumps(content, ensure_ascii=False).encode()

    def response(self) -> Response:
        """The problem as a Starlette response."""
        return Response(self.document(), self.status, dict(self.headers), CONTENT_TYPE)


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer a request with a problem, without Starlette's response objects."""
    headers = {"content-type": CONTENT_TYPE, **problem.headers}
    await send_answer(send, problem.status, problem.document(), headers)


async def send_answer(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Answer a request with a whole body."""
    raw = [_encode(name, value) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


@lru_cache(maxsize=256)
def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")
