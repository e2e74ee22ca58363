"""A small client of the API for Python programs: typed answers, errors that name the field, retries where they are safe.

with Leadswitch("http://127.0.0.1:8080", token) as leadswitch:
    answer = leadswitch.score({"email": "ada@example.com", "title": "CTO"})
    print(answer.score, answer.tier, [reason.text for reason in answer.top_positive])
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, cast

import httpx

from leads.records import FieldValue

#: Answers that say "not now": a request that only asks may be sent again.
NOT_NOW: Final = frozenset({429, 503})
TRIES: Final = 3
LONGEST_WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One signed contribution in log-odds, in words."""

    feature: str
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class SimilarLead:
    """A past lead that stood alike, and how it ended."""

    lead_id: int
    outcome: str
    similarity: float
    days_to_outcome: float


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do; `support` won look-alikes speak for it."""

    action: str
    text: str
    support: int


@dataclass(frozen=True, slots=True)
class BestTime:
    """When to do it."""

    start: datetime
    end: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Lift:
    """What would lift the lead, and where to."""

    steps: tuple[str, ...]
    text: str
    tier: str
    score: int
    lifts: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A fact worth asking the lead for, and its share of what moves scores."""

    field: str
    question: str
    gain: float


@dataclass(frozen=True, slots=True)
class Score:
    """The whole answer about a lead; docs/scoring.md explains each number. `document` is the answer as it came."""

    lead_id: int | None
    probability: float
    score: int
    tier: str
    priority: int
    confidence: float
    fit: int | None
    intent: int | None
    trend: int | None
    expected_value: float | None
    top_positive: tuple[Reason, ...]
    top_negative: tuple[Reason, ...]
    similar_leads: tuple[SimilarLead, ...]
    next_step: NextStep | None
    best_time: BestTime | None
    would_lift: Lift | None
    ask_next: Ask | None
    model_version: str
    source: str
    note: str | None
    as_of: datetime
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    detail: str


@dataclass(eq=False)
class ApiError(Exception):
    """An answer other than success; `kind` is the stable last part of the problem's type."""

    status: int
    kind: str
    title: str
    detail: str = ""
    errors: Sequence[FieldError] = ()

    def __str__(self) -> str:
        named = "; ".join(f"{one.field}: {one.detail}" for one in self.errors)
        return " ".join(part for part in (f"{self.status} {self.title}", self.detail, named) if part)


