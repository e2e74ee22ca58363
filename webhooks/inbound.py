"""`/webhooks/{connection}`: verified over its raw bytes, stored durably, then acknowledged.

This is the hot path: a plain ASGI application, nothing parsed that verification does not need, and nothing waited for but the
one commit that many requests share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from connector.clock import Clock
from connector.errors import BadSignature, Configuration, Rejected, Stale
from connector.ports import Answer, Delivery, Receiver
from connector.storage.intake import InboxWriter, IntakeFull, StoreDown
from webhooks.bodies import ClientGone, read_body
from webhooks.doors import CLIENT, Door
from webhooks.metrics import UNKNOWN_CONNECTION, IntakeMetrics
from webhooks.problems import Problem, send_answer, send_problem

log = structlog.get_logger(__name__)

PREFIX = "/webhooks/"
REASONS: Mapping[type[Rejected], str] = {BadSignature: "bad-signature", Stale: "stale"}
TITLES = {
    "bad-signature": "The signature is not right.",
    "stale": "The delivery is too old.",
    "rejected": "The delivery is refused.",
}


@dataclass(frozen=True, slots=True)
class Entrance:
    """One connection as the web server knows it, with its counters at hand."""

    connection: str
    receiver: Receiver
    max_body_bytes: int
    received: Counter
    duplicates: Counter
    seconds: Histogram
    door: Door | None = None


#: The entrance of a connection, or None when there is no connection of that name. Raises `Configuration`.
FindEntrance = Callable[[str], Entrance | None]


class Inbound:
    """The ASGI application below `/webhooks/`."""

    def __init__(self, find: FindEntrance, writer: InboxWriter, public_url: str, clock: Clock, metrics: IntakeMetrics) -> None:
        self._find = find
        self._writer = writer
        self._public_url = public_url.rstrip("/")
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = UNKNOWN_CONNECTION
        started = time.perf_counter()
        try:
            entrance = self._entrance(scope["path"])
            connection = entrance.connection
            answer = await self._answer(entrance, scope, receive)
        except Problem as problem:
            self._metrics.rejected.labels(connection, problem.kind).inc()
            log.info("delivery refused", connection=connection, reason=problem.kind, status=problem.status)
            await send_problem(send, problem)
        except ClientGone:
            self._metrics.rejected.labels(connection, "client-gone").inc()
        except Exception:  # an adapter broke: `Front` answers and logs
            self._metrics.rejected.labels(connection, "error").inc()
            raise
        else:
            await send_answer(send, answer.status, answer.body, {"content-type": answer.content_type, **answer.headers})
            entrance.seconds.observe(time.perf_counter() - started)

    def _entrance(self, path: str) -> Entrance:
        """The connection named in the path. What follows the name (a secret, for sources that cannot sign) is the receiver's."""
        name = path[len(PREFIX) :].partition("/")[0]
        try:
            entrance = self._find(name)
        except Configuration as error:
            log.error("connection cannot receive", connection=name, detail=str(error))
            raise Problem(503, "not-configured", "This connection is not set up.", headers={"retry-after": "300"}) from error
        if entrance is None:
            raise Problem(404, "unknown-connection", "There is no connection of this name.")
        return entrance

    async def _answer(self, entrance: Entrance, scope: Scope, receive: Receive) -> Answer:
        """Everything between the request and its answer. Raises `Problem` and `ClientGone`."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if entrance.door is not None:
            headers[CLIENT] = entrance.door.admit((scope.get("client") or ("",))[0], headers)
        body = await read_body(headers, receive, entrance.max_body_bytes)
        now = self._clock.now()
        delivery = Delivery(scope["method"], self._url(scope), headers, body, now)
        receiver = entrance.receiver
        try:
            greeting = receiver.handshake(delivery)
            if greeting is not None:
                return greeting
            if delivery.method != "POST":
                raise Problem(405, "method", "Deliveries are sent with POST.", headers={"allow": "POST"})
            signed = receiver.verify(delivery, now)
            key = receiver.delivery_key(delivery)
        except Rejected as error:
            kind = REASONS.get(type(error), "rejected")
            raise Problem(error.status, kind, TITLES[kind], str(error)) from error
        try:
            stored = await self._writer.submit(entrance.connection, key, delivery, signed, scope["state"]["trace_id"])
        except StoreDown as error:
            kind = "busy" if isinstance(error, IntakeFull) else "store-down"
            again = str(max(1, round(error.delay_s or 5.0)))
            raise Problem(503, kind, "The delivery was not stored. Send it again.", headers={"retry-after": again}) from error
        (entrance.duplicates if stored.duplicate else entrance.received).inc()
        return receiver.acknowledgement(delivery)

    def _url(self, scope: Scope) -> str:
        """The URL as the vendor knows it. The Host header is whatever the last proxy says; a signature covers the public one."""
        url: str = self._public_url + scope["raw_path"].decode("latin-1")
        query = scope["query_string"]
        return f"{url}?{query.decode('latin-1')}" if query else url
