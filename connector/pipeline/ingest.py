"""Stage 1, `lead.new`: turn stored deliveries into leads and engagements. Idempotent; order does not matter.

Each event has at most one effect (unique by connection and event key). Our own echoes fall out here, the erased stay erased,
and an event that cannot be read is kept for replay and stops nothing else in its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from connector import trace
from connector.bootstrap import House
from connector.clock import to_ms
from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable
from connector.pipeline import contacts, noise, ownership
from connector.pipeline.consent import PURPOSE
from connector.pipeline.enrich import score_first
from connector.pipeline.identity import join_near, near_tokens
from connector.pipeline.normalise import KEY_LENGTH, normalise, normalise_act, normalise_name
from connector.pipeline.sla import note_return
from connector.pipeline.threads import TOLD, ask_threads
from connector.storage.events import Seen
from connector.storage.inbox import StoredDelivery
from connector.storage.leads import Applied, told_outcome
from connector.storage.merging import Grounds
from connector.storage.namesakes import KIND
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, InboundEvent, LeadChange, UnrecognisedEvent

log = structlog.get_logger(__name__)

TRIES = 3
BACK_OFF_S = (5.0, 60.0, 300.0)
#: A pause as short as this has a doorbell of its own; after longer ones the sweep rings.
SOON_S = 10.0
#: What tells of a lead that is there.
TELLS = (ChangeKind.CREATED, ChangeKind.CHANGED, ChangeKind.RESTORED)


def ingest(house: House, inbox_ids: Sequence[int]) -> set[int]:
    """Work off these inbox rows; returns the leads whose score may move. A row that fails is retried alone."""
    touched: set[int] = set()
    for inbox_id in sorted(inbox_ids):
        stored = _open(house, inbox_id)
        if stored is None or stored.state != "pending":
            continue
        bound = structlog.contextvars.bound_contextvars(connection=stored.connection, inbox_id=stored.id)
        with trace.follow(stored.trace_id), bound:
            touched |= _ingest_one(house, stored)
    return touched


def _open(house: House, inbox_id: int) -> StoredDelivery | None:
    """The row; one that does not open any more is given up, and holds up no other."""
    try:
        return next(iter(house.inbox.read([inbox_id])), None)
    except (Fatal, Configuration) as error:
        _bury(house, inbox_id, str(error))
        return None


def _ingest_one(house: House, stored: StoredDelivery) -> set[int]:
    try:
        for apart in (False, False, True):
            try:
                return work_off(house, stored, apart=apart)
            except LeadswitchError:
                raise
            except Exception as error:  # two processes made the same person at once, or a fault of ours; its text may be personal
                failure = type(error).__name__
                log.warning("delivery failed", error=failure)
        raise Retriable(f"Unexpected {failure}.")
    except Retriable as error:
        counted = error.delay_s is None
        attempts = house.inbox.retry(stored.id, error.delay_s or BACK_OFF_S[min(stored.attempts, 2)], str(error), counted=counted)
        if error.delay_s and error.delay_s <= SOON_S:
            house.queue.ring_new([stored.id], delay_s=error.delay_s)
        log.warning("delivery put back", error=str(error), attempts=attempts)
        if counted and attempts >= TRIES:
            _bury(house, stored.id, str(error))
    except (Fatal, Configuration, Skippable) as error:
        _bury(house, stored.id, str(error))
    return set()


def _bury(house: House, inbox_id: int, error: str) -> None:
    with house.db.transaction():
        house.inbox.finish(inbox_id, "dead", error)
        house.deadletters.add("inbox", inbox_id, "lead.new", error)
    log.error("delivery given up", error=error)


@dataclass
class _Batch:
    """One delivery on its way in. `buried` and `refused` are looked up once for all who are named in it; `owners` are followed and
    the reps who `acted` are back once every event is applied."""

    connection: str
    inbox_id: int
    live: bool = True
    buried: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    owners: list[tuple[Applied, LeadChange]] = field(default_factory=list)
    acted: list[str | None] = field(default_factory=list)


def work_off(house: House, stored: StoredDelivery, *, apart: bool = False) -> set[int]:
    """Read one delivery and apply each of its events once. Raises `Retriable` when the CRM could not be asked.

    `apart`: each event can fail alone, and is then kept for replay. It costs two statements an event: the last resort.
    """
    events = [
        replace(event, event_key=normalise_name(event.event_key, KEY_LENGTH))
        for event in house.receiver(stored.connection).events(stored.delivery)
    ]
    fresh = [_in_one_hand(house, event) for event in _complete(house, stored, house.events.fresh(stored.connection, events))]
    with house.db.transaction():
        taken = house.events.take(stored.connection, stored.id, fresh)
        batch = _Batch(stored.connection, stored.id)
        _look_up(house, batch, taken)
        ended: dict[str, Seen] = {}
        for event, keys in _folded(taken):
            seen = _apply_apart(house, batch, event) if apart else _apply(house, batch, event)
            ended.update(dict.fromkeys(keys, seen))
        ended.update(_follow_up(house, batch, apart))
        house.events.settle(stored.connection, ended)
        unknown = sum(seen.state == "unknown" for seen in ended.values())
        house.inbox.finish(stored.id, "unknown" if unknown else "done")
        for lead_id in sorted(batch.touched):
            if lead_id in batch.made:
                score_first(house, lead_id)
            else:
                house.db.after_commit(lambda lead_id=lead_id: house.queue.ring_score(lead_id))  # type: ignore[misc]
    log.info("delivery ingested", events=len(events), fresh=len(taken), lead_ids=sorted(batch.touched), unknown=unknown)
    return batch.touched


def _in_one_hand(house: House, event: InboundEvent) -> InboundEvent:
    """The event in our way of writing.

    A moment in the future is a clock that runs ahead: taken as it stands, it would hide the event until then, and hold a field
    against every later change.
    """
    if isinstance(event, UnrecognisedEvent):
        return event
    event = replace(event, occurred_at=min(event.occurred_at, house.clock.now()))
    if isinstance(event, EngagementEvent):
        return normalise_act(event)
    return normalise(event)


def _tokens(house: House, batch: _Batch, event: LeadChange | EngagementEvent) -> list[tuple[str, str]]:
    if isinstance(event, LeadChange):
        return house.leads.tokens(batch.connection, event.external_id, event.fields, event.extra)
    return house.leads.tokens(batch.connection, event.external_id, {"email": event.email, "phone": event.phone})


def _email(event: LeadChange | EngagementEvent) -> str | None:
    email = event.fields.get("email") if isinstance(event, LeadChange) else event.email
    return str(email) if email else None


def _look_up(house: House, batch: _Batch, events: Sequence[InboundEvent]) -> None:
    """Hold the people of the delivery, and see which of them are not to be taken in."""
    named = [event for event in events if not isinstance(event, UnrecognisedEvent)]
    tokens = {token for event in named for token in _tokens(house, batch, event)}
    merged = {one for event in named if isinstance(event, LeadChange) for one in event.merged_ids}
    near = {(KIND, token) for event in named if isinstance(event, LeadChange) for token in near_tokens(house, event.fields)}
    house.leads.hold(tokens.union(near, *(house.leads.tokens(batch.connection, one, {}) for one in merged)))
    batch.buried = house.privacy.buried({token for _, token in tokens})
    batch.refused = house.privacy.refused({email for event in named if (email := _email(event))}, PURPOSE)


def _folded(events: Sequence[InboundEvent]) -> Iterator[tuple[InboundEvent, list[str]]]:
    """Events with their keys; changes of different fields of one record at one moment are one change.

    HubSpot tells of a new contact property by property: applied one by one they took ten times as long.
    """
    open_change: LeadChange | None = None
    keys: list[str] = []
    for event in events:
        if open_change is not None and isinstance(event, LeadChange) and _belongs(open_change, event):
            fields, extra = {**open_change.fields, **event.fields}, {**open_change.extra, **event.extra}
            open_change = replace(open_change, fields=fields, extra=extra)
            keys.append(event.event_key)
            continue
        if open_change is not None:
            yield open_change, keys
        if isinstance(event, LeadChange) and event.kind is ChangeKind.CHANGED:
            open_change, keys = event, [event.event_key]
        else:
            open_change = None
            yield event, [event.event_key]
    if open_change is not None:
        yield open_change, keys


def _belongs(change: LeadChange, event: LeadChange) -> bool:
    """Whether two changes say different things of one record at one moment and from one hand."""
    alike = (change.external_id, change.kind, change.origin, change.occurred_at) == (
        event.external_id,
        event.kind,
        event.origin,
        event.occurred_at,
    )
    return alike and not (change.fields.keys() & event.fields.keys() or change.extra.keys() & event.extra.keys())


def _complete(house: House, stored: StoredDelivery, events: Sequence[InboundEvent]) -> list[InboundEvent]:
    """Read the whole record from the CRM where a notice does not carry it, or is the first we hear of it."""
    changes = [event for event in events if isinstance(event, LeadChange) and event.origin is not ChangeOrigin.OURSELVES]
    live = [change for change in changes if change.kind in TELLS]
    known = house.leads.known(stored.connection, {change.external_id for change in live})
    wanted = {change.external_id for change in live if change.fetch or change.external_id not in known}
    client = house.client(stored.connection) if wanted else None
    if client is None:
        return list(events)
    _wait_for_commit(house, live)
    ids = sorted(wanted)
    records = [record for start in range(0, len(ids), 100) for record in client.read_leads(ids[start : start + 100])]
    found = {record.external_id for record in records}
    if missing := wanted - found - set(known):
        log.warning("records not in the CRM yet", missing=len(missing))
        if stored.attempts + 1 < TRIES and not found:
            raise Retriable(f"{len(missing)} records of this delivery are not in the CRM yet.")
    by_id = {record.external_id: record for record in records}
    completed: list[InboundEvent] = []
    for event in events:
        record = by_id.pop(event.external_id, None) if isinstance(event, LeadChange) else None
        if record is not None:  # once a batch, before the first event about it, under a key of its own
            completed.append(replace(record, event_key=f"read:{stored.id}:{record.external_id}", kind=ChangeKind.CHANGED))
        if isinstance(event, LeadChange) and (
            (event.settles_at and event.external_id in wanted - found)
            or (event.kind in TELLS and event.external_id in missing and not _says_something(event))
        ):  # all that it says is to read a record that is not there
            event = UnrecognisedEvent(event.event_key, "The CRM has no such record: never committed, deleted, or hidden from us.")
        completed.append(event)
    return completed


def _says_something(change: LeadChange) -> bool:
    """Whether any field has a value: of a lead of empty fields alone nobody knows who it is."""
    return any(value is not None for values in (change.fields, change.extra) for value in values.values())


def _wait_for_commit(house: House, changes: Sequence[LeadChange]) -> None:
    """Raises `Retriable` while a record of these may still be read as it was before its change."""
    settled = max((change.settles_at for change in changes if change.settles_at), default=None)
    if settled and (wait_ms := to_ms(settled) - to_ms(house.clock.now())) > 0:  # a delivery is stored to the millisecond
        raise Retriable("The CRM may not have committed this change yet.", wait_ms / 1000)


def _apply_apart(house: House, batch: _Batch, event: InboundEvent) -> Seen:
    """One event that may be what the delivery failed of."""
    try:
        with house.db.savepoint():
            return _apply(house, batch, event)
    except LeadswitchError:
        raise
    except Exception as error:  # its text may be personal
        log.error("event refused", error=type(error).__name__)
        return Seen("unknown", note=f"Could not be applied: {type(error).__name__}.")


def _follow_up(house: House, batch: _Batch, apart: bool) -> dict[str, Seen]:
    """What locks the roster or a rep comes after all that locks a lead; returns the changes of owner that failed, if they can fail
    apart."""
    failed = {}
    if not apart:
        ownership.follow(house, batch.connection, batch.owners)
    for applied, change in batch.owners if apart else ():
        try:
            with house.db.savepoint():
                ownership.follow(house, batch.connection, [(applied, change)])
        except LeadswitchError:
            raise
        except Exception as error:  # its text may be personal
            log.error("owner not followed", error=type(error).__name__)
            failed[change.event_key] = Seen("unknown", applied.lead_id, f"Its owner was not followed: {type(error).__name__}.")
    for rep_id in sorted({rep_id for rep_id in batch.acted if rep_id}):
        note_return(house, rep_id)
    return failed


def _apply(house: House, batch: _Batch, event: InboundEvent) -> Seen:
    """One event, inside the delivery's transaction, unless it is of somebody who is erased or objected."""
    if isinstance(event, UnrecognisedEvent):
        return Seen("unknown", note=event.reason)
    if isinstance(event, LeadChange) and event.origin is ChangeOrigin.OURSELVES:
        return Seen("echo")
    if batch.buried & {token for _, token in _tokens(house, batch, event)}:
        return Seen("refused", note="This person was erased.")
    if _email(event) in batch.refused:
        return Seen("refused", note="This person objected to profiling.")
    return _engage(house, batch, event) if isinstance(event, EngagementEvent) else _change(house, batch, event)


