"""A mailbox on a loopback port that speaks as much IMAP over TLS as a reader of delivery reports needs, and no more.

What was asked of each e-mail is kept, so that a test can say what was never fetched.
"""

import base64
import email
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import trustme

USER, PASSWORD = "care-leaver-monitor@example.gov.uk", "correct horse battery"


@dataclass
class Stored:
    """One e-mail in the mailbox. ``asked``: the sections of it that were fetched."""

    content: bytes
    came_on: date
    flags: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


@dataclass
class ImapKnobs:
    """How the server behaves; each may be turned while it runs. ``token``: the one it takes by XOAUTH2."""

    token: str | None = None
    folders: tuple[str, ...] = ("INBOX",)
    hang_up_at: str | None = None
    number_last: bool = False
    """Say an e-mail's number behind its content, as some servers do."""


@dataclass
class ImapServer:
    port: int
    knobs: ImapKnobs
    mails: list[Stored] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def put(self, content: bytes, came_on: date) -> Stored:
        self.mails.append(Stored(content, came_on))
        return self.mails[-1]


class _Session(socketserver.StreamRequestHandler):
    mailbox: ImapServer

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, rest = line.partition(" ")
            command = rest.removeprefix("UID ").partition(" ")[0].upper()
            self.mailbox.commands.append(command)
            if command == self.mailbox.knobs.hang_up_at:
                return
            self._say(f"{tag} {self._answer(command, rest)}")
            if command == "LOGOUT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _answer(self, command: str, rest: str) -> str:
        answers: dict[str, Any] = {
            "CAPABILITY": self._capability, "LOGIN": self._login, "AUTHENTICATE": self._authenticate,
            "SELECT": self._select, "SEARCH": self._search, "FETCH": self._fetch, "STORE": self._store,
            "LOGOUT": lambda rest: "OK bye",
        }  # fmt: skip
        return str(answers[command](rest)) if command in answers else "BAD unknown command"

    def _capability(self, rest: str) -> str:
        self._say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN")
        return "OK done"

    def _login(self, rest: str) -> str:
        return "OK done" if rest == f'LOGIN {USER} "{PASSWORD}"' else "NO LOGIN failed"

    def _authenticate(self, rest: str) -> str:
        self._say("+ ")
        said = base64.b64decode(self.rfile.readline()).decode()
        if rest == "AUTHENTICATE XOAUTH2" and said == f"user={USER}\x01auth=Bearer {self.mailbox.knobs.token}\x01\x01":
            return "OK done"
        self._say("+ " + base64.b64encode(b'{"status":"400"}').decode())
        assert self.rfile.readline().strip() == b""
        return "NO AUTHENTICATE failed"

    def _select(self, rest: str) -> str:
        if rest.removeprefix("SELECT ").strip('"') not in self.mailbox.knobs.folders:
            return "NO no such folder"
        self._say(f"* {len(self.mailbox.mails)} EXISTS")
        return "OK [READ-WRITE]"

    def _search(self, rest: str) -> str:
        since = datetime.strptime(rest.removeprefix("UID SEARCH SINCE "), "%d-%b-%Y").date()  # noqa: DTZ007
        found = [str(n) for n, mail in enumerate(self.mailbox.mails, start=101) if mail.came_on >= since]
        self._say(" ".join(["* SEARCH", *found]))
        return "OK done"

    def _fetch(self, rest: str) -> str:
        asked = re.fullmatch(r"UID FETCH ([\d,]+) \((.*)\)", rest)
        assert asked, rest
        for number in map(int, asked[1].split(",")):
            mail, pieces = self.mailbox.mails[number - 101], []
            for section, most in re.findall(r"BODY\.PEEK\[([^]]*)\](?:<0\.(\d+)>)?", asked[2]):
                mail.asked.append(section)
                content = _section(mail.content, section)
                if content is None:
                    pieces.append(f"BODY[{section}] NIL".encode())
                    continue
                content = content[: int(most)] if most else content
                place = "<0>" if most else ""
                pieces.append(b"BODY[%s]%s {%d}\r\n%s" % (section.encode(), place.encode(), len(content), content))
            named = f"UID {number}".encode()
            pieces = [*pieces, named] if self.mailbox.knobs.number_last else [named, *pieces]
            self.wfile.write(b"* %d FETCH (%s)\r\n" % (number - 100, b" ".join(pieces)))
        return "OK done"

    def _store(self, rest: str) -> str:
        asked = re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \((\S+)\)", rest)
        assert asked, rest
        self.mailbox.mails[int(asked[1]) - 101].flags.add(asked[2])
        return "OK done"


def _section(content: bytes, section: str) -> bytes | None:
    message = email.message_from_bytes(content)
    if section.startswith("HEADER.FIELDS"):
        return f"Content-Type: {message['Content-Type']}\r\n\r\n".encode()
    number, _, what = section.partition(".")
    parts = message.get_payload()
    if not isinstance(parts, list) or int(number) > len(parts):
        return None
    part: Any = parts[int(number) - 1]
    if what == "MIME":
        return "".join(f"{name}: {value}\r\n" for name, value in part.items()).encode() + b"\r\n"
    whole = bytes(part).partition(b"\n\n")[2]
    return whole.partition(b"\n\n")[0] + b"\r\n\r\n" if what == "HEADER" else whole


class _Listening(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate is no fault of the server's."""


@contextmanager
def imap_server(authority: trustme.CA, knobs: ImapKnobs | None = None) -> Iterator[ImapServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    mailbox = ImapServer(0, knobs or ImapKnobs())
    session = type("_SessionOf", (_Session,), {"mailbox": mailbox})
    with _Listening(("127.0.0.1", 0), session) as listening:
        listening.context = context
        mailbox.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            listening.shutdown()
            thread.join()
