"""Who comes first of many, and the whole list of an address, adviser by adviser."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from monitor.flags.priority import rank
from monitor.messages.news import SERIOUS, PersonNews
from monitor.messages.parts import MessageContext
from monitor.words import one_line


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


def list_rotas(people: Iterable[PersonNews], night: MessageContext) -> tuple[Rota, ...]:
    """Return the whole list, adviser by adviser: the one with the most people first, nobody recorded last."""
    by_name: defaultdict[str | None, list[PersonNews]] = defaultdict(list)
    people = list(people)
    named = [person for person in people if person.severity in SERIOUS]
    counted = [person for person in people if person.severity not in SERIOUS]
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
        for severity in SERIOUS
        if severity in by_severity
    }
    others = sorted((severity for severity in by_severity if severity not in named), key=rank)
    counted = tuple((severity, len(by_severity[severity])) for severity in others)
    return Rota(adviser, len(people), tuple(named.items()), counted)
