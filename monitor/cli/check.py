"""``monitor check``: whether everything a night needs is there, without saving or sending anything."""

import datetime as dt
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.caseload.intake import CaseloadRead, Intake, read_caseload
from monitor.caseload.list_matches import NO_LISTS, IdLists, match_ids, read_people
from monitor.caseload.roster_nobodies import find_nobodies
from monitor.catalogue.date_orders import DateOrder
from monitor.config import secret_ends
from monitor.config.id_lists import read_restricted
from monitor.config.list_findings import ListFinding
from monitor.config.settings import Config
from monitor.delivery.channel import open_channel
from monitor.delivery.report_mailbox import open_mailbox
from monitor.durations import LONGEST_DAYS
from monitor.errors import MonitorError, Problems, Refused, StoreError
from monitor.gate import comparison, source_fitness
from monitor.gate.verdict import Dated
from monitor.messages import route_table, samples
from monitor.messages.routes import Routes, plan_routes
from monitor.messages.templates import open_templates
from monitor.night import judgment
from monitor.night.context import Night, Tools
from monitor.night.run import NOWHERE
from monitor.record.continuity import find_break
from monitor.rights import describe_open
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.sources.extract import SourceContext, say_nothing
from monitor.store.database import is_there, reading_store, working_store
from monitor.store.location import locate, name_place
from monitor.store.nights import Request, find_newest, read_ledger
from monitor.words import write_count, write_date
from monitor.workspace import Workspace, load_rows, open_workspace

NOBODIES_NAMED = 20
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


@dataclass(frozen=True)
class SourcesSeen:
    """What the sources hold, in lines, and what goes by it. ``refused``: why the first night would be."""

    lines: tuple[str, ...] = ()
    supplied: frozenset[str] = frozenset()
    people: Mapping[str, int] = field(default_factory=dict)
    supplies: tuple[source_fitness.Supply, ...] = ()
    lists: tuple[str, ...] = ()
    refused: tuple[MonitorError, ...] = ()
    dates: tuple[str, ...] = ()


NOTHING_SEEN = SourcesSeen()


def check(config: Config, *, as_at: dt.date, environ: Mapping[str, str]) -> CheckReport:
    """Load the rules, read every source, work out every route and open the channel; the worst exit code wins."""
    sections: list[tuple[str, tuple[str, ...]]] = []
    faults: list[MonitorError] = []
    seen = NOTHING_SEEN
    judged: tuple[source_fitness.Fitness, ...] = ()
    rows: tuple[route_table.TableRow, ...] = ()
    rulebook, rules_fault = _open_rules(config)
    try:
        seen = _see_sources(config, as_at, environ, rulebook)
        sections += [("Sources", seen.lines), ("Dates", seen.dates), ("Lists", seen.lists)]
        faults += seen.refused
    except MonitorError as fault:
        faults.append(fault)
    faults += rules_fault
    if rulebook:
        sections.append(("Rules", _describe_rules(rulebook, seen.supplied)))
        if seen.supplies:
            judged = source_fitness.judge_each(rulebook.rules, seen.supplies)
            sections.append(("Fitness", source_fitness.describe(judged, seen.supplies)))
    try:
        sections.append(("Waivers", _describe_waivers(config)))
        routes = plan_routes(config.teams, config.people, read_restricted(config), as_at=as_at)
        rows = route_table.trace(routes, [team.name for team in config.teams], config.escalation.steps)
        sections.append(
            ("Routes", (*_describe_routes(routes, rows, seen.people), *describe_coming_covers(config, as_at)))
        )
        if closed := describe_closed_days(config, as_at):
            sections.append(("Closed days", closed))
        samples.prove(open_templates(config.templates))
        open_channel(config.delivery, config.data_folder, config.network.reach(environ))
        if config.delivery.bounces:
            open_mailbox(config.delivery.bounces, config.network.reach(environ))
        sections.append(("Delivery", (*_describe_delivery(config, as_at), _describe_shared_lists(config))))
    except MonitorError as fault:
        faults.append(fault)
    try:
        sections.append(("Database", (_describe_database(config, environ), *_describe_nobodies(config, environ))))
    except MonitorError as fault:
        faults.append(fault)
    if open_to := describe_open(config.data_folder):
        faults.append(Problems([f"data_folder: {open_to}"]))
    problems = tuple(line for fault in faults for line in str(fault).splitlines())
    return CheckReport(tuple(sections), problems, max((fault.exit_code for fault in faults), default=0), judged, rows)


