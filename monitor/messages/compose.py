"""All the messages of one night: who gets one, what each address already knows, and the finished words."""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from sqlalchemy import Connection

from monitor.caseload import departures, removed_people, roster
from monitor.caseload.intake import Intake
from monitor.caseload.list_matches import IdLists
from monitor.caseload.rows import PLACEHOLDER
from monitor.config.escalation_settings import latest
from monitor.config.id_lists import read_restricted, restricted_sql
from monitor.config.list_findings import ListFinding
from monitor.config.secret_ends import SecretEnd
from monitor.config.settings import Config
from monitor.figures import measures, out_of_sight
from monitor.figures.burn_down import count_backlog, list_worst
from monitor.figures.out_of_sight import find_seen
from monitor.figures.week import gather
from monitor.flags import coming_due, decision_lists, life
from monitor.flags.backlog import Backlog
from monitor.flags.priority import list_rows_sql
from monitor.gate.surges import Surge, find_waiting
from monitor.gate.verdict import Verdict
from monitor.messages.analyst import Addressed, NightAccount, compose_analyst
from monitor.messages.answering import Answerable, find_reader_of_answers, list_answerable
from monitor.messages.attachment import number_attached, write_attachment
from monitor.messages.backlog_week import NO_BACKLOG_FOUND, BacklogFound, compose_backlog
from monitor.messages.cover_notes import CoverNote, CoverNotice, find_cover_notes
from monitor.messages.duty import ClosedDay, compose_duty
from monitor.messages.handed_on import ENDED_SO, find_handovers
from monitor.messages.head import RestrictedDigest, compose_head
from monitor.messages.lead import LeadDigest, NoLead, compose_lead
from monitor.messages.list_place import describe_shelf
from monitor.messages.manager import MailSoFar, Raised, compose_manager
from monitor.messages.news import SERIOUS, may_have_card
from monitor.messages.notices import Notice
from monitor.messages.parts import (
    LINE_FIELDS,
    ComingDue,
    Digest,
    FlagLine,
    Handover,
    MessageContext,
    Posting,
    Unchecked,
)
from monitor.messages.routes import Routes, fold, plan_routes
from monitor.messages.shown import tell_before
from monitor.messages.templates import Templates, render_together
from monitor.messages.told import NOTHING_TOLD, Told
from monitor.rulebook.evaluation import Evaluation
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


@dataclass(frozen=True)
class NightBasis:
    """What the messages of one judged night rest on, beside its flags (``flag_line``).

    ``told``: what each address was told before. ``raised``: what goes above the leads; ``backlog``: what does not.
    ``ids``: what was found of the lists of ids. ``closed``: it is the night of a closed day.
    """

    rulebook: Rulebook
    intake: Intake
    evaluated: Evaluation
    verdict: Verdict
    surges: Sequence[Surge]
    ids: IdLists
    told: Mapping[str, Told]
    raised: Sequence[Raised]
    backlog: Backlog
    lists_folder: str
    attach_lists: bool = False
    closed: ClosedDay | None = None
    secrets: tuple[SecretEnd, ...] = ()
    unreached: Mapping[str, dt.date] = field(default_factory=dict)
    """By address, since when nothing has arrived there."""
    run_id: int | None = None
    """The run that has been saved; None for a rehearsal."""

    def told_to(self, address: str) -> Told:
        return self.told.get(address, NOTHING_TOLD)


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
        lists_folder=str(config.lists.lists_folder) if config.lists.lists_folder else None,
        shelf=describe_shelf(config),
        flips=config.digests.flips,
        flip_nights=config.digests.flip_nights,
        full_list_from=latest(config.digests.full_list_day, as_at),
        summary_from=latest(config.escalation.summary_day, as_at),
        most_escalated=config.escalation.most_listed,
        answers_to=find_reader_of_answers(config),
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


