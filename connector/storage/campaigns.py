"""The leads of a campaign that nobody holds."""

from __future__ import annotations

import json

from connector.storage.db import Database


def unheld_leads(db: Database, campaign: str, limit: int) -> list[int]:
    """Live, open leads without an owner whose field `campaign` has this value, oldest first."""
    chosen = (
        "SELECT id, facts FROM lead WHERE routable AND owner_id IS NULL AND outcome = 'open' AND merged_into IS NULL AND NOT erased"
        " AND facts LIKE ? ORDER BY id"
    )
    wanted = campaign.strip().lower()
    found: list[int] = []
    with db.connected():
        for lead_id, facts in db.run(chosen, '%"campaign"%').fetchall():
            if str(json.loads(facts).get("campaign") or "").strip().lower() == wanted:
                found.append(lead_id)
            if len(found) == limit:
                break
    return found
