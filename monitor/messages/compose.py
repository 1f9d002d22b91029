"""All the messages of one night: who gets one, what each address already knows, and the finished words."""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from sqlalchemy import Connection

from monitor.caseload import departures, removed_people, roster
from monitor.caseload.rows import PLACEHOLDER
from monitor.config.escalation_settings import latest
from monitor.config.id_lists import read_restricted
from monitor.config.list_findings import ListFinding
from monitor.config.settings import Config
from monitor.figures import measures, out_of_sight
from monitor.figures.burn_down import count_backlog, list_worst
from monitor.figures.out_of_sight import find_seen
from monitor.flags import decision_lists
from monitor.gate.surges import find_waiting
from monitor.messages.analyst import Addressed, NightAccount, compose_analyst
from monitor.messages.answering import find_reader_of_answers
from monitor.messages.attachment import number_attached
from monitor.messages.backlog_week import BacklogFound
from monitor.messages.cover_notes import find_cover_notes
from monitor.messages.drafts import (
    Desk,
    Draft,
    NightBasis,
    add_lead,
    draft_parts,
    drop_unknown_ends,
    find_restricted_fault,
)
from monitor.messages.duty import compose_duty
from monitor.messages.handed_on import ENDED_SO, find_handovers
from monitor.messages.lead import NoLead, compose_lead
from monitor.messages.list_place import describe_shelf
from monitor.messages.news import SERIOUS, may_have_card
from monitor.messages.night_lines import NightLines, load_lines
from monitor.messages.parts import (
    LINE_FIELDS,
    Digest,
    FlagLine,
    Handover,
    MessageContext,
    Posting,
    Unchecked,
)
from monitor.messages.routes import Routes, plan_routes
from monitor.messages.shown import tell_before
from monitor.messages.templates import Templates
from monitor.messages.told import Told
from monitor.rulebook.rulebook import Rulebook
from monitor.store.nights import Ledger, find_withdrawn
from monitor.store.seals import read_secret
from monitor.workspace import Workspace, drop_tables, literal, load_rows, step

MOST_SPELLINGS = 8
"""New spellings told in one mail."""


@dataclass(frozen=True)
class Post:
    """The night's messages, each written when it is asked for, and who could be told nothing: people by team."""

    postings: Iterator[Posting]
    unrouted: Mapping[str, int]


def describe_night(
    config: Config, rulebook: Rulebook, ledger: Ledger, as_at: dt.date, *, chain_head: str | None = None
) -> MessageContext:
    """Return what every message of the night needs to know, before the night's answers."""
    in_force = rulebook.in_force(as_at)
    before = ledger.before
    meanings = json.loads((before.rule_meanings if before else None) or "{}")
    return MessageContext(
        as_at=as_at,
        authority=config.authority,
        marking=config.delivery.marking,
        rules=rulebook.by_id,
        routes=plan_routes(config.teams, config.people, read_restricted(config), as_at=as_at),
        case_url=config.case_url,
        baseline=before is None,
        correction=ledger.tonight is not None,
        adjustments=tuple(rulebook.adjustments),
        rules_changed=tuple(rule.id for rule in in_force if meanings.get(rule.id, rule.meaning) != rule.meaning),
        rules_withdrawn=find_withdrawn(ledger, (rule.id for rule in in_force)),
        previous_accepted_on=before.as_at if before else None,
        after_jump=ledger.is_jump(as_at),
        chain_head=chain_head,
        shelf=describe_shelf(config),
        flips=config.digests.flips,
        flip_nights=config.digests.flip_nights,
        full_list_from=latest(config.digests.full_list_day, as_at),
        summary_from=latest(config.escalation.summary_day, as_at),
        most_escalated=config.escalation.most_listed,
        answers_to=find_reader_of_answers(config),
        answers_by_number=config.delivery.keeps_message_id,
    )


READS = (
    "caseload", "outcome", "outcome_before", "roster", "roster_tonight", "leaver", "flag_line", "flag_list",
    "waiver_tonight", "measure", "indicator", "coming_due", "cannot_assess_list", "unreadable",
)  # fmt: skip


@step(reads=READS, drops=("outcome", "outcome_before"))
def write_all(
    workspace: Workspace, store: Connection, night: MessageContext, templates: Templates, basis: NightBasis
) -> Post:
    """Return one message for each address that has something to be told, all its parts in one; the analyst's last.

    Reads ``flag_line`` and the other tables of the night.
    """
    no_lead, unchecked = _find_no_lead(workspace, night.routes)
    night = replace(night, unchecked=unchecked, answer_secret=read_secret(store))
    desk = Desk(workspace, store, _add_answers(workspace, night, basis), basis)
    return Post(_write_each(desk, no_lead, templates), {team.team or "": team.people for team in no_lead})


