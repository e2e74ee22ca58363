"""What `leadswitch doctor` asks about Slack: the token, its scopes, the channels, and the way in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bots.slack.client import SlackApi, api_for, api_of
from connector.errors import LeadswitchError
from connector.settings import Settings, SlackSettings
from leads.results import CheckResult

if TYPE_CHECKING:
    from connector.bootstrap import House

#: Scopes we use; docs/slack.md says what for. The manifest asks for the same ones.
SCOPES: Final = (
    "chat:write",
    "commands",
    "im:write",
    "im:history",
    "channels:read",
    "channels:history",
    "users:read",
    "users:read.email",
)
MEND_APP: Final = "Update the app from bots/slack/manifest.yaml and install it again."


def check(settings: Settings, api: SlackApi | None = None, house: House | None = None) -> list[CheckResult]:
    """One line a question; never raises an error of ours. With a house a token that is renewed as it expires is known."""
    return list(_questions(settings.slack, api, house))


def _questions(settings: SlackSettings, given: SlackApi | None, house: House | None) -> Iterator[CheckResult]:
    yield _way_in(settings)
    try:
        api = given or (api_for(house) if house is not None else api_of(settings))
        answer, scopes = api.whoami()
    except LeadswitchError as error:
        yield CheckResult("slack token", False, str(error), getattr(error, "mend", "") or "Check slack.base_url and the network.")
        return
    yield CheckResult("slack token", True, f"workspace {answer.get('team') or answer.get('team_id') or 'unnamed'}")
    missing = [scope for scope in SCOPES if scope not in scopes]
    if scopes:
        yield CheckResult("slack scopes", not missing, f"missing: {', '.join(missing)}" if missing else "all there", MEND_APP)
    else:
        yield CheckResult("slack scopes", True, "Slack does not list them here; a missing one shows when it is first needed")
    yield from _channels(settings, api)


def _way_in(settings: SlackSettings) -> CheckResult:
    """How clicks and commands reach us."""
    if settings.mode == "socket":
        mend = "Create an app-level token with connections:write and set slack.app_token."
        return CheckResult("slack clicks", settings.app_token is not None, "Socket Mode", mend)
    mend = "Copy the signing secret from the app's Basic Information page into slack.signing_secret."
    return CheckResult("slack clicks", settings.signing_secret is not None, "over HTTP, POST /slack/events", mend)


def _channels(settings: SlackSettings, api: SlackApi) -> Iterator[CheckResult]:
    """Whether each configured channel is there, open, and has us in it."""
    wanted = dict.fromkeys([settings.channel, *settings.channels.values()])
    try:
        found = list(api.channels())
    except LeadswitchError as error:
        yield CheckResult("slack channels", False, str(error), getattr(error, "mend", ""))
        return
    for name in wanted:
        yield _channel(name, found)


def _channel(name: str, found: Sequence[Mapping[str, Any]]) -> CheckResult:
    title = f"slack channel {name}"
    channel = next((one for one in found if name.removeprefix("#") in (one.get("name"), one.get("id"))), None)
    if channel is None:
        return CheckResult(
            title, False, "not found", "Create it, or mend slack.channel; a private one needs /invite and groups:read."
        )
    if channel.get("is_archived"):
        return CheckResult(title, False, "archived", "Unarchive it, or name another channel.")
    if not channel.get("is_member", True):
        return CheckResult(title, False, "the app is not in it", f"In {name}, type /invite @Leadswitch.")
    return CheckResult(title, True, "the app is in it")
