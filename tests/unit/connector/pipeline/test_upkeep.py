"""Upkeep: every client that needs it gets its turn, and one that fails takes nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from connector.errors import Retriable
from connector.pipeline.upkeep import keep_up
from connector.schedule import chores
from connector.testing import RecordingBell, house
from leads.results import CheckResult


class Kept:
    """A client whose subscription lapses."""

    def __init__(self, results: Sequence[CheckResult] = (), error: Exception | None = None) -> None:
        self.results, self.error, self.turns = results, error, 0

    def upkeep(self) -> Sequence[CheckResult]:
        self.turns += 1
        if self.error:
            raise self.error
        return self.results


def test_every_client_has_its_turn(tmp_path: Path) -> None:
    names = ("away", "broken", "renews", "refused", "needs none")
    built = house(tmp_path, connections={name: {"name": name, "adapter": "hubspot"} for name in names})
    renewing = Kept([CheckResult("channel", True, "renewed")])
    clients = {
        "away": Kept(error=Retriable("The CRM cannot be reached.")),
        "broken": Kept(error=KeyError("expires")),
        "renews": renewing,
        "refused": Kept([CheckResult("channel", False, "refused")]),
        "needs none": object(),
    }
    built._clients.update(clients)  # type: ignore[arg-type]
    assert keep_up(built) == 3
    assert renewing.turns == 1


def test_the_clock_rings_for_it(tmp_path: Path) -> None:
    built = house(tmp_path)
    (chore,) = [chore for chore in chores(built) if chore.name == "upkeep"]
    chore.call()
    assert isinstance(built.queue, RecordingBell)
    assert built.queue.rung == [("upkeep", (0,))]
    assert chore.every_s == pytest.approx(3600)
