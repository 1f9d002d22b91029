"""Draws small pictures as SVG that stands inside the page: coloured by the page's own style, with nothing to run.

The figures of a picture stand beside it in the same row, so that bars say nothing to a reader who cannot see them.
"""

from collections.abc import Collection, Sequence
from itertools import groupby
from xml.sax.saxutils import quoteattr

from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 140, 28, 4
"""Of a line, in the picture's own units: what it keeps off each end has room for a dot."""
THICK, APART = 10, 2
"""Of a bar, and between two."""


def draw_line(values: Sequence[int | None], says: str, marked: Collection[int] = ()) -> Markup:
    """Return one line over evenly spaced weeks on its own scale, broken where there is no value; dots at both ends.

    ``says``: for a reader who cannot see it. ``marked``: places of weeks with nights that were not accepted.
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)

    def place(week: int, value: int) -> tuple[float, float]:
        up = (value - low) / (high - low) if high > low else 0.5
        return _place_week(week, len(values)), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    points = [None if value is None else place(week, value) for week, value in enumerate(values)]
    runs = [[point for point in run if point] for is_there, run in groupby(points, bool) if is_there]
    paths = [f'<path d="M{" L".join(map(_write_point, run))}" />' for run in runs if len(run) > 1]
    lone = [run[0] for run in runs if len(run) == 1]
    ends = [runs[0][0], *lone, runs[-1][-1]] if runs else []
    dots = [f'<circle cx="{_round(x)}" cy="{_round(y)}" r="2.5" />' for x, y in dict.fromkeys(ends)]
    marks = [f'<path class="mark" d="M{_round(_place_week(week, len(values)))} {HEIGHT} v-5" />' for week in marked]
    return Markup(  # noqa: S704 - all but numbers is escaped
        f'<svg class="line" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label={quoteattr(says)}>'
        f"{''.join((*marks, *paths, *dots))}</svg>"
    )


def draw_bars(lengths: Sequence[int], most: int) -> Markup:
    """Return a bar for each length, one below another, each a part of ``most``; nothing to hear, for it is said beside.

    The first, the second and so on are told apart by their class.
    """
    height = len(lengths) * (THICK + APART) - APART
    drawn = "".join(
        f'<rect class="bar-{n + 1}" y="{n * (THICK + APART)}" width="{_round(100 * length / most)}" height="{THICK}" />'
        for n, length in enumerate(lengths)
        if length > 0 and most > 0
    )
    shape = f'class="bars bars-{len(lengths)}" viewBox="0 0 100 {height}" preserveAspectRatio="none"'
    return Markup(f'<svg {shape} aria-hidden="true">{drawn}</svg>')  # noqa: S704 - numbers alone


def _place_week(week: int, weeks: int) -> float:
    return EDGE + (WIDTH - 2 * EDGE) * (week / (weeks - 1) if weeks > 1 else 0.5)


def _write_point(point: tuple[float, float]) -> str:
    return " ".join(map(_round, point))


def _round(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
