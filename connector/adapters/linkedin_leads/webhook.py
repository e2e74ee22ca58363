"""The inbound half of LinkedIn lead gen forms: a signed notice names the answer, the worker gets it from LinkedIn.

Sources: LinkedIn's pages "Webhook validation" (the challenge; X-LI-Signature is the HMAC-SHA256 of `hmacsha256=` and the body under
the app's client secret) and "Lead sync" (the notice LEAD_ACTION, leadFormResponses). No time is signed.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from connector.errors import BadSignature
from connector.leadads import LeadFetcher, lead_events, read_answers
from connector.ports import Answer, Delivery
from connector.reading import id_key, read_facts, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets, matches
from leads.records import InboundEvent

API: Final = "https://api.linkedin.com/rest"
VERSION: Final = "202509"
SIGNATURE: Final = "x-li-signature"
SIGNED_PREFIX: Final = b"hmacsha256="
LONGEST_CHALLENGE: Final = 500
RESPONSE: Final = re.compile(r"(?:urn:li:leadGenFormResponse:)?([\w-]{1,100})", re.ASCII)
KEPT: Final[Mapping[str, str]] = {"leadType": "lead_type", "leadGenForm": "form", "associatedEntity": "ad", "testLead": "test"}


class LinkedInLeadsReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the app's live client secrets, newest first."""

    prefix = "li"

    def __init__(self, secrets: Sequence[str], fetcher: LeadFetcher) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._fetcher = fetcher

    @classmethod
    def build(cls, settings: ConnectionSettings) -> LinkedInLeadsReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the client secret of your LinkedIn app")
        return cls(secrets, LeadFetcher(settings, "LinkedIn", API))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live client secret made the signature."""
        given = delivery.headers.get(SIGNATURE, "").removeprefix(SIGNED_PREFIX.decode())
        signed = SIGNED_PREFIX + delivery.body
        if not matches(given, (hmac.new(secret, signed, "sha256").hexdigest().encode() for secret in self._secrets)):
            raise BadSignature("The LinkedIn signature is wrong.")
        return True

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The challenge, signed with the newest secret."""
        if delivery.method != "GET":
            return None
        code = parse_qs(urlsplit(delivery.url).query).get("challengeCode", [""])[0][:LONGEST_CHALLENGE]
        if not code:
            raise BadSignature("There is no challenge to answer.")
        response = hmac.new(self._secrets[0], code.encode("utf-8", "replace"), "sha256").hexdigest()
        return Answer(
            body=json.dumps({"challengeCode": code, "challengeResponse": response}).encode(), content_type="application/json"
        )

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        action = entry.get("leadAction")
        if entry.get("type") != "LEAD_ACTION" and "formResponse" not in entry:
            raise ValueError("unknown event type: kept")
        if action not in (None, "CREATED"):
            raise ValueError("a lead withdrawn or changed at LinkedIn: kept")
        named = RESPONSE.fullmatch(str(entry.get("leadGenFormResponse") or entry.get("id") or ""))
        if named is None:
            raise ValueError("no record id")
        told: Mapping[str, Any] = entry
        if not isinstance(entry.get("formResponse"), dict):
            headers = {"linkedin-version": VERSION, "x-restli-protocol-version": "2.0.0"}
            told = {**entry, **self._fetcher.get(f"/leadFormResponses/{quote(named[1])}", {}, headers)}
        if told.get("testLead") is True:
            raise ValueError("a test lead: kept")
        fields, extra = read_answers(_answers(read_object(told, "formResponse")))
        if not (fields.get("email") or fields.get("phone")):
            raise ValueError("names nobody")
        moment = read_time(told.get("submittedAt") or told.get("occurredAt"))
        source = {"source": "linkedin_ads"}
        return lead_events(id_key("li", named[1], entry), named[1], moment, {**source, **fields}, extra, read_facts(told, KEPT))


def _answers(response: Mapping[str, Any]) -> Iterator[tuple[object, object]]:
    """Pairs of question and answer; a question is named by its predefined type where it has one."""
    answers = response.get("answers")
    for one in answers if isinstance(answers, list) else ():
        if isinstance(one, dict):
            details = read_object(read_object(one, "answerDetails"), "textQuestionAnswer")
            question = one.get("predefinedField") or one.get("name") or one.get("questionId")
            yield question, read_text(details.get("answer", one.get("answer")))
