"""Tells the manager and the analyst of messages that did not arrive, once, and through the outbox itself."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from monitor.messages.parts import MessageContext, Posting
from monitor.messages.routes import plan_routes
from monitor.messages.templates import open_templates, render
from monitor.messages.undelivered import Fate, Trouble, compose_undelivered
from monitor.outbox.queue import Postmark, post
from monitor.store.database import Database
from monitor.store.tables import Message, table_of
from monitor.workdays import london_date

if TYPE_CHECKING:
    from monitor.config.settings import Config

_message = table_of(Message)
WHAT: Mapping[str, Fate] = {"permanent-failure": "given up", "technical-failure": "in doubt", "replaced": "withheld"}


def report_troubles(database: Database, config: "Config", now: dt.datetime) -> int:
    """Write the notices for whatever has not been told of yet, due at once; how many.

    Notices and the mark that nothing is left to tell are saved together, so that a killed process tells once.
    """
    unreported = select(_message).where(_message.c.trouble.is_not(None), _message.c.reported_at.is_(None))
    with database.reading() as store:
        rows = store.execute(unreported.order_by(_message.c.id)).all()
    if not rows:
        return 0
    day = london_date(now)
    routes = plan_routes(config.teams, config.people)
    night = MessageContext(
        as_at=day,
        authority=config.authority,
        marking=config.delivery.marking,
        rules={},
        routes=routes,
        lists_folder=str(config.lists.lists_folder) if config.lists.lists_folder else None,
    )
    templates = open_templates(config.templates)
    postings = []
    for reader, about in _by_reader(rows, config).items():
        troubles = [
            Trouble(WHAT[one.state], one.recipient, routes.teams_of(one.recipient), one.kind, one.as_at, one.trouble)
            for one in about
        ]
        postings.append(Posting(render(compose_undelivered(reader, troubles, night), templates)))
    with database.writing() as store:
        post(store, postings, Postmark(rows[-1].run_id, day, created_at=now, due_at=now))
        told = _message.c.id.in_([one.id for one in rows])
        store.execute(_message.update().where(told).values(reported_at=now))
    return len(postings)


def _by_reader(rows: list[Any] | Any, config: "Config") -> dict[str, list[Any]]:
    """Each trouble by who hears of it: the analyst, and for what will not arrive the managers of that lead's teams.

    Nobody is told at the address that failed; where only that is left, the head of service hears.
    """
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for one in rows:
        readers = {config.people.analyst.lower()}
        if one.state == "permanent-failure":
            leads = (team for team in config.teams if (team.lead or "").lower() == one.recipient)
            readers |= {team.manager.lower() for team in leads if team.manager}
        readers.discard(one.recipient)
        if not readers and config.people.head:
            readers = {config.people.head.lower()} - {one.recipient}
        for reader in sorted(readers):
            found[reader].append(one)
    return dict(found)
