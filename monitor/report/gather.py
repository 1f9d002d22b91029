"""Gathers a whole report from the store, in set-based passes over what the nights left."""

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from monitor.config.settings import read_restricted
from monitor.errors import Problems
from monitor.gate import source_fitness
from monitor.report import caseloads, flag_rows, out_of_sight, report_nights, rule_figures, spells, what_was_done
from monitor.report.contents import NO_TEAM, Contents, Header, OutOfSight, Sight, SourceStanding, Trend, Trends, Trust
from monitor.store import events
from monitor.store.database import Database
from monitor.store.tables import Profile, table_of
from monitor.words import fold_name
from monitor.workdays import working_days_between
from monitor.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from monitor.config.settings import Config
    from monitor.rulebook.rulebook import Rulebook


def gather_report(
    database: Database,
    config: "Config",
    rulebook: "Rulebook",
    *,
    made_on: dt.date,
    since: dt.date | None = None,
    until: dt.date | None = None,
    team: str | None = None,
) -> Contents:
    """The report of a period, as at its last accepted night; of one team, if it is named in any of its spellings."""
    if since is not None and until is not None and since > until:
        raise Problems([f"--from {since}: is after --to {until}; give the earlier date first"])
    names = Names(config)
    workspace = open_workspace()
    with database.reading() as store:
        told = report_nights.find(store, made_on=made_on, since=since, until=until)
        wanted = names(team) if team is not None else None
        spells.lay_out(workspace, store, told, names, wanted)
        if wanted is not None:
            _check_team(workspace, store, config, told, wanted, team, names)
        header = _head(store, config, rulebook, told, made_on, wanted)
        if told.last is None:
            why = "no accepted night yet" if told.first_on is None else "no accepted night in this period"
            return Contents(
                header, OutOfSight(Sight(out_of_sight.EVERYONE, out_of_sight.EVERYONE_LABEL, asked=False, why_not=why))
            )
        return _gather(workspace, store, config, rulebook, told, header, names, wanted)


class Names:
    """What each spelling of a team is called: as the config has it, else as it is spelt."""

    def __init__(self, config: "Config") -> None:
        self._known = config.team_names

    def __call__(self, spelt: str | None) -> str:
        return self._known.get(fold_name(spelt), spelt.strip()) if spelt and spelt.strip() else NO_TEAM


def _check_team(
    workspace: Workspace,
    store: Connection,
    config: "Config",
    told: report_nights.Nights,
    wanted: str,
    asked: str | None,
    names: Names,
) -> None:
    """A team without anybody is a team if the config has it; any other name is a slip of the pen."""
    if wanted in config.team_names.values() or workspace.execute("SELECT 1 FROM known_person LIMIT 1").fetchall():
        return
    counted = rule_figures.read_counts(store, told.last, names, wanted) if told.last is not None else {}
    if not counted:
        known = ", ".join(f'"{name}"' for name in dict.fromkeys(config.team_names.values())) or "none"
        raise Problems([f'--team {asked}: no such team; the config names {known}, and "{NO_TEAM}" is who has none'])


