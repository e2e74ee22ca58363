"""The only reader of the environment: `leadswitch.toml`, overridden by `LEADSWITCH_…`, secrets by reference."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from connector.account_match import TIE_BREAKERS, TieBreaker
from connector.errors import Configuration

PREFIX = "LEADSWITCH_"


def resolve_secret(reference: str, environment: Mapping[str, str], base: Path) -> str:
    """The secret behind `env:NAME` or `file:PATH`. A secret in clear is refused. Raises `Configuration`."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and rest:
        if rest not in environment:
            raise Configuration(f"The environment variable {rest} is not set.", f"Set {rest} or change the reference env:{rest}.")
        return environment[rest]
    if scheme == "file" and rest:
        path = base / rest
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Configuration(
                f"The secret file {rest} cannot be read ({error.strerror}).", "Create it or mend the path."
            ) from error
    raise Configuration("A secret stands in clear in the configuration.", "Write it as env:NAME or file:PATH.")


class Section(BaseModel):
    """A table of the file. Unknown keys are an error, so that a misspelt key is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConnectionSettings(Section):
    """One configured account of an adapter. Secret fields are resolved already."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    adapter: str
    base_url: str = ""
    token: SecretStr | None = None
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    max_body_bytes: int = 1_048_576
    reconcile_minutes: float = Field(default=15.0, ge=0)  # a CRM is asked so often for what no webhook told; 0: never
    trust_private_host: bool = False  # the sandbox and self-hosted CRMs live on private addresses

    def option(self, key: str, default: Any = None) -> Any:
        """A vendor-specific key of the table."""
        return (self.model_extra or {}).get(key, default)


class SlackSettings(Section):
    base_url: str = "https://slack.com/api/"
    bot_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    app_token: SecretStr | None = None
    mode: Literal["http", "socket"] = "http"
    channel: str = "#leads"
    channels: Mapping[str, str] = Field(default_factory=dict)  # team → channel, where it differs
    command: str = "/lead"
    admins: tuple[str, ...] = ()  # Slack user ids or e-mail addresses
    managers: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = ()  # Slack user groups: ids (S0123ABC) or handles (@sales-ops)
    manager_groups: tuple[str, ...] = ()
    client_id: SecretStr | None = None  # these three: token rotation
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    digest_at: str = "09:00"  # in each rep's zone, until the rep chooses another hour
    digest_minutes: float | None = None  # gather for so long instead of until that hour
    quiet_hours: str = ""  # "20:00-08:00" in each rep's zone, until the rep chooses others
    hot_in_quiet_hours: bool = True
    channel_cards: int = Field(default=5, ge=0)  # cards a channel within `merge_minutes`; further hot leads share a message
    merge_minutes: float = Field(default=10.0, ge=0)
    leaderboard_channel: str = ""  # empty: no weekly leaderboard
    leaderboard_at: str = "mon 09:00"  # UTC

    @field_validator("digest_at", "quiet_hours", "leaderboard_at", mode="after")
    @classmethod
    def _hours(cls, value: str, info: ValidationInfo) -> str:
        from connector.pipeline.wishes import parse_hour, parse_quiet, parse_weekly  # it knows time zones, which not all need

        {"digest_at": parse_hour, "quiet_hours": parse_quiet, "leaderboard_at": parse_weekly}[str(info.field_name)](value)
        return value


class LlmSettings(Section):
    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    model: str = "gpt-4o-mini"
    budget_ms: int = 500


class SmtpSettings(Section):
    """The server that e-mails of playbooks leave by."""

    host: str = ""  # empty: no e-mail
    port: int = Field(default=587, gt=0, lt=65536)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr | None = None
    sender: str = ""  # "Acme Sales <sales@acme.example>"
    unsubscribe: str = ""  # an address or URL at which people opt out; named in every message to them

    @model_validator(mode="after")
    def _whole(self) -> SmtpSettings:
        if self.host and not (self.sender and self.unsubscribe):
            raise ValueError("a host needs a sender and an unsubscribe beside it")
        return self


class WebhookSettings(Section):
    """One receiver of outgoing webhooks."""

    url: str
    secret: SecretStr  # "whsec_" and base64, as Standard Webhooks has it
    trust_private_host: bool = False


class ScoringSettings(Section):
    model_dir: str = "models"  # below home
    min_labels: int = 50
    keep_scores_days: int = Field(default=180, ge=0)  # older ones go, but for those that stand or were decided on; 0: never


class EnrichmentSettings(Section):
    url: str = ""  # empty: nobody is asked; {email} and {domain} stand for the person's
    shape: Literal["clearbit", "zoominfo", "mapped"] = "clearbit"
    token: SecretStr | None = None
    fields: Mapping[str, str] = Field(default_factory=dict)  # shape "mapped": our field → path in the answer
    hold_s: float = Field(default=10.0, ge=0, le=600)  # so long the first score of a new lead waits at most
    cache_days: float = Field(default=30.0, ge=0)
    per_minute: int = Field(default=60, ge=1)
    companies_only: bool = True  # do not ask about free-mail addresses
    trust_private_host: bool = False


class AccountSettings(Section):
    tie_breakers: tuple[TieBreaker, ...] = TIE_BREAKERS  # of several companies that fit a lead equally well


class WriteBackSettings(Section):
    min_score_change: int = 5  # smaller moves within a tier are not written to the CRM
    task_due_minutes: Mapping[str, int] = Field(default_factory=lambda: {"a": 60, "b": 240, "c": 1440, "d": 2880})
    loop_limit: int = 20  # our own writes to one lead in an hour before the breaker opens


class FeedSettings(Section):
    file: str  # a CSV file of dated values; see connector.feeds


