"""Leads: who they are, what happened to them, and how they stood at any moment.

A field never goes back to an older change; two changes of one moment are settled by value, so that the outcome does not depend
on the order in which notices came.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from types import MappingProxyType

from peewee import Tuple, fn

from connector.clock import Clock, to_ms
from connector.errors import Fatal
from connector.storage import erasure, merging
from connector.storage.columns import is_id
from connector.storage.db import Database, marks
from connector.storage.events import KEY_LENGTH
from connector.storage.facts import EXTRA, Facts
from connector.storage.merging import Grounds, StoredMerge
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Identity
from connector.storage.models import Lead as LeadRow
from connector.storage.models import LeadChange as ChangeRow
from connector.storage.spelled import first, insert, rows, save, set_where
from connector.vault import PersonSeal, Vault
from leads.enums import ChangeKind, LifecycleStage, Outcome, Tier
from leads.fields import CANONICAL, NOT_FEATURES
from leads.records import EngagementEvent, FieldValue, Lead, LeadChange

#: Fields that name one person exactly. The order is the order of trust.
IDENTIFYING = ("email", "phone")
#: The extra column in which an adapter passes on another system's id, and the kind of identity it makes.
FOREIGN_ID, ELSEWHERE = "external_id", "elsewhere"
EXACT = Grounds("exact")
WON_STAGES = (LifecycleStage.CUSTOMER, LifecycleStage.EVANGELIST)
LOST_STATUSES = frozenset({"unqualified", "disqualified", "lost", "bad_timing"})


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change did: which fields moved, which stand as it says (moved or not), whether the score may move, whether the lead
    was made by it."""

    lead_id: int
    fields: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    rescore: bool = False
    created: bool = False


def told_outcome(fields: Mapping[str, FieldValue]) -> Outcome | None:
    """How the lead ended, as its own stage and status tell; None when they do not."""
    if LifecycleStage.read(fields.get("lifecycle_stage")) in WON_STAGES:
        return Outcome.WON
    return Outcome.LOST if str(fields.get("lead_status") or "").strip().lower() in LOST_STATUSES else None


def given_values(change: LeadChange) -> dict[str, FieldValue]:
    """What a change says, by the name under which it is kept."""
    given = {name: value for name, value in change.fields.items() if name in CANONICAL}
    return given | {f"{EXTRA}{name}": value for name, value in change.extra.items()}


