"""What is news to one address about each young person: newly critical, newly out of touch, otherwise new, put right."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

from monitor.figures.out_of_sight import BY_NAME, OUT_OF_TOUCH
from monitor.flags.priority import place_person, rank
from monitor.messages.flag_item import Status
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import Routes
from monitor.messages.shown import RuleWords, show_once, shown_folds, shown_id, tells_all
from monitor.messages.told import Told, ToldFlag
from monitor.words import one_line

BACK_WITHIN = timedelta(days=90)

NEWS: frozenset[Status] = frozenset(("new", "worse", "reopened", "back", "flipping"))
Kind = Literal["baseline", "critical", "lost", "new", "cleared", "open"]
"""What a young person is to an address tonight. *Critical*: newly so, by whatever change; *lost*: newly out of touch,
and seriously; *new*: anything else is news; *cleared*: something was put right, and nothing else is news."""
OPEN = ("open", "held")
SERIOUS = ("critical", "high")
LOST = frozenset(BY_NAME[OUT_OF_TOUCH].rules)
"""The rules that find somebody out of touch: gone from the caseload, no contact, no known address."""
NOTHING: frozenset[int] = frozenset()
ENDED = ("no longer asked", "rule changed", "duty ended", "withdrawn")
"""Ways a flag ends that are not good news: counted, never listed as cleared."""


@dataclass
class PersonNews:
    """What is news to one address about one young person.

    Nobody changes one: it is not frozen because one is made of every person, which would take three times as long.
    """

    person_id: str
    team: str | None
    adviser: str | None
    kind: Kind | None
    severity: str | None
    current: Sequence[FlagLine]
    """Every open flag."""
    rules: Mapping[str, RuleWords]
    statuses: Mapping[int, Status]
    cleared: Sequence[FlagLine]
    ended: Sequence[str]
    handed_on: Sequence[FlagLine]
    """The flags that ended with a birthday or an adviser."""
    waived: Sequence[FlagLine]
    quiet: frozenset[int]
    """Flags that the address is to be told nothing of while they keep opening and clearing."""
    alike: tuple[int, ...] = ()
    """Open flags shown as one of ``current`` is: what is said of that one says all that may be said of them."""

    @property
    def adviser_name(self) -> str | None:
        """The adviser's name on one line; None for nobody."""
        return one_line(self.adviser) or None if self.adviser else None

    @cached_property
    def roots(self) -> Sequence[tuple[FlagLine, tuple[FlagLine, ...]]]:
        """The open flags, each with those shown inside it; folded when asked for, since most are only counted."""
        return fold_flags(self.current, self.rules)

    @cached_property
    def rank(self) -> tuple[int, int, str]:
        return place_person(self.severity, (line.severity for line, _ in self.roots), self.person_id)

    @property
    def at_most(self) -> tuple[int, int, str]:
        """Their rank if each of their flags weighed: what is folded into another can only put them further down."""
        return place_person(self.severity, (line.severity for line in self.current), self.person_id)

    @cached_property
    def news(self) -> Sequence[FlagLine]:
        """Every flag that is news, the most severe first, and of these the one of which most can be said."""
        places = {line.flag_id: n for n, line in enumerate(self.open_lines)}
        found = [line for line in self.current if self.is_news(line)]
        told = {line.flag_id: tells_all(self.rules, line.rule) for line in found}
        return sorted(found, key=lambda line: (rank(line.severity), not told[line.flag_id], places[line.flag_id]))

    def find_root(self, line: FlagLine) -> FlagLine:
        """Return the flag in which this one is shown; itself, where that is none."""
        return next(root for root, inside in self.roots if line is root or line in inside)

    @property
    def no_longer_critical(self) -> bool:
        """Whether what made them critical was put right, and nothing else does."""
        return self.severity != "critical" and any(line.severity == "critical" for line in self.cleared)

    @property
    def is_held(self) -> bool:
        """Whether something known of them is held since the last digest: nothing that a reader could act on."""
        return "held" in self.statuses.values()

    def is_news(self, line: FlagLine) -> bool:
        return self.statuses[line.flag_id] in NEWS

    @property
    def open_lines(self) -> list[FlagLine]:
        """Every open flag, those inside another too."""
        return [line for root, inside in self.roots for line in (root, *inside)]


