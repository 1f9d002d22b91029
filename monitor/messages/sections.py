"""The lines of a lead's digest: young people in their sections by adviser, at length only where it matters."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from operator import itemgetter

from monitor.flags.priority import rank
from monitor.messages.news import IN_FULL, Kind, PersonNews, Status
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import shown_id
from monitor.words import one_line

LISTED = 20
"""People listed in a section beside the critical ones, who are always listed when they are news."""
ALWAYS_SHORT: tuple[Kind, ...] = ("flipping", "held", "cleared")


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
    answer: str | None = None
    answered_on: date | None = None
    flips: int = 0


@dataclass(frozen=True)
class PersonLine:
    """One young person: what is news about them, the most serious first, and by title what else is open.

    ``short``: one line will do, as nothing new about them is critical or high.
    """

    person_id: str
    link: str | None
    team: str | None
    adviser: str | None
    severity: str | None
    items: tuple[Item, ...]
    cleared: tuple[str | None, ...]
    also: tuple[str | None, ...] = ()
    short: bool = False


@dataclass(frozen=True)
class Section:
    """People in the same case: those listed, and how many there are."""

    kind: Kind
    people: tuple[PersonLine, ...]
    total: int
    pooled: tuple[tuple[str, str | None], ...] = ()
    """Those of whom an id says enough, each with a link if there is one."""

    @property
    def more(self) -> int:
        return self.total - len(self.people) - len(self.pooled)

    @property
    def advisers(self) -> list[tuple[str | None, tuple[PersonLine, ...]]]:
        """The people by adviser, in their order."""
        return [(adviser, tuple(people)) for adviser, people in groupby(self.people, key=lambda line: line.adviser)]


@dataclass(frozen=True)
class Rota:
    """Everyone of one adviser with something open: named where it is serious, counted where it is not."""

    adviser: str | None
    total: int
    named: tuple[tuple[str, tuple[tuple[str, str | None], ...]], ...]
    """By severity: each id with a link, if there is one."""
    counted: tuple[tuple[str, int], ...]

    def of(self, severity: str) -> tuple[tuple[str, str | None], ...]:
        return dict(self.named).get(severity, ())

    @property
    def others(self) -> int:
        return sum(people for _, people in self.counted)


def list_section(kind: Kind, people: Sequence[PersonNews], night: MessageContext, *, several_teams: bool) -> Section:
    """Return the people to list: every critical one and up to 20 more, the rest counted; grouped by adviser.

    Of a clearing that was neither critical nor high the id says enough.
    """
    pooled, listed = [], people
    if kind == "cleared":
        pooled = [person for person in people if not person.cleared_in_full]
        listed = [person for person in people if person.cleared_in_full]
    critical = sum(person.severity == "critical" for person in listed)
    writer = LineWriter(kind, night, several_teams)
    lines = [writer.write(person) for person in sort_by_adviser(find_first(listed, critical + LISTED))]
    ids = tuple((person.person_id, night.link(person.person_id)) for person in find_first(pooled, LISTED * 2))
    return Section(kind, tuple(lines), len(people), ids)


def find_first(people: Iterable[PersonNews], number: int) -> list[PersonNews]:
    """Return so many of the people, the highest priority first; the less serious others are never put in order."""
    tiers: defaultdict[int, list[PersonNews]] = defaultdict(list)
    for person in people:
        tiers[rank(person.severity)].append(person)
    first: list[PersonNews] = []
    for place in sorted(tiers):
        if len(first) >= number:
            break
        first += _find_heaviest(tiers[place], number - len(first))
    return first


def _find_heaviest(people: Sequence[PersonNews], number: int) -> list[PersonNews]:
    """Return so many of equally serious people, the highest priority first; only of those near it are flags folded."""
    if len(people) <= number:
        return sorted(people, key=lambda person: person.rank)
    found: list[PersonNews] = []
    for at_most, person in sorted(((person.at_most, person) for person in people), key=itemgetter(0)):
        if len(found) == number and found[-1].rank < at_most:
            break
        insort(found, person, key=lambda each: each.rank)
        del found[number:]
    return found


def sort_by_adviser(people: Sequence[PersonNews]) -> list[PersonNews]:
    """Return the people by adviser, the adviser with the most serious of them first."""
    places: dict[str, int] = {}
    for person in people:
        places.setdefault(person.adviser or "", len(places))
    return sorted(people, key=lambda person: places[person.adviser or ""])


@dataclass
class LineWriter:
    """Writes the lines of one section."""

    kind: Kind
    night: MessageContext
    several_teams: bool
    advised: set[str] = field(default_factory=set)
    """The rules whose next step the section has given already, which need not be given again."""

    def write(self, person: PersonNews) -> PersonLine:
        night, kind = self.night, self.kind
        items, also = self._split(person)
        show_team = self.several_teams or night.routes.unrouted(person.team) is not None
        always_short = kind in ALWAYS_SHORT
        return PersonLine(
            person_id=person.person_id,
            link=night.link(person.person_id),
            team=one_line(person.team) if show_team and person.team else None,
            adviser=one_line(person.adviser) if person.adviser else None,
            severity=person.severity,
            items=tuple(items),
            cleared=tuple(night.title(line.rule) for line in person.cleared),
            also=() if always_short else tuple(also),
            short=always_short or (kind != "baseline" and person.news_severity not in IN_FULL),
        )

    def _split(self, person: PersonNews) -> tuple[list[Item], list[str | None]]:
        """Return what is news about a person, and by title what else is open."""
        items: list[Item] = []
        also: list[str | None] = []
        for line, inside in person.roots:
            newly = [] if self.kind == "cleared" else [each for each in (line, *inside) if person.is_news(each)]
            if self.kind == "baseline" or line in newly:
                items.append(self._item(line, inside, person.statuses))
                continue
            # What is news inside a flag already known gets its own line, so that the known one is not read as new.
            items += [self._item(each, (), person.statuses) for each in newly]
            also.append(self.night.title(line.rule))
        return items, also

    def _item(self, line: FlagLine, inside: Sequence[FlagLine], statuses: Mapping[int, Status]) -> Item:
        words = self.night.shown(line)
        rule = shown_id(self.night.rules, line.rule)
        action = words.action if rule not in self.advised else None
        self.advised.add(rule)
        held = line.state == "held"
        return Item(
            title=words.title,
            severity=line.severity,
            status=statuses[line.flag_id],
            sensitive=not words.in_full,
            because=words.because and one_line(words.because),
            action=action and one_line(action),
            due_on=words.due_on,
            days_over=max((self.night.as_at - words.due_on).days, 0) if words.due_on else 0,
            opened_on=line.opened_on,
            held_since=line.held_since if held else None,
            held_why=words.if_full(one_line(line.held_why)) if held and line.held_why else None,
            last_cleared_on=line.last_cleared_on,
            inside=tuple(Inside(self.night.title(each.rule), statuses[each.flag_id]) for each in inside),
            unconfirmed=line.unconfirmed and statuses[line.flag_id] != "open",
            answer=words.if_full(line.answer),
            answered_on=line.answered_on,
            flips=line.flips,
        )


def list_rotas(people: Iterable[PersonNews], night: MessageContext) -> tuple[Rota, ...]:
    """Return the whole list, adviser by adviser: the one with the most people first, nobody recorded last."""
    by_name: defaultdict[str | None, list[PersonNews]] = defaultdict(list)
    people = list(people)
    named = [person for person in people if person.severity in IN_FULL]
    counted = [person for person in people if person.severity not in IN_FULL]
    for person in (*find_first(named, len(named)), *counted):
        by_name[one_line(person.adviser) if person.adviser else None].append(person)
    ordered = sorted(by_name.items(), key=lambda entry: (entry[0] is None, -len(entry[1]), entry[0] or ""))
    return tuple(_rota(adviser, of_adviser, night) for adviser, of_adviser in ordered)


def _rota(adviser: str | None, people: Sequence[PersonNews], night: MessageContext) -> Rota:
    by_severity: defaultdict[str, list[PersonNews]] = defaultdict(list)
    for person in people:
        by_severity[person.severity or ""].append(person)
    named = {
        severity: tuple((person.person_id, night.link(person.person_id)) for person in by_severity[severity])
        for severity in IN_FULL
        if severity in by_severity
    }
    others = sorted((severity for severity in by_severity if severity not in named), key=rank)
    counted = tuple((severity, len(by_severity[severity])) for severity in others)
    return Rota(adviser, len(people), tuple(named.items()), counted)