def _describe_delivery(config: Config, today: dt.date) -> Iterator[str]:
    delivery = config.delivery
    sender = delivery.graph.mailbox if delivery.graph else None
    through = f" from {sender or delivery.sender}" if delivery.channel == "graph" else ""
    yield f"{delivery.channel}{through}, marked {delivery.marking}"
    if delivery.channel == "smtp" and delivery.smtp and delivery.smtp.warning:
        yield f"warning: {delivery.smtp.warning}"
    if bounces := delivery.bounces:
        yield f"what comes back is read in {bounces.mailbox}, by {bounces.kind}"
    for place in secret_ends.find_undated(config):
        yield f"{place}: no secret_expires_on, so nobody is warned before its secret or certificate expires; give it"
    for end in secret_ends.find_ends(config, today):
        yield f"{end.describe(today)}; {secret_ends.REMEDY}"


def _open_rules(config: Config) -> tuple[Rulebook | None, list[MonitorError]]:
    try:
        return open_rulebook(config), []
    except MonitorError as fault:
        return None, [fault]


def _see_sources(config: Config, as_at: dt.date, environ: Mapping[str, str], rulebook: Rulebook | None) -> SourcesSeen:
    """Read every source; before the first night also judge it, as that night would."""
    if rulebook and _is_before_first_night(config, environ):
        request, tools = (
            Request(as_at, as_at, dry_run=True),
            Tools(lambda: dt.datetime.now(dt.UTC), environ, say_nothing),
        )
        with working_store(NOWHERE) as database:
            past = read_ledger(database, as_at)
            night = Night(config, request, tools, rulebook, open_templates(None), database, past)
            with night.workspace:
                found = judgment.read_night(night)
                seen = _describe_sources(night.workspace, found.caseload, as_at)
                verdict = judgment.ask_rules(night, found.caseload, judgment.judge_caseload(night, found)).verdict
                lists = _describe_findings(found.caseload.ids, found.caseload.intake.lists)
        last = "the first night would be refused" if verdict.refusals else "the first night would be believed"
        stale = (verdict.stale,) if verdict.stale else ()
        refused = [Refused(why) for why in verdict.refusals]
        return replace(seen, lines=(*seen.lines, *stale, last), lists=lists, refused=tuple(refused))
    context = SourceContext(as_at, config.data_folder, environ, network=config.network.reach(environ))
    with open_workspace() as workspace:
        caseload = read_caseload(workspace, config, context)
        seen = _describe_sources(workspace, caseload, as_at)
        return replace(seen, lists=_describe_lists(workspace, config, environ, caseload.intake.lists))


def _is_before_first_night(config: Config, environ: Mapping[str, str]) -> bool:
    """Return whether no night is on record; False where nobody can tell."""
    try:
        where = locate(config, environ)
        if not is_there(where, wait_seconds=0):
            return True
        with reading_store(where, wait_seconds=0) as database, database.reading() as store:
            return find_newest(store) is None
    except MonitorError:
        return False


def _describe_sources(workspace: Workspace, caseload: CaseloadRead, as_at: dt.date) -> SourcesSeen:
    extracts, intake = caseload.extracts, caseload.intake
    files = (f"{one.source}: {one.file}" + (f', sheet "{one.sheet}"' if one.sheet else "") for one in extracts)
    unread = f"{intake.unreadable_rows} rows and {intake.unreadable_cells} cells cannot be read"
    dates = comparison.date_extracts(workspace, extracts, intake.supplied, as_at)
    lines = (
        *files,
        f"{intake.people} people in {intake.rows} rows; {unread}",
        *(line for one in dates if (line := _describe_age(one, as_at))),
        *_describe_blank(intake),
        *intake.doubts,
        *intake.notes,
    )
    teams = workspace.execute("SELECT coalesce(allocated_team, ''), count(*) FROM tonight GROUP BY ALL ORDER BY ALL")
    supplies = source_fitness.find_supplies(extracts, intake.supplied)
    return SourcesSeen(lines, intake.supplied, dict(teams.fetchall()), supplies, dates=_describe_dates(intake.orders))


def _describe_age(one: Dated, as_at: dt.date) -> str | None:
    """Say of what date a source is, and how old the newest date inside it is."""
    said = [f"of {write_date(one.extracted_on)} ({one.how})"] if one.extracted_on else []
    if one.newest:
        days = write_count((as_at - one.newest).days, "day", "days")
        said.append(f"the newest date inside is {write_date(one.newest)}, {days} before {write_date(as_at)}")
    return f"{one.source}: {'; '.join(said)}" if said else None


def _describe_blank(intake: Intake) -> Iterator[str]:
    """Say under which headings of each source nothing stands."""
    for source in dict.fromkeys(one.source for one in intake.empty):
        named = ", ".join(f'"{one.heading[:60]}"' for one in intake.empty if one.source == source and not one.left_out)
        if named:
            yield f"{source}: nothing under the heading: {named}"


