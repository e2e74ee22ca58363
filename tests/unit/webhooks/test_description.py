"""The API held to its own description: whatever fits `/openapi.json`, or just does not, is answered as it says and never by a 5xx.

schemathesis makes the requests out of the description, the same ones in every run; the application answers them in this process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from starlette.testclient import TestClient

from connector.contract import NOW, load_hook
from connector.registry import adapters
from connector.testing import StandingClock, run_bells
from connector.testing import house as build_house
from leads.enums import Role
from leads.records import RepRecord
from webhooks.api.openapi import describe
from webhooks.api.operations import OPERATIONS, STREAMS
from webhooks.app import create_app

FIXTURES = Path(__file__).parents[2] / "fixtures"
DOCUMENT = describe(OPERATIONS, STREAMS)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CALLS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = {mode: mode.value for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)}
#: Requests of each kind to each call: what is tried grows with the number of calls.
EXAMPLES = 15
PHASES = (Phase.explicit, Phase.generate)  # a failure is told as it came: making it smaller takes minutes
#: Each rung of the ladder, and a stranger.
ROLES = (None, Role.INGEST, Role.REP, Role.MANAGER, Role.ADMIN)
#: Ids that are there, among the strange ones that are made up.
IDS = st.none() | st.sampled_from(["1", "2"])
NAMES = sorted(adapters())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
BODIES = st.binary(max_size=300) | DOCUMENTS.map(lambda document: json.dumps(document).encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[Role, str]]]:
    """A client of a house with every connection, two reps and a lead that was scored and routed; and a token of each role."""
    connections: dict[str, Any] = {}
    for name in NAMES:
        given_settings = load_hook(FIXTURES / name).connection()
        connections[name] = given_settings.model_copy(update={"name": name, "requests_per_minute": 0})
    house = build_house(
        tmp_path_factory.mktemp("description"),
        clock=StandingClock(NOW),
        connections=connections,
        limits={"requests_per_minute": 1_000_000},
    )
    house.reps.sync("crm", [RepRecord("o1", "bo@example.com", "Bo", True), RepRecord("o2", "cy@example.com", "Cy", True)])
    tokens = {role: house.tokens.create(role.value, role)[0] for role in ROLES if role is not None}
    with TestClient(create_app(house), raise_server_exceptions=False) as client:
        lead = {"external_id": "x-1", "lead": {"email": "ada@example.com", "company": "Analytical"}}
        answer = client.post("/api/v1/leads", json=lead, headers={"authorization": f"Bearer {tokens[Role.ADMIN]}"})
        assert answer.status_code == 201, answer.text
        run_bells(house)
        yield client, tokens
    house.close()


def modes(path: str) -> list[GenerationMode]:
    """A mailbox takes whatever comes: nothing can be wrong by its description."""
    return [mode for mode in MODES if mode is GenerationMode.POSITIVE or not path.startswith("/webhooks/")]


@pytest.mark.parametrize(("path", "method", "mode"), [(*call, mode) for call in CALLS for mode in modes(call[0])])
def test_every_answer_is_as_described(
    site: tuple[TestClient, dict[Role, str]], path: str, method: str, mode: GenerationMode
) -> None:
    client, tokens = site
    operation = SCHEMA[path][method]
    cases = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=PHASES,
    )
    @given(data=st.data(), case=cases, role=st.sampled_from(ROLES))
    def hold(data: DataObject, case: schemathesis.Case, role: Role | None) -> None:
        if "{id}" in path and (there := data.draw(IDS)):
            case.path_parameters = {"id": there}
        if "{connection}" in path:
            case.path_parameters = {"connection": data.draw(st.sampled_from(NAMES))}
        if role is not None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {tokens[role]}"}
        request = case.as_transport_kwargs(base_url="http://testserver")
        request.pop("cookies")
        if "{connection}" in path:  # whose body is anything: bytes that need no guessing how the client would send them
            request = {name: request[name] for name in ("method", "url", "headers")} | {"content": data.draw(BODIES)}
        elif "data" in request:
            request["content"] = request.pop("data")
        case.validate_response(client.request(**request), checks=CHECKS)

    hold()
