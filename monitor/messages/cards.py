"""The cards and lines of a lead's digest: one action a young person, and what changed since the last night."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from monitor.messages.answering import ReadyReply, write_replies
from monitor.messages.flag_item import Item
from monitor.messages.news import PersonNews
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.room import CARD_COLUMNS, add_lengths, count_lines, keep_line
from monitor.words import one_line

PREVIEWED = 3
"""Advisers named in the first line of a mail."""

Link = tuple[str, str | None]
"""An id, and its link, if there is one."""


@dataclass(frozen=True)
class PersonShown:
    """Who somebody is to a reader; ``team``: where the reader has several."""

    person_id: str
    link: str | None
    team: str | None
    adviser: str | None


@dataclass(frozen=True)
class Card(PersonShown):
    """One young person, what changed about them, and the one thing to do.

    ``number``: counted through the digest. ``also``: what else is open, by title, what is news first; ``more``: how
    much else there is; ``waiting``: flags that could not be checked. ``flag_id``: of the flag it is about;
    ``replies``: how it is answered by e-mail.
    """

    kind: Literal["critical", "lost"]
    number: int
    severity: str
    item: Item
    also: tuple[str | None, ...]
    more: int
    waiting: int
    flag_id: int
    replies: tuple[ReadyReply, ...] = ()

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        item = self.item
        who = 22 + add_lengths(self.person_id, self.adviser, self.team)
        change = 40 + add_lengths(item.title, item.because, *item.before)
        others = sum(2 + add_lengths(title) for title in self.also) + (30 if self.waiting else 0)
        action = 4 + len(item.action) if item.action else 0
        return count_lines(who, change, action, others, columns=CARD_COLUMNS) + (3 if self.replies else 2)


@dataclass(frozen=True)
class NewsLine(PersonShown):
    """One young person in one line: what is news about them; ``more``: how much else is."""

    items: tuple[Item, ...]
    more: int

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        who = 4 + add_lengths(self.person_id, self.adviser, self.team)
        return count_lines(who + sum(12 + add_lengths(item.title) for item in self.items))


def write_card(person: PersonNews, kind: Literal["critical", "lost"], number: int, night: MessageContext) -> Card:
    """Return the card of somebody about whom the most severe of what is news comes first."""
    line, *others = person.news
    first = person.find_root(line)
    roots = [root for root, _ in person.roots if root is not first]
    standing = [root for root in roots if root.state != "held" or person.is_news(root)]
    also = sorted(standing, key=lambda each: not person.is_news(each))
    # What is news of equal weight inside another flag is said too; what is folded into the first is part of it.
    folded = [each for each in others if person.find_root(each) is first and each.severity == line.severity]
    titles = dict.fromkeys(night.title(each.rule) for each in (*folded, *also))
    titles.pop(night.title(line.rule), None)
    return Card(
        *_introduce(person, night),
        kind=kind,
        number=number,
        severity=line.severity,
        item=write_item(line, person, night),
        also=(also_named := keep_line(tuple(titles))),
        more=len(titles) - len(also_named),
        waiting=len(roots) - len(standing),
        flag_id=line.flag_id,
        replies=write_replies(line, night),
    )


def write_line(person: PersonNews, night: MessageContext) -> NewsLine:
    """Return what is news of somebody in a line; what is folded into other news is part of it."""
    news = [line for line in person.news if line is (root := person.find_root(line)) or not person.is_news(root)]
    return NewsLine(
        *_introduce(person, night),
        items=tuple(write_item(line, person, night) for line in news[:2]),
        more=max(len(news) - 2, 0),
    )


def _introduce(person: PersonNews, night: MessageContext) -> tuple[str, str | None, str | None, str | None]:
    address = night.routes.address(person.team, person.person_id)
    shows_team = len(night.routes.teams_of(address or "")) != 1 or night.routes.unrouted(person.team) is not None
    team = one_line(person.team) if shows_team and person.team else None
    return person.person_id, night.link(person.person_id), team, person.adviser_name


def write_item(line: FlagLine, person: PersonNews, night: MessageContext) -> Item:
    """Return what may be said of a flag."""
    words = night.shown(line)
    status = person.statuses[line.flag_id]
    return Item(
        title=words.title,
        status=status,
        in_full=words.in_full,
        is_held=line.state == "held",
        because=words.because and one_line(words.because),
        action=words.action and one_line(words.action),
        before=night.before.get((line.person_id, line.rule), ()) if words.in_full else (),
        due_on=words.due_on,
        days_over=max((night.as_at - words.due_on).days, 0) if words.due_on else 0,
        opened_on=words.if_full(line.opened_on),
        since_last_night=line.opened_on == night.as_at,
        last_cleared_on=words.if_full(line.last_cleared_on) if status == "back" else None,
        flips=line.flips if status == "flipping" else 0,
        unconfirmed=line.unconfirmed,
        row=None if words.in_full else night.list_rows.get(line.flag_id),
    )


def count_advisers(people: Iterable[PersonNews]) -> tuple[tuple[str | None, int], ...]:
    """Count people by adviser, the adviser with the most first and nobody last."""
    counts = Counter(person.adviser_name for person in people)
    return tuple(sorted(counts.items(), key=lambda entry: (entry[0] is None, -entry[1], entry[0] or "")))


@dataclass(frozen=True)
class AdviserTally:
    """How many people each of a few advisers has, how many the other advisers have, and how many have none."""

    named: tuple[tuple[str, int], ...]
    others: int
    nobody: int


def tally_advisers(people: Iterable[PersonNews]) -> AdviserTally:
    """Count people by adviser for the first line that a locked screen shows: a name with a digit may hold an id."""
    counts = count_advisers(people)
    plain = [(adviser, number) for adviser, number in counts if adviser and not any(map(str.isdigit, adviser))]
    named = tuple(plain[:PREVIEWED])
    nobody = dict(counts).get(None, 0)
    return AdviserTally(named, sum(dict(counts).values()) - nobody - sum(dict(named).values()), nobody)


class CriticalPerson(NamedTuple):
    """One critical young person: the link, if there is one, and the adviser, if one is named."""

    person_id: str
    link: str | None
    adviser: str | None


def name_critical(person: PersonNews, night: MessageContext) -> CriticalPerson:
    """Return who a critical young person is, where a line is about several."""
    return CriticalPerson(person.person_id, night.link(person.person_id), person.adviser_name)


def list_by_reason(
    people: Iterable[PersonNews], night: MessageContext
) -> tuple[tuple[str | None, tuple[CriticalPerson, ...]], ...]:
    """Return people by the title of the worst of what is news, in their order."""
    found: dict[str | None, list[CriticalPerson]] = {}
    for person in people:
        found.setdefault(night.title(person.news[0].rule), []).append(name_critical(person, night))
    return tuple((title, tuple(about)) for title, about in found.items())
