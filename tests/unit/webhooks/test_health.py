"""`/healthz`, `/readyz`, `/metrics`, and what stands before every route."""

from __future__ import annotations

from typing import Any

import pytest

from connector.pipeline.ingest import ingest
from leads.enums import EffectKind
from webhooks.limits import KEPT, Buckets


def test_alive(site: Any) -> None:
    assert site.client.get("/healthz").json() == {"status": "ok"}


def test_ready_says_what_fails(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(site.house.queue), "reachable", lambda self: True)
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]) == (200, {"database": "ok", "broker": "ok", "writer": "ok"})
    monkeypatch.setattr(type(site.house.queue), "reachable", lambda self: False)
    response = site.client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "failing"
    assert response.json()["parts"]["broker"] == "the broker does not answer"


def test_not_ready_before_the_migrations(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(site.house.db), "pending_migrations", lambda self: ["0002_next"])
    assert "migrate" in site.client.get("/readyz").json()["parts"]["database"]


def test_the_census_is_on_the_metrics_page(site: Any) -> None:
    house = site.house
    site.deliver(b"[]")
    house.clock.move(60)
    with house.db.transaction():
        house.effects.add(EffectKind.SLACK_CARD, "slack", "card:1", 1)
        house.effects.add(EffectKind.CRM_LEAD, "crm", "lead:1", 1)
        house.effects.add(EffectKind.CRM_LEAD, "crm", "lead:2", 2)
        house.deadletters.add("effect", 1, "crm", "refused")
    house.clock.move(5)
    assert site.counted("leadswitch_inbox_pending") == 1
    assert site.counted("leadswitch_stage_age_seconds", stage="ingest") == 65
    assert site.counted("leadswitch_effects_pending", destination="crm") == 2
    assert site.counted("leadswitch_delivery_age_seconds", destination="slack") == 5
    assert site.counted("leadswitch_dead_letters", queue="crm") == 1
    assert site.counted("leadswitch_intake_batch_rows_count") == 1
    assert site.counted("leadswitch_intake_seconds_count", connection="crm") == 1
    ingest(house, [1])
    assert site.counted("leadswitch_inbox_pending") == 0


def test_metrics_without_a_database(site: Any) -> None:
    assert site.counted("leadswitch_database_up") == 1
    site.deliver(b"[]")
    with site.house.db.transaction():
        site.house.db.raw.execute_sql("DROP TABLE effect")
    page = site.client.get("/metrics")
    assert page.status_code == 200
    assert site.counted("leadswitch_database_up") == 0
    assert site.counted("leadswitch_deliveries_received_total", connection="crm") == 1


def test_scores_and_decisions_are_counted(site: Any) -> None:
    from connector.testing import run_bells

    site.call("POST", "/leads", {"external_id": "x"})
    run_bells(site.house)
    assert site.counted("leadswitch_scores_total") == 1
    assert site.counted("leadswitch_decisions_total") == 1


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/v1/reps", "/nowhere", "/webhooks/nobody"])
def test_every_answer_has_an_id_and_forbids_sniffing(site: Any, path: str) -> None:
    response = site.client.get(path)
    assert len(response.headers["x-request-id"]) >= 16
    assert response.headers["x-content-type-options"] == "nosniff"
    if not path.startswith("/webhooks/"):
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"


def test_a_route_that_breaks_is_a_problem_without_details(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(site.house.reps), "all", broken)
    response = site.call("GET", "/reps")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


def test_there_is_no_slack_route_without_slack(site: Any) -> None:
    assert site.client.post("/slack/events").status_code == 404


def test_a_bucket_refills() -> None:
    now = [0.0]
    buckets = Buckets(per_minute=60, burst=2, monotonic=lambda: now[0])
    assert [buckets.take("a"), buckets.take("a")] == [0, 0]
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0
    now[0] = 1.0
    assert buckets.take("a") == 0
    now[0] = 100.0
    assert [buckets.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_forgotten_buckets_are_bounded() -> None:
    buckets = Buckets(per_minute=1, burst=1, monotonic=lambda: 0.0)
    for number in range(KEPT + 1):
        assert buckets.take(str(number)) == 0
    assert buckets.take(str(KEPT)) > 0
    assert buckets.take("0") == 0  # the oldest was forgotten
