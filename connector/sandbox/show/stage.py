"""Everything a demo needs to run: ports, made-up secrets, the configuration file, the processes."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from connector.sandbox.show.children import Child, Children, DemoFailed, free_ports
from connector.sandbox.world.market import write_market
from connector.sandbox.world.team import CHANNELS, team

HUBSPOT, SENDGRID = "hubspot-main", "sendgrid-main"
CALLS_PER_10_S = 190  # HubSpot's limit for a private app of a Professional account

_CONFIG = """\
# Written by `leadswitch demo`. Every secret in it is made up.
home = {home}
public_url = "{service}"
bind = "127.0.0.1:{port}"
policy = {policy}
sandbox = true

[connections.{hubspot}]
adapter = "hubspot"
base_url = "{crm}"
token = "env:SANDBOX_HUBSPOT_TOKEN"
webhook_secrets = ["env:SANDBOX_HUBSPOT_SECRET"]
app_id = 54321
portal_id = 62515
calls_per_10_s = {calls}
trust_private_host = true

[connections.{sendgrid}]
adapter = "sendgrid"
webhook_secrets = ["env:SANDBOX_SENDGRID_KEY"]

[slack]
base_url = "{slack}/api/"
bot_token = "env:SANDBOX_SLACK_TOKEN"
signing_secret = "env:SANDBOX_SLACK_SECRET"
channel = "#leads"
channels = {channels}
admins = {admins}
managers = {managers}
digest_minutes = {digest_minutes}

[llm]
base_url = "{llm}/v1"
api_key = "env:SANDBOX_LLM_KEY"
model = "gpt-4o-mini"
budget_ms = 500

[feeds.market]
file = {market}

[limits]
requests_per_minute = 60000
"""


@dataclass
class Stage:
    """One demo's addresses, secrets and processes."""

    home: Path
    seed: int
    children: Children = field(init=False)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = dict(zip(("service", "crm", "mail", "slack", "llm"), free_ports(5), strict=True))
        for name in ("HUBSPOT_TOKEN", "HUBSPOT_SECRET", "SLACK_TOKEN", "SLACK_SECRET", "LLM_KEY"):
            self.secrets[name] = f"sandbox-{secrets.token_hex(12)}"
        environment = {
            "PATH": os.defpath,
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "TERM": "xterm-256color",
        }
        environment["LEADSWITCH_CONFIG"] = str(self.config)
        self.environment = environment
        self.children = Children(self.home / "logs", environment)

    def url(self, name: str) -> str:
        """The address of `service`, `crm`, `mail`, `slack` or `llm`."""
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def config(self) -> Path:
        return self.home / "leadswitch.toml"

    def start_stand_ins(self, history: int) -> None:
        """Start the outside world and wait until all of it answers."""
        service = self.url("service")
        webhooks = f"{service}/webhooks"
        crm = [
            "--token",
            self.secrets["HUBSPOT_TOKEN"],
            "--secret",
            self.secrets["HUBSPOT_SECRET"],
            "--target",
            f"{webhooks}/{HUBSPOT}",
        ]
        crm += ["--history", str(history), "--limit", str(CALLS_PER_10_S), "--searches-per-s", "5"]
        slack = ["--token", self.secrets["SLACK_TOKEN"], "--signing-secret", self.secrets["SLACK_SECRET"], "--crm", self.url("crm")]
        slack += ["--base-url", self.url("slack"), "--target", f"{service}/slack/events"]
        started = [
            self._stand_in("crm", "hubspot", [*crm, "--seed", str(self.seed)]),
            self._stand_in("mail", "sendgrid", ["--target", f"{webhooks}/{SENDGRID}", "--seed", str(self.seed)]),
            self._stand_in("slack", "slack", slack),
            self._stand_in("llm", "llm", ["--key", self.secrets["LLM_KEY"], "--seed", str(self.seed)]),
        ]
        for name, child in zip(("crm", "mail", "slack", "llm"), started, strict=True):
            self.children.wait_for(child, f"{self.url(name)}/sandbox/{'state' if name == 'slack' else 'summary'}")
        answer = httpx.get(f"{self.url('mail')}/sandbox/summary", trust_env=False)
        self.secrets["SENDGRID_KEY"] = str(answer.json()["public_key"])

    def _stand_in(self, name: str, kind: str, arguments: list[str]) -> Child:
        return self.children.start(
            name, ["-m", "connector.sandbox", kind, "--port", str(self.ports[name]), *arguments], leashed=True
        )

    def write_config(self, digest_minutes: float, policy: str | None = None) -> None:
        """The service's configuration with a policy, and the secrets it names, for its environment."""
        if policy is not None:
            (self.home / "policy.toml").write_text(policy, encoding="utf-8")
        write_market(self.home / "market.csv", self.seed, datetime.now(UTC))
        text = _CONFIG.format(
            home=json.dumps(str(self.home / "service")),
            policy=json.dumps(str(self.home / "policy.toml")),
            market=json.dumps(str(self.home / "market.csv")),
            port=self.ports["service"],
            channels=_inline({name: f"#{channel}" for name, channel in CHANNELS.items()}),
            admins=json.dumps([member.slack_id for member in team() if member.role == "admin"]),
            managers=json.dumps([member.slack_id for member in team() if member.role == "manager"]),
            hubspot=HUBSPOT,
            sendgrid=SENDGRID,
            digest_minutes=digest_minutes,
            calls=CALLS_PER_10_S - 10,
            **{name: self.url(name) for name in ("service", "crm", "slack", "llm")},
        )
        self.config.write_text(text, encoding="utf-8")
        self.environment.update({f"SANDBOX_{name}": value for name, value in self.secrets.items()})

    def start_service(self) -> Child:
        """Start Leadswitch itself and wait until it is ready."""
        child = self.children.start("up", ["-m", "connector", "up"])
        self.children.wait_for(child, f"{self.url('service')}/readyz")
        return child

    def leadswitch(self, *arguments: str, show: bool = False, timeout_s: float = 120.0) -> str:
        """Run one command of ours to its end. Raises `DemoFailed`."""
        return self.children.run("leadswitch " + " ".join(arguments[:2]), ["-m", "connector", *arguments], show, timeout_s)

    def api_token(self) -> str:
        """A token for reading decisions over our API. Raises `DemoFailed`."""
        printed = self.leadswitch("tokens", "create", "--role", "admin", "--name", "demo", "--json")
        try:
            return str(json.loads(printed)["token"])
        except (ValueError, KeyError) as error:
            raise DemoFailed("`leadswitch tokens create --json` printed no token.") from error


def _inline(table: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()) + " }"
