"""The SendGrid-shaped e-mail tool: its signature as our adapter checks it, and its events as it reads them."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime

from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from starlette.testclient import TestClient
from werkzeug import Request, Response

from connector.adapters.sendgrid import ADAPTER
from connector.errors import BadSignature, Stale
from connector.ports import Delivery
from connector.sandbox.sendgrid import Options, build
from connector.settings import ConnectionSettings
from leads.records import EngagementEvent


def test_a_campaigns_events_are_signed_and_read_and_the_bad_ones_refused(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("/webhooks/mail")
    deliveries: list[Delivery] = []

    def take(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        deliveries.append(Delivery("POST", url, headers, request.get_data(), datetime.now(UTC)))
        return Response(status=200)

    httpserver.expect_request("/webhooks/mail").respond_with_handler(take)
    with TestClient(build(Options(target=url))) as mail:
        key = mail.get("/sandbox/summary").json()["public_key"]
        mail.post("/sandbox/play", json={"leads": 60, "events": 600, "seconds": 1.5})
        until, pause = time.monotonic() + 20, threading.Event()
        while not ((summary := mail.get("/sandbox/summary").json())["finished"] and summary["idle"]):
            assert time.monotonic() < until
            pause.wait(0.05)
    settings = ConnectionSettings(name="mail", adapter="sendgrid", webhook_secrets=(SecretStr(key),))
    receiver = ADAPTER.receiver(settings, url.rsplit("/webhooks", 1)[0])
    good, refusals = [], []
    for delivery in deliveries:
        try:
            receiver.verify(delivery, datetime.now(UTC))
            good.append(delivery)
        except (BadSignature, Stale) as refusal:
            refusals.append(type(refusal))
    assert sorted(refusals, key=str) == [BadSignature] * 6 + [Stale] * 3
    assert all(delivery.body.endswith(b"\r\n") for delivery in good)
    events = [event for delivery in good for event in receiver.events(delivery)]
    assert all(isinstance(event, EngagementEvent) for event in events)
    sent = {event["sg_event_id"] for delivery in good for event in json.loads(delivery.body)}
    assert len(sent) == summary["ledger"]["unique_events"]
    assert any(event.machine for event in events if isinstance(event, EngagementEvent))
