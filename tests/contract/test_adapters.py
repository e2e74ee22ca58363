"""What every adapter must do with what comes in. A new adapter is covered by adding its folder below tests/fixtures.

The folder holds `<event>__<case>.json` bodies, `<event>__<case>.expected.json` beside each (write it with
LEADSWITCH_TEST_WRITE_EXPECTED=1 and read it before you keep it), and `signing.py` with `connection()`, `sign()` and `WINDOW`.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import BadSignature, Configuration, Stale
from connector.ports import Receiver
from connector.registry import adapter, adapters
from leads.fields import CANONICAL
from leads.records import EngagementEvent, InboundEvent, LeadChange, UnrecognisedEvent

FIXTURES = Path(__file__).parent.parent / "fixtures"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAMES = sorted(adapters())
CASES = [
    pytest.param(name, path, id=f"{name}-{path.stem}")
    for name in NAMES
    for path in sorted((FIXTURES / name).glob("*__*.json"))
    if not path.name.endswith(".expected.json")
]


def load_hook(name: str, module: str = "signing") -> ModuleType:
    """A module of an adapter's fixture folder."""
    path = FIXTURES / name / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"fixtures_{name}_{module}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def plain(event: InboundEvent) -> dict[str, Any]:
    """An event as JSON, without its key and without what has its default value."""
    shown: dict[str, Any] = {"is": type(event).__name__}
    for one in fields(event):
        value = getattr(event, one.name)
        if one.name == "event_key" or value in (None, False, (), {}) or (isinstance(value, Mapping) and not value):
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Enum):
            value = value.value
        elif isinstance(value, tuple):
            value = list(value)
        shown[one.name] = value
    return shown


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def hook(name: str) -> ModuleType:
    return load_hook(name)


@pytest.fixture
def receiver(name: str, hook: ModuleType) -> Receiver:
    return adapter(name).receiver(hook.connection(), "https://hooks.example.com")


def bodies(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FIXTURES / name).glob("*__*.json")) if not path.name.endswith(".expected.json")]


def read(receiver: Receiver, hook: ModuleType, body: bytes) -> Sequence[InboundEvent]:
    return receiver.events(hook.sign(body, NOW))


def check_events(events: Sequence[InboundEvent]) -> None:
    """What holds for whatever an adapter reads."""
    for event in events:
        assert isinstance(event, LeadChange | EngagementEvent | UnrecognisedEvent)
        assert 0 < len(event.event_key) <= 120
        json.dumps(plain(event), allow_nan=False).encode()
        texts: list[object] = []
        if isinstance(event, LeadChange):
            assert event.external_id
            assert event.occurred_at.tzinfo is not None
            assert set(event.fields) <= CANONICAL
            texts = [*event.fields.values(), *event.extra.values(), event.external_id]
        elif isinstance(event, EngagementEvent):
            assert event.email or event.external_id
            assert event.occurred_at.tzinfo is not None
            texts = [*event.properties.values(), event.email, event.external_id, event.text]
        for text in texts:
            if isinstance(text, str):
                text.encode("utf-8")  # no lone surrogate: a database would refuse it
                assert "\x00" not in text


def test_fixtures_exist(name: str) -> None:
    assert bodies(name), f"tests/fixtures/{name} has no case"
    words = {path.name.partition("__")[0] for path in (FIXTURES / name).glob("*__*.json")}
    assert {"batch", "unknown", "broken"} <= words, "cases that every adapter needs"


def test_documented(name: str) -> None:
    folder = Path(__file__).parents[2] / "connector" / "adapters" / name
    assert (folder / "doc.md").read_text(encoding="utf-8").startswith(f"# {adapter(name).title}")
    assert (folder / "quality.toml").exists()


