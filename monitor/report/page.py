"""Makes the page of an oversight report: one file that holds everything it needs and can load nothing else."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from monitor.figures.out_of_sight import SINCE
from monitor.messages.page_policy import allow, quoted_style
from monitor.messages.templates import Templates
from monitor.report.charts import draw_bars, draw_line
from monitor.report.contents import (
    HIDDEN,
    AdviserRow,
    Contents,
    FlagRow,
    HowLong,
    Number,
    PersonRow,
    RuleFigures,
    Sight,
    TeamSight,
    Trend,
    WeekFlow,
    say,
)
from monitor.rulebook.ledger import REPORT
from monitor.words import MONTHS, write_count

TEMPLATE, STYLE, SCRIPT = "report.html", "report.css", "report.js"
TITLE = "Young people out of sight"
MOST_ADVISERS = 300
MOST_PEOPLE = 300
LONGEST_NAMED = 3
"""Young people whom the first screen names: those out of sight longest."""
MOST_MOVED = 5
MOVED_WEEKS = 4
WEEKS_DRAWN = 6
REFUSED_WEEKS = 4
"""Weeks of which the first page names the nights that were not accepted."""
MOST_UNREADABLE = 3
NEAR_DAYS, FAR_DAYS = 25, 330
"""A nearer day is said as a day, one between as a month, a further one as a month with its year."""


@dataclass(frozen=True)
class Point:
    """One week of a line: the Monday it starts on, the night it is told by, and the number."""

    week: dt.date
    night: dt.date | None
    number: Number


@dataclass(frozen=True)
class Course:
    """A trend as a reader is told of it. ``then`` and ``last``: its two ends; ``values``: as they are drawn.

    ``lowest`` and ``highest`` are of the numbers that are shown; ``silent``: weeks without an accepted night;
    ``withheld``: weeks whose number is.
    """

    label: str
    points: tuple[Point, ...]
    values: tuple[int | None, ...]
    then: Point | None
    last: Point | None
    lowest: Number
    highest: Number
    silent: int
    withheld: int
    title: str

    def back(self, weeks: int) -> Point | None:
        """Return the week so many weeks before the last, or the first that has a number, if that is later."""
        earlier = self.points[max(0, len(self.points) - 1 - weeks) : -1]
        return next((point for point in earlier if size(point.number) is not None), None)


@dataclass(frozen=True)
class TrendRow:
    """A row of figures with its title, which tells the trend, and its course over the weeks, if it has one."""

    title: str
    figures: Any
    course: Course | None


@dataclass(frozen=True)
class WeekRow:
    """The figures of one week: those of ``Trends.sight`` in order, and what was opened and cleared."""

    week: dt.date
    night: dt.date | None
    values: tuple[Number, ...]
    flow: WeekFlow | None


@dataclass(frozen=True)
class BacklogWeeks:
    """The backlog of a first night: its title, and what was left at the end of each week, now last."""

    title: str
    left: tuple[tuple[str, int], ...]
    most: int


@dataclass(frozen=True)
class Page:
    """What the template is given beside the contents: chosen and put in order, with nothing to work out."""

    marking: str
    title: str
    ways: tuple[TrendRow, ...]
    longest: tuple[PersonRow, ...]
    since: tuple[tuple[str, Number], ...]
    since_title: str
    most_since: int
    people: tuple[PersonRow, ...]
    more_people: int
    moved: tuple[TrendRow, ...]
    flow: tuple[WeekFlow, ...]
    flow_title: str
    most_in_week: int
    marked: tuple[int, ...]
    weeks: tuple[WeekRow, ...]
    backlog: BacklogWeeks | None
    refused: tuple[dt.date, ...]
    unreadable: tuple[str, ...]
    teams: tuple[TrendRow, ...]
    rules: tuple[TrendRow, ...]
    not_asked: tuple[RuleFigures, ...]
    advisers: tuple[AdviserRow, ...]
    more_advisers: int
    next_steps: Mapping[str, str]
    inspection: str
    style: Markup
    script: Markup
    allowed: str


def write_page(contents: Contents, templates: Templates) -> str:
    """The whole page as HTML; the templates choose its words and layout."""
    values = {
        "report": contents, "page": _prepare(contents, templates), "number": show_number, "in_words": say,
        "size": size, "share": share, "line": _draw_line, "bars": _draw_bars,
    }  # fmt: skip
    return templates.fill_page(TEMPLATE, values)


# Numbers.


def show_number(number: Number) -> Markup:
    """A number in a cell; one that is withheld or is not there is said to whoever listens to the page, too."""
    if number is None:
        return Markup('<span aria-hidden="true">–</span><span class="visually-hidden">no figure</span>')  # noqa: RUF001
    if number is HIDDEN:
        return Markup('<span aria-hidden="true">[c]</span><span class="visually-hidden">not shown</span>')
    return Markup("{}").format(say(number))


def size(number: Number) -> int | None:
    """The number itself, or the nearest ten of it; None where it is withheld or there is none."""
    if number is None or number is HIDDEN:
        return None
    return number if isinstance(number, int) else number.nearest


def share(part: Number, rest: Number) -> int | None:
    """``part`` of the two together in per cent, where both are shown as they are."""
    if not isinstance(part, int) or not isinstance(rest, int) or part + rest == 0:
        return None
    return round(100 * part / (part + rest))


def title_trend(label: str, now: Number, then: Number = None, on: dt.date | None = None, *, as_at: dt.date) -> str:
    """Return a title that tells the trend: "No fixed abode: 5, was 2 in May"; the number alone without an earlier."""
    if now is None:
        return label
    if then is None or then is HIDDEN or now is HIDDEN or on is None:
        return f"{label}: {say(now)}"
    return f"{label}: {say(now)}, {'as' if then == now else f'was {say(then)}'} {_name_time(on, as_at)}"


def _name_time(day: dt.date, as_at: dt.date) -> str:
    days, month = (as_at - day).days, MONTHS[day.month - 1]
    if days < NEAR_DAYS:
        return f"on {day.day} {month}"
    return f"in {month}" if days < FAR_DAYS else f"in {month} {day.year}"


def _draw_line(course: Course, says: str, marked: Collection[int] = ()) -> Markup:
    """Draw a course; what a macro says has been escaped already."""
    return draw_line(course.values, says.unescape() if isinstance(says, Markup) else says, marked)


def _draw_bars(*numbers: Number, most: int) -> Markup:
    return draw_bars([size(number) or 0 for number in numbers], most)


# Choosing what is shown.


def _prepare(contents: Contents, templates: Templates) -> Page:
    style, script = _style(contents, templates), templates.read(SCRIPT)
    advisers = sorted(contents.caseloads.advisers, key=lambda row: (-row.people, row.adviser))
    asked = [line for line in _follow_rules(contents) if line.figures.standing is None]
    lines = {trend.name: _follow(contents, trend) for trend in (*contents.trends.sight, *contents.trends.teams)}
    ways = [
        TrendRow(_title_way(way, contents), way, lines.get(way.name))
        for way in (replace(contents.sight.everyone, label="All of them"), *contents.sight.kinds)
    ]
    return Page(
        marking=contents.header.marking,
        title=_title_way(replace(contents.sight.everyone, label=TITLE), contents),
        ways=tuple(ways),
        longest=_find_longest(contents.sight.people),
        since=_list_since(contents.sight.everyone.since),
        since_title=_title_since(contents.sight.everyone.since),
        most_since=max((size(number) or 0 for _, number in _list_since(contents.sight.everyone.since)), default=0),
        people=contents.sight.people[:MOST_PEOPLE],
        more_people=max(0, len(contents.sight.people) - MOST_PEOPLE),
        moved=_find_moved(contents, asked),
        flow=contents.flow[-WEEKS_DRAWN:],
        flow_title=_title_flow(contents),
        most_in_week=_find_most(contents.flow[-WEEKS_DRAWN:]),
        marked=tuple(n for n, week in enumerate(contents.flow) if week.refused),
        weeks=_list_weeks(contents),
        backlog=_lay_out_backlog(contents),
        refused=_find_refused(contents),
        unreadable=_list_unreadable(contents.header.unreadable),
        teams=tuple(TrendRow(team.team, team, lines.get(team.team)) for team in _worst_first(contents.sight.teams)),
        rules=tuple(asked),
        not_asked=tuple(rule for rule in contents.rules if rule.standing is not None),
        advisers=tuple(advisers[:MOST_ADVISERS]),
        more_advisers=max(0, len(advisers) - MOST_ADVISERS),
        next_steps=_next_steps(contents.flags.rows),
        inspection=REPORT,
        style=Markup(style),  # noqa: S704 - the shipped style and script, or a council's own: not data
        script=Markup(script),  # noqa: S704
        allowed=allow(style, script),
    )


def _as_at(contents: Contents) -> dt.date:
    return contents.header.as_at or contents.header.until


def _title_way(way: Sight, contents: Contents) -> str:
    change = way.last_month if way.last_month.by is not None else way.last_week
    then = way.people - change.by if isinstance(way.people, int) and isinstance(change.by, int) else None
    return title_trend(way.label, way.people, then, change.since, as_at=_as_at(contents))


def _find_longest(people: Iterable[PersonRow]) -> tuple[PersonRow, ...]:
    dated = [(row.since or row.at_least_since, row) for row in people]
    return tuple(row for _, row in sorted(dated, key=lambda each: each[0] or dt.date.max)[:LONGEST_NAMED])


def _list_since(since: HowLong) -> tuple[tuple[str, Number], ...]:
    """Return how many people have been out of sight so long, the longest first, and last those of whom none knows."""
    if not since.counts:
        return ()
    names = [name[0].upper() + name[1:] for name in SINCE]
    return (*reversed(list(zip(names, since.counts, strict=True))), ("Not known", since.not_known))


def _title_since(since: HowLong) -> str:
    longest, unknown = since.counts[-1] if since.counts else None, since.not_known
    words = [f"Over a year: {say(longest)}"] if longest is not None else []
    return "; ".join([*words, *([f"not known: {say(unknown)}"] if unknown is not None else [])])


def _title_flow(contents: Contents) -> str:
    opened, cleared = contents.done.opened.in_month, contents.done.cleared.in_month
    return f"In the last month: {say(opened)} opened, {say(cleared)} cleared"


def _find_most(flow: Iterable[WeekFlow]) -> int:
    return max((size(number) or 0 for week in flow for number in (week.opened, week.cleared)), default=0)


def _list_weeks(contents: Contents) -> tuple[WeekRow, ...]:
    """Return the weeks with their figures, the last first."""
    columns = [trend.values for trend in contents.trends.sight]
    flow = contents.flow or (None,) * len(contents.weeks)
    rows = map(WeekRow, contents.week_starts, contents.weeks, zip(*columns, strict=True), flow)
    return tuple(reversed(list(rows)))


def _find_moved(contents: Contents, rules: Iterable[TrendRow]) -> tuple[TrendRow, ...]:
    """Return the rules whose flags moved most in the last weeks, the most first, each with that as its title."""
    moved: list[tuple[int, TrendRow]] = []
    for line in rules:
        then = line.course.back(MOVED_WEEKS) if line.course is not None else None
        last = line.course.last if line.course is not None else None
        if then is None or last is None or not isinstance(then.number, int) or not isinstance(last.number, int):
            continue
        title = title_trend(line.figures.title, last.number, then.number, then.night, as_at=_as_at(contents))
        moved.append((abs(last.number - then.number), replace(line, title=title)))
    return tuple(line for by, line in sorted(moved, key=lambda each: -each[0])[:MOST_MOVED] if by)


def _lay_out_backlog(contents: Contents) -> BacklogWeeks | None:
    if not contents.backlog:
        return None
    total = contents.backlog.total
    weeks = range(len(total.before), 0, -1)
    left = [(f"{write_count(n, 'week')} ago", number) for n, number in zip(weeks, total.before, strict=True)]
    before = total.before[-1] if total.before else None
    words = "" if before is None else f", {'as' if before == total.left else f'was {before:,}'} a week ago"
    return BacklogWeeks(
        f"Left of what the first night found: {total.left:,}{words}",
        (*left, ("Now", total.left)),
        max(total.left, *total.before) if total.before else total.left,
    )


def _list_unreadable(columns: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return the columns with most cells that could not be read, in per cent, and how many columns more."""
    named = [f"{name} {per_mille / 10:g}%" for name, per_mille in columns[:MOST_UNREADABLE]]
    others = len(columns) - len(named)
    return (*named, *([write_count(others, "more column")] if others else []))