class Leadswitch:
    """The API of one installation. Close it, or use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        client: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`client` replaces the HTTP client, for tests and proxies; its base URL is then used."""
        self._http = client or httpx.Client(base_url=base_url, timeout=timeout_s)
        self._headers = {"authorization": f"Bearer {token}"}
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    # -- scores

    def score(self, lead: Mapping[str, FieldValue] | int, *, reasons: bool = True, **more: Any) -> Score:
        """Score a stored lead by its id, or an unstored one by its fields.

        `more` may hold `extra`, `created_at` and `engagements`. Raises `ApiError`.
        """
        return _score(self._ask("POST", "/score", {**_lead(lead, more), "reasons": reasons}))

    def score_batch(
        self, leads: Sequence[Mapping[str, Any] | int], *, reasons: bool = True, whole: bool = False
    ) -> tuple[Score, ...]:
        """Score many leads, in their order: ids, or bodies such as `{"lead": {...}, "engagements": [...]}`. Raises `ApiError`."""
        bodies = [{"lead_id": one} if isinstance(one, int) else dict(one) for one in leads]
        told = self._ask("POST", "/score/batch", {"leads": bodies, "reasons": reasons, "whole": whole})
        return tuple(_score(one) for one in told["scores"])

    def score_csv(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Send a CSV file in parts; yields the scored file in parts. Raises `ApiError`, also when the answer breaks off."""
        headers = {**self._headers, "content-type": "text/csv"}
        try:
            with self._http.stream("POST", "/api/v1/score/csv", content=parts, headers=headers) as response:
                if response.status_code != 200:
                    response.read()
                    raise _problem(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise ApiError(0, "broken-off", "The answer broke off.", type(error).__name__) from error

    # -- leads

    def add_lead(self, lead: Mapping[str, FieldValue], *, external_id: str | None = None, **extra: FieldValue) -> int:
        """Store a lead and have it routed; returns its id. Raises `ApiError`."""
        body = {"lead": dict(lead), "extra": extra, **({"external_id": external_id} if external_id else {})}
        return int(self._ask("POST", "/leads", body, again=False)["id"])

    def lead(self, lead_id: int) -> Mapping[str, Any]:
        """A stored lead with its score and owner. Raises `ApiError`."""
        return self._ask("GET", f"/leads/{lead_id}")

    def why(self, lead_id: int) -> Mapping[str, Any]:
        """The decision that stands and everything it rested on. Raises `ApiError`."""
        return self._ask("GET", f"/leads/{lead_id}/why")

    def reassign(self, lead_id: int, rep_id: str, reason: str) -> str:
        """Give a lead to a rep; returns the sentence for the person. Raises `ApiError`."""
        told = self._ask("POST", f"/leads/{lead_id}/reassign", {"rep_id": rep_id, "reason": reason}, again=False)
        return str(told["text"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, again: bool = True) -> Mapping[str, Any]:
        """One call; what changes nothing (`again`) is tried anew when the answer is "not now"."""
        for left in reversed(range(TRIES if again else 1)):
            content = None if body is None else _json(body)
            headers = self._headers if content is None else {**self._headers, "content-type": "application/json"}
            response = self._http.request(method, f"/api/v1{path}", content=content, headers=headers)
            if response.is_success:
                return cast(Mapping[str, Any], response.json())
            if response.status_code not in NOT_NOW or not left:
                break
            self._sleep(min(_seconds(response.headers.get("retry-after", "1")), LONGEST_WAIT_S))
        raise _problem(response)


def _lead(lead: Mapping[str, FieldValue] | int, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"lead_id": lead} if isinstance(lead, int) else {"lead": dict(lead), **more}


def _json(body: Mapping[str, Any]) -> bytes:
    def plain(value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} is not JSON")

    return json.dumps(body, default=plain).encode()


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 1.0


def _problem(response: httpx.Response) -> ApiError:
    try:
        told = response.json()
    except ValueError:  # a proxy answered
        told = {}
    if not isinstance(told, dict):
        told = {}
    errors = tuple(FieldError(str(one.get("field", "")), str(one.get("detail", ""))) for one in told.get("errors", ()))
    kind = str(told.get("type", "")).rpartition(":")[2]
    return ApiError(response.status_code, kind, str(told.get("title", response.reason_phrase)), str(told.get("detail", "")), errors)


def _score(told: Mapping[str, Any]) -> Score:
    step, when, lift, ask = told["next_step"], told["best_time"], told["would_lift"], told["ask_next"]
    return Score(
        lead_id=told["lead_id"],
        probability=told["probability"],
        score=told["score"],
        tier=told["tier"],
        priority=told["priority"],
        confidence=told["confidence"],
        fit=told["fit"],
        intent=told["intent"],
        trend=told["trend"],
        expected_value=told["expected_value"],
        top_positive=tuple(_reason(one) for one in told["top_positive"]),
        top_negative=tuple(_reason(one) for one in told["top_negative"]),
        similar_leads=tuple(
            SimilarLead(one["lead_id"], one["outcome"], one["similarity"], one["days_to_outcome"]) for one in told["similar_leads"]
        ),
        next_step=NextStep(step["action"], step["text"], step["support"]) if step else None,
        best_time=BestTime(datetime.fromisoformat(when["start"]), datetime.fromisoformat(when["end"]), when["text"])
        if when
        else None,
        would_lift=Lift(tuple(lift["steps"]), lift["text"], lift["tier"], lift["score"], lift["lifts"]) if lift else None,
        ask_next=Ask(ask["field"], ask["question"], ask["gain"]) if ask else None,
        model_version=told["model_version"],
        source=told["source"],
        note=told["note"],
        as_of=datetime.fromisoformat(told["as_of"]),
        document=told,
    )


def _reason(told: Mapping[str, Any]) -> Reason:
    return Reason(told["feature"], told["contribution"], told["text"])
