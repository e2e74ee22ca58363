"""SOAP envelopes, read without ever expanding an entity: a document type, and with it every entity of a stranger's, is refused.

Sources: Salesforce's SOAP API guide, "Understanding the Outbound Messaging WSDL" and "convertLead()".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from xml.parsers import expat

OUTBOUND: Final = "http://soap.sforce.com/2005/09/outbound"
NIL: Final = "http://www.w3.org/2001/XMLSchema-instance nil"
DEPTH: Final = 16  # of elements; an outbound message has six
ACK: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)


@dataclass(slots=True)
class Element:
    """One element: its name without the namespace, that namespace, its text and what is inside."""

    name: str
    space: str = ""
    nil: bool = False
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> Element | None:
        """The first element at this path of names."""
        at: Element | None = self
        for name in path:
            at = next((one for one in at.inside if one.name == name), None) if at else None
        return at

    def all(self, name: str) -> list[Element]:
        """The elements of this name directly inside."""
        return [one for one in self.inside if one.name == name]

    def value(self, *path: str) -> str | None:
        """The text at a path; None where nothing stands there."""
        found = self.find(*path)
        return None if found is None or found.nil else found.text.strip() or None


def is_xml(body: bytes) -> bool:
    """Whether a body is XML rather than JSON. UTF-16, too, begins its first bytes with a mark or with `<`."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith((b"<", b"\x00<", b"\xfe\xff", b"\xff\xfe"))


def parse(body: bytes) -> Element:
    """The root of a document. Raises ValueError with a short reason; what the document says is never in it."""
    reader = expat.ParserCreate(namespace_separator=" ")
    reader.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    root = Element("")
    open_elements = [root]

    def refuse(*_: Any) -> NoReturn:
        raise ValueError("a document type is not taken")

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > DEPTH:
            raise ValueError("nested too deeply")
        space, _, local = name.rpartition(" ")
        one = Element(local, space, attributes.get(NIL) in ("true", "1"))
        open_elements[-1].inside.append(one)
        open_elements.append(one)

    def end(name: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        open_elements[-1].text += data

    reader.StartDoctypeDeclHandler = refuse
    reader.EntityDeclHandler = refuse
    reader.StartElementHandler, reader.EndElementHandler, reader.CharacterDataHandler = start, end, text
    reader.buffer_text = True
    try:
        reader.Parse(body, True)
    except expat.ExpatError:
        raise ValueError("not XML, or cut short") from None
    return root


def read_notifications(body: bytes) -> list[dict[str, Any]]:
    """The notifications of an outbound message, each with its id, organisation, object and fields. Raises ValueError."""
    message = parse(body).find("Envelope", "Body", "notifications")
    if message is None or message.space != OUTBOUND:
        raise ValueError("not an outbound message")
    organization = message.value("OrganizationId")
    return [
        {
            "notification": one.value("Id"),
            "organization": organization,
            "fields": {inner.name: None if inner.nil else inner.text for inner in (one.find("sObject") or Element("")).inside},
        }
        for one in message.all("Notification")
    ]
