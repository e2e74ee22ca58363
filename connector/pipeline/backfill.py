"""First install: a CRM's existing leads with their dated history, owners and outcomes. Resumable, and harmless when repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline.accounts import read_accounts
from connector.pipeline.consent import is_barred
from connector.pipeline.enrich import score_first
from connector.pipeline.identity import join_near
from connector.pipeline.normalise import normalise
from connector.pipeline.ownership import end, follow
from connector.ports import BackfillPage, CrmClient
from connector.storage.leads import Applied
from leads.enums import Outcome
from leads.records import EngagementEvent, LeadChange

log = structlog.get_logger(__name__)

Progress = Callable[[int, int | None], None]
CHUNK = 50  # leads a transaction: short enough that live work is not held up


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What was read. `recovered` counts leads we had not heard of by webhook; only reconciling routes them."""

    owners: int
    leads: int
    engagements: int
    outcomes: int
    recovered: int = 0


def run(house: House, connection: str, progress: Progress | None = None) -> BackfillReport:
    """Read everything a CRM has, from where an interrupted run left off. Raises `Configuration` for a connection without a CRM."""
    client = crm(house, connection)
    owners = house.reps.sync(connection, client.owners())
    cursor_name = f"backfill:{connection}"
    total = BackfillReport(owners, 0, 0, 0)
    for page in client.backfill(house.cells.get(cursor_name)):
        total = add(total, take_page(house, connection, page, live=False))
        house.cells.set(cursor_name, page.cursor)
        if progress:
            progress(total.leads, page.total)
    house.cells.set(cursor_name, None)
    read_accounts(house, connection)
    log.info("backfill done", connection=connection, leads=total.leads, engagements=total.engagements, outcomes=total.outcomes)
    return total


def take_page(house: House, connection: str, page: BackfillPage, *, live: bool) -> BackfillReport:
    """Apply one page; each chunk is one transaction."""
    engagements = outcomes = recovered = 0
    acts: dict[str, list[EngagementEvent]] = {}
    for event in page.engagements:
        acts.setdefault(event.external_id or "", []).append(event)
    for start in range(0, len(page.leads), CHUNK):
        chunk = [normalise(change) for change in page.leads[start : start + CHUNK]]
        with house.db.transaction():
            house.leads.hold(
                token
                for change in chunk
                for token in house.leads.tokens(connection, change.external_id, change.fields, change.extra)
            )
            owners: list[tuple[Applied, LeadChange]] = []
            ids: dict[str, tuple[int | None, bool]] = {}
            for change in chunk:  # a record may stand there as it was made and as it is now
                lead_id, made = _take_lead(house, connection, change, live, owners)
                ids[change.external_id] = lead_id, made or ids.get(change.external_id, (None, False))[1]
            for external_id, (lead_id, _) in ids.items():
                if lead_id is not None and external_id in acts:
                    engagements += house.leads.add_engagements(connection, acts[external_id], lead_id, live=live)
            for external_id, (outcome, at) in page.outcomes.items():
                lead_id, _ = ids.get(external_id, (None, False))
                if lead_id is not None and outcome in (Outcome.WON, Outcome.LOST):
                    end(house, lead_id, outcome, at)
                    outcomes += 1
            follow(house, connection, owners)
            for lead_id, new in ids.values():
                if lead_id is not None and live and new:
                    recovered += 1
                    score_first(house, lead_id)
    return BackfillReport(0, len({change.external_id for change in page.leads}), engagements, outcomes, recovered)


def _take_lead(
    house: House, connection: str, change: LeadChange, live: bool, owners: list[tuple[Applied, LeadChange]]
) -> tuple[int | None, bool]:
    """(lead, whether anything of it was news); (None, False) for the erased and for those who objected. An owner to follow goes
    to `owners`."""
    if is_barred(house, connection, change):
        return None, False
    applied = join_near(house, house.leads.apply(connection, replace(change, fetch=False), live=live))
    owner = change.fields.get("owner_id")
    if owner and (applied.created or "owner_id" in applied.fields):
        owners.append((applied, change))
    return applied.lead_id, applied.created


def crm(house: House, connection: str) -> CrmClient:
    client = house.client(connection)
    if client is None:
        raise Configuration(f"{connection} is not a CRM.", "Name a connection of a CRM; see `leadswitch connections list`.")
    return client


def add(left: BackfillReport, right: BackfillReport) -> BackfillReport:
    sums: Mapping[str, int] = {
        name: getattr(left, name) + getattr(right, name) for name in ("leads", "engagements", "outcomes", "recovered")
    }
    return replace(left, **sums)
