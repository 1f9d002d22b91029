"""Makes the page of each team: one row a young person, the worst first, in one file that can load nothing.

It holds what the team's workbook holds, and when each flag was held, waived and answered. Whoever reads it can answer
it: the file that it saves carries the keys of the workbook (``answer_page`` reads it).
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from monitor.catalogue.person_ids import link_case
from monitor.errors import Problems
from monitor.figures.out_of_sight import SEVERAL
from monitor.files import open_privately
from monitor.flags.answers import WORDS
from monitor.flags.flag_history import KINDS, FlagHistory, Moment, load_history
from monitor.flags.priority import rank
from monitor.flags.waiver_request import LONGEST_NOTE
from monitor.lists import answer_sheet
from monitor.lists.answer_sheet import FlagToAnswer
from monitor.lists.flag_course import draw_course
from monitor.messages.answering import find_reader_of_answers
from monitor.messages.page_policy import allow, quoted_style
from monitor.messages.templates import Templates, capitalize_first, open_templates
from monitor.rulebook.clearing import in_words
from monitor.workspace import Workspace, in_chunks

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from monitor.config.settings import Config
    from monitor.lists.flag_workbook import ListTerms
    from monitor.rulebook.rule import Rule
    from monitor.rulebook.rulebook import Rulebook

TEMPLATE, STYLE, SCRIPT = "team.html", "team.css", "team.js"
MOST_PEOPLE = 2_000
"""Young people on one page; the list has all."""
NO_LONGER_A_RULE = "A rule no longer in the rulebook"


@dataclass(frozen=True)
class TeamPages:
    """What the pages need beside what every list of the night has.

    ``answers_to``: the mailbox that takes answers.
    ``faults``: what was wrong with a council's own template, where the shipped one was used in its place.
    """

    templates: Templates
    rules: Mapping[str, "Rule"]
    history: FlagHistory = field(default_factory=FlagHistory)
    authority: str = ""
    answers_to: str | None = None
    faults: list[str] = field(default_factory=list)


def describe_pages(
    config: "Config", rulebook: "Rulebook", templates: Templates, store: "Connection", as_at: dt.date
) -> TeamPages:
    """Return what the pages need, as the store and the settings are now."""
    history = load_history(store, as_at)
    answers_to = find_reader_of_answers(config)
    return TeamPages(templates, rulebook.by_id, history, config.authority, answers_to)


class PageStep(NamedTuple):
    """What happened on one day, and to which flags."""

    moment: Moment
    titles: tuple[str, ...]


class PageFlag(NamedTuple):
    """One flag as the page shows it. ``key``: with which it is answered, empty where it cannot be."""

    flag_id: int
    rule: str
    title: str
    severity: str
    state: str
    opened_on: dt.date
    days_open: int
    failing_since: dt.date | None
    waived_until: dt.date | None
    because: str
    action: str
    clears: str
    answered: str | None
    key: str


class PagePerson(NamedTuple):
    """One row. ``worst``: of the flags that are not waived, empty without one; ``ways``: of being out of sight."""

    person_id: str
    link: str | None
    adviser: str
    age: int | None
    worst: str
    ways: tuple[str, ...]
    severities: tuple[str, ...]
    flags: tuple[PageFlag, ...]
    steps: tuple[PageStep, ...]
    picture: Markup


class PageReason(NamedTuple):
    """A reason for which a flag may be waived."""

    code: str
    meaning: str
    longest: str


@dataclass(frozen=True)
class PageAnswering:
    """What may be answered on the page. ``first_day``: the earliest that a waiver may end on."""

    words: tuple[str, ...]
    reasons: tuple[PageReason, ...]
    list_working_days: int
    first_day: dt.date
    longest_note: int = LONGEST_NOTE


@dataclass(frozen=True)
class TeamPage:
    """What the template is given: chosen and put in order, with nothing to work out."""

    subject: str
    list_name: str
    authority: str
    marking: str
    as_at: dt.date
    people: Sequence[PagePerson]
    person_count: int
    flag_count: int
    open: int
    held: int
    waived: int
    about_data: int
    """How many of the flags are about the data: the lead's digest leaves those to the analyst."""
    answering: PageAnswering | None
    answers_to: str | None
    style: Markup
    script: Markup
    allowed: str


@dataclass(frozen=True)
class PagePart:
    """One page: where it is written, whose flags it shows, and the name of their list, without suffix."""

    path: Path
    subject: str
    list_name: str


class _Line(NamedTuple):
    """A flag as the list has it."""

    file: str
    person_id: str
    personal_adviser: str | None
    age: int | None
    rule: str
    title: str
    severity: str
    state: str
    opened_on: dt.date
    in_breach_since: dt.date
    days_open: int
    because: str
    waived_until: dt.date | None
    out_of_sight: str | None
    answered: str | None
    flag_id: int


def write_team_pages(workspace: Workspace, parts: Mapping[str, PagePart], terms: "ListTerms", pages: TeamPages) -> None:
    """Write a page of the flags that ``listed`` has under each file.

    A council's own template that cannot be filled is noted in ``pages.faults``, and the shipped one is used.
    """
    desk = _Desk(terms, pages)
    left = dict(parts)
    columns = ", ".join(f'"{name}"' for name in _Line._fields)
    query = f"SELECT {columns} FROM listed WHERE NOT aside ORDER BY file, n"
    lines = (_Line(*row) for chunk in in_chunks(workspace, query) for row in chunk)
    for file, flags in groupby(lines, itemgetter(0)):
        if file in left:
            desk.write(left.pop(file), flags)
    for part in left.values():
        desk.write(part, ())


