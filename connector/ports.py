"""What an adapter is. One folder `connector/adapters/<vendor>/` implements these; nothing else in the project names a vendor.

An *adapter* is code, a *connection* is one configured account of it. A module `connector.adapters.<vendor>` exposes
`ADAPTER: Adapter`; `connector.registry` finds it there or through the entry point group `leadswitch.adapters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable

from connector.settings import ConnectionSettings
from leads.enums import Outcome, Tier
from leads.records import AccountRecord, EngagementEvent, InboundEvent, LeadChange, RepRecord
from leads.results import CheckResult


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request as it came in. `url` is the externally visible one (public URL + path + query, raw escapes kept);
    header names are in lower case; `body` is the raw bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back when a vendor wants more than an empty 200 (a handshake, an Ack document)."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver(Protocol):
    """The inbound half of a connection. Built once; called on the web server's hot path, so it must be quick and must not
    open sockets."""

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """Check the vendor's signature over the raw bytes in constant time.

        Returns True when signed and right, False when the source cannot sign (the row is marked unsigned). Raises
        `BadSignature` or `Stale`. Tries every live secret.
        """
        ...

    def delivery_key(self, delivery: Delivery) -> str:
        """A key equal for the vendor's own repeats of the same bytes; at most 64 characters."""
        ...

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The answer to a GET/HEAD/OPTIONS (or challenge POST) set-up request, or None when this is not one."""
        ...

    def acknowledgement(self, delivery: Delivery) -> Answer:
        """What to send once the delivery is stored."""
        ...

    def events(self, delivery: Delivery) -> Sequence[InboundEvent]:
        """Read a stored delivery. Runs in a worker. Never raises for one bad event: that becomes `UnrecognisedEvent`.

        A body that cannot be read at all is one `UnrecognisedEvent` too.
        """
        ...


@dataclass(frozen=True, slots=True)
class LeadWrite:
    """What a lead record in the CRM is to hold: a convergent write. None leaves a field alone, an empty owner clears it."""

    external_id: str
    owner_id: str | None = None
    score: int | None = None
    tier: Tier | None = None
    reasons: str | None = None  # one line of plain words, no personal data
    routed_because: str | None = None
    stage: str | None = None  # a LifecycleStage value; never moved backwards
    lead_status: str | None = None  # open, attempted_to_contact, connected or unqualified


@dataclass(frozen=True, slots=True)
class TaskWrite:
    """One task on a lead, made once. `marker` is our idempotency key, kept on the task so that it can be found again.

    `made_as` is the CRM's id of the task when it was made before: then its owner and due date are brought up to date.
    """

    marker: str
    external_id: str
    owner_id: str
    subject: str
    body: str
    due_at: datetime
    priority: Literal["high", "medium", "low"] = "medium"
    made_as: str | None = None


@dataclass(frozen=True, slots=True)
class NoteWrite:
    """One note on a lead, made once and never edited. `marker` is our idempotency key, kept in the note."""

    marker: str
    external_id: str
    body: str  # plain words, no personal data


@dataclass(frozen=True, slots=True)
class DealWrite:
    """One deal for a lead, made once. Where the CRM makes deals by converting the lead, the lead is converted.

    A lead that was converted already, or holds an open deal of this marker, is left as it is.
    """

    marker: str
    external_id: str
    owner_id: str | None
    title: str
    amount: Decimal | None = None
    currency: str | None = None  # ISO 4217; None is the CRM's own


CrmWrite = LeadWrite | TaskWrite | NoteWrite | DealWrite


@dataclass(frozen=True, slots=True)
class Written:
    """The result of one write, in the order given. `error` is set when this one failed and others did not.

    `changed` lists the canonical names that were really sent (after comparing), so that the echo can be recognised;
    `receipt` is the CRM's id of what was made.
    """

    ok: bool
    changed: tuple[str, ...] = ()
    receipt: str | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class BackfillPage:
    """One page of existing records. `cursor` resumes after this page; None after the last one. `total` if the CRM tells."""

    leads: Sequence[LeadChange]
    engagements: Sequence[EngagementEvent]
    outcomes: Mapping[str, tuple[Outcome, datetime]]  # external id → how it ended and when
    cursor: str | None
    total: int | None = None


class CrmClient(Protocol):
    """The outbound half of a CRM connection. Synchronous; used from worker threads; safe to share between threads.

    Every call raises only the errors of `connector.errors`. Rate limits, short retries and token refresh happen inside.
    """

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        """The records as they are now, in any order; those the CRM does not have are left out."""
        ...

    def owners(self) -> Iterator[RepRecord]:
        """Every user who can own a lead, deactivated ones too."""
        ...

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        """All existing leads with their dated history, page by page, resumable from a cursor."""
        ...

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        """Leads modified at or after `moment`, in (modified, id) order, beginning after `after_id` among equal moments.

        Each page's cursor, the last one's too, is "ms:id" of its newest record: what to ask from the next time.
        """
        ...

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        """Bring the CRM to the wanted state; at most 100 writes. Compares before writing.

        `in_doubt` says that a crash left it unknown whether these were sent: things made once are looked up by marker first.
        """
        ...

    def check(self) -> Iterator[CheckResult]:
        """Credentials, scopes, webhook subscription, custom properties: for `doctor` and `connections test`."""
        ...

    def prepare(self) -> Iterator[CheckResult]:
        """Create what we need in the CRM (custom properties). Idempotent; used by `connections test --mend`."""
        ...

    def record_url(self, external_id: str) -> str | None:
        """Where a person sees the record in the CRM."""
        ...


@runtime_checkable
class NeedsUpkeep(Protocol):
    """A client whose vendor lets something lapse, such as a subscription that has an end."""

    def upkeep(self) -> Sequence[CheckResult]:
        """Renew what would lapse soon, and say what was done; nothing when there was nothing to do. Called every hour."""
        ...


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One person for a sequence of an e-mail tool. `key` is our idempotency key, `sequence` the tool's own name or id of it."""

    key: str
    email: str
    sequence: str
    asked_at: datetime


