"""The words in which people say why and how: stored as they stand on the left, shown as they stand on the right."""

from __future__ import annotations

from typing import Final

from leads.enums import Outcome

#: Why a rep passes a lead on.
PASS_REASONS: Final[dict[str, str]] = {
    "wrong_territory": "Wrong territory",
    "no_capacity": "No capacity",
    "not_a_fit": "Not a fit",
    "already_customer": "Already a customer",
    "conflict": "Conflict of interest",
    "other": "Other",
}
#: Why a manager gives a lead to somebody else than the engine did.
OVERRIDE_CAUSES: Final[dict[str, str]] = {
    "wrong_territory": "Wrong territory",
    "wrong_skill": "Wrong language, product or industry",
    "no_capacity": "Too much on their plate",
    "absent": "Away",
    "relationship": "They know each other",
    "customer_wish": "The customer asked",
    "other": "Other",
}

#: What came of a rep's work on a lead.
OUTCOMES: Final[dict[str, str]] = {
    "contacted": "Reached them",
    "no_answer": "No answer yet",
    "meeting": "Meeting booked",
    "won": "Won",
    "lost": "Lost",
}
#: Of these, the ones that are a human touch.
TOUCHES: Final = ("contacted", "meeting")

#: What is wrong with a score, and as what the lead should have been scored.
CORRECTIONS: Final[dict[str, str]] = {
    "too_high": "Too high: they will not buy",
    "too_low": "Too low: they will buy",
    "wrong_facts": "It rests on wrong facts",
    "other": "Something else",
}
LABELS: Final = {"too_high": Outcome.LOST, "too_low": Outcome.WON, "not_a_fit": Outcome.LOST}
