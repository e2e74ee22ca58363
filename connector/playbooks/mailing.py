"""E-mails of playbooks by SMTP.

An SMTP server cannot be asked whether it has a message. So the row is marked just before the message is handed over: a crash before
the mark sends it again, a crash after it leaves the row to a person, and nothing is sent twice. The Message-ID stays the same, too.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

from connector.bootstrap import House
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.pipeline.crm_wishes import OWN, standing_facts
from connector.playbooks.stops import opted_out
from connector.playbooks.texts import fill
from connector.settings import SmtpSettings
from connector.storage.effects import Effect
from leads.fields import PERSONAL
from leads.records import Lead

TIMEOUT_S: Final = 20.0
#: Lines end in CRLF, and what is not ASCII is encoded.
LINES: Final = SMTP.clone(cte_type="7bit")


class Mailer:
    """Sends one message a row. Safe to share between threads: every message has a session of its own."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str:
        """Send the message; returns its Message-ID."""
        if in_doubt and effect.attempts > 1 and house.effects.was_handed_over(effect):
            raise Fatal("The e-mail may have been sent already. Replay sends it, drop leaves it.")
        lead = house.leads.get(effect.lead_id or 0)
        if lead is None or lead.erased:
            raise Skippable("The lead is gone.")
        message = self._message(house, effect, lead)
        with self._session() as server:
            self._hand_over(house, effect, server, message)
        return str(message["Message-ID"])

    def _message(self, house: House, effect: Effect, lead: Lead) -> EmailMessage:
        asked, to_lead = effect.payload, effect.payload["to"] == "lead"
        facts = standing_facts(house, lead, str(asked[OWN])) | {name: lead.fields.get(name) for name in PERSONAL}
        sender = parseaddr(self._settings.sender)[1]
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = self._address(house, lead, to_lead)
        message["Subject"] = " ".join(fill(str(asked["subject"]), facts).split())  # a fact may hold a line break, a header may not
        message["Date"] = format_datetime(effect.created_at or house.clock.now())
        message["Message-ID"] = f"<{house.vault.index('email', effect.subject)}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # so that holiday replies are not sent to us (RFC 3834)
        text = fill(str(asked["text"]), facts)
        if to_lead:
            leave = self._settings.unsubscribe
            message["List-Unsubscribe"] = f"<mailto:{leave}>" if "@" in leave and "://" not in leave else f"<{leave}>"
            text = f"{text.rstrip()}\n\n--\nTo hear no more from us: {leave}\n"
        message.set_content(text)
        return message

    def _address(self, house: House, lead: Lead, to_lead: bool) -> str:
        """Where the message goes. Raises `Skippable` when it goes nowhere."""
        if to_lead:
            email = lead.fields.get("email")
            if not email or opted_out(house, lead):
                raise Skippable("The person has no address, or opted out.")
            if not str(email).isascii():
                raise Skippable("The address has letters that not every mail server takes.")
            return str(email)
        rep = house.reps.get(lead.owner_id) if lead.owner_id else None
        if rep is None or not rep.email:
            raise Skippable("Nobody with an address holds the lead.")
        return rep.email

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A session that is signed in. Nothing has been sent while it raises."""
        settings, secure = self._settings, ssl.create_default_context()
        try:
            if settings.tls == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=secure)
            else:
                server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
        except (OSError, smtplib.SMTPException) as error:
            raise Retriable(f"The mail server cannot be reached ({type(error).__name__}).") from None
        try:
            self._sign_in(server, secure)
            yield server
        finally:
            server.close()

    def _sign_in(self, server: smtplib.SMTP, secure: ssl.SSLContext) -> None:
        settings = self._settings
        try:
            server.ehlo_or_helo_if_needed()
            if settings.tls == "starttls":
                server.starttls(context=secure)
            if settings.username and settings.password:
                server.login(settings.username, settings.password.get_secret_value())
        except smtplib.SMTPAuthenticationError:
            raise Configuration("The mail server refused the credentials.", "Mend smtp.username and smtp.password.") from None
        except smtplib.SMTPNotSupportedError as error:
            raise Configuration(f"The mail server lacks what smtp asks for ({error}).", "Mend smtp.tls or smtp.username.") from None
        except (OSError, smtplib.SMTPException) as error:
            raise Retriable(f"The mail server broke off ({type(error).__name__}).") from None

    def _hand_over(self, house: House, effect: Effect, server: smtplib.SMTP, message: EmailMessage) -> None:
        """MAIL, RCPT, the mark, DATA."""
        try:
            _expect(server.mail(parseaddr(self._settings.sender)[1]), "the sender")
            _expect(server.rcpt(parseaddr(str(message["To"]))[1]), "the address")
        except (OSError, smtplib.SMTPException) as error:
            raise Retriable(f"The mail server broke off ({type(error).__name__}).") from None
        house.effects.hand_over(effect)
        try:
            code, _ = server.data(message.as_bytes(policy=LINES))
        except smtplib.SMTPDataError as error:  # refused before the message was sent
            code = error.smtp_code
        except (OSError, smtplib.SMTPException) as error:
            raise Unsure(f"The mail server did not answer for the message ({type(error).__name__}).") from None
        if code != 250:
            house.effects.take_back(effect)
            _expect((code, b""), "the message")


def _expect(answer: tuple[int, bytes], what: str) -> None:
    """Sort a refusal: 4xx is for later, 5xx for ever (RFC 5321, 4.2.1)."""
    code = answer[0]
    if 200 <= code < 300:
        return
    if 400 <= code < 500:
        raise Retriable(f"The mail server does not take {what} now ({code}).")
    if what == "the address":
        raise Skippable(f"The mail server refused the address ({code}).")
    raise Fatal(f"The mail server refused {what} ({code}).")
