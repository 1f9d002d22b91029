"""Decides what each team lead is told tonight: one digest per address, whoever is newly critical first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Protocol

from monitor.messages.cards import (
    AdviserTally,
    Card,
    CriticalPerson,
    Link,
    NewsLine,
    count_advisers,
    list_by_reason,
    tally_advisers,
    write_card,
    write_line,
)
from monitor.messages.faults import Fault, UnreadCells, find_faults, find_unread
from monitor.messages.first_mail import BaselinePart, compose_baseline
from monitor.messages.flag_item import Status
from monitor.messages.handed_on import HandedOn, describe_handed_on
from monitor.messages.list_place import ListPlace, find_lists
from monitor.messages.monday import WeeklyPart, compose_weekly
from monitor.messages.news import LOST, OPEN, Kind, PersonNews, compare_person, gather_people
from monitor.messages.parts import ComingDue, FlagLine, MessageContext
from monitor.messages.room import PHONE_LINES, TITLE, Wish, count_lines, share_room
from monitor.messages.routes import Cover, Routes, Unrouted
from monitor.messages.sections import find_first
from monitor.messages.shown import shown_id
from monitor.messages.soon import ComingLine, EndingLine, gather_coming, gather_ending, write_coming
from monitor.messages.told import Told
from monitor.rulebook.severity import SEVERITIES
from monitor.words import one_line

SHARES: Mapping[str, tuple[int, int]] = {
    "critical": (2, 6), "lost": (0, 4), "new": (1, 12), "changed": (1, 12), "ending": (1, 12), "advisers": (4, 26),
    "coming": (0, 8),
}  # fmt: skip
"""What is told one by one, the most serious first: how many of each have a card or a line however much there is, and
how many at most. A newly critical person without a card is named with the reason; of the others whose checks changed,
or whose waiver ends, an id says enough. The rest are counted."""
CRITICAL_NAMED = 25
"""Newly critical young people named in one digest, on a card or by id; the rest are counted by adviser."""
FRAME = 18
"""Lines of a phone for what every mail has: how it opens, where the list is, how to answer, the foot."""
ID_LENGTH = 12
"""Characters of an id in a list of ids; with the name of an adviser it takes two of them."""
UNCHECKED_NAMED = 12
"""Young people without a date of birth whom a digest names; the rest it counts."""


@dataclass(frozen=True)
class CriticalReason:
    """Everyone with one critical flag as their worst: how many, who has had it the longest, and for how many days."""

    title: str | None
    people: int
    longest: Link
    days: int


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
class UncheckedPeople:
    """Young people who cannot be checked for want of a date of birth; the first of them, each with a link if any."""

    total: int
    is_unreadable: bool
    people: tuple[tuple[str, str | None], ...]


class Sized(Protocol):
    """What takes so many lines of a phone."""

    @property
    def phone_lines(self) -> int: ...


@dataclass(frozen=True)
class LeadDigest:
    """Everything one team lead is told tonight, counted and in order; the templates give it words.

    ``everyone``: what is news about each young person; ``lines``: the flags that rests on. ``coming_told``: everything
    coming due that it newly says, by line or by count. ``full``: the weekly part is due (``weekly``). ``room``: lines
    of a phone that it may take.
    """

    recipient: str
    night: MessageContext
    told: Told
    everyone: Sequence[PersonNews]
    lines: Sequence[FlagLine]
    coming_told: tuple[ComingDue, ...]
    baseline: bool
    full: bool
    room: int = PHONE_LINES
    template: str = "lead"
    kind: str = "lead"

    @property
    def holds(self) -> tuple[str, ...]:
        return ("lead", "full") if self.full or self.counts["baseline"] else ("lead",)

    @property
    def has_news(self) -> bool:
        return any(self.counts.values()) or bool(self.answers or self.night.taken_back)

    @property
    def can_answer(self) -> bool:
        """Whether somebody reads what this address answers; a head of service answers nobody by e-mail."""
        routes = self.night.routes
        is_head = self.recipient == routes.head or self.recipient in routes.headed
        return self.night.answers_to is not None and not is_head

    @property
    def has_replies(self) -> bool:
        return any(card.replies for card in (*self.critical_cards, *self.lost_cards))

    @property
    def first_card(self) -> int:
        """The number of the first card; the cards of one mail of several councils are numbered apart."""
        return self.night.cards_after.get(self.recipient, 0) + 1

    @property
    def teams(self) -> tuple[str, ...]:
        return self.night.routes.teams_of(self.recipient)

    @property
    def lists(self) -> ListPlace | None:
        """Where the lists of its young people are; restricted people are in none of them."""
        teams = [*self.teams, *(each.team for each in self.no_lead)]
        return find_lists(self.night, teams) if teams else None

    @property
    def covering(self) -> tuple[Cover, ...]:
        return self.night.routes.covered_by(self.recipient)

    @property
    def told_on(self) -> date | None:
        return self.told.lead_told_on

    @property
    def perhaps_had(self) -> tuple[date, ...]:
        return self.told.perhaps_had

    @property
    def rules_changed(self) -> tuple[str | None, ...]:
        return tuple(map(self.night.title, self.night.rules_changed))

    @property
    def failed(self) -> tuple[str | None, ...]:
        return tuple(map(self.night.title, self.night.failed))

    @cached_property
    def by_kind(self) -> Mapping[Kind, Sequence[PersonNews]]:
        found: defaultdict[Kind, list[PersonNews]] = defaultdict(list)
        for person in self.everyone:
            if person.kind:
                found[person.kind].append(person)
        return found

    def _of(self, kind: Kind) -> Sequence[PersonNews]:
        return self.by_kind.get(kind, ())

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many young people each part is about: flags, where they ended or come due."""
        kinds: tuple[Kind, ...] = ("baseline", "critical", "lost", "new")
        return {kind: len(self._of(kind)) for kind in kinds} | {
            "put_right": len(self.put_right),
            "faults": sum(fault.is_new for fault in self.faults),
            "unread": sum(cells.people for cells in self.unread),
            "handed_on": len(self._handed_on),
            "ended": sum(self.ended.values()),
            "coming": len(self.coming_told),
            "ending": len(self._ending),
        }

    @property
    def new(self) -> int:
        """People of whom something is news, and who are not newly critical."""
        return self.counts["lost"] + self.counts["new"]

    @cached_property
    def _critical_in_order(self) -> Sequence[PersonNews]:
        return find_first(self._of("critical"), CRITICAL_NAMED)

    @cached_property
    def _critical_candidates(self) -> Sequence[Card]:
        first = self._critical_in_order[: SHARES["critical"][1]]
        return [write_card(person, "critical", n, self.night) for n, person in enumerate(first, start=self.first_card)]

    @cached_property
    def _lost_in_order(self) -> Sequence[PersonNews]:
        return find_first(self._of("lost"), SHARES["lost"][1] + SHARES["new"][1])

    @cached_property
    def _lost_candidates(self) -> Sequence[Card]:
        return [write_card(person, "lost", 0, self.night) for person in self._lost_in_order[: SHARES["lost"][1]]]

    @cached_property
    def critical_cards(self) -> tuple[Card, ...]:
        """Who is newly critical: the first have a card each."""
        return tuple(self._critical_candidates[: self._shares["critical"]])

    @cached_property
    def critical_others(self) -> tuple[tuple[str | None, tuple[CriticalPerson, ...]], ...]:
        """Who else is newly critical, by why."""
        return list_by_reason(self._critical_in_order[len(self.critical_cards) :], self.night)

    @cached_property
    def critical_unnamed(self) -> tuple[tuple[str | None, int], ...]:
        """How many more are newly critical, by adviser."""
        named = {person.person_id for person in self._critical_in_order}
        return count_advisers(person for person in self._of("critical") if person.person_id not in named)

    @cached_property
    def lost_cards(self) -> tuple[Card, ...]:
        first = self._lost_candidates[: self._shares["lost"]]
        start = self.first_card + len(self.critical_cards)
        return tuple(replace(card, number=n) for n, card in enumerate(first, start=start))

    @cached_property
    def also_new(self) -> tuple[NewsLine, ...]:
        """The rest of what is new, in one line each: those out of touch first, then the highest priority."""
        return tuple(self._write_new(len(self.lost_cards))[: self._shares["new"]])

    def _write_new(self, cards: int) -> Sequence[NewsLine]:
        """Return the lines of the first who have none of the first cards of those out of touch."""
        new = sorted(find_first(self._of("new"), len(self._of("new"))), key=lambda person: not self._is_lost(person))
        people = (*self._lost_in_order[cards:], *new)[: SHARES["new"][1]]
        return [write_line(person, self.night) for person in people]

    def _is_lost(self, person: PersonNews) -> bool:
        return any(shown_id(self.night.rules, line.rule) in LOST for line in person.news)

    @property
    def also_more(self) -> int:
        """How many more have something new than have a line."""
        return self.new - len(self.lost_cards) - len(self.also_new)

    @cached_property
    def advisers(self) -> Mapping[str, AdviserTally]:
        """How many of each kind each adviser has."""
        kinds: tuple[Kind, ...] = ("critical", "lost", "new")
        return {kind: tally_advisers(self._of(kind)) for kind in kinds}

    @cached_property
    def put_right(self) -> Sequence[PersonNews]:
        """Everyone about whom something was put right, whatever else is said of them."""
        return [person for person in self.everyone if person.cleared]

    @cached_property
    def no_longer_critical(self) -> tuple[Link, ...]:
        return tuple(
            (person.person_id, self.night.link(person.person_id))
            for person in sorted(self.put_right, key=lambda each: each.person_id)
            if person.no_longer_critical
        )

    @cached_property
    def still_critical(self) -> Sequence[PersonNews]:
        """Everyone critical who is not newly so."""
        return [person for person in self.still_open if person.severity == "critical" and person.kind != "critical"]

    @property
    def still(self) -> int:
        return len(self.still_critical)

    @property
    def still_without_adviser(self) -> int:
        return sum(person.adviser is None for person in self.still_critical)

    @cached_property
    def still_reasons(self) -> tuple[CriticalReason, ...]:
        return _find_reasons(self.still_critical, self.night)

    @cached_property
    def still_open(self) -> Sequence[PersonNews]:
        """Everyone with something open or held."""
        return [person for person in self.everyone if person.severity]

    @property
    def open_people(self) -> int:
        return len(self.still_open)

    @cached_property
    def held_flags(self) -> int:
        """How many flags of ``still_open`` are held: they count as open here, and the mail says so."""
        return sum(line.state == "held" for person in self.still_open for line in person.current)

    @cached_property
    def open_by_severity(self) -> Mapping[str, int]:
        counts = Counter(person.severity for person in self.still_open)
        return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}

    @cached_property
    def ended(self) -> Mapping[str, int]:
        """Flags that ended otherwise than well, by how."""
        return dict(Counter(reason for person in self.everyone for reason in person.ended))

    @cached_property
    def _handed_on(self) -> tuple[HandedOn, ...]:
        """Everyone of whom something else is asked since a birthday, or since no adviser is named."""
        concerned = sorted((person for person in self.everyone if person.handed_on), key=lambda each: each.rank)
        return tuple(
            describe_handed_on(person.handed_on, (*person.current, *person.waived), self.night) for person in concerned
        )

    @property
    def handed_on(self) -> tuple[HandedOn, ...]:
        """The first of them, each in a line."""
        return self._handed_on[: self._shares["changed"]]

    @property
    def handed_on_others(self) -> tuple[Link, ...]:
        """The others."""
        return tuple((each.person_id, each.link) for each in self._handed_on[len(self.handed_on) :])

    @cached_property
    def waived(self) -> int:
        return sum(len(person.waived) for person in self.everyone)

    @cached_property
    def no_lead(self) -> tuple[NoLead, ...]:
        return _count_without_lead(self.still_open, self.night.routes)

    @cached_property
    def restricted(self) -> int:
        return sum(person.person_id in self.night.routes.restricted for person in self.still_open)

    @cached_property
    def _coming(self) -> Sequence[ComingLine]:
        """What comes due first, by line; the baseline only counts it."""
        first = () if self.baseline else self.coming_told[: SHARES["coming"][1]]
        return [write_coming(due, self.night) for due in first]

    @property
    def coming(self) -> tuple[ComingLine, ...]:
        return tuple(self._coming[: self._shares["coming"]])

    @cached_property
    def _ending(self) -> tuple[EndingLine, ...]:
        return gather_ending(self.everyone, self.told_on, self.night)

    @property
    def ending(self) -> tuple[EndingLine, ...]:
        """The waivers that end first, each in a line."""
        return self._ending[: self._shares["ending"]]

    @property
    def ending_others(self) -> tuple[Link, ...]:
        """Whose waivers end too."""
        found = dict.fromkeys((each.person_id, each.link) for each in self._ending[len(self.ending) :])
        return tuple(found)

    @cached_property
    def answers(self) -> tuple[tuple[str, int], ...]:
        return _count_answers(self.everyone, self.told_on)

    @cached_property
    def service(self) -> tuple[ServiceLine, ...]:
        return _sum_service(self.recipient, self.night) if self.baseline or self.full else ()

    @cached_property
    def _week(self) -> WeeklyPart | None:
        if not self.full or self.baseline:
            return None
        return compose_weekly(self.still_open, self.night, {person.person_id for person in self._of("critical")})

    @cached_property
    def weekly(self) -> WeeklyPart | None:
        """How the team stands, once a week; of whoever is newly critical the day's news tells."""
        return self._week and self._week.within(self._shares["advisers"])

    @cached_property
    def _wishes(self) -> Mapping[str, Wish]:
        """What is told one by one, in the order of ``SHARES``."""
        entries: Mapping[str, Sequence[Sized]] = {
            "critical": self._critical_candidates,
            "lost": self._lost_candidates,
            "new": self._write_new(SHARES["lost"][0]),
            "changed": self._handed_on,
            "ending": self._ending,
            "advisers": self._week.advisers if self._week else (),
            "coming": self._coming,
        }
        cards = ("critical", "lost")
        return {
            name: Wish([each.phone_lines for each in entries[name][:most]], least, 0 if name in cards else TITLE)
            for name, (least, most) in SHARES.items()
        }

    @cached_property
    def _shares(self) -> Mapping[str, int]:
        return share_room(self.room - self._other_lines, self._wishes)

    @cached_property
    def _other_lines(self) -> int:
        """Count about how many lines of a phone everything takes that is said however little room there is."""
        ids = 2 * len(self._critical_in_order[SHARES["critical"][0] :]) + len(self.no_longer_critical)
        sentences = (
            *self.faults, *self.unread, *self.ended, *self.unchecked, *self.perhaps_had, *self.covering,
            *self.rules_changed, *self.night.rules_withdrawn, *self.night.adjustments, *self.night.taken_back,
        )  # fmt: skip
        short = (*self.service, *self.no_lead)
        titles = sum(map(bool, (ids, self.put_right, self.still, self.unchecked, self.service, self.no_lead)))
        still = 0 if self.full else 2 * len(self.still_reasons)
        week = self._week.phone_lines if self._week else 0
        return (
            FRAME + TITLE * titles + count_lines(ID_LENGTH * ids) + 3 * len(sentences) + 2 * len(short) + still + week
        )

    def within(self, room: int) -> "LeadDigest":
        """Return the same in so many lines of a phone."""
        return self if room == self.room else replace(self, room=room)

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        told = sum(wish.count_lines(self._shares[name]) for name, wish in self._wishes.items())
        return max(told + self._other_lines, PHONE_LINES if self.start else 0)

    @cached_property
    def start(self) -> BaselinePart | None:
        """How the team stands on the first night."""
        if not self.baseline or not self.still_open:
            return None
        return compose_baseline(self.still_open, self.night)

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """What waits because of the data, by cause; what lasts is told when it is new, and weekly."""
        found = find_faults(self._held, self.recipient, self.told_on, self.night)
        return tuple(each for each in found if each.is_tonight or each.is_new or self.full)

    @cached_property
    def unread(self) -> tuple[UnreadCells, ...]:
        """Whose own cells leave something open that this address knows of, and of whom nothing else is new."""
        said = {person.person_id for person in self.everyone if person.kind not in ("cleared", "open")}
        lines = (line for line in self._held if line.flag_id in self.told.lead_flags and line.person_id not in said)
        return find_unread(lines, self.told_on, self.night) if self.told_on else ()

    @cached_property
    def _held(self) -> Sequence[FlagLine]:
        return self._own(line for line in self.lines if line.state == "held")

    def _own(self, lines: Iterable[FlagLine]) -> Sequence[FlagLine]:
        """Return those of the flags that this address may be told."""
        return [line for about in gather_people(self.recipient, lines, self.night.routes) for line in about]

    @cached_property
    def unchecked(self) -> tuple[UncheckedPeople, ...]:
        return _list_unchecked(self.recipient, self.night)

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names, each once."""
        named = [
            *(card.person_id for card in (*self.critical_cards, *self.lost_cards)),
            *(each.person_id for _, people in self.critical_others for each in people),
            *(line.person_id for line in self.also_new),
            *_ids([self.no_longer_critical]),
            *(reason.longest[0] for reason in self.still_reasons),
            *(person.person_id for person in self._handed_on),
            *(line.person_id for line in self.coming),
            *(line.person_id for line in self._ending),
            *(part.people if (part := self.weekly or self.start) else ()),
            *_ids(group.people for group in self.unchecked),
            *_ids(cells.first for cells in self.unread),
        ]
        return tuple(dict.fromkeys(named))

    @cached_property
    def quiet(self) -> frozenset[int]:
        """Flags whose state tonight this address is not to be taken to know."""
        return frozenset(flag_id for person in self.everyone for flag_id in person.quiet)

    @cached_property
    def flipping(self) -> frozenset[int]:
        """The flags that this address has been told, now or before, keep opening and clearing."""
        flips = (line for line in self.lines if line.flips >= self.night.flips and not self.night.is_of_service(line))
        before = (line.flag_id for line in flips if self.told.says_flipping(line.flag_id))
        return frozenset((*self._find_flags("flipping"), *before))

    @property
    def flag_ids(self) -> tuple[int, ...]:
        """Every open flag that it tells of, by line, by count, or once of the service."""
        told = (flag_id for person in self.everyone for flag_id in (*person.statuses, *person.alike))
        people = (flag_id for flag_id in told if flag_id not in self.quiet)
        of_service = (line for line in self.lines if self.night.is_of_service(line))
        about = gather_people(self.recipient, of_service, self.night.routes)
        return (*people, *(line.flag_id for lines in about for line in lines if line.state in OPEN))

    def _find_flags(self, status: Status) -> list[int]:
        return [flag_id for person in self.everyone for flag_id, each in person.statuses.items() if each == status]


def _ids(groups: Iterable[Iterable[Link]]) -> Iterator[str]:
    return (person_id for group in groups for person_id, _ in group)


def compose_lead(
    recipient: str, lines: Iterable[FlagLine], told: Told, night: MessageContext, coming: Iterable[ComingDue] = ()
) -> LeadDigest | None:
    """Return what this address is told tonight, or None when it would be told nothing new.

    Lines that the routes send to another address, data flags and everything about someone who died tonight
    are left out. ``coming``: what comes due within days; what this address was told of is left out, and
    the baseline only counts the rest. The weekly list goes whether or not anything is new.
    """
    lines = tuple(lines)
    baseline = night.baseline and told.lead_told_on is None
    about_people = (line for line in lines if not night.is_of_service(line))
    people = gather_people(recipient, about_people, night.routes)
    digest = LeadDigest(
        recipient=recipient,
        night=night,
        told=told,
        everyone=[compare_person(about, told, night, baseline=baseline) for about in people],
        lines=lines,
        coming_told=gather_coming(recipient, coming, told, night),
        baseline=baseline,
        full=told.is_due("full", night.full_list_from),
    )
    return digest if baseline or digest.full or digest.has_news else None


def _find_reasons(people: Iterable[PersonNews], night: MessageContext) -> tuple[CriticalReason, ...]:
    """Return why people are critical, each once by what they have been for the longest; the longest reason first."""
    found: defaultdict[str | None, list[tuple[date, str]]] = defaultdict(list)
    for person in people:
        critical = (line for line in person.current if line.severity == "critical")
        first = min(critical, key=lambda line: (line.opened_on, shown_id(night.rules, line.rule)))
        found[night.title(first.rule)].append((first.opened_on, person.person_id))
    reasons = []
    for title, since in found.items():
        opened_on, person_id = min(since)
        longest = (person_id, night.link(person_id))
        reasons.append(CriticalReason(title, len(since), longest, (night.as_at - opened_on).days))
    return tuple(sorted(reasons, key=lambda reason: (-reason.days, -reason.people, reason.title or "")))


def _list_unchecked(recipient: str, night: MessageContext) -> tuple[UncheckedPeople, ...]:
    """Return whom this address may be told cannot be checked, by why."""
    own = [each for each in night.unchecked if night.routes.address(each.team, each.person_id) == recipient]
    found = []
    for is_unreadable in (False, True):
        ids = [each.person_id for each in own if each.is_unreadable is is_unreadable]
        if ids:
            named = tuple((person_id, night.link(person_id)) for person_id in ids[:UNCHECKED_NAMED])
            found.append(UncheckedPeople(len(ids), is_unreadable, named))
    return tuple(found)


def _count_answers(people: Iterable[PersonNews], told_on: date | None) -> tuple[tuple[str, int], ...]:
    """Count the answers since the last digest about unresolved flags, by what they say."""
    found: Counter[str] = Counter()
    for person in people:
        answered = any(line.answer for line in person.current)
        for line in (*(person.open_lines if answered else ()), *person.waived):
            if line.answer and line.answer_noticed_on and (told_on is None or line.answer_noticed_on > told_on):
                found[line.answer] += 1
    return tuple(found.most_common())


def _sum_service(recipient: str, night: MessageContext) -> tuple[ServiceLine, ...]:
    """Return each rule that is said of the service, over the teams this address is told about."""
    found = []
    for rule, by_team in night.service_wide.items():
        ours = [counts for team, counts in by_team.items() if night.routes.address(team, "") == recipient]
        breach, unknown = sum(counts.breach for counts in ours), sum(counts.cannot_assess for counts in ours)
        if breach:
            assessed = sum(counts.asked for counts in ours) - unknown
            found.append(ServiceLine(night.title(rule), breach, assessed, unknown))
    return tuple(sorted(found, key=lambda line: (-line.breach, line.title or "")))


def _count_without_lead(people: Iterable[PersonNews], routes: Routes) -> tuple[NoLead, ...]:
    counts: Counter[tuple[str, Unrouted]] = Counter()
    by_team = Counter(person.team for person in people if person.person_id not in routes.restricted)
    for team, number in by_team.items():
        why = routes.unrouted(team)
        if why:
            counts[one_line(team or ""), why] += number
    return tuple(NoLead(team or None, why, number) for (team, why), number in sorted(counts.items()))