class PickupSettings(Section):
    folder: str  # CSV files left in here are imported; see connector.pipeline.pickup
    map: str  # the map file, as for `leadswitch import`
    connection: str | None = None  # whose leads they are; instead of the map's own
    every_s: float = Field(default=60.0, ge=1.0)


class LimitSettings(Section):
    body_bytes: int = 1_048_576
    batch_bytes: int = 16_777_216  # calls that take many records at once
    file_bytes: int = 67_108_864  # CSV files, in and out as they come
    requests_per_minute: int = 6000  # of one API token


class Settings(Section):
    """All of it. `home` is where the embedded default keeps its files."""

    home: Path = Field(default=Path("var"), validate_default=True)
    database_url: str = ""
    redis_url: str = ""
    broker_url: str = ""
    public_url: str = "http://127.0.0.1:8080"
    bind: str = "127.0.0.1:8080"
    encryption_keys: SecretStr | None = None
    log_level: str = "info"
    policy: str = "policy.toml"
    sandbox: bool = False
    connections: Mapping[str, ConnectionSettings] = Field(default_factory=dict)
    slack: SlackSettings = SlackSettings()
    llm: LlmSettings = LlmSettings()
    smtp: SmtpSettings = SmtpSettings()
    webhooks: Mapping[str, WebhookSettings] = Field(default_factory=dict)
    scoring: ScoringSettings = ScoringSettings()
    accounts: AccountSettings = AccountSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()
    write_back: WriteBackSettings = WriteBackSettings()
    limits: LimitSettings = LimitSettings()
    worker_threads: int = 2
    feeds: Mapping[str, FeedSettings] = Field(default_factory=dict)
    pickup: PickupSettings | None = None

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("bind", mode="after")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        port = value.rpartition(":")[2]
        if not (port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("wants host:port, such as 127.0.0.1:8080")
        return value

    @cached_property
    def database(self) -> str:
        """The database URL, by default an SQLite file in `home`."""
        return self.database_url or f"sqlite:///{self.home / 'leadswitch.db'}"

    @cached_property
    def models_path(self) -> Path:
        return self.home / self.scoring.model_dir

    @property
    def bind_host(self) -> str:
        return self.bind.rpartition(":")[0] or "127.0.0.1"

    @property
    def bind_port(self) -> int:
        return int(self.bind.rpartition(":")[2])


SECRET_KEYS = {
    "token",
    "client_id",
    "client_secret",
    "refresh_token",
    "bot_token",
    "signing_secret",
    "app_token",
    "api_key",
    "password",
    "secret",
}
SECRET_LIST_KEYS = {"webhook_secrets"}
#: Keys of the top table that an environment variable may override: LEADSWITCH_BIND and so on.
TOP_KEYS = (
    "home",
    "database_url",
    "redis_url",
    "broker_url",
    "public_url",
    "bind",
    "encryption_keys",
    "log_level",
    "policy",
    "sandbox",
)


def _override(table: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Apply LEADSWITCH_A__B__C=value; the parts are matched without case, and `-` in a name is written `_`."""
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in (PREFIX + "CONFIG", PREFIX + "TEST_REQUIRE"):
            continue
        parts = variable[len(PREFIX) :].lower().split("__")
        if len(parts) == 1 and parts[0] not in TOP_KEYS and parts[0] not in Settings.model_fields:
            continue  # a variable of somebody else's under our prefix, such as one named by env:
        place = table
        for part in parts[:-1]:
            key = next((key for key in place if key.lower().replace("-", "_") == part), part)
            nested = place.setdefault(key, {})
            if not isinstance(nested, dict):
                raise Configuration(f"{variable} goes into {key}, which is not a table.")
            place = nested
        place[parts[-1]] = value


def _resolve(table: dict[str, Any], environment: Mapping[str, str], base: Path, where: str = "") -> None:
    """Replace every secret reference in place; a failure names the key."""
    for key, value in table.items():
        at = f"{where}{key}"
        if isinstance(value, dict):
            _resolve(value, environment, base, f"{at}.")
            continue
        try:
            if key in SECRET_KEYS and isinstance(value, str):
                table[key] = resolve_secret(value, environment, base)
            elif key in SECRET_LIST_KEYS and isinstance(value, list | str):
                items = value.split(",") if isinstance(value, str) else value
                table[key] = [resolve_secret(str(item).strip(), environment, base) for item in items]
        except Configuration as error:
            raise Configuration(f"{at}: {error}") from error


def read_settings(environment: Mapping[str, str] | None = None, config: Path | None = None) -> Settings:
    """Read the file named by LEADSWITCH_CONFIG (default `leadswitch.toml`, optional) and the environment.

    Raises `Configuration` with one line that names the key.
    """
    environment = os.environ if environment is None else environment
    named = config or (Path(environment[PREFIX + "CONFIG"]) if environment.get(PREFIX + "CONFIG") else None)
    path = named or Path("leadswitch.toml")
    table: dict[str, Any] = {}
    if path.exists():
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Configuration(f"{path}: {error}.", "Mend the file.") from error
    elif named is not None:
        raise Configuration(f"{path} does not exist.", "Mend LEADSWITCH_CONFIG or create the file.")
    _override(table, environment)
    if isinstance(table.get("encryption_keys"), str) and table["encryption_keys"].startswith(("env:", "file:")):
        table["encryption_keys"] = resolve_secret(table["encryption_keys"], environment, path.parent)
    _resolve(table, environment, path.parent)
    for name, connection in (table.get("connections") or {}).items():
        if isinstance(connection, dict):
            connection["name"] = name
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Configuration(
            f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}.", "See docs/configuration.md."
        ) from None