def _write_each(desk: "Desk", no_lead: tuple[NoLead, ...], templates: Templates) -> Iterator[Posting]:
    """Write the messages one by one: the lines of an address are let go once its message is written."""
    night, basis = desk.night, desk.basis
    analyst = night.routes.analyst
    lines = _load_lines(desk.workspace, night)
    night = replace(
        night, handovers=_find_handovers(desk, lines), before=_find_before(desk, lines), list_rows=lines.list_rows
    )
    night = replace(night, seen=_find_seen(desk, lines))
    desk = replace(desk, night=night)
    drop_tables(desk.workspace, "outcome", "outcome_before")
    yield from _write_duty(desk, lines, templates)
    untold = {line.person_id for line in lines.by_address.pop(None, ()) if line.state in ("open", "held")}
    heads = _find_due_heads(desk)
    desk = replace(desk, managers=_find_due_managers(desk))
    if heads or desk.managers:
        desk = replace(desk, backlog=_find_backlog(desk))
    raised = {night.routes.escalate(flag.step, flag.line.team, flag.line.person_id)[0] for flag in basis.raised}
    written: Counter[str] = Counter()
    restricted = (night.routes.head,) if _find_restricted_fault(desk, heads) else ()
    wrong = {address for address, told in basis.told.items() if told.taken_back}
    desk = replace(desk, notes=find_cover_notes(night.routes, basis.told))
    addresses = (*lines.by_address, *heads, *desk.managers, *raised, *restricted, *wrong, *desk.notes)
    for address in sorted({each for each in addresses if each} - {analyst}):
        draft = _draft(desk, address, lines, heads)
        if draft.parts:
            written.update(_find_roles(night.routes, address, draft.parts))
            yield draft.finish(basis.told_to(address), templates)
        del draft
    draft, told = _draft(desk, analyst, lines, heads), basis.told_to(analyst)
    written.update(_find_roles(night.routes, analyst, draft.parts))
    account = replace(
        _account(desk.workspace, desk.store, night, basis),
        no_lead=no_lead, untold=len(untold), readers=Addressed(**written), lists=_find_list_faults(desk),
    )  # fmt: skip
    data_lines = _drop_unknown_ends(lines.data, told)
    night = replace(night, taken_back=told.taken_back)
    draft.add(compose_analyst(analyst, data_lines, told, night, account), lines=data_lines)
    yield draft.finish(told, templates)


def _write_duty(desk: "Desk", lines: "NightLines", templates: Templates) -> Iterator[Posting]:
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


PARTS = ("analyst", "head", "manager", "lead", "cover")
"""The order of the parts of one message."""
ROOM_OF_A_PART = 60
"""About how many lines of a phone another part of the same mail takes."""


def _place_part(part: Digest) -> tuple[bool, int]:
    """Return the sort key of a part: who is newly critical comes first, whatever else the reader is told."""
    is_urgent = isinstance(part, LeadDigest) and part.counts["critical"] > 0
    return not is_urgent, PARTS.index(part.kind)


@dataclass
class Draft:
    """What one address is to be told tonight, gathered before it is put into words."""

    parts: list[Digest] = field(default_factory=list)
    lines: list[FlagLine] = field(default_factory=list)
    coming: tuple[ComingDue, ...] = ()
    escalations: tuple[int, ...] = ()
    answerable: tuple[Answerable, ...] = ()
    attached: str | None = None
    listed: tuple[str, ...] = ()
    """Everyone in what is attached."""
    said: tuple[str, ...] = ()
    """What its parts say in passing, as ``holds`` has it."""

    def add(self, part: Digest, *, lines: Iterable[FlagLine] = ()) -> None:
        self.parts.append(part)
        self.lines += lines

    def finish(self, told: Told, templates: Templates) -> Posting:
        """Return the message, with what it makes an address newly know that was told ``told``."""
        message = render_together(sorted(self.parts, key=_place_part), templates)
        # Everyone in the list is looked at again before it goes, as are those whom the message names.
        people = tuple(dict.fromkeys((*message.people, *self.listed)))
        return Posting(
            replace(message, people=people, holds=(*message.holds, *self.said)),
            _find_new_to(told, self.lines, set(message.flag_ids)),
            coming=self.coming,
            attached=self.attached,
            escalations=self.escalations,
            answerable=self.answerable,
        )


