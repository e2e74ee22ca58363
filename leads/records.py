"""What travels between the packages. All moments are aware datetimes in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leads.enums import ChangeKind, ChangeOrigin, EngagementKind, Outcome

FieldValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class LeadChange:
    """One dated change of a lead record, in canonical words.

    `event_key` is unique within a connection. `fields` holds canonical fields (see `leads.fields`), `extra` the vendor's or
    tenant's own columns. A field set to None was emptied. `fetch` asks the pipeline to read the whole record from the CRM
    because the vendor's notice does not carry it. `created_at` is when the record was made, where the source tells.
    `settles_at` is set where nothing of the notice is believed: the record is read from then on (a vendor may tell of a change
    before it commits it), and without a record there is no change.
    """

    event_key: str
    external_id: str
    occurred_at: datetime
    kind: ChangeKind
    origin: ChangeOrigin = ChangeOrigin.UNKNOWN
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    extra: Mapping[str, FieldValue] = field(default_factory=dict)
    merged_ids: tuple[str, ...] = ()
    fetch: bool = False
    created_at: datetime | None = None
    settles_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EngagementEvent:
    """One dated act as an adapter reads it; the person is named by e-mail, by phone or by an id in the source.

    `properties` holds small, non-personal facts (campaign, url path, template). `text` is what the person wrote, if anything.
    """

    event_key: str
    kind: EngagementKind
    occurred_at: datetime
    email: str | None = None
    external_id: str | None = None
    machine: bool = False
    properties: Mapping[str, FieldValue] = field(default_factory=dict)
    text: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class UnrecognisedEvent:
    """Something the adapter could not read. Kept for replay once the adapter can; stops nothing else in its batch."""

    event_key: str
    reason: str


InboundEvent = LeadChange | EngagementEvent | UnrecognisedEvent


@dataclass(frozen=True, slots=True)
class Engagement:
    """One stored act of a lead."""

    kind: EngagementKind
    occurred_at: datetime
    machine: bool = False
    properties: Mapping[str, FieldValue] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """One value of a feed that concerns a lead: what the market does, or what a third party says of the company.

    `scope` is how the value found the lead: "domain" (its company), "area", "region", "country", "industry" or "everywhere".
    """

    name: str
    scope: str
    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class LeadHistory:
    """Everything known of a lead at one moment: the only input of the features, in training and in serving alike.

    `facts` are canonical fields as they stood at `as_of` (plus derived ones such as `email_domain`), `extra` the tenant's own
    columns, `engagements` in order of `occurred_at`, none after `as_of`. `signals` are the values of feeds that concern it.
    """

    lead_id: int
    created_at: datetime
    as_of: datetime
    facts: Mapping[str, FieldValue]
    engagements: tuple[Engagement, ...] = ()
    extra: Mapping[str, FieldValue] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledHistory:
    """A past lead as it stood at a moment before its outcome was known, and that outcome."""

    history: LeadHistory
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Lead:
    """A stored lead, opened. `version` grows with every change that can move the score."""

    id: int
    connection: str
    external_id: str | None
    created_at: datetime
    fields: Mapping[str, FieldValue]
    extra: Mapping[str, FieldValue]
    outcome: Outcome
    version: int
    scored_version: int
    allocated_version: int
    owner_id: str | None  # the rep who holds it now, by our open assignment or by the CRM
    pinned: bool
    routable: bool  # came in live; a backfilled lead is history until something live happens to it
    erased: bool = False

    @property
    def name(self) -> str:
        """First and last name, or a neutral word when neither is known."""
        parts = [str(self.fields.get(part) or "").strip() for part in ("first_name", "last_name")]
        return " ".join(part for part in parts if part) or "Unnamed lead"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A company as a CRM knows it. `domains` are hosts or addresses of its site; `owner_id` is the CRM's own id of the rep."""

    external_id: str
    name: str
    domains: tuple[str, ...] = ()
    country: str | None = None
    owner_id: str | None = None
    customer: bool = False
    touched_at: datetime | None = None  # when somebody last worked on it


@dataclass(frozen=True, slots=True)
class RepRecord:
    """A salesperson as a CRM knows them."""

    external_id: str
    email: str | None
    name: str
    active: bool
    teams: tuple[str, ...] = ()
