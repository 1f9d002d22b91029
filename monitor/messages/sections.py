"""Who comes first of many."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import itemgetter

from monitor.flags.priority import rank
from monitor.messages.news import PersonNews


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
