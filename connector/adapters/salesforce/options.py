"""The options of a connection that both halves read. Each raises `Configuration` naming the key."""

from __future__ import annotations

from collections.abc import Mapping

from connector.adapters.salesforce.ids import long_or_none
from connector.adapters.salesforce.words import FIELDS, STATUS_WORDS
from connector.errors import Configuration
from connector.settings import ConnectionSettings
from leads.fields import CANONICAL


def read_id_option(settings: ConnectionSettings, key: str) -> str | None:
    """An option that is a record id, in its long form; None when it is not set."""
    given = settings.option(key)
    if given in (None, ""):
        return None
    known = long_or_none(given)
    if known is None:
        raise Configuration(f"{settings.name}: {key} is no Salesforce id.", "It has 15 or 18 letters and digits.")
    return known


def own_fields(settings: ConnectionSettings) -> Mapping[str, str]:
    """The option `fields`: the org's own lead field → canonical field."""
    own = settings.option("fields", {})
    named = isinstance(own, Mapping) and all(isinstance(key, str) and key.replace("_", "").isalnum() for key in own)
    if not named or not set(own.values()) <= CANONICAL:
        raise Configuration(
            f"{settings.name}: fields does not map field names to ours.", 'Write it as { Credit__c = "credit_band" }.'
        )
    if taken := sorted(set(own) & {"OwnerId", "Status"}):
        raise Configuration(f"{settings.name}: fields may not map {taken[0]}.", f"It is {FIELDS[taken[0]]} already.")
    return dict(own)


def statuses(settings: ConnectionSettings) -> Mapping[str, str]:
    """Our lead status → the org's word: the option `statuses` over those of a new org."""
    own = settings.option("statuses", {})
    if not isinstance(own, Mapping) or not set(own) <= set(STATUS_WORDS):
        raise Configuration(f"{settings.name}: statuses names an unknown status.", f"There are {', '.join(STATUS_WORDS)}.")
    return {**STATUS_WORDS, **{key: str(value) for key, value in own.items()}}
