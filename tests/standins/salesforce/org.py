"""An org: its objects and fields, who may see which, its rules, and the records with their history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.testing import StandingClock

Record = dict[str, Any]
PREFIXES = {
    "Lead": "00Q", "Contact": "003", "Account": "001", "Opportunity": "006", "Task": "00T", "Event": "00U", "Note": "002",
    "User": "005", "Group": "00G", "LeadHistory": "017", "LeadStatus": "01J", "FieldDefinition": "000",
    "PermissionSet": "0PS", "FieldPermissions": "01k",
    "PermissionSetAssignment": "0Pa", "CustomField": "00N",
}  # fmt: skip
STAMPS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
#: Object → its standard fields beside Id and the stamps.
STANDARD: Mapping[str, tuple[str, ...]] = {
    "Lead": (
        "FirstName", "LastName", "Email", "Phone", "MobilePhone", "Title", "Company", "Website", "Description", "Country", "State",
        "City", "PostalCode", "Industry", "NumberOfEmployees", "AnnualRevenue", "LeadSource", "Status", "OwnerId",
        "HasOptedOutOfEmail", "IsConverted", "ConvertedDate", "ConvertedContactId", "ConvertedAccountId", "ConvertedOpportunityId",
    ),
    "Contact": ("FirstName", "LastName", "AccountId", "OwnerId"),
    "Account": ("Name", "OwnerId", "Website", "BillingCountry", "Type", "LastActivityDate"),
    "Opportunity": ("Name", "StageName", "CloseDate", "Amount", "OwnerId", "AccountId", "IsClosed", "IsWon", "LastStageChangeDate"),
    "Task": (
        "Subject", "Description", "WhoId", "OwnerId", "Status", "Priority", "ActivityDate", "ReminderDateTime", "IsReminderSet",
        "IsClosed", "TaskSubtype", "CompletedDateTime",
    ),
    "Event": ("Subject", "WhoId", "OwnerId", "StartDateTime"),
    "Note": ("ParentId", "Title", "Body", "OwnerId"),
    "User": ("Name", "Email", "IsActive", "UserType", "UserRole.Name"),
    "LeadHistory": ("LeadId", "Field", "OldValue", "NewValue"),
    "LeadStatus": ("ApiName", "SortOrder", "IsConverted"),
    "FieldDefinition": ("QualifiedApiName", "EntityDefinition.QualifiedApiName", "IsFieldHistoryTracked"),
    "PermissionSet": ("Name", "Label"),
    "FieldPermissions": ("ParentId", "SobjectType", "Field", "PermissionsRead", "PermissionsEdit"),
    "PermissionSetAssignment": ("AssigneeId", "PermissionSetId"),
    "CustomField": ("DeveloperName", "TableEnumOrId", "Metadata"),
}  # fmt: skip
CONVERTED = {"IsConverted", "ConvertedDate", "ConvertedContactId", "ConvertedAccountId", "ConvertedOpportunityId"}
READ_ONLY = {*STAMPS, *CONVERTED, "IsClosed"}
REQUIRED = {"Lead": ("LastName", "Company"), "Note": ("ParentId", "Title"), "Opportunity": ("Name", "StageName", "CloseDate")}
STATUSES = (
    ("Open - Not Contacted", False),
    ("Working - Contacted", False),
    ("Closed - Not Converted", False),
    ("Closed - Converted", True),
)
COUNTED = ("Lead", "Task", "Note", "Opportunity")
#: The lead fields whose history this org keeps.
HISTORY = ("Status", "Title", "Company", "NumberOfEmployees")


class Refused(Exception):
    """One error of a row or a call."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.fields = code, fields

    @property
    def row(self) -> Record:
        return {"statusCode": self.code, "message": str(self), "fields": list(self.fields)}


