"""What a birthday, or a personal adviser no longer named, ends and begins: said by name to whoever knew of the flag.

The law asks other things at 16, 18 and 21, and some rules presume an adviser. A flag that ends so says nothing of how
the young person is: the next message names them, with what takes its place and what is asked of them from now on.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.flags.priority import rank
from monitor.messages.parts import FlagLine, Handover, MessageContext
from monitor.messages.room import add_lengths, count_lines
from monitor.messages.shown import is_plain
from monitor.rulebook.covers import find_ages
from monitor.rulebook.questions import BREACH, CANNOT_ASSESS, OK
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.words import one_line
from monitor.workspace import Workspace

ENDED_SO = ("handed on", "no longer asked")
ASKED = (OK, BREACH, CANNOT_ASSESS)
GUARDED = frozenset({"accommodation", "uasc", "disability", "is_parent", "release_date", "health_history_date"})
"""What a list of what is asked of somebody must not tell: a rule that rests on one of these is not in it."""


@dataclass(frozen=True)
class Heir:
    """A flag that takes the place of one that has ended; no day is said of a sensitive one."""

    title: str | None
    opened_on: date | None


@dataclass(frozen=True)
class HandedOn:
    """One young person of whom something else is asked from now on.

    ``ended``: what is no longer asked, ``heirs``: what takes its place, ``asked``: what is asked from now on and shows
    nothing yet; by what a message calls it.
    """

    person_id: str
    link: str | None
    adviser: str | None
    ended: tuple[str | None, ...]
    heirs: tuple[Heir, ...]
    asked: tuple[str | None, ...]

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        titles = (*self.ended, *(heir.title for heir in self.heirs), *self.asked)
        return count_lines(50 + add_lengths(self.person_id, self.adviser, *titles) + 24 * len(self.heirs))


def find_handovers(
    workspace: Workspace, rulebook: Rulebook, ended: Collection[FlagLine]
) -> dict[tuple[str, str], Handover]:
    """Find which of these flags ended with a birthday or with the adviser whom the rule presumes, by person and rule.

    Reads ``outcome`` and ``outcome_before``, where there is any such flag.
    """
    if not ended:
        return {}
    people = sorted({line.person_id for line in ended})
    tonight = _load_asked(workspace, "outcome", people)
    before = _load_asked(workspace, "outcome_before", people)
    found = {}
    for line in ended:
        rule = rulebook.by_id.get(line.rule)
        now, then = tonight.get(line.person_id, frozenset()), before.get(line.person_id)
        if rule is None or rule.id in now:
            continue
        if then is not None and (rule.id in then or _ends_at(rule, line.age)):
            found[line.person_id, rule.id] = _describe(rule, rulebook.rules, now, now - then)
        elif line.personal_adviser is None and "personal_adviser" in rule.applies_to.columns:
            found[line.person_id, rule.id] = _describe(rule, rulebook.rules, now)
    return found


def _ends_at(rule: Rule, age: int | None) -> bool:
    """Whether nobody is asked at an age who was the year before, whatever else is recorded of them tonight."""
    ages = find_ages(rule)
    return age is not None and age - 1 in ages and age not in ages


def _load_asked(workspace: Workspace, table: str, people: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the rules that were asked of each of these people."""
    answers = workspace.execute(f"SELECT * FROM {table} WHERE list_contains($1::VARCHAR[], person_id)", [people])
    names = [column[0] for column in answers.description or ()]
    place = names.index("person_id")
    return {
        row[place]: frozenset(name for name, answer in zip(names, row, strict=True) if answer in ASKED)
        for row in answers.fetchall()
    }


def _describe(rule: Rule, rules: Iterable[Rule], now: Collection[str], newly: Collection[str] = ()) -> Handover:
    """Return what may take the rule's place, and what may be said to be asked from now on.

    Where a sensitive rule is asked in place of a plain one, the plain one is said, as of anybody else. Where no rule
    that continues this one is asked, the others that begin with the birthday are said.
    """
    heirs = [other for other in rules if rule.id in other.continues]
    plain = [other for other in heirs if is_plain(other)]
    is_covered = any(not is_plain(other) and other.id in now for other in heirs)
    asked = [other.id for other in plain if is_covered or other.id in now]
    if not any(other.id in now for other in heirs):
        asked = [
            other.id
            for other in rules
            if other.id in newly and other.severity != "data" and is_plain(other) and GUARDED.isdisjoint(other.columns)
        ]
    return Handover(frozenset(other.id for other in heirs), tuple(asked))


def describe_handed_on(ended: Sequence[FlagLine], standing: Iterable[FlagLine], night: MessageContext) -> HandedOn:
    """Return what one young person's flags that ended so were, and what takes their place among those that stand."""
    handovers = [night.handovers[line.person_id, line.rule] for line in ended]
    first = ended[0]
    heirs = [line for line in standing if any(line.rule in each.heirs for each in handovers)]
    shown = [(line, night.shown(line)) for line in sorted(heirs, key=lambda line: (rank(line.severity), line.rule))]
    flagged = {line.rule for line in standing}
    asked = (night.title(rule) for each in handovers for rule in each.asked if rule not in flagged)
    return HandedOn(
        first.person_id,
        night.link(first.person_id),
        one_line(first.personal_adviser) if first.personal_adviser else None,
        tuple(dict.fromkeys(night.title(line.rule) for line in ended)),
        tuple(dict.fromkeys(Heir(words.title, words.if_full(line.opened_on)) for line, words in shown)),
        tuple(dict.fromkeys(asked)),
    )
