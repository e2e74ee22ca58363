"""Events of sources that nobody has written an adapter for: their types and fields mapped to ours, by configuration or by habit.

A connection says in `leadswitch.toml`

    [connections.shop.map]
    records = "$.items[*]"            # where the events are; the whole body by default
    key = "$.id"                      # what tells events apart; all they say by default
    type = "$.event"                  # or `always = "form_submitted"`
    moment = "$.at"                   # ISO 8601, or seconds or milliseconds since 1970
    external_id = "$.user.id"
    text = "$.comment"                # what the person wrote
    [connections.shop.map.types]      # their type → a word of ours (docs/adapters.md lists them)
    "order.abandoned" = "page_viewed"
    [connections.shop.map.fields]     # a canonical field, or a name of your own → where it is
    email = "$.user.mail"
    [connections.shop.map.facts]      # small facts kept with an act; nothing about a person
    basket = "$.basket.size"

What is not said is looked for under its usual names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connector.errors import Configuration
from connector.machines import is_machine
from connector.paths import Path
from connector.reading import MESSAGE_LIMIT, content_key, id_key, read_email, read_link, read_text, read_time, read_value
from connector.settings import ConnectionSettings
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.fields import CANONICAL
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

Kind = EngagementKind | ChangeKind

#: Types that need no configuration, beside our own words (`email_opened`, also written `email.opened`).
TYPES: Final[Mapping[str, Kind]] = {
    **{f"{who}.created": ChangeKind.CREATED for who in ("lead", "contact", "person", "user", "customer", "subscriber")},
    **{f"{who}.updated": ChangeKind.CHANGED for who in ("lead", "contact", "person", "user", "customer", "subscriber")},
    **{f"{who}.changed": ChangeKind.CHANGED for who in ("lead", "contact", "person", "user", "customer", "subscriber")},
    **{f"{who}.deleted": ChangeKind.DELETED for who in ("lead", "contact", "person", "user", "customer", "subscriber")},
    "email.bounce": EngagementKind.EMAIL_BOUNCED,
    "email.open": EngagementKind.EMAIL_OPENED,
    "email.click": EngagementKind.EMAIL_CLICKED,
    "email.complained": EngagementKind.SPAM_REPORTED,
    "form.submit": EngagementKind.FORM_SUBMITTED,
    "page.view": EngagementKind.PAGE_VIEWED,
    "meeting.created": EngagementKind.MEETING_BOOKED,
    "meeting.scheduled": EngagementKind.MEETING_BOOKED,
    "meeting.completed": EngagementKind.MEETING_ATTENDED,
    "meeting.held": EngagementKind.MEETING_ATTENDED,
    "meeting.no.show": EngagementKind.MEETING_MISSED,
    "document.viewed": EngagementKind.PROPOSAL_VIEWED,
    "document.opened": EngagementKind.PROPOSAL_VIEWED,
    "document.signed": EngagementKind.PROPOSAL_SIGNED,
    "document.completed": EngagementKind.PROPOSAL_SIGNED,
    "proposal.accepted": EngagementKind.PROPOSAL_SIGNED,
    "product.usage": EngagementKind.PRODUCT_USED,
    "feature.used": EngagementKind.PRODUCT_USED,
    "user.signed.in": EngagementKind.PRODUCT_USED,
    "file.downloaded": EngagementKind.CONTENT_DOWNLOADED,
    "video.played": EngagementKind.VIDEO_WATCHED,
    "chat.message": EngagementKind.MESSAGE_RECEIVED,
}
#: Other names under which a canonical field comes; its own name, also as camelCase, is looked for first. Letter case is ignored.
ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "email": ("emailaddress", "mail", "useremail", "workemail"),
    "phone": ("phonenumber", "mobile", "mobilephone", "telephone", "tel"),
    "first_name": ("firstname", "givenname", "fname"),
    "last_name": ("lastname", "familyname", "surname", "lname"),
    "title": ("jobtitle", "position"),
    "company": ("companyname", "organization", "organisation", "account"),
    "website": ("companywebsite", "homepage"),
    "message": ("comments", "comment", "enquiry", "inquiry", "question"),
    "country": ("countrycode",),
    "region": ("state", "province"),
    "postcode": ("zip", "zipcode", "postalcode"),
    "employees": ("numberofemployees", "companysize", "headcount"),
    "revenue": ("annualrevenue",),
    "source": ("leadsource", "utmsource"),
    "campaign": ("utmcampaign", "campaignname"),
    "language": ("locale",),
}
IDS: Final = ("leadid", "contactid", "externalid", "userid", "customerid", "personid")
KEYS: Final = ("eventid", "id", "messageid")
MOMENTS: Final = ("occurredat", "timestamp", "time", "createdat", "date")
TYPE_NAMES: Final = ("type", "event", "eventtype", "eventname")
#: Facts kept with an act where they come under these names.
FACTS: Final = (
    "url",
    "path",
    "page",
    "campaign",
    "template",
    "feature",
    "plan",
    "document",
    "duration_s",
    "seconds",
    "count",
    "value",
)
#: Who did it, for telling machines apart; not kept.
AGENTS: Final = ("useragent",)
ADDRESSES: Final = ("ip", "ipaddress")


def squeeze(name: str) -> str:
    """`First-Name`, `first_name` and `firstName` as one word."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


