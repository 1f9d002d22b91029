"""Decides what each team lead is told tonight: one digest per address, changes first, worst first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from monitor.digests.messages import ComingDue, FlagLine, Night, RuleWords, Told, one_line, rank
from monitor.digests.routes import Routes, Unrouted
from monitor.rulebook.severity import SEVERITIES, WEIGHTS

BACK_WITHIN = timedelta(days=90)
LISTED = 20
"""People listed in a section beside the critical ones, who are always listed when they are news."""
STILL_OPEN_LISTED = 5
"""People without news whom a digest repeats; the rest are counted, so that every day's mail stays short."""

Status = Literal["new", "back", "held", "open"]
Kind = Literal["baseline", "new", "worse", "back", "held", "cleared", "open"]
NEWS: tuple[Kind, ...] = ("baseline", "new", "worse", "back", "held", "cleared")
BY_STATUS: Mapping[Status, Kind] = {"new": "new", "back": "back", "held": "held"}
OPEN = ("open", "held")
ENDED = ("no longer asked", "duty ended", "withdrawn")
"""Ways a flag ends that are not good news: counted, never listed as cleared."""


@dataclass(frozen=True)
class Inside:
    """A flag shown inside the line of the one that folds it."""

    title: str | None
    status: Status


@dataclass(frozen=True)
class Item:
    """One flag as a message shows it. A sensitive one is its title and due date only."""

    title: str | None
    severity: str
    status: Status
    sensitive: bool
    because: str | None
    action: str | None
    due_on: date | None
    days_over: int
    opened_on: date
    held_since: date | None
    held_why: str | None
    last_cleared_on: date | None
    inside: tuple[Inside, ...]
    unconfirmed: bool = False


@dataclass(frozen=True)
class PersonLine:
    """One young person: everything open about them, the most serious first, and what was cleared."""

    person_id: str
    link: str | None
    team: str | None
    adviser: str | None
    severity: str | None
    items: tuple[Item, ...]
    cleared: tuple[str | None, ...]


@dataclass(frozen=True)
class Section:
    """People in the same case: those listed, and how many there are."""

    kind: Kind
    people: tuple[PersonLine, ...]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.people)


@dataclass(frozen=True)
class Glance:
    """Everyone with one critical flag, so that nobody urgent is further down than the first screen."""

    title: str | None
    people: tuple[tuple[str, str | None], ...]
    """Each with a link, if there is one."""


@dataclass(frozen=True)
class ComingLine:
    """What will open for a young person within days if nothing changes; a sensitive rule by its e-mail title."""

    person_id: str
    link: str | None
    adviser: str | None
    title: str | None
    opens_on: date | None
    days_until: int


@dataclass(frozen=True)
class ServiceLine:
    """A rule so often in breach that it is said once of the team's records, and of nobody by name."""

    title: str | None
    breach: int
    assessed: int
    cannot_assess: int


@dataclass(frozen=True)
class NoLead:
    """People who came to the fallback address, by team, and why."""

    team: str | None
    why: Unrouted
    people: int


@dataclass(frozen=True)
class LeadDigest:
    """Everything one team lead is told tonight, counted and in order; the templates give it words."""

    recipient: str
    night: Night
    teams: tuple[str, ...]
    sections: tuple[Section, ...]
    counts: Mapping[str, int]
    open_people: int
    open_by_severity: Mapping[str, int]
    ended: Mapping[str, int]
    waived: int
    no_lead: tuple[NoLead, ...]
    restricted: int
    told_on: date | None
    perhaps_had: tuple[date, ...]
    rules_changed: tuple[str | None, ...]
    failed: tuple[str | None, ...]
    flag_ids: tuple[int, ...]
    people: tuple[str, ...]
    critical: tuple[Glance, ...] = ()
    coming: tuple[ComingLine, ...] = ()
    coming_told: tuple[ComingDue, ...] = ()
    """Everything coming due that it newly says, by line or by count."""
    service: tuple[ServiceLine, ...] = ()
    template: str = "lead"
    kind: str = "lead"


