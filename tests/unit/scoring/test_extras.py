"""What is made of a tenant's own columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from leads.records import FieldValue
from scoring.columns import Column
from scoring.extras import find_leaking, infer_extras
from tests.unit.scoring.examples import lead

ROWS = 400
RANDOM = np.random.default_rng(4)
WON = (RANDOM.random(ROWS) < 0.4).astype(float)


def infer(make: Callable[[int], FieldValue]) -> Column | str:
    """The column made of `make(row)`, or why it was left out."""
    histories = [lead(extra={"X": make(row)}) for row in range(ROWS)]
    leaks = find_leaking(histories, WON)
    kept, dropped = infer_extras(histories, frozenset(leak.column for leak in leaks))
    assert len(kept) + len(dropped) + len(leaks) == 1
    return kept[0] if kept else (*dropped, *leaks)[0].why


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda row: str(RANDOM.integers(1, 90)), "numeric"),
        (lambda row: float(RANDOM.normal(0, 5)), "numeric"),
        (lambda row: row % 7 if row % 3 else "Select", "numeric"),
        (lambda row: "yes" if RANDOM.random() < 0.3 else "no", "categorical"),
        (lambda row: f"city {RANDOM.integers(0, 40)}", "categorical"),
        (lambda row: "filled" if row % 2 else None, "categorical"),
        (lambda row: round(float(RANDOM.lognormal(10, 2))), "numeric"),  # amounts hardly repeat and are no ids
    ],
)
def test_honest_columns_are_kept_with_their_type(make: Callable[[int], FieldValue], kind: str) -> None:
    column = infer(make)
    assert isinstance(column, Column)
    assert (column.name, column.type) == ("extra.X", kind)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda row: None, "empty"),
        (lambda row: "Select", "empty"),
        (lambda row: "same", "constant"),
        (lambda row: 660_000 + row, "an id or a counter"),
        (lambda row: f"a note about lead {row}", "an id or free text"),
        (lambda row: "won" if WON[row] else "lost", "after the outcome"),
        (lambda row: "signed" if WON[row] and row % 3 == 0 else None, "after the outcome"),
        (lambda row: float(RANDOM.normal(100, 5)) if WON[row] else float(RANDOM.normal(0, 5)), "after the outcome"),
    ],
)
def test_columns_that_say_nothing_or_too_much_are_left_out(make: Callable[[int], FieldValue], why: str) -> None:
    found = infer(make)
    assert isinstance(found, str)
    assert why in found


def test_a_small_pure_level_is_no_leak() -> None:
    """Four in a hundred leads come from one source that always buys: honest, and worth knowing."""
    sure = set(np.flatnonzero(WON)[:15])
    assert isinstance(infer(lambda row: "partner" if row in sure else f"source {row % 3}"), Column)


def test_rare_levels_are_not_learned() -> None:
    column = infer(lambda row: "rare" if row < 4 else f"level {row % 3}")
    assert isinstance(column, Column)
    assert set(column.levels) == {"level 0", "level 1", "level 2"}
