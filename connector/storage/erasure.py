"""Forgetting a person: what they were, did and said. That there was a lead, and who worked it, may be known."""

from __future__ import annotations

from connector.storage.models import Decision as DecisionRow
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Enriched as EnrichedRow
from connector.storage.models import Enrichment as EnrichmentRow
from connector.storage.models import Feedback as FeedbackRow
from connector.storage.models import Identity, NearName
from connector.storage.models import Lead as LeadRow
from connector.storage.models import LeadChange as ChangeRow
from connector.storage.models import PastLook as PastLookRow
from connector.storage.models import PlaybookLook as LookRow
from connector.storage.models import PlaybookRun as RunRow
from connector.storage.models import Score as ScoreRow


def erase(lead_id: int) -> list[str]:
    """Shred the key and empty the record, and those merged into it, within the caller's transaction; returns the tokens that named
    the person, for the tombstone."""
    named = [(row.kind, row.token) for row in Identity.select().where(Identity.lead_id == lead_id)]
    own = [token for kind, token in named if kind != "phone"]  # a number may be shared, and must not bar the colleagues
    records = [lead_id, *(row.id for row in LeadRow.select(LeadRow.id).where(LeadRow.merged_into == lead_id))]
    for said in (FeedbackRow, DecisionRow):
        said.update({said.sealed: None}).where(said.lead_id.in_(records)).execute()
    # what a score was made of tells of the person too; that there was one, and how it moved the lead, may be known
    made_of = {ScoreRow.features: dict[str, str](), ScoreRow.contributions: dict[str, str](), ScoreRow.reasons: list[str]()}
    ScoreRow.update({**made_of, ScoreRow.rationale: None, ScoreRow.sealed: None}).where(ScoreRow.lead_id.in_(records)).execute()
    EnrichedRow.delete().where(EnrichedRow.token.in_([token for kind, token in named if kind == "email"])).execute()
    for table in (Identity, NearName, EngagementRow, ChangeRow, PastLookRow, LookRow, EnrichmentRow):
        table.delete().where(table.lead_id.in_(records)).execute()
    over = {RunRow.state: "stopped", RunRow.ended_as: "erased", RunRow.due_at: None}
    RunRow.update(over).where(RunRow.lead_id.in_(records) & (RunRow.state == "running")).execute()
    LeadRow.update(
        {
            LeadRow.data_key: None,
            LeadRow.sealed: None,
            LeadRow.facts: {},
            LeadRow.field_times: {},
            LeadRow.erased: True,
            LeadRow.routable: False,
            LeadRow.external_id: None,
        }
    ).where(LeadRow.id.in_(records)).execute()
    return own or [token for _, token in named]
