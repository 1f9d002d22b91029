"""Reads delivery reports (RFC 3464, and what Exim wrote before it): which message, to whom, failed how; values only.

A report says nothing that is believed by itself: anybody can write one. It names one of our messages only by the key
that message carries (``ENVID``, ``Message-ID`` or ``X-Monitor-Key``), which is random and goes to one reader, together
with the address the message went to. So a forged report can come from somebody who has the message, and costs at worst
a repeat: what the message told is told again.
"""

import email
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses
from typing import Literal

from monitor.delivery.envelope import KEY
from monitor.delivery.mail_file import NotAMail, SavedMail, list_parts, read_header, read_text, walk

Failing = Literal["for good", "for now", "not"]
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
REPORTED = ("message/delivery-status", "message/global-delivery-status")
RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
FOR_NOW = re.compile(r"4\..*|5\.2\.2|5\.4\.7")
"""Statuses that pass: whatever begins with 4; a full mailbox and a server out of reach, whatever the first digit."""
MEANINGS = (
    (r".\.1\.(1|10|2|3)", "nobody has that address there"),
    (r".\.1\.6", "the mailbox has moved"),
    (r".\.2\.1", "the mailbox is switched off"),
    (r".\.2\.2", "the mailbox is full"),
    (r".\.2\.3|.\.3\.4", "the message was too large there"),
    (r".\.4\..*", "its server could not be reached in time"),
    (r".\.7\..*", "its server does not let this sender write there"),
)
"""What a status says, in words a person can act on."""
MOST_RECIPIENTS = 1_000


@dataclass(frozen=True)
class ReportedRecipient:
    """What a report says of one reader: the spellings of the address, lower case; the action; the status."""

    addresses: tuple[str, ...]
    action: str
    status: str

    @property
    def failing(self) -> Failing:
        """Whether the message did not arrive; one that is only late is still on its way."""
        if self.action not in ("failed", "expired"):
            return "not"
        return "for now" if self.action == "expired" or FOR_NOW.fullmatch(self.status) else "for good"

    def in_words(self) -> str:
        """Say what the status means; its server's own words are left out, for they may name somebody."""
        meaning = next((words for pattern, words in MEANINGS if re.fullmatch(pattern, self.status)), None)
        return f"{self.status}: {meaning}" if meaning else self.status


@dataclass(frozen=True)
class DeliveryReport:
    """One report. ``keys``: what may be the key of a message of ours; ``recipients``: whom it is about."""

    keys: frozenset[str]
    recipients: tuple[ReportedRecipient, ...]


def read_reports(mail: SavedMail) -> tuple[DeliveryReport, ...]:
    """Return every delivery report in an e-mail, also one that was forwarded in it; raises ``NotAMail``."""
    found = [report for part in walk(mail.message) if (report := _read(part)) is not None]
    if not found:
        raise NotAMail("holds no delivery report; name the report as the mail server sent it")
    return tuple(found)


def _read(part: Message) -> DeliveryReport | None:
    inside = list_parts(part)
    statuses = [each for each in inside if each.get_content_type() in REPORTED]
    if statuses and part.get_content_maintype() == "multipart":
        blocks = [block for status in statuses for block in _list_blocks(status)][:MOST_RECIPIENTS]
        keys = {read_header(block, "Original-Envelope-Id").strip("<>") for block in blocks}
        keys |= {key for each in inside if each.get_content_type() in RETURNED for key in _find_keys(_headers_of(each))}
        return _report(keys, (_read_recipient(block) for block in blocks))
    if failed := read_header(part, "X-Failed-Recipients"):
        return _read_exim(part, failed)
    return None


def _report(keys: Iterable[str], recipients: Iterable[ReportedRecipient | None]) -> DeliveryReport:
    return DeliveryReport(
        frozenset(key for key in keys if KEY.fullmatch(key)), tuple(each for each in recipients if each is not None)
    )


def _list_blocks(status: Message) -> Iterator[Message]:
    """Yield the groups of fields: the first of the message, then one of each reader."""
    for block in list_parts(status):
        yield block
        rest = block.get_payload()
        if isinstance(rest, str):
            yield from (email.message_from_string(each) for each in re.split(r"\r?\n\r?\n", rest) if each.strip())


def _headers_of(returned: Message) -> Message:
    """Return the message whose headers a report gives back."""
    inside = list_parts(returned)
    return inside[0] if inside else email.message_from_string(read_text(returned).lstrip())


def _find_keys(headers: Message) -> Iterator[str]:
    yield read_header(headers, "X-Monitor-Key")
    yield read_header(headers, "Message-ID").strip("<>").partition("@")[0]


def _read_recipient(block: Message) -> ReportedRecipient | None:
    spellings = (_plain(read_header(block, name)) for name in ("Original-Recipient", "Final-Recipient"))
    addresses = tuple(dict.fromkeys(address for address in spellings if address))
    if not addresses:
        return None
    status = STATUS.search(read_header(block, "Status"))
    action = read_header(block, "Action").partition(" ")[0].partition("(")[0].lower()
    return ReportedRecipient(addresses, action, status.group() if status else "5.0.0")


def _plain(typed: str) -> str:
    """Return the address of a field like "rfc822; <A@example.gov.uk>"."""
    return typed.rpartition(";")[2].strip().strip("<>").lower()


def _read_exim(part: Message, failed: str) -> DeliveryReport:
    """Read a report of Exim's own older form: the readers in a header, and the message back in the words."""
    words = "\n".join(read_text(each) for each in walk(part) if each.get_content_maintype() == "text")
    above, _, returned = words.partition("This is a copy of the message")
    keys = set(re.findall(r"(?im)^message-id:\s*<([^@\s>]{1,100})@", returned))
    keys |= set(re.findall(r"(?im)^x-monitor-key:\s*(\S{1,100})\s*$", returned))
    status = re.search(rf"\b[45]\d\d[ -]({STATUS.pattern})", above)
    addresses = [address.lower() for _, address in getaddresses([failed])[:MOST_RECIPIENTS] if address]
    return _report(
        keys, (ReportedRecipient((each,), "failed", status.group(1) if status else "5.0.0") for each in addresses)
    )
