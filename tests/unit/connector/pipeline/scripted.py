"""A CRM and an e-mail tool that say what a test tells them to, without a socket, and a house that listens to both."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, cast

from connector import testing
from connector.bootstrap import House
from connector.errors import LeadswitchError, Skippable
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.evaluate import evaluate
from connector.pipeline.ingest import ingest
from connector.pipeline.waiting import allocate_in_turn
from connector.ports import CrmWrite, Delivery, LeadWrite, TaskWrite, Written
from connector.storage.effects import Effect
from connector.storage.intake import seal_delivery
from connector.storage.models import Inbox
from connector.testing import NOON, RecordingBell, StandingClock, run_bells
from leads.enums import ChangeKind, ChangeOrigin, EffectKind, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange, RepRecord

CRM, MAIL = "crm", "mail"
LONG_AGO = NOON - timedelta(hours=6)
REPS = ("Ada", "Ben", "Cleo")
_numbers = count(1)


def change(external_id: str, at: datetime = NOON, kind: ChangeKind = ChangeKind.CHANGED, **fields: FieldValue) -> LeadChange:
    """A change with a key of its own."""
    return LeadChange(f"c{next(_numbers)}", external_id, at, kind, ChangeOrigin.PERSON, fields)


def act(
    email: str | None, at: datetime = NOON, kind: EngagementKind = EngagementKind.EMAIL_CLICKED, **more: Any
) -> EngagementEvent:
    """An act with a key of its own."""
    return EngagementEvent(f"e{next(_numbers)}", kind, at, email=email, **more)


def empty(external_id: str) -> LeadChange:
    return LeadChange("read", external_id, LONG_AGO, ChangeKind.CHANGED, created_at=LONG_AGO)


class Source:
    """The inbound half of a connection: each delivery's body is a number, behind which lie events, or an error to raise."""

    def __init__(self) -> None:
        self.scripts: dict[str, Sequence[InboundEvent] | Exception] = {}

    def events(self, delivery: Delivery) -> Sequence[InboundEvent]:
        said = self.scripts[delivery.body.decode()]
        if isinstance(said, Exception):
            raise said
        return said


@dataclass
class Crm:
    """The outbound half: records by id, tasks by marker, every write in order. It has any record it is asked for, empty, unless
    `missing` names it. `fails` holds what the next writes raise, `refuses` the error of a single record."""

    records: dict[str, LeadChange] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, TaskWrite] = field(default_factory=dict)
    made: list[TaskWrite] = field(default_factory=list)
    writes: list[tuple[CrmWrite, bool]] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    refuses: dict[str, Exception] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return [self.records.get(one) or empty(one) for one in external_ids if one not in self.missing]

    def owners(self) -> Iterator[RepRecord]:
        return iter(records_of_reps())

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        with self.lock:
            if self.fails:
                raise self.fails.pop(0)
            return [self._one(write, in_doubt) for write in writes]

    def _one(self, write: CrmWrite, in_doubt: bool) -> Written:
        self.writes.append((write, in_doubt))
        if error := self.refuses.get(write.external_id):
            return Written(False, error=error)
        if isinstance(write, LeadWrite):
            wanted = {"owner_id": write.owner_id, "score": write.score, "tier": write.tier, "stage": write.stage}
            present = self.held.setdefault(write.external_id, {})
            changed = tuple(name for name, value in wanted.items() if value is not None and present.get(name) != value)
            present.update({name: wanted[name] for name in changed})
            return Written(True, changed)
        if not isinstance(write, TaskWrite):
            return Written(True, receipt=f"{type(write).__name__}-{write.marker}")
        if write.made_as is None and not (in_doubt and write.marker in self.tasks):
            self.made.append(write)
            self.tasks[write.marker] = write
            return Written(True, ("owner_id",), f"task-{len(self.made)}")
        self.tasks[write.marker] = write
        return Written(True, ("owner_id",), None if write.made_as else "task-found")

    def record_url(self, external_id: str) -> str:
        return f"https://crm.example/{external_id}"


@dataclass
class Slack:
    """Takes the alerts. `posted` counts messages by (lead, destination)."""

    posted: list[tuple[int | None, str]] = field(default_factory=list)
    digests: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    doubts: list[bool] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str:
        if self.fails:
            raise self.fails.pop(0)
        self.doubts.append(in_doubt)
        if effect.kind is EffectKind.SLACK_DIGEST:
            self.digests.append((str(effect.payload["rep_id"]), tuple(effect.payload["lead_ids"])))
        else:
            self.posted.append((effect.lead_id, str(effect.payload["destination"])))
        return f"C1:{len(self.doubts)}"


def records_of_reps(names: Sequence[str] = REPS) -> list[RepRecord]:
    return [RepRecord(str(100 + place), f"{name.lower()}@seller.example", name, True) for place, name in enumerate(names)]


