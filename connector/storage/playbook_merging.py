"""The runs of playbooks when two leads become one."""

from __future__ import annotations

from datetime import datetime

from connector.clock import to_ms
from connector.storage.db import Database


def hand_over_runs(db: Database, now: datetime, keep_id: int, gone_id: int) -> list[int]:
    """Runs of playbooks that the survivor never had go on with the survivor; of one that both had, the survivor's does.

    Returns which went over. Belongs into the caller's transaction, with both leads locked."""
    had = "playbook IN (SELECT playbook FROM playbook_run WHERE lead_id = ?)"
    over = "UPDATE playbook_run SET state = 'stopped', ended_as = 'merged', ended_at = ?, due_at = NULL"
    db.run(f"{over} WHERE lead_id = ? AND state = 'running' AND {had}", to_ms(now), gone_id, keep_id)
    free = f"SELECT id FROM playbook_run WHERE lead_id = ? AND NOT {had} ORDER BY id"  # noqa: S608 - words only
    moved = [run_id for (run_id,) in db.run(free, gone_id, keep_id).fetchall()]
    for run_id in moved:
        db.run("UPDATE playbook_run SET lead_id = ? WHERE id = ?", keep_id, run_id)
    db.run("DELETE FROM playbook_look WHERE lead_id = ?", gone_id)
    return moved
