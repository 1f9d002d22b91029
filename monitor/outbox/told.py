"""What each address was told: of flags, of what comes due, and what it may or may not have had.

A flag is *told* to an address once a message reporting it was accepted there, unless that message has failed since.
Only what differs from the last telling is recorded, so that a quiet night writes nothing.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, func, or_, select

from monitor.messages.parts import DIGESTS, Told
from monitor.store.tables import Escalation, Flag, Message, MessageComing, MessageEscalation, MessageFlag, table_of

_message = table_of(Message)
TOLD = and_(_message.c.accepted_at.is_not(None), _message.c.state.in_(("sending", "delivered")))
"""Accepted by the transport, and not failed since."""
DOUBTFUL = or_(
    _message.c.state == "technical-failure", and_(_message.c.state == "sending", _message.c.accepted_at.is_(None))
)
"""It may have gone and may not."""


@dataclass(frozen=True)
class Memory:
    """What one address was last told: by flag, how it stood then; and when its last digest was accepted."""

    flags: Mapping[int, tuple[str, str, str]]
    """flag id to (person_id, severity, state)."""
    last_digest: dt.date | None
    perhaps_had: tuple[dt.date, ...] = ()
    """Dates of messages since then that may or may not have arrived."""
    coming: frozenset[tuple[str, str, dt.date]] = frozenset()
    """What it was told will come due: person_id, rule and the day."""
    last: Mapping[str, dt.date] = field(default_factory=dict)
    """When it last had a message that held each part: lead, full, manager, summary, analyst."""

    def told(self) -> tuple[Told, ...]:
        """The flags still standing as this address knows them."""
        if self.last_digest is None:
            return ()
        return tuple(
            Told(flag_id, person_id, severity, self.last_digest, state)
            for flag_id, (person_id, severity, state) in self.flags.items()
            if state != "resolved"
        )

    def knows_resolved(self, flag_id: int) -> bool:
        known = self.flags.get(flag_id)
        return known is None or known[2] == "resolved"


NOTHING_TOLD = Memory({}, None)


def load_memory(store: Connection, *, since: dt.date) -> dict[str, Memory]:
    """What each address was told of flags that are unresolved, or were resolved on or after ``since``."""
    message, reported, flag = table_of(Message), table_of(MessageFlag), table_of(Flag)
    digests = message.c.kind.in_(DIGESTS)
    newest = (
        func.row_number()
        .over(partition_by=(message.c.recipient, reported.c.flag_id), order_by=message.c.id.desc())
        .label("newest")
    )
    history = (
        select(message.c.recipient, reported.c.flag_id, flag.c.person_id, reported.c.severity, reported.c.state, newest)
        .join(message, message.c.id == reported.c.message_id)
        .join(flag, flag.c.id == reported.c.flag_id)
        .where(TOLD, or_(flag.c.resolved_on.is_(None), flag.c.resolved_on >= since))
        .subquery()
    )
    flags: defaultdict[str, dict[int, tuple[str, str, str]]] = defaultdict(dict)
    for row in store.execute(select(history).where(history.c.newest == 1)):
        flags[row.recipient][row.flag_id] = (row.person_id, row.severity, row.state)
    accepted = select(message.c.recipient, func.max(message.c.as_at)).where(TOLD, digests).group_by(message.c.recipient)
    last: dict[str, dt.date] = {row[0]: row[1] for row in store.execute(accepted)}
    parts = _load_parts(store)
    doubtful = select(message.c.recipient, message.c.as_at).where(DOUBTFUL, digests).order_by(message.c.as_at)
    perhaps: defaultdict[str, list[dt.date]] = defaultdict(list)
    for recipient, as_at in store.execute(doubtful):
        if recipient not in last or as_at >= last[recipient]:
            perhaps[recipient].append(as_at)
    coming = _load_coming(store, since)
    return {
        recipient: Memory(
            flags[recipient],
            last.get(recipient),
            tuple(dict.fromkeys(perhaps[recipient])),
            frozenset(coming.get(recipient, ())),
            parts.get(recipient, {}),
        )
        for recipient in {*flags, *last, *perhaps}
    }


def load_told_escalations(store: Connection) -> frozenset[int]:
    """The escalations of unresolved flags that a reader has had."""
    message, said = table_of(Message), table_of(MessageEscalation)
    step, flag = table_of(Escalation), table_of(Flag)
    rows = store.execute(
        select(said.c.escalation_id)
        .join(message, message.c.id == said.c.message_id)
        .join(step, step.c.id == said.c.escalation_id)
        .join(flag, flag.c.id == step.c.flag_id)
        .where(TOLD, flag.c.resolved_on.is_(None))
    )
    return frozenset(row[0] for row in rows)


def _load_parts(store: Connection) -> dict[str, dict[str, dt.date]]:
    """By recipient, when each part was last accepted there."""
    message = table_of(Message)
    rows = store.execute(
        select(message.c.recipient, message.c.holds, func.max(message.c.as_at))
        .where(TOLD, message.c.holds.is_not(None))
        .group_by(message.c.recipient, message.c.holds)
    )
    found: defaultdict[str, dict[str, dt.date]] = defaultdict(dict)
    for recipient, holds, as_at in rows:
        for part in holds.split():
            found[recipient][part] = max(as_at, found[recipient].get(part, as_at))
    return found


def _load_coming(store: Connection, since: dt.date) -> dict[str, set[tuple[str, str, dt.date]]]:
    message, said = table_of(Message), table_of(MessageComing)
    rows = store.execute(
        select(message.c.recipient, said.c.person_id, said.c.rule, said.c.opens_on)
        .join(message, message.c.id == said.c.message_id)
        .where(TOLD, said.c.opens_on >= since)
    )
    found: defaultdict[str, set[tuple[str, str, dt.date]]] = defaultdict(set)
    for recipient, person_id, rule, opens_on in rows:
        found[recipient].add((person_id, rule, opens_on))
    return found
