"""What one oversight report holds, as values: the border between gathering figures and showing them.

Everything is worked out before it comes here: page and workbook count, sort and decide nothing. The board's edition
is made of the same classes, with less in them: no rows of people, no ids, no advisers, and numbers that are
``HIDDEN`` or an ``About``.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypeAlias

from monitor.figures.burn_down import BurnDown
from monitor.flags.state import State

Edition = Literal["service", "board"]

NO_BACKLOG = BurnDown()
OTHER_TEAMS = "Other teams"
NO_TEAM = "No team"
NOTHING_DONE = "Nothing yet"


class Hidden(Enum):
    """The one value of a number that the board's edition withholds: it is small, or would give away one that is."""

    HIDDEN = "[c]"


HIDDEN: Final = Hidden.HIDDEN


@dataclass(frozen=True, slots=True)
class About:
    """A number to the nearest ten, as the board's edition gives every count over five."""

    nearest: int


Number: TypeAlias = int | About | Hidden | None
"""A count. ``HIDDEN``: there is one and it is withheld. None: there is none (nobody was asked, there was no night)."""


def say(number: Number) -> str:
    """The number in words: "1,234", "about 120", "[c]" where it is withheld, "" where there is none."""
    if number is None:
        return ""
    if number is HIDDEN:
        return "[c]"
    return f"about {number.nearest:,}" if isinstance(number, About) else f"{number:,}"


# The head of the report.


@dataclass(frozen=True)
class SourceStanding:
    """One source on the last accepted night. ``kind``: as the config has it, such as "annex-a-list-9".

    ``working_days_old``: between ``extracted_on`` and the night. ``caveats``: what is known of such a source, by
    column, in sentences.
    """

    name: str
    kind: str
    extracted_on: dt.date | None = None
    working_days_old: int | None = None
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotAccepted:
    """A night since the last accepted one that was refused or failed, and why, in sentences (none for a board)."""

    as_at: dt.date
    state: Literal["refused", "failed"]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """How far the last accepted night can be believed. ``verdict``: "trusted", "degraded" or "stale".

    ``doubts``: why not wholly, in sentences. ``not_believed``: columns, as the catalogue names them.
    ``asked_on``: the date the rules were asked as at, where the sources are too old for the night's own.
    ``accepted_because``: what somebody said when they had a doubtful night believed.
    """

    verdict: str = "trusted"
    doubts: tuple[str, ...] = ()
    not_believed: tuple[str, ...] = ()
    asked_on: dt.date | None = None
    accepted_because: str | None = None


@dataclass(frozen=True)
class Header:
    """What stands above everything. ``as_at``: the last accepted night in the period; None where there is none yet.

    ``team``: the one team it is about, where one was asked for. ``people``: on the caseload that night;
    ``absent``: known, and not on it. ``chain_head``: the newest hash of the audit chain. ``adjustments``: how rules
    that stand for law were loosened, in sentences. ``first_night_on``: the first accepted night there is.
    ``unreadable``: columns with cells that could not be read, the most first, each with how many of 1,000 cells.
    """

    authority: str
    marking: str
    edition: Edition
    since: dt.date
    until: dt.date
    made_on: dt.date
    as_at: dt.date | None = None
    team: str | None = None
    people: Number = None
    absent: Number = None
    trust: Trust = Trust()
    sources: tuple[SourceStanding, ...] = ()
    not_accepted: tuple[NotAccepted, ...] = ()
    adjustments: tuple[str, ...] = ()
    chain_head: str | None = None
    unreadable: tuple[tuple[str, int], ...] = ()
    first_night_on: dt.date | None = None
    nights: int = 0


# The first screen.


@dataclass(frozen=True)
class Change:
    """A number beside an earlier night's: ``by`` is +3 or -2; None where there was no night then, or nobody asked."""

    since: dt.date | None = None
    by: Number = None


@dataclass(frozen=True)
class HowLong:
    """How long the people of one line have been out of sight: ``counts`` by ``SINCE``, days for the rest.

    ``not_known``: people whose record has no date; they are in no other number here. ``at_least_since``: the first
    night on which one of them was seen so. No board is told it, or the longest: each may be one person's.
    """

    longest_since: dt.date | None = None
    longest_days: Number = None
    median_days: Number = None
    counts: tuple[Number, ...] = ()
    not_known: Number = None
    at_least_since: dt.date | None = None


@dataclass(frozen=True)
class Sight:
    """One line of the first screen: young people, each counted once.

    ``name``: "everyone", a tier ("out-of-touch", "nobody-named") or a way of being out of touch; ``within``: the line
    that this one is a part of, "" for everyone. The two tiers add up to everyone: who is in both counts as out of
    touch, and ``also_nobody_named`` says of a line how many of it have nobody named too.
    ``bands``: people by ``AGES``, as many as are there. ``held``: those of ``people`` whom that night's data could
    neither confirm nor clear; ``waived``: those whom nobody chases for now, by decision. ``not_assessed``: checks
    of this kind that could not be made. ``asked``: False where no rule of this kind was asked (then there is no
    number); ``why_not`` says why. ``rules``: ids of the rules that make it up.
    """

    name: str
    label: str
    people: Number = None
    bands: tuple[Number, ...] = ()
    held: Number = None
    waived: Number = None
    not_assessed: Number = None
    since: HowLong = HowLong()
    last_week: Change = Change()
    last_month: Change = Change()
    asked: bool = True
    why_not: str | None = None
    rules: tuple[str, ...] = ()
    within: str = ""
    also_nobody_named: Number = None


