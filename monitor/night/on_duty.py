"""Writes anew what waits for a reader who is not on duty on the day it goes: a cover whose time is over, a lead who
was replaced in the config, somebody who was told of it on a closed day in between.

A waiting digest is not handed on as it is: each address is told what is news to it, from the flags as the last night
left them. Its old and its new form change places in one transaction, so a process that is killed loses neither.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from monitor.config.settings import Config
from monitor.figures import measures
from monitor.flags import life
from monitor.gate.verdict import Verdict
from monitor.lists import lists
from monitor.messages import compose
from monitor.messages.parts import MessageContext
from monitor.messages.routes import fold, plan_routes
from monitor.messages.shared_readers import NOBODY_SHARED, SharedReaders
from monitor.messages.templates import Templates
from monitor.messages.told import NOTHING_TOLD, Told, ToldFlag
from monitor.outbox import attempts
from monitor.outbox.last_check import OTHER_PARTS, Readers, find_readers, find_readers_of_news, must_be_written_anew
from monitor.outbox.last_told import load_told
from monitor.outbox.queue import PENDING, Postmark, post
from monitor.record.last_night import load_last_night
from monitor.rulebook.evaluation import Counts
from monitor.rulebook.rulebook import Rulebook
from monitor.store import events, nights
from monitor.store.database import Database
from monitor.store.seals import read_secret
from monitor.store.tables import Flag, Measure, Message, MessageFlag, Run, table_of
from monitor.workdays import london_date

_message = table_of(Message)
Words = Callable[[], tuple[Rulebook, Templates]]
"""Loads the rules and the templates; asked only where there is something to write."""


def write_anew(
    database: Database, config: Config, words: Words, now: dt.datetime, *, shared: SharedReaders = NOBODY_SHARED
) -> int:
    """Write anew what is due and waits for somebody who does not read it today; return how many messages."""
    today = london_date(now)
    readers = Readers(config, today)
    with database.reading() as store:
        due = _load_due(store, now)
        outdated = [message for message in due if must_be_written_anew(store, message, readers)]
        concerned = _find_addresses(store, config, due, outdated, readers)
        newest = nights.find_newest(store)
    if not concerned or newest is None:
        return 0
    rulebook, templates = words()
    workspace, as_at = load_last_night(database)
    with workspace:
        lists.prepare(workspace, rulebook.rules, config.teams, as_at=as_at)
        ledger = nights.read_ledger(database, as_at)
        with database.writing() as store:
            run = store.execute(select(table_of(Run)).where(table_of(Run).c.as_at == as_at, _is_accepted())).one()
            night = _describe(store, config, rulebook, compose.describe_night(config, rulebook, ledger, as_at), run)
            night = replace(
                night,
                routes=readers.routes,
                chain_head=events.head(store),
                answer_secret=read_secret(store),
                cards_after=shared.cards_after,
            )
            gone = [*outdated, *_find_joined(due, concerned, outdated)]
            waiting = [message for message in due if message not in gone]
            told = load_told(store, since=as_at - dt.timedelta(life.RECENT_DAYS))
            known = {address: _add_waiting(store, told.get(address, NOTHING_TOLD), address, waiting)
                     for address in concerned}  # fmt: skip
            attach = config.delivery.attaches_lists
            written = list(compose.write_leads_anew(workspace, night, known, templates, attach_lists=attach))
            for message in gone:
                _replace(store, message, now)
            number = post(store, written, Postmark(run.id, as_at, created_at=now, due_at=now), beside=True)
    return number


def _is_accepted() -> Any:
    return table_of(Run).c.state == "accepted"


def _load_due(store: Connection, now: dt.datetime) -> Sequence[Any]:
    waits = select(_message).where(_message.c.state.in_(PENDING), _message.c.due_at <= now)
    return [message for message in store.execute(waits.order_by(_message.c.id)) if "lead" in _parts(message)]


def _parts(message: Any) -> frozenset[str]:
    return frozenset((message.holds or "").split())


def _find_addresses(
    store: Connection, config: Config, due: Iterable[Any], outdated: Sequence[Any], readers: Readers
) -> set[str]:
    """Return everyone to be written to anew: who reads today for the teams of a digest that waits for another."""
    found: set[str] = set()
    for message in due:
        # One that holds other parts too goes as it is; those who read today for its teams are told beside it.
        if message not in outdated and not _parts(message) & OTHER_PARTS:
            continue
        now_read = find_readers_of_news(store, message, readers)
        if message in outdated:
            now_read |= find_readers(store, message, readers)
            then = plan_routes(config.teams, config.people, as_at=message.as_at)
            now_read |= {readers.routes.leads.get(fold(team)) for team in then.teams_of(message.recipient)}
            now_read |= {message.recipient} if readers.reads_daily(message.recipient) else set()
        else:
            now_read -= {message.recipient}
        found |= {address for address in now_read if address}
    return found


def _find_joined(due: Iterable[Any], concerned: set[str], outdated: Sequence[Any]) -> list[Any]:
    """Return the digests of these addresses that can be written anew whole, so that each has one mail."""
    waiting = (message for message in due if message not in outdated and not _parts(message) & OTHER_PARTS)
    return [message for message in waiting if message.recipient in concerned]


def _add_waiting(store: Connection, told: Told, address: str, waiting: Iterable[Any]) -> Told:
    """Return what an address knows once what still waits for it has gone."""
    reported, flag = table_of(MessageFlag), table_of(Flag)
    flags, parts, last = dict(told.flags), dict(told.parts), told.last_digest
    for message in (each for each in waiting if each.recipient == address):
        rows = store.execute(
            select(reported.c.flag_id, flag.c.person_id, reported.c.severity, reported.c.state)
            .join(flag, flag.c.id == reported.c.flag_id)
            .where(reported.c.message_id == message.id)
        )
        flags |= {row[0]: ToldFlag(row[1], row[2], row[3]) for row in rows}
        parts |= dict.fromkeys(_parts(message), message.as_at)
        last = max(message.as_at, last or message.as_at)
    return replace(told, flags=flags, parts=parts, last_digest=last)


def _describe(store: Connection, config: Config, rulebook: Rulebook, night: MessageContext, run: Any) -> MessageContext:
    """Return the night with what the store still knows of its answers."""
    measure = table_of(Measure)
    by_rule: dict[str, dict[str, Counts]] = {}
    rows = select(measure.c.rule, measure.c.team, measure.c.asked, measure.c.ok, measure.c.breach,
                  measure.c.cannot_assess).where(measure.c.run_id == run.id)  # fmt: skip
    for rule, team, *figures in store.execute(rows):
        by_rule.setdefault(rule, {})[team] = Counts(*figures)
    totals = {rule: _sum(teams) for rule, teams in by_rule.items()}
    wide = measures.find_service_wide(rulebook.rules, totals)
    stale = "; ".join(json.loads(run.doubts or "[]")) if run.verdict == "stale" else None
    return replace(
        night,
        correction=run.corrects is not None,
        failed=dict.fromkeys(json.loads(run.failed_rules or "[]"), "it failed"),
        service_wide={rule: by_rule[rule] for rule in wide},
        verdict=Verdict(run.asked_on, run.extracted_on, stale=stale) if stale and run.asked_on else None,
    )


def _sum(teams: Mapping[str, Counts]) -> Counts:
    return Counts(*(sum(getattr(each, name) for each in teams.values()) for name in Counts.__dataclass_fields__))


def _replace(store: Connection, message: Any, now: dt.datetime) -> None:
    """End a waiting message in favour of what is written anew; nothing of it is lost, so nobody is told of trouble."""
    why = "written anew for who reads on the day it goes"
    attempts.tell(store, message, "message withheld", now, why, state="replaced", next_attempt_at=None)