class _Desk:
    """Writes the pages of one night: what they share is made once."""

    def __init__(self, terms: "ListTerms", pages: TeamPages) -> None:
        self.terms, self.pages = terms, pages
        self.style, self.script = pages.templates.read(STYLE), pages.templates.read(SCRIPT)
        self.answering = _allow_answers(terms)
        self.words: dict[str, tuple[str, str]] = {}

    def write(self, part: PagePart, lines: Iterable[_Line]) -> None:
        page = self._prepare(part, lines)
        try:
            text = self.pages.templates.fill_page(TEMPLATE, {"page": page})
        except Problems as fault:
            self.pages.faults.extend(fault.problems)
            text = open_templates().fill_page(TEMPLATE, {"page": page})
        with open_privately(part.path, "wb") as written:
            written.write(text.encode())

    def _prepare(self, part: PagePart, lines: Iterable[_Line]) -> TeamPage:
        people: list[PagePerson] = []
        person_count, about_data, states = 0, 0, Counter[str]()
        for _, theirs in groupby(lines, itemgetter(1)):
            flags = list(theirs)
            person_count += 1
            states.update(flag.state for flag in flags)
            about_data += sum(flag.severity == "data" for flag in flags)
            if person_count <= MOST_PEOPLE:
                people.append(self._show_person(flags))
        marking = self.terms.marking or ""
        style = self.style + quoted_style(marking, part.subject)
        return TeamPage(
            subject=part.subject,
            list_name=part.list_name,
            authority=self.pages.authority,
            marking=marking,
            as_at=self.terms.as_at,
            people=people,
            person_count=person_count,
            flag_count=states.total(),
            open=states["open"],
            held=states["held"],
            waived=states["waived"],
            about_data=about_data,
            answering=self.answering if people else None,
            answers_to=self.pages.answers_to,
            style=Markup(style),  # noqa: S704 - the shipped style and script, or a council's own: not data
            script=Markup(self.script),  # noqa: S704
            allowed=allow(style, self.script),
        )

    def _show_person(self, lines: Sequence[_Line]) -> PagePerson:
        first = lines[0]
        moments = [(line, self._list_moments(line)) for line in lines]
        severities = dict.fromkeys(line.severity for line in lines)
        cleared = self.pages.history.cleared.get(first.person_id, ())
        return PagePerson(
            first.person_id,
            link_case(self.terms.case_url, first.person_id),
            (first.personal_adviser or "").strip(),
            first.age,
            min((line.severity for line in lines if line.state != "waived"), key=rank, default=""),
            tuple(first.out_of_sight.split(SEVERAL)) if first.out_of_sight else (),
            tuple(severities),
            tuple(self._show_flag(line) for line in lines),
            tuple(self._list_steps(first.person_id, moments)),
            draw_course([(line.opened_on, found) for line, found in moments], cleared, self.terms.as_at),
        )

    def _list_moments(self, line: _Line) -> Sequence[Moment]:
        return self.pages.history.moments.get(line.flag_id, ())

    def _show_flag(self, line: _Line) -> PageFlag:
        action, clears = self._word_rule(line.rule)
        key = ""
        if self.terms.answering is not None:
            asked = FlagToAnswer(
                line.flag_id, line.person_id, line.rule, line.severity, line.in_breach_since, line.because,
            )  # fmt: skip
            key = answer_sheet.seal_row(asked, self.terms.answering, self.terms.as_at)
        since = line.in_breach_since
        return PageFlag(
            line.flag_id, line.rule, line.title, line.severity, line.state, line.opened_on, line.days_open,
            since if since and since < line.opened_on else None,
            line.waived_until, line.because, action, clears, line.answered, key,
        )  # fmt: skip

    def _word_rule(self, rule_id: str) -> tuple[str, str]:
        """What to do about a rule's flag, and what would clear it."""
        if rule_id not in self.words:
            rule = self.pages.rules.get(rule_id)
            self.words[rule_id] = (rule.action, capitalize_first(in_words(rule))) if rule else ("", "")
        return self.words[rule_id]

    def _list_steps(self, person_id: str, moments: Iterable[tuple[_Line, Sequence[Moment]]]) -> Iterator[PageStep]:
        """What happened to one young person's flags, the newest first; what is alike on one day together."""
        happened: list[tuple[Moment, str]] = []
        for line, found in moments:
            happened.append((Moment(line.opened_on, "opened"), line.title))
            happened += [(moment, line.title) for moment in found]
        for flag in self.pages.history.cleared.get(person_id, ()):
            rule = self.pages.rules.get(flag.rule)
            happened.append((Moment(flag.cleared_on, "cleared"), rule.title if rule else NO_LONGER_A_RULE))
        happened.sort(key=_place_step)
        for moment, together in groupby(happened, itemgetter(0)):
            titles = dict.fromkeys(title for _, title in together)
            yield PageStep(moment, tuple(titles))


def _place_step(happened: tuple[Moment, str]) -> tuple[int, int, str, str, dt.date]:
    moment = happened[0]
    return -moment.day.toordinal(), -KINDS.index(moment.kind), moment.what, moment.by, moment.until or dt.date.min


def _allow_answers(terms: "ListTerms") -> PageAnswering | None:
    if terms.answering is None:
        return None
    reasons = tuple(
        PageReason(code, reason.meaning, reason.longest) for code, reason in terms.answering.reasons.items()
    )
    return PageAnswering(WORDS, reasons, terms.answering.list_working_days, terms.as_at + dt.timedelta(1))
