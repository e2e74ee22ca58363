"""Stage 4, `lead.notify`: take outbox rows of one destination and make them true there.

A row that a crash left in doubt is looked up at the receiver before it is sent again. Waiting because a receiver asked for it
(rate limits) is not a failed try; anything else is, and the third ends on the dead-letter list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

import structlog

from connector import trace
from connector.bootstrap import House
from connector.errors import Configuration, LeadswitchError, Retriable, Skippable
from connector.http import Unsure
from connector.pipeline.crm_wishes import OWN, wish_of
from connector.ports import CrmWrite, LeadWrite, TaskWrite, Written
from connector.storage.cards import Card
from connector.storage.effects import EQUAL, Effect
from leads.enums import DecisionOutcome, EffectKind, LifecycleStage, Outcome, Tier
from leads.records import Lead

log = structlog.get_logger(__name__)

TRIES = 3
BACK_OFF_S = (5.0, 60.0)
#: A receiver that asks for no pause at all gets one all the same, or it would be asked again and again without end.
LEAST_DELAY_S = 1.0
CRM_BATCH = 100
#: Before something that may have been made is looked up: a CRM's search lags behind its writes.
DOUBT_S = 60.0
#: After so long of being asked to wait by its receiver, a row is given up all the same. A wait for its own moment does not count.
PATIENCE = timedelta(hours=24)
PRIORITY: dict[Tier, Literal["high", "medium"]] = {Tier.A: "high", Tier.B: "medium"}
LOOP_WINDOW_S = 3600.0
#: What a rep told of a lead → its lead status in the CRM. A lead that was won shows it by its stage.
STATUSES = {
    "contacted": "connected",
    "no_answer": "attempted_to_contact",
    "meeting": "connected",
    "lost": "unqualified",
    "reopened": "open",
}


#: What does not leave by Slack or a CRM.
OUTLETS = frozenset({EffectKind.EMAIL, EffectKind.WEBHOOK, EffectKind.ENROL})


class Held(LeadswitchError):
    """The row waits until a moment by somebody's wish, such as quiet hours: neither a failed try nor a loss of patience."""

    def __init__(self, why: str, until: datetime) -> None:
        super().__init__(why)
        self.until = until


class Handler(Protocol):
    """Makes one effect true at its receiver."""

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Do it and return the receiver's receipt. Raises the errors of `connector.errors`."""
        ...


#: Filled in the worker: by `bots`, which `connector` never imports, and by `connector.playbooks.senders`.
HANDLERS: dict[EffectKind, Handler] = {}


def deliver(house: House, destination: str) -> int:
    """Send what is due for a destination until nothing is; returns how many rows were taken."""
    to_crm = destination in house.crm_connections()
    send = _deliver_crm if to_crm else _deliver_singly
    limit = CRM_BATCH if to_crm else 1
    taken = 0
    if destination == "slack" and HANDLERS.keys() <= OUTLETS:
        return 0  # without a bot token its rows wait
    while not house.breakers.bars(breaker := house.breakers.of(destination)):
        effects = house.effects.claim(destination, 1 if breaker.opens_at else limit)
        if not effects:
            break
        taken += len(effects)
        for group in _by_doubt(effects):
            send(house, destination, house.effects.renew(group) if len(effects) > 1 else group)
    return taken


def _unanswered(house: House, destination: str, error: LeadswitchError) -> LeadswitchError:
    """Count a call that nobody answered; while the breaker is open, what was in hand waits and has had no try."""
    if not isinstance(error, Retriable) or (error.delay_s is not None and not isinstance(error, Unsure)):
        return error
    breaker = house.breakers.failed(destination, error)
    if breaker.opens_at is None or isinstance(error, Unsure):  # what may have arrived is looked up, whenever that may be
        return error
    return Retriable(str(error), (breaker.opens_at - house.clock.now()).total_seconds())


def _by_doubt(effects: Sequence[Effect]) -> list[list[Effect]]:
    """Rows in doubt apart from the others: only they need a look-up first."""
    return [group for doubt in (True, False) if (group := [effect for effect in effects if effect.in_doubt is doubt])]


def _deliver_singly(house: House, destination: str, effects: Sequence[Effect]) -> None:
    for effect in effects:
        handler = HANDLERS.get(effect.kind)
        bound = structlog.contextvars.bound_contextvars(effect_id=effect.id, lead_id=effect.lead_id)
        with trace.follow(effect.trace_id), bound:
            if handler is None:
                _fail(house, destination, effect, Configuration(f"Nobody here delivers {effect.kind.value}."))
                continue
            _try(house, destination, effect, lambda: _alert(house, handler, effect))  # noqa: B023 - called at once