def _change(house: House, batch: _Batch, change: LeadChange) -> Seen:
    if house.echoes.is_echo(batch.connection, change.external_id, change.fields):
        return Seen("echo")
    if change.kind in (ChangeKind.DELETED, ChangeKind.ERASED, ChangeKind.MERGED):
        return _end(house, batch, change)
    applied = join_near(house, house.leads.apply(batch.connection, change, live=batch.live))
    if applied.created:
        batch.made.add(applied.lead_id)
    if applied.rescore:
        batch.touched.add(applied.lead_id)
    _settle_outcome(house, applied, change)
    if batch.live and "lifecycle_stage" in applied.fields and house.playbook_shelf.current().by_name:
        house.playbooks.ask_look(applied.lead_id)  # a stage moves no score, so that scoring does not ask
    batch.acted.append(contacts.see_change(house, applied, change))
    told = "owner_id" in applied.standing and change.origin is ChangeOrigin.PERSON  # what we wrote ourselves is not in the fields
    if "owner_id" in applied.fields or told or (applied.created and change.fields.get("owner_id")):
        batch.owners.append((applied, change))
    return Seen("applied", applied.lead_id)


def _end(house: House, batch: _Batch, change: LeadChange) -> Seen:
    """Deletion, erasure and merging of records in the CRM."""
    lead_id = house.leads.find_external(batch.connection, change.external_id)
    if change.kind is ChangeKind.MERGED:
        for merged in change.merged_ids:
            other = house.leads.find_external(batch.connection, merged)
            if lead_id is None:
                lead_id = other
            elif other is not None:
                house.leads.merge(lead_id, other, Grounds("crm"))
        if lead_id is not None:
            house.leads.also_known_as(lead_id, batch.connection, change.external_id)
            house.audit.add("crm", "lead.merged", f"lead:{lead_id}", lead_id=lead_id)
            batch.touched.add(lead_id)
        return Seen("applied" if lead_id else "ignored", lead_id)
    if change.kind is ChangeKind.ERASED:  # also of somebody whose first notice is still on its way
        _bury_person(house, batch, [token for _, token in house.leads.tokens(batch.connection, change.external_id, {})])
    if lead_id is None:
        return Seen("ignored", note="No such lead here.")
    if change.kind is ChangeKind.ERASED:
        _bury_person(house, batch, house.leads.erase(lead_id))
        house.audit.add("crm", "lead.erased", f"lead:{lead_id}", lead_id=lead_id)
        ownership.refresh_cards(house, lead_id)
    else:
        lead = house.leads.lock(lead_id)
        if lead is None or lead.external_id != change.external_id:  # a record that was merged away, not the one that stands
            return Seen("ignored", lead_id, "Not the record that stands for this lead.")
        if not house.leads.retire(lead_id, change.occurred_at):
            return Seen("ignored", lead_id, "Something newer is known of this record.")
        house.audit.add("crm", "lead.deleted", f"lead:{lead_id}", lead_id=lead_id)
    house.decisions.close(lead_id, change.occurred_at, "gone")
    batch.touched.discard(lead_id)
    return Seen("applied", lead_id)


