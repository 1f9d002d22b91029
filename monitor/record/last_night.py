"""The last accepted night as the store has it, for commands that run between nights."""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from monitor.caseload import roster
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import create_empty
from monitor.config.id_lists import read_restricted
from monitor.config.settings import Config
from monitor.errors import Problems, Refused
from monitor.flags import life, waivers
from monitor.lists.answer_sheet import allow_answers
from monitor.lists.flag_workbook import ListTerms
from monitor.lists.lists import export_flags, export_page, prepare
from monitor.lists.team_page import describe_pages
from monitor.messages.list_place import PAGE_SUFFIX, file_names
from monitor.messages.templates import open_templates
from monitor.rulebook.rulebook import Rulebook
from monitor.store import events
from monitor.store.database import Database
from monitor.store.nights import find_jump, find_newest
from monitor.store.row_statements import say_row
from monitor.store.tables import Person, table_of
from monitor.workspace import Workspace, open_workspace


def load_last_night(database: Database) -> tuple[Workspace, dt.date]:
    """Load ``caseload`` and ``flag_line`` as the last accepted night left them; return the workspace and that date."""
    workspace = open_workspace()
    try:
        with database.reading() as store:
            as_at = find_newest(store)
            if as_at is None:
                raise Refused("the database holds no accepted night yet; run one with: monitor run")
            create_empty(workspace)
            roster.load(workspace, store)
            life.load(workspace, store)
            join_roster(workspace, None, as_at=as_at)
            life.keep_as_stored(workspace)
            waivers.decide(workspace, store, as_at, after_jump=find_jump(store) is not None)
            life.list_flags(workspace, store, as_at)
    except BaseException:
        workspace.close()
        raise
    return workspace, as_at


def write_flag_lists(database: Database, config: Config, rulebook: Rulebook, paths: Iterable[Path]) -> Iterator[Path]:
    """Write the last night's lists and pages of flags again, those of ``paths``; yield each as it is done."""
    workspace, as_at = load_last_night(database)
    with workspace:
        with database.reading() as store:
            answering = allow_answers(config, store)
            pages = describe_pages(config, rulebook, open_templates(config.templates), store, as_at)
        prepare(workspace, rulebook.rules, config.teams, as_at=as_at)
        flagged = workspace.execute("SELECT DISTINCT team FROM flag_list WHERE trim(team) <> ''").fetchall()
        names = file_names((team.name for team in config.teams), sorted(name for (name,) in flagged))
        restricted = read_restricted(config)
        terms = ListTerms(as_at, restricted, config.delivery.marking, answering, case_url=config.case_url, pages=pages)
        files: dict[str, str | None] = {"all": None, **{file: team for team, file in names.items()}}
        for path in paths:
            team = files.get(path.stem)
            if path.suffix == PAGE_SUFFIX and team is not None:
                export_page(workspace, path, terms, file=path.stem, team=team)
                yield path
            elif path.suffix != PAGE_SUFFIX and path.stem in files:
                form: Literal["csv", "xlsx"] = "xlsx" if path.suffix == ".xlsx" else "csv"
                export_flags(workspace, path, terms, form=form, wanted={"team": team} if team else {})
                yield path


def confirm(database: Database, person_id: str, *, by: str, today: dt.date, now: dt.datetime) -> str:
    """Record that what the records now say of someone recorded as died is confirmed; return what was confirmed."""
    person = table_of(Person)
    with database.writing() as store:
        row = store.execute(select(person).where(person.c.person_id == person_id)).first()
        if row is None or row.died_on is None:
            raise Problems(
                [f"{person_id[:60]}: is no rule's id, and nobody of that id is recorded as having died; nothing waits"]
            )
        alive = row.alive_again_on is not None
        back = {"died_on": None, "alive_again_on": None} if alive else {}
        if alive:
            store.execute(person.update().where(person.c.person_id == person_id).values(back))
            roster.forget_death_before(store, person_id)
        kind = "alive confirmed" if alive else "death confirmed"
        stands = say_row(Person, person_id=person_id, **back)
        happened = events.Event(kind, person_id=person_id, by=by, detail=stands)
        events.record(store, [happened], as_at=today, recorded_at=now)
    if alive:
        return "confirmed alive: the rules are asked again from the next night"
    return "confirmed: nothing is asked or sent about this person"
