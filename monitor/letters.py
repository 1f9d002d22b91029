"""All the messages of one night: who gets one, what each address already knows, and the finished words."""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection

from monitor import digests, flags, forecast, measures, outbox
from monitor.caseload import leavers
from monitor.config import Config, read_restricted
from monitor.digests import ComingDue, FlagLine
from monitor.exceptions import decisions
from monitor.retention import marks
from monitor.rulebook import Rulebook
from monitor.store.ledger import Ledger, find_withdrawn
from monitor.templating import Templates
from monitor.trust import quarantine
from monitor.workspace import load_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from monitor.caseload import Intake
    from monitor.evaluation import Evaluation
    from monitor.trust import Verdict
    from monitor.trust.quarantine import Surge

LINE_FIELDS = tuple(FlagLine.__dataclass_fields__)


@dataclass(frozen=True)
class Post:
    """The night's messages, and who could be told nothing: people by team without a lead."""

    postings: tuple[outbox.Posting, ...]
    unrouted: Mapping[str, int]


def describe_night(
    config: Config,
    rulebook: Rulebook,
    ledger: Ledger,
    as_at: dt.date,
    *,
    evaluated: "Evaluation | None" = None,
    verdict: "Verdict | None" = None,
    chain_head: str | None = None,
) -> digests.Night:
    """What every message of the night needs to know."""
    meanings = json.loads(ledger.before.rule_meanings or "{}") if ledger.before else {}
    changed = [rule.id for rule in rulebook.in_force(as_at) if meanings.get(rule.id, rule.meaning) != rule.meaning]
    return digests.Night(
        as_at=as_at,
        authority=config.authority,
        marking=config.delivery.marking,
        rules=rulebook.by_id,
        routes=digests.plan_routes(config.teams, config.people, read_restricted(config.restricted)),
        case_url=config.case_url,
        baseline=ledger.before is None,
        correction=ledger.tonight is not None,
        adjustments=tuple(rulebook.adjustments),
        rules_changed=tuple(changed),
        rules_withdrawn=find_withdrawn(ledger, (rule.id for rule in rulebook.in_force(as_at))),
        not_assessed=evaluated.not_assessed if evaluated else {},
        failed=evaluated.failed if evaluated else {},
        verdict=verdict,
        doubted=evaluated.doubted if evaluated else {},
        previous_accepted_on=ledger.before.as_at if ledger.before else None,
        chain_head=chain_head,
        lists_folder=str(config.lists.lists_folder) if config.lists.lists_folder else None,
        service_wide={rule: {} for rule in measures.find_service_wide(rulebook.rules, evaluated.totals)}
        if evaluated
        else {},
    )


def write_all(
    con: "DuckDBPyConnection",
    connection: Connection,
    night: digests.Night,
    templates: Templates,
    *,
    intake: "Intake",
    evaluated: "Evaluation",
    deaths: Sequence[str],
    surges: Sequence["Surge"],
    lists_folder: str,
) -> Post:
    """One message for each lead with something to hear, and the analyst's, from ``flag_line`` and the outbox."""
    memory = outbox.load_memory(connection, since=night.as_at - dt.timedelta(flags.RECENT_DAYS))
    postings: list[outbox.Posting] = []
    untold: set[str] = set()
    night = replace(night, service_wide=measures.by_team(con, night.service_wide))
    coming = _coming_by_address(con, night.routes)
    for address, lines in _lines_by_address(con, night.routes, coming):
        if address is None:
            untold.update(line.person_id for line in lines)
            continue
        known = memory.get(address, outbox.NOTHING_TOLD)
        news = _unheard(lines, known)
        digest = digests.compose_lead(
            address,
            night.routes.teams_of(address),
            news,
            known.told(),
            night,
            last_digest=known.last_digest,
            perhaps_had=known.perhaps_had,
            coming=[
                each
                for each in coming.get(address, ())
                if (each.person_id, each.rule, each.opens_on) not in known.coming
            ],
        )
        if digest is not None:
            told = outbox.tell(digests.render(digest, templates), news, known)
            postings.append(replace(told, coming=digest.coming_told))
    analyst = night.routes.analyst
    known = memory.get(analyst, outbox.NOTHING_TOLD)
    news = _unheard(_data_lines(con), known)
    unrouted = _unrouted(con, night.routes)
    figures = measures.gather(con, connection, night.as_at)
    account = _account(con, intake, evaluated, unrouted, len(untold), deaths, len(postings), lists_folder)
    account = replace(
        account,
        measures=figures,
        surges=tuple(surges),
        waiting=quarantine.count_waiting(con),
        left=leavers.count(con),
        lost=leavers.lost(con),
        decided=decisions.count(con, night.as_at),
        back=marks.list_back(connection, night.as_at),
    )
    summary = digests.compose_analyst(analyst, news, known.told(), night, account)
    postings.append(outbox.tell(digests.render(summary, templates), news, known))
    return Post(tuple(postings), {one.team or "": one.people for one in unrouted})


