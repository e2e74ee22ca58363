"""What the clock does every second: ring again for work whose doorbell was missed. The database is the mailbox."""

from __future__ import annotations

from datetime import timedelta

from connector.bootstrap import House

#: Work this old has probably lost its doorbell; younger work is left to the queue.
MISSED_S = 5.0
#: A row rung for is left alone for this long.
PAUSE_S = 15.0
LIMIT = 200


class Sweeper:
    """Remembers what it rang for lately, so that a backlog is not rung for again and again."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._rung: dict[tuple[str, int | str], float] = {}

    def sweep(self) -> dict[str, int]:
        """One round; returns how many of each kind were rung for."""
        house = self._house
        now = house.clock.now()
        self._rung = {key: at for key, at in self._rung.items() if now.timestamp() - at < PAUSE_S}
        rung = {"inbox": self._inbox(), "score": 0, "allocate": 0, "deliver": 0, "playbooks": 0, "enrich": 0}
        older = now - timedelta(seconds=MISSED_S)
        for lead_id in self._due("score", house.leads.unfinished("score", older, self._limit("score"))):
            house.queue.ring_score(int(lead_id))
            rung["score"] += 1
        for lead_id in self._due("allocate", house.leads.unfinished("allocate", older, self._limit("allocate"))):
            house.queue.ring_allocate(int(lead_id))
            rung["allocate"] += 1
        if house.settings.enrichment.url:
            for lead_id in self._due("enrich", house.enrichments.due(now - timedelta(seconds=MISSED_S), self._limit("enrich"))):
                house.queue.ring_enrich(int(lead_id))
                rung["enrich"] += 1
        for destination in {"slack", *house.crm_connections(), *house.outlets()} & set(house.effects.due_destinations()):
            if not house.breakers.bars(house.breakers.of(destination)):
                house.queue.ring_deliver(destination)
                rung["deliver"] += 1
        if house.playbooks.looks_due(1) or house.playbooks.runs_due(1):  # one bell a turn: the worker takes all that is due
            house.queue.ring_playbooks()
            rung["playbooks"] += 1
        return rung

    def _inbox(self) -> int:
        house = self._house
        rows = house.inbox.due(MISSED_S, self._limit("inbox"))
        due = set(self._due("inbox", [inbox_id for inbox_id, _ in rows]))
        new = [inbox_id for inbox_id, connection in rows if inbox_id in due and connection != "slack"]
        clicks = [inbox_id for inbox_id, connection in rows if inbox_id in due and connection == "slack"]
        house.queue.ring_new(new)
        house.queue.ring_command(clicks)
        return len(due)

    def _limit(self, kind: str) -> int:
        """How many rows to look at: past those just rung for, or leads that wait for a free rep would hide all younger work."""
        return LIMIT + sum(1 for known, _ in self._rung if known == kind)

    def _due(self, kind: str, ids: list[int]) -> list[int]:
        fresh = [item for item in ids if (kind, item) not in self._rung]
        now = self._house.clock.now().timestamp()
        self._rung.update({(kind, item): now for item in fresh})
        return fresh
