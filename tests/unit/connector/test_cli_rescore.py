"""`leadswitch rescore`: the whole base, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable

from connector.bootstrap import open_house
from connector.settings import read_settings
from connector.testing import NOON
from leads.enums import ChangeKind
from leads.records import LeadChange

Run = Callable[..., tuple[int, str, str]]


def test_rescore_says_how_many_were_scored(run: Run) -> None:
    house = open_house(read_settings(), migrate=True)
    with house.db.transaction():
        for number in range(3):
            change = LeadChange(f"c{number}", f"x{number}", NOON, ChangeKind.CHANGED, fields={"title": "CEO"})
            house.leads.apply("import", change, live=False)
    house.close()
    code, out, _ = run("rescore", "--json")
    assert code == 0
    assert json.loads(out) == {"leads": 3, "scored": 3, "news": 0}
