"""The traps of EspoCRM's webhooks, without a socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.espocrm import ADAPTER
from connector.adapters.espocrm.words import Names, read_stage
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration
from leads.enums import ChangeKind, ChangeOrigin, LifecycleStage
from leads.records import InboundEvent, LeadChange, UnrecognisedEvent

NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
HOOK = load_hook(Path(__file__).parents[3] / "fixtures" / "espocrm")
RECEIVER = ADAPTER.receiver(HOOK.connection(), "https://hooks.example.com")
LEAD, PERSON = "66b0000000000lead1", "66a0000000000usr1"


def read(*entries: Any, event: str = "", at: datetime = NOW) -> list[InboundEvent]:
    delivery = HOOK.sign(json.dumps(entries).encode(), at)
    delivery = replace(delivery, url=f"{delivery.url}?event={event}" if event else delivery.url)
    assert RECEIVER.verify(delivery, at) is True
    return list(RECEIVER.events(delivery))


def one(entry: Any, **more: Any) -> LeadChange:
    (event,) = read(entry, **more)
    assert isinstance(event, LeadChange)
    return event


def test_the_older_signature_alone() -> None:
    """EspoCRM before 9.0 sends X-Signature alone, over the binary hash."""
    delivery = HOOK.sign(b"[]", NOW)
    older = {name: value for name, value in delivery.headers.items() if name != "signature"}
    assert RECEIVER.verify(replace(delivery, headers=older), NOW) is True
    with pytest.raises(BadSignature):
        RECEIVER.verify(replace(delivery, headers={**older, "x-signature": older["x-signature"][:-4] + "AAAA"}), NOW)


def test_the_newer_signature_decides() -> None:
    delivery = HOOK.sign(b"[]", NOW)
    with pytest.raises(BadSignature):
        RECEIVER.verify(replace(delivery, headers={**delivery.headers, "signature": "bm9wZTo="}), NOW)


def test_the_two_forms_are_not_mixed_up() -> None:
    """The older form in the newer header, and the other way round."""
    headers = HOOK.sign(b"[]", NOW).headers
    for name, value in (("signature", headers["x-signature"]), ("x-signature", headers["signature"])):
        with pytest.raises(BadSignature):
            RECEIVER.verify(replace(HOOK.sign(b"[]", NOW), headers={name: value}), NOW)


def test_the_hook_id_is_not_signed_and_may_be_any() -> None:
    made = hmac.new(HOOK.SECRETS[1].encode(), b"[]", hashlib.sha256).hexdigest()
    headers = {"signature": base64.b64encode(f"another:{made}".encode()).decode()}
    assert RECEIVER.verify(replace(HOOK.sign(b"[]", NOW), headers=headers), NOW) is True


def test_several_leads_and_partial_diffs_in_one_array() -> None:
    events = read({"id": LEAD, "status": "Dead"}, {"id": "b", "firstName": "Ada"}, {"id": LEAD, "assignedUserId": PERSON})
    assert [event.external_id for event in events if isinstance(event, LeadChange)] == [LEAD, "b", LEAD]
    assert all(isinstance(event, LeadChange) and event.fields == {} and event.fetch for event in events)
    assert len({event.event_key for event in events}) == 3


def test_no_event_name_in_the_body() -> None:
    assert one({"id": LEAD}).kind is ChangeKind.DELETED
    assert one({"id": LEAD, "createdAt": "2026-11-21 11:00:00"}).created_at == datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
    assert one({"id": LEAD, "status": "Dead"}).kind is ChangeKind.CHANGED
    assert one({"id": LEAD}, event="Lead.delete").kind is ChangeKind.DELETED
    assert one({"id": LEAD, "assignedUserId": None}, event="Lead.fieldUpdate.assignedUser").kind is ChangeKind.CHANGED


def test_an_update_sent_to_the_address_of_deletions_deletes_nothing() -> None:
    """The address is not signed: what comes there must look like a deletion, and the other way round."""
    assert isinstance(read({"id": LEAD, "status": "Dead"}, event="Lead.delete")[0], UnrecognisedEvent)
    assert isinstance(read({"id": LEAD}, event="Lead.update")[0], UnrecognisedEvent)


@pytest.mark.parametrize("event", ["Contact.update", "Opportunity.create", "Account.delete", "%00.update"])
def test_hooks_of_other_entities_are_kept(event: str) -> None:
    assert isinstance(read({"id": "1"}, event=event)[0], UnrecognisedEvent)


def test_back_to_what_it_was_is_a_change() -> None:
    entry = {"id": LEAD, "assignedUserId": PERSON}
    first, repeat, back = (one(entry, at=NOW + timedelta(seconds=wait)).event_key for wait in (0, 40, 600))
    assert first == repeat != back


def test_a_creation_that_comes_again_is_a_repeat() -> None:
    """A portion whose answer was lost comes again ten minutes later."""
    entry = {"id": LEAD, "createdAt": "2026-11-21 11:00:00", "firstName": "Ada"}
    body = json.dumps([entry]).encode()
    first, late = (HOOK.sign(body, NOW + timedelta(minutes=wait)) for wait in (0, 10))
    assert RECEIVER.delivery_key(first) == RECEIVER.delivery_key(late)
    assert one(entry).event_key == one(entry, at=NOW + timedelta(minutes=10)).event_key


def test_whose_change_it_was_is_told_only_when_that_changed() -> None:
    assert one({"id": LEAD, "assignedUserId": PERSON, "modifiedById": HOOK.API_USER}).origin is ChangeOrigin.OURSELVES
    assert one({"id": LEAD, "assignedUserId": PERSON, "modifiedById": PERSON}).origin is ChangeOrigin.UNKNOWN
    assert one({"id": LEAD, "assignedUserId": PERSON}).origin is ChangeOrigin.UNKNOWN
    assert one({"id": LEAD, "cLeadswitchScore": 3}).origin is ChangeOrigin.OURSELVES
    assert one({"id": LEAD, "cLeadswitchScore": 3, "modifiedById": PERSON}).origin is ChangeOrigin.UNKNOWN, "a person's own hand"


def test_410_would_delete_the_hook() -> None:
    assert BadSignature.status == 401, "tried again, so that a key that is set late loses nothing"
    assert RECEIVER.acknowledgement(HOOK.sign(b"[]", NOW)).status == 200


def test_custom_fields_have_a_prefix_or_none() -> None:
    settings = HOOK.connection()
    assert Names.of(settings).score == "cLeadswitchScore"
    assert Names.of(settings.model_copy(update={"field_prefix": ""})).score == "leadswitchScore"
    with pytest.raises(Configuration, match="field_prefix"):
        Names.of(settings.model_copy(update={"field_prefix": "x"}))


def test_the_stage_is_the_further_of_status_and_ours() -> None:
    names = Names.of(HOOK.connection())
    assert read_stage({"status": "Assigned"}, names) is LifecycleStage.LEAD
    assert read_stage({"status": "New", "cLeadswitchStage": "mql"}, names) is LifecycleStage.MQL
    assert read_stage({"status": "Converted", "cLeadswitchStage": "mql"}, names) is LifecycleStage.OPPORTUNITY
    assert read_stage({"status": "Something of theirs", "cLeadswitchStage": "nonsense"}, names) is LifecycleStage.LEAD
