"""How fast the score API answers, over HTTP, from a real web process with a trained model and a past to compare with.

    python -m bench.score_api [--seconds 20] [--rate 50]

One process (uvicorn, uvloop, httptools) on a fresh SQLite file serves a model of 300 trees, trained here on invented leads with
their acts and the tenant's own columns, and holds 3,000 past leads to compare with. Every lead asked for is another one, so that
the cache answers none. At `--rate` requests a second, sent when they are due whether or not the last was answered, latency counts
from the moment a request was due: with the whole answer (`p50_ms`, `p95_ms`) and with `"reasons": false` (`p50_plain_ms`,
`p95_plain_ms`). Then batches of 1,000 leads in one request, the best of five: the score alone (`batch_1000_ms`) and with reasons
(`batch_1000_reasons_ms`).

Baselines of the same run: the same server's `/healthz` at the same rate (`healthz_p50_ms`: HTTP and scheduling alone), and
CatBoost's own SHAP of one lead and of 1,000 (`catboost_shap_ms`, `catboost_shap_1000_ms`), which is what reasons cost without
tables.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import numpy as np

from connector.bootstrap import House, open_house
from connector.settings import read_settings
from leads.enums import ChangeKind, EngagementKind, Outcome, Role
from leads.past import PastLook
from leads.records import Engagement, FieldValue, LabelledHistory, LeadChange, LeadHistory
from scoring.bundle import Bundle
from scoring.features import build
from scoring.training import train

PAST = 3_000
BATCH = 1_000
ROUNDS = 5
KINDS = tuple(
    EngagementKind(word)
    for word in (
        "email_delivered", "email_delivered", "email_opened", "email_clicked", "page_viewed", "page_viewed", "page_viewed",
        "form_submitted", "content_downloaded", "email_replied", "call_answered", "call_missed", "meeting_booked",
    )
)  # fmt: skip
TITLES = ("CEO", "Director of Sales", "Marketing Manager", "Software Engineer", "Student", "Head of Purchasing", "Sales Specialist")
COUNTRIES = ("DE", "FR", "US", "IN", "GB", "BR")
SOURCES = ("web", "event", "partner", "referral", "ads")
INDUSTRIES = ("software", "retail", "health", "finance", "education")


@dataclass(frozen=True)
class Made:
    """An invented lead as it stands, and how it ends."""

    facts: dict[str, FieldValue]
    extra: dict[str, FieldValue]
    acts: tuple[Engagement, ...]
    created: datetime
    as_of: datetime
    won: bool


def invent(random: np.random.Generator, number: int, now: datetime) -> Made:
    """A lead of up to four weeks with half a dozen acts; clicks, replies, title and plan decide."""
    created = now - timedelta(days=float(random.uniform(1, 28)))
    as_of = now
    title, plan = str(random.choice(TITLES)), str(random.choice(["Free", "Team", "Business"]))
    count = int(random.poisson(6))
    span = (as_of - created).total_seconds()
    kinds = [KINDS[place] for place in random.integers(0, len(KINDS), count)]
    acts = tuple(
        Engagement(kind, created + timedelta(seconds=float(share) * span), properties={"path": f"/page-{number % 9}"})
        for kind, share in zip(kinds, np.sort(random.random(count)), strict=True)
    )
    facts: dict[str, FieldValue] = {
        "email": f"lead{number}@firm{number % 97}.com",
        "phone": f"+49301{number:06d}" if random.random() < 0.5 else None,
        "first_name": "Ada",
        "last_name": f"Byron{number}",
        "title": title,
        "company": f"Firm {number % 97}",
        "country": str(random.choice(COUNTRIES)),
        "industry": str(random.choice(INDUSTRIES)) if random.random() < 0.7 else None,
        "employees": int(random.integers(5, 5_000)) if random.random() < 0.6 else None,
        "source": str(random.choice(SOURCES)),
    }
    wanted = kinds.count(EngagementKind.EMAIL_CLICKED) + 2 * kinds.count(EngagementKind.EMAIL_REPLIED)
    odds = -2.5 + 0.7 * wanted + 1.5 * (title in ("CEO", "Director of Sales")) + 0.8 * (plan == "Business")
    extra: dict[str, FieldValue] = {"Plan": plan, "Minutes on site": round(float(random.gamma(2, 60)), 1)}
    return Made(facts, extra, acts, created, as_of, bool(random.random() < 1 / (1 + np.exp(-odds))))


def furnish(home: Path, now: datetime) -> tuple[str, Bundle, list[LeadHistory]]:
    """A model, a past and a token in a fresh installation; returns the token, the model and some histories."""
    random = np.random.default_rng(7)
    examples, histories = [], []
    for number in range(PAST):
        moment = now - timedelta(days=400 * (1 - number / PAST))
        made = invent(random, number, moment)
        history = LeadHistory(number + 1, made.created, made.as_of, made.facts, made.acts, made.extra)
        histories.append(history)
        examples.append(LabelledHistory(history, Outcome.WON if made.won else Outcome.LOST))
    bundle = train(examples, seed=7)
    house = open_house(read_settings({"LEADSWITCH_HOME": str(home)}), migrate=True)
    try:
        bundle.save(house.models.path(bundle.version))
        house.model_versions.add(bundle.version, bundle.metrics)
        house.model_versions.promote(bundle.version)
        _keep_past(house, examples)
        return house.tokens.create("bench", Role.ADMIN)[0], bundle, histories
    finally:
        house.close()


def _keep_past(house: House, examples: Sequence[LabelledHistory]) -> None:
    """Every example as one look of a stored lead."""
    house.db.raw.pragma("synchronous", "off")
    with house.db.transaction():
        for example in examples:
            history = example.history
            change = LeadChange("k", str(history.lead_id), history.created_at, ChangeKind.CREATED, fields={"title": "CEO"})
            lead_id = house.leads.apply("crm", change, live=False).lead_id
            ended = history.as_of + timedelta(days=10)
            house.leads.settle(lead_id, example.outcome, ended)
            after = tuple((act.kind, act.occurred_at + timedelta(days=5)) for act in history.engagements[-5:])
            house.past_looks.replace(lead_id, [PastLook(lead_id, history.as_of, example.outcome, ended, build(history), after)])


def body_of(made: Made, **more: Any) -> dict[str, Any]:
    """The request for an invented lead."""
    acts = [
        {"kind": act.kind.value, "occurred_at": act.occurred_at.isoformat(), "properties": dict(act.properties)}
        for act in made.acts
    ]
    facts = {name: value for name, value in made.facts.items() if value is not None}
    return {"lead": facts, "extra": made.extra, "created_at": made.created.isoformat(), "engagements": acts, **more}


async def paced(http: httpx.AsyncClient, method: str, path: str, bodies: Sequence[bytes | None], rate: float) -> list[float]:
    """Send each when it is due; milliseconds from then to the whole answer."""
    started = time.perf_counter() + 0.05

    async def one(place: int, body: bytes | None) -> float:
        due = started + place / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        response = await http.request(method, path, content=body)
        response.raise_for_status()
        assert body is None or b'"source":"cache"' not in response.content
        return (time.perf_counter() - due) * 1000

    return list(await asyncio.gather(*(one(place, body) for place, body in enumerate(bodies))))


def percentiles(taken: Sequence[float]) -> tuple[float, float]:
    """(median, 95th) in milliseconds."""
    cuts = quantiles(taken, n=100)
    return round(cuts[49], 2), round(cuts[94], 2)


async def measure(base: str, token: str, seconds: float, rate: float, now: datetime) -> dict[str, float]:
    """Everything that goes over HTTP."""
    random = np.random.default_rng(99)
    count = int(seconds * rate)
    numbers = iter(range(10_000_000))

    def bodies(how_many: int, **more: Any) -> list[bytes]:
        return [json.dumps(body_of(invent(random, next(numbers), now), **more)).encode() for _ in range(how_many)]

    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=2)  # the server closes after 5 s
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=limits) as http:
        await paced(http, "POST", "/api/v1/score", bodies(100), 25)  # loads the model and opens connections
        bare = percentiles(await paced(http, "GET", "/healthz", [None] * count, rate))
        whole = percentiles(await paced(http, "POST", "/api/v1/score", bodies(count), rate))
        plain = percentiles(await paced(http, "POST", "/api/v1/score", bodies(count, reasons=False), rate))
        batches = {}
        for name, reasons in (("batch_1000_ms", False), ("batch_1000_reasons_ms", True)):
            taken = []
            for _ in range(ROUNDS):
                leads = [body_of(invent(random, next(numbers), now)) for _ in range(BATCH)]
                body = json.dumps({"leads": leads, "reasons": reasons}).encode()
                started = time.perf_counter()
                response = await http.post("/api/v1/score/batch", content=body)
                taken.append((time.perf_counter() - started) * 1000)
                assert response.status_code == 200, response.text
                assert len(response.json()["scores"]) == BATCH
            batches[name] = round(min(taken), 1)
    figures = {"p50_ms": whole[0], "p95_ms": whole[1], "p50_plain_ms": plain[0], "p95_plain_ms": plain[1]}
    return {**figures, **batches, "healthz_p50_ms": bare[0], "healthz_p95_ms": bare[1]}


def measure_catboost(bundle: Bundle, histories: Sequence[LeadHistory]) -> dict[str, float]:
    """CatBoost's own SHAP values of one lead and of a thousand, in this process: the baseline of the tables."""
    from scoring.boosted import BoostedScorer
    from scoring.columns import add_extra, only_extra

    scorer = bundle.scorer
    assert isinstance(scorer, BoostedScorer)
    extra = only_extra(bundle.columns)
    rows = [add_extra(build(history), history, extra) for history in histories[:BATCH]]

    def best(count: int, repeats: int) -> float:
        taken = []
        for _ in range(repeats):
            pool = scorer._pool(rows[:count])
            started = time.perf_counter()
            scorer._model.get_feature_importance(pool, type="ShapValues", thread_count=1)
            taken.append((time.perf_counter() - started) * 1000)
        return round(min(taken), 2)

    return {"catboost_shap_ms": best(1, 20), "catboost_shap_1000_ms": best(BATCH, 3)}


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(home: Path, port: int) -> subprocess.Popen[bytes]:
    """The web process of the installation; ready when this returns."""
    environment = {**os.environ, "LEADSWITCH_HOME": str(home), "LEADSWITCH_BIND": f"127.0.0.1:{port}"}
    environment |= {"LEADSWITCH_LOG_LEVEL": "error", "LEADSWITCH_REDIS_URL": "redis://127.0.0.1:1/0"}  # scoring rings nobody
    process = subprocess.Popen([sys.executable, "-m", "connector", "web"], cwd=home, env=environment)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the web process did not start")


def main() -> None:
    """Measure and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each paced run takes")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends this ends the server too
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        print(f"training on {PAST:,} invented leads …", flush=True)
        token, bundle, histories = furnish(home, now)
        port = free_port()
        process = serve(home, port)
        try:
            figures = asyncio.run(measure(f"http://127.0.0.1:{port}", token, chosen.seconds, chosen.rate, now))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    figures |= measure_catboost(bundle, histories)
    print(f"model {bundle.version}: {len(bundle.columns)} columns, {PAST:,} past leads, {chosen.rate:g} requests a second")
    for name, value in figures.items():
        print(f"{name:>24} {value:10.2f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
