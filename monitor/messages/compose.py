"""All the messages of one night: who gets one, what each address already knows, and the finished words."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection

from monitor.caseload import departures, removed_people
from monitor.config.escalation_settings import latest
from monitor.config.settings import Config, read_restricted
from monitor.figures import measures
from monitor.figures.week import gather
from monitor.flags import coming_due, decision_lists, life
from monitor.gate.surges import count_waiting
from monitor.messages.analyst import NightAccount, compose_analyst, compose_refused
from monitor.messages.attachment import write_attachment
from monitor.messages.head import compose_head
from monitor.messages.lead import NoLead, compose_lead
from monitor.messages.manager import Raised, compose_manager
from monitor.messages.parts import LINE_FIELDS, ComingDue, Digest, FlagLine, MessageContext, render, render_together
from monitor.messages.routes import Routes, plan_routes
from monitor.messages.templates import Templates
from monitor.outbox.queue import Posting, tell
from monitor.outbox.told import NOTHING_TOLD, Memory, load_memory
from monitor.rulebook.rulebook import Rulebook
from monitor.store.nights import Ledger, find_withdrawn
from monitor.workspace import Workspace, load_rows, step

if TYPE_CHECKING:
    from monitor.caseload.intake import Intake
    from monitor.gate.surges import Surge
    from monitor.gate.verdict import Verdict
    from monitor.rulebook.evaluation import Evaluation


@dataclass(frozen=True)
class Post:
    """The night's messages, and who could be told nothing: people by team without a lead."""

    postings: tuple[Posting, ...]
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
) -> MessageContext:
    """What every message of the night needs to know."""
    meanings = json.loads(ledger.before.rule_meanings or "{}") if ledger.before else {}
    changed = [rule.id for rule in rulebook.in_force(as_at) if meanings.get(rule.id, rule.meaning) != rule.meaning]
    return MessageContext(
        as_at=as_at,
        authority=config.authority,
        marking=config.delivery.marking,
        rules=rulebook.by_id,
        routes=plan_routes(config.teams, config.people, read_restricted(config.restricted), as_at=as_at),
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
        flips=config.digests.flips,
        flip_nights=config.digests.flip_nights,
        full_list_from=latest(config.digests.full_list_day, as_at),
        summary_from=latest(config.escalation.summary_day, as_at),
        most_escalated=config.escalation.most_listed,
    )


@step(
    reads=(
        "caseload",
        "roster_tonight",
        "leaver",
        "flag_line",
        "waiver_tonight",
        "measure",
        "indicator",
        "coming_due",
        "cannot_assess_list",
        "unreadable",
    ),
    makes=("not_a_spell", "restricted", "route"),
)
def write_all(
    workspace: Workspace,
    store: Connection,
    night: MessageContext,
    templates: Templates,
    *,
    intake: "Intake",
    evaluated: "Evaluation",
    deaths: Sequence[str],
    surges: Sequence["Surge"],
    lists_folder: str,
    raised: Sequence[Raised] = (),
    attach_lists: bool = False,
) -> Post:
    """One message for each address with something to hear, all its parts in one, from ``flag_line`` and the outbox."""
    memory = load_memory(store, since=night.as_at - dt.timedelta(life.RECENT_DAYS))
    night = replace(
        night, baseline=night.baseline or not memory, service_wide=measures.by_team(workspace, night.service_wide)
    )
    drafts: defaultdict[str, Draft] = defaultdict(Draft)
    untold = _draft_leads(workspace, night, memory, drafts, attach_lists=attach_lists)
    for address in {night.routes.escalate(one.step, one.line.team, one.line.person_id)[0] for one in raised}:
        if address is not None:
            had = memory.get(address, NOTHING_TOLD).perhaps_had
            digest = compose_manager(address, raised, night, perhaps_had=had)
            if digest is not None:
                drafts[address].add(digest, escalations=digest.told)
    _draft_summaries(workspace, store, night, memory, drafts)
    leads_told = len(drafts)
    analyst = night.routes.analyst
    known = memory.get(analyst, NOTHING_TOLD)
    news = _unheard(_data_lines(workspace), known)
    unrouted = _unrouted(workspace, night.routes)
    deaths = _untold_deaths(workspace, known.last.get("analyst"), deaths)
    account = _account(workspace, intake, evaluated, unrouted, untold, deaths, leads_told, lists_folder)
    account = replace(
        account,
        measures=measures.gather(workspace, store, night.as_at),
        surges=tuple(surges),
        waiting=count_waiting(workspace),
        left=departures.count(workspace),
        lost=departures.lost(workspace),
        decided=decision_lists.count(workspace, night.as_at),
        back=removed_people.list_back(store, night.as_at),
    )
    drafts[analyst].add(compose_analyst(analyst, news, known.told(), night, account), lines=news)
    postings = [
        draft.finish(memory.get(address, NOTHING_TOLD), templates)
        for address, draft in sorted(drafts.items(), key=lambda entry: (entry[0] == analyst, entry[0]))
    ]
    return Post(tuple(postings), {one.team or "": one.people for one in unrouted})


