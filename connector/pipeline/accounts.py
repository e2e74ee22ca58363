"""Companies: read from the CRMs, and found for leads that came without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.account_match import Match, Seeker, match
from connector.bootstrap import House
from connector.clock import from_ms, to_ms
from connector.errors import Configuration, Fatal, Skippable
from connector.ports import HasAccounts
from leads.records import Lead

log = structlog.get_logger(__name__)

#: How long a reading of all companies of a CRM is good for.
FRESH: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Employer:
    """The owner of a lead's company (a rep's id, None when it has none here) and how the company was found."""

    rep_id: str | None
    because: str


def read_accounts(house: House, connection: str) -> int:
    """Read every company of a CRM that keeps some, when the last reading is a day old; returns how many were read."""
    client: object = house.client(connection)
    name, now = f"accounts:{connection}", house.clock.now()
    newest = house.cells.get(name)
    if not isinstance(client, HasAccounts) or (newest and now - from_ms(newest["at"]) < FRESH):
        return 0
    read = 0
    try:
        for page in client.accounts():
            with house.db.transaction():
                house.accounts.take(connection, page, now)
            read += len(page)
    except (Configuration, Fatal, Skippable) as error:  # leads are read all the same; `doctor` shows it
        house.cells.set(name, {"at": to_ms(now), "error": str(error)})
        log.error("accounts not read", connection=connection, error=str(error))
        return read
    gone = house.accounts.drop_unseen(connection, now)
    house.cells.set(name, {"at": to_ms(now), "error": ""})
    log.info("accounts read", connection=connection, accounts=read, gone=gone)
    return read


def newest_reading(house: House, connection: str) -> tuple[datetime, str] | None:
    """When the companies of a CRM were read last, and why that did not work (empty: it did)."""
    newest = house.cells.get(f"accounts:{connection}")
    return (from_ms(newest["at"]), newest["error"]) if newest else None


def employer_of(house: House, lead: Lead) -> Employer | None:
    """The company that a lead belongs to: by its CRM's word, else by domain or name."""
    if lead.external_id is None:
        return None
    told = lead.fields.get("account_owner_id")
    if told:
        return Employer(_rep(house, lead.connection, str(told)), "")
    found = match_account(house, lead)
    if found is None:
        return None
    owner = found.account.owner
    return Employer(_rep(house, lead.connection, owner) if owner else None, found.because)


def match_account(house: House, lead: Lead) -> Match | None:
    """The company of a lead that is in the same CRM."""
    seeker = Seeker.of(lead.fields)
    candidates = house.accounts.candidates(lead.connection, seeker.name, seeker.domain)
    return match(seeker, candidates, house.settings.accounts.tie_breakers) if candidates else None


def _rep(house: House, connection: str, owner: str) -> str:
    return house.reps.for_owner(connection, owner).id
