"""What playbooks send beside the CRM and Slack, over real sockets: e-mail by SMTP, signed webhooks, sequences of e-mail tools."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connector.adapters.customerio.enrolling import ulid
from connector.errors import Rejected
from connector.letters import replay_letter
from connector.pipeline.deliver import HANDLERS, deliver
from connector.playbooks.reading import parse_playbooks
from connector.playbooks.runs import sweep_playbooks
from connector.playbooks.senders import register
from connector.ports import Delivery
from connector.registry import adapter
from connector.settings import ConnectionSettings
from connector.storage.effects import LEASE_S
from leads.enums import EffectKind, EngagementKind
from tests.functional.smtp_standin import MailServer, mail_server
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EMAIL = "grace@navy.example"
ON_FORM = "[playbooks.x.when]\non = 'act'\nkinds = ['form_submitted']\n"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def open_one(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def make(**settings: Any) -> Desk:
        opened.append(open_desk(tmp_path / str(len(opened)), **settings))
        register(opened[-1].house)
        return opened[-1]

    yield make
    for desk in opened:
        desk.house.close()
    HANDLERS.clear()


def smtp(mail: MailServer) -> dict[str, Any]:
    return {
        "host": "127.0.0.1", "port": mail.port, "tls": "none", "sender": "Acme Sales <sales@acme.example>",
        "unsubscribe": "stop@acme.example",
    }  # fmt: skip


def started(desk: Desk, *steps: str, **fields: str) -> int:
    """A lead for whom a playbook of these steps has begun; its effects wait in the outbox."""
    text = ON_FORM + "".join(f"[[playbooks.x.steps]]\n{step}\n" for step in steps)
    with desk.house.db.transaction():
        desk.house.playbooks.publish(parse_playbooks(text).version, text, "cli:test", "a test")
    desk.house.playbook_shelf.look_again()
    known = {"email": EMAIL, "first_name": "Grace", "country": "US", **fields}
    desk.tell(CRM, change("1", desk.clock.now(), **known))
    desk.run()
    desk.clock.move(60)
    desk.tell(MAIL, act(EMAIL, desk.clock.now(), EngagementKind.FORM_SUBMITTED))
    desk.run()
    sweep_playbooks(desk.house)
    return desk.lead("1")


def ending(desk: Desk, lead_id: int, kind: EffectKind) -> tuple[str, str]:
    """(state, error) of the lead's only effect of a kind."""
    (effect,) = [one for one in desk.house.effects.of_lead(lead_id) if one.kind is kind]
    return effect.state, effect.error or ""


LETTER = "do = 'email'\nsubject = 'Hello {first_name}'\ntext = 'From {country}, of {company}.'"


