"""How each young person stands tonight towards one address: what is new to it, worse, back, held, cleared, or known."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from monitor.flags.priority import place_person, rank
from monitor.messages.parts import FlagLine, MessageContext, Told
from monitor.messages.routes import Routes
from monitor.messages.shown import RuleWords

BACK_WITHIN = timedelta(days=90)

Status = Literal["new", "reopened", "back", "flipping", "held", "open", "unsettled"]
"""What a flag is to an address. *Reopened*: its waiver has ended. *Flipping*: it keeps opening and clearing, and this
address hears that now; *unsettled*: it has heard so, and hears no more until the flag has been stable."""
Kind = Literal["baseline", "new", "worse", "reopened", "back", "flipping", "held", "cleared", "open"]
NEWS: tuple[Kind, ...] = ("baseline", "new", "worse", "reopened", "back", "flipping", "held", "cleared")
BY_STATUS: Mapping[Status, Kind] = {
    "new": "new", "reopened": "reopened", "back": "back", "flipping": "flipping", "held": "held",
}  # fmt: skip
OPEN = ("open", "held")
IN_FULL = ("critical", "high")
"""News of these is told with its reason and the next step; of the others, in a line or by id."""
ENDED = ("no longer asked", "duty ended", "withdrawn")
"""Ways a flag ends that are not good news: counted, never listed as cleared."""


@dataclass(frozen=True)
class Memory:
    """What accepted digests have told an address: each flag and when, and how people stood in the last."""

    flags: Mapping[int, date]
    told_on: date | None
    severity: Mapping[str, int]
    flipping: frozenset[int] = frozenset()
    """The flags it was told keep opening and clearing."""


@dataclass(frozen=True, slots=True)
class PersonNews:
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
    waived: Sequence[FlagLine]
    quiet: frozenset[int]
    """Flags that the address is to be told nothing of while they keep opening and clearing."""

    @property
    def rank(self) -> tuple[int, int, str]:
        return place_person(self.severity, (line.severity for line, _ in self.roots), self.person_id)

    @property
    def news_severity(self) -> str | None:
        """The most serious of what is news about them."""
        news = [line for line, _ in self.each() if self.is_news(line)]
        return min((line.severity for line in news), key=rank, default=None)

    @property
    def cleared_in_full(self) -> bool:
        return any(line.severity in IN_FULL for line in self.cleared)

    def is_news(self, line: FlagLine) -> bool:
        return self.statuses[line.flag_id] not in ("open", "unsettled")

    def each(self) -> Iterable[tuple[FlagLine, FlagLine]]:
        """Every open flag with the one it is shown in."""
        for root, inside in self.roots:
            yield root, root
            for line in inside:
                yield line, root


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
            worst = severity.get(each.person_id, rank(None))
            severity[each.person_id] = min(rank(each.severity), worst)
    return Memory(flags, told_on, severity, frozenset(each.flag_id for each in earlier if each.state == "flipping"))


def gather(recipient: str, lines: Iterable[FlagLine], routes: Routes) -> list[list[FlagLine]]:
    """The lines this address may be told, by young person; nothing of those who died tonight."""
    by_person: defaultdict[str, list[FlagLine]] = defaultdict(list)
    for line in lines:
        if line.severity != "data" and routes.address(line.team, line.person_id) == recipient:
            by_person[line.person_id].append(line)
    return [about for about in by_person.values() if all(line.resolved_reason != "died" for line in about)]


def stand(about: Sequence[FlagLine], memory: Memory, night: MessageContext, *, baseline: bool) -> PersonNews:
    """How the young person whom these lines are about stands tonight."""
    current = [line for line in about if line.state in OPEN]
    told_flipping = {line.rule for line in about if line.flag_id in memory.flipping}
    statuses: dict[int, Status] = {
        line.flag_id: "open" if baseline else _status(line, memory, night.flips, line.rule in told_flipping)
        for line in current
    }
    others = [line for line in about if line.flag_id not in statuses]
    gone = [line for line in others if line.state == "resolved" and line.flag_id in memory.flags]
    quiet = {line.flag_id for line in gone if line.flips >= night.flips and line.resolved_reason == "cleared"}
    quiet |= {flag_id for flag_id, status in statuses.items() if status == "unsettled"}
    rules_now = {line.rule for line in current} if gone else ()
    cleared = [
        line
        for line in gone
        if line.resolved_reason == "cleared" and line.rule not in rules_now and line.flag_id not in quiet
    ]
    severity = min((line.severity for line in current), key=rank, default=None)
    person_id = about[0].person_id
    return PersonNews(
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
        waived=[line for line in others if line.state == "waived"],
        quiet=frozenset(quiet),
    )


def _status(line: FlagLine, memory: Memory, most_flips: int, told_flipping: bool) -> Status:
    """What this flag is to an address with that memory."""
    told_on = memory.flags.get(line.flag_id)
    if told_on is None:
        if line.flips >= most_flips:
            return "unsettled" if told_flipping else "flipping"
        gap = line.opened_on - line.last_cleared_on if line.last_cleared_on else None
        return "back" if line.earlier_spells and gap is not None and gap <= BACK_WITHIN else "new"
    if line.waiver_ended_on is not None and line.waiver_ended_on > told_on:
        return "reopened"
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
    news = any(status in BY_STATUS for status in statuses.values())
    unsettled = "unsettled" in statuses.values()
    if severity is not None and worst_then is not None and rank(severity) < worst_then and (news or not unsettled):
        return "worse"
    for status, kind in BY_STATUS.items():
        if status in statuses.values():
            return kind
    if cleared:
        return "cleared"
    return "open" if statuses else None


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