def _find_new_to(told: Told, lines: Iterable[FlagLine], reported: set[int]) -> tuple[tuple[int, str, str], ...]:
    """Return the lines that a message reports and that differ from what its address was told."""
    news = []
    for line in lines:
        known = told.flags.get(line.flag_id)
        is_reported = line.flag_id in reported or (line.state == "resolved" and known is not None)
        if is_reported and (known is None or (known.severity, known.state) != (line.severity, line.state)):
            news.append((line.flag_id, line.severity, line.state))
    return tuple(news)


@dataclass(frozen=True)
class NightLines:
    """The night's lines and what comes due, by the address they go to (None: to nobody); the analyst's data flags.

    ``list_rows``: the row in its team's list of each flag of which a message says no more than of its cover.
    """

    by_address: dict[str | None, list[FlagLine]]
    coming: Mapping[str | None, Sequence[ComingDue]]
    data: Sequence[FlagLine]
    list_rows: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """Where the night's messages are written from.

    ``managers``: those to whom the weekly part about the backlog is due; ``backlog``: what it rests on.
    """

    workspace: Workspace
    store: Connection
    night: MessageContext
    basis: NightBasis
    managers: frozenset[str] = frozenset()
    backlog: BacklogFound = NO_BACKLOG_FOUND
    notes: Mapping[str, tuple[CoverNote, ...]] = field(default_factory=dict)


def _draft(desk: Desk, address: str, lines: NightLines, heads: Mapping[str, Sequence[str]]) -> Draft:
    """Draft all an address is told but the analyst's part; its lines are taken out of ``lines``."""
    draft = Draft()
    if taken_back := desk.basis.told_to(address).taken_back:
        desk = replace(desk, night=replace(desk.night, taken_back=taken_back))
    own = lines.by_address.pop(address, None)
    if own is not None:
        _draft_lead(desk, address, own, lines.coming.get(address, ()), draft)
    if address == desk.night.routes.head and (finding := _find_restricted_fault(desk, heads)):
        draft.add(RestrictedDigest(address, desk.night, finding))
    if address in heads:
        _draft_summary(desk, address, heads[address], draft)
    _draft_escalations(desk, address, draft)
    _draft_cover_notes(desk, address, draft)
    if taken_back and not draft.parts and address != desk.night.routes.analyst:
        draft.add(Notice(address, desk.night, "taken back"))
    return draft


def _draft_lead(desk: Desk, address: str, own: Sequence[FlagLine], coming: Iterable[ComingDue], draft: Draft) -> None:
    told = desk.basis.told_to(address)
    news, night = _drop_unknown_ends(own, told), desk.night
    if desk.basis.attach_lists:
        night = replace(night, list_rows=number_attached(own, night))
    digest = compose_lead(address, news, told, night, coming)
    if digest is None:
        return
    draft.add(digest, lines=_mark_flipping(news, digest.flipping, digest.quiet))
    draft.coming += digest.coming_told
    draft.answerable = _list_answerable(digest, own, desk.night)
    if desk.basis.attach_lists:
        draft.attached, draft.listed = write_attachment(desk.workspace, own, desk.night)


def _list_answerable(digest: LeadDigest, lines: Sequence[FlagLine], night: MessageContext) -> tuple[Answerable, ...]:
    numbers = {card.flag_id: card.number for card in (*digest.critical_cards, *digest.lost_cards)}
    return list_answerable(lines, numbers, night)


def _mark_flipping(lines: Iterable[FlagLine], flipping: frozenset[int], quiet: frozenset[int]) -> list[FlagLine]:
    """Return the lines as the address is taken to know them: without the quiet ones."""
    return [
        line._replace(state="flipping") if line.flag_id in flipping and line.state == "open" else line
        for line in lines
        if line.flag_id not in quiet
    ]