def _find_refused(contents: Contents) -> tuple[dt.date, ...]:
    nights = [night for week in contents.flow[-REFUSED_WEEKS:] for night in week.refused]
    return tuple(sorted({*nights, *(night.as_at for night in contents.header.not_accepted)}))


def _follow_rules(contents: Contents) -> list[TrendRow]:
    courses = {trend.name: _follow(contents, trend) for trend in contents.trends.rules}
    return [
        TrendRow(courses[rule.rule].title if rule.rule in courses else rule.title, rule, courses.get(rule.rule))
        for rule in contents.rules
    ]


def _worst_first(teams: Iterable[TeamSight]) -> list[TeamSight]:
    return sorted(teams, key=lambda team: (-(size(team.out_of_sight) or 0), team.team))


def _next_steps(rows: Iterable[FlagRow]) -> dict[str, str]:
    """What is to be done about each rule of the list, said once; in the order of the list."""
    steps: dict[str, dict[str, None]] = {}
    for row in rows:
        steps.setdefault(row.title, {})[row.action] = None
    return {title: " ".join(filter(None, actions)) for title, actions in steps.items()}


def _follow(contents: Contents, trend: Trend) -> Course:
    points = tuple(map(Point, contents.week_starts, contents.weeks, trend.values))
    values = tuple(size(number) for number in trend.values)
    told = [point for point, value in zip(points, values, strict=True) if value is not None]
    by_size = sorted(told, key=lambda point: size(point.number) or 0)
    then, last = told[0] if told else None, points[-1] if points else None
    is_line = then is not None and last is not None and then is not last
    return Course(
        label=trend.label,
        points=points,
        values=values,
        then=then if is_line else None,
        last=last,
        lowest=by_size[0].number if told else None,
        highest=by_size[-1].number if told else None,
        silent=sum(point.night is None for point in points),
        withheld=sum(point.number is HIDDEN for point in points),
        title=title_trend(
            trend.label,
            last.number if last else None,
            then.number if then and is_line else None,
            then.night if then else None,
            as_at=_as_at(contents),
        ),
    )


# What the page carries.


def _style(contents: Contents, templates: Templates) -> str:
    """The style, with what is printed at the top of each sheet: margins of a sheet take words from nowhere else."""
    header = contents.header
    heading = ", ".join(filter(None, (header.authority, header.team)))
    return templates.read(STYLE) + quoted_style(header.marking, heading)
