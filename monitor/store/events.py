"""The append-only record of every change, chained so that a changed row shows.

    commitment = SHA-256(salt, payload)          salt: 16 random bytes
    hash       = SHA-256(previous hash, commitment)

Removing a person deletes payload and salt and leaves the commitment, so the chain still verifies and
nothing about the person can be guessed from it. ``row_statements`` tells how an event says what stands in rows.
"""

import datetime as dt
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain as concatenate
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from monitor.store.bulk import insert_rows
from monitor.store.tables import FlagEvent, table_of
from monitor.workspace import Workspace, in_chunks, literal

ROWS_AN_EVENT = 500
"""How many rows one event says at most, where it says many."""
SAID_IN = "said_in"
"""Under this name a row that is said again, since its event was emptied, tells which event said it."""
GENESIS = "0" * 64
"""The hash before the first event."""

HEX = re.compile("(?:[0-9a-f]{2})+")
CHUNK = 1_000

ALL_TABLES = (
    "run", "person", "flag", "waiver", "answer", "escalation", "removal", "removed_person", "message", "attempt",
    "flag_carried",
)  # fmt: skip
ON_ITS_WAY = ("message", "attempt")
KINDS: Mapping[str, tuple[str, ...]] = {
    "opened": ("flag",),
    **dict.fromkeys(("changed", "held", "released", "resolved", "restored", "told unconfirmed"), ("flag",)),
    **dict.fromkeys(("flags restated", "confirmed"), ("flag",)),
    **dict.fromkeys(("roster changed", "death confirmed", "alive confirmed"), ("person",)),
    "death recorded": (),
    **dict.fromkeys(("waived", "unwaived", "waiver ended", "waiver closed", "waiver carried"), ("waiver",)),
    **dict.fromkeys(("waiver restored", "waiver reopened"), ("waiver",)),
    **dict.fromkeys(("answered", "answers noticed"), ("answer",)),
    **dict.fromkeys(("escalated", "escalation withdrawn"), ("escalation",)),
    **dict.fromkeys(("night begun", "night accepted", "night refused", "night failed", "night unchanged"), ("run",)),
    **dict.fromkeys(("night accepted anyway", "night put right", "death withdrawn"), ()),
    "night withdrawn": (),
    "carried on": ("flag_carried",),
    "rows put back": ("run", "person", "waiver", "answer", "message", "flag_carried"),
    "messages written": ("message",),
    "trouble told": ON_ITS_WAY,
    **dict.fromkeys(("message tried", "message waits", "message accepted", "message delivered"), ON_ITS_WAY),
    **dict.fromkeys(("message put off", "message joined", "delivery given up"), ON_ITS_WAY),
    **dict.fromkeys(("delivery in doubt", "message withheld"), ON_ITS_WAY),
    **dict.fromkeys(("delivery stopped", "message bounced", "bounces not read", "bounces read again"), ()),
    "test message sent": (),
    "removed, past its time": ("removal",),
    "person removed": ("removal", "removed_person"),
    "said again": ALL_TABLES,
    "removal finished": ("removal",),
    **dict.fromkeys(("back after removal", "return taken back"), ("removed_person",)),
    **dict.fromkeys(("gap accepted", "database restored"), ALL_TABLES),
    **dict.fromkeys(("record complete from here", "record says more from here"), ALL_TABLES),
}
"""Every kind of event, and of which tables it may say rows; the audit does not pass a kind that it does not know."""

OUT_OF_LINE = (
    "does not follow from the row before it: one of the two was changed, or rows between them were taken out or put in"
)
NOT_FIRST = "is not the first: rows before it were taken out, or it was changed"


class ChainRow(NamedTuple):
    """One row of the chain. ``payload`` and ``salt`` are empty where a removal emptied it."""

    id: int
    flag_id: int | None
    run_id: int | None
    kind: str
    as_at: dt.date
    recorded_at: dt.datetime
    payload: str | None
    salt: str | None
    commitment: str
    hash: str


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


