"""The house: every shared service built once from the settings and handed to whoever needs it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from allocation.policy import Policy
from connector.budget import RedisBudget
from connector.clock import Clock, SystemClock
from connector.embedded import url as embedded_url
from connector.errors import Configuration
from connector.live import LiveLayer
from connector.models.shelf import ModelShelf
from connector.playbooks.shelf import PlaybookShelf
from connector.policies import PolicyShelf
from connector.ports import Adapter, ClientContext, CrmClient, Enroller, EnrollingAdapter, RateBudget, Receiver
from connector.queue import SMTP, Doorbell, make_broker, webhook_destination
from connector.registry import adapter as find_adapter
from connector.registry import adapters
from connector.rep_fits import RepFits
from connector.settings import ConnectionSettings, Settings
from connector.storage.accounts import Accounts
from connector.storage.acts import Acts
from connector.storage.audit import AuditTrail
from connector.storage.breakers import Breakers
from connector.storage.bulks import Bulks
from connector.storage.cards import Cards
from connector.storage.cells import Cells
from connector.storage.db import Database
from connector.storage.deadletters import DeadLetters
from connector.storage.decisions import Decisions
from connector.storage.echoes import Echoes
from connector.storage.effects import Effects
from connector.storage.enrichments import Enrichments
from connector.storage.events import Events
from connector.storage.feedback import FeedbackRows
from connector.storage.histories import Histories
from connector.storage.homes import Homes
from connector.storage.inbox import InboxRows
from connector.storage.leads import Leads
from connector.storage.lessons import Lessons
from connector.storage.model_versions import ModelVersions
from connector.storage.namesakes import Namesakes
from connector.storage.newcomers import Newcomers
from connector.storage.past_looks import PastLooks
from connector.storage.playbooks import PlaybookRows
from connector.storage.policies import Policies
from connector.storage.privacy import Privacy
from connector.storage.reps import Reps
from connector.storage.scores import Scores
from connector.storage.signals import Signals
from connector.storage.snoozes import Snoozes
from connector.storage.stages import Stages
from connector.storage.standings import Standings
from connector.storage.threads import Threads
from connector.storage.timers import Timers
from connector.storage.tokens import Tokens
from connector.storage.waiting import WaitingList
from connector.tier_skill import TierSkills
from connector.vault import Vault, open_vault

if TYPE_CHECKING:
    import openai

    from connector.appraise import Appraiser
    from connector.enrichment import Enricher


@dataclass
class House:
    """Everything one process works with. Built by `open_house`; closed by `close`."""

    settings: Settings
    clock: Clock
    db: Database
    vault: Vault
    redis_url: str
    broker_url: str
    chance: random.Random
    _receivers: dict[str, Receiver] = field(default_factory=dict)
    _clients: dict[str, CrmClient | None] = field(default_factory=dict)
    _enrollers: dict[str, Enroller] = field(default_factory=dict)

    def __post_init__(self) -> None:
        db, vault, clock = self.db, self.vault, self.clock
        self.inbox = InboxRows(db, vault, clock)
        self.events = Events(db, clock)
        self.leads = Leads(db, vault, clock, homes=self._homes())
        self.signals = Signals(db, vault)
        self.namesakes = Namesakes(db, vault)
        self.accounts = Accounts(db, vault)
        self.enrichments = Enrichments(db, vault, clock)
        self.newcomers = Newcomers(db, vault, clock)
        self.histories = Histories(db, vault, self.signals)
        self.scores = Scores(db, vault)
        self.stages = Stages(db)
        self.past_looks = PastLooks(db)
        self.decisions = Decisions(db, clock)
        self.effects = Effects(db, clock)
        self.cards = Cards(db)
        self.homes = Homes(db, clock)
        self.standings = Standings(db)
        self.threads = Threads(db)
        self.acts = Acts(db, clock)
        self.bulks = Bulks(db, vault, clock)
        self.feedback = FeedbackRows(db, clock)
        self.snoozes = Snoozes(db, clock)
        self.waiting = WaitingList(db, clock)
        self.timers = Timers(db, clock)
        self.policies = Policies(db, clock)
        self.playbooks = PlaybookRows(db, clock)
        self.playbook_shelf = PlaybookShelf(self.playbooks, clock)
        self.tier_skills = TierSkills(self.decisions, clock)
        self.lessons = Lessons(db, self.decisions)
        self.reps = Reps(db, vault, clock)
        self.audit = AuditTrail(db, vault, clock)
        self.tokens = Tokens(db, clock)
        self.deadletters = DeadLetters(db, clock)
        self.echoes = Echoes(db, vault, clock)
        self.privacy = Privacy(db, vault, clock)
        self.cells = Cells(db, vault, clock)
        self.breakers = Breakers(self.cells, clock)
        self.rep_fits = RepFits(self.cells, clock)
        self.model_versions = ModelVersions(db, clock)

    @cached_property
    def models(self) -> ModelShelf:
        """The champion model, loaded when first asked for."""
        return ModelShelf(self.model_versions, self.settings.models_path, self.clock)

    @cached_property
    def appraiser(self) -> Appraiser:
        """Answers about leads. Built when first asked for, because it brings the numerics along."""
        from connector.appraise import Appraiser

        return Appraiser(self)

    @cached_property
    def enricher(self) -> Enricher:
        """The outside service that knows more of people, if one is set up. Raises `Configuration` for wrong settings."""
        from connector.enrichment import HttpEnricher

        return HttpEnricher(self.settings.enrichment, self.clock, self.budget)

    @cached_property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)

    @cached_property
    def live(self) -> LiveLayer:
        """The counts behind the live features."""
        return LiveLayer.at(self.redis_url)

    @cached_property
    def budget(self) -> RateBudget:
        return RedisBudget(self.redis)

    @cached_property
    def queue(self) -> Doorbell:
        return Doorbell(make_broker(self.broker_url))

    @cached_property
    def llm(self) -> openai.OpenAI:
        """The client of the LLM; made once, because its TLS context takes longer than its calls."""
        import openai  # half a second that only a house with an LLM pays

        settings = self.settings.llm
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        return openai.OpenAI(base_url=settings.base_url, api_key=key, timeout=settings.budget_ms / 1000, max_retries=0)

    @cached_property
    def policy_shelf(self) -> PolicyShelf:
        """Where the policy in force is found, and exchanged when another is published."""
        return PolicyShelf(self.policies, Path(self.settings.policy), self.clock)

    @property
    def policy(self) -> Policy:
        """The allocation policy in force."""
        return self.policy_shelf.current()

    def connection(self, name: str) -> ConnectionSettings:
        """The settings of a connection. Raises `Configuration` when there is none of that name."""
        try:
            return self.settings.connections[name]
        except KeyError:
            raise Configuration(f"There is no connection {name!r}.", "See `leadswitch connections list`.") from None

    def adapter(self, name: str) -> Adapter:
        """The adapter of a connection."""
        return find_adapter(self.connection(name).adapter)

    def receiver(self, name: str) -> Receiver:
        """The inbound half of a connection, built once."""
        if name not in self._receivers:
            self._receivers[name] = self.adapter(name).receiver(self.connection(name), self.settings.public_url)
        return self._receivers[name]

    def client(self, name: str) -> CrmClient | None:
        """The outbound half of a connection, built once; None when the vendor has none."""
        if name not in self._clients:
            context = ClientContext(name, self.budget, self.clock, self.cells, self.settings.public_url)
            self._clients[name] = self.adapter(name).client(self.connection(name), context)
        return self._clients[name]

    def _homes(self) -> frozenset[str]:
        """The connections whose records are written to: the CRMs. One whose adapter is not there is told of where it is used."""
        known = adapters()
        connections = self.settings.connections.items()
        return frozenset(name for name, one in connections if one.adapter in known and known[one.adapter].kind == "crm")

    def crm_connections(self) -> list[str]:
        """Names of the connections that are CRMs."""
        return [name for name in self.settings.connections if self.adapter(name).kind == "crm"]

    def tools(self) -> list[str]:
        """Names of the connections in whose sequences people can be enrolled: those that have the token for it."""
        connections = self.settings.connections.items()
        return [name for name, one in connections if one.token and isinstance(self.adapter(name), EnrollingAdapter)]

    def enroller(self, name: str) -> Enroller:
        """The part of a connection that enrols people, built once. Raises `Configuration` when it has none."""
        if name not in self._enrollers:
            adapter = self.adapter(name)
            if not isinstance(adapter, EnrollingAdapter):
                raise Configuration(f"{adapter.title} enrols nobody in sequences.")
            context = ClientContext(connection=name, budget=self.budget, clock=self.clock, token_store=self.cells)
            self._enrollers[name] = adapter.enroller(self.connection(name), context)
        return self._enrollers[name]

    def outlets(self) -> list[str]:
        """The destinations of the outbox beside Slack and the CRMs: e-mail, webhooks, and the tools that enrol people."""
        mail = [SMTP] if self.settings.smtp.host else []
        return [*mail, *map(webhook_destination, self.settings.webhooks), *self.tools()]

    @property
    def slack_configured(self) -> bool:
        return self.settings.slack.bot_token is not None

    def close(self) -> None:
        """Give back what is held."""
        if "appraiser" in self.__dict__:
            self.appraiser.close()
        if "queue" in self.__dict__:
            self.queue.broker.close()
        if "redis" in self.__dict__:
            self.redis.close()
        self.db.close()


def open_house(settings: Settings, clock: Clock | None = None, *, migrate: bool = False) -> House:
    """Build the house. Without a configured Redis it attaches to the embedded one of `home` (see `connector.embedded`)."""
    settings.home.mkdir(parents=True, exist_ok=True)
    vault = open_vault(settings.encryption_keys.get_secret_value() if settings.encryption_keys else None, settings.home)
    db = Database(settings.database)
    if migrate:
        db.migrate()
    redis_url = settings.redis_url or embedded_url(settings.home)
    return House(settings, clock or SystemClock(), db, vault, redis_url, settings.broker_url or redis_url, new_chance())


def new_chance() -> random.Random:
    """What a house draws its lots from. Tests put one in its place that draws the same every time."""
    return random.Random()  # noqa: S311 - nobody is to be kept from guessing it