@pytest.mark.parametrize(("name", "path"), CASES)
def test_case(name: str, path: Path) -> None:
    hook = load_hook(name)
    receiver = adapter(name).receiver(hook.connection(), "https://hooks.example.com")
    delivery = hook.sign(path.read_bytes(), NOW)
    assert receiver.verify(delivery, NOW) in (True, False)
    events = receiver.events(delivery)
    check_events(events)
    keys: dict[str, int] = {}
    shown = [{"key": keys.setdefault(event.event_key, len(keys)), **plain(event)} for event in events]
    expected = path.with_suffix(".expected.json")
    if os.environ.get("LEADSWITCH_TEST_WRITE_EXPECTED"):
        expected.write_text(json.dumps(shown, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert shown == json.loads(expected.read_text(encoding="utf-8"))


def test_every_live_secret_verifies(receiver: Receiver, hook: ModuleType) -> None:
    for number in (0, 1):
        receiver.verify(hook.sign(b"[]", NOW, secret_number=number), NOW)


def test_forged_is_refused(name: str, receiver: Receiver, hook: ModuleType) -> None:
    body = bodies(name)[0]
    if not receiver.verify(hook.sign(body, NOW), NOW):
        pytest.skip("an unsigned source")
    with pytest.raises(BadSignature):
        receiver.verify(hook.sign(body, NOW, forged=True), NOW)
    signed = hook.sign(body, NOW)
    with pytest.raises(BadSignature):
        receiver.verify(replace(signed, body=body + b" "), NOW)
    with pytest.raises(BadSignature):
        receiver.verify(replace(signed, body=body[:-1]), NOW)
    with pytest.raises(BadSignature):
        receiver.verify(replace(signed, headers={}), NOW)
    for header in signed.headers:
        for broken in ("", "\u00e9\u4e2d", "=", "1e5", "-1", "9" * 400, "\u0661\u0662"):
            changed = replace(signed, headers={**signed.headers, header: broken})
            try:
                receiver.verify(changed, NOW)
            except BadSignature:
                continue
            except Stale:
                pytest.fail("a header that is not what was signed is forged, not stale")
            assert header not in _signature_headers(receiver, signed), f"{header} may be anything"


def _signature_headers(receiver: Receiver, signed: Any) -> set[str]:
    """The headers without which a delivery is refused."""
    needed = set()
    for header in signed.headers:
        try:
            receiver.verify(replace(signed, headers={k: v for k, v in signed.headers.items() if k != header}), NOW)
        except BadSignature:
            needed.add(header)
    return needed


def test_replay_window(receiver: Receiver, hook: ModuleType) -> None:
    if hook.WINDOW is None:
        pytest.skip("the vendor signs no time")
    delivery = hook.sign(b"[]", NOW)
    receiver.verify(delivery, NOW + hook.WINDOW)
    receiver.verify(delivery, NOW - hook.WINDOW)
    for age in (hook.WINDOW + timedelta(seconds=1), -hook.WINDOW - timedelta(seconds=1)):
        with pytest.raises(Stale):
            receiver.verify(delivery, NOW + age)


def test_needs_a_secret(name: str, hook: ModuleType) -> None:
    if not hook.connection().webhook_secrets:
        pytest.skip("an unsigned source")
    without = hook.connection().model_copy(update={"webhook_secrets": ()})
    with pytest.raises(Configuration, match="webhook_secrets"):
        adapter(name).receiver(without, "https://hooks.example.com")


def test_delivery_key(name: str, receiver: Receiver, hook: ModuleType) -> None:
    """Equal for the same bytes, whenever they are signed; different for others."""
    later = NOW + timedelta(seconds=40)
    keys = {body: receiver.delivery_key(hook.sign(body, NOW)) for body in bodies(name)}
    assert len(set(keys.values())) == len(keys)
    for body, key in keys.items():
        assert 0 < len(key) <= 64
        assert receiver.delivery_key(hook.sign(body, later, secret_number=1)) == key


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[null]", id="list of null"),
        pytest.param(b"12", id="number"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b"\xff\xfe\x00[", id="invalid UTF-8"),
        pytest.param(b'[{"a": NaN}]', id="NaN"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, id="deep object"),
        pytest.param(b"[" + b"9" * 5_000 + b"]", id="endless number"),
        pytest.param(b"<xml/>", id="xml"),
        pytest.param(b"a=b&c=d", id="form"),
    ],
)
def test_strange_bodies_are_kept(receiver: Receiver, hook: ModuleType, body: bytes) -> None:
    events = read(receiver, hook, body)
    check_events(events)
    assert len(events) == 1
    assert isinstance(events[0], UnrecognisedEvent)
    assert read(receiver, hook, body)[0].event_key == events[0].event_key