def _write_each(desk: Desk, no_lead: tuple[NoLead, ...], templates: Templates) -> Iterator[Posting]:
    """Write the messages one by one: the lines of an address are let go once its message is written."""
    night, basis = desk.night, desk.basis
    analyst = night.routes.analyst
    lines = load_lines(desk.workspace, night)
    night = replace(
        night, handovers=_find_handovers(desk, lines), before=_find_before(desk, lines), list_rows=lines.list_rows
    )
    night = replace(night, seen=_find_seen(desk, lines))
    desk = replace(desk, night=night)
    drop_tables(desk.workspace, "outcome", "outcome_before")
    yield from _write_duty(desk, lines, templates)
    untold = {line.person_id for line in lines.by_address.pop(None, ()) if line.state in ("open", "held")}
    desk = replace(
        desk, heads=_find_due_heads(desk), managers=_find_due_managers(desk), raised=_find_raised_to(desk),
        notes=find_cover_notes(night.routes, basis.told),
    )  # fmt: skip
    if desk.heads or desk.managers:
        desk = replace(desk, backlog=_find_backlog(desk))
    written: Counter[str] = Counter()
    restricted = (night.routes.head,) if find_restricted_fault(desk) else ()
    wrong = {address for address, told in basis.told.items() if told.taken_back}
    addresses = (*lines.by_address, *desk.heads, *desk.managers, *desk.raised, *restricted, *wrong, *desk.notes)
    for address in sorted({each for each in addresses if each} - {analyst}):
        draft = draft_parts(desk, address, lines)
        if draft.parts:
            written.update(_find_roles(night.routes, address, draft.parts))
            yield draft.finish(basis.told_to(address), templates)
        del draft
    draft, told = draft_parts(desk, analyst, lines), basis.told_to(analyst)
    written.update(_find_roles(night.routes, analyst, draft.parts))
    account = replace(
        _account(desk.workspace, desk.store, night, basis),
        no_lead=no_lead, untold=len(untold), readers=Addressed(**written), lists=_find_list_faults(desk),
    )  # fmt: skip
    data_lines = drop_unknown_ends(lines.data, told)
    night = replace(night, taken_back=told.taken_back)
    draft.add(compose_analyst(analyst, data_lines, told, night, account), lines=data_lines)
    yield draft.finish(told, templates)


def _write_duty(desk: Desk, lines: NightLines, templates: Templates) -> Iterator[Posting]:
    """Write to whoever is on duty on a closed day."""
    if desk.basis.closed is None:
        return
    told = desk.basis.told
    for address, digest, own in compose_duty(lines.by_address, told, desk.night, desk.basis.closed):
        draft = Draft()
        draft.add(digest, lines=own)
        posting = draft.finish(desk.basis.told_to(address), templates)
        yield replace(posting, message=replace(posting.message, kind="duty", holds=("duty",)))


def _find_roles(routes: Routes, address: str, parts: Iterable[Digest]) -> set[str]:
    """Return what this address is, of ``Addressed``, for the parts of its message."""
    roles = set()
    for part in parts:
        if part.kind == "lead":
            roles.add("leads" if routes.teams_of(address) else "others")
        elif part.kind == "head":
            roles.add("heads")
        else:
            roles.update(routes.roles_above(address) or ("others",))
    return roles


def _add_answers(workspace: Workspace, night: MessageContext, basis: NightBasis) -> MessageContext:
    """Return the night with what the rules and the gate said of it."""
    evaluated = basis.evaluated
    service_wide = measures.find_service_wide(basis.rulebook.rules, evaluated.totals)
    return replace(
        night,
        baseline=night.baseline or not basis.told,
        not_assessed=evaluated.not_assessed,
        failed=evaluated.failed,
        doubted=evaluated.doubted,
        verdict=basis.verdict,
        service_wide=measures.by_team(workspace, service_wide),
    )


def _find_due_managers(desk: Desk) -> frozenset[str]:
    """Return each manager who has had nothing of the backlog this week; the head of service has it in the summary."""
    night, basis = desk.night, desk.basis
    managers = {above.manager for above in night.routes.above.values() if above.manager} - {night.routes.head}
    return frozenset(each for each in managers if basis.told_to(each).is_due("backlog", night.summary_from))


