"""Progressive profiling: the one fact not known yet whose answer moves the score most.

What a fact is worth is what the scoring model takes from it: the share of all mean absolute contributions (Shapley values, see
`scoring.ensemble`) that the features have which read it, shared among the facts that a feature reads. Before the first model it is
the mean size of the rules' points. Only what one may ask a person in a form or a first call is asked for: nothing about money, age,
family or credit, and nothing that was answered already, "prefer not to say" among the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leads.records import FieldValue
from scoring.catalogue import CATALOGUE
from scoring.facts import to_word
from scoring.rules import RULES, VERSION

if TYPE_CHECKING:
    from scoring.bundle import Bundle

#: Canonical fields that may be asked for, and how a person would put it.
QUESTIONS: Final[Mapping[str, str]] = {
    "title": "What is your role?",
    "company": "Which company are you with?",
    "employees": "How many people work there?",
    "industry": "Which industry are you in?",
    "message": "What do you need, and by when?",
    "product": "Which of our products are you looking at?",
    "email": "What is your work e-mail address?",
    "phone": "On which number can we reach you?",
    "country": "Which country are you in?",
    "region": "Which region are you in?",
    "website": "What is your company's website?",
}
#: What the features of the rules may turn out to be, once the fact behind them is known.
_ANSWERS: Final[Mapping[str, tuple[FieldValue, ...]]] = {
    "decision_maker_probability": (0.0, 0.25, 0.5, 0.75, 1.0),
    "email_kind": ("business", "free", "education"),
    "company_maturity": ("micro", "small", "medium", "large", "enterprise"),
    "email_company_match": (0, 1),
    "has_phone": (1,),
    "budget_mention": (0, 1),
    "urgency_mention": (0, 1),
    "buying_mention": (0, 1),
    "objection_mention": (0, 1),
}


#: Whoever wants no mail is not asked how else to be reached.
_WAYS: Final = frozenset({"email", "phone"})


@dataclass(frozen=True, slots=True)
class NextFact:
    """A field worth asking for. `gain` is its share of what moves scores, 0 to 1, comparable among the fields of one model."""

    field: str
    question: str
    gain: float


def rank_facts(bundle: Bundle | None) -> tuple[NextFact, ...]:
    """The facts that may be asked for, by what the model that scores (or the rules) gains from them; without those of no use."""
    gains = dict.fromkeys(QUESTIONS, 0.0)
    for name, weight in _weights(bundle).items():
        fields = _fields_of(name)
        for field in fields:
            if field in gains:
                gains[field] += weight / len(fields)
    ranked = sorted(gains, key=lambda field: (-gains[field], list(QUESTIONS).index(field)))
    return tuple(NextFact(field, QUESTIONS[field], round(gains[field], 4)) for field in ranked if gains[field] > 0)


def next_fact(facts: Mapping[str, FieldValue], bundle: Bundle | None) -> NextFact | None:
    """The fact to ask for next, given those known; None when none is left. An unanswered drop-down or a blank is not known."""
    shut = _WAYS if facts.get("email_consent") == "no" else frozenset()
    return next((one for one in rank_facts(bundle) if one.field not in shut and to_word(facts.get(one.field)) is None), None)


def rank_version(bundle: Bundle | None) -> str:
    """Of which model, or of which rules, the ranking is."""
    return bundle.version if bundle is not None and bundle.beats_rules else VERSION


def _weights(bundle: Bundle | None) -> dict[str, float]:
    """By canonical feature, its share of what moves scores."""
    if bundle is not None and bundle.beats_rules:
        return {column.name: column.weight for column in bundle.columns if column.name in CATALOGUE}
    sizes = {name: sum(abs(RULES[name](answer)) for answer in answers) / len(answers) for name, answers in _ANSWERS.items()}
    whole = sum(sizes.values())
    return {name: size / whole for name, size in sizes.items()}


def _fields_of(feature: str) -> list[str]:
    """The facts that a feature reads, by its entry in the catalogue."""
    return sorted(set(re.findall(r"facts\.(\w+)", CATALOGUE[feature].source)))
