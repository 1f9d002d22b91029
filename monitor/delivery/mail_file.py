"""Reads a saved e-mail (.eml) into its parts, within bounds: a hostile or broken one is words, never a traceback."""

import email
import hashlib
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from monitor.errors import MonitorError

LARGEST = 5_000_000
"""Bytes; a report or a reply that quotes a digest is a hundredth of it."""
MOST_PARTS = 200
MOST_GROUPS = 10_000
LONGEST_HEADER = 20_000
HEADERS = {"from", "date", "content-type", "subject"}
OUTLOOK_ITEM = b"\xd0\xcf\x11\xe0"


class NotAMail(MonitorError):
    """A file that is no e-mail that can be read; the words follow its name."""

    exit_code = 2


@dataclass(frozen=True)
class SavedMail:
    """One saved e-mail. ``sha256``: of the bytes, all that is ever kept of it."""

    sha256: str
    message: Message

    def read_header(self, name: str) -> str:
        return read_header(self.message, name)


def read_saved_mail(path: Path) -> SavedMail:
    """Read one file; raises ``NotAMail``."""
    try:
        if path.exists() and not path.is_file():
            raise NotAMail("not a file; name an e-mail saved as .eml")
        if path.stat().st_size > LARGEST:
            raise NotAMail(f"over {LARGEST // 1_000_000} MB, too large for a report or a reply; nothing of it was read")
        return parse(path.read_bytes())
    except OSError as fault:
        raise NotAMail(f"cannot be read ({fault.strerror}); name an e-mail saved as .eml") from None


def parse(content: bytes) -> SavedMail:
    """Read an e-mail; raises ``NotAMail``.

    What has more parts than any mail program writes is refused before it is parsed: parsing takes as deep a stack as
    they are nested, and for each line as long as there are boundaries.
    """
    if content.startswith(OUTLOOK_ITEM):
        raise NotAMail("an Outlook item (.msg), not an e-mail; save it as .eml, or drag it out of Outlook on the web")
    if len(content) > LARGEST:
        raise NotAMail(f"over {LARGEST // 1_000_000} MB, too large for a report or a reply; nothing of it was read")
    if len(re.findall(rb"(?im)^content-type[ \t]*:", content)) > MOST_PARTS or content.count(b"boundary=") > MOST_PARTS:
        raise NotAMail(f"more than {MOST_PARTS} parts inside one another, which no mail program writes")
    if b"delivery-status" in content.lower() and len(re.findall(rb"\n\r?\n", content)) > MOST_GROUPS:
        raise NotAMail(f"more than {MOST_GROUPS:,} groups of fields, which no mail server writes")
    try:
        message = email.message_from_bytes(content)
    except (RecursionError, ValueError, LookupError, TypeError, IndexError):
        raise NotAMail("its parts cannot be told apart; save it again as .eml") from None
    if not {name.lower() for name in message} & HEADERS:
        raise NotAMail("has no headers of an e-mail; name one saved as .eml")
    return SavedMail(hashlib.sha256(content).hexdigest(), message)


def walk(message: Message) -> Iterator[Message]:
    """Yield a message and every part in it, the outer ones first, whatever shape they have."""
    waiting = deque([message])
    while waiting:
        part = waiting.popleft()
        yield part
        waiting += list_parts(part)


def list_parts(part: Message) -> list[Message]:
    """Return the parts directly in one."""
    inside = part.get_payload()
    return [each for each in inside if isinstance(each, Message)] if isinstance(inside, list) else []


def read_header(part: Message, name: str) -> str:
    """Return a header as one line of text, empty where there is none; bytes that are no text stay marks."""
    value = part.get(name)
    return " ".join(str(value)[:LONGEST_HEADER].split()) if value is not None else ""


def read_text(part: Message) -> str:
    """Return the words of a text part, whatever it says of its encoding."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError):
        content = None
    return content.decode("utf-8", errors="replace") if isinstance(content, bytes) else ""
