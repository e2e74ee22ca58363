"""A web application on a house for tests, and a HubSpot that signs."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from connector.bootstrap import House
from connector.clock import to_ms
from connector.testing import house as build_house
from leads.enums import Role
from webhooks.app import create_app

SECRET = "hubspot-client-secret"
CONNECTION = {"name": "crm", "adapter": "hubspot", "webhook_secrets": [SECRET], "max_body_bytes": 20_000}


@dataclass
class Site:
    """The application with a client, the house behind it, and ways to speak to both."""

    client: TestClient
    house: House
    tokens: dict[Role, str] = field(default_factory=dict)

    def sign(self, body: bytes, path: str = "/webhooks/crm", age_ms: int = 0, secret: str = SECRET) -> dict[str, str]:
        """Headers of HubSpot's scheme v3 over the public URL."""
        stamp = str(to_ms(self.house.clock.now()) - age_ms)
        signed = b"POST" + f"{self.house.settings.public_url}{path}".encode() + body + stamp.encode()
        signature = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
        return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}

    def deliver(self, body: bytes, path: str = "/webhooks/crm", headers: dict[str, str] | None = None) -> Response:
        """POST a rightly signed delivery."""
        return self.client.post(path, content=body, headers={**self.sign(body, path), **(headers or {})})

    def call(self, method: str, path: str, body: Any = None, role: Role | None = Role.ADMIN, **options: Any) -> Response:
        """Call the API with a token of a role."""
        headers = dict(options.pop("headers", {}))
        if role is not None:
            if role not in self.tokens:
                self.tokens[role] = self.house.tokens.create(role.value, role)[0]
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers.setdefault("content-type", "application/json")
        return self.client.request(method, f"/api/v1{path}", content=content, headers=headers, **options)

    def counted(self, metric: str, **labels: str) -> float:
        """A value on the metrics page; 0 when it is not there."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith((metric + " ", metric + "{")) and all(pair in line for pair in wanted):
                return float(line.rpartition(" ")[2])
        return 0.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(
        tmp_path,
        public_url="https://hooks.example.com/in",
        connections={"crm": CONNECTION, "bare": {"name": "bare", "adapter": "hubspot"}},
    )
    yield built
    built.close()


@pytest.fixture
def site(house: House) -> Iterator[Site]:
    with TestClient(create_app(house), raise_server_exceptions=False) as client:
        yield Site(client, house)