def _draft_cover_notes(desk: Desk, address: str, draft: Draft) -> None:
    """Add that a cover has begun or is over; a lead's part says itself for whom its reader reads."""
    notes = desk.notes.get(address, ())
    if any(part.kind == "lead" for part in draft.parts):
        draft.said = tuple(note.token for note in notes if note.is_reader_told)
        notes = tuple(note for note in notes if not note.is_reader_told)
    if notes:
        draft.add(CoverNotice(address, desk.night, notes))


def _draft_escalations(desk: Desk, address: str, draft: Draft) -> None:
    night, routes = desk.night, desk.night.routes
    backlog = None
    if address in desk.managers:
        headed = {fold(team) for team in routes.headed.get(address, ())}

        def is_managed(team: str | None) -> bool:
            return routes.escalate("manager", team, "")[0] == address and fold(team or "") not in headed

        backlog = compose_backlog(desk.backlog, night, is_managed)
    if not desk.basis.raised and backlog is None:
        return
    mail = MailSoFar(backlog, len(draft.parts) * ROOM_OF_A_PART, desk.basis.told_to(address).perhaps_had)
    digest = compose_manager(address, desk.basis.raised, night, mail)
    if digest is not None:
        draft.add(digest)
        draft.escalations += digest.told


def _find_due_managers(desk: Desk) -> frozenset[str]:
    """Return each manager who has had nothing of the backlog this week; the head of service has it in the summary."""
    night, basis = desk.night, desk.basis
    managers = {above.manager for above in night.routes.above.values() if above.manager} - {night.routes.head}
    return frozenset(each for each in managers if basis.told_to(each).is_due("backlog", night.summary_from))


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


def _draft_summary(desk: Desk, address: str, teams: Sequence[str], draft: Draft) -> None:
    night, told = desk.night, desk.basis.told_to(address)
    since = told.parts.get("summary") or night.as_at - dt.timedelta(7)
    week = gather(desk.workspace, desk.store, night.as_at, since, teams or None)
    all_teams = address == night.routes.head

    def is_headed(team: str | None) -> bool:
        return all_teams or fold(team or "") in {fold(each) for each in teams}

    backlog = compose_backlog(desk.backlog, night, is_headed, with_restricted=all_teams)
    draft.add(compose_head(address, teams, week, night, MailSoFar(backlog, perhaps_had=told.perhaps_had)))


def _find_restricted_fault(desk: Desk, heads: Collection[str]) -> ListFinding | None:
    """Return what the head of service is told of the restricted list: what is new of it, and weekly what is amiss."""
    finding, head = desk.basis.ids.restricted, desk.night.routes.head
    if finding is None or not finding.is_fault or head is None:
        return None
    return finding if head in heads or finding.token not in desk.basis.told_to(head).parts else None


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


def _drop_unknown_ends(lines: Sequence[FlagLine], told: Told) -> list[FlagLine]:
    """Return the lines without the resolved flags that this address never knew of, or knows to be resolved."""
    return [line for line in lines if line.state != "resolved" or not told.knows_resolved(line.flag_id)]


def _find_seen(desk: Desk, lines: "NightLines") -> frozenset[int]:
    """Find the serious flags whose beginning the monitor saw, where a weekly part is due that says since when."""
    night, told_to = desk.night, desk.basis.told_to
    due = any(told_to(each).is_due("full", night.full_list_from) for each in lines.by_address if each)
    is_first = night.previous_accepted_on is None
    return frozenset(find_seen(desk.store, night.as_at, SERIOUS)) if due and not is_first else frozenset()


def _find_handovers(desk: Desk, lines: "NightLines") -> dict[tuple[str, str], Handover]:
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


def _load_coming(workspace: Workspace, routes: Routes) -> dict[str | None, list[ComingDue]]:
    """Return what comes due within days and is not said in another's line, by the address that may be told."""
    fields = ", ".join(ComingDue.__dataclass_fields__)
    rows = workspace.execute(f"""
        SELECT {fields} FROM coming_due
        WHERE days_until <= {coming_due.SOON} AND severity <> 'data' AND NOT inside ORDER BY ALL
    """)
    found: dict[str | None, list[ComingDue]] = {}
    for due in (ComingDue(*row) for row in rows.fetchall()):
        found.setdefault(routes.address(due.team, due.person_id), []).append(due)
    return found