def _alert(house: House, handler: Handler, effect: Effect) -> str | None:
    """A card, or a digest of what its rep was not told yet."""
    if effect.kind is not EffectKind.SLACK_DIGEST:
        return handler.deliver(house, effect, effect.in_doubt)
    rep_id = str(effect.payload["rep_id"])
    lead_ids = list(house.cards.without_card(rep_id))
    if not lead_ids:
        return "nothing to list"
    receipt = handler.deliver(house, replace(effect, payload={**effect.payload, "lead_ids": lead_ids}), effect.in_doubt)
    channel, _, ts = (receipt or "").partition(":")
    with house.db.transaction():
        for lead_id in lead_ids:
            house.cards.save(Card(lead_id, f"digest:{rep_id}", channel, ts, ""))
    return receipt


def _try(house: House, destination: str, effect: Effect, send: Callable[[], str | None]) -> None:
    try:
        receipt = send()
    except Skippable as error:
        house.effects.finish(effect, f"skipped: {error}")
    except LeadswitchError as error:
        _fail(house, destination, effect, _unanswered(house, destination, error))
    except Exception as error:  # a fault of ours must not hold up the other rows: it is a failed try of this one
        log.exception("effect failed")
        _fail(house, destination, effect, Retriable(f"Unexpected {type(error).__name__}."))
    else:
        house.breakers.worked(destination)
        house.effects.finish(effect, receipt)
        log.info("alert sent", kind=effect.kind.value)


def _fail(house: House, destination: str, effect: Effect, error: Exception) -> None:
    """Put the row back, or give it up when it cannot help or has had its tries."""
    if isinstance(error, Held):  # the sweep rings for it when its moment has come
        wait_s = (error.until - house.clock.now()).total_seconds()
        house.effects.put_back(effect, max(wait_s, LEAST_DELAY_S), str(error), counted=False)
        return
    if isinstance(error, Retriable):
        begun = effect.waiting_since or house.clock.now()
        patient = house.clock.now() - begun < PATIENCE
        if error.delay_s is not None and not isinstance(error, Unsure) and patient:
            delay = max(error.delay_s, LEAST_DELAY_S)
            house.effects.put_back(effect, delay, str(error), counted=False, waiting_since=begun)
            house.queue.ring_deliver(destination, delay_s=delay)
            return
        if effect.attempts < TRIES:
            delay = DOUBT_S if isinstance(error, Unsure) else BACK_OFF_S[min(effect.attempts - 1, len(BACK_OFF_S) - 1)]
            doubt = isinstance(error, Unsure)
            house.effects.put_back(effect, delay, str(error), counted=True, in_doubt=doubt, waiting_since=effect.waiting_since)
            house.queue.ring_deliver(destination, delay_s=delay)
            known = {"trace_id": effect.trace_id, "effect_id": effect.id, "kind": effect.kind.value}
            log.warning("effect put back", error=str(error), attempts=effect.attempts, **known)
            return
    with house.db.transaction():
        house.effects.bury(effect, str(error))
        house.deadletters.add("effect", effect.id, destination, str(error))
    log.error("effect given up", trace_id=effect.trace_id, effect_id=effect.id, kind=effect.kind.value, error=str(error))


# -- CRM


def ask_record(house: House, lead: Lead) -> None:
    """Ask, within the caller's transaction, that the lead's record in its CRM be brought up to date."""
    if lead.external_id and lead.connection in house.crm_connections():
        house.effects.add(EffectKind.CRM_LEAD, lead.connection, f"lead:{lead.id}", lead.id)
        house.db.after_commit(lambda: house.queue.ring_deliver(lead.connection))


