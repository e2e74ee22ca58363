"""What Slack tells us on its own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from bots.slack.listeners import home
from bots.slack.visit import Visit

log = structlog.get_logger(__name__)

REMOVED: Final = ("app_uninstalled", "tokens_revoked")
MEND: Final = "Install the app again and copy its token into slack.bot_token."


def handle(visit: Visit, payload: Mapping[str, Any]) -> None:
    """Somebody opened App Home; or the app was removed, or its tokens were: then the operator has to know, since every later call
    fails. Nothing else is subscribed to, and nothing else is acted on."""
    event = payload.get("event") or {}
    kind = str(event.get("type") or "")
    if kind == "app_home_opened" and event.get("tab", "home") == "home":
        home.opened(visit)
    elif kind in REMOVED:
        log.error("slack.app_removed", kind=kind, mend=MEND)
        visit.house.audit.add("slack:app", f"slack.{kind}", "slack", reason=MEND)
