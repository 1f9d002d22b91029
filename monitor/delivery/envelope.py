"""One message ready to leave: addressed, dated, keyed, and built as a MIME message that any mail program reads."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from monitor.errors import DeliveryError

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MAILBOX = re.compile(r"[!-~]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Envelope:
    """A message and where it goes.

    ``key`` names the message for ever: a second try carries the same one, so a copy can be recognised. It holds
    no address and no person's id, because it is part of file names and headers.
    """

    key: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    sent_at: datetime
    as_at: date | None = None
    kind: str = "message"


def build_mail(envelope: Envelope) -> EmailMessage:
    """The message with a text and an HTML part, as 7-bit lines that no server needs to change.

    Raises a permanent ``DeliveryError`` for an address or subject that could begin another header.
    """
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
            f"message {envelope.key}: its subject holds control characters; it must be one line of text",
            permanent=True,
        )
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = envelope.sender
    mail["To"] = envelope.recipient
    mail["Subject"] = envelope.subject
    mail["Date"] = format_datetime(envelope.sent_at)
    mail["Message-ID"] = f"<{envelope.key}@{envelope.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Monitor-Key"] = envelope.key
    mail.set_content(envelope.text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(envelope.html, subtype="html", charset="utf-8", cte="quoted-printable")
    return mail