@dataclass(frozen=True)
class Stamp:
    """When a change is recorded, and by which night; what a person decides is of no night."""

    as_at: dt.date
    recorded_at: dt.datetime
    run_id: int | None = None


_ENCODER = json.JSONEncoder(default=str, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def in_payload(text: str) -> str:
    """Return the text as it stands inside a payload, to look for it there."""
    return _ENCODER.encode(text)[1:-1]


def read_payload(payload: str) -> dict[str, Any]:
    """Read what an event says; nothing, where it was changed so that it says nothing that can be read."""
    try:
        content = json.loads(payload)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def read_rows(payload: str, table: str) -> list[dict[str, Any]]:
    """Read what an event says of the rows of one table."""
    rows = read_payload(payload).get("rows")
    return [*rows.get(table, ())] if isinstance(rows, dict) else []


def commit(salt: str, payload: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + payload.encode()).hexdigest()


def chain(previous: str, commitment: str) -> str:
    return hashlib.sha256(f"{previous}{commitment}".encode()).hexdigest()


def head(store: Connection) -> str:
    """Return the hash of the newest event."""
    return newest(store)[1]


def newest(store: Connection) -> tuple[int, str]:
    """Return the id and the hash of the newest event."""
    event = table_of(FlagEvent)
    row = store.execute(select(event.c.id, event.c.hash).order_by(event.c.id.desc()).limit(1)).first()
    return (row.id, row.hash) if row else (0, GENESIS)


def record(
    store: Connection, events: Iterable[Event], *, as_at: dt.date, recorded_at: dt.datetime, run_id: int | None = None
) -> None:
    """Append ``events`` to the chain, inside the caller's transaction."""
    stamp = Stamp(as_at, recorded_at, run_id)
    _append(store, ((event.kind, event.flag_id, _payload(event, stamp)) for event in events), stamp)


@dataclass(frozen=True)
class EventQuery:
    """A query of the workspace that gives an event a row.

    Each of its ``columns`` is what ``Event`` holds under that name, or a detail: a text, a date or a whole number;
    ``rows`` is JSON already.
    """

    columns: Sequence[str]
    query: str


@dataclass(frozen=True)
class RowsTogether:
    """Rows that are said many to an event: a query of the workspace that gives each as a JSON object, ``row``."""

    kind: str
    table: str
    query: str

    def write_payloads(self, stamp: Stamp) -> str:
        """Write the query that gives the ``payload`` of each event."""
        stamped = {name: value for name, value in _describe_stamp(stamp).items() if value is not None}
        told = _ENCODER.encode({"kind": self.kind, **stamped, "rows": {self.table: ["@"]}})
        before, after = (literal(part) for part in told.split('"@"'))
        return (
            f"SELECT {before} || string_agg(row, ',') || {after} AS payload "
            f"FROM (SELECT row, (row_number() OVER () - 1) // {ROWS_AN_EVENT} AS part FROM ({self.query})) "
            "GROUP BY part"
        )


def record_query(
    workspace: Workspace, store: Connection, happened: EventQuery, stamp: Stamp, together: RowsTogether | None = None
) -> None:
    """Append the events of a query, by flag, inside the caller's transaction; those of ``together`` come last."""
    columns, query = happened.columns, happened.query
    members = {name: f"""CASE WHEN {name} IS NOT NULL THEN '"{name}":' || json_quote({name}) END""" for name in columns}
    members |= {name: f"""'"rows":' || {name}""" for name in columns if name == "rows"}
    stamped = _describe_stamp(stamp).items()
    members |= {name: literal(_ENCODER.encode({name: value})[1:-1]) for name, value in stamped if value is not None}
    payload = f"'{{' || concat_ws(',', {', '.join(members[name] for name in sorted(members))}) || '}}'"
    wanted = f"SELECT kind, flag_id, {payload} AS payload FROM ({query})"
    if together:
        payloads = together.write_payloads(stamp)
        wanted += f" UNION ALL SELECT {literal(together.kind)}, NULL, payload FROM ({payloads})"
    rows = concatenate.from_iterable(in_chunks(workspace, f"{wanted} ORDER BY flag_id"))
    _append(store, ((kind, flag_id, _respell(payload)) for kind, flag_id, payload in rows), stamp)


def record_payloads(store: Connection, kind: str, payloads: Iterable[str], stamp: Stamp) -> None:
    """Append events whose payloads the workspace has written, inside the caller's transaction."""
    _append(store, ((kind, None, _respell(payload)) for payload in payloads), stamp)


def _append(store: Connection, happened: Iterable[tuple[str, int | None, str]], stamp: Stamp) -> None:
    """Append to the chain by kind, flag and payload."""
    last, previous = newest(store)
    insert_rows(store, FlagEvent, ChainRow._fields, _link(previous, last + 1, happened, stamp))


def _link(
    previous: str, first: int, happened: Iterable[tuple[str, int | None, str]], stamp: Stamp
) -> Iterator[ChainRow]:
    as_at, recorded_at, run_id = stamp.as_at, stamp.recorded_at, stamp.run_id
    for number, (kind, flag_id, payload) in enumerate(happened, start=first):
        salt = secrets.token_hex(16)
        commitment = commit(salt, payload)
        previous = chain(previous, commitment)
        yield ChainRow(number, flag_id, run_id, kind, as_at, recorded_at, payload, salt, commitment, previous)


def walk(store: Connection) -> Iterator[ChainRow]:
    """Read the chain in order, never more than a thousand rows at a time in memory."""
    table = table_of(FlagEvent)
    wanted = select(*(table.c[name] for name in ChainRow._fields)).order_by(table.c.id)
    for row in store.execution_options(yield_per=CHUNK).execute(wanted):
        yield ChainRow(*row)


def _payload(event: Event, stamp: Stamp) -> str:
    """Write everything about the event as one canonical JSON text, so that no column can be changed unseen."""
    content = {**vars(event), "detail": None, **_describe_stamp(stamp), **event.detail}
    return _ENCODER.encode({key: value for key, value in content.items() if value is not None})


def _describe_stamp(stamp: Stamp) -> dict[str, str | int | None]:
    recorded_at = stamp.recorded_at.astimezone(dt.UTC).isoformat()
    return {"run_id": stamp.run_id, "as_at": stamp.as_at.isoformat(), "recorded_at": recorded_at}


def _respell(payload: str) -> str:
    """Return a payload of DuckDB's as it is written here: the two escape rare characters differently."""
    return _ENCODER.encode(json.loads(payload)) if "\\u" in payload else payload


def find_fault(rows: Iterable[ChainRow]) -> tuple[ChainRow, str] | None:
    """Find the first row of the chain that does not hold, and why; read no further."""
    previous = GENESIS
    for row in rows:
        if chain(previous, row.commitment) != row.hash:
            return row, NOT_FIRST if previous == GENESIS else OUT_OF_LINE
        why = _judge_row(row)
        if why is not None:
            return row, why
        previous = row.hash
    return None


def _judge_row(row: ChainRow) -> str | None:
    """Return why a row that follows from the one before it does not hold; None if it does."""
    if row.payload is None:
        return None if row.salt is None else "was emptied by hand, and only in part"
    if not HEX.fullmatch(row.salt or "") or commit(row.salt or "", row.payload) != row.commitment:
        return "what it says was changed"
    payload = read_payload(row.payload)
    columns = (row.kind, row.flag_id, row.run_id, row.as_at.isoformat(), row.recorded_at.astimezone(dt.UTC).isoformat())
    if columns != tuple(payload.get(name) for name in ("kind", "flag_id", "run_id", "as_at", "recorded_at")):
        return "its columns are not what it says"
    return None
