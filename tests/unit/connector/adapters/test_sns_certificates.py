"""SNS certificates: pinned, learned behind the web's back, verified after storing; and subscriptions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.amazon_ses import ADAPTER
from connector.adapters.amazon_ses.certificates import MOST_KNOWN, Certificates
from connector.adapters.amazon_ses.webhook import SesReceiver
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration, Retriable
from leads.records import EngagementEvent, UnrecognisedEvent

hook = load_hook(Path(__file__).parents[3] / "fixtures" / "amazon_ses")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EVENT = json.dumps(
    {"eventType": "Send", "mail": {"timestamp": "2026-11-20T10:00:00Z", "destination": ["ada@example.com"]}}
).encode()
PEM = Path(hook.CERTIFICATES[0]).read_bytes()
CONFIRM = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={hook.TOPIC}&Token=2"


class Sns:
    """SNS as our calls see it."""

    def __init__(self, pem: bytes = PEM, error: Exception | None = None) -> None:
        self.called: list[str] = []
        self.done = threading.Event()
        self._pem, self._error = pem, error

    def call(self, url: str) -> bytes:
        self.called.append(url)
        self.done.set()
        if self._error:
            raise self._error
        return self._pem

    def receiver(self) -> SesReceiver:
        return SesReceiver([hook.TOPIC], Certificates(self.call), self.call)


def test_an_unknown_certificate_is_learned_and_then_decides(eventually: Callable[..., Any]) -> None:
    sns = Sns()
    one = sns.receiver()
    right, forged = hook.sign(EVENT, NOW), hook.sign(EVENT, NOW, forged=True)
    assert one.verify(forged, NOW) is False  # stored, and marked unsigned
    eventually(
        lambda: one._certificates.known("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem")
    )
    assert one.verify(right, NOW) is True
    with pytest.raises(BadSignature):
        one.verify(forged, NOW)
    assert len(sns.called) == 1


def test_what_was_stored_unverified_is_verified_before_it_counts() -> None:
    one = Sns().receiver()
    [event] = one.events(hook.sign(EVENT, NOW))
    assert isinstance(event, EngagementEvent)
    [event] = one.events(hook.sign(EVENT, NOW, forged=True))
    assert isinstance(event, UnrecognisedEvent)
    assert "not to be believed" in event.reason


def test_sns_out_of_reach_is_tried_again_later() -> None:
    with pytest.raises(Retriable):
        Sns(error=Retriable("down")).receiver().events(hook.sign(EVENT, NOW))


def test_no_certificate_at_the_address() -> None:
    [event] = Sns(pem=b"<html>").receiver().events(hook.sign(EVENT, NOW))
    assert isinstance(event, UnrecognisedEvent)


def subscription(**changed: str) -> Any:
    body = {"Type": "SubscriptionConfirmation", "Token": "2", "Message": "You have chosen", "SubscribeURL": CONFIRM, **changed}
    return hook.sign(json.dumps(body).encode(), NOW)


def test_a_subscription_to_our_topic_is_confirmed() -> None:
    sns = Sns()
    assert list(sns.receiver().events(subscription())) == []
    assert sns.called[-1] == CONFIRM


@pytest.mark.parametrize(
    "changed",
    [
        {"SubscribeURL": "http://169.254.169.254/latest/meta-data/"},
        {"SubscribeURL": CONFIRM.replace("https", "http")},
        {"SubscribeURL": CONFIRM.replace("eu-west-1.amazonaws.com/", "us-east-1.amazonaws.com/")},
        {"SubscribeURL": CONFIRM.replace("amazonaws.com/", "amazonaws.com:8443/")},
        {"SubscribeURL": CONFIRM.replace("https://", "https://user@")},
        {"SubscribeURL": CONFIRM.replace("ConfirmSubscription", "DeleteTopic")},
        {"SubscribeURL": CONFIRM.replace("ses-events", "other")},
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:attacker"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem?at=elsewhere"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/a/b.pem"},
        {"SigningCertURL": "https://[::1"},
        {"SignatureVersion": "3"},
    ],
)
def test_nothing_else_is_called(changed: dict[str, str]) -> None:
    sns = Sns()
    delivery = subscription(**changed)
    with pytest.raises(BadSignature):
        sns.receiver().verify(delivery, NOW)
    [event] = sns.receiver().events(delivery)
    assert isinstance(event, UnrecognisedEvent)
    assert sns.called == []


def test_made_up_certificates_do_not_make_us_busy() -> None:
    moment = [0.0]
    sns = Sns(error=Retriable("no such"))
    shelf = Certificates(sns.call, monotonic=lambda: moment[0])
    for number in range(100):
        shelf.learn(f"https://sns.eu-west-1.amazonaws.com/{number % 50}.pem")
    assert len(shelf._asked) == MOST_KNOWN
    moment[0] = 400.0
    shelf.learn("https://sns.eu-west-1.amazonaws.com/99.pem")
    assert len(shelf._asked) == 1


@pytest.mark.parametrize("topics", [None, [], "arn:aws:sns:eu-west-1:1:x", ["not an arn"]])
def test_topics_are_needed(topics: Any) -> None:
    with pytest.raises(Configuration, match="topics"):
        ADAPTER.receiver(hook.connection().model_copy(update={"topics": topics}), "https://x.example")


def test_a_pinned_certificate_that_is_not_there() -> None:
    with pytest.raises(Configuration, match=r"missing\.pem"):
        ADAPTER.receiver(hook.connection().model_copy(update={"signing_certificates": ["missing.pem"]}), "https://x.example")


def test_a_repeat_is_the_same_delivery_whatever_signed_it() -> None:
    one = Sns().receiver()
    first, second = hook.sign(EVENT, NOW), hook.sign(EVENT, NOW, secret_number=1)
    assert first.body != second.body
    assert one.delivery_key(first) == one.delivery_key(second)
    assert one.delivery_key(replace(first, body=b"{")) != one.delivery_key(first)
