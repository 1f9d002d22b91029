"""``monitor check``: whether everything a night needs is there, without saving or sending anything."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.caseload.intake import read_caseload
from monitor.caseload.list_matches import NO_LISTS, match_ids, read_people
from monitor.config.id_lists import read_restricted
from monitor.config.list_findings import ListFinding
from monitor.config.settings import Config
from monitor.delivery.channel import open_channel
from monitor.durations import LONGEST_DAYS
from monitor.errors import MonitorError, StoreError
from monitor.gate import source_fitness
from monitor.messages import route_table, samples
from monitor.messages.routes import Routes, plan_routes
from monitor.messages.templates import open_templates
from monitor.record.continuity import find_break
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.sources.extract import SourceContext
from monitor.store.database import is_there, reading_store
from monitor.store.location import locate, name_place
from monitor.workspace import Workspace, load_rows, open_workspace

OVERLONG_DAYS = 366
"""A reason that allows a longer waiver is pointed out."""


@dataclass(frozen=True)
class CheckReport:
    """What was looked at, in plain lines by section, and every problem found."""

    sections: tuple[tuple[str, tuple[str, ...]], ...]
    problems: tuple[str, ...]
    exit_code: int
    verdicts: tuple[source_fitness.Fitness, ...] = ()
    rows: tuple[route_table.TableRow, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "sections": {name: list(lines) for name, lines in self.sections},
            "fitness": [verdict.as_dict() for verdict in self.verdicts],
            "routes": [row.as_dict() for row in self.rows],
            "problems": list(self.problems),
        }


def check(config: Config, *, as_at: dt.date, environ: Mapping[str, str]) -> CheckReport:
    """Load the rules, read every source, work out every route and open the channel; the worst exit code wins."""
    sections: list[tuple[str, tuple[str, ...]]] = []
    faults: list[MonitorError] = []
    supplied: frozenset[str] = frozenset()
    people: dict[str, int] = {}
    supplies: tuple[source_fitness.Supply, ...] = ()
    judged: tuple[source_fitness.Fitness, ...] = ()
    rows: tuple[route_table.TableRow, ...] = ()
    try:
        lines, lists, supplied, people, supplies = _read_sources(config, as_at, environ)
        sections += [("Sources", lines), ("Lists", lists)]
    except MonitorError as fault:
        faults.append(fault)
    try:
        rulebook = open_rulebook(config)
        sections.append(("Rules", _describe_rules(rulebook, supplied)))
        if supplies:
            judged = source_fitness.judge_each(rulebook.rules, supplies)
            sections.append(("Fitness", source_fitness.describe(judged, supplies)))
    except MonitorError as fault:
        faults.append(fault)
    try:
        sections.append(("Waivers", _describe_waivers(config)))
        routes = plan_routes(config.teams, config.people, read_restricted(config), as_at=as_at)
        rows = route_table.trace(routes, [team.name for team in config.teams], config.escalation.steps)
        sections.append(("Routes", _describe_routes(routes, rows, people)))
        samples.prove(open_templates(config.templates))
        open_channel(config.delivery, data_folder=config.data_folder, environ=environ)
        sections.append(("Delivery", (f"{config.delivery.channel}, marked {config.delivery.marking}",)))
    except MonitorError as fault:
        faults.append(fault)
    try:
        sections.append(("Database", (_describe_database(config, environ),)))
    except MonitorError as fault:
        faults.append(fault)
    problems = tuple(line for fault in faults for line in str(fault).splitlines())
    return CheckReport(tuple(sections), problems, max((fault.exit_code for fault in faults), default=0), judged, rows)


def _read_sources(
    config: Config, as_at: dt.date, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str], dict[str, int], tuple[source_fitness.Supply, ...]]:
    workspace = open_workspace()
    sources = read_caseload(workspace, config, SourceContext(as_at, config.data_folder, environ))
    extracts, intake = sources.extracts, sources.intake
    files = (f"{one.source}: {one.file}" + (f', sheet "{one.sheet}"' if one.sheet else "") for one in extracts)
    unread = f"{intake.unreadable_rows} rows and {intake.unreadable_cells} cells cannot be read"
    lines = (*files, f"{intake.people} people in {intake.rows} rows; {unread}", *intake.doubts, *intake.notes)
    teams = workspace.execute("SELECT coalesce(allocated_team, ''), count(*) FROM tonight GROUP BY ALL ORDER BY ALL")
    supplies = source_fitness.find_supplies(extracts, intake.supplied)
    people = dict(teams.fetchall())
    return lines, _describe_lists(workspace, config, environ, intake.lists), intake.supplied, people, supplies


def _describe_lists(
    workspace: Workspace, config: Config, environ: Mapping[str, str], names: Sequence[ListFinding]
) -> tuple[str, ...]:
    """Return how each list of the config meets tonight's people and the roster; no id is among the words."""
    lines, ids = list[str](), NO_LISTS
    if config.restricted or config.merged_ids:
        if not _load_roster(workspace, config, environ):
            lines.append("the roster could not be read: ids are held against tonight's extracts alone")
        ids = match_ids(workspace, config)
    findings = (ids.restricted, ids.merged_ids, *names)
    lines += [line for finding in findings if finding is not None for line in finding.lines]
    return tuple(lines) or ("none configured",)


