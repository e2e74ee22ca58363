"""`/api/v1`: who may call, what is refused and how, and what each route does."""

from __future__ import annotations

from typing import Any

import pytest

from connector.testing import run_bells
from leads.enums import Outcome, Role
from leads.records import RepRecord
from webhooks.api.gate import GUESSES_PER_MINUTE
from webhooks.api.operations import OPERATIONS, STREAMS

LEAD = {"external_id": "x-1", "lead": {"email": "Ada@Example.com", "first_name": "Ada", "company": "Analytical", "country": "GB"}}


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:leadswitch:problem:{kind}"
    return document


def wrong_fields(response: Any) -> set[str]:
    return {error["field"] for error in problem(response, 422, "invalid")["errors"]}


@pytest.fixture
def reps(site: Any) -> list[str]:
    """Two active reps."""
    site.house.reps.sync("crm", [RepRecord("o1", "bo@example.com", "Bo", True), RepRecord("o2", "cy@example.com", "Cy", True)])
    return [rep.id for rep in site.house.reps.all()]


@pytest.fixture
def lead(site: Any, reps: list[str]) -> int:
    """A lead that was scored and routed."""
    lead_id = int(site.call("POST", "/leads", LEAD, role=Role.INGEST).json()["id"])
    run_bells(site.house)
    return lead_id


# -- who may call


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic abc", "Bearer " + "x" * 5_000])
def test_no_valid_token(site: Any, header: str | None) -> None:
    response = site.client.get("/api/v1/reps", headers={} if header is None else {"authorization": header})
    problem(response, 401, "unauthorised")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_revoked_token(site: Any) -> None:
    token, principal = site.house.tokens.create("old", Role.ADMIN)
    site.house.tokens.revoke(principal.id)
    problem(site.client.get("/api/v1/reps", headers={"authorization": f"Bearer {token}"}), 401, "unauthorised")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_each_route_wants_its_role(site: Any, operation: Any) -> None:
    path = operation.path.replace("{id}", "1")
    ladder = [Role.INGEST, Role.REP, Role.MANAGER, Role.ADMIN]
    for role in ladder:
        response = site.call(operation.method, path, {} if operation.takes else None, role=role)
        assert (response.status_code == 403) == (ladder.index(role) < ladder.index(operation.role)), (role, response.text)


def test_guessing_tokens_is_slowed_down(site: Any) -> None:
    statuses = [
        site.client.get("/api/v1/reps", headers={"authorization": f"Bearer {n}"}).status_code for n in range(GUESSES_PER_MINUTE + 1)
    ]
    assert statuses[:-1] == [401] * GUESSES_PER_MINUTE
    assert statuses[-1] == 429
    assert site.call("GET", "/reps").status_code == 200  # a rightful token is not held back by them


# -- what is refused


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "malformed"),
        (b'{"lead": {"email": "\xff"}}', 400, "malformed"),
        (b"[NaN]", 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"{}", 422, "invalid"),
    ],
)
def test_bodies_that_cannot_be_taken(site: Any, body: bytes, status: int, kind: str) -> None:
    site.call("GET", "/reps")
    headers = {"authorization": f"Bearer {site.tokens[Role.ADMIN]}", "content-type": "application/json"}
    problem(site.client.post("/api/v1/leads", content=body, headers=headers), status, kind)


def test_a_body_that_is_too_large(site: Any) -> None:
    body = {"external_id": "x", "extra": {"note": "x" * 1_100_000}}
    problem(site.call("POST", "/leads", body), 413, "too-large")


def test_another_content_type(site: Any) -> None:
    problem(site.call("POST", "/leads", LEAD, headers={"content-type": "text/plain"}), 415, "content-type")


def test_every_wrong_field_is_named(site: Any) -> None:
    body = {"external_id": "", "lead": {"email": 5, "employees": -1, "shoe_size": 44}, "extra": {"x": {"deep": 1}}}
    fields = wrong_fields(site.call("POST", "/leads", body))
    assert {"external_id", "lead.email", "lead.employees", "lead.shoe_size"} <= fields
    assert any(field.startswith("extra.x") for field in fields)


def test_a_lead_that_nothing_tells_from_others(site: Any) -> None:
    assert "external_id, lead.email or lead.phone" in site.call("POST", "/leads", {"lead": {"first_name": "Ada"}}).text


