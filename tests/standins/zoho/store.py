"""What a Zoho organisation holds, and what its channels tell of every change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from connector.testing import StandingClock

OUR_USER, ADMIN = "5725767000000411001", "5725767000000411002"
REPS = ("5725767000000411042", "5725767000000411043", "5725767000000411044")
Record = dict[str, Any]

LEAD_STATUSES = ("-None-", "Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead", "Not Contacted",
                 "Pre-Qualified", "Not Qualified")  # fmt: skip
DEAL_STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Closed Won", "Closed Lost")
_PLAIN = ("id", "Owner", "Created_Time", "Modified_Time", "Modified_By", "Created_By")
#: Module → field → choices, where it has any.
STANDARD: Mapping[str, Mapping[str, Sequence[str]]] = {
    "Leads": {
        **dict.fromkeys((*_PLAIN, "Email", "First_Name", "Last_Name", "Designation", "Company", "Phone", "Mobile", "Website"), ()),
        **dict.fromkeys(
            ("Description", "Country", "State", "City", "Zip_Code", "Industry", "No_of_Employees", "Annual_Revenue"), ()
        ),
        **dict.fromkeys(("Lead_Source", "Email_Opt_Out", "Converted__s", "Converted_Deal", "Converted_Date_Time"), ()),
        "Lead_Status": LEAD_STATUSES,
    },
    "Tasks": {
        **dict.fromkeys((*_PLAIN, "Subject", "Description", "Due_Date", "What_Id", "Who_Id", "$se_module"), ()),
        "Status": ("Not Started", "Deferred", "In Progress", "Completed", "Waiting for input"),
        "Priority": ("High", "Highest", "Low", "Lowest", "Normal"),
    },
    "Notes": dict.fromkeys((*_PLAIN, "Note_Title", "Note_Content", "Parent_Id"), ()),
    "Deals": {**dict.fromkeys((*_PLAIN, "Deal_Name", "Amount", "Closing_Date", "Contact_Name"), ()), "Stage": DEAL_STAGES},
    "Accounts": dict.fromkeys((*_PLAIN, "Account_Name", "Website", "Billing_Country", "Account_Type", "Last_Activity_Time"), ()),
    "Calls": dict.fromkeys((*_PLAIN, "What_Id", "Call_Start_Time", "$se_module"), ()),
    "Events": dict.fromkeys((*_PLAIN, "What_Id", "Start_DateTime", "$se_module"), ()),
}
NEEDED = {"Leads": ("Last_Name",), "Tasks": ("Subject",), "Notes": ("Note_Content", "Parent_Id"), "Deals": ("Deal_Name", "Stage"),
          "Accounts": ("Account_Name",)}  # fmt: skip


class RowError(Exception):
    """What Zoho answers for one row."""

    def __init__(self, code: str, api_name: str = "") -> None:
        super().__init__(code)
        self.row = {"code": code, "details": {"api_name": api_name} if api_name else {}, "message": code.lower(), "status": "error"}


@dataclass
class Store:
    """One organisation. `told` are the notifications not yet sent, `changes` counts what anybody changed of business."""

    clock: StandingClock
    modules: dict[str, dict[str, Record]] = field(default_factory=lambda: {module: {} for module in STANDARD})
    custom: dict[str, dict[str, Sequence[str]]] = field(default_factory=lambda: {module: {} for module in STANDARD})
    channels: dict[str, Record] = field(default_factory=dict)
    told: list[tuple[str, bytes]] = field(default_factory=list)
    changes: int = 0
    read_only: set[str] = field(default_factory=set)  # fields that our user may not edit: taken and not kept
    _number: int = 5725767000003000000

    def number(self) -> str:
        self._number += 1
        return str(self._number)

    def now(self) -> str:
        """As Zoho writes moments: whole seconds, in the organisation's zone."""
        return self.clock.now().astimezone(timezone(timedelta(hours=1))).isoformat(timespec="seconds")

    def fields(self, module: str) -> dict[str, Sequence[str]]:
        return {**STANDARD[module], **self.custom[module]}

    def make(self, module: str, given: Mapping[str, Any], user: str) -> Record:
        """A new record. Raises `RowError`."""
        for name in NEEDED.get(module, ()):
            if not given.get(name):
                raise RowError("MANDATORY_NOT_FOUND", name)
        values = self._values(module, given)
        record = {
            **dict.fromkeys(self.fields(module)),
            "Owner": {"id": user},
            **values,
            "id": self.number(),
            "Created_Time": self.now(),
            "Modified_Time": self.now(),
            "Modified_By": {"id": user},
        }
        if module == "Leads":
            record |= {"Converted__s": False, "Lead_Status": record["Lead_Status"] or "-None-"}
        self.modules[module][record["id"]] = record
        self._count(module)
        return record

    def change(self, module: str, given: Mapping[str, Any], user: str) -> set[str]:
        """The names of what changed in a record. Raises `RowError`."""
        record = self.modules[module].get(str(given.get("id")))
        if record is None:
            raise RowError("INVALID_DATA", "id")
        if record.get("Converted__s"):
            raise RowError("CONVERTED_RECORD", "id")
        values = self._values(module, {name: value for name, value in given.items() if name != "id"})
        values = {
            name: value for name, value in values.items() if name not in self.read_only and not _equal(record.get(name), value)
        }
        if values:
            record |= {**values, "Modified_Time": self.now(), "Modified_By": {"id": user}}
            self._count(module)
        return set(values)

    def convert(self, lead_id: str, given: Mapping[str, Any], user: str) -> Record:
        """The deal that a lead became. Raises `RowError`."""
        lead = self.modules["Leads"].get(lead_id)
        if lead is None:
            raise RowError("INVALID_DATA", "id")
        if lead["Converted__s"]:
            raise RowError("ID_ALREADY_CONVERTED")
        owner = given.get("assign_to") or lead["Owner"]
        deal = self.make("Deals", {**given["Deals"], "Owner": owner}, user)
        lead |= {"Converted__s": True, "Converted_Deal": {"id": deal["id"], "name": deal["Deal_Name"]}, "Modified_Time": self.now()}
        return deal

    def _values(self, module: str, given: Mapping[str, Any]) -> Record:
        """What Zoho keeps of a row: names that it does not know it drops without a word. Raises `RowError`."""
        known = self.fields(module)
        values = {name: value for name, value in given.items() if name in known}
        owner = (values.get("Owner") or {}).get("id")
        if owner is not None and owner not in (*REPS, OUR_USER, ADMIN):
            raise RowError("INVALID_DATA", "Owner")
        about = values.get("What_Id")
        if module == "Tasks" and about and (given.get("$se_module") != "Leads" or about.get("id") not in self.modules["Leads"]):
            raise RowError("INVALID_DATA", "What_Id")
        if module == "Notes" and (values.get("Parent_Id") or {}).get("id") not in self.modules["Leads"]:
            raise RowError("INVALID_DATA", "Parent_Id")
        for name, value in values.items():
            if known[name] and value is not None and value not in known[name]:
                raise RowError("INVALID_DATA", name)
        if "Leadswitch_Score" in values and not isinstance(values["Leadswitch_Score"], int | None):
            raise RowError("INVALID_DATA", "Leadswitch_Score")
        return values

    def _count(self, module: str) -> None:
        if module in ("Leads", "Tasks", "Notes", "Deals"):
            self.changes += 1

    def tell(self, module: str, operation: str, changed: Mapping[str, set[str]]) -> None:
        """One notification a call and channel: the ids, and which of their fields."""
        for channel in self.channels.values():
            alive = datetime.fromisoformat(channel["channel_expiry"]) > self.clock.now()
            if changed and alive and f"{module}.all" in channel["events"]:
                body = {
                    "server_time": round(self.clock.now().timestamp() * 1000),
                    "query_params": {},
                    "module": module,
                    "resource_uri": f"https://www.zohoapis.com/crm/v8/{module}",
                    "ids": list(changed),
                    "affected_fields": [{one: sorted(names)} for one, names in changed.items() if names],
                    "operation": operation,
                    "channel_id": channel["channel_id"],
                    "token": channel["token"],
                }
                self.told.append((channel["notify_url"], json.dumps(body).encode()))


def _equal(left: Any, right: Any) -> bool:
    plain: Callable[[Any], Any] = lambda value: value.get("id") if isinstance(value, dict) else value  # noqa: E731
    return bool(plain(left) == plain(right))
