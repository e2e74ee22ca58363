"""The inbound half of Pipedrive: webhooks of version 2, one event a delivery.

Source: Pipedrive's guides "Webhooks v2" and "Webhooks v2 migration guide": Basic credentials are the only authentication;
`meta.attempt` counts the tries; a merge is the deletion of one record with `merged_to_id` and a change of the other; ids in `meta`
are text; events of users carry a count of seconds as their timestamp and no id of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.pipedrive import words
from connector.errors import BadSignature
from connector.ports import Delivery
from connector.reading import content_key, delivery_key, read_id, read_json, read_number, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SharedSecret, live_secrets
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind, LifecycleStage
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

#: Guessing is all that protects an address whose sender does not sign.
SHORTEST_SECRET: Final = 16


class PipedriveReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries.

    `user_id` is the user whose token we call with; unset, it is whoever made the webhook. `nobody` are owners that count as none:
    unset, that same user.
    """

    prefix = "pd"

    def __init__(self, secrets: Sequence[str], user_id: str | None = None, nobody: Sequence[str] = ()) -> None:
        self._secret = SharedSecret(secrets, ("basic",))
        self._user_id = user_id
        self._nobody = frozenset(nobody)

    @classmethod
    def build(cls, settings: ConnectionSettings) -> PipedriveReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the password that the webhook is made with", SHORTEST_SECRET)
        user = settings.option("user_id")
        return cls(secrets, str(user) if user else None, words.read_id_list(settings, "unassigned_owners"))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: Pipedrive signs nothing. Raises `BadSignature` without the webhook's password."""
        try:
            self._secret.check(delivery)
        except BadSignature:
            raise BadSignature("The request does not carry the webhook's user and password.") from None
        return False

    def delivery_key(self, delivery: Delivery) -> str:
        """Equal for the tries of one event, whose bodies differ in `meta.attempt` alone."""
        try:
            document = read_json(delivery.body)
            meta = {name: value for name, value in document["meta"].items() if name != "attempt"}
            text = json.dumps({**document, "meta": meta}, sort_keys=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return delivery_key(delivery.body)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        meta = read_object(entry, "meta")
        entity, action = str(meta.get("entity")), str(meta.get("action"))
        if action not in ("create", "change", "delete"):
            raise ValueError("no event of webhooks version 2: kept")
        notice = _Notice(entry, self._user_id, self._nobody)
        if entity == "person":
            return [notice.person(action)]
        if action == "delete":
            raise ValueError("not the end of a lead: kept")
        if entity == "lead":
            return [notice.lead(action)]
        if entity == "deal":
            return notice.deal(action)
        if entity == "activity":
            return notice.activity(action)
        raise ValueError("not about a lead: kept")


class _Notice:
    """One notice, taken apart. Its reading raises ValueError."""

    def __init__(self, entry: Mapping[str, Any], user_id: str | None, nobody: frozenset[str]) -> None:
        self.meta = read_object(entry, "meta")
        self.data, self.previous = read_object(entry, "data"), read_object(entry, "previous")
        self.about = read_id(self.meta.get("entity_id"))
        self.at = read_time(self.meta.get("timestamp"))
        made_by = self.meta.get("webhook_owner_id")
        self.user_id = user_id or (str(made_by) if isinstance(made_by, str | int) else None)
        self.nobody = nobody or (frozenset({self.user_id}) if self.user_id else frozenset())
        said = [self.meta.get(name) for name in ("entity", "action", "entity_id", "id", "timestamp")]
        self.key = content_key("pd", said)

    def person(self, action: str) -> LeadChange:
        if action == "delete":
            into = self.meta.get("merged_to_id")
            if into not in (None, ""):
                survivor = read_id(into)
                return self._change(survivor, kind=ChangeKind.MERGED, merged_ids=(self.about,), fetch=True)
            return self._change(self.about, kind=ChangeKind.DELETED)
        created = action == "create"
        names = words.PERSON_FIELDS if created else self.previous.keys()
        fields = words.read_person(self.data, names, self.nobody)
        if created:
            fields = {name: value for name, value in fields.items() if value is not None}
        origin = self._origin()
        # of a custom field the notice has only the key, and of the organisation only the id
        unsaid = created or bool({"custom_fields", "org_id"} & self.previous.keys())
        return self._change(
            self.about,
            kind=ChangeKind.CREATED if created else ChangeKind.CHANGED,
            fields=fields,
            fetch=unsaid and origin is not ChangeOrigin.OURSELVES,
            created_at=self.at if created else None,
        )

    def lead(self, action: str) -> LeadChange:
        """A Lead of the inbox: business with a person, told under the person's id."""
        person = self._person()
        told = self.data.keys() if action == "create" else self.previous.keys()
        fields: dict[str, FieldValue] = {}
        if "owner_id" in told:
            fields["owner_id"] = words.read_owner_id(self.data.get("owner_id"), self.nobody)
        if "value" in told:
            fields["deal_amount"] = read_number(read_object(self.data, "value").get("amount"))
        if "source_name" in told:
            fields["source"] = read_text(self.data.get("source_name"))
        if action == "create":
            fields = {name: value for name, value in fields.items() if value is not None}
        return self._change(person, fields=fields, fetch=action == "create")

    def deal(self, action: str) -> list[LeadChange]:
        """A deal with a person: made, won, or of another amount. That all are lost, only the CRM knows."""
        person = self._person()
        fields: dict[str, FieldValue] = {}
        status = self.data.get("status")
        if action == "create" or "status" in self.previous:
            stage = {"open": LifecycleStage.OPPORTUNITY, "won": LifecycleStage.CUSTOMER}.get(str(status))
            if stage is not None:
                fields["lifecycle_stage"] = stage.value
        if action == "create" or "value" in self.previous:
            fields["deal_amount"] = read_number(self.data.get("value"))
        return [self._change(person, fields=fields)] if fields else []

    def activity(self, action: str) -> list[EngagementEvent]:
        """What making or finishing an activity says of its person; nothing for tasks, ours among them."""
        made, finished = words.ACTIVITIES.get(str(self.data.get("type")), (None, None))
        done = self.data.get("done") is True
        found: list[EngagementEvent] = []
        if action == "create" and made is not None:
            found.append(self._engagement(made, self.data.get("add_time")))
        if done and finished is not None and (action == "create" or "done" in self.previous):
            found.append(self._engagement(finished, self.data.get("marked_as_done_time")))
        return found

    def _engagement(self, kind: EngagementKind, moment: object) -> EngagementEvent:
        at = read_time(moment) if moment else self.at
        return EngagementEvent(words.activity_key(self.about, kind), kind, at, external_id=self._person())

    def _person(self) -> str:
        if self.data.get("person_id") in (None, ""):
            raise ValueError("no person: kept")
        return read_id(self.data["person_id"])

    def _change(self, person: str, kind: ChangeKind = ChangeKind.CHANGED, **more: Any) -> LeadChange:
        return LeadChange(self.key, person, self.at, kind, self._origin(), **more)

    def _origin(self) -> ChangeOrigin:
        """Ours is what our user changed by call, and nothing but what we write; or a deal that our user made."""
        source = str(self.meta.get("change_source"))
        if source == "api" and self.user_id and str(self.meta.get("user_id")) == self.user_id:
            changed = self.previous.keys()
            made_a_deal = self.meta.get("entity") == "deal" and self.meta.get("action") == "create"
            if made_a_deal or (changed and changed <= words.WRITTEN):
                return ChangeOrigin.OURSELVES
        return words.ORIGINS.get(source, ChangeOrigin.UNKNOWN)
