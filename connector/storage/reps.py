"""Salespeople: what the CRM says of them, what people set, and where they are in Slack.

Precedence, highest first: what a person set (Slack, API, CLI), the policy file, the CRM. See docs/allocation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock
from connector.storage.columns import is_id
from connector.storage.db import Database, marks
from connector.storage.models import Rep as Row
from connector.storage.spelled import first, rows, set_where
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
    crm_teams: tuple[str, ...] = ()
    gone_at: datetime | None = None  # since when the CRM no longer has this user, or has switched them off

    @property
    def team(self) -> str:
        """The team that a person set, else the first of those the CRM puts them in; empty when there is none."""
        return str(self.settings.get("team") or next(iter(self.crm_teams), ""))

    @property
    def active(self) -> bool:
        """In the CRM, and not switched off here."""
        return self.crm_active and bool(self.settings.get("active", True))


class Reps:
    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock
        self._known: Mapping[int, tuple[tuple[Any, ...], StoredRep]] = {}  # by id: the row as it is kept, and what it says

    def sync(self, connection: str, owners: Iterable[RepRecord]) -> int:
        """Take over the CRM's users; returns how many there are. Those the CRM no longer lists become inactive."""
        owners = list(owners)  # read before the transaction: the CRM is asked page by page, and nobody else could write meanwhile
        seen: set[str] = set()
        with self._db.transaction():
            for owner in owners:
                seen.add(owner.external_id)
                self._upsert(connection, owner)
            if seen:
                ours = (Row.connection == connection) & Row.crm_active & Row.external_id.not_in(list(seen))
                Row.update({Row.crm_active: False, Row.gone_at: self._clock.now()}).where(ours).execute()
        return len(seen)

    def _upsert(self, connection: str, owner: RepRecord) -> Row:
        email = owner.email.strip().lower() if owner.email else None
        sealed = self._vault.seal_json({"name": owner.name, "email": email}, CONTEXT)
        token = self._vault.index("rep", email) if email else None
        teams = list(owner.teams)
        known = first(self._db, Row, "WHERE connection = ? AND external_id = ?", connection, owner.external_id)
        switched_off = known is not None and known.crm_active and not owner.active
        gone_at = None if owner.active else self._clock.now() if switched_off else known.gone_at if known else None
        Row.insert(
            connection=connection,
            external_id=owner.external_id,
            sealed=sealed,
            email_token=token,
            crm_active=owner.active,
            crm_teams=teams,
        ).on_conflict(
            conflict_target=[Row.connection, Row.external_id],
            update={
                Row.sealed: sealed,
                Row.email_token: token,
                Row.crm_active: owner.active,
                Row.crm_teams: teams,
                Row.gone_at: gone_at,
            },
        ).execute()
        return Row.get((Row.connection == connection) & (Row.external_id == owner.external_id))

    def for_owner(self, connection: str, external_id: str) -> StoredRep:
        """The rep behind a CRM owner id; one we have not met yet is kept as inactive until the CRM tells us who it is."""
        with self._db.connected():
            row = first(self._db, Row, "WHERE connection = ? AND external_id = ?", connection, external_id)
            if row is None:
                row = self._upsert(connection, RepRecord(external_id, None, f"Owner {external_id}", False))
            return self._open(row)

    def get(self, rep_id: str) -> StoredRep | None:
        """The rep with this id."""
        if not str(rep_id).isdecimal() or not is_id(int(rep_id[:11])):
            return None
        row = first(self._db, Row, "WHERE id = ?", int(rep_id))
        return self._open(row) if row else None

    def all(self, connection: str | None = None) -> Sequence[StoredRep]:
        """Every rep, in order of id. One whose row has not changed is the same record as before: every decision reads them all."""
        with self._db.connected():
            found = {row[0]: row for row in self._db.run("SELECT id, * FROM rep ORDER BY id").fetchall()}
            known = self._known
            new = [rep_id for rep_id, row in found.items() if rep_id not in known or known[rep_id][0] != row]
            if new:
                opened = rows(self._db, Row, f"WHERE id IN ({marks(new)})", *new)
                known = self._known = {**known, **{row.id: (found[row.id], self._open(row)) for row in opened}}
        reps = [known[rep_id][1] for rep_id in found]
        return reps if connection is None else [rep for rep in reps if rep.connection == connection]

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
        link: dict[str, Any] = {"slack_user_id": slack_user_id, **({"slack_dm": dm_channel} if dm_channel else {})}
        with self._db.transaction():
            set_where(self._db, Row, link, "id = ?", int(rep_id))

    def unlink_slack(self, rep_id: str) -> None:
        """Forget who a rep is in Slack."""
        with self._db.transaction():
            set_where(self._db, Row, {"slack_user_id": None, "slack_dm": None}, "id = ?", int(rep_id))

    def set(self, rep_id: str, changes: Mapping[str, Any]) -> StoredRep | None:
        """Set what people may set; a value of None takes the setting back. Callers validate and audit."""
        with self._db.transaction():
            row = self._db.locked(Row.select().where(Row.id == int(rep_id))).first()
            if row is None:
                return None
            row.settings = {key: value for key, value in {**row.settings, **changes}.items() if value is not None}
            row.save(only=[Row.settings])
            return self._open(row)

    def gone_with_leads(self) -> list[tuple[str, int]]:
        """(rep, lead) of every open lead that was given to a rep before the CRM deleted or switched them off."""
        held = (
            "SELECT a.rep_id, a.lead_id FROM assignment a JOIN rep r ON r.id = a.rep_id"
            " WHERE a.closed_at IS NULL AND r.gone_at IS NOT NULL AND a.opened_at <= r.gone_at ORDER BY a.id"
        )
        with self._db.connected():
            return [(str(rep_id), lead_id) for rep_id, lead_id in self._db.run(held).fetchall()]

    def touch(self, rep_id: str, at: datetime) -> None:
        """The rep was just given a lead."""
        with self._db.transaction():
            set_where(self._db, Row, {"last_assigned_at": at}, "id = ?", int(rep_id))

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
            tuple(row.crm_teams or ()),
            row.gone_at,
        )
