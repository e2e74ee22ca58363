"""Each source's first fixture the whole way: received, stored, read, and somebody known by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connector.contract import NOW, case_paths, load_hook
from connector.pipeline.ingest import ingest
from connector.registry import adapters
from connector.testing import StandingClock
from connector.testing import house as build_house
from webhooks.app import create_app

FIXTURES = Path(__file__).parents[2] / "fixtures"
SOURCES = sorted(name for name, one in adapters().items() if one.kind != "crm")
#: What makes a lead that is to be routed at once: somebody asked, booked or wrote.
ASKING = {"calendly", "google_leads", "linkedin_leads", "meta_leads", "web_form", "whatsapp", "cloudevents"}


@pytest.mark.parametrize("name", SOURCES)
def test_the_whole_way(tmp_path: Path, name: str) -> None:
    hook = load_hook(FIXTURES / name)
    paths = [
        path
        for path in case_paths(FIXTURES / name)
        if not path.name.startswith(("unknown", "broken", "cancelled", "campaign", "visit__clock"))
    ]
    delivery = hook.sign(next((path for path in paths if path.name.startswith("batch")), paths[0]).read_bytes(), NOW)
    connection = hook.connection()
    house = build_house(
        tmp_path, clock=StandingClock(NOW), public_url="https://hooks.example.com", connections={connection.name: connection}
    )
    with TestClient(create_app(house)) as client:
        url = delivery.url.removeprefix("https://hooks.example.com")
        first = client.post(url, content=delivery.body, headers=dict(delivery.headers), follow_redirects=False)
        again = client.post(url, content=delivery.body, headers=dict(delivery.headers), follow_redirects=False)
    assert (first.status_code < 300, again.status_code) == (True, first.status_code), first.text
    [row] = house.inbox.newest()
    touched = ingest(house, [row.id])
    assert touched, "nobody is known by it"
    [after] = house.inbox.newest()
    assert after.state in ("done", "unknown")
    leads = [lead for lead_id in touched if (lead := house.leads.get(lead_id)) is not None]
    assert any(lead.fields.get("email") or lead.fields.get("phone") for lead in leads)
    if name in ASKING:
        assert any(lead.routable for lead in leads)
    assert ingest(house, [row.id]) == set(), "a second time changes nothing"
    house.close()
