"""What a lead's own words mention, by literal patterns. Text comes in lower case."""

from __future__ import annotations

import re
from typing import Final

BUDGET: Final = re.compile(
    r"\b(budget\w*|pric\w+|quot(?:e|es|ation)|cost(?:s|ing)?|invoice|purchase order|approved spend|funding)\b"
    r"|[$€£]\s?\d|\b\d+\s?(?:k|usd|eur|gbp)\b"
)
OBJECTION: Final = re.compile(
    r"\b(too expensive|not interested|no budget|already (?:have|use|using)|happy with our|not (?:a )?(?:good )?(?:time|fit|now)|"
    r"maybe (?:later|next year)|competitor|concern\w*|stop (?:emailing|contacting)|unsubscribe|remove me)\b"
)
URGENCY: Final = re.compile(
    r"\b(asap|urgent\w*|immediately|right away|this week|this month|today|tomorrow|deadline|as soon as possible|"
    r"by (?:monday|tuesday|wednesday|thursday|friday|end of (?:the )?(?:week|month|quarter)))\b"
)
BUYING: Final = re.compile(
    r"\b(demo|trial|buy|purchase|subscri(?:be|ption)|get started|sign up|contract|rollout|implement\w*|migrat\w+|"
    r"proposal|talk to sales|call me|book a)\b"
)

#: A line made of a web address is what spam looks like; people asking for a quote seldom paste three of them.
LINK: Final = re.compile(r"https?://|www\.")