def test_empty_batch(receiver: Receiver, hook: ModuleType) -> None:
    assert list(read(receiver, hook, b"[]")) == []


def test_truncated_anywhere(name: str, receiver: Receiver, hook: ModuleType) -> None:
    for body in bodies(name):
        for cut in range(1, len(body.rstrip()), max(1, len(body) // 40)):
            check_events(read(receiver, hook, body[:cut]))


def test_oversized(name: str, receiver: Receiver, hook: ModuleType) -> None:
    """The web server refuses more than `max_body_bytes`; up to that the adapter reads whatever comes."""
    most = adapter(name).max_body_bytes
    assert 65_536 <= most <= 16_777_216
    entry = json.loads(bodies(name)[0])[0]
    filler = json.dumps([entry]).encode()[:-1]
    body = filler + b"," + b" " * (most - len(filler) - 6) + b"null]"
    events = read(receiver, hook, body)
    check_events(events)
    assert isinstance(events[-1], UnrecognisedEvent)
    assert len(events) == 2


def test_one_bad_event_stops_nothing(name: str, receiver: Receiver, hook: ModuleType) -> None:
    for body in bodies(name):
        entries = json.loads(body)
        if not isinstance(entries, list):
            continue
        alone = read(receiver, hook, body)
        mixed = read(receiver, hook, json.dumps([None, *entries, {"what": "is this"}]).encode())
        assert list(mixed[1:-1]) == list(alone)
        assert isinstance(mixed[0], UnrecognisedEvent)
        assert isinstance(mixed[-1], UnrecognisedEvent)


def test_keys_do_not_depend_on_the_batch(name: str, receiver: Receiver, hook: ModuleType) -> None:
    """The same event in another batch, in another place or with its members in another order has the same key."""
    for body in bodies(name):
        entries = json.loads(body)
        if not isinstance(entries, list):
            continue
        keys = [event.event_key for event in read(receiver, hook, body)]
        turned = [dict(reversed(list(entry.items()))) if isinstance(entry, dict) else entry for entry in reversed(entries)]
        assert [event.event_key for event in read(receiver, hook, json.dumps(turned).encode())] == keys[::-1]


def test_echo_is_recognised(name: str, receiver: Receiver, hook: ModuleType) -> None:
    if adapter(name).kind != "crm":
        pytest.skip("not a CRM: nothing is written to it")
    events = [event for path in (FIXTURES / name).glob("*__echo.json") for event in read(receiver, hook, path.read_bytes())]
    origins = [event.origin.value for event in events if isinstance(event, LeadChange)]
    assert "ourselves" in origins
    assert set(origins) != {"ourselves"}, "the case also needs changes that are not ours"


def test_handshake_and_acknowledgement(receiver: Receiver, hook: ModuleType) -> None:
    delivery = hook.sign(b"[]", NOW)
    assert receiver.handshake(delivery) is None
    assert 200 <= receiver.acknowledgement(delivery).status < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(choice=st.data())
def test_any_value_anywhere(name: str, choice: st.DataObject) -> None:
    """Any JSON value in the place of any member of any known event: read, or kept as unrecognised, never an exception."""
    hook = load_hook(name)
    receiver = adapter(name).receiver(hook.connection(), "https://hooks.example.com")
    entries = [
        entry for body in bodies(name) for entry in [json.loads(body)] for entry in (entry if isinstance(entry, list) else [entry])
    ]
    entry = choice.draw(st.sampled_from([entry for entry in entries if isinstance(entry, dict) and entry]))
    member = choice.draw(st.sampled_from(sorted(entry)))
    changed = {**entry, member: choice.draw(json_values)}
    check_events(read(receiver, hook, json.dumps([changed]).encode()))
