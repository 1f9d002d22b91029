"""Draws one young person's flags over time as a small picture: a bar a flag, without words; the page says the same."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from monitor.flags.flag_history import Cleared, Moment

WIDTH, BAR, STEP, MARK = 1000, 5, 8, 6
MOST_BARS = 20
NOTHING = Markup("")


def draw_course(
    flags: Sequence[tuple[dt.date, Sequence[Moment]]], cleared: Sequence[Cleared], as_at: dt.date
) -> Markup:
    """Draw the flags, each with its first day and what happened to it, then those ``cleared``; nothing for one day."""
    first = min((*(opened_on for opened_on, _ in flags), *(flag.opened_on for flag in cleared)))
    days = (as_at - first).days
    if days < 1:
        return NOTHING
    scale = WIDTH / days
    start = first.toordinal()

    def bar(row: int, kind: str, since: dt.date, until: dt.date) -> str:
        left = round((since.toordinal() - start) * scale)
        width = max(round((until.toordinal() - start) * scale) - left, MARK)
        return f'<rect class="{kind}" x="{min(left, WIDTH - MARK)}" y="{row * STEP}" width="{width}" height="{BAR}"/>'

    drawn: list[str] = []
    for row, (opened_on, moments) in enumerate(flags[:MOST_BARS]):
        drawn.append(bar(row, "o", opened_on, as_at))
        drawn += [bar(row, kind, max(since, opened_on), until) for kind, since, until in _list_spans(moments, as_at)]
    rows = len(flags[:MOST_BARS])
    for flag in cleared[-(MOST_BARS - rows) :] if rows < MOST_BARS else ():
        drawn.append(bar(rows, "c", flag.opened_on, flag.cleared_on))
        rows += 1
    height = rows * STEP
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg class="course" viewBox="0 0 {WIDTH} {height}" height="{height}" preserveAspectRatio="none" '
        f'aria-hidden="true" focusable="false">{"".join(drawn)}</svg>'
    )


def _list_spans(moments: Iterable[Moment], as_at: dt.date) -> Iterator[tuple[str, dt.date, dt.date]]:
    """When a flag was held and waived, and the days on which it was answered or taken higher."""
    held: dt.date | None = None
    waived: tuple[dt.date, dt.date] | None = None
    marks = []
    for moment in moments:
        if moment.kind == "held":
            held = held or moment.day
        elif moment.kind == "released" and held is not None:
            yield "h", held, moment.day
            held = None
        elif moment.kind == "waived":
            waived = moment.day, moment.until or as_at
        elif moment.kind == "waiver ended" and waived is not None:
            yield "w", waived[0], moment.day
            waived = None
        else:
            marks.append(moment.day)
    if held is not None:
        yield "h", held, as_at
    if waived is not None:
        yield "w", waived[0], min(waived[1], as_at)
    yield from (("m", day, day) for day in marks)
