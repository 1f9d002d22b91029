"""Joins the letters of several councils to one reader into one mail: each as it is, under the council's name.

What each council wrote is not read and not changed, so it stands on its council's own record as it was sent. Only the
subject is new: the councils' own, whoever has most to ring first.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from monitor.delivery.envelope import Envelope
from monitor.messages.templates import open_templates
from monitor.words import join_words, one_line, write_date

PAGE = re.compile(r"(?is)\A(.*?<body\b[^>]*>)(.*)</body\s*>.*\Z")
STYLE = re.compile(r"(?is)<!--\[if mso\]>.*?<!\[endif\]-->|<style\b.*?</style\s*>")
PROGRAM = "Leaving care: "
"""How the subject of a letter begins, after its marking."""
PLAIN_HEAD = '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n</head>\n<body>'
IN_SUBJECT = 4
"""Letters whose news the subject says; a telephone shows the first."""


@dataclass(frozen=True)
class CouncilLetter:
    """One letter of one council. ``critical``: how many young people are newly critical in it."""

    code: str
    council: str
    marking: str
    envelope: Envelope
    critical: int = 0

    @property
    def news(self) -> str:
        """What its subject says, without marking and date."""
        subject = self.envelope.subject.removeprefix(self.marking).strip().removeprefix(PROGRAM)
        return subject.replace(f" - {write_date(self.envelope.as_at)}", "").strip()


@dataclass(frozen=True)
class CouncilPart:
    """What one council has in a mail. ``answers_to``: who reads answers about it, where a reply would not go there."""

    name: str
    texts: tuple[str, ...]
    pages: tuple[str, ...]
    answers_to: str | None


@dataclass(frozen=True)
class JoinedMail:
    """What the templates of a mail of several councils are given. ``head``: the HTML up to the body, of the first."""

    marking: str
    news: str
    head: str
    councils: tuple[CouncilPart, ...]

    @property
    def opening(self) -> str:
        return f"The messages of {join_words([council.name for council in self.councils])} in one mail, each as it is."

    def answers(self, council: CouncilPart) -> str:
        return (
            f"What you answer about {council.name} goes to {council.answers_to}: "
            "a reply to this mail would not reach that mailbox."
        )


def join(letters: Sequence[CouncilLetter], key: str) -> Envelope:
    """Return the letters as one mail with this key, councils in the order given; a single letter keeps its words."""
    if len(letters) == 1:
        return replace(letters[0].envelope, key=key)
    first = letters[0].envelope
    names = _name_councils(letters)
    alone = any(letter.envelope.for_head_alone for letter in letters)
    asked = {letter.envelope.reply_to for letter in letters}
    reply_to = None if alone or len(asked) > 1 else asked.pop()
    marking = " ".join(dict.fromkeys(one_line(letter.marking) for letter in letters))
    urgent = sorted(letters, key=lambda letter: -letter.critical)
    news = [f"{names[letter.code]}: {letter.news}" for letter in urgent]
    more = [f"{len(news) - IN_SUBJECT} more"] if len(news) > IN_SUBJECT else []
    about = "; ".join(news[:IN_SUBJECT] + more)
    day = max(letter.envelope.as_at for letter in letters)
    heads, bodies = zip(*(_split_page(letter.envelope.html) for letter in letters), strict=True)
    parts = tuple(_gather_parts(letters, bodies, reply_to))
    environment = open_templates().environment
    values = {"mail": JoinedMail(marking, "; ".join(news), _add_styles(heads), parts)}
    return replace(
        first,
        key=key,
        kind="joined",
        subject=one_line(f"{marking} {PROGRAM}{about} - {write_date(day)}"),
        text=environment.get_template("joined.txt").render(values).strip("\n") + "\n",
        html=environment.get_template("joined.html").render(values).strip("\n"),
        sent_at=max(letter.envelope.sent_at for letter in letters),
        as_at=day,
        reply_to=reply_to,
        for_head_alone=alone,
        attached=None,
        attached_by_council=tuple(_gather_lists(letters)),
    )


def _name_councils(letters: Sequence[CouncilLetter]) -> dict[str, str]:
    """Return each council's name by its code; with the code where two have one name."""
    names = {letter.code: one_line(letter.council) for letter in letters}
    twice = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {code: f"{name} ({code})" if name in twice else name for code, name in names.items()}


def _gather_parts(
    letters: Sequence[CouncilLetter], bodies: Sequence[str], reply_to: str | None
) -> Iterator[CouncilPart]:
    for code, name in _name_councils(letters).items():
        own = [(letter.envelope, body) for letter, body in zip(letters, bodies, strict=True) if letter.code == code]
        asked = next((envelope.reply_to for envelope, _ in own if envelope.reply_to), None)
        yield CouncilPart(
            name,
            tuple(envelope.text.strip("\n") for envelope, _ in own),
            tuple(body.strip("\n") for _, body in own),
            None if asked == reply_to else asked,
        )


def _gather_lists(letters: Sequence[CouncilLetter]) -> Iterator[tuple[str, str]]:
    """Yield each council's list with its code; a second one of a council with a number beside it."""
    told: dict[str, int] = {}
    for letter in letters:
        if letter.envelope.attached is not None:
            told[letter.code] = number = told.get(letter.code, 0) + 1
            yield letter.code if number == 1 else f"{letter.code}-{number}", letter.envelope.attached


def _split_page(html: str) -> tuple[str, str]:
    """Return a page up to and with the tag that begins its body, and what stands in the body."""
    page = PAGE.match(html)
    return (page[1], page[2]) if page else ("", html)


def _add_styles(heads: Sequence[str]) -> str:
    """Return the first head with the styles of the others, which a council's own templates may have."""
    first = next(filter(None, heads), PLAIN_HEAD)
    more = dict.fromkeys(style for head in heads for style in STYLE.findall(head) if style not in first)
    return re.sub(r"(?i)</head\s*>", lambda end: f"{''.join(more)}{end.group()}", first, count=1)
