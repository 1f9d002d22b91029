"""How a lead answers by e-mail: for each card the addresses of three ready replies, each with the flag's sealed key.

The key is the one that stands in the row of the exception list. Nobody on the restricted list has one, and no head of
service: an answer of theirs would tell the analyst of whom it is.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from monitor.config.settings import Config
from monitor.flags import row_keys
from monitor.messages.parts import FlagLine, MessageContext

CHOICES = {"done": "Done", "not ours": "Not ours", "the record is wrong": "Record wrong"}
"""What can be answered by e-mail, and the words of its link. A waiver needs a reason and a day, so a list."""


class ReadyReply(NamedTuple):
    """One link of a card: its words, and a ``mailto`` address whose subject is the choice and the key."""

    words: str
    address: str


class Answerable(NamedTuple):
    """A card that can be answered: its number in the message, its flag, and how that stood."""

    number: int
    flag_id: int
    mark: str


def find_reader_of_answers(config: Config) -> str | None:
    """Return the mailbox that the config names, or the analyst's; None where it names neither."""
    analyst = config.people.analyst if "analyst" in config.people.model_fields_set else None
    return config.delivery.reply_to or analyst


def write_replies(line: FlagLine, night: MessageContext) -> tuple[ReadyReply, ...]:
    """Return the ready replies about a flag; none where it cannot be answered by e-mail."""
    if night.answers_to is None or night.answer_secret is None or not _may_be_answered(line, night):
        return ()
    key = row_keys.Key(line.flag_id, night.as_at, _mark(line, night.answer_secret))
    sealed = row_keys.make_key(night.answer_secret, key, person_id=line.person_id, rule=line.rule)
    to = quote(night.answers_to, safe="@")
    return tuple(
        ReadyReply(words, f"mailto:{to}?subject={quote(f'{choice}: {sealed}')}") for choice, words in CHOICES.items()
    )


def list_answerable(
    lines: Sequence[FlagLine], numbers: Mapping[int, int], night: MessageContext
) -> tuple[Answerable, ...]:
    """Return the cards that can be answered, by number; ``numbers``: of each card by its flag."""
    if night.answers_to is None or night.answer_secret is None:
        return ()
    found = (line for line in lines if line.flag_id in numbers and _may_be_answered(line, night))
    marks = {line.flag_id: _mark(line, night.answer_secret) for line in found}
    return tuple(Answerable(number, flag_id, marks[flag_id]) for flag_id, number in numbers.items() if flag_id in marks)


def _may_be_answered(line: FlagLine, night: MessageContext) -> bool:
    reader = night.routes.address(line.team, line.person_id)
    is_head = reader == night.routes.head or reader in night.routes.headed
    return line.person_id not in night.routes.restricted and not is_head


def _mark(line: FlagLine, secret: bytes) -> str:
    return row_keys.mark_flag(secret, line.severity, line.in_breach_since, line.because)
