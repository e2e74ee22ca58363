"""Getting a lead that a platform's notice only names, and a certificate of SNS, over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from connector.adapters.amazon_ses import ADAPTER as SES
from connector.adapters.meta_leads import ADAPTER as META
from connector.contract import load_hook
from connector.errors import Configuration, Retriable
from leads.records import EngagementEvent, LeadChange, UnrecognisedEvent

FIXTURES = Path(__file__).parents[1] / "fixtures"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEAD = {"created_time": 1795000000, "field_data": [{"name": "email", "values": ["ada@example.com"]}]}


def test_a_lead_is_got_with_the_token_in_a_header(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/3", headers={"authorization": "Bearer page-token"}).respond_with_json(LEAD)
    hook = load_hook(FIXTURES / "meta_leads")
    here = {"base_url": httpserver.url_for(""), "trust_private_host": True, "token": SecretStr("page-token")}
    receiver = META.receiver(hook.connection().model_copy(update=here), "")
    notice = hook.sign((FIXTURES / "meta_leads" / "single__notice_only.json").read_bytes(), NOW)
    lead, _ = receiver.events(notice)
    assert isinstance(lead, LeadChange)
    assert lead.fields["email"] == "ada@example.com"

    httpserver.expect_oneshot_request("/3").respond_with_data("", status=404)
    [gone] = receiver.events(notice)
    assert isinstance(gone, UnrecognisedEvent)
    httpserver.expect_oneshot_request("/3").respond_with_data("", status=429, headers={"retry-after": "7"})
    with pytest.raises(Retriable):
        receiver.events(notice)
    httpserver.expect_oneshot_request("/3").respond_with_data("", status=403)
    with pytest.raises(Configuration):
        receiver.events(notice)


def test_a_certificate_is_got_from_the_path_that_the_message_names(httpserver: HTTPServer) -> None:
    hook = load_hook(FIXTURES / "amazon_ses")
    path = "/SimpleNotificationService-0123456789abcdef.pem"
    httpserver.expect_oneshot_request(path).respond_with_data(Path(hook.CERTIFICATES[0]).read_bytes())
    here = {"base_url": httpserver.url_for(""), "trust_private_host": True, "signing_certificates": []}
    receiver = SES.receiver(hook.connection().model_copy(update=here), "")
    [event] = receiver.events(hook.sign((FIXTURES / "amazon_ses" / "open__person.json").read_bytes(), NOW))
    assert isinstance(event, EngagementEvent)
    assert receiver.verify(hook.sign(b"{}", NOW), NOW) is True, "the certificate is known now"
