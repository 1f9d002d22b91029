"""Makes the page of an oversight report: one file that holds everything it needs and can load nothing else."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import filterfalse

from markupsafe import Markup

from monitor.figures.out_of_sight import SINCE
from monitor.flags.priority import rank
from monitor.messages.page_policy import allow, quoted_style
from monitor.messages.templates import Templates
from monitor.report.charts import SMALL, WIDE, LineChart, draw
from monitor.report.contents import (
    HIDDEN,
    AdviserRow,
    Contents,
    FlagRow,
    Number,
    PersonRow,
    RuleFigures,
    Sight,
    TeamSight,
    Trend,
    say,
)
from monitor.rulebook.ledger import REPORT

TEMPLATE, STYLE, SCRIPT = "report.html", "report.css", "report.js"
MOST_TEAM_PICTURES = 24
MOST_RULE_PICTURES = 12
MOST_ADVISERS = 300
MOST_PEOPLE = 300
MOST_TEAMS_PRINTED = 12
"""With more, what folds away stays out of a printed report unless it was opened."""
FEWEST_POINTS = 2
"""Fewer make no line."""


@dataclass(frozen=True)
class Point:
    """One week of a line: the Monday it starts on, the night it is told by, and the number."""

    week: dt.date
    night: dt.date | None
    number: Number


@dataclass(frozen=True)
class Course:
    """A trend as a reader is told of it. ``key``: for the ids of its picture; ``last``: the newest night's point.

    ``lowest`` and ``highest`` are of the numbers that are shown; ``silent``: weeks without an accepted night;
    ``withheld``: weeks whose number is.
    """

    key: str
    label: str
    points: tuple[Point, ...]
    last: Point | None
    first: Point | None
    lowest: Number
    highest: Number
    silent: int
    withheld: int
    has_line: bool
    severity: str = ""

    def back(self, weeks: int) -> Number:
        """The number so many weeks before the last."""
        place = len(self.points) - 1 - weeks
        return self.points[place].number if place >= 0 else None


@dataclass(frozen=True)
class Page:
    """What the template is given beside the contents: chosen and put in order, with nothing to work out."""

    ways: tuple[Sight, ...]
    since_names: tuple[str, ...]
    people: tuple[PersonRow, ...]
    more_people: int
    everyone: Course | None
    kinds: tuple[Course, ...]
    teams: tuple[Course, ...]
    more_teams: int
    rules: tuple[Course, ...]
    every_rule: tuple[Course, ...]
    nights: int
    worst_teams: tuple[TeamSight, ...]
    figures: tuple[RuleFigures, ...]
    not_asked: tuple[RuleFigures, ...]
    few_teams: bool
    advisers: tuple[AdviserRow, ...]
    more_advisers: int
    next_steps: Mapping[str, str]
    inspection: str
    style: Markup
    script: Markup
    allowed: str


def write_page(contents: Contents, templates: Templates) -> str:
    """The whole page as HTML; the templates choose its words and layout."""
    page = _prepare(contents, templates)
    values = {
        "report": contents, "page": page, "number": show_number, "in_words": say, "size": size, "share": share,
        "draw": _Drawing(page),
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


# Choosing what is shown.


def _prepare(contents: Contents, templates: Templates) -> Page:
    trends = contents.trends
    sight = [_follow(contents, f"sight-{n}", trend) for n, trend in enumerate(trends.sight)]
    teams = [_follow(contents, f"team-{n}", trend) for n, trend in enumerate(trends.teams)]
    rules = _follow_rules(contents)
    drawn = _drawn(teams)
    style, script = _style(contents, templates), templates.read(SCRIPT)
    advisers = sorted(contents.caseloads.advisers, key=lambda row: (-row.people, row.adviser))
    return Page(
        ways=(contents.sight.everyone, *contents.sight.kinds),
        since_names=tuple(name[0].upper() + name[1:] for name in SINCE),
        people=contents.sight.people[:MOST_PEOPLE],
        more_people=max(0, len(contents.sight.people) - MOST_PEOPLE),
        everyone=sight[0] if sight else None,
        kinds=tuple(sight[1:]),
        teams=_alphabetical(sorted(drawn, key=_weight)[:MOST_TEAM_PICTURES]),
        more_teams=max(0, len(drawn) - MOST_TEAM_PICTURES),
        rules=tuple(sorted(_drawn(rules), key=_weight)[:MOST_RULE_PICTURES]),
        every_rule=tuple(rules),
        nights=sum(night is not None for night in contents.weeks),
        worst_teams=_worst_first(contents.sight.teams),
        figures=tuple(filterfalse(_is_not_asked, contents.rules)),
        not_asked=tuple(filter(_is_not_asked, contents.rules)),
        few_teams=len(contents.teams) <= MOST_TEAMS_PRINTED,
        advisers=tuple(advisers[:MOST_ADVISERS]),
        more_advisers=max(0, len(advisers) - MOST_ADVISERS),
        next_steps=_next_steps(contents.flags.rows),
        inspection=REPORT,
        style=Markup(style),  # noqa: S704 - the shipped style and script, or a council's own: not data
        script=Markup(script),  # noqa: S704
        allowed=allow(style, script),
    )


def _is_not_asked(rule: RuleFigures) -> bool:
    return rule.standing is not None


def _drawn(courses: Iterable[Course]) -> list[Course]:
    return [course for course in courses if course.has_line]


def _follow_rules(contents: Contents) -> list[Course]:
    severities = {rule.rule: rule.severity for rule in contents.rules}
    return [
        _follow(contents, f"rule-{n}", trend, severities.get(trend.name, ""))
        for n, trend in enumerate(contents.trends.rules)
    ]


def _worst_first(teams: Iterable[TeamSight]) -> tuple[TeamSight, ...]:
    return tuple(sorted(teams, key=lambda team: (-(size(team.out_of_sight) or 0), team.team)))


def _next_steps(rows: Iterable[FlagRow]) -> dict[str, str]:
    """What is to be done about each rule of the list, said once; in the order of the list."""
    steps: dict[str, dict[str, None]] = {}
    for row in rows:
        steps.setdefault(row.title, {})[row.action] = None
    return {title: " ".join(filter(None, actions)) for title, actions in steps.items()}


def _weight(course: Course) -> tuple[int, int, str]:
    """The most severe first, then the most people."""
    return rank(course.severity), -(size(course.last.number) or 0 if course.last else 0), course.label


def _alphabetical(courses: Iterable[Course]) -> tuple[Course, ...]:
    return tuple(sorted(courses, key=lambda course: course.label))


def _follow(contents: Contents, key: str, trend: Trend, severity: str = "") -> Course:
    points = tuple(map(Point, contents.week_starts, contents.weeks, trend.values))
    told = [point for point in points if size(point.number) is not None]
    by_size = sorted(told, key=lambda point: size(point.number) or 0)
    return Course(
        key=key,
        label=trend.label,
        points=points,
        last=points[-1] if points else None,
        first=told[0] if told else None,
        lowest=by_size[0].number if told else None,
        highest=by_size[-1].number if told else None,
        silent=sum(point.night is None for point in points),
        withheld=sum(point.number is HIDDEN for point in points),
        has_line=len(told) >= FEWEST_POINTS,
        severity=severity,
    )


class _Drawing:
    """Draws the courses of a page; those of one group share a scale, so that they can be compared."""

    def __init__(self, page: Page) -> None:
        groups = (page.kinds, page.teams, page.rules)
        self._highest = {
            course.key: max(size(each.highest) or 0 for each in group) for group in groups for course in group
        }

    def __call__(self, course: Course, title: str, says: str, *, wide: bool = False) -> Markup:
        shape = WIDE if wide else SMALL
        chart = LineChart(
            f"{course.key}-{shape.width}",
            _plain(title),
            _plain(says),
            [point.week for point in course.points],
            [size(point.number) for point in course.points],
        )
        return draw(chart, shape, self._highest.get(course.key))


def _plain(words: str) -> str:
    """Words as text: what a macro returns has been escaped already."""
    return words.unescape() if isinstance(words, Markup) else words


# What the page carries.


def _style(contents: Contents, templates: Templates) -> str:
    """The style, with what is printed at the top of each sheet: margins of a sheet take words from nowhere else."""
    header = contents.header
    heading = ", ".join(filter(None, (header.authority, header.team)))
    return templates.read(STYLE) + quoted_style(header.marking, heading)
