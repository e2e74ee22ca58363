"""Policies over HTTP: checked, put in force, told of; a decision made again; a lead taken on and passed on."""

from __future__ import annotations

from typing import Any

import pytest

from connector.pipeline.allocate import allocate
from connector.pipeline.evaluate import evaluate
from leads.enums import Role
from leads.records import RepRecord

GOOD = "name = 'One'\n[sla.a]\naccept_minutes = 5\nremind_minutes = 9\n[teams.one]\nreps = ['1']\n"
BAD = "[teams.one]\nrepz = ['1']\nmethod = 'rotatoin'\n"


@pytest.fixture
def given_out(site: Any) -> Any:
    """One lead that somebody of two reps holds."""
    site.house.reps.sync("crm", [RepRecord("7", "a@x.example", "Ann", True), RepRecord("8", "b@x.example", "Bo", True)])
    lead = site.call("POST", "/leads", {"external_id": "x1"}).json()["id"]
    evaluate(site.house, lead)
    allocate(site.house, lead)
    return site


def test_a_policy_is_checked_and_nothing_changes(given_out: Any) -> None:
    wrong = given_out.call("POST", "/allocation/policies/check", {"policy": BAD}).json()
    assert (wrong["ok"], wrong["version"]) == (False, None)
    assert [one["line"] for one in wrong["problems"]] == [2, 3]
    right = given_out.call("POST", "/allocation/policies/check", {"policy": GOOD}, role=Role.MANAGER).json()
    assert (right["ok"], right["name"], right["in_force"], right["problems"]) == (True, "One", False, [])
    assert any(one["line"] == 4 and "remind_minutes" in one["message"] for one in right["warnings"])
    assert given_out.call("GET", "/allocation/policies").json() == {"policies": []}


def test_a_policy_is_put_in_force_by_an_admin_and_its_history_told(given_out: Any) -> None:
    wanted = {"policy": GOOD, "reason": "Vienna opens"}
    assert given_out.call("POST", "/allocation/policies", wanted, role=Role.MANAGER).status_code == 403
    assert given_out.call("POST", "/allocation/policies", {"policy": GOOD}, role=Role.ADMIN).status_code == 422
    refused = given_out.call("POST", "/allocation/policies", {"policy": BAD, "reason": "x"}, role=Role.ADMIN)
    assert (refused.status_code, len(refused.json()["errors"])) == (422, 2)
    answer = given_out.call("POST", "/allocation/policies", wanted, role=Role.ADMIN)
    assert answer.status_code == 201
    (told,) = given_out.call("GET", "/allocation/policies", role=Role.MANAGER).json()["policies"]
    assert (told["version"], told["why"], told["in_force"]) == (answer.json()["version"], "Vienna opens", True)
    assert given_out.house.policy.version == answer.json()["version"]
    assert given_out.call("POST", "/allocation/policies/check", {"policy": GOOD}).json()["in_force"]


def test_a_decision_is_made_again(given_out: Any) -> None:
    decision = given_out.call("GET", "/decisions").json()["decisions"][-1]
    again = given_out.call("POST", f"/decisions/{decision['id']}/replay", role=Role.REP).json()
    assert (again["same"], again["then"], again["now"], again["differing"]) == (True, decision["rep_id"], decision["rep_id"], [])
    assert given_out.call("POST", "/decisions/999/replay").status_code == 404


def test_the_lift_cannot_be_told_before_leads_have_ended(given_out: Any) -> None:
    answer = given_out.call("POST", "/allocation/evaluate", {"policy": GOOD}, role=Role.MANAGER)
    assert answer.status_code == 409
    assert given_out.call("POST", "/allocation/evaluate", {"policy": BAD}).status_code == 422


def test_a_lead_is_taken_on_and_passed_on(given_out: Any) -> None:
    first = given_out.house.decisions.open_assignment(1).rep_id
    other = str(3 - int(first))
    assert given_out.call("POST", "/leads/1/accept", {"rep_id": other}, role=Role.REP).status_code == 409
    assert given_out.call("POST", "/leads/1/accept", {"rep_id": first}, role=Role.REP).status_code == 200
    assert given_out.house.decisions.open_assignment(1).accepted_at is not None
    assert given_out.call("POST", "/leads/1/pass", {"rep_id": first}, role=Role.REP).status_code == 422
    assert given_out.call("POST", "/leads/1/pass", {"rep_id": other, "reason": "no time"}, role=Role.REP).status_code == 409
    assert given_out.call("POST", "/leads/1/pass", {"rep_id": first, "reason": "no time"}, role=Role.REP).status_code == 200
    assert given_out.house.decisions.open_assignment(1).rep_id == other
    assert given_out.call("POST", "/leads/99/accept", {"rep_id": first}, role=Role.REP).status_code == 404
