"""`leadswitch doctor`: looks at everything a working installation needs, and says how to mend what is not right.

Every check is a `CheckResult`; none raises. Nothing secret or personal is shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connector.errors import LeadswitchError
from connector.settings import Settings
from leads.results import CheckResult

if TYPE_CHECKING:
    from connector.bootstrap import House

LEAST_DISK = 500 * 1024 * 1024
OLD_MODEL = timedelta(days=30)
#: Most vendors refuse signatures five minutes off; a minute is the time to act.
CLOCK_SKEW_S = 60.0
TIMEOUT_S = 5.0
#: By name: `connector` does not import `bots`.
SLACK_CHECK = ("bots.slack.check", "check")


def examine(settings: Settings) -> Iterator[CheckResult]:
    """Every check, in the order in which a newcomer would mend them."""
    yield _configuration(settings)
    yield _home(settings)
    from connector.bootstrap import open_house

    try:
        house = open_house(settings)
    except LeadswitchError as error:
        yield CheckResult("encryption keys", False, str(error), "Mend LEADSWITCH_ENCRYPTION_KEYS; see docs/configuration.md.")
        return
    try:
        yield from _house(house)
    finally:
        house.close()


def _house(house: House) -> Iterator[CheckResult]:
    yield _encryption(house)
    database = _guarded("database", lambda: _database(house), "Start the database, or mend LEADSWITCH_DATABASE_URL.")
    yield database
    if database.ok:
        yield _guarded("work given up", lambda: _letters(house), "")
        yield _guarded("model", lambda: _model(house), "")
    yield _broker(house)
    yield _service(house.settings)
    yield _clock(house.settings)
    yield _guarded("policy", lambda: _policy(house, database.ok), "")
    for name in house.settings.connections:
        yield from examine_connection(house, name)
    yield _guarded("enrichment", lambda: _enrichment(house, database.ok), "Mend [enrichment]; see docs/configuration.md.")
    yield from _slack(house)
    yield _llm(house.settings)


def _guarded(name: str, check: Callable[[], CheckResult], mend: str) -> CheckResult:
    """The check's answer, or its error as one."""
    try:
        return check()
    except LeadswitchError as error:
        return CheckResult(name, False, str(error), mend)