def _deliver_crm(house: House, destination: str, effects: Sequence[Effect]) -> None:
    """One batch to a CRM: every row ends for itself, whatever became of the others."""
    ready: list[tuple[Effect, CrmWrite]] = []
    for effect in effects:
        try:
            ready.append((effect, _wanted(house, destination, effect)))
        except Skippable as error:
            house.effects.finish(effect, f"skipped: {error}")
        except LeadswitchError as error:
            _fail(house, destination, effect, error)
        except Exception as error:
            log.exception("write could not be worded", effect_id=effect.id)
            _fail(house, destination, effect, Retriable(f"Unexpected {type(error).__name__}."))
    if not ready:
        return
    try:
        client = house.client(destination)
        if client is None:
            raise LeadswitchError(f"{destination} has no way to write.")
        results: Sequence[Written] = client.write([write for _, write in ready], in_doubt=ready[0][0].in_doubt)
    except Skippable as error:  # of a whole batch: not a record that is gone, but an address that is wrong
        mend = Configuration(f"{destination} does not know the address written to ({error}).", "Look at its base_url and version.")
        results = [Written(False, error=mend)] * len(ready)
    except LeadswitchError as error:
        results = [Written(False, error=_unanswered(house, destination, error))] * len(ready)
    except Exception as error:
        log.exception("CRM write failed", destination=destination)
        results = [Written(False, error=Retriable(f"Unexpected {type(error).__name__}."))] * len(ready)
    else:
        house.breakers.worked(destination)
    for (effect, write), result in zip(ready, results, strict=True):
        if result.ok:
            unchanged = isinstance(write, LeadWrite) and not result.changed
            made = result.receipt or (write.made_as if isinstance(write, TaskWrite) else ",".join(result.changed))
            house.effects.finish(effect, EQUAL if unchanged else made)
        elif isinstance(result.error, Skippable):
            house.effects.finish(effect, f"skipped: {result.error}")
        else:
            _fail(house, destination, effect, result.error or LeadswitchError("The CRM refused without a reason."))
        log.info(
            "written back",
            trace_id=effect.trace_id,
            effect_id=effect.id,
            kind=effect.kind.value,
            ok=result.ok,
            lead_id=effect.lead_id,
            write=type(write).__name__,
        )


def _wanted(house: House, connection: str, effect: Effect) -> CrmWrite:
    """What the CRM should hold, as the lead stands now. Raises `Skippable` when there is nothing to write any more."""
    lead = house.leads.get(effect.lead_id or 0)
    if lead is None or lead.erased or lead.external_id is None or lead.connection != connection:
        raise Skippable("The lead has no record there any more.")
    stored = house.scores.newest(lead.id)
    rep = house.reps.get(lead.owner_id) if lead.owner_id else None
    owner = rep.external_id if rep and rep.connection == connection else None
    often = house.settings.write_back.loop_limit
    if effect.kind is EffectKind.CRM_LEAD and house.effects.done_since(effect.kind, lead.id, LOOP_WINDOW_S) >= often:
        raise Retriable("This record changes too often: the loop breaker is open.", LOOP_WINDOW_S / 4)
    if OWN in effect.payload:
        return wish_of(house, effect, lead, lead.external_id, owner)
    if effect.kind is EffectKind.CRM_TASK:
        if owner is None:
            raise Skippable("The lead has no owner in this CRM.")
        return _task(house, effect, lead.external_id, owner)
    decision = house.decisions.newest(lead.id)
    tier = stored.score.tier if stored else None
    stage = LifecycleStage.MQL.value if tier in (Tier.A, Tier.B) else None
    if lead.outcome is Outcome.WON:
        stage = LifecycleStage.CUSTOMER.value
    told = house.feedback.newest(lead.id, "outcome")
    status = STATUSES.get(told.value) if told else None
    if stored is not None:  # what goes out is what later moves are measured against
        house.leads.announce(lead.id, stored.score.score, stored.score.tier)
    held = decision is not None and decision.outcome is DecisionOutcome.HELD and bool(house.decisions.history(lead.id))
    write = LeadWrite(
        external_id=lead.external_id,
        owner_id="" if held and owner is None else owner,  # passed, and nobody took it: the CRM must not show who passed
        score=stored.score.score if stored else None,
        tier=tier,
        reasons="; ".join(reason.text for reason in stored.score.reasons[:5]) if stored else None,
        routed_because=decision.because if decision else None,
        stage=stage,
        lead_status=status,
    )
    wanted = {"owner_id": write.owner_id, "lifecycle_stage": stage, "lead_status": status}
    house.echoes.note(connection, lead.external_id, {key: value for key, value in wanted.items() if value})
    return write


def _task(house: House, effect: Effect, external_id: str, owner: str) -> TaskWrite:
    """The follow-up task: one a lead, found again by its marker, moved to a new owner when the lead is."""
    lead_id = effect.lead_id or 0
    stored = house.scores.newest(lead_id)
    tier = stored.score.tier if stored else Tier.UNKNOWN
    assignment = house.decisions.open_assignment(lead_id)
    opened = assignment.opened_at if assignment else house.clock.now()
    minutes = house.settings.write_back.task_due_minutes.get(tier.value, 1440)
    reasons = "; ".join(reason.text for reason in stored.score.reasons[:3]) if stored else ""
    return TaskWrite(
        marker=house.vault.index("task", str(lead_id)),
        external_id=external_id,
        owner_id=owner,
        subject=f"Follow up: tier {tier.value.upper()} lead" + (f" (score {stored.score.score})" if stored else ""),
        body=reasons,
        due_at=opened + timedelta(minutes=minutes),
        priority=PRIORITY.get(tier, "low"),
        made_as=house.effects.receipt(effect.kind, effect.subject),
    )
