"""The live layer on a real Redis: its script, its hour, and evaluating with it, with it emptied, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from connector.live import LIFE_S, LiveLayer
from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind
from scoring.live import LIVE
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk

PREFIX = "test-live-layer:"
pytestmark = pytest.mark.needs_redis
KINDS = (EngagementKind.EMAIL_OPENED, EngagementKind.EMAIL_CLICKED, EngagementKind.EMAIL_DELIVERED, EngagementKind.EMAIL_OPENED)


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    for key in client.scan_iter(f"{PREFIX}*"):
        client.delete(key)
    client.close()


def play(folder: Path, layer: LiveLayer | None, server: redis.Redis | None = None) -> tuple[list[object], Desk]:
    """A lead and its acts, each evaluated as it comes; the features of every score. `server` is emptied now and then."""
    desk = open_desk(folder)
    if layer is not None:
        desk.house.__dict__["live"] = layer
    desk.tell(CRM, change("1", kind=ChangeKind.CREATED, email="a@acme.example"))
    desk.run()
    told: list[object] = []
    for place in range(12):
        desk.clock.move(7 * 3600)
        late = desk.clock.now() - timedelta(hours=3 * (place % 4), minutes=place)
        desk.tell(MAIL, act("a@acme.example", at=late, kind=KINDS[place % 4], machine=place == 7))
        if server is not None and place % 5 == 4:
            for key in server.scan_iter(f"{PREFIX}*"):
                server.delete(key)
        desk.run()
        newest = desk.house.scores.newest(desk.lead("1"))
        assert newest is not None
        told.append((newest.version, newest.score.raw, dict(newest.score.features)))
    return told, desk


def test_evaluating_gives_the_same_with_redis_with_it_emptied_and_without_it(tmp_path: Path, server: redis.Redis) -> None:
    live = LiveLayer(server, PREFIX, worth_asking=0)
    with_redis, desk = play(tmp_path / "with", live)
    lead = desk.house.stages.get(desk.lead("1"))
    assert lead is not None
    found = live.look(lead.lead_id, lead.version, desk.clock.now())
    assert found is not None
    assert set(found) == set(LIVE)
    assert 0 < server.ttl(f"{PREFIX}{lead.lead_id}") <= LIFE_S
    desk.house.close()
    server.delete(f"{PREFIX}{lead.lead_id}")
    emptied, other = play(tmp_path / "emptied", live, server)
    other.house.close()
    away, third = play(tmp_path / "away", LiveLayer.at("redis://127.0.0.1:1/0"))
    assert third.house.live.fallbacks > 0
    third.house.close()
    assert with_redis == emptied == away
    assert desk.clock.now() > NOON


def test_the_script_counts_a_late_act_in_its_own_hour_and_only_for_its_version(tmp_path: Path, server: redis.Redis) -> None:
    live = LiveLayer(server, PREFIX, worth_asking=0)
    desk = open_desk(tmp_path)
    desk.tell(CRM, change("1", kind=ChangeKind.CREATED, email="a@acme.example"))
    history = desk.house.histories.at(desk.lead("1"), NOON)
    assert history is not None
    live.build(3, history)
    live.record(history.lead_id, 4, act("a@acme.example", at=NOON - timedelta(days=8)))
    live.record(history.lead_id, 9, act("a@acme.example", at=NOON))
    found = live.look(history.lead_id, 4, NOON)
    assert found is not None
    assert (found["clicks_7d"], found["clicks_30d"]) == (0, 1)
    assert live.look(history.lead_id, 9, NOON) is None
    desk.house.close()
