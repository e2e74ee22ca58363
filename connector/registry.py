"""Finds the adapters: packages below `connector.adapters`, and other people's by the entry point group `leadswitch.adapters`."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

import connector.adapters
from connector.errors import Configuration
from connector.ports import Adapter

GROUP = "leadswitch.adapters"


@cache
def adapters() -> Mapping[str, Adapter]:
    """Every adapter there is, by name. One of ours wins over a foreign one of the same name.

    Raises `Configuration` when a foreign package cannot be loaded.
    """
    found: dict[str, Adapter] = {}
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
        except (ImportError, AttributeError) as error:
            raise Configuration(
                f"The adapter {point.name} ({point.value}) cannot be loaded: {error}.", "Mend or remove it."
            ) from error
        one: Adapter = getattr(loaded, "ADAPTER", loaded)
        found[one.name] = one
    for module in pkgutil.iter_modules(connector.adapters.__path__):
        if module.ispkg:
            one = import_module(f"connector.adapters.{module.name}").ADAPTER
            found[one.name] = one
    return found


def adapter(name: str) -> Adapter:
    """The adapter `name`, in which - and _ are one. Raises `Configuration` with the nearest name when there is none."""
    known = adapters()
    written = name.replace("-", "_")
    if written in known:
        return known[written]
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    mend = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(known))}."
    raise Configuration(f"There is no adapter called {name}.", mend)
