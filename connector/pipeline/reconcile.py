"""What no webhook told us: each CRM is asked now and then for what changed since the last time, by its own order of changes."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from connector.bootstrap import House
from connector.clock import from_ms, to_ms
from connector.errors import LeadswitchError, Retriable
from connector.pipeline.accounts import read_accounts
from connector.pipeline.backfill import BackfillReport, Progress, add, crm, take_page

log = structlog.get_logger(__name__)

#: One process at a time asks a CRM; the lease of one that died lapses after so long.
LEASE_S: Final = 600.0
#: Minutes until a CRM that could not be asked is asked again.
SOON: Final = 1.0


def reconcile(house: House, connection: str, progress: Progress | None = None) -> BackfillReport:
    """Ask the CRM what changed since the last time, and route what no webhook told us. Reports how many were recovered.

    Goes on where a run that was cut off stopped. Raises `Configuration` for a connection without a CRM.
    """
    client = crm(house, connection)
    owners = house.reps.sync(connection, client.owners())
    name = _mark(connection)
    since, after_id = _read_mark(house.cells.get(name), house.clock.now())
    total = BackfillReport(owners, 0, 0, 0)
    for page in client.changed_since(since, after_id):
        total = add(total, take_page(house, connection, page, live=True))
        if page.cursor:
            house.cells.set(name, page.cursor)
        if progress:
            progress(total.leads, page.total)
    _note(house, connection, **asdict(total))
    try:  # after the leads, which somebody waits for
        read_accounts(house, connection)
    except Retriable as error:
        log.warning("accounts not read now", connection=connection, error=str(error))
    log.info("reconcile done", connection=connection, leads=total.leads, recovered=total.recovered)
    return total


def reconcile_in_turn(house: House, connection: str) -> BackfillReport | None:
    """`reconcile` if it is due and nobody else is at it; None when not.

    A connection that was never asked begins now: what a CRM held before is for `connections backfill`, and is not to be routed.
    """
    lease, holder = f"lease:reconcile:{connection}", secrets.token_hex(8)
    if not is_due(house, connection) or not house.cells.lease(lease, holder, LEASE_S):
        return None
    try:
        if house.cells.get(_mark(connection)) is None:
            house.cells.set(_mark(connection), f"{to_ms(house.clock.now())}:")
        return reconcile(house, connection)
    except LeadswitchError as error:
        _note(house, connection, error=str(error))
        raise
    finally:
        house.cells.release(lease, holder)


def is_due(house: House, connection: str) -> bool:
    """Whether the CRM is to be asked again."""
    every = house.settings.connections[connection].reconcile_minutes
    newest = newest_run(house, connection)
    if every == 0 or newest is None:
        return every > 0
    at, told = newest
    return house.clock.now() - at >= timedelta(minutes=min(every, SOON) if "error" in told else every)


def newest_run(house: House, connection: str) -> tuple[datetime, dict[str, Any]] | None:
    """When a CRM was asked last, and what came of it: the counts of a report, or "error"; "recovered_ever" counts all runs."""
    told = house.cells.get(f"reconciled:{connection}")
    return (from_ms(told["at"]), told) if told else None


def ring_due(house: House) -> int:
    """Ring for every CRM that is to be asked; returns how many."""
    due = [connection for connection in house.crm_connections() if is_due(house, connection)]
    for connection in due:
        house.queue.ring_reconcile(connection)
    return len(due)


def _mark(connection: str) -> str:
    return f"reconcile:{connection}"


def _note(house: House, connection: str, **told: Any) -> None:
    before = newest_run(house, connection)
    ever = (before[1]["recovered_ever"] if before else 0) + told.get("recovered", 0)
    house.cells.set(f"reconciled:{connection}", {"at": to_ms(house.clock.now()), "recovered_ever": ever, **told})


def _read_mark(mark: str | None, now: datetime) -> tuple[datetime, str | None]:
    """Where the last reconcile stopped: "ms:id" of the newest record it saw. The first one looks a day back."""
    if not mark:
        return now - timedelta(hours=24), None
    moment, _, after_id = mark.partition(":")
    return from_ms(int(moment)), after_id or None