def _configuration(settings: Settings) -> CheckResult:
    parts = urlsplit(settings.public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return CheckResult(
            "configuration", False, f"public_url is {settings.public_url}.", "Write it as https://leads.example.com."
        )
    outside = [name for name, one in settings.connections.items() if not one.trust_private_host]
    if outside and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        mend = "Set public_url to the address that vendors reach, as they see it: signatures cover it."
        return CheckResult("configuration", False, f"public_url is {settings.public_url}, which no vendor can reach.", mend)
    found = f"{len(settings.connections)} connections, public address {settings.public_url}"
    return CheckResult("configuration", True, found)


def _home(settings: Settings) -> CheckResult:
    probe = settings.home / ".doctor"
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(settings.home).free
    except OSError as error:
        found = f"{settings.home} is not writable ({error.strerror})."
        return CheckResult("home", False, found, "Mend its owner, or set LEADSWITCH_HOME.")
    detail = f"{settings.home}, {free // (1 << 20):,} MB free"
    return CheckResult("home", free > LEAST_DISK, detail, "Free some disk: the inbox stops taking deliveries when it is full.")


def _encryption(house: House) -> CheckResult:
    if house.settings.encryption_keys:
        return CheckResult("encryption keys", True, "configured")
    path = house.settings.home / "encryption.keys"
    if path.stat().st_mode & 0o077:
        return CheckResult("encryption keys", False, f"{path} can be read by others.", f"chmod 600 {path}")
    return CheckResult("encryption keys", True, f"{path}: keep a copy elsewhere, without it stored personal fields cannot be read")


def _database(house: House) -> CheckResult:
    kind = "SQLite" if house.db.is_sqlite else "PostgreSQL"
    pending = house.db.pending_migrations()
    if pending:
        return CheckResult("database", False, f"{kind}; not applied: {', '.join(pending)}", "leadswitch migrate")
    return CheckResult("database", True, f"{kind}, up to date")


def _letters(house: House) -> CheckResult:
    count = house.deadletters.count()
    mend = "leadswitch deadletters list, then replay or drop them."
    return CheckResult("work given up", count == 0, f"{count} open dead letters", mend)


def _broker(house: House) -> CheckResult:
    embedded = not house.settings.redis_url
    if house.queue.reachable():
        return CheckResult("queue", True, "the embedded Valkey answers" if embedded else "answers")
    if embedded and house.broker_url == house.redis_url:
        return CheckResult("queue", True, "the embedded Valkey is not running; `leadswitch up` starts it")
    mend = "Start it, or mend LEADSWITCH_BROKER_URL. Until then work waits in the database and nothing is lost."
    return CheckResult("queue", False, "the broker does not answer", mend)


def _service(settings: Settings) -> CheckResult:
    import httpx

    host = "127.0.0.1" if settings.bind_host in ("0.0.0.0", "") else settings.bind_host  # noqa: S104  # compared, not bound
    try:
        answer = httpx.get(f"http://{host}:{settings.bind_port}/readyz", timeout=TIMEOUT_S)
    except httpx.HTTPError:
        return CheckResult("service", True, f"nothing listens on {settings.bind}; `leadswitch up` starts it")
    detail = f"{settings.bind} answers {answer.status_code}"
    return CheckResult("service", answer.status_code == 200, detail, f"See what http://{host}:{settings.bind_port}/readyz says.")


def _clock(settings: Settings) -> CheckResult:
    """Our clock against the Date header of an outside service that we use anyway."""
    import httpx

    addresses = [one.base_url for one in settings.connections.values() if one.base_url]
    addresses += [settings.slack.base_url] if settings.slack.bot_token else []
    for address in addresses:
        before = datetime.now(UTC)
        try:
            stamp = httpx.head(address, timeout=TIMEOUT_S).headers["date"]
            theirs = parsedate_to_datetime(stamp).replace(tzinfo=UTC)  # the header is always in GMT
        except (httpx.HTTPError, KeyError, ValueError):
            continue
        middle = before + (datetime.now(UTC) - before) / 2
        skew = abs((middle - theirs).total_seconds())
        found = f"{skew:.0f} s off {urlsplit(address).hostname}"
        return CheckResult("clock", skew < CLOCK_SKEW_S, found, "Turn on time synchronisation (NTP): signatures expire.")
    return CheckResult("clock", True, "nothing outside to compare with")


def _policy(house: House, with_reps: bool) -> CheckResult:
    """The policy in force, and how it fits the reps; without a database the file alone."""
    from allocation.policy import check_roster
    from connector.pipeline.roster import build_roster
    from connector.policies import file_policy

    try:
        policy = house.policy if with_reps else file_policy(Path(house.settings.policy))
    except (ValueError, OSError) as error:
        return CheckResult("policy", False, str(error), "leadswitch policy check")
    if with_reps and (fault := house.policy_shelf.fault):
        return CheckResult("policy", False, f"the published one is not used: {fault}", "leadswitch policy publish")
    roster = build_roster(house, house.clock.now()) if with_reps else []
    odd = check_roster(policy, roster) if roster else []
    return CheckResult("policy", True, "; ".join((f"version {policy.version}", *odd)), "leadswitch policy check" if odd else "")


def _model(house: House) -> CheckResult:
    record = house.model_versions.champion()
    if record is None:
        return CheckResult("model", True, "none yet: leads are scored by rules; `leadswitch train` makes one")
    house.models.champion()
    if house.models.fault:
        return CheckResult("model", False, house.models.fault, "leadswitch models rollback, or leadswitch train")
    age = datetime.now(UTC) - record.created_at
    return CheckResult("model", age < OLD_MODEL, f"{record.version}, {age.days} days old", "leadswitch train")


def examine_connection(house: House, name: str, mend: bool = False) -> Iterator[CheckResult]:
    """The checks of one connection: its secrets, then what its vendor answers. With `mend`, makes what we need there first."""
    try:
        house.receiver(name)
        client = house.client(name)
        yield CheckResult(f"{name}: settings", True, house.adapter(name).title)
        if client is not None:
            for result in [*(client.prepare() if mend else ()), *client.check()]:
                yield CheckResult(f"{name}: {result.name}", result.ok, result.detail, result.mend)
            yield _guarded(f"{name}: accounts", lambda: _accounts(house, name), "")
            yield _guarded(f"{name}: breaker", lambda: _breaker(house, name), "")
            yield _guarded(f"{name}: reconcile", lambda: _reconciled(house, name), "")
    except LeadswitchError as error:
        yield CheckResult(name, False, str(error), f"Mend [connections.{name}]; see docs/configuration.md.")


def _accounts(house: House, connection: str) -> CheckResult:
    """Whether companies are known, to which leads are matched that came without one."""
    from connector.pipeline.accounts import newest_reading

    name, newest = f"{connection}: accounts", newest_reading(house, connection)
    if newest is None:
        return CheckResult(name, True, "not read yet: with the backfill, then once a day")
    at, error = newest
    if error:
        return CheckResult(name, False, f"not read: {error}", "Allow reading companies, or leads are matched to none.")
    return CheckResult(name, True, f"{house.accounts.count(connection)} read at {at:%Y-%m-%d %H:%M} UTC")


def _breaker(house: House, connection: str) -> CheckResult:
    """Whether the CRM answers what is written to it."""
    breaker, name = house.breakers.of(connection), f"{connection}: breaker"
    if breaker.opens_at is None or breaker.since is None:
        return CheckResult(name, True, "closed: the CRM answers")
    waits = f"no answer since {breaker.since:%Y-%m-%d %H:%M} UTC; what is to be written waits. Last: {breaker.error}"
    return CheckResult(name, False, waits, "It is tried again by itself; look whether the vendor reports an outage.")


def _reconciled(house: House, connection: str) -> CheckResult:
    """Whether what no webhook told us is asked for, and how much that was."""
    from connector.pipeline.reconcile import newest_run

    name, every = f"{connection}: reconcile", house.settings.connections[connection].reconcile_minutes
    newest = newest_run(house, connection)
    if every == 0:
        return CheckResult(name, True, "off: what no webhook tells stays unheard")
    if newest is None:
        return CheckResult(name, True, f"not asked yet; every {every:g} minutes while Leadswitch runs")
    at, told = newest
    minutes = (house.clock.now() - at).total_seconds() / 60
    if "error" in told:
        mend = f"leadswitch connections test {connection}"
        return CheckResult(name, False, f"failed {minutes:.0f} minutes ago: {told['error']}", mend)
    return CheckResult(name, True, f"{minutes:.0f} minutes ago; {told['recovered_ever']} leads recovered so far")


def _enrichment(house: House, counted: bool) -> CheckResult:
    """Whether the service that knows more of people can be asked, and how it has answered."""
    if not house.settings.enrichment.url:
        return CheckResult("enrichment", True, "not configured: leads are scored by what they and the CRM say")
    house.enricher  # noqa: B018 - raises for wrong settings
    counts = house.enrichments.counts() if counted else {}
    asked = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nobody asked about yet"
    failed, done = counts.get("failed", 0), counts.get("done", 0) + counts.get("unknown", 0)
    return CheckResult("enrichment", failed <= done, asked, "See the log for why the service refuses; mend [enrichment].")


def _slack(house: House) -> Iterator[CheckResult]:
    if house.settings.slack.bot_token is None:
        yield CheckResult("slack", True, "not configured: no alerts are sent")
        return
    module, function = SLACK_CHECK
    try:
        yield from getattr(import_module(module), function)(house.settings, house=house)
    except LeadswitchError as error:
        yield CheckResult("slack", False, str(error), "See docs/slack.md.")


def _llm(settings: Settings) -> CheckResult:
    if settings.llm.api_key is None:
        return CheckResult("llm", True, "not configured: reasons are the model's own")
    import httpx

    host = urlsplit(settings.llm.base_url).hostname
    headers = {"Authorization": f"Bearer {settings.llm.api_key.get_secret_value()}"}
    try:
        answer = httpx.get(settings.llm.base_url.rstrip("/") + "/models", headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        found = f"{host} does not answer ({type(error).__name__})"
        return CheckResult("llm", False, found, "Mend llm.base_url. Routing goes on without it.")
    if answer.status_code in (401, 403):
        found = f"{host} refuses the key ({answer.status_code})"
        return CheckResult("llm", False, found, "Mend llm.api_key. Routing goes on without it.")
    found = f"{host} answers {answer.status_code}, model {settings.llm.model}"
    return CheckResult("llm", answer.status_code < 500, found, "Try again later.")
