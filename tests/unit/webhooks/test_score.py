"""The score routes: one lead, many, a file; whole answers, named mistakes, merged leads, and the page that describes them."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from connector.settings import LimitSettings
from connector.testing import run_bells
from leads.enums import EngagementKind, Outcome, Role
from leads.past import PastLook
from leads.records import EngagementEvent, RepRecord
from scoring.bundle import Bundle
from scoring.features import build
from scoring.training import train
from tests.unit.scoring.examples import make_past
from tests.unit.webhooks.test_api import LEAD, problem, wrong_fields

#: Every field that a score answer holds.
FIELDS = {
    "lead_id", "probability", "score", "tier", "priority", "confidence", "fit", "intent", "trend", "expected_value", "reasons",
    "top_positive", "top_negative", "members", "similar_leads", "next_step", "best_time", "would_lift", "ask_next", "model_version",
    "source", "note", "as_of", "latency_ms",
}  # fmt: skip
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(make_past(300), seed=5)


@pytest.fixture
def served(site: Any, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The site with a trained model."""
    monkeypatch.setattr(site.house.models, "champion", lambda: bundle)
    return site


@pytest.fixture
def lead(site: Any) -> int:
    site.house.reps.sync("crm", [RepRecord("o1", "bo@example.com", "Bo", True)])
    lead_id = int(site.call("POST", "/leads", LEAD, role=Role.INGEST).json()["id"])
    run_bells(site.house)
    return lead_id


def ask(site: Any, body: Any, path: str = "/score") -> Any:
    response = site.call("POST", path, body, role=Role.INGEST)
    assert response.status_code == 200, response.text
    return response.json()


def send_csv(site: Any, text: str | bytes, **headers: str) -> Any:
    site.call("GET", "/reps")
    content = text.encode() if isinstance(text, str) else text
    token = {"authorization": f"Bearer {site.tokens[Role.ADMIN]}"}
    return site.client.post("/api/v1/score/csv", content=content, headers={**token, **CSV, **headers})


def rows_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


# -- one


def test_scoring_without_storing(site: Any) -> None:
    lead = {"email": "ceo@example.com", "title": "CEO", "employees": 500}
    acts = [
        {"kind": "meeting_booked", "occurred_at": "2026-03-01T09:00:00Z"},
        {"kind": "email_clicked", "occurred_at": "2099-01-01T00:00:00Z"},
    ]
    cold = ask(site, {"lead": {"email": "x@example.com"}})
    hot = ask(site, {"lead": lead, "engagements": acts, "created_at": "2026-02-20T00:00:00Z"})
    assert hot["probability"] > cold["probability"]
    assert hot["source"] == "rules"
    assert hot["note"]
    assert hot["latency_ms"] >= 0
    assert site.house.leads.count() == 0


def test_an_answer_holds_every_field(served: Any) -> None:
    acts = [{"kind": "email_clicked", "occurred_at": "2026-03-01T09:00:00Z"}]
    body = {"lead": {"title": "Director of Sales", "email": "a@firm1.example.com"}, "engagements": acts, "extra": {"Plan": "Team"}}
    told = ask(served, {**body, "created_at": "2026-02-01T00:00:00Z"})
    assert set(told) == FIELDS
    assert told["source"] == "model"
    assert 0 <= told["probability"] <= 1
    assert told["score"] == round(100 * told["probability"])
    assert told["reasons"] == sorted(told["reasons"], key=lambda one: -abs(one["contribution"]))
    assert all(one["contribution"] > 0 for one in told["top_positive"])
    assert all(one["contribution"] < 0 for one in told["top_negative"])
    assert len(told["top_positive"]) + len(told["top_negative"]) == len(told["reasons"])
    assert sum(one["weight"] for one in told["members"]) == pytest.approx(1)
    assert told["trend"] > 0
    assert told["next_step"]["action"]
    assert told["best_time"]["start"] > told["as_of"]


