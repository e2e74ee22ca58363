"""Finding adapters by name, ours and other people's."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from connector import registry
from connector.errors import Configuration


@pytest.fixture(autouse=True)
def _forget() -> Any:
    registry.adapters.cache_clear()
    yield
    registry.adapters.cache_clear()


def test_ours_are_found() -> None:
    assert {"hubspot", "sendgrid"} <= set(registry.adapters())
    assert registry.adapter("hubspot").title == "HubSpot"


def test_a_name_may_be_written_with_dashes() -> None:
    assert registry.adapter("amazon-ses").name == "amazon_ses"


@pytest.mark.parametrize(("asked", "meant"), [("hubspt", "hubspot"), ("HubSpot", "hubspot"), ("send-grid", "sendgrid")])
def test_did_you_mean(asked: str, meant: str) -> None:
    with pytest.raises(Configuration, match=f"Did you mean {meant}"):
        registry.adapter(asked)


def test_nothing_near_lists_all() -> None:
    with pytest.raises(Configuration, match=r"hubspot, .*sendgrid"):
        registry.adapter("zzz")


class Point:
    """An entry point of another package."""

    name, value = "acme", "acme_leadswitch"

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.mark.parametrize("as_module", [True, False])
def test_other_peoples_are_found(monkeypatch: pytest.MonkeyPatch, as_module: bool) -> None:
    acme = SimpleNamespace(name="acme")
    points = [Point(SimpleNamespace(ADAPTER=acme) if as_module else acme)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "leadswitch.adapters" else [])
    assert registry.adapter("acme") is acme


def test_ours_win_over_others_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point(SimpleNamespace(name="hubspot"))])
    assert registry.adapter("hubspot").title == "HubSpot"


def test_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point(ImportError("no module acme"))])
    with pytest.raises(Configuration, match="acme_leadswitch"):
        registry.adapters()


def test_group_name_is_what_packages_write() -> None:
    assert EntryPoint("x", "y", registry.GROUP).group == "leadswitch.adapters"
