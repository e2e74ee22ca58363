"""Salesforce: an org with its rules, REST and SOAP, and outbound messages about leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Scope

from connector.testing import StandingClock
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers
from tests.standins.salesforce.api import CLIENT_ID, ORGANIZATION, USERNAME, Api, private_pem
from tests.standins.salesforce.org import Org, Record, suffixed

SECRET = "a-long-word-in-the-path"
#: The fields that the admin has put into the outbound message.
SENT = (
    "Id", "FirstName", "LastName", "Company", "Email", "Phone", "Title", "Status", "OwnerId", "IsConverted", "Leadswitch_Stage__c",
    "CreatedDate", "LastModifiedDate", "LastModifiedById",
)  # fmt: skip
CANONICAL = {
    "first_name": "FirstName", "last_name": "LastName", "company": "Company", "email": "Email", "phone": "Phone", "title": "Title",
    "owner_id": "OwnerId", "lifecycle_stage": "Leadswitch_Stage__c", "country": "Country", "industry": "Industry",
}  # fmt: skip
NOTIFICATIONS = 3  # in one message; Salesforce sends up to 100
MESSAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
    '<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{organization}</OrganizationId>'
    '<ActionId>04k000000000001AAA</ActionId><SessionId xsi:nil="true"/>'
    "<EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/64.0/00D000000000001</EnterpriseUrl>"
    "<PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/00D000000000001</PartnerUrl>{notifications}"
    "</notifications></soapenv:Body></soapenv:Envelope>"
)


class SalesforceStandIn:
    """See `tests.standins.StandIn`."""

    adapter = "salesforce"
    unknown_owner = suffixed("005000000000999")

    def __init__(self, clock: StandingClock) -> None:
        self.clock, self.knobs = clock, Knobs()
        self.org = Org(clock)
        self.org.on_lead = self._tell
        people = (("Ada Rep", True), ("Ben Rep", True), ("Cleo Rep", True), ("Dan Gone", False))
        users = [
            self.org.insert(
                "User",
                {
                    "Name": name,
                    "Email": f"{name.split()[0].lower()}@seller.example",
                    "IsActive": active,
                    "UserType": "Standard",
                    "UserRole.Name": "Inside",
                },
                self.org.user,
            )
            for name, active in people
        ]
        self.owners: Sequence[str] = [user["Id"] for user in users if user["IsActive"]]
        self._person = users[0]["Id"]
        self.api = Api(self.org, self.knobs)
        self.app = lose_answers(Starlette(routes=self.api.routes()), self.knobs, _makes)
        self._told: list[str] = []
        self._sent = 0

    @property
    def changes(self) -> int:
        return self.org.changes

    @property
    def impatient(self) -> int:
        return self.api.impatient

    def connection(self, base_url: str) -> dict[str, Any]:
        return {
            "adapter": "salesforce",
            "base_url": base_url,
            "trust_private_host": True,
            "client_id": SecretStr(CLIENT_ID),
            "client_secret": SecretStr(private_pem()),
            "username": USERNAME,
            "webhook_secrets": (SecretStr(SECRET),),
            "user_id": self.org.user[:15],  # as the screens show it
            "organization_id": ORGANIZATION,
            "queue_id": self.org.queue,
        }

    def make_lead(self, **fields: FieldValue) -> str:
        return str(self.org.create("Lead", _values({"lifecycle_stage": "lead", **fields}), self._person)["Id"])

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        self.org.update("Lead", external_id, _values(fields), self._person)

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"Name": name, "Website": website, "OwnerId": owner_id}
        return str(self.org.insert("Account", company, self._person)["Id"])

    def see(self, external_id: str) -> Seen:
        lead = self.org.tables["Lead"][external_id]
        person = lead["ConvertedContactId"] or lead["Id"]
        stage = "opportunity" if lead["IsConverted"] else lead.get("Leadswitch_Stage__c")
        tier = lead.get("Leadswitch_Tier__c")
        deals = self.org.tables["Opportunity"]
        return Seen(
            owner_id=None if lead["OwnerId"] == self.org.queue else lead["OwnerId"],
            score=lead.get("Leadswitch_Score__c"),
            tier=tier.lower() if tier else None,
            stage=stage,
            reasons=lead.get("Leadswitch_Reasons__c"),
            tasks=[_task(task) for task in self.org.tables["Task"].values() if task["WhoId"] == person],
            notes=[note["Body"] for note in self.org.tables["Note"].values() if note["ParentId"] == person],
            deals=[deals[lead["ConvertedOpportunityId"]]["Name"]] if lead["IsConverted"] else [],
        )

    def take_notices(self) -> list[Notice]:
        told, self._told = self._told, []
        notices = []
        for start in range(0, len(told), NOTIFICATIONS):
            body = self.message(told[start : start + NOTIFICATIONS])
            notices.append(Notice(f"/{SECRET}", {"content-type": "text/xml; charset=UTF-8", "soapaction": '""'}, body))
        return self.knobs.send(notices)

    def message(self, leads: Sequence[str]) -> bytes:
        """An outbound message about these leads, with what they hold now and not what they held when it was queued."""
        parts = []
        for lead in leads:
            self._sent += 1
            record = self.org.tables["Lead"].get(lead, {"Id": lead})
            number = suffixed(f"04l{self._sent:012}")
            parts.append(
                f'<Notification><Id>{number}</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
                f"{_elements(record)}</sObject></Notification>"
            )
        return MESSAGE.format(organization=ORGANIZATION, notifications="".join(parts)).encode()

    def expire_tokens(self) -> None:
        self.api.tokens.clear()

    def _tell(self, lead: Record) -> None:
        self._told.append(lead["Id"])


def _makes(scope: Scope) -> bool:
    path = str(scope["path"])
    return scope["method"] == "POST" and (path.endswith(("/sobjects/Task", "/sobjects/Note")) or "/Soap/" in path)


def _values(fields: Mapping[str, FieldValue]) -> Record:
    return {CANONICAL[name]: value for name, value in fields.items()}


def _elements(record: Record) -> str:
    """The fields that hold something, in the way of XML: moments end in Z, checkboxes are words."""
    shown = []
    for name in SENT:
        value = record.get(name)
        if isinstance(value, bool):
            value = str(value).lower()
        if value is not None:
            text = str(value).replace("+0000", "Z")
            shown.append(f"<sf:{name}>{escape(text)}</sf:{name}>")
    return "".join(shown)


def _task(task: Record) -> SeenTask:
    return SeenTask(task["OwnerId"], task["Subject"], datetime.fromisoformat(task["ActivityDate"]).replace(tzinfo=UTC))


def open_stand_in(clock: StandingClock) -> SalesforceStandIn:
    """A fresh org."""
    return SalesforceStandIn(clock)
