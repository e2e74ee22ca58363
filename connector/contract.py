"""What every adapter must do with what comes in: one test suite for ours and for other people's. It needs pytest and hypothesis.

In the tests of your own package:

    class TestAcme(AdapterContract):
        adapter = ADAPTER
        fixtures = Path(__file__).parent / "fixtures"

The folder `fixtures` holds bodies `<event>__<case>.json` (or `.txt`, when they are no JSON), beside each what is to be read in it,
`<event>__<case>.expected.json` (with `write_expected` set, `test_case` writes these), and `signing.py` with

- `connection()`: the settings of a connection with two live secrets,
- `sign(body, at, secret_number=0, forged=False)`: a `Delivery` as the vendor would send it,
- `WINDOW`: how old a delivery may be, as a timedelta, or None when the vendor signs no time,
- and where it holds: `ONE_AT_A_TIME` (a body holds one event, never a list), `SIGNED_BODY` (the signature is in the body: what
  cannot be read cannot be signed either), `SIGNED_URL` (it is in the query), `SHARED_SECRET` (the vendor does not sign; a secret
  comes with the request).
"""

# ruff: noqa: S101 - a test suite asserts
from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import BadSignature, Configuration, Stale
from connector.ports import Adapter, Receiver
from leads.fields import CANONICAL
from leads.records import EngagementEvent, InboundEvent, LeadChange, UnrecognisedEvent

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PUBLIC_URL: Final = "https://hooks.example.com"
#: Bodies that no vendor sends on purpose.
STRANGE: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "null": b"null",
    "list of null": b"[null]",
    "number": b"12",
    "text": b'"text"',
    "empty object": b"{}",
    "invalid UTF-8": b"\xff\xfe\x00[",
    "NaN": b'[{"a": NaN}]',
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "endless number": b"[" + b"9" * 5_000 + b"]",
    "xml": b"<xml/>",
    "form": b"a=b&c=d",
}
#: What stands in a signature header of somebody who tries.
BROKEN_HEADERS: Final = ("", "\u00e9\u4e2d", "=", "1e5", "-1", "9" * 400, "\u0661\u0662")