def test_the_expected_value_is_that_of_the_deal_asked_for(served: Any) -> None:
    lead = {"title": "Director of Purchasing", "email": "deal@firm1.example.com"}
    small, large = (ask(served, {"lead": {**lead, "deal_amount": amount}}) for amount in (1_000, 50_000))
    assert small["expected_value"] == pytest.approx(1_000 * small["probability"], abs=0.005)
    assert large["expected_value"] == pytest.approx(50_000 * large["probability"], abs=0.005)
    assert ask(served, {"lead": lead})["expected_value"] is None


def test_who_left_no_number_is_not_to_be_called(served: Any) -> None:
    """Not even when a lead that is alike in all that the model reads was asked for before."""
    lead = {"title": "Head of Purchasing", "company": "Acme"}
    ask(served, {"lead": {**lead, "phone": "+4930123456"}})
    assert ask(served, {"lead": lead})["next_step"]["action"] == "ask"


def test_the_same_lead_asked_again_comes_from_the_cache(served: Any) -> None:
    body = {"lead": {"title": "Director of Sales"}}
    first, again = ask(served, body), ask(served, body)
    assert (first["source"], again["source"]) == ("model", "cache")
    assert again["probability"] == first["probability"]
    served.house.clock.move(301)
    assert ask(served, body)["source"] == "model"


def test_without_reasons_there_is_the_score_alone(served: Any) -> None:
    with_reasons = ask(served, {"lead": {"title": "Director of Sales"}})
    plain = ask(served, {"lead": {"title": "Director of Sales"}, "reasons": False})
    assert plain["probability"] == pytest.approx(with_reasons["probability"], abs=1e-9)
    assert (plain["reasons"], plain["fit"], plain["next_step"], plain["similar_leads"]) == ([], None, None, [])
    assert set(plain) == FIELDS


def test_similar_past_leads_are_told_with_their_outcome(served: Any, lead: int) -> None:
    house = served.house
    history = house.histories.at(lead, house.clock.now())
    with house.db.transaction():
        house.leads.settle(lead, Outcome.WON, house.clock.now())
    ended = house.clock.now()
    house.past_looks.replace(lead, [PastLook(lead, ended - timedelta(days=3), Outcome.WON, ended, build(history))])
    [near] = ask(served, {"lead": LEAD["lead"]})["similar_leads"]
    assert (near["lead_id"], near["outcome"], near["days_to_outcome"]) == (lead, "won", 3.0)
    assert 0 <= near["similarity"] <= 1


def test_scoring_a_stored_lead(site: Any, lead: int) -> None:
    stored = site.call("GET", f"/leads/{lead}").json()["score"]
    told = ask(site, {"lead_id": lead})
    assert told["probability"] == stored["probability"]
    assert told["lead_id"] == lead
    problem(site.call("POST", "/score", {"lead_id": 999}), 404, "not-found")
    assert wrong_fields(site.call("POST", "/score", {})) == {"(body)"}
    assert wrong_fields(site.call("POST", "/score", {"lead_id": 1, "lead": {}})) == {"(body)"}
    assert wrong_fields(site.call("POST", "/score", {"lead": {}, "engagements": [{"kind": "email_opened"}]})) == {
        "engagements.0.occurred_at"
    }


def test_a_merged_lead_is_answered_for_by_the_one_it_became(site: Any, lead: int) -> None:
    other = int(site.call("POST", "/leads", {"external_id": "x-2", "lead": {"email": "eve@example.com"}}).json()["id"])
    run_bells(site.house)
    with site.house.db.transaction():
        site.house.leads.merge(lead, other)
    told = ask(site, {"lead_id": other})
    assert told["lead_id"] == lead
    assert told["probability"] == ask(site, {"lead_id": lead})["probability"]
    assert ask(site, {"leads": [{"lead_id": other}]}, "/score/batch")["scores"][0]["lead_id"] == lead
    why = site.call("GET", f"/leads/{other}/why")
    assert why.status_code == 200
    assert why.json()["lead_id"] == lead


def test_an_erased_lead_is_not_scored(site: Any, lead: int) -> None:
    site.house.leads.erase(lead)
    problem(site.call("POST", "/score", {"lead_id": lead}), 404, "not-found")


