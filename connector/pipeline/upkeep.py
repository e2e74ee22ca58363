"""What lapses at a vendor unless it is renewed, such as a subscription with an end: renewed in time, whatever the other CRMs do."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connector.bootstrap import House
from connector.errors import LeadswitchError
from connector.ports import NeedsUpkeep
from leads.results import CheckResult

log = structlog.get_logger(__name__)


def keep_up(house: House) -> int:
    """Let every client renew what would lapse; returns how many things did not hold afterwards."""
    broken = 0
    for connection in house.crm_connections():
        try:
            client = house.client(connection)
            done: Sequence[CheckResult] = client.upkeep() if isinstance(client, NeedsUpkeep) else ()
        except LeadswitchError as error:
            broken += 1
            log.error("upkeep failed", connection=connection, error=str(error))
            continue
        except Exception:  # a fault in one adapter must not let the others' subscriptions lapse
            broken += 1
            log.exception("upkeep broke", connection=connection)
            continue
        for result in done:
            broken += not result.ok
            (log.info if result.ok else log.error)("upkeep", connection=connection, what=result.name, detail=result.detail)
    return broken