@dataclass(frozen=True)
class Memory:
    """What accepted digests have told an address: each flag and when, and how people stood in the last."""

    flags: Mapping[int, date]
    told_on: date | None
    severity: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one young person stands tonight towards one address."""

    person_id: str
    team: str | None
    adviser: str | None
    kind: Kind | None
    severity: str | None
    roots: Sequence[tuple[FlagLine, tuple[FlagLine, ...]]]
    statuses: Mapping[int, Status]
    cleared: Sequence[FlagLine]
    ended: Sequence[str]
    waived: int

    @property
    def rank(self) -> tuple[int, int, str]:
        weight = sum(WEIGHTS.get(line.severity, 0) for line, _ in self.roots)
        return (rank(self.severity), -weight, self.person_id)


def compose_lead(
    recipient: str,
    teams: Sequence[str],
    lines: Iterable[FlagLine],
    told: Iterable[Told],
    night: Night,
    *,
    last_digest: date | None = None,
    perhaps_had: Sequence[date] = (),
    coming: Sequence[ComingDue] = (),
) -> LeadDigest | None:
    """What this address is told tonight, or None when it would hear nothing new.

    Lines that the routes send to another address, data flags and everything about someone who died tonight
    are left out, whoever asks. ``told`` is what accepted digests have told this address; ``last_digest`` is
    when it had one, which may have reported nothing. ``perhaps_had``: messages that may not have arrived.
    ``coming``: what comes due within days and this address has not been told; the baseline only counts it.
    """
    lines = tuple(lines)
    aside = [line for line in lines if line.rule in night.service_wide]
    lines = tuple(line for line in lines if line.rule not in night.service_wide)
    coming = _gather_coming(recipient, coming, night)
    memory = remember(told)
    told_on = last_digest or memory.told_on
    baseline = night.baseline and told_on is None
    people = [_stand(about, memory, night, baseline=baseline) for about in _gather(recipient, lines, night.routes)]
    by_kind: defaultdict[Kind, list[Standing]] = defaultdict(list)
    for person in people:
        if person.kind:
            by_kind[person.kind].append(person)
    ended = Counter(reason for person in people for reason in person.ended)
    if not (baseline or ended or coming or any(by_kind.get(kind) for kind in NEWS)):
        return None

    sections = tuple(
        _section(kind, by_kind[kind], night, several_teams=len(teams) != 1)
        for kind in (*NEWS, "open")
        if kind in by_kind
    )
    still = [person for person in people if person.severity]
    by_severity = Counter(person.severity for person in still)
    restricted = sum(person.person_id in night.routes.restricted for person in still)
    coming_lines = () if baseline else tuple(_coming_line(each, night) for each in coming[:LISTED])
    named = [person.person_id for section in sections for person in section.people]
    named += [line.person_id for line in coming_lines]
    critical = _glance(still, night)
    named += [person_id for each in critical for person_id, _ in each.people]
    return LeadDigest(
        recipient=recipient,
        night=night,
        teams=tuple(teams),
        sections=sections,
        counts={kind: len(by_kind.get(kind, ())) for kind in (*NEWS, "open")}
        | {"ended": ended.total(), "coming": len(coming)},
        open_people=len(still),
        open_by_severity={each: by_severity[each] for each in SEVERITIES if by_severity[each]},
        ended=dict(ended),
        waived=sum(person.waived for person in people),
        no_lead=_count_without_lead(still, night.routes),
        restricted=restricted,
        told_on=told_on,
        perhaps_had=tuple(perhaps_had),
        rules_changed=tuple(night.title(rule) for rule in night.rules_changed),
        failed=tuple(night.title(rule) for rule in night.failed),
        flag_ids=(
            *(flag_id for person in people for flag_id in person.statuses),
            *(
                line.flag_id
                for about in _gather(recipient, aside, night.routes)
                for line in about
                if line.state in OPEN
            ),
        ),
        people=tuple(dict.fromkeys(named)),
        critical=critical,
        coming=coming_lines,
        coming_told=tuple(coming),
        service=_sum_service(recipient, night),
    )


def _glance(people: Iterable[Standing], night: Night) -> tuple[Glance, ...]:
    """Every critical flag that stands, folded ones too, by what a message calls it; the commonest last."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for person in sorted(people, key=lambda each: each.person_id):
        lines = [line for root, inside in person.roots for line in (root, *inside) if line.severity == "critical"]
        for title in dict.fromkeys(night.title(line.rule) for line in lines):
            found[title].append(person.person_id)
    ordered = sorted(found.items(), key=lambda entry: (len(entry[1]), entry[0] or ""))
    return tuple(Glance(title, tuple((each, night.link(each)) for each in ids)) for title, ids in ordered)