def _describe_dates(orders: Mapping[str, Mapping[str, DateOrder]]) -> tuple[str, ...]:
    """Return in which order each column's dates are read, with the evidence; nothing of any one date."""
    lines = (f"{source}: {name}: {one.words}" for source, columns in orders.items() for name, one in columns.items())
    return tuple(lines) or ("real dates, or the year first or the month in words: no order to judge",)


def _describe_lists(
    workspace: Workspace, config: Config, environ: Mapping[str, str], names: Sequence[ListFinding]
) -> tuple[str, ...]:
    """Return how each list of the config meets tonight's people and the roster; no id is among the words."""
    could, ids = True, NO_LISTS
    if config.restricted or config.merged_ids:
        could = _load_roster(workspace, config, environ)
        ids = match_ids(workspace, config)
    unread = () if could else ("the roster could not be read: ids are held against tonight's extracts alone",)
    return (*unread, *_describe_findings(ids, names))


def _describe_findings(ids: IdLists, names: Sequence[ListFinding]) -> tuple[str, ...]:
    findings = (ids.restricted, ids.merged_ids, *names)
    lines = tuple(line for finding in findings if finding is not None for line in finding.lines)
    return lines or ("none configured",)


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


def _describe_shared_lists(config: Config) -> str:
    """Say where leads find their lists."""
    lists = config.lists
    found = [str(place) for place in (lists.lists_folder, lists.lists_url) if place]
    if found or config.delivery.attaches_lists:
        return f"leads find their lists in {' and '.join(found)}" if found else "each list goes with the mail"
    return "leads are told to ask the analyst for their list: neither lists_folder nor lists_url is set in [lists]"


def _describe_database(config: Config, environ: Mapping[str, str]) -> str:
    """Say where it is and how it stands; raise ``StoreError`` where nothing may start on it."""
    where = locate(config, environ)
    if found := find_break(config, where, pages="all"):
        raise StoreError(str(found))
    whole = "whole, and knows all that stands beside it" if is_there(where) else "none yet; the first night makes it"
    return f"{name_place(where)}: {whole}"


def _describe_nobodies(config: Config, environ: Mapping[str, str]) -> list[str]:
    """Name who is on the roster and is perhaps nobody, each with the command that takes them off it."""
    where = locate(config, environ)
    if not is_there(where):
        return []
    with reading_store(where) as database, database.reading() as store:
        found = find_nobodies(store)
    named = [
        "perhaps nobody, taken for a young person on an earlier night: "
        f'monitor purge --person {shlex.quote(person_id)} --by "YOUR NAME" --reason "not a person\'s row"'
        for person_id in found[:NOBODIES_NAMED]
    ]
    more = len(found) - NOBODIES_NAMED
    return [*named, *([f"and {more:,} more like these"] if more > 0 else [])]


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


def describe_coming_covers(config: Config, as_at: dt.date) -> tuple[str, ...]:
    """Say who is to cover for whom after a day, the first to begin first."""
    coming = [(cover, team.name) for team in config.teams for cover in team.covers if cover.begins > as_at]
    return tuple(
        f"{team}: {cover.reader} covers from {write_date(cover.begins)} until {write_date(cover.until)}"
        for cover, team in sorted(coming, key=lambda each: (each[0].begins, each[1]))
    )


def describe_closed_days(config: Config, as_at: dt.date) -> tuple[str, ...]:
    """Say when the council is closed from a day on, when mail goes again, and where nobody is on duty then."""
    days, lines = config.working_days, []
    for closure in config.closed_days:
        closed = [day for day in closure.days if days.is_closed(day) and day >= as_at]
        if not closed:
            continue
        span = write_date(closed[0]) + (f" to {write_date(closed[-1])}" if len(closed) > 1 else "")
        why = f" ({closure.why})" if closure.why else ""
        again = write_date(days.next_from(closed[-1]))
        lines.append(f"{span}{why}: {write_count(len(closed), 'working day')} closed; mail goes again on {again}")
        for team in config.teams:
            alone = [day for day in closed if team.manager is None and team.cover_on(day) is None]
            if alone:
                when = write_date(alone[0]) + (f" and {len(alone) - 1} more of these days" if len(alone) > 1 else "")
                instead = config.people.head or config.people.fallback or config.people.analyst
                lines.append(
                    f"warning: {team.name} has no cover and no manager on {when}: who is newly critical goes to "
                    f"{team.head or instead}; name a cover in teams.covers, or a manager"
                )
    return tuple(lines)


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
