"""Decides what each team lead is told tonight: one digest per address, changes first, worst first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.flags.waivers import Ending, remind
from monitor.messages.news import NEWS, OPEN, Kind, PersonNews, gather, remember, stand
from monitor.messages.parts import ComingDue, FlagLine, MessageContext, Told
from monitor.messages.routes import Cover, Routes, Unrouted
from monitor.messages.sections import LISTED, Rota, Section, rotas, section
from monitor.rulebook.severity import SEVERITIES
from monitor.words import one_line

CRITICAL_NAMED = 6
"""Young people with a critical flag whom every digest names again; the baseline and the weekly list name them all."""


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
class EndingLine:
    """A waiver that ends within days: after that the flag is news again, if it still stands."""

    person_id: str
    link: str | None
    adviser: str | None
    title: str | None
    until_on: date
    within: Ending


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
    """Everything one team lead is told tonight, counted and in order; the templates give it words.

    ``full``: the weekly whole list is part of it (``rotas``). ``unsettled``: flags that keep opening and clearing, of
    which this address has heard; ``quiet``: flags whose state tonight it is not to be taken to know.
    """

    recipient: str
    night: MessageContext
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
    critical_people: tuple[tuple[str, str | None], ...] = ()
    """Everyone with a critical flag, the highest priority first, each with a link if there is one."""
    coming: tuple[ComingLine, ...] = ()
    coming_told: tuple[ComingDue, ...] = ()
    """Everything coming due that it newly says, by line or by count."""
    ending: tuple[EndingLine, ...] = ()
    answers: tuple[tuple[str, int], ...] = ()
    service: tuple[ServiceLine, ...] = ()
    covering: tuple[Cover, ...] = ()
    full: bool = False
    rotas: tuple[Rota, ...] = ()
    unsettled: int = 0
    flipping: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()
    template: str = "lead"
    kind: str = "lead"

    @property
    def holds(self) -> tuple[str, ...]:
        return ("lead", "full") if self.full or self.counts["baseline"] else ("lead",)

    @property
    def critical_named(self) -> int:
        """How many of them a day's digest names: all once a week, when the whole list does so anyway."""
        return CRITICAL_NAMED

    @property
    def has_news(self) -> bool:
        return any(self.counts.values()) or bool(self.answers)


def compose_lead(
    recipient: str,
    teams: Sequence[str],
    lines: Iterable[FlagLine],
    told: Iterable[Told],
    night: MessageContext,
    *,
    last_digest: date | None = None,
    perhaps_had: Sequence[date] = (),
    coming: Sequence[ComingDue] = (),
    full: bool = False,
) -> LeadDigest | None:
    """What this address is told tonight, or None when it would hear nothing new.

    Lines that the routes send to another address, data flags and everything about someone who died tonight
    are left out, whoever asks. ``told`` is what accepted digests have told this address; ``last_digest`` is
    when it had one, which may have reported nothing. ``perhaps_had``: messages that may not have arrived.
    ``coming``: what comes due within days and this address has not been told; the baseline only counts it.
    ``full``: the weekly list is due, which goes whether or not anything is new.
    """
    lines = tuple(lines)
    aside = [line for line in lines if line.rule in night.service_wide]
    lines = tuple(line for line in lines if line.rule not in night.service_wide)
    coming = _gather_coming(recipient, coming, night)
    memory = remember(told)
    told_on = last_digest or memory.told_on
    baseline = night.baseline and told_on is None
    people = [stand(about, memory, night, baseline=baseline) for about in gather(recipient, lines, night.routes)]
    by_kind: defaultdict[Kind, list[PersonNews]] = defaultdict(list)
    for person in people:
        if person.kind:
            by_kind[person.kind].append(person)
    ended = Counter(reason for person in people for reason in person.ended)
    ending = _gather_ending(people, told_on, night)
    answers = _count_answers(people, told_on)
    news = ended or coming or ending or answers or any(by_kind.get(kind) for kind in NEWS)
    if not (baseline or full or news):
        return None

    several = len(teams) != 1
    sections = tuple(section(kind, by_kind[kind], night, several_teams=several) for kind in NEWS if kind in by_kind)
    still = [person for person in people if person.severity]
    by_severity = Counter(person.severity for person in still)
    coming_lines = () if baseline else tuple(_coming_line(each, night) for each in coming[:LISTED])
    critical = _glance(still, night)
    rota = rotas(still, night) if full and not baseline else ()
    named = [person.person_id for each in sections for person in each.people]
    named += [person_id for each in sections for person_id, _ in each.pooled]
    named += [line.person_id for line in coming_lines] + [line.person_id for line in ending]
    named += [person_id for each in critical for person_id, _ in each.people]
    named += [person_id for each in rota for _, ids in each.named for person_id, _ in ids]
    quiet = frozenset(flag_id for person in people for flag_id in person.quiet)
    flipping = {flag_id for person in people for flag_id, status in person.statuses.items() if status == "flipping"}
    flipping |= {line.flag_id for line in lines if line.flag_id in memory.flipping and line.flips >= night.flips}
    reported = [flag_id for person in people for flag_id in person.statuses if flag_id not in quiet]
    reported += [
        line.flag_id for about in gather(recipient, aside, night.routes) for line in about if line.state in OPEN
    ]
    return LeadDigest(
        recipient=recipient,
        night=night,
        teams=tuple(teams),
        sections=sections,
        counts={kind: len(by_kind.get(kind, ())) for kind in NEWS}
        | {"ended": ended.total(), "coming": len(coming), "ending": len(ending)},
        open_people=len(still),
        open_by_severity={each: by_severity[each] for each in SEVERITIES if by_severity[each]},
        ended=dict(ended),
        waived=sum(len(person.waived) for person in people),
        no_lead=_count_without_lead(still, night.routes),
        restricted=sum(person.person_id in night.routes.restricted for person in still),
        told_on=told_on,
        perhaps_had=tuple(perhaps_had),
        rules_changed=tuple(night.title(rule) for rule in night.rules_changed),
        failed=tuple(night.title(rule) for rule in night.failed),
        flag_ids=tuple(reported),
        people=tuple(dict.fromkeys(named)),
        critical=critical,
        critical_people=tuple(
            (person.person_id, night.link(person.person_id))
            for person in sorted(still, key=lambda each: each.rank)
            if person.severity == "critical"
        ),
        coming=coming_lines,
        coming_told=tuple(coming),
        ending=ending,
        answers=answers,
        service=_sum_service(recipient, night) if baseline or full else (),
        covering=night.routes.covered_by(recipient),
        full=full,
        rotas=rota,
        unsettled=sum(status == "unsettled" for person in people for status in person.statuses.values()),
        flipping=frozenset(flipping),
        quiet=quiet,
    )


