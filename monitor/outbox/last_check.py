"""The last check of a message before it goes: may all it says of people still be said to its reader."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from monitor.config.id_lists import read_restricted
from monitor.config.settings import Config
from monitor.messages.parts import DIGESTS
from monitor.messages.routes import Routes, plan_routes
from monitor.store.bulk import read_by_ids
from monitor.store.tables import Flag, Message, MessageFlag, Person, Run, table_of
from monitor.words import fold_name


class Readers:
    """Who may be told of whom on a day, by the config and the restricted list as they are now."""

    def __init__(self, config: Config, day: date) -> None:
        self.routes: Routes = plan_routes(config.teams, config.people, read_restricted(config), as_at=day)
        self._of_all = {self.routes.analyst, self.routes.head}
        self._of_team: dict[str, set[str]] = {}
        for team in config.teams:
            mailboxes = {one.lower() for one in (team.manager, team.head) if one}
            self._of_team |= {fold_name(name): mailboxes for name in (team.name, *team.also_known_as)}

    def may_be_told(self, recipient: str, team: str | None, person_id: str) -> bool:
        if person_id in self.routes.restricted:
            return recipient == self.routes.head
        if recipient in self._of_all or recipient in self._of_team.get(fold_name(team or ""), ()):
            return True
        above = (self.routes.escalate(step, team, person_id)[0] for step in ("manager", "head"))
        return recipient in (self.routes.address(team, person_id), *above)

    def reads_daily(self, recipient: str) -> bool:
        """Return whether an address reads for a team on the day, or hears of people whose team has no lead."""
        return recipient in (*self.routes.names, self.routes.fallback, self.routes.head)


def find_objection(store: Connection, message: Any, readers: Readers) -> str | None:
    """Return why a message written earlier must not go any more; None if it may."""
    for person in _people(store, json.loads(message.people)):
        # The analyst alone is told of deaths, from the night they are recorded until somebody confirms them.
        if person.died_on and (message.kind != "analyst" or person.died_on > message.as_at):
            return "someone it names has been recorded as died since it was written"
        if person.person_id in readers.routes.restricted and message.recipient != readers.routes.head:
            return "someone it names is on the restricted list since it was written"
        if not readers.may_be_told(message.recipient, person.team, person.person_id):
            return "someone it names is with another team since it was written, or the team with another reader"
    if _is_taken_back(store, message.run_id) and message.kind in DIGESTS:
        return "the night it tells of was taken back since it was written"
    if must_be_written_anew(store, message, readers):
        return "its reader is not on duty on the day it was to go; whoever is reads it in the next digest"
    if _tells_what_has_passed(store, message):
        return "what it calls open has been resolved since it was written"
    return None


OTHER_PARTS = frozenset({"manager", "backlog", "analyst", "summary", "restricted"})
"""Parts of a message that only a night can write: one that holds such a part goes as it is, or not at all."""


def must_be_written_anew(store: Connection, message: Any, readers: Readers) -> bool:
    """Return whether a lead's digest, and nothing else, waits for somebody whom it is not to be told to today.

    They do not read today for a team that it tells of, or were told some of it on a closed day in between.
    """
    holds = frozenset((message.holds or "").split())
    if "lead" not in holds or holds & OTHER_PARTS:
        return False
    if not readers.reads_daily(message.recipient) or find_readers(store, message, readers) - {message.recipient}:
        return True
    return _is_told_since(store, message)


def find_readers(store: Connection, message: Any, readers: Readers) -> set[str | None]:
    """Return who reads today of the young people a message names; those who died or are restricted are left out."""
    return _find_readers_of(store, json.loads(message.people), readers)


def find_readers_of_news(store: Connection, message: Any, readers: Readers) -> set[str | None]:
    """Return who reads today of the young people of whom a message tells a lead something, whatever else it holds."""
    flag, news = table_of(Flag), table_of(MessageFlag)
    told = (
        select(flag.c.person_id)
        .join(news, news.c.flag_id == flag.c.id)
        .where(news.c.message_id == message.id, news.c.severity != "data", news.c.state != "resolved")
        .distinct()
    )
    return _find_readers_of(store, list(store.execute(told).scalars()), readers)


def _find_readers_of(store: Connection, ids: Sequence[str], readers: Readers) -> set[str | None]:
    people = _people(store, ids)
    asked = (each for each in people if not each.died_on and each.person_id not in readers.routes.restricted)
    return {readers.routes.address(each.team, each.person_id) for each in asked}


def _is_told_since(store: Connection, message: Any) -> bool:
    """Return whether its reader has had some of its news in a message to whoever is on duty on a closed day."""
    table, news, later = table_of(Message), table_of(MessageFlag), table_of(MessageFlag).alias()
    told = (
        select(news.c.flag_id)
        .join(later, later.c.flag_id == news.c.flag_id)
        .join(table, table.c.id == later.c.message_id)
        .where(news.c.message_id == message.id, later.c.state == news.c.state, table.c.kind == "duty")
        .where(table.c.recipient == message.recipient, table.c.accepted_at.is_not(None))
        .where(table.c.run_id >= message.run_id)
        .limit(1)
    )
    return store.execute(told).first() is not None


def _people(store: Connection, ids: Sequence[str]) -> Iterator[Any]:
    person = table_of(Person)
    query = select(person.c.person_id, person.c.team, person.c.died_on)
    return read_by_ids(store, query, person.c.person_id, ids)


def _is_taken_back(store: Connection, run_id: int) -> bool:
    run = table_of(Run)
    return store.execute(select(run.c.state).where(run.c.id == run_id)).scalar() == "withdrawn"


def _tells_what_has_passed(store: Connection, message: Any) -> bool:
    """Return whether a later night resolved a flag that this message has as news."""
    flag, news = table_of(Flag), table_of(MessageFlag)
    passed = (
        select(flag.c.id)
        .join(news, news.c.flag_id == flag.c.id)
        .where(news.c.message_id == message.id, news.c.state != "resolved", flag.c.resolved_run_id > message.run_id)
        .limit(1)
    )
    return store.execute(passed).first() is not None