PARTS = ("analyst", "manager", "lead", "head")
"""The order of the parts of one message."""


@dataclass
class Draft:
    """What one address is to be told tonight, gathered before it is put into words."""

    parts: list[Digest] = field(default_factory=list)
    lines: list[FlagLine] = field(default_factory=list)
    coming: tuple[ComingDue, ...] = ()
    escalations: tuple[int, ...] = ()
    attached: str | None = None
    listed: tuple[str, ...] = ()
    """Everyone in what is attached."""

    def add(
        self,
        part: Digest,
        *,
        lines: Sequence[FlagLine] = (),
        coming: tuple[ComingDue, ...] = (),
        escalations: tuple[int, ...] = (),
    ) -> None:
        self.parts.append(part)
        self.lines += lines
        self.coming += coming
        self.escalations += escalations

    def finish(self, known: Memory, templates: Templates) -> Posting:
        ordered = sorted(self.parts, key=lambda part: PARTS.index(part.kind))
        told = tell(render_together(ordered, templates), self.lines, known)
        # Whoever is in the list is looked at again before it goes, as those are whom the message names.
        people = tuple(dict.fromkeys((*told.message.people, *self.listed)))
        message = replace(told.message, people=people)
        return replace(told, message=message, coming=self.coming, escalations=self.escalations, attached=self.attached)


def _draft_leads(
    workspace: Workspace,
    night: MessageContext,
    memory: Mapping[str, Memory],
    drafts: Mapping[str, Draft],
    *,
    attach_lists: bool,
) -> int:
    """Draft every lead's part; how many people nobody may be told of."""
    untold: set[str] = set()
    coming = _coming_by_address(workspace, night.routes)
    for address, lines in _lines_by_address(workspace, night, {*coming, *night.routes.names}):
        if address is None:
            untold.update(line.person_id for line in lines)
            continue
        known = memory.get(address, NOTHING_TOLD)
        news = _unheard(lines, known)
        digest = compose_lead(
            address,
            night.routes.teams_of(address),
            news,
            known.told(),
            night,
            last_digest=known.last.get("lead"),
            perhaps_had=known.perhaps_had,
            coming=[
                each
                for each in coming.get(address, ())
                if (each.person_id, each.rule, each.opens_on) not in known.coming
            ],
            full=_is_due(known.last.get("full"), night.full_list_from),
        )
        if digest is not None:
            shown = [
                replace(line, state="flipping") if line.flag_id in digest.flipping and line.state == "open" else line
                for line in news
                if line.flag_id not in digest.quiet
            ]
            drafts[address].add(digest, lines=shown, coming=digest.coming_told)
            if attach_lists:
                drafts[address].attached, drafts[address].listed = write_attachment(workspace, lines, night)
    return len(untold)


def _draft_summaries(
    workspace: Workspace,
    store: Connection,
    night: MessageContext,
    memory: Mapping[str, Memory],
    drafts: Mapping[str, Draft],
) -> None:
    """Draft the weekly summary of each head who has had none this week."""
    heads = {**night.routes.headed, **({night.routes.head: ()} if night.routes.head else {})}
    for address, teams in heads.items():
        known = memory.get(address, NOTHING_TOLD)
        had_on = known.last.get("summary")
        if _is_due(had_on, night.summary_from):
            since = had_on or night.as_at - dt.timedelta(7)
            week = gather(workspace, store, night.as_at, since, teams or None)
            drafts[address].add(compose_head(address, teams, week, night, perhaps_had=known.perhaps_had))


def _is_due(had_on: dt.date | None, since: dt.date | None) -> bool:
    """Whether what goes once a week is due, if the last that was accepted is of ``had_on``."""
    return since is not None and (had_on is None or had_on < since)


def write_refusal(
    night: MessageContext, templates: Templates, why: Literal["refused", "unreadable", "failed"], reasons: Sequence[str]
) -> Posting:
    """What the analyst alone is told of a night that was not accepted."""
    digest = compose_refused(night.routes.analyst, night, why, reasons)
    return Posting(render(digest, templates))


def _unheard(lines: Sequence[FlagLine], known: Memory) -> list[FlagLine]:
    """The lines without those resolved flags that this address never knew of, or knows to be resolved."""
    return [line for line in lines if line.state != "resolved" or not known.knows_resolved(line.flag_id)]


