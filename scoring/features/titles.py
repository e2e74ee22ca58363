"""What a job title says: seniority and function, from literal word tables."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: Seniority steps, highest first; the first pattern that matches wins.
SENIORITY: Final = (
    (0, r"\b(intern|trainee|student|apprentice|working student)\b"),
    (1, r"\b(assistant|junior|receptionist)\b"),
    (5, r"\b((co-?)?founder|owner|c[etfomipr]o|ciso|chro|chief|managing director)\b|\b(?<!vice )president\b"),
    (4, r"\b(vp|svp|evp|vice president|partner)\b|\bhead of\b|\bhead,"),
    (3, r"\b(director|principal)\b"),
    (2, r"\b(manager|lead|team leader|supervisor|coordinator)\b"),
)

#: How likely a person of this step decides on a purchase: our own starting estimate, for want of a published table.
DECIDES: Final = {0: 0.02, 1: 0.05, 2: 0.35, 3: 0.6, 4: 0.8, 5: 0.95}
PLAIN_STEP: Final = 1
PLAIN_DECIDES: Final = 0.15

FUNCTIONS: Final = (
    ("revenue", r"\b(sales|revenue|business development|account executive|bdr|sdr|cro)\b"),
    ("marketing", r"\b(marketing|brand|growth|demand|content|communications|cmo)\b"),
    ("technology", r"\b(engineer\w*|developer|it|technology|technical|software|architect|devops|security|cto|cio|ciso|data)\b"),
    ("finance", r"\b(finance|financial|accounting|accountant|controller|procurement|purchasing|buyer|cfo)\b"),
    ("operations", r"\b(operations|logistics|supply|production|plant|facility|coo|project)\b"),
    ("people", r"\b(hr|human resources|people|talent|recruit\w*|chro)\b"),
    ("product", r"\b(product|ux|design\w*|cpo)\b"),
    ("study", r"\b(student|teacher|professor|lecturer|researcher)\b"),
    ("general management", r"\b(ceo|founder|co-?founder|owner|managing director|president|partner|general manager)\b"),
)

_SENIORITY = tuple((step, re.compile(pattern)) for step, pattern in SENIORITY)
_FUNCTIONS = tuple((name, re.compile(pattern)) for name, pattern in FUNCTIONS)


@lru_cache(maxsize=4096)
def read_seniority(title: str) -> int:
    """0 (intern) to 5 (chief, founder, owner); 1 for a title without a known word."""
    text = title.lower()
    return next((step for step, pattern in _SENIORITY if pattern.search(text)), PLAIN_STEP)


@lru_cache(maxsize=4096)
def read_function(title: str) -> str:
    """The line of work, or "other"."""
    text = title.lower()
    return next((name for name, pattern in _FUNCTIONS if pattern.search(text)), "other")


@lru_cache(maxsize=4096)
def read_decision_power(title: str) -> float:
    """The chance, 0 to 1, that a person with this title decides on a purchase, by DECIDES."""
    text = title.lower()
    return next((DECIDES[step] for step, pattern in _SENIORITY if pattern.search(text)), PLAIN_DECIDES)
