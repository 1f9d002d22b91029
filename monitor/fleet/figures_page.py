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
from monitor.report.contents import HIDDEN, About
from monitor.report.page import STYLE, show_number
from monitor.words import write_count, write_date, write_number

TEMPLATE = "figures.html"
OWN_STYLE = "figures.css"
MARKING = "OFFICIAL"
MOST_BESIDE = 12
"""Authorities whose percentages stand beside each other in one table; more would not fit."""
GROUPS = (
    ("rule", "rules", "Rules", "Rules: of those who could be assessed, those in breach"),
    ("figure", "figures", "Figures", "Figures of the service"),
    ("filled in", "filled", "Columns", "Columns filled in"),
)
"""Of each kind of measure, its place on the page, what its table calls it, and its heading."""
WIDEST = 20
"""Between percentages further apart than this, it is said that there is none."""


@dataclass(frozen=True)
class MeasureTable:
    """One measure as the page shows it. ``title``: a sentence; ``rows``: an authority, its counts, what to know."""

    id: str
    title: str
    measure: MeasureByAuthority
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
    values = {
        "page": _prepare(figures, templates),
        "number": _show,
        "percent": _show_percent,
        "part": _show_part,
        "about": _show_about,
        "bars": _draw_percent,
    }
    return templates.fill_page(TEMPLATE, values)


def _show(number: int | None) -> Markup:
    """Return a number in a cell, or that it is withheld, which is said to whoever listens to the page, too."""
    return show_number(HIDDEN if number is None else number)


def _show_part(counts: GivenCounts) -> Markup:
    part = describe_part(counts)
    return Markup("{}").format(part) if part else show_number(HIDDEN)


def _show_about(number: int | None) -> Markup:
    """Return a number to the nearest 5 in a cell, or that it is withheld."""
    return show_number(HIDDEN if number is None else About(number) if number else 0)


def _show_percent(counts: GivenCounts | None) -> Markup:
    """Return a percentage in a cell, or why there is none: it is withheld, or there is nobody to have it of."""
    if counts is None or counts.denominator == 0:
        return show_number(None)
    percent = describe_percent(counts)
    return Markup("{}").format(percent) if percent else show_number(HIDDEN)


def _draw_percent(counts: GivenCounts) -> Markup:
    """Return a bar as long as the percentage, or the middle of what it may be."""
    if not describe_percent(counts):
        return draw_bars([0], 100)
    return draw_bars([((counts.percent_least or 0) + (counts.percent_most or 0)) // 2], 100)


def _prepare(figures: FleetFigures, templates: Templates) -> FiguresPage:
    as_at = write_date(figures.as_at)
    style = templates.read(STYLE) + templates.read(OWN_STYLE) + quoted_style(MARKING, f"Figures by authority, {as_at}")
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
    title = _title_measure(measure.title, measure.together)
    return MeasureTable(f"measure-{number}", title, measure, reach, tuple(rows))


def _title_measure(title: str, counts: GivenCounts) -> str:
    """Return a title that tells the figure, such as "No fixed abode: 12 of about 300, 4%"."""
    if counts.denominator == 0:
        return f"{title}: nobody could be assessed" if counts.asked else f"{title}: nobody was asked"
    told = [words for words in (describe_part(counts), describe_percent(counts)) if words]
    return f"{title}: {', '.join(told)}" if told else f"{title}: not shown"


def describe_percent(counts: GivenCounts) -> str | None:
    """Return the percentage in words, or between what it lies; None: it is withheld, or there is nobody."""
    least, most = counts.percent_least, counts.percent_most
    if least is None or most is None or most - least > WIDEST:
        return None
    return f"{least}%" if least == most else f"{least}–{most}%"  # noqa: RUF001


def describe_part(counts: GivenCounts) -> str | None:
    """Return how many of how many, or between what that lies; None: it is withheld, or the percentage is."""
    if counts.numerator is not None:
        part = write_number(counts.numerator)
    elif counts.numerator_least is not None and counts.numerator_most is not None and describe_percent(counts):
        part = f"{write_number(counts.numerator_least)} to {write_number(counts.numerator_most)}"
    else:
        return None
    return part if counts.denominator is None else f"{part} of about {write_number(counts.denominator)}"