def _load_roster(workspace: Workspace, config: Config, environ: Mapping[str, str]) -> bool:
    """Make ``roster`` of the ids of everyone on record; nobody before the first night, or where it cannot be read."""
    people: list[tuple[str]] = []
    could = True
    try:
        where = locate(config, environ)
        if is_there(where, wait_seconds=0):
            with reading_store(where, wait_seconds=0) as database, database.reading() as store:
                people = [(person_id,) for person_id in read_people(store)]
    except MonitorError:
        could = False
    load_rows(workspace, "roster", {"person_id": "VARCHAR"}, people)
    return could


def _describe_database(config: Config, environ: Mapping[str, str]) -> str:
    """Say where it is and how it stands; raise ``StoreError`` where nothing may start on it."""
    where = locate(config, environ)
    if found := find_break(config, where, pages="all"):
        raise StoreError(str(found))
    whole = "whole, and knows all that stands beside it" if is_there(where) else "none yet; the first night makes it"
    return f"{name_place(where)}: {whole}"


def _describe_rules(rulebook: Rulebook, supplied: frozenset[str]) -> tuple[str, ...]:
    lines = [f"{len(rulebook.rules)} rules"]
    for rule in rulebook.rules if supplied else ():
        missing = [column for column in rule.needs if column not in supplied]
        if missing:
            lines.append(f"not assessed: {rule.id}: no source supplies {', '.join(missing)}")
    return (*lines, *rulebook.adjustments)


def _describe_waivers(config: Config) -> tuple[str, ...]:
    lines = []
    for code, reason in config.waivers.reasons.items():
        long = reason.longest_time.days(LONGEST_DAYS) > OVERLONG_DAYS
        lines.append(f"{code}: {reason.longest} at most: {reason.meaning}" + ("; over a year is long" if long else ""))
    return (*lines, f"lists are answered within {config.answers.list_working_days} working days")


def _describe_routes(
    routes: Routes, rows: tuple[route_table.TableRow, ...], people: Mapping[str, int]
) -> tuple[str, ...]:
    lines = [
        f'{why}: "{name}" ({number} people) goes to {routes.fallback}'
        for name, number in people.items()
        if (why := routes.unrouted(name))
    ]
    others = (f"analyst: {routes.analyst}", f"head of service: {routes.head or 'none named'}")
    restricted = f"restricted list: shown to {routes.head or 'nobody'}"
    return (*route_table.describe(rows), *lines, *others, *((restricted,) if routes.restricted else ()))
