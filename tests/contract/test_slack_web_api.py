"""Every write we send to Slack, judged by Slack's published description of its Web API under Prism."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.slack import blocks, board, cards, forms, lists, names
from bots.slack.client import SlackApi
from connector.commands import Candidate
from connector.http import Unsure
from connector.pipeline.overview import Accuracy, Standing
from leads.enums import Tier
from tests.unit.bots.test_slack_blocks import CARD

pytestmark = [pytest.mark.needs_node, pytest.mark.needs_shared]

METADATA = {"event_type": names.CARD_EVENT, "event_payload": {"lead_id": 7, "destination": "dm:1", "external_id": "51"}}


@pytest.fixture(scope="module")
def base_url(node_tools: Any, shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("prism") / "log"
    contract = shared_dir / "contracts/slack/slack-web-api-subset.openapi.json"
    command = [str(node_tools.prism), "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(contract)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        deadline = time.monotonic() + 60
        while "Prism is listening" not in log.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Prism did not start: {log.read_text()}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
        server.terminate()


@pytest.fixture
def api(base_url: str) -> SlackApi:
    return SlackApi(base_url, "xoxb-any")


CARDS = [
    CARD,
    replace(
        CARD, name="<!channel> *" + "ש" * 10_000, rationale="😀" * 5000, state="accepted", accepted_by="Ada", accepted_after_s=3.0
    ),
    replace(CARD, tier=Tier.UNKNOWN, score=None, title=None, company=None, owner_id=None, owner_name=None, state="waiting"),
]

ADA = Standing("1", "Ada <!here>", 7, 6, 92.5, 2, 5, 1.4)
SCORES = Accuracy(5, 0.12, 0.24, {Tier.A: (2, 3), Tier.D: (0, 2)})
BEN = Candidate("2", "Ben", 3, 10, "capacity: 10 of 10 open leads")

CALLS: dict[str, Callable[[SlackApi], object]] = {
    "post": lambda api: [api.post("C1", cards.card_text(card, personal=True), cards.lead_card(card), METADATA) for card in CARDS],
    "edit": lambda api: [api.edit("C1", "1.1", "text", cards.lead_card(card), METADATA) for card in CARDS],
    "digest": lambda api: api.post("C1", blocks.digest_text(3), blocks.digest(CARDS, "1"), METADATA),
    "whisper": lambda api: api.whisper("C1", "U1", "text", cards.lead_card(CARD)),
    "whisper text only": lambda api: api.whisper("C1", "U1", "text"),
    "roundup": lambda api: api.post("C1", lists.roundup_text(3), lists.roundup(CARDS), METADATA),
    "reply in a thread": lambda api: api.post("C1", "text", cards.lead_card(CARD), METADATA, "1.1"),
    "leaderboard": lambda api: api.post("C1", board.TEXT, board.board([ADA], SCORES), METADATA),
    "home": lambda api: api.publish_home("U1", {"type": "home", "blocks": board.board([ADA], SCORES)}),
    "open_dm": lambda api: api.open_dm("U1"),
    "pass form": lambda api: api.open_form("1.2.x", forms.pass_form(CARD, "{}")),
    "reassign form": lambda api: api.open_form("1.2.x", forms.reassign_form(CARD, [BEN], "{}")),
    "outcome form": lambda api: api.open_form("1.2.x", forms.outcome_form(CARD, "{}")),
    "wrong score form": lambda api: api.open_form("1.2.x", forms.wrong_form(CARD, "{}")),
    "caps form": lambda api: api.open_form("1.2.x", forms.caps_form("Ada", {"capacity": 3}, "{}")),
    "days off form": lambda api: api.open_form("1.2.x", forms.pto_form("Ada", "{}")),
    "link form": lambda api: api.open_form("1.2.x", forms.link_form([("2", "Ben")], "{}")),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_contract_takes_what_we_send(api: SlackApi, call: str) -> None:
    CALLS[call](api)


def test_the_contract_would_refuse_a_wrong_call(base_url: str) -> None:
    answer = httpx.post(f"{base_url}chat.update", headers={"authorization": "Bearer x"}, json={"channel": "C1", "text": "no ts"})
    assert answer.status_code == 422
    with pytest.raises(Unsure):
        SlackApi(base_url, "xoxb").edit(None, None, "x", [], {})  # type: ignore[arg-type]
