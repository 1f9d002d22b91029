"""One young person as those above the leads read of them: who, why, since when, what to do; and how long that is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from operator import attrgetter

from monitor.flags.priority import rank
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.room import CARD_COLUMNS, add_lengths, count_lines, keep_line
from monitor.messages.shown import show_once, shown_id
from monitor.words import one_line


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """One flag as a reader above the lead sees it: a sensitive one is its plain sibling, and a row of the list.

    ``working_days``: how long its clock has run, where it was raised; ``since``: since when it is in breach, where it
    was not, and ``at_least``: that may be longer.
    """

    title: str | None
    sensitive: bool
    because: str | None
    due_on: date | None
    opened_on: date
    working_days: int | None
    answer: str | None
    answered_on: date | None
    action: str | None
    list_row: int | None
    since: date | None = None
    at_least: bool = False


@dataclass(frozen=True)
class RaisedPerson:
    """One young person: the most serious flag in full, one thing to do, and the titles of the other flags.

    ``team``: where the mail is about several. ``more``: how many flags of other titles there are.
    """

    person_id: str
    link: str | None
    adviser: str | None
    team: str | None
    severity: str
    flag: RaisedFlag
    also: tuple[str | None, ...] = ()
    more: int = 0

    @property
    def phone_lines(self) -> int:
        """About how many lines this takes on a phone."""
        flag = self.flag
        texts = [
            add_lengths(self.person_id, self.adviser or "no adviser recorded", self.team) + 22,
            add_lengths(flag.title, flag.because) + (80 if flag.working_days is not None else 40),
            len(flag.action or "") + 6,
            sum(len(title or "") + 2 for title in self.also) + 6 if self.also else 0,
        ]
        return 2 + count_lines(*texts, columns=CARD_COLUMNS)


def describe_person(
    lines: Iterable[FlagLine], night: MessageContext, *, team: str | None = None, when: Mapping[int, int | date]
) -> RaisedPerson:
    """Describe a young person by the flags told of; ``when``: of each, its working days or since when in breach."""
    shown = show_once(night.rules, lines, attrgetter("flag_id"))
    ordered = sorted(shown, key=lambda line: (rank(line.severity), line.opened_on, shown_id(night.rules, line.rule)))
    first = ordered[0]
    titles = dict.fromkeys(night.title(line.rule) for line in ordered[1:])
    titles.pop(night.title(first.rule), None)
    return RaisedPerson(
        person_id=first.person_id,
        link=night.link(first.person_id),
        adviser=one_line(first.personal_adviser) if first.personal_adviser else None,
        team=team,
        severity=first.severity,
        flag=_describe_flag(first, night, when[first.flag_id]),
        also=(also := keep_line(tuple(titles))),
        more=len(titles) - len(also),
    )


def _describe_flag(line: FlagLine, night: MessageContext, when: int | date) -> RaisedFlag:
    words = night.shown(line)
    working_days, since = (when, None) if isinstance(when, int) else (None, when)
    return RaisedFlag(
        title=words.title,
        sensitive=not words.in_full,
        because=words.because and one_line(words.because),
        due_on=words.due_on,
        opened_on=line.opened_on,
        working_days=working_days,
        answer=words.if_full(line.answer),
        answered_on=line.answered_on,
        action=words.action,
        list_row=None if words.in_full else night.list_rows.get(line.flag_id),
        since=words.if_full(since),
        at_least=since == line.opened_on and line.due_on is None,
    )
