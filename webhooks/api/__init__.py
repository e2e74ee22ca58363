"""`/api/v1`: the routes, made from the table of operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.bootstrap import House
from webhooks.api.gate import Gate, Operation, Streaming
from webhooks.api.openapi import describe
from webhooks.api.operations import OPERATIONS, STREAMS


def make_api(house: House) -> list[Route]:
    """The routes below `/api/v1`."""
    gate = Gate(house)

    def endpoint(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await gate.serve(operation, request)

        return serve

    def file_endpoint(streaming: Streaming) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await gate.stream(streaming, request)

        return serve

    routes = [Route(operation.path, endpoint(operation), methods=[operation.method]) for operation in OPERATIONS]
    return [*routes, *(Route(one.path, file_endpoint(one), methods=["POST"]) for one in STREAMS)]


async def show_openapi(request: Request) -> Response:
    """`GET /openapi.json`."""
    return JSONResponse(describe(OPERATIONS, STREAMS))