# -- many


def test_a_batch_is_answered_in_order(served: Any, lead: int) -> None:
    leads = [{"lead": {"title": "Director of Sales"}}, {"lead_id": lead}, {"lead": {"title": "Sales Specialist"}}]
    told = ask(served, {"leads": leads}, "/score/batch")
    assert [one["lead_id"] for one in told["scores"]] == [None, lead, None]
    assert [one["probability"] for one in told["scores"]] == [ask(served, one)["probability"] for one in leads]
    assert all(set(one) == FIELDS for one in told["scores"])
    assert told["scores"][0]["reasons"]
    assert told["scores"][0]["next_step"] is None
    whole = ask(served, {"leads": leads, "whole": True}, "/score/batch")["scores"]
    assert all(one["next_step"] for one in whole)
    plain = ask(served, {"leads": leads, "reasons": False}, "/score/batch")["scores"]
    assert not any(one["reasons"] for one in plain)
    assert ask(served, {"leads": []}, "/score/batch")["scores"] == []


def test_every_wrong_lead_of_a_batch_is_named(site: Any) -> None:
    leads = [{"lead": {"employees": -1}}, {"lead": {}}, {"lead_id": 7, "lead": {}}, {"lead": {"shoe_size": 4}}]
    assert wrong_fields(site.call("POST", "/score/batch", {"leads": leads})) == {
        "leads.0.lead.employees",
        "leads.2",
        "leads.3.lead.shoe_size",
    }
    absent = {"leads": [{"lead": {}}, {"lead_id": 77}, {"lead_id": 78}]}
    assert wrong_fields(site.call("POST", "/score/batch", absent)) == {"leads.1.lead_id", "leads.2.lead_id"}
    assert wrong_fields(site.call("POST", "/score/batch", {"leads": [{"lead": {}}] * 5_001})) == {"leads"}


def test_a_batch_may_be_larger_than_other_bodies(site: Any) -> None:
    leads = [{"lead": {"message": "x" * 7_000}}] * 200
    assert len(ask(site, {"leads": leads, "reasons": False}, "/score/batch")["scores"]) == 200


# -- files


def test_a_file_comes_back_with_its_scores(served: Any) -> None:
    text = '﻿Title,Plan,Note,created_at\r\nDirector of Sales,Team,"two\nlines",2026-02-01\r\nSales Specialist,Free,=1+1,\r\n'
    first, second = rows_of(send_csv(served, text))
    assert (first["Title"], first["Note"], second["Note"]) == ("Director of Sales", "two\nlines", "'=1+1")
    assert float(first["leadswitch_probability"]) > float(second["leadswitch_probability"])
    assert first["leadswitch_tier"] in "ABCD"
    assert first["leadswitch_source"] == "model"
    assert first["leadswitch_raised_by"] == "likely decides on a purchase; Plan: Team"
    assert first["leadswitch_error"] == ""
    body = {"lead": {"title": "Director of Sales"}, "extra": {"Plan": "Team"}, "created_at": "2026-02-01T00:00:00Z"}
    assert float(first["leadswitch_probability"]) == pytest.approx(ask(served, body)["probability"], abs=1e-6)


