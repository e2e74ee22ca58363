"""A small SMTP server for tests: takes messages, refuses what it is told to, and can go away in the middle."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """`taken` are the messages that it got. `answers` replaces its next answer to a command; "" hangs up instead."""

    port: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    bare_lines: int = 0  # not ended as SMTP has it; strict servers refuse them

    def messages(self) -> list[EmailMessage]:
        return [message for _, message in self.taken]


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: MailServer = self.server.mail  # type: ignore[attr-defined]
        self._say("220 mail.test")
        to = ""
        while line := self.rfile.readline():
            verb = line.split(b" ")[0].strip().upper().decode()
            if verb == "RCPT":
                to = line.decode().partition("<")[2].partition(">")[0]
            if verb == "DATA":
                if not self._say(server.answers.pop("DATA", "354 go on")):
                    return
                body = b"".join(iter(self._body_line, None))
                server.taken.append((to, message_from_bytes(body, policy=policy.default)))  # type: ignore[arg-type]
                verb = "MESSAGE"
            if not self._say(server.answers.pop(verb, "221 bye" if verb == "QUIT" else "250 ok")):
                return

    def _body_line(self) -> bytes | None:
        line = self.rfile.readline()
        self.server.mail.bare_lines += not line.endswith(b"\r\n")  # type: ignore[attr-defined]
        return None if line in (b".\r\n", b"") else line.removeprefix(b".") if line.startswith(b"..") else line

    def _say(self, text: str) -> bool:
        if text:
            self.wfile.write(text.encode() + b"\r\n")
        return bool(text)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A running server on a port of its own."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mail = MailServer(server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.mail  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join(10)
