"""A person first heard of through a form or an e-mail tool, and then in the CRM: one lead, at home in the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.bootstrap import House
from connector.pipeline.normalise import normalise_act
from connector.testing import NOON
from connector.testing import house as build_house
from leads.enums import ChangeKind, EngagementKind
from leads.records import EngagementEvent, LeadChange

SECRETS = ["a-long-enough-secret"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    named = {"crm": "hubspot", "form": "web_form", "news": "mailchimp", "odd": "no_such_adapter"}
    connections = {name: {"name": name, "adapter": one, "webhook_secrets": SECRETS} for name, one in named.items()}
    built = build_house(tmp_path, connections=connections)
    yield built
    built.close()


def told(connection: str, external_id: str) -> LeadChange:
    return LeadChange(f"{connection}-1", external_id, NOON, ChangeKind.CREATED, fields={"email": "ada@example.com"})


@pytest.mark.parametrize(("first", "external_id"), [("form", ""), ("news", "8a25ff1d98")])
def test_the_crm_becomes_the_home(house: House, first: str, external_id: str) -> None:
    with house.db.transaction():
        made = house.leads.apply(first, told(first, external_id), live=True)
        found = house.leads.apply("crm", told("crm", "101"), live=True)
    assert (found.created, found.lead_id) == (False, made.lead_id)
    lead = house.leads.get(made.lead_id)
    assert lead is not None
    assert (lead.connection, lead.external_id) == ("crm", "101")


def test_an_e_mail_tool_moves_nobody_out_of_the_crm(house: House) -> None:
    with house.db.transaction():
        made = house.leads.apply("crm", told("crm", "101"), live=True)
        house.leads.apply("news", told("news", "8a25ff1d98"), live=True)
    lead = house.leads.get(made.lead_id)
    assert lead is not None
    assert (lead.connection, lead.external_id) == ("crm", "101")


def test_a_message_finds_the_lead_with_that_phone_number(house: House, tmp_path: Path) -> None:
    change = LeadChange("crm-1", "101", NOON, ChangeKind.CREATED, fields={"phone": "+4722334455", "email": "ada@example.com"})
    act = EngagementEvent("wa:1", EngagementKind.MESSAGE_RECEIVED, NOON, text="What does it cost?", phone="+47 22 33 44 55")
    with house.db.transaction():
        made = house.leads.apply("crm", change, live=True)
        tokens = house.leads.tokens("chat", act.external_id, {"email": act.email, "phone": normalise_act(act).phone})
        assert house.leads.find(tokens) == [made.lead_id]
