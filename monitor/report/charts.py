"""Draws lines over weeks as SVG that stands inside the page: coloured by the page's own style, with nothing to run."""

import datetime as dt
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from monitor.words import MONTHS

MOST_TICKS = 4
LABEL_SIZE = 13
"""Of the words in a picture, in its own units: the page shows a picture at about its own width."""

KEPT: Mapping[str, tuple[str, ...]] = {
    "g": ("class", "transform"),
    "path": ("class", "d"),
    "text": ("x", "y"),
    "circle": ("cx", "cy", "r"),
}
"""What is taken from pygal's drawing: not its style and scripts, nor its hints for a mouse."""
CLASSES = frozenset({"x", "y", "guide", "series"})
EXACT = re.compile(r"-?\d+\.\d+")


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
    named = name_days(chart.days, shape.most_days)
    svg = ElementTree.Element(
        "svg",
        {
            "class": "picture",
            "viewBox": f"0 0 {shape.width} {shape.height}",
            "role": "img",
            "aria-labelledby": f"{chart.key}-title {chart.key}-says",
        },
    )
    ElementTree.SubElement(svg, "title", {"id": f"{chart.key}-title"}).text = chart.title
    ElementTree.SubElement(svg, "desc", {"id": f"{chart.key}-says"}).text = chart.says
    _keep(_plot(chart, ticks, named, shape), svg, {day.isoformat(): words for day, words in named.items()})
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - written by ElementTree, which escapes


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


def _import_pygal() -> Any:
    """pygal, without the finder for its maps that it adds to everybody's imports and that Python no longer takes."""
    import pygal.style

    sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("pygal")]
    return pygal


def _plot(chart: LineChart, ticks: Sequence[int], named: Mapping[dt.date, str], shape: Shape) -> Any:
    """The picture as pygal's own tree of elements."""
    pygal = _import_pygal()
    line = pygal.Line(
        width=shape.width, height=shape.height, spacing=8,
        margin_top=10, margin_right=24, margin_bottom=2, margin_left=2,
        style=pygal.style.Style(label_font_size=LABEL_SIZE), js=(), css=(),
        no_prefix=True, disable_xml_declaration=True,
        show_legend=False, show_dots=False, allow_interruptions=True, truncate_label=-1, show_minor_x_labels=False,
        value_formatter=lambda value: f"{value:,.0f}",
    )  # fmt: skip
    line.range = (0, ticks[-1])
    line.y_labels = list(ticks)
    line.x_labels = [day.isoformat() for day in chart.days]
    line.x_labels_major = [day.isoformat() for day in named]
    line.add("", list(chart.values))
    line.add("", _dots(chart.values), show_dots=True, dots_size=3.5, stroke=False)
    return line.render_tree()


def _dots(values: Sequence[int | None]) -> list[int | None]:
    """The values shown by a dot: the last, and each that has no neighbour to draw a line to."""
    around = [None, *values, None]
    return [
        value if n == len(values) or (around[n - 1] is None and around[n + 1] is None) else None
        for n, value in enumerate(values, start=1)
    ]


def _keep(drawn: Any, into: ElementTree.Element, words: Mapping[str, str]) -> None:
    """Copy what is wanted of a drawing, with the days in ``words`` put as a reader would."""
    for element in drawn:
        if element.tag not in KEPT:  # comments have no name
            continue
        kept = ElementTree.Element(element.tag, _keep_attributes(element))
        if element.text:
            kept.text = words.get(element.text, element.text)
        _keep(element, kept, words)
        if len(kept) or kept.tag != "g":
            into.append(kept)


def _keep_attributes(element: Any) -> dict[str, str]:
    kept = {name: EXACT.sub(_round, element.get(name)) for name in KEPT[element.tag] if element.get(name)}
    classes = [name for name in kept.pop("class", "").split() if name in CLASSES]
    return kept | ({"class": " ".join(classes)} if classes else {})


def _round(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
