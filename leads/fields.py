"""Canonical lead fields: the names every adapter maps its vendor's words to."""

from __future__ import annotations

from typing import Final

#: Fields about a person. Sealed at rest, never in logs, queue messages or exceptions.
PERSONAL: Final = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "title",
    "company",
    "website",
    "message",
    "income_bracket",  # these five: of consumers and of brokers' clients
    "age_range",
    "family",
    "credit_band",
    "employment",
)

#: Fields that describe without naming. Stored in the open, so that they can be searched and gated on.
OPEN: Final = (
    "country",
    "region",
    "city",
    "postcode",
    "industry",
    "employees",  # head count of the company, whole number
    "revenue",  # yearly, in the tenant's currency
    "source",
    "campaign",
    "language",
    "product",
    "lifecycle_stage",  # a LifecycleStage
    "lead_status",
    "owner_id",  # the rep on the CRM record, in the CRM's own id
    "account_owner_id",  # the rep on the company's record, in the CRM's own id
    "deal_amount",
    "email_consent",  # "yes", "no" or missing
)

CANONICAL: Final = frozenset(PERSONAL + OPEN)

#: Never features: they say who works the lead or how it ended, not who the lead is (FEA-5, leakage).
NOT_FEATURES: Final = frozenset({"owner_id", "account_owner_id", "lifecycle_stage", "lead_status", "deal_amount"})
