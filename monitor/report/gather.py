"""Gather a whole report from the store, in set-based passes over what the nights left."""

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from monitor.errors import Problems
from monitor.figures.burn_down import burn_down, count_backlog
from monitor.figures.out_of_sight import LINES
from monitor.flags.backlog import load_backlog
from monitor.gate import baseline, source_fitness
from monitor.report import caseloads, first_screen, flag_rows, rule_figures, spells, what_was_done
from monitor.report.contents import NO_TEAM, Contents, Header, SourceStanding, Trend, Trends, Trust
from monitor.report.first_screen import AskedNights, PastCounts
from monitor.report.report_data import ReportData
from monitor.report.report_nights import ReportRequest, find_nights
from monitor.store import events
from monitor.store.database import Database
from monitor.store.tables import Profile, table_of
from monitor.workspace import open_workspace

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.rulebook.rulebook import Rulebook


def gather_report(
    database: Database,
    config: "Config",
    rulebook: "Rulebook",
    request: ReportRequest,
) -> Contents:
    """Return the report of a period, as at its last accepted night; of one team, if it is named in any spelling."""
    with open_workspace() as workspace, database.reading() as store:
        nights = find_nights(store, request)
        data = ReportData(workspace, store, config, rulebook, nights)
        if request.team is not None:
            data = replace(data, team=data.name_team(request.team))
        spells.load_flags(data)
        if request.team is not None:
            _check_team(data, request.team)
        header = _head(data, request.made_on)
        if nights.last is None:
            why = "no accepted night yet" if nights.first_on is None else "no accepted night in this period"
            return Contents(header, first_screen.empty_first_screen(why))
        return _gather(data, header)


def _check_team(data: ReportData, asked: str) -> None:
    """A team without anybody is a team if the config has it; any other name is a slip of the pen."""
    teams = dict.fromkeys(data.known_teams.values())
    if data.team in teams or data.workspace.execute("SELECT 1 FROM known_person LIMIT 1").fetchall():
        return
    if data.run is None or not rule_figures.read_counts(data):
        known = ", ".join(f'"{name}"' for name in teams) or "none"
        raise Problems([f'--team {asked}: no such team; the config names {known}, and "{NO_TEAM}" is who has none'])


def _gather(data: ReportData, header: Header) -> Contents:
    rulebook, nights = data.rulebook, data.nights
    counts = rule_figures.read_counts(data)
    unanswered = rule_figures.find_unanswered(data.store, data.run, rulebook.rules)
    figures = rule_figures.describe_rules(data, counts, unanswered)
    off = {rule: "not in force" for line in LINES for rule in line.rules if rule not in rulebook.by_id}
    cannot = {rule: rule_figures.add_up(teams.values()).cannot_assess for rule, teams in counts.items()}
    asked_then = rule_figures.find_asked(data.store, nights, rulebook.rules)
    asked = AskedNights({**off, **unanswered}, cannot, asked_then)  # type: ignore[arg-type]
    past = PastCounts(data.workspace, nights)
    counted = caseloads.count_people(data)
    sizes, without = ({team: counts[n] for team, counts in counted.items()} for n in (0, 1))
    sight = first_screen.fill_first_screen(data, asked, past, sizes)
    teams = tuple(row.team for row in sight.teams)
    # Not the rows of the night: who died or turned 25 is among them, and in no team.
    header = replace(header, people=sum(sizes.values()))
    if data.team is not None:
        header = replace(header, people=sizes.get(data.team, 0), absent=None)
    backlog, waivers = load_backlog(data.store, data.as_at, since=nights.since), what_was_done.read_waivers(data)
    happened = what_was_done.count_days(data, backlog)
    return Contents(
        header=header,
        sight=sight,
        teams=teams,
        rules=figures,
        week_starts=tuple(monday for monday, _ in nights.weeks),
        weeks=tuple(night.as_at if night is not None else None for _, night in nights.weeks),
        trends=Trends(*first_screen.count_weeks(nights, asked, past, teams), _count_rule_weeks(data, asked)),
        clearing=what_was_done.count_clearing(data),
        done=what_was_done.count_done(data, happened, waivers[0]),
        flow=what_was_done.count_flow(data, happened),
        backlog=burn_down(
            count_backlog(data.workspace, backlog, data.as_at), of_team=lambda team: True, with_restricted=True
        ),
        unanswered=flag_rows.find_oldest_unanswered(data),
        waivers=what_was_done.list_waivers(data, waivers),
        caseloads=caseloads.count_caseloads(data, without),
        measures=caseloads.compare_measures(data),
        paragraphs=rule_figures.map_paragraphs(rule_figures.load_map(rulebook, data.config), figures),
        flags=flag_rows.list_flags(data),
    )