def _coming_by_address(workspace: Workspace, routes: Routes) -> dict[str | None, list[ComingDue]]:
    """What comes due within days and is not said in another's line, by the address that may hear of it."""
    fields = ", ".join(ComingDue.__dataclass_fields__)
    rows = workspace.execute(f"""
        SELECT {fields} FROM coming_due
        WHERE days_until <= {coming_due.SOON} AND severity <> 'data' AND NOT inside ORDER BY ALL
    """)
    found: dict[str | None, list[ComingDue]] = {}
    for each in (ComingDue(*row) for row in rows.fetchall()):
        found.setdefault(routes.address(each.team, each.person_id), []).append(each)
    return found


def _lines_by_address(
    workspace: Workspace, night: MessageContext, others: Iterable[str | None]
) -> Iterator[tuple[str | None, list[FlagLine]]]:
    """Each address with the lines that go there; restricted people's to the head of service, or to nobody.

    ``others``: addresses that have something else to hear, if no lines.
    """
    routes = night.routes
    teams = [row[0] for row in workspace.execute("SELECT DISTINCT team FROM flag_line").fetchall()]
    load_rows(workspace, "route", {"team": "VARCHAR", "address": "VARCHAR"}, routes.addresses(teams))
    load_rows(workspace, "restricted", {"person_id": "VARCHAR"}, [(person,) for person in sorted(routes.restricted)])
    load_rows(
        workspace, "not_a_spell", {"reason": "VARCHAR"}, [(reason,) for reason in (*life.NOT_A_SPELL, "handed on")]
    )
    heard = set()
    rows = workspace.execute(
        f"""
        SELECT CASE WHEN restricted.person_id IS NULL THEN route.address ELSE $head END AS address,
               {", ".join(f"line.{name}" for name in LINE_FIELDS)},
               count(*) FILTER (line.opened_on > $flips_from AND not_a_spell.reason IS NULL)
                   OVER (PARTITION BY line.person_id, line.rule) AS flips
        FROM flag_line AS line
        JOIN route ON route.team = coalesce(line.team, '')
        LEFT JOIN restricted USING (person_id)
        LEFT JOIN not_a_spell ON not_a_spell.reason = line.resolved_reason
        WHERE line.severity <> 'data' AND line.state <> 'quarantined'
        ORDER BY address, line.person_id, line.rule
        """,
        {"head": routes.head, "flips_from": night.as_at - dt.timedelta(night.flip_nights)},
    ).fetchall()
    for address, group in groupby(rows, key=itemgetter(0)):
        heard.add(address)
        yield address, [FlagLine(*row[1:]) for row in group]
    for address in others:
        if address is not None and address not in heard:
            yield address, []


def _data_lines(workspace: Workspace) -> list[FlagLine]:
    fields = ", ".join(LINE_FIELDS)
    query = f"SELECT {fields} FROM flag_line WHERE severity = 'data' ORDER BY person_id, rule"
    return [FlagLine(*row) for row in workspace.execute(query).fetchall()]


def _unrouted(workspace: Workspace, routes: Routes) -> list[NoLead]:
    """People on tonight's caseload by team, where the team has nobody to tell."""
    rows = workspace.execute(
        "SELECT coalesce(allocated_team, ''), count(*) FROM caseload "
        "WHERE NOT died AND first_seen_on IS NOT NULL GROUP BY ALL"
    )
    found = []
    for team, people in sorted(rows.fetchall()):
        why = routes.unrouted(team)
        if why is not None:
            found.append(NoLead(team or None, why, people))
    return found


def _account(
    workspace: Workspace,
    intake: "Intake",
    evaluated: "Evaluation",
    unrouted: Sequence[NoLead],
    untold: int,
    deaths: Sequence[str],
    leads_told: int,
    lists_folder: str,
) -> NightAccount:
    def counted(query: str) -> dict[str, int]:
        return {str(row[0]): row[1] for row in workspace.execute(query).fetchall()}

    return NightAccount(
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
        alive_again=_alive_again(workspace),
        leads_told=leads_told,
        lists_folder=lists_folder,
    )


def _untold_deaths(workspace: Workspace, last: dt.date | None, tonight: Sequence[str]) -> list[str]:
    """Tonight's new deaths, and those of nights since ``last``, whose message to the analyst never went."""
    rows = workspace.execute(
        "SELECT person_id FROM roster_tonight WHERE died_on IS NOT NULL AND ($last IS NULL OR died_on > $last)",
        {"last": last},
    )
    return sorted({*tonight, *(row[0] for row in rows.fetchall())})


def _alive_again(workspace: Workspace) -> tuple[str, ...]:
    """People recorded as died whom tonight's records say are alive, until somebody confirms it."""
    rows = workspace.execute("SELECT person_id FROM roster_tonight WHERE alive_again_on IS NOT NULL ORDER BY person_id")
    return tuple(row[0] for row in rows.fetchall())