def _load_lines(workspace: Workspace, night: MessageContext) -> NightLines:
    """Load every line; restricted people's go to the head of service, or to nobody.

    Leads, and addresses to whom something comes due, are there without a line too.
    """
    coming = _load_coming(workspace, night.routes)
    not_a_spell = ", ".join(map(literal, (*life.NOT_A_SPELL, "handed on")))
    numbered = list_rows_sql("flag_list", "list_contains($alike, rule)", restricted_sql(night.routes.restricted))
    rows = workspace.execute(
        f"""
        SELECT {", ".join(LINE_FIELDS)}, CASE WHEN severity = 'data' THEN 0 ELSE
               count(*) FILTER (severity <> 'data' AND state <> 'quarantined' AND opened_on > $flips_from
                                AND coalesce(resolved_reason, '') NOT IN ({not_a_spell}))
                   OVER (PARTITION BY person_id, rule) END AS flips, list_row
        FROM flag_line LEFT JOIN ({numbered}) USING (flag_id)
        WHERE severity = 'data' OR state <> 'quarantined' ORDER BY person_id, rule
        """,
        {"flips_from": night.as_at - dt.timedelta(night.flip_nights), "alike": sorted(night.alike)},
    )
    unchecked = {night.routes.address(each.team, each.person_id) for each in night.unchecked}
    others = {*coming, *night.routes.names, *unchecked} - {None}
    by_address: dict[str | None, list[FlagLine]] = {address: [] for address in others}
    data = []
    known: dict[object, object] = {}
    list_rows: dict[int, int] = {}
    while chunk := rows.fetchmany(LINES_AT_ONCE):
        list_rows.update((row[0], row[-1]) for row in chunk if row[-1] and night.routes.knows(row[TEAM]))
        for line in make_lines(map(itemgetter(slice(-1)), chunk), known):
            if line.severity == "data":
                data.append(line)
            else:
                by_address.setdefault(night.routes.address(line.team, line.person_id), []).append(line)
    return NightLines(by_address, coming, data, list_rows)


LINES_AT_ONCE = 5_000
TEAM = FlagLine._fields.index("team")
SHARED = frozenset({
    "team", "personal_adviser", "eligibility", "rule", "severity", "state", "opened_on", "due_on", "because",
    "in_breach_since",
})  # fmt: skip
"""The words and dates of a line that thousands share. No number or yes or no is among them: 1 equals yes."""


def make_lines(rows: Iterable[tuple[object, ...]], known: dict[object, object]) -> Iterator[FlagLine]:
    """Make lines of rows, with one copy of each word and date, for which ``known`` is kept from rows to rows."""
    columns = zip(FlagLine._fields, zip(*rows, strict=True), strict=True)
    return map(
        FlagLine._make,
        zip(*(map(known.setdefault, column, column) if name in SHARED else column for name, column in columns),
            strict=True),
    )  # fmt: skip


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
    "opened": "SELECT rule AS what FROM flag_line WHERE change = 'opened'",
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
    lines = _load_lines(workspace, night)
    night = replace(night, list_rows=lines.list_rows)
    for address, known in sorted(told.items()):
        own = lines.by_address.get(address, [])
        news = _drop_unknown_ends(own, known)
        own_night = replace(night, list_rows=number_attached(own, night)) if attach_lists else night
        digest = compose_lead(address, news, known, replace(own_night, taken_back=known.taken_back))
        if digest is None:
            continue
        draft = Draft()
        draft.add(digest, lines=_mark_flipping(news, digest.flipping, digest.quiet))
        draft.answerable = _list_answerable(digest, own, night)
        if attach_lists:
            draft.attached, draft.listed = write_attachment(workspace, own, night)
        yield draft.finish(known, templates)