def test_an_email_to_the_lead(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    started(desk, LETTER)
    deliver(desk.house, "smtp")
    deliver(desk.house, "smtp")
    ((to, message),) = mail.taken
    assert to == EMAIL
    assert message["From"] == "Acme Sales <sales@acme.example>"
    assert message["Subject"] == "Hello Grace"
    assert message["List-Unsubscribe"] == "<mailto:stop@acme.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert text.startswith("From US, of.")
    assert "To hear no more from us: stop@acme.example" in text
    assert mail.bare_lines == 0


def test_a_fact_cannot_add_a_header(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    started(desk, LETTER, first_name="Grace\r\nBcc: all@corp.example")
    deliver(desk.house, "smtp")
    (message,) = mail.messages()
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Grace Bcc: all@corp.example"


def test_an_email_to_the_rep(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    started(desk, "do = 'email'\nto = 'rep'\nsubject = 's'\ntext = 't'")
    deliver(desk.house, "smtp")
    assert mail.taken[0][0].endswith("@seller.example")
    assert mail.taken[0][1]["List-Unsubscribe"] is None


def test_who_opted_out_gets_none_even_at_the_last_moment(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    desk.house.privacy.record(EMAIL, "marketing", "email", False, "test", desk.clock.now())
    deliver(desk.house, "smtp")
    assert mail.taken == []
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"


def test_an_address_that_smtp_cannot_carry_is_left(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    with desk.house.db.transaction():
        desk.tell(CRM, change("1", desk.clock.now(), email="grâce@navy.example"))
    deliver(desk.house, "smtp")
    assert mail.taken == []
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"


def test_a_server_that_is_busy_is_asked_again(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    mail.answers["RCPT"] = "450 later"
    deliver(desk.house, "smtp")
    assert mail.taken == []
    desk.clock.move(120)
    deliver(desk.house, "smtp")
    assert len(mail.taken) == 1
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"


def test_an_address_that_is_refused_is_left(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    mail.answers["RCPT"] = "550 nobody here"
    deliver(desk.house, "smtp")
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"
    assert EMAIL not in str(desk.house.effects.of_lead(lead_id))


def test_a_message_refused_for_now_is_sent_later(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    mail.answers["MESSAGE"] = "451 not now"
    deliver(desk.house, "smtp")
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "pending"
    desk.clock.move(120)
    deliver(desk.house, "smtp")
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"


def test_a_lost_answer_is_for_a_person_to_decide(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)
    mail.answers["MESSAGE"] = ""  # it has the message, and hangs up
    deliver(desk.house, "smtp")
    desk.clock.move(120)
    deliver(desk.house, "smtp")
    state, error = ending(desk, lead_id, EffectKind.EMAIL)
    assert state == "dead"
    assert "may have been sent" in error
    assert len(mail.taken) == 1
    (letter,) = desk.house.deadletters.all()
    assert replay_letter(desk.house, letter.id, "cli:test")
    deliver(desk.house, "smtp")
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "done"
    assert len({message["Message-ID"] for message in mail.messages()}) == 1


def test_a_crash_before_the_message_left_is_no_doubt(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    started(desk, LETTER)
    assert desk.house.effects.claim("smtp")  # and then the power went
    desk.clock.move(LEASE_S + 1)
    deliver(desk.house, "smtp")
    assert len(mail.taken) == 1


def test_a_crash_after_the_message_left_sends_no_second(open_one: Callable[..., Desk], mail: MailServer) -> None:
    desk = open_one(smtp=smtp(mail))
    lead_id = started(desk, LETTER)

    def power_cut() -> None:
        raise KeyboardInterrupt

    finish = desk.house.effects.finish
    desk.house.effects.finish = lambda *_: power_cut()  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        deliver(desk.house, "smtp")
    desk.house.effects.finish = finish  # type: ignore[method-assign]
    desk.clock.move(LEASE_S + 1)
    deliver(desk.house, "smtp")
    assert len(mail.taken) == 1
    assert ending(desk, lead_id, EffectKind.EMAIL)[0] == "dead"


# --- webhooks


class Receiver:
    """Somebody's endpoint. It keeps what came and answers as told."""

    def __init__(self, server: HTTPServer) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Response] = []
        self.url = server.url_for("/hooks/leads?team=a")
        server.expect_request("/hooks/leads", query_string="team=a", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, request.get_data()))
        return self.answers.pop(0) if self.answers else Response("", 204)


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)


HOOK = "do = 'webhook'\nto = 'warehouse'\nfacts = ['first_name']"


def hooks(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"warehouse": {"url": receiver.url, "secret": SECRET, "trust_private_host": True, **more}}


def verified(desk: Desk, headers: dict[str, str], body: bytes, secret: str = SECRET) -> bool:
    """What the adapter for Standard Webhooks, written apart from the sender, says of a request."""
    settings = ConnectionSettings(name="in", adapter="standard_webhooks", webhook_secrets=(SecretStr(secret),))
    one = adapter("standard_webhooks").receiver(settings, "https://x.example")
    try:
        return one.verify(Delivery("POST", "https://x.example/", headers, body, desk.clock.now()), desk.clock.now())
    except Rejected:
        return False


def test_a_webhook_is_signed(open_one: Callable[..., Desk], receiver: Receiver) -> None:
    desk = open_one(webhooks=hooks(receiver))
    lead_id = started(desk, HOOK)
    deliver(desk.house, "webhook.warehouse")
    ((headers, body),) = receiver.came
    assert verified(desk, headers, body)
    assert not verified(desk, headers, body + b" ")
    assert not verified(desk, headers, body, "whsec_" + base64.b64encode(bytes(32)).decode())
    said = json.loads(body)
    assert said["type"] == "playbook.step"
    assert said["data"]["lead_id"] == lead_id
    assert said["data"]["external_id"] == "1"
    assert said["data"]["facts"] == {"country": "US", "first_name": "Grace"}
    assert EMAIL not in body.decode()


def test_a_webhook_keeps_its_id_in_every_try(open_one: Callable[..., Desk], receiver: Receiver) -> None:
    desk = open_one(webhooks=hooks(receiver))
    lead_id = started(desk, HOOK)
    receiver.answers = [Response("", 503), Response("", 503), Response("", 503), Response("", 429, {"retry-after": "30"})]
    for _ in range(3):
        deliver(desk.house, "webhook.warehouse")
        desk.clock.move(61)
    assert ending(desk, lead_id, EffectKind.WEBHOOK)[0] == "done"
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.came}) > 1


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_webhook_that_is_refused_is_for_a_person(open_one: Callable[..., Desk], receiver: Receiver, status: int) -> None:
    desk = open_one(webhooks=hooks(receiver))
    lead_id = started(desk, HOOK)
    receiver.answers = [Response("", status)]
    deliver(desk.house, "webhook.warehouse")
    assert ending(desk, lead_id, EffectKind.WEBHOOK)[0] == "dead"
    assert len(receiver.came) == 1


def test_a_webhook_goes_nowhere_inside_unless_trusted(open_one: Callable[..., Desk], receiver: Receiver) -> None:
    desk = open_one(webhooks=hooks(receiver, trust_private_host=False))
    lead_id = started(desk, HOOK)
    deliver(desk.house, "webhook.warehouse")
    assert "inside this network" in ending(desk, lead_id, EffectKind.WEBHOOK)[1]
    assert receiver.came == []


# --- sequences


def tool(name: str, base_url: str) -> dict[str, Any]:
    secrets = {"client_id": "the-site", "token": "the-key", "webhook_secrets": ["k"]}
    return {"name": "tool", "adapter": name, "base_url": base_url, "trust_private_host": True, **secrets}


def desk_with_tool(open_one: Callable[..., Desk], name: str, server: HTTPServer) -> Desk:
    base_url = server.url_for("").rstrip("/")
    return open_one(connections={"tool": tool(name, base_url)})


def test_into_a_campaign_of_customer_io(open_one: Callable[..., Desk], httpserver: HTTPServer) -> None:
    came: list[dict[str, Any]] = []

    def take(request: Request) -> Response:
        assert request.authorization is not None
        assert (request.authorization.username, request.authorization.password) == ("the-site", "the-key")
        came.append(request.get_json())
        return Response("", 503 if len(came) == 1 else 200)

    httpserver.expect_request("/api/v2/entity", method="POST").respond_with_handler(take)
    desk = desk_with_tool(open_one, "customerio", httpserver)
    lead_id = started(desk, "do = 'enrol'\nconnection = 'tool'\nsequence = 'went_quiet'")
    deliver(desk.house, "tool")
    assert ending(desk, lead_id, EffectKind.ENROL)[0] == "done"
    assert came[0] == came[1], "the same id in both tries"
    assert (came[0]["type"], came[0]["action"], came[0]["name"]) == ("person", "event", "went_quiet")
    assert came[0]["identifiers"] == {"email": EMAIL}
    assert len(came[0]["id"]) == 26


def test_onto_a_list_of_brevo(open_one: Callable[..., Desk], httpserver: HTTPServer) -> None:
    body = {"email": EMAIL, "listIds": [7], "updateEnabled": True}
    httpserver.expect_ordered_request("/v3/contacts", "POST", json=body, headers={"api-key": "the-key"}).respond_with_data("", 204)
    desk = desk_with_tool(open_one, "brevo", httpserver)
    lead_id = started(desk, "do = 'enrol'\nconnection = 'tool'\nsequence = '7'")
    deliver(desk.house, "tool")
    assert ending(desk, lead_id, EffectKind.ENROL)[0] == "done"
    httpserver.check_assertions()


@pytest.mark.parametrize("name", ["customerio", "brevo"])
def test_a_wrong_key_is_for_a_person_and_names_nobody(open_one: Callable[..., Desk], httpserver: HTTPServer, name: str) -> None:
    httpserver.expect_request("/v3/contacts").respond_with_json({"message": EMAIL}, 401)
    httpserver.expect_request("/api/v2/entity").respond_with_json({"message": EMAIL}, 401)
    desk = desk_with_tool(open_one, name, httpserver)
    lead_id = started(desk, "do = 'enrol'\nconnection = 'tool'\nsequence = '7'")
    deliver(desk.house, "tool")
    state, error = ending(desk, lead_id, EffectKind.ENROL)
    assert state == "dead"
    assert "token" in error
    assert EMAIL not in error


def test_a_ulid_holds_the_moment_and_the_key() -> None:
    assert ulid(1_469_918_176_385, "a")[:10] == "01ARYZ6S41"  # the example of the ULID specification
    assert ulid(2**48 - 1, "a")[:10] == "7ZZZZZZZZZ"
    assert ulid(5, "a") == ulid(5, "a") != ulid(5, "b")
