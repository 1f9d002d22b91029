"""The last check of a message before it goes: may all it says of people still be said to its reader."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from monitor.config.id_lists import read_restricted
from monitor.config.settings import Config
from monitor.messages.parts import DIGESTS
from monitor.messages.routes import Routes, plan_routes
from monitor.store.bulk import read_by_ids
from monitor.store.tables import Flag, MessageFlag, Person, Run, table_of
from monitor.words import fold_name


class Readers:
    """Who may be told of whom, by the config and the restricted list as they are now."""

    def __init__(self, config: Config) -> None:
        self.routes: Routes = plan_routes(config.teams, config.people, read_restricted(config))
        self._of_all = {self.routes.analyst, self.routes.head}
        self._of_team: dict[str, set[str]] = {}
        for team in config.teams:
            mailboxes = {one.lower() for one in (team.lead, team.manager, team.head, team.cover) if one}
            self._of_team |= {fold_name(name): mailboxes for name in (team.name, *team.also_known_as)}

    def may_be_told(self, recipient: str, team: str | None, person_id: str) -> bool:
        if person_id in self.routes.restricted:
            return recipient == self.routes.head
        usual = self.routes.address(team, person_id)
        return (
            recipient in self._of_all or recipient == usual or recipient in self._of_team.get(fold_name(team or ""), ())
        )


def find_objection(store: Connection, message: Any, readers: Readers) -> str | None:
    """Return why a message written earlier must not go any more; None if it may."""
    for person in _people(store, json.loads(message.people)):
        # The analyst alone is told of deaths, once, on the night they are recorded.
        if person.died_on and (message.kind != "analyst" or person.died_on > message.as_at):
            return "someone it names has been recorded as died since it was written"
        if person.person_id in readers.routes.restricted and message.recipient != readers.routes.head:
            return "someone it names is on the restricted list since it was written"
        if not readers.may_be_told(message.recipient, person.team, person.person_id):
            return "someone it names is with another team since it was written, or the team with another lead"
    if _is_taken_back(store, message.run_id) and message.kind in DIGESTS:
        return "the night it tells of was taken back since it was written"
    if _tells_what_has_passed(store, message):
        return "what it calls open has been resolved since it was written"
    return None


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