@dataclass(frozen=True)
class TeamSight:
    """One team: how many it has, and how many of them are out of sight in any way."""

    team: str
    people: Number
    out_of_sight: Number


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One young person out of sight. Never in the board's edition.

    ``tier`` and ``ways``: their labels. ``since``: when the record says it began, or None where it has no date:
    then ``at_least_since`` is the first night that saw it. ``done``: what was done last, on ``done_on``.
    """

    person_id: str
    team: str
    adviser: str
    tier: str
    ways: tuple[str, ...]
    since: dt.date | None = None
    at_least_since: dt.date | None = None
    last_contact: dt.date | None = None
    done: str = NOTHING_DONE
    done_on: dt.date | None = None
    link: str | None = None


@dataclass(frozen=True)
class OutOfSight:
    """The first screen: everybody out of sight, then each tier with its ways, then the teams, then the people.

    ``restricted``: people counted above and kept out of ``people``, which is empty in the board's edition.
    """

    everyone: Sight
    kinds: tuple[Sight, ...] = ()
    teams: tuple[TeamSight, ...] = ()
    people: tuple[PersonRow, ...] = ()
    restricted: int = 0


# The rules.


@dataclass(frozen=True)
class RuleCounts:
    """What one rule's asking gave: ``asked`` = ``met`` + ``breach`` + ``cannot_assess``.

    ``waived`` (some of those in breach, or held) and ``held`` (flags that the night could neither confirm nor
    clear, whether asked or absent) stand beside them and are never counted as met.
    """

    asked: Number = None
    met: Number = None
    breach: Number = None
    cannot_assess: Number = None
    waived: Number = None
    held: Number = None


@dataclass(frozen=True)
class RuleFigures:
    """One rule that night, by team in alphabetical order. ``title``: what this edition may call it.

    ``standing``: None, or why it has no figures ("not in force", "no source supplies release date",
    "failed while running"). ``caveats``: what to know of its answers, in sentences.
    """

    rule: str
    title: str
    severity: str
    basis: str
    paragraphs: tuple[int, ...]
    total: RuleCounts
    teams: Mapping[str, RuleCounts] = field(default_factory=dict)
    standing: str | None = None
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trend:
    """One line over the weeks of the report. ``values`` go with ``Contents.weeks``; None: no accepted night that week.

    ``name``: "everyone", a kind of ``Sight``, a rule's id, or a team's name. A rule's values are its flags standing:
    open, held or waived.
    """

    name: str
    label: str
    values: tuple[Number, ...]


@dataclass(frozen=True)
class Trends:
    """Lines over the weeks: people out of sight (everyone, then each kind), all of them by team, flags by rule."""

    sight: tuple[Trend, ...] = ()
    teams: tuple[Trend, ...] = ()
    rules: tuple[Trend, ...] = ()


@dataclass(frozen=True)
class ClearingDays:
    """Days from breach to clearing in the period, of one rule or one severity (``rule`` is then empty).

    ``standing``: not cleared yet. Quartiles are of those cleared; None where there are too few.
    """

    rule: str
    label: str
    severity: str
    cleared: Number
    standing: Number
    lower: Number = None
    median: Number = None
    upper: Number = None


# What was done.


@dataclass(frozen=True)
class Tally:
    """So many of something in the period, such as escalations by step, answers by kind or waivers by reason.

    ``in_week`` and ``in_month``: of these, up to the last night; ``last_on``: the last of them. No board is told when.
    """

    label: str
    count: Number = None
    in_week: Number = None
    in_month: Number = None
    last_on: dt.date | None = None


@dataclass(frozen=True)
class WaiverRow:
    """One waiver in force, or one that ended in the period (``ended_on``). Never in the board's edition."""

    person_id: str
    team: str | None
    rule: str
    title: str
    reason: str
    by: str
    until: dt.date
    ended_on: dt.date | None = None
    link: str | None = None


@dataclass(frozen=True)
class WaiverFigures:
    """``ending_soon``: those in force that end within 14 days, of ``in_force``."""

    in_force: Number = 0
    ending_soon: Number = 0
    ended: Number = 0
    reasons: tuple[Tally, ...] = ()
    rows: tuple[WaiverRow, ...] = ()
    rows_left_out: int = 0


@dataclass(frozen=True)
class WhatWasDone:
    """What people did in the period: escalations by step, answers of leads by kind, flags opened and ended.

    ``opened`` and ``backlog`` are apart, and the mails count both as opened. ``escalated`` and ``answered``: of every
    kind; no board is told them, because they are sums. A flag that another carries on is opened once.
    """

    escalations: tuple[Tally, ...] = ()
    answers: tuple[Tally, ...] = ()
    opened: Tally = Tally("Opened")
    backlog: Tally = Tally("Found on a first night")
    cleared: Tally = Tally("Cleared")
    no_longer_asked: Tally = Tally("No longer asked")
    rule_changed: Tally = Tally("No longer asked for (rule changed)")
    escalated: Tally = Tally("Raised above the lead")
    answered: Tally = Tally("Answered by a lead")
    waived: Tally = Tally("Waived")