_FIELDS: Final = {squeeze(name): name for name in CANONICAL} | {one: name for name, others in ALIASES.items() for one in others}


def read_type(text: object, types: Mapping[str, Kind] = TYPES) -> Kind | None:
    """What an event type means: whole, or by its last words (`com.example.lead.created`). None when it is not known."""
    word = text.strip()[:200] if isinstance(text, str) else ""
    if word in types:
        return types[word]
    parts = word.lower().replace("_", ".").replace("-", ".").replace(" ", ".").replace(":", ".").replace("/", ".").split(".")
    for start in range(len(parts) - 1):
        tail = parts[start:]
        if ".".join(tail) in types:
            return types[".".join(tail)]
        if (act := EngagementKind.read("_".join(tail))) is not EngagementKind.UNKNOWN:
            return act
    return EngagementKind.UNSUBSCRIBED if parts[-1] == "unsubscribed" else None


@dataclass(frozen=True, slots=True)
class EventMap:
    """How one connection's events are read. What is empty is looked for under its usual names."""

    records: Path | None = None
    key: Path | None = None
    type: Path | None = None
    always: Kind | None = None
    moment: Path | None = None
    external_id: Path | None = None
    text: Path | None = None
    types: Mapping[str, Kind] = field(default_factory=dict)
    fields: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: ConnectionSettings) -> EventMap:
        """The map of a connection's table `map`. Raises `Configuration` naming the key."""
        table = settings.option("map", {})
        at = f"{settings.name}: map"
        if not isinstance(table, Mapping):
            raise Configuration(f"{at} is not a table.", "See docs/adapters.md.")
        unknown = set(table) - {*_PATHS, "always", "types", "fields", "facts"}
        if unknown:
            raise Configuration(f"{at} holds the unknown key {sorted(unknown)[0]}.", "See docs/adapters.md.")
        return cls(
            **{name: _path(f"{at}.{name}", table[name]) for name in _PATHS if name in table},
            always=_kind(f"{at}.always", table["always"]) if "always" in table else None,
            types={their: _kind(f"{at}.types.{their}", ours) for their, ours in _table(f"{at}.types", table).items()},
            fields={name: _path(f"{at}.fields.{name}", path) for name, path in _table(f"{at}.fields", table).items()},
            facts={name: _path(f"{at}.facts.{name}", path) for name, path in _table(f"{at}.facts", table).items()},
        )

    def split(self, document: Any) -> list[Any]:
        """The events in a body. Raises ValueError."""
        if self.records is not None:
            return [one for found in self.records.all(document) for one in (found if isinstance(found, list) else [found])]
        if isinstance(document, list):
            return document
        if isinstance(document, dict):
            return [document]
        raise ValueError("neither a list nor an object")

    def read(
        self,
        prefix: str,
        entry: Mapping[str, Any],
        *,
        kind: Kind | None = None,
        key: str | None = None,
        moment: datetime | None = None,
    ) -> Sequence[InboundEvent]:
        """The events of one entry; what an envelope told already is passed in. Raises ValueError with a short reason."""
        usual = _usual(entry)
        kind = kind or self.always or self._kind(entry, usual)
        if key is None:
            given = self.key.first(entry) if self.key else _first(usual, KEYS)
            key = id_key(prefix, given, entry) if isinstance(given, str | int) else content_key(prefix, entry)
        if moment is None:
            moment = read_time(self.moment.first(entry) if self.moment else _first(usual, MOMENTS))
        fields, extra = self._fields(entry, usual)
        person = self.external_id.first(entry) if self.external_id else _first(usual, IDS)
        external_id = (read_text(person, 128) if isinstance(person, str | int) else None) or ""
        text = self.text.first(entry) if self.text else fields.get("message")
        if isinstance(kind, ChangeKind):
            return [_change(key, external_id, moment, kind, fields, extra)]
        act = self._act(key, kind, moment, entry, usual, fields, external_id, read_text(text, MESSAGE_LIMIT))
        if kind is not EngagementKind.FORM_SUBMITTED:
            return [act]
        return [_change(f"{key}:lead", external_id, moment, ChangeKind.CREATED, fields, extra), act]

    def _kind(self, entry: Mapping[str, Any], usual: Mapping[str, Any]) -> Kind:
        named = self.type.first(entry) if self.type else _first(usual, TYPE_NAMES)
        return self.kind_of(named)

    def kind_of(self, named: object) -> Kind:
        """What their type means. Raises ValueError when nobody said."""
        kind = self.types.get(str(named)) or read_type(named)
        if kind is None:
            raise ValueError("unknown event type: kept")
        return kind

    def _fields(self, entry: Mapping[str, Any], usual: Mapping[str, Any]) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
        found: dict[str, FieldValue] = {}
        if not self.fields:
            found = {_FIELDS[name]: read_value(value) for name, value in reversed(list(usual.items())) if name in _FIELDS}
        for name, path in self.fields.items():
            value = path.first(entry)
            if value is not None:
                found[name] = read_value(value, MESSAGE_LIMIT if name == "message" else 2_000)
        extra = {name: found.pop(name) for name in list(found) if name not in CANONICAL}
        if "email" in found:
            found["email"] = read_email(found["email"])
        return {name: value for name, value in found.items() if value is not None}, extra

    def _act(
        self,
        key: str,
        kind: EngagementKind,
        moment: datetime,
        entry: Mapping[str, Any],
        usual: Mapping[str, Any],
        fields: Mapping[str, FieldValue],
        external_id: str,
        text: str | None,
    ) -> EngagementEvent:
        if not (fields.get("email") or fields.get("phone") or external_id):
            raise ValueError("names nobody")
        facts = {name: read_value(value, 300) for name, path in self.facts.items() if (value := path.first(entry)) is not None}
        if not self.facts:
            facts = {name: read_value(usual[squeeze(name)], 300) for name in FACTS if usual.get(squeeze(name)) not in (None, "")}
        if facts.get("url"):
            facts["url"] = read_link(facts["url"])
        email = fields.get("email")
        return EngagementEvent(
            event_key=key,
            kind=kind,
            occurred_at=moment,
            email=str(email) if email else None,
            external_id=external_id or None,
            machine=is_machine(kind, _first(usual, AGENTS), _first(usual, ADDRESSES)),
            properties={name: value for name, value in facts.items() if value is not None},
            text=text,
            phone=str(fields["phone"]) if fields.get("phone") else None,
        )


