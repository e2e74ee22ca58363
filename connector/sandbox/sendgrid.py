"""A SendGrid-shaped e-mail tool: reports what people did with its mails in ECDSA-signed batches.

Source: Twilio SendGrid "Event Webhook" and "Event Webhook Security Features". The signature is ECDSA over P-256 and SHA-256 of
timestamp + raw body, DER-encoded, in base64; the body ends in CR LF, and both bytes are signed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.ledger import FORGED, GENUINE, REPEAT, STALE, Ledger
from connector.sandbox.sender import Parcel, Sender
from connector.sandbox.world import words
from connector.sandbox.world.campaign import Campaign, Step, draw_campaign

STALE_S = 3 * 86_400.0
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@dataclass(frozen=True)
class Options:
    """How to run this e-mail tool."""

    target: str = ""
    seed: int = 7
    every_s: float = 0.25


def sign(key: ec.EllipticCurvePrivateKey, url: str, body: bytes, at: float) -> Parcel:
    """The request with SendGrid's signature headers."""
    stamp = str(round(at))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {
        "content-type": "application/json",
        "user-agent": "SendGrid Event API",
        "x-twilio-email-event-webhook-signature": signature,
        "x-twilio-email-event-webhook-timestamp": stamp,
    }
    return Parcel(url, headers, body)


@dataclass
class Mailer:
    """The running e-mail tool."""

    options: Options
    ledger: Ledger = field(default_factory=Ledger)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    stranger: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    waiting: list[dict[str, Any]] = field(default_factory=list)
    steps_done: int = 0
    started_at: float | None = None
    finished: bool = False
    later: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(f"mailer-{self.options.seed}")
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def public_key(self) -> str:
        """The verification key as SendGrid's settings show it: base64 of the DER form."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return base64.b64encode(self.key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.sender = Sender(self.ledger)
        self._start(self._run())
        yield
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.sender.close()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- sending
    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.options.every_s)
            self.flush()

    def flush(self) -> None:
        """Send what is waiting, shuffled; one batch in sixteen comes twice."""
        events, self.waiting = self.waiting, []
        if not events or not self.options.target:
            return
        self.rng.shuffle(events)
        self.send(GENUINE, events)
        if self.rng.random() < 0.06:
            self._start(self._repeat(events))

    async def _repeat(self, events: list[dict[str, Any]]) -> None:
        self.later += 1
        await asyncio.sleep(self.rng.uniform(0.2, 2.0))
        self.send(REPEAT, events)
        self.later -= 1

    def send(self, mark: str, events: list[dict[str, Any]]) -> None:
        """Send one batch; what is forged is signed by a stranger's key, what is stale was signed days ago."""
        key = self.stranger if mark == FORGED else self.key
        body = json.dumps(events).encode() + b"\r\n"

        def wrap(attempt: int) -> Parcel:
            return sign(key, self.options.target, body, time.time() - (STALE_S if mark == STALE else 0))

        self.sender.send(mark, [event["sg_event_id"] for event in events], sorted({event["email"] for event in events}), wrap)

    # ---- the campaign
    async def play(self, campaign: Campaign) -> None:
        """Take every step at its moment; returns after the last one."""
        self.started_at, start = time.time(), time.monotonic()
        for step in sorted((*campaign.mail, *campaign.trouble)):
            await asyncio.sleep(max(0.0, start + step.at - time.monotonic()))
            if step.lead < 0:
                ghost = self.event("ghost@forged.example", Step(0, 0, "click"))
                self.send(STALE if step.kind == "stale" else FORGED, [ghost])
                continue
            email = campaign.leads[step.lead].person.email
            if email is not None:
                self.waiting.append(self.event(email, step))
            self.steps_done += 1
        self.finished = True

    def event(self, email: str, step: Step) -> dict[str, Any]:
        """One event in SendGrid's form."""
        name = "open" if step.kind == "machine_open" else step.kind
        event: dict[str, Any] = {
            "email": email,
            "timestamp": round(time.time()),
            "event": name,
            "sg_event_id": base64.urlsafe_b64encode(self.rng.randbytes(16)).decode().rstrip("="),
            "sg_message_id": f"lead{step.lead}.filter0077p1las1.{self.options.seed}",
            "smtp-id": f"<lead{step.lead}@ismtpd0001.sandbox.example>",
            "category": [words.CAMPAIGNS[step.lead % len(words.CAMPAIGNS)]],
        }
        if step.kind in ("open", "machine_open", "click"):
            event |= {"useragent": PROXY if step.kind == "machine_open" else BROWSER, "ip": f"198.51.100.{step.lead % 250 + 1}"}
        if name == "open":
            event["sg_machine_open"] = step.kind == "machine_open"
        if name == "click":
            event |= {"url": "https://www.acme.example/pricing", "url_offset": {"index": 0, "type": "html"}}
        if name == "bounce":
            event |= {
                "type": "bounce",
                "status": "5.1.1",
                "reason": "550 5.1.1 no such user",
                "bounce_classification": "Invalid Address",
            }
        if name == "delivered":
            event["response"] = "250 2.0.0 OK"
        if name == "deferred":
            event |= {"response": "451 try again later", "attempt": "1"}
        return event

    # ---- windows
    async def summary(self, request: Request) -> Response:
        return JSONResponse(
            {
                "ledger": self.ledger.summary(),
                "idle": not self.waiting and not self.later and not self.ledger.pending,
                "steps_done": self.steps_done,
                "started_at": self.started_at,
                "finished": self.finished,
                "public_key": self.public_key,
            }
        )

    async def show_ledger(self, request: Request) -> Response:
        return JSONResponse(self.ledger.to_json(int(request.query_params.get("since", "0"))))

    async def start(self, request: Request) -> Response:
        """Start the campaign: {"leads", "events", "seconds"}."""
        if self.started_at is not None:
            return JSONResponse({"error": "it has been played"}, 409)
        body = await request.json()
        self._start(self.play(draw_campaign(self.options.seed, body["leads"], body["events"], body["seconds"])))
        return JSONResponse({"started": True})


def build(options: Options) -> Starlette:
    """The e-mail tool as an ASGI application."""
    mailer = Mailer(options)
    routes = [
        Route("/sandbox/summary", mailer.summary),
        Route("/sandbox/ledger", mailer.show_ledger),
        Route("/sandbox/play", mailer.start, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=mailer.lifespan)
    app.state.mailer = mailer
    return app
