"""A desk whose playbooks a test publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector.pipeline.deliver import HANDLERS
from connector.playbooks.reading import parse_playbooks
from connector.playbooks.runs import sweep_playbooks
from tests.unit.connector.pipeline.scripted import Desk, open_desk

SHIPPED = Path(__file__).resolve().parents[4] / "docs" / "playbooks"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def open_one(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Opens a desk with further settings."""
    opened: list[Desk] = []

    def make(**settings: Any) -> Desk:
        opened.append(open_desk(tmp_path / str(len(opened)), **settings))
        return opened[-1]

    yield make
    for desk in opened:
        desk.house.close()
    HANDLERS.clear()


@pytest.fixture
def desk(open_one: Callable[..., Desk]) -> Desk:
    return open_one()


def publish(desk: Desk, text: str) -> None:
    """Put playbooks in force, at this moment."""
    with desk.house.db.transaction():
        desk.house.playbooks.publish(parse_playbooks(text).version, text, "cli:test", "a test")
    desk.house.playbook_shelf.look_again()


def shipped(name: str) -> str:
    return (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


def play(desk: Desk) -> None:
    """Carry out what was rung for, and then what playbooks make of it, as the worker and the clock do."""
    desk.run()
    sweep_playbooks(desk.house)
    desk.run()


def history(desk: Desk, lead_id: int) -> list[tuple[str, str, str | None, list[tuple[str, str]]]]:
    """(playbook, state, how it ended, its steps) of every run of a lead."""
    runs = desk.house.playbooks.of_lead(lead_id)
    taken = desk.house.playbooks.steps([run.id for run in runs])
    return [(run.playbook, run.state, run.ended_as, [(one.step, one.result) for one in taken[run.id]]) for run in runs]
