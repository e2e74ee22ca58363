"""The doorbell: Dramatiq over Redis (embedded or not) or RabbitMQ. Messages carry ids only; the database is the mailbox.

A doorbell that cannot be rung loses nothing: the clock sweeps rows whose bell was missed. So ringing never raises; it counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError as BrokerDown
from dramatiq.middleware import AgeLimit, Callbacks, CurrentMessage, Middleware, Retries, ShutdownNotifications, TimeLimit

from connector import trace
from connector.errors import Configuration

log = structlog.get_logger(__name__)

NEW, SCORE, ALLOCATE, NOTIFY, COMMAND, SLOW = "lead.new", "lead.score", "lead.allocate", "lead.notify", "lead.command", "slow"
#: The first score of a new lead goes past the further scores of others: somebody waits for it, and clicks come in thousands.
FIRST = "lead.score.first"
#: What playbooks do to leads, apart from what takes long by itself.
PLAYBOOKS = "lead.playbooks"
#: Asking CRMs for what no webhook told, apart from all that somebody waits for.
RECONCILE = "lead.reconcile"
#: Asking an outside service about new leads: it may be slow, and nothing else waits for it.
ENRICH = "lead.enrich"
#: The destination of e-mails.
SMTP = "smtp"
NAMESPACE = "leadswitch"
#: After so long without a heartbeat a worker's messages go to another; the default of a minute leaves a killed worker's too long.
HEARTBEAT_MS = 15_000
#: Chance in a million that a command looks for dead workers; at the default of 1,000 that took minutes on a quiet queue.
MAINTENANCE_CHANCE = 100_000
#: Inbox rows one message carries: few, so that one slow delivery holds up few others; more when thousands come at once, since
#: ringing for each handful would then take a sixth of what the intake itself does.
ROWS_A_MESSAGE, MOST_ROWS_A_MESSAGE = 16, 128


def notify_queue(destination: str) -> str:
    """The queue of a destination: alerts have `lead.notify`, each CRM one of its own, so that a hung CRM delays no alert."""
    return NOTIFY if destination == "slack" else f"{NOTIFY}.{destination}"


def webhook_destination(name: str) -> str:
    """The destination of an outgoing webhook."""
    return f"webhook.{name}"


def make_broker(url: str, *, namespace: str = NAMESPACE) -> dramatiq.Broker:
    """A broker for one process. Raises `Configuration` for a scheme we do not speak or a missing extra."""
    limits = [AgeLimit(), TimeLimit(time_limit=600_000)]
    middleware: list[Middleware] = [*limits, ShutdownNotifications(), Callbacks(), CurrentMessage(), Retries()]
    if url.startswith("amqp"):
        try:
            from dramatiq.brokers.rabbitmq import RabbitmqBroker
        except ImportError as error:
            raise Configuration("RabbitMQ needs the extra leadswitch[rabbitmq].", "Install pika.") from error
        return RabbitmqBroker(url=url, middleware=middleware, confirm_delivery=True)
    if url.startswith(("redis://", "rediss://", "unix://")):
        client = redis.Redis.from_url(url)
        return RedisBroker(  # type: ignore[no-untyped-call]
            client=client,
            middleware=middleware,
            namespace=namespace,
            heartbeat_timeout=HEARTBEAT_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
    raise Configuration(
        f"LEADSWITCH_BROKER_URL has the scheme {url.split(':', 1)[0]!r}.", "Use redis://, rediss://, unix:// or amqp://."
    )


class Doorbell:
    """Rings actors by name, without importing them: the web process needs none of what they need."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self.broker = broker
        self.missed = 0

    def ring_new(self, inbox_ids: Sequence[int], delay_s: float = 0.0) -> None:
        """New deliveries wait in the inbox, or will after a delay."""
        size = min(MOST_ROWS_A_MESSAGE, max(ROWS_A_MESSAGE, len(inbox_ids) // 4))
        for start in range(0, len(inbox_ids), size):
            self._ring(NEW, "ingest", list(inbox_ids[start : start + size]), delay_s=delay_s)

    def ring_command(self, inbox_ids: Sequence[int]) -> None:
        """A person clicked or typed in Slack."""
        for inbox_id in inbox_ids:
            self._ring(COMMAND, "handle_command", [inbox_id])

    def ring_score(self, lead_id: int, *, first: bool = False, delay_s: float = 0.0) -> None:
        """A lead may have another score; `first`: it has none yet."""
        self._ring(*((FIRST, "evaluate_first") if first else (SCORE, "evaluate")), lead_id, delay_s=delay_s)

    def ring_allocate(self, lead_id: int) -> None:
        self._ring(ALLOCATE, "allocate", lead_id)

    def ring_deliver(self, destination: str, delay_s: float = 0.0) -> None:
        """The outbox holds something for a destination."""
        self._ring(notify_queue(destination), f"deliver:{destination}", destination, delay_s=delay_s)

    def ring_slow(self, job: str, reference: int) -> None:
        """A job that may take long: "rationale" of a score, "refresh" of scores that have grown old, "look_alikes", "upkeep",
        "pickup" of files."""
        self._ring(SLOW, job, reference)

    def ring_enrich(self, lead_id: int) -> None:
        """An outside service is to be asked about a new lead."""
        self._ring(ENRICH, "enrich", lead_id)

    def ring_reconcile(self, connection: str) -> None:
        """A CRM is to be asked for what no webhook told us."""
        self._ring(RECONCILE, "reconcile", connection)

    def ring_playbooks(self) -> None:
        """Leads are to be looked at, or runs of playbooks to be carried on."""
        self._ring(PLAYBOOKS, "playbooks", 0)

    def reachable(self) -> bool:
        """Whether the broker answers."""
        try:
            if isinstance(self.broker, RedisBroker):
                return bool(self.broker.client.ping())
            self.broker.declare_queue(NEW, ensure=True)  # type: ignore[call-arg]
        except (redis.RedisError, BrokerDown, OSError):
            return False
        return True

    def _ring(self, queue: str, actor: str, *args: object, delay_s: float = 0.0) -> None:
        options = {trace.KEY: found} if (found := trace.current()) else {}
        message = dramatiq.Message[None](queue_name=queue, actor_name=actor, args=args, kwargs={}, options=options)
        try:
            self.broker.declare_queue(queue)
            self.broker.enqueue(message, delay=round(delay_s * 1000) if delay_s else None)
        except (redis.RedisError, BrokerDown, OSError) as error:
            self.missed += 1
            log.warning("doorbell missed", queue=queue, error=type(error).__name__, missed=self.missed)
