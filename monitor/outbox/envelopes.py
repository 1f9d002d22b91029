"""Addresses a message as it leaves: from whom, to whom, who reads an answer, and in which conversation it stands."""

import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection
from html import escape
from typing import Any

from sqlalchemy import Connection, select

from monitor.config.settings import Config
from monitor.delivery.envelope import Envelope, Thread
from monitor.messages.answering import find_reader_of_answers
from monitor.messages.parts import DIGESTS
from monitor.store.seals import read_secret
from monitor.store.tables import Message, Run, table_of
from monitor.words import write_date
from monitor.workdays import london_date

ROOT_LENGTH = 24
JOINED = "joined-"
"""How the key begins of a mail in which the messages of several councils go to one reader."""


def new_joined_key(day: dt.date) -> str:
    """Return a key for a mail of several councils, which none of them can know before; of no address and no council."""
    return f"{JOINED}{day.isoformat()}-{secrets.token_hex(8)}"


def is_joined(receipt: str | None) -> bool:
    """Return whether a message went in a mail of several councils, by its receipt."""
    return receipt is not None and receipt.startswith(JOINED)


def address(store: Connection, message: Any, config: Config, restricted: Collection[str]) -> Envelope:
    """Return the message as the channel sends it; one that may have gone before says so."""
    subject, text, html = message.subject, message.text, message.html
    if message.doubtful_since is not None:
        day = write_date(london_date(message.doubtful_since))
        words = f"This may be a repeat: nobody could tell whether the same message reached you on {day}."
        subject = f"{subject} (may be a repeat)"
        text = f"{words}\n\n{text}"
        html = re.sub(r"(<body\b[^>]*>)", lambda start: f"{start.group()}<p>{escape(words)}</p>", html, count=1)
    alone = is_for_head_alone(config, message.recipient, set(json.loads(message.people)) & set(restricted))
    return Envelope(
        message.key, config.delivery.sender, message.recipient, subject, text, html, message.created_at, message.as_at,
        message.kind, message.attached, sender_name=config.delivery.sender_name, for_head_alone=alone,
        reply_to=None if alone else find_reader_of_answers(config),
        thread=find_thread(store, message) if message.kind in DIGESTS else None,
    )  # fmt: skip


def is_for_head_alone(config: Config, recipient: str, restricted: Collection[str]) -> bool:
    """Return whether an answer to a message may quote what only the head of service is shown.

    ``restricted``: those of the restricted list whom the message names.
    """
    heads = {head.lower() for head in (config.people.head, *(team.head for team in config.teams)) if head}
    return bool(restricted) or recipient in heads


def find_thread(store: Connection, message: Any) -> Thread:
    """Return the conversation of a reader's days: its first word is the same for ever and holds no address.

    A digest for the day of the last one, or after a night that was taken back, answers what it corrects.
    """
    seal = hmac.new(read_secret(store), f"conversation {message.recipient}".encode(), hashlib.sha256)
    earlier, run = table_of(Message), table_of(Run)
    last = store.execute(
        select(earlier.c.key, earlier.c.receipt, earlier.c.as_at, run.c.state)
        .outerjoin(run, run.c.id == earlier.c.run_id)
        .where(earlier.c.recipient == message.recipient, earlier.c.kind.in_(DIGESTS), earlier.c.id < message.id)
        .where(earlier.c.accepted_at.is_not(None))
        .order_by(earlier.c.id.desc())
        .limit(1)
    ).first()
    corrects = last is not None and (last.as_at == message.as_at or last.state == "withdrawn")
    name = (last.receipt if is_joined(last.receipt) else last.key) if last else None
    return Thread(f"reader-{seal.hexdigest()[:ROOT_LENGTH]}", name, corrects=corrects)
