"""Gathers a whole report from the store, in set-based passes over what the nights left."""

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from monitor.config import fold, read_restricted
from monitor.errors import Problems
from monitor.report import done, ground, listing, nights, rulefigures, service, sight
from monitor.report.contents import (
    NO_TEAM,
    Contents,
    Header,
    OutOfSight,
    Sight,
    SourceStanding,
    Trend,
    Trends,
    Trust,
)
from monitor.store import Store, events
from monitor.store.tables import Profile, table_of
from monitor.trust import fitness
from monitor.trust.freshness import working_days_between
from monitor.workspace import open_workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from monitor.config import Config
    from monitor.rulebook import Rulebook


def gather(
    store: Store,
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
    con = open_workspace()
    with store.reading() as connection:
        told = nights.find(connection, made_on=made_on, since=since, until=until)
        wanted = names(team) if team is not None else None
        ground.lay_out(con, connection, told, names, wanted)
        if wanted is not None:
            _check_team(con, connection, config, told, wanted, team, names)
        header = _head(connection, config, rulebook, told, made_on, wanted)
        if told.last is None:
            why = "no accepted night yet" if told.first_on is None else "no accepted night in this period"
            return Contents(header, OutOfSight(Sight(sight.EVERYONE, sight.EVERYONE_LABEL, asked=False, why_not=why)))
        return _gather(con, connection, config, rulebook, told, header, names, wanted)


class Names:
    """What each spelling of a team is called: as the config has it, else as it is spelt."""

    def __init__(self, config: "Config") -> None:
        self._known = config.team_names

    def __call__(self, spelt: str | None) -> str:
        return self._known.get(fold(spelt), spelt.strip()) if spelt and spelt.strip() else NO_TEAM


def _check_team(
    con: "DuckDBPyConnection",
    connection: Connection,
    config: "Config",
    told: nights.Nights,
    wanted: str,
    asked: str | None,
    names: Names,
) -> None:
    """A team without anybody is a team if the config has it; any other name is a slip of the pen."""
    if wanted in config.team_names.values() or con.execute("SELECT 1 FROM known_person LIMIT 1").fetchall():
        return
    counted = rulefigures.read_counts(connection, told.last, names, wanted) if told.last is not None else {}
    if not counted:
        known = ", ".join(f'"{name}"' for name in dict.fromkeys(config.team_names.values())) or "none"
        raise Problems([f'--team {asked}: no such team; the config names {known}, and "{NO_TEAM}" is who has none'])


def _gather(
    con: "DuckDBPyConnection",
    connection: Connection,
    config: "Config",
    rulebook: "Rulebook",
    told: nights.Nights,
    header: Header,
    names: Names,
    team: str | None,
) -> Contents:
    run: Any = told.last
    as_at, rules = run.as_at, rulebook.rules
    counts = rulefigures.read_counts(connection, run, names, team)
    unanswered = rulefigures.find_unanswered(connection, run, rules)
    off = {rule: "not in force" for kind in sight.KINDS for rule in kind.rules if rule not in rulebook.by_id}
    cannot = {rule: rulefigures.add_up(teams.values()).cannot_assess for rule, teams in counts.items()}
    kinds = {source.name: source.kind for source in config.sources}
    figures = rulefigures.show(rules, counts, unanswered, rulefigures.read_supplies(connection, run, kinds))
    asked = sight.Asked({**off, **unanswered}, cannot, rulefigures.find_asked(connection, told, rules))  # type: ignore[arg-type]
    sight.lay_out(con, told)
    sizes = service.count_people(con, as_at)
    seen = sight.show(con, told, asked, sizes, NO_TEAM)
    teams = tuple(each.team for each in seen.teams)
    restricted = read_restricted(config.restricted)

    def link(person_id: str) -> str | None:
        return listing.make_link(config.case_url, person_id)

    by_kind, by_team = sight.draw_trends(con, told, teams, NO_TEAM, asked)
    return Contents(
        header=header if team is None else _narrow(header, sizes.get(team, 0)),
        sight=seen,
        teams=teams,
        rules=figures,
        week_starts=tuple(monday for monday, _ in told.weeks),
        weeks=tuple(night.as_at if night is not None else None for _, night in told.weeks),
        trends=Trends(by_kind, by_team, _rule_trends(con, told, rulebook, asked)),
        clearing=done.tell_clearing(con, told, rulebook, as_at),
        done=done.tell_done(con, connection, told, as_at),
        waivers=done.tell_waivers(con, connection, told, as_at, config, rulebook, restricted, link),
        caseloads=service.tell_caseloads(con, as_at, config.measures.adviser_cap),
        measures=service.tell_measures(connection, as_at, names, team),
        paragraphs=rulefigures.map_paragraphs(rulefigures.draw_map(rulebook, config), figures),
        flags=listing.list_flags(con, connection, rulebook, restricted, as_at, link),
    )


def _narrow(header: Header, people: int) -> Header:
    return replace(header, people=people, absent=None)


def _head(
    connection: Connection,
    config: "Config",
    rulebook: "Rulebook",
    told: nights.Nights,
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
        sources=_sources(connection, config, run),
        not_accepted=told.not_accepted,
        adjustments=tuple(rulebook.adjustments),
        chain_head=events.head(connection),
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


def _sources(connection: Connection, config: "Config", run: Any | None) -> tuple[SourceStanding, ...]:
    profile = table_of(Profile)
    dated: dict[str, dt.date] = {}
    if run is not None:
        rows = select(profile.c.key, profile.c.value).where(
            profile.c.run_id == run.id, profile.c.name == fitness.EXTRACTED_ON
        )
        dated = {name: dt.date.fromordinal(int(value)) for name, value in connection.execute(rows)}
    return tuple(
        SourceStanding(
            source.name,
            source.kind,
            dated.get(source.name),
            working_days_between(dated[source.name], run.as_at) if run is not None and source.name in dated else None,
            fitness.caveats_of(source.kind),
        )
        for source in config.sources
    )


def _rule_trends(
    con: "DuckDBPyConnection", told: nights.Nights, rulebook: "Rulebook", asked: sight.Asked
) -> tuple[Trend, ...]:
    """Flags standing by rule, night by night: open, held or waived."""
    rows = con.execute(f"""
        SELECT m.as_at, s.rule, count(*) FROM spell AS s JOIN moment AS m ON {ground.STANDS.format(day="m.as_at")}
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