def _find_raised_to(desk: Desk) -> frozenset[str]:
    """Return every address to which a flag above the lead goes."""
    routes = desk.night.routes
    found = (routes.escalate(each.step, each.line.team, each.line.person_id)[0] for each in desk.basis.raised)
    return frozenset(address for address in found if address)


def _find_backlog(desk: Desk) -> BacklogFound:
    workspace, backlog, night = desk.workspace, desk.basis.backlog, desk.night
    counted = count_backlog(workspace, backlog, night.as_at, night.routes.restricted)
    columns = (*LINE_FIELDS, "in_breach_since")
    worst = list_worst(workspace, backlog, columns, night.routes.restricted) if counted else []
    return BacklogFound(counted, [(FlagLine(*fields), since) for *fields, since in worst])


def _find_due_heads(desk: Desk) -> dict[str, Sequence[str]]:
    """Return each head who has had no summary this week, with the teams it is of; of every team for an empty one."""
    night, basis = desk.night, desk.basis
    heads = {**night.routes.headed, **({night.routes.head: ()} if night.routes.head else {})}
    due: dict[str, Sequence[str]] = {
        head: teams for head, teams in heads.items() if basis.told_to(head).is_due("summary", night.summary_from)
    }
    if due:
        out_of_sight.find_people(desk.workspace, desk.store, "flag_line", night.as_at)
    return due


def _find_list_faults(desk: Desk) -> tuple[ListFinding, ...]:
    """Return what is amiss with lists of the config, so far as the analyst may be told."""
    ids, routes = desk.basis.ids, desk.night.routes
    of_ids = (ids.merged_ids, ids.restricted if routes.head is None else None)
    told = desk.basis.told_to(routes.analyst).parts
    found = (*(finding for finding in of_ids if finding is not None), *desk.basis.intake.lists)
    faults = [finding for finding in found if finding.is_fault]
    # A first night may have a hundred spellings: the others follow on the next nights, and onboard shows them all.
    later = [finding for finding in faults if finding.is_spelling and finding.token not in told][MOST_SPELLINGS:]
    return tuple(finding for finding in faults if finding not in later)


def _find_seen(desk: Desk, lines: NightLines) -> frozenset[int]:
    """Find the serious flags whose beginning the monitor saw, where a weekly part is due that says since when."""
    night, told_to = desk.night, desk.basis.told_to
    due = any(told_to(each).is_due("full", night.full_list_from) for each in lines.by_address if each)
    is_first = night.previous_accepted_on is None
    return frozenset(find_seen(desk.store, night.as_at, SERIOUS)) if due and not is_first else frozenset()


def _find_handovers(desk: Desk, lines: NightLines) -> dict[tuple[str, str], Handover]:
    """Find the flags that ended with a birthday or an adviser, among those of which an address has not heard so."""
    ended = [
        line
        for address, own in lines.by_address.items()
        for line in own
        if line.resolved_reason in ENDED_SO and address and not desk.basis.told_to(address).knows_resolved(line.flag_id)
    ]
    return find_handovers(desk.workspace, desk.basis.rulebook, ended)


def _find_before(desk: Desk, lines: NightLines) -> dict[tuple[str, str], tuple[str, ...]]:
    """Find what stood on the record before tonight, of the flags opened tonight that may have a card."""
    as_at, rules, run_id = desk.night.as_at, desk.basis.rulebook.by_id, desk.basis.run_id
    if run_id is None or desk.night.baseline:
        return {}
    opened: defaultdict[str, list[str]] = defaultdict(list)
    for own in lines.by_address.values():
        for line in own:
            if line.opened_on == as_at and line.state == "open" and may_have_card(line) and line.rule in rules:
                opened[line.person_id].append(line.rule)
    if not opened:
        return {}
    return {
        (person_id, rule): tell_before(rules[rule], before, now)
        for person_id, before, now in roster.load_changed_values(desk.store, run_id, opened)
        for rule in opened[person_id]
    }


