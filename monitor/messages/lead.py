"""Decides what each team lead is told tonight: one digest per address, changes first, worst first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from monitor.flags.waivers import Ending, remind
from monitor.messages.news import NEWS, OPEN, Kind, PersonNews, Status, compare_person, gather_people
from monitor.messages.parts import ComingDue, FlagLine, MessageContext
from monitor.messages.routes import Cover, Routes, Unrouted
from monitor.messages.sections import LISTED, Rota, Section, list_rotas, list_section
from monitor.messages.told import Told
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


@dataclass(frozen=True)
class LeadNews:
    """Everything that may be news to one lead tonight. ``full``: the weekly list is due."""

    people: Sequence[PersonNews]
    ending: tuple[EndingLine, ...]
    answers: tuple[tuple[str, int], ...]
    coming: Sequence[ComingDue]
    baseline: bool
    full: bool

    @cached_property
    def by_kind(self) -> Mapping[Kind, Sequence[PersonNews]]:
        found: defaultdict[Kind, list[PersonNews]] = defaultdict(list)
        for person in self.people:
            if person.kind:
                found[person.kind].append(person)
        return found

    @cached_property
    def ended(self) -> Counter[str]:
        """Flags that ended otherwise than well, by how."""
        return Counter(reason for person in self.people for reason in person.ended)

    @cached_property
    def still_open(self) -> Sequence[PersonNews]:
        return [person for person in self.people if person.severity]

    @cached_property
    def quiet(self) -> frozenset[int]:
        return frozenset(flag_id for person in self.people for flag_id in person.quiet)

    @cached_property
    def counts(self) -> dict[str, int]:
        kinds: dict[str, int] = {kind: len(self.by_kind.get(kind, ())) for kind in NEWS}
        return kinds | {"ended": self.ended.total(), "coming": len(self.coming), "ending": len(self.ending)}

    @property
    def is_told(self) -> bool:
        return self.baseline or self.full or any(self.counts.values()) or bool(self.answers)

    def find_flags(self, status: Status) -> list[int]:
        """Return the open flags that are this to the address."""
        return [flag_id for person in self.people for flag_id, each in person.statuses.items() if each == status]


@dataclass(frozen=True)
class Listing:
    """What a lead's digest says by line or by id."""

    sections: tuple[Section, ...]
    coming: tuple[ComingLine, ...]
    ending: tuple[EndingLine, ...]
    critical: tuple[Glance, ...]
    rotas: tuple[Rota, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names, each once."""
        named = [
            *(line.person_id for section in self.sections for line in section.people),
            *_ids(section.pooled for section in self.sections),
            *(line.person_id for line in self.coming),
            *(line.person_id for line in self.ending),
            *_ids(glance.people for glance in self.critical),
            *_ids(people for rota in self.rotas for _, people in rota.named),
        ]
        return tuple(dict.fromkeys(named))


def _ids(groups: Iterable[Iterable[tuple[str, str | None]]]) -> Iterator[str]:
    return (person_id for group in groups for person_id, _ in group)


def compose_lead(
    recipient: str, lines: Iterable[FlagLine], told: Told, night: MessageContext, coming: Iterable[ComingDue] = ()
) -> LeadDigest | None:
    """Return what this address is told tonight, or None when it would be told nothing new.

    Lines that the routes send to another address, data flags and everything about someone who died tonight
    are left out, whoever asks. ``coming``: what comes due within days; what this address was told of is left out, and
    the baseline only counts the rest. The weekly list goes whether or not anything is new.
    """
    lines = tuple(lines)
    news = _find_news(recipient, lines, told, night, coming)
    if not news.is_told:
        return None
    teams = night.routes.teams_of(recipient)
    listing = _list_people(news, night, several_teams=len(teams) != 1)
    return LeadDigest(
        recipient=recipient,
        night=night,
        teams=teams,
        sections=listing.sections,
        counts=news.counts,
        open_people=len(news.still_open),
        open_by_severity=_count_by_severity(news.still_open),
        ended=dict(news.ended),
        waived=sum(len(person.waived) for person in news.people),
        no_lead=_count_without_lead(news.still_open, night.routes),
        restricted=sum(person.person_id in night.routes.restricted for person in news.still_open),
        told_on=told.lead_told_on,
        perhaps_had=told.perhaps_had,
        rules_changed=tuple(map(night.title, night.rules_changed)),
        failed=tuple(map(night.title, night.failed)),
        flag_ids=(*_find_reported(news), *_find_said_of_service(recipient, lines, night)),
        people=listing.people,
        critical=listing.critical,
        critical_people=_name_critical(news.still_open, night),
        coming=listing.coming,
        coming_told=tuple(news.coming),
        ending=news.ending,
        answers=news.answers,
        service=_sum_service(recipient, night) if news.baseline or news.full else (),
        covering=night.routes.covered_by(recipient),
        full=news.full,
        rotas=listing.rotas,
        unsettled=len(news.find_flags("unsettled")),
        flipping=frozenset((*news.find_flags("flipping"), *_find_still_flipping(lines, told, night))),
        quiet=news.quiet,
    )


def _find_news(
    recipient: str, lines: Iterable[FlagLine], told: Told, night: MessageContext, coming: Iterable[ComingDue]
) -> LeadNews:
    """Return what may be news, but for the rules that are said once of the service."""
    told_on = told.lead_told_on
    baseline = night.baseline and told_on is None
    about_people = (line for line in lines if line.rule not in night.service_wide)
    people = [
        compare_person(about, told, night, baseline=baseline)
        for about in gather_people(recipient, about_people, night.routes)
    ]
    return LeadNews(
        people=people,
        ending=_gather_ending(people, told_on, night),
        answers=_count_answers(people, told_on),
        coming=_gather_coming(recipient, coming, told, night),
        baseline=baseline,
        full=told.is_due("full", night.full_list_from),
    )


def _list_people(news: LeadNews, night: MessageContext, *, several_teams: bool) -> Listing:
    """Return the people by section, and everyone with something open once a week."""
    return Listing(
        sections=tuple(
            list_section(kind, news.by_kind[kind], night, several_teams=several_teams)
            for kind in NEWS
            if kind in news.by_kind
        ),
        coming=() if news.baseline else tuple(_coming_line(due, night) for due in news.coming[:LISTED]),
        ending=news.ending,
        critical=_glance(news.still_open, night),
        rotas=list_rotas(news.still_open, night) if news.full and not news.baseline else (),
    )


def _count_by_severity(people: Iterable[PersonNews]) -> dict[str, int]:
    counts = Counter(person.severity for person in people)
    return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}


def _name_critical(people: Iterable[PersonNews], night: MessageContext) -> tuple[tuple[str, str | None], ...]:
    ordered = sorted((person for person in people if person.severity == "critical"), key=lambda person: person.rank)
    return tuple((person.person_id, night.link(person.person_id)) for person in ordered)


def _find_still_flipping(lines: Iterable[FlagLine], told: Told, night: MessageContext) -> Iterator[int]:
    """Yield the flags that still keep opening and clearing, of which this address was told so."""
    for line in lines:
        flips = line.flips >= night.flips and line.rule not in night.service_wide
        if flips and told.says_flipping(line.flag_id):
            yield line.flag_id


def _find_reported(news: LeadNews) -> Iterator[int]:
    """Yield every open flag that the digest tells of, by line or by count."""
    return (flag_id for person in news.people for flag_id in person.statuses if flag_id not in news.quiet)


def _find_said_of_service(recipient: str, lines: Iterable[FlagLine], night: MessageContext) -> Iterator[int]:
    """Yield the open flags of rules that are said once of the service."""
    of_service = (line for line in lines if line.rule in night.service_wide)
    about = gather_people(recipient, of_service, night.routes)
    return (line.flag_id for of_person in about for line in of_person if line.state in OPEN)


def _glance(people: Iterable[PersonNews], night: MessageContext) -> tuple[Glance, ...]:
    """Every critical flag that stands, folded ones too, by what a message calls it; the commonest last."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for person in sorted(people, key=lambda each: each.person_id):
        lines = [line for line in person.open_lines if line.severity == "critical"]
        for title in dict.fromkeys(night.title(line.rule) for line in lines):
            found[title].append(person.person_id)
    ordered = sorted(found.items(), key=lambda entry: (len(entry[1]), entry[0] or ""))
    return tuple(Glance(title, tuple((each, night.link(each)) for each in ids)) for title, ids in ordered)


def _gather_coming(recipient: str, coming: Iterable[ComingDue], told: Told, night: MessageContext) -> list[ComingDue]:
    """Return what this address is newly told of, soonest first; a rule said once of the service is left out."""
    return sorted(
        (
            due
            for due in coming
            if due.rule not in night.service_wide
            and (due.person_id, due.rule, due.opens_on) not in told.coming
            and night.routes.address(due.team, due.person_id) == recipient
        ),
        key=lambda due: (due.opens_on, due.person_id, due.rule),
    )


def _coming_line(due: ComingDue, night: MessageContext) -> ComingLine:
    return ComingLine(
        due.person_id,
        night.link(due.person_id),
        one_line(due.personal_adviser) if due.personal_adviser else None,
        night.title(due.rule),
        None if due.on_birthday else due.opens_on,
        due.days_until,
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
        for line in (*person.open_lines, *person.waived):
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
