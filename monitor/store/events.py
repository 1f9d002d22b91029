"""The append-only record of every change, chained so that a changed row shows.

    commitment = SHA-256(salt, payload)          salt: 16 random bytes
    hash       = SHA-256(previous hash, commitment)

Removing a person deletes payload and salt and leaves the commitment, so the chain still verifies and
nothing about the person can be guessed from it.
"""

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.store.bulk import insert_rows, next_id
from monitor.store.tables import FlagEvent, table_of

GENESIS = "0" * 64
"""The hash before the first event."""

COLUMNS = ("id", "flag_id", "run_id", "kind", "as_at", "recorded_at", "payload", "salt", "commitment", "hash")

CHUNK = 1_000

OUT_OF_LINE = (
    "does not follow from the row before it: one of the two was changed, or rows between them were taken out or put in"
)
NOT_FIRST = "is not the first: rows before it were taken out, or it was changed"


@dataclass(frozen=True)
class Event:
    """What happened, to which flag or person, why; ``detail`` holds what else is worth keeping."""

    kind: str
    flag_id: int | None = None
    person_id: str | None = None
    rule: str | None = None
    why: str | None = None
    by: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


_ENCODER = json.JSONEncoder(default=str, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def in_payload(text: str) -> str:
    """Return the text as it stands inside a payload, to look for it there."""
    return _ENCODER.encode(text)[1:-1]


def commit(salt: str, payload: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + payload.encode()).hexdigest()


def chain(previous: str, commitment: str) -> str:
    return hashlib.sha256(f"{previous}{commitment}".encode()).hexdigest()


def head(store: Connection) -> str:
    """The hash of the newest event."""
    events = table_of(FlagEvent)
    newest = select(events.c.hash).order_by(events.c.id.desc()).limit(1)
    return store.execute(newest).scalar() or GENESIS


def record(
    store: Connection,
    events: Iterable[Event],
    *,
    as_at: dt.date,
    recorded_at: dt.datetime,
    run_id: int | None = None,
) -> None:
    """Append ``events`` to the chain, inside the caller's transaction."""
    number = next_id(store, FlagEvent)
    previous = head(store)
    rows = []
    for one in events:
        payload = _payload(one, as_at, recorded_at, run_id)
        salt = secrets.token_hex(16)
        commitment = commit(salt, payload)
        previous = chain(previous, commitment)
        rows.append((number, one.flag_id, run_id, one.kind, as_at, recorded_at, payload, salt, commitment, previous))
        number += 1
    insert_rows(store, FlagEvent, COLUMNS, rows)


def walk(store: Connection) -> Iterator[Row[Any]]:
    """Every row of the chain in order, as ``COLUMNS``, never more than a thousand at a time in memory."""
    table = table_of(FlagEvent)
    wanted = select(*(table.c[name] for name in COLUMNS)).order_by(table.c.id)
    yield from store.execution_options(yield_per=CHUNK).execute(wanted)


def _payload(one: Event, as_at: dt.date, recorded_at: dt.datetime, run_id: int | None) -> str:
    """Everything about the event as one canonical JSON text, so that no column can be changed unseen."""
    content = {
        "kind": one.kind,
        "flag_id": one.flag_id,
        "person_id": one.person_id,
        "rule": one.rule,
        "run_id": run_id,
        "as_at": as_at.isoformat(),
        "recorded_at": recorded_at.astimezone(dt.UTC).isoformat(),
        "why": one.why,
        "by": one.by,
        **one.detail,
    }
    return _ENCODER.encode({key: value for key, value in content.items() if value is not None})


def first_broken(rows: Iterable[Sequence[Any]]) -> int | None:
    """The id of the first row that was changed, in rows of ``COLUMNS`` by id; None if all verify."""
    fault = find_fault(rows)
    return int(fault[0][0]) if fault else None


def find_fault(rows: Iterable[Sequence[Any]]) -> tuple[Sequence[Any], str] | None:
    """The first row that does not hold, and why; it reads no further. Rows as of ``walk``."""
    previous = GENESIS
    for row in rows:
        _, flag_id, run_id, kind, as_at, recorded_at, payload, salt, commitment, stored = row
        if chain(previous, commitment) != stored:
            return row, NOT_FIRST if previous == GENESIS else OUT_OF_LINE
        if payload is None and salt is not None:
            return row, "was emptied by hand, and only in part"
        if payload is not None:
            if salt is None or commit(salt, payload) != commitment:
                return row, "what it says was changed"
            said = json.loads(payload)
            columns = (kind, flag_id, run_id, as_at.isoformat(), recorded_at.astimezone(dt.UTC).isoformat())
            if columns != tuple(said.get(key) for key in ("kind", "flag_id", "run_id", "as_at", "recorded_at")):
                return row, "its columns are not what it says"
        previous = stored
    return None
