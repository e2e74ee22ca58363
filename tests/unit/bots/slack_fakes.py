"""A Slack that only remembers what it was told, and leads to tell it about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.slack.client import Refused
from connector import commands
from connector.bootstrap import House
from connector.testing import StandingClock
from leads.enums import ChangeKind, Role, Tier
from leads.records import LeadChange, RepRecord
from leads.results import Reason, Score

USERS = {"UADA": "ada@x.example", "UBEN": "ben@x.example", "UBOSS": "boss@x.example"}


@dataclass
class Message:
    """One message in Slack."""

    channel: str
    text: str
    blocks: list[Any]
    metadata: dict[str, Any]
    edits: int = 0
    thread_ts: str | None = None


@dataclass
class FakeSlack:
    """The surface of `SlackApi`. `failing` maps a call to the error that it raises once."""

    users: dict[str, str] = field(
        default_factory=lambda: {"UADA": "ada@x.example", "UBEN": "ben@x.example", "UBOSS": "boss@x.example"}
    )
    messages: dict[str, Message] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    whispers: list[tuple[str, str, str]] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.failing.pop(name)

    def post(
        self, channel: str, text: str, blocks: Sequence[Any], metadata: Mapping[str, Any], thread_ts: str | None = None
    ) -> tuple[str, str]:
        self._call("post")
        ts = f"1795273200.{len(self.messages):06}"
        self.messages[ts] = Message(channel, text, list(blocks), dict(metadata), thread_ts=thread_ts)
        return channel, ts

    def find_reply(
        self, channel: str, thread_ts: str, event_type: str, marker: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]] | None:
        found = self.find(channel, 0, event_type, marker)
        return found if found and self.messages[found[0]].thread_ts == thread_ts else None

    def edit(self, channel: str, ts: str, text: str, blocks: Sequence[Any], metadata: Mapping[str, Any]) -> None:
        self._call("edit")
        if ts not in self.messages:
            raise Refused("chat.update", "message_not_found")
        known = self.messages[ts]
        self.messages[ts] = Message(channel, text, list(blocks), dict(metadata), known.edits + 1, known.thread_ts)

    def find(self, channel: str, oldest: float, event_type: str, marker: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
        self._call("find")
        for ts, message in self.messages.items():
            payload = message.metadata["event_payload"]
            same = message.channel == channel and message.metadata["event_type"] == event_type
            if same and all(payload.get(name) == value for name, value in marker.items()):
                return ts, payload
        return None

    def replies(self, channel: str, thread_ts: str, event_type: str) -> list[str]:
        return [ts for ts, one in self.messages.items() if (one.channel, one.thread_ts) == (channel, thread_ts)]

    def channel_id(self, name: str) -> str:
        return "C" + name.strip("#").upper()

    def user_by_email(self, email: str) -> str:
        self._call("user_by_email")
        return next(user for user, known in self.users.items() if known == email)

    def email_of(self, user: str) -> str | None:
        self._call("email_of")
        return self.users.get(user)

    def zone_of(self, user: str) -> str | None:
        return self.zones.get(user)

    def in_group(self, group: str, user: str) -> bool:
        self._call("in_group")
        return user in self.groups.get(group, ())

    def group(self, group: str) -> frozenset[str]:
        self._call("group")
        return frozenset(self.groups.get(group, ()))

    def update_form(self, view_id: str, view: Mapping[str, Any]) -> None:
        self._call("update_form")
        self.forms.append(dict(view))

    def open_dm(self, user: str) -> str:
        self._call("open_dm")
        return f"D{user}"

    def whisper(self, channel: str, user: str, text: str, blocks: Sequence[Any] | None = None) -> None:
        self._call("whisper")
        self.whispers.append((channel, user, text))

    def open_form(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        self._call("open_form")
        self.forms.append(dict(view))

    def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        self._call("publish_home")
        self.homes[user] = dict(view)

    def respond(self, response_url: str, message: Mapping[str, Any]) -> None:
        self._call("respond")
        self.answers.append({"response_url": response_url, **message})

    @property
    def said(self) -> str:
        """The one answer that a person got; forgotten once asked for."""
        (answer,) = self.answers
        self.answers.clear()
        assert answer["response_type"] == "ephemeral"
        assert answer["replace_original"] is False
        return str(answer["text"])


def add_reps(house: House) -> None:
    """Ada, Ben and Bo, who is a manager by the settings."""
    people = [("1", "ada@x.example", "Ada Rep"), ("2", "ben@x.example", "Ben Rep"), ("3", "boss@x.example", "Bo Boss")]
    house.reps.sync("crm", [RepRecord(number, email, name, True) for number, email, name in people])


def add_lead(
    house: House, clock: StandingClock, external_id: str, first_name: str, email: str, tier: Tier = Tier.A, rep: str = "1"
) -> int:
    """A scored lead that was given to a rep, by default Ada."""
    fields = {"first_name": first_name, "last_name": "Doe", "email": email, "company": "Acme"}
    change = LeadChange(f"e{external_id}", external_id, clock.now(), ChangeKind.CREATED, fields=fields)
    reasons = (Reason("meetings", 0.5, 1, "Booked a meeting"), Reason("mail", -0.2, None, "Free mail address"))
    score = Score(clock.now(), 0.92, 92, tier, 0.8, "m1", "model", 0.0, 1.0, reasons, {}, {}, None)
    with house.db.transaction():
        applied = house.leads.apply("crm", change, live=True)
        house.leads.mark_scored(applied.lead_id, 1, house.scores.add(applied.lead_id, 1, score))
    commands.reassign(house, applied.lead_id, rep, commands.Actor("system", "test", Role.ADMIN), "to begin with")
    return applied.lead_id