def _head(data: ReportData, made_on: dt.date) -> Header:
    run, nights = data.run, data.nights
    return Header(
        authority=data.config.authority,
        marking=data.config.delivery.marking,
        edition="service",
        since=nights.since,
        until=nights.until,
        made_on=made_on,
        as_at=run.as_at if run is not None else None,
        team=data.team,
        people=run.people if run is not None else None,
        absent=run.absent if run is not None else None,
        trust=_trust(run) if run is not None else Trust(),
        sources=_sources(data),
        not_accepted=nights.not_accepted,
        adjustments=tuple(data.rulebook.adjustments),
        chain_head=events.head(data.store),
        unreadable=_find_unreadable(data) if run is not None else (),
        first_night_on=nights.first_on,
        nights=nights.count,
    )


def _find_unreadable(data: ReportData) -> tuple[tuple[str, int], ...]:
    """Return the columns with cells that could not be read, the most first, each with how many of 1,000 cells."""
    profile = table_of(Profile)
    rows = select(profile.c.key, profile.c.value).where(
        profile.c.run_id == data.run.id, profile.c.name == baseline.UNREADABLE, profile.c.value > 0
    )
    found = [(row.key.replace("_", " "), max(1, round(1000 * row.value))) for row in data.store.execute(rows)]
    return tuple(sorted(found, key=lambda cells: (-cells[1], cells[0])))


def _trust(run: Any) -> Trust:
    return Trust(
        run.verdict or "trusted",
        tuple(json.loads(run.doubts or "[]")),
        tuple(json.loads(run.not_believed or "[]")),
        run.asked_on if run.asked_on != run.as_at else None,
        run.reason,
    )


def _sources(data: ReportData) -> tuple[SourceStanding, ...]:
    profile = table_of(Profile)
    dated: dict[str, dt.date] = {}
    if data.run is not None:
        rows = select(profile.c.key, profile.c.value).where(
            profile.c.run_id == data.run.id, profile.c.name == source_fitness.EXTRACTED_ON
        )
        dated = {name: dt.date.fromordinal(int(value)) for name, value in data.store.execute(rows)}
    return tuple(
        SourceStanding(
            source.name,
            source.kind,
            dated.get(source.name),
            data.config.working_days.between(dated[source.name], data.as_at) if source.name in dated else None,
            source_fitness.caveats_of(source.kind),
        )
        for source in data.config.sources
    )


def _count_rule_weeks(data: ReportData, asked: AskedNights) -> tuple[Trend, ...]:
    """Flags by rule, week by week: open, held or waived."""
    rows = data.workspace.execute(
        f"""
        SELECT n.as_at, s.rule, count(*)
        FROM spell AS s JOIN (SELECT unnest($nights::DATE[]) AS as_at) AS n ON {spells.COUNTS_ON.format(day="n.as_at")}
        GROUP BY ALL
        """,
        {"nights": [night.as_at for _, night in data.nights.weeks if night is not None]},
    ).fetchall()
    counts = {(as_at, rule): number for as_at, rule, number in rows}

    def count(rule: str, night: Any | None) -> int | None:
        if night is None:
            return None
        return counts.get((night.as_at, rule), 0 if rule in asked.asked_then.get(night.as_at, ()) else None)

    lines = [
        Trend(rule.id, rule.title, tuple(count(rule.id, night) for _, night in data.nights.weeks))
        for rule in data.rulebook.rules
    ]
    return tuple(line for line in lines if any(value is not None for value in line.values))