def test_a_bad_row_says_why_and_stops_nothing(site: Any) -> None:
    text = 'email,employees,created_at\na@b.example,many,\nc@d.example,5\ne@f.example,5,someday\ng@h.example,"1,200",2026-01-01\n'
    rows = rows_of(send_csv(site, text))
    assert [row["leadswitch_error"] for row in rows] == [
        "employees is not a number",
        "fewer cells than headings",
        "created_at is not written as YYYY-MM-DD or ISO 8601",
        "",
    ]
    assert [bool(row["leadswitch_score"]) for row in rows] == [False, False, False, True]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no headings"),
        (b"\n\n", "no headings"),
        (b"email,email\n", "'email' stands twice"),
        (b"email\n\xff\xfe\n", "not UTF-8"),
        (b'email\n"open', "not CSV"),
        (b"email\n" + b"x" * 200_000, "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(site: Any, text: bytes, says: str) -> None:
    assert says in problem(send_csv(site, text), 422, "invalid")["detail"]


def test_the_line_ends_of_other_alphabets_are_no_line_ends(site: Any) -> None:
    rows = rows_of(send_csv(site, "email,Note\na@b.example,one two\x85three\x0bfour\n"))
    assert len(rows) == 1


def test_a_long_file_is_scored_whole(site: Any) -> None:
    text = "email,title\n" + "".join(f"a{number}@b.example,CEO\n" for number in range(1_200))
    rows = rows_of(send_csv(site, text))
    assert len(rows) == 1_200
    assert [row["email"] for row in rows[:2]] == ["a0@b.example", "a1@b.example"]
    assert all(row["leadswitch_score"] for row in rows)


def test_who_may_send_a_file(site: Any) -> None:
    problem(site.client.post("/api/v1/score/csv", content="email\n", headers=CSV), 401, "unauthorised")
    problem(
        site.client.post("/api/v1/score/csv", content="email\n", headers={**CSV, "authorization": "Bearer x"}), 401, "unauthorised"
    )
    problem(send_csv(site, "email\n", **{"content-type": "application/json"}), 415, "content-type")
    problem(site.call("GET", "/score/csv"), 405, "method")


def test_a_file_over_the_limit(site: Any) -> None:
    limits = LimitSettings(file_bytes=1_000)
    site.house.settings = site.house.settings.model_copy(update={"limits": limits})
    problem(send_csv(site, "email\n" + "a@b.example\n" * 500), 413, "too-large")


def test_answers_are_counted(site: Any) -> None:
    assert site.counted("leadswitch_score_answers_total", source="rules") == 0
    ask(site, {"lead": {}})
    ask(site, {"lead": {}})
    ask(site, {"leads": [{"lead": {}}] * 3}, "/score/batch")
    assert site.counted("leadswitch_score_answers_total", source="rules") == 4
    assert site.counted("leadswitch_score_answers_total", source="cache") == 1
    assert site.counted("leadswitch_score_too_slow_total") == 0


# -- what to ask


def test_a_form_is_told_what_to_ask_and_nothing_of_anybody(served: Any, bundle: Bundle, lead: int) -> None:
    told = served.call("GET", "/ask", role=Role.INGEST).json()
    assert told["model_version"] == bundle.version
    assert next(one["field"] for one in told["facts"]) == "title", "the past of these tests turns on it"
    gains = [one["gain"] for one in told["facts"]]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) > 0
    served.house.models.champion = lambda: None
    assert served.call("GET", "/ask", role=Role.INGEST).json()["model_version"] == "rules-1"


def test_the_answer_names_the_fact_to_ask_for_and_not_one_that_is_known(served: Any) -> None:
    assert ask(served, {"lead": {"email": "ada@firm.example"}})["ask_next"]["field"] == "title"
    assert ask(served, {"lead": {"email": "ada@firm.example", "title": "CEO"}})["ask_next"]["field"] != "title"
    assert ask(served, {"lead": {"email": "ada@firm.example"}, "reasons": False})["ask_next"] is None


def test_why_says_what_is_not_counted_and_what_to_ask(served: Any, lead: int) -> None:
    now = served.house.clock.now()
    views = [EngagementEvent(f"v{n}", EngagementKind.PAGE_VIEWED, now - timedelta(seconds=n), "ada@example.com") for n in range(50)]
    served.house.leads.add_engagements("crm", views, lead, live=True)
    why = served.call("GET", f"/leads/{lead}/why", role=Role.REP).json()
    assert why["set_aside"] == ["50 page views at once, more than a person manages"]
    assert why["ask_next"] == "What is your role?"


# -- the page


def test_the_page_describes_every_call_and_loads_nothing_from_elsewhere(site: Any) -> None:
    response = site.client.get("/docs")
    assert response.status_code == 200
    page = response.text
    document = site.client.get("/openapi.json").json()
    for path in document["paths"]:
        assert path in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "style=" not in page, "the content security policy allows none"
    style = site.client.get("/docs/style.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
