"""Makes the page of every authority's figures: one file that holds everything it needs and can load nothing else."""

from dataclasses import dataclass

from markupsafe import Markup

from monitor.fleet.authority_nights import AuthorityNight
from monitor.fleet.figures_by_authority import (
    FleetFigures,
    GivenCounts,
    MeasureByAuthority,
    describe_counts,
    describe_standing,
)
from monitor.messages.page_policy import allow, quoted_style
from monitor.messages.templates import Templates
from monitor.report.charts import draw_bars
from monitor.report.contents import HIDDEN
from monitor.report.page import STYLE, show_number
from monitor.words import write_count, write_date, write_number

TEMPLATE = "figures.html"
MARKING = "OFFICIAL"
MOST_BESIDE = 12
"""Authorities whose percentages stand beside each other in one table; more would not fit."""
GROUPS = (
    ("rule", "rules", "Rules", "Rules: of those who could be assessed, those in breach"),
    ("figure", "figures", "Figures", "Figures of the service"),
    ("filled in", "filled", "Columns", "Columns filled in"),
)
"""Of each kind of measure, its place on the page, what its table calls it, and its heading."""
WIDEST = 10
"""Between percentages further apart than this, it is said that there is none."""
ON_PAPER = "@media print { section + section { margin-top: 10pt; } }\n"


@dataclass(frozen=True)
class MeasureTable:
    """One measure as the page shows it. ``title``: a sentence; ``rows``: an authority, its counts, what to know.

    ``part`` and ``percent``: of all authorities together, in words; None: not shown, or nobody.
    """

    id: str
    title: str
    measure: MeasureByAuthority
    part: str | None
    percent: str | None
    reach: str
    rows: tuple[tuple[AuthorityNight, GivenCounts | None, tuple[str, ...]], ...]


@dataclass(frozen=True)
class MeasureGroup:
    """The measures of one kind."""

    id: str
    name: str
    heading: str
    measures: tuple[MeasureTable, ...]


@dataclass(frozen=True)
class FiguresPage:
    """What the template is given: chosen, in order and in words, with nothing to work out.

    ``beside``: the authorities of the table that has a column for each; none where they are too many.
    """

    marking: str
    title: str
    as_at: str
    standing: tuple[tuple[AuthorityNight, tuple[str, ...]], ...]
    beside: tuple[AuthorityNight, ...]
    groups: tuple[MeasureGroup, ...]
    few: str
    style: Markup
    allowed: str


def write_page(figures: FleetFigures, templates: Templates) -> str:
    """Return the page as HTML."""
    values = {"page": _prepare(figures, templates), "number": _show, "percent": _show_percent, "bars": _draw_percent}
    return templates.fill_page(TEMPLATE, values)


def _show(number: int | None) -> Markup:
    """Return a number in a cell, or that it is withheld, which is said to whoever listens to the page, too."""
    return show_number(HIDDEN if number is None else number)


def _show_percent(counts: GivenCounts | None) -> Markup:
    """Return a percentage in a cell, or why there is none: it is withheld, or there is nobody to have it of."""
    if counts is None or counts.denominator == 0:
        return show_number(None)
    return Markup("{}%").format(counts.percent) if counts.percent is not None else show_number(HIDDEN)


def _draw_percent(counts: GivenCounts) -> Markup:
    return draw_bars([counts.percent or 0], 100)


def _prepare(figures: FleetFigures, templates: Templates) -> FiguresPage:
    as_at = write_date(figures.as_at)
    style = templates.read(STYLE) + ON_PAPER + quoted_style(MARKING, f"Figures by authority, {as_at}")
    tables = [_lay_out(figures, n, measure) for n, measure in enumerate(figures.measures, start=1)]
    groups = (
        MeasureGroup(place, name, heading, tuple(table for table in tables if table.measure.kind == kind))
        for kind, place, name, heading in GROUPS
    )
    return FiguresPage(
        marking=MARKING,
        title=_title(figures),
        as_at=as_at,
        standing=tuple((night, describe_standing(night, figures.as_at)) for night in figures.nights),
        beside=figures.read if len(figures.read) <= MOST_BESIDE else (),
        groups=tuple(group for group in groups if group.measures),
        few=f"1 to {figures.suppress_below - 1}",
        style=Markup(style),  # noqa: S704 - the shipped style: not data
        allowed=allow(style),
    )


def _title(figures: FleetFigures) -> str:
    read, everyone = len(figures.read), write_count(len(figures.nights), "authority", "authorities")
    if read == len(figures.nights):
        return f"Figures of {everyone}"
    return f"Figures of {read} of {everyone}" if read else f"No figures yet of {everyone}"


def _lay_out(figures: FleetFigures, number: int, measure: MeasureByAuthority) -> MeasureTable:
    rows = ((night, measure.rows.get(night.code), describe_counts(measure, night)) for night in figures.read)
    reach = f"{measure.authorities} of {len(figures.nights)}"
    told = describe_part(measure), describe_percent(measure)
    return MeasureTable(f"measure-{number}", _title_measure(measure), measure, *told, reach, tuple(rows))


def _title_measure(measure: MeasureByAuthority) -> str:
    """Return a title that tells the figure, such as "No fixed abode: 12 of 300, 4%"."""
    counts, title = measure.together, measure.title
    if counts.denominator == 0:
        return f"{title}: nobody could be assessed" if counts.asked else f"{title}: nobody was asked"
    if counts.breach is not None and counts.denominator is not None:
        return f"{title}: {write_number(counts.breach)} of {write_number(counts.denominator)}, {counts.percent}%"
    part, percent = describe_part(measure), describe_percent(measure)
    return ", ".join(filter(None, (f"{title}: {part}" if part else title, percent)))


def describe_percent(measure: MeasureByAuthority) -> str | None:
    """Return the percentage of all authorities together in words, or between what it lies; None: nobody knows."""
    between = measure.between
    if between.least_percent is None or between.most_percent is None or measure.together.denominator == 0:
        return None
    if between.most_percent - between.least_percent > WIDEST:
        return None
    same = between.least_percent == between.most_percent
    return f"{between.least_percent}%" if same else f"{between.least_percent}% to {between.most_percent}%"


def describe_part(measure: MeasureByAuthority) -> str | None:
    """Return how many of all authorities together, or between what that lies; None where it is of little use."""
    between = measure.between
    if measure.together.breach is not None:
        return write_number(measure.together.breach)
    if between.least is None or between.most is None or describe_percent(measure) is None:
        return None
    return f"{write_number(between.least)} to {write_number(between.most)}"