def write_refusal(
    night: digests.Night, templates: Templates, why: Literal["refused", "unreadable", "failed"], reasons: Sequence[str]
) -> outbox.Posting:
    """What the analyst alone is told of a night that was not accepted."""
    digest = digests.compose_refused(night.routes.analyst, night, why, reasons)
    return outbox.Posting(digests.render(digest, templates))


def _unheard(lines: Sequence[FlagLine], known: outbox.Memory) -> list[FlagLine]:
    """The lines without those resolved flags that this address never knew of, or knows to be resolved."""
    return [line for line in lines if line.state != "resolved" or not known.knows_resolved(line.flag_id)]


def _coming_by_address(con: "DuckDBPyConnection", routes: digests.Routes) -> dict[str | None, list[ComingDue]]:
    """What comes due within days and is not said in another's line, by the address that may hear of it."""
    fields = ", ".join(ComingDue.__dataclass_fields__)
    rows = con.execute(f"""
        SELECT {fields} FROM coming_due
        WHERE days_until <= {forecast.SOON} AND severity <> 'data' AND NOT inside ORDER BY ALL
    """)
    found: dict[str | None, list[ComingDue]] = {}
    for each in (ComingDue(*row) for row in rows.fetchall()):
        found.setdefault(routes.address(each.team, each.person_id), []).append(each)
    return found


def _lines_by_address(
    con: "DuckDBPyConnection", routes: digests.Routes, others: Iterable[str | None]
) -> Iterator[tuple[str | None, list[FlagLine]]]:
    """Each address with the lines that go there; restricted people's to the head of service, or to nobody.

    ``others``: addresses that have something else to hear, if no lines.
    """
    teams = [row[0] for row in con.execute("SELECT DISTINCT team FROM flag_line").fetchall()]
    load_rows(con, "route", {"team": "VARCHAR", "address": "VARCHAR"}, routes.addresses(teams))
    load_rows(con, "restricted", {"person_id": "VARCHAR"}, [(person,) for person in sorted(routes.restricted)])
    heard = set()
    rows = con.execute(
        f"""
        SELECT CASE WHEN restricted.person_id IS NULL THEN route.address ELSE $head END AS address,
               {", ".join(f"line.{name}" for name in LINE_FIELDS)}
        FROM flag_line AS line
        JOIN route ON route.team = coalesce(line.team, '')
        LEFT JOIN restricted USING (person_id)
        WHERE line.severity <> 'data' AND line.state <> 'quarantined'
        ORDER BY address, line.person_id, line.rule
        """,
        {"head": routes.head},
    ).fetchall()
    for address, group in groupby(rows, key=itemgetter(0)):
        heard.add(address)
        yield address, [FlagLine(*row[1:]) for row in group]
    for address in others:
        if address is not None and address not in heard:
            yield address, []


def _data_lines(con: "DuckDBPyConnection") -> list[FlagLine]:
    fields = ", ".join(LINE_FIELDS)
    query = f"SELECT {fields} FROM flag_line WHERE severity = 'data' ORDER BY person_id, rule"
    return [FlagLine(*row) for row in con.execute(query).fetchall()]


def _unrouted(con: "DuckDBPyConnection", routes: digests.Routes) -> list[digests.NoLead]:
    """People on tonight's caseload by team, where the team has nobody to tell."""
    rows = con.execute(
        "SELECT coalesce(allocated_team, ''), count(*) FROM caseload "
        "WHERE NOT died AND first_seen_on IS NOT NULL GROUP BY ALL"
    )
    found = []
    for team, people in sorted(rows.fetchall()):
        why = routes.unrouted(team)
        if why is not None:
            found.append(digests.NoLead(team or None, why, people))
    return found


def _account(
    con: "DuckDBPyConnection",
    intake: "Intake",
    evaluated: "Evaluation",
    unrouted: Sequence[digests.NoLead],
    untold: int,
    deaths: Sequence[str],
    leads_told: int,
    lists_folder: str,
) -> digests.Account:
    def counted(query: str) -> dict[str, int]:
        return {str(row[0]): row[1] for row in con.execute(query).fetchall()}

    return digests.Account(
        intake=intake,
        totals=evaluated.totals,
        cannot_fire=evaluated.cannot_fire,
        caveats=evaluated.caveats,
        opened=counted("SELECT rule, count(*) FROM flag_line WHERE change = 'opened' GROUP BY ALL"),
        unreadable=counted('SELECT "column", count(*) FROM unreadable WHERE "column" <> \'\' GROUP BY ALL'),
        cannot_assess=counted("SELECT missing, count(*) FROM cannot_assess_list GROUP BY ALL"),
        changes=counted("SELECT change, count(*) FROM flag_line WHERE change IS NOT NULL GROUP BY ALL"),
        no_lead=tuple(unrouted),
        untold=untold,
        deaths=tuple(deaths),
        alive_again=_alive_again(con),
        leads_told=leads_told,
        lists_folder=lists_folder,
    )


def _alive_again(con: "DuckDBPyConnection") -> tuple[str, ...]:
    """People recorded as died whom tonight's records say are alive, until somebody confirms it."""
    rows = con.execute("SELECT person_id FROM roster_tonight WHERE alive_again_on IS NOT NULL ORDER BY person_id")
    return tuple(row[0] for row in rows.fetchall())