def may_have_card(line: FlagLine) -> bool:
    """Return whether somebody of whom this flag is news may have a card for it."""
    return line.severity == "critical" or (line.severity in SERIOUS and line.rule in LOST)


def gather_people(recipient: str, lines: Iterable[FlagLine], routes: Routes) -> list[list[FlagLine]]:
    """Return the lines this address may be told, by young person; nothing of those who died tonight."""
    by_person: defaultdict[str, list[FlagLine]] = defaultdict(list)
    for line in lines:
        if line.severity != "data" and routes.address(line.team, line.person_id) == recipient:
            by_person[line.person_id].append(line)
    return [about for about in by_person.values() if all(line.resolved_reason != "died" for line in about)]


def _tell_first(line: FlagLine, told: Told) -> tuple[bool, int, bool, int]:
    """The open before what has ended, then the most serious, then what an address knows of."""
    return line.state not in OPEN, rank(line.severity), line.flag_id not in told.known, line.flag_id


def compare_person(about: Sequence[FlagLine], told: Told, night: MessageContext, *, baseline: bool) -> PersonNews:
    """Return what is news to an address about the young person of these lines."""
    alike: Sequence[FlagLine] = ()
    if len(about) > 1 and not night.alike.isdisjoint([line.rule for line in about]):
        kept = show_once(night.rules, about, lambda line: _tell_first(line, told))
        about, alike = kept, [line for line in about if line not in kept and line.state in OPEN]
    current = [line for line in about if line.state in OPEN]
    others = [line for line in about if line.state not in OPEN] if len(current) < len(about) else []
    statuses = _compare_flags(about, current, told, night.flips, baseline=baseline)
    gone = _find_ended(others, told) if others else []
    quiet = _find_quiet(gone, statuses, night.flips) if gone or "unsettled" in statuses.values() else NOTHING
    cleared = _find_cleared(gone, current, quiet) if gone else []
    handed_on = [line for line in gone if (line.person_id, line.rule) in night.handovers] if gone else []
    severity = min([line.severity for line in current], key=rank, default=None)
    kind = _choose_kind(current, statuses, night.rules, cleared=bool(cleared))
    return PersonNews(
        person_id=about[0].person_id,
        team=about[0].team,
        adviser=about[0].personal_adviser,
        kind="baseline" if baseline and current else kind,
        severity=severity,
        current=current,
        rules=night.rules,
        statuses=statuses,
        cleared=cleared,
        ended=[line.resolved_reason for line in gone if line.resolved_reason in ENDED and line not in handed_on],
        handed_on=handed_on,
        waived=[line for line in others if line.state == "waived"],
        quiet=quiet,
        alike=tuple(line.flag_id for line in alike),
    )


def _find_ended(about: Iterable[FlagLine], told: Told) -> list[FlagLine]:
    """Return the resolved flags that the address was told of while they stood."""
    return [line for line in about if line.state == "resolved" and line.flag_id in told.lead_flags]


def _compare_flags(
    about: Sequence[FlagLine], current: Sequence[FlagLine], told: Told, most_flips: int, *, baseline: bool
) -> dict[int, Status]:
    """Return what each open flag is to an address; everything is merely open in a baseline."""
    if baseline:
        return {line.flag_id: "open" for line in current}
    known, told_on = told.lead_flags, told.last_digest
    statuses = {
        line.flag_id: _compare_known(line, known[line.flag_id], told_on) for line in current if line.flag_id in known
    }
    if len(statuses) < len(current):
        statuses = {line.flag_id: statuses.get(line.flag_id) or _describe_unknown(line, most_flips) for line in current}
    return statuses