def suffixed(short: str) -> str:
    """The id of 18 characters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    tail = ""
    for part in (short[:5], short[5:10], short[10:15]):
        tail += letters[sum(2**place for place in range(5) if part[place].isupper())]
    return short + tail


@dataclass
class Org:
    """All of it. `user` is the integration user; `refuse` may add a rule: (object, record, values) → an error or None."""

    clock: StandingClock
    tables: dict[str, dict[str, Record]] = field(default_factory=lambda: {name: {} for name in PREFIXES})
    changes: int = 0
    user: str = ""
    queue: str = ""
    refuse: Callable[[str, Record, Mapping[str, Any]], Refused | None] = lambda thing, record, values: None
    on_lead: Callable[[Record], None] = lambda lead: None
    _numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user = self.insert("User", {"Name": "Integration", "IsActive": True, "UserType": "Standard"}, "")["Id"]
        self.queue = self.insert("Group", {"Name": "Inbound"}, self.user)["Id"]
        for place, (name, converted) in enumerate(STATUSES):
            self.insert("LeadStatus", {"ApiName": name, "SortOrder": place, "IsConverted": converted}, self.user)
        for name in STANDARD["Lead"]:
            told = {"QualifiedApiName": name, "EntityDefinition.QualifiedApiName": "Lead", "IsFieldHistoryTracked": name in HISTORY}
            self.insert("FieldDefinition", told, self.user)

    # ---- what the org is made of
    def fields(self, thing: str) -> dict[str, bool] | None:
        """Field → whether our user may edit it; only those it may see. None for an object that is not there."""
        if thing not in STANDARD:
            return None
        fields = {name: name not in READ_ONLY for name in (*STANDARD[thing], *STAMPS)}
        mine = {one["PermissionSetId"] for one in self.tables["PermissionSetAssignment"].values() if one["AssigneeId"] == self.user}
        for right in self.tables["FieldPermissions"].values():
            if right["SobjectType"] == thing and right["ParentId"] in mine and right["PermissionsRead"]:
                fields[right["Field"].partition(".")[2]] = bool(right["PermissionsEdit"])
        return fields

    def custom(self, thing: str) -> dict[str, Record]:
        """Custom field → its metadata, granted or not."""
        place = "Activity" if thing == "Task" else thing
        rows = self.tables["CustomField"].values()
        return {f"{one['DeveloperName']}__c": one["Metadata"] for one in rows if one["TableEnumOrId"] == place}

    # ---- records
    def stamp(self) -> str:
        """Now, to the second, in the way of the REST API."""
        return self.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")

    def insert(self, thing: str, values: Mapping[str, Any], by: str) -> Record:
        """A record without a check, as the org itself makes them."""
        number = self._numbers[thing] = self._numbers.get(thing, 0) + 1
        now = self.stamp()
        record: Record = dict.fromkeys(STANDARD.get(thing, ())) | dict(values)
        record |= {"Id": suffixed(f"{PREFIXES[thing]}{number:012}"), "CreatedDate": now, "CreatedById": by}
        record |= {"LastModifiedDate": now, "LastModifiedById": by, "SystemModstamp": now}
        self.tables[thing][record["Id"]] = record
        self._count(thing, record)
        return record

    def create(self, thing: str, values: Mapping[str, Any], by: str) -> Record:
        self.check(thing, {}, values, by)
        if lacking := [name for name in REQUIRED.get(thing, ()) if not values.get(name)]:
            raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: {lacking}", tuple(lacking))
        given = dict(values)
        if thing == "Lead":
            given = {"Status": STATUSES[0][0], "OwnerId": self.queue, "IsConverted": False, **given}
        if thing == "Task":
            given = {"OwnerId": by, "IsClosed": given.get("Status") == "Completed", "TaskSubtype": "Task", **given}
        return self.insert(thing, given, by)

    def update(self, thing: str, record_id: object, values: Mapping[str, Any], by: str) -> Record:
        record = self.find(thing, record_id)
        if record is None:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted")
        self.check(thing, record, values, by)
        for name in HISTORY if thing == "Lead" else ():
            if name in values and values[name] != record[name]:
                entry = {"LeadId": record["Id"], "Field": name, "OldValue": record[name], "NewValue": values[name]}
                self.insert("LeadHistory", entry, by)
        record.update(values)
        if thing == "Task":
            record["IsClosed"] = record["Status"] == "Completed"
        record |= {"LastModifiedDate": self.stamp(), "LastModifiedById": by, "SystemModstamp": self.stamp()}
        self._count(thing, record)
        return record

    def find(self, thing: str, record_id: object) -> Record | None:
        """The record of an id in either form."""
        return self.tables[thing].get(suffixed(str(record_id)[:15])) if len(str(record_id)) in (15, 18) else None

    def check(self, thing: str, record: Record, values: Mapping[str, Any], by: str) -> None:
        """Raise what Salesforce would answer to these values."""
        fields = self.fields(thing) if by == self.user else dict.fromkeys((*STANDARD[thing], *self.custom(thing)), True)
        for name in values:
            if name not in (fields or {}):
                raise Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {thing}", (name,))
            if not (fields or {})[name]:
                raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}", (name,))
        if record.get("IsConverted"):
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        self._check_links(thing, values)
        self._check_values(thing, values)
        if refusal := self.refuse(thing, record, values):
            raise refusal

    def _check_links(self, thing: str, values: Mapping[str, Any]) -> None:
        if "OwnerId" in values:
            owner = self.find("User", values["OwnerId"])
            if owner is not None and not owner["IsActive"]:
                raise Refused("INACTIVE_OWNER_OR_USER", "operation performed with inactive user", ("OwnerId",))
            if owner is None and not (thing == "Lead" and self.find("Group", values["OwnerId"])):
                raise Refused("INVALID_CROSS_REFERENCE_KEY", "Owner ID: id value of incorrect type", ("OwnerId",))
        for name in ("WhoId", "ParentId"):
            if thing in ("Task", "Note") and name in values:
                lead = self.find("Lead", values[name])
                if (lead is None or lead["IsConverted"]) and self.find("Contact", values[name]) is None:
                    raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (name,))

    def _check_values(self, thing: str, values: Mapping[str, Any]) -> None:
        if thing == "Lead" and "Status" in values:
            known = dict(STATUSES)
            if values["Status"] not in known or known[values["Status"]]:
                raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field", ("Status",))
        if values.get("ActivityDate") is not None:
            datetime.strptime(values["ActivityDate"], "%Y-%m-%d").replace(tzinfo=UTC)
        for name, metadata in self.custom(thing).items():
            value = values.get(name)
            if value is None:
                continue
            if metadata["type"] == "Number" and (not isinstance(value, int) or abs(value) >= 10 ** metadata["precision"]):
                raise Refused("NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range", (name,))
            if metadata["type"] != "Number" and len(str(value)) > metadata["length"]:
                raise Refused("STRING_TOO_LONG", "data value too large", (name,))

    def convert(self, lead_id: str, owner: str, name: str, status: str) -> Record:
        """Account, contact and opportunity of a lead; returns the lead. Raises `Refused`."""
        lead = self.find("Lead", lead_id)
        if lead is None:
            raise Refused("INVALID_ID_FIELD", "invalid lead id")
        if lead["IsConverted"]:
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "lead already converted")
        if dict(STATUSES).get(status) is not True:
            raise Refused("INVALID_STATUS", "invalid convertedStatus")
        self._check_links("Opportunity", {"OwnerId": owner})
        account = self.insert("Account", {"Name": lead["Company"], "OwnerId": owner}, self.user)
        contact = {"FirstName": lead["FirstName"], "LastName": lead["LastName"], "AccountId": account["Id"], "OwnerId": owner}
        made = self.insert("Contact", contact, self.user)
        deal = {"Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-31", "OwnerId": owner, "AccountId": account["Id"]}
        deal |= {"IsClosed": False, "IsWon": False, "LastStageChangeDate": self.stamp()}
        opportunity = self.insert("Opportunity", deal, self.user)
        lead |= {"IsConverted": True, "Status": status, "ConvertedDate": self.stamp()[:10], "ConvertedAccountId": account["Id"]}
        lead |= {"ConvertedContactId": made["Id"], "ConvertedOpportunityId": opportunity["Id"], "OwnerId": owner}
        lead |= {"LastModifiedDate": self.stamp(), "LastModifiedById": self.user, "SystemModstamp": self.stamp()}
        for thing, link in (("Task", "WhoId"), ("Note", "ParentId")):
            for one in self.tables[thing].values():
                if one[link] == lead["Id"]:
                    one[link] = made["Id"]
        self._count("Lead", lead)
        return lead

    def _count(self, thing: str, record: Record) -> None:
        if thing in COUNTED:
            self.changes += 1
        if thing == "Lead":
            self.on_lead(record)
