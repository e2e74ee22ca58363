"""A house on an SQLite file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS
from tests.unit.connector.pipeline.scripted import open_desk


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = open_desk(tmp_path).house
    yield built
    built.close()
    HANDLERS.clear()