@cache
def load_hook(folder: Path) -> ModuleType:
    """The module `signing.py` of a fixture folder."""
    spec = importlib.util.spec_from_file_location(f"signing_{folder.name}", folder / "signing.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder / "signing.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def case_paths(folder: Path) -> list[Path]:
    """The bodies of a fixture folder."""
    return sorted(path for path in folder.glob("*__*") if path.suffix in (".json", ".txt") and ".expected." not in path.name)


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


def check_events(events: Sequence[InboundEvent]) -> None:
    """What holds for whatever an adapter reads."""
    for event in events:
        assert isinstance(event, LeadChange | EngagementEvent | UnrecognisedEvent)
        assert 0 < len(event.event_key) <= 120
        json.dumps(plain(event), allow_nan=False).encode()
        texts: list[object] = []
        if isinstance(event, LeadChange):
            assert event.external_id or event.fields.get("email") or event.fields.get("phone")
            assert event.occurred_at.tzinfo is not None
            assert set(event.fields) <= CANONICAL
            texts = [*event.fields.values(), *event.extra.values(), event.external_id]
        elif isinstance(event, EngagementEvent):
            assert event.email or event.phone or event.external_id
            assert event.occurred_at.tzinfo is not None
            texts = [*event.properties.values(), event.email, event.external_id, event.phone, event.text]
        for text in texts:
            if isinstance(text, str):
                text.encode("utf-8")  # no lone surrogate: a database would refuse it
                assert "\x00" not in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield (*at, name)
        yield from places(one, (*at, name))


def _json_or_none(body: bytes) -> Any:
    """The document of a body; None of one in another language, which a vendor may send beside JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with `new` at that path."""
    if not at:
        return new
    if isinstance(value, dict):
        return {name: put(one, at[1:], new) if name == at[0] else one for name, one in value.items()}
    return [put(one, at[1:], new) if number == at[0] else one for number, one in enumerate(value)]


class AdapterContract:
    """The suite. `adapter` is the one under test, `fixtures` its folder."""

    adapter: ClassVar[Any]  # an Adapter; Any, because a frozen dataclass may implement it
    fixtures: ClassVar[Path]
    write_expected: ClassVar[bool] = False  # write down what is read instead of comparing: read it before you keep it

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test a fixture and a strange body."""
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", [pytest.param(path, id=path.name) for path in case_paths(self.fixtures)])
        if "strange" in metafunc.fixturenames:
            metafunc.parametrize("strange", [pytest.param(body, id=name) for name, body in STRANGE.items()])

    @property
    def hook(self) -> Any:
        """The module `signing.py`."""
        return load_hook(self.fixtures)

    @property
    def one_at_a_time(self) -> bool:
        return bool(getattr(self.hook, "ONE_AT_A_TIME", False))

    @property
    def signed_body(self) -> bool:
        return bool(getattr(self.hook, "SIGNED_BODY", False))

    @property
    def shared_secret(self) -> bool:
        return bool(getattr(self.hook, "SHARED_SECRET", False))

    def receiver(self) -> Receiver:
        """A fresh receiver of the connection."""
        made: Adapter = self.adapter
        return made.receiver(self.hook.connection(), PUBLIC_URL)

    def bodies(self) -> list[bytes]:
        """Every fixture's body."""
        return [path.read_bytes() for path in case_paths(self.fixtures)]

    def batches(self) -> list[list[Any]]:
        """The fixtures whose body is a list of entries."""
        if self.one_at_a_time:
            pytest.skip("a body holds one event")
        return [entries for body in self.bodies() if isinstance(entries := _json_or_none(body), list)]

    def read(self, body: bytes) -> Sequence[InboundEvent]:
        """What the adapter reads in a rightly signed body."""
        return self.receiver().events(self.hook.sign(body, NOW))

    # --- the folder

    def test_fixtures_exist(self) -> None:
        words = {path.name.partition("__")[0] for path in case_paths(self.fixtures)}
        needed = {"unknown", "broken"} if self.one_at_a_time else {"batch", "unknown", "broken"}
        assert needed <= words, "cases that every adapter needs"

    def test_documented(self) -> None:
        module = inspect.getmodule(type(self.adapter) if not hasattr(self.adapter, "build") else self.adapter.build)
        assert module is not None
        assert module.__file__ is not None
        folder = Path(module.__file__).parent
        assert (folder / "doc.md").read_text(encoding="utf-8").startswith(f"# {self.adapter.title}")
        assert (folder / "quality.toml").exists()

    def test_case(self, case: Path) -> None:
        delivery = self.hook.sign(case.read_bytes(), NOW)
        assert self.receiver().verify(delivery, NOW) in (True, False)
        events = self.receiver().events(delivery)
        check_events(events)
        keys: dict[str, int] = {}
        shown = [{"key": keys.setdefault(event.event_key, len(keys)), **plain(event)} for event in events]
        expected = case.with_suffix(".expected.json")
        if self.write_expected:
            expected.write_text(json.dumps(shown, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        assert shown == json.loads(expected.read_text(encoding="utf-8"))

    # --- who sent it

    def test_every_live_secret_verifies(self) -> None:
        for number in (0, 1):
            self.receiver().verify(self.hook.sign(self.bodies()[0], NOW, secret_number=number), NOW)

    def test_forged_is_refused(self) -> None:
        receiver, body = self.receiver(), self.bodies()[0]
        with pytest.raises(BadSignature):
            receiver.verify(self.hook.sign(body, NOW, forged=True), NOW)
        signed = self.hook.sign(body, NOW)
        if self.shared_secret:
            assert receiver.verify(signed, NOW) is False, "what is not signed must be marked so"
            return
        assert receiver.verify(signed, NOW) is True
        self._check_changed_bodies(receiver, signed)
        if not (self.signed_body or getattr(self.hook, "SIGNED_URL", False)):
            self._check_changed_headers(receiver, signed)

    def _check_changed_bodies(self, receiver: Receiver, signed: Any) -> None:
        for changed in (b"", signed.body[:-1], *([] if self.signed_body else [signed.body + b" "])):
            with pytest.raises(BadSignature):
                receiver.verify(replace(signed, body=changed), NOW)

    def _check_changed_headers(self, receiver: Receiver, signed: Any) -> None:
        with pytest.raises(BadSignature):
            receiver.verify(replace(signed, headers={}), NOW)
        for header in signed.headers:
            for broken in BROKEN_HEADERS:
                try:
                    receiver.verify(replace(signed, headers={**signed.headers, header: broken}), NOW)
                except BadSignature:
                    continue
                except Stale:
                    pytest.fail("a header that is not what was signed is forged, not stale")
                assert header not in self._signature_headers(receiver, signed), f"{header} may be anything"

    def _signature_headers(self, receiver: Receiver, signed: Any) -> set[str]:
        """The headers without which a delivery is refused."""
        needed = set()
        for header in signed.headers:
            try:
                receiver.verify(replace(signed, headers={k: v for k, v in signed.headers.items() if k != header}), NOW)
            except BadSignature:
                needed.add(header)
        return needed

    def test_replay_window(self) -> None:
        if self.hook.WINDOW is None:
            pytest.skip("the vendor signs no time")
        receiver, delivery = self.receiver(), self.hook.sign(self.bodies()[0], NOW)
        receiver.verify(delivery, NOW + self.hook.WINDOW)
        receiver.verify(delivery, NOW - self.hook.WINDOW)
        for age in (self.hook.WINDOW + timedelta(seconds=1), -self.hook.WINDOW - timedelta(seconds=1)):
            with pytest.raises(Stale):
                receiver.verify(delivery, NOW + age)

    def test_needs_a_secret(self) -> None:
        connection = self.hook.connection()
        if not connection.webhook_secrets:
            pytest.skip("no secrets of ours")
        with pytest.raises(Configuration, match="webhook_secrets"):
            self.adapter.receiver(connection.model_copy(update={"webhook_secrets": ()}), PUBLIC_URL)

    # --- what it says

    def test_delivery_key(self) -> None:
        """Equal for the same bytes, whoever of the live secrets signed them; different for others."""
        receiver = self.receiver()
        later = NOW if self.signed_body else NOW + timedelta(seconds=40)
        keys = {body: receiver.delivery_key(self.hook.sign(body, NOW)) for body in self.bodies()}
        assert len(set(keys.values())) == len(keys)
        for body, key in keys.items():
            assert 0 < len(key) <= 64
            assert receiver.delivery_key(self.hook.sign(body, later, secret_number=1)) == key

    def test_strange_bodies_are_kept(self, strange: bytes) -> None:
        events = self.read(strange)
        check_events(events)
        assert len(events) == 1
        assert isinstance(events[0], UnrecognisedEvent)
        assert self.read(strange)[0].event_key == events[0].event_key

    def test_strange_bodies_are_no_error_of_ours(self, strange: bytes) -> None:
        """Verification reads some bodies too, and has the bytes of a stranger before it."""
        delivery = self.hook.sign(strange, NOW)
        self.receiver().handshake(delivery)
        try:
            self.receiver().verify(delivery, NOW)
        except BadSignature:
            assert self.signed_body
        self.receiver().delivery_key(delivery)

    def test_empty_batch(self) -> None:
        self.batches()
        assert list(self.read(b"[]")) == []

    def test_truncated_anywhere(self) -> None:
        for body in self.bodies():
            for cut in range(1, len(body.rstrip()), max(1, len(body) // 40)):
                check_events(self.read(body[:cut]))

    def test_oversized(self) -> None:
        """The web server refuses more than `max_body_bytes`; up to that the adapter reads whatever comes."""
        most = self.adapter.max_body_bytes
        assert 65_536 <= most <= 16_777_216
        entry = self.batches()[0][0]
        filler = json.dumps([entry]).encode()[:-1]
        alone = len(self.read(filler + b"]"))
        body = filler + b"," + b" " * (most - len(filler) - 6) + b"null]"
        events = self.read(body)
        check_events(events)
        assert isinstance(events[-1], UnrecognisedEvent)
        assert len(events) == alone + 1

    def test_one_bad_event_stops_nothing(self) -> None:
        for entries in self.batches():
            alone = self.read(json.dumps(entries).encode())
            mixed = self.read(json.dumps([None, *entries, {"what": "is this"}]).encode())
            assert list(mixed[1:-1]) == list(alone)
            assert isinstance(mixed[0], UnrecognisedEvent)
            assert isinstance(mixed[-1], UnrecognisedEvent)

    def test_keys_do_not_depend_on_the_batch(self) -> None:
        """The same event in another batch, in another place or with its members in another order has the same key."""
        for entries in self.batches():
            keys = [event.event_key for event in self.read(json.dumps(entries).encode())]
            turned = [dict(reversed(list(entry.items()))) if isinstance(entry, dict) else entry for entry in reversed(entries)]
            assert sorted(event.event_key for event in self.read(json.dumps(turned).encode())) == sorted(keys)

    def test_echo_is_recognised(self) -> None:
        if self.adapter.kind != "crm":
            pytest.skip("not a CRM: nothing is written to it")
        events = [event for path in self.fixtures.glob("*__echo.*") if ".expected." not in path.name
                  for event in self.read(path.read_bytes())]  # fmt: skip
        origins = [event.origin.value for event in events if isinstance(event, LeadChange)]
        assert "ourselves" in origins
        assert set(origins) != {"ourselves"}, "the case also needs changes that are not ours"

    def test_handshake_and_acknowledgement(self) -> None:
        delivery = self.hook.sign(self.bodies()[0], NOW)
        assert self.receiver().handshake(delivery) is None
        assert 200 <= self.receiver().acknowledgement(delivery).status < 400

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.differing_executors])
    @given(choice=st.data())
    def test_any_value_anywhere(self, choice: st.DataObject) -> None:
        """Any value in the place of any part of any known event: read, or kept as unrecognised, never an exception."""
        check_events(self.read(self._changed(choice)))

    def _changed(self, choice: st.DataObject) -> bytes:
        body = choice.draw(st.sampled_from(self.bodies()))
        try:
            document = json.loads(body)
        except ValueError:
            pairs = parse_qsl(body.decode(), keep_blank_values=True)
            pairs = pairs or [("", "")]
            number = choice.draw(st.integers(0, len(pairs) - 1))
            text = choice.draw(st.text(st.characters(codec="utf-8")))
            return urlencode([(name, text if at == number else value) for at, (name, value) in enumerate(pairs)]).encode()
        found = list(places(document))
        if not found:
            return body
        return json.dumps(put(document, choice.draw(st.sampled_from(found)), choice.draw(json_values))).encode()