def _gather_coming(recipient: str, coming: Iterable[ComingDue], night: Night) -> list[ComingDue]:
    """What this address may be told of, soonest first; a rule it hears of once for the service is left out."""
    return sorted(
        (
            each
            for each in coming
            if each.rule not in night.service_wide and night.routes.address(each.team, each.person_id) == recipient
        ),
        key=lambda each: (each.opens_on, each.person_id, each.rule),
    )


def _coming_line(each: ComingDue, night: Night) -> ComingLine:
    return ComingLine(
        each.person_id,
        night.link(each.person_id),
        one_line(each.personal_adviser) if each.personal_adviser else None,
        night.title(each.rule),
        None if each.on_birthday else each.opens_on,
        each.days_until,
    )


def _sum_service(recipient: str, night: Night) -> tuple[ServiceLine, ...]:
    """Each rule that is said of the service, over the teams this address hears about."""
    found = []
    for rule, by_team in night.service_wide.items():
        ours = [figures for team, figures in by_team.items() if night.routes.address(team, "") == recipient]
        breach, unknown = sum(one.breach for one in ours), sum(one.cannot_assess for one in ours)
        if breach:
            assessed = sum(one.asked for one in ours) - unknown
            found.append(ServiceLine(night.title(rule), breach, assessed, unknown))
    return tuple(sorted(found, key=lambda line: (-line.breach, line.title or "")))


def remember(told: Iterable[Told]) -> Memory:
    """What an address knows from its digests; the analyst's data flags are not part of one."""
    earlier = [each for each in told if each.severity != "data"]
    flags: dict[int, date] = {}
    for each in earlier:
        flags[each.flag_id] = max(each.as_at, flags.get(each.flag_id, each.as_at))
    told_on = max(flags.values(), default=None)
    severity: dict[str, int] = {}
    for each in earlier:
        if each.as_at == told_on:
            worst = severity.get(each.person_id, len(SEVERITIES))
            severity[each.person_id] = min(rank(each.severity), worst)
    return Memory(flags, told_on, severity)


def _gather(recipient: str, lines: Iterable[FlagLine], routes: Routes) -> list[list[FlagLine]]:
    """The lines this address may be told, by young person; nothing of those who died tonight."""
    by_person: defaultdict[str, list[FlagLine]] = defaultdict(list)
    for line in lines:
        if line.severity != "data" and routes.address(line.team, line.person_id) == recipient:
            by_person[line.person_id].append(line)
    return [about for about in by_person.values() if all(line.resolved_reason != "died" for line in about)]


def _stand(about: Sequence[FlagLine], memory: Memory, night: Night, *, baseline: bool) -> Standing:
    current = [line for line in about if line.state in ("open", "held")]
    statuses: dict[int, Status] = {
        line.flag_id: "open" if baseline else _status(line, memory.flags.get(line.flag_id)) for line in current
    }
    others = [line for line in about if line.flag_id not in statuses]
    gone = [line for line in others if line.state == "resolved" and line.flag_id in memory.flags]
    rules_now = {line.rule for line in current} if gone else ()
    cleared = [line for line in gone if line.resolved_reason == "cleared" and line.rule not in rules_now]
    severity = min((line.severity for line in current), key=rank, default=None)
    person_id = about[0].person_id
    return Standing(
        person_id=person_id,
        team=about[0].team,
        adviser=about[0].personal_adviser,
        kind="baseline"
        if baseline and current
        else _kind(severity, statuses, memory.severity.get(person_id), cleared=bool(cleared)),
        severity=severity,
        roots=fold_flags(current, night.rules),
        statuses=statuses,
        cleared=cleared,
        ended=[line.resolved_reason for line in gone if line.resolved_reason in ENDED],
        waived=sum(line.state == "waived" for line in others),
    )


def _status(line: FlagLine, told_on: date | None) -> Status:
    """What this flag is to an address last told of it on ``told_on``."""
    if told_on is None:
        gap = line.opened_on - line.last_cleared_on if line.last_cleared_on else None
        return "back" if line.earlier_spells and gap is not None and gap <= BACK_WITHIN else "new"
    if line.state == "held" and line.held_since is not None and line.held_since > told_on:
        return "held"
    return "open"


