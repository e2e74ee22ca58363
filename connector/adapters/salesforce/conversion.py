"""A deal from a lead: the lead is converted to account, contact and opportunity, which only SOAP offers without code in the org.

Source: Salesforce's SOAP API guide, "convertLead()" (the lead of a queue needs an owner; a converted lead is read-only and cannot
be converted again, so that a second try makes nothing twice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.envelope import Element
from connector.adapters.salesforce.ids import QUEUE, long_or_none
from connector.adapters.salesforce.refusals import sort_refusal
from connector.adapters.salesforce.rows import update_rows
from connector.adapters.salesforce.shape import Shape
from connector.errors import Configuration, Fatal, LeadswitchError
from connector.http import Unsure
from connector.ports import DealWrite, Written

Record = Mapping[str, Any]
OPPORTUNITY = "Opportunity"


class Converter:
    """Converts leads for one connection. Safe to share between threads. `status`: that of converted leads; None: the first."""

    def __init__(self, calls: SalesforceCalls, shape: Shape, status: str | None) -> None:
        self._calls, self._shape, self._status = calls, shape, status

    def write(self, deals: Sequence[tuple[int, DealWrite]], present: Mapping[str, Record]) -> dict[int, Written]:
        """Index → result. A lead that was converted before keeps its opportunity; one of ours that is unfinished is finished."""
        done: dict[int, Written] = {}
        for index, write in deals:
            lead = present[str(long_or_none(write.external_id))]
            try:
                if lead.get("IsConverted"):
                    made = long_or_none(lead.get("ConvertedOpportunityId"))
                else:
                    made = self._convert(write, lead)
                done[index] = self._finish(write, made) if made else Written(True, (), long_or_none(lead["Id"]))
            except LeadswitchError as error:
                done[index] = Written(False, error=error)
        return done

    def _convert(self, write: DealWrite, lead: Record) -> str:
        """The id of the new opportunity."""
        owner = write.owner_id or str(lead.get("OwnerId"))
        if owner.startswith(QUEUE):
            raise Configuration("Salesforce converts no lead of a queue without an owner.", "Route the lead to a rep first.")
        told = self._calls.soap(
            "<p:convertLead><p:leadConverts>"
            f"<p:convertedStatus>{escape(self._converted_status())}</p:convertedStatus>"
            "<p:doNotCreateOpportunity>false</p:doNotCreateOpportunity>"
            f"<p:leadId>{escape(str(lead['Id']))}</p:leadId>"
            f"<p:opportunityName>{escape(write.title[:120])}</p:opportunityName>"
            "<p:overwriteLeadSource>false</p:overwriteLeadSource>"
            f"<p:ownerId>{escape(owner)}</p:ownerId>"
            "<p:sendNotificationEmail>false</p:sendNotificationEmail>"
            "</p:leadConverts></p:convertLead>"
        )
        result = told.find("convertLeadResponse", "result") or Element("")
        if result.value("success") != "true":
            code = result.value("errors", "statusCode") or ""
            raise sort_refusal([{"statusCode": code}], "a conversion") or Fatal("Salesforce refused a conversion without a reason.")
        made = long_or_none(result.value("opportunityId"))
        if made is None:
            raise Unsure("Salesforce converted a lead and named no opportunity.")
        return made

    def _finish(self, write: DealWrite, opportunity: str) -> Written:
        """Give the opportunity of our conversion its amount, currency and marker. One that has them, or another name, stays."""
        fields = self._shape.fields(OPPORTUNITY)
        wanted: dict[str, Any] = {words.MARKER: write.marker} if words.MARKER in fields else {}
        wanted |= {} if write.amount is None else {"Amount": float(write.amount)}
        if write.currency and "CurrencyIsoCode" in fields:
            wanted["CurrencyIsoCode"] = write.currency
        query = f"SELECT Id, Name, {', '.join(wanted)} FROM {OPPORTUNITY} WHERE Id = {soql.quote(opportunity)}"  # noqa: S608 - SOQL, quoted
        held = next(iter(soql.rows(self._calls, query)), None) if wanted else None
        if held is None or held.get(words.MARKER) or held.get("Amount") is not None or held.get("Name") != write.title[:120]:
            return Written(True, (), opportunity)
        result = update_rows(self._calls, OPPORTUNITY, [(0, {"id": opportunity, **wanted})])[0]
        return Written(result.ok, ("deal",) if result.ok else (), opportunity, result.error)

    def _converted_status(self) -> str:
        names = [status.name for status in self._shape.statuses() if status.converted]
        if self._status:
            return self._status
        if not names:
            raise Configuration(
                "No lead status of the org says converted.", "Mark one in Setup as Converted, or set converted_status."
            )
        return names[0]
