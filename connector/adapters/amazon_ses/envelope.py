"""The SNS envelope: what is signed, and which addresses in it may be believed.

Source: the Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" and "Parsing message formats". The
envelope names the address of its own certificate: anybody can sign with one of theirs, so the host is pinned to that of the
topic's region before anything is fetched from it. The same goes for the address that confirms a subscription.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from connector.errors import BadSignature
from connector.reading import read_json, read_time

NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"
UNSUBSCRIPTION: Final = "UnsubscribeConfirmation"
#: Type → the members that are signed, in this order; `Subject` only when it is there.
SIGNED: Final[Mapping[str, Sequence[str]]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    UNSUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
#: SignatureVersion → hash. Version 1 is what a topic uses until it is set to 2.
HASHES: Final[Mapping[str, HashAlgorithm]] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - the vendor's first version
ARN: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{4,30}):\d{1,12}:[\w.-]{1,256}", re.ASCII)
PEM_PATH: Final = re.compile(r"/[\w.-]{1,200}\.pem", re.ASCII)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One SNS message whose form, topic and addresses are right; its signature is still to be checked."""

    kind: str
    message_id: str
    topic: str
    message: str
    sent_at: datetime
    certificate_url: str
    subscribe_url: str | None
    signed: bytes
    signature: bytes
    version: str

    def check(self, keys: Collection[rsa.RSAPublicKey]) -> None:
        """Raise `BadSignature` unless one of the keys made the signature."""
        for key in keys:
            try:
                key.verify(self.signature, self.signed, padding.PKCS1v15(), HASHES[self.version])
            except InvalidSignature:
                continue
            return
        raise BadSignature("The SNS signature is wrong.")


def read_envelope(body: bytes, topics: Collection[str]) -> Envelope:
    """Everything about an SNS message that can be checked without its certificate. Raises `BadSignature`."""
    try:
        given = read_json(body)
    except ValueError as error:
        raise BadSignature(f"The body is no SNS message: {error}.") from None
    if not isinstance(given, dict) or given.get("Type") not in SIGNED:
        raise BadSignature("The body is no SNS message.")
    names = [name for name in SIGNED[given["Type"]] if name != "Subject" or given.get("Subject") is not None]
    if not all(isinstance(given.get(name), str) for name in (*names, "SigningCertURL", "Signature", "SignatureVersion")):
        raise BadSignature("The SNS message is not signed, or not whole.")
    if given["TopicArn"] not in topics:
        raise BadSignature("The SNS topic is not one of this connection's.")
    host = topic_host(given["TopicArn"])
    _check_address(given["SigningCertURL"], host, "certificate")
    if not PEM_PATH.fullmatch(urlsplit(given["SigningCertURL"]).path) or urlsplit(given["SigningCertURL"]).query:
        raise BadSignature("The SNS certificate's address is not one of SNS.")
    if given["Type"] != NOTIFICATION:
        _check_subscription(given, host)
    if given["SignatureVersion"] not in HASHES:
        raise BadSignature("The SNS signature is of an unknown version.")
    return _read(given, names)


def _read(given: Mapping[str, Any], names: Sequence[str]) -> Envelope:
    try:
        signature = base64.b64decode(given["Signature"].encode(), validate=True)
        sent_at = read_time(given["Timestamp"])
    except (binascii.Error, ValueError):
        raise BadSignature("The SNS signature or its time cannot be read.") from None
    return Envelope(
        kind=given["Type"],
        message_id=given["MessageId"],
        topic=given["TopicArn"],
        message=given["Message"],
        sent_at=sent_at,
        certificate_url=given["SigningCertURL"],
        subscribe_url=given.get("SubscribeURL"),
        signed="".join(f"{name}\n{given[name]}\n" for name in names).encode("utf-8", "replace"),
        signature=signature,
        version=given["SignatureVersion"],
    )


def topic_host(arn: str) -> str:
    """The one host that speaks for a topic: SNS in its region. Raises `BadSignature` when the ARN is none."""
    found = ARN.fullmatch(arn)
    if found is None:
        raise BadSignature("The SNS topic is no ARN.")
    return f"sns.{found[2]}.amazonaws.com{'.cn' if found[1] == 'aws-cn' else ''}"


def _check_address(url: str, host: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        right = (parts.scheme, parts.netloc) == ("https", host)  # netloc: no user info and no port either
    except ValueError:
        right = False
    if not right:
        raise BadSignature(f"The SNS {what}'s address is not that of the topic's region.")


def _check_subscription(given: Mapping[str, Any], host: str) -> None:
    _check_address(given["SubscribeURL"], host, "subscription")
    asked = parse_qs(urlsplit(given["SubscribeURL"]).query)
    if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [given["TopicArn"]]:
        raise BadSignature("The SNS subscription's address is for something else.")