def _describe_unknown(line: FlagLine, most_flips: int) -> Status:
    """Return what a flag is to whoever has not heard of it; one that keeps changing is news if it is critical."""
    if line.flips >= most_flips:
        return "flipping" if line.severity == "critical" else "unsettled"
    gap = line.opened_on - line.last_cleared_on if line.last_cleared_on else None
    return "back" if line.earlier_spells and gap is not None and gap <= BACK_WITHIN else "new"


def _compare_known(line: FlagLine, told: ToldFlag, told_on: date | None) -> Status:
    if line.waiver_ended_on is None and line.state != "held" and line.severity == told.severity:
        return "open"
    if _is_since(line.waiver_ended_on, told_on):
        return "reopened"
    if rank(line.severity) < rank(told.severity):
        return "worse"
    return "held" if line.state == "held" and _is_since(line.held_since, told_on) else "open"


def _is_since(day: date | None, told_on: date | None) -> bool:
    return day is not None and told_on is not None and day > told_on


def _find_quiet(gone: Iterable[FlagLine], statuses: Mapping[int, Status], most_flips: int) -> frozenset[int]:
    """Return the flags of which nothing is said while they keep opening and clearing."""
    cleared = (line.flag_id for line in gone if line.flips >= most_flips and line.resolved_reason == "cleared")
    return frozenset((*cleared, *(flag_id for flag_id, status in statuses.items() if status == "unsettled")))


def _find_cleared(gone: Iterable[FlagLine], current: Iterable[FlagLine], quiet: Collection[int]) -> list[FlagLine]:
    """Return the flags put right, other than those whose rule has opened again."""
    rules_now = {line.rule for line in current}
    return [
        line
        for line in gone
        if line.resolved_reason == "cleared" and line.rule not in rules_now and line.flag_id not in quiet
    ]


def _choose_kind(
    current: Iterable[FlagLine], statuses: Mapping[int, Status], rules: Mapping[str, RuleWords], *, cleared: bool
) -> Kind | None:
    """Return the one place in a digest that a young person has, if any: of several, the one that matters most."""
    if not NEWS.isdisjoint(statuses.values()):
        news = [line for line in current if statuses[line.flag_id] in NEWS]
        if any(line.severity == "critical" for line in news):
            return "critical"
        is_lost = any(line.severity in SERIOUS and shown_id(rules, line.rule) in LOST for line in news)
        return "lost" if is_lost else "new"
    if cleared:
        return "cleared"
    return "open" if statuses else None


def fold_flags(
    current: Sequence[FlagLine], rules: Mapping[str, RuleWords]
) -> list[tuple[FlagLine, tuple[FlagLine, ...]]]:
    """Return one person's open flags, most serious first, each with the flags shown inside it.

    No flag is ever lost: of rules that fold each other, the most serious stays outside.
    """
    if len(current) == 1:
        return [(current[0], ())]
    ordered = sorted(
        current, key=lambda line: (rank(line.severity), line.due_on or date.max, shown_id(rules, line.rule))
    )
    folds = {line.rule: shown_folds(rules, line.rule) for line in ordered}
    if all(folds.keys().isdisjoint(folded) for folded in folds.values()):
        return [(line, ()) for line in ordered]
    inside: dict[int, list[FlagLine]] = {}
    for line in ordered:
        root = _find_root(line, ordered, folds)
        within = inside.setdefault(root.flag_id, [])
        if root is not line:
            within.append(line)
    return [(line, tuple(inside[line.flag_id])) for line in ordered if line.flag_id in inside]


def _find_root(line: FlagLine, ordered: Sequence[FlagLine], folds: Mapping[str, Collection[str]]) -> FlagLine:
    """Return the flag in which this one is shown, through as many as fold each other; itself where none does."""
    passed = {line.rule}
    while True:
        parent = next((other for other in ordered if line.rule in folds[other.rule]), None)
        if parent is None or parent.rule == line.rule:
            return line
        if parent.rule in passed:
            return next(other for other in ordered if other.rule in passed)
        passed.add(parent.rule)
        line = parent
