"""EspoCRM's words and ours. Literal tables; the names are those of its public metadata (`entityDefs/Lead.json` and neighbours)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connector.errors import Configuration
from connector.reading import MESSAGE_LIMIT, TEXT_LIMIT, read_number, read_text, read_time
from connector.settings import ConnectionSettings
from leads.enums import STAGE_ORDER, LifecycleStage
from leads.records import FieldValue

LEAD, OPPORTUNITY, TASK = "Lead", "Opportunity", "Task"

#: Attribute of a lead → canonical field.
FIELDS: Final[Mapping[str, str]] = {
    "firstName": "first_name",
    "lastName": "last_name",
    "emailAddress": "email",
    "phoneNumber": "phone",
    "title": "title",
    "accountName": "company",
    "website": "website",
    "industry": "industry",
    "addressCity": "city",
    "addressState": "region",
    "addressCountry": "country",
    "addressPostalCode": "postcode",
    "source": "source",
    "campaignName": "campaign",
    "description": "message",
}
#: Read with every lead beside FIELDS.
ALSO_READ: Final = (
    "assignedUserId",
    "status",
    "opportunityAmount",
    "doNotCall",
    "createdAt",
    "modifiedAt",
    "modifiedById",
    "convertedAt",
    "createdOpportunityId",
)

#: `Lead.status` → our lead status.
STATUSES: Final[Mapping[str, str]] = {
    "New": "open",
    "Assigned": "open",
    "In Process": "connected",
    "Converted": "converted",
    "Recycled": "open",
    "Dead": "unqualified",
}
CONVERTED: Final = "Converted"
#: Our lead status → EspoCRM's word and the words that it may follow: a lead that is further on is left there.
STATUS_WORDS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "open": ("New", frozenset({"Dead", "Recycled"})),
    "attempted_to_contact": ("In Process", frozenset({"New", "Assigned", "Recycled"})),
    "connected": ("In Process", frozenset({"New", "Assigned", "Recycled"})),
    "unqualified": ("Dead", frozenset({"New", "Assigned", "In Process", "Recycled"})),
}
#: `Task.status` of a task that a person is done with.
TASK_ENDED: Final = frozenset({"Completed", "Canceled"})
PRIORITIES: Final[Mapping[str, str]] = {"high": "High", "medium": "Normal", "low": "Low"}
#: What names of tasks and opportunities may not hold (the pattern `$noBadCharacters`).
BAD_CHARACTERS: Final = str.maketrans("<>=", "   ")


@dataclass(frozen=True, slots=True)
class Names:
    """Our own attributes on a lead, as this EspoCRM calls them: since 7.4 custom fields of standard entities begin with `c`."""

    score: str
    tier: str
    reasons: str
    routed_because: str
    stage: str

    @classmethod
    def of(cls, settings: ConnectionSettings) -> Names:
        """Raises `Configuration` when the option `field_prefix` is no such prefix."""
        prefix = settings.option("field_prefix", "c")
        if prefix not in ("c", ""):
            raise Configuration(f"{settings.name}: field_prefix is neither c nor empty.", 'Leave it out, or set it to "".')
        words = ("Score", "Tier", "Reasons", "RoutedBecause", "Stage")
        return cls(*(f"{'cLeadswitch' if prefix else 'leadswitch'}{word}" for word in words))

    def all(self) -> tuple[str, ...]:
        """Every name, in the order of the fields."""
        return (self.score, self.tier, self.reasons, self.routed_because, self.stage)


def read_datetime(value: object) -> datetime | None:
    """EspoCRM's naive UTC `YYYY-MM-DD HH:MM:SS`, aware; None when it is empty. Raises ValueError."""
    return None if value in (None, "") else read_time(value)


def write_datetime(moment: datetime) -> str:
    """A moment in EspoCRM's form; what is smaller than a second is cut off."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def read_fields(record: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The canonical fields of a lead, without its stage and status. An empty attribute says nothing (another tool may know
    better), but for the owner: a lead that nobody owns is told as such."""
    fields: dict[str, FieldValue] = {
        field: read_text(record.get(name), MESSAGE_LIMIT if field == "message" else TEXT_LIMIT) for name, field in FIELDS.items()
    }
    fields["deal_amount"] = read_number(record.get("opportunityAmount"))
    told = {name: value for name, value in fields.items() if value is not None}
    return told | {"owner_id": read_text(record.get("assignedUserId"))}


def read_stage(record: Mapping[str, Any], names: Names) -> LifecycleStage:
    """How far a lead has come: what its status says or what we wrote, whichever is further."""
    by_status = LifecycleStage.OPPORTUNITY if record.get("status") == CONVERTED else LifecycleStage.LEAD
    return max(by_status, LifecycleStage.read(record.get(names.stage)), key=STAGE_ORDER.index)
