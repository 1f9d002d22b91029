"""Fits what a reply by e-mail answers to the flags it was asked about: by sealed key, or by the number of a card.

Only the address that a key was sent to may answer with it, or one that has the team's list and page, on which it
stands too. Of the reply nothing but choice and key is taken.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, or_, select

from monitor.flags import row_keys
from monitor.store.bulk import read_by_ids
from monitor.store.tables import Flag, Message, Person, Run, table_of
from monitor.words import fold_name, write_date

NOT_OURS = "is no key of this monitor's: it was cut short or changed, or another council's monitor made it"
RECORD_WRONG_NOTE = "answered by e-mail: ask the reader what is wrong"
"""The note of an answer that needs one; no words of a reply are kept."""


class MailedAnswer(NamedTuple):
    """One answer of a reply, in order: a choice, and a key, or the number of a card."""

    row: int
    choice: str
    key: str | None
    number: int | None = None


@dataclass(frozen=True)
class Reply:
    """What a reply says. ``sender``: its address; ``messages``: keys of the e-mails of ours that it may answer.

    ``teams``: those whose list and page the sender has, by folded name: their keys came with it.
    """

    sender: str
    answers: Sequence[MailedAnswer]
    messages: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


class FittedAnswer(NamedTuple):
    """An answer with the flag that it is about."""

    row: int
    person_id: str
    rule: str
    key: str
    choice: str
    note: str


class _Card(NamedTuple):
    """One card of an e-mail. ``mails``: by what keys a reply may name that e-mail."""

    mails: frozenset[str | None]
    number: int
    key: row_keys.Key
    night: str | None

    @property
    def is_taken_back(self) -> bool:
        return self.night == "withdrawn"


def fit(store: Connection, secret: bytes, reply: Reply) -> tuple[list[FittedAnswer], list[tuple[int, str]]]:
    """Return the answers with their flags, and what is wrong by the answer's number."""
    cards = list(_load_cards(store, reply.sender))
    ids = {row_keys.find_flag_id(answer.key) for answer in reply.answers if answer.key} | {
        card.key.flag_id for card in cards if card.mails & reply.messages
    }
    flag = table_of(Flag)
    flags = {row.id: row for row in read_by_ids(store, select(flag), flag.c.id, ids - {None})}
    cards += _find_on_lists(store, secret, reply, flags)
    fitted, faults = [], []
    for answer in reply.answers:
        try:
            card = _find_card(answer, reply, cards, secret, flags)
            about = flags[card.key.flag_id]
            sealed = row_keys.make_key(secret, card.key, person_id=about.person_id, rule=about.rule)
            note = RECORD_WRONG_NOTE if answer.choice == "the record is wrong" else ""
            fitted.append(FittedAnswer(answer.row, about.person_id, about.rule, sealed, answer.choice, note))
        except _Unfit as fault:
            faults.append((answer.row, str(fault)))
    return fitted, faults


class _Unfit(Exception):
    """Why an answer cannot be taken."""


def _find_on_lists(store: Connection, secret: bytes, reply: Reply, flags: Mapping[int, "Row[Any]"]) -> Iterator[_Card]:
    """Yield what the keys of a reply are about where they stand on the lists and pages that its sender has."""
    if not reply.teams:
        return
    person, run = table_of(Person), table_of(Run)
    rows = read_by_ids(
        store, select(person.c.person_id, person.c.team), person.c.person_id, {row.person_id for row in flags.values()}
    )
    theirs = {row.person_id for row in rows if fold_name(row.team or "") in reply.teams}
    keys = []
    for answer in reply.answers:
        about = flags.get(row_keys.find_flag_id(answer.key or "") or 0)
        if answer.key is not None and about is not None and about.person_id in theirs:
            keys.append(row_keys.open_key(secret, answer.key, person_id=about.person_id, rule=about.rule))
    days = {key.list_as_at for key in keys if key is not None}
    accepted = set(store.execute(select(run.c.as_at).where(run.c.as_at.in_(days), run.c.state == "accepted")).scalars())
    for key in keys:
        if key is not None:
            yield _Card(frozenset(), 0, key, "accepted" if key.list_as_at in accepted else "withdrawn")


def _find_card(
    answer: MailedAnswer, reply: Reply, cards: Sequence[_Card], secret: bytes, flags: Mapping[int, "Row[Any]"]
) -> _Card:
    if answer.key is None and not reply.messages:
        raise _Unfit("a number says nothing without the e-mail it is of; reply to that e-mail, or use its links")
    asked = [card for card in cards if _is_asked(card, answer, reply)]
    if answer.key is not None:
        about = flags.get(row_keys.find_flag_id(answer.key) or 0)
        key = about and row_keys.open_key(secret, answer.key, person_id=about.person_id, rule=about.rule)
        if key is None and not any(card.is_taken_back for card in asked):
            raise _Unfit(NOT_OURS)
        asked = [card for card in asked if card.is_taken_back or card.key == key]
    standing = [card for card in asked if not card.is_taken_back and card.key.flag_id in flags]
    if standing:
        return standing[0]
    if asked:
        day = write_date(asked[0].key.list_as_at)
        raise _Unfit(f"the night of {day} was taken back since; answer what the next e-mail says")
    if answer.key is None:
        raise _Unfit(f"the e-mail that was answered has no {answer.number} that this address can answer")
    raise _Unfit("the key was not sent to the address that this reply is from; only its reader can answer with it")


def _is_asked(card: _Card, answer: MailedAnswer, reply: Reply) -> bool:
    """Whether a card is the one that an answer speaks of, if its key is true."""
    if answer.key is None:
        return bool(card.mails & reply.messages) and card.number == answer.number
    return answer.key.startswith(f"{card.key.flag_id}.{card.key.list_as_at:%Y%m%d}.{card.key.mark}.")


def _load_cards(store: Connection, sender: str) -> Iterator[_Card]:
    """Yield what was sent to an address that could be answered."""
    message, run = table_of(Message), table_of(Run)
    sent = (
        select(message.c.key, message.c.receipt, message.c.as_at, message.c.answerable, run.c.state)
        .outerjoin(run, run.c.id == message.c.run_id)
        .where(func.lower(message.c.recipient) == sender, message.c.answerable.is_not(None))
        .where(or_(message.c.accepted_at.is_not(None), message.c.state == "technical-failure"))
    )
    for row in store.execute(sent):
        for number, flag_id, mark in json.loads(row.answerable):
            yield _Card(frozenset((row.key, row.receipt)), number, row_keys.Key(flag_id, row.as_at, mark), row.state)
