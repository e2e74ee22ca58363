"""A desk: a house with a scripted CRM, e-mail tool and Slack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from connector.pipeline.deliver import HANDLERS
from tests.unit.connector.pipeline.scripted import Desk, open_desk


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Drawing the tracebacks of failures that are meant to happen takes longer than the tests."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """On an SQLite file of its own."""
    made = open_desk(tmp_path)
    yield made
    made.house.close()
    HANDLERS.clear()