def _glance(people: Iterable[PersonNews], night: MessageContext) -> tuple[Glance, ...]:
    """Every critical flag that stands, folded ones too, by what a message calls it; the commonest last."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for person in sorted(people, key=lambda each: each.person_id):
        lines = [line for line, _ in person.each() if line.severity == "critical"]
        for title in dict.fromkeys(night.title(line.rule) for line in lines):
            found[title].append(person.person_id)
    ordered = sorted(found.items(), key=lambda entry: (len(entry[1]), entry[0] or ""))
    return tuple(Glance(title, tuple((each, night.link(each)) for each in ids)) for title, ids in ordered)


def _gather_coming(recipient: str, coming: Iterable[ComingDue], night: MessageContext) -> list[ComingDue]:
    """What this address may be told of, soonest first; a rule it hears of once for the service is left out."""
    return sorted(
        (
            each
            for each in coming
            if each.rule not in night.service_wide and night.routes.address(each.team, each.person_id) == recipient
        ),
        key=lambda each: (each.opens_on, each.person_id, each.rule),
    )


def _coming_line(each: ComingDue, night: MessageContext) -> ComingLine:
    return ComingLine(
        each.person_id,
        night.link(each.person_id),
        one_line(each.personal_adviser) if each.personal_adviser else None,
        night.title(each.rule),
        None if each.on_birthday else each.opens_on,
        each.days_until,
    )


def _gather_ending(people: Iterable[PersonNews], told_on: date | None, night: MessageContext) -> tuple[EndingLine, ...]:
    """The waivers whose end this address is to be reminded of tonight, the first to end first."""
    found = []
    for person in people:
        for line in person.waived:
            if line.waived_until is None or line.waived_on is None:
                continue
            within = remind(until_on=line.waived_until, waived_on=line.waived_on, as_at=night.as_at, told_on=told_on)
            if within is not None:
                adviser = one_line(line.personal_adviser) if line.personal_adviser else None
                title, link = night.title(line.rule), night.link(line.person_id)
                found.append(EndingLine(line.person_id, link, adviser, title, line.waived_until, within))
    return tuple(sorted(found, key=lambda each: (each.until_on, each.person_id)))


def _count_answers(people: Iterable[PersonNews], told_on: date | None) -> tuple[tuple[str, int], ...]:
    """The answers that have come in since the last digest about flags that still stand, by what they say."""
    found: Counter[str] = Counter()
    for person in people:
        for line in (*(line for line, _ in person.each()), *person.waived):
            if line.answer and line.answer_noticed_on and (told_on is None or line.answer_noticed_on > told_on):
                found[line.answer] += 1
    return tuple(found.most_common())


def _sum_service(recipient: str, night: MessageContext) -> tuple[ServiceLine, ...]:
    """Each rule that is said of the service, over the teams this address hears about."""
    found = []
    for rule, by_team in night.service_wide.items():
        ours = [figures for team, figures in by_team.items() if night.routes.address(team, "") == recipient]
        breach, unknown = sum(one.breach for one in ours), sum(one.cannot_assess for one in ours)
        if breach:
            assessed = sum(one.asked for one in ours) - unknown
            found.append(ServiceLine(night.title(rule), breach, assessed, unknown))
    return tuple(sorted(found, key=lambda line: (-line.breach, line.title or "")))


def _count_without_lead(people: Iterable[PersonNews], routes: Routes) -> tuple[NoLead, ...]:
    counts: Counter[tuple[str, Unrouted]] = Counter()
    for person in people:
        why = routes.unrouted(person.team)
        if why and person.person_id not in routes.restricted:
            counts[one_line(person.team or ""), why] += 1
    return tuple(NoLead(team or None, why, number) for (team, why), number in sorted(counts.items()))
