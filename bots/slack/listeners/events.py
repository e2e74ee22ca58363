"""What Slack tells us on its own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

log = structlog.get_logger(__name__)


def handle(payload: Mapping[str, Any]) -> None:
    """The app was removed, or its tokens were: the operator has to know, since every later call will fail. Nothing else is
    subscribed to, and nothing else is acted on."""
    kind = str((payload.get("event") or {}).get("type") or "")
    if kind in ("app_uninstalled", "tokens_revoked"):
        log.error("slack.app_removed", kind=kind, mend="Install the app again and copy its token into slack.bot_token.")
