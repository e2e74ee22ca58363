"""The worker's side of Slack: a stored request is dispatched to its listener."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from bots.slack import names
from bots.slack.client import SlackApi, api_for
from bots.slack.listeners import actions, commands, events, home, views
from bots.slack.visit import Visit
from connector.errors import Configuration, Fatal

if TYPE_CHECKING:
    from connector.bootstrap import House

log = structlog.get_logger(__name__)


def handle(house: House, payload: Mapping[str, Any], api: SlackApi | None = None) -> None:
    """Do what one stored request asks for, and answer the person.

    Raises errors of `connector.errors`; `Retriable` only while nothing has been done yet.
    """
    kind = str(payload.get("type") or "")
    slack = api or api_for(house)
    if kind == "event_callback":
        event = payload.get("event") or {}
        visit = Visit(house, slack, user=str(event.get("user") or ""), channel=str(event.get("channel") or ""))
        events.handle(visit, payload)
        return
    if payload.get("command"):
        visit = _of_command(house, slack, payload)
        _attended(visit, lambda: commands.handle(visit, payload))
    elif kind == "block_actions":
        visit = _of_click(house, slack, payload)
        clicked = (payload.get("actions") or [{}])[0]
        if _is_home(payload) and clicked.get("action_id") in (*home.CONTROLS, names.SHOW):
            _attended(visit, lambda: home.handle(visit, clicked))
        else:
            _attended(visit, lambda: actions.handle(visit, payload))
    elif kind == "view_submission":
        private = _private(payload)
        visit = _of_form(house, slack, payload, private)
        _attended(visit, lambda: views.handle(visit, payload, private))
    else:
        log.info("slack.request_ignored", kind=kind[:40])


def _attended(visit: Visit, work: Callable[[], None]) -> None:
    """Do the work. What trying again cannot help is told to the person and to the operator."""
    try:
        work()
    except (Fatal, Configuration) as error:
        log.error("slack.request_failed", error=str(error))
        visit.report(f"I could not do that. Please show this to an admin: {error}")


def _of_command(house: House, slack: SlackApi, payload: Mapping[str, Any]) -> Visit:
    return Visit(
        house,
        slack,
        user=str(payload.get("user_id") or ""),
        channel=str(payload.get("channel_id") or ""),
        response_url=str(payload.get("response_url") or ""),
        trigger_id=str(payload.get("trigger_id") or ""),
    )


def _of_click(house: House, slack: SlackApi, payload: Mapping[str, Any]) -> Visit:
    channel = (payload.get("channel") or {}).get("id") or (payload.get("container") or {}).get("channel_id")
    user = str((payload.get("user") or {}).get("id") or "")
    if channel is None and _is_home(payload):  # Home has no place for an answer: it goes to the direct conversation
        rep = house.reps.by_slack(user)
        channel = (rep.slack_dm if rep else None) or slack.open_dm(user)
    container = payload.get("container") or {}
    return Visit(
        house,
        slack,
        user=user,
        channel=str(channel or ""),
        response_url=str(payload.get("response_url") or ""),
        trigger_id=str(payload.get("trigger_id") or ""),
        message_ts="" if container.get("is_ephemeral") else str(container.get("message_ts") or ""),
    )


def _is_home(payload: Mapping[str, Any]) -> bool:
    return (payload.get("view") or {}).get("type") == "home"


def _of_form(house: House, slack: SlackApi, payload: Mapping[str, Any], private: Mapping[str, Any]) -> Visit:
    return Visit(
        house,
        slack,
        user=str((payload.get("user") or {}).get("id") or ""),
        channel=str(private.get("channel") or ""),
        response_url=str(private.get("response_url") or ""),
        trigger_id=str(payload.get("trigger_id") or ""),
    )


def _private(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the form brought back; empty when it is not ours."""
    try:
        found = json.loads((payload.get("view") or {}).get("private_metadata") or "{}")
    except (json.JSONDecodeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
