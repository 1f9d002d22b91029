"""Reads delivery reports from a mailbox by IMAP over verified TLS.

Of each e-mail only its ``Content-Type`` is asked for. Of a delivery report the part for machines and the headers of the
message it returns follow; its words, and any other e-mail, are never fetched. Whether a report has been opened makes no
difference, so that one that somebody looked at is heard all the same; one that was heard is marked as read.
"""

import email
import hashlib
import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date

from monitor.config.bounce_settings import BounceSettings
from monitor.delivery.entra import open_tokens
from monitor.delivery.mail_file import NotAMail, parse
from monitor.delivery.report_mailbox import MOST_REPORTS, FoundReport, MailboxNotRead
from monitor.errors import Problems
from monitor.network.certificates import explain_certificate, make_context
from monitor.network.policy import Network, NotUsable
from monitor.network.tokens import NoToken, Tokens

SCOPE = "https://outlook.office365.com/.default"
AT_ONCE = 200
"""E-mails whose type is asked for together."""
LARGEST_STATUS, LARGEST_HEADERS = 65_536, 32_768
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NOT_LET_IN = (
    "lets the application of delivery.bounces.app read nothing; give it IMAP.AccessAsApp and the mailbox's permission "
    "(Add-MailboxPermission), and wait half an hour"
)
CA_FILE = "network.ca_file or delivery.bounces.ca_file"


class ImapMailbox:
    """One connection to one folder of one mailbox."""

    def __init__(self, settings: BounceSettings, network: Network) -> None:
        """Raises ``Problems`` when a variable, a secret or a certificate file is not there."""
        self._settings = settings
        self._place = f"mailbox {settings.mailbox} at {settings.host}:{settings.port}"
        self._login = _read_login(settings, network)
        self._tokens: Tokens | None = None
        if settings.app is not None:
            self._tokens = open_tokens(settings.app, SCOPE, network, place="delivery.bounces.app")
        try:
            self._context = make_context(network.trusting(settings.ca_file).ca_files)
        except NotUsable as fault:
            raise Problems([f"delivery.bounces: {fault}"]) from None
        self._server: imaplib.IMAP4 | None = None

    def find_reports(self, since: date) -> Iterator[FoundReport]:
        try:
            server = self._connected()
            numbers = self._find_all(server, since)
            reports = [
                number
                for start in range(0, len(numbers), AT_ONCE)
                for number in self._pick_reports(server, numbers[start : start + AT_ONCE])
            ]
            for number in reports[-MOST_REPORTS:]:
                with suppress(NotAMail):
                    yield FoundReport(number, parse(_put_together(*self._fetch(server, number))))
        except imaplib.IMAP4.error:
            raise MailboxNotRead(f"{self._place}: broke off while it was read; it will be tried again") from None
        except OSError as fault:
            raise MailboxNotRead(f"{self._place}: {self._explain(fault)}") from None

    def mark_heard(self, report: FoundReport) -> None:
        if self._server is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                self._server.uid("STORE", report.id, "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        if self._server is not None:
            try:
                self._server.logout()
            except (imaplib.IMAP4.error, OSError):
                self._server.shutdown()
            self._server = None

    def _connected(self) -> imaplib.IMAP4:
        settings = self._settings
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            settings.host, settings.port, ssl_context=self._context, timeout=settings.timeout_seconds
        )
        self._server = server
        self._sign_in(server)
        folder = settings.folder.replace("\\", "").replace('"', "")
        answer, _ = server.select(f'"{folder}"')
        if answer != "OK":
            raise MailboxNotRead(f"{self._place}: has no folder {folder}; correct delivery.bounces.folder")
        return server

    def _sign_in(self, server: imaplib.IMAP4) -> None:
        if self._tokens is None:
            user, password, variables = self._login
            remedy = f"user name or password not accepted; check {variables}"
        else:
            user, password = self._settings.mailbox, self._ask_token(self._tokens)
            remedy = NOT_LET_IN
        try:
            if self._tokens is None:
                server.login(user, password)
            else:
                server.authenticate("XOAUTH2", _say_once(f"user={user}\x01auth=Bearer {password}\x01\x01".encode()))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise MailboxNotRead(f"{self._place}: {remedy}") from None

    def _ask_token(self, tokens: Tokens) -> str:
        try:
            return tokens.current()
        except NoToken as fault:
            raise MailboxNotRead(f"{self._place}: {fault}") from None

    def _explain(self, fault: OSError) -> str:
        if certificate := explain_certificate(fault, self._settings.host, CA_FILE):
            return certificate
        if isinstance(fault, ssl.SSLError):
            return "no TLS there; correct delivery.bounces.port (993 speaks TLS from the first byte)"
        if isinstance(fault, TimeoutError):
            seconds = self._settings.timeout_seconds
            return f"no answer within {seconds} seconds; check the firewall, or raise delivery.bounces.timeout_seconds"
        reason = fault.strerror or "connection closed"
        return f"cannot be reached ({reason}); check delivery.bounces.host and port, and the firewall"

    def _find_all(self, server: imaplib.IMAP4, since: date) -> list[str]:
        day = f"{since.day}-{MONTHS[since.month - 1]}-{since.year}"
        _, found = server.uid("SEARCH", "SINCE", day)
        return [number.decode() for number in (found[0] or b"").split()]

    def _pick_reports(self, server: imaplib.IMAP4, numbers: Sequence[str]) -> list[str]:
        _, found = server.uid("FETCH", ",".join(numbers), "(UID BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE)])")
        return [number for number, _, content in _list_pieces(found) if _is_report(content)]

    def _fetch(self, server: imaplib.IMAP4, number: str) -> tuple[bytes, bytes]:
        """Return a report's fields for machines, and the headers of the message it returns."""
        asked = f"(UID BODY.PEEK[2]<0.{LARGEST_STATUS}> BODY.PEEK[3.MIME])"
        _, found = server.uid("FETCH", number, asked)
        pieces = {section: content for _, section, content in _list_pieces(found)}
        kind = email.message_from_bytes(pieces.get("3.MIME", b"")).get_content_type()
        section = "3.HEADER" if kind in ("message/rfc822", "message/global") else "3"
        _, found = server.uid("FETCH", number, f"(UID BODY.PEEK[{section}]<0.{LARGEST_HEADERS}>)")
        returned = next((content for _, _, content in _list_pieces(found)), b"")
        return pieces.get("2", b""), returned


