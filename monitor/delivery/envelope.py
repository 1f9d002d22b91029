"""One message ready to leave: addressed, dated, keyed, and built as a MIME message that any mail program reads."""

import re
from binascii import b2a_qp
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from monitor.errors import DeliveryError

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
UNFOLDED = policy.SMTP.clone(max_line_length=900)
"""The email package folds a plain subject of over 68 characters before its first word, which some programs show
as a blank subject; lines of up to 998 are allowed."""
MAILBOX = re.compile(r"[!-~]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Envelope:
    """A message and where it goes.

    ``key`` names the message for ever: a second try carries the same one, so a copy can be recognised. It holds
    no address and no person's id, because it is part of file names and headers. ``attached``: the list that goes with
    it where the channel can carry one, as CSV.
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


@dataclass(frozen=True)
class Receipt:
    """What the other side said when it took a message; it holds no personal data.

    ``id``: by which a tracing service can be asked about it. ``state``: in Notify's words.
    """

    words: str
    id: str | None = None
    state: str = "delivered"


def build_mail(envelope: Envelope) -> EmailMessage:
    """Build the message with a text and an HTML part, as 7-bit lines that no server needs to change.

    Raises a permanent ``DeliveryError`` for an address or subject that could begin another header.
    """
    check_addressed(envelope)
    mail = EmailMessage(policy=UNFOLDED if envelope.subject.isascii() else policy.SMTP)
    mail["From"] = envelope.sender
    mail["To"] = envelope.recipient
    mail["Subject"] = envelope.subject
    mail["Date"] = format_datetime(envelope.sent_at)
    mail["Message-ID"] = f"<{envelope.key}@{envelope.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Monitor-Key"] = envelope.key
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = "multipart/alternative"
    for subtype, content in (("plain", envelope.text), ("html", envelope.html)):
        part = EmailMessage(policy=policy.SMTP)
        part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
        part["Content-Transfer-Encoding"] = "quoted-printable"
        # the email package's own encoder takes many times as long over a digest
        part.set_payload(b2a_qp(_with_line_feeds(content)).decode("ascii"))
        mail.attach(part)
    return mail


def check_addressed(envelope: Envelope) -> None:
    """Raises a permanent ``DeliveryError`` for an address or subject that could begin another header."""
    if not KEY.fullmatch(envelope.key) or not KEY.fullmatch(envelope.kind):
        raise ValueError("key and kind hold only letters, digits, dots, hyphens and underscores")
    for what, mailbox in (("sender", envelope.sender), ("recipient", envelope.recipient)):
        if not MAILBOX.fullmatch(mailbox) or set(mailbox) & set('<>,;:"()[]\\'):
            raise DeliveryError(
                f"message {envelope.key}: its {what} is not one plain mailbox; write it like name@example.gov.uk",
                permanent=True,
            )
    if not envelope.subject.isprintable():
        raise DeliveryError(
            f"message {envelope.key}: its subject holds control characters; it must be one line of text", permanent=True
        )


def _with_line_feeds(content: str) -> bytes:
    """Write one kind of line end, which the message's policy then writes as the wire wants it."""
    return (content.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n").encode()