def _kind(
    severity: str | None, statuses: Mapping[int, Status], worst_then: int | None, *, cleared: bool
) -> Kind | None:
    """The one section a young person is shown in, if any.

    Someone in the last digest who has become more serious is *worse* although what made them so is a new
    flag: that is the change a lead must see.
    """
    if severity is not None and worst_then is not None and rank(severity) < worst_then:
        return "worse"
    for status, kind in BY_STATUS.items():
        if status in statuses.values():
            return kind
    if cleared:
        return "cleared"
    return "open" if statuses else None


def _count_without_lead(people: Iterable[Standing], routes: Routes) -> tuple[NoLead, ...]:
    counts: Counter[tuple[str, Unrouted]] = Counter()
    for person in people:
        why = routes.unrouted(person.team)
        if why and person.person_id not in routes.restricted:
            counts[one_line(person.team or ""), why] += 1
    return tuple(NoLead(team or None, why, number) for (team, why), number in sorted(counts.items()))


def _section(kind: Kind, people: Iterable[Standing], night: Night, *, several_teams: bool) -> Section:
    """The people to list: when they are news, every critical one and up to 20 more; else the first few."""
    ordered = sorted(people, key=lambda person: person.rank)
    critical = sum(person.severity == "critical" for person in ordered)
    listed = ordered[: STILL_OPEN_LISTED if kind == "open" else critical + LISTED]
    return Section(kind, tuple(_line(person, night, several_teams) for person in listed), len(ordered))


def _line(person: Standing, night: Night, several_teams: bool) -> PersonLine:
    show_team = several_teams or night.routes.unrouted(person.team) is not None
    return PersonLine(
        person_id=person.person_id,
        link=night.link(person.person_id),
        team=one_line(person.team) if show_team and person.team else None,
        adviser=one_line(person.adviser) if person.adviser else None,
        severity=person.severity,
        items=tuple(_item(line, inside, person.statuses, night) for line, inside in person.roots),
        cleared=tuple(night.title(line.rule) for line in person.cleared),
    )


def _item(line: FlagLine, inside: Sequence[FlagLine], statuses: Mapping[int, Status], night: Night) -> Item:
    rule = night.rules.get(line.rule)
    told_all = rule is not None and not rule.sensitive
    over = (night.as_at - line.due_on).days if line.due_on else 0
    return Item(
        title=night.title(line.rule),
        severity=line.severity,
        status=statuses[line.flag_id],
        sensitive=not told_all,
        because=one_line(line.because) if told_all else None,
        action=one_line(rule.action) if rule and told_all else None,
        due_on=line.due_on,
        days_over=max(over, 0),
        opened_on=line.opened_on,
        held_since=line.held_since if line.state == "held" else None,
        held_why=one_line(line.held_why) if line.state == "held" and line.held_why and told_all else None,
        last_cleared_on=line.last_cleared_on,
        inside=tuple(Inside(night.title(each.rule), statuses[each.flag_id]) for each in inside),
        unconfirmed=line.unconfirmed and statuses[line.flag_id] != "open",
    )


def fold_flags(
    current: Sequence[FlagLine], rules: Mapping[str, RuleWords]
) -> list[tuple[FlagLine, tuple[FlagLine, ...]]]:
    """One person's open flags, most serious first, each with the flags shown inside it.

    No flag is ever lost: of rules that fold each other, the most serious stays outside.
    """
    if len(current) == 1:
        return [(current[0], ())]
    ordered = sorted(current, key=lambda line: (rank(line.severity), line.due_on or date.max, line.rule))
    folds = {line.rule: rules[line.rule].folds if line.rule in rules else () for line in ordered}

    def root_of(line: FlagLine) -> FlagLine:
        passed = {line.rule}
        while True:
            parent = next((each for each in ordered if line.rule in folds[each.rule]), None)
            if parent is None or parent.rule == line.rule:
                return line
            if parent.rule in passed:
                return min((each for each in ordered if each.rule in passed), key=ordered.index)
            passed.add(parent.rule)
            line = parent

    inside: dict[int, list[FlagLine]] = {}
    for line in ordered:
        root = root_of(line)
        within = inside.setdefault(root.flag_id, [])
        if root is not line:
            within.append(line)
    return [(line, tuple(inside[line.flag_id])) for line in ordered if line.flag_id in inside]
