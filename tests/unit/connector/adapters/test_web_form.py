"""A form on a page: browsers, programs, double clicks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.adapters.web_form import ADAPTER
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration
from connector.ports import Delivery, Receiver
from leads.records import EngagementEvent, LeadChange, UnrecognisedEvent

hook = load_hook(Path(__file__).parents[3] / "fixtures" / "web_form")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FORM = b"email=ada%40example.com&message=Hi"


def receiver(**options: object) -> Receiver:
    return ADAPTER.receiver(hook.connection().model_copy(update=options), "https://hooks.example.com")


def changed(delivery: Delivery, **headers: str) -> Delivery:
    return replace(delivery, headers={**delivery.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})


def test_a_preflight_is_answered_to_our_sites_only() -> None:
    asked = replace(hook.sign(b"", NOW), method="OPTIONS")
    answer = receiver().handshake(asked)
    assert answer is not None
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://www.example.com"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    with pytest.raises(BadSignature):
        receiver().handshake(changed(asked, origin="https://evil.example"))


def test_a_page_of_another_site_may_not_post() -> None:
    with pytest.raises(BadSignature):
        receiver().verify(changed(hook.sign(FORM, NOW), origin="https://evil.example"), NOW)
    receiver(allowed_origins=[]).verify(changed(hook.sign(FORM, NOW), origin="https://any.example"), NOW)


def test_a_form_without_script_is_led_on() -> None:
    one = receiver(thanks_url="https://www.example.com/thanks")
    answer = one.acknowledgement(hook.sign(FORM, NOW))
    assert (answer.status, answer.headers["location"]) == (303, "https://www.example.com/thanks")
    assert one.acknowledgement(hook.sign(b"{}", NOW)).status == 200
    assert receiver().acknowledgement(hook.sign(FORM, NOW)).status == 200


def test_multipart_with_a_file() -> None:
    boundary = "----x7"
    parts = [
        'Content-Disposition: form-data; name="email"\r\n\r\nada@example.com',
        'Content-Disposition: form-data; name="message"\r\n\r\nHi\r\nthere',
        'Content-Disposition: form-data; name="cv"; filename="cv.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF',
    ]
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    delivery = changed(hook.sign(body.encode(), NOW), content_type=f"multipart/form-data; boundary={boundary}")
    lead, act = receiver().events(delivery)
    assert isinstance(lead, LeadChange)
    assert isinstance(act, EngagementEvent)
    assert lead.fields["email"] == "ada@example.com"
    assert act.text in ("Hi\r\nthere", "Hi\nthere")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/mixed; boundary=x", 'multipart/form-data; boundary="', "multipart/\x00"]
)
def test_multipart_that_is_none(kind: str) -> None:
    [event] = receiver().events(changed(hook.sign(b"--x\r\n\r\nabc", NOW), content_type=kind))
    assert isinstance(event, UnrecognisedEvent)


def test_a_double_click_is_one_submission_and_next_week_is_another() -> None:
    one, first = receiver(), hook.sign(FORM, NOW)
    double, later = replace(first, received_at=NOW + timedelta(seconds=2)), replace(first, received_at=NOW + timedelta(days=7))
    assert one.delivery_key(first) == one.delivery_key(double) != one.delivery_key(later)
    assert one.events(first)[0].event_key == one.events(double)[0].event_key != one.events(later)[0].event_key


def test_a_program_is_kept_apart_and_sees_no_difference() -> None:
    delivery = changed(hook.sign(FORM, NOW), user_agent="python-requests/2.32")
    [event] = receiver().events(delivery)
    assert isinstance(event, UnrecognisedEvent)
    assert receiver().acknowledgement(delivery) == receiver().acknowledgement(hook.sign(FORM, NOW))


@pytest.mark.parametrize(
    "options",
    [{"allowed_origins": "www.example.com"}, {"allowed_origins": ["www"]}, {"thanks_url": "javascript:1"}, {"quickest_ms": "x"}],
)
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(Configuration, match=next(iter(options))):
        receiver(**options)