class Enroller(Protocol):
    """The part of a connection that puts people into sequences. Safe to share between threads."""

    def enrol(self, enrolment: Enrolment) -> str:
        """Enrol one person; again with the same key changes nothing. Returns a receipt.

        Raises only errors of `connector.errors`: `Skippable` when the tool does not have the person, or they may not be written to.
        """
        ...


@runtime_checkable
class HasAccounts(Protocol):
    """A client of a CRM that keeps companies of its own."""

    def accounts(self) -> Iterator[Sequence[AccountRecord]]:
        """Every company, page by page. Read whole once a day: companies change seldom."""
        ...


class Adapter(Protocol):
    """One vendor."""

    name: str
    title: str
    kind: Literal["crm", "email", "generic"]
    max_body_bytes: int

    def receiver(self, settings: ConnectionSettings, public_url: str) -> Receiver:
        """The inbound half. Raises `Configuration` when a needed secret is missing."""
        ...

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        """The outbound half, or None when the vendor has none (e-mail tools, generic sources)."""
        ...


@runtime_checkable
class EnrollingAdapter(Protocol):
    """An adapter whose tool has sequences that people can be put into; beside what every `Adapter` has."""

    title: str

    def enroller(self, settings: ConnectionSettings, context: ClientContext) -> Enroller:
        """Raises `Configuration` when a needed secret is missing."""
        ...


class RateBudget(Protocol):
    """A token bucket shared by all processes."""

    def take(self, key: str, *, capacity: int, per_s: float, tokens: int = 1) -> float:
        """Take tokens from the bucket `key` that holds `capacity` and refills in `per_s` seconds.

        Returns 0.0 when taken, else the seconds to wait before asking again (nothing is taken then).
        """
        ...

    def hold(self, key: str, seconds: float) -> None:
        """Empty the bucket for so long: the other side sent a 429 with Retry-After."""
        ...


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What the house hands to a client: its shared services, passed in and never reached for."""

    connection: str
    budget: RateBudget
    clock: Any  # a connector.clock.Clock: now() -> datetime, sleep(seconds)
    token_store: TokenStore
    public_url: str = ""  # where the world reaches us, for vendors whose webhooks are set up by call

    @property
    def webhook_url(self) -> str:
        """Where the connection's webhooks are to go."""
        return f"{self.public_url.rstrip('/')}/webhooks/{self.connection}"


class TokenStore(Protocol):
    """Keeps refreshed OAuth tokens, sealed, for all processes."""

    def load(self, connection: str) -> Mapping[str, Any] | None: ...

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None: ...