def _find_no_lead(workspace: Workspace, routes: Routes) -> tuple[tuple[NoLead, ...], tuple[Unchecked, ...]]:
    """Return how many are on tonight's caseload of each team with nobody to tell, and whose age is unknown."""
    rows = workspace.execute(
        """
        SELECT coalesce(allocated_team, ''),
            count(*) FILTER (present IS NOT NULL AND NOT list_contains($restricted::VARCHAR[], person_id)),
            list([person_id, date_of_birth_gap]) FILTER (date_of_birth IS NULL AND present)
        FROM caseload WHERE NOT died AND first_seen_on IS NOT NULL GROUP BY ALL ORDER BY ALL
        """,
        {"restricted": sorted(routes.restricted)},
    ).fetchall()
    # Whom the restricted list protects, and whose record another stands for, goes by no team.
    teams = ((team, routes.unrouted(team), people) for team, people, _ in rows if people)
    unchecked = (
        Unchecked(person_id, team or None, gap == "unreadable")
        for team, _, ageless in rows
        for person_id, gap in sorted(ageless or (), key=itemgetter(0))
    )
    return tuple(NoLead(team or None, why, people) for team, why, people in teams if why is not None), tuple(unchecked)


COUNTED = {
    "checked": f"SELECT '' AS what FROM caseload AS c WHERE {measures.ON_CASELOAD}",
    "opened": "SELECT rule FROM flag_line WHERE change = 'opened'",
    "unreadable": f"""SELECT "column" FROM unreadable WHERE "column" <> '' AND reason <> {literal(PLACEHOLDER)}""",
    "cannot assess": "SELECT missing FROM (SELECT DISTINCT person_id, missing FROM cannot_assess_list)",
    "changes": """
        SELECT CASE WHEN change = 'resolved' AND resolved_reason = 'rule changed'
                    THEN 'no longer asked for (rule changed)' ELSE change END
        FROM flag_line WHERE change IS NOT NULL
    """,
}
"""What the analyst is told the numbers of."""


def _account(workspace: Workspace, store: Connection, night: MessageContext, basis: NightBasis) -> NightAccount:
    listed = " UNION ALL ".join(f"(SELECT {literal(kind)} AS kind, * FROM ({rows}))" for kind, rows in COUNTED.items())
    counted: dict[str, dict[str, int]] = {kind: {} for kind in COUNTED}
    for kind, what, number in workspace.execute(f"SELECT kind, what, count(*) FROM ({listed}) GROUP BY ALL").fetchall():
        counted[kind][str(what)] = number
    yesterday = night.as_at - dt.timedelta(1)
    since = min(basis.told_to(night.routes.analyst).parts.get("analyst", yesterday), yesterday)
    return NightAccount(
        intake=basis.intake,
        checked=sum(counted["checked"].values()),
        totals=basis.evaluated.totals,
        cannot_fire=basis.evaluated.cannot_fire,
        caveats=basis.evaluated.caveats,
        opened=counted["opened"],
        unreadable=counted["unreadable"],
        cannot_assess=counted["cannot assess"],
        changes=counted["changes"],
        departed=departures.find_departed(workspace, store, night.as_at, since),
        secrets=basis.secrets,
        unreached=tuple(sorted((to, on) for to, on in basis.unreached.items() if night.routes.is_in_use(to))),
        lists_folder=basis.lists_folder,
        measures=measures.gather(workspace, store, night.as_at),
        surges=tuple(basis.surges),
        waiting=find_waiting(workspace),
        decided=decision_lists.count(workspace, night.as_at, since),
        back=removed_people.list_back(store, night.as_at),
    )


COMING_COLUMNS = {
    "person_id": "VARCHAR", "team": "VARCHAR", "personal_adviser": "VARCHAR", "rule": "VARCHAR", "opens_on": "DATE",
    "days_until": "INTEGER", "on_birthday": "BOOLEAN", "severity": "VARCHAR", "inside": "BOOLEAN",
}  # fmt: skip


def write_leads_anew(
    workspace: Workspace, night: MessageContext, told: Mapping[str, Told], templates: Templates, *, attach_lists: bool
) -> Iterator[Posting]:
    """Write the lead's part to each address in ``told`` that has news, from the flags as the store has them.

    Reads ``flag_line`` and ``flag_list``. What comes due, and whose age is unknown, waits for the next night.
    """
    load_rows(workspace, "coming_due", COMING_COLUMNS, [])
    lines = load_lines(workspace, night)
    night = replace(night, list_rows=lines.list_rows)
    for address, known in sorted(told.items()):
        own = lines.by_address.get(address, [])
        news = drop_unknown_ends(own, known)
        own_night = replace(night, list_rows=number_attached(own, night)) if attach_lists else night
        digest = compose_lead(address, news, known, replace(own_night, taken_back=known.taken_back))
        if digest is None:
            continue
        draft = Draft()
        add_lead(draft, digest, own, workspace if attach_lists else None)
        yield draft.finish(known, templates)
