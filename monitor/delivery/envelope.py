"""One message ready to leave: addressed, dated, keyed, and built as a MIME message that any mail program reads."""

import re
import unicodedata
from binascii import b2a_qp
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from email.header import Header
from email.message import Message
from email.policy import compat32
from email.utils import format_datetime, formataddr

from monitor.config.mailboxes import find_mailbox_fault
from monitor.errors import DeliveryError

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
WIRE = compat32.clone(linesep="\r\n", max_line_length=None)
"""Headers as they are given: what must be folded is folded here, once."""
LONGEST_LINE = 900
"""Characters of one header line; 998 are allowed."""
SUPPRESSED = "DR, RN, NRN, OOF, AutoReply"
"""Answers of machines that nobody wants; a report of non-delivery (NDR) is wanted."""
BOUNDARY = "=_part"
"""Nothing in quoted-printable holds it (RFC 2045, 6.7)."""
ENDS_A_LINE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of what can never stand in one line of text: controls, halves of letters, line ends."""


@dataclass(frozen=True)
class Thread:
    """The conversation that a message stands in, by keys: its root, the message before, whether that is corrected."""

    root: str
    earlier: str | None = None
    corrects: bool = False


@dataclass(frozen=True)
class Envelope:
    """A message and where it goes.

    ``key`` names the message for ever: a second try carries the same one, so a copy can be recognised. It holds
    no address and no person's id, because it is part of file names and headers. ``attached``: the list that goes with
    it where the channel can carry one, as CSV; ``attached_by_council``: the lists of a mail of several councils, by the
    code of each. ``reply_to``: who reads answers, where that is not the sender.
    ``for_head_alone``: an answer may quote what only the head of service is shown, so it goes to nobody else.
    """

    key: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    sent_at: datetime
    as_at: date
    kind: str
    attached: str | None = None
    sender_name: str | None = None
    reply_to: str | None = None
    for_head_alone: bool = False
    thread: Thread | None = None
    attached_by_council: tuple[tuple[str, str], ...] = ()

    @property
    def lists(self) -> tuple[tuple[str, str], ...]:
        """The lists that go with it: the name of each file, and its CSV."""
        name = f"leaving-care-{self.as_at.isoformat()}"
        one = [(f"{name}.csv", self.attached)] if self.attached is not None else []
        return (*one, *((f"{name}-{code}.csv", text) for code, text in self.attached_by_council))


@dataclass(frozen=True)
class Receipt:
    """What the other side said when it took a message; it holds no personal data.

    ``id``: by which a tracing service can be asked about it. ``state``: in Notify's words, or *taken*: a server has it
    to pass on, and only a bounce would tell more.
    """

    words: str
    id: str | None = None
    state: str = "taken"


def build_mail(envelope: Envelope) -> Message:
    """Build the message with a text and an HTML part, as 7-bit lines that no server needs to change.

    Raises a permanent ``DeliveryError`` for an address or subject that could begin another header.
    """
    check_addressed(envelope)
    mail = Message(policy=WIRE)
    mail["From"] = _name_sender(envelope)
    mail["To"] = envelope.recipient
    if envelope.reply_to:
        mail["Reply-To"] = envelope.reply_to
    mail["Subject"] = write_header("Subject", envelope.subject)
    mail["Date"] = format_datetime(envelope.sent_at)
    mail["Message-ID"] = write_id(envelope.key, envelope.sender)
    for name, keys in _place_in_thread(envelope.thread):
        mail[name] = " ".join(write_id(key, envelope.sender) for key in keys)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = SUPPRESSED
    mail["X-Monitor-Key"] = envelope.key
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = f'multipart/alternative; boundary="{BOUNDARY}"'
    for subtype, content in (("plain", envelope.text), ("html", envelope.html)):
        part = Message(policy=WIRE)
        part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
        part["Content-Transfer-Encoding"] = "quoted-printable"
        # the email package's own encoder takes many times as long over a digest
        part.set_payload(b2a_qp(_with_line_feeds(content)).decode("ascii"))
        mail.attach(part)
    return mail


def write_id(key: str, sender: str) -> str:
    """Return the Message-ID of the message with this key, the same at every try."""
    return f"<{key}@{sender.rpartition('@')[2]}>"


def _place_in_thread(thread: Thread | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    if thread is not None:
        yield "References", (thread.root, *((thread.earlier,) if thread.earlier else ()))
        if thread.earlier and thread.corrects:
            yield "In-Reply-To", (thread.earlier,)


def _name_sender(envelope: Envelope) -> str:
    name = write_header("From", envelope.sender_name or "")
    if name == envelope.sender_name:
        return formataddr((name, envelope.sender))
    return f"{name} <{envelope.sender}>" if name else envelope.sender


def write_header(name: str, text: str) -> str:
    """Write a header's text so that every program reads it back letter for letter (RFC 2047).

    Plain ASCII stays as it is on the line of its name: some programs show a blank for a subject folded before its
    first word. Anything else, and what looks like an encoded word or begins or ends with a space, is encoded whole.
    """
    plain = text.isascii() and "=?" not in text and text == text.strip() and len(text) <= LONGEST_LINE
    return text if plain else Header(text, "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")


def check_addressed(envelope: Envelope) -> None:
    """Raises a permanent ``DeliveryError`` for an address or subject that could begin another header."""
    if not KEY.fullmatch(envelope.key) or not KEY.fullmatch(envelope.kind):
        raise ValueError("key and kind hold only letters, digits, dots, hyphens and underscores")
    ends = {"sender": envelope.sender, "recipient": envelope.recipient, "reply-to": envelope.reply_to}
    for what, mailbox in ends.items():
        if mailbox is not None and (fault := find_mailbox_fault(mailbox)):
            raise DeliveryError(f"message {envelope.key}: its {what}: {fault}", permanent=True)
    if any(unicodedata.category(letter) in ENDS_A_LINE for letter in envelope.subject):
        raise DeliveryError(
            f"message {envelope.key}: its subject holds control characters; it must be one line of text", permanent=True
        )


def _with_line_feeds(content: str) -> bytes:
    """Write one kind of line end, which the message's policy then writes as the wire wants it."""
    return (content.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n").encode()
