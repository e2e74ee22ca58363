"""Companies of the CRMs: their names are sealed, and found by keyed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from connector.account_match import Account, keys, read_country
from connector.clock import to_ms
from connector.likeness import plain_company
from connector.mailboxes import site_domain
from connector.storage.db import Database, marks
from connector.storage.models import Account as Row
from connector.storage.models import AccountName
from connector.storage.spelled import first, insert, insert_many, rows, set_where
from connector.vault import Vault
from leads.records import AccountRecord

KIND: Final = "account"
CONTEXT: Final = b"account"
#: Of more companies behind one token the newest are looked at, and so many are compared.
A_TOKEN, CANDIDATES = 25, 50


class Accounts:
    """The repository of companies."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    def take(self, connection: str, records: Sequence[AccountRecord], seen_at: datetime) -> int:
        """Store what a CRM tells of these companies, within the caller's transaction; returns how many are new."""
        return sum(self._take(connection, record, seen_at) for record in records)

    def drop_unseen(self, connection: str, since: datetime) -> int:
        """Forget the companies that were in no reading since a moment; returns how many."""
        with self._db.transaction():
            gone = "SELECT id FROM account WHERE connection = ? AND seen_at < ?"
            self._db.run(f"DELETE FROM account_name WHERE account_id IN ({gone})", connection, to_ms(since))  # noqa: S608
            done = self._db.run("DELETE FROM account WHERE connection = ? AND seen_at < ?", connection, to_ms(since))
            return int(done.rowcount)

    def candidates(self, connection: str, name: str, domain: str) -> list[Account]:
        """Companies of a connection that share a key with this (plain) name or (registered) domain."""
        with self._db.connected():
            found: dict[int, None] = {}
            for key in sorted(keys(name, [domain])):
                asked = "SELECT account_id FROM account_name WHERE token = ? ORDER BY id DESC LIMIT ?"
                found |= dict.fromkeys(row[0] for row in self._db.run(asked, self._vault.index(KIND, key), A_TOKEN).fetchall())
            if not found:
                return []
            some = list(found)[:CANDIDATES]
            return [
                self._open(row) for row in rows(self._db, Row, f"WHERE id IN ({marks(some)}) AND connection = ?", *some, connection)
            ]

    def any(self) -> bool:
        """Whether a company is known at all."""
        with self._db.connected():
            return self._db.run("SELECT 1 FROM account LIMIT 1").fetchone() is not None

    def count(self, connection: str) -> int:
        with self._db.connected():
            return int(self._db.run("SELECT COUNT(*) FROM account WHERE connection = ?", connection).fetchone()[0])

    # -- inside

    def _take(self, connection: str, record: AccountRecord, seen_at: datetime) -> bool:
        domains = [domain for host in record.domains if (domain := site_domain(host))]
        told: dict[str, Any] = {
            "country": read_country(record.country),
            "owner": record.owner_id,
            "customer": record.customer,
            "touched_at": record.touched_at,
            "seen_at": seen_at,
        }
        known = first(self._db, Row, "WHERE connection = ? AND external_id = ?", connection, record.external_id)
        named = {"name": record.name, "domains": domains}
        if known is not None and self._vault.open_json(known.sealed, CONTEXT) == named:
            set_where(self._db, Row, told, "id = ?", known.id)
            return False
        told |= {"sealed": self._vault.seal_json(named, CONTEXT)}
        if known is not None:
            set_where(self._db, Row, told, "id = ?", known.id)
            self._db.run("DELETE FROM account_name WHERE account_id = ?", known.id)
        named_by = {"connection": connection, "external_id": record.external_id}
        account = known.id if known else insert(self._db, Row, {**named_by, **told})
        tokens = sorted(self._vault.index(KIND, key) for key in keys(plain_company(record.name), domains))
        insert_many(self._db, AccountName, [{"token": token, "account_id": account} for token in tokens])
        return known is None

    def _open(self, row: Row) -> Account:
        told = self._vault.open_json(row.sealed, CONTEXT)
        return Account(
            id=row.id,
            connection=row.connection,
            external_id=row.external_id,
            name=told["name"],
            domains=tuple(told["domains"]),
            country=row.country,
            owner=row.owner,
            customer=row.customer,
            touched_at=row.touched_at,
        )