class Desk:
    """A house with a CRM, an e-mail tool and a Slack, and the verbs of a test."""

    def __init__(self, house: House, slack: Slack) -> None:
        self.house, self.slack = house, slack
        self.crm = Crm()
        self.sources = {CRM: Source(), MAIL: Source()}
        house._receivers.update(self.sources)  # type: ignore[arg-type]
        house._clients.update({CRM: self.crm, MAIL: None})  # type: ignore[dict-item]

    @property
    def clock(self) -> StandingClock:
        assert isinstance(self.house.clock, StandingClock)
        return self.house.clock

    def store(self, connection: str, said: Sequence[InboundEvent] | Exception) -> int:
        """A delivery in the inbox; returns its id."""
        house, number = self.house, str(next(_numbers))
        self.sources[connection].scripts[number] = said
        delivery = Delivery("POST", "https://x.example/", {}, number.encode(), house.clock.now())
        with house.db.connected():
            return int(
                Inbox.create(
                    connection=connection,
                    delivery_key=number,
                    received_at=house.clock.now(),
                    signed=True,
                    envelope=seal_delivery(house.vault, delivery),
                    trace_id=f"trace{number}",
                    due_at=house.clock.now(),
                ).id
            )

    def tell(self, connection: str, *said: InboundEvent) -> int:
        """One delivery, stored and worked off by the first stage alone; returns its id."""
        inbox_id = self.store(connection, said)
        ingest(self.house, [inbox_id])
        return inbox_id

    def work(self, inbox_id: int) -> None:
        """Work a stored delivery off."""
        ingest(self.house, [inbox_id])

    def say(self, inbox_id: int, *said: InboundEvent) -> None:
        """From now on the stored delivery reads as this."""
        (stored,) = self.house.inbox.read([inbox_id])
        self.sources[stored.connection].scripts[stored.delivery.body.decode()] = said

    def run(self) -> int:
        """Carry out everything that was rung for."""
        return run_bells(self.house)

    def step(self) -> None:
        """Carry out what was rung for, but nothing that this rings for."""
        bell = cast(RecordingBell, self.house.queue)
        jobs: Mapping[str, Any] = {"ingest": ingest, "evaluate": evaluate, "evaluate_first": evaluate, "allocate": allocate_in_turn}
        rung, bell.rung = bell.rung, []
        for actor, args in rung:
            jobs.get(actor, deliver)(self.house, *args)

    def route(self) -> None:
        """Score and allocate what was rung for; the effects stay in the outbox."""
        stages = {"evaluate": evaluate, "evaluate_first": evaluate, "allocate": allocate_in_turn}
        bell = cast(RecordingBell, self.house.queue)
        while bell.rung:
            actor, args = bell.rung.pop(0)
            if actor in stages:
                stages[actor](self.house, args[0])

    def lead(self, external_id: str) -> int:
        found = self.house.leads.find_external(CRM, external_id)
        assert found is not None
        return found

    def states(self, inbox_id: int) -> list[str]:
        """How each event of a delivery ended, in alphabetical order of the endings."""
        return sorted(state for _, state, _ in self.house.events.of_inbox(inbox_id))


def open_desk(folder: Path, *, database_url: str | None = None, reps: Sequence[str] = REPS, **settings: Any) -> Desk:
    """A desk on a fresh database. Close its house when done, and take the Slack out of `HANDLERS`."""
    folder.mkdir(parents=True, exist_ok=True)
    if database_url is None:
        shutil.copy(_migrated(), folder / "test.db")
    house = testing.house(
        folder,
        database_url=database_url,
        policy=str(folder / "policy.toml"),
        connections={
            CRM: {"name": CRM, "adapter": "hubspot", "token": "pat"},
            MAIL: {"name": MAIL, "adapter": "sendgrid", "webhook_secrets": ["k"]},
            **settings.pop("connections", {}),
        },
        **{"slack": {"bot_token": "xoxb"}, **settings},
    )
    if house.db.is_sqlite:
        house.db.raw.pragma("synchronous", "off", permanent=True)  # no test pulls the plug
    house.reps.sync(CRM, records_of_reps(reps))
    slack = Slack()
    HANDLERS.update({EffectKind.SLACK_CARD: slack, EffectKind.SLACK_DIGEST: slack})
    return Desk(house, slack)


@cache
def _migrated() -> Path:
    """An empty database with the schema, made once a run: copying it is quicker than migrating."""
    folder = Path(tempfile.mkdtemp(prefix="leadswitch-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    testing.house(folder).close()
    return folder / "test.db"


def gone() -> LeadswitchError:
    return Skippable("The record is gone.")


def as_json(value: Any) -> str:
    """A canonical text of records, for bit-for-bit comparison."""
    return json.dumps(value, sort_keys=True, default=str)
