"""What else is known of the past's people, and what else they did: true to life, and of no weight for whether they buy.

It comes from a chance of its own, so that the rest of the world is the same with it and without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from connector.sandbox.world.acts import Act, draw_count

DAY_MS: Final = 86_400_000
#: Date property of the tenant's own → how often its act is done in the mean.
OFTEN: Final = {
    "last_email_delivered": 0.8,
    "last_email_bounced": 0.05,
    "last_unsubscribed": 0.05,
    "last_resubscribed": 0.02,
    "last_content_downloaded": 0.4,
    "last_video_watched": 0.3,
    "last_meeting_attended": 0.2,
    "last_meeting_missed": 0.1,
    "last_proposal_viewed": 0.2,
    "last_message_received": 0.3,
    "last_call_answered": 0.3,
    "last_call_missed": 0.4,
    "last_product_used": 0.5,
    "last_listing_viewed": 0.6,
    "last_searched": 0.5,
}
#: What is said with an act: its property → (the property beside it, what it may hold).
SAID: Final = {
    "last_message_received": (
        "last_message",
        (
            "It is too expensive for us.",
            "Can you send the contract today?",
            "We are happy with our supplier.",
            "See www.example.com",
        ),
    ),
    "last_listing_viewed": ("last_listing", ("L-1", "L-2", "L-3", "L-4")),
    "last_searched": ("last_search", ("garden", "two rooms near park", "office")),
}
PAGES: Final = ("https://acme.example/pricing", "https://acme.example/blog", "https://acme.example/demo", "https://acme.example/")
#: Property → what it may hold. Each is left blank as often as not.
KNOWN: Final = {
    "product": ("Starter", "Team", "Enterprise"),
    "hs_language": ("en", "de", "fr", "ja"),
    "annualrevenue": ("400000", "3000000", "20000000", "90000000"),
    "income_bracket": ("30000", "80000", "150000"),
    "age_range": ("24", "37", "58"),
    "family": ("single", "married", "children"),
    "credit_band": ("560", "690", "810"),
    "employment": ("employed", "self-employed", "student"),
}

Change = tuple[int, str, str]


def draw_by_the_way(rng: Random, created_ms: int, until_ms: int, acts: Sequence[Act]) -> list[Change]:
    """(moment in ms, property, value) of what is known from the start and of what was done up to a moment."""
    changes = [(created_ms, name, rng.choice(values)) for name, values in KNOWN.items() if rng.random() < 0.5]
    changes += [(created_ms, "hs_email_optout", "true")] if rng.random() < 0.03 else []
    visits = [created_ms + round(act.after * DAY_MS) for act in acts if act.kind == "visit"]
    changes += [(at, "hs_analytics_last_url", rng.choice(PAGES)) for at in visits if at <= until_ms]
    for name, mean in OFTEN.items():
        for _ in range(draw_count(rng, mean)):
            at = created_ms + round(rng.expovariate(1 / 5) * DAY_MS)
            if at <= until_ms:
                changes.append((at, name, str(at)))
                if name in SAID:
                    beside, said = SAID[name]
                    changes.append((at, beside, rng.choice(said)))
    return changes
