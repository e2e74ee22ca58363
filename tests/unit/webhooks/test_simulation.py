"""Allocation as a whole over HTTP: what people set aside, and a policy tried on past leads."""

from __future__ import annotations

from typing import Any

import pytest

from connector.pipeline.allocate import allocate, choose
from connector.pipeline.evaluate import evaluate
from leads.enums import Role
from leads.records import RepRecord


@pytest.fixture
def moved(site: Any) -> Any:
    """Four leads given out among two reps, one of them moved by a manager and one in the CRM."""
    site.house.reps.sync("crm", [RepRecord("7", "a@x.example", "Ann", True), RepRecord("8", "b@x.example", "Bo", True)])
    ids = [site.call("POST", "/leads", {"external_id": f"x{number}"}).json()["id"] for number in range(4)]
    for lead_id in ids:
        evaluate(site.house, lead_id)
        allocate(site.house, lead_id)
    for lead_id, actor in zip(ids[:2], ("api", "crm"), strict=True):
        other = str(3 - int(site.house.decisions.open_assignment(lead_id).rep_id))
        if actor == "api":
            assert site.call("POST", f"/leads/{lead_id}/reassign", {"rep_id": other, "reason": "they met"}).status_code == 200
        else:
            with site.house.db.transaction():
                choose(site.house, site.house.leads.lock(lead_id), other, "crm", None, because="Chosen by a person in the CRM.")
    return site


def test_what_people_set_aside_is_told_by_week_and_on_the_metrics_page(moved: Any) -> None:
    answer = moved.call("GET", "/allocation/errors?weeks=2", role=Role.REP).json()
    told = answer["weeks"]
    assert answer["last_7_days"] == {"picks": 4, "overrides": 2, "rate": 0.5, "causes": {"other": 1, "changed_in_crm": 1}}
    assert [week["overrides"] for week in told] == [0, 2]
    assert (told[1]["picks"], told[1]["rate"]) == (4, 0.5)
    assert told[1]["causes"] == {"other": 1, "changed_in_crm": 1}
    assert moved.counted("leadswitch_allocation_picks_7d") == 4
    assert moved.counted("leadswitch_allocation_overrides_7d", cause="changed_in_crm") == 1
    assert moved.call("GET", "/allocation/errors?weeks=0").status_code == 422


def test_a_policy_is_tried_on_past_leads(moved: Any) -> None:
    told = moved.call("POST", "/allocation/simulate", {"policy": "[teams.one]\nreps = ['1']\n"}, role=Role.MANAGER).json()
    assert (told["leads"], told["moved"]) == (4, len(told["moves"]))
    assert told["moved"] > 0
    assert moved.call("POST", "/allocation/simulate", {"policy": "x = 1"}, role=Role.REP).status_code == 403
    wrong = moved.call("POST", "/allocation/simulate", {"policy": "[teams.one]\nrepz = ['1']\n"})
    assert wrong.status_code == 422
    assert "repz" in wrong.json()["errors"][0]["detail"]


def test_without_a_past_there_is_nothing_to_try(site: Any) -> None:
    answer = site.call("POST", "/allocation/simulate", {"policy": "[teams.one]\nreps = ['*']\n"})
    assert (answer.status_code, "nothing to simulate" in answer.json()["detail"]) == (409, True)
