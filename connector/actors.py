"""The Dramatiq actors: thin, idempotent, ids only. Each calls one function of the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import CurrentMessage

from connector import trace
from connector.bootstrap import House
from connector.errors import Fatal, LeadswitchError, Retriable, Skippable
from connector.pipeline import look_alikes
from connector.pipeline.deliver import deliver
from connector.pipeline.enrich import enrich
from connector.pipeline.evaluate import evaluate
from connector.pipeline.ingest import ingest
from connector.pipeline.pickup import pick_up
from connector.pipeline.rationale import write_rationale
from connector.pipeline.reconcile import reconcile_in_turn
from connector.pipeline.rescore import refresh
from connector.pipeline.upkeep import keep_up
from connector.pipeline.waiting import allocate_in_turn
from connector.playbooks.runs import sweep_playbooks
from connector.playbooks.senders import register
from connector.queue import ALLOCATE, COMMAND, ENRICH, FIRST, NEW, PLAYBOOKS, RECONCILE, SCORE, SLOW, notify_queue

log = structlog.get_logger(__name__)

#: Three tries in all: the first and two more.
RETRIES: Mapping[str, int] = {"max_retries": 2, "min_backoff": 1_000, "max_backoff": 60_000}
#: What one click or command may take before another worker tries it.
COMMAND_S = 60.0
COMMAND_HANDLER = "bots.slack.worker:handle"


def load(reference: str) -> Callable[..., Any]:
    """The function behind `module:name`; how the worker reaches packages that `connector` must not import."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


def declare(broker: dramatiq.Broker, house: House) -> None:
    """Declare every actor on a broker."""

    def actor(name: str, queue: str, call: Callable[..., object], **options: Any) -> None:
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with trace.follow(_trace()):
                    call(*args, **kwargs)
            except LeadswitchError:
                raise
            except Exception as error:  # Dramatiq keeps and logs its text, which may quote what is personal
                log.exception("job failed", actor=name)
                raise Retriable(f"Unexpected {type(error).__name__}.") from None

        dramatiq.actor(actor_name=name, queue_name=queue, broker=broker, **options)(run)

    # A new lead on its way goes first, then what has just come in: it may be another one. Further scores wait until then; those of
    # one lead become one, so that a burst of events is worked off with fewer of them.
    actor("ingest", NEW, lambda ids: ingest(house, ids), priority=1, **RETRIES, on_retry_exhausted="give_up")
    actor("evaluate", SCORE, _of_lead(house, evaluate), priority=2, **RETRIES, on_retry_exhausted="give_up")
    actor("evaluate_first", FIRST, _of_lead(house, evaluate), priority=0, **RETRIES, on_retry_exhausted="give_up")
    actor("allocate", ALLOCATE, _of_lead(house, allocate_in_turn), priority=0, **RETRIES, on_retry_exhausted="give_up")
    actor("handle_command", COMMAND, lambda ids: handle_command(house, ids), **RETRIES, on_retry_exhausted="give_up")
    register(house)
    for destination in ["slack", *house.crm_connections(), *house.outlets()]:
        actor(f"deliver:{destination}", notify_queue(destination), lambda name: deliver(house, name), max_retries=0)
    actor("rationale", SLOW, lambda score_id: write_rationale(house, score_id), max_retries=0)
    actor("refresh", SLOW, lambda _: refresh(house), max_retries=0)
    actor("look_alikes", SLOW, lambda _: look_alikes.refresh(house), max_retries=0)
    actor("pickup", SLOW, lambda _: pick_up(house), max_retries=0)
    actor("upkeep", SLOW, lambda _: keep_up(house), max_retries=0)
    if house.settings.enrichment.url:
        actor("enrich", ENRICH, _of_lead(house, enrich), max_retries=0)
    actor("reconcile", RECONCILE, lambda name: reconcile_in_turn(house, name), max_retries=0)
    actor("playbooks", PLAYBOOKS, lambda _: sweep_playbooks(house), max_retries=0)
    actor("give_up", SLOW, lambda message, _: give_up(house, message), max_retries=0)


def _trace() -> str | None:
    """The id that came with the message in hand."""
    message = CurrentMessage.get_current_message()
    return message.options.get(trace.KEY) if message else None


def _of_lead(house: House, call: Callable[[House, int], object]) -> Callable[[int], None]:
    """A stage of one lead. The clock's bell carries no id: then the lead's newest delivery tells."""

    def run(lead_id: int) -> None:
        with trace.follow(trace.current() or house.events.trace_of(lead_id)):
            call(house, lead_id)

    return run


def handle_command(house: House, inbox_ids: Sequence[int]) -> None:
    """Do what a person clicked or typed in Slack, once. The stored body is the payload as JSON, whatever form Slack sent it in."""
    handle = load(COMMAND_HANDLER)
    for inbox_id in inbox_ids:
        if not house.inbox.claim(inbox_id, COMMAND_S):
            continue  # done, or another worker is at it
        try:
            for stored in house.inbox.read([inbox_id]):
                bound = structlog.contextvars.bound_contextvars(inbox_id=stored.id)
                with trace.follow(stored.trace_id), bound, house.inbox.in_hand(stored.id):
                    handle(house, json.loads(stored.delivery.body))
                    house.inbox.finish(stored.id)
        except Skippable as error:  # another worker thought this one dead, and did it; or there is nothing to do
            house.inbox.finish(inbox_id)
            log.info("request skipped", inbox_id=inbox_id, why=str(error))
        except Exception:
            house.inbox.release(inbox_id)
            raise


def give_up(house: House, message: Mapping[str, Any]) -> None:
    """A job failed three times: keep it as a dead letter, and take its work off the sweeper's hands."""
    name, args = message["actor_name"], message["args"]
    error = _last_line(message.get("options", {}).get("traceback", ""))
    with house.db.transaction():
        if name in ("ingest", "handle_command"):
            for inbox_id in args[0]:
                if house.inbox.is_pending(inbox_id):
                    house.inbox.finish(inbox_id, "dead", error)
                    house.deadletters.add("inbox", inbox_id, message["queue_name"], error)
        elif name in ("evaluate", "evaluate_first", "allocate"):
            house.leads.stop_stage(args[0], "allocate" if name == "allocate" else "score")
            house.deadletters.add("lead", args[0], message["queue_name"], error)
        else:
            raise Fatal(f"Nobody knows how to give up {name}.")
    log.error("job given up", actor=name, error=error)


def _last_line(traceback: str) -> str:
    """The error in one line: `declare` lets only errors of ours out, whose text is safe."""
    lines = [line for line in traceback.strip().splitlines() if line and not line.startswith(" ")]
    return lines[-1].removeprefix("connector.errors.") if lines else "unknown error"
