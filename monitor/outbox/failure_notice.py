"""Tells the manager and the analyst of messages that did not arrive, once, and through the outbox itself."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from monitor.config.delivery_settings import Team
from monitor.config.settings import Config
from monitor.messages.list_place import describe_shelf
from monitor.messages.parts import MessageContext, Posting
from monitor.messages.routes import plan_routes
from monitor.messages.templates import open_templates, render
from monitor.messages.undelivered import Fate, Trouble, compose_undelivered
from monitor.outbox import attempts
from monitor.outbox.queue import Postmark, post
from monitor.store.database import Database
from monitor.store.tables import Message, table_of
from monitor.workdays import london_date

_message = table_of(Message)
WHAT: Mapping[str, Fate] = {"permanent-failure": "given up", "technical-failure": "in doubt", "replaced": "withheld"}


def report_troubles(database: Database, config: Config, now: dt.datetime) -> int:
    """Write the notices of everything that has not been told yet, due at once; return how many.

    Notices and the mark that nothing is left to tell are saved together, so that a killed process tells once.
    """
    unreported = select(_message).where(_message.c.trouble.is_not(None), _message.c.reported_at.is_(None))
    with database.reading() as store:
        rows = store.execute(unreported.order_by(_message.c.id)).all()
    if not rows:
        return 0
    day = london_date(now)
    routes, usual = (plan_routes(config.teams, config.people, as_at=on) for on in (day, None))
    night = MessageContext(day, config.authority, config.delivery.marking, {}, routes, shelf=describe_shelf(config))
    templates = open_templates(config.templates)
    by_reader: defaultdict[str, list[Trouble]] = defaultdict(list)
    for row in rows:
        teams = routes.teams_of(row.recipient) or usual.teams_of(row.recipient)
        trouble = Trouble(WHAT[row.state], row.recipient, teams, row.kind, row.as_at, row.trouble)
        for reader in sorted(_find_readers(row, config)):
            by_reader[reader].append(trouble)
    postings = [
        Posting(render(compose_undelivered(reader, troubles, night), templates))
        for reader, troubles in by_reader.items()
    ]
    with database.writing() as store:
        post(store, postings, Postmark(rows[-1].run_id, day, created_at=now, due_at=now))
        attempts.note_told(store, [row.id for row in rows], now)
    return len(postings)


def _find_readers(row: Any, config: Config) -> set[str]:
    """Return the analyst, and for a message that will not arrive the managers of that lead's or cover's teams.

    Nobody is told at the address that failed; where only that is left, the head of service is.
    """
    readers = {config.people.analyst.lower()}
    if row.state == "permanent-failure":
        led = (team for team in config.teams if row.recipient in _list_daily_readers(team))
        readers |= {team.manager.lower() for team in led if team.manager}
    readers.discard(row.recipient)
    if not readers and config.people.head:
        readers = {config.people.head.lower()} - {row.recipient}
    return readers


def _list_daily_readers(team: Team) -> set[str]:
    return {address.lower() for address in (team.lead, *(cover.reader for cover in team.all_covers)) if address}