def test_unknown_addresses_and_methods(site: Any) -> None:
    problem(site.call("GET", "/nothing"), 404, "not-found")
    problem(site.call("DELETE", "/reps"), 405, "method")
    problem(site.call("GET", "/reps/"), 404, "not-found")
    for lead_id in ("0", "99999", "abc", "1e3", "9" * 40, "%00"):
        problem(site.call("GET", f"/leads/{lead_id}"), 404, "not-found")


def test_a_database_that_is_away(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.call("GET", "/reps")
    with site.house.db.transaction():
        site.house.db.raw.execute_sql("ALTER TABLE lead RENAME TO away")
    document = problem(site.call("POST", "/leads", LEAD), 503, "store-down")
    assert "Ada" not in str(document)


# -- what it does


def test_a_lead_is_stored_scored_and_routed(site: Any, lead: int) -> None:
    shown = site.call("GET", f"/leads/{lead}", role=Role.REP).json()
    assert shown["fields"]["email"] == "ada@example.com"
    assert shown["external_id"] == "x-1"
    assert 0 < shown["score"]["probability"] < 1
    assert shown["score"]["reasons"]
    assert shown["owner"]["name"] in ("Bo", "Cy")


def test_ten_thousand_characters_and_html_in_a_name(site: Any, reps: list[str]) -> None:
    body = {"lead": {"email": "a@example.com", "first_name": "<b>" + "x" * 10_000, "last_name": "=HYPERLINK(1)\x00"}}
    lead_id = site.call("POST", "/leads", body).json()["id"]
    fields = site.call("GET", f"/leads/{lead_id}").json()["fields"]
    assert len(fields["first_name"]) < 1_000
    assert fields["first_name"].startswith("<b>")
    assert "\x00" not in fields["last_name"]


def test_the_erased_and_those_who_objected_are_not_stored(site: Any, lead: int) -> None:
    site.house.privacy.bury(site.house.leads.erase(lead))
    problem(site.call("POST", "/leads", LEAD), 409, "protected")
    site.house.privacy.record("no@example.com", "profiling", "any", False, "api", site.house.clock.now())
    problem(site.call("POST", "/leads", {"lead": {"email": "no@example.com"}}), 409, "protected")
    problem(site.call("GET", f"/leads/{lead}"), 404, "not-found")


def test_why(site: Any, lead: int, reps: list[str]) -> None:
    why = site.call("GET", f"/leads/{lead}/why").json()
    assert why["because"]
    assert {verdict["rep_id"] for verdict in why["verdicts"]} == set(reps)
    assert [verdict["verdict"] for verdict in why["verdicts"]].count("chosen") == 1
    problem(site.call("GET", "/leads/999/why"), 404, "not-found")


def test_reassigning_pins_the_lead(site: Any, lead: int, reps: list[str]) -> None:
    before = site.call("GET", f"/leads/{lead}").json()["owner"]["id"]
    other = next(rep for rep in reps if rep != before)
    assert (
        site.call("POST", f"/leads/{lead}/reassign", {"rep_id": other, "reason": "knows them"}, role=Role.MANAGER).status_code
        == 200
    )
    after = site.call("GET", f"/leads/{lead}").json()
    assert (after["owner"]["id"], after["pinned"]) == (other, True)
    decision = site.call("GET", "/decisions").json()["decisions"][-1]
    assert (decision["rep_id"], decision["outcome"]) == (other, "overridden")
    assert wrong_fields(site.call("POST", f"/leads/{lead}/reassign", {"rep_id": other, "reason": " "})) == {"reason"}
    problem(site.call("POST", f"/leads/{lead}/reassign", {"rep_id": "77", "reason": "x"}), 404, "not-found")
    problem(site.call("POST", "/leads/77/reassign", {"rep_id": other, "reason": "x"}), 404, "not-found")


def test_of_two_who_claim_one_gets_the_lead(site: Any) -> None:
    lead_id = site.call("POST", "/leads", LEAD).json()["id"]
    run_bells(site.house)  # nobody is there yet: the lead waits
    site.house.reps.sync("crm", [RepRecord("o1", None, "Bo", True), RepRecord("o2", None, "Cy", True)])
    bo, cy = (rep.id for rep in site.house.reps.all())
    assert site.call("POST", f"/leads/{lead_id}/claim", {"rep_id": cy}, role=Role.REP).status_code == 200
    late = problem(site.call("POST", f"/leads/{lead_id}/claim", {"rep_id": bo}, role=Role.REP), 409, "not-done")
    assert "Cy" in late["detail"]


def test_setting_a_rep(site: Any, reps: list[str]) -> None:
    change = {"weight": 2.5, "capacity": 7, "paused_until": "2026-03-09T08:00:00+01:00", "active": False}
    changed = site.call("PATCH", f"/reps/{reps[0]}", change, role=Role.MANAGER).json()
    assert changed["settings"]["weight"] == 2.5
    assert changed["settings"]["capacity"] == 7
    assert changed["active"] is False
    assert site.call("PATCH", f"/reps/{reps[0]}", {"active": None}).json()["active"] is True  # the others stay
    shown = {rep["id"]: rep for rep in site.call("GET", "/reps", role=Role.REP).json()["reps"]}
    assert shown[reps[0]]["settings"]["capacity"] == 7
    assert shown[reps[1]]["settings"] == {}
    assert wrong_fields(site.call("PATCH", f"/reps/{reps[0]}", {"weight": -1, "paused_until": "soon", "name": "x"})) == {
        "weight",
        "paused_until",
        "name",
    }
    problem(site.call("PATCH", "/reps/999", {"weight": 1}), 404, "not-found")
    [entry] = [one for one in site.house.audit.entries() if one.action == "rep.set"][-1:]
    assert entry.actor.startswith("api:")


def test_a_paused_rep_gets_no_lead(site: Any, reps: list[str]) -> None:
    site.call("PATCH", f"/reps/{reps[0]}", {"paused_until": "2026-04-01T00:00:00Z"})
    lead_id = site.call("POST", "/leads", LEAD).json()["id"]
    run_bells(site.house)
    assert site.call("GET", f"/leads/{lead_id}").json()["owner"]["id"] == reps[1]


def test_decisions_are_paged(site: Any, reps: list[str]) -> None:
    for number in range(3):
        site.call("POST", "/leads", {"external_id": f"x-{number}"})
    run_bells(site.house)
    first = site.call("GET", "/decisions?limit=2", role=Role.REP).json()
    rest = site.call("GET", f"/decisions?limit=2&after={first['next_after']}", role=Role.REP).json()
    found = [*first["decisions"], *rest["decisions"]]
    assert sorted(one["external_id"] for one in found) == ["x-0", "x-1", "x-2"]
    assert rest["next_after"] is None
    assert {one["rep_external_id"] for one in found} <= {"o1", "o2"}
    assert all(one["tier"] and one["score"] is not None and one["connection"] == "api" for one in found)
    assert site.call("GET", "/decisions?since=2099-01-01T00:00:00Z").json() == {"decisions": [], "next_after": None}
    assert wrong_fields(site.call("GET", "/decisions?limit=0&after=-1&since=yesterday&colour=red")) == {
        "limit",
        "after",
        "since",
        "colour",
    }


def test_too_many_requests_of_one_client(site: Any) -> None:
    from connector.settings import LimitSettings
    from webhooks.app import create_app

    site.house.settings = site.house.settings.model_copy(update={"limits": LimitSettings(requests_per_minute=12)})
    from starlette.testclient import TestClient

    with TestClient(create_app(site.house)) as client:
        headers = {"authorization": f"Bearer {site.house.tokens.create('t', Role.REP)[0]}"}
        other = {"authorization": f"Bearer {site.house.tokens.create('u', Role.REP)[0]}"}
        statuses = [client.get("/api/v1/reps", headers=headers).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert client.get("/api/v1/reps", headers=other).status_code == 200


def test_numbers_that_no_record_has_are_refused(site: Any) -> None:
    """They would not fit into the database's own integers."""
    assert wrong_fields(site.call("GET", f"/decisions?after={2**63}")) == {"after"}
    assert wrong_fields(site.call("POST", "/score", {"lead_id": 2**63})) == {"lead_id"}
    assert wrong_fields(site.call("POST", "/score/batch", {"leads": [{"lead_id": 2**63}]})) == {"leads.0.lead_id"}


def test_the_interface_is_described(site: Any) -> None:
    document = site.client.get("/openapi.json").json()
    assert set(document["paths"]) == {"/webhooks/{connection}", *(f"/api/v1{one.path}" for one in (*OPERATIONS, *STREAMS))}
    post = document["paths"]["/api/v1/leads"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/NewLead"}
    references = {text.partition('"')[0] for text in site.client.get("/openapi.json").text.split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])


# -- allocation


def test_a_lead_that_nobody_holds_is_decided_and_one_that_is_held_stays(site: Any, lead: int, reps: list[str]) -> None:
    held = site.call("POST", f"/leads/{lead}/allocate", role=Role.REP).json()
    assert (held["lead_id"], held["outcome"], held["rep_id"] in reps) == (lead, "assigned", True)
    with site.house.db.transaction():
        site.house.decisions.close(lead, site.house.clock.now(), "gone")
        site.house.leads.set_owner(lead, None)
    again = site.call("POST", f"/leads/{lead}/allocate").json()
    assert again["decision_id"] > held["decision_id"]
    for rep in reps:
        site.call("PATCH", f"/reps/{rep}", {"active": False})
    with site.house.db.transaction():
        site.house.decisions.close(lead, site.house.clock.now(), "gone")
        site.house.leads.set_owner(lead, None)
    waits = site.call("POST", f"/leads/{lead}/allocate").json()
    assert (waits["outcome"], waits["rep_id"]) == ("held", None)
    (row,) = site.call("GET", "/waiting").json()["waiting"]
    assert (row["lead_id"], row["team"]) == (lead, "sales")
    site.house.leads.settle(lead, Outcome.LOST, site.house.clock.now())
    assert "closed (lost)" in problem(site.call("POST", f"/leads/{lead}/allocate"), 409, "not-done")["detail"]
    problem(site.call("POST", "/leads/999/allocate"), 404, "not-found")


def test_nobody_claims_for_a_rep_who_is_not_active_nor_what_has_ended(site: Any, lead: int, reps: list[str]) -> None:
    with site.house.db.transaction():
        site.house.decisions.close(lead, site.house.clock.now(), "gone")
        site.house.leads.set_owner(lead, None)
    site.call("PATCH", f"/reps/{reps[0]}", {"active": False})
    refused = problem(site.call("POST", f"/leads/{lead}/claim", {"rep_id": reps[0]}), 409, "not-done")
    assert refused["detail"] == "Bo is not active."
    site.house.leads.settle(lead, Outcome.WON, site.house.clock.now())
    for call, body in (("claim", {"rep_id": reps[1]}), ("reassign", {"rep_id": reps[1], "reason": "x"})):
        assert "closed (won)" in problem(site.call("POST", f"/leads/{lead}/{call}", body), 409, "not-done")["detail"]


def test_many_leads_are_given_out_at_once(site: Any, reps: list[str]) -> None:
    for rep in reps:
        site.call("PATCH", f"/reps/{rep}", {"active": False})
    leads = []
    for number in range(4):
        body = {"external_id": f"f-{number}", "lead": {"email": f"p{number}@x.example", "campaign": "fair"}}
        leads.append(site.call("POST", "/leads", body).json()["id"])
    run_bells(site.house)
    for rep in reps:
        site.call("PATCH", f"/reps/{rep}", {"active": None})
    problem(site.call("POST", "/allocations", {"campaign": "fair"}, role=Role.REP), 403, "forbidden")
    assert wrong_fields(site.call("POST", "/allocations", {})) == {"(body)"}
    placed = site.call("POST", "/allocations", {"campaign": "fair"}).json()
    assert sorted(map(int, placed["given"])) == leads
    assert sorted(placed["given"].values()) == sorted(reps * 2)
    assert site.call("GET", "/waiting").json() == {"waiting": []}


def test_a_reps_calendar_is_imported(site: Any, reps: list[str]) -> None:
    event = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Vacation\r\nDTSTART;VALUE=DATE:20260310\r\nEND:VEVENT\r\n"
    ics = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}END:VCALENDAR\r\n"
    rep = site.call("PUT", f"/reps/{reps[0]}/calendar", {"ics": ics}).json()
    assert rep["settings"]["calendar"] == [["2026-03-10T00:00:00+00:00", "2026-03-11T00:00:00+00:00"]]
    problem(site.call("PUT", f"/reps/{reps[0]}/calendar", {"ics": "x"}), 422, "invalid")


def test_everything_a_person_may_set_for_a_rep(site: Any, reps: list[str]) -> None:
    body = {
        "per_day": 5, "timezone": "Europe/Vienna", "hours": {"mon-fri": "09:00-17:00"}, "languages": ["de"],
        "employees": [10, None], "postcodes": ["10-19"], "pto": [["2026-05-01T00:00:00Z", "2026-05-09T00:00:00Z"]], "team": "emea",
    }  # fmt: skip
    rep = site.call("PATCH", f"/reps/{reps[0]}", body).json()
    assert rep["settings"].items() >= {key: body[key] for key in body if key != "pto"}.items()
    assert rep["teams"] == ["emea"]
    assert wrong_fields(site.call("PATCH", f"/reps/{reps[0]}", {"weigth": 1})) == {"weigth"}
