"""Loads what each address was told: of flags, of what comes due, and what it may or may not have had.

A flag that carries another on is told where that one was.

A flag is *told* to an address once a message reporting it was accepted there, unless that message has failed since.
Only what differs from the last telling is recorded, so that a quiet night writes nothing.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Mapping
from operator import itemgetter
from sys import intern

from sqlalchemy import Connection, Select, and_, func, or_, select

from monitor.flags.carried import Lineage, load_lineage
from monitor.messages.parts import DIGESTS
from monitor.messages.told import TakenBack, Told, ToldFlag
from monitor.outbox.queue import WENT
from monitor.store.bulk import read_by_ids
from monitor.store.tables import (
    Escalation,
    Flag,
    FlagCarried,
    Message,
    MessageComing,
    MessageEscalation,
    MessageFlag,
    Run,
    table_of,
)
from monitor.workdays import london_date

_message, _flag, _run = table_of(Message), table_of(Flag), table_of(Run)
_taken_back = _message.c.run_id.in_(select(_run.c.id).where(_run.c.state == "withdrawn"))
_went = and_(_message.c.accepted_at.is_not(None), _message.c.state.in_(WENT))
_may_have_gone = or_(
    _message.c.state == "technical-failure", and_(_message.c.state == "sending", _message.c.accepted_at.is_(None))
)
TOLD = and_(_went, ~_taken_back)
"""Accepted by the transport, not failed since, and of a night that still stands."""
DOUBTFUL = and_(_may_have_gone, ~_taken_back)
"""It may have gone and may not."""


def load_told(store: Connection, *, since: dt.date) -> dict[str, Told]:
    """Return what each address was told of flags that are unresolved, or were resolved on or after ``since``."""
    flags = _load_flags(store, since)
    last, parts = _load_last(store)
    perhaps = _load_perhaps_had(store, last)
    coming = _load_coming(store, since)
    taken_back = _load_taken_back(store)
    for recipient, told_wrong in _load_told_wrong(store).items() if taken_back else ():
        for flag_id in told_wrong & flags.get(recipient, {}).keys():
            del flags[recipient][flag_id]
    return {
        recipient: Told(
            flags=flags.get(recipient, {}),
            last_digest=last.get(recipient),
            perhaps_had=tuple(perhaps.get(recipient, ())),
            coming=frozenset(coming.get(recipient, ())),
            parts=parts.get(recipient, {}),
            taken_back=tuple(taken_back.get(recipient, ())),
        )
        for recipient in {*flags, *last, *perhaps, *taken_back}
    }


def _load_taken_back(store: Connection) -> dict[str, list[TakenBack]]:
    """Return by recipient the nights that were taken back after a digest of theirs went, until a later one says so."""
    sent = (
        select(_message.c.id, _message.c.recipient, _message.c.people, _run)
        .join(_run, _run.c.id == _message.c.run_id)
        .where(_run.c.state == "withdrawn", or_(_went, _may_have_gone), _message.c.kind.in_(DIGESTS))
        .order_by(_message.c.id)
    )
    rows = store.execute(sent).all()
    if not rows:
        return {}
    newest = select(_message.c.recipient, func.max(_message.c.id)).where(TOLD, _message.c.kind.in_(DIGESTS))
    heard = {row[0]: row[1] for row in store.execute(newest.group_by(_message.c.recipient))}
    people: defaultdict[tuple[str, TakenBack], set[str]] = defaultdict(set)
    for row in rows:
        if row.recipient not in heard or heard[row.recipient] < row[0]:
            night = TakenBack(row.as_at, london_date(row.withdrawn_at), row.withdrawn_by)
            people[row.recipient, night].update(json.loads(row.people))
    found: defaultdict[str, list[TakenBack]] = defaultdict(list)
    for (recipient, night), named in people.items():
        found[recipient].append(night._replace(people=len(named)))
    return found


def _load_told_wrong(store: Connection) -> dict[str, set[int]]:
    """Return by recipient the flags of which a night that was taken back told last that they are resolved."""
    reported = table_of(MessageFlag)
    tellings = (
        select(_message.c.id, _message.c.recipient, reported.c.flag_id, reported.c.state, _taken_back)
        .join(reported, reported.c.message_id == _message.c.id)
        .join(_flag, _flag.c.id == reported.c.flag_id)
        .where(or_(_went, _may_have_gone), _flag.c.resolved_on.is_(None))
        .where(reported.c.flag_id.in_(select(reported.c.flag_id).join(_message, _message.c.id == reported.c.message_id)
                                      .where(_taken_back)))
        .order_by(_message.c.id)
    )  # fmt: skip
    last = {(recipient, flag_id): is_back and state == "resolved"
            for _, recipient, flag_id, state, is_back in store.execute(tellings)}  # fmt: skip
    found: defaultdict[str, set[int]] = defaultdict(set)
    for (recipient, flag_id), is_wrong in last.items():
        if is_wrong:
            found[recipient].add(flag_id)
    return found


def load_unreached(store: Connection) -> dict[str, dt.date]:
    """Return the addresses to which no message has gone since one was given up, with the date of the first such."""
    given_up = select(_message.c.recipient, _message.c.id, _message.c.as_at).where(
        _message.c.state == "permanent-failure"
    )
    failed = store.execute(given_up.order_by(_message.c.id)).all()
    if not failed:
        return {}
    newest = select(_message.c.recipient, func.max(_message.c.id)).where(_went).group_by(_message.c.recipient)
    reached = {row[0]: row[1] for row in store.execute(newest)}
    found: dict[str, dt.date] = {}
    for recipient, number, as_at in failed:
        if number > reached.get(recipient, 0):
            found.setdefault(recipient, as_at)
    return found


def load_told_escalations(store: Connection) -> frozenset[int]:
    """Return the escalations of unresolved flags that a reader has had."""
    said, step = table_of(MessageEscalation), table_of(Escalation)
    standing = or_(_flag.c.resolved_on.is_(None), _flag.c.id.in_(select(table_of(FlagCarried).c.flag_id)))
    rows = store.execute(
        select(said.c.escalation_id)
        .join(_message, _message.c.id == said.c.message_id)
        .join(step, step.c.id == said.c.escalation_id)
        .join(_flag, _flag.c.id == step.c.flag_id)
        .where(TOLD, standing)
    )
    return frozenset(row[0] for row in rows)


def _load_flags(store: Connection, since: dt.date) -> dict[str, dict[int, ToldFlag]]:
    """Return by recipient how each flag stood in the newest message that told it."""
    reported = table_of(MessageFlag)
    recipients = {row[0]: row[1] for row in store.execute(select(_message.c.id, _message.c.recipient).where(TOLD))}
    telling = select(
        reported.c.message_id, reported.c.flag_id, _flag.c.person_id, reported.c.severity, reported.c.state
    ).join(_flag, _flag.c.id == reported.c.flag_id)
    lately = telling.where(or_(_flag.c.resolved_on.is_(None), _flag.c.resolved_on >= since))
    flags: defaultdict[str, dict[int, ToldFlag]] = defaultdict(dict)
    # Put in order here: for a database to do it, it would read the tellings of every flag there ever was.
    for message_id, flag_id, person_id, severity, state in sorted(store.execute(lately), key=itemgetter(0)):
        recipient = recipients.get(message_id)
        if recipient is not None:
            # A newer message takes the place of an older one.
            flags[recipient][flag_id] = ToldFlag(person_id, intern(severity), intern(state))
    lineage = load_lineage(store)
    if lineage.carried:
        _add_carried(store, flags, lineage, telling, recipients)
    return flags


def _add_carried(
    store: Connection,
    flags: Mapping[str, dict[int, ToldFlag]],
    lineage: Lineage,
    telling: Select[int, int, str, str, str],
    recipients: Mapping[int, str],
) -> None:
    """Add the flags that carry on one that the address was told of: they are no news to it."""
    heirs = lineage.find_heirs()
    person = select(_flag.c.id, _flag.c.person_id)
    whose = {row[0]: row[1] for row in read_by_ids(store, person, _flag.c.id, lineage.heirs)}
    earlier = sorted(read_by_ids(store, telling, _flag.c.id, heirs), key=itemgetter(0))
    found: defaultdict[str, dict[int, ToldFlag]] = defaultdict(dict)
    for message_id, flag_id, _, severity, state in earlier:
        recipient = recipients.get(message_id)
        # That the earlier flag ended in another's favour says nothing of this one.
        if recipient is not None and state != "resolved":
            for heir in heirs[flag_id]:
                found[recipient][heir] = ToldFlag(whose[heir], intern(severity), intern(state))
    for recipient, told in found.items():
        for heir, flag in told.items():
            flags[recipient].setdefault(heir, flag)


def _load_perhaps_had(store: Connection, last: dict[str, dt.date]) -> dict[str, dict[dt.date, None]]:
    """Return by recipient the dates, oldest first, of digests since the last accepted one that are in doubt."""
    doubtful = (
        select(_message.c.recipient, _message.c.as_at)
        .where(DOUBTFUL, _message.c.kind.in_(DIGESTS))
        .order_by(_message.c.as_at)
    )
    found: defaultdict[str, dict[dt.date, None]] = defaultdict(dict)
    for recipient, as_at in store.execute(doubtful):
        if recipient not in last or as_at >= last[recipient]:
            found[recipient][as_at] = None
    return found


def _load_last(store: Connection) -> tuple[dict[str, dt.date], dict[str, dict[str, dt.date]]]:
    """Return by recipient the date of the newest digest that was accepted there, and of each part's newest."""
    newest = select(_message.c.recipient, _message.c.kind, _message.c.holds, func.max(_message.c.as_at)).where(TOLD)
    last: dict[str, dt.date] = {}
    parts: defaultdict[str, dict[str, dt.date]] = defaultdict(dict)
    for recipient, kind, holds, as_at in store.execute(newest.group_by(*newest.selected_columns[:3])):
        # What was told on a closed day is no digest: it says only who is newly critical.
        if kind in DIGESTS and kind != "duty":
            last[recipient] = max(as_at, last.get(recipient, as_at))
        for part in (holds or "").split():
            parts[recipient][part] = max(as_at, parts[recipient].get(part, as_at))
    return last, parts


def _load_coming(store: Connection, since: dt.date) -> dict[str, set[tuple[str, str, dt.date]]]:
    said = table_of(MessageComing)
    rows = store.execute(
        select(_message.c.recipient, said.c.person_id, said.c.rule, said.c.opens_on)
        .join(_message, _message.c.id == said.c.message_id)
        .where(TOLD, said.c.opens_on >= since)
    )
    found: defaultdict[str, set[tuple[str, str, dt.date]]] = defaultdict(set)
    for recipient, person_id, rule, opens_on in rows:
        found[recipient].add((person_id, rule, opens_on))
    return found
