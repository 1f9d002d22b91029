"""What waits because of the data: one sentence for each cause, and never young person by young person.

A fault is a cause that no lead can act on: a column, a team's list or a source that is not believed tonight, a check
that failed, a long gap between nights. Somebody whose own cell cannot be read is no such fault: the record can be put
right. Where few have such a cell they are named with the column, once; where many have, they are counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from monitor.flags.life import ABSENT, AFTER_JUMP, FAILED, NO_SOURCE, NOT_BELIEVED, TEAM_NOT_BELIEVED
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import is_plain
from monitor.words import one_line

CELLS_NAMED = 3

Cause = Literal["columns", "team", "source", "check", "gap"]
CAUSES: tuple[Cause, ...] = ("columns", "team", "source", "check", "gap")


@dataclass(frozen=True)
class Fault:
    """One cause, and how many flags wait for it. ``about``: the columns, teams or checks; ``is_new``: since last told.

    ``about`` leaves out what only checks rest on that a message does not name.
    """

    cause: Cause
    about: tuple[str, ...]
    flags: int
    is_new: bool

    @property
    def is_tonight(self) -> bool:
        """Whether it is a fault of tonight's data; what no source brings may be missing for long."""
        return self.cause != "source"


@dataclass(frozen=True)
class UnreadCells:
    """Young people whose own cell leaves something open: the column, where it may be said, and what is wrong with it.

    ``first``: the first of them, each with a link, where they are few.
    """

    column: str | None
    people: int
    first: tuple[tuple[str, str | None], ...]
    flags: int


def find_faults(
    lines: Iterable[FlagLine], recipient: str, told_on: date | None, night: MessageContext
) -> tuple[Fault, ...]:
    """Return what is not believed tonight and matters to these lines or the reader's teams, and what waits for it."""
    waiting: defaultdict[Cause, list[FlagLine]] = defaultdict(list)
    for line in lines:
        if line.state == "held" and (cause := find_cause(line)):
            waiting[cause].append(line)
    about = {
        "columns": _name_columns(night.doubted, night),
        "team": _find_teams(recipient, waiting["team"], night),
        "source": _name_columns(
            {line.rule: night.not_assessed.get(line.rule, ()) for line in waiting["source"]}, night
        ),
        "check": tuple(dict.fromkeys(title for rule in night.failed if (title := night.title(rule)))),
        "gap": (),
    }
    found = (
        Fault(cause, about[cause], len(waiting[cause]), _is_new(waiting[cause], told_on))
        for cause in CAUSES
        if waiting[cause] or (cause == "columns" and night.doubted) or (cause in ("team", "check") and about[cause])
    )
    return tuple(found)


def find_unread(lines: Iterable[FlagLine], told_on: date | None, night: MessageContext) -> tuple[UnreadCells, ...]:
    """Return whose own cells leave something open that this address was told of, since its last digest."""
    by_column: defaultdict[str | None, list[FlagLine]] = defaultdict(list)
    for line in lines:
        if line.state == "held" and line.held_why != ABSENT and find_cause(line) is None and _is_since(line, told_on):
            by_column[night.shown(line).if_full(line.held_why)].append(line)
    found = []
    for why, own in sorted(by_column.items(), key=lambda entry: (entry[0] is None, entry[0] or "")):
        people = sorted({line.person_id for line in own})
        first = tuple((person_id, night.link(person_id)) for person_id in people)
        found.append(UnreadCells(why, len(people), first if len(people) <= CELLS_NAMED else (), len(own)))
    return tuple(found)


def find_cause(line: FlagLine) -> Cause | None:
    """Return which fault a held flag waits for; None where the young person's own record leaves it open."""
    why = line.held_why or ""
    causes: dict[str, Cause] = {TEAM_NOT_BELIEVED: "team", FAILED: "check", AFTER_JUMP: "gap"}
    if why in causes:
        return causes[why]
    if why.startswith(NO_SOURCE):
        return "source"
    return "columns" if why.endswith(NOT_BELIEVED) else None


def _name_columns(by_rule: Mapping[str, Iterable[str]], night: MessageContext) -> tuple[str, ...]:
    """Return in words the columns of rules that a message names; what only others rest on is not said."""
    named = [
        column.replace("_", " ")
        for rule, columns in by_rule.items()
        if rule in night.rules and is_plain(night.rules[rule])
        for column in columns
    ]
    return tuple(dict.fromkeys(named))


def _find_teams(recipient: str, waiting: Iterable[FlagLine], night: MessageContext) -> tuple[str, ...]:
    doubted = night.verdict.teams if night.verdict and night.verdict.is_in_doubt else {}
    own = (team for team in doubted if night.routes.address(team, "") == recipient)
    return tuple(dict.fromkeys(one_line(team) for team in (*own, *(line.team or "" for line in waiting))))


def _is_new(waiting: Sequence[FlagLine], told_on: date | None) -> bool:
    """Return whether most began to wait since then: a flag that waited before may wait for another cause now."""
    return 2 * sum(_is_since(line, told_on) for line in waiting) > len(waiting)


def _is_since(line: FlagLine, told_on: date | None) -> bool:
    return line.held_since is not None and (told_on is None or line.held_since > told_on)
