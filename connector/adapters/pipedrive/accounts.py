"""Every organisation with its domain and owner.

Source: Pipedrive's reference of /api/v2/organizations: `website` is empty unless somebody filled it in; the
count of won deals comes only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.calls import PipedriveCalls
from connector.reading import read_id, read_rows, read_text, read_time
from leads.records import AccountRecord

WON: Final = "won_deals_count"
ASKED: Final = {"include_fields": WON, "sort_by": "id", "sort_direction": "asc"}


def read_companies(calls: PipedriveCalls, nobody: frozenset[str]) -> Iterator[Sequence[AccountRecord]]:
    """Every organisation that was not deleted, page by page; `nobody` own nothing."""
    for records, _ in calls.pages("/api/v2/organizations", ASKED):
        there = [record for record in records if not record.get("is_deleted")]
        yield read_rows("Pipedrive", there, lambda record: _account(record, nobody))


def _account(record: Mapping[str, Any], nobody: frozenset[str]) -> AccountRecord:
    """Pipedrive dates no last activity of an organisation: its last change stands for it."""
    website, country = read_text(record.get("website")), words.read_address(record.get("address")).get("country")
    return AccountRecord(
        external_id=read_id(record["id"]),
        name=read_text(record.get("name")) or "",
        domains=(website,) if website else (),
        country=str(country) if country else None,
        owner_id=words.read_owner_id(record.get("owner_id"), nobody),
        customer=bool(record.get(WON)),
        touched_at=read_time(record["update_time"]) if record.get("update_time") else None,
    )