class Leads:
    """The repository of leads. Callers hold the transaction."""

    def __init__(self, db: Database, vault: Vault, clock: Clock, homes: Collection[str] = ()) -> None:
        """`homes` are the configured connections; a record of any other, such as an import's, is not one to write to."""
        self._db, self._vault, self._clock, self._homes = db, vault, clock, homes

    # -- finding

    def tokens(
        self,
        connection: str,
        external_id: str | None,
        fields: Mapping[str, FieldValue],
        extra: Mapping[str, FieldValue] = MappingProxyType({}),
    ) -> list[tuple[str, str]]:
        """(kind, token) of everything that names this person, most trusted first. `extra` may hold another system's id of them."""
        named = [(f"id:{connection}", external_id)] if external_id else []
        named += [(ELSEWHERE, str(extra[FOREIGN_ID]))] if extra.get(FOREIGN_ID) else []
        named += [(kind, str(fields[kind])) for kind in IDENTIFYING if fields.get(kind)]
        return [(kind, self._vault.index(kind, value)) for kind, value in named]

    def find(self, tokens: Sequence[tuple[str, str]]) -> list[int]:
        """Ids of the leads that these tokens name, most trusted first, each once."""
        if not tokens:
            return []
        with self._db.connected():
            either = " OR ".join(
                ["(kind = ? AND token = ?)"] * len(tokens)
            )  # so that the index is used, which begins with the kind
            named = f"SELECT kind, token, lead_id FROM identity WHERE {either}"  # noqa: S608 - marks only
            by_token = {(kind, token): lead_id for kind, token, lead_id in self._db.run(named, *chain.from_iterable(tokens))}
        return list(dict.fromkeys(by_token[token] for token in tokens if token in by_token))

    def find_external(self, connection: str, external_id: str) -> int | None:
        found = self.find(self.tokens(connection, external_id, {}))
        return found[0] if found else None

    def known(self, connection: str, external_ids: Iterable[str]) -> dict[str, int]:
        """Lead ids by external id, of those that exist."""
        tokens = {self._vault.index(f"id:{connection}", external_id): external_id for external_id in external_ids}
        if not tokens:
            return {}
        named = f"SELECT token, lead_id FROM identity WHERE kind = ? AND token IN ({marks(tokens)})"  # noqa: S608 - marks only
        with self._db.connected():
            return {tokens[token]: lead_id for token, lead_id in self._db.run(named, f"id:{connection}", *tokens).fetchall()}

    def get(self, lead_id: int) -> Lead | None:
        """The lead with this id, or the one it was merged into."""
        if not is_id(lead_id):
            return None
        with self._db.connected():
            row = self._read(lead_id)
            while row is not None and row.merged_into is not None:
                row = self._read(row.merged_into)
            return self._open(row) if row else None

    def fields_of(self, lead_ids: Sequence[int]) -> dict[int, Mapping[str, FieldValue]]:
        """What is known of these leads, read in one statement: fields, and the tenant's own columns as "extra.<column>"; without
        the erased and those merged into another."""
        if not lead_ids:
            return {}
        alive = f"id IN ({marks(lead_ids)}) AND merged_into IS NULL AND data_key IS NOT NULL"
        found = self._db.run(f"SELECT id, data_key, sealed, facts FROM lead WHERE {alive}", *lead_ids)  # noqa: S608 - marks only
        return {
            lead_id: {**json.loads(facts), **(self._vault.person(key).open_json(sealed) if sealed else {})}
            for lead_id, key, sealed, facts in found.fetchall()
        }

    def lock(self, lead_id: int) -> Lead | None:
        """The lead, locked until the end of the transaction."""
        if not is_id(lead_id):
            return None
        with self._db.connected():
            row = self._read(lead_id, lock=True)
            if row is not None and row.merged_into is not None:
                return self.lock(row.merged_into)
            return self._open(row) if row else None

    def recent(self, limit: int = 500) -> list[Lead]:
        """The leads touched last, newest first; the bounded candidates of a search by name."""
        with self._db.connected():
            query = LeadRow.select().where(LeadRow.merged_into.is_null() & (LeadRow.erased == False))  # noqa: E712
            return [self._open(row) for row in query.order_by(LeadRow.touched_at.desc()).limit(limit)]

    def external_of(self, lead_id: int, connection: str) -> str | None:
        """The lead's id in a connection, if it has a record there."""
        with self._db.connected():
            row = LeadRow.get_or_none((LeadRow.id == lead_id) & (LeadRow.connection == connection))
            return row.external_id if row else None

    # -- changing

    def hold(self, tokens: Iterable[tuple[str, str]]) -> None:
        """Hold everybody whom these tokens name, known or not yet, until the end of the transaction.

        Transactions about several people take them in one order here, so that none waits for another in a circle. SQLite has one
        writer at a time.
        """
        if self._db.is_sqlite:
            return
        pairs = sorted(set(tokens))
        wanted = {token for _, token in pairs}
        keys = [int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "big", signed=True) for token in wanted]
        if keys:
            self._db.raw.execute_sql(
                "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(%s::bigint[]) AS key ORDER BY 1) AS held", (keys,)
            )
            named = Identity.select(Identity.lead_id).where(Tuple(Identity.kind, Identity.token).in_(pairs))
            list(self._db.locked(LeadRow.select(LeadRow.id).where(LeadRow.id.in_(named)).order_by(LeadRow.id)))

    def apply(self, connection: str, change: LeadChange, *, live: bool) -> Applied:
        """Merge a change into the lead it is about, making the lead when it is new.

        `live` marks the lead as one to be routed; a backfilled one is history until something live happens.
        """
        tokens = self.tokens(connection, change.external_id, change.fields, change.extra)
        found = self._same_person(tokens, change)
        created = not found
        row = self._make(connection, change, live) if created else found[0]
        for other in found[1:]:
            self.merge(row.id, other.id)
        if found[1:]:
            row = self._locked_row(row.id)
        over = not created and self._is_over(row, change)
        live = live and not over
        if not over:
            self._adopt(row, connection, change)
        moved, standing = self._write_fields(row, change)
        told = told_outcome(row.facts)
        row.routable = row.routable or (live and told is not Outcome.WON)
        reopened = live and told is None and row.outcome_at is not None and change.occurred_at > row.outcome_at
        if reopened:  # what ended long ago, or in another system, has come back
            row.outcome, row.outcome_at = Outcome.OPEN.value, None
        rescore = created or reopened or any(name not in NOT_FEATURES for name in moved) or (live and row.scored_version == 0)
        row.version += int(rescore and not created)
        row.touched_at = self._clock.now()
        save(self._db, row)
        self._name(row, tokens)
        return Applied(row.id, moved, standing, rescore, created)

    def add_engagements(self, connection: str, events: Sequence[EngagementEvent], lead_id: int, *, live: bool) -> int:
        """Add acts to the lead's set; returns how many were not there yet. Live ones may move the score."""
        row = self._locked_row(lead_id)
        person = self._vault.person(row.data_key) if row.data_key else None
        acts = [
            {
                "lead_id": row.id,
                "connection": connection,
                "event_key": event.event_key[:KEY_LENGTH],
                "kind": event.kind.value,
                "occurred_at": event.occurred_at,
                "machine": event.machine,
                "properties": dict(event.properties),
                "sealed": person.seal_json(event.text) if person and event.text else None,
            }
            for event in events
        ]
        added = sum(bool(insert(self._db, EngagementRow, act, unless="DO NOTHING")) for act in acts)
        if not added:
            return 0
        row.version += 1
        row.routable = row.routable or (live and row.external_id is not None and row.outcome == "open")
        row.touched_at = self._clock.now()
        human = [event.occurred_at for event in events if not event.machine]
        row.last_engaged_at = max([*human, *([row.last_engaged_at] if row.last_engaged_at else [])], default=None)
        self._db.run(
            "UPDATE lead SET version = ?, routable = ?, touched_at = ?, last_engaged_at = ? WHERE id = ?",
            row.version,
            row.routable,
            to_ms(row.touched_at),
            to_ms(row.last_engaged_at) if row.last_engaged_at else None,
            row.id,
        )
        return added

    def settle(self, lead_id: int, outcome: Outcome, at: datetime) -> None:
        """Record how the lead ended. The newest word stands."""
        with self._db.transaction():
            row = LeadRow.get_by_id(lead_id)
            if row.outcome_at is None or at >= row.outcome_at:
                LeadRow.update({LeadRow.outcome: outcome.value, LeadRow.outcome_at: at}).where(LeadRow.id == lead_id).execute()

    def merge(self, survivor: int, other: int, grounds: Grounds = EXACT) -> None:
        """Fold one lead into another: its names, acts, changes and decisions become the survivor's. An existing owner survives."""
        keep, gone = self._locked_row(survivor), self._locked_row(other)
        if keep.id != gone.id:
            merging.fold(self._db, self._vault, self._clock.now(), keep, gone, grounds)

    def part(self, merge_id: int, by: str) -> tuple[int, int]:
        """Undo a merge; returns both leads. Raises `Skippable` with a sentence when it cannot be undone."""
        with self._db.transaction():
            return merging.part(self._db, self._vault, self._clock.now(), merge_id, by)

    def parted(self, lead_id: int) -> frozenset[int]:
        """Leads that a person said are not this one."""
        return merging.parted(self._db, lead_id)

    def merges(self, lead_id: int | None = None, limit: int = 50) -> list[StoredMerge]:
        """Merges, the newest first; of one lead, when asked."""
        return merging.newest(self._db, lead_id, limit)

    def erase(self, lead_id: int) -> list[str]:
        """Shred the person's key and empty the record, and those merged into it; returns the tokens for the tombstone."""
        with self._db.transaction():
            return erasure.erase(lead_id)

    def retire(self, lead_id: int, at: datetime) -> bool:
        """The CRM deleted the record: keep the history, route it no more. False when something newer says that it lives."""
        later = (ChangeRow.lead_id == lead_id) & (ChangeRow.occurred_at > at) & (ChangeRow.kind != ChangeKind.DELETED.value)
        if ChangeRow.select().where(later).exists():
            return False
        ChangeRow.insert(lead_id=lead_id, occurred_at=at, kind=ChangeKind.DELETED.value, origin="").execute()
        LeadRow.update({LeadRow.routable: False, LeadRow.owner_id: None, LeadRow.external_id: None}).where(
            LeadRow.id == lead_id
        ).execute()
        return True

    def also_known_as(self, lead_id: int, connection: str, external_id: str) -> None:
        """Give the lead one more id in a connection, as after a merge in the CRM, and make it the one we write to."""
        self._name(self._locked_row(lead_id), self.tokens(connection, external_id, {}))
        LeadRow.update({LeadRow.external_id: external_id}).where(
            (LeadRow.id == lead_id) & (LeadRow.connection == connection)
        ).execute()

    def known_elsewhere_as(self, lead_id: int, external_id: str) -> None:
        """Note the lead's id in a system that is no connection of ours; a CRM record that carries it is then the same lead.

        Whoever was known by it first keeps it.
        """
        for kind, token in self.tokens("", None, {}, {FOREIGN_ID: external_id}):
            insert(self._db, Identity, {"kind": kind, "token": token, "lead_id": lead_id}, unless="DO NOTHING")

    def set_owner(self, lead_id: int, rep_id: int | None, *, pinned: bool | None = None) -> None:
        owned = {"owner_id": rep_id, **({"pinned": pinned} if pinned is not None else {})}
        with self._db.transaction():
            set_where(self._db, LeadRow, owned, "id = ?", lead_id)

    # -- stages

    def mark_scored(self, lead_id: int, version: int, score_id: int) -> bool:
        """Move the scored mark up to `version`; false when a newer score is there already."""
        with self._db.transaction():
            marked = "UPDATE lead SET scored_version = ?, score_id = ? WHERE id = ? AND scored_version < ?"
            return bool(self._db.run(marked, version, score_id, lead_id, version).rowcount)

    def mark_allocated(self, lead_id: int, version: int) -> None:
        with self._db.transaction():
            marked = "UPDATE lead SET allocated_version = ? WHERE id = ? AND allocated_version < ?"
            self._db.run(marked, version, lead_id, version)

    def announced(self, lead_id: int) -> tuple[int | None, Tier]:
        """The score and tier that were last written back and shown."""
        with self._db.connected():
            score, tier = self._db.run("SELECT announced_score, announced_tier FROM lead WHERE id = ?", lead_id).fetchone()
            return score, Tier.read(tier)

    def announce(self, lead_id: int, score: int, tier: Tier) -> None:
        set_where(self._db, LeadRow, {"announced_score": score, "announced_tier": tier.value}, "id = ?", lead_id)

    def touch(self, lead_id: int) -> None:
        """Ask for a new score although nothing changed: after a new model, or by a person's wish."""
        with self._db.transaction():
            LeadRow.update(
                {LeadRow.version: LeadRow.version + 1, LeadRow.routable: True, LeadRow.touched_at: self._clock.now()}
            ).where(LeadRow.id == lead_id).execute()

    def stop_stage(self, lead_id: int, stage: str) -> None:
        """Count the stage as done for what the lead is now: its job was given up and waits as a dead letter."""
        change = (
            {LeadRow.scored_version: LeadRow.version} if stage == "score" else {LeadRow.allocated_version: LeadRow.scored_version}
        )
        with self._db.transaction():
            LeadRow.update(change).where(LeadRow.id == lead_id).execute()
            if stage == "score":
                LeadRow.update({LeadRow.allocated_version: LeadRow.scored_version}).where(LeadRow.id == lead_id).execute()

    def unfinished(self, stage: str, older_than: datetime, limit: int) -> list[int]:
        """Leads whose next stage ("score" or "allocate") has waited since before `older_than`."""
        behind = (
            LeadRow.scored_version < LeadRow.version if stage == "score" else LeadRow.allocated_version < LeadRow.scored_version
        )
        with self._db.connected():
            query = LeadRow.select(LeadRow.id).where(LeadRow.routable & behind & (LeadRow.touched_at <= older_than))
            return [row.id for row in query.order_by(LeadRow.touched_at).limit(limit)]

    def person_seal(self, lead_id: int) -> PersonSeal | None:
        """The seal under which values about this person are kept; None once they are erased."""
        with self._db.connected():
            row = self._read(lead_id)
            return self._vault.person(row.data_key) if row and row.data_key else None

    def count(self) -> int:
        with self._db.connected():
            return int(LeadRow.select(fn.COUNT(LeadRow.id)).where(LeadRow.merged_into.is_null()).scalar())

    # -- inside

    def _make(self, connection: str, change: LeadChange, live: bool) -> LeadRow:
        created = change.created_at or change.occurred_at
        made = {
            "connection": connection,
            "external_id": change.external_id or None,
            "created_at": created,
            "data_key": self._vault.new_data_key(),
            "touched_at": self._clock.now(),
            "routable": live,
        }
        return self._locked_row(insert(self._db, LeadRow, made))

    def _read(self, lead_id: int, lock: bool = False) -> LeadRow | None:
        """The row with this id, locked until the end of the transaction on demand (SQLite's write lock does so already)."""
        locked = " FOR UPDATE" if lock and not self._db.is_sqlite else ""
        return next(iter(rows(self._db, LeadRow, f"WHERE id = ?{locked}", lead_id)), None)

    def _locked_row(self, lead_id: int) -> LeadRow:
        row = self._read(lead_id, lock=True)
        if row is None:
            raise Fatal(f"Lead {lead_id} is named but not there.")
        return self._locked_row(row.merged_into) if row.merged_into is not None else row

    def _adopt(self, row: LeadRow, connection: str, change: LeadChange) -> None:
        """A CRM record of somebody first heard of from elsewhere gives the lead its home in the CRM."""
        homeless = row.external_id is None or (connection in self._homes and row.connection not in self._homes)
        if change.external_id and (homeless or (row.connection == connection and row.external_id == "")):
            row.connection, row.external_id = connection, change.external_id
        created = change.created_at or (change.occurred_at if change.kind is ChangeKind.CREATED else None)
        if created and created < row.created_at:
            row.created_at = created

    def _write_fields(self, row: LeadRow, change: LeadChange) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Apply each field that is newer than what stands there; keep the change for replay.

        Returns the fields that moved, and those that stand as the change says.
        """
        facts, at = Facts.of(row, self._vault), to_ms(change.occurred_at)
        given = given_values(change)
        moved: list[str] = []
        standing: list[str] = []
        for name, value in given.items():
            old = facts.get(name)
            if facts.take(name, value, at):
                standing.append(name)
                if value != old:
                    moved.append(name)
        facts.write_to(row, self._vault)
        if given or change.kind is ChangeKind.RESTORED:
            told = {"lead_id": row.id, "occurred_at": change.occurred_at, "kind": change.kind.value, "origin": change.origin.value}
            insert(self._db, ChangeRow, {**told, "sealed": self._vault.person(row.data_key).seal_json(given)})
        return tuple(moved), tuple(standing)

    def _name(self, row: LeadRow, tokens: Sequence[tuple[str, str]]) -> None:
        """Let the tokens name this lead. One that names another lead by now is the same person's, or has changed hands."""
        for kind, token in tokens:
            named = first(self._db, Identity, "WHERE kind = ? AND token = ?", kind, token)
            if named is None:
                if insert(self._db, Identity, {"kind": kind, "token": token, "lead_id": row.id}, unless="DO NOTHING"):
                    continue
                named = Identity.get((Identity.kind == kind) & (Identity.token == token))
            if named.lead_id == row.id:
                continue
            if kind == "email" and self._differs(self._locked_row(named.lead_id), self._email(row)):
                Identity.update({Identity.lead_id: row.id}).where(Identity.id == named.id).execute()
            elif kind != "phone" and named.lead_id not in self.parted(row.id):  # made by another process at this very moment
                self.merge(row.id, named.lead_id)

    def _same_person(self, tokens: Sequence[tuple[str, str]], change: LeadChange) -> list[LeadRow]:
        """The leads that these tokens name, locked, most trusted first. A shared phone, or an address that was given to
        somebody else, does not make one person of two with different addresses."""
        rows = [self._locked_row(lead_id) for lead_id in self.find(tokens)]
        if not rows:
            return []
        apart = self.parted(rows[0].id) if len(rows) > 1 else frozenset()
        rows = [rows[0], *(row for row in rows[1:] if row.id not in apart)]
        certain = set(self.find(tokens[:1])) if change.external_id else set()
        email = change.fields.get("email") or (self._email(rows[0]) if certain else None)
        return [row for row in rows if row.id in certain or not self._differs(row, email)]

    def _email(self, row: LeadRow) -> FieldValue:
        return self._vault.person(row.data_key).open_json(row.sealed).get("email") if row.sealed else None

    def _differs(self, row: LeadRow, email: FieldValue) -> bool:
        known = self._email(row)
        return known is not None and email is not None and known != email

    def _is_over(self, row: LeadRow, change: LeadChange) -> bool:
        """True for a late notice of what was before the record was deleted."""
        if row.routable or change.kind is ChangeKind.RESTORED:
            return False
        deleted = (ChangeRow.lead_id == row.id) & (ChangeRow.kind == ChangeKind.DELETED.value)
        return bool(ChangeRow.select().where(deleted & (ChangeRow.occurred_at >= change.occurred_at)).exists())

    def _open(self, row: LeadRow) -> Lead:
        facts = Facts.of(row, self._vault)
        return Lead(
            id=row.id,
            connection=row.connection,
            external_id=row.external_id,
            created_at=row.created_at,
            fields=facts.fields(),
            extra=facts.extra(),
            outcome=Outcome.read(row.outcome),
            version=row.version,
            scored_version=row.scored_version,
            allocated_version=row.allocated_version,
            owner_id=str(row.owner_id) if row.owner_id is not None else None,
            pinned=row.pinned,
            routable=row.routable,
            erased=row.erased,
        )