def _list_pieces(found: Sequence[object]) -> Iterator[tuple[str, str, bytes]]:
    """Yield what a FETCH brought: the e-mail's number, the section, the content.

    One e-mail's pieces come in turn, and its number may stand before or behind them.
    """
    pieces: list[tuple[str, bytes]] = []
    number = ""
    for item in found:
        said, content = item if isinstance(item, tuple) else (item, None)
        text = said.decode("ascii", errors="replace") if isinstance(said, bytes) else ""
        if named := re.search(r"\bUID (\d+)", text):
            number = named[1]
        if content is not None:
            section = re.search(r"BODY\[([^]]*)\](?:<\d+>)?\s*(?:\{\d+\})?$", text)
            pieces.append((section[1] if section else "", content))
        elif text.rstrip().endswith(")"):
            yield from ((number, section, content) for section, content in pieces)
            pieces, number = [], ""


def _is_report(headers: bytes) -> bool:
    message = email.message_from_bytes(headers)
    kind = str(message.get_param("report-type", "delivery-status")).lower()
    return message.get_content_type() == "multipart/report" and kind == "delivery-status"


def _put_together(status: bytes, returned: bytes) -> bytes:
    """Return the two parts as one report, told apart by what neither can hold."""
    edge = b"--" + hashlib.sha256(status + b"\0" + returned).hexdigest().encode()
    head = b'Content-Type: multipart/report; report-type=delivery-status; boundary="' + edge[2:] + b'"\n\n'
    first = edge + b"\nContent-Type: message/delivery-status\n\n" + status
    second = b"\n" + edge + b"\nContent-Type: text/rfc822-headers\n\n" + returned
    return head + first + second + b"\n" + edge + b"--\n"


def _say_once(words: bytes) -> Callable[[bytes], bytes]:
    """Return an answerer that gives the token once; what the server says against it is answered by an empty line."""
    left = [words]
    return lambda challenge: left.pop() if left else b""


def _read_login(settings: BounceSettings, network: Network) -> tuple[str, str, str]:
    if settings.username_env is None or settings.password_env is None:
        return "", "", ""
    names = {"username_env": settings.username_env, "password_env": settings.password_env}
    missing = [
        f"delivery.bounces.{key}: the environment has no {name}; set it before starting"
        for key, name in names.items()
        if not network.environ.get(name)
    ]
    if missing:
        raise Problems(missing)
    user, password = (network.environ[name] for name in names.values())
    return user, password, " and ".join(names.values())