@dataclass(frozen=True)
class WeekFlow:
    """What one week opened and cleared, and its nights that were tried and not accepted. ``week``: its Monday."""

    week: dt.date
    opened: Number
    backlog: Number
    cleared: Number
    refused: tuple[dt.date, ...] = ()


@dataclass(frozen=True, slots=True)
class UnansweredRow:
    """One open flag that no lead has answered, nor waived. ``opened_on``: since when it waits, ``days`` of them."""

    person_id: str
    team: str
    title: str
    severity: str
    opened_on: dt.date
    days: int
    link: str | None = None


@dataclass(frozen=True)
class Unanswered:
    """The open flags that have no answer: ``total`` of them, and the oldest of people who may be shown."""

    total: Number = None
    rows: tuple[UnansweredRow, ...] = ()


# The service.


@dataclass(frozen=True)
class AdviserRow:
    """One personal adviser's caseload. Never in the board's edition."""

    adviser: str
    team: str
    people: int
    with_flags: int
    over_cap: bool


@dataclass(frozen=True)
class TeamCaseload:
    """The advisers of one team: how many, how many over the cap, and the young people shown with none."""

    team: str
    advisers: Number
    over_cap: Number
    without_adviser: Number


@dataclass(frozen=True)
class Caseloads:
    """``cap``: the number of young people above which an adviser is counted as over it."""

    cap: int
    teams: tuple[TeamCaseload, ...] = ()
    advisers: tuple[AdviserRow, ...] = ()


@dataclass(frozen=True)
class MeasureFigure:
    """One figure of the service: ``numerator`` of ``denominator``, and how many could not be counted either way.

    ``percent`` is of the numbers as shown; ``percent_before`` four weeks earlier (``before_on``).
    """

    name: str
    label: str
    numerator: Number
    denominator: Number
    not_assessed: Number
    percent: Number = None
    percent_before: Number = None
    before_on: dt.date | None = None


@dataclass(frozen=True)
class ParagraphRule:
    """One rule that asks about a paragraph, and what it found; ``standing`` as in ``RuleFigures``."""

    rule: str
    title: str
    asked: Number
    breach: Number
    cannot_assess: Number
    standing: str | None = None


@dataclass(frozen=True)
class ReportParagraph:
    """A paragraph of the inspection report: its rules, or why it has none, and the parts that no rule asks.

    ``about``: what it says, in a few words of our own.
    """

    number: int
    rules: tuple[ParagraphRule, ...] = ()
    why_none: str | None = None
    not_asked: tuple[tuple[str, str], ...] = ()
    about: str = ""


# The list.


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One unresolved flag. ``title`` and ``because``: what may be said of a sensitive rule, if it is one.

    ``since``: in breach since; ``days``: since then. ``link``: https, to the case.
    """

    person_id: str
    team: str
    adviser: str
    age: int | None
    rule: str
    title: str
    severity: str
    state: State
    since: dt.date
    days: int
    because: str
    action: str
    link: str | None = None


@dataclass(frozen=True)
class FlagList:
    """The worst flags, worst person first. ``total``: all there are; ``restricted``: people kept out of the list."""

    rows: tuple[FlagRow, ...] = ()
    total: int = 0
    restricted: int = 0

    @property
    def left_out(self) -> int:
        """How many flags are in the lists and not here."""
        return self.total - len(self.rows)


@dataclass(frozen=True)
class Contents:
    """A whole report. ``flags``, advisers and waiver rows are empty in the board's edition.

    ``weeks``: the night each week is told by, the last of it; None where a week had no accepted night.
    ``week_starts``: the Monday of each week; ``flow`` has the same weeks. ``teams``: every team shown, in order.
    ``backlog``, ``flow`` and ``unanswered`` are empty in the board's edition.
    """

    header: Header
    sight: OutOfSight
    teams: tuple[str, ...] = ()
    rules: tuple[RuleFigures, ...] = ()
    week_starts: tuple[dt.date, ...] = ()
    weeks: tuple[dt.date | None, ...] = ()
    trends: Trends = Trends()
    clearing: tuple[ClearingDays, ...] = ()
    done: WhatWasDone = WhatWasDone()
    flow: tuple[WeekFlow, ...] = ()
    backlog: BurnDown = NO_BACKLOG
    unanswered: Unanswered = Unanswered()
    waivers: WaiverFigures = WaiverFigures()
    caseloads: Caseloads = Caseloads(cap=25)
    measures: tuple[MeasureFigure, ...] = ()
    paragraphs: tuple[ReportParagraph, ...] = ()
    flags: FlagList = FlagList()

    @property
    def is_empty(self) -> bool:
        """Whether there is no accepted night to tell of."""
        return self.header.as_at is None

    @property
    def is_board(self) -> bool:
        return self.header.edition == "board"
