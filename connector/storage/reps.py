"""Salespeople: what the CRM says of them, what people set, and where they are in Slack.

Precedence, highest first: what a person set (Slack, API, CLI), the policy file, the CRM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock
from connector.storage.columns import is_id
from connector.storage.db import Database
from connector.storage.models import Rep as Row
from connector.vault import Vault
from leads.records import RepRecord

CONTEXT = b"rep"


@dataclass(frozen=True, slots=True)
class StoredRep:
    """A rep. `settings` holds what people set (weight, capacity, timezone, hours, team, paused_until, active …)."""

    id: str
    connection: str
    external_id: str
    name: str
    email: str | None
    crm_active: bool
    settings: Mapping[str, Any]
    slack_user_id: str | None
    slack_dm: str | None
    last_assigned_at: datetime | None

    @property
    def active(self) -> bool:
        """In the CRM, and not switched off here."""
        return self.crm_active and bool(self.settings.get("active", True))


class Reps:
    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def sync(self, connection: str, owners: Iterable[RepRecord]) -> int:
        """Take over the CRM's users; returns how many there are. Those the CRM no longer lists become inactive."""
        seen: set[str] = set()
        with self._db.transaction():
            for owner in owners:
                seen.add(owner.external_id)
                self._upsert(connection, owner)
            gone = Row.update({Row.crm_active: False}).where((Row.connection == connection) & Row.external_id.not_in(list(seen)))
            if seen:
                gone.execute()
        return len(seen)

    def _upsert(self, connection: str, owner: RepRecord) -> Row:
        email = owner.email.strip().lower() if owner.email else None
        sealed = self._vault.seal_json({"name": owner.name, "email": email}, CONTEXT)
        token = self._vault.index("rep", email) if email else None
        teams = {"team": owner.teams[0]} if owner.teams else {}
        Row.insert(
            connection=connection,
            external_id=owner.external_id,
            sealed=sealed,
            email_token=token,
            crm_active=owner.active,
            settings=teams,
        ).on_conflict(
            conflict_target=[Row.connection, Row.external_id],
            update={Row.sealed: sealed, Row.email_token: token, Row.crm_active: owner.active},
        ).execute()
        return Row.get((Row.connection == connection) & (Row.external_id == owner.external_id))

    def for_owner(self, connection: str, external_id: str) -> StoredRep:
        """The rep behind a CRM owner id; one we have not met yet is kept as inactive until the CRM tells us who it is."""
        with self._db.connected():
            row = Row.get_or_none((Row.connection == connection) & (Row.external_id == external_id))
            if row is None:
                row = self._upsert(connection, RepRecord(external_id, None, f"Owner {external_id}", False))
            return self._open(row)

    def get(self, rep_id: str) -> StoredRep | None:
        """The rep with this id."""
        if not str(rep_id).isdecimal() or not is_id(int(rep_id[:11])):
            return None
        with self._db.connected():
            row = Row.get_or_none(Row.id == int(rep_id))
            return self._open(row) if row else None

    def all(self, connection: str | None = None) -> Sequence[StoredRep]:
        query = Row.select().order_by(Row.id)
        if connection:
            query = query.where(Row.connection == connection)
        with self._db.connected():
            return [self._open(row) for row in query]

    def names(self) -> dict[str, str]:
        """Rep names by id."""
        return {rep.id: rep.name for rep in self.all()}

    def by_email(self, email: str) -> StoredRep | None:
        token = self._vault.index("rep", email.strip().lower())
        with self._db.connected():
            row = Row.select().where(Row.email_token == token).order_by(Row.crm_active.desc(), Row.id).first()
            return self._open(row) if row else None

    def by_slack(self, slack_user_id: str) -> StoredRep | None:
        with self._db.connected():
            row = Row.select().where(Row.slack_user_id == slack_user_id).order_by(Row.crm_active.desc(), Row.id).first()
            return self._open(row) if row else None

    def link_slack(self, rep_id: str, slack_user_id: str, dm_channel: str | None = None) -> None:
        """Remember who a rep is in Slack, and the direct-message channel with them."""
        change: dict[Any, Any] = {Row.slack_user_id: slack_user_id}
        if dm_channel:
            change[Row.slack_dm] = dm_channel
        with self._db.transaction():
            Row.update(change).where(Row.id == int(rep_id)).execute()

    def set(self, rep_id: str, changes: Mapping[str, Any]) -> StoredRep | None:
        """Set what people may set; a value of None takes the setting back. Callers validate and audit."""
        with self._db.transaction():
            row = self._db.locked(Row.select().where(Row.id == int(rep_id))).first()
            if row is None:
                return None
            row.settings = {key: value for key, value in {**row.settings, **changes}.items() if value is not None}
            row.save(only=[Row.settings])
            return self._open(row)

    def touch(self, rep_id: str, at: datetime) -> None:
        """The rep was just given a lead."""
        with self._db.transaction():
            Row.update({Row.last_assigned_at: at}).where(Row.id == int(rep_id)).execute()

    def _open(self, row: Row) -> StoredRep:
        person = self._vault.open_json(row.sealed, CONTEXT)
        return StoredRep(
            str(row.id),
            row.connection,
            row.external_id,
            person["name"],
            person["email"],
            row.crm_active,
            row.settings or {},
            row.slack_user_id,
            row.slack_dm,
            row.last_assigned_at,
        )
