"""Setting up Meta's and LinkedIn's webhooks, and getting a lead that a notice only names."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.linkedin_leads.webhook import LinkedInLeadsReceiver
from connector.adapters.meta_leads.webhook import MetaLeadsReceiver
from connector.contract import load_hook
from connector.errors import BadSignature, Retriable
from connector.leadads import LeadFetcher, read_answers
from connector.meta import MetaSignature
from connector.registry import adapter
from leads.records import EngagementEvent, LeadChange, UnrecognisedEvent

FIXTURES = Path(__file__).parents[3] / "fixtures"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def set_up(name: str, query: str, method: str = "GET") -> Any:
    hook = load_hook(FIXTURES / name)
    delivery = hook.sign(b"", NOW)
    return adapter(name).receiver(hook.connection(), "").handshake(replace(delivery, method=method, url=f"{delivery.url}?{query}"))


@pytest.mark.parametrize("name", ["meta_leads", "whatsapp"])
def test_meta_gets_its_challenge_back(name: str) -> None:
    answer = set_up(name, "hub.mode=subscribe&hub.verify_token=a-verify-token&hub.challenge=1158201444")
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert set_up(name, "", "POST") is None


@pytest.mark.parametrize("name", ["meta_leads", "whatsapp"])
@pytest.mark.parametrize(
    "query", ["", "hub.mode=subscribe&hub.challenge=1", "hub.mode=subscribe&hub.verify_token=guess&hub.challenge=1",
              "hub.mode=unsubscribe&hub.verify_token=a-verify-token&hub.challenge=1"],
)  # fmt: skip
def test_nobody_else_gets_one(name: str, query: str) -> None:
    with pytest.raises(BadSignature):
        set_up(name, query)


def test_without_a_verify_token_nothing_can_be_set_up() -> None:
    hook = load_hook(FIXTURES / "whatsapp")
    one = MetaSignature.of(hook.connection().model_copy(update={"client_id": None}))
    delivery = hook.sign(b"", NOW)
    with pytest.raises(BadSignature):
        one.handshake(replace(delivery, method="GET", url=f"{delivery.url}?hub.mode=subscribe&hub.verify_token=&hub.challenge=1"))


def test_linkedin_gets_its_challenge_signed() -> None:
    answer = set_up("linkedin_leads", "challengeCode=890e4665-4dfe-4ab1")
    made = hmac.new(b"new-client-secret", b"890e4665-4dfe-4ab1", hashlib.sha256).hexdigest()
    assert json.loads(answer.body) == {"challengeCode": "890e4665-4dfe-4ab1", "challengeResponse": made}
    with pytest.raises(BadSignature):
        set_up("linkedin_leads", "")


class Platform(LeadFetcher):
    """The platform's API as the worker sees it."""

    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def notice(name: str) -> Any:
    return load_hook(FIXTURES / name).sign((FIXTURES / name / "single__notice_only.json").read_bytes(), NOW)


def test_a_lead_that_is_only_named_is_got_from_meta() -> None:
    platform = Platform(
        {"created_time": "2026-11-20T10:00:00+0000", "field_data": [{"name": "email", "values": ["ada@example.com"]}]}
    )
    lead, act = MetaLeadsReceiver(MetaSignature(["s"], ""), platform).events(notice("meta_leads"))
    assert platform.asked == ["/3"]
    assert isinstance(lead, LeadChange)
    assert isinstance(act, EngagementEvent)
    assert lead.fields["email"] == "ada@example.com"
    assert lead.occurred_at == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def test_an_answer_that_is_only_named_is_got_from_linkedin() -> None:
    answer = {
        "formResponse": {"answers": [{"predefinedField": "EMAIL", "answer": "ada@example.com"}]},
        "submittedAt": 1795000000000,
    }
    platform = Platform(answer)
    lead, _ = LinkedInLeadsReceiver(["s"], platform).events(notice("linkedin_leads"))
    assert platform.asked == ["/leadFormResponses/a-3"]
    assert isinstance(lead, LeadChange)


def test_a_platform_out_of_reach_is_asked_again_later() -> None:
    with pytest.raises(Retriable):
        MetaLeadsReceiver(MetaSignature(["s"], ""), Platform(Retriable("down"))).events(notice("meta_leads"))


def test_a_lead_that_is_gone_is_kept_as_unknown() -> None:
    [event] = MetaLeadsReceiver(MetaSignature(["s"], ""), Platform(ValueError("the lead is gone"))).events(notice("meta_leads"))
    assert isinstance(event, UnrecognisedEvent)


def test_an_id_is_no_path() -> None:
    platform = Platform({})
    body = json.dumps({"entry": [{"changes": [{"field": "leadgen", "value": {"leadgen_id": "../me"}}]}]}).encode()
    [event] = MetaLeadsReceiver(MetaSignature(["s"], ""), platform).events(load_hook(FIXTURES / "meta_leads").sign(body, NOW))
    assert isinstance(event, UnrecognisedEvent)
    assert platform.asked == []


def test_answers() -> None:
    fields, extra = read_answers(
        [("FULL_NAME", "Ada"), ("E-mail", "a@b.c"), ("email", "x@y.z"), ("Seats?", "20"), (None, "x"), ("q", None)]
    )
    assert fields == {"first_name": "Ada", "email": "a@b.c"}
    assert extra == {"Seats?": "20"}