_PATHS: Final = ("records", "key", "type", "moment", "external_id", "text")


def _usual(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The scalars of an entry by squeezed name, the outer ones first: objects inside are looked into two levels deep."""
    flat: dict[str, Any] = {}
    level: list[Mapping[str, Any]] = [entry]
    for _ in range(3):
        below: list[Mapping[str, Any]] = []
        for one in level:
            for name, value in one.items():
                if isinstance(value, dict):
                    below.append(value)
                elif not isinstance(value, list):
                    flat.setdefault(squeeze(str(name)), value)
        level = below
    return flat


def _first(usual: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((usual[name] for name in names if usual.get(name) not in (None, "")), None)


def _change(
    key: str,
    external_id: str,
    moment: datetime,
    kind: ChangeKind,
    fields: Mapping[str, FieldValue],
    extra: Mapping[str, FieldValue],
) -> LeadChange:
    if not external_id and (kind is ChangeKind.DELETED or not (fields.get("email") or fields.get("phone"))):
        raise ValueError("names nobody")
    created = moment if kind is ChangeKind.CREATED else None
    return LeadChange(key, external_id, moment, kind, ChangeOrigin.UNKNOWN, fields, extra, created_at=created)


def _table(at: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
    inside: object = table.get(at.rpartition(".")[2], {})
    if not isinstance(inside, Mapping):
        raise Configuration(f"{at} is not a table.", "See docs/adapters.md.")
    return inside


def _path(at: str, text: object) -> Path:
    try:
        return Path.parse(str(text))
    except ValueError as error:
        raise Configuration(f"{at}: {error}.", "Write it like $.person.emails[0].") from None


def _kind(at: str, word: object) -> Kind:
    for words in (EngagementKind, ChangeKind):
        kind = words.read(word)
        if kind.value != "unknown":
            return kind
    raise Configuration(
        f"{at}: {word!r} is no word of ours.", "Use one such as form_submitted, meeting_booked, created or changed."
    )
