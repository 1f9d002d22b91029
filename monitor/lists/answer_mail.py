"""Reads a lead's reply, saved as .eml: who it is from, and what it answers by key or by number; nothing else of it.

A reply can be forged like any e-mail, so it counts only from the address that a key was sent to, and not where the mail
server that took it in found its sender false. It makes no waiver: the most that a forged one can do is to say "done".
"""

import re
from collections.abc import Iterable, Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from html import unescape
from pathlib import Path

from monitor.delivery.mail_file import NotAMail, SavedMail, list_parts, read_saved_mail, read_text, walk
from monitor.errors import Problems
from monitor.flags.mailed_answers import MailedAnswer, Reply
from monitor.messages.answering import CHOICES

KEY = r"\d{1,15}\.\d{8}\.[0-9a-f]{10}\.[0-9a-f]{32}"
CHOICE = "|".join(map(re.escape, CHOICES))
WITH_KEY = re.compile(rf"(?i)(?:\b({CHOICE}|waive until)\b)?[\s:,;-]*\b({KEY})\b")
BY_NUMBER = re.compile(rf"(?i)\s*(?:(\d{{1,5}})[.:)]?\s+({CHOICE})|({CHOICE})[:,]?\s+(\d{{1,5}}))\s*[.!]?\s*")
CHOICE_ALONE = re.compile(rf"(?i)\s*({CHOICE})\s*[:,;-]\s*")
STARTS_WITH_KEY = re.compile(rf"(?i)\s*{KEY}\b")
QUOTED = re.compile(r"(?i)\s*(>|-{3,}|_{5,}|from:|sent:|on .{5,200} wrote:)")
"""A line below which a mail program puts what is answered."""
FALSE_SENDER = re.compile(r"(?i)\b(spf|dkim|dmarc|compauth)\s*=\s*fail")
MOST_ANSWERS = 100
LONGEST_LINE = 1_000


def read(path: Path) -> tuple[str, Reply]:
    """Return the file's hash and what the reply answers; raises ``Problems``, in words for each."""
    try:
        mail = read_saved_mail(path)
    except NotAMail as fault:
        raise Problems([f"{path.name}: {fault}"]) from None
    try:
        return mail.sha256, _read_reply(mail)
    except Problems as faults:
        raise Problems([f"{path.name}: {fault}" for fault in faults.problems]) from None


def _read_reply(mail: SavedMail) -> Reply:
    sender = _find_sender(mail)
    if any(FALSE_SENDER.search(str(said)) for said in mail.message.get_all("Authentication-Results", [])):
        raise Problems(["the mail server that took it in found its sender false; ask the reader"])
    lines = [_decode(mail.read_header("Subject"))[:LONGEST_LINE], *_own_lines(mail.message)]
    answers, faults = _find_answers(lines)
    if not answers and not faults:
        inside = [part for part in walk(mail.message) if part.get_content_type() == "message/rfc822"]
        if inside:
            raise Problems(["holds no answer but what was forwarded in it; save the reader's own reply, and read that"])
        listed = ", ".join(CHOICES)
        raise Problems([f"holds no answer; an answer is one of {listed}, with its key or its number"])
    if faults:
        raise Problems(faults)
    return Reply(sender, answers, frozenset(_find_messages(mail)))


def _find_sender(mail: SavedMail) -> str:
    senders = [address.strip().lower() for _, address in getaddresses([mail.read_header("From")]) if address.strip()]
    if len(senders) != 1 or len(mail.message.get_all("From", [])) != 1:
        raise Problems(["is not from one address; save the reader's own reply"])
    return senders[0]


def _find_answers(lines: Iterable[str]) -> tuple[list[MailedAnswer], list[str]]:
    """Return each answer once, in order, and what is wrong with the others."""
    found: dict[str, str] = {}
    faults: list[str] = []
    for line in _join_wrapped(lines):
        for said, about in _read_line(line):
            if said in ("", "waive until"):
                faults.append(
                    "a waiver is not made by e-mail; answer it on the list" if said else
                    f"a key without an answer; put one of {', '.join(CHOICES)} before it"
                )  # fmt: skip
            elif found.setdefault(about, said) != said:
                faults.append(f'answered twice, "{found[about]}" and "{said}"; keep one')
    answers = [
        MailedAnswer(row, said, *((None, int(about)) if about.isdecimal() else (about, None)))
        for row, (about, said) in enumerate(found.items(), start=1)
    ]
    if len(answers) > MOST_ANSWERS:
        faults.append(f"more than {MOST_ANSWERS} answers; answer on the list")
    return answers, list(dict.fromkeys(faults))


def _join_wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, a key with the choice before it: mail programs break a line that is longer than they like."""
    before = ""
    for line in lines:
        yield f"{before} {line}" if before and STARTS_WITH_KEY.match(line) else line
        before = line if CHOICE_ALONE.fullmatch(line) else ""


def _read_line(line: str) -> Iterator[tuple[str, str]]:
    """Yield each choice of a line with what it is about: a key or a number."""
    keyed = [((match[1] or "").lower(), match[2]) for match in WITH_KEY.finditer(line)]
    yield from keyed
    if not keyed and (match := BY_NUMBER.fullmatch(line)):
        yield (match[2] or match[3]).lower(), str(int(match[1] or match[4]))


def _own_lines(message: Message) -> Iterator[str]:
    """Yield the lines that the reader wrote: of the first text part, above what is quoted."""
    texts = [part for part in _outer_parts(message) if part.get_content_maintype() == "text"]
    plain = [part for part in texts if part.get_content_subtype() == "plain"] or texts
    for part in plain[:1]:
        text = read_text(part)
        if part.get_content_subtype() == "html":
            text = unescape(re.sub(r"<[^<>]{0,2000}>", " ", re.sub(r"(?i)<(br|/p|/div|/tr)[^<>]{0,200}>", "\n", text)))
        for line in text.splitlines():
            if QUOTED.match(line):
                return
            yield line[:LONGEST_LINE]


def _outer_parts(part: Message) -> Iterator[Message]:
    """Yield the parts of an e-mail without those of one that is attached to it."""
    yield part
    if part.get_content_maintype() == "multipart":
        for inside in list_parts(part):
            yield from _outer_parts(inside)


def _find_messages(mail: SavedMail) -> Iterator[str]:
    for name in ("In-Reply-To", "References"):
        yield from re.findall(r"<([^<>@\s]{1,100})@[^<>@\s]+>", mail.read_header(name))


def _decode(subject: str) -> str:
    try:
        return str(make_header(decode_header(subject)))
    except (HeaderParseError, LookupError, UnicodeDecodeError, ValueError):
        return subject
