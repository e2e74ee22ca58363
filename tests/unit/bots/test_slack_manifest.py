"""The manifest asks for what the code calls, and for nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bots.slack import client, tokens
from bots.slack.check import SCOPES
from bots.slack.listeners import events

HERE = Path(client.__file__).parent
#: Method → the bot scopes that Slack's reference says it needs in public channels and direct conversations.
NEEDS: dict[str, set[str]] = {
    "auth_test": set(),
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "conversations_history": {"channels:history", "im:history"},
    "conversations_replies": {"channels:history", "im:history"},
    "conversations_list": {"channels:read"},
    "conversations_open": {"im:write"},
    "users_lookupByEmail": {"users:read", "users:read.email"},
    "users_info": {"users:read", "users:read.email"},
    "usergroups_list": set(),  # usergroups:read, asked for only where user groups are configured
    "usergroups_users_list": set(),
    "views_open": set(),
    "views_update": set(),
    "views_publish": set(),
    "oauth_v2_access": set(),
}
#: What a feature of the manifest needs.
FEATURES = {"slash_commands": {"commands"}}


@pytest.fixture(scope="module")
def manifest() -> str:
    return (HERE / "manifest.yaml").read_text(encoding="utf-8")


def listed(manifest: str, key: str) -> set[str]:
    """The plain items of the list below a key of the manifest."""
    match = re.search(rf"^ *{key}:\n((?: +- [\w:.]+\n)+)", manifest, re.MULTILINE)
    assert match, key
    return set(re.findall(r"- ([\w:.]+)", match.group(1)))


def called() -> set[str]:
    """Every method of the Web API that the code calls."""
    found = set()
    for module in (client, tokens):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_web":
                found.add(node.attr)
    return found - {"token"}


def test_nothing_else_talks_to_the_web_api() -> None:
    for path in HERE.rglob("*.py"):
        if path.name not in ("client.py", "tokens.py"):
            assert "WebClient(" not in path.read_text(encoding="utf-8").replace("AsyncWebClient(base_url", ""), path


def test_the_scopes_are_those_of_the_methods_called(manifest: str) -> None:
    assert called() <= NEEDS.keys(), "say which scopes a new method needs"
    needed = set().union(*(NEEDS[method] for method in called()), *FEATURES.values())
    assert listed(manifest, "bot") == needed
    assert set(SCOPES) == needed, "doctor asks for the same"


def test_the_events_are_those_that_are_acted_on(manifest: str) -> None:
    assert listed(manifest, "bot_events") == {"app_home_opened", *events.REMOVED}
    assert "home_tab_enabled: true" in manifest


def test_every_address_is_the_one_route_we_have(manifest: str) -> None:
    assert set(re.findall(r"url: (\S+)", manifest)) == {"https://leads.example.com/slack/events"}
