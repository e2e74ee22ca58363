"""Lead-ad forms, whatever the platform: their answers read, the lead they make, and how a lead is got that is only named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.clock import SystemClock
from connector.errors import Skippable
from connector.reading import read_json, read_text
from connector.settings import ConnectionSettings
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

#: Names of the platforms' own questions, squeezed to letters: Meta's, Google's column ids and LinkedIn's question types.
QUESTIONS: Final[Mapping[str, str]] = {
    "email": "email",
    "emailaddress": "email",
    "useremail": "email",
    "workemail": "email",
    "phone": "phone",
    "phonenumber": "phone",
    "userphone": "phone",
    "workphone": "phone",
    "workphonenumber": "phone",
    "firstname": "first_name",
    "lastname": "last_name",
    "jobtitle": "title",
    "title": "title",
    "company": "company",
    "companyname": "company",
    "country": "country",
    "city": "city",
    "state": "region",
    "province": "region",
    "region": "region",
    "zip": "postcode",
    "zipcode": "postcode",
    "postcode": "postcode",
    "postalcode": "postcode",
    "website": "website",
    "companysize": "employees",
    "companyindustry": "industry",
    "industry": "industry",
    "message": "message",
    "comments": "message",
}
FULL_NAME: Final = frozenset({"fullname", "name"})
#: Answers to questions of one's own that are kept, and how long each may be.
MOST_EXTRA: Final = 40
EXTRA_LIMIT: Final = 300


def read_answers(answers: Iterable[tuple[object, object]]) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """(fields, extra) of the pairs of question and answer. The first answer to a question counts."""
    fields: dict[str, FieldValue] = {}
    extra: dict[str, FieldValue] = {}
    for question, answer in answers:
        name, text = read_text(question, 80), read_text(answer)
        if name is None or text is None:
            continue
        squeezed = re.sub(r"[^a-z]", "", name.lower())
        if squeezed in QUESTIONS:
            fields.setdefault(QUESTIONS[squeezed], text)
        elif squeezed in FULL_NAME:
            first, _, last = text.partition(" ")
            fields.setdefault("first_name", first)
            if last.strip():
                fields.setdefault("last_name", last.strip())
        elif len(extra) < MOST_EXTRA:
            extra.setdefault(name, text[:EXTRA_LIMIT])
    return fields, extra


def lead_events(
    key: str,
    person: str,
    moment: datetime,
    fields: Mapping[str, FieldValue],
    extra: Mapping[str, FieldValue],
    facts: Mapping[str, FieldValue],
) -> Sequence[InboundEvent]:
    """The lead that a form made, and the act of sending it. `person` is the platform's id of the answer, or empty."""
    change = LeadChange(key, person, moment, ChangeKind.CREATED, ChangeOrigin.PERSON, fields, extra, created_at=moment)
    email, phone = (str(fields[name]) if fields.get(name) else None for name in ("email", "phone"))
    act = EngagementEvent(
        f"{key}:form", EngagementKind.FORM_SUBMITTED, moment, email, person or None, properties=facts, phone=phone
    )
    return [change, act]


class LeadFetcher:
    """Gets a lead that a platform's notice only names. Runs in the worker. Without a token nothing is called."""

    def __init__(self, settings: ConnectionSettings, title: str, base_url: str) -> None:
        self._title = title
        self._base_url = settings.base_url or base_url
        self._token = settings.token.get_secret_value() if settings.token else None
        self._allow_private = settings.trust_private_host

    def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
        """One JSON object. Raises ValueError when it cannot be had for good, else what `connector.http` raises."""
        if self._token is None:
            raise ValueError("the notice only names the lead, and the connection has no token to get it with")
        from connector.http import VendorHttp, sorted_error  # the web process never calls out, and starts quicker without

        clock = SystemClock()
        http = VendorHttp(self._title, self._base_url.rstrip("/"), clock, allow_private=self._allow_private)
        try:
            shown = {"authorization": f"Bearer {self._token}", **headers}
            answer = http.send("GET", path, idempotent=True, params=dict(params), headers=shown)
            error = sorted_error(answer, self._title, {}, clock.now())
            if isinstance(error, Skippable):
                raise ValueError("the lead is not there any more")
            if error is not None:
                raise error
            document = read_json(answer.content)
        finally:
            http.close()
        if not isinstance(document, dict):
            raise ValueError("the answer is not an object")
        return document
