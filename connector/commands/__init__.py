"""What people do, from Slack, the API or the command line: one function each. Every act is checked, recorded and audited here,
and its effects leave by the outbox in the same transaction."""

from connector.commands.bulks import approve_bulk, ask_bulk, confirm_bulk, decline_bulk, held_by
from connector.commands.candidates import Candidate, candidates
from connector.commands.cards import CardState, card
from connector.commands.corrections import correct_score
from connector.commands.intake import add_lead
from connector.commands.outcomes import log_outcome
from connector.commands.owners import accept, claim, pass_on, reassign
from connector.commands.people import Actor, Done, actor_for_slack
from connector.commands.reasons import Why, why
from connector.commands.reps import link_rep, set_rep, unlink_rep
from connector.commands.search import LeadSummary, find_leads, summary_of
from connector.commands.snoozes import snooze
from connector.commands.undo import undo

__all__ = [
    "Actor",
    "Candidate",
    "CardState",
    "Done",
    "LeadSummary",
    "Why",
    "accept",
    "actor_for_slack",
    "add_lead",
    "approve_bulk",
    "ask_bulk",
    "candidates",
    "card",
    "claim",
    "confirm_bulk",
    "correct_score",
    "decline_bulk",
    "find_leads",
    "held_by",
    "link_rep",
    "log_outcome",
    "pass_on",
    "reassign",
    "set_rep",
    "snooze",
    "summary_of",
    "undo",
    "unlink_rep",
    "why",
]
