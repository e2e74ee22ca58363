"""Slack's recorded signature vectors."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bots.slack import asgi
from connector.settings import SlackSettings

pytestmark = pytest.mark.needs_shared


class StoppedClock:
    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._at, UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def judge(vector: dict[str, Any]) -> tuple[int, int]:
    """The status that the vector gets, and how many payloads were stored."""
    stored: list[dict[str, Any]] = []

    async def keep(payload: dict[str, Any], key: str, raw: bytes) -> None:
        stored.append(payload)

    app = asgi.build(SlackSettings(signing_secret=SecretStr(vector["signing_secret"])), keep, StoppedClock(vector["now"]))
    body = vector["body"].encode()
    kind = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"

    async def go() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            answer = await client.post("/slack/events", content=body, headers=vector["headers"] | {"content-type": kind})
            return answer.status_code

    return asyncio.run(go()), len(stored)


def test_every_vector_is_judged_as_slack_judges_it(shared_dir: Path) -> None:
    vectors: list[dict[str, Any]] = json.loads((shared_dir / "contracts/slack/signature-vectors.json").read_text())
    assert len(vectors) >= 5
    for vector in vectors:
        valid = vector["expect"] == "valid"
        kept = valid and "url_verification" not in vector["body"]
        assert judge(vector) == (200 if valid else 401, int(kept)), vector["name"]
