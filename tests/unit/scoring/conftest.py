"""One small model for the whole folder: training it takes a second."""

from __future__ import annotations

import pytest

from leads.records import LabelledHistory
from scoring.bundle import Bundle
from scoring.training import train
from tests.unit.scoring.examples import make_past


@pytest.fixture(scope="session")
def past() -> list[LabelledHistory]:
    return make_past(600)


@pytest.fixture(scope="session")
def bundle(past: list[LabelledHistory]) -> Bundle:
    return train(past, seed=11)
