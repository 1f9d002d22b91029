"""Draws lines over weeks as SVG that stands inside the page: coloured by the page's own style, with nothing to run."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from xml.sax.saxutils import escape

from markupsafe import Markup

from monitor.words import MONTHS

MOST_TICKS = 4
LABEL_SIZE = 13
"""Of the words in a picture, in its own units: the page shows a picture at about its own width."""
LETTER = 0.6
"""How wide a letter is, of its height; near enough for the room that numbers need."""
TOP, RIGHT, EDGE, SPACE = 10, 24, 2, 8
INSET = 0.02
"""Of its width and height, what a line keeps off each end."""
GUIDE = ' class="guide"'


@dataclass(frozen=True)
class Shape:
    """How wide and high a picture is drawn, and the most days named below it."""

    width: int
    height: int
    most_days: int


WIDE = Shape(760, 250, 9)
SMALL = Shape(320, 150, 3)


@dataclass(frozen=True)
class LineChart:
    """One line over evenly spaced days, broken where there is no value.

    ``key`` tells its ids from those of every other picture of the page; ``says`` is for a reader who cannot see it.
    """

    key: str
    title: str
    says: str
    days: Sequence[dt.date]
    values: Sequence[int | None]


def draw(chart: LineChart, shape: Shape = SMALL, highest: int | None = None) -> Markup:
    """Return the chart as SVG; charts to be compared are given the same ``highest`` value."""
    ticks = pick_ticks(max([highest or 0, *(value for value in chart.values if value is not None)]))
    field = _Field(shape, len(chart.days), ticks)
    words = name_days(chart.days, shape.most_days)
    named = {n: words[day] for n, day in enumerate(chart.days) if day in words}
    points = [None if value is None else (field.x(n), field.y(value)) for n, value in enumerate(chart.values)]
    dots = [point for point, is_shown in zip(points, _shows_dot(chart.values), strict=True) if point and is_shown]
    circles = [f'<g><circle cx="{_round(x)}" cy="{_round(y)}" r="3.5" /></g>' for x, y in dots]
    groups = (_draw_scale(field, ticks) + _draw_days(field, named) + _draw_line(points), _group("series", circles))
    key = chart.key
    picture = (
        f'<svg class="picture" viewBox="0 0 {shape.width} {shape.height}" role="img" '
        f'aria-labelledby="{key}-title {key}-says"><title id="{key}-title">{escape(chart.title)}</title>'
        f'<desc id="{key}-says">{escape(chart.says)}</desc><g>'
    )
    picture += "".join(f'<g transform="translate({int(field.left)}, {TOP})">{drawn}</g>' for drawn in groups if drawn)
    return Markup(f"{picture}</g></svg>")  # noqa: S704 - all but numbers and the key is escaped


def pick_ticks(highest: int) -> tuple[int, ...]:
    """Nought and a few round numbers above it, the last of them no lower than ``highest``."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if step * MOST_TICKS >= highest:
                most = max(1, -(-highest // step))
                return tuple(step * n for n in range(most + 1))
        size *= 10


def name_days(days: Sequence[dt.date], most: int) -> dict[dt.date, str]:
    """The days to be named below a picture: the first of evenly spaced months, or of a short time the two ends."""
    if not days:
        return {}
    firsts = [later for earlier, later in pairwise(days) if (earlier.year, earlier.month) != (later.year, later.month)]
    for every in (1, 2, 3, 6, 12):
        named = [day for day in firsts if (day.month - 1) % every == 0]
        if 2 <= len(named) <= most:
            return {day: _name_month(day, first=day == named[0]) for day in named}
    return {day: f"{day.day} {MONTHS[day.month - 1][:3]}" for day in (days[0], days[-1])}


def _name_month(day: dt.date, *, first: bool) -> str:
    month = MONTHS[day.month - 1][:3]
    return f"{month} {day.year}" if first or day.month == 1 else month


class _Field:
    """Where the line is drawn, beside the numbers of the scale and above the days: places in the picture's units."""

    def __init__(self, shape: Shape, days: int, ticks: Sequence[int]) -> None:
        longest = max(len(f"{tick:,}") for tick in ticks)
        self.left = EDGE + SPACE + max(longest * LETTER * LABEL_SIZE, LABEL_SIZE)
        self.width = shape.width - self.left - RIGHT
        self.height = shape.height - TOP - EDGE - SPACE - LABEL_SIZE
        self._days, self._most = days, ticks[-1]

    def x(self, day: int) -> float:
        return self.width * _inset(day / (self._days - 1) if self._days > 1 else 0.5)

    def y(self, value: int) -> float:
        return self.height * (1 - _inset(value / self._most))


def _inset(part: float) -> float:
    """Place a part of the whole, so that no line runs along the edge."""
    return (part + INSET) / (1 + 2 * INSET)


def _draw_scale(field: _Field, ticks: Sequence[int]) -> str:
    return _group("y", [
        f'<g><path d="M0 {_round(field.y(tick))} h{_round(field.width)}"{GUIDE if tick else ""} />'
        f'<text x="-5" y="{_round(field.y(tick) + 0.35 * LABEL_SIZE)}">{tick:,}</text></g>'
        for tick in ticks
    ])  # fmt: skip


def _draw_days(field: _Field, named: Mapping[int, str]) -> str:
    below = field.height + SPACE + 2 + 0.5 * LABEL_SIZE
    return _group("x", [
        f'<g><path d="M{_round(field.x(day))} 0 v{_round(field.height)}"{GUIDE if day else ""} />'
        f'<text x="{_round(field.x(day))}" y="{_round(below)}">{words}</text></g>'
        for day, words in named.items()
    ])  # fmt: skip


def _draw_line(points: Iterable[tuple[float, float] | None]) -> str:
    """Draw a path for each run of points; one alone is a dot."""
    runs = (list(run) for is_there, run in groupby(points, bool) if is_there)
    written = ([f"{_round(x)} {_round(y)}" for x, y in filter(None, run)] for run in runs if len(run) > 1)
    return _group("series", [f'<path d="M{first} L{" ".join(rest)}" />' for first, *rest in written])


def _shows_dot(values: Sequence[int | None]) -> list[bool]:
    """Whether each value is shown by a dot: the last, and one that has no neighbour to draw a line to."""
    around = [None, *values, None]
    return [n == len(values) or (around[n - 1] is None and around[n + 1] is None) for n in range(1, len(values) + 1)]


def _round(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _group(name: str, drawn: Sequence[str]) -> str:
    return f'<g class="{name}">{"".join(drawn)}</g>' if drawn else ""