def _gather(
    workspace: Workspace,
    store: Connection,
    config: "Config",
    rulebook: "Rulebook",
    told: report_nights.Nights,
    header: Header,
    names: Names,
    team: str | None,
) -> Contents:
    run: Any = told.last
    as_at, rules = run.as_at, rulebook.rules
    counts = rule_figures.read_counts(store, run, names, team)
    unanswered = rule_figures.find_unanswered(store, run, rules)
    off = {rule: "not in force" for kind in out_of_sight.KINDS for rule in kind.rules if rule not in rulebook.by_id}
    cannot = {rule: rule_figures.add_up(teams.values()).cannot_assess for rule, teams in counts.items()}
    kinds = {source.name: source.kind for source in config.sources}
    figures = rule_figures.show(rules, counts, unanswered, rule_figures.read_supplies(store, run, kinds))
    asked = out_of_sight.AskedNights({**off, **unanswered}, cannot, rule_figures.find_asked(store, told, rules))  # type: ignore[arg-type]
    out_of_sight.lay_out(workspace, told)
    sizes = caseloads.count_people(workspace, as_at)
    seen = out_of_sight.show(workspace, told, asked, sizes, NO_TEAM)
    teams = tuple(each.team for each in seen.teams)
    restricted = read_restricted(config.restricted)

    def link(person_id: str) -> str | None:
        return flag_rows.make_link(config.case_url, person_id)

    by_kind, by_team = out_of_sight.draw_trends(workspace, told, teams, NO_TEAM, asked)
    return Contents(
        header=header if team is None else _narrow(header, sizes.get(team, 0)),
        sight=seen,
        teams=teams,
        rules=figures,
        week_starts=tuple(monday for monday, _ in told.weeks),
        weeks=tuple(night.as_at if night is not None else None for _, night in told.weeks),
        trends=Trends(by_kind, by_team, _rule_trends(workspace, told, rulebook, asked)),
        clearing=what_was_done.tell_clearing(workspace, told, rulebook, as_at),
        done=what_was_done.tell_done(workspace, store, told, as_at),
        waivers=what_was_done.tell_waivers(workspace, store, told, as_at, config, rulebook, restricted, link),
        caseloads=caseloads.tell_caseloads(workspace, as_at, config.measures.adviser_cap),
        measures=caseloads.tell_measures(store, as_at, names, team),
        paragraphs=rule_figures.map_paragraphs(rule_figures.draw_map(rulebook, config), figures),
        flags=flag_rows.list_flags(workspace, store, rulebook, restricted, as_at, link),
    )


def _narrow(header: Header, people: int) -> Header:
    return replace(header, people=people, absent=None)


def _head(
    store: Connection,
    config: "Config",
    rulebook: "Rulebook",
    told: report_nights.Nights,
    made_on: dt.date,
    team: str | None,
) -> Header:
    run = told.last
    return Header(
        authority=config.authority,
        marking=config.delivery.marking,
        edition="service",
        since=told.since,
        until=told.until,
        made_on=made_on,
        as_at=run.as_at if run is not None else None,
        team=team,
        people=run.people if run is not None else None,
        absent=run.absent if run is not None else None,
        trust=_trust(run) if run is not None else Trust(),
        sources=_sources(store, config, run),
        not_accepted=told.not_accepted,
        adjustments=tuple(rulebook.adjustments),
        chain_head=events.head(store),
        first_night_on=told.first_on,
        nights=told.count,
    )


def _trust(run: Any) -> Trust:
    return Trust(
        run.verdict or "trusted",
        tuple(json.loads(run.doubts or "[]")),
        tuple(json.loads(run.not_believed or "[]")),
        run.asked_on if run.asked_on != run.as_at else None,
        run.reason,
    )


def _sources(store: Connection, config: "Config", run: Any | None) -> tuple[SourceStanding, ...]:
    profile = table_of(Profile)
    dated: dict[str, dt.date] = {}
    if run is not None:
        rows = select(profile.c.key, profile.c.value).where(
            profile.c.run_id == run.id, profile.c.name == source_fitness.EXTRACTED_ON
        )
        dated = {name: dt.date.fromordinal(int(value)) for name, value in store.execute(rows)}
    return tuple(
        SourceStanding(
            source.name,
            source.kind,
            dated.get(source.name),
            working_days_between(dated[source.name], run.as_at) if run is not None and source.name in dated else None,
            source_fitness.caveats_of(source.kind),
        )
        for source in config.sources
    )


def _rule_trends(
    workspace: Workspace, told: report_nights.Nights, rulebook: "Rulebook", asked: out_of_sight.AskedNights
) -> tuple[Trend, ...]:
    """Flags standing by rule, night by night: open, held or waived."""
    rows = workspace.execute(f"""
        SELECT m.as_at, s.rule, count(*) FROM spell AS s JOIN moment AS m ON {spells.STANDS.format(day="m.as_at")}
        GROUP BY ALL
    """).fetchall()
    found: dict[tuple[dt.date, str], int] = {(as_at, rule): number for as_at, rule, number in rows}

    def value(rule: str, night: Any | None) -> int | None:
        if night is None:
            return None
        return found.get((night.as_at, rule), 0 if rule in asked.asked_then.get(night.as_at, ()) else None)

    lines = [
        Trend(rule.id, rule.title, tuple(value(rule.id, night) for _, night in told.weeks)) for rule in rulebook.rules
    ]
    return tuple(line for line in lines if any(each is not None for each in line.values))
