"""Every feature of the catalogue differs between the leads of the demo's history, read as the product reads it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from starlette.testclient import TestClient

from connector import testing
from connector.adapters.hubspot.backfill import ContactReader
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.feeds import FeedReader
from connector.pipeline.backfill import take_page
from connector.sandbox.hubspot.service import Options, build
from connector.sandbox.world.market import write_market
from leads.enums import Outcome
from leads.records import FieldValue
from scoring.catalogue import CATALOGUE
from scoring.features import build as build_features
from scoring.features import read
from scoring.landmarks import look_moments
from scoring.learning import learn


class Calls:
    """HubSpot's calls, answered by the stand-in in this process."""

    def __init__(self, crm: TestClient) -> None:
        self._crm = crm

    def path(self, area: str, rest: str = "") -> str:
        return f"/crm/v3/{area}/{rest}"

    def call(self, method: str, path: str, *, params: Any = None, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._crm.request(method, path, params=params, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_every_feature_varies_in_the_demos_history(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(time.time(), UTC)
    write_market(tmp_path / "market.csv", 7, now)
    clock = testing.StandingClock(now)
    house = testing.house(tmp_path, clock=clock, feeds={"market": {"file": str(tmp_path / "market.csv")}})
    assert FeedReader(house).turn() > 1_000
    with TestClient(build(Options(token="t", history=500, limit=0))) as crm:
        crm.headers["authorization"] = "Bearer t"
        calls = cast(HubSpotCalls, Calls(crm))
        for page in ContactReader(calls, calls, (), None).all(None):
            take_page(house, "hubspot-main", page, live=False)
    ended = house.histories.outcomes()
    assert len(ended) > 300
    histories, labels = [], []
    for lead_id, created, outcome, at in ended:
        looks = house.histories.at_each(lead_id, look_moments(created, at))
        histories += looks
        labels += [float(outcome is Outcome.WON)] * len(looks)
    house.close()
    keys = read(histories)[1]
    learned = learn(keys, np.array(labels), np.ones(len(labels)), [history.lead_id for history in histories])
    values: dict[str, set[FieldValue]] = defaultdict(set)
    for history in histories:
        for name, value in build_features(history, learned).items():
            values[name].add(value)
    assert [name for name in CATALOGUE if len(values[name] - {None}) < 1 or len(values[name]) < 2] == []