def _bury_person(house: House, batch: _Batch, tokens: list[str]) -> None:
    house.privacy.bury(tokens)
    batch.buried.update(tokens)


def _engage(house: House, batch: _Batch, event: EngagementEvent) -> Seen:
    tokens = _tokens(house, batch, event)
    if not tokens:
        return Seen("unknown", note="The event names nobody.")
    fields = {name: value for name, value in (("email", event.email), ("phone", event.phone)) if value}
    found = house.leads.find(tokens)
    if found:
        lead_id = found[0]
    else:  # heard of in an e-mail tool before the CRM: kept, and joined when the CRM speaks of them
        person = LeadChange(event.event_key, event.external_id or "", event.occurred_at, ChangeKind.UNKNOWN, fields=fields)
        lead_id = house.leads.apply(batch.connection, person, live=False).lead_id
    event = noise.judge(house, lead_id, event)
    added = house.leads.add_engagements(batch.connection, [event], lead_id, live=batch.live)
    _note_consent(house, event, event.email)
    if added:
        batch.touched.add(lead_id)
        version = house.stages.versions([lead_id])[lead_id]
        house.db.after_commit(partial(house.live.record, lead_id, version, event))
        batch.acted.append(contacts.see_act(house, lead_id, event))
        if batch.live and not event.machine and event.kind in TOLD:
            lead = house.leads.get(lead_id)
            ask_threads(house, lead_id, lead.owner_id if lead else None)
    return Seen("applied", lead_id)


def _note_consent(house: House, event: EngagementEvent, email: str | None) -> None:
    """Opt-outs hold at once, and are known by the person, not by the lead."""
    if email and event.kind in (EngagementKind.UNSUBSCRIBED, EngagementKind.SPAM_REPORTED, EngagementKind.RESUBSCRIBED):
        granted = event.kind is EngagementKind.RESUBSCRIBED
        house.privacy.record(email, "marketing", "email", granted, "email_tool", event.occurred_at)


def _settle_outcome(house: House, applied: Applied, change: LeadChange) -> None:
    outcome = told_outcome(change.fields)
    if outcome is not None and ({"lifecycle_stage", "lead_status"} & set(applied.fields)):
        ownership.end(house, applied.lead_id, outcome, change.occurred_at)
